"""What is known of integers: bounds of affine expressions in letters, lengths and integer entries, proved symbolically.

Each bound is a polynomial in sizes. Letters take their ends by the sign of their coefficient; a floor obeys
m⌊a/m⌋ ≤ a and m⌊a/m⌋ ≥ a − m + 1; sizes are shifted to their least values, and then signs of coefficients decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache, reduce
from typing import Any

from sympy import (
    Add,
    Dummy,
    Expr,
    GreaterThan,
    Integer,
    LessThan,
    Max,
    Min,
    Mod,
    Mul,
    Pow,
    StrictGreaterThan,
    StrictLessThan,
    ceiling,
    evaluate,
    expand,
    false,
    floor,
    fraction,
    together,
    true,
)
from sympy.core.basic import Basic

from .index import Axis, Size
from .polynomial import ONE, Monomial, Number, Polynomial, cleared, constant, negated, polynomial, product, total


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


# Relations as a > b or a ≥ b: (whether strict, sides exchanged).
_GREATER = {
    StrictGreaterThan: (True, False),
    StrictLessThan: (True, True),
    GreaterThan: (False, False),
    LessThan: (False, True),
}


def holds_at(condition: Basic) -> bool | None:
    """Whether a relation between integers holds: True or False where that is certain, else None."""
    if type(condition) not in _GREATER:
        return True if condition is true else False if condition is false else None
    strict, turned = _GREATER[type(condition)]
    large, small = condition.args[::-1] if turned else condition.args
    found = proved(large, small) if strict else proved(small, large)
    return found if strict or found is None else not found


def in_range(index: Expr, size: Expr) -> bool:
    """Whether 0 ≤ index < size, provably."""
    if isinstance(index, Axis) and index.size == size:
        return True
    with evaluate(True):
        return _nonnegative(index) and _nonnegative(size - 1 - index)


def _nonnegative(expression: Expr) -> bool:
    return _proved(frozenset(polynomial(expression).items()))


@lru_cache(maxsize=20000)
def _proved(terms: frozenset[tuple[Monomial, Number]]) -> bool:
    """Whether the polynomial of these terms is ≥ 0."""
    inner = _first_bounded(base for monomial, _ in terms for base, _ in monomial)
    if inner is None:
        return _sizes_nonnegative(dict(terms))
    coefficient: Polynomial = {}
    rest: Polynomial = {}
    for monomial, number in terms:
        with_it = (inner, 1) in monomial
        (coefficient if with_it else rest)[monomial - {(inner, 1)}] = number
    if any(base.has(inner) for monomial in (*coefficient, *rest) for base, _ in monomial):
        return False
    if isinstance(inner, floor) and coefficient in ({ONE: 1}, {ONE: -1}):
        return _beside_floor(inner, coefficient == {ONE: 1}, rest)
    if _holds(coefficient):
        return any(_holds(rest, part) for part in _below(inner, coefficient))
    if _holds(negated(coefficient)):
        return any(_holds(rest, part) for part in _above(inner, coefficient))
    return False


def _holds(*parts: Polynomial) -> bool:
    return _proved(frozenset(total(parts).items()))


def _beside_floor(inner: Expr, added: bool, rest: Polynomial) -> bool:
    """±⌊a/m⌋ + rest ≥ 0. Integers: n ≥ ⌊a/m⌋ exactly if m(n + 1) > a."""
    above, below, _, _ = cleared(polynomial(inner.args[0]))
    if added:
        return _holds(above, product(below, rest))
    return _holds(product(below, total([rest, constant(1)])), negated(above), constant(-1))


def _first_bounded(bases: Iterable[Expr]) -> Expr | None:
    """What has bounds of its own: letters first, then integers, floors, extrema and remainders."""
    found = {inner for base in dict.fromkeys(bases) for inner in _outermost(base)}
    return min(found, key=_rank) if found else None


def _rank(inner: Expr) -> tuple[bool, str, str]:
    return (False, inner.name, text(inner.size)) if isinstance(inner, Axis) else (True, text(inner), "")


@lru_cache(maxsize=20000)
def text(expression: Basic) -> str:
    """The text of an expression, to sort by; SymPy's printer takes a tenth of a millisecond."""
    return str(expression)


def _outermost(expression: Basic) -> Iterator[Expr]:
    if isinstance(expression, (Axis, floor, ceiling, Min, Max, Mod)) or hasattr(expression, "integer_bound"):
        yield expression
        return
    for part in expression.args:
        yield from _outermost(part)


def _below(inner: Expr, coefficient: Polynomial) -> Iterator[Polynomial]:
    """Lower bounds of coefficient · inner, for a coefficient ≥ 0."""
    if isinstance(inner, (Axis, Mod)):
        yield {}
    elif isinstance(inner, (floor, ceiling)):
        above, below, inverse, _ = cleared(polynomial(inner.args[0]))
        least = total([above, negated(below), constant(1)]) if isinstance(inner, floor) else above
        yield product(product(coefficient, inverse), least)
        if _holds(above):
            yield {}
    elif isinstance(inner, Max):
        yield from (product(coefficient, polynomial(a)) for a in inner.args)
    elif hasattr(inner, "integer_bound") and inner.integer_bound() is not None:
        yield {}


def _above(inner: Expr, coefficient: Polynomial) -> Iterator[Polynomial]:
    """Lower bounds of coefficient · inner, for a coefficient ≤ 0: inner at its largest."""
    if isinstance(inner, Axis):
        yield product(coefficient, polynomial(inner.size - 1))
    elif isinstance(inner, Mod):
        yield product(coefficient, polynomial(inner.args[1] - 1))
    elif isinstance(inner, (floor, ceiling)):
        above, below, inverse, _ = cleared(polynomial(inner.args[0]))
        most = above if isinstance(inner, floor) else total([above, below, constant(-1)])
        yield product(product(coefficient, inverse), most)
        number, divisor = quotient(inner.args[0])
        if isinstance(inner, floor) and isinstance(number, Axis) and divisor.is_positive:
            times = number.size / divisor
            if whole(times):  # n < m k: ⌊n/m⌋ ≤ k − 1
                yield product(coefficient, polynomial(times - 1))
    elif isinstance(inner, Min):
        yield from (product(coefficient, polynomial(a)) for a in inner.args)
    elif hasattr(inner, "integer_bound") and inner.integer_bound() is not None:
        yield product(coefficient, polynomial(inner.integer_bound() - 1))


def _sizes_nonnegative(poly: Polynomial) -> bool:
    above, _, _, below = cleared(poly)
    if any(base.is_positive is not True for base in below):
        return False
    shifted = total(
        reduce(product, (_shifted(*factor) for factor in monomial), constant(number))
        for monomial, number in above.items()
    )
    return all(
        number > 0 and all(base.is_nonnegative or (exponent % 2 == 0 and base.is_real) for base, exponent in monomial)
        for monomial, number in shifted.items()
    )


@lru_cache(maxsize=4096)
def _shifted(base: Expr, exponent: int) -> Polynomial:
    """The power of a size, from its least value."""
    least = base.min if isinstance(base, Size) else 0
    inner: Polynomial = {frozenset({(base, 1)}): 1, **({ONE: least} if least else {})}
    return reduce(product, [inner] * exponent, constant(1))


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
