"""Curves of a training, as a picture."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .loop import Curve


def picture(curves: Sequence[Curve], metric: str = "accuracy", kind: str = "png") -> bytes:
    """Losses, the metric of held-out data and the rate by epoch, where there are such; of several folds a line each.

    PNG or SVG.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogFormatter

    class _Numbers(LogFormatter):  # here, since Matplotlib is loaded when it is needed
        """The places that LogFormatter chooses, as plain numbers: 0.06."""

        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    percent = 100 if metric == "accuracy" else 1
    panels = {
        "loss": [("training", "C0", [c.loss for c in curves]), ("held out", "C1", [c.held for c in curves])],
        f"held-out {metric}{', %' * (percent > 1)}": [
            ("", "C2", [[percent * m for m in c.metric] for c in curves if not math.isnan(sum(c.metric))])
        ],
        "rate at the epoch's end": [("", "C3", [c.rate for c in curves if not math.isnan(sum(c.rate))])],
    }
    shown = {title: lines for title, lines in panels.items() if any(values for _, _, values in lines)}
    figure = Figure(figsize=(11 * len(shown) / 3, 3.4), layout="constrained")
    for axes, (title, lines) in zip(np.atleast_1d(figure.subplots(1, len(shown))), shown.items(), strict=True):
        for label, colour, values in lines:
            for number, one in enumerate(values):
                axes.plot(range(1, len(one) + 1), one, color=colour, label=label if label and not number else None)
        _plain(axes, title)
    losses = figure.axes[0]
    losses.legend(frameon=False)
    if any(value > 0 for curve in curves for value in curve.loss):
        losses.set_yscale("log")
        for axis in (losses.yaxis.set_major_formatter, losses.yaxis.set_minor_formatter):
            axis(_Numbers(labelOnlyBase=False, minor_thresholds=(2, 0.5)))
        losses.grid(which="minor", alpha=0.15)
    held = io.BytesIO()
    with rc_context({"svg.hashsalt": "derive"}):
        figure.savefig(held, format=kind, dpi=130, metadata={"Software": None} if kind == "png" else {"Date": None})
    return held.getvalue()


def _plain(axes: Any, title: str) -> None:
    axes.set(title=title, xlabel="epoch")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.get_major_locator().set_params(integer=True)
