"""The main job on real data: derive a network's gradients, verify them, emit them as NumPy code, train with that code.

`make demo` runs this. It writes out/mlp.tex, out/mlp.md, out/mlp.py and out/learning_curve.png.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from derive import Derivative, chain, gradient, to_numpy
from derive.api import NumpyModule
from formulas import dense, softmax_cross_entropy, tanh

HERE = Path(__file__).resolve().parent
NEEDS = {"sklearn": "scikit-learn", "matplotlib": "matplotlib"}
GOAL = 0.95  # mean accuracy on held-out folds
HIDDEN, BATCH, RATE = 16, 32, 0.1

Array = np.ndarray[Any, np.dtype[Any]]
Weights = dict[str, Array]


@dataclass(frozen=True)
class Fold:
    """One fold: train on four fifths, standardised by their own mean and spread; hold out the rest."""

    x: Array
    t: Array  # one-hot targets: each row sums to 1, which is what the loss assumes
    held_x: Array
    held_label: Array


@dataclass(frozen=True)
class Curve:
    """What one fold's training left behind, an entry for each epoch."""

    loss: list[float]
    accuracy: list[float]


# Derive, verify, emit


def derive_network(out: Path) -> bool:
    """Derive every gradient of the network, check it, and write it as LaTeX, Markdown and NumPy code."""
    network = chain(dense, tanh, dense, softmax_cross_entropy, name="mlp")
    derived, code = gradient(network), to_numpy(network)
    print(derived.explain("brief", "matrix"))
    if not (passed("derivation and steps", derived) and passed("NumPy code", code)):
        return False
    write(out / "mlp.tex", derived.latex(document=True))
    write(out / "mlp.md", derived.markdown())
    write(out / "mlp.py", code.source)
    return True


def passed(what: str, checked: Derivative | NumpyModule) -> bool:
    """Print the report's first line; all of it where a check failed."""
    report = checked.verify()
    print(f"{what}: {str(report).splitlines()[0] if report else report}")
    return bool(report)


def write(path: Path, content: str | bytes) -> None:
    """All of the file or nothing: written beside, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content if isinstance(content, bytes) else content.encode())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    print(f"wrote {path}")


def load(path: Path) -> ModuleType:
    """The emitted module, from its file: it needs NumPy and nothing else."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Train


def breast_cancer(folds: int) -> Iterator[Fold]:
    """The Wisconsin data: 569 tumours, 30 measurements each, malignant or benign; folds keep that proportion."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import StratifiedKFold

    x, label = load_breast_cancer(return_X_y=True)
    for train, held in StratifiedKFold(folds, shuffle=True, random_state=0).split(x, label):
        mean, spread = x[train].mean(axis=0), x[train].std(axis=0)
        x_all = ((x - mean) / spread).astype(np.float32)
        yield Fold(x_all[train], np.eye(2, dtype=np.float32)[label[train]], x_all[held], label[held])


def initial(inputs: int, rng: np.random.Generator) -> Weights:
    """Weights of variance 1/fan-in, biases of zero."""

    weights: Weights = {}
    for layer, (rows, columns) in enumerate([(inputs, HIDDEN), (HIDDEN, 2)], start=1):
        weights[f"w_{layer}"] = (rng.standard_normal((rows, columns)) / rows**0.5).astype(np.float32)
        weights[f"beta_{layer}"] = np.zeros(columns, np.float32)
    return weights


def train(mlp: ModuleType, fold: Fold, epochs: int, seed: int, tick: Callable[[], None]) -> Curve:
    """Minibatch gradient descent with the emitted `value_and_grad`."""
    rng = np.random.default_rng(seed)
    weights = initial(fold.x.shape[1], rng)
    curve = Curve([], [])
    for _ in range(epochs):
        total = 0.0
        order = rng.permutation(len(fold.x))
        for rows in np.array_split(order, -(-len(order) // BATCH)):
            loss, grads = mlp.value_and_grad(x=fold.x[rows], t=fold.t[rows], **weights)
            weights = {name: weight - RATE * grads[name] for name, weight in weights.items()}
            total += float(loss) * len(rows)
        curve.loss.append(total / len(order))
        curve.accuracy.append(accuracy(fold, weights))
        tick()
    return curve


@cache
def scores() -> Callable[..., Any]:
    """The network without its loss: its weights have the same names."""
    return to_numpy(chain(dense, tanh, dense)).forward


def accuracy(fold: Fold, weights: Weights) -> float:
    """The share of held-out rows whose class scores highest."""
    found, _ = scores()(x=fold.held_x, **weights)
    return float(np.mean(found.argmax(axis=1) == fold.held_label))


def cross_validate(mlp: ModuleType, folds: int, epochs: int) -> list[Curve]:
    """Train on each fold, with a progress bar where somebody watches."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("training", total=folds * epochs)
        return [
            train(mlp, fold, epochs, seed, lambda: progress.advance(task))
            for seed, fold in enumerate(breast_cancer(folds))
        ]


# Show


def learning_curve(curves: list[Curve]) -> bytes:
    """Training loss and held-out accuracy by epoch: the mean over the folds, and a band from lowest to highest."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    panels = ((left, "training loss", "C0", [c.loss for c in curves], 1),
              (right, "held-out accuracy, %", "C2", [c.accuracy for c in curves], 100))  # fmt: skip
    for axes, title, colour, values, scale in panels:
        by_fold = scale * np.array(values)
        epoch = np.arange(1, by_fold.shape[1] + 1)
        axes.fill_between(
            epoch, by_fold.min(0), by_fold.max(0), color=colour, alpha=0.2, lw=0, label="lowest to highest"
        )
        axes.plot(epoch, by_fold.mean(0), color=colour, label=f"mean of {len(curves)} folds")
        axes.set(title=title, xlabel="epoch", xlim=(1, max(2, len(epoch))))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, loc="upper right" if axes is left else "lower right")
    left.set_ylim(bottom=0)
    right.axhline(100 * GOAL, color="0.4", lw=1, ls="--")
    right.annotate("goal for the mean", (1, 100 * GOAL), (4, 3), textcoords="offset points", color="0.3", size="small")
    picture = io.BytesIO()
    figure.savefig(picture, dpi=150, metadata={"Software": None})
    return picture.getvalue()


def arguments(given: list[str] | None) -> argparse.Namespace:
    """The options, with the defaults of `make demo`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=HERE / "out", metavar="DIR", help="where to write (out/)")
    parser.add_argument("--folds", type=int, default=5, help="folds of the cross-validation (%(default)s)")
    parser.add_argument("--epochs", type=int, default=20, help="passes over the data in each (%(default)s)")
    chosen = parser.parse_args(given)
    if chosen.folds < 2 or chosen.epochs < 1:
        parser.error("expected --folds of at least 2 and --epochs of at least 1")
    return chosen


def main(given: list[str] | None = None) -> int:
    """0: done and the goal met; 1: a check failed or the goal was missed; 3: a package is missing."""
    chosen = arguments(given)
    for package, distribution in NEEDS.items():
        if importlib.util.find_spec(package) is None:
            how = "pip install 'derive-math[demo]', or from this checkout pip install -e '.[demo]'"
            print(f"error: demo.py needs {distribution}: {how}", file=sys.stderr)
            return 3
    if not derive_network(chosen.out):
        return 1
    curves = cross_validate(load(chosen.out / "mlp.py"), chosen.folds, chosen.epochs)
    write(chosen.out / "learning_curve.png", learning_curve(curves))
    final = np.array([curve.accuracy[-1] for curve in curves])
    print(
        f"accuracy: {100 * final.mean():.1f} % ± {100 * final.std(ddof=1):.1f} %"
        f" (standard deviation over {len(final)} held-out folds)"
    )
    if final.mean() < GOAL:
        print(f"missed: a mean accuracy of at least {100 * GOAL:.0f} % was expected", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
