"""Indices that start at 1: where a letter stands for its number, one is taken away.

The calculus counts from 0. A letter i of the reader's is then i − 1 of the calculus: x[n, s h + r] is read at
s (h − 1) + (r − 1), which is the place s (h − 1) + r of the reader's. Integers that index count like letters.
"""

from __future__ import annotations

import sympy
from sympy import Add, Integer, Mul, S
from sympy.core.basic import Basic
from sympy.core.relational import Relational

from derive.axes import ArgMaxOver, ArgMinOver, Axis, BoolEntry, Delta, Entry, Reduction, Tensor, mapped

from .factors import flattened
from .whole import counts

PLACES = (ArgMaxOver, ArgMinOver)


def counts_places(tensor: Tensor) -> bool:
    """Whether the entries of a tensor are places along an axis, as letters are."""
    return tensor.dtype == "int" and (tensor.bound is not None or isinstance(tensor.body, PLACES))


def is_place(node: Basic) -> bool:
    """Whether a node counts as a letter does: it is shown as it is."""
    return isinstance(node, (Axis, *PLACES)) or (isinstance(node, Entry) and counts_places(node.tensor))


def from_one(node: Basic) -> Basic:
    """The expression with i − 1 for every letter i that stands for its number; places in an index stay (`place`)."""
    return mapped(node, _shifted)


def place(index: Basic) -> Basic:
    """An index as the reader counts it, after `from_one`."""
    return index if is_place(index) else _plus_one(index)


def _shifted(node: Basic) -> Basic | None:
    if isinstance(node, Axis):
        return _less_one(node)
    if isinstance(node, Mul) and (found := _multiple(node)) is not None:
        return found
    if isinstance(node, (Entry, BoolEntry)):
        tensor, *indices = node.args
        entry = node.func(tensor, *map(_within, indices))
        return _less_one(entry) if is_place(node) else entry
    if isinstance(node, Reduction):
        reduced = node.rebound(from_one(node.body), node.axes, [_within(index) for index in node.at])
        return _less_one(reduced) if isinstance(node, PLACES) else reduced
    if isinstance(node, (Delta, Relational)) and all(is_place(side) for side in node.args):
        return node.func(*map(_within, node.args))
    if isinstance(node, (Delta, Relational)) and all(counts(side) for side in node.args):
        sides = [from_one(side) for side in node.args]
        raised = [_plus_one(side) for side in sides]
        return node.func(*(raised if sum(map(_constants, raised)) < sum(map(_constants, sides)) else sides))
    return None


def _multiple(node: Mul) -> Basic | None:
    """k i as k i − k, where k is a number."""
    factors = flattened(node, Mul)
    letters = [f for f in factors if isinstance(f, Axis)]
    number = sympy.prod(f for f in factors if isinstance(f, Integer))
    if len(letters) != 1 or any(not isinstance(f, (Axis, Integer)) for f in factors):
        return None
    return Add(node, -number, evaluate=False)


def shown(node: Basic) -> Basic:
    """A whole expression as the reader counts: a place by itself is what it is."""
    return _within(node) if is_place(node) else from_one(node)


def _within(index: Basic) -> Basic:
    """An index, or one side of i = j: a place stays, what stands inside it does not."""
    if isinstance(index, Axis):
        return index
    inner = from_one(index)
    return _plus_one(inner) if is_place(index) else inner


def _less_one(node: Basic) -> Basic:
    return Add(node, S.NegativeOne, evaluate=False)


def _plus_one(node: Basic) -> Basic:
    """One more, the numbers of the sum added up."""
    terms = flattened(node, Add) if isinstance(node, Add) else [node]
    number = sum((t for t in terms if isinstance(t, Integer)), S.One)
    rest = [t for t in terms if not isinstance(t, Integer)]
    if number != 0 or not rest:
        rest.append(number)
    return rest[0] if len(rest) == 1 else Add(*rest, evaluate=False)


def _constants(node: Basic) -> int:
    terms = flattened(node, Add) if isinstance(node, Add) else [node]
    return abs(int(sympy.Add(*(t for t in terms if isinstance(t, Integer)))))
