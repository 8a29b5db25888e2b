"""Recurrences: the definitions of a cycle become one loop over the letter that they carry along.

Inside the loop every array has lost that letter. What does not depend on the carry is made before the loop, whole:
input projections are one matrix product. What others read of the loop is kept, entry by entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any

from sympy import Add, Integer, Mul
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

from .algebra import Hint, real
from .node import Node, View
from .read import Reader
from .standing import standing

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


@dataclass(frozen=True)
class Step:
    """One turn of a loop, on nodes without its letter: the values, and what is carried: (name node, value, start)."""

    key: Key
    backwards: bool
    values: tuple[Node, ...]
    carries: tuple[tuple[Node, Node], ...]  # what stands for the value before; the value that it becomes
    labels: tuple[str, ...]


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
    parts = (_target(p) for p in tensors_of(body_of(tensor)) if p not in passed)
    return [part for part in parts if part is not None and part.body is not None]


def _target(tensor: Tensor) -> Tensor | None:
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
    reads = [(t, e, _target(e.tensor)) for t in members for e in _entries(t, members)]
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
    return sorted((e for e in body_of(tensor).atoms(Entry) if _target(e.tensor) in members), key=str)


class StepReader(Reader):
    """Reads the definitions of a cycle for one step; what does not depend on them, whole, with the reader around it."""

    def __init__(self, outer: Reader, cycle: Cycle) -> None:
        within = cycles(outer.where, cycle.members, cycle)
        super().__init__(outer.graph, {}, outer.where, {t: partial(lowered, cycle=c) for t, c in within.items()})
        self.outer, self.cycle, self.flat = outer, cycle, outer.flat
        self.carries: dict[Carried, View] = {}
        self._own: dict[Basic, bool] = {}

    def read(self, expression: Any, hint: Hint) -> View:
        """An expression at one step."""
        if isinstance(expression, Entry):
            self.entry(expression)
        if self._depends(expression):
            return super().read(expression, hint)
        letter = self.letters[-1]
        outer, self.outer.guards = self.outer.guards, ()
        view = self.outer.read(expression, (letter, *hint))
        self.outer.guards = outer
        return self.at_step(view, letter)

    def at_step(self, view: View, letter: Axis) -> View:
        """An array at one step."""
        if letter not in view.letters:
            return view
        rest = tuple(a for a in view.letters if a != letter)
        return self.graph.make("at_step", [view], rest, (self.cycle.key, view.letters.index(letter)), view.node.kind)

    def _depends(self, expression: Basic) -> bool:
        if expression not in self._own:
            around = self.cycle.passed - self.cycle.own
            self._own[expression] = any(
                _target(p) in self.cycle.places for p in tensors_of(expression) if p not in around
            )
        return self._own[expression]

    def define(self, tensor: Tensor) -> View:
        if isinstance(tensor, Carried):
            return self._before(tensor) if tensor in self.cycle.own else super().define(tensor)
        if tensor not in self.cycle.places:
            raise Unsupported(f"{self.where}: {tensor.name} is no part of the recurrence")
        if tensor in self.cycles and tensor not in self.defined:
            self.cycles[tensor](self)
            members = {t for t, lower in self.cycles.items() if t in self.defined}
            self.defined.update({t: self._whole(self.defined[t], self.cycle.rest(t)) for t in members})
        if tensor not in self.defined:
            with self.at(tensor):
                body = standing(self._started(tensor), {reader.letters[-1] for reader in (self, *self.around())})
                view = real(self.graph, self.read(body, self.cycle.rest(tensor)))
            self.defined[tensor] = self._whole(view, self.cycle.rest(tensor))
        return self.defined[tensor]

    @contextmanager
    def at(self, tensor: Tensor) -> Iterator[None]:
        """Reading what a definition says: its letters, in this loop and in those around it."""
        readers = [self, *self.around()]
        for reader in readers:
            reader.letters.append(reader.cycle.letter(tensor))
        yield
        for reader in readers:
            reader.letters.pop()

    def around(self) -> list[StepReader]:
        return [self.outer, *self.outer.around()] if isinstance(self.outer, StepReader) else []

    def _whole(self, view: View, letters: tuple[Axis, ...]) -> View:
        g = self.graph
        if beyond := [a.name for a in view.letters if a not in letters]:
            raise Unsupported(f"{self.where}: no loop for what is read along {', '.join(beyond)} at other steps")
        if set(view.letters) != set(letters):
            view = g.make("constant", [view], ()) if view.host and not letters else g.make("broadcast", [view], letters)
        return view if view.letters == letters else g.make("permute", [view], letters)

    def entry(self, entry: Any) -> None:
        """Refuse an entry of the recurrence at another step than this one, or the one before."""
        target: Any = _target(entry.tensor)
        for reader in (self, *self.around()):
            if target not in reader.cycle.places:
                continue
            index, letter = entry.indices[reader.cycle.places[target]], reader.letters[-1]
            wanted = letter if entry.tensor not in reader.cycle.own else letter + (1 if reader.cycle.backwards else -1)
            if index != wanted:
                raise Unsupported(f"{self.where}: no loop for {entry}: expected {entry.tensor.name} at {wanted}")

    def _before(self, carried: Carried) -> View:
        if carried not in self.carries:
            assert carried.target is not None
            rest = self.cycle.rest(carried.target)
            self.carries[carried] = self.graph.make("carry", (), rest, (self.cycle.key, carried.name))
        return self.carries[carried]

    def _started(self, tensor: Tensor) -> Any:
        """The body; of c[t − 1] + [t = first] e, only what is carried: e is what that starts with."""
        body: Any = body_of(tensor)
        return body if self.start(tensor) is None else next(p for p in body.args if isinstance(p, PaddedEntry))

    def start(self, tensor: Tensor) -> Any:
        """e of a body c[t − 1] + [t = first] e, where c is carried for it alone."""
        body: Any = body_of(tensor)
        letter = self.cycle.letter(tensor)
        if not isinstance(body, Add) or len(body.args) != 2:
            return None
        entry = next((a for a in body.args if isinstance(a, PaddedEntry) and a.tensor in self.cycle.own), None)
        other = next((a for a in body.args if a is not entry), None)
        if entry is None or not isinstance(other, Mul):
            return None
        first = letter.size - 1 if self.cycle.backwards else Integer(0)
        deltas = [f for f in other.args if isinstance(f, Delta) and f.args == (letter, first)]
        rest = Mul(*(f for f in other.args if f not in deltas), evaluate=False)
        if len(deltas) != 1 or letter in free_axes(rest) or self._depends(rest):
            return None
        return rest, tensor, entry


def lowered(outer: Reader, cycle: Cycle) -> None:
    """The loop of a cycle, and the array of each of its definitions, along the whole letter."""
    g, reader = outer.graph, StepReader(outer, cycle)
    views = {tensor: reader.define(tensor) for tensor in cycle.members}
    starts = {s[2].tensor: s for tensor in cycle.members if (s := reader.start(tensor)) is not None}
    carries = sorted(reader.carries.items(), key=lambda item: item[0].name)
    pairs = tuple((view.node, views[c.target].node) for c, view in carries if c.target is not None)
    begun = [_start(reader, c, starts.get(c)) for c, _ in carries]
    labels = tuple(tensor.name for tensor in cycle.members)
    step = Step(cycle.key, cycle.backwards, tuple(v.node for v in views.values()), pairs, labels)
    order, around = inside(step)
    arguments = [*begun, *(View(node, _letters(node)) for node in around)]
    within = [length for node in order if node.op == "scan" for length in node.attr[1:2] + node.attr[2]]
    lengths = tuple(dict.fromkeys([*(length for node in order for length in node.dims), *within]))
    attr = (step, g.length(cycle.letter(cycle.members[0])), lengths)
    loop = g.make("scan", arguments, (), attr, "tuple")
    for number, tensor in enumerate(cycle.members):
        letters = (cycle.letter(tensor), *cycle.rest(tensor))
        kept = g.make("kept", [loop], letters, number)
        outer.defined[tensor] = kept if letters == tensor.axes else View(kept.node, letters)


def _start(reader: StepReader, carried: Carried, given: Any) -> View:
    """What is carried into the first step, over the letters of what is carried."""
    assert carried.target is not None
    g, letters = reader.graph, reader.cycle.rest(carried.target)
    if given is None:
        zero = g.number(Fraction(0))
        return g.make("broadcast", [zero], letters) if letters else g.make("constant", [zero], ())
    expression, tensor, entry = given
    order = reader.cycle.at_step(carried.target, entry.indices)
    with reader.at(tensor):
        expression = rename(expression, dict(zip(order, letters, strict=True)))
        view = real(g, reader.outer.read(expression, letters))
    if set(view.letters) != set(letters):
        view = g.make("broadcast", [view], letters) if letters else g.make("constant", [view], ())
    return view if view.letters == letters else g.make("permute", [view], letters)


def _letters(node: Node) -> tuple[Axis, ...]:
    return tuple(Axis(f"axis_{k}_{node.number}", size) for k, size in enumerate(node.dims))


def inside(step: Step) -> tuple[list[Node], list[Node]]:
    """(the nodes of one step, each after its arguments; the nodes around it that they read)."""
    own: dict[Node, bool] = {}
    order: list[Node] = []

    def visit(node: Node) -> bool:
        stack = [(node, False)]
        while stack:
            top, ready = stack.pop()
            if top in own:
                continue
            if top.op in ("at_step", "carry") and top.attr[0] == step.key:
                own[top] = True
                order.append(top)
            elif ready:
                own[top] = any(own[a] for a, _ in top.args)
                if own[top]:
                    order.append(top)
            else:
                stack.append((top, True))
                stack.extend((a, False) for a, _ in top.args)
        return own[node]

    for value in step.values:
        visit(value)
    around: dict[Node, None] = {}
    for node in order:
        around.update(dict.fromkeys(a for a, _ in node.args if node.op == "at_step" or not own[a]))
    around.update(dict.fromkeys(v for v in step.values if not own[v]))
    return order, list(around)
