"""What emitted modules for the array API standard bring along for functions of matrices: `xp` is the library.

The standard has no eigenvalues of a general matrix and no exponential.
"""

from __future__ import annotations

from typing import Any

from .standard import device_of


def logdet(xp: Any, matrix: Any) -> Any:
    """log |det A|."""
    return xp.linalg.slogdet(matrix)[1]


def triangular_solve(xp: Any, factor: Any, right: Any, lower: int, turned: int) -> Any:
    """The x of A x = b, or of Aᵀ x = b; the standard does not ask which triangle A is."""
    return xp.linalg.solve(xp.matrix_transpose(factor) if turned else factor, right)


def eigenvectors(xp: Any, matrix: Any) -> Any:
    """Orthonormal eigenvectors of a symmetric matrix, in columns; of each, the largest entry by size is positive."""
    vectors = xp.linalg.eigh(matrix)[1]
    return vectors * signs(xp, vectors)


def signs(xp: Any, vectors: Any) -> Any:
    """The sign of the largest entry by size, of each column."""
    rows = xp.arange(vectors.shape[-2], device=device_of(vectors))
    first = xp.argmax(xp.abs(vectors), axis=-2, keepdims=True) == rows[:, None]
    return xp.sign(xp.sum(xp.where(first, vectors, 0), axis=-2, keepdims=True))


def singular_vectors(xp: Any, matrix: Any) -> Any:
    """U and V of A = U Σ Vᵀ, in columns, by falling singular value; the largest entry of each of V is positive."""
    left, _, turned = xp.linalg.svd(matrix, full_matrices=False)
    right = xp.matrix_transpose(turned)
    return left * signs(xp, right), right * signs(xp, right)


def qr_factors(xp: Any, matrix: Any) -> tuple[Any, Any]:
    """Q and R of A = Q R; the diagonal of R is positive."""
    left, right = xp.linalg.qr(matrix)
    turns = xp.sign(xp.linalg.diagonal(right))
    return left * turns[..., None, :], right * turns[..., None]


def of_spectrum(xp: Any, matrix: Any, of: Any) -> Any:
    """V f(Λ) Vᵀ."""
    values, vectors = xp.linalg.eigh(matrix)
    return vectors * of(values)[..., None, :] @ xp.matrix_transpose(vectors)


def square_root(xp: Any, matrix: Any) -> Any:
    """S = V √Λ Vᵀ."""
    return of_spectrum(xp, matrix, xp.sqrt)


def logarithm(xp: Any, matrix: Any) -> Any:
    """L = V log Λ Vᵀ."""
    return of_spectrum(xp, matrix, xp.log)


def within(xp: Any, vectors: Any, along: Any, quotient: Any) -> Any:
    """V (Q ∘ VᵀEV) Vᵀ, of E and its transpose the mean."""
    turned = xp.matrix_transpose(vectors)
    even = (along + xp.matrix_transpose(along)) / 2
    return vectors @ (turned @ even @ vectors * quotient) @ turned


def square_root_slope(xp: Any, matrix: Any, along: Any) -> Any:
    """The S′ with S S′ + S′ S = (E + Eᵀ)/2: in the eigenvectors that is divided by √λ_k + √λ_l."""
    values, vectors = xp.linalg.eigh(matrix)
    roots = xp.sqrt(values)
    return within(xp, vectors, along, 1 / (roots[..., :, None] + roots[..., None, :]))


def logarithm_slope(xp: Any, matrix: Any, along: Any) -> Any:
    """The L′ along which e^L moves by (E + Eᵀ)/2: in the eigenvectors times (log λ_k − log λ_l)/(λ_k − λ_l)."""
    values, vectors = xp.linalg.eigh(matrix)
    ratio = values[..., :, None] / values[..., None, :] - 1
    one = xp.ones_like(ratio)
    near = xp.where(ratio == 0, one, ratio)
    quotient = xp.where(ratio == 0, one, xp.log1p(near) / near) / values[..., None, :]
    return within(xp, vectors, along, quotient)


def slopes(xp: Any, slope: Any, matrix: Any) -> Any:
    """The slope along every matrix of one entry 1: [i, j, r, c] says how f_ij goes with A_rc."""
    n = matrix.shape[-1]
    units = xp.reshape(xp.eye(n * n, dtype=matrix.dtype, device=device_of(matrix)), (n, n, n, n))
    units = xp.broadcast_to(units, (*matrix.shape[:-2], n, n, n, n))
    return xp.moveaxis(slope(xp, matrix[..., None, None, :, :], units), (-2, -1), (-4, -3))


HELPERS = (
    *(logdet, triangular_solve, eigenvectors, signs, singular_vectors, qr_factors, of_spectrum, within),
    *(square_root, square_root_slope, logarithm, logarithm_slope, slopes),
)
