"""The column `textbook`: NumPy as course notes write it, one formula a line, correct and untuned.

Convolution and pooling gather columns and scatter them back as the notes of Stanford's CS231n do (`im2col`, `col2im`).
"""

from math import erf, pi, sqrt
from typing import Any

import numpy as np

from benchmarks.columns import Layer, Run
from benchmarks.rows import Array, Inputs, Row

Gradients = dict[str, Array]


# Dense layers


def dense_forward(x: Array, w: Array, beta: Array) -> Any:
    """y = x w + β."""
    return x @ w + beta, (x, w)


def dense_backward(g: Array, saved: Any) -> Gradients:
    """x: g wᵀ, w: xᵀ g, β: Σ g."""
    x, w = saved
    return {"x": g @ w.T, "w": x.T @ g, "beta": g.sum(axis=0)}


def mlp(x: Array, w_1: Array, beta_1: Array, w_2: Array, beta_2: Array, t: Array) -> Any:
    """tanh between two dense layers, then softmax cross-entropy."""
    h = np.tanh(x @ w_1 + beta_1)
    z = h @ w_2 + beta_2
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -(t * np.log(p)).sum() / len(x)
    dz = (p - t) / len(x)
    da = (dz @ w_2.T) * (1 - h**2)
    first = {"x": da @ w_1.T, "w_1": x.T @ da, "beta_1": da.sum(axis=0)}
    return loss, first | {"w_2": h.T @ dz, "beta_2": dz.sum(axis=0), "t": -np.log(p) / len(x)}


# Classification


def softmax_forward(z: Array) -> Any:
    """p = exp(z) / Σ exp(z)."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p, p


def softmax_backward(g: Array, p: Array) -> Gradients:
    """p (g − Σ g p)."""
    return {"z": p * (g - (g * p).sum(axis=1, keepdims=True))}


def cross_entropy(input: Array, target: Array) -> Any:
    """Mean of −log p of the target's class."""
    rows = np.arange(len(input))
    e = np.exp(input - input.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(p[rows, target]).mean()
    dz = p.copy()
    dz[rows, target] -= 1
    return loss, {"input": dz / len(input)}


# Normalisation


def layer_norm_forward(x: Array, gamma: Array, beta: Array, eps: float = 1e-5) -> Any:
    """γ x̂ + β, where x̂ is x centred and scaled row by row."""
    mean, std = x.mean(axis=1, keepdims=True), np.sqrt(x.var(axis=1, keepdims=True) + eps)
    h = (x - mean) / std
    return gamma * h + beta, (h, std, gamma)


def layer_norm_backward(g: Array, saved: Any) -> Gradients:
    """(ĝ − mean ĝ − x̂ mean(ĝ x̂))/σ with ĝ = g γ."""
    h, std, gamma = saved
    dh = g * gamma
    dx = (dh - dh.mean(axis=1, keepdims=True) - h * (dh * h).mean(axis=1, keepdims=True)) / std
    return {"x": dx, "gamma": (g * h).sum(axis=0), "beta": g.sum(axis=0)}


def batch_norm_forward(input: Array, weight: Array, bias: Array, eps: float = 1e-5) -> Any:
    """As layer norm, each channel over samples and places."""
    mean, std = input.mean(axis=(0, 2), keepdims=True), np.sqrt(input.var(axis=(0, 2), keepdims=True) + eps)
    h = (input - mean) / std
    return weight[:, None] * h + bias[:, None], (h, std, weight)


def batch_norm_backward(g: Array, saved: Any) -> Gradients:
    """As layer norm, each channel over samples and places."""
    h, std, weight = saved
    dh, over = g * weight[:, None], {"axis": (0, 2), "keepdims": True}
    dx = (dh - dh.mean(**over) - h * (dh * h).mean(**over)) / std
    return {"input": dx, "weight": (g * h).sum(axis=(0, 2)), "bias": g.sum(axis=(0, 2))}


# Activations

ERF = np.vectorize(erf, otypes=[float])


def gelu_tanh_forward(input: Array) -> Any:
    """x (1 + tanh(√(2/π) (x + 0.044715 x³)))/2."""
    t = np.tanh(sqrt(2 / pi) * (input + 0.044715 * input**3))
    return 0.5 * input * (1 + t), (input, t)


def gelu_tanh_backward(g: Array, saved: Any) -> Gradients:
    """The product rule."""
    x, t = saved
    slope = sqrt(2 / pi) * (1 + 3 * 0.044715 * x**2)
    return {"input": g * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * slope)}


def gelu_forward(input: Array) -> Any:
    """x Φ(x)."""
    phi = 0.5 * (1 + _erf(input / sqrt(2)))
    return input * phi, (input, phi)


def gelu_backward(g: Array, saved: Any) -> Gradients:
    """Φ(x) + x φ(x)."""
    x, phi = saved
    return {"input": g * (phi + x * np.exp(-(x**2) / 2) / sqrt(2 * pi))}


def _erf(x: Array) -> Array:
    """SciPy's, where it is installed."""
    try:
        from scipy.special import erf as of_array
    except ImportError:
        return ERF(x).astype(x.dtype)
    return of_array(x)


# Windows


def _columns(shape: tuple[int, ...], rows: int, stride: int, padding: int) -> tuple[Array, Array, Array]:
    """Where each entry of each column stands in the padded image: channel, row, column."""
    _, c, y, z = shape
    height, width = (y + 2 * padding - rows) // stride + 1, (z + 2 * padding - rows) // stride + 1
    channel = np.repeat(np.arange(c), rows * rows)[:, None]
    i = np.tile(np.repeat(np.arange(rows), rows), c)[:, None] + stride * np.repeat(np.arange(height), width)
    j = np.tile(np.arange(rows), rows * c)[:, None] + stride * np.tile(np.arange(width), height)
    return channel, i, j


def _im2col(x: Array, rows: int, stride: int, padding: int) -> Array:
    """Columns of windows: (channel, place in the window) by (place of the window, sample)."""
    channel, i, j = _columns(x.shape, rows, stride, padding)
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return padded[:, channel, i, j].transpose(1, 2, 0).reshape(len(channel), -1)


def _col2im(columns: Array, shape: tuple[int, ...], rows: int, stride: int, padding: int) -> Array:
    """The adjoint of `_im2col`: sums of what the windows say about each entry."""
    n, c, y, z = shape
    channel, i, j = _columns(shape, rows, stride, padding)
    padded = np.zeros((n, c, y + 2 * padding, z + 2 * padding), columns.dtype)
    np.add.at(padded, (slice(None), channel, i, j), columns.reshape(len(channel), -1, n).transpose(2, 0, 1))
    return padded[:, :, padding : padding + y, padding : padding + z]


def conv2d_forward(input: Array, weight: Array, stride: int, padding: int) -> Any:
    """The kernels as rows times the windows as columns."""
    n, _, y, z = input.shape
    o, _, rows, _ = weight.shape
    columns = _im2col(input, rows, stride, padding)
    out = (weight.reshape(o, -1) @ columns).reshape(o, *((k + 2 * padding - rows) // stride + 1 for k in (y, z)), n)
    return out.transpose(3, 0, 1, 2), (input.shape, weight, columns, stride, padding)


def conv2d_backward(g: Array, saved: Any) -> Gradients:
    """Both factors of the product, the windows scattered back."""
    shape, weight, columns, stride, padding = saved
    flat = g.transpose(1, 2, 3, 0).reshape(len(weight), -1)
    back = weight.reshape(len(weight), -1).T @ flat
    return {
        "input": _col2im(back, shape, weight.shape[2], stride, padding),
        "weight": (flat @ columns.T).reshape(weight.shape),
    }


def max_pool2d_forward(input: Array, kernel_size: int) -> Any:
    """The largest entry of every column."""
    n, c, y, z = input.shape
    columns = _im2col(input.reshape(n * c, 1, y, z), kernel_size, kernel_size, 0)
    largest = columns.argmax(axis=0)
    out = columns[largest, np.arange(len(largest))]
    shape = (y // kernel_size, z // kernel_size, n, c)
    return out.reshape(shape).transpose(2, 3, 0, 1), (input.shape, columns, largest, kernel_size)


def max_pool2d_backward(g: Array, saved: Any) -> Gradients:
    """To the first largest entry of every column."""
    (n, c, y, z), columns, largest, kernel_size = saved
    back = np.zeros_like(columns)
    back[largest, np.arange(len(largest))] = g.transpose(2, 3, 0, 1).ravel()
    return {"input": _col2im(back, (n * c, 1, y, z), kernel_size, kernel_size, 0).reshape(n, c, y, z)}


# Attention, embedding, second derivatives


def attention_forward(query: Array, key: Array, value: Array) -> Any:
    """softmax(Q Kᵀ/√D + mask) V."""
    scores = np.einsum("bhtd,bhsd->bhts", query, key) / sqrt(query.shape[-1])
    scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    return np.einsum("bhts,bhsv->bhtv", p, value), (query, key, value, p)


def attention_backward(g: Array, saved: Any) -> Gradients:
    """Softmax's gradient between two products."""
    query, key, value, p = saved
    dp = np.einsum("bhtv,bhsv->bhts", g, value)
    dz = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) / sqrt(query.shape[-1])
    return {
        "query": np.einsum("bhts,bhsd->bhtd", dz, key),
        "key": np.einsum("bhts,bhtd->bhsd", dz, query),
        "value": np.einsum("bhts,bhtv->bhsv", p, g),
    }


def embedding_forward(input: Array, weight: Array) -> Any:
    """Rows of the table."""
    return weight[input], (input, weight.shape)


def embedding_backward(g: Array, saved: Any) -> Gradients:
    """Each row gets the sum of what its copies get."""
    input, shape = saved
    table = np.zeros(shape, g.dtype)
    np.add.at(table, input, g)
    return {"weight": table}


def logistic_hessian(X: Array, w: Array, y: Array) -> Array:
    """Xᵀ S X with S = p (1 − p)."""
    p = 1 / (1 + np.exp(-(X @ w)))
    return X.T @ ((p * (1 - p))[:, None] * X)


# Sequences


def _sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def lstm_forward(x: Array, h0: Array, c0: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array) -> Any:
    """c′ = f c + i g, h′ = o tanh c′, step by step; rows of the weights are those of i, f, g, o."""
    h, c, steps = h0, c0, []
    for x_t in x:
        z_i, z_f, z_g, z_o = np.split(x_t @ w_ih.T + b_ih + h @ w_hh.T + b_hh, 4, axis=1)
        i, f, g, o = _sigmoid(z_i), _sigmoid(z_f), np.tanh(z_g), _sigmoid(z_o)
        steps.append((x_t, h, c, i, f, g, o))
        c = f * c + i * g
        h = o * np.tanh(c)
    return np.array([step[1] for step in steps[1:]] + [h]), (steps, c, w_ih, w_hh)


def lstm_backward(above: Array, saved: Any) -> Gradients:
    """The chain rule, back in time."""
    steps, c, w_ih, w_hh = saved
    dx, dw_ih, dw_hh, db = [], np.zeros_like(w_ih), np.zeros_like(w_hh), np.zeros_like(w_ih[:, 0])
    dh_next, dc_next = np.zeros_like(c), np.zeros_like(c)
    for a, (x_t, h_before, c_before, i, f, g, o) in zip(reversed(above), reversed(steps), strict=True):
        dh = a + dh_next
        dc = dc_next + dh * o * (1 - np.tanh(c) ** 2)
        di, df, dg, do = dc * g, dc * c_before, dc * i, dh * np.tanh(c)
        dz = np.concatenate([di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)], axis=1)
        dw_ih, dw_hh, db = dw_ih + dz.T @ x_t, dw_hh + dz.T @ h_before, db + dz.sum(axis=0)
        dx.append(dz @ w_ih)
        dh_next, dc_next, c = dz @ w_hh, dc * f, c_before
    first = {"x": np.array(dx[::-1]), "h0": dh_next, "c0": dc_next}
    return first | {"w_ih": dw_ih, "w_hh": dw_hh, "b_ih": db, "b_hh": db}


# Gaussian processes


def gaussian_process(X: Array, y: Array, scale: float = 1.0, length: float = 1.0, noise: float = 0.1) -> Any:
    """log N(y | 0, K); its gradient by K is (α αᵀ − K⁻¹)/2: Rasmussen and Williams (2006), equation 5.9."""
    apart = X[:, None, :] - X[None, :, :]
    k = scale**2 * np.exp(-(apart**2).sum(axis=2) / (2 * length**2))
    K = k + noise**2 * np.eye(len(X), dtype=X.dtype)
    inverse = np.linalg.inv(K)
    alpha = inverse @ y
    L = -(y @ alpha + np.linalg.slogdet(K)[1] + len(X) * np.log(2 * pi)) / 2
    dK = (np.outer(alpha, alpha) - inverse) / 2
    dX = -2 * ((dK * k)[:, :, None] * apart).sum(axis=1) / length**2
    return X.dtype.type(L), {"X": dX, "y": -alpha}


LAYERS = {
    "dense": Layer(dense_forward, dense_backward),
    "MLP step": Layer(value_and_grad=mlp),
    "softmax": Layer(softmax_forward, softmax_backward),
    "cross-entropy": Layer(value_and_grad=cross_entropy),
    "layer norm": Layer(layer_norm_forward, layer_norm_backward),
    "batch norm": Layer(batch_norm_forward, batch_norm_backward),
    "GELU tanh": Layer(gelu_tanh_forward, gelu_tanh_backward),
    "GELU exact": Layer(gelu_forward, gelu_backward),
    "conv 3×3, stride 1": Layer(conv2d_forward, conv2d_backward),
    "conv 3×3, stride 2": Layer(conv2d_forward, conv2d_backward),
    "max_pool 2×2": Layer(max_pool2d_forward, max_pool2d_backward),
    "attention, causal": Layer(attention_forward, attention_backward),
    "embedding": Layer(embedding_forward, embedding_backward),
    "logistic Hessian": Layer(lambda **inputs: (logistic_hessian(**inputs), None)),
    "LSTM": Layer(lstm_forward, lstm_backward),
    "Gaussian process": Layer(value_and_grad=gaussian_process),
}


def prepared(row: Row, inputs: Inputs, g: Array | None) -> Run:
    """The pair of functions of a row."""
    return LAYERS[row.name].prepared(inputs, g, row.options)
