"""Functions of matrices, by their entries: (A⁻¹)_mn, det A, λ_k(A); a matrix that is no tensor stands by its entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy

from derive.axes import (
    Cholesky,
    Determinant,
    Eigenvalue,
    Eigenvector,
    Entry,
    Exponential,
    ExponentialCurvature,
    ExponentialSlope,
    GeneralEigenvalue,
    GeneralEigenvector,
    Inverse,
    LeftVector,
    Logarithm,
    LogarithmSlope,
    LogDeterminant,
    MatrixFunction,
    OrthonormalFactor,
    RightVector,
    SingularValue,
    SquareRoot,
    SquareRootSlope,
    TriangularFactor,
)

from .lines import unmarked
from .mirrors import Mirror
from .names import Key, key_of
from .style import Piece
from .table import ATOM, MUL, POW

if TYPE_CHECKING:
    from .printer import Printer


@dataclass(frozen=True)
class MatrixRow:
    """A function of the matrix {0}, of its transpose {1}; `indexed` in parentheses before its indices."""

    text: str
    latex: str
    level: int = ATOM
    indexed: bool = False


FUNCTIONS: dict[type, MatrixRow] = {
    Inverse: MatrixRow("{0}⁻¹", "{0}^{{-1}}", POW, indexed=True),
    Determinant: MatrixRow("det {0}", r"\det {0}", MUL),
    LogDeterminant: MatrixRow("log |det {0}|", r"\log \lvert\det {0}\rvert", MUL),
    Cholesky: MatrixRow("chol({0})", r"\operatorname{{chol}}({0})"),
    Eigenvalue: MatrixRow("λ({0})", r"\lambda({0})"),
    Eigenvector: MatrixRow("V({0})", "V({0})"),
    SingularValue: MatrixRow("σ({0})", r"\sigma({0})"),
    LeftVector: MatrixRow("U({0})", "U({0})"),
    RightVector: MatrixRow("V({0})", "V({0})"),
    OrthonormalFactor: MatrixRow("Q({0})", "Q({0})"),
    TriangularFactor: MatrixRow("R({0})", "R({0})"),
    GeneralEigenvalue: MatrixRow("λ({0})", r"\lambda({0})"),
    GeneralEigenvector: MatrixRow("X({0})", "X({0})"),
    Exponential: MatrixRow("exp({0})", r"\operatorname{{exp}}({0})"),
    ExponentialSlope: MatrixRow("exp′({0})", r"\operatorname{{exp}}'({0})"),
    ExponentialCurvature: MatrixRow("exp″({0})", r"\operatorname{{exp}}''({0})"),
    SquareRoot: MatrixRow("sqrt({0})", r"\operatorname{{sqrt}}({0})"),
    SquareRootSlope: MatrixRow("sqrt′({0})", r"\operatorname{{sqrt}}'({0})"),
    Logarithm: MatrixRow("log({0})", r"\operatorname{{log}}({0})"),
    LogarithmSlope: MatrixRow("log′({0})", r"\operatorname{{log}}'({0})"),
}
INVERSE_TRANSPOSE = MatrixRow("{0}⁻ᵀ", r"{0}^{{-\top}}", POW, indexed=True)


def matrix_function(printer: Printer, node: MatrixFunction) -> Piece:
    """One entry of a function of a matrix."""
    row, piece = _whole(printer, node)
    if not node.at:
        return piece
    indices, units = printer._indices(node.at)
    inside = (" " if printer.style.is_latex else "").join(indices) if units else ", ".join(indices)
    whole = printer.style.paren(piece).source if row.indexed else piece.source
    below = inside if units and not printer.style.is_latex else f"{{{inside}}}"
    return Piece(f"{whole}_{below}", ATOM, tall=1)


def _whole(printer: Printer, node: MatrixFunction) -> tuple[MatrixRow, Piece]:
    """The function of the matrix, without the indices of its entry."""
    row = FUNCTIONS[type(node)]
    matrix, turned = _matrix(printer, node)
    if turned and isinstance(node, Inverse):
        row = INVERSE_TRANSPOSE
    elif turned:
        matrix = Piece(matrix.source + (r"^{\top}" if printer.style.is_latex else "ᵀ"), POW)
    called = "(" in row.text or "|" in row.text
    matrix = matrix if matrix.level == ATOM or called else printer.style.paren(matrix)
    source = (row.latex if printer.style.is_latex else row.text).format(unmarked(matrix.source))
    return row, Piece(source, row.level, tall=matrix.tall)


def _matrix(printer: Printer, node: MatrixFunction) -> tuple[Piece, bool]:
    """The matrix, and whether it stands transposed: a tensor's name, else its entry in brackets."""
    rows, columns = node.axes
    if (entry := symmetric_part(node)) is not None:
        *batch, _, _ = entry.indices
        indices, units = printer._indices(batch)
        inside = printer.style.entry(printer.glyph_of(entry.tensor), indices, units)
        if mirrored(entry, printer.names.mirrors):
            return inside, False
        sym = r"\operatorname{sym} " if printer.style.is_latex else "sym "
        return Piece(sym + unmarked(inside.source), MUL, tall=inside.tall), False
    if isinstance(node.body, Entry) and {rows, columns} == set(node.body.indices[-2:]):
        *batch, first, _ = node.body.indices
        indices, units = printer._indices(batch)
        return printer.style.entry(printer.glyph_of(node.body.tensor), indices, units), first == columns
    if isinstance(node.body, MatrixFunction) and node.body.at in ((rows, columns), (columns, rows)):
        return _whole(printer, node.body)[1], node.body.at != (rows, columns)
    return _bracketed(printer, node), False


def mirrored(entry: Entry, known: Mapping[Key, Mirror]) -> bool:
    """Whether (A + Aᵀ)/2 is A itself."""
    p, q, sign = known.get(key_of(entry.tensor), (0, 0, 0))
    return sign == 1 and (p, q) == (entry.tensor.ndim - 2, entry.tensor.ndim - 1)


def symmetric_part(node: MatrixFunction) -> Entry | None:
    """The entry of A, where the matrix is (A + Aᵀ)/2."""
    entries = sorted(node.body.atoms(Entry), key=str)
    if len(entries) != 2 or entries[0].tensor != entries[1].tensor:
        return None
    one, two = entries
    turned = (*one.indices[:-2], one.indices[-1], one.indices[-2])
    whole = sympy.expand(2 * node.body - one - two) == 0
    return one if whole and turned == two.indices and set(one.indices[-2:]) == set(node.axes) else None


def _bracketed(printer: Printer, node: MatrixFunction) -> Piece:
    outer, printer.scope = (printer.scope, printer.taken), dict(printer.scope)
    try:
        bound = []
        for letter in node.axes:
            printer.scope[letter] = printer.names.letter(letter, printer.taken)
            printer.taken = (*printer.taken, printer.scope[letter])
            bound.append(printer.scope[letter])
        inside = printer.show(node.body)
    finally:
        printer.scope, printer.taken = outer
    left, right = (r"\bigl[", r"\bigr]") if printer.style.is_latex else ("[", "]")
    return Piece(f"{left}{inside.source}{right}{printer.style.letters(bound)}", ATOM, tall=max(1, inside.tall))
