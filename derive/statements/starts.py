"""Where weights begin: the variance that keeps what passes a layer as large as it was; what σ′ ≤ 1/4 does to depth."""

from __future__ import annotations

import sympy
from sympy import Symbol, exp, integrate, oo, pi, sqrt

from derive.steps import Step

from .core import Statement, is_, positive, solved, written

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
    about = "outputs Σ w_i x_i, weights independent and of mean 0, and functions of slope 1 after them"
    return Statement("Glorot's variance", is_(V, both), (), steps, results, RANGES, chosen=True, about=about)


def he() -> Statement:
    """Var w = 2/n_in before a relu, which leaves half of the second moment: E relu(z)² = Var z/2 for z ~ N(0, Var z).

    Source: He, Zhang, Ren, Sun, Delving Deep into Rectifiers (2015), eq. 10.
    """
    z, spread = Symbol("z", real=True), Symbol("Var z", positive=True)
    bell = exp(-(z**2) / (2 * spread))
    density = written(lambda: z**2 * bell / sqrt(2 * pi * spread))
    moment = sympy.simplify(integrate(density.doit(), (z, 0, oo)))
    share = sympy.simplify(moment / spread)
    variance = solved(INSIDE * V * share - 1, V)
    steps = (
        _sum_of_products(),
        Step("integrate", sympy.Integral(density, (z, 0, oo)), moment, "E relu(z)²: the half above 0 has half"),
        Step("solve", is_(INSIDE * V * share, 1), is_(V, variance), "Var z = n_in Var w · Var z/2 of the layer before"),
    )
    results = {"share": share, "variance": variance}
    about = "outputs z = Σ w_i relu(z_i), weights independent and of mean 0, and z ~ N(0, Var z)"
    ranges = {**RANGES, spread: (0.1, 4)}
    return Statement("He's variance", is_(V, variance), (), steps, results, ranges, chosen=True, about=about)


def depth() -> Statement:
    """Through L layers of relu gradients change by (n Var w/2)^(L/2): they vanish below He's variance, explode above.

    A layer multiplies by Wᵀ, whose squares have the mean n Var w, and by relu′, which half of the units pass.
    Source: He, Zhang, Ren, Sun, Delving Deep into Rectifiers (2015), section 2.2.
    """
    layer, below = Symbol("l", integer=True), Symbol("E δ²", positive=True)
    n, layers = sympy.symbols("n L", integer=True, positive=True)
    factor = n * V / 2
    edge = solved(factor - 1, V)
    steps = (
        Step("variance", sympy.Sum(V * below / 2, (Symbol("i", integer=True), 1, n)), factor * below,
             "E δ² of the layer below: n products of independent weights, half of which relu′ passes"),
        Step("chain rule", sympy.Product(factor, (layer, 1, layers)), factor**layers, "L layers, L such factors"),
        Step("solve", factor**layers < 1, sympy.Lt(V, edge), "gradients vanish"),
        Step("solve", factor**layers > 1, sympy.Gt(V, edge), "gradients explode"),
    )  # fmt: skip
    results = {"factor": factor, "change": factor**layers, "edge": edge}
    ranges = {n: (1, 500), layers: (1, 20), V: (0.0005, 0.05), below: (0.1, 4)}
    return Statement(
        "gradients through depth", (factor**layers > 1, sympy.Gt(V, edge)), (), steps, results, ranges,
        about="L layers of n units, weights independent and of mean 0, then relu; E δ² changes by (n Var w/2)^L",
    )  # fmt: skip


def vanishing() -> Statement:
    """σ′ = σ(1 − σ) ≤ 1/4: through L layers of weights w a gradient changes by no more than (|w|/4)^L.

    Source: Hochreiter, Untersuchungen zu dynamischen neuronalen Netzen (1991); Bengio, Simard, Frasconi, Learning
    Long-Term Dependencies with Gradient Descent is Difficult (1994).
    """
    x, y = Symbol("x", real=True), Symbol("y", real=True)
    layer = Symbol("l", integer=True)
    depth, w = Symbol("L", integer=True, positive=True), positive("w")
    sigma, letter = 1 / (1 + exp(-x)), Symbol("sigma", real=True)
    curve = letter * (1 - letter)
    top = solved(sympy.diff(y * (1 - y), y), y)
    most = (y * (1 - y)).subs(y, top)
    steps = (
        Step("differentiate", sympy.Derivative(sigma, x), curve, "σ′"),
        Step("solve", is_(sympy.diff(y * (1 - y), y), 0), is_(y, top), "y(1 − y) is greatest at the root of 1 − 2y"),
        Step("complete the square", curve, most - (letter - top) ** 2, "so that it is never above 1/4"),
        Step("chain rule", sympy.Product(w * most, (layer, 1, depth)), (w / 4) ** depth, "L layers, L such factors"),
    )
    results = {"slope": sigma * (1 - sigma), "most": most, "factor": (w / 4) ** depth}
    ranges = {x: (-6, 6), y: (0.01, 0.99), depth: (1, 20), w: (0.1, 8)}
    return Statement(
        "vanishing gradients", curve <= most, (), steps, results, ranges, letters={letter: sigma},
        about="y_l = σ(w y_{l−1}), l = 1 … L, whose gradient is a product of L factors w σ′",
    )  # fmt: skip
