"""Flat terms: a coefficient, factors with rational powers, a set of summed letters. Equal terms are equal data.

    atom    = (head, letters)              a head applied to letters, both integers
    term    = (factors, bound)             factors: ((atom, power), …) sorted; bound: the letters summed over
    poly    = ((term, coefficient), …)     sorted; () is zero

Nothing nests: what a product cannot hold (a sum under a power or in a function) is a head with a definition of its
own. An Algebra owns the heads and letters of one derivation; everything in it is hash-consed, so equality is `==`.
Bound letters of a finished term are canonical; `opened` exchanges them for fresh ones before anything is put inside.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import gcd, lcm
from typing import Any

from sympy import Expr

from derive.axes import Axis, Unsupported

from .apart import uncounted
from .data import UNIT, ZERO, Atom, Factors, Head, Letter, Poly, Power, Raw, Term, number
from .naming import namings
from .roots import told_apart
from .windows import contracted

MOST_COMMON = 12  # the largest common denominator that is drawn out of a sum


class Algebra:
    """Heads, letters and the laws of canonical form, for one derivation."""

    def __init__(self) -> None:
        self.heads: list[Head] = []
        self.spaces: list[Expr] = []
        self.letter_space: list[int] = []
        self.letter_axis: list[Axis | None] = []
        self._table: dict[Any, Any] = {}
        self._ways: dict[Any, tuple[tuple[int, ...], ...]] = {}  # definitions: orders of slots that leave them as is
        self.turns: dict[int, tuple[tuple[int, ...], ...]] = {0: ((0, 1), (1, 0))}  # the same for heads; δ is symmetric
        self.delta = self.head(("delta",), "delta", "delta", (-1, -1))
        self.size_of: dict[int, Poly] = {}
        self.roots: dict[int, int] = {}  # heads that are whole numbers, which stand under roots
        self.decimal = False  # whether the author writes 0.2 for 1/5
        self.measured: dict[Poly, float] = {}  # what polys cost a reader, while the names stay what they are
        self.axes_of: dict[int, list[Axis]] = {}  # the user's letters for each length, in order of appearance
        self.beside: set[frozenset[Axis]] = set()  # the user's letters that stand in one index: h and r of s·h + r − p

    # Letters.

    def space(self, size: Expr) -> int:
        key = ("space", size)
        if key not in self._table:
            self._table[key] = len(self.spaces)
            self.spaces.append(size)
        found: int = self._table[key]
        return found

    def _new_letter(self, space: int, axis: Axis | None = None) -> Letter:
        self.letter_space.append(space)
        self.letter_axis.append(axis)
        return len(self.letter_space) - 1

    def letter(self, axis: Axis) -> Letter:
        """The letter of a user's axis."""
        key = ("letter", axis)
        if key not in self._table:
            space = self.space(axis.size)
            self._table[key] = self._new_letter(space, axis)
            self.axes_of.setdefault(space, []).append(axis)
        found: Letter = self._table[key]
        return found

    def fresh(self, like: Letter) -> Letter:
        return self._new_letter(self.letter_space[like])

    def canonical(self, kind: str, space: int, place: int) -> Letter:
        """The `place`-th bound or slot letter of a space."""
        key = (kind, space, place)
        if key not in self._table:
            self._table[key] = self._new_letter(space)
        found: Letter = self._table[key]
        return found

    def slots_for(self, spaces: Iterable[int]) -> tuple[Letter, ...]:
        """One slot letter a place; equal spaces get different letters."""
        seen: dict[int, int] = {}
        found = []
        for space in spaces:
            place = seen[space] = seen.get(space, -1) + 1
            found.append(self.canonical("slot", space, place))
        return tuple(found)

    # Heads.

    def head(self, key: Any, kind: str, label: str, spaces: tuple[int, ...] = (), **more: Any) -> Head:
        """The head of this key, made once."""
        found = self._table.get(key)
        if found is None:
            found = Head(len(self.heads), kind, label, spaces, **more)
            self.heads.append(found)
            self._table[key] = found
        result: Head = found
        return result

    def find(self, key: Any) -> Any:
        return self._table.get(key)

    def remember(self, key: Any, value: Any) -> None:
        self._table[key] = value

    # Terms: δ contracted, idempotent tests, lengths of unused letters, canonical bound letters.

    def term(self, coefficient: Power, factors: Factors, bound: Iterable[Letter]) -> Poly:
        """Σ_bound coefficient · Π factors as a poly of one term (or none, where a contradiction makes it zero)."""
        if not coefficient:
            return ZERO
        factors = {atom: power for atom, power in factors.items() if power}
        if self.roots:
            coefficient, factors = told_apart(self.roots, coefficient, factors)
        left = set(bound)
        if any(self.heads[head].kind in ("delta", "test") for head, _ in factors):
            contracted = self._contract(factors, left)
            if contracted is None:
                return ZERO
            factors = contracted
        counted = uncounted(self, factors, left)
        if counted is not None:
            return self._but_one(coefficient, factors, left, *counted)
        used = {letter for _, letters in factors for letter in letters}
        idle = left - used
        left -= idle
        if idle:
            return self._with_lengths(coefficient, factors, left, sorted(idle))
        return ((self._canonical_term(factors, left), coefficient),)

    def _but_one(self, coefficient: Power, factors: Factors, left: set[Letter], atom: Atom, letter: Letter) -> Poly:
        """Σ_j [i ≠ j] = J − 1."""
        rest = {a: p for a, p in factors.items() if a != atom}
        return self.poly([(coefficient, rest, frozenset(left)), (-coefficient, rest, frozenset(left - {letter}))])

    def _with_lengths(self, coefficient: Power, factors: Factors, left: set[Letter], idle: list[Letter]) -> Poly:
        result: Poly = ((self._canonical_term(factors, left), coefficient),)
        for letter in idle:
            length = self.size_of.get(self.letter_space[letter])
            if length is None:
                raise Unsupported(f"length {self.spaces[self.letter_space[letter]]} has not been read")
            result = self.mul(result, length)
        return result

    def _contract(self, factors: Factors, bound: set[Letter]) -> Factors | None:
        """Σ_j δ(i,j) f(j) = f(i); δ² = δ; the laws of windows; [c]² = [c]; [c][¬c] = 0."""
        heads = self.heads
        factors = self._without_deltas(factors, bound)
        while (changed := contracted(self, factors, bound)) is not None:
            if 0 in changed.values():
                return None
            factors = self._without_deltas(changed, bound)
        for head, letters in list(factors):
            if heads[head].kind == "test":
                factors[(head, letters)] = 1
                if (heads[head].opposite, letters) in factors:
                    return None
                if heads[head].opposite == self.delta.id and letters[0] == letters[1]:
                    return None  # [i ≠ i]
        return factors

    def _without_deltas(self, factors: Factors, bound: set[Letter]) -> Factors:
        """Bound letters of δ renamed; the δ's that are left connect free letters, the user's first."""
        while True:
            pair = next(
                (a for a in factors if a[0] == self.delta.id and (a[1][0] == a[1][1] or set(a[1]) & bound)), None
            )
            if pair is None:
                break
            one, two = pair[1]
            del factors[pair]
            if one != two:
                old, new = (two, one) if two in bound else (one, two)
                bound.discard(old)
                factors = self.renamed(factors, {old: new})
        for atom in sorted(a for a in factors if a[0] == self.delta.id):
            if atom in factors:
                small, large = sorted(atom[1], key=lambda a: (self.letter_axis[a] is None, a))  # the user's stays
                del factors[atom]
                factors = self.renamed(factors, {large: small})
                factors[(self.delta.id, tuple(sorted((small, large))))] = 1
        return factors

    def renamed(self, factors: Mapping[Atom, Power], mapping: Mapping[Letter, Letter]) -> Factors:
        """Factors with letters exchanged, symmetric ones in their least order; those that become equal merge."""
        result: Factors = {}
        get, turns = mapping.get, self.turns
        for (head, letters), power in factors.items():
            at = tuple([get(a, a) for a in letters])
            atom = (head, min(tuple([at[k] for k in turn]) for turn in turns[head]) if head in turns else at)
            result[atom] = number(result[atom] + power) if atom in result else power
        return {atom: power for atom, power in result.items() if power}

    def _canonical_term(self, factors: Factors, bound: set[Letter]) -> Term:
        if not bound:
            return tuple(sorted(factors.items())), ()
        named = list(namings(self, bound, [factors], "bound"))
        best = min(tuple(sorted(self.renamed(factors, names).items())) for names in named)
        return best, tuple(sorted(named[0].values()))

    # Polys.

    def poly(self, parts: Iterable[Raw]) -> Poly:
        """The sum of raw terms."""
        return self.add(*(self.term(*part) for part in parts))

    @staticmethod
    def add(*polys: Poly) -> Poly:
        """Equal terms collect: their coefficients add."""
        if len(polys) == 1:
            return polys[0]
        total: dict[Term, Power] = {}
        for poly in polys:
            for term, coefficient in poly:
                total[term] = total.get(term, 0) + coefficient
        return tuple(sorted((term, number(c)) for term, c in total.items() if c))

    @staticmethod
    def scaled(poly: Poly, by: Power) -> Poly:
        return tuple((term, number(coefficient * by)) for term, coefficient in poly)

    def opened(self, term: Term) -> tuple[Factors, frozenset[Letter]]:
        """Factors and bound letters of a term, the bound letters fresh."""
        factors, bound = term
        if not bound:
            return dict(factors), frozenset()
        names = {letter: self.fresh(letter) for letter in bound}
        return self.renamed(dict(factors), names), frozenset(names.values())

    def raws(self, poly: Poly) -> list[Raw]:
        return [(coefficient, *self.opened(term)) for term, coefficient in poly]

    @staticmethod
    def product(*parts: Raw) -> Raw:
        """The product of raw terms whose bound letters differ."""
        coefficient: Power = 1
        factors: Factors = {}
        bound: frozenset[Letter] = frozenset()
        for c, more, letters in parts:
            coefficient = number(coefficient * c)
            bound |= letters
            for atom, power in more.items():
                factors[atom] = number(factors[atom] + power) if atom in factors else power
                if not factors[atom]:
                    del factors[atom]
        return coefficient, factors, bound

    def mul(self, *polys: Poly) -> Poly:
        """The product, multiplied out."""
        return self.poly(self.product(*choice) for choice in itertools.product(*(self.raws(p) for p in polys)))

    def atom(self, head: Head, letters: tuple[Letter, ...], power: Power = 1) -> Poly:
        return self.term(1, {(head.id, letters): power}, ())

    def constant(self, value: Power) -> Poly:
        return ((UNIT, number(value)),) if value else ZERO

    def summed(self, poly: Poly, letters: Iterable[Letter]) -> Poly:
        """Σ_letters poly: the letters become bound."""
        over = frozenset(letters)
        return self.poly((c, factors, bound | over) for c, factors, bound in self.raws(poly))

    def relabelled(self, poly: Poly, mapping: Mapping[Letter, Letter]) -> Poly:
        """`poly` with free letters exchanged: never captured, since bound letters are opened first."""
        if all(old == new for old, new in mapping.items()):
            return poly
        return self.poly((c, self.renamed(f, mapping), bound) for c, f, bound in self.raws(poly))

    @staticmethod
    def free(poly: Poly) -> tuple[Letter, ...]:
        """Free letters, in order of appearance."""
        found: dict[Letter, None] = {}
        for (factors, bound), _ in poly:
            for (_, letters), _ in factors:
                for letter in letters:
                    if letter not in bound:
                        found.setdefault(letter)
        return tuple(found)

    # Definitions, hash-consed modulo the letters they are used with.

    def closed_over(self, polys: tuple[Poly, ...], bound: tuple[Letter, ...] = ()) -> tuple[Any, tuple[Letter, ...]]:
        """(polys over canonical slots, the letters those slots stand for): one key for all renamings."""
        letters = dict.fromkeys(a for poly in polys for a in self.free(poly) if a not in bound)
        parts = [dict(term[0]) for poly in polys for term, _ in poly]
        best: tuple[Poly, ...] | None = None
        orders: list[tuple[Letter, ...]] = []
        for names in namings(self, letters, parts, "slot"):
            candidate = tuple(self.relabelled(poly, names) for poly in polys)
            order = tuple(sorted(names, key=names.__getitem__))
            if best is None or candidate < best:
                best, orders = candidate, [order]
            elif candidate == best:
                orders.append(order)
        self._ways[best] = tuple(tuple(orders[0].index(a) for a in order) for order in orders)
        return best, min(orders)

    def named(self, poly: Poly, role: str = "auto", label: str = "", signed: bool = False) -> tuple[Power, Atom]:
        """(scale, atom) with poly = scale · atom: the definition's head is shared by all its multiples.

        `signed`: the scale must be positive, because a fractional power is to follow.
        """
        content = self.content(poly)
        content = abs(content) if signed else content
        body = self.scaled(poly, Fraction(1) / content)
        (body,), letters = self.closed_over((body,))
        known = self.find(("name", body))
        if known is None and not signed:
            flipped, flipped_letters = self.closed_over((self.scaled(body, -1),))
            known = self.find(("name", flipped[0]))
            if known is not None:
                mine = dict(zip(self.slots_in(body), letters, strict=True))
                return number(-content), (known.id, tuple(mine[s] for s in flipped_letters))
        if known is None:
            known = self._name_head(body, role, label)
        return number(content), (known.id, letters)

    def slots_in(self, poly: Poly) -> list[Letter]:
        return sorted(self.free(poly))

    def _name_head(self, body: Poly, role: str, label: str) -> Head:
        slots = tuple(self.slots_in(body))
        spaces = tuple(self.letter_space[s] for s in slots)
        head = self.head(("name", body), "name", label, spaces, slots=slots, args=(body,), role=role,
                         positive=self.is_positive(body))  # fmt: skip
        self._note_symmetry(head, (body,))
        return head

    @staticmethod
    def content(poly: Poly) -> Fraction:
        """The positive rational that all coefficients share; negative when every term is."""
        values = [Fraction(c) for _, c in poly]
        top, bottom = gcd(*(v.numerator for v in values)), lcm(*(v.denominator for v in values))
        if bottom > MOST_COMMON:  # a decimal such as 0.044715 stays where its author wrote it
            top = bottom = 1
        return Fraction(-top if all(v < 0 for v in values) else top, bottom)

    def op(
        self, label: str, *args: Poly, over: tuple[Letter, ...] = (), positive: bool = False, payload: Any = None
    ) -> Poly:
        """The function (or reduction over letters) `label` of polys, as an atom."""
        if over:
            names = {a: self.canonical("over", self.letter_space[a], k) for k, a in enumerate(over)}
            args, over = tuple(self.relabelled(p, names) for p in args), tuple(names.values())
        bodies, letters = self.closed_over(args, over)
        slots = tuple(sorted({a for p in bodies for a in self.free(p)} - set(over)))
        spaces = tuple(self.letter_space[s] for s in slots)
        head = self.head((label, bodies, over, payload), "op", label, spaces, slots=slots, args=bodies, over=over,
                         positive=positive, payload=payload)  # fmt: skip
        self._note_symmetry(head, bodies)
        return self.atom(head, letters)

    def _note_symmetry(self, head: Head, bodies: tuple[Poly, ...]) -> None:
        """Remember the orders of slots that leave a definition as it is."""
        if len(self._ways.get(bodies, ())) > 1:
            self.turns[head.id] = self._ways[bodies]

    def arguments(self, head: Head, letters: tuple[Letter, ...]) -> tuple[Poly, ...]:
        """An op's arguments, or a name's definition, at these letters."""
        return self.unbound(head, letters)[0]

    def unbound(self, head: Head, letters: tuple[Letter, ...]) -> tuple[tuple[Poly, ...], tuple[Letter, ...]]:
        """Arguments at these letters, and the letters they are reduced over, fresh."""
        over = tuple(self.fresh(a) for a in head.over)
        names = dict(zip((*head.slots, *head.over), (*letters, *over), strict=True))
        return tuple(self.relabelled(p, names) for p in head.args), over

    # Signs: what licenses fractional powers and division.

    def is_positive(self, poly: Poly) -> bool:
        """Provably > 0 wherever it is defined: positive coefficients, every term nonnegative, one positive."""
        signs = [self._term_sign(term) for term, c in poly if c > 0]
        return len(signs) == len(poly) > 0 and min(signs) >= 0 and max(signs) > 0

    def is_nonnegative(self, poly: Poly) -> bool:
        """Provably ≥ 0."""
        return all(c > 0 and self._term_sign(term) >= 0 for term, c in poly)

    def _term_sign(self, term: Term) -> int:
        """1: provably positive; 0: provably nonnegative; -1: unknown. Σ over a nonempty axis keeps the sign."""
        sign = 1
        for (head, _), power in term[0]:
            if self.heads[head].positive:
                continue
            even = isinstance(power, int) and power % 2 == 0
            fractional = not isinstance(power, int)
            if self.heads[head].kind in ("delta", "test") or (even and power > 0) or (fractional and power > 0):
                sign = 0
            elif not (even or fractional):
                return -1
        return sign
