"""derive: a layer written as mathematics, its gradient derived, explained, checked and emitted as NumPy code."""

from sympy import Abs, cos, cosh, erf, exp, log, sin, sinh, sqrt, tan, tanh

from derive.axes import (
    AssumptionError,
    Axis,
    Bool,
    DeriveError,
    Int,
    Scalar,
    Size,
    T,
    Unsupported,
    absolute,
    argmax_over,
    axes,
    axis,
    clip,
    equals,
    logsumexp_over,
    max_over,
    maximum,
    mean_over,
    min_over,
    minimum,
    one_hot,
    prod_over,
    sigmoid,
    softplus,
    sum_over,
    where,
)
from derive.formula import Formula, assume, formula, let
from derive.graph import chain
