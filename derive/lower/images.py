"""Contractions of views of windows: tap by tap, or as matrix products, image by image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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
    first, second, last = _laid(g, first, second, [over[0]] if total else loop, over)
    rows, columns, over = (sorted(group, key=last.count) for group in (rows, columns, over))
    letters = (*loop, *rows, *columns)
    place = {x: k for k, x in enumerate(letters)}
    beyond = [x for x in dict.fromkeys((*first.letters, *second.letters)) if x not in place]
    place |= {x: len(letters) + k for k, x in enumerate(beyond)}
    groups = ([over[0]], rows, over[1:], columns) if total else (loop, rows, over, columns)
    return g.make("gemm", [first, second], letters, (tuple(tuple(place[x] for x in s) for s in groups), total))


def _laid(
    g: Graph, first: View, second: View, loop: Sequence[Axis], over: Sequence[Axis]
) -> tuple[View, View, list[Axis]]:
    """Operands such that columns of windows are copied in runs: which letters come last, in groups and in memory.

    A window whose run steps over entries, x[c, s·h + r], has no run to copy; x̂[y, c] has one at each place: all of c.
    """
    windowed = [view for view in (first, second) if view.node.op == "window"]
    if not (g.strided and len(windowed) == 1):
        return first, second, []
    (view,) = windowed
    taken = window_letters(view)
    plain = [a for a in view.letters if a not in taken and a not in loop]
    here, there = ([a for a in plain if (a in over) == summed] for summed in (True, False))
    last = there if not here or (there and here[0] == view.letters[0]) else here
    steps = _steps(view, [a for a in taken if (a in over) != (last[0] in over)]) if last else []
    if all(step == 1 for step in steps):
        return first, second, []
    laid = _in_order(g, view, last, tuple(steps))
    return (laid, second, last) if view is first else (first, laid, last)


def _steps(view: View, runs: Sequence[Axis]) -> list[Any]:
    """The steps of these letters over the array that a view of windows reads."""
    letters = iter(view.letters)
    parts = [(next(letters), step) for spec in view.node.attr for step in ((1,) if spec is None else spec[1:])]
    return list(dict.fromkeys(step for letter, step in parts if letter in runs))


def _in_order(g: Graph, view: View, last: Sequence[Axis], steps: tuple[Any, ...]) -> View:
    """The view of an array whose axes of these letters lie last in memory, if one of the steps is not 1."""
    ((array, labels),) = view.node.args
    own = dict(enumerate(view.letters))
    order = tuple(sorted(range(array.rank), key=lambda k: own.get(labels[k]) in last))
    if order == tuple(range(array.rank)):
        return view
    letters = tuple(own.get(label, Axis(f"padded_{k}", array.dims[k])) for k, label in enumerate(labels))
    specs, fill = array.attr[:2] if array.op == "pad" else ((None,) * array.rank, 0)
    source = array.args[0][0] if array.op == "pad" else array
    inner = [
        a if spec is None else Axis(f"data_{k}", source.dims[k])
        for k, (a, spec) in enumerate(zip(letters, specs, strict=True))
    ]
    laid = g.make("pad", [View(source, tuple(inner))], letters, (specs, fill, order, steps), array.kind)
    return g.make("window", [laid], view.letters, view.node.attr, view.node.kind)
