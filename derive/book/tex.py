"""The book as LaTeX: a file for every formula, and one that holds them together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from derive.notation.article import TIKZ, halves
from derive.notation.chainrule import network_latex
from derive.notation.lines import text_width
from derive.notation.pages import LatexPage
from derive.notation.prose import escaped
from derive.notation.story import Block, Display, Heading, story
from derive.notation.style import LATEX
from derive.notation.view import View, view_of

from .matter import Matter
from .order import TITLE, Place, chapter_of
from .preface import PARTS, Text, Title, worked

if TYPE_CHECKING:
    from .making import Entry

COLUMNS = 98  # of code on a line
PREAMBLE = r"""\documentclass[11pt,oneside]{book}
\usepackage{amsmath,amssymb,graphicx}
\usepackage[hidelinks,bookmarks=false]{hyperref}
%s\setlength{\textwidth}{15.5cm}
\setlength{\oddsidemargin}{0.2cm}
\setlength{\textheight}{23cm}
\setlength{\topmargin}{-1cm}
\setcounter{secnumdepth}{0}
\setcounter{tocdepth}{1}
\allowdisplaybreaks
\raggedbottom
\emergencystretch=4em
\hbadness=10000
\begin{document}
\title{%s}
\author{Made by derive, from definitions alone}
\date{}
\maketitle
\tableofcontents
"""


class SectionPage(LatexPage):
    """A derivation within the section of its formula."""

    def block(self, block: Block) -> str:
        if isinstance(block, Heading):
            return rf"\subsubsection*{{{self.words(block.words)}}}"
        return super().block(block)


def prose(words: str) -> str:
    """A paragraph; dotted names such as torch.nn.functional.rms_norm may break at their dots and dashes."""
    dotted = re.sub(r"(?<=[a-zA-Z])\.(?=[a-zA-Z])", r".\\allowbreak{}", escaped(words))
    return dotted.replace(r"\_", r"\_\allowbreak{}")


def label(name: str) -> str:
    """Where a formula stands."""
    return f"f:{name}"


def link(name: str) -> str:
    """To a formula."""
    return rf"\hyperref[{label(name)}]{{{escaped(name)}}} (p.~\pageref{{{label(name)}}})"


def formula_tex(matter: Matter, place: Place) -> dict[str, bytes]:
    """The section of one formula, and its picture."""
    files: dict[str, bytes] = {}
    parts = [
        rf"\section{{{escaped(matter.name)}}}\label{{{label(matter.name)}}}",
        rf"\emph{{{prose(matter.formula.summary)}}}",
    ]
    parts += [*_mathematics(matter, chapter_of(place.chapter).geometry), *_code(matter)]
    if matter.picture is not None:
        name = f"{matter.name}-picture.pdf"
        files[name] = matter.picture.data("pdf")
        parts.append(
            f"\\subsection*{{Picture}}\n\\begin{{center}}\n\\includegraphics[width=.72\\textwidth]{{{name}}}\n\\end{{center}}"
        )
    parts += [*_checks(matter), *_references(matter, place)]
    return {f"{matter.name}.tex": ("\n\n".join(parts) + "\n").encode("utf-8"), **files}


def _mathematics(matter: Matter, geometry: str) -> Iterator[str]:
    d = matter.derivative
    yield r"\subsection*{Definition, shapes and assumptions}"
    paragraphs, _ = matter.words
    if d is None:
        from derive.api.shown import definition_text

        yield listing(definition_text(matter.formula).rstrip())
        yield "No input of this formula is real, so it has no gradient."
    else:
        before, after = matter.told
        first, last = SectionPage(matter.view).pages(before[2:], after)
        yield first
    if paragraphs or geometry:
        yield r"\subsection*{Intuition and geometry}"
        yield from (prose(words) for words in (*paragraphs, geometry) if words)
    if d is not None:
        if matter.network is not None:
            yield network_latex(matter.network)
        yield r"\subsection*{Derivation}"
        yield last


def listing(code: str) -> str:
    """Text in a typewriter's letters, long lines broken; every character as LaTeX knows it."""
    lines = [part for line in code.splitlines() for part in _cut(line)]
    shown = "\\\\\n".join(_typed(line) for line in lines)
    return f"{{\\par\\noindent\\scriptsize\\ttfamily\\raggedright\n{shown}\\par}}"


def _cut(line: str) -> Iterator[str]:
    """A line in pieces of at most COLUMNS."""
    while text_width(line) > COLUMNS:
        cut = line.rfind(" ", len(line) - len(line.lstrip()) + 1, COLUMNS)
        cut = cut if cut > 0 else COLUMNS
        yield line[:cut]
        line = " " * 12 + line[cut:].lstrip()
    yield line


def _typed(line: str) -> str:
    body = line.lstrip(" ")
    words = escaped(body).replace("''", "\\char34{}").replace("  ", "~~").replace("--", "-{}-")
    return "\\mbox{}" + "~" * (len(line) - len(body)) + words


def _code(matter: Matter) -> Iterator[str]:
    yield r"\subsection*{Code}"
    yield listing(matter.code)
    yield r"\subsection*{Cost}"
    yield listing(matter.cost)


def _checks(matter: Matter) -> Iterator[str]:
    yield r"\subsection*{Checks}"
    yield matter.checked.words


def _references(matter: Matter, place: Place) -> Iterator[str]:
    _, sources = matter.words
    if sources:
        yield r"\subsection*{Sources}"
        yield from map(prose, sources)
    for words, names in (("Uses", place.uses), ("Used by", place.used_by)):
        if names:
            yield rf"\noindent {words}: {', '.join(map(link, names))}."
    if matter.laws:
        laws = ", ".join(rf"\hyperref[{law_label(law)}]{{{escaped(law)}}}" for law, _ in matter.laws)
        yield rf"\noindent Laws: {laws}."


def law_label(law: str) -> str:
    """Where a law stands in the index."""
    return "law:" + re.sub(r"[^a-zA-Z0-9]", lambda m: f"{ord(m[0]):x}", law)


def book_tex(places: Mapping[str, Place], entries: Mapping[str, Entry]) -> str:
    """The document that reads the sections."""
    from .indexes import laws_of

    parts = [PREAMBLE % (TIKZ, TITLE), *_preface()]
    chapter = ""
    for name, place in places.items():
        if place.chapter != chapter:
            chapter = place.chapter
            about = chapter_of(chapter)
            parts += [rf"\chapter{{{escaped(about.title)}}}", escaped(about.opening), escaped(about.geometry)]
        parts.append(rf"\input{{{name}}}")
    parts += [rf"\input{{{name}}}" for name in entries if name not in places]
    parts += [r"\chapter{Index of laws}", *_laws(laws_of(entries)), r"\end{document}"]
    return "\n\n".join(filter(None, parts)) + "\n"


def _laws(laws: Mapping[str, tuple[str, list[str]]]) -> Iterator[str]:
    for law, (why, users) in laws.items():
        reason = f"{escaped(why)}: " if why else ""
        yield rf"\paragraph{{{escaped(law)}}}\phantomsection\label{{{law_label(law)}}}{reason}"
        yield ", ".join(map(link, users)) + "."


def _preface() -> Iterator[str]:
    yield r"\chapter{Preface}"
    for part in PARTS:
        if isinstance(part, Title):
            yield rf"\section{{{escaped(part.words)}}}"
        elif isinstance(part, Text):
            yield part.words
        else:
            d = worked(part.name)
            page = SectionPage(view_of(d.derivation, d.traced, LATEX, "index"))
            before, after = halves(story(d.derivation, d.traced, "full"))
            yield _displays(page.view, page, [*before, *after])


def _displays(view: View, page: LatexPage, blocks: Sequence[Block]) -> str:
    return page.page(_shown(blocks))


def _shown(blocks: Iterable[Block]) -> Iterator[Block]:
    yield from (block for block in blocks if isinstance(block, Display))
