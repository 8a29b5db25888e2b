"""What emitted modules bring along as text, for the array API standard (2024.12): checks, windows, sums by place.

Every function is pure, and needs of this file only other functions; `xp` is the library of its arrays. What the
standard lacks is written in what it has: windows are taken by vectors of places, and sums by place are products with
matrices of zeros and ones.
"""

from __future__ import annotations

import math
from typing import Any

try:
    import array_api_compat
except ImportError:  # then arrays must name their library themselves
    array_api_compat = None


def namespace(*arrays: Any) -> Any:
    """The library of the arrays, numbers aside: by array_api_compat, where that is installed."""
    found = [array for array in arrays if hasattr(array, "dtype")]
    if not found:
        raise TypeError("expected an array of a library of the Python array API standard, given none")
    if array_api_compat is not None:
        return array_api_compat.array_namespace(*found)
    if not hasattr(found[0], "__array_namespace__"):
        raise TypeError(f"{type(found[0]).__name__} names no library: install the package array-api-compat")
    return found[0].__array_namespace__()


def device_of(x: Any) -> Any:
    """Where an array lies; None where that is not known, as in jax.jit."""
    return getattr(x, "device", None) if array_api_compat is None else array_api_compat.device(x)


def checked(where: str, declared: Any, arrays: Any) -> list[Any]:
    """The arrays, once each is as declared: (name, kind, lengths); equal names of lengths are equal lengths.

    A fourth part gives lengths that must be at least 2, or more. Python numbers take the dtype of the arrays.
    """
    for (name, kind, *_), array in zip(declared, arrays, strict=True):
        if not hasattr(array, "dtype") and (kind != "real" or type(array) not in (int, float)):
            raise TypeError(f"{where}: input {name}: expected an array, given {type(array).__name__}")
    first = next((array for array in arrays if hasattr(array, "dtype")), None)
    if first is None:
        raise TypeError(f"{where}: expected an array among the inputs, given numbers alone")
    try:
        xp = namespace(*arrays)
    except TypeError as problem:
        raise TypeError(f"{where}: {problem}") from None
    found: list[Any] = []
    lengths: dict[Any, Any] = {}
    kinds = {"real": "real floating", "int": "integral", "bool": "bool"}
    floats = [a.dtype for a in arrays if hasattr(a, "dtype") and xp.isdtype(a.dtype, "real floating")]
    for (name, kind, shape, *least), array in zip(declared, arrays, strict=True):
        if not hasattr(array, "dtype"):
            array = xp.asarray(float(array), dtype=floats[0] if floats else None, device=device_of(first))
        if not xp.isdtype(array.dtype, kinds[kind]):
            raise TypeError(f"{where}: input {name}: expected {kind} values, given {array.dtype}")
        if kind == "real" and floats and array.dtype != floats[0]:
            raise TypeError(f"{where}: input {name}: expected {floats[0]} as the inputs before it, given {array.dtype}")
        given = tuple(array.shape)
        names = range(len(given)) if shape is None else shape
        wrong = len(names) != len(given)
        for length, actual in () if wrong else zip(names, given, strict=True):
            expected = length if type(length) is int and shape else lengths.setdefault(length, actual)
            known = actual is not None and actual >= 1  # an unknown length is None, or not a number
            wrong = wrong or not known or (expected != actual and length is not None)
        if wrong or (shape is None and len(given) != len(lengths)):
            told = lengths.values() if shape is None else [f"{s}={lengths[s]}" if s in lengths else s for s in shape]
            raise ValueError(f"{where}: input {name}: expected shape ({', '.join(map(str, told))}), given {given}")
        for length, low in (least[0] if least else {}).items():
            if lengths[length] < low:
                raise ValueError(f"{where}: input {name}: expected {length} of at least {low}, given {lengths[length]}")
        found.append(array)
    return found


def upstream(where: str, g: Any, outputs: Any) -> Any:
    """The upstream gradients, each of its output's shape and dtype; None is zero, or 1 for a single scalar."""
    xp, found = namespace(*outputs), []
    for array, y in zip(g if len(outputs) > 1 else [g], outputs, strict=True):
        if array is None:
            array = xp.ones_like(y) if len(outputs) == 1 and not y.shape else xp.zeros_like(y)
        elif type(array) in (int, float) and not y.shape:
            array = xp.asarray(array, dtype=y.dtype, device=device_of(y))
        given = (getattr(array, "dtype", type(array).__name__), tuple(getattr(array, "shape", ())))
        if given != (y.dtype, tuple(y.shape)):
            text = f"expected {y.dtype} of shape {tuple(y.shape)}, given {given[0]} of shape {given[1]}"
            raise ValueError(f"{where}: upstream gradient: {text}")
        found.append(array)
    return tuple(found) if len(outputs) > 1 else found[0]


def number(value: Any) -> Any:
    """The Python number of an array without axes; None where the library has not computed it, as in jax.jit."""
    if hasattr(value, "__dask_graph__"):
        return None  # to ask for it would compute it
    try:
        return int(value)
    except Exception:  # each library says in its own way that there is no number yet
        return None


def indices(where: str, name: str, array: Any, bound: int | None = None) -> Any:
    """Integers that index, within 0 … bound−1: checked where their values are known, which lazy arrays' are not."""
    xp = namespace(array)
    array = xp.astype(array, xp.arange(1).dtype)
    if bound is not None:
        low, high = number(xp.min(array)), number(xp.max(array))
        if low is not None and high is not None and not 0 <= low <= high < bound:
            wrong = high if high >= bound else low
            raise ValueError(f"{where}: input {name}: index {wrong} is out of range: expected 0 to {bound - 1}")
    return array


# Windows and gathers


def padded(xp: Any, x: Any, *amounts: Any, fill: Any = 0) -> Any:
    """x between (before, after) entries of `fill` along each axis; None where there are none."""
    for axis, amount in enumerate(amounts):
        before, after = amount or (0, 0)
        shapes = [(*x.shape[:axis], n, *x.shape[axis + 1 :]) for n in (before, after)]
        low, high = (xp.full(shape, fill, dtype=x.dtype, device=device_of(x)) for shape in shapes)
        x = xp.concat([*([low] if before else []), x, *([high] if after else [])], axis=axis)
    return x


def places(xp: Any, x: Any, start: int, parts: Any) -> Any:
    """start + step*l + … for l < n, … of each (n, step), as one vector; it lies where x lies."""
    found = xp.full((1,), start, device=device_of(x))
    for count, step in parts:
        found = xp.reshape(found[:, None] + step * xp.arange(count, device=device_of(x))[None, :], (-1,))
    return found


def windows(xp: Any, x: Any, *axes: Any) -> Any:
    """Along each axis, (start, (n, step), …) reads x at start + step*l + … for l < n, …; None is the axis."""
    shape: list[int] = []
    for k, axis in enumerate(axes):
        if axis is None:
            shape.append(x.shape[k])
        else:
            start, *parts = axis
            x = xp.take(x, places(xp, x, start, parts), axis=k)
            shape += [count for count, _ in parts]
    return xp.reshape(x, tuple(shape))


def gathered(xp: Any, x: Any, *found: Any) -> Any:
    """x[found…]: integers that are broadcast, one for each axis, None for an axis as it is."""
    axes = [k for k, place in enumerate(found) if place is not None]
    rest = [k for k in range(len(found)) if k not in axes]
    start = axes[0] if axes == list(range(axes[0], axes[-1] + 1)) else 0
    flat: Any = 0
    for k in axes:
        flat = flat * x.shape[k] + found[k]
    x = xp.permute_dims(x, (*rest[:start], *axes, *rest[start:]))
    outer, inner = x.shape[:start], x.shape[start + len(axes) :]
    taken = xp.take(xp.reshape(x, (*outer, -1, *inner)), xp.reshape(flat, (-1,)), axis=start)
    return xp.reshape(taken, (*outer, *flat.shape, *inner))


# Sums by place


def scattered(xp: Any, u: Any, lengths: Any, *found: Any) -> Any:
    """out[found…] += u: sums by place along the first axes, of these lengths; places outside fall away."""
    count, total = max(place.ndim for place in found), math.prod(lengths)
    flat: Any = 0
    inside: Any = True
    for place, n in zip(found, lengths, strict=True):
        inside = (place >= 0) & (place < n) & inside
        flat = flat * n + place
    flat = xp.reshape(xp.broadcast_to(xp.where(inside, flat, -1), u.shape[:count]), (1, -1))
    chosen = xp.astype(xp.arange(total, device=device_of(u))[:, None] == flat, u.dtype)
    made = chosen @ xp.reshape(u, (flat.shape[1], -1))
    return xp.reshape(made, (*lengths, *u.shape[count:]))


def overlapped(xp: Any, u: Any, *axes: Any, times: Any = None) -> Any:
    """The sum into windows: along each axis, (n, start, (count, step), …) adds u at start + step*l + …, None as it is.

    `times` multiplies u.
    """
    u = u if times is None else u * times
    for k, axis in enumerate(axes):
        if axis is not None:
            n, start, *parts = axis
            u = xp.reshape(u, (*u.shape[:k], math.prod(count for count, _ in parts), *u.shape[k + len(parts) :]))
            chosen = places(xp, u, start, parts)[:, None] == xp.arange(n, device=device_of(u))[None, :]
            u = xp.moveaxis(xp.tensordot(u, xp.astype(chosen, u.dtype), axes=((k,), (0,))), -1, k)
    return u


def firsts(xp: Any, x: Any, best: Any) -> Any:
    """The first of the taps, which are the first axes of x, at which x is `best`: its number in their order."""
    return xp.argmax(xp.reshape(xp.astype(x == best, xp.int8), (-1, *best.shape)), axis=0)


def selected(xp: Any, u: Any, first: Any, *axes: Any) -> Any:
    """The sum into windows of u at one tap each, number `first`; None is an axis as it is.

    Of (n, start, (count, step), (taps, tap_step), order) an axis of n entries gets u at start + step*l + tap_step*tap.
    """
    rows = [axis for axis in axes if axis is not None]
    opened = [part for axis in axes for part in ([slice(None)] if axis is None else [slice(None), None])]
    added = iter([k for k, part in enumerate(opened) if part is None])
    tap: Any = 0
    for _, _, _, (count, _), order in rows:
        above = math.prod(other[3][0] for other in rows if other[4] > order)
        own, numbers = next(added), above * xp.arange(count, device=device_of(u))
        tap = tap + numbers[tuple(slice(None) if k == own else None for k in range(len(opened)))]
    u = xp.where(first[tuple(opened)] == tap, u[tuple(opened)], 0)
    return overlapped(xp, u, *(axis if axis is None else axis[:4] for axis in axes))


# Contractions


def products(xp: Any, a: Any, b: Any, loop: int, inner: int, total: bool = False) -> Any:
    """The sum over k… of a[n…, i…, k…] b[n…, k…, j…], for each n…, or over these, too, by matrix products."""
    head, rows, columns = a.shape[:loop], a.shape[loop : a.ndim - inner], b.shape[loop + inner :]
    summed = math.prod(b.shape[loop : loop + inner])
    a = xp.reshape(a, (*head, math.prod(rows), summed))
    made = a @ xp.reshape(b, (*b.shape[:loop], summed, math.prod(columns)))
    made = xp.sum(made, axis=tuple(range(loop))) if total else made
    return xp.reshape(made, (*made.shape[:-2], *rows, *columns))


def contracted(xp: Any, spec: str, *arrays: Any) -> Any:
    """The sum of products that `spec` states as for einsum: letters on the left alone are summed."""
    words, result = spec.split("->")
    letters = result + "".join(sorted(set(words) - set(result) - {","}))
    made: Any = None
    for word, x in zip(words.split(","), arrays, strict=True):
        for letter in sorted(set(word)):
            while word.count(letter) > 1:  # the diagonal of the last two axes, where those are turned to be
                i, j = word.index(letter), word.rindex(letter)
                rest = [k for k in range(len(word)) if k not in (i, j)]
                x, n = xp.permute_dims(x, (*rest, i, j)), x.shape[i]
                x = xp.reshape(x, (*x.shape[:-2], n * n))[..., :: n + 1]
                word = "".join(word[k] for k in rest) + letter
        x = xp.permute_dims(x, tuple(word.index(letter) for letter in letters if letter in word))
        x = x[tuple(slice(None) if letter in word else None for letter in letters)]
        made = x if made is None else made * x
    axes = tuple(range(len(result), len(letters)))
    return xp.sum(made, axis=axes) if axes else made


# The error function, by three ratios: W. J. Cody, Rational Chebyshev approximations for the error function,
# Mathematics of Computation 23 (1969), 631-637


def ratio(t: Any, above: Any, below: Any) -> Any:
    """Σ above[k] t^k / Σ below[k] t^k, the highest power first."""
    up, down = above[0] * t + above[1], below[0] * t + below[1]
    for a, b in zip(above[2:], below[2:], strict=True):
        up, down = up * t + a, down * t + b
    return up / down


def erf_near(xp: Any, x: Any) -> Any:
    """erf(x) for |x| ≤ 15/32."""
    above = (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2,
             3.20937758913846947e3)  # fmt: skip
    below = (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3)
    x = xp.clip(x, -0.46875, 0.46875)
    return x * ratio(x * x, above, below)


def erfc_far(xp: Any, x: Any) -> Any:
    """1 − erf(x) for x ≥ 15/32: a ratio in x up to 4, beyond that one in 1/x²."""
    above = (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
             2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
             1.23033935479799725e3)  # fmt: skip
    below = (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
             3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3)  # fmt: skip
    up = (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
          1.60837851487422766e-2, 6.58749161529837803e-4)  # fmt: skip
    down = (1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2,
            2.33520497626869185e-3)  # fmt: skip
    y, z = xp.clip(x, 0.46875, 4.0), xp.clip(x, 4.0, 30.0)
    t = 1 / (z * z)
    tail = (1 / math.sqrt(math.pi) - t * ratio(t, up, down)) / z
    x = xp.clip(x, 0.46875, 30.0)
    whole = xp.trunc(16 * x) / 16  # whose square is exact
    decay = xp.exp(-whole * whole) * xp.exp(-(x - whole) * (x + whole))
    return decay * xp.where(x <= 4.0, ratio(y, above, below), tail)


def erf(xp: Any, x: Any) -> Any:
    """The error function 2/√π ∫₀ˣ exp(−t²) dt."""
    far = xp.sign(x) * (1 - erfc_far(xp, xp.abs(x)))
    return xp.where(xp.abs(x) <= 0.46875, erf_near(xp, x), far)


def erfc(xp: Any, x: Any) -> Any:
    """1 − erf(x); its tail keeps its digits."""
    far = erfc_far(xp, xp.abs(x))
    return xp.where(xp.abs(x) <= 0.46875, 1 - erf_near(xp, x), xp.where(x < 0, 2 - far, far))
