"""One expression as text or LaTeX, in the notation asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sympy.core.basic import Basic

from derive.axes import Axis, free_axes

from .choice import Notation, chosen
from .lines import broken, text_width, unmarked
from .matrix import Matrices
from .named import NamedTensors
from .names import Names
from .printer import Printer
from .style import LATEX, TEXT, Piece, Style


class Printed(str):
    """A printed expression; `notation` says which notation it came out in: "index" where it has no other form."""

    __slots__ = ("notation",)
    notation: str

    def __new__(cls, source: str, notation: str) -> Printed:
        made = super().__new__(cls, source)
        made.notation = notation
        return made


def text(
    expression: Basic,
    notation: str | Notation = "index",
    *,
    letters: Iterable[Axis] | None = None,
    names: Names | None = None,
    width: int = 80,
) -> Printed:
    """The expression in Unicode, broken at sums after `width` columns.

    `letters` are those of the result, in order (by default the free letters, in order of appearance): they fix which
    letters carry primes, and in matrix notation which is the row. Raises Unsupported for a node without a row.
    """
    piece, used = _printed(expression, notation, TEXT, letters, names)
    return Printed("\n".join(broken(piece.source, text_width, width, "× ")), used)


def latex(
    expression: Basic,
    notation: str | Notation = "index",
    *,
    letters: Iterable[Axis] | None = None,
    names: Names | None = None,
) -> Printed:
    """The expression in LaTeX (amsmath), on one line, without delimiters; arguments and errors as for `text`."""
    piece, used = _printed(expression, notation, LATEX, letters, names)
    return Printed(unmarked(piece.source), used)


def _printed(
    expression: Basic, notation: str | Notation, style: Style, letters: Iterable[Axis] | None, names: Names | None
) -> tuple[Piece, str]:
    free, choice = free_axes(expression), chosen(notation)
    given = tuple(free if letters is None else letters)
    declared = [a for a in given if not _alias_of(a, given)]
    known = Names.of([expression], declared, choice=choice) if names is None else replace(names, choice=choice)
    piece = None
    if choice.by_matrices:
        matrices = Matrices(known, style)
        piece = matrices.show(expression, given, matrices.form(expression))
    elif choice.kind == "named":
        piece = NamedTensors(known, style).show(expression, given)
    if piece is not None:
        return piece, choice.kind
    return Printer(known, style, dict.fromkeys([*given, *free])).whole(expression), "index"


def _alias_of(letter: Axis, others: Iterable[Axis]) -> bool:
    """Whether d_1 stands beside d: then it is written d′."""
    stem = letter.name.rpartition("_")
    return stem[2].isdigit() and any(o.name == stem[0] and o.size == letter.size for o in others)
