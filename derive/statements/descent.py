"""Gradient descent on a bowl: for which steps it converges, how fast at best, with and without momentum, and as a flow.

In the axes of the bowl θᵀAθ/2 every coordinate is a recurrence of its own, with an eigenvalue λ of A.
"""

from __future__ import annotations

import sympy
from sympy import Abs, Eq, Rational, Symbol, exp, sqrt

from derive.steps import Step

from .core import Statement, is_, positive, sequence, solved, solved_differential, solved_recurrence

T = Symbol("t", integer=True, nonnegative=True)
ETA, LAMBDA, LOW, HIGH, KAPPA = positive("eta lambda lambda_min lambda_max kappa")
START = Symbol("e_0", real=True)
RANGES = {T: (0, 12), ETA: (0.01, 2), LAMBDA: (0.1, 3), LOW: (0.1, 2), HIGH: (0.2, 6), START: (-2, 2)}


def step_sizes() -> Statement:
    """e_t = (1 − ηλ)ᵗ e_0: it converges for 0 < η < 2/λ_max, overshoots beyond 1/λ, diverges beyond 2/λ.

    Source: Nesterov, Introductory Lectures on Convex Optimization (2004), section 1.2.3.
    """
    e = sequence("e")
    error = solved_recurrence(e(T + 1) - (1 - ETA * LAMBDA) * e(T), e(T), {e(0): START}, T)
    edge = solved(ETA * LAMBDA - 2, ETA)  # 1 − ηλ = −1
    every = sympy.Product(1 - ETA * LAMBDA, (Symbol("k", integer=True), 1, T)) * START
    steps = (
        Step("rsolve", every, error, "e_{t+1} = e_t − ηλ e_t"),
        Step("solve", Abs(1 - ETA * LAMBDA) < 1, edge > ETA, "|1 − ηλ| = 1 at ηλ = 0 and at ηλ = 2"),
    )
    return Statement(
        "step sizes on a bowl", is_(every, error), (), steps,
        {"error": error, "edge": edge, "no overshoot": 1 / LAMBDA, "factor": 1 - ETA * LAMBDA}, RANGES,
    )  # fmt: skip


def best_step() -> Statement:
    """η = 2/(λ_min + λ_max) is best, with the rate (κ − 1)/(κ + 1), κ = λ_max/λ_min.

    The rate max(1 − ηλ_min, ηλ_max − 1) falls and then rises with η: it is least where both are equal.
    Source: Polyak, Introduction to Optimization (1987), section 1.4.
    """
    best = solved((1 - ETA * LOW) - (ETA * HIGH - 1), ETA)
    rate = sympy.simplify(1 - best * LOW)
    steps = (
        Step("solve", 1 - best * LOW, best * HIGH - 1, "the fastest and the slowest axis shrink alike"),
        Step("insert", 1 - best * LOW, rate, ""),
        Step(
            "name", ((HIGH - LOW) / (HIGH + LOW)).subs(HIGH, KAPPA * LOW), (KAPPA - 1) / (KAPPA + 1), "λ_max = κ λ_min"
        ),
    )
    rates = sympy.Max(Abs(1 - ETA * LOW), Abs(1 - ETA * HIGH))
    return Statement(
        "best step on a bowl", rate <= rates, (LOW < HIGH,), steps,
        {"step": best, "rate": (KAPPA - 1) / (KAPPA + 1)}, {**RANGES, KAPPA: (1, 50)},
    )  # fmt: skip


def heavy_ball() -> Statement:
    """η = 4/(√λ_min + √λ_max)², μ = ((√κ − 1)/(√κ + 1))² are best for the heavy ball, with the rate √μ.

    e_{t+1} = (1 + μ − ηλ) e_t − μ e_{t−1} has the roots z² − (1 + μ − ηλ) z + μ = 0. Where they are complex, both have
    the size √μ; that is so for all λ between the two at which they are double, 1 + μ − ηλ = ±2√μ.
    Source: Polyak, Some methods of speeding up the convergence of iteration methods (1964), theorem 9.
    """
    root, a, b = positive("r a b")  # r = √μ, λ_min = a², λ_max = b²
    double = [1 + root**2 - ETA * a**2 - 2 * root, 1 + root**2 - ETA * b**2 + 2 * root]
    chosen = {ETA: 4 / (a + b) ** 2, root: (b - a) / (b + a)}

    def small(found: dict[Symbol, sympy.Expr]) -> bool:
        """The solution with r < 1."""
        value = complex(found[root].subs({a: 1, b: 3}).evalf())
        return abs(value.imag) < 1e-12 and 0 < value.real < 1

    found = solved(double, [root, ETA], small)
    half = (1 + root**2 - ETA * a**2) / 2
    pair = (half + sqrt(half**2 - root**2)) * (half - sqrt(half**2 - root**2))
    steps = (
        Step("size of a pair", pair, root**2, "Vieta: a complex pair has the product |z|², which is μ"),
        Step("solve", found[root], chosen[root], "double roots at λ_min and at λ_max"),
        Step("solve", found[ETA], chosen[ETA], ""),
        Step("name", chosen[root].subs(b, a * sqrt(KAPPA)), (sqrt(KAPPA) - 1) / (sqrt(KAPPA) + 1), "b = a√κ"),
    )
    ranges = {**RANGES, root: (0.01, 0.99), a: (0.2, 2), b: (0.2, 4), KAPPA: (1.1, 50)}
    rate = (sqrt(KAPPA) - 1) / (sqrt(KAPPA) + 1)
    best = {"step": 4 / (sqrt(LOW) + sqrt(HIGH)) ** 2, "momentum": rate**2, "rate": rate}
    return Statement("heavy ball on a bowl", rate <= (KAPPA - 1) / (KAPPA + 1), (a < b,), steps, best, ranges)


def gradient_flow() -> Statement:
    """θ(s) = θ_0 e^{−λs}: what descent becomes as its steps become small.

    Source: Nocedal, Wright, Numerical Optimization (2006); with s = ηt, (1 − ηλ)^{s/η} → e^{−λs}.
    """
    s, first = positive("s theta_0")
    theta = sequence("theta")
    path = solved_differential(Eq(theta(s).diff(s), -LAMBDA * theta(s)), theta(s), {theta(0): first})
    small = sympy.limit((1 - ETA * LAMBDA) ** (s / ETA), ETA, 0, "+")
    steps = (
        Step("dsolve", sympy.Derivative(path, s), -LAMBDA * path, "dθ/ds = −λθ, and θ(0) = θ_0"),
        Step("limit", small * first, first * exp(-LAMBDA * s), "descent with s/η steps, η → 0"),
    )
    ranges = {**RANGES, s: (0.1, 3), first: (0.1, 2)}
    return Statement("gradient flow", is_(path, first * exp(-LAMBDA * s)), (), steps, {"path": path}, ranges)


def descent_lemma() -> Statement:
    """f(θ − ηg) ≤ f(θ) − η(1 − ηL/2)‖g‖², where the gradient is L-Lipschitz: f falls for η < 2/L, most for η = 1/L.

    Source: Nesterov, Introductory Lectures on Convex Optimization (2004), lemma 1.2.3.
    """
    f, (smooth, norm) = Symbol("f", real=True), positive("L norm_g")
    d = Symbol("d")
    bound = f - ETA * norm**2 + smooth / 2 * (ETA * norm) ** 2
    factored = f - ETA * (1 - ETA * smooth / 2) * norm**2
    best = solved(sympy.diff(bound, ETA), ETA)
    least = sympy.simplify(bound.subs(ETA, best))
    steps = (
        Step("insert", bound, factored, f"the step {d} = −ηg in f(θ + {d}) ≤ f + g·{d} + L‖{d}‖²/2"),
        Step("solve", is_(sympy.diff(bound, ETA), 0), is_(ETA, best), "where the bound is least"),
        Step("insert", bound.subs(ETA, best), least, "η = 1/L"),
        Step("solve", factored < f, 2 / smooth > ETA, "1 − ηL/2 > 0"),
    )
    ranges = {**RANGES, f: (-2, 2), smooth: (0.2, 5), norm: (0.1, 3)}
    return Statement(
        "descent lemma", f - norm**2 / (2 * smooth) <= factored, (), steps,
        {"bound": factored, "step": best, "fall": Rational(1, 2) * norm**2 / smooth}, ranges,
    )  # fmt: skip
