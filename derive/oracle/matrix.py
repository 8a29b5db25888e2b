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


def _triangular(which: int) -> Callable[[Matrices], Matrices]:
    """Q or R of A = Q R; the diagonal of R is positive."""

    def part(matrix: Matrices) -> Matrices:
        if matrix.shape[0] < matrix.shape[1]:
            raise np.linalg.LinAlgError("more columns than rows")
        factors = np.linalg.qr(matrix)
        signs = np.sign(np.diagonal(factors.R))
        if not np.all(signs):
            raise np.linalg.LinAlgError("columns that depend on each other")
        return (factors.Q * signs, factors.R * signs[:, None])[which]

    return part


def _general(which: int) -> Callable[[Matrices], Matrices]:
    """λ, ascending, or X of A X = X Λ; of each column of X, the entry of largest magnitude is positive."""

    def part(matrix: Matrices) -> Matrices:
        values, vectors = np.linalg.eig(matrix)
        if np.iscomplexobj(values):
            raise np.linalg.LinAlgError("complex eigenvalues")
        order = np.argsort(values)
        vectors = vectors[:, order]
        largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0, keepdims=True), axis=0)
        return (values[order], vectors * np.sign(largest))[which]

    return part


def exponential(matrix: Matrices) -> Matrices:
    """e^A = (e^{A/2ˢ})^{2ˢ}, the inner one by its series; of one matrix, or of each of an array."""
    squarings = max(0, int(np.ceil(np.log2(max(np.abs(matrix).sum(axis=-2).max(), 1e-300)))) + 4)
    small = matrix / 2.0**squarings
    term = total = np.eye(matrix.shape[-1])
    for k in range(1, 20):
        term = term @ small / k
        total = total + term
    for _ in range(squarings):
        total = total @ total
    return total


def _function(of: Callable[[Matrices], Matrices]) -> Callable[[Matrices], Matrices]:
    """V f(Λ) Vᵀ of a symmetric positive definite matrix."""

    def applied(matrix: Matrices) -> Matrices:
        values, vectors = np.linalg.eigh(matrix)
        if values[0] <= 0:
            raise np.linalg.LinAlgError("not positive definite")
        return np.asarray((vectors * of(values)) @ vectors.T)

    return applied


root, logarithm = _function(np.sqrt), _function(np.log)


def _exponential_slope(matrix: Matrices) -> Matrices:
    """For every E of one entry 1, the corner of e^[[A, E], [0, A]]: in powers of the blocks it is what A′ = E moves."""
    n = len(matrix)
    r, c = np.indices((n, n))
    blocks = np.tile(np.kron(np.eye(2), matrix), (n, n, 1, 1))
    blocks[r, c, r, n + c] = 1
    return exponential(blocks)[..., :n, n:].transpose(2, 3, 0, 1)


def _exponential_curvature(matrix: Matrices) -> Matrices:
    """For every E and F of one entry 1, the corner of e^[[A, E, 0], [0, A, F], [0, 0, A]], and with both exchanged."""
    n = len(matrix)
    r, c, p, q = np.indices((n, n, n, n))
    blocks = np.tile(np.kron(np.eye(3), matrix), (n, n, n, n, 1, 1))
    blocks[r, c, p, q, r, n + c] = blocks[r, c, p, q, n + p, 2 * n + q] = 1
    corner = exponential(blocks)[..., :n, 2 * n :].transpose(4, 5, 0, 1, 2, 3)
    return corner + corner.transpose(0, 1, 4, 5, 2, 3)


def _root_slope(matrix: Matrices) -> Matrices:
    """The inverse of S′ ↦ S S′ + S′ S, of what is symmetric."""
    one, factor = np.eye(len(matrix)), root(matrix)
    moved: Matrices = (np.kron(factor, one) + np.kron(one, factor)).astype(float)
    return _even(np.linalg.inv(moved).reshape(4 * (len(matrix),)))


def _even(slopes: NDArray[Any]) -> Matrices:
    """Along (E + Eᵀ)/2."""
    return np.asarray((slopes + slopes.swapaxes(-2, -1)) / 2)


def _logarithm_slope(matrix: Matrices) -> Matrices:
    """The inverse of how e^L moves with L, of what is symmetric."""
    n = len(matrix)
    return _even(np.linalg.inv(_exponential_slope(logarithm(matrix)).reshape(n * n, n * n)).reshape(n, n, n, n))


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
    OrthonormalFactor: _failing(_triangular(0), "nm"),
    TriangularFactor: _failing(_triangular(1), "mm"),
    GeneralEigenvalue: _failing(_general(0), "n"),
    GeneralEigenvector: _failing(_general(1), "nn"),
    Exponential: _failing(exponential, "nn"),
    ExponentialSlope: _failing(_exponential_slope, "nnnn"),
    ExponentialCurvature: _failing(_exponential_curvature, "nnnnnn"),
    SquareRoot: _failing(root, "nn"),
    SquareRootSlope: _failing(_root_slope, "nnnn"),
    Logarithm: _failing(logarithm, "nn"),
    LogarithmSlope: _failing(_logarithm_slope, "nnnn"),
}
