"""Where weights begin: the variance that keeps what passes a layer as large as it was; what σ′ ≤ 1/4 does to depth."""

from __future__ import annotations

import sympy
from sympy import Symbol, exp, integrate, oo, pi, sqrt

from derive.steps import Step

from .core import Statement, is_, positive, solved

INSIDE, OUTSIDE = sympy.symbols("n_in n_out", integer=True, positive=True)
V, S = Symbol("Var w", positive=True), Symbol("E x²", positive=True)
RANGES = {INSIDE: (1, 500), OUTSIDE: (1, 500), V: (0.001, 2), S: (0.1, 4)}


def _sum_of_products() -> Step:
    """Var Σ w_i x_i = n Var w E x²: of independent weights of mean 0, products of different ones have mean 0."""
    every = sympy.Sum(V * S, (Symbol("i", integer=True), 1, INSIDE))
    return Step("variance", every, INSIDE * V * S, "E w_i w_j x_i x_j = 0 for i ≠ j: weights are independent")


def glorot() -> Statement:
    """Var w = 2/(n_in + n_out): between n_in Var w = 1, which keeps the outputs, and n_out Var w = 1, the gradients.

    Both hold only for n_in = n_out; the mean of the two conditions is what is asked for.
    Source: Glorot, Bengio, Understanding the difficulty of training deep feedforward neural networks (2010), eq. 10-12.
    """
    forward, backward = solved(INSIDE * V - 1, V), solved(OUTSIDE * V - 1, V)
    both = solved((INSIDE * V + OUTSIDE * V) / 2 - 1, V)
    steps = (
        _sum_of_products(),
        Step("solve", is_(INSIDE * V, 1), is_(V, forward), "outputs vary as inputs do"),
        Step("solve", is_(OUTSIDE * V, 1), is_(V, backward), "gradients at the inputs vary as those at the outputs"),
        Step("solve", is_((INSIDE * V + OUTSIDE * V) / 2, 1), is_(V, both), "both on average"),
    )
    results = {"forward": forward, "backward": backward, "variance": both}
    return Statement("Glorot's variance", is_(V, both), (), steps, results, RANGES, chosen=True)


def he() -> Statement:
    """Var w = 2/n_in before a relu, which leaves half of the second moment: E relu(z)² = Var z/2 for z ~ N(0, Var z).

    Source: He, Zhang, Ren, Sun, Delving Deep into Rectifiers (2015), eq. 10.
    """
    z = Symbol("z", real=True)
    density = z**2 * exp(-(z**2) / (2 * S)) / sqrt(2 * pi * S)
    moment = sympy.simplify(integrate(density, (z, 0, oo)))
    share = sympy.simplify(moment / S)
    variance = solved(INSIDE * V * share - 1, V)
    steps = (
        _sum_of_products(),
        Step(
            "integrate",
            sympy.Integral(density, (z, 0, oo)),
            moment,
            "the half above 0 of a normal z has half",
        ),
        Step("solve", is_(INSIDE * V * share, 1), is_(V, variance), ""),
    )
    results = {"share": share, "variance": variance}
    return Statement("He's variance", is_(V, variance), (), steps, results, RANGES, chosen=True)


def vanishing() -> Statement:
    """σ′ = σ(1 − σ) ≤ 1/4: through L layers of weights w a gradient changes by no more than (|w|/4)^L.

    Source: Hochreiter, Untersuchungen zu dynamischen neuronalen Netzen (1991); Bengio, Simard, Frasconi, Learning
    Long-Term Dependencies with Gradient Descent is Difficult (1994).
    """
    x, y = Symbol("x", real=True), Symbol("y", real=True)
    layer = Symbol("l", integer=True)
    depth, w = Symbol("L", integer=True, positive=True), positive("w")
    sigma = 1 / (1 + exp(-x))
    slope = sympy.diff(sigma, x)
    top = solved(sympy.diff(y * (1 - y), y), y)
    most = (y * (1 - y)).subs(y, top)
    steps = (
        Step("differentiate", slope, sigma * (1 - sigma), ""),
        Step("solve", is_(sympy.diff(y * (1 - y), y), 0), is_(y, top), "y(1 − y) is greatest at the root of 1 − 2y"),
        Step("complete the square", sigma * (1 - sigma), most - (sigma - top) ** 2, "so that it is never above 1/4"),
        Step("chain rule", sympy.Product(w * most, (layer, 1, depth)), (w / 4) ** depth, "L layers, L such factors"),
    )
    results = {"slope": sigma * (1 - sigma), "most": most, "factor": (w / 4) ** depth}
    ranges = {x: (-6, 6), y: (0.01, 0.99), depth: (1, 20), w: (0.1, 8)}
    return Statement("vanishing gradients", slope <= most, (), steps, results, ranges)
