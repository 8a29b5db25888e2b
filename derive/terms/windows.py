"""Windows: W(y = s·h + r − p), 1 where an integer equation holds, else 0. δ(i, j) is the simplest of them.

A window is a linear form over letters and integer entries, with polynomials in sizes as coefficients, that is to be
zero. Tensors stay indexed by plain letters: x[s·h + r − p] is Σ_y W(y = s·h + r − p) x[y], and the range of y pads.
Forms are normal (terms merged, divided by what they share, one sign of two), so that equal windows are equal atoms.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from sympy import Dummy, Expr, Integer, evaluate, expand

from derive.axes import ArgMaxOver, Axis, Tensor, in_range, nonnegative
from derive.axes.ranges import text

from .data import Atom, Factors, Head, Letter, Poly, Power

PLAIN = -1  # in place of a head: the letter itself is the number
MOST_PARTS = 6  # forms of more parts are not searched for exchanges that leave them as they are

Part = tuple[Expr, int, tuple[Letter, ...]]  # coefficient · (head at letters), or · letter


@dataclass(frozen=True)
class Form:
    """Σ coefficient · integer + constant = 0. `widths`: how many letters each integer takes."""

    coefficients: tuple[Expr, ...]
    heads: tuple[int, ...]
    widths: tuple[int, ...]
    constant: Expr

    def parts(self, letters: tuple[Letter, ...]) -> list[Part]:
        """The terms of the form at these letters."""
        starts = itertools.accumulate(self.widths, initial=0)
        return [
            (c, head, letters[start : start + width])
            for c, head, width, start in zip(self.coefficients, self.heads, self.widths, starts, strict=False)
        ]


class Owner(Protocol):
    """What windows need of an algebra."""

    heads: list[Head]
    spaces: list[Expr]
    letter_space: list[int]
    delta: Head
    turns: dict[int, tuple[tuple[int, ...], ...]]

    def head(self, key: object, kind: str, label: str, spaces: tuple[int, ...] = (), **more: object) -> Head:
        """The head of this key."""

    def find(self, key: Any) -> Any:
        """What is remembered under a key."""

    def remember(self, key: Any, value: Any) -> None:
        """Remember a value."""

    def slots_for(self, spaces: Iterable[int]) -> tuple[Letter, ...]:
        """One slot letter a place."""

    def atom(self, head: Head, letters: tuple[Letter, ...], power: Power = 1) -> Poly:
        """One atom as a poly."""


@lru_cache(maxsize=20000)
def _sum(one: Expr, two: Expr) -> Expr:
    with evaluate(True):
        return expand(one + two)


@lru_cache(maxsize=20000)
def _times(one: Expr, two: Expr) -> Expr:
    with evaluate(True):
        return expand(one * two)


def window(owner: Owner, parts: Iterable[Part], constant: Expr) -> Atom | bool:
    """The atom that says Σ parts + constant = 0; True or False where that is certain or impossible."""
    merged: dict[tuple[int, tuple[Letter, ...]], Expr] = {}
    for coefficient, head, letters in parts:
        place = (head, letters)
        merged[place] = _sum(merged[place], coefficient) if place in merged else coefficient
    terms = [(c, head, letters) for (head, letters), c in merged.items() if c != 0]
    if not terms and constant.is_Integer:
        return bool(constant == 0)
    terms, constant = _reduced(terms, constant)
    if constant == 0 and len(terms) == 2 and {t[1] for t in terms} == {PLAIN}:
        (c, _, (one,)), (d, _, (two,)) = terms
        if _sum(c, d) == 0 and owner.letter_space[one] == owner.letter_space[two]:
            return owner.delta.id, tuple(sorted((one, two)))
    return _normal(owner, terms, constant)


def _reduced(terms: list[Part], constant: Expr) -> tuple[list[Part], Expr]:
    """m·x = m·y is x = y: what all terms share is divided out, where the constant allows."""
    if constant == 0 and len({t[0] for t in terms} | {_times(Integer(-1), t[0]) for t in terms}) == 2:
        lead = terms[0][0]
        if not (nonnegative(lead - 1) or nonnegative(-lead - 1)):
            return terms, constant  # it may be zero
        return [(Integer(1) if c == lead else Integer(-1), h, ls) for c, h, ls in terms], constant
    return terms, constant


def _normal(owner: Owner, terms: list[Part], constant: Expr) -> Atom | bool:
    """The atom of the two signs' lesser form."""
    best = None
    for sign in (Integer(1), Integer(-1)):
        signed = [(_times(sign, c), h, ls) for c, h, ls in terms]
        signed.sort(key=lambda t: (t[1], [owner.letter_space[a] for a in t[2]], text(t[0]), t[2]))
        signature = [(t[1], tuple(owner.letter_space[a] for a in t[2]), text(t[0])) for t in signed]
        candidate = (signature, text(_times(sign, constant)), [t[2] for t in signed])
        if best is None or candidate < best[0]:
            best = candidate, signed, _times(sign, constant)
    assert best is not None
    (signature, _, _), signed, constant = best
    letters = tuple(a for _, _, ls in signed for a in ls)
    head = _head(owner, ("window", tuple(signature), text(constant)), signed, constant)
    if owner.find(("never", head.id)):
        return False
    turns = owner.turns.get(head.id)
    return head.id, min(tuple(letters[k] for k in turn) for turn in turns) if turns else letters


def _head(owner: Owner, key: object, terms: list[Part], constant: Expr) -> Head:
    known = owner.find(key)
    if isinstance(known, Head):
        return known
    spaces = tuple(owner.letter_space[a] for _, _, ls in terms for a in ls)
    form = Form(
        tuple(t[0] for t in terms), tuple(t[1] for t in terms), tuple(len(t[2]) for t in terms), constant
    )  # fmt: skip
    slots = owner.slots_for(spaces)
    integers = tuple(owner.atom(owner.heads[h], ls) for _, h, ls in form.parts(slots) if h != PLAIN)
    head = owner.head(key, "test", "window", spaces, slots=slots, payload=form, args=integers)
    turns = _turns(form, spaces)
    if len(turns) > 1:
        owner.turns[head.id] = turns
    value = _value(owner, form, slots)
    owner.remember(("never", head.id), nonnegative(value - 1) or nonnegative(-value - 1))
    return head


def _turns(form: Form, spaces: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Orders of slots that leave a form as it is, or turn its sign."""
    parts = form.parts(tuple(range(len(spaces))))
    whole = tuple(range(len(spaces)))
    if len(parts) > MOST_PARTS:
        return (whole,)
    found = []
    for sign in (1, -1) if form.constant == 0 else (1,):
        for order in itertools.permutations(range(len(parts))):
            fits = all(
                parts[k][1] == parts[at][1]
                and _times(Integer(sign), parts[k][0]) == parts[at][0]
                and [spaces[a] for a in parts[k][2]] == [spaces[a] for a in parts[at][2]]
                for at, k in enumerate(order)
            )
            if fits:
                found.append(tuple(a for k in order for a in parts[k][2]))
    return tuple(found)


def _value(owner: Owner, form: Form, letters: tuple[Letter, ...]) -> Expr:
    """The form as an expression for the prover: integers as letters of their range."""
    total = form.constant
    for number, (coefficient, head, at) in enumerate(form.parts(letters)):
        total = total + coefficient * _stand_in(owner, number, head, at)
    return total


def _stand_in(owner: Owner, number: int, head: int, at: tuple[Letter, ...]) -> Expr:
    if head == PLAIN:
        return Axis(f"i{number}", owner.spaces[owner.letter_space[at[0]]])
    bound = integer_bound(owner, owner.heads[head])
    return Axis(f"i{number}", bound) if bound is not None else Dummy(integer=True)


def integer_bound(owner: Owner, head: Head) -> Expr | None:
    """Integers of a head lie in 0 … bound − 1."""
    if isinstance(head.payload, Tensor):
        body, bound = head.payload.body, head.payload.bound
        return body.integer_bound() if isinstance(body, ArgMaxOver) else bound
    return owner.spaces[owner.letter_space[head.over[head.payload]]]


def tied(owner: Owner, letter: Letter, integer: Poly) -> Atom:
    """W(letter = integer), the integer a poly of one atom."""
    (((((head, letters), _),), _), _) = integer[0]
    found = window(owner, [(Integer(1), PLAIN, (letter,)), (Integer(-1), head, letters)], Integer(0))
    assert not isinstance(found, bool)
    return found


def is_window(head: Head) -> bool:
    """Whether a head is a window (δ is not: it has laws of its own)."""
    return head.label == "window"


def solutions(owner: Owner, atom: Atom) -> list[tuple[Letter, list[Part], Expr]]:
    """(letter, parts, constant) for each letter that a window gives, always within its range."""
    head = owner.heads[atom[0]]
    key = ("solvable", head.id)
    found = owner.find(key)
    if found is None:
        parts = head.payload.parts(tuple(range(len(head.spaces))))
        found = tuple(k for k in range(len(parts)) if _gives(owner, head, k))
        owner.remember(key, found)
    result = []
    for k in found:
        letter, parts, constant = solved(head.payload, atom[1], k)
        if all(letter not in ls for _, _, ls in parts):
            result.append((letter, parts, constant))
    return result


def solved(form: Form, letters: tuple[Letter, ...], k: int) -> tuple[Letter, list[Part], Expr]:
    """The k-th part's letter by the others: its coefficient is 1 or −1."""
    parts = form.parts(letters)
    lead = parts[k]
    turn = _times(Integer(-1), lead[0])
    return lead[2][0], [(_times(turn, c), h, ls) for j, (c, h, ls) in enumerate(parts) if j != k], _times(
        turn, form.constant)  # fmt: skip


def _gives(owner: Owner, head: Head, k: int) -> bool:
    """Whether part k is a letter with coefficient ±1 whose solution provably lies in its range."""
    form: Form = head.payload
    if form.heads[k] != PLAIN or form.coefficients[k] not in (1, -1):
        return False
    slots = head.slots
    value = _value(owner, form, slots)
    at = form.parts(slots)[k][2][0]
    letter = _stand_in(owner, k, PLAIN, (at,))
    solution = expand(-form.coefficients[k] * (value - form.coefficients[k] * letter))
    return in_range(solution, owner.spaces[owner.letter_space[at]])


# Laws on the windows of one term.


def contracted(owner: Owner, factors: Factors, bound: set[Letter]) -> Factors | None:
    """One law applied (the factors changed), None where none applies; {…: 0} stands for a term that is zero."""
    windows = sorted(a for a in factors if is_window(owner.heads[a[0]]))
    for atom in windows:
        if factors[atom] != 1:
            return {**factors, atom: 1}
        parts = owner.heads[atom[0]].payload.parts(atom[1])
        if len({(h, ls) for _, h, ls in parts}) < len(parts):
            return _exchanged(factors, atom, window(owner, parts, owner.heads[atom[0]].payload.constant))
        if decided := _decided(owner, atom):
            return {**{a: p for a, p in factors.items() if a != atom}, **dict.fromkeys(decided, 1)}
    changed = _summed(owner, factors, bound, windows)
    return changed if changed is not None else _paired(owner, factors, windows)


def _exchanged(factors: Factors, old: Atom, new: Atom | bool) -> Factors:
    rest = {a: p for a, p in factors.items() if a != old}
    if new is True:
        return rest
    return {**rest, new: 1} if new is not False else {old: 0}


def _summed(owner: Owner, factors: Factors, bound: set[Letter], windows: list[Atom]) -> Factors | None:
    """Σ_y W(y = e) = 1; Σ_y W(y = e) W(z = y + …) = W(z = e + …): y stands in windows alone, e within its range."""
    for atom in windows:
        for letter, parts, constant in solutions(owner, atom):
            if letter not in bound:
                continue
            users = [a for a in factors if a != atom and letter in a[1]]
            if not all(a in windows and _plainly(owner, a, letter) for a in users):
                continue
            result: Factors = {a: p for a, p in factors.items() if a != atom and a not in users}
            bound.discard(letter)
            for user in users:
                new = window(owner, *_substituted(owner, user, letter, parts, constant))
                if new is False:
                    return {atom: 0}
                if new is not True:
                    result[new] = 1
            return result
    return None


def _plainly(owner: Owner, atom: Atom, letter: Letter) -> bool:
    """Whether a letter stands in a window as a number alone, not within an integer entry."""
    return all(head == PLAIN for head, letters in _places(owner, atom) if letter in letters)


def _places(owner: Owner, atom: Atom) -> list[tuple[int, tuple[Letter, ...]]]:
    return [(h, ls) for _, h, ls in owner.heads[atom[0]].payload.parts(atom[1])]


def _substituted(
    owner: Owner, atom: Atom, letter: Letter, parts: list[Part], constant: Expr
) -> tuple[list[Part], Expr]:
    """A window's form with a letter replaced by a form."""
    form: Form = owner.heads[atom[0]].payload
    result: list[Part] = []
    total = form.constant
    for coefficient, head, letters in form.parts(atom[1]):
        if (head, letters) == (PLAIN, (letter,)):
            result += [(_times(coefficient, c), h, ls) for c, h, ls in parts]
            total = _sum(total, _times(coefficient, constant))
        else:
            result.append((coefficient, head, letters))
    return result, total


def _paired(owner: Owner, factors: Factors, windows: list[Atom]) -> Factors | None:
    """e = m and e = m′ say that m = m′: used where that decides letters, or cannot be."""
    for one, two in itertools.combinations(windows, 2):
        for k, (coefficient, head, letters) in enumerate(owner.heads[one[0]].payload.parts(one[1])):
            if head != PLAIN or coefficient not in (1, -1) or (PLAIN, letters) not in _places(owner, two):
                continue
            letter, parts, constant = solved(owner.heads[one[0]].payload, one[1], k)
            found = window(owner, *_substituted(owner, two, letter, parts, constant))
            if isinstance(found, bool) or found[0] == owner.delta.id or _decided(owner, found):
                return _exchanged(factors, two, found)
    return None


def _decided(owner: Owner, atom: Atom) -> list[Atom] | None:
    """Σ c_k (a_k − b_k) = 0 with each c_k beyond what the smaller ones reach (radix): every a_k = b_k."""
    key = ("digits", atom[0])
    if owner.find(key) is None:
        owner.remember(key, _digits(owner, owner.heads[atom[0]]))
    pairs: tuple[tuple[int, int], ...] = owner.find(key)
    return [(owner.delta.id, tuple(sorted((atom[1][j], atom[1][k])))) for j, k in pairs] or None


def _digits(owner: Owner, head: Head) -> tuple[tuple[int, int], ...]:
    """Pairs of places whose letters a window makes equal; () where it does not decide them one by one."""
    form: Form = head.payload
    pairs: dict[Expr, list[tuple[Expr, int]]] = {}
    for place, (coefficient, inner, _) in enumerate(form.parts(tuple(range(len(head.spaces))))):
        if inner != PLAIN:
            return ()
        key = coefficient if not coefficient.could_extract_minus_sign() else _times(Integer(-1), coefficient)
        pairs.setdefault(key, []).append((coefficient, place))
    if form.constant != 0 or any(len(p) != 2 or _sum(p[0][0], p[1][0]) != 0 for p in pairs.values()):
        return ()
    reach: Expr = Integer(0)
    for coefficient in sorted(pairs, key=lambda c: (c.count_ops(), text(c))):
        one, two = (head.spaces[place] for _, place in pairs[coefficient])
        if one != two or not nonnegative(coefficient - 1 - reach):
            return ()
        reach = _sum(reach, _times(coefficient, owner.spaces[one] - 1))
    return tuple((p[0][1], p[1][1]) for p in pairs.values())


__all__ = [
    "PLAIN",
    "Form",
    "Part",
    "contracted",
    "integer_bound",
    "is_window",
    "solutions",
    "tied",
    "window",
]
