"""Conditions that bound one letter by another: strips of rows, each with the columns that are left to it."""

import numpy as np
import pytest
from sympy import Integer

from derive import Size, T, axes, exp, formula, let, log, mean_over, sin, sqrt, sum_over, to_numpy, where
from derive.backends import runtime
from derive.lower.walk import STOP, Strips

b, t, d, v, z = axes("b t d v z")
s = t.alias("s")
w = Size("w")
LENGTHS = {"B": 2, "T": 70, "D": 3, "V": 2, "Z": 90}
rng = np.random.default_rng(3)


@formula
def window_attention(q: T[b, t, d], k: T[b, t, d], u: T[b, t, v], w: Size) -> T[b, t, v]:
    """A query looks at keys less than w away."""
    score = let("score", sum_over(d, q[b, t, d] * k[b, s, d]) / sqrt(d.size))
    weight = let("weight", where(abs(t - s) < w, exp(score[b, t, s]), 0))
    return sum_over(s, weight[b, t, s] * u[b, s, v]) / sum_over(s, weight[b, t, s])


@formula
def linear_attention(q: T[b, t, d], k: T[b, t, d], u: T[b, t, v]) -> T[b, t, v]:
    """Products of queries and keys that are not later, without a softmax."""
    score = let("score", sum_over(d, q[b, t, d] * k[b, s, d]))
    return sum_over(s, where(s <= t, score[b, t, s], 0) * u[b, s, v])


@formula
def triangular(a: T[t, s], x: T[s, d]) -> T[t, d]:
    """A product with the lower triangle, whose gradient is a triangle, too."""
    return sum_over(s, where(s <= t, a[t, s], 0) * x[s, d])


@formula
def ranking(x: T[b, t], y: T[b, t]) -> T[()]:
    """A loss of all pairs in their order."""
    pairs = where(s < t, log(1 + exp((x[b, s] - x[b, t]) * y[b, t])), 0)
    return mean_over(b, sum_over(t, sum_over(s, pairs)))


@formula
def decaying(q: T[b, t, d], k: T[b, t, d], u: T[b, t, v]) -> T[b, t, v]:
    """Weights of keys that are not later fade with their distance."""
    weight = let("weight", where(s <= t, sum_over(d, q[b, t, d] * k[b, s, d]) * exp(-1.0 * (t - s)), 0))
    return sum_over(s, weight[b, t, s] * u[b, s, v]) / (1 + sum_over(s, abs(weight[b, t, s])))


@formula
def steep(x: T[b, t], y: T[b, z]) -> T[b, t]:
    """A bound with a slope that is not 1."""
    return sum_over(z, where(2 * t - z - 3 >= 0, sin(x[b, t] * y[b, z]), 0) * y[b, z])


def masks():
    row, column = np.arange(70)[:, None], np.arange(70)
    return abs(row - column) < 9, column <= row, column < row, 2 * row - np.arange(90) - 3 >= 0


NEAR, CAUSAL, EARLIER, STEEP = masks()


def _weighted(weight, u):
    return weight @ u / weight.sum(-1, keepdims=True)


def _decayed(q, k, u):
    distance = np.arange(70)[:, None] - np.arange(70)
    weight = CAUSAL * (q @ k.mT) * np.exp(-np.maximum(distance, 0))
    return weight @ u / (1 + abs(weight).sum(-1, keepdims=True))


def _ranked(x, y):
    pairs = np.log1p(np.exp((x[:, None, :] - x[:, :, None]) * y[:, :, None]))
    return (EARLIER * pairs).sum() / len(x)


WITNESS = {
    window_attention: lambda q, k, u: _weighted(NEAR * np.exp(q @ k.mT / np.sqrt(3)), u),
    linear_attention: lambda q, k, u: (CAUSAL * (q @ k.mT)) @ u,
    triangular: lambda a, x: np.tril(a) @ x,
    ranking: _ranked,
    decaying: _decayed,
    steep: lambda x, y: ((STEEP * np.sin(x[:, :, None] * y[:, None, :])) @ y[:, :, None])[..., 0],
}
REACH = {
    window_attention: "limited(T, strip.start - (w - 1), strip.stop + (w - 1))",
    linear_attention: "limited(T, 0, strip.stop)",
    triangular: "limited(T, 0, strip.stop)",
    ranking: "limited(T, 0, strip.stop - 1)",
    decaying: "limited(T, 0, strip.stop)",
    steep: "limited(Z, 0, 2 * strip.stop - 4)",
}


@pytest.mark.parametrize("made", WITNESS, ids=lambda f: f.name)
def test_a_bounded_sum_is_made_in_strips(made):
    module = to_numpy(made)
    namespace = {}
    exec(module.source, namespace)
    names, _, letters, *_ = zip(*namespace["INPUTS"], strict=True)
    given = [rng.normal(size=[LENGTHS[a] for a in shape]) for shape in letters]
    given[0] = np.asfortranarray(given[0])
    before = [a.copy() for a in given]
    options = {"w": 9} if made is window_attention else {}
    assert f"reach = {REACH[made]}" in module.source
    y, saved = module.forward(**dict(zip(names, given, strict=True)), **options)
    wanted = WITNESS[made](*given)
    assert np.allclose(y, wanted, rtol=1e-11, atol=1e-12)
    g = rng.normal(size=np.shape(y)) if np.shape(y) else 1.0
    gradients = list(module.backward(g, saved).values())
    assert all((a == old).all() for a, old in zip(given, before, strict=True))
    for place, gradient in enumerate(gradients):
        way = rng.normal(size=given[place].shape)
        ends = []
        for step in (1e-5, -1e-5):
            moved = list(given)
            moved[place] = given[place] + step * way
            ends.append(np.sum(g * WITNESS[made](*moved)))
        assert np.vdot(gradient, way) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6, abs=1e-7)
    single = {name: a.astype(np.float32) for name, a in zip(names, given, strict=True)}
    half = module.forward(**single, **options)[0]
    assert half.dtype == np.float32 and np.allclose(half, wanted, rtol=2e-4, atol=2e-4)


def test_without_a_condition_there_are_no_strips():
    @formula
    def plain(q: T[b, t, d], k: T[b, t, d]) -> T[b, t, d]:
        """All pairs."""
        return sum_over(s, sin(sum_over(d, q[b, t, d] * k[b, s, d])) * k[b, s, d])

    @formula
    def elsewhere(q: T[b, t, d], k: T[b, t, d]) -> T[b, t, d]:
        """Where the condition fails there is 1: nothing can be left out."""
        score = let("score", sum_over(d, q[b, t, d] * k[b, s, d]))
        return sum_over(s, where(s <= t, sin(score[b, t, s]), 1) * k[b, s, d])

    assert "strips" not in to_numpy(plain).source
    assert "strips" not in to_numpy(elsewhere).source.split("def backward")[0]


def test_strips_cover_each_place_once(monkeypatch):
    for rows, width, outer in ((1, 1, ()), (130, 3, ()), (70, 5, (3,)), (200, 40, (3, 4))):
        monkeypatch.setattr(runtime, "BLOCK", 1500)
        met = np.zeros((*outer, rows))
        for index in runtime.strips(rows, width, *outer):
            assert len(index) == met.ndim
            met[index] += 1
        assert met.min() == met.max() == 1


def test_the_columns_of_a_strip_are_never_none():
    for low, high in ((0, 3), (-4, 0), (7, 9), (9, 12), (5, 5)):
        columns = runtime.limited(8, low, high)
        assert 0 <= columns.start < columns.stop <= 8


def test_the_cost_of_strips_is_what_they_take():
    cost = Strips.of((1, 1), Integer(200), Integer(4), (Integer(200), Integer(0), STOP))
    assert str(cost) == "pairs(200, 200)"
    taken = sum(64 * stop for stop in (64, 128, 192)) + 8 * 200
    assert Strips.counted(1 << 18, *cost.args) == taken < 0.7 * 200**2
