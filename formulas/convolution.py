"""Convolutions: every window of an image against every kernel; transposed, grouped and separable ones.

Letters: n images, c input channels, o output channels, input places x, y, z, kernel places t, r, q, output places
d, h, w. One stride, padding and dilation holds for every direction; the chapter directions has one for each. What lies
beyond the edge counts as 0.
"""

from derive import Size, T, axes, axis, formula, one_hot, padded, sum_over

n, c, o = axes("n c o")
x, y, z = axes("x y z")
t, r, q = axes("t r q")

stride, dilation = Size("stride", default=1), Size("dilation", default=1)
padding, output_padding = Size("padding", min=0, default=0), Size("output_padding", min=0, default=0)

__all__ = """
    conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d
    grouped_conv1d grouped_conv2d grouped_conv3d
    grouped_conv_transpose1d grouped_conv_transpose2d grouped_conv_transpose3d
    depthwise_conv2d separable_conv2d
    unfold fold
""".split()


def _windows(name, image, kernel):
    """As many places as the kernel has on the padded image, a stride apart."""
    return axis(name, (image.size + 2 * padding - dilation * (kernel.size - 1) - 1) // stride + 1)


def _spread(name, image, kernel):
    """As many places as kernels cover that stand at every place of the image, a stride apart, less the padding."""
    covered = (image.size - 1) * stride + dilation * (kernel.size - 1) + 1
    return axis(name, covered - 2 * padding + output_padding)


d, h, w = _windows("d", x, t), _windows("h", y, r), _windows("w", z, q)
D, H, W = _spread("d", x, t), _spread("h", y, r), _spread("w", z, q)


@formula
def conv1d(
    input: T[n, c, y], weight: T[o, c, r], bias: T[o] | None = None,
    *, stride: Size = 1, padding: Size = 0, dilation: Size = 1,
) -> T[n, o, h]:  # fmt: skip
    """Cross-correlation along one direction: Σ x[n, c, s h + d r − p] w[o, c, r].

    Source: torch.nn.functional.conv1d with groups=1; grouped_conv1d has more.
    """
    i = stride * h + dilation * r - padding
    u = sum_over((c, r), padded(input)[n, c, i] * weight[o, c, r])
    return u if bias is None else u + bias[o]


@formula
def conv2d(
    input: T[n, c, y, z], weight: T[o, c, r, q], bias: T[o] | None = None,
    *, stride: Size = 1, padding: Size = 0, dilation: Size = 1,
) -> T[n, o, h, w]:  # fmt: skip
    """Cross-correlation of images: Σ x[n, c, s h + d r − p, s w + d q − p] w[o, c, r, q].

    Source: LeCun, Bottou, Bengio, Haffner, Gradient-Based Learning Applied to Document Recognition (1998), section
    II; torch.nn.functional.conv2d with groups=1; grouped_conv2d has more, rectangular_conv2d pairs.
    """
    i, j = stride * h + dilation * r - padding, stride * w + dilation * q - padding
    u = sum_over((c, r, q), padded(input)[n, c, i, j] * weight[o, c, r, q])
    return u if bias is None else u + bias[o]


@formula
def conv3d(
    input: T[n, c, x, y, z], weight: T[o, c, t, r, q], bias: T[o] | None = None,
    *, stride: Size = 1, padding: Size = 0, dilation: Size = 1,
) -> T[n, o, d, h, w]:  # fmt: skip
    """Cross-correlation of volumes.

    Source: torch.nn.functional.conv3d with groups=1; grouped_conv3d has more, rectangular_conv3d pairs.
    """
    i, j, k = (stride * a + dilation * b - padding for a, b in ((d, t), (h, r), (w, q)))
    u = sum_over((c, t, r, q), padded(input)[n, c, i, j, k] * weight[o, c, t, r, q])
    return u if bias is None else u + bias[o]


pad = Size("pad", min=0, default=0)
later = axis("h", y.size + 2 * pad - r.size + 1)


@formula
def conv_tbc(input: T[y, n, c], weight: T[r, c, o], bias: T[o], *, pad: Size = 0) -> T[later, n, o]:
    """Cross-correlation of sequences in the order time, batch, channel: Σ x[h + r − p, n, c] w[r, c, o].

    Source: torch.nn.functional.conv_tbc.
    """
    return sum_over((r, c), padded(input)[later + r - pad, n, c] * weight[r, c, o]) + bias[o]


# Transposed: every place of the image puts a kernel, times its entry, on the output. It is the adjoint of convolution.


@formula
def conv_transpose1d(
    input: T[n, c, y], weight: T[c, o, r], bias: T[o] | None = None,
    *, stride: Size = 1, padding: Size = 0, output_padding: Size = 0, dilation: Size = 1,
) -> T[n, o, H]:  # fmt: skip
    """Σ x[n, c, y] w[c, o, r] over all y, r that lead to the place: s y + d r − p = h.

    Source: torch.nn.functional.conv_transpose1d with groups=1; grouped_conv_transpose1d has more.
    """
    lands = one_hot(stride * y + dilation * r - padding, H)
    u = sum_over((c, y, r), lands * input[n, c, y] * weight[c, o, r])
    return u if bias is None else u + bias[o]


@formula
def conv_transpose2d(
    input: T[n, c, y, z], weight: T[c, o, r, q], bias: T[o] | None = None,
    *, stride: Size = 1, padding: Size = 0, output_padding: Size = 0, dilation: Size = 1,
) -> T[n, o, H, W]:  # fmt: skip
    """Σ x[n, c, y, z] w[c, o, r, q] over all y, z, r, q that lead to the place: s y + d r − p = h, likewise w.

    Source: Zeiler, Krishnan, Taylor, Fergus, Deconvolutional Networks (2010), eq. 1;
    torch.nn.functional.conv_transpose2d with groups=1; grouped_conv_transpose2d has more,
    rectangular_conv_transpose2d pairs.
    """
    lands = one_hot(stride * y + dilation * r - padding, H) * one_hot(stride * z + dilation * q - padding, W)
    u = sum_over((c, y, z, r, q), lands * input[n, c, y, z] * weight[c, o, r, q])
    return u if bias is None else u + bias[o]


@formula
def conv_transpose3d(
    input: T[n, c, x, y, z], weight: T[c, o, t, r, q], bias: T[o] | None = None,
    *, stride: Size = 1, padding: Size = 0, output_padding: Size = 0, dilation: Size = 1,
) -> T[n, o, D, H, W]:  # fmt: skip
    """The same for volumes.

    Source: torch.nn.functional.conv_transpose3d with groups=1; grouped_conv_transpose3d has more,
    rectangular_conv_transpose3d pairs.
    """
    i, j, k = (one_hot(stride * a + dilation * b - padding, at) for a, b, at in ((x, t, D), (y, r, H), (z, q, W)))
    u = sum_over((c, x, y, z, t, r, q), i * j * k * input[n, c, x, y, z] * weight[c, o, t, r, q])
    return u if bias is None else u + bias[o]


# Grouped: the g-th part of the output channels sees the g-th part of the input channels alone.

groups = Size("groups", default=1)
k, m = axes("k m")
C, O = axis("c", groups * k.size), axis("o", groups * m.size)


@formula
def grouped_conv1d(
    input: T[n, C, y], weight: T[O, k, r], bias: T[O] | None = None,
    *, stride: Size = 1, padding: Size = 0, dilation: Size = 1, groups: Size = 1,
) -> T[n, O, h]:  # fmt: skip
    """Each group of K input channels against its own M kernels: Σ x[n, K ⌊o/M⌋ + k, s h + d r − p] w[o, k, r].

    Source: torch.nn.functional.conv1d.
    """
    i = stride * h + dilation * r - padding
    u = sum_over((k, r), padded(input)[n, k.size * (O // m.size) + k, i] * weight[O, k, r])
    return u if bias is None else u + bias[O]


@formula
def grouped_conv2d(
    input: T[n, C, y, z], weight: T[O, k, r, q], bias: T[O] | None = None,
    *, stride: Size = 1, padding: Size = 0, dilation: Size = 1, groups: Size = 1,
) -> T[n, O, h, w]:  # fmt: skip
    """Each group of K input channels against its own M kernels.

    Source: Krizhevsky, Sutskever, Hinton, ImageNet Classification with Deep Convolutional Neural Networks (2012),
    section 3.5; torch.nn.functional.conv2d.
    """
    i, j = stride * h + dilation * r - padding, stride * w + dilation * q - padding
    u = sum_over((k, r, q), padded(input)[n, k.size * (O // m.size) + k, i, j] * weight[O, k, r, q])
    return u if bias is None else u + bias[O]


@formula
def grouped_conv3d(
    input: T[n, C, x, y, z], weight: T[O, k, t, r, q], bias: T[O] | None = None,
    *, stride: Size = 1, padding: Size = 0, dilation: Size = 1, groups: Size = 1,
) -> T[n, O, d, h, w]:  # fmt: skip
    """Each group of K input channels against its own M kernels, for volumes.

    Source: torch.nn.functional.conv3d.
    """
    e, f, g = (stride * a + dilation * b - padding for a, b in ((d, t), (h, r), (w, q)))
    u = sum_over((k, t, r, q), padded(input)[n, k.size * (O // m.size) + k, e, f, g] * weight[O, k, t, r, q])
    return u if bias is None else u + bias[O]


@formula
def grouped_conv_transpose1d(
    input: T[n, C, y], weight: T[C, m, r], bias: T[O] | None = None,
    *, stride: Size = 1, padding: Size = 0, output_padding: Size = 0, groups: Size = 1, dilation: Size = 1,
) -> T[n, O, H]:  # fmt: skip
    """Each group of K input channels spreads over its own M output channels, along one direction.

    Source: torch.nn.functional.conv_transpose1d.
    """
    lands, a = one_hot(stride * y + dilation * r - padding, H), k.size * (O // m.size) + k
    u = sum_over((k, y, r), lands * padded(input)[n, a, y] * padded(weight)[a, O % m.size, r])
    return u if bias is None else u + bias[O]


@formula
def grouped_conv_transpose2d(
    input: T[n, C, y, z], weight: T[C, m, r, q], bias: T[O] | None = None,
    *, stride: Size = 1, padding: Size = 0, output_padding: Size = 0, groups: Size = 1, dilation: Size = 1,
) -> T[n, O, H, W]:  # fmt: skip
    """Each group of K input channels spreads over its own M output channels.

    Source: torch.nn.functional.conv_transpose2d.
    """
    lands = one_hot(stride * y + dilation * r - padding, H) * one_hot(stride * z + dilation * q - padding, W)
    a = k.size * (O // m.size) + k
    u = sum_over((k, y, z, r, q), lands * padded(input)[n, a, y, z] * padded(weight)[a, O % m.size, r, q])
    return u if bias is None else u + bias[O]


@formula
def grouped_conv_transpose3d(
    input: T[n, C, x, y, z], weight: T[C, m, t, r, q], bias: T[O] | None = None,
    *, stride: Size = 1, padding: Size = 0, output_padding: Size = 0, groups: Size = 1, dilation: Size = 1,
) -> T[n, O, D, H, W]:  # fmt: skip
    """The same for volumes.

    Source: torch.nn.functional.conv_transpose3d.
    """
    e, f, g = (one_hot(stride * a + dilation * b - padding, at) for a, b, at in ((x, t, D), (y, r, H), (z, q, W)))
    a = k.size * (O // m.size) + k
    w = padded(weight)[a, O % m.size, t, r, q]
    u = sum_over((k, x, y, z, t, r, q), e * f * g * padded(input)[n, a, x, y, z] * w)
    return u if bias is None else u + bias[O]


# Depthwise: every channel has kernels of its own; pointwise: a linear map of the channels at every place.


@formula
def depthwise_conv2d(
    input: T[n, c, y, z], weight: T[c, r, q], bias: T[c] | None = None,
    *, stride: Size = 1, padding: Size = 0, dilation: Size = 1,
) -> T[n, c, h, w]:  # fmt: skip
    """Each channel against its own kernel: conv2d with as many groups as channels.

    Source: Howard et al., MobileNets (2017), eq. 3; torch.nn.functional.conv2d with groups=C and weight[:, None].
    """
    i, j = stride * h + dilation * r - padding, stride * w + dilation * q - padding
    u = sum_over((r, q), padded(input)[n, c, i, j] * weight[c, r, q])
    return u if bias is None else u + bias[c]


@formula
def separable_conv2d(
    input: T[n, c, y, z], depthwise: T[c, r, q], pointwise: T[o, c],
    *, stride: Size = 1, padding: Size = 0, dilation: Size = 1,
) -> T[n, o, h, w]:  # fmt: skip
    """Each channel against its own kernel, then a mixture of the channels at every place.

    Source: Howard et al., MobileNets (2017), section 3.1.
    """
    u = depthwise_conv2d(input, depthwise, stride=stride, padding=padding, dilation=dilation)
    return sum_over(c, u[n, c, h, w] * pointwise[o, c])


# Windows beside each other: convolution is then a product of matrices.

a, b = (axis(name, Size("kernel_size")) for name in "rq")
Y, Z = axis("y", Size("height")), axis("z", Size("width"))
e, f, E, F = _windows("h", y, a), _windows("w", z, b), _windows("h", Y, a), _windows("w", Z, b)


@formula
def unfold(
    input: T[n, c, y, z], *, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1
) -> T[n, c, a, b, e, f]:
    """The window of every place: x[n, c, s h + d r − p, s w + d q − p].

    Source: torch.nn.functional.unfold, which writes c, r, q as one axis and h, w as another.
    """
    return padded(input)[n, c, stride * e + dilation * a - padding, stride * f + dilation * b - padding]


@formula
def fold(
    input: T[n, c, a, b, E, F],
    *, height: Size, width: Size, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1,
) -> T[n, c, Y, Z]:  # fmt: skip
    """Windows put in their places and added up where they overlap.

    Source: torch.nn.functional.fold, which writes c, r, q as one axis and h, w as another.
    """
    lands = one_hot(stride * E + dilation * a - padding, Y) * one_hot(stride * F + dilation * b - padding, Z)
    return sum_over((a, b, E, F), lands * input[n, c, a, b, E, F])
