"""Similarities, distances and kernels; penalties on the size or shape of weights."""

from typing import Literal

from derive import (
    Abs,
    Scalar,
    T,
    assume,
    axes,
    exp,
    formula,
    let,
    max_over,
    maximum,
    mean_over,
    one_hot,
    sqrt,
    sum_over,
)

b, n, m, i, o, d = axes("b n m i o d")
j = o.alias("j")
n2, m2 = n.alias("n2"), m.alias("m2")

__all__ = """
    normalize normalize_of_order cosine_similarity
    pairwise_distance minkowski_distance cdist minkowski_cdist rbf_kernel mmd
    l1_penalty l2_penalty elastic_net orthogonality_penalty
""".split()


def _norm(entry, over, p):
    """(Σ |x|ᵖ)^(1/p): for p = 1 a sum, for p = 2 the root of a sum of squares, for p → ∞ the largest."""
    if p == "inf":
        return max_over(over, Abs(entry))
    if p in (1, 2):
        return sum_over(over, Abs(entry)) if p == 1 else sqrt(sum_over(over, entry**2))
    return sum_over(over, Abs(entry) ** p) ** (1 / p)


# Lengths and angles of vectors, row by row.


@formula
def normalize(input: T[b, d], *, p: Literal[1, 2, "inf"] = 2, eps: Scalar = 1e-12) -> T[b, d]:
    """Each row over its norm, which is held above ε: x/max(‖x‖, ε).

    Source: torch.nn.functional.normalize.
    """
    norm = let("norm", _norm(input[b, d], d, p))
    r = let("r", maximum(eps, norm[b]))
    return input[b, d] / r[b]


@formula
def normalize_of_order(input: T[b, d], *, p: Scalar = 2.0, eps: Scalar = 1e-12) -> T[b, d]:
    """Each row over its p-norm, which is held above ε, for any p above 1.

    Source: torch.nn.functional.normalize.
    """
    assume(p > 1)
    norm = let("norm", _norm(input[b, d], d, p))
    r = let("r", maximum(eps, norm[b]))
    return input[b, d] / r[b]


@formula
def cosine_similarity(x1: T[b, d], x2: T[b, d], *, eps: Scalar = 1e-8) -> T[b]:
    """Σ x y/(max(‖x‖, ε) max(‖y‖, ε)): the cosine of the angle between two vectors.

    Source: torch.nn.functional.cosine_similarity.
    """
    xhat, yhat = normalize(x1, eps=eps), normalize(x2, eps=eps)
    return sum_over(d, xhat[b, d] * yhat[b, d])


@formula
def pairwise_distance(x1: T[b, d], x2: T[b, d], *, p: Literal[1, 2, "inf"] = 2, eps: Scalar = 1e-6) -> T[b]:
    """‖x − y + ε‖: the norm of the difference of two rows.

    Source: torch.nn.functional.pairwise_distance.
    """
    e = let("e", x1[b, d] - x2[b, d] + eps)
    return _norm(e[b, d], d, p)


@formula
def minkowski_distance(x1: T[b, d], x2: T[b, d], *, p: Scalar = 2.0, eps: Scalar = 1e-6) -> T[b]:
    """(Σ |x − y + ε|ᵖ)^(1/p): the p-norm of the difference of two rows, for any p above 1.

    Source: Minkowski, Geometrie der Zahlen (1910); torch.nn.functional.pairwise_distance.
    """
    assume(p > 1)
    e = let("e", x1[b, d] - x2[b, d] + eps)
    return _norm(e[b, d], d, p)


# Every row against every other.


@formula
def cdist(x1: T[n, d], x2: T[m, d], *, p: Literal[1, 2, "inf"] = 2) -> T[n, m]:
    """‖x_n − y_m‖: the norm of the difference of each row of x and each row of y.

    Source: torch.cdist.
    """
    e = let("e", x1[n, d] - x2[m, d])
    return _norm(e[n, d, m], d, p)


@formula
def minkowski_cdist(x1: T[n, d], x2: T[m, d], *, p: Scalar = 2.0) -> T[n, m]:
    """(Σ |x_n − y_m|ᵖ)^(1/p): the p-norm of the difference of each row of x and each row of y, for any p above 1.

    Source: torch.cdist.
    """
    assume(p > 1)
    e = let("e", x1[n, d] - x2[m, d])
    return _norm(e[n, d, m], d, p)


@formula
def rbf_kernel(x: T[n, d], y: T[m, d], *, gamma: Scalar = 1.0) -> T[n, m]:
    """exp(−γ ‖x_n − y_m‖²).

    Source: Schölkopf, Smola, Learning with Kernels (2002), eq. 2.68, with γ = 1/(2σ²).
    """
    return exp(-gamma * sum_over(d, (x[n, d] - y[m, d]) ** 2))


@formula
def mmd(x: T[n, d], y: T[m, d], *, gamma: Scalar = 1.0) -> T[()]:
    """Mean k(x, x′) + mean k(y, y′) − 2 mean k(x, y): how far two samples are apart, seen by a Gaussian kernel.

    Source: Gretton, Borgwardt, Rasch, Schölkopf, Smola, A Kernel Two-Sample Test (2012), eq. 5, squared.
    """
    within = mean_over((n, n2), exp(-gamma * sum_over(d, (x[n, d] - x[n2, d]) ** 2)))
    among = mean_over((m, m2), exp(-gamma * sum_over(d, (y[m, d] - y[m2, d]) ** 2)))
    between = mean_over((n, m), exp(-gamma * sum_over(d, (x[n, d] - y[m, d]) ** 2)))
    return within + among - 2 * between


# Penalties.


@formula
def l1_penalty(w: T[d], *, strength: Scalar = 1.0) -> T[()]:
    """λ Σ |w|.

    Source: Tibshirani, Regression Shrinkage and Selection via the Lasso (1996), eq. 1.
    """
    return strength * sum_over(d, Abs(w[d]))


@formula
def l2_penalty(w: T[d], *, strength: Scalar = 1.0) -> T[()]:
    """λ/2 Σ w²: its gradient, λ w, is weight decay.

    Source: Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 7.2.
    """
    return strength / 2 * sum_over(d, w[d] ** 2)


@formula
def elastic_net(w: T[d], *, strength_1: Scalar = 1.0, strength_2: Scalar = 1.0) -> T[()]:
    """λ₁ Σ |w| + λ₂ Σ w².

    Source: Zou, Hastie, Regularization and Variable Selection via the Elastic Net (2005), eq. 3.
    """
    return strength_1 * sum_over(d, Abs(w[d])) + strength_2 * sum_over(d, w[d] ** 2)


@formula
def orthogonality_penalty(w: T[i, o], *, strength: Scalar = 1.0) -> T[()]:
    """λ ‖WᵀW − I‖²: nil where the columns of W are orthonormal.

    Source: Bansal, Chen, Wang, Can We Gain More from Orthogonality Regularizations (2018), eq. 3.
    """
    gram = let("gram", sum_over(i, w[i, o] * w[i, j]))
    return strength * sum_over((o, j), (gram[o, j] - one_hot(o, j)) ** 2)
