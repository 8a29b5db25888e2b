"""The column `by hand`: every row as a strong engineer writes it, by the laws told in `by_hand`.

NumPy, and SciPy where it is the tool for the job: a sparse matrix sums rows of equal index many times as fast as
`np.add.at`, and `erfcx` gives the coefficients for the exact GELU. A function takes the straight form while its
temporaries fit the cache, and blocks of rows beyond. The block of columns of a convolution and the ways to sum by index
were chosen by timing variants; the other bounds were not.
"""

from functools import cache
from math import pi, sqrt
from typing import Any

import numpy as np
from scipy import sparse, special

from benchmarks.by_hand import BLOCK, BLOCKED, STRAIGHT, Array, Gradients, row_blocks
from benchmarks.by_hand_matrices import gaussian_process
from benchmarks.by_hand_sequences import lstm_backward, lstm_forward
from benchmarks.by_hand_windows import conv2d_backward, conv2d_forward, max_pool2d_backward, max_pool2d_forward
from benchmarks.columns import Layer, Run
from benchmarks.rows import Inputs, Row


def _blocks(x: Array) -> Any:
    """All of a small array, or blocks along its first axis."""
    return (...,) if x.size <= BLOCK else list(row_blocks(x.reshape(len(x), -1)))


# An MLP step: everything in place


def mlp(x: Array, w_1: Array, beta_1: Array, w_2: Array, beta_2: Array, t: Array) -> Any:
    """tanh between two dense layers, then softmax cross-entropy; ten classes, so rows are columns there."""
    h = x @ w_1
    h += beta_1
    np.tanh(h, out=h)
    per, ones = 1.0 / len(x), np.ones(len(x), x.dtype)
    z = w_2.T @ h.T
    z += beta_2[:, None]
    z -= z.max(0)
    p = np.exp(z)
    s = p.sum(0)
    z -= np.log(s)
    z *= -per
    loss = np.vdot(np.ascontiguousarray(t.T), z)
    p *= 1.0 / s
    p -= t.T
    p *= per
    dw_2 = (p @ h).T
    da = p.T @ w_2.T
    h *= h
    np.subtract(1, h, out=h)
    da *= h
    first = {"x": da @ w_1.T, "w_1": x.T @ da, "beta_1": ones @ da}
    return loss, first | {"w_2": dw_2, "beta_2": p @ ones, "t": z.T}


# Cross-entropy by index: value and gradient in one go over a block


def cross_entropy(input: Array, target: Array) -> Any:
    """Mean of log Σ exp(z) − z of the target's class; its gradient is p, less 1 there, over B."""
    dz, per, total = np.empty_like(input), 1.0 / len(input), 0.0
    ones = np.ones(input.shape[1], input.dtype)
    for rows in _blocks(input):
        z, p, t = input[rows], dz[rows], target[rows]
        places = np.arange(len(z))
        m = z.max(-1)
        np.subtract(z, m[:, None], out=p)
        taken = p[places, t]
        np.exp(p, out=p)
        s = p @ ones
        total += float((np.log(s) - taken).sum())
        p *= (per / s)[:, None]
        p[places, t] -= per
    return input.dtype.type(total * per), {"input": dz}


# Batch norm over samples and places


def batch_norm_forward(input: Array, weight: Array, bias: Array, eps: float = 1e-5) -> Any:
    """y = weight x̂ + bias; sums are products with ones."""
    n, c, y = input.shape
    per, ones = 1.0 / (n * y), np.ones(y, input.dtype)
    mean = ((input @ ones).sum(0) * per)[:, None]
    h, out, square = np.empty_like(input), np.empty_like(input), np.zeros(c, input.dtype)
    blocks = _blocks(input)
    for some in blocks:
        np.subtract(input[some], mean, out=h[some])
        square += np.vecdot(h[some], h[some]).sum(0)
    r = (1.0 / np.sqrt(square * per + eps))[:, None]
    for some in blocks:
        h[some] *= r
        np.multiply(h[some], weight[:, None], out=out[some])
        out[some] += bias[:, None]
    return out, (h, r, weight)


def batch_norm_backward(g: Array, saved: Any) -> Gradients:
    """input: weight/σ (g − mean g − x̂ mean(g x̂))."""
    h, r, weight = saved
    n, _, y = g.shape
    d_weight, d_bias = np.vecdot(g, h).sum(0), (g @ np.ones(y, g.dtype)).sum(0)
    slope, mean, scale = (a[:, None] * b for a, b in ((d_weight, 1.0 / (n * y)), (d_bias, 1.0 / (n * y)), (weight, r)))
    dx = np.empty_like(g)
    for some in _blocks(g):
        d = np.multiply(h[some], slope, out=dx[some])
        d += mean
        np.subtract(g[some], d, out=d)
        d *= scale
    return {"input": dx, "weight": d_weight, "bias": d_bias}


# GELU: no powers; Φ(−|x|) = e^(−x²/2) q(1/(1 + .3|x|)) with a polynomial q, so that the tail keeps its digits

SLOPE, CUBE = sqrt(2 / pi), 0.044715


def gelu_tanh_forward(input: Array) -> Any:
    """x (1 + tanh(√(2/π) (x + .044715 x³)))/2; half of 1 + tanh is saved."""
    y, saved = np.empty_like(input), np.empty_like(input)
    for rows in _blocks(input):
        x, t, out = input[rows], saved[rows], y[rows]
        np.multiply(x, x, out=t)
        t *= SLOPE * CUBE
        t += SLOPE
        t *= x
        np.tanh(t, out=t)
        t += 1
        t *= 0.5
        np.multiply(x, t, out=out)
    return y, (input, saved)


def gelu_tanh_backward(g: Array, saved: Any) -> Gradients:
    """With s = (1 + tanh u)/2: s + x s (1 − s) 2u′."""
    x_all, s_all = saved
    dx = np.empty_like(g)
    for rows in _blocks(g):
        x, s, d = x_all[rows], s_all[rows], dx[rows]
        np.multiply(x, x, out=d)
        d *= 6 * SLOPE * CUBE
        d += 2 * SLOPE
        d *= x
        c = 1 - s
        d *= c
        d += 1
        d *= s
        d *= g[rows]
    return {"input": dx}


@cache
def _tail() -> tuple[float, ...]:
    """Coefficients of q, highest first: erfcx(|x|/√2)/2 interpolated in 1/(1 + .3|x|) between Chebyshev points."""
    where = np.polynomial.Chebyshev.interpolate(
        lambda t: special.erfcx((1 / t - 1) / 0.3 / sqrt(2)) / 2, 8, domain=[0.15, 1]
    )
    return tuple(float(a) for a in where.convert(kind=np.polynomial.Polynomial).coef[::-1])


def gelu_forward(input: Array) -> Any:
    """x Φ(x)."""
    y, saved = np.empty_like(input), np.empty_like(input)
    if input.size <= 1 << 14:
        special.ndtr(input, out=saved)
        return np.multiply(input, saved, out=y), (input, saved)
    highest, *others = _tail()
    for rows in _blocks(input):
        x, q, t = input[rows], saved[rows], np.abs(input[rows])
        t *= 0.3
        t += 1
        np.divide(1, t, out=t)
        np.multiply(t, highest, out=q)
        for a in others[:-1]:
            q += a
            q *= t
        q += others[-1]
        np.multiply(x, x, out=t)
        t *= -0.5
        np.exp(t, out=t)
        q *= t  # Φ(−|x|), and 1 − it where x > 0
        np.greater(x, 0, out=t)
        np.subtract(q, t, out=q)
        np.abs(q, out=q)
        np.multiply(x, q, out=y[rows])
    return y, (input, saved)


def gelu_backward(g: Array, saved: Any) -> Gradients:
    """Φ(x) + x φ(x)."""
    x_all, phi = saved
    dx = np.empty_like(g)
    for rows in _blocks(g):
        x, d = x_all[rows], dx[rows]
        np.multiply(x, x, out=d)
        d *= -0.5
        np.exp(d, out=d)
        d *= x
        d *= 1 / sqrt(2 * pi)
        d += phi[rows]
        d *= g[rows]
    return {"input": dx}


# Attention, causal: blocks of queries, each with the keys it may look at

QUERIES = 128


def attention_forward(query: Array, key: Array, value: Array) -> Any:
    """softmax(Q Kᵀ/√D) V, the weights of each block of queries saved."""
    t, ones = query.shape[2], np.ones((query.shape[2], 1), query.dtype)
    y, weights = np.empty_like(query), []
    for start in range(0, t, QUERIES):
        end = min(start + QUERIES, t)
        p = (query[:, :, start:end] * query.shape[-1] ** -0.5) @ key[:, :, :end].mT
        p[..., start:] += _mask(end - start, query.dtype)
        p -= p.max(-1, keepdims=True)
        np.exp(p, out=p)
        p *= 1.0 / (p @ ones[:end])
        np.matmul(p, value[:, :, :end], out=y[:, :, start:end])
        weights.append(p)
    return y, (query, key, value, y, weights)


@cache
def _mask(length: int, dtype: Any) -> Array:
    return np.triu(np.full((length, length), -np.inf, dtype), 1)


def attention_backward(g: Array, saved: Any) -> Gradients:
    """Σ p dp of a query is Σ g y of its row."""
    query, key, value, y, weights = saved
    dq, dk, dv = np.empty_like(query), np.zeros_like(key), np.zeros_like(value)
    dots = np.vecdot(g, y)[..., None]
    for number, p in enumerate(weights):
        end = p.shape[-1]
        rows = np.s_[:, :, number * QUERIES : end]
        dv[:, :, :end] += p.mT @ g[rows]
        dz = g[rows] @ value[:, :, :end].mT
        dz -= dots[rows]
        dz *= p
        np.matmul(dz, key[:, :, :end], out=dq[rows])
        dk[:, :, :end] += dz.mT @ query[rows]
    scale = query.shape[-1] ** -0.5
    dq *= scale
    dk *= scale
    return {"query": dq, "key": dk, "value": dv}


# Embedding: a sparse matrix of ones, its transpose times g


def embedding_forward(input: Array, weight: Array) -> Any:
    """Rows of the table."""
    return weight.take(input, axis=0), (input, weight.shape)


def embedding_backward(g: Array, saved: Any) -> Gradients:
    """Sums over places of equal index: add.at on a flat array while it is small."""
    input, (v, d) = saved
    flat, rows = input.reshape(-1), g.reshape(-1, d)
    if rows.size <= 1 << 14:
        table = np.zeros(v * d, g.dtype)
        np.add.at(table, (flat[:, None] * d + np.arange(d)).reshape(-1), rows.reshape(-1))
        return {"weight": table.reshape(v, d)}
    ones = sparse.csr_array((np.ones(len(flat), g.dtype), flat, np.arange(len(flat) + 1)), shape=(len(flat), v))
    return {"weight": ones.T @ rows}


# The Hessian of the logistic loss


def logistic_hessian(X: Array, w: Array, y: Array) -> tuple[Array, None]:
    """Xᵀ S X is AᵀA with A = √S X: one triangle's work; √(p (1 − p)) = 1/(2 cosh(u/2))."""
    A = X * (0.5 / np.cosh(0.5 * (X @ w)))[:, None]
    return A.T @ A, None


def _by_size(name: str, first: str) -> Layer:
    """The straight code of `by_hand`, and over blocks of rows where the array exceeds one."""
    straight, blocked = STRAIGHT[name], BLOCKED[name]

    def forward(**inputs: Array) -> Any:
        layer = blocked if inputs[first].size > BLOCK else straight
        y, saved = layer.forward(**inputs)
        return y, (layer.backward, saved)

    return Layer(forward, lambda g, saved: saved[0](g, saved[1]))


LAYERS = {
    "dense": Layer(STRAIGHT["dense"].forward, STRAIGHT["dense"].backward),
    "MLP step": Layer(value_and_grad=mlp),
    "softmax": _by_size("softmax", "z"),
    "cross-entropy": Layer(value_and_grad=cross_entropy),
    "layer norm": _by_size("layer_norm", "x"),
    "batch norm": Layer(batch_norm_forward, batch_norm_backward),
    "GELU tanh": Layer(gelu_tanh_forward, gelu_tanh_backward),
    "GELU exact": Layer(gelu_forward, gelu_backward),
    "conv 3×3, stride 1": Layer(conv2d_forward, conv2d_backward),
    "conv 3×3, stride 2": Layer(conv2d_forward, conv2d_backward),
    "max_pool 2×2": Layer(max_pool2d_forward, max_pool2d_backward),
    "attention, causal": Layer(attention_forward, attention_backward),
    "embedding": Layer(embedding_forward, embedding_backward),
    "logistic Hessian": Layer(logistic_hessian),
    "LSTM": Layer(lstm_forward, lstm_backward),
    "Gaussian process": Layer(value_and_grad=gaussian_process),
}


def prepared(row: Row, inputs: Inputs, g: Array | None) -> Run:
    """The functions of a row."""
    return LAYERS[row.name].prepared(inputs, g, row.options)
