"""Documents: a story laid out as text, as LaTeX, as Markdown."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from typing import Any, TypeVar

from sympy.core.basic import Basic

from .lines import AT_SUM, broken, in_sentence, latex_width, text_width, unmarked
from .prose import escaped
from .story import Block, Display, Heading, Inputs, Part, Reason, Words
from .view import Row, Shown, View
from .wide import TIMES, fitted, led

LINE = 33.0  # em: the width of a line of mathematics in LaTeX; an article at 10 points has 34.5
INDENT = 2.0
LONG_FORMULA = 10.0
NARROW = 10.0
SHORT = 6.0  # em: a longer bound, in the line of an input, may break between its factors
SMALL = r"\footnotesize\itshape"


T = TypeVar("T")
_TIED = "\u00a0"
TIED_UP_TO = 50  # columns: a formula within a sentence stays on one line up to here


def _kept(source: str) -> str:
    """A formula that a paragraph will not break."""
    return source.replace(" ", _TIED) if text_width(source) <= TIED_UP_TO else source


def made(view: View, blocks: Iterable[Block], make: Callable[[Block], T]) -> list[tuple[Block, T]]:
    """Each block with what is made of it: inputs last, for they tell which names have been printed."""
    given = list(blocks)
    found = {k: make(block) for k, block in enumerate(given) if not isinstance(block, Inputs)}
    view.printed = "\n".join(map(str, found.values()))
    return [(block, found[k] if k in found else make(block)) for k, block in enumerate(given)]


class Page(ABC):
    """A document, or the parts of one: what one part prints the inputs explain in another."""

    view: View

    @abstractmethod
    def block(self, block: Block) -> Any:
        """What is made of one block."""

    def laid(self, blocks: Sequence[tuple[Block, Any]]) -> str:
        """The blocks one after the other."""
        return "\n\n".join(source for _, source in blocks if source) + "\n"

    def page(self, blocks: Iterable[Block]) -> str:
        """A whole document."""
        return self.pages(blocks)[0]

    def pages(self, *parts: Iterable[Block]) -> list[str]:
        """The parts of a document, between which something else may stand."""
        given = [list(part) for part in parts]
        found = iter(made(self.view, chain(*given), self.block))
        return [self.laid(list(islice(found, len(part)))) for part in given]


class TextPage(Page):
    """Unicode for a terminal of `width` columns."""

    def __init__(self, view: View, width: int) -> None:
        self.view, self.width = view, width

    def block(self, block: Block) -> str:
        if isinstance(block, Heading):
            title = self._wrapped(self._words(block.words).replace(_TIED, " "), "")
            line = ("=" if block.level == 1 else "-") * max(map(text_width, title.splitlines()))
            return f"{title}\n{line}"
        if isinstance(block, Words):
            return self._wrapped(self._words(block.words), "")
        if isinstance(block, Inputs):
            return "\n".join(self._inputs(block))
        return "\n".join(
            line for chain in block.chains for shown in self.view.chains(chain) for line in self.chain(shown)
        )

    def _words(self, words: Iterable[Part]) -> str:
        return "".join(part if isinstance(part, str) else _kept(self.view.source(part)) for part in words)

    def _wrapped(self, words: str, indent: str) -> str:
        """Lines of at most `width` columns; textwrap would count combining accents."""
        lines = [indent]
        for word in words.split(" "):
            if text_width(lines[-1]) + text_width(word) > self.width and lines[-1].strip():
                lines.append(indent)
            lines[-1] += f"{word} "
        return "\n".join(line.rstrip(" ").replace(_TIED, " ") for line in lines)

    def _inputs(self, block: Inputs) -> Iterable[str]:
        for tensor in block.tensors:
            kind = _kind(tensor.dtype, tensor.bound, self.view.shape(tensor), self.view)
            yield f"  {self.view.declared(tensor)}: {kind}"
        for scalar in block.scalars:
            yield f"  {self.view.parameter(scalar)}: a number"
        yield from (f"  {name}: {words}" for name, words in self.view.parameters())
        yield from (f"  {length}" for length in self.view.lengths())
        yield from (self._wrapped(line, "  ") for line in self.view.outside(self.view.printed))
        yield from (self._wrapped(f"  ({words})", "  ").removeprefix("  ") for words in self.view.conventions())

    def chain(self, shown: Shown) -> Iterable[str]:
        """`target = …`, each link on a line of its own, its reason below."""
        if shown.note:
            yield f"  ({shown.note})"
        if not shown.rows:
            yield f"  {shown.target}"
            return
        first = f"  {shown.target} = "
        room = self.width - text_width(first)
        single = len(shown.rows) == 1 and text_width(unmarked(shown.rows[0].source)) <= room
        if not single:
            yield f"  {shown.target}"
            first = "    = "
        for row in shown.rows:
            margin = 0 if single else 2
            lines = broken(row.source, text_width, self.width - text_width(first) - margin, "× ")
            yield first + lines[0]
            yield from (" " * text_width(first) + "  " + line for line in lines[1:])
            said = []
            for reason in row.reasons:
                clause = [_kept(source) if maths else source for maths, source in self.view.clause(reason)]
                words = reason.law + (": " if reason.why else ", " if clause else "") + "".join(clause)
                said.append(words)
            if said:
                yield self._wrapped(f"[{'; '.join(said)}]", "        ")


class LatexPage(Page):
    """LaTeX with amsmath: sections, align* for chains."""

    spaced = True  # a paragraph with a long formula may have wide spaces rather than a line past the margin

    def __init__(self, view: View) -> None:
        self.view = view

    def laid(self, blocks: Sequence[tuple[Block, Any]]) -> str:
        source = ""
        for block, own in blocks:
            between = "\n" if isinstance(block, (Display, Inputs)) else "\n\n"  # no empty paragraph above a display
            source += (between if source else "") + own
        return source + "\n"

    def block(self, block: Block) -> str:
        if isinstance(block, Heading):
            command = "section" if block.level == 1 else "subsection"
            return rf"\{command}*{{{self.words(block.words)}}}"
        if isinstance(block, Words):
            wide = any(latex_width(self.view.source(p)) > LONG_FORMULA for p in block.words if not isinstance(p, str))
            text = self.words(block.words)
            return f"\\begin{{sloppypar}}\n{text}\n\\end{{sloppypar}}" if wide and self.spaced else text
        if isinstance(block, Inputs):
            return self._inputs(block)
        return self.display([shown for chain in block.chains for shown in self.view.chains(chain)])

    def words(self, words: Iterable[Part]) -> str:
        return "".join(
            escaped(part) if isinstance(part, str) else in_sentence(self.view.source(part)) for part in words
        )

    def _inputs(self, block: Inputs) -> str:
        items = []
        for tensor in block.tensors:
            shape = self.view.shape(tensor)
            kind = _kind(tensor.dtype, tensor.bound, f"${shape}$" if shape else "", self.view)
            items.append(rf"\item ${self.view.declared(tensor)}$: {kind}")
        items += [rf"\item ${self.view.parameter(scalar)}$: a number" for scalar in block.scalars]
        items += [rf"\item ${name}$: {words}" for name, words in self.view.parameters()]
        items += [rf"\item ${length}$" for length in self.view.lengths()]
        items += [rf"\item {line}" for line in self.view.outside(self.view.printed)]
        items += [rf"\item {words}" for words in self.view.conventions()]
        return "\n".join([r"\begin{itemize}", r"\setlength{\itemsep}{0pt}", *items, r"\end{itemize}"]) if items else ""

    def display(self, chains: Sequence[Shown]) -> str:
        """Chains in one align*, but for those whose target stands on a line of its own; a note stands between."""
        parts: list[tuple[str, list[Shown]]] = [("", [])]
        for shown in chains:
            if shown.note and shown.note != parts[-1][0]:
                parts.append((shown.note, []))
            parts[-1][1].append(shown)
        printed: list[str] = []
        for note, members in parts:
            for place, (column, run) in enumerate(runs(members)):
                rows = [row for shown in run for row in self._rows(shown, column)]
                printed.append(self._aligned("" if place else note, rows))
        return "\n".join(printed)

    def _aligned(self, note: str, rows: Sequence[str]) -> str:
        body = " \\\\\n".join(rows)
        above = f"\\noindent {note[:1].upper()}{note[1:]}:\n" if note else ""
        return f"{above}\\begin{{align*}}\n{body}\n\\end{{align*}}"

    def _rows(self, shown: Shown, column: float | None) -> Iterable[str]:
        """A chain's lines, where targets are `column` wide; None: with the target on a line of its own."""
        above = " \\\\*\n".join(f"& {self.fitted(line, LINE)}" for line in _sides(shown.target))
        if not shown.rows:
            yield above
            return
        apart = column is None
        room = LINE - 1.5 - (INDENT if column is None else column)
        for place, row in enumerate(shown.rows):
            lines = broken(row.source, latex_width, room - (INDENT if place else 0), TIMES)
            lines = [self.fitted(line, room) for line in lines]
            target = f"{shown.target} " if place == 0 and not apart else ""
            shift = r"\qquad " if place == 0 or apart else r"\quad "
            printed = [rf"&\quad = {lines[0]}" if apart else f"{target}&= {lines[0]}"]
            printed += [f"&{shift}{led(line)}" for line in lines[1:]]
            if apart and place == 0:
                printed.insert(0, above)
            if row.reasons:
                laws = escaped(", ".join(dict.fromkeys(reason.law for reason in row.reasons)))
                printed[-1] += rf" \tag*{{{SMALL} {laws}}}"
            clauses = "; ".join(filter(None, (self.clause(reason) for reason in row.reasons)))
            if clauses:
                printed.append(rf"&\quad\parbox[t]{{{room - INDENT:.0f}em}}{{\raggedright{SMALL} {clauses}}}")
            yield " \\\\*\n".join(printed)  # no page ends between an expression and its reason

    def fitted(self, line: str, room: float) -> str:
        """A line within the margin: what breaks nowhere is made smaller."""
        return fitted(line, room)

    def clause(self, reason: Reason) -> str:
        """`why (equations)` in words; the law's name stands at the right."""
        parts = self.view.clause(reason)
        return "".join(in_sentence(source) if maths else escaped(source) for maths, source in parts)


def _sides(target: str) -> list[str]:
    """A target in lines, which break at its equality signs."""
    return broken(target.replace(" = ", f"{AT_SUM} = "), latex_width, LINE, TIMES)


def runs(chains: Sequence[Shown]) -> Iterator[tuple[float | None, list[Shown]]]:
    """Chains below each other with the width of their targets; None for those whose targets stand alone."""
    beside = [shown for shown in chains if _fits(shown, latex_width(shown.target))]
    column = max((latex_width(shown.target) for shown in beside), default=0.0)
    for together, run in groupby(chains, key=lambda shown: _fits(shown, max(column, latex_width(shown.target)))):
        members = list(run)
        yield max(latex_width(shown.target) for shown in members) if together else None, members


def _fits(shown: Shown, column: float) -> bool:
    """Whether every line can be made short enough beside targets that are `column` wide."""
    room = LINE - column - 1.5
    return not shown.rows or (room >= NARROW and _short(shown.rows, room))


def _short(rows: Sequence[Row], room: float) -> bool:
    """Whether every line of the rows can be made as short as `room`."""
    lines = (line for row in rows for line in broken(row.source, latex_width, room, TIMES))
    return all(latex_width(line) <= room for line in lines)


def _kind(dtype: str, bound: Basic | None, shape: str, view: View) -> str:
    """The words for an input's type and shape."""
    if dtype == "int":
        below = view.source(bound) if bound is not None else ""
        below = in_sentence(below, SHORT) if below and view.style.is_latex else below
        within = f" from 1 to {below}" if view.choice.from_one else f" below {below}"
        return (f"{shape}, " if shape else "") + "integers" + (within if below else "")
    if dtype == "bool":
        return (f"{shape}, " if shape else "") + "conditions"
    return shape or "a number"


_FOR_MARKDOWN: tuple[tuple[str, str], ...] = (
    (r"\,", r"\thinspace "),
    (r"\ ", " "),
    (r"\\[3pt]", r"\\"),
    ("< ", r"\lt "),
    ("> ", r"\gt "),
)


def _guarded(source: str) -> str:
    """LaTeX within Markdown: no backslash before punctuation, no angle bracket, which GitHub would take for its own."""
    for old, new in _FOR_MARKDOWN:
        source = source.replace(old, new)
    return source.replace("thinspace  ", "thinspace ")


class MarkdownPage(LatexPage):
    """GitHub-flavoured Markdown with $…$ and $$…$$."""

    spaced = False

    def laid(self, blocks: Sequence[tuple[Block, Any]]) -> str:
        return Page.laid(self, blocks)

    def block(self, block: Block) -> str:
        if isinstance(block, Heading):
            return f"{'#' * block.level} {self.words(block.words)}"
        if isinstance(block, Display):
            shown = [shown for chain in block.chains for shown in self.view.chains(chain)]
            return self.display(shown)
        return super().block(block)

    def words(self, words: Iterable[Part]) -> str:
        return "".join(
            _plain(part) if isinstance(part, str) else f"${_guarded(self.view.source(part))}$" for part in words
        )

    def _inputs(self, block: Inputs) -> str:
        items = super()._inputs(block)
        listed = [line.removeprefix(r"\item ") for line in items.splitlines() if line.startswith(r"\item")]
        return "\n".join("- " + _guarded(line) for line in listed)

    def _aligned(self, note: str, rows: Sequence[str]) -> str:
        body = " \\\\\n".join(_guarded(row) for row in rows)
        above = f"{note[:1].upper()}{note[1:]}:\n\n" if note else ""
        return f"{above}$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$\n"

    def display(self, chains: Sequence[Shown]) -> str:
        told = dict.fromkeys(reason for shown in chains for row in shown.rows for reason in row.reasons)
        clauses = {reason: self.clause(reason) for reason in told}
        listed = "\n".join(f"- {_plain(r.law)}: {clause}" for r, clause in clauses.items() if clause)
        return "\n".join(filter(None, [super().display(chains), listed])).rstrip()

    def _rows(self, shown: Shown, column: float | None) -> Iterable[str]:
        quiet = Shown(shown.target, tuple(Row(row.source, ()) for row in shown.rows), shown.free, shown.note)
        for row, printed in zip(shown.rows, super()._rows(quiet, column), strict=False):
            laws = ", ".join(reason.law for reason in row.reasons)
            yield printed.replace(r"\\*", r"\\") + (rf" && \text{{{laws}}}" if laws else "")

    def fitted(self, line: str, room: float) -> str:
        """As it is: a reader's page is as wide as it is, and the dialect knows no smaller letters."""
        return line

    def clause(self, reason: Reason) -> str:
        """`why (equations)` in words."""
        parts = self.view.clause(reason)
        return "".join(f"${_guarded(source)}$" if maths else _plain(source) for maths, source in parts)


def _plain(words: str) -> str:
    """Words without what Markdown would take for markup."""
    return re.sub(r"([\\`*_\[\]<>#|$])", r"\\\1", words)
