"""Index expressions → an array program: which operations, in which order, into which memory."""

from derive.axes import DeriveError, NameProblem, ShapeError, Unsupported, did_you_mean

from .lower import lower
from .program import (
    Array,
    Assign,
    Code,
    Free,
    Function,
    Into,
    Loop,
    Num,
    Op,
    Program,
    Require,
    Rows,
    Statement,
    Update,
    Var,
)
from .task import Task

__all__ = [
    "lower", "Task",
    "Program", "Function", "Array", "Statement", "Assign", "Update", "Into", "Rows", "Loop", "Require", "Free",
    "Code", "Var", "Num", "Op",
    "DeriveError", "NameProblem", "ShapeError", "Unsupported", "did_you_mean",
]  # fmt: skip
