"""Scalar calculus behind the gate: right numbers come back, everything else is an error; both readers agree."""

import sys

import pytest
import sympy
from latex_numbers import points, value

from derive.api.latex import from_latex
from derive.axes import DeriveError

pytestmark = pytest.mark.needs("latex2sympy2_extended")


@pytest.mark.parametrize(
    "text, expected",
    [
        (r"\int_0^1 x^2 dx", 1 / 3),
        (r"\int_{-1}^{2} (3 x^2 + 1) dx", 12),
        (r"a \int_0^1 t dt + 1", None),
        (r"\binom{5}{2}", 10),
        (r"\frac{1}{2}\int_0^1 x dx + \binom{4}{2}", 6.25),
        (r"\lim_{n \to \infty} \frac{1}{n}", 0),
        (r"\det\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", -2),
        (r"\begin{vmatrix} 1 & 2 \\ 3 & 4 \end{vmatrix}", -2),
        (r"\lim_{x \to 0} \frac{\sin x}{x}", 1),
    ],
)
def test_numbers_come_back(text, expected):
    formula = from_latex(text, "a: scalar")
    for point, output in points(formula, seeds=(0,)):
        right = expected if expected is not None else point.arrays["a"] / 2 + 1
        assert value(output, point) == pytest.approx(right)


@pytest.mark.parametrize(
    "text",
    [
        r"\int x dx", r"\int_0^1 \log x dx", r"\int_0^1 x y dx", r"\int_0^\infty e^{-x} dx", r"\int_0^1 x^2",
        r"\binom{n}{k}",
        r"\lim_{x \to 0} \frac{1}{x}", r"\int_0^1 2\frac{1}{2} x dx", r"\int_0^1 \gamma x dx", r"\int_0^{99} x^{99} dx",
        r"\int_0^1 i x dx", r"\int_0^1 \input{x} dx", r"\int_0^1 x_1 dx", r"\lim_{x \to 0}",
    ],
)  # fmt: skip
def test_the_gate_is_closed(text):
    with pytest.raises(DeriveError):
        from_latex(text, "a: scalar")


@pytest.mark.parametrize(
    "text",
    [
        r"\frac{a}{b} + a^{2}", r"\sqrt{a^{2} + b^{2}}", r"\frac{1}{1 + \exp(-a)}", r"a \cdot b - \frac{3}{4}",
        r"\sin(a) \cos(b)", r"\frac{a - b}{\sqrt{2} b}", r"(a + b)(a - b)", r"a^{2} b^{3}", r"-a + 2 \cdot b",
        r"\frac{\pi a}{4}",
    ],
)  # fmt: skip
def test_both_readers_agree_where_both_can_read(text):
    from latex2sympy2_extended import latex2sympy

    theirs = latex2sympy(text)
    ours = from_latex(text, "a: scalar, b: scalar")
    for point, output in points(ours, positive=("a", "b"), seeds=(0, 1)):
        numbers = {s: float(point.arrays[str(s)]) for s in theirs.free_symbols}
        assert value(output, point) == pytest.approx(float(sympy.N(theirs.subs(numbers))))


MATRICES = [r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", r"\begin{bmatrix} 2 & 0 & 1 \\ 1 & 3 & 5 \end{bmatrix}"]


@pytest.mark.parametrize("text", MATRICES)
def test_both_readers_agree_on_matrices_of_numbers(text):
    from latex2sympy2_extended import latex2sympy

    theirs = latex2sympy(text)
    for point, output in points(from_latex(text), seeds=(0,)):
        assert value(output, point).tolist() == [[float(cell) for cell in theirs.row(k)] for k in range(theirs.rows)]


def test_without_the_package_there_is_one_clear_line(monkeypatch, capsys):
    from derive.cli import main

    monkeypatch.setitem(sys.modules, "latex2sympy2_extended", None)
    assert main(["latex", r"a + \int_0^1 x^2 dx", "--where", "a: scalar"]) == 3
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].endswith(
        "column 5: integrals, limits and binomials of numbers need the package latex2sympy2_extended: "
        "pip install 'derive-math[latex]'"
    )
    assert from_latex(r"\binom{a}{b} + a!", "a: scalar, b: scalar")  # letters need no package
