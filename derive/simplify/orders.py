"""[i < j] + [j < i] = [i ≠ j], and [i ≠ j] + δ_ij = 1: what holds in either order is a condition of its own."""

from __future__ import annotations

from derive.terms import Algebra, Atom, Head, Poly
from derive.terms.apart import unequal

from .rules import Rules


def either_order(rules: Rules, poly: Poly) -> tuple[Poly, tuple[object, ...]] | None:
    """Two terms that differ by the order of two indices alone are one term where the indices differ."""
    algebra, known = rules.algebra, dict(poly)
    for term, coefficient in poly:
        factors, bound = algebra.opened(term)
        for atom in [a for a in factors if _orders(algebra, algebra.heads[a[0]])]:
            rest = {a: p for a, p in factors.items() if a != atom}
            turned = algebra.term(coefficient, {**rest, (atom[0], atom[1][::-1]): 1}, bound)
            if len(turned) != 1 or turned[0][0] == term or known.get(turned[0][0]) != turned[0][1]:
                continue
            left = tuple((t, c) for t, c in poly if t not in (term, turned[0][0]))
            apart = unequal(algebra, (algebra.delta.id, atom[1]))
            return algebra.add(left, algebra.term(coefficient, {**rest, apart: 1}, bound)), ()
    return None


def equal_or_not(rules: Rules, poly: Poly) -> tuple[Poly, tuple[object, ...]] | None:
    """[i ≠ j] f_ij + δ_ij f_ii = f_ij: the terms for equal indices and those for different ones are all."""
    algebra, known = rules.algebra, dict(poly)
    for term, coefficient in poly if len(poly) > 1 else ():
        if not any(_differ(algebra, head) for (head, _), _ in term[0]):
            continue
        factors, bound = algebra.opened(term)
        for atom in [a for a in factors if _differ(algebra, a[0])]:
            rest = {a: p for a, p in factors.items() if a != atom}
            equal = algebra.term(coefficient, {**rest, (algebra.delta.id, atom[1]): 1}, bound)
            if len(equal) == 1 and known.get(equal[0][0]) == equal[0][1]:
                left = tuple((t, c) for t, c in poly if t not in (term, equal[0][0]))
                return algebra.add(left, algebra.term(coefficient, rest, bound)), ()
    return None


def _differ(algebra: Algebra, head: int) -> bool:
    """Whether a head is [i ≠ j]."""
    return algebra.heads[head].opposite == algebra.delta.id


def _orders(algebra: Algebra, head: Head) -> bool:
    """Whether a head is [i > j] for two letters of one axis."""
    if head.kind != "test" or head.label != "yes" or head.payload != "gt" or len(head.slots) != 2:
        return False
    sides = [_alone(side) for side in head.args]
    if any(side is None for side in sides) or len({algebra.letter_space[letter] for letter in head.slots}) > 1:
        return False
    counts = {side[0] for side in sides if side is not None}
    letters = [side[1] for side in sides if side is not None]
    return letters == [(slot,) for slot in head.slots] and len(counts) == 1 and _counts(algebra, *counts)


def _alone(poly: Poly) -> Atom | None:
    """The one atom that a poly is."""
    if len(poly) != 1 or poly[0][1] != 1 or poly[0][0][1] or len(poly[0][0][0]) != 1:
        return None
    ((atom, power),) = poly[0][0][0]
    return atom if power == 1 else None


def _counts(algebra: Algebra, head: int) -> bool:
    """Whether a head is the number of a letter itself."""
    return algebra.heads[head].kind not in ("tensor", "name", "op")
