"""What a reader is spared, and what he must be told: conditions, names, parts of stacks, products over steps."""

import numpy as np
import pytest
from sympy import Integer, S

from derive import Axis, T, axes, catalogue, formula, gradient, maximum, sum_over
from derive.axes import Entry, SumOver, Tensor, Where, mapped
from derive.notation import Notation, text
from derive.notation.recurrence import retold
from derive.notation.unrolled import one_step
from derive.oracle import evaluate
from derive.verify.sample import Sampler

b, i, o, n, h = axes("b i o n h")
d = Axis("d", Integer(3))
x = Tensor("x", (n, d))
y = x[n, d]


def mask(condition):
    return Where(condition, S.One, S.Zero)


TIDIED = [
    (mask(d >= 1) * mask(d >= 2) * y, "x_nd [d = 2]"),
    (mask(d >= 1) * mask(d < 2) * y, "x_nd [d = 1]"),
    (mask(d < 1) * y, "x_nd [d = 0]"),
    (mask(d < 3) * y, "x_nd"),
    (mask(d < 2) * y, "x_nd [d < 2]"),
    (mask(d >= 1) * y, "x_nd [d ≥ 1]"),
    (mask(n < n.size) * y, "x_nd"),
    (mask(n >= n.size - 1) * y, "x_nd [n = N − 1]"),
    (mask(y > 3) * mask(y > 2), "[x_nd > 3]"),
    (mask(y >= 2) * mask(y > 2), "[x_nd > 2]"),
    (mask(y > 0) * mask(y < 6), "[0 < x_nd < 6]"),
    (mask(y > 0) * mask(y < -1), None),  # never both: they stay as they are
    (SumOver(mask(d < 1) * y, d), "x[n, 0]"),
    (SumOver(mask(d >= 1) * y, d), "Σ_{d ≥ 1} x_nd"),
]


@pytest.mark.parametrize("expression, shown", TIDIED, ids=[str(row[1]) for row in TIDIED])
def test_conditions_that_say_nothing_are_left_out(expression, shown):
    printed = text(expression)
    assert printed == shown if shown else "> 0" in printed or "0 <" in printed


@formula
def two_layers(x: T[b, i], w: T[i, o], v: T[o]) -> T[b]:
    """ReLU without names of its own."""
    return sum_over(o, maximum(sum_over(i, x[b, i] * w[i, o]), 0) * v[o])


@formula
def circular(x: T[n], w: T[n]) -> T[n]:
    """Circular convolution."""
    m = n.alias("m")
    return sum_over(m, x[(n - m) % n.size] * w[m])


@pytest.mark.parametrize("detail", ["normal", "full"])
def test_every_name_of_a_result_is_explained(detail):
    shown = gradient(two_layers).explain(detail)
    assert "u_bo = Σ_i x_bi w_io" in shown and "∂L/∂v_o = Σ_b max(u_bo, 0) g_b" in shown
    assert "Σ_i x_bi w_io = Σ_i x_bi w_io" not in shown and "y_b = Σ_o max(Σ_i x_bi w_io, 0) v_o" in shown


def test_what_goes_round_is_a_remainder():
    shown = gradient(circular).explain()
    assert "∂L/∂x_n = Σ_m w_m g[(n + m) mod N]" in shown and "g̃" not in shown


def test_gates_of_a_cell_are_told_part_by_part():
    shown = gradient(catalogue["lstm_cell"]).explain()
    assert all(f"z̄[b, k + {rows}] = ∂L/∂z[b, k + {rows}] = " in shown for rows in ("H", "2 H", "3 H"))
    assert "and 0 outside" not in shown and "∂L/∂w_hh[four, k] = Σ_b hx_bk z̄_{b, four}" in shown


PRODUCTS = {
    "rnn": "∂s_tb/∂s_τb = Π_{j=τ+1…t} diag(𝟏 − s_jb^⊙2) W_hh",
    "linear_recurrence": "∂s_tbh/∂s_τbh = Π_{j=τ+1…t} a_jbh",
    "diagonal_state_space": "∂s_tbn/∂s_τbn = a_n^(t − τ)",
    "discounted_return": "∂s_tb/∂s_τb = γ^(τ − t)",
}


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("kind", ["index", "matrix"])
def test_jacobians_of_many_steps_are_multiplied(name, kind):
    shown = " ".join(gradient(catalogue[name]).explain("normal", Notation(kind)).split())
    assert PRODUCTS[name] in shown


def test_the_jacobian_of_a_step_is_that_of_its_definition():
    """Read off the adjoint's equation; beside it, by hand: diag(1 − h²) U."""
    derived = gradient(catalogue["rnn"])
    derivation, _ = retold(derived.derivation, derived.traced)
    step = next(found for e in derivation.equations if (found := one_step(e)) is not None)
    sampler = Sampler(derived.traced, tuple(u[u.axes] for u in derived.derived.upstreams))
    point = sampler.point(np.random.default_rng([0]), "distinct")
    (state,) = [t for t in derived.traced.definitions if t.name == "s"]

    def whole(node):
        return Entry(state, *node.indices) if isinstance(node, Entry) and node.tensor.name == "s" else None

    found = evaluate(mapped(step.jacobian, whole), point, (*step.state.indices, step.inner[1]))
    s = np.asarray(evaluate(state.body, point, state.axes))
    assert found == pytest.approx((1 - s**2)[..., None] * point.arrays["w_hh"], abs=1e-12)


@pytest.mark.parametrize("name", ["lstm", "gru", "mlp", "layer_norm"])
def test_other_formulas_have_no_such_product(name):
    derived = gradient(catalogue[name])
    derivation, _ = retold(derived.derivation, derived.traced)
    assert not any(one_step(e) for e in derivation.equations)
