"""More textbook writings: each is finite and right at every magnitude, with its gradient, and its Hessian products.

Each law of `stabilise` that one of them needs is named beside it: without that law the writing fails.
"""

import pytest
from sympy import Abs, Rational, cosh, erf, exp, log, sinh, sqrt, tanh

import derive.stabilise
from derive.api import hvp, stability
from derive.axes import Int, Scalar, T, axes, equals, max_over, maximum, mean_over, minimum, prod_over, sum_over, where
from derive.axes import sigmoid as sig
from derive.formula import assume, build, let

b, c, d, n = axes("b c d n")
NEAR, AMOUNT = 6.0, {"points": 40, "effort": 4000, "dtypes": ("float32",)}


def sigmoid_by_tanh(x: T[...]) -> T[...]:
    return (1 + tanh(x / 2)) / 2


def sigmoid_by_halves(x: T[...]) -> T[...]:
    return exp(x / 2) / (exp(x / 2) + exp(-x / 2))


def log_of_sigmoid_by_tanh(x: T[...]) -> T[...]:
    return log((1 + tanh(x / 2)) / 2)


def log_sigmoid_by_difference(x: T[...]) -> T[...]:
    return x - log(1 + exp(x))


def softplus_by_difference(x: T[...]) -> T[...]:
    return x + log(1 + exp(-x))


def logcosh_by_softplus(x: T[...]) -> T[...]:
    return x + log(1 + exp(-2 * x)) - log(2)


def logcosh_by_absolute(x: T[...]) -> T[...]:
    return Abs(x) + log(1 + exp(-2 * Abs(x))) - log(2)


def tanh_correction(x: T[...]) -> T[...]:
    return log(1 - tanh(x) ** 2)


def mish_by_squares(x: T[...]) -> T[...]:
    return x * ((1 + exp(x)) ** 2 - 1) / ((1 + exp(x)) ** 2 + 1)


def inverse_softplus(x: T[...]) -> T[...]:
    assume(x > 0)
    return log(exp(x) - 1)


def cubed_sigmoid(x: T[...]) -> T[...]:
    return (1 / (1 + exp(-x))) ** 3


def generalised_logistic(x: T[...]) -> T[...]:
    return 1 / (1 + exp(-x)) ** Rational(1, 2)


def sinh_by_exps(x: T[...]) -> T[...]:
    return (exp(x) - exp(-x)) / 2


def cosh_by_exps(x: T[...]) -> T[...]:
    return (exp(x) + exp(-x)) / 2


def tanh_by_quotient(x: T[...]) -> T[...]:
    return sinh(x) / cosh(x)


def asinh_by_log(x: T[...]) -> T[...]:
    return log(x + sqrt(x**2 + 1))


def atanh_by_log(x: T[...]) -> T[...]:
    assume(x > -1)
    assume(x < 1)
    return log((1 + x) / (1 - x)) / 2


def celu_by_minimum(x: T[...]) -> T[...]:
    return maximum(x, 0) + minimum(0, exp(x) - 1)


def inverse_square_root_unit(x: T[...]) -> T[...]:
    return x / sqrt(1 + x**2)


def geman_mcclure(x: T[...]) -> T[...]:
    return 1 - 1 / (1 + x**2)


def biweight(x: T[...]) -> T[...]:
    return 1 - (1 - x**2) ** 3


def hypotenuse(x: T[...], y: T[...]) -> T[...]:
    return sqrt(x**2 + y**2)


def logaddexp_by_difference(x: T[...], y: T[...]) -> T[...]:
    return x + log(1 + exp(y - x))


def poisson_by_rate(r: T[...], y: T[...]) -> T[...]:
    assume(r > 0)
    return log(r**y * exp(-r))


def sech(x: T[...]) -> T[...]:
    return 1 / cosh(x)


def logistic_by_cosh(x: T[...]) -> T[...]:
    return 1 / (4 * cosh(x / 2) ** 2)


def gaussian_tail(x: T[...]) -> T[...]:
    return (1 - erf(x / sqrt(2))) / 2


def logistic_density(x: T[...]) -> T[...]:
    return log(exp(-x) / (1 + exp(-x)) ** 2)


def cross_entropy_by_entry(z: T[b, c], y: Int[b].below(c)) -> T[()]:
    p = let("p", exp(z[b, c]) / sum_over(c, exp(z[b, c])))
    return -mean_over(b, log(p[b, y[b]]))


def weighted_cross_entropy(z: T[b, c], y: Int[b].below(c), w: T[c]) -> T[()]:
    assume(w[c] > 0)
    p = let("p", exp(z[b, c]) / sum_over(c, exp(z[b, c])))
    return -mean_over(b, w[y[b]] * log(p[b, y[b]]))


def cross_entropy_base_two(z: T[b, c], t: T[b, c]) -> T[()]:
    p = let("p", 2 ** z[b, c] / sum_over(c, 2 ** z[b, c]))
    return -mean_over(b, sum_over(c, t[b, c] * log(p[b, c])))


def cross_entropy_by_product(z: T[b, c], t: T[b, c]) -> T[()]:
    p = let("p", exp(z[b, c]) / sum_over(c, exp(z[b, c])))
    return -mean_over(b, log(prod_over(c, p[b, c] ** t[b, c])))


def smoothed_cross_entropy(z: T[b, c], t: T[b, c], alpha: Scalar = 0.1) -> T[()]:
    assume(equals(sum_over(c, t[b, c]), 1))
    p = let("p", exp(z[b, c]) / sum_over(c, exp(z[b, c])))
    return -mean_over(b, sum_over(c, ((1 - alpha) * t[b, c] + alpha / c.size) * log(p[b, c])))


def bernoulli_by_powers(x: T[b], y: T[b]) -> T[()]:
    return -mean_over(b, log(sig(x[b]) ** y[b] * (1 - sig(x[b])) ** (1 - y[b])))


def bernoulli_by_tanh(x: T[b], y: T[b]) -> T[()]:
    p = let("p", (1 + tanh(x[b] / 2)) / 2)
    return -mean_over(b, y[b] * log(p[b]) + (1 - y[b]) * log(1 - p[b]))


def ordinal(x: T[b]) -> T[()]:
    return -mean_over(b, log(sig(1 - x[b]) - sig(-1 - x[b])))


def poisson_by_density(eta: T[...], y: T[...]) -> T[...]:
    return log(exp(eta) ** y * exp(-exp(eta)))


def negative_binomial(eta: T[b], y: T[b], r: T[b]) -> T[()]:
    assume(r[b] > 0)
    assume(y[b] > 0)
    mu = let("mu", exp(eta[b]))
    return -mean_over(b, y[b] * log(mu[b] / (mu[b] + r[b])) + r[b] * log(r[b] / (mu[b] + r[b])))


def log_of_mean_sigmoid(x: T[b, c]) -> T[b]:
    return log(mean_over(c, sig(x[b, c])))


def geometric_mean_of_shares(z: T[b, c]) -> T[b]:
    p = let("p", exp(z[b, c]) / sum_over(c, exp(z[b, c])))
    return prod_over(c, p[b, c]) ** (1 / c.size)


def direction_with_eps(x: T[b, d]) -> T[b, d]:
    return x[b, d] / (sqrt(sum_over(d, x[b, d] ** 2)) + 1e-8)


def cubic_norm(x: T[b, c]) -> T[b]:
    return sum_over(c, Abs(x[b, c]) ** 3) ** Rational(1, 3)


def layer_norm_by_subtraction(x: T[b, c], gamma: T[c], beta: T[c]) -> T[b, c]:
    mu = let("mu", mean_over(c, x[b, c]))
    var = let("var", mean_over(c, x[b, c] ** 2) - mu[b] ** 2)
    return gamma[c] * (x[b, c] - mu[b]) / sqrt(var[b] + 1e-5) + beta[c]


def soft_minimum(z: T[b, c], tau: Scalar = 0.1) -> T[b]:
    return -tau * log(sum_over(c, exp(-z[b, c] / tau)))


def boltzmann_mean(z: T[b, c]) -> T[b]:
    Z = let("Z", sum_over(c, exp(-z[b, c])))
    return sum_over(c, z[b, c] * exp(-z[b, c]) / Z[b])


def contrastive(s: T[b, b.alias("k")]) -> T[()]:
    k = b.alias("k")
    return -mean_over(b, log(exp(s[b, b]) / sum_over(k, exp(s[b, k]))))


def shifted_by_hand(z: T[b, c]) -> T[b, c]:
    e = let("e", exp(z[b, c] - max_over(c, z[b, c])))
    return e[b, c] / sum_over(c, e[b, c])


def forward_step(a: T[b, c], e: T[b, c]) -> T[b]:
    return log(sum_over(c, exp(a[b, c]) * exp(e[b, c])))


def chain_likelihood(x: T[b, n]) -> T[b]:
    return -log(prod_over(n, 1 / (1 + exp(-x[b, n]))))


def mixture(x: T[b], a: T[c], mu: T[c]) -> T[()]:
    w = let("w", exp(a[c]) / sum_over(c, exp(a[c])))
    return -mean_over(b, log(sum_over(c, w[c] * exp(-((x[b] - mu[c]) ** 2) / 2))))


def divergence_of_logits(z: T[b, c], v: T[b, c]) -> T[()]:
    p = let("p", exp(z[b, c]) / sum_over(c, exp(z[b, c])))
    q = let("q", exp(v[b, c]) / sum_over(c, exp(v[b, c])))
    return mean_over(b, sum_over(c, p[b, c] * log(p[b, c] / q[b, c])))


def binary_entropy(x: T[b], y: T[b]) -> T[()]:
    p = let("p", 1 / (1 + exp(-x[b])))
    return -mean_over(b, y[b] * log(p[b]) + (1 - y[b]) * log(1 - p[b]))


def log_cosh_loss(x: T[b], y: T[b]) -> T[()]:
    return mean_over(b, log((exp(x[b] - y[b]) + exp(y[b] - x[b])) / 2))


def focal(x: T[b]) -> T[()]:
    p = let("p", 1 / (1 + exp(-x[b])))
    return -mean_over(b, (1 - p[b]) ** 2 * log(p[b]))


def squared_tanh(x: T[b]) -> T[()]:
    return mean_over(b, ((exp(x[b]) - exp(-x[b])) / (exp(x[b]) + exp(-x[b]))) ** 2)


def branches(x: T[...]) -> T[...]:
    return where(x >= 0, 1 / (1 + exp(-x)), exp(x) / (1 + exp(x)))


HERE = dict(globals())
WRITINGS = {
    name: build(body, name, {})
    for name, body in HERE.items()
    if callable(body) and getattr(body, "__module__", "") == __name__ and "return" in body.__annotations__
}
# Law → a writing that fails without it.
NEEDED = {
    "log of an entry": "cross_entropy_by_entry",
    "log of a power": "poisson_by_rate",
    "power by an exponential": "cross_entropy_base_two",
    "root of a power": "cubed_sigmoid",
    "log of a difference": "inverse_softplus",
    "log of tanh": "log_of_sigmoid_by_tanh",
    "log between sigmoids": "ordinal",
    "log of a root": "asinh_by_log",
    "softplus and its argument": "logcosh_by_softplus",
    "softplus and more": "logaddexp_by_difference",
    "over cosh": "sigmoid_by_halves",
    "compare exponents": "celu_by_minimum",
    "complement of a share": "geman_mcclure",
    "complement of a power": "biweight",
    "complement of a quotient": "inverse_square_root_unit",
    "norm at zero": "hypotenuse",
    "shift sum of exponentials": "negative_binomial",
}
LOSSES = ("cross_entropy_by_entry", "bernoulli_by_tanh", "divergence_of_logits", "focal",
          "contrastive", "smoothed_cross_entropy", "squared_tanh", "ordinal")  # fmt: skip


@pytest.mark.parametrize("name", WRITINGS)
def test_writings_are_within_bounds(name):
    assert (report := stability(WRITINGS[name], reach=NEAR, **AMOUNT)), report


@pytest.mark.parametrize("law", NEEDED)
def test_without_its_law_a_writing_fails(law, monkeypatch):
    laws = tuple(each for each in derive.stabilise.LAWS if each.name != law)
    assert len(laws) < len(derive.stabilise.LAWS)
    monkeypatch.setattr(derive.stabilise, "LAWS", laws)
    assert not stability(WRITINGS[NEEDED[law]], reach=NEAR, **AMOUNT)


@pytest.mark.parametrize("name", LOSSES)
def test_hessian_products_are_finite_and_right(name):
    """Values only: the gradient of a product is a third derivative."""
    report = stability(hvp(WRITINGS[name]), reach=NEAR, **AMOUNT | {"effort": 2500})
    values = [row for row in report.rows if row.what.endswith("_dot") and not row.what.startswith("d/")]
    assert values and all(row.counts["compared"] and not row.counts["failed"] for row in values), report
