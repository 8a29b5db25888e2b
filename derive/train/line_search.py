"""A step that is long enough and not too long: the strong Wolfe conditions, by a bracket and cubic interpolation.

Source: Nocedal, Wright, Numerical Optimization (2006), algorithms 3.5 and 3.6, eq. 3.59; the bounds of each guess, and
when it stops, as in torch.optim.LBFGS with line_search_fn="strong_wolfe", which has them from Schmidt's minFunc.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
FALL = 1e-4  # of the fall that the slope promises, so much must come
FLAT = 0.9  # of the slope at the start, no more may be left
MOST = 25  # guesses
MARGIN = 0.1  # of a bracket: no second guess is nearer to its ends


@dataclass(frozen=True)
class Point:
    """What is known at a length `t` along a direction: the value, its slope, the gradient."""

    t: float
    value: float
    slope: float
    g: Array


def cubic_least(one: Point, two: Point, low: float, high: float) -> float:
    """Where the cubic with these values and slopes is least, held between two bounds; their middle if it is nowhere."""
    one, two = sorted((one, two), key=lambda point: point.t)
    bend = one.slope + two.slope - 3 * (one.value - two.value) / (one.t - two.t)
    square = bend**2 - one.slope * two.slope
    if not square >= 0:
        return (low + high) / 2
    root = math.sqrt(square)
    share = (two.slope + root - bend) / (two.slope - one.slope + 2 * root)
    return min(max(two.t - (two.t - one.t) * share, low), high)


def strong_wolfe(
    at: Callable[[float], Point], start: Point, first: float, narrow: float, most: int = MOST
) -> tuple[Point, int]:
    """A point that meets the strong Wolfe conditions, or the best that was found, and how many were looked at.

    `at(t)` evaluates, `first` is the first guess; a bracket shorter than `narrow` is given up.
    """

    def falls(point: Point) -> bool:
        return point.value <= start.value + FALL * point.t * start.slope

    def flat(point: Point) -> bool:
        return abs(point.slope) <= -FLAT * start.slope

    before, now, count = start, at(first), 1
    while count <= most:
        beyond = not falls(now) or (count > 2 and now.value >= before.value)
        if not beyond and flat(now):
            return now, count
        if beyond or now.slope >= 0:
            return _zoomed(at, before, now, falls, flat, narrow, count, most)
        t = cubic_least(before, now, now.t + 0.01 * (now.t - before.t), 10 * now.t)
        before, now, count = now, at(t), count + 1
    return min(start, now, key=lambda point: point.value), count


def _zoomed(
    at: Callable[[float], Point],
    one: Point,
    two: Point,
    falls: Callable[[Point], bool],
    flat: Callable[[Point], bool],
    narrow: float,
    count: int,
    most: int,
) -> tuple[Point, int]:
    """The bracket between two points made smaller until a point in it is good enough; `low` is its better end."""
    low, high = (two, one) if two.value < one.value else (one, two)
    stuck = False
    while count <= most:
        left, right = sorted((low.t, high.t))
        if right - left < narrow:
            break
        t, margin = cubic_least(low, high, left, right), MARGIN * (right - left)
        near = min(right - t, t - left) < margin
        if near and (stuck or not left < t < right):
            t = right - margin if right - t < t - left else left + margin
            near = False
        stuck = near
        now, count = at(t), count + 1
        if not falls(now) or now.value >= low.value:
            low, high = (now, low) if now.value < low.value else (low, now)
        elif flat(now):
            return now, count
        else:
            low, high = now, low if now.slope * (high.t - low.t) >= 0 else high
    return low, count
