"""What emitted modules bring along as text, and callables use as it stands: checks of arrays, and blocks of rows.

Each function is self-contained: it needs NumPy as `np`, and the functions of this file.
"""

from __future__ import annotations

from typing import Any

import numpy as np

BLOCK = 1 << 18  # entries of a block: what one pass over it leaves in the cache, the next one finds there


def row_blocks(rows: int, width: int) -> Any:
    """Indices that cover the rows, each of about BLOCK entries."""
    if rows * width <= BLOCK:
        return (...,)  # one block: all rows, and no arithmetic between passes
    step = max(1, BLOCK // max(1, width))
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


def pair_blocks(first: int, second: int, width: int) -> Any:
    """Pairs of indices that cover the first two axes, each of about BLOCK entries."""
    outer, inner = row_blocks(first, second * width), row_blocks(second, width)
    return [(slice(None) if rows is ... else rows, columns) for rows in outer for columns in inner]


def strips(rows: int, width: int, *outer: int) -> Any:
    """Indices that cover the rows in strips of 64, fewer where they are wide, and blocks of the axes before them."""
    step = min(rows, 64, max(16, BLOCK // width))
    indices: list[Any] = [(slice(start, min(start + step, rows)),) for start in range(0, rows, step)]
    inner = width * step
    for length in reversed(outer):
        step = max(1, BLOCK // inner)
        blocks = [slice(start, min(start + step, length)) for start in range(0, length, step)]
        indices, inner = [(block, *index) for block in blocks for index in indices], inner * length
    return indices


def limited(size: int, low: int, high: int) -> Any:
    """The places from `low` up to `high` that there are, at least one."""
    start = min(max(low, 0), size - 1)
    return slice(start, max(start + 1, min(high, size)))


def checked(where: str, declared: Any, arrays: Any) -> list[Any]:
    """The arrays, once each is as declared: (name, kind, lengths); equal names of lengths are equal lengths.

    A fourth part gives lengths that must be at least 2, or more.
    """
    lengths: dict[Any, int] = {}
    dtype, weak, found = None, False, []
    for (name, kind, shape, *least), given in zip(declared, arrays, strict=True):
        try:
            array = np.asarray(given)
        except ValueError as problem:
            raise ValueError(f"{where}: input {name}: expected an array: {problem}") from None
        if array.dtype.kind not in {"real": "f", "int": "iu", "bool": "b"}[kind]:
            raise TypeError(f"{where}: input {name}: expected {kind} values, given {array.dtype}")
        if kind == "real" and type(given) is float:
            weak = True  # a Python number takes the dtype of the others
        elif kind == "real" and array.dtype != (dtype or array.dtype):
            raise TypeError(f"{where}: input {name}: expected {dtype} as the inputs before it, given {array.dtype}")
        elif kind == "real":
            dtype = array.dtype
        names = range(array.ndim) if shape is None else shape
        wrong = len(names) != array.ndim
        for length, actual in () if wrong else zip(names, array.shape, strict=True):
            expected = length if type(length) is int and shape else lengths.setdefault(length, actual)
            wrong = wrong or actual < 1 or (expected != actual and length is not None)
        if wrong or (shape is None and array.ndim != len(lengths)):
            known = lengths.values() if shape is None else [f"{s}={lengths[s]}" if lengths.get(s) else s for s in shape]
            text = ", ".join(map(str, known))
            full = ", no length 0" if 0 in array.shape else ""
            raise ValueError(f"{where}: input {name}: expected shape ({text}){full}, given {array.shape}")
        for length, low in (least[0] if least else {}).items():
            if lengths[length] < low:
                raise ValueError(f"{where}: input {name}: expected {length} of at least {low}, given {lengths[length]}")
        found.append(array)
    return [a.astype(dtype) if a.dtype.kind == "f" else a for a in found] if weak and dtype else found


def upstream(where: str, g: Any, templates: Any) -> Any:
    """The upstream gradients, each of its output's shape and dtype; None is zero, or 1 for a single scalar."""
    found: list[Any] = []
    for array, (shape, dtype) in zip(g if len(templates) > 1 else [g], templates, strict=True):
        if array is None and not shape and len(templates) == 1:
            array = 1.0
        array = np.zeros(shape, dtype) if array is None else np.asarray(array)
        number = not shape and array.dtype.kind in "fiu"
        if array.shape != shape or not (number or array.dtype == dtype):
            text = f"expected {dtype} of shape {shape}, given {array.dtype} of shape {array.shape}"
            raise ValueError(f"{where}: upstream gradient: {text}")
        found.append(array if shape else dtype.type(array))
    return tuple(found) if len(templates) > 1 else found[0]


# Sizes and indices


def whole(where: str, name: str, value: Any, least: int) -> int:
    """A keyword that is a whole number of at least `least`."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        raise ValueError(f"{where}: {name}: expected a whole number of at least {least}, given {value!r}")
    return int(value)


def refused(where: str, statement: str, **sizes: int) -> ValueError:
    """The error for sizes of which an assumption does not hold."""
    told = ", ".join(f"{name}={value}" for name, value in sizes.items())
    return ValueError(f"{where}: expected {statement}, given {told}")


def length(where: str, axis: str, above: int, over: int = 1, given: int | None = None, **sizes: int) -> int:
    """The length above/over of an axis: whole, at least 1, and the `given` one of the input that has the axis."""
    told = ", ".join(f"{name}={value}" for name, value in sizes.items())
    if above % over:
        raise ValueError(f"{where}: {axis} has length {above}/{over}: {above} is not divisible by {over}, with {told}")
    if above // over < 1:
        raise ValueError(f"{where}: {axis} has length {above // over}, with {told}")
    if given not in (None, above // over):
        raise ValueError(f"{where}: axis {axis}: expected length {above // over}, given {given}, with {told}")
    return above // over


def quotient(where: str, what: str, above: int, over: int, least: int = 1) -> int:
    """above/over, where that is whole and at least `least`: a size that the shape of an input tells."""
    if over == 0 or above % over:
        raise ValueError(f"{where}: {what}: {above} is not divisible by {over}")
    if above // over < least:
        raise ValueError(f"{where}: {what}: it would be {above // over}, and is at least {least}")
    return above // over


def masked(condition: Any, x: Any) -> Any:
    """where(condition, x, 0): floats by their bits, times 1 or 0; a selection guesses each entry, often wrongly."""
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f" or x.dtype.itemsize > 8:
        return np.where(condition, x, 0)
    return np.multiply(x.view(f"i{x.dtype.itemsize}"), condition).view(x.dtype)


def bounded_exp(x: Any, out: Any = None) -> Any:
    """exp(x), beyond x = 80 as at 80, where 1 + exp(x) is exp(x): in q/(1 + q) = σ(x) it overflows nowhere."""
    far = 80 if x.dtype.itemsize > 2 else 10
    return np.exp(x if x.max() <= far else np.minimum(x, far, out=out), out=out)


def opposed(below: Any, x: Any, out: Any = None) -> Any:
    """1/(1 + exp(x)), given 1 + bounded_exp(x): where that was cut off, exp(−x)."""
    far = 80 if x.dtype.itemsize > 2 else 10
    if x.max() <= far:
        return np.divide(1, below, out=out)
    made = np.where(x > far, np.exp(-np.maximum(x, far)), 1 / below)
    return made[()] if out is None else np.positive(made, out=out)


def log_above(x: Any, out: Any = None) -> Any:
    """log(1 + x), 0 ≤ x ≤ 1: with u = 1 + x as it is rounded, log u + (x − (u − 1))/u, a third of log1p's time."""
    if x.dtype != np.float32:
        return np.log1p(x, out=out)
    u = x + np.float32(1)
    r = u - np.float32(1)
    return np.add(np.log(u), (x - r) / u, out=out)


def erfc(x: Any, inner: float = 1, outer: float = 1, out: Any = None) -> Any:
    """outer·(1 − erf(u)), u = inner·x: exp(−u²) q(1/(1 + c|u|)) with a polynomial q, and 2 − that of −u where u < 0.

    q(t) interpolates exp(u²) erfc(u) between Chebyshev points: to 4 units in the last place, and in the tail to what
    u² leaves. Products and sums of blocks take a third of the time of a function that is called entry by entry.
    """
    coefficients = (
        "0.5 -0.02821181866559934 0.226505408852568 -0.6401637613265514 0.7050609018683026 -0.17051781746821362 "
        "0.36453645408996344 0.2581465653060423 0.28476958275220643 -0.000125475921848099"
        if x.dtype == np.float32
        else "0.3 0.0003890391603159299 -0.0004703073824968744 -0.020034247573141924 0.13938557134330315 "
        "-0.4659170148971707 0.9657346800589939 -1.3691380013191314 1.4230499867460114 -1.1433105023199726 "
        "0.7062414347508501 -0.34415215395141996 0.15918393789664878 0.0005382449482344545 0.08093628429242293 "
        "0.09613110522922161 0.1249043207380644 0.14637067402516296 0.16164336679487776 0.16925670038297508 "
        "0.16925688117445362 -9.82024481272815e-11"
    )
    slope, highest, *others = map(float, coefficients.split())
    given = np.atleast_1d(x)
    result = np.empty_like(given) if out is None else out
    for rows in row_blocks(len(given), 2 * given[0].size):
        u = given[rows]
        t = np.abs(u)
        t *= slope * abs(inner)
        t += 1
        np.divide(1, t, out=t)
        q = t * (outer * highest)
        for a in others[:-1]:
            q += outer * a
            q *= t
        q += outer * others[-1]
        with np.errstate(over="ignore"):
            np.multiply(u, u, out=t)
        t *= -inner * inner
        q *= np.exp(t, out=t)
        (np.less if inner > 0 else np.greater)(u, 0, out=t)
        t *= 2 * outer
        np.subtract(q, t, out=q)
        np.abs(q, out=result[rows])
    return result if x.ndim else result[0]


def indices(where: str, name: str, array: Any, bound: int | None = None) -> Any:
    """Integers that index, as NumPy indexes: within 0 … bound−1, so that none wraps around."""
    if bound is not None and array.size and not (array.min() >= 0 and array.max() < bound):
        wrong = int(array.max() if array.max() >= bound else array.min())
        raise ValueError(f"{where}: input {name}: index {wrong} is out of range: expected 0 to {bound - 1}")
    return array.astype(np.intp, copy=False)
