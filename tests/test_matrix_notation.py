"""What is printed in matrix notation is read back and evaluated: it must be what the indices said."""

import itertools
import re

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from sympy import Add, Mul

from derive.axes import Entry, MeanOver, SumOver, Tensor, axes
from derive.notation import text

N = 3  # every axis has this length, so that 𝟏 needs no shape; transposes still show
AXES = axes("h i j k")
STEMS = {1: "abc", 2: "pqr"}  # vectors, matrices
VALUES = {name: np.random.default_rng(place).uniform(1, 2, (N, rank)) for rank, names in [(1, "abc"), (N, "PQR")]
          for place, name in enumerate(names, start=rank)}  # fmt: skip
TOKEN = re.compile(r"\s*(diag|tr|\^⊙2|⁻¹|_F|.)")


def matrix_entry(name, *indices):
    """The tensor of that name is declared over other letters, as long as its indices, so that it may have any entry."""
    declared = tuple(index.alias(f"{name}{place}") for place, index in enumerate(indices))
    return Entry(Tensor(name, declared), *indices)


class Evaluated:
    """A recursive-descent evaluator for printed matrix expressions; a 1×1 array is a number."""

    def __init__(self, source):
        self.tokens = [token for token in TOKEN.findall(source) if token.strip()]
        self.place, self.ends = 0, ")+−⊙⊘/"

    @property
    def next(self):
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self, *tokens):
        if self.next in tokens:
            self.place += 1
            return self.tokens[self.place - 1]
        return ""

    def sum(self):
        sign = -1 if self.take("−") else 1
        total = sign * self.entrywise()
        while operator := self.take("+", "−"):
            term = self.entrywise()
            assert np.shape(total) == np.shape(term)
            total = total + term if operator == "+" else total - term
        return total

    def entrywise(self):
        value = self.product()
        while operator := self.take("⊙", "⊘"):
            other = self.product()
            assert np.shape(value) == np.shape(other)
            value = value * other if operator == "⊙" else value / other
        return value

    def product(self):
        value = self.power()
        while self.next and self.next not in self.ends:
            value = times(value, self.power())
        return value / self.power() if self.take("/") else value

    def power(self):
        value = self.atom()
        while mark := self.take("ᵀ", "⁻¹", "^⊙2", "²"):
            value = {"ᵀ": np.transpose, "⁻¹": np.linalg.inv, "^⊙2": np.square, "²": np.square}[mark](value)
        return value

    def atom(self):
        if self.take("‖"):
            self.ends += "‖"  # norms are not nested
            inside = self.sum()
            assert self.take("‖")
            self.ends = self.ends[:-1]
            assert (np.shape(inside)[1] == 1) != bool(self.take("_F"))
            return float(np.linalg.norm(inside))
        token = self.take(self.next)
        if token in ("diag", "tr", "("):
            assert token == "(" or self.take("(")
            inside = self.sum()
            assert self.take(")")
            if token == "diag":
                return np.diag(inside.ravel()) if inside.shape[1] == 1 else np.diag(inside)[:, None]
            return float(np.trace(inside)) if token == "tr" else inside
        if token in "HIJK":
            return float(N)
        return np.ones((N, 1)) if token == "𝟏" else VALUES[token] if token in VALUES else float(token)


def times(left, right):
    if np.ndim(left) == 0 or np.ndim(right) == 0:
        return left * right
    product = left @ right
    return float(product[0, 0]) if product.shape == (1, 1) else product


def value(node, at):
    """An index expression at given letters, by the definition of a sum."""
    if isinstance(node, Entry):
        name = node.tensor.name.upper() if len(node.indices) == 2 else node.tensor.name
        row, column = at[node.indices[0]], at[node.indices[1]] if len(node.indices) == 2 else 0
        return VALUES[name][row, column]
    if isinstance(node, (SumOver, MeanOver)):
        cells = [
            value(node.body, {**at, **dict(zip(node.axes, cell, strict=True))})
            for cell in np.ndindex(*[N] * len(node.axes))
        ]
        return sum(cells) / (N ** len(node.axes) if isinstance(node, MeanOver) else 1)
    parts = [value(part, at) for part in node.args] if node.args else [float(node)]
    return sum(parts) if isinstance(node, Add) else float(np.prod(parts))


letters = st.sampled_from(AXES)
vector = st.builds(matrix_entry, st.sampled_from(STEMS[1]), letters)
matrix = st.builds(matrix_entry, st.sampled_from(STEMS[2]), letters, letters)
products = st.lists(st.one_of(vector, matrix), min_size=1, max_size=4).map(lambda fs: Mul(*fs, evaluate=False))
bodies = st.one_of(products, st.lists(products, min_size=2, max_size=2).map(lambda ts: Add(*ts, evaluate=False)))
sums = st.builds(lambda kind, body, over: kind(body, *over), st.sampled_from([SumOver, MeanOver]), bodies,
                 st.lists(letters, min_size=1, max_size=3, unique=True))  # fmt: skip
nested = st.one_of(sums, st.builds(lambda a, b: Mul(a, b, evaluate=False), vector, sums),
                   st.builds(lambda a, b: SumOver(Mul(a, b, evaluate=False), AXES[0]), matrix, sums))  # fmt: skip


def along(path, names, turned, weights):
    """Σ over the inner letters of a path: a matrix on each edge, this way or that, and vectors on some letters."""
    edges = [matrix_entry(name, *(pair[::-1] if turn else pair))
             for name, pair, turn in zip(names, itertools.pairwise(path), turned, strict=False)]  # fmt: skip
    nodes = [matrix_entry(name, letter) for name, letter in weights]
    return SumOver(Mul(*edges, *nodes, evaluate=False), *path[1:-1])


paths = st.integers(3, 4).flatmap(lambda length: st.permutations(AXES).map(lambda path: path[:length]))
chains = st.builds(
    along,
    paths,
    st.lists(st.sampled_from(STEMS[2]), min_size=3, max_size=3),
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.lists(st.tuples(st.sampled_from(STEMS[1]), letters), max_size=1),
)


@given(st.one_of(nested, chains), st.permutations(AXES))
def test_read_back(expression, order):
    free = [letter for letter in order if letter in expression.free_symbols]
    printed = text(expression, "matrix", letters=free, width=1000)
    assume(printed.notation == "matrix")
    expected = np.array(
        [value(expression, dict(zip(free, cell, strict=True))) for cell in np.ndindex(*[N] * len(free))]
    )
    reader = Evaluated(printed)
    found = reader.sum()
    assert reader.place == len(reader.tokens), printed
    if len(free) == 2:
        assert np.shape(found) == (N, N)
    np.testing.assert_allclose(np.ravel(found), expected, rtol=1e-9, err_msg=printed)
