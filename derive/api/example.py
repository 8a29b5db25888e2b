"""One point at which an emitted module tries itself: of the points that checks draw, the smallest of a few."""

from __future__ import annotations

import numpy as np

from derive.axes import StopGradient
from derive.backends.selfcheck import Example
from derive.formula import Traced
from derive.oracle import Point
from derive.verify import Sampler, elementwise
from derive.verify.subject import bodies, roots_of

DRAWS = 12  # points to choose from


def example_of(traced: Traced) -> Example | None:
    """Arrays with several entries an axis where that is possible, and few in all.

    None where stop_gradient holds something: differences of values then measure another derivative.
    """
    if any(body.has(StopGradient) for body in bodies(roots_of(traced))):
        return None
    subject = elementwise(traced) if traced.elementwise else traced
    sampler = Sampler(subject)
    points = [sampler.point(np.random.default_rng(seed), "distinct") for seed in range(DRAWS)]
    best = min(points, key=_size)
    inputs = {t.name: best.arrays[t.name] for t in traced.inputs}
    sizes = {s.name: best.sizes[s] for s in traced.sizes}
    scalars = {s.name: best.scalars[s.name] for s in traced.scalars if s.default is None}
    free = [t.name for t in traced.inputs if t.dtype == "real" and t.name not in sampler.constrained()]
    return Example(inputs, {**scalars, **sizes}, free)


def _size(point: Point) -> tuple[int, int]:
    """Axes of length 1, where sums are trivial; then entries."""
    arrays = point.arrays.values()
    return sum(array.shape.count(1) for array in arrays), sum(array.size for array in arrays)
