"""Section 9b: a training step of `derive train` against the same step by hand, and against PyTorch in eager mode.

A step takes a minibatch, its loss and gradient, Adam's step, and looks whether the loss is a number. The perceptrons
are that of docs/training.md on breast cancer (30 × 16 × 2, 32 samples) and one for images of 28 × 28 (784 × 256 × 10,
128 samples), the other one is the network of `examples/networks.py:digits` (64 images of 8 × 8), whose channels are
dropped by hand as well. Steps by hand write into weights and state in place.
"""

import importlib.util
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import by_hand, by_hand_windows
from benchmarks.report import Table, met, progress
from benchmarks.timing import compare, repeats_within
from derive import chain
from derive.train import Settings, Split, Training, network, optimiser
from derive.train.data import Data
from formulas import dense, relu, tanh

Array = np.ndarray[Any, np.dtype[Any]]
Gradients = dict[str, Array]
DROPPED = 0.25  # of all channels
STEPS = 10  # in one measurement
RATE = 1e-6  # weights hardly move: thousands of steps on few samples would end among numbers too small to be normal
GOALS = {"by hand": 1.05, "PyTorch": 1.0}
TITLE = "9b. A training step: minibatch, gradient and Adam, float32, one thread"


@dataclass
class Adam:
    """Kingma, Ba (2015), algorithm 1, in place."""

    params: dict[str, Array]
    t: int = 0
    mean: dict[str, Array] = field(default_factory=dict)
    squares: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mean = {name: np.zeros_like(a) for name, a in self.params.items()}
        self.squares = {name: np.zeros_like(a) for name, a in self.params.items()}

    def step(self, grads: Gradients) -> None:
        self.t += 1
        rate, root = RATE / (1 - 0.9**self.t), (1 - 0.999**self.t) ** 0.5
        for name, theta in self.params.items():
            g, m, v = grads[name], self.mean[name], self.squares[name]
            m *= 0.9
            m += 0.1 * g
            v *= 0.999
            v += 0.001 * g * g
            theta -= rate * m / (np.sqrt(v) / root + 1e-8)


def mlp_by_hand(x: Array, t: Array, w_1: Array, beta_1: Array, w_2: Array, beta_2: Array) -> tuple[Any, Gradients]:
    """x → dense → tanh → dense → softmax-cross-entropy."""
    a = x @ w_1
    a += beta_1
    np.tanh(a, out=a)
    value, grads = by_hand.softmax_cross_entropy_value_and_grad(a @ w_2 + beta_2, t)
    g = grads["z"]
    back = g @ w_2.T
    back *= 1 - a * a
    return value, {"w_1": x.T @ back, "beta_1": back.sum(0), "w_2": a.T @ g, "beta_2": g.sum(0)}


def wide_by_hand(x: Array, t: Array, w_1: Array, beta_1: Array, w_2: Array, beta_2: Array) -> tuple[Any, Gradients]:
    """x → dense → relu → dense → softmax-cross-entropy."""
    a = x @ w_1
    a += beta_1
    np.maximum(a, 0, out=a)
    value, grads = by_hand.softmax_cross_entropy_value_and_grad(a @ w_2 + beta_2, t)
    g = grads["z"]
    back = g @ w_2.T
    back *= a > 0
    return value, {"w_1": x.T @ back, "beta_1": back.sum(0), "w_2": a.T @ g, "beta_2": g.sum(0)}


def cnn_by_hand(
    x: Array, t: Array, keep: Array, w_1: Array, b_1: Array, w_2: Array, b_2: Array, w_3: Array, b_3: Array
) -> tuple[Any, Gradients]:
    """Convolve, relu, convolve with stride 2, relu, pool, drop channels, dense, softmax-cross-entropy."""
    one, first = by_hand_windows.conv2d_forward(x, w_1, 1, 1)
    one += b_1[:, None, None]
    np.maximum(one, 0, out=one)
    two, second = by_hand_windows.conv2d_forward(one, w_2, 2, 1)
    two += b_2[:, None, None]
    np.maximum(two, 0, out=two)
    pooled, third = by_hand_windows.max_pool2d_forward(two, 2)
    kept = (keep / (1 - DROPPED)).astype(x.dtype)[:, :, None, None]
    flat, w = (pooled * kept).reshape(len(x), -1), w_3.reshape(-1, w_3.shape[-1])
    value, grads = by_hand.softmax_cross_entropy_value_and_grad(flat @ w + b_3, t)
    g = grads["z"]
    found = {"w_3": (flat.T @ g).reshape(w_3.shape), "b_3": g.sum(0)}
    above = (g @ w.T).reshape(pooled.shape)
    above *= kept
    back = by_hand_windows.max_pool2d_backward(above, third)["input"]
    back *= two > 0
    found |= {"b_2": back.sum((0, 2, 3))}
    both = by_hand_windows.conv2d_backward(back, second)
    found |= {"w_2": both["weight"]}
    back = both["input"]
    back *= one > 0
    found |= {"b_1": back.sum((0, 2, 3)), "w_1": by_hand_windows.conv2d_backward(back, first)["weight"]}
    return value, found


def _digits() -> Any:
    path = Path(__file__).parent.parent / "examples" / "networks.py"
    spec = importlib.util.spec_from_file_location("networks", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.digits


@dataclass(frozen=True)
class Case:
    """A network with its data, by hand, and in PyTorch where its step is compared."""

    model: Any
    shape: tuple[int, ...]
    classes: int
    batch: int
    sizes: dict[str, int]
    by_hand: Callable[..., tuple[Any, Gradients]]
    torch: str = ""  # the function between two dense layers


def cases() -> dict[str, Case]:
    """What is measured."""
    return {
        "MLP 30×16×2, 32 samples": Case(chain(dense, tanh, dense), (30,), 2, 32, {"O_1": 16}, mlp_by_hand, "tanh"),
        "MLP 784×256×10, 128 samples": Case(
            chain(dense, relu, dense), (784,), 10, 128, {"O_1": 256}, wide_by_hand, "relu"
        ),
        "CNN of digits, 64 samples": Case(_digits(), (1, 8, 8), 10, 64, {"O": 16, "K": 32}, cnn_by_hand),
    }


def prepared(case: Case) -> dict[str, Callable[[], Any]]:
    """The step of `derive train`, by hand, and PyTorch's; the first two must take the weights to the same place."""
    rng, count = np.random.default_rng(0), 16 * case.batch
    t = np.arange(count) % case.classes
    x = rng.normal(size=(count, *case.shape)).astype("f4")
    data = Data("random", x, t, tuple(map(str, range(case.classes))))
    net = network(case.model, None, data, case.sizes)
    settings = Settings(batch=case.batch, dropout=DROPPED)
    loop = Training(net, Split(data, data), optimiser("adam", lr=RATE), None, settings)
    targets, hand = net.targets(data), Adam({k: a.copy() for k, a in loop.params.items()})
    masks = [net.shape(name)[1:] for name in net.masks]
    order, generator = loop.order.copy(), np.random.default_rng(0)
    generator.bit_generator.state = loop.rng.bit_generator.state

    def looped() -> None:
        if loop.place >= count:
            loop.place = 0
        loop.step()

    def by_hand_() -> None:
        start = (hand.t * case.batch) % count
        rows = order[start : start + case.batch]
        keep = [generator.random((len(rows), *shape)) >= DROPPED for shape in masks]
        value, grads = case.by_hand(x[rows], targets[rows], *keep, **hand.params)
        if not math.isfinite(value):
            raise FloatingPointError(value)
        hand.step(grads)

    for _ in range(3):
        looped()
        by_hand_()
    for k, a in hand.params.items():
        np.testing.assert_allclose(loop.params[k], a, rtol=1e-4, atol=RATE / 10)
    steps = {"derive": looped, "by hand": by_hand_}
    if case.torch:
        steps["PyTorch"] = _eager(case, x, t, order, loop.params)
    return {name: _many(step) for name, step in steps.items()}


def _eager(case: Case, x: Array, t: Array, order: Array, params: Gradients) -> Callable[[], None]:
    import torch
    from torch.nn.functional import cross_entropy

    w_1, beta_1, w_2, beta_2 = leaves = [torch.tensor(a, requires_grad=True) for a in params.values()]
    between, steps = getattr(torch, case.torch), torch.optim.Adam(leaves, lr=RATE)
    samples, targets, places = torch.tensor(x), torch.tensor(t), torch.tensor(order)
    taken = 0

    def step() -> None:
        nonlocal taken
        start = (taken * case.batch) % len(order)
        rows, taken = places[start : start + case.batch], taken + 1
        steps.zero_grad()
        hidden = between(torch.addmm(beta_1, samples[rows], w_1))
        loss = cross_entropy(torch.addmm(beta_2, hidden, w_2), targets[rows])
        loss.backward()
        if not math.isfinite(loss.item()):
            raise FloatingPointError(loss)
        steps.step()

    return step


def _many(step: Callable[[], None]) -> Callable[[], None]:
    def steps() -> None:
        for _ in range(STEPS):
            step()

    return steps


def training_steps(seconds: float) -> Iterator[Table]:
    """Each network for so many seconds: what a step takes, and its ratio to the others."""
    header = ("network", "by hand, µs", "over by hand", "goal", "met", "PyTorch, µs", "over PyTorch", "goal", "met")
    note = "All columns in turn in one process; a ratio is the median over rounds. Met: by the interval's lower end."
    rows, reason, found = [], "", cases()
    with progress(TITLE, len(found)) as tick:
        for name, case in found.items():
            try:
                runs = prepared(case)
            except ImportError as problem:
                reason = f"not installed: {problem.name}"
                continue
            times = compare(runs, repeats_within(seconds, runs, least=20, most=400))
            rows.append((name, *(cell for other in GOALS for cell in _compared(times, other))))
            tick()
    yield Table(TITLE, header, tuple(rows), note, reason)


def _compared(times: Any, other: str) -> tuple[str, ...]:
    if other not in times.seconds:
        return ("", "", "", "")
    ratio = times.ratio("derive", other)
    took = f"{times.median(other) / STEPS * 1e6:.0f}"
    return took, str(ratio), f"≤ {GOALS[other]:g}", met(ratio.low, GOALS[other])
