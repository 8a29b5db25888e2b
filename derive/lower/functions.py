"""Scalar functions of arrays: a row for each function of the language, and the forms that lose no digits."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from sympy import Abs, Add, Float, Integer, Mul, Pow, Rational, StrictGreaterThan, StrictLessThan, exp, log, sinh

from derive.axes import Expm1, Log1p, Tetragamma, Trigamma, Unsupported, Where

from . import selection
from .algebra import ONE, Hint, added, elementwise, factors, host_product, multiplied, real
from .left import left
from .node import Graph, View, ordered

if TYPE_CHECKING:
    from .read import Reader

LOG2 = math.log(2)
# Functions of the language → elementwise operations, named as NumPy names them. `special.` needs SciPy.
FUNCTIONS = {
    **{name: name for name in "exp log sin cos tan sinh cosh tanh sign floor log1p expm1 log2 log10 exp2".split()},
    **{"Log1p": "log1p", "Expm1": "expm1"},
    **{"asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh"},
    **{"atanh": "arctanh", "Abs": "absolute", "ceiling": "ceil", "atan2": "arctan2", "hypot": "hypot"},
    **{"erf": "special.erf", "erfc": "special.erfc", "erfinv": "special.erfinv", "gamma": "special.gamma"},
    **{"loggamma": "special.gammaln", "Digamma": "special.digamma", "Max": "maximum", "Min": "minimum"},
}
ZETA: dict[Any, tuple[int, int]] = {Trigamma: (1, 2), Tetragamma: (-2, 3)}  # ψₙ(x) = ± n! ζ(n + 1, x), Hurwitz's


def function(r: Reader, term: Any, hint: Hint) -> View:
    """A function by its row; of Python numbers it is one. Raises Unsupported for a function that has none."""
    if type(term) in ZETA:
        times, order = ZETA[type(term)]
        value = elementwise(
            r.graph, "special.zeta", [r.graph.number(order * ONE), real(r.graph, r.read(term.args[0], hint))], hint
        )
        return elementwise(r.graph, "multiply", [value, r.graph.number(times * ONE)], hint)
    op = FUNCTIONS.get(type(term).__name__)
    if op is None:
        raise Unsupported(f"{r.where}: no array operation for {type(term).__name__}, in {term}")
    args = [real(r.graph, r.read(arg, hint)) for arg in term.args]
    if all(arg.host for arg in args):
        return r.graph.host("host_function", *args, attr=op)
    args = [selection.guarded(r, arg, op, hint) for arg in args]
    if op == "special.erfc" and r.graph.in_place:
        return _tail(r.graph, args[0], hint)
    made = args[0]
    for other in args[1:]:  # Max and Min of several
        made = elementwise(r.graph, op, [made, other], hint)
    return made if len(args) > 1 else left(r.graph, op, made, hint, partial(_one, r.graph, op))


def _one(g: Graph, op: str, x: View, hint: Hint) -> View:
    return elementwise(g, op, [x], hint)


def _tail(g: Graph, x: View, hint: Hint) -> View:
    """erfc(c·x) as one function of x and c: it takes numbers before and behind it into its own."""
    inner = g.number(ONE)
    if x.node.op in ("multiply", "negative"):
        found = [*factors(x), g.number(-ONE)][:2]
        if found[1].host:
            x, inner = found
    return elementwise(g, "special.erfc", [x, inner, g.number(ONE)], hint)


def _decay(r: Reader, x: View, hint: Hint) -> View:
    """exp(−|x|): never overflows."""
    size = elementwise(r.graph, "absolute", [x], hint)
    return elementwise(r.graph, "exp", [multiplied(r.graph, r.graph.number(-ONE), size, hint)], hint)


def _called(g: Graph, function: str, *args: View) -> View:
    """A function of Python numbers is one: an array scalar would promote float32."""
    return g.host("host_function", *args, attr=function)


def _decay_of_number(g: Graph, x: View) -> View:
    return _called(g, "exp", host_product(g, -ONE, {_called(g, "absolute", x).node: ONE}))


def _signed(argument: Any) -> tuple[bool, Any]:
    """(whether it is −x, x): functions of x and of −x share exp(−|x|)."""
    if isinstance(argument, Mul) and argument.args[0].is_number and argument.args[0].is_negative:
        rest, number = argument.args[1:], -argument.args[0]
        factors = rest if number == 1 else (number, *rest)
        return True, factors[0] if len(factors) == 1 else Mul(*factors, evaluate=False)
    return False, argument


def _by_bounded_exp(g: Graph, flipped: bool, x: View, hint: Hint) -> View:
    """σ(z) = q/(1 + q), q = exp(z), in four passes; or 1/(1 + q) where q = exp(−z) is at hand. q ends at e⁸⁰."""
    signs = [multiplied(g, g.number(-ONE), x, hint), x]
    z, opposite = signs if flipped else signs[::-1]
    made = [g.has("special.bounded_exp", [v], ordered([v], hint)) for v in (z, opposite)]
    x = opposite if made == [False, True] else z
    q = elementwise(g, "special.bounded_exp", [x], hint)
    below = added(g, [(1, q), (1, g.number(ONE))], hint)[1]
    op, args = ("divide", [q, below]) if x is z else ("special.opposed", [below, x])
    return elementwise(g, op, args, hint)


def _has_decay(g: Graph, x: View, hint: Hint) -> bool:
    """Whether exp(−|x|) is at hand, as softplus makes it."""
    size = elementwise(g, "absolute", [x], hint)
    negative = elementwise(g, "negative", [size], hint)
    return g.has("exp", [negative], ordered([negative], hint))


def sigmoid(r: Reader, term: Any, hint: Hint) -> View:
    """σ(x) = 1/(1 + e) for x ≥ 0, else e/(1 + e), with e = exp(−|x|): keeps the tail. σ(−x) is the other way round.

    In NumPy, where softplus has not made e, it is q/(1 + q) with q = exp(x): half the passes.
    """
    g = r.graph
    flipped, argument = _signed(term.args[0])
    x = real(g, r.read(argument, hint))
    if x.host:
        below = added(g, [(1, _decay_of_number(g, x)), (1, g.number(ONE))], hint)[1]
        x = host_product(g, -ONE, {x.node: ONE}) if flipped else x
        grown = _called(g, "exp", _called(g, "minimum", x, g.number(Fraction(0))))
        return host_product(g, ONE, {grown.node: ONE, below.node: -ONE})
    if g.in_place and not _has_decay(g, x, hint):
        return left(g, "sigmoid_minus" if flipped else "sigmoid", x, hint, partial(_by_bounded_exp, g, flipped))
    decay = _decay(r, x, hint)
    one = elementwise(g, "less" if flipped else "greater_equal", [x, g.number(Fraction(0))], hint, kind="bool")
    top = elementwise(g, "maximum", [decay, real(g, one)], hint)  # e ≤ 1: a tenth of the time of a selection
    below = added(g, [(1, decay), (1, g.number(ONE))], hint)[1]
    return elementwise(g, "divide", [top, below], hint)


def softplus(r: Reader, term: Any, hint: Hint) -> View:
    """log(1 + exp(x)) = max(x, 0) + log(1 + exp(−|x|))."""
    g = r.graph
    flipped, argument = _signed(term.args[0])
    unsigned = real(g, r.read(argument, hint))
    x = multiplied(g, g.number(-ONE), unsigned, hint) if flipped else unsigned
    if x.host:
        rest = _called(g, "log1p", _decay_of_number(g, x))
        return added(g, [(1, rest), (1, _called(g, "maximum", x, g.number(Fraction(0))))], hint)[1]
    rest = elementwise(g, "special.log_above" if g.in_place else "log1p", [_decay(r, unsigned, hint)], hint)
    return added(g, [(1, rest), (1, elementwise(g, "maximum", [x, g.number(Fraction(0))], hint))], hint)[1]


def log1mexp(r: Reader, term: Any, hint: Hint) -> View:
    """log(1 − exp(x)), x < 0: log(−expm1(x)) where x > −log 2, else log1p(−exp(x)). Mächler (2012)."""
    (argument,) = term.args
    near = Log1p(Mul(-1, exp(argument, evaluate=False), evaluate=False))
    far = log(Mul(-1, Expm1(argument), evaluate=False), evaluate=False)
    return r.read(Where(StrictGreaterThan(argument, Float(-LOG2), evaluate=False), far, near), hint)


def series(r: Reader, term: Any, hint: Hint) -> View:
    """c₀ + x (c₁ + x (c₂ + …)), Horner's scheme; where a condition around it does not hold, x is taken for 0."""
    g, (argument, *coefficients) = r.graph, term.args
    x = selection.guarded(r, real(g, r.read(argument, hint)), "series", hint)
    first = next(k for k, c in enumerate(coefficients) if c)
    rest = coefficients[first:]
    even = not any(rest[1::2])
    w = multiplied(g, x, x, hint) if even else x
    *others, value = (r.read(c, hint) for c in rest[:: 1 + even])
    for c in reversed(others):
        value = added(g, [(1, multiplied(g, value, w, hint)), (1, c)], hint)[1]
    for _ in range(first):
        value = multiplied(g, value, x, hint)
    return value


def logcosh(r: Reader, term: Any, hint: Hint) -> View:
    """log cosh(x) = log1p(2 sinh²(x/2)) where |x| < 1, else |x| + log(1 + exp(−2|x|)) − log 2."""
    size = Abs(term.args[0], evaluate=False)
    square = Pow(sinh(Mul(Rational(1, 2), size, evaluate=False), evaluate=False), 2, evaluate=False)
    near = Log1p(Mul(2, square, evaluate=False))
    decay = exp(Mul(-2, size, evaluate=False), evaluate=False)
    far = Add(size, Log1p(decay), Float(-LOG2), evaluate=False)
    return r.read(Where(StrictLessThan(size, Integer(1), evaluate=False), near, far), hint)
