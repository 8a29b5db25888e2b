"""Embeddings and noise against torch.nn.functional."""

import numpy as np
import pytest

from derive import DeriveError, catalogue, to_numpy
from tests.parity.harness import F, compared_with_torch, row, torch

ALPHA = -1.7580993408473766


def embedding_bag(input, weight, per_sample_weights=None, *, mode):
    """F.embedding_bag; where it takes no weights, the same bag by hand."""
    if per_sample_weights is None or mode == "sum":
        return F.embedding_bag(input, weight, mode=mode, per_sample_weights=per_sample_weights)
    rows = per_sample_weights[..., None] * F.embedding(input, weight)
    return rows.mean(1) if mode == "mean" else rows.max(1).values


def alpha_dropout(x, keep, p):
    a = ((1 - p) * (1 + p * ALPHA**2)) ** -0.5
    return a * torch.where(keep, x, ALPHA) - a * p * ALPHA


PS = (0.5, 0.1, 0.0)

ROWS = [
    row("embedding", smooth=True),
    row("embedding_bag", embedding_bag),
    row("one_hot", lambda x, num_classes: F.one_hot(x, num_classes).double(), num_classes=(1, 2, 5)),
    row("dropout", lambda x, keep, p: x * keep / (1 - p), p=PS, smooth=True),
    row("alpha_dropout", alpha_dropout, p=PS, smooth=True),
    row("gaussian_noise", lambda x, noise, sigma: x + sigma * noise, sigma=(1.0, 0.3), smooth=True),
    row("gaussian_dropout", lambda x, noise, p: x * (1 + (p / (1 - p)) ** 0.5 * noise), p=PS, smooth=True),
    row("reparametrised_gaussian", lambda mu, logvar, noise: mu + torch.exp(logvar / 2) * noise, smooth=True),
]


test_values_and_gradients, test_second_derivatives = compared_with_torch(ROWS)


# Rows that there are not.

TABLE = np.ones((4, 2))
BAD = [
    ("embedding", {"input": np.array([[0, 4]])}, "input|4|3"),
    ("embedding", {"input": np.array([[-1, 0]])}, "input|-1"),
    ("embedding", {"input": np.array([[0.0, 1.0]])}, "input|int"),
    ("embedding", {"input": np.array([0, 1])}, "input|(2,)"),
    ("embedding", {"weight": np.ones(4)}, "weight|(4,)"),
    ("embedding_bag", {"input": np.array([[0, 4]])}, "input|4|3"),
    ("embedding_bag", {"per_sample_weights": np.ones((1, 3))}, "per_sample_weights|3|2"),
    ("dropout", {"keep": np.ones((1, 2))}, "keep|bool"),
    ("dropout", {"keep": np.ones((1, 3), bool)}, "keep|3|2"),
]


@pytest.mark.parametrize(("name", "change", "words"), BAD)
def test_rows_that_there_are_not(name, change, words):
    known = {"input": np.array([[0, 1]]), "weight": TABLE}
    if name == "dropout":
        known = {"input": np.ones((1, 2))}
    module = to_numpy(catalogue[name], **{"per_sample_weights": True} if "per_sample_weights" in change else {})
    with pytest.raises(DeriveError) as caught:
        module.forward(**{**known, **change})
    message = str(caught.value)
    assert [word for word in [name, *words.split("|")] if word not in message] == [], message
    assert len(message.splitlines()) == 1
