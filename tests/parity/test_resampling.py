"""Resampling against torch.nn.functional: sizes, corners, grids."""

import numpy as np
import pytest

from derive import DeriveError, catalogue, to_numpy
from tests.parity.harness import Case, F, compared_with_torch, problems, row
from tests.parity.samplers import normal


def upsampled(mode):
    """interpolate to a square of `size`, in so many directions as the input has."""
    return lambda input, size, **given: F.interpolate(input, (size,) * (input.ndim - 2), mode=mode, **given)


def grid(theta, height, width, align_corners):
    return F.affine_grid(theta, (len(theta), 1, height, width), align_corners=align_corners)


MODES = (
    "other modes: `interpolate_nearest`, `_nearest_exact`, `_linear`, `_trilinear`, `_bicubic`; by area: "
    "`adaptive_avg_pool2d`"
)
LENGTHS = {"size": (1, 2, 3, 5, 8)}

ROWS = [
    row("interpolate_nearest", upsampled("nearest"), **LENGTHS),
    row("interpolate_nearest_exact", upsampled("nearest-exact"), **LENGTHS),
    row("interpolate_linear", upsampled("linear"), **LENGTHS),
    row("interpolate_bilinear", upsampled("bilinear"), note=MODES, **LENGTHS),
    row("interpolate_trilinear", upsampled("trilinear"), **LENGTHS),
    row("interpolate_bicubic", upsampled("bicubic"), **LENGTHS),
    row("affine_grid", grid, height=(1, 2, 4), width=(1, 3)),
    row("grid_sample"),
]

test_values_and_gradients, _ = compared_with_torch(ROWS)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("lengths", [(1, 1), (3, 7), (7, 3), (4, 4), (5, 12)], ids=str)
@pytest.mark.parametrize("mode", ["nearest", "nearest_exact", "bilinear", "bicubic"])
def test_any_size_from_any_size(mode, lengths):
    made = next(r for r in ROWS if r.name == f"interpolate_{mode}")
    image = normal(np.random.default_rng(0), (2, 1, *lengths))
    wrong = []
    for static in made.formula.variants():
        for size in range(1, 14):
            wrong += problems(made, Case(static, {"size": size}, {"input": image}))
    assert not wrong, "\n".join(wrong)


# What cannot be: one error, that names what it is.

WRONG = {
    "no size": ("interpolate_nearest", (1, 1, 2, 2), {"size": 0}, "size: .*at least 1, given 0"),
}


@pytest.mark.parametrize("name, shape, options, message", WRONG.values(), ids=WRONG)
def test_what_cannot_be(name, shape, options, message):
    with pytest.raises(DeriveError, match=f"^{name}: .*{message}"):
        to_numpy(catalogue[name]).forward(input=np.ones(shape), **options)
