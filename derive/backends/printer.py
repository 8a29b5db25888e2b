"""The array program as NumPy source: a row for each operation, with its precedence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from sympy.printing.pycode import PythonCodePrinter

from derive.lower import Assign, Code, Free, Into, Loop, Num, Op, Require, Rows, Statement, Unsupported, Update, Var

from .layout import INDENT, WIDTH, listed, simple, wrapped
from .matrices import OF_MATRICES
from .operations import (
    ATOM,
    COMPARE,
    HOST,
    METHODS,
    OPERATIONS,
    OPERATOR,
    OWN,
    SIGN,
    UNARY,
    Row,
)

LONGEST_NOTE = 100
IN_BODY = WIDTH - len(INDENT)
LONGEST_TARGET = IN_BODY - len(" = saved")


class NumpyPrinter(PythonCodePrinter):
    """Prints expressions and statements of an array program. `modules` are the names of numpy, math, special;
    `noted`: with comments, whose text is made only here."""

    library = "numpy"
    rows: Mapping[str, Row] = OPERATIONS
    by_bits = True  # where(c, x, 0) as a product

    def __init__(self, modules: dict[str, str], noted: bool = True) -> None:
        super().__init__({"fully_qualified_modules": False, "allow_unknown_functions": True})
        self.modules, self.noted = modules, noted
        self.used: set[str] = set()
        self.helpers: set[str] = set()

    def doprint(self, expr: Any, assign_to: Any = None) -> str:
        """The text of an expression or a target."""
        text: str = self._print(expr)
        return text

    def _print_Var(self, var: Var) -> str:
        return var.name

    def _print_Num(self, number: Num) -> str:
        return self._number(number.value)

    def _print_Op(self, op: Op) -> str:
        return self.text(op)[0]

    def _print_Printed(self, printed: Any) -> str:
        text: str = printed.text
        return text

    @staticmethod
    def _number(value: Fraction) -> str:
        whole = value.denominator == 1 and abs(value) < 10**15
        return str(int(value)) if whole else repr(float(value))

    def text(self, code: Code) -> tuple[str, int]:
        """An expression and how tightly it binds."""
        if isinstance(code, Var):
            return code.name, ATOM
        if isinstance(code, Num):
            return self._number(code.value), ATOM if code.value >= 0 else SIGN
        if code.name == "where" and self.by_bits and code.args[2] == Num(Fraction(0)) and type(code.args[1]) is not Num:
            return self.helper("masked", self._all(code)[:2]), ATOM
        special: Callable[[Op], str] | None = getattr(self, f"_op_{code.name}", None)
        if special is not None:
            return special(code), ATOM
        if code.name in OF_MATRICES:
            return self.helper(code.name, self._all(code)), ATOM
        if code.name in self.rows:
            row = self.rows[code.name]
            needs = [row.needs[min(k, len(row.needs) - 1)] for k in range(len(code.args))]
            args = [self.bound(arg, least) for arg, least in zip(code.args, needs, strict=True)]
            template = row.template if not row.wide or all(map(simple, args)) else row.wide
            return self._template(template).format(*args), row.binds
        if code.name in UNARY or code.name.startswith("special."):
            return self._call(code.name, [self.bound(arg, 0) for arg in code.args]), ATOM
        if code.name in METHODS:
            axis = f"axis={code.attr[0]}" if len(code.attr) == 1 else f"axis={code.attr}" if code.attr else ""
            return f"{self.bound(code.args[0], ATOM)}.{METHODS[code.name]}({axis})", ATOM
        raise Unsupported(f"{self.library}: no row for the operation {code.name}")

    def bound(self, code: Code, least: int) -> str:
        """The text of an operand, in parentheses where it binds less tightly than `least`."""
        text, binds = self.text(code)
        return f"({text})" if binds < least else text

    def _template(self, template: str) -> str:
        return template.replace("np.", f"{self.modules['np']}.")

    def _call(self, op: str, args: Sequence[str]) -> str:
        if op in OWN:
            return self.helper(OWN[op], args)
        module, _, name = op.rpartition(".")
        self.used.add(module or "np")
        if module == "special":
            self.module_imports["scipy"].add("special")  # lambdify imports it
        return f"{self.modules[module or 'np']}.{name}({', '.join(args)})"

    # Operations whose text depends on what is static

    def _all(self, op: Op) -> list[str]:
        return [self.bound(arg, 0) for arg in op.args]

    def _op_host(self, op: Op) -> str:
        name = HOST.get(op.attr, f"math.{op.attr}")
        if op.attr == "sign":  # which `math` lacks
            return "(({0} > 0) - ({0} < 0))".format(*self._all(op))
        if not name.startswith("math."):
            return f"{name}({', '.join(self._all(op))})"
        return self._call(name, self._all(op))

    def _op_number(self, op: Op) -> str:
        return str(op.attr)

    def _op_tuple(self, op: Op) -> str:
        return listed("(", self._all(op), ")")

    def _op_results(self, op: Op) -> str:
        return ", ".join(self._all(op))

    def _op_dict(self, op: Op) -> str:
        return listed("{", [f'"{k}": {v}' for k, v in zip(op.attr, self._all(op), strict=True)], "}")

    def _op_rows(self, op: Op) -> str:
        return f"{self.bound(op.args[0], ATOM)}[{op.attr}]"

    _op_item = _op_rows

    def _op_expand(self, op: Op) -> str:
        (array,) = op.args
        kept = [":" if kept else "None" for kept in op.attr]
        if isinstance(array, Op) and array.name == "rows" and all(op.attr[: len(array.attr.split())]):
            kept[: len(array.attr.split())] = [array.attr]
            array = array.args[0]
        return f"{self.bound(array, ATOM)}[{', '.join(kept)}]"

    def _op_limited(self, op: Op) -> str:
        return self.helper("limited", self._all(op))

    def _op_first(self, op: Op) -> str:
        return f"{self.bound(op.args[0], ATOM)}[..., 0]"

    def _op_transpose(self, op: Op) -> str:
        return f"{self.bound(op.args[0], ATOM)}.transpose({', '.join(map(str, op.attr))})"

    def _op_reshape(self, op: Op) -> str:
        return f"{self.bound(op.args[0], ATOM)}.reshape({self.bound(op.args[1], 0)})"

    def _op_cumsum(self, op: Op) -> str:
        axis, backwards = op.attr
        turn = f"[{':, ' * axis}::-1]" if backwards else ""
        return self._call("cumsum", [f"{self.bound(op.args[0], ATOM)}{turn}", f"axis={axis}"]) + turn

    def _op_concatenate(self, op: Op) -> str:
        return self._call("concatenate", [listed("(", self._all(op), ")"), f"axis={op.attr}"])

    def _op_tensordot(self, op: Op) -> str:
        return self._call("tensordot", [*self._all(op), f"axes={tuple(map(list, op.attr))}"])

    def _op_einsum(self, op: Op) -> str:
        return self._call("einsum", [f'"{op.attr}"', *self._all(op)])

    def _shape(self, lengths: Sequence[str]) -> str:
        return lengths[0] if len(lengths) == 1 else f"({', '.join(lengths)})"

    def _op_ones(self, op: Op) -> str:
        return self._call("ones", [self._shape(self._all(op)), "dtype"])

    def _op_zeros(self, op: Op) -> str:
        return self._call("zeros", [self._shape(self._all(op)), "dtype"])

    def _op_empty(self, op: Op) -> str:
        return self._call("empty", [self._shape(self._all(op)), {"real": "dtype"}.get(op.attr, op.attr)])

    def _op_full(self, op: Op) -> str:
        *shape, value = self._all(op)
        return self._call("full", [self._shape(shape), value, "dtype"])

    def _op_into(self, op: Op) -> str:
        value, out = op.args
        assert isinstance(value, Op)
        return self.into(value, out)

    def into(self, value: Op, out: Code) -> str:
        """The call that writes op(args) into `out`."""
        made = self._op_concatenate(value) if value.name == "concatenate" else self._call(value.name, self._all(value))
        return f"{made[:-1]}, out={self.bound(out, 0)})"

    # Windows, gathers, and sums by place

    def _op_infinity(self, op: Op) -> str:
        return f"{'-' if op.attr < 0 else ''}{self.modules['np']}.inf"

    def _op_slice(self, op: Op) -> str:
        parts = self._all(op) or ["", ""]
        return ":".join(parts) if all(map(simple, parts)) else " : ".join(parts).strip()

    def _op_sliced(self, op: Op) -> str:
        array, *slices = op.args
        texts = [self.bound(s, 0) for s in slices]
        places = [k for k, s in enumerate(slices) if s != Op("slice")]
        if op.attr == "gathered" and len(places) == 1 < len(slices):  # whole rows: faster than an index
            return f"{self.bound(array, ATOM)}.take({texts[places[0]]}, axis={places[0]})"
        while len(texts) > 1 and texts[-1] == ":":
            texts.pop()
        return f"{self.bound(array, ATOM)}[{', '.join(texts)}]"

    def _op_place(self, op: Op) -> str:
        return f"{self.bound(op.args[0], ATOM)}.{op.attr}(axis=-1)"

    def helper(self, name: str, args: Sequence[str]) -> str:
        """A call of a function that the emitted module brings along."""
        self.helpers |= {name, *OF_MATRICES.get(name, "").split()}
        return f"{self.modules.get(name, name)}({', '.join(args)})"

    def _op_padded(self, op: Op) -> str:
        (fill, order), args = op.attr, self._all(op)
        named = [] if fill == 0 else [f"fill={'-' if fill < 0 else ''}{self.modules['np']}.inf"]
        if order:
            named += [f"order={order}", f"steps={args.pop()}"]
        return self.helper("laid" if order else "padded", [*args, *named])

    def _op_products(self, op: Op) -> str:
        loop, inner, total = op.attr
        named = [f"loop={loop}", f"inner={inner}", *(["total=True"] if total else [])]
        return self.helper("products", [*self._all(op), *named])

    def _op_spread(self, op: Op) -> str:
        loop, inner, order = op.attr
        return self.helper("spread", [*self._all(op), f"order={order}", f"loop={loop}", f"inner={inner}"])

    def _op_folded(self, op: Op) -> str:
        name, count = op.attr
        step = {"max": "maximum", "min": "minimum", "sum": "add"}[name]
        return self.helper("folded", [f"{self.modules['np']}.{step}", *self._all(op), str(count)])

    def _op_weighted(self, op: Op) -> str:
        return self.helper("weighted", [*self._all(op), str(op.attr)])

    def _op_correlated(self, op: Op) -> str:
        spec, count = op.attr
        return self.helper("correlated", [f'"{spec}"', *self._all(op), str(count)])

    def _op_firsts(self, op: Op) -> str:
        return self.helper("firsts", self._all(op))

    def _op_slopes(self, op: Op) -> str:
        self.helper(op.attr, [])
        return self.helper("slopes", [self.modules.get(op.attr, op.attr), *self._all(op)])

    def _op_selected(self, op: Op) -> str:
        return self.helper("selected", self._all(op))

    def _op_windows(self, op: Op) -> str:
        return self.helper("windows", self._all(op))

    def _op_scattered(self, op: Op) -> str:
        return self.helper("scattered", self._all(op))

    def _op_overlapped(self, op: Op) -> str:
        u, *rest = self._all(op)
        times = [f"times={rest.pop(0)}"] if op.attr == 2 else []
        return self.helper("overlapped", [u, *rest, *times])

    def _op_indices(self, op: Op) -> str:
        return self.helper("indices", ["NAME", f'"{op.attr}"', *self._all(op)])

    def _op_quotient(self, op: Op) -> str:
        text, least = op.attr
        return self.helper(
            "quotient", ["NAME", f'"{text}"', *self._all(op), *([] if least == 1 else [f"least={least}"])]
        )

    def _op_length(self, op: Op) -> str:
        axis, keywords = op.attr
        above, over, *rest = self._all(op)
        first = [above] if over == "1" else [above, f"over={over}"]
        named = [f"{keyword}={value}" for keyword, value in zip(keywords, rest, strict=True)]
        return self.helper("length", ["NAME", f'"{axis}"', *first, *named])

    # Statements

    def lines(self, statement: Statement, indent: str = "") -> list[str]:
        """The lines of a statement, in the body of a function."""
        match statement:
            case Assign(targets, value):
                line = " = ".join([*map(self._target, targets), self.bound(value, 0)])
            case Update(op, target, value):
                line = f"{self.bound(target, 0)} {OPERATOR[op]}= {self.bound(value, 0)}"
            case Into(value, out):
                line = self.into(value, out)
            case Require(condition, text, sizes):
                named = [f"{name}={self.bound(value, 0)}" for name, value in sizes]
                error = self.helper("refused", ["NAME", f'"{text}"', *named])
                head = wrapped(f"if not {self.bound(condition, COMPARE)}:", indent, IN_BODY)
                return [*head, *wrapped(f"raise {error}", indent + INDENT, IN_BODY)]
            case Free(name):
                return [f"{indent}del {name}"]
            case Loop(index, count, backwards, body):
                steps = f"range({self.bound(count, 0)})"
                head = [f"{indent}for {index} in {f'reversed({steps})' if backwards else steps}:"]
                return [*head, *(line for inner in body for line in self.lines(inner, indent + INDENT))]
            case Rows(index, counts, width, body, strips):
                which = "strips" if strips else "pair_blocks" if len(counts) > 1 else "row_blocks"
                order = (counts[-1], width, *counts[:-1]) if strips else (*counts, width)
                blocks = self.helper(which, [self.bound(size, 0) for size in order])
                head = [f"{indent}for {f'({index},)' if strips and len(counts) == 1 else index} in {blocks}:"]
                return [*head, *(line for inner in body for line in self.lines(inner, indent + INDENT))]
        noted = self.noted and 0 < len(str(statement.note)) <= LONGEST_NOTE
        return [*([f"{indent}# {statement.note}"] if noted else []), *wrapped(line, indent, IN_BODY)]

    def _target(self, target: Code) -> str:
        if isinstance(target, Op) and target.name == "tuple":
            names = ", ".join(self._all(target)) + ("," if len(target.args) == 1 else "")
            return names if len(names) < LONGEST_TARGET else f"({names})"
        return self.bound(target, 0)
