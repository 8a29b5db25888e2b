"""LaTeX → Formula: every formula of the corpora is compared with a meaning that was written independently, or is an
error that says what would help."""

import json
from pathlib import Path

import numpy as np
import pytest
from latex_numbers import names, points, value

from derive.api import gradient
from derive.api.latex import from_latex
from derive.axes import DeriveError
from derive.formula import Formula
from derive.parse import Declaration, Equation
from derive.parse.scope import identifier_of, key_of_latex

CORPORA = Path(__file__).parent / "latex_corpus"
CASES = [
    pytest.param(case, id=f"{path.stem}-{number}")
    for path in sorted(CORPORA.glob("*.json"))
    for number, case in enumerate(json.loads(path.read_text(encoding="utf-8")))
]


def meant(text, point):
    """The meaning, a line of NumPy in this project's own corpus."""
    return np.asarray(eval(text, names(point)), dtype=float)


def read(case):
    return from_latex(case["latex"], case["where"], start=case.get("start"))


def compare(formula, meaning, where, unit=()):
    positive, definite = (
        [identifier_of(key_of_latex(part.split(":")[0].strip())) for part in where.split(",") if flag in part]
        for flag in ("positive", "definite")
    )
    for point, output in points(formula, positive, definite, unit):
        expected = meant(meaning, point)
        assert value(output, point) == pytest.approx(expected, rel=1e-7, abs=1e-9), (output.body, point)


@pytest.mark.parametrize("case", CASES)
def test_a_formula_means_what_it_says(case):
    if "error" in case:
        with pytest.raises(DeriveError) as problem:
            read(case)
        assert str(problem.value) == case["error"]
        return
    found = read(case)
    if "declares" in case:
        assert isinstance(found, Declaration) and found.where == case["declares"]
    elif "left" in case:
        assert isinstance(found, Equation)
        compare(found.left, case["left"], case["where"], case.get("unit", ()))
        compare(found.right, case["right"], case["where"], case.get("unit", ()))
    else:
        assert isinstance(found, Formula)
        compare(found, case["value"], case["where"], case.get("unit", ()))


def test_a_defined_function_is_no_factor():
    found = from_latex(r"f(x) = x^2, \; g = f(x) + 1", "x: scalar")
    for point, output in points(found):
        assert value(output, point) == pytest.approx(point.arrays["x"] ** 2 + 1)
    with pytest.raises(DeriveError, match="column 21: f was defined of x"):
        from_latex(r"f(x) = x^2, \; g = f(x+1)", "x: scalar")


def test_a_letter_of_the_left_hand_side_is_no_length():
    with pytest.raises(DeriveError, match="two readings: n as a number"):
        from_latex("y_n = x_n / n", "x: n")
    found = from_latex("y_n = x_n / n", "x: n", start=1)
    for point, output in points(found):
        assert value(output, point) == pytest.approx(point.arrays["x"] / np.arange(1, len(point.arrays["x"]) + 1))


def test_the_corpora_are_large():
    cases = [case.values[0] for case in CASES]
    assert len(cases) - sum("error" in case for case in cases) > 480


DIFFERENTIATED = [  # text, where, wrt
    (r"\log\binom{n}{k} + k \log p", "n: scalar positive, k: scalar positive, p: scalar positive", "p"),
    (r"\Gamma(\nu)^2 + \log\Gamma(\nu)", "nu: scalar positive", "nu"),
    (r"\operatorname{tr}(A \otimes B C)", "A: n n, B: k m, C: m k", "B"),
    (r"\operatorname{vec}(A^\top X)^\top \operatorname{vec}(Y)", "A: m k, X: m n, Y: k n", "X"),
    (r"\frac{1}{2}\|Y - A\|_F^2 + \|A\|_*", "A: n m, Y: n m", "A"),
    (r"\|A\|_{\text{op}} + \|x\|_3", "A: n n, x: n", None),
]


@pytest.mark.parametrize("text, where, wrt", DIFFERENTIATED)
def test_what_is_read_is_differentiated(text, where, wrt):
    assert gradient(from_latex(text, where), wrt).verify(trials=3).passed


EQUATIONS = [  # text, where, kind of mistake, "" where it holds
    (r"\operatorname{tr}(AB) = \operatorname{tr}(BA)", "A: n m, B: m n", ""),
    (r"\frac{\partial}{\partial X} \log\det X = X^{-\top}", "X: n n", ""),
    (r"\nabla_X \log\det X = X^{-1}", "X: n n", "transpose"),
    (r"\frac{\partial x^\top A x}{\partial x} = 2Ax", "x: n, A: n n", "symmetric only"),
    (r"\max(0, x) = \frac{x + |x|}{2}", "x: scalar", ""),
    (r"AB = BA", "A: n n, B: n n", "different"),
    (r"\|A\|_F^2 = \sum_{i,j} A_{ij}^2 = 2\operatorname{tr}(A^\top A)", "A: m n", "constant factor"),
]


@pytest.mark.parametrize("text, where, kind", EQUATIONS)
def test_an_equation_is_checked(text, where, kind):
    verdict = from_latex(text, where).check()
    assert (verdict.holds, verdict.kind) == (kind == "", kind)
    assert "gradient" not in str(verdict) and "claim" not in verdict.reason


def test_an_equation_of_abstract_functions_has_no_values():
    with pytest.raises(DeriveError, match="abstract functions"):
        from_latex("f(x) = 2x", "x: scalar, f: function").check()
