"""Index expressions of at most two letters as matrix expressions: Xᵀ G, 𝟏ᵀ G, P ⊙ (G − …), diag(r)⁻¹ A, tr(Aᵀ B).

A tensor of two axes is a matrix with rows along its first, written as a capital; one of one axis is a column. Functions
act entry by entry. Where the reader's samples are columns, a matrix whose first axis counts samples stands transposed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import sympy
from sympy import Rational, S
from sympy.core.basic import Basic

from derive.axes import (
    AdjointOf,
    Axis,
    Delta,
    Entry,
    MatrixFunction,
    MeanOver,
    Reduction,
    SumOver,
    TangentOf,
    Where,
    free_axes,
    fresh_letter,
    letters_of,
    rename,
)

from .conditions import upright
from .extrema import extremum
from .factors import Factors, flattened, number_of
from .implied import tidied
from .matrix_entries import MatrixEntries
from .matrix_functions import function_factor
from .mirrors import symmetric
from .network import Factor, Matrix, Network, NoMatrixForm, transposed, turns
from .style import NO_FACTOR, Piece, juxtaposed, sum_of
from .table import FUNCTIONS, MUL, REDUCTIONS, RELATIONS

COLUMN, ROW, FREE = "column", "row", "free"


class Matrices(MatrixEntries):
    """Prints expressions in matrix notation, with one document's names."""

    def show(self, node: Basic, letters: Sequence[Axis], form: str = FREE) -> Piece | None:
        """`node` as an array over `letters` (row, column); None where no matrix form exists.

        A vector is a COLUMN or a ROW; where that is FREE, one that is a column sum is written as a row, 𝟏ᵀ G.
        """
        letters, node = self.inner(letters), tidied(node, chain=False)
        if len(letters) > 2 or not set(self.inner(free_axes(node))) <= set(letters):
            return None
        try:
            if isinstance(node, tuple(RELATIONS)):
                return self._relation(node, letters, form)
            return self._array(node, tuple(letters), form)
        except NoMatrixForm:
            return None

    def differential(self, node: Basic, entry: Entry, first: bool = False) -> Piece | None:
        """tr(Mᵀ dX) for the array M of `node` over the letters of X; None where no matrix form exists.

        `first`: as it comes from the chain rule, what is upstream first, tr(Gᵀ dX W); tr(W Gᵀ dX) is the same.
        """
        own = self.inner(entry.indices)
        letters = self._letters(entry) if len(own) < 3 else ()
        if len(letters) < len(own) or not set(self.inner(free_axes(node))) <= set(letters):
            return None
        try:
            moved = Factor(Piece(self._lowered(self._glyph(entry).moved(), entry)))
            sums: Sequence[Axis] = ()
            if isinstance(node, sympy.Add):
                negative, above, below = False, list[Piece](), list[Piece]()
                matrix: Matrix = (Factor(self._array(node, letters)),)
            else:
                negative, above, below, matrix, sums = self._parts(node, letters)
        except NoMatrixForm:
            return None
        inner = (*transposed(matrix), moved) if letters else (*matrix, moved)
        if len(letters) == 2:
            start = next((k for k, f in enumerate(inner) if f.upstream), 0) if first else 0
            inner = (*inner[start:], *inner[:start])
            above, inner = [*above, self.forms.named("tr", self.forms.piece(inner))], ()
        steps = [index for index in entry.indices if isinstance(index, Axis) and index not in own]
        piece = self._summed([*steps, *sums], self._scaled(above, below, inner))
        return sum_of([(True, piece)], self.style) if negative else piece

    def over(self, node: Basic, letters: Sequence[Axis]) -> tuple[Axis, ...]:
        """The letters of an array with the row first: as its entry says, else with the fewer transposes.

        It is asked first about an equation: which letters stand below matrices on all its sides is known from then on.
        """
        given = self.inner(letters)
        self.around = frozenset(a for a in letters if a.size in self.names.outer)
        if len(given) != 2:
            return given
        lead = node.args[0] if isinstance(node, sympy.Eq) else node
        if isinstance(lead, (Entry, AdjointOf)):
            try:
                found = self._letters(lead)
            except NoMatrixForm:
                return given
            return found if len(found) == 2 else given
        ways = [(way, self.show(node, way)) for way in (given, given[::-1])]
        mark = r"^\top" if self.style.is_latex else "ᵀ"
        counted = [(piece.source.count(mark), place) for place, (_, piece) in enumerate(ways) if piece is not None]
        return ways[min(counted)[1]][0] if counted else given

    def form(self, target: Basic) -> str:
        """Whether a vector is a column or a row, by the layout that the reader asked for."""
        layout, of = self.names.choice.layout, self.scalars.of
        if isinstance(target, Entry) or (isinstance(target, sympy.Eq) and isinstance(target.args[0], Entry)):
            return COLUMN  # what has a name is a column wherever it stands
        row = layout == "numerator" and of is None and isinstance(target, AdjointOf)
        return FREE if layout == "mixed" else ROW if row and not isinstance(target, TangentOf) else COLUMN

    def _array(self, node: Basic, letters: Sequence[Axis], form: str = COLUMN) -> Piece:
        if node == 0:
            return Piece("0")
        terms = flattened(node, sympy.Add) if isinstance(node, sympy.Add) else [node]
        shown = [self._term(term, letters, COLUMN if form == FREE and len(terms) > 1 else form) for term in terms]
        if len(shown) == 1 and not shown[0][0]:
            return shown[0][1]
        return sum_of(shown, self.style)

    def _term(self, node: Basic, letters: Sequence[Axis], form: str) -> tuple[bool, Piece]:
        negative, above, below, matrix, sums = self._parts(node, letters)
        if form == ROW and len(letters) == 1:
            matrix = transposed(matrix)
        elif form == FREE and len(letters) == 1 and len(matrix) > 1 and matrix[-1] == self.forms.ones:
            turned = transposed(matrix)
            matrix = turned if turns(turned) <= turns(matrix) + 1 else matrix
        return negative, self._summed(sums, self._scaled(above, below, matrix))

    def _summed(self, letters: Sequence[Axis], piece: Piece) -> Piece:
        """Σ_t over what stands below matrices."""
        if not letters:
            return piece
        written = [self.scalars._glyph_of_letter(a) for a in letters]
        row = self.style.form(REDUCTIONS[SumOver])
        ranges = self.names.choice.ranges
        head = (
            self.style.ranged(row, self.scalars._ranges(letters, written), ())
            if ranges
            else row + self.style.letters(written)
        )
        body = piece if piece.level >= MUL else self.style.paren(piece)
        return Piece(f"{head} {body.source}", MUL, max(body.open, NO_FACTOR), 2)

    def _parts(
        self, node: Basic, letters: Sequence[Axis]
    ) -> tuple[bool, list[Piece], list[Piece], Matrix, tuple[Axis, ...]]:
        """The sign of a term, its scalars above and below the line, its matrix product, what it is a sum over."""
        network = Network(self.forms, tuple(letters))
        below: list[Piece] = []
        bound: dict[Axis, None] = {}
        outer = {a for a in free_axes(node) if a.size in self.names.outer} | self.around
        negative = self._gather(node, set(letters) | outer, network, below, bound)
        inner = self.inner(tuple(bound))
        network.reduce((letter, self.scalars.show(letter.size)) for letter in inner)
        matrix = network.result(letters)
        above = [piece for piece in network.above if piece.source != "1"]
        powers = Counter(below)
        below = [p if n == 1 else self.style.power(p, Piece(str(n))) for p, n in powers.items()]
        below.sort(key=lambda piece: not piece.source.isdigit())
        return negative, above, below, matrix, tuple(a for a in bound if a not in inner)

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
            if new.size in self.names.outer:
                below_matrices = [self.scalars._glyph_of_letter(a) for a in seen if a.size in self.names.outer]
                self.scalars.scope[new] = self.names.letter(new, below_matrices)
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
        if not isinstance(factor, (Entry, AdjointOf, MatrixFunction)):
            letters = tuple(sorted(letters, key=lambda a: network.letters.index(a) if a in network.letters else 1))
            letters = self._upright(factor, letters)
        network.add(letters, (self._factor(factor, letters),), inverse)

    def _upright(self, factor: Basic, letters: tuple[Axis, ...]) -> tuple[Axis, ...]:
        """The letters in the order in which fewer matrices within a bracket are transposed."""
        if len(letters) < 2:
            return letters
        mark = r"^\top" if self.style.is_latex else "ᵀ"
        return min((letters, letters[::-1]), key=lambda way: self._factor(factor, way).piece.source.count(mark))

    def _scalar(self, node: Basic) -> Piece:
        """An expression without free letters."""
        if not self.inner(tuple(letters_of(node))) and not node.atoms(Entry):
            return self.scalars.whole(node) if node.atoms(Axis) else self.scalars._factor(node)
        if isinstance(node, sympy.Add):
            return self._array(node, ())
        return self._factor(node, ()).piece

    def _factor(self, node: Basic, letters: tuple[Axis, ...]) -> Factor:
        """One factor over its own letters; of one that is symmetric no transpose is written."""
        factor = self._made(node, letters)
        return replace(factor, symmetric=True) if symmetric(node, letters, self.names.mirrors) else factor

    def _made(self, node: Basic, letters: tuple[Axis, ...]) -> Factor:
        if isinstance(node, Entry):
            return self._entry(node)
        if isinstance(node, AdjointOf):
            return self._derivative(node)
        if isinstance(node, MatrixFunction):
            return function_factor(self, node)
        if isinstance(node, (sympy.Add, SumOver, MeanOver)):
            return Factor(self._array(node, letters))
        if isinstance(node, sympy.Pow):
            return self._power(node, letters)
        if isinstance(node, Delta) and all(isinstance(index, Axis) for index in node.args):
            return self.forms.identity
        if isinstance(node, Where) and node.args[1:] == (S.One, S.Zero):
            condition = self._relation(node.args[0], letters).source
            return Factor(Piece(rf"\mathbf{{1}}[{condition}]" if self.style.is_latex else f"𝟏[{condition}]"))
        if (found := extremum(node)) is not None:
            return self._called(self.style.form(FUNCTIONS[found.function]), found.args, letters)
        if type(node) in FUNCTIONS:
            return self._called(self.scalars._function_name(node), node.args, letters)
        raise NoMatrixForm

    def _called(self, name: str, arguments: Sequence[Basic], letters: tuple[Axis, ...]) -> Factor:
        """A function entry by entry; of several arguments, a number stands for itself."""
        several = len(arguments) > 1
        shown = [self.scalars.show(a) if several and not letters_of(a) else self._array(a, letters) for a in arguments]
        inside = Piece(", ".join(piece.source for piece in shown), tall=max(piece.tall for piece in shown))
        return Factor(Piece(name + self.style.paren(inside).source, tall=max(1, inside.tall)))

    def _power(self, node: sympy.Pow, letters: tuple[Axis, ...]) -> Factor:
        exponent = number_of(node.args[1]) or node.args[1]
        if letters_of(exponent):
            raise NoMatrixForm
        base = self._array(node.args[0], letters)
        if exponent == Rational(1, 2):
            return Factor(self.style.root(base))
        row = FUNCTIONS.get(type(node.args[0]))
        if not letters and row and row.raised and exponent.is_Integer:  # tanh²(x): tanh(x)² has two readings
            named = self.style.power(Piece(self.style.form(row)), self.scalars._number(exponent))
            return self._called(named.source, node.args[0].args, letters)
        if not letters:
            return Factor(self.style.power(base, self.scalars._exponent(exponent)))
        power = self.scalars._exponent(exponent)
        plain = power.level > MUL or (self.style.is_latex and power.level == MUL)
        shown = (power if plain else self.style.paren(power)).source
        raised = Piece(rf"\odot {shown}" if self.style.is_latex else f"⊙{shown}")
        return Factor(self.style.power(base, raised), square_of=base if exponent == 2 else None)

    def _relation(self, node: Basic, letters: Sequence[Axis], form: str = COLUMN) -> Piece:
        """A relation entry by entry; a number stands for itself."""
        if type(node) not in RELATIONS:
            raise NoMatrixForm
        node = upright(node)
        row = RELATIONS[type(node)]
        equation = isinstance(node, sympy.Eq)
        sides = [
            self.scalars.show(side)
            if side.is_number and (not equation or side == 0)
            else self._array(side, letters, form)
            for side in node.args
        ]
        return Piece(self.style.form(row).join(side.source for side in sides), row.level)
