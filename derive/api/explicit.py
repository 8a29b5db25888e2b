"""A result for given lengths, every entry written out: sums expanded, entries as symbols x_00."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import sympy
from sympy import Array, Expr, Integer, Matrix, Symbol
from sympy.core.basic import Basic

from derive.axes import (
    Axis,
    BoolEntry,
    Delta,
    DeriveError,
    Entry,
    MaxOver,
    MeanOver,
    ProdOver,
    Reduction,
    Sigmoid,
    Size,
    Softplus,
    SumOver,
    Tensor,
    Where,
    did_you_mean,
)

MOST_ENTRIES = 4096


def explicit(tensor: Tensor, sizes: Mapping[str, int]) -> Any:
    """The entries of a defined tensor for explicit lengths (`B=2, C=3`): a Matrix for rank 2, else an Array."""
    known = {str(s): s for s in _sizes(tensor)}
    for name, value in sizes.items():
        if name not in known:
            raise DeriveError(f"at({name}=…): expected lengths {', '.join(sorted(known))}{did_you_mean(name, known)}")
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise DeriveError(f"at({name}={value!r}): expected a whole number of at least 1")
    missing = [name for name in sorted(known) if name not in sizes]
    if missing:
        raise DeriveError(f"at: the lengths {', '.join(missing)} are missing, as in at({missing[0]}=2)")
    writer = _Explicit({known[name]: value for name, value in sizes.items()})
    lengths = [writer.length(a) for a in tensor.axes]
    if sympy.prod(lengths) > MOST_ENTRIES:
        raise DeriveError(f"at: {sympy.prod(lengths)} entries are too many to write out (at most {MOST_ENTRIES})")
    grid = itertools.product(*(range(n) for n in lengths))
    entries = [writer.value(tensor.body, dict(zip(tensor.axes, at, strict=True))) for at in grid]
    if len(lengths) == 2:
        return Matrix(lengths[0], lengths[1], entries)
    return Array(entries, tuple(lengths)) if lengths else entries[0]


def _sizes(tensor: Tensor) -> set[Any]:
    """Length symbols of a tensor's axes and of everything its body rests on."""
    found: set[Any] = set()
    stack: list[Basic] = [tensor]
    seen: set[Basic] = set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, Tensor):
            stack += [*node.axes, *([node.body] if node.body is not None else [])]
        elif isinstance(node, Axis):
            found |= node.size.atoms(Size)
        elif isinstance(node, Size):
            found.add(node)
        stack += node.args
    return found


class _Explicit:
    def __init__(self, sizes: Mapping[Any, int]) -> None:
        self.sizes = {size: Integer(value) for size, value in sizes.items()}
        self.memo: dict[tuple[Tensor, tuple[int, ...]], Expr] = {}

    def length(self, axis: Axis) -> int:
        return int(axis.size.xreplace(self.sizes))

    def value(self, node: Basic, at: Mapping[Axis, int]) -> Any:
        if isinstance(node, (Entry, BoolEntry)):
            return self._entry(node, at)
        if isinstance(node, Axis):
            return Integer(at[node])
        if isinstance(node, Reduction):
            return self._reduced(node, at)
        if isinstance(node, Delta):
            left, right = (self.value(a, at) for a in node.args)
            return (
                Integer(int(left == right)) if left.is_number and right.is_number else sympy.KroneckerDelta(left, right)
            )
        if isinstance(node, Where):
            condition, then, otherwise = (self.value(a, at) for a in node.args)
            return sympy.Piecewise((then, condition), (otherwise, True))
        if isinstance(node, Sigmoid):
            return 1 / (1 + sympy.exp(-self.value(node.args[0], at)))
        if isinstance(node, Softplus):
            return sympy.log(1 + sympy.exp(self.value(node.args[0], at)))
        if not node.args:
            return self.sizes.get(node, node)
        return node.func(*(self.value(a, at) for a in node.args))

    def _entry(self, node: Any, at: Mapping[Axis, int]) -> Any:
        place = tuple(int(self.value(i, at)) for i in node.indices)
        tensor = node.tensor
        if tensor.body is None:
            digits = "".join(map(str, place)) if all(k < 10 for k in place) else "_".join(map(str, place))
            return Symbol(f"{tensor.name}_{digits}" if place else tensor.name, real=True)
        if (tensor, place) not in self.memo:
            self.memo[tensor, place] = self.value(tensor.body, dict(zip(tensor.axes, place, strict=True)))
        return self.memo[tensor, place]

    def _reduced(self, node: Reduction, at: Mapping[Axis, int]) -> Any:
        grid = itertools.product(*(range(self.length(a)) for a in node.axes))
        parts = [self.value(node.body, {**at, **dict(zip(node.axes, place, strict=True))}) for place in grid]
        if isinstance(node, (SumOver, MeanOver)):
            return sympy.Add(*parts) / (len(parts) if isinstance(node, MeanOver) else 1)
        if isinstance(node, ProdOver):
            return sympy.Mul(*parts)
        if isinstance(node, MaxOver):
            return sympy.Max(*parts)
        raise DeriveError(f"at: no explicit form for {node.name}_over")
