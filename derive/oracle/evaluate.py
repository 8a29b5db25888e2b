"""The oracle: the value of an index expression at a point, by brute-force broadcasting.

Every letter in scope is one dimension of every array; dimension 0 counts points, so that many points are evaluated
together. Nothing is simplified, reordered or shared with the code that the oracle is there to check.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import sympy
from sympy.core.basic import Basic

from derive.axes import (
    AdjointOf,
    Axis,
    BoolEntry,
    Delta,
    Entry,
    MaxOver,
    MeanOver,
    NameProblem,
    ProdOver,
    Reduction,
    Scalar,
    ShapeError,
    Sigmoid,
    Size,
    Softplus,
    SumOver,
    TangentOf,
    Tensor,
    Unsupported,
    Where,
    definitions,
    did_you_mean,
)

from .point import Array, Point, length


@dataclass(frozen=True)
class Scope:
    """Letters in scope: the dimension each one runs along, and how many dimensions there are."""

    dimension: Mapping[Axis, int]
    lengths: tuple[int, ...]  # of the dimensions after the first, which counts points

    @property
    def depth(self) -> int:
        return 1 + len(self.lengths)

    def inner(self, letters: Sequence[Axis], lengths: Sequence[int]) -> Scope:
        """The scope under a binder: its letters get new dimensions and shadow what had their name."""
        new = {letter: self.depth + place for place, letter in enumerate(letters)}
        return Scope({**self.dimension, **new}, (*self.lengths, *lengths))

    def along(self, dimension: int, size: int) -> Array:
        """0, 1, …, size-1 along one dimension."""
        return np.arange(size).reshape([size if d == dimension else 1 for d in range(self.depth)])

    def letter(self, letter: Axis) -> Array:
        if letter not in self.dimension:
            raise ShapeError(f"letter {letter.name} is neither bound nor among the letters to evaluate over")
        place = self.dimension[letter]
        return self.along(place, self.lengths[place - 1])


def _erf(x: Array) -> Array:
    return np.vectorize(math.erf, otypes=[float])(x)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _softplus(x: Array) -> Array:
    return np.log(1 + np.exp(x)) if np.iscomplexobj(x) else np.logaddexp(0, x)


def _power(base: Array, exponent: Array) -> Array:
    floating = base if np.asarray(base).dtype.kind in "fc" else np.asarray(base, dtype=float)
    return np.power(floating, exponent)


def _fold(operation: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda *values: reduce(operation, values)


# A node whose value depends on the values of its arguments only: one row each.
FUNCTIONS: dict[type, Callable[..., Any]] = {
    sympy.Add: _fold(operator.add),
    sympy.Mul: _fold(operator.mul),
    sympy.Pow: _power,
    sympy.Abs: np.abs,
    sympy.sign: np.sign,
    sympy.floor: np.floor,
    sympy.ceiling: np.ceil,
    sympy.exp: np.exp,
    sympy.log: np.log,
    sympy.sin: np.sin,
    sympy.cos: np.cos,
    sympy.tan: np.tan,
    sympy.asin: np.arcsin,
    sympy.acos: np.arccos,
    sympy.atan: np.arctan,
    sympy.sinh: np.sinh,
    sympy.cosh: np.cosh,
    sympy.tanh: np.tanh,
    sympy.asinh: np.arcsinh,
    sympy.acosh: np.arccosh,
    sympy.atanh: np.arctanh,
    sympy.erf: _erf,
    sympy.erfc: lambda x: 1 - _erf(x),
    Sigmoid: _sigmoid,
    Softplus: _softplus,
    Delta: lambda i, j: np.equal(i, j).astype(int),
    Where: np.where,
    sympy.Eq: np.equal,
    sympy.Ne: np.not_equal,
    sympy.Lt: np.less,
    sympy.Le: np.less_equal,
    sympy.Gt: np.greater,
    sympy.Ge: np.greater_equal,
    sympy.And: _fold(np.logical_and),
    sympy.Or: _fold(np.logical_or),
    sympy.Not: np.logical_not,
}

REDUCTIONS: dict[type, Callable[..., Any]] = {SumOver: np.sum, MeanOver: np.mean, ProdOver: np.prod, MaxOver: np.max}

# A node without arguments.
ATOMS: dict[type, Callable[[Any, Point], Any]] = {
    Size: lambda size, point: length(size, point.sizes),
    sympy.logic.boolalg.BooleanTrue: lambda _, point: np.True_,
    sympy.logic.boolalg.BooleanFalse: lambda _, point: np.False_,
}


def number(node: Basic) -> Any:
    """A SymPy number as a Python one: integers stay integers, since they may index."""
    return int(node) if node.is_Integer and abs(int(node)) < 2**31 else float(node)


def unknown(node: Basic) -> Unsupported:
    """The complaint about a node that has no row in the tables."""
    return Unsupported(f"no value is known for {type(node).__name__} in {node}")


class Evaluator:
    """Values at several points of one shape; definitions are evaluated once each, over their own letters."""

    def __init__(self, points: Sequence[Point]) -> None:
        self.points, self.point = points, points[0]
        self.values: dict[Tensor, Array] = dict(self.point._values) if len(points) == 1 else {}
        for tensor in {tensor for point in points for tensor in point.held}:
            self.values[tensor] = self._stack([point.held[tensor] for point in points])

    @staticmethod
    def _stack(arrays: Sequence[Array]) -> Array:
        same = all(array is arrays[0] for array in arrays)
        return np.asarray(arrays[0])[None] if same else np.stack(arrays)

    def array(self, tensor: Tensor) -> Array:
        """The entries of a tensor, points first."""
        if tensor not in self.values:
            known = self.point.arrays
            if tensor.body is not None:
                self.define(tensor)
            elif tensor.name not in known:
                raise NameProblem(f"no array is given for {tensor.declared()}{did_you_mean(tensor.name, known)}")
            else:
                self._declare(tensor, self._stack([point.arrays[tensor.name] for point in self.points]))
        return self.values[tensor]

    def _declare(self, tensor: Tensor, array: Array) -> None:
        lengths = tuple(length(letter.size, self.point.sizes) for letter in tensor.axes)
        if array.shape[1:] != lengths:
            raise ShapeError(f"tensor {tensor.declared()}: expected shape {lengths}, given {array.shape[1:]}")
        self.values[tensor] = array

    def define(self, tensor: Tensor) -> None:
        """The value of a definition: its body over its own letters."""
        if tensor in self.values:
            return
        self.values[tensor] = self.over(self.point.readings.get(tensor, tensor.body), tensor.axes)
        if len(self.points) == 1:
            self.point._values[tensor] = self.values[tensor]

    def over(self, node: Basic, letters: Sequence[Axis]) -> Array:
        """The node's value for every combination of the letters, points first."""
        lengths = [length(letter.size, self.point.sizes) for letter in letters]
        value = np.asarray(self.value(node, Scope({}, ()).inner(letters, lengths)))
        return np.broadcast_to(value, np.broadcast_shapes(value.shape, (1, *lengths)))

    def value(self, node: Basic, scope: Scope) -> Any:
        """The node's value in a scope: an array with the scope's dimensions, or a number."""
        kind = type(node)
        if kind in FUNCTIONS:
            return FUNCTIONS[kind](*(self.value(argument, scope) for argument in node.args))
        if kind is Entry or kind is BoolEntry:
            return self.entry(self.array(node.tensor), node.indices, scope)
        if kind is Axis:
            return scope.letter(node)
        if isinstance(node, Reduction):
            return self.reduction(node, scope)
        if isinstance(node, AdjointOf):
            return self.derivative(node, scope)
        return self.atom(node)

    def atom(self, node: Basic) -> Any:
        if node.is_number and not node.args:
            return number(node)
        if type(node) is Scalar:
            if node.name not in self.point.scalars:
                raise NameProblem(f"no value is given for {node.name}{did_you_mean(node.name, self.point.scalars)}")
            return self.point.scalars[node.name]
        if type(node) not in ATOMS:
            raise unknown(node)
        return ATOMS[type(node)](node, self.point)

    def entry(self, array: Array, indices: Sequence[Basic], scope: Scope) -> Array:
        """`array[point, index, …]`, every index an array over the scope."""
        places = [self.value(index, scope) for index in indices]
        for index, place, size in zip(indices, places, array.shape[1:], strict=True):
            if not isinstance(index, Axis) and not (np.min(place) >= 0 and np.max(place) < size):
                raise ShapeError(f"index {index} leaves 0 … {size - 1}")
        return array[(scope.along(0, array.shape[0]), *places)]

    def reduction(self, node: Any, scope: Scope) -> Any:
        if type(node) not in REDUCTIONS:
            raise unknown(node)
        inner, value = self.bound(node, scope)
        return REDUCTIONS[type(node)](value, axis=tuple(range(scope.depth, inner.depth)))

    def bound(self, node: Any, scope: Scope) -> tuple[Scope, Array]:
        """The scope under a reduction, and its body there; a body without the bound letters is repeated along them."""
        lengths = tuple(length(letter.size, self.point.sizes) for letter in node.axes)
        inner = scope.inner(node.axes, lengths)
        return inner, spread(self.value(node.body, inner), scope.depth, lengths)

    def derivative(self, node: Any, scope: Scope) -> Array:
        whole = node.func(node.entry.func(node.entry.tensor, *node.entry.tensor.axes))
        if whole not in self.point.derivatives:
            raise Unsupported(f"no value is known for {node}: a derivative has none until it is derived or measured")
        leading = () if isinstance(node, TangentOf) else self.point.of
        return self.entry(np.asarray(self.point.derivatives[whole])[None], (*leading, *node.entry.indices), scope)


def spread(value: Any, depth: int, lengths: tuple[int, ...]) -> Array:
    """`value` with its last dimensions, those after `depth`, at full length."""
    return np.broadcast_to(value, np.broadcast_shapes(np.shape(value), (*(1,) * depth, *lengths)))


def evaluate_at(expression: Basic, points: Sequence[Point], letters: Sequence[Axis] = ()) -> Array:
    """The values of an expression over `letters` at several points of one shape: axis 0 counts points."""
    with np.errstate(all="ignore"):  # a branch that is not selected may overflow or divide by zero
        evaluator = Evaluator(points)
        for tensor in definitions([expression]):
            evaluator.define(tensor)
        value = evaluator.over(expression, letters)
    value = value.astype(float) if value.dtype.kind in "iu" else value
    return np.broadcast_to(value, (len(points), *value.shape[1:]))


def evaluate(expression: Basic, point: Point, letters: Sequence[Axis] = ()) -> Array:
    """The values of an expression over `letters`, as an array of that shape: float64, or the inputs' wider dtype.

    Raises Unsupported for a node the oracle does not know, NameProblem for a tensor or scalar without a value.
    """
    return evaluate_at(expression, (point,), letters)[0]
