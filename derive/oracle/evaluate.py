"""The oracle: the value of an index expression at a point, by brute-force broadcasting.

Every letter in scope is one dimension of every array; dimension 0 counts points, so that many points are evaluated
together. Nothing is simplified, reordered or shared with the code that the oracle is there to check. A reduction over
more entries than MOST takes its first letters one value at a time, so that memory stays bounded.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from sympy.core.basic import Basic

from derive.axes import (
    AdjointOf,
    ArgMaxOver,
    ArgMinOver,
    Axis,
    BoolEntry,
    Carried,
    Delta,
    Entry,
    MeanOver,
    NameProblem,
    PaddedBoolEntry,
    PaddedEntry,
    Reduction,
    Scalar,
    ShapeError,
    Size,
    StopGradient,
    TangentOf,
    Tensor,
    Unsupported,
    did_you_mean,
    free_axes,
)
from derive.axes import whole as is_whole

from .cycles import planned
from .exact import FOLDS, ROUNDED, ratio, settled
from .functions import COMPARISONS, FUNCTIONS, JOINS, REDUCTIONS, first, near, picked, sign
from .matrix import MATRICES
from .point import Array, Point, extent, length

MOST_SWEEPS = 10_000
MOST = 4_000_000  # entries of one array under a reduction
BATCH = 2000  # points evaluated together


@dataclass(frozen=True)
class Scope:
    """Letters in scope: the dimension each one runs along, and which values it takes there."""

    dimension: Mapping[Axis, int]
    ranges: tuple[range, ...]  # of the dimensions after the first, which counts points

    @property
    def depth(self) -> int:
        return 1 + len(self.ranges)

    def inner(self, letters: Sequence[Axis], ranges: Sequence[range]) -> Scope:
        """The scope under a binder: its letters get new dimensions and shadow what had their name."""
        new = {letter: self.depth + place for place, letter in enumerate(letters)}
        return Scope({**self.dimension, **new}, (*self.ranges, *ranges))

    def along(self, dimension: int, values: range) -> Array:
        """The values along one dimension."""
        return np.asarray(values).reshape([-1 if d == dimension else 1 for d in range(self.depth)])

    def place(self, letter: Axis) -> int:
        """The dimension that a letter runs along."""
        if letter not in self.dimension:
            raise ShapeError(f"letter {letter.name} is neither bound nor among the letters to evaluate over")
        return self.dimension[letter]

    def letter(self, letter: Axis) -> Array:
        place = self.place(letter)
        return self.along(place, self.ranges[place - 1])

    def count(self, letters: Sequence[Axis]) -> int:
        """How many combinations of values the letters in scope take."""
        return math.prod(len(self.ranges[self.dimension[a] - 1]) for a in letters if a in self.dimension)


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
    """Values at several points of one shape; definitions are evaluated once each, over their own letters.

    Another kind of numbers is a subclass with another table of functions, and arrays of such numbers at the points.
    """

    functions: Mapping[type, Callable[..., Any]] = FUNCTIONS
    of_matrices: Mapping[type, Callable[[Array], Array]] = MATRICES

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
        lengths = tuple(map(len, self.ranges(tensor.axes)))
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

    def define_all(self, *roots: Basic) -> None:
        """What the roots rest on, each after what it refers to; recurrences again and again, until nothing changes.

        Each sweep makes one more entry right along the letter that is scanned over, from the first or the last on.
        """
        plan = planned(roots, tuple(self.point.readings.items()))
        for carried, members in plan.groups:
            self._settle_all(carried, members)
        for tensor in plan.order:
            self.define(tensor)

    def _settle_all(self, carried: Sequence[Carried], members: Sequence[Tensor]) -> None:
        """The values of one recurrence."""
        if all(tensor in self.values for tensor in (*carried, *members)):
            return  # known at this point already
        for c in carried:
            self.settle(c, None)
        for _ in range(MOST_SWEEPS):
            for tensor in members:
                self.forget(tensor)
            for tensor in members:
                self.define(tensor)
            if not [c for c in carried if c.target is not None and self.settle(c, c.target)]:
                self.point._values.update({c: self.values[c] for c in carried} if len(self.points) == 1 else {})
                return
        raise Unsupported(f"a recurrence does not settle: {', '.join(c.name for c in carried)}")

    def forget(self, tensor: Tensor) -> None:
        if tensor not in self.point.held:
            self.values.pop(tensor, None)
            self.point._values.pop(tensor, None)

    def settle(self, carried: Carried, target: Tensor | None) -> bool:
        """Give what is carried its target's value, at first 0; whether that is new."""
        if target is None:
            self.values[carried] = np.zeros((1, *map(len, self.ranges(carried.axes))))
            return True
        old, self.values[carried] = self.values[carried], self.array(target)
        return old.shape != self.values[carried].shape or not same(old, self.values[carried])

    def over(self, node: Basic, letters: Sequence[Axis]) -> Array:
        """The node's value for every combination of the letters, points first."""
        ranges = self.ranges(letters)
        return spread(self.value(node, Scope({}, ()).inner(letters, ranges)), 1, ranges)

    def ranges(self, letters: Sequence[Axis]) -> tuple[range, ...]:
        return tuple(range(extent(letter, self.point.sizes)) for letter in letters)

    def value(self, node: Basic, scope: Scope) -> Any:
        """The node's value in a scope: an array with the scope's dimensions, or a number."""
        kind = type(node)
        if kind in NODES:
            return NODES[kind](self, node, scope)
        if kind in self.functions:
            return self.functions[kind](*(self.value(argument, scope) for argument in node.args))
        if isinstance(node, Reduction):
            return self.reduction(node, scope)
        return self.atom(node)

    def atom(self, node: Basic) -> Any:
        if node.is_number and not node.args:
            return self.number(node)
        if type(node) is Scalar:
            if node.name not in self.point.scalars:
                raise NameProblem(f"no value is given for {node.name}{did_you_mean(node.name, self.point.scalars)}")
            return self.point.scalars[node.name]
        if type(node) not in ATOMS:
            raise unknown(node)
        return ATOMS[type(node)](node, self.point)

    def number(self, node: Basic) -> Any:
        """A number that stands in the formula."""
        return number(node)

    def exact(self, node: Basic, scope: Scope) -> Any:
        """The value of an integer expression, its quotients divided without rounding."""
        return settled(ratio(node, lambda part: self.value(part, scope)))

    def comparison(self, node: Basic, scope: Scope) -> Any:
        exact = all(is_whole(side) for side in node.args)
        left, right = (self.exact(side, scope) if exact else self.value(side, scope) for side in node.args)
        left, right = np.asarray(left), np.asarray(right)
        return COMPARISONS[type(node)](left, right, near(left, right, 0.0 if exact else self.point.ties))

    def stop(self, node: Basic, scope: Scope) -> Any:
        """sg(x) is x, and at a point that was moved x where it was moved from."""
        if self.point.base is None:
            return self.value(node.args[0], scope)
        letters = free_axes(node)
        held = evaluate(node.args[0], self.point.base, letters)[None]
        return laid(held, [scope.place(letter) for letter in letters], scope)

    def delta(self, node: Basic, scope: Scope) -> Array:
        return np.equal(*(self.exact(argument, scope) for argument in node.args)).astype(int)

    def entry(self, node: Any, scope: Scope) -> Array:
        return self.read(node, self.array(node.tensor), scope)

    def read(self, node: Any, array: Array, scope: Scope, leading: Sequence[Axis] = ()) -> Array:
        """`array[point, index, …]`, every index an array over the scope; 0 or false outside, if the entry is padded."""
        at = (*leading, *node.indices)
        if all(type(index) is Axis for index in at) and len(set(at)) == len(at):
            along = [scope.place(letter) for letter in at]
            if all(scope.ranges[place - 1].stop <= size for place, size in zip(along, array.shape[1:], strict=True)):
                return laid(array, along, scope)
        places = [self.exact(index, scope) for index in at]
        inside: Any = True
        if isinstance(node, (PaddedEntry, PaddedBoolEntry)):
            for number, size in enumerate(array.shape[1:]):
                inside = inside & (places[number] >= 0) & (places[number] < size)
                places[number] = np.clip(places[number], 0, size - 1)
        for index, place, size in zip(at, places, array.shape[1:], strict=True):
            self._in_range(node, index, place, size)
        found = array[(scope.along(0, range(array.shape[0])), *places)]
        return found if inside is True else np.where(inside, found, array.dtype.type(0))

    def _in_range(self, node: Any, index: Basic, place: Any, size: int) -> None:
        if np.asarray(place).dtype.kind not in "iu":
            raise ShapeError(f"tensor {node.tensor.name}: index {index} in {node} is no integer with {self.point}")
        least, most = int(np.min(place)), int(np.max(place))
        if least < 0 or most >= size:
            raise ShapeError(f"tensor {node.tensor.name}: index {index} in {node} is {least if least < 0 else most}, "
                             f"expected 0 … {size - 1}, with {self.point}")  # fmt: skip

    def pieces(self, node: Any, scope: Scope) -> list[Scope]:
        """The scope under a reduction; where that is too large, one for each value of its first letters, in order."""
        ranges = self.ranges(node.axes)
        entries = len(self.points) * math.prod(map(len, ranges))
        entries *= scope.count([letter for letter in free_axes(node.body) if letter not in node.axes])
        apart = 0
        while entries > MOST and apart < len(ranges):
            entries //= len(ranges[apart])
            apart += 1
        chosen = itertools.product(*ranges[:apart])
        return [scope.inner(node.axes, (*(range(k, k + 1) for k in place), *ranges[apart:])) for place in chosen]

    def bodies(self, node: Any, scope: Scope) -> Iterator[Array]:
        """The body under a reduction, piece by piece, its letters along one last dimension in row-major order."""
        for inner in self.pieces(node, scope):
            yield joined(self.value(node.body, inner), scope, inner)

    def reduction(self, node: Any, scope: Scope) -> Any:
        if type(node) not in REDUCTIONS:
            raise unknown(node)
        reduce_, pieces = REDUCTIONS[type(node)], len(self.pieces(node, scope))
        joined_ = functools.reduce(JOINS[type(node)], (reduce_(body) for body in self.bodies(node, scope)))
        return joined_ / pieces if type(node) is MeanOver and pieces > 1 else joined_  # all pieces are of one size

    def first_extreme(self, node: Any, scope: Scope) -> Array:
        """The place of the first largest or smallest entry in row-major order; of it, one component."""
        flip = -1 if isinstance(node, ArgMinOver) else 1
        parts, seen = [], 0
        for body in self.bodies(node, scope):
            found = first(flip * body, self.point.ties)
            parts.append((picked(flip * body, found), found + seen))
            seen += body.shape[-1]
        best, places = (np.stack(part, axis=-1) for part in zip(*parts, strict=True))
        place = picked(places, first(best, self.point.ties))
        return np.unravel_index(place, [len(r) for r in self.ranges(node.axes)])[node.component]

    def matrices(self, node: Any, scope: Scope) -> Array:
        """The matrix of a matrix function: its letters along two last dimensions."""
        ranges = self.ranges(node.axes)
        return spread(self.value(node.body, scope.inner(node.axes, ranges)), scope.depth, ranges)

    def matrix(self, node: Any, scope: Scope) -> Array:
        """An entry of a function of a matrix."""
        return self.picked(node, self.of_matrices[type(node)](self.matrices(node, scope)), scope)

    def picked(self, node: Any, array: Array, scope: Scope) -> Array:
        """The entry of `array` at the node's indices, its first dimensions those of the scope."""
        places = [self.exact(index, scope) for index in node.at]
        grid = [scope.along(k, range(array.shape[k])) for k in range(scope.depth)]
        return np.asarray(array[(*grid, *places)])

    def derivative(self, node: Any, scope: Scope) -> Array:
        tensor = node.entry.tensor
        whole = node.func(tensor[tensor.axes])
        if whole not in self.point.derivatives:
            raise Unsupported(f"no value is known for {node}: a derivative has none until it is derived or measured")
        leading = () if isinstance(node, TangentOf) else self.point.of
        return self.read(node.entry, np.asarray(self.point.derivatives[whole])[None], scope, leading)


# A node that needs to know its letters: one row each.
NODES: dict[type, Callable[[Evaluator, Any, Scope], Any]] = {
    **dict.fromkeys((Entry, PaddedEntry, BoolEntry, PaddedBoolEntry), Evaluator.entry),
    **dict.fromkeys(COMPARISONS, Evaluator.comparison),
    **dict.fromkeys((*ROUNDED, *(FOLDS.keys() - FUNCTIONS.keys())), Evaluator.exact),
    **dict.fromkeys((ArgMaxOver, ArgMinOver), Evaluator.first_extreme),
    **dict.fromkeys(MATRICES, Evaluator.matrix),
    **dict.fromkeys((AdjointOf, TangentOf), Evaluator.derivative),
    Axis: lambda evaluator, letter, scope: scope.letter(letter),
    Delta: Evaluator.delta,
    StopGradient: Evaluator.stop,
    sympy.sign: lambda evaluator, node, scope: sign(evaluator.value(node.args[0], scope), evaluator.point.ties),
}


def same(one: Array, two: Array) -> bool:
    """Whether two arrays are equal, NaN to NaN."""
    return bool(np.all((one == two) | ((one != one) & (two != two))))


def laid(array: Array, places: Sequence[int], scope: Scope) -> Array:
    """`array[point, letter, …]`, each letter along its dimension of the scope, within what it indexes."""
    values = [scope.ranges[place - 1] for place in places]
    part = array[(slice(None), *(slice(r.start, r.stop) for r in values))]
    shape = [1] * scope.depth
    for place, count in zip((0, *places), part.shape, strict=True):
        shape[place] = count
    return part.transpose(0, *sorted(range(1, part.ndim), key=lambda k: places[k - 1])).reshape(shape)


def joined(value: Any, scope: Scope, inner: Scope) -> Array:
    """`value`, at full length along the dimensions that `inner` adds to `scope`, with those dimensions made one."""
    full = spread(value, scope.depth, inner.ranges[scope.depth - 1 :])
    return full.reshape(*full.shape[: scope.depth], -1)


def spread(value: Any, depth: int, ranges: Sequence[range]) -> Array:
    """`value` with its last dimensions, those after `depth`, at full length."""
    return np.broadcast_to(value, np.broadcast_shapes(np.shape(value), (*(1,) * depth, *map(len, ranges))))


def evaluate_at(expression: Basic, points: Sequence[Point], letters: Sequence[Axis] = ()) -> Array:
    """The values of an expression over `letters` at several points of one shape: axis 0 counts points."""
    if len(points) > BATCH:
        batches = (points[k : k + BATCH] for k in range(0, len(points), BATCH))
        return np.concatenate([evaluate_at(expression, batch, letters) for batch in batches])
    with np.errstate(all="ignore"):  # a branch that is not selected may overflow or divide by zero
        evaluator = Evaluator(points)
        evaluator.define_all(expression)
        value = evaluator.over(expression, letters)
    value = value.astype(float) if value.dtype.kind in "iu" else value
    return np.broadcast_to(value, (len(points), *value.shape[1:]))


def evaluate(expression: Basic, point: Point, letters: Sequence[Axis] = ()) -> Array:
    """The values of an expression over `letters`, as an array of that shape: float64, or the inputs' wider dtype.

    Raises Unsupported for a node the oracle does not know, NameProblem for a tensor or scalar without a value.
    """
    return evaluate_at(expression, (point,), letters)[0]
