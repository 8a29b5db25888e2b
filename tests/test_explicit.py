"""Results written out for given lengths: windows, gathers and extrema as plain SymPy, worked out by hand."""

import pytest
from sympy import And, Array, Ge, Integer, KroneckerDelta, Lt, Matrix, Max, Min, Mod, Piecewise, S, Symbol, floor

from derive.api.explicit import explicit
from derive.axes import (
    ArgMaxOver,
    ArgMinOver,
    Axis,
    Delta,
    DeriveError,
    Entry,
    MaxOver,
    MeanOver,
    MinOver,
    PaddedEntry,
    ShapeError,
    Size,
    SumOver,
    Tensor,
    Unsupported,
    Where,
    axes,
    axis,
    one_hot,
    padded,
)

b, c, d, e, n, r, y = axes("b c d e n r y")
s, p = Size("s", default=1), Size("p", min=0, default=0)
h = axis("h", (y.size + 2 * p - r.size) // s + 1)
heads = Size("heads")
k, head = axis("k", e.size / heads), Axis("head", heads)
x, w, g = Tensor("x", (y,)), Tensor("w", (r,)), Tensor("g", (h,))
table, z = Tensor("a", (n, d)), Tensor("z", (b, c))
idx, mask = Tensor("i", (b,), dtype="int", bound=n.size), Tensor("m", (b,), dtype="bool")
place = s * h + r - p


def sym(name):
    return Symbol(name, real=True)


def written(body, letters, **sizes):
    return explicit(Tensor("u", letters, body=body), sizes)


X = [sym(f"x_{j}") for j in range(9)]
W = [sym(f"w_{j}") for j in range(4)]
G = [sym(f"g_{j}") for j in range(4)]
I0, I1 = (Symbol(f"i_{j}", integer=True) for j in range(2))
A = Matrix(2, 2, lambda i, j: sym(f"a_{i}{j}"))


def test_a_strided_padded_window():
    found = written(SumOver(padded(x)[place] * w[r], r), (h,), Y=5, R=3, s=2, p=1)
    assert list(found) == [
        W[1] * X[0] + W[2] * X[1],
        W[0] * X[1] + W[1] * X[2] + W[2] * X[3],
        W[0] * X[3] + W[1] * X[4],
    ]
    assert list(written(SumOver(padded(x)[place] * w[r], r), (h,), Y=2, R=2)) == [W[0] * X[0] + W[1] * X[1]]


def test_its_adjoint_by_a_delta_and_by_a_correlation():
    unsolved = SumOver(Delta(y, place) * g[h] * w[r], h, r)
    solved = SumOver(PaddedEntry(g, y + p - r) * w[r], r)
    for body in (unsolved, solved):
        assert written(body, (y,), Y=3, R=3, p=1, s=1) == Array(
            [G[0] * W[1] + G[1] * W[0], G[0] * W[2] + G[1] * W[1] + G[2] * W[0], G[1] * W[2] + G[2] * W[1]]
        )


def test_masked_extrema():
    inside = And(Ge(place, 0), Lt(place, y.size))
    best = MaxOver(Where(inside, padded(x)[place], -S.Infinity), r)
    assert list(written(best, (h,), Y=3, R=3, s=2, p=1)) == [Max(X[0], X[1]), Max(X[1], X[2])]
    assert written(MinOver(x[y], y), (), Y=2) == Min(X[0], X[1])
    assert written(MeanOver(x[y], y), (), Y=2) == (X[0] + X[1]) / 2


def test_a_gather_and_its_adjoint():
    rows = [KroneckerDelta(i, 0) * A[0, :] + KroneckerDelta(i, 1) * A[1, :] for i in (I0, I1)]
    assert written(table[idx[b], d], (b, d), B=2, N=2, D=2) == Matrix.vstack(*rows)
    adjoint = SumOver(one_hot(idx[b], n) * z[b, c], b)
    assert written(adjoint, (n, c), B=2, N=1, C=1) == Matrix(
        [[KroneckerDelta(0, I0) * sym("z_00") + KroneckerDelta(0, I1) * sym("z_10")]]
    )
    assert written(z[b, 0], (b,), B=2, C=3) == Array([sym("z_00"), sym("z_10")])


def test_heads_side_by_side():
    split = Tensor("v", (head, k))
    body = Entry(split, floor(e / k.size), Mod(e, k.size))
    assert written(body, (e,), E=4, heads=2) == Array([sym(f"v_{at}") for at in ("00", "01", "10", "11")])
    with pytest.raises(ShapeError, match=r"axis k.*4 is not divisible by 3"):
        written(body, (e,), E=4, heads=3)


def test_masks_and_numbers_that_decide():
    assert written(Where(mask[b], z[b, 0], S.Zero), (b,), B=1, C=1) == Array(
        [Piecewise((sym("z_00"), Symbol("m_0")), (S.Zero, True))]
    )
    middle = -((2 * y - y.size + 1) ** 2)
    assert written(ArgMaxOver(middle, y, Integer(0)), (), Y=4) == 1  # the first of two
    assert written(ArgMinOver(middle, y, Integer(0)), (), Y=4) == 0
    assert written(ArgMaxOver(-y + c, y, c, Integer(1)), (), Y=2, C=3) == 2


def test_what_the_symbols_leave_open_raises():
    with pytest.raises(Unsupported, match=r"at: where argmax_over\(c, z\[b, c\]\) stands depends on the numbers"):
        written(Delta(c, ArgMaxOver(z[b, c], c, Integer(0))), (b, c), B=1, C=2)


@pytest.mark.parametrize(
    "sizes, says",
    [({"Y": 2, "R": 4}, "axis h has length -1"), ({"Y": 4, "R": 2, "p": -1}, "at least 0"),
     ({"Y": 4, "R": 2, "s": 0}, "at least 1"), ({"Y": 4}, "lengths R are missing"),
     ({"Y": 4, "R": 2, "H": 3}, "expected lengths R, Y, p, s")],
)  # fmt: skip
def test_bad_sizes(sizes, says):
    with pytest.raises(DeriveError, match=says):
        written(padded(x)[s * h - p], (h,), **sizes)
