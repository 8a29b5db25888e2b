"""Cycles of definitions, cut where a recurrence carries: their adjoints are named first, their equations found last.

h[t] rests on hp[t], and hp[t] on what is carried, c[t − 1], which is h. Going backwards, h̄ needs the adjoint of hp at
t + 1: that is a name of its own, c̄, handed on to h before h̄ is worked out; when all of h̄'s uses are, hp̄ is c̄.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from derive.axes import Carried
from derive.differentiate import Backward
from derive.terms import Algebra, Head, Letter, Poly, Reader


@dataclass(frozen=True)
class Cut:
    """What is carried stands for `target`; `before` are the definitions that read it."""

    carried: Head
    target: Head
    before: tuple[Head, ...]


def cuts_of(reader: Reader, forward: Iterable[Head], more: Iterable[tuple[Head, Head]] = ()) -> tuple[Cut, ...]:
    """The cycles among the definitions; `more` are those of an earlier pass: what is carried, and what it is."""
    forward = tuple(forward)
    own = ((reader.tensor(c), reader.tensor(c.target)) for c in reader.carried if c.target is not None)
    found = []
    for carried, target in (*own, *more):
        before = tuple(h for h in forward if any(mentions(poly, carried.id) for poly in h.args))
        if before:
            found.append(Cut(carried, target, before))
    return tuple(found)


def mentions(poly: Poly, head: int) -> bool:
    """Whether a head stands among the factors of a poly."""
    return any(atom[0] == head for (factors, _), _ in poly for atom, _ in factors)


def opened(cuts: Iterable[Cut], backward: Backward, relevant: set[int]) -> dict[int, Head]:
    """Hand the adjoints of what reads a carry on to its target, by names; definition → the name of its adjoint."""
    names: dict[int, Head] = {}
    for cut in cuts:
        for head in (h for h in cut.before if h.id in relevant and h.id not in names):
            names[head.id] = named(backward.reader.algebra, f"{head.label}_bar", backward.slots(head))
            backward.push(head, [(1, {(names[head.id].id, backward.slots(head)): 1}, frozenset())])
    for cut in cuts:
        backward.pending.setdefault(cut.target.id, []).extend(
            (cut.target, letters, part) for _, letters, part in backward.pending.pop(cut.carried.id, [])
        )
    return names


def named(algebra: Algebra, label: str, slots: tuple[Letter, ...]) -> Head:
    """A name for what is carried, until its definition is found; how it is printed is decided then."""
    spaces = tuple(algebra.letter_space[a] for a in slots)
    tensor = Carried(label, [algebra.axes_of[space][0].alias(f"at_{k}") for k, space in enumerate(spaces)])
    return algebra.head(("carried", tensor), "tensor", label, spaces, slots=slots, payload=tensor)


def closed(cuts: Iterable[Cut], depends: set[int]) -> bool:
    """Whether what depends on a target has become more: what is carried depends on it, too."""
    new = {cut.carried.id for cut in cuts if cut.target.id in depends} - depends
    depends |= new
    return bool(new)


__all__ = ["Cut", "closed", "cuts_of", "mentions", "named", "opened"]
