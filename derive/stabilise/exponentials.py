"""Exponentials that cannot overflow, and logarithms of what has not underflowed."""

from __future__ import annotations

from fractions import Fraction

from derive.terms import UNIT, ZERO, Atom, Head, Poly, Power, absolute

from .differences import divisor, is_divisor, log_of_product
from .form import Stabiliser
from .shifts import is_divisor as is_negative
from .shifts import is_log, larger, raised


def open_exponential(s: Stabiliser, poly: Poly) -> Poly:
    """A name e = exp(z) is written out, so that the laws below see the exponential."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        body = s.definition(atom)
        if body is None or len(body) != 1 or body[0][0][1] or s.exponent(body[0][0][0]) is None:
            return None
        others = [a for a, _ in body[0][0][0] if not s.is_call(a, "exp")]
        return s.reader.raised(body, power) if s.tests(body[0][0][0]) >= set(others) else None

    def wanted(head: Head, _: Power) -> bool:
        return head.kind == "name" and len(head.definition) == 1 and s.exponent(head.definition[0][0][0]) is not None

    return s.each(poly, wanted, change)


def tanh_of_quotient(s: Stabiliser, poly: Poly) -> Poly:
    """(eᵘ − eᵛ)/(eᵘ + eᵛ) = tanh((u − v)/2), where the numerator is grouped."""

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        outside, atom, power = divisor(s, atom, power)
        below = s.two_exponentials(atom) if isinstance(power, int) and power < 0 else None
        for top in [a for a, p in rest.items() if below and p == 1 and s.algebra.heads[a[0]].kind == "name"]:
            above = s.two_terms(s.definition(top) or ZERO, -1)
            if below is None or above is None or above[1:] not in (below[1:], below[:0:-1]):
                continue
            del rest[top]
            apart = s.algebra.add(above[1], s.algebra.scaled(above[2], -1))
            half = s.applied("tanh", s.algebra.scaled(apart, Fraction(1, 2)))
            left = s.algebra.term(Fraction(above[0]) / below[0], {atom: power + 1}, ())
            return s.algebra.mul(outside, left, half)
        return None

    return s.each(poly, lambda head, power: is_divisor(s, head, power), change)


def sigmoid(s: Stabiliser, poly: Poly) -> Poly:
    """eᵘ/(eᵘ + eᵛ) = σ(u − v); 1/(1 + eᵘ) = σ(−u); a broken power by softplus, where σ would underflow."""

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        found = s.two_exponentials(atom)
        if found is None or (not isinstance(power, int) and (found[0] != 1 or found[2] != ZERO)):
            return None
        if not isinstance(power, int):
            return s.reader.exp_of(s.algebra.scaled(s.reader.apply("softplus", found[1]), power))
        (k, u, v), left, parts = found, -int(power), [s.algebra.constant(1)]
        for mine, other in ((u, v), (v, u)):
            count = (
                (0 if _shares(rest, s.reader.exp_of(other)) else left)
                if mine == ZERO
                else taken(rest, s.reader.exp_of(mine), left)
            )
            apart = s.algebra.add(mine, s.algebra.scaled(other, -1))
            parts.append(s.reader.raised(s.reader.apply("sigmoid", apart), count) if count else parts[0])
            left -= count
        done = -int(power) - left
        if not done:
            return None
        return s.algebra.mul(s.algebra.term(Fraction(1) / Fraction(k) ** done, {atom: -left}, ()), *parts)

    return s.each(poly, is_negative, change)


def over_cosh(s: Stabiliser, poly: Poly) -> Poly:
    """eᵘ/cosh u = 2σ(2u); 1/cosh² u = 4σ(2u)σ(−2u); 1/cosh u = 2 exp(−|u|) σ(2|u|)."""

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        u, left, parts = s.argument(atom), -int(power), [s.algebra.constant(2 ** -int(power))]
        shares = [s.reader.apply("sigmoid", s.algebra.scaled(u, sign)) for sign in (2, -2)]
        for sign, share in zip((1, -1), shares, strict=True):
            count = taken(rest, s.reader.exp_of(s.algebra.scaled(u, sign)), left)
            parts += [share] * count
            left -= count
        if left and s.early:
            return None  # −tanh u/cosh u is the better derivative
        parts += shares * (left // 2)
        if left % 2:
            size = s.reader.apply("abs", u)
            down = s.reader.exp_of(s.algebra.scaled(size, -1))
            parts += [down, s.reader.apply("sigmoid", s.algebra.scaled(size, 2))]
        return s.algebra.mul(*parts)

    return s.each(poly, lambda head, power: head.label == "cosh" and isinstance(power, int) and power < 0, change)


def taken(rest: dict[Atom, Power], grown: Poly, most: int) -> int:
    """How often eᵘ can be taken out of the rest of a term, at most so many times."""
    ((factors, _), _), count = grown[0], 0
    while factors and count < most and all(_covers(rest.get(a, 0), p) for a, p in factors):
        for a, p in factors:
            rest[a] = rest[a] - p
        count += 1
    for a in [a for a, p in rest.items() if not p]:
        del rest[a]
    return count


def _shares(rest: dict[Atom, Power], grown: Poly) -> bool:
    """Whether a part of eᵘ stands in the rest: eᶻ/(1 + e²ᶻ) is left to what divides both by their largest."""
    return any(rest.get(a, 0) * p > 0 for a, p in grown[0][0][0])


def _covers(have: Power, need: Power) -> bool:
    return have * need > 0 and absolute(have) >= absolute(need)


def softplus(s: Stabiliser, poly: Poly) -> Poly:
    """log(1 + eᵘ) = softplus(u); log σ(u) = −softplus(−u); log(1 − σ(u)) = −softplus(u)."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        if inner is None:
            return None
        found, sign, extra = s.two_exponentials(inner), 1, ZERO
        exponent = found[1] if found is not None and found[2] == ZERO else None
        if exponent is None:
            exponent, sign = _log_of_sigmoid(s, inner), -1
        elif found is not None and found[0] != 1:
            extra = s.reader.log_of(s.algebra.constant(found[0]))
        if exponent is None:
            return None
        soft = s.algebra.scaled(s.reader.apply("softplus", exponent), sign)
        return raised(s, s.algebra.add(soft, extra), power)

    return s.each(poly, is_log, change)


def log_cosh(s: Stabiliser, poly: Poly) -> Poly:
    """log(eᵘ + e⁻ᵘ) = log 2 + log cosh(u), which keeps its digits near 0."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        if inner is None:
            return None
        if s.is_call(inner, "cosh"):
            return s.reader.raised(s.applied("logcosh", s.argument(inner)), power)
        found = s.two_exponentials(inner)
        if found is None or found[1] != s.algebra.scaled(found[2], -1):
            return None
        shift = s.reader.log_of(s.algebra.constant(2 * found[0])) if found[0] * 2 != 1 else ZERO
        return raised(s, s.algebra.add(shift, s.applied("logcosh", found[1])), power)

    return s.each(poly, is_log, change)


def log_of_two(s: Stabiliser, poly: Poly) -> Poly:
    """log(eᵘ + eᵛ) = max(u, v) + log1p(exp(−|u − v|))."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        found = s.two_exponentials(inner) if inner is not None else None
        if found is None or power != 1:
            return None
        k, u, v = found
        shift = s.reader.log_of(s.algebra.constant(k)) if k != 1 else ZERO
        return s.algebra.add(log_of_both(s, u, v), shift)

    return s.each(poly, is_log, change)


def log_of_both(s: Stabiliser, u: Poly, v: Poly) -> Poly:
    """log(eᵘ + eᵛ) = max(u, v) + log1p(exp(−|u − v|))."""
    apart = s.reader.apply("abs", s.algebra.add(u, s.algebra.scaled(v, -1)))
    near = s.reader.apply("log1p", s.reader.exp_of(s.algebra.scaled(apart, -1)))
    return s.algebra.add(larger(s, s.reader.flat(u), s.reader.flat(v)), near)


def _log_of_sigmoid(s: Stabiliser, inner: Atom) -> Poly | None:
    """The v with log(inner) = −softplus(v)."""
    if s.is_call(inner, "sigmoid"):
        return s.algebra.scaled(s.argument(inner), -1)
    if (half := s.one_and_tanh(inner)) is not None and half[0] == Fraction(1, 2) and half[2] == 1:
        return s.algebra.scaled(half[1], -2)
    body = s.safe_definition(inner)
    if body is None:
        return None
    only = s.lone(body)
    if only is not None and only != inner:
        return _log_of_sigmoid(s, only)
    if len(body) == 2 and dict(body).get(UNIT) == 1:
        (term, coefficient) = next(tc for tc in body if tc[0] != UNIT)
        only = s.lone(((term, 1),))
        if coefficient == -1 and only:
            deeper = _log_of_sigmoid(s, only)
            return None if deeper is None else s.algebra.scaled(deeper, -1)
    return None


def split_log(s: Stabiliser, poly: Poly) -> Poly:
    """log n = Σ p log f for a name n = Π fᵖ of positive factors: log of softmax never sees an underflow."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        body = s.argument(atom) if inner is None else s.definition(inner)
        if inner is not None and s.is_call(inner, "prod"):
            total = log_of_product(s, inner)
            return None if total is None else s.reader.raised(total, power)
        if body is None or len(body) != 1 or body[0][0][1] or body[0][1] <= 0:
            return None
        if not body[0][0][0]:  # log(1/n) = −log(n), so that it may cancel
            less = s.reader.log_of(s.algebra.constant(Fraction(1) / body[0][1]))
            return s.reader.raised(s.algebra.scaled(less, -1), power) if body[0][1] < 1 else None
        factors = [a for a, _ in body[0][0][0]]
        sure = all(s.algebra.heads[a[0]].positive for a in factors)
        sure = sure or (any(_grows(s, a) for a in factors) and all(map(s.is_positive_atom, factors)))
        if not sure and not all(_is_product(s, a) or s.is_positive_atom(a) for a in factors):
            return None
        if not sure and not any(_is_product(s, a) for a in factors):
            return None  # log(p/q) keeps its digits where p is near q
        algebra, ((powers, _letters), coefficient) = s.algebra, body[0]
        parts = [algebra.scaled(s.reader.log_of(algebra.term(1, {a: 1}, ())), p) for a, p in powers]
        constant = s.reader.log_of(algebra.constant(coefficient)) if coefficient != 1 else ZERO
        return raised(s, algebra.add(*parts, constant), power)

    return s.each(poly, is_log, change)


def _grows(s: Stabiliser, atom: Atom) -> bool:
    """Whether an exponential stands in a name."""
    body = s.definition(atom)
    return s.is_call(atom, "exp") or any(s.exponent(f) is not None for (f, _), _ in body or ZERO)


def _is_product(s: Stabiliser, atom: Atom) -> bool:
    return s.is_call(atom, "prod") and log_of_product(s, atom) is not None


def log1p(s: Stabiliser, poly: Poly) -> Poly:
    """log(1 + u) = log1p(u); log(1 − eᵘ) = log1mexp(u)."""

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        body = s.definition(inner) if inner is not None else None
        if inner is None or body is None or len(body) < 2 or dict(body).get(UNIT) != 1:
            return None
        more = tuple(term for term in body if term[0] != UNIT)
        if len(more) == 1 and abs(more[0][1]) == 1 and (only := s.lone(((more[0][0], 1),))) and s.is_call(only, "erf"):
            argument = s.algebra.scaled(s.argument(only), -more[0][1])
            return s.reader.raised(s.reader.log_of(s.reader.apply("erfc", argument)), power)
        ((factors, bound), coefficient) = more[0]
        exponent = s.exponent(factors) if s.all_exp(factors) else None
        if len(more) == 1 and coefficient == -1 and not bound and exponent is not None:
            return s.reader.raised(s.reader.apply("log1mexp", exponent), power)
        if rest.get(inner, 0) > 0:  # (1 + u) log(1 + u) is 0 where 1 + u is
            more = s.algebra.op("case", s.algebra.term(1, {inner: 1}, ()), s.reader.flat(more), ZERO)
        return s.reader.raised(s.reader.apply("log1p", more), power)

    return s.each(poly, is_log, change)


def expm1(s: Stabiliser, poly: Poly) -> Poly:
    """k eᵘ − k = k expm1(u)."""
    terms = dict(poly)
    for (factors, bound), coefficient in poly if len(poly) > 1 else ():
        grown = tuple(f for f in factors if s.is_call(f[0], "exp"))
        rest = (tuple(f for f in factors if f not in grown), bound)
        exponent = None if bound else s.exponent(grown)
        if exponent is None or terms.get(rest) != -coefficient:
            continue
        others = tuple(term for term in poly if term[0] not in ((factors, bound), rest))
        beside = s.algebra.term(coefficient, dict(rest[0]), ())
        return s.algebra.add(others, s.algebra.mul(beside, s.reader.apply("expm1", exponent)))
    return poly
