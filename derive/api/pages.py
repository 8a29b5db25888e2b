"""Documents of a derivative that need more than its steps: HTML, article, slides, PDF, notebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from derive.notation.article import explain_article
from derive.notation.beamer import explain_beamer

from .derivative import Derivative
from .differentials import told


def html(d: Derivative, detail: str, notation: Any) -> str:
    """One self-contained page."""
    from derive.notation.chainrule import network_html
    from derive.notation.html import explain_html

    network = _network(d)
    between = network_html(network) if network else ""
    return explain_html(
        told(d, notation), d.traced, detail, notation=notation, summary=d.formula.summary, between=between
    )


def article(d: Derivative, detail: str, notation: Any) -> str:
    """A LaTeX document."""
    from derive.notation.chainrule import network_latex

    network = _network(d)
    between = network_latex(network) if network else ""
    return explain_article(
        told(d, notation), d.traced, detail, notation=notation, summary=d.formula.summary, between=between
    )


def beamer(d: Derivative, detail: str, notation: Any) -> str:
    """Slides."""
    from derive.notation.chainrule import network_frames

    network = _network(d)
    between = network_frames(network) if network else ""
    return explain_beamer(
        told(d, notation), d.traced, detail, notation=notation, summary=d.formula.summary, between=between
    )


def pdf(d: Derivative, detail: str, notation: Any) -> bytes:
    """The article, compiled. Raises Unsupported where no LaTeX program is installed."""
    from derive.notation.pdf import pdf as compiled

    return compiled(article(d, detail, notation))


def notebook(d: Derivative, detail: str, notation: Any) -> str:
    """A Jupyter notebook that derives, checks and plots the formula."""
    from .notebooks import notebook_of

    return notebook_of(d, detail, notation)


def _network(d: Derivative) -> Any:
    from .network import network_of

    return network_of(d)


PAGES: Mapping[str, Callable[[Derivative, str, Any], str | bytes]] = {
    "article": article,
    "beamer": beamer,
    "html": html,
    "pdf": pdf,
    "notebook": notebook,
}
