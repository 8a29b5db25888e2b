"""The tails of erfc and softplus, and eᵘ that only another function squashes: none under- or overflows on its way."""

from __future__ import annotations

from fractions import Fraction

import sympy

from derive.terms import ZERO, Atom, Head, Poly, Power, number

from .exponentials import taken
from .form import Stabiliser
from .shifts import is_divisor, is_log

FAR = 8  # from where on the asymptotic series of erfc serves a float64, and erfc is no subnormal float32 before
HALF = Fraction(1, 2)
TERMS = 20
ROUNDED = 40  # softplus(u) = eᵘ for u < −40: what is left out is less than a float64 has
SQUASHING = frozenset({"tanh", "sigmoid", "erf", "erfc"})  # constant, whatever else, from e⁸⁰ on
CAP = 80  # e⁸⁰ is a float32, and exp(−e⁸⁰/100) is 0 in every float


def _series() -> list[Fraction]:
    """√π u exp(u²) erfc(u) ~ Σ (−1)ᵏ (2k − 1)!! (2u²)⁻ᵏ."""
    made = [Fraction(1)]
    for k in range(1, TERMS):
        made.append(-made[-1] * (2 * k - 1) / 2)
    return made


ASYMPTOTIC = _series()


def _beyond(s: Stabiliser, u: Poly, far: int = FAR) -> tuple[Poly, Poly]:
    """[u > far] and its complement; nothing is looked for beside them."""
    yes, no = s.exceeds(u, s.algebra.constant(far))
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


def between_errors(s: Stabiliser, poly: Poly) -> Poly:
    """k (erf u − erf v), divided by or in a logarithm, as k exp(−a²)(E(a) − exp(a² − b²) E(b)) where a > 1.

    E(a) = exp(a²) erfc(a). Of u > v > 0, a = v and b = u; of v < u < 0, a = −u and b = −v.
    """

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        inner = atom if power < 0 else s.logged(atom)
        found = _two_errors(s, inner) if inner is not None and isinstance(power, int) else None
        if found is None or any(a[0] in s.near for a in rest) or (inner != atom and power != 1):
            return None
        k, u, v = found
        a, b = (_named(s, s.algebra.op("max2", s.reader.flat(x), s.reader.flat(s.algebra.scaled(y, -1))))
                for x, y in ((v, u), (u, v)))  # fmt: skip
        square = s.algebra.mul(a, a)
        apart = s.algebra.add(square, s.algebra.scaled(s.algebra.mul(b, b), -1))
        less = s.algebra.mul(s.reader.exp_of(apart), _scaled_erfc(s, b))
        left = s.reader.grouped(s.algebra.scaled(s.algebra.add(_scaled_erfc(s, a), s.algebra.scaled(less, -1)), k))
        errors = s.algebra.add(s.reader.apply("erf", u), s.algebra.scaled(s.reader.apply("erf", v), -1))
        near = s.reader.grouped(s.algebra.scaled(errors, k))
        yes, no = _beyond(s, a, 1)
        if inner == atom:
            far = s.algebra.mul(s.reader.exp_of(s.algebra.scaled(square, -power)), s.reader.raised(left, power))
            return s.algebra.add(s.algebra.mul(yes, far), s.algebra.mul(no, s.reader.raised(near, power)))
        far = s.algebra.add(s.algebra.scaled(square, -1), s.algebra.op("log", left))
        return s.algebra.add(s.algebra.mul(yes, far), s.algebra.mul(no, s.algebra.op("log", near)))

    def wanted(head: Head, power: Power) -> bool:
        return (power < 0 and head.kind == "name" and "erf" in s.traits_of(head.id)) or is_log(head, power)

    return s.each(poly, wanted, change)


def _named(s: Stabiliser, poly: Poly) -> Poly:
    scale, name = s.algebra.named(poly)
    return s.algebra.term(scale, {name: 1}, ())


def _two_errors(s: Stabiliser, atom: Atom) -> tuple[Power, Poly, Poly] | None:
    """(k, u, v) of a name for k (erf u − erf v), k > 0; erfc u is −erf u and a constant, which cancels."""
    body, found = s.definition(atom) or ZERO, []
    for term, coefficient in body if len(body) == 2 else ():
        alone = s.lone(((term, 1),))
        for label, sign in (("erf", 1), ("erfc", -1)):
            call = s.scaled_call(alone, label) if alone is not None else None
            if call is not None:
                found.append((call[0] * coefficient * sign, label, call[1]))
    if len(found) != 2 or found[0][:2] != (-found[1][0], found[1][1]):
        return None
    (k, _, u), (_, _, v) = sorted(found, key=lambda each: -each[0])
    return k, u, v


def _scaled_erfc(s: Stabiliser, u: Poly) -> Poly:
    """exp(u²) erfc(u), u > 1, by its series for large u."""
    yes, no = _beyond(s, u)
    far = s.algebra.mul(_decay(s, u), _root_of_pi(s, -1), s.reader.raised(s.reader.grouped(u), -1))
    near = s.algebra.mul(s.reader.exp_of(s.algebra.mul(u, u)), s.reader.apply("erfc", u))
    return s.reader.grouped(s.algebra.add(s.algebra.mul(yes, far), s.algebra.mul(no, near)))


def log_of_softplus(s: Stabiliser, poly: Poly) -> Poly:
    """log softplus(u) = u for u < −40, where nothing is summed."""

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        u = s.call(inner, "softplus") if s.exact and inner is not None and power == 1 else None
        if u is None or any(a[0] in s.near for a in rest):
            return None
        yes, no = _beyond(s, u, -ROUNDED)
        return s.algebra.add(s.algebra.mul(yes, s.algebra.term(1, {atom: 1}, ())), s.algebra.mul(no, u))

    return s.each(poly, is_log, change)


def tail_of_softplus(s: Stabiliser, poly: Poly) -> Poly:
    """softplus(u) = eᵘ for u < −40, where it is divided by and nothing is summed."""

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        u = s.call(atom, "softplus") if s.exact and isinstance(power, int) else None
        if u is None or any(a[0] in s.near for a in rest):
            return None
        yes, no = _beyond(s, u, -ROUNDED)
        plain = s.reader.raised(s.reader.apply("softplus", u), power)
        return s.algebra.add(s.algebra.mul(yes, plain), s.algebra.mul(no, s.reader.exp_of(s.algebra.scaled(u, power))))

    def wanted(head: Head, power: Power) -> bool:
        named = head.kind == "name" and not s.traits_of(head.id).isdisjoint(("softplus", "log"))
        return power < 0 and (head.label == "softplus" or named)

    return s.each(poly, wanted, change)


def squashed(s: Stabiliser, poly: Poly) -> Poly:
    """exp(v − k eᵘ) = exp(v − k exp(min(u, 80))): it is 0 before eᵘ overflows; tanh(k eᵘ) is 1."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        outer, label = s.argument(atom), s.algebra.heads[atom[0]].label
        if label in SQUASHING:
            capped = _capped(s, outer)
            return s.reader.raised(s.reader.apply(label, capped), power) if capped is not None else None
        scale = outer[0][1] if len(outer) == 1 else 0
        if scale * power >= 0:
            return None
        soft = s.lone(s.algebra.scaled(outer, number(1 / Fraction(scale)))) if label == "exp" else None
        if soft is not None and s.is_call(soft, "softplus"):
            capped = _capped(s, s.argument(soft))
            less = s.algebra.scaled(s.reader.apply("softplus", capped), scale * power) if capped is not None else ZERO
            return s.reader.exp_of(less) if less else None
        capped = _capped(s, s.algebra.scaled(outer, power))
        if capped is None:
            return None
        return s.reader.exp_of(capped) if label == "exp" else s.reader.apply(label, capped)

    def wanted(head: Head, power: Power) -> bool:
        squashes = head.label in SQUASHING or (power == 1 and head.label in ("expm1", "log1mexp"))
        return head.kind == "op" and (head.label == "exp" or squashes)

    return s.each(poly, wanted, change)


def _capped(s: Stabiliser, outer: Poly) -> Poly | None:
    """k exp(min(u, 80)) of k eᵘ, where |k| ≥ 1/100 and eᵘ may overflow."""
    if len(outer) != 1 or outer[0][0][1] or not outer[0][0][0] or not s.all_exp(outer[0][0][0]):
        return None
    u = s.reader.flat(s.exponent(outer[0][0][0]) or ZERO)
    if abs(Fraction(outer[0][1])) < Fraction(1, 100) or _is_capped(s, u):
        return None
    least = s.algebra.scaled(s.algebra.op("max2", s.algebra.scaled(u, -1), s.algebra.constant(-CAP)), -1)
    return s.algebra.scaled(s.algebra.op("exp", least, positive=True), outer[0][1])


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
