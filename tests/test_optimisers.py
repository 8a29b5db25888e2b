"""Optimisers: what PyTorch lacks against steps worked from the paper; emitted code; what is asked wrongly.

PyTorch's own are in tests/parity/test_optimisers.py, one step of each against the oracle in `derive verify --all`.
"""

import importlib.util
import sys

import numpy as np
import pytest

from derive import DeriveError, NameProblem, Unsupported, catalogue, to_numpy, verify
from derive.train import optimiser
from derive.train.lbfgs import Memory
from derive.train.optimisers import NAMES


def arrays(seed=0, count=1, shape=(3, 4)):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for _ in range(count)]


def run(step, theta, gradients, **changed):
    params, state = {"theta": theta}, step.init({"theta": theta})
    for g in gradients:
        params, state = step.update(params, {"theta": g}, state, **changed)
    return params["theta"]


def forward(name, **given):
    return to_numpy(catalogue[name]).forward(**given)[0]


# From the papers


def test_lion():
    """Chen et al. (2023), program 1."""
    theta, *gradients = arrays(count=31)
    found = run(optimiser("lion", lr=0.01, beta1=0.8, beta2=0.95, weight_decay=0.1), theta, gradients)
    m = np.zeros_like(theta)
    for g in gradients:
        theta = theta - 0.01 * (np.sign(0.8 * m + 0.2 * g) + 0.1 * theta)
        m = 0.95 * m + 0.05 * g
    np.testing.assert_allclose(found, theta, rtol=1e-12)


@pytest.mark.parametrize("start", [1.0, 0.0])
def test_lamb(start):
    """You et al. (2020), algorithm 2; weights of zero take a step of the length of the update."""
    theta, *gradients = arrays(count=31)
    theta = start * theta
    found = run(optimiser("lamb", lr=0.02, beta1=0.8, beta2=0.9, weight_decay=0.1), theta, gradients)
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m, v = 0.8 * m + 0.2 * g, 0.9 * v + 0.1 * g * g
        u = (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-6) + 0.1 * theta
        trust = np.linalg.norm(theta) / np.linalg.norm(u) if theta.any() else 1.0
        theta = theta - 0.02 * trust * u
    np.testing.assert_allclose(found, theta, rtol=1e-11)


def test_signsgd():
    theta, *gradients = arrays(count=6)
    expected = theta - 0.1 * sum(np.sign(g) for g in gradients)
    np.testing.assert_allclose(run(optimiser("signsgd", lr=0.1), theta, gradients), expected, rtol=1e-12)
    np.testing.assert_array_equal(run(optimiser("signsgd"), theta, [np.zeros_like(theta)]), theta)


def test_sharpness_aware_minimisation():
    """Foret et al. (2021), algorithm 1, on a bowl: the gradient at θ + ρ g/‖g‖."""
    a = np.diag([1.0, 10.0, 100.0])
    theta = np.array([1.0, -1.0, 0.5])
    expected, norm = theta, np.linalg.norm
    for _ in range(20):
        g = a @ theta
        worst = forward("sam_ascent", theta=theta, g=g, norm=norm(g), rho=0.1)
        theta = forward("sgd", theta=theta, g=a @ worst, lr=0.01)
        at = expected + 0.1 * (a @ expected) / norm(a @ expected)
        expected = expected - 0.01 * (a @ at)
    np.testing.assert_allclose(theta, expected, rtol=1e-10)


@pytest.mark.parametrize("most", [0.5, 100.0])
def test_clip_by_norm(most):
    (g,) = arrays(shape=7)
    found = forward("clip_by_norm", g=g, most=most)
    np.testing.assert_allclose(found, g * min(1, most / (np.linalg.norm(g) + 1e-6)), rtol=1e-14)
    theta, g = arrays(count=2)
    step = run(optimiser("sgd", lr=1.0, clip="norm", most=0.5), theta, [g])
    assert abs(np.linalg.norm(theta - step) - 0.5) < 1e-5


def test_clipping_looks_at_all_gradients_together():
    a, b = arrays(count=2)
    params, step = {"a": a, "b": b}, optimiser("sgd", lr=1.0, clip="global", most=1.0)
    new, _ = step.update(params, {"a": 3 * a, "b": 4 * b}, step.init(params))
    moved = np.concatenate([(params[k] - new[k]).ravel() for k in params])
    assert abs(np.linalg.norm(moved) - 1) < 1e-5


def bowl(seed=0, n=5):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, n))
    return a @ a.T + np.eye(n), rng.normal(size=n), rng.normal(size=n)


def test_newton_reaches_the_bottom_of_a_bowl_at_once():
    h, bottom, theta = bowl()
    found = forward("newton", theta=theta, g=h @ (theta - bottom), hessian=h)
    np.testing.assert_allclose(found, bottom, rtol=1e-9)


def test_gauss_newton_solves_least_squares_at_once():
    rng = np.random.default_rng(0)
    j, y, theta = rng.normal(size=(9, 4)), rng.normal(size=9), rng.normal(size=4)
    found = forward("gauss_newton_step", theta=theta, jacobian=j, residual=j @ theta - y, damping=0.0)
    np.testing.assert_allclose(found, np.linalg.lstsq(j, y)[0], rtol=1e-9)


def test_natural_gradient_does_not_depend_on_coordinates():
    """With θ = A φ the gradient is Aᵀ g and Fisher's information Aᵀ F A: the step is the same."""
    f, g, theta = bowl()
    a = np.random.default_rng(1).normal(size=(5, 5))
    phi = np.linalg.solve(a, theta)
    one = forward("natural_gradient", theta=theta, g=g, fisher=f, lr=0.3)
    two = forward("natural_gradient", theta=phi, g=a.T @ g, fisher=a.T @ f @ a, lr=0.3)
    np.testing.assert_allclose(one, a @ two, rtol=1e-8)


def test_two_loops_are_the_bfgs_matrix():
    """Nocedal, Wright, eq. 7.16: H′ = VᵀHV + ρssᵀ, V = I − ρysᵀ, from H = γI."""
    h, _, g = bowl()
    pairs = [(s, h @ s) for s in arrays(1, 3, 5)]
    rows = np.array(pairs)
    memory = Memory(rows[:, 0], rows[:, 1], np.zeros(5), np.zeros(5), kept=3)
    s, y = pairs[-1]
    matrix = np.eye(5) * (s @ y) / (y @ y)
    for s, y in pairs:
        v = np.eye(5) - np.outer(y, s) / (s @ y)
        matrix = v.T @ matrix @ v + np.outer(s, s) / (s @ y)
    np.testing.assert_allclose(memory.direction(g), -matrix @ g, rtol=1e-10)


def test_newton_schulz_makes_matrices_orthogonal():
    """With the coefficients of the classic iteration, 3/2 and −1/2, singular values go to 1."""
    (x,) = arrays(shape=(3, 5))
    x = x / np.linalg.norm(x)
    for _ in range(25):
        x = forward("newton_schulz", x=x, a=1.5, b=-0.5, c_=0.0)
    np.testing.assert_allclose(x @ x.T, np.eye(3), atol=1e-12)


# The code


@pytest.mark.parametrize("name", [name for name in NAMES if name != "adafactor"])
def test_emitted_module_takes_the_same_steps(name, tmp_path):
    theta, *gradients = arrays(count=4)
    step = optimiser(name, clip="global", **({"decay": "coupled"} if name in ("adam", "momentum") else {}))
    path = tmp_path / f"emitted_{name}.py"
    path.write_text(step.source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert "derive" not in {word.split(".")[0] for word in vars(module)}
    params, state = {"theta": theta}, module.init({"theta": theta})
    for g in gradients:
        params, state = module.update(params, {"theta": g}, state)
    np.testing.assert_array_equal(params["theta"], run(step, theta, gradients))
    assert "import derive" not in step.source and "from derive" not in step.source


@pytest.mark.parametrize("name", NAMES)
def test_a_step_writes_to_nothing_that_is_given(name):
    theta, g = (a.astype(np.float32) for a in arrays(count=2))
    step = optimiser(name)
    params, grads = {"w": theta}, {"w": g}
    state = step.init(params)
    params, state = step.update(params, grads, state)
    kept = [a.copy() for a in (params["w"], g, *state["states"]["w"])]
    new, after = step.update(params, grads, state)
    for old, now in zip(kept, (params["w"], g, *state["states"]["w"]), strict=True):
        np.testing.assert_array_equal(old, now)
    assert (state["t"], after["t"]) == (1, 2)
    assert {a.dtype for a in (new["w"], *after["states"]["w"])} == {np.dtype(np.float32)}
    assert new["w"].shape == theta.shape
    assert not np.array_equal(new["w"], params["w"])


def test_a_rate_of_its_own_for_one_step():
    theta, g = arrays(count=2)
    np.testing.assert_allclose(run(optimiser("sgd", lr=0.5), theta, [g], lr=0.1), theta - 0.1 * g)


@pytest.mark.parametrize("name", ["sgd", "lion", "coupled_weight_decay"])
def test_a_step_is_verified_like_any_formula(name):
    assert verify(catalogue[name], trials=5).passed


# What is asked wrongly


@pytest.mark.parametrize(
    "error, words, call",
    [
        (NameProblem, "did you mean 'adam'", lambda: optimiser("adm")),
        (NameProblem, "did you mean 'beta1'", lambda: optimiser("adam", bta1=0.9)),
        (DeriveError, "did you mean 'global'", lambda: optimiser("sgd", clip="globl")),
        (DeriveError, "coupled or decoupled", lambda: optimiser("sgd", decay="L2")),
        (DeriveError, "weight_decay of its own", lambda: optimiser("adamw", decay="coupled")),
        (DeriveError, r"muon: parameter b has shape \(3,\): expected a matrix", lambda: optimiser("muon").init(VECTOR)),
        (DeriveError, "expected an array of floats", lambda: optimiser("sgd").init({"w": np.arange(3)})),
        (NameProblem, "no option 'rate'", lambda: run(optimiser("sgd"), VECTOR["b"], [VECTOR["b"]], rate=1)),
        (Unsupported, "made of two", lambda: optimiser("adafactor").source),
    ],
)
def test_errors_say_what_was_expected(error, words, call):
    with pytest.raises(error, match=words):
        call()


VECTOR = {"b": np.ones(3)}


def test_optimisers_are_in_the_catalogue():
    together = {"adafactor", "muon", "shampoo"}  # made of parts that are
    assert set(NAMES) - together <= set(catalogue)
    assert "formulas.optimisers" in sys.modules
