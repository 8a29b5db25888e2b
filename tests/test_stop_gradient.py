"""What is held constant: sg(x) is x, and its derivative is 0 by definition, in every witness and in code."""

import numpy as np
import pytest

import formulas
from derive import (
    T,
    axes,
    detach,
    formula,
    from_latex,
    gradient,
    hessian,
    hvp,
    jvp,
    let,
    scan,
    sin,
    stop_gradient,
    sum_over,
    tanh,
    to_numpy,
    zeros,
)

t, n, m = axes("t n m")
RNG = np.random.default_rng


@formula
def half_held(x: T[n]) -> T[()]:
    """x² sg(sin x)."""
    return sum_over(n, x[n] ** 2 * stop_gradient(sin(x[n])))


def test_its_derivative_is_zero_by_definition():
    assert str(gradient(half_held).result) == "2*stop_gradient(sin(x[n]))*x[n]"
    assert r"\operatorname{sg}" in gradient(half_held).latex()
    assert detach is stop_gradient


def test_derivatives_of_every_kind_verify():
    assert gradient(half_held).verify(trials=3)
    assert jvp(half_held).verify(trials=3)
    second = hessian(half_held, wrt="x")
    assert second.verify(trials=3)
    x = RNG(0).normal(size=4)
    np.testing.assert_allclose(second(x=x), np.diag(2 * np.sin(x)), rtol=1e-12)
    product, _ = to_numpy(hvp(half_held, "x")).forward(x=x, x_dot=np.ones(4))
    np.testing.assert_allclose(product, 2 * np.sin(x), rtol=1e-12)


def test_what_rests_on_held_values_alone_has_no_gradient():
    @formula
    def all_held(x: T[n], y: T[n]) -> T[()]:
        """y sg(tanh x), by a name."""
        h = let("h", tanh(x[n]))
        return sum_over(n, y[n] * stop_gradient(h[n]))

    assert gradient(all_held, wrt="x").result == 0
    assert gradient(all_held).verify(trials=3)


def test_a_wrong_derivative_is_caught(monkeypatch):
    from derive.differentiate import DERIVATIVES

    monkeypatch.setitem(DERIVATIVES, "stop_gradient", lambda reader, y, u: reader.algebra.constant(1))

    @formula
    def not_held(x: T[n]) -> T[()]:
        """x sg(x), as if sg′ were 1."""
        return sum_over(n, x[n] * stop_gradient(x[n]))

    assert not gradient(not_held).verify(trials=2)


def test_a_carry_that_is_always_held_leaves_only_the_step_itself():
    @formula
    def forgetful(x: T[t, n]) -> T[t, n]:
        """h_t = tanh(x_t + sg(h_{t−1}))."""
        s = scan(t, lambda s: tanh(x[t, n] + stop_gradient(s[n])), zeros(n))
        return s[t, n]

    assert gradient(forgetful).verify(trials=3)
    module, x = to_numpy(forgetful), RNG(1).normal(size=(5, 3))
    assert module.verify(trials=2)
    y, saved = module.forward(x=x)
    np.testing.assert_allclose(module.backward(np.ones_like(y), saved)["x"], 1 - y**2, rtol=1e-12)


def test_code_computes_values_and_does_not_compare_itself_with_differences():
    module = to_numpy(formulas.straight_through)
    x = np.array([-2.0, 1e-9, 3e20])
    y, saved = module.forward(x=x)
    np.testing.assert_array_equal(y, [0, 1, 1])  # x + (1 − x) would lose all digits
    np.testing.assert_array_equal(module.backward(x, saved)["x"], x)
    assert "stop_gradient" not in module.source
    assert "compared" not in module.source and "__main__" not in module.source


def test_it_is_read_from_latex():
    loss = from_latex(r"\frac1N \sum_n (\operatorname{sg}(x_n) - e_n)^2", where="x: n, e: n")
    assert gradient(loss, wrt="x").result == 0
    assert gradient(loss).verify(trials=2)


@pytest.mark.parametrize("every", [1, 2, 3, 7, 20])
def test_truncation_cuts_the_gradient_into_pieces(every):
    """The gradient for the initial state is that of the first piece alone."""
    rng = RNG(2)
    given = {"w_ih": rng.normal(size=(3, 2)), "w_hh": rng.normal(size=(3, 3))}
    given |= {"b_ih": rng.normal(size=3), "b_hh": rng.normal(size=3), "h0": rng.normal(size=(2, 3))}
    x, g = rng.normal(size=(7, 2, 2)), rng.normal(size=(7, 2, 3))
    whole, cut = to_numpy(formulas.rnn), to_numpy(formulas.truncated_rnn)
    y, saved = cut.forward(x=x, every=every, **given)
    found = cut.backward(g, saved)
    start, total = given["h0"], 0.0
    for first in range(0, 7, every):
        piece, kept = whole.forward(x=x[first : first + every], **given | {"h0": start})
        np.testing.assert_allclose(y[first : first + every], piece, rtol=1e-12)
        expected = whole.backward(g[first : first + every], kept)
        np.testing.assert_allclose(found["x"][first : first + every], expected["x"], rtol=1e-10, atol=1e-13)
        if not first:
            np.testing.assert_allclose(found["h0"], expected["h0"], rtol=1e-10, atol=1e-13)
        start, total = piece[-1], total + expected["w_hh"]
    np.testing.assert_allclose(found["w_hh"], total, rtol=1e-10, atol=1e-13)


def test_truncation_prints_where_the_gradient_comes_back():
    assert "[(t + 1) mod every ≥ 1]" in str(gradient(formulas.truncated_rnn))


def test_commitment_and_codebook_have_each_their_own_half():
    rng = RNG(3)
    z, codebook = rng.normal(size=(5, 2)), rng.normal(size=(3, 2))
    k = ((z[:, None] - codebook) ** 2).sum(-1).argmin(-1)
    module = to_numpy(formulas.vq_vae_loss)
    (q, loss), saved = module.forward(z=z, codebook=codebook, beta=0.3)
    np.testing.assert_allclose(q, codebook[k])
    np.testing.assert_allclose(loss, 1.3 * np.mean((z - codebook[k]) ** 2))
    found = module.backward((None, 1.0), saved)
    np.testing.assert_allclose(found["z"], 0.6 * (z - codebook[k]) / z.size)
    pulled = np.zeros_like(codebook)
    np.add.at(pulled, k, 2 * (codebook[k] - z) / z.size)
    np.testing.assert_allclose(found["codebook"], pulled)


STILL = {"simsiam_loss": ("z_1", "z_2"), "byol_loss": ("z",), "deep_q_loss": ("following", "reward")}


def test_only_the_prediction_learns():
    for name, still in STILL.items():
        results = gradient(getattr(formulas, name)).results
        assert all(results[x] == 0 for x in still), name
