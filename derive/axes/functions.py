"""Scalar functions of the language: SymPy's own where it has them, ours where it has not."""

from __future__ import annotations

from typing import Any

from sympy import Abs, Eq, Expr, Function, Integer
from sympy.core.basic import Basic
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean, BooleanAtom
from sympy.printing.pretty.stringpict import prettyForm

from .errors import DeriveError, ShapeError
from .index import Axis
from .ranges import settled, whole
from .tensor import BoolEntry, Entry, Tensor, scalar


class Sigmoid(Function):
    """σ(x) = 1/(1 + exp(−x))."""

    def _sympystr(self, printer: Any) -> str:
        return f"sigmoid({printer._print(self.args[0])})"

    nargs = 1
    is_real = True


class Softplus(Function):
    """log(1 + exp(x))."""

    def _sympystr(self, printer: Any) -> str:
        return f"softplus({printer._print(self.args[0])})"

    nargs = 1
    is_real = True


class Log1p(Function):
    """log(1 + x), exact also where x is tiny."""

    nargs = 1
    is_real = True

    def _sympystr(self, printer: Any) -> str:
        return f"log1p({printer._print(self.args[0])})"


class Expm1(Function):
    """exp(x) − 1, exact also where x is tiny."""

    nargs = 1
    is_real = True

    def _sympystr(self, printer: Any) -> str:
        return f"expm1({printer._print(self.args[0])})"


class Log1mexp(Function):
    """log(1 − exp(x)) for x < 0, exact at both ends."""

    nargs = 1
    is_real = True

    def _sympystr(self, printer: Any) -> str:
        return f"log1mexp({printer._print(self.args[0])})"


class Logcosh(Function):
    """log cosh(x), exact also where x is tiny; never overflows."""

    nargs = 1
    is_real = True

    def _sympystr(self, printer: Any) -> str:
        return f"logcosh({printer._print(self.args[0])})"


class Digamma(Function):
    """ψ(x) = d log Γ(x)/dx. Unlike SymPy's, it stays what it is, as all functions of a formula do."""

    nargs = 1
    is_real = True
    order = 0

    def _sympystr(self, printer: Any) -> str:
        return f"{type(self).__name__.lower()}({printer._print(self.args[0])})"


class Trigamma(Digamma):
    """ψ₁ = ψ′."""

    order = 1


class Tetragamma(Digamma):
    """ψ₂ = ψ″."""

    order = 2


class StopGradient(Function):
    """sg(x): the value x, held constant: its derivative is 0 by definition."""

    nargs = 1
    is_real = True

    def _sympystr(self, printer: Any) -> str:
        return f"stop_gradient({printer._print(self.args[0])})"


class Delta(Expr):
    """δ(i, j): 1 where the two indices are equal, else 0 (Kronecker)."""

    is_commutative = True
    is_real = True

    def _sympystr(self, printer: Any) -> str:
        return f"delta({printer._print(self.args[0])}, {printer._print(self.args[1])})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return rf"\delta_{{{printer._print(self.args[0])}, {printer._print(self.args[1])}}}"

    def _pretty(self, printer: Any) -> Any:
        return prettyForm(str(self))


class Where(Expr):
    """`a` where the condition holds, else `b`: arguments (condition, a, b)."""

    is_commutative = True
    is_real = True

    def _sympystr(self, printer: Any) -> str:
        return f"where({', '.join(printer._print(a) for a in self.args)})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        condition, then, otherwise = (printer._print(a) for a in self.args)
        return rf"\begin{{cases}} {then} & {condition} \\ {otherwise} & \text{{otherwise}} \end{{cases}}"

    def _pretty(self, printer: Any) -> Any:
        return prettyForm(str(self))


def condition_of(value: Any) -> Basic:
    """`value` as a condition; numbers, tensors and Python bools raise, saying what to write."""
    if isinstance(value, Tensor):
        raise ShapeError(f"where: mask {value.name} is used without its indices: write {value.declared()}")
    if isinstance(value, bool):
        raise DeriveError("where: the condition is a Python bool; write equals(a, b) instead of a == b")
    if isinstance(value, (BooleanAtom, Relational, BoolEntry, Boolean)):
        return value
    raise DeriveError(f"where: expected a condition such as x[b] > 0 or a mask entry, given {value}")


def where(condition: Any, then: Any, otherwise: Any) -> Expr:
    """`then` where the condition holds, else `otherwise`; (where)′ = where(condition, then′, otherwise′)."""
    return Where(condition_of(condition), scalar(then, "where"), scalar(otherwise, "where"))


def maximum(a: Any, b: Any) -> Expr:
    """max(a, b) = where(a > b, a, b): at a tie the gradient goes to b, so relu′(0) = 0."""
    left, right = scalar(a, "maximum"), scalar(b, "maximum")
    return Where(left > right, left, right)


def minimum(a: Any, b: Any) -> Expr:
    """min(a, b) = where(a < b, a, b): at a tie the gradient goes to b."""
    left, right = scalar(a, "minimum"), scalar(b, "minimum")
    return Where(left < right, left, right)


def clip(x: Any, low: Any, high: Any) -> Expr:
    """x held within [low, high]; the gradient passes at the bounds themselves."""
    value, least, most = (scalar(v, "clip") for v in (x, low, high))
    return Where(value < least, least, Where(value > most, most, value))


def sigmoid(x: Any) -> Expr:
    """σ(x) = 1/(1 + exp(−x))."""
    return Sigmoid(scalar(x, "sigmoid"))


def digamma(x: Any) -> Expr:
    """ψ(x), the derivative of log Γ(x)."""
    return Digamma(scalar(x, "digamma"))


def softplus(x: Any) -> Expr:
    """log(1 + exp(x))."""
    return Softplus(scalar(x, "softplus"))


def log1p(x: Any) -> Expr:
    """log(1 + x), exact also where x is tiny."""
    return Log1p(scalar(x, "log1p"))


def expm1(x: Any) -> Expr:
    """exp(x) − 1, exact also where x is tiny."""
    return Expm1(scalar(x, "expm1"))


def absolute(x: Any) -> Expr:
    """|x|, with |·|′(0) = 0."""
    return Abs(scalar(x, "abs"))


def stop_gradient(x: Any) -> Expr:
    """sg(x): the value x, constant to differentiation: sg′ = 0.

    Truncated backpropagation, straight-through estimators, targets that are not learnt. Any number counts as held, of
    inputs and of intermediates alike. Source: van den Oord et al., Neural Discrete Representation Learning (2017),
    equation 3; torch.Tensor.detach, jax.lax.stop_gradient.
    """
    return StopGradient(scalar(x, "stop_gradient"))


detach = stop_gradient  # PyTorch's name


def one_hot(index: Any, axis: Axis) -> Expr:
    """δ(index, axis): 1 where the letter equals the index, else 0; the index may be any integer expression."""
    if not isinstance(axis, Axis):
        raise ShapeError(f"one_hot: expected an axis second, given {axis!r}")
    if isinstance(index, Axis) and index.size != axis.size:
        raise ShapeError(f"one_hot: axes {index.name} and {axis.name} have lengths {index.size} and {axis.size}")
    if isinstance(index, int) and not isinstance(index, bool):
        index = Integer(index)
    if not isinstance(index, Expr) or isinstance(index, Tensor) or not whole(index):
        raise DeriveError(f"one_hot: expected an entry of an Int tensor or an integer expression, given {index}")
    if isinstance(index, Entry) and index.tensor.bound not in (None, axis.size):
        raise ShapeError(f"one_hot: {index} lies below {index.tensor.bound}, but {axis.name} has length {axis.size}")
    return Delta(settled(index), axis)


def equals(left: Any, right: Any) -> Basic:
    """The equation left = right, as a condition or an assumption (== compares objects, not numbers)."""
    return Eq(scalar(left, "equals"), scalar(right, "equals"), evaluate=False)
