"""`derive list` and `derive show`: what the catalogue holds, and one formula of it."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

from .output import emit, emit_json
from .problems import one_of
from .target import Library, traced
from .verifying import labelled

WIDTH = 80
COLUMN = 24  # where summaries begin


def run_list(kind: str | None, as_json: bool) -> None:
    """Every formula of the catalogue, or those of one kind."""
    from derive.api import catalogue

    formulas = [catalogue[name] for name in catalogue]
    kinds = sorted({f.kind for f in formulas})
    if kind is not None:
        one_of("--kind", kind, kinds)
        formulas = [f for f in formulas if f.kind == kind]
    if as_json:
        emit_json([_entry(f) for f in formulas])
        return
    emit("\n".join(line for k in kinds for line in _group(k, [f for f in formulas if f.kind == k])))


def _entry(f: Any) -> dict[str, Any]:
    return {"name": f.name, "kind": f.kind, "inputs": [p.name for p in f.tensors], "summary": f.summary}


def _group(kind: str, formulas: list[Any]) -> Iterator[str]:
    if not formulas:
        return
    yield kind
    for f in formulas:
        lines = textwrap.wrap(f.summary, WIDTH - COLUMN, break_long_words=False)
        if lines and len(f.name) + 4 <= COLUMN:
            yield f"  {f.name}".ljust(COLUMN) + lines.pop(0)
        else:
            yield f"  {f.name}"
        yield from (" " * COLUMN + line for line in lines)


def run_show(target: str) -> None:
    """Docstring, definition, options and variants of one formula."""
    from derive.api.shown import definition_text

    f = Library().formula(target)
    title = f"{f.name} ({f.kind if f.kind != 'user' else 'your own'})"
    parts = [f"{title}\n{'=' * len(title)}", _wrapped(f.doc), definition_text(f).rstrip("\n")]
    options = "\n".join(_options(f))
    if options:
        parts.append("Options\n-------\n\n" + options)
    variants = f.variants()
    if len(variants) > 1:
        with traced(target, f):
            shapes = [f"  {labelled(f.name, v)}: {_shape(f.trace(**v))}" for v in variants]
        parts.append("Variants\n--------\n\n" + "\n".join(shapes))
    emit("\n\n".join(filter(None, parts)))


def _wrapped(doc: str) -> str:
    """Each paragraph of a docstring in 80 columns; lines that fit stay as they were written."""
    paragraphs = doc.strip().split("\n\n")
    return "\n\n".join(
        p if all(len(line) <= WIDTH for line in p.splitlines()) else textwrap.fill(p, WIDTH) for p in paragraphs
    )


def _options(f: Any) -> Iterator[str]:
    for p in f.parameters:
        default = "" if p.default is inspect.Parameter.empty else f" ({_word(p.default)} by default)"
        if p.kind == "static":
            yield f"  {p.name}: {' or '.join(map(_word, p.choices))}{default}"
        elif p.kind in ("scalar", "size"):
            yield f"  {p.name}: {'a number' if p.kind == 'scalar' else 'a whole number'}{default}"
        elif p.type is not None and p.type.optional:
            yield f"  {p.name}: an input that may be left out ({p.name}=true puts it in)"


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shape(traced: Any) -> str:
    if traced.elementwise:
        return "the shape of its input"
    shapes = [" × ".join(map(_length, output.axes)) or "one number" for output in traced.outputs]
    return "; ".join(shapes)


def _length(axis: Any) -> str:
    """A length by its name; one that is an expression is named by its letter, as in the definition above."""
    return str(axis.size) if axis.size.is_Symbol or axis.size.is_number else axis.name.upper()
