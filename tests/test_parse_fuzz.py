"""Mutated formulas: each reading is right, as a second reader in NumPy shows, or it is an error."""

import random
import re

import numpy as np
import pytest
from latex_numbers import points, value
from latex_second import Unread, run

from derive.api.latex import from_latex
from derive.axes import DeriveError
from derive.formula import Formula

WHERE = "X: n d, w: d, y: n, A: n n, v: n, a: scalar, b: scalar"
SEEDS = [
    r"\frac{1}{2n}\|Xw-y\|_2^2 + \lambda\|w\|^2", r"\frac{1}{n}\sum_{i=1}^{n} (y_i - v_i)^{2}",
    r"v^\top A v - 2 y^\top v",
    r"\sum_{i=1}^{n} y_i \log(1+e^{v_i})", r"X^\top(Xw - y)", r"\frac{e^{a} - e^{-a}}{e^{a} + e^{-a}}",
    r"\log \sum_{i=1}^{n} e^{y_i}", r"\sum_{i=1}^{n} \sum_{j=1}^{n} A_{ij} v_i v_j", r"a\sigma(b a) + (1-a)\tanh(b)",
    r"\sqrt{a^{2} + b^{2}} \cdot \frac{v^\top y}{n}", r"\frac{1}{\sqrt{2\pi b^{2}}} e^{-\frac{(a-\mu)^{2}}{2 b^{2}}}",
    r"\sum_{i=1}^{n} (v_i - \frac{1}{n}\sum_{j=1}^{n} v_j)^{2}", r"\exp(-a) \cos(2 a b) + 3.5 a^{3}",
    r"(A + A^\top) v + X w", r"\beta^{2} \|v - y\|^{2} - \sum_{j=1}^{d} w_j", r"y^\top X w - \frac{a}{d}",
]  # fmt: skip
LETTERS = "XwyAvabnidj12"


def mutated(text, rng):
    """One formula with one to three small mistakes."""
    for _ in range(rng.randint(1, 3)):
        if not text:
            break
        place = rng.randrange(len(text))
        kind = rng.randrange(6)
        if kind == 0:  # a character is dropped, braces above all
            braces = [k for k, c in enumerate(text) if c in "{}()^_"]
            place = rng.choice(braces) if braces and rng.random() < 0.7 else place
            text = text[:place] + text[place + 1 :]
        elif kind == 1:  # a letter becomes another
            places = [m.start() for m in re.finditer(r"(?<![A-Za-z\\])[A-Za-z](?![A-Za-z])", text)] or [place]
            place = rng.choice(places)
            text = text[:place] + rng.choice(LETTERS) + text[place + 1 :]
        elif kind == 2:  # it breaks off
            text = text[:place]
        elif kind == 3:  # two characters are exchanged
            text = text[:place] + text[place : place + 2][::-1] + text[place + 2 :]
        elif kind == 4:  # an operator becomes another
            text = re.sub(r"[-+]", lambda m: rng.choice("+-"), text, count=1)
        else:  # something is put in
            text = (
                text[:place]
                + rng.choice(["^\\top", "_i", "^{2}", "-", " ", "(", ")", "2", "w", "\\log "])
                + text[place:]
            )
    return text


def compared(text):
    """ "agree", "refused" by the first reader, "beyond" the second one; a disagreement fails."""
    try:
        found = from_latex(text, WHERE)
    except DeriveError:
        return "refused"
    if not isinstance(found, Formula):
        return "beyond"
    said = False
    for point, output in points(found, seeds=(0, 1)):
        env = {**point.scalars, **point.arrays}
        env = {"lambda" if name == "lam" else name: array for name, array in env.items()}
        sizes = {str(s).lower(): int(n) for s, n in point.sizes.items()}
        try:
            expected = run(text, env, sizes)
        except (Unread, ValueError, IndexError, RecursionError):
            return "beyond"
        said = True
        expected, got = np.asarray(expected), np.asarray(value(output, point))
        if expected.ndim == 2 and got.ndim == 1:
            assert 1 in expected.shape, (text, output.body)
            expected = expected.reshape(-1)
        assert got.shape == expected.shape, (text, output.body, got.shape, expected.shape)
        assert got == pytest.approx(expected, rel=1e-7, abs=1e-9, nan_ok=True), (text, output.body)
    return "agree" if said else "beyond"


@pytest.mark.parametrize("text", SEEDS)
def test_both_readers_agree(text):
    assert compared(text) == "agree"


def test_mutations_are_read_rightly_or_refused():
    counts = {"agree": 0, "refused": 0, "beyond": 0}
    rng = random.Random(0)
    for k in range(400):
        counts[compared(mutated(SEEDS[k % len(SEEDS)], rng))] += 1
    assert counts["agree"] > 40 and counts["beyond"] < 120, counts


@pytest.mark.thorough
def test_many_mutations():
    rng = random.Random(1)
    for k in range(20_000):
        compared(mutated(SEEDS[k % len(SEEDS)], rng))
