"""Functions of matrices, checked by what defines them: A X = 1, L Lᵀ = A, A V = V Λ and A V = U Σ with Uᵀ U = Vᵀ V = 1.

Each definition is a residual, quadratic in what it defines, so that central differences of it are exact; the tangent
solves the linearised residual. Nothing here knows a derivative of a matrix function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
from derive.oracle import MATRICES, Array

Residual = Callable[[Array, Array], Array]  # (A, what it defines, flat) → zeros
CLEAR = 50.0  # how many margins away from singular, or from equal eigenvalues, a matrix must be


def _inverse(a: Array, x: Array) -> Array:
    return (a @ x.reshape(a.shape) - np.eye(len(a))).ravel()


def _cholesky(a: Array, x: Array) -> Array:
    factor = x.reshape(a.shape)
    return np.concatenate([(factor @ factor.T - a).ravel(), factor[np.triu_indices(len(a), 1)]])


def _eigen(a: Array, x: Array) -> Array:
    count = len(a)
    values, vectors = x[:count], x[count:].reshape(a.shape)
    return np.concatenate([(a @ vectors - vectors * values).ravel(), (vectors.T @ vectors - np.eye(count)).ravel()])


def _parts(a: Array, x: Array) -> tuple[Array, Array, Array]:
    """U, σ and V of A, out of one flat array."""
    rows, columns = a.shape
    left, values, right = np.split(x, [rows * columns, rows * columns + columns])
    return left.reshape(rows, columns), values, right.reshape(columns, columns)


def _singular(a: Array, x: Array) -> Array:
    left, values, right = _parts(a, x)
    one = np.eye(len(values))
    zeros = (a @ right - left * values, a.T @ left - right * values, left.T @ left - one, right.T @ right - one)
    return np.concatenate([zero.ravel() for zero in zeros])


def _slope(function: Callable[[Array], Array], at: Array, direction: Array) -> Array:
    """The derivative of a quadratic: its central difference."""
    return (function(at + direction) - function(at - direction)) / 2


def _linearised(residual: Residual, a: Array, da: Array, x: Array) -> Array:
    """x′ with R_x x′ + R_A A′ = 0."""
    columns = np.stack([_slope(lambda v: residual(a, v), x, e) for e in np.eye(x.size)], axis=1)
    return np.asarray(np.linalg.lstsq(columns, -_slope(lambda m: residual(m, x), a, da), rcond=None)[0])


def _inverse_tangent(a: Array, da: Array) -> Array:
    return _linearised(_inverse, a, da, MATRICES[Inverse](a).ravel()).reshape(a.shape)


def _log_tangent(a: Array, da: Array) -> Array:
    """log|det A|′ = Σ of the eigenvalues of A⁻¹ A′: (Π of 1 + t·them)′ at 0."""
    return np.asarray(np.linalg.eigvals(np.linalg.solve(a, da)).sum().real)


def _determinant_tangent(a: Array, da: Array) -> Array:
    """Column by column: the determinant is linear in each."""
    total = 0.0
    for column in range(len(a)):
        exchanged = a.copy()
        exchanged[:, column] = da[:, column]
        total += np.linalg.det(exchanged)
    return np.asarray(total)


def _cholesky_tangent(a: Array, da: Array) -> Array:
    return _linearised(_cholesky, a, da, MATRICES[Cholesky](a).ravel()).reshape(a.shape)


def _eigen_tangent(a: Array, da: Array) -> Array:
    x = np.concatenate([MATRICES[Eigenvalue](a), MATRICES[Eigenvector](a).ravel()])
    return _linearised(_eigen, a, da, x)


def _singular_tangent(a: Array, da: Array) -> tuple[Array, Array, Array]:
    x = np.concatenate([MATRICES[kind](a).ravel() for kind in (LeftVector, SingularValue, RightVector)])
    return _parts(a, _linearised(_singular, a, da, x))


def _batched(kind: type, tangent: Callable[[Array, Array], Array]) -> Callable[[Array, Array], tuple[Array, Array]]:
    def both(a: Array, da: Array) -> tuple[Array, Array]:
        a, da = (np.asarray(part, dtype=float) for part in (a, da))
        value = MATRICES[kind](a)
        found = np.full(value.shape, np.nan)
        for place in np.ndindex(a.shape[:-2]):
            if np.all(np.isfinite(value[place])):
                found[place] = tangent(a[place], da[place])
        return value, found

    return both


# What f(A) and its tangent along A′ are, for arrays of matrices.
TANGENTS: Mapping[type, Callable[[Array, Array], tuple[Array, Array]]] = {
    Inverse: _batched(Inverse, _inverse_tangent),
    Determinant: _batched(Determinant, _determinant_tangent),
    LogDeterminant: _batched(LogDeterminant, _log_tangent),
    Cholesky: _batched(Cholesky, _cholesky_tangent),
    Eigenvalue: _batched(Eigenvalue, lambda a, da: _eigen_tangent(a, da)[: len(a)]),
    Eigenvector: _batched(Eigenvector, lambda a, da: _eigen_tangent(a, da)[len(a) :].reshape(a.shape)),
    LeftVector: _batched(LeftVector, lambda a, da: _singular_tangent(a, da)[0]),
    SingularValue: _batched(SingularValue, lambda a, da: _singular_tangent(a, da)[1]),
    RightVector: _batched(RightVector, lambda a, da: _singular_tangent(a, da)[2]),
}


def _regular(a: Array) -> Array:
    """The least singular value over the largest."""
    values = np.linalg.svd(a, compute_uv=False)
    return np.asarray(values[..., -1] / np.maximum(values[..., 0], np.finfo(float).tiny))


def _definite(a: Array) -> Array:
    values = np.linalg.eigvalsh(a)
    return np.asarray(np.maximum(values[..., 0], 0) / np.maximum(np.abs(values).max(axis=-1), np.finfo(float).tiny))


def _simple(a: Array) -> Array:
    """The least gap between eigenvalues over the largest of them."""
    values = np.linalg.eigvalsh(a)
    if values.shape[-1] == 1:
        return np.full(values.shape[:-1], np.inf)
    return np.asarray(np.diff(values).min(axis=-1) / np.maximum(np.abs(values).max(axis=-1), np.finfo(float).tiny))


def _separate(a: Array) -> Array:
    """The least of the singular values and of their gaps, over the largest."""
    if a.shape[-2] < a.shape[-1]:
        return np.zeros(a.shape[:-2])
    values = np.linalg.svd(a, compute_uv=False)
    apart = np.minimum(values[..., -1], -np.diff(values, axis=-1).max(axis=-1, initial=-np.inf))
    return np.asarray(apart / np.maximum(values[..., 0], np.finfo(float).tiny))


CLEARANCE: Mapping[type, Callable[[Array], Array]] = {
    **dict.fromkeys((Inverse, Determinant, LogDeterminant), _regular),
    Cholesky: _definite,
    **dict.fromkeys((Eigenvalue, Eigenvector), _simple),
    **dict.fromkeys((LeftVector, SingularValue, RightVector), _separate),
}


def clearance(kind: type, matrices: Array) -> Array:
    """How far matrices are from where the function is not smooth; never 0, since nothing is defined there."""
    return np.asarray(np.maximum(CLEARANCE[kind](matrices) / CLEAR, 1e-9))
