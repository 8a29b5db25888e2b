"""Differences that would cancel: identities 1 + ρ = r, told by one factor of a term t. Then t + ρ t = r t."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from math import isqrt

from derive.terms import UNIT, ZERO, Atom, Head, Letter, Poly, Power, Term, number

from .form import Factors, Stabiliser

Identity = tuple[Poly, Poly]  # ρ, r
Look = Callable[[Stabiliser, Atom, Factors], Iterator[Identity]]
HALF = Fraction(1, 2)
MOST = 4  # terms of a definition that is written out
MOST_POWERS = 12  # of a geometric sum


def paired(s: Stabiliser, poly: Poly, wanted: Callable[[Stabiliser, Head, Power], bool], look: Look) -> Poly:
    """The first two terms t and ρ t of the poly as the one term r t."""
    algebra = s.algebra
    present = {term: (coefficient, term) for term, coefficient in poly}
    for term, coefficient in poly if len(poly) > 1 else ():
        if not any(wanted(s, algebra.heads[atom[0]], power) for atom, power in term[0]):
            continue
        factors, bound = algebra.opened(term)
        raw = (coefficient, factors, bound)
        for atom, power in factors.items():
            if not wanted(s, algebra.heads[atom[0]], power):
                continue
            for ratio, joint in look(s, atom, tuple(factors.items())):
                other = algebra.poly(algebra.product(raw, part) for part in algebra.raws(ratio))
                if len(other) == 1 and other[0][0][1]:
                    present |= _sums(s, poly)
                found = present.get(other[0][0]) if len(other) == 1 else None
                if found is not None and found[1] != term and found[0] == other[0][1]:
                    rest = tuple(t for t in poly if t[0] not in (term, found[1]))
                    made = algebra.poly(algebra.product(raw, part) for part in algebra.raws(joint))
                    return algebra.add(rest, made)
    return poly


def _sums(s: Stabiliser, poly: Poly) -> dict[Term, tuple[Power, Term]]:
    """Names of single sums, written out: what they then are → (its coefficient, the term)."""
    found = {}
    for term, coefficient in poly:
        for atom in [a for a, p in term[0] if p == 1]:
            body = s.definition(atom)
            if body is not None and len(body) == 1 and body[0][0][1]:
                written = over(s, atom, s.algebra.mul(((term, coefficient),), body))
                if len(written) == 1:  # beside a place that the sum does not reach nothing is left of it
                    found[written[0][0]] = written[0][1], term
    return found


def over(s: Stabiliser, atom: Atom, poly: Poly, power: Power = 1) -> Poly:
    """poly / atomᵖ."""
    return s.algebra.mul(poly, s.algebra.term(1, {atom: -power}, ()))


def scaled_call(s: Stabiliser, label: str, argument: Poly, by: Power) -> Poly:
    """f(c u)."""
    return s.applied(label, s.algebra.scaled(argument, by))


# Rows: what tells the identity, and the identity.


def is_call(*labels: str) -> Callable[[Stabiliser, Head, Power], bool]:
    """Functions, to a positive power; `name:` names that may stand for one, too."""

    def wanted(s: Stabiliser, head: Head, power: Power) -> bool:
        if "name" in labels and head.kind == "name" and power > 0:
            return True
        return head.kind == "op" and head.label in labels and power > 0

    return wanted


def is_divisor(s: Stabiliser, head: Head, power: Power) -> bool:
    """A sum of two that is divided by, or a name for a quotient."""
    if head.kind != "name" or "exp" not in s.traits_of(head.id):
        return False
    body = head.definition
    return len(body) == 2 if power < 0 else len(body) == 1 and any(p < 0 for _, p in body[0][0][0])


def is_sigmoid(s: Stabiliser, head: Head, power: Power) -> bool:
    """σ, or a name that may stand for one."""
    if power < 0 or head.kind not in ("name", "op"):
        return False
    return head.label == "sigmoid" if head.kind == "op" else not s.traits_of(head.id).isdisjoint(("sigmoid", "exp"))


def divisor(s: Stabiliser, atom: Atom, power: Power) -> tuple[Poly, Atom, Power]:
    """(c y^(p − 1), d, −1) for a power of a name y = c/d; else (1, the atom, its power)."""
    body, one = s.definition(atom) or ZERO, s.algebra.constant(1)
    if isinstance(power, int) and power > 0 and len(body) == 1 and not body[0][0][1]:
        below = [a for a, p in body[0][0][0] if p == -1 and s.definition(a)]
        if len(below) == 1:
            rest = s.algebra.mul(body, s.algebra.term(1, {below[0]: 1}, ()))
            return s.algebra.mul(rest, s.algebra.term(1, {atom: power - 1}, ())), below[0], -1
    return one, atom, power


def is_root(s: Stabiliser, head: Head, power: Power) -> bool:
    """√ of a sum."""
    return head.kind == "name" and (power in (HALF, -HALF) or (power == 1 and len(head.definition) == 1))


def is_below(s: Stabiliser, head: Head, power: Power) -> bool:
    """A sum of several that is divided by."""
    return head.kind == "name" and power < 0 and len(head.definition) > 1


def is_sum_of_one(s: Stabiliser, head: Head, power: Power) -> bool:
    """A power of a sum of 1 and more."""
    return head.kind == "name" and power > 1 and len(head.definition) > 1


def is_exact_tanh(s: Stabiliser, head: Head, power: Power) -> bool:
    """tanh where nothing is summed: elsewhere 1 − y² costs less, and is as near as rounding each operation allows."""
    return s.exact and (head.kind == "name" or head.label == "tanh")


def tanh_of_sigmoid(s: Stabiliser, atom: Atom, _: Factors) -> Iterator[Identity]:
    """2σ(u) − 1 = tanh(u/2)."""
    u = s.call(atom, "sigmoid")
    if u is not None:
        yield (over(s, atom, s.algebra.constant(-HALF)),
               over(s, atom, s.algebra.scaled(scaled_call(s, "tanh", u, HALF), HALF)))  # fmt: skip


def less_other_sigmoid(s: Stabiliser, atom: Atom, _: Factors) -> Iterator[Identity]:
    """σ(u) − σ(−u) = tanh(u/2)."""
    u = s.argument(atom)
    yield (over(s, atom, s.algebra.scaled(scaled_call(s, "sigmoid", u, -1), -1)),
           over(s, atom, scaled_call(s, "tanh", u, HALF)))  # fmt: skip


def other_sigmoid(s: Stabiliser, atom: Atom, _: Factors) -> Iterator[Identity]:
    """1 − σ(u) = σ(−u); of a name y = f σ(u), f − y = f σ(−u)."""
    for rest, u in _within_product(s, atom, "sigmoid"):
        other = s.algebra.mul(scaled_call(s, "sigmoid", u, -1), rest)
        yield over(s, atom, s.algebra.scaled(rest, -1)), over(s, atom, s.algebra.scaled(other, -1))


def _within_product(s: Stabiliser, atom: Atom, label: str) -> Iterator[tuple[Poly, Poly]]:
    """(f, u) where the atom is f g(u), g the function of this label: itself, or a name for one product."""
    u = s.call(atom, label)
    if u is not None:
        yield s.algebra.constant(1), u
        return
    body = s.safe_definition(atom) or ZERO
    if len(body) != 1 or body[0][0][1]:
        return
    for factor, power in body[0][0][0]:
        u = s.call(factor, label) if power == 1 and factor != atom else None
        if u is not None:
            yield over(s, factor, body), u


def less_softplus(s: Stabiliser, atom: Atom, _: Factors) -> Iterator[Identity]:
    """softplus(u) − softplus(−u) = u; softplus(u) + softplus(−u) = 2 log cosh(u/2) + 2 log 2."""
    u = s.argument(atom)
    yield over(s, atom, s.algebra.scaled(scaled_call(s, "softplus", u, -1), -1)), over(s, atom, u)
    two = s.algebra.scaled(s.reader.log_of(s.algebra.constant(2)), 2)
    both = s.algebra.add(s.algebra.scaled(scaled_call(s, "logcosh", u, HALF), 2), two)
    yield over(s, atom, scaled_call(s, "softplus", u, -1)), over(s, atom, both)


def one_and_tanh(s: Stabiliser, atom: Atom, _: Factors) -> Iterator[Identity]:
    """1 + tanh(u) = 2σ(2u); 1 − tanh(u) = 2σ(−2u)."""
    u = s.call(atom, "tanh")
    for sign in (1, -1) if u is not None else ():
        assert u is not None
        joint = s.algebra.scaled(scaled_call(s, "sigmoid", u, 2 * sign), 2 * sign)
        yield over(s, atom, s.algebra.constant(sign)), over(s, atom, joint)


def slope_of_tanh(s: Stabiliser, atom: Atom, _: Factors) -> Iterator[Identity]:
    """1 − tanh²(u) = 4 σ(2u) σ(−2u); so is (tanh⁻²(u) − 1) tanh²(u)."""
    found = s.scaled_call(atom, "tanh")
    if found is not None:
        (c, u), less = found, s.algebra.constant(number(-(Fraction(found[0]) ** 2)))
        both = s.algebra.mul(scaled_call(s, "sigmoid", u, 2), scaled_call(s, "sigmoid", u, -2))
        yield over(s, atom, less, 2), over(s, atom, s.algebra.mul(both, s.algebra.scaled(less, 4)), 2)
        if c == 1:
            yield over(s, atom, less, -2), s.algebra.scaled(both, 4)


def erfc_of_erf(s: Stabiliser, atom: Atom, _: Factors) -> Iterator[Identity]:
    """1 − erf(u) = erfc(u); 1 + erf(u) = erfc(−u); 1 − p = erfc(−u)/2 where p = erfc(u)/2."""
    if s.algebra.heads[atom[0]].kind == "name":
        found = s.scaled_call(atom, "erfc") if "erf" in s.traits_of(atom[0]) else None
        if found is not None and found[0] == HALF:
            joint = s.algebra.scaled(scaled_call(s, "erfc", found[1], -1), -HALF)
            yield over(s, atom, s.algebra.constant(-1)), over(s, atom, joint)
        return
    u = s.argument(atom)
    for sign in (1, -1):
        joint = s.algebra.scaled(scaled_call(s, "erfc", u, sign), -sign)
        yield over(s, atom, s.algebra.constant(-sign)), over(s, atom, joint)


def versine(s: Stabiliser, atom: Atom, _: Factors) -> Iterator[Identity]:
    """1 − cos(u) = 2 sin²(u/2)."""
    square = s.reader.raised(scaled_call(s, "sin", s.argument(atom), HALF), 2)
    yield over(s, atom, s.algebra.constant(-1)), over(s, atom, s.algebra.scaled(square, -2))


def one_and_cosh(s: Stabiliser, atom: Atom, _: Factors) -> Iterator[Identity]:
    """cosh(u) − 1 = 2 sinh²(u/2), sinh = tanh·cosh."""
    parts = (scaled_call(s, name, s.argument(atom), HALF) for name in ("tanh", "cosh"))
    half = s.reader.raised(s.algebra.mul(*parts), 2)
    yield over(s, atom, s.algebra.constant(-1)), over(s, atom, s.algebra.scaled(half, 2))


def one_less_general_power(s: Stabiliser, atom: Atom, _: Factors) -> Iterator[Identity]:
    """aᵛ − 1 = expm1(v log a), a > 0."""
    base, exponent = s.algebra.arguments(s.algebra.heads[atom[0]], atom[1])
    if s.is_positive(base):
        grown = s.reader.apply("expm1", s.algebra.mul(exponent, s.reader.log_of(base)))
        yield over(s, atom, s.algebra.constant(-1)), over(s, atom, grown)


def less_log_of_number(s: Stabiliser, atom: Atom, _: Factors) -> Iterator[Identity]:
    """log(c + w) − log c = log1p(w/c), c > 0 a number."""
    inner = s.logged(atom)
    body = s.definition(inner) or ZERO if inner is not None else ZERO
    c = Fraction(dict(body).get(UNIT, 0))
    if len(body) > 1 and c > 0:
        rest = s.algebra.scaled(tuple(t for t in body if t[0] != UNIT), number(1 / c))
        joint = over(s, atom, s.reader.apply("log1p", rest))
        for times, base in ((1, c), (-1, 1 / c)):  # log(1/n) is −log n
            if base != 1:
                yield over(s, atom, s.algebra.scaled(s.reader.log_of(s.algebra.constant(number(base))), -times)), joint


def root_less_root(s: Stabiliser, atom: Atom, _: Factors) -> Iterator[Identity]:
    """√(c² + w) − c = w/(√(c² + w) + c); and of a name for c/√(c² + w), less 1."""
    body = s.definition(atom) or ZERO
    yield from _of_a_quotient(s, atom, body, lambda inner, _: root_less_root(s, inner, ()))
    for term, coefficient in body:
        root = _root(s, term, coefficient)
        if root is not None and len(body) > 1:
            rest = tuple(t for t in body if t[0] != term)
            under = s.algebra.add(s.algebra.term(1, {atom: HALF}, ()), root)
            joint = s.algebra.mul(rest, s.reader.raised(under, -1))
            yield over(s, atom, s.algebra.scaled(root, -1), HALF), over(s, atom, joint, HALF)
            share = s.reader.raised(root, -1)  # c/√(c² + w) − 1 is the same over the root
            yield (s.algebra.scaled(over(s, atom, share, -HALF), -1),
                   s.algebra.scaled(s.algebra.mul(joint, share), -1))  # fmt: skip


def _of_a_quotient(s: Stabiliser, atom: Atom, body: Poly,
                   look: Callable[[Atom, Factors], Iterator[Identity]]) -> Iterator[Identity]:  # fmt: skip
    """A name y = u/√d, and ±1: the identities of what it stands for."""
    for inner in [a for a, p in body[0][0][0] if p == -HALF] if len(body) == 1 and not body[0][0][1] else ():
        for ratio, joint in look(inner, body[0][0][0]):
            one = s.algebra.mul(ratio, body)
            if one in (s.algebra.constant(1), s.algebra.constant(-1)):
                yield over(s, atom, one), over(s, atom, s.algebra.mul(joint, body))


def root_and_more(s: Stabiliser, atom: Atom, beside: Factors) -> Iterator[Identity]:
    """√(u² + w) ± u = where(±u > 0, q, w/q), q = √(u² + w) + |u|, w > 0; u/√(u² + w) ± 1 is that over the root."""
    algebra, body, root = s.algebra, s.definition(atom) or ZERO, s.algebra.term(1, {atom: HALF}, ())
    order, beside_root = dict(beside)[atom], {a: p for a, p in beside if a != atom}
    yield from _of_a_quotient(s, atom, body, lambda inner, factors: root_and_more(s, inner, factors))
    for (factors, bound), coefficient in body if order == -HALF or (order == HALF and not beside_root) else ():
        scale = _rational_root(coefficient)
        if bound or scale is None or not factors or any(not isinstance(p, int) or p % 2 for _, p in factors):
            continue
        u = algebra.term(scale, {a: int(p) // 2 for a, p in factors}, ())
        w = algebra.add(body, (((factors, bound), -coefficient),))
        if not s.is_positive(w):
            continue
        q = s.reader.grouped(algebra.add(root, s.reader.apply("abs", u)))
        for sign in (1, -1):
            yes, no = s.exceeds(algebra.scaled(u, sign), ZERO)
            joint = algebra.add(algebra.mul(yes, q), algebra.mul(no, w, s.reader.raised(q, -1)))
            if order == HALF:
                yield over(s, atom, algebra.scaled(u, sign), HALF), over(s, atom, joint, HALF)
            elif all(beside_root.get(a, 0) == p for a, p in u[0][0][0]):
                less = algebra.scaled(s.reader.raised(u, -1), sign)
                yield algebra.mul(root, less), algebra.mul(joint, less)


def _rational_root(value: Power) -> Power | None:
    """√c, where it is a fraction."""
    whole = Fraction(value)
    root = Fraction(isqrt(max(0, whole.numerator)), isqrt(whole.denominator))
    return number(root) if root**2 == whole else None


def one_less_share(s: Stabiliser, atom: Atom, beside: Factors) -> Iterator[Identity]:
    """1 − a/d = (d − a)/d, where a is a term of d."""
    algebra = s.algebra
    for term, coefficient in s.definition(atom) or ZERO:
        rest = tuple(t for t in s.definition(atom) or ZERO if t[0] != term)
        if rest and not term[1] and (len(rest) == 1 or s.is_positive(rest)):
            share = s.reader.raised(((term, coefficient),), -1)
            yield over(s, atom, algebra.scaled(share, -1), -1), algebra.scaled(algebra.mul(share, rest), -1)


def one_less_power(s: Stabiliser, atom: Atom, beside: Factors) -> Iterator[Identity]:
    """1 − bⁿ = (1 − b)(1 + b + … + bⁿ⁻¹), where b = 1 − a."""
    algebra, order, body = s.algebra, dict(beside)[atom], s.definition(atom) or ZERO
    if isinstance(order, int) and 1 < order <= MOST_POWERS and dict(body).get(UNIT) == 1 and len(body) > 1:
        less = algebra.scaled(tuple(t for t in body if t[0] != UNIT), -1)
        powers = s.reader.grouped(algebra.add(*(algebra.term(1, {atom: k}, ()) for k in range(order))))
        joint = algebra.mul(less, powers)
        yield over(s, atom, algebra.constant(-1), order), over(s, atom, algebra.scaled(joint, -1), order)


def _root(s: Stabiliser, term: tuple[Factors, tuple[Letter, ...]], coefficient: Power) -> Poly | None:
    """c of c², c > 0."""
    roots = _rational_root(coefficient)
    even = all(s.is_positive_atom(a) for a, _ in term[0])
    if term[1] or not even or roots is None:
        return None
    return s.algebra.term(roots, {a: number(Fraction(p) / 2) for a, p in term[0]}, ())


def one_less_quotient(s: Stabiliser, atom: Atom, beside: Factors) -> Iterator[Identity]:
    """1 − k a/d = (d − k a)/d, where nothing cancels in d − k a; sign(a) a is |a|."""
    algebra, power, body = s.algebra, dict(beside)[atom], s.definition(atom) or ZERO
    if len(body) != 1 or body[0][0][1] or not isinstance(power, int):
        return
    units = [({atom: order}, s.reader.raised(body, order)) for order in range(1, min(power, MOST) + 1)]
    signs = [a for a, p in beside if p == 1 and s.is_call(a, "sign")]
    units += [({atom: 1, sign: 1}, _absolute(s, body, s.argument(sign))) for sign in signs]
    for unit, value in units:
        under = algebra.term(1, {a: -p for a, p in unit.items()}, ())
        for divisor, order in value[0][0][0] if value else ():
            whole = s.definition(divisor) if order == -1 else None
            share = over(s, divisor, value, -1)
            by = Fraction(1)
            if len(share) == 1 and (found := dict(whole or ZERO).get(share[0][0])):
                by = Fraction(found) / Fraction(share[0][1])
            top = algebra.add(whole or ZERO, algebra.scaled(share, number(-by)))
            if whole and 0 < len(top) < len(whole) and (len(top) == 1 or algebra.is_positive(top)):
                less = algebra.scaled(under, number(-1 / by))
                yield less, algebra.mul(over(s, divisor, top), less)


def _absolute(s: Stabiliser, product: Poly, factor: Poly) -> Poly:
    """sign(a) times a product with the factor a."""
    only, ((factors, bound), coefficient) = s.lone(factor), product[0]
    if only is None or dict(factors).get(only) != 1:
        return ZERO
    rest = s.algebra.term(coefficient, {a: p for a, p in factors if a != only}, bound)
    return s.algebra.mul(rest, s.reader.apply("abs", factor))


def one_less_product(s: Stabiliser, atom: Atom, _: Factors) -> Iterator[Identity]:
    """1 − Π f = −expm1(Σ log f), f > 0."""
    total = log_of_product(s, atom)
    if total is not None:
        yield over(s, atom, s.algebra.constant(-1)), over(s, atom, s.reader.apply("expm1", total))


def log_of_product(s: Stabiliser, atom: Atom) -> Poly | None:
    """Σ log f of Π f, f > 0."""
    (body,), over = s.algebra.unbound(s.algebra.heads[atom[0]], atom[1])
    return s.algebra.summed(s.reader.log_of(body), over) if s.is_positive(body) else None


def through_a_definition(s: Stabiliser, poly: Poly) -> Poly:
    """1 + y = eᵘ where y = eᵘ − 1: a definition, or one in it, is written out where its terms cancel."""
    for made in _written_out(s, poly, poly) if len(poly) > 1 else ():
        if len(made) < len(poly):
            return made
        for more in _written_out(s, made, tuple(t for t in made if t not in poly)) if len(made) == len(poly) else ():
            if len(more) < len(poly):
                return more
    return poly


def _written_out(s: Stabiliser, poly: Poly, among: Poly) -> Iterator[Poly]:
    """The poly with one name in one of these terms written out; no sums."""
    for term, coefficient in among:
        for atom in [a for a, p in term[0] if p == 1 and s.algebra.heads[a[0]].kind == "name" and not term[1]]:
            body = s.definition(atom) or ZERO
            if body and not any(bound for (_, bound), _ in body) and len(body) < MOST:
                rest = tuple(t for t in poly if t[0] != term)
                yield s.algebra.add(rest, over(s, atom, s.algebra.mul(((term, coefficient),), body)))
