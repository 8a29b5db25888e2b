"""Derivatives of matrix functions: df_at = Σ_rc K[at; r, c] dA[r, c]; `implicit` derives K from what defines f.

A is the matrix, X = A⁻¹, L its Cholesky factor, λ and V its eigenvalues and eigenvectors (of a symmetric A).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from sympy import Rational, StrictGreaterThan

from derive.axes import SLOPES, Axis, Where
from derive.axes.errors import HighestOrder
from derive.terms import Head, Letter, Poly, Reader, entries, matrix_function


@dataclass(frozen=True)
class Matrix:
    """One matrix function at given letters: what its kernel is written with."""

    reader: Reader
    body: Poly  # the entry of A at `over`
    over: tuple[Letter, ...]

    def of(self, label: str, *at: Letter) -> Poly:
        """The entry `at` of another function of the same matrix."""
        return matrix_function(self.reader.algebra, label, self.body, self.over, at)

    def inverse_of(self, label: str, *at: Letter) -> Poly:
        """The entry `at` of the inverse of another function (L⁻¹, R⁻¹) of the same matrix, as long as its columns."""
        row, column = self.reader.algebra.fresh(self.over[1]), self.over[1]
        return matrix_function(self.reader.algebra, "inv", self.of(label, row, column), (row, column), at)

    def fresh(self) -> Letter:
        return self.reader.algebra.fresh(self.over[0])

    def unit(self, one: Letter, two: Letter) -> Poly:
        """δ of two letters."""
        return self.reader.algebra.atom(self.reader.algebra.delta, (one, two))

    def chosen(self, relation: type, one: Letter, two: Letter, then: object, otherwise: object = 0) -> Poly:
        """where(one ≷ two, then, otherwise) of letters."""
        algebra = self.reader.algebra
        a, b = (Axis(name, algebra.spaces[algebra.letter_space[one]]) for name in ("row", "column"))
        condition = relation(a, b, evaluate=False)
        return self.reader.read(Where(condition, Rational(str(then)), Rational(str(otherwise))), {a: one, b: two})


Kernel = Callable[[Matrix, tuple[Letter, ...], Letter, Letter], Poly]


def _inverse(m: Matrix, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    """dX = −X dA X."""
    i, j = at
    algebra = m.reader.algebra
    return algebra.scaled(algebra.mul(m.of("inv", i, r), m.of("inv", c, j)), -1)


def _determinant(m: Matrix, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    """d det A = det A tr(A⁻¹ dA)."""
    return m.reader.algebra.mul(m.of("det"), m.of("inv", c, r))


def _log_determinant(m: Matrix, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    """d log|det A| = tr(A⁻¹ dA)."""
    return m.of("inv", c, r)


def _cholesky(m: Matrix, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    """dL = L Φ(L⁻¹ dA L⁻ᵀ); Φ keeps what is below the diagonal, and half of the diagonal."""
    (i, j), k, algebra = at, m.fresh(), m.reader.algebra
    below = m.chosen(StrictGreaterThan, k, j, 1)
    half = algebra.scaled(m.unit(k, j), Fraction(1, 2))
    terms = algebra.mul(algebra.add(below, half), m.of("cholesky", i, k), m.inverse_of("cholesky", k, r),
                        m.inverse_of("cholesky", j, c))  # fmt: skip
    return algebra.summed(terms, (k,))


def _eigenvalue(m: Matrix, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    """dλ_k = v_kᵀ dA v_k."""
    (k,) = at
    return m.reader.algebra.mul(m.of("eigenvector", r, k), m.of("eigenvector", c, k))


def _eigenvector(m: Matrix, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    """dv_k = Σ_l v_l (v_lᵀ dA v_k)/(λ_k − λ_l + δ_kl) − v_k (v_kᵀ dA v_k): the sum over l ≠ k, and no division by 0."""
    (i, k), other, algebra = at, m.fresh(), m.reader.algebra
    gap = algebra.add(m.of("eigenvalue", k), algebra.scaled(m.of("eigenvalue", other), -1), m.unit(k, other))
    every = algebra.mul(m.reader.raised(gap, -1), m.of("eigenvector", i, other), m.of("eigenvector", r, other),
                        m.of("eigenvector", c, k))  # fmt: skip
    own = algebra.mul(m.of("eigenvector", i, k), m.of("eigenvector", r, k), m.of("eigenvector", c, k))
    return algebra.add(algebra.summed(every, (other,)), algebra.scaled(own, -1))


def _gaps(m: Matrix, k: Letter, other: Letter) -> Poly:
    """1/(σ_k² − σ_l² + δ_kl)."""
    algebra, squares = m.reader.algebra, (m.reader.raised(m.of("singular_value", a), 2) for a in (k, other))
    one, two = squares
    return m.reader.raised(algebra.add(one, algebra.scaled(two, -1), m.unit(k, other)), -1)


def _singular_value(m: Matrix, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    """dσ_k = u_kᵀ dA v_k."""
    (k,) = at
    return m.reader.algebra.mul(m.of("left_vector", r, k), m.of("right_vector", c, k))


def _rotated(m: Matrix, label: str, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    """Σ_{l ≠ k} x_l (σ_k p + σ_l q)/(σ_k² − σ_l²), written with δ_kl and without the term l = k.

    p and q are u_lᵀ dA v_k and u_kᵀ dA v_l for x = u, and exchanged for x = v.
    """
    (i, k), algebra, left = at, m.reader.algebra, label == "left_vector"
    other = algebra.fresh(k)
    first = algebra.mul(m.of("left_vector", r, other), m.of("right_vector", c, k))
    second = algebra.mul(m.of("left_vector", r, k), m.of("right_vector", c, other))
    own, far = m.of("singular_value", k), m.of("singular_value", other)
    moved = algebra.add(algebra.mul(own if left else far, first), algebra.mul(far if left else own, second))
    every = algebra.summed(algebra.mul(_gaps(m, k, other), m.of(label, i, other), moved), (other,))
    same = algebra.mul(own, m.of(label, i, k), m.of("left_vector", r, k), m.of("right_vector", c, k))
    return algebra.add(every, algebra.scaled(same, -2))


def _right_vector(m: Matrix, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    """dv_k = Σ_{l ≠ k} v_l (σ_l u_lᵀ dA v_k + σ_k u_kᵀ dA v_l)/(σ_k² − σ_l²)."""
    return _rotated(m, "right_vector", at, r, c)


def _left_vector(m: Matrix, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    """du_k = Σ_{l ≠ k} u_l (σ_k u_lᵀ dA v_k + σ_l u_kᵀ dA v_l)/(σ_k² − σ_l²) + (1 − U Uᵀ) dA v_k/σ_k."""
    (i, k), algebra = at, m.reader.algebra
    other = algebra.fresh(k)
    within = algebra.summed(algebra.mul(m.of("left_vector", i, other), m.of("left_vector", r, other)), (other,))
    beyond = algebra.add(m.unit(i, r), algebra.scaled(within, -1))
    scaled = algebra.mul(beyond, m.of("right_vector", c, k), m.reader.raised(m.of("singular_value", k), -1))
    return algebra.add(_rotated(m, "left_vector", at, r, c), scaled)


def _upper(m: Matrix, k: Letter, l: Letter, r: Letter, c: Letter) -> Poly:
    """dR R⁻¹ at (k, l): of M = Qᵀ dA R⁻¹ the diagonal, and M + Mᵀ above it. What is left of M is QᵀdQ."""
    algebra = m.reader.algebra

    def form(one: Letter, two: Letter) -> Poly:
        return algebra.mul(m.of("orthonormal_factor", r, one), m.inverse_of("triangular_factor", c, two))

    above = algebra.mul(m.chosen(StrictGreaterThan, l, k, 1), algebra.add(form(k, l), form(l, k)))
    return algebra.add(above, algebra.mul(m.unit(k, l), form(k, k)))


def _triangular_factor(m: Matrix, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    """dR = (M's diagonal, and M + Mᵀ above it) R, M = Qᵀ dA R⁻¹."""
    (k, j), l, algebra = at, m.reader.algebra.fresh(at[1]), m.reader.algebra
    upper = _upper(m, k, l, r, c)
    return algebra.summed(algebra.mul(upper, m.of("triangular_factor", l, j)), (l,))


def _orthonormal_factor(m: Matrix, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    """dQ = dA R⁻¹ − Q (M's diagonal, and M + Mᵀ above it), M = Qᵀ dA R⁻¹."""
    (i, k), l, algebra = at, m.reader.algebra.fresh(at[1]), m.reader.algebra
    moved = algebra.mul(m.unit(i, r), m.inverse_of("triangular_factor", c, k))
    within = algebra.summed(algebra.mul(m.of("orthonormal_factor", i, l), _upper(m, l, k, r, c)), (l,))
    return algebra.add(moved, algebra.scaled(within, -1))


def _general_eigenvalue(m: Matrix, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    """dλ_k = (X⁻¹ dA X)_kk."""
    (k,) = at
    return m.reader.algebra.mul(m.inverse_of("general_eigenvector", k, r), m.of("general_eigenvector", c, k))


def _general_eigenvector(m: Matrix, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    """dx_k = Σ_l (x_l − x_k (x_kᵀx_l)) (X⁻¹ dA X)_lk/(λ_k − λ_l + δ_kl): for l = k it is 0, of a column of length 1."""
    (i, k), other, row, algebra = at, m.fresh(), m.fresh(), m.reader.algebra
    vectors = "general_eigenvector"
    gap = algebra.add(m.of("general_eigenvalue", k), algebra.scaled(m.of("general_eigenvalue", other), -1),
                      m.unit(k, other))  # fmt: skip
    along = algebra.summed(algebra.mul(m.of(vectors, row, k), m.of(vectors, row, other)), (row,))
    across = algebra.add(m.of(vectors, i, other), algebra.scaled(algebra.mul(m.of(vectors, i, k), along), -1))
    every = algebra.mul(m.reader.raised(gap, -1), across, m.inverse_of(vectors, other, r), m.of(vectors, c, k))
    return algebra.summed(every, (other,))


def _slope(label: str) -> Kernel:
    """df_ij = Σ_rc (∂f_ij/∂A_rc) dA_rc: the slope is a function of its own, that code applies to a matrix."""
    return lambda m, at, r, c: m.of(f"{label}_slope", *at, r, c)


def _exponential_slope(m: Matrix, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    """d(∂X_ij/∂A_kl) = Σ_rc (∂²X_ij/∂A_kl∂A_rc) dA_rc, X = e^A."""
    return m.of("exponential_curvature", *at, r, c)


def _square_root_slope(m: Matrix, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    """X″ = −sqrt′[X′ Ẋ + Ẋ X′]: X X = S is differentiated twice, so X X″ + X″ X = −(X′ Ẋ + Ẋ X′)."""
    (i, j, k, l), algebra, label = at, m.reader.algebra, "square_root_slope"
    one, two, between = m.fresh(), m.fresh(), m.fresh()
    products = (algebra.mul(m.of(label, one, between, *first), m.of(label, between, two, *second))
                for first, second in (((k, l), (r, c)), ((r, c), (k, l))))  # fmt: skip
    whole = algebra.mul(m.of(label, i, j, one, two), algebra.add(*products))
    return algebra.scaled(algebra.summed(whole, (one, two, between)), -1)


def _logarithm_slope(m: Matrix, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    """X″ = −log′[exp″(X)[X′, Ẋ]]: e^X = S is differentiated twice, so exp′(X)[X″] = −exp″(X)[X′, Ẋ]."""
    (i, j, k, l), algebra, label = at, m.reader.algebra, "logarithm_slope"
    row, column, one, two, a, b, p, q = (m.fresh() for _ in range(8))
    value = m.of("logarithm", row, column)
    bent = matrix_function(algebra, "exponential_curvature", value, (row, column), (one, two, a, b, p, q))
    whole = algebra.mul(m.of(label, i, j, one, two), bent, m.of(label, a, b, k, l), m.of(label, p, q, r, c))
    return algebra.scaled(algebra.summed(whole, (one, two, a, b, p, q)), -1)


def _no_third(m: Matrix, at: tuple[Letter, ...], r: Letter, c: Letter) -> Poly:
    raise HighestOrder("the third derivative of the exponential of a matrix: there are laws for the first two alone")


KERNELS: dict[str, Kernel] = {
    "inv": _inverse,
    "det": _determinant,
    "logdet": _log_determinant,
    "cholesky": _cholesky,
    "eigenvalue": _eigenvalue,
    "eigenvector": _eigenvector,
    "singular_value": _singular_value,
    "left_vector": _left_vector,
    "right_vector": _right_vector,
    "orthonormal_factor": _orthonormal_factor,
    "triangular_factor": _triangular_factor,
    "general_eigenvalue": _general_eigenvalue,
    "general_eigenvector": _general_eigenvector,
    **{kind.name: _slope(kind.name) for kind in SLOPES},
    "exponential_slope": _exponential_slope,
    "exponential_curvature": _no_third,
    "square_root_slope": _square_root_slope,
    "logarithm_slope": _logarithm_slope,
}


def kernel(reader: Reader, head: Head, letters: tuple[Letter, ...]) -> tuple[Poly, Poly, frozenset[Letter]]:
    """(K, the entry of A, their two letters r and c) of df = Σ_rc K dA_rc, for the function `head` at `letters`."""
    (body,), over = reader.algebra.unbound(head, letters)
    _, at = entries(head, letters)
    return KERNELS[head.label](Matrix(reader, body, over), at, *over), body, frozenset(over)


__all__ = ["KERNELS", "kernel"]
