"""How a statement is written: SymPy's printers, with terms as a reader expects them, and letters for their names."""

from __future__ import annotations

from typing import Any

import sympy
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE, precedence
from sympy.printing.str import StrPrinter

LETTERS = {
    "alpha": "α", "beta": "β", "epsilon": "ε", "eta": "η", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν",
    "rho": "ρ", "sigma": "σ", "theta": "θ",
}  # fmt: skip
WORDS = {  # text, LaTeX
    "norm_g": ("‖g‖", r"\lVert g \rVert"),
    "Var w": ("Var w", r"\operatorname{Var} w"),
    "E x²": ("E x²", r"\operatorname{E} x^2"),
}
BELOW = ("in", "out", "max", "min")  # words below a letter, which stand upright
SIGNS = {sympy.Eq: "=", sympy.Ne: "≠", sympy.Le: "≤", sympy.Ge: "≥", sympy.Lt: "<", sympy.Gt: ">"}


def _terms(total: Any) -> list[Any]:
    """The terms of a sum: those that are taken away last, and numbers before them."""
    return sorted(total.args, key=lambda term: (term.could_extract_minus_sign(), term.is_number))


class Text(StrPrinter):
    """Plain text: √κ, λ_max, x², Σ_{k=1}^{t}; factors stand side by side."""

    def _print_Symbol(self, symbol: Any) -> str:
        if symbol.name in WORDS:
            return WORDS[symbol.name][0]
        head, *tail = symbol.name.split("_")
        return "_".join([LETTERS.get(head, head), *tail])

    def _print_Add(self, total: Any, order: Any = None) -> str:
        first, *rest = _terms(total)
        written = self.parenthesize(first, PRECEDENCE["Add"], strict=True)
        for term in rest:
            less = term.could_extract_minus_sign()
            written += (" − " if less else " + ") + self.parenthesize(-term if less else term, PRECEDENCE["Add"] + less)
        return written

    def _print_Mul(self, product: Any) -> str:
        if product.could_extract_minus_sign():
            return "−" + self.parenthesize(-product, PRECEDENCE["Mul"], strict=True)
        over, under = sympy.fraction(product, exact=True)
        if under == 1:
            factors = sorted(over.args if over.is_Mul else [over], key=lambda f: getattr(f, "name", "") in WORDS)
            return " ".join(self.parenthesize(factor, PRECEDENCE["Mul"], strict=True) for factor in factors)
        above = self.parenthesize(over, PRECEDENCE["Mul"], strict=not isinstance(over, sympy.Sum))
        return f"{above}/{self.parenthesize(under, PRECEDENCE['Pow'], strict=True)}"

    def _print_Rational(self, number: Any) -> str:
        sign = "−" if number.p < 0 else ""
        return sign + (str(abs(number.p)) if number.q == 1 else f"{abs(number.p)}/{number.q}")

    def _print_Integer(self, number: Any) -> str:
        return self._print_Rational(number)

    def _print_Pow(self, power: Any, rational: bool = False) -> str:
        base, exponent = power.as_base_exp() if power.base is sympy.E else power.args
        if exponent == sympy.Rational(1, 2):
            return "√" + self.parenthesize(base, PRECEDENCE["Atom"], strict=True)
        if exponent.is_number and exponent < 0:
            return f"1/{self.parenthesize(1 / power, PRECEDENCE['Pow'], strict=True)}"
        raised = self.parenthesize(base, PRECEDENCE["Pow"])
        return raised + {2: "²", 3: "³"}.get(exponent, f"^{self.parenthesize(exponent, PRECEDENCE['Pow'])}")

    def _print_ExpBase(self, power: Any) -> str:
        return f"e^{self.parenthesize(power.args[0], PRECEDENCE['Pow'])}"

    _print_exp = _print_ExpBase

    def _print_Relational(self, relation: Any) -> str:
        return f"{self._print(relation.lhs)} {SIGNS[relation.func]} {self._print(relation.rhs)}"

    def _print_Abs(self, size: Any) -> str:
        return f"|{self._print(size.args[0])}|"

    def _print_Max(self, most: Any) -> str:
        return f"max({', '.join(map(self._print, most.args))})"

    def _print_Pi(self, number: Any) -> str:
        return "π"

    def _print_binomial(self, choice: Any) -> str:
        return f"C({', '.join(map(self._print, choice.args))})"

    def _over(self, sign: str, whole: Any) -> str:
        letter, low, high = whole.limits[0]
        low, high = (self._print(end).replace("oo", "∞") for end in (low, high))
        what = self.parenthesize(whole.function, PRECEDENCE["Mul"])
        return f"{sign}_{{{self._print(letter)}={low}}}^{{{high}}} {what}"

    def _print_Sum(self, whole: Any) -> str:
        return self._over("Σ", whole)

    def _print_Product(self, whole: Any) -> str:
        return self._over("∏", whole)

    def _print_Integral(self, whole: Any) -> str:
        return f"{self._over('∫', whole)} d{whole.limits[0][0]}"

    def _print_Limit(self, limit: Any) -> str:
        what, letter, end, _ = limit.args
        return f"lim_{{{self._print(letter)} → {self._print(end)}}} {self.parenthesize(what, PRECEDENCE['Mul'])}"

    def _print_AppliedUndef(self, call: Any) -> str:
        return f"{call.func}_{self._print(call.args[0])}"

    def _print_Derivative(self, slope: Any) -> str:
        return f"d/d{self._print(slope.variables[0])} {self.parenthesize(slope.expr, PRECEDENCE['Mul'])}"

    def _print_DiagMatrix(self, matrix: Any) -> str:
        return f"diag({self._print(matrix.args[0])})"

    def _print_MatMul(self, product: Any) -> str:
        return " ".join(self.parenthesize(factor, precedence(product)) for factor in product.args)


class Latex(LatexPrinter):
    """LaTeX with the same order of terms, and words below letters upright."""

    def _print_Symbol(self, symbol: Any, style: str = "plain") -> str:
        if symbol.name in WORDS:
            return WORDS[symbol.name][1]
        head, *tail = symbol.name.split("_")
        if len(tail) != 1 or tail[0] not in BELOW:
            return str(super()._print_Symbol(symbol))
        return rf"{super()._print_Symbol(sympy.Symbol(head))}_{{\mathrm{{{tail[0]}}}}}"

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        first, *rest = _terms(expr)
        written = self._print(first)
        for term in rest:
            less = term.could_extract_minus_sign()
            part = self._print(-term if less else term)
            written += (" - " if less else " + ") + (f"\\left({part}\\right)" if less and (-term).is_Add else part)
        return str(written)

    def _print_AppliedUndef(self, expr: Any) -> str:
        return f"{expr.func}_{{{self._print(expr.args[0])}}}"

    def _print_DiagMatrix(self, expr: Any) -> str:
        return rf"\operatorname{{diag}}\left({self._print(expr.args[0])}\right)"


def text(expression: Any) -> str:
    """In plain text."""
    return str(Text().doprint(expression))


def latex(expression: Any) -> str:
    """In LaTeX."""
    return str(Latex().doprint(expression))
