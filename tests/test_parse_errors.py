"""Typical mistakes, and the line each gets: the table of docs/latex.md, checked."""

import re
from pathlib import Path

import pytest

from derive.api.latex import from_latex
from derive.axes import DeriveError

PAGE = (Path(__file__).parent.parent / "docs" / "latex.md").read_text(encoding="utf-8")
WHERE = re.search(r"With\n`(X: .*)`:", PAGE)[1]
ROWS = [
    tuple(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\) \| ", line.strip("| ")))
    for line in PAGE[PAGE.index("| given |") :].splitlines()[2:]
    if line.startswith("|")
]


def test_there_are_thirty():
    assert len(ROWS) >= 30


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_mistake_gets_its_line(row):
    text, line = row
    with pytest.raises(DeriveError) as found:
        from_latex(text.strip("`"), WHERE)
    assert str(found.value) == line
    assert "\n" not in line
