"""SymPy index expressions in: each becomes a poly. Sums inside products are named here, as the author grouped them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import sympy
from sympy import Expr, Max, Min, Rational
from sympy.core.basic import Basic

from derive.axes import (
    AdjointOf,
    ArgMaxOver,
    Axis,
    Carried,
    Delta,
    Digamma,
    Entry,
    Expm1,
    Log1p,
    Logcosh,
    MatrixFunction,
    MaxOver,
    MeanOver,
    MinOver,
    ProdOver,
    Scalar,
    Sigmoid,
    Softplus,
    StopGradient,
    SumOver,
    Tensor,
    Tetragamma,
    Trigamma,
    Unsupported,
    Where,
    free_axes,
)

from .algebra import Algebra
from .conditions import Conditions, masked
from .data import UNIT, Head, Letter, Poly, number
from .indices import Env, Ties
from .matrix import TALL, matrix_function

# Functions of one argument that the algebra carries as they are: SymPy class → label.
FUNCTIONS: dict[Any, str] = {
    sympy.tanh: "tanh",
    sympy.cosh: "cosh",
    sympy.sin: "sin",
    sympy.cos: "cos",
    sympy.erf: "erf",
    sympy.Abs: "abs",
    sympy.sign: "sign",
    Sigmoid: "sigmoid",
    Softplus: "softplus",
    Logcosh: "logcosh",
    sympy.atan: "atan",
    sympy.asin: "asin",
    sympy.acos: "acos",
    sympy.asinh: "asinh",
    sympy.atanh: "atanh",
    sympy.gamma: "gamma",
    sympy.loggamma: "loggamma",
    Digamma: "digamma",
    Trigamma: "trigamma",
    Tetragamma: "tetragamma",
    StopGradient: "stop_gradient",
}
# Functions of one argument that are read as what they are made of, right near the ends of their ranges, too.
SPELLED: dict[Any, Callable[[Expr], Expr]] = {
    sympy.acosh: lambda u: 2 * sympy.asinh(sympy.sqrt((u - 1) / 2)),
    sympy.erfc: lambda u: 1 - sympy.erf(u),
}


class Reader(Conditions):
    """Reads expressions into one Algebra."""

    def __init__(self, algebra: Algebra, expand: bool = False) -> None:
        super().__init__(algebra, expand)
        self.tensors: dict[Tensor, Head] = {}
        self.carried: list[Carried] = []  # what recurrences carry: heads without a definition, each tied to one

    # Tensors.

    def tensor(self, tensor: Tensor) -> Head:
        """The head of a tensor; one with a body is a name, and its body must have been defined before."""
        if tensor in self.tensors:
            return self.tensors[tensor]
        if tensor.body is not None:
            return self.define(tensor)
        if isinstance(tensor, Carried):
            self.carried.append(tensor)
        spaces = self.spaces(tensor)
        self.tensors[tensor] = self.algebra.head(
            ("tensor", tensor), "tensor", tensor.name, spaces, slots=self.algebra.slots_for(spaces), payload=tensor
        )
        return self.tensors[tensor]

    def spaces(self, tensor: Tensor) -> tuple[int, ...]:
        for a in tensor.axes:
            self.measure(a)
        return tuple(self.algebra.space(a.size) for a in tensor.axes)

    def define(self, tensor: Tensor) -> Head:
        """The name head of a tensor with a body."""
        algebra, spaces = self.algebra, self.spaces(tensor)
        env = {a: algebra.letter(a) for a in tensor.axes}
        slots = algebra.slots_for(spaces)
        body = self.read(tensor.body, env)
        body = algebra.relabelled(body, dict(zip(env.values(), slots, strict=True)))
        head = algebra.head(
            ("tensor", tensor), "name", tensor.name, spaces, slots=slots, args=(body,), payload=tensor,
            role=tensor.role, of=tensor.of, positive=algebra.is_positive(body),
        )  # fmt: skip
        self.tensors[tensor] = head
        return head

    def measure(self, axis: Axis) -> int:
        """Make the length of an axis known to the algebra."""
        space = self.algebra.space(axis.size)
        if space not in self.algebra.size_of:
            self.algebra.size_of[space] = self.length(axis.size)
        return space

    def length(self, size: Expr) -> Poly:
        """A length as a poly; one with floors or roundings is an integer of its own."""
        if isinstance(size, (sympy.Symbol, sympy.Integer)) or not size.has(sympy.floor, sympy.ceiling, Min, Max):
            return self.read(size, {})
        return self.algebra.atom(self.algebra.head(("symbol", size), "symbol", str(size), payload=size, positive=True),
                                 ())  # fmt: skip

    # Expressions.

    def read(self, node: Basic, env: Env) -> Poly:
        """The poly of an expression; `env` gives the letters of the axes in scope."""
        for kind, reader in _READERS.items():
            if isinstance(node, kind):
                return reader(self, node, env)
        raise Unsupported(f"no reading for {type(node).__name__}: {node}")

    def entry(self, node: Any, env: Env) -> Poly:
        """An entry; an index that is no letter becomes one, summed, tied by a window: Σ_y W(y = s·h + r) x[y]."""
        head, ties = self.tensor(node.tensor), Ties()
        letters = self.indexed(node.tensor.axes, node.indices, env, ties)
        if not ties.windows:
            return self.algebra.atom(head, letters)
        return self.algebra.poly([ties.raw({(head.id, letters): 1})])

    def constant(self, node: Expr, env: Env) -> Poly:
        if isinstance(node, sympy.Float):
            node = Rational(repr(float(node)))  # the decimal that its author wrote
            self.algebra.decimal |= node.q % 5 == 0
        if isinstance(node, Rational):
            return self.algebra.constant(number(Fraction(int(node.p), int(node.q))))
        return self.symbol(node, env)

    def symbol(self, node: Expr, env: Env) -> Poly:
        if not isinstance(node, (sympy.Symbol, sympy.NumberSymbol)):
            raise Unsupported(f"no reading for {type(node).__name__}: {node}")
        head = self.algebra.head(("symbol", node), "symbol", str(node), payload=node,
                                 positive=bool(node.is_positive))  # fmt: skip
        return self.algebra.atom(head, ())

    def axis_value(self, node: Axis, env: Env) -> Poly:
        """A letter used as a number."""
        space = self.measure(node)
        head = self.algebra.head(("index", space), "index", "index", (space,))
        return self.algebra.atom(head, (self.letter_of(node, env),))

    def rounded(self, node: Expr, env: Env) -> Poly:
        """⌊e/m⌋ or e mod m as a number: Σ_q [e = m q + r] q; of sizes alone, an integer of its own."""
        if not free_axes(node):
            return self.length(node)
        if isinstance(node, (Min, Max)):
            raise Unsupported(f"no law for {node}: write minimum(a, b) or maximum(a, b)")
        ties = Ties()
        ((coefficient, _, (letter,)),), _ = self.form(node, env, ties)
        space = self.algebra.letter_space[letter]
        head = self.algebra.head(("index", space), "index", "index", (space,))
        made = self.algebra.poly([ties.raw({(head.id, (letter,)): 1})])
        return self.algebra.mul(self.read(coefficient, env), made)

    def sum_of(self, node: Expr, env: Env) -> Poly:
        return self._hyperbolic(self.algebra.add(*(self.read(a, env) for a in node.args)))

    def _hyperbolic(self, poly: Poly) -> Poly:
        """eᵘ + e⁻ᵘ = 2 cosh u and eᵘ − e⁻ᵘ = 2 sinh u, which is 2 tanh u cosh u."""
        algebra = self.algebra
        exps = [{a: p for a, p in term[0] if algebra.heads[a[0]].label == "exp"} for term, _ in poly]
        for one, two in itertools.combinations(range(len(poly)), 2):
            (term, coefficient), (other, same) = poly[one], poly[two]
            rest = {a: p for a, p in term[0] if a not in exps[one]}
            opposite = exps[one] and exps[two] == {a: -p for a, p in exps[one].items()}
            if not opposite or abs(same) != abs(coefficient) or term[1] or other[1]:
                continue
            if rest == {a: p for a, p in other[0] if a not in exps[two]}:
                u = algebra.add(
                    *(algebra.scaled(algebra.arguments(algebra.heads[h], at)[0], p) for (h, at), p in exps[one].items())
                )
                turn = 1 if u[0][1] > 0 else -1  # one of u and −u, whichever way it is written
                u = algebra.scaled(u, turn)
                pair = [self.apply("cosh", u)] + ([] if same == coefficient else [self.apply("tanh", u)])
                both = algebra.mul(algebra.term(2 * coefficient * turn ** (len(pair) - 1), rest, ()), *pair)
                return algebra.add(both, self._hyperbolic(tuple(t for k, t in enumerate(poly) if k not in (one, two))))
        return poly

    def product(self, node: Expr, env: Env) -> Poly:
        """A sum among the factors is named, as the author grouped it, unless only a number stands beside it."""
        polys = [self.read(a, env) for a in node.args]
        beside = sum(not (len(p) == 1 and p[0][0] == UNIT) for p in polys)
        if beside > 1 and not self.expand:
            polys = [self.grouped(p) for p in polys]
        return self.algebra.mul(*polys)

    def power(self, node: Expr, env: Env) -> Poly:
        base, exponent = node.args
        if base is sympy.E:
            return self.exponential(exponent, env)
        if isinstance(exponent, sympy.Float):
            exponent = Rational(str(exponent))
        value = self.read(exponent, env)
        if not value:
            return self.algebra.constant(1)
        if len(value) == 1 and value[0][0] == UNIT:
            return self.raised(self.read(base, env), value[0][1])
        return self.algebra.op("pow", self.flat(self.read(base, env)), self.flat(value))

    # Functions.

    def function(self, node: Expr, env: Env) -> Poly:
        """A function of the table; exp, log and the quotients tan, sinh come by their identities."""
        if isinstance(node, AdjointOf):
            raise Unsupported(f"{node} is a derivative, not a formula")
        if isinstance(node, sympy.exp):
            return self.exponential(node.args[0], env)
        argument = self.read(node.args[0], env)
        if isinstance(node, sympy.log):
            if len(node.args) > 1:
                raise Unsupported(f"log with a base: {node}; write log(x)/log(base)")
            return self.log_of(argument)
        if isinstance(node, Log1p):
            return self.log_of(self.algebra.add(self.algebra.constant(1), argument))
        if isinstance(node, Expm1):
            return self.algebra.add(self.exp_of(argument), self.algebra.constant(-1))
        if isinstance(node, sympy.sinh):  # sinh = tanh·cosh, so that sinh/cosh cancels
            return self.algebra.mul(self.apply("tanh", argument), self.apply("cosh", argument))
        if isinstance(node, sympy.tan):
            return self.algebra.mul(self.apply("sin", argument), self.raised(self.apply("cos", argument), -1))
        if isinstance(node, sympy.polygamma) and node.args[0] in (0, 1, 2):  # SymPy's own ψ
            return self.apply(("digamma", "trigamma", "tetragamma")[int(node.args[0])], self.read(node.args[1], env))
        if node.func in SPELLED:
            return self.read(SPELLED[node.func](node.args[0]), env)
        label = FUNCTIONS.get(node.func)
        if label is None or len(node.args) != 1:
            raise Unsupported(f"no law for the function {node.func.__name__}: {node}")
        return self.apply(label, argument)

    def exponential(self, exponent: Expr, env: Env) -> Poly:
        """exp; where a mask puts −∞, the exponential is 0."""
        condition, finite = masked(exponent, True)
        value = self.exp_of(self.read(finite, env))
        return value if condition is None else self.algebra.mul(self.test(condition, env, True), value)

    # Reductions, δ, where.

    def reduction(self, node: Any, env: Env) -> Poly:
        algebra = self.algebra
        inner, over = self._opened(node.axes, env)
        body = self.read(node.body, inner)
        if isinstance(node, SumOver):
            return algebra.summed(body, over)
        if isinstance(node, MeanOver):
            lengths = [self.raised(algebra.size_of[algebra.letter_space[a]], -1) for a in over]
            return algebra.mul(*lengths, algebra.summed(body, over))
        outside, body = self._drawn_out(body, over)
        return algebra.mul(outside, algebra.op(node.name, self.flat(body), over=over) if body else algebra.constant(1))

    def _drawn_out(self, body: Poly, over: tuple[Letter, ...]) -> tuple[Poly, Poly]:
        """Π_d c eᵘ b = exp(D log c + Σ_d u) Π_d b: exponentials add, numbers are a power; nothing left is ()."""
        algebra = self.algebra
        if len(body) != 1 or body[0][0][1]:
            return algebra.constant(1), body
        ((factors, _), coefficient) = body[0]
        heads = algebra.heads
        exps = {a: p for a, p in factors if heads[a[0]].label == "exp"}
        numbers = {a: p for a, p in factors if heads[a[0]].kind == "symbol" and heads[a[0]].positive}
        rest = {a: p for a, p in factors if a not in exps and a not in numbers}
        if coefficient < 0:
            numbers, rest, own = {}, rest | numbers, coefficient
        else:
            own = 1
        constant = algebra.term(coefficient if own == 1 else 1, numbers, ())
        exponents = [
            algebra.summed(algebra.scaled(algebra.arguments(heads[a[0]], a[1])[0], p), over) for a, p in exps.items()
        ]
        if constant != algebra.constant(1):
            lengths = [algebra.size_of[algebra.letter_space[a]] for a in over]
            exponents.append(algebra.mul(*lengths, self.log_of(constant)))
        outside = self.exp_of(algebra.add(*exponents)) if exponents else algebra.constant(1)
        return outside, algebra.term(own, rest, ()) if rest or own != 1 else ()

    def matrix(self, node: Any, env: Env) -> Poly:
        """An entry of a function of a matrix; an index that is no letter becomes one, tied, as that of an entry."""
        (inner, over), ties = self._opened(node.axes, env), Ties()
        rows, columns = node.axes
        beside = [rows if node.name in TALL and place == 0 else columns for place, _ in enumerate(node.at)]
        own = [index if isinstance(index, Axis) else axis for axis, index in zip(beside, node.at, strict=True)]
        at = self.indexed(own, node.at, env, ties)
        found = matrix_function(self.algebra, node.name, self.flat(self.read(node.body, inner)), over, at)
        return self.algebra.poly([self.algebra.product(ties.raw({}), raw) for raw in self.algebra.raws(found)])

    def extremum(self, node: Any, env: Env) -> Poly:
        """max, min, or where the first of them stands; `where(c, a, -oo)` looks only where c holds."""
        condition, body = masked(node.body, node.name.endswith("max"))
        inner, over = self._opened(node.axes, env)
        polys = [self.flat(self.read(body, inner))]
        if condition is not None and (holds := self.test(condition, inner, True)) != self.algebra.constant(1):
            polys.append(self.flat(holds))
        return self.algebra.op(node.name, *polys, over=over, payload=getattr(node, "component", None))

    def _opened(self, axes: tuple[Axis, ...], env: Env) -> tuple[dict[Axis, Letter], tuple[Letter, ...]]:
        """The scope within a binder: its letters fresh."""
        inner = dict(env)
        for a in axes:
            self.measure(a)
            inner[a] = self.algebra.fresh(self.algebra.letter(a))
        return inner, tuple(inner[a] for a in axes)


_READERS: dict[Any, Callable[[Reader, Any, Env], Poly]] = {
    Entry: Reader.entry,
    (SumOver, MeanOver, ProdOver): Reader.reduction,
    (MaxOver, MinOver, ArgMaxOver): Reader.extremum,
    MatrixFunction: Reader.matrix,
    sympy.Add: Reader.sum_of,
    sympy.Mul: Reader.product,
    sympy.Pow: Reader.power,
    sympy.Number: Reader.constant,
    Where: Reader.where,
    Delta: Reader.delta,
    sympy.exp: Reader.function,
    (sympy.floor, sympy.ceiling, sympy.Mod, Min, Max): Reader.rounded,
    Axis: Reader.axis_value,
    (sympy.Symbol, Scalar, sympy.NumberSymbol): Reader.symbol,
    (sympy.Function, AdjointOf): Reader.function,
}
