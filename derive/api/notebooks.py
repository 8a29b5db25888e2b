"""A derivative as a notebook that makes it again: loads the formula, derives, checks, emits code and plots."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from derive.axes import Unsupported
from derive.formula import Formula
from derive.notation.notebook import Cell, notebook

from .catalogue import catalogue
from .derivative import Derivative, real_inputs


def notebook_of(d: Derivative, detail: str, notation: Any) -> str:
    """The notebook. Raises Unsupported for a formula that no name leads to, such as one made in a session."""
    return notebook(list(_cells(d, detail, notation)))


def _cells(d: Derivative, detail: str, notation: Any) -> Iterator[Cell]:
    f, names = d.formula, tuple(d.results)
    wrt = "" if names == real_inputs(d.traced) else f", wrt={names!r}"
    yield Cell(f"# {f.name}\n\n{_escaped(f.doc.strip() or 'A formula, and its gradient derived.')}")
    yield Cell("\n".join([*_loading(f), "from derive import gradient, plot, to_numpy, verify"]), True)
    yield Cell("## The gradient\n\nIn closed form, with the names that it uses.")
    yield Cell(f"d = gradient(f{wrt})\nd", True)
    yield Cell("Every step, and the law it uses:")
    told = f'd.markdown(notation={notation!r}, detail="{detail}")'
    yield Cell(f"from IPython.display import Markdown\n\nMarkdown({told})", True)
    yield Cell("## The check\n\nThe code against the definition, the gradient against differences, every step against "
               "the one before it, at random points.")  # fmt: skip
    yield Cell("print(verify(f, trials=5, seed=0))", True)
    yield Cell("## The code\n\nNumPy, standalone, with its cost in the sizes.")
    yield Cell("m = to_numpy(f)\nprint(m.source)", True)
    yield Cell("print(m.cost)", True)
    yield Cell("## A picture")
    yield Cell("plot(f)", True)


def _loading(f: Formula) -> Iterator[str]:
    """The statements after which `f` is the formula."""
    if f.name in catalogue and catalogue[f.name].source == f.source:
        if catalogue[f.name].parameters != f.parameters:
            raise Unsupported(
                f"notebook: {f.name} with options fixed: write the notebook of {f.name} and fix them there"
            )
        yield f"from formulas import {f.name} as f\n"
        return
    links = f.name.split(" >> ")
    if len(links) > 1 and all(link in catalogue for link in links):
        yield "from derive import catalogue, chain\n"
        yield f"f = chain(*(catalogue[name] for name in {links!r}))\n"
        return
    if f.source.endswith(".py"):
        yield "from derive.api.files import formulas_in\n"
        yield f"f = formulas_in({f.source!r})[{f.name!r}]\n"
        return
    raise Unsupported(f"notebook: {f.name}: no file and no catalogue holds it, so that a notebook cannot load it")


def _escaped(words: str) -> str:
    return words.replace("_", r"\_").replace("*", r"\*").replace("$", r"\$").replace("<", r"\<")
