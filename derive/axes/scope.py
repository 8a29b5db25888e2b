"""What is free, what is bound, and how to rename without capture.

Definitions are closed over their own letters, so renaming an entry touches its indices and never the body behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any, TypeVar

from sympy.core.basic import Basic

from .functions import Delta
from .index import Axis, fresh_letter
from .ranges import in_range, settled
from .reduce import Reduction
from .tensor import BoolEntry, Carried, Entry, PaddedBoolEntry, PaddedEntry, Tensor

Answer = TypeVar("Answer")
MOST_KNOWN = 16384


def _known(function: Callable[[Basic], Answer]) -> Callable[[Basic], Answer]:
    """The function, which remembers what it said of an object: of an equal one it is not asked, for sizes that are
    equal may have other defaults."""
    said: dict[int, tuple[Basic, Answer]] = {}

    @wraps(function)
    def asked(node: Basic) -> Answer:
        entry = said.get(id(node))
        if entry is None:
            if len(said) >= MOST_KNOWN:
                said.clear()
            entry = said[id(node)] = node, function(node)  # it holds the object, whose number is nobody else's
        return entry[1]

    return asked


@_known
def free_axes(node: Basic) -> tuple[Axis, ...]:
    """The free letters of an expression, in order of first appearance."""
    found: dict[Axis, None] = {}

    def visit(part: Basic, bound: frozenset[Axis]) -> None:
        if isinstance(part, Axis):
            if part not in bound:
                found.setdefault(part)
            return
        inner = bound | set(part.axes) if isinstance(part, Reduction) else bound
        for child in part.args[:1] if isinstance(part, Reduction) else part.args:
            visit(child, inner)
        for index in part.at if isinstance(part, Reduction) else ():
            visit(index, bound)

    visit(node, frozenset())
    return tuple(found)


def letters_of(node: Basic) -> set[Axis]:
    """Every letter written in an expression, free or bound."""
    return set(node.atoms(Axis))


def rename(node: Basic, mapping: Mapping[Axis, Basic]) -> Basic:
    """`node` with free letters replaced; a bound letter that would capture one is renamed first."""
    mapping = {old: new for old, new in mapping.items() if old is not new and old != new}
    return _renamed(node, mapping) if mapping else node


def _renamed(node: Basic, mapping: Mapping[Axis, Basic]) -> Basic:
    if isinstance(node, Axis):
        return mapping.get(node, node)
    if isinstance(node, Reduction):
        inner = {old: new for old, new in mapping.items() if old not in node.axes}
        incoming = {x for new in inner.values() for x in ([new] if isinstance(new, Axis) else letters_of(new))}
        taken = {letter.name for letter in incoming | letters_of(node)} if incoming & set(node.axes) else set()
        bound = []
        for letter in node.axes:
            if letter in incoming:
                inner[letter] = fresh_letter(letter, taken)
                taken.add(inner[letter].name)
            bound.append(inner.get(letter, letter))
        body = _renamed(node.body, inner) if inner else node.body
        return node.rebound(body, bound, [_renamed(index, mapping) for index in node.at])
    if not node.args:
        return node
    return rebuilt(node, [_renamed(child, mapping) for child in node.args])


def rebuilt(node: Basic, args: list[Basic]) -> Basic:
    """The node over new arguments, unevaluated: the order a reader wrote is kept."""
    if all(new is old for new, old in zip(args, node.args, strict=True)):
        return node
    if isinstance(node, (Entry, BoolEntry)):
        return _entry(node, args[0], [settled(index) for index in args[1:]])
    if isinstance(node, Delta):
        return node.func(*(settled(index) for index in args))
    if node.func.__module__.startswith("derive"):
        return node.func(*args)
    return node.func(*args, evaluate=False)


def _entry(node: Entry | BoolEntry, tensor: Tensor, indices: list[Basic]) -> Basic:
    """The entry at new indices: one that has come within its tensor need not be padded."""
    kind = node.func
    if kind in _PLAIN and all(in_range(i, a.size) for i, a in zip(indices, tensor.axes, strict=True)):
        kind = _PLAIN[kind]
    return kind(tensor, *indices)


_PLAIN: dict[type, type] = {PaddedEntry: Entry, PaddedBoolEntry: BoolEntry}


def mapped(node: Basic, change: Callable[[Basic], Basic | None]) -> Basic:
    """`node` with every subexpression for which `change` answers replaced, from the root down; binders included."""
    replacement = change(node)
    if replacement is not None:
        return replacement
    if not node.args:
        return node
    return rebuilt(node, [mapped(child, change) for child in node.args])


@_known  # a check asks for the same at every point
def tensors_of(node: Basic) -> tuple[Tensor, ...]:
    """The tensors an expression refers to, in order of first appearance; bodies are not entered."""
    found: dict[Tensor, None] = {}
    stack = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, Tensor):
            found.setdefault(part)
        stack.extend(reversed(part.args))
    return tuple(found)


def cut_anew(
    order: Iterable[Tensor],
    axes: Callable[[Carried], Iterable[Axis]] = lambda c: c.axes,
    names: Mapping[Tensor, str] | None = None,
) -> dict[Tensor, Tensor]:
    """For what definitions carry, new tensors of that kind: to be tied to the new definitions once those are made."""
    found = dict.fromkeys(c for t in order if t.body is not None for c in tensors_of(t.body) if isinstance(c, Carried))
    return {c: Carried((names or {}).get(c.target, c.name) if c.target else c.name, axes(c)) for c in found}


def tied(cuts: Mapping[Tensor, Tensor], made: Mapping[Any, Tensor]) -> None:
    """Close the cycles: each new carried tensor is the new definition of what the old one was."""
    for old, new in cuts.items():
        if isinstance(old, Carried) and isinstance(new, Carried) and old.target is not None:
            new.target = made[old.target]


def definitions(roots: Iterable[Basic]) -> tuple[Tensor, ...]:
    """Every defined tensor that the roots refer to, each after what its body refers to; never recursive in depth.

    What a recurrence carries is followed, too, but is after nothing.
    """
    done: dict[Tensor, None] = {}
    waiting = list(roots)
    while waiting:
        carried = _define(waiting, done)
        waiting = [c.target[c.target.axes] for c in carried if c.target is not None and c.target not in done]
    return tuple(done)


def _define(roots: Iterable[Basic], done: dict[Tensor, None]) -> list[Carried]:
    """Enter the definitions that the roots refer to; what they carry."""
    carried: dict[Carried, None] = {}
    stack: list[tuple[Tensor, Iterator[Tensor]]] = []

    def open_(tensor: Tensor) -> None:
        parts = tensors_of(tensor.body) if tensor.body is not None else ()
        carried.update(dict.fromkeys(part for part in parts if isinstance(part, Carried)))
        stack.append((tensor, iter(parts)))

    for root in roots:
        starts = tensors_of(root)
        carried.update(dict.fromkeys(start for start in starts if isinstance(start, Carried)))
        for start in starts:
            if start.body is None or start in done:
                continue
            open_(start)
            while stack:
                tensor, rest = stack[-1]
                following = next((t for t in rest if t.body is not None and t not in done), None)
                if following is None:
                    done.setdefault(tensor)
                    stack.pop()
                else:
                    open_(following)
    return list(carried)
