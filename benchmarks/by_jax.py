"""The column `jax.jit`: value and all gradients, compiled as one function."""

from collections.abc import Callable
from functools import cache
from math import log, pi
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.columns import VALUE, Run
from benchmarks.rows import ROWS, Array, Inputs, Row


def mlp(x: Any, w_1: Any, beta_1: Any, w_2: Any, beta_2: Any, t: Any) -> Any:
    """tanh between two dense layers, then softmax cross-entropy."""
    z = jnp.tanh(x @ w_1 + beta_1) @ w_2 + beta_2
    return -(t * jax.nn.log_softmax(z)).sum(-1).mean()


def cross_entropy(input: Any, target: Any) -> Any:
    """Mean of log Σ exp(z) − z of the target's class."""
    taken = jnp.take_along_axis(input, target[:, None], 1)[:, 0]
    return (jax.nn.logsumexp(input, -1) - taken).mean()


def layer_norm(x: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> Any:
    """Over the last axis."""
    u = x - x.mean(-1, keepdims=True)
    return gamma * u * jax.lax.rsqrt((u * u).mean(-1, keepdims=True) + eps) + beta


def batch_norm(input: Any, weight: Any, bias: Any, eps: float = 1e-5) -> Any:
    """Over samples and places."""
    u = input - input.mean((0, 2), keepdims=True)
    h = u * jax.lax.rsqrt((u * u).mean((0, 2), keepdims=True) + eps)
    return weight[:, None] * h + bias[:, None]


def conv2d(input: Any, weight: Any, stride: int, padding: int) -> Any:
    """XLA's convolution."""
    return jax.lax.conv_general_dilated(
        input, weight, (stride, stride), [(padding, padding)] * 2, dimension_numbers=("NCHW", "OIHW", "NCHW")
    )


def max_pool2d(input: Any, kernel_size: int) -> Any:
    """XLA's window reduction."""
    window = (1, 1, kernel_size, kernel_size)
    return jax.lax.reduce_window(input, -jnp.inf, jax.lax.max, window, window, "VALID")


def attention(query: Any, key: Any, value: Any) -> Any:
    """Scores, mask, softmax, mean of the values."""
    z = query @ key.swapaxes(-1, -2) * query.shape[-1] ** -0.5
    z = jnp.where(jnp.tril(jnp.ones(z.shape[-2:], bool)), z, -jnp.inf)
    return jax.nn.softmax(z) @ value


def logistic_hessian(X: Any, w: Any, y: Any) -> Any:
    """The closed form: jax.hessian takes longer."""
    p = jax.nn.sigmoid(X @ w)
    return (X * (p * (1 - p))[:, None]).T @ X


def lstm(x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
    """The input's part of all gates in one product; then a scan."""

    def step(carried: Any, taken: Any) -> Any:
        h, c = carried
        i, f, g, o = jnp.split(taken + h @ w_hh.T, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    return jax.lax.scan(step, (h0, c0), x @ w_ih.T + (b_ih + b_hh))[1]


def gaussian_process(X: Any, y: Any, scale: float = 1.0, length: float = 1.0, noise: float = 0.1) -> Any:
    """By a Cholesky factor; distances by a product."""
    squares = (X * X).sum(-1)
    apart = squares[:, None] + squares - 2 * X @ X.T
    K = scale**2 * jnp.exp(apart / (-2 * length**2)) + noise**2 * jnp.eye(len(X), dtype=X.dtype)
    L = jnp.linalg.cholesky(K)
    alpha = jax.scipy.linalg.cho_solve((L, True), y)
    return -(y @ alpha + 2 * jnp.log(jnp.diagonal(L)).sum() + len(X) * log(2 * pi)) / 2


FORWARD: dict[str, Callable[..., Any]] = {
    "dense": lambda x, w, beta: x @ w + beta,
    "MLP step": mlp,
    "softmax": lambda z: jax.nn.softmax(z),
    "cross-entropy": cross_entropy,
    "layer norm": layer_norm,
    "batch norm": batch_norm,
    "GELU tanh": lambda input: jax.nn.gelu(input, approximate=True),
    "GELU exact": lambda input: jax.nn.gelu(input, approximate=False),
    "conv 3×3, stride 1": conv2d,
    "conv 3×3, stride 2": conv2d,
    "max_pool 2×2": max_pool2d,
    "attention, causal": attention,
    "embedding": lambda input, weight: weight[input],
    "logistic Hessian": logistic_hessian,
    "LSTM": lstm,
    "Gaussian process": gaussian_process,
}


@cache
def compiled(name: str) -> Any:
    """One compiled function of the real inputs, the others, and the upstream gradient."""
    row, forward = ROWS[name], FORWARD[name]

    def both(real: Any, others: Any, above: Any) -> Any:
        y, pull = jax.vjp(lambda real: forward(**real, **others, **row.options), real)
        return y, pull(above)[0]

    def value(real: Any, others: Any, above: Any) -> Any:
        return forward(**real, **others, **row.options), {}

    return jax.jit(both if row.gradients else value)


def prepared(row: Row, inputs: Inputs, g: Array | None) -> Run:
    """The compiled function at these inputs."""
    run = compiled(row.name)
    real = {name: jnp.asarray(array) for name, array in inputs.items() if array.dtype.kind == "f"}
    others = {name: jnp.asarray(array) for name, array in inputs.items() if array.dtype.kind != "f"}
    above = jnp.float32(1) if g is None else jnp.asarray(g)
    return Run(
        lambda: jax.block_until_ready(run(real, others, above)),
        lambda result: {name: np.asarray(a) for name, a in {VALUE: result[0], **result[1]}.items()},
    )
