"""What averages over steps make of gradients: bias, and the step that Adagrad and RMSProp take in the end."""

from __future__ import annotations

import sympy
from sympy import Symbol, binomial, sqrt

from derive.steps import Step

from .core import Statement, is_, positive, sequence, solved_recurrence, written

T = Symbol("t", integer=True, nonnegative=True)
BETA = positive("beta")
MU = Symbol("mu", real=True)
K = Symbol("k", integer=True)
RANGES = {T: (0, 30), BETA: (0.05, 0.98), MU: (-2, 2)}


def total(term: sympy.Expr) -> sympy.Expr:
    """A recurrence written out: the sum of what the steps 1 to t leave."""
    return sympy.Sum(term, (K, 1, T))


def bias_correction() -> Statement:
    """E m_t = (1 − βᵗ) E g, for m_t = β m_{t−1} + (1 − β) g_t from m_0 = 0 and gradients of one mean.

    Source: Kingma, Ba, Adam (2015), section 3.
    """
    m = sequence("m")
    step = m(T + 1) - BETA * m(T) - (1 - BETA) * MU
    mean = solved_recurrence(step, m(T), {m(0): 0}, T)
    factor = sympy.simplify(mean / MU)
    free = written(lambda: mean / (1 - BETA**T))
    steps = (
        Step("rsolve", total((1 - BETA) * BETA ** (T - K) * MU), mean, "E m_t = β E m_{t−1} + (1 − β)μ, m_0 = 0"),
        Step("divide", free, MU, "m̂ = m/(1 − βᵗ) has the mean of the gradient"),
    )
    found = Symbol("E m_t", real=True)
    return Statement(
        "bias correction", is_(found, mean), (BETA < 1, T >= 1), steps,
        {"mean": mean, "corrected": MU, "factor": factor}, RANGES, "Kingma, Ba (2015), section 3",
        letters={found: total((1 - BETA) * BETA ** (T - K) * MU)},
        about="m_t = β m_{t−1} + (1 − β) g_t from m_0 = 0, and gradients g_t of one mean μ",
    )  # fmt: skip


def adagrad_step() -> Statement:
    """|Δθ_t| = η/√t for a gradient that does not change: s_t = t g².

    Source: Duchi, Hazan, Singer, Adaptive Subgradient Methods (2011).
    """
    s, (g, eta) = sequence("s"), positive("g eta")
    found = solved_recurrence(s(T + 1) - s(T) - g**2, s(T), {s(0): 0}, T)
    taken = eta * g / sqrt(total(g**2))
    steps = (
        Step("rsolve", total(g**2), found, "s gains g² at each step, and begins with 0"),
        Step("simplify", taken, eta / sqrt(T), "the size of the gradient cancels"),
    )
    return Statement(
        "effective step of Adagrad", is_(taken, eta / sqrt(T)), (T >= 1,), steps,
        {"total": found, "step": eta / sqrt(T)}, {**RANGES, g: (0.1, 3), eta: (0.01, 1)},
        about="s_t = s_{t−1} + g² from s_0 = 0, the step η g/√s_t, and a gradient g that does not change",
    )  # fmt: skip


def rmsprop_step() -> Statement:
    """|Δθ_t| = η/√(1 − αᵗ), which goes to η, for a gradient that does not change: v_t = (1 − αᵗ) g².

    Source: Tieleman, Hinton, Lecture 6.5 (2012).
    """
    v, (g, eta) = sequence("v"), positive("g eta")
    squares = total((1 - BETA) * BETA ** (T - K) * g**2)
    mean = solved_recurrence(v(T + 1) - BETA * v(T) - (1 - BETA) * g**2, v(T), {v(0): 0}, T)
    taken, step = eta * g / sqrt(squares), eta / sqrt(1 - BETA**T)
    steps = (
        Step("rsolve", squares, mean, "v is a mean of squares that begins with 0"),
        Step("simplify", taken, step, "the size of the gradient cancels"),
    )
    return Statement(
        "effective step of RMSProp", is_(taken, step), (T >= 1, BETA < 1), steps,
        {"mean": mean, "step": step, "limit": eta}, {**RANGES, g: (0.1, 3), eta: (0.01, 1)},
        about="v_t = β v_{t−1} + (1 − β) g² from v_0 = 0, the step η g/√v_t, and a gradient g that does not change",
    )  # fmt: skip


def minibatch() -> Statement:
    """E ĝ = g and Var ĝ = σ²/B · (N − B)/(N − 1), for B of N gradients drawn without putting back.

    A sample is in the batch with probability B/N, two are with B(B − 1)/(N(N − 1)); deviations sum to zero.
    Source: Cochran, Sampling Techniques (1977), theorems 2.1 and 2.2.
    """
    n, b = sympy.symbols("N B", integer=True, positive=True)
    gradient, spread = sequence("g"), positive("sigma")
    one, two = b / n, b * (b - 1) / (n * (n - 1))
    squares = n * spread**2  # Σ d² = Nσ², and (Σ d)² = 0 leaves Σ_{i≠j} d_i d_j = −Nσ²
    variance = written(lambda: (one * squares - two * squares) / b**2)
    claim = spread**2 / b * (n - b) / (n - 1)
    found = Symbol("Var ĝ", real=True)
    drawn = sympy.Sum(written(lambda: one * gradient(K) / b), (K, 1, n))
    steps = (
        Step("count", binomial(n - 1, b - 1) / binomial(n, b), one, "the share of batches that have i"),
        Step("count", binomial(n - 2, b - 2) / binomial(n, b), two, "the share of batches that have i and j"),
        Step("mean", drawn, sympy.Sum(gradient(K) / n, (K, 1, n)), "E ĝ = Σ P(k in the batch) g_k/B: the mean of all"),
        Step("variance", variance, claim, "E (Σ 1_i d_i)²/B², by pairs; d_i = g_i − g sum to zero"),
    )
    ranges = {n: (2, 30), b: (2, 30), gradient: (-2, 2), spread: (0.1, 3)}
    return Statement(
        "minibatch gradient", is_(found, claim), (b <= n,), steps,
        {"mean": drawn, "variance": claim, "with replacement": spread**2 / b}, ranges, letters={found: variance},
        about="the mean ĝ of B gradients, drawn without putting back from N of mean g and variance σ²; so E ĝ = g",
    )  # fmt: skip
