"""Classification: losses whose target is the index of a class."""

from typing import Literal

from derive import (
    Int,
    Scalar,
    T,
    axes,
    equals,
    exp,
    formula,
    let,
    log,
    maximum,
    mean_over,
    padded,
    sum_over,
    where,
)

from ._common import Reduction, reduced, reducible
from .linear import linear

b, c, i = axes("b c i")
c2, j = c.alias("c2"), c.alias("j")

__all__ = """
    nll_loss nll_loss_ignoring
    cross_entropy cross_entropy_ignoring cross_entropy_smoothed cross_entropy_of_probabilities
    linear_cross_entropy
    multi_margin_loss multilabel_margin_loss
""".split()


def _weighted(entry, weight, reduction):
    """Entries times weights, alone or summed, and their mean by weight."""
    if weight is None:
        return reduced(entry, b, reduction)
    if reduction == "mean":
        return sum_over(b, weight * entry) / sum_over(b, weight)
    return reduced(weight * entry, b, reduction)


def _counts(target, weight, ignore_index):
    """What each sample counts for: 0 if its target is ignore_index, else 1 or the weight of its class."""
    return where(equals(target[b], ignore_index), 0, 1 if weight is None else padded(weight)[target[b]])


def _log_softmax(z):
    return z[b, c] - log(sum_over(c, exp(z[b, c])))


# The likelihood of the right class.


@formula
def nll_loss(
    input: T[b, c], target: Int[b].below(c), weight: T[c] | None = None, *, reduction: Reduction = "mean"
) -> reducible(T[b]):
    """−log p of the target's class, for log-probabilities; classes may weigh more or less.

    Source: torch.nn.functional.nll_loss; nll_loss_ignoring has its ignore_index.
    """
    return _weighted(-input[b, target[b]], None if weight is None else weight[target[b]], reduction)


@formula
def nll_loss_ignoring(
    input: T[b, c],
    target: Int[b],
    weight: T[c] | None = None,
    *,
    ignore_index: Scalar = -100,
    reduction: Reduction = "mean",
) -> reducible(T[b]):
    """−log p of the target's class; samples whose target is ignore_index do not count.

    Source: torch.nn.functional.nll_loss.
    """
    return _weighted(-padded(input)[b, target[b]], _counts(target, weight, ignore_index), reduction)


@formula
def cross_entropy(
    input: T[b, c], target: Int[b].below(c), weight: T[c] | None = None, *, reduction: Reduction = "mean"
) -> reducible(T[b]):
    """log Σ exp(z) − z of the target's class: its negative log-likelihood under softmax(z).

    Source: torch.nn.functional.cross_entropy; cross_entropy_ignoring has its ignore_index, cross_entropy_smoothed its
    label_smoothing, cross_entropy_of_probabilities its targets that are no indices.
    """
    entry = log(sum_over(c, exp(input[b, c]))) - input[b, target[b]]
    return _weighted(entry, None if weight is None else weight[target[b]], reduction)


@formula
def cross_entropy_ignoring(
    input: T[b, c],
    target: Int[b],
    weight: T[c] | None = None,
    *,
    ignore_index: Scalar = -100,
    reduction: Reduction = "mean",
) -> reducible(T[b]):
    """log Σ exp(z) − z of the target's class; samples whose target is ignore_index do not count.

    Source: torch.nn.functional.cross_entropy.
    """
    entry = log(sum_over(c, exp(input[b, c]))) - padded(input)[b, target[b]]
    return _weighted(entry, _counts(target, weight, ignore_index), reduction)


@formula
def cross_entropy_smoothed(
    input: T[b, c],
    target: Int[b].below(c),
    weight: T[c] | None = None,
    *,
    label_smoothing: Scalar = 0.1,
    reduction: Reduction = "mean",
) -> reducible(T[b]):
    """Cross-entropy of softmax(z) under 1 − ε for the target's class and ε/C for every class.

    Source: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, Rethinking the Inception Architecture (2016), section 7;
    torch.nn.functional.cross_entropy with label_smoothing.
    """
    total = let("total", log(sum_over(c, exp(input[b, c]))))
    right = total[b] - input[b, target[b]]
    if weight is None:
        return reduced(right + label_smoothing * (input[b, target[b]] - mean_over(c, input[b, c])), b, reduction)
    even = mean_over(c, weight[c] * (total[b] - input[b, c]))
    entry = (1 - label_smoothing) * weight[target[b]] * right + label_smoothing * even
    if reduction == "mean":
        return sum_over(b, entry) / sum_over(b, weight[target[b]])
    return reduced(entry, b, reduction)


@formula
def cross_entropy_of_probabilities(
    input: T[b, c],
    target: T[b, c],
    weight: T[c] | None = None,
    *,
    label_smoothing: Scalar = 0.0,
    reduction: Reduction = "mean",
) -> reducible(T[b]):
    """−Σ ((1 − ε) t + ε/C) log softmax(z): cross-entropy of softmax(z) under a probability t for every class.

    Source: torch.nn.functional.cross_entropy with probabilities as target.
    """
    smooth = (1 - label_smoothing) * target[b, c] + label_smoothing / c.size
    smooth = smooth if weight is None else weight[c] * smooth
    return reduced(-sum_over(c, smooth * _log_softmax(input)), b, reduction)


@formula
def linear_cross_entropy(
    input: T[b, i],
    linear_weight: T[c, i],
    target: Int[b].below(c),
    linear_bias: T[c] | None = None,
    weight: T[c] | None = None,
    *,
    reduction: Reduction = "mean",
) -> reducible(T[b]):
    """Cross-entropy of a linear map of x, for the index of the right class.

    Source: torch.nn.functional.linear_cross_entropy.
    """
    loss = cross_entropy(linear(input, linear_weight, linear_bias), target, weight, reduction=reduction)
    return loss[loss.axes]


# Margins: the right class ahead of every other by at least so much.


@formula
def multi_margin_loss(
    input: T[b, c],
    target: Int[b].below(c),
    weight: T[c] | None = None,
    *,
    p: Literal[1, 2] = 1,
    margin: Scalar = 1.0,
    reduction: Reduction = "mean",
) -> reducible(T[b]):
    """Σ max(0, m − x_y + x)^p/C over the classes but y, the right one.

    Source: torch.nn.functional.multi_margin_loss.
    """
    short = maximum(margin - input[b, target[b]] + input[b, c], 0)
    entry = sum_over(c, where(equals(c, target[b]), 0, short if p == 1 else short**2)) / c.size
    return reduced(entry if weight is None else weight[target[b]] * entry, b, reduction)


@formula
def multilabel_margin_loss(input: T[b, c], target: Int[b, c], *, reduction: Reduction = "mean") -> reducible(T[b]):
    """Σ max(0, 1 − x_y + x)/C over the labels y, which stand before the first negative target, and all else.

    Source: torch.nn.functional.multilabel_margin_loss.
    """
    ended = let("ended", sum_over(c2, where((target[b, c2] < 0) & (c2 <= c), 1, 0)))
    label = let("label", sum_over(c2, where(equals(target[b, c2], c) & equals(ended[b, c2], 0), 1, 0)))
    short = maximum(1 - padded(input)[b, target[b, j]] + input[b, c], 0)
    entry = sum_over((j, c), where(equals(ended[b, j], 0) & equals(label[b, c], 0), short, 0)) / c.size
    return reduced(entry, b, reduction)
