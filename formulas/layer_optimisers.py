"""Optimisers that look at a layer as a whole: its norms, its rows and columns, its singular values, its curvature.

Adafactor, Muon and Shampoo are made of parts, each of which is derived and verified; `adafactor`, `muon`, `shampoo` and
`adafactor_of_vector` put them together, and `derive.train.optimiser` makes code of the whole.
"""

from typing import Literal

from derive import (
    Scalar,
    T,
    assume,
    axes,
    clip,
    definite,
    formula,
    inv,
    let,
    maximum,
    minimum,
    one_hot,
    solve,
    sqrt,
    sqrtm,
    sum_over,
    where,
)

from .optimisers import _average

i, n, p, r, c = axes("i n p r c")
j = i.alias("j")
k, l = r.alias("k"), r.alias("l")
d = c.alias("d")

__all__ = """
    adafactor_direction adafactor_direction_of_vector relative_step
    lamb newton_schulz muon_direction muon_descent
    shampoo_statistics inverse_fourth_root shampoo_descent
    sophia sophia_curvature
    newton gauss_newton_step natural_gradient lbfgs_first_loop lbfgs_second_loop
""".split()


# Squares of rows and columns, in place of those of all entries.


@formula
def adafactor_direction(
    g: T[n, r, c], rows: T[n, r], columns: T[n, c], *, t: Scalar, beta2_decay: Scalar = -0.8, eps: Scalar = 1e-16
) -> tuple[T[n, r, c], T[n, r], T[n, c]]:
    """u = g/√v, where v_rc = R_r C_c/mean R, and R, C are means of g² over columns and rows, averaged over steps.

    Source: Shazeer, Stern, Adafactor (2018), algorithm 4; torch.optim.Adafactor.
    """
    assume(rows[n, r] > 0)
    assume(columns[n, c] > 0)
    assume(eps > 0)
    share = t**beta2_decay
    row = let("row", (1 - share) * rows[n, r] + share * sum_over(c, g[n, r, c] ** 2) / c.size)
    column = let("column", (1 - share) * columns[n, c] + share * sum_over(r, g[n, r, c] ** 2) / r.size)
    mean = let("mean", maximum(sum_over(k, row[n, k]) / r.size, eps))
    u = g[n, r, c] / sqrt(maximum(row[n, r] * column[n, c] / mean[n], eps**2))
    return u, row[n, r], column[n, c]


@formula
def adafactor_direction_of_vector(
    g: T[...], squares: T[...], *, t: Scalar, beta2_decay: Scalar = -0.8, eps: Scalar = 1e-16
) -> tuple[T[...], T[...]]:
    """u = g/√v for vectors, whose squares are kept whole.

    Source: Shazeer, Stern, Adafactor (2018), algorithm 5; torch.optim.Adafactor.
    """
    assume(squares > 0)
    assume(eps > 0)
    share = t**beta2_decay
    v = let("v", (1 - share) * squares + share * g**2)[()]
    return g / sqrt(maximum(v, eps**2)), v


@formula
def relative_step(
    theta: T[n, r, c],
    u: T[n, r, c],
    *,
    t: Scalar,
    lr: Scalar = 1e-2,
    eps2: Scalar = 1e-3,
    d: Scalar = 1.0,
    weight_decay: Scalar = 0.0,
) -> T[n, r, c]:
    """θ′ = (1 − ηλ)θ − ρ max(ε₂, rms θ) u/max(1, rms(u)/d), ρ = min(η, 1/√t): a step in proportion to the weights.

    Source: Shazeer, Stern, Adafactor (2018), sections 6 and 8; torch.optim.Adafactor.
    """
    entries = n.size * r.size * c.size
    size = let("size", sqrt(sum_over((n, r, c), theta[n, r, c] ** 2) / entries))
    rms = let("rms", sqrt(sum_over((n, r, c), u[n, r, c] ** 2) / entries))
    rate = minimum(lr, 1 / sqrt(t)) * maximum(eps2, size[()]) / maximum(1, rms[()] / d)
    return (1 - lr * weight_decay) * theta[n, r, c] - rate * u[n, r, c]


def adafactor(
    theta: T[n, r, c],
    g: T[n, r, c],
    rows: T[n, r],
    columns: T[n, c],
    *,
    t: Scalar,
    lr: Scalar = 1e-2,
    beta2_decay: Scalar = -0.8,
    eps: Scalar = 2.220446049250313e-16,
    eps2: Scalar = 1e-3,
    d: Scalar = 1.0,
    weight_decay: Scalar = 0.0,
) -> tuple[T[n, r, c], T[n, r], T[n, c]]:
    """Adam without a mean, whose squares are kept by rows and columns, with steps in proportion to the weights.

    Source: Shazeer, Stern, Adafactor (2018), algorithm 4; torch.optim.Adafactor, whose eps is that of the dtype.
    """
    u, row, column = adafactor_direction(g, rows, columns, t=t, beta2_decay=beta2_decay, eps=eps)
    new = relative_step(theta, u, t=t, lr=lr, eps2=eps2, d=d, weight_decay=weight_decay)
    return new[n, r, c], row[n, r], column[n, c]


def adafactor_of_vector(
    theta: T[n, r, c],
    g: T[n, r, c],
    squares: T[n, r, c],
    *,
    t: Scalar,
    lr: Scalar = 1e-2,
    beta2_decay: Scalar = -0.8,
    eps: Scalar = 2.220446049250313e-16,
    eps2: Scalar = 1e-3,
    d: Scalar = 1.0,
    weight_decay: Scalar = 0.0,
) -> tuple[T[n, r, c], T[n, r, c]]:
    """Adafactor where there are no rows: the squares are kept whole.

    Source: Shazeer, Stern, Adafactor (2018), algorithm 5; torch.optim.Adafactor.
    """
    u, v = adafactor_direction_of_vector(g, squares, t=t, beta2_decay=beta2_decay, eps=eps)
    new = relative_step(theta, let("u", u[n, r, c]), t=t, lr=lr, eps2=eps2, d=d, weight_decay=weight_decay)
    return new[n, r, c], v[n, r, c]


# A step for a layer as a whole.


@formula
def lamb(
    theta: T[p],
    g: T[p],
    mean: T[p],
    squares: T[p],
    *,
    t: Scalar,
    lr: Scalar = 1e-3,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    eps: Scalar = 1e-6,
    weight_decay: Scalar = 0.0,
) -> tuple[T[p], T[p], T[p]]:
    """u = m̂/(√v̂ + ε) + λθ, θ′ = θ − η ‖θ‖/‖u‖ u: Adam's direction, as long as the layer's weights (φ(x) = x).

    Where one of the norms is zero, their ratio is 1.
    Source: You et al., Large Batch Optimization for Deep Learning (2020), algorithm 2.
    """
    assume(squares[p] > 0)
    assume(beta2 < 1)
    m = let("m", _average(mean[p], g[p], beta1))
    v = let("v", _average(squares[p], g[p] ** 2, beta2))
    u = let("u", m[p] / (1 - beta1**t) / (sqrt(v[p]) / sqrt(1 - beta2**t) + eps) + weight_decay * theta[p])
    weight, length = let("weight", sum_over(p, theta[p] ** 2)), let("length", sum_over(p, u[p] ** 2))  # squares
    trust = let("trust", where(weight[()] * length[()] > 0, weight[()] / length[()], 1))
    return theta[p] - lr * sqrt(trust[()]) * u[p], m[p], v[p]


@formula
def newton_schulz(x: T[r, c], *, a: Scalar = 3.4445, b: Scalar = -4.7750, c_: Scalar = 2.0315) -> T[r, c]:
    """X′ = a X + (b A + c A²) X, A = X Xᵀ: each singular value s becomes a s + b s³ + c s⁵, which drives it towards 1.

    Source: Jordan et al., Muon: An optimizer for hidden layers in neural networks (2024).
    """
    gram = let("gram", sum_over(c, x[r, c] * x[k, c]))
    turned = let("turned", b * gram[r, k] + c_ * sum_over(l, gram[r, l] * gram[l, k]))
    return a * x[r, c] + sum_over(k, turned[r, k] * x[k, c])


@formula
def muon_direction(
    g: T[r, c], buffer: T[r, c], *, nesterov: bool = True, momentum: Scalar = 0.95, eps: Scalar = 1e-7
) -> tuple[T[r, c], T[r, c]]:
    """m = μ b + (1 − μ) g, u = (1 − μ) g + μ m (or m, without Nesterov), X = u/‖u‖: what Muon makes orthogonal, and m.

    Source: Jordan et al., Muon (2024); torch.optim.Muon.
    """
    m = let("m", _average(buffer[r, c], g[r, c], momentum))
    u = let("u", _average(m[r, c], g[r, c], momentum) if nesterov else m[r, c])
    return u[r, c] / maximum(sqrt(sum_over((r, c), u[r, c] ** 2)), eps), m[r, c]


@formula
def muon_descent(
    theta: T[r, c],
    o: T[r, c],
    *,
    adjust: Literal["original", "match_rms_adamw", "none"] = "original",
    lr: Scalar = 1e-3,
    weight_decay: Scalar = 0.1,
) -> T[r, c]:
    """θ′ = (1 − ηλ)θ − η κ O, κ = max(1, R/C)^½, or 0.2 max(R, C)^½ for steps as long as AdamW's, or 1.

    Source: Jordan et al., Muon (2024); Liu et al., Muon is Scalable for LLM Training (2025), eq. 4; torch.optim.Muon.
    """
    rows, columns = r.size, c.size
    ratios = {
        "original": sqrt(maximum(1, rows / columns)),
        "match_rms_adamw": sqrt(maximum(rows, columns)) / 5,
        "none": 1,
    }
    return (1 - lr * weight_decay) * theta[r, c] - lr * ratios[adjust] * o[r, c]


def muon(
    theta: T[r, c],
    g: T[r, c],
    buffer: T[r, c],
    *,
    nesterov: bool = True,
    ns_steps: Literal[5, 1, 2, 3, 4, 6, 7, 8] = 5,
    adjust: Literal["original", "match_rms_adamw", "none"] = "original",
    lr: Scalar = 1e-3,
    momentum: Scalar = 0.95,
    weight_decay: Scalar = 0.1,
    eps: Scalar = 1e-7,
    a: Scalar = 3.4445,
    b: Scalar = -4.7750,
    c_: Scalar = 2.0315,
) -> tuple[T[r, c], T[r, c]]:
    """Momentum with all singular values driven towards 1, by five steps of Newton and Schulz; for matrices.

    Source: Jordan et al., Muon (2024); torch.optim.Muon, which rounds to bfloat16.
    """
    x, m = muon_direction(g, buffer, nesterov=nesterov, momentum=momentum, eps=eps)
    for _ in range(ns_steps):
        x = newton_schulz(x, a=a, b=b, c_=c_)
    return muon_descent(theta, x, adjust=adjust, lr=lr, weight_decay=weight_decay)[r, c], m[r, c]


@formula
def shampoo_statistics(g: T[r, c], left: T[r, k], right: T[c, d]) -> tuple[T[r, k], T[c, d]]:
    """L′ = L + G Gᵀ, R′ = R + Gᵀ G: how rows of the gradients go with each other, and columns.

    Source: Gupta, Koren, Singer, Shampoo: Preconditioned Stochastic Tensor Optimization (2018), algorithm 1.
    """
    return left[r, k] + sum_over(c, g[r, c] * g[k, c]), right[c, d] + sum_over(r, g[r, c] * g[r, d])


@formula
def inverse_fourth_root(A: T[r, k]) -> T[r, k]:
    """A^{−1/4}, for positive definite A: the inverse of the root of the root.

    Source: Gupta, Koren, Singer, Shampoo: Preconditioned Stochastic Tensor Optimization (2018), algorithm 1.
    """
    assume(definite(A))
    return inv(sqrtm(sqrtm(A)))[r, k]


@formula
def shampoo_descent(theta: T[r, c], g: T[r, c], P: T[r, k], Q: T[c, d], *, lr: Scalar = 0.1) -> T[r, c]:
    """θ′ = θ − η P G Q.

    Source: Gupta, Koren, Singer, Shampoo: Preconditioned Stochastic Tensor Optimization (2018), algorithm 1.
    """
    return theta[r, c] - lr * sum_over((k, d), P[r, k] * g[k, d] * Q[d, c])


def shampoo(
    theta: T[r, c], g: T[r, c], left: T[r, k], right: T[c, d], *, lr: Scalar = 0.1, eps: Scalar = 1e-4
) -> tuple[T[r, c], T[r, k], T[c, d]]:
    """L′ = L + G Gᵀ, R′ = R + Gᵀ G, θ′ = θ − η (L′ + εI)^{−1/4} G (R′ + εI)^{−1/4}; for matrices.

    L and R begin with zeros, where the paper's begin with εI.
    Source: Gupta, Koren, Singer, Shampoo: Preconditioned Stochastic Tensor Optimization (2018), algorithm 1.
    """
    rows, columns = shampoo_statistics(g, left, right)
    P = inverse_fourth_root(let("L", rows[r, k] + eps * one_hot(r, k)))
    Q = inverse_fourth_root(let("R", columns[c, d] + eps * one_hot(c, d)))
    return shampoo_descent(theta, g, P, Q, lr=lr)[r, c], rows[r, k], columns[c, d]


# Curvature, entry by entry.


@formula
def sophia_curvature(curvature: T[...], estimate: T[...], *, beta2: Scalar = 0.99) -> T[...]:
    """h′ = β₂h + (1 − β₂)ĥ: a mean of estimates of the Hessian's diagonal, such as u ⊙ (H u) for u ~ N(0, I).

    Source: Liu, Li, Hall, Liang, Ma, Sophia: A Scalable Stochastic Second-order Optimizer (2023), algorithm 3.
    """
    return _average(curvature, estimate, beta2)


@formula
def sophia(
    theta: T[...],
    g: T[...],
    mean: T[...],
    curvature: T[...],
    *,
    lr: Scalar = 1e-3,
    beta1: Scalar = 0.96,
    gamma: Scalar = 0.01,
    eps: Scalar = 1e-12,
    weight_decay: Scalar = 0.2,
) -> tuple[T[...], T[...]]:
    """m′ = β₁m + (1 − β₁)g, θ′ = (1 − ηλ)θ − η clip(m′/max(γh, ε), ±1): Newton's step, which no entry outruns.

    The curvature h is kept between its estimates (`sophia_curvature`), which the paper makes every ten steps.
    Source: Liu, Li, Hall, Liang, Ma, Sophia: A Scalable Stochastic Second-order Optimizer (2023), algorithm 3.
    """
    assume(gamma > 0)
    assume(eps > 0)
    m = let("m", _average(mean, g, beta1))[()]
    return (1 - lr * weight_decay) * theta - lr * clip(m / maximum(gamma * curvature, eps), -1, 1), m


# A metric: the step that the curvature asks for.


def _convex(g, curvature):
    """Along g the curvature is positive, so that the step goes down."""
    assume(sum_over((i, j), g[i] * curvature[i, j] * g[j]) > 0)


@formula
def newton(theta: T[i], g: T[i], hessian: T[i, j], *, lr: Scalar = 1.0) -> T[i]:
    """θ′ = θ − η H⁻¹ g.

    Source: Nocedal, Wright, Numerical Optimization (2006), eq. 2.15.
    """
    _convex(g, hessian)
    return theta[i] - lr * solve(hessian, g)[i]


@formula
def gauss_newton_step(
    theta: T[i], jacobian: T[n, i], residual: T[n], *, lr: Scalar = 1.0, damping: Scalar = 1e-3
) -> T[i]:
    """θ′ = θ − η (JᵀJ + λI)⁻¹ Jᵀ r: Gauss and Newton for λ → 0, Levenberg and Marquardt else.

    Source: Nocedal, Wright, Numerical Optimization (2006), eq. 10.23 and 10.36.
    """
    assume(damping > 1e-4)
    gram = let("gram", sum_over(n, jacobian[n, i] * jacobian[n, j]) + damping * one_hot(i, j))
    g = let("g", sum_over(n, jacobian[n, i] * residual[n]))
    return theta[i] - lr * solve(gram, g)[i]


@formula
def natural_gradient(theta: T[i], g: T[i], fisher: T[i, j], *, lr: Scalar = 1.0) -> T[i]:
    """θ′ = θ − η F⁻¹ g, for Fisher's information F = E[s sᵀ] with scores s.

    Source: Amari, Natural Gradient Works Efficiently in Learning (1998), theorem 1.
    """
    _convex(g, fisher)
    return theta[i] - lr * solve(fisher, g)[i]


@formula
def lbfgs_first_loop(q: T[i], s: T[i], y: T[i]) -> tuple[T[i], T[()]]:
    """α = s·q/(s·y), q′ = q − α y: from the newest pair of steps s and changes y of the gradient to the oldest.

    Source: Nocedal, Wright, Numerical Optimization (2006), algorithm 7.4, first loop.
    """
    alpha = let("alpha", sum_over(i, s[i] * q[i]) / sum_over(i, s[i] * y[i]))
    return q[i] - alpha[()] * y[i], alpha[()]


@formula
def lbfgs_second_loop(r: T[i], s: T[i], y: T[i], alpha: T[()]) -> T[i]:
    """r′ = r + (α − y·r/(s·y)) s: from the oldest pair to the newest; r begins as γ q, γ = s·y/(y·y) of the newest.

    Source: Nocedal, Wright, Numerical Optimization (2006), algorithm 7.4, second loop, and eq. 7.20.
    """
    return r[i] + (alpha[()] - sum_over(i, y[i] * r[i]) / sum_over(i, s[i] * y[i])) * s[i]
