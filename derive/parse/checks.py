"""Lines that say less than they seem to: nothing is defined, or a sum does not bind what stands in it."""

from __future__ import annotations

from .binders import unbound
from .errors import LatexError
from .letters import walk
from .statements import Line
from .tree import At, Big, Name


def no_definition(line: Line) -> str:
    """Why a line defines nothing: what stands on its left is declared."""
    if line.replaced == "":
        return "a new value for a part of an array is no definition: write \\leftarrow for all of it, without indices"
    left = line.sides[0]
    name = left.base if isinstance(left, At) else left
    if len(line.sides) < 2 or not isinstance(name, Name):
        return "only the last line may stand without a new name on its left"
    again = any(isinstance(n, Name) and n.key == name.key for side in line.sides[1:] for n in walk(side))
    if again and isinstance(left, At):
        return (f"{name.shown} is declared, so this line defines nothing: for one step of a recurrence declare the "
                f"state before it instead, as in where='{name.shown}_{{t-1}}: n'")  # fmt: skip
    return f"{name.shown} is declared, so this line defines nothing; a new value for it is written with \\leftarrow"


def no_idle(line: Line, free: list[str]) -> None:
    """\\sum_i x_j, with j free and no left-hand side that says so, is a letter taken for another."""
    if line.target is not None or len(line.sides) > 1 or not free or line.letters:
        return
    for node in line.nodes:
        if isinstance(node, Big) and (loose := unbound(node.body).intersection(free)):
            idle = [r.letter for r in node.ranges if r.letter not in unbound(node.body)]
            idle = [letter for letter in idle if not any(letter in unbound(one) for one in node.conditions)]
            if idle:
                raise LatexError(f"{idle[0]} is bound by the sum, but does not stand in what it is of, where "
                                 f"{min(loose)} is free: is one meant for the other?", node.column)  # fmt: skip
