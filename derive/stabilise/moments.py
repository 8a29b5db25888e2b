"""Moments: what is subtracted from a mean of products is taken from their factors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from derive.terms import Atom, Head, Letter, Poly, Power

from .differences import Identity
from .form import Factors, Stabiliser


@dataclass(frozen=True)
class Sum:
    """A name for a Σ f over some letters, where a has none of them."""

    name: Atom
    outside: Poly
    body: Poly
    over: tuple[Letter, ...]


def is_sum(s: Stabiliser, head: Head, power: Power) -> bool:
    """A name for a Σ f."""
    return head.kind == "name" and power > 0 and len(head.definition) == 1 and bool(head.definition[0][0][1])


def centred(s: Stabiliser, atom: Atom, beside: Factors) -> Iterator[Identity]:
    """N⁻¹ Σ f g − (N⁻¹ Σ f)(N⁻¹ Σ g) = N⁻¹ Σ (f − mean f)(g − mean g)."""
    algebra, power, heads = s.algebra, dict(beside)[atom], s.algebra.heads
    others = [atom] if power == 2 else [a for a, p in beside if p == power == 1 and a > atom]
    others = [other for other in others if is_sum(s, heads[other[0]], 1) and _averaged(s, (atom, other), beside)]
    for one, two in ((_sum(s, atom), _sum(s, other)) for other in others):
        spaces = [[algebra.letter_space[k] for k in each.over] for each in (one, two)]
        if spaces[0] != spaces[1]:
            continue
        two = Sum(two.name, two.outside, algebra.relabelled(two.body, dict(zip(two.over, one.over, strict=True))),
                  one.over)  # fmt: skip
        outside = algebra.mul(one.outside, two.outside, _count(s, one))
        apart = [_less_mean(s, each) for each in (one, two)]
        inner = s.reader.raised(apart[0], 2) if one == two else algebra.mul(*map(s.reader.grouped, apart))
        under = algebra.mul(*(algebra.term(-1 if k else 1, {each.name: -1}, ()) for k, each in enumerate((one, two))))
        plain = algebra.summed(algebra.mul(one.body, two.body), one.over)
        yield algebra.mul(outside, plain, under), algebra.mul(outside, algebra.summed(inner, one.over), under)


def _averaged(s: Stabiliser, names: tuple[Atom, ...], beside: Factors) -> bool:
    """Whether a length is divided by, here or in the names: else no mean is meant."""
    heads = s.algebra.heads
    factors = [*beside, *(f for name in names for f in heads[name[0]].definition[0][0][0])]
    return any(power < 0 and heads[atom[0]].kind == "symbol" for atom, power in factors)


def _sum(s: Stabiliser, atom: Atom) -> Sum:
    ((coefficient, factors, bound),) = s.algebra.raws(s.argument(atom))
    outer = {a: p for a, p in factors.items() if not set(a[1]) & bound}
    inner = {a: p for a, p in factors.items() if a not in outer}
    over = tuple(sorted(bound, key=lambda k: (s.algebra.letter_space[k], k)))
    return Sum(atom, s.algebra.term(coefficient, outer, ()), s.algebra.term(1, inner, ()), over)


def _count(s: Stabiliser, total: Sum) -> Poly:
    return s.algebra.mul(*(s.algebra.size_of[s.algebra.letter_space[k]] for k in total.over))


def _less_mean(s: Stabiliser, total: Sum) -> Poly:
    """f − mean f."""
    algebra = s.algebra
    scale = s.reader.raised(algebra.mul(total.outside, _count(s, total)), -1)
    mean = algebra.mul(algebra.term(1, {total.name: 1}, ()), scale)
    return algebra.add(total.body, algebra.scaled(mean, -1))
