"""The column `autograd`: NumPy code that HIPS autograd (github.com/HIPS/autograd) differentiates by tracing."""

from collections.abc import Callable
from typing import Any

import autograd.numpy as np
from autograd import make_vjp
from autograd.scipy.special import erf, logsumexp

from benchmarks.columns import VALUE, Run
from benchmarks.rows import Array, Inputs, Row


def softmax(z: Any) -> Any:
    """Over the last axis."""
    e = np.exp(z - np.max(z, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def mlp(x: Any, w_1: Any, beta_1: Any, w_2: Any, beta_2: Any, t: Any) -> Any:
    """tanh between two dense layers, then softmax cross-entropy."""
    z = np.dot(np.tanh(np.dot(x, w_1) + beta_1), w_2) + beta_2
    return -np.mean(np.sum(t * (z - logsumexp(z, axis=-1, keepdims=True)), axis=-1))


def cross_entropy(input: Any, target: Any) -> Any:
    """Mean of log Σ exp(z) − z of the target's class."""
    return np.mean(logsumexp(input, axis=-1) - input[np.arange(len(target)), target])


def layer_norm(x: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> Any:
    """Over the last axis."""
    u = x - np.mean(x, axis=-1, keepdims=True)
    return gamma * u / np.sqrt(np.mean(u * u, axis=-1, keepdims=True) + eps) + beta


def batch_norm(input: Any, weight: Any, bias: Any, eps: float = 1e-5) -> Any:
    """Over samples and places."""
    u = input - np.mean(input, axis=(0, 2), keepdims=True)
    return weight[:, None] * u / np.sqrt(np.mean(u * u, axis=(0, 2), keepdims=True) + eps) + bias[:, None]


def gelu_tanh(input: Any) -> Any:
    """Products for the cube: its power is many times slower."""
    return 0.5 * input * (1 + np.tanh((2 / np.pi) ** 0.5 * (input + 0.044715 * input * input * input)))


def conv2d(input: Any, weight: Any, stride: int, padding: int) -> Any:
    """A sum over the kernel's places of shifted images times a matrix."""
    image = np.pad(input, ((0, 0), (0, 0), (padding, padding), (padding, padding)), mode="constant")
    rows, columns = weight.shape[2:]
    height, width = ((n - k) // stride + 1 for n, k in zip(image.shape[2:], (rows, columns), strict=True))
    total = 0
    for i in range(rows):
        for j in range(columns):
            shifted = image[:, :, i : i + stride * height : stride, j : j + stride * width : stride]
            total = total + np.tensordot(weight[:, :, i, j], shifted, ([1], [1]))
    return np.transpose(total, (1, 0, 2, 3))


def max_pool2d(input: Any, kernel_size: int) -> Any:
    """The maximum of tiles."""
    n, c, y, z = input.shape
    tiles = np.reshape(input, (n, c, y // kernel_size, kernel_size, z // kernel_size, kernel_size))
    return np.max(np.max(tiles, axis=5), axis=3)


def attention(query: Any, key: Any, value: Any) -> Any:
    """Scores, mask, softmax, mean of the values."""
    z = np.matmul(query, np.swapaxes(key, -1, -2)) * query.shape[-1] ** -0.5
    return np.matmul(softmax(np.where(np.tri(*z.shape[-2:], dtype=bool), z, np.float32(-1e30))), value)


def lstm(x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
    """Step by step; the input's part of all gates is one product."""
    taken, n, h, c, found = np.dot(x, w_ih.T) + (b_ih + b_hh), h0.shape[1], h0, c0, []
    for z in taken:
        z = z + np.dot(h, w_hh.T)
        i, f, o = (1 / (1 + np.exp(-z[:, k * n : (k + 1) * n])) for k in (0, 1, 3))
        c = f * c + i * np.tanh(z[:, 2 * n : 3 * n])
        h = o * np.tanh(c)
        found.append(h[None])
    return np.concatenate(found)


def gaussian_process(X: Any, y: Any, scale: float = 1.0, length: float = 1.0, noise: float = 0.1) -> Any:
    """By a solution and a determinant; distances by a product."""
    squares = np.sum(X * X, axis=1)
    apart = squares[:, None] + squares - 2 * np.dot(X, X.T)
    K = scale**2 * np.exp(apart / (-2 * length**2)) + noise**2 * np.eye(len(X), dtype=X.dtype)
    value = np.dot(y, np.linalg.solve(K, y)) + np.linalg.slogdet(K)[1]
    return -0.5 * (value + len(X) * float(np.log(2 * np.pi)))


FORWARD: dict[str, Callable[..., Any]] = {
    "dense": lambda x, w, beta: np.dot(x, w) + beta,
    "MLP step": mlp,
    "softmax": softmax,
    "cross-entropy": cross_entropy,
    "layer norm": layer_norm,
    "batch norm": batch_norm,
    "GELU tanh": gelu_tanh,
    "GELU exact": lambda input: 0.5 * input * (1 + erf(input * 0.5**0.5)),
    "conv 3×3, stride 1": conv2d,
    "conv 3×3, stride 2": conv2d,
    "max_pool 2×2": max_pool2d,
    "attention, causal": attention,
    "embedding": lambda input, weight: weight[input],
    "LSTM": lstm,
    "Gaussian process": gaussian_process,
}


def prepared(row: Row, inputs: Inputs, g: Array | None) -> Run | None:
    """Forward, traced, and the product with the Jacobians of all real inputs; the Hessian's closed form has neither."""
    if row.name not in FORWARD:
        return None
    forward = FORWARD[row.name]
    names = [name for name, array in inputs.items() if array.dtype.kind == "f"]
    others = {name: array for name, array in inputs.items() if name not in names}
    above = inputs[names[0]].dtype.type(1) if g is None else g

    def of_reals(*real: Any) -> Any:
        return forward(**dict(zip(names, real, strict=True)), **others, **row.options)

    pulling = make_vjp(of_reals, tuple(range(len(names))))

    def call() -> Any:
        pull, y = pulling(*(inputs[name] for name in names))
        return y, pull(above)

    return Run(call, lambda result: {VALUE: np.asarray(result[0]), **dict(zip(names, result[1], strict=True))})
