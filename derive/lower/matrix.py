"""Functions of matrices: LAPACK's, on the last two axes; a sum against an inverse solves a system instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from derive.axes import (
    Axis,
    Cholesky,
    Determinant,
    Eigenvalue,
    Eigenvector,
    Inverse,
    LeftVector,
    LogDeterminant,
    RightVector,
    SingularValue,
)

from .algebra import Hint, real
from .node import Graph, Labels, Node, View
from .program import Code, Op
from .window import at
from .window_code import turned

if TYPE_CHECKING:
    from .read import Reader

OPERATIONS: dict[type, str] = {
    Inverse: "inverse",
    Determinant: "determinant",
    LogDeterminant: "logdet",
    Cholesky: "cholesky",
    Eigenvalue: "eigenvalues",
    Eigenvector: "eigenvectors",
    SingularValue: "singular_values",
    LeftVector: "left_vectors",
    RightVector: "right_vectors",
}
# The sides of the result: of the rows (0) and of the columns (1); else both in order.
SIDES = {Inverse: (1, 0), SingularValue: (1,), RightVector: (1, 1)}
HELPERS = frozenset({"eigenvectors", "left_vectors", "right_vectors"})  # which emitted modules bring along
NAMED = "named_inverse"  # one that the formula names is made once, and multiplied with


def matrix(r: Reader, node: Any, hint: Hint) -> View:
    """An entry of a function of a matrix."""
    return _function(r, node, hint, OPERATIONS[type(node)])


def named(r: Reader, node: Any, hint: Hint) -> View:
    """The same, as the body of a definition."""
    operation = OPERATIONS[type(node)]
    return _function(r, node, hint, NAMED if operation == "inverse" else operation)


def _function(r: Reader, node: Any, hint: Hint, operation: str) -> View:
    g = r.graph
    opened = r.opened(node)
    rows, columns = opened.axes
    view = real(g, r.read(opened.body, [*(a for a in hint if a not in opened.axes), rows, columns]))
    batch = tuple(a for a in view.letters if a not in (rows, columns))
    if set(view.letters) != {*batch, rows, columns}:
        view = g.make("broadcast", [view], (*batch, rows, columns))
    elif view.letters != (*batch, rows, columns):
        view = g.make("permute", [view], (*batch, rows, columns))
    sides = [(rows, columns)[side] for side in SIDES.get(type(node), (0, 1))]
    places = tuple(Axis(f"{side.name}_{number}_of_{operation}", side.size) for number, side in enumerate(sides))
    places = places[: len(node.at)]
    made = g.make(operation, [view], (*batch, *places))
    return at(r, made, dict(zip(places, node.at, strict=True)), hint, proved=True)


class Meets(Protocol):
    """What `contract` knows of two operands: a, b, and the letters that are summed."""

    a: View
    b: View
    over: tuple[Axis, ...]


def solved(g: Graph, m: Meets) -> View | None:
    """Σ_j (A⁻¹)_ij b_j solves A x = b, Σ_i b_i (A⁻¹)_ij solves Aᵀ x = b."""
    for inverse, right in ((m.a, m.b), (m.b, m.a)):
        if inverse.node.op != "inverse" or len(m.over) != 1:
            continue
        *batch, row, column = inverse.letters
        (over,) = m.over
        rest = [a for a in right.letters if a != over and a not in batch]
        if over not in (row, column) or len(rest) > 1 or not set(batch) <= set(right.letters):
            continue
        new = row if over == column else column
        if new in rest:
            continue
        ((arg, labels),) = inverse.node.args  # batch, rows, columns: the inverse has columns, rows
        place = dict(zip(range(len(batch)), batch, strict=True))
        system = View(arg, tuple(place.get(k) or (column if k == labels[-2] else row) for k in labels))
        order = (*batch, over, new)
        if system.letters != order:
            system = g.make("permute", [system], order)
        side = (*batch, over, *rest)
        if right.letters != side:
            right = g.make("permute", [right], side)
        return g.make("solve", [system, right], (*batch, new, *rest))
    return None


class MatrixCoder:
    """Expressions of matrix functions: each argument has its axes in order, the matrix last."""

    operand: Callable[[Node, Labels], Code]

    def _linear_algebra(self, node: Node) -> Code:
        ((arg, labels),) = node.args
        code = turned(self.operand(arg, labels), labels, sorted(labels))
        name = node.op.removeprefix("named_")
        return Op(name if name in HELPERS else f"linalg.{name}", (code,))

    _inverse = _named_inverse = _determinant = _logdet = _cholesky = _linear_algebra
    _eigenvalues = _eigenvectors = _singular_values = _left_vectors = _right_vectors = _linear_algebra

    def _solve(self, node: Node) -> Code:
        (a, first), (b, second) = node.args
        system, right = self.operand(a, first), self.operand(b, second)
        if len(second) < len(first) and len(second) > 1:  # vectors in a batch: as matrices of one column
            column = Op("expand", (right,), (*(True for _ in second), False))
            return Op("first", (Op("linalg.solve", (system, column)),), node.rank)
        return Op("linalg.solve", (system, right))
