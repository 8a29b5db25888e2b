"""Conditions on exponentials as conditions on their exponents."""

from __future__ import annotations

from fractions import Fraction

from derive.terms import ZERO, Atom, Poly, Power

from .form import Stabiliser


def compared_exponents(s: Stabiliser, poly: Poly) -> Poly:
    """[j eᵘ > k eᵛ] = [u > v + log(k/j)], j, k > 0: no exponential overflows, and eᵘ > 1 is not rounded away."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        head = s.algebra.heads[atom[0]]
        left, right = s.algebra.arguments(head, atom[1])
        sides = _sides(s, s.opened(s.algebra.add(left, s.algebra.scaled(right, -1))))
        if sides is None:
            return None
        yes, no = s.exceeds(*sides)
        return yes if head.label == "yes" else no

    return s.each(poly, lambda head, _: head.kind == "test" and head.payload == "gt", change)


def _sides(s: Stabiliser, apart: Poly) -> tuple[Poly, Poly] | None:
    """(u, v + log(k/j)) of j eᵘ − k eᵛ."""
    if len(apart) != 2 or any(bound for (_, bound), _ in apart) or apart[0][1] * apart[1][1] > 0:
        return None
    ((above, _), j), ((below, _), k) = sorted(apart, key=lambda term: -term[1])
    if not all(s.all_exp(factors) for factors in (above, below)):
        return None
    u, v = (s.exponent(factors) or ZERO for factors in (above, below))
    shift = Fraction(-k) / Fraction(j)
    more = s.reader.log_of(s.algebra.constant(shift)) if shift != 1 else ZERO
    return s.reader.flat(u), s.reader.flat(s.algebra.add(v, more))
