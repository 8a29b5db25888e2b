"""A derived gradient is the derivative of the oracle: ∂L/∂x for L = Σ g·y, by independent witnesses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from derive.axes import NameProblem, Tensor, did_you_mean
from derive.oracle import Array, Point
from derive.steps import Subject

from .assumptions import Random
from .dual import tangents_at
from .measure import (
    COMPLEX,
    EXACT,
    MEASURED,
    Move,
    best,
    complex_slopes,
    entries,
    is_analytic,
    random_direction,
    slopes,
    value_of,
)
from .report import Ledger, Place, Report, scaled_error
from .sample import sampler_of
from .subject import checked_upstreams, loss, place_of, real_inputs, roots_of, whole

KINK_TRIALS = 8
ON_KINKS = "on kinks, by convention"


def dual_slopes(subject: Subject, upstreams: Sequence[Tensor], point: Point, moves: Sequence[Move]) -> Array:
    """The derivative of L along each move of an input, by dual numbers."""
    total = np.zeros(len(moves))
    directions = [{x.name: direction} for x, direction in moves]
    for number, output in enumerate(subject.outputs):
        _, tangent = tangents_at(whole(output), [point] * len(moves), directions, output.axes)
        g = point.arrays[upstreams[number].name] if upstreams else np.ones(())
        total = total + (tangent * g).reshape(len(moves), -1).sum(axis=1)
    return total


def checked_results(subject: Subject, results: Mapping[str, Tensor]) -> dict[Tensor, Tensor]:
    """Input → result; NameProblem for a name that is no real input."""
    inputs = {tensor.name: tensor for tensor in real_inputs(subject)}
    for name in results:
        if name not in inputs:
            raise NameProblem(f"{subject.name}: {name!r} is no real input{did_you_mean(name, inputs)}")
    return {inputs[name]: result for name, result in results.items()}


@dataclass(frozen=True)
class Found:
    """The value of a result at a point, and the words for its place."""

    x: Tensor
    value: Array
    place: Place

    @property
    def entries(self) -> list[Move]:
        return entries(self.x, self.value.shape)


@dataclass(frozen=True)
class _Witnesses:
    """The comparisons for one formula: each method is one witness, and fills one row for each input."""

    subject: Subject
    upstreams: tuple[Tensor, ...]
    ledger: Ledger

    def loss(self, points: Sequence[Point]) -> Array:
        return loss(self.subject, self.upstreams, points)

    def along_directions(self, results: Sequence[Found], point: Point, rng: Random) -> None:
        moves = [(found.x, random_direction(rng, found.value.shape)) for found in results]
        measured = slopes(self.loss, point, moves)
        for number, (found, (_, direction)) in enumerate(zip(results, moves, strict=True)):
            derived = np.asarray((found.value * direction).sum())
            nearest, error = best(derived, measured[:, number])
            what = f"d/d{found.x.name} along random directions"
            self.ledger.compare(what, derived, nearest, MEASURED, found.place, error=error)

    def entry_by_entry(self, results: Sequence[Found], point: Point) -> None:
        for found in results:
            measured = slopes(self.loss, point, found.entries).reshape(-1, *found.value.shape)
            nearest, error = best(found.value, measured)
            what = f"d/d{found.x.name} entry by entry"
            self.ledger.compare(what, found.value, nearest, MEASURED, found.place, error=error)

    def dual(self, results: Sequence[Found], point: Point, what: str) -> None:
        """By dual numbers, entry by entry; where those are not finite, on a kink, no convention holds."""
        moves = [move for found in results for move in found.entries]
        if not moves:
            return
        expected = dual_slopes(self.subject, self.upstreams, point, moves)
        for found in results:
            here, expected = expected[: found.value.size].reshape(found.value.shape), expected[found.value.size :]
            if what != ON_KINKS or np.all(np.isfinite(here)):
                error = scaled_error(found.value, here)
                self.ledger.compare(f"d/d{found.x.name} {what}", found.value, here, EXACT, found.place, error=error)

    def complex_step(self, results: Sequence[Found], point: Point, rng: Random) -> None:
        moves = [(found.x, random_direction(rng, found.value.shape)) for found in results]
        expected = complex_slopes(self.loss, point, moves)
        for found, (_, direction), number in zip(results, moves, expected, strict=True):
            terms = found.value * direction
            error = np.abs(terms.sum() - number) / (1 + np.abs(terms).sum())
            what = f"d/d{found.x.name} by complex step"
            self.ledger.compare(what, terms.sum(), number, COMPLEX, found.place, error=error)


def check_gradient(
    subject: Subject,
    results: Mapping[str, Tensor],
    upstreams: Sequence[Tensor] = (),
    trials: int = 20,
    seed: int = 0,
) -> Report:
    """results[x] = ∂L/∂x for L = Σ g·y, an upstream for each output; without upstreams L is the scalar output.

    At each point: along a random direction by central differences, entry by entry by dual numbers, and by the complex
    step where the formula is analytic; entry by entry by differences at one small shape; by convention on kinks.
    """
    gradients = checked_results(subject, results)
    witnesses = _Witnesses(subject, checked_upstreams(subject, upstreams), Ledger())
    sampler = sampler_of(subject, tuple(whole(tensor) for tensor in (*upstreams, *results.values())))
    analytic = is_analytic(roots_of(subject))
    for trial in range(trials if results else 0):
        point, rng = sampler.trial(seed, trial)
        found = _found(gradients, point, trial, seed, witnesses.ledger)
        if not found:
            continue
        witnesses.along_directions(found, point, rng)
        witnesses.dual(found, point, "by dual numbers")
        if analytic:
            witnesses.complex_step(found, point, rng)
    point, _ = sampler.trial(seed, trials, "small")
    witnesses.entry_by_entry(_found(gradients, point, trials, seed, witnesses.ledger), point)
    for trial in range(trials + 1, trials + 1 + (KINK_TRIALS if sampler.kinks else 0)):
        on_kink = sampler.on_kinks(np.random.default_rng([seed, trial]))
        if on_kink is not None:
            found = _found(gradients, on_kink, trial, seed, witnesses.ledger)
            witnesses.dual(found, on_kink, ON_KINKS)
    return witnesses.ledger.report()


def _found(gradients: Mapping[Tensor, Tensor], point: Point, trial: int, seed: int, ledger: Ledger) -> list[Found]:
    """The value of each result, of those that have the shape of their variable; the others are failures."""
    kept = []
    for x, result in gradients.items():
        value, place = value_of(result, point), place_of(f"d/d{x.name}", point, trial, seed)
        expected = point.arrays[x.name].shape
        if value.shape == expected:
            kept.append(Found(x, value, place))
        else:
            ledger.enter(f"shape of d/d{x.name}", False, np.inf, f"{place(())}: {value.shape}, expected {expected}")
    return kept
