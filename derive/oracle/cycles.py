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


def groups(bodies: Mapping[Tensor, Basic]) -> list[Group]:
    """Recurrences, each after those it rests on, with the definitions that its next values are made of."""
    below: dict[Tensor, tuple[Tensor, ...]] = {tensor: tensors_of(body) for tensor, body in bodies.items()}
    carried = dict.fromkeys(part for found in below.values() for part in found if isinstance(part, Carried))
    below |= {c: (c.target,) for c in carried if c.target is not None}
    above = _reversed(below)
    reach = {c: _reached([c], below) for c in carried}
    found: list[Group] = []
    done: set[Tensor] = set()
    for first in sorted(carried, key=lambda c: len(reach[c])):
        if first in done:
            continue
        together = [c for c in carried if c in reach[first] and first in reach[c]] or [first]
        between = reach[first] & _reached(together, above) - done
        members = [t for t in bodies if t in between]
        done.update(members, together)
        found.append((together, members))
    return found


def _reversed(below: Mapping[Tensor, Iterable[Tensor]]) -> dict[Tensor, list[Tensor]]:
    """What rests on each tensor, from what each rests on."""
    found: dict[Tensor, list[Tensor]] = {}
    for tensor, parts in below.items():
        for part in parts:
            found.setdefault(part, []).append(tensor)
    return found


def _reached(start: Iterable[Tensor], after: Mapping[Tensor, Iterable[Tensor]]) -> set[Tensor]:
    """All that is met on the way from tensors to what is after them, again and again."""
    seen: set[Tensor] = set()
    stack = list(start)
    while stack:
        new = [tensor for tensor in after.get(stack.pop(), ()) if tensor not in seen]
        seen.update(new)
        stack.extend(new)
    return seen


__all__ = ["planned"]
