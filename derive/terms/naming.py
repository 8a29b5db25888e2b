"""Candidate canonical names for letters: ordered by where they stand, ties in every order."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from .data import Factors, Letter


class Canonical(Protocol):
    """What naming needs to know of an algebra."""

    letter_space: list[int]
    turns: dict[int, tuple[tuple[int, ...], ...]]

    def canonical(self, kind: str, space: int, place: int) -> Letter:
        """The `place`-th letter of a kind and space."""


def namings(
    algebra: Canonical, letters: Iterable[Letter], parts: list[Factors], kind: str
) -> Iterator[dict[Letter, Letter]]:
    """Candidate canonical names: letters sorted by where they stand; only ties within a space are permuted."""
    groups: dict[int, list[Letter]] = {}
    for letter in letters:
        groups.setdefault(algebra.letter_space[letter], []).append(letter)
    ordered: list[list[tuple[Letter, ...]]] = []
    for space in sorted(groups):
        members = groups[space]
        if len(members) == 1:
            ordered.append([(members[0],)])
            continue
        ordered.append(_ties(algebra, members, parts))
    for choice in itertools.product(*ordered):
        yield {
            letter: algebra.canonical(kind, space, place)
            for space, members in zip(sorted(groups), choice, strict=True)
            for place, letter in enumerate(members)
        }


def _ties(algebra: Canonical, members: list[Letter], parts: list[Factors]) -> list[tuple[Letter, ...]]:
    """Orders of same-space letters by colour: refined by the letters they stand beside; ties in every order."""
    colour: dict[Letter, Any] = dict.fromkeys(members, 0)
    for _ in range(2):
        seen: dict[Letter, list[Any]] = {letter: [] for letter in members}
        for factors in parts:
            for (head, letters), power in factors.items():
                for place, letter in enumerate(letters):
                    if letter in seen:
                        beside = [str(colour.get(a, -1 - (a == letter))) for a in letters]
                        if head in algebra.turns:  # a symmetric head has no places
                            place, beside = -1, sorted(beside)
                        seen[letter].append((head, float(power), place, beside))
        ranks = {key: rank for rank, key in enumerate(sorted({str(sorted(v)) for v in seen.values()}))}
        colour = {letter: ranks[str(sorted(where))] for letter, where in seen.items()}
    classes: dict[int, list[Letter]] = {}
    for letter in members:
        classes.setdefault(colour[letter], []).append(letter)
    orders = [list(itertools.permutations(classes[rank])) for rank in sorted(classes)]
    return [tuple(itertools.chain(*order)) for order in itertools.product(*orders)]
