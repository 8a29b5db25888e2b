"""A story in one style and notation: every expression printed, every chain as sources with their reasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sympy import Eq, Expr, Symbol
from sympy.core.basic import Basic

from derive.axes import Axis, Entry, Size, Tensor, free_axes
from derive.steps import Derivation

from .expression import checked_notation
from .glyphs import raw
from .lines import unmarked
from .matrix import Matrices
from .names import Names, key_of
from .printer import Printer
from .story import Chain, Line, Loss, Reason, Told, expressions_in, upstreams
from .style import Piece, Style, width_of

LONG_CITATION = {False: 44, True: 20.0}  # columns, em: a longer cited definition is cited by its name


@dataclass(frozen=True)
class Row:
    """One printed link of a chain, with the marks where it may break."""

    source: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Shown:
    """A printed chain; `note` says what notation could not be had."""

    target: str
    rows: tuple[Row, ...]
    free: tuple[Axis, ...]
    note: str = ""


class View:
    """Prints the parts of one document."""

    def __init__(
        self, names: Names, style: Style, notation: str = "index", of: Entry | None = None, sizes: Iterable[Size] = ()
    ) -> None:
        """`sizes` are the formula's own parameters: a stride, a padding, a number of heads."""
        self.names, self.style, self.notation, self.of = names, style, checked_notation(notation), of
        self.sizes = tuple(sizes)
        self.matrices = Matrices(names, style, of)
        self.met: set[Basic] = set()  # what was printed under a name that has to be explained

    def source(self, node: Basic | Loss, free: Iterable[Axis] | None = None) -> str:
        """An expression within a sentence; a bare tensor prints as its name."""
        if isinstance(node, Loss):
            return self.style.symbol(self.names.loss)
        if isinstance(node, Tensor):
            return self.tensor(node)
        letters = tuple(free_axes(node) if free is None else free)
        if self.notation == "matrix" and (piece := self.matrices.show(node, letters)) is not None:
            return unmarked(piece.source)
        return unmarked(self._index(node, letters).source)

    def tensor(self, tensor: Tensor) -> str:
        """A tensor's name without indices."""
        if self.notation == "matrix":
            return self.style.symbol(self.names.matrices[key_of(tensor)])
        return self.style.entry(self.names.tensors[key_of(tensor)], (), True).source

    def entry(self, tensor: Tensor) -> str:
        """A tensor with the letters of its declaration."""
        return self._index(tensor[tensor.axes], tensor.axes).source

    def parameters(self) -> Iterator[tuple[str, str]]:
        """The sizes that are the formula's parameters, each with its kind in words."""
        for size in self.sizes:
            least = f" of at least {size.min}" if size.min != 1 else ""
            yield self.parameter(size), f"a whole number{least}{self._default(size.default)}"

    def _default(self, default: Expr | int | None) -> str:
        if default is None or isinstance(default, int):
            return "" if default is None else f", {default} by default"
        written = Printer(self.names, self.style).integers.show(default).source
        return f", ${written}$ by default" if self.style.is_latex else f", {written} by default"

    def parameter(self, symbol: Symbol) -> str:
        """`s = stride`, or `heads` where that is what is written."""
        written = self.style.symbol(self.names.symbols[symbol])
        return f"{written} = {self.style.symbol(raw(symbol.name))}" if self.names.abbreviates(symbol) else written

    def lengths(self) -> list[str]:
        """`H = ⌊(Y + 2 p − R)/s⌋ + 1` for every length that is an expression."""
        return [self._length(size)[0] for size in self.names.lengths]

    def _length(self, size: Expr) -> tuple[str, set[Basic]]:
        """A length's definition, which may name those before it, and what it names."""
        names = list(self.names.lengths.items())
        before = dict(names[: list(self.names.lengths).index(size)])
        printer = Printer(replace(self.names, lengths=before), self.style)
        written = unmarked(printer.integers.show(size).source)
        return f"{self.style.symbol(self.names.symbols[self.names.lengths[size]])} = {written}", printer.met

    def legend(self) -> list[str]:
        """What has been printed under a name of its own: lengths, and tensors read beyond their edges."""
        met = set(self.met)
        told: list[str] = []
        for size, name in reversed(list(self.names.lengths.items())):
            if name in met:
                line, named = self._length(size)
                met |= named
                told.insert(0, line)
        renamed = [
            self.parameter(symbol) for symbol in self.names.symbols if symbol in met and self.names.abbreviates(symbol)
        ]
        told += [", ".join(renamed)] if renamed else []
        keys = {key_of(tensor) for tensor in met if isinstance(tensor, Tensor)}
        for key, pair in zip(self.names.padded, self.paddings(), strict=True):
            told += [f"{pair[0]} is {pair[1]}, and 0 outside"] if key in keys else []
        return told

    def paddings(self) -> Iterator[tuple[str, str]]:
        """What is read beyond its edges, and by itself: x̃ and x."""
        for key, beyond in self.names.padded.items():
            yield self.style.entry(beyond, (), True).source, self.style.entry(self.names.tensors[key], (), True).source

    def _index(self, node: Basic, letters: Iterable[Axis]) -> Piece:
        return self._show(Printer(self.names, self.style, letters, self.of), node)

    def _show(self, printer: Printer, node: Basic) -> Piece:
        piece = printer.show(node)
        self.met |= printer.met
        return piece

    def chains(self, chain: Chain) -> list[Shown]:
        """The chain; where matrix notation does not reach, in indices, with the last form in matrices or a note."""
        if self.notation == "index":
            return [self._in_indices(chain)]
        targets = [self.matrices.show(t, chain.letters) for t in chain.target]
        rows = [self.matrices.show(line.expression, chain.letters) for line in chain.lines]
        if None not in targets and None not in rows:
            return [self._shown(chain, targets, rows)]
        if None in targets or not rows or rows[-1] is None:
            return [self._in_indices(chain, "no matrix form; in indices")]
        last = Chain(chain.target, chain.lines[-1:], chain.letters)
        return [self._in_indices(chain), self._shown(last, targets, rows[-1:], "in matrix form")]

    def _in_indices(self, chain: Chain, note: str = "") -> Shown:
        printer = Printer(self.names, self.style, chain.free, self.of)
        targets = [self._show(printer, t) for t in chain.target]
        return self._shown(chain, targets, [self._show(printer, line.expression) for line in chain.lines], note)

    def _shown(
        self, chain: Chain, targets: Sequence[Piece | None], pieces: Sequence[Piece | None], note: str = ""
    ) -> Shown:
        """Links that print alike are one, with the reasons of both."""
        target = " = ".join(unmarked(piece.source) for piece in targets if piece is not None)
        rows: list[Row] = []
        for piece, line in zip(pieces, chain.lines, strict=True):
            source = piece.source if piece is not None else ""
            reasons = () if note == "in matrix form" else line.reasons
            if rows and rows[-1].source == source:
                rows[-1] = Row(source, tuple(dict.fromkeys((*rows[-1].reasons, *reasons))))
            else:
                rows.append(Row(source, reasons))
        return Shown(target, tuple(rows), chain.free, note)

    def clause(self, reason: Reason) -> list[tuple[bool, str]]:
        """`why (equations cited)` as pieces: (whether it is mathematics, the source)."""
        found = [(False, reason.why)] if reason.why else []
        for place, cited in enumerate(reason.cites):
            opening = " (" if reason.why else "by "
            found += [(False, "; " if place else opening), *self._citation(cited)]
        return found + ([(False, ")")] if reason.cites and reason.why else [])

    def _citation(self, cited: Basic) -> list[tuple[bool, str]]:
        source = self.source(cited)
        if isinstance(cited, Eq) and self._too_long(source):
            return [(False, "definition of "), (True, self.source(cited.args[0]))]
        return [(True, source)]

    def _too_long(self, source: str) -> bool:
        return width_of(source, self.style) > LONG_CITATION[self.style.is_latex]


def view_of(derivation: Derivation, subject: Told, style: Style, notation: str) -> View:
    """The view of a whole document: names told apart over everything it prints."""
    defined = subject.definitions
    ups = [g for g, _ in upstreams(derivation, subject)] if derivation.of is None else []
    tensors = [*subject.inputs, *defined, *ups]
    letters = dict.fromkeys(a for t in (*subject.inputs, *subject.outputs) for a in t.axes)
    bodies = [t.body for t in defined if t.body is not None]
    stated = [a.statement for a in subject.assumptions]
    names = Names.of(
        [*subject.scalars, *subject.sizes, *bodies, *stated, *expressions_in(derivation)], letters, tensors
    )
    order = tuple(dict.fromkeys([*(a for t in subject.outputs for a in t.axes), *letters]))
    return View(replace(names, order=order), style, notation, derivation.of, subject.sizes)


__all__ = ["Line", "Row", "Shown", "View", "view_of"]
