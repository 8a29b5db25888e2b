"""A recurrence whose step holds a recurrence: tables row by row, layers over time, an inner loop that learns."""

import numpy as np
import pytest

import formulas
from derive import (
    Scalar,
    ShapeError,
    T,
    assume,
    axes,
    axis,
    formula,
    gradient,
    hvp,
    let,
    logsumexp_over,
    mean_over,
    oo,
    padded,
    scan,
    sigmoid,
    sum_over,
    tanh,
    to_numpy,
    where,
    zeros,
)

i, j, n, m, h, d, b = axes("i j n m h d b")
k = h.alias("k")
w = axis("w", 3)
RNG = np.random.default_rng


@formula
def soft_dtw_by_rows(cost: T[n, m], gamma: Scalar = 1.0) -> T[()]:
    """r_ij = c_ij + min^γ(r_{i−1,j−1}, r_{i−1,j}, r_{i,j−1}), row by row, and each row from left to right."""
    assume(gamma > 0)
    begun = where((n < 1) & (m < 1), 1, 0)
    aslant = where((n > 0) & (m > 0), 1, begun)
    may = let("may", where(w < 1, aslant, where(w < 2, where(n > 0, 1, 0), where(m > 0, 1, 0))))

    def row(above):
        def cell(left):
            before = where(w < 1, padded(above)[m - 1], where(w < 2, above[m], left[()]))
            return cost[n, m] - gamma * logsumexp_over(w, where(may[n, m, w] > 0, -before / gamma, -oo))

        return scan(m, cell, zeros())[m]

    r = scan(n, lambda r: row(r), zeros(m))
    return r[n.size - 1, m.size - 1]


@pytest.mark.parametrize("shape", [(1, 1), (4, 1), (1, 3), (5, 4)])
def test_rows_and_diagonals_are_one_table(shape):
    cost = RNG(0).normal(size=shape)
    values, gradients = [], []
    for each in (soft_dtw_by_rows, formulas.soft_dtw):
        value, found = to_numpy(each).value_and_grad(cost=cost, gamma=0.6)
        values.append(value)
        gradients.append(found["cost"])
    np.testing.assert_allclose(values[0], values[1], rtol=1e-12)
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-10, atol=1e-14)


@formula
def lstm_of_images(x: T[i, j, d], w: T[h, d], u: T[h, k], v: T[h, k], f: T[h], o: T[h]) -> T[i, j, h]:
    """Each pixel's state is made of those above it and before it, and so is its memory."""

    def row(above, above_memory):
        def pixel(left, memory):
            taken = sum_over(d, x[i, j, d] * w[h, d]) + sum_over(k, u[h, k] * above[j, k])
            z = let("z", taken + sum_over(k, v[h, k] * left[k]))
            g = let("g", sigmoid(z[i, j, h] + f[h]))
            c = let("c", g[i, j, h] * (above_memory[j, h] + memory[h]) / 2 + (1 - g[i, j, h]) * tanh(z[i, j, h]))
            return sigmoid(z[i, j, h] + o[h]) * tanh(c[i, j, h]), c[i, j, h]

        left, memory = scan(j, pixel, zeros(h), zeros(h))
        return left[j, h], memory[j, h]

    above, _ = scan(i, row, zeros(j, h), zeros(j, h))
    return above[i, j, h]


@formula
def reptile(x: T[i, n, d], y: T[i, n], theta: T[d], rate: T[()], outer_rate: T[()]) -> T[d]:
    """At each task some steps of descent from θ, towards whose end θ moves: its gradient is that of a hypergradient."""

    def task(theta):
        def descent(weights):
            error = let("error", sum_over(d, x[i, n, d] * weights[d]) - y[i, n])
            return weights[d] - rate[()] * mean_over(n, error[i, n, j] * x[i, n, d])

        weights = scan(j, descent, let("start", theta[d]))
        return theta[d] + outer_rate[()] * (weights[j.size - 1, d] - theta[d])

    return scan(i, lambda t: task(t), theta)[i.size - 1, d]


@formula
def rows_both_ways(x: T[i, j, h], u: T[h, k]) -> T[()]:
    """Rows from above, and each from right to left."""

    def row(above):
        s = scan(
            j, lambda s: tanh(x[i, j, h] + sum_over(k, u[h, k] * s[k]) + above[j, h]), zeros(h), reverse=True
        )  # fmt: skip
        return 2 * s[j, h]

    r = scan(i, lambda r: row(r), zeros(j, h))
    return sum_over((j, h), r[i.size - 1, j, h] ** 2)


@formula
def cube(x: T[b, i, j]) -> T[()]:
    """Three recurrences, each in the step of another."""

    def sheet(behind):
        def row(above):
            return scan(j, lambda s: tanh(x[b, i, j] + behind[i, j] + above[j] + s[()]), zeros())[j]

        return scan(i, lambda r: row(r), zeros(j))[i, j]

    p = scan(b, lambda p: sheet(p), zeros(i, j))
    return sum_over((i, j), p[b.size - 1, i, j])


def of_cube(x):
    """The same by plain loops."""
    p = np.zeros(np.array(x.shape) + 1)
    for place in np.ndindex(x.shape):
        one, two, three = place
        around = p[one, two + 1, three + 1] + p[one + 1, two, three + 1] + p[one + 1, two + 1, three]
        p[one + 1, two + 1, three + 1] = np.tanh(x[place] + around)
    return p[-1].sum()


def test_three_deep_is_three_loops():
    x = RNG(1).normal(size=(3, 2, 4))
    value, found = to_numpy(cube).value_and_grad(x=x)
    np.testing.assert_allclose(value, of_cube(x), rtol=1e-12)
    step, direction = 1e-6, RNG(2).normal(size=x.shape)
    slope = (of_cube(x + step * direction) - of_cube(x - step * direction)) / (2 * step)
    np.testing.assert_allclose((found["x"] * direction).sum(), slope, rtol=1e-7)


@pytest.mark.parametrize("each", [soft_dtw_by_rows, lstm_of_images, reptile, rows_both_ways], ids=lambda f: f.name)
def test_nested_recurrences_verify(each):
    assert gradient(each).verify(trials=2)
    assert to_numpy(each).verify(trials=2)


def test_what_the_inner_loop_does_not_carry_is_made_before_it():
    source = to_numpy(lstm_of_images).source
    outer, inner = source.index("for step in range(I)"), source.index("for step_2 in range(J)")
    assert "tensordot(x, w" in source[:outer], "for all pixels at once"
    assert "@ u.T" in source[outer:inner], "the row above: for all of it"
    body = source[inner : source.index("above[step] = ")]
    assert body.count("@") + body.count("tensordot") == 1, "the pixel before, and nothing else"


def test_the_second_derivative_of_a_nest():
    rng = RNG(3)
    x, u, v = rng.normal(size=(3, 2, 2)), rng.normal(size=(2, 2)), rng.normal(size=(2, 2))
    found, _ = to_numpy(hvp(rows_both_ways, "u")).forward(x=x, u=u, u_dot=v)
    module, sides = to_numpy(rows_both_ways), []
    for step in (1e-5, -1e-5):
        _, gradients = module.value_and_grad(x=x, u=u + step * v)
        sides.append(gradients["u"])
    np.testing.assert_allclose(found, (sides[0] - sides[1]) / 2e-5, rtol=1e-6, atol=1e-8)


def test_a_letter_is_scanned_over_once():
    with pytest.raises(ShapeError, match="the letter j is scanned over by a scan around this one, too"):

        @formula
        def twice(x: T[j, h]) -> T[j, h]:
            """Refused."""
            inner = lambda s: scan(j, lambda p: p[h] + s[h], zeros(h))[j, h]  # noqa: E731
            return scan(j, lambda s: x[j, h] + inner(s), zeros(h))[j, h]
