"""Exact arithmetic of integer expressions, as numerator and denominator: E/heads, ⌊(Y + 2p − R)/s⌋ + 1, s·h + r − p.

In floating point 49·(1/49) is less than 1, and its floor 0; so a quotient is divided only when its floor is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np
import sympy
from sympy.core.basic import Basic

Ratio = tuple[Any, Any]  # numerator and denominator: integers, or arrays of them
Leaf = Callable[[Basic], Any]  # the value of what is no arithmetic: a letter, a length, an integer entry


def settled(pair: Ratio) -> Any:
    """The quotient: an integer wherever it is one."""
    numerator, denominator = pair
    if isinstance(denominator, int) and denominator == 1:
        return numerator
    return numerator / denominator if np.any(numerator % denominator) else numerator // denominator


def _sum(a: Ratio, b: Ratio) -> Ratio:
    return (a[0] + b[0], a[1]) if a[1] is b[1] else (a[0] * b[1] + b[0] * a[1], a[1] * b[1])


def _product(a: Ratio, b: Ratio) -> Ratio:
    return a[0] * b[0], a[1] * b[1]


def _remainder(a: Ratio, b: Ratio) -> Ratio:
    """a − b⌊a/b⌋: it has the sign of b."""
    return (a[0] * b[1]) % (b[0] * a[1]), a[1] * b[1]


def _extremum(choose: Callable[[Any, Any], Any]) -> Callable[[Ratio, Ratio], Ratio]:
    return lambda a, b: (choose(settled(a), settled(b)), 1)


FOLDS: dict[type, Callable[[Ratio, Ratio], Ratio]] = {
    sympy.Add: _sum,
    sympy.Mul: _product,
    sympy.Mod: _remainder,
    sympy.Min: _extremum(np.minimum),
    sympy.Max: _extremum(np.maximum),
}

ROUNDED: dict[type, Callable[[Ratio], Ratio]] = {
    sympy.floor: lambda a: (a[0] // a[1], 1),
    sympy.ceiling: lambda a: (-(-a[0] // a[1]), 1),
}


def ratio(node: Basic, leaf: Leaf) -> Ratio:
    """The value of an integer expression, or of a quotient of such, as numerator and denominator."""
    kind = type(node)
    if isinstance(node, sympy.Rational):
        return int(node.p), int(node.q)
    if kind in FOLDS:
        return reduce(FOLDS[kind], (ratio(argument, leaf) for argument in node.args))
    if kind in ROUNDED:
        return ROUNDED[kind](ratio(node.args[0], leaf))
    if kind is sympy.Pow and node.args[1].is_Integer:
        (numerator, denominator), exponent = ratio(node.args[0], leaf), int(node.args[1])
        return (numerator**exponent, denominator**exponent) if exponent >= 0 else (
            denominator**-exponent, numerator**-exponent)  # fmt: skip
    return leaf(node), 1


def known(size: Basic, sizes: Mapping[Basic, int]) -> Ratio | Basic:
    """The number that a length stands for, as a ratio; else the first part of it that has no value."""
    missing: list[Basic] = []

    def leaf(node: Basic) -> int:
        if node not in sizes:
            missing.append(node)
        return sizes.get(node, 1)

    try:
        found = ratio(size, leaf)
    except ZeroDivisionError:
        return missing[0] if missing else size
    return missing[0] if missing else found
