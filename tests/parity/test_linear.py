"""Linear maps against torch.nn.functional, and regressions against its losses."""

from tests.parity.harness import F, compared_with_torch, row, torch
from tests.parity.samplers import flag

ROWS = [
    row("linear", smooth=True),
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
