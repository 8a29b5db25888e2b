"""Which letters stand below matrices: the steps of a recurrence, X_t, and the letters of a batch, Q_nh.

A tensor of three axes is no matrix; for each step of a recurrence, or each member of a batch, it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sympy import Expr, Mul
from sympy.core.basic import Basic

from derive.axes import Axis, Entry, SumOver, Tensor

from .recurrence import Subject


def outer_lengths(subject: object, tensors: Iterable[Tensor], bodies: Iterable[Basic]) -> frozenset[Expr]:
    """The lengths of such letters; none where tensors of three or more axes do not begin with the same."""
    tensors = list(tensors)
    steps = frozenset(subject.steps) if isinstance(subject, Subject) else frozenset()
    if any(sum(axis.size in steps for axis in t.axes) > 1 for t in tensors):
        steps = frozenset()
    batch = _batch([[a.size for a in t.axes if a.size not in steps] for t in tensors], list(bodies))
    return steps | batch


def _batch(shapes: Sequence[Sequence[Expr]], bodies: Sequence[Basic]) -> frozenset[Expr]:
    """The leading lengths that all larger tensors share, where matrices are multiplied behind them."""
    large = [shape for shape in shapes if len(shape) > 2]
    count = max(map(len, large), default=2) - 2
    lead = tuple(large[0][:count]) if large else ()
    shared = all(tuple(shape[:count]) == lead and len(shape) - count <= 2 for shape in large)
    apart = len(set(lead)) == count and not any(set(lead) & set(shape[count:]) for shape in large)
    if not count or not shared or not apart or any(len(set(lead) & set(s)) > 1 and len(s) < 3 for s in shapes):
        return frozenset()
    return frozenset(lead) if any(_multiplies(body, frozenset(lead)) for body in bodies) else frozenset()


def _multiplies(body: Basic, lead: frozenset[Expr]) -> bool:
    """Whether somewhere a matrix is multiplied: a summed letter stands in two factors of different letters."""
    return any(
        isinstance(node.body, Mul) and any(_joins(node.body, a, lead) for a in node.axes if a.size not in lead)
        for node in body.atoms(SumOver)
    )


def _joins(product: Mul, letter: Axis, lead: frozenset[Expr]) -> bool:
    """Whether factors of different letters, besides those of the batch, have this letter in common."""
    inner = [
        frozenset(a for a in f.indices if isinstance(a, Axis) and a.size not in lead)
        for f in product.args
        if isinstance(f, Entry)
    ]
    return len({letters for letters in inner if letter in letters}) > 1


__all__ = ["outer_lengths"]
