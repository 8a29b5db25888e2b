"""The rows of the comparison of speed: what is computed, on which inputs, at which sizes, and what is aimed at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Draw = Callable[[np.random.Generator], Array]
Inputs = dict[str, Array]

SIZES = ("S", "M", "L")
TINY = "tiny"  # for tests: values only


def normal(*shape: int, over: int = 1) -> Draw:
    """Standard normal entries, divided by √over: the inputs of a sum, so that it stays of order 1."""
    scale = np.float32(over**-0.5)
    return lambda rng: rng.standard_normal(shape, dtype=np.float32) * scale


def simplex(rows: int, classes: int) -> Draw:
    """Rows of positive entries that add up to one."""
    return lambda rng: rng.dirichlet(np.ones(classes), rows).astype(np.float32)


def below(bound: int, *shape: int) -> Draw:
    """Indices from 0 to bound − 1."""
    return lambda rng: rng.integers(0, bound, shape)


def coins(count: int) -> Draw:
    """Labels 0 and 1."""
    return lambda rng: rng.integers(0, 2, count).astype(np.float32)


@dataclass(frozen=True)
class Goals:
    """The largest ratio of times, generated / peer, for the median at M and at L; `fused`: fused backend / PyTorch.

    None is no goal: the ratio is shown.
    """

    textbook: float | None = None
    torch: float | None = None
    fused: float | None = None
    autograd: float | None = 1.0


SHOWN = Goals(autograd=None)  # only the goals that all rows have: by hand, and memory


@dataclass(frozen=True)
class Row:
    """One formula with its inputs as functions of the sizes.

    `inputs` and `flops` (of matrix products and factors, forward and backward) take the numbers in `sizes`; `static`
    chooses a variant of the formula, `options` go to every call. Every column returns y and the gradients of all real
    inputs.
    """

    name: str
    formula: str
    sizes: Mapping[str, tuple[int, ...]]
    inputs: Callable[..., dict[str, Draw]]
    goals: Goals
    flops: Callable[..., int] = lambda *sizes: 0
    static: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, int] = field(default_factory=dict)
    gradients: bool = True  # else the value is all there is

    def drawn(self, size: str) -> Inputs:
        """The inputs at a size, the same in every process."""
        rng = np.random.default_rng(0)
        return {name: draw(rng) for name, draw in self.inputs(*self.sizes[size]).items()}

    def upstream(self, shape: tuple[int, ...]) -> Array | None:
        """The gradient from above for an output of this shape; a scalar needs none."""
        return np.random.default_rng(1).standard_normal(shape, dtype=np.float32) if shape and self.gradients else None


def _sizes(tiny: tuple[int, ...], *others: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {TINY: tiny, **dict(zip(SIZES, others, strict=True))}


def _dense(b: int, i: int, o: int) -> dict[str, Draw]:
    return {"x": normal(b, i), "w": normal(i, o, over=i), "beta": normal(o)}


def _mlp(b: int, i: int, h: int, o: int) -> dict[str, Draw]:
    first = {"x": normal(b, i), "w_1": normal(i, h, over=i), "beta_1": normal(h)}
    return first | {"w_2": normal(h, o, over=h), "beta_2": normal(o), "t": simplex(b, o)}


def _affine(b: int, d: int) -> dict[str, Draw]:
    return {"x": normal(b, d), "gamma": normal(d), "beta": normal(d)}


def _batch(n: int, c: int, y: int) -> dict[str, Draw]:
    return {"input": normal(n, c, y), "weight": normal(c), "bias": normal(c)}


def _conv(n: int, c: int, o: int, y: int) -> dict[str, Draw]:
    return {"input": normal(n, c, y, y), "weight": normal(o, c, 3, 3, over=9 * c)}


def _attention(b: int, h: int, t: int, d: int) -> dict[str, Draw]:
    return {name: normal(b, h, t, d) for name in ("query", "key", "value")}


def _conv_flops(stride: int) -> Callable[..., int]:
    return lambda n, c, o, y: 3 * 2 * n * o * (-(-y // stride)) ** 2 * c * 9


def _lstm(t: int, b: int, i: int, h: int) -> dict[str, Draw]:
    first = {"x": normal(t, b, i), "h0": normal(b, h), "c0": normal(b, h)}
    weights = {"w_ih": normal(4 * h, i, over=i), "w_hh": normal(4 * h, h, over=h)}
    return first | weights | {"b_ih": normal(4 * h), "b_hh": normal(4 * h)}


ROW_SIZES = _sizes((5, 7), (32, 10), (512, 1000), (8192, 1000))
PLAIN_SIZES = _sizes((5, 7), (32, 128), (512, 1024), (4096, 2048))
CONV_SIZES = _sizes((2, 3, 4, 7), (2, 3, 8, 16), (16, 16, 32, 28), (64, 64, 64, 32))

ROWS = {
    row.name: row
    for row in (
        Row(
            "dense", "dense", _sizes((5, 4, 3), (32, 128, 64), (512, 512, 512), (2048, 1024, 1024)), _dense,
            Goals(1.0, 1.0), lambda b, i, o: 6 * b * i * o,
        ),
        Row(
            "MLP step", "mlp", _sizes((5, 4, 6, 3), (32, 64, 64, 10), (256, 784, 256, 10), (4096, 784, 1024, 10)), _mlp,
            Goals(1.0, 1.0), lambda b, i, h, o: 6 * b * h * (i + o),
        ),
        Row("softmax", "softmax", ROW_SIZES, lambda b, c: {"z": normal(b, c)}, Goals(0.8, 3.2, 1.0)),
        Row(
            "cross-entropy", "cross_entropy", ROW_SIZES,
            lambda b, c: {"input": normal(b, c), "target": below(c, b)}, Goals(0.6, 1.0),
        ),
        Row(
            "layer norm", "layer_norm", _sizes((5, 7), (32, 64), (512, 768), (8192, 1024)), _affine,
            Goals(0.6, 5.0, 1.0),
        ),
        Row(
            "batch norm", "batch_norm", _sizes((4, 3, 5), (8, 16, 64), (32, 64, 196), (32, 64, 3136)), _batch,
            Goals(0.5, 1.4, 1.0), static={"weight": True, "bias": True},
        ),
        Row(
            "GELU tanh", "gelu", PLAIN_SIZES, lambda b, d: {"input": normal(b, d)}, Goals(0.1, 1.4, 1.0),
            static={"approximate": "tanh"},
        ),
        Row("GELU exact", "gelu", PLAIN_SIZES, lambda b, d: {"input": normal(b, d)}, Goals(0.45, 5.5, 1.0)),
        Row(
            "conv 3×3, stride 1", "conv2d", CONV_SIZES, _conv, Goals(0.3, 1.8, 1.2), _conv_flops(1),
            options={"stride": 1, "padding": 1},
        ),
        Row(
            "conv 3×3, stride 2", "conv2d", CONV_SIZES, _conv, Goals(0.4, 2.3, 1.2), _conv_flops(2),
            options={"stride": 2, "padding": 1},
        ),
        Row(
            "max_pool 2×2", "max_pool2d", _sizes((2, 3, 6), (2, 8, 16), (16, 32, 28), (32, 64, 56)),
            lambda n, c, y: {"input": normal(n, c, y, y)}, Goals(0.3, 1.0), options={"kernel_size": 2},
        ),
        Row(
            "attention, causal", "scaled_dot_product_attention",
            _sizes((2, 3, 6, 4), (2, 2, 16, 16), (4, 8, 128, 64), (4, 8, 512, 64)), _attention, Goals(0.3, 1.0),
            lambda b, h, t, d: 6 * b * h * t * (t + 1) * d, static={"is_causal": True},
        ),
        Row(
            "embedding", "embedding",
            _sizes((3, 4, 7, 5), (4, 16, 100, 16), (32, 128, 10000, 128), (64, 512, 50000, 256)),
            lambda b, t, v, d: {"input": below(v, b, t), "weight": normal(v, d)}, Goals(0.3, 1.0),
        ),
        Row(
            "logistic Hessian", "logistic_regression", _sizes((9, 4), (100, 10), (2000, 100), (50000, 256)),
            lambda n, d: {"X": normal(n, d), "w": normal(d, over=d), "y": coins(n)}, Goals(0.9, 1.1),
            lambda n, d: n * d * (d + 1), gradients=False,
        ),
        Row(
            "LSTM", "lstm", _sizes((3, 2, 4, 5), (8, 4, 8, 8), (32, 16, 64, 64), (64, 32, 256, 256)), _lstm, SHOWN,
            lambda t, b, i, h: 6 * t * b * 4 * h * (i + h),
        ),
        Row(
            "Gaussian process", "gaussian_process", _sizes((6, 3), (16, 4), (256, 8), (1024, 16)),
            lambda n, d: {"X": normal(n, d, over=d), "y": normal(n)}, SHOWN, lambda n, d: n * n * (n + 3 * d),
            options={"noise": 1},
        ),
    )
}  # fmt: skip
