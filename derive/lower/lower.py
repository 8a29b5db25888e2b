"""`lower`: a task becomes a program of forward, backward, and both fused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, ClassVar

from sympy import Expr, preorder_traversal

from derive.axes import Axis, Size, Tensor, definitions

from .absorbed import absorbable
from .cycles import cycles
from .definite import Definite
from .factors import several
from .keywords import defaults, least, required
from .lengths import Lengths, expressions
from .names import Names
from .node import Graph, Node, View, reachable
from .parts import needs_dtype
from .plan import SOURCES, VIEWS, is_host
from .program import Array, Assign, Code, Function, Op, Program, Statement, Var
from .read import Reader
from .recur import lowered
from .saved import DEEPEST, REPEATED, bases, by_blocks, cheap, early, made_again
from .seed import seeded
from .symmetric import summed_once
from .task import Task
from .together import together
from .write import Body

# Names that emitted code uses for itself; the printer renames its modules where an input is called so.
RESERVED = frozenset(
    "NAME INPUTS BLOCK dtype shape template saved gradients row_blocks checked upstream forward backward "
    "value_and_grad float int len max min abs whole length quotient indices padded laid windows scattered overlapped "
    "matrices products folded firsts selected weighted correlated refused eigenvectors singular_vectors logdet "
    "qr_factors eigenpairs exponential square_root logarithm exponential_slope square_root_slope logarithm_slope "
    "spectrum slopes of_spectrum within signs erfc bounded_exp opposed log_above spread mirrored pair_blocks masked "
    "strips limited "
    "lapack definite_factor definite_solve definite_logdet definite_inverse lu_factors lu_solve lu_logdet "
    "lu_inverse triangular_solve symmetric_factor exponential_curvature curvatures".split()
)
RESERVED_STRAIGHT = RESERVED | frozenset("xp device math namespace device_of gathered contracted erf erfc".split())
MOST_NOTED = 100  # nodes: to print more takes long


def lower(task: Task) -> Program:
    """The array program of a task. Raises Unsupported, naming the node, where no law applies."""
    return _Lowering(task if task.straight else together(task)).program()


@dataclass(frozen=True)
class Definition:
    """A definition; its text is made when it is asked for, once."""

    tensor: Tensor

    def __str__(self) -> str:
        return _definition(self.tensor)


@lru_cache(maxsize=1024)
def _definition(tensor: Tensor) -> str:
    return f"{tensor.declared() if tensor.axes else tensor.name} = {tensor.body}"


@dataclass
class _Lowering:
    writes: ClassVar[bool] = True  # whether statements may write to arrays that others have made
    task: Task
    graph: Graph = field(default_factory=Graph)
    taken: set[str] = field(default_factory=set)
    labels: dict[Node, str] = field(default_factory=dict)
    notes: dict[Node, object] = field(default_factory=dict)
    arrays: dict[Node, str] = field(default_factory=dict)  # inputs
    flat: tuple[Axis, ...] = ()  # the axis of flattened arrays, in elementwise tasks
    kept: list[tuple[Node, str]] = field(default_factory=list)  # what forward saves, and what it is called
    cycles: dict[Task, Mapping[Tensor, Any]] = field(default_factory=dict)
    unpacked: list[str] = field(default_factory=list)  # ... and the scalars and sizes saved with it

    def __post_init__(self) -> None:
        self.lengths = Lengths(self.task, self.graph)
        self.graph.in_place = self.writes and not self.task.straight
        self.graph.strided = not self.task.straight

    def program(self) -> Program:
        task = self.task
        seed = seeded(task) if task.scalar_loss else task
        self.taken = {t.name for t in (*task.inputs, *seed.upstreams)} | {s.name for s in task.parameters}
        self.taken |= RESERVED_STRAIGHT if task.straight else RESERVED
        self.flat = (Axis("elements", Size("N")),) if task.elementwise else ()
        outputs = self._roots(task.outputs, self._reader(seed, None))
        functions = []
        if task.gradients:
            gradients, one = self._gradients(seed, outputs)
            while self._learns(outputs, [*gradients, *one]):
                outputs = self._roots(task.outputs, self._reader(seed, None))
                gradients, one = self._gradients(seed, outputs)
            self.lengths.name(Names(self.taken).fresh)
            saved = self._saved(outputs, gradients)
            functions = [self._forward(outputs, gradients, saved), self._backward(seed.upstreams, gradients)]
            if task.scalar_loss:
                functions.append(self._fused(outputs, one))
        else:
            self.lengths.name(Names(self.taken).fresh)
            functions = [self._forward(outputs, [], [])]
        return self._declared(task, seed, tuple(functions))

    def _learns(self, outputs: Sequence[Node], gradients: Sequence[Node]) -> bool:
        """Whether something is seen only now: matrices of which several things are asked, products that no use needs.

        All is read again then, and a product may turn.
        """
        g = self.graph
        before = g.factored, g.absorbed, len(g.answered)
        g.answered |= g.asked
        if not self.task.straight:
            g.factored |= several(reachable([*outputs, *gradients]))
        if g.in_place and not g.absorbed:
            g.absorbed = absorbable(outputs, gradients, {*self.arrays})
        return before != (g.factored, g.absorbed, len(g.answered))

    def _gradients(self, seed: Task, outputs: list[Node]) -> tuple[list[Node], list[Node]]:
        """The gradients for an upstream gradient, and for 1 where that is the loss's."""
        gradients = self._roots(seed.gradients, self._reader(seed, None), outputs)
        if shared := self.graph.by_row & self.graph.by_entry:  # now it is known which products serve twice
            self.graph.shared = frozenset(shared)
            gradients = self._roots(seed.gradients, self._reader(seed, None), outputs)
        fused = self.task.scalar_loss
        return gradients, self._roots(self.task.gradients, self._reader(seed, 1), outputs) if fused else []

    def _declared(self, task: Task, seed: Task, functions: tuple[Function, ...]) -> Program:
        shown = definitions(t.body for t in (*task.outputs, *task.gradients) if t.body is not None)
        every = [*(t for t in shown if t not in task.outputs), *task.outputs, *task.gradients]
        sizes = tuple(s.name for s in task.sizes)
        return Program(
            name=task.name,
            doc=task.doc,
            inputs=tuple(self._array(t) for t in task.inputs),
            outputs=tuple(self._array(t) for t in task.outputs),
            gradients=tuple(t.of or t.name for t in task.gradients),
            upstreams=tuple(t.name for t in seed.upstreams),
            parameters=tuple((s.name, None if isinstance(s.default, Expr) else s.default) for s in task.parameters),
            sizes=sizes,
            least=tuple(s.min for s in task.sizes),
            scalar_loss=task.scalar_loss,
            formulas=tuple(map(Definition, dict.fromkeys(every))),
            functions=functions,
            taken=frozenset(self.taken),
            derived=defaults(task),
        )

    def _array(self, tensor: Tensor) -> Array:
        shape = None if self.flat else tuple(self.lengths.spelled(a.size) for a in tensor.axes)
        bound = None if tensor.bound is None else self.lengths.spelled(tensor.bound)
        return Array(tensor.name, tensor.dtype, shape, bound, least(tensor) if shape else ())

    # Reading

    def _reader(self, task: Task, upstream: int | None) -> Reader:
        """A reader of the task's expressions; with `upstream` given, that number stands for the upstream gradient."""
        g = self.graph
        sources: dict[Tensor, View] = {}
        for t in task.inputs:
            sources[t] = g.make("input", (), (*t.axes, *self.flat), t.name, t.dtype)
            self.arrays[sources[t].node] = t.name
        for t in task.upstreams:
            if t.axes or self.flat:
                sources[t] = g.make("input", (), (*t.axes, *self.flat), t.name)
            else:
                sources[t] = g.number(upstream) if upstream else g.host("scalar", attr=t.name)
        cycles_ = {**self._cycles(self.task), **self._cycles(task)}
        shown = (*task.outputs, *(task if upstream is None else self.task).gradients)
        every = (*definitions(t.body for t in shown if t.body is not None), *shown)
        once = frozenset() if cycles_ else summed_once(dict.fromkeys(every), (*task.inputs, *shown))
        return Reader(g, sources, task.name, cycles_, Definite(self.task.assumptions), once)

    def _cycles(self, task: Task) -> Mapping[Tensor, Any]:
        """The definitions that recurrences carry along."""
        if task not in self.cycles:
            roots = [t.body for t in (*task.outputs, *task.gradients) if t.body is not None]
            found = cycles(task.name, definitions(roots))
            self.cycles[task] = {tensor: partial(lowered, cycle=cycle) for tensor, cycle in found.items()}
        return self.cycles[task]

    def _roots(self, tensors: Sequence[Tensor], reader: Reader, before: Sequence[Node] = ()) -> list[Node]:
        """The nodes of outputs or gradients: of the declared shape, each with memory of its own."""
        roots: list[Node] = []
        for tensor in definitions(t.body for t in tensors if t.body is not None):
            self._label(reader.define(tensor).node, tensor)
        for tensor in tensors:
            view = reader.define(tensor)
            node = self._root(view, (*tensor.axes, *self.flat)).node
            if node in roots or node in before:
                node = self.graph.make("copy", [View(node, view.letters)], view.letters, tensor.name).node
            self._label(node, tensor)
            roots.append(node)
        return roots

    def _root(self, view: View, letters: tuple[Axis, ...]) -> View:
        g = self.graph
        if view.node.kind in ("int", "bool"):
            view = g.make("cast", [view], view.letters)
        if not letters:
            return g.make("constant", [view], ()) if view.host else view
        if set(view.letters) != set(letters):
            return g.make("broadcast", [view], letters)
        if view.letters != letters:
            view = g.make("permute", [view], letters)
        if view.node.op == "merge":
            (arg, labels), (order, _) = view.node.args[0], view.node.attr
            beyond = {label: Axis(f"merged_{label}", arg.dims[k]) for k, label in enumerate(labels)}
            inner = View(arg, tuple(letters[k] if k < len(letters) else beyond[k] for k in labels))
            return g.make("merge", [inner], letters, (order, True), view.node.kind)
        if view.node.op == "input" or view.node.op in VIEWS:
            return g.make("copy", [view], letters)
        return view

    def _label(self, node: Node, tensor: Tensor) -> None:
        if node.op in SOURCES or node in self.labels:
            return
        self.labels[node] = tensor.name
        if sum(1 for _ in preorder_traversal(tensor.body)) < MOST_NOTED:
            self.notes[node] = Definition(tensor)

    def _saved(self, outputs: Sequence[Node], gradients: Sequence[Node]) -> list[Node]:
        """What backward reads of inputs and forward values; cheap arithmetic on those is repeated instead."""
        forward = set(reachable(outputs))
        needed = reachable(gradients)
        forward.update(n for n in needed if n.op in ("kept", "part") and n.args[0][0] in forward)
        forward.update(reachable(early(needed, forward, outputs)))
        own = [n for n in needed if n not in forward]
        wanted = {a for n in own for a in bases(n) if a in forward} | {n for n in gradients if n in forward}
        available = {n for n in forward if n.op in SOURCES or is_host(n)}
        if self.graph.in_place:
            wanted = by_blocks(wanted, available, [*self.arrays, *outputs, *gradients])
        kept = [n for n in needed if n in wanted and n not in available]
        saved: set[Node] = {n for n in kept if n.op not in REPEATED and n.kind != "bool"}
        for node in kept:
            again = made_again(node, saved | available, DEEPEST)
            saved |= {node} if again is None else again
        if self.graph.in_place:
            saved -= cheap(saved - {*outputs, *gradients}, {*self.arrays, *outputs, *available})
        reads = reachable(gradients, dict.fromkeys(saved))
        inputs = [n for n in self.arrays if n in reads]
        return [*inputs, *(n for n in needed if n in saved)]

    # Functions

    def _body(self, known: Mapping[Node, str]) -> Body:
        self.lengths.used = {}
        names = Names({*self.taken, *known.values()})
        return Body(known, self.labels, self.notes, names, self.lengths.code, straight=self.task.straight)

    def _parameters(self) -> tuple[str, ...]:
        return (*(t.name for t in self.task.inputs), *(s.name for s in self.task.parameters))

    def _forward(self, outputs: list[Node], gradients: list[Node], saved: list[Node]) -> Function:
        body = self._body(self.arrays)
        names = body.write([*outputs, *(n for n in saved if n not in self.arrays)])
        self.kept = [(n, body.variable[n]) for n in saved]
        extra = self._extra(gradients, saved) if gradients else []
        values = [Var(name) for name in (*(name for _, name in self.kept), *extra)]
        self.unpacked = [*(name for _, name in self.kept), *extra]
        results = [self._shaped(names[n]) for n in outputs]
        meta = [Op("template", (result,)) for result in results] if self.task.gradients else []
        if self.flat and meta and not self.task.straight:
            meta = [Op("tuple", (Var("shape"), Var("dtype")))] * len(meta)
        body.statements.append(Assign((Var("saved"),), Op("tuple", (*values, *meta))))
        result = Op("results", (_one_or_tuple(results), Var("saved")))
        return self._function("forward", self._parameters(), body, self.arrays, result)

    def _extra(self, gradients: Sequence[Node], saved: Sequence[Node]) -> list[str]:
        """Scalars, sizes and lengths that backward cannot know otherwise."""
        reads = reachable(gradients, dict.fromkeys(saved))
        used = {node.attr for node in reads if node.op == "scalar"}
        sizes = [s.name for s in self.task.sizes]
        upstreams = [n for n in self.graph.table.values() if n.op == "input" and n not in self.arrays]
        at_hand = {d.name for n in (*saved, *upstreams) for d in n.dims if d.is_Symbol} | set(sizes)
        lengths = [length.xreplace(self.graph.derived) for n in reads for length in expressions(n)]
        missing = sorted({s.name for length in lengths for s in length.free_symbols} - at_hand)
        for name in missing:
            self.lengths.used.setdefault(name)
        names = [self.lengths.variables[n] for n in missing]
        return [s.name for s in self.task.scalars if s.name in used] + sizes + names

    def _backward(self, upstreams: Sequence[Tensor], gradients: list[Node]) -> Function:
        known = dict(self.kept)
        for node in self.graph.table.values():
            if node.op == "input" and node not in self.arrays:
                known[node] = node.attr
        body = self._body(known)
        names = body.write(gradients)
        found = Op("dict", tuple(self._shaped(names[n]) for n in gradients), tuple(t.of for t in self.task.gradients))
        body.statements.append(Assign((Var("gradients"),), found))
        unpack: list[Statement] = []
        given = tuple(t.name for t in upstreams)
        if len(given) > 1:
            unpack.append(Assign((Op("tuple", tuple(map(Var, given))),), Var("g")))
        blank = ["_"] * len(self.task.outputs)
        names_ = [*self.unpacked, *blank]
        told = self.flat or not any(node.kind == "real" for node in known)  # by the output's shape and dtype
        if told:
            names_ = [*self.unpacked, *blank[:-1], "template"]
        if self.unpacked or told:
            unpack.append(Assign((Op("tuple", tuple(map(Var, names_))),), Var("saved")))
        parameters = (given[0] if len(given) == 1 else "g", "saved")
        return self._function("backward", parameters, body, known, Var("gradients"), unpack)

    def _fused(self, outputs: list[Node], gradients: list[Node]) -> Function:
        body = self._body(self.arrays)
        names = body.write([*outputs, *gradients])
        grads = Op("dict", tuple(names[n] for n in gradients), tuple(t.of for t in self.task.gradients))
        body.statements.append(Assign((Var("gradients"),), grads))
        result = Op("results", (_one_or_tuple([names[n] for n in outputs]), Var("gradients")))
        return self._function("value_and_grad", self._parameters(), body, self.arrays, result)

    def _shaped(self, code: Code) -> Code:
        return Op("reshape", (code, Var("shape"))) if self.flat else code

    def _function(
        self,
        name: str,
        parameters: tuple[str, ...],
        body: Body,
        known: Mapping[Node, str],
        result: Code,
        unpack: Sequence[Statement] = (),
    ) -> Function:
        """The function with what its statements take for granted: lengths, the dtype, flat arrays."""
        real = [label for node, label in known.items() if node.kind == "real" and node.rank == max_rank(known)]
        real = real or [label for node, label in known.items() if node.kind == "real"]
        start = [*unpack, *self._flattened(name, known)]
        indices = [*required(self.lengths), *self._indices()] if name != "backward" else []
        at_hand = (*parameters, *(self.unpacked if name == "backward" else ()))
        start += self.lengths.unpacked(known, at_hand, derive=name != "backward")
        start += indices
        if any(needs_dtype(s) for s in body.statements):
            unknown = Op("item", (Var("template"),), 1) if name == "backward" else Op("float64")
            start.append(Assign((Var("dtype"),), Op("dtype", (Var(real[0]),)) if real else unknown))
        return Function(name, parameters, (*start, *body.statements), result)

    def _flattened(self, name: str, known: Mapping[Node, str]) -> list[Statement]:
        if not self.flat:
            return []
        arrays = [
            label
            for node, label in known.items()
            if node.op == "input" and (name != "backward" or node not in self.arrays)
        ]
        shape = Op("item", (Var("template"),), 0) if name == "backward" else Op("shape", (Var(arrays[0]),))
        flat = [Assign((Var(a),), Op("reshape", (Var(a), Op("number", (), -1)))) for a in arrays]
        return [Assign((Var("shape"),), shape), *flat]

    def _indices(self) -> list[Statement]:
        """Integer inputs as indices: checked against their bound in every call, whatever their integers' width."""
        found: list[Statement] = []
        for t in self.task.inputs:
            if t.dtype == "int":
                told = t.bound is not None and self.lengths.knows(t.bound)
                bound = (self.lengths.code(t.bound),) if told else ()
                found.append(Assign((Var(t.name),), Op("indices", (Var(t.name), *bound), t.name)))
        return found


def max_rank(nodes: Mapping[Node, str]) -> int:
    """The rank of the largest real array."""
    return max((n.rank for n in nodes if n.kind == "real"), default=0)


def _one_or_tuple(codes: Sequence[Code]) -> Code:
    return codes[0] if len(codes) == 1 else Op("tuple", tuple(codes))
