"""Cases that need no telling apart: [c] a + [¬c] a = a, and sgn(u)/|u| = 1/u."""

from __future__ import annotations

from derive.terms import Algebra, Atom, Factors, Poly, Power, Powers

from .rules import Rules


def either_case(rules: Rules, poly: Poly) -> tuple[Poly, tuple[object, ...]] | None:
    """The poly without a condition that chooses between equal terms: all that stand under it, or under its opposite."""
    algebra = rules.algebra
    terms = dict(poly)
    for term, coefficient in poly if len(poly) > 1 else ():
        factors, bound = term
        for atom, _ in factors:
            head = algebra.heads[atom[0]]
            if head.kind != "test" or head.opposite < 0 or algebra.heads[head.opposite].kind != "test":
                continue
            rest = {a: p for a, p in factors if a != atom}
            other = algebra.term(coefficient, {**rest, (head.opposite, atom[1]): 1}, bound)
            if len(other) == 1 and terms.get(other[0][0]) == other[0][1]:
                left = tuple(t for t in poly if t[0] not in (term, other[0][0]))
                if {atom[0], head.opposite} & {a[0] for (others, _), _ in left for a, _ in others}:
                    continue  # where(c, a + b, a) has other work for it
                return algebra.add(left, algebra.term(coefficient, rest, bound)), ()
    return None


def signed(rules: Rules, poly: Poly) -> tuple[Poly, tuple[object, ...]] | None:
    """The poly with sgn(u) |u|ᵖ as uᵖ, for odd p."""
    algebra = rules.algebra
    if not any(algebra.heads[atom[0]].label == "sign" for (factors, _), _ in poly for atom, _ in factors):
        return None
    for place, (term, coefficient) in enumerate(poly):
        factors, bound = algebra.opened(term)
        for atom, power in _odd(algebra, factors, "sign"):
            sizes = [(a, p) for a, p in _odd(algebra, factors, "abs") if _of(algebra, a) == _of(algebra, atom)]
            if not sizes or power < 0:
                continue
            size, exponent = sizes[0]
            rest = {a: p for a, p in factors.items() if a not in (atom, size)}
            plain = Powers(algebra).raised(_of(algebra, atom), exponent)
            whole = algebra.summed(algebra.mul(algebra.term(coefficient, rest, ()), plain), bound)
            return algebra.add(poly[:place] + poly[place + 1 :], whole), ()
    return None


def _odd(algebra: Algebra, factors: Factors, label: str) -> list[tuple[Atom, Power]]:
    """The factors that are this function, to an odd power."""
    heads = algebra.heads
    return [
        (a, p) for a, p in factors.items() if heads[a[0]].label == label and heads[a[0]].kind == "op" and p % 2 == 1
    ]


def _of(algebra: Algebra, atom: Atom) -> Poly:
    """The argument of a function."""
    return algebra.arguments(algebra.heads[atom[0]], atom[1])[0]


__all__ = ["either_case", "signed"]
