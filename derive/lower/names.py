"""Names of variables: what a value is called that the formula does not name, and names that are not taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .node import Node

HINTS = {"eye": "identity", "arange": "index", "max": "top", "exp": "e", "log": "logs", "sqrt": "root", "tanh": "h"} | {
    **{
        "vdot": "total",
        "sum": "total",
        "vecdot": "dots",
        "matmul": "product",
        "tensordot": "product",
        "where": "chosen",
        "gemm": "product",
        "place": "place",
        "gather": "taken",
        "merge": "merged",
        "running": "running",
        "scatter": "summed",
        "overlap": "summed",
        "concatenate": "joined",
    }
}


def hint(node: Node, known: Mapping[Node, str]) -> str:
    """A name for a value that the formula does not name."""
    if node.op == "pad" and (source := known.get(node.args[0][0])):
        return f"{source}_padded" if any(node.attr[0]) else f"{source}_laid"
    if node.op == "kept":
        return str(node.args[0][0].attr[0].labels[node.attr])
    if node.op == "full":
        return "ones" if node.args[0][0].attr == 1 else "weights"
    if node.op == "divide" and node.args[0][0].kind == "host":
        return "inverse"
    if node.op == "multiply" and node.rank == 1 and node.args[1][0].kind == "host":
        return "scaled"
    return HINTS.get(node.op, "t")


@dataclass
class Names:
    """Fresh names: what is asked for, or with a number."""

    taken: set[str]

    def fresh(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self.taken:
            number += 1
            name = f"{wanted}_{number}"
        self.taken.add(name)
        return name
