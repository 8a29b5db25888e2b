"""Identities of matrix calculus, as the literature has them: each is derived, then compared symbol by symbol.

The right sides are those of Petersen and Pedersen, The Matrix Cookbook (2012), of Magnus and Neudecker, Matrix
Differential Calculus (2019), of Giles, Collected Matrix Derivative Results (2008), and of Dwyer (1967); they are
written by hand. A gradient has the shape of its variable (denominator layout); in numerator layout it is transposed.
Of vectors the Jacobian is compared, rows for y and columns for x (numerator layout); its transpose is the other layout.
"""

import inspect
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from derive import T, cos, equivalent, exp, gradient, jacobian, log, sin, sqrt, sum_over, tanh, where
from derive.axes import (
    Axis,
    Cholesky,
    Delta,
    Determinant,
    Eigenvalue,
    Eigenvector,
    Inverse,
    LeftVector,
    LogDeterminant,
    RightVector,
    SingularValue,
    axes,
    definite,
)
from derive.formula import assume, build
from derive.oracle import evaluate
from derive.verify.sample import Sampler

n = axes("n")[0]
m = n.alias("m")
NUMBERS = itertools.count()


def letter():
    return n.alias(f"l{next(NUMBERS)}")


# Matrix notation, by entries: what a row of the table is written in


@dataclass(frozen=True)
class Matrix:
    """A square matrix; `entry` gives the expression at two letters."""

    entry: Callable[[Axis, Axis], object]

    def __matmul__(self, other):
        def entry(r, c):
            k = letter()
            return sum_over(k, self.entry(r, k) * other.entry(k, c))

        return Matrix(entry) if isinstance(other, Matrix) else Vector(lambda r: _applied(self, other, r))

    @property
    def T(self):
        return Matrix(lambda r, c: self.entry(c, r))

    def __add__(self, other):
        return Matrix(lambda r, c: self.entry(r, c) + other.entry(r, c))

    def __sub__(self, other):
        return self + -other

    def __neg__(self):
        return -1 * self

    def __mul__(self, other):
        """By a number, or entry by entry (Hadamard)."""
        if isinstance(other, Matrix):
            return Matrix(lambda r, c: self.entry(r, c) * other.entry(r, c))
        return Matrix(lambda r, c: self.entry(r, c) * other)

    __rmul__ = __mul__

    def __truediv__(self, number):
        return Matrix(lambda r, c: self.entry(r, c) / number)

    def __pow__(self, power):
        return self if power == 1 else self @ self ** (power - 1) if power else EYE


@dataclass(frozen=True)
class Vector:
    """A vector; `entry` gives the expression at a letter."""

    entry: Callable[[Axis], object]

    def __matmul__(self, other):
        k = letter()
        if isinstance(other, Vector):
            return sum_over(k, self.entry(k) * other.entry(k))
        return other.T @ self

    def __add__(self, other):
        return Vector(lambda r: self.entry(r) + other.entry(r))

    def __sub__(self, other):
        return self + -1 * other

    def __mul__(self, other):
        if isinstance(other, Vector):
            return Vector(lambda r: self.entry(r) * other.entry(r))
        return Vector(lambda r: self.entry(r) * other)

    __rmul__ = __mul__

    def __truediv__(self, number):
        return Vector(lambda r: self.entry(r) / number)


def _applied(matrix, vector, r):
    k = letter()
    return sum_over(k, matrix.entry(r, k) * vector.entry(k))


def _of(kind):
    def function(matrix):
        p, q = letter(), letter()
        return lambda *at: kind(matrix.entry(p, q), p, q, *at)

    return function


EYE = Matrix(lambda r, c: Delta(r, c))
ONES = Vector(lambda r: 1)


def inv(A):
    return Matrix(_of(Inverse)(A))


def det(A):
    return _of(Determinant)(A)()


def logdet(A):
    return _of(LogDeterminant)(A)()


def sym(A):
    return (A + A.T) / 2


def chol(A):
    return Matrix(_of(Cholesky)(sym(A)))


def eigenvalues(A):
    return Vector(_of(Eigenvalue)(sym(A)))


def eigenvectors(A):
    return Matrix(_of(Eigenvector)(sym(A)))


def sigma(A):
    return Vector(_of(SingularValue)(A))


def left(A):
    return Matrix(_of(LeftVector)(A))


def right(A):
    return Matrix(_of(RightVector)(A))


def tr(A):
    k = letter()
    return sum_over(k, A.entry(k, k))


def outer(a, b):
    return Matrix(lambda r, c: a.entry(r) * b.entry(c))


def diag(a):
    """Of a vector a matrix, of a matrix its diagonal."""
    if isinstance(a, Matrix):
        return Vector(lambda r: a.entry(r, r))
    return Matrix(lambda r, c: a.entry(r) * Delta(r, c))


def total(a):
    if isinstance(a, Vector):
        return a @ ONES
    return ONES @ (a @ ONES)


def squared(A):
    """‖A‖²."""
    return total(A * A)


def lower(A):
    """Φ: what is below the diagonal, and half of the diagonal."""
    return Matrix(lambda r, c: where(r > c, A.entry(r, c), 0) + Delta(r, c) * A.entry(r, c) / 2)


def parted(X, A):
    """A_lk/(λ_k − λ_l), and 0 for l = k."""
    gap = Matrix(lambda r, c: eigenvalues(X).entry(c) - eigenvalues(X).entry(r) + Delta(r, c))
    return Matrix(lambda r, c: A.entry(r, c) / gap.entry(r, c) - Delta(r, c) * A.entry(c, c))


def each(function, A):
    """The function of each entry."""
    return type(A)(lambda *at: function(A.entry(*at)))


# The table


@dataclass(frozen=True)
class Row:
    """∂f/∂wrt = found; `f` and `found` are functions of the same letters."""

    words: str
    f: Callable
    found: Callable
    wrt: str = "X"

    def __str__(self):
        return self.words


def d(words, f, found, wrt="X"):
    return Row(words, f, found, wrt)


TRACES = [  # Cookbook 2.5, Magnus and Neudecker 9.9
    d("∂tr X = 1", lambda X: tr(X), lambda X: EYE),
    d("∂tr(XA) = Aᵀ", lambda X, A: tr(X @ A), lambda X, A: A.T),
    d("∂tr(AXB) = AᵀBᵀ", lambda X, A, B: tr(A @ X @ B), lambda X, A, B: A.T @ B.T),
    d("∂tr(AXᵀB) = BA", lambda X, A, B: tr(A @ X.T @ B), lambda X, A, B: B @ A),
    d("∂tr(XᵀA) = A", lambda X, A: tr(X.T @ A), lambda X, A: A),
    d("∂tr(AXᵀ) = A", lambda X, A: tr(A @ X.T), lambda X, A: A),
    d("∂tr X² = 2Xᵀ", lambda X: tr(X @ X), lambda X: 2 * X.T),
    d("∂tr(X²B) = (XB + BX)ᵀ", lambda X, B: tr(X @ X @ B), lambda X, B: (X @ B + B @ X).T),
    d("∂tr(XᵀBX) = BX + BᵀX", lambda X, B: tr(X.T @ B @ X), lambda X, B: B @ X + B.T @ X),
    d("∂tr(BXXᵀ) = BX + BᵀX", lambda X, B: tr(B @ X @ X.T), lambda X, B: B @ X + B.T @ X),
    d("∂tr(XBXᵀ) = XBᵀ + XB", lambda X, B: tr(X @ B @ X.T), lambda X, B: X @ B.T + X @ B),
    d("∂tr(AXBX) = AᵀXᵀBᵀ + BᵀXᵀAᵀ", lambda X, A, B: tr(A @ X @ B @ X),
      lambda X, A, B: A.T @ X.T @ B.T + B.T @ X.T @ A.T),
    d("∂tr(XᵀX) = 2X", lambda X: tr(X.T @ X), lambda X: 2 * X),
    d("∂tr(BᵀXᵀXB) = 2XBBᵀ", lambda X, B: tr(B.T @ X.T @ X @ B), lambda X, B: 2 * (X @ B @ B.T)),
    d("∂tr(AXBXᵀC) = AᵀCᵀXBᵀ + CAXB", lambda X, A, B, C: tr(A @ X @ B @ X.T @ C),
      lambda X, A, B, C: A.T @ C.T @ X @ B.T + C @ A @ X @ B),
    d("∂tr(XᵀBXC) = BXC + BᵀXCᵀ", lambda X, B, C: tr(X.T @ B @ X @ C), lambda X, B, C: B @ X @ C + B.T @ X @ C.T),
    d("∂tr((AXB + C)(AXB + C)ᵀ) = 2Aᵀ(AXB + C)Bᵀ", lambda X, A, B, C: squared(A @ X @ B + C),
      lambda X, A, B, C: 2 * (A.T @ (A @ X @ B + C) @ B.T)),
    d("∂tr X³ = 3(X²)ᵀ", lambda X: tr(X**3), lambda X: 3 * (X**2).T),
    d("∂tr X⁴ = 4(X³)ᵀ", lambda X: tr(X**4), lambda X: 4 * (X**3).T),
    d("∂tr(AX³) = Σ (XʳAX²⁻ʳ)ᵀ", lambda X, A: tr(A @ X**3), lambda X, A: (A @ X @ X + X @ A @ X + X @ X @ A).T),
    d("∂tr(X ⊙ A) = 1 ⊙ A", lambda X, A: tr(X * A), lambda X, A: EYE * A),
    d("∂(tr X)² = 2 tr(X) 1", lambda X: tr(X) ** 2, lambda X: 2 * tr(X) * EYE),
    d("∂(tr(XA) tr(XB)) = tr(XB)Aᵀ + tr(XA)Bᵀ", lambda X, A, B: tr(X @ A) * tr(X @ B),
      lambda X, A, B: tr(X @ B) * A.T + tr(X @ A) * B.T),
    d("∂tr(A ⊗ X) = tr(A) 1, tr(A ⊗ X) being tr A tr X", lambda X, A: tr(A) * tr(X), lambda X, A: tr(A) * EYE),
    d("∂tr(X ⊗ X) = 2 tr(X) 1, tr(X ⊗ X) being (tr X)²", lambda X: tr(X) * tr(X), lambda X: 2 * tr(X) * EYE),
]  # fmt: skip
INVERSES = [  # Cookbook 2.2 and 2.5
    d("∂tr(X⁻¹A) = −X⁻ᵀAᵀX⁻ᵀ", lambda X, A: tr(inv(X) @ A), lambda X, A: -(inv(X).T @ A.T @ inv(X).T)),
    d("∂tr(AX⁻¹B) = −(X⁻¹BAX⁻¹)ᵀ", lambda X, A, B: tr(A @ inv(X) @ B), lambda X, A, B: -(inv(X) @ B @ A @ inv(X)).T),
    d("∂tr X⁻¹ = −(X⁻²)ᵀ", lambda X: tr(inv(X)), lambda X: -(inv(X) @ inv(X)).T),
    d("∂aᵀX⁻¹b = −X⁻ᵀabᵀX⁻ᵀ", lambda X, a, b: a @ (inv(X) @ b), lambda X, a, b: -(inv(X).T @ outer(a, b) @ inv(X).T)),
    d("∂tr((X + A)⁻¹) = −((X + A)⁻¹(X + A)⁻¹)ᵀ", lambda X, A: tr(inv(X + A)),
      lambda X, A: -(inv(X + A) @ inv(X + A)).T),
    d("∂tr(AX⁻¹) along A = X⁻ᵀ", lambda X, A: tr(A @ inv(X)), lambda X, A: inv(X).T, "A"),
    d("∂aᵀX⁻¹b along a = X⁻¹b", lambda X, a, b: a @ (inv(X) @ b), lambda X, a, b: inv(X) @ b, "a"),
    d("∂aᵀX⁻¹b along b = X⁻ᵀa", lambda X, a, b: a @ (inv(X) @ b), lambda X, a, b: inv(X).T @ a, "b"),
    d("∂‖X⁻¹b‖² = −2X⁻ᵀX⁻¹b(X⁻¹b)ᵀ", lambda X, b: (inv(X) @ b) @ (inv(X) @ b),
      lambda X, b: -2 * outer(inv(X).T @ (inv(X) @ b), inv(X) @ b)),
    d("∂Σ X⁻¹ = −X⁻ᵀ11ᵀX⁻ᵀ", lambda X: total(inv(X)), lambda X: -(inv(X).T @ outer(ONES, ONES) @ inv(X).T)),
]  # fmt: skip
DETERMINANTS = [  # Cookbook 2.1
    d("∂det X = det(X) X⁻ᵀ", lambda X: det(X), lambda X: det(X) * inv(X).T),
    d("∂log|det X| = X⁻ᵀ", lambda X: logdet(X), lambda X: inv(X).T),
    d("∂det X² = 2 det(X)² X⁻ᵀ", lambda X: det(X) ** 2, lambda X: 2 * det(X) ** 2 * inv(X).T),
    d("∂det Xᵏ = k det(X)ᵏ X⁻ᵀ, k = 3", lambda X: det(X) ** 3, lambda X: 3 * det(X) ** 3 * inv(X).T),
    d("∂log|det(AXB)| = X⁻ᵀ, by its factors", lambda X, A, B: logdet(A) + logdet(X) + logdet(B),
      lambda X, A, B: inv(X).T),
    d("∂1/det X = −X⁻ᵀ/det X", lambda X: 1 / det(X), lambda X: -(inv(X).T / det(X))),
    d("∂log|det(X + A)| = (X + A)⁻ᵀ", lambda X, A: logdet(X + A), lambda X, A: inv(X + A).T),
    d("∂log|det(XᵀX + A)| = X(M⁻¹ + M⁻ᵀ)", lambda X, A: logdet(X.T @ X + A),
      lambda X, A: X @ (inv(X.T @ X + A) + inv(X.T @ X + A).T)),
    d("∂log|det(AXB + C)| = AᵀM⁻ᵀBᵀ", lambda X, A, B, C: logdet(A @ X @ B + C),
      lambda X, A, B, C: A.T @ inv(A @ X @ B + C).T @ B.T),
    d("∂det(AXB + C) = det(M) AᵀM⁻ᵀBᵀ", lambda X, A, B, C: det(A @ X @ B + C),
      lambda X, A, B, C: det(A @ X @ B + C) * (A.T @ inv(A @ X @ B + C).T @ B.T)),
    d("∂(log|det X| + tr(XA)) = X⁻ᵀ + Aᵀ", lambda X, A: logdet(X) + tr(X @ A), lambda X, A: inv(X).T + A.T),
    d("∂(det X · tr X) = det(X)(tr(X)X⁻ᵀ + 1)", lambda X: det(X) * tr(X), lambda X: det(X) * (tr(X) * inv(X).T + EYE)),
]  # fmt: skip
FORMS = [  # Cookbook 2.4
    d("∂aᵀx = a", lambda x, a: a @ x, lambda x, a: a, "x"),
    d("∂aᵀXb = abᵀ", lambda X, a, b: a @ (X @ b), lambda X, a, b: outer(a, b)),
    d("∂aᵀXᵀb = baᵀ", lambda X, a, b: a @ (X.T @ b), lambda X, a, b: outer(b, a)),
    d("∂aᵀXa = aaᵀ", lambda X, a: a @ (X @ a), lambda X, a: outer(a, a)),
    d("∂xᵀAx = (A + Aᵀ)x", lambda x, A: x @ (A @ x), lambda x, A: (A + A.T) @ x, "x"),
    d("∂xᵀx = 2x", lambda x: x @ x, lambda x: 2 * x, "x"),
    d("∂bᵀXᵀXc = X(bcᵀ + cbᵀ)", lambda X, b, c: (X @ b) @ (X @ c), lambda X, b, c: X @ (outer(b, c) + outer(c, b))),
    d("∂aᵀX²b = Xᵀabᵀ + abᵀXᵀ", lambda X, a, b: a @ (X @ (X @ b)),
      lambda X, a, b: X.T @ outer(a, b) + outer(a, b) @ X.T),
    d("∂(Xb + c)ᵀD(Xb + c) = (D + Dᵀ)(Xb + c)bᵀ", lambda X, b, c, D: (X @ b + c) @ (D @ (X @ b + c)),
      lambda X, b, c, D: outer((D + D.T) @ (X @ b + c), b)),
    d("∂(Bx + b)ᵀC(Dx + d) = BᵀC(Dx + d) + DᵀCᵀ(Bx + b)", lambda x, B, C, D, a, b: (B @ x + b) @ (C @ (D @ x + a)),
      lambda x, B, C, D, a, b: B.T @ (C @ (D @ x + a)) + D.T @ (C.T @ (B @ x + b)), "x"),
    d("∂(x − As)ᵀW(x − As) along s = −2AᵀW(x − As)", lambda x, s, A, W: (x - A @ s) @ (sym(W) @ (x - A @ s)),
      lambda x, s, A, W: -2 * (A.T @ (sym(W) @ (x - A @ s))), "s"),
    d("∂(x − As)ᵀW(x − As) along A = −2W(x − As)sᵀ", lambda x, s, A, W: (x - A @ s) @ (sym(W) @ (x - A @ s)),
      lambda x, s, A, W: -2 * outer(sym(W) @ (x - A @ s), s), "A"),
    d("∂‖Ax − b‖² = 2Aᵀ(Ax − b)", lambda x, A, b: (A @ x - b) @ (A @ x - b),
      lambda x, A, b: 2 * (A.T @ (A @ x - b)), "x"),
    d("∂‖Ax − b‖² along A = 2(Ax − b)xᵀ", lambda x, A, b: (A @ x - b) @ (A @ x - b),
      lambda x, A, b: 2 * outer(A @ x - b, x), "A"),
    d("∂(xᵀAx xᵀBx) = xᵀBx (A + Aᵀ)x + xᵀAx (B + Bᵀ)x", lambda x, A, B: (x @ (A @ x)) * (x @ (B @ x)),
      lambda x, A, B: (x @ (B @ x)) * ((A + A.T) @ x) + (x @ (A @ x)) * ((B + B.T) @ x), "x"),
    d("∂exp(aᵀx) = exp(aᵀx) a", lambda x, a: exp(a @ x), lambda x, a: exp(a @ x) * a, "x"),
]  # fmt: skip
NORMS = [  # Cookbook 2.6 and 2.7
    d("∂‖X‖² = 2X", lambda X: squared(X), lambda X: 2 * X),
    d("∂‖X‖ = X/‖X‖", lambda X: sqrt(squared(X)), lambda X: X / sqrt(squared(X))),
    d("∂‖x − a‖ = (x − a)/‖x − a‖", lambda x, a: sqrt((x - a) @ (x - a)),
      lambda x, a: (x - a) / sqrt((x - a) @ (x - a)), "x"),
    d("∂‖X − A‖² = 2(X − A)", lambda X, A: squared(X - A), lambda X, A: 2 * (X - A)),
    d("∂‖XᵀX − 1‖² = 4X(XᵀX − 1)", lambda X: squared(X.T @ X - EYE), lambda X: 4 * (X @ (X.T @ X - EYE))),
    d("∂‖XA − B‖² = 2(XA − B)Aᵀ", lambda X, A, B: squared(X @ A - B), lambda X, A, B: 2 * ((X @ A - B) @ A.T)),
    d("∂‖X‖_* = UVᵀ", lambda X: total(sigma(X)), lambda X: left(X) @ right(X).T),
    d("∂Σσ² = 2X: by U Σ Vᵀ", lambda X: total(sigma(X) * sigma(X)),
      lambda X: 2 * (left(X) @ diag(sigma(X)) @ right(X).T)),
]  # fmt: skip
HADAMARD = [
    d("∂Σ(A ⊙ X) = A", lambda X, A: total(A * X), lambda X, A: A),
    d("∂tr(A(X ⊙ B)) = Aᵀ ⊙ B", lambda X, A, B: tr(A @ (X * B)), lambda X, A, B: A.T * B),
    d("∂aᵀ(X ⊙ B)b = abᵀ ⊙ B", lambda X, B, a, b: a @ ((X * B) @ b), lambda X, B, a, b: outer(a, b) * B),
    d("∂Σ(X ⊙ X ⊙ A) = 2X ⊙ A", lambda X, A: total(X * X * A), lambda X, A: 2 * (X * A)),
    d("∂Σ(AX ⊙ B) = AᵀB", lambda X, A, B: total((A @ X) * B), lambda X, A, B: A.T @ B),
    d("∂aᵀ diag(x) b = a ⊙ b", lambda x, a, b: a @ (diag(x) @ b), lambda x, a, b: a * b, "x"),
    d("∂tr(A diag(x)) = diag(A)", lambda x, A: tr(A @ diag(x)), lambda x, A: diag(A), "x"),
    d("∂tr(diag(x) A diag(x) B) = (A ⊙ Bᵀ + Aᵀ ⊙ B)x", lambda x, A, B: tr(diag(x) @ A @ diag(x) @ B),
      lambda x, A, B: (A * B.T + A.T * B) @ x, "x"),
    d("∂Σ exp(X) = exp(X)", lambda X: total(each(exp, X)), lambda X: each(exp, X)),
    d("∂Σ sin(AX) = Aᵀcos(AX)", lambda X, A: total(each(sin, A @ X)), lambda X, A: A.T @ each(cos, A @ X)),
    d("∂aᵀtanh(Xb) = (a ⊙ (1 − tanh²))bᵀ", lambda X, a, b: a @ each(tanh, X @ b),
      lambda X, a, b: outer(a * (ONES - each(tanh, X @ b) * each(tanh, X @ b)), b)),
    d("∂log Σ exp(x) = softmax", lambda x: log(total(each(exp, x))), lambda x: each(exp, x) / total(each(exp, x)), "x"),
]  # fmt: skip
SPECTRA = [  # Magnus and Neudecker 8.9, Giles 3
    d("∂Σλ = 1", lambda X: total(eigenvalues(X)), lambda X: eigenvectors(X) @ eigenvectors(X).T),
    d("∂aᵀλ = V diag(a) Vᵀ", lambda X, a: a @ eigenvalues(X),
      lambda X, a: eigenvectors(X) @ diag(a) @ eigenvectors(X).T),
    d("∂Σλ²/2 = VΛVᵀ", lambda X: total(eigenvalues(X) * eigenvalues(X)) / 2,
      lambda X: eigenvectors(X) @ diag(eigenvalues(X)) @ eigenvectors(X).T),
    d("∂Σ exp λ = V exp(Λ) Vᵀ", lambda X: total(each(exp, eigenvalues(X))),
      lambda X: eigenvectors(X) @ diag(each(exp, eigenvalues(X))) @ eigenvectors(X).T),
    d("∂aᵀσ = U diag(a) Vᵀ", lambda X, a: a @ sigma(X), lambda X, a: left(X) @ diag(a) @ right(X).T),
    d("∂Σ log σ = U Σ⁻¹ Vᵀ", lambda X: total(each(log, sigma(X))),
      lambda X: left(X) @ diag(each(lambda s: 1 / s, sigma(X))) @ right(X).T),
]  # fmt: skip
GAUSSIANS = [  # Cookbook 8, Magnus and Neudecker 15.3 and 15.5
    d("score of μ: Σ⁻¹(x − μ)", lambda x, a, X: -((x - a) @ (inv(X) @ (x - a))) / 2,
      lambda x, a, X: (inv(X) + inv(X).T) @ (x - a) / 2, "a"),
    d("score of Σ: ½(Σ⁻ᵀrrᵀΣ⁻ᵀ − Σ⁻ᵀ)", lambda x, a, X: -((x - a) @ (inv(X) @ (x - a)) + logdet(X)) / 2,
      lambda x, a, X: (inv(X).T @ outer(x - a, x - a) @ inv(X).T - inv(X).T) / 2),
    d("score of the precision: ½(P⁻ᵀ − rrᵀ)", lambda x, a, X: (logdet(X) - (x - a) @ (X @ (x - a))) / 2,
      lambda x, a, X: (inv(X).T - outer(x - a, x - a)) / 2),
    d("Stein's loss: −X⁻ᵀAᵀX⁻ᵀ + X⁻ᵀ", lambda X, A: tr(A @ inv(X)) + logdet(X),
      lambda X, A: inv(X).T - inv(X).T @ A.T @ inv(X).T),
]  # fmt: skip
VECTORS = [  # of a vector: J[y, x]
    d("∂(Ax)/∂xᵀ = A", lambda x, A: A @ x, lambda x, A: A, "x"),
    d("∂(Aᵀx)/∂xᵀ = Aᵀ", lambda x, A: A.T @ x, lambda x, A: A.T, "x"),
    d("∂(x ⊙ a)/∂xᵀ = diag(a)", lambda x, a: x * a, lambda x, a: diag(a), "x"),
    d("∂(xxᵀa)/∂xᵀ = xaᵀ + xᵀa 1", lambda x, a: outer(x, x) @ a, lambda x, a: outer(x, a) + (x @ a) * EYE, "x"),
    d("∂exp(x)/∂xᵀ = diag(exp x)", lambda x: each(exp, x), lambda x: diag(each(exp, x)), "x"),
    d("∂tanh(Ax)/∂xᵀ = diag(1 − tanh²)A", lambda x, A: each(tanh, A @ x),
      lambda x, A: diag(ONES - each(tanh, A @ x) * each(tanh, A @ x)) @ A, "x"),
    d("∂(X⁻¹b)/∂bᵀ = X⁻¹", lambda X, b: inv(X) @ b, lambda X, b: inv(X), "b"),
    d("∂(x/‖x‖)/∂xᵀ = (1 − x̂x̂ᵀ)/‖x‖", lambda x: x / sqrt(x @ x),
      lambda x: EYE / sqrt(x @ x) - outer(x, x) / sqrt(x @ x) ** 3, "x"),
    d("∂((xᵀAx)x)/∂xᵀ = xᵀAx 1 + x xᵀ(A + Aᵀ)", lambda x, A: (x @ (A @ x)) * x,
      lambda x, A: (x @ (A @ x)) * EYE + outer(x, (A + A.T) @ x), "x"),
    d("∂(A(x ⊙ x))/∂xᵀ = 2A diag(x)", lambda x, A: A @ (x * x), lambda x, A: 2 * (A @ diag(x)), "x"),
]  # fmt: skip
ADJOINTS = [  # Giles 2.2 and 3.1, Murray (2016)
    d("Cholesky: L̄ ↦ sym(L⁻ᵀ Φ(LᵀL̄) L⁻¹), Φ the lower triangle with half of the diagonal",
      lambda X, B: total(chol(X) * B),
      lambda X, B: sym(inv(chol(X)).T @ lower(chol(X).T @ B) @ inv(chol(X)))),
    d("eigenvectors: V̄ ↦ sym(V (F ⊙ VᵀV̄) Vᵀ), F = 1/(λ_k − λ_l) off the diagonal",
      lambda X, B: total(eigenvectors(X) * B),
      lambda X, B: sym(eigenvectors(X) @ parted(X, eigenvectors(X).T @ B) @ eigenvectors(X).T)),
    d("inverse: X̄ ↦ −X⁻ᵀX̄X⁻ᵀ", lambda X, B: total(inv(X) * B), lambda X, B: -(inv(X).T @ B @ inv(X).T)),
    d("product: C̄ ↦ C̄Bᵀ", lambda X, A, B: total((X @ A) * B), lambda X, A, B: B @ A.T),
    d("solution: x̄ ↦ −A⁻ᵀx̄xᵀ", lambda X, a, b: (inv(X) @ b) @ a, lambda X, a, b: -outer(inv(X).T @ a, inv(X) @ b)),
]  # fmt: skip
SCALARS = [*ADJOINTS, *TRACES, *INVERSES, *DETERMINANTS, *FORMS, *NORMS, *HADAMARD, *SPECTRA, *GAUSSIANS]


def operands(row):
    """The names of a row: capital letters are matrices."""
    return tuple(inspect.signature(row.f).parameters)


def wrapped(tensor):
    return Matrix(lambda r, c: tensor[r, c]) if len(tensor.axes) == 2 else Vector(lambda r: tensor[r])


def formula(row):
    """f of a row, as a formula. Where a Cholesky factor stands, X is positive definite."""
    names = operands(row)

    def f(**given):
        if row.words.startswith("Cholesky"):
            assume(definite(given["X"]))
        value = row.f(*(wrapped(given[name]) for name in names))
        return value.entry(n) if isinstance(value, Vector) else value

    shapes = {name: T[n, m] if name.isupper() else T[n] for name in names}
    f.__signature__ = inspect.Signature([inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names])
    f.__annotations__ = {**shapes, "return": T[()] if row in SCALARS else T[n]}
    return build(f, "f", {})


def compared(row):
    """(the derivation, what was derived, what the literature has) over the same letters."""
    f = formula(row)
    derived = (gradient if row in SCALARS else jacobian)(f, row.wrt)
    letters = derived.axes
    found = row.found(*(wrapped(f.trace().input(name)) for name in operands(row)))
    return derived, derived.result, found.entry(*letters)


@pytest.mark.parametrize("row", [*SCALARS, *VECTORS], ids=str)
def test_identity(row):
    """Symbol by symbol, and at random matrices."""
    derived, ours, theirs = compared(row)
    point = Sampler(formula(row).trace(), (ours, theirs)).point(np.random.default_rng(1), "distinct")
    left_side, right_side = (evaluate(side, point, derived.axes) for side in (ours, theirs))
    assert np.allclose(left_side, right_side, rtol=1e-9, atol=1e-9)
    assert equivalent(ours, theirs), (ours, theirs)


def test_there_are_eighty():
    assert len({row.words for row in [*SCALARS, *VECTORS]}) == len([*SCALARS, *VECTORS]) >= 80


@pytest.mark.parametrize("row", [TRACES[2], INVERSES[3], FORMS[4], VECTORS[0]], ids=str)
def test_a_wrong_identity_is_caught(row):
    _, ours, theirs = compared(row)
    assert not equivalent(ours, 2 * theirs)
