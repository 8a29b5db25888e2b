"""Writings with removable singularities, tails and differences that cancel: right at common magnitudes, or named.

Each is what somebody types from a textbook; none divides by what vanishes but at a point where it has a limit.
"""

import pytest
from sympy import Rational, acosh, atan, cos, cosh, erf, erfc, exp, log, sin, sinh, sqrt, tanh

import derive.stabilise
from derive.api import stability
from derive.axes import Scalar, T, axes, clip, mean_over, minimum, sum_over, where
from derive.axes import sigmoid as sig
from derive.formula import assume, build, let

b, c, d, n = axes("b c d n")
NEAR, AMOUNT = 6.0, {"points": 40, "effort": 4000, "dtypes": ("float32",)}


def growth_ratio(x: T[...]) -> T[...]:
    return (exp(x) - 1) / x


def log_ratio(x: T[...]) -> T[...]:
    assume(x > 0)
    return log(1 + x) / x


def cardinal_sine(x: T[...]) -> T[...]:
    return sin(x) / x


def tanh_remainder(x: T[...]) -> T[...]:
    return (x - tanh(x)) / x**3


def sine_remainder(x: T[...]) -> T[...]:
    return x - sin(x)


def cosine_quotient(x: T[...]) -> T[...]:
    return (1 - cos(x)) / x**2


def one_minus_cos_x(x: T[...]) -> T[...]:
    return (1 - cos(x)) / x


def exp_remainder(x: T[...]) -> T[...]:
    return exp(x) - 1 - x


def linex(x: T[...], y: T[...]) -> T[...]:
    u = x - y
    return exp(u) - u - 1


def phi_two(x: T[...]) -> T[...]:
    return (exp(x) - 1 - x) / x**2


def log_remainder(x: T[...]) -> T[...]:
    assume(x > 0)
    return x - log(1 + x)


def stein(x: T[...]) -> T[...]:
    assume(x > 0)
    return x - 1 - log(x)


def itakura_saito(p: T[b], q: T[b]) -> T[b]:
    assume(p[b] > 0)
    assume(q[b] > 0)
    return p[b] / q[b] - log(p[b] / q[b]) - 1


def kl_unnormalised(p: T[b], q: T[b]) -> T[b]:
    assume(p[b] > 0)
    assume(q[b] > 0)
    return p[b] * log(p[b] / q[b]) - p[b] + q[b]


def box_cox(x: T[...], lam: Scalar = 0.5) -> T[...]:
    assume(x > 0)
    return (x**lam - 1) / lam


def box_cox_learned(x: T[b], lam: T[b]) -> T[b]:
    assume(x[b] > 0)
    return (x[b] ** lam[b] - 1) / lam[b]


def tsallis_q(p: T[b], q: Scalar = 1.001) -> T[b]:
    assume(p[b] > 0)
    assume(p[b] < 1)
    return p[b] * (1 - p[b] ** (q - 1)) / (q - 1)


def log_ndtr(x: T[...]) -> T[...]:
    return log((1 + erf(x / sqrt(2))) / 2)


def probit(x: T[b], y: T[b]) -> T[()]:
    p = let("p", (1 + erf(x[b] / sqrt(2))) / 2)
    return -mean_over(b, y[b] * log(p[b]) + (1 - y[b]) * log(1 - p[b]))


def mills(x: T[...]) -> T[...]:
    return exp(-(x**2) / 2) / (1 - erf(x / sqrt(2)))


def scaled_erfc(x: T[...]) -> T[...]:
    return exp(x**2) * erfc(x)


def log_one_minus_exp_minus(x: T[...]) -> T[...]:
    assume(x > 0)
    return log(1 - exp(-x))


def root_ratio(x: T[...]) -> T[...]:
    assume(x > 0)
    return (sqrt(1 + x) - 1) / x


def acosh_one_plus(x: T[...]) -> T[...]:
    assume(x > 0)
    return acosh(1 + x)


def acosh_by_log(x: T[...]) -> T[...]:
    assume(x > 1)
    return log(x + sqrt(x**2 - 1))


def poincare(u: T[b, d], v: T[b, d]) -> T[b]:
    uu = let("uu", sum_over(d, u[b, d] ** 2))
    vv = let("vv", sum_over(d, v[b, d] ** 2))
    dd = let("dd", sum_over(d, (u[b, d] - v[b, d]) ** 2))
    return acosh(1 + 2 * dd[b] / ((1 + uu[b]) * (1 + vv[b])))


def logit_difference(p: T[...]) -> T[...]:
    assume(p > 0)
    assume(p < 1)
    return log(p) - log(1 - p)


def softplus_ratio(x: T[...]) -> T[...]:
    return log(1 + exp(x)) / exp(x)


def softplus_over_x(x: T[...]) -> T[...]:
    return (log(1 + exp(x)) - log(2)) / x


def log_mean_exp_two(x: T[...], y: T[...]) -> T[...]:
    return log((exp(x) + exp(y)) / 2)


def smooth_abs2(x: T[...]) -> T[...]:
    return log(1 + exp(x)) + log(1 + exp(-x)) - 2 * log(2)


def bernoulli_fn(x: T[...]) -> T[...]:
    return x / (exp(x) - 1)


def sigmoid_minus_half(x: T[...]) -> T[...]:
    return 1 / (1 + exp(-x)) - Rational(1, 2)


def continuous_bernoulli(x: T[...]) -> T[...]:
    return log((1 - exp(-x)) / x)


def coth_langevin(x: T[...]) -> T[...]:
    return 1 / tanh(x) - 1 / x


def sinh_ratio(x: T[...]) -> T[...]:
    return sinh(x) / x


def log_sinh_ratio(x: T[...]) -> T[...]:
    return log(sinh(x) / x)


def atan_remainder(x: T[...]) -> T[...]:
    return x - atan(x)


def asinh_remainder(x: T[...]) -> T[...]:
    return x - log(x + sqrt(1 + x**2))


def arctan_ratio(x: T[...]) -> T[...]:
    return atan(x) / x


def cosh_minus_one(x: T[...]) -> T[...]:
    return cosh(x) - 1


def cauchy(x: T[...]) -> T[...]:
    return log(1 + x**2 / 2)


def barron(x: T[...], a: Scalar = 1.5) -> T[...]:
    return (a - 2) ** 1 / a * ((x**2 / (2 - a) + 1) ** (a / 2) - 1)


def quadratic_root(p: T[...], q: T[...]) -> T[...]:
    assume(p > 0)
    assume(q > 0)
    return -p + sqrt(p**2 + q)


def two_sqrt(x: T[...]) -> T[...]:
    assume(x > 0)
    return sqrt(x + 1) - sqrt(x)


def logistic_gap(x: T[...], y: T[...]) -> T[...]:
    return sig(x) - sig(y)


def tanh_gap(x: T[...], y: T[...]) -> T[...]:
    return tanh(x) - tanh(y)


def exp_gap(x: T[...], y: T[...]) -> T[...]:
    return exp(x) - exp(y)


def gompertz(x: T[...]) -> T[...]:
    return exp(-exp(-x))


def cloglog_loss(x: T[b], y: T[b]) -> T[()]:
    p = let("p", 1 - exp(-exp(x[b])))
    return -mean_over(b, y[b] * log(p[b]) + (1 - y[b]) * log(1 - p[b]))


def loglog(x: T[...]) -> T[...]:
    return 1 - exp(-exp(x))


def ppo(new: T[b], old: T[b], A: T[b], eps: Scalar = 0.2) -> T[()]:
    r = let("r", exp(new[b] - old[b]))
    return -mean_over(b, minimum(r[b] * A[b], clip(r[b], 1 - eps, 1 + eps) * A[b]))


def gumbel_cdf(x: T[...]) -> T[...]:
    return -log(-log(1 / (1 + exp(-x))))


def linear_attention(q: T[n, d], k: T[n, d], v: T[n, c]) -> T[n, c]:
    m = n.alias("m")
    one = let("one", where(q[n, d] > 0, q[n, d] + 1, exp(q[n, d])))
    two = let("two", where(k[n, d] > 0, k[n, d] + 1, exp(k[n, d])))
    s = let("s", sum_over(d, one[n, d] * two[m, d]))
    return sum_over(m, s[n, m] * v[m, c]) / sum_over(m, s[n, m])


def dice_logcosh(x: T[...]) -> T[...]:
    return log((exp(x) + exp(-x)) / 2) - x


def exponential_beside_its_argument(x: T[...]) -> T[...]:
    return exp(x) * (x - 1) + 1


HERE = dict(globals())
WRITINGS = {
    name: build(body, name, {})
    for name, body in HERE.items()
    if callable(body) and getattr(body, "__module__", "") == __name__ and "return" in body.__annotations__
}
# What is not right yet, and why. One that passes fails its test: the table only shrinks.
OPEN = {
    "tanh_remainder": "where the series ends, two orders have cancelled: 37 ulp, 22 are allowed",
    "probit": "p of a let is 1 in float32: what is divided by it is lost",
    "scaled_erfc": "2x erfcx(x) less its limit",
    "softplus_ratio": "softplus(x) e⁻ˣ: both under- and overflow",
    "softplus_over_x": "the constant of softplus is no fraction",
    "continuous_bernoulli": "the logarithm of a quotient of two that overflow",
    "log_sinh_ratio": "the logarithm of what is near 1, by its own series",
    "barron": "what is raised to a is not known to be positive",
    "cloglog_loss": "where eˣ underflows, 1/p is asked for and not used",
    "ppo": "r A is compared with clip(r) A, where r may be ∞: a warning, and no wrong number",
    "linear_attention": "all features underflow: a sum of cases has no largest exponent",
}
# Law → a writing that fails without it.
NEEDED = {
    "near zero": "sine_remainder",
    "log of a mean of two": "log_mean_exp_two",
    "less the log of a number": "cauchy",
    "versine of the hyperbola": "cosh_minus_one",
    "power and one": "box_cox_learned",
    "tail of erfc": "mills",
    "log of erfc": "log_ndtr",
    "over a difference": "bernoulli_fn",
    "squashed": "gompertz",
    "apart": "logistic_gap",
}


@pytest.mark.parametrize("name", [name for name in WRITINGS if name not in OPEN])
def test_writings_are_within_bounds(name):
    assert (report := stability(WRITINGS[name], reach=NEAR, **AMOUNT)), report


@pytest.mark.parametrize("name", OPEN)
def test_what_is_open(name):
    assert not stability(WRITINGS[name], reach=NEAR, **AMOUNT), f"{name} is within bounds: take it out of OPEN"


@pytest.mark.parametrize("law", NEEDED)
def test_without_its_law_a_writing_fails(law, monkeypatch):
    laws = tuple(each for each in derive.stabilise.LAWS if each.name != law)
    assert len(laws) < len(derive.stabilise.LAWS)
    monkeypatch.setattr(derive.stabilise, "LAWS", laws)
    assert not stability(WRITINGS[NEEDED[law]], reach=NEAR, **AMOUNT)
