"""A group of nodes → a kernel and its arguments: which arrays it reads and fills, and which numbers it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from sympy import Expr

from .fused_axes import arranged
from .fused_groups import Group
from .fused_loops import Kept, Loops
from .kernel import Each, Gather, Kernel, Line, Scratch
from .names import Names
from .node import Node
from .program import Code, Num, Op, Var

# Names that loops use for themselves.
RESERVED = frozenset(
    "np np_ math math_ real block blocks BLOCKS start stop range min max abs prange njit fused_exp fused_tanh "
    "fused_erf fused_erfc".split()
)


@dataclass(eq=False)
class Call:
    """One kernel, and its arguments in the order of its parameters.

    `read` and `filled` are arrays, each with its parameter; `numbers` are hosts and arrays without axes, and whether
    they count; `lengths` are lengths that no array tells. `summed` are filled block by block and then added up,
    `gathered` start at the neutral element of their operation.
    """

    group: Group
    needed: Sequence[Node]
    label: Callable[[Node], str]
    notes: Mapping[Node, object]
    read: dict[Node, str] = field(default_factory=dict)
    filled: dict[Node, str] = field(default_factory=dict)
    numbers: dict[tuple[Node, bool], str] = field(default_factory=dict)
    lengths: dict[str, Expr] = field(default_factory=dict)
    summed: list[Node] = field(default_factory=list)
    gathered: set[Node] = field(default_factory=set)

    def kernel(self, name: str) -> Kernel:
        """The kernel; what it needs memory for is found by writing it, until nothing is missing."""
        outside: list[Node] = list(self.needed)
        inside: dict[Node, frozenset[int]] = {}
        while True:
            try:
                return self._written(name, outside, inside)
            except Kept as kept:
                if self.axes.shared in kept.around:
                    inside[kept.node] = kept.around
                else:
                    inside.pop(kept.node, None)
                    outside.append(kept.node)

    def _written(self, name: str, outside: Sequence[Node], inside: Mapping[Node, frozenset[int]]) -> Kernel:
        names = Names(set(RESERVED))
        members = self.group.members
        reads = dict.fromkeys(
            a for n in members for a, _ in n.args if a not in members and a not in self.group.free and a.rank
        )
        self.read = {node: names.fresh(self.label(node)) for node in reads}
        self.filled = {node: names.fresh(self.label(node)) for node in outside}
        self.numbers, self.lengths = {}, {}
        self.axes = axes = arranged(self.group, outside, names.fresh)
        self.summed = [node for node in outside if axes.shared not in axes.merged(self.group.own(node))]
        loops = Loops(
            self.group, axes,
            arrays=self.read | {n: a for n, a in self.filled.items() if n not in self.summed},
            partial={n: self.filled[n] for n in outside if n in self.summed},
            number=lambda node, whole: self._number(node, whole, names), label=self.label, notes=self.notes,
            fresh=names.fresh,
        )  # fmt: skip
        for node, around in inside.items():
            places = tuple(a for a in axes.merged(self.group.own(node)) if a not in around)
            loops.scratch[node] = (names.fresh(f"{self.label(node)}_row"), places)
        body = loops.body()
        self.gathered = {node for node in outside if self.filled[node] in _gathered(body) and node not in self.summed}
        scratch = tuple(
            Scratch(own, tuple(axes.length[a] for a in places), node.kind, node in self.summed)
            for node, (own, places) in loops.scratch.items()
        )
        lengths = tuple(self._length(axis, names) for axis in axes.order)
        parameters = (*self.read.values(), *self.numbers.values(), *self.lengths, *self.filled.values())
        like = next((p for n, p in (*self.read.items(), *self.filled.items()) if n.kind == "real"), "")
        return Kernel(name, parameters, tuple(s for s in lengths if s), like, axes.length[axes.shared], scratch, body)

    def _number(self, node: Node, whole: bool, names: Names) -> Code:
        """A number as it is, or as an argument."""
        if node.op == "number":
            return Num(node.attr) if whole else Op("real", (Num(node.attr),))
        if node.op == "infinity":
            return Op("real", (Op("infinity", (), node.attr),))
        if (node, whole) not in self.numbers:
            label = self.label(node)
            self.numbers[node, whole] = names.fresh(label)
        return Var(self.numbers[node, whole])

    def _length(self, axis: int, names: Names) -> tuple[str, str, int] | None:
        """The name of a length, and which array has it where; an argument, where none has."""
        for node, parameter in self.read.items():
            if axis in (places := self.axes.merged(self.group.read.get(node, ()))):
                return self.axes.length[axis], parameter, places.index(axis)
        for node, parameter in self.filled.items():
            if axis in (places := self.axes.merged(self.group.own(node))):
                return self.axes.length[axis], parameter, places.index(axis) + (node in self.summed)
        self.lengths[self.axes.length[axis]] = prod(self.axes.dims[part] for part in self.axes.parts[axis])
        return None

    def shape(self, node: Node) -> list[list[Expr]]:
        """The lengths of an array's axes as the kernel sees it, each by its factors."""
        own = self.group.own(node) if node in self.group.members else self._seen(node)
        return [[self.axes.dims[part] for part in self.axes.parts[axis]] for axis in self.axes.merged(own)]

    def _seen(self, node: Node) -> tuple[int, ...]:
        """The axes along which an array is read."""
        labels, own = next((self.group.members[n], own) for n in self.group.members for a, own in n.args if a is node)
        return tuple(labels[label] for label in own)


def _gathered(body: Sequence[Line]) -> list[str]:
    """The arrays that sums are gathered in."""
    found: list[str] = []
    for line in body:
        if isinstance(line, Each):
            found += _gathered(line.body)
        elif isinstance(line, Gather) and isinstance(line.target, Op) and isinstance(line.target.args[0], Var):
            found.append(line.target.args[0].name)
    return found
