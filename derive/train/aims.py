"""What a loss asks of its targets: found by evaluating it, since a loss of one's own says so nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from derive.axes import Size
from derive.formula import Formula

from .code import forward_code

Array = np.ndarray[Any, np.dtype[Any]]
ROWS, COLUMNS = 4, 3  # of what it is evaluated on
CLOSE = 1e-9


@dataclass(frozen=True)
class Aim:
    """What targets of a loss are.

    `numbers`: another number wants another output. `distance`: it asks only how far outputs are from targets, which may
    then be shifted. `signs`: classes are −1 and 1. `middle`: the output between the classes 0 and 1 of a single column.
    """

    numbers: bool = False
    distance: bool = True
    signs: bool = False
    middle: float = 0.0


def aim_of(loss: Formula) -> Aim:
    """What `loss` asks of its targets, its second input; the usual where it takes more than outputs and targets."""
    inputs = loss.trace().inputs
    if len(inputs) != 2 or any(tensor.dtype != "real" or not tensor.axes for tensor in inputs):
        return Aim()
    z, t = np.random.default_rng(0).normal(size=(2, *(ROWS, COLUMNS)[: inputs[0].ndim]))
    sizes = [axis.size for tensor in inputs for axis in tensor.axes]
    if inputs[0].ndim > 2 or not all(isinstance(size, Size) for size in sizes):
        return Aim()
    forward = forward_code(loss).forward

    def at(outputs: Any, targets: Any) -> float:
        given = zip((tensor.name for tensor in inputs), (outputs, targets), strict=True)
        with np.errstate(all="ignore"):
            return float(forward(**{name: np.full(z.shape, value, float) for name, value in given})[0])

    signs = _signed(at, z)
    return Aim(_numbers(at), _same(at(z, t), at(z + 0.7, t + 0.7)), signs, _middle(at, -1 if signs else 0))


def far_costs(loss: Formula, t: str, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether targets cost more the farther they are, above and below, in a loss that is model and loss in one."""
    rng = np.random.default_rng(0)
    kinds: dict[str, Any] = {"real": float, "int": int, "bool": bool}
    given: dict[str, Any] = {
        i.name: rng.normal(size=shapes[i.name]).astype(kinds[i.dtype]) for i in loss.trace().inputs
    }
    forward = forward_code(loss).forward
    with np.errstate(all="ignore"):
        near, above, below = (float(forward(**{**given, t: given[t] + far})[0]) for far in (0, 1e4, -1e4))
    return min(above, below) > near


def _numbers(at: Callable[[Any, Any], float]) -> bool:
    """For each of several targets there is one best output, and another for another."""
    outputs = np.linspace(-6, 6, 49)
    best = [_least([at(z, t) for z in outputs]) for t in (1, 2, 3)]
    return 0 not in best and len(set(best)) == len(best)


def _least(values: list[float]) -> int:
    """The place of the least value, if it is alone and inside; else 0."""
    places = [k for k, value in enumerate(values) if value <= min(values) + CLOSE]
    return places[0] if len(places) == 1 and places[0] < len(values) - 1 else 0


def _signed(at: Callable[[Any, Any], float], z: Array) -> bool:
    """It does not look at outputs where the target is 0, be there another class or not."""
    t = np.zeros(z.shape)
    if z.ndim == 2:
        t[:, 0] = 1
    moved = z - 1.3 * (t == 0)
    return _same(at(z, t), at(moved, t)) and not _same(at(z, 2 * t - 1), at(moved, 2 * t - 1))


def _middle(at: Callable[[Any, Any], float], other: int) -> float:
    """0 for scores, ½ for probabilities and for numbers: where the class 1 costs what the other does."""
    return next((place for place in (0.0, 0.5) if _same(at(place, other), at(place, 1))), 0.0)


def _same(one: float, two: float) -> bool:
    """Equal to rounding; what is no number is equal to nothing."""
    return abs(one - two) <= CLOSE * (1 + abs(one))
