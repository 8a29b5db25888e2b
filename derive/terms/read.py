"""SymPy index expressions in: each becomes a poly. Sums inside products are named here, as the author grouped them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import sympy
from sympy import Expr, Max, Min, Rational
from sympy.core.basic import Basic
from sympy.core.relational import Relational

from derive.axes import (
    AdjointOf,
    ArgMaxOver,
    Axis,
    BoolEntry,
    Carried,
    Delta,
    Entry,
    Expm1,
    Log1p,
    Logcosh,
    MatrixFunction,
    MaxOver,
    MeanOver,
    MinOver,
    PaddedBoolEntry,
    ProdOver,
    Scalar,
    Sigmoid,
    Softplus,
    SumOver,
    Tensor,
    Unsupported,
    Where,
    free_axes,
    proved,
    rename,
    whole,
)

from .algebra import Algebra
from .data import UNIT, ZERO, Head, Letter, Poly, number
from .indices import Env, Indices, Ties
from .matrix import matrix_function

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
    sympy.asinh: "asinh",
    sympy.gamma: "gamma",
    sympy.loggamma: "loggamma",
}


class Reader(Indices):
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
        return algebra.op(node.name, self.flat(body), over=over)

    def matrix(self, node: Any, env: Env) -> Poly:
        """An entry of a function of a matrix."""
        inner, over = self._opened(node.axes, env)
        at = [self.letter_of(index, env) for index in node.at]
        return matrix_function(self.algebra, node.name, self.flat(self.read(node.body, inner)), over, at)

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

    def delta(self, node: Expr, env: Env) -> Poly:
        """δ(i, j) of two letters; of other integers, a window."""
        left, right = node.args
        if isinstance(left, Axis) and isinstance(right, Axis) and left.size == right.size:
            return self.algebra.atom(self.algebra.delta, (self.letter_of(left, env), self.letter_of(right, env)))
        return self.tied(left, right, env)

    def where(self, node: Expr, env: Env) -> Poly:
        """where(c, a, b) = [c] a + [¬c] b."""
        condition, then, otherwise = node.args
        if otherwise in (sympy.oo, -sympy.oo):
            raise Unsupported(f"{otherwise} as a value: it may stand only where max_over, min_over or exp leave it out")
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
            return self._mask(condition, env, holds)
        if isinstance(condition, Relational):
            return self._relation(condition, env, holds)
        raise Unsupported(f"no law for the condition {condition}")

    def _mask(self, node: Any, env: Env, holds: bool) -> Poly:
        """[mask]; beyond the edge a padded mask is false."""
        pair, ties = self.tests(("mask", node.tensor), self._spaces(node.tensor), node.tensor), Ties()
        letters = self.indexed(node.tensor.axes, node.indices, env, ties)
        within = holds or isinstance(node, PaddedBoolEntry)
        found = self.algebra.poly([ties.raw({(pair[0 if within else 1].id, letters): 1})])
        return found if holds or not within else self._less_from_one(found)

    def _less_from_one(self, poly: Poly) -> Poly:
        return self.algebra.add(self.algebra.constant(1), self.algebra.scaled(poly, -1))

    def tests(self, key: Any, spaces: tuple[int, ...], payload: Any, **more: Any) -> tuple[Head, Head]:
        """The head of a condition and of its complement."""
        yes = self.algebra.head((key, True), "test", "yes", spaces, payload=payload, **more)
        no = self.algebra.head((key, False), "test", "no", spaces, payload=payload, **more)
        yes.opposite, no.opposite = no.id, yes.id
        return yes, no

    def _relation(self, node: Any, env: Env, holds: bool) -> Poly:
        algebra = self.algebra
        label, flip, negate = _RELATIONS[node.func]
        left, right = node.args[::-1] if flip else node.args
        known = proved(left, right) if label == "gt" else None
        if known is not None:  # from the ranges of letters
            return algebra.constant(int(known == (holds != negate)))
        if whole(left) and whole(right) and label == "eq" and (free_axes(left) or free_axes(right)):
            same = self.tied(left, right, env)
            return same if holds != negate else self._less_from_one(same)
        if label == "eq" and isinstance(left, Axis) and isinstance(right, Axis) and left.size == right.size:
            same = self.delta(Delta(left, right), env)
            return same if holds != negate else self._less_from_one(same)
        sides = tuple(self.flat(self.read(side, env)) for side in (left, right))
        bodies, letters = algebra.closed_over(sides)
        slots = tuple(sorted({a for p in bodies for a in algebra.free(p)}))
        spaces = tuple(algebra.letter_space[s] for s in slots)
        seen = "flipped" if flip else ""
        yes, no = self.tests((label, bodies), spaces, label, args=bodies, slots=slots, of=seen)
        return algebra.atom(yes if holds != negate else no, letters)


def masked(node: Basic, low: bool) -> tuple[Basic | None, Basic]:
    """(condition, value) of where(condition, value, −∞), also within a sum or a named mask; else (None, the node)."""
    hidden = -sympy.oo if low else sympy.oo
    if isinstance(node, Entry) and node.tensor.body is not None and hides(node.tensor.body):
        return masked(rename(node.tensor.body, dict(zip(node.tensor.axes, node.indices, strict=True))), low)
    if isinstance(node, Where) and node.args[2] == hidden:
        return node.args[0], node.args[1]
    if isinstance(node, sympy.Add):
        found = [masked(term, low) for term in node.args]
        conditions = [c for c, _ in found if c is not None]
        if conditions:
            rest = sympy.Add(*(v for _, v in found), evaluate=False)
            return (conditions[0] if len(conditions) == 1 else sympy.And(*conditions, evaluate=False)), rest
    return None, node


def hides(node: Basic) -> bool:
    """Whether an expression is −∞ or ∞ somewhere: a mask, to be read where it is used."""
    return (
        (isinstance(node, Where) and node.args[2] in (sympy.oo, -sympy.oo))
        or (isinstance(node, sympy.Add) and any(hides(a) for a in node.args))
        or (isinstance(node, Entry) and node.tensor.body is not None and hides(node.tensor.body))
    )


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
