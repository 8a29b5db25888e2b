"""Polynomials in letters, sizes and other integers as plain data: monomial → coefficient.

The prover asks for thousands of sums and products; as dictionaries they cost a hundredth of SymPy's `expand`. A
monomial is a set of (base, exponent); exponents may be negative, and a base that is itself a sum divides only.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache, reduce
from math import lcm
from typing import NamedTuple, TypeAlias

from sympy import Expr

Number: TypeAlias = int | Fraction
Monomial: TypeAlias = frozenset[tuple[Expr, int]]
Polynomial: TypeAlias = dict[Monomial, Number]

ONE: Monomial = frozenset()


@lru_cache(maxsize=20000)
def polynomial(expression: Expr) -> Polynomial:
    """The polynomial of an expression, multiplied out; never written to."""
    if expression.is_Rational:
        return constant(Fraction(expression.p, expression.q))
    if expression.is_Add:
        return total(map(polynomial, expression.args))
    if expression.is_Mul:
        made = constant(1)
        for part in expression.args:
            made = product(made, polynomial(part))
        return made
    if expression.is_Pow and expression.exp.is_Integer:
        return power(expression.base, int(expression.exp))
    return {frozenset({(expression, 1)}): 1}


def constant(value: Number) -> Polynomial:
    """A constant."""
    whole = int(value) if value == int(value) else value
    return {ONE: whole} if value else {}


def total(parts: Iterable[Polynomial]) -> Polynomial:
    """Σ parts."""
    found: Polynomial = {}
    for part in parts:
        for monomial, coefficient in part.items():
            found[monomial] = found.get(monomial, 0) + coefficient
    return {monomial: coefficient for monomial, coefficient in found.items() if coefficient}


def negated(poly: Polynomial) -> Polynomial:
    """−poly."""
    return {monomial: -coefficient for monomial, coefficient in poly.items()}


def product(one: Polynomial, two: Polynomial) -> Polynomial:
    """one · two."""
    if len(one) == 1 and ONE in one:
        one, two = two, one
    if len(two) == 1 and ONE in two:
        return {monomial: coefficient * two[ONE] for monomial, coefficient in one.items()}
    return total({_times(a, b): p * q} for a, p in one.items() for b, q in two.items())


@lru_cache(maxsize=20000)
def _times(one: Monomial, two: Monomial) -> Monomial:
    exponents = dict(one)
    for base, exponent in two:
        exponents[base] = exponents.get(base, 0) + exponent
    return frozenset((base, exponent) for base, exponent in exponents.items() if exponent)


def power(base: Expr, exponent: int) -> Polynomial:
    """baseⁿ; a sum below the line stays whole."""
    made, inner = constant(1), polynomial(base)
    if exponent < 0 and len(inner) == 1:
        ((monomial, coefficient),) = inner.items()
        inner = {frozenset((b, -e) for b, e in monomial): Fraction(1) / coefficient}
    elif exponent < 0:
        inner = {frozenset({(base, -1)}): 1}
    for _ in range(abs(exponent)):
        made = product(made, inner)
    return made


class Quotient(NamedTuple):
    """A polynomial as above / below = above · inverse; `bases` are those of the denominator, its number is positive."""

    above: Polynomial
    below: Polynomial
    inverse: Polynomial
    bases: tuple[Expr, ...]


def cleared(poly: Polynomial) -> Quotient:
    """The polynomial over its common denominator."""
    most: dict[Expr, int] = {}
    for base, exponent in (factor for monomial in poly for factor in monomial if factor[1] < 0):
        most[base] = max(most.get(base, 0), -exponent)
    whole = lcm(*(Fraction(number).denominator for number in poly.values()))
    above: list[Polynomial] = []
    for monomial, number in poly.items():
        exponents = dict(monomial)
        kept = {frozenset((base, exponent) for base, exponent in monomial if exponent > 0): number * whole}
        missing = (power(base, n + min(0, exponents.get(base, 0))) for base, n in most.items())
        above.append(reduce(product, missing, kept))
    below = reduce(product, (power(base, n) for base, n in most.items()), constant(whole))
    inverse = reduce(product, (power(base, -n) for base, n in most.items()), constant(Fraction(1, whole)))
    return Quotient(total(above), below, inverse, tuple(most))
