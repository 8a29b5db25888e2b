"""Folds within what a term holds as one: grouped sums, and functions of matrices."""

from __future__ import annotations

from fractions import Fraction

from derive.terms import INDICES, Atom, Head, Poly, Power, matrix_function, number

from .rules import Rules


def within_once(rules: Rules, poly: Poly) -> tuple[Poly, tuple[int, ...]] | None:
    """Grouped sums with their own terms folded: 1 − tanh²(a) is 1 − h² where h names tanh(a)."""
    parts: list[Poly] = []
    used: dict[int, None] = {}
    for term, coefficient in poly:
        folded = [(a, p) for a, p in term[0] if _regrouped(rules, a[0]) is not None]
        if not folded:
            parts.append(((term, coefficient),))
            continue
        factors, bound = rules.algebra.opened(term)
        for atom, power in list(factors.items()):
            other = _regrouped(rules, atom[0])
            if other is not None:
                head = rules.algebra.heads[atom[0]]
                scale, (name, letters) = other
                at = dict(zip(head.slots, atom[1], strict=True))
                del factors[atom]
                new = (name, tuple(at[a] for a in letters))
                factors[new] = number(factors.get(new, 0) + power)
                coefficient = number(Fraction(coefficient) * Fraction(scale) ** int(power))
                used.setdefault(atom[0])
        parts.append(rules.algebra.term(coefficient, factors, bound))
    return (rules.algebra.add(*parts), tuple(used)) if used else None


def _regrouped(rules: Rules, name: int) -> tuple[Power, Atom] | None:
    """A grouped sum that was not the author's, written through the folds; None where nothing changes."""
    if name not in rules.regrouped:
        head, found = rules.algebra.heads[name], _refolded(rules, rules.algebra.heads[name])
        grouped = head.kind == "name" and head.role == "auto" and len(head.args[0]) > 1
        if grouped and name not in rules.own and not any(bound for (_, bound), _ in head.definition):
            folded = rules.fold_once(head.definition, rules.folds)
            if folded is not None and len(folded[0]) > 1:
                found = rules.algebra.named(folded[0])
        rules.regrouped[name] = found if found is not None and found[1][0] != name else None
    return rules.regrouped[name]


def _refolded(rules: Rules, head: Head) -> tuple[Power, Atom] | None:
    """A function of a matrix whose entry folds: (chol A)⁻¹ is L⁻¹ where L names the factor."""
    folded = rules.fold_once(head.args[0], rules.folds) if head.kind == "op" and head.label in INDICES else None
    if folded is None:
        return None
    at = head.slots[len(head.slots) - INDICES[head.label] :]
    ((((atom, _),), _), _) = matrix_function(rules.algebra, head.label, folded[0], head.over, at)[0]
    return 1, atom
