"""The larger or the smaller of two: what is a where x > 0 and else 0 prints as max(x, 0)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice

from sympy import Max, Min, Pow, S, expand, preorder_traversal
from sympy.core.basic import Basic
from sympy.core.relational import GreaterThan, LessThan, StrictGreaterThan, StrictLessThan

from derive.axes import Where

RISING, FALLING = (StrictLessThan, LessThan), (StrictGreaterThan, GreaterThan)
SHORT = 40  # nodes: longer expressions are compared as they stand


@dataclass(frozen=True)
class Extremum:
    """max(a, b) or min(a, b), its arguments in the order in which they were written."""

    function: type
    args: tuple[Basic, Basic]


def extremum(node: Basic) -> Extremum | None:
    """The extremum that a choice by comparison is: a where a > b, else b, or a − b where a > b, else 0."""
    if not isinstance(node, Where) or not isinstance(node.args[0], (*RISING, *FALLING)):
        return None
    condition, then, otherwise = node.args
    larger, smaller = condition.args if isinstance(condition, FALLING) else reversed(condition.args)
    for function, (above, below) in ((Max, (then, otherwise)), (Min, (otherwise, then))):
        if (above, below) == (larger, smaller) or _alike((above, below), (larger, smaller)):
            return Extremum(function, (then, otherwise))
    return None


def _alike(first: Sequence[Basic], second: Sequence[Basic]) -> bool:
    """Whether two pairs differ by the same."""
    walk = chain.from_iterable(map(preorder_traversal, (*first, *second)))
    if next(islice(walk, SHORT, None), None) is not None:
        return False
    return bool(expand(first[0] - first[1] - second[0] + second[1]) == 0)


def rejoined(factors: list[Basic]) -> list[Basic]:
    """The factors of a product, a mask and what it compares as one: [m > d] (m − d)² as max(0, m − d)²."""
    for place, mask in enumerate(factors):
        if not isinstance(mask, Where) or mask.args[1:] != (S.One, S.Zero):
            continue
        for other, factor in enumerate(factors):
            base, power = factor.args if isinstance(factor, Pow) and factor.args[1].is_positive else (factor, S.One)
            joined = Where(mask.args[0], base, S.Zero)
            if other != place and (found := _one_sided(joined)) is not None:
                rest = [f for k, f in enumerate(factors) if k not in (place, other)]
                whole = found if power == 1 else Pow(found, power, evaluate=False)
                return rejoined([*rest[: min(place, other)], whole, *rest[min(place, other) :]])
    return factors


def _one_sided(joined: Basic) -> Basic | None:
    """[a > b] (a − b), which is max(a − b, 0); [a < b] (a − b) is a minimum, and stays."""
    found = extremum(joined)
    return joined if found is not None and found.function is Max else None


__all__ = ["Extremum", "extremum", "rejoined"]
