"""A formula with some of its choices made: static parameters, optional inputs, scalars, sizes and lengths."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import sympy
from sympy import Float, Integer
from sympy.core.basic import Basic

from derive.axes import (
    Axis,
    DeriveError,
    NameProblem,
    ShapeError,
    Size,
    Tensor,
    cut_anew,
    did_you_mean,
    mapped,
    tied,
)

from .core import Formula
from .signature import Parameter
from .trace import Assumption, Traced


@dataclass
class _Choices:
    """What was fixed: static choices by name, and a number for each scalar, size or length, by name."""

    static: dict[str, Any] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)


def fixed(formula: Formula, given: Mapping[str, Any]) -> Formula:
    """`formula` with static parameters, optional inputs (present or not), scalars, sizes and lengths (B=4) fixed.

    Raises NameProblem for a name that the formula does not have, DeriveError for a value that does not fit.
    """
    if not given:
        return formula
    chosen = _Choices()
    for name, value in given.items():
        _choose(formula, chosen, name, value)

    def trace(static: Mapping[str, Any]) -> Traced:
        return _substituted(formula.trace(**{**static, **chosen.static}), chosen.numbers, formula.name)

    made = replace(formula, parameters=_left_open(formula, chosen), tracer=trace, _traces={})
    made.trace()
    return made


def _choose(formula: Formula, chosen: _Choices, name: str, value: Any) -> None:
    where = f"{formula.name}: {name}={value}"
    parameters = {p.name: p for p in formula.parameters}
    parameter = parameters.get(name)
    lengths = _symbols(formula.trace())
    if parameter is not None and parameter.kind == "static":
        chosen.static[name] = _choice(where, parameter.choices, value)
    elif parameter is not None and parameter.type is not None:
        if not parameter.type.optional:
            raise DeriveError(f"{where}: {name} is an input; it has no value to fix")
        chosen.static[name] = _choice(where, (True, False), value)
    elif parameter is not None and parameter.kind == "scalar":
        chosen.numbers[name] = _real(where, value)
    elif name in lengths:
        chosen.numbers[name] = _length(where, lengths[name], value)
    else:
        settable = [p.name for p in formula.parameters if p.type is None or p.type.optional] + list(lengths)
        known = dict.fromkeys(settable)
        raise NameProblem(f"{formula.name}: no option {name!r}; it has {', '.join(known)}{did_you_mean(name, known)}")


def _choice(where: str, choices: tuple[Any, ...], value: Any) -> Any:
    """The choice that is `value`, also by type: 1 is not True."""
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    words = [str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in choices]
    raise DeriveError(f"{where}: expected {' or '.join(words)}{did_you_mean(str(value), words)}")


def _real(where: str, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise DeriveError(f"{where}: expected a number")
    return Integer(value) if isinstance(value, int) else Float(value)


def _length(where: str, size: Size, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int) or value < size.min:
        raise DeriveError(f"{where}: expected a whole number of at least {size.min}")
    return Integer(value)


def _symbols(traced: Traced) -> dict[str, Size]:
    """Sizes and lengths by name, in order of appearance."""
    lengths = [a.size for t in (*traced.inputs, *traced.outputs) for a in t.axes]
    found = [*traced.sizes, *(s for size in lengths for s in sorted(size.atoms(Size), key=str))]
    return {s.name: s for s in found}


def _left_open(formula: Formula, chosen: _Choices) -> tuple[Parameter, ...]:
    """The parameters that remain; an optional input that is there is no longer optional."""
    left = []
    for p in formula.parameters:
        if (
            p.name in chosen.numbers
            or chosen.static.get(p.name) is False
            or (p.type is None and p.name in chosen.static)
        ):
            continue
        if p.type is not None:
            axes = tuple(_axis(a, {s: chosen.numbers[s.name] for s in a.size.atoms(Size) if s.name in chosen.numbers})
                         for a in p.type.axes)  # fmt: skip
            present = p.name in chosen.static
            made = replace(p.type, axes=axes, optional=p.type.optional and not present)
            p = Parameter(p.name, p.kind, made) if present else replace(p, type=made)
        elif p.kind == "size":
            p = replace(p, default=_default(p.default, chosen.numbers))
        left.append(p)
    return tuple(left)


def _default(default: Any, numbers: Mapping[str, Any]) -> Any:
    """The default of a size, where it is another size that is fixed: that number."""
    return numbers.get(default.name, default) if isinstance(default, Size) else default


def _axis(axis: Axis, values: Mapping[Basic, Basic]) -> Axis:
    size = axis.size.xreplace(values)
    if size.is_number and not (size.is_Integer and size >= 1):
        given = ", ".join(f"{s}={values[s]}" for s in sorted(axis.size.atoms(Size), key=str) if s in values)
        raise ShapeError(f"{axis.name} has length {size}, with {given}: expected a whole number of at least 1")
    return Axis(axis.name, size)


def _substituted(traced: Traced, numbers: Mapping[str, Any], name: str) -> Traced:
    """The trace with numbers in place of scalars, sizes and lengths."""
    symbols = {s.name: s for s in traced.scalars} | _symbols(traced)
    values: dict[Basic, Basic] = {symbols[n]: value for n, value in numbers.items() if n in symbols}
    if not values:
        return traced
    made: dict[Basic, Tensor] = {}

    def change(node: Basic) -> Basic | None:
        if isinstance(node, Axis):
            return _axis(node, values)
        return made.get(node) if isinstance(node, Tensor) else values.get(node)

    for t in traced.inputs:
        bound = None if t.bound is None else t.bound.xreplace(values)
        made[t] = t.with_(axes=[_axis(a, values) for a in t.axes], bound=bound)
    cuts = cut_anew(traced.definitions, lambda c: [_axis(a, values) for a in c.axes])
    made.update(cuts)
    for t in traced.definitions:
        made[t] = t.with_(axes=[_axis(a, values) for a in t.axes], body=_valued(mapped(t.body, change), name, values))
    tied(cuts, made)
    outputs = tuple(made[t] for t in traced.outputs)
    stated = [replace(a, statement=mapped(a.statement, change)) for a in traced.assumptions]
    return replace(
        traced,
        inputs=tuple(made[t] for t in traced.inputs),
        scalars=tuple(s for s in traced.scalars if s not in values),
        sizes=tuple(s.with_default(_default(s.default, numbers)) for s in traced.sizes if s not in values),
        outputs=outputs,
        assumptions=tuple(a for a in stated if not _holds(a, name)),
    )


def _valued(body: Any, name: str, values: Mapping[Basic, Basic]) -> Any:
    """The body itself, if no part of it lost its value: 1/0, log(0), sqrt(-1)."""
    for part in sympy.preorder_traversal(body):
        if part.args and isinstance(part, sympy.Expr) and part.is_number:
            value = part.doit()
            if value.is_real is False or value.has(sympy.zoo, sympy.nan, sympy.oo):
                options = ", ".join(f"{symbol}={number}" for symbol, number in values.items())
                raise DeriveError(f"{name}: with {options} a part of it has no value: {part}")
    return body


def _holds(assumption: Assumption, name: str) -> bool:
    """Whether an assumption is now a fact about numbers; one that is false raises."""
    statement = assumption.statement
    if statement.free_symbols or statement.atoms(Tensor):
        return False
    if statement.doit() == sympy.false:
        raise DeriveError(f"{name}: the assumption {statement} does not hold")
    return bool(statement.doit() == sympy.true)
