"""From the tree to index expressions: one row for each kind of node; shapes are checked on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sympy import E, Expr, Float, Integer, Mod, Rational, exp, oo, pi

from derive.axes import Delta, DeriveError, Entry, Inverse, Scalar, entry, free_axes, rename

from . import products
from .build import reached
from .entries import Entries
from .errors import LatexError, LatexUnsupported
from .letters import Index, Letters, plain, size_called
from .matrices import kronecker, normed
from .nodes import Slope, Unknown
from .tree import (
    At,
    Big,
    Binary,
    Call,
    Cases,
    Constant,
    Exact,
    Indicator,
    Letter,
    Logic,
    Marked,
    Minus,
    Name,
    Node,
    Norm,
    Number,
    Partial,
    Power,
    Reach,
    Relation,
    Table,
)
from .values import COLUMN, ROW, Value, add, mul, negative, power, resized

LARGEST = 4_000  # nodes of an expression, written out
LEAVES = (Number, Constant, Name, Letter, At)
DIGITS = 9  # a decimal of more digits is a float, of fewer a fraction


class Meaning(Entries):
    """Values of trees within one statement."""

    def __init__(self, letters: Letters) -> None:
        self.letters, self.scope = letters, letters.scope

    # Entry points.

    def value(self, node: Node) -> Value:
        """What a tree is worth. Raises LatexError where shapes do not fit, with the column."""
        try:
            found = READ[type(node)](self, node)
            if type(node) not in LEAVES and self.letters.extent(found.body) > LARGEST:
                raise LatexError("the formula is too large once it is written out: name parts of it", node.column)
            return found
        except (LatexError, LatexUnsupported):
            raise
        except DeriveError as problem:
            raise LatexError(self.letters.shown(str(problem)), node.column) from None

    # Leaves.

    def of_number(self, node: Number) -> Value:
        if "." not in node.text:
            return Value(Integer(node.text), whole=True, literal=True)
        exact = len(node.text) <= DIGITS
        return Value(Rational(node.text) if exact else Float(node.text), literal=True)

    def of_exact(self, node: Exact) -> Value:
        return Value(node.value, whole=bool(node.value.is_Integer))

    def of_constant(self, node: Constant) -> Value:
        name, _, length = node.name.partition(" ")
        size = self.scope.length(length) if length else None
        if name in ("ones", "zeros"):
            letter = self.letters.open("k") if size is None else self.letters.slot(size, length.lower())
            return Value(Integer(int(name == "ones")), (letter,), literal=True)
        if name == "identity":
            row = self.letters.open("k") if size is None else self.letters.slot(size, length.lower())
            column = self.letters.slot(row.size, "k")
            return Value(Delta(row, column), (row, column))
        if node.name == "infinity":
            raise LatexError("\\infty stands where a number is expected", node.column)
        return Value({"pi": pi, "e": E}[node.name], literal=True)

    def of_name(self, node: Name) -> Value:
        if node.key in self.letters.inner:
            return self.of_letter(Letter(node.column, node.key))
        declared = self.scope.names[node.key]
        if declared.kind in ("function", "index"):
            raise LatexError(f"the {declared.kind} {declared.name} stands where a number is expected", node.column)
        if declared.kind == "size":
            told = self.letters.told.get(node.key, self.scope.length(declared.name))
            return Value(declared.symbol if told is None else told, whole=True)
        if declared.tensor is None:
            return Value(declared.symbol)
        axes = self.letters.slots(declared.tensor)
        body = entry(declared.tensor, *axes)
        if declared.tensor.dtype == "int":
            return Value(add(body, Integer(self.letters.start)), axes, whole=True)
        return Value(body, axes)

    def of_letter(self, node: Letter) -> Value:
        if (index := self.letters.inner.get(node.name)) is not None:
            return Value(plain(index.axis + index.offset), whole=True)
        size = self.letters.told.get(node.name)
        if size is None:
            size = self.scope.length(node.name)
        if size is not None:
            return Value(size, whole=True)
        if len(node.name) > 1 and not node.name.endswith("'") and (self.is_greek(node.name)):
            return Value(Scalar("lam" if node.name == "lambda" else node.name))
        near = "" if len(node.name) > 2 else f": declare it, as in where='{node.name}: scalar' or '{node.name}: n'"
        raise LatexError(f"{node.name} is not declared{near}", node.column)

    def is_greek(self, name: str) -> bool:
        from .tokens import GREEK

        return name.split("_")[0] in GREEK

    # Operators.

    def of_binary(self, node: Binary) -> Value:
        spine, left = [], node
        while isinstance(left, Binary):  # a long sum must not recurse
            spine.append(left)
            left = left.left  # type: ignore[assignment]
        made = self.value(left)
        for one in reversed(spine):
            right = self.value(one.right)
            if made.whole != right.whole or one.operator == "/":
                self.real(made, one)
                self.real(right, one)
            try:
                made = (
                    kronecker(self, made, right, one.column)
                    if one.operator == "otimes"
                    else OPERATORS[one.operator](made, right, one.column)
                )
            except (LatexError, LatexUnsupported):
                raise
            except DeriveError as problem:
                raise LatexError(self.letters.shown(str(problem)), one.column) from None
        return made

    def of_reach(self, node: Reach) -> Value:
        left, *factors = [self.value(one) for one in (node.left, *node.factors)]
        for value, one in zip((left, *factors), (node.left, *node.factors), strict=True):
            self.real(value, one)
        return products.reaching(left, factors, node.operator, node.column)

    def of_minus(self, node: Minus) -> Value:
        found = self.value(node.body)
        return replace(found, body=negative(found.body), norm=None)

    def of_power(self, node: Power) -> Value:
        from .calls import volume

        exponent = self.value(node.exponent)
        base = volume(self, node.base, exponent.body) or self.value(node.base)
        if exponent.rank and not (isinstance(node.base, Constant) and node.base.name == "e"):
            raise LatexError(f"a power of {exponent.shape}: write \\exp(…), entry by entry", node.column)
        raised = self.real(exponent, node.exponent)
        if raised.is_Integer and abs(raised) > 1000:
            raise LatexError(f"the power {raised} is over 1000", node.column)
        if isinstance(node.base, Constant) and node.base.name == "e":
            return self.exponential(replace(exponent, body=raised), node)
        if node.entrywise or base.rank == 0:
            if base.norm is not None and raised == 2:
                return Value(base.norm)
            whole = base.whole and exponent.whole and not free_axes(base.body)
            body = power(base.body if whole else self.real(base, node.base), raised)
            return Value(body, base.axes, base.turn, whole and bool(raised.is_nonnegative))
        if base.rank == 1 and isinstance(node.exponent, Letter):
            letter = node.exponent.name
            raise LatexError(f"two readings: the power {letter} of a vector, or its entry {letter}; write an index "
                             f"below, x_{letter}, or x^{{\\odot {letter}}}", node.column)  # fmt: skip
        if base.rank == 1:
            shown = self.letters.shown(str(raised.doit()))
            raise LatexError(f"two readings: the power {shown} of a vector; write x^{{\\odot {shown}}} entry by "
                             f"entry, or x^\\top x", node.column)  # fmt: skip
        if (factors := diagonal(base)) is not None:
            found, delta = factors
            return replace(base, body=mul(*[power(f, raised) for f in found], delta))
        if raised.is_Integer and raised < 0:
            base, raised = self.inverted(base, node), -raised
        return products.matrix_power(base, self.again, raised, node.column)

    def again(self, value: Value) -> Value:
        """The same value over letters of its own."""
        fresh = tuple(self.letters.slot(a.size, self.letters.preferred[a.name]) for a in value.axes)
        return replace(value, body=value.over(fresh), axes=fresh)

    def exponential(self, exponent: Value, node: Node) -> Value:
        self.not_square(exponent, "e^A", node)
        return Value(exp(exponent.body, evaluate=False), exponent.axes, exponent.turn)

    def not_square(self, value: Value, what: str, node: Node) -> None:
        if value.rank == 2 and value.axes[0].size == value.axes[1].size and not self.scope.entrywise:
            raise LatexError(f"two readings: {what} of a square matrix may be meant entry by entry, or as a "
                             f"function of "
                             f"the matrix; write its entries, or set entrywise=True", node.column)  # fmt: skip

    def of_marked(self, node: Marked) -> Value:
        found = self.value(node.body)
        if node.mark == "T":
            return products.transposed(found, node.column)
        if found.rank == 0:
            if node.mark == "inverse":
                return Value(power(self.real(found, node.body), -1))
            raise LatexError("a number has no transpose to invert", node.column)
        inverted = self.inverted(found, node)
        return inverted if node.mark == "inverse" else products.transposed(inverted, node.column)

    def inverted(self, found: Value, node: Node) -> Value:
        """A⁻¹ of a square matrix; of a diagonal one the entries are inverted."""
        if found.rank != 2:
            raise LatexError(f"the inverse of {found.shape}; write 1 \\oslash x entry by entry", node.column)
        if found.axes[0].size != found.axes[1].size:
            raise LatexError(f"the inverse of {found.shape}, which is not square", node.column)
        if (factors := diagonal(found)) is not None:
            others, delta = factors
            return replace(found, body=mul(*[power(f, -1) for f in others], delta))
        first, second = (self.letters.slot(a.size, self.letters.preferred[a.name]) for a in found.axes)
        return Value(Inverse(found.body, *found.axes, first, second), (first, second))

    def of_norm(self, node: Norm) -> Value:
        return normed(self, node)

    # The rest.

    def of_partial(self, node: Partial) -> Value:
        """A derivative that is not carried out."""
        body = self.value(node.body) if not self.is_function(node.body) else self.abstract(node)
        variables = [self.value(one) for one in node.variables]
        self.depends(body, variables, node)
        if body.rank and any(v.rank for v in variables):
            raise LatexUnsupported("the derivative of an array for an array: write its entries", node.column)
        axes = tuple(a for v in variables for a in v.axes)
        return Value(Slope(body.body, *[v.body for v in variables]), (*body.axes, *axes))

    def depends(self, body: Value, variables: list[Value], node: Partial) -> None:
        """dσ/dx of a σ that is not written as a function of x is no 0."""
        held = reached(body.body)
        for one, variable in zip(variables, node.variables, strict=True):
            if not reached(one.body) & held:
                name = getattr(variable, "shown", "the variable")
                raise LatexError(f"what is differentiated does not depend on {name}: write it as a function of {name}",
                                 node.column)  # fmt: skip

    def is_function(self, node: Node) -> bool:
        return isinstance(node, Name) and self.scope.names[node.key].kind == "function"

    def abstract(self, node: Partial) -> Value:
        """∂f/∂x of an abstract function: f of the variables."""
        arguments = list(dict.fromkeys(node.variables))
        return Value(Unknown.of(node.body.key, *[self.number(v, "argument") for v in arguments]))  # type: ignore[attr-defined]

    def of_table(self, node: Table) -> Value:
        """A matrix of numbers: axes of whole lengths."""
        rows, columns = len(node.rows), len(node.rows[0])
        axes = (self.letters.slot(Integer(rows), "row"), self.letters.slot(Integer(columns), "col"))
        terms = [
            mul(self.number(cell, "matrix"), Delta(axes[0], Integer(r)), Delta(axes[1], Integer(c)))
            for r, row in enumerate(node.rows)
            for c, cell in enumerate(row)
        ]
        return Value(add(*terms), axes)

    def of_call(self, node: Call) -> Value:
        from .calls import called

        return called(self, node)

    def of_big(self, node: Big) -> Value:
        from .reductions import reduced

        return reduced(self, node)

    def of_relation(self, node: Node) -> Value:
        raise LatexError("a condition stands where a number is expected; write \\mathbf{1}[…]", node.column)


def diagonal(value: Value) -> tuple[list[Expr], Expr] | None:
    """The factors of the diagonal of a matrix, and the δ beside them; None of one that is not written as diagonal."""
    body = value.body
    while isinstance(body, Entry) and body.tensor.body is not None and body.tensor.role == "let":
        body = rename(body.tensor.body, dict(zip(body.tensor.axes, body.indices, strict=True)))
    factors = list(body.args) if body.is_Mul else [body]
    deltas = [f for f in factors if isinstance(f, Delta)]
    if len(deltas) != 1 or set(deltas[0].args) != set(value.axes):
        return None
    return [f for f in factors if f not in deltas], deltas[0]


def _star(left: Value, right: Value, column: int) -> Value:
    if left.rank or right.rank:
        raise LatexError("* between arrays: write \\odot, \\cdot or nothing", column)
    return products.product(left, right, column)


def _times(left: Value, right: Value, column: int) -> Value:
    if left.rank and right.rank:
        raise LatexError("\\times between arrays: write \\odot, or nothing for the matrix product", column)
    return products.product(left, right, column)


def _mod(left: Value, right: Value, column: int) -> Value:
    if not (left.whole and right.whole) or left.rank or right.rank:
        raise LatexError("\\bmod is read between whole numbers", column)
    return Value(Mod(left.body, right.body, evaluate=False), whole=True)


OPERATORS: dict[str, Callable[[Value, Value, int], Value]] = {
    "+": lambda a, b, column: products.total(a, b, "+", column),
    "-": lambda a, b, column: products.total(a, b, "-", column),
    "*": products.product, "cdot": products.dot, "star": _star, "times": _times, "/": products.quotient,
    "mod": _mod, "over": products.quotient,
    "odot": products.entrywise, "oslash": products.oslash,
}  # fmt: skip
READ: dict[type, Callable[[Any, Any], Value]] = {
    Number: Meaning.of_number,
    Exact: Meaning.of_exact, Constant: Meaning.of_constant, Name: Meaning.of_name, Letter: Meaning.of_letter,
    At: Meaning.of_at, Binary: Meaning.of_binary, Minus: Meaning.of_minus, Power: Meaning.of_power,
    Marked: Meaning.of_marked, Norm: Meaning.of_norm, Indicator: Meaning.of_indicator, Cases: Meaning.of_cases,
    Partial: Meaning.of_partial, Table: Meaning.of_table, Call: Meaning.of_call, Big: Meaning.of_big,
    Reach: Meaning.of_reach, Relation: Meaning.of_relation, Logic: Meaning.of_relation,
}  # fmt: skip
__all__ = ["COLUMN", "Index", "Meaning", "ROW", "oo", "resized", "size_called"]
