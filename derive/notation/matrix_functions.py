"""Functions of matrices in matrix notation: A⁻¹, A⁻ᵀ, det(A) A⁻ᵀ, V diag(λ) Vᵀ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from derive.axes import Axis, Inverse, MatrixFunction, free_axes

from .matrices import FUNCTIONS, INVERSE_TRANSPOSE, mirrored, symmetric_part
from .network import Factor, NoMatrixForm
from .style import Piece
from .table import ATOM, MUL

if TYPE_CHECKING:
    from .matrix import Matrices


def letters_at(node: MatrixFunction) -> tuple[Axis, ...]:
    """The letters of the entry, row first."""
    if any(not isinstance(index, Axis) for index in node.at) or set(free_axes(node.body)) - set(node.axes):
        raise NoMatrixForm  # a part of the result, or one of a batch, has no name
    return tuple(dict.fromkeys(node.at))


def function_factor(matrices: Matrices, node: MatrixFunction) -> Factor:
    """The function of the matrix as a factor of a product; where an index stands twice, its diagonal."""
    letters_at(node)
    is_latex, inside = matrices.style.is_latex, _inside(matrices, node)
    row = FUNCTIONS[type(node)]
    called = "(" in row.text or "|" in row.text
    inside = inside if inside.level == ATOM or called else matrices.style.paren(inside)
    whole, turned = (
        Piece((form.latex if is_latex else form.text).format(inside.source), form.level, tall=inside.tall)
        for form in (row, INVERSE_TRANSPOSE)
    )
    if len(set(node.at)) < len(node.at):
        return matrices.forms.diagonal_of(whole)
    return Factor(whole, turned=turned if isinstance(node, Inverse) else None)


def _inside(matrices: Matrices, node: MatrixFunction) -> Piece:
    """The matrix: of (A + Aᵀ)/2 the symmetric part of A."""
    entry = symmetric_part(node)
    if entry is None:
        return matrices._array(node.body, node.axes)
    if mirrored(entry, matrices.names.mirrors):
        return matrices._array(entry, entry.indices)
    sym = r"\operatorname{sym} " if matrices.style.is_latex else "sym "
    return Piece(sym + matrices._array(entry, entry.indices).source, MUL)
