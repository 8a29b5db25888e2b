"""Schedules that PyTorch lacks, where parts join, and what is asked wrongly; the others are in tests/parity."""

import numpy as np
import pytest

from derive import DeriveError, NameProblem, catalogue, verify
from derive.train.schedules import NAMES, Plateau, Scaled, Sequential, schedule


def test_warm_up():
    np.testing.assert_allclose(schedule("warm_up", lr=1.0, warmup=4).over(6), [0.25, 0.5, 0.75, 1, 1, 1])


def test_inverse_square_root():
    """Vaswani et al. (2017), eq. 3: d^−½ min(s^−½, s w^−3/2), with the step s = t + 1."""
    d, w = 64, 10
    s = np.arange(1, 101)
    expected = d**-0.5 * np.minimum(s**-0.5, s * w**-1.5)
    np.testing.assert_allclose(schedule("inverse_sqrt", lr=(d * w) ** -0.5, warmup=w).over(100), expected)


def test_warm_up_and_cosine_join():
    rates = schedule("warm_up_cosine", lr=1.0, warmup=10, steps=100, eta_min=0.1).over(120)
    assert rates[9] == 1 == rates[10]
    assert rates[55] == pytest.approx(0.55)
    np.testing.assert_allclose(rates[100:], 0.1)
    assert np.all(np.diff(rates[10:]) <= 0)


def test_range_test_grows_by_equal_factors():
    rates = schedule("range_test", lr=1.0, least=1e-4, steps=40).over(41)
    assert rates[0] == pytest.approx(1e-4) and rates[-1] == pytest.approx(1)
    np.testing.assert_allclose(rates[1:] / rates[:-1], 10**0.1)


def test_growing_restarts_begin_on_whole_steps():
    rates = schedule("cosine_growing_restarts", lr=1.0, T_0=10, T_mult=2).over(2000)
    np.testing.assert_array_equal(np.flatnonzero(rates == 1), [0, 10, 30, 70, 150, 310, 630, 1270])


def test_one_cycle_needs_no_six_steps():
    """Four steps, up for 1.2 − 1 of a step: worked by hand as torch.optim.lr_scheduler.OneCycleLR does."""
    low, high, end = 0.04, 1.0, 0.2
    cosine = [4e-6 + (high - 4e-6) / 2 * (1 + np.cos(np.pi * (t - end) / (3 - end))) for t in (1, 2, 3)]
    np.testing.assert_allclose(schedule("one_cycle", lr=1.0, total_steps=4).over(4), [low, *cosine], rtol=1e-12)
    with pytest.raises(DeriveError, match=r"one_cycle: a phase has no length with .*, total_steps=2"):
        schedule("one_cycle", lr=1.0, total_steps=2, pct_start=0.5)


def test_all_steps_fill_in_what_lasts():
    assert schedule("cosine", lr=1.0, steps=50)(50) == pytest.approx(0)
    assert schedule("cosine", lr=1.0, steps=50, T_max=10)(10) == pytest.approx(0)
    assert schedule("constant", lr=1.0, steps=50, factor=0.5)(10) == 1  # a warm-up does not last for ever


def test_one_after_another_counts_anew():
    rates = Sequential([Scaled(1.0, lambda t: t), Scaled(10.0, lambda t: t)], [3])
    np.testing.assert_array_equal(rates.over(6), [0, 1, 2, 0, 10, 20])


def test_a_plateau():
    rate = Plateau(1.0, {"patience": 1, "factor": 0.5})
    assert [rate.tell(metric) for metric in (3, 2, 2, 2, 2, 1)] == [1, 1, 1, 0.5, 0.5, 0.5]


@pytest.mark.parametrize("name", ["one_cycle_rate", "cosine_growing_restarts_rate", "multistep_rate"])
def test_a_rate_is_verified_like_any_formula(name):
    assert verify(catalogue[name], trials=5).passed


def test_every_schedule_is_in_the_catalogue():
    assert set(NAMES.values()) <= set(catalogue)


@pytest.mark.parametrize(
    "error, words, call",
    [
        (NameProblem, "did you mean 'cosine'", lambda: schedule("cosin")),
        (NameProblem, "did you mean 'gamma'", lambda: schedule("step", gama=0.1)),
        (DeriveError, "expected steps that rise, given 60 30", lambda: schedule("multistep", milestones=[60, 30])),
        (DeriveError, "milestones is missing", lambda: schedule("multistep")),
        (DeriveError, "expected 1 rising milestones for 2 rates", lambda: Sequential([abs, abs], [3, 2])),
    ],
)
def test_errors_say_what_was_expected(error, words, call):
    with pytest.raises(error, match=words):
        call()
