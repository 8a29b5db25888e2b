"""Slices of one array: what comes back for them is placed once, side by side, and multiplied as one."""

import numpy as np
import pytest

from derive import T, axes, axis, catalogue, formula, let, sigmoid, sum_over, tanh, to_numpy

rng = np.random.default_rng(0)
b, h, i = axes("b h i")
two = axis("two", 2 * h.size)
wide = axis("wide", 2 * h.size + 1)


@formula
def gated(x: T[b, i], w: T[two, i], v: T[two]) -> T[b, h]:
    """tanh of the first half of the rows, times σ of the second."""
    z = let("z", sum_over(i, x[b, i] * w[two, i]) + v[two])
    return tanh(z[b, h]) * sigmoid(z[b, h.size + h])


@formula
def other_way_round(x: T[b, i], w: T[two, i], v: T[two]) -> T[b, h]:
    """The second half less tanh of the first: parts of either sign."""
    z = let("z", sum_over(i, x[b, i] * w[two, i]) + v[two])
    return z[b, h.size + h] - tanh(z[b, h])


@formula
def with_a_gap(x: T[b, i], w: T[wide, i], v: T[wide]) -> T[b, h]:
    """The last row is not used."""
    z = let("z", sum_over(i, x[b, i] * w[wide, i]) + v[wide])
    return tanh(z[b, h]) * sigmoid(z[b, h.size + h])


@formula
def overlapping(x: T[b, i], w: T[wide, i], v: T[wide]) -> T[b, h]:
    """The slices share all rows but some."""
    z = let("z", sum_over(i, x[b, i] * w[wide, i]) + v[wide])
    return tanh(z[b, h]) * sigmoid(z[b, h + 1])


@formula
def written_apart(x: T[b, i], w: T[two, i], v: T[two]) -> T[b, h]:
    """gated, without a name for both sums."""

    def row(number):
        rows = number * h.size + h
        return sum_over(i, x[b, i] * w[rows, i]) + v[rows]

    return tanh(row(0)) * sigmoid(row(1))


FORMULAS = {f.name: f for f in (gated, other_way_round, with_a_gap, overlapping, written_apart)}


def arrays(f, H=3):
    lengths = {"b": 4, "i": 2, "two": 2 * H, "wide": 2 * H + 1}
    return {t.name: rng.normal(size=[lengths[a.name] for a in t.axes]) for t in f.trace().inputs}


@pytest.mark.parametrize("name", FORMULAS)
def test_gradients_are_those_of_differences(name):
    f = FORMULAS[name]
    module, given = to_numpy(f), arrays(f)
    value, saved = module.forward(**given)
    g = rng.normal(size=value.shape)
    gradients = module.backward(g, saved)
    for key, array in given.items():
        direction = rng.normal(size=array.shape)
        ends = [module.forward(**{**given, key: array + step * direction})[0] for step in (1e-6, -1e-6)]
        difference = np.vdot(g, ends[0] - ends[1]) / 2e-6
        assert np.isclose(np.vdot(gradients[key], direction), difference, rtol=1e-6, atol=1e-8), key


def backward(name):
    source = to_numpy(FORMULAS.get(name) or catalogue[name]).source
    return source[source.index("def backward(") :].split("\n\n\n")[0]


@pytest.mark.parametrize("name", ["gated", "other_way_round", "lstm_cell", "lstm"])
def test_what_fills_an_axis_is_joined_and_multiplied_as_one(name):
    text = backward(name)
    assert text.count("concatenate(") == 1
    assert not any(word in text for word in ("padded(", "overlapped(", "einsum", "==", "zeros"))


def test_a_part_is_multiplied_with_its_rows():
    text = backward("written_apart")
    assert text.count("w[:H]") == text.count("w[H:two]") == 1
    assert text.count("concatenate(") == 2 and "padded(" not in text


@pytest.mark.parametrize("name", ["gru_cell", "gru"])
def test_so_it_is_where_a_gate_stands_between(name):
    text = backward(name)
    assert text.count("concatenate(") == 2  # what was taken, and what was held
    assert not any(word in text for word in ("padded(", "overlapped(", "einsum", "=="))


@pytest.mark.parametrize("name", ["with_a_gap", "overlapping"])
def test_what_does_not_fill_an_axis_is_added(name):
    text = backward(name)
    assert "concatenate" not in text and text.count("overlapped(") == 2


def test_a_step_of_an_lstm_is_one_product_each_way():
    source = to_numpy(catalogue["lstm"]).source
    for name in ("forward", "backward"):
        text = source[source.index(f"def {name}(") :].split("\n\n\n")[0]
        loop = text[text.index("    for step in ") :]
        loop = loop[: loop.index("\n    del ")] if "\n    del " in loop else loop
        assert loop.count(" @ ") + loop.count("np.matmul(") == 1
