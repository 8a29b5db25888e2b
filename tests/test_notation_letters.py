"""Letters, names and lines as an author chooses them: what stands together in the definition stands together after."""

import pytest

from derive import axes, axis, catalogue, exp, gradient, let, sqrt, sum_over
from derive.axes import T
from derive.book.order import content, places
from derive.formula import build

t, d, e = axes("t d e")
u = t.alias("u")
r = axis("r", 2 * t.size - 1)


def relative_attention(q: T[t, d], k: T[t, d], v: T[t, e], bias: T[r]) -> T[t, e]:
    """Attention with a bias for each distance."""
    S = let("S", sum_over(d, q[t, d] * k[u, d]) / sqrt(d.size) + bias[t - u + t.size - 1])
    P = let("P", exp(S[t, u]) / sum_over(u, exp(S[t, u])))
    return sum_over(u, P[t, u] * v[u, e])


def told(name, detail="normal", notation="index"):
    return gradient(catalogue[name]).explain(detail, notation)


@pytest.mark.parametrize("name", ["max_pool2d", "rectangular_max_pool2d", "unfold", "avg_pool2d"])
@pytest.mark.parametrize("detail", ["brief", "normal", "full"])
def test_letters_stay_beside_their_mates(name, detail):
    """r walks along h and q along w, in every window of a page."""
    shown = told(name, detail).replace("_h", "").replace("_w", "")
    assert "s h + r" in shown or "s h + d r" in shown
    for swapped in ("s h + q", "s h + d q", "s w + r", "s w + d r"):
        assert swapped not in shown


def test_a_mean_of_what_conditions_choose_is_a_sum():
    assert "(1/K) Σ_{h, r : s h + r − p = y} g_nch" in told("avg_pool1d", "brief")
    assert "(1/T) Σ_{b, t : input_bt = v} g_bd" in told("embedding_bag", "brief")


def test_an_adjoint_wears_no_tilde():
    shown = gradient(build(relative_attention, "relative_attention", {})).explain("brief")
    assert "∂L/∂bias_r = Σ_{t, u : u + T − 1 − t = r} S̄_ut" in shown
    assert "and 0 outside" not in shown


def test_what_is_padded_is_explained_in_every_format():
    gradient_of = gradient(catalogue["max_pool2d"])
    assert r"\item $\widetilde{\mathrm{input}}$: $\mathrm{input}$, and 0 outside" in gradient_of.latex(document=True)
    assert "and 0 outside" in gradient_of.html() and "and 0 outside" in gradient_of.markdown()


def test_in_brief_nothing_is_defined_twice():
    shown = told("attention", "brief")
    assert [shown.count(f"  {name} = ") for name in ("S_ts", "P_ts", "y_tv")] == [1, 1, 1]


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm", "logistic_regression", "variational_autoencoder"])
def test_no_derivation_comes_back_to_where_it_was(name):
    for equation in gradient(catalogue[name]).derivation.equations:
        reached = [str(step.after) for step in equation.steps]
        assert len(set(reached)) == len(reached)


def test_a_power_by_a_scalar_has_a_matrix_form():
    assert "Y = −A ⊙ (𝟏 𝟏ᵀ − P)^⊙γ ⊙ log(P)" in told("sigmoid_focal_loss", "brief", "matrix")


def test_a_sum_of_all_entries_turns_nothing():
    from derive.axes import mean_over

    def loss(a: T[t, d]) -> T[()]:
        return mean_over(t, sum_over(d, exp(a[t, d]) - a[t, d]))

    assert "L = 𝟏ᵀ (exp(A) − A) 𝟏 / T" in gradient(build(loss, "loss", {})).explain("brief", "matrix")


def test_lines_break_between_factors_before_arguments():
    shown = told("grid_sample", "brief")
    assert not [line for line in shown.splitlines() if line.count("(") > line.count(")") and "max(" in line[-6:]]


def test_a_length_has_one_name_in_a_document():
    """K is a matrix of keys; so no length is called K, in the local Jacobians either."""
    shown = gradient(catalogue["multi_head_attention"]).latex(document=True)
    assert r"\lfloor f/N_k\rfloor" in shown and r"\lfloor f/K\rfloor" not in shown


def test_a_page_depends_on_its_formula_and_what_that_mentions():
    relu = content(places(["relu"])["relu"])
    assert "def relu(" in relu and "def gelu(" not in relu
    used = [(place, name) for place in places().values() for name in place.uses]
    assert used and all(f"def {name}(" in content(place) for place, name in used)
