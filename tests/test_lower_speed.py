"""What makes emitted code fast, as structure: which operations there are, which arrays are never made."""

import math
import re
import sys
import tracemalloc

import numpy as np
import pytest

from derive import (
    Bool,
    Int,
    T,
    axes,
    catalogue,
    chain,
    exp,
    formula,
    hessian,
    one_hot,
    sigmoid,
    sum_over,
    to_numpy,
    where,
)
from derive.backends import runtime, windows
from formulas.linear import d as features
from formulas.linear import n as samples

rng = np.random.default_rng(0)
n, d, b, c, y = axes("n d b c y")


def body(module, name):
    """The statements of a function, without comments."""
    source = module.source
    text = source[source.index(f"def {name}(") :].split("\n\n\n")[0]
    return "\n".join(line for line in text.splitlines() if not line.strip().startswith("#"))


def grown(function):
    """What a call returns, and the bytes of arrays that it adds at the peak."""
    function()
    tracemalloc.start()
    found = function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found, peak


# One entry a row


@pytest.mark.parametrize("name", ["forward", "backward", "value_and_grad"])
def test_cross_entropy_makes_no_array_of_zeros_and_ones(name):
    text = body(to_numpy(catalogue["cross_entropy"]), name)
    assert "==" not in text and "astype" not in text


def test_cross_entropy_is_scaled_once():
    text = body(to_numpy(catalogue["cross_entropy"]), "value_and_grad")
    assert text.count("*=") == 1 and text.count("np.exp") == 1
    assert re.search(r"target\[rows\]\] -= 1 / B\n", text)


@formula
def marked(x: T[b, c, y], w: T[b, y], t: Int[b, y].below(c)) -> T[b, c, y]:
    """eˣ − w at one entry of each column."""
    return exp(x[b, c, y]) - w[b, y] * one_hot(t[b, y], c)


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 1, 1), (300, 40, 70)])
def test_an_entry_of_any_axis_is_changed_by_what_it_says(shape):
    m, k, l = shape
    x, w, t = rng.normal(size=shape), rng.normal(size=(m, l)), rng.integers(0, k, (m, l))
    hot = np.arange(k)[:, None] == t[:, None, :]
    module = to_numpy(marked)
    assert "==" not in body(module, "forward")
    found, saved = module.forward(x=x, w=w, t=t)
    np.testing.assert_allclose(found, np.exp(x) - w[:, None] * hot, rtol=1e-13)
    g = rng.normal(size=shape)
    grads = module.backward(g, saved)
    np.testing.assert_allclose(grads["x"], g * np.exp(x), rtol=1e-13)
    np.testing.assert_allclose(grads["w"], -(g * hot).sum(1), rtol=1e-13, atol=1e-13)


def test_inputs_are_left_alone():
    @formula
    def shifted(x: T[b, c], t: Int[b].below(c)) -> T[b, c]:
        return x[b, c] - one_hot(t[b], c)

    x, t = np.ones((2, 3)), np.array([0, 2])
    found, _ = to_numpy(shifted).forward(x=x, t=t)
    assert (x == 1).all() and found.tolist() == [[0, 1, 1], [1, 1, 0]]


# Sums by place


def test_rows_of_equal_index_are_added_alike_with_and_without_scipy(monkeypatch):
    u, places = rng.normal(size=(3000, 8)), rng.integers(-1, 50, 3000)
    expected = np.zeros((50, 8))
    np.add.at(expected, places[places >= 0], u[places >= 0])
    np.testing.assert_allclose(windows.scattered(u, (50,), places), expected, rtol=1e-12, atol=1e-12)
    monkeypatch.setitem(sys.modules, "scipy", None)
    np.testing.assert_allclose(windows.scattered(u, (50,), places), expected, rtol=1e-12, atol=1e-12)


# Pooling


@pytest.mark.parametrize(
    "k, stride, dilation, padding", [(2, 2, 1, 0), (2, 3, 1, 0), (3, 2, 1, 1), (2, 4, 3, 1), (1, 1, 1, 0)]
)
def test_pooling_of_tiles_and_of_windows_that_overlap(k, stride, dilation, padding):
    x = rng.normal(size=(2, 3, 9, 8))
    keywords = {"kernel_size": k, "stride": stride, "dilation": dilation, "padding": padding}
    module = to_numpy(catalogue["max_pool2d"])
    found, saved = module.forward(input=x, **keywords)
    g = rng.normal(size=found.shape)
    expected, y_ = np.zeros_like(x), np.empty_like(found)
    for i, j in np.ndindex(found.shape[2:]):
        rows = [i * stride + dilation * r - padding for r in range(k)]
        columns = [j * stride + dilation * q - padding for q in range(k)]
        inside = [(r, q) for r in rows for q in columns if 0 <= r < 9 and 0 <= q < 8]
        window = np.stack([x[:, :, r, q] for r, q in inside], -1)
        y_[:, :, i, j] = window.max(-1)
        for place, at in np.ndenumerate(window.argmax(-1)):
            expected[(*place, *inside[at])] += g[(*place, i, j)]
    np.testing.assert_array_equal(found, y_)
    np.testing.assert_allclose(module.backward(g, saved)["input"], expected, rtol=1e-13, atol=1e-13)


# Convolutions


@pytest.mark.parametrize("stride", [1, 2])
def test_no_columns_of_a_whole_batch_are_made(stride):
    module = to_numpy(catalogue["conv2d"])
    x, w = rng.normal(size=(96, 16, 40, 40)), rng.normal(size=(16, 16, 3, 3))
    found, saved = module.forward(input=x, weight=w, stride=stride, padding=1)
    columns = 9 * x.nbytes // stride**2
    _, forward = grown(lambda: module.forward(input=x, weight=w, stride=stride, padding=1))
    _, backward = grown(lambda: module.backward(found, saved))
    block = 4 * 8 * runtime.BLOCK
    assert forward < 1.2 * x.nbytes + found.nbytes + block < columns + found.nbytes
    assert backward < 1.2 * x.nbytes + block < columns


# XᵀSX


def test_the_hessian_of_the_logistic_loss_is_a_gram_matrix():
    derived = hessian(catalogue["logistic_regression"], wrt="w")

    @formula
    def hessian_of_logistic_loss(
        X: T[samples, features], w: T[features], y: T[samples]
    ) -> T[features, derived.axes[1]]:
        return derived.result

    text = body(to_numpy(hessian_of_logistic_loss), "forward")
    assert re.search(r"= (\w+)\.T @ \1$", text, re.MULTILINE) and text.count(" @ ") == 2


@pytest.mark.parametrize("weight, squared", [("exp", True), ("plain", False)])
def test_only_weights_that_cannot_be_negative_have_a_root(weight, squared):
    k = d.alias("k")

    @formula(name=f"weighted_{weight}")
    def weighted(X: T[n, d], s: T[n]) -> T[d, k]:
        return sum_over(n, X[n, d] * (exp(s[n]) if squared else s[n]) * X[n, k])

    text = body(to_numpy(weighted), "forward")
    product = re.search(r"= (\w+)\.T @ (\w+)", text)
    assert (product[1] == product[2]) == squared == ("np.sqrt" in text)
    X, s = rng.normal(size=(7, 3)), rng.normal(size=7)
    expected = X.T @ np.diag(np.exp(s) if squared else s) @ X
    np.testing.assert_allclose(to_numpy(weighted).forward(X=X, s=s)[0], expected, rtol=1e-12, atol=1e-12)


def test_a_sigmoid_times_its_opposite_selects_nothing():
    @formula
    def slope(x: T[...]) -> T[...]:
        return sigmoid(x) * sigmoid(-x)

    module = to_numpy(slope)
    text = body(module, "forward")
    assert not re.search("where|maximum|greater|less|>=|<", text) and text.count("bounded_exp(") == 1
    x = np.array([-800.0, -40, -1, 0, 1, 40, 800])
    e = np.exp(-np.abs(x))
    np.testing.assert_allclose(module.forward(x=x)[0], e / (1 + e) ** 2, rtol=1e-15)


# erfc


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_erfc_is_right_to_some_units_in_the_last_place(dtype):
    x = np.concatenate([np.linspace(-6, 9 if dtype is np.float32 else 26, 5001), 10.0 ** np.linspace(-9, 0, 300)])
    x = x.astype(dtype)
    with np.errstate(all="raise", under="ignore"):
        found = runtime.erfc(x).astype(float)
        ends = runtime.erfc(np.array([np.inf, -np.inf, 1e30, -1e30, 0], dtype))
    right = np.array([math.erfc(v) for v in x.astype(float)])
    condition = np.abs(x) * 2 / math.sqrt(math.pi) * np.exp(-(x.astype(float) ** 2)) / right
    assert np.max(np.abs(found - right) / right / (1 + condition)) < 6 * np.finfo(dtype).eps
    np.testing.assert_allclose(ends, [0, 2, 0, 2, 1], rtol=4 * np.finfo(dtype).eps)
    scaled = runtime.erfc(x, -0.5, 3.0, out=np.empty_like(x))
    np.testing.assert_allclose(
        scaled, [3 * math.erfc(-0.5 * v) for v in x.astype(float)], rtol=20 * np.finfo(dtype).eps
    )
    assert runtime.erfc(x[0]).shape == () and runtime.erfc(x[0]).dtype == dtype


def test_gelu_needs_no_scipy():
    module = to_numpy(catalogue["gelu"])
    assert "scipy" not in module.source and "erfc(input_rows, -0.7071067811865476, 0.5, out=Phi[rows])" in module.source


# What is kept


@pytest.mark.parametrize("name", ["layer_norm", "batch_norm", "rms_norm"])
def test_norms_keep_their_input_and_no_other_large_array(name):
    module = to_numpy(catalogue[name])
    (first, *_), cost = module.traced.inputs, module.cost
    size = math.prod(a.size for a in first.axes)
    assert cost.inputs.expand().coeff(size) != 0
    assert (cost.saved - cost.inputs).expand().coeff(size) == 0


def test_what_few_operations_make_of_the_input_is_made_again():
    """The tanh GELU keeps x alone; the exact one keeps Φ, which is a polynomial of many passes.

    Numbers go into sums that multiply by numbers, s (a x² + b) x = (a s x² + b s) x: one pass less.
    """
    kept = {how: to_numpy(catalogue["gelu"], approximate=how).cost for how in ("tanh", "none")}
    assert [str(cost.saved - cost.inputs) for cost in kept.values()] == ["0", "N*itemsize"]
    module = to_numpy(catalogue["gelu"], approximate="tanh")
    assert body(module, "forward").count(" *= ") == 3 and "1.5957691216057308" in module.source
    x = rng.normal(size=1 << 20)
    (y, saved), forward = grown(lambda: module.forward(input=x))
    _, backward = grown(lambda: module.backward(y, saved))
    assert max(forward, backward) < x.nbytes + 2 * 8 * runtime.BLOCK


def test_what_nobody_reads_any_more_is_given_back():
    """The product that dies in the first layer's backward pass is gone before the gradient of x is made."""
    text = body(
        to_numpy(chain(*(catalogue[n] for n in ("dense", "tanh", "dense", "softmax_cross_entropy")))), "backward"
    )
    assert text.index("del product") < text.index("x_bar = ")
    assert not re.search(r"^ *del .*\bg\b", text, re.MULTILINE), "what was given is not ours"


ATTENTION = [
    ("scaled_dot_product_attention", {"is_causal": False}), ("scaled_dot_product_attention", {"is_causal": True}),
    ("soft_capped_attention", {}),
]  # fmt: skip


@pytest.mark.parametrize("name, static", ATTENTION)
def test_attention_keeps_no_weights_and_makes_them_for_some_heads(name, static):
    """A product for each batch and head is made where it is used; what backward needs of it is made again."""
    module = to_numpy(catalogue[name], **static)
    saved = (module.cost.saved - module.cost.inputs).expand()
    assert not [term for term in saved.args if {"S", "T"} <= set(map(str, term.free_symbols))]
    sizes = {"B": 8, "H": 8, "T": 192, "S": 192, "D": 8, "V": 8}
    kinds = {"real": float, "bool": bool}
    shapes = {t: [sizes[str(a.size)] for a in t.axes] for t in module.traced.inputs}
    inputs = {t.name: rng.normal(size=shape).astype(kinds[t.dtype]) for t, shape in shapes.items()}
    (y, saved), forward = grown(lambda: module.forward(**inputs))
    _, backward = grown(lambda: module.backward(y, saved))
    weights, block = 8 * 8 * 8 * 192 * 192, 8 * runtime.BLOCK
    assert forward < 4 * block + 4 * y.nbytes < weights
    assert backward < 5 * block + 4 * y.nbytes < weights


def test_blocks_of_pairs_cover_each_entry_once(monkeypatch):
    for first, second, width in ((1, 1, 1), (3, 5, 2), (3, 5, 7), (4, 6, 30), (2, 3, 100)):
        monkeypatch.setattr(runtime, "BLOCK", 24)
        met, most = np.zeros((first, second, 2)), 0
        for rows, columns in runtime.pair_blocks(first, second, width):
            met[rows, columns] += 1
            most = max(most, met[rows, columns, 0].size)
        assert met.min() == met.max() == 1 and most * width <= max(24, width)


# Products under a condition


def test_a_condition_leaves_a_product_alone():
    t, s, v = axes("t s v")

    @formula
    def causal(p: T[t, s], a: T[s, v], m: Bool[t, s]) -> T[t, v]:
        return sum_over(s, where(m[t, s], p[t, s] * a[s, v], 0))

    text = body(to_numpy(causal), "forward")
    assert "@ a" in text and "einsum" not in text and "sum(" not in text
