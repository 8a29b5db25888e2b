"""A formula's page as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from derive.notation.chainrule import network_html
from derive.notation.html import HtmlPage, boxed, document
from derive.notation.lines import AT_SUM
from derive.notation.story import Block, Heading
from derive.notation.view import Row, Shown

from .matter import Matter
from .order import TITLE, Place, chapter_of

RESULTS = (("Result",), ("Results",))  # the headings of what a derivation ends with
HOME = '<a href="index.html">Contents</a>'


def anchor(law: str) -> str:
    """The place of a law in the index of laws."""
    return re.sub(r"\W+", "-", law).strip("-")


def chapter_file(chapter: str) -> str:
    """A chapter may be named like one of its formulas."""
    return f"chapter-{chapter}.html"


def link(name: str, words: str = "") -> str:
    """To a formula's page."""
    return f'<a href="{name}.html">{escape(words or name)}</a>'


class BookPage(HtmlPage):
    """Laws link to their index."""

    def law(self, name: str) -> str:
        return f'<a href="laws.html#{anchor(name)}"><b>{escape(name)}</b></a>'


def formula_page(matter: Matter, place: Place) -> str:
    """The whole page of one formula."""
    chapter = chapter_of(place.chapter)
    up = f'<a href="{chapter_file(place.chapter)}">{escape(chapter.title)}</a>'
    before = f"← {link(place.before)}" if place.before else ""
    after = f"{link(place.after)} →" if place.after else ""
    path = f'<nav class="path" aria-label="Book"><span>{HOME} › {up}</span><span>{before} {after}</span></nav>'
    definition, steps = _told(matter)
    parts = [
        path,
        "<main>",
        f"<h1>{escape(matter.name)}</h1>",
        f'<p class="summary">{escape(matter.formula.summary)}</p>',
        "<h2>Definition, shapes and assumptions</h2>",
        definition,
        *_intuition(matter, chapter.geometry),
        *_derivation(matter, steps),
        *_code(matter),
        *_picture(matter),
        *_checks(matter),
        *_references(matter, place),
        "</main>",
    ]
    return document(f"{matter.name} · {TITLE}", "\n".join(parts) + "\n")


def _told(matter: Matter) -> list[str]:
    """The definition, and the steps of the derivation."""
    if matter.derivative is not None:
        definition, steps = matter.told
        return BookPage(matter.view, below=1).pages(definition[2:], _steps(steps))
    from derive.api.shown import definition_text

    written = f'<pre tabindex="0">{escape(definition_text(matter.formula).rstrip())}</pre>'
    return [f"{written}\n<p>No input of this formula is real, so it has no gradient.</p>", ""]


def _intuition(matter: Matter, geometry: str) -> Iterator[str]:
    paragraphs, _ = matter.words
    if paragraphs or geometry:
        yield "<h2>Intuition and geometry</h2>"
        yield from (f"<p>{escape(words, quote=False)}</p>" for words in (*paragraphs, geometry) if words)


def _derivation(matter: Matter, steps: str) -> Iterator[str]:
    if matter.derivative is None:
        return
    if matter.network is not None:
        yield network_html(matter.network)
    yield "<h2>Derivation</h2>"
    yield steps
    yield "<h2>Closed form</h2>"
    page = BookPage(matter.view)
    cells = [cell for line in matter.results for cell in page.cells(_equality(line))]
    yield from boxed(cells, "Closed form")


def _steps(blocks: Sequence[Block]) -> Sequence[Block]:
    """A derivation without its results at the end: they have a section of their own."""
    ends = (place for place, block in enumerate(blocks) if isinstance(block, Heading) and block.words in RESULTS)
    return blocks[: next(ends, len(blocks))]


def _equality(line: str) -> Shown:
    """`target = expression` as a chain, which may break at nothing: its box scrolls."""
    target, _, expression = line.partition(" = ")
    return Shown(target, (Row(expression.replace(AT_SUM, ""), ()),), ())


def _code(matter: Matter) -> Iterator[str]:
    yield "<h2>Code</h2>"
    yield (f"<p>As <code>derive code {matter.name}</code> writes it, without the checks of inputs.</p>")
    yield f'<pre tabindex="0"><code>{escape(matter.code, quote=False)}</code></pre>'
    yield "<h2>Cost</h2>"
    yield f'<pre tabindex="0">{escape(matter.cost, quote=False)}</pre>'


def _picture(matter: Matter) -> Iterator[str]:
    if matter.picture is not None:
        yield "<h2>Picture</h2>"
        caption = f"<figcaption>{escape(matter.picture.words)}</figcaption>"
        yield f'<figure class="plot">\n{matter.picture.svg()}{caption}</figure>'


def _checks(matter: Matter) -> Iterator[str]:
    yield "<h2>Checks</h2>"
    yield f"<p>{escape(matter.checked.words)}</p>"
    errors = ((what, f"{worst:.0e}" if worst else "0") for what, worst in matter.checked.statements)
    rows = "".join(f"<tr><td>{escape(what)}</td><td>{worst}</td></tr>\n" for what, worst in errors)
    head = '<thead><tr><th scope="col">Statement</th><th scope="col">Largest error</th></tr></thead>'
    yield (
        f'<div class="scroll" tabindex="0" role="group" aria-label="Checks"><table>{head}\n'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _references(matter: Matter, place: Place) -> Iterator[str]:
    _, sources = matter.words
    if sources:
        yield "<h2>Sources</h2>"
        yield f"<ul>{''.join(f'<li>{escape(source, quote=False)}</li>' for source in sources)}</ul>"
    yield "<h2>See also</h2>"
    laws = [f'<a href="laws.html#{anchor(law)}">{escape(law)}</a>' for law, _ in matter.laws]
    for words, links in (
        ("Uses", list(map(link, place.uses))), ("Used by", list(map(link, place.used_by))), ("Laws", laws)
    ):  # fmt: skip
        if links:
            yield f"<p>{words}: {', '.join(links)}.</p>"
    chapter = f'<a href="{chapter_file(place.chapter)}">{escape(chapter_of(place.chapter).title)}</a>'
    yield f"<p>Chapter: {chapter}.</p>"


def listing(names: Iterable[tuple[str, str]]) -> str:
    """Formulas with their summaries."""
    rows = (f"<li>{link(name)}: {escape(summary, quote=False)}</li>" for name, summary in names)
    return "<ul>\n" + "\n".join(rows) + "\n</ul>"


__all__ = ["BookPage", "anchor", "chapter_file", "formula_page", "link", "listing"]
