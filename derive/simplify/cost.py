"""How much there is to read: the measure by which one form is preferred to another."""

from __future__ import annotations

from derive.terms import Algebra, Head, Node, Poly, factored
from derive.terms.factor import MEAN, flat

MOST_TERMS = 6  # longer sums are measured as they stand: factoring them would cost more than it tells


def cost(algebra: Algebra, poly: Poly) -> float:
    """The reader's cost of a poly, with common factors pulled out where it is short."""
    if poly not in algebra.measured:
        nodes = factored(algebra, poly) if len(poly) <= MOST_TERMS else flat(algebra, poly)
        algebra.measured[poly] = _sum(algebra, nodes)
    return algebra.measured[poly]


def _sum(algebra: Algebra, nodes: tuple[Node, ...]) -> float:
    return sum(_node(algebra, node) for node in nodes) + 0.4 * (len(nodes) - 1)


def _node(algebra: Algebra, node: Node) -> float:
    total = 0.0 if node.coefficient in (1, -1) else 0.3
    total += 0.6 * len(node.bound)
    for (head, _), power in node.factors:
        if head == MEAN:
            continue
        total += _atom(algebra, algebra.heads[head]) + (0 if power == 1 else 0.4)
    return total + (_sum(algebra, node.inner) if node.inner else 0.0)


def _atom(algebra: Algebra, head: Head) -> float:
    """A function costs more than a name; a name that has no letter of its own in print costs what it stands for."""
    if head.kind == "op":
        return 1.5 + sum(0.5 * len(p) for p in head.args)
    if head.kind == "symbol":
        return 0.6
    if head.kind == "name" and head.role == "auto" and not any(bound for (_, bound), _ in head.definition):
        return max(1.0, _sum(algebra, flat(algebra, head.definition)))
    return 1.0


def number_of_terms(algebra: Algebra, poly: Poly, own: frozenset[int] = frozenset()) -> int:
    """Terms as a reader counts them: the summands within brackets; a product counts once, and so does a bracket of
    the author's (`own`: the formula's definitions)."""

    def bracket(head: int) -> int:
        kind = algebra.heads[head] if head != MEAN else None
        derived = kind is not None and kind.kind == "name" and kind.role == "auto" and head not in own
        return len(kind.definition) if derived and kind is not None else 1

    def count(nodes: tuple[Node, ...]) -> int:
        return sum(max([count(node.inner), *(bracket(a[0]) for a, _ in node.factors), 1]) for node in nodes)

    return count(factored(algebra, poly)) if len(poly) <= 4 * MOST_TERMS else len(poly)
