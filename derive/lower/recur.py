"""Recurrences: the definitions of a cycle become one loop over the letter that they carry along.

Inside the loop every array has lost that letter. What does not depend on the carry is made before the loop, whole:
input projections are one matrix product. What others read of the loop is kept, entry by entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

from sympy import Add, Integer, Mul
from sympy.core.basic import Basic

from derive.axes import (
    Axis,
    Carried,
    Delta,
    Entry,
    PaddedEntry,
    Tensor,
    Unsupported,
    free_axes,
    rename,
    tensors_of,
)

from .algebra import Hint, real
from .cycles import Cycle, Key, body_of, cycles, target_of
from .node import Node, View
from .plan import VIEWS
from .read import Reader
from .standing import standing


@dataclass(frozen=True)
class Step:
    """One turn of a loop, on nodes without its letter: the values, and what is carried: (name node, value, start)."""

    key: Key
    backwards: bool
    values: tuple[Node, ...]
    carries: tuple[tuple[Node, Node], ...]  # what stands for the value before; the value that it becomes
    labels: tuple[str, ...]

    def shared(self, number: int) -> bool:
        """Whether a value is what is carried, before or after the step: both may be views of one array."""
        return any(self.values[number] in pair for pair in self.carries)


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
                target_of(p) in self.cycle.places for p in tensors_of(expression) if p not in around
            )
        return self._own[expression]

    def steady(self, parts: list[Any]) -> tuple[list[Any], list[Any]]:
        """What does not depend on the carry is added or multiplied before the loop, if that makes no larger array."""
        free = {p: frozenset(free_axes(p)) for p in parts if not isinstance(p, Delta) and not self._depends(p)}
        every = frozenset().union(*free.values())
        if len(free) < 2 or self.letters[-1] not in every or every not in free.values():
            return parts, []
        return [p for p in parts if p not in free], list(free)

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
        target: Any = target_of(entry.tensor)
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
    more = _asked(reader)
    values = tuple(v.node for v in (*views.values(), *more.values()))
    labels = (*(t.name for t in cycle.members), *(f"{f}_{cycle.members[k].name}" for k, f in more))
    step = Step(cycle.key, cycle.backwards, values, pairs, labels)
    order, around = inside(step)
    arguments = [*begun, *(View(node, _letters(node)) for node in around)]
    within = [length for node in order if node.op == "scan" for length in node.attr[1:2] + node.attr[2]]
    lengths = tuple(dict.fromkeys([*(length for node in order for length in node.dims), *within]))
    attr = (step, g.length(cycle.letter(cycle.members[0])), lengths)
    loop = g.make("scan", arguments, (), attr, "tuple")
    parts = [t for t in cycle.members if cycle.around is None and views[t].node.op in VIEWS and _read_off(t, cycle)]
    for number, tensor in enumerate(cycle.members):
        letters = (cycle.letter(tensor), *cycle.rest(tensor))
        kept = g.make("kept", [loop], letters, number)
        outer.defined[tensor] = kept if letters == tensor.axes else View(kept.node, letters)
        for place, of in enumerate(more):
            if of[0] == number:
                g.left[kept.node, of[1]] = g.make("kept", [loop], letters, len(cycle.members) + place).node
    for tensor in parts:
        del outer.defined[tensor]
    for tensor in parts:  # what is a part of what is kept is not kept itself
        outer.defined[tensor] = outer.read(tensor.body, tensor.axes)


def _asked(reader: StepReader) -> dict[tuple[int, str], View]:
    """Functions of members that are asked for beyond the loop, at one step: by number and name."""
    cycle, found = reader.cycle, {}
    asked = {(k, f): make for (key, k, f), make in reader.graph.answered.items() if key == cycle.key}
    for (k, function), make in asked.items() if cycle.around is None else ():
        rest = cycle.rest(cycle.members[k])
        found[k, function] = reader._whole(make(reader.defined[cycle.members[k]], rest), rest)
    return found


def _read_off(tensor: Tensor, cycle: Cycle) -> bool:
    """Whether a definition reads nothing but other members, at this step."""
    return all(not isinstance(p, Carried) and p in cycle.places for p in tensors_of(body_of(tensor)))


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
