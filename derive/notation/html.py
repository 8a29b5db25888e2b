"""A derivation as HTML: headings, sentences, and each chain of equalities in a box that scrolls by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from sympy.core.basic import Basic

from derive.steps import Derivation

from .article import halves
from .lines import broken, latex_width
from .mathml import mathml, mixed
from .pages import LatexPage
from .sheet import STYLE
from .story import Block, Heading, Inputs, Loss, Reason, Told, Words, story
from .style import LATEX
from .view import Row, Shown, View, view_of

LINE = 38.0  # em: the longest line before a formula is broken, on a wide screen
WIDE = 9.0  # em: a longer target stands on a line of its own
_ITEM = re.compile(r"^\\item (.*)$", re.MULTILINE)


class HtmlPage(LatexPage):
    """HTML with MathML; the headings begin at h1, or `below` levels further down."""

    def __init__(self, view: View, below: int = 0) -> None:
        super().__init__(view)
        self.below = below

    def laid(self, blocks: Sequence[tuple[Block, Any]]) -> str:
        return "\n".join(source for _, source in blocks if source) + "\n"

    def block(self, block: Block) -> str:
        if isinstance(block, Heading):
            level = block.level + self.below
            return f"<h{level}>{self.words(block.words)}</h{level}>"
        if isinstance(block, Words):
            return f"<p>{self.words(block.words)}</p>"
        if isinstance(block, Inputs):
            items = _ITEM.findall(super().block(block))
            return "<ul>\n" + "".join(f"<li>{mixed(_plain(item))}</li>\n" for item in items) + "</ul>" if items else ""
        return "\n".join(self._boxes([shown for chain in block.chains for shown in self.view.chains(chain)]))

    def words(self, words: Iterable[str | Basic | Loss]) -> str:
        return "".join(
            escape(part, quote=False) if isinstance(part, str) else mathml(self.view.source(part)) for part in words
        )

    def _boxes(self, chains: Sequence[Shown]) -> Iterator[str]:
        """Chains of one document in one box each; equalities of a single link share a box."""
        group: list[str] = []
        note = ""
        for shown in chains:
            if shown.note and shown.note != note:
                yield from boxed(group)
                group, note = [], shown.note
                yield f'<p class="note">{escape(note[:1].upper() + note[1:])}:</p>'
            group += self.cells(shown)
            if len(shown.rows) > 1:
                yield from boxed(group)
                group = []
        yield from boxed(group)

    def cells(self, shown: Shown) -> Iterator[str]:
        """A chain as the cells of a box: target, expressions, laws."""
        if not shown.rows:
            yield f'<div class="wide">{mathml(shown.target, True)}</div>'
            return
        apart = latex_width(shown.target) > WIDE
        yield f'<div class="{"wide" if apart else "target"}">{mathml(shown.target, True)}</div>'
        for row in shown.rows:
            lines = broken(row.source, latex_width, LINE, r"{} \times ")
            printed = "".join(f"<div>{mathml(line, True)}</div>" for line in _led(lines))
            yield f'<div class="expr{" alone" if apart else ""}">{printed}</div>'
            if laws := self._laws(row):
                yield f'<div class="law">{laws}</div>'

    def _laws(self, row: Row) -> str:
        return "; ".join(dict.fromkeys(map(self._reason, row.reasons)))

    def _reason(self, reason: Reason) -> str:
        clause = self.clause(reason)
        between = ": " if reason.why else ", " if clause else ""
        return f"{self.law(reason.law)}{between}{clause}"

    def law(self, name: str) -> str:
        """A law's name."""
        return f"<b>{escape(name)}</b>"

    def clause(self, reason: Reason) -> str:
        """`why (equations)` in words."""
        parts = self.view.clause(reason)
        return "".join(mathml(source) if maths else escape(source, quote=False) for maths, source in parts)


def boxed(cells: Sequence[str], label: str = "Equalities") -> Iterator[str]:
    """Cells in one box, which a keyboard can scroll."""
    if cells:
        inside = "\n".join(cells)
        yield f'<div class="chain" tabindex="0" role="group" aria-label="{escape(label)}">\n{inside}\n</div>'


def _led(lines: Sequence[str]) -> Iterator[str]:
    """`= first line`, and further lines that open with their sign."""
    yield "{} = " + lines[0]
    yield from ("{} " + line for line in lines[1:])


def _plain(item: str) -> str:
    """Words of a LaTeX list without its escapes."""
    return re.sub(r"\\([%&#_{}])(?![^$]*\$[^$]*$)", r"\1", item)


def document(title: str, body: str, head: str = "") -> str:
    """A whole page: no script, nothing loaded, its style inside."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(title, quote=False)}</title>\n<style>{STYLE}</style>\n{head}</head>\n"
        f"<body>\n{body}</body>\n</html>\n"
    )


def explain_html(
    derivation: Derivation,
    traced: Told,
    detail: str = "normal",
    *,
    notation: Any = "index",
    summary: str = "",
    between: str = "",
) -> str:
    """The derivation as one HTML file; `between` is markup that stands between the definition and the steps.

    Raises Unsupported for a node, notation or detail without a row; ModuleNotFoundError without latex2mathml.
    """
    page = HtmlPage(view_of(derivation, traced, LATEX, notation))
    before, after = halves(story(derivation, traced, detail, summary))
    first, last = page.pages(before, after)
    body = f"<main>\n{first}{between}{last}</main>\n"
    return document(f"{derivation.title}: the gradient derived", body)


def fragment_html(
    derivation: Derivation,
    traced: Told,
    detail: str = "normal",
    *,
    notation: Any = "index",
    below: int = 1,
) -> tuple[str, str]:
    """The definition, and the steps after it, for a page with a title of its own; headings begin at h2 + `below`."""
    page = HtmlPage(view_of(derivation, traced, LATEX, notation), below)
    before, after = halves(story(derivation, traced, detail))
    first, last = page.pages(before[2:], after)  # without the title and the word Definition
    return first, last
