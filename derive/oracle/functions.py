"""What the oracle knows of single functions: each node kind with the NumPy function that is its value."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

import mpmath
import numpy as np
import sympy

from derive.axes import (
    Digamma,
    Expm1,
    Log1mexp,
    Log1p,
    Logcosh,
    MaxOver,
    MeanOver,
    MinOver,
    ProdOver,
    Series,
    Sigmoid,
    Softplus,
    SumOver,
    Tetragamma,
    Trigamma,
    Where,
)

from .point import Array


def _erf(x: Array) -> Array:
    return np.vectorize(math.erf, otypes=[float])(x)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _softplus(x: Array) -> Array:
    return np.log(1 + np.exp(x)) if np.iscomplexobj(x) else np.logaddexp(0, x)


def polygamma(order: int) -> Callable[[Array], Array]:
    """ψ⁽ⁿ⁾, the derivatives of log Γ: n = 0 is ψ itself."""
    return np.vectorize(lambda x: float(mpmath.psi(order, x)), otypes=[float])


def _power(base: Array, exponent: Array) -> Array:
    floating = base if np.asarray(base).dtype.kind in "fc" else np.asarray(base, dtype=float)
    return np.power(floating, exponent)


def _fold(operation: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda *values: reduce(operation, values)


# A node whose value depends on the values of its arguments only: one row each.
FUNCTIONS: dict[type, Callable[..., Any]] = {
    sympy.Add: _fold(operator.add),
    sympy.Mul: _fold(operator.mul),
    sympy.Pow: _power,
    sympy.Abs: np.abs,
    sympy.exp: np.exp,
    sympy.log: np.log,
    sympy.sin: np.sin,
    sympy.cos: np.cos,
    sympy.tan: np.tan,
    sympy.asin: np.arcsin,
    sympy.acos: np.arccos,
    sympy.atan: np.arctan,
    sympy.sinh: np.sinh,
    sympy.cosh: np.cosh,
    sympy.tanh: np.tanh,
    sympy.asinh: np.arcsinh,
    sympy.acosh: np.arccosh,
    sympy.atanh: np.arctanh,
    sympy.erf: _erf,
    sympy.erfc: lambda x: 1 - _erf(x),
    sympy.gamma: np.vectorize(math.gamma, otypes=[float]),
    sympy.loggamma: np.vectorize(math.lgamma, otypes=[float]),
    **{kind: polygamma(kind.order) for kind in (Digamma, Trigamma, Tetragamma)},
    Sigmoid: _sigmoid,
    Softplus: _softplus,
    Log1p: np.log1p,
    Expm1: np.expm1,
    Logcosh: lambda x: np.log(np.cosh(x)),
    Series: lambda x, *c: sum((float(one) * x**k for k, one in enumerate(c)), np.zeros_like(x, dtype=float)),
    Log1mexp: lambda x: np.log(-np.expm1(x)),
    Where: np.where,
    sympy.And: _fold(np.logical_and),
    sympy.Or: _fold(np.logical_or),
    sympy.Not: np.logical_not,
}

# Comparisons of two numbers; `near` says where they count as equal.
COMPARISONS: dict[type, Callable[[Any, Any, Any], Any]] = {
    sympy.Eq: lambda a, b, near: (a == b) | near,
    sympy.Ne: lambda a, b, near: (a != b) & ~near,
    sympy.Lt: lambda a, b, near: (a < b) & ~near,
    sympy.Le: lambda a, b, near: (a <= b) | near,
    sympy.Gt: lambda a, b, near: (a > b) & ~near,
    sympy.Ge: lambda a, b, near: (a >= b) | near,
}


def near(a: Any, b: Any, ties: float) -> Any:
    """Where two numbers are equal but for rounding."""
    with np.errstate(invalid="ignore"):  # ∞ − ∞: such numbers are equal, or not, without rounding
        return np.abs(np.subtract(a, b)) <= ties * (1 + np.abs(b)) if ties else np.equal(a, b)


def sign(x: Any, ties: float) -> Any:
    """−1, 0 or 1; 0 also for what is 0 but for rounding."""
    return np.where(near(x, 0, ties), 0.0, np.sign(x))


def first(values: Array, ties: float) -> Array:
    """The place of the first largest entry along the last dimension."""
    largest = np.max(values, axis=-1, keepdims=True)
    return np.argmax((values == largest) | near(values, largest, ties), axis=-1)


def picked(values: Array, places: Array) -> Array:
    """The entries at the given places of the last dimension."""
    return np.take_along_axis(values, places[..., None], axis=-1)[..., 0]


# A reduction along the last dimension.
REDUCTIONS: dict[type, Callable[[Array], Array]] = {
    SumOver: lambda v: v.sum(axis=-1),
    MeanOver: lambda v: v.mean(axis=-1),
    ProdOver: lambda v: v.prod(axis=-1),
    MaxOver: lambda v: v.max(axis=-1),
    MinOver: lambda v: v.min(axis=-1),
}

# How the reductions of two parts are joined; of a mean, the sums of its parts are.
JOINS: dict[type, Callable[[Any, Any], Any]] = {
    SumOver: operator.add,
    MeanOver: operator.add,
    ProdOver: operator.mul,
    MaxOver: np.maximum,
    MinOver: np.minimum,
}
