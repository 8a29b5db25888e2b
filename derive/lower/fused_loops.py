"""A group of nodes → loops: which axes are outermost, what stays a number, what needs memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from .fused_axes import Axes
from .fused_groups import COSTLY, FOLDS, RELATIONS, SAME, Group, factors
from .kernel import Each, Gather, Let, Line, Store
from .node import Labels, Node
from .plan import is_host
from .program import Code, Num, Op, Var

NEUTRAL: dict[str, Code] = {
    "sum": Op("real", (Num(Fraction(0)),)), "prod": Op("real", (Num(Fraction(1)),)),
    "max": Op("real", (Op("infinity", (), -1),)), "min": Op("real", (Op("infinity", (), 1),)),
}  # fmt: skip
EXTREMA = {"max": "larger", "min": "smaller"}
NAN = Op("real", (Op("not a number"),))
MOST_REPEATED = 4  # cheap operations that are done again rather than kept in memory

Path = tuple[int, ...]  # the loops around a line, each by a number
Scope = dict[Node, Code]  # numbers at hand


class Kept(Exception):
    """The loops are to be written again, with memory for a member: one entry for each place of the loops `around`."""

    def __init__(self, node: Node, around: frozenset[int]) -> None:
        self.node, self.around = node, around


@dataclass
class Loops:
    """One kernel under construction.

    `arrays` names what has memory outside: what is read, and members that others need; `partial`: members that are
    summed up from their blocks, `number` says what a number of the host is called, `name` gives fresh names.
    """

    group: Group
    axes: Axes
    arrays: Mapping[Node, str]
    partial: Mapping[Node, str]
    number: Callable[[Node, bool], Code]
    label: Callable[[Node], str]
    notes: Mapping[Node, object]
    fresh: Callable[[str], str]
    scratch: dict[Node, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    pending: dict[Node, list[Var]] = field(default_factory=dict)  # the sums at hand, the innermost last
    flags: dict[Node, str] = field(default_factory=dict)  # whether NaN is among what an extremum has seen
    home: dict[Node, Path] = field(default_factory=dict)
    loops: int = 0
    opened: dict[int, int] = field(default_factory=dict)  # the axis of each loop

    def body(self) -> tuple[Line, ...]:
        """The lines of one block."""
        for node in self.partial:
            if node.rank:
                own = self.group.own(node)
                self.scratch[node] = (self.fresh(f"{self.label(node)}_block"), self.axes.merged(own))
        lines = self._nest(list(self.group.members), frozenset(), {}, ())
        for node, name in self.partial.items():
            if node.rank:
                lines.append(self._copied(node, name))
        return tuple(lines)

    def _copied(self, node: Node, name: str) -> Line:
        """The sums of a block into their array."""
        own, axes = self.scratch[node]
        line: Line = Store(Op("at", (Var(name), Var("block"), *self._at(own, axes).args[1:])), self._at(own, axes))
        for axis in reversed(axes):
            line = Each(self.axes.letter[axis], self.axes.length[axis], (line,))
        return line

    # Shapes of members

    def own(self, node: Node) -> frozenset[int]:
        return frozenset(self.axes.merged(self.group.own(node)))

    def over(self, node: Node) -> frozenset[int]:
        labels = self.group.members[node]
        return frozenset(self.axes.merged([axis for label, axis in labels.items() if label >= node.rank]))

    # Nests

    def _blocks(self, items: Sequence[Node], opened: frozenset[int]) -> list[tuple[int | None, list[Node]]]:
        """The items in loops over their next axis, or none; each in the first that follows what it needs."""
        blocks: list[tuple[int | None, list[Node]]] = []
        where: dict[Node, int] = {}
        for node in items:
            space = self.own(node) | self.over(node)
            axis = next((a for a in self.axes.order if a in space and a not in opened), None)
            least = 0
            for arg, _ in node.args:
                if arg in where:
                    before = blocks[where[arg]][0]
                    inside = before == axis and (axis is None or axis in self.own(arg))
                    least = max(least, where[arg] + (not inside))
            found = next((k for k in range(least, len(blocks)) if blocks[k][0] == axis), len(blocks))
            if found == len(blocks):
                blocks.append((axis, []))
            blocks[found][1].append(node)
            where[node] = found
        return blocks

    def _nest(self, items: Sequence[Node], opened: frozenset[int], scope: Scope, path: Path) -> list[Line]:
        lines: list[Line] = []
        for axis, group in self._blocks(items, opened):
            if axis is None:
                for node in group:
                    self._entry(node, scope, path, lines)
                continue
            sums = [node for node in group if axis in self.over(node) and self.own(node) <= opened]
            for node in sums:
                name = self.fresh(self._local(node))
                self.pending.setdefault(node, []).append(Var(name))
                lines.append(Let(name, NEUTRAL[FOLDS[node.op]]))
                if node.op in EXTREMA and self.over(node) <= opened | {axis}:
                    self.flags[node] = self.fresh(f"{self._local(node)}_nan")
                    lines.append(Let(self.flags[node], Op("false")))
            self.loops += 1
            self.opened[self.loops] = axis
            body = self._nest(group, opened | {axis}, dict(scope), (*path, self.loops))
            lines.append(Each(self.axes.letter[axis], self.axes.length[axis], tuple(body), axis == self.axes.shared))
            for node in sums:
                self._finish(node, opened, scope, path, lines)
        return lines

    def _finish(self, node: Node, opened: frozenset[int], scope: Scope, path: Path, lines: list[Line]) -> None:
        """A sum after its loop: it is complete, or a part of a larger one."""
        made = self.pending[node].pop()
        if node in self.flags:
            lines.append(Let(made.name, Op("where", (Var(self.flags.pop(node)), NAN, made))))
        if self.pending[node]:
            lines.append(Gather(FOLDS[node.op], self.pending[node][-1], made))
        elif node in self.partial and not node.rank:
            lines.append(Store(Op("at", (Var(self.partial[node]), Var("block"))), made))
        elif node in self.partial or self.over(node) & opened:
            lines.append(Gather(FOLDS[node.op], self._gathered(node), made))
        else:
            scope[node], self.home[node] = made, path
            self._store(node, made, lines, self.notes.get(node, ""))

    # Entries

    def _entry(self, node: Node, scope: Scope, path: Path, lines: list[Line]) -> None:
        """The entry of a node at the places at hand."""
        if node in scope:
            return
        note = self.notes.get(node, "")
        if node.op in FOLDS and self.over(node):
            value = self._product(node, scope, path, lines)
            target = self.pending[node][-1] if self.pending.get(node) else self._gathered(node)
            if node in self.flags:  # comparisons alone drop NaN, and vectorise
                name = self.fresh(f"{self.label(node)}_of")
                lines += [Let(name, value), Gather(EXTREMA[node.op], target, Var(name), note)]
                lines.append(Gather("nan", Var(self.flags[node]), Var(name)))
            else:
                lines.append(Gather(FOLDS[node.op], target, value, note))
            self.home[node] = path
            return
        name = self.fresh(self._local(node))
        lines.append(Let(name, self._value(node, scope, path, lines), note))
        scope[node], self.home[node] = Var(name), path
        self._store(node, Var(name), lines)

    def _store(self, node: Node, value: Code, lines: list[Line], note: object = "") -> None:
        if node in self.arrays or node in self.scratch:
            lines.append(Store(self._memory(node), value, note))

    def _gathered(self, node: Node) -> Op:
        """The entry of a sum that is gathered in memory, which must be neutral at first."""
        if node not in self.partial and node not in self.arrays:
            raise Kept(node, frozenset())
        return self._memory(node)

    def _memory(self, node: Node) -> Op:
        """The entry of a member in its array or in scratch memory."""
        if node in self.scratch:
            name, axes = self.scratch[node]
        else:
            name, axes = self.arrays[node], self.axes.merged(self.group.own(node))
        return self._at(name, axes)

    def _at(self, name: str, axes: Sequence[int]) -> Op:
        return Op("at", (Var(name), *(Var(self.axes.letter[a]) for a in axes)))

    def _local(self, node: Node) -> str:
        letters = "".join(self.axes.letter[a] for a in self.axes.merged(self.group.own(node)))
        return f"{self.label(node)}_{letters}" if letters else self.label(node)

    def _product(self, node: Node, scope: Scope, path: Path, lines: list[Line]) -> Code:
        codes = [self._operand(node, *pair, scope, path, lines) for pair in factors(node)]
        made = codes[0]
        for code in codes[1:]:
            made = Op("multiply", (made, code))
        return made

    def _value(self, node: Node, scope: Scope, path: Path, lines: list[Line]) -> Code:
        if node.op in FOLDS:  # nothing left to reduce: a product
            return self._product(node, scope, path, lines)
        return _made(node, [self._operand(node, arg, own, scope, path, lines) for arg, own in node.args])

    def _operand(self, node: Node, arg: Node, own: Labels, scope: Scope, path: Path, lines: list[Line]) -> Code:
        """An argument where it is read: a number at hand, an entry of an array, or computed here."""
        axes = [self.group.members[node][label] for label in own]
        if arg in self.group.free:
            code = self._generated(arg, axes, counts(node))
        elif arg not in self.group.members:
            code = self._at(self.arrays[arg], self.axes.merged(axes)) if arg.rank else self.number(arg, False)
        else:
            if arg not in scope and arg not in self.arrays and arg not in self.scratch:
                self._again(arg, scope, path, lines)
            code = scope[arg] if arg in scope else self._memory(arg)
        return _cast(node, arg, code)

    def _again(self, node: Node, scope: Scope, path: Path, lines: list[Line]) -> None:
        """A number that was at hand in another loop: computed again where that is cheap, else kept in memory."""
        if self._cost(node, scope) > MOST_REPEATED:
            common = [a for a, b in zip(self.home[node], path, strict=False) if a == b]
            raise Kept(node, frozenset(self.opened[loop] for loop in common))
        self._entry(node, scope, path, lines)

    def _cost(self, node: Node, scope: Scope) -> int:
        if node in scope or node not in self.group.members or node in self.arrays or node in self.scratch:
            return 0
        own = MOST_REPEATED + 1 if node.op in COSTLY | FOLDS.keys() | {"divide", "sqrt"} else 1
        return own + sum(self._cost(arg, scope) for arg, _ in node.args)

    def _place(self, axis: int) -> Code:
        """The place along an axis, as a number to count with: those of the shared axis have no sign."""
        letter = Var(self.axes.letter[axis])
        return Op("counted", (letter,)) if axis == self.axes.shared else letter

    def _generated(self, node: Node, axes: Sequence[int], whole: bool = False) -> Code:
        """The entry of an array that follows from its place; `whole`: numbers among integers are integers."""
        if is_host(node):
            return self.number(node, whole)
        if node.op in ("full", "constant"):
            return self.number(node.args[0][0], False)
        if node.op == "arange":
            return self._place(axes[0])
        if node.op == "eye":
            return Op("real", (Op("equal", tuple(map(self._place, axes))),))
        inner = [(arg, self._generated(arg, [axes[k] for k in own], counts(node))) for arg, own in node.args]
        return _made(node, [_cast(node, arg, code) for arg, code in inner])


def counts(node: Node) -> bool:
    """Whether an operation is one on integers."""
    kinds = {arg.kind for arg, _ in node.args if not is_host(arg)}
    return node.kind == "int" or (node.op in RELATIONS and kinds == {"int"})


def _cast(node: Node, arg: Node, code: Code) -> Code:
    """Conditions and integers as reals where they are factors, copied into reals, or compared with reals."""
    mixed = node.op in RELATIONS and any(other.kind == "real" for other, _ in node.args)
    arithmetic = node.kind == "real" and not (node.op == "where" and node.args[0][0] is arg)
    return Op("real", (code,)) if arg.kind in ("int", "bool") and (arithmetic or mixed) else code


def _made(node: Node, args: Sequence[Code]) -> Code:
    if node.op == "terms":
        return _sum(args, node.attr)
    return args[0] if node.op in SAME else Op(node.op, tuple(args))


def _sum(args: Sequence[Code], signs: Sequence[int]) -> Code:
    """Σ ± args, what is added first."""
    pairs = sorted(zip(signs, args, strict=True), key=lambda pair: pair[0] < 0)
    made = pairs[0][1] if pairs[0][0] > 0 else Op("negative", (pairs[0][1],))
    for sign, code in pairs[1:]:
        made = Op("add" if sign > 0 else "subtract", (made, code))
    return made
