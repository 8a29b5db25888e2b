"""Resampling: what an image holds between its places, for another size of it or along a grid.

Letters: n images, c channels, places x, y, z of the image, places d, h, w of the result. One size holds for every
direction of the result.
"""

from typing import Literal

from derive import (
    Size,
    T,
    absolute,
    axes,
    axis,
    clip,
    formula,
    let,
    maximum,
    padded,
    sum_over,
    where,
)

n, c = axes("n c")
x, y, z = axes("x y z")

size, height, width = Size("size"), Size("height"), Size("width")
d, h, w = axis("d", size), axis("h", size), axis("w", size)

__all__ = """
    interpolate_nearest interpolate_nearest_exact
    interpolate_linear interpolate_bilinear interpolate_trilinear interpolate_bicubic
    affine_grid grid_sample
""".split()

# The entry of the nearest place.


@formula
def interpolate_nearest(input: T[n, c, y, z], *, size: Size) -> T[n, c, h, w]:
    """x[n, c, ⌊h Y/H⌋, ⌊w Z/W⌋].

    Source: torch.nn.functional.interpolate with mode="nearest".
    """
    return input[n, c, h * y.size // size, w * z.size // size]


@formula
def interpolate_nearest_exact(input: T[n, c, y, z], *, size: Size) -> T[n, c, h, w]:
    """x[n, c, ⌊(h + 1/2) Y/H⌋, ⌊(w + 1/2) Z/W⌋]: the entry under the centre of each place.

    Source: torch.nn.functional.interpolate with mode="nearest-exact".
    """
    return input[n, c, (2 * h + 1) * y.size // (2 * size), (2 * w + 1) * z.size // (2 * size)]


# Means of the entries nearby. What is weighed by area is a mean over parts: adaptive_avg_pool2d.


def _seen(place, image, align_corners):
    """Where in the image a place of the result lies: by its centre, or so that the corners meet."""
    if align_corners:
        return place * (image.size - 1) / maximum(place.size - 1, 1)
    return (place + 1 / 2) * image.size / place.size - 1 / 2


def _near(seen, place):
    """1 at a place, falling to 0 at its neighbours."""
    return maximum(0, 1 - absolute(seen - place))


def _shares(name, place, image, align_corners):
    """What each row of the image counts for in a place of the result."""
    seen = let({"A": "i", "B": "j", "C": "k"}[name], _seen(place, image, align_corners))
    return let(name, _near(clip(seen[place], 0, image.size - 1), image))


@formula
def interpolate_linear(input: T[n, c, y], *, size: Size, align_corners: bool = False) -> T[n, c, h]:
    """Σ max(0, 1 − |i − y|) x[n, c, y], where i is the place that h sees.

    Source: torch.nn.functional.interpolate with mode="linear".
    """
    A = _shares("A", h, y, align_corners)
    return sum_over(y, A[y, h] * input[n, c, y])


@formula
def interpolate_bilinear(input: T[n, c, y, z], *, size: Size, align_corners: bool = False) -> T[n, c, h, w]:
    """Σ max(0, 1 − |i − y|) max(0, 1 − |j − z|) x[n, c, y, z], where i, j is the place that h, w sees.

    Source: torch.nn.functional.interpolate with mode="bilinear".
    """
    A, B = _shares("A", h, y, align_corners), _shares("B", w, z, align_corners)
    return sum_over((y, z), A[y, h] * B[z, w] * input[n, c, y, z])


@formula
def interpolate_trilinear(input: T[n, c, x, y, z], *, size: Size, align_corners: bool = False) -> T[n, c, d, h, w]:
    """The same for volumes.

    Source: torch.nn.functional.interpolate with mode="trilinear".
    """
    A, B, C = (_shares(*along, align_corners) for along in (("A", d, x), ("B", h, y), ("C", w, z)))
    return sum_over((x, y, z), A[x, d] * B[y, h] * C[z, w] * input[n, c, x, y, z])


SHARPNESS = -3 / 4  # the slope of the cubic kernel at distance 1, as PyTorch has it
row, column = axis("k", y.size + 4), axis("l", z.size + 4)  # from two before the first to two after the last


def _cubic(e):
    """Keys' kernel: 1 at 0, then two cubics, which are 0 at 1 and at 2 and beyond."""
    a = SHARPNESS
    inner, outer = (a + 2) * e**3 - (a + 3) * e**2 + 1, a * (e**3 - 5 * e**2 + 8 * e - 4)
    return where(e <= 1, inner, where(e < 2, outer, 0))


@formula
def interpolate_bicubic(input: T[n, c, y, z], *, size: Size, align_corners: bool = False) -> T[n, c, h, w]:
    """Σ k(|i − y|) k(|j − z|) x[n, c, y, z] for a cubic kernel k and the place i, j that h, w sees; x is held beyond.

    Source: Keys, Cubic Convolution Interpolation for Digital Image Processing (1981), eq. 4 with a = −3/4;
    torch.nn.functional.interpolate with mode="bicubic".
    """
    i, j = let("i", _seen(h, y, align_corners)), let("j", _seen(w, z, align_corners))
    d, e = let("d", absolute(i[h] - (row - 2))), let("e", absolute(j[w] - (column - 2)))
    A, B = let("A", _cubic(d[h, row])), let("B", _cubic(e[w, column]))
    held = padded(input, mode="replicate")[n, c, row - 2, column - 2]
    return sum_over((row, column), A[h, row] * B[w, column] * held)


# Along a grid, whose entries run from −1 to 1 in both directions.

xy, affine = axis("e", 2), axis("k", 3)


@formula
def affine_grid(
    theta: T[n, xy, affine], *, height: Size, width: Size, align_corners: bool = False
) -> T[n, axis("h", height), axis("w", width), xy]:
    """θ (x, y, 1) for the places of an image, of which x and y run from −1 to 1.

    Source: Jaderberg, Simonyan, Zisserman, Kavukcuoglu, Spatial Transformer Networks (2015), eq. 1;
    torch.nn.functional.affine_grid.
    """
    h, w = axis("h", height), axis("w", width)
    x, y = ((2 * a + 1 - a.size) / (maximum(a.size - 1, 1) if align_corners else a.size) for a in (w, h))
    return theta[n, xy, 0] * x + theta[n, xy, 1] * y + theta[n, xy, 2]


g, o = axes("h w")


def _nearest(seen, place):
    """1 at the nearest place, the higher one of two, else 0."""
    return where((seen - place >= -1 / 2) & (seen - place < 1 / 2), 1, 0)


@formula
def grid_sample(
    input: T[n, c, y, z], grid: T[n, g, o, xy],
    *, mode: Literal["bilinear", "nearest"] = "bilinear", padding_mode: Literal["zeros", "border"] = "zeros",
    align_corners: bool = False,
) -> T[n, c, g, o]:  # fmt: skip
    """Σ max(0, 1 − |i − y|) max(0, 1 − |j − z|) x[n, c, y, z] at the places i, j that the grid says.

    Source: Jaderberg, Simonyan, Zisserman, Kavukcuoglu, Spatial Transformer Networks (2015), eq. 5;
    torch.nn.functional.grid_sample.
    """

    def at(name, e, image):
        seen = let(name, ((e + 1) * (image.size - 1) if align_corners else (e + 1) * image.size - 1) / 2)
        return seen[n, g, o] if padding_mode == "zeros" else clip(seen[n, g, o], 0, image.size - 1)

    i, j = at("i", grid[n, g, o, 1], y), at("j", grid[n, g, o, 0], z)
    near = {"bilinear": _near, "nearest": _nearest}[mode]
    return sum_over((y, z), near(i, y) * near(j, z) * input[n, c, y, z])
