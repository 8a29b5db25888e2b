"""Closed forms of what users write in other words: masks off the diagonal, products of densities, smoothed targets."""

import unicodedata

import pytest
from sympy import cosh, exp, log, loggamma, pi, sqrt, tanh

from derive.api import gradient, to_numpy
from derive.axes import Int, T, absolute, axes, digamma, equals, maximum, mean_over, padded, prod_over, sum_over, where
from derive.formula import assume, let
from tests.textbook import Row, checks, derivative, unregistered

b, c, d, k = axes("b c d k")
a, a2, c2, k2, d2 = b.alias("a"), b.alias("a2"), c.alias("c2"), k.alias("k2"), d.alias("d2")
B, C = b.size, c.size
ROWS: list[Row] = []


def row(*columns):
    ROWS.append(Row(*columns))


def softmaxed(z, at=c, over=c2):
    return exp(z[b, at]) / sum_over(over, exp(z[b, over]))


@unregistered
def uniformity(z: T[b, d]) -> T[()]:
    """Wang & Isola (2020): the logarithm of the sum over pairs, without the diagonal."""
    return log(sum_over((b, a), where(equals(b, a), 0, exp(-2 * sum_over(d, (z[b, d] - z[a, d]) ** 2)))))


def _pair(z, i, j):
    over = d.alias("over")
    return where(equals(i, j), 0, exp(-2 * sum_over(over, (z[i, over] - z[j, over]) ** 2)))


row(uniformity, "z", lambda z: -8 * sum_over(a, (z[b, d] - z[a, d]) * _pair(z, b, a)) / sum_over(
    (a, a2), _pair(z, a, a2)), None)  # fmt: skip


@unregistered
def without_the_target(z: T[b, c], t: Int[b].below(c)) -> T[()]:
    """Yeh et al. (2022), decoupled: the sum leaves the positive out."""
    return mean_over(b, log(sum_over(c, where(equals(c, t[b]), 0, exp(z[b, c])))) - z[b, t[b]])


row(without_the_target, "z", lambda z, t: (
    where(equals(c, t[b]), 0, exp(z[b, c])) / sum_over(c2, where(equals(c2, t[b]), 0, exp(z[b, c2])))
    - where(equals(c, t[b]), 1, 0)) / B, 2)  # fmt: skip


@unregistered
def label_smoothing(z: T[b, c], t: Int[b].below(c)) -> T[()]:
    """Szegedy et al. (2016): the targets add to 1 though nobody says so."""
    logp = let("l", z[b, c] - log(sum_over(c, exp(z[b, c]))))
    return -mean_over(b, sum_over(c, where(equals(c, t[b]), 0.9 + 0.1 / C, 0.1 / C) * logp[b, c]))


row(label_smoothing, "z", lambda z, t: (softmaxed(z) - where(equals(c, t[b]), 0.9 + 0.1 / C, 0.1 / C)) / B, None)


@unregistered
def others(x: T[b]) -> T[b]:
    """The mean of all others."""
    return sum_over(a, where(equals(a, b), 0, x[b] + x[a])) / (B - 1)


row(others, "x", lambda g, x: g[b] + sum_over(a, where(equals(a, b), 0, g[a])) / (B - 1), None)


@unregistered
def mixture(x: T[b, d], m: T[k, d], r: T[k, d], z: T[k]) -> T[()]:
    """A mixture of Gaussians as it is written down: a product of densities over the features."""
    weight = let("w", exp(z[k]) / sum_over(k, exp(z[k])))
    density = exp(-((x[b, d] - m[k, d]) ** 2) / (2 * exp(2 * r[k, d]))) / (sqrt(2 * pi) * exp(r[k, d]))
    return -mean_over(b, log(sum_over(k, weight[k] * prod_over(d, density))))


def _share(x, m, r, z, at):
    over, feature = k.alias("over"), d.alias("feature")

    def weighed(j):
        squares = sum_over(feature, (x[b, feature] - m[j, feature]) ** 2 * exp(-2 * r[j, feature]))
        return exp(z[j] - sum_over(feature, r[j, feature]) - squares / 2)

    return weighed(at) / sum_over(over, weighed(over))


row(mixture, "m", lambda x, m, r, z: -mean_over(
    b, _share(x, m, r, z, k) * (x[b, d] - m[k, d]) * exp(-2 * r[k, d])), None)  # fmt: skip
row(mixture, "r", lambda x, m, r, z: mean_over(
    b, _share(x, m, r, z, k) * (1 - (x[b, d] - m[k, d]) ** 2 * exp(-2 * r[k, d]))), None)  # fmt: skip
row(mixture, "z", lambda x, m, r, z: exp(z[k]) / sum_over(k2, exp(z[k2])) - mean_over(b, _share(x, m, r, z, k)), None)


@unregistered
def log_cosh(x: T[b], y: T[b]) -> T[()]:
    return mean_over(b, log((exp(x[b] - y[b]) + exp(y[b] - x[b])) / 2))


@unregistered
def tanh_by_exponentials(x: T[b]) -> T[b]:
    return (exp(x[b]) - exp(-x[b])) / (exp(x[b]) + exp(-x[b]))


row(log_cosh, "x", lambda x, y: tanh(x[b] - y[b]) / B, 1)
row(log_cosh, "y", lambda x, y: tanh(y[b] - x[b]) / B, 1)
row(tanh_by_exponentials, "x", lambda g, x: g[b] * (1 - tanh(x[b]) ** 2), 2)


@unregistered
def catenary(x: T[b]) -> T[b]:
    return (exp(x[b]) + exp(-x[b])) / 2


@unregistered
def slope_of_the_catenary(x: T[b]) -> T[b]:
    return (exp(x[b]) - exp(-x[b])) / 2


row(catenary, "x", lambda g, x: g[b] * tanh(x[b]) * cosh(x[b]), 1)
row(slope_of_the_catenary, "x", lambda g, x: g[b] * cosh(x[b]), 1)


@unregistered
def dirichlet(x: T[b, c], a_: T[c]) -> T[()]:
    """Its negative log-likelihood."""
    assume(a_[c] > 0)
    assume(x[b, c] > 0)
    constant = loggamma(sum_over(c, a_[c])) - sum_over(c, loggamma(a_[c]))
    return -mean_over(b, constant + sum_over(c, (a_[c] - 1) * log(x[b, c])))


row(dirichlet, "a_", lambda x, a_: digamma(a_[c]) - digamma(sum_over(c2, a_[c2])) - mean_over(b, log(x[b, c])), 3)


@unregistered
def pinball(x: T[b], y: T[b]) -> T[()]:
    """Koenker & Bassett (1978), the quantile 0.9: two slopes that meet at 0."""
    return mean_over(b, maximum(0.9 * (y[b] - x[b]), -0.1 * (y[b] - x[b])))


row(pinball, "x", lambda x, y: where(y[b] > x[b], -0.9, 0.1) / B, None)


@unregistered
def likelihood(z: T[b], y: T[b]) -> T[()]:
    """The log of Bernoulli's p^y (1 − p)^(1 − y), p a sigmoid."""
    p = let("p", 1 / (1 + exp(-z[b])))
    return -mean_over(b, log(p[b] ** y[b] * (1 - p[b]) ** (1 - y[b])))


row(likelihood, "z", lambda z, y: (1 / (1 + exp(-z[b])) - y[b]) / B, 2)

(
    test_the_result_is_the_textbooks,
    test_it_has_as_many_terms_as_the_textbooks,
    test_the_result_has_the_textbooks_value,
) = checks(ROWS)


@pytest.mark.parametrize("f", list({id(r.formula): r.formula for r in ROWS}.values()), ids=lambda f: f.name)
def test_gradients_steps_and_code_verify(f):
    report = derivative(f, gradient).verify(trials=3)
    assert report, report
    report = to_numpy(f).verify(trials=3)
    assert report, report


h, w, r, q = axes("h w r q")


@unregistered
def same_convolution(x: T[b, h, w], f: T[r, q]) -> T[b, h, w]:
    return sum_over((r, q), padded(x)[b, h + r - 1, w + q - 1] * f[r, q])


@unregistered
def variation(x: T[h, w]) -> T[()]:
    return sum_over((h, w), where(h + 1 < h.size, absolute(padded(x)[h + 1, w] - x[h, w]), 0))


@pytest.mark.parametrize(
    ("f", "printed"),
    [
        (same_convolution, "Σ_rq f_rq g̃[b, h + 1 − r, w + 1 − q]"),  # places of the image, and no places of the kernel
        (variation, "[h ≥ 1] sgn(x_hw − x̃[h − 1, w]) − [h + 1 < H] sgn(x̃[h + 1, w] − x_hw)"),
    ],
    ids=lambda p: getattr(p, "name", ""),
)
def test_images_are_read_at_shifted_places(f, printed):
    shown = str(gradient(f, "x").explain("brief"))
    assert unicodedata.normalize("NFC", printed) in unicodedata.normalize("NFC", " ".join(shown.split()))
