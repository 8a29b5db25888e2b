"""Functions of matrices, checked by what defines them: A X = 1, L Lᵀ = A, A V = V Λ and A V = U Σ with Uᵀ U = Vᵀ V = 1,
A = Q R, S S = A; the exponential by its integral.

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
    Exponential,
    ExponentialCurvature,
    ExponentialSlope,
    GeneralEigenvalue,
    GeneralEigenvector,
    Inverse,
    LeftVector,
    Logarithm,
    LogarithmSlope,
    LogDeterminant,
    OrthonormalFactor,
    RightVector,
    SingularValue,
    SquareRoot,
    SquareRootSlope,
    TriangularFactor,
)
from derive.oracle import MATRICES, Array
from derive.oracle.matrix import exponential

Residual = Callable[[Array, Array], Array]  # (A, what it defines, flat) → zeros
NODES = 24  # of the quadrature: exact to rounding for the matrices of a check
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


def _triangular(a: Array, x: Array) -> Array:
    rows, columns = a.shape
    left, right = (part.reshape(-1, columns) for part in np.split(x, [rows * columns]))
    zeros = ((left @ right - a).ravel(), (left.T @ left - np.eye(columns)).ravel())
    return np.concatenate([*zeros, right[np.tril_indices(columns, -1)]])


def _general(a: Array, x: Array) -> Array:
    values, vectors = x[: len(a)], x[len(a) :].reshape(a.shape)
    return np.concatenate([(a @ vectors - vectors * values).ravel(), (vectors**2).sum(axis=0) - 1])


def _root(a: Array, x: Array) -> Array:
    return (x.reshape(a.shape) @ x.reshape(a.shape) - a).ravel()


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


def _along(a: Array) -> tuple[Array, Array, Array]:
    """e^{(1−s)A} and e^{sA} at the places s of the quadrature, and the weights; of one matrix or several."""
    places, weights = np.polynomial.legendre.leggauss(NODES)
    shares = ((1 + places) / 2).reshape(-1, *(1 for _ in a.shape))
    return exponential((1 - shares) * a), exponential(shares * a), weights / 2


def _exponential_tangent(a: Array, da: Array) -> Array:
    """∫₀¹ e^{(1−s)A} A′ e^{sA} ds, by Gauss and Legendre: X(t) = e^{tA} has X′ = A X."""
    one, two, weights = _along(a)
    return np.asarray(np.einsum("s,s...->...", weights, one @ da @ two))


def _logarithm_tangent(a: Array, da: Array) -> Array:
    """The L′ along which e^L moves by A′."""
    here = MATRICES[Logarithm](a)
    columns = np.stack([_exponential_tangent(here, e.reshape(a.shape)).ravel() for e in np.eye(a.size)], axis=1)
    return np.asarray(np.linalg.solve(columns, da.ravel()).reshape(a.shape))


def _exponential_slope_tangent(a: Array, da: Array) -> Array:
    """Of ∫₀¹ e^{(1−s)A} E e^{sA} ds, at i, j, r, c: both factors move."""
    one, two, weights = _along(a)
    shares = (1 + np.polynomial.legendre.leggauss(NODES)[0]) / 2
    own, other = (_exponential_tangent(*(s[:, None, None] * x for x in (a, da))) for s in (1 - shares, shares))
    return np.asarray(
        np.einsum("s,sir,scj->ijrc", weights, own, two) + np.einsum("s,sir,scj->ijrc", weights, one, other)
    )


def _solved_again(equation: Array, moved: Array, slope: Array) -> Array:
    """K′ of M K = E, where M moves by M′: M K′ = −M′ K, at i, j, r, c."""
    side, shape = len(equation), slope.shape
    return np.asarray(-np.linalg.solve(equation, moved @ slope.reshape(side, side)).reshape(shape))


def _square_root_slope_tangent(a: Array, da: Array) -> Array:
    """Of X K + K X = E."""
    one, root = np.eye(len(a)), MATRICES[SquareRoot](a)
    moved = _linearised(_root, a, da, root.ravel()).reshape(a.shape)
    equation, change = (np.kron(x, one) + np.kron(one, x.T) for x in (root, moved))
    return _solved_again(equation, change, MATRICES[SquareRootSlope](a))


def _logarithm_slope_tangent(a: Array, da: Array) -> Array:
    """Of exp′(X) K = E."""
    here = MATRICES[Logarithm](a)
    moved = _exponential_slope_tangent(here, _logarithm_tangent(a, da)).reshape(a.size, a.size)
    equation = MATRICES[ExponentialSlope](here).reshape(a.size, a.size)
    return _solved_again(equation, moved, MATRICES[LogarithmSlope](a))


def _triangular_tangent(a: Array, da: Array) -> tuple[Array, Array]:
    x = np.concatenate([MATRICES[kind](a).ravel() for kind in (OrthonormalFactor, TriangularFactor)])
    left, right = np.split(_linearised(_triangular, a, da, x), [a.size])
    return left.reshape(a.shape), right.reshape(-1, a.shape[1])


def _general_tangent(a: Array, da: Array) -> Array:
    x = np.concatenate([MATRICES[kind](a).ravel() for kind in (GeneralEigenvalue, GeneralEigenvector)])
    return _linearised(_general, a, da, x)


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
    OrthonormalFactor: _batched(OrthonormalFactor, lambda a, da: _triangular_tangent(a, da)[0]),
    TriangularFactor: _batched(TriangularFactor, lambda a, da: _triangular_tangent(a, da)[1]),
    GeneralEigenvalue: _batched(GeneralEigenvalue, lambda a, da: _general_tangent(a, da)[: len(a)]),
    GeneralEigenvector: _batched(GeneralEigenvector, lambda a, da: _general_tangent(a, da)[len(a) :].reshape(a.shape)),
    Exponential: _batched(Exponential, _exponential_tangent),
    SquareRoot: _batched(
        SquareRoot, lambda a, da: _linearised(_root, a, da, MATRICES[SquareRoot](a).ravel()).reshape(a.shape)
    ),
    Logarithm: _batched(Logarithm, _logarithm_tangent),
    ExponentialSlope: _batched(ExponentialSlope, _exponential_slope_tangent),
    SquareRootSlope: _batched(SquareRootSlope, _square_root_slope_tangent),
    LogarithmSlope: _batched(LogarithmSlope, _logarithm_slope_tangent),
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


def _real(a: Array) -> Array:
    """The least gap between eigenvalues over the largest of them; 0 where two of them are complex."""
    values = np.linalg.eigvals(a)
    apart = np.abs(values[..., :, None] - values[..., None, :]) + np.where(np.eye(a.shape[-1]), np.inf, 0)
    gaps = apart.min(axis=(-2, -1), initial=np.inf) / np.maximum(np.abs(values).max(axis=-1), np.finfo(float).tiny)
    return np.where(np.any(np.imag(values) != 0, axis=-1), 0.0, gaps)


def _anywhere(a: Array) -> Array:
    return np.full(a.shape[:-2], np.inf)


CLEARANCE: Mapping[type, Callable[[Array], Array]] = {
    **dict.fromkeys((Inverse, Determinant, LogDeterminant), _regular),
    **dict.fromkeys((Cholesky, SquareRoot, SquareRootSlope, Logarithm, LogarithmSlope), _definite),
    **dict.fromkeys((OrthonormalFactor, TriangularFactor), _regular),
    **dict.fromkeys((GeneralEigenvalue, GeneralEigenvector), _real),
    **dict.fromkeys((Exponential, ExponentialSlope, ExponentialCurvature), _anywhere),
    **dict.fromkeys((Eigenvalue, Eigenvector), _simple),
    **dict.fromkeys((LeftVector, SingularValue, RightVector), _separate),
}


def clearance(kind: type, matrices: Array) -> Array:
    """How far matrices are from where the function is not smooth; never 0, since nothing is defined there."""
    return np.asarray(np.maximum(CLEARANCE[kind](matrices) / CLEAR, 1e-9))
