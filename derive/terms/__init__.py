"""The algebra: flat terms over named definitions, canonical letters; SymPy comes in and goes out at its border."""

from .algebra import Algebra
from .data import UNIT, ZERO, Atom, Factors, Head, Letter, Poly, Power, Raw, Term, absolute, number
from .factor import Node, factored
from .read import Reader, hides
from .windows import tied
from .write import Writer, plus, times

__all__ = [
    "Algebra",
    "Atom",
    "Factors",
    "Head",
    "Letter",
    "Node",
    "Poly",
    "Power",
    "Raw",
    "Reader",
    "Term",
    "UNIT",
    "Writer",
    "ZERO",
    "absolute",
    "factored",
    "hides",
    "number",
    "plus",
    "tied",
    "times",
]
