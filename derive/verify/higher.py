"""Jacobians, Hessians and directional derivatives, held against dual numbers and finite differences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from derive.axes import DeriveError, Tensor
from derive.oracle import Array, Point, evaluate_at
from derive.steps import Subject

from .dual import tangents_at
from .gradient import checked_results
from .measure import EXACT, MEASURED, basis, best, entries, slopes, slopes_along, value_of
from .report import Ledger, Place, Report, scaled_error
from .sample import Sampler, shape_of
from .subject import leaves, place_of, whole


def _exact(ledger: Ledger, what: str, found: Array, expected: Array, place: Place) -> None:
    """One row: equal to the dual numbers, relative to the largest entry."""
    error = scaled_error(found, expected) if found.shape == expected.shape else None
    ledger.compare(f"{what} by dual numbers", found, expected, EXACT, place, error=error)


def _differences(ledger: Ledger, what: str, found: Array, measured: Array, place: Place) -> None:
    """One row: equal to the nearest of the central differences."""
    if found.shape == measured.shape[1:]:
        nearest, error = best(found, measured)
        ledger.compare(f"{what} by central differences", found, nearest, MEASURED, place, error=error)


def check_jacobian(
    subject: Subject, result: Tensor, wrt: str, output: int = 0, trials: int = 20, seed: int = 0
) -> Report:
    """result[output's letters…, input's letters…] = ∂y[…]/∂x[…]."""
    (x,) = checked_results(subject, {wrt: result})
    y, ledger = subject.outputs[output], Ledger()
    sampler, what = Sampler(subject, (whole(result),)), f"d{y.name}/d{x.name}"
    for trial in range(trials):
        point = sampler.point(np.random.default_rng([seed, trial]), shape_of(trial))
        shape, place = point.arrays[x.name].shape, place_of(what, point, trial, seed)
        found, seeds = value_of(result, point), basis(shape)
        _, tangents = tangents_at(whole(y), [point] * len(seeds), [{x.name: d} for d in seeds], y.axes)
        _exact(ledger, what, found, np.moveaxis(tangents, 0, -1).reshape((*tangents.shape[1:], *shape)), place)
        measured = np.moveaxis(
            slopes(lambda points: evaluate_at(whole(y), points, y.axes), point, entries(x, shape)), 1, -1
        )
        _differences(ledger, what, found, measured.reshape((*measured.shape[:-1], *shape)), place)
    return ledger.report()


def check_hessian(
    subject: Subject, result: Tensor, wrt: str | tuple[str, str], trials: int = 20, seed: int = 0
) -> Report:
    """result[…, …] = ∂²L/∂a[…]∂b[…] for a scalar output L: central differences, in b, of dual numbers in a.

    `wrt` names one input for both, or a pair (a, b).
    """
    first, second = (wrt, wrt) if isinstance(wrt, str) else wrt
    (a,), (b,) = (checked_results(subject, {name: result}) for name in (first, second))
    if len(subject.outputs) != 1 or subject.outputs[0].axes:
        raise DeriveError(f"{subject.name}: a Hessian needs one scalar output, given {len(subject.outputs)}")
    ledger, sampler = Ledger(), Sampler(subject, (whole(result),), (a, b))
    what = f"d2L/d{a.name} d{b.name}"
    for trial in range(trials):
        point = sampler.point(np.random.default_rng([seed, trial]), shape_of(trial))
        seeds = basis(point.arrays[a.name].shape)

        def gradient(points: Sequence[Point], seeds: Array = seeds) -> Array:
            pairs = [(p, {a.name: d}) for p in points for d in seeds]
            _, tangents = tangents_at(whole(subject.outputs[0]), [p for p, _ in pairs], [d for _, d in pairs])
            return tangents.reshape(len(points), *seeds.shape[1:])

        measured = slopes(gradient, point, entries(b, point.arrays[b.name].shape))
        measured = np.moveaxis(measured, 1, -1).reshape(len(measured), *seeds.shape[1:], *point.arrays[b.name].shape)
        found, place = value_of(result, point), place_of(what, point, trial, seed)
        if found.shape != measured.shape[1:]:
            ledger.compare(f"{what} by central differences", found, measured[0], MEASURED, place)
        _differences(ledger, what, found, measured, place)
    return ledger.report()


def _directions(subject: Subject, results: Sequence[Tensor]) -> dict[str, str]:
    """Tangent name → the input whose change it is: its `of`, else its name without _dot."""
    inputs = {tensor.name for tensor in subject.inputs}
    known = {
        t.name: t.of or t.name.removesuffix("_dot")
        for t in leaves(whole(r) for r in results)
        if t.role == "tangent" or (t.name.endswith("_dot") and t.name not in inputs)
    }
    for name, of in known.items():
        if of not in inputs:
            raise DeriveError(f"{subject.name}: tangent {name} belongs to {of!r}, which is no input")
    return known


def check_jvp(subject: Subject, results: Sequence[Tensor], trials: int = 20, seed: int = 0) -> Report:
    """results[k] = Σ ∂y_k/∂x · ẋ, in terms of tangents named <input>_dot; an input without one does not vary."""
    if len(results) != len(subject.outputs):
        raise DeriveError(f"{subject.name}: expected a result for each of {len(subject.outputs)} outputs")
    ledger, sampler = Ledger(), Sampler(subject, tuple(whole(r) for r in results))
    known = _directions(subject, results)
    for trial in range(trials):
        point = sampler.point(np.random.default_rng([seed, trial]), shape_of(trial))
        direction = {of: point.arrays[name] for name, of in known.items()}
        for y, result in zip(subject.outputs, results, strict=True):
            place = place_of(f"{y.name}_dot", point, trial, seed)
            found = value_of(result, point)
            _, tangents = tangents_at(whole(y), [point], [direction], y.axes)
            _exact(ledger, f"{y.name}_dot", found, tangents[0], place)

            def output(points: Sequence[Point], y: Tensor = y) -> Array:
                return evaluate_at(whole(y), points, y.axes)

            measured = slopes_along(output, point, direction)
            _differences(ledger, f"{y.name}_dot", found, measured, place)
    return ledger.report()
