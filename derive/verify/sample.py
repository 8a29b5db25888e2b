"""Random points: lengths, inputs that satisfy what is assumed, a distance from kinks, or a place exactly on one."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import sympy
from sympy.core.basic import Basic
from sympy.core.relational import Relational

from derive.axes import Axis, DeriveError, Entry, Reduction, Size, Tensor, definitions, free_axes, letters_of
from derive.oracle import Array, Point, evaluate, length
from derive.steps import Assumed, Subject

from .assumptions import Bound, Random, Repair, about_sizes, broken, repairs, within
from .kinks import TIES, gaps, kinks_of, levels
from .lengths import Lengths
from .subject import bodies, derivatives_in, leaves, real_inputs, roots_of, whole

MARGIN = 1e-3  # how far a point stays from every kink
MODERATE = 1e75  # a number of this size, or its inverse, may be squared twice
NOTHING = 1e-20  # below this a root of what is otherwise moderate is one of nothing, up to rounding
SPAN = 1_000_000  # entries under one reduction: of several draws of lengths, the first that spans no more is taken
MOVED = 2_000_000  # ... times the entries of an input
PAIRS = 2000  # ... and pairs of entries that are moved one against the other, for a second derivative
DRAWS = 12
BEYOND = 2  # how far integers without a bound leave an axis, on both sides: they may only be read with padding
TRIES = 200
PATIENCE = 12
FIRST_SHAPES = ("distinct", "ones", "equal")  # then random ones


def shape_of(trial: int) -> str:
    """The pattern of a trial: distinct lengths, all of length one, all equal, then random."""
    return FIRST_SHAPES[trial] if trial < len(FIRST_SHAPES) else "random"


@dataclass(frozen=True)
class Sampler:
    """Points for one formula; `also` are further expressions whose letters and free tensors need values.

    `pair` are the two inputs of a second derivative, which is measured for each entry of one with each of the other.
    """

    subject: Subject
    also: tuple[Basic, ...] = ()
    pair: tuple[Tensor, ...] = ()

    @cached_property
    def roots(self) -> tuple[Basic, ...]:
        return (*roots_of(self.subject), *self.also)

    @cached_property
    def rooted(self) -> tuple[Basic, ...]:
        """The roots, and the statements about inputs: all that is evaluated."""
        return (*self.roots, *(a.statement for a in self.subject.assumptions))

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """Everything that needs an array: the inputs, then upstreams and tangents."""
        return tuple(dict.fromkeys((*self.subject.inputs, *leaves(self.roots))))

    @cached_property
    def letters(self) -> tuple[Axis, ...]:
        inner = {letter for body in bodies(self.rooted) for letter in letters_of(body)}
        declared = {letter for tensor in (*self.tensors, *self.subject.outputs) for letter in tensor.axes}
        return tuple(sorted(inner | declared, key=str))

    @cached_property
    def lengths(self) -> Lengths:
        """Every length that has a value: those of letters, declared, free or bound; bounds of integers; parameters."""
        derived = {letter.size for letter in self.letters} | {t.bound for t in self.tensors if t.bound is not None}
        stated = tuple(a.statement for a in self.subject.assumptions if about_sizes(a.statement))
        nodes = (*derived, *stated, *bodies(self.rooted))
        sizes = {symbol for node in nodes for symbol in node.atoms(Size)} | set(self.subject.sizes)
        plain = frozenset(one for one in derived if isinstance(one, Size))
        unsettled = tuple(sorted((one for one in derived - plain if not one.is_Integer), key=str))
        return Lengths(tuple(sorted(sizes, key=str)), plain, unsettled, stated)

    @cached_property
    def spans(self) -> tuple[tuple[tuple[Axis, ...], int], ...]:
        """Letters, free and bound, of what each reduction reduces; of that with each input; of the pair: with limits.

        The formula is evaluated once for each entry of an input (and each step), to measure the derivative.
        """
        letters = {_reduced(node) for body in bodies(self.rooted) for node in body.atoms(Reduction)}
        forward = {_reduced(node) for body in bodies(roots_of(self.subject)) for node in body.atoms(Reduction)}
        moved = {(*one, *x.axes) for one in forward for x in real_inputs(self.subject)}
        paired = tuple(letter for tensor in self.pair for letter in tensor.axes)
        return (*((one, SPAN) for one in letters), *((one, MOVED) for one in moved), (paired, PAIRS))

    @cached_property
    def kinks(self) -> tuple[Basic, ...]:
        return kinks_of(roots_of(self.subject))

    @cached_property
    def arranged(self) -> tuple[tuple[Bound, ...], tuple[tuple[str, Repair], ...], tuple[Assumed, ...]]:
        return repairs(self.subject)

    def sizes(self, rng: Random, shape: str) -> dict[Basic, int]:
        """Sizes in a pattern that meet every demand on lengths; preferably such that no reduction spans too much."""
        drawn: list[tuple[float, dict[Basic, int]]] = []
        for attempt in range(DRAWS):
            chosen = self.lengths.draw(rng, shape if attempt == 0 else "random")
            if chosen is not None:
                drawn.append((self.excess(chosen), chosen))
                if drawn[-1][0] <= 1:
                    break
        if not drawn:
            demands = ", ".join(str(one) for one in (*self.lengths.derived, *self.lengths.stated))
            raise DeriveError(f"{self.subject.name}: found no sizes for which every axis has a whole length of at "
                              f"least one and all that is stated about sizes holds: {demands}")  # fmt: skip
        return min(drawn, key=lambda pair: pair[0])[1]

    def excess(self, sizes: Mapping[Basic, int]) -> float:
        """How many times too large the largest span is."""
        lengths = {size: length(size, sizes) for size in {a.size for letters, _ in self.spans for a in letters}}
        return max(math.prod(lengths[a.size] for a in letters) / limit for letters, limit in self.spans)

    def draw(self, rng: Random, lengths: Mapping[Basic, int]) -> Point:
        """One draw: real entries ~ N(0, 1), integers below their bound, masks; then what is assumed is arranged."""
        _, kinds, own = self.arranged
        scalars = {s.name: _parameter(rng, s.default) for s in self.subject.scalars}
        longest = max((length(letter.size, lengths) for letter in self.letters), default=1)
        arrays = {tensor.name: _entries(tensor, rng, lengths, longest) for tensor in self.tensors}
        for name, (low, high) in self.limits(Point({}, lengths, scalars)).items():
            if name in arrays:
                arrays[name] = within(arrays[name], low, high)
            elif name in scalars and not low <= scalars[name] <= high:
                scalars[name] = float(within(np.asarray(rng.normal()), low, high))
        for name, repair in kinds:
            arrays[name] = repair(arrays[name])
        for assumption in own:
            names = [t.name for t in self.tensors if t in leaves([assumption.statement])]
            made = assumption.sample(rng, {name: array.shape for name, array in arrays.items()})  # type: ignore[misc]
            arrays.update(made if isinstance(made, Mapping) else {names[0]: np.asarray(made)})
        return Point(arrays, lengths, scalars, ties=TIES)

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

    @cached_property
    def ranged(self) -> tuple[Basic, ...]:
        """What has a name, in the formula or in what is derived, and the denominators of the formula."""
        named = (whole(t) for t in definitions(self.roots) if t.dtype == "real" and not derivatives_in([whole(t)]))
        powers = {p for body in bodies(roots_of(self.subject)) for p in body.atoms(sympy.Pow)}
        under = {p.args[0] for p in powers if p.args[1].is_negative and p.args[0].atoms(Entry)}
        return (*named, *sorted(under, key=str))

    def extreme(self, point: Point) -> bool:
        """Whether one of these is so large or small that its square, or the square of its inverse, may be lost.

        Or a root is taken of nothing (a deviation of one number), or a comparison has no answer.
        """
        for number in self.ranged:
            size = np.abs(evaluate(number, point, free_axes(number)))
            if np.any(np.isfinite(size) & (size > 0) & ((size > MODERATE) | (size < 1 / MODERATE))):
                return True
        if any(np.any(np.abs(evaluate(base, point, free_axes(base))) < NOTHING) for base in self.radicands):
            return True
        return self.unanswered(point)

    def unanswered(self, point: Point) -> bool:
        """Whether a comparison has no answer: one side of it is the root of a negative number."""
        sides = (side for kink in self.kinks if isinstance(kink, Relational) for side in kink.args)
        return any(np.any(np.isnan(evaluate(side, point, free_axes(side)))) for side in sides)

    @cached_property
    def radicands(self) -> tuple[Basic, ...]:
        """What roots and logarithms are taken of."""
        calls = {p for body in bodies(roots_of(self.subject)) for p in body.atoms(sympy.Pow, sympy.log)}
        rooted = {c.args[0] for c in calls if isinstance(c, sympy.log) or c.args[1].is_integer is False}
        return tuple(sorted((r for r in rooted if r.atoms(Entry)), key=str))

    def problem(self, point: Point, rng: Random) -> tuple[object, ...]:
        """Why the point will not do, as what is to be printed: mostly nobody asks; empty when it will."""
        for assumption in self.subject.assumptions:
            if why := broken(assumption.statement, point):
                return ("the assumption", why)
        for output in self.subject.outputs:
            if not np.all(np.isfinite(evaluate(whole(output), point, output.axes))):
                return (output.name, "is not finite; state where the formula is defined, as in assume(x[n] > 0)")
        for kink, gap in self.gaps(point, rng):
            if np.any(gap < MARGIN):
                return ("the point is within", MARGIN, "of the kink", kink)
        return ()

    def gaps(self, point: Point, rng: Random) -> Iterator[tuple[Basic, Array]]:
        """Each kink with the point's distances from it."""
        direction = {t.name: rng.normal(size=point.arrays[t.name].shape) for t in real_inputs(self.subject)}
        return ((kink, gaps(kink, point, direction)) for kink in self.kinks)

    def point(self, rng: Random, shape: str = "random") -> Point:
        """A point that satisfies the assumptions, where every output is finite, at least MARGIN from every kink.

        Preferably no number is extreme there: what is checked are laws, not the range of floats.
        """
        why: tuple[object, ...] = ()
        extremes = 0  # of points with nothing else against them: it may lie in the lengths, or in the formula
        for attempt in range(TRIES):
            given = attempt < TRIES // 2 and extremes < PATIENCE
            point = self.draw(rng, self.sizes(rng, shape if given else "random"))
            why = self.problem(point, rng)
            if not why and not (extremes < 4 * PATIENCE and self.extreme(point)):
                return point
            extremes += not why
        words = " ".join(map(str, why))
        raise DeriveError(f"{self.subject.name}: found no point in {TRIES} tries: at the last, {words}")

    @cached_property
    def _trials(self) -> dict[tuple[int, int, str], tuple[Point, Random]]:
        return {}

    def trial(self, seed: int, trial: int, shape: str = "") -> tuple[Point, Random]:
        """The point of a trial, in its pattern, and the generator as it was left; drawn once for all who ask."""
        key = (seed, trial, shape or shape_of(trial))
        if key not in self._trials:
            rng = np.random.default_rng([seed, trial])
            self._trials[key] = self.point(rng, key[-1]), rng
        point, rng = self._trials[key]
        return point, copy.deepcopy(rng)

    def on_kinks(self, rng: Random, shape: str = "random") -> Point | None:
        """A point whose free inputs lie on a coarse grid, so that many comparisons are ties; None if none is found.

        Every output is finite there, no definition is 0/0, though nothing may select it, and a comparison is an exact
        tie or no tie: rounding decides nothing.
        """
        for _ in range(TRIES // 10):
            point = self.draw(rng, self.sizes(rng, shape))
            grid = levels(self.kinks, point.scalars)
            free = [t for t in real_inputs(self.subject) if t.name not in self.constrained()]
            coarse = {t.name: rng.choice(grid, size=point.arrays[t.name].shape) for t in free}
            point = point.with_(arrays=coarse)
            outputs: Iterable[Array] = (evaluate(whole(o), point, o.axes) for o in self.subject.outputs)
            clear = all(np.all((gap <= TIES) | (gap > MARGIN)) for _, gap in self.gaps(point, rng))
            finite = clear and all(np.all(np.isfinite(y)) for y in outputs)
            inner = definitions(o[o.axes] for o in self.subject.outputs)
            named: Iterable[Array] = (evaluate(whole(t), point, t.axes) for t in inner)
            if finite and not any(np.any(np.isnan(y)) for y in named) and not self.unanswered(point):
                return point
        return None


def sampler_of(subject: Subject, also: tuple[Basic, ...]) -> Sampler:
    """One for the code and the gradients of a formula: they are checked at the same points."""
    return _sampler(subject, also)  # type: ignore[arg-type]  # the protocol is silent on hashes; all that keep it have one


_sampler = lru_cache(maxsize=2)(Sampler)


def _reduced(node: Reduction) -> tuple[Axis, ...]:
    return tuple(sorted({*free_axes(node.body), *node.axes}, key=str))


def _entries(tensor: Tensor, rng: Random, lengths: Mapping[Basic, int], longest: int) -> Array:
    shape = tuple(length(letter.size, lengths) for letter in tensor.axes)
    if tensor.dtype == "bool":
        return np.asarray(rng.random(shape) < 0.6)
    if tensor.dtype == "int":
        bound = None if tensor.bound is None else length(tensor.bound, lengths)
        low, high = (-BEYOND, BEYOND + longest) if bound is None else (0, bound)
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
