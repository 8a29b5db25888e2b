"""Symmetries that nobody assumed, conditions on the order of two indices, and what stands under a condition."""

import numpy as np
import pytest

from derive import (
    Int,
    Scalar,
    T,
    absolute,
    acos,
    acosh,
    asin,
    assume,
    atanh,
    axes,
    exp,
    formula,
    gradient,
    let,
    log,
    mean_over,
    sqrt,
    sum_over,
    to_numpy,
    verify,
    where,
)

n, d, b, c, k, m, t = axes("n d b c k m t")
u, e, l = n.alias("u"), d.alias("e"), m.alias("l")


@formula
def gram(x: T[b, d], y: T[b, d]) -> T[()]:
    """‖X Xᵀ − Y Yᵀ‖² over features: both Gram matrices are symmetric, and so is their difference."""
    G, H = let("G", sum_over(b, x[b, d] * x[b, e])), let("H", sum_over(b, y[b, d] * y[b, e]))
    return sum_over((d, e), (G[d, e] - H[d, e]) ** 2)


@formula
def spread(x: T[m]) -> T[()]:
    """The mean of all distances: each pair counts twice, since |x − x′| is symmetric."""
    return mean_over((m, l), absolute(x[m] - x[l]))


@formula
def coulomb(x: T[n, d], q: T[n]) -> T[()]:
    """Σ over pairs of q q′/‖x − x′‖: the force on one is a sum over all others."""
    return sum_over((n, u), where(n < u, q[n] * q[u] / sqrt(sum_over(d, (x[n, d] - x[u, d]) ** 2)), 0))


@formula
def smoothness(x: T[n, d], w: T[n, u]) -> T[()]:
    """½ Σ w ‖x − x′‖²: the graph's Laplacian."""
    return sum_over((n, u, d), w[n, u] * (x[n, d] - x[u, d]) ** 2) / 2


@formula
def mixture(z: T[b, k, c], y: Int[b].below(c.size), w: T[k]) -> T[()]:
    """−log Σ_k w_k softmax(z_k)_y."""
    p = let("p", exp(z[b, k, c]) / sum_over(c, exp(z[b, k, c])))
    return -mean_over(b, log(sum_over(k, w[k] * p[b, k, y[b]])))


@formula
def random_features(x: T[t, d], w: T[m, d], g: T[t, m]) -> T[()]:
    """Positive features exp(w·x − ‖x‖²/2): two exponentials, one to the power −1/2, are one name."""
    phi = let("phi", exp(sum_over(d, w[m, d] * x[t, d]) - sum_over(d, x[t, d] ** 2) / 2))
    return sum_over((t, m), phi[t, m] * g[t, m])


def brief(f, wrt):
    return " ".join(gradient(f, wrt).explain("brief").split("Result\n------")[1].split("The ideas")[0].split())


@pytest.mark.parametrize(
    "f, wrt, says",
    [
        (gram, "x", "∂L/∂x_bd = 4 Σ_e x_be (G_de − H_de)"),
        (spread, "x", "∂L/∂x_m = −(2/M) mean_l sgn(x_l − x_m)"),
        (coulomb, "q", "∂L/∂q_n = Σ_{u ≠ n} q_u / √(Σ_d (x_ud − x_nd)²)"),
        (coulomb, "x", "∂L/∂x_nd = q_n Σ_{u ≠ n} q_u (x_ud − x_nd) / (Σ_d′ (x_ud′ − x_nd′)²)^(3/2)"),
        (smoothness, "x", "∂L/∂x_nd = −Σ_u (x_ud − x_nd) (w_nu + w_un)"),
        (mixture, "z", "(p[b, k, y_b] − [c = y_b])"),
        (random_features, "x", "φ_tm"),
    ],
)
def test_closed_form(f, wrt, says):
    assert says in brief(f, wrt)


@pytest.mark.parametrize("f", [gram, spread, coulomb, smoothness, mixture, random_features], ids=lambda f: f.name)
def test_it_is_verified(f):
    assert verify(f)


def test_a_symmetry_is_told_by_its_definition():
    assert "G_de = G_ed" in gradient(gram, "x").explain("full") or "u_de = u_ed" in gradient(gram, "x").explain("full")


def test_what_is_its_own_opposite_sums_to_nothing():
    @formula
    def balanced(x: T[m], w: T[()]) -> T[()]:
        return w[()] * sum_over((m, l), (x[m] - x[l]) ** 3) + sum_over(m, x[m])

    assert str(gradient(balanced, "w").results["w"]) == "0"


def test_forces_are_finite_though_nothing_is_at_no_distance_from_itself():
    module = to_numpy(coulomb)
    x, q = np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([2.0, 5.0])
    _, found = module.value_and_grad(x=x, q=q)
    assert np.allclose(found["x"], [[10 * 3 / 125, 10 * 4 / 125], [-10 * 3 / 125, -10 * 4 / 125]])
    assert np.allclose(found["q"], [1.0, 0.4])


@pytest.mark.parametrize(
    "function, slope, low, high",
    [
        (asin, lambda x: 1 / np.sqrt(1 - x**2), -1, 1),
        (acos, lambda x: -1 / np.sqrt(1 - x**2), -1, 1),
        (atanh, lambda x: 1 / (1 - x**2), -1, 1),
        (acosh, lambda x: 1 / np.sqrt(x**2 - 1), 1, 9),
    ],
)
def test_inverse_functions(function, slope, low, high):
    @formula
    def total(x: T[n], w: T[n], *, scale: Scalar = 1.0) -> T[()]:
        assume(x[n] > low)
        assume(x[n] < high)
        return scale * sum_over(n, w[n] * function(x[n]))

    x = np.linspace(low, high, 7)[1:-1]
    found = to_numpy(total).value_and_grad(x=x, w=np.arange(5.0))[1]["x"]
    assert np.allclose(found, np.arange(5.0) * slope(x), rtol=1e-12)


def test_a_distance_from_itself_is_constant():
    """‖x_i − x_i‖ is 0 whatever x is: its slope is 0 there, not 0/0; where two points meet it has none."""
    b, d = axes("b d")
    c = b.alias("c")

    @formula
    def energy_distance(x: T[b, d], w: T[b, c]) -> T[()]:
        r = let("r", sqrt(sum_over(d, (x[b, d] - x[c, d]) ** 2)))
        return sum_over((b, c), w[b, c] * r[b, c])

    found = gradient(energy_distance)
    assert found.verify(trials=4)
    assert "≠" in found.explain("brief")
    assert to_numpy(energy_distance).verify(trials=3)
    x, w = np.random.default_rng(0).normal(size=(3, 2)), np.ones((3, 3))
    apart = x[:, None] - x
    length = np.sqrt((apart**2).sum(-1)) + np.eye(3)
    _, gradients = to_numpy(energy_distance).value_and_grad(x=x, w=w)
    np.testing.assert_allclose(gradients["x"], 2 * (apart / length[..., None]).sum(1), rtol=1e-12)
