"""Optimisers that PyTorch does not have: other second moments, differences of gradients, and layers by their norms.

As in the chapter `optimisers`, outputs are θ′ and the state anew; `t` counts steps from 1.
"""

from derive import Scalar, T, assume, axes, clip, formula, let, sqrt, sum_over, where

from .optimisers import _average, _sign

p = axes("p")[0]

__all__ = """
    adabelief yogi adan padam adabound
    quasi_hyperbolic_momentum signum
    lars novograd
""".split()

START = {"yogi": {"squares": ("initial_accumulator_value", 1e-6)}}


# Adam with another second moment.


@formula
def adabelief(
    theta: T[...],
    g: T[...],
    mean: T[...],
    spread: T[...],
    *,
    t: Scalar,
    lr: Scalar = 1e-3,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    eps: Scalar = 1e-8,
) -> tuple[T[...], T[...], T[...]]:
    """Adam with s′ = β₂s + (1 − β₂)(g − m′)² + ε in place of v′: long steps where gradients are as foretold.

    Source: Zhuang et al., AdaBelief Optimizer (2020), algorithm 2.
    """
    assume(spread > 0)
    assume(eps > 0)
    assume(beta2 < 1)
    m = let("m", _average(mean, g, beta1))[()]
    s = let("s", _average(spread, (g - m) ** 2, beta2) + eps)[()]
    return theta - lr / (1 - beta1**t) * m / (sqrt(s) / sqrt(1 - beta2**t) + eps), m, s


@formula
def yogi(
    theta: T[...],
    g: T[...],
    mean: T[...],
    squares: T[...],
    *,
    lr: Scalar = 1e-2,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    eps: Scalar = 1e-3,
) -> tuple[T[...], T[...], T[...]]:
    """v′ = v − (1 − β₂) sign(v − g²) g²: what v gains or loses does not depend on v; θ′ = θ − η m′/(√v′ + ε).

    Source: Zaheer, Reddi, Sachan, Kale, Kumar, Adaptive Methods for Nonconvex Optimization (2018), algorithm 2.
    """
    assume(squares > 0)
    assume(beta2 < 1)
    assume(beta2 > 0)
    m = let("m", _average(mean, g, beta1))[()]
    v = let("v", squares - (1 - beta2) * _sign(squares - g**2) * g**2)[()]
    return theta - lr * m / (sqrt(v) + eps), m, v


@formula
def adan(
    theta: T[...],
    g: T[...],
    mean: T[...],
    change: T[...],
    squares: T[...],
    last: T[...],
    *,
    t: Scalar,
    lr: Scalar = 1e-3,
    beta1: Scalar = 0.98,
    beta2: Scalar = 0.92,
    beta3: Scalar = 0.99,
    eps: Scalar = 1e-8,
    weight_decay: Scalar = 0.02,
) -> tuple[T[...], T[...], T[...], T[...], T[...]]:
    """Means of g, of its change Δ, and of (g + β₂Δ)²; θ′ = (θ − η (m + β₂v)/(√n + ε))/(1 + ηλ). At first Δ = 0.

    Source: Xie et al., Adan: Adaptive Nesterov Momentum Algorithm (2022), algorithm 1, whose β is 1 − β here.
    """
    assume(squares > 0)
    assume(beta3 < 1)
    delta = let("delta", where(t > 1, g - last, 0))[()]
    m = let("m", where(t > 1, _average(mean, g, beta1), g))[()]
    v = let("v", _average(change, delta, beta2))[()]
    ahead = let("ahead", g + beta2 * delta)[()]
    n = let("n", where(t > 1, _average(squares, ahead**2, beta3), g**2))[()]
    return (theta - lr * (m + beta2 * v) / (sqrt(n) + eps)) / (1 + lr * weight_decay), m, v, n, g


@formula
def padam(
    theta: T[...],
    g: T[...],
    mean: T[...],
    squares: T[...],
    *,
    t: Scalar,
    lr: Scalar = 0.1,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    partial: Scalar = 0.125,
    eps: Scalar = 1e-8,
) -> tuple[T[...], T[...], T[...]]:
    """θ′ = θ − η m̂/(√v̂ + ε)^(2p): Adam for p = ½, descent with momentum for p = 0.

    Source: Chen et al., Closing the Generalization Gap of Adaptive Gradient Methods (2018), algorithm 1, with Adam's
    corrections of bias.
    """
    assume(squares > 0)
    assume(eps > 0)
    assume(beta2 < 1)
    m = let("m", _average(mean, g, beta1))[()]
    v = let("v", _average(squares, g**2, beta2))[()]
    return theta - lr / (1 - beta1**t) * m / (sqrt(v) / sqrt(1 - beta2**t) + eps) ** (2 * partial), m, v


@formula
def adabound(
    theta: T[...],
    g: T[...],
    mean: T[...],
    squares: T[...],
    *,
    t: Scalar,
    lr: Scalar = 1e-3,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    final_lr: Scalar = 0.1,
    gamma: Scalar = 1e-3,
    eps: Scalar = 1e-8,
) -> tuple[T[...], T[...], T[...]]:
    """Adam, whose rate of each entry is held between η* (1 − 1/(γt + 1)) and η* (1 + 1/(γt)): in the end it is η*.

    Source: Luo, Xiong, Liu, Sun, Adaptive Gradient Methods with Dynamic Bound of Learning Rate (2019), algorithm 2,
    with Adam's corrections of bias.
    """
    assume(squares > 0)
    assume(beta2 < 1)
    assume(gamma > 0)
    assume(final_lr > 0)
    m = let("m", _average(mean, g, beta1))[()]
    v = let("v", _average(squares, g**2, beta2))[()]
    low, high = final_lr * (1 - 1 / (gamma * t + 1)), final_lr * (1 + 1 / (gamma * t))
    rate = clip(lr / (1 - beta1**t) / (sqrt(v) / sqrt(1 - beta2**t) + eps), low, high)
    return theta - rate * m, m, v


# A mean of gradients.


@formula
def quasi_hyperbolic_momentum(
    theta: T[...], g: T[...], mean: T[...], *, lr: Scalar = 1.0, beta: Scalar = 0.999, nu: Scalar = 0.7
) -> tuple[T[...], T[...]]:
    """θ′ = θ − η ((1 − ν) g + ν m′), m′ = β m + (1 − β) g.

    Source: Ma, Yarats, Quasi-hyperbolic Momentum and Adam for Deep Learning (2019), eq. 3 and 4.
    """
    m = let("m", _average(mean, g, beta))[()]
    return theta - lr * ((1 - nu) * g + nu * m), m


@formula
def signum(theta: T[...], g: T[...], mean: T[...], *, lr: Scalar = 1e-3, beta: Scalar = 0.9) -> tuple[T[...], T[...]]:
    """θ′ = θ − η sign(m′), m′ = β m + (1 − β) g.

    Source: Bernstein, Wang, Azizzadenesheli, Anandkumar, signSGD (2018), algorithm 2.
    """
    m = let("m", _average(mean, g, beta))[()]
    return theta - lr * _sign(m), m


# Layers by their norms.


@formula
def lars(
    theta: T[p],
    g: T[p],
    buffer: T[p],
    *,
    lr: Scalar = 0.1,
    momentum: Scalar = 0.9,
    trust: Scalar = 1e-3,
    weight_decay: Scalar = 0.0,
) -> tuple[T[p], T[p]]:
    """b′ = μ b + η τ ‖θ‖/(‖g‖ + λ‖θ‖) (g + λθ), θ′ = θ − b′. Where a norm is zero, the ratio is 1.

    Source: You, Gitman, Ginsburg, Large Batch Training of Convolutional Networks (2017), algorithm 1.
    """
    weight, slope = let("weight", sum_over(p, theta[p] ** 2)), let("slope", sum_over(p, g[p] ** 2))  # squares
    sound = weight[()] * slope[()] > 0
    length, size = (let(n, sqrt(where(sound, x[()], 1))) for n, x in (("length", weight), ("size", slope)))
    ratio = let("ratio", where(sound, trust * length[()] / (size[()] + weight_decay * length[()]), 1))
    b = let("b", momentum * buffer[p] + lr * ratio[()] * (g[p] + weight_decay * theta[p]))
    return theta[p] - b[p], b[p]


@formula
def novograd(
    theta: T[p],
    g: T[p],
    mean: T[p],
    square: T[()],
    *,
    t: Scalar,
    lr: Scalar = 0.01,
    beta1: Scalar = 0.95,
    beta2: Scalar = 0.98,
    eps: Scalar = 1e-8,
    weight_decay: Scalar = 0.0,
) -> tuple[T[p], T[p], T[()]]:
    """v′ = β₂v + (1 − β₂)‖g‖², which is ‖g‖² at first; m′ = β₁m + g/(√v′ + ε) + λθ, θ′ = θ − η m′.

    Source: Ginsburg et al., Stochastic Gradient Methods with Layer-wise Adaptive Moments (2019), algorithm 1.
    """
    assume(square[()] > 0)
    assume(beta2 < 1)
    size = let("size", sum_over(p, g[p] ** 2))
    v = let("v", where(t > 1, _average(square[()], size[()], beta2), size[()]))
    m = let("m", beta1 * mean[p] + g[p] / (sqrt(v[()]) + eps) + weight_decay * theta[p])
    return theta[p] - lr * m[p], m[p], v[()]
