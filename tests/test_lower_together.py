"""One function of several slices, what a loop need not do at each step, and where its values are written: the code."""

import numpy as np
import pytest

from derive import T, axes, axis, formula, gradient, let, log, scan, sigmoid, sum_over, tanh, to_numpy, zeros
from tests.test_writings import WRITINGS

rng = np.random.default_rng(0)
t, b, h, i = axes("t b h i")
two = axis("two", 2 * h.size)
three = axis("three", 3 * h.size)


@formula
def both_gated(x: T[b, i], w: T[three, i]) -> T[b, h]:
    """σ of two thirds of the rows, and log of the rest's square."""
    z = let("z", sum_over(i, x[b, i] * w[three, i]))
    return sigmoid(z[b, h]) * sigmoid(z[b, h + h.size]) + log(1 + z[b, h + 2 * h.size] ** 2)


@formula
def once_gated(x: T[b, i], w: T[three, i]) -> T[b, h]:
    """σ of a third of the rows."""
    z = let("z", sum_over(i, x[b, i] * w[three, i]))
    return sigmoid(z[b, h]) * z[b, h + h.size] + z[b, h + 2 * h.size]


@formula
def only_logs(x: T[b, i], w: T[two, i]) -> T[b, h]:
    """log is not finite everywhere: it is taken where it is asked for."""
    z = let("z", 2 + tanh(sum_over(i, x[b, i] * w[two, i])))
    return log(z[b, h]) * log(z[b, h + h.size])


@formula
def highway(x: T[t, b, two], u: T[two, h], scale: T[b, h]) -> T[t, b, h]:
    """s ← a s + (1 − a) c, with a and c of one product; a steady factor and a steady summand come with the input."""

    def step(s):
        z = let("z", x[t, b, two] + sum_over(h, u[two, h] * s[b, h]))
        a, c = let("a", sigmoid(z[t, b, h])), let("c", sigmoid(z[t, b, h + h.size]))
        return a[t, b, h] * s[b, h] + c[t, b, h] * (1 - a[t, b, h]) * scale[b, h] * tanh(x[t, b, h])

    return scan(t, step, zeros(b, h))[t, b, h]


FORMULAS = {f.name: f for f in (both_gated, once_gated, only_logs, highway)}


def body(source, name):
    text = source[source.index(f"def {name}(") :]
    return text[: text.index("\n\n\n")]


@pytest.mark.parametrize("name", FORMULAS)
def test_values_and_gradients(name):
    assert to_numpy(FORMULAS[name]).verify(trials=4)


def test_a_finite_function_of_most_of_an_array_is_taken_once():
    found = body(to_numpy(both_gated).source, "forward")
    assert found.count("exp(") == 1, "σ of all rows"
    assert "sigmoid_z" not in to_numpy(once_gated).source, "σ of a third stays σ of a slice"
    assert "log_z" not in to_numpy(only_logs).source


def test_a_step_does_what_depends_on_the_carry_alone_and_writes_where_it_is_kept():
    source = to_numpy(highway).source
    forward = body(source, "forward")
    loop = forward[forward.index("for step in") : forward.index("saved =")]
    before = forward[: forward.index("for step in")]
    assert "tanh" in before and "tanh" not in loop, "of the input alone: for all steps at once"
    assert "scale" not in loop
    assert loop.count("exp(") == 1
    assert "out=sigmoid_z[step]" in loop and "sigmoid_z[step] =" not in loop, "no copy"


def test_by_hand():
    T_, B, H = 4, 2, 3
    x, u = rng.normal(size=(T_, B, 2 * H)), rng.normal(size=(2 * H, H))
    scale = rng.normal(size=(B, H))
    s, kept = np.zeros((B, H)), []
    for step in range(T_):
        z = x[step] + s @ u.T
        a, c = 1 / (1 + np.exp(-z[:, :H])), 1 / (1 + np.exp(-z[:, H:]))
        s = a * s + c * (1 - a) * scale * np.tanh(x[step, :, :H])
        kept.append(s)
    found, _ = to_numpy(highway).forward(x=x, u=u, scale=scale)
    np.testing.assert_allclose(found, kept, rtol=1e-12)


def test_what_is_kept_twice_is_stored_twice():
    @formula
    def twice(x: T[t, h]) -> T[t, h]:
        """Both carry the same value."""

        def step(p, q):
            c = let("c", tanh(p[h] + 2 * q[h] + x[t, h]))
            return c[t, h], c[t, h]

        p, q = scan(t, step, zeros(h), zeros(h))
        return p[t, h] * q[t, h]

    assert to_numpy(twice).verify(trials=4)


def test_slices_that_are_only_multiplied_keep_their_places():
    """The gradient of a packed gated unit has a block for each slice, and its definition is not solved for one."""
    text = gradient(once_gated).explain()
    assert "σ(u_bh) g_bh" in text and "∂L/∂z[b, h + 2 H] = g_bh" in text
    assert "y_bh −" not in text, "z₁ = (y − z₂)/σ would lose digits, and teaches nothing"


def test_sums_by_the_same_places_are_one():
    """Large terms cancel before they are added up by class."""
    found = body(to_numpy(WRITINGS["weighted_cross_entropy"]).source, "backward")
    assert found.count("scattered(") == 1
