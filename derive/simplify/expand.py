"""Brackets multiplied out: sums that were only grouped, not named by the author."""

from __future__ import annotations

from derive.terms import Algebra, Poly, Raw, Reader

MOST_TERMS = 24  # a product of brackets that grows beyond this is left as it is


def expanded(reader: Reader, poly: Poly) -> Poly:
    """The poly with every grouped sum under a whole positive power written out."""
    algebra = reader.algebra
    parts: list[Raw] = []
    for raw in algebra.raws(poly):
        parts += _opened(algebra, raw)
        if len(parts) > MOST_TERMS:
            return poly
    return algebra.poly(parts)


def _opened(algebra: Algebra, raw: Raw) -> list[Raw]:
    coefficient, factors, bound = raw
    brackets = [(atom, p) for atom, p in factors.items() if _is_bracket(algebra, atom[0]) and p in (1, 2)]
    rest = {atom: p for atom, p in factors.items() if (atom, p) not in brackets}
    terms: list[Raw] = [(coefficient, rest, bound)]
    for (head, letters), power in brackets:
        (body,) = algebra.arguments(algebra.heads[head], letters)
        for _ in range(int(power)):
            terms = [algebra.product(t, inner) for t in terms for inner in algebra.raws(body)]
            if len(terms) > MOST_TERMS:
                return [raw]
    return terms


def _is_bracket(algebra: Algebra, head: int) -> bool:
    kind = algebra.heads[head]
    return kind.kind == "name" and kind.role == "auto" and len(kind.args[0]) > 1


def multiplied_out(algebra: Algebra, poly: Poly) -> Poly:
    """The same with brackets and grouped sums written out in arguments, too: exp(−Σ(a − b)²) is exp(−Σ(b − a)²)."""
    return algebra.add(*(_written_out(algebra, raw) for raw in algebra.raws(poly)))


def _written_out(algebra: Algebra, raw: Raw) -> Poly:
    coefficient, factors, bound = raw
    parts = [algebra.constant(coefficient)]
    for (name, letters), power in factors.items():
        head = algebra.heads[name]
        if head.kind == "name" and head.role == "auto" and power in (1, 2):
            parts += [multiplied_out(algebra, head_at) for head_at in algebra.arguments(head, letters)] * int(power)
        elif head.kind == "op" and not head.over:
            arguments = (multiplied_out(algebra, p) for p in algebra.arguments(head, letters))
            ((((atom, _),), _), _) = algebra.op(head.label, *arguments, payload=head.payload)[0]
            parts.append(algebra.term(1, {atom: power}, ()))
        else:
            parts.append(algebra.term(1, {(name, letters): power}, ()))
    return algebra.summed(algebra.mul(*parts), bound)
