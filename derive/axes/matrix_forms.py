"""What is composed of sums, products and functions of matrices: norms, powers, Kronecker products, triangles."""

from __future__ import annotations

from typing import Any

from sympy import sign, sqrt

from .errors import DeriveError, ShapeError
from .functions import Delta, where
from .index import Axis, axis, fresh_letter
from .matrix import Inverse, _matrix, _of, det, inv, logdet, svd
from .reduce import max_over, sum_over
from .tensor import Tensor

NORMS = ("fro", "nuc", 2)


def _defined(name: str, axes: tuple[Axis, ...], body: Any) -> Tensor:
    return Tensor(name, axes, body=body, role="let")


def _inner(letter: Axis, *beside: Axis) -> Axis:
    return fresh_letter(letter, {a.name for a in (letter, *beside)})


def slogdet(matrix: Tensor) -> tuple[Any, Any]:
    """(the sign of det A, log |det A|), over the last two axes."""
    return sign(det(matrix)), logdet(matrix)


def pinv(matrix: Tensor) -> Tensor:
    """A⁺ = (AᵀA)⁻¹Aᵀ, over the last two axes: A_pinv[m, n] of A[n, m] of full column rank."""
    batch, rows, columns = _matrix("pinv", matrix, square=False)
    taken = (*batch, rows, columns)
    one = _inner(columns, *taken)
    two = _inner(columns, *taken, one)
    gram = _defined(
        f"{matrix.name}_gram",
        (*batch, columns, one),
        sum_over(rows, matrix[(*batch, rows, columns)] * matrix[(*batch, rows, one)]),
    )
    inner = _of(Inverse, gram, (columns, two))
    return _defined(f"{matrix.name}_pinv", (*batch, columns, rows), sum_over(two, inner * matrix[(*batch, rows, two)]))


def matrix_power(matrix: Tensor, power: int) -> Tensor:
    """Aᵏ over the last two axes, for a whole number k: products, of the inverse where k < 0."""
    batch, rows, columns = _matrix("matrix_power", matrix)
    if not isinstance(power, int) or isinstance(power, bool):
        raise DeriveError(f"matrix_power: expected a whole number, given {power!r}")
    if power < 0:
        inverse = inv(matrix)
        turned = _defined(inverse.name, (*batch, rows, columns), _of(Inverse, matrix, (rows, columns)))
        return matrix_power(turned, -power)
    if power == 0:
        return _defined(f"{matrix.name}_0", (*batch, rows, columns), Delta(rows, columns))
    if power == 1:
        return matrix
    half = matrix_power(matrix, power // 2)
    found = _product(half, half, f"{matrix.name}_{power - power % 2}")
    return found if power % 2 == 0 else _product(found, matrix, f"{matrix.name}_{power}")


def _product(one: Tensor, two: Tensor, name: str) -> Tensor:
    *batch, rows, columns = one.axes
    inner = _inner(columns, *one.axes)
    body = sum_over(inner, one[(*batch, rows, inner)] * two[(*batch, inner, columns)])
    return _defined(name, one.axes, body)


def norm(matrix: Tensor, order: Any = "fro") -> Any:
    """A norm over the last two axes: "fro" √ΣA², "nuc" the sum of the singular values, 2 the largest; of a vector, its
    length. The last two need no fewer rows than columns.
    """  # fmt: skip
    if isinstance(matrix, Tensor) and matrix.ndim == 1 and order in ("fro", 2):
        return sqrt(sum_over(matrix.axes, matrix[matrix.axes] ** 2))
    batch, rows, columns = _matrix("norm", matrix, square=False)
    if order not in NORMS:
        raise DeriveError(f"norm: expected one of {', '.join(map(repr, NORMS))}, given {order!r}")
    if order == "fro":
        return sqrt(sum_over((rows, columns), matrix[matrix.axes] ** 2))
    _, values, _ = svd(matrix)
    letter = values.axes[-1]
    return (sum_over if order == "nuc" else max_over)(letter, values[(*batch, letter)])


def kron(one: Tensor, two: Tensor) -> Tensor:
    """A ⊗ B: each entry of A times B. Its axes are called after those of A, and have the products of the lengths."""
    for matrix in (one, two):
        if not isinstance(matrix, Tensor) or matrix.ndim != 2:
            raise ShapeError(f"kron: expected two matrices, given {one} and {two}")
    own = [axis(f"{a.name}{b.name}", a.size * b.size) for a, b in zip(one.axes, two.axes, strict=True)]
    outer = one[tuple(c // b.size for c, b in zip(own, two.axes, strict=True))]
    inner = two[tuple(c % b.size for c, b in zip(own, two.axes, strict=True))]
    return _defined(f"{one.name}_kron_{two.name}", tuple(own), outer * inner)


def diag(vector: Tensor) -> Tensor:
    """The diagonal matrix of a vector: x[n] δ(n, m); of a matrix, its diagonal A[n, n]."""
    if not isinstance(vector, Tensor) or not 1 <= vector.ndim <= 2:
        raise ShapeError(f"diag: expected a vector or a matrix, given {vector}")
    if vector.ndim == 2:
        _, rows, _ = _matrix("diag", vector)
        return _defined(f"{vector.name}_diag", (rows,), vector[rows, rows])
    (letter,) = vector.axes
    other = _inner(letter)
    return _defined(f"{vector.name}_diag", (letter, other), vector[letter] * Delta(letter, other))


def tril(matrix: Tensor) -> Tensor:
    """The lower triangle, zeros above, over the last two axes."""
    _, rows, columns = _matrix("tril", matrix)
    return _defined(f"{matrix.name}_tril", matrix.axes, where(columns <= rows, matrix[matrix.axes], 0))


def triu(matrix: Tensor) -> Tensor:
    """The upper triangle, zeros below, over the last two axes."""
    _, rows, columns = _matrix("triu", matrix)
    return _defined(f"{matrix.name}_triu", matrix.axes, where(columns >= rows, matrix[matrix.axes], 0))
