"""Moments: what is subtracted from a mean is taken from what it is the mean of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from derive.terms import ZERO, Atom, Head, Letter, Poly, Power

from .differences import Identity
from .form import Factors, Stabiliser
from .others import is_summand
from .shifts import shifted


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


@dataclass(frozen=True)
class Expected:
    """w Σ p z over a letter of its own, p = eᶻ/Σeᶻ: the weight w, p, z, the largest z, and the letter."""

    outside: Poly
    share: Poly
    exponent: Poly
    largest: Poly
    over: Letter

    def total(self, s: Stabiliser, of: Poly) -> Poly:
        """w Σ p f."""
        return s.algebra.mul(self.outside, s.algebra.summed(s.algebra.mul(self.share, of), (self.over,)))

    def at(self, s: Stabiliser, letter: Letter, of: Poly) -> Poly:
        """w f at another letter."""
        return s.algebra.mul(self.outside, s.algebra.relabelled(of, {self.over: letter}))


def mean_beside_largest(s: Stabiliser, poly: Poly) -> Poly:
    """E z − z = E(z − m) − (z − m), where E weighs with eᶻ/Σeᶻ and m is the largest z: the gradient of an entropy."""
    present = dict(poly)
    for term, coefficient in poly if len(poly) > 1 else ():
        if len(term[1]) != 1 or term[1][0] not in {k for a, _ in term[0] for k in a[1]}:
            continue
        for found in _expected(s, coefficient, *s.algebra.opened(term)):
            less = s.reader.grouped(s.algebra.add(found.exponent, s.algebra.scaled(found.largest, -1)))
            for letter in _alike(s, poly, found.over):
                taken = s.algebra.add(found.total(s, found.exponent),
                                      s.algebra.scaled(found.at(s, letter, found.exponent), -1))  # fmt: skip
                if all(present.get(t) == c for t, c in taken):
                    rest = s.algebra.add(poly, s.algebra.scaled(taken, -1), found.total(s, less))
                    return s.algebra.add(rest, s.algebra.scaled(found.at(s, letter, less), -1))
    return poly


def _alike(s: Stabiliser, poly: Poly, letter: Letter) -> list[Letter]:
    space = s.algebra.letter_space
    return [k for k in s.algebra.free(poly) if space[k] == space[letter]]


def _expected(s: Stabiliser, coefficient: Power, factors: dict[Atom, Power],
              bound: frozenset[Letter]) -> Iterator[Expected]:  # fmt: skip
    """What a term says as w Σ p zᵢ, for a term zᵢ of z."""
    (over,) = bound
    inner = {a: p for a, p in factors.items() if over in a[1]}
    outer = {a: p for a, p in factors.items() if a not in inner}
    for atom in [a for a, p in inner.items() if p == 1 and s.algebra.heads[a[0]].kind == "name"]:
        body = s.definition(atom) or ZERO
        below = [a for a, p in body[0][0][0] if p == -1 and over not in a[1]] if len(body) == 1 else []
        peaks = [shifted(s, s.algebra.heads[a[0]]) for a in below]
        if len(below) != 1 or peaks[0] is None:
            continue
        one = s.opened(s.algebra.mul(body, s.algebra.term(1, {below[0]: 1}, ())))
        z = s.exponent(one[0][0][0]) if len(one) == 1 and s.all_exp(one[0][0][0]) else None
        beside = {a: p for a, p in inner.items() if a != atom}
        scales = [s.algebra.term(c, {a: p for a, p in f if over not in a[1]}, ()) for (f, bound), c in z or ZERO
                  if not bound and {a: p for a, p in f if over in a[1]} == beside]  # fmt: skip
        if z is None or not scales or not is_summand(s, one, below[0], over):
            continue
        weight = s.algebra.mul(s.algebra.term(coefficient, outer, ()), s.reader.raised(scales[0], -1))
        largest = s.at(s.algebra.heads[below[0][0]], below[0][1], peaks[0][0])
        yield Expected(weight, s.algebra.term(1, {atom: 1}, ()), z, largest, over)
