"""Parts side by side: arrays that are placed one after the other along an axis, and fill it, are one array.

Σ_k placed_k(a_k) is what differentiating slices leaves: z̄ of z[h], z[h + H], … has a part for each slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sympy import Expr, expand

from derive.axes import Axis

from .node import Graph, View

Term = tuple[int, View]


@dataclass(frozen=True)
class _Part:
    sign: int
    placed: View  # zeros but for this part
    place: int  # which of its letters the part runs along
    start: Expr
    count: Expr

    def alone(self, axis: Axis) -> View:
        """The part itself, over an axis of its own."""
        ((array, labels),) = self.placed.node.args
        letters = self.placed.letters
        return View(array, tuple(letters[k] if k < len(letters) else axis for k in labels))


def side_by_side(g: Graph, terms: Sequence[Term]) -> list[Term]:
    """The terms, with those that fill an axis one after the other joined."""
    sizes = {symbol: size for size, symbol in g.derived.items()}
    groups: dict[Any, list[_Part]] = {}
    for sign, view in terms:
        if part := _part(sign, view):
            groups.setdefault((view.letters, part.place), []).append(part)
    left = list(terms)
    for parts in groups.values():
        if len(parts) > 1 and (order := _one_after_the_other(parts, sizes)):
            for part in parts:
                left.remove((part.sign, part.placed))
            left.append(_concatenated(g, order))
    return left


def _part(sign: int, view: View) -> _Part | None:
    """A term that is zero but for one run of one of its axes."""
    if view.node.op != "overlap" or len(view.node.args) != 1:
        return None
    specs, _ = view.node.attr
    places = [k for k, spec in enumerate(specs) if spec is not None]
    ((array, labels),) = view.node.args
    if len(places) != 1 or len(labels) != len(view.letters) or array.op == "stretch":
        return None
    _, start, *steps = specs[places[0]]
    if len(steps) != 1 or steps[0][1] != 1:
        return None
    return _Part(sign, view, places[0], start, steps[0][0])


def _one_after_the_other(parts: Sequence[_Part], sizes: dict[Any, Expr]) -> list[_Part]:
    """The parts in the order in which they fill the axis; none where they do not."""
    end = parts[0].placed.letters[parts[0].place].size
    left, order, here = list(parts), list[_Part](), expand(0)
    while left:
        following = next((p for p in left if expand((p.start - here).xreplace(sizes)) == 0), None)
        if following is None:
            return []
        left.remove(following)
        order.append(following)
        here = expand((here + following.count).xreplace(sizes))
    return order if expand(here - end) == 0 else []


def _concatenated(g: Graph, order: Sequence[_Part]) -> Term:
    letters, place = order[0].placed.letters, order[0].place
    sign = 1 if any(part.sign > 0 for part in order) else -1
    views = []
    for k, part in enumerate(order):
        view = part.alone(Axis(f"{letters[place].name}_{k}", part.count))
        views.append(view if part.sign == sign else g.make("negative", [view], view.letters))
    return sign, g.make("concatenate", views, letters, place)
