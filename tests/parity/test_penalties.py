"""Similarities and distances against torch; kernels and penalties against the same mathematics written in torch."""

from tests.parity.harness import Kink, compared_with_torch, row, torch


def squares(x, y):
    return ((x[:, None] - y[None]) ** 2).sum(-1)


def kernel(x, y, gamma):
    return torch.exp(-gamma * squares(x, y))


def discrepancy(x, y, gamma):
    return kernel(x, x, gamma).mean() + kernel(y, y, gamma).mean() - 2 * kernel(x, y, gamma).mean()


def not_orthogonal(w, strength):
    return strength * torch.linalg.matrix_norm(w.T @ w - torch.eye(w.shape[1], dtype=w.dtype)) ** 2


ROWS = [
    row("normalize", eps=(1e-12, 2.0), kinks=(Kink({"input": 0}), Kink({"input": 1}, {"eps": 1.0}))),
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
    row("pairwise_distance", eps=(1e-6, 0.1), smooth=True, kinks=(Kink({"x1": 1, "x2": 1}, {"eps": 0.0}),)),
    row("cdist", lambda x, y, p: torch.cdist(x, y, p=p), kinks=(Kink({"x1": 1, "x2": 1}),)),
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
