"""Layers and losses that are not in the catalogue: their closed forms are the textbook's, and their code is right.

Rows as in test_closed_forms: the expected expressions are written by hand and compared in canonical form.
"""

import pytest
from sympy import Rational, erf, exp, log, loggamma, pi, sign, sqrt, tanh

from derive.api import gradient, verify
from derive.axes import (
    Int,
    T,
    Where,
    absolute,
    axes,
    digamma,
    equals,
    max_over,
    maximum,
    mean_over,
    one_hot,
    padded,
    sigmoid,
    sum_over,
    where,
)
from derive.formula import let, scan, zeros
from tests.textbook import Row, checks, unregistered

b, d, e, h, i, k, n, o, t, v = axes("b d e h i k n o t v")
b2, d2 = b.alias("b2"), d.alias("d2")
ROWS: list[Row] = []


def row(*columns):
    ROWS.append(Row(*columns))


# Losses of forecasts.


@unregistered
def crps_of_a_normal(mu: T[b], s: T[b], y: T[b]) -> T[()]:
    """Gneiting and Raftery (2007), eq. 21."""
    w = let("w", (y[b] - mu[b]) / exp(s[b]))
    density, mass = sqrt(2 / pi) * exp(-(w[b] ** 2) / 2), erf(w[b] / sqrt(2))
    return mean_over(b, exp(s[b]) * (w[b] * mass + density - 1 / sqrt(pi)))


row(crps_of_a_normal, "mu", lambda mu, s, y: -erf((y[b] - mu[b]) / exp(s[b]) / sqrt(2)) / b.size, 1)


@unregistered
def quantiles(x: T[b], q: T[b, k], tau: T[k]) -> T[()]:
    """Koenker and Bassett (1978)."""
    u = let("u", x[b] - q[b, k])
    return mean_over((b, k), maximum(tau[k] * u[b, k], (tau[k] - 1) * u[b, k]))


row(quantiles, "tau", lambda x, q: mean_over(b, x[b] - q[b, k]) / k.size, 1)


@unregistered
def negative_binomial(y: T[b], eta: T[b], rho: T[()]) -> T[()]:
    """−log of NB(y | r, μ), r = exp ρ, μ = exp η."""
    r, mu = let("r", exp(rho[()])), let("mu", exp(eta[b]))
    count = loggamma(y[b] + r[()]) - loggamma(r[()]) - loggamma(y[b] + 1)
    return -mean_over(b, count + r[()] * log(r[()] / (r[()] + mu[b])) + y[b] * log(mu[b] / (r[()] + mu[b])))


def _dispersion(y, eta, rho):
    r, mu = exp(rho[()]), lambda b: exp(eta[b])
    share = mean_over(b, (y[b] + r) / (r + mu(b)))
    return r * (share + digamma(r) - 1 - mean_over(b, log(r) - log(r + mu(b)) + digamma(y[b] + r)))


row(negative_binomial, "rho", _dispersion, 5)

# Normalising flows: Rezende and Mohamed (2015), eq. 10 to 14.


@unregistered
def planar_flow(z: T[b, d], w: T[d], u: T[d], c: T[()]) -> T[()]:
    """mean log |1 + uᵀ ψ|."""
    a = let("a", tanh(sum_over(d, z[b, d] * w[d]) + c[()]))
    return mean_over(b, log(absolute(1 + (1 - a[b] ** 2) * sum_over(d, u[d] * w[d]))))


def _planar(z, w, u, c):
    slope = 1 - tanh(sum_over(d2, z[b, d2] * w[d2]) + c[()]) ** 2
    return w[d] * mean_over(b, slope / (1 + slope * sum_over(d2, u[d2] * w[d2])))


row(planar_flow, "u", _planar, 1)


@unregistered
def radial_flow(z: T[b, d], z0: T[d], rho: T[()], beta: T[()]) -> T[b, d]:
    """z + β (z − z₀)/(exp ρ + r)."""
    r = let("r", sqrt(sum_over(d, (z[b, d] - z0[d]) ** 2)))
    return z[b, d] + beta[()] * (z[b, d] - z0[d]) / (exp(rho[()]) + r[b])


def _radius(z, z0):
    return sqrt(sum_over(d2, (z[b, d2] - z0[d2]) ** 2))


row(radial_flow, "beta", lambda g, z, z0, rho: sum_over(
    (b, d), g[b, d] * (z[b, d] - z0[d]) / (exp(rho[()]) + _radius(z, z0))), 1)  # fmt: skip
row(radial_flow, "rho", lambda g, z, z0, rho, beta: -beta[()] * exp(rho[()]) * sum_over(
    (b, d), g[b, d] * (z[b, d] - z0[d]) / (exp(rho[()]) + _radius(z, z0)) ** 2), 1)  # fmt: skip

# Layers of other kinds, whose code is held against the formula.


@unregistered
def biquad(x: T[t], a1: T[()], a2: T[()], b0: T[()], b1: T[()]) -> T[t]:
    """y_t = b₀ x_t + b₁ x_{t−1} − a₁ y_{t−1} − a₂ y_{t−2}."""

    def step(y, z):
        return b0[()] * x[t] + b1[()] * padded(x)[t - 1] - a1[()] * y[()] - a2[()] * z[()], y[()]

    y, _ = scan(t, step, zeros(), zeros())
    return y[t]


@unregistered
def delta_rule(K: T[t, d], V: T[t, v], Q: T[t, d], beta: T[t]) -> T[t, v]:
    """S_t = S_{t−1} + β (v − S k) kᵀ, y = S q: Schlag, Irie, Schmidhuber (2021), eq. 24."""
    read = lambda S: sum_over(d2, S[v, d2] * K[t, d2])  # noqa: E731
    S = scan(t, lambda S: S[v, d] + beta[t] * (V[t, v] - read(S)) * K[t, d], zeros(v, d))
    return sum_over(d, S[t, v, d] * Q[t, d])


@unregistered
def matrix_lstm(Q: T[t, d], K: T[t, d], V: T[t, v], take: T[t], keep: T[t]) -> T[t, v]:
    """Beck et al., xLSTM (2024), eq. 19 to 27, with the sigmoid as forget gate."""
    C = scan(t, lambda C: sigmoid(keep[t]) * C[v, d] + exp(take[t]) * V[t, v] * K[t, d], zeros(v, d))
    N = scan(t, lambda N: sigmoid(keep[t]) * N[d] + exp(take[t]) * K[t, d], zeros(d))
    size = let("size", maximum(absolute(sum_over(d, N[t, d] * Q[t, d])), 1))
    return sum_over(d, C[t, v, d] * Q[t, d]) / size[t]


@unregistered
def graph_attention(
    x: T[n, d], w: T[d, o], a1: T[o], a2: T[o], source: Int[e].below(n), target: Int[e].below(n)
) -> T[n, o]:
    """Veličković et al. (2018), eq. 3 and 4, over a list of edges."""
    y = let("y", sum_over(d, x[n, d] * w[d, o]))
    s = let("s", sum_over(o, y[source[e], o] * a1[o] + y[target[e], o] * a2[o]))
    weight = let("weight", exp(where(s[e] > 0, s[e], s[e] * Rational(1, 5))))
    z = let("z", sum_over(e, one_hot(target[e], n) * weight[e]))
    return sum_over(e, one_hot(target[e], n) * weight[e] / z[target[e]] * y[source[e], o])


@unregistered
def largest_message(x: T[n, d], w: T[d, o], source: Int[e].below(n), target: Int[e].below(n)) -> T[n, o]:
    """The largest message that reaches a node, and −1 where none does: Wang et al. (2019), eq. 8."""
    m = let("m", tanh(sum_over(d, w[d, o] * (x[source[e], d] - x[target[e], d]))))
    return maximum(max_over(e, where(equals(target[e], n), m[o, e], -1)), -1)


@unregistered
def signed_power(x: T[n]) -> T[()]:
    """‖|x|^(3/2) sgn x‖: |x|^(3/2) has a slope at 0, so nothing may be divided by it."""
    u = let("u", absolute(x[n]) ** Rational(3, 2) * sign(x[n]))
    return sqrt(sum_over(n, u[n] ** 2))


LAYERS = [biquad, delta_rule, matrix_lstm, graph_attention, largest_message, signed_power]


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_code_and_gradients_are_right(layer):
    report = verify(layer, trials=4)
    assert report.passed, str(report)


def test_no_condition_chooses_between_equal_terms():
    assert not gradient(quantiles, "tau").result.atoms(Where)


(
    test_the_result_is_the_textbooks,
    test_it_has_as_many_terms_as_the_textbooks,
    test_the_result_has_the_textbooks_value,
) = checks(ROWS)
