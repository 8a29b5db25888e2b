"""Kinks: where a condition flips, |·| turns or the maximiser changes; how far a point is from the nearest one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import sympy
from sympy.core.basic import Basic
from sympy.core.relational import Relational

from derive.axes import ArgMaxOver, ArgMinOver, Entry, MatrixFunction, MaxOver, MinOver, free_axes
from derive.oracle import Array, Point, evaluate, first, picked

from .dual import tangents_at
from .matrix import clearance
from .subject import bodies

TIES = 1e-12  # numbers that differ by no more are equal, up to rounding: they tie, in every way of writing them
EXTREMA_SIGN = {MaxOver: 1, ArgMaxOver: 1, MinOver: -1, ArgMinOver: -1}
EXTREMA = tuple(EXTREMA_SIGN)
KINKS = (Relational, sympy.Abs, sympy.sign, MatrixFunction, *EXTREMA)


def kinks_of(roots: Iterable[Basic]) -> tuple[Basic, ...]:
    """Every comparison, |·|, sign, extremum and place of one that the roots rest on, and that inputs can change."""
    found = (node for body in bodies(roots) for node in body.atoms(*KINKS) if _varies(node))
    return tuple(sorted(dict.fromkeys(found), key=str))


def _varies(node: Basic) -> bool:
    """Whether real entries occur in it: a condition on letters, sizes and integers never flips."""
    return any(entry.tensor.dtype == "real" for entry in node.atoms(Entry))


def _values(
    node: Basic, point: Point, direction: Mapping[str, Array], letters: tuple[Basic, ...]
) -> tuple[Array, Array]:
    value, tangent = tangents_at(node, [point], [direction], letters)
    return value[0].astype(float), tangent[0].astype(float)


def gaps(kink: Basic, point: Point, direction: Mapping[str, Array]) -> Array:
    """How far the point is from the kink, at each entry; inf where nothing varies along `direction`: no crossing.

    Nor is there one where both sides are one function, so that they tie wherever the point moves.
    """
    letters = free_axes(kink)
    if isinstance(kink, MatrixFunction):
        outer = free_axes(kink.body)
        outer = tuple(a for a in outer if a not in kink.axes)
        return clearance(type(kink), evaluate(kink.body, point, (*outer, *kink.axes)))
    if isinstance(kink, EXTREMA):
        value, tangent = _values(kink.body, point, direction, (*letters, *kink.axes))
        value, tangent = (part.reshape(*part.shape[: len(letters)], -1) for part in (value, tangent))
        place = first(value * EXTREMA_SIGN[type(kink)], point.ties)
        with np.errstate(invalid="ignore"):  # all of −∞: nothing is looked at
            value, tangent = (picked(part, place)[..., None] - part for part in (value, tangent))
    else:
        sides = [_values(side, point, direction, letters) for side in kink.args]
        value, tangent = sides[0] if len(sides) == 1 else [a - b for a, b in zip(*sides, strict=True)]
    return np.asarray(np.where((np.abs(tangent) <= TIES) | np.isnan(value), np.inf, np.abs(value)))


def levels(kinks: Iterable[Basic], scalars: Mapping[str, float]) -> tuple[float, ...]:
    """Numbers that put an input exactly on a kink: 0, ±1, and the constants that conditions compare with."""
    written = {float(n) for kink in kinks for n in kink.atoms(sympy.Number) if n.is_finite}
    named = {scalars[s.name] for kink in kinks for s in kink.free_symbols if getattr(s, "name", "") in scalars}
    return tuple(sorted({0.0, 1.0, -1.0} | written | named))
