"""A leading axis for every input that belongs to the sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sympy.core.basic import Basic

from derive.axes import Axis, BoolEntry, Entry, NameProblem, Tensor, cut_anew, did_you_mean, mapped, tied

from .core import Formula
from .trace import Assumption, Traced

# Inputs of these names belong to the layer and stay as they are, unless the caller says otherwise.
PARAMETER_NAMES = frozenset("w v u b k W U V A weight bias beta gamma".split())


def batched(formula: Formula, letter: Axis, *, parameters: tuple[str, ...] | None = None) -> Formula:
    """`formula` with a leading axis on each input but its parameters, and on each output.

    `parameters` names the inputs that stay; by default those called like weights (w, b, beta, gamma, …).
    """
    names = [p.name for p in formula.tensors]
    for name in parameters or ():
        if name not in names:
            raise NameProblem(f"{formula.name}.batched: unknown input {name!r}{did_you_mean(name, names)}")
    keep = PARAMETER_NAMES if parameters is None else frozenset(parameters)

    def trace(static: Mapping[str, Any]) -> Traced:
        return _batched(formula.trace(**static), letter, keep)

    wider = tuple(
        replace(p, type=replace(p.type, axes=(letter, *p.type.axes), any_shape=False))
        if p.type and (p.name not in keep or p.type.any_shape)
        else p
        for p in formula.parameters
    )
    made = replace(formula, name=f"{formula.name}_batched", parameters=wider, tracer=trace, _traces={})
    made.trace()
    return made


def _batched(traced: Traced, letter: Axis, keep: frozenset[str]) -> Traced:
    if any(letter in t.axes for t in (*traced.inputs, *traced.outputs)):
        raise NameProblem(f"{traced.name}.batched: axis {letter.name} is already an axis of the formula")
    wide: dict[Tensor, Tensor] = {}
    inputs = tuple(
        t if t.name in keep and not traced.elementwise else t.with_(axes=(letter, *t.axes)) for t in traced.inputs
    )
    wide.update({old: new for old, new in zip(traced.inputs, inputs, strict=True) if old != new})

    def change(node: Basic) -> Basic | None:
        if isinstance(node, (Entry, BoolEntry)) and node.tensor in wide:
            new = wide[node.tensor]
            return node.func(new, *((letter,) if new.ndim > node.tensor.ndim else ()), *node.indices)
        return None

    cuts = cut_anew(traced.definitions, lambda c: (letter, *c.axes))
    wide.update(cuts)
    for tensor in traced.definitions:
        body = mapped(tensor.body, change)
        is_output = tensor in traced.outputs
        if body != tensor.body or is_output:
            wide[tensor] = tensor.with_(axes=(letter, *tensor.axes), body=body)
    tied(cuts, wide)
    assumptions = tuple(Assumption(mapped(a.statement, change), a.sample) for a in traced.assumptions)
    outputs = tuple(wide[output] for output in traced.outputs)
    return replace(traced, inputs=inputs, outputs=outputs, assumptions=assumptions, elementwise=False)
