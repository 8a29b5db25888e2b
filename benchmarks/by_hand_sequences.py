"""LSTM by hand: what does not depend on the step before is done for all steps at once.

The input's part of all gates is one product before the loop, the weights' gradients are one each after it; a step has
one product with 4H columns. σ(z) is (1 + tanh(z/2))/2, so one tanh serves all gates, with halves put into the weights.
Backward has the slopes of all gates at all steps before it walks back: a step is six passes and a product.
"""

from typing import Any

import numpy as np

from benchmarks.by_hand import Array, Gradients


def lstm_forward(x: Array, h0: Array, c0: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array) -> Any:
    """c′ = f c + i g, h′ = o tanh c′; rows of the weights are those of i, f, g, o."""
    (t, b, i), n = x.shape, h0.shape[1]
    scale = np.repeat(np.array([0.5, 0.5, 1, 0.5], x.dtype), n)
    shift = np.repeat(np.array([0.5, 0.5, 0, 0.5], x.dtype), n)
    u = (w_hh * scale[:, None]).T
    gates = x.reshape(t * b, i) @ (w_ih * scale[:, None]).T
    gates += (b_ih + b_hh) * scale
    gates = gates.reshape(t, b, 4 * n)
    h, c, th = np.empty((t + 1, b, n), x.dtype), np.empty((t + 1, b, n), x.dtype), np.empty((t, b, n), x.dtype)
    h[0], c[0] = h0, c0
    held, taken = np.empty((b, 4 * n), x.dtype), np.empty((b, n), x.dtype)
    for step in range(t):
        a, new, t_c = gates[step], c[step + 1], th[step]
        a += np.matmul(h[step], u, out=held)
        np.tanh(a, out=a)
        a *= scale
        a += shift
        np.multiply(a[:, n : 2 * n], c[step], out=new)
        new += np.multiply(a[:, :n], a[:, 2 * n : 3 * n], out=taken)
        np.tanh(new, out=t_c)
        np.multiply(a[:, 3 * n :], t_c, out=h[step + 1])
    return h[1:], (x, h, c, th, gates, w_ih, w_hh)


def lstm_backward(g: Array, saved: Any) -> Gradients:
    """dz is dc times the slopes of i, f and g, and dh times that of o."""
    x, h, c, th, gates, w_ih, w_hh = saved
    (t, b, i), n = x.shape, h.shape[2]
    I, F, G, O = (gates[..., k * n : (k + 1) * n] for k in range(4))
    dz = 1 - gates
    dz[..., : 2 * n] *= gates[..., : 2 * n]
    dz[..., 2 * n : 3 * n] *= 1 + G
    dz[..., 3 * n :] *= O
    for k, factor in enumerate((G, c[:-1], I, th)):
        dz[..., k * n : (k + 1) * n] *= factor
    to_c = th * th
    np.subtract(1, to_c, out=to_c)
    to_c *= O
    four = dz.reshape(t, b, 4, n)
    dh, dc = np.zeros((b, n), g.dtype), np.zeros((b, n), g.dtype)
    for step in reversed(range(t)):
        dh += g[step]
        through = to_c[step]
        through *= dh
        dc += through
        slopes = four[step]
        slopes[:, :3] *= dc[:, None]
        slopes[:, 3] *= dh
        dc *= F[step]
        np.matmul(dz[step], w_hh, out=dh)
    flat = dz.reshape(t * b, 4 * n)
    bias = np.ones(t * b, g.dtype) @ flat
    return {
        "x": (flat @ w_ih).reshape(t, b, i), "h0": dh, "c0": dc,
        "w_ih": flat.T @ x.reshape(t * b, i), "w_hh": flat.T @ h[:-1].reshape(t * b, n),
        "b_ih": bias, "b_hh": bias.copy(),
    }  # fmt: skip
