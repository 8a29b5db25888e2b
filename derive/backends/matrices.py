"""What emitted modules bring along for functions of matrices. Each function needs NumPy as `np`."""

from __future__ import annotations

from typing import Any

import numpy as np

REFUSED = {  # what LAPACK's callers say of a matrix → what a reader is told
    "Singular matrix": "the matrix is singular",
    "Matrix is not positive definite": "the matrix is not positive definite",
}


def eigenvectors(matrix: Any) -> Any:
    """Orthonormal eigenvectors of a symmetric matrix, in columns; of each, the largest entry by size is positive."""
    values, vectors = np.linalg.eigh(matrix)
    apart = np.diff(values, axis=-1) > np.finfo(values.dtype).eps * np.abs(values).max(axis=-1, keepdims=True)
    if not np.all(apart):
        raise np.linalg.LinAlgError("two eigenvalues are equal: their eigenvectors are not determined")
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=-2, keepdims=True), axis=-2)
    return vectors * np.sign(largest)


def singular_vectors(matrix: Any) -> tuple[Any, Any]:
    """U and V of A = U Σ Vᵀ, in columns, by falling singular value; the largest entry of each of V is positive."""
    if matrix.shape[-2] < matrix.shape[-1]:
        raise np.linalg.LinAlgError(f"expected no more columns than rows, given {matrix.shape}")
    left, values, turned = np.linalg.svd(matrix, full_matrices=False)
    gaps = -np.diff(values, axis=-1, append=0)
    if not np.all(gaps > np.finfo(values.dtype).eps * values[..., :1]):
        raise np.linalg.LinAlgError("two singular values are equal, or one is 0: their vectors are not determined")
    right = turned.mT
    signs = np.sign(np.take_along_axis(right, np.abs(right).argmax(axis=-2, keepdims=True), axis=-2))
    return left * signs, right * signs
