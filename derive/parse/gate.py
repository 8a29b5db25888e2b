"""A gate to latex2sympy2's maintained line: definite integrals, limits and binomials of numbers, checked on both sides.

Our own grammar is the authority. What goes through must be made of a short list of tokens, without names but the bound
one; what comes back must be a number, built of known nodes, with the natural logarithm and no symbol left over.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sympy
from sympy import Expr

from .errors import LatexError, LatexUnsupported
from .tokens import Token

COMMANDS = frozenset("int lim binom frac sqrt sin cos exp pi infty".split())
SYMBOLS = frozenset(["+", "-", "^", "_", "{", "}", "(", ")", "to", "infty", "cdot"])
NODES = (
    sympy.Integral, sympy.Limit, sympy.Add, sympy.Mul, sympy.Pow, sympy.Number, sympy.NumberSymbol, sympy.Symbol,
    sympy.exp, sympy.sin, sympy.cos, sympy.Tuple, sympy.binomial,
    sympy.core.numbers.Infinity, sympy.core.numbers.NegativeInfinity,
)  # fmt: skip
LONGEST = 40  # tokens
MOST = 50  # the largest number


def scalar_calculus(group: Sequence[Token], column: int) -> Expr:
    """The number that an integral, a limit or a binomial means. Raises LatexError where the gate is closed."""
    letters = {t.text for t in group if t.kind == "letter"} - {"d"}
    for token in group:
        known = token.kind == "command" and token.text in COMMANDS
        known = known or (token.kind == "symbol" and token.text in SYMBOLS) or token.kind == "letter"
        known = known or (token.kind == "number" and float(token.text) <= MOST)
        if not known:
            raise LatexUnsupported(f"{token.shown} within an integral, a limit or a binomial is not supported", column)
    pairs = itertools.pairwise(group)
    if any(one.kind == "number" and two.text == "frac" for one, two in pairs):
        raise LatexError("a number before a fraction would be read as a mixed number: write \\cdot", column)
    if len(group) > LONGEST or len(letters) > 1 or "e" in letters or "i" in letters:
        raise LatexUnsupported("only short integrals, limits and binomials of one variable are supported", column)
    _required(column)
    try:
        return _value(_written(group))
    except (LatexError, LatexUnsupported) as problem:
        raise type(problem)(problem.problem, column) from None


@lru_cache(maxsize=256)
def _value(text: str) -> Expr:
    """The number that a text of the gate means; the other parser takes its time."""
    found = _converted(text)
    if not all(isinstance(node, NODES) for node in sympy.preorder_traversal(found)):
        raise LatexUnsupported("the integral, limit or binomial holds what is not known here")
    if getattr(found, "free_symbols", None):
        raise LatexError("an integral, a limit or a binomial must be a number: its variable is not bound")
    return _number(found)


def _written(group: Sequence[Token]) -> str:
    """The tokens as LaTeX again: nothing that was not a token goes through."""
    names = {"to": r"\to ", "infty": r"\infty ", "cdot": r"\cdot "}
    return "".join(
        f"\\{t.text} " if t.kind == "command" else names.get(t.text, t.text) if t.kind == "symbol" else t.text
        for t in group
    )


def _required(column: int) -> None:
    try:
        from latex2sympy2_extended import latex2sympy  # noqa: F401
    except ImportError as problem:
        raise LatexUnsupported(
            "integrals, limits and binomials of numbers need the package latex2sympy2_extended: "
            "pip install 'derive-math[latex]'",
            column,
        ) from problem


def _converted(text: str) -> Any:
    from latex2sympy2_extended import latex2sympy

    try:
        return latex2sympy(text)
    except Exception as problem:  # whatever it raises, it has not read the text
        raise LatexError(f"the integral, limit or binomial cannot be read: {type(problem).__name__}") from None


def _number(found: Any) -> Expr:
    """Its exact value: of polynomials between finite ends, of limits that are one from both sides, of whole numbers."""
    value: Any = None
    if isinstance(found, sympy.Integral) and _plain_integral(found):
        value = found.doit()
        if abs(float(value) - float(found.evalf(12))) > 1e-8 * (1 + abs(float(value))):  # a second way: quadrature
            raise LatexError("two values for the integral: by its antiderivative, and by quadrature")
    elif isinstance(found, sympy.Limit) and sympy.count_ops(found.args[0]) <= 12:
        inner, variable, point = found.args[:3]
        value = sympy.limit(inner, variable, point, "+")
        if point.is_finite and sympy.limit(inner, variable, point, "-") != value:
            raise LatexError("the limit differs from the left and from the right")
    elif isinstance(found, (sympy.Integer, sympy.binomial)):
        value = found.doit()
    if value is None or not value.is_number or not value.is_real or not value.is_finite:
        raise LatexUnsupported("only integrals of polynomials between numbers, short limits and binomials of numbers "
                               "are supported")  # fmt: skip
    return value


def _plain_integral(found: Any) -> bool:
    """Whether it is of a polynomial of one variable, of low degree, between finite ends."""
    if len(found.limits) != 1 or len(found.limits[0]) != 3:
        return False
    variable, low, high = found.limits[0]
    inner = found.function
    return bool(
        inner.is_polynomial(variable) and sympy.degree(inner, variable) <= 12 and low.is_finite and high.is_finite
    )
