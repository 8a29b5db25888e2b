"""What the algebra is made of: letters, heads, atoms, terms, polys; all plain data."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

Letter = int
Atom = tuple[int, tuple[Letter, ...]]
Power = int | Fraction
Factors = dict[Atom, Power]
Term = tuple[tuple[tuple[Atom, Power], ...], tuple[Letter, ...]]
Poly = tuple[tuple[Term, Power], ...]
Raw = tuple[Power, Factors, frozenset[Letter]]  # a term not yet contracted or canonical

ZERO: Poly = ()
UNIT: Term = ((), ())


def absolute(value: Power) -> Power:
    """|value|, with its type kept."""
    return value if value >= 0 else -value


def number(value: Fraction | int) -> Power:
    """A whole Fraction as int: most powers and coefficients are whole, and int is far cheaper."""
    return int(value) if value.denominator == 1 else value


@dataclass(eq=False, slots=True)
class Head:
    """What is applied to letters.

    kind: "tensor" (input or upstream), "symbol" (size, scalar, constant), "index" (an axis as a number), "delta",
    "test" (a condition, 1 or 0), "name" (with a definition), "op" (a function or reduction of polys over the slots).
    """

    id: int
    kind: str
    label: str
    spaces: tuple[int, ...]
    slots: tuple[Letter, ...] = ()
    payload: Any = None
    args: tuple[Poly, ...] = ()  # op: arguments; name: its definition
    over: tuple[Letter, ...] = ()  # op: letters the first argument is reduced over
    positive: bool = False
    opposite: int = -1  # test: the head of the complementary condition
    role: str = ""  # name: "let", "auto", "found", "adjoint", "output", "tangent"
    of: str = ""  # adjoint or tangent: of which tensor

    @property
    def definition(self) -> Poly:
        return self.args[0]


def only(poly: Poly) -> tuple[tuple[Atom, Power], ...]:
    """The factors of a single term; of a sum, none."""
    return poly[0][0][0] if len(poly) == 1 else ()
