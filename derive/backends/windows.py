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


def laid(x: Any, *amounts: Any, order: Any, steps: Any, fill: Any = 0) -> Any:
    """As `padded`; where one of the `steps` is not 1, its axes lie in memory in this order.

    Windows that step over entries of an axis have no run along it: they are copied in runs of what lies last.
    """
    if all(step == 1 for step in steps):
        return padded(x, *amounts, fill=fill)
    first = order[0] == 0 and amounts[0] is None
    out: Any = None
    for block in row_blocks(len(x), int(np.prod(x.shape[1:]))) if first else (...,):
        some = padded(x[block], *amounts, fill=fill).transpose(order)
        out = np.empty((len(x) if first else len(some), *some.shape[1:]), x.dtype) if out is None else out
        out[block] = some
    return out.transpose(np.argsort(order))


def windows(x: Any, *axes: Any, writeable: bool = False) -> Any:
    """A view: along each axis, (start, (n, step), …) reads x at start + step*l + … for l < n, …; None is the axis."""
    start, shape, strides = [], [], []
    for n, stride, axis in zip(x.shape, x.strides, axes, strict=True):
        first, *parts = (0, (n, 1)) if axis is None else axis
        start.append(slice(first, None) if first else slice(None))
        shape += [count for count, _ in parts]
        strides += [step * stride for _, step in parts]
    return np.lib.stride_tricks.as_strided(x[tuple(start)], shape, strides, writeable=writeable)


def scattered(u: Any, lengths: Any, *places: Any) -> Any:
    """out[places…] += u: sums by place along the first axes, of these lengths; places outside fall away."""
    rank = max(place.ndim for place in places)
    flat: Any = None
    inside: Any = True
    total = 1
    for place, n in zip(places, lengths, strict=True):
        flat, total = place if flat is None else flat * n + place, total * n
        if not 0 <= place.min() <= place.max() < n:
            inside = inside & (place >= 0) & (place < n)
    flat = np.broadcast_to(flat, u.shape[:rank]).reshape(-1)
    values, shape = u.reshape(len(flat), -1), (*lengths, *u.shape[rank:])
    if inside is not True:
        inside = np.broadcast_to(inside, u.shape[:rank]).reshape(-1)
        flat, values = flat[inside], values[inside]
    if values.size > 1 << 14:
        try:
            from scipy import sparse
        except ImportError:
            pass  # all the same, four times as slow
        else:  # a column of zeros and a one says where each row of u goes: their product takes rows in order
            ones = np.ones(len(flat), u.dtype), flat, np.arange(len(flat) + 1)
            return (sparse.csc_array(ones, shape=(total, len(flat))) @ values).reshape(shape)
    width = values.shape[1]
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
    reads: list[Any] = []
    for axis in axes:
        n, start, *parts = (u.shape[place], 0, (u.shape[place], 1)) if axis is None else axis
        ends = [step * (count - 1) for count, step in parts]
        before = max(0, -start - sum(min(0, end) for end in ends))
        shape.append(before + max(n, start + sum(max(0, end) for end in ends) + 1))
        crop.append(slice(before, before + n))
        reads.append((start + before, *parts))
        run = max(range(len(parts)), key=lambda k: parts[k][0] * (parts[k][1] > 0), default=-1)
        taps += [place + k for k in range(len(parts)) if k != run]
        place += len(parts)
    out = np.zeros(shape, u.dtype)
    order = (*taps, *(k for k in range(u.ndim) if k not in taps))
    seen, u = windows(out, *reads, writeable=True).transpose(order), u.transpose(order)
    times = times if times is None else times.transpose(order)
    for tap in np.ndindex(*u.shape[: len(taps)]):
        here = seen[(*tap, ...)]
        np.add(here, u[tap] if times is None else u[tap] * times[tap], out=here)
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

    It is what `overlapped` makes of all products at once, which take as many times the memory as there are taps. They
    are added along the longest run: along channels (rows that are no taps), along n, or along the last columns.
    """
    rank, numbers = a.ndim - inner, iter(order)
    own = [[next(numbers) for _ in ([0] if axis is None else axis[2:])] for axis in axes]
    channels = [ks[0] for ks, axis in zip(own, axes, strict=True) if axis is None and loop <= ks[0] < rank]
    count, over = (int(np.prod(n)) for n in ([a.shape[k] for k in channels], b.shape[loop : loop + inner]))
    if max(16, over / 2) <= count and (made := mirrored(a, b, axes, own, loop, inner)) is not None:
        return made
    lengths = [*np.broadcast_shapes(a.shape[:loop], b.shape[:loop]), *a.shape[loop:rank], *b.shape[loop + inner :]]
    rows = [*(k for k in range(loop, rank) if k not in channels), *channels]
    last, memory = [], [*range(loop), *rows, *range(rank, len(lengths))]
    if count >= max(16, lengths[-1]):
        last, memory = channels, [*range(loop), *range(rank, len(lengths)), *rows]
    elif loop == len(a) == 1 and own[0] == [0] and lengths[-1] < 16 <= len(b):
        last, memory = [0], [*memory[1:], 0]
    turn = sorted(range(len(axes)), key=lambda k: not {*last}.isdisjoint(own[k]))
    wanted = [memory.index(k) for place in turn for k in own[place]]
    a = matrices(a.transpose(*range(loop), *rows, *range(rank, a.ndim)), loop, len(rows))
    out: Any = None
    for block in row_blocks(lengths[0], int(np.prod(lengths[1:]))):
        some, other = (x if len(x) < lengths[0] else x[block] for x in (a, b))
        other = matrices(other, loop, inner)
        if last == [0]:
            u = some[0] @ other.transpose(1, 2, 0).reshape(other.shape[1], -1)
        else:
            u = other.mT @ some.mT if last else some @ other
        u = u.reshape([lengths[k] if k else -1 for k in memory]).transpose(wanted)
        summed = overlapped(u, *(axes[k] for k in turn)).transpose(np.argsort(turn))
        out = np.empty((lengths[0], *summed.shape[1:]), summed.dtype) if out is None else out
        out[block] = summed
    return out


def mirrored(a: Any, b: Any, axes: Any, own: Any, loop: int, inner: int) -> Any:
    """spread(…) where windows step by one: Σ_r a[r] b[y − p − d r] is a product with windows of b; None elsewhere."""
    rank, lead = a.ndim - inner, loop + inner
    amounts: list[Any] = [None] * b.ndim
    reads: list[Any] = [None] * b.ndim
    names = [[k] for k in (*range(loop), *range(-inner, 0), *range(rank, rank + b.ndim - lead))]
    for axis, ks in zip(axes, own, strict=True):
        if axis is None:
            continue
        n, start, *parts = axis
        taps, runs = ([(k, *p) for k, p in zip(ks, parts, strict=True) if (loop <= k < rank) == tap] for tap in (1, 0))
        if [(k >= rank, step) for k, _, step in runs] != [(True, 1)] or any(step < 1 for _, _, step in taps):
            return None
        ((run, height, _),) = runs
        place, reach = run - rank + lead, start + sum(step * (count - 1) for _, count, step in taps)
        amounts[place] = max(0, reach), max(0, n - start - height)
        reads[place] = max(0, -reach), (n, 1), *(part for _, *part in taps)
        names[place] += [k for k, *_ in taps]
    every = [k for ks in names for k in ks[1:]]
    channels, columns = [k for k in range(loop, rank) if k not in every], [ks[0] for ks in names[lead:]]
    seen, wanted = [k for ks in names for k in ks], [*range(loop), *range(-inner, 0), *every, *columns]
    a = np.flip(a, tuple(every)).transpose(*range(loop), *channels, *range(rank, a.ndim), *every)
    has, many = [*range(loop), *channels, *columns], max(len(a), len(b))
    out: Any = None
    for block in row_blocks(many, int(np.prod(b.shape[1:]))):  # no padded array of the whole batch is made
        some, other = (x if len(x) < many else x[block] for x in (a, b))
        other = windows(padded(other, *amounts), *reads).transpose([seen.index(k) for k in wanted])
        made = products(some, other, loop, inner + len(every))
        out = np.empty((many, *made.shape[1:]), made.dtype) if out is None else out
        out[block] = made
    return out.transpose([has.index(k) for ks in own for k in ks if k not in every])


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
    shape, crop, reads = [], [], []
    taps: dict[int, int] = {}
    apart = tiled = True
    for n, axis in zip(u.shape, axes, strict=True):
        length, start, (count, step), (number, jump), order = axis or (n, 0, (n, 1), (1, 1), 0)
        before = max(0, -start)
        shape.append(before + max(length, start + step * (count - 1) + jump * (number - 1) + 1))
        crop.append(slice(before, before + length))
        reads.append(axis and (start + before, (number, jump), (count, step)))
        if axis:
            taps[order] = len(shape) + len(taps) - 1
        # Windows that lie apart write each entry at one tap alone; tiles write every entry.
        apart = apart and step > jump * (number - 1)
        tiled = tiled and length == count * step and (start, number, jump) == (0, step, 1)
    out = np.empty(shape, u.dtype) if tiled else np.zeros(shape, u.dtype)
    seen = windows(out, *reads, writeable=True)
    where = [taps[order] for order in sorted(taps)]
    seen = seen.transpose(*where, *(k for k in range(seen.ndim) if k not in where))
    chosen, part = np.empty(first.shape, bool), None if apart else np.empty(u.shape, u.dtype)
    for number, tap in enumerate(np.ndindex(*seen.shape[: len(where)])):
        np.equal(first, number, out=chosen)
        if apart:
            np.multiply(u, chosen, out=seen[(*tap, ...)])
        else:
            seen[(*tap, ...)] += np.multiply(u, chosen, out=part)
    return out[tuple(crop)]


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
