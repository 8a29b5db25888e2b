"""What statements consist of, and what they take for granted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .program import Assign, Code, Into, Loop, Op, Require, Rows, Statement, Update, Var

NEEDS_DTYPE = frozenset("ones full zeros empty eye typed cast".split())


def parts(code: Any) -> Iterator[Code]:
    """An expression and all within it."""
    yield code
    if isinstance(code, Op):
        for arg in code.args:
            yield from parts(arg)


def codes(statement: Statement) -> Iterator[Code]:
    """The expressions of a statement, those of its body too."""
    match statement:
        case Assign(targets, value):
            yield from (*targets, value)
        case Update(_, target, value):
            yield from (target, value)
        case Into(value, out):
            yield from (value, out)
        case Require(condition, _, _):
            yield condition
        case Rows(_, counts, width, body, _):
            yield from (*counts, width)
            for inner in body:
                yield from codes(inner)
        case Loop(_, count, _, body):
            yield count
            for inner in body:
                yield from codes(inner)


def needs_dtype(statement: Statement) -> bool:
    """Whether a statement speaks of the dtype."""
    found = [part for code in codes(statement) for part in parts(code)]
    return any(part.name in NEEDS_DTYPE if isinstance(part, Op) else part == Var("dtype") for part in found)
