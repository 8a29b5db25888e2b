"""Laws to closed form: definitions folded back, reductions known as facts, unnamed statistics discovered."""

from .cost import cost, number_of_terms
from .discover import discovered
from .expand import expanded
from .facts import LAWS, affinely, normalised, noticed, oriented
from .rules import Fact, Fold, Rules
from .symmetry import ASSUMED

__all__ = [
    "ASSUMED",
    "LAWS",
    "Fact",
    "Fold",
    "Rules",
    "affinely",
    "cost",
    "discovered",
    "expanded",
    "normalised",
    "noticed",
    "number_of_terms",
    "oriented",
]
