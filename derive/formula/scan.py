"""`scan`: recurrences, h[t] from h[t − 1]; the carry is a tensor like others, cut where its definition meets itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from sympy import Expr, Integer

from derive.axes import (
    At,
    Axis,
    Carried,
    Delta,
    DeriveError,
    NameProblem,
    ShapeError,
    Tensor,
    entry,
    free_axes,
    scalar,
)

from .trace import CURRENT


class Previous(At):
    """The carry as a step sees it: the value before, indexed by its own letters."""

    def __iter__(self) -> Any:
        raise ShapeError(f"scan: {self.tensor.name} is written by its entries, without the letter {self.leading[0]}")


class Within(At):
    """What a scan inside of a step gives: known at this step, and indexed by the letters of its own."""

    def __iter__(self) -> Any:
        raise ShapeError(f"scan: {self.tensor.name} is written by its entries, without "
                         f"{', '.join(str(a) for a in self.leading)}")  # fmt: skip


AROUND: ContextVar[tuple[Axis, ...]] = ContextVar("AROUND", default=())  # the letters of scans around this one


def zeros(*letters: Axis) -> Tensor:
    """A tensor of zeros over these letters, as a scan starts from."""
    return Tensor("zeros", letters, body=Integer(0), role="let")


def scan(over: Axis, step: Callable[..., Any], *initial: Tensor, reverse: bool = False) -> Any:
    """h[t, …] = step(h[t − 1, …]), and `initial` before the first; with `reverse` from the last entry to the first.

    `step` takes what is carried, each indexed by the letters of its initial tensor, and returns the new entries: one
    expression, or a tuple for several. Its parameters name the results: tensors over `over`, then those letters. A step
    may hold a scan along another letter, whose results it indexes by that letter and those carried.
    Raises ShapeError for letters that are not those carried, DeriveError where numbers of values differ.
    """
    if not isinstance(over, Axis):
        raise ShapeError(f"scan: expected an axis first, given {over!r}")
    for start in initial:
        if not isinstance(start, Tensor):
            raise ShapeError(f"scan: expected tensors to start from, such as h0 or zeros(b, h), given {start!r}")
        if over in start.axes:
            raise ShapeError(f"scan: {start.declared()} has the letter {over.name} that is scanned over")
    names = list(inspect.signature(step).parameters)
    if len(names) != len(initial) or not initial:
        raise DeriveError(f"scan: the step takes {', '.join(names) or 'nothing'}, given {len(initial)} initial values")
    around = AROUND.get()
    if over in around:
        raise ShapeError(f"scan: the letter {over.name} is scanned over by a scan around this one, too")
    outer = (*around, over)
    own = [tuple(a for a in start.axes if a not in around) for start in initial]
    carried = [Carried(name, (*outer, *letters)) for name, letters in zip(names, own, strict=True)]
    before = [_before(c, start, outer, reverse) for c, start in zip(carried, initial, strict=True)]
    token = AROUND.set(outer)
    try:
        values = step(*(Previous(tensor, outer) for tensor in before))
    finally:
        AROUND.reset(token)
    bodies = [scalar(v, f"scan: {n}") for n, v in zip(names, _tuple(values, names), strict=True)]
    made = tuple(_result(c, body) for c, body in zip(carried, bodies, strict=True))
    for c, tensor in zip(carried, made, strict=True):
        c.target = tensor
    seen = tuple(Within(tensor, around) for tensor in made) if around else made
    return seen if len(seen) > 1 else seen[0]


def _tuple(values: Any, names: list[str]) -> tuple[Any, ...]:
    values = values if isinstance(values, tuple) else (values,)
    if len(values) != len(names):
        raise DeriveError(f"scan: the step returns {len(values)} values, and carries {len(names)}: {', '.join(names)}")
    return values


def _before(carried: Carried, start: Tensor, outer: tuple[Axis, ...], reverse: bool) -> Tensor:
    """hp[t] = h[t − 1] + [t = 0] h0."""
    (*around, over), letters = outer, carried.axes[len(outer) :]
    shifted, first = (over + 1, over.size - 1) if reverse else (over - 1, Integer(0))
    body = entry(carried, *around, shifted, *letters, padded=True)
    if start.body != 0:
        body = body + Delta(over, first) * start[start.axes]
    return Tensor(f"{carried.name}_before", carried.axes, body=body, role="let")


def _result(carried: Carried, body: Expr) -> Tensor:
    unbound = [a.name for a in free_axes(body) if a not in carried.axes]
    if unbound:
        raise ShapeError(f"scan: unbound letter {', '.join(unbound)} in the step's {carried.name}: expected only "
                         f"{carried.declared()}")  # fmt: skip
    tensor = Tensor(carried.name, carried.axes, body=body, role="let")
    tracing = CURRENT.get()
    if tracing is not None and tracing.names.setdefault(carried.name, tensor) != tensor:
        raise NameProblem(f"scan: the name {carried.name} is already taken in this formula; rename the parameter")
    return tensor
