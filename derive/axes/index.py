"""Indices that know their length: axes, sizes and scalar parameters.

An axis is a letter together with a length; both make its identity, so two axes of one letter but different
lengths never meet by accident.
"""

from __future__ import annotations

from typing import Any

from sympy import Expr, Integer, Symbol, evaluate, sympify
from sympy.core.cache import clear_cache

from .errors import ShapeError, checked_identifier


class Size(Symbol):
    """A positive integer symbol: a length or a window parameter (`min=0` admits zero)."""

    __slots__ = ("default", "min")
    name: str
    min: int
    default: int | None

    def __new__(cls, name: str, *, min: int = 1, default: int | None = None) -> Size:
        sign = {"positive": True} if min > 0 else {"nonnegative": True} if min == 0 else {}
        size: Size = Symbol.__xnew__(cls, checked_identifier(name, "size"), integer=True, **sign)
        size.min, size.default = min, default
        if default is not None and _DEFAULTS.setdefault((name, min), default) != default:
            _DEFAULTS[name, min] = default  # the default is no part of what SymPy compares, and lengths at hand have
            clear_cache()  # the old one
            _AXES.clear()
        return size

    def with_default(self, default: Any) -> Size:
        """The same size with a default of its own."""
        size = Size(self.name, min=self.min)
        size.default = default
        return size

    def __getnewargs_ex__(self) -> Any:
        return (self.name,), {"min": self.min, "default": self.default}

    def _hashable_content(self) -> tuple[Any, ...]:
        return (self.name, self.min)


class Scalar(Symbol):
    """A real parameter without an axis, such as eps: symbolic in derivations, a keyword in code."""

    __slots__ = ("default",)
    name: str
    default: float | None

    def __new__(cls, name: str, default: float | None = None) -> Scalar:
        scalar: Scalar = Symbol.__xnew__(cls, checked_identifier(name, "scalar"), real=True)
        scalar.default = default
        return scalar

    def __getnewargs_ex__(self) -> Any:
        return (self.name, self.default), {}

    def _hashable_content(self) -> tuple[Any, ...]:
        return (self.name,)


class Axis(Symbol):
    """An index letter with its length `size`; 0 ≤ letter < size."""

    __slots__ = ("size",)
    name: str
    size: Expr

    def __new__(cls, name: str, size: Expr) -> Axis:
        known = _AXES.get((name, size))
        if known is not None:  # one object each: what SymPy has found out about it is kept
            return known
        axis: Axis = Symbol.__xnew__(cls, checked_identifier(name, "axis"), integer=True, nonnegative=True)
        axis.size = size
        return _AXES.setdefault((name, size), axis)

    def __getnewargs_ex__(self) -> Any:
        return (self.name, self.size), {}

    def _hashable_content(self) -> tuple[Any, ...]:
        return (self.name, self.size)

    def alias(self, name: str) -> Axis:
        """Another letter of the same length, allowed wherever this axis is."""
        return Axis(name, self.size)


_AXES: dict[tuple[str, Expr], Axis] = {}
_DEFAULTS: dict[tuple[str, int], Any] = {}  # of sizes that were declared with one


def size_name(letter: str) -> str:
    """The capital of an axis letter; a letter that is its own capital gets N_letter, so that the two differ."""
    return letter.upper() if letter.upper() != letter else f"N_{letter}"


def axis(name: str, size: Expr | int | None = None, *, min: int = 1) -> Axis:
    """One axis, of length `size` or of a symbolic length named by the letter's capital."""
    checked_identifier(name, "axis")
    if size is None:
        return Axis(name, Size(size_name(name), min=min))
    try:
        length = sympify(size, strict=True)  # never text: sympify would evaluate it
    except (TypeError, ValueError) as problem:
        raise ShapeError(f"axis {name!r}: expected a length, given {size!r}") from problem
    if not isinstance(length, Expr) or length.is_integer is False or (length.is_Integer and length < min):
        raise ShapeError(f"axis {name!r}: expected a length of at least {min}, given {size}")
    with evaluate(True):
        return Axis(name, Integer(length) if length.is_Integer else length.doit())


def axes(names: str, *, min: int = 1) -> tuple[Axis, ...]:
    """`b, i, o = axes("b i o")`: axes with lengths B, I, O; `min=2` where a length of 1 degenerates."""
    letters = names.replace(",", " ").split() if isinstance(names, str) else list(names)
    if not letters:
        raise ShapeError("axes: expected at least one letter, as in axes('b i o')")
    if len(set(letters)) < len(letters):
        raise ShapeError(f"axes({names!r}): a letter is repeated; use .alias for a second letter of one length")
    return tuple(axis(letter, min=min) for letter in letters)


def fresh_letter(letter: Axis, taken: set[str]) -> Axis:
    """An alias of `letter` whose name is not in `taken`: primes are for printing, digits for names."""
    number = 1
    while f"{letter.name}_{number}" in taken:
        number += 1
    return letter.alias(f"{letter.name}_{number}")
