"""The comparison finds what differs: a value, a gradient, a gradient that is missing, a second derivative."""

import numpy as np
import pytest

from tests.parity.harness import ANY_SHAPE, F, cases, measured, problems, row, second_problems, torch


def silu_of_another_curvature(x):
    """silu with its own value and slope at x, and no curvature."""
    at = x.detach().requires_grad_()
    y = F.silu(at)
    (slope,) = torch.autograd.grad(y.sum(), at)
    return y.detach() + (x - at.detach()) * slope


WRONG = {
    "value": row("relu", lambda x: F.leaky_relu(x)),
    "gradient": row("relu", lambda x: F.relu(x).detach() + 0 * x),
    "gradients of": row("mse_loss", constants=("target",)),
    "shape": row("softmax", lambda z: F.softmax(z, dim=1)[None]),
}


@pytest.mark.needs("torch")
@pytest.mark.parametrize("words, wrong", WRONG.items(), ids=WRONG)
def test_a_difference_is_found(words, wrong):
    assert words in " ".join(problem for case in cases(wrong) for problem in problems(wrong, case))


@pytest.mark.needs("torch")
def test_a_different_second_derivative_is_found():
    wrong = row("silu", silu_of_another_curvature)
    assert not [problem for case in cases(wrong) for problem in problems(wrong, case)]
    assert "second derivative" in " ".join(second_problems(wrong))


@pytest.mark.needs("torch")
def test_every_variant_parameter_and_shape_is_visited():
    loss = list(cases(row("huber_loss", delta=(1.0, 0.3))))
    assert {(case.static["reduction"], case.options["delta"]) for case in loss} == {
        (reduction, delta) for reduction in ("mean", "sum", "none") for delta in (1.0, 0.3)
    }
    assert any(1 in case.arrays["input"].shape for case in loss)
    assert {case.arrays["x"].shape for case in cases(row("relu"))} == set(ANY_SHAPE)


def test_a_case_is_the_same_every_time():
    first, again = ([case.arrays["z"] for case in cases(row("softmax"))] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_row_without_kinks_measures_none():
    assert not list(measured(row("relu")))
