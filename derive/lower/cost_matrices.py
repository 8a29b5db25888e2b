"""The table of matrix functions: LAPACK's leading terms, as its users' guide and Golub and Van Loan give them.

Lower powers of n are left out: an LU factorisation is 2n³/3 operations, and not n² more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sympy import Expr, Mul, Rational

from .program import Op
from .shapes import Array
from .walk import Row, Walk

LU = Rational(2, 3)
CHOLESKY = Rational(1, 3)
TRIDIAGONAL = Rational(4, 3)  # to which a symmetric matrix is brought; its eigenvalues cost n² more
SYMMETRIC_QR = 9  # with the eigenvectors (Golub and Van Loan, Matrix Computations, 8.3)

GENERAL_QR = 25  # values and vectors of a general matrix (section 7.5)
PADE = 6 * 2 + LU + 2  # Padé's quotient of degree 13: six products, one system; squarings, by the norm, are left out


def _done(w: Walk, flops: Expr, operands: Sequence[Array], shape: Sequence[Expr]) -> Array:
    """A new array; the operands are read once."""
    w.tally.add(flops)
    w.tally.move(*operands)
    return w.fresh(shape)


def _factored(leading: Any, rank: int) -> Row:
    """c·n³ for each matrix; the result has `rank` of its two axes."""

    def row(w: Walk, op: Op, args: Any) -> Array:
        (a,) = args
        *batch, n, _ = a.shape
        return _done(w, leading * Mul(*batch) * n**3, args, (*batch, *([n] * rank)))

    return row


def _inverse(w: Walk, op: Op, args: Any) -> Array:
    """A X = 1 is solved for n right sides."""
    (a,) = args
    return _done(w, _solving(a, a.shape[-1]), args, a.shape)


def _solve(w: Walk, op: Op, args: Any) -> Array:
    """An LU factorisation, and 2n² for each right side."""
    a, b = args
    columns = b.shape[-1] if len(b.shape) > 1 else 1
    return _done(w, _solving(a, columns), args, b.shape)


def _solving(a: Array, columns: Any) -> Expr:
    *batch, n, _ = a.shape
    return Mul(*batch) * (LU * n**3 + 2 * n**2 * columns)


def _eliminated(w: Walk, op: Op, args: Any) -> tuple[Array, Array]:
    """Both triangles in one array, and the order of the rows."""
    (a,) = args
    n = a.shape[-1]
    return _done(w, LU * n**3, args, (n, n)), w.fresh((n,), "int")


def _diagonal(w: Walk, op: Op, args: Any) -> Array:
    """The logarithm of each entry, and their sum."""
    (a,) = args
    w.tally.add(transcendental=a.shape[-1])
    return _done(w, 2 * a.shape[-1], (), ())


def _substituted(w: Walk, op: Op, args: Any, triangles: int = 2) -> Array:
    """n² for each right side and each triangle."""
    a, b, *_ = args
    return _done(w, triangles * a.shape[-1] ** 2 * (b.shape[-1] if len(b.shape) > 1 else 1), (a, b), b.shape)


def _with_order(row: Row) -> Row:
    """The same, of factors and the rows' order."""
    return lambda w, op, args: row(w, op, (args[0], *args[2:]))


def _singular_values(w: Walk, op: Op, args: Any) -> Array:
    """Golub and Reinsch: 4 n m² − 4 m³/3 (section 8.6)."""
    (a,) = args
    *batch, n, m = a.shape
    return _done(w, Mul(*batch) * (4 * n * m**2 - TRIDIAGONAL * m**3), args, (*batch, m))


def _pair(flops: Callable[[Any, Any], Expr], *sides: Callable[[Any, Any], Sequence[Expr]]) -> Row:
    """Two results of one factorisation of n × m."""

    def row(w: Walk, op: Op, args: Any) -> tuple[Array, ...]:
        (a,) = args
        *batch, n, m = a.shape
        first, *others = ((*batch, *side(n, m)) for side in sides)
        return _done(w, Mul(*batch) * flops(n, m), args, first), *map(w.fresh, others)

    return row


def _slope(leading: Any) -> Row:
    """c·n³ for each matrix that the slope is taken along."""

    def row(w: Walk, op: Op, args: Any) -> Array:
        _, along = args
        *batch, n, _ = along.shape
        return _done(w, leading * Mul(*batch) * n**3, args, along.shape)

    return row


def _slopes(w: Walk, op: Op, args: Any) -> Array:
    """The slope along n² matrices."""
    (a,) = args
    *batch, n, _ = a.shape
    return _done(w, SLOPES[op.attr] * Mul(*batch) * n**5, args, (*batch, n, n, n, n))


def _curvature(w: Walk, op: Op, args: Any) -> Array:
    """Two exponentials of matrices of three times the size, for each of a batch."""
    *batch, n, _ = args[1].shape
    return _done(w, 54 * PADE * Mul(*batch) * n**3, args, args[1].shape)


def _curvatures(w: Walk, op: Op, args: Any) -> Array:
    """The curvature along n² matrices, twice."""
    (a,) = args
    *batch, n, _ = a.shape
    return _done(w, 54 * PADE * Mul(*batch) * n**7, args, (*batch, n, n, n, n, n, n))


SLOPES = {"exponential_slope": 8 * PADE, "square_root_slope": SYMMETRIC_QR + 8, "logarithm_slope": SYMMETRIC_QR + 8}
ROWS: dict[str, Row] = {
    "linalg.inverse": _inverse,
    "linalg.solve": _solve,
    "linalg.determinant": _factored(LU, 0),
    "logdet": _factored(LU, 0),
    "linalg.cholesky": _factored(CHOLESKY, 2),
    "definite_factor": _factored(CHOLESKY, 2),
    "symmetric_factor": _factored(CHOLESKY, 2),
    "definite_inverse": _factored(1 - CHOLESKY, 2),
    "definite_logdet": _diagonal,
    "definite_solve": _substituted,
    "triangular_solve": lambda w, op, args: _substituted(w, op, args, 1),
    "lu_factors": _eliminated,
    "lu_inverse": _with_order(_factored(2, 2)),
    "lu_logdet": _with_order(_diagonal),
    "lu_solve": _with_order(_substituted),
    "linalg.eigenvalues": _factored(TRIDIAGONAL, 1),
    "eigenvectors": _factored(SYMMETRIC_QR, 2),
    "linalg.singular_values": _singular_values,
    # with U and V: Golub and Reinsch's 14 n m² + 8 m³ (section 8.6)
    "singular_vectors": _pair(lambda n, m: 14 * n * m**2 + 8 * m**3, lambda n, m: (n, m), lambda n, m: (m, m)),
    # by Householder's reflections, and Q made of them (section 5.2.9)
    "qr_factors": _pair(lambda n, m: 4 * n * m**2 - TRIDIAGONAL * m**3, lambda n, m: (n, m), lambda n, m: (m, m)),
    "eigenpairs": _pair(lambda n, m: GENERAL_QR * n**3, lambda n, m: (n,), lambda n, m: (n, n)),
    "exponential": _factored(PADE, 2),
    "square_root": _factored(SYMMETRIC_QR + 2, 2),
    "logarithm": _factored(SYMMETRIC_QR + 2, 2),
    **{name: _slope(leading) for name, leading in SLOPES.items()},
    "slopes": _slopes,
    "exponential_curvature": _curvature,
    "curvatures": _curvatures,
}
