"""Formulas of the catalogue by name, for each value of the letters around them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sympy import Expr, Integer
from sympy.core.basic import Basic

from derive.axes import Axis, DeriveError, Entry, Tensor, free_axes, mapped, tensors_of

from .errors import LatexError, LatexUnsupported
from .tree import Call
from .values import COLUMN, Value


def of_catalogue(meaning: Any, node: Call) -> Value:
    """A formula of the catalogue by its name; a vector may stand for a batch of one."""
    formula = meaning.scope.formula(node.function)
    if formula is None:
        raise LatexError(f"{node.function} is no function that is known", node.column)
    tensors = formula.tensors
    required = [p for p in tensors if p.required]
    if not len(required) <= len(node.arguments) <= len(tensors):
        raise LatexError(f"{node.function}: expected {', '.join(p.name for p in required)}, given "
                         f"{len(node.arguments)} arguments", node.column)  # fmt: skip
    values = [meaning.value(one) for one in node.arguments]
    single = bool(tensors) and not tensors[0].type.any_shape and values[0].rank == len(tensors[0].type.axes) - 1
    try:
        given = [
            _argument(meaning, value, parameter, single) for value, parameter in zip(values, tensors, strict=False)
        ]
        made = formula(*given)
    except DeriveError as problem:
        raise LatexError(f"{node.function}: {problem}", node.column) from None
    if isinstance(made, tuple):
        raise LatexUnsupported(f"{node.function} has several results", node.column)
    stray = dict.fromkeys(a for value in values if value.rank for a in free_axes(value.body) if a not in value.axes)
    found = _result(meaning, made, values[0], single)
    return replace(found, body=for_each(found.body, tuple(stray), node)) if stray else found


def _argument(meaning: Any, value: Value, parameter: Any, single: bool) -> Any:
    """A tensor over the axes of a value."""
    if value.rank == 0:
        return value.body
    axes: tuple[Axis, ...] = value.axes
    if single and not parameter.type.any_shape and len(parameter.type.axes) == value.rank + 1:
        axes = (Axis("q0_", Integer(1)), *axes)
    count = meaning.letters.slot(Integer(1), "u").name
    return Tensor(f"arg_{count}".strip("_"), axes, body=value.body, role="let")


def _result(meaning: Any, made: Any, first: Value, single: bool) -> Value:
    if not isinstance(made, Tensor):
        return Value(made)
    if single and made.ndim and made.axes[0].size == 1:
        slots = meaning.letters.slots(made, 1)
        return Value(made[(Integer(0), *slots)], slots, COLUMN)
    slots = meaning.letters.slots(made)
    return Value(made[slots] if slots else made[()], slots, first.turn if first.rank == len(slots) else COLUMN)


def for_each(body: Expr, stray: tuple[Axis, ...], node: Call) -> Any:
    """The body, its definitions with an axis for each letter around them: h_i = GELU(x_i) is one vector for each i."""
    known: dict[Tensor, Tensor] = {}

    def lifted(tensor: Tensor) -> Tensor:
        if tensor.body is None:
            return tensor
        if tensor not in known:
            if tensor in tensors_of(tensor.body):
                raise LatexUnsupported(f"{node.function} for each {stray[0].name}: it is a recurrence", node.column)
            made = mapped(tensor.body, change)
            same = made == tensor.body and not set(free_axes(made)) & set(stray)
            known[tensor] = tensor if same else tensor.with_(axes=(*stray, *tensor.axes), body=made)
        return known[tensor]

    def change(part: Basic) -> Basic | None:
        if not isinstance(part, Entry) or (new := lifted(part.tensor)) is part.tensor:
            return None
        return new[(*stray, *(mapped(index, change) for index in part.indices))]

    return mapped(body, change)
