"""What is held constant: estimators that go straight through a step, codebooks, targets that are not learnt.

sg(x) is x, and its derivative is 0 by definition (`stop_gradient`, PyTorch's `detach`).
"""

from __future__ import annotations

from derive import (
    Int,
    Scalar,
    T,
    argmax_over,
    argmin_over,
    axes,
    exp,
    formula,
    let,
    max_over,
    maximum,
    mean_over,
    one_hot,
    sqrt,
    stop_gradient,
    sum_over,
    where,
)

__all__ = """
    straight_through gumbel_straight_through vq_vae_loss
    simsiam_loss byol_loss deep_q_loss
""".split()

b, c, d, a = axes("b c d a")


# Through a step, as if it were not there


@formula
def straight_through(x: T[...]) -> T[...]:
    """x + sg(step(x) − x): 1 where x > 0, else 0, and the gradient of x itself.

    Source: Bengio, Léonard and Courville, Estimating or Propagating Gradients Through Stochastic Neurons (2013),
    section 4.
    """
    return x + stop_gradient(where(x > 0, 1, 0) - x)


@formula
def gumbel_straight_through(logits: T[b, c], noise: T[b, c], *, tau: Scalar = 1.0) -> T[b, c]:
    """p + sg(e_k − p): the largest entry of p = softmax((z + g)/τ) as a choice, and the gradient of p.

    Source: Jang, Gu and Poole, Categorical Reparameterization with Gumbel-Softmax (2017), section 2.2;
    torch.nn.functional.gumbel_softmax with hard=True, its noise made an input.
    """
    e = let("e", exp((logits[b, c] + noise[b, c]) / tau))
    p = let("p", e[b, c] / sum_over(c, e[b, c]))
    k = c.alias("k")
    chosen = one_hot(argmax_over(k, logits[b, k] + noise[b, k]), c)
    return p[b, c] + stop_gradient(chosen - p[b, c])


@formula
def vq_vae_loss(z: T[b, d], codebook: T[c, d], *, beta: Scalar = 0.25) -> tuple[T[b, d], T[()]]:
    """q = z + sg(e_k − z) for the nearest code e_k, and mean((sg(z) − e_k)² + β (z − sg(e_k))²).

    Source: van den Oord, Vinyals and Kavukcuoglu, Neural Discrete Representation Learning (2017), equations 1 to 3.
    """
    nearest = let("nearest", codebook[argmin_over(c, sum_over(d, (z[b, d] - codebook[c, d]) ** 2)), d])
    learnt = (stop_gradient(z[b, d]) - nearest[b, d]) ** 2
    committed = (z[b, d] - stop_gradient(nearest[b, d])) ** 2
    return z[b, d] + stop_gradient(nearest[b, d] - z[b, d]), mean_over((b, d), learnt + beta * committed)


# Targets that are not learnt


def _cosine(p, z, eps, number):
    """The cosine of the angle between rows of p, and of z held constant; lengths below ε count as ε."""
    held = let(f"held_{number}", stop_gradient(z[b, d]))
    own = let(f"own_{number}", maximum(sqrt(sum_over(d, p[b, d] ** 2)), eps))
    other = let(f"other_{number}", maximum(sqrt(sum_over(d, held[b, d] ** 2)), eps))
    return sum_over(d, p[b, d] * held[b, d]) / (own[b] * other[b])


@formula
def simsiam_loss(p_1: T[b, d], p_2: T[b, d], z_1: T[b, d], z_2: T[b, d], *, eps: Scalar = 1e-8) -> T[()]:
    """−½ mean(cos(p₁, sg(z₂)) + cos(p₂, sg(z₁))): each view foretells the other, which stands still.

    Source: Chen and He, Exploring Simple Siamese Representation Learning (2021), equation 4.
    """
    return -mean_over(b, _cosine(p_1, z_2, eps, 1) + _cosine(p_2, z_1, eps, 2)) / 2


@formula
def byol_loss(p: T[b, d], z: T[b, d], *, eps: Scalar = 1e-8) -> T[()]:
    """mean(2 − 2 cos(p, sg(z))): the squared distance of unit vectors, for a target network's z.

    Source: Grill et al., Bootstrap Your Own Latent (2020), equation 2.
    """
    return mean_over(b, 2 - 2 * _cosine(p, z, eps, 1))


@formula
def deep_q_loss(
    q: T[b, a], following: T[b, a], action: Int[b].below(a), reward: T[b], done: T[b], *, gamma: Scalar = 0.99
) -> T[()]:
    """½ mean (Q(s, a) − sg(r + γ (1 − done) max_a′ Q(s′, a′)))²: the target is held constant.

    Source: Mnih et al., Human-level Control Through Deep Reinforcement Learning (2015), equation 2.
    """
    target = let("target", stop_gradient(reward[b] + gamma * (1 - done[b]) * max_over(a, following[b, a])))
    return mean_over(b, (q[b, action[b]] - target[b]) ** 2) / 2
