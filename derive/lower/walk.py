"""A walk over the statements of an array program with arrays of symbolic shape, which tallies what they cost.

Each operation is a row of a table: from its operands to its result, tallied on the way. A loop over blocks of rows
tallies its body for a block of some rows; what grows with the rows is taken for all of them, the rest once a block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sympy import Dummy, Expr, Function, Integer, Lambda, Mul, Poly, Symbol

from derive.axes import Size, Unsupported

from .program import Assign, Code, Free, Into, Loop, Num, Op, Require, Rows, Statement, Update, Var
from .shapes import ONE, ZERO, Array, Host, Length, Value, entrywise, made, tidy

RELATIONS = frozenset("greater greater_equal less less_equal equal not_equal".split())
LOGICAL = frozenset("logical_and logical_or logical_not".split())
ARITHMETIC = frozenset(
    "add subtract multiply divide negative absolute sign floor ceil sqrt maximum minimum hypot "
    "plus minus times mod floor_divide".split()
)
TRANSCENDENTAL = frozenset(
    "exp log sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh arctanh log1p expm1 log2 log10 exp2 power "
    "arctan2 special.bounded_exp special.opposed special.log_above "
    "special.erf special.erfc special.erfinv special.gamma special.gammaln special.digamma special.zeta".split()
)
ENTRYWISE = ARITHMETIC | TRANSCENDENTAL | RELATIONS | LOGICAL


class Blocks(Function):
    """How many blocks a loop over `rows` takes, of `width` entries each."""

    nargs = 2

    def _sympystr(self, printer: Any) -> str:
        return f"blocks({', '.join(map(printer.doprint, self.args))})"


class Height(Function):
    """How many rows a strip has, of `rows` in all, of `width` entries each."""

    nargs = 2


class Strips(Function):
    """Σ over strips of rowsᵃ·columnsᵇ, for the arguments a, b, rows, width, columns, and the ends of the columns."""

    nargs = 7
    is_commutative = True

    @staticmethod
    def of(powers: tuple[int, int], rows: Expr, width: Expr, reach: tuple[Expr, Expr, Expr]) -> Expr:
        size, low, high = reach
        ends = (Lambda((START, STOP), end) for end in (low, high))
        return rows if powers == (1, 0) else Strips(*powers, rows, width, size, *ends)

    @staticmethod
    def counted(block: int, *given: Expr) -> Expr:
        """The number, as the loop takes them."""
        a, b, rows, width, size, low, high = given
        step, total = height(int(rows), int(width), block), 0
        for start in range(0, int(rows), step):
            stop = min(start + step, int(rows))
            first = min(max(int(low(start, stop)), 0), int(size) - 1)
            last = max(first + 1, min(int(high(start, stop)), int(size)))
            total += (stop - start) ** int(a) * (last - first) ** int(b)
        return Integer(total)

    def _sympystr(self, printer: Any) -> str:
        a, b, rows, _, size, *_ = self.args
        name = {(0, 0): "strips", (0, 1): "reach", (1, 1): "pairs"}[int(a), int(b)]
        return f"{name}({', '.join(map(printer.doprint, (rows, size) if b else (rows,)))})"


def height(rows: int, width: int, block: int) -> int:
    """The rows of a strip."""
    return min(rows, 64, max(16, block // width))


class Pads(Function):
    """1 where padding makes an array longer, 0 where it is by nothing and no array is made."""

    @classmethod
    def eval(cls, amount: Expr) -> Expr | None:
        if amount.is_zero:
            return ZERO
        return ONE if amount.is_positive else None

    def _sympystr(self, printer: Any) -> str:
        return f"pads({printer.doprint(self.args[0])})"


@dataclass
class Tally:
    """What has been counted: operations on reals, those of them that are transcendental, bytes read and written."""

    flops: Expr = ZERO
    transcendental: Expr = ZERO
    moved: Expr = ZERO

    def add(self, flops: Expr = ZERO, moved: Expr = ZERO, transcendental: Expr = ZERO) -> None:
        self.flops += flops
        self.moved += moved
        self.transcendental += transcendental

    def move(self, *arrays: Value) -> None:
        """Each of these arrays is read, or written, once; numbers of the host cost nothing."""
        self.moved += sum((a.bytes for a in arrays if isinstance(a, Array)), ZERO)


START, STOP = Symbol("start", integer=True), Symbol("stop", integer=True)  # of a strip
Row = Callable[["Walk", Op, Any], Any]  # the walk, the operation, its operands → its result


@dataclass
class Walk:
    """One program. `least` are the sizes that may not be 1, or may be 0; `rows` is the table of operations.

    `symbols` are the sizes that were met; `lengths` are those that follow from others.
    """

    name: str
    least: Mapping[str, int]
    rows: Mapping[str, Row]
    symbols: dict[str, Symbol] = field(default_factory=dict)
    lengths: dict[str, Length] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    values: dict[str, Value] = field(default_factory=dict)
    reach: tuple[Expr, tuple[Expr, Expr, Expr]] | None = None  # the columns of a strip, of how many, and their ends

    # Lengths

    def symbol(self, name: str) -> Symbol:
        """The symbol of a size; the same for the same name."""
        return self.symbols.setdefault(name, Size(name, min=self.least.get(name, 1)))

    def named(self, value: Expr, wanted: str) -> Expr:
        """A product of sizes as it is; another length by a name of its own, `wanted` or with a number."""
        flat = tidy(value)
        if flat.is_polynomial() and not flat.is_Add:
            return flat
        name, number = wanted, 1
        while name in self.symbols or self.lengths.get(name, Length(name, value)).value != value:
            number += 1
            name = f"{wanted}_{number}"
        return self.lengths.setdefault(name, Length(name, value))

    # Statements

    def run(self, body: Sequence[Statement]) -> None:
        for statement in body:
            match statement:
                case Assign(targets, value):
                    self._assign(targets, value)
                case Update(op, target, value):
                    self._update(op, target, self.value(value))
                case Into(value, out):
                    self.into(value, self.value(out))
                case Loop():
                    self._loop(statement)
                case Rows():
                    self._rows(statement)
                case Require() | Free():
                    pass  # checks are not counted

    def _loop(self, statement: Loop) -> None:
        """Each turn costs the same; the second one is counted, for which what is carried has its shape."""
        outer, self.tally = self.tally, Tally()
        self.values[statement.index] = Host()
        self.run(statement.body)
        self.tally = Tally()
        self.run(statement.body)
        inner, self.tally = self.tally, outer
        count = self.length(self.value(statement.count))
        self.tally.add(*(count * e for e in (inner.flops, inner.moved, inner.transcendental)))

    def _rows(self, statement: Rows) -> None:
        *counts, width = (self.length(self.value(code)) for code in (*statement.counts, statement.width))
        names = statement.index.split(", ")
        blocked = counts[:-1] if statement.strips else counts
        inner = (width * Height(counts[-1], width),) if statement.strips else (width,)

        def blocks(rows: tuple[Expr, ...]) -> None:
            if len(rows) < len(blocked):
                count, *beyond = blocked[len(rows) :]
                self.loop(count, Mul(*beyond, *inner), lambda more: blocks((*rows, more)))
                return
            self.values |= {name: (Host(own),) for name, own in zip(names, rows, strict=False)}
            if statement.strips:
                self._strips(names[-1], counts[-1], width, statement.body)
            else:
                self.run(statement.body)

        blocks(())

    def _strips(self, name: str, count: Expr, width: Expr, body: Sequence[Statement]) -> None:
        """The body for strips of rows, each with its columns."""
        rows, outer = Dummy("rows", integer=True, positive=True), self.tally
        self.tally, self.values[name] = Tally(), (Host(rows),)
        self.reach = None
        self.run(body)
        inner, self.tally = self.tally, outer
        assert self.reach is not None
        columns, reach = self.reach

        def over(cost: Expr) -> Expr:
            terms = Poly(cost, rows, columns).terms()
            return sum((each * Strips.of(powers, count, width, reach) for powers, each in terms), ZERO)

        self.tally.add(*map(over, (inner.flops, inner.moved, inner.transcendental)))

    def limited(self, size: Expr, low: Expr, high: Expr) -> tuple[Host]:
        """The columns of a strip."""
        columns = Dummy("columns", integer=True, positive=True)
        self.reach = columns, (size, low, high)
        return (Host(columns),)

    def loop(self, count: Expr, width: Expr, body: Callable[[Expr], None]) -> None:
        """The body for blocks of rows, of `count` in all."""
        rows, outer = Dummy("rows", integer=True, positive=True), self.tally
        self.tally = Tally()
        body(rows)
        inner, self.tally = self.tally, outer
        self.tally.add(*(_over(e, rows, count, width) for e in (inner.flops, inner.moved, inner.transcendental)))

    def _assign(self, targets: Sequence[Code], code: Code) -> None:
        if isinstance(code, Op) and code.name in ("length", "quotient"):
            (target,) = targets
            assert isinstance(target, Var)
            self.values[target.name] = self._told(target.name, code)
            return
        value = self.value(code)
        for target in targets:
            if isinstance(target, Var):
                self.values[target.name] = value
            elif isinstance(target, Op) and target.name == "tuple":
                for part, own in zip(target.args, value, strict=True):
                    assert isinstance(part, Var)
                    self.values[part.name] = own
            else:  # rows of an array, or all of it: copied
                self.tally.move(value, self.value(target))

    def _told(self, name: str, code: Op) -> Host:
        """A length that a check makes known: what the shape of an input says of a size, or what an axis has."""
        if code.name == "quotient":
            return Host(self.symbol(name))
        above, below = (self.value(arg).value for arg in code.args[:2])
        given = self.value(code.args[-1]).value if code.attr[1][-1:] == ("given",) else None
        if isinstance(given, Symbol):
            self.symbols.pop(given.name, None)
        length = self.named(above / below, given.name if isinstance(given, Symbol) else name)
        if isinstance(given, Symbol):  # the axis of an input: known as what it follows from, from here on
            self.values = {name: _renamed(value, given, length) for name, value in self.values.items()}
        return Host(length)

    def _update(self, op: str, target: Code, value: Value) -> None:
        held = self.value(target)
        if isinstance(held, Array):
            self.charge(op, [a for a in (held, value) if isinstance(a, Array)], held)
            if isinstance(target, Op) and target.name == "sliced":  # entries that were gathered are put back
                self.tally.move(held, held)
        else:
            assert isinstance(target, Var)
            self.values[target.name] = Host()  # a sum of Python numbers

    def into(self, value: Op, out: Value) -> Value:
        """An operation that writes into memory at hand."""
        assert isinstance(out, Array)
        if value.name in ("matmul", "concatenate"):  # as if it made the array
            self.value(value)
            return out
        if value.name not in ENTRYWISE:
            raise Unsupported(f"cost: {self.name}: no row for {value.name} into memory at hand")
        self.charge(value.name, [a for a in map(self.value, value.args) if isinstance(a, Array)], out)
        return out

    # Expressions

    def value(self, code: Code) -> Any:
        """The value of an expression, what it costs tallied."""
        if isinstance(code, Var):
            if code.name not in self.values:
                raise Unsupported(f"cost: {self.name}: {code.name} has no value yet")
            return self.values[code.name]
        if isinstance(code, Num):
            return Host(Integer(code.value.numerator) / code.value.denominator)
        if code.name == "into":
            operation, out = code.args
            assert isinstance(operation, Op)
            return self.into(operation, self.value(out))
        known = self.rows.get(code.name)
        if known is None and code.name not in ENTRYWISE:
            raise Unsupported(f"cost: {self.name}: no row for the operation {code.name}")
        args = [self.value(arg) for arg in code.args]
        return known(self, code, args) if known else self.entrywise(code.name, args)

    def length(self, value: Value) -> Expr:
        """The length that a number of the host is."""
        if isinstance(value, Host) and value.value is not None:
            return tidy(value.value)
        raise Unsupported(f"cost: {self.name}: a length that is known only when the code runs")

    def entrywise(self, name: str, args: Sequence[Value]) -> Value:
        """An operation entry by entry: arithmetic on numbers of the host is free."""
        arrays = [a for a in args if isinstance(a, Array)]
        if not arrays:
            return _reckoned(name, args)
        kind = "bool" if name in RELATIONS | LOGICAL else _kind(name, args)
        result = entrywise(arrays, kind)
        self.charge(name, arrays, result)
        return result

    def charge(self, name: str, operands: Sequence[Array], out: Array) -> None:
        """One operation for each entry of `out`, if reals take part; operands are read, `out` is written."""
        real = any(a.kind == "real" for a in (*operands, out))
        flops = out.size if real else ZERO
        self.tally.add(flops, transcendental=flops if name in TRANSCENDENTAL else ZERO)
        self.tally.move(*operands, out)

    def fresh(self, shape: Sequence[Expr], kind: str = "real") -> Array:
        """A new array, written once."""
        array = made(shape, kind)
        self.tally.move(array)
        return array


def _over(cost: Expr, rows: Symbol, count: Expr, width: Expr) -> Expr:
    """The cost of all blocks from that of one: what grows with its rows for all rows, the rest for each block."""
    if not cost.has(rows):
        return cost * Blocks(count, width) if cost != 0 else cost
    terms = Poly(cost, rows)
    if terms.degree() > 1:
        raise Unsupported("cost: a loop over rows whose cost is not linear in the rows of a block")
    each, once = terms.coeff_monomial(rows), terms.coeff_monomial(1)
    return each * count + once * Blocks(count, width)


def _renamed(value: Value, symbol: Symbol, length: Expr) -> Value:
    """The value with a length for a symbol."""
    if isinstance(value, tuple):
        return tuple(_renamed(part, symbol, length) for part in value)
    put = {symbol: length}
    if isinstance(value, Host):
        return Host(None if value.value is None else value.value.xreplace(put), value.empty)
    shape, strides = (tuple(e.xreplace(put) for e in every) for every in (value.shape, value.strides))
    return Array(shape, value.kind, strides)


def _kind(name: str, args: Sequence[Value]) -> str:
    """Integers and masks give integers only among themselves, under arithmetic of integers."""
    arrays = [a for a in args if isinstance(a, Array)]
    exact = all(a.kind != "real" for a in arrays) and name not in TRANSCENDENTAL | {"divide", "sqrt", "hypot"}
    whole = all(
        isinstance(a, Array) or (isinstance(a, Host) and a.value is not None and a.value.is_integer) for a in args
    )
    return "int" if exact and whole else "real"


RECKONED: dict[str, Callable[..., Expr]] = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b,
    "plus": lambda a, b: a + b, "minus": lambda a, b: a - b, "times": lambda a, b: a * b,
    "divide": lambda a, b: a / b, "negative": lambda a: -a, "power": lambda a, b: a**b,
}  # fmt: skip


def _reckoned(name: str, args: Sequence[Value]) -> Host:
    """Arithmetic of the host: exact where it is on sizes, else a number that is known only when the code runs."""
    values = [a.value if isinstance(a, Host) else None for a in args]
    return Host(RECKONED[name](*values)) if name in RECKONED and None not in values else Host()
