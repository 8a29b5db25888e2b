"""A NumPy function as a claim: which of its parameters are inputs, the upstream gradient, the output."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from derive.axes import DeriveError
from derive.oracle import Array, Point, evaluate

from .derivative import Derivative

UPSTREAM = ("g", "grad", "grad_output", "grad_out", "gy", "dy", "dout", "dL_dy", "upstream", "g_y")
OUTPUT = ("y", "out", "output", "p", "probs", "a", "h")


def called(d: Derivative, name: str, function: Callable[..., Any]) -> Callable[[Point], Array]:
    """The function's value at a point, as an array for the variable `name`."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as problem:
        raise DeriveError(f"claim: {function!r} has no signature that can be read") from problem
    parameters = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    alone = _alone(d, [p.name for p in parameters])
    sources = {p.name: _source(d, p, alone) for p in parameters}

    def values(point: Point) -> Array:
        given = {key: source(point) for key, source in sources.items() if source is not None}
        try:
            found = function(**given)
        except Exception as problem:
            raise DeriveError(f"claim: {_named(function)}: {type(problem).__name__}: {problem}") from problem
        return _array(found, name, function)

    return values


def _named(function: Any) -> str:
    return str(getattr(function, "__name__", "the function"))


def _alone(d: Derivative, names: list[str]) -> dict[str, str]:
    """The one input that no parameter names, under the one name that nothing has: x for z."""
    inputs = [t.name for t in d.traced.inputs if t.name not in names]
    others = [
        n for n in names if n in ("x", "z", "input", "logits", "a") and n not in {t.name for t in d.traced.inputs}
    ]
    return {others[0]: inputs[0]} if len(inputs) == 1 and len(others) == 1 else {}


def _source(d: Derivative, parameter: inspect.Parameter, alone: dict[str, str]) -> Callable[[Point], Any] | None:
    """Where the value of a parameter comes from."""
    name, traced = alone.get(parameter.name, parameter.name), d.traced
    if name in {t.name for t in traced.inputs}:
        return lambda point: np.array(point.arrays[name])
    if name in traced.parameters:
        return lambda point: point.scalars.get(name, next((n for s, n in point.sizes.items() if str(s) == name), None))
    upstream = d.derived.upstreams[0] if d.derived.upstreams else None
    if upstream is not None and (name == upstream.name or name in UPSTREAM):
        return lambda point: np.array(point.arrays[upstream.name])
    if upstream is None and name in UPSTREAM:
        return lambda point: 1.0
    output = traced.outputs[0]
    if name == output.name or name in OUTPUT:
        return lambda point: evaluate(output.body, point, output.axes)
    if parameter.default is not parameter.empty:
        return None
    known = [t.name for t in traced.inputs] + [upstream.name if upstream else "g", output.name]
    raise DeriveError(f"claim: parameter {name}: expected names of {', '.join(known)}")


def _array(found: Any, name: str, function: Any) -> Array:
    if isinstance(found, dict):
        found = found.get(name)
    try:
        array = np.asarray(found)
        array = array if array.dtype in (np.float32, np.float16) else np.asarray(array, dtype=float)
    except (TypeError, ValueError) as problem:
        raise DeriveError(f"claim: {_named(function)} returns {type(found).__name__}, no array for {name}") from problem
    return array
