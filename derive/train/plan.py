"""What a training will cost, from the cost model, before it runs; and how a rate is found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sympy import Integer

from derive.backends.runtime import BLOCK
from derive.lower.cost import cost

from .loop import Diverged, Training

Array = np.ndarray[Any, np.dtype[Any]]
SMOOTH = 0.9  # of the loss in a range test
UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))


def counted(training: Training) -> dict[str, Any]:
    """Operations and bytes of a step, and of all; bytes of parameters, state, data, and what a step keeps."""
    net, settings = training.net, training.settings
    itemsize = np.dtype(settings.dtype).itemsize
    batch = min(settings.batch, len(training.data.train))
    symbols = {str(s): int(n) for s, n in net.lengths.items()}
    program = net.code.program
    first = net.inputs[net.x].axes[0].size
    found = cost(program, BLOCK)
    known = {k: v for k, v in {**symbols, str(first): batch}.items() if k in {str(s) for s in found.symbols}}
    at = found.at(itemsize=itemsize, **known)
    work = at.works["value_and_grad"]
    steps = training.steps * settings.epochs
    states = sum(a.nbytes for parts in training.state["states"].values() for a in parts)
    return {
        "parameters": sum(a.size for a in training.params.values()),
        "steps": steps,
        "flops a step": _whole(work.flops),
        "bytes moved a step": _whole(work.moved),
        "flops in all": _whole(work.flops) * steps,
        "bytes of parameters": sum(a.nbytes for a in training.params.values()),
        "bytes of state": states,
        "bytes of data": training.data.train.x.nbytes + training.data.held.x.nbytes,
        "bytes kept for the backward pass": _whole(at.saved),
    }


def _whole(value: Any) -> int:
    """A number of the cost model; a polynomial that is no number yet has no place here."""
    return int(value) if isinstance(value, Integer) or value.is_number else 0


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The plan as text."""
    width = max(map(len, found))
    for name, value in found.items():
        yield f"{name:<{width}}  {_short(value)}{'B' if name.startswith('bytes') else ''}"


def _short(value: float) -> str:
    unit, letter = next(((u, w) for u, w in UNITS if value >= u), (1, ""))
    return f"{value / unit:.3g} {letter}" if letter else f"{value} "


# A range test: the rate grows by equal factors, and the loss is watched.


def range_test(
    training: Training, least: float = 1e-6, most: float = 10.0, steps: int = 100
) -> tuple[Array, Array, float]:
    """(rates, smoothed losses, suggestion), over steps whose rate grows by equal factors.

    It stops where the loss is four times its least. Source: Smith, Cyclical Learning Rates for Training Neural Networks
    (2017), section 3.3.
    """
    from .schedules import schedule

    training.rate = schedule("range_test", lr=most, least=least, steps=steps)
    rates, losses, mean = [], [], 0.0
    with np.errstate(all="ignore"):
        for t in range(steps):
            if training.place >= len(training.order):
                training.place, training.order = 0, training.rng.permutation(len(training.data.train))
            rate = training._rate()
            try:
                loss = training.step()
            except Diverged:
                break
            mean = SMOOTH * mean + (1 - SMOOTH) * loss
            rates.append(rate)
            losses.append(mean / (1 - SMOOTH ** (t + 1)))
            if losses[-1] > 4 * min(losses):
                break
    return np.array(rates), np.array(losses), suggestion(np.array(rates), np.array(losses))


def suggestion(rates: Array, losses: Array) -> float:
    """A tenth of the rate at which the smoothed loss is least: there it no longer falls, a tenth leaves room."""
    return float(rates[int(np.argmin(losses))]) / 10 if len(rates) else float("nan")
