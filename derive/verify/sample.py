"""Random points: lengths, inputs that satisfy what is assumed, a distance from kinks, or a place exactly on one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sympy.core.basic import Basic

from derive.axes import Axis, DeriveError, Size, Tensor, letters_of
from derive.oracle import Array, Point, evaluate, length

from .assumptions import Bound, Random, Repair, broken, repairs, within
from .kinks import gaps, kinks_of, levels
from .subject import Assumed, Subject, bodies, leaves, real_inputs, roots_of, whole

MARGIN = 1e-3  # how far a point stays from every kink
TRIES = 200
FIRST_SHAPES = ("distinct", "ones", "equal")  # then random ones


def _distinct(rng: Random, count: int) -> list[int]:
    lengths = [2 + k % 4 for k in range(count)]
    return [int(n) for n in rng.permutation(lengths)]


# A pattern of lengths: how many are needed → the lengths.
SHAPES: dict[str, Callable[[Random, int], list[int]]] = {
    "random": lambda rng, count: [int(n) for n in rng.integers(1, 5, count)],
    "distinct": _distinct,
    "ones": lambda rng, count: [1] * count,
    "equal": lambda rng, count: [int(rng.integers(2, 4))] * count,
    "small": lambda rng, count: [2 + k % 2 for k in range(count)],
}


def shape_of(trial: int) -> str:
    """The pattern of a trial: distinct lengths, all of length one, all equal, then random."""
    return FIRST_SHAPES[trial] if trial < len(FIRST_SHAPES) else "random"


@dataclass(frozen=True)
class Sampler:
    """Points for one formula; `also` are further expressions whose letters and free tensors need values."""

    subject: Subject
    also: tuple[Basic, ...] = ()

    @cached_property
    def roots(self) -> tuple[Basic, ...]:
        return (*roots_of(self.subject), *self.also)

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """Everything that needs an array: the inputs, then upstreams and tangents."""
        return tuple(dict.fromkeys((*self.subject.inputs, *leaves(self.roots))))

    @cached_property
    def letters(self) -> tuple[Axis, ...]:
        inner = {letter for body in bodies(self.roots) for letter in letters_of(body)}
        stated = {letter for a in self.subject.assumptions for letter in letters_of(a.statement)}
        declared = {letter for tensor in (*self.tensors, *self.subject.outputs) for letter in tensor.axes}
        return tuple(sorted(inner | stated | declared, key=str))

    @cached_property
    def sizes(self) -> tuple[Size, ...]:
        found = {symbol for letter in self.letters for symbol in letter.size.free_symbols}
        found |= {symbol for body in bodies(self.roots) for symbol in body.atoms(Size)}
        return tuple(sorted(found | set(self.subject.sizes), key=str))

    @cached_property
    def kinks(self) -> tuple[Basic, ...]:
        return kinks_of(roots_of(self.subject))

    @cached_property
    def arranged(self) -> tuple[tuple[Bound, ...], tuple[tuple[str, Repair], ...], tuple[Assumed, ...]]:
        return repairs(self.subject)

    def lengths(self, rng: Random, shape: str) -> dict[Basic, int]:
        """Lengths in a pattern, each at least its Size's minimum; derived lengths at least 1."""
        for attempt in range(TRIES):
            pattern = SHAPES[shape if attempt == 0 else "random"](rng, len(self.sizes))
            chosen: dict[Basic, int] = {s: max(n, s.min) for s, n in zip(self.sizes, pattern, strict=True)}
            if all(length(letter.size, chosen) >= 1 for letter in self.letters):
                return chosen
        raise DeriveError(f"{self.subject.name}: found no lengths for which every axis has at least one entry")

    def draw(self, rng: Random, lengths: Mapping[Basic, int]) -> Point:
        """One draw: real entries ~ N(0, 1), integers below their bound, masks; then what is assumed is arranged."""
        _, kinds, own = self.arranged
        scalars = {s.name: _parameter(rng, s.default) for s in self.subject.scalars}
        arrays = {tensor.name: _entries(tensor, rng, lengths) for tensor in self.tensors}
        for name, (low, high) in self.limits(Point({}, lengths, scalars)).items():
            if name in arrays:
                arrays[name] = within(arrays[name], low, high)
            elif name in scalars and not low < scalars[name] < high:
                scalars[name] = float(within(np.asarray(rng.normal()), low, high))
        for name, repair in kinds:
            arrays[name] = repair(arrays[name])
        for assumption in own:
            names = [t.name for t in self.tensors if t in leaves([assumption.statement])]
            made = assumption.sample(rng, {name: arrays[name].shape for name in names})  # type: ignore[misc]
            arrays.update(made if isinstance(made, Mapping) else {names[0]: np.asarray(made)})
        return Point(arrays, lengths, scalars)

    def limits(self, point: Point) -> dict[str, tuple[float, float]]:
        """Name → the interval that all bounds on it leave."""
        found: dict[str, tuple[float, float]] = {}
        for bound in self.arranged[0]:
            low, high = found.get(bound.name, (-np.inf, np.inf))
            limit = float(evaluate(bound.limit, point))
            found[bound.name] = (max(low, limit), high) if bound.lower else (low, min(high, limit))
        return found

    def constrained(self) -> set[str]:
        """Inputs about which something is assumed."""
        return {tensor.name for a in self.subject.assumptions for tensor in leaves([a.statement])}

    def problem(self, point: Point, rng: Random) -> str:
        """Why the point will not do, in words; empty when it will."""
        for assumption in self.subject.assumptions:
            if why := broken(assumption.statement, point):
                return f"the assumption {why}"
        for output in self.subject.outputs:
            if not np.all(np.isfinite(evaluate(whole(output), point, output.axes))):
                return f"{output.name} is not finite; state where the formula is defined, as in assume(x[n] > 0)"
        for kink, gap in self.gaps(point, rng):
            if np.any(gap < MARGIN):
                return f"the point is within {MARGIN} of the kink {kink}"
        return ""

    def gaps(self, point: Point, rng: Random) -> Iterator[tuple[Basic, Array]]:
        """Each kink with the point's distances from it."""
        direction = {t.name: rng.normal(size=point.arrays[t.name].shape) for t in real_inputs(self.subject)}
        return ((kink, gaps(kink, point, direction)) for kink in self.kinks)

    def point(self, rng: Random, shape: str = "random") -> Point:
        """A point that satisfies the assumptions, where every output is finite, at least MARGIN from every kink."""
        why = ""
        for attempt in range(TRIES):
            point = self.draw(rng, self.lengths(rng, shape if attempt < TRIES // 2 else "random"))
            why = self.problem(point, rng)
            if not why:
                return point
        raise DeriveError(f"{self.subject.name}: found no point in {TRIES} tries: at the last, {why}")

    def on_kinks(self, rng: Random, shape: str = "random") -> Point | None:
        """A point whose free inputs lie on a coarse grid, so that many comparisons are ties; None if none is found.

        Every output is finite there, and a comparison is an exact tie or no tie: rounding decides nothing.
        """
        for _ in range(TRIES // 10):
            point = self.draw(rng, self.lengths(rng, shape))
            grid = levels(self.kinks, point.scalars)
            free = [t for t in real_inputs(self.subject) if t.name not in self.constrained()]
            coarse = {t.name: rng.choice(grid, size=point.arrays[t.name].shape) for t in free}
            point = point.with_(arrays=coarse)
            outputs: Iterable[Array] = (evaluate(whole(o), point, o.axes) for o in self.subject.outputs)
            clear = all(np.all((gap == 0) | (gap > MARGIN)) for _, gap in self.gaps(point, rng))
            if clear and all(np.all(np.isfinite(y)) for y in outputs):
                return point
        return None


def _entries(tensor: Tensor, rng: Random, lengths: Mapping[Basic, int]) -> Array:
    shape = tuple(length(letter.size, lengths) for letter in tensor.axes)
    if tensor.dtype == "bool":
        return np.asarray(rng.random(shape) < 0.6)
    if tensor.dtype == "int":
        low, high = (-3, 4) if tensor.bound is None else (0, length(tensor.bound, lengths))
        return np.asarray(rng.integers(low, high, shape))
    return np.asarray(rng.normal(size=shape))


def sample_point(
    subject: Subject, rng: Random, *, shape: str = "random", kinks: str = "away", also: Sequence[Basic] = ()
) -> Point:
    """A random point of the formula: `kinks="away"` keeps clear of them, `kinks="on"` puts inputs exactly on them.

    `shape` is a pattern of SHAPES. Raises DeriveError when no such point is found, Unsupported for an assumption that
    cannot be sampled.
    """
    sampler = Sampler(subject, tuple(also))
    if kinks == "away":
        return sampler.point(rng, shape)
    point = sampler.on_kinks(rng, shape)
    if point is None:
        raise DeriveError(f"{subject.name}: found no point on its kinks where every output is finite")
    return point


def _parameter(rng: Random, default: float | None) -> float:
    """A scalar parameter: its default half of the time, else further from zero (an ε of 1e-5 hides mistakes)."""
    if default is None:
        return float(rng.uniform(0.5, 2))
    return default if rng.random() < 0.5 else default + (-1 if default < 0 else 1) * float(rng.uniform(0, 1))
