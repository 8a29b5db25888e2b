"""Embeddings and noise against torch.nn.functional."""

import numpy as np
import pytest

from derive import DeriveError, catalogue, to_numpy
from tests.parity.harness import F, compared_with_torch, row, torch
from tests.parity.samplers import normal

ALPHA = -1.7580993408473766


def embedding(input, weight, padding_idx=None):
    """F.embedding of a table whose row of padding is 0."""
    if padding_idx is None:
        return F.embedding(input, weight)
    return F.embedding(input, weight.index_fill(0, padding_idx, 0), int(padding_idx))


def embedding_bag(input, weight, per_sample_weights=None, padding_idx=None, offsets=None, *, mode):
    """F.embedding_bag; where it takes no weights, the same bags by hand."""
    padding_idx = None if padding_idx is None else int(padding_idx)
    if per_sample_weights is None or mode == "sum":
        given = {"per_sample_weights": per_sample_weights, "padding_idx": padding_idx}
        return F.embedding_bag(input, weight, offsets, mode=mode, **given)
    padding = -1 if padding_idx is None else padding_idx
    ends = [] if offsets is None else offsets.tolist()[1:]
    bags = input.unbind() if offsets is None else input.tensor_split(ends)
    weights = per_sample_weights.unbind() if offsets is None else per_sample_weights.tensor_split(ends)
    pools = {"mean": lambda rows: rows.mean(0), "max": lambda rows: rows.max(0).values}
    rows = [(w[:, None] * weight[bag])[bag != padding] for bag, w in zip(bags, weights, strict=True)]
    return torch.stack([pools[mode](part) if len(part) else 0 * weight[0] for part in rows])


def in_a_row(input, weight, offsets, per_sample_weights=None, *, mode):
    return embedding_bag(input, weight, per_sample_weights, offsets=offsets, mode=mode)


# Seven places, and bags of them in a row: the first begins at once, some are empty.
BAGS = {
    "input": lambda rng, _: rng.integers(0, 5, 7),
    "weight": lambda rng, shape: normal(rng, (5, shape[1])),
    "offsets": lambda rng, shape: np.sort(rng.integers(0, 8, shape)) * (np.arange(*shape) > 0),
    "per_sample_weights": lambda rng, _: normal(rng, 7),
}


def whole_channels(x, keep, p):
    return x * keep.reshape(*keep.shape, *(1,) * (x.ndim - 2)) / (1 - p)


def feature_alpha_dropout(x, keep, p):
    return alpha_dropout(x, keep[:, :, None], p)


def alpha_dropout(x, keep, p):
    a = ((1 - p) * (1 + p * ALPHA**2)) ** -0.5
    return a * torch.where(keep, x, ALPHA) - a * p * ALPHA


PS = (0.5, 0.1, 0.0)

ROWS = [
    row("embedding", embedding, smooth=True,
        note="The row at padding_idx counts as 0, which PyTorch fills it with when it makes the table."),
    row("embedding_bag", embedding_bag, note="offsets: `embedding_bag_with_offsets`"),
    row("embedding_bag_with_offsets", in_a_row, **BAGS),
    row("one_hot", lambda x, num_classes: F.one_hot(x, num_classes).double(), num_classes=(1, 2, 5)),
    row("dropout", lambda x, keep, p: x * keep / (1 - p), p=PS, smooth=True),
    row("dropout1d", whole_channels, p=PS, smooth=True),
    row("dropout2d", whole_channels, p=PS),
    row("dropout3d", whole_channels, p=PS),
    row("feature_alpha_dropout", feature_alpha_dropout, p=PS),
    row("alpha_dropout", alpha_dropout, p=PS, smooth=True),
    row("gaussian_noise", lambda x, noise, sigma: x + sigma * noise, sigma=(1.0, 0.3), smooth=True),
    row("gaussian_dropout", lambda x, noise, p: x * (1 + (p / (1 - p)) ** 0.5 * noise), p=PS, smooth=True),
    row("reparametrised_gaussian", lambda mu, logvar, noise: mu + torch.exp(logvar / 2) * noise, smooth=True),
]  # fmt: skip


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
    ("embedding", {"padding_idx": np.array(4)}, "padding_idx|4|3"),
    ("embedding_bag_with_offsets", {"offsets": np.array([0, 3])}, "offsets|3|2"),
    ("dropout", {"keep": np.ones((1, 2))}, "keep|bool"),
    ("dropout", {"keep": np.ones((1, 3), bool)}, "keep|3|2"),
]


@pytest.mark.parametrize(("name", "change", "words"), BAD)
def test_rows_that_there_are_not(name, change, words):
    known = {"input": np.array([[0, 1]]), "weight": TABLE}
    if name == "dropout":
        known = {"input": np.ones((1, 2))}
    if name == "embedding_bag_with_offsets":
        known["input"] = np.array([0, 1])
    optional = set(change) & {"per_sample_weights", "padding_idx"}
    module = to_numpy(catalogue[name], **dict.fromkeys(optional, True))
    with pytest.raises(DeriveError) as caught:
        module.forward(**{**known, **change})
    message = str(caught.value)
    assert [word for word in [name, *words.split("|")] if word not in message] == [], message
    assert len(message.splitlines()) == 1
