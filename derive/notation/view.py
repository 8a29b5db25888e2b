"""A story in one style and notation: every expression printed, every chain as sources with their reasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sympy import Eq, Expr, Mul, Symbol, exp, log, tanh
from sympy.core.basic import Basic

from derive.axes import (
    AdjointOf,
    Axis,
    Entry,
    Exponential,
    Logarithm,
    Sigmoid,
    Size,
    Softplus,
    SquareRoot,
    SumOver,
    TangentOf,
    Tensor,
    definitions,
    free_axes,
    tensors_of,
)
from derive.steps import Derivation

from .blocks import Maths
from .choice import Notation, chosen
from .completed import completed
from .glyphs import raw
from .lines import unmarked
from .matrix import Matrices
from .mirrors import mirrors
from .named import NamedTensors
from .names import Names, key_of
from .printer import Printer
from .recurrence import Subject, retold
from .slices import outer_lengths
from .story import Chain, Line, Loss, Reason, Shape, Told, expressions_in, upstreams
from .style import Piece, Style, width_of
from .unrolled import Slope, Unrolled

# Said once in a document, where a chain is in indices, and where its last form follows in the notation asked for.
WITHOUT = {
    "matrix": "no matrix form; in indices",
    "differential": "no matrix form; in indices",
    "named": "no form by axes' names; in indices",
}
WITH = {"matrix": "in matrix form", "differential": "in matrix form", "named": "by axes' names"}
ENTRYWISE = frozenset({exp, log, tanh, Sigmoid, Softplus})
OF_MATRICES = frozenset({Exponential, Logarithm, SquareRoot})
CYCLIC = Reason("the trace is cyclic", "tr(A B) = tr(B A) moves the differential to the end")
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
    """Prints the parts of one document, in the notation that its names are for."""

    def __init__(self, names: Names, style: Style, of: Entry | None = None, sizes: Iterable[Size] = (),
                 called: frozenset[type] = frozenset()) -> None:  # fmt: skip
        """`sizes` are the formula's own parameters, as a stride; `called` the kinds of what is printed."""
        self.names, self.style, self.of = names, style, of
        self.choice, self.notation = names.choice, names.choice.kind
        self.sizes = tuple(sizes)
        self.matrices = Matrices(names, style, of)
        self.turned = Matrices(replace(names, mirrors={}), style, of)  # A = Aᵀ, which would be A = A
        self.named = NamedTensors(names, style, of)
        self.called = called
        self.printed = ""
        self.met: set[Basic] = set()  # what was printed under a name that has to be explained
        self.noted: set[str] = set()  # notes are made once in a document

    def source(self, node: Basic | Loss | Shape | Maths, free: Iterable[Axis] | None = None) -> str:
        """An expression within a sentence; a bare tensor prints as its name."""
        if isinstance(node, Shape):
            return self.shape(node.tensor)
        if isinstance(node, Loss):
            return self.differential() if node.moved else self.style.symbol(self.names.loss)
        if isinstance(node, (Slope, Unrolled)):
            return node.source(self)
        assert isinstance(node, Basic)
        if isinstance(node, Tensor):
            return self.tensor(node)
        letters = tuple(free_axes(node) if free is None else free)
        if (piece := self._whole(node, letters)) is not None:
            return unmarked(piece.source)
        return unmarked(self._index(node, letters).source)

    def _whole(self, node: Basic, letters: Sequence[Axis]) -> Piece | None:
        """An expression without indices; None where that cannot be had, or is not wanted."""
        if self.choice.by_matrices:
            lead = node.args[0] if isinstance(node, AdjointOf) else node  # G = (∂L/∂Y)ᵀ in numerator layout
            over = self.matrices.over(lead, letters) if len(self.matrices.inner(letters)) < 3 else letters
            shown = self.matrices.show(node, over, self.matrices.form(lead))
            alike = shown is not None and isinstance(node, Eq) and len(set(unmarked(shown.source).split(" = "))) == 1
            return self.turned.show(node, over, self.matrices.form(lead)) if alike else shown
        return self.named.show(node, letters) if self.notation == "named" else None

    def tensor(self, tensor: Tensor) -> str:
        """A tensor's name without indices."""
        if self.notation != "index":
            return self.style.symbol(self.names.matrices[key_of(tensor)])
        return self.style.entry(self.names.tensors[key_of(tensor)], (), True).source

    def entry(self, tensor: Tensor) -> str:
        """A tensor with the letters of its declaration."""
        return self._index(tensor[tensor.axes], tensor.axes).source

    def declared(self, tensor: Tensor) -> str:
        """`x_bi`, or `X = (x_bi)` where it is mentioned without its indices."""
        entry, plain = self.entry(tensor), self.tensor(tensor)
        if self.choice.by_matrices and self.names.below(tensor) and len(self.matrices.inner(tensor.axes)) < 3:
            plain = self.matrices.lowered(tensor[tensor.axes])
        if self.notation == "index" or plain == entry:
            return entry
        turned = self.choice.by_matrices and self.matrices.stands_turned(tensor)
        mark = (r"^\top" if self.style.is_latex else "ᵀ") if turned else ""
        return f"{plain} = ({entry}){mark}"

    def shape(self, tensor: Tensor) -> str:
        """`B × I`; in named tensor notation `b[B] × i[I]`."""
        axes = tensor.axes
        if self.choice.by_matrices and self.matrices.stands_turned(tensor):
            axes = (*(axes[k] for k in self.names.below(tensor)), *self.matrices.inner(axes)[::-1])
        sizes = [self.source(axis.size) for axis in axes]
        if self.notation == "named":
            sizes = [f"{self.named.axis(axis)}[{size}]" for axis, size in zip(axes, sizes, strict=True)]
        return (r" \times " if self.style.is_latex else " × ").join(sizes)

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
        return told + self.outside("", " is ")

    def conventions(self) -> Iterator[str]:
        """What must be known to read this notation, in words."""
        choice = self.choice
        if choice.from_one:
            yield "indices start at 1"
        if choice.kind == "named":
            yield "tensors stand without indices: axes are aligned by their names, not by their places"
        if choice.kind == "differential" and self.of is None:
            yield "d marks a differential; what stands before that of a variable is its derivative, transposed"
        if choice.by_matrices and self.called & ENTRYWISE:
            yield "functions such as exp act entry by entry"
        if OF_MATRICES & self.called:
            yield "exp, log and sqrt of a matrix are functions of the whole matrix, not of its entries"
        if choice.by_matrices and choice.samples == "columns":
            yield "samples are the columns of a matrix"
        if choice.by_matrices and self.names.outer:
            yield "what stands below a matrix picks a part of a larger array, as a step or a member of a batch"
        if choice.by_matrices and choice.layout != "mixed":
            first = "output's" if choice.layout == "numerator" else "variable's"
            yield f"derivatives are in {choice.layout} layout: the {first} axis comes first"

    def outside(self, printed: str, verb: str = ": ") -> list[str]:
        """One line on what is read beyond its edges, x̃, g̃: x, g, of all such tensors those that have been printed."""
        met = {key_of(tensor) for tensor in self.met if isinstance(tensor, Tensor)}
        pairs = [
            (source, self.style.entry(self.names.tensors[key], (), True).source)
            for key, beyond in self.names.padded.items()
            if (source := self.style.entry(beyond, (), True).source) and (key in met or source in printed)
        ]
        maths = [[f"${s}$" if self.style.is_latex else s for s in side] for side in zip(*pairs, strict=True)]
        return [f"{verb.join(', '.join(side) for side in maths)}, and 0 outside"] if pairs else []

    def _index(self, node: Basic, letters: Iterable[Axis]) -> Piece:
        return self._show(Printer(self.names, self.style, letters, self.of), node)

    def _show(self, printer: Printer, node: Basic) -> Piece:
        piece = printer.whole(node)
        self.met |= printer.met
        return piece

    def chains(self, chain: Chain) -> list[Shown]:
        """The chain; where the notation does not reach, in indices, with the last form in it or a note."""
        if self.notation == "index":
            return [self._in_indices(chain)]
        last = chain.target[-1]
        gradient = isinstance(last, AdjointOf) and not isinstance(last, TangentOf) and self.of is None
        if self.notation == "differential" and gradient:
            return self._differentials(chain)
        targets, rows = self._arrays(chain)
        if None not in targets and None not in rows:
            return [self._shown(chain, targets, rows)]
        if None in targets or not rows or rows[-1] is None:
            return [self._in_indices(chain, WITHOUT[self.notation])]
        end = Chain(chain.target, chain.lines[-1:], chain.letters)
        return [self._in_indices(chain), self._shown(end, targets, rows[-1:], WITH[self.notation])]

    def _arrays(self, chain: Chain) -> tuple[list[Piece | None], list[Piece | None]]:
        """Targets and lines without indices, over the letters of the chain."""
        if not self.choice.by_matrices:
            show = [self.named.show(t, chain.letters) for t in chain.target]
            return show, [self.named.show(line.expression, chain.letters) for line in chain.lines]
        lead = chain.target[0]
        letters, form = self.matrices.over(lead, chain.letters), self.matrices.form(lead)
        for matrices in (self.matrices, self.turned):
            targets = [matrices.show(t, letters, form) for t in chain.target]
            rows = [matrices.show(line.expression, letters, form) for line in chain.lines]
            if None in targets or len({piece.source for piece in (*targets, *rows) if piece is not None}) > 1:
                break
        return targets, rows

    def _differentials(self, chain: Chain) -> list[Shown]:
        """dL = tr(Gᵀ X dW), step by step; then what stands before dW, transposed: ∂L/∂W = Xᵀ G."""
        last = chain.lines[-1:]
        plain = Chain(chain.target, tuple(Line(line.expression) for line in last), chain.letters)
        targets, results = self._arrays(plain)
        if None in targets or None in results:
            return [self._in_indices(chain, WITHOUT[self.notation])]
        read = self._shown(plain, targets, results)
        entry = chain.target[-1].args[0]
        assert isinstance(entry, Entry)
        moves = [self.matrices.differential(line.expression, entry) for line in chain.lines]
        if chain.again:
            return [read]
        if None in moves:
            moves = [self._index(_moved(line, entry), ()) for line in chain.lines]
        shown = self._shown(chain, [Piece(self.differential())], moves)
        first = self.matrices.differential(chain.lines[-1].expression, entry, first=True)
        if first is not None and first.source != shown.rows[-1].source:
            before = Row(first.source, shown.rows[-1].reasons)
            shown = replace(shown, rows=(*shown.rows[:-1], before, Row(shown.rows[-1].source, (CYCLIC,))))
        return [shown, read]

    def differential(self) -> str:
        """dL."""
        return self.style.symbol(self.names.loss.moved())

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
            reasons = () if note and note == WITH.get(self.notation) else line.reasons
            if rows and rows[-1].source == source:
                rows[-1] = Row(source, tuple(dict.fromkeys((*rows[-1].reasons, *reasons))))
            else:
                rows.append(Row(source, reasons))
        note = "" if note in self.noted else note
        self.noted.add(note)
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


def _moved(line: Line, entry: Entry) -> Basic:
    """Σ M dX over the letters of X."""
    term = Mul(line.expression, TangentOf(entry), evaluate=False)
    return SumOver(term, *entry.indices) if entry.indices else term


def view_of(
    derivation: Derivation, subject: Told, style: Style, notation: str | Notation, beside: Iterable[Basic] = ()
) -> View:
    """The view of a whole document: names told apart over everything it prints, and what is printed beside it."""
    derivation, subject = retold(derivation, subject)
    derivation = completed(derivation)
    defined = subject.definitions
    ups = [g for g, _ in upstreams(derivation, subject)] if derivation.of is None else []
    tensors = [*subject.inputs, *defined, *ups]
    letters = dict.fromkeys(a for t in (*subject.inputs, *subject.outputs) for a in t.axes)
    bodies = [t.body for t in defined if t.body is not None]
    stated = [a.statement for a in subject.assumptions]
    names = Names.of(
        [*subject.scalars, *subject.sizes, *bodies, *stated, *expressions_in(derivation), *beside],
        letters,
        tensors,
        chosen(notation),
    )
    names = _sliced(names, subject, bodies, expressions_in(derivation)) if names.choice.by_matrices else names
    inner = [[a for a in t.axes if a.size not in names.outer] for t in subject.inputs]
    samples = next((axes[0] for axes in inner if len(axes) == 2), None)
    order = tuple(dict.fromkeys([*(a for t in subject.outputs for a in t.axes), *letters]))
    names = replace(names, order=order, samples=samples, recurs=isinstance(subject, Subject))
    rests = [*bodies, *expressions_in(derivation), *(t[t.axes] for t in defined)] if names.choice.by_matrices else []
    names = replace(names, mirrors=mirrors(definitions(rests), stated))
    return View(names, style, derivation.of, subject.sizes, _kinds([*bodies, *expressions_in(derivation)]))


def _kinds(expressions: Iterable[Basic]) -> frozenset[type]:
    """The kinds of functions in expressions, those of entries with letters and those of matrices."""
    named = (*ENTRYWISE, *OF_MATRICES)
    return frozenset(type(part) for e in expressions for part in e.atoms(*named) if part.atoms(Axis))


def _sliced(names: Names, subject: Told, bodies: Sequence[Basic], others: Iterable[Basic]) -> Names:
    """The names where letters of steps or of a batch stand below matrices; ranks are those of the matrices."""
    met = {key_of(t): t for body in (*bodies, *others) for t in tensors_of(body)}
    met |= {key_of(t): t for t in (*subject.inputs, *subject.definitions)}
    outer = outer_lengths(subject, met.values(), bodies)
    ranks = {
        key: sum(a.size not in outer for a in met[key].axes) if key in met else n for key, n in names.ranks.items()
    }
    return replace(names, outer=outer, ranks=ranks) if outer else names


__all__ = ["Line", "Row", "Shown", "View", "view_of"]
