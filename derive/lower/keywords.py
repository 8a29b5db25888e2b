"""What is known of sizes when a function is called: their defaults, the least they may be, what is assumed of them."""

from __future__ import annotations

from typing import Any

from sympy import Expr
from sympy.core.basic import Basic
from sympy.core.relational import Relational

from derive.axes import Size, Tensor, Unsupported, whole
from derive.axes.ranges import quotient

from .lengths import Lengths, extent, length_code
from .program import Code, Op, Require
from .selection import RELATIONS
from .task import Task


def defaults(task: Task) -> tuple[tuple[str, Code], ...]:
    """Keyword sizes whose default is made of others, stride = kernel_size, each after those that it needs."""
    waiting = {s.name: s.default for s in task.sizes if isinstance(s.default, Expr)}
    known = {s.name for s in task.sizes} - waiting.keys()
    found: list[tuple[str, Code]] = []
    while waiting:
        name = next((n for n, e in waiting.items() if {s.name for s in e.free_symbols} <= known), None)
        if name is None:
            name, value = next(iter(waiting.items()))
            raise Unsupported(f"{task.name}: {name} = {value} by default: it may be made of other keyword sizes alone")
        found.append((name, length_code(waiting.pop(name))))
        known.add(name)
    return tuple(found)


def least(tensor: Tensor) -> tuple[tuple[str, int], ...]:
    """The lengths of an input that may not be 1."""
    sizes = [a.size for a in tensor.axes if isinstance(a.size, Size)]
    return tuple((s.name, s.min) for s in dict.fromkeys(sizes) if s.min > 1)


def required(lengths: Lengths) -> list[Require]:
    """What is checked in every call: assumptions about sizes alone, as far as keywords and shapes say what these are.

    And where both say what a size is, that they agree.
    """
    found: list[Require] = []
    for tensor, place, axis in [(t, k, a) for t in lengths.task.inputs for k, a in enumerate(t.axes)]:
        if axis.size in lengths.task.sizes:
            size, given = lengths.code(axis.size), extent(tensor.name, place)
            told = ((str(axis.size), size), ("given", given))
            text = f"{tensor.name} of length {axis.size} along {axis.name}"
            found.append(Require(Op("equal", (given, size)), text, told))
    for statement in dict.fromkeys(lengths.task.assumptions):
        sizes = sorted(statement.free_symbols, key=str)
        about = isinstance(statement, Relational) and all(isinstance(s, Size) for s in sizes)
        if about and sizes and lengths.knows(statement) and (sides := _sides(statement)):
            condition = Op(RELATIONS[statement.rel_op], tuple(map(lengths.code, sides)))
            text = str(statement) if statement.rel_op != "==" else f"{sides[0]} == {sides[1]}"
            found.append(Require(condition, text, tuple((str(s), lengths.code(s)) for s in sizes)))
    return found


def _sides(statement: Any) -> tuple[Basic, ...]:
    """Both sides as whole numbers, denominators multiplied out; () where they cannot be."""
    (left, over), (right, under) = map(quotient, statement.args)
    if not (over.is_positive and under.is_positive):
        return ()
    sides = (left, right) if over == under else (left * under, right * over)
    return sides if all(map(whole, sides)) else ()
