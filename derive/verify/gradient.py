"""A derived gradient is the derivative of the oracle: ∂L/∂x for L = Σ g·y, by independent witnesses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from derive.axes import NameProblem, Tensor, did_you_mean
from derive.oracle import Array, Point

from .assumptions import Random
from .dual import tangents_at
from .measure import (
    COMPLEX,
    EXACT,
    MEASURED,
    basis,
    best,
    complex_slope,
    is_analytic,
    random_direction,
    slopes,
    value_of,
)
from .report import Ledger, Place, Report
from .sample import Sampler, shape_of
from .subject import Subject, checked_upstreams, loss, place_of, real_inputs, roots_of, whole

KINK_TRIALS = 8


def dual_gradient(subject: Subject, upstreams: Sequence[Tensor], point: Point, tensor: Tensor) -> Array:
    """∂L/∂x of an input, entry by entry, by dual numbers."""
    shape = point.arrays[tensor.name].shape
    directions = [{tensor.name: direction} for direction in basis(shape)]
    total = np.zeros(len(directions))
    for number, output in enumerate(subject.outputs):
        _, tangent = tangents_at(whole(output), [point] * len(directions), directions, output.axes)
        g = point.arrays[upstreams[number].name] if upstreams else np.ones(())
        total = total + (tangent * g).reshape(len(directions), -1).sum(axis=1)
    return total.reshape(shape)


def checked_results(subject: Subject, results: Mapping[str, Tensor]) -> dict[Tensor, Tensor]:
    """Input → result; NameProblem for a name that is no real input."""
    inputs = {tensor.name: tensor for tensor in real_inputs(subject)}
    for name in results:
        if name not in inputs:
            raise NameProblem(f"{subject.name}: {name!r} is no real input{did_you_mean(name, inputs)}")
    return {inputs[name]: result for name, result in results.items()}


@dataclass(frozen=True)
class _Witnesses:
    """The comparisons for one formula; each method is one witness and fills one row for each input."""

    subject: Subject
    upstreams: tuple[Tensor, ...]
    ledger: Ledger

    def loss(self, points: Sequence[Point]) -> Array:
        return loss(self.subject, self.upstreams, points)

    def along_a_direction(self, x: Tensor, found: Array, point: Point, rng: Random, place: Place) -> None:
        direction = random_direction(rng, found.shape)
        derived = np.asarray((found * direction).sum())
        nearest, error = best(derived, slopes(self.loss, point, x, direction[None])[:, 0])
        self.ledger.compare(f"d/d{x.name} along random directions", derived, nearest, MEASURED, place, error=error)

    def entry_by_entry(self, x: Tensor, found: Array, point: Point, place: Place) -> None:
        measured = slopes(self.loss, point, x, basis(found.shape)).reshape(-1, *found.shape)
        nearest, error = best(found, measured)
        self.ledger.compare(f"d/d{x.name} entry by entry", found, nearest, MEASURED, place, error=error)

    def dual(self, x: Tensor, found: Array, point: Point, place: Place) -> None:
        expected = dual_gradient(self.subject, self.upstreams, point, x)
        error = np.abs(found - expected) / (1 + np.abs(expected).max())
        self.ledger.compare(f"d/d{x.name} by dual numbers", found, expected, EXACT, place, error=error)

    def complex_step(self, x: Tensor, found: Array, point: Point, rng: Random, place: Place) -> None:
        direction = random_direction(rng, found.shape)
        derived, expected = (found * direction).sum(), complex_slope(self.loss, point, x, direction)
        error = np.abs(derived - expected) / (1 + np.abs(found * direction).sum())
        self.ledger.compare(f"d/d{x.name} by complex step", derived, expected, COMPLEX, place, error=error)

    def on_kinks(self, x: Tensor, found: Array, point: Point, place: Place) -> None:
        expected = dual_gradient(self.subject, self.upstreams, point, x)
        if np.all(np.isfinite(expected)):
            self.ledger.compare(f"d/d{x.name} on kinks, by convention", found, expected, EXACT, place)


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
    sampler = Sampler(subject, tuple(whole(tensor) for tensor in (*upstreams, *results.values())))
    analytic = is_analytic(roots_of(subject))
    for trial in range(trials):
        rng = np.random.default_rng([seed, trial])
        point = sampler.point(rng, shape_of(trial))
        for x, found, place in _found(gradients, point, trial, seed, witnesses.ledger):
            witnesses.along_a_direction(x, found, point, rng, place)
            witnesses.dual(x, found, point, place)
            if analytic:
                witnesses.complex_step(x, found, point, rng, place)
    point = sampler.point(np.random.default_rng([seed, trials]), "small")
    for x, found, place in _found(gradients, point, trials, seed, witnesses.ledger):
        witnesses.entry_by_entry(x, found, point, place)
    for trial in range(trials + 1, trials + 1 + (KINK_TRIALS if sampler.kinks else 0)):
        on_kink = sampler.on_kinks(np.random.default_rng([seed, trial]))
        if on_kink is not None:
            for x, found, place in _found(gradients, on_kink, trial, seed, witnesses.ledger):
                witnesses.on_kinks(x, found, on_kink, place)
    return witnesses.ledger.report()


def _found(
    gradients: Mapping[Tensor, Tensor], point: Point, trial: int, seed: int, ledger: Ledger
) -> list[tuple[Tensor, Array, Place]]:
    """The value of each result, of those that have the shape of their variable; the others are failures."""
    kept = []
    for x, result in gradients.items():
        found, place = value_of(result, point), place_of(f"d/d{x.name}", point, trial, seed)
        expected = point.arrays[x.name].shape
        if found.shape == expected:
            kept.append((x, found, place))
        else:
            ledger.enter(f"shape of d/d{x.name}", False, np.inf, f"{place(())}: {found.shape}, expected {expected}")
    return kept
