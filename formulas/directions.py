"""Windows whose stride, padding and dilation differ from one direction to the other.

What torch.nn.functional takes as a pair, as in stride=(2, 1), is here a number for the height and one for the width; of
volumes there is one for the depth, too.
"""

from derive import Size, T, assume, axes, axis, formula, max_over, one_hot, oo, padded, sum_over

n, c, o = axes("n c o")
x, y, z = axes("x y z")
t, r, q = axes("t r q")

__all__ = """
    rectangular_conv2d rectangular_conv_transpose2d rectangular_max_pool2d rectangular_avg_pool2d
    rectangular_conv3d rectangular_conv_transpose3d rectangular_max_pool3d rectangular_avg_pool3d
""".split()

stride_d, stride_h, stride_w = (Size(f"stride_{at}", default=1) for at in "dhw")
padding_d, padding_h, padding_w = (Size(f"padding_{at}", min=0, default=0) for at in "dhw")
dilation_d, dilation_h, dilation_w = (Size(f"dilation_{at}", default=1) for at in "dhw")
output_padding_d, output_padding_h, output_padding_w = (Size(f"output_padding_{at}", min=0, default=0) for at in "dhw")


def _windows(name, image, taps, stride, padding, dilation):
    """As many places as the window has on the padded image, a stride apart."""
    return axis(name, (image.size + 2 * padding - dilation * (taps - 1) - 1) // stride + 1)


def _spread(name, image, taps, stride, padding, dilation, output_padding):
    """As many places as kernels cover that stand at every place of the image, less the padding."""
    return axis(name, (image.size - 1) * stride + dilation * (taps - 1) + 1 - 2 * padding + output_padding)


# Images.

h = _windows("h", y, r.size, stride_h, padding_h, dilation_h)
w = _windows("w", z, q.size, stride_w, padding_w, dilation_w)
H = _spread("h", y, r.size, stride_h, padding_h, dilation_h, output_padding_h)
W = _spread("w", z, q.size, stride_w, padding_w, dilation_w, output_padding_w)


@formula
def rectangular_conv2d(
    input: T[n, c, y, z], weight: T[o, c, r, q], bias: T[o] | None = None,
    *, stride_h: Size = 1, stride_w: Size = 1, padding_h: Size = 0, padding_w: Size = 0,
    dilation_h: Size = 1, dilation_w: Size = 1,
) -> T[n, o, h, w]:  # fmt: skip
    """conv2d with a stride, a padding and a dilation for each direction.

    Source: torch.nn.functional.conv2d with pairs.
    """
    i, j = stride_h * h + dilation_h * r - padding_h, stride_w * w + dilation_w * q - padding_w
    u = sum_over((c, r, q), padded(input)[n, c, i, j] * weight[o, c, r, q])
    return u if bias is None else u + bias[o]


@formula
def rectangular_conv_transpose2d(
    input: T[n, c, y, z], weight: T[c, o, r, q], bias: T[o] | None = None,
    *, stride_h: Size = 1, stride_w: Size = 1, padding_h: Size = 0, padding_w: Size = 0,
    output_padding_h: Size = 0, output_padding_w: Size = 0, dilation_h: Size = 1, dilation_w: Size = 1,
) -> T[n, o, H, W]:  # fmt: skip
    """conv_transpose2d with a stride, a padding and a dilation for each direction.

    Source: torch.nn.functional.conv_transpose2d with pairs.
    """
    above = one_hot(stride_h * y + dilation_h * r - padding_h, H)
    beside = one_hot(stride_w * z + dilation_w * q - padding_w, W)
    u = sum_over((c, y, z, r, q), above * beside * input[n, c, y, z] * weight[c, o, r, q])
    return u if bias is None else u + bias[o]


# Strides of pooling are the lengths of the kernel unless they are given.

kernel_d, kernel_h, kernel_w = Size("kernel_d"), Size("kernel_h"), Size("kernel_w")
step_d, step_h, step_w = (Size(f"stride_{at.name[-1]}", default=at) for at in (kernel_d, kernel_h, kernel_w))
R, Q = axis("r", kernel_h), axis("q", kernel_w)
a = _windows("h", y, kernel_h, step_h, padding_h, dilation_h)
b = _windows("w", z, kernel_w, step_w, padding_w, dilation_w)
e, f = _windows("h", y, kernel_h, step_h, padding_h, 1), _windows("w", z, kernel_w, step_w, padding_w, 1)


@formula
def rectangular_max_pool2d(
    input: T[n, c, y, z],
    *, kernel_h: Size, kernel_w: Size, stride_h: Size = kernel_h, stride_w: Size = kernel_w,
    padding_h: Size = 0, padding_w: Size = 0, dilation_h: Size = 1, dilation_w: Size = 1,
) -> T[n, c, a, b]:  # fmt: skip
    """max_pool2d with a kernel, a stride, a padding and a dilation for each direction.

    Source: torch.nn.functional.max_pool2d with pairs and ceil_mode=False.
    """
    assume(2 * padding_h <= dilation_h * (kernel_h - 1) + 1)
    assume(2 * padding_w <= dilation_w * (kernel_w - 1) + 1)
    i, j = stride_h * a + dilation_h * R - padding_h, stride_w * b + dilation_w * Q - padding_w
    return max_over((R, Q), padded(input, -oo)[n, c, i, j])


@formula
def rectangular_avg_pool2d(
    input: T[n, c, y, z],
    *, kernel_h: Size, kernel_w: Size, stride_h: Size = kernel_h, stride_w: Size = kernel_w,
    padding_h: Size = 0, padding_w: Size = 0,
) -> T[n, c, e, f]:  # fmt: skip
    """avg_pool2d with a kernel, a stride and a padding for each direction; zeros beyond the edge count.

    Source: torch.nn.functional.avg_pool2d with pairs and ceil_mode=False.
    """
    assume(2 * padding_h <= kernel_h)
    assume(2 * padding_w <= kernel_w)
    i, j = stride_h * e + R - padding_h, stride_w * f + Q - padding_w
    return sum_over((R, Q), padded(input)[n, c, i, j]) / (kernel_h * kernel_w)


# Volumes.

d = _windows("d", x, t.size, stride_d, padding_d, dilation_d)
D = _spread("d", x, t.size, stride_d, padding_d, dilation_d, output_padding_d)


@formula
def rectangular_conv3d(
    input: T[n, c, x, y, z], weight: T[o, c, t, r, q], bias: T[o] | None = None,
    *, stride_d: Size = 1, stride_h: Size = 1, stride_w: Size = 1,
    padding_d: Size = 0, padding_h: Size = 0, padding_w: Size = 0,
    dilation_d: Size = 1, dilation_h: Size = 1, dilation_w: Size = 1,
) -> T[n, o, d, h, w]:  # fmt: skip
    """conv3d with a stride, a padding and a dilation for each direction.

    Source: torch.nn.functional.conv3d with triples.
    """
    i = stride_d * d + dilation_d * t - padding_d
    j, k = stride_h * h + dilation_h * r - padding_h, stride_w * w + dilation_w * q - padding_w
    u = sum_over((c, t, r, q), padded(input)[n, c, i, j, k] * weight[o, c, t, r, q])
    return u if bias is None else u + bias[o]


@formula
def rectangular_conv_transpose3d(
    input: T[n, c, x, y, z], weight: T[c, o, t, r, q], bias: T[o] | None = None,
    *, stride_d: Size = 1, stride_h: Size = 1, stride_w: Size = 1,
    padding_d: Size = 0, padding_h: Size = 0, padding_w: Size = 0,
    output_padding_d: Size = 0, output_padding_h: Size = 0, output_padding_w: Size = 0,
    dilation_d: Size = 1, dilation_h: Size = 1, dilation_w: Size = 1,
) -> T[n, o, D, H, W]:  # fmt: skip
    """conv_transpose3d with a stride, a padding and a dilation for each direction.

    Source: torch.nn.functional.conv_transpose3d with triples.
    """
    before = one_hot(stride_d * x + dilation_d * t - padding_d, D)
    above = one_hot(stride_h * y + dilation_h * r - padding_h, H)
    beside = one_hot(stride_w * z + dilation_w * q - padding_w, W)
    u = sum_over((c, x, y, z, t, r, q), before * above * beside * input[n, c, x, y, z] * weight[c, o, t, r, q])
    return u if bias is None else u + bias[o]


S = axis("t", kernel_d)
g = _windows("d", x, kernel_d, step_d, padding_d, dilation_d)
m = _windows("d", x, kernel_d, step_d, padding_d, 1)


@formula
def rectangular_max_pool3d(
    input: T[n, c, x, y, z],
    *, kernel_d: Size, kernel_h: Size, kernel_w: Size,
    stride_d: Size = kernel_d, stride_h: Size = kernel_h, stride_w: Size = kernel_w,
    padding_d: Size = 0, padding_h: Size = 0, padding_w: Size = 0,
    dilation_d: Size = 1, dilation_h: Size = 1, dilation_w: Size = 1,
) -> T[n, c, g, a, b]:  # fmt: skip
    """max_pool3d with a kernel, a stride, a padding and a dilation for each direction.

    Source: torch.nn.functional.max_pool3d with triples and ceil_mode=False.
    """
    assume(2 * padding_d <= dilation_d * (kernel_d - 1) + 1)
    assume(2 * padding_h <= dilation_h * (kernel_h - 1) + 1)
    assume(2 * padding_w <= dilation_w * (kernel_w - 1) + 1)
    i = stride_d * g + dilation_d * S - padding_d
    j, k = stride_h * a + dilation_h * R - padding_h, stride_w * b + dilation_w * Q - padding_w
    return max_over((S, R, Q), padded(input, -oo)[n, c, i, j, k])


@formula
def rectangular_avg_pool3d(
    input: T[n, c, x, y, z],
    *, kernel_d: Size, kernel_h: Size, kernel_w: Size,
    stride_d: Size = kernel_d, stride_h: Size = kernel_h, stride_w: Size = kernel_w,
    padding_d: Size = 0, padding_h: Size = 0, padding_w: Size = 0,
) -> T[n, c, m, e, f]:  # fmt: skip
    """avg_pool3d with a kernel, a stride and a padding for each direction; zeros beyond the edge count.

    Source: torch.nn.functional.avg_pool3d with triples and ceil_mode=False.
    """
    assume(2 * padding_d <= kernel_d)
    assume(2 * padding_h <= kernel_h)
    assume(2 * padding_w <= kernel_w)
    i, j, k = stride_d * m + S - padding_d, stride_h * e + R - padding_h, stride_w * f + Q - padding_w
    return sum_over((S, R, Q), padded(input)[n, c, i, j, k]) / (kernel_d * kernel_h * kernel_w)
