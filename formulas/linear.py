"""Linear maps, and the regressions that are one linear map and a loss."""

from derive import T, axes, exp, formula, let, log, sum_over

b, i, o, n, d = axes("b i o n d")

__all__ = ["dense", "linear", "linear_regression", "logistic_regression"]


@formula
def dense(x: T[b, i], w: T[i, o], beta: T[o]) -> T[b, o]:
    """Affine map: every output mixes all inputs, then shifts."""
    return sum_over(i, x[b, i] * w[i, o]) + beta[o]


@formula
def linear(input: T[b, i], weight: T[o, i], bias: T[o] | None = None) -> T[b, o]:
    """Affine map in PyTorch's layout: y = x Aᵀ + c.

    Source: torch.nn.functional.linear.
    """
    y = sum_over(i, input[b, i] * weight[o, i])
    return y if bias is None else y + bias[o]


@formula
def linear_regression(X: T[n, d], w: T[d], y: T[n]) -> T[()]:
    """Sum of squared errors ‖Xw − y‖² of a linear model."""
    return sum_over(n, (sum_over(d, X[n, d] * w[d]) - y[n]) ** 2)


@formula
def logistic_regression(X: T[n, d], w: T[d], y: T[n]) -> T[()]:
    """Negative log-likelihood of labels y in {0, 1} under p = σ(Xw)."""
    u = let("u", sum_over(d, X[n, d] * w[d]))
    return sum_over(n, log(1 + exp(u[n])) - y[n] * u[n])
