"""Closed forms of windows: what a textbook prints for convolution, pooling and moved entries, written by hand.

Each row states a formula, what of it is fixed, a variable and its gradient; both are compared in canonical form, up to
bound letters. Transposed convolution is held against convolution's own adjoint.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from sympy import Integer

from derive import (
    Size,
    T,
    argmax_over,
    axes,
    axis,
    catalogue,
    equivalent,
    gradient,
    one_hot,
    oo,
    padded,
    sum_over,
    to_numpy,
    where,
)
from derive.axes import Axis, Tensor, mapped
from derive.formula import build
from formulas import convolution as conv
from formulas import pooling as pool
from formulas import shapes

n, c, o, x, y, z, t, r, q, d, h, w = (getattr(conv, name) for name in "ncoxyztrqdhw")
s, p, dil = conv.stride, conv.padding, conv.dilation
C, O, K, M = conv.C, conv.O, conv.k, conv.m  # grouped channels: in, out, in of a group, out of a group
i, j, k = s * h + dil * r - p, s * w + dil * q - p, s * d + dil * t - p
ONE = {"stride": 1, "dilation": 1}


@dataclass(frozen=True)
class Row:
    """`expected(g, **inputs)` for a gradient; `fixed` are static choices and sizes."""

    name: str
    wrt: str
    expected: Callable[..., Any]
    fixed: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name} {self.wrt} {self.fixed or ''}"


def at(expression, sizes):
    """The expression with numbers for sizes, in its indices and in the lengths of its letters."""
    values = {size: Integer(sizes[size.name]) for size in _sizes(expression) if size.name in sizes}

    def letter(a):
        return Axis(a.name, a.size.xreplace(values))

    def change(node):
        if isinstance(node, Axis):
            return letter(node)
        if isinstance(node, Tensor):
            return node.with_(axes=tuple(map(letter, node.axes)))
        return values.get(node)

    return mapped(expression, change)


def _sizes(expression):
    letters = {
        a for part in expression.atoms(Axis, Tensor) for a in (part.axes if isinstance(part, Tensor) else [part])
    }
    return expression.atoms(Size) | {size for letter in letters for size in letter.size.atoms(Size)}


def both(row):
    """The derived gradient, and the one written by hand."""
    static = {name: value for name, value in row.fixed.items() if isinstance(value, bool)}
    sizes = {name: value for name, value in row.fixed.items() if name not in static}
    formula = catalogue[row.name]
    found = gradient(formula.fixed(**sizes) if sizes else formula, row.wrt, **static)
    traced = formula.trace(**static)
    upstream = [Tensor(u.name, output.axes, role="upstream", of=output.name)
                for u, output in zip(found.derived.upstreams, traced.outputs, strict=True)]  # fmt: skip
    return found.result, at(row.expected(*upstream, **{a.name: a for a in traced.inputs}), sizes)


# Convolution.

CONVOLUTIONS = [
    Row("conv1d", "weight", lambda g, input, **_: sum_over((n, h), g[n, o, h] * padded(input)[n, c, i])),
    Row("conv1d", "input", lambda g, weight, **_: sum_over((o, h, r), one_hot(i, y) * g[n, o, h] * weight[o, c, r])),
    Row("conv1d", "bias", lambda g, **_: sum_over((n, h), g[n, o, h]), {"bias": True}),
    # At stride 1 the input's is a correlation of the padded g with the flipped kernel.
    Row("conv1d", "input", lambda g, weight, **_: sum_over((o, r), padded(g)[n, o, y + p - r] * weight[o, c, r]), ONE),
    Row("conv1d", "input", lambda g, weight, **_: sum_over((o, r), padded(g)[n, o, y + p - dil * r] * weight[o, c, r]),
        {"stride": 1}),
    Row("conv2d", "weight", lambda g, input, **_: sum_over((n, h, w), g[n, o, h, w] * padded(input)[n, c, i, j])),
    Row("conv2d", "weight",
        lambda g, input, **_: sum_over((n, h, w), g[n, o, h, w] * padded(input)[n, c, h + r, w + q]),
        {**ONE, "padding": 0}),
    Row("conv2d", "input", lambda g, weight, **_: sum_over(
        (o, h, w, r, q), one_hot(i, y) * one_hot(j, z) * g[n, o, h, w] * weight[o, c, r, q])),
    Row("conv2d", "input", lambda g, weight, **_: sum_over(
        (o, r, q), padded(g)[n, o, y + p - r, z + p - q] * weight[o, c, r, q]), ONE),
    Row("conv3d", "weight",
        lambda g, input, **_: sum_over((n, d, h, w), g[n, o, d, h, w] * padded(input)[n, c, k, i, j])),
    Row("conv_transpose1d", "input", lambda g, weight, **_: sum_over(
        (o, r), padded(g)[n, o, s * y + dil * r - p] * weight[c, o, r])),
    Row("conv_transpose2d", "input", lambda g, weight, **_: sum_over(
        (o, r, q), padded(g)[n, o, s * y + dil * r - p, s * z + dil * q - p] * weight[c, o, r, q])),
    Row("conv_transpose2d", "weight", lambda g, input, **_: sum_over(
        (n, y, z), padded(g)[n, o, s * y + dil * r - p, s * z + dil * q - p] * input[n, c, y, z])),
    Row("conv_transpose1d", "bias", lambda g, **_: sum_over((n, conv.H), g[n, o, conv.H]), {"bias": True}),
    Row("grouped_conv1d", "weight", lambda g, input, **_: sum_over(
        (n, h), g[n, O, h] * padded(input)[n, K.size * (O // M.size) + K, i])),
    Row("grouped_conv1d", "input", lambda g, weight, **_: sum_over(
        (O, K, h, r), one_hot(K.size * (O // M.size) + K, C) * one_hot(i, y) * g[n, O, h] * weight[O, K, r])),
    Row("depthwise_conv2d", "weight", lambda g, input, **_: sum_over(
        (n, h, w), g[n, c, h, w] * padded(input)[n, c, i, j])),
    Row("depthwise_conv2d", "input", lambda g, weight, **_: sum_over(
        (r, q), padded(g)[n, c, y + p - r, z + p - q] * weight[c, r, q]), ONE),
    Row("separable_conv2d", "pointwise", lambda g, input, depthwise, **_: sum_over(
        (n, h, w, r, q), g[n, o, h, w] * padded(input)[n, c, i, j] * depthwise[c, r, q])),
    Row("separable_conv2d", "depthwise", lambda g, input, pointwise, **_: sum_over(
        (n, o, h, w), g[n, o, h, w] * pointwise[o, c] * padded(input)[n, c, i, j])),
    Row("unfold", "input", lambda g, input: sum_over(
        (a := g.axes)[2:], one_hot(s * a[4] + dil * a[2] - p, y) * one_hot(s * a[5] + dil * a[3] - p, z) * g[a])),
    Row("fold", "input", lambda g, input: padded(g)[
        n, c, s * input.axes[4] + dil * input.axes[2] - p, s * input.axes[5] + dil * input.axes[3] - p]),
]  # fmt: skip


# Pooling: g where the maximum is; g shared out.

PLAIN, CEIL = {"ceil_mode": False}, {"ceil_mode": True}
WHOLE, PART = {"count_include_pad": True}, {"count_include_pad": False}
R, Q = pool.r, pool.q  # places in a window of one kernel size
U, V, u, v = pool.h[False], pool.w[False], pool.H[False], pool.W[False]
S = pool.stride


def first(input, place=U):
    return argmax_over(R, padded(input, -oo)[n, c, S * place + dil * R - p])


def first_of_square(input):
    return argmax_over((R, Q), padded(input, -oo)[n, c, S * U + dil * R - p, S * V + dil * Q - p])


def belongs(place, image):
    """Where ⌊h Y/H⌋ ≤ y < ⌈(h + 1) Y/H⌉."""
    return (place.size * (image + 1) > image.size * place) & (place.size * image < image.size * (place + 1))


A, y2, z2 = pool.a, y.alias("y2"), z.alias("z2")
POOLS = [
    Row("max_pool1d", "input",
        lambda g, input: sum_over(U, g[n, c, U] * one_hot(S * U + dil * first(input) - p, y)), PLAIN),
    Row("max_pool1d", "input", lambda g, input: sum_over(
        pool.h[True], g[n, c, pool.h[True]] * one_hot(S * pool.h[True] + dil * first(input, pool.h[True]) - p, y)),
        CEIL),
    Row("max_pool2d", "input", lambda g, input: sum_over(
        (U, V), g[n, c, U, V] * one_hot(S * U + dil * first_of_square(input)[0] - p, y)
        * one_hot(S * V + dil * first_of_square(input)[1] - p, z)), PLAIN),
    Row("avg_pool1d", "input", lambda g, input: sum_over(
        (u, R), one_hot(S * u + R - p, y) * g[n, c, u]) / pool.kernel_size, {**PLAIN, **WHOLE}),
    Row("avg_pool1d", "input", lambda g, input: sum_over(R, padded(g)[n, c, y + p - R]) / pool.kernel_size,
        {**PLAIN, **WHOLE, "stride": 1}),
    Row("avg_pool2d", "input", lambda g, input: sum_over(
        (u, v, R, Q), one_hot(S * u + R - p, y) * one_hot(S * v + Q - p, z) * g[n, c, u, v]) / pool.kernel_size**2,
        {**PLAIN, **WHOLE}),
    Row("avg_pool1d", "input", lambda g, input: sum_over(
        (u, R), one_hot(S * u + R - p, y) * g[n, c, u]
        / sum_over(Q, where((S * u + Q - p >= 0) & (S * u + Q - p < y.size), 1, 0))), {**PLAIN, **PART}),
    Row("adaptive_avg_pool1d", "input", lambda g, input: sum_over(
        A, where(belongs(A, y), g[n, c, A], 0) / sum_over(y2, where(belongs(A, y2), 1, 0)))),
    Row("adaptive_max_pool1d", "input", lambda g, input: sum_over(
        A, g[n, c, A] * one_hot(argmax_over(y2, where(belongs(A, y2), input[n, c, y2], -oo)), y))),
    Row("global_avg_pool2d", "input", lambda g, input: g[n, c] / (y.size * z.size)),
    Row("global_max_pool2d", "input", lambda g, input: g[n, c]
        * one_hot(argmax_over((y2, z2), input[n, c, y2, z2])[0], y)
        * one_hot(argmax_over((y2, z2), input[n, c, y2, z2])[1], z)),
]  # fmt: skip

# Shapes: entries go back to where they came from.

b, e, f, last = shapes.b, shapes.i, shapes.j, shapes.k
back, fro, count = y.alias("t"), axis("m", shapes.repeats), shapes.f
hn, hk = shapes.n, shapes.k
SHAPES = [
    Row("pad", "input", lambda g, input: g[b, y + shapes.left]),
    Row("crop", "input", lambda g, input: padded(g)[b, y - shapes.left]),
    Row("narrow", "input", lambda g, input: padded(g)[b, count - shapes.start]),
    Row("flip", "input", lambda g, input: g[b, y.size - 1 - y]),
    Row("transpose", "input", lambda g, input: g[f, e]),
    Row("channels_last", "input", lambda g, input: g[n, y, z, c]),
    Row("cat", "input", lambda g, input, other: g[b, e]),
    Row("cat", "other", lambda g, input, other: g[b, e.size + f]),
    Row("stack", "other", lambda g, input, other: g[1, b, e]),
    Row("repeat", "input", lambda g, input: sum_over(fro, g[b, y.size * fro + y])),
    Row("repeat_interleave", "input", lambda g, input: sum_over(fro, g[b, shapes.repeats * y + fro])),
    Row("flatten", "input", lambda g, input: g[b, f.size * e + f]),
    Row("unflatten", "input", lambda g, input: g[b, shapes.merged // f.size, shapes.merged % f.size]),
    Row("channel_shuffle", "input", lambda g, input: g[
        n, shapes.groups * (shapes.mixed % last.size) + shapes.mixed // last.size, y, z]),
    Row("interpolate_nearest", "input", lambda g, input: sum_over(
        (g.axes[2], g.axes[3]), one_hot(y.size * g.axes[2] // g.axes[2].size, y)
        * one_hot(z.size * g.axes[3] // g.axes[2].size, z) * g[g.axes])),
    Row("cumsum", "input", lambda g, input: sum_over(back, where(y <= back, g[b, back], 0))),
    Row("tril", "input", lambda g, input: where(f <= e, g[e, f], 0)),
    Row("triu", "input", lambda g, input: where(e <= f, g[e, f], 0)),
    Row("diag", "input", lambda g, input: g[e, e]),
    Row("diagonal", "input", lambda g, input: one_hot(e, shapes.i2) * g[e]),
    Row("outer", "other", lambda g, input, other: sum_over(e, g[e, f] * input[e])),
    Row("kron", "input", lambda g, input, other: sum_over(
        (hn, hk), g[e * hn.size + hn, f * hk.size + hk] * other[hn, hk])),
    Row("kron", "other", lambda g, input, other: sum_over(
        (e, f), g[e * hn.size + hn, f * hk.size + hk] * input[e, f])),
]  # fmt: skip


@pytest.mark.parametrize("row", [*CONVOLUTIONS, *POOLS, *SHAPES], ids=str)
def test_closed_form(row):
    found, expected = both(row)
    assert equivalent(found, expected), f"{found} instead of {expected}"


# Transposed convolution is convolution's adjoint: same lengths, same canonical form.


def spread(name, image, kernel):
    """The length of an image of which a convolution makes `image` places; `output_padding` rows are seen by none."""
    rest = Size("output_padding", min=0, default=0)
    return axis(name, (image.size - 1) * s - 2 * p + dil * (kernel.size - 1) + rest + 1)


def convolution(rank):
    """Convolution over images of these lengths."""
    places, kernel = axes("d h w")[-rank:], axes("t r q")[-rank:]
    image = [spread(*along) for along in zip("xyz"[-rank:], places, kernel, strict=True)]

    def made(image, weight):
        window = [s * a + dil * b - p for a, b in zip(places, kernel, strict=True)]
        return sum_over((c, *kernel), padded(image)[n, c, *window] * weight[o, c, *kernel])

    made.__annotations__ = {"image": T[n, c, *image], "weight": T[o, c, *kernel], "return": T[n, o, *places]}
    return build(made, "convolution", {})


def transposed(over):
    """Transposed convolution of what a convolution makes."""
    image, weight, places = (tensor.axes for tensor in (*over.trace().inputs, *over.trace().outputs))
    formula = catalogue[f"conv_transpose{len(places) - 2}d"]

    def made(g, weight, *, stride, padding, output_padding, dilation):
        options = {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation}
        return formula(g, weight, **options)[image]

    sizes = dict.fromkeys(("stride", "padding", "output_padding", "dilation"), Size)
    made.__annotations__ = {"g": T[places], "weight": T[weight], **sizes, "return": T[image]}
    made.__kwdefaults__ = {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1}
    return build(made, "transposed", {})


def an_input(expression):
    """The upstream gradient as an input of that name."""
    return mapped(
        expression, lambda node: node.with_(role="input", of="") if getattr(node, "role", "") == "upstream" else None
    )


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_transposed_convolution_is_the_adjoint_of_convolution(rank):
    forward = convolution(rank)
    adjoint, definition = gradient(forward, "image"), transposed(forward).trace().outputs[0]
    assert adjoint.axes == definition.axes
    assert equivalent(an_input(adjoint.result), definition.body)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_convolution_is_the_adjoint_of_transposed_convolution(rank):
    forward = convolution(rank)
    adjoint, definition = gradient(transposed(forward), "g"), forward.trace().outputs[0]
    upstream, image = adjoint.derived.upstreams[0], forward.trace().inputs[0]
    assert adjoint.axes == definition.axes
    found = mapped(adjoint.result, lambda node: image if node == upstream else None)
    assert equivalent(found, definition.body)


@pytest.mark.parametrize("length", [5, 6, 7, 8])
@pytest.mark.parametrize("options", [{}, {"stride": 3, "padding": 2}, {"stride": 2, "dilation": 2}], ids=str)
def test_the_gradient_of_conv1d_is_a_transposed_convolution(length, options):
    rng = np.random.default_rng(0)
    image, weight = rng.normal(size=(2, 3, length)), rng.normal(size=(4, 3, 3))
    made, saved = (module := to_numpy(conv.conv1d)).forward(input=image, weight=weight, **options)
    g = rng.normal(size=made.shape)
    room = length + 2 * options.get("padding", 0) - 2 * options.get("dilation", 1) - 1
    unseen = room % options.get("stride", 1)  # places at the end that no window reaches
    back, _ = to_numpy(conv.conv_transpose1d).forward(input=g, weight=weight, **options, output_padding=unseen)
    np.testing.assert_allclose(module.backward(g, saved)["input"], back, rtol=1e-12, atol=1e-12)


# Forms that differ by an index, a range or a length are told apart.

WRONG = [
    Row("conv1d", "weight", lambda g, input, **_: sum_over((n, h), g[n, o, h] * padded(input)[n, c, i + 1])),
    Row("conv1d", "weight", lambda g, input, **_: sum_over((n, h), g[n, o, h] * padded(input)[n, c, i + p])),
    Row("conv1d", "input", lambda g, weight, **_: sum_over((o, r), padded(g)[n, o, y + p + r] * weight[o, c, r]), ONE),
    Row("conv1d", "input", lambda g, weight, **_: sum_over((o, r), padded(g)[n, o, y + p - r] * weight[o, c, r]),
        {"stride": 2, "dilation": 1}),
    Row("max_pool1d", "input",
        lambda g, input: sum_over(U, g[n, c, U] * one_hot(S * U + first(input) - p, y)), PLAIN),
    Row("unflatten", "input", lambda g, input: g[b, shapes.merged % e.size, shapes.merged // e.size]),
    Row("cumsum", "input", lambda g, input: sum_over(back, where(y < back, g[b, back], 0))),
]  # fmt: skip


@pytest.mark.parametrize("row", WRONG, ids=str)
def test_another_form_is_another(row):
    assert not equivalent(*both(row))
