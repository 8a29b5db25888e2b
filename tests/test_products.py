"""H v, Jᵀ(∇²ℓ)J v and diag H against central differences; no matrix is formed."""

import tracemalloc

import numpy as np
import pytest

from derive import (
    DeriveError,
    NameProblem,
    Size,
    T,
    axes,
    axis,
    chain,
    exp,
    formula,
    gauss_newton,
    gradient,
    hessian_diagonal,
    hvp,
    sum_over,
    to_numpy,
    verify,
)
from formulas import (
    conv2d,
    ctc_loss,
    dense,
    kron,
    largest_singular_value,
    logistic_regression,
    mlp,
    softmax,
    softmax_cross_entropy,
    tanh,
)

b, n, d, c, h, v = axes("b n d c h v")
length = Size("length")


def point(f, seed=0, **lengths):
    """Random inputs; targets are distributions."""
    rng = np.random.default_rng(seed)
    sizes = {"B": 4, "N": 5, "D": 3, "C": 3, "I": 3, "O": 3, "H": 4} | lengths
    found = {t.name: rng.normal(size=[sizes[a.size.name[0]] for a in t.axes]) for t in f.trace().inputs}
    if "t" in found:
        found["t"] = softmaxed(found["t"])
    return found


def softmaxed(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def slope(f, at, names):
    code = to_numpy(f)
    _, saved = code.forward(**at)
    found = code.backward(saved=saved)
    return {name: found[name] for name in names}


def moved(at, names, directions, step):
    return at | {name: at[name] + step * directions[name] for name in names}


@pytest.mark.parametrize(
    ("f", "names"),
    [
        (logistic_regression, ("w",)),
        (softmax_cross_entropy, ("z",)),
        (mlp, ("w_1", "w_2")),
        (mlp, ("x", "w_1", "beta_1", "w_2", "beta_2")),
    ],
)
def test_hvp_is_the_slope_of_the_gradient(f, names):
    at = point(f)
    rng = np.random.default_rng(1)
    v = {name: rng.normal(size=at[name].shape) for name in names}
    made, _ = to_numpy(hvp(f, names)).forward(**at, **{f"{name}_dot": v[name] for name in names})
    step = 1e-5
    one, two = (slope(f, moved(at, names, v, sign * step), names) for sign in (1, -1))
    for name, product in zip(names, made if len(names) > 1 else [made], strict=True):
        expected = (one[name] - two[name]) / (2 * step)
        np.testing.assert_allclose(product, expected, rtol=1e-6, atol=1e-8)


@formula
def cubic(x: T[n]) -> T[()]:
    """Σ x³ + (Σ x)²: its Hessian is 6 diag x + 2, and its diagonal 6x + 2."""
    return sum_over(n, x[n] ** 3) + sum_over(n, x[n]) ** 2


def test_products_worked_by_hand():
    x, v = np.array([1.0, -2.0, 0.5]), np.array([0.3, 1.0, -1.0])
    product, _ = to_numpy(hvp(cubic, "x")).forward(x=x, x_dot=v)
    np.testing.assert_allclose(product, 6 * x * v + 2 * v.sum())
    diagonal, _ = to_numpy(hessian_diagonal(cubic, "x")).forward(x=x)
    np.testing.assert_allclose(diagonal, 6 * x + 2)


def test_the_diagonal_of_logistic_regression():
    """Σ_n s(1 − s) x²/N, where s = σ(Xw)."""
    at = point(logistic_regression)
    found, _ = to_numpy(hessian_diagonal(logistic_regression, "w")).forward(**at)
    s = 1 / (1 + np.exp(-at["X"] @ at["w"]))
    full = at["X"].T @ ((s * (1 - s))[:, None] * at["X"])
    code = to_numpy(hvp(logistic_regression, "w"))
    products = [code.forward(**at, w_dot=e)[0] for e in np.eye(len(at["w"]))]
    scale = products[0][0] / full[0, 0]  # the loss is a sum or a mean
    np.testing.assert_allclose(products, scale * full)
    np.testing.assert_allclose(found, scale * full.diagonal())


def test_gauss_newton_is_the_jacobian_twice_around_the_losss_curvature():
    model = chain(dense, tanh, dense, name="model")
    at = point(model)
    rng = np.random.default_rng(2)
    t = softmaxed(rng.normal(size=(4, 3)))
    names = ("w_1", "w_2")
    v = {name: rng.normal(size=at[name].shape) for name in names}
    product = gauss_newton(model, softmax_cross_entropy, names)
    found, _ = to_numpy(product).forward(**at, t=t, **{f"{name}_dot": v[name] for name in names})
    code, step = to_numpy(model), 1e-6
    value = lambda given: code.forward(**given)[0]  # noqa: E731
    pushed = (value(moved(at, names, v, step)) - value(moved(at, names, v, -step))) / (2 * step)
    p = softmaxed(value(at))
    curved = p * (pushed - (p * pushed).sum(-1, keepdims=True)) / len(t)
    _, saved = code.forward(**at)
    expected = code.backward(curved, saved)
    for name, got in zip(names, found, strict=True):
        np.testing.assert_allclose(got, expected[name], rtol=1e-6, atol=1e-9)


def test_a_linear_model_has_no_curvature_of_its_own():
    """Then Gauss-Newton is the Hessian."""
    at = point(dense)
    rng = np.random.default_rng(3)
    t, v = softmaxed(rng.normal(size=(4, 3))), rng.normal(size=at["w"].shape)
    whole = chain(dense, softmax_cross_entropy, name="linear_classifier")
    one, _ = to_numpy(gauss_newton(dense, softmax_cross_entropy, "w")).forward(**at, t=t, w_dot=v)
    two, _ = to_numpy(hvp(whole, "w")).forward(**at, t=t, w_dot=v)
    np.testing.assert_allclose(one, two, rtol=1e-12)


def test_no_matrix_is_formed():
    """The Hessian of 3000 weights would take 72 MB."""
    at = point(logistic_regression, N=20, D=3000)
    code = to_numpy(hvp(logistic_regression, "w"))
    code.forward(**at, w_dot=at["w"])
    tracemalloc.start()
    code.forward(**at, w_dot=at["w"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6


@pytest.mark.parametrize(
    "product", [hvp(mlp, "w_1"), hessian_diagonal(mlp, "w_2"), gauss_newton(dense, softmax_cross_entropy, "w")], ids=str
)
def test_a_product_is_a_formula(product):
    """It is derived, explained and checked like any other."""
    assert verify(product, trials=3)
    d_ = gradient(product)
    assert d_.verify(trials=2)
    assert "Expr" not in str(d_)


@formula
def half_squares(y: T[n, c, h, v]) -> T[()]:
    """½ Σ y²."""
    return sum_over((n, c, h, v), y[n, c, h, v] ** 2) / 2


@formula
def half_squares_of_a_matrix(y: T[h, v]) -> T[()]:
    """½ Σ y²."""
    return sum_over((h, v), y[h, v] ** 2) / 2


def test_gauss_newton_keeps_the_models_sizes():
    rng, sizes = np.random.default_rng(4), {"stride": 2, "padding": 1}
    x, weight = rng.normal(size=(2, 2, 6, 5)), rng.normal(size=(3, 2, 3, 3))
    way = rng.normal(size=weight.shape)
    product = gauss_newton(conv2d, half_squares, "weight", bias=False)
    found, _ = to_numpy(product).forward(input=x, weight=weight, weight_dot=way, **sizes)
    code = to_numpy(conv2d, bias=False)
    pushed, saved = code.forward(input=x, weight=way, **sizes)  # it is linear in its weights
    np.testing.assert_allclose(found, code.backward(pushed, saved)["weight"], rtol=1e-12)


@pytest.mark.parametrize("lengths", [(2, 3, 2, 2), (1, 1, 1, 1), (3, 1, 1, 2)])
def test_an_array_that_may_be_a_view_is_not_written_over(lengths):
    """Merged axes are a copy, or a view where lengths are 1: what they are a view of is still read."""
    rng, (i, j, k, l) = np.random.default_rng(5), lengths
    a, b_, da, db = (rng.normal(size=shape) for shape in ((i, j), (k, l), (i, j), (k, l)))
    made, _ = to_numpy(gauss_newton(kron, half_squares_of_a_matrix)).forward(
        input=a, other=b_, input_dot=da, other_dot=db
    )
    pushed = (np.kron(a, db) + np.kron(da, b_)).reshape(i, k, j, l)
    np.testing.assert_allclose(made[0], np.einsum("ikjl,kl->ij", pushed, b_), rtol=1e-12)
    np.testing.assert_allclose(made[1], np.einsum("ikjl,ij->kl", pushed, a), rtol=1e-12)


def test_an_assumption_may_have_definitions_of_its_own():
    """Of CTC: how long an input must be for its label."""
    assert "needed" in str(ctc_loss.trace().assumptions)
    assert gauss_newton(ctc_loss, half_squares_of_numbers, "log_probs", reduction="none").trace().outputs


@formula
def half_squares_of_numbers(y: T[n]) -> T[()]:
    """½ Σ y²."""
    return sum_over(n, y[n] ** 2) / 2


@formula
def of_a_length(x: T[n], w: T[axis("part", length)], *, length: Size) -> T[()]:
    """Σ x Σ w, of `length` weights."""
    return sum_over(n, x[n]) * sum_over(w.axes[0], w[w.axes[0]])


def test_a_keyword_may_be_the_length_of_an_input():
    given = {"x": np.ones(2), "w": np.ones(3)}
    assert to_numpy(of_a_length).forward(**given, length=3)[0] == 6
    with pytest.raises(DeriveError, match="w of length length along part, given length=2, given=3"):
        to_numpy(of_a_length).forward(**given, length=2)


def test_the_largest_singular_value_has_a_hessian():
    """Of σ_k with k the place of the largest: u and v are read at a place that is found."""
    rng = np.random.default_rng(6)
    A, V = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    found, _ = to_numpy(hvp(largest_singular_value, "A")).forward(A=A, A_dot=V)
    sides = [slope(largest_singular_value, {"A": A + sign * 1e-5 * V}, ["A"])["A"] for sign in (1, -1)]
    np.testing.assert_allclose(found, (sides[0] - sides[1]) / 2e-5, rtol=1e-6, atol=1e-8)


@formula
def taken_direction(x: T[n], x_dot: T[n]) -> T[()]:
    """The name of a direction is taken."""
    return sum_over(n, exp(x[n]) * x_dot[n])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hvp(dense, "w"), r"hvp of dense: expected a scalar output, given y\[b, o\]"),
        (lambda: hessian_diagonal(softmax, "z"), "hessian_diagonal of softmax: expected a scalar output"),
        (lambda: hvp(mlp, "w_3"), "w_3"),
        (lambda: gauss_newton(dense, dense, "w"), "gauss_newton of dense: expected a scalar output"),
        (lambda: gauss_newton(mlp, softmax_cross_entropy, "w_1"), "expected a loss of"),
        (lambda: hvp(exp, "x"), "expected a formula"),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(DeriveError, match=words):
        call()


def test_a_clash_of_names_is_refused():
    with pytest.raises(NameProblem, match="x_dot"):
        hvp(taken_direction, "x")
