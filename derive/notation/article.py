"""A derivation as an article, with what a network adds to it between its definition and the steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from derive.steps import Derivation

from .documents import PREAMBLE
from .pages import LatexPage
from .story import Block, Heading, Told, story
from .style import LATEX
from .view import view_of

TIKZ = "\\IfFileExists{tikz.sty}{\\usepackage{tikz}}{}\n"  # without it the graph is left out


def halves(blocks: Sequence[Block]) -> tuple[list[Block], list[Block]]:
    """Title and definition, and all that follows."""
    heads = [place for place, block in enumerate(blocks) if isinstance(block, Heading) and block.level == 2]
    cut = heads[1] if len(heads) > 1 else len(blocks)
    return list(blocks[:cut]), list(blocks[cut:])


def explain_article(
    derivation: Derivation,
    traced: Told,
    detail: str = "normal",
    *,
    notation: Any = "index",
    summary: str = "",
    between: str = "",
) -> str:
    """The derivation as a LaTeX document; `between` is LaTeX that stands between the definition and the steps.

    Raises Unsupported for a node, notation or detail without a row.
    """
    page = LatexPage(view_of(derivation, traced, LATEX, notation))
    before, after = halves(story(derivation, traced, detail, summary))
    start = "\\begin{document}\n"
    preamble = PREAMBLE.replace(start, TIKZ + start) if between else PREAMBLE
    first, last = page.pages(before, after)
    return f"{preamble}\n{first}\n{between}\n{last}\n\\end{{document}}\n"
