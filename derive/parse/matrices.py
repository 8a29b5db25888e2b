"""What makes matrices of matrices: Kronecker products and vec, norms by singular values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sympy import Abs, Expr, Mod, floor, sqrt

from derive.axes import Entry, MaxOver, SingularValue, SumOver, Tensor, free_axes
from derive.axes.ranges import nonnegative

from . import products
from .errors import LatexError
from .tree import Call, Norm
from .values import COLUMN, ROW, Value, is_open, mul, power

BY_SINGULAR_VALUES = {"nuclear": SumOver, "spectral": MaxOver}


def kronecker(meaning: Any, left: Value, right: Value, column: int) -> Value:
    """A ⊗ B of matrices, each entry of A times B; x ⊗ y of vectors is x yᵀ."""
    if left.rank == right.rank == 1 and left.turn == COLUMN and right.turn in (COLUMN, ROW):
        return Value(mul(left.body, right.body), (*left.axes, *right.axes))
    if left.rank != 2 or right.rank != 2:
        raise LatexError(f"{left.shape} \\otimes {right.shape}: \\otimes is read between two matrices, or between two "
                         f"column vectors", column)  # fmt: skip
    if is_open(left) or is_open(right):
        raise LatexError("the length of \\mathbf{I} is fixed by nothing: write \\mathbf{I}_n", column)
    own = [
        meaning.letters.slot(a.size * b.size, f"{_called(meaning, a)}{_called(meaning, b)}")
        for a, b in zip(left.axes, right.axes, strict=True)
    ]
    outer = entry_of(meaning, left, *(floor(c / b.size) for c, b in zip(own, right.axes, strict=True)))
    inner = entry_of(meaning, right, *(Mod(c, b.size) for c, b in zip(own, right.axes, strict=True)))
    return Value(mul(outer, inner), tuple(own))


def vec(meaning: Any, node: Call) -> Value:
    """vec(X): the columns of a matrix, one below the other."""
    found = meaning.value(node.arguments[0])
    if found.rank != 2 or is_open(found) or len(node.arguments) != 1:
        raise LatexError(f"vec of {found.shape}: expected one matrix", node.column)
    rows, columns = found.axes
    letter = meaning.letters.slot(rows.size * columns.size, f"{_called(meaning, rows)}{_called(meaning, columns)}")
    return Value(entry_of(meaning, found, Mod(letter, rows.size), floor(letter / rows.size)), (letter,))


def normed(meaning: Any, node: Norm) -> Value:
    """‖x‖ of a vector by its order; of a matrix Frobenius', the nuclear and the spectral norm."""
    found = meaning.value(node.body)
    order = node.order
    if found.rank == 0:
        raise LatexError("the norm of a number; write |x|", node.column)
    if is_open(found):
        raise LatexError("the length of the vector is not known", node.column)
    if found.rank == 2 and order in ("", "2"):
        raise LatexError(f"two readings: \\|A\\|{'_2' if order else ''} of a matrix may be the Frobenius or "
                         f"the spectral norm; write \\|A\\|_F or \\|A\\|_{{\\text{{op}}}}",
                         node.column)  # fmt: skip
    if found.rank == 2 and order in ("1", "inf"):
        raise LatexError("two readings: the norm of a matrix with this order; write its entries", node.column)
    if order in BY_SINGULAR_VALUES:
        if found.rank != 2:
            raise LatexError(f"the {order} norm of {found.shape}: expected a matrix", node.column)
        return singular_norm(meaning, found, order)
    if order == "1":
        return Value(SumOver(Abs(found.body, evaluate=False), *found.axes))
    if order == "inf":
        return Value(MaxOver(Abs(found.body, evaluate=False), *found.axes))
    squared = products.squared_norm(found)
    return Value(sqrt(squared, evaluate=False), norm=squared)


def p_norm(meaning: Any, node: Call) -> Value:
    """‖x‖_p of a vector: (Σ |x|^p)^{1/p}."""
    found, given = (meaning.value(one) for one in node.arguments)
    if given.rank == 2:
        return weighted_norm(found, given, node.column)
    order = meaning.number(node.arguments[1], "the order of a norm")
    if found.rank != 1 or is_open(found):
        raise LatexError(f"the norm of this order of {found.shape}: expected a vector", node.column)
    if order.is_number and not order > 0:
        raise LatexError(f"the norm of order {order}: expected a positive number", node.column)
    body = SumOver(power(Abs(found.body, evaluate=False), order), *found.axes)
    return Value(power(body, power(order, -1)))


def weighted_norm(found: Value, weights: Value, column: int) -> Value:
    """‖x‖_A of a vector: √(xᵀ A x)."""
    if found.rank != 1:
        raise LatexError(f"the norm \\|x\\|_A of {found.shape}: expected a vector", column)
    weighted = products.product(weights, replace(found, turn=COLUMN), column)
    squared = products.inner(found, weighted, column).body
    return Value(sqrt(squared, evaluate=False), norm=squared)


def singular_norm(meaning: Any, found: Value, order: str) -> Value:
    """‖A‖_*, the sum of the singular values, and ‖A‖ as a map, the largest of them."""
    rows, columns = found.axes
    if not nonnegative(rows.size - columns.size) and nonnegative(columns.size - rows.size):
        rows, columns = columns, rows  # a matrix and its transpose have one set of singular values
    letter = meaning.letters.slot(columns.size, "k")
    return Value(BY_SINGULAR_VALUES[order](SingularValue(found.body, rows, columns, letter), letter))


def entry_of(meaning: Any, value: Value, *indices: Expr) -> Expr:
    """An entry of a value at whole numbers: of the tensor of which it is the plain entry, else of a definition."""
    body: Expr = value.body
    if isinstance(body, Entry) and body.indices == value.axes:
        return body.tensor[indices]
    around = [a for a in free_axes(body) if a not in value.axes]
    count = meaning.letters.slot(value.axes[0].size, "u").name
    tensor = Tensor(f"arg_{count}".strip("_"), (*around, *value.axes), body=body, role="let")
    return tensor[(*around, *indices)]


def _called(meaning: Any, letter: Any) -> str:
    return str(meaning.letters.preferred.get(letter.name, letter.name))
