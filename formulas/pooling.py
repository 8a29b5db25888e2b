"""Pooling: the largest entry, the mean or a norm of every window, or of the whole image.

Letters: n images, c channels, input places x, y, z, places t, r, q in a window, output places d, h, w. One kernel size,
stride and padding holds for every direction; the chapter directions has one for each.
"""

from derive import (
    Int,
    Min,
    Scalar,
    Size,
    T,
    assume,
    axes,
    axis,
    ceiling,
    formula,
    let,
    max_over,
    mean_over,
    one_hot,
    oo,
    padded,
    sum_over,
    where,
)

n, c = axes("n c")
x, y, z = axes("x y z")

kernel_size, output_size = Size("kernel_size"), Size("output_size")
stride = Size("stride", default=kernel_size)
padding, dilation = Size("padding", min=0, default=0), Size("dilation", default=1)
t, r, q = (axis(name, kernel_size) for name in "trq")

__all__ = """
    max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d lp_pool1d lp_pool2d lp_pool3d
    max_unpool1d max_unpool2d max_unpool3d
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
    global_avg_pool2d global_max_pool2d
""".split()


def _places(name, image, padding=padding, dilation=dilation):
    """Windows that lie in the padded image; in ceil_mode those, too, that begin before its right padding."""
    room = image.size + 2 * padding - dilation * (kernel_size - 1) - 1
    begun = Min(ceiling(room / stride) + 1, ceiling((image.size + padding) / stride))
    return {False: axis(name, room // stride + 1), True: axis(name, begun)}


# The largest entry.

d, h, w = _places("d", x), _places("h", y), _places("w", z)


@formula
def max_pool1d(
    input: T[n, c, y],
    *, kernel_size: Size, stride: Size = kernel_size, padding: Size = 0, dilation: Size = 1, ceil_mode: bool = False,
) -> {m: T[n, c, h[m]] for m in h}:  # fmt: skip
    """The largest entry of every window, of which no more than half may lie beyond the edge.

    Source: torch.nn.functional.max_pool1d.
    """
    assume(2 * padding <= dilation * (kernel_size - 1) + 1)
    return max_over(r, padded(input, -oo)[n, c, stride * h[ceil_mode] + dilation * r - padding])


@formula
def max_pool2d(
    input: T[n, c, y, z],
    *, kernel_size: Size, stride: Size = kernel_size, padding: Size = 0, dilation: Size = 1, ceil_mode: bool = False,
) -> {m: T[n, c, h[m], w[m]] for m in h}:  # fmt: skip
    """The largest entry of every window, of which no more than half may lie beyond the edge.

    Source: torch.nn.functional.max_pool2d.
    """
    assume(2 * padding <= dilation * (kernel_size - 1) + 1)
    i, j = (stride * a[ceil_mode] + dilation * b - padding for a, b in ((h, r), (w, q)))
    return max_over((r, q), padded(input, -oo)[n, c, i, j])


@formula
def max_pool3d(
    input: T[n, c, x, y, z],
    *, kernel_size: Size, stride: Size = kernel_size, padding: Size = 0, dilation: Size = 1, ceil_mode: bool = False,
) -> {m: T[n, c, d[m], h[m], w[m]] for m in h}:  # fmt: skip
    """The largest entry of every window, of which no more than half may lie beyond the edge.

    Source: torch.nn.functional.max_pool3d.
    """
    assume(2 * padding <= dilation * (kernel_size - 1) + 1)
    i, j, k = (stride * a[ceil_mode] + dilation * b - padding for a, b in ((d, t), (h, r), (w, q)))
    return max_over((t, r, q), padded(input, -oo)[n, c, i, j, k])


# Back: what max_pool took, at the places that it took it from, of which no two are the same.

depth, height, width = Size("depth"), Size("height"), Size("width")
P, Q, R = axis("d", depth), axis("h", height), axis("w", width)
plane, volume = axis("f", height * width), axis("f", depth * height * width)


@formula
def max_unpool1d(input: T[n, c, y], indices: Int[n, c, y].below(Q), *, height: Size) -> T[n, c, Q]:
    """Each entry at its index, and 0 at the places that no index says.

    Source: torch.nn.functional.max_unpool1d with output_size=(height,); its kernel_size, stride and padding say no more
    than that size, which is (Y − 1) stride − 2 padding + kernel_size.
    """
    return sum_over(y, one_hot(indices[n, c, y], Q) * input[n, c, y])


@formula
def max_unpool2d(
    input: T[n, c, y, z], indices: Int[n, c, y, z].below(plane), *, height: Size, width: Size
) -> T[n, c, Q, R]:
    """Each entry at its index W h + w, and 0 at the places that no index says.

    Source: Zeiler, Fergus, Visualizing and Understanding Convolutional Networks (2014), section 2.1;
    torch.nn.functional.max_unpool2d with output_size=(height, width).
    """
    u = let("u", sum_over((y, z), one_hot(indices[n, c, y, z], plane) * input[n, c, y, z]))
    return u[n, c, width * Q + R]


@formula
def max_unpool3d(
    input: T[n, c, x, y, z], indices: Int[n, c, x, y, z].below(volume), *, depth: Size, height: Size, width: Size
) -> T[n, c, P, Q, R]:
    """Each entry at its index W (H d + h) + w, and 0 at the places that no index says.

    Source: torch.nn.functional.max_unpool3d with output_size=(depth, height, width).
    """
    u = let("u", sum_over((x, y, z), one_hot(indices[n, c, x, y, z], volume) * input[n, c, x, y, z]))
    return u[n, c, width * (height * P + Q) + R]


# The mean: over all of a window; over what of it lies in the padded image, or in the image; or a sum over a number.

D, H, W = _places("d", x, dilation=1), _places("h", y, dilation=1), _places("w", z, dilation=1)


def _counted(image, letter, i, ceil_mode, count_include_pad):
    """How many places i of a window count, along one direction."""
    if not count_include_pad:
        return sum_over(letter, where((i >= 0) & (i < image.size), 1, 0))
    return sum_over(letter, where(i < image.size + padding, 1, 0)) if ceil_mode else kernel_size


@formula
def avg_pool1d(
    input: T[n, c, y],
    *, kernel_size: Size, stride: Size = kernel_size, padding: Size = 0,
    ceil_mode: bool = False, count_include_pad: bool = True,
) -> {m: T[n, c, H[m]] for m in H}:  # fmt: skip
    """The mean of every window; zeros beyond the edge count, if count_include_pad.

    Source: torch.nn.functional.avg_pool1d.
    """
    assume(2 * padding <= kernel_size)
    i = stride * H[ceil_mode] + r - padding
    return sum_over(r, padded(input)[n, c, i]) / _counted(y, r, i, ceil_mode, count_include_pad)


@formula
def avg_pool2d(
    input: T[n, c, y, z],
    *, kernel_size: Size, stride: Size = kernel_size, padding: Size = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: Int[()] | None = None,
) -> {m: T[n, c, H[m], W[m]] for m in H}:  # fmt: skip
    """The mean of every window; zeros beyond the edge count, if count_include_pad; or its sum over a given divisor.

    Source: LeCun, Bottou, Bengio, Haffner, Gradient-Based Learning Applied to Document Recognition (1998), section
    II.B; torch.nn.functional.avg_pool2d.
    """
    assume(2 * padding <= kernel_size)
    i, j = (stride * a[ceil_mode] + b - padding for a, b in ((H, r), (W, q)))
    u = sum_over((r, q), padded(input)[n, c, i, j])
    rows, columns = (_counted(*along, ceil_mode, count_include_pad) for along in ((y, r, i), (z, q, j)))
    return u / (rows * columns if divisor_override is None else divisor_override[()])


@formula
def avg_pool3d(
    input: T[n, c, x, y, z],
    *, kernel_size: Size, stride: Size = kernel_size, padding: Size = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: Int[()] | None = None,
) -> {m: T[n, c, D[m], H[m], W[m]] for m in H}:  # fmt: skip
    """The mean of every window; zeros beyond the edge count, if count_include_pad; or its sum over a given divisor.

    Source: torch.nn.functional.avg_pool3d.
    """
    assume(2 * padding <= kernel_size)
    i, j, k = (stride * a[ceil_mode] + b - padding for a, b in ((D, t), (H, r), (W, q)))
    u = sum_over((t, r, q), padded(input)[n, c, i, j, k])
    along = ((x, t, i), (y, r, j), (z, q, k))
    planes, rows, columns = (_counted(*direction, ceil_mode, count_include_pad) for direction in along)
    return u / (planes * rows * columns if divisor_override is None else divisor_override[()])


# A norm of the window: between the mean (p = 1) and the largest entry (p → ∞).

X, V, U = (_places(*along, padding=0, dilation=1)[False] for along in (("d", x), ("h", y), ("w", z)))


@formula
def lp_pool1d(input: T[n, c, y], *, norm_type: Scalar, kernel_size: Size, stride: Size = kernel_size) -> T[n, c, V]:
    """(Σ xᵖ)^(1/p) over every window, for positive entries.

    Source: torch.nn.functional.lp_pool1d with ceil_mode=False.
    """
    assume(input[n, c, y] > 0)
    return sum_over(r, input[n, c, stride * V + r] ** norm_type) ** (1 / norm_type)


@formula
def lp_pool2d(
    input: T[n, c, y, z], *, norm_type: Scalar, kernel_size: Size, stride: Size = kernel_size
) -> T[n, c, V, U]:
    """(Σ xᵖ)^(1/p) over every window, for positive entries.

    Source: Sermanet, Chintala, LeCun, Convolutional Neural Networks Applied to House Numbers Digit Classification
    (2012), eq. 1; torch.nn.functional.lp_pool2d with ceil_mode=False.
    """
    assume(input[n, c, y, z] > 0)
    return sum_over((r, q), input[n, c, stride * V + r, stride * U + q] ** norm_type) ** (1 / norm_type)


@formula
def lp_pool3d(
    input: T[n, c, x, y, z], *, norm_type: Scalar, kernel_size: Size, stride: Size = kernel_size
) -> T[n, c, X, V, U]:
    """(Σ xᵖ)^(1/p) over every window, for positive entries.

    Source: torch.nn.functional.lp_pool3d with ceil_mode=False.
    """
    assume(input[n, c, x, y, z] > 0)
    u = input[n, c, stride * X + t, stride * V + r, stride * U + q] ** norm_type
    return sum_over((t, r, q), u) ** (1 / norm_type)


# Adaptive: place h of H looks at rows from ⌊h Y/H⌋ up to ⌈(h + 1) Y/H⌉, so that any image gives H places.

e, a, b = (axis(name, output_size) for name in "dhw")


def _within(place, image):
    """Whether a row of the image belongs to a place."""
    H, Y = place.size, image.size
    return ((image + 1) * H > place * Y) & (image * H < (place + 1) * Y)


def _share(name, place, image):
    """What each row of the image counts for in a place."""
    inside = where(_within(place, image), 1, 0)
    return let(name, inside / sum_over(image, inside))


@formula
def adaptive_avg_pool1d(input: T[n, c, y], *, output_size: Size) -> T[n, c, a]:
    """The mean of the part of the image that belongs to each place.

    Source: torch.nn.functional.adaptive_avg_pool1d.
    """
    A = _share("A", a, y)
    return sum_over(y, A[y, a] * input[n, c, y])


@formula
def adaptive_avg_pool2d(input: T[n, c, y, z], *, output_size: Size) -> T[n, c, a, b]:
    """The mean of the part of the image that belongs to each place.

    Source: torch.nn.functional.adaptive_avg_pool2d.
    """
    A, B = _share("A", a, y), _share("B", b, z)
    return sum_over((y, z), A[y, a] * B[z, b] * input[n, c, y, z])


@formula
def adaptive_avg_pool3d(input: T[n, c, x, y, z], *, output_size: Size) -> T[n, c, e, a, b]:
    """The mean of the part of the image that belongs to each place.

    Source: torch.nn.functional.adaptive_avg_pool3d.
    """
    A, B, C = _share("A", e, x), _share("B", a, y), _share("C", b, z)
    return sum_over((x, y, z), A[x, e] * B[y, a] * C[z, b] * input[n, c, x, y, z])


@formula
def adaptive_max_pool1d(input: T[n, c, y], *, output_size: Size) -> T[n, c, a]:
    """The largest entry of the part of the image that belongs to each place.

    Source: torch.nn.functional.adaptive_max_pool1d.
    """
    return max_over(y, where(_within(a, y), input[n, c, y], -oo))


@formula
def adaptive_max_pool2d(input: T[n, c, y, z], *, output_size: Size) -> T[n, c, a, b]:
    """The largest entry of the part of the image that belongs to each place.

    Source: torch.nn.functional.adaptive_max_pool2d.
    """
    return max_over((y, z), where(_within(a, y) & _within(b, z), input[n, c, y, z], -oo))


@formula
def adaptive_max_pool3d(input: T[n, c, x, y, z], *, output_size: Size) -> T[n, c, e, a, b]:
    """The largest entry of the part of the image that belongs to each place.

    Source: torch.nn.functional.adaptive_max_pool3d.
    """
    inside = _within(e, x) & _within(a, y) & _within(b, z)
    return max_over((x, y, z), where(inside, input[n, c, x, y, z], -oo))


# Global: the whole image is one window.


@formula
def global_avg_pool2d(input: T[n, c, y, z]) -> T[n, c]:
    """The mean of each channel.

    Source: Lin, Chen, Yan, Network in Network (2014), section 3.2.
    """
    return mean_over((y, z), input[n, c, y, z])


@formula
def global_max_pool2d(input: T[n, c, y, z]) -> T[n, c]:
    """The largest entry of each channel.

    Source: torch.nn.functional.adaptive_max_pool2d with output_size=1.
    """
    return max_over((y, z), input[n, c, y, z])
