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

from .exact import known

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Point:
    """Where an expression is evaluated: arrays by tensor name, lengths, scalars by name.

    `held` gives defined tensors a value in place of their body, `readings` another body. `derivatives` holds values
    for AdjointOf(X[…]) and TangentOf(X[…]), by that node over X's letters; an adjoint's letters `of` come first.
    `base`, where the point was moved from, says what stop_gradient holds: sg(x) is x there.
    Numbers that differ by no more than `ties`·(1 + size) compare as equal: rounding then decides no comparison.
    """

    arrays: Mapping[str, Array]
    sizes: Mapping[Basic, int] = field(default_factory=dict)
    scalars: Mapping[str, float] = field(default_factory=dict)
    held: Mapping[Tensor, Array] = field(default_factory=dict)
    readings: Mapping[Tensor, Basic] = field(default_factory=dict)
    derivatives: Mapping[Basic, Array] = field(default_factory=dict)
    of: tuple[Axis, ...] = ()
    ties: float = 0.0
    base: Point | None = None
    _values: dict[Tensor, Array] = field(default_factory=dict, repr=False)

    def with_(self, **changes: Mapping[Any, Any]) -> Point:
        """The same point with entries of its mappings exchanged (`arrays=…`, `held=…`); nothing is remembered."""
        exchanged: dict[str, Any] = {name: {**getattr(self, name), **change} for name, change in changes.items()}
        return replace(self, **exchanged, _values={})

    def moved(self, **changes: Mapping[Any, Any]) -> Point:
        """The same, moved from here: what stop_gradient holds stays as it was."""
        return replace(self.with_(**changes), base=self.base or self)

    def __str__(self) -> str:
        return ", ".join(f"{name}={number}" for name, number in sorted((str(s), n) for s, n in self.sizes.items()))


def length(size: Expr, sizes: Mapping[Basic, int]) -> int:
    """The number that a length stands for; ShapeError when a Size in it has no value or it is no integer."""
    if size in sizes:
        return sizes[size]
    found = known(size, sizes)
    if not isinstance(found, tuple):
        missing = isinstance(size, Size) or found != size
        why = f"no value is given for {found}" if missing else f"a division by 0{_at(size, sizes)}"
        raise ShapeError(f"length {size}: {why}")
    numerator, denominator = found
    if numerator % denominator:
        raise ShapeError(f"length {size}: {numerator} is not divisible by {denominator}{_at(size, sizes)}")
    return int(numerator // denominator)


def extent(letter: Axis, sizes: Mapping[Basic, int]) -> int:
    """How many values a letter takes: at least one, else ShapeError names the axis and the sizes."""
    try:
        found = length(letter.size, sizes)
    except ShapeError as problem:
        raise ShapeError(f"axis {letter.name}: {problem}") from None
    if found < 1:
        raise ShapeError(f"axis {letter.name} has length {found}: {letter.size}{_at(letter.size, sizes)}, "
                         f"expected at least 1")  # fmt: skip
    return found


def _at(size: Basic, sizes: Mapping[Basic, int]) -> str:
    """The values of the symbols in a length, in words."""
    values = ", ".join(f"{s}={sizes[s]}" for s in sorted(size.atoms(Size), key=str) if s in sizes)
    return f" with {values}" if values else ""


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

    `given` holds an array for each tensor, and a number for each scalar or Size that has no default and is no length
    of an input. Raises NameProblem for an unknown name, DeriveError for a missing one or a wrong dtype, ShapeError
    for a wrong rank or length, or a length that its sizes do not divide.
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
    lengths = _lengths(tensors, arrays, sizes, given, what)
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
    tensors: Iterable[Tensor], arrays: Mapping[str, Array], sizes: Iterable[Size], given: Mapping[str, Any], what: str
) -> dict[Basic, int]:
    """Size → number: as given, else from the axes whose length is a plain Size, else its default, else solved for.

    Then every axis is held against its length.
    """
    found: dict[Basic, int] = {s: _number(s, given, what) for s in sizes if given.get(s.name) is not None}
    source: dict[Basic, str] = {size: f"{size} = {number}" for size, number in found.items()}
    places = [(t, letter, n) for t in tensors for letter, n in zip(t.axes, arrays[t.name].shape, strict=True)]
    for tensor, letter, count in places:
        if isinstance(letter.size, Size) and letter.size not in found:
            if count < letter.size.min:
                raise ShapeError(f"{what}: input {tensor.name}: axis {letter.name}: expected a length of at least "
                                 f"{letter.size.min}, given {count}")  # fmt: skip
            found[letter.size], source[letter.size] = count, f"as in {tensor.name}"
    found = {**{s: _number(s, given, what) for s in sizes if s.default is not None}, **found}
    while not all(found.keys() >= letter.size.atoms(Size) for _, letter, _ in places):
        found.update(_one_more(places, found, what))
    for size in sizes:
        if size not in found:
            _number(size, given, what)  # none is given
    for tensor, letter, count in places:
        try:
            expected = extent(letter, found)
        except ShapeError as problem:
            raise ShapeError(f"{what}: input {tensor.name}: {problem}") from None
        if expected != count:
            origin = source.get(letter.size, f"= {letter.size}{_at(letter.size, found)}")
            raise ShapeError(f"{what}: input {tensor.name}: expected {tensor.declared()} with axis {letter.name} of "
                             f"length {expected} ({origin}), given shape {arrays[tensor.name].shape}")  # fmt: skip
    return found


def _one_more(places: Iterable[tuple[Tensor, Axis, int]], found: Mapping[Basic, int], what: str) -> dict[Basic, int]:
    """A Size that a derived length determines: K from an axis of length H·K when H is known."""
    open_: dict[Basic, str] = {}
    for tensor, letter, count in places:
        unknown = sorted(letter.size.atoms(Size) - found.keys(), key=str)
        open_ |= dict.fromkeys(unknown, f"{what}: input {tensor.name}: axis {letter.name}")
        value = _solved(letter.size, unknown[0], count, found) if len(unknown) == 1 else None
        if value is None:
            continue
        if not value.is_Integer or value < unknown[0].min:
            raise ShapeError(
                f"{open_[unknown[0]]}: length {letter.size} = {count} leaves {unknown[0]} = {value}"
                f"{_at(letter.size, found)}, expected a whole number of at least {unknown[0].min}"
            )
        return {unknown[0]: int(value)}
    symbol, where = next(iter(open_.items()))
    raise ShapeError(f"{where}: no value is given for {symbol}, and the lengths do not determine it")


def _solved(size: Expr, unknown: Size, count: int, found: Mapping[Basic, int]) -> Expr | None:
    """What `unknown` must be for `size` to be `count`; None unless that is a power or an affine function of it."""
    left = sympy.expand(size.xreplace({symbol: sympy.Integer(number) for symbol, number in found.items()}))
    coefficient, exponent = left.as_coeff_exponent(unknown)
    if coefficient.is_Rational and exponent.is_Integer and exponent != 0:
        return (count / coefficient) ** sympy.Rational(1, exponent)
    slope, rest = left.coeff(unknown, 1), left.coeff(unknown, 0)
    return (count - rest) / slope if slope.is_Rational and rest.is_Rational and slope != 0 else None


def _entries_below(tensor: Tensor, array: Array, sizes: Mapping[Basic, int], what: str) -> None:
    if tensor.bound is None or not array.size:
        return
    bound = length(tensor.bound, sizes) if sizes.keys() >= tensor.bound.atoms(Size) else np.inf
    if array.min() < 0 or array.max() >= bound:
        wrong = array.min() if array.min() < 0 else array.max()
        expected = f"in 0 … {bound - 1}" if bound < np.inf else "of at least 0"
        raise DeriveError(f"{what}: input {tensor.name}: expected entries {expected}, given {wrong}")
