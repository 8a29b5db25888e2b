"""Two terms that are together a multiple of a sum the author grouped: p − p² as p·(1 − p), where 1 − p is a name."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from derive.terms import Atom, Factors, Head, Letter, Poly, Power, Raw, absolute, number

from .rules import Rules

Pattern = tuple[tuple[Atom, Power], ...]


def collected(rules: Rules, poly: Poly) -> tuple[Poly, tuple[object, ...]] | None:
    """The poly with one such pair written by the name."""
    if len(poly) < 2 or not rules.brackets:
        return None
    present = {atom[0] for (factors, _), _ in poly for atom, _ in factors}
    for head in rules.brackets:
        (one, _), (two, _) = head.definition
        part = max((one, two), key=lambda term: len(term[0]))
        if all(atom[0] in present for atom, _ in part[0]):
            found = _pair(rules, poly, head)
            if found is not None:
                return found, (head.id,)
    return None


def summed_up(rules: Rules, poly: Poly) -> tuple[Poly, tuple[object, ...]] | None:
    """Σ_c of a bracket that comes out without a sum: Σ_c where(c = t, 1 − ε + ε/C, ε/C) = 1."""
    algebra = rules.algebra
    for place, (term, coefficient) in enumerate(poly):
        for (head, letters), power in term[0] if term[1] else ():
            kind = algebra.heads[head]
            alone = {a for a in letters if a in term[1] and sum(a in ls for (_, ls), _ in term[0]) == 1}
            if kind.kind != "name" or kind.role != "auto" or power != 1 or not alone:
                continue
            (body,) = algebra.arguments(kind, letters)
            total = algebra.summed(body, alone)
            if any(bound for (_, bound), _ in total):
                continue
            rest = {a: p for a, p in term[0] if a != (head, letters)}
            others = algebra.poly([(coefficient, rest, frozenset(term[1]) - alone)])
            return algebra.add(poly[:place] + poly[place + 1 :], algebra.mul(others, total)), (head,)
    return None


def _pair(rules: Rules, poly: Poly, head: Head) -> Poly | None:
    algebra = rules.algebra
    first, second = sorted(head.definition, key=lambda tc: -len(tc[0][0]))
    for place, (term, coefficient) in enumerate(poly):
        names = {letter: algebra.fresh(letter) for letter in term[1]}
        factors, bound = algebra.renamed(dict(term[0]), names), frozenset(names.values())
        for at, rest in _quotients(factors, first[0][0]):
            if set(at) != set(head.slots):
                continue
            scale = Fraction(coefficient) / Fraction(first[1])
            shared: Raw = (number(scale), rest, bound)
            other = algebra.renamed(dict(second[0][0]), at)
            partner = algebra.poly([algebra.product(shared, (second[1], other, frozenset()))])
            if len(partner) == 1 and partner[0] in poly[:place] + poly[place + 1 :]:
                named: Raw = (1, {(head.id, tuple(at[s] for s in head.slots)): 1}, frozenset())
                left = tuple(t for k, t in enumerate(poly) if k != place and t != partner[0])
                return algebra.add(left, algebra.poly([algebra.product(shared, named)]))
    return None


def _quotients(factors: Factors, pattern: Pattern) -> Iterator[tuple[dict[Letter, Letter], Factors]]:
    """Ways to divide the factors by a pattern: (slot letters → letters, what is left)."""

    def extend(k: int, at: dict[Letter, Letter], left: Factors) -> Iterator[tuple[dict[Letter, Letter], Factors]]:
        if k == len(pattern):
            yield at, {a: p for a, p in left.items() if p}
            return
        (head, letters), power = pattern[k]
        for atom, p in list(left.items()):
            if atom[0] == head and p * power > 0 and absolute(p) >= absolute(power):
                new = dict(at)
                if all(new.setdefault(a, b) == b for a, b in zip(letters, atom[1], strict=True)):
                    yield from extend(k + 1, new, {**left, atom: number(p - power)})

    yield from extend(0, {}, dict(factors))
