"""Array nodes without names of letters: equal work is one object, whatever its letters are called.

A node has axes 0 … rank−1. Each of its arguments carries a label for every axis of its own: a label below the rank is
that axis of the result, a label above it is summed or reduced away, and a repeated label is a diagonal. Two nodes of
the same operation, arguments and labels are the same node (hash-consing), so scope is never confused: a letter that is
bound here and free there has no name that could clash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sympy import Expr, Symbol

from derive.axes import Axis
from derive.axes.index import size_name

Labels = tuple[int, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """One array operation. kind: "real", "int", "bool", or "host" for a Python number."""

    op: str
    args: tuple[tuple[Node, Labels], ...]
    dims: tuple[Expr, ...]
    attr: Any
    kind: str
    number: int = field(compare=False)

    @property
    def rank(self) -> int:
        return len(self.dims)

    def __repr__(self) -> str:
        args = ", ".join(f"%{arg.number}{list(labels)}" for arg, labels in self.args)
        return f"%{self.number} = {self.op}({args}){list(self.dims)} {self.attr or ''}"


class View(NamedTuple):
    """A node read with letters: one for each axis; as an argument, letters may repeat."""

    node: Node
    letters: tuple[Axis, ...]

    @property
    def host(self) -> bool:
        return self.node.kind == "host"


class Graph:
    """The table of all nodes made so far."""

    def __init__(self) -> None:
        self.table: dict[Any, Node] = {}
        self.absorbed: frozenset[Node] = frozenset()  # products u·r of which r is taken elsewhere: see `absorbed`
        # Functions of what loops keep, by loop, number and name: asked for, and answered when all is read again.
        self.asked: dict[tuple[Any, int, str], Callable[[View, Any], View]] = {}
        self.answered: dict[tuple[Any, int, str], Callable[[View, Any], View]] = {}
        self.left: dict[tuple[Node, str], Node] = {}
        self.in_place = True  # whether nodes may be asked for that change an array
        self.strided = True  # whether it can be said how an array lies in memory
        # Products of two equal shapes that a sum over rows, and that a sum over columns, could use: see `contract`.
        self.by_entry: set[frozenset[Node]] = set()
        self.by_row: set[frozenset[Node]] = set()
        self.shared: frozenset[frozenset[Node]] = frozenset()
        # Matrices of which several things are asked: those are factorised once; and which are known to be definite.
        self.factored: frozenset[Node] = frozenset()
        self.definite: set[Node] = set()
        # Lengths that are no symbol or number of their own: nodes see a symbol for each, `wanted` says what to call it.
        self.derived: dict[Expr, Symbol] = {}
        self.wanted: dict[Symbol, str] = {}

    def length(self, axis: Axis) -> Expr:
        """The length of an axis as nodes see it: a number or one symbol."""
        size = axis.size
        if size.is_Symbol or size.is_Integer:
            return size
        if size not in self.derived:
            symbol = self.derived[size] = Symbol(f"{axis.name}: {len(self.derived)}", integer=True, positive=True)
            self.wanted[symbol] = size_name(axis.name) if len(axis.name) == 1 else axis.name
        return self.derived[size]

    def _key(self, op: str, args: Sequence[View], letters: Sequence[Axis], attr: Any) -> Any:
        label: dict[Axis, int] = {}
        for letter in letters:
            label.setdefault(letter, len(label))
        labelled = []
        for view in args:
            for letter in view.letters:
                label.setdefault(letter, len(label))
            labelled.append((view.node, tuple([label[a] for a in view.letters])))
        return op, tuple(labelled), tuple([self.length(a) for a in letters]), attr

    def make(self, op: str, args: Sequence[View], letters: Sequence[Axis], attr: Any = (), kind: str = "real") -> View:
        """The node `op(args)` over `letters`, which become its axes in this order."""
        key = self._key(op, args, letters, attr)
        node = self.table.get(key)
        if node is None:
            node = self.table[key] = Node(op, key[1], key[2], attr, kind, len(self.table))
        return View(node, tuple(letters))

    def has(self, op: str, args: Sequence[View], letters: Sequence[Axis], attr: Any = ()) -> bool:
        """Whether this node exists: then it costs nothing to use it again."""
        return self._key(op, args, letters, attr) in self.table

    def renamed(self, view: View, letters: Mapping[Axis, Axis]) -> View:
        """The view read with other letters: its diagonal, where two become one."""
        new = tuple(letters.get(a, a) for a in view.letters)
        distinct = tuple(dict.fromkeys(new))
        if len(distinct) == len(new):
            return View(view.node, new)
        return self.make("diagonal", [View(view.node, new)], distinct, kind=view.node.kind)

    # Numbers of the host: what depends on no array stays a Python number, so that float32 stays float32.

    def number(self, value: Any) -> View:
        return self.make("number", (), (), value, "host")

    def host(self, op: str, *args: View, attr: Any = ()) -> View:
        if op == "size":
            attr = attr.xreplace(self.derived)
        return self.make(op, args, (), attr, "host")


def union(views: Iterable[View]) -> tuple[Axis, ...]:
    """All letters of the views, in order of appearance."""
    return tuple(dict.fromkeys(a for view in views for a in view.letters))


def ordered(views: Sequence[View], hint: Sequence[Axis]) -> tuple[Axis, ...]:
    """The letters of an elementwise result: as an operand that has them all holds them, else as `hint` says.

    Following the operands keeps memory in order, and lets equal products meet whatever the consumer wants.
    """
    every = union(views)
    full = list(dict.fromkeys(view.letters for view in views if len(view.letters) == len(every)))
    if len(full) == 1:
        return full[0]
    rank = {letter: place for place, letter in enumerate(hint)}
    wanted = tuple(sorted(every, key=lambda a: rank.get(a, len(rank))))
    return wanted if not full or wanted in full else full[0]


def reachable(roots: Iterable[Node], stop: Mapping[Node, Any] | None = None) -> list[Node]:
    """The nodes that the roots need, each after its arguments; nodes of `stop` are leaves and not listed."""
    stop = stop or {}
    done: dict[Node, None] = {}
    for root in roots:
        if root in stop or root in done:
            continue
        stack: list[tuple[Node, Iterator[tuple[Node, Labels]]]] = [(root, iter(root.args))]
        while stack:
            node, rest = stack[-1]
            following = next((a for a, _ in rest if a not in done and a not in stop), None)
            if following is None:
                done.setdefault(node)
                stack.pop()
            else:
                stack.append((following, iter(following.args)))
    return list(done)
