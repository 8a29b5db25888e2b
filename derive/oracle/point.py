"""Where an expression is evaluated: arrays, lengths and scalars, checked against what was declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr
from sympy.core.basic import Basic

from derive.axes import Axis, DeriveError, NameProblem, Scalar, ShapeError, Size, Tensor, did_you_mean

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Point:
    """Where an expression is evaluated: arrays by tensor name, lengths, scalars by name.

    `held` gives defined tensors a value in place of their body, `readings` another body. `derivatives` holds values
    for AdjointOf(X[…]) and TangentOf(X[…]), by that node over X's letters; an adjoint's letters `of` come first.
    """

    arrays: Mapping[str, Array]
    sizes: Mapping[Basic, int] = field(default_factory=dict)
    scalars: Mapping[str, float] = field(default_factory=dict)
    held: Mapping[Tensor, Array] = field(default_factory=dict)
    readings: Mapping[Tensor, Basic] = field(default_factory=dict)
    derivatives: Mapping[Basic, Array] = field(default_factory=dict)
    of: tuple[Axis, ...] = ()
    _values: dict[Tensor, Array] = field(default_factory=dict, repr=False)

    def with_(self, **changes: Mapping[Any, Any]) -> Point:
        """The same point with entries of its mappings exchanged (`arrays=…`, `held=…`); nothing is remembered."""
        exchanged: dict[str, Any] = {name: {**getattr(self, name), **change} for name, change in changes.items()}
        return replace(self, **exchanged, _values={})

    def __str__(self) -> str:
        return ", ".join(f"{name}={number}" for name, number in sorted((str(s), n) for s, n in self.sizes.items()))


def length(size: Expr, sizes: Mapping[Basic, int]) -> int:
    """The number that a length stands for; ShapeError when a Size in it has no value or it is no integer."""
    if size in sizes:
        return sizes[size]
    value = size.xreplace({symbol: sympy.Integer(number) for symbol, number in sizes.items()})
    if not value.is_Integer:
        missing = ", ".join(sorted(str(symbol) for symbol in value.free_symbols))
        raise ShapeError(
            f"length {size}: " + (f"no value is given for {missing}" if missing else f"{value} is no integer")
        )
    return int(value)


KINDS = {"real": ("f", "floats"), "int": ("iu", "integers"), "bool": ("b", "booleans")}


def point_from_arrays(
    tensors: Iterable[Tensor],
    given: Mapping[str, Any],
    *,
    scalars: Iterable[Scalar] = (),
    sizes: Iterable[Size] = (),
    what: str = "evaluation",
) -> Point:
    """The point that named arrays and numbers make; lengths are read off the shapes.

    `given` holds an array for each tensor, and a number for each scalar or Size that has no default. Raises NameProblem
    for an unknown name, DeriveError for a missing one or a wrong dtype, ShapeError for a wrong rank or length.
    """
    tensors, scalars, sizes = tuple(tensors), tuple(scalars), tuple(sizes)
    known = [*(t.name for t in tensors), *(s.name for s in scalars), *(s.name for s in sizes)]
    for name in given:
        if name not in known:
            raise NameProblem(
                f"{what}: unknown input {name!r}{did_you_mean(name, known)} (expected {', '.join(known)})"
            )
    for tensor in tensors:
        if given.get(tensor.name) is None:
            raise DeriveError(f"{what}: input {tensor.name}: expected an array {tensor.declared()}, given none")
    arrays = {tensor.name: _array(tensor, given[tensor.name], what) for tensor in tensors}
    _one_float_type(arrays, what)
    lengths = _lengths(tensors, arrays, {size: _number(size, given, what) for size in sizes}, what)
    for tensor in tensors:
        _entries_below(tensor, arrays[tensor.name], lengths, what)
    values = {scalar.name: float(_number(scalar, given, what)) for scalar in scalars}
    wide = {name: a.astype(np.result_type(a.dtype, float)) if a.dtype.kind == "f" else a for name, a in arrays.items()}
    return Point(wide, lengths, values)


def _array(tensor: Tensor, value: Any, what: str) -> Array:
    """`value` as an array of the declared kind and rank; Python numbers may stand for floats."""
    try:
        array = np.asarray(value)
    except ValueError as problem:
        raise ShapeError(f"{what}: input {tensor.name}: expected an array {tensor.declared()}: {problem}") from None
    kinds, words = KINDS[tensor.dtype]
    if tensor.dtype == "real" and array.dtype.kind in "iu" and not isinstance(value, (np.ndarray, np.generic)):
        array = array.astype(float)
    if array.dtype.kind not in kinds:
        raise DeriveError(f"{what}: input {tensor.name}: expected {words}, given an array of {array.dtype}")
    if array.ndim != tensor.ndim:
        raise ShapeError(
            f"{what}: input {tensor.name}: expected {tensor.declared()}, {tensor.ndim} axes, given shape {array.shape}"
        )
    return array


def _one_float_type(arrays: Mapping[str, Array], what: str) -> None:
    found = {array.dtype: name for name, array in arrays.items() if array.dtype.kind == "f"}
    if len(found) > 1:
        mixed = ", ".join(f"{name} of {dtype}" for dtype, name in found.items())
        raise DeriveError(f"{what}: expected one float type for all inputs, given {mixed}")


def _number(symbol: Size | Scalar, given: Mapping[str, Any], what: str) -> Any:
    value = given.get(symbol.name, symbol.default)
    if value is None:
        raise DeriveError(f"{what}: {symbol.name}: expected a number, given none")
    if not isinstance(value, (int, float, np.integer, np.floating)) or isinstance(value, bool):
        raise DeriveError(f"{what}: {symbol.name}: expected a number, given {value!r}")
    if isinstance(symbol, Size) and (int(value) != value or value < symbol.min):
        raise ShapeError(f"{what}: {symbol.name}: expected an integer of at least {symbol.min}, given {value}")
    return int(value) if isinstance(symbol, Size) else value


def _lengths(
    tensors: Iterable[Tensor], arrays: Mapping[str, Array], known: Mapping[Size, int], what: str
) -> dict[Basic, int]:
    """Size → number, from the axes whose length is a plain Size; then every axis is held against its length."""
    found: dict[Basic, int] = dict(known)
    source = {size: f"{size} = {number}" for size, number in known.items()}
    places = [(t, letter, n) for t in tensors for letter, n in zip(t.axes, arrays[t.name].shape, strict=True)]
    for tensor, letter, given in places:
        if isinstance(letter.size, Size) and letter.size not in found:
            if given < letter.size.min:
                raise ShapeError(f"{what}: input {tensor.name}: axis {letter.name}: expected a length of at least "
                                 f"{letter.size.min}, given {given}")  # fmt: skip
            found[letter.size], source[letter.size] = given, f"as in {tensor.name}"
    for tensor, letter, given in places:
        expected = length(letter.size, found)
        if expected != given:
            origin = source.get(letter.size, f"= {letter.size}")
            raise ShapeError(f"{what}: input {tensor.name}: expected {tensor.declared()} with axis {letter.name} of "
                             f"length {expected} ({origin}), given shape {arrays[tensor.name].shape}")  # fmt: skip
    return found


def _entries_below(tensor: Tensor, array: Array, sizes: Mapping[Basic, int], what: str) -> None:
    if tensor.bound is None or not array.size:
        return
    bound = length(tensor.bound, sizes)
    if array.min() < 0 or array.max() >= bound:
        wrong = array.min() if array.min() < 0 else array.max()
        raise DeriveError(f"{what}: input {tensor.name}: expected entries in 0 … {bound - 1}, given {wrong}")
