"""What may stand before or after an optimiser's step: decay, clipping, ascent, averages, the worst nearby."""

from derive import Scalar, T, assume, axes, clip, formula, minimum, sqrt, sum_over

p = axes("p")[0]

__all__ = """
    coupled_weight_decay decoupled_weight_decay
    clip_by_value clip_by_norm clip_by_global_norm
    ascent weight_average sam_ascent
""".split()


@formula
def coupled_weight_decay(theta: T[...], g: T[...], *, weight_decay: Scalar = 1e-2) -> T[...]:
    """g′ = g + λθ: the gradient of the loss and of λ‖θ‖²/2.

    Source: Krogh, Hertz, A Simple Weight Decay Can Improve Generalization (1992).
    """
    return g + weight_decay * theta


@formula
def decoupled_weight_decay(theta: T[...], *, lr: Scalar = 1e-3, weight_decay: Scalar = 1e-2) -> T[...]:
    """θ′ = (1 − ηλ)θ, beside the step.

    Source: Loshchilov, Hutter, Decoupled Weight Decay Regularization (2019).
    """
    return (1 - lr * weight_decay) * theta


@formula
def clip_by_value(g: T[...], *, most: Scalar = 1.0) -> T[...]:
    """Every entry held within ±most.

    Source: torch.nn.utils.clip_grad_value_.
    """
    assume(most > 0)
    return clip(g, -most, most)


@formula
def clip_by_norm(g: T[p], *, most: Scalar = 1.0, eps: Scalar = 1e-6) -> T[p]:
    """g min(1, c/(‖g‖ + ε)): no longer than c, in its own direction.

    Source: Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural networks (2013), algorithm 1.
    """
    return g[p] * minimum(1, most / (sqrt(sum_over(p, g[p] ** 2)) + eps))


@formula
def clip_by_global_norm(g: T[...], *, norm: Scalar, most: Scalar = 1.0, eps: Scalar = 1e-6) -> T[...]:
    """g min(1, c/(‖G‖ + ε)), where ‖G‖ is the norm of all gradients together.

    Source: torch.nn.utils.clip_grad_norm_.
    """
    return g * minimum(1, most / (norm + eps))


@formula
def ascent(g: T[...]) -> T[...]:
    """−g: what follows climbs.

    Source: maximize=True of torch.optim.
    """
    return -g


@formula
def weight_average(theta: T[...], average: T[...], *, decay: Scalar = 0.999) -> T[...]:
    """a′ = β a + (1 − β) θ: an exponential mean of the weights on their way.

    Source: Polyak, Juditsky, Acceleration of Stochastic Approximation by Averaging (1992);
    torch.optim.swa_utils.get_ema_avg_fn.
    """
    return decay * average + (1 - decay) * theta


@formula
def sam_ascent(theta: T[...], g: T[...], *, norm: Scalar, rho: Scalar = 0.05, eps: Scalar = 1e-12) -> T[...]:
    """θ + ρ g/(‖G‖ + ε): the worst place nearby, where SAM takes its gradient; ‖G‖ is that of all gradients together.

    Source: Foret, Kleiner, Mobahi, Neyshabur, Sharpness-Aware Minimization (2021), eq. 2 and algorithm 1.
    """
    return theta + rho / (norm + eps) * g
