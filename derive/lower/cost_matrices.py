"""The table of matrix functions: LAPACK's leading terms, as its users' guide and Golub and Van Loan give them.

Lower powers of n are left out: an LU factorisation is 2n³/3 operations, and not n² more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sympy import Expr, Mul, Rational

from .program import Op
from .shapes import Array
from .walk import Row, Walk

LU = Rational(2, 3)
CHOLESKY = Rational(1, 3)
TRIDIAGONAL = Rational(4, 3)  # to which a symmetric matrix is brought; its eigenvalues cost n² more
SYMMETRIC_QR = 9  # with the eigenvectors (Golub and Van Loan, Matrix Computations, 8.3)


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


def _singular(vectors: bool) -> Row:
    """Golub and Reinsch: the values cost 4 n m² − 4 m³/3; with U and V it is 14 n m² + 8 m³ (section 8.6)."""

    def row(w: Walk, op: Op, args: Any) -> Array:
        (a,) = args
        *batch, n, m = a.shape
        flops = 14 * n * m**2 + 8 * m**3 if vectors else 4 * n * m**2 - TRIDIAGONAL * m**3
        sides = {"left_vectors": (n, m), "right_vectors": (m, m)}
        if vectors:  # the other ones are made, too
            w.fresh((*batch, *next(side for name, side in sides.items() if name != op.name)))
        return _done(w, Mul(*batch) * flops, args, (*batch, *sides.get(op.name, (m,))))

    return row


ROWS: dict[str, Row] = {
    "linalg.inverse": _inverse,
    "linalg.solve": _solve,
    "linalg.determinant": _factored(LU, 0),
    "linalg.logdet": _factored(LU, 0),
    "linalg.cholesky": _factored(CHOLESKY, 2),
    "linalg.eigenvalues": _factored(TRIDIAGONAL, 1),
    "eigenvectors": _factored(SYMMETRIC_QR, 2),
    "linalg.singular_values": _singular(False),
    "left_vectors": _singular(True),
    "right_vectors": _singular(True),
}
