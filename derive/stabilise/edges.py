"""Where a quotient of two things that vanish together, or a product with an infinite one, has a value all the same."""

from __future__ import annotations

from derive.terms import UNIT, ZERO, Atom, Head, Poly, Power

from .differences import log_of_product
from .exponentials import taken
from .form import Factors, Stabiliser

MOST = 4  # terms of a name that is written out


def _apart_from_zero(s: Stabiliser, atom: Atom) -> Poly:
    """The atom, or 1 where it is 0."""
    value = s.algebra.term(1, {atom: 1}, ())
    positive = s.algebra.heads[atom[0]].positive
    return s.algebra.op("case", value, value, s.algebra.constant(1), positive=positive)


def norm_at_zero(s: Stabiliser, poly: Poly) -> Poly:
    """∂‖x‖/∂x = x/‖x‖ is 0 where x is: x/‖x‖ = x/[‖x‖, or 1 where that is 0]."""

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        squares = _squares(s, atom)
        if squares is None or atom[0] in s.divided or s.algebra.heads[atom[0]].positive:
            return None
        order, roots = squares
        if sum(p * _vanishes(s, a, roots) for a, p in rest.items() if p > 0) < -power * order:
            return None
        return s.reader.raised(_apart_from_zero(s, atom), power)

    return s.each(poly, lambda head, power: head.kind == "name" and power < 0, change)


def _vanishes(s: Stabiliser, atom: Atom, roots: set[int]) -> Power:
    """To which order a factor vanishes with these heads: a name for one product as its factors do."""
    body = s.definition(atom) or ZERO
    if atom[0] in roots or len(body) != 1 or body[0][0][1]:
        return int(atom[0] in roots)
    return sum(p for a, p in body[0][0][0] if a[0] in roots and p > 0)


def _squares(s: Stabiliser, atom: Atom) -> tuple[Power, set[int]] | None:
    """(k, heads that vanish with it) of a sum of squares, k = 2, or of its root, k = 1; None for anything else."""
    body = s.definition(atom) or ZERO
    only = body[0] if len(body) == 1 else None
    if only is not None and not only[0][1]:
        for inner, power in only[0][0]:
            below = _squares(s, inner) if power > 0 and not isinstance(power, int) else None
            if below is not None:
                return below[0] * power, below[1]
        return None
    if len(body) < 2 and not any(bound for (_, bound), _ in body):
        return None
    bases: set[int] = set()
    orders: set[Power] = set()
    for (factors, bound), coefficient in body:
        even = [(a[0], p) for a, p in factors if (set(a[1]) & set(bound) or not bound) and _even(s, a, p)]
        if coefficient < 0 or not even:
            return None
        bases.update(head for head, _ in even)
        orders.add(max(p for _, p in even))
    for base in list(bases):
        head = s.algebra.heads[base]
        made = head.args[0] if head.kind == "name" or head.label == "abs" else ZERO
        bases.update(a[0] for (f, _), _ in made for a, _ in f)
    return min(orders), bases


def _even(s: Stabiliser, atom: Atom, power: Power) -> bool:
    """xⁿ, n even, or |x|ᵖ: never negative, 0 where x is."""
    return power > 1 and (s.is_call(atom, "abs") or (isinstance(power, int) and power % 2 == 0))


def beside_exponential(s: Stabiliser, poly: Poly) -> Poly:
    """eᶻ n written out, where n holds what keeps it finite: exponentials, what is divided by, or conditions."""

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        if not any(s.is_call(a, "exp") for a in rest):
            return None
        body = s.argument(atom)
        if power > 0 and not any(bound for (_, bound), _ in body):
            body = s.opened(body)
        held = len(body) <= MOST and (
            all(s.exponent(f) is not None for (f, _), _ in body)
            or (power == 1 and not _sums(s, body) and any(s.exponent(f) is not None for (f, _), _ in body))
            or (power == 1 and all(s.tests(f) for (f, _), _ in body))
            or ((power == 1 or len(body) == 1) and all(_divides(s, f) for (f, _), _ in body))
        )
        if not held or (power != 1 and len(body) > 1):
            return None
        return body if power == 1 else s.reader.raised(body, power)

    return s.each(poly, lambda head, power: head.kind == "name" and head.id not in s.scaled, change)


def beside_sigmoid(s: Stabiliser, poly: Poly) -> Poly:
    """eᵃ σ(u) = exp(a − softplus(−u)): σ may underflow where eᵃ overflows; e⁻ᵘ σ(u) = σ(−u)."""

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        grown = any(s.is_call(a, "exp") for a in rest)
        u = s.call(atom, "sigmoid") if grown else None
        if u is None:
            body = s.safe_definition(atom) or ZERO if grown else ZERO
            shares = len(body) == 1 and body[0][0][0] and all(s.is_call(a, "sigmoid") for a, _ in body[0][0][0])
            return s.reader.raised(body, power) if shares and power == int(power) else None
        minus = s.algebra.scaled(u, -1)
        count = taken(rest, s.reader.exp_of(minus), int(power))
        other = s.reader.raised(s.reader.apply("sigmoid", minus), count) if count else s.algebra.constant(1)
        left = s.reader.exp_of(s.algebra.scaled(s.reader.apply("softplus", minus), count - power))
        return s.algebra.mul(other, left) if count < power else other

    return s.each(poly, lambda head, power: power > 0 and (head.kind == "name" or head.label == "sigmoid"), change)


def _sums(s: Stabiliser, body: Poly, depth: int = 4) -> bool:
    """Whether sums stand in it, or entries read elsewhere: written out, they are made again for all around them."""
    inner = [s.definition(a) for (f, _), _ in body for a in dict(f)] if depth else []
    return any(bound for (_, bound), _ in body) or any(_sums(s, part, depth - 1) for part in inner if part)


def _divides(s: Stabiliser, factors: Factors) -> bool:
    """Whether a sum of exponentials is divided by, here or in a name for one product."""
    for atom, power in factors:
        body = s.definition(atom)
        if body is None:
            continue
        if power < 0 and _grows(s, body):
            return True
        if power == 1 and len(body) == 1 and _divides(s, body[0][0][0]):
            return True
    return False


def _grows(s: Stabiliser, body: Poly) -> bool:
    """Whether a sum has an exponential among its terms, or a sum of such."""
    inner = [s.definition(a) or ZERO for (f, _), _ in body for a, p in f if len(f) == p == 1]
    return any(s.exponent(f) is not None for part in (s.opened(body), *inner) for (f, _), _ in part)


def is_masked(s: Stabiliser, poly: Poly) -> bool:
    """Whether exponentials stand beside conditions of their own, of which none may be drawn out."""
    masked = [s.tests(f) for (f, _), _ in poly if s.exponent(f) is not None]
    return len(set(masked)) > 1 and all(masked)


def is_shifted(s: Stabiliser, poly: Poly) -> bool:
    """Whether exponentials stand together, of which one in other terms too: e⁻ᵐ keeps the others from overflow."""
    grown = [{a for a, _ in f if s.is_call(a, "exp")} for (f, _), _ in poly]
    return any(len(one) > 1 and one & two and one != two for one in grown for two in grown)


def log_of_cases(s: Stabiliser, poly: Poly) -> Poly:
    """log where(c, a, b) = where(c, log a, log b)."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        cases = s.cases(s.definition(inner) or ZERO) if inner is not None else None
        if cases is None or not all(value for _, value in cases):
            return None
        parts = [s.algebra.mul(s.algebra.term(1, {test: 1}, ()), s.reader.log_of(value)) for test, value in cases]
        return s.algebra.add(*parts) if power == 1 else None

    return s.each(poly, lambda head, _: head.kind == "op" and head.label == "log", change)


def power_of_product(s: Stabiliser, poly: Poly) -> Poly:
    """(Π f)ᵖ = exp(p Σ log f), f > 0, for a broken power p: the product may underflow."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        total = log_of_product(s, atom)
        return None if total is None else s.reader.exp_of(s.algebra.scaled(total, power))

    def wanted(head: Head, power: Power) -> bool:
        return head.kind == "op" and head.label == "prod" and not isinstance(power, int)

    return s.each(poly, wanted, change)


def product_with_log(s: Stabiliser, poly: Poly) -> Poly:
    """x log x is 0 at 0: log x = log[x, or 1 where that is 0] beside x."""

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        if inner is None or rest.get(inner, 0) <= 0 or s.algebra.heads[inner[0]].positive or power < 0:
            return None
        body = s.definition(inner)
        if body is not None and dict(body).get(UNIT) == 1:
            return None  # log1p, which guards itself
        return s.reader.raised(s.algebra.op("log", _apart_from_zero(s, inner)), power)

    return s.each(poly, lambda head, _: head.kind == "op" and head.label == "log", change)


def value_of_held(s: Stabiliser, poly: Poly) -> Poly:
    """sg(u) = u: after differentiation it is but a value."""
    return s.each(
        poly,
        lambda head, _: head.kind == "op" and head.label == "stop_gradient",
        lambda atom, power, _: s.reader.raised(s.argument(atom), power),
    )
