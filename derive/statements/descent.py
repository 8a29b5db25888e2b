"""Gradient descent on a bowl: for which steps it converges, how fast at best, with and without momentum, and as a flow.

In the axes of the bowl θᵀAθ/2 every coordinate is a recurrence of its own, with an eigenvalue λ of A.
"""

from __future__ import annotations

from typing import Any

import sympy
from sympy import Abs, Eq, Gt, Lt, Rational, Symbol, sqrt

from derive.steps import Step

from .core import (
    Statement,
    is_,
    positive,
    sequence,
    solved,
    solved_differential,
    solved_recurrence,
    written,
)

T = Symbol("t", integer=True, nonnegative=True)
ETA, LAMBDA, LOW, HIGH, KAPPA = positive("eta lambda lambda_min lambda_max kappa")
START = Symbol("e_0", real=True)
AXES = "e_{t+1} = (1 − ηλ) e_t, with A's eigenvalues λ from λ_min to λ_max"
RANGES = {T: (0, 12), ETA: (0.01, 2), LAMBDA: (0.1, 3), LOW: (0.1, 2), HIGH: (0.2, 6), START: (-2, 2)}


def step_sizes() -> Statement:
    """It converges for 0 < η < 2/λ_max: e_t = (1 − ηλ)ᵗ e_0, which overshoots beyond 1/λ, and diverges beyond 2/λ.

    Source: Nesterov, Introductory Lectures on Convex Optimization (2004), section 1.2.3.
    """
    e = sequence("e")
    error = solved_recurrence(e(T + 1) - (1 - ETA * LAMBDA) * e(T), e(T), {e(0): START}, T)
    edge = solved(ETA * LAMBDA - 2, ETA)  # 1 − ηλ = −1
    every = sympy.Product(1 - ETA * LAMBDA, (Symbol("k", integer=True), 1, T)) * START
    steps = (
        Step("rsolve", every, error, "e_{t+1} = e_t − ηλ e_t, on each axis of the bowl"),
        Step("solve", Abs(1 - ETA * LAMBDA) < 1, Lt(ETA, edge), "it shrinks: |1 − ηλ| = 1 at ηλ = 0 and at ηλ = 2"),
        Step("solve", Abs(1 - ETA * LAMBDA) > 1, Gt(ETA, edge), "it grows"),
        Step("solve", 1 - ETA * LAMBDA < 0, Gt(ETA, 1 / LAMBDA), "it overshoots: the error changes its sign"),
        Step("insert", Abs(1 - ETA * HIGH) < 1, Lt(ETA, edge.subs(LAMBDA, HIGH)), "the steepest axis asks for most"),
    )
    claim = sympy.Max(Abs(1 - ETA * LOW), Abs(1 - ETA * HIGH)) < 1, Lt(ETA, edge.subs(LAMBDA, HIGH))
    results = {"error": error, "edge": edge, "no overshoot": 1 / LAMBDA, "factor": 1 - ETA * LAMBDA}
    about = f"descent on f = θᵀAθ/2, on whose axes {AXES}"
    return Statement("step sizes on a bowl", claim, (LOW < HIGH,), steps, results, RANGES, about=about)


def best_step() -> Statement:
    """η = 2/(λ_min + λ_max) is best, with the rate (κ − 1)/(κ + 1), κ = λ_max/λ_min.

    The rate max(1 − ηλ_min, ηλ_max − 1) falls and then rises with η: it is least where both are equal.
    Source: Polyak, Introduction to Optimization (1987), section 1.4.
    """
    best = solved((1 - ETA * LOW) - (ETA * HIGH - 1), ETA)
    rate = sympy.simplify(1 - best * LOW)
    steps = (
        Step("solve", is_(1 - ETA * LOW, ETA * HIGH - 1), is_(ETA, best), "slowest and fastest axis shrink alike"),
        Step("insert", written(lambda: 1 - best * LOW), rate, "the rate of the slowest axis at this η"),
        Step("insert", written(lambda: best * HIGH - 1), rate, "and of the fastest"),
        Step("name", rate.subs(HIGH, KAPPA * LOW), (KAPPA - 1) / (KAPPA + 1), "λ_max = κ λ_min"),
    )
    rates = sympy.Max(Abs(1 - ETA * LOW), Abs(1 - ETA * HIGH))
    return Statement(
        "best step on a bowl", rate <= rates, (LOW < HIGH,), steps,
        {"step": best, "rate": (KAPPA - 1) / (KAPPA + 1)}, {**RANGES, KAPPA: (1, 50)},
        about=f"descent on f = θᵀAθ/2, on whose axes {AXES}: no η has a lower rate than η = 2/(λ_min + λ_max)",
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
    mu, rho = positive("mu"), Symbol("rho", real=True)
    low, high = sympy.symbols("h_min h_max", real=True)  # half the sum of both roots, at λ_min and at λ_max
    pair = (low + sqrt(low**2 - mu)) * (low - sqrt(low**2 - mu))
    steps = (
        Step("size of a pair", pair, mu, "Vieta: a complex pair has the product |z|², which is μ"),
        Step("solve", sympy.factor(found[root]), chosen[root], "this √μ and"),
        Step("solve", sympy.factor(found[ETA]), chosen[ETA], "this η make roots double at λ_min = a² and λ_max = b²:"),
        Step("insert", written(lambda: 1 + chosen[root] ** 2 - chosen[ETA] * a**2), 2 * chosen[root], "2h_min = 2√μ,"),
        Step("insert", written(lambda: 1 + chosen[root] ** 2 - chosen[ETA] * b**2), -2 * chosen[root], "2h_max = −2√μ"),
        Step("name", chosen[root].subs(b, a * sqrt(KAPPA)), (sqrt(KAPPA) - 1) / (sqrt(KAPPA) + 1), "b = a√κ"),
    )  # fmt: skip
    ranges = {**RANGES, mu: (0.01, 0.99), KAPPA: (1.1, 50)}
    rate = (sqrt(KAPPA) - 1) / (sqrt(KAPPA) + 1)

    def halved(end: Symbol) -> sympy.Expr:
        return (1 + mu - ETA * end) / 2

    best = {"step": 4 / (sqrt(LOW) + sqrt(HIGH)) ** 2, "momentum": rate**2, "rate": rate}
    letters = {
        a: sqrt(LOW), b: sqrt(HIGH), **{h: written(halved, end) for h, end in ((low, LOW), (high, HIGH))},
        rho: largest((low, mu), (high, mu)),
    }  # fmt: skip
    return Statement(
        "heavy ball on a bowl", chosen[root] <= rho, (LOW < HIGH,), steps, best, ranges, letters=letters,
        about="e_{t+1} = (1 + μ − ηλ) e_t − μ e_{t−1}, with roots h ± √(h² − μ): no η and μ have a lower rate ρ",
    )  # fmt: skip


def largest(*pairs: tuple[Any, Any]) -> Any:
    """The size of the largest root of z² − 2 h z + p, over pairs (h, p)."""
    roots = [Abs(half + sign * sqrt(half**2 - product)) for half, product in pairs for sign in (1, -1)]
    return sympy.Max(*roots, evaluate=False)


def nesterov() -> Statement:
    """η = 1/λ_max, μ = (√κ − 1)/(√κ + 1) give Nesterov's descent the rate 1 − 1/√κ on a bowl.

    With the gradient where momentum leads, e_{t+1} = (1 − ηλ)((1 + μ) e_t − μ e_{t−1}), whose roots are those of
    z² − (1 + μ)(1 − ηλ) z + μ(1 − ηλ), z² − 2hz + p: double at λ_min, and from there to λ_max a complex pair of the
    size √p. Best on bowls are η = 4/(3λ_max + λ_min), μ = (√(3κ + 1) − 2)/(√(3κ + 1) + 2), with the rate
    1 − 2/√(3κ + 1).
    Source: Nesterov, Introductory Lectures on Convex Optimization (2004), section 2.2.1; Lessard, Recht, Packard,
    Analysis and Design of Optimization Algorithms via Integral Quadratic Constraints (2016), proposition 1.
    """
    q, w, mu, nu = positive("q w mu nu")
    half, product, low, high = sympy.symbols("h p h_min h_max", real=True)
    left = 1 - LAMBDA / (q**2 * LOW)  # 1 − ηλ
    shown = left.subs(LOW, HIGH / q**2)
    found = solved((1 + mu) ** 2 * (1 - 1 / q**2) - 4 * mu, mu, lambda f: bool(f[mu].subs(q, 3) < 1))
    best = {"best step": 4 / (3 * HIGH + LOW), "best momentum": (w - 2) / (w + 2), "best rate": 1 - 2 / w}
    letters = {
        q: sqrt(HIGH / LOW), mu: (q - 1) / (q + 1), half: (1 + mu) * shown / 2, product: mu * shown,
        w: sqrt(3 * q**2 + 1), nu: (w - 2) / (w + 2),
        low: (1 + nu) * (1 - 4 / w**2) / 2, high: (1 + nu) * (1 - 4 * q**2 / w**2) / 2,
    }  # fmt: skip
    steps = (
        Step("solve", found, mu, "κ = q²; with this momentum both roots at λ_min are one"),
        Step(
            "insert",
            (1 + letters[mu]) * left.subs(LAMBDA, LOW) / 2,
            1 - 1 / q,
            "that root, half the sum of both: the rate",
        ),
        Step("solve", half**2 < product, LAMBDA > LOW, "for greater λ the roots are a complex pair, of the size √p"),
        Step("solve", product < (1 - 1 / q) ** 2, LAMBDA > LOW, "which is less than the rate"),
        Step("insert", low**2, nu * (1 - 4 / w**2), "the best momentum ν, step 4/(3λ_max + λ_min): one root at λ_min,"),
        Step("insert", low, best["best rate"], "which is the rate,"),
        Step("insert", (best["best rate"] + high) ** 2, high**2 - nu * (1 - 4 * q**2 / w**2), "and −rate at λ_max"),
    )
    ranges = {**RANGES, LAMBDA: (0.1, 6)}
    named = {w: sqrt(3 * KAPPA + 1), q: sqrt(KAPPA)}
    rates = {"step": 1 / HIGH, "momentum": letters[mu], "rate": 1 - 1 / q, **best}
    results = {name: found.subs(named) for name, found in rates.items()}
    conditions = (LOW < HIGH, LOW <= LAMBDA, LAMBDA <= HIGH)
    claim = largest((half, product)) <= 1 - 1 / q
    name = "Nesterov's descent on a bowl"
    about = "e_{t+1} = (1 − ηλ)((1 + μ) e_t − μ e_{t−1}), with η = 1/λ_max, κ = q² and roots h ± √(h² − p)"
    return Statement(name, claim, conditions, steps, results, ranges, letters=letters, about=about)


def gradient_flow() -> Statement:
    """θ(s) = θ_0 e^{−λs}: what descent becomes as its steps become small.

    Source: Nocedal, Wright, Numerical Optimization (2006); with s = ηt, (1 − ηλ)^{s/η} → e^{−λs}.
    """
    s, first = positive("s theta_0")
    theta = sequence("theta")
    path = solved_differential(Eq(theta(s).diff(s), -LAMBDA * theta(s)), theta(s), {theta(0): first})
    small = positive("epsilon")
    taken = (1 - small * LAMBDA) ** (s / small)
    end = sympy.limit(taken, small, 0, "+")
    steps = (
        Step("dsolve", sympy.Derivative(path, s), -LAMBDA * path, "dθ/ds = −λθ, and θ(0) = θ_0"),
        Step("limit", sympy.Limit(taken, small, 0, "+"), end, "s/ε steps of descent, ε → 0"),
    )
    ranges = {**RANGES, s: (0.1, 3), first: (0.1, 2)}
    claim = is_(sympy.Limit(first * taken, small, 0, "+"), path)
    about = "dθ/ds = −∇f(θ) on f = λθ²/2, which descent in steps ε follows as ε → 0"
    return Statement("gradient flow", claim, (), steps, {"path": path}, ranges, about=about)


def descent_lemma() -> Statement:
    """f(θ − ηg) ≤ f(θ) − η(1 − ηL/2)‖g‖², where the gradient is L-Lipschitz: f falls for η < 2/L, most for η = 1/L.

    Source: Nesterov, Introductory Lectures on Convex Optimization (2004), lemma 1.2.3.
    """
    f, after = sympy.symbols("f_here f_next", real=True)
    smooth, norm, far = positive("L norm_g norm_d")
    share = Symbol("s", real=True)
    bound = f - ETA * norm**2 + smooth / 2 * (ETA * norm) ** 2
    factored = f - ETA * (1 - ETA * smooth / 2) * norm**2
    best = solved(sympy.diff(bound, ETA), ETA)
    least = sympy.simplify(bound.subs(ETA, best))
    steps = (
        Step("integrate", sympy.Integral(smooth * share * far**2, (share, 0, 1)), smooth * far**2 / 2,
             "f(θ + d) − f(θ) − g·d = ∫ (∇f(θ + s d) − g)·d ds is no more than this"),
        Step("insert", bound, factored, "d = −ηg"),
        Step("solve", is_(sympy.diff(bound, ETA), 0), is_(ETA, best), "where the bound is least"),
        Step("insert", bound.subs(ETA, best), least, "η = 1/L"),
        Step("solve", factored < f, Lt(ETA, 2 / smooth), "1 − ηL/2 > 0"),
    )  # fmt: skip
    ranges = {**RANGES, f: (-2, 2), after: (-4, 2), smooth: (0.2, 5), norm: (0.1, 3), far: (0.1, 3)}
    return Statement(
        "descent lemma", after <= factored, (after <= bound,), steps,
        {"bound": factored, "step": best, "fall": Rational(1, 2) * norm**2 / smooth}, ranges,
        about="a gradient g = ∇f(θ) that is L-Lipschitz, so that f(θ + d) ≤ f(θ) + g·d + L‖d‖²/2, here with d = −ηg",
    )  # fmt: skip
