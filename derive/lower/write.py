"""A function of the program: nodes in their plan and memory → statements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from sympy import Expr

from . import loops
from .code import Coder
from .memory import ENTRYWISE, Chain, Memory, dying, memory, steps
from .node import Labels, Node, reachable
from .plan import VIEWS, Plan, Segment, plan, reads, row_of
from .program import Assign, Code, Free, Into, Num, Op, Rows, Statement, Update, Var

ONE = Fraction(1)
MOST_BESIDE = 4  # blocks are not made smaller for more: calls would take as long as passes
UPDATES = frozenset({"multiply", "divide"})  # written `a *= b`; sums are written term by term
HINTS = {"eye": "identity", "arange": "index", "max": "top", "exp": "e", "log": "logs", "sqrt": "root", "tanh": "h"} | {
    **{
        "vdot": "total",
        "sum": "total",
        "vecdot": "dots",
        "matmul": "product",
        "tensordot": "product",
        "where": "chosen",
        "gemm": "product",
        "place": "place",
        "gather": "taken",
        "merge": "merged",
        "running": "running",
        "scatter": "summed",
        "overlap": "summed",
        "concatenate": "joined",
    }
}


@dataclass
class Names:
    """Fresh names: what is asked for, or with a number."""

    taken: set[str]

    def fresh(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self.taken:
            number += 1
            name = f"{wanted}_{number}"
        self.taken.add(name)
        return name


@dataclass
class Body:
    """The statements of one function under construction.

    `known` names the parameters, `labels` the named values (and `notes` says what they are), `sizes` the lengths.
    """

    known: Mapping[Node, str]
    labels: Mapping[Node, str]
    notes: Mapping[Node, object]
    names: Names
    sizes: Callable[[Expr], Code]
    rowless: bool = False  # without loops over rows
    straight: bool = False  # without loops, and without writing to any array
    homes: Mapping[Node, Code] = field(default_factory=dict)  # memory that waits for targets
    statements: list[Statement] = field(default_factory=list)

    def write(self, targets: Sequence[Node]) -> dict[Node, Code]:
        """Statements that compute the targets, and what each is called at the end."""
        nodes = reachable(targets, self.known)
        self.targets = frozenset(targets)
        self.plan: Plan = plan(nodes, targets, self.labels, self.straight or self.rowless)
        self.memory: Memory = Memory() if self.straight else memory(self.plan, targets, self.labels)
        self.home = self.memory.housed(self.homes)
        self.variable: dict[Node, str] = dict(self.known)
        self.chains: dict[Chain, str] = {}
        self.coder = Coder(self._operand, self.sizes, casting=self.straight)
        self.loop: Segment | None = None
        self.row: int | None = None
        self.local: dict[str, str] = {}
        self.index = self.names.fresh("rows")
        groups: list[list[Node]] = []
        for segment, group in self.plan.segments:
            items = [node for node in group if node not in self.plan.inline]
            groups += [[node] for node in items] if segment[1] is None else [items] if items else []
        dead = {} if self.straight else dying(groups, self.plan, self.memory, targets)
        for items in groups:
            segment = self.plan.place[items[0]]
            if segment[1] is None:
                self._straight(items[0])
            else:
                self._rows(segment, items)
            gone = (node for node in dead.get(items[-1], ()) if node.op != "kept" or node in self.variable)
            self.statements += [Free(self._name(node)) for node in gone]
        return {node: self._operand(node, ()) for node in targets}

    def left(self, nodes: Sequence[Node], code: Code) -> None:
        """What a loop has left behind is the value of these."""
        assert isinstance(code, Var)
        self.plan = replace(self.plan, inline=self.plan.inline - set(nodes))
        self.variable |= dict.fromkeys(nodes, code.name)

    # Names

    def _name(self, node: Node) -> str:
        """The variable that holds a value: its chain's, named after the last value in it that has a name."""
        if node in self.variable:
            return self.variable[node]
        chain = self.memory.chain.get(node)
        label = self.labels.get(node) or self._hint(node)
        self.variable[node] = self._chain_name(chain) if chain else self.names.fresh(label)
        return self.variable[node]

    def _chain_name(self, chain: Chain) -> str:
        if chain.lender is not None:
            return self._chain_name(chain.lender)
        if chain not in self.chains:
            wanted = next((self.labels[n] for n in reversed(chain.members) if n in self.labels), None)
            self.chains[chain] = self.names.fresh(wanted or self._hint(chain.members[-1]))
        return self.chains[chain]

    def _hint(self, node: Node) -> str:
        """A name for a value that the formula does not name."""
        if node.op == "pad" and (source := self.variable.get(node.args[0][0])):
            return f"{source}_padded" if any(node.attr[0]) else f"{source}_laid"
        if node.op == "kept":
            return str(node.args[0][0].attr[0].labels[node.attr])
        if node.op == "full":
            return "ones" if node.args[0][0].attr == 1 else "weights"
        if node.op == "divide" and node.args[0][0].kind == "host":
            return "inverse"
        if node.op == "multiply" and node.rank == 1 and node.args[1][0].kind == "host":
            return "scaled"
        return HINTS.get(node.op, "t")

    def _operand(self, node: Node, labels: Labels) -> Code:
        """What an operand is called where it is read: its rows at hand, where its first axis is that of the rows."""
        sliced = self.row is not None and labels[:1] == (self.row,)
        if node in self.plan.inline:
            outer, self.row = self.row, 0 if sliced else None
            code = self.coder.code(node)
            self.row = outer
            return code
        name = self._name(node)
        if not sliced:
            return Var(name)
        here = self.plan.place.get(node) == self.loop
        return Var(self.local.get(name, name)) if here or name in self.local else self._sliced(name)

    def _sliced(self, name: str) -> Code:
        return Op("rows", (Var(name),), self.index)

    # Statements

    def _straight(self, node: Node) -> None:
        if node.op in ("scan", "kept"):
            if node.op == "scan":
                loops.written(self, node)
            return
        if node in self.variable and node.op == "window":  # what a loop has left
            return
        chain = self.memory.chain.get(node)
        note = self.notes.get(node, "")
        name = self._name(node)
        if chain is not None and node is chain.members[0] and chain in self.home:
            self._renamed(node, self.home[chain], Var(name), note)
            return
        if chain is not None and chain.before is not None and node is chain.members[0]:
            self._renamed(node, Var(self._chain_name(chain.before)), Var(name), note)
            return
        if node.op == "spike" and chain is not None:
            self._spike(node, Var(name), node is chain.members[0] and chain.lender is None, note)
            return
        reuse = chain is not None and (node is not chain.members[0] or chain.lender is not None)
        if reuse:
            self._write_into(node, Var(name), note)
        elif node.op == "terms" and chain is not None:
            self._terms(node, Var(name), None, note)
        else:
            code = self.coder.code(node)
            copied = node.op in VIEWS and not self.straight  # a view with a name: its base may be written to
            self.statements.append(Assign((Var(name),), Op("copy", (code,)) if copied else code, note))

    def _spike(self, node: Node, target: Code, new: bool, note: object) -> None:
        """One entry a row is changed, of a copy where the array is not at hand."""
        x = self._operand(*node.args[0])
        if new:
            self.statements.append(Assign((target,), Op("copy", (x,))))
        elif x != target:
            self.statements.append(Assign((Op("all", (target,)),), x))
        entries, amount = self.coder.spike(node, target, self.row is not None)
        self.statements.append(Update("add" if node.attr > 0 else "subtract", entries, amount, note))

    def _write_into(self, node: Node, out: Code, note: object) -> None:
        """The value of a node, into an array at hand."""
        if node.op == "spike":
            self._spike(node, out, False, note)
            return
        if node.op == "terms":
            self._terms(node, out, out, note)
            return
        value = self.coder.code(node)
        assert isinstance(value, Op)
        if node.op in UPDATES and value.args[0] == out:
            self.statements.append(Update(node.op, out, value.args[1], note))
        elif node.op == "multiply" and value.args[1] == out:
            self.statements.append(Update(node.op, out, value.args[0], note))
        else:
            self.statements.append(Into(value, out, note))

    def _renamed(self, node: Node, old: Code, target: Code, note: object) -> None:
        """The value of a node in the memory of `old`, under a name of its own."""
        rest: list[tuple[int, Code]] = []
        if node.op == "spike":
            self.statements.append(Assign((target,), old))
            self._spike(node, target, False, note)
            return
        if node.op == "terms":
            terms = self.coder.terms(node)
            place = next((k for k, (_, code) in enumerate(terms) if code == old), None)
            (_, first), (sign, second), *rest = [terms[k] for k in steps(node, place)]
            value = Op("add" if sign > 0 else "subtract", (first, second))
        else:
            made = self.coder.code(node)
            assert isinstance(made, Op)
            value = made
        self.statements.append(Assign((target,), Op("into", (value, old)), note))
        for sign, code in rest:
            self.statements.append(Update("add" if sign > 0 else "subtract", target, code))

    def _terms(self, node: Node, target: Code, out: Code | None, note: object) -> None:
        """A sum as a chain of updates; the first step uses the summand that is in place, if there is one."""
        terms = self.coder.terms(node)
        place = next((k for k, (_, code) in enumerate(terms) if code == out), None)
        (_, first), *rest = [terms[k] for k in steps(node, place)]
        if out is None or first != out:
            (sign, second), *rest = rest
            value = Op("add" if sign > 0 else "subtract", (first, second))
            self.statements.append(Assign((target,), value, note) if out is None else Into(value, out, note))
            note = ""
        for sign, code in rest:
            self.statements.append(Update("add" if sign > 0 else "subtract", target, code, note))
            note = ""

    # Loops over blocks of rows

    def _rows(self, segment: Segment, items: list[Node]) -> None:
        """A loop: what outlives it is allocated before, sums start at zero, and each block writes its rows."""
        outer, self.statements = self.statements, []
        before: list[Statement] = []
        after: list[Statement] = []
        self.loop, self.local = segment, {}
        outside, second = self.index, self.plan.pairs.get(segment)
        if second is not None:
            self.index = f"{outside}, {self.names.fresh('columns')}"
        self._bind(items)
        for node in items:
            self.row = row_of(node, self.plan.accumulators)
            if node in self.plan.accumulators:
                self._accumulate(node, before, after)
            else:
                self._in_loop(node, before, segment)
        self.row = None
        before.sort(key=lambda s: 2 if isinstance(s, Assign) and isinstance(s.value, Var) else not self._exponential(s))
        body, self.statements = tuple(self.statements), outer
        wide = max(items, key=lambda n: n.rank)
        wide = max(
            [wide, *(a for n in items for a, _ in n.args)], key=lambda n: n.rank if n.dims[:1] == wide.dims[:1] else 0
        )
        lengths = [self.sizes(length) for length in wide.dims[1 if second is None else 2 :]]
        if (several := self._beside(items)) > 1:
            lengths.append(Num(several * ONE))
        width: Code = lengths[0] if lengths else Num(ONE)
        for length in lengths[1:]:
            width = Op("multiply", (width, length))
        counts = (self.sizes(segment[1] or 1), *(() if second is None else (self.sizes(second),)))
        self.statements += [*before, Rows(self.index, counts, width, body), *after]
        self.loop, self.local, self.index = None, {}, outside

    def _beside(self, items: list[Node]) -> int:
        """How many arrays of a block are at hand at once, beside operands and results: all are to stay in the cache."""
        chains = {self.memory.chain[node] for node in items if node in self.memory.chain}
        return min(MOST_BESIDE, 1 + sum(not c.whole and (c.lender or c.before) is None for c in chains))

    def _exponential(self, statement: Statement) -> bool:
        """Whether exp writes into this array: allocated before the array it reads, it runs faster (1.3 to 1.6 ns).

        Arrays of one length that are allocated in a row lie at the same offset in their pages, and a store just behind
        a load at the same offset stalls it.
        """
        names = {name for chain, name in self.chains.items() if any(node.op == "exp" for node in chain.members)}
        return isinstance(statement, Assign) and any(t.name in names for t in statement.targets if isinstance(t, Var))

    def _bind(self, items: list[Node]) -> None:
        """Names for the rows of what comes from outside and is read more than once."""
        counts: dict[Node, int] = {}
        for item in items:
            for leaf, sliced in reads(item, row_of(item, self.plan.accumulators), self.plan.inline):
                if sliced and self.plan.place.get(leaf) != self.loop:
                    counts[leaf] = counts.get(leaf, 0) + 1
        touched = {self.memory.chain[item] for item in items if item in self.memory.chain}
        touched |= {chain.before for chain in touched if chain.before}
        for leaf, count in counts.items():
            if count > 1 or self.memory.chain.get(leaf) in touched:
                name = self._name(leaf)
                self.local[name] = self.names.fresh(f"{name}_rows")
                self.statements.append(Assign((Var(self.local[name]),), self._sliced(name)))

    def _accumulate(self, node: Node, before: list[Statement], after: list[Statement]) -> None:
        name, note = self._name(node), self.notes.get(node, "")
        value = self.coder.code(node)
        if node.rank:
            before.append(Assign((Var(name),), Op("zeros", tuple(map(self.sizes, node.dims)))))
            self.statements.append(Update("add", Var(name), value, note))
        else:
            before.append(Assign((Var(name),), Num(ONE - 1)))
            self.statements.append(Update("add", Var(name), Op("float", (value,)), note))
            after.append(Assign((Var(name),), Op("typed", (Var(name),))))

    def _in_loop(self, node: Node, before: list[Statement], segment: Segment) -> None:
        chain, note = self.memory.chain.get(node), self.notes.get(node, "")
        name = self._name(node)
        if chain is None:
            self._small_in_loop(node, name, note, before)
            return
        if chain.before is not None and node is chain.members[0]:
            old = self._chain_name(chain.before)
            held = Var(self.local.get(old, old))
            if chain.whole:
                before.append(Assign((Var(name),), Var(old), f"{name} takes the place of {old}, row by row"))
                self.local[name] = self.names.fresh(f"{name}_rows")
            self._renamed(node, held, Var(self.local.get(name, name)), note)
        elif chain.whole and node is chain.members[0]:
            self._first_of_whole(node, name, note, before)
        elif node is chain.members[0] and chain.lender is None:
            if node.op == "terms":
                self._terms(node, Var(name), None, note)
            elif node.op == "spike":
                self._spike(node, Var(name), True, note)
            else:
                self.statements.append(Assign((Var(name),), self.coder.code(node), note))
        else:
            self._write_into(node, Var(self.local.get(name, name)), note)

    def _allocate(self, node: Node, name: str, before: list[Statement]) -> Var:
        """Memory for all rows, and a name for those at hand."""
        before.append(Assign((Var(name),), Op("empty", tuple(map(self.sizes, node.dims)), node.kind)))
        self.local[name] = self.names.fresh(f"{name}_rows")
        return Var(self.local[name])

    def _first_of_whole(self, node: Node, name: str, note: object, before: list[Statement]) -> None:
        if node.op == "spike":
            local = self._allocate(node, name, before)
            self.statements.append(Assign((local,), self._sliced(name)))
            self._spike(node, local, False, note)
            return
        code = self.coder.terms(node) if node.op == "terms" else None
        value = self.coder.code(node) if code is None else Op("add", ())
        local = self._allocate(node, name, before)
        rows = self._sliced(name)
        if code is not None:
            (_, first), (sign, second), *rest = code
            value = Op("add" if sign > 0 else "subtract", (first, second))
            self.statements.append(Assign((local,), Op("into", (value, rows)), note))
            for sign, other in rest:
                self.statements.append(Update("add" if sign > 0 else "subtract", local, other))
        elif node.op in ENTRYWISE or node.op == "matmul":
            self.statements.append(Assign((local,), Op("into", (value, rows)), note))
        else:
            self.statements.append(Assign((local,), rows))
            self.statements.append(Assign((Op("all", (local,)),), value, note))

    def _small_in_loop(self, node: Node, name: str, note: object, before: list[Statement]) -> None:
        value = self.coder.code(node)
        if node not in self.memory.outside:
            self.statements.append(Assign((Var(name),), value, note))
            return
        local = self._allocate(node, name, before)
        self.statements.append(Assign((local, self._sliced(name)), value, note))
