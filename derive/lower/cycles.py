"""Which definitions of a task rest on each other, and along which letter: each such cycle becomes a loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sympy import Add, Mul
from sympy.core.basic import Basic

from derive.axes import (
    Axis,
    Carried,
    Delta,
    Entry,
    PaddedEntry,
    SumOver,
    Tensor,
    Unsupported,
    free_axes,
    mapped,
    rename,
    tensors_of,
)

Key = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Cycle:
    """Definitions that rest on each other; `places` says which axis of each is the letter that is scanned over.

    `own` is what this loop carries. What is left of the recurrence at one step of it, along another letter, is a loop
    within; `around` is the loop that this one stands in.
    """

    members: tuple[Tensor, ...]
    places: Mapping[Tensor, int]
    backwards: bool
    own: frozenset[Carried]
    around: Cycle | None = None

    @property
    def key(self) -> Key:
        """Its name, and how deep it stands."""
        return (*(tensor.name for tensor in self.members), *("within" for _ in self.outer))

    @property
    def outer(self) -> tuple[Cycle, ...]:
        return () if self.around is None else (self.around, *self.around.outer)

    @property
    def passed(self) -> frozenset[Carried]:
        """What this loop and those around it carry: known at one step."""
        return self.own.union(*(cycle.own for cycle in self.outer))

    def letter(self, tensor: Tensor) -> Axis:
        return tensor.axes[self.places[tensor]]

    def rest(self, tensor: Tensor) -> tuple[Axis, ...]:
        """The letters of one step."""
        return self.at_step(tensor, tensor.axes)

    def at_step(self, tensor: Tensor, indices: Sequence[Any]) -> tuple[Any, ...]:
        """Those of the tensor's indices that are left at one step."""
        taken = {cycle.places[tensor] for cycle in (self, *self.outer)}
        return tuple(index for k, index in enumerate(indices) if k not in taken)


def cycles(where: str, definitions: Sequence[Tensor], around: Cycle | None = None) -> dict[Tensor, Cycle]:
    """Each definition that a recurrence carries along, with its cycle; within one, what is left at one step of it."""
    if not any(isinstance(part, Carried) for t in definitions for part in tensors_of(t.body)):
        return {}
    passed = around.passed if around else frozenset()
    uses = {tensor: _uses(tensor, passed) for tensor in definitions}
    reach = {tensor: _reached(tensor, uses) for tensor in definitions}
    found: dict[Tensor, Cycle] = {}
    for tensor in definitions:
        if tensor in found or tensor not in reach[tensor]:
            continue
        members = tuple(t for t in definitions if t in reach[tensor] and tensor in reach[t])
        cycle = _cycle(where, members, around)
        found.update(dict.fromkeys(members, cycle))
    return found


@lru_cache(maxsize=1024)
def body_of(tensor: Tensor) -> Any:
    """The body, what is carried read at its place: Σ_s [t = s − 1](c_s + f_s) = c_{t+1} + Σ_s [t = s − 1] f_s."""
    body: Any = tensor.body
    return mapped(body, _read_on) if any(isinstance(part, Carried) for part in tensors_of(body)) else body


def _read_on(node: Basic) -> Basic | None:
    """Terms of a sum that are carried entries, where a delta says at which: c is 0 beyond its ends."""
    if not isinstance(node, SumOver) or len(node.axes) != 1 or not isinstance(node.body, Mul):
        return None
    (letter,) = node.axes
    deltas = [f for f in node.body.args if isinstance(f, Delta) and letter in free_axes(f)]
    others = [f for f in node.body.args if f not in deltas]
    if len(deltas) != 1 or len(others) != 1:
        return None
    gap = deltas[0].args[0] - deltas[0].args[1]
    index = letter - gap / gap.coeff(letter) if gap.coeff(letter) in (1, -1) else letter
    if letter in free_axes(index):
        return None
    terms = Add.make_args(others[0])
    carried = [c for c in terms if isinstance(c, Entry) and isinstance(c.tensor, Carried)]
    read = [PaddedEntry(c.tensor, *(rename(i, {letter: index}) for i in c.indices)) for c in carried]
    rest = Add(*(c for c in terms if c not in carried), evaluate=False)
    left = [SumOver(Mul(rest, *deltas, evaluate=False), letter)] if rest != 0 else []
    return Add(*read, *left, evaluate=False) if carried else None


def _uses(tensor: Tensor, passed: frozenset[Carried]) -> list[Tensor]:
    """What a body refers to; through what it carries, the target, if that is not `passed` on by a loop around."""
    parts = (target_of(p) for p in tensors_of(body_of(tensor)) if p not in passed)
    return [part for part in parts if part is not None and part.body is not None]


def target_of(tensor: Tensor) -> Tensor | None:
    """The definition that a tensor stands for: what is carried stands for its target."""
    return tensor.target if isinstance(tensor, Carried) else tensor


def _reached(tensor: Tensor, uses: Mapping[Tensor, list[Tensor]]) -> set[Tensor]:
    seen: set[Tensor] = set()
    stack = list(uses[tensor])
    while stack:
        part = stack.pop()
        if part not in seen:
            seen.add(part)
            stack.extend(uses.get(part, ()))
    return seen


def _cycle(where: str, members: tuple[Tensor, ...], around: Cycle | None) -> Cycle:
    """The cycle along the first letter that serves: one that all members have, each at this step or the one before."""
    passed = around.passed if around else frozenset()
    carried = [(t, e) for t in members for e in _entries(t, members) if isinstance(e.tensor, Carried)]
    steps = [(t, e, _step(t, e)) for t, e in carried if e.tensor not in passed]
    moves = [(t, e, place) for t, e, place in steps if place is not None]
    for tensor, entry, place in sorted(moves, key=lambda move: move[2]):
        places = _places(members, {entry.tensor.target: place, tensor: _place(tensor, entry.indices[place])})
        if len(places) < len(members):
            continue
        along = [(e.tensor, int(e.indices[k] - t.axes[places[t]])) for t, e, k in moves if k == places[e.tensor.target]]
        if {step for _, step in along} in ({1}, {-1}):
            return Cycle(members, places, along[0][1] == 1, frozenset(c for c, _ in along), around)
    read = ", ".join(dict.fromkeys(f"{e} in {t.name}" for t, e, _ in steps))
    raise Unsupported(f"{where}: no loop for {read}: expected a letter of {', '.join(t.name for t in members)} along "
                      f"which each rests on the step before, or each on the next")  # fmt: skip


def _step(tensor: Tensor, entry: Any) -> int | None:
    """Which index of what is carried is one before or after a letter of the tensor; None where it is read elsewhere."""
    places = [k for k, index in enumerate(entry.indices) if not isinstance(index, Axis)]
    letters = [free_axes(entry.indices[k]) for k in places]
    if len(places) != 1 or len(letters[0]) != 1 or letters[0][0] not in tensor.axes:
        return None
    return places[0] if abs(entry.indices[places[0]] - letters[0][0]) == 1 else None


def _place(tensor: Tensor, index: Any) -> int:
    return tensor.axes.index(free_axes(index)[0])


def _places(members: tuple[Tensor, ...], places: dict[Tensor, int]) -> dict[Tensor, int]:
    """Which axis of each member is one letter, found along what reads what."""
    reads = [(t, e, target_of(e.tensor)) for t in members for e in _entries(t, members)]
    known = 0
    while len(places) > known:
        known = len(places)
        for tensor, entry, read in reads:
            if read in places and tensor not in places:
                letters = free_axes(entry.indices[places[read]])
                places.update((tensor, tensor.axes.index(a)) for a in letters if a in tensor.axes)
            elif tensor in places and read is not None and read not in places:
                letter = tensor.axes[places[tensor]]
                places.update((read, k) for k, index in enumerate(entry.indices) if letter in free_axes(index))
    return places


def _entries(tensor: Tensor, members: tuple[Tensor, ...]) -> list[Any]:
    """The entries of a cycle's members that a definition reads, in an order of their own."""
    return sorted((e for e in body_of(tensor).atoms(Entry) if target_of(e.tensor) in members), key=str)
