"""What is known of integers: bounds of affine expressions in letters, lengths and integer entries, proved symbolically.

Each bound is a polynomial in sizes. Letters take their ends by the sign of their coefficient; a floor obeys
m⌊a/m⌋ ≤ a and m⌊a/m⌋ ≥ a − m + 1; sizes are shifted to their least values, and then signs of coefficients decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from sympy import (
    Add,
    Dummy,
    Expr,
    Integer,
    Max,
    Min,
    Mod,
    Mul,
    Pow,
    ceiling,
    evaluate,
    expand,
    floor,
    fraction,
    together,
)
from sympy.core.basic import Basic

from .index import Axis, Size


def nonnegative(expression: Expr) -> bool:
    """Whether an integer expression is provably ≥ 0, whatever the sizes; False where no proof was found."""
    with evaluate(True):  # formulas are traced unevaluated
        return _nonnegative(expression)


def proved(left: Basic, right: Basic) -> bool | None:
    """Whether left > right holds, for integers: True or False where that is certain, else None."""
    if not (whole(left) and whole(right)):
        return None
    difference = settled(left - right)
    if nonnegative(difference - 1):
        return True
    return False if nonnegative(-difference) else None


def in_range(index: Expr, size: Expr) -> bool:
    """Whether 0 ≤ index < size, provably."""
    if isinstance(index, Axis) and index.size == size:
        return True
    with evaluate(True):
        return _nonnegative(index) and _nonnegative(size - 1 - index)


@lru_cache(maxsize=20000)
def _nonnegative(expression: Expr) -> bool:
    expression = expand(expression)
    if expression.is_Number:
        return bool(expression >= 0)
    inner = next((a for a in _bounded(expression)), None)
    if inner is None:
        return _sizes_nonnegative(expression)
    coefficient = expression.coeff(inner, 1)
    rest = expand(expression - coefficient * inner)
    if rest.has(inner) or coefficient.has(inner):
        return False
    if isinstance(inner, floor) and coefficient in (1, -1):  # integers: n ≥ ⌊a/m⌋ exactly if m(n + 1) > a
        numerator, denominator = quotient(inner.args[0])
        if coefficient == 1:
            return _nonnegative(numerator + denominator * rest)
        return _nonnegative(denominator * (rest + 1) - numerator - 1)
    if _nonnegative(coefficient):
        return any(_nonnegative(rest + part) for part in _below(inner, coefficient))
    if _nonnegative(-coefficient):
        return any(_nonnegative(rest + part) for part in _above(inner, coefficient))
    return False


def _bounded(expression: Expr) -> Iterator[Expr]:
    """What has bounds of its own: letters and integers first, then floors, extrema and remainders."""
    yield from sorted(dict.fromkeys(_outermost(expression)), key=lambda a: (not isinstance(a, Axis), str(a)))


def _outermost(expression: Basic) -> Iterator[Expr]:
    if isinstance(expression, (Axis, floor, ceiling, Min, Max, Mod)) or hasattr(expression, "integer_bound"):
        yield expression
        return
    for part in expression.args:
        yield from _outermost(part)


def _below(inner: Expr, coefficient: Expr) -> Iterator[Expr]:
    """Lower bounds of coefficient · inner, for a coefficient ≥ 0."""
    if isinstance(inner, (Axis, Mod)):
        yield Integer(0)
    elif isinstance(inner, (floor, ceiling)):
        numerator, denominator = quotient(inner.args[0])
        ratio = expand(coefficient / denominator)
        yield ratio * (numerator - denominator + 1 if isinstance(inner, floor) else numerator)
        if _nonnegative(numerator):
            yield Integer(0)
    elif isinstance(inner, Max):
        yield from (coefficient * a for a in inner.args)
    elif hasattr(inner, "integer_bound") and inner.integer_bound() is not None:
        yield Integer(0)


def _above(inner: Expr, coefficient: Expr) -> Iterator[Expr]:
    """Lower bounds of coefficient · inner, for a coefficient ≤ 0: inner at its largest."""
    if isinstance(inner, Axis):
        yield coefficient * (inner.size - 1)
    elif isinstance(inner, Mod):
        yield coefficient * (inner.args[1] - 1)
    elif isinstance(inner, (floor, ceiling)):
        numerator, denominator = quotient(inner.args[0])
        ratio = expand(coefficient / denominator)
        yield ratio * (numerator if isinstance(inner, floor) else numerator + denominator - 1)
    elif isinstance(inner, Min):
        yield from (coefficient * a for a in inner.args)
    elif hasattr(inner, "integer_bound") and inner.integer_bound() is not None:
        yield coefficient * (inner.integer_bound() - 1)


def _sizes_nonnegative(expression: Expr) -> bool:
    numerator, denominator = quotient(expression)
    if denominator.is_positive is not True:
        return False
    shifted = {s: s + s.min for s in numerator.atoms(Size) if s.min}
    terms = Add.make_args(expand(numerator.xreplace(shifted)))
    return all(t.as_coeff_Mul()[0] >= 0 and t.as_coeff_Mul()[1].is_nonnegative for t in terms)


@lru_cache(maxsize=4096)
def quotient(expression: Expr) -> tuple[Expr, Expr]:
    """Numerator and denominator; `together` is slow, and called only where terms have several of them."""
    if not _divides(expression):
        return expression, Integer(1)
    with evaluate(True):
        terms = [fraction(term) for term in Add.make_args(expression)]
        below = {under for _, under in terms} - {Integer(1)}
        if len(below) != 1 or any(_divides(above) for above, _ in terms):
            made: tuple[Expr, Expr] = fraction(together(expression))
            return made
        (common,) = below
        return Add(*(above if under == common else above * common for above, under in terms)), common


def _divides(expression: Any) -> bool:
    """Whether there is a denominator, other than within a function: ⌊a/b⌋ is whole."""
    if expression.is_Pow:
        return not (expression.exp.is_Integer and expression.exp > 0) or _divides(expression.base)
    if expression.is_Add or expression.is_Mul:
        return any(map(_divides, expression.args))
    return bool(expression.is_Rational and not expression.is_Integer)


def settled(index: Expr) -> Expr:
    """An integer expression in its usual form: products multiplied out, numbers collected, also while tracing."""
    if isinstance(index, (Axis, Size, Integer)) or hasattr(index, "integer_bound"):
        return index
    with evaluate(True):
        inner = {a: Dummy(integer=True) for a in _outermost(index) if hasattr(a, "integer_bound")}
        plain = expand(_exchanged(index, inner).doit())
        return plain.xreplace({new: old for old, new in inner.items()})  # their bodies stay as they were written


def _exchanged(index: Basic, inner: dict[Expr, Dummy]) -> Basic:
    if index in inner:
        return inner[index]
    return index.func(*(_exchanged(a, inner) for a in index.args)) if index.args else index


def whole(index: Basic) -> bool:
    """Whether an expression is made of integers: letters, sizes, integer entries, and whole quotients of sizes."""
    if isinstance(index, (Axis, Size, Integer)):
        return True
    if hasattr(index, "integer_bound"):
        return index.is_integer is True
    if isinstance(index, (floor, ceiling)):
        numerator, denominator = quotient(index.args[0])
        return whole(numerator) and whole(denominator)
    if isinstance(index, Mul) and not index.as_coeff_Mul()[0].is_Integer:
        return False
    if isinstance(index, (Add, Mul, Pow, Min, Max, Mod)):
        return all(whole(part) for part in index.args)
    return False
