"""What a formula's signature declares: tensors, scalars, sizes, static choices."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from derive.axes import DeriveError, NameProblem, Scalar, Size, TensorType, checked_identifier

Outputs = tuple[TensorType, ...]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a formula. kind: "tensor", "scalar", "size" or "static" (a choice made when tracing)."""

    name: str
    kind: str
    type: TensorType | None = None
    choices: tuple[Any, ...] = ()
    default: Any = inspect.Parameter.empty

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


def annotations_of(function: Callable[..., Any], frame_locals: Mapping[str, Any]) -> dict[str, Any]:
    """Annotations as values; strings (`from __future__ import annotations`) are read in the defining frame."""
    try:
        return inspect.get_annotations(function, eval_str=True, locals=dict(frame_locals))
    except Exception as problem:
        raise DeriveError(f"formula {function.__name__}: an annotation cannot be read: {problem}") from problem


def _parameter(name: str, annotation: Any, spec: inspect.Parameter, where: str) -> Parameter:
    if isinstance(annotation, TensorType):
        if annotation.optional and spec.default is not None:
            raise DeriveError(f"{where}: optional input {name} needs the default None")
        return Parameter(name, "tensor", annotation, default=spec.default)
    if annotation is Scalar:
        return Parameter(name, "scalar", default=spec.default)
    if annotation is Size:
        return Parameter(name, "size", default=spec.default)
    if annotation is bool or get_origin(annotation) is Literal:
        if spec.kind is not inspect.Parameter.KEYWORD_ONLY:
            raise DeriveError(f"{where}: static parameter {name} must be keyword-only (put it after *)")
        choices = (True, False) if annotation is bool else get_args(annotation)
        return Parameter(name, "static", choices=choices, default=spec.default)
    given = "no annotation" if annotation is inspect.Parameter.empty else repr(annotation)
    raise DeriveError(f"{where}: parameter {name}: expected T[...], Int[...], Bool[...], Scalar, Size, "
                      f"Literal[...] or bool, given {given}")  # fmt: skip


def parameters_of(function: Callable[..., Any], hints: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """The declared parameters, checked: every name usable, none called like one of its axes."""
    where = f"formula {function.__name__}"
    found = []
    for name, spec in inspect.signature(function).parameters.items():
        if spec.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            raise DeriveError(f"{where}: *{name} is not supported: declare every input")
        checked_identifier(name, f"{where}: parameter")
        found.append(_parameter(name, hints.get(name, inspect.Parameter.empty), spec, where))
    letters = {a.name: p.name for p in found if p.type for a in p.type.axes}
    for parameter in found:
        if parameter.name in letters:
            raise NameProblem(f"{where}: parameter {parameter.name} is named like an axis of {letters[parameter.name]}")
    return tuple(found)


def outputs_of(annotation: Any, where: str) -> Outputs | dict[Any, Outputs]:
    """The declared outputs: one shape, a tuple of shapes, or a shape for every value of a static parameter."""
    if isinstance(annotation, TensorType):
        return (annotation,)
    if get_origin(annotation) is tuple and all(isinstance(a, TensorType) for a in get_args(annotation)):
        return tuple(get_args(annotation))
    if isinstance(annotation, dict):
        return {value: outputs_of(shape, where) for value, shape in annotation.items()}  # type: ignore[misc]
    raise DeriveError(f"{where}: expected a return annotation T[...], tuple[T[...], ...] or a dictionary of them, "
                      f"given {annotation!r}")  # fmt: skip
