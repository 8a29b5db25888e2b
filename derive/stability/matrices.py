"""Functions of matrices of many digits, by mpmath; NaN where a matrix has none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from derive.axes import (
    Cholesky,
    Determinant,
    Eigenvalue,
    Eigenvector,
    Inverse,
    LeftVector,
    LogDeterminant,
    RightVector,
    SingularValue,
)
from derive.oracle import Array

OfMatrices = Callable[[Array], Array]


def _eigenvectors(mp: Any, a: Any) -> Any:
    """In columns; of each, the entry of largest magnitude is positive. Equal eigenvalues have none."""
    values, vectors = mp.eigsy(a)
    if any(values[k + 1] - values[k] <= mp.eps * abs(values[k]) for k in range(a.cols - 1)):
        raise ValueError("equal eigenvalues")
    for k in range(a.cols):
        largest = max((vectors[i, k] for i in range(a.rows)), key=abs)
        for i in range(a.rows if largest < 0 else 0):
            vectors[i, k] = -vectors[i, k]
    return vectors


def _singular(which: int) -> Callable[[Any, Any], Any]:
    """U, σ or V of A = U Σ Vᵀ."""

    def part(mp: Any, a: Any) -> Any:
        if a.rows < a.cols:
            raise ValueError("more columns than rows")
        left, values, turned = mp.svd_r(a)
        right = turned.T
        for k in range(a.cols):
            if values[k] - (values[k + 1] if k + 1 < a.cols else 0) <= mp.eps * values[0] and which != 1:
                raise ValueError("equal singular values")
            largest = max((right[i, k] for i in range(a.cols)), key=abs)
            for matrix in (left, right) if largest < 0 else ():
                for i in range(matrix.rows):
                    matrix[i, k] = -matrix[i, k]
        return (left, values, right)[which]

    return part


# Of one matrix of mpmath's; the lengths of the result are those of its rows (n) and columns (m).
FUNCTIONS: dict[type, tuple[str, Callable[[Any, Any], Any]]] = {
    Inverse: ("mn", lambda mp, a: mp.inverse(a)),
    Determinant: ("", lambda mp, a: mp.det(a)),
    LogDeterminant: ("", lambda mp, a: mp.log(abs(mp.det(a)))),
    Cholesky: ("nm", lambda mp, a: mp.cholesky(a)),
    Eigenvalue: ("n", lambda mp, a: mp.eigsy(a, eigvals_only=True)),
    Eigenvector: ("nm", _eigenvectors),
    SingularValue: ("m", _singular(1)),
    LeftVector: ("nm", _singular(0)),
    RightVector: ("mm", _singular(2)),
}


def _each(mp: Any, sides: str, function: Callable[[Any, Any], Any]) -> OfMatrices:
    def of_matrices(matrices: Array) -> Array:
        lengths = dict(zip("nm", matrices.shape[-2:], strict=True))
        shape = tuple(lengths[side] for side in sides)
        found = np.empty((*matrices.shape[:-2], *shape), dtype=object)
        for place in np.ndindex(matrices.shape[:-2]):
            entries = [[mp.convert(entry) for entry in row] for row in matrices[place]]
            try:
                if not all(mp.isfinite(entry) for row in entries for entry in row):
                    raise ValueError("no finite matrix")
                one = function(mp, mp.matrix(entries))
            except (ValueError, ZeroDivisionError):  # singular, or not positive definite
                found[place] = mp.nan
                continue
            found[place] = np.array(list(one), dtype=object).reshape(shape) if sides else one
        return found

    return of_matrices


def of_matrices(context: Any) -> Mapping[type, OfMatrices]:
    """The table of functions in the context's precision."""
    return {kind: _each(context, sides, function) for kind, (sides, function) in FUNCTIONS.items()}
