"""Functions of matrices, as LAPACK has them: on arrays whose last two dimensions are the matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

Matrices = NDArray[np.float64]


def _failing(function: Callable[[Matrices], Any], sides: str) -> Callable[[Matrices], Matrices]:
    """NaN where LAPACK refuses: singular matrices, and those that are not positive definite.

    `sides` says which lengths the result has: of the rows (n), of the columns (m).
    """

    def tried(matrices: Matrices) -> Matrices:
        lengths = dict(zip("nm", matrices.shape[-2:], strict=True))
        found = np.full((*matrices.shape[:-2], *(lengths[side] for side in sides)), np.nan)
        for place in np.ndindex(matrices.shape[:-2]):
            try:
                found[place] = function(matrices[place])
            except np.linalg.LinAlgError:
                continue
        return found

    return tried


def _vectors(matrix: Matrices) -> Matrices:
    """Orthonormal eigenvectors in columns; of each, the entry of largest magnitude is positive."""
    vectors = np.linalg.eigh(matrix).eigenvectors
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=-2, keepdims=True), axis=-2)
    return vectors * np.sign(largest)


def _singular(which: str) -> Callable[[Matrices], Matrices]:
    """U, σ or V of A = U Σ Vᵀ; of each column of V, the entry of largest magnitude is positive."""

    def part(matrix: Matrices) -> Matrices:
        if matrix.shape[0] < matrix.shape[1]:
            raise np.linalg.LinAlgError("more columns than rows")
        left, values, turned = np.linalg.svd(matrix, full_matrices=False)
        signs = np.sign(np.take_along_axis(turned, np.abs(turned).argmax(axis=1, keepdims=True), axis=1))[:, 0]
        return {"left": left * signs, "values": values, "right": turned.T * signs}[which]

    return part


MATRICES: Mapping[type, Callable[[Matrices], Matrices]] = {
    Inverse: _failing(np.linalg.inv, "mn"),
    Determinant: _failing(np.linalg.det, ""),
    LogDeterminant: _failing(lambda a: np.linalg.slogdet(a).logabsdet, ""),
    Cholesky: _failing(np.linalg.cholesky, "nm"),
    Eigenvalue: _failing(np.linalg.eigvalsh, "n"),
    Eigenvector: _failing(_vectors, "nm"),
    SingularValue: _failing(_singular("values"), "m"),
    LeftVector: _failing(_singular("left"), "nm"),
    RightVector: _failing(_singular("right"), "mm"),
}
