"""What a document is made of, before any format: headings, paragraphs, inputs, chains of equalities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from sympy.core.basic import Basic

from derive.axes import Axis, Tensor, free_axes
from derive.steps import Subject


class Told(Subject, Protocol):
    """The traced formula, and its intermediates: what a document must know of it."""

    @property
    def definitions(self) -> tuple[Tensor, ...]: ...


@dataclass(frozen=True)
class Loss:
    """The letter of the scalar that is differentiated, L; `moved`: its differential dL."""

    moved: bool = False


@dataclass(frozen=True)
class Shape:
    """The lengths of a tensor, B × I."""

    tensor: Tensor


class Maths(Protocol):
    """Mathematics that prints itself."""

    def source(self, view: Any) -> str: ...


LOSS, MOVED_LOSS = Loss(), Loss(moved=True)
Part: TypeAlias = str | Basic | Loss | Shape | Maths


@dataclass(frozen=True)
class Reason:
    """Why two neighbours of a chain are equal: laws, a clause in words, equations cited."""

    law: str
    why: str = ""
    cites: tuple[Basic, ...] = ()


@dataclass(frozen=True)
class Line:
    """One link of a chain: `= expression`, and why."""

    expression: Basic
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Chain:
    """target = line = line …; `letters` are those of the result, in order."""

    target: tuple[Basic, ...]
    lines: tuple[Line, ...]
    letters: tuple[Axis, ...]
    again: bool = False  # it was told before: only what came out

    @property
    def free(self) -> tuple[Axis, ...]:
        """Every free letter of the chain, those of the result first."""
        parts = [*self.target, *(line.expression for line in self.lines)]
        return tuple(dict.fromkeys([*self.letters, *(a for part in parts for a in free_axes(part))]))


@dataclass(frozen=True)
class Heading:
    """The title of a document or section; an expression in it is printed."""

    words: tuple[Part, ...]
    level: int = 2


@dataclass(frozen=True)
class Words:
    """A paragraph; expressions in it are printed."""

    words: tuple[Part, ...]


@dataclass(frozen=True)
class Inputs:
    """What the formula is given: tensors with their shapes, parameters."""

    tensors: tuple[Tensor, ...]
    scalars: tuple[Basic, ...]


@dataclass(frozen=True)
class Display:
    """Chains set apart from the text."""

    chains: tuple[Chain, ...]


Block: TypeAlias = Heading | Words | Inputs | Display
