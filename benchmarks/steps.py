"""A training step, gradient and Adam, against the same step by hand: `python -m benchmarks.steps`.

The perceptron is that of docs/training.md on breast cancer (30 × 16 × 2, 32 samples), the other one is the network of
`examples/networks.py:digits` without dropout (64 images of 8 × 8). Steps by hand write into weights and state in place.
"""

import argparse
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import by_hand, by_hand_windows
from benchmarks.timing import compare, settle_environment
from derive import chain
from derive.train import Settings, Split, Training, network, optimiser
from derive.train.data import Data
from formulas import dense, tanh

Array = np.ndarray[Any, np.dtype[Any]]
Gradients = dict[str, Array]
STEPS = 10  # in one measurement


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
        rate, root = 1e-3 / (1 - 0.9**self.t), (1 - 0.999**self.t) ** 0.5
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


def cnn_by_hand(
    x: Array, t: Array, w_1: Array, b_1: Array, w_2: Array, b_2: Array, w_3: Array, b_3: Array
) -> tuple[Any, Gradients]:
    """Convolve, relu, convolve with stride 2, relu, pool, dense, softmax-cross-entropy."""
    one, first = by_hand_windows.conv2d_forward(x, w_1, 1, 1)
    one += b_1[:, None, None]
    np.maximum(one, 0, out=one)
    two, second = by_hand_windows.conv2d_forward(one, w_2, 2, 1)
    two += b_2[:, None, None]
    np.maximum(two, 0, out=two)
    pooled, third = by_hand_windows.max_pool2d_forward(two, 2)
    flat, w = pooled.reshape(len(x), -1), w_3.reshape(-1, w_3.shape[-1])
    value, grads = by_hand.softmax_cross_entropy_value_and_grad(flat @ w + b_3, t)
    g = grads["z"]
    found = {"w_3": (flat.T @ g).reshape(w_3.shape), "b_3": g.sum(0)}
    back = by_hand_windows.max_pool2d_backward((g @ w.T).reshape(pooled.shape), third)["input"]
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


def prepared(name: str) -> dict[str, Callable[[], Any]]:
    """Steps of a model: emitted code, the loop of `derive train` around it, and by hand."""
    rng = np.random.default_rng(0)
    cases: dict[str, Any] = {
        "mlp": (chain(dense, tanh, dense), (30,), 2, 32, {"O_1": 16}, mlp_by_hand),
        "cnn": (_digits(), (1, 8, 8), 10, 64, {"O": 16, "K": 32}, cnn_by_hand),
    }
    model, shape, classes, count, sizes, by_hand_code = cases[name]
    t = np.arange(count) % classes
    data = Data(name, rng.normal(size=(count, *shape)).astype("f4"), t, tuple(map(str, range(classes))))
    net, steps = network(model, None, data, sizes), optimiser("adam")
    settings = Settings(batch=count, dropout=0.0)
    loop = Training(net, Split(data, data), steps, None, settings)
    given = {net.x: net.samples(data.x), net.t: net.targets(data)}
    masks = loop._masks(count, kept=True)
    params = dict(loop.params)
    held = {"params": params, "state": steps.init(params)}
    adam = Adam({k: a.copy() for k, a in params.items()})

    def emitted() -> None:
        _, grads = net.code.value_and_grad(**given, **masks, **held["params"])
        held["params"], held["state"] = steps.update(held["params"], grads, held["state"])

    def looped() -> None:
        loop.place = 0
        loop.step()

    def hand() -> None:
        _, grads = by_hand_code(given[net.x], given[net.t], **adam.params)
        adam.step(grads)

    for call in (emitted, hand):
        call()
    for k, a in adam.params.items():
        np.testing.assert_allclose(held["params"][k], a, rtol=1e-4, atol=1e-5)
    return {n: _many(f) for n, f in (("emitted", emitted), ("loop", looped), ("by hand", hand))}


def _many(step: Callable[[], None]) -> Callable[[], None]:
    def steps() -> None:
        for _ in range(STEPS):
            step()

    return steps


def main() -> None:
    """Print the time of a step by hand, and the ratios."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=200)
    given = options.parse_args()
    settle_environment(1)
    for name in ("mlp", "cnn"):
        times = compare(prepared(name), given.rounds)
        hand = times.median("by hand") / STEPS * 1e6
        ratios = {n: times.ratio(n, "by hand") for n in ("emitted", "loop")}
        print(f"{name}: by hand {hand:.0f} µs a step; emitted {ratios['emitted']}, with the loop {ratios['loop']}")


if __name__ == "__main__":
    main()
