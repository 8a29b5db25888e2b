"""Axes, tensors, entries, reductions, functions: the language in which formulas are written."""

from .errors import (
    AssumptionError,
    DeriveError,
    NameProblem,
    ShapeError,
    Unsupported,
    checked_identifier,
    did_you_mean,
)
from .functions import (
    Delta,
    Sigmoid,
    Softplus,
    Where,
    absolute,
    clip,
    equals,
    maximum,
    minimum,
    one_hot,
    scalar,
    sigmoid,
    softplus,
    where,
)
from .index import Axis, Scalar, Size, axes, axis, fresh_letter, is_axis
from .reduce import (
    MaxOver,
    MeanOver,
    ProdOver,
    Reduction,
    SumOver,
    argmax_over,
    logsumexp_over,
    max_over,
    mean_over,
    min_over,
    prod_over,
    sum_over,
)
from .scope import definitions, free_axes, letters_of, mapped, rebuilt, rename, tensors_of
from .tensor import AdjointOf, Bool, BoolEntry, Entry, Int, T, Tensor, TensorType, entry

__all__ = [name for name in dir() if not name.startswith("_")]
