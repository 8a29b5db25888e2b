"""`equivalent`: are two index expressions the same, up to names of bound letters, order and brackets?"""

from __future__ import annotations

from typing import Any

from derive.axes import Tensor, definitions, free_axes, scalar
from derive.terms import Algebra, Reader


def equivalent(left: Any, right: Any, *, axes: dict[Any, Any] | None = None) -> bool:
    """True where canonical forms coincide: definitions written out, brackets multiplied out, letters canonical.

    `axes` renames free letters of `left` to those of `right`. False means "not shown equal", not "different".
    """
    from derive.axes import rename

    one, two = scalar(left, "equivalent"), scalar(right, "equivalent")
    if axes:
        one = rename(one, axes)
    if set(free_axes(one)) != set(free_axes(two)):
        return False
    if one == two:
        return True
    reader = Reader(Algebra(), expand=True)
    return reader.algebra.add(_canonical(reader, one), reader.algebra.scaled(_canonical(reader, two), -1)) == ()


def _canonical(reader: Reader, expression: Any) -> Any:
    return reader.read(_written_out(expression), {})


def _written_out(expression: Any) -> Any:
    """Every definition replaced by its body, letters renamed apart."""
    from derive.axes import Entry, mapped, rename

    bodies: dict[Tensor, Any] = {}

    def change(node: Any) -> Any:
        if isinstance(node, Entry) and node.tensor in bodies:
            return rename(bodies[node.tensor], dict(zip(node.tensor.axes, node.indices, strict=True)))
        return None

    for tensor in definitions([expression]):
        bodies[tensor] = mapped(tensor.body, change)
    return mapped(expression, change)
