"""Γ, factorials and binomial coefficients; their logarithms without what would overflow."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sympy import Expr, Integer, exp, gamma, loggamma

from . import products
from .errors import LatexError
from .letters import plain
from .tree import Call
from .values import Value, add, negative


def factorial(meaning: Any, node: Call) -> Value:
    """n! of a small whole number as written; else Γ(n + 1)."""
    found = _one(meaning, node)
    if isinstance(found.body, Integer) and 0 <= found.body <= 20:
        return Value(Integer(math.factorial(int(found.body))), whole=True, literal=True)
    return Value(gamma(_next(meaning, found, node), evaluate=False), found.axes, found.turn)


def binomial(meaning: Any, node: Call) -> Value:
    """C(n, k) = Γ(n+1) / (Γ(k+1) Γ(n−k+1)), by logarithms, which do not overflow."""
    found = _log_binomial(meaning, node)
    return replace(found, body=exp(found.body, evaluate=False))


def log_of(meaning: Any, node: Call) -> Value | None:
    """log Γ(x), log n! and log C(n, k); None of another function."""
    declared = meaning.scope.names.get(node.function)
    if node.function not in LOGARITHMS or (declared is not None and declared.kind == "function"):
        return None
    return LOGARITHMS[node.function](meaning, node)


def _log_gamma(meaning: Any, node: Call) -> Value:
    found = _one(meaning, node)
    return Value(loggamma(meaning.real(found, node), evaluate=False), found.axes, found.turn)


def _log_factorial(meaning: Any, node: Call) -> Value:
    found = _one(meaning, node)
    return Value(loggamma(_next(meaning, found, node), evaluate=False), found.axes, found.turn)


def _log_binomial(meaning: Any, node: Call) -> Value:
    above, below = (meaning.value(one) for one in node.arguments)
    above, below = products.together(above, below, ",", node.column, entrywise=True)
    below = replace(below, body=below.over(above.axes), axes=above.axes)
    rest = replace(above, body=add(above.body, negative(below.body)), whole=above.whole and below.whole)
    logs = [loggamma(_next(meaning, one, node), evaluate=False) for one in (above, below, rest)]
    return Value(add(logs[0], negative(logs[1]), negative(logs[2])), above.axes, above.turn)


def _one(meaning: Any, node: Call) -> Value:
    if len(node.arguments) != 1:
        raise LatexError(f"{node.function}: expected one argument, given {len(node.arguments)}", node.column)
    found: Value = meaning.value(node.arguments[0])
    return found


def _next(meaning: Any, value: Value, node: Call) -> Expr:
    """n + 1, of which Γ is n!."""
    body: Expr = meaning.real(value, node)
    if body.is_number and not (body.is_Integer and body.is_nonnegative):
        raise LatexError(f"{node.function} of {body}: expected a whole number", node.column)
    return plain(body + 1) if value.whole else add(body, Integer(1))


LOGARITHMS: dict[str, Callable[[Any, Call], Value]] = {
    "Γ": _log_gamma, "factorial": _log_factorial, "binom": _log_binomial,
}  # fmt: skip
