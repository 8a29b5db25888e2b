"""Linear maps against torch.nn.functional, and regressions against its losses."""

from tests.parity.harness import F, compared_with_torch, row, torch
from tests.parity.samplers import flag


def pairs(x, w_0, w, v):
    """Every pair of features by itself."""
    i, j = torch.triu_indices(*2 * x.shape[1:], 1)
    return w_0 + x @ w + (x[:, i] * x[:, j]) @ (v[i] * v[j]).sum(1)


ROWS = [
    row("linear", smooth=True),
    row("bilinear", smooth=True),
    row("lora", lambda x, w, down, up, alpha: x @ (w + alpha / len(down) * up @ down).T, alpha=(1.0, 8.0), smooth=True),
    row("factorization_machine", pairs, smooth=True),
    row("dense", lambda x, w, beta: x @ w + beta, smooth=True),
    row("linear_regression", lambda X, w, y: F.mse_loss(X @ w, y, reduction="sum"), smooth=True),
    row(
        "logistic_regression",
        lambda X, w, y: F.binary_cross_entropy_with_logits(torch.mv(X, w), y, reduction="sum"),
        y=flag,
        smooth=True,
    ),
]


test_values_and_gradients, test_second_derivatives = compared_with_torch(ROWS)
