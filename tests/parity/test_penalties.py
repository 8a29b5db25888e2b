"""Similarities and distances against torch; kernels and penalties against the same mathematics written in torch."""

import numpy as np
import pytest

from derive import DeriveError, catalogue, to_numpy
from tests.parity.harness import F, Kink, compared_with_torch, row, torch


def squares(x, y):
    return ((x[:, None] - y[None]) ** 2).sum(-1)


def kernel(x, y, gamma):
    return torch.exp(-gamma * squares(x, y))


def discrepancy(x, y, gamma):
    return kernel(x, x, gamma).mean() + kernel(y, y, gamma).mean() - 2 * kernel(x, y, gamma).mean()


def not_orthogonal(w, strength):
    return strength * torch.linalg.matrix_norm(w.T @ w - torch.eye(w.shape[1], dtype=w.dtype)) ** 2


def normalize(input, p, eps=1e-12):
    return F.normalize(input, float(p), eps=eps)


def distance(x, y, p, eps=1e-6):
    return F.pairwise_distance(x, y, float(p), eps)


def cdist(x, y, p):
    return torch.cdist(x, y, float(p))


ORDERS = {"p": (1.5, 2.0, 3.0, 4.5)}

ROWS = [
    row(
        "normalize",
        normalize,
        note="other p: `normalize_of_order`",
        eps=(1e-12, 2.0),
        kinks=(Kink({"input": 0}), Kink({"input": 1}, {"eps": 1.0})),
    ),
    row(
        "cosine_similarity",
        eps=(1e-8, 1e-3),
        kinks=(
            Kink({"x1": 0, "x2": 1}),
            Kink({"x1": 1, "x2": 2}, {"eps": 1.0}),
            Kink({"x1": 1, "x2": 3}, {"eps": 2.0}),
        ),
        note="Below ε PyTorch holds the norm, and differentiates as if it did not.",
    ),
    row("normalize_of_order", normalize, **ORDERS, eps=(1e-12, 2.0)),
    row(
        "pairwise_distance",
        distance,
        note="other p: `minkowski_distance`",
        eps=(1e-6, 0.1),
        smooth=True,
        kinks=(Kink({"x1": 1, "x2": 1}, {"eps": 0.0}),),
    ),
    row("minkowski_distance", distance, **ORDERS, eps=(1e-6, 0.1)),
    row("minkowski_cdist", cdist, **ORDERS),
    row("cdist", cdist, note="other p: `minkowski_cdist`", kinks=(Kink({"x1": 1, "x2": 1}),)),
    row("rbf_kernel", kernel, gamma=(1.0, 0.3), smooth=True),
    row("mmd", discrepancy, gamma=(1.0, 0.3), smooth=True),
    row("l1_penalty", lambda w, strength: strength * torch.linalg.vector_norm(w, 1), strength=(1.0, 0.1)),
    row("l2_penalty", lambda w, strength: strength / 2 * torch.dot(w, w), strength=(1.0, 0.1), smooth=True),
    row(
        "elastic_net",
        lambda w, strength_1, strength_2: strength_1 * w.abs().sum() + strength_2 * torch.dot(w, w),
        strength_1=(1.0, 0.1),
        strength_2=(1.0, 0.3),
    ),
    row("orthogonality_penalty", not_orthogonal, strength=(1.0, 0.1), smooth=True),
]


test_values_and_gradients, test_second_derivatives = compared_with_torch(ROWS)


# What cannot be: one error, that names what it is.


@pytest.mark.parametrize("name, second", [("minkowski_distance", (2, 3)), ("minkowski_cdist", (4, 3))])
def test_no_order_below_one(name, second):
    with pytest.raises(DeriveError, match=f"{name}.*p > 1"):
        to_numpy(catalogue[name]).check(x1=np.ones((2, 3)), x2=np.ones(second), p=0.5)


def test_rows_of_other_lengths():
    with pytest.raises(DeriveError, match=r"^minkowski_cdist: input x2: .*D=3.*\(4, 2\)"):
        to_numpy(catalogue["minkowski_cdist"]).forward(x1=np.ones((2, 3)), x2=np.ones((4, 2)))
