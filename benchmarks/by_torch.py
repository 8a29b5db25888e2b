"""The column `PyTorch`: eager code, the functions of torch.nn.functional where there are any."""

from collections.abc import Callable
from math import log, pi
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name

from benchmarks.columns import VALUE, Run
from benchmarks.rows import Array, Inputs, Row


def dense(x: Any, w: Any, beta: Any) -> Any:
    """addmm multiplies and adds at once."""
    return torch.addmm(beta, x, w)


def mlp(x: Any, w_1: Any, beta_1: Any, w_2: Any, beta_2: Any, t: Any) -> Any:
    """Targets are probabilities, and have a gradient, too."""
    return F.cross_entropy(dense(torch.tanh(dense(x, w_1, beta_1)), w_2, beta_2), t)


def logistic_hessian(X: Any, w: Any, y: Any) -> Any:
    """The closed form: torch.func.hessian takes longer."""
    p = torch.sigmoid(X @ w)
    return (X * (p * (1 - p))[:, None]).T @ X


def lstm(x: Any, h0: Any, c0: Any, **weights: Any) -> Any:
    """What torch.nn.LSTM calls: one layer, no dropout."""
    return torch.lstm(x, (h0[None], c0[None]), list(weights.values()), True, 1, 0.0, True, False, False)[0]


def gaussian_process(X: Any, y: Any, scale: float = 1.0, length: float = 1.0, noise: float = 0.1) -> Any:
    """By a Cholesky factor; distances by a product."""
    squares = (X * X).sum(-1)
    apart = squares[:, None] + squares - 2 * X @ X.T
    K = scale**2 * torch.exp(apart / (-2 * length**2)) + noise**2 * torch.eye(len(X))
    L = torch.linalg.cholesky(K)
    alpha = torch.cholesky_solve(y[:, None], L)[:, 0]
    return -(y @ alpha + 2 * L.diagonal().log().sum() + len(X) * log(2 * pi)) / 2


FORWARD: dict[str, Callable[..., Any]] = {
    "dense": dense,
    "MLP step": mlp,
    "softmax": lambda z: F.softmax(z, -1),
    "cross-entropy": F.cross_entropy,
    "layer norm": lambda x, gamma, beta: F.layer_norm(x, gamma.shape, gamma, beta),
    "batch norm": lambda input, weight, bias: F.batch_norm(input, None, None, weight, bias, training=True),
    "GELU tanh": lambda input: F.gelu(input, approximate="tanh"),
    "GELU exact": F.gelu,
    "conv 3×3, stride 1": F.conv2d,
    "conv 3×3, stride 2": F.conv2d,
    "max_pool 2×2": F.max_pool2d,
    "attention, causal": lambda query, key, value: F.scaled_dot_product_attention(query, key, value, is_causal=True),
    "embedding": F.embedding,
    "logistic Hessian": logistic_hessian,
    "LSTM": lstm,
    "Gaussian process": gaussian_process,
}


def prepared(row: Row, inputs: Inputs, g: Array | None) -> Run:
    """Forward, then backward for all real inputs; for the Hessian nothing is recorded."""
    forward = FORWARD[row.name]
    tensors = {
        name: torch.tensor(array, requires_grad=row.gradients and array.dtype.kind == "f")
        for name, array in inputs.items()
    }
    leaves = [tensor for tensor in tensors.values() if tensor.requires_grad]
    above = None if g is None else torch.tensor(g)

    def call() -> Any:
        y = forward(**tensors, **row.options)
        return y, torch.autograd.grad(y, leaves, above) if leaves else ()

    names = [name for name, tensor in tensors.items() if tensor.requires_grad]
    return Run(call, lambda result: _arrays([VALUE, *names], [result[0], *result[1]]))


def _arrays(names: list[str], tensors: list[Any]) -> dict[str, Array]:
    return {name: tensor.detach().numpy() for name, tensor in zip(names, tensors, strict=True)}
