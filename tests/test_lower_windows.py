"""Windows, gathers, maxima and masks as NumPy code, against loops over every letter."""

import itertools
import math
import operator
import re
import types

import numpy as np
import pytest
from sympy import And, Eq, Integer, Mod, exp, floor, log, oo, sqrt
from sympy.core.relational import Relational

from derive.axes import (
    ArgMaxOver,
    ArgMinOver,
    Axis,
    BoolEntry,
    Delta,
    DeriveError,
    Entry,
    MaxOver,
    MeanOver,
    MinOver,
    PaddedBoolEntry,
    PaddedEntry,
    Size,
    SumOver,
    Tensor,
    Where,
    axes,
    axis,
    free_axes,
)
from derive.backends import Module, runtime, windows
from derive.lower import Task, lower

n, c, o, y, z, r, q, t, v, e, b, f, k = axes("n c o y z r q t v e b f k")
s, d, p = Size("s", default=1), Size("d", default=1), Size("p", min=0, default=0)
h = axis("h", (y.size + 2 * p - d * (r.size - 1) - 1) // s + 1)
w = axis("w", (z.size + 2 * p - d * (q.size - 1) - 1) // s + 1)


# The value by loops: slow and obvious


OPERATORS = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


class Loops:
    """Index expressions evaluated at one place after the other: `made(part)` is a function of the letters' values."""

    def __init__(self, arrays, sizes):
        self.arrays, self.sizes = arrays, sizes

    def length(self, letter):
        return int(letter.size.xreplace(self.sizes))

    def array(self, tensor):
        if tensor not in self.arrays:
            out = np.zeros([self.length(a) for a in tensor.axes], np.int64 if tensor.dtype == "int" else float)
            value = self.made(tensor.body)
            for place in np.ndindex(*out.shape):
                out[place] = value(dict(zip(tensor.axes, place, strict=True)))
            self.arrays[tensor] = out
        return self.arrays[tensor]

    def made(self, part):
        if isinstance(part, Axis):
            return lambda at: at[part]
        if isinstance(part, (Entry, BoolEntry)):
            return self.entry(part)
        if hasattr(part, "rebound"):
            return self.reduction(part)
        if not part.args:
            value = float(part.xreplace(self.sizes))
            return lambda at: value
        args = [self.made(x) for x in part.args]
        if isinstance(part, Delta):
            return lambda at: args[0](at) == args[1](at)
        if isinstance(part, Where):
            return lambda at: args[1](at) if args[0](at) else args[2](at)
        if isinstance(part, Relational):
            return lambda at: OPERATORS[part.rel_op](args[0](at), args[1](at))
        kinds = {"Add": self.total, "Mul": self.product, "And": self.product, "Not": lambda a: lambda at: not a[0](at)}
        kinds |= {
            "floor": lambda a: lambda at: math.floor(a[0](at) + 1e-9),
            "exp": lambda a: lambda at: math.exp(a[0](at)),
            "Mod": lambda a: lambda at: a[0](at) % a[1](at),
            "Pow": lambda a: lambda at: a[0](at) ** a[1](at),
        }
        return kinds[type(part).__name__](args)

    @staticmethod
    def total(args):
        return lambda at: sum(a(at) for a in args)

    @staticmethod
    def product(args):
        def value(at):
            made = 1
            for a in args:
                if not (made := made * a(at)):
                    return made
            return made

        return value

    def entry(self, part):
        array, indices = self.array(part.tensor), [self.made(i) for i in part.indices]
        outside = isinstance(part, (PaddedEntry, PaddedBoolEntry))

        def value(at):
            place = tuple(int(i(at)) for i in indices)
            inside = all(0 <= i < m for i, m in zip(place, array.shape, strict=True))
            assert inside or outside, part
            return array[place] if inside else 0

        return value

    def reduction(self, part):
        body = self.made(part.body)
        places = list(itertools.product(*(range(self.length(a)) for a in part.axes)))
        found = {
            ArgMinOver: lambda values: places[values.index(min(values))][part.component],
            ArgMaxOver: lambda values: places[values.index(max(values))][part.component],
            SumOver: sum, MeanOver: lambda values: sum(values) / len(values), MaxOver: max, MinOver: min,
        }[type(part)]  # fmt: skip
        free, known = free_axes(part), {}

        def value(at):
            key = tuple(at[a] for a in free)
            if key not in known:
                known[key] = found([body({**at, **dict(zip(part.axes, place, strict=True))}) for place in places])
            return known[key]

        return value


def data(tensor, sizes, rng, ties):
    shape = [int(a.size.xreplace(sizes)) for a in tensor.axes]
    if tensor.dtype == "bool":
        return rng.random(shape) < 0.6
    if tensor.dtype == "int":
        return rng.integers(0, int(tensor.bound.xreplace(sizes)), shape)
    return rng.integers(-2, 3, shape).astype(float) if ties else rng.standard_normal(shape)


def check(body, letters, inputs, sizes, *, ties=False, dtype=float, keywords=(s, d, p)):
    """The emitted code against loops, for lengths and keywords by name; returns the source."""
    every = {symbol for tensor in inputs for a in tensor.axes for symbol in a.size.free_symbols}
    every |= {symbol for a in letters for symbol in a.size.free_symbols} | set(keywords) | body.free_symbols
    lengths = {symbol: Integer(sizes[symbol.name]) for symbol in every if symbol.name in sizes}
    lengths |= {symbol: Integer(symbol.default) for symbol in keywords if symbol not in lengths}
    rng = np.random.default_rng(0)
    arrays = {tensor: data(tensor, lengths, rng, ties) for tensor in inputs}
    out = Tensor("out", letters, body=body, role="output")
    used = tuple(size for size in keywords if size.name in sizes)
    module = Module(lower(Task("case", "", tuple(inputs), (), (out,), sizes=keywords)))
    given = {
        t.name: a.astype(dtype) if t.dtype == "real" else a.astype("int32") if t.dtype == "int" else a
        for t, a in arrays.items()
    }
    before = {name: array.copy() for name, array in given.items()}
    found, _ = module.forward(**given, **{size.name: sizes[size.name] for size in used})
    expected = Loops(dict(arrays), lengths).array(out)
    assert found.dtype == dtype and found.shape == expected.shape
    np.testing.assert_allclose(
        found, expected, rtol=1e-12 if dtype is float else 1e-4, atol=1e-12 if dtype is float else 1e-4
    )
    assert all(np.array_equal(given[name], array) for name, array in before.items())
    return module.source


SHAPES = {
    "plain": {"N": 2, "C": 2, "O": 3, "Y": 6, "Z": 5, "R": 3, "Q": 2},
    "strided": {"N": 2, "C": 2, "O": 2, "Y": 8, "Z": 7, "R": 3, "Q": 2, "s": 2},
    "padded": {"N": 1, "C": 2, "O": 2, "Y": 5, "Z": 4, "R": 3, "Q": 3, "p": 1},
    "all": {"N": 2, "C": 1, "O": 2, "Y": 9, "Z": 8, "R": 2, "Q": 3, "s": 3, "d": 2, "p": 2},
    "ones": {"N": 1, "C": 1, "O": 1, "Y": 1, "Z": 1, "R": 1, "Q": 1},
    "left over": {"N": 1, "C": 1, "O": 2, "Y": 7, "Z": 9, "R": 2, "Q": 2, "s": 4},
    "mostly padding": {"N": 1, "C": 2, "O": 1, "Y": 1, "Z": 2, "R": 3, "Q": 2, "p": 2},
}
x2, w2, g2 = Tensor("x", (n, c, y, z)), Tensor("wt", (o, c, r, q)), Tensor("g", (n, o, h, w))
x1, w1, g1 = Tensor("x", (n, c, y)), Tensor("wt", (o, c, r)), Tensor("g", (n, o, h))
dw1, dg1 = Tensor("wt", (c, r)), Tensor("g", (n, c, h))
at_y, at_z = Delta(y, s * h + d * r - p), Delta(z, s * w + d * q - p)
pooled = Tensor("u", (n, c, h, w))
CONVOLUTIONS = {
    "conv1d": (SumOver(at_y * x1[n, c, y] * w1[o, c, r], c, r, y), (n, o, h), (x1, w1)),
    "conv1d dx": (SumOver(at_y * g1[n, o, h] * w1[o, c, r], o, r, h), (n, c, y), (g1, w1, x1)),
    "conv1d dw": (SumOver(at_y * g1[n, o, h] * x1[n, c, y], n, h, y), (o, c, r), (g1, x1, w1)),
    "conv2d": (SumOver(at_y * at_z * x2[n, c, y, z] * w2[o, c, r, q], c, r, q, y, z), (n, o, h, w), (x2, w2)),
    "conv2d dx": (SumOver(at_y * at_z * g2[n, o, h, w] * w2[o, c, r, q], o, r, q, h, w), (n, c, y, z), (g2, w2, x2)),
    "conv2d dw": (SumOver(at_y * at_z * g2[n, o, h, w] * x2[n, c, y, z], n, h, w, y, z), (o, c, r, q), (g2, x2, w2)),
    "depthwise": (SumOver(at_y * x1[n, c, y] * dw1[c, r], r, y), (n, c, h), (x1, dw1)),
    "depthwise dx": (SumOver(at_y * dg1[n, c, h] * dw1[c, r], r, h), (n, c, y), (dg1, dw1, x1)),
    "depthwise dw": (SumOver(at_y * dg1[n, c, h] * x1[n, c, y], n, h, y), (c, r), (dg1, x1, dw1)),
    "nested": (SumOver(w1[o, c, r] * SumOver(at_y * x1[n, c, y], y), c, r), (n, o, h), (x1, w1)),
    "affine entry": (SumOver(PaddedEntry(x1, n, c, s * h + d * r - p) * w1[o, c, r], c, r), (n, o, h), (x1, w1)),
    "unfold": (SumOver(at_y * x1[n, c, y], y), (n, c, r, h), (x1, w1)),
    "fold": (SumOver(at_y * Tensor("u", (n, c, r, h))[n, c, r, h], r, h), (n, c, y), (Tensor("u", (n, c, r, h)), x1)),
    "average": (SumOver(at_y * at_z * x2[n, c, y, z], r, q, y, z) / (r.size * q.size), (n, c, h, w), (x2, w2)),
    "average dx": (
        SumOver(at_y * at_z * pooled[n, c, h, w], r, q, h, w) / (r.size * q.size), (n, c, y, z), (pooled, x2, w2)
    ),
    "quotient": (SumOver(at_y * x1[n, c, y] ** -2 * w1[o, c, r], c, r, y), (n, o, h), (x1, w1)),
    "count": (SumOver(at_y, y, r), (h,), (x1, w1)),
    "mask of places": (SumOver(at_y * w1[o, c, r], r), (o, c, y, h), (x1, w1)),
    "both": (SumOver(at_y * x1[n, c, y] * g1[n, o, h], c, o, h), (n, y, r), (x1, g1, w1)),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_windows(name, shape):
    body, letters, inputs = CONVOLUTIONS[name]
    sizes = SHAPES[shape]
    extra = {a: b for a, b in (("s", 1), ("d", 1), ("p", 0)) if a not in sizes}
    check(body, letters, inputs, {**sizes, **extra})


def test_windows_keep_float32():
    for body, letters, inputs in CONVOLUTIONS.values():
        check(body, letters, inputs, {**SHAPES["all"]}, dtype=np.float32)


# Maxima

inside = And(s * h + d * r - p >= 0, s * h + d * r - p < y.size, s * w + d * q - p >= 0, s * w + d * q - p < z.size)
window = SumOver(at_y * at_z * x2[n, c, y, z], y, z)
looked = Where(inside, window, -oo)
places = [ArgMaxOver(looked, r, q, Integer(m)) for m in (0, 1)]
x0, m0 = Tensor("x", (b, c)), Tensor("mask", (b, c), dtype="bool")
MAXIMA = {
    "max": (MaxOver(looked, r, q), (n, c, h, w), (x2, w2)),
    "min": (MinOver(Where(inside, window, oo), r, q), (n, c, h, w), (x2, w2)),
    "zeros count": (MaxOver(window, r, q), (n, c, h, w), (x2, w2)),
    "row": (places[0] + 0 * x2[n, c, 0, 0], (n, c, h, w), (x2, w2)),
    "column": (places[1], (n, c, h, w), (x2, w2)),
    "columns first": (ArgMaxOver(looked, q, r, Integer(0)), (n, c, h, w), (x2, w2)),
    "argmin": (ArgMinOver(window, q, r, Integer(1)), (n, c, h, w), (x2, w2)),
    "dx": (
        SumOver(Delta(y, s * h + d * places[0] - p) * Delta(z, s * w + d * places[1] - p) * pooled[n, c, h, w], h, w),
        (n, c, y, z), (pooled, x2, w2),
    ),
    "dx by taps": (
        SumOver(
            at_y * at_z * Delta(r, places[0]) * Delta(q, places[1]) * pooled[n, c, h, w], h, w, r, q
        ), (n, c, y, z), (pooled, x2, w2),
    ),
    "gather": (
        SumOver(Delta(y, s * h + d * places[0] - p) * Delta(z, s * w + d * places[1] - p) * x2[n, c, y, z], y, z),
        (n, c, h, w), (x2, w2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", MAXIMA)
def test_maxima(name, shape):
    body, letters, inputs = MAXIMA[name]
    sizes = {"s": 1, "d": 1, "p": 0, **SHAPES[shape]}
    if sizes["p"] * 2 > sizes["R"]:
        pytest.skip("a window with nothing in it has no maximum")
    check(body, letters, inputs, sizes, ties=True)


PLAIN_MAXIMA = {
    "row maximum": (ArgMaxOver(x0[b, c], c, Integer(0)), (b,), (x0,)),
    "column minimum": (ArgMinOver(x0[b, c], b, Integer(0)), (c,), (x0,)),
    "of all": (ArgMaxOver(x0[b, c], c, b, Integer(1)), (), (x0,)),
    "masked": (MaxOver(Where(m0[b, c], x0[b, c], -oo), c), (b,), (x0, m0)),
    "masked place": (ArgMaxOver(Where(m0[b, c], x0[b, c], -oo), c, Integer(0)), (b,), (x0, m0)),
    "along what it has not": (ArgMaxOver(x0[b, c], c, k, Integer(1)) + k, (b, k), (x0,)),
    "minimum": (MinOver(x0[b, c] * x0[b, c], c), (b,), (x0,)),
}


@pytest.mark.parametrize("name", PLAIN_MAXIMA)
def test_plain_maxima(name):
    body, letters, inputs = PLAIN_MAXIMA[name]
    if "along" in name:
        inputs = (*inputs, Tensor("k0", (k,)))
    check(body, letters, inputs, {"B": 3, "C": 5, "K": 2}, ties=True)


# Gathers, scatters, merged axes, masks

idx = Tensor("idx", (t,), dtype="int", bound=v.size)
ids = Tensor("ids", (b, t), dtype="int", bound=v.size)
cls = Tensor("cls", (b,), dtype="int", bound=c.size)
emb, zb, zv = Tensor("emb", (v, e)), Tensor("zb", (b, c)), Tensor("zv", (b, v, e))
ge, gb, gv, gw = Tensor("g", (t, e)), Tensor("g", (b,)), Tensor("g", (b, t, e)), Tensor("gw", (b, v))
long = axis("l", k.size * f.size)
xl, xk = Tensor("x", (n, long)), Tensor("xk", (n, f, k))
t1, t2, tb, yb = t.alias("t_1"), t.alias("t_2"), Tensor("tb", (b, t)), Tensor("yb", (b, y))
again, box = axis("l", f.size * k.size).alias("a"), Tensor("box", (y, long))
row = Tensor("x", (n, y))
wide = axis("m", y.size + z.size)
rz = Tensor("xz", (n, z))
gl, mk, vmask = Tensor("g", (n, wide)), Tensor("mk", (n, y), dtype="bool"), Tensor("mk", (v,), dtype="bool")
y1, y2 = y.alias("y_1"), y.alias("y_2")
square, turned, tall, k0 = Tensor("A", (y, y2)), Tensor("x", (n, z)), row.with_(name="tall"), Tensor("k0", (t,))
GATHERS = {
    "embedding": (SumOver(Delta(v, idx[t]) * emb[v, e], v), (t, e), (emb, idx)),
    "embedding entry": (emb[idx[t], e], (t, e), (emb, idx)),
    "embedding dx": (SumOver(Delta(v, idx[t]) * ge[t, e], t), (v, e), (ge, idx, emb)),
    "embedding 2d": (SumOver(Delta(v, ids[b, t]) * emb[v, e], v), (b, t, e), (emb, ids)),
    "embedding 2d dx": (SumOver(Delta(v, ids[b, t]) * gv[b, t, e], b, t), (v, e), (gv, ids, emb)),
    "batched": (SumOver(Delta(v, ids[b, t]) * zv[b, v, e], v), (b, t, e), (zv, ids)),
    "batched dx": (SumOver(Delta(v, ids[b, t]) * gv[b, t, e], t), (b, v, e), (gv, ids, zv)),
    "batched dx, last": (SumOver(Delta(v, ids[b, t]) * gv[b, t, e], t), (b, e, v), (gv, ids, zv)),
    "counts": (SumOver(Delta(v, idx[t]), t), (v,), (idx, emb)),
    "counts by row": (SumOver(Delta(v, ids[b, t]), t), (b, v), (ids, emb)),
    "weighted": (SumOver(Delta(v, ids[b, t]) * gv[b, t, e] * zv[b, v, e], t, e), (b, v), (gv, ids, zv)),
    "classes": (-MeanOver(SumOver(Delta(c, cls[b]) * zb[b, c], c), b), (), (zb, cls)),
    "class entry": (zb[b, cls[b]] * gb[b], (b,), (zb, cls, gb)),
    "classes dx": (Delta(c, cls[b]) * gb[b] - zb[b, c], (b, c), (zb, cls, gb)),
    "minus classes": (-Delta(c, cls[b]) * gb[b] ** 0, (b, c), (zb, cls, gb)),
    "near": (SumOver(Delta(v, ids[b, t] + 1) * zv[b, v, e], v), (b, t, e), (zv, ids)),
    "near dx": (SumOver(Delta(v, ids[b, t] - 2) * gv[b, t, e], t), (b, v, e), (gv, ids, zv)),
    "merged": (SumOver(Delta(long, k.size * f + k) * xl[n, long], long), (n, f, k), (xl, xk)),
    "merged dx": (SumOver(Delta(long, k.size * f + k) * xk[n, f, k], f, k), (n, long), (xl, xk)),
    "merged, permuted": (SumOver(Delta(long, k.size * f + k) * xl[n, long], long), (k, n, f), (xl, xk)),
    "merged dx, permuted": (SumOver(Delta(long, k.size * f + k) * xk[n, f, k], f, k), (long, n), (xl, xk)),
    "merged, in part": (SumOver(Delta(long, k.size * f + k) * xl[n, long] * xk[n, f, k], f, long), (n, k), (xl, xk)),
    "shuffled": (
        SumOver(Delta(again, f.size * k + f) * Delta(long, k.size * f + k) * xl[n, long], long, f, k), (n, again),
        (xl, xk),
    ),
    "merged beside a window": (
        SumOver(Delta(long, k.size * f + k) * Delta(y, z + t - 1) * box[y, long] * rz[n, z], y, z, long), (n, f, k, t),
        (box, rz, xk, k0),
    ),
    "merged dx beside a window": (
        SumOver(Delta(long, k.size * f + k) * Delta(y, z + t - 1) * xk[n, f, k] * rz[n, z] * k0[t], f, k, z, t, n),
        (y, long), (xk, rz, k0, box),
    ),
    "merged, exponential": (exp(SumOver(Delta(long, k.size * f + k) * xk[n, f, k], f, k)), (n, long), (xl, xk)),
    "not all of it": (SumOver(Delta(long, k.size * f + k + 1) * xk[n, f, k], f, k), (n, long), (xl, xk)),
    "divided": (
        SumOver(Delta(f, floor(long / k.size)) * Delta(k, Mod(long, k.size)) * xk[n, f, k], f, k), (n, long), (xl, xk)
    ),
    "divided entry": (xk[n, floor(long / k.size), Mod(long, k.size)], (n, long), (xl, xk)),
    "first": (SumOver(Delta(y, Integer(0)) * row[n, y], y), (n,), (row,)),
    "last": (row[n, y.size - 1], (n,), (row,)),
    "first dx": (Delta(y, Integer(0)) * Tensor("g", (n,))[n], (n, y), (Tensor("g", (n,)), row)),
    "flip": (SumOver(Delta(z, y.size - 1 - y) * turned[n, z], z), (n, y), (turned, tall)),
    "flip alone": (row[n, y.size - 1 - y], (n, y), (row,)),
    "shift": (PaddedEntry(row, n, y - 1), (n, y), (row,)),
    "shift dx": (SumOver(Delta(y, y1 + 1) * row[n, y1], y1), (n, y), (row,)),
    "concat": (PaddedEntry(row, n, wide) + PaddedEntry(rz, n, wide - y.size), (n, wide), (row, rz)),
    "concat dx": (SumOver(Delta(wide, y) * gl[n, wide], wide), (n, y), (row, rz, gl)),
    "concat dz": (SumOver(Delta(wide, z + y.size) * gl[n, wide], wide), (n, z), (row, rz, gl)),
    "diagonal and step": (square[y, y.size - 1 - y], (y,), (square,)),
    "swapped": (square[y2, y], (y, y2), (square,)),
    "crossed": (PaddedEntry(square, y2 + 1, y - 1), (y, y2), (square,)),
    "roll": (row[n, Mod(y + 2, y.size)], (n, y), (row,)),
    "causal": (Where(y >= z, row[n, y], Integer(0)), (n, y, z), (row, rz)),
    "causal sum": (SumOver(Where(z <= y, rz[n, z], Integer(0)), z), (n, y), (row, rz)),
    "running total": (2 * SumOver(Where(t <= y, tb[b, t], Integer(0)), t), (b, y), (tb, yb)),
    "running total, less": (SumOver(Where(t < y, 3 * tb[b, t], Integer(0)), t), (y, b), (tb, yb)),
    "from there": (SumOver(Where(y <= t, tb[b, t], Integer(0)), t), (b, y), (tb, yb)),
    "from beyond there": (SumOver(Where(t > y + 1, tb[b, t], Integer(0)), t), (b, y), (tb, yb)),
    "up to long before": (SumOver(Where(t <= y - 3, tb[b, t], Integer(0)), t), (b, y), (tb, yb)),
    "up to beyond": (SumOver(Where(t <= y + 1, tb[b, t], Integer(0)), t), (b, y), (tb, yb)),
    "from before": (SumOver(Where(t >= y - 1, tb[b, t], Integer(0)), t), (b, y), (tb, yb)),
    "running dots": (SumOver(Where(t <= y, tb[b, t] * tb[b, t], Integer(0)), t, b), (y,), (tb, yb)),
    "running mean": (MeanOver(Where(t <= y, tb[b, t], Integer(0)), t, b), (y,), (tb, yb)),
    "running with both": (SumOver(Where(t <= y, tb[b, t] * yb[b, y], Integer(0)), t), (b, y), (tb, yb)),
    "running along one": (SumOver(Where(t1 <= t, tb[b, t1], Integer(0)), t1), (b, t), (tb,)),
    "running, back": (SumOver(Where(t <= t1, tb[b, t1], Integer(0)), t1), (b, t), (tb,)),
    "running twice": (
        SumOver(Where(t1 <= t, SumOver(Where(t2 >= t1, tb[b, t2], Integer(0)), t2), Integer(0)), t1), (b, t), (tb,),
    ),
    "running, exponential": (
        exp(SumOver(Where(t1 <= t, tb[b, t1], Integer(0)), t1)) * tb[b, t], (b, t), (tb,)
    ),
    "running": (SumOver(SumOver(Delta(z, y - t) * rz[n, z], z), t), (n, y), (row, rz, k0)),
    "letters": (y * row[n, y] + floor(y / 2) - Mod(y, 3), (n, y), (row,)),
    "lengths": (row[n, y] / (y.size + floor(y.size / 2)) * sqrt(y.size), (n, y), (row,)),
    "two masks": (Delta(y, z) * Delta(n, Integer(1)) * row[n, y], (n, y, z), (row, rz)),
    "padded mask": (Where(PaddedBoolEntry(mk, n, y + 1), row[n, y], Integer(0)), (n, y), (row, mk)),
    "gathered mask": (Where(vmask[idx[t]], ge[t, e], Integer(-1)), (t, e), (ge, idx, vmask)),
    "equal letters": (SumOver(Where(Eq(y, Mod(z, 2)), row[n, y] * rz[n, z], Integer(0)), y, z), (n,), (row, rz)),
    "twice": (SumOver(Delta(v, idx[t]) * Delta(v, idx[t]) * emb[v, e], v), (t, e), (emb, idx)),
    "competing": (SumOver(Delta(y, z) * Delta(y, t) * row[n, y] * rz[n, z], y, z), (n, t), (row, rz, k0)),
}  # fmt: skip


@pytest.mark.parametrize("name", GATHERS)
@pytest.mark.parametrize("lengths", ["different", "same"])
def test_gathers(name, lengths):
    body, letters, inputs = GATHERS[name]
    sizes = {"N": 2, "Y": 4, "Z": 5, "T": 6, "V": 5, "E": 3, "B": 3, "C": 4, "K": 3, "F": 2}
    if lengths == "same" or name == "flip":
        sizes |= {"Z": 4, "T": 4}
    check(body, letters, inputs, sizes)


# Lengths, keywords and indices that do not fit


def module(body, letters, *inputs, sizes=(), **more):
    out = Tensor("out", letters, body=body, role="output")
    return Module(lower(Task("case", "", inputs, (), (out,), sizes=sizes, **more)))


def conv1d():
    body, letters, inputs = CONVOLUTIONS["conv1d"]
    return module(body, letters, *inputs, sizes=(s, d, p))


heads = Size("heads")
part = axis("i", e.size / heads)
merged = axis("m", heads * k.size)
X = {"x": np.ones((1, 1, 4)), "wt": np.ones((1, 1, 3))}
WRONG = [
    (conv1d, {**X, "s": 0}, "case: s: expected a whole number of at least 1, given 0"),
    (conv1d, {**X, "p": -1}, "case: p: expected a whole number of at least 0, given -1"),
    (conv1d, {**X, "s": 1.5}, "case: s: expected a whole number of at least 1, given 1.5"),
    (conv1d, {**X, "d": 2}, r"case: h has length 0, with R=3, Y=4, d=2, p=0, s=1"),
    (
        lambda: module(
            SumOver(Tensor("x", (n, e))[n, e], e) + part, (n, part), Tensor("x", (n, e)), sizes=(heads,)
        ), {"x": np.ones((2, 10)), "heads": 3}, "case: i has length 10/3: 10 is not divisible by 3, with E=10, heads=3",
    ),
    (
        lambda: module(Tensor("x", (n, merged))[n, merged], (n, merged), Tensor("x", (n, merged)), sizes=(heads,)),
        {"x": np.ones((2, 10)), "heads": 3}, r"case: K, as x has length .* along m: 10 is not divisible by 3",
    ),
    (
        lambda: module(g1[n, o, h] * x1[n, c, y] * w1[o, c, r], (n, o, h, c, y, r), g1, x1, w1, sizes=(s, d, p)),
        {**X, "g": np.ones((1, 1, 3))}, "case: axis h of g: expected length 2, given 3, with .*Y=4",
    ),
    (
        lambda: module(emb[idx[t], e], (t, e), emb, idx), {"emb": np.ones((3, 2)), "idx": np.array([0, 3])},
        "case: input idx: index 3 is out of range: expected 0 to 2",
    ),
    (
        lambda: module(emb[idx[t], e], (t, e), emb, idx), {"emb": np.ones((3, 2)), "idx": np.array([0, -1])},
        "case: input idx: index -1 is out of range: expected 0 to 2",
    ),
    (
        lambda: module(emb[idx[t], e], (t, e), emb, idx), {"emb": np.ones((3, 2)), "idx": np.array([0.0, 1.0])},
        "case: input idx: expected int values, given float64",
    ),
    (
        lambda: module(MaxOver(Where(m0[b, c], x0[b, c], -oo), c), (b,), x0, m0),
        {"x": np.ones((2, 3)), "mask": np.ones((2, 4), bool)},
        r"case: input mask: expected shape \(B=2, C=3\), given \(2, 4\)",
    ),
]  # fmt: skip


def standalone(source):
    made = types.ModuleType("standalone")
    exec(compile(source, "standalone", "exec"), made.__dict__)
    return made


@pytest.mark.parametrize("made, given, text", WRONG)
def test_what_does_not_fit_is_named(made, given, text):
    found = made()
    with pytest.raises(DeriveError, match=text):
        found.forward(**given)
    with pytest.raises((ValueError, TypeError), match=text):
        standalone(found.source).forward(**given)


def test_defaults_stand_in_the_signature():
    found = conv1d()
    assert "*, s: int = 1, d: int = 1, p: int = 0)" in found.source
    given = {"x": np.ones((1, 1, 4)), "wt": np.ones((1, 1, 3))}
    np.testing.assert_array_equal(found.forward(**given)[0], [[[3, 3]]])
    np.testing.assert_array_equal(standalone(found.source).forward(**given, s=2, p=1)[0], [[[2, 3]]])


def test_small_integers_do_not_overflow():
    found = module(SumOver(Delta(y, 2 * idx[t]) * row[n, y], y), (n, t), row, idx, Tensor("emb", (v,)))
    given = {"x": np.arange(400.0)[None], "idx": np.array([3, 199], "uint8"), "emb": np.ones(200)}
    np.testing.assert_array_equal(found.forward(**given)[0], [[6, 398]])


def test_a_length_is_solved_from_a_shape():
    head = axis("i", heads)
    x = Tensor("x", (n, merged))
    body = SumOver(Delta(merged, k.size * head + k) * x[n, merged], merged)
    found = module(body, (n, head, k), x, sizes=(heads,))
    given = np.arange(24.0).reshape(2, 12)
    np.testing.assert_array_equal(found.forward(x=given, heads=3)[0], given.reshape(2, 3, 4))


def test_names_of_helpers_may_be_inputs():
    windows, padded = Tensor("windows", (n, c, y)), Tensor("padded", (o, c, r))
    body = SumOver(at_y * windows[n, c, y] * padded[o, c, r], c, r, y)
    found = module(body, (n, o, h), windows, padded, sizes=(s, d, p))
    given = {"windows": np.ones((1, 1, 4)), "padded": np.ones((1, 1, 3)), "p": 1}
    for run in (found, standalone(found.source)):
        np.testing.assert_array_equal(run.forward(**given)[0], [[[2, 3, 3, 2]]])


# What the code looks like


@pytest.mark.parametrize(
    "table, name, contains, lacks",
    [
        (CONVOLUTIONS, "conv2d", ["products(", "windows("], ["einsum", "tensordot", "=="]),
        (CONVOLUTIONS, "conv2d dx", ["spread("], ["einsum", "==", "overlapped(", "products("]),
        (CONVOLUTIONS, "conv2d dw", ["products(", "total=True"], ["einsum", "=="]),
        (CONVOLUTIONS, "depthwise", ["weighted("], ["einsum"]),
        (CONVOLUTIONS, "depthwise dx", ["overlapped(g[", "times=wt["], ["None] * ", "einsum"]),
        (CONVOLUTIONS, "depthwise dw", ["correlated("], []),
        (CONVOLUTIONS, "average", ["folded(", "np.add"], []),
        (MAXIMA, "max", ["folded(", "fill=-np.inf"], ["np.where", ".max(axis"]),
        (MAXIMA, "min", ["fill=np.inf"], ["np.where"]),
        (MAXIMA, "dx", ["firsts(", "selected("], ["scattered(", "np.where"]),
        (MAXIMA, "dx by taps", ["selected("], ["scattered("]),
        (GATHERS, "embedding", ["out = emb.take(idx, axis=0)"], ["=="]),
        (GATHERS, "embedding dx", ["scattered(g, (V,), idx)"], ["=="]),
        (GATHERS, "class entry", ["zb[np.arange(B), cls]"], ["=="]),
        (GATHERS, "merged", ["x.reshape((N, F, K))"], ["windows(", "=="]),
        (GATHERS, "merged dx", ['np.array(xk, order="C").reshape((N, L))'], ["overlapped(", "=="]),
        (GATHERS, "running along one", ["np.cumsum(tb, axis=1)"], ["arange", "sum(axis"]),
        (GATHERS, "running, back", ["np.cumsum(tb[:, ::-1], axis=1)[:, ::-1]"], ["arange", "sum(axis"]),
        (GATHERS, "shuffled", [".reshape((N, F, K)).mT, order"], ["windows(", "overlapped("]),
        (GATHERS, "merged beside a window", [".reshape("], ["=="]),
        (GATHERS, "flip alone", ["x[:, ::-1]"], []),
        (GATHERS, "last", ["x[:, Y - 1]"], []),
    ],
)
def test_form(table, name, contains, lacks):
    body, letters, inputs = table[name]
    source = module(body, letters, *inputs, sizes=(s, d, p)).source
    text = re.sub("#.*", "", source[source.index("def forward") : source.index("def checked")])
    assert all(part in text for part in contains), text
    assert not any(part in text for part in lacks), text


def test_what_a_running_sum_never_selects_does_not_warn():
    body = SumOver(Where(t1 < t, log(tb[b, t1]), Integer(0)), t1)
    with np.errstate(all="raise"):
        value = module(body, (b, t), tb).forward(tb=np.array([[1.0, 1.0, 0.0]]))[0]
    np.testing.assert_array_equal(value, [[0.0, 0.0, 0.0]])


def test_a_running_sum_keeps_float32():
    value = module(GATHERS["running, back"][0], (b, t), tb).forward(tb=np.ones((2, 3), np.float32))[0]
    assert value.dtype == np.float32
    np.testing.assert_array_equal(value, [[3, 2, 1]] * 2)


def test_padding_by_nothing_leaves_the_input_alone():
    body = SumOver(at_y * exp(x1[n, c, y]) * w1[o, c, r], c, r, y) + 0 * SumOver(
        at_y * x1[n, c, y] * w1[o, c, r], c, r, y
    )
    check(body, (n, o, h), (x1, w1), {**SHAPES["plain"], "s": 1, "d": 1, "p": 0})


def test_backward_keeps_the_padded_array_and_no_windows():
    g = Tensor("g", (n, o, h), role="upstream")
    out = Tensor("y", (n, o, h), body=CONVOLUTIONS["conv1d"][0], role="output")
    w_bar = SumOver(at_y * g[n, o, h] * x1[n, c, y], n, h, y)
    bar = Tensor("w_bar", (o, c, r), body=w_bar, role="adjoint", of="wt")
    found = Module(lower(Task("case", "", (x1, w1), (), (out,), (g,), (bar,), sizes=(s, d, p))))
    assert re.search(r"saved = \(x_padded, s, d, p, R, \(y", found.source)
    x, weights = np.arange(10.0).reshape(1, 2, 5), np.ones((1, 2, 3))
    value, saved = found.forward(x=x, wt=weights, p=1)
    taps = [np.pad(x, ((0, 0), (0, 0), (1, 1)))[0, :, k : k + 5].sum(1) for k in range(3)]
    np.testing.assert_allclose(found.backward(np.ones_like(value), saved)["wt"][0], np.array(taps).T)


def test_a_condition_leaves_windows_alone():
    """Σ [z > 0] δ(y = v + r) g w is windows of [z > 0] g: no array has all of the letters."""
    tap, run, place = axis("r", 3), axis("v", 6), axis("y", 8)
    g_, z_, w_ = Tensor("g", (run,)), Tensor("z", (run,)), Tensor("w", (tap,))
    body = SumOver(Where(z_[run] > 0, Delta(place, run + tap) * g_[run] * w_[tap], Integer(0)), run, tap)
    source = check(body, (place,), (g_, z_, w_), {})
    assert "overlapped(" in source and "index" not in source.split("def checked")[0]


@pytest.mark.parametrize(
    "n, o, c, h, s, p",
    [
        (64, 4, 3, 4, 2, 1), (40, 5, 3, 7, 1, 1), (17, 2, 1, 1, 1, 0),
        (5, 30, 17, 9, 1, 1), (3, 8, 16, 6, 1, 3),  # as windows of g
        (3, 40, 16, 5, 1, 0), (4, 8, 20, 6, 2, 1), (2, 6, 16, 5, 4, 0),  # along channels
        (4, 6, 16, 20, 2, 1),  # along columns
    ],
)  # fmt: skip
def test_products_of_windows_with_short_runs_are_taken_along_the_first_axis(n, o, c, h, s, p):
    rng, y = np.random.default_rng(0), s * (h - 1) + 3
    w, g, x = (rng.normal(size=shape) for shape in ((o, c, 3, 3), (n, o, h, h), (n, c, y, y)))
    taken = windows.windows(x, None, None, (0, (h, s), (3, 1)), (0, (h, s), (3, 1)))
    forward = windows.products(w[None], taken.transpose(0, 1, 3, 5, 2, 4), loop=1, inner=3)
    np.testing.assert_allclose(forward, np.einsum("ocrq,nchrwq->nohw", w, taken), atol=1e-12)
    back = windows.products(g, taken.transpose(0, 2, 4, 1, 3, 5), loop=1, inner=2, total=True)
    np.testing.assert_allclose(back, np.einsum("nohw,nchrwq->ocrq", g, taken), atol=1e-11)
    axis = (y - 2 * p, -p, (h, s), (3, 1))
    if y > 2 * p:
        spread = windows.spread(
            w.transpose(1, 2, 3, 0)[None], g, None, None, axis, axis, order=(0, 1, 4, 2, 5, 3), loop=1, inner=1
        )
        whole = np.zeros((n, c, y, y))
        for i, j in np.ndindex(3, 3):
            whole[:, :, i : i + s * h : s, j : j + s * h : s] += np.einsum("oc,nohw->nchw", w[:, :, i, j], g)
        np.testing.assert_allclose(spread, whole[:, :, p : y - p, p : y - p], atol=1e-12)


last, apart = Tensor("x", (n, y, c)), Tensor("x", (n, k, c, y))
group, filters = Tensor("wt", (k, o, c, r)), Tensor("wt", (o, r))
APART = {  # body, letters, inputs, how the array that is read lies in memory
    "conv2d": (*CONVOLUTIONS["conv2d"], "order=(0, 2, 3, 1), steps=(s,)"),
    "conv2d dw": (*CONVOLUTIONS["conv2d dw"], "order=(0, 2, 3, 1), steps=(s,)"),
    "groups": (
        SumOver(at_y * apart[n, k, c, y] * group[k, o, c, r], c, r, y), (n, k, o, h), (apart, group),
        "order=(0, 1, 3, 2), steps=(s,)",
    ),
    "fixed step": (
        SumOver(PaddedEntry(x1, n, c, 3 * k + r - 1) * w1[o, c, r], c, r), (n, o, k), (x1, w1, Tensor("k0", (k,))),
        "order=(0, 2, 1), steps=(3,)",
    ),
    "step of one": (
        SumOver(PaddedEntry(x1, n, c, k + d * r - 1) * w1[o, c, r], c, r), (n, o, k), (x1, w1, Tensor("k0", (k,))), "",
    ),
    "channels last": (SumOver(at_y * last[n, y, c] * w1[o, c, r], c, r, y), (n, o, h), (last, w1), ""),
    "no channels": (SumOver(at_y * row[n, y] * filters[o, r], r, y), (n, o, h), (row, filters), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", APART)
def test_an_array_that_windows_step_over_has_its_channels_last_in_memory(name):
    body, letters, inputs, order = APART[name]
    keywords = (d,) if name == "step of one" else () if name == "fixed step" else (s, d, p)
    sizes = {"N": 2, "C": 3, "O": 2, "Y": 9, "Z": 7, "R": 3, "Q": 2, "K": 2}
    source = check(body, letters, inputs, sizes | {a.name: 2 for a in keywords}, keywords=keywords)
    text = re.sub(r"\s+", " ", source[: source.index("def checked")])
    assert (order in text) if order else ("order=" not in text), text


@pytest.mark.parametrize("pads", [(0, 0), (1, 2)])
@pytest.mark.parametrize("step", [1, 2])
def test_padding_keeps_values_and_lays_channels_last_only_for_steps(pads, step):
    x = np.random.default_rng(0).normal(size=(2, 3, 5))
    found = windows.laid(x, None, None, pads, order=(0, 2, 1), steps=(step,))
    np.testing.assert_array_equal(found, np.pad(x, ((0, 0), (0, 0), pads)))
    assert found.strides[1 if step > 1 else 2] == x.itemsize
    assert (found is x) == (step == 1 and pads == (0, 0))


@pytest.mark.parametrize("rows", [40, 3000])
def test_sums_by_place_are_those_of_add_at(rows):
    rng = np.random.default_rng(0)
    u, first, second = rng.normal(size=(rows, 8)), rng.integers(-1, 6, rows), rng.integers(0, 4, rows)
    for places, lengths in (((second,), (4,)), ((first,), (5,)), ((first, second), (5, 4)), ((second, first), (4, 5))):
        expected = np.zeros((*lengths, 8))
        held = (first >= 0) & (first < 5) if any(place is first for place in places) else np.ones(rows, bool)
        np.add.at(expected, tuple(place[held] for place in places), u[held])
        np.testing.assert_allclose(windows.scattered(u, lengths, *places), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_what_a_condition_leaves_out_is_zero_whatever_it_was(dtype):
    x = np.array([[1, -2, 3], [4, 5, -6]], dtype)
    if x.dtype.kind == "f":
        x[0] = np.nan, np.inf, -0.0
    condition = np.array([[True], [False]])
    for held in (condition, x > 2, ~(x > 2)):
        found, expected = runtime.masked(held, x), np.where(held, x, 0)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
    assert runtime.masked(True, 2.5) == 2.5 and runtime.masked(False, np.nan) == 0
