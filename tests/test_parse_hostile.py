# ruff: noqa: E501 — lists of strings
"""Text from anywhere: every answer is a formula or an error of ours, soon, and nothing is carried out."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derive.api.latex import from_latex
from derive.axes import DeriveError
from derive.parse.tokens import KNOWN

WHERE = "X: n d, w: d, y: n, A: n n, a: scalar, t: k label n, f: function, phi: elementwise"
PIECES = [
    *(f"\\{name} " for name in sorted(KNOWN)), *"XwyAatfnkdij0123456789", "10", "99999999999999999999", "\\\\", "&", "{", "}",
    "^", "_", "(", ")", "[", "]", "|", "\\|", "+", "-", "=", "<", ",", ";", "'", "!", ".", ":", "/", "*", "^{", "_{", "^\\top",
    "^{-1}", "_{i=1}^{n}", "\\frac{", "}{", "\\begin{cases}", "\\end{cases}", "\\begin{align}", "\\end{align}",
    "\\text{if }", "\\sum_{i}", "\\max_{j}", "\\mathbf{1}", "\\mathbb{E}[", "\\operatorname{softmax}(", "\\mathrm{x}",
    "\\input{/etc/passwd}", "\\write18{ls}", "\\def\\x{\\x\\x}", "\\csname", "__import__('os')", "$", "%", "#", "\x00",
    "\x1b[31m", "é", "∑", "\u202e", " ", "\n", '"""', "\\N", "{{", "lambda:0", "eval(1)",
]  # fmt: skip
SLOW = 2.0  # seconds; hundreds of times what a line takes


def answered(text, where=WHERE):
    """Whether the text was read; anything but an error of ours fails."""
    try:
        from_latex(text, where)
    except DeriveError as problem:
        assert str(problem) and len(str(problem)) < 2000
        return False
    return True


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_pieces_of_formulas(text):
    answered(text)


@given(st.text(max_size=60))
def test_any_text(text):
    answered(text)


@given(st.text(max_size=30))
def test_any_declaration(text):
    answered("a", text)


HOSTILE = [
    r"\input{/etc/passwd}", r"\write18{rm -rf x}", r"\def\a{\a\a}\a", r"\csname end\endcsname", "__import__('os').system('ls')",
    "{" * 5000, "(" * 5000 + ")" * 5000, r"\frac{" * 2000, "-" * 3000 + "a", "+".join(["a"] * 1900), "a" * 3900,
    r"\hat" * 1000 + "a", r"\log" * 1000 + "a", r"\sqrt" * 1000 + "a", "a^{" * 30 + "a" + "}" * 30, "a_{" * 30, "a'" * 500,
    "9" * 5000, "9^{9^{9^{9^{9}}}}", "10^{999999999999}", "a^{99999}", "(1+a)^{1000}", r"\sum_{i=1}^{99999999999} a",
    r"\prod_{i=1}^{1000000} a", r"\sum_{i=1}^{9^{99}} a", "A^8" + "A^8" * 50, "(" * 30 + "A" + "^8)" * 30,
    r"\operatorname{softmax}(" * 35 + "w" + ")" * 35, r"\max(a," * 35 + "a" + ")" * 35, r"\mathrm{ReLU}(" * 35 + "a" + ")" * 35,
    r"\operatorname{var}(" * 30 + "w" + ")" * 30, "|" * 999, r"\|" * 999, r"\begin{cases}" * 39, r"\begin{align}" * 500,
    "&" * 3000, "\\\\" * 1999, "=" * 3000, ", ".join(f"b_{{{k}}} = a" for k in range(200)), "\x00" * 100, "\x1b]0;x\x07",
    r"\text{" + "x" * 9000 + "}", r"\mathrm{__class__}", r"\mathrm{lambda}", r"\sum_{i}" * 500 + "y_i", "\ud800",
    "; ".join(["z = a"] * 3), r"\left" * 2000, "a" + r"\," * 4900, "5" + "!" * 100, r"\nabla_{" * 30, "[" * 39 + "a" + "]" * 39,
    r"4^\mathcal", r"4^{\mathsf{}}", r"X^\mathsf \sum_{i}", r"\sum_\substack", r"\sum_\substack{}w", r"\sum_\substack w_i", "a^{{}}",
    r"\binom{\binom{a}{a}}{\infty}", "a" + "!" * 200, r"A \otimes " * 300 + "A", r"\operatorname{vec}(" * 30 + "A" + ")" * 30,
    r"\|w\|_{\|w\|_{\|w\|}}", r"\delta(", r"\delta(a,", r"\frac{a}{\mathrm{partial}}",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_gets_an_answer(text):
    start = time.process_time()
    answered(text)
    assert time.process_time() - start < 10 * SLOW  # no hang; the thorough test holds the limit itself


def test_names_cannot_carry_latex():
    for name in ("\\mathrm{a}b", "x}", "a b", "x\\input", "__init__", "a;b", "import"):
        with pytest.raises(DeriveError):
            from_latex("1", f"{name}: scalar, q: scalar: scalar")
    formula = from_latex(r"\mathrm{weird\_name} + 1", "weird_name: scalar")
    from derive.notation import latex

    assert "\\input" not in latex(formula.trace().outputs[0].body)


@pytest.mark.thorough
def test_a_hundred_thousand_strings():
    rng = random.Random(0)
    slowest = (0.0, "")
    for _ in range(100_000):
        text = "".join(rng.choices(PIECES, k=rng.randint(1, 40)))
        start = time.process_time()
        answered(text)
        slowest = max(slowest, (time.process_time() - start, text))
    assert slowest[0] < SLOW, slowest
