"""The laws of matrix functions, derived: `python -m derive.api.laws > docs/matrix_laws.md`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from derive.engine.implicit import A_DOT, R_DOT, ImplicitLaw
from derive.engine.implicit_factors import ALL, B_DOT
from derive.notation import explain_latex, explain_markdown, explain_text
from derive.verify.report import Report
from derive.verify.steps import check_steps

FORMS: dict[str, Callable[..., str]] = {"text": explain_text, "latex": explain_latex, "markdown": explain_markdown}
PREFACE = """\
# Derivatives of matrix functions

A function of a matrix has a defining equation. Differentiated by the product rule, it is an equation for the function's
derivative; here it is solved. The last line of each derivation is the law that `gradient` uses. Every line is an
equality between entries, and the tests evaluate both of its sides at random matrices.
"""


def matrix_laws() -> Iterator[ImplicitLaw]:
    """Each law, in the order of the table."""
    return (law() for law in ALL.values())


def explained(law: ImplicitLaw, form: str = "text") -> str:
    """The derivation as text, LaTeX or Markdown."""
    return FORMS[form](law.derivation, law.traced, "full", notation="index", summary=law.summary)


def verified(law: ImplicitLaw, trials: int = 10, seed: int = 0) -> Report:
    """Both sides of every line at random points, what is differentiated by dual numbers."""
    return check_steps(law.traced, law.derivation, (A_DOT, R_DOT, B_DOT), trials, seed)


def page() -> str:
    """All laws as one page of Markdown."""
    parts = (explained(law, "markdown").replace("\n## ", "\n### ").replace("# ", "## ", 1) for law in matrix_laws())
    return "\n".join((PREFACE, *parts))


if __name__ == "__main__":
    print(page(), end="")
