"""What emitted modules bring along for functions of matrices. Each function needs NumPy as `np`."""

from __future__ import annotations

from typing import Any

import numpy as np

OF_MATRICES: dict[str, str] = {  # the functions, and what they call
    **dict.fromkeys("logdet eigenvectors singular_vectors qr_factors eigenpairs exponential".split(), ""),
    "exponential_curvature": "exponential",
    "curvatures": "exponential_curvature exponential",
    **dict.fromkeys("square_root square_root_slope logarithm logarithm_slope".split(), "spectrum"),
    "exponential_slope": "exponential",
    "symmetric_factor": "definite_factor lapack",
    **dict.fromkeys("definite_factor definite_solve definite_inverse lu_factors lu_solve lu_inverse".split(), "lapack"),
    **dict.fromkeys("definite_logdet lu_logdet triangular_solve".split(), ""),
}
REFUSED = {  # what LAPACK's callers say of a matrix → what a reader is told
    "Singular matrix": "the matrix is singular",
    "Matrix is not positive definite": "the matrix is not positive definite",
}


def logdet(matrix: Any) -> Any:
    """log |det A|, of a matrix that has an inverse."""
    found = np.linalg.slogdet(matrix)[1]
    if np.any(np.isneginf(found)):
        raise np.linalg.LinAlgError("the matrix is singular")
    return found


def lapack(name: str, array: Any) -> Any:
    """LAPACK's function for the dtype of an array, as SciPy has it; None without SciPy."""
    try:
        from scipy.linalg import get_lapack_funcs
    except ImportError:
        return None
    return get_lapack_funcs(name, (array,))


def definite_factor(matrix: Any) -> Any:
    """L of A = L Lᵀ, for a symmetric positive definite A.

    L_kk²/A_kk is what row k has that the rows before it do not have: it must be more than rounding.
    """
    factorise = lapack("potrf", matrix)
    factor, bad = (np.linalg.cholesky(matrix), 0) if factorise is None else factorise(matrix.T, lower=1)
    own, whole = factor.diagonal() ** 2, matrix.diagonal()
    if bad == 0 and not np.all(own > 4 * np.finfo(own.dtype).eps * whole):
        bad = 1 + np.argmin(own / whole)
    if bad:
        why = f"row {bad} has nothing of its own beside those before it, but for rounding"
        raise np.linalg.LinAlgError(f"the matrix is not positive definite: of shape {matrix.shape}, {why}")
    return factor


def symmetric_factor(matrix: Any) -> Any:
    """`definite_factor` of a matrix that is given: one triangle is read, so A x = Aᵀ x must hold, here for one x.

    Two entries A_ij and A_ji may differ by √ε of the largest on the diagonal.
    """
    x = np.cos(np.arange(len(matrix))).astype(matrix.dtype)
    most = np.sqrt(np.finfo(matrix.dtype).eps) * np.abs(matrix.diagonal()).max()
    if np.abs(matrix @ x - x @ matrix).max() > most:
        row, column = np.unravel_index(np.abs(matrix - matrix.T).argmax(), matrix.shape)
        pair = f"[{row}, {column}] is {matrix[row, column]:.6g}, [{column}, {row}] is {matrix[column, row]:.6g}"
        raise np.linalg.LinAlgError(f"the matrix is not symmetric: of shape {matrix.shape}, {pair}")
    return definite_factor(matrix)


def definite_solve(factor: Any, right: Any) -> Any:
    """The x of L Lᵀ x = b."""
    solve = lapack("potrs", factor)
    if solve is None:
        return np.linalg.solve(factor.mT, np.linalg.solve(factor, right))
    return solve(factor, right, lower=1)[0]


def definite_logdet(factor: Any) -> Any:
    """log det of L Lᵀ: 2 Σ log L_ii."""
    return 2 * np.log(np.linalg.diagonal(factor)).sum()


def definite_inverse(factor: Any) -> Any:
    """The inverse of L Lᵀ: LAPACK fills one triangle, and the other is its mirror image, square by square."""
    invert, n, side = lapack("potri", factor), len(factor), 128
    if invert is None:
        whole = np.linalg.inv(factor)
        return whole.T @ whole
    found = invert(factor, lower=1)[0].T
    for k in range(0, n, side):
        own = found[k : k + side, k : k + side]
        own += np.triu(own, 1).T
        found[k + side :, k : k + side] = found[k : k + side, k + side :].T
    return found


def triangular_solve(factor: Any, right: Any, lower: int, turned: int) -> Any:
    """The x of A x = b, or of Aᵀ x = b, for a triangular A: from its first row on, or from its last."""
    try:
        from scipy.linalg import solve_triangular
    except ImportError:
        return np.linalg.solve(factor.T if turned else factor, right)
    return solve_triangular(factor, right, trans=turned, lower=bool(lower), check_finite=False)


def lu_factors(matrix: Any) -> tuple[Any, Any]:
    """L and U of P A = L U in one array, and the rows' order; without SciPy a copy of A, and no order."""
    factorise = lapack("getrf", matrix)
    if factorise is None:
        return np.array(matrix), np.arange(0)
    factors, order, refused = factorise(matrix)
    if refused:
        text = f"column {refused} is a combination of those before it"
        raise np.linalg.LinAlgError(f"the matrix is singular: of shape {matrix.shape}, {text}")
    return factors, order.astype(np.intp)


def lu_solve(factors: Any, order: Any, right: Any, turned: int) -> Any:
    """The x of A x = b, or of Aᵀ x = b."""
    solve = lapack("getrs", factors)
    if not order.size or solve is None:
        return np.linalg.solve(factors.T if turned else factors, right)
    return solve(factors, order, right, trans=turned)[0]


def lu_logdet(factors: Any, order: Any) -> Any:
    """log |det A|: Σ log |U_ii|."""
    return np.log(np.abs(factors.diagonal())).sum() if order.size else np.linalg.slogdet(factors)[1]


def lu_inverse(factors: Any, order: Any) -> Any:
    """A⁻¹: the solution for every column of the identity."""
    solve = lapack("getrs", factors)
    if not order.size or solve is None:
        return np.linalg.inv(factors)
    return solve(factors, order, np.eye(len(factors), dtype=factors.dtype), overwrite_b=1)[0]


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


def qr_factors(matrix: Any) -> tuple[Any, Any]:
    """Q and R of A = Q R; the diagonal of R is positive."""
    if matrix.shape[-2] < matrix.shape[-1]:
        raise np.linalg.LinAlgError(f"expected no more columns than rows, given {matrix.shape}")
    left, right = np.linalg.qr(matrix)
    diagonal = np.linalg.diagonal(right)
    largest = np.abs(diagonal).max(axis=-1, keepdims=True)
    if not np.all(np.abs(diagonal) > 4 * np.finfo(right.dtype).eps * largest):
        raise np.linalg.LinAlgError("the columns of the matrix depend on each other: R is singular")
    signs = np.sign(diagonal)
    return left * signs[..., None, :], right * signs[..., None]


def eigenpairs(matrix: Any) -> tuple[Any, Any]:
    """λ, ascending, and X of A X = X Λ; of each column of X the length is 1 and the largest entry by size positive."""
    values, vectors = np.linalg.eig(matrix)
    if np.iscomplexobj(values) and np.any(values.imag):
        raise np.linalg.LinAlgError("the matrix has complex eigenvalues")
    order = np.argsort(values.real, axis=-1)
    values = np.take_along_axis(values.real, order, axis=-1)
    apart = np.diff(values, axis=-1) > np.finfo(values.dtype).eps * np.abs(values).max(axis=-1, keepdims=True)
    if not np.all(apart):
        raise np.linalg.LinAlgError("two eigenvalues are equal: their eigenvectors are not determined")
    vectors = np.take_along_axis(vectors.real, order[..., None, :], axis=-1)
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=-2, keepdims=True), axis=-2)
    return values, vectors * np.sign(largest)


def exponential(matrix: Any) -> Any:
    """e^A, as SciPy makes it."""
    from scipy import linalg

    return linalg.expm(matrix)


def exponential_slope(matrix: Any, along: Any) -> Any:
    """The derivative of e^A along E: the corner of e^[[A, E], [0, A]]."""
    n = along.shape[-1]
    blocks = np.zeros((*along.shape[:-2], 2 * n, 2 * n), dtype=along.dtype)
    blocks[..., :n, :n] = blocks[..., n:, n:] = matrix
    blocks[..., :n, n:] = along
    return exponential(blocks)[..., :n, n:]


def exponential_curvature(matrix: Any, one: Any, two: Any) -> Any:
    """The second derivative of e^A along E and F: of e^[[A, E, 0], [0, A, F], [0, 0, A]], and of the same with E and F
    exchanged, the corners together.
    """  # fmt: skip
    n, leading = matrix.shape[-1], np.broadcast_shapes(matrix.shape[:-2], one.shape[:-2], two.shape[:-2])
    blocks = np.zeros((2, *leading, 3, n, 3, n), dtype=one.dtype)
    for k in range(3):
        blocks[..., k, :, k, :] = matrix
    blocks[0, ..., 0, :, 1, :] = blocks[1, ..., 1, :, 2, :] = one
    blocks[1, ..., 0, :, 1, :] = blocks[0, ..., 1, :, 2, :] = two
    return exponential(blocks.reshape(2, *leading, 3 * n, 3 * n))[..., :n, 2 * n :].sum(axis=0)


def curvatures(matrix: Any) -> Any:
    """The second derivative of e^A along every two matrices of one entry 1, at [i, j, r, c, p, q]."""
    n = matrix.shape[-1]
    units = np.eye(n * n, dtype=matrix.dtype).reshape(n, n, n, n)
    bent = exponential_curvature(matrix[..., None, None, None, None, :, :], units[:, :, None, None], units)
    return np.moveaxis(bent, (-2, -1), (-6, -5))


def spectrum(matrix: Any) -> tuple[Any, Any]:
    """λ and V of a positive definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    if not np.all(values > 0):
        raise np.linalg.LinAlgError("the matrix is not positive definite")
    return values, vectors


def square_root(matrix: Any) -> Any:
    """S = V √Λ Vᵀ."""
    values, vectors = spectrum(matrix)
    return vectors * np.sqrt(values)[..., None, :] @ vectors.mT


def square_root_slope(matrix: Any, along: Any) -> Any:
    """The S′ with S S′ + S′ S = (E + Eᵀ)/2: in the eigenvectors that is divided by √λ_k + √λ_l."""
    values, vectors = spectrum(matrix)
    roots = np.sqrt(values)
    inner = vectors.mT @ ((along + along.mT) / 2) @ vectors / (roots[..., :, None] + roots[..., None, :])
    return vectors @ inner @ vectors.mT


def logarithm(matrix: Any) -> Any:
    """L = V log Λ Vᵀ."""
    values, vectors = spectrum(matrix)
    return vectors * np.log(values)[..., None, :] @ vectors.mT


def logarithm_slope(matrix: Any, along: Any) -> Any:
    """The L′ along which e^L moves by (E + Eᵀ)/2: in the eigenvectors times (log λ_k − log λ_l)/(λ_k − λ_l)."""
    values, vectors = spectrum(matrix)
    ratio = values[..., :, None] / values[..., None, :] - 1
    near = np.where(ratio == 0, 1, ratio)
    quotient = np.where(ratio == 0, 1, np.log1p(near) / near) / values[..., None, :]
    return vectors @ (vectors.mT @ ((along + along.mT) / 2) @ vectors * quotient) @ vectors.mT


def slopes(slope: Any, matrix: Any) -> Any:
    """The slope along every matrix of one entry 1: [i, j, r, c] says how f_ij goes with A_rc."""
    n = matrix.shape[-1]
    units = np.eye(n * n, dtype=matrix.dtype).reshape(n, n, n, n)
    moved = slope(matrix[..., None, None, :, :], np.broadcast_to(units, (*matrix.shape[:-2], n, n, n, n)))
    return np.moveaxis(moved, (-2, -1), (-4, -3))


HELPERS = (
    *(logdet, eigenvectors, singular_vectors, qr_factors, eigenpairs, spectrum, exponential, exponential_slope),
    *(exponential_curvature, curvatures),
    *(square_root, square_root_slope, logarithm, logarithm_slope, slopes),
    *(lapack, definite_factor, symmetric_factor, definite_solve, definite_logdet, definite_inverse),
    *(lu_factors, lu_solve, lu_logdet, lu_inverse, triangular_solve),
)
