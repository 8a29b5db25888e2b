"""Pooling against torch.nn.functional: strides, paddings, windows that begin at the edge, ties."""

import numpy as np
import pytest

from derive import DeriveError, catalogue, to_numpy
from tests.parity.harness import Case, F, Row, compared_with_torch, problems, row, second_problems, torch
from tests.parity.samplers import normal, positive


def wider(rng, shape):
    """Images that hold every kernel of these cases."""
    return normal(rng, (*shape[:2], *(length + 4 for length in shape[2:])))


def wider_and_positive(rng, shape):
    return np.abs(wider(rng, shape)) + 0.1


def digits(rng, shape):
    """Whole numbers, many of them equal."""
    return np.round(wider(rng, shape))


def divisor(rng, shape):
    return rng.integers(1, 9, shape)


def averaged(pool):
    """avg_pool2d or avg_pool3d, its divisor a number."""

    def call(input, *, divisor_override=None, **options):
        return pool(input, divisor_override=divisor_override and int(divisor_override), **options)

    return call


def mean(input):
    return input.mean((2, 3))


def largest(input):
    """The largest entry, by the function that takes the first of several."""
    return F.adaptive_max_pool2d(input, 1)[:, :, 0, 0]


def taken(lengths, sizes):
    """Samplers of what pooling has left of an image, and of the places that it is from, each at most once."""
    count, places = np.prod(lengths), np.prod(list(sizes.values()))

    def indices(rng, _):
        return np.array([rng.permutation(places)[:count] for _ in range(6)]).reshape(2, 3, *lengths)

    return {"input": lambda rng, _: normal(rng, (2, 3, *lengths)), "indices": indices}


def unpooled(unpool):
    """max_unpool of squares of two, its size one tuple."""
    return lambda input, indices, **sizes: unpool(input, indices, 2, 2, output_size=tuple(sizes.values()))


def unpool(rank, lengths, **sizes):
    """A row of one setting: what shape its entries have, only the setting says."""
    chosen = {name: (value,) for name, value in sizes.items()}
    return row(f"max_unpool{rank}d", unpooled(getattr(F, f"max_unpool{rank}d")), **taken(lengths, sizes), **chosen)


MAXIMA = {"kernel_size": (2, 3), "stride": (None, 1, 2), "padding": (0, 1), "dilation": (1, 2)}
MEANS = {"kernel_size": (2, 3), "stride": (None, 1, 2), "padding": (0, 1)}
SIZES = {"output_size": (1, 2, 3, 5, 7)}
NORMS = {"norm_type": (2.0, 3.0, 1.5), "kernel_size": (1, 2, 3), "stride": (None, 1)}

ROWS = [
    row("max_pool1d", input=wider, **MAXIMA),
    row("max_pool2d", input=digits, **MAXIMA,
        note="pairs: `rectangular_max_pool2d`"),
    row("max_pool3d", input=wider, kernel_size=(3,), stride=(2,), padding=(0, 1), dilation=(1, 2),
        note="pairs: `rectangular_max_pool3d`"),
    *(unpool(1, (3,), height=height) for height in (5, 6, 7)),
    *(unpool(2, (3, 2), height=height, width=width) for height, width in ((5, 3), (6, 4), (7, 5), (6, 5))),
    *(unpool(3, (1, 3, 2), depth=depth, height=6, width=width) for depth, width in ((1, 3), (2, 4), (3, 5))),
    row("avg_pool1d", input=wider, **MEANS),
    row("avg_pool2d", averaged(F.avg_pool2d), input=wider, divisor_override=divisor, **MEANS,
        note="pairs: `rectangular_avg_pool2d`"),
    row("avg_pool3d", averaged(F.avg_pool3d), input=wider, divisor_override=divisor,
        kernel_size=(3,), stride=(None, 2), padding=(0, 1),
        note="pairs: `rectangular_avg_pool3d`"),
    row("lp_pool1d", input=wider_and_positive, **NORMS),
    row("lp_pool2d", input=wider_and_positive, **NORMS),
    row("lp_pool3d", input=wider_and_positive, norm_type=(2.0, 1.5), kernel_size=(2, 3), stride=(1, None)),
    row("adaptive_avg_pool1d", **SIZES, smooth=True),
    row("adaptive_avg_pool2d", **SIZES),
    row("adaptive_avg_pool3d", output_size=(2, 3)),
    row("adaptive_max_pool1d", **SIZES),
    row("adaptive_max_pool2d", **SIZES),
    row("adaptive_max_pool3d", output_size=(2, 3)),
    row("global_avg_pool2d", mean, smooth=True),
    row("global_max_pool2d", largest, input=digits),
]  # fmt: skip

test_values_and_gradients, test_second_derivatives = compared_with_torch(ROWS)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("stride", [1, 2])
def test_second_derivatives_of_a_norm(stride):
    cases = {"norm_type": (2.5,), "kernel_size": (3,), "stride": (stride,)}
    assert not list(second_problems(row("lp_pool1d", input=wider_and_positive, **cases)))


# Lengths at the edge of what is allowed; windows that ceil_mode adds, and those that it must not.
LARGE = {"kernel_size": 3, "stride": 3, "ceil_mode": True}
EDGES = [
    ("max_pool1d", (1, 1, 1), {"kernel_size": 1, "stride": 4}),
    ("max_pool1d", (1, 2, 3), {"kernel_size": 3, "stride": 1}),
    ("max_pool1d", (1, 1, 1), {"kernel_size": 2, "stride": 2, "padding": 1}),
    ("max_pool1d", (2, 1, 4), {**LARGE, "kernel_size": 1}),
    ("max_pool1d", (2, 1, 5), {**LARGE, "kernel_size": 2, "stride": 4, "padding": 1}),  # the last begins beyond
    ("max_pool1d", (2, 1, 5), {**LARGE, "kernel_size": 6}),  # the only window is wider than the image
    ("max_pool2d", (1, 1, 1, 6), {**LARGE, "kernel_size": 2, "padding": 1}),
    ("max_pool2d", (1, 2, 7, 4), {"kernel_size": 3, "stride": 2, "dilation": 2, "padding": 1, "ceil_mode": True}),
    ("max_pool3d", (1, 1, 2, 3, 4), {"kernel_size": 2, "stride": 2, "ceil_mode": True}),
    ("avg_pool1d", (1, 1, 1), {"kernel_size": 2, "stride": 1, "padding": 1}),
    ("avg_pool1d", (1, 1, 1), {"kernel_size": 2, "stride": 1, "padding": 1, "count_include_pad": False}),
    ("avg_pool1d", (2, 1, 4), {**LARGE, "padding": 1}),
    ("avg_pool1d", (2, 1, 5), {**LARGE, "kernel_size": 2, "stride": 4, "padding": 1, "count_include_pad": False}),
    ("avg_pool2d", (1, 1, 1, 6), {**LARGE, "kernel_size": 2, "padding": 1}),
    ("avg_pool2d", (1, 1, 1, 6), {**LARGE, "kernel_size": 2, "padding": 1, "count_include_pad": False}),
    ("avg_pool3d", (1, 1, 2, 3, 4), {"kernel_size": 2, "stride": 2, "ceil_mode": True}),
    ("lp_pool1d", (1, 1, 1), {"norm_type": 2.0, "kernel_size": 1, "stride": 3}),
    ("adaptive_avg_pool1d", (1, 1, 1), {"output_size": 4}),
    ("adaptive_max_pool2d", (1, 1, 1, 5), {"output_size": 3}),
]


@pytest.mark.needs("torch")
@pytest.mark.parametrize("name, shape, options", EDGES)
def test_lengths_at_the_edge(name, shape, options):
    made = Row(name)
    static = {key: options.get(key, value) for key, value in made.formula.static().items()}
    options = {key: value for key, value in options.items() if key not in static}
    assert not problems(made, Case(static, options, {"input": positive(np.random.default_rng(0), shape)}))


@pytest.mark.needs("torch")
@pytest.mark.parametrize("name, static", [("max_pool1d", {"ceil_mode": True}), ("avg_pool1d", {"ceil_mode": True})])
def test_every_image_kernel_and_stride(name, static):
    made, wrong, count = Row(name), [], 0
    for length in range(1, 8):
        for kernel in range(1, length + 1):
            for stride in range(1, 5):
                for padding in range(kernel // 2 + 1):
                    options = {"kernel_size": kernel, "stride": stride, "padding": padding}
                    image = normal(np.random.default_rng(count), (1, 1, length))
                    wrong += problems(made, Case({**made.formula.static(), **static}, options, {"input": image}))
                    count += 1
    assert count > 200 and not wrong, "\n".join(wrong)


@pytest.mark.needs("torch")
def test_the_first_of_equal_entries_gets_the_gradient():
    image = np.zeros((1, 1, 4, 4))
    y, saved = (module := to_numpy(catalogue["max_pool2d"])).forward(input=image, kernel_size=2, stride=2)
    assert (module.backward(np.ones_like(y), saved)["input"] == np.kron(np.ones((2, 2)), [[1, 0], [0, 0]])).all()
    x = torch.zeros((1, 1, 4, 4), dtype=torch.float64, requires_grad=True)
    F.max_pool2d(x, 2).sum().backward()
    assert (x.grad.numpy() == np.kron(np.ones((2, 2)), [[1, 0], [0, 0]])).all()


@pytest.mark.needs("torch")
def test_what_was_pooled_goes_back():
    image = normal(np.random.default_rng(0), (2, 3, 5, 6))
    most, places = F.max_pool2d(torch.tensor(image), 2, return_indices=True)
    options = {"height": 5, "width": 6}
    y, _ = to_numpy(catalogue["max_unpool2d"]).forward(input=most.numpy(), indices=places.numpy(), **options)
    assert (y == F.max_unpool2d(most, places, 2, output_size=(5, 6)).numpy()).all()
    assert ((y == 0) | (y == image)).all()


# What cannot be: one error, that names what it is.

WRONG = {
    "kernel larger than the image": ("max_pool1d", (2, 3, 5), {"kernel_size": 6, "stride": 1}, "h has length 0, .*Y=5"),
    "kernel larger than the padded image": (
        "avg_pool2d", (2, 3, 9, 3), {"kernel_size": 6, "stride": 1, "padding": 1}, "w has length 0, .*Z=3"),
    "kernel spread beyond the image": (
        "max_pool2d", (2, 3, 5, 5), {"kernel_size": 3, "stride": 1, "dilation": 3}, "h has length -1, .*dilation=3"),
    "stride 0": ("max_pool1d", (2, 3, 5), {"kernel_size": 2, "stride": 0}, "stride: .*at least 1, given 0"),
    "kernel 0": ("avg_pool1d", (2, 3, 5), {"kernel_size": 0, "stride": 1}, "kernel_size: .*at least 1, given 0"),
    "padding below 0": (
        "avg_pool1d", (2, 3, 5), {"kernel_size": 2, "stride": 1, "padding": -1}, "padding: .*at least 0, given -1"),
    "no place": ("adaptive_avg_pool1d", (2, 3, 5), {"output_size": 0}, "output_size: .*at least 1, given 0"),
    "more padding than half a kernel": (
        "max_pool1d", (2, 3, 5), {"kernel_size": 3, "padding": 2}, r"2\*padding <= .*padding=2"),
    "more padding than half a kernel of a mean": (
        "avg_pool3d", (2, 3, 5, 5, 5), {"kernel_size": 3, "padding": 2}, r"2\*padding <= kernel_size.*padding=2"),
}  # fmt: skip


@pytest.mark.parametrize("name, image, options, message", WRONG.values(), ids=WRONG)
def test_what_cannot_be(name, image, options, message):
    with pytest.raises(DeriveError, match=f"^{name}: .*{message}"):
        to_numpy(catalogue[name]).forward(input=np.ones(image), **options)


def test_an_index_beyond_the_image():
    entries, places = np.ones((1, 1, 2, 2)), np.array([[[[0, 1], [2, 12]]]])
    with pytest.raises(DeriveError, match=r"max_unpool2d: .*indices.* 12"):
        to_numpy(catalogue["max_unpool2d"]).forward(input=entries, indices=places, height=3, width=4)
