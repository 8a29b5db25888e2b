"""Loops over entries, as plain statements: what a fused backend prints. Expressions are those of the array program.

Three operations are of loops alone: `at(array, places)` is an entry, `real(number)` a number of the arrays' dtype, and
`counted(place)` a place as an integer with a sign.
"""

from __future__ import annotations

from dataclasses import dataclass

from .program import Code, Op


@dataclass(frozen=True, slots=True)
class Let:
    """name = value, a number."""

    name: str
    value: Code
    note: object = ""


@dataclass(frozen=True, slots=True)
class Store:
    """array[places] = value."""

    target: Op
    value: Code
    note: object = ""


@dataclass(frozen=True, slots=True)
class Gather:
    """target = target op value, for "sum", "prod", "max" or "min"; "larger" and "smaller" are those of numbers that are
    not NaN, "nan" notes whether the value is one."""

    op: str
    target: Code
    value: Code
    note: object = ""


@dataclass(frozen=True, slots=True)
class Each:
    """The body, for each place of an axis; of the shared axis, for those of the block."""

    letter: str
    length: str
    body: tuple[Line, ...]
    shared: bool = False


Line = Let | Store | Gather | Each


@dataclass(frozen=True, slots=True)
class Scratch:
    """Memory of one block, used again for each of its rows; that of a sum over the block starts at zero."""

    name: str
    lengths: tuple[str, ...]
    kind: str
    summed: bool


@dataclass(frozen=True, slots=True)
class Kernel:
    """A function of arrays that it reads or fills, and of numbers; blocks of the shared axis run in parallel.

    `lengths` says which array has each length, and where; reals have the dtype of the array `like`, "" without reals.
    """

    name: str
    parameters: tuple[str, ...]
    lengths: tuple[tuple[str, str, int], ...]
    like: str
    shared: str
    scratch: tuple[Scratch, ...]
    body: tuple[Line, ...]
