"""`derive explain` and `derive plot`: a derivation or a picture in the format that was asked for."""

from __future__ import annotations

import os
from typing import Any

from .output import deliver
from .problems import one_of
from .target import Library

FORMATS = ("text", "latex", "article", "beamer", "markdown", "html", "pdf", "notebook")
FORMAT_OF = {".tex": "article", ".md": "markdown", ".html": "html", ".pdf": "pdf", ".ipynb": "notebook"}
PICTURES = ("svg", "pdf", "png")


def format_of(asked: str | None, output: str | None) -> str:
    """The format by --format, else by the name of the file."""
    if asked is not None:
        return one_of("--format", asked, FORMATS)
    return FORMAT_OF.get(os.path.splitext(output or "")[1].lower(), "text")


def explained(d: Any, form: str, detail: str, notation: Any) -> str | bytes:
    """The derivation of `d` in one of FORMATS."""
    if form == "text":
        return str(d.explain(detail, notation))
    if form == "latex":
        return str(d.latex(notation, detail))
    if form == "markdown":
        return str(d.markdown(notation, detail))
    from derive.api.pages import PAGES

    return PAGES[form](d, detail, notation)


def run_plot(target: str, output: str | None, seed: int) -> None:
    """The picture of a target, as SVG unless the file's name says otherwise."""
    from derive.api import plot

    suffix = os.path.splitext(output or "")[1].lower().removeprefix(".") or "svg"
    one_of("-o: the format of a picture", suffix, PICTURES)
    picture = plot(Library().formula(target), seed)
    deliver(picture.svg() if suffix == "svg" else picture.data(suffix), output)
