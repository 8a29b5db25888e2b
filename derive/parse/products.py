"""Sums and products of numbers, vectors and matrices: what the shapes allow, and what they forbid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sympy import Expr, Rational

from derive.axes import SumOver, free_axes

from .errors import LatexError
from .values import COLUMN, ROW, SOFT, Value, add, contracted, fitted, is_open, mul, negative, power


def total(left: Value, right: Value, sign: str, column: int) -> Value:
    """left ± right: one shape, or a number beside a vector; never a number beside a square matrix."""
    whole = left.whole and right.whole
    left, right = together(left, right, sign, column)
    body = right.over(left.axes)
    summed = add(left.body, body if sign == "+" else negative(body))
    turn = left.turn if left.turn == right.turn else COLUMN
    return Value(summed, left.axes, turn, whole)


def together(left: Value, right: Value, sign: str, column: int, entrywise: bool = False) -> tuple[Value, Value]:
    """Both values over one shape."""
    if left.rank == right.rank:
        both = fitted(left, right, list(zip(left.axes, right.axes, strict=True)))
        if both is None:
            raise LatexError(f"{left.shape} {sign} {right.shape}: the lengths differ", column)
        if left.rank == 1 and {left.turn, right.turn} == {ROW, COLUMN}:
            raise LatexError(f"a row {sign} a column: transpose one of them, or write an outer product", column)
        return both
    small, large = (left, right) if left.rank < right.rank else (right, left)
    wide = _widened(small, large, sign, column, entrywise)
    return (wide, large) if small is left else (large, wide)


def _widened(small: Value, large: Value, sign: str, column: int, entrywise: bool) -> Value:
    """A number beside every entry; a bias beside every row."""
    if small.rank == 0:
        if large.rank == 1 and large.axes[0].size in {a.size for a in free_axes(small.body)}:
            raise LatexError(f"two readings: an entry with its index {sign} {large.shape}: write both with indices, or "
                             f"both without", column)  # fmt: skip
        square = large.rank == 2 and large.axes[0].size == large.axes[1].size
        if entrywise or large.rank == 1 or (large.rank == 2 and small.literal and not square):
            return replace(small, axes=large.axes, turn=large.turn)
        raise LatexError(
            f"a number {sign} {large.shape}: write the number times \\mathbf{{I}}, or times "
            f"\\mathbf{{1}}\\mathbf{{1}}^\\top",
            column,
        )
    if small.rank == 1 and large.rank == 2 and not entrywise and small.turn != ROW:
        rows, columns = large.axes
        both = fitted(small, large, [(small.axes[0], columns)]) if rows.size != columns.size else None
        if both is not None and not is_open(small):
            return replace(both[0], axes=large.axes, body=both[0].over((columns,)))
    raise LatexError(f"{_capital(small.shape)} {sign} {large.shape}: the shapes differ; write a bias as "
                     f"\\mathbf{{1}} b^\\top", column)  # fmt: skip


def _capital(words: str) -> str:
    return words


def product(left: Value, right: Value, column: int) -> Value:
    """left right: a number times anything, or the matrix product."""
    if left.rank == 0 or right.rank == 0:
        turn = left.turn if left.rank else right.turn
        return Value(mul(left.body, right.body), left.axes or right.axes, turn, left.whole and right.whole)
    if left.rank > 2 or right.rank > 2:
        raise LatexError(f"{left.shape} times {right.shape}: write it with indices", column)
    if left.rank == right.rank == 1 and SOFT in (left.turn, right.turn):
        raise LatexError("two readings: x W is read with x as a row, whose transpose is not known; write x^\\top W",
                             column)  # fmt: skip
    kinds = (_kind(left), _kind(right))
    if kinds not in PRODUCTS:
        raise LatexError(f"{WORDS[kinds[0]]} times {WORDS[kinds[1]]}: {HINTS.get(kinds, 'transpose one')}", column)
    made = PRODUCTS[kinds](left, right)
    if made is None:
        raise LatexError(f"{left.shape} times {right.shape}: the inner lengths {left.axes[-1].size} and "
                         f"{right.axes[0].size} differ{_hint(left, right)}", column)  # fmt: skip
    return made


def _kind(value: Value) -> str:
    return "matrix" if value.rank == 2 else "column" if value.turn == SOFT else value.turn


def _hint(left: Value, right: Value) -> str:
    if left.rank == 2 and left.axes[0].size == right.axes[0].size:
        return "; transpose the first with ^\\top?"
    if right.rank == 2 and left.axes[-1].size == right.axes[-1].size:
        return "; transpose the second with ^\\top?"
    return ""


def _outer(left: Value, right: Value) -> Value:
    return Value(mul(left.body, right.body), (*left.axes, *right.axes))


def _turned(turn: str) -> Callable[[Value, Value], Value | None]:
    def multiplied(left: Value, right: Value) -> Value | None:
        made = contracted(left, right)
        return None if made is None else replace(made, turn=turn)

    return multiplied


PRODUCTS: dict[tuple[str, str], Callable[[Value, Value], Value | None]] = {
    ("matrix", "matrix"): _turned(COLUMN),
    ("matrix", "column"): _turned(COLUMN),
    ("row", "matrix"): _turned(ROW),
    ("column", "matrix"): _turned(SOFT),
    ("row", "column"): _turned(COLUMN),
    ("column", "row"): _outer,
}
WORDS = {"matrix": "a matrix", "column": "a column vector", "row": "a row vector"}
HINTS = {
    ("column", "column"): "write x^\\top y, x \\odot y or x y^\\top",
    ("row", "row"): "write x^\\top y or x y^\\top",
    ("matrix", "row"): "a row stands to the left of a matrix",
}


def dot(left: Value, right: Value, column: int) -> Value:
    """x · y: numbers, or the inner product of two vectors; otherwise the product."""
    if left.rank == right.rank == 1 and left.turn == right.turn:
        return inner(left, right, column)
    return product(left, right, column)


def inner(left: Value, right: Value, column: int) -> Value:
    """Σ of the products of entries."""
    if left.rank == 0 or right.rank == 0:
        raise LatexError("an inner product of numbers; write them side by side", column)
    if left.rank == right.rank == 1:
        left, right = replace(left, turn=COLUMN), replace(right, turn=COLUMN)
    left, right = together(left, right, "·", column)
    return Value(SumOver(mul(left.body, right.over(left.axes)), *left.axes))


def entrywise(left: Value, right: Value, column: int) -> Value:
    """x ⊙ y."""
    if left.rank * right.rank == 0 and left.rank + right.rank and not (left.literal or right.literal):
        raise LatexError(f"{left.shape} \\odot {right.shape}: write a number beside an array without \\odot", column)
    left, right = together(left, right, "⊙", column, entrywise=left.rank == 0 or right.rank == 0)
    turn = left.turn if left.turn == right.turn else COLUMN
    return Value(mul(left.body, right.over(left.axes)), left.axes, turn)


def quotient(left: Value, right: Value, column: int) -> Value:
    """A fraction: by a number, or entry by entry by an array of one shape."""
    if right.rank == 2 and left.rank != 2:
        raise LatexError("a division by a matrix: write ^{-1}, or \\oslash entry by entry", column)
    if right.rank == 2:
        raise LatexError("a matrix divided by a matrix: write ^{-1}, or \\oslash entry by entry", column)
    if right.rank == 0:
        return replace(left.map(lambda body: over(body, right.body)), axes=left.axes, whole=False)
    return oslash(left, right, column)


def oslash(left: Value, right: Value, column: int) -> Value:
    """x ⊘ y, entry by entry."""
    left, right = together(left, right, "⊘", column, entrywise=left.rank == 0 or right.rank == 0)
    return Value(over(left.body, right.over(left.axes)), left.axes, left.turn)


def reaching(left: Value, factors: Sequence[Value], sign: str, column: int) -> Value:
    """x ⊙ W y as x ⊙ (W y) or as (x ⊙ W) y: the one that the shapes allow. Raises LatexError where both do."""
    joined = entrywise if sign == "odot" else oslash
    first, *rest = factors

    def multiplied(made: Value) -> Value:
        for factor in rest:
            made = product(made, factor, column)
        return made

    def far() -> Value:
        return joined(left, multiplied(first), column)

    def near() -> Value:
        return multiplied(joined(left, first, column))

    found, problems = [], []
    for reading in (far, near):
        try:
            found.append(reading())
        except LatexError as problem:
            problems.append(problem)
    if not found:
        raise problems[0]
    if len(found) > 1 and any(factor.rank for factor in rest):
        raise LatexError(f"two readings: does \\{sign} reach over the whole product? Write brackets", column)
    return found[-1]


def over(above: Expr, below: Expr) -> Expr:
    """above / below, in the order written."""
    if above.is_Integer and below.is_Integer and below != 0:
        return Rational(above, below)
    return mul(above, power(below, -1))


def transposed(value: Value, column: int) -> Value:
    """xᵀ, Aᵀ."""
    if value.rank == 0:
        return value
    if value.rank == 1:
        if value.turn == SOFT:
            raise LatexError("two readings: x W is read with x as a row; write (x^\\top W)^\\top", column)
        return replace(value, turn=ROW if value.turn == COLUMN else COLUMN)
    if value.rank == 2:
        return replace(value, axes=value.axes[::-1])
    raise LatexError(f"the transpose of {value.shape}: write it with indices", column)


def matrix_power(value: Value, again: Callable[[Value], Value], exponent: Expr, column: int) -> Value:
    """A A … A for a square matrix; `again` gives the same matrix over letters of its own."""
    if not (exponent.is_Integer and 1 <= exponent <= 4):
        raise LatexError(
            "the power of a matrix is a whole number from 1 to 4; write ^{\\odot p} entry by entry", column
        )
    made = value
    for _ in range(int(exponent) - 1):
        made = product(made, again(value), column)
    return made


def squared_norm(value: Value) -> Expr:
    """Σ x²."""
    return SumOver(power(value.body, 2), *value.axes)
