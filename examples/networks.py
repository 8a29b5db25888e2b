"""Networks to train, as in `derive train examples/networks.py:digits --data digits`."""

from derive import Bool, Scalar, T, axes, axis, formula, let, sum_over, where
from formulas import conv2d, max_pool2d, relu

n, c, o, k, l, h, d, i = axes("n c o k l h d i")
r, q = axis("r", 3), axis("q", 3)


def dropped(entry, keep, p):
    """x/(1 − p) where kept, else 0."""
    return where(keep, entry / (1 - p), 0)


# 8 × 8: a convolution with padding, one with stride and padding, pooling, dropout, and a dense layer.

y, z, u, v = axis("y", 8), axis("z", 8), axis("u", 2), axis("v", 2)


@formula
def digits(
    x: T[n, c, y, z],
    w_1: T[o, c, r, q],
    b_1: T[o],
    w_2: T[k, o, r, q],
    b_2: T[k],
    keep: Bool[n, k],
    w_3: T[k, u, v, l],
    b_3: T[l],
    *,
    p: Scalar = 0.25,
) -> T[n, l]:
    """Scores of digits: convolve, convolve with stride 2, pool, drop channels, dense."""
    one = relu(conv2d(x, w_1, b_1, padding=1))
    two = max_pool2d(relu(conv2d(one, w_2, b_2, stride=2, padding=1)), kernel_size=2)
    kept = let("kept", dropped(two[n, k, u, v], keep[n, k], p))
    return sum_over((k, u, v), kept[n, k, u, v] * w_3[k, u, v, l]) + b_3[l]


# 24 × 24: the same, and a mean over places before the dense layer, since cells lie anywhere.

s, t = axis("s", 24), axis("t", 24)
a, b = axis("a", 6), axis("b", 6)


@formula
def cells(
    x: T[n, c, s, t],
    w_1: T[o, c, r, q],
    b_1: T[o],
    w_2: T[k, o, r, q],
    b_2: T[k],
    w_3: T[k, l],
    b_3: T[l],
) -> T[n, l]:
    """Scores of cells: convolve and pool twice, the mean over places, dense."""
    one = max_pool2d(relu(conv2d(x, w_1, b_1, padding=1)), kernel_size=2)
    two = max_pool2d(relu(conv2d(one, w_2, b_2, padding=1)), kernel_size=2)
    mean = let("mean", sum_over((a, b), two[n, k, a, b]) / (a.size * b.size))
    return sum_over(k, mean[n, k] * w_3[k, l]) + b_3[l]
