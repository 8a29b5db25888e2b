"""Index expressions in named tensor notation: X ⊙_i W, Σ_c exp Z, softmax_c(Z); axes are called by name, not by place.

A tensor is written without indices; what has the same name is aligned, what lacks an axis is repeated along it. An axis
that is called otherwise than its tensor declares it is renamed: X_{c→c′}. Chiang, Rush and Barak, Named Tensor Notation
(2021). Conditions on places, windows, gathers and δ have no such form here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sympy
from sympy import Rational
from sympy.core.basic import Basic

from derive.axes import (
    AdjointOf,
    Axis,
    BoolEntry,
    Entry,
    MaxOver,
    MeanOver,
    MinOver,
    PaddedBoolEntry,
    PaddedEntry,
    ProdOver,
    Reduction,
    SumOver,
    TangentOf,
    Where,
    free_axes,
    rename,
)

from .conditions import upright
from .extrema import extremum
from .factors import Factors, flattened, number_of
from .glyphs import Glyph
from .implied import tidied
from .lines import AT_ENTRYWISE
from .names import Names, key_of
from .network import HADAMARD
from .printer import Printer, derivative
from .style import NO_FACTOR, Piece, Style, sum_of
from .table import ADD, FUNCTIONS, MUL, REL, RELATIONS, Row

REDUCED: Mapping[type, Row] = {
    SumOver: Row("Σ", r"\sum"),
    MeanOver: Row("mean", r"\operatorname*{mean}"),
    ProdOver: Row("Π", r"\prod"),
    MaxOver: Row("max", r"\max"),
    MinOver: Row("min", r"\min"),
}
SOFTMAX = Row("softmax", r"\operatorname*{softmax}")
ONE = Row("𝟏", r"\mathbf{1}")


class NoNamedForm(Exception):
    """The expression has no form without indices; in indices it can be written."""


Scope = Mapping[Axis, Glyph]


class NamedTensors:
    """Prints expressions in named tensor notation, with one document's names."""

    def __init__(self, names: Names, style: Style, of: Entry | None = None) -> None:
        self.names, self.style = names, style
        self.scalars = Printer(names, style, (), of)
        self.scope: Scope = {}

    def show(self, node: Basic, letters: Iterable[Axis]) -> Piece | None:
        """`node` as a tensor over `letters`; None where it has no such form."""
        given = tuple(letters)
        if not set(free_axes(node)) <= set(given):
            return None
        self.scope = self.names.scope(given)
        try:
            return self._shown(tidied(node, chain=False))
        except NoNamedForm:
            return None

    def axis(self, letter: Axis) -> str:
        """An axis by its name: c, in LaTeX \\mathsf{c}."""
        return self._written(self.names.letter(letter, ()))

    def _written(self, glyph: Glyph) -> str:
        if not self.style.is_latex:
            return glyph.in_text()
        return rf"\mathsf{{{glyph.latex}}}" + (f"_{{{glyph.mark}}}" if glyph.mark else "") + "'" * glyph.primes

    def _shown(self, node: Basic) -> Piece:
        for kind in type(node).__mro__:
            if kind in NODES:
                return NODES[kind](self, node)
        if not free_axes(node) and not node.atoms(Entry):
            return self.scalars.show(node)
        raise NoNamedForm

    def _sum(self, node: Basic) -> Piece:
        terms = [self._term(part) for part in flattened(node, sympy.Add)]
        return sum_of(terms, self.style)

    def _product(self, node: Basic) -> Piece:
        negative, piece = self._term(node)
        return sum_of([(True, piece)], self.style) if negative else piece

    def _term(self, node: Basic) -> tuple[bool, Piece]:
        factors = Factors(node)
        made = self._softmaxes(factors)
        numbers = [f for f in factors.above if not free_axes(f)]
        tensors = [self._factor(f) for f in factors.above if free_axes(f)] + made
        below = [self._factor(f) for f in factors.below]
        above = [self._factor(f) for f in numbers if f != 1]
        above += [self._entrywise(tensors)] if tensors else []
        return factors.negative, self.style.product(above or [Piece("1")], below)

    def _entrywise(self, pieces: Sequence[Piece], under: str = "") -> Piece:
        """X ⊙ Y; with axes under it, contracted."""
        if len(pieces) == 1:
            return pieces[0]
        shown = [p if p.level >= MUL and not p.open else self.style.paren(p) for p in pieces]
        sign = r" \odot " if self.style.is_latex else " ⊙ "
        if under:
            sign = rf" \underset{{{under}}}{{\odot}} " if self.style.is_latex else f" ⊙_{under} "
        return Piece((AT_ENTRYWISE + sign).join(p.source for p in shown), HADAMARD, 0, max(p.tall for p in shown))

    def _softmaxes(self, factors: Factors) -> list[Piece]:
        """exp(u) over Σ_c exp(u) as softmax_c(u); they are taken out of the factors."""
        found = []
        for under in [f for f in factors.below if isinstance(f, SumOver) and isinstance(f.body, sympy.exp)]:
            for over in [f for f in factors.above if isinstance(f, sympy.exp)]:
                letters = [_partner(under, over, letter) for letter in under.axes]
                if None not in letters:
                    factors.above.remove(over)
                    factors.below.remove(under)
                    named = [self.scope[letter] for letter in letters if letter is not None]
                    inside = self.style.paren(self._shown(over.args[0]))
                    head = self.style.form(SOFTMAX) + self._below(named)
                    found.append(Piece(f"{head}{inside.source}", tall=max(1, inside.tall)))
                    break
        return found

    def _below(self, axes: Sequence[Glyph]) -> str:
        inside = ",".join(map(self._written, axes))
        return f"_{{{inside}}}" if self.style.is_latex or len(axes) > 1 else f"_{inside}"

    def _factor(self, node: Basic) -> Piece:
        """One factor, which Factors has already taken apart."""
        if not isinstance(node, sympy.Pow):
            return self.scalars._factor(node) if isinstance(node, sympy.Integer) else self._shown(node)
        exponent = number_of(node.args[1])
        base = self._shown(node.args[0])
        if exponent == Rational(1, 2):
            return self.style.root(base)
        shown = self._shown(node.args[1]) if exponent is None else self.scalars._exponent(exponent)
        return self.style.power(base, shown)

    def _reduction(self, node: Reduction) -> Piece:
        inner = free_axes(node.body)
        if type(node) not in REDUCED or not set(node.axes) <= set(inner):
            raise NoNamedForm
        outer = self.scope
        kept = {letter: self.scope[letter] for letter in inner if letter not in node.axes}
        bound = self._bound(node, list(kept.values()))
        self.scope = {**kept, **dict(zip(node.axes, bound, strict=True))}
        try:
            return self._contracted(node, bound) or self._reduced(node, bound)
        finally:
            self.scope = outer

    def _reduced(self, node: Reduction, bound: Sequence[Glyph]) -> Piece:
        body = self._shown(node.body)
        body = body if body.level >= MUL else self.style.paren(body)
        head = self.style.form(REDUCED[type(node)]) + self._below(bound)
        return Piece(f"{head} {body.source}", MUL, max(body.open, NO_FACTOR), 2)

    def _contracted(self, node: Reduction, bound: Sequence[Glyph]) -> Piece | None:
        """Σ_i X ⊙ W as X ⊙_i W, where both have every axis that is summed."""
        factors = Factors(node.body)
        pair = [f for f in factors.above if free_axes(f)]
        if not isinstance(node, SumOver) or factors.below or len(pair) != 2 or factors.negative:
            return None
        if not all(set(node.axes) <= set(free_axes(f)) for f in pair) or len(factors.above) > len(pair):
            return None
        under = ",".join(map(self._written, bound))
        under = under if self.style.is_latex or len(bound) == 1 else f"{{{under}}}"
        return self._entrywise([self._factor(f) for f in pair], under)

    def _bound(self, node: Reduction, taken: list[Glyph]) -> list[Glyph]:
        """What the bound axes are called: as a tensor in the body declares them, where that name is free there."""
        found: list[Glyph] = []
        for letter in node.axes:
            used = {g.in_text() for g in (*taken, *found)}
            declared = [
                axis
                for entry in sorted(node.body.atoms(Entry), key=str)
                for axis, index in zip(entry.tensor.axes, entry.indices, strict=True)
                if index == letter
            ]
            ways = [self.names.letter(axis, ()) for axis in dict.fromkeys(declared)]
            free = [way for way in ways if way.in_text() not in used]
            found.append(free[0] if free else self.names.letter(letter, (*taken, *found)))
        return found

    def _entry(self, node: Entry | BoolEntry) -> Piece:
        letters = [index for index in node.indices if isinstance(index, Axis)]
        if len(letters) < len(node.indices) or len(set(letters)) < len(letters):
            raise NoNamedForm
        if any(letter.size != axis.size for letter, axis in zip(letters, node.tensor.axes, strict=True)):
            raise NoNamedForm  # a part of the tensor has no name
        if isinstance(node, (PaddedEntry, PaddedBoolEntry)) or node.tensor.dtype == "int":
            raise NoNamedForm
        glyph = self.names.matrices[key_of(node.tensor)]
        return self._renamed(self.style.symbol(glyph), node)

    def _renamed(self, source: str, node: Entry | BoolEntry) -> Piece:
        """The tensor, with the axes that are called otherwise here: X_{c→c′}."""
        pairs = []
        for declared, letter in zip(node.tensor.axes, node.indices, strict=True):
            old, new = self._written(self.names.letter(declared, ())), self._written(self.scope[letter])
            if old != new:
                pairs.append(rf"{old} \to {new}" if self.style.is_latex else f"{old}→{new}")
        if not pairs:
            return Piece(source)
        return Piece(
            rf"{{{source}}}_{{{', '.join(pairs)}}}" if self.style.is_latex else f"{source}_{{{', '.join(pairs)}}}"
        )

    def _derivative(self, node: AdjointOf) -> Piece:
        if isinstance(node, TangentOf):
            glyph = self.names.matrices[key_of(node.entry.tensor)].accented("dot")
            return self._renamed(self.style.symbol(glyph), node.entry)
        return derivative(self.scalars, node, lambda entry: self._entry(entry).source)

    def _where(self, node: Where) -> Piece:
        if (found := extremum(node)) is not None:
            return self._called(self.style.form(FUNCTIONS[found.function]), found.args)
        condition, then, otherwise = node.args
        if otherwise != 0:
            return self.style.cases([(self._shown(condition), self._shown(then))], self._shown(otherwise))
        if then != 1:
            return self._product(node)
        return Piece(f"{self.style.form(ONE)}[{self._shown(condition).source}]")

    def _relation(self, node: Basic) -> Piece:
        node = upright(node)
        left, right = (self._shown(side) for side in node.args)
        return Piece(left.source + self.style.form(RELATIONS[type(node)]) + right.source, REL, right.open)

    def _function(self, node: Basic) -> Piece:
        return self._called(self.scalars._function_name(node), node.args)

    def _called(self, name: str, arguments: Sequence[Basic]) -> Piece:
        shown = [self._shown(argument) for argument in arguments]
        inside = Piece(", ".join(p.source for p in shown), ADD, tall=max(p.tall for p in shown))
        return Piece(name + self.style.paren(inside).source, tall=max(1, inside.tall))


def _partner(under: SumOver, over: Basic, letter: Axis) -> Axis | None:
    """The free letter c for which exp(u) is the summand of Σ_c′ exp(u′)."""
    bound = set(under.axes)
    for free in free_axes(over):
        if free.size == letter.size and free not in bound - {letter}:
            pairs = {letter: free}
            if len(bound) == 1 and rename(under.body, pairs) == over:
                return free
    return None


NODES: Mapping[type, Callable[[NamedTensors, Any], Piece]] = {
    sympy.Add: NamedTensors._sum,
    sympy.Mul: NamedTensors._product,
    sympy.Pow: NamedTensors._product,
    Entry: NamedTensors._entry,
    BoolEntry: NamedTensors._entry,
    AdjointOf: NamedTensors._derivative,
    Where: NamedTensors._where,
    **dict.fromkeys(REDUCED, NamedTensors._reduction),
    **dict.fromkeys(RELATIONS, NamedTensors._relation),
    **dict.fromkeys(FUNCTIONS, NamedTensors._function),
}
