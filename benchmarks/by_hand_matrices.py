"""The marginal likelihood of a Gaussian process by hand: one Cholesky factor gives solution, determinant and inverse.

−|x − x′|²/2ℓ² of all pairs is one product of two matrices with D + 2 columns. LAPACK (SciPy has its names) fills one
triangle of the inverse: three products with D + 1 columns take the place of passes that would fill the other.
"""

from functools import cache
from math import log, pi
from typing import Any

import numpy as np
from scipy.linalg import get_lapack_funcs

from benchmarks.by_hand import Array


@cache
def _lapack(dtype: Any) -> Any:
    return get_lapack_funcs(("potrf", "potrs", "potri"), dtype=dtype)


def gaussian_process(X: Array, y: Array, scale: float = 1.0, length: float = 1.0, noise: float = 0.1) -> Any:
    """−(yᵀα + log det K + N log 2π)/2 with K α = y; its gradient by K is (α αᵀ − K⁻¹)/2."""
    (n, d), dtype = X.shape, X.dtype
    factor, solve, invert = _lapack(dtype)
    left, right = np.empty((n, d + 2), dtype), np.ones((n, d + 2), dtype)
    np.multiply(X, 1 / length, out=right[:, 1:-1])
    np.multiply(np.vecdot(right[:, 1:-1], right[:, 1:-1]), -0.5, out=left[:, 0])
    left[:, 1:-1], left[:, -1] = right[:, 1:-1], 1
    right[:, -1] = left[:, 0]
    E = left @ right.T
    np.exp(E, out=E)
    K = E * scale**2
    K.flat[:: n + 1] = scale**2 + noise**2
    E.flat[:: n + 1] = 0  # a place has no distance from itself
    L, bad = factor(K.T, lower=1, clean=1, overwrite_a=1)
    if bad:
        raise np.linalg.LinAlgError("K is not positive definite")
    alpha, _ = solve(L, y, lower=1)
    value = -0.5 * (y @ alpha + 2 * np.log(L.diagonal()).sum() + n * log(2 * pi))
    W = invert(L, lower=1, overwrite_c=1)[0].T  # the triangle above; the other one is 0
    W *= E
    ones = left[:, 1:]  # X/ℓ and a column of ones
    sums = alpha[:, None] * (E @ (alpha[:, None] * ones))
    sums -= W @ ones
    sums -= W.T @ ones
    dX = sums[:, :-1] - sums[:, -1:] * ones[:, :-1]
    dX *= scale**2 / length
    return dtype.type(value), {"X": dX, "y": -alpha}
