"""Functions of matrices through every room: construction, derivation, code, cost, stability, explicit forms, errors.

Gradients against PyTorch are in tests/parity/test_matrix_functions.py; that each kernel follows from what defines its
function is in tests/test_implicit.py.
"""

import re

import mpmath
import numpy as np
import pytest
import sympy
from sympy import Rational, Symbol, exp, log, sqrt

from derive import (
    AssumptionError,
    ShapeError,
    T,
    Unsupported,
    catalogue,
    gradient,
    hessian,
    hvp,
    jacobian,
    jvp,
    to_numpy,
    verify,
)
from derive.axes import (
    SLOPES,
    ExponentialCurvature,
    ExponentialSlope,
    Scalar,
    Tensor,
    axes,
    cholesky,
    definite,
    definite_part,
    det,
    eig,
    eigh,
    expm,
    free_axes,
    inv,
    logdet,
    logm,
    one_hot,
    qr,
    real_spectrum,
    solve,
    sqrtm,
    sum_over,
    trace,
    where,
)
from derive.backends import matrices as helpers
from derive.differentiate import matrix as differentiating
from derive.differentiate import partial
from derive.formula import assume, build, let
from derive.lower.definite import Definite
from derive.lower.symmetric import Symmetric
from derive.oracle import evaluate, point_from_arrays
from derive.simplify import matrix as simplifying
from derive.simplify import triangular as triangular_zeros
from derive.stability.matrices import of_matrices
from derive.terms import Algebra
from formulas import linear_models, matrices

b, n, d = axes("b n d")
k, m, l, e = n.alias("k"), n.alias("m"), n.alias("l"), d.alias("e")


def unregistered(function):
    return build(function, function.__name__, {})


@unregistered
def inverse_times(A: T[n, m], B: T[n, m]) -> T[()]:
    """tr(A⁻¹AB) = tr B."""
    X = inv(A)
    return sum_over((n, m, k), X[m, n] * A[n, k] * B[k, m])


@unregistered
def factor_times(A: T[n, m], B: T[n, m]) -> T[()]:
    """tr(LLᵀB) = tr(AB)."""
    assume(definite(A))
    L = cholesky(A)
    return sum_over((n, m, k), L[n, k] * L[m, k] * B[n, m])


@unregistered
def vectors_times(A: T[n, m], B: T[n, m]) -> T[()]:
    """tr(VVᵀB) = tr B."""
    _, V = eigh(A)
    return sum_over((n, m, k), V[n, k] * V[m, k] * B[n, m])


@unregistered
def root_times(A: T[n, m], B: T[n, m]) -> T[()]:
    """tr(SSB) = tr(AB), for S S = A."""
    assume(definite(A))
    S = sqrtm(A)
    return sum_over((n, m, k), S[n, k] * S[k, m] * B[m, n])


@unregistered
def orthonormal_times(A: T[b, n, d], B: T[d, e]) -> T[b]:
    """tr(QᵀQB) = tr B, for every matrix of a batch."""
    assume(d.size <= n.size)
    Q, _ = qr(A)
    return sum_over((n, d, e), Q[b, n, d] * Q[b, n, e] * B[d, e])


@unregistered
def traces(A: T[n, m]) -> T[()]:
    """tr e^A + tr √A + tr log A."""
    assume(definite(A))
    E, S, L = expm(A), sqrtm(A), logm(A)
    return trace(E) + trace(S) + trace(L)


@unregistered
def trace_of_square(A: T[n, m]) -> T[()]:
    """‖e^A‖²."""
    E = expm(A)
    return sum_over((n, m), E[n, m] ** 2)


@unregistered
def root_norm(A: T[n, m]) -> T[()]:
    """Σ S³, S = √A."""
    assume(definite(A))
    S = sqrtm(A)
    return sum_over((n, m), S[n, m] ** 3)


@unregistered
def logarithm_norm(A: T[n, m]) -> T[()]:
    """Σ L³, L = log A."""
    assume(definite(A))
    L = logm(A)
    return sum_over((n, m), L[n, m] ** 3)


@unregistered
def flowing(A: T[b, n, m], x: T[b, n], y: T[b, m]) -> T[b]:
    """xᵀ e^A y, of every matrix of a batch."""
    E = expm(A)
    return sum_over((n, m), x[b, n] * E[b, n, m] * y[b, m])


@unregistered
def modal(A: T[b, n, m], c: T[n]) -> T[b, n]:
    """X diag(c) λ of every matrix of a batch."""
    assume(real_spectrum(A))
    values, X = eig(A)
    return sum_over(k, X[b, n, k] * c[k] * values[b, k])


@unregistered
def log_determinant_by_factor(A: T[n, m]) -> T[()]:
    """log det A = 2 Σ log L_nn."""
    assume(definite(A))
    L = cholesky(A)
    return 2 * sum_over(n, log(L[n, n]))


@unregistered
def batched_form(A: T[b, n, m], x: T[b, n]) -> T[b]:
    """xᵀA⁻¹x of every matrix of a batch."""
    solved = solve(A, x)
    return sum_over(n, x[b, n] * solved[b, n])


@unregistered
def shadowed(A: T[n, m], x: T[n]) -> T[n]:
    """Letters that are bound by the inverse, by sums and outside: all called n or m at some place."""
    X = inv(A)
    Y = let("Y", sum_over(k, X[m, k] * X[k, n]))
    return sum_over(m, X[n, m] * x[m]) + X[n, n] * sum_over((n, m), Y[m, n] * x[n] * x[m])


@unregistered
def inverse_of_a_function(A: T[n, m]) -> T[n, m]:
    """(A Aᵀ + 1)⁻¹ with the letters exchanged on the way."""
    M = let("M", sum_over(k, A[n, k] * A[m, k]) + sum_over(k, A[k, m] * A[k, n]))
    return inv(M)[m, n] * A[n, m]


@unregistered
def determinant_of_determinants(A: T[b, n, m]) -> T[()]:
    """A product over matrices, each with its own letters."""
    return sum_over(b, det(A) * logdet(A)) + sum_over(b, trace(A))


FORMULAS = [
    inverse_times, factor_times, vectors_times, log_determinant_by_factor, batched_form, shadowed,
    inverse_of_a_function, determinant_of_determinants, root_times, orthonormal_times, traces, flowing, modal,
]  # fmt: skip


@pytest.mark.parametrize("f", FORMULAS, ids=lambda f: f.name)
def test_verified(f):
    report = verify(f, trials=6)
    assert report.passed, report


SECOND = [catalogue[name] for name in ("determinant", "log_determinant", "matrix_inverse", "symmetric_eigenvectors")]


@pytest.mark.parametrize("f", SECOND, ids=lambda f: f.name)
def test_tangents_and_jacobians(f):
    assert jvp(f).verify(trials=4).passed
    assert jacobian(f, "A").verify(trials=4).passed


@pytest.mark.parametrize("name", ["determinant", "stein_loss", "gaussian_kl"])
def test_second_derivatives(name):
    """∂²log det: −(A⁻¹)(A⁻¹), and so on, against differences of gradients."""
    f = catalogue[name]
    report = hessian(f, f.tensors[0].name).verify(trials=3)
    assert report.passed, report


# Known values


def test_facts_are_used():
    """What defines a function is known: A⁻¹A = 1, LLᵀ = A, VVᵀ = 1."""
    assert gradient(inverse_times, "A").result == 0
    assert str(gradient(factor_times, "B").result) == "A[n, m]"
    assert str(gradient(vectors_times, "B").result) == "delta(n, m)"


def test_a_symmetric_matrix_has_a_symmetric_inverse():
    """By assumption, and by definition: also of a kernel of distances."""
    assert str(gradient(catalogue["gaussian_process"], "y").result) == "-alpha[n]"
    assert str(gradient(catalogue["quadratic_minimiser"], "c").result).count("Q") == 1


@pytest.mark.parametrize(
    "entries, found",
    [
        ("determinant", [["A_11", "-A_10"], ["-A_01", "A_00"]]),
        ("log_determinant", [["A_011/D", "-A_010/D"], ["-A_001/D", "A_000/D"]]),
    ],
)
def test_written_out(entries, found):
    derived = gradient(catalogue[entries]).at(N=2, **({"B": 1} if entries == "log_determinant" else {}))
    names = {f"A_{i}{j}": Symbol(f"A_{i}{j}", real=True) for i in range(2) for j in range(2)}
    names |= {f"A_0{i}{j}": Symbol(f"A_0{i}{j}", real=True) for i in range(2) for j in range(2)}
    names["D"] = names["A_000"] * names["A_011"] - names["A_001"] * names["A_010"]
    if entries == "log_determinant":
        derived = derived[0]
    for i in range(2):
        for j in range(2):
            wanted = sympy.sympify(found[i][j], locals=names)
            own = derived[i, j].xreplace({Symbol("g_0", real=True): 1})
            assert sympy.simplify(own - wanted) == 0


def test_eigenvalues_are_not_written_out():
    with pytest.raises(Exception, match="no explicit form for eigenv"):
        gradient(catalogue["symmetric_eigenvalues"]).at(N=2)


# The check can fail: kernels and defining equations, broken


def minus(poly):
    return Algebra.scaled(poly, -1)


def double(poly):
    return Algebra.scaled(poly, 2)


def missing(poly):
    return poly[1:]


USES = {
    "inv": "matrix_inverse",
    "det": "determinant",
    "logdet": "log_determinant",
    "cholesky": "cholesky_factor",
    "eigenvalue": "symmetric_eigenvalues",
    "eigenvector": "symmetric_eigenvectors",
    "singular_value": "singular_values",
    "left_vector": "left_singular_vectors",
    "right_vector": "right_singular_vectors",
    "orthonormal_factor": "orthonormal_factor",
    "triangular_factor": "triangular_factor",
    "general_eigenvalue": "real_eigenvalues",
    "general_eigenvector": "real_eigenvectors",
    "exponential": "matrix_exponential",
    "square_root": "matrix_square_root",
    "logarithm": "matrix_logarithm",
}


@pytest.mark.parametrize("spoil", [minus, double, missing], ids=lambda s: s.__name__)
@pytest.mark.parametrize("label", USES)
def test_a_broken_kernel_is_caught(label, spoil, monkeypatch):
    original = differentiating.KERNELS[label]
    monkeypatch.setitem(differentiating.KERNELS, label, lambda *given: spoil(original(*given)))
    assert not gradient(catalogue[USES[label]]).verify(trials=4).passed


def test_every_kernel_is_broken():
    slopes = {slope.name for slope in SLOPES.values()} | {"exponential_curvature"}  # below; and refused
    assert set(USES) | slopes == set(differentiating.KERNELS) and set(USES) <= set(partial.REDUCED)


@pytest.mark.parametrize("spoil", [double, missing], ids=lambda s: s.__name__)
@pytest.mark.parametrize(
    "label, f",
    [("inv", inverse_times), ("cholesky", factor_times), ("eigenvector", vectors_times), ("square_root", root_times)],
)
def test_a_broken_definition_is_caught(label, f, spoil, monkeypatch):
    """The constant of the equation, spoiled: A⁻¹A = 2, or 0."""
    original = simplifying.DEFINING[label]

    def broken(named):
        for equation in original(named):
            first = [one for one in equation if one[0][1]]
            yield (*spoil([one for one in equation if not one[0][1]]), *first)

    monkeypatch.setitem(simplifying.DEFINING, label, broken)
    assert not gradient(f).verify(trials=4).passed


def test_a_symmetry_that_does_not_hold_is_caught(monkeypatch):
    monkeypatch.setattr(simplifying, "_symmetric", lambda x, i, j, normal: True)
    assert not gradient(catalogue["linear_system"]).verify(trials=4).passed


# Bad input


def declared(body, returns=T[()], **shapes):
    def f(**given):
        return body(**given)

    import inspect

    f.__signature__ = inspect.Signature([inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in shapes])
    f.__annotations__ = {**shapes, "return": returns}
    return build(f, "f", {})


WRONG = [
    (lambda A: det(A), {"A": T[n, d]}, r"det: expected a square matrix, given A\[n, d\] of N × D; write T\[n, n.alias"),
    (lambda A: logdet(A), {"A": T[n]}, r"logdet: expected a matrix, given A\[n\]"),
    (
        lambda A: trace(A[n, m]),
        {"A": T[n, m]},
        r"trace: expected a tensor, such as A or let\('M', …\), given A\[n, m\]",
    ),
    (lambda A, x: solve(A, x)[n], {"A": T[n, m], "x": T[d]}, r"solve: expected an axis of length N on the right"),
    (lambda A: solve(A, 3)[n], {"A": T[n, m]}, "solve: expected a tensor on the right, given 3"),
    (lambda A: cholesky(A)[n, d], {"A": T[n, d]}, "cholesky: expected a square matrix"),
    (lambda A: inv(A)[m, d], {"A": T[n, m], "x": T[d]}, "A_inv"),
    (lambda A: eigh(A)[0][d], {"A": T[n, m], "x": T[d]}, "A_eigval"),
]


@pytest.mark.parametrize("body, shapes, text", WRONG)
def test_wrong_matrices_are_named(body, shapes, text):
    with pytest.raises(ShapeError, match=text):
        declared(lambda A, x=None: body(A, x) if body.__code__.co_argcount == 2 else body(A), **shapes)


SINGULAR = np.ones((2, 2))
REFUSED = [
    ("matrix_inverse", {"A": SINGULAR}, r"matrix_inverse: .*np\.linalg\.inv\(A\): the matrix is singular"),
    (
        "linear_system",
        {"A": SINGULAR, "b": np.ones(2)},
        r"linear_system: .*lu_factors\(A\): the matrix is singular: of shape \(2, 2\), column 2 is a combination",
    ),
    ("cholesky_factor", {"A": -SINGULAR}, r"cholesky_factor: .*cholesky\(t\): the matrix is not positive definite"),
    ("symmetric_eigenvectors", {"A": np.eye(2)}, "symmetric_eigenvectors: .*two eigenvalues are equal"),
    ("log_determinant", {"A": np.stack([np.eye(2), SINGULAR])}, "log_determinant: .*the matrix is singular"),
    ("right_singular_vectors", {"A": np.eye(2)}, "two singular values are equal, or one is 0"),
    ("triangular_factor", {"A": SINGULAR}, "the columns of the matrix depend on each other"),
    ("real_eigenvalues", {"A": np.array([[0.0, 1.0], [-1.0, 0.0]])}, "the matrix has complex eigenvalues"),
    ("real_eigenvectors", {"A": np.eye(2)}, "two eigenvalues are equal"),
    ("matrix_square_root", {"A": -np.eye(2)}, "the matrix is not positive definite"),
    ("matrix_logarithm", {"A": SINGULAR}, "the matrix is not positive definite"),
]


@pytest.mark.parametrize("name, given, text", REFUSED)
def test_matrices_without_an_answer_are_refused(name, given, text):
    """NumPy's error, with the formula and the statement."""
    with pytest.raises(np.linalg.LinAlgError, match=text):
        to_numpy(catalogue[name]).forward(**given)


@pytest.mark.parametrize("name, given, text", REFUSED)
def test_emitted_modules_refuse_too(name, given, text):
    """Without the formula and the statement, which Python's traceback shows."""
    space = {}
    exec(to_numpy(catalogue[name]).source, space)
    with pytest.raises(np.linalg.LinAlgError, match=r"(?i)singular|definite|equal|depend|complex"):
        space["forward"](**given)


def test_a_backward_pass_refuses_too():
    module = to_numpy(catalogue["determinant"])
    _, saved = module.forward(A=SINGULAR)
    with pytest.raises(np.linalg.LinAlgError, match=r"determinant: .*the matrix is singular"):
        module.backward(1.0, saved)


UNEVEN = np.array([[2.0, 0.5], [0.4, 1.0]])


def test_a_matrix_that_is_read_by_one_triangle_is_checked():
    """By its factor; two entries that differ by rounding are no reason."""
    module = to_numpy(catalogue["gaussian_log_likelihood"])
    given = {"x": np.zeros((2, 2)), "mu": np.zeros(2)}
    text = r"not symmetric: of shape \(2, 2\), \[0, 1\] is 0.5, \[1, 0\] is 0.4"
    with pytest.raises(np.linalg.LinAlgError, match=text):
        module.forward(**given, Sigma=UNEVEN)
    near = np.array([[2.0, 0.5], [0.5 + 1e-12, 1.0]])
    for dtype in (np.float64, np.float32):
        assert np.isfinite(module.forward(**{k: v.astype(dtype) for k, v in (given | {"Sigma": near}).items()})[0])


@unregistered
def inverse_form(A: T[n, m], x: T[n]) -> T[()]:
    """xᵀA⁻¹x + log det A, where xᵀAx > 0."""
    assume(definite_part(A))
    y = solve(A, x)
    return sum_over(n, x[n] * y[n]) + logdet(A)


def test_what_is_definite_is_symmetric():
    """Only the part of it may be meant: then nothing is read as symmetric."""
    text = gradient(inverse_form, "A").explain(notation="matrix")
    assert "= A⁻ᵀ − A⁻ᵀ x x_solvedᵀ\n" in text and "λ(sym A) > 0" in text
    value, gradients = to_numpy(inverse_form).value_and_grad(A=UNEVEN, x=np.ones(2))
    assert np.isclose(value, np.linalg.inv(UNEVEN).sum() + np.log(np.linalg.det(UNEVEN)))
    assert not np.allclose(gradients["A"], gradients["A"].T)
    assert [str(s.rel_op) for s in definite(Tensor("A", (n, m)))] == ["==", ">"]


def test_assumptions_on_matrices_are_checked():
    module = to_numpy(catalogue["gaussian_log_likelihood"])
    given = {"x": np.zeros((2, 2)), "mu": np.zeros(2)}
    module.check(**given, Sigma=np.eye(2))
    with pytest.raises(AssumptionError, match="eigenvalue"):
        module.check(**given, Sigma=np.diag([1.0, -1.0]))
    with pytest.raises(AssumptionError, match="Sigma"):
        module.check(**given, Sigma=np.array([[1.0, 0.5], [0.0, 1.0]]))


# What a reader sees

NOTATION = [
    ("matrix_inverse", "A", "−Yᵀ G Yᵀ"),
    ("determinant", "A", "L A⁻ᵀ"),
    ("linear_system", "A", "−A⁻ᵀ g yᵀ"),
    ("linear_system", "b", "A⁻ᵀ g"),
    ("symmetric_eigenvalues", "A", "V(sym A) diag(g) V(sym A)ᵀ"),
    ("nuclear_norm", "A", "U(A) V(A)ᵀ"),
    ("matrix_cube", "A", "Aᵀ G Aᵀ + G A₂ᵀ + A₂ᵀ G"),
    ("gaussian_process", "y", "−α"),
    ("stein_loss", "A", "B_inv − A⁻¹"),
    ("fisher_ratio", "between", "W inner_inv Wᵀ"),
    ("linear_fixed_point", "b", "M⁻ᵀ g"),
    ("real_eigenvalues", "A", "X(A)⁻ᵀ diag(g) X(A)ᵀ"),
    ("acyclicity", "W", "2 (W ⊙ squares_expᵀ)"),
    ("inverse_wishart_log_density", "X", "(X_inv Ψ X_inv − (1 + I + ν) X_inv) / 2"),
    ("matrix_normal_log_density", "M", "U_inv R V_inv"),
]


@pytest.mark.parametrize("name, wrt, wanted", NOTATION)
def test_matrix_notation(name, wrt, wanted):
    text = gradient(catalogue[name], wrt).explain(notation="matrix")
    assert f"= {wanted}\n" in text, text


@unregistered
def volume_of_span(X: T[n, d], A: T[n, m]) -> T[()]:
    assume(definite(A))
    return det(let("M", sum_over((n, m), X[n, d] * A[n, m] * X[m, e])))


@unregistered
def scatter_ratio(X: T[n, d], A: T[n, m], B: T[n, m]) -> T[()]:
    for S in (A, B):
        assume(definite(S))
    W = inv(let("M", sum_over((n, m), X[n, d] * A[n, m] * X[m, e])))
    return sum_over((n, m, d, e), W[d, e] * X[n, e] * B[n, m] * X[m, d])


@unregistered
def form_by_factor(A: T[n, m], x: T[n]) -> T[()]:
    """xᵀA⁻¹x = ‖L⁻¹x‖²."""
    assume(definite(A))
    z = let("z", solve(cholesky(A), x)[m])
    return sum_over(n, z[n] ** 2)


COOKBOOK = [
    (volume_of_span, "X", "2 L A X M⁻¹"),
    (scatter_ratio, "X", "2 (B X M_inv − A X M_inv Xᵀ B X M_inv)"),
    (form_by_factor, "A", "−A_chol⁻ᵀ z zᵀ A_chol⁻¹"),
]


@pytest.mark.parametrize("f, wrt, wanted", COOKBOOK, ids=[f.name for f, _, _ in COOKBOOK])
def test_what_is_symmetric_has_no_transpose(f, wrt, wanted):
    """Petersen and Pedersen (2012), eqs. 53, 126 and 61: as they are there, or by factors that stand in the formula."""
    derived = gradient(f, wrt)
    assert f"= {wanted}\n" in derived.explain(notation="matrix")
    assert derived.verify(trials=2).passed


def test_index_notation():
    text = gradient(catalogue["cholesky_factor"]).explain(detail="brief")
    assert "A_chol[n, m] = chol(A)_nm" in text and "λ(A)_k > 0" in text and "(y⁻¹)_m′m" in text
    tex = gradient(catalogue["log_determinant"]).latex()
    assert r"\log \lvert\det A_b\rvert" in tex and r"A_b^{-1}" in tex


# Code


def test_systems_are_solved_and_named_inverses_made_once():
    source = to_numpy(catalogue["linear_system"], backend="numpy").source
    forward, backward = source.split("def backward")
    assert "lu_factors(A)" in forward and "lu_factors(" not in backward.split("def checked")[0]
    source = to_numpy(catalogue["gaussian_log_likelihood"]).source
    assert source.count("definite_inverse(") == 3  # in forward, in value_and_grad, and where it is defined


# How often a matrix is factorised, and by which law: in forward with backward, and in value_and_grad.
FACTORISED = {
    "gaussian_process": ("definite_factor(K)", 2),
    "gaussian_log_likelihood": ("symmetric_factor(Sigma)", 2),
    "kalman_log_likelihood": ("definite_factor(S)", 2),
    "ridge_validation_loss": ("definite_factor(gram)", 2),
    "factor_analysis": ("definite_factor(C)", 2),
    "low_rank_log_determinant": ("definite_factor(small)", 2),
    "ridge_regression": ("definite_factor(gram)", 1),
    "linear_fixed_point": ("lu_factors(M)", 1),
}


@pytest.mark.parametrize("name", FACTORISED)
def test_a_matrix_is_factorised_once(name):
    source = to_numpy(catalogue[name]).source.split("def checked")[0]
    call, times = FACTORISED[name]
    assert source.count(call) == source.count(call.split("(")[0]) == times
    assert "np.linalg" not in source


X, y, z, s = Tensor("X", (n, d)), Tensor("y", (n,)), Tensor("z", (d,)), Scalar("s")
APART = sum_over(d, (X[n, d] - X[m, d]) ** 2)
GRAMS = [
    (sum_over(d, X[n, d] * X[m, d]), True),
    (sum_over(d, z[d] ** 2 * X[n, d] * X[m, d]) + one_hot(n, m), True),
    (sum_over(d, z[d] * X[n, d] * X[m, d]), False),  # weights of any sign
    (y[n] ** 2 * one_hot(n, m), True),
    (y[n] * one_hot(n, m), False),
    (y[n] * y[m] * exp(-APART), True),
    (exp(APART), False),
    (s * exp(-APART), False),
    (s**2 * exp(-sqrt(APART) / 3) + y[n] * y[m], True),
    (1 / (1 + APART), True),
    (1 / (APART - 1), False),
    (exp(-APART) - one_hot(n, m), False),
    ((1 + sum_over(d, X[n, d] * X[m, d])) ** 3, True),
    (X[n, d] * X[m, d], True),
    (y[n] + y[m], False),
]


@pytest.mark.parametrize("entry, definite_", GRAMS)
def test_which_matrices_are_known_to_be_definite(entry, definite_):
    """By sums, products entry by entry, powers, and distances; and where it is said, no counterexample is found."""
    known = Definite(())
    assert known.proved(entry, (n, m)) is definite_
    rng = np.random.default_rng(3)
    point = point_from_arrays(
        (X, y, z),
        {"X": rng.normal(size=(5, 2)), "y": rng.normal(size=5), "z": rng.normal(size=2), "s": -2.0},
        scalars=[s],
    )
    whole = evaluate(entry, point, (*(a for a in (d,) if a in free_axes(entry)), n, m))
    least = np.linalg.eigvalsh((whole + np.swapaxes(whole, -1, -2)) / 2).min()
    assert (least > -1e-12) or not definite_


def test_signs_of_exchanged_letters():
    u = Tensor("u", (n, d, m), body=X[m, d] - X[n, d])
    known = Symmetric(())
    assert known.pairs(u) == ((0, 2, -1),)
    assert known.ordered(sum_over(m, u[m, d, n]), (n, d)) == -sum_over(m, u[n, d, m])
    assert known.parity(APART, (n, m)) == 1 and known.parity(y[n] - 2 * y[m], (n, m)) == 0


def test_of_what_is_symmetric_one_sum_is_made():
    source = to_numpy(catalogue["gaussian_process"]).source.split("def checked")[0]
    products = re.findall(r"\(u\w* @ ", source)  # backward, value_and_grad
    assert len(products) + source.count("[..., 0]") == 4 and ".T\n" not in source


@pytest.mark.parametrize("name", ["definite_factor", "lu_factors"])
def test_factors_without_scipy(name, monkeypatch):
    """The same numbers by NumPy alone."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(150, 150))
    A, b = (A @ A.T + np.eye(150) if name == "definite_factor" else A), rng.normal(size=(150, 2))
    expected = (np.linalg.solve(A, b), np.linalg.inv(A), np.linalg.slogdet(A)[1])
    for without in (False, True):
        if without:
            monkeypatch.setattr(helpers, "lapack", lambda name, array: None)
        if name == "definite_factor":
            made = (helpers.definite_factor(A),)
            found = [getattr(helpers, f"definite_{what}") for what in ("solve", "inverse", "logdet")]
            given = ((*made, b), made, made)
        else:
            made = helpers.lu_factors(A)
            found = [getattr(helpers, f"lu_{what}") for what in ("solve", "inverse", "logdet")]
            given = ((*made, b, 0), made, made)
            np.testing.assert_allclose(helpers.lu_solve(*made, b, 1), np.linalg.solve(A.T, b), rtol=1e-8)
        for function, arguments, right in zip(found, given, expected, strict=True):
            np.testing.assert_allclose(function(*arguments), right, rtol=1e-7, atol=1e-9)


NOT_DEFINITE = [np.array([[1.0, 2.0], [2.0, 1.0]]), np.ones((3, 3)), np.diag([1.0, 0.0])]


@pytest.mark.parametrize("matrix", NOT_DEFINITE)
def test_what_is_not_definite_is_refused(matrix):
    """Also where it is singular but for rounding; rows of other units are no reason."""
    module = to_numpy(catalogue["gaussian_log_likelihood"])
    x, mu = np.zeros((2, len(matrix))), np.zeros(len(matrix))
    with pytest.raises(np.linalg.LinAlgError, match=r"gaussian_log_likelihood: .*not positive definite: of shape"):
        module.value_and_grad(x=x, mu=mu, Sigma=matrix)
    units = np.diag([1.0, 1e-150])[: len(matrix), : len(matrix)]
    if len(units) == len(matrix):
        assert np.isfinite(module.value_and_grad(x=x, mu=mu, Sigma=units)[0])


def test_factors_keep_the_digits():
    """Beside 60 digits, on a covariance of condition 1e7: as many are lost as the condition says."""
    rng = np.random.default_rng(0)
    X, y = 0.3 * rng.normal(size=(8, 2)), rng.normal(size=8)
    given = {"X": X, "y": y, "noise": 1e-3}
    value, gradients = to_numpy(catalogue["gaussian_process"]).value_and_grad(**given)
    with mpmath.workdps(60):
        apart = [
            [mpmath.fsum((mpmath.mpf(a) - mpmath.mpf(b)) ** 2 for a, b in zip(u, v, strict=True)) for v in X] for u in X
        ]
        K = mpmath.matrix([[mpmath.exp(-r / 2) for r in row] for row in apart]) + mpmath.mpf(1e-3) ** 2 * mpmath.eye(8)
        right = mpmath.matrix(y)
        alpha = mpmath.lu_solve(K, right)
        expected = -((right.T * alpha)[0] + mpmath.log(mpmath.det(K)) + 8 * mpmath.log(2 * mpmath.pi)) / 2
        condition = float(mpmath.mnorm(K, 1) * mpmath.mnorm(mpmath.inverse(K), 1))
        assert abs(float(value - expected)) < 1e-15 * condition * abs(expected)
        worst = max(abs(float(a + b)) for a, b in zip(gradients["y"], alpha, strict=True))
        assert worst < 1e-15 * condition * float(mpmath.mnorm(alpha, mpmath.inf))


def test_float32_stays():
    A = np.array([[2.0, 0.5], [0.5, 1.0]], dtype=np.float32)
    for name in USES.values():
        module = to_numpy(catalogue[name])
        y, saved = module.forward(A=A[None] if name == "log_determinant" else A)
        assert np.asarray(y).dtype == np.float32
        assert module.backward(np.ones_like(y), saved)["A"].dtype == np.float32


LAPACK = {
    "matrix_inverse": Rational(8, 3),
    "determinant": Rational(2, 3),
    "linear_system": Rational(2, 3),
    "cholesky_factor": Rational(1, 3),
    "symmetric_eigenvalues": Rational(4, 3),
    "real_eigenvalues": 25,
    "matrix_exponential": Rational(44, 3),
    "matrix_square_root": 11,
}


@pytest.mark.parametrize("name", LAPACK)
def test_leading_terms_of_the_cost(name):
    flops = to_numpy(catalogue[name]).cost.forward.flops
    (size,) = flops.free_symbols
    assert sympy.Poly(flops, size).nth(3) == LAPACK[name]


def test_a_factorisation_is_made_once():
    """U and V are parts of one call, Q and R, λ and X."""
    for name, call in (("left_singular_vectors", "singular_vectors"), ("triangular_factor", "qr_factors"),
                       ("real_eigenvectors", "eigenpairs")):  # fmt: skip
        source = to_numpy(catalogue[name]).source
        body = source[source.index("def forward") : source.index("\ndef checked")]
        assert body.count(f"{call}(A)") == body.count("def forward")


def test_traces_have_their_closed_form():
    """∂tr e^A = e^{Aᵀ}, ∂tr √A = A^{−1/2}/2, ∂tr log A = A⁻¹: no slope is left."""
    assert "slope(" not in f"{gradient(traces).result} {to_numpy(traces).source}"


@unregistered
def log_volume(A: T[n, d]) -> T[()]:
    """Σ log R_kk = ½ log det AᵀA."""
    assume(d.size <= n.size)
    _, R = qr(A)
    return sum_over(d, log(R[d, d]))


def test_triangular_factors_have_zeros():
    """∂ Σ log L_nn = ½ A⁻¹ and ∂ Σ log R_kk = Q R⁻ᵀ: nothing is left of what is beyond the diagonals."""
    assert "= A⁻¹\n" in gradient(log_determinant_by_factor).explain(notation="matrix")
    assert "= Q(A) A_triangular⁻ᵀ\n" in gradient(log_volume).explain(notation="matrix")
    assert gradient(log_volume).verify(trials=4).passed


@unregistered
def log_determinant_by_named_factor(A: T[n, m]) -> T[()]:
    assume(definite(A))
    L = let("L", cholesky(A)[n, m])
    return sum_over(n, log(L[n, n]))


def test_a_name_of_a_triangular_factor_is_triangular():
    """`let` gives the factor another name: its zeros stay."""
    assert "= A⁻¹ / 2\n" in gradient(log_determinant_by_named_factor).explain(notation="matrix")


@unregistered
def squeezed_determinant(X: T[n, d], A: T[n, m]) -> T[()]:
    return det(let("M", sum_over((n, m), X[n, d] * A[n, m] * X[m, e])))


def test_a_determinant_is_a_number_in_matrix_notation():
    """L itself stands in its gradient: an entry without indices."""
    assert "M" in gradient(squeezed_determinant).explain(notation="matrix")


@unregistered
def below_the_diagonal(A: T[n, m]) -> T[()]:
    assume(definite(A))
    factor = cholesky(A)
    return sum_over((n, m), where(n > m, factor[n, m] ** 2, 0))


def test_a_wrong_triangle_is_caught(monkeypatch):
    assert gradient(below_the_diagonal).verify(trials=4).passed
    monkeypatch.setitem(triangular_zeros.LOWER, "cholesky", False)
    assert not gradient(below_the_diagonal).verify(trials=4).passed


def test_a_slope_is_applied_and_not_made():
    source = to_numpy(flowing).source
    assert "exponential_slope(A.mT, " in source and "slopes(" not in source


@unregistered
def square_of_logarithm(A: T[n, m], B: T[n, m]) -> T[()]:
    """Σ (log A)² ⊙ B."""
    assume(definite(A))
    L = logm(A)
    return sum_over((n, m), L[n, m] ** 2 * B[n, m])


@unregistered
def flows(A: T[b, n, m], x: T[b, n]) -> T[()]:
    """Σ xᵀ e^A x, of a batch."""
    E = expm(A)
    return sum_over((b, n, m), x[b, n] * E[b, n, m] * x[b, m])


BENT = [trace_of_square, root_norm, square_of_logarithm, flows]


@pytest.mark.parametrize("f", BENT, ids=str)
def test_second_derivatives_along_a_direction(f):
    """Pearlmutter's products beside differences of gradients: no slope and no curvature is an array."""
    rng = np.random.default_rng(4)
    shapes = {t.name: tuple({b: 2}.get(a, 3) for a in t.axes) for t in f.trace().inputs}
    at = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    at["A"] = at["A"] @ at["A"].mT + np.eye(3)
    V, module, code = rng.normal(size=shapes["A"]), to_numpy(f), to_numpy(hvp(f, "A"))
    sides = [module.value_and_grad(**at | {"A": at["A"] + h * V})[1]["A"] for h in (1e-5, -1e-5)]
    np.testing.assert_allclose(code.forward(**at, A_dot=V)[0], (sides[0] - sides[1]) / 2e-5, rtol=1e-6, atol=1e-7)
    forward = code.functions.split("def backward")[0]
    assert "slopes(" not in forward and "curvatures(" not in forward


@pytest.mark.parametrize("label, f", [("exponential", trace_of_square), ("square_root", root_norm),
                                      ("logarithm", logarithm_norm)])  # fmt: skip
@pytest.mark.parametrize("spoil", [None, minus, double], ids=lambda s: getattr(s, "__name__", "as it is"))
def test_second_derivatives_and_broken_ones(label, f, spoil, monkeypatch):
    """Of 2 × 2 matrices: the Hessian beside differences, and its steps beside the linearised definition."""
    if spoil is not None:
        original = differentiating.KERNELS[f"{label}_slope"]
        monkeypatch.setitem(differentiating.KERNELS, f"{label}_slope", lambda *given: spoil(original(*given)))
    assert hessian(f, "A").verify(trials=2).passed is (spoil is None)


def test_curvatures_of_the_oracle():
    """Beside a difference of slopes, and in code beside the oracle; of every two directions it is symmetric."""
    from derive.oracle import MATRICES

    rng = np.random.default_rng(8)
    A, E = rng.normal(size=(2, 3, 3))
    found = MATRICES[ExponentialCurvature](A)
    sides = [MATRICES[ExponentialSlope](A + h * E) for h in (1e-5, -1e-5)]
    np.testing.assert_allclose(np.einsum("ijrcpq,pq->ijrc", found, E), (sides[0] - sides[1]) / 2e-5, atol=1e-7)
    np.testing.assert_allclose(helpers.curvatures(A), found, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found, found.transpose(0, 1, 4, 5, 2, 3))


def test_the_third_derivative_of_an_exponential_is_refused():
    """Also where it would be the gradient of a product: that is a forward function then."""
    curved = hvp(trace_of_square, "A")
    with pytest.raises(Unsupported, match="third derivative of the exponential of a matrix: there are laws for"):
        gradient(curved, "A")
    assert "def backward" not in to_numpy(curved).source and to_numpy(curved).verify(trials=2).passed


def test_what_other_libraries_lack_is_said():
    with pytest.raises(Unsupported, match="array API standard: it has no exponential of a matrix"):
        _ = to_numpy(catalogue["matrix_exponential"]).array_api.source


# Numbers of many digits


@pytest.mark.parametrize("kind", of_matrices(mpmath.MPContext()), ids=lambda kind: kind.__name__)
def test_precise_values_are_those_of_the_oracle(kind):
    from derive.oracle import MATRICES

    context = mpmath.MPContext()
    context.dps = 40
    A = np.random.default_rng(3).normal(size=(2, 3, 3))
    A = A @ A.swapaxes(-1, -2) + np.eye(3) / 10
    precise = of_matrices(context)[kind](np.frompyfunc(context.mpf, 1, 1)(A)).astype(float)
    assert np.allclose(precise, MATRICES[kind](A), rtol=1e-10, atol=1e-12)


def test_the_stability_report_reads_matrices():
    from derive.api.sweeping import stability

    rows = str(stability(catalogue["quadratic_minimiser"]))
    assert "d/dQ" in rows


def test_the_chapter_is_in_the_catalogue():
    assert {*matrices.__all__, *linear_models.__all__} <= set(catalogue)
