"""[i ≠ j]: the complement of δ or of a window, a condition of its own: nothing is added only to be taken off again."""

from __future__ import annotations

from .data import Atom, Factors, Letter
from .windows import Owner, is_window, solutions


def unequal(owner: Owner, atom: Atom) -> Atom:
    """[i ≠ j]: the complement of a window or of δ, a condition."""
    head = owner.heads[atom[0]]
    if head.opposite < 0:
        slots = head.slots or owner.slots_for(head.spaces)
        other = owner.head(
            ("unequal", head.id), "test", "no", head.spaces, slots=slots, payload=head.payload, args=head.args
        )
        head.opposite, other.opposite = other.id, head.id
        if head.id in owner.turns:
            owner.turns[other.id] = owner.turns[head.id]
    return head.opposite, atom[1]


def uncounted(owner: Owner, factors: Factors, bound: set[Letter]) -> tuple[Atom, Letter] | None:
    """A condition [i ≠ j] with a summed letter that stands nowhere else, and is i for one of its values."""
    for atom in factors:
        head = owner.heads[atom[0]]
        if head.label != "no" or head.opposite < 0 or not set(atom[1]) & bound:
            continue
        of = owner.heads[head.opposite]
        plain = of.kind == "delta"
        if not plain and not is_window(of):
            continue
        letters = atom[1] if plain else tuple(found[0] for found in solutions(owner, (of.id, atom[1])))
        alone = (a for a in letters if a in bound and sum(a in at for _, at in factors) == 1 and atom[1].count(a) == 1)
        letter = next(alone, None)
        if letter is not None:
            return atom, letter
    return None
