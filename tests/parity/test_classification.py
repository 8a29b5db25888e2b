"""Losses with class indices against torch.nn.functional."""

import numpy as np
import pytest

from derive import DeriveError, catalogue, to_numpy
from tests.parity.harness import Case, F, compared_with_torch, problems, row, torch
from tests.parity.samplers import positive, simplex

IGNORED = -100


# The same functions in elementary operations: PyTorch's own have no derivative for the weights.


def weighted(entries, weight, target, reduction, ignore_index=IGNORED):
    counts = (target != ignore_index).to(entries.dtype)
    if weight is not None:
        counts = counts * weight[target.clamp_min(0)]
    sums = {"none": counts * entries, "sum": (counts * entries).sum()}
    return sums[reduction] if reduction != "mean" else sums["sum"] / counts.sum()


def nll(z, target, weight=None, *, reduction, ignore_index=IGNORED):
    entries = -z.gather(1, target.clamp_min(0)[:, None])[:, 0]
    return weighted(entries, weight, target, reduction, ignore_index)


def cross_entropy(z, target, weight=None, *, reduction, ignore_index=IGNORED):
    return nll(z.log_softmax(1), target, weight, reduction=reduction, ignore_index=ignore_index)


def linear_cross_entropy(x, linear_weight, target, linear_bias=None, weight=None, *, reduction):
    return cross_entropy(F.linear(x, linear_weight, linear_bias), target, weight, reduction=reduction)


def smoothed(z, target, weight=None, *, label_smoothing, reduction):
    weight = torch.ones_like(z[0]) if weight is None else weight
    right = nll(z.log_softmax(1), target, weight, reduction="none")
    entries = (1 - label_smoothing) * right - label_smoothing * (weight * z.log_softmax(1)).mean(1)
    sums = {"none": entries, "sum": entries.sum(), "mean": entries.sum() / weight[target].sum()}
    return sums[reduction]


def multi_margin(z, target, weight=None, *, p, margin, reduction):
    others = 1 - F.one_hot(target, z.shape[1])
    entries = (others * F.relu(margin - z.gather(1, target[:, None]) + z) ** p).mean(1)
    entries = entries if weight is None else weight[target] * entries
    return {"none": entries, "sum": entries.sum(), "mean": entries.mean()}[reduction]


# Targets.


def some_ignored(rng, shape):
    """Class 0 or ignored, never the first."""
    ignored = rng.random(shape) < 1 / 3
    return np.where(ignored & (np.arange(*shape) > 0), IGNORED, 0)


def labels(rng, shape):
    """Distinct classes in any order, ended by −1 after some of them, or by none."""
    rows = np.stack([rng.permutation(shape[1]) for _ in range(shape[0])])
    ends = rng.integers(0, shape[1] + 1, shape[0])
    rows[np.arange(shape[0])[ends < shape[1]], ends[ends < shape[1]]] = -1
    return rows


LEARNED = {"weight": positive, "constants": ("weight",)}

ROWS = [
    row("nll_loss", note="ignore_index: `nll_loss_ignoring`", by_hand=nll, smooth=True, **LEARNED),
    row("nll_loss_ignoring", F.nll_loss, target=some_ignored, by_hand=nll, smooth=True, **LEARNED),
    row(
        "cross_entropy",
        by_hand=cross_entropy,
        smooth=True,
        **LEARNED,
        note="ignore_index: `cross_entropy_ignoring`; label_smoothing: `cross_entropy_smoothed`; probabilities: "
        "`cross_entropy_of_probabilities`",
    ),
    row("cross_entropy_ignoring", F.cross_entropy, target=some_ignored, by_hand=cross_entropy, smooth=True, **LEARNED),
    row(
        "cross_entropy_smoothed",
        F.cross_entropy,
        label_smoothing=(0.1, 0.0, 0.7),
        by_hand=smoothed,
        smooth=True,
        **LEARNED,
    ),
    row(
        "cross_entropy_of_probabilities",
        F.cross_entropy,
        target=simplex,
        weight=positive,
        label_smoothing=(0.0, 0.3),
        smooth=True,
    ),
    row("linear_cross_entropy", by_hand=linear_cross_entropy, smooth=True, **LEARNED),
    row("multi_margin_loss", margin=(1.0, 0.3), by_hand=multi_margin, **LEARNED),
    row("multilabel_margin_loss", target=labels),
]


test_values_and_gradients, test_second_derivatives = compared_with_torch(ROWS)


# Samples that do not count.


@pytest.mark.needs("torch")
@pytest.mark.parametrize("name", ["nll_loss_ignoring", "cross_entropy_ignoring"])
@pytest.mark.parametrize("weight", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("ignored", [-100, -1, 2])
def test_ignored_samples(name, weight, reduction, ignored):
    """Also where the index to ignore is that of a class."""
    rng = np.random.default_rng(ignored + 100)
    chosen = next(r for r in ROWS if r.name == name)
    for targets in ([0, 1, 3, ignored], [ignored, 3], [ignored, ignored, 1], [0, 1, 3]):
        arrays = {"input": rng.normal(size=(len(targets), 4)), "target": np.array(targets)}
        arrays |= {"weight": 0.1 + rng.random(4)} if weight else {}
        case = Case({"weight": weight, "reduction": reduction}, {"ignore_index": ignored}, arrays)
        assert not problems(chosen, case)


# Classes that there are not.

GOOD = {"input": np.zeros((2, 3)), "target": np.array([0, 2])}
BAD = [
    ({"target": np.array([0, 3])}, "target|3"),
    ({"target": np.array([-1, 0])}, "target|-1"),
    ({"target": np.array([-100, 0])}, "target|-100"),
    ({"target": np.array([0.0, 2.0])}, "target|int"),
    ({"target": np.array([[0, 2]])}, "target|(1, 2)"),
    ({"target": np.array([0, 1, 2])}, "target|3|2"),
    ({"weight": np.ones(2)}, "weight|2|3"),
    ({"input": np.zeros(3)}, "input|(3,)"),
    ({"target": None}, "target"),
]


@pytest.mark.parametrize("name", ["nll_loss", "cross_entropy", "cross_entropy_smoothed", "multi_margin_loss"])
@pytest.mark.parametrize(("change", "words"), BAD)
def test_classes_that_there_are_not(name, change, words):
    given = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(DeriveError) as caught:
        to_numpy(catalogue[name], weight="weight" in given).forward(**given)
    message = str(caught.value)
    assert [word for word in [name, *words.split("|")] if word not in message] == [], message
    assert len(message.splitlines()) == 1
