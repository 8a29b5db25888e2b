"""The array program: functions of plain statements over named arrays. Backends print it and decide nothing.

An expression is a `Var`, a `Num` or an `Op` on expressions; `attr` holds what is static (axes, permutations, keywords).
A note has the text of a comment.
Statements assign, update in place, write into memory at hand, repeat for blocks of rows, or refuse what does not hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any


@dataclass(frozen=True, slots=True)
class Var:
    """A name."""

    name: str


@dataclass(frozen=True, slots=True)
class Num:
    """A Python number."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Op:
    """An operation on expressions."""

    name: str
    args: tuple[Code, ...] = ()
    attr: Any = ()


Code = Var | Num | Op


@dataclass(frozen=True, slots=True)
class Assign:
    """targets = … = value."""

    targets: tuple[Code, ...]
    value: Code
    note: object = ""


@dataclass(frozen=True, slots=True)
class Update:
    """target op= value, in place."""

    op: str
    target: Code
    value: Code
    note: object = ""


@dataclass(frozen=True, slots=True)
class Into:
    """op(args), written into the memory of `out`."""

    value: Op
    out: Code
    note: object = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """The body, for each block of rows: `index` is the slice, `width` the elements of a row.

    Of two counts, rows are pairs of places along the first two axes, and `index` has two slices. Of strips, the last
    count is that of the rows, and `index` has a slice for each count.
    """

    index: str
    counts: tuple[Code, ...]
    width: Code
    body: tuple[Statement, ...]
    strips: bool = False


@dataclass(frozen=True, slots=True)
class Loop:
    """The body, for each place along a letter, one after the other; `backwards` from the last to the first."""

    index: str
    count: Code
    backwards: bool
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Require:
    """An error unless the condition holds: `text` states it, `sizes` are the numbers that it is about."""

    condition: Code
    text: str
    sizes: tuple[tuple[str, Code], ...]


@dataclass(frozen=True, slots=True)
class Free:
    """An array that nobody reads any more is given back, before others of its kind are made."""

    name: str


Statement = Assign | Update | Into | Rows | Loop | Require | Free


@dataclass(frozen=True, slots=True)
class Function:
    """def name(parameters): body; return result."""

    name: str
    parameters: tuple[str, ...]
    body: tuple[Statement, ...]
    result: Code


@dataclass(frozen=True, slots=True)
class Array:
    """A declared array: kind "real", "int" or "bool"; lengths by name, by number, or None where they are derived."""

    name: str
    kind: str
    shape: tuple[str | int | None, ...] | None  # None: any shape
    bound: str | int | None = None
    least: tuple[tuple[str, int], ...] = ()  # of lengths that must be at least 2, or more

    @property
    def declared(self) -> tuple[Any, ...]:
        """What arrays are checked against."""
        return (self.name, self.kind, self.shape, *([dict(self.least)] if self.least else []))


@dataclass(frozen=True, slots=True)
class Program:
    """Everything a backend prints. `functions`: forward, and with gradients backward and value_and_grad."""

    name: str
    doc: str
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    gradients: tuple[str, ...]
    upstreams: tuple[str, ...]
    parameters: tuple[tuple[str, float | int | None], ...]  # Scalars, then Sizes, with their defaults
    sizes: tuple[str, ...]  # which of the parameters are integers
    least: tuple[int, ...]  # the least value of each of those
    scalar_loss: bool
    formulas: tuple[object, ...]  # the text of each is a definition
    functions: tuple[Function, ...]
    taken: frozenset[str]  # names that the functions use
    derived: tuple[tuple[str, Code], ...] = ()  # sizes whose default is made of others, each after those it needs

    def function(self, name: str) -> Function:
        return next(f for f in self.functions if f.name == name)
