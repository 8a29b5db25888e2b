"""Values that overflow naively do not: every textbook way to write them is finite and right at ±1000, in float32.

Expected values come from mpmath on the very numbers that the code gets, never from the code under test.
"""

import warnings

import mpmath
import numpy as np
import pytest
from sympy import exp, log, sign, sqrt

from derive.api import catalogue, to_numpy
from derive.axes import Int, Scalar, T, axes, equals, logsumexp_over, mean_over, one_hot, softplus, sum_over, where
from derive.axes import sigmoid as sigmoid_of
from derive.formula import assume, build, let
from derive.stabilise import LAWS
from formulas import (
    binary_cross_entropy_with_logits,
    log_softmax,
    logistic_regression,
    sigmoid,
    softmax,
    softmax_cross_entropy,
)

b, c, n = axes("b c n")
k = c.alias("k")


def unregistered(function):
    return build(function, function.__name__, {})


# One function, several ways to write it.


@unregistered
def softmax_with_lets(z: T[b, c]) -> T[b, c]:
    e = let("e", exp(z[b, c]))
    total = let("total", sum_over(c, e[b, c]))
    return e[b, c] / total[b]


@unregistered
def softmax_by_logsumexp(z: T[b, c]) -> T[b, c]:
    return exp(z[b, c] - logsumexp_over(c, z[b, c]))


@unregistered
def softmax_by_reciprocals(z: T[b, c]) -> T[b, c]:
    return 1 / sum_over(k, exp(z[b, k] - z[b, c]))


@unregistered
def log_of_softmax(z: T[b, c]) -> T[b, c]:
    return log(exp(z[b, c]) / sum_over(c, exp(z[b, c])))


@unregistered
def log_of_a_let_softmax(z: T[b, c]) -> T[b, c]:
    p = let("p", exp(z[b, c]) / sum_over(c, exp(z[b, c])))
    return log(p[b, c])


@unregistered
def log_softmax_by_logsumexp(z: T[b, c]) -> T[b, c]:
    return z[b, c] - logsumexp_over(c, z[b, c])


@unregistered
def log_of_called_softmax(z: T[b, c]) -> T[b, c]:
    return log(softmax(z)[b, c])


@unregistered
def entropy_by_softmax(z: T[b, c], t: T[b, c]) -> T[()]:
    assume(equals(sum_over(c, t[b, c]), 1))
    return -mean_over(b, sum_over(c, t[b, c] * log(exp(z[b, c]) / sum_over(c, exp(z[b, c])))))


@unregistered
def entropy_by_let_softmax(z: T[b, c], t: T[b, c]) -> T[()]:
    assume(equals(sum_over(c, t[b, c]), 1))
    p = let("p", exp(z[b, c]) / sum_over(c, exp(z[b, c])))
    return -mean_over(b, sum_over(c, t[b, c] * log(p[b, c])))


@unregistered
def entropy_by_logsumexp(z: T[b, c], t: T[b, c]) -> T[()]:
    assume(equals(sum_over(c, t[b, c]), 1))
    return mean_over(b, sum_over(c, t[b, c] * (logsumexp_over(k, z[b, k]) - z[b, c])))


@unregistered
def entropy_of_classes(z: T[b, c], label: Int[b].below(c)) -> T[()]:
    p = let("p", exp(z[b, c]) / sum_over(c, exp(z[b, c])))
    return -mean_over(b, sum_over(c, one_hot(label[b], c) * log(p[b, c])))


@unregistered
def sigmoid_by_growth(x: T[n]) -> T[n]:
    return exp(x[n]) / (1 + exp(x[n]))


@unregistered
def sigmoid_by_decay(x: T[n]) -> T[n]:
    return 1 / (1 + exp(-x[n]))


@unregistered
def sigmoid_as_function(x: T[n]) -> T[n]:
    return sigmoid_of(x[n])


@unregistered
def softplus_by_log(x: T[n]) -> T[n]:
    return log(1 + exp(x[n]))


@unregistered
def softplus_as_function(x: T[n]) -> T[n]:
    return softplus(x[n])


@unregistered
def minus_log_sigmoid(x: T[n]) -> T[n]:
    return -log(1 / (1 + exp(x[n])))


@unregistered
def minus_log_of_complement(x: T[n]) -> T[n]:
    return -log(1 - sigmoid_of(x[n]))


@unregistered
def binary_entropy_textbook(x: T[n], y: T[n]) -> T[()]:
    p = let("p", sigmoid_of(x[n]))
    return mean_over(n, -y[n] * log(p[n]) - (1 - y[n]) * log(1 - p[n]))


@unregistered
def binary_entropy_spelled_out(x: T[n], y: T[n]) -> T[()]:
    p = let("p", 1 / (1 + exp(-x[n])))
    return mean_over(n, -y[n] * log(p[n]) - (1 - y[n]) * log(1 - p[n]))


@unregistered
def binary_entropy_of_logits(x: T[n], y: T[n]) -> T[()]:
    return mean_over(n, log(1 + exp(x[n])) - y[n] * x[n])


# References by mpmath: the definitions themselves, in numbers whose exponents have no bound.

mpmath.mp.dps = 60


def exactly(function, *arrays):
    """An entrywise function of mpmath numbers, as float64."""
    return np.vectorize(lambda *v: float(function(*(mpmath.mpf(float(a)) for a in v))), otypes=[float])(*arrays)


def rows_exactly(function, z):
    """A function of a row of mpmath numbers that gives a row."""
    return np.array([[float(v) for v in function([mpmath.mpf(float(a)) for a in row])] for row in z])


def _softmax(row):
    total = mpmath.fsum(mpmath.exp(v) for v in row)
    return [mpmath.exp(v) / total for v in row]


def _log_softmax(row):
    total = mpmath.log(mpmath.fsum(mpmath.exp(v) for v in row))
    return [v - total for v in row]


def _sigma(v):
    return 1 / (1 + mpmath.exp(-v))


def _softplus(v):
    return mpmath.log1p(mpmath.exp(v)) if v < 0 else v + mpmath.log1p(mpmath.exp(-v))


def softmax_case(z, g):
    p = rows_exactly(_softmax, z)
    return p, {"z": p * (g - (g * p).sum(1, keepdims=True))}


def log_softmax_case(z, g):
    p = rows_exactly(_softmax, z)
    return rows_exactly(_log_softmax, z), {"z": g - p * g.sum(1, keepdims=True)}


def entropy_case(z, t):
    logp = rows_exactly(_log_softmax, z)
    return -(t * logp).sum() / len(z), {"z": (rows_exactly(_softmax, z) - t) / len(z), "t": -logp / len(z)}


def class_case(z, label):
    value, grads = entropy_case(z, np.eye(z.shape[1])[label])
    return value, {"z": grads["z"]}


def sigmoid_case(x, g):
    return exactly(_sigma, x), {"x": g * exactly(lambda v: _sigma(v) * _sigma(-v), x)}


def softplus_case(x, g):
    return exactly(_softplus, x), {"x": g * exactly(_sigma, x)}


def binary_case(x, y):
    value = exactly(lambda v, t: t * _softplus(-v) + (1 - t) * _softplus(v), x, y).mean()
    return value, {"x": (exactly(_sigma, x) - y) / x.size, "y": -x / x.size}


Z = np.array([[1000.0, -1000.0, 0.0], [-1000.0, -1000.0, -1000.0], [1000.0, 999.0, 1000.0], [0.5, -0.25, 80.0]])
ONE_HOT = np.eye(3)[[0, 1, 2, 0]]
SHARES = np.array([[0.25, 0.25, 0.5]] * 4)
POINTS = np.array([-1000.0, -100.0, -88.5, -20.0, -1.5, 0.0, 0.75, 17.0, 89.0, 104.0, 1000.0])
ODD = np.arange(POINTS.size) % 2 * 1.0

# formula, its arrays, the reference (which takes g where the output is no scalar).
CASES = [
    *((f, {"z": Z}, softmax_case)
      for f in (softmax, softmax_with_lets, softmax_by_logsumexp, softmax_by_reciprocals)),
    *((f, {"z": Z}, log_softmax_case)
      for f in (log_softmax, log_of_softmax, log_of_a_let_softmax, log_softmax_by_logsumexp, log_of_called_softmax)),
    *((f, {"z": Z, "t": t}, entropy_case)
      for f in (softmax_cross_entropy, entropy_by_softmax, entropy_by_let_softmax, entropy_by_logsumexp)
      for t in (ONE_HOT, SHARES)),
    (entropy_of_classes, {"z": Z, "label": np.array([0, 1, 2, 0])}, class_case),
    *((f, {"x": POINTS}, sigmoid_case) for f in (sigmoid, sigmoid_by_growth, sigmoid_by_decay, sigmoid_as_function)),
    *((f, {"x": POINTS}, softplus_case)
      for f in (softplus_by_log, softplus_as_function, minus_log_sigmoid, minus_log_of_complement)),
    *((f, {"x": POINTS, "y": y}, binary_case)
      for f in (binary_entropy_of_logits, binary_entropy_textbook, binary_entropy_spelled_out)
      for y in (ODD, 1 - ODD, 0 * ODD + 0.25)),
]  # fmt: skip
FORMULAS = list({id(f): f for f, _, _ in CASES}.values())


def quietly(function, *args, **kwargs):
    """The call, with every floating-point fault but underflow an error, and warnings too."""
    with np.errstate(all="raise", under="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        return function(*args, **kwargs)


def close(found, expected, dtype):
    found = np.asarray(found)
    assert found.dtype == dtype
    assert np.all(np.isfinite(found)), found
    error, size = np.abs(found - expected), np.abs(expected)
    allowed = 16 * np.finfo(dtype).eps * (size + min(1, size.max(initial=0)))  # 1 − p has the rounding of p, near 1
    assert np.all(error <= allowed), f"{found}\nexpected {expected}"


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(("f", "given", "reference"), CASES, ids=lambda v: getattr(v, "name", ""))
def test_finite_and_right_at_a_thousand(f, given, reference, dtype):
    arrays = {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in given.items()}
    seen = [a.astype(float) if a.dtype.kind == "f" else a for a in arrays.values()]
    module = to_numpy(f)
    y, saved = quietly(module.forward, **arrays)
    if np.ndim(y):
        g = np.random.default_rng(0).normal(size=y.shape).astype(dtype)
        value, expected = reference(*seen, g.astype(float))
        grads = quietly(module.backward, g, saved)
    else:
        value, expected = reference(*seen)
        again, grads = quietly(module.value_and_grad, **arrays)
        close(again, value, dtype)
    close(y, value, dtype)
    for name, gradient in expected.items():
        close(grads[name], gradient, dtype)


@pytest.mark.parametrize("f", FORMULAS, ids=lambda f: f.name)
def test_each_stabilising_law_is_a_recorded_step(f):
    derivation = to_numpy(f).stability
    known = {law.name for law in LAWS} | {"fold a definition"}
    assert set(derivation.laws) <= known
    if f not in (sigmoid_as_function, softplus_as_function):
        assert derivation.laws, "the formula overflows as written: nothing made it safe"
    for equation in derivation.equations:
        for step, following in zip(equation.steps, equation.steps[1:], strict=False):
            assert step.after == following.before


@pytest.mark.parametrize("f", FORMULAS, ids=lambda f: f.name)
def test_the_steps_verify(f):
    report = to_numpy(f).verify(trials=4)
    assert report, report


@pytest.mark.parametrize(
    ("f", "law"),
    [
        (softmax, "shift sum of exponentials"),
        (log_softmax, "shift log-sum-exp"),
        (softmax_cross_entropy, "shift log-sum-exp"),
        (entropy_by_let_softmax, "log of a product"),
        (sigmoid_by_decay, "sigmoid"),
        (binary_cross_entropy_with_logits, "softplus"),
        (binary_entropy_textbook, "softplus"),
        (logistic_regression, "softplus"),
    ],
    ids=lambda v: getattr(v, "name", v),
)
def test_which_law_makes_it_safe(f, law):
    assert law in to_numpy(f).stability.laws


def test_logistic_regression_far_from_the_boundary():
    X, w, y = np.array([[1000.0], [-1000.0], [2.0]]), np.array([1.0]), np.array([0.0, 1.0, 1.0])
    for dtype in (np.float32, np.float64):
        value, grads = quietly(to_numpy(logistic_regression).value_and_grad, X=X.astype(dtype), w=w.astype(dtype),
                               y=y.astype(dtype))  # fmt: skip
        p = exactly(_sigma, X[:, 0])
        close(value, exactly(lambda v, t: _softplus(v) - t * v, X[:, 0], y).sum(), dtype)
        close(grads["w"], X.T @ (p - y), dtype)


@pytest.mark.parametrize(
    ("x", "one_minus", "more"),
    [(-1e-20, 46.0517018598809136804, 1e-20), (-3.0, 0.05106918094270159, 3.0), (-800.0, 0.0, 800.0)],
)
def test_logarithms_near_one(x, one_minus, more):
    """log(1 − eˣ) and log(1 + x) keep the digits that 1 ± … would round away."""

    def near(x: T[...]) -> T[...]:
        return log(1 - exp(x))

    def beyond(x: T[...]) -> T[...]:
        return log(1 - x)

    found = to_numpy(build(near, "near", {})).forward(x=np.array([x]))[0]
    np.testing.assert_allclose(found, [-one_minus], rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(to_numpy(build(beyond, "beyond", {})).forward(x=np.array([x]))[0], [np.log1p(more)])


def test_a_root_stays_in_its_branch():
    """where(x > 0, √x, −x): −x is not −√x·√x, which is NaN there."""

    def root(x: T[...]) -> T[...]:
        return where(x > 0, sqrt(x), -x)

    with np.errstate(all="raise"):
        assert to_numpy(build(root, "root", {})).forward(x=np.array([4.0, -4.0]))[0].tolist() == [2.0, 4.0]


def test_a_float_mask_beside_a_causal_one():
    """Masked scores of a hundred and of −∞: the weights are those of what is seen."""
    formula = catalogue["scaled_dot_product_attention"]
    rng = np.random.default_rng(0)
    q, k, v = (rng.normal(size=(1, 1, 3, 2)) * 30 for _ in range(3))
    mask = np.array([[0.0, 0.0, 0.0], [200.0, 100.0, 0.0], [0.0, -np.inf, 3.0]])
    scores = q @ k.mT / np.sqrt(2) + mask + np.triu(np.full((3, 3), -np.inf), 1)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    expected = weights / weights.sum(-1, keepdims=True) @ v
    code = to_numpy(formula, is_causal=True, attn_mask=True)
    found, saved = code.forward(query=q, key=k, value=v, attn_mask=mask)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert all(np.isfinite(gradient).all() for gradient in code.backward(np.ones_like(found), saved).values())


def test_the_sign_of_a_number():
    """sign(a) of a scalar parameter: Python's `math` has no such function."""

    def turned(x: T[n], a: Scalar = 2.0) -> T[n]:
        return sign(a) * x[n]

    code = to_numpy(build(turned, "turned", {}))
    for a in (-3.0, 0.0, 2.0):
        found = code.forward(x=np.ones(2, np.float32), a=a)[0]
        assert found.dtype == np.float32 and found.tolist() == [np.sign(a)] * 2
