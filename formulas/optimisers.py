"""Optimisers as recurrences: one step is a formula of the parameter θ, its gradient g and the state, to all three anew.

Outputs are θ′ and the state anew, in the order of the inputs. `t` counts steps from 1. A state begins with zeros, but
for what START says. Weight decay, clipping and ascent are formulas of their own (chapter gradient_transforms);
`derive.train.optimiser` puts them before an optimiser.
"""

from derive import Abs, Scalar, T, assume, axes, clip, formula, let, maximum, sqrt, where

p = axes("p")[0]

__all__ = """
    sgd momentum nesterov adagrad adadelta rmsprop rprop
    adam adamw amsgrad adamax nadam radam
    signsgd lion
""".split()

# What a state begins with where that is not zero: a number, or an option and its default.
START = {
    "adagrad": {"total": ("initial_accumulator_value", 0.0)},
    "rprop": {"size": ("lr", 0.01)},
    "nadam": {"product": 1.0},
}


def _sign(x):
    """−1, 0 or 1."""
    return where(x > 0, 1, where(x < 0, -1, 0))


def _average(old, new, beta):
    """β old + (1 − β) new: of past values the share β is kept."""
    return beta * old + (1 - beta) * new


# Descent, and descent with a memory of directions.


@formula
def sgd(theta: T[...], g: T[...], *, lr: Scalar = 1e-3) -> T[...]:
    """θ′ = θ − η g.

    Source: Robbins, Monro, A Stochastic Approximation Method (1951); torch.optim.SGD.
    """
    return theta - lr * g


@formula
def momentum(
    theta: T[...],
    g: T[...],
    buffer: T[...],
    *,
    t: Scalar,
    lr: Scalar = 1e-3,
    momentum: Scalar = 0.9,
    dampening: Scalar = 0.0,
) -> tuple[T[...], T[...]]:
    """b′ = μ b + (1 − τ) g, θ′ = θ − η b′, with b′ = g at the first step.

    Source: Polyak, Some methods of speeding up the convergence of iteration methods (1964); torch.optim.SGD.
    """
    b = let("b", momentum * buffer + where(t > 1, 1 - dampening, 1) * g)[()]
    return theta - lr * b, b


@formula
def nesterov(
    theta: T[...], g: T[...], buffer: T[...], *, lr: Scalar = 1e-3, momentum: Scalar = 0.9
) -> tuple[T[...], T[...]]:
    """b′ = μ b + g, θ′ = θ − η (g + μ b′): the gradient as seen from where momentum leads.

    Source: Sutskever, Martens, Dahl, Hinton, On the importance of initialization and momentum in deep learning (2013);
    torch.optim.SGD.
    """
    b = let("b", momentum * buffer + g)[()]
    return theta - lr * (g + momentum * b), b


# A rate for every entry, from the sizes of its past gradients.


@formula
def adagrad(
    theta: T[...],
    g: T[...],
    total: T[...],
    *,
    t: Scalar,
    lr: Scalar = 1e-2,
    lr_decay: Scalar = 0.0,
    eps: Scalar = 1e-10,
) -> tuple[T[...], T[...]]:
    """s′ = s + g², θ′ = θ − η_t g/(√s′ + ε), η_t = η/(1 + (t − 1) δ).

    Source: Duchi, Hazan, Singer, Adaptive Subgradient Methods (2011); torch.optim.Adagrad.
    """
    assume(total > 0)
    s = let("s", total + g**2)[()]
    return theta - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps), s


@formula
def adadelta(
    theta: T[...],
    g: T[...],
    squares: T[...],
    steps: T[...],
    *,
    lr: Scalar = 1.0,
    rho: Scalar = 0.9,
    eps: Scalar = 1e-6,
) -> tuple[T[...], T[...], T[...]]:
    """v′ = ρ v + (1 − ρ) g², Δ = g √(u + ε)/√(v′ + ε), u′ = ρ u + (1 − ρ) Δ², θ′ = θ − η Δ.

    Source: Zeiler, ADADELTA: An Adaptive Learning Rate Method (2012); torch.optim.Adadelta.
    """
    assume(squares > 0)
    assume(steps > 0)
    assume(rho < 1)
    v = let("v", _average(squares, g**2, rho))[()]
    delta = let("delta", sqrt(steps + eps) / sqrt(v + eps) * g)[()]
    return theta - lr * delta, v, _average(steps, delta**2, rho)


def _spread(rng, shapes):
    """A mean of values, and a mean of their squares, which is larger than its square."""
    mean = rng.normal(size=shapes["mean"])
    return {"mean": mean, "squares": mean**2 + rng.uniform(0.5, 2, size=shapes["squares"])}


@formula
def rmsprop(
    theta: T[...],
    g: T[...],
    squares: T[...],
    mean: T[...],
    buffer: T[...],
    *,
    centered: bool = False,
    lr: Scalar = 1e-2,
    alpha: Scalar = 0.99,
    eps: Scalar = 1e-8,
    momentum: Scalar = 0.0,
) -> tuple[T[...], T[...], T[...], T[...]]:
    """v′ = α v + (1 − α) g², b′ = μ b + g/(√v′ + ε), θ′ = θ − η b′; centred: v′ less the square of the mean of g.

    Source: Tieleman, Hinton, Lecture 6.5 (2012); centred: Graves, Generating Sequences With Recurrent Neural Networks
    (2013), eq. 38; torch.optim.RMSprop.
    """
    assume(squares > mean**2, sample=_spread)
    assume(alpha < 1)
    v = let("v", _average(squares, g**2, alpha))[()]
    m = let("m", _average(mean, g, alpha))[()]
    b = let("b", momentum * buffer + g / (sqrt(v - m**2 if centered else v) + eps))[()]
    return theta - lr * b, v, m, b


@formula
def rprop(
    theta: T[...],
    g: T[...],
    last: T[...],
    size: T[...],
    *,
    etaminus: Scalar = 0.5,
    etaplus: Scalar = 1.2,
    step_min: Scalar = 1e-6,
    step_max: Scalar = 50.0,
) -> tuple[T[...], T[...], T[...]]:
    """Δ′ = η⁺Δ where g keeps its sign, η⁻Δ where it turns, and no step there: θ′ = θ − sign(g) Δ′.

    Source: Riedmiller, Braun, A Direct Adaptive Method for Faster Backpropagation Learning (1993), without the return
    to the point before a turn (iRprop⁻: Igel, Hüsken, 2000); torch.optim.Rprop.
    """
    turn = last * g
    grown = let("grown", clip(where(turn > 0, etaplus, where(turn < 0, etaminus, 1)) * size, step_min, step_max))[()]
    kept = let("kept", where(turn < 0, 0, g))[()]
    return theta - _sign(kept) * grown, kept, grown


# Adam and its kin: a mean of gradients over the root of a mean of their squares, both freed of their bias.


@formula
def adam(
    theta: T[...],
    g: T[...],
    mean: T[...],
    squares: T[...],
    *,
    t: Scalar,
    lr: Scalar = 1e-3,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    eps: Scalar = 1e-8,
) -> tuple[T[...], T[...], T[...]]:
    """m′ = β₁m + (1 − β₁)g, v′ = β₂v + (1 − β₂)g², θ′ = θ − η m̂/(√v̂ + ε), m̂ = m′/(1 − β₁ᵗ), v̂ = v′/(1 − β₂ᵗ).

    Source: Kingma, Ba, Adam: A Method for Stochastic Optimization (2015), algorithm 1; torch.optim.Adam.
    """
    assume(squares > 0)
    assume(beta2 < 1)
    m = let("m", _average(mean, g, beta1))[()]
    v = let("v", _average(squares, g**2, beta2))[()]
    return theta - lr / (1 - beta1**t) * m / (sqrt(v) / sqrt(1 - beta2**t) + eps), m, v


@formula
def adamw(
    theta: T[...],
    g: T[...],
    mean: T[...],
    squares: T[...],
    *,
    t: Scalar,
    lr: Scalar = 1e-3,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    weight_decay: Scalar = 1e-2,
) -> tuple[T[...], T[...], T[...]]:
    """θ′ = (1 − ηλ)θ − η m̂/(√v̂ + ε): Adam, whose weights decay beside its step.

    Source: Loshchilov, Hutter, Decoupled Weight Decay Regularization (2019), algorithm 2; torch.optim.AdamW.
    """
    assume(squares > 0)
    assume(beta2 < 1)
    m = let("m", _average(mean, g, beta1))[()]
    v = let("v", _average(squares, g**2, beta2))[()]
    return (1 - lr * weight_decay) * theta - lr / (1 - beta1**t) * m / (sqrt(v) / sqrt(1 - beta2**t) + eps), m, v


@formula
def amsgrad(
    theta: T[...],
    g: T[...],
    mean: T[...],
    squares: T[...],
    largest: T[...],
    *,
    t: Scalar,
    lr: Scalar = 1e-3,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    eps: Scalar = 1e-8,
) -> tuple[T[...], T[...], T[...], T[...]]:
    """Adam with the largest v′ so far in place of v′.

    Source: Reddi, Kale, Kumar, On the Convergence of Adam and Beyond (2018), algorithm 2; with bias correction as
    torch.optim.Adam(amsgrad=True).
    """
    assume(squares > 0)
    assume(largest > 0)
    assume(beta2 < 1)
    m = let("m", _average(mean, g, beta1))[()]
    v = let("v", _average(squares, g**2, beta2))[()]
    w = let("w", maximum(largest, v))[()]
    return theta - lr / (1 - beta1**t) * m / (sqrt(w) / sqrt(1 - beta2**t) + eps), m, v, w


@formula
def adamax(
    theta: T[...],
    g: T[...],
    mean: T[...],
    bound: T[...],
    *,
    t: Scalar,
    lr: Scalar = 2e-3,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    eps: Scalar = 1e-8,
) -> tuple[T[...], T[...], T[...]]:
    """m′ = β₁m + (1 − β₁)g, u′ = max(β₂u, |g| + ε), θ′ = θ − η/(1 − β₁ᵗ) m′/u′.

    Source: Kingma, Ba, Adam: A Method for Stochastic Optimization (2015), algorithm 2; torch.optim.Adamax.
    """
    assume(bound > 0)
    m = let("m", _average(mean, g, beta1))[()]
    u = let("u", maximum(beta2 * bound, Abs(g) + eps))[()]
    return theta - lr / (1 - beta1**t) * m / u, m, u


@formula
def nadam(
    theta: T[p],
    g: T[p],
    mean: T[p],
    squares: T[p],
    product: T[()],
    *,
    t: Scalar,
    lr: Scalar = 2e-3,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    momentum_decay: Scalar = 4e-3,
) -> tuple[T[p], T[p], T[p], T[()]]:
    """Adam with Nesterov's momentum: the mean of gradients as it will be at the next step.

    Source: Dozat, Incorporating Nesterov Momentum into Adam (2016), algorithm 2 and its schedule of μ;
    torch.optim.NAdam.
    """
    assume(squares[p] > 0)
    assume(beta2 < 1)
    assume(beta1 < 1)
    assume(product[()] > 0)
    assume(product[()] < 1)
    now = beta1 * (1 - 0.96 ** (t * momentum_decay) / 2)
    ahead = beta1 * (1 - 0.96 ** ((t + 1) * momentum_decay) / 2)
    pi = let("pi", now * product[()])
    m = let("m", _average(mean[p], g[p], beta1))
    v = let("v", _average(squares[p], g[p] ** 2, beta2))
    seen = (1 - now) / (1 - pi[()]) * g[p] + ahead / (1 - pi[()] * ahead) * m[p]
    return theta[p] - lr * seen / (sqrt(v[p]) / sqrt(1 - beta2**t) + eps), m[p], v[p], pi[()]


@formula
def radam(
    theta: T[...],
    g: T[...],
    mean: T[...],
    squares: T[...],
    *,
    t: Scalar,
    lr: Scalar = 1e-3,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    eps: Scalar = 1e-8,
) -> tuple[T[...], T[...], T[...]]:
    """Adam, whose step is scaled by what the variance of 1/√v̂ allows, and is m̂ alone where that is infinite (ρ_t ≤ 5).

    Source: Liu et al., On the Variance of the Adaptive Learning Rate and Beyond (2020), algorithm 2; torch.optim.RAdam.
    """
    assume(squares > 0)
    assume(beta2 < 1)
    assume(beta2 > 0.7)  # ρ_∞ > 5
    m = let("m", _average(mean, g, beta1))[()]
    v = let("v", _average(squares, g**2, beta2))[()]
    most = 2 / (1 - beta2) - 1
    rho = let("rho", most - 2 * t * beta2**t / (1 - beta2**t))[()]
    kept = let("kept", maximum(rho, 5))[()]
    rectified = sqrt((kept - 4) * (kept - 2) * most / ((most - 4) * (most - 2) * kept))
    scaled = rectified * sqrt(1 - beta2**t) / (sqrt(v) + eps)
    return theta - lr / (1 - beta1**t) * m * where(rho > 5, scaled, 1), m, v


# Signs.


@formula
def signsgd(theta: T[...], g: T[...], *, lr: Scalar = 1e-3) -> T[...]:
    """θ′ = θ − η sign(g).

    Source: Bernstein, Wang, Azizzadenesheli, Anandkumar, signSGD (2018), algorithm 1.
    """
    return theta - lr * _sign(g)


@formula
def lion(
    theta: T[...],
    g: T[...],
    mean: T[...],
    *,
    lr: Scalar = 1e-4,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.99,
    weight_decay: Scalar = 0.0,
) -> tuple[T[...], T[...]]:
    """θ′ = θ − η (sign(β₁m + (1 − β₁)g) + λθ), m′ = β₂m + (1 − β₂)g.

    Source: Chen et al., Symbolic Discovery of Optimization Algorithms (2023), program 1.
    """
    c = let("c", _average(mean, g, beta1))[()]
    return theta - lr * (_sign(c) + weight_decay * theta), _average(mean, g, beta2)
