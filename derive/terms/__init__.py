"""The algebra: flat terms over named definitions, canonical letters; SymPy comes in and goes out at its border."""

from .algebra import Algebra
from .apart import unequal
from .conditions import hides
from .data import UNIT, ZERO, Atom, Factors, Head, Letter, Poly, Power, Raw, Term, absolute, number, only
from .factor import Node, factored
from .matrix import INDICES, entries, matrix_function, matrix_of, turned
from .powers import Powers
from .read import Reader
from .windows import is_window, solutions, tied
from .write import Writer, plus, times

__all__ = [
    "Algebra",
    "Atom",
    "Factors",
    "Head",
    "INDICES",
    "Letter",
    "Node",
    "Poly",
    "Power",
    "Powers",
    "Raw",
    "Reader",
    "Term",
    "UNIT",
    "Writer",
    "ZERO",
    "absolute",
    "entries",
    "factored",
    "hides",
    "is_window",
    "matrix_function",
    "matrix_of",
    "number",
    "only",
    "plus",
    "solutions",
    "tied",
    "unequal",
    "times",
    "turned",
]
