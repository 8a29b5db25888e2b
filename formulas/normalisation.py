"""Normalisation: centre, scale to unit variance, then stretch and shift by what is learned."""

from derive import Scalar, Size, T, assume, axes, axis, formula, let, mean_over, padded, sqrt, sum_over

b, d, n, c, y, z, o, i = axes("b d n c y z o i")
groups = Size("num_groups")
h, k = axis("h", groups), axis("k")
e = axis("c", h.size * k.size)  # channel K·h + k is the k-th of group h
window = axis("r", Size("size"))
m = axis("n", min=2)  # of one sample there is no variance

__all__ = """
    layer_norm rms_norm
    batch_norm batch_norm_evaluation batch_norm_statistics instance_norm group_norm local_response_norm
    batch_norm2d batch_norm_evaluation2d instance_norm2d group_norm2d
    weight_norm spectral_norm power_iteration
""".split()


def _standard(x, over, eps):
    """x less its mean, over its standard deviation, both over some axes."""
    mu = let("mu", mean_over(over, x))
    v = let("v", mean_over(over, (x - mu[mu.axes]) ** 2))
    return let("xhat", (x - mu[mu.axes]) / sqrt(v[v.axes] + eps))


def _affine(x, weight, bias, channel):
    """Each channel stretched by a weight and shifted by a bias, where they are given."""
    stretched = x if weight is None else weight[channel] * x
    return stretched if bias is None else stretched + bias[channel]


# Over the features of a row.


@formula
def layer_norm(x: T[b, d], gamma: T[d], beta: T[d], *, eps: Scalar = 1e-5) -> T[b, d]:
    """Each row centred and scaled by its own mean and variance, then stretched by γ and shifted by β.

    Source: Ba, Kiros, Hinton, Layer Normalization (2016), eq. 4; torch.nn.functional.layer_norm.
    """
    mu = let("mu", mean_over(d, x[b, d]))
    v = let("v", mean_over(d, (x[b, d] - mu[b]) ** 2))
    xhat = let("xhat", (x[b, d] - mu[b]) / sqrt(v[b] + eps))
    return gamma[d] * xhat[b, d] + beta[d]


@formula
def rms_norm(input: T[b, d], weight: T[d] | None = None, *, eps: Scalar = 1e-6) -> T[b, d]:
    """Each row over its root mean square √(mean x² + ε), then stretched by a weight.

    Source: Zhang, Sennrich, Root Mean Square Layer Normalization (2019), eq. 4; torch.nn.functional.rms_norm, whose ε
    is the machine's unless it is given.
    """
    r = let("r", sqrt(mean_over(d, input[b, d] ** 2) + eps))
    return _affine(input[b, d] / r[b], weight, None, d)


# Over the samples and places of a channel. y stands for all places of a sample, in any order: for none, x[:, :, None];
# for those of a volume, merged into one axis. Images stand in a section of their own.


@formula
def batch_norm(
    input: T[n, c, y], weight: T[c] | None = None, bias: T[c] | None = None, *, eps: Scalar = 1e-5
) -> T[n, c, y]:
    """Each channel centred and scaled by its mean and variance over the batch, then stretched and shifted.

    Source: Ioffe, Szegedy, Batch Normalization (2015), algorithm 1; torch.nn.functional.batch_norm with training=True;
    of images: batch_norm2d.
    """
    return _affine(_standard(input[n, c, y], (n, y), eps)[n, c, y], weight, bias, c)


@formula
def batch_norm_evaluation(
    input: T[n, c, y],
    running_mean: T[c],
    running_var: T[c],
    weight: T[c] | None = None,
    bias: T[c] | None = None,
    *,
    eps: Scalar = 1e-5,
) -> T[n, c, y]:
    """Each channel centred and scaled by a mean and a variance known before, then stretched and shifted.

    Source: Ioffe, Szegedy, Batch Normalization (2015), algorithm 2; torch.nn.functional.batch_norm.
    """
    assume(running_var[c] > 0)
    xhat = (input[n, c, y] - running_mean[c]) / sqrt(running_var[c] + eps)
    return _affine(xhat, weight, bias, c)


@formula
def batch_norm_statistics(
    input: T[m, c, y], running_mean: T[c], running_var: T[c], *, momentum: Scalar = 0.1
) -> tuple[T[c], T[c]]:
    """(1 − m) r + m s: running mean and variance r moved towards the batch's s, its variance that of a sample.

    Source: torch.nn.functional.batch_norm with training=True, what it leaves in running_mean and running_var.
    """
    count = m.size * y.size
    mu = let("mu", mean_over((m, y), input[m, c, y]))
    v = let("v", sum_over((m, y), (input[m, c, y] - mu[c]) ** 2) / (count - 1))
    return (1 - momentum) * running_mean[c] + momentum * mu[c], (1 - momentum) * running_var[c] + momentum * v[c]


@formula
def instance_norm(
    input: T[n, c, y], weight: T[c] | None = None, bias: T[c] | None = None, *, eps: Scalar = 1e-5
) -> T[n, c, y]:
    """Each channel of each sample centred and scaled by its own mean and variance, then stretched and shifted.

    Source: Ulyanov, Vedaldi, Lempitsky, Instance Normalization (2016), eq. 4; torch.nn.functional.instance_norm.
    """
    return _affine(_standard(input[n, c, y], y, eps)[n, c, y], weight, bias, c)


@formula
def group_norm(
    input: T[n, e, y], weight: T[e] | None = None, bias: T[e] | None = None, *, num_groups: Size, eps: Scalar = 1e-5
) -> T[n, e, y]:
    """Each group of channels centred and scaled by its mean and variance, then each channel stretched and shifted.

    Source: Wu, He, Group Normalization (2018), eq. 7; torch.nn.functional.group_norm; of images: group_norm2d.
    """
    x = let("x", input[n, k.size * h + k, y])
    xhat = _standard(x[n, y, h, k], (k, y), eps)
    return _affine(xhat[n, y, e // k.size, e % k.size], weight, bias, e)


@formula
def local_response_norm(
    input: T[n, c, y], *, size: Size, alpha: Scalar = 1e-4, beta: Scalar = 0.75, k: Scalar = 1.0
) -> T[n, c, y]:
    """x/(k + α mean x²)^β, the mean over a window of neighbouring channels, where those outside count as 0.

    Source: Krizhevsky, Sutskever, Hinton, ImageNet Classification (2012), section 3.3, with α/size for its α;
    torch.nn.functional.local_response_norm.
    """
    near = let("near", mean_over(window, padded(input)[n, c + window - size // 2, y] ** 2))
    return input[n, c, y] / (k + alpha * near[n, c, y]) ** beta


# The same over the places y, z of images.


@formula
def batch_norm2d(
    input: T[n, c, y, z], weight: T[c] | None = None, bias: T[c] | None = None, *, eps: Scalar = 1e-5
) -> T[n, c, y, z]:
    """Each channel of images centred and scaled by its mean and variance over the batch, then stretched and shifted.

    Source: Ioffe, Szegedy, Batch Normalization (2015), section 3.2; torch.nn.functional.batch_norm with training=True.
    """
    return _affine(_standard(input[n, c, y, z], (n, y, z), eps)[n, c, y, z], weight, bias, c)


@formula
def batch_norm_evaluation2d(
    input: T[n, c, y, z],
    running_mean: T[c],
    running_var: T[c],
    weight: T[c] | None = None,
    bias: T[c] | None = None,
    *,
    eps: Scalar = 1e-5,
) -> T[n, c, y, z]:
    """Each channel of images centred and scaled by a mean and a variance known before, then stretched and shifted.

    Source: Ioffe, Szegedy, Batch Normalization (2015), algorithm 2; torch.nn.functional.batch_norm.
    """
    assume(running_var[c] > 0)
    xhat = (input[n, c, y, z] - running_mean[c]) / sqrt(running_var[c] + eps)
    return _affine(xhat, weight, bias, c)


@formula
def instance_norm2d(
    input: T[n, c, y, z], weight: T[c] | None = None, bias: T[c] | None = None, *, eps: Scalar = 1e-5
) -> T[n, c, y, z]:
    """Each channel of each image centred and scaled by its own mean and variance, then stretched and shifted.

    Source: Ulyanov, Vedaldi, Lempitsky, Instance Normalization (2016), eq. 4; torch.nn.functional.instance_norm.
    """
    return _affine(_standard(input[n, c, y, z], (y, z), eps)[n, c, y, z], weight, bias, c)


@formula
def group_norm2d(
    input: T[n, e, y, z], weight: T[e] | None = None, bias: T[e] | None = None,
    *, num_groups: Size, eps: Scalar = 1e-5,
) -> T[n, e, y, z]:  # fmt: skip
    """Each group of channels of images centred and scaled by its mean and variance, then stretched and shifted.

    Source: Wu, He, Group Normalization (2018), eq. 7; torch.nn.functional.group_norm.
    """
    x = let("x", input[n, k.size * h + k, y, z])
    xhat = _standard(x[n, y, z, h, k], (k, y, z), eps)
    return _affine(xhat[n, y, z, e // k.size, e % k.size], weight, bias, e)


# Of weights.


@formula
def weight_norm(v: T[o, i], g: T[o]) -> T[o, i]:
    """g v/‖v‖: the length of every output's weights is learned apart from their direction.

    Source: Salimans, Kingma, Weight Normalization (2016), eq. 2; torch.nn.utils.parametrizations.weight_norm.
    """
    r = let("r", sqrt(sum_over(i, v[o, i] ** 2)))
    return g[o] * v[o, i] / r[o]


@formula
def spectral_norm(weight: T[o, i], u: T[o], v: T[i]) -> T[o, i]:
    """W/σ with σ = uᵀ W v, the largest singular value where u and v are its singular vectors.

    Source: Miyato, Kataoka, Koyama, Yoshida, Spectral Normalization (2018), eq. 8 and algorithm 1;
    torch.nn.utils.parametrizations.spectral_norm, which takes u and v as constants.
    """
    sigma = let("sigma", sum_over((o, i), u[o] * weight[o, i] * v[i]))
    return weight[o, i] / sigma[()]


@formula
def power_iteration(weight: T[o, i], u: T[o]) -> tuple[T[o], T[i]]:
    """v = Wᵀu/‖Wᵀu‖, then u = Wv/‖Wv‖: one step towards the singular vectors of the largest singular value.

    Source: Miyato, Kataoka, Koyama, Yoshida, Spectral Normalization (2018), algorithm 1.
    """
    back = let("back", sum_over(o, weight[o, i] * u[o]))
    v = let("v", back[i] / sqrt(sum_over(i, back[i] ** 2)))
    forth = let("forth", sum_over(i, weight[o, i] * v[i]))
    return forth[o] / sqrt(sum_over(o, forth[o] ** 2)), v[i]
