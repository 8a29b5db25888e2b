"""Logarithms of entries, powers, roots and differences; and what softplus and log cosh leave of a sum."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from derive.terms import UNIT, ZERO, Atom, Letter, Poly, Power, is_window, solutions

from .differences import HALF, Identity, log_of_product, over, through_a_definition
from .exponentials import log_of_both
from .form import Factors, Stabiliser
from .shifts import is_log, larger, raised


def log_of_entry(s: Stabiliser, poly: Poly) -> Poly:
    """log Σ_c [c = y] f(c) = Σ_c [c = y] log f(c), where y lies in the range of c: one entry is chosen."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        return _of_entry(s, inner, s.reader.log_of) if inner is not None and power == 1 else None

    return s.each(poly, is_log, change)


def power_of_entry(s: Stabiliser, poly: Poly) -> Poly:
    """(Σ_c [c = y] f(c))ᵛ = Σ_c [c = y] f(c)ᵛ, f > 0: one entry is chosen."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        base, exponent = s.algebra.arguments(s.algebra.heads[atom[0]], atom[1])
        inner = s.lone(base)

        def raised_to(rest: Poly) -> Poly:
            return s.reader.exp_of(s.algebra.scaled(s.algebra.mul(s.reader.log_of(rest), exponent), power))

        return _of_entry(s, inner, raised_to, sure=True) if inner is not None else None

    return s.each(poly, lambda head, _: head.kind == "op" and head.label == "pow", change)


def _of_entry(s: Stabiliser, atom: Atom, f: Callable[[Poly], Poly], *, sure: bool = False) -> Poly | None:
    """Σ_c [c = y] f(u) of a name for Σ_c [c = y] u; `sure`: only where u is known to be positive."""
    body = s.definition(atom)
    if body is None or len(body) != 1 or not body[0][0][1]:
        return None
    ((coefficient, factors, bound),) = s.algebra.raws(body)
    windows = {a: p for a, p in factors.items() if is_window(s.algebra.heads[a[0]])}
    rest = s.algebra.term(coefficient, {a: p for a, p in factors.items() if a not in windows}, ())
    if coefficient < 0 or not rest or not _chosen(s, windows, bound) or (sure and not s.is_positive(rest)):
        return None
    return s.algebra.summed(s.algebra.mul(s.algebra.term(1, windows, ()), f(rest)), bound)


def _chosen(s: Stabiliser, windows: dict[Atom, Power], bound: frozenset[Letter]) -> bool:
    """Whether each bound letter is given by a window of its own."""
    given = [{letter for letter, _, _ in solutions(s.algebra, atom)} & bound for atom in windows]
    return len(windows) == len(bound) and all(len(g) == 1 for g in given) and set().union(*given) == bound


def log_through_a_definition(s: Stabiliser, poly: Poly) -> Poly:
    """log(1 − p) = u where p = 1 − eᵘ: what is left of a sum is one product."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        body = s.definition(inner) or ZERO if inner is not None else ZERO
        left = through_a_definition(s, body) if len(body) == 2 else body
        positive = len(left) == 1 < len(body) and not left[0][0][1] and s.is_positive(left)
        return raised(s, s.reader.log_of(left), power) if positive else None

    return s.each(poly, is_log, change)


def log_of_power(s: Stabiliser, poly: Poly) -> Poly:
    """log aᵛ = v log a, a > 0."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        if inner is None or not s.is_call(inner, "pow"):
            return None
        base, exponent = s.algebra.arguments(s.algebra.heads[inner[0]], inner[1])
        return s.reader.raised(s.algebra.mul(s.reader.log_of(base), exponent), power) if s.is_positive(base) else None

    return s.each(poly, is_log, change)


def power_by_exponential(s: Stabiliser, poly: Poly) -> Poly:
    """aᵛ = exp(v log a): of a number, and of what grows or decays as exponentials and products do."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        base, exponent = s.algebra.arguments(s.algebra.heads[atom[0]], atom[1])
        only = s.lone(base)
        total = log_of_product(s, only) if only is not None and s.is_call(only, "prod") else None
        if total is None and s.is_positive(base) and (_is_number(base) or s.traits(base) & {"exp", "sigmoid"}):
            total = s.reader.log_of(base)
        return None if total is None else s.reader.exp_of(s.algebra.scaled(s.algebra.mul(total, exponent), power))

    return s.each(poly, lambda head, _: head.kind == "op" and head.label == "pow", change)


def _is_number(poly: Poly) -> bool:
    return len(poly) == 1 and poly[0][0] == UNIT


def root_of_power(s: Stabiliser, poly: Poly) -> Poly:
    """(uⁿ)ᵖ = uⁿᵖ, u > 0, where a name stands for uⁿ and n p is whole."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        body = s.definition(atom) or ZERO
        if len(body) != 1 or body[0][0][1] or body[0][1] != 1 or len(body[0][0][0]) != 1:
            return None
        ((inner, order),) = body[0][0][0]
        if isinstance(power, int) and isinstance(order, int):
            return None
        if (Fraction(order) * power).denominator != 1 or not s.is_positive_atom(inner):
            return None
        return s.algebra.term(1, {inner: int(Fraction(order) * power)}, ())

    return s.each(poly, lambda head, _: head.kind == "name", change)


def log_of_difference(s: Stabiliser, poly: Poly) -> Poly:
    """log(eᵘ − eᵛ) = u + log(1 − eᵛ⁻ᵘ)."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        found = s.two_terms(s.definition(inner) or ZERO, -1) if inner is not None else None
        if found is None:
            return None
        k, u, v = found if found[0] > 0 else (-found[0], found[2], found[1])
        if u == ZERO:
            return None
        grown = s.reader.exp_of(s.algebra.add(v, s.algebra.scaled(u, -1)))
        rest = s.algebra.add(s.algebra.constant(1), s.algebra.scaled(grown, -1))
        shift = s.reader.log_of(s.algebra.constant(k)) if k != 1 else ZERO
        return raised(s, s.algebra.add(u, s.reader.log_of(rest), shift), power)

    return s.each(poly, is_log, change)


def log_of_tanh(s: Stabiliser, poly: Poly) -> Poly:
    """log(1 ± tanh u) = log 2 − softplus(∓2u); log(1 − tanh² u) = −2 log cosh u."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        found = s.one_and_tanh(inner) if inner is not None else None
        if found is None:
            return None
        k, u, order = found
        part = s.applied("logcosh", u) if order == 2 else s.reader.apply("softplus", s.algebra.scaled(u, -2))
        shift = 2 * k if order == 1 else k
        constant = s.reader.log_of(s.algebra.constant(shift)) if shift != 1 else ZERO
        return raised(s, s.algebra.add(constant, s.algebra.scaled(part, -order)), power)

    return s.each(poly, is_log, change)


def log_between_sigmoids(s: Stabiliser, poly: Poly) -> Poly:
    """log(σ(u) − σ(v)) = log σ(u) + log σ(−v) + log(1 − eᵛ⁻ᵘ)."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        body = sorted(s.definition(inner) or ZERO, key=lambda t: -t[1]) if inner is not None else []
        alone = [s.lone(((term, 1),)) for term, _ in body]
        calls = [s.call(a, "sigmoid") for a in alone if a is not None]
        if len(body) != 2 or len(calls) != 2 or body[0][1] != 1 or body[1][1] != -1:
            return None
        u, v = calls
        if u is None or v is None:
            return None
        apart = s.reader.exp_of(s.algebra.add(v, s.algebra.scaled(u, -1)))
        rest = s.reader.log_of(s.algebra.add(s.algebra.constant(1), s.algebra.scaled(apart, -1)))
        softs = [s.reader.apply("softplus", w) for w in (s.algebra.scaled(u, -1), v)]
        return raised(s, s.algebra.add(rest, *(s.algebra.scaled(soft, -1) for soft in softs)), power)

    return s.each(poly, is_log, change)


def log_of_root(s: Stabiliser, poly: Poly) -> Poly:
    """log(u + √(u² + c)) = asinh(u/√c) + log(c)/2, c > 0."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        body = s.definition(inner) or ZERO if inner is not None else ZERO
        for term, coefficient in body if len(body) > 1 else ():
            if coefficient != 1 or term[1] or len(term[0]) != 1 or term[0][0][1] != HALF:
                continue
            u = tuple(t for t in body if t[0] != term)
            square = s.algebra.mul(u, u)
            c = s.algebra.add(s.definition(term[0][0][0]) or ZERO, s.algebra.scaled(square, -1))
            if not s.is_positive(c) or len(c) > 1:
                continue
            grown = s.reader.apply("asinh", s.algebra.mul(u, s.reader.raised(c, -HALF)))
            shift = s.algebra.scaled(s.reader.log_of(c), HALF) if c != s.algebra.constant(1) else ZERO
            return raised(s, s.algebra.add(grown, shift), power)
        return None

    return s.each(poly, is_log, change)


def less_log_two(s: Stabiliser, atom: Atom, _: Factors) -> Iterator[Identity]:
    """log(eᵘ + eᵛ) − log 2 = max(u, v) + log1p(expm1(−|u − v|)/2); log cosh(u) − u is that of 0 and −2u."""
    inner, two = s.logged(atom), s.reader.log_of(s.algebra.constant(2))
    found = s.two_exponentials(inner) if inner is not None else None
    if found is not None and found[0] == 1:
        yield over(s, atom, s.algebra.scaled(two, -1)), over(s, atom, _log_of_mean(s, *found[1:]))
    if s.is_call(atom, "softplus"):
        yield over(s, atom, s.algebra.scaled(two, -1)), over(s, atom, _log_of_mean(s, s.argument(atom), ZERO))
    for sign in (1, -1) if s.is_call(atom, "logcosh") else ():
        u = s.algebra.scaled(s.argument(atom), sign)
        twice = s.algebra.scaled(u, -2)
        yield over(s, atom, s.algebra.scaled(u, -1)), over(s, atom, _log_of_mean(s, twice, ZERO))


def _log_of_mean(s: Stabiliser, u: Poly, v: Poly) -> Poly:
    apart = s.reader.apply("abs", s.algebra.add(u, s.algebra.scaled(v, -1)))
    near = s.algebra.scaled(s.reader.apply("expm1", s.algebra.scaled(apart, -1)), HALF)
    return s.algebra.add(larger(s, s.reader.flat(u), s.reader.flat(v)), s.reader.apply("log1p", near))


# Several terms at once: what stands beside f(u) makes f(−u), or another function, of it.


def without_argument(s: Stabiliser, poly: Poly) -> Poly:
    """softplus(u) − u = softplus(−u); softplus(u) − u/2 − log 2 = log cosh(u/2)."""
    for term, coefficient in poly if len(poly) > 1 else ():
        for atom, power in term[0]:
            if power != 1 or not s.is_call(atom, "softplus"):
                continue
            beside = s.algebra.mul(((term, coefficient),), s.algebra.term(1, {atom: -1}, ()))
            u = s.argument(atom)
            for less, made in _without(s, u):
                taken = s.algebra.mul(beside, less)
                if _stand_in(poly, taken):
                    rest = s.algebra.add(poly, s.algebra.scaled(taken, -1), ((term, -coefficient),))
                    return s.algebra.add(rest, s.algebra.mul(beside, made))
    return poly


def with_a_part(s: Stabiliser, poly: Poly) -> Poly:
    """v + softplus(u − v) = log(eᵘ + eᵛ) = max(u, v) + log1p(exp(−|u − v|))."""
    terms = dict(poly)
    for term, coefficient in poly if len(poly) > 1 else ():
        for atom, power in term[0]:
            if power != 1 or term[1] or not s.is_call(atom, "softplus"):
                continue
            beside, apart = s.algebra.mul(((term, coefficient),), s.algebra.term(1, {atom: -1}, ())), s.argument(atom)
            standing = [(t, s.algebra.mul(beside, ((t, -c),))) for t, c in apart]
            parts = [((t, -dict(apart)[t]),) for t, made in standing if made and terms.get(made[0][0]) == made[0][1]]
            if not parts:
                continue
            v = s.algebra.add(*parts)
            u = s.algebra.add(apart, v)
            taken = s.algebra.add(s.algebra.mul(beside, v), ((term, coefficient),))
            rest = s.algebra.add(poly, s.algebra.scaled(taken, -1))
            return s.algebra.add(rest, s.algebra.mul(beside, s.reader.grouped(log_of_both(s, u, v))))
    return poly


def _without(s: Stabiliser, u: Poly) -> Iterator[Identity]:
    """What stands beside softplus(u), and what both are."""
    half = s.algebra.scaled(u, HALF)
    two = s.reader.log_of(s.algebra.constant(2))
    yield s.algebra.scaled(u, -1), s.reader.apply("softplus", s.algebra.scaled(u, -1))
    yield s.algebra.scaled(s.algebra.add(half, two), -1), s.applied("logcosh", half)


def _stand_in(poly: Poly, part: Poly) -> bool:
    """Whether every term of the part is a term of the poly."""
    terms = dict(poly)
    return bool(part) and all(terms.get(term) == coefficient for term, coefficient in part)
