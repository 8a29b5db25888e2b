"""Where the code is tried: inputs of every magnitude, one for all, one each, or one for every entry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
from sympy.core.basic import Basic

from derive.axes import Tensor
from derive.oracle import Array, Point
from derive.verify import Sampler, broken

Random = np.random.Generator

# The first few say the most: a formula of which each point is dear is tried at them only.
MAGNITUDES = (1.0, 1e2, 1e-5, 1e30, 1e-30, 10.0, 1e-10, 1e10, 0.1, 1e3, 1e-20, 1e20, 30.0, 1e-2, 1e5, 300.0, 1e-3)
REACH = 30.0  # powers of ten, either way, to which magnitudes go
MODERATE = 3.0  # powers of ten among which mixed magnitudes lie, in turn with wider ones
TINY = 1e-30


@dataclass(frozen=True)
class Recipe:
    """How the entries of inputs are made: ±m·10ᵉ with 1 ≤ m < 10."""

    one: float | None = None  # the magnitude of all entries
    decades: float = 0.0  # else the powers of ten, either way, among which magnitudes are drawn
    apart: bool = False  # each entry has its own, instead of each input
    equal: bool = False  # all entries of an input are one number

    @property
    def words(self) -> str:
        """`all of 1e+02`, `each entry between 1e-03 and 1e+03`."""
        if self.one is not None:
            return f"all of {self.one:.0e}" if self.one else "all zero"
        least, most = 10.0**-self.decades, 10.0**self.decades
        one = "equal entries" if self.equal else "each entry" if self.apart else "each input"
        return f"{one} between {least:.0e} and {most:.0e}"

    def numbers(self, rng: Random, shape: tuple[int, ...]) -> Array:
        """Entries of one input."""
        size = () if self.equal else shape
        scale: Any = self.one
        if scale is None:
            scale = 10.0 ** rng.uniform(-self.decades, self.decades, size if self.apart else ())
        return np.broadcast_to(rng.choice((-1.0, 1.0), size) * rng.uniform(1, 10, size) * scale, shape)


def recipes(reach: float, kind: Any) -> Iterator[Recipe]:
    """Without end: every magnitude in turn, and between them mixed ones, of which three multiply within the range."""
    wide = min(reach, float(np.log10(np.finfo(kind).max)) / 3)
    mixed = cycle((
        Recipe(decades=min(reach, MODERATE), apart=True),
        Recipe(decades=wide),
        Recipe(decades=min(reach, MODERATE), equal=True),
        Recipe(decades=wide, apart=True),
        Recipe(one=0.0),
        Recipe(decades=min(reach, MODERATE)),
        Recipe(decades=wide, equal=True),
    ))  # fmt: skip
    magnitudes = [one for one in MAGNITUDES if abs(np.log10(one)) <= reach]
    for turn, magnitude in enumerate(cycle(magnitudes)):
        yield Recipe(one=magnitude)
        if turn % 2:
            yield next(mixed)


@dataclass(frozen=True)
class Drawn:
    """A point in one float type, and how it was made."""

    point: Point
    recipe: Recipe

    @property
    def size(self) -> float:
        """The largest number among the inputs."""
        return max((float(np.abs(a).max()) for a in self.point.arrays.values() if a.dtype.kind == "f"), default=0.0)

    @property
    def inputs(self) -> dict[str, Any]:
        """Arrays as lists, parameters and sizes."""
        arrays = {name: array.tolist() for name, array in self.point.arrays.items()}
        return {**arrays, **self.point.scalars, **{str(size): number for size, number in self.point.sizes.items()}}


@dataclass(frozen=True)
class Draw:
    """Points of one shape in one float type; parameters are at their defaults, the same at every point."""

    sampler: Sampler
    upstreams: frozenset[str]
    kind: Any
    base: Point  # gives lengths and parameters

    @classmethod
    def of(cls, sampler: Sampler, upstreams: frozenset[str], kind: Any, seed: int, ones: tuple[Basic, ...]) -> Draw:
        """Lengths are small, and 1 for `ones`."""
        rng = np.random.default_rng([seed])
        sizes = {size: 1 if size in ones else number for size, number in sampler.sizes(rng, "small").items()}
        point = sampler.draw(rng, sizes)
        defaults = {s.name: s.default for s in sampler.subject.scalars if s.default is not None}
        return cls(sampler, upstreams, kind, point.with_(scalars=defaults))

    def point(self, recipe: Recipe, rng: Random) -> Drawn:
        """Inputs by the recipe; one about which something is assumed keeps to that.

        Upstream gradients are of size 1 unless magnitudes are mixed.
        """
        drawn = self.sampler.draw(rng, self.base.sizes)
        point = drawn.with_(scalars=self.base.scalars)
        limits, constrained = self.sampler.limits(point), self.sampler.constrained()
        for tensor in self.sampler.tensors:
            if tensor.dtype != "real":
                continue
            made = point.arrays[tensor.name]
            if tensor.name in limits:
                made = placed(recipe.numbers(rng, made.shape), *limits[tensor.name], self.kind)
            elif tensor.name in constrained:
                made = self._scaled(tensor, point, recipe, rng)
            elif tensor.name not in self.upstreams or recipe.one is None:
                made = recipe.numbers(rng, made.shape)
            point = point.with_(arrays={tensor.name: made.astype(self.kind).astype(float)})
        return Drawn(Point(point.arrays, point.sizes, point.scalars), recipe)

    def _scaled(self, tensor: Tensor, point: Point, recipe: Recipe, rng: Random) -> Array:
        """What was drawn, times a power of two, where all that is assumed still holds."""
        array = point.arrays[tensor.name]
        scale = recipe.one if recipe.one is not None else 10.0 ** rng.uniform(-recipe.decades, recipe.decades)
        made = array * 2.0 ** np.round(np.log2(scale)) if scale else array
        moved = point.with_(arrays={tensor.name: made})
        return array if any(broken(a.statement, moved) for a in self.sampler.subject.assumptions) else made


def placed(numbers: Array, low: float, high: float, kind: Any) -> Array:
    """Numbers of any size within an open interval: tiny ones near its lower end, or 0, huge ones near its upper."""
    size = np.clip(np.abs(numbers), TINY, None)
    first, last = np.nextafter(kind(low), kind(np.inf)), np.nextafter(kind(high), kind(-np.inf))
    if np.isfinite(low) and np.isfinite(high):
        width = high - low
        made = np.where(size < 1, low + width * size / 2, high - width / np.maximum(size, 1) / 2)
    else:
        made = low + size if np.isfinite(low) else high - size
    return np.clip(made, float(first), float(last))
