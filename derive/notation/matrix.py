"""Index expressions of at most two letters as matrix expressions: Xᵀ G, 𝟏ᵀ G, P ⊙ (G − …), diag(r)⁻¹ A, tr(Aᵀ B).

A tensor of two axes is a matrix with rows along its first, written as a capital; one of one axis is a column. Functions
act entry by entry.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy
from sympy import Rational, S
from sympy.core.basic import Basic

from derive.axes import (
    AdjointOf,
    Axis,
    Delta,
    Entry,
    MeanOver,
    PaddedEntry,
    Reduction,
    SumOver,
    TangentOf,
    Where,
    free_axes,
    fresh_letter,
    letters_of,
    rename,
)

from .factors import Factors, flattened, number_of
from .glyphs import Glyph
from .names import Names, key_of
from .network import Factor, Forms, Matrix, Network, NoMatrixForm, transposed, turns
from .printer import Printer, derivative
from .style import Piece, Style, juxtaposed, sum_of
from .table import FUNCTIONS, RELATIONS


class Matrices:
    """Prints expressions in matrix notation, with one document's names."""

    def __init__(self, names: Names, style: Style, of: Entry | None = None) -> None:
        self.names, self.style, self.forms = names, style, Forms(style)
        self.scalars = Printer(names, style, (), of)

    def show(self, node: Basic, letters: Sequence[Axis]) -> Piece | None:
        """`node` as an array over `letters` (row, column); None where no matrix form exists.

        A vector that is a column sum is written as a row, 𝟏ᵀ G.
        """
        if len(letters) > 2 or not set(free_axes(node)) <= set(letters):
            return None
        try:
            if isinstance(node, tuple(RELATIONS)):
                return self._relation(node, letters)
            return self._array(node, tuple(letters), top=True)
        except NoMatrixForm:
            return None

    def _array(self, node: Basic, letters: Sequence[Axis], top: bool = False) -> Piece:
        terms = flattened(node, sympy.Add) if isinstance(node, sympy.Add) else [node]
        shown = [self._term(term, letters, row_form=top and len(terms) == 1) for term in terms]
        if len(shown) == 1 and not shown[0][0]:
            return shown[0][1]
        return sum_of(shown, self.style)

    def _term(self, node: Basic, letters: Sequence[Axis], row_form: bool) -> tuple[bool, Piece]:
        network = Network(self.forms, tuple(letters))
        below: list[Piece] = []
        bound: dict[Axis, None] = {}
        negative = self._gather(node, set(letters), network, below, bound)
        network.reduce((letter, self.scalars.show(letter.size)) for letter in bound)
        matrix = network.result(letters)
        if row_form and len(letters) == 1 and len(matrix) > 1 and matrix[-1] == self.forms.ones:
            turned = transposed(matrix)
            matrix = turned if turns(turned) <= turns(matrix) + 1 else matrix
        above = [piece for piece in network.above if piece.source != "1"]
        return negative, self._scaled(above, below, matrix)

    def _scaled(self, above: list[Piece], below: list[Piece], matrix: Matrix) -> Piece:
        pieces = self.forms.pieces(matrix)
        if not above and not below:
            return juxtaposed(pieces, self.style, tight=True) if pieces else Piece("1")
        if not below:
            return juxtaposed([*above, *pieces], self.style, tight=True)
        if self.style.is_latex and pieces:
            return juxtaposed([self.style.product(above or [Piece("1")], below), *pieces], self.style, tight=True)
        return self.style.product([*above, *pieces] or [Piece("1")], below)

    def _gather(
        self, node: Basic, seen: set[Axis], network: Network, below: list[Piece], bound: dict[Axis, None]
    ) -> bool:
        """Put the factors of a term into the network, opening its sums; whether it is negative."""
        factors = Factors(node)
        negative = factors.negative
        for factor in factors.above:
            if isinstance(factor, (SumOver, MeanOver)):
                body = self._opened(factor, seen, below, bound)
                negative ^= self._gather(body, seen, network, below, bound)
            elif factor != 1:
                self._add(factor, network, network.above, inverse=False)
        for factor in factors.below:
            self._add(factor, network, below, inverse=True)
        return negative

    def _opened(self, node: Reduction, seen: set[Axis], below: list[Piece], bound: dict[Axis, None]) -> Basic:
        """The body of a sum under letters not yet in use."""
        taken = {letter.name for letter in seen | letters_of(node)}
        fresh: dict[Axis, Basic] = {}
        for letter in node.axes:
            if letter in seen:
                fresh[letter] = fresh_letter(letter, taken)
            new = fresh.get(letter, letter)
            taken.add(new.name)
            seen.add(new)
            bound[new] = None
            if isinstance(node, MeanOver):
                below.append(self.scalars.show(letter.size))
        return rename(node.body, fresh)

    def _add(self, factor: Basic, network: Network, scalars: list[Piece], inverse: bool) -> None:
        letters = self._letters(factor)
        if len(letters) > 2:
            raise NoMatrixForm
        if not letters:
            scalars.append(self._scalar(factor))
            return
        if not isinstance(factor, (Entry, AdjointOf)):
            letters = tuple(sorted(letters, key=lambda a: network.letters.index(a) if a in network.letters else 1))
        network.add(letters, (self._factor(factor, letters),), inverse)

    def _letters(self, factor: Basic) -> tuple[Axis, ...]:
        """The letters of a factor, row first; a derivative has the variable's letters last."""
        entries = [factor] if isinstance(factor, Entry) else []
        if isinstance(factor, AdjointOf):
            of = None if isinstance(factor, TangentOf) else self.scalars.of
            entries = [factor.entry] if of is None else [of, factor.entry]
        indices = [index for entry in entries for index in entry.indices]
        if any(not isinstance(index, Axis) for index in indices) or isinstance(factor, PaddedEntry):
            raise NoMatrixForm
        return tuple(dict.fromkeys(indices)) if entries else free_axes(factor)

    def _scalar(self, node: Basic) -> Piece:
        """An expression without free letters."""
        if not letters_of(node) and not node.atoms(Entry):
            return self.scalars._factor(node)
        if isinstance(node, sympy.Add):
            return self._array(node, ())
        return self._factor(node, ()).piece

    def _factor(self, node: Basic, letters: tuple[Axis, ...]) -> Factor:
        """One factor over its own letters."""
        if isinstance(node, Entry):
            return self._entry(node)
        if isinstance(node, AdjointOf):
            return self._derivative(node)
        if isinstance(node, (sympy.Add, SumOver, MeanOver)):
            return Factor(self._array(node, letters))
        if isinstance(node, sympy.Pow):
            return self._power(node, letters)
        if isinstance(node, Delta) and all(isinstance(index, Axis) for index in node.args):
            return self.forms.identity
        if isinstance(node, Where) and node.args[1:] == (S.One, S.Zero):
            condition = self._relation(node.args[0], letters).source
            return Factor(Piece(rf"\mathbf{{1}}[{condition}]" if self.style.is_latex else f"𝟏[{condition}]"))
        if type(node) in FUNCTIONS:
            name = self.scalars._function_name(node)
            inside = self._array(node.args[0], letters)
            return Factor(Piece(name + self.style.paren(inside).source, tall=max(1, inside.tall)))
        raise NoMatrixForm

    def _entry(self, node: Entry) -> Factor:
        if any(not isinstance(index, Axis) for index in node.indices):
            raise NoMatrixForm
        piece = Piece(self.style.symbol(self._glyph(node)))
        repeated = len(set(node.indices)) < node.tensor.ndim
        return self.forms.diagonal_of(piece) if repeated else Factor(piece)

    def _derivative(self, node: AdjointOf) -> Factor:
        if isinstance(node, TangentOf):
            return Factor(Piece(self.style.symbol(self._glyph(node.entry).accented("dot"))))
        return Factor(derivative(self.scalars, node, self._symbol, r"^\top" if self.style.is_latex else "ᵀ"))

    def _symbol(self, entry: Entry) -> str:
        return self.style.symbol(self._glyph(entry))

    def _glyph(self, node: Entry) -> Glyph:
        if node.tensor.ndim > 2:
            raise NoMatrixForm
        return self.names.matrices[key_of(node.tensor)]

    def _power(self, node: sympy.Pow, letters: tuple[Axis, ...]) -> Factor:
        exponent = number_of(node.args[1])
        if exponent is None:
            raise NoMatrixForm
        base = self._array(node.args[0], letters)
        if exponent == Rational(1, 2):
            return Factor(self.style.root(base))
        if not letters:
            return Factor(self.style.power(base, self.scalars._exponent(exponent)))
        shown = self.scalars._exponent(exponent).source
        shown = shown if self.style.is_latex or "/" not in shown else f"({shown})"
        raised = Piece(rf"\odot {shown}" if self.style.is_latex else f"⊙{shown}")
        return Factor(self.style.power(base, raised), square_of=base if exponent == 2 else None)

    def _relation(self, node: Basic, letters: Sequence[Axis]) -> Piece:
        """A relation entry by entry; a number stands for itself."""
        if type(node) not in RELATIONS:
            raise NoMatrixForm
        row = RELATIONS[type(node)]
        equation = isinstance(node, sympy.Eq)
        sides = [
            self.scalars.show(side)
            if side.is_number and (not equation or side == 0)
            else self._array(side, letters, top=True)
            for side in node.args
        ]
        return Piece(self.style.form(row).join(side.source for side in sides), row.level)
