"""Verification passes what is right and catches what is wrong: gradients, steps, code, second derivatives."""

import numpy as np
import pytest
import sympy
from sympy import exp, log, sqrt, tanh

from derive.api import catalogue, verify
from derive.axes import (
    AdjointOf,
    Bool,
    Delta,
    DeriveError,
    Int,
    MaxOver,
    NameProblem,
    Scalar,
    Size,
    T,
    TangentOf,
    Tensor,
    Unsupported,
    absolute,
    axes,
    axis,
    clip,
    equals,
    maximum,
    mean_over,
    one_hot,
    prod_over,
    sigmoid,
    softplus,
    sum_over,
    where,
)
from derive.formula import assume, build, let
from derive.oracle import Point, evaluate
from derive.steps import Derivation, Equation, Step
from derive.verify import (
    Check,
    Report,
    Sampler,
    broken,
    check_code,
    check_gradient,
    check_hessian,
    check_jacobian,
    check_jvp,
    check_steps,
    sample_point,
)
from derive.verify.dual import tangents_at

b, i, o, c, n = axes("b i o c n")
k, m, b2 = c.alias("k"), n.alias("m"), b.alias("b2")
d = axis("d", min=2)


def traced(function):
    return build(function, function.__name__, {}).trace()


def adjoint(of, body):
    """∂L/∂of as a result: a tensor over the variable's letters."""
    return Tensor(f"{of.name}_bar", of.axes, body=sympy.sympify(body), role="adjoint", of=of.name)


def upstream(*letters, name="g"):
    return Tensor(name, letters, role="upstream")


@traced
def dense(x: T[b, i], w: T[i, o], beta: T[o]) -> T[b, o]:
    return sum_over(i, x[b, i] * w[i, o]) + beta[o]


@traced
def softmax(z: T[b, c]) -> T[b, c]:
    return exp(z[b, c]) / sum_over(c, exp(z[b, c]))


@traced
def cross_entropy(z: T[b, c], t: T[b, c]) -> T[()]:
    assume(equals(sum_over(c, t[b, c]), 1))
    return -mean_over(b, sum_over(c, t[b, c] * (z[b, c] - log(sum_over(c, exp(z[b, c]))))))


@traced
def square(A: T[n, m], x: T[n]) -> T[n]:
    return sum_over(m, A[n, m] * x[m])


@traced
def relu_layer(x: T[b, i], w: T[i, o]) -> T[b, o]:
    h = let("h", sum_over(i, x[b, i] * w[i, o]))
    return maximum(h[b, o], 0)


@traced
def attention_mask(z: T[b, c], keep: Bool[b, c]) -> T[b]:
    return sum_over(c, where(keep[b, c], exp(z[b, c]), 0))


@traced
def likelihood(z: T[b, c], y: Int[b].below(c)) -> T[()]:
    return mean_over(b, sum_over(c, one_hot(y[b], c) * z[b, c] ** 2))


@traced
def two(x: T[n], eps: Scalar) -> tuple[T[n], T[()]]:
    return eps * x[n] ** 2, sum_over(n, x[n])


@traced
def mean_square(x: T[n]) -> T[()]:
    return mean_over(n, x[n] ** 2)


@traced
def tanh_(x: T[...]) -> T[...]:
    return tanh(x)


x, w, beta = dense.inputs
z = softmax.inputs[0]
t = cross_entropy.input("t")
A, v = square.inputs
rx, rw = relu_layer.inputs
h = next(tensor for tensor in relu_layer.definitions if tensor.name == "h")
e, keep = attention_mask.inputs
q, labels = likelihood.inputs
u, u_mean, any_x = two.inputs[0], mean_square.inputs[0], tanh_.inputs[0]
g_bo, g_bc, g_n, g_b, g_1 = upstream(b, o), upstream(b, c), upstream(n), upstream(b), upstream(name="g_1")
p = Tensor("p", (b, c), body=exp(z[b, c]) / sum_over(c, exp(z[b, c])), role="found")
step_h = where(h[b, o] > 0, g_bo[b, o], 0)

# formula, upstreams, variable, its gradient, and gradients that are wrong
GRADIENTS = {
    "dense w": (
        dense, [g_bo], w, sum_over(b, x[b, i] * g_bo[b, o]),
        [
            -sum_over(b, x[b, i] * g_bo[b, o]),  # sign
            2 * sum_over(b, x[b, i] * g_bo[b, o]),  # factor
            mean_over(b, x[b, i] * g_bo[b, o]),  # reduction
            sum_over(b, x[b, i]) * sum_over(b, g_bo[b, o]),  # the letters of one sum apart
            sum_over(b, x[b, i] * g_bo[b, o]) + sympy.Rational(1, 10**5) * w[i, o],  # a small term too much
        ],
    ),
    "dense beta": (dense, [g_bo], beta, sum_over(b, g_bo[b, o]), [mean_over(b, g_bo[b, o]), sympy.Integer(0)]),
    "softmax": (
        softmax, [g_bc], z, p[b, c] * (g_bc[b, c] - sum_over(k, g_bc[b, k] * p[b, k])),
        [
            p[b, c] * (g_bc[b, c] + sum_over(k, g_bc[b, k] * p[b, k])),  # sign of a term
            p[b, c] * g_bc[b, c],  # missing term
            p[b, c] * (g_bc[b, c] - sum_over(k, g_bc[b, c] * p[b, k])),  # wrong index
            p[b, c] * (g_bc[b, c] - mean_over(k, g_bc[b, k] * p[b, k])),
        ],
    ),
    "cross-entropy z": (
        cross_entropy, [], z, (p[b, c] - t[b, c]) / b.size,
        [(t[b, c] - p[b, c]) / b.size, (p[b, c] - t[b, c]) / c.size, p[b, c] - t[b, c], p[b, c] / b.size],
    ),
    "cross-entropy t": (
        cross_entropy, [], t, (log(sum_over(c, exp(z[b, c]))) - z[b, c]) / b.size, [-log(p[b, c])],
    ),
    "square A": (square, [g_n], A, g_n[n] * v[m], [g_n[m] * v[n]]),
    "square x": (square, [g_n], v, sum_over(m, A[m, n] * g_n[m]), [sum_over(m, A[n, m] * g_n[m])]),
    "relu w": (
        relu_layer, [g_bo], rw, sum_over(b, rx[b, i] * step_h),
        [
            sum_over(b, rx[b, i] * where(h[b, o] >= 0, g_bo[b, o], 0)),  # another convention at the kink
            sum_over(b, rx[b, i] * where(h[b, o] > 0, g_bo[b, o], g_bo[b, o] / 100)),
        ],
    ),
    "mask": (
        attention_mask, [g_b], e, where(keep[b, c], g_b[b] * exp(e[b, c]), 0),
        [g_b[b] * exp(e[b, c]), where(keep[b, c], 0, g_b[b] * exp(e[b, c]))],
    ),
    "labels": (
        likelihood, [], q, 2 * one_hot(labels[b], c) * q[b, c] / b.size, [2 * q[b, c] / b.size],
    ),
    "two outputs": (
        two, [g_n, g_1], u, 2 * two.scalars[0] * g_n[n] * u[n] + g_1[()],
        [2 * two.scalars[0] * g_n[n] * u[n], 2 * g_n[n] * u[n] + g_1[()]],
    ),
    "elementwise": (tanh_, [g_1], any_x, g_1[()] * (1 - tanh(any_x[()]) ** 2), [g_1[()] * (1 - tanh(any_x[()]))]),
}  # fmt: skip


@pytest.mark.parametrize("subject, upstreams, of, right, wrong", GRADIENTS.values(), ids=GRADIENTS)
def test_a_right_gradient_passes_and_wrong_ones_fail(subject, upstreams, of, right, wrong):
    report = check_gradient(subject, {of.name: adjoint(of, right)}, upstreams)
    assert report, str(report)
    for body in wrong:
        report = check_gradient(subject, {of.name: adjoint(of, body)}, upstreams)
        assert not report and f"d/d{of.name}" in report.where, f"{body} passed"


def test_a_failure_says_where():
    report = check_gradient(dense, {"w": adjoint(w, sum_over(b, x[b, i] * g_bo[b, o]) + 1)}, [g_bo], seed=7)
    row = next(check for check in report.checked if "dual" in check.what)
    assert not row.passed and row.what == "d/dw by dual numbers" and row.points > 20
    for words in ("d/dw[", "B=", "I=", "O=", "of seed 7", "expected"):
        assert words in row.where
    assert "FAIL d/dw by dual numbers" in str(report) and row.where in str(report)


def test_the_same_seed_gives_the_same_report():
    result = {"z": adjoint(z, (p[b, c] - t[b, c]) / b.size)}
    assert check_gradient(cross_entropy, result, seed=3) == check_gradient(cross_entropy, result, seed=3)
    assert check_gradient(cross_entropy, result, seed=3) != check_gradient(cross_entropy, result, seed=4)


def test_a_result_over_the_wrong_letters_fails():
    turned = Tensor("w_bar", (o, i), body=sum_over(b, x[b, i] * g_bo[b, o]), role="adjoint")
    report = check_gradient(dense, {"w": turned}, [g_bo])
    assert not report and "shape" in report.checked[0].what


def test_what_cannot_be_checked_raises():
    with pytest.raises(NameProblem, match="dense: 'x_1' is no real input"):
        check_gradient(dense, {"x_1": adjoint(x, 0)}, [g_bo])
    with pytest.raises(NameProblem, match="'y' is no real input"):
        check_gradient(likelihood, {"y": adjoint(labels, 0)})
    with pytest.raises(DeriveError, match="expected one upstream for each of 1 outputs, given 0"):
        check_gradient(dense, {"w": adjoint(w, 0)})


# --- every function, by its gradient: the witnesses know them ---------------------------------------------------------

a = Tensor("a", (n,))
FUNCTIONS = {
    "exp": (exp, exp),
    "log": (lambda s: log(1 + s**2), lambda s: 2 * s / (1 + s**2)),
    "sqrt": (lambda s: sqrt(1 + s**2), lambda s: s / sqrt(1 + s**2)),
    "cube": (lambda s: s**3, lambda s: 3 * s**2),
    "base": (lambda s: sympy.Pow(2, s, evaluate=False), lambda s: log(2) * sympy.Pow(2, s, evaluate=False)),
    "sin": (sympy.sin, sympy.cos),
    "cos": (sympy.cos, lambda s: -sympy.sin(s)),
    "tan": (lambda s: sympy.tan(tanh(s)), lambda s: (1 + sympy.tan(tanh(s)) ** 2) * (1 - tanh(s) ** 2)),
    "asin": (lambda s: sympy.asin(tanh(s)), lambda s: sqrt(1 - tanh(s) ** 2)),
    "acos": (lambda s: sympy.acos(tanh(s)), lambda s: -sqrt(1 - tanh(s) ** 2)),
    "atan": (sympy.atan, lambda s: 1 / (1 + s**2)),
    "sinh": (sympy.sinh, sympy.cosh),
    "cosh": (sympy.cosh, sympy.sinh),
    "asinh": (sympy.asinh, lambda s: 1 / sqrt(1 + s**2)),
    "acosh": (lambda s: sympy.acosh(1 + exp(s)), lambda s: exp(s) / sqrt((1 + exp(s)) ** 2 - 1)),
    "atanh": (lambda s: sympy.atanh(tanh(s)), lambda s: sympy.Integer(1)),
    "erf": (sympy.erf, lambda s: 2 / sqrt(sympy.pi) * exp(-(s**2))),
    "erfc": (sympy.erfc, lambda s: -2 / sqrt(sympy.pi) * exp(-(s**2))),
    "sigmoid": (sigmoid, lambda s: sigmoid(s) * (1 - sigmoid(s))),
    "softplus": (softplus, sigmoid),
    "abs": (absolute, lambda s: sympy.sign(s)),
    "sign": (lambda s: s * sympy.sign(s), lambda s: sympy.sign(s)),
    "clip": (lambda s: clip(s, -1, 0), lambda s: where(s < -1, 0, where(s > 0, 0, 1))),
    "relu": (lambda s: maximum(s, 0), lambda s: where(s > 0, 1, 0)),
}


@pytest.mark.parametrize("function, slope", FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_function_and_its_slope(function, slope):
    with sympy.evaluate(False):
        subject = traced_over(function(a[n]))
        right, wrong = g_n[n] * slope(a[n]), g_n[n] * slope(a[n]) * sympy.Rational(101, 100)
    assert check_gradient(subject, {"a": adjoint(a, right)}, [g_n], trials=5)
    assert not check_gradient(subject, {"a": adjoint(a, wrong)}, [g_n], trials=5)


def traced_over(body):
    @traced
    def made(a: T[n]) -> T[n]:
        return body

    return made


def test_reductions_over_axes():
    @traced
    def largest(x: T[b, n]) -> T[b]:
        return MaxOver(x[b, n], n)

    @traced
    def product(x: T[b, n]) -> T[b]:
        return prod_over(n, x[b, n])

    (xs,) = largest.inputs
    others = prod_over(m, where(sympy.Ne(m, n), xs[b, m], 1))
    assert check_gradient(product, {"x": adjoint(xs, g_b[b] * others)}, [g_b])
    # no tie at a random point: the first maximiser is the only one
    top = where(xs[b, n] >= MaxOver(xs[b, m], m), g_b[b], 0)
    report = check_gradient(largest, {"x": adjoint(xs, top)}, [g_b])
    failed = [check.what for check in report.checked if not check.passed]
    assert failed == ["d/dx on kinks, by convention"], str(report)


# --- points -----------------------------------------------------------------------------------------------------------

Q = Tensor("Q", (n, m))
ASSUMPTIONS = {
    "simplex": lambda s: equals(sum_over(m, s[n, m]), 1),
    "simplex, turned": lambda s: equals(1, sum_over(m, s[n, m])),
    "simplex over two": lambda s: equals(sum_over((n, m), s[n, m]), 1),
    "unit": lambda s: equals(sum_over(m, s[n, m] ** 2), 1),
    "positive": lambda s: s[n, m] > 0,
    "positive, turned": lambda s: sympy.Lt(0, s[n, m], evaluate=False),
    "at least": lambda s: s[n, m] >= 2,
    "below": lambda s: s[n, m] < -3,
    "symmetric": lambda s: equals(s[n, m], s[m, n]),
    "orthogonal rows": lambda s: equals(sum_over(k_n, s[n, k_n] * s[m, k_n]), Delta(n, m)),
    "orthogonal columns": lambda s: equals(sum_over(k_n, s[k_n, n] * s[k_n, m]), Delta(n, m)),
}
k_n = n.alias("k_n")


@pytest.mark.parametrize("statement", ASSUMPTIONS.values(), ids=ASSUMPTIONS)
def test_inputs_satisfy_what_is_assumed(statement):
    @traced
    def f(Q: T[n, m]) -> T[()]:
        assume(statement(Q))
        return sum_over((n, m), Q[n, m])

    for seed in range(5):
        point = sample_point(f, np.random.default_rng(seed))
        assert not broken(statement(Q), point)


def test_two_bounds_make_an_interval_and_scalars_have_bounds_too():
    @traced
    def f(x: T[n], eps: Scalar) -> T[n]:
        assume(x[n] > 2)
        assume(x[n] < 3)
        assume(eps > 5)
        return x[n] * eps

    point = sample_point(f, np.random.default_rng(0), shape="distinct")
    assert ((point.arrays["x"] > 2) & (point.arrays["x"] < 3)).all() and point.scalars["eps"] > 5


def test_an_assumption_of_another_kind_brings_its_sampler():
    def sample(rng, shapes):
        return {"x": np.sort(rng.normal(size=shapes["x"])) + 10}

    with_sampler = build(_needs(sample), "with_sampler", {}).trace()
    assert sample_point(with_sampler, np.random.default_rng(0)).arrays["x"].min() > 5
    with pytest.raises(Unsupported, match=r"without: no sampler for the assumption .*sample="):
        sample_point(build(_needs(None), "without", {}).trace(), np.random.default_rng(0))


def _needs(sample):
    def f(x: T[n]) -> T[n]:
        assume(equals(sum_over(n, sqrt(x[n]) ** 4), sum_over(n, x[n] ** 2)), sample=sample)
        return x[n]

    return f


def test_broken_assumptions_are_located():
    good, bad = np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([[0.5, 0.5], [0.25, 0.7]])
    statement = cross_entropy.assumptions[0].statement
    lengths = {b.size: 2, c.size: 2}
    assert broken(statement, Point({"t": good}, lengths)) == ""
    found = broken(statement, Point({"t": bad}, lengths))
    assert found == "sum_over(c, t[b, c]) = 1 is broken at b=1: 0.95 = 1 is false"


def test_shapes_include_ones_and_coincident_lengths_and_keep_minima():
    @traced
    def f(x: T[b, d]) -> T[b]:
        return sum_over(d, x[b, d])

    shapes = {s: sample_point(f, np.random.default_rng(0), shape=s).arrays["x"].shape for s in ("ones", "equal")}
    assert shapes["ones"] == (1, 2) and len(set(shapes["equal"])) == 1
    assert len(set(sample_point(f, np.random.default_rng(0), shape="distinct").arrays["x"].shape)) == 2


def test_derived_lengths_are_at_least_one():
    s, r = Size("s", default=1), axis("r")
    long = axis("long", (n.size - r.size) // s + 1)

    @traced
    def f(x: T[n], w: T[r], y: T[long]) -> T[()]:
        return sum_over(n, x[n]) + sum_over(r, w[r]) + sum_over(long, y[long])

    for seed in range(20):
        assert min(a.size for a in sample_point(f, np.random.default_rng(seed)).arrays.values()) >= 1


def test_points_where_numbers_are_extreme_are_not_preferred():
    for seed in range(40):
        point = sample_point(steep, np.random.default_rng(seed))
        total = evaluate(sum_over(c, exp(40 * steep.inputs[0][b, c] ** 3)), point, (b,))
        assert np.all((total > 1e-75) & (total < 1e75))

    @traced
    def always(x: T[n]) -> T[n]:
        huge = let("huge", exp(200 + x[n]))
        return huge[n] / exp(200)

    assert sample_point(always, np.random.default_rng(0)).arrays["x"].size


def test_points_stay_away_from_kinks_or_lie_on_them():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        away, on = sample_point(relu_layer, rng), sample_point(relu_layer, rng, kinks="on", shape="distinct")
        assert np.abs(evaluate(h[b, o], away, (b, o))).min() >= 1e-3
        assert set(np.unique(on.arrays["x"])) <= {-1, 0, 1}


def test_a_comparison_that_cannot_flip_is_no_kink():
    @traced
    def spread(x: T[n]) -> T[()]:
        return sum_over((n, m), absolute(x[n] - x[m])) + sum_over((n, m), where(m <= n, x[n] * x[m], 0))

    (xs,) = spread.inputs
    body = 2 * sum_over(m, sympy.sign(xs[n] - xs[m])) + sum_over(m, xs[m]) + xs[n]
    assert check_gradient(spread, {"x": adjoint(xs, body)})


def test_a_formula_that_is_never_finite_says_so():
    @traced
    def entropy(x: T[b, n]) -> T[()]:
        return sum_over((b, n), x[b, n] * log(-exp(x[b, n])))

    with pytest.raises(DeriveError, match=r"entropy: found no point in .* L is not finite; .*assume"):
        sample_point(entropy, np.random.default_rng(0))


def test_sizes_in_bodies_and_scalars_have_values():
    @traced
    def f(x: T[n], eps: Scalar = 1e-5) -> T[n]:
        return x[n] / sqrt(b.size) + eps

    points = [Sampler(f).point(np.random.default_rng(seed)) for seed in range(9)]
    assert all(set(point.sizes) == {b.size, n.size} for point in points)
    found = {point.scalars["eps"] for point in points}  # its default, and numbers that do not hide mistakes
    assert 1e-5 in found and max(found) > 0.1


# --- derivations ------------------------------------------------------------------------------------------------------

gy = upstream(b, o)
summed = sum_over(b, rx[b, i] * step_h)
h_bar = Tensor("h_bar", (b, o), body=step_h, role="adjoint", of="h")


def derivation(*steps, target=None, result=None):
    of_h = Equation("adjoint", AdjointOf(h[b, o]), h_bar, (Step("where", AdjointOf(h[b, o]), step_h),))
    steps = steps or (
        Step("chain rule", AdjointOf(rw[i, o]), sum_over(b, AdjointOf(h[b, o]) * rx[b, i])),
        Step("substitute", sum_over(b, AdjointOf(h[b, o]) * rx[b, i]), sum_over(b, h_bar[b, o] * rx[b, i])),
        Step("unfold", sum_over(b, h_bar[b, o] * rx[b, i]), summed),
    )
    final = Equation("result", target or AdjointOf(rw[i, o]), adjoint(rw, result or summed), steps)
    fact = Equation(
        "fact", sum_over(o, rw[i, o]), None, (Step("twice", sum_over(o, rw[i, o]), 2 * sum_over(o, rw[i, o]) / 2),)
    )
    return Derivation("relu", (of_h, fact, final))


def test_a_right_derivation_passes():
    report = check_steps(relu_layer, derivation(), [gy])
    assert report, str(report)
    rows = {check.what for check in report.checked}
    assert {"replay", "step: chain rule", "step: where", "step: unfold", "each target = its result"} <= rows


def test_single_scalar_output_needs_no_upstream():
    step = Step("power", AdjointOf(u_mean[n]), 2 * u_mean[n] / n.size)
    result = adjoint(u_mean, 2 * u_mean[n] / n.size)
    right = Derivation("mean", (Equation("result", step.before, result, (step,)),))
    assert check_steps(mean_square, right)
    wrong = Derivation("mean", (Equation("result", step.before, result, (Step("power", step.before, u_mean[n]),)),))
    report = check_steps(mean_square, wrong)
    assert not report and "equation 1 (d/dx[n]), step 1 [n=" in report.where


WRONG_STEPS = {
    "sign": (Step("chain rule", AdjointOf(rw[i, o]), -summed),),
    "mean for sum": (
        Step("chain rule", AdjointOf(rw[i, o]), summed),
        Step("mean", summed, mean_over(b, rx[b, i] * step_h)),
        Step("back", mean_over(b, rx[b, i] * step_h), summed),
    ),
    "a small term": (
        Step("chain rule", AdjointOf(rw[i, o]), summed),
        Step("drop", summed, summed * (1 + sympy.Rational(1, 10**7))),
    ),
    "does not continue": (
        Step("chain rule", AdjointOf(rw[i, o]), summed),
        Step("unfold", sum_over(b, h_bar[b, o] * rx[b, i]), summed),
    ),
}


@pytest.mark.parametrize("steps", WRONG_STEPS.values(), ids=WRONG_STEPS)
def test_a_wrong_step_is_found(steps):
    assert not check_steps(relu_layer, derivation(*steps), [gy])


def test_a_result_that_is_not_what_was_derived_is_found():
    report = check_steps(relu_layer, derivation(result=2 * summed), [gy])
    assert [check.what for check in report.checked if not check.passed] == ["each named result = its equation"]
    report = check_steps(relu_layer, derivation(target=2 * AdjointOf(rw[i, o])), [gy])
    assert [check.what for check in report.checked if not check.passed] == ["each target = its result"]


S = Tensor("S", (b,), body=sum_over(c, exp(z[b, c])), role="found")
(y,) = softmax.outputs
reading = Equation("definition", y[b, c], None, (Step("name", y[b, c], exp(z[b, c]) / S[b]),))


def one(target, after, *, tensor=None, before=(), of=None):
    """A derivation of one step, after some definitions."""
    return Derivation("one", (*before, Equation("adjoint", target, tensor, (Step("chain", target, after),))), of)


def test_a_name_that_the_derivation_puts_into_the_formula():
    target, right = AdjointOf(S[b]), -sum_over(c, g_bc[b, c] * y[b, c]) / S[b]
    report = check_steps(softmax, one(target, right, before=[reading]), [g_bc])
    assert report, str(report)
    assert not check_steps(softmax, one(target, -right, before=[reading]), [g_bc])
    report = check_steps(softmax, one(target, right), [g_bc])
    assert not report and "S is no input and no intermediate" in report.where
    misread = Equation("definition", y[b, c], None, (Step("name", y[b, c], exp(z[b, c]) / (2 * S[b])),))
    assert "equation 1 (y[b, c]), step 1" in check_steps(softmax, one(target, right, before=[misread]), [g_bc]).where


@traced
def steep(x: T[b, c]) -> T[b, c]:
    big = let("big", 40 * x[b, c] ** 3)
    return exp(big[b, c]) / sum_over(c, exp(big[b, c]))


def test_an_intermediate_may_be_tiny_or_large():
    """Sums of exponentials from e⁻¹⁰⁰ to e¹⁰⁰: no step of a fixed width measures a derivative for all of them."""
    ((y,), big) = steep.outputs, next(t for t in steep.definitions if t.name == "big")
    total = Tensor("S", (b,), body=sum_over(c, exp(big[b, c])), role="found")
    read = Equation("definition", y[b, c], None, (Step("name", y[b, c], exp(big[b, c]) / total[b]),))
    target, right = AdjointOf(total[b]), -sum_over(c, g_bc[b, c] * y[b, c]) / total[b]
    for seed in range(5):
        report = check_steps(steep, one(target, right, before=[read]), [g_bc], trials=6, seed=seed)
        assert report, str(report)
    for factor in (-1, 2, 1 + sympy.Rational(1, 10**7)):
        assert not check_steps(steep, one(target, factor * right, before=[read]), [g_bc], trials=6)


def test_a_derivative_on_a_kink_of_an_intermediate_follows_the_conventions():
    """d = clip(c) is c at most points: there min(c, d) has a kink in d alone, where no difference is a slope."""

    @traced
    def least(x: T[n]) -> T[()]:
        held = let("held", clip(x[n], -9, 9))
        return sum_over(n, where(held[n] < x[n], held[n], x[n]))

    (held,) = (tensor for tensor in least.definitions if tensor.name == "held")
    (xs,) = least.inputs
    assert check_steps(least, one(AdjointOf(held[n]), where(held[n] < xs[n], 1, 0)))
    assert not check_steps(least, one(AdjointOf(held[n]), sympy.Rational(1, 2) + 0 * xs[n]))


def test_steps_of_a_jacobian():
    target = AdjointOf(z[b2, k])
    right = p[b, c] * (Delta(c, k) - p[b, k]) * Delta(b, b2)
    assert check_steps(softmax, one(target, right, of=y[b, c]))
    assert not check_steps(softmax, one(target, p[b, c] * (Delta(c, k) - p[b, k]), of=y[b, c]))


def test_steps_of_a_tangent():
    w_dot = Tensor("w_dot", rw.axes, role="tangent", of="w")
    h_dot = sum_over(i, rx[b, i] * w_dot[i, o])
    assert check_steps(relu_layer, one(TangentOf(h[b, o]), h_dot))
    assert check_steps(relu_layer, one(TangentOf(rw[i, o]), w_dot[i, o]), [w_dot])
    assert not check_steps(relu_layer, one(TangentOf(h[b, o]), 2 * h_dot))
    (y_relu,) = relu_layer.outputs
    assert check_steps(relu_layer, one(TangentOf(y_relu[b, o]), where(h[b, o] > 0, h_dot, 0)))
    assert not check_steps(relu_layer, one(TangentOf(y_relu[b, o]), where(h[b, o] > 0, 0, h_dot)))


def test_a_derivative_of_what_the_formula_does_not_have_is_a_failure():
    stranger = Tensor("s", (n,), body=v[n], role="found")
    step = Step("invent", AdjointOf(stranger[n]), v[n])
    report = check_steps(square, Derivation("x", (Equation("adjoint", step.before, None, (step,)),)), [g_n])
    assert not report and "s is no input and no intermediate" in report.where


# --- code -------------------------------------------------------------------------------------------------------------


def forward(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p, p


def backward(g, p):
    return {"z": p * (g - (g * p).sum(axis=1, keepdims=True))}


def in_place(z):
    z -= z.max(axis=1, keepdims=True)
    return forward(z)


def spoils_g(g, p):
    g *= p
    return {"z": g - p * g.sum(axis=1, keepdims=True)}


WRONG_CODE = {
    "forward off": (lambda z: (forward(z)[0] * 1.001, forward(z)[1]), backward),
    "no keepdims": (forward, lambda g, p: {"z": p * (g - (g * p).sum(axis=1))}),
    "sign": (forward, lambda g, p: {"z": -backward(g, p)["z"]}),
    "promotes": (forward, lambda g, p: {"z": backward(g, p)["z"] * np.float64(1)}),
    "missing": (forward, lambda g, p: {}),
    "raises": (forward, lambda g, p: {"z": g @ p @ g}),
    "no pair": (lambda z: forward(z)[0], backward),
    "several outputs": (lambda z: (forward(z), None), lambda g, p: {}),
    "no dictionary": (forward, lambda g, p: [backward(g, p)["z"]]),
    "shape": (forward, lambda g, p: {"z": backward(g, p)["z"][None]}),
    "changes its input": (in_place, backward),
    "changes the upstream": (forward, spoils_g),
    "not finite": (lambda z: (np.where(z > 1, np.nan, forward(z)[0]), forward(z)[1]), backward),
}
SOFTMAX = {"z": adjoint(z, GRADIENTS["softmax"][3])}


def test_right_code_passes():
    report = check_code(softmax, forward, backward, results=SOFTMAX, upstreams=[g_bc])
    assert report, str(report)


@pytest.mark.parametrize("forward, backward", WRONG_CODE.values(), ids=WRONG_CODE)
def test_wrong_code_is_found(forward, backward):
    report = check_code(softmax, forward, backward, results=SOFTMAX, upstreams=[g_bc])
    assert not report and ("seed 0" in report.where or "missing" in report.where)


def test_code_of_a_scalar_output():
    def run(x):
        return np.mean(x * x), x

    def grads(g, x):
        return {"x": g * 2 * x / x.dtype.type(x.size)}

    def fused(x):
        return run(x)[0], grads(x.dtype.type(1), x)

    results = {"x": adjoint(u_mean, 2 * u_mean[n] / n.size)}
    assert check_code(mean_square, run, grads, fused, results=results)
    assert not check_code(mean_square, run, lambda g, x: grads(x.dtype.type(1), x), results=results)  # g is forgotten
    assert not check_code(mean_square, run, grads, lambda x: (run(x)[0], {"x": x}), results=results)


def test_code_of_several_outputs_takes_scalars_and_several_upstreams():
    def run(x, eps):
        return (x.dtype.type(eps) * x * x, x.sum()), (x, eps)

    def grads(g, saved):
        x, eps = saved
        return {"x": 2 * x.dtype.type(eps) * x * g[0] + g[1]}

    results = {"x": adjoint(u, GRADIENTS["two outputs"][3])}
    assert check_code(two, run, grads, results=results, upstreams=[g_n, g_1])
    assert not check_code(two, run, lambda g, s: grads((g[0], 0 * g[1]), s), results=results, upstreams=[g_n, g_1])


def test_code_of_integers_and_masks():
    def run(z, keep):
        return np.where(keep, np.exp(z), z.dtype.type(0)).sum(axis=1), None

    assert check_code(attention_mask, run)
    assert not check_code(attention_mask, lambda z, keep: run(z, ~keep))


def test_code_without_real_inputs_may_give_any_float_type():
    @traced
    def rows(label: Int[b].below(c)) -> T[b, c]:
        return one_hot(label[b], c)

    def run(kind, columns=1):
        return lambda label, **sizes: (np.eye(sizes["C"] * columns, dtype=kind)[label], None)

    assert [size.name for size in rows.sizes] == ["C"]
    for kind in (np.float64, np.float32):
        assert check_code(rows, run(kind))
    assert not check_code(rows, run(float, columns=2))


def test_a_formula_without_real_inputs_has_no_gradient_to_verify():
    report = verify(catalogue["one_hot"], trials=3)
    rows = {check.what for check in report.checked}
    assert report and rows == {"forward: y, float64", "inputs are left as they were"}


def test_elementwise_code_is_run_on_matrices():
    shapes = set()

    def run(x):
        shapes.add(x.ndim)
        return np.tanh(x), np.tanh(x)

    results = {"x": adjoint(any_x, GRADIENTS["elementwise"][3])}
    assert check_code(tanh_, run, lambda g, y: {"x": g * (1 - y * y)}, results=results, upstreams=[g_1])
    assert shapes == {2}
    assert not check_code(tanh_, run, lambda g, y: {"x": g * (1 - y)}, results=results, upstreams=[g_1])


# --- Jacobians, Hessians, directions ----------------------------------------------------------------------------------


def over(letters, body, name="result", **more):
    return Tensor(name, letters, body=sympy.sympify(body), **more)


SOFTMAX_JACOBIAN = p[b, c] * (Delta(c, k) - p[b, k]) * Delta(b, b2)


def test_jacobian():
    right = over((b, c, b2, k), SOFTMAX_JACOBIAN)
    assert check_jacobian(softmax, right, "z")
    assert not check_jacobian(softmax, over((b, c, b2, k), -SOFTMAX_JACOBIAN), "z")
    assert not check_jacobian(softmax, over((b, c, b2, k), p[b, c] * (Delta(c, k) - p[b, k])), "z")
    assert not check_jacobian(softmax, over((b, c, k, b2), SOFTMAX_JACOBIAN), "z")
    assert check_jacobian(two, over((n,), 1), "x", output=1)


def test_hessian():
    @traced
    def bilinear(x: T[n], A: T[n, m]) -> T[()]:
        return sum_over((n, m), x[n] * A[n, m] * x[m])

    xs, As = bilinear.inputs
    i3 = n.alias("i3")
    assert check_hessian(bilinear, over((n, m), As[n, m] + As[m, n]), "x")
    assert not check_hessian(bilinear, over((n, m), 2 * As[n, m]), "x")
    mixed = Delta(n, m) * xs[i3] + Delta(n, i3) * xs[m]
    assert check_hessian(bilinear, over((n, m, i3), mixed), ("x", "A"))
    assert not check_hessian(bilinear, over((n, m, i3), 2 * Delta(n, m) * xs[i3]), ("x", "A"))
    assert not check_hessian(bilinear, over((n,), 1), "x")
    with pytest.raises(DeriveError, match="a Hessian needs one scalar output"):
        check_hessian(softmax, over((b, c, b2, k), 0), "z")


def test_jvp():
    x_dot = Tensor("x_dot", x.axes, role="tangent", of="x")
    w_dot = Tensor("w_dot", w.axes, role="tangent", of="w")
    right = sum_over(i, x_dot[b, i] * w[i, o] + x[b, i] * w_dot[i, o])
    assert check_jvp(dense, [over((b, o), right)])
    assert check_jvp(dense, [over((b, o), sum_over(i, x_dot[b, i] * w[i, o]))])  # w and beta do not vary
    assert not check_jvp(dense, [over((b, o), sum_over(i, x_dot[b, i] * w[i, o] - x[b, i] * w_dot[i, o]))])
    u_dot = Tensor("x_dot", u.axes, role="tangent", of="x")
    pair = [over((n,), 2 * two.scalars[0] * u[n] * u_dot[n]), over((), sum_over(n, u_dot[n]))]
    assert check_jvp(two, pair)
    assert not check_jvp(two, [pair[0], over((), sum_over(n, u[n]))])


# --- reports ----------------------------------------------------------------------------------------------------------


def test_reports_are_short_values():
    good, bad = Check("a = b", True, 1e-12, "a[0]", 3), Check("c = d", False, 0.5, "c[1]: 1, expected 2", 4)
    report = Report.of([good]) + Report.of([bad])
    assert not report and report.where == "c[1]: 1, expected 2" and report.worst == 0.5
    assert str(report).splitlines() == [
        "1 of 2 checks failed, worst error 5.0e-01",
        "  ok   a = b       3 points  1.0e-12",
        "  FAIL c = d       4 points  5.0e-01",
        "       c[1]: 1, expected 2",
    ]
    assert str(Report.of([good])).startswith("passed: 1 checks, worst error 1.0e-12")


def test_nothing_checked_is_not_passed():
    assert not Report.of([]) and not check_gradient(dense, {}, [g_bo])


def test_a_distance_is_still_only_where_it_is_0_whatever_the_inputs_are():
    """‖x₁ − x₂‖ has no slope where both meet; ‖x_b − x_a‖ at a = b has the slope 0."""
    x1, x2, w = Tensor("x1", [b, d]), Tensor("x2", [b, d]), Tensor("w", [d])
    x = np.random.default_rng(0).normal(size=(2, 3))
    point = Point({"x1": x, "x2": x.copy(), "w": np.ones(3)}, {b.size: 2, d.size: 3})

    def slopes(difference, *letters):
        distance = sqrt(sum_over(d, w[d] ** 2 * difference**2))
        return tangents_at(distance, [point], [{"w": np.ones(3)}], letters)[1][0]

    assert np.isnan(slopes(x1[b, d] - x2[b, d], b)).all()
    assert not np.diag(slopes(x1[b, d] - x1[b2, d], b, b2)).any()
