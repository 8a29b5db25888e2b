"""The adjoint of a state keeps its name: s̄_t comes back from s̄_{t+1}, and is not written out where it is used.

Where a derivation writes it out, the adjoint of what was before, `s̄_before`, stands in its own definition; a reader
knows no such name. The steps from there on are taken back, up to one that is free of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sympy import Eq, Expr
from sympy.core.basic import Basic

from derive.axes import Entry, Tensor, rename
from derive.steps import Derivation, Equation, Step

INSERTED = "insert an adjoint"


def states_kept(derivation: Derivation, before: frozenset[str]) -> tuple[Derivation, Mapping[str, Expr]]:
    """The derivation without those insertions, and the definitions that are other ones then; `before` are the tensors
    that hold what was before."""
    shorter = {place: _taken_back(e, before) for place, e in enumerate(derivation.equations) if e.kind != "fact"}
    changed = {place: e for place, e in shorter.items() if e.steps != derivation.equations[place].steps}
    bodies = {e.tensor.name: e.result for e in changed.values() if e.tensor is not None and e.kind == "adjoint"}
    equations = [_cited(changed.get(place, e), bodies) for place, e in enumerate(derivation.equations)]
    return replace(derivation, equations=tuple(equations)), bodies


def heirs(adjoints: Mapping[str, Tensor], same: Mapping[str, Tensor], bodies: Mapping[str, Expr]) -> dict[str, Tensor]:
    """Adjoints of second names, each with the adjoint of the first name that is just that: s̄_t of s_t = m_t is m̄_t."""
    found: dict[str, Tensor] = {}
    for name, first in same.items():
        own, heir = adjoints.get(name), adjoints.get(first.name)
        if own is None or heir is None or type(heir.body) is not Entry or tuple(heir.body.indices) != heir.axes:
            continue
        if heir.body.tensor.name == own.name and own.axes == heir.axes:
            found[own.name] = heir.with_(body=bodies.get(own.name, own.body))
    return found


def comes_back(node: Basic, before: frozenset[str]) -> bool:
    """Whether an expression mentions the adjoint of what was before."""
    return any(_of(entry.tensor) in before for entry in node.atoms(Entry))


def _of(tensor: Tensor) -> str:
    target = getattr(tensor, "target", None) or tensor
    return str(target.of) if tensor.role in ("adjoint", "carried") else ""


def _taken_back(equation: Equation, before: frozenset[str]) -> Equation:
    kept: list[Step] = []
    out = False  # whether steps are being left out
    for step in equation.steps:
        if out and not comes_back(step.after, before):
            kept.append(replace(step, before=kept[-1].after))
            out = False
        elif not out:
            out = bool(kept) and _inserts(step, before)
            kept += [] if out else [step]
    return replace(equation, steps=tuple(kept))


def _inserts(step: Step, before: frozenset[str]) -> bool:
    return step.law == INSERTED and comes_back(step.after, before) and not comes_back(step.before, before)


def _cited(equation: Equation, bodies: Mapping[str, Expr]) -> Equation:
    """The equation citing definitions as they are now."""
    steps = [replace(s, cites=tuple(_definition(c, bodies) for c in s.cites)) for s in equation.steps]
    return replace(equation, steps=tuple(steps))


def _definition(cited: Basic | None, bodies: Mapping[str, Expr]) -> Basic | None:
    if not isinstance(cited, Eq) or not isinstance(cited.args[0], Entry):
        return cited
    entry = cited.args[0]
    if entry.tensor.name not in bodies:
        return cited
    return Eq(entry, _at(bodies[entry.tensor.name], entry.tensor.axes, entry.indices), evaluate=False)


def _at(body: Expr, axes: Sequence[Basic], indices: Sequence[Basic]) -> Basic:
    return rename(body, dict(zip(axes, indices, strict=True)))


__all__ = ["comes_back", "states_kept"]
