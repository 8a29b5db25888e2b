"""The oracle: what an index expression is worth, by direct evaluation; slow, obvious, and shared with nobody."""

from .evaluate import FUNCTIONS, Evaluator, Scope, evaluate, evaluate_at, number, spread, unknown
from .point import Array, Point, length, point_from_arrays

__all__ = [
    "Array",
    "FUNCTIONS",
    "Evaluator",
    "Point",
    "Scope",
    "evaluate",
    "evaluate_at",
    "length",
    "number",
    "point_from_arrays",
    "spread",
    "unknown",
]
