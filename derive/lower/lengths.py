"""Lengths in a function: which variable holds each, how it is found from shapes and keywords, and what is checked.

A length that is no symbol of its own, such as (Y + 2p − R)//s + 1, is a derived one: nodes see one symbol for it, and
forward computes it, raising where it is not at least 1 or not whole. An input whose axis has such a length is checked
against it; where one symbol in it is still unknown, the shape says what that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any

from sympy import Expr, Symbol, expand

from derive.axes import Axis, Tensor, Unsupported, definitions
from derive.axes.ranges import quotient, text

from .node import Graph, Node
from .program import Assign, Code, Num, Op, Statement, Var
from .task import Task


@lru_cache(maxsize=4096)
def length_code(length: Expr) -> Code:
    """A length as integer arithmetic on sizes."""
    if length.is_Integer:
        return Num(Fraction(int(length)))
    if length.is_Symbol:
        return Var(length.name)
    above, below = quotient(length) if length.is_Add or length.is_Mul else (length, 1)
    if below != 1:
        return Op("floor_divide", (length_code(expand(above)), length_code(below)))
    made = LENGTHS.get(type(length).__name__)
    if made is None:
        raise Unsupported(f"lower: no integer arithmetic for the length {length}")
    return made(length)


def _sum_code(length: Any) -> Code:
    """What is added before what is subtracted."""
    terms = sorted(length.args, key=lambda t: (_negative(t), t.is_Number, text(t)))
    made = length_code(terms[0])
    for term in terms[1:]:
        negative = _negative(term)
        made = Op("subtract" if negative else "add", (made, length_code(-term if negative else term)))
    return made


def _negative(term: Any) -> bool:
    return bool(term.as_coeff_Mul()[0] < 0)


def _product_code(length: Any) -> Code:
    coefficient, rest = length.as_coeff_Mul()
    if coefficient == -1:
        return Op("negative", (length_code(rest),))
    made, *others = [length_code(arg) for arg in length.args]
    for other in others:
        made = Op("multiply", (made, other))
    return made


def _floor_code(length: Any) -> Code:
    above, below = quotient(length.args[0])
    return Op("floor_divide", (length_code(expand(above)), length_code(below)))


def _ceiling_code(length: Any) -> Code:
    above, below = quotient(length.args[0])
    return Op("negative", (Op("floor_divide", (length_code(expand(-above)), length_code(below))),))


def _called(op: str) -> Callable[[Any], Code]:
    return lambda length: Op("host", tuple(map(length_code, length.args)), op)


LENGTHS: dict[str, Callable[[Any], Code]] = {
    "Add": _sum_code,
    "Mul": _product_code,
    "floor": _floor_code,
    "ceiling": _ceiling_code,
    "Mod": lambda length: Op("mod", tuple(map(length_code, length.args))),
    "Max": _called("maximum"),
    "Min": _called("minimum"),
    "Pow": lambda length: Op("power", (length_code(length.base), length_code(length.exp))),
}


def _renamed(code: Code, names: Mapping[str, str]) -> Code:
    """The code with variables for symbols: SymPy would evaluate it anew, and orders maxima, which takes long."""
    if isinstance(code, Var):
        return Var(names[code.name])
    return Op(code.name, tuple(_renamed(arg, names) for arg in code.args), code.attr) if isinstance(code, Op) else code


@dataclass
class Lengths:
    """The lengths of one program. `variables` maps names of symbols to variables, `used` is of the function at hand."""

    task: Task
    graph: Graph
    variables: dict[str, str] = field(default_factory=dict)
    used: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.variables.update({s.name: s.name for s in self.task.sizes})
        task = self.task
        tensors = [*task.inputs, *task.outputs, *task.gradients, *definitions(_bodies(task))]
        letters = [a for t in tensors for a in t.axes]
        letters += [a for t in tensors if t.body is not None for a in sorted(t.body.atoms(Axis), key=str)]
        self.axes = [a for a in dict.fromkeys(letters) if self.graph.length(a) != a.size]  # of derived length
        self.axes.sort(key=lambda a: (a.size.count_ops(), a.name))

    def name(self, fresh: Callable[[str], str]) -> None:
        """A variable for each symbol of a length, before any value is named."""
        wanted = {symbol.name: name for symbol, name in self.graph.wanted.items()}
        every = [e for node in list(self.graph.table.values()) for e in expressions(node)]
        every += [a.size for t in self.task.inputs for a in t.axes] + list(self.graph.derived)
        every += list(self.graph.derived.values())
        symbols = dict.fromkeys(s.name for length in every for s in sorted(length.free_symbols, key=str))
        for name in sorted(symbols, key=lambda name: name in wanted):  # derived ones last: Y is the length called Y
            if name not in self.variables:
                self.variables[name] = fresh(self._wanted(name, wanted.get(name, name)))

    def _wanted(self, symbol: str, name: str) -> str:
        """What a length would like to be called: beside Y, the other length of an axis y is that of its input, Y_x."""
        owner = next((t.name for t in self.task.inputs for a in t.axes if str(self.graph.length(a)) == symbol), None)
        return f"{name}_{owner}" if owner and name in self.variables.values() else name

    def code(self, length: Expr) -> Code:
        """A length where it is used."""
        return self._text(self._marked(length.xreplace(self.graph.derived)))

    def _marked(self, length: Expr) -> Expr:
        """The length, its symbols noted as in use."""
        for symbol in sorted(length.free_symbols, key=str):
            self.used.setdefault(symbol.name)
        return length

    def _text(self, length: Expr) -> Code:
        return _renamed(length_code(length), self.variables)

    def knows(self, length: Expr) -> bool:
        """Whether keywords and the shapes of inputs say what a length is."""
        shapes = {s for t in self.task.inputs for a in t.axes for s in a.size.free_symbols}
        return {s.name for s in length.free_symbols} <= {s.name for s in (*shapes, *self.task.sizes)}

    def spelled(self, length: Expr) -> str | int | None:
        """A length as a declaration shows it."""
        if length.is_Integer:
            return int(length)
        if length.is_Symbol:
            return str(length.name)
        symbol = self.graph.derived.get(length)
        return self.variables.get(symbol.name) if symbol is not None else None

    # Statements

    def unpacked(self, known: Mapping[Node, str], parameters: Sequence[str], derive: bool) -> list[Statement]:
        """Assignments for the lengths in use. With `derive` (forward) derived ones are computed and checked."""
        settled = {d.name for d in self.graph.derived.values()} if derive else set()
        plan = self._derived(known, parameters) if derive else []
        needed = [s for s in self.used if self.variables[s] not in parameters and s not in settled]
        found: list[Statement] = []
        for node, label in sorted(known.items(), key=lambda item: -item[0].rank):
            dims = [d.name if d.is_Symbol and d.name not in settled else None for d in node.dims]
            new = [d for d in dict.fromkeys(dims) if d in needed]
            if new and len(new) == len(dims) > 1:
                target = Op("tuple", tuple(Var(self.variables[str(d)]) for d in dims))
                found.append(Assign((target,), Op("shape", (Var(label),))))
            else:
                for d in new:
                    place = dims.index(d)
                    found.append(Assign((Var(self.variables[str(d)]),), extent(label, place)))
            needed = [s for s in needed if s not in new]
        solved = {t.name for statement in plan for t in _targets(statement)}
        missing = [s for s in needed if self.variables[s] not in solved]
        if missing:
            raise Unsupported(f"{self.task.name}: length {missing[0]} is no axis of an input: declare it as a Size")
        return [*found, *plan]

    def _derived(self, known: Mapping[Node, str], parameters: Sequence[str]) -> list[Statement]:
        """Derived lengths of inputs, checked or solved for; then those of other axes; then those of padded arrays."""
        plain = {d.name for node in known for d in node.dims if d.is_Symbol} - {
            d.name for d in self.graph.derived.values()
        }
        have = plain | {s for s, variable in self.variables.items() if variable in parameters}
        statements: list[Statement] = []
        waiting = [(t, k, a) for t in self.task.inputs for k, a in enumerate(t.axes) if a in self.axes]
        while waiting:
            ready = next((w for w in waiting if len(_unknown(w[2].size, have)) < 2), None)
            if ready is None:
                tensor, _, axis = waiting[0]
                names = ", ".join(sorted(_unknown(axis.size, have)))
                raise Unsupported(
                    f"{self.task.name}: the length {axis.size} of axis {axis.name} of {tensor.name} does not say what "
                    f"{names} are: declare them as keyword sizes"
                )
            waiting.remove(ready)
            tensor, place, axis = ready
            for name in _unknown(axis.size, have):
                statements.append(self._solved(tensor, place, axis, name))
                have.add(name)
            statements.append(self._computed(axis, extent(tensor.name, place), tensor))
        done = {a.size for t in self.task.inputs for a in t.axes}
        for axis in self.axes:
            if axis.size not in done and not _unknown(axis.size, have):
                done.add(axis.size)
                statements.append(self._computed(axis))
        for size, symbol in self.graph.derived.items():
            if size not in done and symbol.name in self.used:
                statements.append(Assign((Var(self.variables[symbol.name]),), self._text(self._marked(size))))
        return statements

    def _solved(self, tensor: Tensor, place: int, axis: Axis, name: str) -> Statement:
        """K = solved(…) from a shape of length H*K + b."""
        unknown = next(s for s in axis.size.free_symbols if s.name == name)
        slope = expand(axis.size).coeff(unknown, 1)
        rest = expand(axis.size - slope * unknown)
        if not slope or rest.has(unknown) or axis.size.has(*_nested(axis.size, unknown)):
            raise Unsupported(f"{self.task.name}: the length {axis.size} of {tensor.name} does not say what {name} is")
        above: Code = extent(tensor.name, place)
        if rest != 0:
            above = Op("subtract", (above, self._text(self._marked(rest))))
        text = f"{name}, as {tensor.name} has length {axis.size} along {axis.name}"
        value = Op("quotient", (above, self._text(self._marked(slope))), (text, getattr(unknown, "min", 1)))
        return Assign((Var(self.variables[name]),), value)

    def _computed(self, axis: Axis, given: Code | None = None, tensor: Tensor | None = None) -> Statement:
        """H = length(…): at least 1, and whole; as long as the input's axis, where it is one."""
        symbols = sorted(axis.size.free_symbols, key=str)
        above, below = quotient(axis.size)
        args = [self._text(above), self._text(below)]
        self._marked(axis.size)
        keywords = tuple(s.name for s in symbols)
        args += [Var(self.variables[s.name]) for s in symbols]
        where = f"{axis.name} of {tensor.name}" if tensor else axis.name
        if given is not None:
            args.append(given)
            keywords += ("given",)
        value = Op("length", tuple(args), (where, keywords))
        return Assign((Var(self.variables[self.graph.length(axis).name]),), value)


def _bodies(task: Task) -> list[Any]:
    return [t.body for t in (*task.outputs, *task.gradients) if t.body is not None]


def _unknown(size: Expr, have: set[str]) -> list[str]:
    return sorted(s.name for s in size.free_symbols if s.name not in have)


def _nested(size: Expr, unknown: Any) -> list[Any]:
    """Functions that the unknown stands in: they cannot be solved."""
    found = [part for part in size.args if not (part.is_Add or part.is_Mul or part.is_Symbol) and part.has(unknown)]
    inner = [p for part in size.args if part.is_Add or part.is_Mul for p in _nested(part, unknown)]
    return [*found, *inner] or [Symbol("nothing")]


def extent(label: str, place: int) -> Code:
    """The length of an array along one of its axes."""
    shape = Op("shape", (Var(label),))
    return Op("item", (shape,), place) if place else Op("len", (Var(label),))


def _targets(statement: Statement) -> list[Var]:
    return [t for t in statement.targets if isinstance(t, Var)] if isinstance(statement, Assign) else []


def expressions(node: Node) -> list[Expr]:
    """The lengths that the code of a node needs: of its axes, and in what is static in it."""
    return [*node.dims, *_inside(node.attr)]


def _inside(attr: Any) -> Iterable[Expr]:
    if isinstance(attr, Expr):
        yield attr
    elif isinstance(attr, tuple):
        for part in attr:
            yield from _inside(part)
