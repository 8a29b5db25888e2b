"""A Jupyter notebook as text: cells of Markdown and of code, none of them run yet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """Markdown, or Python where `code`."""

    source: str
    code: bool = False


def notebook(cells: Sequence[Cell]) -> str:
    """The notebook (format 4.5), the same text every time."""
    document = {
        "cells": [_cell(number, cell) for number, cell in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _cell(number: int, cell: Cell) -> dict[str, object]:
    source = cell.source.strip("\n").splitlines(keepends=True)
    plain: dict[str, object] = {"cell_type": "code" if cell.code else "markdown", "id": f"cell-{number:02}"}
    run: dict[str, object] = {"execution_count": None, "outputs": []} if cell.code else {}
    return {**plain, "metadata": {}, **run, "source": source}
