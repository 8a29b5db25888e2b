"""Column factors that need no pass of their own: of u·r, r has fewer letters, and every use takes r elsewhere.

(u·r)·s = u·(r·s) where s has the letters of r; Σ (u·r)·g = r·Σ u·g where none of them is summed, else Σ r·(u·g), a
product of matrices. So the backward pass of a norm makes x − μ, and no x̂ = (x − μ)/σ. A product that one use needs as
it is stays: it is then at hand for the others. Only r = 1/√(v + ε) is taken so, which ε bounds: u/‖u‖ is of size 1
where u is huge, and r² may overflow where it is tiny.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from derive.axes import Axis

from .node import Graph, Labels, Node, View, reachable
from .plan import is_host
from .saved import DEEPEST, made_again

CONTRACTIONS = frozenset("sum vecdot vdot matmul einsum tensordot".split())
Uses = Mapping[Node, Sequence[tuple[Node, Labels]]]


def absorbable(outputs: Sequence[Node], gradients: Sequence[Node], at_hand: set[Node]) -> frozenset[Node]:
    """The products u·r that no use needs, for u at hand or made again by cheap arithmetic.

    In forward, one product may read u·r: there (u·r)·v takes no pass more.
    """
    nodes = reachable([*outputs, *gradients])
    forward = set(reachable(outputs))
    uses: dict[Node, list[tuple[Node, Labels]]] = {}
    for node in nodes:
        for arg, labels in node.args:
            uses.setdefault(arg, []).append((node, labels))
    found = set()
    for node in nodes:
        if node.op == "multiply" and (own := _column(node)) and (using := uses.get(node)):
            cheap = made_again(node.args[0][0], at_hand, DEEPEST) is not None
            needing = [user for user, labels in using if not _takes(user, labels, own, uses)]
            in_forward = all(user in forward and user.op == "multiply" for user in needing)
            if cheap and in_forward and len(needing) < min(2, len(using)):
                found.add(node)
    return frozenset(found)


def _column(node: Node) -> Labels:
    """The axes of r in u·r, r = 1/√(v + ε); none where r is another factor, a number, or has all of them."""
    (u, axes), (r, own) = node.args
    fewer = axes == tuple(range(node.rank)) and 0 < len(own) < node.rank and u.kind == "real"
    return own if fewer and _bounded(r) else ()


def _bounded(r: Node) -> bool:
    root = r.args[1][0] if r.op == "divide" and is_host(r.args[0][0]) else r
    total = root.args[0][0] if root.op == "sqrt" else root
    parts = [arg for arg, _ in total.args] if total.op == "terms" and all(sign > 0 for sign in total.attr) else []
    return r is not root is not total and any(map(is_host, parts))


def _takes(user: Node, labels: Labels, own: Labels, uses: Uses) -> bool:
    """Whether a use of u·r can take r elsewhere: into a factor with its letters, out of a sum, or into its weights."""
    column = {labels[axis] for axis in own}
    if user.op == "multiply":
        others = [set(other) for arg, other in user.args if arg.rank < len(labels)]
        return others == [column] if others else all(_weighted(sum_) for sum_, _ in uses.get(user, ((user, ()),)))
    return user.op in CONTRACTIONS and len(set(labels)) == len(labels) and all(label < user.rank for label in column)


def _weighted(total: Node) -> bool:
    """A matrix times a vector of weights."""
    return total.op == "matmul" and any(arg.rank == 1 for arg, _ in total.args)


def opened(g: Graph, factors: list[View], left: Sequence[Axis]) -> tuple[list[View], list[View]]:
    """The factors with u and r for u·r, first, or r last where something is summed; each r that multiplies the sum."""
    pairs = [
        [View(arg, tuple(factor.letters[k] for k in labels)) for arg, labels in factor.node.args]
        for factor in factors
        if factor.node in g.absorbed
    ]
    others = [factor for factor in factors if factor.node not in g.absorbed]
    if not left:
        return [part for pair in pairs for part in pair] + others, []
    whole, columns = [u for u, _ in pairs] + others, [r for _, r in pairs]
    if columns and len(whole) == 2 and whole[0].letters == whole[1].letters:
        g.by_entry.add(frozenset(factor.node for factor in whole))  # their product may serve a sum over rows, too
    outside = [r for r in columns if not set(left) & set(r.letters)]
    return whole + [r for r in columns if r not in outside], outside
