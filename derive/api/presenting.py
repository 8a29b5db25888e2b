"""A derivative as a reader reads it."""

from __future__ import annotations

from html import escape
from importlib.util import find_spec

from derive.axes import Tensor, definitions
from derive.formula import Formula
from derive.notation import Notation, explain_latex, explain_markdown, explain_text, latex

from .derivative import Derivative
from .differentials import told
from .shown import result_latex


def explained(d: Derivative, form: str, detail: str, notation: str | Notation) -> str:
    """The derivation as text, LaTeX (a fragment, or an article) or Markdown."""
    summary, derivation = d.formula.summary, told(d, notation)
    if form == "text":
        return explain_text(derivation, d.traced, detail, notation=notation, summary=summary)
    if form == "markdown":
        return explain_markdown(derivation, d.traced, detail, notation=notation, summary=summary)
    if form == "article":
        from .pages import article

        return article(d, detail, notation)
    return explain_latex(derivation, d.traced, detail, notation=notation, summary=summary)


def results_html(d: Derivative) -> str | None:
    """The results as MathML, for Jupyter; None where latex2mathml is not installed."""
    lines = [*result_latex(d).values()]
    for tensor in definitions(d.results.values()):
        lines.append(_equality(tensor))
    return _boxed(lines)


def definition_latex(f: Formula) -> str:
    """The definition of a formula, for Jupyter."""
    lines = [_equality(tensor).replace(" = ", " &= ", 1) for tensor in f.trace().definitions]
    return "$\\displaystyle \\begin{aligned}" + r" \\ ".join(lines) + "\\end{aligned}$"


def definition_html(f: Formula) -> str | None:
    """Name, summary and definition of a formula as MathML, for Jupyter; None where latex2mathml is not installed."""
    box = _boxed([_equality(tensor) for tensor in f.trace().definitions])
    return box and f"<p><b>{escape(f.name)}</b>: {escape(f.summary)}</p>{box}"


DISPLAYS = {"latex": definition_latex, "html": definition_html}


def _equality(tensor: Tensor) -> str:
    return f"{latex(tensor[tensor.axes], letters=tensor.axes)} = {latex(tensor.body, letters=tensor.axes)}"


def _boxed(lines: list[str]) -> str | None:
    if find_spec("latex2mathml") is None:
        return None
    from derive.notation.mathml import mathml

    shown = "".join(f'<div style="padding:.3em 0">{mathml(line, True)}</div>' for line in lines)
    return f'<div style="overflow-x:auto">{shown}</div>'


def results_latex(d: Derivative) -> str:
    """The results and the names they use, one below the other, for Jupyter."""
    lines = [line.replace(" = ", " &= ", 1) for line in result_latex(d).values()]
    for tensor in definitions(d.results.values()):
        entry = latex(tensor[tensor.axes], letters=tensor.axes)
        lines.append(r"\text{where } " + entry + " &= " + latex(tensor.body, letters=tensor.axes))
    return "$\\displaystyle \\begin{aligned}" + r" \\ ".join(lines) + "\\end{aligned}$"
