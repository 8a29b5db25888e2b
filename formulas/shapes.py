"""Shapes: entries that move, repeat or leave; edges, tiles and parts.

What acts along one direction is written for the last axis of a matrix; `batched` adds others before it.
"""

from typing import Literal

from derive import (
    Scalar,
    Size,
    T,
    assume,
    axes,
    axis,
    formula,
    let,
    one_hot,
    padded,
    prod_over,
    sum_over,
    where,
)

b, c, i, j, k, n, y, z = axes("b c i j k n y z")

left, right = Size("left", min=0, default=0), Size("right", min=0, default=0)
rest = Size("rest", min=0)

__all__ = """
    pad pad2d crop narrow flip roll transpose channels_last
    cat stack split repeat repeat_interleave flatten unflatten
    pixel_shuffle pixel_unshuffle channel_shuffle
    cumsum cumprod tril triu outer kron diag diagonal
""".split()

# Edges.

wider, narrower = axis("j", y.size + left + right), axis("j", y.size - left - right)


def _within_reach(image, amounts, mode):
    """What is mirrored or wrapped is at most the image, without the edge that is the mirror."""
    for amount in amounts if mode in ("reflect", "circular") else ():
        assume(amount <= (image.size - 1 if mode == "reflect" else image.size))


@formula
def pad(
    input: T[b, y], *, left: Size = 0, right: Size = 0,
    mode: Literal["constant", "reflect", "replicate", "circular"] = "constant", value: Scalar = 0.0,
) -> T[b, wider]:  # fmt: skip
    """x[b, j − l], and beyond the edges a value, or x mirrored, held or wrapped: no further than x is long.

    Source: torch.nn.functional.pad with pad=(left, right).
    """
    _within_reach(y, (left, right), mode)
    image = padded(input, value) if mode == "constant" else padded(input, mode=mode)
    return image[b, wider - left]


top, bottom = Size("top", min=0, default=0), Size("bottom", min=0, default=0)
higher, broader = axis("h", y.size + top + bottom), axis("w", z.size + left + right)


@formula
def pad2d(
    input: T[n, c, y, z], *, left: Size = 0, right: Size = 0, top: Size = 0, bottom: Size = 0,
    mode: Literal["constant", "reflect", "replicate", "circular"] = "constant", value: Scalar = 0.0,
) -> T[n, c, higher, broader]:  # fmt: skip
    """x[n, c, h − t, w − l], and beyond the edges a value, or x mirrored, held or wrapped.

    Source: torch.nn.functional.pad with pad=(left, right, top, bottom).
    """
    for image, amounts in ((z, (left, right)), (y, (top, bottom))):
        _within_reach(image, amounts, mode)
    image = padded(input, value) if mode == "constant" else padded(input, mode=mode)
    return image[n, c, higher - top, broader - left]


@formula
def crop(input: T[b, y], *, left: Size = 0, right: Size = 0) -> T[b, narrower]:
    """x without its first and last entries.

    Source: torch.nn.functional.pad with negative lengths.
    """
    return input[b, narrower + left]


start, length, whole = Size("start", min=0), Size("length"), Size("start", min=0) + Size("length") + rest
f, part = axis("f", whole), axis("j", length)


@formula
def narrow(input: T[b, f], *, start: Size, length: Size) -> T[b, part]:
    """x from a place on.

    Source: torch.narrow.
    """
    return input[b, start + part]


# Order.


@formula
def flip(input: T[b, y]) -> T[b, y]:
    """x from the last entry to the first.

    Source: torch.flip.
    """
    return input[b, y.size - 1 - y]


@formula
def roll(input: T[b, y], *, shifts: Size = 1) -> T[b, y]:
    """x moved to the right; what leaves there comes in on the left.

    Source: torch.roll.
    """
    return input[b, (y - shifts) % y.size]


@formula
def transpose(input: T[i, j]) -> T[j, i]:
    """Rows become columns.

    Source: torch.transpose.
    """
    return input[i, j]


@formula
def channels_last(input: T[n, c, y, z]) -> T[n, y, z, c]:
    """The channels of an image, moved behind its places.

    Source: torch.permute with dims=(0, 2, 3, 1).
    """
    return input[n, c, y, z]


# Parts and wholes.

both, pair = axis("f", i.size + j.size), axis("k", 2)
first, second = axis("i", length), axis("j", Size("rest"))
halves = axis("f", length + Size("rest"))


@formula
def cat(input: T[b, i], other: T[b, j]) -> T[b, both]:
    """One matrix, and the other to its right.

    Source: torch.cat with dim=1.
    """
    return padded(input)[b, both] + padded(other)[b, both - i.size]


@formula
def stack(input: T[b, i], other: T[b, i]) -> T[pair, b, i]:
    """One matrix, and the other behind it.

    Source: torch.stack.
    """
    return one_hot(0, pair) * input[b, i] + one_hot(1, pair) * other[b, i]


@formula
def split(input: T[b, halves], *, length: Size) -> tuple[T[b, first], T[b, second]]:
    """The first columns, and those that follow.

    Source: torch.split with two sections.
    """
    return input[b, first], input[b, second + length]


repeats = Size("repeats")
tiled = axis("j", repeats * y.size)


@formula
def repeat(input: T[b, y], *, repeats: Size) -> T[b, tiled]:
    """x, again and again.

    Source: torch.tile.
    """
    return input[b, tiled % y.size]


@formula
def repeat_interleave(input: T[b, y], *, repeats: Size) -> T[b, tiled]:
    """Each entry, again and again.

    Source: torch.repeat_interleave.
    """
    return input[b, tiled // repeats]


merged = axis("f", i.size * j.size)


@formula
def flatten(input: T[b, i, j]) -> T[b, merged]:
    """Two axes as one: f = J i + j.

    Source: torch.flatten with start_dim=1.
    """
    return input[b, merged // j.size, merged % j.size]


@formula
def unflatten(input: T[b, merged], *, I: Size) -> T[b, i, j]:
    """One axis as two: f = J i + j.

    Source: torch.unflatten with sizes=(I, -1).
    """
    return input[b, j.size * i + j]


# Channels that are places, and places that are channels.

R, groups = Size("upscale_factor"), Size("groups")
deep, high, wide = axis("f", c.size * R**2), axis("h", y.size * R), axis("w", z.size * R)
mixed = axis("c", groups * k.size)
square = axis("s", R**2)


@formula
def pixel_shuffle(input: T[n, deep, y, z], *, upscale_factor: Size) -> T[n, c, high, wide]:
    """Each square of R × R places comes from R² channels: f = R² c + R (h mod R) + w mod R.

    Source: Shi et al., Real-Time Single Image and Video Super-Resolution (2016), eq. 4;
    torch.nn.functional.pixel_shuffle.
    """
    return input[n, R**2 * c + R * (high % R) + wide % R, high // R, wide // R]


@formula
def pixel_unshuffle(input: T[n, c, high, wide], *, upscale_factor: Size) -> T[n, deep, y, z]:
    """Each square of R × R places becomes R² channels: what pixel_shuffle undoes.

    Source: torch.nn.functional.pixel_unshuffle, where R is called downscale_factor.
    """
    u = let("u", input[n, c, R * y + square // R, R * z + square % R])
    return u[n, deep // R**2, y, z, deep % R**2]


@formula
def channel_shuffle(input: T[n, mixed, y, z], *, groups: Size) -> T[n, mixed, y, z]:
    """The channels of all groups in turn: k G + g comes from g K + k.

    Source: Zhang, Zhou, Lin, Sun, ShuffleNet (2018), section 3.1; torch.nn.functional.channel_shuffle.
    """
    return input[n, k.size * (mixed % groups) + mixed // groups, y, z]


# Along a row, and between two.

before = y.alias("t")


@formula
def cumsum(input: T[b, y]) -> T[b, y]:
    """The sum of all entries up to each.

    Source: torch.cumsum.
    """
    return sum_over(before, where(before <= y, input[b, before], 0))


@formula
def cumprod(input: T[b, y]) -> T[b, y]:
    """The product of all entries up to each.

    Source: torch.cumprod.
    """
    return prod_over(before, where(before <= y, input[b, before], 1))


@formula
def tril(input: T[i, j]) -> T[i, j]:
    """What lies on the diagonal or below.

    Source: torch.tril.
    """
    return where(j <= i, input[i, j], 0)


@formula
def triu(input: T[i, j]) -> T[i, j]:
    """What lies on the diagonal or above.

    Source: torch.triu.
    """
    return where(i <= j, input[i, j], 0)


i2 = i.alias("j")


@formula
def diag(input: T[i]) -> T[i, i2]:
    """A vector as the diagonal of a matrix.

    Source: torch.diag of a vector.
    """
    return one_hot(i, i2) * input[i]


@formula
def diagonal(input: T[i, i2]) -> T[i]:
    """The diagonal of a matrix.

    Source: torch.diagonal.
    """
    return input[i, i]


@formula
def outer(input: T[i], other: T[j]) -> T[i, j]:
    """Every entry times every other.

    Source: torch.outer.
    """
    return input[i] * other[j]


rows, columns = axis("h", i.size * n.size), axis("w", j.size * k.size)


@formula
def kron(input: T[i, j], other: T[n, k]) -> T[rows, columns]:
    """A block for every entry of one matrix: that entry times the other matrix.

    Source: torch.kron.
    """
    return input[rows // n.size, columns // k.size] * other[rows % n.size, columns % k.size]
