"""docs/parity.md is what the comparison says today."""

from pathlib import Path

import pytest

from tests.parity.table import HELPERS, OTHER_NAME, REASONS, formula_of, functions, page, rows

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.needs("torch")
def test_the_page_is_fresh():
    committed = (ROOT / "docs" / "parity.md").read_text(encoding="utf-8")
    assert committed == page(), "docs/parity.md is stale: run `python -m tests.parity.table > docs/parity.md`"


@pytest.mark.needs("torch")
def test_reasons_are_for_functions_without_a_formula():
    assert set(REASONS) <= set(functions())
    assert set(OTHER_NAME) <= set(functions())
    assert not [name for name in REASONS if formula_of(name)]
    assert not HELPERS & set(functions())


@pytest.mark.needs("torch")
def test_what_is_covered_is_compared():
    assert not {formula for name in functions() if (formula := formula_of(name))} - set(rows())
