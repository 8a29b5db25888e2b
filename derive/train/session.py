"""One training put together from what a user asks for: a model, data, an optimiser, a schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from derive.axes import DeriveError, did_you_mean
from derive.formula import Formula

from .data import Data, Split, folds, split
from .loop import Settings, Training
from .networks import SCHEMES, Network, network
from .optimisers import optimiser
from .schedules import Plateau, Rate, schedule

DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Wish:
    """What is asked for beside model and data. Options of optimiser and schedule by name."""

    optimiser: str = "adam"
    options: Mapping[str, Any] = field(default_factory=dict)
    schedule: str | None = None
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
        if self.lr is not None and not self.lr > 0:
            raise DeriveError(f"--lr {self.lr}: expected a positive number")


def trainings(model: Formula, data: Data, wish: Wish, count: int = 0, path: Path | None = None) -> list[Training]:
    """One training, or one for each of `count` folds."""
    settings = wish.settings
    parts = folds(data, count, settings.seed, settings.dtype) if count else [
        split(data, wish.held, settings.seed, settings.dtype)
    ]  # fmt: skip
    net = network(model, wish.loss, data, wish.sizes)  # one for all folds: it is derived once
    return [_training(net, part, wish, path) for part in parts]


def _training(net: Network, part: Split, wish: Wish, path: Path | None) -> Training:
    options = dict(wish.options) if wish.lr is None else {"lr": wish.lr, **wish.options}
    steps = optimiser(wish.optimiser, decay=wish.decay, clip=wish.clip, **options)
    made = Training(net, part, steps, None, wish.settings, path)
    first = steps.many if hasattr(steps, "many") else steps
    lr = options.get("lr", first.defaults.get("lr"))
    made.rate = _rate(wish, lr, made.steps * wish.settings.epochs)
    return made


def _rate(wish: Wish, lr: float | None, steps: int) -> Rate | Plateau | None:
    if wish.schedule is None:
        return None
    if lr is None:
        raise DeriveError(f"--schedule {wish.schedule}: {wish.optimiser} has no rate lr")
    if wish.schedule == "plateau":
        return Plateau(lr, wish.schedule_options)
    if wish.schedule.endswith("_momentum"):
        raise DeriveError(f"--schedule {wish.schedule}: it is no rate")
    return schedule(wish.schedule, steps=steps, **{"lr": lr, **wish.schedule_options})
