"""Noise that regularises or samples: what is drawn is an input, so that a layer is a function."""

from derive import Bool, Scalar, T, assume, axes, exp, formula, sqrt, where

b, d = axes("b d")
n, c, x, y, z = axes("n c x y z")

__all__ = """
    dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout
    gaussian_dropout gaussian_noise reparametrised_gaussian
""".split()

ALPHA = -1.7580993408473766  # −λα of selu: what its negative part tends to


@formula
def dropout(input: T[b, d], keep: Bool[b, d], *, p: Scalar = 0.5) -> T[b, d]:
    """x/(1 − p) where kept, else 0: each entry is kept with probability 1 − p, and its mean stays.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, Dropout (2014), section 4;
    torch.nn.functional.dropout, its draw made an input.
    """
    assume(p < 1)
    return where(keep[b, d], input[b, d] / (1 - p), 0)


def _whole_channels(entry, keep, p):
    """An entry of a channel that is kept, over 1 − p, else 0."""
    assume(p < 1)
    return where(keep[n, c], entry / (1 - p), 0)


@formula
def dropout1d(input: T[n, c, y], keep: Bool[n, c], *, p: Scalar = 0.5) -> T[n, c, y]:
    """x/(1 − p) where a channel is kept, else 0 in all of it.

    Source: torch.nn.functional.dropout1d, its draw made an input.
    """
    return _whole_channels(input[n, c, y], keep, p)


@formula
def dropout2d(input: T[n, c, y, z], keep: Bool[n, c], *, p: Scalar = 0.5) -> T[n, c, y, z]:
    """x/(1 − p) where a channel of an image is kept, else 0 in all of it.

    Source: Tompson, Goroshin, Jain, LeCun, Bregler, Efficient Object Localization Using Convolutional Networks (2015),
    section 3.2; torch.nn.functional.dropout2d, its draw made an input.
    """
    return _whole_channels(input[n, c, y, z], keep, p)


@formula
def dropout3d(input: T[n, c, x, y, z], keep: Bool[n, c], *, p: Scalar = 0.5) -> T[n, c, x, y, z]:
    """x/(1 − p) where a channel of a volume is kept, else 0 in all of it.

    Source: torch.nn.functional.dropout3d, its draw made an input.
    """
    return _whole_channels(input[n, c, x, y, z], keep, p)


def _saturated(entry, kept, p):
    """a x + s where kept, else a α′ + s, with a and s that keep mean 0 and variance 1."""
    assume(p < 1)
    assume(p >= 0)
    a = 1 / sqrt((1 - p) * (1 + p * ALPHA**2))
    return a * where(kept, entry, ALPHA) - a * p * ALPHA


@formula
def alpha_dropout(input: T[b, d], keep: Bool[b, d], *, p: Scalar = 0.5) -> T[b, d]:
    """a x + s where kept, else a α′ + s: what is dropped saturates, and mean 0 and variance 1 stay.

    Source: Klambauer, Unterthiner, Mayr, Hochreiter, Self-Normalizing Neural Networks (2017), section 3;
    torch.nn.functional.alpha_dropout, its draw made an input.
    """
    return _saturated(input[b, d], keep[b, d], p)


@formula
def feature_alpha_dropout(input: T[n, c, y], keep: Bool[n, c], *, p: Scalar = 0.5) -> T[n, c, y]:
    """The same for whole channels.

    Source: torch.nn.functional.feature_alpha_dropout, its draw made an input.
    """
    return _saturated(input[n, c, y], keep[n, c], p)


@formula
def gaussian_noise(input: T[b, d], noise: T[b, d], *, sigma: Scalar = 1.0) -> T[b, d]:
    """x + σ ε with ε drawn from a standard Gaussian.

    Source: Bishop, Training with Noise is Equivalent to Tikhonov Regularization (1995), eq. 6.
    """
    return input[b, d] + sigma * noise[b, d]


@formula
def gaussian_dropout(input: T[b, d], noise: T[b, d], *, p: Scalar = 0.5) -> T[b, d]:
    """x (1 + √(p/(1 − p)) ε) with ε drawn from a standard Gaussian: noise of dropout's mean and variance.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, Dropout (2014), section 10.
    """
    assume(p < 1)
    assume(p >= 0)
    return input[b, d] * (1 + sqrt(p / (1 - p)) * noise[b, d])


@formula
def reparametrised_gaussian(mu: T[b, d], logvar: T[b, d], noise: T[b, d]) -> T[b, d]:
    """μ + σ ε with ε drawn from a standard Gaussian: a draw from N(μ, σ²) that is a function of μ and log σ².

    Source: Kingma, Welling, Auto-Encoding Variational Bayes (2014), eq. 10.
    """
    return mu[b, d] + exp(logvar[b, d] / 2) * noise[b, d]
