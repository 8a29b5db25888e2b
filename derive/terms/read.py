"""SymPy index expressions in: each becomes a poly. Sums inside products are named here, as the author grouped them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import sympy
from sympy import Expr, Rational
from sympy.core.basic import Basic
from sympy.core.relational import Relational

from derive.axes import (
    AdjointOf,
    Axis,
    BoolEntry,
    Delta,
    Entry,
    MaxOver,
    MeanOver,
    ProdOver,
    Scalar,
    Sigmoid,
    Softplus,
    SumOver,
    Tensor,
    Unsupported,
    Where,
)

from .algebra import Algebra
from .data import UNIT, ZERO, Head, Letter, Poly, number
from .powers import Powers

Env = Mapping[Axis, Letter]

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
    sympy.atan: "atan",
    sympy.asin: "asin",
    sympy.asinh: "asinh",
    sympy.gamma: "gamma",
    sympy.loggamma: "loggamma",
}


class Reader(Powers):
    """Reads expressions into one Algebra."""

    def __init__(self, algebra: Algebra, expand: bool = False) -> None:
        super().__init__(algebra, expand)
        self.tensors: dict[Tensor, Head] = {}

    # Tensors.

    def tensor(self, tensor: Tensor) -> Head:
        """The head of a tensor; one with a body is a name, and its body must have been defined before."""
        if tensor in self.tensors:
            return self.tensors[tensor]
        if tensor.body is not None:
            return self.define(tensor)
        spaces = self._spaces(tensor)
        self.tensors[tensor] = self.algebra.head(
            ("tensor", tensor), "tensor", tensor.name, spaces, slots=self.algebra.slots_for(spaces), payload=tensor
        )
        return self.tensors[tensor]

    def _spaces(self, tensor: Tensor) -> tuple[int, ...]:
        for a in tensor.axes:
            self.measure(a)
        return tuple(self.algebra.space(a.size) for a in tensor.axes)

    def define(self, tensor: Tensor) -> Head:
        """The name head of a tensor with a body."""
        algebra, spaces = self.algebra, self._spaces(tensor)
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
            self.algebra.size_of[space] = self.read(axis.size, {})
        return space

    # Expressions.

    def read(self, node: Basic, env: Env) -> Poly:
        """The poly of an expression; `env` gives the letters of the axes in scope."""
        for kind, reader in _READERS.items():
            if isinstance(node, kind):
                return reader(self, node, env)
        raise Unsupported(f"no reading for {type(node).__name__}: {node}")

    def _letter(self, index: Expr, env: Env) -> Letter:
        if not isinstance(index, Axis):
            raise Unsupported(f"index {index} is not a plain axis: affine indices and gathers are not supported yet")
        self.measure(index)
        return env[index] if index in env else self.algebra.letter(index)

    def entry(self, node: Any, env: Env) -> Poly:
        head = self.tensor(node.tensor)
        return self.algebra.atom(head, tuple(self._letter(i, env) for i in node.indices))

    def constant(self, node: Expr, env: Env) -> Poly:
        if isinstance(node, sympy.Float):
            node = Rational(str(node))
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
        return self.algebra.atom(head, (self._letter(node, env),))

    def sum_of(self, node: Expr, env: Env) -> Poly:
        return self.algebra.add(*(self.read(a, env) for a in node.args))

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
            return self.exp_of(self.read(exponent, env))
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
        argument = self.read(node.args[0], env)
        if isinstance(node, sympy.exp):
            return self.exp_of(argument)
        if isinstance(node, sympy.log):
            if len(node.args) > 1:
                raise Unsupported(f"log with a base: {node}; write log(x)/log(base)")
            return self.log_of(argument)
        if isinstance(node, sympy.sinh):  # sinh = tanh·cosh, so that sinh/cosh cancels
            return self.algebra.mul(self.apply("tanh", argument), self.apply("cosh", argument))
        if isinstance(node, sympy.tan):
            return self.algebra.mul(self.apply("sin", argument), self.raised(self.apply("cos", argument), -1))
        label = FUNCTIONS.get(node.func)
        if label is None or len(node.args) != 1:
            raise Unsupported(f"no law for the function {node.func.__name__}: {node}")
        return self.apply(label, argument)

    # Reductions, δ, where.

    def reduction(self, node: Any, env: Env) -> Poly:
        algebra = self.algebra
        inner = dict(env)
        for a in node.axes:
            self.measure(a)
            inner[a] = algebra.fresh(algebra.letter(a))
        over = tuple(inner[a] for a in node.axes)
        body = self.read(node.body, inner)
        if isinstance(node, SumOver):
            return algebra.summed(body, over)
        if isinstance(node, MeanOver):
            lengths = [self.raised(algebra.size_of[algebra.letter_space[a]], -1) for a in over]
            return algebra.mul(*lengths, algebra.summed(body, over))
        if isinstance(node, (ProdOver, MaxOver)):
            return algebra.op(node.name, self.flat(body), over=over)
        raise Unsupported(f"no law for the reduction {node.name}_over")

    def delta(self, node: Expr, env: Env) -> Poly:
        """δ(i, j) of two letters, or of an integer entry and a letter (one-hot)."""
        index, axis = node.args
        if isinstance(index, Axis):
            return self.algebra.atom(self.algebra.delta, (self._letter(index, env), self._letter(axis, env)))
        tensor = index.tensor
        spaces = (*self._spaces(tensor), self.measure(axis))
        hot: Head = self.algebra.head(("hot", tensor), "test", "hot", spaces, payload=tensor)
        letters = tuple(self._letter(i, env) for i in index.indices)
        return self.algebra.atom(hot, (*letters, self._letter(axis, env)))

    def where(self, node: Expr, env: Env) -> Poly:
        """where(c, a, b) = [c] a + [¬c] b."""
        condition, then, otherwise = node.args
        return self.algebra.add(
            self.algebra.mul(self.test(condition, env, True), self.read(then, env)),
            self.algebra.mul(self.test(condition, env, False), self.read(otherwise, env)),
        )

    def test(self, condition: Basic, env: Env, holds: bool) -> Poly:
        """[c] (or [¬c]) as a poly of disjoint products of tests."""
        algebra = self.algebra
        if condition in (sympy.true, sympy.false):
            return algebra.constant(int((condition == sympy.true) == holds))
        if isinstance(condition, sympy.Not):
            return self.test(condition.args[0], env, not holds)
        if isinstance(condition, (sympy.And, sympy.Or)):
            conjunction = isinstance(condition, sympy.And) == holds
            parts = [(self.test(a, env, holds), self.test(a, env, not holds)) for a in condition.args]
            if conjunction:
                return algebra.mul(*(yes for yes, _ in parts))
            total, none_before = ZERO, algebra.constant(1)
            for yes, no in parts:  # the first that holds: disjoint
                total = algebra.add(total, algebra.mul(none_before, yes))
                none_before = algebra.mul(none_before, no)
            return total
        if isinstance(condition, BoolEntry):
            letters = tuple(self._letter(i, env) for i in condition.indices)
            pair = self._tests(("mask", condition.tensor), self._spaces(condition.tensor), condition.tensor)
            return algebra.atom(pair[0 if holds else 1], letters)
        if isinstance(condition, Relational):
            return self._relation(condition, env, holds)
        raise Unsupported(f"no law for the condition {condition}")

    def _tests(self, key: Any, spaces: tuple[int, ...], payload: Any, **more: Any) -> tuple[Head, Head]:
        """The head of a condition and of its complement."""
        yes = self.algebra.head((key, True), "test", "yes", spaces, payload=payload, **more)
        no = self.algebra.head((key, False), "test", "no", spaces, payload=payload, **more)
        yes.opposite, no.opposite = no.id, yes.id
        return yes, no

    def _relation(self, node: Any, env: Env, holds: bool) -> Poly:
        algebra = self.algebra
        label, flip, negate = _RELATIONS[node.func]
        left, right = node.args[::-1] if flip else node.args
        if label == "eq" and isinstance(left, Axis) and isinstance(right, Axis) and left.size == right.size:
            same = self.delta(Delta(left, right), env)
            return same if holds != negate else algebra.add(algebra.constant(1), algebra.scaled(same, -1))
        sides = tuple(self.flat(self.read(side, env)) for side in (left, right))
        bodies, letters = algebra.closed_over(sides)
        slots = tuple(sorted({a for p in bodies for a in algebra.free(p)}))
        spaces = tuple(algebra.letter_space[s] for s in slots)
        seen = "flipped" if flip else ""
        yes, no = self._tests((label, bodies), spaces, label, args=bodies, slots=slots, of=seen)
        return algebra.atom(yes if holds != negate else no, letters)


# Relations as gt or eq: (label, sides exchanged, negated). a < b is b > a; a ≥ b is not b > a.
_RELATIONS: dict[Any, tuple[str, bool, bool]] = {
    sympy.StrictGreaterThan: ("gt", False, False),
    sympy.StrictLessThan: ("gt", True, False),
    sympy.GreaterThan: ("gt", True, True),
    sympy.LessThan: ("gt", False, True),
    sympy.Eq: ("eq", False, False),
    sympy.Ne: ("eq", False, True),
}
_READERS: dict[Any, Callable[[Reader, Any, Env], Poly]] = {
    Entry: Reader.entry,
    (SumOver, MeanOver, ProdOver, MaxOver): Reader.reduction,
    sympy.Add: Reader.sum_of,
    sympy.Mul: Reader.product,
    sympy.Pow: Reader.power,
    sympy.Number: Reader.constant,
    Where: Reader.where,
    Delta: Reader.delta,
    sympy.exp: Reader.function,
    Axis: Reader.axis_value,
    (sympy.Symbol, Scalar, sympy.NumberSymbol): Reader.symbol,
    (sympy.Function, AdjointOf): Reader.function,
}
