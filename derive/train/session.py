"""One training put together from what a user asks for: a model, data, an optimiser, a schedule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from derive.axes import DeriveError, NameProblem, did_you_mean
from derive.formula import Formula

from .data import Data, Split, folds, split
from .lbfgs import LBFGS
from .loop import Settings, Training
from .networks import SCHEMES, Network, network, suited
from .optimisers import ByShape, Optimiser, optimiser
from .schedules import NAMES, Plateau, Rate, schedule

DTYPES = ("float32", "float64")
# Those that step matrices only, what steps the rest (Shampoo of diagonals is Adagrad), and options to begin with.
BESIDE: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "muon": ("adamw", {"adjust": "match_rms_adamw"}),
    "shampoo": ("adagrad", {"lr": 0.1}),
}


@dataclass(frozen=True)
class Wish:
    """What is asked for beside model and data. Options of optimiser and schedule by name."""

    optimiser: str | Formula = "adam"
    options: Mapping[str, Any] = field(default_factory=dict)
    schedule: str | Formula | None = None
    schedule_options: Mapping[str, Any] = field(default_factory=dict)
    lr: float | None = None
    decay: str | None = None
    clip: str | None = None
    loss: Formula | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    held: float = 0.2
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        for name, value, known in (("--init", self.settings.scheme, SCHEMES), ("--dtype", self.settings.dtype, DTYPES)):
            if value not in known:
                raise DeriveError(f"{name}: expected {', '.join(known)}, given {value!r}{did_you_mean(value, known)}")
        if not 0 < self.held < 1:
            raise DeriveError(f"--held {self.held}: expected a share between 0 and 1")
        if self.lr is not None and not 0 < self.lr < math.inf:
            raise DeriveError(f"--lr {self.lr}: expected a positive number")
        if not 0 <= self.settings.ema < 1:
            raise DeriveError(f"--ema {self.settings.ema}: expected a share of at least 0 and below 1")
        if not 0 <= self.settings.sam < math.inf:
            raise DeriveError(f"--sam {self.settings.sam}: expected a distance of at least 0")


def trainings(model: Formula, data: Data, wish: Wish, count: int = 0, path: Path | None = None) -> list[Training]:
    """One training, or one for each of `count` folds."""
    settings = wish.settings
    data = suited(model, wish.loss, data)
    net = network(model, wish.loss, data, wish.sizes)  # one for all folds: it is derived once
    kind = settings.seed, settings.dtype, net.aim.distance
    parts = folds(data, count, *kind) if count else [split(data, wish.held, *kind)]
    return [_training(net, part, wish, path) for part in parts]


def _training(net: Network, part: Split, wish: Wish, path: Path | None) -> Training:
    options = dict(wish.options) if wish.lr is None else {"lr": wish.lr, **wish.options}
    steps = stepper(wish, options)
    made = Training(net, part, steps, None, wish.settings, path)
    made.rate = _rate(wish, options.get("lr", default_rate(steps)), made.steps * wish.settings.epochs)
    return made


def stepper(wish: Wish, options: dict[str, Any]) -> Optimiser | ByShape | LBFGS:
    """The optimiser that is asked for. What is no matrix is stepped beside Muon and Shampoo, at the same rate."""
    if wish.optimiser == "lbfgs":
        return _lbfgs(wish, options)
    if isinstance(wish.optimiser, Formula) or wish.optimiser not in BESIDE:
        return optimiser(wish.optimiser, decay=wish.decay, clip=wish.clip, **options)
    other, begin = BESIDE[wish.optimiser]
    given = {**begin, **options}
    many = optimiser(wish.optimiser, decay=wish.decay, clip=wish.clip, **given)
    kept = {name: given[name] for name in ("lr", "weight_decay", "most") if name in given}
    few = optimiser(other, decay=wish.decay, clip=wish.clip, **kept)
    assert isinstance(many, Optimiser) and isinstance(few, Optimiser)
    return ByShape(many, few, 2)


def _lbfgs(wish: Wish, options: Mapping[str, Any]) -> LBFGS:
    known = {field.name: field.type for field in fields(LBFGS)}
    for name in options:
        if name not in known:
            raise NameProblem(f"lbfgs: no option {name!r}; it has {', '.join(known)}{did_you_mean(name, known)}")
    if refused := [word for word, value in (("--decay", wish.decay), ("--clip", wish.clip)) if value]:
        raise DeriveError(f"lbfgs: it takes no {refused[0]}: its steps are made of gradients as they are")
    if wish.settings.sam:
        raise DeriveError("lbfgs: it takes no --sam: its steps are made of gradients as they are")
    return LBFGS(**options)


def default_rate(steps: Any) -> float | None:
    """The rate that an optimiser has where none is given."""
    first = steps.many if isinstance(steps, ByShape) else steps
    return first.lr if isinstance(first, LBFGS) else first.defaults.get("lr")


def _rate(wish: Wish, lr: float | None, steps: int) -> Rate | Plateau | None:
    if wish.schedule is None:
        return None
    if lr is None:
        raise DeriveError(f"--schedule {_name(wish.schedule)}: {_name(wish.optimiser)} has no rate lr")
    if isinstance(wish.schedule, Formula):
        return schedule(wish.schedule, steps=steps, **_taken(wish.schedule, lr), **wish.schedule_options)
    if wish.schedule == "plateau":
        return Plateau(lr, wish.schedule_options)
    rates = ["plateau", *(name for name in NAMES if not name.endswith("_momentum"))]
    if wish.schedule not in rates:
        meant = did_you_mean(wish.schedule, rates)
        raise NameProblem(f"--schedule {wish.schedule}: there are {', '.join(rates)}{meant}")
    return schedule(wish.schedule, steps=steps, **{"lr": lr, **wish.schedule_options})


def _name(given: str | Formula) -> str:
    return given if isinstance(given, str) else given.name


def _taken(formula: Formula, lr: float) -> dict[str, float]:
    """The rate, where a schedule takes one."""
    return {"lr": lr} if any(p.name == "lr" for p in formula.parameters) else {}
