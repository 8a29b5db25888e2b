"""Convolutions against torch.nn.functional: strides, paddings, dilations, groups, images of one place."""

import numpy as np
import pytest

from derive import DeriveError, Size, T, axes, catalogue, hessian, sum_over, to_numpy
from derive.formula import build
from formulas import conv1d, conv2d, conv_transpose1d
from tests.parity.harness import Case, F, Row, compared_with_torch, differs, problems, row, torch


def wider(rng, shape):
    """Images wider than any kernel of these cases, spread or not."""
    return rng.normal(size=(*shape[:2], *(length + 5 for length in shape[2:])))


def longer(rng, shape):
    """Sequences, time first, longer than any kernel of these cases."""
    return rng.normal(size=(shape[0] + 5, *shape[1:]))


def depthwise(input, weight, bias=None, **options):
    return F.conv2d(input, weight[:, None], bias, groups=len(weight), **options)


def separable(input, kernels, pointwise, **options):
    return F.conv2d(depthwise(input, kernels, **options), pointwise[:, :, None, None])


def places(length, kernel_size, stride, padding, dilation):
    return (length + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1


def windows(input, **options):
    """unfold, its merged axes apart again."""
    n, c, *lengths = input.shape
    taps = options["kernel_size"]
    return F.unfold(input, **options).reshape(n, c, taps, taps, *(places(length, **options) for length in lengths))


def folded(input, height, width, **options):
    n, c, r, q, h, w = input.shape
    return F.fold(input.reshape(n, c * r * q, h * w), (height, width), **options)


def fold(height, width, **options):
    """A row of one setting: what shape its windows have, only the setting says."""
    taps, lengths = options["kernel_size"], [places(length, **options) for length in (height, width)]
    settings = {name: (value,) for name, value in {"height": height, "width": width, **options}.items()}
    return row("fold", folded, input=lambda rng, _: rng.normal(size=(2, 3, taps, taps, *lengths)), **settings)


WINDOWS = {"stride": (1, 3), "padding": (0, 2), "dilation": (1, 2)}
SPREAD = {"stride": (2, 3), "padding": (0, 1), "dilation": (1, 2), "output_padding": (0, 1)}
VOLUME = {"stride": (1, 2), "padding": (0, 1), "dilation": (2,)}

ROWS = [
    row("conv1d", input=wider, note="groups: `grouped_conv1d`", **WINDOWS),
    row("conv2d", input=wider, note="groups: `grouped_conv2d`; pairs: `rectangular_conv2d`", **WINDOWS),
    row("conv3d", input=wider, note="groups: `grouped_conv3d`; pairs: `rectangular_conv3d`", **VOLUME),
    row("conv_tbc", input=longer, pad=(0, 1, 2)),
    row("conv_transpose1d", input=wider, note="groups: `grouped_conv_transpose1d`", **SPREAD),
    row("conv_transpose2d", input=wider, **SPREAD,
        note="groups: `grouped_conv_transpose2d`; pairs: `rectangular_conv_transpose2d`"),
    row("conv_transpose3d", note="groups: `grouped_conv_transpose3d`; pairs: `rectangular_conv_transpose3d`",
        **{**SPREAD, "padding": (0,), "output_padding": (1,), "dilation": (1,)}),
    row("grouped_conv1d", F.conv1d, input=wider, **WINDOWS, groups=(1, 2, 3)),
    row("grouped_conv2d", F.conv2d, input=wider, **WINDOWS, groups=(2,)),
    row("grouped_conv3d", F.conv3d, input=wider, **VOLUME, groups=(2,)),
    row("grouped_conv_transpose1d", F.conv_transpose1d, input=wider, **SPREAD, groups=(1, 3)),
    row("grouped_conv_transpose3d", F.conv_transpose3d, **{**SPREAD, "padding": (0,), "output_padding": (1,),
        "dilation": (1,)}, groups=(2,)),
    row("grouped_conv_transpose2d", F.conv_transpose2d, input=wider, **SPREAD, groups=(2,)),
    row("depthwise_conv2d", depthwise, input=wider, **WINDOWS),
    row("separable_conv2d", separable, input=wider, **WINDOWS),
    row("unfold", windows, input=wider, kernel_size=(1, 3), **WINDOWS),
    fold(5, 4, kernel_size=2, stride=1, padding=0, dilation=1),
    fold(1, 6, kernel_size=1, stride=4, padding=0, dilation=1),
    fold(7, 6, kernel_size=3, stride=2, padding=1, dilation=2),
    fold(4, 3, kernel_size=2, stride=3, padding=1, dilation=1),
]  # fmt: skip

test_values_and_gradients, _ = compared_with_torch(ROWS)


def case_of(shapes, **options):
    rng = np.random.default_rng(0)
    return Case({}, options, {name: rng.normal(size=shape) for name, shape in shapes.items()})


# Lengths at the edge of what is allowed, and those that a stride does not divide.
EDGES = [
    ("conv1d", None, {"input": (1, 1, 1), "weight": (1, 1, 1)}, {"stride": 5}),
    ("conv1d", None, {"input": (2, 1, 1), "weight": (1, 1, 3)}, {"padding": 1}),
    ("conv1d", None, {"input": (2, 3, 4), "weight": (1, 3, 4)}, {"stride": 2}),
    ("conv1d", None, {"input": (2, 3, 10), "weight": (4, 3, 3)}, {"stride": 4, "padding": 3, "dilation": 3}),
    ("conv2d", None, {"input": (1, 2, 1, 7), "weight": (3, 2, 1, 4)}, {"stride": 2}),
    ("conv2d", None, {"input": (2, 1, 6, 5), "weight": (1, 1, 5, 2)}, {"stride": 3, "padding": 1}),
    ("conv2d", None, {"input": (2, 2, 3, 3), "weight": (2, 2, 3, 3)}, {"padding": 4}),  # some see nothing but zeros
    ("conv3d", None, {"input": (1, 1, 2, 1, 3), "weight": (2, 1, 1, 1, 2)}, {"stride": 2, "padding": 1}),
    ("conv_transpose1d", None, {"input": (1, 1, 1), "weight": (1, 1, 1)}, {"stride": 3}),
    ("conv_transpose1d", None, {"input": (2, 3, 4), "weight": (3, 2, 2)}, {"stride": 4, "output_padding": 3}),
    ("conv_transpose2d", None, {"input": (1, 2, 3, 1), "weight": (2, 1, 4, 3)}, {"stride": 2, "padding": 1}),
    ("conv_transpose2d", None, {"input": (2, 2, 4, 4), "weight": (2, 2, 3, 1)}, {"stride": 1, "dilation": 2}),
    ("grouped_conv2d", F.conv2d, {"input": (1, 4, 5, 5), "weight": (8, 1, 3, 3)}, {"groups": 4, "padding": 1}),
    ("grouped_conv1d", F.conv1d, {"input": (1, 3, 4), "weight": (3, 1, 1)}, {"groups": 3, "stride": 2}),
    ("depthwise_conv2d", depthwise, {"input": (1, 1, 2, 3), "weight": (1, 2, 3)}, {"stride": 2}),
]  # fmt: skip


@pytest.mark.needs("torch")
@pytest.mark.parametrize("name, function, shapes, options", EDGES)
def test_lengths_at_the_edge(name, function, shapes, options):
    assert not problems(Row(name, function), case_of(shapes, **options))


# Second derivatives, of ½ Σ y²: twice through every window.

n, c, o, y, z, r, q = axes("n c o y z r q")


def squared(convolution, input, weight):
    """½ Σ y² for y = convolution(input, weight), as a formula of the same sizes."""

    def loss(input, weight, *, stride=1, padding=0, dilation=1):
        u = convolution(input, weight, stride=stride, padding=padding, dilation=dilation)
        return sum_over(u.axes, u[u.axes] ** 2) / 2

    sizes = dict.fromkeys(("stride", "padding", "dilation"), Size)
    loss.__annotations__ = {"input": input, "weight": weight, **sizes, "return": T[()]}
    return build(loss, f"{convolution.name}_squared", {})


TWICE = [
    (squared(conv1d, T[n, c, y], T[o, c, r]), "conv1d", {"input": (2, 2, 6), "weight": (2, 2, 3)}),
    (squared(conv2d, T[n, c, y, z], T[o, c, r, q]), "conv2d", {"input": (1, 2, 4, 5), "weight": (2, 2, 2, 3)}),
    (squared(conv_transpose1d, T[n, c, y], T[c, o, r]), "conv_transpose1d", {"input": (2, 2, 3), "weight": (2, 1, 3)}),
]


@pytest.mark.needs("torch")
@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"padding": 1, "dilation": 2}], ids=str)
@pytest.mark.parametrize("loss, name, shapes", TWICE, ids=[name for _, name, _ in TWICE])
def test_second_derivatives(loss, name, shapes, options):
    case = case_of(shapes, **options)
    tensors = {name: torch.tensor(array) for name, array in case.arrays.items()}
    for wrt in shapes:

        def total(x, wrt=wrt):
            return (getattr(F, name)(**{**tensors, wrt: x}, **options) ** 2).sum() / 2

        expected = torch.autograd.functional.hessian(total, tensors[wrt]).numpy()
        got = hessian(loss, wrt)(**case.arrays, **options)
        assert not differs(got, expected, f"{name} {options} {wrt}", 1e-9)


# What cannot be: one error, that names what it is.

WRONG = {
    "kernel larger than the image": ("conv1d", (2, 3, 2), (4, 3, 3), {}, "h has length 0, .*R=3, Y=2"),
    "kernel spread beyond the image": ("conv1d", (2, 3, 5), (4, 3, 3), {"dilation": 3}, "h has length -1, .*=3"),
    "one direction only": ("conv2d", (2, 3, 5, 2), (4, 3, 3, 3), {}, "w has length 0, .*Q=3, Z=2"),
    "stride 0": ("conv1d", (2, 3, 5), (4, 3, 3), {"stride": 0}, "stride: .*at least 1, given 0"),
    "dilation 0": ("conv1d", (2, 3, 5), (4, 3, 3), {"dilation": 0}, "dilation: .*at least 1, given 0"),
    "padding below 0": ("conv2d", (2, 3, 5, 5), (4, 3, 3, 3), {"padding": -1}, "padding: .*at least 0, given -1"),
    "half a stride": ("conv1d", (2, 3, 5), (4, 3, 3), {"stride": 1.5}, "stride: .*whole number.*, given 1.5"),
    "other channels": ("conv1d", (2, 3, 5), (4, 2, 3), {}, "weight: expected shape .*C=3.*, given .4, 2, 3."),
    "output channels in transposed groups": (
        "grouped_conv_transpose1d",
        (2, 5, 3),
        (5, 2, 3),
        {"groups": 2},
        "5 is not divisible by 2",
    ),
    "groups of volumes": ("grouped_conv3d", (1, 4, 3, 3, 3), (3, 2, 2, 2, 2), {"groups": 2}, "3 is not divisible by 2"),
    "no place left": ("conv_transpose1d", (2, 3, 1), (3, 2, 2), {"padding": 1}, "h has length 0, .*padding=1"),
    "output channels in groups": ("grouped_conv1d", (2, 6, 5), (5, 3, 3), {"groups": 2}, "5 is not divisible by 2"),
    "input channels in groups": ("grouped_conv2d", (2, 5, 5, 5), (4, 3, 3, 3), {"groups": 2}, ".* 6, given 5"),
    "groups of others": ("grouped_conv2d", (2, 6, 5, 5), (4, 2, 3, 3), {"groups": 2}, ".* 4, given 6"),
    "no group": ("grouped_conv1d", (2, 6, 5), (4, 3, 3), {"groups": 0}, "groups: .*at least 1, given 0"),
}


@pytest.mark.parametrize("name, image, kernel, options, message", WRONG.values(), ids=WRONG)
def test_what_cannot_be(name, image, kernel, options, message):
    with pytest.raises(DeriveError, match=f"^{name}: .*{message}"):
        to_numpy(catalogue[name]).forward(input=np.ones(image), weight=np.ones(kernel), **options)
