r"""Lengths that the text tells: n of \sum_{i=1}^{n} x_i, M of \sum_{k=0}^{M-1} h_k."""

from __future__ import annotations

from typing import Any

from .errors import LatexError
from .letters import Letters, plain, size_called, uses
from .scope import Scope, identifier_of
from .statements import Line
from .tree import Big, Binary, Letter, Name, Node, Number, Range


def tell(line: Line, letters: Letters) -> None:
    """Lengths told by ranges: n of \\sum_{i=1}^{n} x_i is the length of x."""
    for node, one in [(big, one) for big in line.nodes if isinstance(big, Big) for one in big.ranges]:
        high, less = _moved(one.high)
        if not isinstance(high, (Letter, Name)) or one.low is None:
            continue
        name = high.name if isinstance(high, Letter) else high.key
        declared_size = isinstance(high, Name) and letters.scope.names[name].kind == "size"
        if isinstance(high, Name) and not declared_size:
            continue
        if not declared_size and letters.scope.length(name) is not None:
            continue
        if less and not (isinstance(one.low, Number) and _whole_axis(node, one, letters)):
            continue
        _tell_one(name, node, one, letters, less)


def _moved(high: Node | None) -> tuple[Node | None, int]:
    """(M, 1) of M − 1 as an upper limit."""
    if isinstance(high, Binary) and high.operator == "-" and getattr(high.right, "text", "") == "1":
        return high.left, 1
    return high, 0


def _whole_axis(node: Any, one: Range, letters: Letters) -> bool:
    """Whether the letter indexes an array from its first entry, and no neighbour of it."""
    found = [use for use in uses_within(node, letters.scope) if use.letter == one.letter]
    return getattr(one.low, "text", "") == "0" and letters.start == 0 and {use.shift for use in found} <= {0, None}


def _tell_one(name: str, node: Node, one: Range, letters: Letters, less: int) -> None:
    found = [u for u in uses_within(node, letters.scope) if u.letter == one.letter and u.shift == 0]
    sizes = list(dict.fromkeys(use.axis.size for use in found))
    low = int(one.low.text) if getattr(one.low, "text", "").isdigit() else letters.start  # type: ignore[union-attr]
    size = plain(sizes[0] + low - 1 + less) if sizes else size_called(identifier_of(name))
    if len(sizes) > 1 or letters.told.setdefault(name, size) != size:
        raise LatexError(f"{name} is the length of different axes; declare them with one letter", one.column)


def uses_within(node: Any, scope: Scope) -> list[Any]:
    """Where letters are indices within what a sign is of."""
    return [use for part in (*node.conditions, node.body) for use in uses(part, scope)]
