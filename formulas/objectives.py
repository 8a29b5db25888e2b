"""Objectives: losses that a paper made for its task, from segmentation to reinforcement learning."""

from derive import (
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
    sigmoid,
    sum_over,
    where,
)

from ._common import Reduction, reduced, reducible

b, c, d, k = axes("b c d k")
b2 = b.alias("b2")

__all__ = """
    sigmoid_focal_loss dice_loss tversky_loss
    contrastive_loss info_nce
    kl_gaussian kl_standard_gaussian vae_elbo distillation_loss
    reinforce ppo_clip dpo
""".split()

# Detection and segmentation: few positives among many.


@formula
def sigmoid_focal_loss(
    inputs: T[b, d], targets: T[b, d], *, alpha: Scalar = 0.25, gamma: Scalar = 2.0, reduction: Reduction = "none"
) -> reducible(T[b, d]):
    """−α_t (1 − p_t)^γ log p_t, where p_t is what σ(z) leaves to the class that is right.

    Source: Lin, Goyal, Girshick, He, Dollár, Focal Loss for Dense Object Detection (2017), eq. 5;
    torchvision.ops.sigmoid_focal_loss, for targets 0 and 1.
    """
    s = let("s", where(targets[b, d] > 0, 1, -1))
    a = let("a", where(targets[b, d] > 0, alpha, 1 - alpha))
    p = let("p", sigmoid(s[b, d] * inputs[b, d]))[b, d]
    return reduced(-a[b, d] * (1 - p) ** gamma * log(p), (b, d), reduction)


@formula
def dice_loss(p: T[b, d], t: T[b, d]) -> T[()]:
    """1 − 2 Σ p t/(Σ p² + Σ t²) for every image, averaged.

    Source: Milletari, Navab, Ahmadi, V-Net (2016), section 3.
    """
    assume(p[b, d] > 0)
    both = let("both", sum_over(d, p[b, d] * t[b, d]))
    total = let("total", sum_over(d, p[b, d] ** 2) + sum_over(d, t[b, d] ** 2))
    return 1 - mean_over(b, 2 * both[b] / total[b])


@formula
def tversky_loss(p: T[b, d], t: T[b, d], *, alpha: Scalar = 0.3, beta: Scalar = 0.7) -> T[()]:
    """1 − Σ p t/(Σ p t + α Σ p (1 − t) + β Σ (1 − p) t) for every image, averaged.

    Source: Salehi, Erdogmus, Gholipour, Tversky Loss Function for Image Segmentation (2017), eq. 4.
    """
    assume(p[b, d] > 0)
    assume(p[b, d] < 1)
    assume(t[b, d] > 0)
    assume(t[b, d] < 1)
    both = let("both", sum_over(d, p[b, d] * t[b, d]))
    false = alpha * sum_over(d, p[b, d] * (1 - t[b, d])) + beta * sum_over(d, (1 - p[b, d]) * t[b, d])
    total = let("total", both[b] + false)
    return 1 - mean_over(b, both[b] / total[b])


# Representations: pairs that belong together, against pairs that do not.


@formula
def contrastive_loss(distance: T[b], unlike: T[b], *, margin: Scalar = 1.0) -> T[()]:
    """(1 − Y) D²/2 + Y max(0, m − D)²/2, where Y is 1 for an unlike pair and 0 for a like one.

    Source: Hadsell, Chopra, LeCun, Dimensionality Reduction by Learning an Invariant Mapping (2006), eq. 4.
    """
    together = (1 - unlike[b]) * distance[b] ** 2 / 2
    apart = unlike[b] * maximum(0, margin - distance[b]) ** 2 / 2
    return mean_over(b, together + apart)


@formula
def info_nce(x: T[b, d], y: T[b, d], *, tau: Scalar = 1.0) -> T[()]:
    """Cross-entropy of finding each row's own partner among all partners, by softmax of x·y/τ.

    Source: van den Oord, Li, Vinyals, Representation Learning with Contrastive Predictive Coding (2018), eq. 4.
    """
    assume(tau > 0)
    s = let("s", sum_over(d, x[b, d] * y[b2, d]) / tau)
    return -mean_over(b, s[b, b] - log(sum_over(b2, exp(s[b, b2]))))


# Distributions: what one costs where the other is expected.


@formula
def kl_gaussian(mu_1: T[b, k], sigma_1: T[b, k], mu_2: T[b, k], sigma_2: T[b, k]) -> T[b]:
    """Σ log(σ₂/σ₁) + (σ₁² + (μ₁ − μ₂)²)/(2 σ₂²) − 1/2: from one diagonal Gaussian to another.

    Source: Kullback, Information Theory and Statistics (1959), section 9.1, for independent coordinates.
    """
    assume(sigma_1[b, k] > 0)
    assume(sigma_2[b, k] > 0)
    spread = (sigma_1[b, k] ** 2 + (mu_1[b, k] - mu_2[b, k]) ** 2) / sigma_2[b, k] ** 2
    return sum_over(k, log(sigma_2[b, k] / sigma_1[b, k]) + (spread - 1) / 2)


@formula
def kl_standard_gaussian(mu: T[b, k], logvar: T[b, k]) -> T[b]:
    """−½ Σ (1 + log σ² − μ² − σ²): from a diagonal Gaussian to the standard one.

    Source: Kingma, Welling, Auto-Encoding Variational Bayes (2014), appendix B.
    """
    return -sum_over(k, 1 + logvar[b, k] - mu[b, k] ** 2 - exp(logvar[b, k])) / 2


@formula
def vae_elbo(x: T[b, d], logits: T[b, d], mu: T[b, k], logvar: T[b, k]) -> T[()]:
    """Mean negative evidence bound: binary cross-entropy of the decoded x, and the divergence of code from prior.

    Source: Kingma, Welling, Auto-Encoding Variational Bayes (2014), eq. 10, with one sample and a Bernoulli decoder.
    """
    decoded = sum_over(d, log(1 + exp(logits[b, d])) - x[b, d] * logits[b, d])
    return mean_over(b, decoded - sum_over(k, 1 + logvar[b, k] - mu[b, k] ** 2 - exp(logvar[b, k])) / 2)


@formula
def distillation_loss(z: T[b, c], v: T[b, c], *, tau: Scalar = 1.0) -> T[()]:
    """τ² times the cross-entropy between a teacher's softmax(v/τ) and a student's softmax(z/τ).

    Source: Hinton, Vinyals, Dean, Distilling the Knowledge in a Neural Network (2015), section 2.
    """
    assume(tau > 0)
    p = let("p", exp(v[b, c] / tau) / sum_over(c, exp(v[b, c] / tau)))
    return -(tau**2) * mean_over(b, sum_over(c, p[b, c] * (z[b, c] / tau - log(sum_over(c, exp(z[b, c] / tau))))))


# Policies: raise the probability of what went well.


@formula
def reinforce(z: T[b, c], action: T[b, c], advantage: T[b]) -> T[()]:
    """−mean A log π(a) for a policy softmax(z), a one-hot action a and its advantage A (a return less a baseline).

    Source: Williams, Simple Statistical Gradient-Following Algorithms (1992), eq. 4.
    """
    assume(equals(sum_over(c, action[b, c]), 1))
    logp = sum_over(c, action[b, c] * (z[b, c] - log(sum_over(c, exp(z[b, c])))))
    return -mean_over(b, advantage[b] * logp)


@formula
def ppo_clip(logp: T[b], logp_old: T[b], advantage: T[b], *, eps: Scalar = 0.2) -> T[()]:
    """−mean min(r A, clip(r, 1 − ε, 1 + ε) A) for the ratio r of new to old probability and the advantage A.

    Source: Schulman, Wolski, Dhariwal, Radford, Klimov, Proximal Policy Optimization Algorithms (2017), eq. 7.
    """
    r = let("r", exp(logp[b] - logp_old[b]))[b]
    return -mean_over(b, advantage[b] * where(advantage[b] > 0, minimum(r, 1 + eps), maximum(r, 1 - eps)))


@formula
def dpo(chosen: T[b], rejected: T[b], chosen_ref: T[b], rejected_ref: T[b], *, beta: Scalar = 0.1) -> T[()]:
    """−mean log σ(β (log π(y₁)/π₀(y₁) − log π(y₂)/π₀(y₂))) for a chosen y₁, a rejected y₂ and a reference π₀.

    Source: Rafailov et al., Direct Preference Optimization (2023), eq. 7; inputs are log-probabilities.
    """
    lead = (chosen[b] - chosen_ref[b]) - (rejected[b] - rejected_ref[b])
    return mean_over(b, log(1 + exp(-beta * lead)))
