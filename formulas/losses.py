"""Losses: how far a prediction is from its target, as one number."""

from typing import Literal

from derive import T, assume, axes, equals, exp, formula, log, mean_over, sum_over

b, c, d = axes("b c d")

__all__ = ["binary_cross_entropy_with_logits", "mse_loss", "softmax_cross_entropy"]


def _reduced(entry, axes_, reduction):
    """The entries themselves, their mean or their sum."""
    return {"none": lambda: entry, "mean": lambda: mean_over(axes_, entry), "sum": lambda: sum_over(axes_, entry)}[
        reduction
    ]()


@formula
def mse_loss(
    input: T[b, d], target: T[b, d], *, reduction: Literal["mean", "sum", "none"] = "mean"
) -> {"none": T[b, d], "mean": T[()], "sum": T[()]}:
    """Squared error of each entry, averaged.

    Source: torch.nn.functional.mse_loss.
    """
    return _reduced((input[b, d] - target[b, d]) ** 2, (b, d), reduction)


@formula
def softmax_cross_entropy(z: T[b, c], t: T[b, c]) -> T[()]:
    """Mean negative log-likelihood of targets t under softmax(z)."""
    assume(equals(sum_over(c, t[b, c]), 1))
    return -mean_over(b, sum_over(c, t[b, c] * (z[b, c] - log(sum_over(c, exp(z[b, c]))))))


@formula
def binary_cross_entropy_with_logits(
    input: T[b, d], target: T[b, d], *, reduction: Literal["mean", "sum", "none"] = "mean"
) -> {"none": T[b, d], "mean": T[()], "sum": T[()]}:
    """Negative log-likelihood of targets under σ(input): log(1 + exp(z)) − t z.

    Source: torch.nn.functional.binary_cross_entropy_with_logits.
    """
    return _reduced(log(1 + exp(input[b, d])) - target[b, d] * input[b, d], (b, d), reduction)
