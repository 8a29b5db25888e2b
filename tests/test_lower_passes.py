"""Fewer passes over large arrays: sigmoids and softplus by helpers, factors of columns taken elsewhere."""

import math
import re

import numpy as np
import pytest

from derive import (
    Scalar,
    T,
    axes,
    catalogue,
    formula,
    let,
    max_over,
    mean_over,
    sigmoid,
    sqrt,
    sum_over,
    to_numpy,
)
from derive.backends import runtime
from derive.verify.sample import Sampler

b, c, d, y = axes("b c d y")


def body(module, name):
    """The statements of a function, without comments."""
    source = module.source
    text = source[source.index(f"def {name}(") :].split("\n\n\n")[0]
    return "\n".join(line for line in text.splitlines() if not line.strip().startswith("#"))


# Functions that emitted modules bring along


def wide(x):
    """σ(x) and log(1 + x) in more digits."""
    e = np.exp(-np.abs(x.astype(np.longdouble)))
    return np.where(x >= 0, 1, e) / (1 + e)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_sigmoids_by_growth_keep_both_tails(dtype):
    far = -math.log(float(np.finfo(dtype).tiny))  # as far as σ is a normal number
    x = np.concatenate([np.linspace(-far, far, 4001), -(10.0 ** np.linspace(-9, 0, 300))]).astype(dtype)
    x = x[np.abs(x) < far]
    with np.errstate(all="raise", under="ignore"):
        q = runtime.bounded_exp(x)
        found, opposite = q / (q + 1), runtime.opposed(q + 1, x, out=np.empty_like(x))
        large = np.array([np.inf, -np.inf, 1e4, -1e4, 0], dtype)
        q = runtime.bounded_exp(large)
        ends = q / (q + 1), runtime.opposed(q + 1, large)
    for made, z in ((found, x), (opposite, -x)):
        allowed = np.finfo(dtype).eps * (6 + np.abs(x).astype(float))  # and what one unit of x changes
        assert np.all(np.abs(made / wide(z) - 1) < allowed) and made.dtype == dtype
    np.testing.assert_array_equal(ends, [[1, 0, 1, 0, 0.5], [0, 1, 0, 1, 0.5]])
    assert np.isnan(runtime.bounded_exp(np.array([np.nan, 1e4], dtype))).tolist() == [True, False]
    assert runtime.opposed(runtime.bounded_exp(large[2]) + 1, large[2]).shape == ()


def test_logarithms_above_one_are_right_to_some_units_in_the_last_place():
    x = np.concatenate([np.linspace(0, 1, 50001), 10.0 ** np.linspace(-44, 0, 2000)]).astype(np.float32)
    right = np.log1p(x.astype(float))
    assert np.all(np.abs(runtime.log_above(x) - right) <= 5 * np.spacing(right.astype(np.float32)))
    assert runtime.log_above(x[7]).shape == () and runtime.log_above(x).dtype == np.float32


@formula
def swish(x: T[...], beta: Scalar) -> T[...]:
    """x σ(βx)."""
    return x * sigmoid(beta * x)


@formula
def both_gates(x: T[...], y: T[...]) -> T[...]:
    """x σ(y) + y σ(−y)."""
    return x * sigmoid(y) + y * sigmoid(-y)


@pytest.mark.parametrize("f", [swish, both_gates, catalogue["silu"]], ids=lambda f: f.name)
def test_a_sigmoid_is_one_exponential_and_no_selection(f):
    for name in ("forward", "backward"):
        text = body(to_numpy(f), name)
        assert text.count("bounded_exp(") == 1 and not re.search(r"np\.(where|maximum|absolute|exp)\(|>=", text)


def test_the_exponential_of_softplus_serves_its_sigmoid():
    text = body(to_numpy(catalogue["binary_cross_entropy_with_logits"]), "value_and_grad")
    assert text.count("np.exp(") == text.count("log_above(") == 1 and "bounded_exp(" not in text


# Column factors


@formula
def scaled_by_column(x: T[b, c, y], w: T[c], beta: T[c], eps: Scalar = 1e-3) -> T[b, c, y]:
    """Columns of variance 1 about no mean, times w, plus β."""
    r = let("r", 1 / sqrt(mean_over((b, y), x[b, c, y] ** 2) + eps))
    u = let("u", x[b, c, y] * r[c])
    return w[c] * u[b, c, y] + beta[c]


@formula
def weighed_rows(x: T[b, d], w: T[d], eps: Scalar = 1e-3) -> T[b, d]:
    """(x − max x)/√(Σ w (x − max x)² + ε), times w."""
    u = let("u", x[b, d] - max_over(d, x[b, d]))
    r = let("r", 1 / sqrt(sum_over(d, u[b, d] ** 2) + eps))
    return w[d] * (u[b, d] * r[b])


# Operations of backward for each entry, counted by hand. A sum or a dot product takes 2, and u = x − μ 1.
PASSES = [
    (scaled_by_column, {}, 7),  # Σ g x, Σ g; then x·column, g·column, less
    (catalogue["rms_norm"], {}, 5),  # Σ g x; x·column, g less it, times r
    (catalogue["instance_norm"], {}, 8),  # u, Σ g, Σ g u; u·column, g less both, times r
    (catalogue["batch_norm"], {"weight": True, "bias": True}, 9),  # the same; Σ g over places is a matrix product
    (catalogue["layer_norm"], {}, 15),  # g γ, u, g u; its sums with r and with γ; Σ gγ, Σ g; then as above
]


@pytest.mark.parametrize("f, static, passes", PASSES, ids=lambda case: getattr(case, "name", None))
def test_no_normalised_array_is_made_again(f, static, passes):
    module = to_numpy(f, **static)
    sizes = math.prod(a.size for a in module.traced.inputs[0].axes)
    assert module.cost.backward.flops.expand().coeff(sizes) == passes
    agrees(module)


def test_a_unit_vector_is_made_again():
    """u/‖u‖ is of size 1 however large u is: no ε bounds 1/‖u‖, which stays with u."""

    @formula
    def unit(x: T[b, d]) -> T[b, d]:
        return x[b, d] / sqrt(sum_over(d, x[b, d] ** 2))

    module = to_numpy(unit)
    assert module.cost.backward.flops.expand().coeff(b.size * d.size) == 6  # one more than an RMS norm's
    agrees(module)


def agrees(module):
    """The gradients are differences of the values, along a direction."""
    traced = module.traced
    point = Sampler(traced, ()).point(np.random.default_rng(3), "distinct")
    given = {t.name: point.arrays[t.name] for t in traced.inputs} | {
        s.name: point.scalars[s.name] for s in traced.scalars
    }
    value, saved = module.forward(**given)
    g = np.random.default_rng(4).normal(size=value.shape)
    found = module.backward(g, saved)
    for t in traced.inputs:
        v = np.random.default_rng(5).normal(size=given[t.name].shape)
        sides = [np.vdot(g, module.forward(**given | {t.name: given[t.name] + h * v})[0]) for h in (1e-6, -1e-6)]
        np.testing.assert_allclose(np.vdot(found[t.name], v), (sides[0] - sides[1]) / 2e-6, rtol=1e-6, atol=1e-7)
