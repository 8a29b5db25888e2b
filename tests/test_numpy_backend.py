"""Index expressions as NumPy code: the value by hand, lengths that coincide, dtypes, inputs left alone, errors."""

import inspect
import linecache
import math
import subprocess
import sys
import types

import numpy as np
import pytest
import sympy
from sympy import Abs, And, Eq, Max, Not, Or, Rational, cos, erf, exp, log, sign, sin, sqrt, tanh

from derive.axes import (
    Delta,
    DeriveError,
    MaxOver,
    NameProblem,
    ProdOver,
    Scalar,
    ShapeError,
    Sigmoid,
    Size,
    Softplus,
    Tensor,
    axes,
    clip,
    maximum,
    mean_over,
    one_hot,
    sum_over,
    where,
)
from derive.backends import Module
from derive.backends.numpy import body_lines, printer_for
from derive.lower import Task, lower

b, i, j, k, o, c, e, q, s, n, v = axes("b i j k o c e q s n v")
m = n.alias("m")
eps = Scalar("eps", 1e-5)

LENGTHS = [
    {"B": 3, "I": 4, "J": 5, "K": 6, "O": 7, "C": 2, "E": 8, "Q": 9, "S": 10, "N": 11, "V": 5},
    dict.fromkeys("BIJKOCEQSNV", 1),
    dict.fromkeys("BIJKOCEQSNV", 4),
    {"B": 1, "I": 4, "J": 1, "K": 3, "O": 1, "C": 3, "E": 1, "Q": 2, "S": 1, "N": 2, "V": 3},
]


def tensors(**declared):
    return [
        Tensor(
            name,
            letters[1:] if letters[:1] == ("int",) else letters,
            dtype="int" if letters[:1] == ("int",) else "real",
        )
        for name, letters in declared.items()
    ]


def task(body, letters, inputs, **more):
    y = Tensor("y", letters, body=sympy.sympify(body), role="output")
    return Task("case", "A case.", tuple(inputs), more.pop("scalars", ()), (y,), **more)


x, y, z = (Tensor(name, (b, i)) for name in "xyz")
w, beta, u = Tensor("w", (i, o)), Tensor("beta", (o,)), Tensor("u", (b, o))
A, row, col = Tensor("A", (n, m)), Tensor("r", (b,)), Tensor("d", (i,))
P3, Q3, K3, V3 = Tensor("P", (b, q, k)), Tensor("Q", (b, q, e)), Tensor("K", (b, k, e)), Tensor("V", (b, k, e))
X3, H, W3 = Tensor("X3", (b, s, i)), Tensor("H", (b, s, o)), Tensor("W3", (i, j, k))
p2, r2 = Tensor("p", (j, k)), Tensor("q", (k, o))
t = Tensor("t", (b,), dtype="int", bound=c.size)
mask = Tensor("mask", (b, i), dtype="bool")
xa = x[b, i]

# body, its letters, its inputs, the value by hand
CASES = {
    "dense": (sum_over(i, xa * w[i, o]) + beta[o], (b, o), "x w beta", lambda x, w, beta: x @ w + beta),
    "transposed": (sum_over(o, u[b, o] * w[i, o]), (b, i), "u w", lambda u, w: u @ w.T),
    "swapped": (sum_over(i, xa * w[i, o]), (o, b), "x w", lambda x, w: (x @ w).T),
    "gram": (sum_over(b, xa * u[b, o]), (i, o), "x u", lambda x, u: np.einsum("bi,bo->io", x, u)),
    "column sums": (sum_over(b, xa), (i,), "x", lambda x: x.sum(0)),
    "row means": (mean_over(i, xa), (b,), "x", lambda x: x.mean(1)),
    "everything": (sum_over((b, i), xa), (), "x", lambda x: x.sum()),
    "sum of a constant": (sum_over((b, o), xa), (i,), "x", lambda x: x.sum(0)),  # O times, see the test below
    "outer": (row[b] * col[i], (b, i), "r d", lambda r, d: np.outer(r, d)),
    "bilinear": (
        sum_over(n, Tensor("a", (n,))[n] * sum_over(m, A[n, m] * Tensor("ha", (n,))[m])),
        (), "a ha A", lambda a, h, A: a @ A @ h,
    ),
    "diagonal": (A[n, n], (n,), "A", lambda A: np.diag(A)),
    "trace": (sum_over(n, A[n, n]), (), "A", np.trace),
    "trace of a product": (sum_over((n, m), A[n, m] * A[m, n]), (), "A", lambda A: np.trace(A @ A)),
    "square": (sum_over(m, A[n, m] * A[m, n]), (n,), "A", lambda A: np.diag(A @ A)),
    "three": (
        sum_over((i, j), xa * W3[i, j, k] * p2[j, k]), (b, k), "x W3 p",
        lambda x, W3, p: np.einsum("bi,ijk,jk->bk", x, W3, p),
    ),
    "four": (
        sum_over((i, j, k), xa * W3[i, j, k] * p2[j, k] * r2[k, o]), (b, o), "x W3 p q",
        lambda x, W3, p, q: np.einsum("bi,ijk,jk,ko->bo", x, W3, p, q),
    ),
    "scores": (
        sum_over(e, Q3[b, q, e] * K3[b, k, e]) / sqrt(e.size), (b, q, k), "Q K",
        lambda Q, K: np.einsum("bqe,bke->bqk", Q, K) / math.sqrt(Q.shape[2]),
    ),
    "attention": (sum_over(k, P3[b, q, k] * V3[b, k, e]), (b, q, e), "P V", lambda P, V: P @ V),
    "attention, keys": (
        sum_over(q, P3[b, q, k] * Q3[b, q, e]), (b, k, e), "P Q", lambda P, Q: np.einsum("bqk,bqe->bke", P, Q)
    ),
    "batched rows": (sum_over(e, Q3[b, q, e] * Q3[b, q, e]), (b, q), "Q", lambda Q: (Q * Q).sum(-1)),
    "batched vector": (
        sum_over(e, Q3[b, q, e] * Tensor("ve", (b, e))[b, e]), (b, q), "Q ve",
        lambda Q, ve: np.einsum("bqe,be->bq", Q, ve),
    ),
    "two letters": (
        sum_over((b, s), X3[b, s, i] * H[b, s, o]), (i, o), "X3 H", lambda X3, H: np.einsum("bsi,bso->io", X3, H)
    ),
    "wide": (sum_over(i, X3[b, s, i] * w[i, o]), (b, s, o), "X3 w", lambda X3, w: X3 @ w),
    "middle": (sum_over(s, X3[b, s, i]), (b, i), "X3", lambda X3: X3.sum(1)),
    "middle dots": (sum_over(s, X3[b, s, i] * X3[b, s, i]), (b, i), "X3", lambda X3: (X3**2).sum(1)),
    "weighted": (
        sum_over(b, xa * Tensor("x2", (b, j))[b, j] * row[b]), (i, j), "x x2 r",
        lambda x, x2, r: np.einsum("bi,bj,b->ij", x, x2, r),
    ),
    "entry dots": (sum_over(b, xa * y[b, i]), (i,), "x y", lambda x, y: (x * y).sum(0)),
    "dot": (sum_over((b, i), xa * y[b, i]), (), "x y", lambda x, y: (x * y).sum()),
    "norms": (xa / sqrt(sum_over(j, Tensor("xj", (b, j))[b, j] ** 2)), (b, i), "x xj",
              lambda x, xj: x / np.linalg.norm(xj, axis=1, keepdims=True)),
    "powers": (xa**2 + xa**3 - xa**5 / 7, (b, i), "x", lambda x: x**2 + x**3 - x**5 / 7),
    "inverse powers": (
        (xa**2 + 1) ** -1 + (xa**2 + 1) ** Rational(-3, 2) + (xa**2 + 1) ** Rational(1, 3), (b, i), "x",
        lambda x: 1 / (x**2 + 1) + (x**2 + 1) ** -1.5 + (x**2 + 1) ** (1 / 3),
    ),
    "quotient": (xa / (1 + y[b, i] ** 2), (b, i), "x y", lambda x, y: x / (1 + y**2)),
    "column quotient": (xa / (1 + row[b] ** 2), (b, i), "x r", lambda x, r: x / (1 + r**2)[:, None]),
    "gelu": (
        xa * (1 + tanh(sqrt(2 / sympy.pi) * (xa + Rational("0.044715") * xa**3))) / 2, (b, i), "x",
        lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
    "functions": (sin(xa) * cos(xa) + Abs(xa) * sign(xa) - log(exp(xa)), (b, i), "x", lambda x: np.sin(x) * np.cos(x)),
    "error function": (erf(xa), (b, i), "x", lambda x: np.vectorize(math.erf)(x)),
    "sigmoid": (Sigmoid(xa) + Softplus(xa), (b, i), "x", lambda x: 1 / (1 + np.exp(-x)) + np.log1p(np.exp(x))),
    "extrema": (maximum(xa, 0) - clip(xa, -1, 1) + Max(xa, y[b, i], evaluate=False), (b, i), "x y",
                lambda x, y: np.maximum(x, 0) - np.clip(x, -1, 1) + np.maximum(x, y)),
    "where": (where(xa > 0, log(xa), 0) + where(xa < y[b, i], xa * y[b, i], 0), (b, i), "x y",
              lambda x, y: np.log(np.where(x > 0, x, 1)) + (x < y) * x * y),
    "conditions": (
        where(And(xa > 0, Not(mask[b, i])), 1, where(Or(mask[b, i], Eq(xa, 0)), y[b, i], -1)), (b, i), "x y mask",
        lambda x, y, mask: np.where((x > 0) & ~mask, 1, np.where(mask, y, -1)),
    ),
    "largest": (MaxOver(xa, i), (b,), "x", lambda x: x.max(1)),
    "product": (ProdOver(xa, i), (b,), "x", lambda x: x.prod(1)),
    "one hot": (one_hot(t[b], c), (b, c), "t", lambda t: (t[:, None] == np.arange(t.bound)) * 1.0),
    "identity": (Delta(n, m) * Tensor("a", (n,))[n], (n, m), "a", np.diag),
    "contracted delta": (sum_over(m, Delta(n, m) * Tensor("a", (n,))[m]), (n,), "a", lambda a: a),
    "integers": (xa * t[b], (b, i), "x t", lambda x, t: x * t[:, None]),
    "causal": (where(m <= n, A[n, m], 0), (n, m), "A", np.tril),
    "parameter": (eps * xa + eps**2, (b, i), "x", lambda x: 1e-5 * x + 1e-10),
    "bare constant": (sympy.Integer(2), (b, i), "x", lambda x: np.full_like(x, 2)),
    "broadcast": (row[b] + 0 * eps, (b, i), "r x", lambda r, x: np.repeat(r[:, None], x.shape[1], 1)),
    "plain copy": (xa, (b, i), "x", lambda x: x),
    "centred": (
        xa - mean_over(j, Tensor("xj", (b, j))[b, j]), (b, i), "x xj", lambda x, xj: x - xj.mean(1, keepdims=True)
    ),
    "softmax": (
        exp(xa - MaxOver(xa, i)) / sum_over(i, exp(xa - MaxOver(xa, i))), (b, i), "x",
        lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True),
    ),
    "log-sum-exp": (log(sum_over(i, exp(xa))), (b,), "x", lambda x: np.log(np.exp(x).sum(1))),
    "alias": (
        sum_over(m, exp(Tensor("h", (n, e))[n, e]) * exp(Tensor("h", (n, e))[m, e])), (n, e), "h",
        lambda h: np.exp(h) * np.exp(h).sum(0),
    ),
    "shadowed": (xa * sum_over(i, xa), (b, i), "x", lambda x: x * x.sum(1, keepdims=True)),
    "negative": (-xa - y[b, i] - row[b], (b, i), "x y r", lambda x, y, r: -x - y - r[:, None]),
}  # fmt: skip
CASES["sum of a constant"] = (sum_over((b, o), xa), (i,), "x beta", lambda x, beta: x.sum(0) * len(beta))
EVERY = {tensor.name: tensor for body, *_ in CASES.values() for tensor in sympy.sympify(body).atoms(Tensor)}
EVERY |= {tensor.name: tensor for tensor in (x, row, beta)}


def array(tensor, lengths, dtype, rng):
    shape = tuple(lengths[str(a.size)] for a in tensor.axes)
    if tensor.dtype == "int":
        return rng.integers(0, lengths[str(tensor.bound)], shape).view(Bounded)
    if tensor.dtype == "bool":
        return rng.random(shape) < 0.5
    return rng.normal(size=shape).astype(dtype)


class Bounded(np.ndarray):
    bound = 0


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("lengths", LENGTHS, ids=["different", "ones", "equal", "mixed"])
@pytest.mark.parametrize("name", CASES)
def test_value_by_hand(name, lengths, dtype):
    body, letters, names, by_hand = CASES[name]
    inputs = [EVERY[word] for word in names.split()]
    sizes = (Size("C"),) if name == "one hot" else ()
    module = Module(lower(task(body, letters, inputs, scalars=(eps,), sizes=sizes)))
    rng = np.random.default_rng(len(name))
    arrays = {tensor.name: array(tensor, lengths, dtype, rng) for tensor in inputs}
    for value in arrays.values():
        value.flags.writeable = False
        if isinstance(value, Bounded):
            value.bound = lengths["C"]
    with np.errstate(all="raise"):
        found, _ = module.forward(**arrays, **({"C": lengths["C"]} if sizes else {}))
    expected = by_hand(*(v.astype("float64") if v.dtype.kind == "f" else v for v in arrays.values()))
    assert found.shape == np.shape(expected)
    if any(v.dtype.kind == "f" for v in arrays.values()):
        assert found.dtype == dtype
    tolerance = 1e-10 if dtype == "float64" else 2e-4
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    assert not any(np.shares_memory(found, value) for value in arrays.values())


# Whole layers, as the engine hands them over


def gradient(of, letters, body, name=None):
    return Tensor(name or f"{of}_bar", letters, body=body, role="adjoint", of=of)


def let(name, letters, body):
    return Tensor(name, letters, body=body, role="let")


def dense():
    g = Tensor("g", (b, o), role="upstream")
    out = Tensor("y", (b, o), body=sum_over(i, xa * w[i, o]) + beta[o], role="output")
    gradients = (
        gradient("x", (b, i), sum_over(o, g[b, o] * w[i, o])),
        gradient("w", (i, o), sum_over(b, xa * g[b, o])),
        gradient("beta", (o,), sum_over(b, g[b, o])),
    )
    return Task("dense", "Affine map.", (x, w, beta), (), (out,), (g,), gradients)


def dense_by_hand(g, x, w, beta):
    return x @ w + beta, {"x": g @ w.T, "w": x.T @ g, "beta": g.sum(0)}


def softmax():
    g = Tensor("g", (b, i), role="upstream")
    top = let("m", (b,), MaxOver(xa, i))
    total = let("S", (b,), sum_over(i, exp(xa - top[b])))
    out = Tensor("y", (b, i), body=exp(xa - top[b]) / total[b], role="output")
    k_ = i.alias("i_1")
    body = out[b, i] * (g[b, i] - sum_over(k_, g[b, k_] * out[b, k_]))
    return Task("softmax", "Positive scores that sum to one.", (x,), (), (out,), (g,), (gradient("x", (b, i), body),))


def softmax_by_hand(g, x):
    p = np.exp(x - x.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return p, {"x": p * (g - (g * p).sum(1, keepdims=True))}


def layer_norm():
    gamma, shift, g = Tensor("gamma", (i,)), Tensor("shift", (i,)), Tensor("g", (b, i), role="upstream")
    k_ = i.alias("i_1")
    mu = let("mu", (b,), mean_over(i, xa))
    centred = let("u", (b, i), xa - mu[b])
    var = let("v", (b,), mean_over(i, centred[b, i] ** 2))
    inverse = (var[b] + eps) ** Rational(-1, 2)
    hat = let("xhat", (b, i), centred[b, i] * inverse)
    out = Tensor("y", (b, i), body=gamma[i] * hat[b, i] + shift[i], role="output")
    up = gradient("xhat", (b, i), g[b, i] * gamma[i])
    body = inverse * (up[b, i] - mean_over(k_, up[b, k_]) - hat[b, i] * mean_over(k_, up[b, k_] * hat[b, k_]))
    gradients = (
        gradient("x", (b, i), body),
        gradient("gamma", (i,), sum_over(b, g[b, i] * hat[b, i])),
        gradient("shift", (i,), sum_over(b, g[b, i])),
    )
    return Task("layer_norm", "Rows of mean 0 and variance 1.", (x, gamma, shift), (eps,), (out,), (g,), gradients)


def layer_norm_by_hand(g, x, gamma, shift):
    r = 1 / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    h = (x - x.mean(1, keepdims=True)) * r
    t_ = g * gamma
    dx = r * (t_ - t_.mean(1, keepdims=True) - h * (t_ * h).mean(1, keepdims=True))
    return gamma * h + shift, {"x": dx, "gamma": (g * h).sum(0), "shift": g.sum(0)}


def cross_entropy():
    top = let("m", (b,), MaxOver(xa, i))
    total = let("S", (b,), sum_over(i, exp(xa - top[b])))
    log_p = xa - top[b] - log(total[b])
    loss = Tensor("L", (), body=-mean_over(b, sum_over(i, y[b, i] * log_p)), role="output")
    p_ = let("p", (b, i), exp(xa - top[b]) / total[b])
    gradients = (
        gradient("x", (b, i), (p_[b, i] - y[b, i]) / b.size),
        gradient("y", (b, i), -log_p / b.size),
    )
    return Task("cross_entropy", "Mean −Σ y log softmax(x).", (x, y), (), (loss,), (), gradients)


def cross_entropy_by_hand(g, x, y):
    s_ = x - x.max(1, keepdims=True)
    log_p = s_ - np.log(np.exp(s_).sum(1, keepdims=True))
    return -(y * log_p).sum(1).mean(), {"x": g * (np.exp(log_p) - y) / len(x), "y": -g * log_p / len(x)}


def logistic():
    """A staged gradient: the adjoint of a = X w is named, and scaled by g once; the regulariser is not part of it."""
    wi = Tensor("wi", (i,))
    a = let("a", (b,), sum_over(i, xa * wi[i]))
    loss = mean_over(b, Softplus(a[b]) - row[b] * a[b]) + eps * sum_over(i, wi[i] ** 2)
    a_bar = gradient("a", (b,), (Sigmoid(a[b]) - row[b]) / b.size)
    gradients = (
        gradient("x", (b, i), a_bar[b] * wi[i]),
        gradient("wi", (i,), sum_over(b, a_bar[b] * xa) + 2 * eps * wi[i]),
        gradient("r", (b,), -a[b] / b.size),
    )
    return Task("logistic", "", (x, wi, row), (eps,), (Tensor("L", (), body=loss, role="output"),), (), gradients)


def logistic_by_hand(g, x, wi, r):
    a = x @ wi
    d = g * (1 / (1 + np.exp(-a)) - r) / len(x)
    value = (np.log1p(np.exp(a)) - r * a).mean() + 1e-5 * (wi**2).sum()
    return value, {"x": np.outer(d, wi), "wi": d @ x + 2e-5 * g * wi, "r": -g * a / len(x)}


LAYERS = {
    made.__name__: (made, by_hand)
    for made, by_hand in [
        (dense, dense_by_hand), (softmax, softmax_by_hand), (layer_norm, layer_norm_by_hand),
        (cross_entropy, cross_entropy_by_hand), (logistic, logistic_by_hand),
    ]
}  # fmt: skip
PARTS = ["backward", "value_and_grad"]


def standalone(source):
    """The emitted text as a module of its own."""
    module = types.ModuleType("emitted")
    module.__dict__["__file__"] = "emitted.py"
    exec(compile(source, "emitted.py", "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "lengths", [*LENGTHS, {"B": 700, "I": 600, "O": 3}], ids=["different", "ones", "equal", "mixed", "blocks"]
)
@pytest.mark.parametrize("name", LAYERS)
def test_layer_by_hand(name, lengths, dtype):
    made, by_hand = LAYERS[name]
    module = Module(lower(made()))
    rng = np.random.default_rng(1)
    arrays = {tensor.name: array(tensor, lengths, dtype, rng) for tensor in made().inputs}
    for value in arrays.values():
        value.flags.writeable = False
    text = standalone(module.source)
    for run in (module, text):
        value, saved = run.forward(**arrays)
        g = rng.normal(size=np.shape(value)).astype(dtype) if np.ndim(value) else 1.7
        wide = {k: v.astype("float64") for k, v in arrays.items()}
        expected, gradients = by_hand(g, **wide)
        tolerance = {"rtol": 1e-9, "atol": 1e-9} if dtype == "float64" else {"rtol": 2e-3, "atol": 2e-3}
        np.testing.assert_allclose(value, expected, **tolerance)
        for _ in range(2):  # what is saved outlives a call
            found = run.backward(g, saved)
            assert list(found) == list(gradients)
            for key, gradient_ in found.items():
                assert gradient_.dtype == dtype and gradient_.shape == arrays[key].shape
                np.testing.assert_allclose(gradient_, gradients[key], **tolerance)
        if not np.ndim(value):
            total, grads = run.value_and_grad(**arrays)
            assert total.dtype == dtype
            np.testing.assert_allclose(total, expected, **tolerance)
            left_out = run.backward(saved=saved)
            for key, gradient_ in grads.items():
                np.testing.assert_allclose(gradient_, by_hand(1.0, **wide)[1][key], **tolerance)
                np.testing.assert_allclose(gradient_, left_out[key], **tolerance)


@pytest.mark.parametrize("name", LAYERS)
def test_the_printed_module_is_the_code_that_lambdify_compiled(name):
    program = lower(LAYERS[name][0]())
    module = Module(program)
    for function in program.functions:
        ran = module.compiled(function.name)
        assert ran.__name__ == "_lambdifygenerated"
        text = "".join(linecache.cache[ran.__code__.co_filename][2])
        body = ["    " + line for line in body_lines(function, printer_for(program))]
        assert "\n".join(body) in module.source
        assert text.rstrip().splitlines()[1:] == [line for line in body if not line.strip().startswith("# ")]


@pytest.mark.parametrize("name", LAYERS)
def test_inputs_of_any_layout_are_read_and_left_alone(name):
    made, by_hand = LAYERS[name]
    module = Module(lower(made()))
    rng = np.random.default_rng(2)
    lengths = {"B": 6, "I": 5, "O": 4}
    straight = {tensor.name: array(tensor, lengths, "float64", rng) for tensor in made().inputs}
    strided = {
        k: np.repeat(v, 2, axis=-1)[..., ::2] if v.ndim == 1 else np.asfortranarray(v)[::-1][::-1]
        for k, v in straight.items()
    }
    before = {k: v.copy() for k, v in strided.items()}
    value, saved = module.forward(**strided)
    g = np.asfortranarray(rng.normal(size=np.shape(value))) if np.ndim(value) else 0.5
    kept = np.array(g)
    found = module.backward(g, saved)
    expected = by_hand(g, **straight)[1]
    for key in found:
        np.testing.assert_allclose(found[key], expected[key], rtol=1e-9, atol=1e-12)
        assert not any(
            np.shares_memory(found[key], v)
            for v in (*strided.values(), *(a for a in saved if isinstance(a, np.ndarray)))
        )
    assert all(np.array_equal(strided[k], before[k]) for k in strided) and np.array_equal(g, kept)


def elementwise():
    a, h, g = Tensor("a", ()), Tensor("h", ()), Tensor("g", (), role="upstream")
    value = let("f", (), tanh(a[()] * h[()]))
    out = Tensor("y", (), body=value[()] + eps * a[()], role="output")
    slope = 1 - value[()] ** 2
    gradients = (
        gradient("a", (), g[()] * (slope * h[()] + eps)),
        gradient("h", (), g[()] * slope * a[()]),
    )
    return Task("f", "", (a, h), (eps,), (out,), (g,), gradients, elementwise=True)


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 4), (2, 3, 4)])
def test_elementwise_formulas_take_any_shape(shape):
    rng = np.random.default_rng(3)
    a, h, g = rng.normal(size=(3, *shape)).astype("float32")
    module = Module(lower(elementwise()))
    for run in (module, standalone(module.source)):
        value, saved = run.forward(a=a, h=h, eps=0.5)
        np.testing.assert_allclose(value, np.tanh(a * h) + 0.5 * a, rtol=1e-5, atol=1e-6)
        assert np.shape(value) == shape and value.dtype == "float32"
        found = run.backward(g, saved)
        s_ = 1 - np.tanh(a * h) ** 2
        np.testing.assert_allclose(found["a"], g * (s_ * h + 0.5), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found["h"], g * s_ * a, rtol=1e-4, atol=1e-5)
        assert found["a"].shape == shape and found["a"].dtype == "float32"
    with pytest.raises(ShapeError, match="input h"):
        module.forward(a=np.ones((2, 3)), h=np.ones(3))


def test_an_elementwise_function_alone():
    a, g = Tensor("a", ()), Tensor("g", (), role="upstream")
    out = Tensor("y", (), body=tanh(a[()]), role="output")
    slope = gradient("a", (), g[()] * (1 - out[()] ** 2))
    module = Module(lower(Task("tanh", "", (a,), (), (out,), (g,), (slope,), elementwise=True)))
    value, saved = module.forward(a=np.ones((2, 3)))
    np.testing.assert_allclose(module.backward(np.ones((2, 3)), saved)["a"], 1 - value**2)


def test_gradients_that_are_the_upstream_are_copies():
    g = Tensor("g", (b, i), role="upstream")
    out = Tensor("s", (b, i), body=xa + y[b, i], role="output")
    module = Module(
        lower(
            Task("add", "", (x, y), (), (out,), (g,), (gradient("x", (b, i), g[b, i]), gradient("y", (b, i), g[b, i])))
        )
    )
    _, saved = module.forward(x=np.ones((2, 3)), y=np.ones((2, 3)))
    upstream = np.ones((2, 3))
    found = module.backward(upstream, saved)
    assert not np.shares_memory(found["x"], upstream) and not np.shares_memory(found["x"], found["y"])


def test_several_outputs_and_a_missing_upstream():
    g1, g2 = Tensor("g_1", (b, i), role="upstream"), Tensor("g_2", (b,), role="upstream")
    outs = Tensor("y_1", (b, i), body=2 * xa, role="output"), Tensor("y_2", (b,), body=sum_over(i, xa), role="output")
    module = Module(lower(Task("pair", "", (x,), (), outs, (g1, g2), (gradient("x", (b, i), 2 * g1[b, i] + g2[b]),))))
    (first, second), saved = module.forward(x=np.arange(6.0).reshape(2, 3))
    assert first[1, 2] == 10 and second[0] == 3
    np.testing.assert_array_equal(module.backward((None, np.array([1.0, 2.0])), saved)["x"], [[1, 1, 1], [2, 2, 2]])


GOOD = {"x": np.ones((2, 3)), "w": np.ones((3, 4)), "beta": np.ones(4)}
ERRORS = [
    ({"beta": np.ones(5)}, ShapeError, r"dense: input beta: expected shape \(O=4\), given \(5,\)"),
    ({"x": np.ones(3)}, ShapeError, r"input x: expected shape \(B, I\), given \(3,\)"),
    ({"x": np.ones((0, 3))}, ShapeError, r"input x: expected shape .*given \(0, 3\)"),
    ({"x": np.ones((2, 3), "int64")}, ShapeError, "input x: expected real values, given int64"),
    ({"x": np.ones((2, 3), "float32")}, ShapeError, "input w: expected float32 .*given float64"),
    ({"gama": 1}, NameProblem, "unknown input 'gama'"),
]


@pytest.mark.parametrize("given, error, text", ERRORS)
def test_bad_arrays_are_named(given, error, text):
    with pytest.raises(error, match=text):
        Module(lower(dense())).forward(**{**GOOD, **given})


def test_missing_inputs_are_named():
    with pytest.raises(DeriveError, match="dense: input beta is missing"):
        Module(lower(dense())).forward(x=GOOD["x"], w=GOOD["w"])


@pytest.mark.parametrize("g", [np.ones((2, 5)), np.ones((2, 4), "float32"), np.ones(4), None])
def test_bad_upstream_gradients_are_named(g):
    module = Module(lower(dense()))
    _, saved = module.forward(x=np.ones((2, 3)), w=np.ones((3, 4)), beta=np.ones(4))
    if g is None:
        assert not module.backward(g, saved)["x"].any()
        return
    with pytest.raises(ShapeError, match=r"dense: upstream gradient: expected float64 of shape \(2, 4\)"):
        module.backward(g, saved)


def test_names_that_clash():
    np_, lengths, rows = Tensor("np", (b, i)), Tensor("B", (i,)), Tensor("rows", (b,))
    body = exp(np_[b, i]) * lengths[i] + rows[b] - mean_over((b, i), np_[b, i]) / b.size
    module = Module(lower(task(body, (b, i), [np_, lengths, rows])))
    given = {"np": np.ones((2, 3)), "B": np.arange(3.0), "rows": np.arange(2.0)}
    expected = math.e * np.arange(3.0) + np.arange(2.0)[:, None] - 0.5
    for run in (module, standalone(module.source)):
        np.testing.assert_allclose(run.forward(**given)[0], expected)


def test_names_of_values_and_lengths_clash():
    """Definitions called like a length and like a temporary, and what backward adds to what it is given."""
    lengths, temporary = let("B", (b, i), exp(xa)), let("t", (b,), mean_over(b, row[b]) + row[b])
    out = Tensor("y", (b, i), body=lengths[b, i] * temporary[b] / b.size, role="output")
    g = Tensor("g", (b, i), role="upstream")
    body = g[b, i] * lengths[b, i] * temporary[b] / b.size
    module = Module(lower(Task("case", "", (x, row), (), (out,), (g,), (gradient("x", (b, i), body),))))
    given = {"x": np.ones((2, 3)), "r": np.arange(2.0)}
    expected = math.e * (0.5 + np.arange(2.0))[:, None] / 2 * np.ones((2, 3))
    value, saved = module.forward(**given)
    np.testing.assert_allclose(value, expected)
    np.testing.assert_allclose(module.backward(np.full((2, 3), 3.0), saved)["x"], 3 * expected)


def test_float32_parameters_do_not_promote():
    module = Module(lower(task(eps * xa + log(1 + eps), (b, i), [x], scalars=(eps,))))
    assert module.forward(x=np.ones((2, 2), "float32"), eps=np.float64(0.1))[0].dtype == "float32"


def test_emitted_text_is_deterministic(tmp_path):
    code = "import test_numpy_backend as t; from derive.lower import lower; from derive.backends import emit\n"
    code += "print(*(emit(lower(made())) for made, _ in t.LAYERS.values()))"
    here = inspect.getfile(dense).rsplit("/", 1)[0]
    texts = set()
    for seed in "01":
        env = {"PYTHONHASHSEED": seed, "PYTHONPATH": f"{here}:{here}/.."}
        texts.add(
            subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
        )
    assert len(texts) == 1


def test_emitted_text_needs_numpy_alone():
    source = Module(lower(layer_norm())).source
    imports = [line for line in source.splitlines() if line.startswith(("import", "from"))]
    assert imports == ["from __future__ import annotations", "from typing import Any", "import numpy as np"]
    body, letters, _, _ = CASES["error function"]
    assert "from scipy import special" in Module(lower(task(body, letters, [x]))).source


@pytest.mark.parametrize(
    "body",
    [where(xa > 0, log(xa), 0), where(xa > 0, 1 / xa, xa), where(xa < 0, exp(xa), 1 + xa), where(xa > 0, sqrt(xa), 0)],
)
def test_the_branch_not_taken_neither_warns_nor_spoils(body):
    module = Module(lower(task(body, (b, i), [x])))
    with np.errstate(all="raise", under="ignore"):
        value, _ = module.forward(x=np.array([[-1000.0, 0.0, 1000.0]]))
    assert np.isfinite(value).all()
