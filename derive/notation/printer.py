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
    ArgMaxOver,
    Axis,
    BoolEntry,
    Delta,
    Entry,
    MatrixFunction,
    MeanOver,
    PaddedBoolEntry,
    PaddedEntry,
    Reduction,
    TangentOf,
    Tensor,
    Unsupported,
    Where,
)

from . import counting
from .conditions import bounds, chained, conditioned, conjuncts, equation, says_all, upright, within
from .extrema import extremum
from .factors import Factors, flattened, number_of
from .glyphs import Glyph
from .implied import tidied
from .lines import deeper, linked, unmarked
from .matrices import matrix_function
from .names import Names, key_of
from .recurrence import is_step
from .style import NO_FACTOR, SHORT_EXPONENT, Piece, Style, sum_of, width_of
from .table import ADD, ATOM, CONNECTIVES, CONSTANTS, FENCES, FUNCTIONS, MUL, POW, REDUCTIONS, REL, RELATIONS, REMAINDER
from .whole import Integers, counts, folded, shortened


class Printer:
    """Prints expressions in one style, with one document's names."""

    def __init__(self, names: Names, style: Style, free: Iterable[Axis] = (), of: Entry | None = None) -> None:
        """`free` are the letters of the equation; `of` is what ∂/∂x is taken of, by default the loss."""
        self.names, self.style, self.of = names, style, of
        self.scope: dict[Axis, Glyph] = names.scope(free)
        self.taken = tuple(self.scope.values())  # also of binders whose letter is bound again further in
        self.integers = Integers(names, style, self.show)
        self.met: set[Basic] = set()  # what was printed of symbols, and of tensors beyond their edges
        self.choice = names.choice

    def whole(self, node: Basic) -> Piece:
        """A whole expression, its indices counted as the reader does."""
        node = tidied(node)
        return self.show(counting.shown(node) if self.choice.from_one else node)

    def show(self, node: Basic) -> Piece:
        """The printed expression; Unsupported for a node without a row."""
        if node in self.names.lengths:
            node = self.names.lengths[node]
        kind: type
        for kind in type(node).__mro__:
            if kind in NODES:
                return NODES[kind](self, node)
        raise Unsupported(f"{self.language} printer: no row for {type(node).__name__}: {node}")

    @property
    def language(self) -> str:
        return "latex" if self.style.is_latex else "text"

    def _integer(self, node: Basic) -> Piece:
        """An expression within a condition: an integer has an order of its own."""
        return self.integers.show(node) if counts(node) else self.show(node)

    def _sum(self, node: Basic) -> Piece:
        if counts(node):
            return self.integers.show(node)
        terms: list[tuple[bool, Piece]] = []
        for part in flattened(node, sympy.Add):
            terms.append(self._term(part))
        return sum_of(terms, self.style)

    def _term(self, node: Basic) -> tuple[bool, Piece]:
        return self._multiplied(Factors(node))

    def _multiplied(self, factors: Factors) -> tuple[bool, Piece]:
        factors = folded(self.names, factors)
        above = [self._factor(f) for f in factors.above]
        below = [self._factor(f) for f in factors.below]
        return factors.negative, self.style.product(above, below)

    def _product(self, node: Basic | Factors) -> Piece:
        negative, piece = self._multiplied(node if isinstance(node, Factors) else Factors(node))
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
        self.met.add(node)
        if node not in self.names.symbols:
            raise Unsupported(f"{self.language} printer: symbol {node} has no name in this document")
        return Piece(self.style.symbol(self.names.symbols[node]))

    def glyph_of(self, tensor: Tensor) -> Glyph:
        """How a tensor is written."""
        if key_of(tensor) not in self.names.tensors:
            raise Unsupported(f"{self.language} printer: tensor {tensor.name} has no name in this document")
        return self.names.tensors[key_of(tensor)]

    def _entry(self, node: Basic) -> Piece:
        tensor, *places = node.args
        beyond = isinstance(node, (PaddedEntry, PaddedBoolEntry))
        glyph = self.names.padded[key_of(tensor)] if beyond else self.glyph_of(tensor)
        if beyond:
            self.met.add(tensor)
        indices, units = self._indices(places)
        computed = not all(isinstance(n, Axis) for n in places)
        if computed and self.names.recurs and not self.style.is_latex and all(map(is_step, node.args[1:])):
            return self.style.entry(glyph, [",".join(i.replace(" ", "") for i in indices)], units=False)
        return self.style.entry(glyph, indices, units, computed=computed)

    def _indices(self, nodes: Sequence[Basic]) -> tuple[list[str], bool]:
        units = all(isinstance(n, Axis) and self._glyph_of_letter(n).single for n in nodes)
        placed = [counting.place(n) for n in nodes] if self.choice.from_one else nodes
        return [unmarked(self.integers.show(n).source) for n in placed], units

    def _glyph_of_letter(self, letter: Axis) -> Glyph:
        return self.scope.get(letter) or self.names.letter(letter, self.taken)

    def _adjoint(self, node: Basic) -> Piece:
        return derivative(self, node, lambda entry: self.show(entry).source)

    def _tangent(self, node: Basic) -> Piece:
        indices, units = self._indices(node.entry.indices)
        glyph, moved = self.glyph_of(node.entry.tensor), self.choice.kind == "differential"
        return self.style.entry(glyph.moved() if moved else glyph.accented("dot"), indices, units)

    def _delta(self, node: Basic) -> Piece:
        if "δ" in self.names.written or not all(isinstance(index, Axis) for index in node.args):
            return self._bracket(equation(node))
        indices, units = self._indices(node.args)
        return self.style.entry(Glyph("δ", r"\delta"), indices, units)

    def _bracket(self, condition: Basic) -> Piece:
        inside = deeper(deeper(self.show(condition).source))  # a line breaks between factors before
        return Piece(rf"\mathbf{{1}}[{inside}]" if self.style.is_latex else f"[{inside}]")

    def _where(self, node: Basic) -> Piece:
        if (found := extremum(node)) is not None:
            return self._called(self.style.form(FUNCTIONS[found.function]), found.args)
        condition, then, otherwise = node.args
        if otherwise == 0:
            return self._bracket(condition) if then == 1 else self._product(node)
        if then == 0 and isinstance(condition, (Relational, BoolEntry)):
            return self._product(Where(sympy.Not(condition), otherwise, S.Zero))
        rows = [self._case(condition, then)]
        while isinstance(otherwise, Where) and otherwise.args[2] != 0:
            rows.append(self._case(*otherwise.args[:2]))
            otherwise = otherwise.args[2]
        return self.style.cases(rows, self.show(otherwise))

    def _case(self, condition: Basic, then: Basic) -> tuple[Piece, Piece]:
        return self.show(condition), self.show(within(then, conjuncts(condition)))

    def _reduction(self, node: Basic) -> Piece:
        outer, self.scope = (self.scope, self.taken), dict(self.scope)
        try:
            bound: list[Glyph] = []
            for letter in node.axes:
                bound.append(self.names.letter(letter, self.taken))
                self.scope[letter] = bound[-1]
                self.taken = (*self.taken, bound[-1])
            conditions, inner = conditioned(node)
            stated = [unmarked(piece.source) for piece in self._conditions(conditions)]
            body = self._product(inner) if isinstance(inner, Factors) else self.show(inner)
        finally:
            self.scope, self.taken = outer
        body = body if body.level >= MUL else self.style.paren(body)
        gap = r"\, " if self.style.is_latex and body.level == ATOM and body.source.startswith(r"\mathbf") else " "
        alone = says_all(conditions, node.axes)
        if self.choice.ranges:
            head = self.style.ranged(self.style.form(REDUCTIONS[type(node)]), self._ranges(node.axes, bound), stated)
        else:
            below = self.style.conditions(stated) if alone else self.style.letters(bound, stated)
            head = self.style.form(REDUCTIONS[type(node)]) + below
        if isinstance(node, MeanOver) and self.style.is_latex:
            head = self._count(node.axes) + head
        piece = Piece(head + gap + body.source, MUL, max(body.open, NO_FACTOR), 2)
        if isinstance(node, ArgMaxOver) and len(bound) > 1:
            return Piece(self.style.paren(piece).source + self.style.letters([bound[node.component]]), POW, tall=2)
        return piece

    def _ranges(self, letters: Sequence[Axis], bound: Sequence[Glyph]) -> list[tuple[str, str, str]]:
        """Each bound letter with the first and the last value that it takes."""
        first = 1 if self.choice.from_one else 0
        lasts = [letter.size - 1 + first for letter in letters]
        return [
            (self.style.symbol(written), str(first), unmarked(self.integers.show(last).source))
            for written, last in zip(bound, lasts, strict=True)
        ]

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
        source = deeper(", ".join(piece.source for piece in shown))  # a line breaks between factors first
        inside = Piece(source, tall=max(piece.tall for piece in shown))
        enclosed = self.style.paren(inside)
        return Piece(name + enclosed.source, tall=max(1, inside.tall))

    def _fenced(self, node: Basic) -> Piece:
        short = shortened(self.names, node)
        if short != node:
            return self.show(short)
        inside = self.integers.show(sympy.together(node.args[0])) if counts(node) else self.show(node.args[0])
        return self.style.fence(FENCES[type(node)], inside)

    def _remainder(self, node: Basic) -> Piece:
        sides = [self._integer(side) for side in node.args]
        sides = [side if side.level > ADD else self.style.paren(side) for side in sides]
        return Piece(self.style.form(REMAINDER).join(side.source for side in sides), REMAINDER.level)

    def _relation(self, node: Basic) -> Piece:
        node = upright(node)
        left, right = (self._integer(side) for side in node.args)
        row = RELATIONS[type(node)]
        source = linked(self.style.form(row), left.source, right.source)
        return Piece(source, row.level, right.open, max(left.tall, right.tall))

    def _conditions(self, parts: Sequence[Basic]) -> list[Piece]:
        """Conditions side by side, two about one expression as a chain."""
        return [self.show(g[0]) if len(g) == 1 else self._chain(g[0], g[1]) for g in chained(parts)]

    def _chain(self, first: Basic, second: Basic) -> Piece:
        low, high = bounds(first), bounds(second)
        assert low is not None and high is not None
        source = self._integer(low.smaller).source
        for bound in (low, high):
            row = RELATIONS[sympy.StrictLessThan if bound.strict else sympy.LessThan]
            source += self.style.form(row) + self._integer(bound.larger).source
        return Piece(source, REL)

    def _connective(self, node: Basic) -> Piece:
        row = CONNECTIVES[type(node)]
        shown = self._conditions(conjuncts(node)) if isinstance(node, sympy.And) else [self.show(p) for p in node.args]
        shown = [self.style.paren(p) if p.level < REL else p for p in shown]
        source = linked(self.style.form(row), *(p.source for p in shown))
        return Piece(source, row.level, 0, max(p.tall for p in shown))

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
    sympy.Mod: Printer._remainder,
    MatrixFunction: matrix_function,
    **dict.fromkeys(REDUCTIONS, Printer._reduction),
    **dict.fromkeys(FUNCTIONS, Printer._function),
    **dict.fromkeys(FENCES, Printer._fenced),
    **dict.fromkeys(RELATIONS, Printer._relation),
    **dict.fromkeys(CONNECTIVES, Printer._connective),
    **{type(constant): Printer._constant for constant in CONSTANTS},
    type(S.NegativeInfinity): Printer._product,
}
