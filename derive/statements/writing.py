"""How a statement is written: SymPy's printers, with terms as a reader expects them, and letters for their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE, precedence
from sympy.printing.str import StrPrinter

LETTERS = {
    "alpha": "α", "beta": "β", "epsilon": "ε", "eta": "η", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν",
    "rho": "ρ", "sigma": "σ", "theta": "θ",
}  # fmt: skip
WORDS = {  # text, LaTeX; in a product in this order, after all else
    "norm_g": ("‖g‖", r"\lVert g \rVert"),
    "norm_d": ("‖d‖", r"\lVert d \rVert"),
    "f_next": ("f(θ − ηg)", r"f(\theta - \eta g)"),
    "f_here": ("f(θ)", r"f(\theta)"),
    "E m_t": ("E m_t", r"\operatorname{E} m_t"),
    "Var ĝ": ("Var ĝ", r"\operatorname{Var} \hat{g}"),
    "Var w": ("Var w", r"\operatorname{Var} w"),
    "Var z": ("Var z", r"\operatorname{Var} z"),
    "E x²": ("E x²", r"\operatorname{E} x^2"),
    "E δ²": ("E δ²", r"\operatorname{E} \delta^2"),
}
PLACES = {word: place for place, word in enumerate(WORDS, start=1)}
WHOLES = (sympy.Sum, sympy.Product, sympy.Integral, sympy.Limit)  # they reach as far as a product does
BELOW = ("in", "out", "max", "min")  # words below a letter, which stand upright
SIGNS = {sympy.Eq: "=", sympy.Ne: "≠", sympy.Le: "≤", sympy.Ge: "≥", sympy.Lt: "<", sympy.Gt: ">"}


def _terms(total: Any) -> list[Any]:
    """The terms of a sum: those that are taken away last, and numbers before them; but 1 + e^x."""
    first = any(term.has(sympy.exp) for term in total.args)
    return sorted(total.args, key=lambda term: (term.could_extract_minus_sign(), term.is_number is not first))


def _factors(product: Any) -> list[Any]:
    """The factors of a product: words last, and after them what reaches to the end."""
    given = product.args if product.is_Mul else [product]
    return sorted(given, key=lambda f: (isinstance(f, WHOLES), PLACES.get(getattr(f.as_base_exp()[0], "name", ""), 0)))


def _quotient(factor: Any) -> bool:
    return bool(factor.is_Mul and sympy.fraction(factor, exact=True)[1] != 1)


def turned(product: Any) -> Any:
    """−(a − b) c as (b − a) c."""
    if product.is_Mul and product.could_extract_minus_sign():
        for factor in product.args:
            signs = {term.could_extract_minus_sign() for term in factor.args} if factor.is_Add else set()
            if len(signs) == 2:
                return sympy.Mul(*(f for f in product.args if f is not factor), -1, evaluate=True) * sympy.Mul(
                    -1, factor
                )
    return product


def sized(content: Any) -> Any:
    """|a − 1| as |1 − a|."""
    return -content if content.is_Add and any(term.is_number and term.is_negative for term in content.args) else content


def outside(whole: Any) -> tuple[Any, Any]:
    """What stands before a sum, and what in it: factors that do not change with its letter, if others do."""
    letter = whole.limits[0][0]
    free, bound = whole.function.as_independent(letter, as_Add=False)
    return (sympy.S.One, whole.function) if bound == 1 or free.is_number else (free, bound)


class Text(StrPrinter):
    """Plain text: √κ, λ_max, x², Σ_{k=1}^{t}; factors stand side by side."""

    def parenthesize(self, item: Any, level: int, strict: bool = False) -> str:
        """A sum in a power or below a line has brackets, since what stands before it is printed with it."""
        return (
            f"({self._print(item)})"
            if isinstance(item, WHOLES) and level > PRECEDENCE["Mul"]
            else str(super().parenthesize(item, level, strict))
        )

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
        product = turned(product)
        if product.could_extract_minus_sign():
            return "−" + self.parenthesize(-product, PRECEDENCE["Mul"], strict=True)
        over, under = sympy.fraction(product, exact=True)
        if under == 1:
            *before, last = _factors(over)
            written = [self.parenthesize(f, PRECEDENCE["Pow" if _quotient(f) else "Mul"], True) for f in before]
            last = self._print(last) if isinstance(last, WHOLES) else self.parenthesize(last, PRECEDENCE["Mul"], True)
            return " ".join([*written, last])
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
        return f"|{self._print(sized(size.args[0]))}|"

    def _print_Max(self, most: Any) -> str:
        return f"max({', '.join(map(self._print, most.args))})"

    def _print_Pi(self, number: Any) -> str:
        return "π"

    def _print_binomial(self, choice: Any) -> str:
        return f"C({', '.join(map(self._print, choice.args))})"

    def _over(self, sign: str, whole: Any) -> str:
        letter, low, high = whole.limits[0]
        low, high = (self._print(end).replace("oo", "∞") for end in (low, high))
        before, function = outside(whole) if isinstance(whole, sympy.Sum) else (1, whole.function)
        what = self.parenthesize(function, PRECEDENCE["Mul"], strict=True)
        head = "" if before == 1 else self.parenthesize(before, PRECEDENCE["Mul"], strict=True) + " "
        return f"{head}{sign}_{{{self._print(letter)}={low}}}^{{{high}}} {what}"

    def _print_Sum(self, whole: Any) -> str:
        return self._over("Σ", whole)

    def _print_Product(self, whole: Any) -> str:
        return self._over("∏", whole)

    def _print_Integral(self, whole: Any) -> str:
        return f"{self._over('∫', whole)} d{whole.limits[0][0]}"

    def _print_Limit(self, limit: Any) -> str:
        what, letter, end, _ = limit.args
        return f"lim_{{{self._print(letter)} → {self._print(end)}}} {self.parenthesize(what, PRECEDENCE['Mul'], True)}"

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

    def _print_Mul(self, expr: Any) -> str:
        product = turned(expr)
        over, under = sympy.fraction(product, exact=True)
        if product.could_extract_minus_sign() or not product.is_Mul:
            return str(super()._print_Mul(product))
        if under != 1:
            return rf"\frac{{{self._print(over)}}}{{{self._print(under)}}}"
        return " ".join(self._bracketed(f) if f.is_Add else self._print(f) for f in _factors(over))

    def _bracketed(self, expr: Any) -> str:
        return rf"\left({self._print(expr)}\right)"

    def _print_Sum(self, expr: Any) -> str:
        before, function = outside(expr)
        if before == 1:
            return str(super()._print_Sum(expr))
        head = self._bracketed(before) if before.is_Add else self._print(before)
        return f"{head} {super()._print_Sum(sympy.Sum(function, *expr.limits))}"

    def _print_Abs(self, expr: Any, exp: str | None = None) -> str:
        written = rf"\left|{{{self._print(sized(expr.args[0]))}}}\right|"
        return f"{written}^{{{exp}}}" if exp else written

    def _print_Derivative(self, expr: Any) -> str:
        return rf"\frac{{d}}{{d {self._print(expr.variables[0])}}} {self._bracketed(expr.expr)}"

    def _print_AppliedUndef(self, expr: Any) -> str:
        return f"{expr.func}_{{{self._print(expr.args[0])}}}"

    def _print_DiagMatrix(self, expr: Any) -> str:
        return rf"\operatorname{{diag}}\left({self._print(expr.args[0])}\right)"


def conditions(given: Sequence[Any], positive: Sequence[Any], in_latex: bool = False) -> list[str]:
    """Conditions with the signs of what stands in them: 0 < a < b, and 0 < η for what has no other."""
    write, less = latex if in_latex else text, " < "
    found: list[str] = []
    said: set[Any] = set()
    for one in given:
        rising = one.func in (sympy.Lt, sympy.Le) and one.lhs in positive
        found.append(("0" + less if rising and one.lhs not in said else "") + write(one))
        said |= {one.lhs, one.rhs} if rising else set()
    return [*found, *("0" + less + write(s) for s in positive if s not in said)]


def text(expression: Any) -> str:
    """In plain text."""
    return str(Text().doprint(expression))


def latex(expression: Any) -> str:
    """In LaTeX."""
    return str(Latex().doprint(expression))
