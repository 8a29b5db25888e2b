"""Recurrences as textbooks print them: s_{t−1}, adjoints at t + 1, sums over t; a matrix for each step."""

import pytest

from derive import Notation, T, axes, catalogue, formula, gradient, let, padded, scan, sigmoid, sum_over, tanh, zeros

t, i, h = axes("t i h")
k = h.alias("k")


@formula
def elman_layer(x: T[t, i], h0: T[h], w: T[h, i], u: T[h, k], beta: T[h]) -> T[t, h]:
    """A simple recurrent network."""
    s = scan(t, lambda s: tanh(sum_over(i, w[h, i] * x[t, i]) + sum_over(k, u[h, k] * s[k]) + beta[h]), h0)
    return s[t, h]


def text(f, notation="index", detail="normal", **wanted):
    return gradient(f, **wanted).explain(notation=notation, detail=detail)


def test_by_entries():
    shown = text(elman_layer)
    for line in (
        "s_th = tanh(Σ_i w_hi x_ti + Σ_k u_hk s_{t−1,k} + β_h)",
        "s_{−1,h} = h₀_h",
        "Adjoints run against the recurrence, and beyond its last step they are 0.",
        "g_th + Σ_k u_kh s̄_{t+1,k} (1 − s_{t+1,k}²)",
        "∂L/∂w_hi = Σ_t x_ti ū₂_th",
        "∂L/∂u_hk = Σ_t s_{t−1,k} ū₂_th",
    ):
        assert line in shown
    assert "before" not in shown and "0 outside" not in shown


def test_by_matrices():
    shown = text(elman_layer, "matrix")
    for line in (
        "s_t = tanh(W x_t + U s_{t−1} + β)",
        "s_{t=−1} = h₀",
        "g_t + Uᵀ (s̄_{t+1} ⊙ (𝟏 − s_{t+1}^⊙2))",
        "∂L/∂W = Σ_t ū₂_t x_tᵀ",
        "∂L/∂U = Σ_t ū₂_t s_{t−1}ᵀ",
    ):
        assert line in shown
    latex = gradient(elman_layer, wrt="u").latex("matrix", "brief")
    assert r"\frac{\partial L}{\partial U} &= \sum_{t} \bar{u}_{1,t} s_{t-1}^\top" in latex


def test_by_differentials():
    shown = text(elman_layer, "differential", wrt="u")
    assert "ds_t = (𝟏 − s_t^⊙2) ⊙ (U ds_{t−1} + dU s_{t−1})" in shown and "dy_t = ds_t" in shown
    assert "dx" not in shown


def test_steps_from_one():
    assert "s_{t=0} = h₀" in text(elman_layer, Notation("matrix", from_one=True))
    assert "s_{0,h} = h₀_h" in text(elman_layer, Notation(from_one=True))


def test_from_the_last_step_to_the_first():
    shown = text(catalogue["discounted_return"])
    assert "s_tb = reward_tb + γ s_{t+1,b}" in shown and "s_{T,b} = 0" in shown
    assert "s̄_tb = ∂L/∂s_tb = g_tb + γ s̄_{t−1,b}" in shown


def test_lstm_in_gate_form():
    """δc, δi, δf, δg, δo as in textbooks, gates by the names of the formula; what is carried is c itself."""
    shown = text(catalogue["lstm"], "matrix", wrt=("w_hh", "x"))
    for line in (
        "c_tbh = F_tbh c_{t−1,b,h} + I_tbh G_tbh",
        "C_t = F_t ⊙ C_{t−1} + I_t ⊙ G_t",
        "S_t = O_t ⊙ tanh(C_t)",
    ):
        assert line in shown or line in text(catalogue["lstm"], wrt="x")
    by_entries = " ".join(text(catalogue["lstm"], wrt="x").split())
    for line in (
        "O_tbh s̄_tbh (1 − tanh²(c_tbh)) + F_{t+1,b,h} c̄_{t+1,b,h}",
        "I_tbh G_tbh c̄_tbh (1 − I_tbh)",
        "F_tbh c_{t−1,b,h} c̄_tbh (1 − F_tbh)",
        "I_tbh c̄_tbh (1 − G_tbh²)",
        "O_tbh tanh(c_tbh) s̄_tbh (1 − O_tbh)",
    ):
        assert line in by_entries


@pytest.mark.parametrize("name", ["lstm_cell", "gru_cell"])
def test_cells_keep_the_names_of_their_gates(name):
    gates = {"lstm_cell": ("Ī_bh", "F̄_bh", "Ḡ_bh", "Ō_bh"), "gru_cell": ("r̄_bh", "z̄_bh")}[name]
    shown = text(catalogue[name])
    assert all(f"{gate} = ∂L/∂" in shown for gate in gates)


def test_a_batch_stands_below_its_matrices():
    n, o = axes("n o")

    @formula
    def tokens(x: T[n, t, i], w: T[i, o]) -> T[n, t, o]:
        """A linear map of every token."""
        return sum_over(i, x[n, t, i] * w[i, o])

    shown = text(tokens, "matrix")
    assert "Y_n = X_n W" in shown and "∂L/∂W = Σ_n X_nᵀ G_n" in shown and "∂L/∂X_n = G_n Wᵀ" in shown
    assert "Σ_n′ δ_nn′ G_n′ Wᵀ" in text(tokens, "matrix", "full")


def test_two_recurrences_that_run_against_each_other():
    @formula
    def both(x: T[t, h]) -> T[t, h]:
        """A sum from either end."""
        a = scan(t, lambda a: a[h] / 2 + x[t, h], zeros(h))
        b = scan(t, lambda b: b[h] / 3 + x[t, h], zeros(h), reverse=True)
        return a[t, h] * b[t, h]

    shown = text(both, "matrix")
    assert "A_{t=−1} = 0" in shown or "a_{t=−1} = 0" in shown
    assert "b_{t=T} = 0" in shown or "B_{t=T} = 0" in shown


def shifted(start):
    @formula
    def neighbours(x: T[t, h], h0: T[h]) -> T[()]:
        """Each entry adds its neighbour's, a step before."""
        s = scan(t, lambda s: x[t, h] * s[h] + padded(s)[h - 1], start or h0)
        return sum_over((t, h), s[t, h])

    return neighbours


def test_what_lies_beside_a_state_keeps_its_tilde():
    """The step before the first is known, the entry before the first is not: there 0 is read, and that is said."""
    shown = text(shifted(zeros(h)), wrt="x")
    assert "s_th = x_th s_{t−1,h} + s̃_{t−1,h−1}" in shown and "s̃, s̄̃: s, s̄, and 0 outside" in shown
    assert "x_{t+1,h} s̄_{t+1,h}" in shown and "s̄̃_{t+1,h+1}" in shown


def test_a_start_that_a_tilde_would_hide_keeps_its_name():
    shown = text(shifted(None))
    assert "s_{−1" not in shown and "s̄_before[t, h] = ∂L/∂s_before[t, h] = x_th s̄_th + s̄̃[t, h + 1]" in " ".join(
        shown.split()
    )


def test_two_steps_before():
    @formula
    def fibonacci(x: T[t, h]) -> T[()]:
        """The sum of the last two, and more."""

        def step(s, past):
            return s[h] * past[h] + x[t, h], s[h]

        s, _ = scan(t, step, zeros(h), zeros(h))
        return sum_over((t, h), s[t, h])

    shown = text(fibonacci)
    assert "s_th = s_{t−1,h} s_{t−2,h} + x_th" in shown and "before_" not in shown
    assert "s_{−2,h} = 0" in shown and "s_{−1,h} = 0" in shown
    assert "s_{t−1,h} s̄_{t+1,h}" in shown or "s_{t+1,h} s̄_{t+2,h}" in shown


def test_below_a_matrix_stands_no_letter_of_its_rows():
    """r̄_{n+m,n} is no row of one matrix: R̄_{n+m} would be another for each entry."""
    assert "∂L/∂cost_nm = r̄[n + m, n]" in text(catalogue["soft_dtw"], "matrix")


def test_the_diagonal_of_each_matrix_of_a_batch():
    n, o = axes("n o")

    @formula
    def diagonals(x: T[n, i, i.alias("j")], w: T[i, o]) -> T[n, i, o]:
        """Rows that the diagonal weighs."""
        j = i.alias("j")
        return x[n, i, i] * sum_over(j, x[n, i, j] * w[j, o])

    assert "Y_n = diag(diag(X_n)) X_n W" in text(diagonals, "matrix")


def test_a_state_with_two_names_has_one_adjoint():
    """c_t is cn_t, and both are used: what comes back is told of one of them, and comes to an end."""
    t, h = axes("t h")

    @formula
    def simple_unit(u: T[t, h], v: T[h], c0: T[h]) -> T[t, h]:
        """c ← f c + (1 − f) u, f = σ(u + v c); the outputs are tanh c."""

        def step(c):
            f = let("f", sigmoid(u[t, h] + v[h] * c[h]))
            new = let("new", f[t, h] * c[h] + (1 - f[t, h]) * u[t, h])
            return new[t, h]

        return tanh(scan(t, step, c0)[t, h])

    text = gradient(simple_unit).explain()
    assert "∂L/∂new_th\n    = g_th (1 − y_th²)" in text
    assert "∂L/∂c_th" not in text and "by new" not in text
