"""Losses: how far a prediction is from its target, as one number."""

from typing import Literal

from derive import (
    Abs,
    Scalar,
    T,
    assume,
    axes,
    equals,
    exp,
    formula,
    let,
    log,
    maximum,
    mean_over,
    minimum,
    pi,
    sqrt,
    sum_over,
    where,
)

from ._common import Reduction, reduced, reducible
from .penalties import pairwise_distance

b, c, d = axes("b c d")

__all__ = """
    mse_loss l1_loss smooth_l1_loss huber_loss
    softmax_cross_entropy binary_cross_entropy binary_cross_entropy_with_logits kl_div
    poisson_nll_loss gaussian_nll_loss
    hinge_loss hinge_embedding_loss soft_margin_loss multilabel_soft_margin_loss
    margin_ranking_loss cosine_embedding_loss triplet_margin_loss triplet_margin_with_distance_loss
""".split()

# Numbers: the error of each entry.


@formula
def mse_loss(input: T[b, d], target: T[b, d], *, reduction: Reduction = "mean") -> reducible(T[b, d]):
    """Squared error of each entry, averaged.

    Source: torch.nn.functional.mse_loss.
    """
    return reduced((input[b, d] - target[b, d]) ** 2, (b, d), reduction)


@formula
def l1_loss(input: T[b, d], target: T[b, d], *, reduction: Reduction = "mean") -> reducible(T[b, d]):
    """Absolute error of each entry, averaged.

    Source: torch.nn.functional.l1_loss.
    """
    return reduced(Abs(input[b, d] - target[b, d]), (b, d), reduction)


@formula
def smooth_l1_loss(input: T[b, d], target: T[b, d], *, beta: Scalar = 1.0, reduction: Reduction = "mean") -> reducible(
    T[b, d]
):
    """e²/(2β) where |e| < β, else |e| − β/2, for the error e = x − t.

    Source: Girshick, Fast R-CNN (2015), eq. 3; torch.nn.functional.smooth_l1_loss.
    """
    assume(beta > 0)
    e = let("e", input[b, d] - target[b, d])[b, d]
    return reduced(where(Abs(e) < beta, e**2 / (2 * beta), Abs(e) - beta / 2), (b, d), reduction)


@formula
def huber_loss(input: T[b, d], target: T[b, d], *, delta: Scalar = 1.0, reduction: Reduction = "mean") -> reducible(
    T[b, d]
):
    """e²/2 where |e| < δ, else δ (|e| − δ/2), for the error e = x − t.

    Source: Huber, Robust Estimation of a Location Parameter (1964); torch.nn.functional.huber_loss.
    """
    assume(delta > 0)
    e = let("e", input[b, d] - target[b, d])[b, d]
    return reduced(where(Abs(e) < delta, e**2 / 2, delta * (Abs(e) - delta / 2)), (b, d), reduction)


# Probabilities: what the target would have cost to encode.


@formula
def softmax_cross_entropy(z: T[b, c], t: T[b, c]) -> T[()]:
    """Mean negative log-likelihood of targets t under softmax(z).

    Source: torch.nn.functional.cross_entropy with probabilities as target.
    """
    assume(equals(sum_over(c, t[b, c]), 1))
    return -mean_over(b, sum_over(c, t[b, c] * (z[b, c] - log(sum_over(c, exp(z[b, c]))))))


@formula
def binary_cross_entropy(
    input: T[b, d], target: T[b, d], weight: T[b, d] | None = None, *, reduction: Reduction = "mean"
) -> reducible(T[b, d]):
    """−t log p − (1 − t) log(1 − p), for probabilities p strictly between 0 and 1.

    Source: torch.nn.functional.binary_cross_entropy, which also takes p = 0 and p = 1.
    """
    assume(input[b, d] > 0)
    assume(input[b, d] < 1)
    entry = -target[b, d] * log(input[b, d]) - (1 - target[b, d]) * log(1 - input[b, d])
    return reduced(entry if weight is None else weight[b, d] * entry, (b, d), reduction)


@formula
def binary_cross_entropy_with_logits(
    input: T[b, d],
    target: T[b, d],
    weight: T[b, d] | None = None,
    pos_weight: T[d] | None = None,
    *,
    reduction: Reduction = "mean",
) -> reducible(T[b, d]):
    """Negative log-likelihood of targets under σ(z): log(1 + exp(z)) − t z; a positive target may weigh more.

    Source: torch.nn.functional.binary_cross_entropy_with_logits.
    """
    if pos_weight is None:
        entry = log(1 + exp(input[b, d])) - target[b, d] * input[b, d]
    else:
        more = 1 + (pos_weight[d] - 1) * target[b, d]
        entry = (1 - target[b, d]) * input[b, d] + more * log(1 + exp(-input[b, d]))
    return reduced(entry if weight is None else weight[b, d] * entry, (b, d), reduction)


@formula
def kl_div(
    input: T[b, d],
    target: T[b, d],
    *,
    log_target: bool = False,
    reduction: Literal["mean", "batchmean", "sum", "none"] = "mean",
) -> {"none": T[b, d], "mean": T[()], "batchmean": T[()], "sum": T[()]}:
    """t (log t − x): the divergence of a model's log-probabilities x from targets t, or from log-targets.

    Source: Kullback, Leibler, On Information and Sufficiency (1951), eq. 2.4; torch.nn.functional.kl_div.
    """
    if log_target:
        entry = exp(target[b, d]) * (target[b, d] - input[b, d])
    else:
        assume(target[b, d] > 0)
        entry = target[b, d] * (log(target[b, d]) - input[b, d])
    if reduction == "batchmean":
        return mean_over(b, sum_over(d, entry))
    return reduced(entry, (b, d), reduction)


# Likelihoods of counts and of measurements.


@formula
def poisson_nll_loss(
    input: T[b, d],
    target: T[b, d],
    *,
    eps: Scalar = 1e-8,
    log_input: bool = True,
    full: bool = False,
    reduction: Reduction = "mean",
) -> reducible(T[b, d]):
    """exp(x) − t x for a log-rate x, or x − t log(x + ε) for a rate; full adds Stirling's log t! where t > 1.

    Source: torch.nn.functional.poisson_nll_loss.
    """
    x, t = input[b, d], target[b, d]
    if log_input:
        entry = exp(x) - t * x
    else:
        assume(x > 0)
        entry = x - t * log(x + eps)
    if full:
        assume(t > 0)
        entry = entry + where(t > 1, t * log(t) - t + log(2 * pi * t) / 2, 0)
    return reduced(entry, (b, d), reduction)


@formula
def gaussian_nll_loss(
    input: T[b, d],
    target: T[b, d],
    var: T[b, d],
    *,
    full: bool = False,
    eps: Scalar = 1e-6,
    reduction: Reduction = "mean",
) -> reducible(T[b, d]):
    """(log v + (x − t)²/v)/2 with the variance v held above ε; full adds (log 2π)/2.

    Source: Nix, Weigend, Estimating the Mean and Variance of the Target Probability Distribution (1994), eq. 5;
    torch.nn.functional.gaussian_nll_loss.
    """
    assume(var[b, d] > 0)
    assume(eps > 0)
    v = let("v", maximum(eps, var[b, d]))[b, d]
    entry = (log(v) + (input[b, d] - target[b, d]) ** 2 / v) / 2
    return reduced(entry + log(2 * pi) / 2 if full else entry, (b, d), reduction)


# Margins: two classes, +1 and −1, told apart by at least so much.


@formula
def hinge_loss(input: T[b], target: T[b], *, reduction: Reduction = "mean") -> reducible(T[b]):
    """max(0, 1 − t x) for a class t of +1 or −1.

    Source: Cortes, Vapnik, Support-Vector Networks (1995).
    """
    return reduced(maximum(0, 1 - target[b] * input[b]), b, reduction)


@formula
def hinge_embedding_loss(
    input: T[b], target: T[b], *, margin: Scalar = 1.0, reduction: Reduction = "mean"
) -> reducible(T[b]):
    """The distance x itself where t = 1, and max(0, margin − x) where t = −1.

    Source: torch.nn.functional.hinge_embedding_loss.
    """
    return reduced(where(target[b] > 0, input[b], maximum(0, margin - input[b])), b, reduction)


@formula
def soft_margin_loss(input: T[b, d], target: T[b, d], *, reduction: Reduction = "mean") -> reducible(T[b, d]):
    """log(1 + exp(−t x)) for a class t of +1 or −1.

    Source: torch.nn.functional.soft_margin_loss.
    """
    return reduced(log(1 + exp(-target[b, d] * input[b, d])), (b, d), reduction)


@formula
def multilabel_soft_margin_loss(
    input: T[b, c], target: T[b, c], weight: T[c] | None = None, *, reduction: Reduction = "mean"
) -> reducible(T[b]):
    """Binary cross-entropy of every label, averaged over the labels: log(1 + exp(z)) − t z.

    Source: torch.nn.functional.multilabel_soft_margin_loss.
    """
    entry = log(1 + exp(input[b, c])) - target[b, c] * input[b, c]
    return reduced(mean_over(c, entry if weight is None else weight[c] * entry), b, reduction)


@formula
def margin_ranking_loss(
    input1: T[b], input2: T[b], target: T[b], *, margin: Scalar = 0.0, reduction: Reduction = "mean"
) -> reducible(T[b]):
    """max(0, margin − t (x₁ − x₂)): where t = 1 the first should rank higher, where t = −1 the second.

    Source: torch.nn.functional.margin_ranking_loss.
    """
    return reduced(maximum(0, margin - target[b] * (input1[b] - input2[b])), b, reduction)


# Embeddings: like ones close together, unlike ones apart.


@formula
def cosine_embedding_loss(
    input1: T[b, d], input2: T[b, d], target: T[b], *, margin: Scalar = 0.0, reduction: Reduction = "mean"
) -> reducible(T[b]):
    """1 − r where t = 1, and max(0, r − margin) where t = −1, for the cosine r of the angle between x₁ and x₂.

    Source: torch.nn.functional.cosine_embedding_loss.
    """
    u = let("u", sum_over(d, input1[b, d] ** 2) + 1e-12)
    v = let("v", sum_over(d, input2[b, d] ** 2) + 1e-12)
    r = let("r", sum_over(d, input1[b, d] * input2[b, d]) / sqrt(u[b] * v[b]))
    return reduced(where(target[b] > 0, 1 - r[b], maximum(0, r[b] - margin)), b, reduction)


@formula
def triplet_margin_loss(
    anchor: T[b, d],
    positive: T[b, d],
    negative: T[b, d],
    *,
    margin: Scalar = 1.0,
    p: Literal[1, 2] = 2,
    eps: Scalar = 1e-6,
    swap: bool = False,
    reduction: Reduction = "mean",
) -> reducible(T[b]):
    """max(0, d(a, p) − d(a, n) + margin), and with swap the smaller of d(a, n) and d(p, n).

    Source: Balntas, Riba, Ponsa, Mikolajczyk, Learning Local Feature Descriptors with Triplets and Shallow
    Convolutional Neural Networks (2016); torch.nn.functional.triplet_margin_loss.
    """
    near = pairwise_distance(anchor, positive, p=p, eps=eps)
    far = pairwise_distance(anchor, negative, p=p, eps=eps)
    if swap:
        far = let("far", minimum(far[b], pairwise_distance(positive, negative, p=p, eps=eps)[b]))
    return reduced(maximum(0, near[b] - far[b] + margin), b, reduction)


@formula
def triplet_margin_with_distance_loss(
    near: T[b], far: T[b], *, margin: Scalar = 1.0, reduction: Reduction = "mean"
) -> reducible(T[b]):
    """max(0, d(a, p) − d(a, n) + margin), where both distances are given.

    Source: torch.nn.functional.triplet_margin_with_distance_loss, which takes the function d and what it compares.
    """
    return reduced(maximum(0, near[b] - far[b] + margin), b, reduction)
