"""Kinks: where a condition flips, |·| turns or the maximiser changes; how far a point is from the nearest one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import sympy
from sympy.core.basic import Basic
from sympy.core.relational import Relational

from derive.axes import MaxOver, free_axes
from derive.oracle import Array, Point

from .dual import tangents_at
from .subject import bodies


def kinks_of(roots: Iterable[Basic]) -> tuple[Basic, ...]:
    """Every comparison, |·|, sign and maximum that the roots rest on."""
    found = (node for body in bodies(roots) for node in body.atoms(Relational, sympy.Abs, sympy.sign, MaxOver))
    return tuple(sorted(dict.fromkeys(found), key=str))


def _values(
    node: Basic, point: Point, direction: Mapping[str, Array], letters: tuple[Basic, ...]
) -> tuple[Array, Array]:
    value, tangent = tangents_at(node, [point], [direction], letters)
    return value[0].astype(float), tangent[0].astype(float)


def gaps(kink: Basic, point: Point, direction: Mapping[str, Array]) -> Array:
    """How far the point is from the kink, at each entry; inf where nothing varies along `direction`: no crossing."""
    letters = free_axes(kink)
    if isinstance(kink, MaxOver):
        value, tangent = _values(kink.body, point, direction, (*letters, *kink.axes))
        value, tangent = (part.reshape(*part.shape[: len(letters)], -1) for part in (value, tangent))
        first = np.argmax(value, axis=-1)[..., None]
        value, tangent = (np.take_along_axis(part, first, axis=-1) - part for part in (value, tangent))
    else:
        sides = [_values(side, point, direction, letters) for side in kink.args]
        value, tangent = sides[0] if len(sides) == 1 else [a - b for a, b in zip(*sides, strict=True)]
    return np.asarray(np.where(tangent == 0, np.inf, np.abs(value)))


def levels(kinks: Iterable[Basic], scalars: Mapping[str, float]) -> tuple[float, ...]:
    """Numbers that put an input exactly on a kink: 0, ±1, and the constants that conditions compare with."""
    written = {float(n) for kink in kinks for n in kink.atoms(sympy.Number) if n.is_finite}
    named = {scalars[s.name] for kink in kinks for s in kink.free_symbols if getattr(s, "name", "") in scalars}
    return tuple(sorted({0.0, 1.0, -1.0} | written | named))
