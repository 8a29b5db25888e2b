"""A derivative as a reader reads it."""

from __future__ import annotations

from derive.notation import explain_latex, explain_markdown, explain_text, latex

from .derivative import Derivative


def explained(d: Derivative, form: str, detail: str, notation: str) -> str:
    """The derivation as text, LaTeX (a fragment, or an article) or Markdown."""
    summary = d.formula.summary
    if form == "text":
        return explain_text(d.derivation, d.traced, detail, notation=notation, summary=summary)
    if form == "markdown":
        return explain_markdown(d.derivation, d.traced, detail, notation=notation, summary=summary)
    return explain_latex(d.derivation, d.traced, detail, notation=notation, document=form == "article", summary=summary)


def results_latex(d: Derivative) -> str:
    """The results alone, one below the other, for Jupyter."""
    lines = [
        latex(e.target) + " &= " + latex(e.result, letters=e.tensor.axes)
        for e in d.derivation.equations
        if e.kind == "result"
    ]
    return "$\\displaystyle \\begin{aligned}" + r" \\ ".join(lines) + "\\end{aligned}$"
