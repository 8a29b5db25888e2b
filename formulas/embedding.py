"""Embeddings: a row of a table for every index.

Where a padding_idx is given, its row counts as 0 and learns nothing: PyTorch fills it with zeros when the table is
made. max_norm, which changes the table, and scale_grad_by_freq, which changes its gradient, are no functions.
"""

from typing import Literal

import derive
from derive import (
    Int,
    Size,
    T,
    axes,
    axis,
    equals,
    formula,
    let,
    max_over,
    maximum,
    mean_over,
    oo,
    padded,
    sum_over,
    where,
)

b, t, v, d = axes("b t v d")
c = axis("c", Size("num_classes"))

__all__ = ["embedding", "embedding_bag", "embedding_bag_with_offsets", "one_hot"]

Mode = Literal["mean", "sum", "max"]


@formula
def embedding(
    input: Int[b, t].below(v), weight: T[v, d], padding_idx: Int[()].below(v) | None = None
) -> T[b, t, d]:  # fmt: skip
    """Row input[b, t] of the table, for every place of every sequence; 0 where it is padding_idx.

    Source: torch.nn.functional.embedding.
    """
    row = weight[input[b, t], d]
    return row if padding_idx is None else where(equals(input[b, t], padding_idx[()]), 0, row)


def _pooled(row, counts, mode):
    """The sum, the mean or the largest of the rows that count, 1 or 0; 0 where none does."""
    A, row = let("A", counts), let("row", row)
    counts, row = A[A.axes], row[row.axes]
    if mode == "max":
        return where(max_over(t, counts) > 0, max_over(t, where(counts > 0, row, -oo)), 0)
    total = sum_over(t, counts * row)
    return total if mode == "sum" else total / maximum(sum_over(t, counts), 1)


@formula
def embedding_bag(
    input: Int[b, t].below(v),
    weight: T[v, d],
    per_sample_weights: T[b, t] | None = None,
    padding_idx: Int[()].below(v) | None = None,
    *,
    mode: Mode = "mean",
) -> T[b, d]:
    """The mean, the sum or the largest of the rows of a bag of indices; what is padding_idx does not count.

    Each row is weighted where weights are given. Source: torch.nn.functional.embedding_bag, which takes weights for
    sums alone.
    """
    row = weight[input[b, t], d]
    row = row if per_sample_weights is None else per_sample_weights[b, t] * row
    if padding_idx is None:
        return {"mean": mean_over, "sum": sum_over, "max": max_over}[mode](t, row)
    return _pooled(row, where(equals(input[b, t], padding_idx[()]), 0, 1), mode)


@formula
def embedding_bag_with_offsets(
    input: Int[t].below(v),
    weight: T[v, d],
    offsets: Int[b].below(t.size + 1),
    per_sample_weights: T[t] | None = None,
    *,
    mode: Mode = "mean",
) -> T[b, d]:
    """The same for bags in a row: bag b is the places from offsets[b] up to the next bag's; an empty one gives 0.

    Source: torch.nn.functional.embedding_bag with offsets.
    """
    row = weight[input[t], d]
    row = row if per_sample_weights is None else per_sample_weights[t] * row
    return _pooled(row, where((offsets[b] <= t) & (t < padded(offsets, t.size)[b + 1]), 1, 0), mode)


@formula
def one_hot(input: Int[b].below(c), *, num_classes: Size) -> T[b, c]:
    """1 at the class, 0 elsewhere.

    Source: torch.nn.functional.one_hot.
    """
    return derive.one_hot(input[b], c)
