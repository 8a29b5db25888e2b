"""The table of operations, continued: padding, windows, sums by place. Loops over taps count by their trips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sympy import Add, Expr, Mul

from .cost_rows import contraction, einsum, reduction, reshaped
from .form import positive_part
from .program import Op
from .shapes import ONE, ZERO, Array, Host, coarseness, entrywise, made, opened, tidy
from .walk import Pads, Row, Walk


def _padded(w: Walk, op: Op, args: Any) -> Array:
    """Zeros, and the array copied among them; nothing at all where it is padded by nothing.

    Where a window steps over entries it is copied once more, in another order.
    """
    array, *amounts = args
    _, order = op.attr
    steps = amounts.pop() if order else ()
    added = [ZERO if isinstance(a, Host) else Add(*(_amount(w, n) for n in a)) for a in amounts]
    shape = [_longer(w, n, more) for n, more in zip(array.shape, added, strict=True)]
    out = made(shape, array.kind)
    amount = tidy(Add(*shape) - Add(*array.shape))
    w.tally.add(moved=Pads(amount) * (out.bytes + 2 * array.bytes))
    if order:
        apart = Add(*((w.length(step) - 1) ** 2 for step in steps))
        w.tally.add(moved=Pads(tidy(apart)) * 2 * out.bytes)
    return out


def _amount(w: Walk, value: Any) -> Expr:
    """max(0, n), where the program writes it so."""
    length = value.value
    return positive_part(length.args[1]) if type(length).__name__ == "Max" and length.args[0] == 0 else length


def _beyond(amount: Expr) -> Expr:
    """max(0, amount): 0 where that is certain."""
    return ZERO if positive_part(opened(amount)) == 0 else positive_part(amount)


def _longer(w: Walk, length: Expr, more: Expr) -> Expr:
    return w.named(length + more, f"{length}_padded" if length.is_Symbol else "padded")


def _windows(w: Walk, op: Op, args: Any) -> Array:
    """A view: the axes of each window step over those of the array."""
    array, *axes = args
    shape: list[Expr] = []
    strides: list[Expr] = []
    for n, stride, axis in zip(array.shape, array.strides, axes, strict=True):
        parts = ((Host(n), Host(ONE)),) if isinstance(axis, Host) else axis[1:]
        shape += [w.length(count) for count, _ in parts]
        strides += [w.length(step) * stride for _, step in parts]
    return Array(tuple(shape), array.kind, tuple(strides))


# Matrix products


def _matrices(w: Walk, x: Array, loop: int, rows: int) -> Array:
    """x[n…, i…, j…] as matrices (n…, i, j): rows along the axis that is finest in memory."""
    head, first, second = x.shape[:loop], x.shape[loop : loop + rows], x.shape[loop + rows :]
    i, j = Mul(*first), Mul(*second)
    if first and coarseness(x.strides[loop + rows - 1]) < coarseness(x.strides[-1]):
        turned = x.axes((*range(loop), *range(loop + rows, len(x.shape)), *range(loop, loop + rows)))
        rank = loop + 2
        return reshaped(w, turned, (*head, j, i)).axes((*range(loop), rank - 1, rank - 2))
    return reshaped(w, x, (*head, i, j))


def _products(w: Walk, op: Op, args: Any) -> Array:
    """Matrix products, for each entry of the axes of the loop or summed over them, too."""
    a, b = args
    loop, inner, total = op.attr
    rows, columns = a.shape[loop : len(a.shape) - inner], b.shape[loop + inner :]
    matrix = _matrices(w, a, loop, len(rows))
    if not loop:
        _product(w, matrix, _matrices(w, b, 0, inner))
        return made((*rows, *columns))
    head = tuple(m if n == 1 else n for m, n in zip(a.shape[:loop], b.shape[:loop], strict=True))
    i, j = Mul(*rows), Mul(*columns)
    out = w.fresh((i, j)) if total else made((*head, i, j))

    def block(count: Expr) -> None:
        some = matrix if matrix.shape[0] == 1 else _block(matrix, count)
        other = _matrices(w, b if b.shape[0] == 1 else _block(b, count), loop, inner)
        if total:
            summed = reduction(w, _product(w, some, other), range(loop))
            w.charge("add", [out, summed], out)
        else:
            _product(w, some, other)

    w.loop(head[0], Mul(*head[1:], matrix.shape[-1], j), block)
    return made((*(() if total else head), *rows, *columns))


def _spread(w: Walk, op: Op, args: Any) -> Array:
    """Matrix products for a block of the first axis, summed into windows, and copied to their place.

    Counted so, too, where windows step by one and have 16 channels: then each is a product with windows, as long but
    for the edges, and moves less.
    """
    a, b, *axes = args
    loop, inner, order = op.attr
    rank = len(a.shape) - inner
    rows, columns = a.shape[loop:rank], b.shape[loop + inner :]
    matrix = _matrices(w, a.axes(_taps_first(axes, order, loop, rank, len(a.shape))), loop, len(rows))
    head = tuple(m if n == 1 else n for m, n in zip(a.shape[:loop], b.shape[:loop], strict=True))
    shapes: list[Any] = []

    def block(count: Expr) -> None:
        some = matrix if matrix.shape[0] == 1 else _block(matrix, count)
        _product(w, some, _matrices(w, b if b.shape[0] == 1 else _block(b, count), loop, inner))
        u = made((count, *head[1:], *rows, *columns)).axes(order)
        summed = _overlapped(w, Op("overlapped", (), 1), (u, *axes))
        w.tally.move(summed, summed)
        shapes.append(summed.shape)

    w.loop(head[0], Mul(*head[1:], *rows, *columns), block)
    return made((head[0], *shapes[0][1:]))


def _taps_first(axes: Sequence[Any], order: Sequence[int], loop: int, rank: int, every: int) -> list[int]:
    """The axes of the first factor: of its rows, those that are taps of windows before the others."""
    places = iter(order)
    own = [[next(places) for _ in ([ZERO] if isinstance(axis, Host) else axis[2:])] for axis in axes]
    wide = [ks[0] for ks, axis in zip(own, axes, strict=True) if isinstance(axis, Host) and loop <= ks[0] < rank]
    return sorted(range(every), key=lambda k: (k >= loop) + (k in wide) + 2 * (k >= rank))


def _block(array: Array, count: Expr) -> Array:
    return Array((count, *array.shape[1:]), array.kind, array.strides)


def _product(w: Walk, a: Array, b: Array) -> Array:
    head = tuple(m if n == 1 else n for m, n in zip(a.shape[:-2], b.shape[:-2], strict=True))
    shape = (*head, a.shape[-2], b.shape[-1])
    return contraction(w, Mul(*shape, a.shape[-1]), (a, b), shape)


def _correlated(w: Walk, op: Op, args: Any) -> Array:
    """A contraction at each tap; then all of them in one array."""
    x, u = args
    spec, count = op.attr
    taps = Mul(*x.shape[:count])
    outer, w.tally = w.tally, type(w.tally)()
    each = einsum(w, spec, (x.axes(range(count, len(x.shape))), u))
    inner, w.tally = w.tally, outer
    w.tally.add(taps * inner.flops, taps * inner.moved)
    out = made((*x.shape[:count], *each.shape))
    w.tally.move(out, out)
    return out


# Tap by tap


def _folded(w: Walk, op: Op, args: Any) -> Array:
    """An operation for each entry of each tap but the first; one tap alone is copied."""
    (x,) = args
    _, count = op.attr
    taps, out = Mul(*x.shape[:count]), _without(x, count)
    w.tally.add((taps - 1) * out.size, moved=(3 * (taps - 1) + 2 * (1 - Pads(taps - 1))) * out.bytes)
    return out


def _without(x: Array, count: int) -> Array:
    return entrywise([x.axes(range(count, len(x.shape)))], x.kind)


def _weighted(w: Walk, op: Op, args: Any) -> Array:
    """A product for each entry of each tap, and a sum for each but the first."""
    x, weights = args
    taps, out = Mul(*x.shape[: op.attr]), _without(x, op.attr)
    each = 2 * out.bytes + weights.axes(range(op.attr, len(weights.shape))).bytes
    w.tally.add((2 * taps - 1) * out.size, moved=taps * each + (taps - 1) * 3 * out.bytes)
    return out


def _firsts(w: Walk, op: Op, args: Any) -> Array:
    """At each tap but the last a comparison, and who is still before the first."""
    x, best = args
    taps = Mul(*x.shape[: len(x.shape) - len(best.shape)])
    out, before = w.fresh(best.shape, "small"), w.fresh(best.shape, "bool")
    each = 2 * best.bytes + before.bytes + 3 * before.bytes + 2 * out.bytes + before.bytes
    w.tally.add((taps - 1) * best.size, moved=(taps - 1) * each)
    return out


def _selected(w: Walk, op: Op, args: Any) -> Array:
    """At each tap: where it is the first, its product with u; in a slice, or added to it where windows overlap."""
    u, first, *axes = args
    shape, taps, meet, gaps = [], ONE, ZERO, ZERO
    for n, axis in zip(u.shape, axes, strict=True):
        if isinstance(axis, Host):
            shape.append(n)
            continue
        length, start, (count, step), (number, jump), _ = axis
        length, start, count, step, number, jump = map(w.length, (length, start, count, step, number, jump))
        taps *= number
        below = _beyond(-start)
        above = _beyond(start + step * (count - 1) + jump * (number - 1) - (length - 1))
        shape.append(_longer(w, length, below + above))
        meet += _beyond(jump * (number - 1) - step + 1)
        gaps += start**2 + (step - number) ** 2 + (jump - 1) ** 2 + (length - count * step) ** 2
    out = made(shape)
    mask = made(first.shape, "bool")
    each = first.bytes + mask.bytes + (u.bytes + mask.bytes + u.bytes) + 3 * u.bytes * Pads(meet)
    w.tally.add((1 + Pads(meet)) * taps * u.size, moved=taps * each + out.bytes * Pads(gaps))
    return _cropped(w, out, axes)


def _cropped(w: Walk, out: Array, axes: Sequence[Any]) -> Array:
    """The view of it that has the lengths of the result."""
    shape = [n if isinstance(axis, Host) else w.length(axis[0]) for n, axis in zip(out.shape, axes, strict=True)]
    return Array(tuple(shape), out.kind, out.strides)


def _overlapped(w: Walk, op: Op, args: Any) -> Array:
    """Each entry of u is added once, tap by tap; with `times` it is a product first."""
    u, *axes = args
    times = axes.pop(0) if op.attr == 2 else None
    every = u if times is None else entrywise([u, times], u.kind)
    place, shape = 0, []
    for axis in axes:
        if isinstance(axis, Host):
            shape.append(every.shape[place])
            place += 1
            continue
        n, start, *parts = axis
        n, start = w.length(n), w.length(start)
        ends = [w.length(step) * (w.length(count) - 1) for count, step in parts]
        low, high = start - Add(*(_beyond(-e) for e in ends)), start + Add(*map(_beyond, ends))
        shape.append(_longer(w, n, _beyond(-low) + _beyond(high + 1 - n)))
        place += len(parts)
    out = w.fresh(shape, u.kind)
    if times is not None:
        w.tally.add(every.size, moved=3 * every.bytes)
    w.tally.add(every.size, moved=3 * every.bytes)
    return _cropped(w, out, axes)


def _scattered(w: Walk, op: Op, args: Any) -> Array:
    """Every entry of u is added to its place; where several meet, and what falls outside, only the data say.

    Counted as u and the places read once, and a place read and written for each entry of u.
    """
    u, lengths, *places = args
    rank = max(len(p.shape) for p in places)
    out = w.fresh([*(w.length(n) for n in lengths), *u.shape[rank:]])
    w.tally.add(u.size, moved=3 * u.bytes)
    w.tally.move(*places)
    return out


ROWS: dict[str, Row] = {
    "padded": _padded,
    "windows": _windows,
    "products": _products,
    "spread": _spread,
    "correlated": _correlated,
    "folded": _folded,
    "weighted": _weighted,
    "firsts": _firsts,
    "selected": _selected,
    "overlapped": _overlapped,
    "scattered": _scattered,
}  # fmt: skip
