"""Conditions on letters: 0 ≤ s h + r − p < Y as a chain, and what is written below a Σ or a max."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sympy import And, Eq, Integer, Mod, S, StrictGreaterThan, StrictLessThan, expand, floor
from sympy.core.basic import Basic
from sympy.core.relational import GreaterThan, LessThan, Relational

from derive.axes import (
    ArgMaxOver,
    ArgMinOver,
    Axis,
    BoolEntry,
    Delta,
    Entry,
    MaxOver,
    MinOver,
    PaddedBoolEntry,
    PaddedEntry,
    Reduction,
    SumOver,
    Where,
    free_axes,
    in_range,
    mapped,
)

from .factors import Factors
from .whole import counts

# What a masked extremum never finds.
NEVER = {MaxOver: -S.Infinity, ArgMaxOver: -S.Infinity, MinOver: S.Infinity, ArgMinOver: S.Infinity}


@dataclass(frozen=True)
class Bounds:
    """smaller < larger, or ≤."""

    smaller: Basic
    strict: bool
    larger: Basic


def bounds(node: Basic) -> Bounds | None:
    """A comparison with the smaller side first."""
    if isinstance(node, (StrictLessThan, LessThan)):
        return Bounds(node.args[0], isinstance(node, StrictLessThan), node.args[1])
    if isinstance(node, (StrictGreaterThan, GreaterThan)):
        return Bounds(node.args[1], isinstance(node, StrictGreaterThan), node.args[0])
    return None


def upright(node: Basic) -> Basic:
    """A comparison with its number on the right: m − d ≥ 0."""
    turned = isinstance(node, Relational) and node.args[0].is_number and not node.args[1].is_number
    return node.reversed if turned else node


def conjuncts(node: Basic) -> list[Basic]:
    """The parts of a conjunction, in order."""
    if not isinstance(node, And):
        return [node]
    return [part for child in node.args for part in conjuncts(child)]


def chained(parts: Sequence[Basic]) -> list[tuple[Basic, ...]]:
    """Every condition by itself, two about one expression as a pair: 0 ≤ e, e < Y."""
    left = list(parts)
    found: list[tuple[Basic, ...]] = []
    while left:
        first = left.pop(0)
        second = next((other for other in left if met(first, other) is not None), None)
        if second is None:
            found.append((first,))
            continue
        left.remove(second)
        found.append(met(first, second) or (first, second))
    return sorted(found, key=lambda group: min(parts.index(part) for part in group))


def met(first: Basic, second: Basic) -> tuple[Basic, Basic] | None:
    """The two comparisons in the order of their chain."""
    a, b = bounds(first), bounds(second)
    if a is None or b is None:
        return None
    for low, high, pair in ((a, b, (first, second)), (b, a, (second, first))):
        if low.larger == high.smaller or (counts(low.larger) and same(low.larger, high.smaller)):
            return pair
    return None


def same(first: Basic, second: Basic) -> bool:
    """Whether two integer expressions are one, however they were written."""
    return first == second or expand(first - second) == 0


def equation(node: Basic, bound: Iterable[Axis] = ()) -> Basic:
    """δ as an equation: a letter stands first, but below a sum what is summed does, and what is not stands alone."""
    left, right = node.args
    inner = set(bound)
    if inner and len(outer := [a for a in free_axes(node) if a not in inner]) == 1 and not node.atoms(Entry):
        value = expand(left - right)
        if value.coeff(outer[0], 1) in (1, -1) and not value.has(floor, Mod):
            left, right = expand(outer[0] - value.coeff(outer[0], 1) * value), outer[0]
    if inner:
        turned = not inner & set(free_axes(left))
    else:
        turned = not isinstance(left, Axis) and not isinstance(left, Entry) and isinstance(right, (Axis, Entry))
        turned = turned or (not left.atoms(Axis) and bool(right.atoms(Axis)))
    return Eq(right, left, evaluate=False) if turned else Eq(left, right, evaluate=False)


def conditioned(node: Reduction) -> tuple[list[Basic], Factors | Basic]:
    """The conditions that are written below a reduction, and what is reduced."""
    if isinstance(node, SumOver):
        return _of_sum(node)
    body = node.body
    if isinstance(body, Where) and body.args[2] == NEVER.get(type(node)):
        parts = in_order(conjuncts(body.args[0]), node.axes)
        return [_turned(part, node.axes) for part in parts], within(body.args[1], parts)
    return [], body


def _of_sum(node: Reduction) -> tuple[list[Basic], Factors | Basic]:
    factors = Factors(node.body)
    below = [factor for factor in factors.above if _below(factor, node.axes)]
    if not below:
        return [], node.body
    factors.above = [factor for factor in factors.above if factor not in below] or [S.One]
    stated = [condition for factor in below for condition in _stated(factor, node.axes)]
    return in_order(stated, node.axes), factors


def in_order(parts: Sequence[Basic], axes: Sequence[Axis]) -> list[Basic]:
    """Conditions in the order of the letters they restrict; a conjunction has no order of its own."""
    place = {letter: number for number, letter in enumerate(axes)}

    def first(part: Basic) -> int:
        return min((place.get(letter, len(place)) for letter in free_axes(part)), default=0)

    return sorted(parts, key=first)


def _stated(factor: Basic, axes: Sequence[Axis]) -> list[Basic]:
    """A factor that is 1 or 0 as conditions."""
    if isinstance(factor, Delta):
        return [equation(factor, axes)]
    return [_turned(part, axes) for part in conjuncts(factor.args[0])]


def _below(factor: Basic, axes: Sequence[Axis]) -> bool:
    """Whether a factor of a sum is written below it."""
    if isinstance(factor, Delta):
        return _decides(factor, axes)
    if isinstance(factor, Where) and factor.args[1:] == (S.One, S.Zero):
        return all(_of_letters(part, axes) for part in conjuncts(factor.args[0]))
    return False


def _decides(delta: Basic, axes: Sequence[Axis]) -> bool:
    """Whether δ restricts several summed letters at once, or those of a place: it is no mere renaming."""
    inner = set(axes)
    plain = all(isinstance(index, Axis) for index in delta.args)
    if plain or delta.atoms(Reduction) or not inner & set(free_axes(delta)):
        return False
    left, right = delta.args
    return not any(
        this in inner and not inner & set(free_axes(other)) for this, other in ((left, right), (right, left))
    )


def _of_letters(condition: Basic, axes: Sequence[Axis]) -> bool:
    """A comparison of integers, with a summed letter in it."""
    if not isinstance(condition, Relational) or not set(axes) & set(free_axes(condition)):
        return False
    return all(counts(side) or isinstance(side, Integer) for side in condition.args)


def _turned(condition: Basic, axes: Sequence[Axis]) -> Basic:
    """A comparison with a bound letter alone on the right, turned: n ≥ m."""
    if isinstance(condition, Relational) and condition.args[1] in axes and condition.args[0] not in axes:
        return condition.reversed
    return condition


def says_all(conditions: Sequence[Basic], axes: Sequence[Axis]) -> bool:
    """Whether the one condition names the one letter by itself: Σ_{m ≤ n}."""
    return len(axes) == len(conditions) == 1 and isinstance(conditions[0], Relational) and conditions[0].args[0] in axes


def held(index: Basic, size: Basic) -> bool:
    """Whether an index is within its axis: provably, or because it is a place along an axis of that length."""
    if isinstance(index, Entry) and index.tensor.dtype == "int":
        body = index.tensor.body
        return size == (body.integer_bound() if isinstance(body, ArgMaxOver) else index.tensor.bound)
    return in_range(index, size)


def within(node: Basic, parts: Sequence[Basic]) -> Basic:
    """`node` where the conditions hold: an entry that they keep inside its tensor needs no padding."""
    known = [b for b in map(bounds, parts) if b is not None]

    def holds(smaller: Basic, strict: bool, larger: Basic) -> bool:
        return any(b.strict == strict and same(b.smaller, smaller) and same(b.larger, larger) for b in known)

    def inside(entry: Basic) -> bool:
        return all(
            held(index, axis.size) or (holds(S.Zero, False, index) and holds(index, True, axis.size))
            for axis, index in zip(entry.tensor.axes, entry.indices, strict=True)
        )

    def plain(part: Basic) -> Basic | None:
        if isinstance(part, (PaddedEntry, PaddedBoolEntry)) and inside(part):
            return (Entry if isinstance(part, PaddedEntry) else BoolEntry)(*part.args)
        return None

    return mapped(node, plain) if known else node
