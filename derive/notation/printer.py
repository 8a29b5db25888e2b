"""Index expressions as a reader reads them: one walk over the expression, in the order in which it was written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sympy
from sympy import Integer, Rational, S
from sympy.core.basic import Basic
from sympy.core.relational import Relational

from derive.axes import (
    AdjointOf,
    Axis,
    BoolEntry,
    Delta,
    Entry,
    MeanOver,
    Reduction,
    TangentOf,
    Tensor,
    Unsupported,
    Where,
)

from .glyphs import Glyph
from .names import Names, key_of
from .style import NO_FACTOR, SHORT_EXPONENT, Piece, Style, sum_of, width_of
from .table import ATOM, CONNECTIVES, CONSTANTS, FENCES, FUNCTIONS, MUL, REDUCTIONS, REL, RELATIONS


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
        self.above = [f for f in self.above if f != 1] or [S.One]
        self.below = [f for f in self.below if f != 1]

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
        elif isinstance(node, Where) and node.args[2] == 0 and node.args[1] != 1:
            side.append(Where(node.args[0], S.One, S.Zero))
            self._add(node.args[1], up)
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


class Printer:
    """Prints expressions in one style, with one document's names."""

    def __init__(self, names: Names, style: Style, free: Iterable[Axis] = (), of: Entry | None = None) -> None:
        """`free` are the letters of the equation; `of` is what ∂/∂x is taken of, by default the loss."""
        self.names, self.style, self.of = names, style, of
        self.scope: dict[Axis, Glyph] = names.scope(free)
        self.taken = tuple(self.scope.values())  # also of binders whose letter is bound again further in

    def show(self, node: Basic) -> Piece:
        """The printed expression; Unsupported for a node without a row."""
        kind: type
        for kind in type(node).__mro__:
            if kind in NODES:
                return NODES[kind](self, node)
        raise Unsupported(f"{self.language} printer: no row for {type(node).__name__}: {node}")

    @property
    def language(self) -> str:
        return "latex" if self.style.is_latex else "text"

    def _sum(self, node: Basic) -> Piece:
        terms: list[tuple[bool, Piece]] = []
        for part in flattened(node, sympy.Add):
            terms.append(self._term(part))
        return sum_of(terms, self.style)

    def _term(self, node: Basic) -> tuple[bool, Piece]:
        factors = Factors(node)
        above = [self._factor(f) for f in factors.above]
        below = [self._factor(f) for f in factors.below]
        return factors.negative, self.style.product(above, below)

    def _product(self, node: Basic) -> Piece:
        negative, piece = self._term(node)
        return sum_of([(True, piece)], self.style) if negative else piece

    def _factor(self, node: Basic) -> Piece:
        """One factor, which Factors has already taken apart."""
        if not isinstance(node, sympy.Pow):
            return self._number(node) if isinstance(node, Integer) else self.show(node)
        base, exponent = node.args
        if (value := number_of(exponent)) is not None:
            exponent = value
        if exponent == Rational(1, 2):
            return self.style.root(self.show(base))
        row = FUNCTIONS.get(type(base))
        if row and row.raised and isinstance(exponent, Integer):
            named = self.style.power(Piece(self._function_name(base)), self._number(exponent))
            return self._called(named.source, base.args)
        return self.style.power(self.show(base), self._exponent(exponent))

    def _exponent(self, node: Basic) -> Piece:
        if isinstance(node, Rational) and not isinstance(node, Integer):
            return Piece(f"{node.p}/{node.q}", MUL)
        return self.show(node)

    def _number(self, node: Basic) -> Piece:
        return Piece(str(node)) if node >= 0 else sum_of([(True, Piece(str(-node)))], self.style)

    def _float(self, node: Basic) -> Piece:
        if node < 0:
            return self._product(node)
        digits, _, exponent = repr(float(node)).partition("e")
        return self.style.float(digits.removesuffix(".0"), str(int(exponent)) if exponent else "")

    def _constant(self, node: Basic) -> Piece:
        row = CONSTANTS.get(node)
        if row is None:
            raise Unsupported(f"{self.language} printer: no row for the constant {node}")
        return Piece(self.style.form(row))

    def _letter(self, node: Basic) -> Piece:
        glyph = self.scope.get(node) or self.names.letter(node, self.taken)
        return Piece(self.style.symbol(glyph))

    def _symbol(self, node: Basic) -> Piece:
        if node not in self.names.symbols:
            raise Unsupported(f"{self.language} printer: symbol {node} has no name in this document")
        return Piece(self.style.symbol(self.names.symbols[node]))

    def glyph_of(self, tensor: Tensor) -> Glyph:
        """How a tensor is written."""
        return self.names.tensors[key_of(tensor)]

    def _entry(self, node: Basic) -> Piece:
        indices, units = self._indices(node.args[1:])
        return self.style.entry(self.glyph_of(node.args[0]), indices, units)

    def _indices(self, nodes: Sequence[Basic]) -> tuple[list[str], bool]:
        units = all(isinstance(n, Axis) and self._glyph_of_letter(n).single for n in nodes)
        return [self.show(n).source for n in nodes], units

    def _glyph_of_letter(self, letter: Axis) -> Glyph:
        return self.scope.get(letter) or self.names.letter(letter, self.taken)

    def _adjoint(self, node: Basic) -> Piece:
        return derivative(self, node, lambda entry: self.show(entry).source)

    def _tangent(self, node: Basic) -> Piece:
        indices, units = self._indices(node.entry.indices)
        return self.style.entry(self.glyph_of(node.entry.tensor).accented("dot"), indices, units)

    def _delta(self, node: Basic) -> Piece:
        if "δ" in self.names.written:
            return self._bracket(sympy.Eq(*node.args, evaluate=False))
        indices, units = self._indices(node.args)
        return self.style.entry(Glyph("δ", r"\delta"), indices, units)

    def _bracket(self, condition: Basic) -> Piece:
        inside = self.show(condition).source
        return Piece(rf"\mathbf{{1}}[{inside}]" if self.style.is_latex else f"[{inside}]")

    def _where(self, node: Basic) -> Piece:
        condition, then, otherwise = node.args
        if otherwise == 0:
            return self._bracket(condition) if then == 1 else self._product(node)
        if then == 0 and isinstance(condition, (Relational, BoolEntry)):
            return self._product(Where(sympy.Not(condition), otherwise, S.Zero))
        rows = [(self.show(condition), self.show(then))]
        while isinstance(otherwise, Where) and otherwise.args[2] != 0:
            rows.append((self.show(otherwise.args[0]), self.show(otherwise.args[1])))
            otherwise = otherwise.args[2]
        return self.style.cases(rows, self.show(otherwise))

    def _reduction(self, node: Basic) -> Piece:
        outer, self.scope = (self.scope, self.taken), dict(self.scope)
        try:
            bound: list[Glyph] = []
            for letter in node.args[1:]:
                bound.append(self.names.letter(letter, self.taken))
                self.scope[letter] = bound[-1]
                self.taken = (*self.taken, bound[-1])
            body = self.show(node.args[0])
        finally:
            self.scope, self.taken = outer
        body = body if body.level >= MUL else self.style.paren(body)
        gap = r"\, " if self.style.is_latex and body.level == ATOM and body.source.startswith(r"\mathbf") else " "
        head = self.style.form(REDUCTIONS[type(node)]) + self.style.letters(bound)
        if isinstance(node, MeanOver) and self.style.is_latex:
            head = self._count(node.args[1:]) + head
        return Piece(head + gap + body.source, MUL, max(body.open, NO_FACTOR), 2)

    def _count(self, letters: Sequence[Axis]) -> str:
        """1 over the number of entries of a mean."""
        return self.style.product([Piece("1")], [self.show(letter.size) for letter in letters]).source + " "

    def _function_name(self, node: Basic) -> str:
        row = FUNCTIONS[type(node)]
        if row.otherwise and row.text in self.names.written:
            return rf"\operatorname{{{row.otherwise}}}" if self.style.is_latex else row.otherwise
        return self.style.form(row)

    def _function(self, node: Basic) -> Piece:
        row = FUNCTIONS[type(node)]
        name = self._function_name(node)
        if isinstance(node, sympy.exp) and self.style.is_latex and not self._names_e:
            argument = self.show(node.args[0])
            if argument.tall < 2 and not argument.open and width_of(argument.source, self.style) < SHORT_EXPONENT:
                return self.style.power(Piece("e"), argument)
        if row.bare and isinstance(node.args[0], Reduction):
            argument = self.show(node.args[0])
            return Piece(f"{name} {argument.source}", MUL, argument.open, argument.tall)
        return self._called(name, node.args)

    @property
    def _names_e(self) -> bool:
        return "e" in self.names.written

    def _called(self, name: str, arguments: Sequence[Basic]) -> Piece:
        shown = [self.show(argument) for argument in arguments]
        inside = Piece(", ".join(piece.source for piece in shown), tall=max(piece.tall for piece in shown))
        enclosed = self.style.paren(inside)
        return Piece(name + enclosed.source, tall=max(1, inside.tall))

    def _fenced(self, node: Basic) -> Piece:
        return self.style.fence(FENCES[type(node)], self.show(node.args[0]))

    def _relation(self, node: Basic) -> Piece:
        left, right = (self.show(side) for side in node.args)
        row = RELATIONS[type(node)]
        return Piece(
            left.source + self.style.form(row) + right.source, row.level, right.open, max(left.tall, right.tall)
        )

    def _connective(self, node: Basic) -> Piece:
        row = CONNECTIVES[type(node)]
        shown = [self.show(part) for part in node.args]
        shown = [self.style.paren(p) if p.level < REL else p for p in shown]
        return Piece(self.style.form(row).join(p.source for p in shown), row.level, 0, max(p.tall for p in shown))

    def _not(self, node: Basic) -> Piece:
        inside = self.show(node.args[0])
        inside = inside if inside.level == ATOM else self.style.paren(inside)
        return Piece((r"\lnot " if self.style.is_latex else "¬") + inside.source, MUL, 0, inside.tall)


def derivative(printer: Printer, node: AdjointOf, written: Callable[[Entry], str], turned: str = "") -> Piece:
    """∂L/∂x, or ∂y/∂x where y is what the derivation is of; ∂²L/∂x∂x where y is itself ∂L/∂x."""
    style, of, loss = printer.style, printer.of, printer.names.loss
    if of is None:
        return style.derivative(style.symbol(loss), [written(node.entry)])
    variable = of.tensor.of or of.tensor.name.removesuffix("_bar")
    if of.tensor.role == "adjoint" and variable == node.entry.tensor.name:
        first = node.entry.tensor[of.indices]
        return style.derivative(style.symbol(loss), [written(first), written(node.entry) + turned])
    return style.derivative(written(of), [written(node.entry)])


def flattened(node: Basic, kind: type) -> list[Basic]:
    """The arguments of nested sums (or products) as one list, in source order."""
    found: list[Basic] = []
    for part in node.args:
        found += flattened(part, kind) if isinstance(part, kind) else [part]
    return found


NODES: Mapping[type, Callable[[Printer, Any], Piece]] = {
    sympy.Add: Printer._sum,
    sympy.Mul: Printer._product,
    sympy.Pow: Printer._product,
    sympy.Float: Printer._float,
    sympy.Integer: Printer._number,
    sympy.Rational: Printer._product,
    Axis: Printer._letter,
    sympy.Symbol: Printer._symbol,
    Entry: Printer._entry,
    TangentOf: Printer._tangent,
    BoolEntry: Printer._entry,
    AdjointOf: Printer._adjoint,
    Delta: Printer._delta,
    Where: Printer._where,
    sympy.Not: Printer._not,
    **dict.fromkeys(REDUCTIONS, Printer._reduction),
    **dict.fromkeys(FUNCTIONS, Printer._function),
    **dict.fromkeys(FENCES, Printer._fenced),
    **dict.fromkeys(RELATIONS, Printer._relation),
    **dict.fromkeys(CONNECTIVES, Printer._connective),
    **{type(constant): Printer._constant for constant in CONSTANTS},
    type(S.NegativeInfinity): Printer._product,
}
