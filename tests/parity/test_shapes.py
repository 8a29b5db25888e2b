"""Shapes against torch and torch.nn.functional: edges, order, tiles."""

import numpy as np
import pytest

from derive import DeriveError, catalogue, to_numpy
from tests.parity.harness import F, compared_with_torch, row, torch
from tests.parity.samplers import normal


def along(axis, more):
    """Longer by so many along an axis."""
    return lambda rng, shape: normal(rng, [length + more * (place == axis) for place, length in enumerate(shape)])


def padded(input, left, right, mode, value):
    given = {"value": value} if mode == "constant" else {}
    return F.pad(input[None], (left, right), mode, **given)[0]


def padded2d(input, left, right, top, bottom, mode, value):
    given = {"value": value} if mode == "constant" else {}
    return F.pad(input, (left, right, top, bottom), mode, **given)


def crop(input, left, right):
    return F.pad(input, (-left, -right))


PIXELS = {"upscale_factor": (1, 2, 3)}

ROWS = [
    row("pad", padded, input=along(1, 3), left=(0, 2), right=(0, 3), value=(0.0, 1.5),
        note="images: `pad2d`"),
    row("pad2d", padded2d, input=lambda rng, shape: along(3, 3)(rng, along(2, 2)(rng, shape).shape),
        left=(0, 3), right=(2,), top=(0, 2), bottom=(1,), value=(1.5,)),
    row("crop", crop, input=along(1, 4), left=(0, 1, 2), right=(0, 1, 2)),
    row("narrow", lambda input, start, length: torch.narrow(input, 1, start, length), input=along(1, 4),
        start=(0, 2), length=(1, 2)),
    row("flip", lambda input: torch.flip(input, (1,))),
    row("roll", lambda input, shifts: torch.roll(input, shifts, 1), shifts=(1, 2, 7)),
    row("transpose", lambda input: input.T),
    row("channels_last", lambda input: input.permute(0, 2, 3, 1)),
    row("cat", lambda input, other: torch.cat((input, other), 1)),
    row("stack", lambda input, other: torch.stack((input, other))),
    row("repeat", lambda input, repeats: torch.tile(input, (1, repeats)), repeats=(1, 2, 3)),
    row("repeat_interleave", lambda input, repeats: torch.repeat_interleave(input, repeats, 1), repeats=(1, 2, 3)),
    row("flatten", lambda input: torch.flatten(input, 1)),
    row("unflatten", lambda input, I: torch.unflatten(input, 1, (I, -1)), I=(1, 2, 3)),
    row("pixel_shuffle", **PIXELS),
    row("pixel_unshuffle", lambda input, upscale_factor: F.pixel_unshuffle(input, upscale_factor), **PIXELS),
    row("channel_shuffle", torch.channel_shuffle, groups=(1, 2, 3)),
    row("cumsum", lambda input: torch.cumsum(input, 1)),
    row("cumprod", lambda input: torch.cumprod(input, 1), smooth=True),
    row("tril", torch.tril),
    row("triu", torch.triu),
    row("diag", torch.diag),
    row("diagonal", torch.diagonal),
    row("outer", torch.outer, smooth=True),
    row("kron", torch.kron, smooth=True),
]  # fmt: skip

test_values_and_gradients, test_second_derivatives = compared_with_torch(ROWS)


def test_all_of_a_row_is_a_part_of_it():
    x = np.arange(6.0).reshape(1, 6)
    y, saved = (module := to_numpy(catalogue["narrow"])).forward(input=x, start=0, length=6)
    assert (y == x).all() and (module.backward(x, saved)["input"] == x).all()


def test_two_outputs_are_the_two_parts():
    module = to_numpy(catalogue["split"])
    x = np.arange(12.0).reshape(2, 6)
    (first, second), saved = module.forward(input=x, length=2)
    assert (first == x[:, :2]).all() and (second == x[:, 2:]).all()
    upstream = np.ones((2, 2)), np.full((2, 4), 3.0)
    assert (module.backward(upstream, saved)["input"] == np.hstack(upstream)).all()


# What cannot be: one error, that names what it is.

WRONG = {
    "nothing left": ("crop", (2, 3), {"left": 2, "right": 1}, "j has length 0, .*Y=3"),
    "beyond the end": ("narrow", (2, 3), {"start": 2, "length": 2}, "rest"),
    "mirrored beyond the end": ("pad", (2, 3), {"mode": "reflect", "left": 3}, "left <= Y - 1.*Y=3, left=3"),
    "an image mirrored beyond its top": (
        "pad2d", (1, 2, 3, 4), {"mode": "reflect", "right": 3, "top": 3}, "top <= Y - 1.*Y=3, top=3"),
    "wrapped twice": ("pad", (2, 3), {"mode": "circular", "right": 4}, "right <= Y.*Y=3, right=4"),
    "padding below 0": ("pad", (2, 3), {"left": -1}, "left: .*at least 0, given -1"),
    "a row in three": ("unflatten", (2, 5), {"I": 3}, "5 is not divisible by 3"),
    "channels in squares": ("pixel_shuffle", (2, 6, 3, 3), {"upscale_factor": 2}, "6 is not divisible by 4"),
    "rows in pairs": ("pixel_unshuffle", (2, 6, 3, 4), {"upscale_factor": 2}, "3 is not divisible by 2"),
    "channels in groups": ("channel_shuffle", (2, 6, 3, 3), {"groups": 4}, "6 is not divisible by 4"),
    "nothing for the second": ("split", (2, 6), {"length": 7}, "rest"),
}  # fmt: skip


@pytest.mark.parametrize("name, shape, options, message", WRONG.values(), ids=WRONG)
def test_what_cannot_be(name, shape, options, message):
    static = {key: options[key] for key in catalogue[name].static() if key in options}
    options = {key: value for key, value in options.items() if key not in static}
    with pytest.raises(DeriveError, match=f"^{name}: .*{message}"):
        to_numpy(catalogue[name], **static).forward(input=np.ones(shape), **options)
