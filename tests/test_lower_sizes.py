"""Lengths, keyword sizes and what is assumed of them, in NumPy code: as methods and as a standalone module."""

import types

import numpy as np
import pytest
from sympy import Add, Eq, Integer, Max, floor, fraction, together

from derive.axes import Delta, DeriveError, ShapeError, Size, SumOver, Tensor, Unsupported, axis, ranges
from derive.axes.ranges import quotient
from derive.backends import Module
from derive.lower import Task, lower

y, r = axis("y"), axis("r")
Y = y.size
w = Tensor("w", (y,))


def module(body, letters, inputs, **more):
    return Module(lower(Task("f", "", inputs, (), (Tensor("u", letters, body=body, role="output"),), **more)))


def standalone(made):
    """The functions of the emitted text."""
    space = types.ModuleType("emitted")
    exec(made.source, space.__dict__)
    return space


def both(made, **given):
    """What the method gives, having compared it with the standalone module."""
    value, other = made.forward(**given)[0], standalone(made).forward(**given)[0]
    np.testing.assert_array_equal(value, other)
    return value


def refused(made, error, **given):
    """What the method and the standalone module say of wrong sizes: one line, the same."""
    with pytest.raises(error) as problem:
        made.forward(**given)
    with pytest.raises(ValueError) as other:
        standalone(made).forward(**given)
    assert str(problem.value) == str(other.value) and "\n" not in str(problem.value)
    return str(problem.value)


# Two lengths of one letter


def test_two_lengths_of_one_letter_are_told_apart():
    double = axis("y", 2 * Y)
    x = Tensor("x", (double,))
    made = module(SumOver(x[2 * y] * w[y], y), (), (x, w))
    assert both(made, x=np.arange(6.0), w=np.ones(3)) == 6.0
    assert '("x", "real", ("Y_x",))' in made.source and '("w", "real", ("Y",))' in made.source
    assert "expected length 6, given 5, with Y=3" in refused(made, ShapeError, x=np.ones(5), w=np.ones(3))


def test_three_lengths_of_one_letter_are_told_apart():
    double, triple = axis("y", 2 * Y), axis("y", 3 * Y)
    x, z = Tensor("x", (double,)), Tensor("z", (triple,))
    made = module(x[2 * y] * w[y] * z[3 * y], (y,), (x, z, w))
    given = {"x": np.arange(4.0), "z": np.arange(6.0), "w": np.array([2.0, 3.0])}
    np.testing.assert_array_equal(both(made, **given), [0.0, 18.0])
    given["z"] = np.arange(5.0)
    assert "y of z" in refused(made, ShapeError, **given)


def test_a_name_in_use_leaves_lengths_apart():
    double = axis("y", 2 * Y)
    x, taken = Tensor("x", (double,)), Tensor("Y", (y,))
    made = module(x[2 * y] * taken[y], (y,), (x, taken))
    np.testing.assert_array_equal(both(made, x=np.arange(4.0), Y=np.ones(2)), [0.0, 2.0])


# The least length


def test_a_length_below_its_least_is_refused():
    n = axis("n", min=2)
    x = Tensor("x", (n,))
    made = module(SumOver(x[n], n), (), (x,))
    assert both(made, x=np.ones(2)) == 2.0
    assert refused(made, ShapeError, x=np.ones(1)) == "f: input x: expected N of at least 2, given 1"
    assert made.forward(x=np.ones(2))[0] == 2.0


# Assumptions about sizes

padding, kernel = Size("padding", min=0), Size("kernel_size")
x = Tensor("x", (y,))


@pytest.mark.parametrize(
    "statement, good, bad, text",
    [
        (2 * padding <= kernel, (1, 2), (2, 3), "f: expected 2*padding <= kernel_size, given kernel_size=3, padding=2"),
        (padding <= kernel / 2, (1, 2), (2, 3), "f: expected padding <= kernel_size/2, given kernel_size=3, padding=2"),
        (padding <= Y - 1, (4, 1), (5, 1), "f: expected padding <= Y - 1, given Y=5, padding=5"),
        (padding <= floor(Y / 2), (2, 1), (3, 1), "f: expected padding <= floor(Y/2), given Y=5, padding=3"),
        (Eq(padding, kernel), (2, 2), (2, 3), "f: expected padding == kernel_size, given kernel_size=3, padding=2"),
        (kernel > padding, (0, 1), (1, 1), "f: expected kernel_size > padding, given kernel_size=1, padding=1"),
    ],
    ids=str,
)
def test_assumptions_about_sizes_are_checked(statement, good, bad, text):
    made = module(x[y] * padding + kernel, (y,), (x,), sizes=(padding, kernel), assumptions=(statement,))
    for p, k in (good, bad, good):
        given = {"x": np.arange(5.0), "padding": p, "kernel_size": k}
        if (p, k) == bad:
            assert refused(made, ShapeError, **given) == text
        else:
            np.testing.assert_array_equal(both(made, **given), np.arange(5.0) * p + k)


def test_other_assumptions_are_left_to_the_check():
    made = module(x[y] * padding, (y,), (x,), sizes=(padding,), assumptions=(x[y] > 0, Size("elsewhere") > padding))
    np.testing.assert_array_equal(both(made, x=-np.ones(3), padding=2), [-2.0, -2.0, -2.0])


# Defaults made of other sizes

stride = Size("stride", default=kernel)


def windowed(**more):
    h = axis("h", (Y - kernel) // stride + 1)
    return module(x[stride * h], (h,), (x,), sizes=(kernel, stride), **more)


def test_a_default_may_be_another_size():
    made = windowed()
    assert "stride: int | None = None" in made.source
    for given, expected in (({}, [0, 2, 4]), ({"stride": 1}, [0, 1, 2, 3, 4]), ({"stride": None}, [0, 2, 4])):
        np.testing.assert_array_equal(both(made, x=np.arange(6.0), kernel_size=2, **given), expected)
    with pytest.raises(DeriveError, match="stride: expected a whole number of at least 1, given 0"):
        made.forward(x=np.arange(6.0), kernel_size=2, stride=0)


def test_defaults_are_filled_in_the_order_in_which_they_need_each_other():
    third = Size("third", default=stride + 1)
    made = module(x[y] * third, (y,), (x,), sizes=(third, stride, kernel))
    np.testing.assert_array_equal(both(made, x=np.ones(2), kernel_size=2), [3.0, 3.0])
    np.testing.assert_array_equal(both(made, x=np.ones(2), kernel_size=2, stride=4), [5.0, 5.0])


def test_a_default_that_no_keyword_tells_is_named():
    with pytest.raises(Unsupported, match="stride = kernel_size by default: it may be made of other keyword sizes"):
        module(x[y] * stride, (y,), (x,), sizes=(stride,))


def test_a_length_that_is_a_keyword_too_is_checked():
    taps = axis("r", kernel)
    u = Tensor("v", (taps,))
    made = module(u[taps] * kernel, (taps,), (u,), sizes=(kernel,))
    np.testing.assert_array_equal(both(made, v=np.ones(2), kernel_size=2), [2.0, 2.0])
    assert "kernel_size" in refused(made, ShapeError, v=np.ones(2), kernel_size=3)


# Cheap arithmetic of lengths: what SymPy takes long for is not asked of it

K, S = Size("K"), Size("S")
QUOTIENTS = [
    Y, Y + 1, Y * K - 3, Y / 2, Y / K + 1, (Y - K) / S, Y / S - K / S + 2, Y / 2 + K / 3, Y / K + K / S,
    floor((Y - K) / S) + 1, floor(Y / 2) / 2, (Y / 2 + 1) * K, 1 / K, Y / K**2, (Y + 1) ** 2 / K, Integer(7),
]  # fmt: skip


@pytest.mark.parametrize("length", QUOTIENTS, ids=str)
def test_a_quotient_is_what_sympy_finds(length):
    above, below = quotient(length)
    numbers = {Y: Integer(5), K: Integer(3), S: Integer(2)}
    assert (above / below).xreplace(numbers) == length.xreplace(numbers)
    assert not quotient(above)[1].free_symbols and not quotient(below)[1].free_symbols
    assert (below == 1) == (fraction(together(length))[1] == 1)


def test_windows_are_lowered_without_slow_arithmetic(monkeypatch):
    def slow(*_, **__):
        raise AssertionError("slow")

    for place, name in ((ranges, "together"), (Max, "_new_args_filter")):
        monkeypatch.setattr(place, name, slow)
    monkeypatch.setattr(Tensor, "declared", slow)  # texts of definitions are made when they are asked for
    ranges.quotient.cache_clear()
    n, o = axis("n"), axis("o")
    h = axis("h", (Y + 2 * padding - r.size) // kernel + 1)
    taps, wide = Tensor("k", (o, r)), Tensor("x", (n, y))
    body = SumOver(Delta(y, kernel * h + r - padding) * wide[n, y] * taps[o, r] * 2 ** Integer(1), r, y)
    long = Add(*(k * body for k in range(1, 40)), evaluate=False)
    made = module(long, (n, o, h), (wide, taps), sizes=(kernel, padding))
    made.compiled("forward")
    assert "name='windows'" in str(made.program.functions)
