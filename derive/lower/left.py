"""What a loop leaves behind: f(z) of a z that it keeps, where its steps make f(z) themselves.

Backward asks for σ(−z) of gates or tanh of a state, of what forward has kept. Where a step has the exponential at hand,
the value is kept, often in place of z, rather than made again from it.
"""

from __future__ import annotations

from collections.abc import Callable

from .algebra import Hint
from .node import Graph, Node, View, reachable

MADE_BY = {"sigmoid": "special.bounded_exp", "sigmoid_minus": "special.bounded_exp", "tanh": "tanh", "exp": "exp"}


def left(g: Graph, function: str, x: View, hint: Hint, make: Callable[[View, Hint], View]) -> View:
    """A function entry by entry; of what a loop keeps, what it has left, which is asked for if there is none."""
    if x.node.op != "kept" or function not in MADE_BY:
        return make(x, hint)
    if (known := g.left.get((x.node, function))) is not None:
        return View(known, x.letters)
    step, number = x.node.args[0][0].attr[0], x.node.attr
    if _made(step.values[number], step.values, MADE_BY[function]):
        g.asked.setdefault((step.key, number, function), make)
    return make(x, hint)


def _made(z: Node, values: tuple[Node, ...], op: str) -> bool:
    """Whether a step takes the function of a value."""
    return any(node.op == op and node.args[0][0] is z for node in reachable(values))
