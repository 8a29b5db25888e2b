"""Functions of values: entry by entry, of whole vectors and matrices, of the catalogue, and abstract ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sympy import (
    Abs,
    Add,
    Expr,
    Integer,
    Mod,
    Mul,
    Pow,
    asin,
    asinh,
    atan,
    ceiling,
    cos,
    cosh,
    erf,
    exp,
    floor,
    gamma,
    log,
    loggamma,
    pi,
    sign,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
)
from sympy.core.relational import Gt, Lt

from derive.axes import (
    Axis,
    BoolEntry,
    Delta,
    Determinant,
    Digamma,
    Entry,
    LogDeterminant,
    MaxOver,
    MeanOver,
    Sigmoid,
    Size,
    Softplus,
    StopGradient,
    SumOver,
    Where,
    rename,
)

from . import factorials, products
from .catalogued import of_catalogue
from .errors import LatexError, LatexUnsupported
from .letters import plain
from .matrices import p_norm, vec
from .nodes import Slope, Unknown
from .tree import Binary, Call, Name, Node
from .values import Value, fitted, is_open, mul, power

ELEMENTWISE: dict[str, Any] = {
    "exp": exp, "log": log, "sin": sin, "cos": cos, "tan": tan, "sinh": sinh, "cosh": cosh, "tanh": tanh, "atan": atan,
    "asin": asin, "asinh": asinh, "erf": erf, "sqrt": sqrt, "abs": Abs, "sign": sign, "floor": floor, "ceil": ceiling,
    "Γ": gamma, "loggamma": loggamma,
}  # fmt: skip
OURS: dict[str, Callable[[Expr], Expr]] = {
    "sigmoid": Sigmoid, "softplus": Softplus, "sg": StopGradient, "digamma": Digamma,
    "relu": lambda x: extreme(Gt, x, Integer(0)),
    "sech": lambda x: power(cosh(x, evaluate=False), -1), "csch": lambda x: power(sinh(x, evaluate=False), -1),
    "coth": lambda x: power(tanh(x, evaluate=False), -1),
    "acos": lambda x: pi / 2 - asin(x, evaluate=False),
    "atanh": lambda x: (log(1 + x, evaluate=False) - log(1 - x, evaluate=False)) / 2,
}  # fmt: skip
OF_SQUARES = ("exp", "log", "sin", "cos", "sqrt", "sinh", "cosh")  # which have a second meaning for a square matrix


def called(meaning: Any, node: Call) -> Value:
    """The value of a function; a name that is declared is abstract, whatever it is called."""
    name = node.function
    declared = meaning.scope.names.get(name.rstrip("'"))
    if declared is not None and declared.kind == "function":
        return _abstract(meaning, node)
    if name in WHOLE:
        return WHOLE[name](meaning, node)
    if name in ELEMENTWISE or name in OURS:
        return _elementwise(meaning, node)
    if name.endswith("'"):
        return _slope(meaning, node)
    if name == "E" or "*" in name:
        return _abstract(meaning, node)
    return of_catalogue(meaning, node)


def _one(meaning: Any, node: Call) -> Value:
    if len(node.arguments) != 1:
        raise LatexError(f"{node.function}: expected one argument, given {len(node.arguments)}", node.column)
    found: Value = meaning.value(node.arguments[0])
    return found


def _elementwise(meaning: Any, node: Call) -> Value:
    name, inner = node.function, node.arguments[0]
    if name == "log" and isinstance(inner, Call) and (found := factorials.log_of(meaning, inner)) is not None:
        return found
    if name == "log" and isinstance(inner, Call) and inner.function == "det":
        return _logdet(meaning, inner)
    if (
        name == "log"
        and isinstance(inner, Call)
        and inner.function == "abs"
        and determinant(meaning, inner) is not None
    ):
        return _logdet(meaning, inner)
    if name == "abs" and _is_definite(meaning, inner) and (found := determinant(meaning, node)) is not None:
        return found
    if name == "log" and isinstance(inner, Binary) and inner.operator in ("/", "*", "cdot", "times"):
        node = Call(node.column, name, (_volumes(meaning, inner),))
    found = _one(meaning, node)
    if name in OF_SQUARES:
        meaning.not_square(found, name, node)
    if name == "abs" and found.rank == 1 and isinstance(found.body, BoolEntry):  # |N(v)|: how many
        return Value(SumOver(Where(found.body, Integer(1), Integer(0)), *found.axes))
    if name == "abs" and found.rank:
        other = "\\det A" if found.rank == 2 else "\\|x\\|"
        raise LatexError(f"two readings: |x| of an array may be {'a determinant' if found.rank == 2 else 'a norm'}, or "
                         f"taken entry by entry; write {other} or entries", node.column)  # fmt: skip
    body = meaning.real(found, node.arguments[0])
    made = OURS[name](body) if name in OURS else ELEMENTWISE[name](body, evaluate=False)
    return Value(made, found.axes, found.turn, whole=name in ("floor", "ceil") and _of_integers(found.body))


def _of_integers(body: Expr) -> bool:
    """Whether it is made of indices, lengths and whole numbers only: ⌊c/K⌋ is a whole number that may index."""
    if isinstance(body, (Add, Mul, Pow, floor, ceiling, Mod)):
        return all(_of_integers(part) for part in body.args)
    return isinstance(body, (Axis, Size, Integer)) or hasattr(body, "integer_bound")


def determinant(meaning: Any, node: Call) -> Value | None:
    """The determinant that |A| means for a square matrix, where nothing else is meant; None for anything else."""
    found = _one(meaning, node)
    if found.rank != 2 or found.axes[0].size != found.axes[1].size or is_open(found):
        return None
    return Value(Determinant(found.body, *found.axes))


def _is_definite(meaning: Any, node: Node) -> bool:
    return isinstance(node, Name) and "definite" in meaning.scope.names[node.key].flags


def _volumes(meaning: Any, node: Node) -> Node:
    """log(|A|/|B|): within products and quotients |A| of a square matrix is its determinant."""
    if isinstance(node, Binary) and node.operator in ("/", "*", "cdot", "times"):
        return replace(node, left=_volumes(meaning, node.left), right=_volumes(meaning, node.right))
    if isinstance(node, Call) and node.function == "abs" and meaning.value(node.arguments[0]).rank == 2:
        return replace(node, function="det")
    return node


def volume(meaning: Any, node: Node, exponent: Expr) -> Value | None:
    """|Σ|^{−1/2} is a power of the determinant; |A|² might be one of the entries."""
    if not (isinstance(node, Call) and node.function == "abs"):
        return None
    root = exponent.is_negative or (exponent.is_Rational and not exponent.is_Integer)
    return determinant(meaning, node) if root else None


def _slope(meaning: Any, node: Call) -> Value:
    """σ′(x): the derivative of a known function, not carried out."""
    if not node.function.endswith("'") or node.function.endswith("''"):
        raise LatexUnsupported(f"{node.function}: a second derivative is asked for with derive.hessian", node.column)
    inner = called(meaning, Call(node.column, node.function[:-1], node.arguments))
    argument = _one(meaning, node)
    if argument.rank or not isinstance(argument.body, Entry):
        raise LatexUnsupported(f"{node.function}(…): only of one variable", node.column)
    return Value(Slope(inner.body, argument.body))


def _abstract(meaning: Any, node: Call) -> Value:
    """f(x, y) of a declared function: it stays as it is; f′ is its derivative."""
    given = [meaning.value(one) for one in node.arguments]
    name = node.function.rstrip("'")
    declared = meaning.scope.names.get(name)
    acts = declared is not None and "elementwise" in declared.flags
    for value, argument in zip(given, node.arguments, strict=True):
        if value.rank and name == "E":
            raise LatexError("E of an array: write \\operatorname{mean}(x), or \\mathbb{E}_i[x_i]", argument.column)
        if value.rank and not acts:
            raise LatexUnsupported(f"the abstract function {name} of {value.shape}: give it numbers, or declare "
                                   f"{name}: elementwise", argument.column)  # fmt: skip
    shape = max(given, key=lambda value: value.rank)
    bodies = [_beside(shape, value, argument) for value, argument in zip(given, node.arguments, strict=True)]
    made: Expr = Unknown.of(name, *bodies)
    for _ in range(len(node.function) - len(name)):
        made = Slope(made, bodies[0])
    return Value(made, shape.axes, shape.turn)


def _beside(shape: Value, value: Value, argument: Node) -> Expr:
    """The entry of an argument at the axes of the largest one; a number is the same everywhere."""
    if value.rank == 0 or value is shape:
        return value.body
    _, other = products.together(shape, value, ",", argument.column, entrywise=True)
    return other.over(shape.axes)


def _square(meaning: Any, node: Call) -> Value:
    found = _one(meaning, node)
    if found.rank != 2:
        raise LatexError(f"{node.function} of {found.shape}: expected a square matrix", node.column)
    both = fitted(found, found, [(found.axes[0], found.axes[1])])
    if both is None:
        raise LatexError(f"{node.function} of {found.shape}, which is not square", node.column)
    return both[0]


def _trace(meaning: Any, node: Call) -> Value:
    found = _square(meaning, node)
    row, column = found.axes
    return Value(SumOver(rename(found.body, {column: row}), row))


def _det(meaning: Any, node: Call) -> Value:
    found = _square(meaning, node)
    return Value(Determinant(found.body, *found.axes))


def _logdet(meaning: Any, node: Call) -> Value:
    found = _square(meaning, node)
    return Value(LogDeterminant(found.body, *found.axes))


def _diag(meaning: Any, node: Call) -> Value:
    """diag of a vector is a matrix, of a square matrix its diagonal."""
    found = _one(meaning, node)
    if found.rank == 2:
        square = _square(meaning, node)
        row, column = square.axes
        return Value(rename(square.body, {column: row}), (row,))
    if found.rank != 1:
        raise LatexError(f"diag of {found.shape}: expected a vector or a square matrix", node.column)
    (row,) = found.axes
    column = meaning.letters.slot(row.size, meaning.letters.preferred.get(row.name, row.name))
    return Value(mul(found.body, Delta(row, column)), (row, column))


def _vector(meaning: Any, node: Call) -> Value:
    found = _one(meaning, node)
    if found.rank != 1 or is_open(found):
        raise LatexError(f"{node.function} of {found.shape}: expected a vector; write entries", node.column)
    return found


def _softmax(meaning: Any, node: Call) -> Value:
    """exp(z) / Σ exp(z), along the last axis."""
    found = _one(meaning, node)
    if found.rank not in (1, 2) or is_open(found):
        raise LatexError(f"softmax of {found.shape}: expected a vector, or a matrix whose rows are meant", node.column)
    last = found.axes[-1]
    other = meaning.letters.slot(last.size, meaning.letters.preferred.get(last.name, last.name))
    below = SumOver(exp(rename(found.body, {last: other}), evaluate=False), other)
    return Value(products.over(exp(found.body, evaluate=False), below), found.axes, found.turn)


def _logsumexp(meaning: Any, node: Call) -> Value:
    found = _vector(meaning, node)
    return Value(log(SumOver(exp(found.body, evaluate=False), *found.axes), evaluate=False))


def _mean(meaning: Any, node: Call) -> Value:
    found = _vector(meaning, node)
    return Value(MeanOver(found.body, *found.axes))


def _var(meaning: Any, node: Call) -> Value:
    """The mean squared distance from the mean."""
    found = _vector(meaning, node)
    (letter,) = found.axes
    other = meaning.letters.slot(letter.size, meaning.letters.preferred.get(letter.name, letter.name))
    centred = found.body - MeanOver(rename(found.body, {letter: other}), other)
    return Value(MeanOver(power(centred, 2), letter))


def _sum(meaning: Any, node: Call) -> Value:
    found = _vector(meaning, node)
    return Value(SumOver(found.body, *found.axes))


def extreme(sign: Any, a: Expr, b: Expr) -> Expr:
    """max (>) and min (<) of two: at a tie the gradient goes to b. Only numbers are compared here."""
    return Where(sign(a, b, evaluate=bool(a.is_Number and b.is_Number)), a, b)


def _extreme(meaning: Any, node: Call) -> Value:
    """max(a, b) of numbers, or entry by entry with a number; max(x) of a vector is its largest entry."""
    if len(node.arguments) == 1:
        found = _vector(meaning, node)
        body = found.body if node.function == "max" else -found.body
        largest = MaxOver(body, *found.axes)
        return Value(largest if node.function == "max" else -largest)
    sign = Gt if node.function == "max" else Lt
    made = meaning.value(node.arguments[-1])
    for argument in reversed(node.arguments[:-1]):
        # The conventions of ties are those of the formulas: max(0, x) and max(x, 0) have the gradient 0 at 0.
        left, right = products.together(meaning.value(argument), made, ",", node.column, entrywise=True)
        a, b = meaning.real(left, argument), right.over(left.axes)
        first, second = (b, a) if a.is_number else (a, b)
        made = Value(extreme(sign, first, second), left.axes, left.turn)
    return made


def _inner(meaning: Any, node: Call) -> Value:
    left, right = (meaning.value(one) for one in node.arguments)
    return products.inner(left, right, node.column)


def _clip(meaning: Any, node: Call) -> Value:
    """clip(x, low, high), entry by entry; the gradient passes at the bounds."""
    if len(node.arguments) != 3:
        raise LatexError(f"clip: expected x, low, high, given {len(node.arguments)} arguments", node.column)
    found = meaning.value(node.arguments[0])
    low, high = (meaning.number(one, "a bound of clip") for one in node.arguments[1:])
    inner = meaning.real(found, node.arguments[0])
    made = Where(Lt(inner, low, evaluate=False), low, Where(Gt(inner, high, evaluate=False), high, inner))
    return Value(made, found.axes, found.turn)


def _kronecker(meaning: Any, node: Call) -> Value:
    """δ_ij: 1 where both indices are equal."""
    first, second = (meaning.whole(one, "index of \\delta") for one in node.arguments)
    start = meaning.letters.start
    return Value(Delta(plain(first - start), plain(second - start)))


def _later(meaning: Any, node: Call) -> Value:
    raise LatexUnsupported(f"{node.function} is not supported: write its entries", node.column)


WHOLE: dict[str, Callable[[Any, Call], Value]] = {
    "tr": _trace, "det": _det, "logdet": _logdet, "diag": _diag, "softmax": _softmax, "logsumexp": _logsumexp,
    "mean": _mean, "var": _var, "sum": _sum, "max": _extreme, "min": _extreme, "inner": _inner, "vec": vec,
    "pnorm": p_norm, "kronecker": _kronecker, "clip": _clip, "factorial": factorials.factorial,
    "binom": factorials.binomial,
    "expm": _later,
}  # fmt: skip
