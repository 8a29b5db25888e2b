"""A derivation as slides: a step or two on each, and where it came from above them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any

from derive.steps import Derivation

from .article import halves
from .pages import LatexPage, runs
from .prose import escaped
from .story import Block, Display, Heading, Inputs, Told, Words, story
from .style import LATEX
from .view import Row, Shown, view_of

ROOM = 14.0  # lines of a slide below its title
STEPS = 2
TALL = (r"\frac", r"\sum", r"\prod", r"\begin{cases}", r"\max", r"\min", r"\substack")
SLIDES = r"""\documentclass[10pt,aspectratio=169]{beamer}
\usepackage{amsmath,amssymb,tikz}
\usefonttheme[onlymath]{serif}
\setbeamertemplate{navigation symbols}{}
\setbeamertemplate{footline}[frame number]
\setlength{\abovedisplayskip}{3pt}
\allowdisplaybreaks
"""


@dataclass(frozen=True)
class Part:
    """Something that stands on one slide, and how many lines it takes."""

    source: str
    lines: float
    steps: int = 0


class BeamerPage(LatexPage):
    """Frames of a beamer presentation."""

    def block(self, block: Block) -> Any:
        return list(self._parts(block))

    def laid(self, blocks: Sequence[tuple[Block, Any]]) -> str:
        title, section, frames = "", "", list[str]()
        parts: list[Part] = []
        for block, own in blocks:
            if isinstance(block, Heading):
                frames += self._frames(section or title, parts)
                words, parts = self.words(block.words), []
                title, section = (words, "") if block.level == 1 else (title, words)
            else:
                parts += own
        return "\n".join([*frames, *self._frames(section or title, parts)])

    def _frames(self, title: str, parts: Sequence[Part]) -> Iterator[str]:
        """The parts packed into slides under one title."""
        slide: list[Part] = []
        for part in parts:
            full = sum(p.lines for p in slide) + part.lines > ROOM or sum(p.steps for p in slide) + part.steps > STEPS
            if slide and full:
                yield frame(title, slide)
                slide = []
            slide.append(part)
        if slide:
            yield frame(title, slide)

    def table(self, title: str, shown: Sequence[Shown]) -> list[str]:
        """Slides with equalities of a single link."""
        return list(self._frames(title, list(self._table(shown))))

    def _parts(self, block: Block) -> Iterator[Part]:
        if isinstance(block, Words):
            source = self.words(block.words)
            yield Part(source + r"\par", 1.3 + len(source) // 90)
        elif isinstance(block, Inputs):
            items = [line for line in self._inputs(block).splitlines() if line.startswith(r"\item")]
            for start in range(0, len(items), int(ROOM) - 2):
                listed = items[start : start + int(ROOM) - 2]
                yield Part("\n".join([r"\begin{itemize}", *listed, r"\end{itemize}"]), 1.1 * len(listed) + 0.5)
        elif isinstance(block, Display):
            chains = [shown for one in block.chains for shown in self.view.chains(one)]
            for in_steps, group in groupby(chains, key=lambda one: len(one.rows) > 1):
                members = list(group)
                yield from chain.from_iterable(map(self._steps, members)) if in_steps else self._table(members)

    def _table(self, shown: Sequence[Shown]) -> Iterator[Part]:
        """Equalities of a single link below each other, as many as a slide holds."""
        rows: list[str] = []
        for column, one in ((column, one) for column, run in runs(shown) for one in run):
            row = "\n".join(self._rows(one, column))
            if one.note or sum(map(_height, [*rows, row])) > ROOM - 1:
                yield from self._part("", rows)
                rows = []
            rows.append(row)
            if one.note:
                yield from self._part(one.note, rows)
                rows = []
        yield from self._part("", rows)

    def _steps(self, shown: Shown) -> Iterator[Part]:
        """A step or two, below the expression that they start from."""
        place = 0
        while place < len(shown.rows) - 1:
            before = Row(shown.rows[place].source, shown.rows[place].reasons if place == 0 else ())
            for count in range(STEPS, 0, -1):
                rows = (before, *shown.rows[place + 1 : place + 1 + count])
                printed = [
                    row
                    for column, run in runs([Shown(shown.target, rows, shown.free)])
                    for row in self._rows(run[0], column)
                ]
                if sum(map(_height, printed)) <= ROOM - 1 or count == 1:
                    break
            yield from self._part(shown.note, printed, STEPS)
            place += count

    def _part(self, note: str, rows: Sequence[str], steps: int = 0) -> Iterator[Part]:
        if rows:
            yield Part(self._aligned(note, rows), sum(map(_height, rows)) + 0.8, steps)


def _height(row: str) -> float:
    """How many lines of text a row takes, estimated from above."""
    lines = row.split("\\\\*\n")
    return sum(2.2 if any(mark in line for mark in TALL) else 1.5 for line in lines)


def frame(title: str, parts: Sequence[Part]) -> str:
    """A slide; what is too high for one is made smaller."""
    options = "[shrink]" if sum(part.lines for part in parts) > ROOM else ""
    body = "\n".join(part.source for part in parts)
    return f"\\begin{{frame}}{options}{{{title}}}\n{body}\n\\end{{frame}}\n"


def explain_beamer(
    derivation: Derivation,
    traced: Told,
    detail: str = "normal",
    *,
    notation: Any = "index",
    summary: str = "",
    between: str = "",
) -> str:
    """The derivation as a beamer document; `between` are frames that stand between the definition and the steps.

    Raises Unsupported for a node, notation or detail without a row.
    """
    page = BeamerPage(view_of(derivation, traced, LATEX, notation))
    before, after = halves(story(derivation, traced, detail))
    opening = f"\\title{{{escaped(derivation.title)}}}\n\\subtitle{{{escaped(summary)}}}\n\\date{{}}\n"
    first, last = page.pages(before[1:], after)
    frames = [r"\begin{frame}", r"\titlepage", r"\end{frame}", first, between, last]
    return "\n".join([f"{SLIDES}{opening}\\begin{{document}}", *frames, "\\end{document}\n"])
