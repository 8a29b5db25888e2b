"""Matrices that are their own transpose, by what they are made of: XᵀX, K⁻¹, α αᵀ − K⁻¹; no ᵀ is printed beside them.

An expression is symmetric in two letters if it is the same with the letters exchanged. "The same" is decided by a form
in which factors, terms and bound letters have one order; what that form misses keeps its ᵀ, which is true as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations, permutations
from typing import Any

import sympy
from sympy import Eq, Expr
from sympy.core.basic import Basic

from derive.axes import (
    Axis,
    Delta,
    Entry,
    Exponential,
    Inverse,
    Logarithm,
    MatrixFunction,
    MeanOver,
    Reduction,
    SquareRoot,
    SumOver,
    Tensor,
    rename,
)

from .names import Key, key_of

Mirror = tuple[int, int, int]  # which two axes of a tensor may change places, and the sign that this brings
Form = tuple[int, Any]  # ±1, and what is left
LIKEWISE = (Inverse, Exponential, SquareRoot, Logarithm)  # of a symmetric matrix they are symmetric
MOST_SUMMED = 3  # letters of one sum that are put in every order
EVEN = (sympy.Abs, sympy.cos, sympy.cosh)
ODD = (sympy.sin, sympy.tanh, sympy.erf, sympy.atan, sympy.sinh)


def mirrors(tensors: Iterable[Tensor], statements: Iterable[Basic]) -> dict[Key, Mirror]:
    """The tensors with two axes that may change places, of those given with what they rest on first."""
    found = {key_of(t): mirror for t, mirror in map(_assumed, statements) if t is not None}
    for tensor in tensors:
        if tensor.body is None or key_of(tensor) in found:
            continue
        for p, q in combinations(range(tensor.ndim), 2):
            i, j = tensor.axes[p], tensor.axes[q]
            if i.size == j.size and (sign := parity(tensor.body, i, j, found)):
                found[key_of(tensor)] = (p, q, sign)
                break
    return found


def parity(node: Basic, i: Axis, j: Axis, known: Mapping[Key, Mirror]) -> int:
    """1 where a node is the same with i and j exchanged, −1 where it is its own opposite, else 0."""
    one, two = (_form(side, known, ()) for side in (node, rename(node, {i: j, j: i})))
    return one[0] * two[0] if one[1] == two[1] else 0


def _assumed(statement: Basic) -> tuple[Tensor | None, Mirror]:
    """The tensor of A_nm = A_mn."""
    if isinstance(statement, Eq) and all(type(side) is Entry for side in statement.args):
        one, two = statement.args
        if one.tensor == two.tensor and one.indices == two.indices[::-1] and len(one.indices) == 2:
            return one.tensor, (0, 1, 1)
    return None, (0, 0, 0)


def _form(node: Basic, known: Mapping[Key, Mirror], bound: tuple[Axis, ...]) -> Form:
    """A sign, and a form that does not depend on the order of factors, of terms or on bound letters' names."""
    if isinstance(node, Axis):
        place = next((k for k, letter in enumerate(reversed(bound)) if letter == node), None)
        return 1, ("letter", repr(node)) if place is None else ("bound", len(bound) - place)
    if isinstance(node, sympy.Number):
        return (-1, (repr(-node),)) if node.is_negative else (1, (repr(node),))
    if isinstance(node, Entry):
        return _entry(node, known, bound)
    if isinstance(node, (Reduction, MatrixFunction)):
        return _binder(node, known, bound)
    if not node.args:
        return 1, (type(node).__name__, repr(node))
    parts = [_form(part, known, bound) for part in node.args]
    if isinstance(node, sympy.Mul):
        return _product(parts)
    if isinstance(node, sympy.Add):
        terms = sorted(parts, key=lambda part: repr(part[1]))
        return terms[0][0], ("Add", *((sign * terms[0][0], form) for sign, form in terms))
    if isinstance(node, sympy.Pow) and isinstance(node.args[1], sympy.Integer):
        return parts[0][0] ** int(abs(node.args[1])), ("Pow", parts[0][1], parts[1])
    if isinstance(node, (*EVEN, *ODD)):
        return 1 if isinstance(node, EVEN) else parts[0][0], (type(node).__name__, parts[0][1])
    if isinstance(node, Delta):
        return 1, ("Delta", *sorted(map(repr, parts)))
    return 1, (type(node).__name__, *parts)


def _product(parts: Iterable[Form]) -> Form:
    """Factors in one order, those of products within products too, and no 1 among them."""
    sign, factors = 1, list[Any]()
    for one, form in parts:
        sign *= one
        factors += form[1:] if form[0] == "Mul" else [form] if form != ("1",) else []
    return sign, factors[0] if len(factors) == 1 else ("Mul", *sorted(factors, key=repr))


def _entry(node: Entry, known: Mapping[Key, Mirror], bound: tuple[Axis, ...]) -> Form:
    at = [_form(index, known, bound) for index in node.indices]
    p, q, sign = known.get(key_of(node.tensor), (0, 0, 1))
    turned = p != q and repr(at[p]) > repr(at[q])
    if turned:
        at[p], at[q] = at[q], at[p]
    return sign if turned else 1, (type(node).__name__, key_of(node.tensor), *at)


def _binder(node: Any, known: Mapping[Key, Mirror], bound: tuple[Axis, ...]) -> Form:
    """A sum, which takes on its body's sign, or a function of a matrix; that of a symmetric one may be symmetric."""
    linear = isinstance(node, (SumOver, MeanOver))
    orders = permutations(node.axes) if linear and len(node.axes) <= MOST_SUMMED else [node.axes]
    forms = [(*_form(node.body, known, (*bound, *axes)), repr([axis.size for axis in axes])) for axes in orders]
    sign, body, sizes = min(forms, key=lambda form: repr(form[1:]))
    at = [_form(index, known, bound) for index in node.at]
    if isinstance(node, LIKEWISE):
        row, column = node.axes
        at = sorted(at, key=repr) if parity(node.body, row, column, known) == 1 else at
    return sign if linear else 1, (type(node).__name__, body if linear else (sign, body), sizes, *at)


def symmetric(node: Expr, letters: tuple[Axis, ...], known: Mapping[Key, Mirror]) -> bool:
    """Whether a factor over two letters is a symmetric matrix."""
    return len(letters) == 2 and letters[0].size == letters[1].size and parity(node, *letters, known) == 1


__all__ = ["Mirror", "mirrors", "parity", "symmetric"]
