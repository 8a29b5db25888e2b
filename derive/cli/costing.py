"""`derive cost`: what the code of a formula does, as polynomials in the sizes, or as numbers."""

from __future__ import annotations

import re
from typing import Any

from .output import emit, emit_json
from .problems import BadInput
from .target import Library

_SIZE = re.compile(r"\s*([^\W\d]\w*)\s*=\s*(\d{1,15})\s*$", re.ASCII)


def run(target: str, at: str | None, itemsize: int, as_json: bool) -> None:
    """The cost of a target; at sizes, where they are given."""
    sizes = None if at is None else _sizes(at)
    from derive.api import to_numpy

    cost = to_numpy(Library().formula(target)).cost
    if sizes is not None:
        cost = cost.at(itemsize=itemsize, **sizes)
    if as_json:
        emit_json(_entry(cost, sizes))
    else:
        emit(str(cost))


def _sizes(text: str) -> dict[str, int]:
    """B=64,C=10 as numbers by name."""
    found: dict[str, int] = {}
    for part in text.split(","):
        match = _SIZE.match(part)
        if match is None:
            raise BadInput(f"--at {text}: expected sizes such as B=64,C=10, given {part.strip()!r}")
        if match[1] in found:
            raise BadInput(f"--at {text}: {match[1]} is given twice")
        found[match[1]] = int(match[2])
    return found


def _entry(cost: Any, sizes: dict[str, int] | None) -> dict[str, Any]:
    """For machines: expressions as Python writes them, numbers as numbers."""

    def shown(expression: Any) -> int | str:
        return int(expression) if expression.is_Integer and sizes is not None else str(expression)

    def work(name: str) -> dict[str, int | str] | None:
        found = cost.works.get(name)
        return found and {part: shown(getattr(found, part)) for part in ("flops", "transcendental", "moved")}

    return {
        "name": cost.name,
        "at": sizes,
        "sizes": list(cost.sizes),
        "where": {str(symbol): str(value) for symbol, value in cost.where.items()},
        "saved": shown(cost.saved),
        "inputs": shown(cost.inputs),
        **{name: work(name) for name in ("forward", "backward", "value_and_grad")},
    }
