"""`from_latex`: a formula as it stands in a paper becomes a Formula, an Equation or a Declaration."""

from __future__ import annotations

from derive import parse
from derive.axes import DeriveError
from derive.formula import Formula
from derive.parse import LatexUnsupported, Read, read
from derive.parse.nodes import Unknown
from derive.parse.scope import name_of
from derive.parse.values import inside

from .catalogue import catalogue
from .equations import Equation


def from_latex(
    text: str, where: str = "", *, start: int | None = None, entrywise: bool = False, name: str = ""
) -> Read:
    """LaTeX → Formula (an expression or a definition), Equation (both sides declared) or Declaration (x ∈ ℝⁿ).

    `where` declares names: 'X: n d, w: d, sigma: elementwise, t: index'. `start` says at which number indices begin (1
    in print, 0 in code) where the text does not tell; `entrywise` lets exp and log of a square matrix act on its
    entries. Raises LatexError, with the column, for what cannot be read or has two readings.
    """
    if start not in (None, 0, 1):
        raise DeriveError(f"start={start!r}: expected 0 or 1")
    found = read(text, where, catalogue=catalogue, start=start, entrywise=entrywise, name=name)
    return Equation(found.members, found.text) if isinstance(found, parse.Equation) else found


def differentiable(formula: Formula) -> Formula:
    """The formula, if every function in it is known. Raises LatexUnsupported, naming one that is abstract."""
    for tensor in formula.trace().definitions:
        for node in inside(tensor.body, Unknown):
            raise LatexUnsupported(f"{node.function} is abstract: its derivative is not known; define it, as in "
                                   f"{node.function}(x) = …")  # fmt: skip
    return formula


__all__ = ["differentiable", "from_latex", "name_of"]
