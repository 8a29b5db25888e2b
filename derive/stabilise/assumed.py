"""What is assumed of single inputs and parameters, as open intervals."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any

from sympy.core.basic import Basic
from sympy.core.relational import GreaterThan, LessThan, StrictGreaterThan, StrictLessThan

from derive.axes import Entry, Scalar
from derive.terms import Reader

ABOVE, BELOW = (StrictGreaterThan, GreaterThan), (StrictLessThan, LessThan)


def intervals(reader: Reader, statements: Iterable[Basic]) -> dict[int, tuple[float, float]]:
    """Head → the interval that statements such as x > 0 and p < 1 leave; others say nothing here."""
    found: dict[int, tuple[float, float]] = {}
    for statement in statements:
        if not isinstance(statement, ABOVE + BELOW):
            continue
        left, right = statement.args
        for one, limit, above in ((left, right, True), (right, left, False)):
            head = _head(reader, one) if limit.is_number else None
            if head is not None:
                low, high = found.get(head, (-inf, inf))
                bound, is_low = float(limit), isinstance(statement, ABOVE) == above
                found[head] = (max(low, bound), high) if is_low else (low, min(high, bound))
    return found


def _head(reader: Reader, node: Any) -> int | None:
    if isinstance(node, Entry) and node.tensor.body is None:
        return reader.tensor(node.tensor).id
    if isinstance(node, Scalar):
        return reader.read(node, {})[0][0][0][0][0][0]
    return None
