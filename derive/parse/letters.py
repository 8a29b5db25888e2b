"""Index letters: which axis each runs along, where it starts, and what its value is as a number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from sympy import Expr
from sympy.core.basic import Basic
from sympy.core.relational import Ge, Gt, Le, Lt
from sympy.logic.boolalg import And

from derive.axes import Axis, Size, Tensor, settled
from derive.axes import axis as new_axis
from derive.axes.ranges import in_range, nonnegative

from .binders import unbound
from .errors import LatexError
from .scope import Scope
from .tree import At, Big, Binary, Call, Letter, Marked, Name, Node, Number, Relation, children
from .values import OpenLength

KEEPING = ("softmax", "sigmoid", "exp", "log", "tanh", "relu", "softplus")  # functions whose value has the same axes


@dataclass(frozen=True)
class Index:
    """A letter in scope: its axis, and the number it means, axis + offset."""

    axis: Axis
    offset: Expr
    known: bool  # whether a range was written, so that its value as a number is certain


@dataclass
class Letters:
    """The letters of one statement: which are in scope, what lengths have been told, what each is called."""

    scope: Scope
    inner: dict[str, Index] = field(default_factory=dict)
    told: dict[str, Expr] = field(default_factory=dict)  # n of i = 1 … n
    preferred: dict[str, str] = field(default_factory=dict)  # name of a slot → the letter it is to be printed as
    start: int = 1
    certain: bool = False  # whether the text, or the user, says where indices start
    count: int = 0
    sure: set[str] = field(default_factory=set)  # slots whose value as a number is told by their range
    indexed: int = 0  # within how many subscripts of an expression
    guards: list[Basic] = field(default_factory=list)  # conditions under which alone an entry counts
    extents: dict[int, tuple[Expr, int]] = field(default_factory=dict, repr=False)

    def guarded(self, given: list[Expr], tensor: Tensor) -> bool:
        """Whether conditions keep every index within the tensor that would not stay there by itself."""
        loose = [(e, a.size) for e, a in zip(given, tensor.axes, strict=False) if not in_range(e, a.size)]
        return bool(loose) and bool(self.guards) and all(self._kept(e, size) for e, size in loose)

    def _kept(self, index: Expr, size: Expr) -> bool:
        """Whether a condition less ≤ more leaves 0 ≤ index < size: index = more + up ≥ less + up, and so above."""
        low, high = nonnegative(index), nonnegative(size - 1 - index)
        for one in self.guards:
            if isinstance(one, (Ge, Gt, Le, Lt)):
                less, more = (one.rhs, one.lhs) if isinstance(one, (Ge, Gt)) else (one.lhs, one.rhs)
                strict = isinstance(one, (Gt, Lt))
                up, down = plain(index - more), plain(index - less)
                low |= nonnegative(plain(less + int(strict) + up))
                high |= nonnegative(plain(size - 1 - more + int(strict) - down))
        return low and high

    def slot(self, size: Expr, name: str) -> Axis:
        """A letter that nobody else uses."""
        self.count += 1
        made = Axis(f"q{self.count}_", size)
        self.preferred[made.name] = name
        return made

    def extent(self, body: Expr) -> int:
        """How many nodes an expression has, written out; shared parts are counted once and added often."""
        known = self.extents.get(id(body))
        if known is None:  # by identity, which is fast, and holds as long as the expression is kept here
            known = self.extents[id(body)] = body, 1 + sum([self.extent(part) for part in body.args])
        return known[1]

    def shown(self, problem: str) -> str:
        """A problem in the letters of the text."""
        return re.sub(r"q\d+_", lambda found: self.preferred.get(found[0], found[0]), problem)

    def open(self, name: str) -> Axis:
        self.count += 1
        return self.slot(OpenLength(f"q{self.count}_size"), name)

    def slots(self, tensor: Tensor, first: int = 0) -> tuple[Axis, ...]:
        return tuple(self.slot(letter.size, letter.name) for letter in tensor.axes[first:])


def parts_of(condition: Basic) -> list[Basic]:
    """What holds where the condition holds."""
    return [p for one in condition.args for p in parts_of(one)] if isinstance(condition, And) else [condition]


def find_start(nodes: Iterable[Node], scope: Scope) -> tuple[int, bool]:
    """Where indices start: as the user says, else as the ranges in the text say, else 1, which is then not certain."""
    if scope.start is not None:
        return scope.start, True
    ranges = [one for node in nodes if isinstance(node, Big) for one in node.ranges]
    lows = {one.low.text for one in ranges if isinstance(one.low, Number)} & {"0", "1"}
    if lows == {"0", "1"}:
        raise LatexError(
            "one range starts at 0, another at 1: say at which number indices start, with start=0 or start=1"
        )
    return (int(lows.pop()), True) if lows else (1, False)


def walk(tree: Node) -> Iterator[Node]:
    """Every node, in the order written."""
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(children(node)))


@dataclass(frozen=True)
class Use:
    """A letter as an index of a tensor: the axis, and how far it is moved (None: in a form that is not letter + c)."""

    letter: str
    axis: Axis
    shift: int | None
    padded: bool
    column: int


def uses(tree: Node, scope: Scope, bound: frozenset[str] = frozenset()) -> Iterator[Use]:
    """Letters that stand free as indices of declared tensors, in order of appearance."""
    if isinstance(tree, Big):
        own = bound | {one.letter for one in tree.ranges}
        for one in tree.ranges:
            for limit in (one.low, one.high):
                if limit is not None:
                    yield from uses(limit, scope, bound)
        for part in (*tree.conditions, tree.body):
            yield from uses(part, scope, own)
        yield from _compared(tree, scope, own)
        return
    if isinstance(tree, At):
        yield from _indexed(tree, scope, bound)
    for part in children(tree):
        yield from uses(part, scope, bound)


def _compared(tree: Big, scope: Scope, own: frozenset[str]) -> Iterator[Use]:
    """j of \\sum_{i \\ne j} x_i, where it stands nowhere else, runs along the axis of i."""
    for one in tree.conditions:
        if not isinstance(one, Relation) or one.signs != ("!=",):
            continue
        for here, other in (one.items, one.items[::-1]):
            if (
                not (isinstance(here, Letter) and isinstance(other, Letter))
                or other.name in own
                or here.name not in own
            ):
                continue
            partners = [use for use in uses(tree.body, scope) if use.letter == here.name and use.shift == 0]
            if partners and other.name not in scope.names and scope.length(other.name) is None:
                yield Use(other.name, partners[0].axis, 0, False, other.column)


def _indexed(node: At, scope: Scope, bound: frozenset[str]) -> Iterator[Use]:
    axes, padded = _axes_of(node.base, scope)
    for letter, index in zip(axes, node.indices, strict=False):
        name, shift = shifted(index)
        if name and name not in bound:
            yield Use(name, letter, shift, padded, index.column)
        elif not name:
            for other in sorted(unbound(index) - bound - scope.names.keys()):
                yield Use(other, letter, None, padded, index.column)


def _axes_of(base: Node, scope: Scope) -> tuple[tuple[Axis, ...], bool]:
    """The axes that indices of an expression run along, where its form tells: of A^{-1}, of softmax(z_i); padded?"""
    if isinstance(base, Marked):
        axes, padded = _axes_of(base.body, scope)
        return axes[:: -1 if "T" in base.mark else 1], padded
    if isinstance(base, Call) and base.function in KEEPING and len(base.arguments) == 1:
        return _axes_of(base.arguments[0], scope)
    if isinstance(base, At):
        axes, padded = _axes_of(base.base, scope)
        return axes[len(base.indices) :], padded
    declared = scope.names.get(base.key) if isinstance(base, Name) else None
    if declared is None or declared.tensor is None:
        return (), False
    return declared.tensor.axes, "padded" in declared.flags


def shifted(index: Node) -> tuple[str, int | None]:
    """(i, −1) of i − 1; ("", None) of anything else."""
    if isinstance(index, Letter):
        return index.name, 0
    if isinstance(index, Binary) and index.operator in "+-" and isinstance(index.right, Number):
        name, shift = shifted(index.left)
        if name and shift is not None and index.right.text.isdigit() and len(index.right.text) < 6:
            return name, shift + (1 if index.operator == "+" else -1) * int(index.right.text)
    return "", None


def axis_of(name: str, found: list[Use], scope: Scope, column: int) -> Axis:
    """The axis along which a letter runs: that of the tensors it indexes, else the declared axis of its name."""
    exact = [use for use in found if use.letter == name and use.shift is not None]
    sizes = list(dict.fromkeys(use.axis.size for use in exact))
    bare = name.rstrip("'")
    if bare in scope.axes and sizes and any(size != scope.axes[bare].size for size in sizes):
        declared = scope.axes[bare]
        if all(in_range(declared + use.shift, use.axis.size) for use in exact if not use.padded):
            return declared
    if len(sizes) > 1:
        axes = ", ".join(dict.fromkeys(use.axis.name for use in exact))
        raise LatexError(f"the index {name} runs along axes of different lengths: {axes}", exact[1].column)
    if sizes and bare in scope.axes and scope.axes[bare].size != sizes[0]:
        known, other = scope.axes[bare].size, exact[0].axis
        raise LatexError(f"two readings: {bare} is an axis of length {known}, and an index along {other.name}, of "
                         f"length {sizes[0]}; use another letter", exact[0].column)  # fmt: skip
    if sizes:
        return exact[0].axis
    if bare in scope.axes:
        return scope.axes[bare]
    raise LatexError(f"{name} indexes nothing, so its range is not known: write its range, or declare an axis {name}",
                     column)  # fmt: skip


def size_called(name: str) -> Expr:
    """A new length of that name."""
    symbol = new_axis("n").size.func(name)
    assert isinstance(symbol, Size)
    return symbol


@lru_cache(maxsize=20_000)
def plain(expression: Expr) -> Expr:
    """An integer expression, multiplied out."""
    return settled(expression)
