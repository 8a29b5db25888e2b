"""The laws of matrix functions, by implicit differentiation of what defines them, as derivations.

A function X = f(A) is differentiated without a formula for it: its defining equation is (A X = 1, L Lᵀ = A, A V = V Λ,
A V = U Σ), by the product rule; what that says is then solved for X′. The last line of each derivation is what the
kernel of `differentiate.matrix` states. Every line is an equality of index expressions, which `verify` evaluates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sympy import Expr, Le, Rational

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
    TangentOf,
    Tensor,
    axes,
    definite_part,
    sum_over,
    where,
)
from derive.formula import Assumption, Traced
from derive.steps import Derivation, Equation, Step

n, m = axes("n m")
i, j, k, l, p, q = (n.alias(letter) for letter in "ijklpq")
a, b, s, t = (m.alias(letter) for letter in "abst")
A = Tensor("A", (i, j))
A_DOT = Tensor("A_dot", (i, j), role="tangent", of="A")
R = Tensor("R", (i, a))
R_DOT = Tensor("R_dot", (i, a), role="tangent", of="R")
S = Tensor("S", (i, j), body=(A[i, j] + A[j, i]) / 2, role="let")
HALF = Rational(1, 2)


@dataclass(frozen=True)
class ImplicitLaw:
    """A derivative that follows from a defining equation: the function as a formula, and its derivation."""

    title: str
    summary: str
    traced: Traced
    derivation: Derivation


def dot(tensor: Tensor, *at: Axis) -> Expr:
    """X′ at these indices."""
    return TangentOf(tensor[at])


def moved(*at: Axis) -> Expr:
    """The direction, at these indices."""
    return A_DOT[at]


def even(*at: Axis) -> Expr:
    """S′, for S = (A + Aᵀ)/2."""
    return TangentOf(S[at])


def _chain(kind: str, target: Any, of: Tensor | None, *lines: tuple[str, Expr, str]) -> Equation:
    """target = first line = second line = …, each with the law that leads to it; of a result, what has it moved."""
    steps, reached = [], target
    for law, after, why in lines:
        steps.append(Step(law, reached, after, why))
        reached = after
    made = Tensor(f"{of.name}_dot", of.axes, body=reached, role="tangent", of=of.name) if of is not None else None
    return Equation(kind, target, made, tuple(steps))


def _law(title: str, summary: str, outputs: tuple[Tensor, ...], *equations: Equation, **more: Any) -> ImplicitLaw:
    traced = Traced(title.replace(" ", "_"), (more.get("given", A),), (), (), outputs, more.get("assumptions", ()))
    return ImplicitLaw(title, summary, traced, Derivation(title, equations))


DEFINED = "what defines it"
PRODUCT = "product rule"
FACT = "use a fact"
SOLVED = "solve"


def inverse() -> ImplicitLaw:
    """A X = 1, hence A′ X + A X′ = 0."""
    X = Tensor("X", (i, j), body=Inverse(A[p, q], p, q, i, j), role="let")
    rest = _chain(
        "fact", sum_over(k, A[l, k] * dot(X, k, j)), None,
        (PRODUCT, -sum_over(k, moved(l, k) * X[k, j]), "A X = 1 for every A, so (A X)′ = A′ X + A X′ = 0"),
    )  # fmt: skip
    law = _chain(
        "result", dot(X, i, j), X,
        (DEFINED, sum_over((k, l), X[i, l] * A[l, k] * dot(X, k, j)), "X A = 1"),
        (FACT, -sum_over((k, l), X[i, l] * moved(l, k) * X[k, j]), "what A X′ is"),
    )  # fmt: skip
    return _law(
        "derivative of the inverse", "A X = 1 is differentiated, and multiplied by X from the left.", (X,), rest, law
    )


def determinant() -> ImplicitLaw:
    """det(A + A′) = det A det(1 + X A′), and det(1 + E) = 1 + tr E to first order."""
    D = Tensor("D", (), body=Determinant(A[p, q], p, q), role="let")
    law = _chain(
        "result", dot(D), D,
        ("multiplicative", D[()] * sum_over((i, j), Inverse(A[p, q], p, q, j, i) * moved(i, j)),
         "det(A + A′) = det A det(1 + A⁻¹A′), and det(1 + E) = 1 + tr E up to products of entries of E"),
    )  # fmt: skip
    return _law(
        "derivative of the determinant", "The determinant of a product is the product of the determinants.", (D,), law
    )


def log_determinant() -> ImplicitLaw:
    """(log |det A|)′ = (det A)′/det A."""
    D = Tensor("D", (), body=Determinant(A[p, q], p, q), role="let")
    L = Tensor("L", (), body=LogDeterminant(A[p, q], p, q), role="let")
    first = determinant().derivation.equations[-1]
    law = _chain(
        "result", dot(L), L,
        ("chain rule", dot(D) / D[()], "log |u| has the derivative 1/u"),
        (FACT, sum_over((i, j), Inverse(A[p, q], p, q, j, i) * moved(i, j)), "the derivative of the determinant"),
    )  # fmt: skip
    return _law("derivative of the log-determinant", "By that of the determinant.", (D, L), first, law)


def cholesky() -> ImplicitLaw:
    """L Lᵀ = S, hence L′ Lᵀ + L L′ᵀ = S′, where L⁻¹L′ is lower triangular."""
    L = Tensor("L", (i, j), body=Cholesky(S[p, q], p, q, i, j), role="let")
    W = Tensor("W", (i, j), body=Inverse(L[p, q], p, q, i, j), role="let")
    turned = sum_over(l, W[k, l] * dot(L, l, j))  # (L⁻¹ L′)_kj
    back = sum_over(l, W[j, l] * dot(L, l, k))
    inner = sum_over((l, p), W[k, l] * even(l, p) * W[j, p])  # (L⁻¹ S′ L⁻ᵀ)_kj
    product = _chain(
        "fact", sum_over(k, dot(L, i, k) * L[j, k] + L[i, k] * dot(L, j, k)), None,
        (PRODUCT, even(i, j), "L Lᵀ = S for every S, so L′ Lᵀ + L L′ᵀ = S′"),
    )  # fmt: skip
    both = _chain(
        "fact", turned + back, None,
        (SOLVED, inner, "the same, times L⁻¹ from the left and L⁻ᵀ from the right"),
    )  # fmt: skip
    lower = _chain(
        "fact", turned, None,
        ("triangular", where(k > j, turned + back, 0) + HALF * Delta(k, j) * (turned + back),
         "L⁻¹L′ is lower triangular, as L⁻¹ and L′ are: of it and its transpose one is 0 off the diagonal"),
        (FACT, where(k > j, inner, 0) + HALF * Delta(k, j) * inner, "what the two are together"),
    )  # fmt: skip
    law = _chain(
        "result", dot(L, i, j), L,
        (DEFINED, sum_over(k, L[i, k] * turned), "L L⁻¹ = 1"),
        (FACT, sum_over(k, L[i, k] * (where(k > j, inner, 0) + HALF * Delta(k, j) * inner)),
         "what L⁻¹L′ is: of L⁻¹S′L⁻ᵀ the part below the diagonal, and half of the diagonal"),
    )  # fmt: skip
    return _law("derivative of the Cholesky factor", "L Lᵀ = S is differentiated, for S = (A + Aᵀ)/2.", (W,),
                product, both, lower, law, assumptions=(Assumption(definite_part(A), None),))  # fmt: skip


def _eigen() -> tuple[Tensor, Tensor, Equation]:
    values = Tensor("lam", (k,), body=Eigenvalue(S[p, q], p, q, k), role="let")
    V = Tensor("V", (i, k), body=Eigenvector(S[p, q], p, q, i, k), role="let")
    product = _chain(
        "fact", V[i, k] * dot(values, k), None,
        (PRODUCT, sum_over(j, even(i, j) * V[j, k]) + sum_over(j, S[i, j] * dot(V, j, k)) - values[k] * dot(V, i, k),
         "S V = V Λ for every S, so S′ V + S V′ = V′ Λ + V Λ′"),
    )  # fmt: skip
    return values, V, product


def eigenvalue() -> ImplicitLaw:
    """S v = v λ, multiplied by vᵀ."""
    values, V, product = _eigen()
    quadratic = sum_over((i, j), V[i, k] * even(i, j) * V[j, k])
    law = _chain(
        "result", dot(values, k), values,
        (DEFINED, sum_over(i, V[i, k] * V[i, k] * dot(values, k)), "vᵀv = 1"),
        (FACT, quadratic + sum_over((i, j), V[i, k] * S[i, j] * dot(V, j, k))
         - values[k] * sum_over(i, V[i, k] * dot(V, i, k)), "what v λ′ is"),
        (DEFINED, quadratic, "vᵀS = λ vᵀ, so the last two cancel"),
    )  # fmt: skip
    return _law(
        "derivative of the eigenvalues", "S V = V Λ is differentiated, and multiplied by vᵀ.", (values, V), product, law
    )


def eigenvector() -> ImplicitLaw:
    """S V = V Λ with VᵀV = 1: V′ = V C, C antisymmetric."""
    values, V, product = _eigen()
    C = sum_over(j, V[j, l] * dot(V, j, k))
    form = sum_over((i, j), V[i, l] * even(i, j) * V[j, k])
    own = sum_over((i, j), V[i, k] * even(i, j) * V[j, k])
    gap = values[k] - values[l] + Delta(k, l)
    unit = _chain("fact", C, None, (PRODUCT, -sum_over(j, V[j, k] * dot(V, j, l)), "VᵀV = 1, so VᵀV′ + V′ᵀV = 0"))
    apart = _chain(
        "fact", (values[k] - values[l]) * C, None,
        (SOLVED, form - Delta(k, l) * own,
         "S V′ − V′ Λ = V Λ′ − S′ V, times v_lᵀ; v_lᵀS = λ_l v_lᵀ, and λ′_k = v_kᵀS′v_k"),
    )  # fmt: skip
    divided = _chain(
        "fact", C, None,
        (SOLVED, (form - Delta(k, l) * own) / gap,
         "off the diagonal divided by λ_k − λ_l; on it both are 0, and 1 stands in for the divisor"),
    )  # fmt: skip
    inner = sum_over((p, j), V[p, l] * even(p, j) * V[j, k])
    alone = sum_over((p, j), V[p, k] * even(p, j) * V[j, k])
    law = _chain(
        "result", dot(V, i, k), V,
        (DEFINED, sum_over(l, V[i, l] * C), "V Vᵀ = 1"),
        (FACT, sum_over(l, V[i, l] * (inner - Delta(k, l) * alone) / gap), "what VᵀV′ is"),
        ("contract δ", sum_over(l, V[i, l] * inner / gap) - V[i, k] * alone, "for l = k the divisor is 1"),
    )  # fmt: skip
    return _law("derivative of the eigenvectors", "S V = V Λ and VᵀV = 1 are differentiated.", (values, V),
                product, unit, apart, divided, law)  # fmt: skip


# A V = U Σ, of a matrix R with at least as many rows as columns


def _svd() -> tuple[Tensor, Tensor, Tensor, Equation, Equation]:
    node = (R[p, b], p, b)
    U = Tensor("U", (i, s), body=LeftVector(*node, i, s), role="let")
    sigma = Tensor("sigma", (s,), body=SingularValue(*node, s), role="let")
    V = Tensor("V", (a, s), body=RightVector(*node, a, s), role="let")
    right = _chain(
        "fact", sum_over(b, R[i, b] * dot(V, b, s)), None,
        (PRODUCT, sigma[s] * dot(U, i, s) + U[i, s] * dot(sigma, s) - sum_over(b, R_DOT[i, b] * V[b, s]),
         "R V = U Σ for every R, so R′ V + R V′ = U′ Σ + U Σ′"),
    )  # fmt: skip
    left = _chain(
        "fact", sum_over(i, R[i, b] * dot(U, i, s)), None,
        (PRODUCT, sigma[s] * dot(V, b, s) + V[b, s] * dot(sigma, s) - sum_over(i, R_DOT[i, b] * U[i, s]),
         "RᵀU = V Σ for every R, so R′ᵀU + RᵀU′ = V′ Σ + V Σ′"),
    )  # fmt: skip
    return U, sigma, V, right, left


def _thin(title: str, summary: str, outputs: tuple[Tensor, ...], *equations: Equation) -> ImplicitLaw:
    return _law(title, summary, outputs, *equations, given=R, assumptions=(Assumption(Le(m.size, n.size), None),))


def _form(U: Tensor, V: Tensor, one: Axis, two: Axis) -> Expr:
    """u_oneᵀ R′ v_two."""
    return sum_over((p, b), U[p, one] * R_DOT[p, b] * V[b, two])


def singular_value() -> ImplicitLaw:
    """R v = u σ, multiplied by uᵀ."""
    U, sigma, V, right, _ = _svd()
    law = _chain(
        "result", dot(sigma, s), sigma,
        (DEFINED, sum_over(i, U[i, s] * (U[i, s] * dot(sigma, s) + sigma[s] * dot(U, i, s))), "uᵀu = 1, so uᵀu′ = 0"),
        (FACT, sum_over((i, b), U[i, s] * (R[i, b] * dot(V, b, s) + R_DOT[i, b] * V[b, s])), "what u σ′ + u′ σ is"),
        (DEFINED, _form(U, V, s, s), "uᵀR = σ vᵀ, and vᵀv = 1, so vᵀv′ = 0"),
    )  # fmt: skip
    return _thin(
        "derivative of the singular values",
        "R V = U Σ is differentiated, and multiplied by uᵀ.",
        (U, sigma, V),
        right,
        law,
    )


def _turn(U: Tensor, sigma: Tensor, V: Tensor, *, left: bool) -> tuple[Expr, Expr, Expr, Expr]:
    """UᵀU′ or VᵀV′ at (t, s); what it is times σ_s² − σ_t² for t ≠ s, and for t = s; the divisor, 1 on the diagonal."""
    inner = sum_over(p, U[p, t] * dot(U, p, s)) if left else sum_over(b, V[b, t] * dot(V, b, s))
    outer, other = (sigma[s], sigma[t]) if left else (sigma[t], sigma[s])
    found = outer * _form(U, V, t, s) + other * _form(U, V, s, t)
    return inner, found, 2 * sigma[s] * _form(U, V, s, s), sigma[s] ** 2 - sigma[t] ** 2 + Delta(s, t)


def _turned(U: Tensor, sigma: Tensor, V: Tensor, *, left: bool) -> tuple[Equation, Equation]:
    inner, found, own, gap = _turn(U, sigma, V, left=left)
    found -= Delta(s, t) * own
    both = _chain(
        "fact", (sigma[s] ** 2 - sigma[t] ** 2) * inner, None,
        (SOLVED, found,
         "the first equation times u_tᵀ, the second times v_tᵀ: two equations for UᵀU′ and VᵀV′ at (t, s)"),
    )  # fmt: skip
    divided = _chain(
        "fact", inner, None,
        (SOLVED, found / gap, "off the diagonal divided by σ_s² − σ_t²; on it both are 0, as UᵀU = VᵀV = 1"),
    )  # fmt: skip
    return both, divided


def right_vector() -> ImplicitLaw:
    """V′ = V C, C antisymmetric."""
    U, sigma, V, right, left = _svd()
    inner, found, own, gap = _turn(U, sigma, V, left=False)
    law = _chain(
        "result", dot(V, a, s), V,
        (DEFINED, sum_over(t, V[a, t] * inner), "V Vᵀ = 1"),
        (FACT, sum_over(t, V[a, t] * (found - Delta(s, t) * own) / gap), "what VᵀV′ is"),
        ("contract δ", sum_over(t, V[a, t] * found / gap) - V[a, s] * own, "for t = s the divisor is 1"),
    )  # fmt: skip
    return _thin("derivative of the right singular vectors", "R V = U Σ and RᵀU = V Σ are differentiated.",
                 (U, sigma, V), right, left, *_turned(U, sigma, V, left=False), law)  # fmt: skip


def left_vector() -> ImplicitLaw:
    """U′ = U D + (1 − U Uᵀ) U′, D antisymmetric."""
    U, sigma, V, right, left = _svd()
    inner, found, own, gap = _turn(U, sigma, V, left=True)
    beyond = Delta(i, q) - sum_over(t, U[i, t] * U[q, t])
    rest = sum_over((q, b), beyond * R_DOT[q, b] * V[b, s]) / sigma[s]
    law = _chain(
        "result", dot(U, i, s), U,
        (DEFINED, sum_over(t, U[i, t] * inner) + sum_over(q, beyond * dot(U, q, s)), "1 = U Uᵀ + (1 − U Uᵀ)"),
        (FACT, sum_over(t, U[i, t] * (found - Delta(s, t) * own) / gap) + rest,
         "what UᵀU′ is; and 1 − U Uᵀ times the first equation leaves (1 − U Uᵀ) U′ σ = (1 − U Uᵀ) R′ v"),
        ("contract δ", sum_over(t, U[i, t] * found / gap) - U[i, s] * own + rest, "for t = s the divisor is 1"),
    )  # fmt: skip
    return _thin("derivative of the left singular vectors", "R V = U Σ and RᵀU = V Σ are differentiated.",
                 (U, sigma, V), right, left, *_turned(U, sigma, V, left=True), law)  # fmt: skip


LAWS: dict[str, Callable[[], ImplicitLaw]] = {
    "inv": inverse,
    "det": determinant,
    "logdet": log_determinant,
    "cholesky": cholesky,
    "eigenvalue": eigenvalue,
    "eigenvector": eigenvector,
    "singular_value": singular_value,
    "left_vector": left_vector,
    "right_vector": right_vector,
}
