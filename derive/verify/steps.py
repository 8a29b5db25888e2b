"""A derivation is a certificate: before = after for every step, evaluated at random points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy.core.basic import Basic

from derive.axes import Axis, Tensor, definitions, free_axes
from derive.oracle import Point, evaluate
from derive.steps import Derivation, Equation

from .measure import EXACT, MEASURED, measured_gradient
from .report import Ledger, Report
from .sample import Sampler, shape_of
from .subject import Subject, checked_upstreams, derived_entries, loss, place_of, roots_of, whole


@dataclass(frozen=True)
class Claim:
    """left = right over some letters; `what` is its row in the report, `where` says which step it is."""

    what: str
    where: str
    left: Basic
    right: Basic
    letters: tuple[Axis, ...]
    adjoints: tuple[Tensor, ...]  # those whose derivative either side speaks of


def _claim(what: str, where: str, left: Any, right: Any) -> Claim:
    left, right = (whole(side) if isinstance(side, Tensor) else side for side in (left, right))
    letters = tuple(dict.fromkeys((*free_axes(left), *free_axes(right))))
    return Claim(what, where, left, right, letters, derived_entries((left, right)))


def claims_of(derivation: Derivation) -> Iterator[Claim]:
    """Each step's before = after; each equation's target = result, and the tensor that holds it = result."""
    for number, equation in enumerate(derivation.equations, start=1):
        name = f"equation {number} ({equation.target})"
        for place, step in enumerate(equation.steps, start=1):
            yield _claim(f"step: {step.law}", f"{name}, step {place}", step.before, step.after)
        yield _claim("each target = its result", name, equation.target, equation.result)
        if _holds(equation):
            yield _claim("each named result = its equation", name, equation.tensor, equation.result)


def _holds(equation: Equation) -> bool:
    """Whether the equation's tensor states its result over the same letters."""
    tensor = equation.tensor
    return (
        isinstance(tensor, Tensor) and tensor.body is not None and set(free_axes(equation.result)) <= set(tensor.axes)
    )


def check_steps(
    subject: Subject, derivation: Derivation, upstreams: Sequence[Tensor] = (), trials: int = 3, seed: int = 0
) -> Report:
    """before = after for every step, to 1e-9; to 1e-6 where AdjointOf(X[…]) is measured by differences of L = Σ g·y.

    X is an input or a named intermediate of the formula, which is then varied in place of its definition.
    """
    upstreams, ledger = checked_upstreams(subject, upstreams), Ledger()
    _replayed(derivation, ledger)
    claims = tuple(claims_of(derivation))
    sampler = Sampler(subject, tuple(side for claim in claims for side in (claim.left, claim.right)))
    wanted = tuple(dict.fromkeys(tensor for claim in claims for tensor in claim.adjoints))
    own = {tensor.name: tensor for tensor in (*subject.inputs, *definitions(roots_of(subject)))}
    for trial in range(trials):
        point = sampler.point(np.random.default_rng([seed, trial]), shape_of(trial))
        function = lambda points: loss(subject, upstreams, points)  # noqa: E731
        adjoints = {x: measured_gradient(function, point, own[x.name]) for x in wanted if x.name in own}
        point = point.with_(adjoints=adjoints)
        for claim in claims:
            _compare(claim, point, ledger, trial, seed)
    return ledger.report()


def _replayed(derivation: Derivation, ledger: Ledger) -> None:
    try:
        derivation.replay()
        ledger.enter("replay", True, 0.0, "", sum(1 for _ in derivation.steps()))
    except ValueError as problem:
        ledger.enter("replay", False, np.inf, str(problem))


def _compare(claim: Claim, point: Point, ledger: Ledger, trial: int, seed: int) -> None:
    unknown = [tensor.name for tensor in claim.adjoints if tensor not in point.adjoints]
    if unknown:
        what = f"{claim.where}: {', '.join(unknown)} is no input and no intermediate of the formula"
        return ledger.enter(claim.what, False, np.inf, what)
    left, right = (np.asarray(evaluate(side, point, claim.letters)) * 1.0 for side in (claim.left, claim.right))
    with np.errstate(all="ignore"):
        error = np.abs(left - right) / (1 + np.max(np.abs(right), initial=0))
    error = np.where(np.isfinite(error), error, np.inf)
    place = place_of("", point, trial, seed)
    letters = [letter.name for letter in claim.letters]

    def words(index: tuple[int, ...]) -> str:
        entry = ", ".join(f"{letter}={i}" for letter, i in zip(letters, index, strict=False))
        return f"{claim.where}{f' [{entry}]' if entry else ''}{place(())}"

    tolerance = MEASURED if claim.adjoints else EXACT
    ledger.compare(claim.what, left, right, tolerance, words, error=error)
