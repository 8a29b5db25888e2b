"""The code under test, called at one point as a user calls it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from derive.axes import Tensor
from derive.oracle import Array, Point
from derive.steps import Subject


@dataclass(frozen=True)
class Code:
    """Generated functions as plain callables, and what they give: outputs, and a gradient for each name."""

    forward: Callable[..., Any]
    backward: Callable[..., Any] | None = None
    value_and_grad: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Answers:
    """What came out at one point: (quantity, function) → numbers; what NumPy warned of, or what was raised."""

    found: Mapping[tuple[str, str], Array]
    warned: tuple[str, ...] = ()
    raised: str = ""


def answers(subject: Subject, code: Code, upstreams: tuple[Tensor, ...], point: Point, kind: Any) -> Answers:
    """Outputs by name and gradients as `d/dx`, in one float type."""
    arrays = {name: a.astype(kind) if a.dtype.kind == "f" else a for name, a in point.arrays.items()}
    given: dict[str, Any] = {t.name: arrays[t.name] for t in subject.inputs}
    given |= {s.name: point.scalars[s.name] for s in subject.scalars}
    given |= {s.name: point.sizes[s] for s in subject.sizes}
    found: dict[tuple[str, str], Array] = {}
    warned: dict[str, None] = {}

    def outputs(made: Any, function: str) -> None:
        parts = made if isinstance(made, tuple) else (made,)
        found.update({(t.name, function): np.asarray(y) for t, y in zip(subject.outputs, parts, strict=True)})

    def gradients(made: Mapping[str, Any], function: str) -> None:
        found.update({(f"d/d{name}", function): np.asarray(g) for name, g in made.items()})

    try:
        with np.errstate(under="ignore", over="call", divide="call", invalid="call", call=_heard(warned)):
            y, saved = code.forward(**given)
            outputs(y, "forward")
            if code.backward is not None:
                g = tuple(arrays[t.name] for t in upstreams) or (kind(1),)
                gradients(code.backward(g[0] if len(g) == 1 else g, saved), "backward")
            if code.value_and_grad is not None:
                y, grads = code.value_and_grad(**given)
                outputs(y, "value_and_grad")
                gradients(grads, "value_and_grad")
    except Exception as problem:  # whatever generated code raises is a finding
        return Answers(found, tuple(warned), f"{type(problem).__name__}: {problem}")
    return Answers(found, tuple(warned))


def _heard(warned: dict[str, None]) -> Callable[[str, int], None]:
    return lambda fault, flag: warned.setdefault(fault)
