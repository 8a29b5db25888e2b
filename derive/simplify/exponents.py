"""Powers of one base with symbolic exponents: u · uᵛ⁻¹ is uᵛ, where uᵛ stands in the formula already."""

from __future__ import annotations

from derive.terms import Algebra, Atom, Factors, Poly

from .rules import Rules


def merged(rules: Rules, poly: Poly) -> tuple[Poly, tuple[object, ...]] | None:
    """The poly with the powers of each base multiplied, where that is a whole power or one that is there already."""
    algebra = rules.algebra
    if not any(algebra.heads[atom[0]].label == "pow" for (factors, _), _ in poly for atom, _ in factors):
        return None
    changed = False
    parts: list[Poly] = []
    for term, coefficient in poly:
        factors, bound = algebra.opened(term)
        for base in {_base(algebra, atom) for atom in factors} - {None}:
            assert base is not None
            together = _together(algebra, factors, base)
            if together is not None:
                factors, changed = together, True
        parts.append(algebra.term(coefficient, factors, bound))
    return (algebra.add(*parts), ()) if changed else None


def _base(algebra: Algebra, atom: Atom) -> Atom | None:
    """u where the atom is uᵛ of one atom u."""
    head = algebra.heads[atom[0]]
    if head.label != "pow" or head.kind != "op":
        return None
    base = algebra.arguments(head, atom[1])[0]
    if len(base) > 1:  # a sum stands beside its powers under the name it has
        scale, named = algebra.named(base)
        return named if scale == 1 else None
    if base[0][1] != 1 or base[0][0][1] or len(base[0][0][0]) != 1:
        return None
    inner, power = base[0][0][0][0]
    return inner if power == 1 else None


def _together(algebra: Algebra, factors: Factors, base: Atom) -> Factors | None:
    """The factors with all powers of a base as one."""
    own = {a: p for a, p in factors.items() if a == base or _base(algebra, a) == base}
    if len(own) < 2:
        return None
    exponents = [
        algebra.constant(p) if a == base else algebra.scaled(algebra.arguments(algebra.heads[a[0]], a[1])[1], p)
        for a, p in own.items()
    ]
    total = algebra.add(*exponents)
    rest = {a: p for a, p in factors.items() if a not in own}
    if not total:
        return rest
    if len(total) == 1 and not total[0][0][0]:
        return {**rest, base: total[0][1]}
    for sign in (1, -1):
        known = _known(algebra, next(a for a in own if a != base), algebra.scaled(total, sign))
        if known is not None:
            return {**rest, known: sign}
    return None


def _known(algebra: Algebra, like: Atom, exponent: Poly) -> Atom | None:
    """The power of the same base with this exponent, if it has been met."""
    count = len(algebra.heads)
    made = algebra.op("pow", algebra.arguments(algebra.heads[like[0]], like[1])[0], exponent)
    ((((atom, _),), _), _) = made[0]
    if atom[0] >= count:
        algebra.remember(("probe", atom[0]), True)  # asking made it: it does not stand in the formula
    return None if algebra.find(("probe", atom[0])) else atom


__all__ = ["merged"]
