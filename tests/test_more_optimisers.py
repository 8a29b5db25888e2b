"""Optimisers that PyTorch lacks, and optimisers of one's own, against steps worked by hand over 200 steps."""

import importlib.util

import numpy as np
import pytest
from sympy import Rational

from derive import (
    Abs,
    DeriveError,
    Scalar,
    T,
    assume,
    axes,
    exp,
    floor,
    formula,
    let,
    maximum,
    minimum,
    sqrt,
    sum_over,
    to_numpy,
    where,
)
from derive.train import optimiser
from formulas import sophia, sophia_curvature

STEPS = 200
norm, sqrt_, sign = np.linalg.norm, np.sqrt, np.sign


# Each takes θ, g, the state as a dictionary that it may change, and t; θ anew is what it returns.


def mean_of(s, name, x, beta):
    s[name] = beta * s.get(name, 0.0) + (1 - beta) * x
    return s[name]


def adabelief(w, g, s, t):
    m = mean_of(s, "m", g, 0.9)
    s["s"] = 0.999 * s.get("s", 0.0) + 0.001 * (g - m) ** 2 + 1e-8
    return w - 1e-3 * (m / (1 - 0.9**t)) / (sqrt_(s["s"] / (1 - 0.999**t)) + 1e-8)


def yogi(w, g, s, t):
    m, v = mean_of(s, "m", g, 0.9), s.get("v", np.full_like(w, 1e-6))
    s["v"] = v - 0.001 * sign(v - g * g) * g * g
    return w - 0.01 * m / (sqrt_(s["v"]) + 1e-3)


def adan(w, g, s, t):
    b1, b2, b3 = 0.02, 0.08, 0.01  # the paper's, one less those of the formula
    change = g - s.get("g", g)
    s["m"] = g if t == 1 else (1 - b1) * s["m"] + b1 * g
    s["v"] = (1 - b2) * s.get("v", 0.0) + b2 * change
    s["n"] = g * g if t == 1 else (1 - b3) * s["n"] + b3 * (g + (1 - b2) * change) ** 2
    s["g"] = g
    return (w - 1e-3 / (sqrt_(s["n"]) + 1e-8) * (s["m"] + (1 - b2) * s["v"])) / (1 + 0.02 * 1e-3)


def padam(w, g, s, t):
    m, v = mean_of(s, "m", g, 0.9), mean_of(s, "v", g * g, 0.999)
    return w - 0.1 * (m / (1 - 0.9**t)) / (sqrt_(v / (1 - 0.999**t)) + 1e-8) ** 0.25


def adabound(w, g, s, t):
    m, v = mean_of(s, "m", g, 0.9), mean_of(s, "v", g * g, 0.999)
    rate = 1e-3 / (1 - 0.9**t) / (sqrt_(v / (1 - 0.999**t)) + 1e-8)
    return w - np.clip(rate, 0.1 * (1 - 1 / (1e-3 * t + 1)), 0.1 * (1 + 1 / (1e-3 * t))) * m


def quasi_hyperbolic_momentum(w, g, s, t):
    return w - 1.0 * (0.3 * g + 0.7 * mean_of(s, "m", g, 0.999))


def signum(w, g, s, t):
    return w - 1e-3 * sign(mean_of(s, "m", g, 0.9))


def lars(w, g, s, t):
    s["b"] = 0.9 * s.get("b", 0.0) + 0.1 * 1e-3 * norm(w) / norm(g) * g
    return w - s["b"]


def novograd(w, g, s, t):
    s["v"] = norm(g) ** 2 if t == 1 else 0.98 * s["v"] + 0.02 * norm(g) ** 2
    s["m"] = 0.95 * s.get("m", 0.0) + g / (sqrt_(s["v"]) + 1e-8)
    return w - 0.01 * s["m"]


CATALOGUED = (adabelief, yogi, adan, padam, adabound, quasi_hyperbolic_momentum, signum, lars, novograd)


# Of one's own: formulas as a user writes them


p = axes("p")[0]


@formula
def lookahead(
    theta: T[...], g: T[...], back: T[...], *, t: Scalar, lr: Scalar = 0.05, alpha: Scalar = 0.5
) -> tuple[T[...], T[...]]:
    """φ′ = φ + α(θ − φ) every fifth step, from where θ goes on; what is kept is φ − θ.

    Source: Zhang et al., Lookahead Optimizer (2019), algorithm 1.
    """
    slow, fast = theta + back, let("fast", theta - lr * g)[()]
    met = t - 5 * floor(t / 5) < 0.5
    moved = let("moved", where(met, slow + alpha * (fast - slow), fast))[()]
    return moved, where(met, 0, slow - moved)


def by_hand_lookahead(w, g, s, t):
    s.setdefault("slow", w)
    w = w - 0.05 * g
    if t % 5 == 0:
        w = s["slow"] = s["slow"] + 0.5 * (w - s["slow"])
    return w


@formula
def schedule_free(
    theta: T[...], g: T[...], ahead: T[...], *, t: Scalar, lr: Scalar = 0.05, beta: Scalar = 0.9
) -> tuple[T[...], T[...]]:
    """y = (1 − β)z + βx; z′ = z − η∇f(y), x′ = x + (z′ − x)/(t + 1); what is kept is z − y.

    Source: Defazio et al., The Road Less Scheduled (2024), eq. 3 to 5.
    """
    z = let("z", theta + ahead)[()]
    x = let("x", (theta - (1 - beta) * z) / beta)[()]
    lower = let("lower", z - lr * g)[()]
    mean = let("mean", x + (lower - x) / (t + 1))[()]
    y = let("y", (1 - beta) * lower + beta * mean)[()]
    return y, lower - y


def by_hand_schedule_free(w, g, s, t):
    z, x = s.get("z", w), s.get("x", w)
    s["z"] = z - 0.05 * g
    s["x"] = (1 - 1 / (t + 1)) * x + s["z"] / (t + 1)
    return 0.1 * s["z"] + 0.9 * s["x"]


@formula
def sophia_like(
    theta: T[...], g: T[...], mean: T[...], curvature: T[...], *, lr: Scalar = 0.05, beta: Scalar = 0.96,
    rho: Scalar = 0.04,
) -> tuple[T[...], T[...], T[...]]:  # fmt: skip
    """θ′ = θ − η clip(m/max(ρh, ε), ±1), with g² for the curvature. Source: Liu et al., Sophia (2023), algorithm 3."""
    m = let("m", beta * mean + (1 - beta) * g)[()]
    h = let("h", beta * curvature + (1 - beta) * g**2)[()]
    return theta - lr * maximum(-1, minimum(1, m / maximum(rho * h, 1e-12))), m, h


def by_hand_sophia_like(w, g, s, t):
    m, h = mean_of(s, "m", g, 0.96), mean_of(s, "h", g * g, 0.96)
    return w - 0.05 * np.clip(m / np.maximum(0.04 * h, 1e-12), -1, 1)


@formula
def nesterov_by_places(
    theta: T[...], g: T[...], last: T[...], *, t: Scalar, lr: Scalar = 0.02
) -> tuple[T[...], T[...]]:
    """x′ = y − η∇f(y), y′ = x′ + t/(t + 3) (x′ − x); what is kept is x − y (Nesterov, 1983)."""
    x = let("x", theta - lr * g)[()]
    y = let("y", x + t / (t + 3) * (x - (theta + last)))[()]
    return y, x - y


def by_hand_nesterov_by_places(w, g, s, t):
    x = w - 0.02 * g
    y = x + t / (t + 3) * (x - s.get("x", w))
    s["x"] = x
    return y


@formula
def distance_adapted(
    theta: T[p], g: T[p], total: T[p], weighted: T[()], guess: T[()], *, eps: Scalar = 1e-12
) -> tuple[T[p], T[p], T[()], T[()]]:
    """s′ = s + d g, the guess d of the distance from where it began grows with what ‖s‖ allows.

    Source: Defazio, Mishchenko, Learning-Rate-Free Learning by D-Adaptation (2023), algorithm 1, with γ = 1/‖g‖.
    """
    size = let("size", sqrt(sum_over(p, g[p] ** 2)) + eps)
    s = let("s", total[p] + guess[()] * g[p])
    w = let("w", weighted[()] + guess[()] ** 2 * size[()])
    length = let("length", sqrt(sum_over(p, s[p] ** 2)) + eps)
    d = let("d", maximum(guess[()], (length[()] ** 2 / size[()] - w[()]) / (2 * length[()])))
    return theta[p] - guess[()] / size[()] * g[p], s[p], w[()], d[()]


def by_hand_distance_adapted(w, g, s, t):
    d, size = s.get("d", 0.01), norm(g) + 1e-12
    s["s"] = s.get("s", 0.0) + d * g
    s["w"] = s.get("w", 0.0) + d**2 * size
    length = norm(s["s"]) + 1e-12
    s["d"] = max(d, (length**2 / size - s["w"]) / (2 * length))
    return w - d / size * g


@formula
def ademamix(
    theta: T[...], g: T[...], fast: T[...], slow: T[...], squares: T[...], *, t: Scalar, lr: Scalar = 1e-2,
    beta1: Scalar = 0.9, beta2: Scalar = 0.999, beta3: Scalar = 0.9999, alpha: Scalar = 5.0, eps: Scalar = 1e-8,
) -> tuple[T[...], T[...], T[...], T[...]]:  # fmt: skip
    """θ′ = θ − η (m̂₁ + α m₂)/(√v̂ + ε). Source: Pagliardini et al., The AdEMAMix Optimizer (2024), algorithm 1."""
    m = let("m", beta1 * fast + (1 - beta1) * g)[()]
    n = let("n", beta3 * slow + (1 - beta3) * g)[()]
    v = let("v", beta2 * squares + (1 - beta2) * g**2)[()]
    return theta - lr * (m / (1 - beta1**t) + alpha * n) / (sqrt(v / (1 - beta2**t)) + eps), m, n, v


def by_hand_ademamix(w, g, s, t):
    m, n, v = (mean_of(s, k, x, b) for k, x, b in (("m", g, 0.9), ("n", g, 0.9999), ("v", g * g, 0.999)))
    return w - 1e-2 * (m / (1 - 0.9**t) + 5 * n) / (sqrt_(v / (1 - 0.999**t)) + 1e-8)


@formula
def madgrad(
    theta: T[...], g: T[...], total: T[...], squares: T[...], away: T[...], *, t: Scalar, lr: Scalar = 0.02,
    c: Scalar = 0.1, eps: Scalar = 1e-6,
) -> tuple[T[...], T[...], T[...], T[...]]:  # fmt: skip
    """s′ = s + λg, ν′ = ν + λg², z = θ₀ − s′/(∛ν′ + ε), θ′ = (1 − c)θ + cz, λ = η√t; what is kept is θ − θ₀.

    Source: Defazio, Jelassi, Adaptivity without Compromise (2021), algorithm 1.
    """
    assume(squares > 0)
    s = let("s", total + lr * sqrt(t) * g)[()]
    v = let("v", squares + lr * sqrt(t) * g**2)[()]
    step = let("step", -c * (away + s / (v ** Rational(1, 3) + eps)))[()]
    return theta + step, s, v, away + step


def by_hand_madgrad(w, g, s, t):
    s.setdefault("first", w)
    rate = 0.02 * t**0.5
    s["s"], s["v"] = s.get("s", 0.0) + rate * g, s.get("v", 0.0) + rate * g * g
    return 0.9 * w + 0.1 * (s["first"] - s["s"] / (np.cbrt(s["v"]) + 1e-6))


@formula
def diffgrad(
    theta: T[...], g: T[...], mean: T[...], squares: T[...], last: T[...], *, t: Scalar, lr: Scalar = 1e-2,
) -> tuple[T[...], T[...], T[...], T[...]]:  # fmt: skip
    """θ′ = θ − η σ(|g − g₋|) m̂/(√v̂ + ε). Source: Dubey et al., diffGrad (2020), algorithm 1."""
    m = let("m", 0.9 * mean + 0.1 * g)[()]
    v = let("v", 0.999 * squares + 0.001 * g**2)[()]
    friction = 1 / (1 + exp(-Abs(g - last)))
    return theta - lr * friction * m / (1 - 0.9**t) / (sqrt(v / (1 - 0.999**t)) + 1e-8), m, v, g


def by_hand_diffgrad(w, g, s, t):
    m, v = mean_of(s, "m", g, 0.9), mean_of(s, "v", g * g, 0.999)
    friction = 1 / (1 + np.exp(-np.abs(g - s.get("g", 0.0))))
    s["g"] = g
    return w - 1e-2 * friction * (m / (1 - 0.9**t)) / (sqrt_(v / (1 - 0.999**t)) + 1e-8)


@formula
def cautious(
    theta: T[p], g: T[p], mean: T[p], squares: T[p], *, t: Scalar, lr: Scalar = 1e-2
) -> tuple[T[p], T[p], T[p]]:
    """Adam's step where it has the sign of g, made larger by the share it leaves out.

    Source: Liang et al., Cautious Optimizers (2024), algorithm 1.
    """
    m = let("m", 0.9 * mean[p] + 0.1 * g[p])
    v = let("v", 0.999 * squares[p] + 0.001 * g[p] ** 2)
    agree = let("agree", where(m[p] * g[p] > 0, 1, 0))
    share = let("share", maximum(sum_over(p, agree[p]) / p.size, 1e-3))
    u = m[p] / (1 - 0.9**t) / (sqrt(v[p] / (1 - 0.999**t)) + 1e-8)
    return theta[p] - lr * agree[p] / share[()] * u, m[p], v[p]


def by_hand_cautious(w, g, s, t):
    m, v = mean_of(s, "m", g, 0.9), mean_of(s, "v", g * g, 0.999)
    u = m / (1 - 0.9**t) / (sqrt_(v / (1 - 0.999**t)) + 1e-8)
    mask = (u * g > 0).astype(float)
    return w - 1e-2 * u * mask / max(mask.mean(), 1e-3)


@formula
def grokfast(
    theta: T[...], g: T[...], slow: T[...], *, lr: Scalar = 0.05, alpha: Scalar = 0.98, lamb: Scalar = 2.0
) -> tuple[T[...], T[...]]:
    """θ′ = θ − η (g + λμ′), μ′ = αμ + (1 − α)g. Source: Lee et al., Grokfast (2024), algorithm 1, after it descent."""
    mu = let("mu", alpha * slow + (1 - alpha) * g)[()]
    return theta - lr * (g + lamb * mu), mu


def by_hand_grokfast(w, g, s, t):
    return w - 0.05 * (g + 2 * mean_of(s, "mu", g, 0.98))


OWN = {
    "ademamix": (ademamix, by_hand_ademamix, {}),
    "madgrad": (madgrad, by_hand_madgrad, {}),
    "diffgrad": (diffgrad, by_hand_diffgrad, {}),
    "cautious": (cautious, by_hand_cautious, {}),
    "grokfast": (grokfast, by_hand_grokfast, {}),
    "lookahead": (lookahead, by_hand_lookahead, {}),
    "schedule_free": (schedule_free, by_hand_schedule_free, {}),
    "sophia_like": (sophia_like, by_hand_sophia_like, {}),
    "nesterov_by_places": (nesterov_by_places, by_hand_nesterov_by_places, {}),
    "distance_adapted": (distance_adapted, by_hand_distance_adapted, {"guess": 0.01}),
}
CASES = {f.__name__: (f.__name__, f, {}) for f in CATALOGUED} | OWN
A = np.array([4.0, 1.0, 0.3, 2.0])


def emitted(step, name, tmp_path):
    """The standalone module of a step."""
    path = tmp_path / f"step_{name}.py"
    path.write_text(step.source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", CASES)
def test_two_hundred_steps(name, tmp_path):
    """On a noisy bowl, matrices and vectors beside each other: the callable and the emitted module alike."""
    step, by_hand, starts = CASES[name]
    step = optimiser(step, starts=starts) if starts else optimiser(step)
    module = emitted(step, name, tmp_path)
    rng = np.random.default_rng(0)
    params = {"w": rng.normal(size=(3, 4)), "b": rng.normal(size=4)}
    expected, kept = dict(params), {n: {} for n in params}
    state, twin, other = step.init(params), dict(params), module.init(params)
    for t in range(1, STEPS + 1):
        grads = {n: A * a + 0.3 * rng.normal(size=a.shape) for n, a in expected.items()}
        expected = {n: by_hand(a, grads[n], kept[n], t) for n, a in expected.items()}
        params, state = step.update(params, grads, state)
        twin, other = module.update(twin, grads, other)
    for n, a in expected.items():
        np.testing.assert_allclose(params[n], a, rtol=1e-9, atol=1e-11)
        np.testing.assert_array_equal(params[n], twin[n])


def test_shampoo():
    """Against fractional powers of matrices by SciPy, which go by another way: Schur's form and Padé's approximants."""
    linalg = pytest.importorskip("scipy.linalg")
    rng, step = np.random.default_rng(0), optimiser("shampoo", lr=0.1, eps=1e-4)
    w = rng.normal(size=(3, 4))
    params, left, right = {"w": w}, 1e-4 * np.eye(3), 1e-4 * np.eye(4)
    state = step.init(params)
    for _ in range(STEPS):
        g = A * w + 0.3 * rng.normal(size=w.shape)
        left, right = left + g @ g.T, right + g.T @ g
        power = linalg.fractional_matrix_power
        w = w - 0.1 * power(left, -0.25) @ g @ power(right, -0.25)
        params, state = step.update(params, {"w": g}, state)
    np.testing.assert_allclose(params["w"], w, rtol=1e-9, atol=1e-11)
    with pytest.raises(DeriveError, match=r"shampoo: parameter b has shape \(4,\): expected a matrix"):
        step.init({"b": np.zeros(4)})


def test_sophia():
    """Algorithm 3 with k = 10 and Hutchinson's estimate, on a bowl whose Hessian is A: θ, m and h step by step."""
    rng, x, m, h = np.random.default_rng(0), np.array([3.0, -2.0, 1.0, 0.5]), np.zeros(4), np.zeros(4)
    theta, mean, curvature = x, m, h
    step, estimates = to_numpy(sophia).forward, to_numpy(sophia_curvature).forward
    clipped = 0
    for t in range(1, STEPS + 1):
        g, u = A * x + 0.01 * rng.normal(size=4), rng.normal(size=4)
        m = 0.96 * m + 0.04 * g
        if t % 10 == 1:
            h = 0.99 * h + 0.01 * u * (A * u)
            curvature = estimates(curvature=curvature, estimate=u * (A * u), beta2=0.99)[0]
        x = x - 0.03 * 0.2 * x
        newton = m / np.maximum(0.05 * h, 1e-12)
        clipped += int(np.sum(np.abs(newton) > 1))
        x = x - 0.03 * np.clip(newton, -1, 1)
        given = {"theta": theta, "g": g, "mean": mean, "curvature": curvature}
        (theta, mean), _ = step(**given, lr=0.03, gamma=0.05, weight_decay=0.2)
        np.testing.assert_allclose(theta, x, rtol=1e-9, atol=1e-12)
    assert 0 < clipped < 4 * STEPS


def test_a_step_of_ones_own_is_named_where_it_is_none():
    @formula
    def no_step(x: T[...], g: T[...]) -> T[...]:
        """x − g."""
        return x - g

    with pytest.raises(DeriveError, match="no_step: expected inputs theta, g and the state"):
        optimiser(no_step)
