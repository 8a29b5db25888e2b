"""`schedule`: learning rates by step, from the formulas of the chapter `schedules`, and what is made of several."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from derive.api import to_numpy
from derive.axes import DeriveError, NameProblem, did_you_mean
from derive.formula import Formula

from .ranges import PLATEAU, SCHEDULES, number

Rate = Callable[[int], float]

NAMES = {
    "constant": "constant_rate", "step": "step_rate", "multistep": "multistep_rate",
    "exponential": "exponential_rate", "polynomial": "polynomial_rate", "linear": "linear_rate",
    "cosine": "cosine_rate", "cosine_restarts": "cosine_restarts_rate",
    "cosine_growing_restarts": "cosine_growing_restarts_rate", "warm_up": "warm_up_rate",
    "warm_up_cosine": "warm_up_cosine_rate", "inverse_sqrt": "inverse_sqrt_rate", "one_cycle": "one_cycle_rate",
    "one_cycle_momentum": "one_cycle_momentum", "cyclic": "cyclic_rate", "cyclic_momentum": "cyclic_momentum",
    "range_test": "range_test_rate",
}  # fmt: skip
WHOLE = ("total_iters", "T_max", "total", "total_steps")  # options that mean: all steps there are


class Schedule:
    """A rate for every step: `s(t)` for one, `s.over(T)` for the steps 0 to T − 1, as the emitted code gives them."""

    def __init__(self, name: str, formula: Any, options: Mapping[str, Any]) -> None:
        self.name, self.formula = name, formula
        static = {p.name for p in formula.parameters if p.kind == "static"}
        for p in formula.parameters:
            if p.kind == "scalar" and p.name in options:
                number(f"schedule {name}", p.name, options[p.name], SCHEDULES)
        self._forward = to_numpy(formula, **{k: v for k, v in options.items() if k in static}).forward
        self.options = {k: v for k, v in options.items() if k not in static}
        for k, v in self.options.items():
            if k in {p.name for p in formula.tensors}:
                self.options[k] = _milestones(name, k, v)

    def over(self, steps: int) -> Any:
        """The rates of the first steps."""
        return self._at(np.arange(steps))

    def __call__(self, t: int) -> float:
        return float(self._at(np.array([t]))[0])

    def _at(self, t: Any) -> Any:
        try:
            return self._forward(t=t, **self.options)[0]
        except ZeroDivisionError:
            told = ", ".join(f"{k}={v}" for k, v in self.options.items())
            raise DeriveError(f"schedule {self.name}: a phase has no length with {told}") from None


def _rates_of(formula: Formula) -> Formula:
    """A formula that is a schedule: a rate for each step."""
    traced = formula.trace()
    first = traced.inputs[0] if traced.inputs else None
    fits = first is not None and (first.name, first.dtype, first.ndim) == ("t", "int", 1) and len(traced.outputs) == 1
    if not fits or first is None or traced.outputs[0].axes != first.axes:
        had = ", ".join(f"{tensor.name}: {tensor.declared()}" for tensor in traced.inputs)
        raise DeriveError(f"{formula.name}: expected a schedule, from the steps t: Int[n] to T[n]: it has inputs {had}")
    return formula


def _milestones(name: str, option: str, value: Any) -> Any:
    """Whole numbers of steps; raises DeriveError for anything else."""
    found = np.atleast_1d(np.asarray(value))
    if found.dtype.kind not in "iu" or found.ndim != 1 or not found.size or found.min() < 0:
        raise DeriveError(f"schedule {name}: {option}: expected steps such as 30 60, given {value!r}")
    if np.any(np.diff(found.astype(np.int64)) < 0):
        raise DeriveError(f"schedule {name}: {option}: expected steps that rise, given {' '.join(map(str, found))}")
    return found.astype(np.int64)


def schedule(name: str | Formula, *, steps: int | None = None, **options: Any) -> Schedule:
    """The schedule of that name; options are those of its formula, and `steps` fills in how long the whole lasts.

    Or one of your own: a formula of the steps t: Int[n], to a rate for each. Raises NameProblem for a name or an option
    that there is not.
    """
    if isinstance(name, Formula):
        formula, name = _rates_of(name), name.name
    elif name in NAMES:
        formula = getattr(importlib.import_module("formulas"), NAMES[name])
    else:
        raise NameProblem(f"no schedule {name!r}; there are {', '.join(NAMES)}{did_you_mean(name, NAMES)}")
    known = [p.name for p in formula.parameters if p.name != "t"]
    for option in options:
        if option not in known:
            had = ", ".join(known)
            raise NameProblem(f"schedule {name}: no option {option!r}; it has {had}{did_you_mean(option, known)}")
    missing = [p.name for p in formula.tensors if p.name != "t" and p.name not in options]
    if missing:
        what = missing[0]
        raise DeriveError(
            f'schedule {name}: {what} is missing: expected {what}=[30, 60], as text {name}({what}="30 60")'
        )
    if name == "constant":
        steps = None  # its first steps are a few of all
    lasting = {word: steps for word in WHOLE if steps is not None and word in known and word not in options}
    made = Schedule(name, formula, {**lasting, **options})
    made(0)  # a length that is none is an error here, not at the first step
    return made


@dataclass(frozen=True)
class Sequential:
    """One rate after another: from each milestone on the next, which counts its steps from there.

    Source: torch.optim.lr_scheduler.SequentialLR.
    """

    parts: Sequence[Rate]
    milestones: Sequence[int]

    def __post_init__(self) -> None:
        if len(self.milestones) != len(self.parts) - 1 or list(self.milestones) != sorted(set(self.milestones)):
            raise DeriveError(
                f"sequential: expected {len(self.parts) - 1} rising milestones for {len(self.parts)} rates, "
                f"given {list(self.milestones)}"
            )

    def __call__(self, t: int) -> float:
        place = sum(t >= m for m in self.milestones)
        return self.parts[place](t - (self.milestones[place - 1] if place else 0))

    def over(self, steps: int) -> Any:
        """The rates of the first steps."""
        return np.array([self(t) for t in range(steps)])


@dataclass(frozen=True)
class Scaled:
    """η f(t), for any function f of the step.

    Source: torch.optim.lr_scheduler.LambdaLR.
    """

    lr: float
    factor: Callable[[int], float]

    def __call__(self, t: int) -> float:
        return self.lr * self.factor(t)

    def over(self, steps: int) -> Any:
        """The rates of the first steps."""
        return np.array([self(t) for t in range(steps)])


@dataclass
class Plateau:
    """A rate that falls where a metric no longer improves: `tell(metric)` after each check gives the rate.

    Options are those of the formula `reduce_on_plateau`.
    """

    lr: float
    options: Mapping[str, Any] = field(default_factory=dict)
    name = "plateau"

    def __post_init__(self) -> None:
        chapter = importlib.import_module("formulas.schedules")
        static = {k: v for k, v in self.options.items() if k in ("mode", "threshold_mode")}
        known = [p.name for p in chapter.reduce_on_plateau.parameters if p.kind != "tensor"]
        for k, v in {"lr": self.lr, **self.options}.items():
            if k not in ("lr", *known):
                had = ", ".join(known)
                raise NameProblem(f"schedule plateau: no option {k!r}; it has {had}{did_you_mean(k, known)}")
            if k not in static:
                number("schedule plateau", k, v, PLATEAU)
        self._forward = to_numpy(chapter.reduce_on_plateau, **static).forward
        self._numbers = {k: float(v) for k, v in self.options.items() if k not in static}
        self.state = [chapter.START[static.get("mode", "min")], 0.0, 0.0, float(self.lr)]

    def tell(self, metric: float) -> float:
        """The rate from here on."""
        names = ("best", "bad", "cooling", "rate")
        given = {n: np.asarray(v, dtype=float) for n, v in zip(names, self.state, strict=True)}
        found, _ = self._forward(metric=np.asarray(metric, dtype=float), **given, **self._numbers)
        self.state = [float(v) for v in found]
        return self.state[-1]
