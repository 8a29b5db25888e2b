"""Expressions that stand in a formula although no law differentiates them: they are read, shown and named."""

from __future__ import annotations

from typing import Any

from sympy import Expr, Symbol


class Unknown(Expr):
    """f(x, y) of a declared function about which nothing is known; the first argument is its name."""

    is_commutative = True
    is_real = True

    @staticmethod
    def of(name: str, *arguments: Expr) -> Unknown:
        return Unknown(Symbol(name), *arguments)

    @property
    def function(self) -> str:
        return str(self.args[0])

    def _sympystr(self, printer: Any) -> str:
        return f"{self.function}({', '.join(printer._print(a) for a in self.args[1:])})"


class Slope(Expr):
    """∂/∂x ∂/∂y of an expression, not carried out: arguments are the expression and the entries."""

    is_commutative = True
    is_real = True

    def _sympystr(self, printer: Any) -> str:
        return f"D({', '.join(printer._print(a) for a in self.args)})"
