"""Curves and heat maps as vector graphics, the same bytes every time: nothing random and no date is written."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

FORMATS = {"svg": "a vector graphic for the web", "pdf": "a vector graphic for LaTeX", "png": "pixels"}
STYLE: dict[Any, Any] = {  # of matplotlib
    "svg.hashsalt": "derive",
    "svg.fonttype": "none",  # text stays text
    "pdf.fonttype": 42,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "figure.facecolor": "white",
}
COLOURS = ("#0b57a4", "#b04a00", "#24762f")
DASHES = ("-", "--", ":")
SIZE = (6.2, 3.6)  # inches
MARGINS = {"left": 0.09, "right": 0.98, "top": 0.91, "bottom": 0.14}  # of curves, whose numbers are short
NO_DATES: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


@dataclass(frozen=True)
class Curve:
    """y over x, under a name."""

    name: str
    x: Any
    y: Any


@dataclass(frozen=True, repr=False)
class Picture:
    """A drawn figure; `words` say what it shows, for those who cannot see it."""

    words: str
    figure: Any = field(compare=False)

    def __repr__(self) -> str:
        return f"<picture: {self.words}>"

    def data(self, format_: str) -> bytes:
        """The picture as svg, pdf or png."""
        import matplotlib

        buffer = io.BytesIO()
        with matplotlib.rc_context(STYLE):
            self.figure.savefig(buffer, format=format_, metadata=NO_DATES[format_], dpi=150)
        return buffer.getvalue()

    def svg(self) -> str:
        """An `<svg>` element, to stand in a page."""
        text = self.data("svg").decode("utf-8")
        opening = f'<svg role="img" aria-label="{_plain(self.words)}" '
        element = text[text.index("<svg") :].replace("<svg ", opening, 1)
        return "\n".join(line.rstrip() for line in element.splitlines()) + "\n"

    def _repr_svg_(self) -> str:
        return self.svg()

    def _repr_png_(self) -> bytes:
        return self.data("png")


def _plain(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def curves(title: str, along: str, lines: Sequence[Curve], words: str) -> Picture:
    """Curves over one axis."""
    figure, axes = _figure(SIZE, MARGINS)
    import matplotlib

    with matplotlib.rc_context(STYLE):
        for place, line in enumerate(lines):
            axes.plot(line.x, line.y, DASHES[place % 3], color=COLOURS[place % 3], linewidth=1.8, label=line.name)
        axes.axhline(0, color="#777777", linewidth=0.7)
        axes.set(title=title, xlabel=along)
        axes.legend(frameon=False)
    return Picture(words, figure)


def heat_map(title: str, matrix: Any, down: str, across: str, words: str) -> Picture:
    """A matrix in colours: blue below zero, red above."""
    rows, columns = matrix.shape
    figure, axes = _figure((min(7.0, 2.6 + 0.28 * columns), min(6.0, 1.7 + 0.28 * rows)))
    import matplotlib

    most = float(abs(matrix).max()) or 1.0
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        shown = axes.imshow(matrix, cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest", aspect="auto")
        axes.grid(False)
        axes.set(title=title, xlabel=across, ylabel=down)
        axes.set_xticks(range(0, columns, max(1, columns // 8)))
        axes.set_yticks(range(0, rows, max(1, rows // 8)))
        figure.colorbar(shown, ax=axes, fraction=0.05)
    return Picture(words, figure)


def _figure(size: tuple[float, float], margins: dict[str, float] | None = None) -> tuple[Any, Any]:
    """A figure with one drawing; without margins they are found, which takes as long as drawing it again."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout=None if margins else "constrained")
        return figure, figure.subplots(gridspec_kw=margins)
