"""Convolution and pooling by hand.

Convolution: blocks of padded images lie flat behind each other, channel by channel, so that each place of the kernel
is one contiguous slice; what the slices say beyond an image's edge is cropped. With stride s the image falls into s²
phases first. Nothing but copies of slices, and one matrix product for each of the three contractions. At stride 1 both
gradients read one set of columns, those of g: a convolution's adjoint is a convolution with the kernel turned over.
Pooling: maxima of strided views, and products with Booleans on the way back; no index is ever made.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from benchmarks.by_hand import Array, Gradients

COLUMNS = 1 << 19  # entries of a block of columns: 2 MB in float32


def _flat(x: Array, before: int, s: int, height: int, pitch: int) -> Array:
    """Images as phases[a, b, channel, place], place running over images, rows of `pitch`; zeros around them."""
    m, c, y, z = x.shape
    out = np.zeros((c, m, s * height, s * pitch), x.dtype)
    inside = out[:, :, before : before + y, before : before + z]
    inside[...] = x[:, :, : inside.shape[2], : inside.shape[3]].transpose(1, 0, 2, 3)
    phases = out.reshape(c, m, height, s, pitch, s).transpose(3, 5, 0, 1, 2, 4)
    return phases.reshape(s, s, c, m * height * pitch)


def _taps(rows: int, columns: int, s: int, pitch: int) -> Iterator[tuple[int, int, int]]:
    """Phase, and shift within it, of each place of the kernel."""
    return ((i % s, j % s, i // s * pitch + j // s) for i, j in product(range(rows), range(columns)))


def _gathered(phases: Array, rows: int, columns: int, pitch: int) -> Array:
    """The columns: a row for each place of the kernel and channel."""
    s, _, c, total = phases.shape
    taps = list(_taps(rows, columns, s, pitch))
    long = total - taps[-1][2] if s == 1 else total - max(shift for _, _, shift in taps)
    out = np.empty((len(taps), c, long), phases.dtype)
    for k, (a, b, shift) in enumerate(taps):
        out[k] = phases[a, b, :, shift : shift + long]
    return out.reshape(-1, long)


def _image_blocks(n: int, each: int) -> Iterator[slice]:
    step = max(1, COLUMNS // each)
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def conv2d_forward(input: Array, weight: Array, stride: int, padding: int) -> Any:
    """y[n, o, h, w] = Σ x[n, c, s h + r − p, s w + q − p] weight[o, c, r, q]."""
    n, _, y, z = input.shape
    o, _, r, q = weight.shape
    s, h, w = stride, (y + 2 * padding - r) // stride + 1, (z + 2 * padding - q) // stride + 1
    height, pitch = h + (r - 1) // s, w + (q - 1) // s
    matrix = weight.transpose(0, 2, 3, 1).reshape(o, -1)
    out = np.empty((n, o, h, w), input.dtype)
    for block in _image_blocks(n, matrix.shape[1] * height * pitch):
        columns = _gathered(_flat(input[block], padding, s, height, pitch), r, q, pitch)
        _cropped(matrix, columns, out[block], height, pitch)
    return out, (input, weight, stride, padding)


def _cropped(matrix: Array, columns: Array, out: Array, height: int, pitch: int) -> None:
    """matrix @ columns, without what lies beyond the edges."""
    m, o, h, w = out.shape
    flat = np.empty((o, m * height * pitch), out.dtype)
    np.matmul(matrix, columns, out=flat[:, : columns.shape[1]])
    out[...] = flat.reshape(o, m, height, pitch)[:, :, :h, :w].transpose(1, 0, 2, 3)


def conv2d_backward(g: Array, saved: Any) -> Gradients:
    """The adjoint for the input, and for the weight g times the columns."""
    return (_backward_same if saved[2] == 1 else _backward_strided)(g, *saved)


def _backward_same(g: Array, x: Array, weight: Array, stride: int, padding: int) -> Gradients:
    """Stride 1: x̄ is a convolution of g with the kernel turned over, and w̄ is x times the same columns of g."""
    n, c, y, z = x.shape
    o, _, r, q = weight.shape
    height, pitch = y + r - 1, z + q - 1
    matrix = weight[:, :, ::-1, ::-1].transpose(1, 2, 3, 0).reshape(c, -1)
    dx, dw = np.empty_like(x), np.zeros((c, r * q * o), x.dtype)
    for block in _image_blocks(n, matrix.shape[1] * height * pitch):
        columns = _gathered(_flat(g[block], r - 1 - padding, 1, height, pitch), r, q, pitch)
        _cropped(matrix, columns, dx[block], height, pitch)
        dw += _flat(x[block], 0, 1, height, pitch)[0, 0, :, : columns.shape[1]] @ columns.T
    return {"input": dx, "weight": dw.reshape(c, r, q, o)[:, ::-1, ::-1].transpose(3, 0, 1, 2)}


def _backward_strided(g: Array, x: Array, weight: Array, s: int, padding: int) -> Gradients:
    """Any stride: x̄ is a sum of slices, phase by phase."""
    n, c, y, z = x.shape
    o, _, r, q = weight.shape
    h, w = g.shape[2:]
    height, pitch = h + (r - 1) // s, w + (q - 1) // s
    matrix = weight.transpose(0, 2, 3, 1).reshape(o, -1)
    dx, dw = np.zeros_like(x), np.zeros_like(matrix)
    for block in _image_blocks(n, matrix.shape[1] * height * pitch):
        phases = _flat(x[block], padding, s, height, pitch)
        columns = _gathered(phases, r, q, pitch)
        flat = _flat(g[block], 0, 1, height, pitch)[0, 0, :, : columns.shape[1]]
        dw += flat @ columns.T
        back = (matrix.T @ flat).reshape(r * q, c, -1)
        phases[...] = 0
        for k, (a, b, shift) in enumerate(_taps(r, q, s, pitch)):
            phases[a, b, :, shift : shift + back.shape[2]] += back[k]
        image = phases.reshape(s, s, c, -1, height, pitch).transpose(3, 2, 4, 0, 5, 1)
        image = image.reshape(-1, c, s * height, s * pitch)[:, :, padding : padding + y, padding : padding + z]
        dx[block, :, : image.shape[2], : image.shape[3]] = image
    return {"input": dx, "weight": dw.reshape(o, r, q, c).transpose(0, 3, 1, 2)}


def max_pool2d_forward(input: Array, kernel_size: int) -> Any:
    """The largest entry of tiles."""
    k, (h, w) = kernel_size, (length // kernel_size for length in input.shape[2:])
    tiles = [input[:, :, i : i + k * h : k, j : j + k * w : k] for i, j in product(range(k), repeat=2)]
    y = np.maximum(tiles[0], tiles[1])
    for tile in tiles[2:]:
        np.maximum(y, tile, out=y)
    return y, (input, y, k)


def max_pool2d_backward(g: Array, saved: Any) -> Gradients:
    """g, at the first place of each tile where its largest entry stands."""
    x, y, k = saved
    h, w = y.shape[2:]
    dx = np.empty_like(x) if x.shape[2:] == (k * h, k * w) else np.zeros_like(x)
    left, here = np.ones(y.shape, bool), np.empty(y.shape, bool)
    for i, j in product(range(k), repeat=2):
        place = np.s_[:, :, i : i + k * h : k, j : j + k * w : k]
        if i == j == k - 1:
            here = left
        else:
            np.equal(x[place], y, out=here)
            here &= left
            left ^= here
        np.multiply(g, here, out=dx[place])
    return {"input": dx}
