"""Intermediates that nobody named: u over a statistic of u, of degree 0 (p = eᶻ/Σeᶻ, x̂ = (x − μ)/σ, x/‖x‖)."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from derive.terms import Algebra, Atom, Head, Poly, Power, absolute, number
from derive.terms.windows import PLAIN

from .rules import Fact

Degrees = dict[tuple[int, int], Fraction]  # (s, u): the degree of the statistic s in u


def discovered(algebra: Algebra, polys: Iterable[Poly], facts: Iterable[Fact] = ()) -> tuple[Head, ...]:
    """Names for every u·q^(−r) found in the polys, where q's definition has degree 1/r in u.

    A fact Σ uᵏ = s·… makes s, too, a statistic of u of degree k (v = mean x² − μ², where Σ(x − μ)² = D v).
    """
    powers = {
        (atom[0], fact.pattern[0][0][0]): Fraction(fact.pattern[0][1])
        for fact in facts
        if len(fact.pattern) == 1
        for (factors, _), _ in fact.value
        for atom, power in factors
        if power == 1 and algebra.heads[atom[0]].kind == "name"
    }
    statistics = dict.fromkeys(
        (factors, atom, power)
        for poly in polys
        for (factors, _), _ in poly
        for atom, power in factors
        if algebra.heads[atom[0]].kind == "name" and power < 0
    )
    found: dict[int, Head] = {}
    for factors, statistic, power in statistics:
        for made in _over(algebra, dict(factors), statistic, power, powers):
            found.setdefault(made.id, made)
    for _, statistic, _ in statistics:  # after the ratios, which are read first where both serve
        for made in _reciprocal(algebra, statistic):
            found.setdefault(made.id, made)
    return tuple(found.values())


def _over(
    algebra: Algebra, factors: dict[Atom, Power], statistic: Atom, power: Power, powers: Degrees
) -> Iterable[Head]:
    for atom, p in factors.items():
        if atom == statistic or not set(statistic[1]) <= set(atom[1]):
            continue
        whole = algebra.heads[atom[0]].label == "exp"  # e²ᶻ/Σe²ᶻ: a power of eᶻ is an exponential, too
        if p.denominator != 1 and not whole:
            continue
        if algebra.heads[atom[0]].kind not in ("op", "name", "tensor"):
            continue
        degree = _degree(algebra, statistic[0], atom[0], powers, 0)
        if not degree or (degree > 0) != (p > 0):
            continue
        own, root = (abs(degree), Fraction(1)) if whole else (Fraction(1), 1 / abs(degree))
        if -power < root or absolute(p) < own:
            continue
        body = algebra.term(
            1,
            {
                atom: number(own if p > 0 else -own),
                statistic: number(-root),
                **_support(algebra, factors, statistic, atom),
            },
            (),
        )
        (closed,), letters = algebra.closed_over((body,))
        if len(letters) != len(set(atom[1])):
            continue
        known = algebra.find(("name", closed))
        if known is None:
            _, made = algebra.named(body, role="found", signed=True)
            yield algebra.heads[made[0]]
        elif known.role == "auto":
            known.role = "found"
            algebra.measured.clear()  # it costs a name now, not what it stands for
            yield known


def _support(algebra: Algebra, factors: dict[Atom, Power], statistic: Atom, base: Atom) -> dict[Atom, Power]:
    """What stands beside u, and in its statistic, too: Σ [c] eᶻ makes p = [c] eᶻ/S, Σ π eᵃ eᶻ makes r = π eᵃ eᶻ/S.

    Conditions, but for those that pick one entry, [c = y]: a ratio of one entry is none. Exponentials, for apart eᵃ
    overflows where eᵃ⁺ᶻ does not; weights beside an exponential.
    """
    heads = algebra.heads
    weighted = ("test", "name", "tensor") if heads[base[0]].label == "exp" else ("test",)
    terms = [
        {a[0]: power for a, power in term} for (term, _), _ in heads[statistic[0]].definition
        if any(a[0] == base[0] for a, _ in term)
    ]  # fmt: skip
    return {
        a: power for a, power in factors.items()
        if a not in (base, statistic) and set(a[1]) <= set(base[1]) and all(t.get(a[0]) == power for t in terms)
        and not (heads[a[0]].label == "window" and PLAIN in heads[a[0]].payload.heads)
        and (heads[a[0]].kind in weighted or heads[a[0]].label == "exp")
    }  # fmt: skip


def _reciprocal(algebra: Algebra, statistic: Atom) -> Iterable[Head]:
    """1/q for a bracket q with an exponential in it: σ = 1/(1 + e^−x)."""
    head = algebra.heads[statistic[0]]
    grouped = head.role == "auto" and len(head.definition) > 1
    if grouped and any(algebra.heads[a[0]].label == "exp" for (f, _), _ in head.definition for a, _ in f):
        body = algebra.term(1, {(head.id, head.slots): -1}, ())
        (closed,), _ = algebra.closed_over((body,))
        if algebra.find(("name", closed)) is None:
            yield algebra.heads[algebra.named(body, role="found", signed=True)[1][0]]


def _degree(algebra: Algebra, name: int, base: int, powers: Degrees, depth: int) -> Fraction:
    """The largest degree in which a definition contains `base`, through names; 0 where it does not."""
    if name == base:
        return Fraction(1)
    if (name, base) in powers:
        return powers[name, base]
    head = algebra.heads[name]
    if head.kind != "name" or depth > 4:
        return Fraction(0)
    degrees = [
        sum((Fraction(p) * _degree(algebra, atom[0], base, powers, depth + 1) for atom, p in factors), Fraction(0))
        for (factors, _), _ in head.definition
    ]
    return max(degrees, key=abs, default=Fraction(0))


__all__ = ["discovered"]
