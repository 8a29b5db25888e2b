"""Windows: what is proved of integers holds for numbers, and every law of windows keeps the value of its term."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume as only_if
from hypothesis import given
from hypothesis import strategies as st
from sympy import Expr, Integer, Max, Min, Mod, ceiling, floor, oo

from derive.api import equivalent, gradient
from derive.axes import (
    Axis,
    DeriveError,
    Int,
    ShapeError,
    Size,
    T,
    Tensor,
    Unsupported,
    argmax_over,
    axes,
    axis,
    in_range,
    max_over,
    nonnegative,
    one_hot,
    padded,
    sum_over,
)
from derive.formula import build
from derive.terms import Algebra, Reader
from derive.terms.windows import PLAIN, window

n, c, o, y, z, h, k = axes("n c o y z h k")
r, q = axes("r q")
s, p, d = Size("s"), Size("p", min=0), Size("d")
out = axis("out", (y.size + 2 * p - d * (r.size - 1) - 1) // s + 1)
merged = axis("f", h.size * k.size)


# What is proved of integers.


def numbers(expression: Expr, rng: np.random.Generator) -> Expr:
    """The expression at random sizes, and letters within their lengths; None where a length is below 1."""
    sizes = {a: Integer(int(rng.integers(a.min, 6))) for a in expression.atoms(Size)}
    for letter in expression.atoms(Axis):
        sizes |= {a: Integer(int(rng.integers(a.min, 6))) for a in letter.size.atoms(Size) if a not in sizes}
    lengths = {letter: letter.size.xreplace(sizes) for letter in expression.atoms(Axis)}
    only_if(all(length >= 1 for length in lengths.values()))
    letters = {letter: Integer(int(rng.integers(0, int(length)))) for letter, length in lengths.items()}
    return expression.xreplace(letters).xreplace(sizes)


ROUNDED = [floor(y / s), ceiling(y.size / s), Mod(y, s), Min(y.size, r.size), Max(p, s)]
atoms = st.sampled_from([y, z, out, r, y.size, r.size, s, p, d, *ROUNDED])
linear = st.lists(st.tuples(st.integers(-2, 3), atoms, st.sampled_from([Integer(1), s, d])), max_size=4)


@given(linear, st.integers(-2, 3), st.integers(0, 2**32))
def test_what_is_proved_nonnegative_is(terms, constant, seed):
    expression = sum((a * b * t for a, b, t in terms), Integer(constant))
    if nonnegative(expression):
        assert numbers(expression, np.random.default_rng(seed)) >= 0


@pytest.mark.parametrize(
    ("index", "size"),
    [
        (s * axis("t", (y.size - d * (r.size - 1) - 1) // s + 1) + d * r, y.size),
        (y.size - 1 - y, y.size),
        (k.size * h + k, merged.size),
        (floor(merged / k.size), h.size),
        (Mod(merged, k.size), k.size),
        (Integer(0), y.size),
        (axis("e", y.size / s) * s, y.size),
        (axis("t", y.size - 2 * p) + p, y.size),
    ],
)
def test_windows_that_fit_are_proved_to_fit(index, size):
    assert in_range(index, size)


@pytest.mark.parametrize(
    ("index", "size"),
    [
        (y + 1, y.size),
        (s * out + d * r - p, y.size),
        (y, z.size),
        (h * k.size + k + 1, merged.size),
        (Integer(1), y.size),
    ],
)
def test_windows_that_need_not_fit_are_not(index, size):
    assert not in_range(index, size)


def x(*letters, **more):
    return Tensor("x", letters, **more)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda: x(n, y)[n, y + 1], "y + 1|0 … Y - 1|padded(x)"),
        (lambda: x(n, y)[n, 0.5], "0.5|y"),
        (lambda: x(n, y)[n, s / 2], "s/2|integer"),
        (lambda: x(n, y)[n, x(n)[n]], "x[n]|integer"),
        (lambda: x(n, y)[n, z], "axis z has length Z, not Y"),
        (lambda: x(n, y)[n, Tensor("i", (n,), dtype="int", bound=z.size)[n]], "i[n]|0 … Y - 1"),
        (lambda: x(n, y)[n], "expected 2 indices"),
        (lambda: padded(3), "padded|tensor"),
        (lambda: padded(x(n), mode="mirror"), "mirror|reflect"),
        (lambda: padded(x(n), "0"), "'0'"),
        (lambda: one_hot(x(n)[n], c), "x[n]|integer"),
    ],
)
def test_an_index_that_cannot_be_is_named(write, words):
    with pytest.raises(DeriveError) as caught:
        write()
    assert [w for w in words.split("|") if w not in str(caught.value)] == []


# Laws of windows: a term and its canonical form have the same value at numbers.

LENGTHS = {y.size: 4, h.size: 3, r.size: 2, k.size: 2, merged.size: 6, s: 2, p: 1}


class Setting:
    """An algebra with tensors of random entries over every letter's space."""

    def __init__(self, seed: int) -> None:
        self.algebra, self.rng = Algebra(), np.random.default_rng(seed)
        self.reader = Reader(self.algebra)
        self.values: dict[int, np.ndarray] = {}
        self.letters = [self.algebra.fresh(self.algebra.letter(a)) for a in SPACES for _ in range(2)]
        for a in SPACES:
            self.reader.measure(a)
            head = self.reader.tensor(Tensor(f"t_{a.name}", (a,)))
            self.values[head.id] = self.rng.normal(size=LENGTHS[a.size])
            index = self.reader.tensor(Tensor(f"i_{a.name}", (a,), dtype="int", bound=y.size))
            self.values[index.id] = self.rng.integers(0, LENGTHS[y.size], size=LENGTHS[a.size])

    def length(self, letter: int) -> int:
        return LENGTHS[self.algebra.spaces[self.algebra.letter_space[letter]]]

    def factor(self, atom, power, at) -> Fraction | float:
        head = self.algebra.heads[atom[0]]
        if head.kind == "delta":
            return float(at[atom[1][0]] == at[atom[1][1]])
        if head.label == "window":
            total = head.payload.constant.xreplace(LENGTHS)
            for coefficient, inner, letters in head.payload.parts(atom[1]):
                number = at[letters[0]] if inner == PLAIN else int(self.values[inner][at[letters[0]]])
                total += coefficient.xreplace(LENGTHS) * number
            return float(total == 0)
        if head.kind == "symbol":
            return float(head.payload.xreplace(LENGTHS)) ** float(power)
        return self.values[atom[0]][at[atom[1][0]]] ** float(power)

    def value(self, poly, free) -> float:
        """Σ over the bound letters, by brute force, with the free letters at numbers."""
        total = 0.0
        for (factors, bound), coefficient in poly:
            for numbers_ in itertools.product(*(range(self.length(a)) for a in bound)):
                at = {**free, **dict(zip(bound, numbers_, strict=True))}
                total += float(coefficient) * float(np.prod([self.factor(a, e, at) for a, e in factors]))
        return total


SPACES = (y, h, r, k, merged)
FORMS = [Integer(1), Integer(-1), Integer(2), s, k.size]
choices = st.integers(0, 2 * len(SPACES) - 1)
part = st.tuples(st.sampled_from(FORMS), st.booleans(), choices)
form = st.tuples(st.lists(part, min_size=1, max_size=3), st.sampled_from([Integer(0), Integer(1), p, Integer(-1), -p]))


@given(st.lists(form, min_size=1, max_size=3), st.lists(choices, max_size=2), st.sets(choices), st.integers(0, 2**32))
def test_a_term_of_windows_keeps_its_value(forms, tensors, summed, seed):
    setting = Setting(seed)
    algebra, letters = setting.algebra, setting.letters
    factors = {}
    for parts, constant in forms:
        made = window(algebra, [
            (c_, PLAIN if plain else setting.reader.tensors[index_of(setting, letters[k_])].id, (letters[k_],))
            for c_, plain, k_ in parts], constant)  # fmt: skip
        if made is False:
            factors = None
            break
        if made is not True:
            factors[made] = 1
    if factors is None:
        return  # shown by the next test
    for k_ in tensors:
        factors[(setting.reader.tensors[tensor_of(setting, letters[k_])].id, (letters[k_],))] = 1
    bound = frozenset(letters[k_] for k_ in summed)
    raw = (((tuple(sorted(factors.items())), tuple(sorted(bound))), 1),)
    poly = algebra.term(1, dict(factors), bound)
    free = {a: int(setting.rng.integers(0, setting.length(a))) for a in letters if a not in bound}
    only_if(np.prod([setting.length(a) for a in bound], initial=1) < 2000)
    assert setting.value(poly, free) == pytest.approx(setting.value(raw, free), abs=1e-9)


def tensor_of(setting: Setting, letter: int) -> Tensor:
    axis_ = next(a for a in SPACES if setting.algebra.space(a.size) == setting.algebra.letter_space[letter])
    return Tensor(f"t_{axis_.name}", (axis_,))


def index_of(setting: Setting, letter: int) -> Tensor:
    axis_ = next(a for a in SPACES if setting.algebra.space(a.size) == setting.algebra.letter_space[letter])
    return Tensor(f"i_{axis_.name}", (axis_,), dtype="int", bound=y.size)


@given(form, st.integers(0, 2**32))
def test_a_window_that_cannot_hold_never_does(drawn, seed):
    setting = Setting(seed)
    parts = [(c_, PLAIN, (setting.letters[k_],)) for c_, _, k_ in drawn[0]]
    made = window(setting.algebra, parts, drawn[1])
    for _ in range(20):
        at = {a: int(setting.rng.integers(0, setting.length(a))) for a in setting.letters}
        holds = sum(int(c_.xreplace(LENGTHS)) * at[ls[0]] for c_, _, ls in parts) + drawn[1].xreplace(LENGTHS) == 0
        if isinstance(made, bool):
            assert made == holds
        else:
            assert bool(setting.factor(made, 1, at)) == holds


def unregistered(function):
    return build(function, function.__name__, {})


# What follows from the laws.


def results(f, wrt):
    return gradient(f, wrt=wrt)


def test_a_gather_sums_to_one():
    """Σ_c ∂/∂z_c of z[t] is 1: the index lies within the axis."""

    @unregistered
    def picked(zz: T[n, c], t: Int[n].below(c)) -> T[n]:
        return sum_over(c, one_hot(t[n], c)) * sum_over(c, one_hot(t[n], c) * zz[n, c])

    @unregistered
    def gathered(zz: T[n, c], t: Int[n].below(c)) -> T[n]:
        return zz[n, t[n]]

    assert equivalent(results(picked, "zz").result, results(gathered, "zz").result)


def test_flipping_twice_is_nothing():
    @unregistered
    def twice(xx: T[n, y]) -> T[n, y]:
        u = Tensor("u", (n, y), body=xx[n, y.size - 1 - y], role="let")
        return u[n, y.size - 1 - y]

    assert str(results(twice, "xx").result) == "g[n, y]"


def test_splitting_what_was_merged_is_nothing():
    @unregistered
    def there_and_back(xx: T[n, h, k]) -> T[n, h, k]:
        u = Tensor("u", (n, merged), body=xx[n, merged // k.size, merged % k.size], role="let")
        return u[n, k.size * h + k]

    assert str(results(there_and_back, "xx").result) == "g[n, h, k]"


def test_transposed_convolution_is_convolutions_adjoint():
    """The gradient of a strided, dilated, padded convolution for its input is the transposed convolution of g."""
    sizes = [Size("stride", default=1), Size("padding", min=0, default=0), Size("dilation", default=1)]
    stride, padding, dilation = sizes
    v = axis("v", (y.size + 2 * padding - dilation * (r.size - 1) - 1) // stride + 1)

    @unregistered
    def conv(xx: T[n, c, y], w: T[o, c, r]) -> T[n, o, v]:
        return sum_over((c, r), padded(xx)[n, c, stride * v + dilation * r - padding] * w[o, c, r])

    @unregistered
    def transposed(g: T[n, o, v], w: T[o, c, r], like: T[y]) -> T[n, c, y]:
        return sum_over((o, v, r), g[n, o, v] * w[o, c, r] * one_hot(stride * v + dilation * r - padding, y))

    derived = results(conv, "xx").result
    written = transposed.trace().outputs[0].body
    upstream = next(t for t in derived.atoms(Tensor) if t.name == "g")
    given_ = next(t for t in written.atoms(Tensor) if t.name == "g")
    assert equivalent(derived, written.xreplace({given_: upstream}))


def test_the_maximum_shifts_a_log_sum_exp_without_a_trace():
    from derive import exp, log

    @unregistered
    def shifted(zz: T[n, c]) -> T[n]:
        m = max_over(c, zz[n, c])
        return m + log(sum_over(c, exp(zz[n, c] - m)))

    @unregistered
    def plain(zz: T[n, c]) -> T[n]:
        return log(sum_over(c, exp(zz[n, c])))

    assert equivalent(results(shifted, "zz").result, results(plain, "zz").result)


def test_where_a_maximum_stands_may_index():
    @unregistered
    def by_place(xx: T[n, c]) -> T[n]:
        return xx[n, argmax_over(c, xx[n, c])]

    @unregistered
    def largest(xx: T[n, c]) -> T[n]:
        return max_over(c, xx[n, c])

    assert equivalent(results(by_place, "xx").result, results(largest, "xx").result)


def test_infinity_is_no_value():
    from derive.axes import where

    with pytest.raises((Unsupported, ShapeError), match="oo"):
        gradient(unregistered_masked(where), wrt="xx")


def unregistered_masked(where):
    def masked(xx: T[n, c]) -> T[n, c]:
        return where(xx[n, c] > 0, xx[n, c], -oo) * 2

    return build(masked, "masked", {})
