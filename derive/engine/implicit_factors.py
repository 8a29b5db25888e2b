"""More laws of matrix functions by implicit differentiation: A = Q R, A X = X Λ of a general A, e^A, S S = A, e^L = A.

Of the last three the equation for the derivative is linear, and its solution is a function with a name: the slope.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sympy import Expr, Le

from derive.axes import (
    Axis,
    Delta,
    Exponential,
    ExponentialCurvature,
    ExponentialSlope,
    GeneralEigenvalue,
    GeneralEigenvector,
    Inverse,
    Logarithm,
    LogarithmSlope,
    OrthonormalFactor,
    SquareRoot,
    SquareRootSlope,
    Tensor,
    TriangularFactor,
    definite_part,
    real_spectrum,
    sum_over,
    where,
)
from derive.formula import Assumption
from derive.steps import Equation

from .implicit import (
    DEFINED,
    FACT,
    HALF,
    LAWS,
    PRODUCT,
    SOLVED,
    A,
    ImplicitLaw,
    S,
    _chain,
    _law,
    a,
    b,
    dot,
    even,
    i,
    j,
    k,
    l,
    m,
    moved,
    n,
    p,
    q,
    s,
    t,
)

u = m.alias("u")
c, d, e, f, g, h, o, r = (n.alias(letter) for letter in "cdefghor")
B = Tensor("B", (i, a))
B_DOT = Tensor("B_dot", (i, a), role="tangent", of="B")


# A = Q R, of a matrix B with at least as many rows as columns


def _qr() -> tuple[Tensor, Tensor, Tensor]:
    Q = Tensor("Q", (i, s), body=OrthonormalFactor(B[p, b], p, b, i, s), role="let")
    R = Tensor("R", (s, a), body=TriangularFactor(B[p, b], p, b, s, a), role="let")
    return Q, R, Tensor("W", (a, s), body=Inverse(R[t, b], t, b, a, s), role="let")


def _upper(form: Callable[[Axis, Axis], Expr], one: Axis, two: Axis) -> Any:
    """Of F + Fᵀ what is above the diagonal, and F on it."""
    return where(two > one, form(one, two) + form(two, one), 0) + Delta(one, two) * form(one, two)


def _qr_facts(Q: Tensor, R: Tensor, W: Tensor) -> tuple[Callable[[Axis, Axis], Expr], tuple[Equation, ...]]:
    """What Ṙ R⁻¹ is, and the facts that lead there."""

    def form(one: Axis, two: Axis) -> Expr:
        return sum_over((p, b), Q[p, one] * B_DOT[p, b] * W[b, two])  # Qᵀ Ḃ R⁻¹

    def turn(one: Axis, two: Axis) -> Expr:
        return sum_over(p, Q[p, one] * dot(Q, p, two))  # Qᵀ Q̇

    def shear(one: Axis, two: Axis) -> Expr:
        return sum_over(b, dot(R, one, b) * W[b, two])  # Ṙ R⁻¹

    product = _chain(
        "fact", sum_over(t, dot(Q, i, t) * R[t, a] + Q[i, t] * dot(R, t, a)), None,
        (PRODUCT, B_DOT[i, a], "Q R = B for every B, so Q′ R + Q R′ = B′"),
    )  # fmt: skip
    unit = _chain("fact", turn(s, t), None, (PRODUCT, -turn(t, s), "QᵀQ = 1, so QᵀQ′ + Q′ᵀQ = 0"))
    both = _chain(
        "fact", turn(s, t) + shear(s, t), None,
        (SOLVED, form(s, t), "the first, times Qᵀ from the left and R⁻¹ from the right"),
    )  # fmt: skip
    upper = _chain(
        "fact", shear(s, t), None,
        ("triangular", _upper(shear, s, t), "R′R⁻¹ is upper triangular, as R′ and R⁻¹ are"),
        (FACT, _upper(form, s, t), "the antisymmetric QᵀQ′ has a diagonal of zeros, and no part in what is symmetric"),
    )  # fmt: skip
    return form, (product, unit, both, upper)


def _qr_law(title: str, summary: str, outputs: tuple[Tensor, ...], *equations: Equation) -> ImplicitLaw:
    return _law(title, summary, outputs, *equations, given=B, assumptions=(Assumption(Le(m.size, n.size), None),))


def triangular_factor() -> ImplicitLaw:
    """B = Q R: R′ = upper(QᵀB′R⁻¹) R."""
    Q, R, W = _qr()
    form, facts = _qr_facts(Q, R, W)
    shear = sum_over(b, dot(R, s, b) * W[b, t])
    law = _chain(
        "result", dot(R, s, a), R,
        (DEFINED, sum_over(t, shear * R[t, a]), "R⁻¹R = 1"),
        (FACT, sum_over(t, _upper(form, s, t) * R[t, a]), "what R′R⁻¹ is"),
    )  # fmt: skip
    return _qr_law("derivative of the triangular factor", "Q R = B and QᵀQ = 1 are differentiated; R is triangular.",
                   (Q, W), *facts, law)  # fmt: skip


def orthonormal_factor() -> ImplicitLaw:
    """B = Q R: Q′ = B′R⁻¹ − Q upper(QᵀB′R⁻¹)."""
    Q, R, W = _qr()
    form, facts = _qr_facts(Q, R, W)
    shear = sum_over(b, dot(R, t, b) * W[b, s])
    rest = sum_over(b, B_DOT[i, b] * W[b, s])
    law = _chain(
        "result", dot(Q, i, s), Q,
        (FACT, rest - sum_over(t, Q[i, t] * shear), "Q′ R = B′ − Q R′, times R⁻¹"),
        (FACT, rest - sum_over(t, Q[i, t] * _upper(form, t, s)), "what R′R⁻¹ is"),
    )  # fmt: skip
    return _qr_law("derivative of the orthonormal factor", "Q R = B and QᵀQ = 1 are differentiated; R is triangular.",
                   (Q, W), *facts, law)  # fmt: skip


# A X = X Λ of a general matrix


def _general() -> tuple[Tensor, Tensor, Tensor, Equation]:
    values = Tensor("lam", (k,), body=GeneralEigenvalue(A[p, q], p, q, k), role="let")
    X = Tensor("X", (i, k), body=GeneralEigenvector(A[p, q], p, q, i, k), role="let")
    W = Tensor("W", (k, i), body=Inverse(X[p, q], p, q, k, i), role="let")
    product = _chain(
        "fact", X[i, k] * dot(values, k), None,
        (PRODUCT, sum_over(j, moved(i, j) * X[j, k]) + sum_over(j, A[i, j] * dot(X, j, k)) - values[k] * dot(X, i, k),
         "A X = X Λ for every A, so A′ X + A X′ = X′ Λ + X Λ′"),
    )  # fmt: skip
    return values, X, W, product


def _real(title: str, summary: str, outputs: tuple[Tensor, ...], *equations: Equation) -> ImplicitLaw:
    return _law(title, summary, outputs, *equations, assumptions=(Assumption(real_spectrum(A), None),))


def general_eigenvalue() -> ImplicitLaw:
    """A x = x λ, multiplied by the row of X⁻¹."""
    values, X, W, product = _general()
    form = sum_over((i, j), W[k, i] * moved(i, j) * X[j, k])
    law = _chain(
        "result", dot(values, k), values,
        (DEFINED, sum_over(i, W[k, i] * X[i, k] * dot(values, k)), "X⁻¹X = 1"),
        (FACT, form + sum_over((i, j), W[k, i] * A[i, j] * dot(X, j, k)) - values[k] * sum_over(i, W[k, i]
         * dot(X, i, k)), "what x λ′ is"),
        (DEFINED, form, "X⁻¹A = Λ X⁻¹, so the last two cancel"),
    )  # fmt: skip
    return _real("derivative of the eigenvalues of a general matrix",
                 "A X = X Λ is differentiated, and multiplied by X⁻¹.", (values, W), product, law)  # fmt: skip


def general_eigenvector() -> ImplicitLaw:
    """A X = X Λ with columns of length 1: X′ = X C."""
    values, X, W, product = _general()
    C = sum_over(p, W[l, p] * dot(X, p, k))
    form = sum_over((p, q), W[l, p] * moved(p, q) * X[q, k])
    own = sum_over((p, q), W[k, p] * moved(p, q) * X[q, k])
    angle = sum_over(p, X[p, k] * X[p, l])
    apart = _chain(
        "fact", (values[k] - values[l]) * C, None,
        (SOLVED, form - Delta(k, l) * own, "A X′ − X′ Λ = X Λ′ − A′ X, times X⁻¹; X⁻¹A = Λ X⁻¹, and what λ′ is"),
    )  # fmt: skip
    unit = _chain(
        "fact", dot(X, i, k), None,
        (PRODUCT, dot(X, i, k) - X[i, k] * sum_over(p, X[p, k] * dot(X, p, k)), "xᵀx = 1, so xᵀx′ = 0"),
    )  # fmt: skip
    bracket = X[i, l] - X[i, k] * angle
    gap = values[k] - values[l] + Delta(k, l)
    law = _chain(
        "result", dot(X, i, k), X,
        (DEFINED, sum_over(l, X[i, l] * C), "X X⁻¹ = 1"),
        (FACT, sum_over(l, bracket * C), "x xᵀx′ = 0 is subtracted, for x′ = X (X⁻¹x′)"),
        (FACT, sum_over(l, bracket * form / gap), "what X⁻¹X′ is; for l = k the bracket is 0, and the divisor 1"),
    )  # fmt: skip
    return _real("derivative of the eigenvectors of a general matrix", "A X = X Λ and xᵀx = 1 are differentiated.",
                 (values, W), product, apart, unit, law)  # fmt: skip


# Functions whose slope has a name


def exponential() -> ImplicitLaw:
    """X(t) = e^{tA} has dX/dt = A X and X(0) = 1."""
    X = Tensor("X", (i, j), body=Exponential(A[p, q], p, q, i, j), role="let")
    commuting = _chain(
        "fact", sum_over(k, A[i, k] * dot(X, k, j)) - sum_over(k, dot(X, i, k) * A[k, j]), None,
        (PRODUCT, sum_over(k, X[i, k] * moved(k, j)) - sum_over(k, moved(i, k) * X[k, j]),
         "A X = X A for every A, so A′ X + A X′ = X′ A + X A′"),
    )  # fmt: skip
    law = _chain(
        "result", dot(X, i, j), X,
        ("variation of constants", sum_over((k, l), ExponentialSlope(A[p, q], p, q, i, j, k, l) * moved(k, l)),
         "X(t) = e^{tA} has dX/dt = A X, so that dX′/dt = A X′ + A′ X and X′(0) = 0; at t = 1 it is "
         "∫₀¹ e^{(1−s)A} A′ e^{sA} ds, which is linear in A′: the slope is what multiplies its entries"),
    )  # fmt: skip
    return _law("derivative of the exponential", "The equation dX/dt = A X of X = e^{tA} is differentiated.", (X,),
                commuting, law)  # fmt: skip


def square_root() -> ImplicitLaw:
    """X X = S, hence X′ X + X X′ = S′."""
    X = Tensor("X", (i, j), body=SquareRoot(S[p, q], p, q, i, j), role="let")

    def slope(*at: Axis) -> Expr:
        return SquareRootSlope(S[p, q], p, q, *at)

    product = _chain(
        "fact", sum_over(k, dot(X, i, k) * X[k, j] + X[i, k] * dot(X, k, j)), None,
        (PRODUCT, even(i, j), "X X = S for every S, so X′ X + X X′ = S′"),
    )  # fmt: skip
    units = _chain(
        "fact", sum_over(k, slope(i, k, l, p) * X[k, j] + X[i, k] * slope(k, j, l, p)), None,
        (DEFINED, HALF * Delta(i, l) * Delta(j, p) + HALF * Delta(i, p) * Delta(j, l),
         "the slope solves it for a unit: half an entry, and half of its transpose"),
    )  # fmt: skip
    law = _chain(
        "result", dot(X, i, j), X,
        (SOLVED, sum_over((k, l), slope(i, j, k, l) * even(k, l)),
         "the equation is linear, and has one solution, since no two eigenvalues of X add up to 0"),
    )  # fmt: skip
    return _law("derivative of the square root", "X X = S is differentiated, for S = (A + Aᵀ)/2.", (X,), product,
                units, law, assumptions=(Assumption(definite_part(A), None),))  # fmt: skip


def logarithm() -> ImplicitLaw:
    """e^X = S, hence the derivative of the exponential at X, along X′, is S′."""
    X = Tensor("X", (i, j), body=Logarithm(S[p, q], p, q, i, j), role="let")
    product = _chain(
        "fact", sum_over((k, l), ExponentialSlope(X[p, q], p, q, i, j, k, l) * dot(X, k, l)), None,
        ("chain rule", even(i, j), "e^X = S for every S"),
    )  # fmt: skip
    law = _chain(
        "result", dot(X, i, j), X,
        (SOLVED, sum_over((k, l), LogarithmSlope(S[p, q], p, q, i, j, k, l) * even(k, l)),
         "the equation is linear, and has one solution: its eigenvalues are quotients "
         "(e^x − e^y)/(x − y) of the eigenvalues of X, none of which is 0"),
    )  # fmt: skip
    return _law("derivative of the logarithm", "e^X = S is differentiated, for S = (A + Aᵀ)/2.", (X,), product, law,
                assumptions=(Assumption(definite_part(A), None),))  # fmt: skip


def _by_slope(X: Tensor, K: Tensor, what: str) -> Equation:
    """Ẋ = K[(Ȧ + Ȧᵀ)/2], which the first derivative's law has shown."""
    step = (SOLVED, sum_over((c, d), K[i, j, c, d] * even(c, d)), f"the derivative of the {what}")
    return _chain("fact", dot(X, i, j), None, step)


def square_root_slope() -> ImplicitLaw:
    """X K + K X = E for K = sqrt′[E], hence X K′ + K′ X = −(X′ K + K X′)."""
    X = Tensor("X", (i, j), body=SquareRoot(S[p, q], p, q, i, j), role="let")
    K = Tensor("K", (i, j, g, h), body=SquareRootSlope(S[p, q], p, q, i, j, g, h), role="let")
    unit = HALF * Delta(i, g) * Delta(j, h) + HALF * Delta(i, h) * Delta(j, g)
    units = _chain(
        "fact", sum_over(k, K[i, k, g, h] * X[k, j] + X[i, k] * K[k, j, g, h]), None,
        (DEFINED, unit, "the slope solves it for a unit: half an entry, and half of its transpose"),
    )  # fmt: skip
    again = _chain(
        "fact", sum_over(k, dot(K, i, k, g, h) * X[k, j] + X[i, k] * dot(K, k, j, g, h)), None,
        (PRODUCT, -sum_over(k, K[i, k, g, h] * dot(X, k, j) + dot(X, i, k) * K[k, j, g, h]),
         "the unit stays where it is"),
    )  # fmt: skip
    root = _by_slope(X, K, "root")
    law = _chain(
        "result", dot(K, i, j, g, h), K,
        (SOLVED, -sum_over((l, e), K[i, j, l, e] * sum_over(k, K[l, k, g, h] * dot(X, k, e)
                                                            + dot(X, l, k) * K[k, e, g, h])),
         "the same equation as that of the root's derivative, with another right side"),
        (FACT, -sum_over((l, e), K[i, j, l, e] * sum_over((k, c, d), (
            K[l, k, g, h] * K[k, e, c, d] + K[l, k, c, d] * K[k, e, g, h]) * even(c, d))), "what X′ is"),
    )  # fmt: skip
    return _law("second derivative of the square root", "X X = S is differentiated twice, for S = (A + Aᵀ)/2.", (X, K),
                units, again, root, law, assumptions=(Assumption(definite_part(A), None),))  # fmt: skip


def logarithm_slope() -> ImplicitLaw:
    """exp′(X)[K] = E for K = log′[E], hence exp′(X)[K′] = −exp″(X)[X′, K]."""
    X = Tensor("X", (i, j), body=Logarithm(S[p, q], p, q, i, j), role="let")
    K = Tensor("K", (i, j, g, h), body=LogarithmSlope(S[p, q], p, q, i, j, g, h), role="let")

    def slope(*at: Axis) -> Expr:
        return ExponentialSlope(X[p, q], p, q, *at)

    def bent(*at: Axis) -> Expr:
        return ExponentialCurvature(X[p, q], p, q, *at)

    again = _chain(
        "fact", sum_over((k, l), slope(i, j, k, l) * dot(K, k, l, g, h)), None,
        (PRODUCT, -sum_over((k, l, c, d), bent(i, j, k, l, c, d) * K[k, l, g, h] * dot(X, c, d)),
         "exp′(X) K is a unit, for every S"),
    )  # fmt: skip
    value = _by_slope(X, K, "logarithm")
    law = _chain(
        "result", dot(K, i, j, g, h), K,
        (SOLVED, -sum_over((e, f), K[i, j, e, f] * sum_over((k, l, c, d),
                 bent(e, f, k, l, c, d) * K[k, l, g, h] * dot(X, c, d))),
         "the same equation as that of the logarithm's derivative, with another right side"),
        (FACT, -sum_over((e, f), K[i, j, e, f] * sum_over((k, l, c, d, r, o),
               bent(e, f, k, l, c, d) * K[k, l, g, h] * K[c, d, r, o] * even(r, o))), "what X′ is"),
    )  # fmt: skip
    return _law("second derivative of the logarithm", "e^X = S is differentiated twice, for S = (A + Aᵀ)/2.", (X, K),
                again, value, law, assumptions=(Assumption(definite_part(A), None),))  # fmt: skip


ALL: dict[str, Callable[[], ImplicitLaw]] = LAWS | {
    "orthonormal_factor": orthonormal_factor,
    "triangular_factor": triangular_factor,
    "general_eigenvalue": general_eigenvalue,
    "general_eigenvector": general_eigenvector,
    "exponential": exponential,
    "square_root": square_root,
    "logarithm": logarithm,
    "square_root_slope": square_root_slope,
    "logarithm_slope": logarithm_slope,
}
