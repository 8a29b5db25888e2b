"""A derivative as a reader reads it."""

from __future__ import annotations

from derive.axes import definitions
from derive.notation import explain_latex, explain_markdown, explain_text, latex

from .derivative import Derivative
from .shown import result_latex


def explained(d: Derivative, form: str, detail: str, notation: str) -> str:
    """The derivation as text, LaTeX (a fragment, or an article) or Markdown."""
    summary = d.formula.summary
    if form == "text":
        return explain_text(d.derivation, d.traced, detail, notation=notation, summary=summary)
    if form == "markdown":
        return explain_markdown(d.derivation, d.traced, detail, notation=notation, summary=summary)
    return explain_latex(d.derivation, d.traced, detail, notation=notation, document=form == "article", summary=summary)


def results_latex(d: Derivative) -> str:
    """The results and the names they use, one below the other, for Jupyter."""
    lines = [line.replace(" = ", " &= ", 1) for line in result_latex(d).values()]
    for tensor in definitions(d.results.values()):
        entry = latex(tensor[tensor.axes], letters=tensor.axes)
        lines.append(r"\text{where } " + entry + " &= " + latex(tensor.body, letters=tensor.axes))
    return "$\\displaystyle \\begin{aligned}" + r" \\ ".join(lines) + "\\end{aligned}$"
