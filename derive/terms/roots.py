"""Roots of numbers: 2/√2 is √2, and √2 √2 is 2."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from .data import Factors, Power, number


def told_apart(roots: Mapping[int, int], coefficient: Power, factors: Factors) -> tuple[Power, Factors]:
    """A coefficient and roots of numbers so that neither has what the other could take: |exponent| < 1.

    Whole powers go to the coefficient, and factors of the coefficient to a root that divides by them.
    """
    present = [atom for atom in factors if atom[0] in roots]
    if not present:
        return coefficient, factors
    left = {atom: power for atom, power in factors.items() if atom not in present}
    total = Fraction(coefficient)
    for atom in present:
        base, power = roots[atom[0]], Fraction(factors[atom])
        while power < 0 and total.numerator % base == 0:
            total, power = total / base, power + 1
        while power > 0 and total.denominator % base == 0:
            total, power = total * base, power - 1
        whole = int(power)
        total *= Fraction(base) ** whole
        if power != whole:
            left[atom] = number(power - whole)
    return number(total), left


__all__ = ["told_apart"]
