"""What many losses share: entries as they are, their mean or their sum."""

from typing import Literal

from derive import T, mean_over, sum_over

Reduction = Literal["mean", "sum", "none"]


def reducible(entries):
    """The output's shape for every reduction."""
    return {"none": entries, "mean": T[()], "sum": T[()]}


def reduced(entry, axes, reduction):
    """The entry itself, its mean or its sum over axes."""
    return {"none": lambda: entry, "mean": lambda: mean_over(axes, entry), "sum": lambda: sum_over(axes, entry)}[
        reduction
    ]()
