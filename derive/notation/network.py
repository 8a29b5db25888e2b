"""A product of indexed factors as a network: letters are nodes, matrices edges, vectors weights on a node.

A summed letter between two edges is a matrix product, at a dead end a product with 𝟏; parallel edges are ⊙. What
cannot be reduced so has no matrix form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from derive.axes import Axis

from .lines import AT_ENTRYWISE
from .style import Piece, Style, juxtaposed
from .table import ATOM, POW

HADAMARD = 15  # between a sum and a product: (A ⊙ B) C


class NoMatrixForm(Exception):
    """The expression is no matrix expression; in indices it can be written."""


@dataclass(frozen=True)
class Factor:
    """One factor of a matrix product."""

    piece: Piece
    transposed: bool = False
    symmetric: bool = False
    square_of: Piece | None = None
    diagonal_of: Piece | None = None
    upstream: bool = False  # a derivative of the loss
    turned: Piece | None = None  # how it is written transposed, where that has a sign of its own: A⁻ᵀ


Matrix = tuple[Factor, ...]  # a matrix product; a vector is a column


@dataclass(frozen=True)
class Weight:
    """A vector on a letter; `inverse` where it divides."""

    vector: Matrix
    inverse: bool = False


@dataclass(frozen=True)
class Edge:
    """Matrices from one letter to another, multiplied entry by entry; `below` divide."""

    start: Axis
    end: Axis
    parts: tuple[Matrix, ...]
    below: tuple[Matrix, ...] = ()

    def turned(self) -> Edge:
        parts, below = (tuple(transposed(m) for m in side) for side in (self.parts, self.below))
        return Edge(self.end, self.start, parts, below)

    def toward(self, end: Axis) -> Edge:
        return self if self.end == end else self.turned()


def transposed(matrix: Matrix) -> Matrix:
    """(A B)ᵀ = Bᵀ Aᵀ."""
    return tuple(f if f.symmetric else replace(f, transposed=not f.transposed) for f in reversed(matrix))


def turns(matrix: Matrix) -> int:
    """How many factors of a product are transposed."""
    return sum(factor.transposed for factor in matrix)


@dataclass(frozen=True)
class Forms:
    """Matrix operations in one style."""

    style: Style

    def _one_of(self, text: str, latex: str) -> str:
        return latex if self.style.is_latex else text

    @property
    def ones(self) -> Factor:
        return Factor(Piece(self._one_of("𝟏", r"\mathbf{1}")))

    @property
    def identity(self) -> Factor:
        return Factor(Piece(self._one_of("𝐈", r"\mathbf{I}")), symmetric=True)

    def named(self, name: str, inside: Piece) -> Piece:
        head = self._one_of(name, rf"\operatorname{{{name}}}")
        return Piece(head + self.style.paren(inside).source, tall=inside.tall)

    def diagonal(self, vector: Matrix, inverse: bool = False) -> Factor:
        piece = self.named("diag", self.piece(vector))
        power = self._one_of("⁻¹", "^{-1}")
        return Factor(Piece(piece.source + power, POW, 0, piece.tall) if inverse else piece, symmetric=True)

    def diagonal_of(self, matrix: Piece) -> Factor:
        """The vector of a matrix's diagonal entries."""
        return Factor(self.named("diag", matrix), diagonal_of=matrix)

    def norm(self, of: Piece, frobenius: bool) -> Piece:
        below = self._one_of("_F", "_F") if frobenius else ""
        if self.style.is_latex:
            return Piece(rf"\lVert {of.source}\rVert{below}^2", POW, tall=max(1, of.tall))
        return Piece(f"‖{of.source}‖{below}²", POW)

    def factor(self, factor: Factor) -> Piece:
        if not factor.transposed:
            return factor.piece
        if factor.turned is not None:
            return factor.turned
        base = factor.piece if factor.piece.level == ATOM else self.style.paren(factor.piece)
        return Piece(base.source + self._one_of("ᵀ", r"^\top"), POW, 0, base.tall)

    def pieces(self, matrix: Matrix) -> list[Piece]:
        shown = [factor for factor in matrix if factor != self.identity] or matrix[:1]
        return [self.factor(factor) for factor in shown]

    def piece(self, matrix: Matrix) -> Piece:
        return juxtaposed(self.pieces(matrix), self.style, tight=True)

    def entrywise(self, above: Sequence[Matrix], below: Sequence[Matrix] = ()) -> Matrix:
        """A ⊙ B ⊘ C."""
        if len(above) == 1 and not below:
            return above[0]
        shown = [self._operand(m) for m in above] or [self.ones.piece]
        source = (AT_ENTRYWISE + self._one_of(" ⊙ ", r" \odot ")).join(p.source for p in shown)
        divisors = [self._operand(m) for m in below]
        source += "".join(AT_ENTRYWISE + self._one_of(" ⊘ ", r" \oslash ") + p.source for p in divisors)
        return (Factor(Piece(source, HADAMARD, 0, max(p.tall for p in [*shown, *divisors]))),)

    def _operand(self, matrix: Matrix) -> Piece:
        piece = self.piece(matrix)
        return piece if piece.level >= POW else self.style.paren(piece)

    def vector(self, weights: Sequence[Weight]) -> Matrix:
        above, below = ([w.vector for w in weights if w.inverse == inverse] for inverse in (False, True))
        return self.entrywise(above, below)

    def matrix(self, edge: Edge) -> Matrix:
        turned = edge.turned()
        fewer = sum(map(turns, turned.parts + turned.below)) < sum(map(turns, edge.parts + edge.below))
        if fewer and len(edge.parts + edge.below) > 1:
            return transposed(self.entrywise(turned.parts, turned.below))
        ones = (self.ones, *transposed((self.ones,)))
        return self.entrywise(edge.parts or (ones,), edge.below)


@dataclass
class Network:
    """The factors of one term, reduced letter by letter; scalars gather on the way."""

    forms: Forms
    letters: tuple[Axis, ...]  # of the result
    edges: list[Edge] = field(default_factory=list)
    weights: dict[Axis, list[Weight]] = field(default_factory=dict)
    above: list[Piece] = field(default_factory=list)

    def add(self, letters: Sequence[Axis], matrix: Matrix, inverse: bool = False) -> None:
        """One factor over one or two letters."""
        if len(letters) == 1:
            self.weights.setdefault(letters[0], []).append(Weight(matrix, inverse))
        elif inverse:
            self.edges.append(Edge(letters[0], letters[1], (), (matrix,)))
        else:
            self.edges.append(Edge(letters[0], letters[1], (matrix,)))

    def reduce(self, bound: Iterable[tuple[Axis, Piece]]) -> None:
        """Sum over the bound letters; NoMatrixForm where three factors meet in one."""
        left = dict(bound)
        while left:
            self._merge_parallel()
            degrees = {letter: len(self._at(letter)) for letter in left}
            letter = min(left, key=lambda candidate: degrees[candidate])
            if degrees[letter] > 2:
                raise NoMatrixForm
            self._eliminate(letter, left.pop(letter), {*left})
        self._merge_parallel()

    def _at(self, letter: Axis) -> list[Edge]:
        return [edge for edge in self.edges if letter in (edge.start, edge.end)]

    def _merge_parallel(self) -> None:
        merged: dict[frozenset[Axis], Edge] = {}
        for edge in self.edges:
            pair = frozenset((edge.start, edge.end))
            if pair in merged:
                first, edge = merged[pair], edge.toward(merged[pair].end)
                edge = Edge(first.start, first.end, first.parts + edge.parts, first.below + edge.below)
            merged[pair] = edge
        self.edges = list(merged.values())

    def _eliminate(self, letter: Axis, size: Piece, bound: set[Axis]) -> None:
        touching = self._at(letter)
        weights = self.weights.pop(letter, [])
        self.edges = [edge for edge in self.edges if edge not in touching]
        if not touching:
            self.above.append(self._dot(weights) if weights else size)
        elif len(touching) == 1:
            edge = touching[0].toward(letter)
            alone = edge.start in bound and not weights and not self._at(edge.start) and edge.start not in self.weights
            if alone and (scalar := self._inner_product(edge)) is not None:
                self.above.append(scalar)
                self.weights[edge.start] = [Weight(())]  # its sum is done
                return
            vector = self.forms.vector(weights) if weights else (self.forms.ones,)
            summed = (*self.forms.matrix(edge), *vector)
            self.weights.setdefault(edge.start, []).append(Weight(summed))
        else:
            first, second = touching[0].toward(letter), touching[1].toward(letter).turned()
            inner = (self.forms.diagonal(self.forms.vector(weights)),) if weights else ()
            product = (*self.forms.matrix(first), *inner, *self.forms.matrix(second))
            self.edges.append(Edge(first.start, second.end, (product,)))

    def _inner_product(self, edge: Edge) -> Piece | None:
        """Σ A ⊙ B = tr(Aᵀ B), Σ A ⊙ A = ‖A‖²."""
        forms, parts = self.forms, edge.parts
        if edge.below or len(parts) > 2:
            return None
        if len(parts) == 1:
            square = parts[0][0].square_of if len(parts[0]) == 1 else None
            return forms.norm(square, frobenius=True) if square else None
        if parts[0] == parts[1]:
            return forms.norm(forms.piece(parts[0]), frobenius=True)
        sides = [((*transposed(left), *right), left + right) for left, right in (parts, edge.turned().parts)]
        product, _ = min(sides, key=lambda side: (turns(side[0]), turns(side[1])))
        return forms.named("tr", forms.piece(product))

    def _dot(self, weights: Sequence[Weight]) -> Piece:
        """Σ a b = aᵀ b, Σ a = 𝟏ᵀ a, Σ a² = ‖a‖²."""
        forms = self.forms
        plain = [w.vector for w in weights if not w.inverse]
        if plain == [()]:
            return Piece("1")
        if len(weights) == len(plain) == 1 and len(plain[0]) == 1 and plain[0][0].square_of:
            return forms.norm(plain[0][0].square_of, frobenius=False)
        if len(weights) == len(plain) == 2 and plain[0] == plain[1]:
            return forms.norm(forms.piece(plain[0]), frobenius=False)
        if len(weights) == len(plain) == 1 and len(plain[0]) == 1 and plain[0][0].diagonal_of:
            return forms.named("tr", plain[0][0].diagonal_of)
        if len(weights) == len(plain) == 2:
            products = ((*transposed(a), *b) for a, b in (plain, plain[::-1]))
            return forms.piece(min(products, key=turns))
        if len(weights) == 1 or not plain:
            product = (*transposed((forms.ones,)), *forms.vector(weights))
            return forms.piece(min(product, transposed(product), key=turns))
        rest = list(weights)
        rest.remove(Weight(plain[0]))
        return forms.piece((*transposed(plain[0]), *forms.vector(rest)))

    def result(self, letters: Sequence[Axis]) -> Matrix:
        """What is left, over the letters of the result: a vector, a matrix, or () for a scalar."""
        forms = self.forms
        if not letters:
            return ()
        if len(letters) == 1:
            if self.edges:
                raise NoMatrixForm
            weights = self.weights.get(letters[0], [])
            return forms.vector(weights) if weights else (forms.ones,)
        row, column = ([*self.weights.get(letter, [])] for letter in letters)
        if self.edges:
            edge = self.edges[0].toward(letters[1])
            return (*self._scale(row), *forms.matrix(edge), *self._scale(column))
        left, right = (forms.vector(side) if side else (forms.ones,) for side in (row, column))
        return (*left, *transposed(right))

    def _scale(self, weights: Sequence[Weight]) -> Matrix:
        forms = self.forms
        above = [w.vector for w in weights if not w.inverse]
        below = [w.vector for w in weights if w.inverse]
        over = (forms.diagonal(forms.entrywise(above)),) if above else ()
        return (*over, *(forms.diagonal(vector, inverse=True) for vector in below))
