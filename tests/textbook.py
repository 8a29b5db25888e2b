"""What the tests of closed forms share: a row states a derivative as the textbook does, three tests compare."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

from derive.api import equivalent, gradient
from derive.axes import rename
from derive.formula import build
from derive.oracle import evaluate
from derive.verify import sample_point


def unregistered(function):
    return build(function, function.__name__, {})


@dataclass(frozen=True)
class Row:
    """One derivative: what the textbook says, over `letters` (the variable's own axes unless given), and its terms.

    Terms are summands within brackets; a difference that the author wrote as one factor counts once. None where the
    engine's form is longer than the textbook's: then only the values are compared.
    """

    formula: Any
    wrt: str
    expected: Any  # a function of inputs and upstreams, by their names
    terms: int | None
    kind: Any = gradient
    letters: tuple = ()

    def __str__(self):
        return f"{self.formula.name}-{self.wrt}{'' if self.kind is gradient else '-' + self.kind.__name__}"


def textbook(r, d_):
    """The expected expression, on the inputs and upstreams of a derivative."""
    given = {t.name: t for t in (*d_.traced.inputs, *d_.derived.upstreams)}
    code = r.expected.__code__
    return r.expected(**{name: given[name] for name in code.co_varnames[: code.co_argcount]})


@cache
def derivative(formula, kind, wrt=None):
    return kind(formula, wrt)


def stated(r):
    """The derivative, its result over the variable's letters, and what the textbook says."""
    d_ = derivative(r.formula, gradient) if r.kind is gradient else derivative(r.formula, r.kind, r.wrt)
    tensor = d_.tensors[r.wrt]
    letters = r.letters or d_.traced.input(r.wrt).axes
    assert len(tensor.axes) == len(letters)
    return d_, rename(tensor.body, dict(zip(tensor.axes, letters, strict=True))), textbook(r, d_), letters


def checks(rows):
    """The three tests of a list of rows."""

    @pytest.mark.parametrize("r", [r for r in rows if r.terms is not None], ids=str)
    def is_the_textbooks(r):
        d_, result, expected, _ = stated(r)
        assert equivalent(result, expected), f"{result}\nwhere {d_.where}\nexpected {expected}"

    @pytest.mark.parametrize("r", [r for r in rows if r.terms is not None], ids=str)
    def has_as_many_terms(r):
        d_, result, _, _ = stated(r)
        assert d_.terms[r.wrt] == r.terms, f"{result}\nwhere {d_.where}"

    @pytest.mark.parametrize("r", rows, ids=str)
    def has_the_textbooks_value(r):
        """By the oracle, at random points: a witness beside `equivalent`."""
        d_, result, expected, letters = stated(r)
        for trial in range(3):
            point = sample_point(d_.traced, np.random.default_rng(trial), also=(result, expected))
            one, two = (evaluate(side, point, letters) for side in (result, expected))
            assert np.allclose(one, two, rtol=1e-9, atol=1e-11), f"{result}\nwhere {d_.where}\nexpected {expected}"

    return is_the_textbooks, has_as_many_terms, has_the_textbooks_value
