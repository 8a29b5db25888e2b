"""Closed forms are the textbook's: each row states a formula, a variable, the expected expression and its terms.

The expected expressions are written by hand from the textbook and compared in canonical form, up to bound letters
(`derive.equivalent`). `given` builds what a textbook names: p for a softmax, x̂ for a normalised row.
"""

import pytest
from sympy import Integer, cosh, exp, log, pi, sign, sqrt, tanh

from derive.api import equivalent, gradient, hessian, jacobian, to_numpy
from derive.axes import (
    Bool,
    Delta,
    Int,
    Scalar,
    T,
    absolute,
    axes,
    clip,
    equals,
    maximum,
    mean_over,
    minimum,
    one_hot,
    prod_over,
    sigmoid,
    softplus,
    sum_over,
    where,
)
from derive.formula import assume, let
from formulas import (
    binary_cross_entropy_with_logits,
    dense,
    layer_norm,
    linear,
    linear_regression,
    log_softmax,
    logistic_regression,
    mlp,
    mse_loss,
    relu,
    residual_block,
    softmax,
    softmax_cross_entropy,
)
from formulas import sigmoid as sigmoid_formula
from formulas import tanh as tanh_formula
from tests.textbook import Row, checks, derivative, unregistered

b, i, o, c, d, n, q, t_, s, h = axes("b i o c d n q t s h")
m, n2, n3, k, c2 = n.alias("m"), n.alias("n2"), n.alias("n3"), c.alias("k"), c.alias("c2")
d2, d3, d4 = (d.alias(f"d{place}") for place in (2, 3, 4))
b2, b3, b4 = (b.alias(f"b{place}") for place in (2, 3, 4))
s2, s3 = s.alias("s2"), s.alias("s3")
B, D, N = b.size, d.size, n.size
eps, tau, lam = Scalar("eps", 1e-5), Scalar("tau"), Scalar("lam")


ROWS: list[Row] = []


def row(*columns):
    ROWS.append(Row(*columns))


# What textbooks name.


def softmaxed(z, at=c, over=k):
    return exp(z[b, at]) / sum_over(over, exp(z[b, over]))


# Linear maps.

row(dense, "x", lambda g, w: sum_over(o, g[b, o] * w[i, o]), 1)
row(dense, "w", lambda g, x: sum_over(b, x[b, i] * g[b, o]), 1)
row(dense, "beta", lambda g: sum_over(b, g[b, o]), 1)
row(linear, "input", lambda g, weight: sum_over(o, g[b, o] * weight[o, i]), 1)
row(linear, "weight", lambda g, input: sum_over(b, input[b, i] * g[b, o]), 1)
row(linear_regression, "w", lambda X, w, y: 2 * sum_over(n, X[n, d] * (sum_over(d2, X[n, d2] * w[d2]) - y[n])), 1)
row(linear_regression, "y", lambda X, w, y: -2 * (sum_over(d2, X[n, d2] * w[d2]) - y[n]), 1)
row(linear_regression, "w", lambda X: 2 * sum_over(n, X[n, d] * X[n, d2]), 1, hessian, (d, d2))


def _chance(X, w, at=d2):
    """p = σ(Xw)."""
    u = sum_over(at, X[n, at] * w[at])
    return exp(u) / (1 + exp(u))


row(logistic_regression, "w",
    lambda X, w, y: sum_over(n, X[n, d] * (_chance(X, w) - y[n])), 1)  # fmt: skip
row(logistic_regression, "X",
    lambda X, w, y: w[d] * (_chance(X, w) - y[n]), 1)  # fmt: skip


def _curvature(X, w):
    return sum_over(n, _chance(X, w, d3) * (1 - _chance(X, w, d3)) * X[n, d] * X[n, d2])


row(logistic_regression, "w", _curvature, 2, hessian, (d, d2))

# Softmax and its kin.

row(softmax, "z", lambda g, z: softmaxed(z) * (g[b, c] - sum_over(k, g[b, k] * softmaxed(z, k, c2))), 2)
row(log_softmax, "z", lambda g, z: g[b, c] - softmaxed(z) * sum_over(k, g[b, k]), 2)
row(softmax_cross_entropy, "z", lambda z, t: (softmaxed(z) - t[b, c]) / B, 2)
row(softmax_cross_entropy, "t", lambda z: -(z[b, c] - log(sum_over(k, exp(z[b, k])))) / B, 1)


@unregistered
def cross_entropy_of_any_target(z: T[b, c], t: T[b, c]) -> T[()]:
    return -mean_over(b, sum_over(c, t[b, c] * (z[b, c] - log(sum_over(c, exp(z[b, c]))))))


row(cross_entropy_of_any_target, "z",
    lambda z, t: (softmaxed(z) * sum_over(k, t[b, k]) - t[b, c]) / B, 2)  # fmt: skip


@unregistered
def tempered_softmax(z: T[b, c], *, tau: Scalar) -> T[b, c]:
    return exp(z[b, c] / tau) / sum_over(c, exp(z[b, c] / tau))


def _tempered(z, at, over):
    return exp(z[b, at] / tau) / sum_over(over, exp(z[b, over] / tau))


row(tempered_softmax, "z",
    lambda g, z: _tempered(z, c, k) * (g[b, c] - sum_over(k, g[b, k] * _tempered(z, k, c2))) / tau, 2)  # fmt: skip


@unregistered
def softmax_with_lets(z: T[b, c]) -> T[b, c]:
    e = let("e", exp(z[b, c]))
    total = let("S", sum_over(c, e[b, c]))
    return e[b, c] / total[b]


row(softmax_with_lets, "z", lambda g, z: softmaxed(z) * (g[b, c] - sum_over(k, g[b, k] * softmaxed(z, k, c2))), 2)


@unregistered
def softmax_by_logsumexp(z: T[b, c]) -> T[b, c]:
    return exp(z[b, c] - log(sum_over(c, exp(z[b, c]))))


row(softmax_by_logsumexp, "z", lambda g, z: softmaxed(z) * (g[b, c] - sum_over(k, g[b, k] * softmaxed(z, k, c2))), 2)


@unregistered
def softmax_times_x(x: T[b, c]) -> T[b, c]:
    return x[b, c] * exp(x[b, c]) / sum_over(c, exp(x[b, c]))


row(softmax_times_x, "x",
    lambda g, x: softmaxed(x) * (g[b, c] + g[b, c] * x[b, c] - sum_over(k, g[b, k] * x[b, k] * softmaxed(x, k, c2))),
    3)  # fmt: skip


@unregistered
def entropy_of_softmax(z: T[b, c]) -> T[b]:
    p = let("p", exp(z[b, c]) / sum_over(c, exp(z[b, c])))
    return -sum_over(c, p[b, c] * log(p[b, c]))


def _logp(z, at, over):
    return z[b, at] - log(sum_over(over, exp(z[b, over])))


row(entropy_of_softmax, "z",  # −p (log p + H)
    lambda g, z: -g[b] * softmaxed(z) * (_logp(z, c, k) - sum_over(k, softmaxed(z, k, c2) * _logp(z, k, c2))),
    2)  # fmt: skip


@unregistered
def kl_of_softmaxes(z: T[b, c], a: T[b, c]) -> T[b]:
    p = let("p", exp(z[b, c]) / sum_over(c, exp(z[b, c])))
    r = let("r", exp(a[b, c]) / sum_over(c, exp(a[b, c])))
    return sum_over(c, p[b, c] * (log(p[b, c]) - log(r[b, c])))


def _difference(z, a, at, over):
    return _logp(z, at, over) - _logp(a, at, over)


row(kl_of_softmaxes, "a", lambda g, z, a: g[b] * (softmaxed(a) - softmaxed(z)), 2)
row(kl_of_softmaxes, "z", lambda g, z, a: g[b] * softmaxed(z) * (
    _difference(z, a, c, k) - sum_over(k, softmaxed(z, k, c2) * _difference(z, a, k, c2))), 2)  # fmt: skip


@unregistered
def info_nce(x: T[b, d], y: T[b, d]) -> T[()]:
    score = let("score", sum_over(d, x[b, d] * y[b2, d]))
    return -mean_over(b, score[b, b] - log(sum_over(b2, exp(score[b, b2]))))


def _match(x, y, one, two):
    return exp(sum_over(d2, x[one, d2] * y[two, d2])) / sum_over(b3, exp(sum_over(d2, x[one, d2] * y[b3, d2])))


row(info_nce, "x", lambda x, y: (sum_over(b2, _match(x, y, b, b2) * y[b2, d]) - y[b, d]) / B, 1)
row(info_nce, "y", lambda x, y: (sum_over(b2, _match(x, y, b2, b) * x[b2, d]) - x[b, d]) / B, 1)


@unregistered
def attention(Q: T[t_, d], K: T[s, d], V: T[s, o], *, tau: Scalar) -> T[t_, o]:
    score = let("score", sum_over(d, Q[t_, d] * K[s, d]) * tau)
    p = let("P", exp(score[t_, s]) / sum_over(s, exp(score[t_, s])))
    return sum_over(s, p[t_, s] * V[s, o])


def _weight(Q, K, at):
    return (exp(tau * sum_over(d2, Q[t_, d2] * K[at, d2]))
            / sum_over(s3, exp(tau * sum_over(d2, Q[t_, d2] * K[s3, d2]))))  # fmt: skip


def _weight_bar(g, Q, K, V, at):
    """P (P̄ − Σ P P̄), with P̄ = g Vᵀ."""
    return _weight(Q, K, at) * (
        sum_over(o, g[t_, o] * V[at, o]) - sum_over((s2, o), g[t_, o] * V[s2, o] * _weight(Q, K, s2))
    )


row(attention, "V", lambda g, Q, K: sum_over(t_, _weight(Q, K, s) * g[t_, o]), 1)
row(attention, "Q", lambda g, Q, K, V: tau * sum_over(s, _weight_bar(g, Q, K, V, s) * K[s, d]), 1)
row(attention, "K", lambda g, Q, K, V: tau * sum_over(t_, _weight_bar(g, Q, K, V, s) * Q[t_, d]), 1)

# Normalisation.


def _mu(x):
    return mean_over(d2, x[b, d2])


def _v(x):
    return mean_over(d2, (x[b, d2] - mean_over(d3, x[b, d3])) ** 2)


def _hat(x, at):
    return (x[b, at] - _mu(x)) / sqrt(_v(x) + eps)


def _three_terms(g, x, gamma):
    bar = lambda at: g[b, at] * gamma[at]  # noqa: E731
    inner = bar(d) - mean_over(d4, bar(d4)) - _hat(x, d) * mean_over(d4, bar(d4) * _hat(x, d4))
    return inner / sqrt(_v(x) + eps)


row(layer_norm, "x", _three_terms, 3)
row(layer_norm, "gamma", lambda g, x: sum_over(b, g[b, d] * _hat(x, d)), 1)
row(layer_norm, "beta", lambda g: sum_over(b, g[b, d]), 1)


@unregistered
def layer_norm_inline(x: T[b, d], gamma: T[d], *, eps: Scalar = 1e-5) -> T[b, d]:
    centred = x[b, d] - mean_over(d, x[b, d])
    return gamma[d] * centred / sqrt(mean_over(d2, (x[b, d2] - mean_over(d, x[b, d])) ** 2) + eps)


@unregistered
def layer_norm_of_mu_and_sigma(x: T[b, d], gamma: T[d], *, eps: Scalar = 1e-5) -> T[b, d]:
    mu = let("mu", mean_over(d, x[b, d]))
    sigma_ = let("sigma", sqrt(mean_over(d, (x[b, d] - mu[b]) ** 2) + eps))
    return gamma[d] * (x[b, d] - mu[b]) / sigma_[b]


@unregistered
def layer_norm_by_squares(x: T[b, d], gamma: T[d], *, eps: Scalar = 1e-5) -> T[b, d]:
    mu = let("mu", mean_over(d, x[b, d]))
    v_ = let("v", mean_over(d, x[b, d] ** 2) - mu[b] ** 2)
    return gamma[d] * (x[b, d] - mu[b]) / sqrt(v_[b] + eps)


row(layer_norm_inline, "x", _three_terms, 3)
row(layer_norm_of_mu_and_sigma, "x", _three_terms, 3)
row(layer_norm_by_squares, "x", lambda g, x, gamma: _by_squares(g, x, gamma), 3)


def _by_squares(g, x, gamma):
    v_ = mean_over(d2, x[b, d2] ** 2) - _mu(x) ** 2
    hat = lambda at: (x[b, at] - _mu(x)) / sqrt(v_ + eps)  # noqa: E731
    bar = lambda at: g[b, at] * gamma[at]  # noqa: E731
    return (bar(d) - mean_over(d4, bar(d4)) - hat(d) * mean_over(d4, bar(d4) * hat(d4))) / sqrt(v_ + eps)


@unregistered
def batch_norm(x: T[b, d], gamma: T[d], beta: T[d], *, eps: Scalar = 1e-5) -> T[b, d]:
    mu = let("mu", mean_over(b, x[b, d]))
    v_ = let("v", mean_over(b, (x[b, d] - mu[d]) ** 2))
    return gamma[d] * (x[b, d] - mu[d]) / sqrt(v_[d] + eps) + beta[d]


def _batch_hat(x, at):
    return (x[at, d] - mean_over(b3, x[b3, d])) / sqrt(_batch_v(x) + eps)


def _batch_v(x):
    return mean_over(b2, (x[b2, d] - mean_over(b3, x[b3, d])) ** 2)


row(batch_norm, "x", lambda g, x, gamma: gamma[d] / sqrt(_batch_v(x) + eps) * (
    g[b, d] - mean_over(b4, g[b4, d]) - _batch_hat(x, b) * mean_over(b4, g[b4, d] * _batch_hat(x, b4))), 3)  # fmt: skip
row(batch_norm, "gamma", lambda g, x: sum_over(b, g[b, d] * _batch_hat(x, b)), 1)
row(batch_norm, "beta", lambda g: sum_over(b, g[b, d]), 1)


@unregistered
def group_norm(x: T[b, q, d], *, eps: Scalar = 1e-5) -> T[b, q, d]:
    mu = let("mu", mean_over(d, x[b, q, d]))
    v_ = let("v", mean_over(d, (x[b, q, d] - mu[b, q]) ** 2))
    return (x[b, q, d] - mu[b, q]) / sqrt(v_[b, q] + eps)


def _group(g, x):
    mu = mean_over(d3, x[b, q, d3])
    v_ = mean_over(d2, (x[b, q, d2] - mu) ** 2)
    hat = lambda at: (x[b, q, at] - mu) / sqrt(v_ + eps)  # noqa: E731
    return (g[b, q, d] - mean_over(d4, g[b, q, d4]) - hat(d) * mean_over(d4, g[b, q, d4] * hat(d4))) / sqrt(v_ + eps)


row(group_norm, "x", _group, 3)


@unregistered
def rms_norm(x: T[b, d], gamma: T[d], *, eps: Scalar = 1e-5) -> T[b, d]:
    return gamma[d] * x[b, d] / sqrt(mean_over(d, x[b, d] ** 2) + eps)


def _rms(g, x, gamma):
    r = sqrt(mean_over(d2, x[b, d2] ** 2) + eps)
    return (g[b, d] * gamma[d] - x[b, d] / r * mean_over(d4, g[b, d4] * gamma[d4] * x[b, d4] / r)) / r


row(rms_norm, "x", _rms, 2)


@unregistered
def unit_rows(x: T[b, d]) -> T[b, d]:
    return x[b, d] / sqrt(sum_over(d, x[b, d] ** 2))


@unregistered
def unit_rows_with_a_let(x: T[b, d]) -> T[b, d]:
    r = let("r", sqrt(sum_over(d, x[b, d] ** 2)))
    return x[b, d] / r[b]


def _unit(g, x):
    r = sqrt(sum_over(d2, x[b, d2] ** 2))
    return (g[b, d] - x[b, d] / r * sum_over(d4, g[b, d4] * x[b, d4] / r)) / r


row(unit_rows, "x", _unit, 2)
row(unit_rows_with_a_let, "x", _unit, 2)


@unregistered
def cosine_similarity(x: T[b, d], y: T[b, d]) -> T[b]:
    return sum_over(d, x[b, d] * y[b, d]) / (sqrt(sum_over(d, x[b, d] ** 2)) * sqrt(sum_over(d, y[b, d] ** 2)))


def _cosine(g, x, y):
    one, two = sqrt(sum_over(d2, x[b, d2] ** 2)), sqrt(sum_over(d2, y[b, d2] ** 2))
    cos = sum_over(d4, x[b, d4] * y[b, d4]) / (one * two)
    return g[b] * (y[b, d] / two - cos * x[b, d] / one) / one


row(cosine_similarity, "x", _cosine, 2)

# Elementwise functions; their upstream has the shape of the input.

row(tanh_formula, "x", lambda g, x: g[()] * (1 - tanh(x[()]) ** 2), 2)
row(sigmoid_formula, "x", lambda g, x: g[()] * (1 - 1 / (1 + exp(-x[()]))) / (1 + exp(-x[()])), 2)
row(relu, "x", lambda g, x: where(x[()] > 0, g[()], 0), 1)


@unregistered
def swish(x: T[...]) -> T[...]:
    return x * sigmoid(x)


@unregistered
def gelu(x: T[...]) -> T[...]:
    return x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2


def _gelu(g, x):
    u, root = x[()], sqrt(2 / pi)
    inner = tanh(root * (u + 0.044715 * u**3))
    return g[()] * ((1 + inner) / 2 + u * (1 - inner**2) * root * (1 + 3 * 0.044715 * u**2) / 2)


row(swish, "x", lambda g, x: g[()] * (sigmoid(x[()]) + x[()] * sigmoid(x[()]) * (1 - sigmoid(x[()]))), 3)
row(gelu, "x", _gelu, 3)

# Losses.

row(mse_loss, "input", lambda input, target: 2 * (input[b, d] - target[b, d]) / (B * D), 1)
row(mse_loss, "target", lambda input, target: -2 * (input[b, d] - target[b, d]) / (B * D), 1)
row(binary_cross_entropy_with_logits, "input",
    lambda input, target: (exp(input[b, d]) / (1 + exp(input[b, d])) - target[b, d]) / (B * D), 2)  # fmt: skip
row(binary_cross_entropy_with_logits, "target", lambda input: -input[b, d] / (B * D), 1)


@unregistered
def log_cosh(x: T[n], y: T[n]) -> T[()]:
    return mean_over(n, log(cosh(x[n] - y[n])))


@unregistered
def huber(x: T[n], y: T[n], *, lam: Scalar = 1.0) -> T[()]:
    r = let("r", x[n] - y[n])
    return sum_over(n, where(absolute(r[n]) <= lam, r[n] ** 2 / 2, lam * (absolute(r[n]) - lam / 2)))


def _huber(x, y):
    r = x[n] - y[n]
    return where(absolute(r) <= lam, r, lam * sign(r))


@unregistered
def focal(z: T[n], *, lam: Scalar = 2.0) -> T[()]:
    p = let("p", sigmoid(z[n]))
    return -sum_over(n, (1 - p[n]) ** lam * log(p[n]))


def _focal(z):
    p = sigmoid(z[n])
    return lam * (1 - p) ** lam * p * log(p) - (1 - p) ** (lam + 1)


@unregistered
def softplus_regression(X: T[n, d], w: T[d], y: T[n]) -> T[()]:
    return sum_over(n, (softplus(sum_over(d, X[n, d] * w[d])) - y[n]) ** 2)


def _softplus_regression(X, w, y):
    u = sum_over(d2, X[n, d2] * w[d2])
    return 2 * sum_over(n, (softplus(u) - y[n]) * sigmoid(u) * X[n, d])


@unregistered
def weighted_least_squares(X: T[n, d], w: T[d], y: T[n], u: T[n]) -> T[()]:
    return sum_over(n, u[n] * (sum_over(d, X[n, d] * w[d]) - y[n]) ** 2)


@unregistered
def poisson_loss(X: T[n, d], w: T[d], y: T[n]) -> T[()]:
    u = let("u", sum_over(d, X[n, d] * w[d]))
    return sum_over(n, exp(u[n]) - y[n] * u[n])


@unregistered
def gaussian_loss(mu: T[n], a: T[n], y: T[n]) -> T[()]:
    """Negative log-likelihood with log-variance a."""
    return sum_over(n, a[n] + (y[n] - mu[n]) ** 2 / exp(a[n])) / 2


row(log_cosh, "x", lambda x, y: tanh(x[n] - y[n]) / N, 1)
row(huber, "x", _huber, 1)
row(focal, "z", _focal, None)
row(softplus_regression, "w", _softplus_regression, 1)
row(weighted_least_squares, "w",
    lambda X, w, y, u: 2 * sum_over(n, u[n] * (sum_over(d2, X[n, d2] * w[d2]) - y[n]) * X[n, d]), 1)  # fmt: skip
row(weighted_least_squares, "u", lambda X, w, y: (sum_over(d2, X[n, d2] * w[d2]) - y[n]) ** 2, 1)
row(poisson_loss, "w", lambda X, w, y: sum_over(n, X[n, d] * (exp(sum_over(d2, X[n, d2] * w[d2])) - y[n])), 1)
row(poisson_loss, "w", lambda X, w: sum_over(n, X[n, d] * X[n, d2] * exp(sum_over(d3, X[n, d3] * w[d3]))), 1,
    hessian, (d, d2))  # fmt: skip
row(gaussian_loss, "mu", lambda mu, a, y: (mu[n] - y[n]) * exp(-a[n]), 1)
row(gaussian_loss, "a", lambda mu, a, y: (1 - (y[n] - mu[n]) ** 2 * exp(-a[n])) / 2, 2)


@unregistered
def binary_entropy(z: T[n], y: T[n]) -> T[()]:
    p = let("p", sigmoid(z[n]))
    return mean_over(n, -y[n] * log(p[n]) - (1 - y[n]) * log(1 - p[n]))


row(binary_entropy, "z", lambda z, y: (sigmoid(z[n]) - y[n]) / N, None)

# Forms, traces, diagonals, products.


@unregistered
def bilinear_form(x: T[n], A: T[n, d], y: T[d]) -> T[()]:
    return sum_over((n, d), x[n] * A[n, d] * y[d])


@unregistered
def frobenius(X: T[n, d], W: T[d, o], Y: T[n, o]) -> T[()]:
    return sum_over((n, o), (sum_over(d, X[n, d] * W[d, o]) - Y[n, o]) ** 2)


@unregistered
def mahalanobis(x: T[d], mu: T[d], A: T[d, d2]) -> T[()]:
    assume(equals(A[d, d2], A[d2, d]))
    return sum_over((d, d2), (x[d] - mu[d]) * A[d, d2] * (x[d2] - mu[d2]))


@unregistered
def trace_of_square(A: T[n, m]) -> T[()]:
    return sum_over((n, m), A[n, m] * A[m, n])


@unregistered
def sum_of_diagonal(A: T[n, m]) -> T[()]:
    return sum_over(n, A[n, n] ** 2)


@unregistered
def diagonal_scaled(A: T[n, m], x: T[n]) -> T[n]:
    return A[n, n] * x[n]


@unregistered
def outer(x: T[n]) -> T[n, m]:
    return x[n] * x[m]


@unregistered
def product_of_entries(x: T[n]) -> T[()]:
    return prod_over(n, x[n])


@unregistered
def variance(x: T[n]) -> T[()]:
    return mean_over(n, (x[n] - mean_over(n, x[n])) ** 2)


@unregistered
def euclidean_norm(x: T[n]) -> T[()]:
    assume(sum_over(n, x[n] ** 2) > 0, sample=lambda rng, shapes: rng.normal(size=shapes["x"]) + 3)
    return sqrt(sum_over(n, x[n] ** 2))


@unregistered
def log_sum_exp(z: T[n]) -> T[()]:
    return log(sum_over(n, exp(z[n])))


row(bilinear_form, "A", lambda x, y: x[n] * y[d], 1)
row(bilinear_form, "x", lambda A, y: sum_over(d, A[n, d] * y[d]), 1)
row(frobenius, "W",
    lambda X, W, Y: 2 * sum_over(n, X[n, d] * (sum_over(d2, X[n, d2] * W[d2, o]) - Y[n, o])), 1)  # fmt: skip
row(frobenius, "X",
    lambda X, W, Y: 2 * sum_over(o, W[d, o] * (sum_over(d2, X[n, d2] * W[d2, o]) - Y[n, o])), 1)  # fmt: skip
row(mahalanobis, "x", lambda x, mu, A: 2 * sum_over(d2, A[d, d2] * (x[d2] - mu[d2])), 1)
row(mahalanobis, "A", lambda x, mu: (x[d] - mu[d]) * (x[d2] - mu[d2]), 1)
row(trace_of_square, "A", lambda A: 2 * A[m, n], 1)
row(sum_of_diagonal, "A", lambda A: 2 * Delta(n, m) * A[n, n], 1)
row(diagonal_scaled, "A", lambda g, x: Delta(n, m) * g[n] * x[n], 1)
row(diagonal_scaled, "x", lambda g, A: g[n] * A[n, n], 1)
row(outer, "x", lambda g, x: sum_over(m, (g[n, m] + g[m, n]) * x[m]), 2)
row(product_of_entries, "x", lambda x: prod_over(m, where(equals(m, n), Integer(1), x[m])), 1)
row(variance, "x", lambda x: 2 * (x[n] - mean_over(m, x[m])) / N, 1)
row(variance, "x", lambda: 2 * (Delta(n, m) - 1 / N) / N, 2, hessian, (n, m))
row(euclidean_norm, "x", lambda x: x[n] / sqrt(sum_over(m, x[m] ** 2)), 1)
row(log_sum_exp, "z", lambda z: exp(z[n]) / sum_over(m, exp(z[m])), 1)
row(log_sum_exp, "z", lambda z: Delta(n, m) * exp(z[n]) / sum_over(n2, exp(z[n2]))
    - exp(z[n]) * exp(z[m]) / sum_over(n2, exp(z[n2])) ** 2, 2, hessian, (n, m))  # fmt: skip
row(outer, "x", lambda x: Delta(n, n3) * x[m] + Delta(m, n3) * x[n], 2, jacobian, (n, m, n3))

# Kinks, masks, classes.


@unregistered
def leaky(x: T[...], *, lam: Scalar = 0.01) -> T[...]:
    return maximum(x, lam * x)


@unregistered
def hinge(x: T[n], y: T[n]) -> T[()]:
    return sum_over(n, maximum(0, 1 - x[n] * y[n]))


@unregistered
def clipped(x: T[n]) -> T[n]:
    return clip(x[n], -1, 1)


@unregistered
def smaller(x: T[n], y: T[n]) -> T[n]:
    return minimum(x[n], y[n])


@unregistered
def masked_softmax(z: T[b, c], mask: Bool[b, c]) -> T[b, c]:
    e = let("e", where(mask[b, c], exp(z[b, c]), 0))
    return e[b, c] / (sum_over(c, e[b, c]) + 1)


@unregistered
def masked_mean(x: T[b, c], mask: Bool[b, c]) -> T[b]:
    return sum_over(c, where(mask[b, c], x[b, c], 0)) / (1 + sum_over(c, where(mask[b, c], 1, 0)))


@unregistered
def class_cross_entropy(z: T[b, c], label: Int[b].below(c)) -> T[()]:
    return -mean_over(b, sum_over(c, one_hot(label[b], c) * (z[b, c] - log(sum_over(k, exp(z[b, k]))))))


row(hinge, "x", lambda x, y: where(1 - x[n] * y[n] >= 0, -y[n], 0), 1)
row(leaky, "x", lambda g, x: where(x[()] > lam * x[()], g[()], lam * g[()]), 2)
row(clipped, "x", lambda g, x: where(x[n] <= 1, where(x[n] >= -1, g[n], 0), 0), 1)
row(smaller, "x", lambda g, x, y: where(x[n] < y[n], g[n], 0), 1)
row(smaller, "y", lambda g, x, y: where(x[n] >= y[n], g[n], 0), 1)
row(masked_mean, "x",
    lambda g, mask: where(mask[b, c], g[b] / (1 + sum_over(k, where(mask[b, k], 1, 0))), 0), 1)  # fmt: skip
row(class_cross_entropy, "z", lambda z, label: (softmaxed(z) - Delta(label[b], c)) / B, 2)

# Networks: backpropagation, layer by layer.


def _mlp(x, w_1, beta_1, w_2, beta_2, t):
    """(first activation, (p − t)/B, δ = (1 − h²) Σ w (p − t)/B), each a function of its letters."""
    i_, h_ = w_1.axes
    o_ = w_2.axes[1]
    over = o_.alias("o_over")
    hidden = lambda b_, at: tanh(sum_over(i_, x[b_, i_] * w_1[i_, at]) + beta_1[at])  # noqa: E731
    inner = h_.alias("h_inner")
    logit = lambda b_, at: sum_over(inner, hidden(b_, inner) * w_2[inner, at]) + beta_2[at]  # noqa: E731
    bar = lambda b_, at: (  # noqa: E731
        (exp(logit(b_, at)) / sum_over(over, exp(logit(b_, over))) - t[b_, at]) / x.axes[0].size
    )
    delta = lambda b_, at: (1 - hidden(b_, at) ** 2) * sum_over(o_, w_2[at, o_] * bar(b_, o_))  # noqa: E731
    return hidden, bar, delta


def _axes(*tensors):
    return [t.axes for t in tensors]


def _mlp_w_2(x, w_1, beta_1, w_2, beta_2, t):
    hidden, bar, _ = _mlp(x, w_1, beta_1, w_2, beta_2, t)
    (b_, _), (h_, o_) = _axes(x, w_2)
    return sum_over(b_, hidden(b_, h_) * bar(b_, o_))


def _mlp_w_1(x, w_1, beta_1, w_2, beta_2, t):
    _, _, delta = _mlp(x, w_1, beta_1, w_2, beta_2, t)
    (b_, _), (i_, h_) = _axes(x, w_1)
    return sum_over(b_, x[b_, i_] * delta(b_, h_))


def _mlp_x(x, w_1, beta_1, w_2, beta_2, t):
    _, _, delta = _mlp(x, w_1, beta_1, w_2, beta_2, t)
    (b_, _), (i_, h_) = _axes(x, w_1)
    return sum_over(h_, w_1[i_, h_] * delta(b_, h_))


row(mlp, "w_2", _mlp_w_2, 1)
row(mlp, "w_1", _mlp_w_1, 1)
row(mlp, "x", _mlp_x, 1)


def _residual_delta(g, x, w_1, beta_1, w_2, at):
    before = sum_over(d2, x[b, d2] * w_1[d2, at]) + beta_1[at]
    return where(before > 0, sum_over(d3, g[b, d3] * w_2[at, d3]), 0)


row(residual_block, "x", lambda g, x, w_1, beta_1, w_2: g[b, d] + sum_over(
    h, w_1[d, h] * _residual_delta(g, x, w_1, beta_1, w_2, h)), 2)  # fmt: skip
row(residual_block, "w_1", lambda g, x, w_1, beta_1, w_2: sum_over(
    b, x[b, d] * _residual_delta(g, x, w_1, beta_1, w_2, h)), 1)  # fmt: skip
row(residual_block, "beta_2", lambda g: sum_over(b, g[b, d]), 1)


# The tests.

FORMULAS = list({id(r.formula): r.formula for r in ROWS}.values())


(
    test_the_result_is_the_textbooks,
    test_it_has_as_many_terms_as_the_textbooks,
    test_the_result_has_the_textbooks_value,
) = checks(ROWS)


ALONE = [r for r in ROWS if r.terms is not None and r.kind is gradient and len(r.formula.tensors) > 1]


@pytest.mark.parametrize("r", ALONE, ids=str)
def test_one_variable_alone_reads_no_worse(r):
    d_ = gradient(r.formula, r.wrt)
    inlined = max(r.terms, 2)  # an adjoint of two terms need not be named where one result uses it
    assert d_.terms[r.wrt] <= inlined, f"{d_.result}\nwhere {d_.where}"


@pytest.mark.parametrize("f", FORMULAS, ids=lambda f: f.name)
def test_gradients_steps_and_code_verify(f):
    report = derivative(f, gradient).verify(trials=4)
    assert report, report
    report = to_numpy(f).verify(trials=4)
    assert report, report


SECOND = [(f, kind) for f, kind in dict.fromkeys((r.formula, r.kind) for r in ROWS) if kind is not gradient]


@pytest.mark.parametrize(("f", "kind"), SECOND, ids=lambda p: getattr(p, "name", None) or p.__name__)
def test_jacobians_and_hessians_verify(f, kind):
    wrt = next(r.wrt for r in ROWS if r.formula == f and r.kind == kind)
    report = kind(f, wrt).verify(trials=4)
    assert report, report


def test_a_wrong_expression_is_not_equivalent():
    """`equivalent` says no to a sign, a factor, another letter, a missing term."""
    d_ = gradient(softmax)
    g, z = d_.derived.upstreams[0], d_.traced.input("z")
    right = softmaxed(z) * (g[b, c] - sum_over(k, g[b, k] * softmaxed(z, k, c2)))
    wrong = [
        -right,
        right * 2,
        softmaxed(z) * g[b, c],
        softmaxed(z) * (g[b, c] + sum_over(k, g[b, k] * softmaxed(z, k, c2))),
        softmaxed(z) * (g[b, c] - sum_over(k, g[b, c] * softmaxed(z, k, c2))),
    ]
    assert equivalent(d_.result, right)
    assert [equivalent(d_.result, each) for each in wrong] == [False] * len(wrong)
