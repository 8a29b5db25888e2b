"""The language: what may be written, and what a user is told where something may not. Each error is one clear line."""

import inspect
import keyword
import subprocess
import sys
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import sympy
from sympy import exp, log, sqrt, tanh

from derive.api import equivalent, gradient, hessian, jacobian, jvp, to_numpy, vjp
from derive.axes import (
    AssumptionError,
    Bool,
    DeriveError,
    Int,
    NameProblem,
    Scalar,
    ShapeError,
    Size,
    T,
    Tensor,
    axes,
    axis,
    clip,
    equals,
    free_axes,
    logsumexp_over,
    maximum,
    mean_over,
    one_hot,
    prod_over,
    sigmoid,
    softplus,
    sum_over,
    where,
)
from derive.formula import REGISTRY, assume, build, let, register
from derive.graph import chain
from derive.oracle import evaluate
from derive.verify import sample_point
from formulas import dense, linear, mlp, mse_loss, relu, softmax, softmax_cross_entropy

b, i, o, c, d, n = axes("b i o c d n")
k, m, b2 = c.alias("k"), n.alias("m"), b.alias("b2")


def unregistered(function, name=None):
    return build(function, name or function.__name__, {})


def rows(table):
    """The arguments of `parametrize` for rows whose first column is their id."""
    return {"argvalues": [row[1:] for row in table], "ids": [row[0] for row in table]}


def body(expression, shape=T[b], **declared):
    """A formula `bad` with the given declarations whose body is expression(**inputs)."""

    def bad(**given):
        return expression(**given)

    kinds = {name: inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in declared}
    bad.__signature__ = inspect.Signature(list(kinds.values()))
    bad.__annotations__ = {**declared, "return": shape}
    return unregistered(bad)


def matrix(expression, shape=T[b]):
    return lambda: body(expression, shape, x=T[b, i], w=T[i, o])


def repeated():
    return T[b, b]


def no_axis():
    return T["b"]


def starred():
    def bad(*x: T[b]) -> T[b]:
        return x[b]

    return unregistered(bad)


def unannotated():
    def bad(x) -> T[b]:
        return x[b]

    return unregistered(bad)


def no_return_shape():
    def bad(x: T[b]):
        return x[b]

    return unregistered(bad)


def positional_static():
    def bad(x: T[b], fast: bool = True) -> T[b]:
        return x[b]

    return unregistered(bad)


def optional_without_none():
    def bad(x: T[b], bias: T[b] | None) -> T[b]:
        return x[b]

    return unregistered(bad)


def no_shape_for_a_choice():
    def bad(x: T[b], *, how: Literal["a", "b"] = "a") -> {"b": T[b]}:
        return x[b]

    return unregistered(bad)


def two_lets_of_one_name():
    def bad(x: T[b]) -> T[b]:
        one, two = let("u", x[b] ** 2), let("u", x[b] ** 3)
        return one[b] + two[b]

    return unregistered(bad)


def let_named(name):
    def bad(x: T[b]) -> T[b]:
        return let(name, x[b])[b]

    return lambda: unregistered(bad)


def fewer_outputs():
    def bad(x: T[b]) -> tuple[T[b], T[b]]:
        return x[b]

    return unregistered(bad)


def more_outputs():
    def bad(x: T[b]) -> T[b]:
        return x[b], x[b]

    return unregistered(bad)


# What is wrong, how it is written, the kind of error, and what its message names.
DECLARED_BADLY = [
    ("wrong axis", matrix(lambda x, w: x[b, o]), ShapeError, "bad|tensor x|x[b, i]|[b, o]|I|O"),
    ("wrong rank", matrix(lambda x, w: x[b]), ShapeError, "bad|tensor x|2 indices|x[b, i]|[b]"),
    ("too many indices", matrix(lambda x, w: x[b, i, o]), ShapeError, "bad|tensor x|[b, i, o]"),
    ("exchanged axes", matrix(lambda x, w: sum_over(i, x[i, b])), ShapeError, "bad|tensor x|x[b, i]|[i, b]"),
    ("unbound letter", matrix(lambda x, w: x[b, i]), ShapeError, "bad|unbound letter i|T[b]|sum_over"),
    ("letter bound elsewhere", matrix(lambda x, w: sum_over(i, x[b, i]) * w[i, o]), ShapeError, "bad|unbound|i, o"),
    ("without indices", matrix(lambda x, w: x), ShapeError, "bad|tensor x|x[b, i]"),
    ("sum without indices", matrix(lambda x, w: sum_over(i, x)), ShapeError, "bad|tensor x|x[b, i]"),
    ("added without indices", matrix(lambda x, w: x + 1), ShapeError, "bad|tensor x|x[b, i]"),
    ("multiplied without indices", matrix(lambda x, w: 2 * x), ShapeError, "bad|tensor x|x[b, i]"),
    ("an argument without indices", matrix(lambda x, w: maximum(x, 0)), ShapeError, "bad|tensor x|x[b, i]"),
    ("exp without indices", matrix(lambda x, w: sum_over(i, exp(x))), ShapeError, "bad|tensor x|x[b, i]"),
    ("unpacked", matrix(lambda x, w: [*x]), DeriveError, "bad|tensor x|x[b, i]"),
    ("unknown attribute", matrix(lambda x, w: x.sizes), (DeriveError, AttributeError), "sizes"),
    ("a slice", matrix(lambda x, w: x[:, i]), ShapeError, "bad|tensor x|slice"),
    ("a string", matrix(lambda x, w: x["b", i]), ShapeError, "bad|tensor x|'b'"),
    ("an index beyond the end", matrix(lambda x, w: x[b, i + 1]), ShapeError, "bad|tensor x|i + 1|padded"),
    ("a number below 0 as index", matrix(lambda x, w: x[b, -1]), ShapeError, "bad|tensor x|-1"),
    ("a fraction as index", matrix(lambda x, w: x[b, o / 2]), ShapeError, "bad|tensor x|o/2|integer"),
    ("== in where", matrix(lambda x, w: where(b == i, 1, 0)), DeriveError, "bad|where|equals"),
    ("a Python bool", matrix(lambda x, w: where(True, 1, 0)), DeriveError, "bad|where|bool|equals"),
    ("a number as condition", matrix(lambda x, w: where(1, 1, 0)), DeriveError, "bad|where|condition|1"),
    ("an entry as condition", matrix(lambda x, w: where(x[b, i], 1, 0)), DeriveError, "bad|where|condition|x[b, i]"),
    ("sum over a name", matrix(lambda x, w: sum_over("i", x[b, i])), ShapeError, "bad|sum_over|'i'"),
    ("sum over an axis twice", matrix(lambda x, w: sum_over((i, i), x[b, i])), ShapeError, "bad|sum_over|distinct"),
    ("sum over no axis", matrix(lambda x, w: sum_over((), x[b, i])), ShapeError, "bad|sum_over"),
    ("nothing returned", matrix(lambda x, w: None), DeriveError, "bad|returns nothing"),
    ("a string returned", matrix(lambda x, w: "x[b]"), DeriveError, "bad|'x[b]'"),
    ("a condition returned", matrix(lambda x, w: x[b, i] > 0), DeriveError, "bad|scalar expression"),
    ("an array returned", matrix(lambda x, w: np.ones(3)), DeriveError, "bad|scalar expression"),
    ("an if on a tensor", matrix(lambda x, w: 1 if x[b, i] > 0 else 0), DeriveError, "bad|x[b, i] > 0|where"),
    ("fewer outputs", fewer_outputs, ShapeError, "bad|2 outputs|1"),
    ("more outputs", more_outputs, ShapeError, "bad|1 outputs|2"),
    ("a mask as a number", lambda: body(lambda x: x[b] + 1, x=Bool[b]), DeriveError, "bad|mask x|where(x[b]"),
    ("a repeated letter", repeated, ShapeError, "[b, b]|alias"),
    ("a letter as text", no_axis, ShapeError, "'b'|axes"),
    ("a parameter like an axis", lambda: body(lambda x, c: x[b], x=T[b, c], c=T[b]), NameProblem, "bad|c|axis of x"),
    ("*arguments", starred, DeriveError, "bad|*x"),
    ("no annotation", unannotated, DeriveError, "bad|parameter x|no annotation"),
    ("no return shape", no_return_shape, DeriveError, "bad|return annotation"),
    ("positional static", positional_static, DeriveError, "bad|fast|keyword-only"),
    ("optional without None", optional_without_none, DeriveError, "bad|bias|None"),
    ("no shape for a choice", no_shape_for_a_choice, DeriveError, "bad|return shape|'a'"),
    ("a let twice", two_lets_of_one_name, NameProblem, "bad|'u'|taken"),
    ("a let like an input", let_named("x"), NameProblem, "bad|'x'|taken"),
    ("a let with a space", let_named("my u"), NameProblem, "bad|'my u'|identifier"),
    ("a let that is a keyword", let_named("lambda"), NameProblem, "bad|'lambda'|keyword"),
    ("a let like a dunder", let_named("__import__"), NameProblem, "bad|'__import__'|identifier"),
    ("an axis with a space", lambda: axis("b c"), NameProblem, "'b c'|identifier"),
    ("an axis that is a keyword", lambda: axes("b if"), NameProblem, "'if'|keyword"),
    ("axes twice", lambda: axes("b b"), ShapeError, "repeated|alias"),
    ("no axes", lambda: axes(""), ShapeError, "at least one letter"),
    ("an axis of length 0", lambda: axis("b", 0), ShapeError, "'b'|at least 1|0"),
    ("an axis of half a length", lambda: axis("b", 1.5), ShapeError, "'b'|1.5"),
    ("a tensor named by a keyword", lambda: Tensor("for", (b,)), NameProblem, "'for'|keyword"),
    ("a size with a dot", lambda: Size("a.b"), NameProblem, "'a.b'|identifier"),
    ("a scalar that is code", lambda: Scalar("__import__('os')"), NameProblem, "identifier"),
    ("assume outside", lambda: assume(equals(1, 1)), DeriveError, "assume|formula"),
    ("assume a number", matrix(lambda x, w: assume(3) or x[b, i]), DeriveError, "bad|assume|3"),
    ("below on reals", lambda: T[b].below(c), DeriveError, "Int"),
    ("one_hot of a real", matrix(lambda x, w: one_hot(x[b, i], i)), DeriveError, "bad|one_hot|Int"),
    ("one_hot beyond", lambda: body(lambda x: one_hot(x[b], c), T[b, c], x=Int[b].below(d)), ShapeError,
     "bad|one_hot|x[b]|D|C"),
    ("a length as text", lambda: axis("b", "1 + 1"), DeriveError, "'b'|1 + 1"),
    ("a sum of text", matrix(lambda x, w: sum_over(i, "1 + 1")), DeriveError, "bad|sum_over|1 + 1"),
    ("log-sum-exp of text", matrix(lambda x, w: logsumexp_over(i, "1 + 1")), DeriveError, "bad|1 + 1"),
    ("a bound as text", lambda: Int[b].below("1 + 1"), DeriveError, "1 + 1"),
]  # fmt: skip


@pytest.mark.parametrize(("write", "error", "names"), **rows(DECLARED_BADLY))
def test_what_is_wrong_is_said_where_it_is_written(write, error, names):
    with pytest.raises(error) as caught:
        write()
    message = str(caught.value)
    assert [part for part in names.split("|") if part not in message] == [], message
    assert len(message.splitlines()) == 1


def test_every_keyword_is_refused_as_a_name():
    for word in keyword.kwlist:
        with pytest.raises(NameProblem):
            axis(word)


# Questions that cannot be answered.


@unregistered
def classes(z: T[b, c], label: Int[b].below(c), keep: Bool[b], *, eps: Scalar = 0.1) -> T[()]:
    kept = sum_over(c, one_hot(label[b], c) * z[b, c])
    return eps * sum_over(b, where(keep[b], kept**2, 0))


@unregistered
def only_integers(label: Int[b].below(c)) -> T[()]:
    return sum_over((b, c), one_hot(label[b], c) * 1)


ASKED_BADLY = [
    ("no such input", lambda: gradient(dense, "weight"), NameProblem, "'weight'|dense|x, w, beta"),
    ("a near miss", lambda: gradient(mlp, "w1"), NameProblem, "'w1'|mlp|did you mean 'w_1'"),
    ("one of two wrong", lambda: gradient(dense, ["x", "betta"]), NameProblem, "'betta'|did you mean 'beta'"),
    ("an integer input", lambda: gradient(classes, "label"), DeriveError, "label|int|no gradient|z"),
    ("a mask", lambda: gradient(classes, "keep"), DeriveError, "keep|bool|no gradient|z"),
    ("a scalar parameter", lambda: gradient(classes, "eps"), DeriveError, "eps|parameter|T[()]"),
    ("no real input", lambda: gradient(only_integers), DeriveError, "only_integers|no real"),
    ("an unknown form", lambda: gradient(dense, form="short"), DeriveError, "'short'|closed|staged"),
    ("no formula", lambda: gradient(lambda x: x), DeriveError, "gradient|formula"),
    ("a name for a formula", lambda: to_numpy("dense"), DeriveError, "to_numpy|formula|'dense'"),
    ("hessian of a matrix", lambda: hessian(softmax, "z"), DeriveError, "softmax|scalar"),
    ("hessian of several", lambda: hessian(mse_loss), DeriveError, "mse_loss|one variable|wrt"),
    ("an unknown option", lambda: gradient(mse_loss, "input", reduce="sum"), NameProblem, "mse_loss|'reduce'"),
    ("an unknown choice", lambda: gradient(mse_loss, reduction="avg"), DeriveError, "mse_loss|reduction|'avg'|'mean'"),
    ("a result of several", lambda: gradient(dense).result, DeriveError, "dense|x, w, beta|results"),
    ("chain of nothing", lambda: chain(), DeriveError, "chain"),
    ("chain of a number", lambda: chain(dense, 3), DeriveError, "chain|3"),
    ("chain that does not fit", lambda: chain(dense, softmax_of_three), ShapeError, "softmax_of_three"),
]


@unregistered
def softmax_of_three(z: T[b, c, d]) -> T[b, c, d]:
    return exp(z[b, c, d]) / sum_over(d, exp(z[b, c, d]))


@pytest.mark.parametrize(("ask", "error", "names"), **rows(ASKED_BADLY))
def test_what_cannot_be_answered_is_said(ask, error, names):
    with pytest.raises(error) as caught:
        ask()
    message = str(caught.value)
    assert [part for part in names.split("|") if part not in message] == [], message
    assert len(message.splitlines()) == 1


# Arrays that do not fit: the derivative called, and the code's check.

GOOD = {"x": np.ones((2, 3)), "w": np.ones((3, 4)), "beta": np.ones(4)}
ARRAYS = [
    ("a wrong length", {"w": np.ones((5, 4))}, "w|w[i, o]|(5, 4)|3"),
    ("a wrong rank", {"x": np.ones(3)}, "x|x[b, i]|(3,)"),
    ("a missing input", {"w": None}, "w|w[i, o]|none"),
    ("an unknown input", {"ww": np.ones((3, 4))}, "'ww'|did you mean 'w'"),
    ("integers for reals", {"x": np.ones((2, 3), int)}, "x|floats|int64"),
    ("mixed floats", {"w": np.ones((3, 4), np.float32)}, "float32|float64"),
    ("text", {"beta": np.array(["a"] * 4)}, "beta|floats"),
    ("ragged", {"x": [[1.0], [1.0, 2.0]]}, "x"),
    ("complex", {"x": np.ones((2, 3), complex)}, "x|floats|complex128"),
]


@pytest.mark.parametrize(("change", "names"), **rows(ARRAYS))
def test_arrays_that_do_not_fit(change, names):
    given = {name: value for name, value in (GOOD | change).items() if value is not None}
    for use in (lambda: gradient(dense, "x")(**given, g=np.ones((2, 4))), lambda: to_numpy(dense).check(**given)):
        with pytest.raises(DeriveError) as caught:
            use()
        message = str(caught.value)
        assert [part for part in ["dense", *names.split("|")] if part not in message] == [], message


@pytest.mark.parametrize(("change", "names"), **rows(ARRAYS))
def test_code_refuses_arrays_that_do_not_fit(change, names):
    """The emitted module needs NumPy only, so its errors are Python's own, with the same words."""
    given = {name: value for name, value in (GOOD | change).items() if value is not None}
    with pytest.raises((DeriveError, ValueError, TypeError)) as caught:
        to_numpy(dense).forward(**given)
    message = str(caught.value)
    assert names.split("|")[0].strip("'") in message, message


@pytest.mark.parametrize("rows", [[[0.5, 0.6]], [[1.0, 0.0], [2.0, -0.5]]])
def test_data_that_break_an_assumption(rows):
    t = np.array(rows)
    with pytest.raises(AssumptionError, match=r"softmax_cross_entropy.*t\[b, c\].*broken at b=\d"):
        to_numpy(softmax_cross_entropy).check(z=np.zeros_like(t), t=t)


def test_data_that_keep_an_assumption():
    to_numpy(softmax_cross_entropy).check(z=np.zeros((2, 3)), t=np.eye(3)[[0, 2]])


def test_classes_beyond_their_bound():
    good = {"z": np.zeros((2, 3)), "keep": np.array([True, False])}
    to_numpy(classes).check(**good, label=np.array([0, 2]))
    for wrong in (np.array([0, 3]), np.array([-1, 0])):
        with pytest.raises(DeriveError, match=r"classes.*label.*0 … 2"):
            to_numpy(classes).check(**good, label=wrong)


# The registry.


def test_another_file_may_not_take_a_name():
    def twin_of_the_tests(x: T[b]) -> T[b]:
        return x[b]

    mine = unregistered(twin_of_the_tests)
    register(mine)
    try:
        register(unregistered(twin_of_the_tests))  # the same file: it replaces
        with pytest.raises(NameProblem, match=r"twin_of_the_tests is already defined in .* in /elsewhere.py"):
            register(replace(mine, source="/elsewhere.py"))
    finally:
        REGISTRY.pop("twin_of_the_tests", None)


def test_a_cell_run_again_replaces():
    program = """
from derive import axes, formula, T, gradient
b, = axes("b")
for power in (2, 3):
    @formula
    def mine(x: T[b]) -> T[b]:
        return x[b]**power
print(gradient(mine).result)
@formula
def softmax(z: T[b]) -> T[b]:
    return z[b]
print(gradient(softmax).result)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert run.stdout.split("\n")[:2] == ["3*g[b]*x[b]**2", "g[b]"], run.stderr


def test_postponed_annotations(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("from __future__ import annotations\n"
                    "from derive import axes, formula, T, sum_over\n"
                    "b, i = axes('b i')\n"
                    "@formula\ndef postponed(x: T[b, i], bias: T[b] | None = None) -> T[b]:\n"
                    "    y = sum_over(i, x[b, i]**2)\n    return y if bias is None else y + bias[b]\n"
                    "def local():\n    q, = axes('q')\n    @formula\n    def inner(x: T[q]) -> T[q]:\n"
                    "        return x[q]**2\n    return inner\n"
                    "inner = local()\n")  # fmt: skip
    scope = {}
    try:
        spec = __import__("importlib.util").util.spec_from_file_location("mine", file)
        module = __import__("importlib.util").util.module_from_spec(spec)
        spec.loader.exec_module(module)
        scope = vars(module)
        assert str(gradient(scope["postponed"], "x").result) == "2*g[b]*x[b, i]"
        assert gradient(scope["postponed"], "bias", bias=True).axes[0].name == "b"
        assert str(gradient(scope["inner"]).result) == "2*g[q]*x[q]"
    finally:
        for name in ("postponed", "inner"):
            REGISTRY.pop(name, None)


def test_an_annotation_that_cannot_be_read():
    def bad(x: "T[nothing]") -> T[b]:  # noqa: F821
        return x[b]

    with pytest.raises(DeriveError, match=r"bad.*annotation.*nothing"):
        unregistered(bad)


# What may be written: values against NumPy, derivatives against `verify`.

RNG = np.random.default_rng(0)
X, W, A, Z = RNG.normal(size=(2, 3)), RNG.normal(size=(3, 4)), RNG.normal(size=(3, 3)), RNG.normal(size=(2, 3))
V = RNG.normal(size=3)


@unregistered
def aliased(A: T[n, m]) -> T[n, m]:
    return A[m, n] - A[n, m]


@unregistered
def diagonal(A: T[n, m]) -> T[n]:
    return A[n, n] * sum_over(m, A[n, m])


@unregistered
def shadowed(x: T[b, c]) -> T[b, c]:
    return x[b, c] * sum_over(c, x[b, c] * sum_over(c, x[b, c] ** 2))


@unregistered
def shadowing_the_output(x: T[b, c]) -> T[b]:
    return sum_over(c, x[b, c] * sum_over(b, x[b, c]))


@unregistered
def named_at_other_letters(x: T[n]) -> T[n, m]:
    square = let("square", x[n] ** 2)
    return square[n] * square[m] + sum_over(n, square[n])


@unregistered
def over_two(x: T[b, c]) -> T[()]:
    return mean_over((b, c), x[b, c] ** 2)


@unregistered
def two_outputs(x: T[b, c]) -> tuple[T[b], T[b, c]]:
    total = let("total", sum_over(c, x[b, c]))
    return total[b] ** 2, x[b, c] * total[b]


@unregistered
def sizes_and_scalars(x: T[b], *, eps: Scalar = 0.5, s: Size = 2) -> T[b]:
    return eps * x[b] ** 2 / (s + b.size)


@unregistered
def letter_as_a_number(x: T[n]) -> T[()]:
    return sum_over(n, n * x[n])


@unregistered
def lengths_as_numbers(x: T[b, c]) -> T[b]:
    return sum_over(c, x[b, c]) / (c.size + 1) ** 2


@unregistered
def powers(x: T[n]) -> T[n]:
    return (1 + x[n] ** 2) ** x[n] + 2 ** x[n] + sqrt(1 + x[n] ** 2)


@unregistered
def conditions(x: T[n], keep: Bool[n]) -> T[n]:
    both = sympy.And(keep[n], x[n] > 0)
    either = sympy.Or(sympy.Not(keep[n]), x[n] < -1)
    return where(both, x[n] ** 2, where(either, 3 * x[n], -x[n]))


@unregistered
def picked(z: T[b, c], label: Int[b].below(c)) -> T[b]:
    return sum_over(c, one_hot(label[b], c) * z[b, c] ** 2)


@unregistered
def identity(x: T[n]) -> T[n, m]:
    return where(equals(n, m), x[n], 0)


LABEL, KEEP = np.array([2, 0]), np.array([True, False, True])
VALUES = [
    (aliased, {"A": A}, A.T - A),
    (diagonal, {"A": A}, np.diag(A) * A.sum(1)),
    (shadowed, {"x": X}, X * (X * (X**2).sum(1, keepdims=True)).sum(1, keepdims=True)),
    (shadowing_the_output, {"x": X}, (X * X.sum(0)).sum(1)),
    (named_at_other_letters, {"x": V}, np.outer(V**2, V**2) + (V**2).sum()),
    (over_two, {"x": X}, (X**2).mean()),
    (sizes_and_scalars, {"x": V}, 0.5 * V**2 / 5),
    (letter_as_a_number, {"x": V}, np.arange(3) @ V),
    (lengths_as_numbers, {"x": X}, X.sum(1) / 16),
    (powers, {"x": V}, (1 + V**2) ** V + 2**V + np.sqrt(1 + V**2)),
    (conditions, {"x": V, "keep": KEEP}, np.where(KEEP & (V > 0), V**2, np.where(~KEEP | (V < -1), 3 * V, -V))),
    (picked, {"z": X, "label": LABEL}, X[[0, 1], LABEL] ** 2),
    (identity, {"x": V}, np.diag(V)),
]


@pytest.mark.parametrize(("f", "given", "expected"), VALUES, ids=lambda v: getattr(v, "name", None))
def test_values_derivatives_and_code(f, given, expected):
    y, _ = to_numpy(f).forward(**given)
    assert np.allclose(y, expected, rtol=1e-12)
    report = gradient(f).verify(trials=4) + to_numpy(f).verify(trials=4)
    assert report, report


def test_letters_of_one_name_and_other_lengths_are_told_apart():
    other = axis("b", Size("M"))
    assert other != b
    with pytest.raises(ShapeError, match="length"):
        body(lambda x: x[other], x=T[b])


# Several outputs.


def test_an_upstream_for_each_output():
    d = gradient(two_outputs)
    assert [g.name for g in d.derived.upstreams] == ["g_y_1", "g_y_2"]
    g1, g2 = RNG.normal(size=2), RNG.normal(size=(2, 3))
    total = X.sum(1, keepdims=True)
    expected = 2 * g1[:, None] * total + g2 * total + (g2 * X).sum(1, keepdims=True)
    assert np.allclose(d(x=X, g_y_1=g1, g_y_2=g2), expected)
    m_ = to_numpy(two_outputs)
    (y1, y2), saved = m_.forward(x=X)
    assert np.allclose(y1, total[:, 0] ** 2) and np.allclose(y2, X * total)
    assert np.allclose(m_.backward((g1, g2), saved)["x"], expected)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_upstream_is_zero(missing):
    m_ = to_numpy(two_outputs)
    y, saved = m_.forward(x=X)
    full = [np.ones_like(part) for part in y]
    full[missing] = np.zeros_like(full[missing])
    gapped = [None if place == missing else part for place, part in enumerate(full)]
    assert np.allclose(m_.backward(tuple(gapped), saved)["x"], m_.backward(tuple(full), saved)["x"])


def test_an_input_named_g():
    def scaled(g: T[b], x: T[b]) -> T[b]:
        return g[b] * x[b]

    d = gradient(unregistered(scaled))
    assert [u.name for u in d.derived.upstreams] == ["g_y"]
    assert str(d.results["x"]) == "g[b]*g_y[b]"


# Optional inputs, static choices.


def test_an_optional_input_comes_and_goes():
    assert set(gradient(linear).results) == {"input", "weight"}
    assert set(gradient(linear, bias=True).results) == {"input", "weight", "bias"}
    weight, bias = RNG.normal(size=(4, 3)), RNG.normal(size=4)
    assert np.allclose(to_numpy(linear).forward(input=X, weight=weight)[0], X @ weight.T)
    assert np.allclose(to_numpy(linear, bias=True).forward(input=X, weight=weight, bias=bias)[0], X @ weight.T + bias)
    assert len(linear.variants()) == 2


@pytest.mark.parametrize(("reduction", "expected"), [("none", (X - Z) ** 2), ("mean", ((X - Z) ** 2).mean()),
                                                     ("sum", ((X - Z) ** 2).sum())])  # fmt: skip
def test_a_choice_decides_the_shape(reduction, expected):
    y, _ = to_numpy(mse_loss, reduction=reduction).forward(input=X, target=Z)
    assert np.allclose(y, expected) and np.shape(y) == np.shape(expected)
    assert gradient(mse_loss, reduction=reduction).verify(trials=3)


def test_bool_choices():
    def switched(x: T[n], *, double: bool = False, centred: bool = False) -> T[n]:
        value = 2 * x[n] if double else x[n]
        return value - mean_over(n, x[n]) if centred else value

    f = unregistered(switched)
    assert len(f.variants()) == 4
    assert str(gradient(f).result) == "g[n]"
    assert str(gradient(f, double=True).result) == "2*g[n]"
    assert all(gradient(f, **choice).verify(trials=3) for choice in f.variants())


# batched, chain, calls.


def test_batched_adds_a_leading_axis():
    def row_softmax(z: T[c]) -> T[c]:
        return exp(z[c]) / sum_over(c, exp(z[c]))

    f = unregistered(row_softmax).batched(b)
    y, _ = to_numpy(f).forward(z=X)
    assert np.allclose(y, np.exp(X) / np.exp(X).sum(1, keepdims=True))
    assert gradient(f).verify(trials=3)


def test_batched_keeps_parameters():
    def affine(x: T[i], w: T[i, o]) -> T[o]:
        return sum_over(i, x[i] * w[i, o])

    f = unregistered(affine)
    wide = f.batched(b)
    assert np.allclose(to_numpy(wide).forward(x=X, w=W)[0], X @ W)
    per_sample = f.batched(b, parameters=("x",))
    ws = RNG.normal(size=(2, 3, 4))
    assert np.allclose(to_numpy(per_sample).forward(x=V, w=ws)[0], np.einsum("i,bio->bo", V, ws))
    with pytest.raises(NameProblem, match=r"affine.*'y'"):
        f.batched(b, parameters=("y",))
    with pytest.raises(NameProblem, match="axis i"):
        f.batched(i)


def test_chain_tells_names_apart():
    f = chain(dense, tanh, dense)
    assert [t.name for t in f.tensors] == ["x", "w_1", "beta_1", "w_2", "beta_2"]
    w2, b1, b2_ = RNG.normal(size=(4, 5)), RNG.normal(size=4), RNG.normal(size=5)
    y, _ = to_numpy(f).forward(x=X, w_1=W, beta_1=b1, w_2=w2, beta_2=b2_)
    assert np.allclose(y, np.tanh(X @ W + b1) @ w2 + b2_)
    assert gradient(f).verify(trials=3)


CHAINS = [
    ("a scalar function first", (tanh, dense)),
    ("an elementwise formula first", (relu, dense, relu)),
    ("exp first", (exp, softmax)),
    ("log last", (dense, softmax, log)),
    ("elementwise only", (tanh, tanh)),
]


@pytest.mark.parametrize("links", [row[1] for row in CHAINS], ids=[row[0] for row in CHAINS])
def test_chains_of_functions(links):
    f = chain(*links)
    assert gradient(f).verify(trials=4)
    report = to_numpy(f).verify(trials=4)
    assert report, report


def test_a_chain_of_one_layer_many_times():
    f = chain(*[dense] * 4)
    assert [t.name for t in f.tensors if t.name.startswith("w")] == ["w_1", "w_2", "w_3", "w_4"]
    assert gradient(f).verify(trials=3)


def called(function):
    f = unregistered(function)
    report = gradient(f).verify(trials=4) + to_numpy(f).verify(trials=4)
    assert report, report
    return f


def test_one_formula_called_twice():
    def twice(x: T[b, i], w: T[i, o], v: T[o, i], beta: T[o], gamma: T[i]) -> T[b, i]:
        return dense(dense(x, w, beta), v, gamma)[b, i]

    f = called(twice)
    v, beta, gamma = RNG.normal(size=(4, 3)), RNG.normal(size=4), RNG.normal(size=3)
    y, _ = to_numpy(f).forward(x=X, w=W, v=v, beta=beta, gamma=gamma)
    assert np.allclose(y, (X @ W + beta) @ v + gamma)


def test_one_tensor_given_twice():
    def product(x: T[b, c], y: T[b, c]) -> T[b]:
        return sum_over(c, x[b, c] * y[b, c])

    inner = unregistered(product)

    def squared(x: T[b, c]) -> T[b]:
        return inner(x, x)[b]

    assert str(gradient(called(squared)).result) == "2*g[b]*x[b, c]"


def test_a_square_matrix_for_both_axes():
    def matrix_product(x: T[b, i], w: T[i, o], beta: T[o]) -> T[b, o]:
        return dense(x, w, beta)[b, o]

    def gram(A: T[n, m], v: T[n]) -> T[n, m]:
        return dense(A, A, v)[n, m]

    called(matrix_product)
    f = called(gram)
    y, _ = to_numpy(f).forward(A=A, v=V)
    assert np.allclose(y, A @ A + V)


def test_the_callers_letters_clash_with_the_formulas_own():
    """softmax sums over c inside; here its rows run over c and its columns over b."""

    def transposed(x: T[c, b]) -> T[c, b]:
        return softmax(x)[c, b]

    def columns(x: T[b, c]) -> T[b, c]:
        turned = let("turned", x[b, c])
        return softmax(turned)[b, c] * sum_over(b, x[b, c])

    f = called(transposed)
    y, _ = to_numpy(f).forward(x=X)
    assert np.allclose(y, np.exp(X) / np.exp(X).sum(1, keepdims=True))
    called(columns)


def test_a_call_under_a_sum_over_its_own_letter():
    def total(x: T[b, c], w: T[c]) -> T[c]:
        p = softmax(x)
        return w[c] * sum_over((b, k), p[b, k] * p[b, c])

    called(total)


def test_calls_with_expressions_and_lets_inside():
    def inner(x: T[...]) -> T[...]:
        u = let("u", x**2)
        return u[()] * exp(-u[()]) if hasattr(u, "axes") else u

    elementwise = unregistered(inner)

    def outer(x: T[b, c]) -> T[b]:
        return sum_over(c, elementwise(x[b, c] + 1) * elementwise(x[b, c]))

    called(outer)


def test_a_call_needs_what_it_declares():
    rows = [
        (lambda x, w: dense(x, w)[b, o], DeriveError, "dense|beta|T[o]|none"),
        (lambda x, w: dense(x, x, w)[b, o], ShapeError, "dense|input w|length"),
        (lambda x, w: dense(x, w, wrong=w)[b, o], NameProblem, "dense|'wrong'"),
        (lambda x, w: dense(x, w, w)[b, o], ShapeError, "dense|beta[o]|w[i, o]"),
        (lambda x, w: dense(x, w, np.ones(3))[b, o], DeriveError, "dense|beta|ndarray|to_numpy"),
        (lambda x, w: softmax(x[b, i] * 2)[b, i], ShapeError, "softmax|z[b, c]|let"),
        (lambda x, w: softmax(x)[b, o], ShapeError, "length"),
        (lambda x, w: softmax(x, x, x)[b, i], DeriveError, "softmax|at most 1|3"),
    ]
    for expression, error, names in rows:
        with pytest.raises(error) as caught:
            body(expression, T[b, o], x=T[b, i], w=T[i, o])
        message = str(caught.value)
        assert [part for part in ["bad", *names.split("|")] if part not in message] == [], message


def test_an_assumption_comes_along_with_a_call():
    def net(x: T[b, i], w: T[i, o], beta: T[o], t: T[b, o]) -> T[()]:
        return softmax_cross_entropy(dense(x, w, beta), t)[()]

    f = called(net)
    assert len(f.trace().assumptions) == 1
    with pytest.raises(AssumptionError):
        to_numpy(f).check(x=X, w=W, beta=np.zeros(4), t=np.ones((2, 4)))


# Kinks: the stated conventions, exactly on them.


@pytest.mark.parametrize(
    ("function", "at", "slope"),
    [
        (lambda x: maximum(x, 0), 0.0, 0.0),
        (lambda x: maximum(0, x), 0.0, 1.0),
        (lambda x: clip(x, -1, 1), 1.0, 1.0),
        (lambda x: clip(x, -1, 1), -1.0, 1.0),
        (lambda x: clip(x, -1, 1), 1.5, 0.0),
        (lambda x: abs(x), 0.0, 0.0),
        (lambda x: abs(x), -2.0, -1.0),
        (lambda x: where(x > 0, x**2, 3 * x), 0.0, 3.0),
    ],
)
def test_kinks(function, at, slope):
    f = body(lambda x: function(x[n]), T[n], x=T[n])
    assert gradient(f)(x=np.array([at]), g=np.ones(1)) == [slope]
    _, saved = to_numpy(f).forward(x=np.array([at]))
    assert to_numpy(f).backward(np.ones(1), saved)["x"] == [slope]


def test_a_product_with_zeros():
    f = body(lambda x: prod_over(n, x[n]), T[()], x=T[n])
    for x in ([2.0, 0.0, 3.0], [0.0, 0.0, 3.0], [2.0, 5.0, 3.0]):
        expected = [np.prod(np.delete(x, place)) for place in range(3)]
        assert np.allclose(gradient(f)(x=np.array(x)), expected)
        assert np.allclose(to_numpy(f).value_and_grad(x=np.array(x))[1]["x"], expected)


# Other derivatives of the same formulas.


@pytest.mark.parametrize("make", [vjp, jvp, jacobian], ids=lambda f: f.__name__)
@pytest.mark.parametrize("f", [shadowed, diagonal, aliased, named_at_other_letters], ids=lambda f: f.name)
def test_aliases_in_other_derivatives(make, f):
    report = make(f).verify(trials=3)
    assert report, report


def test_results_use_letters_that_are_declared():
    for f in (shadowed, diagonal, aliased, named_at_other_letters, letter_as_a_number):
        for made in (gradient(f), jacobian(f)):
            for tensor in made.tensors.values():
                assert set(free_axes(tensor.body)) <= set(tensor.axes)
                assert len(set(tensor.axes)) == len(tensor.axes)


def test_functions_of_the_language_have_their_values():
    rows = {
        lambda x: sigmoid(x): 1 / (1 + np.exp(-V)),
        lambda x: softplus(x): np.log1p(np.exp(V)),
        lambda x: clip(x, 0, 1): np.clip(V, 0, 1),
        lambda x: maximum(x, 1): np.maximum(V, 1),
    }
    for function, expected in rows.items():
        f = body(lambda x, function=function: function(x[n]), T[n], x=T[n])
        point = sample_point(f.trace(), np.random.default_rng(0)).with_(arrays={"x": V}, sizes={n.size: 3})
        output = f.trace().outputs[0]
        assert np.allclose(evaluate(output.body, point, output.axes), expected)
        assert equivalent(output.body, output.body)
