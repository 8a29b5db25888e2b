"""Lengths: small numbers for a formula's sizes under which every axis has a whole length of at least one.

Strides, paddings, dilations, heads are sizes like any other. What is demanded (a derived length such as
⌊(Y + 2p − R)/s⌋ + 1 or E/heads, a stated relation such as 2p ≤ R) is tested by plain substitution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import sympy
from sympy.core.basic import Basic

from derive.axes import Size
from derive.oracle import Point, evaluate, known

Random = np.random.Generator
Sizes = dict[Basic, int]
Test = Callable[[Mapping[Basic, int]], bool]

COMMON = 5  # sizes are tried up to here first, then up to MOST
MOST = 16  # ... and around the numbers and least values that the demands speak of, and around their doubles
TESTS = 4000  # numbers tried for one group of sizes before giving up
UNEVEN = "distinct"  # the pattern in which nothing divides and no parameter is at its least value


def _distinct(rng: Random, count: int) -> list[int]:
    lengths = [2 + k % 4 for k in range(count)]
    return [int(n) for n in rng.permutation(lengths)]


# A pattern of lengths: how many are needed → the lengths.
SHAPES: dict[str, Callable[[Random, int], list[int]]] = {
    "random": lambda rng, count: [int(n) for n in rng.integers(1, 5, count)],
    "distinct": _distinct,
    "ones": lambda rng, count: [1] * count,
    "equal": lambda rng, count: [int(rng.integers(2, 4))] * count,
    "small": lambda rng, count: [2 + k % 2 for k in range(count)],
}


@dataclass(frozen=True)
class Demand:
    """A test of some sizes, to be made as soon as all of them have a number."""

    sizes: frozenset[Size]
    test: Test
    known: dict[tuple[int, ...], bool] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def on(cls, expression: Basic, test: Test) -> Demand:
        """A test of the sizes in an expression."""
        return cls(frozenset(expression.atoms(Size)), test)

    def holds(self, sizes: Mapping[Basic, int]) -> bool:
        """What the test says of these sizes; the same small numbers are tried again and again."""
        key = tuple(sizes[size] for size in self.sizes)
        if key not in self.known:
            self.known[key] = self.test(sizes)
        return self.known[key]


def _at_least(length: Basic, least: int) -> Test:
    """A length is a whole number of at least this."""

    def test(sizes: Mapping[Basic, int]) -> bool:
        found = known(length, sizes)
        return isinstance(found, tuple) and found[0] % found[1] == 0 and found[0] // found[1] >= least

    return test


def _uneven(quotient: Basic) -> Test:
    """A quotient whose floor is taken is not whole."""

    def test(sizes: Mapping[Basic, int]) -> bool:
        found = known(quotient, sizes)
        return isinstance(found, tuple) and found[0] % found[1] != 0

    return test


def _above_least(size: Size) -> Test:
    return lambda sizes: sizes[size] > size.min


def _true(statement: Basic) -> Test:
    return lambda sizes: bool(evaluate(statement, Point({}, sizes)))


@dataclass(frozen=True)
class Lengths:
    """The sizes of a formula, its derived lengths, and what is stated about sizes alone.

    `plain` are the sizes that are some axis's length; the others are parameters: strides, paddings, heads.
    """

    sizes: tuple[Size, ...]
    plain: frozenset[Basic]
    derived: tuple[Basic, ...]
    stated: tuple[Basic, ...]

    @cached_property
    def demands(self) -> tuple[Demand, ...]:
        lengths = (Demand.on(one, _at_least(one, 1)) for one in self.derived)
        return (*lengths, *(Demand.on(one, _true(one)) for one in self.stated))

    @cached_property
    def landmarks(self) -> tuple[int, ...]:
        """Large numbers that lengths must exceed or divide: a kernel fixed at 40 needs a length of 40."""
        written = {abs(int(n)) for one in (*self.derived, *self.stated) for n in one.atoms(sympy.Integer)}
        known_ = sorted(written | {size.min for size in self.sizes})
        return tuple(n for k in known_ if k > COMMON for m in (k, 2 * k) for n in range(m - 1, m + COMMON))

    @cached_property
    def parameters(self) -> tuple[Size, ...]:
        return tuple(size for size in self.sizes if size not in self.plain)

    @cached_property
    def several(self) -> tuple[Demand, ...]:
        """Derived lengths are above 1."""
        return tuple(Demand.on(one, _at_least(one, 2)) for one in self.derived)

    @cached_property
    def telling(self) -> tuple[Demand, ...]:
        """Floors lose something, and parameters are above their least values."""
        floors = sorted({f for one in self.derived for f in one.atoms(sympy.floor, sympy.ceiling)}, key=str)
        uneven = (Demand.on(f, _uneven(f.args[0])) for f in floors)
        return (*uneven, *self.above)

    @cached_property
    def above(self) -> tuple[Demand, ...]:
        return tuple(Demand.on(size, _above_least(size)) for size in self.parameters)

    def wishes(self, rng: Random, shape: str) -> tuple[tuple[Demand, ...], ...]:
        """What shows mistakes, the most first: derived lengths above 1, parameters above their least, remainders."""
        if shape == UNEVEN:
            return (*self.telling, *self.several), (*self.above, *self.several), self.several, ()
        return () if shape == "ones" or (shape == "random" and rng.random() < 0.5) else (self.several,)

    def draw(self, rng: Random, shape: str) -> Sizes | None:
        """Numbers in a pattern, each at least its Size's minimum, as far as the demands allow; None if none is found.

        In the pattern "distinct" a floor loses something, and strides and paddings are above their least values, if
        there are such numbers; in "ones" those have their least values.
        """
        wanted = dict(zip(self.sizes, SHAPES[shape](rng, len(self.sizes)), strict=True))
        spread = 0 if shape == "ones" else 2
        wanted |= {size: size.min + int(rng.integers(spread + 1)) for size in self.parameters}
        tries = {size: _candidates(rng, size, max(size.min, wanted[size]), self.landmarks) for size in self.sizes}
        for wishes in (*self.wishes(rng, shape), ()):
            found = self._solved(rng, tries, (*self.demands, *wishes))
            if found is not None:
                return {size: found[size] for size in self.sizes}
        return None

    def _solved(self, rng: Random, tries: Mapping[Size, Sequence[int]], demands: Sequence[Demand]) -> Sizes | None:
        found: Sizes = {}
        for group in _groups(self.sizes, demands):
            last = [size for size in group if size in self.plain]
            order = [size for size in group if size not in self.plain]
            order += [last[k] for k in rng.permutation(len(last))]
            solution = _search(order, tries, [d for d in demands if d.sizes <= set(group)])
            if solution is None:
                return None
            found |= solution
        return found


def _candidates(rng: Random, size: Size, wanted: int, landmarks: Sequence[int]) -> list[int]:
    """Numbers to try, the wanted one first, then small ones, then larger ones."""
    edge = max(COMMON, size.min + 2) + 1
    small = [int(n) for n in rng.permutation(np.arange(size.min, edge))]
    large = (n for n in (*range(edge, MOST + 1), *landmarks) if n >= size.min)
    return list(dict.fromkeys([wanted, *small, *large]))


def _groups(sizes: Sequence[Size], demands: Sequence[Demand]) -> list[list[Size]]:
    """The sizes in groups that no demand connects."""
    group = {size: [size] for size in sizes}
    for demand in demands:
        merged = list(dict.fromkeys(size for one in sizes if one in demand.sizes for size in group[one]))
        group.update(dict.fromkeys(merged, merged))
    return list({id(members): members for members in group.values()}.values())


def _search(order: Sequence[Size], tries: Mapping[Size, Sequence[int]], demands: Sequence[Demand]) -> Sizes | None:
    """The first numbers, in the order of the tries, that meet every demand; the last sizes are changed first."""
    due = [[d for d in demands if d.sizes <= set(order[: k + 1]) and order[k] in d.sizes] for k in range(len(order))]
    if any(not d.sizes and not d.holds({}) for d in demands):
        return None
    found: Sizes = {}
    left = [iter(tries[order[0]])] if order else []
    for _ in range(TESTS):
        if len(left) == 0:
            return None if order else found
        place = len(left) - 1
        number = next(left[-1], None)
        if number is None:
            left.pop()
            continue
        found[order[place]] = number
        if all(demand.holds(found) for demand in due[place]):
            if place + 1 == len(order):
                return found
            left.append(iter(tries[order[place + 1]]))
    return None
