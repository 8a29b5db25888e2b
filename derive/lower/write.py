"""A function of the program: nodes in their plan and memory → statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction

from sympy import Expr, Integer

from . import loops, strips
from .bands import bands
from .code import Coder
from .memory import ENTRYWISE, Chain, Memory, dying, memory, steps
from .names import Names, hint
from .node import Labels, Node, reachable
from .plan import NO_BANDS, VIEWS, Band, Plan, Segment, plan, row_of
from .program import Assign, Code, Free, Into, Num, Op, Rows, Statement, Update, Var

ONE = Fraction(1)
MOST_BESIDE = 4  # blocks are not made smaller for more: calls would take as long as passes
UPDATES = frozenset({"multiply", "divide"})  # written `a *= b`; sums are written term by term


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
    straight: bool = False  # ... and without writing to any array
    homes: Mapping[Node, Code] = field(default_factory=dict)  # memory that waits for targets
    statements: list[Statement] = field(default_factory=list)

    def write(self, targets: Sequence[Node]) -> dict[Node, Code]:
        """Statements that compute the targets, and what each is called at the end."""
        nodes = reachable(targets, self.known)
        self.targets = frozenset(targets)
        plain = self.straight or self.rowless
        self.plan: Plan = plan(nodes, targets, self.labels, plain, NO_BANDS if plain else bands(nodes, targets))
        self.memory: Memory = Memory() if self.straight else memory(self.plan, targets, self.labels)
        self.home = self.memory.housed(self.homes)
        self.variable: dict[Node, str] = dict(self.known)
        self.chains: dict[Chain, str] = {}
        self.coder = Coder(self._operand, self.sizes, casting=self.straight)
        self.loop: Segment | None = None
        self.row: int | None = None
        self.local: dict[tuple[str, str], str] = {}
        self.index = self.names.fresh("rows")
        self.cut: Mapping[int, str] = {}  # how labels of a statement in a strip are indexed
        self.own = ""  # how the value of a statement in a loop is
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
        return hint(node, self.variable)

    def _operand(self, node: Node, labels: Labels) -> Code:
        """What an operand is called where it is read: its rows at hand, where its first axis is that of the rows."""
        rows = self._rows_of(labels)
        if node in self.plan.inline:
            with self._inlined(labels):
                return self.coder.code(node)
        name = self._name(node)
        if not rows:
            return Var(name)
        here = self.plan.place.get(node) == self.loop
        return Var(self.local.get((name, rows), name)) if here or (name, rows) in self.local else sliced(name, rows)

    def _rows_of(self, labels: Labels) -> str:
        """How an array with these labels is indexed by the rows at hand, if they are among its axes."""
        if self.cut:
            return strips.index(self.cut, labels)
        return self.index if self.row is not None and labels[:1] == (self.row,) else ""

    @contextmanager
    def _inlined(self, labels: Labels) -> Iterator[None]:
        """What is written within an expression reads its operands by its own labels."""
        outer = self.row, self.cut
        sliced = self.row is not None and labels[:1] == (self.row,)
        self.row, self.cut = 0 if sliced else None, strips.within(self.cut, labels)
        yield
        self.row, self.cut = outer

    def _reads(self, node: Node) -> Iterator[tuple[Node, str]]:
        """The named values that a statement reads, also through what is inlined in it, and how they are indexed."""
        for arg, labels in node.args:
            if arg in self.plan.inline:
                with self._inlined(labels):
                    yield from self._reads(arg)
            else:
                yield arg, self._rows_of(labels)

    def _turn_to(self, node: Node) -> None:
        """A statement of a loop begins."""
        if node in self.plan.bands.member:
            self.cut = self.strip.cut(node, self.plan.bands)
        else:
            self.row = row_of(node, self.plan.accumulators)
        self.own = self._rows_of(tuple(range(node.rank)))

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
        band = segment[1] if isinstance(segment[1], Band) else None
        if band is not None:
            self.strip = strips.Strip.named(band, outside, self.names.fresh)
            self.index = self.strip.index
            self.statements.append(self.strip.reached(band, self.sizes))
        elif second is not None:
            self.index = f"{outside}, {self.names.fresh('columns')}"
        self._bind(items)
        for node in items:
            self._turn_to(node)
            if node in self.plan.accumulators:
                self._accumulate(node, before, after)
            else:
                self._in_loop(node, before, segment)
        self.row, self.cut = None, {}
        before.sort(key=lambda s: 2 if isinstance(s, Assign) and isinstance(s.value, Var) else not self._exponential(s))
        body, self.statements = tuple(self.statements), outer
        self.statements += [*before, self._repeated(segment, items, body), *after]
        self.loop, self.local, self.index = None, {}, outside

    def _repeated(self, segment: Segment, items: list[Node], body: tuple[Statement, ...]) -> Rows:
        """The loop over blocks of rows, or over strips; its width is that of the widest array, times how many are."""
        wide = max(items, key=lambda n: n.rank)
        rows, second = segment[1], self.plan.pairs.get(segment)
        if isinstance(rows, Band):
            counts, lengths = [*rows.outer, rows.rows], self.strip.beside(wide, self.plan.bands, rows)
        else:
            every = [wide, *(a for n in items for a, _ in n.args)]
            wide = max(every, key=lambda n: n.rank if n.dims[:1] == wide.dims[:1] else 0)
            counts = [rows or Integer(1), *(() if second is None else (second,))]
            lengths = list(wide.dims[1 if second is None else 2 :])
        codes = [self.sizes(length) for length in lengths]
        if (several := self._beside(items)) > 1:
            codes.append(Num(several * ONE))
        width: Code = codes[0] if codes else Num(ONE)
        for length in codes[1:]:
            width = Op("multiply", (width, length))
        return Rows(self.index, tuple(map(self.sizes, counts)), width, body, isinstance(rows, Band))

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
        counts: dict[tuple[Node, str], int] = {}
        for item in items:
            self._turn_to(item)
            for leaf, rows in self._reads(item):
                if rows and self.plan.place.get(leaf) != self.loop:
                    counts[leaf, rows] = counts.get((leaf, rows), 0) + 1
        touched = {self.memory.chain[item] for item in items if item in self.memory.chain}
        touched |= {chain.before for chain in touched if chain.before}
        for (leaf, rows), count in counts.items():
            if count > 1 or self.memory.chain.get(leaf) in touched:
                name = self._name(leaf)
                self.statements.append(Assign((self._at_hand(name, rows),), sliced(name, rows)))

    def _at_hand(self, name: str, rows: str) -> Var:
        """A name for the rows at hand of an array."""
        self.local[name, rows] = self.names.fresh(f"{name}_rows")
        return Var(self.local[name, rows])

    def _target(self, name: str) -> Var:
        """Where the value of the statement at hand is written."""
        return Var(self.local.get((name, self.own), name))

    def _accumulate(self, node: Node, before: list[Statement], after: list[Statement]) -> None:
        name, note = self._name(node), self.notes.get(node, "")
        value = self.coder.code(node)
        if node.rank:
            before.append(Assign((Var(name),), Op("zeros", tuple(map(self.sizes, node.dims)))))
            self.statements.append(Update("add", sliced(name, self.own) if self.own else Var(name), value, note))
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
            held = self._target(old)
            if chain.whole:
                before.append(Assign((Var(name),), Var(old), f"{name} takes the place of {old}, row by row"))
                self._at_hand(name, self.own)
            self._renamed(node, held, self._target(name), note)
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
            self._write_into(node, self._target(name), note)

    def _allocate(self, node: Node, name: str, before: list[Statement]) -> Var:
        """Memory for all rows, and a name for those at hand."""
        shape = tuple(map(self.sizes, node.dims))
        zero = self.plan.bands.zeros & {node, *getattr(self.memory.chain.get(node), "members", ())}
        before.append(Assign((Var(name),), Op("zeros", shape) if zero else Op("empty", shape, node.kind)))
        return self._at_hand(name, self.own)

    def _first_of_whole(self, node: Node, name: str, note: object, before: list[Statement]) -> None:
        if node.op == "spike":
            local = self._allocate(node, name, before)
            self.statements.append(Assign((local,), sliced(name, self.own)))
            self._spike(node, local, False, note)
            return
        code = self.coder.terms(node) if node.op == "terms" else None
        value = self.coder.code(node) if code is None else Op("add", ())
        local = self._allocate(node, name, before)
        rows = sliced(name, self.own)
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
        self.statements.append(Assign((local, sliced(name, self.own)), value, note))


def sliced(name: str, rows: str) -> Code:
    """The rows of an array."""
    return Op("rows", (Var(name),), rows)
