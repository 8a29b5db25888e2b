"""Derivatives measured on the oracle: central differences, and the complex step where every node is analytic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import sympy
from sympy.core.basic import Basic
from sympy.logic.boolalg import Boolean

from derive.axes import (
    Axis,
    Delta,
    Entry,
    Expm1,
    Log1p,
    MeanOver,
    ProdOver,
    Scalar,
    Sigmoid,
    Size,
    Softplus,
    StopGradient,
    SumOver,
    Tensor,
    Where,
)
from derive.oracle import Array, Point, evaluate

from .assumptions import Random
from .report import relative_error
from .subject import bodies, whole

Function = Callable[[Sequence[Point]], Array]  # values at several points, points first
Move = tuple[Tensor, Array]  # what varies, and in which direction

MEASURED = 1e-6  # tolerance against finite differences, times 1 + |value|
EXACT = 1e-9  # tolerance between two exact evaluations
COMPLEX = 1e-12  # tolerance against the complex step
STEPS = (1e-4, 1e-5, 1e-6)
IMAGINARY = 1e-20

# f(x + ih) = f(x) + ih f′(x) holds for these, as they are evaluated.
ANALYTIC = (
    *(Entry, Tensor, Axis, Size, Scalar, Delta, Where, Sigmoid, Softplus, Log1p, Expm1, StopGradient),
    *(SumOver, MeanOver, ProdOver),
    *(sympy.Number, sympy.NumberSymbol, sympy.Add, sympy.Mul, sympy.Pow, sympy.exp, sympy.log),
    *(sympy.sin, sympy.cos, sympy.tan, sympy.sinh, sympy.cosh, sympy.tanh, sympy.atan, sympy.asinh),
)
FIXED = (Boolean, sympy.floor, sympy.ceiling, sympy.Mod, sympy.Min, sympy.Max)  # ... and these, of integers


def is_analytic(roots: Iterable[Basic]) -> bool:
    """Whether every node of every definition is in the table of analytic primitives, or no function of real inputs."""
    stack = list(bodies(roots))
    while stack:
        node = stack.pop()
        if not isinstance(node, ANALYTIC):
            if any(entry.tensor.dtype == "real" for entry in node.atoms(Entry)) or not isinstance(node, FIXED):
                return False
            continue
        stack.extend(node.args)
    return True


def value_of(tensor: Tensor, point: Point) -> Array:
    """A tensor's entries at a point, in the order of its own letters."""
    return evaluate(whole(tensor), point, tensor.axes)


def moved(point: Point, tensor: Tensor, array: Array) -> Point:
    """The point with another value for an input, or for an intermediate in place of its definition."""
    return point.moved(arrays={tensor.name: array}) if tensor.body is None else point.moved(held={tensor: array})


def basis(shape: tuple[int, ...]) -> Array:
    """One direction for each entry, in the order of the entries."""
    count = int(np.prod(shape, dtype=int))
    return np.eye(count).reshape(count, *shape)


def entries(tensor: Tensor, shape: tuple[int, ...]) -> list[Move]:
    """The moves that vary each entry of a tensor by itself."""
    return [(tensor, direction) for direction in basis(shape)]


def random_direction(rng: Random, shape: tuple[int, ...]) -> Array:
    """A random direction whose largest entry is 1."""
    direction = rng.normal(size=shape)
    return np.asarray(direction / np.abs(direction).max())


def _differences(values: Array, steps: Sequence[float], count: int) -> Array:
    """(f₊ − f₋) / 2h from values ordered by step, then move, then sign."""
    pairs = values.reshape(len(steps), count, 2, *values.shape[1:])
    widths = 2 * np.asarray(steps).reshape(-1, *(1,) * (pairs.ndim - 2))
    return np.asarray((pairs[:, :, 0] - pairs[:, :, 1]) / widths)


def slopes(function: Function, point: Point, moves: Sequence[Move], steps: Sequence[float] = STEPS) -> Array:
    """(f(x + hd) − f(x − hd)) / 2h for each step h and move (x, d): axes are step, move, then those of f."""
    start = {tensor: value_of(tensor, point) for tensor in dict.fromkeys(tensor for tensor, _ in moves)}
    points = [moved(point, x, start[x] + sign * h * d) for h in steps for x, d in moves for sign in (1, -1)]
    return _differences(function(points), steps, len(moves))


def slopes_along(
    function: Function, point: Point, direction: Mapping[str, Array], steps: Sequence[float] = STEPS
) -> Array:
    """The same, with all inputs moved at once along one direction: axes are step, then those of f."""
    points = [
        point.moved(arrays={name: point.arrays[name] + sign * h * d for name, d in direction.items()})
        for h in steps
        for sign in (1, -1)
    ]
    return np.asarray(_differences(function(points), steps, 1)[:, 0])


def best(found: Array, measured: Array) -> tuple[Array, Array]:
    """For each entry, the measurement (one for each step) that is nearest, and its error."""
    errors = np.stack([relative_error(found, one) for one in measured])
    nearest = np.argmin(errors, axis=0)[None]
    return tuple(np.take_along_axis(part, nearest, axis=0)[0] for part in (measured, errors))


def complex_slopes(function: Function, point: Point, moves: Sequence[Move]) -> Array:
    """Im f(x + ihd) / h for each move (x, d): no cancellation, so the derivative to the last digits."""
    values = function([moved(point, x, value_of(x, point) + 1j * IMAGINARY * d) for x, d in moves])
    return np.asarray(values.imag / IMAGINARY)
