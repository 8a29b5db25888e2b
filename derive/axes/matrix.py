"""Functions of a matrix: its inverse, determinant, factors and eigenvalues, by their entries.

A node binds the two letters of its matrix, like a reduction; the indices `at` of the result's entry stand outside.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from sympy import Abs
from sympy.core.basic import Basic

from .errors import ShapeError
from .functions import Delta, equals
from .index import Axis, fresh_letter
from .reduce import Reduction, sum_over
from .tensor import Tensor


class MatrixFunction(Reduction):
    """Arguments: the entry of the matrix, its letters (rows, columns), then the indices of the result's entry."""

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self.args[1:3]

    @property
    def at(self) -> tuple[Basic, ...]:
        return self.args[3:]

    @property
    def free_symbols(self) -> set[Basic]:
        return super().free_symbols.union(*(index.free_symbols for index in self.at))

    def rebound(self, body: Basic, axes: Iterable[Axis], at: Iterable[Basic] | None = None) -> MatrixFunction:
        return self.func(body, *axes, *(self.at if at is None else at))

    def _sympystr(self, printer: Any) -> str:
        indices = f"[{', '.join(printer._print(i) for i in self.at)}]" if self.at else ""
        letters = ", ".join(a.name for a in self.axes)
        return f"{self.name}(({letters}), {printer._print(self.body)}){indices}"


class Inverse(MatrixFunction):
    """A⁻¹, by A A⁻¹ = 1."""

    name: ClassVar[str] = "inv"


class Determinant(MatrixFunction):
    """det A."""

    name: ClassVar[str] = "det"


class LogDeterminant(MatrixFunction):
    """log |det A|."""

    name: ClassVar[str] = "logdet"


class Cholesky(MatrixFunction):
    """The lower triangular L with L Lᵀ = A and a positive diagonal, of a symmetric positive definite A."""

    name: ClassVar[str] = "cholesky"


class Eigenvalue(MatrixFunction):
    """λ_k, ascending, with A V = V Λ, of a symmetric A; its lower triangle is read."""

    name: ClassVar[str] = "eigenvalue"


class Eigenvector(MatrixFunction):
    """V_ik, with A V = V Λ and Vᵀ V = 1, of a symmetric A; of each column the largest entry is positive."""

    name: ClassVar[str] = "eigenvector"


class SingularValue(MatrixFunction):
    """σ_k, descending, with A V = U Σ, of A with at least as many rows as columns."""

    name: ClassVar[str] = "singular_value"


class LeftVector(MatrixFunction):
    """U_ik, with A V = U Σ, Uᵀ U = 1 and Vᵀ V = 1."""

    name: ClassVar[str] = "left_vector"


class RightVector(MatrixFunction):
    """V_jk, with A V = U Σ, Uᵀ U = 1 and Vᵀ V = 1; of each column the largest entry is positive."""

    name: ClassVar[str] = "right_vector"


class OrthonormalFactor(MatrixFunction):
    """Q_ik, with A = Q R and Qᵀ Q = 1, of A with at least as many rows as columns."""

    name: ClassVar[str] = "orthonormal_factor"


class TriangularFactor(MatrixFunction):
    """R_kj, upper triangular with a positive diagonal, with A = Q R."""

    name: ClassVar[str] = "triangular_factor"


class GeneralEigenvalue(MatrixFunction):
    """λ_k, ascending, with A X = X Λ, of a square A whose eigenvalues are real and differ."""

    name: ClassVar[str] = "general_eigenvalue"


class GeneralEigenvector(MatrixFunction):
    """X_ik, with A X = X Λ and columns of length 1; of each the largest entry is positive."""

    name: ClassVar[str] = "general_eigenvector"


class Exponential(MatrixFunction):
    """e^A = Σ Aᵏ/k!, of a square A."""

    name: ClassVar[str] = "exponential"


class ExponentialSlope(MatrixFunction):
    """∂(e^A)_ij/∂A_rc, at i, j, r, c: the entry ij of ∫₀¹ e^{(1−s)A} E e^{sA} ds, where E is 1 at rc and else 0."""

    name: ClassVar[str] = "exponential_slope"


class ExponentialCurvature(MatrixFunction):
    """∂²(e^A)_ij/∂A_rc∂A_pq, at i, j, r, c, p, q: how the slope at i, j, r, c goes with A_pq."""

    name: ClassVar[str] = "exponential_curvature"


class SquareRoot(MatrixFunction):
    """The positive definite S with S S = A, of a symmetric positive definite A."""

    name: ClassVar[str] = "square_root"


class SquareRootSlope(MatrixFunction):
    """∂S_ij/∂A_rc, at i, j, r, c: the entry ij of the S′ with S S′ + S′ S = E, where E has a half at rc and at cr."""

    name: ClassVar[str] = "square_root_slope"


class Logarithm(MatrixFunction):
    """The symmetric L with e^L = A, of a symmetric positive definite A."""

    name: ClassVar[str] = "logarithm"


class LogarithmSlope(MatrixFunction):
    """∂L_ij/∂A_rc, at i, j, r, c: the entry ij of the L′ along which e^L moves by E, a half at rc and at cr."""

    name: ClassVar[str] = "logarithm_slope"


MATRIX_FUNCTIONS: tuple[type[MatrixFunction], ...] = tuple(MatrixFunction.__subclasses__())
SLOPES = {Exponential: ExponentialSlope, SquareRoot: SquareRootSlope, Logarithm: LogarithmSlope}
# Functions of (A + Aᵀ)/2: so their gradients are symmetric, too.
SYMMETRIC = (Cholesky, Eigenvalue, Eigenvector, SquareRoot, Logarithm)


def _matrix(of: str, matrix: Any, *, square: bool = True) -> tuple[tuple[Axis, ...], Axis, Axis]:
    """(batch letters, the row's letter, the column's) of a tensor."""
    if not isinstance(matrix, Tensor):
        raise ShapeError(f"{of}: expected a tensor, such as A or let('M', …), given {matrix}")
    if matrix.ndim < 2:
        raise ShapeError(f"{of}: expected a matrix, given {matrix.declared()}")
    *batch, rows, columns = matrix.axes
    if square and rows.size != columns.size:
        raise ShapeError(
            f"{of}: expected a square matrix, given {matrix.declared()} of {rows.size} × {columns.size}; "
            f"write T[{rows.name}, {rows.name}.alias('{columns.name}')]"
        )
    return tuple(batch), rows, columns


def _of(kind: type[MatrixFunction], matrix: Tensor, at: Iterable[Axis] = ()) -> MatrixFunction:
    """The function of the tensor's last two axes, at these indices."""
    *batch, rows, columns = matrix.axes
    at = tuple(at)
    taken = {a.name for a in (*matrix.axes, *at)}
    first = fresh_letter(rows, taken)
    second = fresh_letter(columns, taken | {first.name})
    entry = matrix[(*batch, first, second)]
    if kind in SYMMETRIC:
        entry = (entry + matrix[(*batch, second, first)]) / 2
    return kind(entry, first, second, *at)


def _named(kind: type[MatrixFunction], matrix: Tensor, at: Iterable[Axis], name: str) -> Tensor:
    at = tuple(at)
    return Tensor(name, (*matrix.axes[:-2], *at), body=_of(kind, matrix, at), role="let")


def inv(matrix: Tensor) -> Tensor:
    """A⁻¹, over the last two axes: A_inv[m, n] of A[n, m]. Raises ShapeError where A is not square."""
    _, rows, columns = _matrix("inv", matrix)
    return _named(Inverse, matrix, (columns, rows), f"{matrix.name}_inv")


def det(matrix: Tensor) -> Any:
    """det A, over the last two axes; its other letters stay free."""
    _matrix("det", matrix)
    return _of(Determinant, matrix)


def logdet(matrix: Tensor) -> Any:
    """log |det A|, over the last two axes; its other letters stay free."""
    _matrix("logdet", matrix)
    return _of(LogDeterminant, matrix)


def trace(matrix: Tensor) -> Any:
    """Σ_n A[n, n], over the last two axes; its other letters stay free."""
    batch, rows, _ = _matrix("trace", matrix)
    return sum_over(rows, matrix[(*batch, rows, rows)])


def solve(matrix: Tensor, right: Tensor) -> Tensor:
    """A⁻¹ b: x[m, …] with Σ_m A[n, m] x[m, …] = b[n, …]; b has the letter n of A's rows, or one of its length.

    Raises ShapeError where A is not square, or b has no such axis.
    """
    batch, rows, columns = _matrix("solve", matrix)
    if not isinstance(right, Tensor):
        raise ShapeError(f"solve: expected a tensor on the right, given {right}")
    own = [a for a in right.axes if a not in batch]
    summed = rows if rows in own else next((a for a in own if a.size == rows.size), None)
    if summed is None:
        raise ShapeError(f"solve: expected an axis of length {rows.size} on the right, given {right.declared()}")
    rest = [a for a in right.axes if a != summed]
    new = columns if columns not in rest else fresh_letter(columns, {a.name for a in (*matrix.axes, *right.axes)})
    axes = tuple(new if a == summed else a for a in right.axes)
    axes = (*(a for a in batch if a not in axes), *axes)
    inner = fresh_letter(summed, {a.name for a in (*matrix.axes, *axes)})
    entry = right[tuple(inner if a == summed else a for a in right.axes)]
    body = sum_over(inner, _of(Inverse, matrix, (new, inner)) * entry)
    return Tensor(f"{right.name}_solved", axes, body=body, role="let")


def cholesky(matrix: Tensor) -> Tensor:
    """L, lower triangular, with L Lᵀ = (A + Aᵀ)/2, over the last two axes of a positive definite A."""
    _, rows, columns = _matrix("cholesky", matrix)
    return _named(Cholesky, matrix, (rows, columns), f"{matrix.name}_chol")


def svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(U[n, k], σ[k], V[m, k]): A = U Σ Vᵀ over the last two axes, σ descending; as many columns as A, which has no
    fewer rows. Of each column of V the largest entry by size is positive.
    """  # fmt: skip
    _, rows, columns = _matrix("svd", matrix, square=False)
    letter = _counting(columns, matrix)
    kinds = (
        (LeftVector, (rows, letter), "left"),
        (SingularValue, (letter,), "sigma"),
        (RightVector, (columns, letter), "right"),
    )
    left, values, right = (_named(kind, matrix, at, f"{matrix.name}_{name}") for kind, at, name in kinds)
    return left, values, right


def _counting(length: Axis, matrix: Tensor) -> Axis:
    """A letter that counts eigenvalues."""
    letter, taken = length.alias("k"), {a.name for a in matrix.axes}
    return fresh_letter(letter, taken) if letter.name in taken else letter


def eigh(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """(λ[k], V[n, k]): eigenvalues, ascending, and orthonormal eigenvectors of (A + Aᵀ)/2, so that A V = V Λ."""
    _, rows, _ = _matrix("eigh", matrix)
    letter = _counting(rows, matrix)
    values = _named(Eigenvalue, matrix, (letter,), f"{matrix.name}_eigval")
    return values, _named(Eigenvector, matrix, (rows, letter), f"{matrix.name}_eigvec")


def qr(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """(Q[n, k], R[k, m]): A = Q R over the last two axes, QᵀQ = 1, R upper triangular with a positive diagonal; A has
    no fewer rows than columns, and columns that are linearly independent.
    """  # fmt: skip
    _, rows, columns = _matrix("qr", matrix, square=False)
    letter = _counting(columns, matrix)
    left = _named(OrthonormalFactor, matrix, (rows, letter), f"{matrix.name}_orthonormal")
    return left, _named(TriangularFactor, matrix, (letter, columns), f"{matrix.name}_triangular")


def eig(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """(λ[k], X[n, k]): A X = X Λ, of a square A whose eigenvalues are real and differ; λ ascending, and every column
    of X has length 1 and a positive largest entry. Of a symmetric matrix take `eigh`.
    """  # fmt: skip
    _, rows, _ = _matrix("eig", matrix)
    letter = _counting(rows, matrix)
    values = _named(GeneralEigenvalue, matrix, (letter,), f"{matrix.name}_eigval")
    return values, _named(GeneralEigenvector, matrix, (rows, letter), f"{matrix.name}_eigvec")


def expm(matrix: Tensor) -> Tensor:
    """e^A = Σ Aᵏ/k!, over the last two axes of a square A."""
    _, rows, columns = _matrix("expm", matrix)
    return _named(Exponential, matrix, (rows, columns), f"{matrix.name}_exp")


def sqrtm(matrix: Tensor) -> Tensor:
    """The positive definite S with S S = (A + Aᵀ)/2, over the last two axes of a positive definite A."""
    _, rows, columns = _matrix("sqrtm", matrix)
    return _named(SquareRoot, matrix, (rows, columns), f"{matrix.name}_root")


def logm(matrix: Tensor) -> Tensor:
    """The symmetric L with e^L = (A + Aᵀ)/2, over the last two axes of a positive definite A."""
    _, rows, columns = _matrix("logm", matrix)
    return _named(Logarithm, matrix, (rows, columns), f"{matrix.name}_log")


def definite(matrix: Tensor) -> tuple[Basic, Basic]:
    """The statements, for `assume`, that A is symmetric positive definite: A = Aᵀ, and its eigenvalues are positive.

    Where only xᵀAx > 0 is meant, of an A that is not symmetric, take `definite_part`.
    Source: Horn and Johnson, Matrix Analysis (2013), section 4.1.
    """
    batch, rows, columns = _matrix("definite", matrix)
    mirrored = equals(matrix[(*batch, rows, columns)], matrix[(*batch, columns, rows)])
    return mirrored, definite_part(matrix)


def definite_part(matrix: Tensor) -> Any:
    """The statement, for `assume`, that xᵀAx > 0 for every x: the eigenvalues of (A + Aᵀ)/2 are positive."""
    _, rows, _ = _matrix("definite_part", matrix)
    return _of(Eigenvalue, matrix, (_counting(rows, matrix),)) > 0


def real_spectrum(matrix: Tensor) -> Any:
    """The statement, for `assume`, that the eigenvalues of a square A are real and differ: |λ_k − λ_l| + δ_kl > 0."""
    _, rows, _ = _matrix("real_spectrum", matrix)
    one = _counting(rows, matrix)
    other = fresh_letter(one, {a.name for a in (*matrix.axes, one)})
    first, second = (_of(GeneralEigenvalue, matrix, (letter,)) for letter in (one, other))
    return Abs(first - second) + Delta(one, other) > 0
