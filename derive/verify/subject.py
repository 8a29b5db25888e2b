"""What a check needs to know of a formula, a point and a place: the shape of a trace, and words for where we are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from sympy.core.basic import Basic

from derive.axes import (
    AdjointOf,
    Axis,
    BoolEntry,
    Carried,
    DeriveError,
    Entry,
    Scalar,
    Size,
    Tensor,
    cut_anew,
    definitions,
    mapped,
    tensors_of,
    tied,
)
from derive.oracle import Array, Point, evaluate_at
from derive.steps import Subject

from .report import Place


@dataclass(frozen=True)
class Statement:
    """An assumption over widened tensors."""

    statement: Basic
    sample: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Widened:
    """An elementwise formula over letters of its own, and results derived from it, over the same letters."""

    name: str
    inputs: tuple[Tensor, ...]
    scalars: tuple[Scalar, ...]
    sizes: tuple[Size, ...]
    outputs: tuple[Tensor, ...]
    assumptions: tuple[Statement, ...]
    others: tuple[Tensor, ...]
    elementwise: bool = False


def widened(subject: Subject, others: Iterable[Tensor], letters: tuple[Axis, ...]) -> Widened:
    """`subject` and `others` with `letters` put before the axes of every tensor: f(x) becomes f(x[n, m])."""
    others = tuple(others)
    roots = tuple(whole(tensor) for tensor in (*subject.inputs, *subject.outputs, *others))
    made: dict[Tensor, Tensor] = {}

    def change(node: Basic) -> Basic | None:
        return node.func(made[node.tensor], *letters, *node.indices) if isinstance(node, (Entry, BoolEntry)) else None

    cuts = cut_anew(definitions(roots), lambda c: (*letters, *c.axes))
    made.update(cuts)
    for tensor in (*leaves(roots), *definitions(roots)):
        body = None if tensor.body is None else mapped(tensor.body, change)
        made[tensor] = tensor.with_(axes=(*letters, *tensor.axes), body=body)
    tied(cuts, made)
    return Widened(
        subject.name,
        tuple(made[tensor] for tensor in subject.inputs),
        subject.scalars,
        subject.sizes,
        tuple(made[tensor] for tensor in subject.outputs),
        tuple(Statement(mapped(a.statement, change), a.sample) for a in subject.assumptions),
        tuple(made[tensor] for tensor in others),
    )


def whole(tensor: Tensor) -> Entry:
    """The tensor's entry at its own letters: all of it."""
    return tensor[tensor.axes]


def bodies(roots: Iterable[Basic]) -> tuple[Basic, ...]:
    """The bodies of everything the roots refer to, and the roots: all expressions that are evaluated."""
    roots = tuple(roots)
    return (*(tensor.body for tensor in definitions(roots)), *roots)


def leaves(roots: Iterable[Basic]) -> tuple[Tensor, ...]:
    """The tensors without a body that the roots rest on, in order of first use."""
    found = (tensor for body in bodies(roots) for tensor in tensors_of(body))
    return tuple(dict.fromkeys(t for t in found if t.body is None and not isinstance(t, Carried)))


def derivatives_in(roots: Iterable[Basic]) -> tuple[AdjointOf, ...]:
    """AdjointOf(X) and TangentOf(X), each X whole, for every such derivative written anywhere in the roots."""
    found = (node.func(whole(node.entry.tensor)) for body in bodies(roots) for node in _derivatives(body))
    return tuple(sorted(dict.fromkeys(found), key=str))


@lru_cache(maxsize=4096)
def _derivatives(body: Basic) -> frozenset[AdjointOf]:
    """Those written in one body; asked for with every root that rests on it."""
    return frozenset(body.atoms(AdjointOf))


def real_inputs(subject: Subject) -> tuple[Tensor, ...]:
    """The inputs that have a gradient."""
    return tuple(tensor for tensor in subject.inputs if tensor.dtype == "real")


def roots_of(subject: Subject) -> tuple[Entry, ...]:
    """The outputs, written whole."""
    return tuple(whole(output) for output in subject.outputs)


def checked_upstreams(subject: Subject, upstreams: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """One upstream for each output, or none at all for a single scalar output, whose upstream is 1."""
    single = len(subject.outputs) == 1 and not subject.outputs[0].axes
    if len(upstreams) == len(subject.outputs) or (not upstreams and single):
        return tuple(upstreams)
    raise DeriveError(
        f"{subject.name}: expected one upstream for each of {len(subject.outputs)} outputs, given {len(upstreams)}"
    )


def loss(subject: Subject, upstreams: Sequence[Tensor], points: Sequence[Point]) -> Array:
    """L = Σ g·y at each point, by the oracle; L = y for a scalar output without upstream."""
    total: Any = 0.0
    for number, output in enumerate(subject.outputs):
        y = evaluate_at(whole(output), points, output.axes)
        g = points[0].arrays[upstreams[number].name] if upstreams else np.ones(())
        total = total + (y * g).reshape(len(points), -1).sum(axis=1)
    return np.asarray(total)


def place_of(tensor: Tensor | str, point: Point, trial: int, seed: int) -> Place:
    """Words for an entry of a tensor at a point: `w[1, 0] at B=2, I=3 (trial 4 of seed 0)`."""
    name = tensor if isinstance(tensor, str) else tensor.name

    def words(index: tuple[int, ...]) -> str:
        entry = f"{name}[{', '.join(map(str, index))}]" if index else name
        return f"{entry} at {str(point) or 'a scalar'} (trial {trial} of seed {seed})"

    return words
