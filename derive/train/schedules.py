"""`schedule`: learning rates by step, from the formulas of the chapter `schedules`, and what is made of several."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from derive.api import to_numpy
from derive.axes import DeriveError, NameProblem, did_you_mean

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
        self._forward = to_numpy(formula, **{k: v for k, v in options.items() if k in static}).forward
        self.options = {k: v for k, v in options.items() if k not in static}
        for k, v in self.options.items():
            if k in {p.name for p in formula.tensors}:
                self.options[k] = np.atleast_1d(np.asarray(v, dtype=np.int64))

    def over(self, steps: int) -> Any:
        """The rates of the first steps."""
        return self._forward(t=np.arange(steps), **self.options)[0]

    def __call__(self, t: int) -> float:
        return float(self._forward(t=np.array([t]), **self.options)[0][0])


def schedule(name: str, *, steps: int | None = None, **options: Any) -> Schedule:
    """The schedule of that name; options are those of its formula, and `steps` fills in how long the whole lasts.

    Raises NameProblem for a name or an option that there is not.
    """
    if name not in NAMES:
        raise NameProblem(f"no schedule {name!r}; there are {', '.join(NAMES)}{did_you_mean(name, NAMES)}")
    formula = getattr(importlib.import_module("formulas"), NAMES[name])
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
    return Schedule(name, formula, {**lasting, **options})


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
