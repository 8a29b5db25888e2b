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


def checked(where: str, declared: Any, arrays: Any) -> list[Any]:
    """The arrays, once each is as declared: (name, kind, lengths); equal names of lengths are equal lengths."""
    lengths: dict[Any, int] = {}
    dtype, weak, found = None, False, []
    for (name, kind, shape), given in zip(declared, arrays, strict=True):
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
            known = lengths.values() if shape is None else [f"{s}={lengths[s]}" if s in lengths else s for s in shape]
            text = ", ".join(map(str, known))
            raise ValueError(f"{where}: input {name}: expected shape ({text}), given {array.shape}")
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
