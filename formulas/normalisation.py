"""Normalisation: centre, scale to unit variance, then stretch and shift by what is learned."""

from derive import Scalar, T, axes, formula, let, mean_over, sqrt

b, d = axes("b d")

__all__ = ["layer_norm"]


@formula
def layer_norm(x: T[b, d], gamma: T[d], beta: T[d], *, eps: Scalar = 1e-5) -> T[b, d]:
    """Each row centred and scaled by its own mean and variance, then stretched by γ and shifted by β.

    Source: Ba, Kiros, Hinton, Layer Normalization (2016), eq. 4; torch.nn.functional.layer_norm.
    """
    mu = let("mu", mean_over(d, x[b, d]))
    v = let("v", mean_over(d, (x[b, d] - mu[b]) ** 2))
    xhat = let("xhat", (x[b, d] - mu[b]) / sqrt(v[b] + eps))
    return gamma[d] * xhat[b, d] + beta[d]
