"""A derivation with everything that a reader must be told, and nothing that says that a thing is itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sympy import Eq
from sympy.core.basic import Basic

from derive.axes import Tensor, definitions
from derive.steps import Derivation, Equation, Step

NAMED = {"found", "adjoint", "tangent"}  # roles of names that the formula did not give


def completed(derivation: Derivation) -> Derivation:
    """Every name that is printed has its equation, before the adjoints; no fact says a = a."""
    kept = tuple(_told(e) for e in derivation.equations if e.kind != "fact" or e.result != e.target)
    missing = tuple(_equation(tensor) for tensor in _nameless(kept))
    first = next((k for k, e in enumerate(kept) if e.kind not in {"definition", "found"}), len(kept))
    return replace(derivation, equations=(*kept[:first], *missing, *kept[first:]))


def _nameless(equations: Iterable[Equation]) -> list[Tensor]:
    """The names that are printed somewhere without an equation, what they rest on first."""
    equations = list(equations)
    known = {e.tensor.name for e in equations if e.tensor is not None and e.kind != "result"}
    shown = [part for e in equations for step in e.steps for part in (step.before, step.after)]
    return [t for t in definitions(shown) if t.role in NAMED and t.name not in known]


def _equation(tensor: Tensor) -> Equation:
    target = tensor[tensor.axes]
    kind = "adjoint" if tensor.role == "adjoint" else "found"
    return Equation(kind, target, tensor, (Step("name", target, tensor.body, "a name for what stands below"),))


def _told(equation: Equation) -> Equation:
    """The equation without citations of what says nothing."""
    steps = tuple(replace(s, cites=tuple(c for c in s.cites if not _empty(c))) for s in equation.steps)
    return replace(equation, steps=steps)


def _empty(cited: Basic | None) -> bool:
    return isinstance(cited, Eq) and cited.args[0] == cited.args[1]


__all__ = ["completed"]
