"""Contractions of views of windows: tap by tap, or as matrix products, image by image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from derive.axes import Axis

from .node import Graph, View

if TYPE_CHECKING:
    from .contract import Meeting


def tap_by_tap(g: Graph, m: Meeting) -> View | None:
    """A view of windows with an array that has no letter of its own: each tap is a slice, and one product."""
    for x, u in ((m.a, m.b), (m.b, m.a)):
        if x.node.op != "window" or not set(u.letters) <= set(x.letters):
            continue
        windowed = set(window_letters(x))
        taps = [a for a in x.letters if a not in u.letters]
        if taps and set(taps) <= windowed - set(m.over):
            rest = [a for a in x.letters if a not in m.over and a not in taps]
            return g.make("correlated", [x, u], (*taps, *rest), len(taps))
        if set(m.over) <= windowed and not set(taps) & set(m.over):
            return g.make("weighted", [x, u], tuple(a for a in x.letters if a not in m.over))
    return None


def window_letters(x: View) -> list[Axis]:
    """The letters of axes of a view of windows that have several: h and r of x[s·h + r]."""
    letters = iter(x.letters)
    found = []
    for spec in x.node.attr:
        here = [next(letters) for _ in range(1 if spec is None else len(spec) - 1)]
        found += here if len(here) > 1 else []
    return found


def matrices(g: Graph, m: Meeting) -> View | None:
    """Letters in groups: those of a loop, rows, summed, columns. A sum over images goes image by image, too."""
    windowed = any(view.node.op == "window" for view in (m.a, m.b))
    inside = any(len(v.letters) > 2 and v.letters[1] in m.over and v.letters[0] not in m.over for v in (m.a, m.b))
    if not (m.rows and m.columns and (windowed or m.batch or inside)):
        return None
    rank = {letter: place for place, letter in enumerate(m.hint)}
    result = sorted((*m.batch, *m.rows, *m.columns), key=lambda x: rank.get(x, len(rank)))
    own = [x for x in result if x not in m.batch]
    loop = [x for x in result if x in m.batch]
    if own[0] in (m.a.letters[0], m.b.letters[0]) and (own[0] in m.rows) != (own[1] in m.rows):
        loop.insert(0, own.pop(0))  # image by image: rows of the other operand, then columns of this one
    first, second = (m.a, m.b) if own[0] in m.rows else (m.b, m.a)
    rows = [x for x in own if x in first.letters]
    columns = [x for x in own if x in second.letters]
    if not columns:
        return None
    over = [x for x in (second if first.node.op == "window" else first).letters if x in m.over]
    total = not loop and len(over) > 1 and first.letters[0] == second.letters[0] == over[0]
    letters = (*loop, *rows, *columns)
    place = {x: k for k, x in enumerate(letters)}
    beyond = [x for x in dict.fromkeys((*first.letters, *second.letters)) if x not in place]
    place |= {x: len(letters) + k for k, x in enumerate(beyond)}
    groups = ([over[0]], rows, over[1:], columns) if total else (loop, rows, over, columns)
    return g.make("gemm", [first, second], letters, (tuple(tuple(place[x] for x in s) for s in groups), total))
