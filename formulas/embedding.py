"""Embeddings: a row of a table for every index."""

from typing import Literal

import derive
from derive import Int, Size, T, axes, axis, formula, max_over, mean_over, sum_over

b, t, v, d = axes("b t v d")
c = axis("c", Size("num_classes"))

__all__ = ["embedding", "embedding_bag", "one_hot"]


@formula
def embedding(input: Int[b, t].below(v), weight: T[v, d]) -> T[b, t, d]:
    """Row input[b, t] of the table, for every place of every sequence.

    Source: torch.nn.functional.embedding.
    """
    return weight[input[b, t], d]


@formula
def embedding_bag(
    input: Int[b, t].below(v),
    weight: T[v, d],
    per_sample_weights: T[b, t] | None = None,
    *,
    mode: Literal["mean", "sum", "max"] = "mean",
) -> T[b, d]:
    """The mean, the sum or the largest of the rows of a bag of indices, each weighted where weights are given.

    Source: torch.nn.functional.embedding_bag, which takes weights for sums alone.
    """
    row = weight[input[b, t], d]
    row = row if per_sample_weights is None else per_sample_weights[b, t] * row
    return {"mean": mean_over, "sum": sum_over, "max": max_over}[mode](t, row)


@formula
def one_hot(input: Int[b].below(c), *, num_classes: Size) -> T[b, c]:
    """1 at the class, 0 elsewhere.

    Source: torch.nn.functional.one_hot.
    """
    return derive.one_hot(input[b], c)
