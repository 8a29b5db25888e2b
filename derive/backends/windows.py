"""Windows, gathers and sums by place: what emitted modules bring along for them, as text.

Each function is self-contained: it needs NumPy as `np`, and the functions of this file.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .runtime import row_blocks


def padded(x: Any, *amounts: Any, fill: Any = 0) -> Any:
    """x between (before, after) entries of `fill` along each axis; None where there are none."""
    pads = [(0, 0) if amount is None else amount for amount in amounts]
    shape = [before + n + after for n, (before, after) in zip(x.shape, pads, strict=True)]
    if tuple(shape) == x.shape:
        return x
    out = np.zeros(shape, x.dtype) if fill == 0 else np.full(shape, fill, x.dtype)
    out[tuple(slice(before, before + n) for n, (before, _) in zip(x.shape, pads, strict=True))] = x
    return out


def windows(x: Any, *axes: Any) -> Any:
    """A view: along each axis, (start, (n, step), …) reads x at start + step*l + … for l < n, …; None is the axis."""
    start, shape, strides = [], [], []
    for n, stride, axis in zip(x.shape, x.strides, axes, strict=True):
        first, *parts = (0, (n, 1)) if axis is None else axis
        start.append(slice(first, None) if first else slice(None))
        shape += [count for count, _ in parts]
        strides += [step * stride for _, step in parts]
    return np.lib.stride_tricks.as_strided(x[tuple(start)], shape, strides, writeable=False)


def scattered(u: Any, lengths: Any, *places: Any) -> Any:
    """out[places…] += u: sums by place along the first axes, of these lengths; places outside fall away."""
    rank = max(place.ndim for place in places)
    count, width, total = (int(np.prod(n)) for n in (u.shape[:rank], u.shape[rank:], lengths))
    flat: Any = np.zeros((), np.intp)
    inside: Any = np.ones((), bool)
    for place, n in zip(places, lengths, strict=True):
        flat = flat * n + place
        inside = inside & (place >= 0) & (place < n)
    flat, inside = (np.broadcast_to(a, u.shape[:rank]).reshape(count) for a in (flat, inside))
    values = u.reshape(count, width)
    if not inside.all():
        flat, values = flat[inside], values[inside]
    shape = (*lengths, *u.shape[rank:])
    if values.size > 1 << 14:
        try:
            from scipy import sparse
        except ImportError:
            pass  # all the same, four times as slow
        else:  # a row of ones and zeros says where each row of u goes: their product takes rows in order
            ones = np.ones(len(flat), u.dtype), flat, np.arange(len(flat) + 1)
            return (sparse.csr_array(ones, shape=(len(flat), total)).T @ values).reshape(shape)
    out = np.zeros(total * width, u.dtype)
    np.add.at(out, (flat[:, None] * width + np.arange(width)).reshape(-1), values.reshape(-1))
    return out.reshape(shape)


def overlapped(u: Any, *axes: Any, times: Any = None) -> Any:
    """The sum into windows: along each axis, (n, start, (count, step), …) adds u at start + step*l + …, None as it is.

    The longest run of each window is a slice; a loop goes over the others, which are the taps. `times` multiplies u.
    """
    if times is not None:
        u, times = np.broadcast_arrays(u, times)
    shape, crop, taps, place = [], [], [], 0
    runs: list[tuple[int, int, int]] = []
    for axis in axes:
        n, start, *parts = (u.shape[place], 0, (u.shape[place], 1)) if axis is None else axis
        low = start + sum(min(0, step * (count - 1)) for count, step in parts)
        high = start + sum(max(0, step * (count - 1)) for count, step in parts)
        before = max(0, -low)
        shape.append(before + max(n, high + 1))
        crop.append(slice(before, before + n))
        run = max(range(len(parts)), key=lambda k: parts[k][0] * (parts[k][1] > 0), default=-1)
        taps += [(place + k, len(runs), *part) for k, part in enumerate(parts) if k != run]
        runs.append((start + before, *(parts[run] if parts else (0, 0))))
        place += len(parts)
    out = np.zeros(shape, u.dtype)
    for tap in np.ndindex(*(count for _, _, count, _ in taps)):
        starts: list[int] = [run[0] for run in runs]
        source: list[Any] = [slice(None)] * u.ndim
        for number, (axis, run, _, step) in zip(tap, taps, strict=True):
            starts[run] += step * number
            source[axis] = number
        ends = [start + count * step for start, (_, count, step) in zip(starts, runs, strict=True)]
        out[
            tuple(
                slice(start, end if end >= 0 else None, step) if step else start
                for start, end, (_, _, step) in zip(starts, ends, runs, strict=True)
            )
        ] += u[tuple(source)] if times is None else u[tuple(source)] * times[tuple(source)]
    return out[tuple(crop)]


def matrices(x: Any, loop: int, rows: int) -> Any:
    """x[n…, i…, j…] as matrices (n…, i, j): its rows are copied along the axis that is finest in memory, if at all."""
    head, first, second = x.shape[:loop], x.shape[loop : loop + rows], x.shape[loop + rows :]
    i, j = int(np.prod(first)), int(np.prod(second))
    finest = [(abs(x.strides[k]), -x.shape[k]) for k in (loop + rows - 1, x.ndim - 1)]
    if first and finest[0] < finest[1]:
        order = (*range(loop), *range(loop + rows, x.ndim), *range(loop, loop + rows))
        return x.transpose(order).reshape(*head, j, i).mT
    return x.reshape(*head, i, j)


def products(a: Any, b: Any, loop: int, inner: int, total: bool = False) -> Any:
    """The sum over k… of a[n…, i…, k…] b[n…, k…, j…], for each n…, or over these, too, by matrix products.

    Of the `loop` axes n…, those of length 1 stand for every n. Blocks of b are copied where it is a view of windows.
    """
    rows, columns = a.shape[loop : a.ndim - inner], b.shape[loop + inner :]
    a = matrices(a, loop, len(rows))
    if not loop:
        return (a @ matrices(b, 0, inner)).reshape(*rows, *columns)
    head = np.broadcast_shapes(a.shape[:loop], b.shape[:loop])
    i, j = a.shape[-2], int(np.prod(columns))
    out = np.zeros((i, j), a.dtype) if total else np.empty((*head, i, j), a.dtype)
    # Blocks of windows with short runs are copied along n, and one product takes all n.
    along = loop == 1 and (total or len(a) == 1) and max(b.shape[inner], b.shape[-1]) < 8 <= len(b) // 2
    for block in row_blocks(head[0], int(np.prod(head[1:])) * a.shape[-1] * j):
        some = a if len(a) < head[0] else a[block]
        other = b if len(b) < head[0] else b[block]
        if along and not total:
            made = some[0] @ np.moveaxis(other, 0, -1).reshape(a.shape[-1], -1)
            out[block] = made.reshape(i, j, -1).transpose(2, 0, 1)
        elif along and len(some) == len(other):
            turned = other.transpose(*range(1 + inner, b.ndim), *range(1, 1 + inner), 0).reshape(j, -1)
            out += some.transpose(1, 2, 0).reshape(i, -1) @ turned.T
        elif total:
            out += (some @ matrices(other, loop, inner)).sum(axis=tuple(range(loop)))
        else:
            np.matmul(some, matrices(other, loop, inner), out=out[block])
    return out.reshape(*(() if total else head), *rows, *columns)


def spread(a: Any, b: Any, *axes: Any, order: Any, loop: int, inner: int) -> Any:
    """The sum into windows of products(a, b, loop, inner), its axes in this order, for blocks of the first axis.

    It is what `overlapped` makes of all products at once, which take as many times the memory as there are taps.
    """
    rows, columns = a.shape[loop : a.ndim - inner], b.shape[loop + inner :]
    a = matrices(a, loop, len(rows))
    head = np.broadcast_shapes(a.shape[:loop], b.shape[:loop])
    out: Any = None
    short = loop == 1 and len(a) == 1 and order[0] == 0 and columns[-1] < 16 <= len(b)
    for block in row_blocks(head[0], int(np.prod((*head[1:], *rows, *columns)))):
        some, other = a if len(a) < head[0] else a[block], matrices(b if len(b) < head[0] else b[block], loop, inner)
        if short:  # n is the longest run: what is added lies along it
            u = (some[0] @ other.transpose(1, 2, 0).reshape(other.shape[1], -1)).reshape(*rows, *columns, -1)
            u = u.transpose(*(k - 1 for k in order[1:]), -1)
            summed = np.moveaxis(overlapped(u, *axes[1:], None), -1, 0)
        else:
            u = some @ other
            summed = overlapped(u.reshape(*u.shape[:loop], *rows, *columns).transpose(order), *axes)
        out = np.empty((head[0], *summed.shape[1:]), summed.dtype) if out is None else out
        out[block] = summed
    return out


def folded(step: Any, x: Any, count: int) -> Any:
    """The maximum, minimum or sum of x over its first axes, which are the taps of windows, one tap after the other."""
    first, *rest = np.ndindex(*x.shape[:count])
    out = step(x[first], x[rest.pop(0)]) if rest else x[first].copy()
    for tap in rest:
        step(out, x[tap], out=out)
    return out


def firsts(x: Any, best: Any) -> Any:
    """How many taps stand before the first at which x is `best`: its number in the order of the first axes."""
    *taps, _ = np.ndindex(*x.shape[: x.ndim - best.ndim])
    out = np.zeros(best.shape, np.min_scalar_type(len(taps)))
    before, differs = np.ones(best.shape, bool), np.empty(best.shape, bool)
    for tap in taps:
        before &= np.not_equal(x[tap], best, out=differs)
        out += before.view(np.uint8)
    return out


def selected(u: Any, first: Any, *axes: Any) -> Any:
    """The sum into windows of u at one tap each, number `first`; None is an axis as it is.

    Of (n, start, (count, step), (taps, tap_step), order) an axis of n entries gets u at start + step*l + tap_step*tap.
    """
    rows = [axis for axis in axes if axis is not None]
    taps = [0] * len(rows)
    for _, _, _, (number, _), order in rows:
        taps[order] = number
    margins = [
        (max(0, -start), max(0, start + step * (count - 1) + jump * (number - 1) - (n - 1)))
        for n, start, (count, step), (number, jump), _ in rows
    ]
    pads = iter(margins)
    shape = [n if axis is None else axis[0] + sum(next(pads)) for n, axis in zip(u.shape, axes, strict=True)]
    # Windows that lie apart write each entry at one tap alone; tiles write every entry.
    apart = all(step > jump * (number - 1) for _, _, (_, step), (number, jump), _ in rows)
    tiled = all(t[0] == t[2][0] * t[2][1] and (t[1], *t[3]) == (0, t[2][1], 1) for t in rows)
    out = np.empty(shape, u.dtype) if tiled else np.zeros(shape, u.dtype)
    here = np.empty(first.shape, bool)
    for number, tap in enumerate(np.ndindex(*taps)):
        pads, target = iter(margins), []
        for axis in axes:
            if axis is None:
                target.append(slice(None))
                continue
            _, start, (count, step), (_, jump), order = axis
            begin = start + next(pads)[0] + jump * tap[order]
            target.append(slice(begin, begin + step * (count - 1) + 1, step))
        if apart:
            np.multiply(u, np.equal(first, number, out=here), out=out[tuple(target)])
        else:
            out[tuple(target)] += u * (first == number)
    pads = iter(margins)
    return out[
        tuple(
            slice(None) if axis is None else slice(before, before + axis[0])
            for axis in axes
            for before in [0 if axis is None else next(pads)[0]]
        )
    ]


def weighted(x: Any, w: Any, count: int) -> Any:
    """The sum of x*w over their first axes, which are the taps of windows, one tap after the other."""
    first, *rest = np.ndindex(*x.shape[:count])
    out = x[first] * w[first]
    for tap in rest:
        out += x[tap] * w[tap]
    return out


def correlated(spec: str, x: Any, u: Any, count: int) -> Any:
    """The contraction of u with x at each tap; the taps are the first axes of x and of the result."""
    taps = x.shape[:count]
    out = [np.einsum(spec, x[tap], u) for tap in np.ndindex(*taps)]
    return np.stack(out).reshape(*taps, *out[0].shape)
