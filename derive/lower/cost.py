"""The cost of an array program: operations, bytes moved and bytes saved, as polynomials in the sizes.

What is counted is the calls of NumPy that the program makes. An operation on reals counts 1 for each entry of its
result, comparisons too; a contraction 2 for each product of entries (it is multiplied and added); a reduction 1 for
each entry that is reduced. A transcendental function (exp, log, tanh, a power, …) counts 1, and is counted apart as
well. Functions of a matrix count LAPACK's leading terms. Copying, selecting, and arithmetic on indices, masks and
Python's numbers count nothing.

Moved is what the calls read and write: each operand once, with as many entries as it shows, and each result once.
Views move nothing. What a cache keeps is not seen, nor copies that NumPy makes inside of a call. Integers have 8 bytes,
masks 1, reals `itemsize`. Sums by place, the adjoint of a gather, count as though every entry had its own place. Where
lengths coincide, an axis of length 1 or a step as long as an axis, a copy that is counted may not be needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property

from sympy import Expr, Integer, Rational, Symbol, expand, floor

from derive.axes import DeriveError, NameProblem, did_you_mean

from . import cost_matrices, cost_rows, cost_windows
from .cost_table import table
from .program import Assign, Code, Program, Var
from .shapes import ITEMSIZE, Array, Host, Length, Value, made
from .walk import Blocks, Height, Strips, Tally, Walk, height

ROWS = {**cost_rows.ROWS, **cost_windows.ROWS, **cost_matrices.ROWS}


@dataclass(frozen=True)
class Work:
    """What one call of a function does: operations on reals, those of them that are transcendental, bytes moved."""

    flops: Expr
    transcendental: Expr
    moved: Expr

    def map(self, put: Callable[[Expr], Expr]) -> Work:
        """The same with `put` of each."""
        return Work(*(put(getattr(self, f.name)) for f in fields(self)))


@dataclass(frozen=True)
class Cost:
    """The cost of a module, in sizes: of forward, backward and value_and_grad (None where there is none).

    `saved` is what forward keeps for backward, in bytes; `inputs` is the part of it that are inputs, kept by reference.
    `blocks(n, w)` is the number of blocks that a loop over n rows of w entries takes, of about `block` entries each: 1
    for what is small; `pads(k)` is 0 for k = 0, else 1.
    """

    name: str
    forward: Work
    backward: Work | None
    value_and_grad: Work | None
    saved: Expr
    inputs: Expr
    symbols: tuple[Symbol, ...]
    defaults: Mapping[str, Expr]
    block: int

    def __str__(self) -> str:
        return table(self)

    @property
    def works(self) -> dict[str, Work]:
        """The functions that there are, by name."""
        every = {"forward": self.forward, "backward": self.backward, "value_and_grad": self.value_and_grad}
        return {name: work for name, work in every.items() if work is not None}

    @cached_property
    def where(self) -> dict[Symbol, Expr]:
        """What the lengths are that follow from others, each after those that it needs."""
        found: dict[Symbol, Expr] = {}
        for symbol in sorted({s for e in self._expressions for s in e.atoms(Length)}, key=str):
            found |= dict(_follows(symbol))
        return found

    @cached_property
    def sizes(self) -> tuple[str, ...]:
        """The names of the sizes that must be known for numbers."""
        every = {s for e in (*self._expressions, *self.where.values()) for s in e.free_symbols}
        return tuple(sorted(s.name for s in every - set(self.where) - {ITEMSIZE}))

    @property
    def known(self) -> bool:
        """Whether these are numbers."""
        return all(e.is_Integer for e in self._expressions)

    @cached_property
    def _expressions(self) -> list[Expr]:
        return [e for w in self.works.values() for e in (w.flops, w.moved, w.transcendental)] + [
            self.saved,
            self.inputs,
        ]

    def at(self, *, itemsize: int = 8, **sizes: int) -> Cost:
        """The cost in numbers, at these sizes; those with a default may be left out. `itemsize` 4 is float32.

        Raises NameProblem for a name that is no size, DeriveError for a size that is missing, or that does not fit.
        """
        known = {s.name: s for s in self.symbols}
        for name, value in sizes.items():
            if name not in known:
                raise NameProblem(f"{self.name}: no size {name!r}{did_you_mean(name, known)}; it has {_listed(known)}")
            least = getattr(known[name], "min", 1)
            if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
                raise DeriveError(f"{self.name}: {name}: expected a whole number of at least {least}, given {value!r}")
        numbers: dict[Expr, Expr] = {known[name]: Integer(value) for name, value in sizes.items()}
        for name, default in self.defaults.items():
            numbers.setdefault(known[name], default.xreplace(numbers))
        for name in self.sizes:
            if not numbers.get(known[name], known[name]).is_Integer:
                raise DeriveError(f"{self.name}: size {name} is missing; expected {_listed(self.sizes)}")
        for symbol, value in self.where.items():
            numbers[symbol] = value.xreplace(numbers)
            if not (numbers[symbol].is_Integer and numbers[symbol] > 0):
                raise DeriveError(f"{self.name}: {symbol} = {value} would be {numbers[symbol]}")
        return self._with({**numbers, ITEMSIZE: Integer(itemsize)})

    def _with(self, numbers: Mapping[Expr, Expr]) -> Cost:
        def put(expression: Expr) -> Expr:
            number = expression.xreplace(numbers)
            number = number.replace(Height, lambda rows, width: Integer(height(int(rows), int(width), self.block)))
            number = number.replace(Strips, lambda *given: Strips.counted(self.block, *given))
            number = number.replace(Blocks, self._blocks)
            parts = 3 if any(a.q == 3 for a in expression.atoms(Rational)) else 1  # thirds of n³: LAPACK's
            if not (parts * number).is_Integer:
                raise DeriveError(f"{self.name}: a length is no whole number at these sizes")
            return floor(number)

        return replace(
            self, forward=self.forward.map(put), backward=self.backward and self.backward.map(put),
            value_and_grad=self.value_and_grad and self.value_and_grad.map(put), saved=put(self.saved),
            inputs=put(self.inputs), symbols=(), defaults={},
        )  # fmt: skip

    def _blocks(self, rows: Expr, width: Expr) -> Expr:
        """One block if all fit; else as many rows a block as do, at least 1."""
        return Integer(1 if rows * width <= self.block else -(-int(rows) // max(1, self.block // max(1, int(width)))))


def _follows(symbol: Length) -> Iterator[tuple[Symbol, Expr]]:
    for other in sorted(symbol.value.atoms(Length), key=str):
        yield from _follows(other)
    yield symbol, symbol.value


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def cost(program: Program, block: int) -> Cost:
    """The cost of a program whose backend makes blocks of about `block` entries.

    Raises Unsupported, naming it, for an operation that the table does not have.
    """
    least = dict(pair for array in program.inputs for pair in array.least)
    least |= dict(zip(program.sizes, program.least, strict=True))
    walk = Walk(program.name, least, ROWS)
    scalars = {name: Host(walk.symbol(name) if name in program.sizes else None) for name, _ in program.parameters}
    given: dict[str, Value] = {**_inputs(program, walk), **scalars}
    works = {"forward": _work(walk, program, "forward", given)}
    outputs, saved = walk.value(program.function("forward").result)
    kept = {code: a for code, a in zip(_saved(program), saved, strict=True) if isinstance(a, Array)}
    if program.gradients:
        gs = tuple(map(_upstream, outputs if isinstance(outputs, tuple) else (outputs,)))
        parameters = program.function("backward").parameters
        passed = dict(zip(parameters, (gs[0] if len(gs) == 1 else gs, saved), strict=True))
        works["backward"] = _work(walk, program, "backward", passed)
    if program.gradients and program.scalar_loss:
        works["value_and_grad"] = _work(walk, program, "value_and_grad", given)
    own = {array.name for array in program.inputs}
    inputs = [a for code, a in kept.items() if isinstance(code, Var) and code.name in own]
    return Cost(
        name=program.name, forward=works["forward"], backward=works.get("backward"),
        value_and_grad=works.get("value_and_grad"), saved=_bytes(kept.values()), inputs=_bytes(inputs),
        symbols=tuple(walk.symbols.values()), defaults=_defaults(program, walk, scalars), block=block,
    )  # fmt: skip


def _inputs(program: Program, walk: Walk) -> dict[str, Value]:
    """The inputs as declared; those of any shape as one axis of N entries."""
    found: dict[str, Value] = {}
    for array in program.inputs:
        shape = ("N",) if array.shape is None else array.shape
        names = [f"{array.name}_{k}" if n is None else n for k, n in enumerate(shape)]
        found[array.name] = made([Integer(n) if isinstance(n, int) else walk.symbol(n) for n in names], array.kind)
    return found


def _work(walk: Walk, program: Program, name: str, given: Mapping[str, Value]) -> Work:
    walk.values, walk.tally = dict(given), Tally()
    walk.run(program.function(name).body)
    return Work(walk.tally.flops, walk.tally.transcendental, walk.tally.moved).map(expand)


def _saved(program: Program) -> tuple[Code, ...]:
    """What forward saves, as it is written."""
    for statement in program.function("forward").body:
        if isinstance(statement, Assign) and statement.targets == (Var("saved"),):
            return getattr(statement.value, "args", ())
    return ()


def _upstream(output: Array) -> Value:
    """The gradient that backward is given: a number of the host for a scalar."""
    return made(output.shape) if output.shape else Host()


def _bytes(arrays: Iterable[Array]) -> Expr:
    return expand(sum((a.bytes for a in arrays), Integer(0)))


def _defaults(program: Program, walk: Walk, scalars: Mapping[str, Value]) -> dict[str, Expr]:
    """Sizes that may be left out, each after those that its default needs."""
    found = {n: Integer(d) for n, d in program.parameters if n in program.sizes and d is not None}
    walk.values = dict(scalars)
    return found | {name: walk.length(walk.value(code)) for name, code in program.derived}
