"""The tail of erfc, and eᵘ that only another function squashes: neither may under- nor overflow on its way."""

from __future__ import annotations

from fractions import Fraction

import sympy

from derive.terms import ZERO, Atom, Head, Poly, Power

from .exponentials import taken
from .form import Stabiliser
from .shifts import is_divisor, is_log

FAR = 8  # from where on the asymptotic series of erfc serves a float64, and erfc is no subnormal float32 before
HALF = Fraction(1, 2)
TERMS = 20
CAP = 80  # e⁸⁰ is a float32, and exp(−e⁸⁰/100) is 0 in every float


def _series() -> list[Fraction]:
    """√π u exp(u²) erfc(u) ~ Σ (−1)ᵏ (2k − 1)!! (2u²)⁻ᵏ."""
    made = [Fraction(1)]
    for k in range(1, TERMS):
        made.append(-made[-1] * (2 * k - 1) / 2)
    return made


ASYMPTOTIC = _series()


def _beyond(s: Stabiliser, u: Poly) -> tuple[Poly, Poly]:
    """[u > FAR] and its complement; nothing is looked for beside them."""
    yes, no = s.exceeds(u, s.algebra.constant(FAR))
    s.near.update(atom[0] for side in (yes, no) for (factors, _), _ in side for atom, _ in factors)
    return yes, no


def _decay(s: Stabiliser, u: Poly) -> Poly:
    """√π u exp(u²) erfc(u) by its series."""
    square = s.reader.flat(s.reader.raised(s.reader.grouped(u), -2))
    return s.algebra.op("series", square, *map(s.algebra.constant, ASYMPTOTIC), positive=True)


def _root_of_pi(s: Stabiliser, power: int) -> Poly:
    return s.reader.read(sympy.Pow(sympy.pi, sympy.Rational(power, 2)), {})


def tail_of_erfc(s: Stabiliser, poly: Poly) -> Poly:
    """erfc(u) = exp(−u²) S(u⁻²)/(√π u) for large u, where it is divided by, or stands beside exp(u²)."""

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        found = s.scaled_call(atom, "erfc") if isinstance(power, int) else None
        if found is None or any(a[0] in s.near for a in rest):
            return None
        c, u = found
        square = s.algebra.mul(u, u)
        grown = s.reader.exp_of(square)
        beside = all(rest.get(a, 0) >= p > 0 for (factors, _), _ in grown for a, p in factors)
        if power > 0 and not beside:
            return None
        whole = s.algebra.mul(
            s.algebra.constant(c), s.reader.exp_of(s.algebra.scaled(square, -1)), _decay(s, u), _root_of_pi(s, -1),
            s.reader.raised(s.reader.grouped(u), -1),
        )  # fmt: skip
        yes, no = _beyond(s, u)
        plain = s.algebra.scaled(s.reader.apply("erfc", u), c)
        return s.algebra.add(s.algebra.mul(yes, s.reader.raised(whole, power)),
                             s.algebra.mul(no, s.reader.raised(plain, power)))  # fmt: skip

    def wanted(head: Head, power: Power) -> bool:
        return head.label == "erfc" or (head.kind == "name" and "erf" in s.traits_of(head.id))

    return s.each(poly, wanted, change)


def log_of_erfc(s: Stabiliser, poly: Poly) -> Poly:
    """log erfc(u) = −u² + log S(u⁻²) − log(√π u) for large u; log(erfc(u)/2) = log1p(−erfc(−u)/2) for u < 0."""
    two = s.reader.log_of(s.algebra.constant(2))

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        found = s.scaled_call(inner, "erfc") if inner is not None and power == 1 else None
        if found is None or any(a[0] in s.near for a in rest):
            return None
        c, u = found
        far = s.algebra.add(
            s.algebra.scaled(s.algebra.mul(u, u), -1), s.reader.log_of(_decay(s, u)),
            s.algebra.scaled(s.algebra.op("log", s.reader.grouped(u)), -1),
            s.reader.log_of(_root_of_pi(s, -1)), s.reader.log_of(s.algebra.constant(c)),
        )  # fmt: skip
        (above, below), (right, left) = _beyond(s, u), s.exceeds(u, ZERO)
        other = s.algebra.scaled(s.reader.apply("erfc", s.algebra.scaled(u, -1)), -HALF)
        twice = ZERO if c == HALF else s.algebra.add(two, s.reader.log_of(s.algebra.constant(c)))
        half = s.algebra.add(s.reader.apply("log1p", other), twice)
        plain = s.reader.log_of(s.algebra.scaled(s.reader.apply("erfc", u), c))
        near = s.algebra.add(s.algebra.mul(left, half), s.algebra.mul(right, plain))
        return s.algebra.add(s.algebra.mul(above, far), s.algebra.mul(below, near))

    return s.each(poly, is_log, change)


def squashed(s: Stabiliser, poly: Poly) -> Poly:
    """exp(v − k eᵘ) = exp(v − k exp(min(u, 80))): it is 0 before eᵘ overflows."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        outer = s.argument(atom)
        grown = [(term, c) for term, c in outer if c * power < 0 and not term[1] and s.all_exp(term[0]) and term[0]]
        if len(outer) != 1 or not grown or abs(Fraction(grown[0][1]) * Fraction(power)) < Fraction(1, 100):
            return None
        u = s.reader.flat(s.exponent(grown[0][0][0]) or ZERO)
        if _is_capped(s, u):
            return None
        least = s.algebra.scaled(s.algebra.op("max2", s.algebra.scaled(u, -1), s.algebra.constant(-CAP)), -1)
        capped = s.algebra.scaled(s.algebra.op("exp", least, positive=True), grown[0][1] * power)
        label = s.algebra.heads[atom[0]].label
        return s.reader.exp_of(capped) if label == "exp" else s.reader.apply(label, capped)

    def wanted(head: Head, power: Power) -> bool:
        return head.kind == "op" and (head.label == "exp" or (power == 1 and head.label in ("expm1", "log1mexp")))

    return s.each(poly, wanted, change)


def over_difference(s: Stabiliser, poly: Poly) -> Poly:
    """1/(eᵘ − 1) = where(u > 0, −e⁻ᵃ, 1)/expm1(−a), a = |u|; eᵘ times that is where(u > 0, −1, e⁻ᵃ)/expm1(−a)."""

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        found = s.two_terms(s.definition(atom) or ZERO, -1)
        if found is None or found[2] != ZERO or not isinstance(power, int):
            return None
        k, u, _ = found
        size = s.reader.apply("abs", u)
        down, less = s.reader.exp_of(s.algebra.scaled(size, -1)), s.reader.apply("expm1", s.algebra.scaled(size, -1))
        yes, no = s.exceeds(u, ZERO)
        times = taken(rest, s.reader.exp_of(u), -power)
        minus = s.algebra.scaled(yes, -1)
        alone = s.reader.grouped(s.algebra.add(s.algebra.mul(minus, down), no))
        beside = s.reader.grouped(s.algebra.add(minus, s.algebra.mul(no, down)))
        return s.algebra.mul(s.reader.raised(s.algebra.scaled(less, k), power), s.reader.raised(alone, -power - times),
                             s.reader.raised(beside, times))  # fmt: skip

    return s.each(poly, is_divisor, change)


def _is_capped(s: Stabiliser, u: Poly) -> bool:
    """Whether eᵘ cannot overflow: the least of two is taken, or −|v|."""
    if len(u) != 1 or u[0][1] > 0 or len(u[0][0][0]) != 1:
        return False
    return s.is_call(u[0][0][0][0][0], "max2", "abs") or s.is_positive(((u[0][0], 1),))
