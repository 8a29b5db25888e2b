"""A derivation explained: as text, LaTeX and Markdown, at three levels of detail."""

from __future__ import annotations

from derive.steps import Derivation

from .choice import Notation
from .pages import LatexPage, MarkdownPage, TextPage
from .story import Told, story
from .style import LATEX, TEXT
from .view import view_of

PREAMBLE = r"""\documentclass[11pt]{article}
\usepackage{amsmath,amssymb}
\setlength{\textwidth}{15.5cm}
\setlength{\oddsidemargin}{0.2cm}
\setlength{\textheight}{23cm}
\setlength{\topmargin}{-1cm}
\emergencystretch=4em
\allowdisplaybreaks
\begin{document}
"""


def explain_text(
    derivation: Derivation,
    traced: Told,
    detail: str = "normal",
    *,
    notation: str | Notation = "index",
    summary: str = "",
    width: int = 80,
) -> str:
    """The derivation for a terminal, in `width` columns.

    `traced` is the formula's body as data; `summary` a line printed under the title; `detail` is brief, normal or
    full; `notation` its kind, or a Notation. Raises Unsupported for a node, notation or detail without a row.
    """
    page = TextPage(view_of(derivation, traced, TEXT, notation), width)
    return page.page(story(derivation, traced, detail, summary))


def explain_latex(
    derivation: Derivation,
    traced: Told,
    detail: str = "normal",
    *,
    notation: str | Notation = "index",
    document: bool = False,
    summary: str = "",
) -> str:
    """The derivation in LaTeX: a fragment that needs amsmath and amssymb, or a whole article; arguments as above."""
    page = LatexPage(view_of(derivation, traced, LATEX, notation))
    body = page.page(story(derivation, traced, detail, summary))
    return f"{PREAMBLE}\n{body}\n\\end{{document}}\n" if document else body


def explain_markdown(
    derivation: Derivation,
    traced: Told,
    detail: str = "normal",
    *,
    notation: str | Notation = "index",
    summary: str = "",
) -> str:
    """The derivation in GitHub-flavoured Markdown, mathematics between dollars; arguments as above."""
    page = MarkdownPage(view_of(derivation, traced, LATEX, notation))
    return page.page(story(derivation, traced, detail, summary))
