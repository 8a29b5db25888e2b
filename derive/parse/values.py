"""What a part of a formula is worth: an entry as an index expression, and the axes it runs over, with their order.

A value without axes is a number. One axis is a column, a row (after ^⊤), or soft: a product x W read with x as a row,
whose own transpose nobody knows. A length that nothing has fixed yet (of 𝟏 or 𝐈) is an OpenLength.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sympy import Add, Expr, Integer, Mul, Pow
from sympy.core.basic import Basic

from derive.axes import Axis, Size, SumOver, mapped, rename

COLUMN, ROW, SOFT = "column", "row", "soft"


class OpenLength(Size):
    """The length of 𝟏 or 𝐈 before its neighbours fix it."""

    __slots__ = ()


@dataclass(frozen=True)
class Value:
    """`body` is the entry at `axes`. whole: an integer that may index. negated, number: how it was written."""

    body: Expr
    axes: tuple[Axis, ...] = ()
    turn: str = COLUMN
    whole: bool = False
    literal: bool = False  # a number as written, or the ones: it may stand for an array of itself
    norm: Expr | None = None  # the square of a norm, so that ‖x‖² is Σ x² and no squared root

    @property
    def rank(self) -> int:
        return len(self.axes)

    @property
    def shape(self) -> str:
        """In words: a number, a vector over d, a matrix over n d."""
        names = " ".join(letter.size.name.lower() if isinstance(letter.size, OpenLength) else str(letter.size)
                         for letter in self.axes)  # fmt: skip
        kinds = {0: "a number", 1: f"a vector of length {names}"}
        return kinds.get(self.rank, f"{'a matrix' if self.rank == 2 else 'an array'} of {names.replace(' ', ' × ')}")

    def over(self, axes: tuple[Axis, ...]) -> Expr:
        """The body with its axes renamed to others."""
        return rename(self.body, dict(zip(self.axes, axes, strict=True)))

    def map(self, function: Callable[[Expr], Any], **changes: Any) -> Value:
        return replace(self, body=function(self.body), whole=False, literal=False, norm=None, **changes)


def resized(value: Value, lengths: Mapping[Expr, Expr]) -> Value:
    """The value with open lengths fixed."""
    if not lengths:
        return value

    def change(node: Any) -> Any:
        if isinstance(node, Axis) and node.size in lengths:
            return Axis(node.name, lengths[node.size])
        return lengths.get(node) if isinstance(node, OpenLength) else None

    axes = tuple(Axis(a.name, lengths.get(a.size, a.size)) for a in value.axes)
    return replace(value, body=mapped(value.body, change), axes=axes)


def fitted(left: Value, right: Value, pairs: list[tuple[Axis, Axis]]) -> tuple[Value, Value] | None:
    """Both values with open lengths fixed so that the lengths of each pair agree; None where they differ."""
    lengths: dict[Expr, Expr] = {}

    def now(size: Expr) -> Expr:
        while size in lengths:
            size = lengths[size]
        return size

    for one, two in pairs:
        a, b = now(one.size), now(two.size)
        if a == b:
            continue
        if isinstance(a, OpenLength):
            lengths[a] = b
        elif isinstance(b, OpenLength):
            lengths[b] = a
        else:
            return None
    lengths = {size: now(size) for size in lengths}
    return resized(left, lengths), resized(right, lengths)


def is_open(value: Value) -> bool:
    """Whether a length of it is fixed by nothing yet."""
    return any(isinstance(letter.size, OpenLength) for letter in value.axes) or any(
        isinstance(part, OpenLength) for part in leaves(value.body)
    )


def inside(body: Basic | None, kind: type[Basic]) -> list[Any]:
    """The parts of an expression that are of a kind, once each; SymPy's own search takes four times as long."""
    found: dict[Basic, None] = {}
    stack = [] if body is None else [body]
    while stack:
        part = stack.pop()
        if isinstance(part, kind):
            found.setdefault(part)
        stack.extend(part.args)
    return list(found)


def leaves(body: Basic | None) -> set[Basic]:
    """What an expression is made of at its ends: tensors, letters, numbers, lengths, parameters."""
    found: set[Basic] = set()
    stack = [] if body is None else [body]
    while stack:
        part = stack.pop()
        if part.args:
            stack.extend(part.args)
        else:
            found.add(part)
    return found


def contracted(left: Value, right: Value) -> Value | None:
    """Σ over the last axis of `left` and the first of `right`; None where their lengths differ."""
    both = fitted(left, right, [(left.axes[-1], right.axes[0])])
    if both is None:
        return None
    left, right = both
    inner = left.axes[-1]
    body = mul(left.body, rename(right.body, {right.axes[0]: inner}))
    axes = (*left.axes[:-1], *right.axes[1:])
    return Value(SumOver(body, inner), axes)


def mul(*factors: Expr) -> Expr:
    """The product in the order written; ones are left out."""
    flat: list[Expr] = []
    for factor in factors:
        flat += factor.args if isinstance(factor, Mul) else [factor]
    kept = [factor for factor in flat if factor != 1]
    return Mul(*kept, evaluate=False) if len(kept) > 1 else kept[0] if kept else Integer(1)


def add(*terms: Expr) -> Expr:
    """The sum in the order written."""
    flat: list[Expr] = []
    for term in terms:
        flat += term.args if isinstance(term, Add) else [term]
    return Add(*flat, evaluate=False) if len(flat) > 1 else flat[0]


def power(base: Expr, exponent: Any) -> Expr:
    """base^exponent, as it was written."""
    exponent = Integer(exponent) if isinstance(exponent, int) else exponent
    return base if exponent == 1 else Pow(base, exponent, evaluate=False)


def negative(body: Expr) -> Expr:
    """−body."""
    return mul(Integer(-1), body)
