"""What an answer should be and how far it may be off: a value, settled by rising precision, and its sensitivity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from derive.axes import Tensor
from derive.oracle import Array, Point

from .precise import Noise, digits, evaluated

DIGITS = (50, 100, 400, 800)  # each answer is one on which two neighbours agree
AGREE = 1e-25  # ... to this relative difference, or to this part of the smallest float
SURE = 400  # from so many digits on, 0, ∞ and NaN are answers: a float64 beside 1 needs 324 of them to show
MOVES = (False, False, True)  # random moves: of all data, or of the upstream gradients alone; the farthest counts


@dataclass(frozen=True)
class Truth:
    """The entries of one tensor at each point, and how far they move when the data moves by one unit, relatively.

    Where the precision did not suffice, the point is not `settled`.
    """

    value: Array
    change: Array
    settled: Array


@dataclass(frozen=True)
class Question:
    """What is asked of each point: these tensors' values, and how far they move under moves by one unit.

    What moves is the data; with `operations` also the result of every operation, as rounding would move it.
    """

    tensors: tuple[Tensor, ...]
    upstreams: frozenset[str]
    unit: float
    smallest: float
    operations: bool
    seed: int

    def truths(self, points: Sequence[Point]) -> list[Truth]:
        """The truth about each tensor."""
        values: list[Any] = [None] * len(self.tensors)
        changes: list[Any] = [None] * len(self.tensors)
        left = np.arange(len(points))
        low, _ = evaluated(self.tensors, points, digits(DIGITS[0]))
        for less, more in pairwise(DIGITS):
            here = [points[int(k)] for k in left]
            high, _ = evaluated(self.tensors, here, digits(more))
            agreed = self._agreed(low, high, sure=more >= SURE)
            moved = self._moved([p for p, ok in zip(here, agreed, strict=True) if ok], [a[agreed] for a in low], less)
            for number in range(len(self.tensors)):
                _put(values, number, len(points), left[agreed], high[number][agreed])
                _put(changes, number, len(points), left[agreed], moved[number])
            left, low = left[~agreed], [value[~agreed] for value in high]
            if not left.size:
                break
        settled = ~np.isin(np.arange(len(points)), left)
        return [Truth(value, change, settled) for value, change in zip(values, changes, strict=True)]

    def _moved(self, points: Sequence[Point], base: Sequence[Array], less: int) -> list[Array]:
        """The largest change of each entry under the moves."""
        numbers, largest = digits(less), [np.zeros(value.shape, dtype=object) for value in base]
        for turn, only in enumerate(MOVES if points else ()):
            names = self.upstreams if only and self.upstreams else None
            noise = Noise.of(numbers, self.unit, (self.seed, turn), self.operations and names is None, names)
            found, _ = evaluated(self.tensors, points, numbers, noise)
            largest = [np.maximum(old, _distance(a, b)) for old, a, b in zip(largest, found, base, strict=True)]
        return largest

    def _agreed(self, low: Sequence[Array], high: Sequence[Array], sure: bool) -> Array:
        """The points at which two precisions agree on every entry; on 0, ∞ and NaN only if these may be trusted."""
        floor = digits(DIGITS[0]).context.mpf(self.smallest) * AGREE

        def same(a: Any, b: Any) -> bool:
            if not (b and b == b and abs(b) != np.inf):
                return sure and (a == b or (a != a and b != b) or abs(a - b) <= floor)
            return bool(abs(a - b) <= max(AGREE * abs(b), floor))

        agree = np.frompyfunc(same, 2, 1)
        parts = (np.asarray(agree(a, b), dtype=bool) for a, b in zip(low, high, strict=True))
        return np.logical_and.reduce([part.reshape(len(part), -1).all(axis=1) for part in parts])


def _put(arrays: list[Any], number: int, count: int, places: Array, values: Array) -> None:
    if arrays[number] is None:
        arrays[number] = np.full((count, *values.shape[1:]), np.nan, dtype=object)
    arrays[number][places] = values


def _far(a: Any, b: Any) -> Any:
    """|a − b|; ∞ where a is no number and b is: the data is at the edge of where the answer exists."""
    return 0 if a == b or b != b else np.inf if a != a else abs(a - b)


_distance = np.frompyfunc(_far, 2, 1)
