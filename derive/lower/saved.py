"""What forward saves for backward: what is cheap, or larger than all that goes in or out, is made again instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from sympy import Expr

from .node import Node, reachable
from .plan import SOURCES, VIEWS, is_host, mode

# Arithmetic this cheap is done again in the backward pass, where its operands are at hand, instead of being kept.
REPEATED = frozenset("multiply terms negative cast".split())
MOST_PASSES = 24  # ... and arithmetic on single entries, where all of it costs no more
ENTRYWISE = frozenset(
    "multiply divide terms negative absolute exp log tanh sqrt maximum minimum cast where "
    "special.bounded_exp special.opposed special.log_above "
    "greater greater_equal less less_equal equal not_equal logical_and logical_or logical_not".split()
)
COSTS = {
    "exp": 5,
    "special.bounded_exp": 6,
    "special.opposed": 3,
    "special.log_above": 10,
    "log": 5,
    "tanh": 5,
    "divide": 2,
    "sqrt": 2,
    "where": 4,
}  # in passes of a product
DEEPEST = 2  # ... up to so many operations: x̂ = (x − μ)/σ from x
SIMPLE = frozenset("multiply divide terms".split())  # ... and this is done in forward, where it is free of memory


def early(needed: Sequence[Node], forward: set[Node], outputs: Sequence[Node]) -> list[Node]:
    """Values of backward that forward makes in place of one that would be kept for them alone: p = e/S for e."""
    early: list[Node] = []
    known = set(forward)
    users: dict[Node, list[Node]] = {}
    for node in needed:
        for arg, _ in node.args:
            if node not in forward:
                users.setdefault(arg, []).append(node)
    for node in needed:
        if node in known or not all(a in known or is_constant(a) for a, _ in node.args) or node.op in SOURCES:
            continue
        if node.rank < 2:
            known.add(node)
            continue
        kept = [a for a, _ in node.args if a in known and a.dims == node.dims and users.get(a) == [node]]
        if node.op in SIMPLE and any(a.op not in SOURCES and a not in outputs for a in kept):
            early.append(node)
            known.add(node)
    return early


def made_again(node: Node, at_hand: set[Node], depth: int) -> set[Node] | None:
    """What else must be kept for a value to be made again by cheap arithmetic: small values alone; or None."""
    if node in at_hand:
        return set()
    if node.op not in REPEATED or node.kind == "bool" or len(node.args) > 2 or not depth:
        return None
    parts = [made_again(a, at_hand, depth - 1) for a, _ in node.args]
    kept = [{a} if part is None and a.rank < node.rank else part for part, (a, _) in zip(parts, node.args, strict=True)]
    return None if None in kept else set().union(*(part for part in kept if part))


def elementwise(node: Node, at_hand: set[Node]) -> dict[Node, int] | None:
    """What makes a value again entry by entry from arrays at hand of its shape, and what each step costs; or None."""
    steps: dict[Node, int] = {}
    for part in reachable([node], dict.fromkeys(at_hand)):
        if not is_host(part) and (part.op not in ENTRYWISE or part.dims != node.dims):
            return None
        if not is_host(part):
            steps[part] = COSTS.get(part.op, max(1, len(part.args) - 1))
    same = all(arg.dims in (node.dims, ()) for part in steps for arg, _ in part.args)
    return steps if same else None


def cheap(saved: set[Node], at_hand: set[Node]) -> set[Node]:
    """What is made again entry by entry from inputs, in order, while all of it costs no more than MOST_PASSES."""
    found: set[Node] = set()
    steps: dict[Node, int] = {}
    for node in sorted(saved, key=lambda n: n.number):
        more = elementwise(node, at_hand) if node.rank == max(n.rank for n in saved) else None
        if more is not None and sum((steps | more).values()) <= MOST_PASSES:
            found.add(node)
            steps |= more
    return found


def by_blocks(wanted: set[Node], available: set[Node], ends: Sequence[Node]) -> set[Node]:
    """Of what has more axes than all that goes in or out, only the small values from which loops make it again."""
    at_hand = set(available)
    for node in reachable(wanted):
        if node.args and all(arg in at_hand and arg.op != "input" for arg, _ in node.args):
            at_hand.add(node)  # made of sizes alone: the mask of a causal attention
    shapes = [Counter(node.dims) for node in ends]
    found: set[Node] = set()
    for node in wanted:
        again = _blockwise(node, at_hand, shapes) if any(n.op == "matmul" for n in reachable([node])) else None
        found |= {node} if again is None else again
    return found


def _blockwise(node: Node, at_hand: set[Node], shapes: Sequence[Counter[Expr]]) -> set[Node] | None:
    """What must be kept to make a value again in a loop over its first axis; None where it needs more than its rows."""
    if node in at_hand:
        return set()
    if any(Counter(node.dims) <= shape for shape in shapes):
        return {node}
    parts = [_blockwise(arg, at_hand, shapes) for arg, _ in node.args] if mode(node) == "map" else [None]
    return None if None in parts else set().union(*(part for part in parts if part))


def bases(node: Node) -> Iterator[Node]:
    """The operands of a node; of those that are views, what they are views of."""
    for arg, _ in node.args:
        if arg.op in VIEWS:
            yield from bases(arg)
        else:
            yield arg


def is_constant(node: Node) -> bool:
    """A number that no argument of a function changes."""
    return node.op in ("number", "size") or (
        is_host(node) and all(is_constant(a) for a, _ in node.args) and node.op != "scalar"
    )
