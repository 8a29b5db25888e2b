"""A task → a program whose elementwise operations and reductions are loops over entries; all else is array code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import count
from typing import ClassVar

from sympy import Expr

from .code import Coder
from .fused_call import RESERVED, Call
from .fused_groups import COSTLY, FOLDS, Group, fusible, generated, grouped
from .lower import _Lowering
from .memory import Memory, leaves_of
from .node import Node, reachable
from .plan import SOURCES, VIEWS, is_host, plan
from .program import Assign, Code, Into, Num, Op, Program, Var
from .task import Task
from .write import Body

MOST_REPEATED = 12  # operations that cost no more than to write their result, and to read it again
RECURRENCES = frozenset({"scan", "kept"})
NEUTRAL: dict[str, Code] = {
    "prod": Num(Fraction(1)), "max": Op("infinity", (), -1), "min": Op("infinity", (), 1),
}  # fmt: skip


def fused(task: Task) -> Program:
    """The array program of a task, with kernels. Raises Unsupported, naming the node, where no law applies."""
    return _Fusing(task).program()


@dataclass
class _Fusing(_Lowering):
    writes: ClassVar[bool] = False
    number: count[int] = field(default_factory=lambda: count(1))  # of kernels

    def _saved(self, outputs: Sequence[Node], gradients: Sequence[Node]) -> list[Node]:
        """What backward reads of forward values: what is cheap to compute again, in a loop that runs anyway, is not."""
        forward, needed = reachable(outputs), reachable(gradients)
        made = {*forward}
        forward += [node for node in needed if node.op == "kept" and node.args[0][0] in made]
        known, cost = {*forward}, _repeats(forward, outputs)
        waiting = [arg for node in needed if node not in known for arg, _ in node.args if arg in known]
        waiting += [node for node in gradients if node in known]
        saved: set[Node] = set()
        seen: set[Node] = set()
        while waiting:
            node = waiting.pop()
            if node in seen or is_host(node) or node.op in SOURCES:
                continue
            seen.add(node)
            if node.op in VIEWS or (node not in outputs and cost[node] <= MOST_REPEATED):
                waiting += [arg for arg, _ in node.args]
            else:
                saved.add(node)
        reads = reachable(gradients, dict.fromkeys(saved))
        return [*(n for n in self.arrays if n in reads), *(n for n in needed if n in saved)]

    def _body(self, known: Mapping[Node, str]) -> Body:
        plain = super()._body(known)
        plain.names.taken |= RESERVED
        return FusedBody(known, plain.labels, plain.notes, plain.names, plain.sizes, straight=True, number=self.number)


@dataclass
class FusedBody(Body):
    """The statements of one function: calls of kernels, and array code between them. No array is written to twice."""

    number: count[int] = field(default_factory=lambda: count(1))
    done: set[Node] = field(default_factory=set)
    lying: set[Node] = field(default_factory=set)  # arrays that are known to lie in C order

    def write(self, targets: Sequence[Node]) -> dict[Node, Code]:
        """Statements that compute the targets, and what each is called at the end."""
        nodes = reachable(targets, self.known)
        self.targets = frozenset(targets)
        straight = plan(nodes, targets, self.labels, straight=True)
        self.variable, self.chains, self.local = dict(self.known), {}, {}
        self.memory, self.home, self.loop, self.row, self.cut = Memory(), {}, None, None, {}
        self.coder = Coder(self._operand, self.sizes)
        items = grouped(nodes, straight.large)
        groups = [item for item in items if isinstance(item, Group)]
        inside = {node for group in groups for node in group.members}
        inside |= {arg for node in inside for arg, _ in node.args}
        self.plan = replace(straight, inline=frozenset(n for n in straight.inline if is_host(n) or n not in inside))
        self.done = set(self.known)
        for item in items:
            if isinstance(item, Group):
                self._kernel(item, _needed(item, nodes, targets))
            else:
                self._single(item)
        for node in targets:
            self._single(node)
        return {node: self._operand(node, ()) for node in targets}

    def _single(self, node: Node) -> None:
        """A node as array code, after what it needs that follows from places."""
        if node in self.done or node in self.plan.inline:
            return
        for leaf in leaves_of(node, self.plan.inline):
            self._single(leaf)
        self.done.add(node)
        self._straight(node)

    def _straight(self, node: Node) -> None:
        self.straight = node.op not in RECURRENCES  # which write into arrays of their own
        super()._straight(node)
        self.straight = True

    def _kernel(self, group: Group, needed: Sequence[Node]) -> None:
        call = Call(group, needed, self._wanted, self.notes)
        kernel = call.kernel(self.names.fresh(f"fused_{next(self.number)}"))
        arguments = [self._read(node, call) for node in call.read]
        arguments += [self._number(node, whole) for node, whole in call.numbers]
        arguments += [self._product([length]) for length in call.lengths.values()]
        names = {node: self._filled(node, call) for node in call.filled}
        arguments += [self._viewed(name, node, call) for node, name in names.items()]
        self.statements.append(Into(Op("kernel", tuple(arguments), kernel), Op("none")))
        for node in call.summed:
            total: Code = Op("sum", (Var(names[node]),), (0,))
            if any(len(parts) > 1 for parts in call.shape(node)):
                total = Op("reshape", (total, Op("tuple", tuple(map(self.sizes, node.dims)))))
            self.statements.append(Assign((Var(self._name(node)),), total, self.notes.get(node, "")))
        self.done |= set(call.filled)
        self.lying |= set(call.filled)

    def _wanted(self, node: Node) -> str:
        """What a kernel would like to call a value."""
        return (
            self.variable.get(node) or self.labels.get(node) or (node.attr if node.op == "scalar" else self._hint(node))
        )

    # Arguments

    def _read(self, node: Node, call: Call) -> Code:
        if node not in self.lying:
            name = Var(self._name(node))
            self.statements.append(Assign((name,), Op("contiguous", (name,))))
            self.lying.add(node)
        return self._viewed(self._name(node), node, call)

    def _number(self, node: Node, whole: bool) -> Code:
        code = self._operand(node, ())
        return code if whole or node.kind == "bool" else Op("typed", (code,))

    def _filled(self, node: Node, call: Call) -> str:
        """Memory that a kernel fills."""
        if node in call.summed:
            name = self.names.fresh(f"{self._wanted(node)}_parts")
            shape = (Var("BLOCKS"), *map(self._product, call.shape(node)))
            self.statements.append(Assign((Var(name),), Op("zeros", shape)))
            return name
        name = self._name(node)
        shape = tuple(map(self.sizes, node.dims))
        if node not in call.gathered:
            made = Op("empty", shape, node.kind)
        elif FOLDS[node.op] == "sum":
            made = Op("zeros", shape)
        else:
            made = Op("full", (*shape, NEUTRAL[FOLDS[node.op]]))
        self.statements.append(Assign((Var(name),), made))
        return name

    def _viewed(self, name: str, node: Node, call: Call) -> Code:
        """An array as the kernel sees it: some of its axes are one."""
        shape = call.shape(node)
        if node in call.summed or all(len(parts) == 1 for parts in shape):
            return Var(name)
        return Op("reshape", (Var(name), Op("tuple", tuple(map(self._product, shape)))))

    def _product(self, lengths: Sequence[Expr]) -> Code:
        made = self.sizes(lengths[0])
        for length in lengths[1:]:
            made = Op("multiply", (made, self.sizes(length)))
        return made


def _repeats(nodes: Sequence[Node], kept: Sequence[Node]) -> dict[Node, int]:
    """How many operations computing each value again takes, from what is at hand or dear; of what is dear, too many."""
    free, at_hand = generated(nodes), {*kept}
    found: dict[Node, int] = {}
    for node in nodes:
        dear = node.op in FOLDS or node.op in COSTLY or not fusible(node, free)
        again = sum(cost for arg, _ in node.args if (cost := found.get(arg, 0)) <= MOST_REPEATED)
        found[node] = 0 if node in free or node in at_hand else MOST_REPEATED + 1 if dear else 1 + again
    return found


def _needed(group: Group, nodes: Sequence[Node], targets: Sequence[Node]) -> list[Node]:
    """The members that have readers outside."""
    read = {arg for node in nodes if node not in group.members for arg, _ in node.args} | set(targets)
    return [node for node in group.members if node in read]
