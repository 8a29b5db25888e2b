"""Curves of a training, as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from .loop import Curve


def picture(curves: Sequence[Curve], metric: str = "accuracy", kind: str = "png") -> bytes:
    """Losses, the metric of held-out data, and the rate, by epoch; of several folds a line each. PNG or SVG."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for number, curve in enumerate(curves):
        epochs = range(1, len(curve.loss) + 1)
        label = {"training": "training" if not number else None, "held out": "held out" if not number else None}
        left.plot(epochs, curve.loss, color="C0", label=label["training"])
        left.plot(epochs, curve.held, color="C1", label=label["held out"])
        middle.plot(epochs, [100 * m for m in curve.metric] if metric == "accuracy" else curve.metric, color="C2")
        right.plot(epochs, curve.rate, color="C3")
    left.legend(frameon=False)
    titles = ("loss", f"held-out {metric}{', %' if metric == 'accuracy' else ''}", "rate at the epoch's end")
    for axes, title in zip((left, middle, right), titles, strict=True):
        _plain(axes, title)
    if any(value > 0 for curve in curves for value in curve.loss):
        left.set_yscale("log")
    held = io.BytesIO()
    with rc_context({"svg.hashsalt": "derive"}):
        figure.savefig(held, format=kind, dpi=130, metadata={"Software": None} if kind == "png" else {"Date": None})
    return held.getvalue()


def _plain(axes: Any, title: str) -> None:
    axes.set(title=title, xlabel="epoch")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.get_major_locator().set_params(integer=True)
