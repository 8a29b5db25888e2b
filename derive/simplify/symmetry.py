"""Assumed symmetries, A[i, j] = A[j, i]: of all the ways to write a term, the least is kept."""

from __future__ import annotations

import itertools

from derive.terms import Poly, Power, Term

from .rules import Fact, Rules

MOST_WAYS = 64
ASSUMED = -1  # the source of a fact that was assumed


def symmetry(rules: Rules, assumption: Poly) -> bool:
    """Enter an assumption of the form A[i, j] − A[j, i] = 0; False where it is none."""
    if len(assumption) != 2 or sum(c for _, c in assumption) != 0 or any(term[1] for term, _ in assumption):
        return False
    atoms = [term[0] for term, _ in assumption]
    if any(len(factors) != 1 or factors[0][1] != 1 for factors in atoms) or atoms[0][0][0][0] != atoms[1][0][0][0]:
        return False
    (head, first), (_, second) = atoms[0][0][0], atoms[1][0][0]
    if sorted(first) != sorted(second) or len(set(first)) < len(first):
        return False
    order = tuple(first.index(letter) for letter in second)
    value = rules.algebra.term(1, {(head, second): 1}, ())
    rules.symmetric[head] = (order, Fact((((head, first), 1),), (), value, ASSUMED))
    return True


def symmetrised(rules: Rules, poly: Poly) -> tuple[Poly, tuple[object, ...]] | None:
    """Each term in its least form under the assumed symmetries."""
    found = {a[0] for (factors, _), _ in poly for a, _ in factors} & rules.symmetric.keys()
    if not found:
        return None
    return rules.algebra.add(*(_least(rules, term, c) for term, c in poly)), tuple(
        rules.symmetric[head][1] for head in sorted(found)
    )


def _least(rules: Rules, term: Term, coefficient: Power) -> Poly:
    algebra = rules.algebra
    factors, bound = algebra.opened(term)
    ways = []
    for (head, letters), _ in factors.items():
        turned = tuple(letters[k] for k in rules.symmetric[head][0]) if head in rules.symmetric else letters
        ways.append(dict.fromkeys((letters, turned)))
    candidates = []
    for choice in itertools.islice(itertools.product(*ways), MOST_WAYS):
        renamed: dict[tuple[int, tuple[int, ...]], Power] = {}
        for ((head, _), power), letters in zip(factors.items(), choice, strict=True):
            renamed[head, letters] = renamed.get((head, letters), 0) + power
        candidates.append(algebra.term(coefficient, renamed, bound))
    return min(candidates)
