"""LaTeX → Formula: every formula of the corpora is compared with a meaning that was written independently."""

import json
from pathlib import Path

import numpy as np
import pytest
from latex_numbers import names, points, value

from derive.api.latex import from_latex
from derive.axes import DeriveError
from derive.formula import Formula
from derive.parse import Declaration, Equation

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


def compare(formula, meaning, where):
    positive = [part.split(":")[0].strip().replace("lambda", "lam") for part in where.split(",") if "positive" in part]
    definite = [part.split(":")[0].strip() for part in where.split(",") if "definite" in part]
    for point, output in points(formula, positive, definite):
        expected = meant(meaning, point)
        assert value(output, point) == pytest.approx(expected, rel=1e-7, abs=1e-9), (output.body, point)


@pytest.mark.parametrize("case", CASES)
def test_a_formula_means_what_it_says(case):
    found = read(case)
    if "declares" in case:
        assert isinstance(found, Declaration) and found.where == case["declares"]
    elif "left" in case:
        assert isinstance(found, Equation)
        compare(found.left, case["left"], case["where"])
        compare(found.right, case["right"], case["where"])
    else:
        assert isinstance(found, Formula)
        compare(found, case["value"], case["where"])


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
