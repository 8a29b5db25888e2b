"""The oracle: what an index expression is worth, by direct evaluation; slow, obvious, and shared with nobody."""

from .evaluate import BATCH, Evaluator, Scope, evaluate, evaluate_at, joined, number, same, spread, unknown
from .exact import known, ratio
from .functions import FUNCTIONS, first, picked, polygamma, sign
from .matrix import MATRICES
from .point import Array, Point, extent, length, point_from_arrays

__all__ = [
    "Array",
    "BATCH",
    "FUNCTIONS",
    "MATRICES",
    "Evaluator",
    "Point",
    "Scope",
    "evaluate",
    "evaluate_at",
    "extent",
    "first",
    "joined",
    "known",
    "length",
    "number",
    "picked",
    "point_from_arrays",
    "polygamma",
    "ratio",
    "same",
    "sign",
    "spread",
    "unknown",
]
