"""Recurrences: h[t] from h[t − 1], their adjoints, what code makes of them, and what is refused."""

import itertools

import numpy as np
import pytest

import formulas
from derive import (
    DeriveError,
    NameProblem,
    Scalar,
    ShapeError,
    T,
    axes,
    equals,
    exp,
    formula,
    gradient,
    hessian,
    hvp,
    jvp,
    let,
    maximum,
    padded,
    scan,
    sigmoid,
    sqrt,
    sum_over,
    tanh,
    to_numpy,
    verify,
    where,
    zeros,
)
from derive.axes import Tensor
from derive.differentiate import Backward
from derive.terms import Algebra, Reader

t, b, i, h = axes("t b i h")
k = h.alias("k")


@formula
def elman(x: T[t, b, i], h0: T[b, h], w: T[h, i], u: T[h, k]) -> T[t, b, h]:
    """h_t = tanh(W x_t + U h_{t−1})."""
    s = scan(t, lambda s: tanh(sum_over(i, x[t, b, i] * w[h, i]) + sum_over(k, s[b, k] * u[h, k])), h0)
    return s[t, b, h]


def elman_by_hand(x, h0, w, u, g):
    """Backpropagation through time as textbooks have it: δ_t = (g_t + Uᵀ δ_{t+1}) ⊙ (1 − h_t²)."""
    before, states = h0, []
    for now in x:
        states.append(np.tanh(now @ w.T + before @ u.T))
        before = states[-1]
    delta, found = np.zeros_like(h0), {"x": np.zeros_like(x), "w": np.zeros_like(w), "u": np.zeros_like(u)}
    for step in reversed(range(len(x))):
        delta = (g[step] + delta @ u) * (1 - states[step] ** 2)
        found["x"][step] = delta @ w
        found["w"] += delta.T @ x[step]
        found["u"] += delta.T @ (states[step - 1] if step else h0)
    return np.stack(states), {**found, "h0": delta @ u}


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_backpropagation_through_time_is_that_of_the_textbook(steps):
    rng = np.random.default_rng(steps)
    given = {"x": (steps, 3, 2), "h0": (3, 4), "w": (4, 2), "u": (4, 4)}
    arrays = {name: rng.normal(size=shape) for name, shape in given.items()}
    g = rng.normal(size=(steps, 3, 4))
    expected, gradients = elman_by_hand(**arrays, g=g)
    module = to_numpy(elman)
    value, saved = module.forward(**arrays)
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    for name, found in module.backward(g, saved).items():
        np.testing.assert_allclose(found, gradients[name], rtol=1e-11, atol=1e-13, err_msg=name)


def test_the_adjoint_recurrence_runs_backwards():
    text = str(gradient(elman))
    assert "{t+1," in text, "what comes from the next step"
    assert "Expr" not in text and "Carried" not in text


def test_parameter_gradients_are_sums_over_time():
    for name in ("w", "u"):
        assert str(gradient(elman, wrt=name).result).startswith("sum_over((t, b)")


def test_what_does_not_depend_on_the_carry_is_made_before_the_loop():
    source = to_numpy(elman).source
    loop = source.index("for step in range(T)")
    assert "tensordot(x, w" in source[:loop], "one product for all steps: with the inputs"
    inside = source[loop : source.index("saved = ")]
    assert inside.count("@") + inside.count("matmul") == 1, "one product a step: with what is carried"


def test_reversed_in_time_equals_the_scan_of_the_reversed():
    module = to_numpy(formulas.discounted_return)
    reward = np.random.default_rng(0).normal(size=(6, 2))
    value, _ = module.forward(reward=reward, gamma=0.9)
    expected = [sum(0.9**later * reward[now + later] for later in range(6 - now)) for now in range(6)]
    np.testing.assert_allclose(value, expected, rtol=1e-13)


def test_hmm_is_the_sum_over_all_paths():
    rng = np.random.default_rng(1)
    start, transition, emission = rng.normal(size=3), rng.normal(size=(3, 3)), rng.normal(size=(4, 3))
    total = 0.0
    for path in itertools.product(range(3), repeat=5):  # the state before the first observation, then one for each
        score = start[path[0]]
        for step in range(4):
            score += transition[path[step], path[step + 1]] + emission[step, path[step + 1]]
        total += np.exp(score)
    value, _ = to_numpy(formulas.hmm_forward).forward(start=start, transition=transition, emission=emission)
    np.testing.assert_allclose(value, np.log(total), rtol=1e-13)


def test_letters_of_the_step_are_not_captured():
    @formula
    def renamed(x: T[t, b, i], h0: T[b, k], w: T[k, i], u: T[k, h]) -> T[t, b, k]:
        """elman, with h and k exchanged."""
        s = scan(t, lambda s: tanh(sum_over(i, x[t, b, i] * w[k, i]) + sum_over(h, s[b, h] * u[k, h])), h0)
        return s[t, b, k]

    rng = np.random.default_rng(2)
    arrays = {"x": rng.normal(size=(3, 2, 2)), "h0": rng.normal(size=(2, 3)), "w": rng.normal(size=(3, 2))}
    arrays["u"] = rng.normal(size=(3, 3))
    results = []
    for each in (elman, renamed):
        module = to_numpy(each)
        value, saved = module.forward(**arrays)
        results.append((value, module.backward(np.ones_like(value), saved)))
    np.testing.assert_allclose(results[0][0], results[1][0])
    for name in arrays:
        np.testing.assert_allclose(results[0][1][name], results[1][1][name], err_msg=name)


@formula
def last_squared(a: T[t], x: T[t]) -> T[()]:
    """The square of the last entry of h_t = tanh(a_t h_{t−1} + x_t)."""
    s = scan(t, lambda s: tanh(a[t] * s[()] + x[t]), zeros())
    return s[t.size - 1] ** 2


def test_tangents_and_second_derivatives_verify():
    assert jvp(last_squared).verify(trials=3)
    assert hessian(last_squared, wrt="x").verify(trials=3)


def test_two_recurrences_in_one_formula():
    @formula
    def stacked(x: T[t, h]) -> T[t, h]:
        """A running product of a running sum."""
        s = scan(t, lambda s: s[h] + x[t, h], zeros(h))
        m = scan(t, lambda m: exp(-s[t, h]) * m[h] + s[t, h], zeros(h))
        return m[t, h]

    assert gradient(stacked).verify(trials=3)


@pytest.mark.parametrize(
    "body, error, words",
    [
        (lambda x: scan("t", lambda s: s[h], zeros(h)), ShapeError, "expected an axis first"),
        (lambda x: scan(t, lambda s: s[h] + x[t, h], 0), ShapeError, "such as h0 or zeros"),
        (lambda x: scan(t, lambda s: s[h] + x[t, h], zeros(t, h)), ShapeError, "has the letter t"),
        (lambda x: scan(t, lambda s, m: s[h], zeros(h)), DeriveError, "the step takes s, m, given 1"),
        (lambda x: scan(t, lambda s: (s[h], s[h]), zeros(h)), DeriveError, "returns 2 values, and carries 1"),
        (lambda x: scan(t, lambda s: s[h] + x[t, k], zeros(h)), ShapeError, "unbound letter k"),
        (lambda x: scan(t, lambda s: s[t, h], zeros(h)), ShapeError, "s_before: expected 2 indices"),
        (lambda x: scan(t, lambda s, m: (s[h], m[i]), zeros(h), zeros(h)), ShapeError, "axis i has length I, not H"),
        (
            lambda x: scan(t, lambda s, m: s[h] + m[h], zeros(h), zeros(h)),
            DeriveError,
            "returns 1 values, and carries 2",
        ),
        (lambda x: (let("s", x[t, h]), scan(t, lambda s: s[h], zeros(h)))[1], NameProblem, "name s is already taken"),
    ],
)
def test_what_cannot_be_scanned_is_refused(body, error, words):
    with pytest.raises(error, match=words):

        @formula
        def wrong(x: T[t, h]) -> T[t, h]:
            """Refused."""
            return body(x)[t, h]


def test_crf_is_the_sum_over_all_paths():
    rng = np.random.default_rng(3)
    emission, start, transition = rng.normal(size=(4, 2, 3)), rng.normal(size=3), rng.normal(size=(3, 3))
    tags = rng.integers(0, 3, size=(4, 2))

    def score(path, b):
        along = sum(transition[one, two] for one, two in itertools.pairwise(path))
        return start[path[0]] + along + sum(emission[step, b, tag] for step, tag in enumerate(path))

    paths = list(itertools.product(range(3), repeat=4))
    expected = [np.log(sum(np.exp(score(path, b)) for path in paths)) - score(tags[:, b], b) for b in range(2)]
    given = {"emission": emission, "tags": tags, "start": start, "transition": transition}
    np.testing.assert_allclose(to_numpy(formulas.crf_nll).forward(**given)[0], np.mean(expected), rtol=1e-12)


def test_no_pass_takes_the_names_of_an_earlier_one():
    reader = Reader(Algebra())
    head = reader.tensor(Tensor("x", (b,)))
    made = {Backward(reader, ()).adjoint(head, ()).id for _ in range(50)}  # each pass may stand where the last one was
    assert len(made) == 50


def test_what_is_carried_may_be_read_beyond_its_edges():
    @formula
    def diffusion(x: T[t, h], rate: T[()]) -> T[t, h]:
        """Each place is drawn to its neighbours; beyond the edges is 0."""
        s = scan(t, lambda s: x[t, h] + rate[()] * (padded(s)[h - 1] - 2 * s[h] + padded(s)[h + 1]), zeros(h))
        return s[t, h]

    rng = np.random.default_rng(5)
    x, before = rng.normal(size=(4, 5)), np.zeros(5)
    for now in x:
        around = np.pad(before, 1)
        before = now + 0.3 * (around[:-2] - 2 * before + around[2:])
    value, _ = to_numpy(diffusion).forward(x=x, rate=np.array(0.3))
    np.testing.assert_allclose(value[-1], before, rtol=1e-13)
    assert gradient(diffusion).verify(trials=3)
    assert to_numpy(diffusion).verify(trials=3)


def test_lengths_that_do_not_fit_are_refused():
    module = to_numpy(elman)
    given = {"x": np.zeros((3, 2, 2)), "h0": np.zeros((2, 4)), "w": np.zeros((4, 2)), "u": np.zeros((4, 4))}
    with pytest.raises(ShapeError, match=r"elman: input x: expected shape .*, given \(0, 2, 2\)"):
        module.forward(**given | {"x": np.zeros((0, 2, 2))})
    with pytest.raises(ShapeError, match="elman: input h0: expected shape"):
        module.forward(**given | {"h0": np.zeros((3, 4))})
    packed = to_numpy(formulas.linear_recurrence)
    with pytest.raises(ShapeError, match=r"linear_recurrence: input x: expected shape .*, given \(4, 2, 3\)"):
        packed.forward(a=np.zeros((3, 2, 3)), x=np.zeros((4, 2, 3)), h0=np.zeros((2, 3)))


def test_lengths_of_sequences_are_within_time():
    given = {"x": np.zeros((3, 2, 2)), "h0": np.zeros((2, 4)), "w_ih": np.zeros((4, 2)), "w_hh": np.zeros((4, 4))}
    given |= {"b_ih": np.zeros(4), "b_hh": np.zeros(4)}
    module = to_numpy(formulas.packed_rnn)
    assert module.check(**given, lengths=np.array([0, 3])) is None
    with pytest.raises(DeriveError, match=r"packed_rnn: input lengths: expected entries in 0 … 3, given 4"):
        module.check(**given, lengths=np.array([4, 3]))


@formula
def looking_back(x: T[t, h], w: T[h]) -> T[t, h]:
    """An output that reads the recurrence one step back, as RWKV does."""
    s = scan(t, lambda s: w[h] * s[h] + exp(x[t, h]), zeros(h))
    return (padded(s)[t - 1, h] + exp(w[h] + x[t, h])) * x[t, h]


@formula
def clockwork(x: T[t, b, h], u: T[h, k]) -> T[t, b, h]:
    """A state that moves at every second step."""
    s = scan(
        t,
        lambda s: where(equals(t - 2 * (t // 2), 0), tanh(x[t, b, h] + sum_over(k, u[h, k] * s[b, k])), s[b, h]),
        zeros(b, h),
    )
    return s[t, b, h]


@formula
def matrix_memory(query: T[t, b], key: T[t, b], value: T[t, h], beta: T[t]) -> T[t, h]:
    """The delta rule: S_t = S_{t−1} + β (v − S_{t−1} k) kᵀ."""
    a = b.alias("a")
    s = scan(
        t,
        lambda s: s[h, b] + beta[t] * (value[t, h] - sum_over(a, s[h, a] * key[t, a])) * key[t, b],
        zeros(h, b),
    )
    return sum_over(b, query[t, b] * s[t, h, b])


@formula
def there_and_back(x: T[t, h]) -> T[t, h]:
    """A recurrence that runs back over another's states."""
    s = scan(t, lambda s: tanh(s[h] + x[t, h]), zeros(h))
    r = scan(t, lambda r: r[h] * s[t, h] + x[t, h], zeros(h), reverse=True)
    return s[t, h] * r[t, h]


@formula
def stepped(y: T[t, b], w0: T[h], a: T[b, h], rate: T[()], *, beta: Scalar = 0.9, eps: Scalar = 1e-3) -> T[()]:
    """Adam without its first moment, on least squares; β may be above 1, where v and 1 − βᵗ are both negative."""

    def step(w, v):
        g = let("g", sum_over(b, a[b, h] * (sum_over(k, a[b, k] * w[k]) - y[t, b])))
        new = let("new", beta * v[h] + (1 - beta) * g[t, h] ** 2)
        return w[h] - rate[()] * g[t, h] / (sqrt(new[t, h] / (1 - beta ** (t + 1))) + eps), new[t, h]

    w, _ = scan(t, step, w0, zeros(h))
    return sum_over(h, w[t.size - 1, h] ** 2)


@formula
def weighted_keys(key: T[t, h], value: T[t, h], w: T[h], u: T[h]) -> T[t, h]:
    """RWKV's average, with the running maximum that its authors carry; read one step back."""

    def step(a, q, p):
        top = let("top", maximum(p[h] - exp(w[h]), key[t, h]))
        keep, add = exp(p[h] - exp(w[h]) - top[t, h]), exp(key[t, h] - top[t, h])
        return keep * a[h] + add * value[t, h], keep * q[h] + add, top[t, h]

    a, q, p = (padded(x) for x in scan(t, step, zeros(h), zeros(h), zeros(h)))
    now = let("now", maximum(p[t - 1, h], u[h] + key[t, h]))
    old, new = exp(p[t - 1, h] - now[t, h]), exp(u[h] + key[t, h] - now[t, h])
    return (old * a[t - 1, h] + new * value[t, h]) / (old * q[t - 1, h] + new)


OTHERS = [looking_back, clockwork, matrix_memory, there_and_back, stepped, weighted_keys]


@pytest.mark.parametrize("each", OTHERS, ids=lambda f: f.name)
def test_recurrences_of_other_kinds(each):
    assert gradient(each).verify(trials=2)
    assert to_numpy(each).verify(trials=3)


def test_products_with_second_derivatives():
    @formula
    def energy(x: T[t, h], u: T[h, k]) -> T[()]:
        """The last state's square."""
        s = scan(t, lambda s: tanh(x[t, h] + sum_over(k, u[h, k] * s[k])), zeros(h))
        return sum_over(h, s[t.size - 1, h] ** 2)

    rng = np.random.default_rng(6)
    x, u, v = rng.normal(size=(4, 3)), rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    found, _ = to_numpy(hvp(energy, wrt="u")).forward(x=x, u=u, u_dot=v)
    module, sides = to_numpy(energy), []
    for step in (1e-5, -1e-5):
        _, saved = module.forward(x=x, u=u + step * v)
        sides.append(module.backward(1.0, saved)["u"])
    np.testing.assert_allclose(found, (sides[0] - sides[1]) / 2e-5, rtol=1e-7, atol=1e-9)


@formula
def leaky_gate(z: T[t, b], h0: T[b], v: T[b]) -> T[t, b]:
    """A leak whose rate is learned: h_t = σ(z_t + v h_{t−1}) h_{t−1} + tanh(z_t)."""

    def step(s):
        a = let("a", z[t, b] + v[b] * s[b])
        return sigmoid(a[t, b]) * s[b] + tanh(z[t, b])

    return scan(t, step, h0)[t, b]


def test_what_a_step_makes_is_kept_and_not_made_again():
    """σ(z), σ(−z): one exponential a step, none in backward; what is carried is one array, before and after."""
    source = to_numpy(leaky_gate).source
    forward, backward = source[source.index("def forward") :].split("def backward")
    backward = backward[: backward.index("return gradients")]
    assert forward.count("bounded_exp(") == 1
    assert "bounded_exp(" not in backward
    assert "T + 1" in forward
    assert "h0_bar = np.array(" in backward, "of what goes back only the last step is read"


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_tails_of_what_is_kept_have_all_digits(dtype):
    """dh/dz at one step is σ(z)σ(−z) h₀ + 1 − tanh²(z), which for z = ±85 is e⁻⁸⁵ h₀."""
    m = to_numpy(leaky_gate)
    zs = np.array([[-85.0, 85.0, 81.0, -1.0]], dtype)
    one = np.ones(4, dtype)
    _, saved = m.forward(z=zs, h0=one, v=0 * one)
    found = m.backward(np.ones_like(zs), saved)["z"][0]
    np.testing.assert_allclose(found[:3], np.exp(-np.abs(zs[0, :3].astype(float))), rtol=1e-5)


def test_what_is_carried_twice_or_passed_on_is_right():
    """A delay line: what one state is after the step, the other is before the next; and both are read."""

    @formula
    def delayed(x: T[t, b], a0: T[b], c0: T[b]) -> T[t, b]:
        """a_t = tanh(x_t + c_{t−1}), c_t = a_{t−1}."""
        a, c = scan(t, lambda a, c: (tanh(x[t, b] + c[b] * a[b]), a[b]), a0, c0)
        return a[t, b] * c[t, b]

    assert verify(delayed, trials=4).passed
