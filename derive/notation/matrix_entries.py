"""How a tensor is written as a matrix: which letters are its rows and columns, and which stand below it.

A tensor of two axes is a matrix with rows along its first, written as a capital; where the reader's samples are
columns, one whose first axis counts samples stands transposed. Letters of steps or of a batch stand below: X_t.
"""

from __future__ import annotations

from collections.abc import Sequence

from sympy.core.basic import Basic

from derive.axes import AdjointOf, Axis, Entry, MatrixFunction, PaddedEntry, TangentOf, Tensor, free_axes

from . import counting
from .glyphs import Glyph
from .matrix_functions import letters_at
from .names import Names, key_of
from .network import Factor, Forms, NoMatrixForm
from .printer import Printer, derivative
from .style import Piece, Style


class MatrixEntries:
    """Entries and derivatives of tensors as matrices, with one document's names."""

    def __init__(self, names: Names, style: Style, of: Entry | None = None) -> None:
        self.names, self.style, self.forms = names, style, Forms(style)
        self.scalars = Printer(names, style, (), of)
        self.around: frozenset[Axis] = frozenset()  # letters below matrices that the whole equation has

    def inner(self, letters: Sequence[Basic]) -> tuple[Axis, ...]:
        """The letters along rows and columns: all but those that stand below a matrix."""
        return tuple(a for a in letters if isinstance(a, Axis) and a.size not in self.names.outer)

    def _letters(self, factor: Basic) -> tuple[Axis, ...]:
        """The letters of a factor, row first; a derivative has the variable's letters last."""
        if isinstance(factor, MatrixFunction):
            return letters_at(factor)
        layout, turned = self.names.choice.layout, False
        entries = [factor] if isinstance(factor, Entry) else []
        if isinstance(factor, Entry):
            turned = self.stands_turned(factor.tensor)
        if isinstance(factor, AdjointOf):
            of = None if isinstance(factor, TangentOf) else self.scalars.of
            entries = [factor.entry] if of is None else [of, factor.entry]
            turned = of is None and self.stands_turned(factor.entry.tensor)
            turned ^= not isinstance(factor, TangentOf) and layout == ("numerator" if of is None else "denominator")
        below = {id(entry): self.names.below(entry.tensor) for entry in entries}
        indices = [a for entry in entries for k, a in enumerate(entry.indices) if k not in below[id(entry)]]
        if any(not isinstance(index, Axis) for index in indices) or isinstance(factor, PaddedEntry):
            raise NoMatrixForm
        letters = tuple(dict.fromkeys(indices)) if entries else self.inner(free_axes(factor))
        return letters[::-1] if turned else letters

    def stands_turned(self, tensor: Tensor) -> bool:
        """Whether a tensor is written with its samples as columns."""
        samples, axes = self.names.samples, self.inner(tensor.axes)
        return (
            samples is not None
            and self.names.choice.samples == "columns"
            and len(axes) == 2
            and axes[0].size == samples.size != axes[1].size
        )

    def _entry(self, node: Entry) -> Factor:
        below = self._whole(node)
        if self.names.choice.from_one and node.tensor.dtype == "int":
            raise NoMatrixForm  # whether it counts from 1 is seen in indices only
        piece = Piece(self._symbol(node))
        inside = [index for k, index in enumerate(node.indices) if k not in below]
        if len(set(inside)) < len(inside):
            return self.forms.diagonal_of(piece)
        return Factor(piece, upstream=node.tensor.role in ("upstream", "adjoint"))

    def _whole(self, node: Entry) -> tuple[int, ...]:
        """The places that stand below the matrix; a part of a tensor has no name."""
        below, pairs = self.names.below(node.tensor), zip(node.indices, node.tensor.axes, strict=True)
        if any((not isinstance(i, Axis) or i.size != a.size) and k not in below for k, (i, a) in enumerate(pairs)):
            raise NoMatrixForm
        return below

    def _derivative(self, node: AdjointOf) -> Factor:
        self._whole(node.entry)
        if isinstance(node, TangentOf):
            glyph, moved = self._glyph(node.entry), self.names.choice.kind == "differential"
            return Factor(Piece(self._lowered(glyph.moved() if moved else glyph.accented("dot"), node.entry)))
        is_row = self.names.choice.layout == "numerator" and self.scalars.of is None and node.entry.tensor.ndim == 1
        shown = derivative(self.scalars, node, self._symbol, r"^\top" if self.style.is_latex else "ᵀ")
        return Factor(shown, transposed=is_row)

    def _symbol(self, entry: Entry) -> str:
        return self._lowered(self._glyph(entry), entry)

    def lowered(self, entry: Entry) -> str:
        """The matrix of which an entry is one: X_t of x[t, b, i]."""
        return self._lowered(self.names.matrices[key_of(entry.tensor)], entry)

    def _lowered(self, glyph: Glyph, entry: Entry) -> str:
        """The matrix with what stands below it: X_t, H_{t−1}."""
        places = [entry.indices[k] for k in self.names.below(entry.tensor)]
        if any(self.inner(tuple(free_axes(place))) for place in places):
            raise NoMatrixForm  # R_{n+m} would be another matrix in each row
        indices, units = self.scalars._indices(
            [counting.shown(p) for p in places] if self.names.choice.from_one else places
        )
        shown = [
            f"{self.scalars.show(entry.tensor.axes[k]).source}={index}" if not place.atoms(Axis) else index
            for k, place, index in zip(self.names.below(entry.tensor), places, indices, strict=True)
        ]  # t = 0 is a step, H_0 a name
        return self.style.lowered(glyph, [index.replace(" ", "") for index in shown], units)

    def _glyph(self, node: Entry) -> Glyph:
        if node.tensor.ndim - len(self.names.below(node.tensor)) > 2:
            raise NoMatrixForm
        return self.names.matrices[key_of(node.tensor)]
