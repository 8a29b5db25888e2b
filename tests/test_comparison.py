"""docs/comparison.md: what it counts, and the laws that it names."""

import re
from pathlib import Path

import pytest

from derive import catalogue, gradient

TEXT = (Path(__file__).parent.parent / "docs" / "comparison.md").read_text("utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \| (\d+) \|", TEXT, re.MULTILINE)
LAWS = {"use a fact", "fold a definition", "reduce a definition", "contract δ"}


def test_there_are_eight():
    assert len(ROWS) == TEXT.count("**By hand.**") == TEXT.count("**Left to the reader.**") == 8


@pytest.mark.parametrize("name, equations, steps, laws", ROWS)
def test_the_counts_are_the_engines(name, equations, steps, laws):
    derivation = gradient(catalogue[name]).derivation
    counted = len(derivation.equations), sum(1 for _ in derivation.steps()), len(derivation.laws)
    assert counted == (int(equations), int(steps), int(laws))


def test_the_laws_that_it_names_are_laws():
    named = {words.lower() for words in re.findall(r"(?<!\*)\*([A-Za-z][a-z δ]+)\*(?!\*)", TEXT)}
    assert {law for law in LAWS if law in named} == LAWS
    used = {law for name, *_ in ROWS for law in gradient(catalogue[name]).derivation.laws}
    assert used >= LAWS
