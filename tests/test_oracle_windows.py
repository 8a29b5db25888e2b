"""Windows, gathers and extrema: the oracle against plain loops over arrays, points of derived lengths, verification."""

import importlib
import itertools
import time
import tracemalloc

import numpy as np
import pytest
import sympy
from sympy import exp, floor, oo

from derive.axes import (
    AdjointOf,
    ArgMaxOver,
    ArgMinOver,
    Axis,
    BoolEntry,
    Delta,
    DeriveError,
    Entry,
    Int,
    MaxOver,
    MinOver,
    PaddedBoolEntry,
    PaddedEntry,
    Scalar,
    ShapeError,
    Size,
    SumOver,
    T,
    Tensor,
    Unsupported,
    Where,
    axes,
    axis,
    clip,
    equals,
    max_over,
    maximum,
    mean_over,
    min_over,
    minimum,
    padded,
    prod_over,
    rename,
    sum_over,
    where,
)
from derive.formula import assume, build, let
from derive.oracle import Point, evaluate, extent, first, length, point_from_arrays
from derive.steps import Derivation, Equation, Step
from derive.verify import check_gradient, check_steps, sample_point
from derive.verify.dual import tangents_at
from derive.verify.kinks import kinks_of

n, c, o, r, q, y, z, t, d, k = axes("n c o r q y z t d k")
s, p, dil = Size("s", default=1), Size("p", min=0, default=0), Size("dilation", default=1)
h = axis("h", (y.size + 2 * p - dil * (r.size - 1) - 1) // s + 1)
v = axis("v", (z.size + 2 * p - dil * (q.size - 1) - 1) // s + 1)
row, column = s * h + dil * r - p, s * v + dil * q - p

x1, w1, g1 = Tensor("x", (n, c, y)), Tensor("w", (o, c, r)), Tensor("g", (n, o, h), role="upstream")
x2, w2 = Tensor("x", (n, c, y, z)), Tensor("w", (o, c, r, q))
g2 = Tensor("g", (n, o, h, v), role="upstream")
conv1 = sum_over((c, r), PaddedEntry(x1, n, c, row) * w1[o, c, r])
conv2 = sum_over((c, r, q), PaddedEntry(x2, n, c, row, column) * w2[o, c, r, q])
window = Delta(y, row) * Delta(z, column)
conv2_x = SumOver(window * g2[n, o, h, v] * w2[o, c, r, q], o, h, v, r, q)
conv2_w = SumOver(window * g2[n, o, h, v] * x2[n, c, y, z], n, h, v, y, z)

# stride, padding, dilation, length, kernel: some divide and some do not
WINDOWS = [(1, 0, 1, 5, 3), (2, 1, 1, 6, 3), (3, 2, 2, 7, 2), (2, 0, 1, 5, 2), (1, 2, 3, 3, 2), (4, 1, 1, 4, 1)]


def out(S, P, D, Y, R):
    return (Y + 2 * P - D * (R - 1) - 1) // S + 1


def sizes2(S, P, D, Y, R, N=2, C=2, O=3, dY=1):
    return {s: S, p: P, dil: D, y.size: Y, z.size: Y + dY, r.size: R, q.size: R, n.size: N, c.size: C, o.size: O}


def conv_loops(x, w, S, P, D):
    """Every window of x against every filter, and the gradients of Σ g·y, one product at a time."""
    (N, C, Y, Z), (O, _, R, Q) = x.shape, w.shape
    H, V = out(S, P, D, Y, R), out(S, P, D, Z, Q)
    g = np.random.default_rng(5).normal(size=(N, O, H, V))
    made, dx, dw = np.zeros(g.shape), np.zeros(x.shape), np.zeros(w.shape)
    for i, f, a, b, e, u, l in itertools.product(*map(range, (N, O, H, V, C, R, Q))):
        j, m = S * a + D * u - P, S * b + D * l - P
        if 0 <= j < Y and 0 <= m < Z:
            made[i, f, a, b] += x[i, e, j, m] * w[f, e, u, l]
            dx[i, e, j, m] += g[i, f, a, b] * w[f, e, u, l]
            dw[f, e, u, l] += g[i, f, a, b] * x[i, e, j, m]
    return made, g, dx, dw


@pytest.mark.parametrize("S, P, D, Y, R", WINDOWS)
def test_convolution_and_its_gradients_equal_plain_loops(S, P, D, Y, R):
    rng = np.random.default_rng(0)
    lengths = sizes2(S, P, D, Y, R)
    x, w = rng.normal(size=(2, 2, Y, Y + 1)), rng.normal(size=(3, 2, R, R))
    made, g, dx, dw = conv_loops(x, w, S, P, D)
    point = Point({"x": x, "w": w, "g": g}, lengths)
    np.testing.assert_allclose(evaluate(conv2, point, (n, o, h, v)), made, atol=1e-13)
    np.testing.assert_allclose(evaluate(conv2_x, point, (n, c, y, z)), dx, atol=1e-13)
    np.testing.assert_allclose(evaluate(conv2_w, point, (o, c, r, q)), dw, atol=1e-13)


@pytest.mark.parametrize("S, P, D, Y, R", WINDOWS)
def test_convolution_in_one_dimension_equals_pytorch(S, P, D, Y, R):
    torch = pytest.importorskip("torch", reason="needs torch, as `make parity` has it")
    rng = np.random.default_rng(1)
    x, w = rng.normal(size=(2, 3, Y)), rng.normal(size=(4, 3, R))
    expected = torch.nn.functional.conv1d(torch.tensor(x), torch.tensor(w), stride=S, padding=P, dilation=D)
    point = Point({"x": x, "w": w}, {s: S, p: P, dil: D, y.size: Y, r.size: R, n.size: 2, c.size: 3, o.size: 4})
    np.testing.assert_allclose(evaluate(conv1, point, (n, o, h)), expected, atol=1e-13)


inside = sympy.And(sympy.Ge(row, 0, evaluate=False), sympy.Lt(row, y.size, evaluate=False), evaluate=False)
POOLED = Where(inside, PaddedEntry(x1, n, c, row), -oo)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("S, P, D, Y, R", [w for w in WINDOWS if w[1] * 2 <= w[4]])
def test_pooling_with_padding_looks_within_and_takes_the_first_of_ties(S, P, D, Y, R):
    x = np.random.default_rng(2).integers(-3, 0, (2, 3, Y)).astype(float)  # ties, all below the padding's zero
    H = out(S, P, D, Y, R)
    largest, place = np.full((2, 3, H), -np.inf), np.zeros((2, 3, H))
    for i, e, a, u in itertools.product(*map(range, (2, 3, H, R))):
        j = S * a + D * u - P
        if 0 <= j < Y and x[i, e, j] > largest[i, e, a]:
            largest[i, e, a], place[i, e, a] = x[i, e, j], u
    point = Point({"x": x}, {s: S, p: P, dil: D, y.size: Y, r.size: R, n.size: 2, c.size: 3})
    assert (evaluate(MaxOver(POOLED, r), point, (n, c, h)) == largest).all()
    assert (evaluate(ArgMaxOver(POOLED, r, sympy.Integer(0)), point, (n, c, h)) == place).all()
    first = ArgMaxOver(POOLED, r, sympy.Integer(0))
    read = PaddedEntry(x1, n, c, s * h + dil * first - p)  # what stands there is the maximum
    assert (evaluate(read, point, (n, c, h)) == largest).all()
    assert (evaluate(SumOver(Delta(r, first) * POOLED.args[1], r), point, (n, c, h)) == largest).all()


def test_places_of_extrema_over_several_axes_come_in_row_major_order():
    x = np.array([[[2.0, 5, 1], [5, 0, 0]], [[7, 7, 7], [7, -1, -1]]])
    point = Point({"x": x}, {n.size: 2, c.size: 2, y.size: 3})
    places = [ArgMaxOver(x1[n, c, y], c, y, sympy.Integer(m)) for m in (0, 1)]
    assert [evaluate(a, point, (n,)).tolist() for a in places] == [[0, 0], [1, 0]]
    places = [ArgMinOver(x1[n, c, y], c, y, sympy.Integer(m)) for m in (0, 1)]
    assert [evaluate(a, point, (n,)).tolist() for a in places] == [[1, 1], [1, 1]]
    places = [ArgMaxOver(x1[n, c, y], y, c, sympy.Integer(m)) for m in (0, 1)]  # other order, other first
    assert [evaluate(a, point, (n,)).tolist() for a in places] == [[0, 0], [1, 0]]
    assert evaluate(MinOver(x1[n, c, y], c, y), point, (n,)).tolist() == [0, -1]


@pytest.mark.filterwarnings("error")
def test_what_is_masked_with_infinity_counts_for_nothing():
    mask, row_ = Tensor("mask", (n, c), dtype="bool"), Tensor("a", (n, c))
    point = Point(
        {"mask": np.array([[1, 0, 1], [0, 0, 0]], bool), "a": np.array([[1.0, 9, 2], [3, 4, 5]])},
        {n.size: 2, c.size: 3},
    )
    masked = Where(mask[n, c], row_[n, c], -oo)
    assert evaluate(MaxOver(masked, c), point, (n,)).tolist() == [2, -np.inf]
    np.testing.assert_allclose(evaluate(sum_over(c, exp(masked)), point, (n,)), [np.exp(1) + np.exp(2), 0])
    assert evaluate(MinOver(Where(mask[n, c], row_[n, c], oo), c), point, (n,)).tolist() == [1, np.inf]


@pytest.mark.filterwarnings("error")
def test_the_first_of_infinities_is_the_first():
    values = np.array([[-np.inf, -np.inf], [-np.inf, 1], [2, 2 + 1e-15]])
    assert first(values, 1e-12).tolist() == [0, 1, 0] and first(values, 0.0).tolist() == [0, 1, 1]


# --- gathers ----------------------------------------------------------------------------------------------------------

word = axis("word")
idx = Tensor("idx", (n, t), dtype="int", bound=word.size)
table, gt = Tensor("e", (word, d)), Tensor("g", (n, t, d))
GATHER = Point(
    {"idx": np.array([[3, 0, 3], [1, 3, 2]]), "e": np.random.default_rng(3).normal(size=(4, 2)),
     "g": np.random.default_rng(4).normal(size=(2, 3, 2))},
    {n.size: 2, t.size: 3, word.size: 4, d.size: 2},
)  # fmt: skip


def test_gathers_and_their_adjoints():
    e, ids, g = (GATHER.arrays[name] for name in ("e", "idx", "g"))
    found = evaluate(Entry(table, idx[n, t], d), GATHER, (n, t, d))
    np.testing.assert_array_equal(found, e[ids])
    np.testing.assert_array_equal(evaluate(SumOver(Delta(word, idx[n, t]) * table[word, d], word), GATHER, (n, t, d)),
                                  found)  # fmt: skip
    expected = np.zeros((4, 2))
    np.add.at(expected, ids, g)
    adjoint = SumOver(Delta(word, idx[n, t]) * gt[n, t, d], n, t)
    np.testing.assert_allclose(evaluate(adjoint, GATHER, (word, d)), expected)


def test_integer_entries_within_affine_indices_and_out_of_range():
    offset, a, seen = Tensor("offset", (n,), dtype="int"), Tensor("a", (t,)), Tensor("seen", (t,), dtype="bool")
    A, SEEN, OFFSET = np.array([1.0, 2, 3]), np.array([True, False, True]), np.array([-2, 0, 1, 9])
    point = Point({"offset": OFFSET, "a": A, "seen": SEEN}, {n.size: 4, t.size: 3, k.size: 2})
    places = OFFSET[:, None] + 2 * np.arange(2)
    within = (places >= 0) & (places < 3)
    expected = np.where(within, A[np.clip(places, 0, 2)], 0)
    assert (evaluate(padded(a)[offset[n] + 2 * k], point, (n, k)) == expected).all()
    found = evaluate(PaddedBoolEntry(seen, offset[n] + 2 * k), point, (n, k))
    assert found.dtype == bool and (found == within & SEEN[np.clip(places, 0, 2)]).all()
    assert evaluate(where(BoolEntry(seen, sympy.Integer(1)), 1, 2), point) == 2
    assert (evaluate(sum_over(t, Delta(t, offset[n] + 2 * k) * a[t]), point, (n, k)) == expected).all()


WRONG_READS = {
    "below": (Entry(table, word - 1, d), r"tensor e: index word - 1 in e\[word - 1, d\] is -1, expected 0 … 3"),
    "above": (Entry(table, word + 2, d), r"tensor e: index word \+ 2 in .* is 5, expected 0 … 3"),
    "a number": (Entry(table, sympy.Integer(4), d), r"tensor e: index 4 in e\[4, d\] is 4, expected 0 … 3"),
    "halves": (Entry(table, word / 2, d), r"index word/2 in e\[word/2, d\] is no integer with D=2, N=2"),
}  # fmt: skip


@pytest.mark.parametrize("node, message", WRONG_READS.values(), ids=WRONG_READS)
def test_an_index_that_leaves_its_tensor_is_named(node, message):
    with pytest.raises(DeriveError, match=message):
        evaluate(node, GATHER, (word, d))


# --- quotients and remainders -----------------------------------------------------------------------------------------


def test_pixel_shuffle_by_floor_and_remainder():
    f = Size("f")
    wide, high, across = axis("wide", c.size * f**2), axis("high", y.size * f), axis("across", z.size * f)
    x = Tensor("x", (n, wide, y, z))
    index = f**2 * c + f * sympy.Mod(high, f) + sympy.Mod(across, f)
    X = np.random.default_rng(6).normal(size=(2, 18, 4, 5))
    point = point_from_arrays((x,), {"x": X, "f": 3, "C": 2}, sizes=(f, c.size))
    found = evaluate(Entry(x, n, index, floor(high / f), floor(across / f)), point, (n, c, high, across))
    expected = X.reshape(2, 2, 3, 3, 4, 5).transpose(0, 1, 4, 2, 5, 3).reshape(2, 2, 12, 15)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("divisor", [3, 7, 49, 93, 103])
def test_quotients_are_exact(divisor):
    f = Size("f")
    long = axis("long", f * y.size)
    a = Tensor("a", (y,))
    point = Point({"a": np.arange(5.0)}, {f: divisor, y.size: 5})
    places = np.arange(5 * divisor)
    assert (evaluate(Entry(a, floor(long / f)), point, (long,)) == places // divisor).all()
    assert (evaluate(sympy.Mod(long, f), point, (long,)) == places % divisor).all()
    assert (evaluate(sympy.Mod(-long, f) + 0, point, (long,)) == -places % divisor).all()
    assert (evaluate(sympy.ceiling(long / f), point, (long,)) == -(-places // divisor)).all()
    equal = sympy.Eq(long / f, floor(long / f), evaluate=False)
    assert (evaluate(where(equal, 1, 0), point, (long,)) == (places % divisor == 0)).all()
    assert length(long.size / f, point.sizes) == 5


def test_extrema_of_integers():
    point = Point({"a": np.arange(5.0)}, {y.size: 5, k.size: 3})
    a = Tensor("a", (y,))
    clamped = sympy.Max(0, sympy.Min(y + k - 2, y.size - 1))
    expected = np.clip(np.arange(5)[:, None] + np.arange(3) - 2, 0, 4)
    assert (evaluate(Entry(a, clamped), point, (y, k)) == expected).all()


@pytest.mark.parametrize("mode, pad", [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")])
def test_what_lies_beyond_the_edge(mode, pad):
    wide = axis("wide", y.size + 2 * p)
    a = Tensor("a", (y,))
    A = np.array([1.0, 2, 4, 8])
    point = point_from_arrays((a,), {"a": A, "p": 3}, sizes=(p,))
    found = evaluate(padded(a, mode=mode)[wide - p], point, (wide,))
    np.testing.assert_array_equal(found, np.pad(A, 3, mode=pad))
    assert evaluate(padded(a, 7)[wide - p], point, (wide,)).tolist() == [7, 7, 7, 1, 2, 4, 8, 7, 7, 7]


# --- reductions over many letters -------------------------------------------------------------------------------------

LETTERS = {
    "sum": SumOver(x1[n, c, y] * y - c, n, c, y),
    "mean": mean_over((n, c, y), x1[n, c, y] * (y + 1)),
    "product": prod_over((c, y), x1[n, c, y]),
    "largest": MaxOver(x1[n, c, y], n, y),
    "smallest": MinOver(x1[n, c, y] * 1, c, n),
    "first largest": ArgMaxOver(x1[n, c, y], n, c, y, sympy.Integer(1)),
    "last component": ArgMinOver(x1[n, c, y], n, c, y, sympy.Integer(2)),
    "the body is constant": SumOver(sympy.Integer(3), n, c, y),
    "nested": SumOver(c * SumOver(x1[n, c, y], y) ** 2, n, c),
}


@pytest.mark.parametrize("node", LETTERS.values(), ids=LETTERS)
@pytest.mark.parametrize("most", [1, 7, 30])
def test_a_reduction_in_pieces_is_the_same_reduction(node, most, monkeypatch):
    X = np.random.default_rng(7).integers(-1, 2, (3, 2, 4)).astype(float)  # ties: the first wins in every piece
    X[0, 0], X[0, 1, 1], X[1, 1, 2], X[2, 1, 3] = 0, 5, 5, -5
    X[:, 0] = np.abs(X[:, 0])
    point = Point({"x": X}, {n.size: 3, c.size: 2, y.size: 4})
    letters = tuple(sorted({a for a in (n, c, y) if a in sympy.sympify(node).free_symbols}, key=str))
    whole = evaluate(node, point, letters)
    monkeypatch.setattr(importlib.import_module("derive.oracle.evaluate"), "MOST", most)
    np.testing.assert_allclose(evaluate(node, point, letters), whole, rtol=1e-14)


SMOOTH = {name: node for name, node in LETTERS.items() if not isinstance(node, ArgMaxOver) and x1 in node.atoms(Tensor)}


@pytest.mark.parametrize("node", SMOOTH.values(), ids=SMOOTH)
@pytest.mark.parametrize("most", [1, 7, 30])
def test_so_is_its_slope(node, most, monkeypatch):
    rng = np.random.default_rng(9)
    X, direction = rng.integers(-2, 3, (3, 2, 4)).astype(float), rng.normal(size=(3, 2, 4))
    point = Point({"x": X}, {n.size: 3, c.size: 2, y.size: 4})
    letters = tuple(sorted({a for a in (n, c, y) if a in node.free_symbols}, key=str))
    whole = tangents_at(node, [point], [{"x": direction}], letters)
    assert np.abs(whole[1]).max() > 0
    monkeypatch.setattr(importlib.import_module("derive.oracle.evaluate"), "MOST", most)
    for found, expected in zip(tangents_at(node, [point], [{"x": direction}], letters), whole, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


def test_a_large_gradient_takes_little_time_and_memory():
    rng = np.random.default_rng(8)
    lengths = {**sizes2(1, 2, 1, 12, 5, N=4, C=6, O=8), q.size: 4}
    H, V = extent(h, lengths), extent(v, lengths)
    arrays = {"g": rng.normal(size=(4, 8, H, V)), "w": rng.normal(size=(8, 6, 5, 4))}
    tracemalloc.start()
    start = time.perf_counter()
    evaluate(conv2_x, Point(arrays, lengths), (n, c, y, z))
    seconds, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 20 and peak < 1e8, (seconds, peak)


# --- points -----------------------------------------------------------------------------------------------------------

heads = Size("heads", default=2)
head = axis("head", heads)
merged, width = axis("e", heads * k.size), axis("f", d.size / heads)


def test_a_length_is_solved_for_when_one_size_is_open():
    joined = Tensor("a", (t, merged))
    assert point_from_arrays((joined,), {"a": np.zeros((3, 8))}, sizes=(heads,)).sizes[k.size] == 4
    assert point_from_arrays((joined,), {"a": np.zeros((3, 8)), "heads": 8}, sizes=(heads,)).sizes[k.size] == 1
    square = Tensor("b", (axis("u", k.size**2),))
    assert point_from_arrays((square,), {"b": np.zeros(9)}).sizes == {k.size: 3}
    affine = Tensor("b", (axis("u", 2 * k.size - 1),))
    assert point_from_arrays((affine,), {"b": np.zeros(9)}).sizes == {k.size: 5}
    part = Tensor("b", (width,))
    assert point_from_arrays((part,), {"b": np.zeros(3)}, sizes=(heads,)).sizes[d.size] == 6


def test_defaults_give_way_to_shapes_and_shapes_to_nothing():
    kernel = Size("kernel", default=3)
    w = Tensor("w", (axis("u", kernel),))
    assert point_from_arrays((w,), {"w": np.zeros(5)}, sizes=(kernel,)).sizes == {kernel: 5}
    with pytest.raises(ShapeError, match=r"w: expected w\[u\] with axis u of length 4 \(kernel = 4\).*\(5,\)"):
        point_from_arrays((w,), {"w": np.zeros(5), "kernel": 4}, sizes=(kernel,))


bare = Size("bare")
WRONG_LENGTHS = {
    "not divisible": (
        Tensor("a", (merged,)), (7,), {}, "a: axis e: length .* = 7 leaves K = 7/2 with heads=2, expected a whole"),
    "a root": (Tensor("a", (axis("u", k.size**2),)), (8,), {}, r"leaves K = 2\*sqrt\(2\), expected a whole"),
    "too small": (Tensor("a", (axis("u", k.size + 3),)), (3,), {}, "leaves K = 0, expected a whole"),
    "a floor": (Tensor("a", (axis("u", k.size // 2),)), (3,), {}, "no value is given for K, and the lengths do not"),
    "two open": (Tensor("a", (axis("u", k.size * d.size),)), (6,), {}, "no value is given for D"),
    "divided": (Tensor("a", (d, width)), (5, 2), {}, "axis f: length D/heads: 5 is not divisible by 2 with D=5"),
    "nothing left": (Tensor("a", (y, r, h)), (2, 4, 1), {}, "axis h has length -1: .* with R=4, Y=2, dilation=1"),
    "another": (Tensor("a", (y, r, h)), (4, 2, 2), {"s": 3, "p": 1}, r"length 2 .*|axis h of length 2"),
    "too long": (Tensor("a", (y, r, h)), (4, 2, 9), {"s": 3}, r"h of length 1 \(= .* with R=2, Y=4, dilation=1"),
}  # fmt: skip


@pytest.mark.parametrize("tensor, shape, given, message", WRONG_LENGTHS.values(), ids=WRONG_LENGTHS)
def test_lengths_that_do_not_fit(tensor, shape, given, message):
    def made():
        return point_from_arrays((tensor,), {"a": np.zeros(shape), **given}, sizes=(s, p, dil, heads))

    if "|" in message:
        assert made().sizes[s] == 3
    else:
        with pytest.raises(ShapeError, match=message):
            made()


def test_a_length_that_is_none_is_named_where_it_is_used():
    with pytest.raises(ShapeError, match=r"axis h has length 0: .* with R=4, Y=3, .* s=1, expected at least 1"):
        evaluate(SumOver(h, h), Point({}, {s: 1, p: 0, dil: 1, y.size: 3, r.size: 4}))
    with pytest.raises(ShapeError, match=r"axis f: length D/heads: 10 is not divisible by 3 with D=10, heads=3"):
        evaluate(SumOver(width, width), Point({}, {heads: 3, d.size: 10}))


def test_bounds_of_integers_that_no_axis_has():
    classes = Size("classes")
    free, labels = Tensor("i", (t,), dtype="int"), Tensor("i", (t,), dtype="int", bound=classes)
    assert point_from_arrays((free,), {"i": np.array([-5, 9])}).arrays["i"].tolist() == [-5, 9]
    assert point_from_arrays((labels,), {"i": np.array([5, 9])}).sizes == {t.size: 2}
    with pytest.raises(DeriveError, match="i: expected entries of at least 0, given -5"):
        point_from_arrays((labels,), {"i": np.array([-5, 9])})
    with pytest.raises(DeriveError, match="i: expected entries in 0 … 8, given 9"):
        point_from_arrays((labels,), {"i": np.array([5, 9]), "classes": 9}, sizes=(classes,))


def test_declarations_used_here_are_those_of_the_language():
    assert T[n, c, y].axes == x1.axes and Int[n, t].below(word).bound == idx.bound
    assert isinstance(padded(x1)[n, c, row], PaddedEntry) and Axis("h", h.size) == h


# --- random points ----------------------------------------------------------------------------------------------------


def traced(function):
    return build(function, function.__name__, {}).trace()


def result(of, body):
    return Tensor(f"{of.name}_bar", of.axes, body=sympy.sympify(body), role="adjoint", of=of.name)


@traced
def convolved(x: T[n, c, y], w: T[o, c, r]) -> T[n, o, h]:
    return sum_over((c, r), padded(x)[n, c, row] * w[o, c, r])


@traced
def pooled(x: T[n, y]) -> T[n, h]:
    assume(2 * p <= r.size)
    return max_over(r, padded(x, -oo)[n, row])


@traced
def least(x: T[n, y]) -> T[n, h]:
    return min_over(r, padded(x)[n, row])


@traced
def embedded(idx: Int[n, t].below(word), e: T[word, d]) -> T[n, t, d]:
    return e[idx[n, t], d]


@traced
def parts(x: T[n, axis("e")]) -> T[n, head, axis("part", Size("E") / heads)]:
    return x[n, Size("E") / heads * head + axis("part", Size("E") / heads)]


def drawn(subject, shape="random", count=20):
    return [sample_point(subject, np.random.default_rng(seed), shape=shape) for seed in range(count)]


def test_the_first_pattern_has_remainders_padding_strides_and_several_windows():
    for point in drawn(convolved, "distinct"):
        size = {str(key): number for key, number in point.sizes.items()}
        left = size["Y"] + 2 * size["p"] - size["dilation"] * (size["R"] - 1) - 1
        assert left % size["s"] and size["p"] and size["s"] > 1 and size["dilation"] > 1 and left // size["s"] >= 1


def test_every_length_is_a_whole_number_of_at_least_one():
    for shape in ("random", "ones", "equal", "small"):
        for point in drawn(convolved, shape, 8):
            assert extent(h, point.sizes) >= 1 and all(min(a.shape) >= 1 for a in point.arrays.values())
    found = [(point.sizes[Size("E")], point.sizes[heads]) for point in drawn(parts)]
    assert all(E % H == 0 for E, H in found) and max(H for _, H in found) > 2 and max(E // H for E, H in found) > 1


def test_what_is_stated_about_sizes_restricts_them():
    points = drawn(pooled)
    assert all(2 * point.sizes[p] <= point.sizes[r.size] for point in points)
    assert any(point.sizes[p] for point in points)


def test_demands_may_need_large_numbers():
    @traced
    def f(x: T[y]) -> T[axis("w", (y.size - 60) // s + 1)]:
        return x[s * axis("w", (y.size - 60) // s + 1)]

    @traced
    def many(x: T[axis("u", d.size / Size("big", min=37))]) -> T[d]:
        return d * sum_over(axis("u", d.size / Size("big", min=37)), x[axis("u", d.size / Size("big", min=37))])

    assert {sample_point(f, np.random.default_rng(seed)).sizes[y.size] >= 60 for seed in range(5)} == {True}
    assert sample_point(many, np.random.default_rng(0)).sizes[d.size] >= 37


def test_sizes_that_cannot_be_had_are_an_error_that_lists_what_is_demanded():
    @traced
    def f(x: T[n, y]) -> T[n]:
        assume(p > y.size)
        assume(2 * p <= y.size)
        return sum_over(y, x[n, y])

    start = time.perf_counter()
    with pytest.raises(DeriveError, match=r"f: found no sizes .*: .*p > Y.*"):
        sample_point(f, np.random.default_rng(0))
    assert time.perf_counter() - start < 10


def test_large_spans_are_avoided():
    letters = axes(" ".join(f"l{number}" for number in range(14)))
    big = Tensor("x", letters)

    @traced
    def f(x: T[letters]) -> T[()]:
        return sum_over(letters, x[letters])

    assert big.axes == f.inputs[0].axes
    for point in drawn(f, "distinct", 3):
        assert point.arrays["x"].size <= 1_000_000


def test_integers_are_drawn_below_their_bound_or_beyond_both_edges():
    classes = Size("classes")

    @traced
    def f(x: T[n, y], off: Int[n, r], label: Int[n].below(classes)) -> T[n, r]:
        return padded(x)[n, off[n, r]] * label[n]

    points = drawn(f, "distinct")
    for point in points:
        assert point.arrays["label"].min() >= 0 and point.arrays["label"].max() < point.sizes[classes]
    assert min(point.arrays["off"].min() for point in points) < 0
    assert any((point.arrays["off"] >= point.sizes[y.size]).any() for point in points)
    xs, off, label = f.inputs
    g = Tensor("g", (n, r), role="upstream")
    right = label[n] * sum_over(r, Delta(y, off[n, r]) * g[n, r])
    assert check_gradient(f, {"x": result(xs, right)}, [g])
    assert not check_gradient(f, {"x": result(xs, label[n] * sum_over(r, Delta(y, off[n, r] + 1) * g[n, r]))}, [g])


ASSUMED = {
    "lower triangle": (lambda A: equals(where(d.alias("m") > d, A[d, d.alias("m")], 0), 0), lambda A: np.tril(A) == A),
    "upper triangle": (
        lambda A: equals(A[d, d.alias("m")], where(d <= d.alias("m"), A[d, d.alias("m")], 0)),
        lambda A: np.triu(A) == A,
    ),
    "definite": (
        lambda A: sum_over((d, d.alias("m")), U[d] * A[d, d.alias("m")] * U[d.alias("m")]) > 0,
        lambda A: np.linalg.eigvalsh(A) > 0.05,
    ),
    "affine": (lambda A: 1 - 2 * A[d, d.alias("m")] > 4, lambda A: A < -1.5),
    "turned": (lambda A: sympy.Le(A[d, d.alias("m")] + 3, 1, evaluate=False), lambda A: A <= -2),
}
U = Tensor("u", (d,))


@pytest.mark.parametrize("statement, holds", ASSUMED.values(), ids=ASSUMED)
def test_matrices_and_bounds_that_are_assumed(statement, holds):
    @traced
    def f(u: T[d], A: T[d, d.alias("m")]) -> T[()]:
        assume(statement(A))
        return sum_over(d, u[d] * sum_over(d.alias("m"), A[d, d.alias("m")]))

    for point in drawn(f, "distinct", 5):
        assert holds(point.arrays["A"]).all() and np.ptp(point.arrays["A"]) > 0


def test_a_statement_about_a_matrix_that_is_not_known_needs_a_sampler():
    @traced
    def f(u: T[d], A: T[d, d.alias("m")]) -> T[()]:
        assume(sum_over(d, A[d, d.alias("m")] * u[d]) > 0)
        return sum_over(d, u[d])

    with pytest.raises(Unsupported, match="no sampler for the assumption"):
        sample_point(f, np.random.default_rng(0))


@pytest.mark.parametrize("low, high", [(0, 1), (0.25, 0.5)])
def test_intervals_of_scalars(low, high):
    @traced
    def dropout(x: T[n], rate: Scalar = 0.5, tau: Scalar = 1.0) -> T[n]:
        assume(rate >= low)
        assume(high - rate > 0)
        assume(tau > 0)
        return x[n] / (1 - rate) / tau

    points = drawn(dropout)
    assert all(low <= point.scalars["rate"] < high and point.scalars["tau"] > 0 for point in points)
    assert len({point.scalars["rate"] for point in points}) > 5


def test_a_bound_of_integers_is_at_least_one():
    @traced
    def f(x: T[n, y], start: Int[n].below(y.size - 2)) -> T[n]:
        return x[n, start[n] + 2]

    for point in drawn(f):
        assert point.sizes[y.size] >= 3 and (point.arrays["start"] <= point.sizes[y.size] - 3).all()


# --- gradients --------------------------------------------------------------------------------------------------------

k_y = y.alias("k_y")
gh, ge = Tensor("g", (n, h), role="upstream"), Tensor("g", (n, t, d), role="upstream")
(xc, wc), (xp,), (ids, tab) = convolved.inputs, pooled.inputs, embedded.inputs
(largest,), (smallest,), (xl,) = pooled.outputs, least.outputs, least.inputs
lowest = ArgMinOver(smallest.body.body, r, sympy.Integer(0))
best = ArgMaxOver(pooled.outputs[0].body.body, r, sympy.Integer(0))
taps = Delta(y, row) * g1[n, o, h]
WRONG_ROWS = (s * h + r - p, s * h + dil * r, h + dil * r - p, s * h - dil * r + p, s * h + dil * r - p + 1)
GRADIENTS = {
    "input": (
        convolved, g1, xc, sum_over((o, h, r), taps * wc[o, c, r]),
        [sum_over((o, h, r), Delta(y, wrong) * g1[n, o, h] * wc[o, c, r]) for wrong in WRONG_ROWS],
    ),
    "kernel": (
        convolved, g1, wc, sum_over((n, h, y), taps * xc[n, c, y]),
        [sum_over((n, h), padded(xc)[n, c, wrong] * g1[n, o, h]) for wrong in WRONG_ROWS],
    ),
    "pooling": (
        pooled, gh, xp, sum_over((h, r), Delta(y, row) * Delta(r, best) * gh[n, h]),
        [
            sum_over((h, r), Delta(y, row) * gh[n, h] * where(equals(padded(xp)[n, row], largest[n, h]), 1, 0)),
            sum_over((h, r), Delta(y, row) * Delta(r, sympy.Integer(0)) * gh[n, h]),
        ],
    ),
    "smallest": (
        least, gh, xl, sum_over((h, r), Delta(y, row) * Delta(r, lowest) * gh[n, h]),
        [
            sum_over((h, r), Delta(y, row) * gh[n, h] * where(equals(padded(xl)[n, row], smallest[n, h]), 1, 0)),
            sum_over((h, r), Delta(y, row) * Delta(r, ArgMaxOver(*lowest.args)) * gh[n, h]),
        ],
    ),
    "embedding": (
        embedded, ge, tab, sum_over((n, t), Delta(word, ids[n, t]) * ge[n, t, d]),
        [sum_over((n, t), ge[n, t, d]), sum_over((n, t), Delta(word, t) * ge[n, t, d])],
    ),
}  # fmt: skip


@pytest.mark.parametrize("subject, g, of, right, wrong", GRADIENTS.values(), ids=GRADIENTS)
def test_gradients_through_windows(subject, g, of, right, wrong):
    report = check_gradient(subject, {of.name: result(of, right)}, [g])
    assert report, str(report)
    for body in wrong:
        assert not check_gradient(subject, {of.name: result(of, body)}, [g]), f"{body} passed"


def test_what_depends_on_integers_alone_varies_smoothly():
    back, m, gs = sympy.Max(0, y - floor((y + 1) / 2) - sympy.Mod(n, 2)), y.alias("m"), Tensor("g", (n, y))
    far = sympy.Or(back > 1, y < n)

    @traced
    def f(x: T[n, y]) -> T[n, y]:
        return where(far, Entry(x, n, back) ** 2, x[n, y])

    (xs,) = f.inputs
    other = rename(where(far, Delta(m, back) * 2 * Entry(xs, n, back), Delta(m, y)) * gs[n, y], {y: k_y})
    right = sum_over(k_y, rename(other, {m: y}))
    report = check_gradient(f, {"x": result(xs, right)}, [gs])
    rows = [check.what for check in report.checked]
    assert report and "d/dx by complex step" in rows and not any("kinks" in what for what in rows), str(report)
    assert not check_gradient(f, {"x": result(xs, 2 * right)}, [gs])
    assert kinks_of([pooled.outputs[0].body]) == (pooled.outputs[0].body,)  # not the conditions on letters


def test_ties_at_zero_are_no_kinks_where_nothing_varies():
    @traced
    def f(x: T[n, y]) -> T[n, h]:
        a = let("a", maximum(x[n, y], 0))
        return max_over(r, padded(a)[n, row])

    (xs,) = f.inputs
    place = ArgMaxOver(f.outputs[0].body.body, r, sympy.Integer(0))
    right = where(xs[n, y] > 0, sum_over((h, r), Delta(y, row) * Delta(r, place) * gh[n, h]), 0)
    report = check_gradient(f, {"x": result(xs, right)}, [gh])
    assert report and any("kinks" in check.what for check in report.checked), str(report)
    assert not check_gradient(f, {"x": result(xs, right.args[1])}, [gh])  # relu is forgotten


def test_a_window_may_hold_one_entry_twice():
    @traced
    def f(x: T[n, y]) -> T[n, h]:
        assume(p <= y.size)
        assume(dil * (r.size - 1) <= p)
        return max_over(r, padded(x, mode="circular")[n, row])

    (xs,) = f.inputs
    place = ArgMaxOver(f.outputs[0].body.body, r, sympy.Integer(0))
    turns = Delta(y, row) + Delta(y, row + y.size) + Delta(y, row - y.size)
    right = sum_over((h, r), Delta(r, place) * gh[n, h] * turns)
    report = check_gradient(f, {"x": result(xs, right)}, [gh])
    assert report, str(report)


# --- ties that hold everywhere ----------------------------------------------------------------------------------------


@traced
def ppo(u: T[n], a: T[n], eps: Scalar = 0.2) -> T[n]:
    ratio = let("ratio", exp(u[n]))
    near_one = let("near_one", clip(ratio[n], 1 - eps, 1 + eps))
    return minimum(ratio[n] * a[n], near_one[n] * a[n])


near_one, ratio = (next(q for q in ppo.definitions if q.name == name) for name in ("near_one", "ratio"))
ppo_u, ppo_a = ppo.inputs
gn = Tensor("g", (n,), role="upstream")
inner = ratio[n] * ppo_a[n] < near_one[n] * ppo_a[n]
unclipped = sympy.And(ratio[n] >= 1 - ppo.scalars[0], ratio[n] <= 1 + ppo.scalars[0])
TO_CLIPPED = where(inner, 0, gn[n] * ppo_a[n])
TO_RATIO = where(inner, gn[n] * ppo_a[n], 0) + where(unclipped, TO_CLIPPED, 0)


def holds(of, body):
    step = Step("chain", AdjointOf(of), body)
    return check_steps(ppo, Derivation("ppo", (Equation("adjoint", AdjointOf(of), None, (step,)),)), [gn], trials=20)


def test_a_derivative_for_an_intermediate_at_a_tie_follows_the_convention():
    assert holds(near_one[n], TO_CLIPPED)
    assert holds(ratio[n], TO_RATIO)
    assert not holds(near_one[n], where(inner, gn[n] * ppo_a[n], 0))
    half = (where(inner, 0, gn[n] * ppo_a[n]) + where(inner, 0, gn[n] * ppo_a[n])) / 4
    assert not holds(near_one[n], half)
    assert not holds(ratio[n], where(inner, gn[n] * ppo_a[n], 0))


def test_the_total_gradient_at_such_ties():
    right = ratio[n] * TO_RATIO
    assert check_gradient(ppo, {"u": result(ppo_u, right)}, [gn])
    assert not check_gradient(ppo, {"u": result(ppo_u, ratio[n] * where(inner, gn[n] * ppo_a[n], 0))}, [gn])


def test_rounding_decides_no_tie_between_two_ways_of_writing():
    @traced
    def f(u: T[n], a: T[n], b: T[n]) -> T[n]:
        return where(exp(u[n] + a[n]) * b[n] > exp(u[n]) * exp(a[n]) * b[n], u[n], a[n])

    fu, fa, fb = f.inputs
    before = where(exp(fu[n] + fa[n]) * fb[n] > exp(fu[n]) * exp(fa[n]) * fb[n], 1, 0)
    after = where(fb[n] * exp(fa[n]) * exp(fu[n]) > exp(fu[n] + fa[n]) * fb[n], 1, 0)
    steps = Derivation("f", (Equation("fact", before, None, (Step("turn", before, after),)),))
    assert check_steps(f, steps, [gn], trials=20)
    assert check_gradient(f, {"a": result(fa, gn[n])}, [gn])  # at the tie it is a, everywhere
    assert not check_gradient(f, {"a": result(fa, gn[n] / 2)}, [gn])
    apart = where(fb[n] * exp(fa[n]) * exp(fu[n]) > exp(fu[n] + fa[n]) * fb[n] - sympy.Rational(1, 10**9), 1, 0)
    steps = Derivation("f", (Equation("fact", before, None, (Step("turn", before, apart),)),))
    assert not check_steps(f, steps, [gn], trials=20)
