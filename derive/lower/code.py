"""Nodes → expressions: how an operand is turned, widened and named so that axes meet by position."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from sympy import Expr

from .matrix import MatrixCoder
from .node import Labels, Node
from .plan import is_host
from .program import Code, Num, Op, Var
from .window_code import Operand, WindowCoder, broadcast, turned

ONE = Num(Fraction(1))
OF_CONDITIONS = {"max": "any", "min": "every"}
RELATIONS = frozenset("greater greater_equal less less_equal equal not_equal".split())


class Coder(WindowCoder, MatrixCoder):
    """Expressions of nodes. `operand` gives the name of what is not inlined, `size` that of a length.

    With `casting`, no operation is left to promote kinds, which not every library does: conditions are cast before they
    are factors, integers before they are compared with reals, and the maximum of conditions is whether any holds.
    """

    def __init__(self, operand: Operand, size: Callable[[Expr], Code], casting: bool = False) -> None:
        self.operand = operand
        self.size = size
        self.casting = casting

    def code(self, node: Node) -> Code:
        """The operation of a node on its operands."""
        special = getattr(self, f"_{node.op}", None)
        if special is not None:
            made: Code = special(node)
            return made
        args = tuple(broadcast(self.operand(arg, labels), labels, node.rank) for arg, labels in node.args)
        if self.casting and node.op == "where" and is_host(node.args[0][0]):
            args = (Op("flag", args[:1]), *args[1:])  # not every library selects by a Python number
        return Op(node.op, self._alike(node, args) if self.casting and node.op in RELATIONS else args)

    def _alike(self, node: Node, args: tuple[Code, ...]) -> tuple[Code, ...]:
        """Integers as reals where they are compared with reals."""
        if all(arg.kind == "int" or is_whole(arg) for arg, _ in node.args):
            return args
        kinds = [arg.kind for arg, _ in node.args]
        return tuple(Op("cast", (code,)) if kind == "int" else code for kind, code in zip(kinds, args, strict=True))

    def terms(self, node: Node) -> list[tuple[int, Code]]:
        """The summands of a node, aligned, with their signs."""
        return [
            (sign, broadcast(self.operand(arg, labels), labels, node.rank))
            for sign, (arg, labels) in zip(node.attr, node.args, strict=True)
        ]

    def _terms(self, node: Node) -> Code:
        (_, total), *rest = self.terms(node)
        for sign, code in rest:
            total = Op("add" if sign > 0 else "subtract", (total, code))
        return total

    def _multiply(self, node: Node) -> Code:
        args = tuple(self._factor(arg, labels, node.rank) for arg, labels in node.args)
        last = args[-1]
        if node.rank == 0 and isinstance(last, Op) and last.name == "divide" and last.args[0] == ONE:
            return Op("divide", (args[0], last.args[1]))
        return Op("multiply", args)

    def _factor(self, node: Node, labels: Labels, rank: int) -> Code:
        code = broadcast(self.operand(node, labels), labels, rank)
        return Op("cast", (code,)) if self.casting and node.kind == "bool" else code

    # Numbers of the host

    def _number(self, node: Node) -> Code:
        return Num(node.attr)

    def _scalar(self, node: Node) -> Code:
        return Var(node.attr)

    def _size(self, node: Node) -> Code:
        return self.size(node.attr)

    def _host_product(self, node: Node) -> Code:
        coefficient, exponents = node.attr
        above: list[Code] = []
        below: list[Code] = []
        for (base, _), exponent in zip(node.args, exponents, strict=True):
            code = self.operand(base, ())
            power = abs(exponent)
            side = above if exponent > 0 else below
            side.append(code if power == 1 else Op("power", (code, Num(power))))
        negative, value = coefficient < 0, abs(coefficient)
        if value != 1 or not above:
            short = _terminates(value)
            above.insert(0, Num(value if short else Fraction(value.numerator)))
            if not short:
                below.insert(0, Num(Fraction(value.denominator)))
        made = _chained(above)
        if negative:
            made = Num(-made.value) if isinstance(made, Num) else Op("negative", (made,))
        return Op("divide", (made, _chained(below))) if below else made

    def _host_sum(self, node: Node) -> Code:
        terms = [(sign, self.operand(arg, ())) for sign, (arg, _) in zip(node.attr, node.args, strict=True)]
        terms.sort(key=lambda t: t[0] < 0)
        total = terms[0][1] if terms[0][0] > 0 else Op("negative", (terms[0][1],))
        for sign, code in terms[1:]:
            total = Op("add" if sign > 0 else "subtract", (total, code))
        return total

    def _host_power(self, node: Node) -> Code:
        return Op("power", tuple(self.operand(arg, labels) for arg, labels in node.args))

    def _host_function(self, node: Node) -> Code:
        return Op("host", tuple(self.operand(arg, labels) for arg, labels in node.args), node.attr)

    def _host_where(self, node: Node) -> Code:
        return Op("choice", tuple(self.operand(arg, labels) for arg, labels in node.args))

    # Arrays made from nothing

    def _full(self, node: Node) -> Code:
        shape = tuple(self.size(length) for length in node.dims)
        value = self.operand(*node.args[0])
        return Op("ones", shape) if value == ONE else Op("full", (*shape, value))

    def _constant(self, node: Node) -> Code:
        return Op("typed", (self.operand(*node.args[0]),))

    def _eye(self, node: Node) -> Code:
        return Op("eye", (self.size(node.dims[0]),))

    def _arange(self, node: Node) -> Code:
        return Op("arange", (self.size(node.dims[0]),))

    def _concatenate(self, node: Node) -> Code:
        parts = []
        for arg, labels in node.args:
            (own,) = [label for label in labels if label >= node.rank]
            order = [own if k == node.attr else k for k in range(node.rank)]
            parts.append(turned(self.operand(arg, labels), labels, order))
        return Op("concatenate", tuple(parts), node.attr)

    def _broadcast(self, node: Node) -> Code:
        arg, labels = node.args[0]
        shape = tuple(self.size(length) for length in node.dims)
        value = broadcast(self.operand(arg, labels), labels, node.rank)
        return Op("full", (*shape, value))

    # Contractions and reductions

    def _operands(self, node: Node) -> list[tuple[Code, Labels]]:
        return [(self.operand(arg, labels), labels) for arg, labels in node.args]

    def _matmul(self, node: Node) -> Code:
        (a, first), (b, second) = self._operands(node)
        (shared,) = {label for label in first if label >= node.rank}
        if len(first) == 1:
            return Op("matmul", (a, turned(b, second, (shared, *range(node.rank)))))
        rows = [label for label in first if label < node.rank and (label not in second or len(second) == 1)]
        batch = [label for label in range(node.rank) if label in first and label in second]
        left = turned(a, first, (*batch, *sorted(rows), shared))
        if len(second) == 1:
            return Op("matmul", (left, b))
        columns = [label for label in second if label < node.rank and label not in first]
        return Op("matmul", (left, turned(b, second, (*batch, shared, *columns))))

    def _matvec(self, node: Node) -> Code:
        (a, first), (b, second) = self._operands(node)
        (shared,) = {label for label in first if label >= node.rank}
        left = turned(a, first, (*range(node.rank), shared))
        right = turned(b, second, (*(label for label in range(node.rank) if label in second), shared))
        column = Op("expand", (right,), (*(True for _ in second), False))
        flags = tuple(True for _ in range(node.rank))
        return Op("first", (Op("matmul", (left, column)),), len(flags))

    def _tensordot(self, node: Node) -> Code:
        (a, first), (b, second) = self._operands(node)
        shared = [label for label in first if label >= node.rank]
        axes = tuple(first.index(s) for s in shared), tuple(second.index(s) for s in shared)
        made = Op("tensordot", (a, b), axes)
        order = tuple(label for label in (*first, *second) if label < node.rank)
        return turned(made, order, range(node.rank))

    def _vecdot(self, node: Node) -> Code:
        (a, first), (b, second) = self._operands(node)
        return Op("vecdot", (a, turned(b, second, first)))

    def _vdot(self, node: Node) -> Code:
        (a, first), (b, second) = self._operands(node)
        b = turned(b, second, first)
        return Op("matmul" if len(first) == 1 else "vdot", (a, b))

    def _einsum(self, node: Node) -> Code:
        letters = "abcdefghijklmnopqrstuvwxyz"
        spelled = ["".join(letters[label] for label in labels) for _, labels in node.args]
        spec = f"{','.join(spelled)}->{letters[: node.rank]}"
        return Op("einsum", tuple(self.operand(arg, labels) for arg, labels in node.args), spec)

    def _reduction(self, node: Node) -> Code:
        ((a, labels),) = self._operands(node)
        axes = tuple(place for place, label in enumerate(labels) if label >= node.rank)
        over = OF_CONDITIONS.get(node.op, node.op) if self.casting and node.args[0][0].kind == "bool" else node.op
        made = Op(over, (a,), axes if node.rank else ())
        return turned(made, tuple(label for label in labels if label < node.rank), range(node.rank))

    _max = _min = _prod = _sum = _reduction

    def _running(self, node: Node) -> Code:
        ((a, labels),) = node.args
        return Op("cumsum", (turned(self.operand(a, labels), labels, range(node.rank)),), node.attr)

    # Views and copies

    def _diagonal(self, node: Node) -> Code:
        ((a, labels),) = self._operands(node)
        if len(labels) == 2:
            return Op("diagonal", (a,))
        letters = "abcdefghijklmnopqrstuvwxyz"
        spec = f"{''.join(letters[label] for label in labels)}->{letters[: node.rank]}"
        return Op("einsum", (a,), spec)

    def _permute(self, node: Node) -> Code:
        ((a, labels),) = self._operands(node)
        return turned(a, labels, range(node.rank))

    def _copy(self, node: Node) -> Code:
        return Op("copy", (self.operand(*node.args[0]),))


def is_whole(node: Node) -> bool:
    """Whether a number of the host is known to be an integer."""
    return node.op == "size" or (node.op == "number" and node.attr.denominator == 1)


def _terminates(value: Fraction) -> bool:
    """Whether a fraction is best written as a decimal number."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def _chained(codes: list[Code]) -> Code:
    made = codes[0]
    for code in codes[1:]:
        made = Op("multiply", (made, code))
    return made
