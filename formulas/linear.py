"""Linear maps, what is built of them, and the regressions that are one linear map and a loss."""

from derive import Scalar, T, axes, exp, formula, let, log, sum_over

b, i, j, o, n, d, f, r = axes("b i j o n d f r")

__all__ = ["bilinear", "dense", "factorization_machine", "linear", "linear_regression", "logistic_regression", "lora"]


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
def bilinear(input1: T[b, i], input2: T[b, j], weight: T[o, i, j], bias: T[o] | None = None) -> T[b, o]:
    """y = xᵀ A z + c, with a matrix A for every output.

    Source: torch.nn.functional.bilinear.
    """
    y = sum_over((i, j), input1[b, i] * weight[o, i, j] * input2[b, j])
    return y if bias is None else y + bias[o]


@formula
def lora(input: T[b, i], weight: T[o, i], down: T[r, i], up: T[o, r], *, alpha: Scalar = 1.0) -> T[b, o]:
    """W x + (α/R) B A x: a linear map, and what is learned on top of it, of rank R.

    Source: Hu et al., LoRA: Low-Rank Adaptation of Large Language Models (2022), eq. 3 and section 4.1.
    """
    low = let("low", sum_over(i, down[r, i] * input[b, i]))
    return sum_over(i, weight[o, i] * input[b, i]) + alpha / r.size * sum_over(r, up[o, r] * low[b, r])


@formula
def factorization_machine(x: T[b, i], w_0: T[()], w: T[i], v: T[i, f]) -> T[b]:
    """w₀ + Σ w x + ½ Σ_f ((Σ v x)² − Σ v² x²): a linear map, and ⟨v_i, v_j⟩ x_i x_j for every pair of features.

    Source: Rendle, Factorization Machines (2010), eq. 1 by lemma 3.1.
    """
    pairs = sum_over(f, sum_over(i, v[i, f] * x[b, i]) ** 2 - sum_over(i, v[i, f] ** 2 * x[b, i] ** 2)) / 2
    return w_0[()] + sum_over(i, w[i] * x[b, i]) + pairs


@formula
def linear_regression(X: T[n, d], w: T[d], y: T[n]) -> T[()]:
    """Sum of squared errors ‖Xw − y‖² of a linear model."""
    return sum_over(n, (sum_over(d, X[n, d] * w[d]) - y[n]) ** 2)


@formula
def logistic_regression(X: T[n, d], w: T[d], y: T[n]) -> T[()]:
    """Negative log-likelihood of labels y in {0, 1} under p = σ(Xw)."""
    u = let("u", sum_over(d, X[n, d] * w[d]))
    return sum_over(n, log(1 + exp(u[n])) - y[n] * u[n])
