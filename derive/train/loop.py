"""The training loop: minibatches in an order drawn from the seed, held-out checks, early stop, checkpoints.

Everything that the next step depends on is in the checkpoint: parameters, the optimiser's state, the generator, the
order of this epoch and the place in it. So what is resumed goes the same way, bit for bit on one machine and thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from derive.axes import DeriveError

from . import checkpoint
from .data import Data, Split
from .lbfgs import LBFGS
from .networks import Network, initial
from .optimisers import ByShape, Optimiser
from .owned import Owned
from .schedules import Plateau, Rate
from .weights import ascended, averaged, copied

Array = np.ndarray[Any, np.dtype[Any]]
Loss = Callable[[Mapping[str, Array]], tuple[Any, dict[str, Array]]]
EXPLODED = 1e4  # times the first loss (and more than that of chance)
CHECK = 512  # samples that are evaluated at once


class Diverged(DeriveError):
    """The loss is no number any more, or has exploded."""


@dataclass(frozen=True)
class Settings:
    """How long, how much at once, and what is kept."""

    epochs: int = 20
    batch: int = 32
    seed: int = 0
    patience: int = 0  # epochs without a better held-out loss before it stops; 0: never
    scheme: str = "he"
    dtype: str = "float32"
    dropout: float | None = None  # the share of a mask that is dropped; None: the formula's own p
    every: int = 0  # steps between checkpoints; 0: one an epoch
    ema: float = 0.0  # of the average of weights, the share that a step leaves; 0: the weights themselves are measured
    sam: float = 0.0  # how far away sharpness-aware minimisation takes its gradient; 0: here


@dataclass
class Curve:
    """What each epoch left: losses, the metric of held-out data, the rate."""

    loss: list[float] = field(default_factory=list)
    held: list[float] = field(default_factory=list)
    metric: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)


class Training:
    """A network on its way: `run()` trains to the end, `step()` once.

    `params` are the weights now, which a step may write to; `average` is their mean where there is one, `best` the best
    of what is measured.
    """

    def __init__(
        self,
        net: Network,
        data: Split,
        optimiser: Optimiser | ByShape | LBFGS,
        rate: Rate | Plateau | None,
        settings: Settings,
        path: Path | None = None,
    ) -> None:
        self.net, self.data, self.optimiser, self.rate, self.settings = net, data, optimiser, rate, settings
        self.path = path
        self.rng = np.random.default_rng(settings.seed)
        self.params = initial(net, settings.scheme, self.rng, settings.dtype)
        self.state = optimiser.init(self.params)
        self.epoch, self.place, self.order, self.total = 0, 0, self._drawn(), 0.0
        self.owned: Owned | None = None
        self.average = dict(self.params)
        self.curve, self.best, self.least, self.since = Curve(), dict(self.params), math.inf, 0
        self.first: float | None = None

    @cached_property
    def _given(self) -> dict[str, Array]:
        """Samples and targets as the loss takes them: made once, for steps to choose from."""
        return self.net.given(self.data.train)

    @cached_property
    def shares(self) -> dict[str, float]:
        """The scalars that say how much is dropped: p, p_1, …"""
        scalars = self.net.loss.trace().scalars if self.net.masks else ()
        return {s.name: s.default or 0.0 for s in scalars if s.name.split("_")[0] == "p"}

    # Steps

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        return math.ceil(len(self.data.train) / self.settings.batch)

    @property
    def step_number(self) -> int:
        """Steps taken."""
        return int(self.state["t"])

    @property
    def done(self) -> bool:
        """Whether nothing is left: all epochs, or none better for too long."""
        patience = self.settings.patience
        return self.epoch >= self.settings.epochs or bool(patience and self.since >= patience)

    def _drawn(self) -> Array:
        return self.rng.permutation(len(self.data.train))

    def _masks(self, count: int, kept: bool) -> dict[str, Any]:
        """Masks of a minibatch: drawn, or all true with nothing dropped where `kept`."""
        if not self.net.masks:
            return {}
        share = self.settings.dropout
        p = {name: 0.0 if kept else share if share is not None else default for name, default in self.shares.items()}
        most = next(iter(p.values()), 0.0)
        found: dict[str, Any] = {}
        for name in self.net.masks:
            shape = (count, *self.net.shape(name)[1:])
            found[name] = np.ones(shape, bool) if kept else self.rng.random(shape) >= most
        return {**found, **p}

    def step(self) -> float:
        """One minibatch; the loss before the step. Raises Diverged."""
        rows = self.order[self.place : self.place + self.settings.batch]
        given = {name: array.take(rows, axis=0) for name, array in self._given.items()}
        if self.net.masks:
            given |= self._masks(len(rows), kept=False)
        loss = self._descended(self.net.valued(given))
        if self.settings.ema:
            first = self.step_number == 1
            self.average = copied(self.params) if first else averaged(self.average, self.params, self.settings.ema)
        self.total += loss * len(rows)
        self.place += len(rows)
        return loss

    def _descended(self, at: Loss) -> float:
        """The loss that `at` gives for the weights now; then they take a step."""
        changed = {} if self.rate is None else {"lr": self._rate()}
        if isinstance(self.optimiser, LBFGS):
            watched = self._watched(at)
            loss, self.params, self.state = self.optimiser.step(watched, self.params, self.state, **changed)
            return loss
        value, grads = at(self.params)
        loss = float(value)
        self._sound(loss, grads)
        if self.settings.sam:
            _, grads = at(ascended(self.params, grads, self.settings.sam))
        if isinstance(self.optimiser, ByShape):
            self.params, self.state = self.optimiser.update(self.params, grads, self.state, **changed)
            return loss
        if self.owned is None or not self.owned.holds(self.params):
            self.owned = Owned(self.optimiser, self.params)
            self.params = self.owned.params
        self.state = self.owned.step(grads, self.state, changed)
        return loss

    def _watched(self, at: Loss) -> Loss:
        """`at`, whose first loss must be sound: what a line search finds further on may be as large as it likes."""
        looked = False

        def watched(params: Mapping[str, Array]) -> tuple[Any, dict[str, Array]]:
            nonlocal looked
            value, grads = at(params)
            if not looked:
                self._sound(float(value), grads)
                looked = True
            return value, grads

        return watched

    @property
    def weights(self) -> dict[str, Array]:
        """What is measured: the weights, or their average."""
        return self.average if self.settings.ema else self.params

    def _rate(self, back: int = 0) -> float:
        """The rate of the next step, or of one `back` before it."""
        if isinstance(self.rate, Plateau):
            return self.rate.state[-1]
        assert self.rate is not None
        return self.rate(self.step_number - back)

    def _sound(self, loss: float, grads: Mapping[str, Array]) -> None:
        if self.first is None:
            self.first = loss
        if math.isfinite(loss) and loss <= EXPLODED * (1 + abs(self.first)):
            return
        with np.errstate(all="ignore"):
            sizes = {name: float(np.abs(g).max()) for name, g in grads.items()}
        name = max(sizes, key=lambda n: math.inf if math.isnan(sizes[n]) else sizes[n])
        grown = f"the loss has grown from {self.first:.3g} to {loss:.3g}"
        what = grown if math.isfinite(loss) else f"the loss is {loss}"
        raise Diverged(
            f"training diverges at step {self.step_number + 1}: {what}; the largest gradient, of {name}, is "
            f"{sizes[name]:.3g}. Try a smaller --lr, a warm-up or --clip global"
        )

    def run(self, tick: Callable[[Training], None] = lambda training: None) -> Curve:
        """Trains to the end, with a checkpoint every so many steps where there is a path for it."""
        every = self.settings.every or self.steps
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            while not self.done:
                while self.place < len(self.order):
                    self.step()
                    if self.path and self.step_number % every == 0 and self.place < len(self.order):
                        self.save()
                    tick(self)
                self._close()
                if self.path:
                    self.save()
        return self.curve

    def _close(self) -> None:
        """The end of an epoch: held-out checks, the best so far, a new order."""
        held, metric = self.measured(self.weights)
        self.curve.loss.append(self.total / len(self.order))
        self.curve.held.append(held)
        self.curve.metric.append(metric)
        self.curve.rate.append(self._rate(back=1) if self.rate is not None else math.nan)
        if held < self.least:
            self.least, self.best, self.since = held, copied(self.weights), 0
        else:
            self.since += 1
        if isinstance(self.rate, Plateau):
            self.rate.tell(held)
        self.epoch, self.place, self.total, self.order = self.epoch + 1, 0, 0.0, self._drawn()

    def measured(self, params: Mapping[str, Array], data: Data | None = None) -> tuple[float, float]:
        """Loss and metric of held-out data: accuracy for classes, 1 − Σ(y − t)²/Σ(t − mean)² for numbers.

        There is no metric where the formula is a loss from the start, or its numbers are no guesses of the targets.
        """
        data = data if data is not None else self.data.held
        loss_of, scores_of = self.net.forwards
        total, right = 0.0, 0.0
        for start in range(0, len(data), CHECK):
            part = data.at(slice(start, start + CHECK))
            given, masks = self.net.given(part), self._masks(len(part), kept=True)
            total += float(loss_of(**given, **masks, **params)[0]) * len(part)
            if scores_of is not None:
                scores, _ = scores_of(**{self.net.x: given[self.net.x]}, **masks, **params)
                right += _right(scores, part, self.net.aim.middle)
        if scores_of is None or not (data.classes or data.marked or self.net.aim.distance):
            return total / len(data), math.nan
        if data.classes or data.marked:
            return total / len(data), right / len(data)
        spread = float(np.sum((data.t - data.t.mean(axis=0)) ** 2))
        return total / len(data), 1 - right / spread if spread else math.nan

    # Checkpoints

    def facts(self) -> dict[str, Any]:
        """What must be the same when training is resumed."""
        return {
            "loss": self.net.loss.name,
            "shapes": {name: list(self.net.shape(name)) for name in self.net.parameters},
            "data": self.data.train.name,
            "samples": len(self.data.train),
            "optimiser": [self.optimiser.name, self.optimiser.options],
            "schedule": None if self.rate is None else getattr(self.rate, "name", "a function"),
            **{k: v for k, v in asdict(self.settings).items() if k not in ("epochs", "every", "patience")},
            "checksum of the data": self.data.train.fingerprint,
        }

    def _arrays(self) -> dict[str, Any]:
        """The arrays of a checkpoint."""
        arrays = {"params": self.params, "best": self.best, "states": self.state["states"], "order": self.order}
        return {**arrays, "average": self.average} if self.settings.ema else arrays

    def save(self) -> None:
        """All that the next step depends on, in one file."""
        assert self.path is not None
        now = {
            "t": self.state["t"], "epoch": self.epoch, "place": self.place, "total": self.total, "least": self.least,
            "since": self.since, "first": self.first, "rng": self.rng.bit_generator.state, "curve": asdict(self.curve),
            "rate": self.rate.state if isinstance(self.rate, Plateau) else None,
        }  # fmt: skip
        checkpoint.save(self.path, checkpoint.flat(self._arrays()), {"now": now, "facts": self.facts()})

    def resume(self, path: Path) -> None:
        """Goes on from a checkpoint of the same training; raises DeriveError for another."""
        arrays, facts = checkpoint.read(path)
        then, now = facts.get("facts", {}), self.facts()
        for key, value in now.items():
            if then.get(key) != value:
                raise DeriveError(f"{path}: it is of another training: {key} was {then.get(key)}, and is now {value}")
        found, kept = checkpoint.grown(self._arrays(), arrays), facts["now"]
        self.params, self.best, self.order = found["params"], found["best"], found["order"]
        self.average = found.get("average", self.params)
        self.state = {"t": kept["t"], "states": found["states"]}
        self.epoch, self.place, self.total = kept["epoch"], kept["place"], kept["total"]
        self.least, self.since, self.first = kept["least"], kept["since"], kept["first"]
        self.rng.bit_generator.state = kept["rng"]
        self.curve = Curve(**kept["curve"])
        if isinstance(self.rate, Plateau):
            self.rate.state = kept["rate"]


def _right(scores: Any, data: Data, middle: float) -> float:
    """How many classes are right, of samples with marks the share of them; for numbers, the sum of squared errors."""
    if data.marked:
        return float(np.sum(np.mean((scores > middle) == (data.t == 1), axis=1)))
    if not data.classes:
        return float(np.sum((scores.reshape(data.t.shape) - data.t) ** 2))
    if scores.ndim == 1 or scores.shape[1] == 1:
        return float(np.sum((scores.reshape(-1) > middle) == (data.t == 1)))
    return float(np.sum(scores.argmax(axis=1) == data.t))
