"""Sums and products taken apart: terms, signs, what stands above and below the line, in the order they were written."""

from __future__ import annotations

import sympy
from sympy import Integer, Rational, S
from sympy.core.basic import Basic
from sympy.core.relational import Relational

from derive.axes import Where

from .extrema import extremum, rejoined


def number_of(node: Basic) -> Rational | None:
    """The value of a rational number, also of one written unevaluated (−1 · 1/2), else None."""
    if isinstance(node, Rational):
        return node
    if isinstance(node, sympy.Mul):
        parts = [number_of(part) for part in node.args]
        return Rational(sympy.prod(parts)) if all(part is not None for part in parts) else None
    if isinstance(node, sympy.Pow) and node.args[1] == -1:
        base = number_of(node.args[0])
        return 1 / base if base else None
    return None


class Factors:
    """A product taken apart: its sign, and what stands above and below the line, in source order."""

    def __init__(self, node: Basic) -> None:
        self.negative = False
        self.above: list[Basic] = []
        self.below: list[Basic] = []
        self._add(node, up=True)
        self.above = rejoined(_numbers_first([f for f in self.above if f != 1])) or [S.One]
        self.below = _numbers_first([f for f in self.below if f != 1])

    def _add(self, node: Basic, up: bool) -> None:
        side = self.above if up else self.below
        if isinstance(node, sympy.Mul):
            for part in node.args:
                self._add(part, up)
        elif isinstance(node, Rational) and not isinstance(node, Integer):
            self._add(Integer(node.p), up)
            self._add(Integer(node.q), not up)
        elif isinstance(node, sympy.Number) and node.is_negative and node not in (S.NegativeInfinity, S.NaN):
            self.negative = not self.negative
            side.append(-node)
        elif node is S.NegativeInfinity:
            self.negative = not self.negative
            side.append(S.Infinity)
        elif isinstance(node, sympy.Pow):
            self._power(node, up)
        elif extremum(node) is not None:
            side.append(node)
        elif isinstance(node, Where) and node.args[2] == 0 and node.args[1] != 1:
            side.append(Where(node.args[0], S.One, S.Zero))
            self._add(node.args[1], up)
        elif isinstance(node, Where) and node.args[1] == 0 and isinstance(node.args[0], Relational):
            self._add(Where(sympy.Not(node.args[0]), node.args[2], S.Zero), up)
        else:
            side.append(node)

    def _power(self, node: sympy.Pow, up: bool) -> None:
        base, exponent = node.args
        value = number_of(exponent)
        if value is None or value >= 0:
            (self.above if up else self.below).append(node)
        elif value == -1:
            self._add(base, not up)
        else:
            (self.below if up else self.above).append(sympy.Pow(base, -value, evaluate=False))


def _numbers_first(factors: list[Basic]) -> list[Basic]:
    """2 x, and not x · 2."""
    return sorted(factors, key=lambda factor: not isinstance(factor, sympy.Number))


def flattened(node: Basic, kind: type) -> list[Basic]:
    """The arguments of nested sums (or products) as one list, in source order."""
    found: list[Basic] = []
    for part in node.args:
        found += flattened(part, kind) if isinstance(part, kind) else [part]
    return found
