"""In which order definitions are evaluated; those that rest on themselves, by what a recurrence carries, together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from sympy.core.basic import Basic

from derive.axes import Carried, Tensor, definitions, tensors_of

Group = tuple[list[Carried], list[Tensor]]  # what is carried, and the definitions to be swept until it stays
Readings = tuple[tuple[Tensor, Basic], ...]  # definitions that are read with another body


@dataclass(frozen=True)
class Plan:
    """Recurrences, each after those it rests on, then every definition after what it refers to."""

    groups: tuple[Group, ...]
    order: tuple[Tensor, ...]


@lru_cache(maxsize=2048)
def planned(roots: tuple[Basic, ...], readings: Readings) -> Plan:
    """The order for the definitions that the roots rest on: that of one point is that of all."""
    order, read = definitions(roots), dict(readings)
    further = definitions([read[tensor] for tensor in order if tensor in read])
    return Plan(tuple(groups({t: read.get(t, t.body) for t in (*further, *order)})), order)


@lru_cache(maxsize=4096)
def _parts(body: Basic) -> tuple[Tensor, ...]:
    """The tensors a body refers to; asked for at every point."""
    return tensors_of(body)


def groups(bodies: Mapping[Tensor, Basic]) -> list[Group]:
    """Recurrences, each after those it rests on, with the definitions that its next values are made of."""
    parts = {tensor: _parts(body) for tensor, body in bodies.items()}
    carried = dict.fromkeys(part for found in parts.values() for part in found if isinstance(part, Carried))
    reach = {c: _reached([c], parts) for c in carried}
    found: list[Group] = []
    done: set[Tensor] = set()
    for first in sorted(carried, key=lambda c: len(reach[c])):
        if first in done:
            continue
        together = [c for c in carried if c in reach[first] and first in reach[c]] or [first]
        members = [t for t in parts if t in reach[first] and t not in done and _rests_on(t, together, parts)]
        done.update(members, together)
        found.append((together, members))
    return found


def _rests_on(tensor: Tensor, together: Iterable[Carried], parts: Mapping[Tensor, tuple[Tensor, ...]]) -> bool:
    """Whether a definition rests on one of these."""
    return not _reached([tensor], parts).isdisjoint(together)


def _reached(start: Iterable[Tensor], parts: Mapping[Tensor, tuple[Tensor, ...]]) -> set[Tensor]:
    """All that tensors rest on; what is carried rests on its target."""
    seen: set[Tensor] = set()
    stack = list(start)
    while stack:
        top = stack.pop()
        below = (top.target,) if isinstance(top, Carried) and top.target is not None else parts.get(top, ())
        new = [part for part in below if part not in seen]
        seen.update(new)
        stack.extend(new)
    return seen


__all__ = ["planned"]
