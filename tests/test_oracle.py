"""The oracle against values worked out by hand in NumPy, one node kind a line."""

import math
from dataclasses import replace

import numpy as np
import pytest
import sympy
from sympy import erf, exp, log, sin, sqrt, tanh

from derive.axes import (
    AdjointOf,
    Axis,
    Bool,
    Delta,
    DeriveError,
    Int,
    MaxOver,
    NameProblem,
    Scalar,
    ShapeError,
    Size,
    T,
    TangentOf,
    Tensor,
    Unsupported,
    Where,
    absolute,
    axes,
    axis,
    clip,
    equals,
    logsumexp_over,
    maximum,
    mean_over,
    minimum,
    one_hot,
    prod_over,
    sigmoid,
    softplus,
    sum_over,
    where,
)
from derive.oracle import Point, evaluate, evaluate_at, length, point_from_arrays

i, j, k = axes("i j k")
m, i2 = i.alias("m"), i.alias("i2")
i_long = Axis("i", k.size)  # the same letter with another length: another axis
eps, s = Scalar("eps"), Size("s")

x, u, y, a = Tensor("x", (i, j)), Tensor("u", (i,)), Tensor("y", (j, k)), Tensor("a", (i, m))
long = Tensor("long", (k,))
idx, mask = Tensor("idx", (i,), dtype="int", bound=k.size), Tensor("mask", (i, j), dtype="bool")
unit = Tensor("unit", ())

rng = np.random.default_rng(0)
X, U, Y, A, LONG = (rng.normal(size=shape) for shape in [(3, 2), (3,), (2, 4), (3, 3), (4,)])
IDX, MASK, UNIT = np.array([2, 0, 3]), np.array([[1, 0], [0, 0], [1, 1]], bool), np.array(0.7)
POINT = Point(
    {"x": X, "u": U, "y": Y, "a": A, "long": LONG, "idx": IDX, "mask": MASK, "unit": UNIT},
    {i.size: 3, j.size: 2, k.size: 4, s: 5},
    {"eps": 0.25},
)
I3 = np.eye(3)
POS = np.abs(X) + 1
inner = sum_over(j, x[i, j] * y[j, k])

VALUES = [
    # entries and letters
    (x[i, j], (i, j), X),
    (x[i, j], (j, i), X.T),
    (x[m, j], (m, j), X),
    (a[i, i], (i,), np.diag(A)),
    (a[m, i], (i, m), A.T),
    (unit[()], (), UNIT),
    (unit[()], (i,), np.full(3, 0.7)),
    (i - u[i], (i,), np.arange(3) - U),
    (i * 1, (i,), np.arange(3)),
    (idx[i] * 1, (i,), IDX),
    (u[i], (i, j), np.repeat(U[:, None], 2, 1)),
    # numbers, lengths, parameters
    (sympy.Integer(2), (), 2),
    (sympy.Rational(1, 3), (), 1 / 3),
    (sympy.pi + 0, (), math.pi),
    (sympy.E * 1, (), math.e),
    (sympy.oo, (), math.inf),
    (i.size + 1, (), 4),
    (s * 2, (), 10),
    (eps**2, (), 0.0625),
    (sqrt(k.size), (), 2),
    # reductions
    (sum_over(j, x[i, j]), (i,), X.sum(1)),
    (sum_over((i, j), x[i, j]), (), X.sum()),
    (mean_over((i, j), x[i, j] ** 2), (), (X**2).mean()),
    (prod_over(i, x[i, j]), (j,), X.prod(0)),
    (MaxOver(x[i, j], i), (j,), X.max(0)),
    (MaxOver(x[i, j], i, j), (), X.max()),
    (logsumexp_over(j, x[i, j]), (i,), np.log(np.exp(X).sum(1))),
    (sum_over(k, u[i]), (i,), 4 * U),
    (sum_over(i, 1), (), 3),
    (prod_over(k, 2), (), 16),
    (mean_over(k, u[i]), (i,), U),
    (MaxOver(u[i], k), (i,), U),
    (inner, (i, k), X @ Y),
    (mean_over(i, sum_over(k, inner)), (), (X @ Y).sum(1).mean()),
    # nested and shadowed binders
    (sum_over(i, u[i] * sum_over(m, u[m])), (), U.sum() ** 2),
    (sum_over(i, u[i] * sum_over(i, u[i])), (), U.sum() ** 2),
    (u[i] / sum_over(i, u[i]), (i,), U / U.sum()),
    (sum_over(i, x[i, j] / sum_over(i, exp(x[i, j]))), (j,), X.sum(0) / np.exp(X).sum(0)),
    (sum_over(i, u[i] * sum_over(m, a[i, m] * sum_over(i, a[m, i]))), (), U @ A @ A.sum(1)),
    (sum_over(i, a[i, m] * u[m]), (m,), A.sum(0) * U),
    # axes of equal length, and equal letters of different length
    (sum_over(i, u[i] * Delta(i, m)), (m,), U),
    (a[i, m] * u[i2], (i, m, i2), A[:, :, None] * U),
    (u[i] * long[i_long], (i, i_long), U[:, None] * LONG),
    (sum_over(i, u[i]) * long[i_long], (i_long,), U.sum() * LONG),
    (sum_over(i, u[i] * sum_over(i_long, long[i_long] * u[i])), (), (U**2).sum() * LONG.sum()),
    # deltas and choices
    (Delta(i, m), (i, m), I3),
    (Delta(i, i), (i,), np.ones(3)),
    (one_hot(idx[i], k), (i, k), np.eye(4)[IDX]),
    (sum_over(k, one_hot(idx[i], k) * long[k]), (i,), LONG[IDX]),
    (where(x[i, j] > 0, x[i, j], 0), (i, j), np.maximum(X, 0)),
    (where(mask[i, j], x[i, j], -1), (i, j), np.where(MASK, X, -1)),
    (where(equals(idx[i], 3), u[i], 0), (i,), U * (IDX == 3)),
    (where(sympy.Ne(i, m), a[i, m], 0), (i, m), A - np.diag(np.diag(A))),
    (where(m <= i, a[i, m], 0), (i, m), np.tril(A)),
    (where(m < i, a[i, m], 0), (i, m), np.tril(A, -1)),
    (where(m >= i, a[i, m], 0), (i, m), np.triu(A)),
    (where(sympy.true, u[i], 0), (i,), U),
    (where(sympy.And(mask[i, j], x[i, j] > 0), 1, 0), (i, j), MASK & (X > 0)),
    (where(sympy.Or(mask[i, j], x[i, j] > 0), 1, 0), (i, j), MASK | (X > 0)),
    (where(sympy.Not(mask[i, j]), 1, 0), (i, j), ~MASK),
    (maximum(x[i, j], u[i]), (i, j), np.maximum(X, U[:, None])),
    (minimum(x[i, j], u[i]), (i, j), np.minimum(X, U[:, None])),
    (clip(x[i, j], -0.5, 0.5), (i, j), np.clip(X, -0.5, 0.5)),
    # functions
    (x[i, j] - u[i] + 2, (i, j), X - U[:, None] + 2),
    (x[i, j] ** 3, (i, j), X**3),
    ((i + 1) ** -1, (i,), [1, 1 / 2, 1 / 3]),
    (sqrt(absolute(x[i, j]) + 1), (i, j), np.sqrt(POS)),
    (1 / x[i, j], (i, j), 1 / X),
    (sympy.Pow(eps, x[i, j], evaluate=False), (i, j), 0.25**X),
    (absolute(x[i, j]), (i, j), np.abs(X)),
    (sympy.sign(x[i, j]), (i, j), np.sign(X)),
    (exp(x[i, j]), (i, j), np.exp(X)),
    (log(absolute(x[i, j])), (i, j), np.log(np.abs(X))),
    (sin(x[i, j]) * sympy.cos(x[i, j]) + sympy.tan(x[i, j]), (i, j), np.sin(X) * np.cos(X) + np.tan(X)),
    (sympy.atan(x[i, j]) + sympy.asinh(x[i, j]), (i, j), np.arctan(X) + np.arcsinh(X)),
    (sympy.sinh(x[i, j]) + sympy.cosh(x[i, j]), (i, j), np.exp(X)),
    (tanh(x[i, j]), (i, j), np.tanh(X)),
    (sympy.asin(unit[()]) + sympy.acos(unit[()]), (), math.pi / 2),
    (sympy.acosh(1 + unit[()]) + sympy.atanh(unit[()]), (), math.acosh(1.7) + math.atanh(0.7)),
    (erf(x[i, j]), (i, j), np.vectorize(math.erf)(X)),
    (sympy.erfc(unit[()]), (), math.erfc(0.7)),
    (sigmoid(x[i, j]), (i, j), 1 / (1 + np.exp(-X))),
    (softplus(x[i, j]), (i, j), np.log1p(np.exp(X))),
    (sigmoid(1000 * u[i] / absolute(u[i])), (i,), U > 0),
    (softplus(1000 * unit[()]), (), 700.0),
    (sympy.floor(x[i, j]) + sympy.ceiling(x[i, j]), (i, j), np.floor(X) + np.ceil(X)),
]


@pytest.mark.parametrize("expression, letters, expected", VALUES, ids=lambda v: str(v) if hasattr(v, "args") else "")
def test_value(expression, letters, expected):
    found = evaluate(expression, POINT, letters)
    assert found.dtype == np.float64 and found.shape == np.shape(expected)
    np.testing.assert_allclose(found, np.asarray(expected, float), rtol=1e-14, atol=1e-14)


def test_condition_gives_booleans():
    assert (evaluate(x[i, j] > 0, POINT, (i, j)) == (X > 0)).all()


@pytest.mark.filterwarnings("error")
def test_a_branch_that_is_not_selected_leaks_nothing():
    guarded = where(x[i, j] > 0, log(x[i, j]), 1 / Where(x[i, j] > 0, sympy.Integer(0), x[i, j]))
    expected = [[math.log(v) if v > 0 else 1 / v for v in row] for row in X]
    np.testing.assert_allclose(evaluate(guarded, POINT, (i, j)), expected)
    assert evaluate(where(i < 1, exp(1000 * (i - 1)), 1), POINT, (i,)).tolist() == [0, 1, 1]


def test_definitions_are_evaluated_over_their_own_letters():
    p = Tensor("p", (i, j), body=exp(x[i, j]) / sum_over(j, exp(x[i, j])), role="let")
    diagonal = Tensor("q", (i, m), body=a[i, m] + sum_over(j, p[m, j] * p[i, j]), role="let")
    P = np.exp(X) / np.exp(X).sum(1, keepdims=True)
    np.testing.assert_allclose(evaluate(diagonal[i, i], POINT, (i,)), np.diag(A + P @ P.T))
    np.testing.assert_allclose(evaluate(sum_over(i, p[i, j]), POINT, (j,)), P.sum(0))


def test_a_definition_may_be_held():
    p = Tensor("p", (i,), body=u[i] ** 2, role="let")
    held = POINT.with_(held={p: np.array([1.0, 2.0, 3.0])})
    assert evaluate(sum_over(i, p[i]), held) == 6
    assert evaluate(sum_over(i, p[i]), POINT) == pytest.approx((U**2).sum())


def test_a_definition_may_be_read_in_another_way():
    square = Tensor("square", (i,), body=u[i] ** 2, role="found")
    p = Tensor("p", (i,), body=u[i] ** 4, role="output")
    read = POINT.with_(readings={p: square[i] ** 2})
    np.testing.assert_allclose(evaluate(p[i], read, (i,)), U**4)
    assert evaluate(sum_over(i, p[i]), read.with_(held={square: np.full(3, 2.0)})) == 12


def test_a_derivative_has_the_value_that_is_given():
    node = AdjointOf(a[i, m]) * u[m]
    np.testing.assert_allclose(evaluate(node, POINT.with_(derivatives={AdjointOf(a[i, m]): 2 * A}), (i, m)), 2 * A * U)
    jacobian = replace(POINT, of=(k,), derivatives={AdjointOf(u[i]): Y.T @ X.T, TangentOf(u[i]): U})
    np.testing.assert_allclose(evaluate(AdjointOf(u[m]) * TangentOf(u[m]), jacobian, (k, m)), (Y.T @ X.T) * U)
    with pytest.raises(Unsupported, match=r"d/da\[i, m\]"):
        evaluate(node, POINT, (i, m))


def test_a_deep_chain_does_not_recurse():
    layer = u
    for depth in range(400):
        layer = Tensor(f"h{depth}", (i,), body=tanh(layer[i]) + layer[i], role="let")
    expected = U
    for _ in range(400):
        expected = np.tanh(expected) + expected
    np.testing.assert_allclose(evaluate(layer[i], POINT, (i,)), expected)


def test_several_points_at_once():
    points = [POINT.with_(arrays={"u": U + t}) for t in range(3)]
    p = Tensor("p", (m,), body=sum_over(i, a[i, m] * u[i]), role="let")
    found = evaluate_at(p[m] + long[k], points, (m, k))
    for t in range(3):
        np.testing.assert_allclose(found[t], ((U + t) @ A)[:, None] + LONG)
    assert evaluate_at(sympy.Integer(1), points, (i,)).shape == (3, 3)


@pytest.mark.parametrize("dtype", [np.longdouble, np.complex128])
def test_wide_dtypes_are_kept(dtype):
    point = POINT.with_(arrays={"u": U.astype(dtype)})
    assert evaluate(tanh(u[i]) / 3 + eps, point, (i,)).dtype == dtype


class Strange(sympy.Expr):
    """A node that nobody knows."""


@pytest.mark.parametrize(
    "node, letters, error, message",
    [
        (Strange(u[i]) + 1, (i,), Unsupported, "Strange"),
        (sympy.Symbol("q") + 1, (), Unsupported, "Symbol in q"),
        (u[i], (), ShapeError, "letter i"),
        (Tensor("ux", (i,))[i], (i,), NameProblem, "no array is given for ux.i.; did you mean"),
        (Tensor("x", (j, i))[j, i], (i, j), ShapeError, r"x\[j, i\]: expected shape \(2, 3\), given \(3, 2\)"),
        (Scalar("epz") + 1, (), NameProblem, "epz; did you mean 'eps'"),
        (Size("Q") + 1, (), ShapeError, "no value is given for Q"),
    ],
)
def test_what_cannot_be_evaluated_is_named(node, letters, error, message):
    with pytest.raises(error, match=message):
        evaluate(node, POINT, letters)


# --- points from arrays ---------------------------------------------------------------------------------------------

h = axis("h", (j.size + 2 * s - i.size) // 2 + 1)
N2 = {"x": X, "u": U}


def test_lengths_are_read_off_the_shapes():
    point = point_from_arrays((x, u), N2)
    assert point.sizes == {i.size: 3, j.size: 2} and str(point) == "I=3, J=2"


def test_python_numbers_stand_for_floats():
    point = point_from_arrays((u, unit), {"u": [1, 2], "unit": 3})
    assert point.arrays["u"].dtype == np.float64 and point.arrays["unit"].shape == ()


def test_narrow_floats_are_widened():
    assert point_from_arrays((u,), {"u": U.astype(np.float32)}).arrays["u"].dtype == np.float64


def test_derived_lengths_and_parameters():
    t = Tensor("t", (h,))
    point = point_from_arrays((x, t), {"x": X, "t": np.zeros(2), "s": 2, "eps": 1}, scalars=(eps,), sizes=(s,))
    assert length(h.size, point.sizes) == 2 and point.scalars == {"eps": 1.0}
    with pytest.raises(ShapeError, match=r"t: expected t\[h\] with axis h of length 2 .*given shape \(5,\)"):
        point_from_arrays((x, t), {"x": X, "t": np.zeros(5), "s": 2}, sizes=(s,))


def test_defaults():
    found = point_from_arrays((), {}, scalars=(Scalar("r", 0.5),), sizes=(Size("p", default=2),))
    assert found.scalars == {"r": 0.5} and list(found.sizes.values()) == [2]


@pytest.mark.parametrize(
    "given, error, message",
    [
        ({"x": X}, DeriveError, r"d: input u: expected an array u\[i\], given none"),
        ({"x": X, "uu": U, "u": U}, NameProblem, "unknown input 'uu'; did you mean 'u'"),
        ({"x": X, "u": np.zeros(4)}, ShapeError, r"u: expected u\[i\] with axis i of length 3 \(as in x\).*\(4,\)"),
        ({"x": X, "u": X}, ShapeError, r"u: expected u\[i\], 1 axes, given shape \(3, 2\)"),
        ({"x": X, "u": np.arange(3)}, DeriveError, "u: expected floats, given an array of int64"),
        ({"x": X, "u": U + 0j}, DeriveError, "u: expected floats, given an array of complex128"),
        ({"x": X, "u": ["a", "b", "c"]}, DeriveError, "u: expected floats"),
        ({"x": X, "u": U.astype(np.float32)}, DeriveError, "one float type.*x of float64, u of float32"),
        ({"x": X, "u": [[1.0], [2.0, 3.0]]}, ShapeError, "input u"),
        ({"x": np.zeros((0, 2)), "u": U}, ShapeError, "x: axis i: expected a length of at least 1, given 0"),
    ],
)
def test_bad_arrays(given, error, message):
    with pytest.raises(error, match=message):
        point_from_arrays((x, u), given, what="d")


@pytest.mark.parametrize(
    "given, message",
    [
        ({"idx": np.array([0.0, 1.0, 2.0])}, "idx: expected integers, given an array of float64"),
        ({"idx": np.array([0, 4, 1])}, r"idx: expected entries in 0 … 3, given 4"),
        ({"idx": np.array([0, -1, 1])}, r"idx: expected entries in 0 … 3, given -1"),
        ({"mask": np.ones((3, 2))}, "mask: expected booleans, given an array of float64"),
    ],
)
def test_bad_integers_and_masks(given, message):
    with pytest.raises(DeriveError, match=message):
        point_from_arrays((idx, mask, long), {"idx": IDX, "mask": MASK, "long": LONG, **given})


def test_a_missing_parameter_and_a_wrong_one():
    with pytest.raises(DeriveError, match="eps: expected a number, given none"):
        point_from_arrays((), {}, scalars=(eps,))
    with pytest.raises(DeriveError, match="eps: expected a number, given 'big'"):
        point_from_arrays((), {"eps": "big"}, scalars=(eps,))
    with pytest.raises(ShapeError, match="s: expected an integer of at least 1, given 0"):
        point_from_arrays((), {"s": 0}, sizes=(s,))


def test_declarations_are_those_of_the_language():
    assert T[i, j].axes == x.axes and Int[i].below(k).bound == idx.bound and Bool[i, j].dtype == mask.dtype
