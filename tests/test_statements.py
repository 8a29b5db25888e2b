"""Statements about training: every step is checked, and what is stated is also run and measured."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
import sympy

from derive import to_numpy
from derive.statements import (
    STATEMENTS,
    Unproved,
    adagrad_step,
    best_step,
    bias_correction,
    descent_lemma,
    glorot,
    gradient_flow,
    he,
    heavy_ball,
    minibatch,
    nesterov,
    rmsprop_step,
    step_sizes,
    vanishing,
    vanishing_recurrence,
    writing,
)  # fmt: skip
from derive.statements import depth as through_depth
from derive.statements.core import solved, solved_recurrence
from derive.steps import Step
from derive.train import optimiser
from formulas.recurrence import lstm, minimal_gated_unit, rnn

ETA, LAMBDA = sympy.symbols("eta lambda", positive=True)


def value(expression, **given):
    """A result at numbers, by the names of its symbols."""
    symbols = {str(s): s for s in expression.free_symbols}
    return float(expression.subs({symbols[name]: number for name, number in given.items() if name in symbols}))


def bowl(seed, n=6, low=0.5, high=12.0):
    """A random symmetric matrix with eigenvalues from low to high, and a start."""
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    eigenvalues = np.array([low, *rng.uniform(low, high, n - 2), high])
    return q @ np.diag(eigenvalues) @ q.T, rng.normal(size=n)


def descended(a, theta, name, steps, **options):
    """Distances from the bottom, with the emitted optimiser."""
    step = optimiser(name, **options)
    params, state = {"x": theta}, None
    state = step.init(params)
    found = [np.linalg.norm(theta)]
    for _ in range(steps):
        params, state = step.update(params, {"x": a @ params["x"]}, state)
        found.append(np.linalg.norm(params["x"]))
    return np.array(found)


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: s.__name__)
def test_every_step_holds(statement):
    made = statement()
    made.verify(points=4)
    assert made.steps and all(step.law for step in made.steps)
    assert "align" in made.latex() and made.name in str(made)


@pytest.mark.parametrize("place", range(1, 4))
def test_a_wrong_step_is_found(place):
    made = best_step()
    steps = list(made.steps)
    steps[place] = Step("wrong", steps[place].before, steps[place].after + sympy.Rational(1, 1000))
    with pytest.raises(Unproved, match="wrong"):
        replace(made, steps=tuple(steps)).verify(points=3)


def test_a_wrong_claim_is_found():
    made = descent_lemma()
    with pytest.raises(Unproved, match="is false at"):
        replace(made, claim=sympy.Gt(made.claim.lhs, made.claim.rhs)).verify(points=5)


def test_solvers_answers_are_checked():
    m, t, x = sympy.Function("m"), sympy.Symbol("t", integer=True), sympy.Symbol("x")
    with pytest.raises(Unproved, match="solve found nothing"):
        solved(x**2 + 1, x, lambda found: found[x].is_real)
    assert solved_recurrence(m(t + 1) - 2 * m(t), m(t), {m(0): 3}, t) == 3 * 2**t


# Averages


def test_bias_of_a_mean_is_measured():
    """The mean of m_t over many runs, as the emitted step of Adam gives it, is (1 − βᵗ) E g."""
    rng = np.random.default_rng(0)
    step, mu, beta = optimiser("adam", beta1=0.9), 0.7, 0.9
    params = {"x": np.zeros(200_000)}
    state = step.init(params)
    for t in range(1, 6):
        params, state = step.update(params, {"x": mu + rng.normal(size=200_000)}, state)
        expected = value(bias_correction().results["mean"], mu=mu, beta=beta, t=t)
        assert state["states"]["x"][0].mean() == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("size", [0.01, 5.0])
def test_steps_of_adagrad_and_rmsprop_do_not_know_the_size_of_the_gradient(size):
    for name, statement, options in (
        ("adagrad", adagrad_step, {"lr": 0.1}),
        ("rmsprop", rmsprop_step, {"lr": 0.1, "alpha": 0.8}),
    ):
        step, params = optimiser(name, **options, eps=1e-14), {"x": np.zeros(1)}
        state, formula = step.init(params), statement().results["step"]
        for t in range(1, 20):
            new, state = step.update(params, {"x": np.full(1, size)}, state)
            taken = float(params["x"][0] - new["x"][0])
            assert taken == pytest.approx(value(formula, eta=0.1, beta=0.8, t=t), rel=1e-9)
            params = new


@pytest.mark.parametrize("batch", [1, 2, 4, 6])
def test_mean_and_variance_over_every_minibatch(batch):
    g = np.random.default_rng(0).normal(size=6)
    drawn = np.array([g[list(rows)].mean() for rows in itertools.combinations(range(6), batch)])
    results = minibatch().results
    assert drawn.mean() == pytest.approx(g.mean())
    expected = value(results["variance"], N=6, B=batch, sigma=g.std())
    assert drawn.var() == pytest.approx(expected, abs=1e-12)
    pairs = np.array([g[list(rows)].mean() for rows in itertools.product(range(6), repeat=batch)])
    assert pairs.var() == pytest.approx(value(results["with replacement"], B=batch, sigma=g.std()))


# Descent on bowls


@pytest.mark.parametrize("seed", range(3))
def test_the_best_step_has_its_rate(seed):
    a, theta = bowl(seed)
    best = best_step().results
    errors = descended(a, theta, "sgd", 240, lr=value(best["step"], lambda_min=0.5, lambda_max=12.0))
    measured = (errors[240] / errors[140]) ** (1 / 100)
    assert measured == pytest.approx(value(best["rate"], kappa=24.0), rel=0.01)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_no_other_step_is_better(factor):
    a, theta = bowl(0)
    best = value(best_step().results["step"], lambda_min=0.5, lambda_max=12.0)
    errors = descended(a, theta, "sgd", 240, lr=factor * best)
    rate = (errors[240] / errors[140]) ** (1 / 100)
    assert rate > value(best_step().results["rate"], kappa=24.0) * 1.001


@pytest.mark.parametrize("seed", range(3))
def test_the_heavy_ball_has_its_rate(seed):
    a, theta = bowl(seed, low=0.1, high=10.0)
    best = heavy_ball().results
    lr = value(best["step"], lambda_min=0.1, lambda_max=10.0)
    errors = descended(a, theta, "momentum", 400, lr=lr, momentum=value(best["momentum"], kappa=100.0))
    # double roots: the error goes as t·rateᵗ, so that the quotient is freed of t
    measured = (errors[400] / 400 / (errors[200] / 200)) ** (1 / 200)
    assert measured == pytest.approx(value(best["rate"], kappa=100.0), rel=0.01)
    assert value(best["rate"], kappa=100.0) < value(best_step().results["rate"], kappa=100.0)


@pytest.mark.parametrize("which", ["", "best "])
@pytest.mark.parametrize("seed", range(3))
def test_nesterovs_descent_has_its_rate(seed, which):
    a, theta = bowl(seed, low=0.1, high=10.0)
    found = nesterov().results
    lr = value(found[which + "step"], lambda_min=0.1, lambda_max=10.0)
    errors = descended(a, theta, "nesterov", 400, lr=lr, momentum=value(found[which + "momentum"], kappa=100.0))
    measured = (errors[400] / 400 / (errors[200] / 200)) ** (1 / 200)  # a double root, as of the heavy ball
    assert measured == pytest.approx(value(found[which + "rate"], kappa=100.0), rel=0.01)
    assert value(heavy_ball().results["rate"], kappa=100.0) < value(found["best rate"], kappa=100.0)
    assert value(found["best rate"], kappa=100.0) < value(found["rate"], kappa=100.0)


@pytest.mark.parametrize("size, factor", [("lr", 0.8), ("lr", 1.2), ("momentum", 0.97), ("momentum", 1.03)])
@pytest.mark.parametrize("name", ["momentum", "nesterov"])
def test_no_other_parameters_are_better(name, size, factor):
    a, theta = bowl(0, low=0.1, high=10.0)
    results, which = (heavy_ball().results, "") if name == "momentum" else (nesterov().results, "best ")
    options = {"lr": value(results[which + "step"], lambda_min=0.1, lambda_max=10.0)}
    options["momentum"] = value(results[which + "momentum"], kappa=100.0)
    errors = descended(a, theta, name, 400, **{**options, size: factor * options[size]})
    late = np.log(errors[200:])  # which goes up and down where roots are complex: a line through it has its slope
    measured = np.exp(np.polyfit(np.arange(len(late)), late, 1)[0])
    assert not measured < value(results[which + "rate"], kappa=100.0)


def test_a_wrong_equivalence_is_found():
    made = step_sizes()
    shrinks, edge = made.claim
    with pytest.raises(Unproved, match=r"⇔ .* is false at"):
        replace(made, claim=(shrinks, edge.lhs < edge.rhs / 2)).verify(points=20)


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: s.__name__)
def test_a_statement_is_written_as_it_is_read(statement):
    """Letters, not their names; no function of SymPy; nothing in LaTeX that stands for a word in letters of its own."""
    made = statement()
    lines = [line for line in str(made).splitlines() if not line.startswith("  for ")]
    said = "\n".join(re.sub(r" {4}\[[^\]]*\]$", "", line) for line in lines)
    for name in ("sqrt", "lambda", "kappa", "eta", "Eq(", "Sum(", "Product(", "**", "*", "<=", "oo"):
        assert name not in said, name
    for name in ("norm_{", "{max}", "{in}", "()", "DiagMatrix"):
        assert name not in made.latex().replace(r"\mathrm{max}", "").replace(r"\mathrm{in}", ""), name


@pytest.mark.parametrize("expression, text", [
    ((ETA * LAMBDA - 2) / (1 - ETA), "(η λ − 2)/(1 − η)"),
    (sympy.sqrt(LAMBDA) / (1 + sympy.sqrt(LAMBDA)) ** 2, "√λ/(√λ + 1)²"),
    (-(ETA + 1) * LAMBDA**-3, "(−η − 1)/λ³"),
    (sympy.exp(-ETA * LAMBDA) - sympy.Rational(3, 2), "e^(−η λ) − 3/2"),
    (LAMBDA - (ETA - 1), "λ + 1 − η"),
    (ETA ** (LAMBDA - 1), "η^(λ − 1)"),
    (2 / LAMBDA > ETA, "2/λ > η"),
])  # fmt: skip
def test_expressions_in_text(expression, text):
    assert writing.text(expression) == text


@pytest.mark.parametrize("share, grows", [(0.98, False), (1.02, True)])
def test_the_edge_of_step_sizes(share, grows):
    a, theta = bowl(0)
    edge = value(step_sizes().results["edge"], **{"lambda": 12.0})
    errors = descended(a, theta, "sgd", 400, lr=share * edge)
    assert bool(errors[-1] > errors[0]) is grows


def test_an_axis_overshoots_beyond_one_over_its_eigenvalue():
    for lr, turns in ((0.9 / 3, False), (1.1 / 3, True)):
        step, params = optimiser("sgd", lr=lr), {"x": np.ones(1)}
        new, _ = step.update(params, {"x": 3 * params["x"]}, step.init(params))
        assert bool(new["x"][0] < 0) is turns
        assert new["x"][0] == pytest.approx(value(step_sizes().results["factor"], eta=lr, **{"lambda": 3.0}))


def test_small_steps_follow_the_flow():
    path = gradient_flow().results["path"]
    exact = value(path, s=1.0, theta_0=1.0, **{"lambda": 2.0})
    distances = []
    for steps in (100, 200):
        step, params = optimiser("sgd", lr=1 / steps), {"x": np.ones(1)}
        for _ in range(steps):
            params, _ = step.update(params, {"x": 2 * params["x"]}, step.init(params))
        distances.append(abs(params["x"][0] - exact))
    assert distances[0] / distances[1] == pytest.approx(2, rel=0.05)  # of first order
    assert distances[1] < 0.02 * exact


@pytest.mark.parametrize("share", [0.5, 1.0, 1.9])
def test_the_descent_lemma_on_bowls(share):
    results = descent_lemma().results
    for seed in range(5):
        a, theta = bowl(seed)
        g, lr = a @ theta, share / 12.0
        after = theta - lr * g
        bound = value(results["bound"], f_here=theta @ a @ theta / 2, eta=lr, L=12.0, norm_g=np.linalg.norm(g))
        assert after @ a @ after / 2 <= bound + 1e-9


# Where weights begin


@pytest.mark.parametrize("statement, kept", [(he, True), (glorot, False)])
def test_second_moments_through_twenty_layers_of_relu(statement, kept):
    rng, n = np.random.default_rng(0), 300
    variance = value(statement().results["variance"], n_in=n, n_out=n)
    x = rng.normal(size=(300, n))
    first = np.mean((x @ (variance**0.5 * rng.normal(size=(n, n)))) ** 2)
    for _ in range(20):
        z = x @ (variance**0.5 * rng.normal(size=(n, n)))
        x = np.maximum(z, 0)
    share = np.mean(z**2) / first
    assert (0.3 < share < 3) if kept else share < 1e-4


@pytest.mark.parametrize("share", [0.8, 1.0, 1.25])
def test_gradients_through_depth_change_as_derived(share):
    """‖δ below‖²/‖δ above‖², its mean over four thousand layers of relu, is n Var w/2, to 1 %."""
    rng, n, found = np.random.default_rng(0), 100, []
    results = through_depth().results
    variance = share * value(results["edge"], n=n)
    for _ in range(4000):
        x, delta = np.maximum(rng.normal(size=n), 0), rng.normal(size=n)
        w = variance**0.5 * rng.normal(size=(n, n))
        below = w.T @ ((w @ x > 0) * delta)
        found.append((below @ below) / (delta @ delta))
    assert np.mean(found) == pytest.approx(share, rel=0.01)
    assert value(results["change"], n=n, L=7, **{"Var w": variance}) == pytest.approx(share**7)


def test_gradients_vanish_through_sigmoids():
    results = vanishing().results
    x = np.linspace(-8, 8, 1601)
    slope = np.array([value(results["slope"], x=number) for number in x[::100]])
    assert slope.max() <= value(results["most"]) == 0.25
    rng = np.random.default_rng(0)
    for depth in (5, 15):
        for w in (1.0, 3.0):
            y, g = rng.normal(), 1.0
            for _ in range(depth):
                y = 1 / (1 + np.exp(-w * y))
                g *= w * y * (1 - y)
            assert abs(g) <= value(results["factor"], w=w, L=depth) * (1 + 1e-12)


# Recurrences


def jacobians(weights, steps, seed):
    """∂h_t/∂h_0 for t = 1 … of an emitted rnn, row by row backwards, beside the product of diag(1 − h²) U."""
    rng, n = np.random.default_rng(seed), len(weights)
    arrays = {"x": rng.normal(size=(steps, 1, 2)), "h0": rng.normal(size=(1, n)), "w_ih": rng.normal(size=(n, 2)),
              "w_hh": weights, "b_ih": rng.normal(size=n), "b_hh": np.zeros(n)}  # fmt: skip
    module = to_numpy(rnn)
    h, saved = module.forward(**arrays)
    product = np.eye(n)
    for t in range(steps):
        product = np.diag(1 - h[t, 0] ** 2) @ weights @ product
        rows = []
        for unit in range(n):
            g = np.zeros_like(h)
            g[t, 0, unit] = 1
            rows.append(module.backward(g, saved)["h0"][0])
        yield np.array(rows), product


@pytest.mark.parametrize("size", [0.4, 0.9, 1.5, 4.0])
def test_gradients_through_a_recurrence_stay_under_the_bound(size):
    bound = vanishing_recurrence().results["bound"]
    u = np.random.default_rng(3).normal(size=(5, 5))
    u *= size / np.linalg.norm(u, 2)
    for n, (found, product) in enumerate(jacobians(u, 12, seed=4), start=1):
        assert found == pytest.approx(product, abs=1e-12)
        most = value(bound, u=size, n=n)
        assert np.linalg.norm(found, 2) <= most * (1 + 1e-12)
    assert size > 1 or np.linalg.norm(found, 2) < size**12 < 0.3


def test_the_bound_is_reached_where_the_slope_is_greatest():
    """At h = 0, where φ′ = 1, n steps of U = u 𝐈 give u^n."""
    results = vanishing_recurrence().results
    assert value(results["most"]) == 1 and value(results["slope"], h_i=0) == 1
    assert value(results["bound"], u=0.5, n=6) == 0.5**6


@pytest.mark.parametrize("other, why", [(minimal_gated_unit, "other parts"), (lstm, "does not read s_before")])
def test_the_statement_rests_on_the_formula(monkeypatch, other, why):
    """With another recurrence than the one it is about, the derivation of its Jacobian fails."""
    monkeypatch.setattr("derive.statements.recurrences.rnn", other)
    with pytest.raises(Unproved, match=why):
        vanishing_recurrence()
