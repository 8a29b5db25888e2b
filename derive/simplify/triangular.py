"""Zeros of triangular factors: where k > j, the entry L_jk of a Cholesky factor is 0, and so is that of L⁻¹."""

from __future__ import annotations

from derive.terms import Algebra, Atom, Head, Letter, Poly, Term, entries

from .rules import Rules

LOWER = {"cholesky": True, "triangular_factor": False}  # which of the factors have zeros above the diagonal
Place = tuple[Letter, Letter]


def triangular(rules: Rules, poly: Poly) -> tuple[Poly, tuple[object, ...]] | None:
    """The terms without those that ask a triangular factor for what is beyond its diagonal."""
    kept = tuple((term, c) for term, c in poly if not _vanishes(rules.algebra, term))
    return (kept, ()) if len(kept) < len(poly) else None


def _vanishes(algebra: Algebra, term: Term) -> bool:
    atoms = [atom for atom, _ in term[0]]
    ordered = {pair for atom in atoms if (pair := _larger(algebra, atom)) is not None}
    return bool(ordered) and any(zero in ordered for atom in atoms if (zero := _zero_where(algebra, atom)) is not None)


def _larger(algebra: Algebra, atom: Atom) -> Place | None:
    """(a, b) of the condition a > b on two letters."""
    head = algebra.heads[atom[0]] if atom[0] >= 0 else None
    if head is None or head.kind != "test" or head.payload != "gt" or head.label != "yes" or len(head.slots) != 2:
        return None
    names = dict(zip(head.slots, atom[1], strict=True))
    sides = [_letter(algebra, side) for side in head.args]
    one, two = (names.get(side) if side is not None else None for side in sides)
    return (one, two) if one is not None and two is not None else None


def _letter(algebra: Algebra, side: Poly) -> Letter | None:
    """i, of a poly that is the letter i."""
    if len(side) != 1 or side[0][1] != 1 or side[0][0][1] or len(side[0][0][0]) != 1:
        return None
    ((head, letters), power) = side[0][0][0][0]
    return letters[0] if power == 1 and len(letters) == 1 and algebra.heads[head].kind == "index" else None


def _zero_where(algebra: Algebra, atom: Atom) -> Place | None:
    """(a, b) where the entry is 0 for a > b."""
    found = _entry(algebra, atom)
    if found is None:
        return None
    lower, row, column = found
    return (column, row) if lower else (row, column)


def _entry(algebra: Algebra, atom: Atom) -> tuple[bool, Letter, Letter] | None:
    """(whether lower triangular, row, column) of an entry of a triangular factor or of the inverse of one."""
    head = algebra.heads[atom[0]] if atom[0] >= 0 else None
    if head is None or head.kind not in ("name", "op"):
        return None
    if head.kind == "op":
        return _of_function(algebra, head, atom[1])
    if len(head.definition) != 1 or head.definition[0][1] != 1 or head.definition[0][0][1]:
        return None
    factors, names = head.definition[0][0][0], dict(zip(head.slots, atom[1], strict=True))
    if len(factors) != 1 or factors[0][1] != 1:
        return None
    ((inner, letters), _) = factors[0]
    return _entry(algebra, (inner, tuple(names.get(a, a) for a in letters)))  # what it is a name of


def _of_function(algebra: Algebra, head: Head, letters: tuple[Letter, ...]) -> tuple[bool, Letter, Letter] | None:
    if head.label in LOWER:
        row, column = entries(head, letters)[1]
        return LOWER[head.label], row, column
    if head.label != "inv" or len(head.args[0]) != 1 or len(head.args[0][0][0][0]) != 1 or head.args[0][0][0][1]:
        return None
    ((inner, power),) = head.args[0][0][0][0]
    factor = _entry(algebra, inner)
    if power != 1 or factor is None or set(factor[1:]) != set(head.over):
        return None
    row, column = entries(head, letters)[1]
    return factor[0] == (factor[1:] == head.over), row, column
