"""What the array program looks like: which operations, how many, in whose memory, and what is kept for backward."""

import re

import pytest
from sympy import Function, Rational, exp, log, tanh

from derive.axes import MaxOver, Scalar, Size, Tensor, Unsupported, axes, mean_over, sum_over, where
from derive.backends import emit
from derive.lower import Rows, Task, Var, lower

b, i, j, k, o, e, n = axes("b i j k o e n")
x, y = Tensor("x", (b, i)), Tensor("y", (b, i))
w, u, row, col = Tensor("w", (i, o)), Tensor("u", (b, o)), Tensor("r", (b,)), Tensor("d", (i,))
xa, ya = x[b, i], y[b, i]


def code(body, letters, *inputs, **more):
    """The emitted forward function, its docstring left out."""
    out = Tensor("out", letters, body=body, role="output")
    source = emit(lower(Task("case", "", inputs, more.pop("scalars", ()), (out,), **more)))
    return source[source.index("def forward") : source.index("def checked")]


A3, B3, C3 = Tensor("A", (b, i, j)), Tensor("B3", (j, k)), Tensor("C3", (k, o))
LAWS = [
    # (what is computed, its letters, its inputs, what the text contains, what it does not)
    (sum_over(i, xa * w[i, o]), (b, o), (x, w), ["out = x @ w"], ["einsum", "tensordot"]),
    (sum_over(o, u[b, o] * w[i, o]), (b, i), (u, w), ["out = u @ w.T"], ["einsum"]),
    (sum_over(b, xa * u[b, o]), (i, o), (x, u), ["out = x.T @ u"], ["einsum"]),
    (sum_over(b, xa * u[b, o]), (o, i), (x, u), ["out = u.T @ x"], ["einsum"]),
    (sum_over(b, xa), (i,), (x,), ["np.ones(B, dtype) @ x"], [".sum"]),
    (mean_over(i, xa), (b,), (x,), ["x @ np.full(I, 1 / I, dtype)"], [".mean", ".sum"]),
    (sum_over(i, xa * ya), (b,), (x, y), ["np.vecdot(x, y)"], ["einsum"]),
    (sum_over(i, xa**2), (b,), (x,), ["np.vecdot(x, x)"], ["**"]),
    (sum_over((b, i), xa * ya), (), (x, y), ["np.vdot(x, y)"], ["sum"]),
    (sum_over(i, xa * col[i] * row[b]), (b,), (x, col, row), ["r * (x @ d)"], ["vecdot"]),
    (sum_over(b, xa * ya), (i,), (x, y), ['np.einsum("ba,ba->a", x, y)'], [" @ "]),
    (sum_over((b, o), xa), (i,), (x, u), ["O, dtype) @ x"], ["broadcast"]),
    (xa**3, (b, i), (x,), ["x * x"], ["**3", "power"]),
    (xa / (1 + row[b]), (b, i), (x, row), ["x * (1 / (r + 1))[:, None]"], []),
    (xa * (1 + row[b] ** 2) ** Rational(-1, 2), (b, i), (x, row), ["1 / np.sqrt(r * r + 1)"], ["**"]),
    (where(xa > ya, xa, ya), (b, i), (x, y), ["np.maximum(x, y)"], ["where"]),
    (where(xa > 0, ya, 0), (b, i), (x, y), ["y * (x > 0)"], ["where"]),
    (where(xa > 0, 0, ya), (b, i), (x, y), ["y * (x <= 0)"], ["where"]),
    (where(xa > 0, log(xa), 0), (b, i), (x,), ["np.log(logs, out=logs)", "np.where("], []),
    (sum_over((i, j, k), A3[b, i, j] * B3[j, k] * C3[k, o]), (b, o), (A3, B3, C3), [" @ "], ["einsum"]),
]


@pytest.mark.parametrize("body, letters, inputs, contains, lacks", LAWS)
def test_law(body, letters, inputs, contains, lacks):
    text = code(body, letters, *inputs)
    assert all(part in text for part in contains), text
    assert not any(part in re.sub("#.*", "", text) for part in lacks), text


def test_three_operands_meet_two_by_two_in_the_cheap_order():
    """x (W v) costs two vector products, (x W) v a matrix product."""
    q, v = Tensor("q", (o, e)), Tensor("v", (e,))
    text = code(sum_over((i, o, e), xa * w[i, o] * q[o, e] * v[e]), (b,), x, w, q, v)
    assert "out = x @ (w @ (q @ v))" in text


def test_equal_work_is_done_once_whatever_its_letters():
    m = i.alias("i_1")
    h = sum_over(i, exp(xa)) + sum_over(m, exp(x[b, m])) * exp(row[b]) + tanh(exp(row[b]))
    assert code(h, (b,), x, row).count("np.exp") == 2


def test_bound_and_free_letters_of_one_name_are_told_apart():
    """exp(x_bi) under Σ_i and exp(x_bi) free are one array; Σ_i x_bi inside is not x_bi."""
    text = code(exp(xa) * sum_over(i, exp(xa) * sum_over(i, xa)), (b, i), x)
    assert text.count("np.exp") == 1


def test_a_sum_is_one_chain_in_place():
    assert "row_blocks" not in code(xa + row[b], (b, i), x, row)
    text = code(tanh(xa + row[b]) * col[i] - ya, (b, i), x, y, row, col)
    assert text.count("np.empty") == 1 and text.count("_rows -=") == text.count("_rows *=") == 1


def functions(task):
    program = lower(task)
    return program, {f.name: f for f in program.functions}


def loss():
    m = Tensor("m", (b,), body=MaxOver(xa, i), role="let")
    s = Tensor("S", (b,), body=sum_over(i, exp(xa - m[b])), role="let")
    p = Tensor("p", (b, i), body=exp(xa - m[b]) / s[b], role="let")
    log_p = xa - m[b] - log(s[b])
    out = Tensor("L", (), body=-mean_over(b, sum_over(i, ya * log_p)), role="output")
    gradients = (
        Tensor("x_bar", (b, i), body=(p[b, i] - ya) / b.size, role="adjoint", of="x"),
        Tensor("y_bar", (b, i), body=-log_p / b.size, role="adjoint", of="y"),
    )
    return Task("loss", "", (x, y), (), (out,), (), gradients)


def test_value_and_gradient_share_everything():
    source = emit(lower(loss()))
    fused = source[source.index("def value_and_grad") : source.index("def checked")]
    assert fused.count("np.exp") == fused.count("np.log(") == fused.count(".max(") == 1
    assert fused.count("np.empty") == 2 and fused.count("for rows") == 1


def test_backward_reads_what_forward_has():
    source = emit(lower(loss()))
    backward = source[source.index("def backward") : source.index("def value_and_grad")]
    assert not re.search(r"np\.(exp|log)|\.max", backward)


def test_the_shift_is_subtracted_first():
    """x − max x − log S, in this order: the other sums lose the digits of log S."""
    source = emit(lower(loss()))
    assert (
        source.index("- m[:, None]") < source.index("np.log(")
        if "- m[:, None]" in source
        else "m[:, None], out" in source
    )


def test_scalar_upstream_scales_adjoints_once():
    h = Tensor("h", (b, o), body=sum_over(i, xa * w[i, o]), role="let")
    out = Tensor("L", (), body=sum_over((b, o), h[b, o] ** 2), role="output")
    h_bar = Tensor("h_bar", (b, o), body=2 * h[b, o], role="adjoint", of="h")
    gradients = (
        Tensor("x_bar", (b, i), body=sum_over(o, h_bar[b, o] * w[i, o]), role="adjoint", of="x"),
        Tensor("w_bar", (i, o), body=sum_over(b, xa * h_bar[b, o]), role="adjoint", of="w"),
    )
    source = emit(lower(Task("t", "", (x, w), (), (out,), (), gradients)))
    backward = source[source.index("def backward") : source.index("def value_and_grad")]
    assert "h_bar = h * (2 * g)" in backward and backward.count("* g") == 1
    assert "* g" not in source[source.index("def value_and_grad") : source.index("def checked")]


def test_large_passes_are_one_loop_over_rows():
    _, found = functions(loss())
    loops = [s for s in found["value_and_grad"].body if isinstance(s, Rows)]
    assert len(loops) == 1 and loops[0].counts == (Var("B"),) and loops[0].width == Var("I")


def test_a_derived_length_needs_its_size():
    out = Tensor("out", (b,), body=row[b] * Size("K"), role="output")
    with pytest.raises(Unsupported, match="length K"):
        lower(Task("case", "", (row,), (), (out,)))
    assert "K: int = 3" in emit(lower(Task("case", "", (row,), (), (out,), sizes=(Size("K", default=3),))))


def test_unknown_nodes_are_named():
    with pytest.raises(Unsupported, match="case: no array operation for wobble"):
        code(Function("wobble")(xa), (b, i), x)
    with pytest.raises(Unsupported, match="tensor q is neither an input nor defined"):
        code(xa + Tensor("q", (b,))[b], (b, i), x)


def test_scalars_are_keywords_with_their_defaults():
    assert "def forward(x: Any, *, eps: float = 1e-05)" in code(
        xa + Scalar("eps", 1e-5), (b, i), x, scalars=(Scalar("eps", 1e-5),)
    )


def test_functions_fit_the_page():
    source = emit(lower(loss()))
    assert max(len(line) for line in source.splitlines() if not line.strip().startswith("#")) <= 120
