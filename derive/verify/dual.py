"""Dual numbers: (f, f′) carried forward through an index expression, by the stated conventions at kinks.

(where(c, a, b))′ = where(c, a′, b′), |·|′(0) = 0, and a maximum over axes follows its first maximiser. Integers
(letters, floors, places of maxima) and conditions do not vary. These slopes are a second witness beside finite
differences; they share nothing with the laws by which derivatives are derived.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import sympy
from sympy.core.basic import Basic

from derive.axes import (
    Axis,
    Carried,
    Delta,
    Digamma,
    Entry,
    Expm1,
    Log1mexp,
    Log1p,
    Logcosh,
    MaxOver,
    MeanOver,
    MinOver,
    PaddedEntry,
    ProdOver,
    Scalar,
    Sigmoid,
    Softplus,
    StopGradient,
    SumOver,
    Tensor,
    Tetragamma,
    Trigamma,
    Where,
    whole,
)
from derive.oracle import (
    BATCH,
    FUNCTIONS,
    Array,
    Evaluator,
    Point,
    Scope,
    first,
    joined,
    picked,
    polygamma,
    same,
    sign,
    spread,
    unknown,
)

from .matrix import TANGENTS

Pair = tuple[Any, Any]  # a value and its tangent; the tangent is the number 0.0 where nothing varies

# f ↦ f′, as a function of the argument v and the value y = f(v).
SLOPES: dict[type, Callable[[Any, Any], Any]] = {
    sympy.exp: lambda v, y: y,
    sympy.log: lambda v, y: 1 / v,
    sympy.sin: lambda v, y: np.cos(v),
    sympy.cos: lambda v, y: -np.sin(v),
    sympy.tan: lambda v, y: 1 + y * y,
    sympy.asin: lambda v, y: 1 / np.sqrt(1 - v * v),
    sympy.acos: lambda v, y: -1 / np.sqrt(1 - v * v),
    sympy.atan: lambda v, y: 1 / (1 + v * v),
    sympy.sinh: lambda v, y: np.cosh(v),
    sympy.cosh: lambda v, y: np.sinh(v),
    sympy.tanh: lambda v, y: 1 - y * y,
    sympy.asinh: lambda v, y: 1 / np.sqrt(1 + v * v),
    sympy.acosh: lambda v, y: 1 / np.sqrt(v * v - 1),
    sympy.atanh: lambda v, y: 1 / (1 - v * v),
    sympy.erf: lambda v, y: 2 / math.sqrt(math.pi) * np.exp(-v * v),
    sympy.erfc: lambda v, y: -2 / math.sqrt(math.pi) * np.exp(-v * v),
    sympy.gamma: lambda v, y: y * polygamma(0)(v),
    sympy.loggamma: lambda v, y: polygamma(0)(v),
    Digamma: lambda v, y: polygamma(1)(v),
    Trigamma: lambda v, y: polygamma(2)(v),
    Tetragamma: lambda v, y: polygamma(3)(v),
    Sigmoid: lambda v, y: y * (1 - y),
    Softplus: lambda v, y: FUNCTIONS[Sigmoid](v),
    Log1p: lambda v, y: 1 / (1 + v),
    Expm1: lambda v, y: np.exp(v),
    Logcosh: lambda v, y: np.tanh(v),
    Log1mexp: lambda v, y: 1 / (1 - np.exp(-v)),
}


def _constant(tangent: Any) -> bool:
    return isinstance(tangent, float)


MOVED = "_moved_"  # in the name of an array that says how far an intermediate is moved


def _ahead(point: Point, direction: Mapping[str, Array]) -> Point:
    """Another point, each input elsewhere: what is 0 there, too, is 0 whatever they are."""
    reals = {name: np.asarray(a) for name, a in point.arrays.items() if np.asarray(a).dtype.kind == "f"}
    inputs = [name for name in reals if MOVED not in name]
    away = {n: 0.1 + 0.3 * np.cos(np.arange(reals[n].size) + k).reshape(reals[n].shape) for k, n in enumerate(inputs)}
    arrays = {name: a + away.get(name, 0.0) + direction.get(name, 0.0) for name, a in reals.items()}
    held = {t: np.asarray(a) + direction[t.name] for t, a in point.held.items() if t.name in direction}
    return point.with_(arrays=arrays, held=held)


class Dual(Evaluator):
    """Values and tangents at several points, each with its own direction: name of an input or held tensor → tangent."""

    def __init__(self, points: Sequence[Point], directions: Sequence[Mapping[str, Array]]) -> None:
        super().__init__([point.with_() for point in points])  # what an input holds may vary: remember nothing
        self.directions = directions
        self.tangents: dict[Tensor, Any] = {}
        self.held = frozenset(self.values)

    @cached_property
    def beyond(self) -> Evaluator:
        """The same expressions elsewhere: what is 0 here and there is 0 whatever the inputs are."""
        pairs = zip(self.points, self.directions, strict=True)
        return Evaluator([_ahead(point, direction) for point, direction in pairs])

    def tangent(self, tensor: Tensor) -> Any:
        if tensor not in self.tangents:
            varies = any(tensor.name in direction for direction in self.directions)
            zero = np.zeros(self.array(tensor).shape[1:]) if varies else 0.0
            stack = [np.asarray(direction.get(tensor.name, zero)) for direction in self.directions]
            self.tangents[tensor] = np.stack(stack) if varies else 0.0
        return self.tangents[tensor]

    def define(self, tensor: Tensor) -> None:
        if tensor not in self.held and tensor not in self.tangents:
            body = self.point.readings.get(tensor, tensor.body)
            self.values[tensor], self.tangents[tensor] = self.pair_over(body, tensor.axes)

    def forget(self, tensor: Tensor) -> None:
        if tensor not in self.held:
            super().forget(tensor)
            self.tangents.pop(tensor, None)

    def settle(self, carried: Carried, target: Tensor | None) -> bool:
        if target is None:
            self.tangents[carried] = 0.0
            return super().settle(carried, target)
        old, self.tangents[carried] = self.tangents[carried], self.tangents[target]
        moved = np.shape(old) != np.shape(self.tangents[target]) or not same(old, self.tangents[target])
        return super().settle(carried, target) or moved

    def pair_over(self, node: Basic, letters: Sequence[Axis]) -> Pair:
        ranges = self.ranges(letters)
        value, tangent = self.pair(node, Scope({}, ()).inner(letters, ranges))
        return spread(value, 1, ranges), tangent if _constant(tangent) else spread(tangent, 1, ranges)

    def pair(self, node: Basic, scope: Scope) -> Pair:
        """(f, f′) of a node in a scope."""
        kind = type(node)
        if kind in PAIRS:
            return PAIRS[kind](self, node, scope)
        if kind in SLOPES:
            value, tangent = self.pair(node.args[0], scope)
            found = FUNCTIONS[kind](value)
            return found, tangent if _constant(tangent) else SLOPES[kind](value, found) * tangent
        if kind in REDUCED:
            return self._reduced(node, scope)
        if not (isinstance(node, CONSTANT) or whole(node)):
            raise unknown(node)
        return self.value(node, scope), 0.0

    def _reduced(self, node: Any, scope: Scope) -> Pair:
        kind, ties, pieces = type(node), self.point.ties, self.pieces(node, scope)
        found: Pair | None = None
        for inner in pieces:
            value, tangent = self.pair(node.body, inner)
            if _constant(tangent):
                return self.reduction(node, scope), 0.0
            value, tangent = (joined(part, scope, inner) for part in np.broadcast_arrays(value, tangent))
            part = REDUCED[kind](value, tangent, ties)
            found = part if found is None else _together(kind, found, part, ties)
        assert found is not None
        share = len(pieces) if kind is MeanOver else 1  # all pieces are of one size
        return found if share == 1 else (found[0] / share, found[1] / share)


def _together(kind: type, a: Pair, b: Pair, ties: float) -> Pair:
    """The reductions of two parts as one; of a mean, their sum."""
    if kind in (SumOver, MeanOver):
        return a[0] + b[0], a[1] + b[1]
    values, tangents = (np.stack(np.broadcast_arrays(*parts), axis=-1) for parts in zip(a, b, strict=True))
    return REDUCED[kind](values, tangents, ties)


def _entry(dual: Dual, node: Any, scope: Scope) -> Pair:
    value, tangent = dual.entry(node, scope), dual.tangent(node.tensor)
    return value, tangent if _constant(tangent) else dual.read(node, tangent, scope)


def _absolute(dual: Dual, node: Any, scope: Scope) -> Pair:
    """|v|′ = sign(v) v′."""
    value, tangent = dual.pair(node.args[0], scope)
    return np.abs(value), tangent if _constant(tangent) else sign(value, dual.point.ties) * tangent


def _sum(dual: Dual, node: Basic, scope: Scope) -> Pair:
    """(a + b)′ = a′ + b′."""
    pairs = [dual.pair(argument, scope) for argument in node.args]
    return sum(v for v, _ in pairs), sum((t for _, t in pairs if not _constant(t)), 0.0)


def _product(dual: Dual, node: Basic, scope: Scope) -> Pair:
    """(ab)′ = a′b + ab′."""
    value, tangent = dual.pair(node.args[0], scope)
    for argument in node.args[1:]:
        v, t = dual.pair(argument, scope)
        left = 0.0 if _constant(tangent) else tangent * v
        value, tangent = value * v, left if _constant(t) else left + value * t
    return value, tangent


def _power(dual: Dual, node: Basic, scope: Scope) -> Pair:
    """(bᵉ)′ = e bᵉ⁻¹ b′ + bᵉ log(b) e′."""
    (b, db), (e, de) = (dual.pair(argument, scope) for argument in node.args)
    value = FUNCTIONS[sympy.Pow](b, e)
    tangent: Any = 0.0
    if not _constant(db):
        tangent = e * FUNCTIONS[sympy.Pow](b, np.subtract(e, 1)) * db
        if np.any(still := (b == 0) & (db == 0) & (e > 0) & (e < 1)):  # √(x − x) is 0 wherever x is: ∞ · 0 is 0
            still = still & (dual.beyond.value(node.args[0], scope) == 0)
            tangent = np.where(still, 0.0, tangent)
    if not _constant(de):
        tangent = tangent + value * np.log(b) * de
    return value, tangent


def _selected(dual: Dual, node: Basic, scope: Scope) -> Pair:
    """where(c, a, b)′ = where(c, a′, b′)."""
    condition = dual.value(node.args[0], scope)
    (a, da), (b, db) = (dual.pair(branch, scope) for branch in node.args[1:])
    constant = _constant(da) and _constant(db)
    return np.where(condition, a, b), 0.0 if constant else np.where(condition, da, db)


def _stopped(dual: Dual, node: Basic, scope: Scope) -> Pair:
    """sg(x)′ = 0, by definition."""
    return dual.value(node, scope), 0.0


def _matrix(dual: Dual, node: Any, scope: Scope) -> Pair:
    """f(A)′, by what defines f, linearised."""
    ranges = dual.ranges(node.axes)
    value, tangent = dual.pair(node.body, scope.inner(node.axes, ranges))
    if _constant(tangent):
        return dual.value(node, scope), 0.0
    value, tangent = (spread(part, scope.depth, ranges) for part in np.broadcast_arrays(value, tangent))
    found = TANGENTS[type(node)](value, tangent)
    return dual.picked(node, found[0], scope), dual.picked(node, found[1], scope)


PAIRS: dict[type, Callable[[Dual, Any, Scope], Pair]] = {
    Entry: _entry,
    PaddedEntry: _entry,
    sympy.Abs: _absolute,
    sympy.Add: _sum,
    sympy.Mul: _product,
    sympy.Pow: _power,
    Where: _selected,
    StopGradient: _stopped,
    **dict.fromkeys(TANGENTS, _matrix),
}


def _product_over(value: Array, tangent: Array, ties: float) -> Pair:
    """(Π v)′ = Σ v′ · the product of the others."""
    others = [np.delete(value, k, axis=-1).prod(axis=-1) for k in range(value.shape[-1])]
    return value.prod(axis=-1), sum(tangent[..., k] * other for k, other in enumerate(others))


def _max_over(value: Array, tangent: Array, ties: float) -> Pair:
    """(max v)′ = v′ at the first maximiser."""
    place = first(value, ties)
    return picked(value, place), picked(tangent, place)


def _min_over(value: Array, tangent: Array, ties: float) -> Pair:
    """(min v)′ = v′ at the first minimiser."""
    place = first(-value, ties)
    return picked(value, place), picked(tangent, place)


REDUCED: dict[type, Callable[[Array, Array, float], Pair]] = {
    SumOver: lambda v, t, ties: (v.sum(axis=-1), t.sum(axis=-1)),
    MeanOver: lambda v, t, ties: (v.mean(axis=-1), t.mean(axis=-1)),
    ProdOver: _product_over,
    MaxOver: _max_over,
    MinOver: _min_over,
}

# What does not vary with the inputs, besides integer expressions: numbers, parameters, and what only jumps.
CONSTANT = (sympy.Number, sympy.NumberSymbol, Scalar, Delta, sympy.sign, sympy.floor, sympy.ceiling)


def tangents_at(
    expression: Basic, points: Sequence[Point], directions: Sequence[Mapping[str, Array]], letters: Sequence[Axis] = ()
) -> tuple[Array, Array]:
    """The values of an expression over `letters` and their derivatives along each point's direction; axis 0: points."""
    if len(points) > BATCH:
        starts = range(0, len(points), BATCH)
        parts = [tangents_at(expression, points[k : k + BATCH], directions[k : k + BATCH], letters) for k in starts]
        values, tangents = zip(*parts, strict=True)
        return np.concatenate(values), np.concatenate(tangents)
    with np.errstate(all="ignore"):
        dual = Dual(points, directions)
        dual.define_all(expression)
        value, tangent = dual.pair_over(expression, letters)
    shape = (len(points), *value.shape[1:])
    return np.broadcast_to(value, shape), np.broadcast_to(tangent, shape)
