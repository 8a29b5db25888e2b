"""Definitions as oriented equations: what each lets us write instead of what.

A definition of one product folds: p = e^z/S lets p·S stand for e^z. A definition of a sum solves for one of its terms
(x − μ = u lets u + μ stand for x); such folds only serve to find facts. Facts are the reductions that definitions
contain, seen through the folds: Σ e^z = S becomes Σ p = 1; D μ = Σ x becomes Σ x̂ = 0. Every rule removes an atom that
stands earlier in the order of definitions, so the system is triangular and rewriting ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from derive.terms import (
    Algebra,
    Atom,
    Factors,
    Head,
    Letter,
    Poly,
    Power,
    Raw,
    Term,
    number,
)


@dataclass(frozen=True)
class Fold:
    """`body` stands for `head` at `letters`, to the power `power`. source: the definition it comes from.

    guard: what else the definition was made of, each with its power beside the head. It folds only in terms that carry
    it, and takes it with it: [c] eᶻ = p S where p = [c] eᶻ/S.
    """

    head: int
    letters: tuple[Letter, ...]
    body: Poly
    source: int
    power: int = 1
    guard: tuple[tuple[Atom, Power], ...] = ()


@dataclass(frozen=True)
class Fact:
    """Σ_bound Π pattern = value, over any other letters. source: the definition (or assumption) it comes from."""

    pattern: tuple[tuple[Atom, Power], ...]
    bound: tuple[Letter, ...]
    value: Poly
    source: int


@dataclass
class Rules:
    """The oriented equations of one derivation. `facts` are found by `simplify.facts`."""

    algebra: Algebra
    folds: dict[int, Fold] = field(default_factory=dict)
    rivals: dict[int, list[Fold]] = field(default_factory=dict)  # other ratios of what a fold has: eᶻ over columns
    affine: dict[int, Fold] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    symmetric: dict[int, tuple[tuple[int, ...], Fact]] = field(default_factory=dict)  # head: its letters' other order
    looked_at: set[int] = field(default_factory=set)  # heads whose symmetry is known, or that have none
    by_head: dict[int, list[Fact]] = field(default_factory=dict)  # facts by the latest head of their pattern
    brackets: list[Head] = field(default_factory=list)  # sums of two terms that the author grouped
    own: set[int] = field(default_factory=set)  # the definitions themselves
    regrouped: dict[int, tuple[Power, Atom] | None] = field(default_factory=dict)
    domain: set[int] = field(default_factory=set)  # heads the formula itself divides by, or takes a root of

    def nonzero(self, factors: Factors) -> bool:
        """No factor can vanish where the formula is defined."""
        heads = self.algebra.heads
        return all(p < 0 or heads[a[0]].positive or a[0] in self.domain for a, p in factors.items())

    def divisible(self, factors: Factors) -> bool:
        """The formula itself divides by these: a fold may bring in no quotient of its own (σ, exp underflow to 0)."""
        heads = self.algebra.heads
        return all(
            p < 0 or a[0] in self.domain or (heads[a[0]].kind == "symbol" and heads[a[0]].positive)
            for a, p in factors.items()
        )

    # Folds.

    def orient(self, head: Head, body: Poly) -> None:
        """Enter the definition head = body, already normalised by the rules before it."""
        if len(body) == 1 and not body[0][0][1]:
            self._product(head, *body[0])
        elif len(body) > 1:
            self._sum(head, body)
        if head.role == "auto" and len(head.definition) == 2 and not any(bound for (_, bound), _ in head.definition):
            self.brackets.append(head)

    def _product(self, head: Head, term: Term, coefficient: Power) -> None:
        """n = c f^p Π rest solves for f = (n / (c Π rest))^(1/p), where rest cannot vanish."""
        best = max(
            (f for f in term[0] if self._leads(head, f, dict(term[0]))),
            key=lambda f: (self._rank(f[0][0]), f[0]),
            default=None,
        )
        if best is None:
            return
        (lead, letters), power = best
        root = Fraction(1) / Fraction(power)
        if coefficient != 1 and root.denominator != 1:
            return
        factors: Factors = {(head.id, head.slots): number(root)}
        guard = self._guard(head, term, (lead, letters), power)
        for atom, p in term[0]:
            if atom != (lead, letters) and atom not in dict(guard):
                factors[atom] = number(-Fraction(p) * root)
        scale = number(Fraction(1) / Fraction(coefficient) ** root.numerator) if coefficient != 1 else 1
        body = self.algebra.term(scale, factors, ())
        fold = Fold(lead, letters, body, head.id, guard=guard)
        if lead in self.folds:
            self.rivals.setdefault(lead, []).append(fold)
        else:
            self.folds[lead] = fold

    def rival(self, head: Head, folded: Poly) -> bool:
        """Enter n = eᶻ/S beside an earlier fold of eᶻ, where that fold would only write n by the other's ratio."""
        if len(head.definition) != 1 or len(folded) != 1:
            return False
        ((term, coefficient),) = head.definition
        known = any(a[0] in self.folds and self.algebra.heads[a[0]].label == "exp" for a, _ in term[0])
        divided = any(p < 0 and self.algebra.heads[a[0]].kind == "name" for a, p in folded[0][0][0])
        if term[1] or not known or not divided:
            return False
        self._product(head, term, coefficient)
        return True

    def _guard(self, head: Head, term: Term, lead: Atom, power: Power) -> tuple[tuple[Atom, Power], ...]:
        """Conditions, and beside an exponential others: eᵃ eᶻ/S folds as one, or eᵃ alone would be left to overflow.

        Weights, too, where discovery put them beside it: r = π eᶻ/S. Nothing tells that π is not 0.
        """
        stays = [(a, p) for a, p in term[0] if a != lead and self._stays(head, a, p, lead)]
        return tuple((a, number(Fraction(p) / Fraction(power))) for a, p in stays)

    def _stays(self, head: Head, atom: Atom, power: Power, lead: Atom) -> bool:
        kinds = [self.algebra.heads[a[0]] for a in (atom, lead)]
        weight = head.role == "found" and power == 1 and not self.divisible({atom: power})
        both = all(kind.label == "exp" for kind in kinds)
        return kinds[0].kind == "test" or both or (weight and kinds[1].label == "exp")

    def _leads(self, head: Head, factor: tuple[Atom, Power], factors: Factors) -> bool:
        (lead, letters), power = factor
        kind = self.algebra.heads[lead]
        taken = lead in self.folds and kind.label != "exp"
        if kind.kind not in ("op", "name", "tensor") or taken or lead == head.id:
            return False
        if set(letters) != set(head.slots) or len(set(letters)) < len(letters):
            return False
        rest = {a: p for a, p in factors.items() if a != factor[0] and not self._stays(head, a, p, factor[0])}
        statistic = any(self.algebra.heads[a[0]].kind in ("name", "op") for a in rest)
        if kind.kind == "tensor" and not statistic:
            return False  # x/τ is no reason to write x as τ·n
        if (Fraction(1) / Fraction(power)).denominator != 1 and not kind.positive:
            return False
        return self.divisible(rest)

    def _rank(self, head: int) -> tuple[int, int]:
        """Functions and definitions before inputs: 1 + e^z may not capture what p = e^z/S should."""
        return ({"op": 2, "name": 1}.get(self.algebra.heads[head].kind, 0), head)

    def _sum(self, head: Head, body: Poly) -> None:
        """n = c a + rest solves for a, where a carries all letters and occurs once."""
        counts: dict[int, int] = {}
        for (factors, _), _ in body:
            for (h, _), _ in factors:
                counts[h] = counts.get(h, 0) + 1
        for (factors, bound), coefficient in body:
            if bound or len(factors) != 1 or factors[0][1] not in (1, -1):
                continue
            lead, letters = factors[0][0]
            kind = self.algebra.heads[lead].kind
            carries = set(letters) == set(head.slots) and len(set(letters)) == len(letters)
            if kind not in ("tensor", "name", "op") or not carries or counts[lead] > 1 or lead in self.affine:
                continue
            rest = self.algebra.add(
                self.algebra.term(1, {(head.id, head.slots): 1}, ()),
                *(((t, -c),) for t, c in body if t != (factors, bound)),
            )
            rest = self.algebra.scaled(rest, Fraction(1) / coefficient)
            self.affine[lead] = Fold(lead, letters, rest, head.id, int(factors[0][1]))
            return

    def divided(self, poly: Poly) -> Poly:
        """1/p − 1 as (1 − p)/p, where 1 − p is a name already."""
        algebra = self.algebra
        least: Factors = {}
        for atom in {a for (factors, bound), _ in poly if not bound for a, _ in factors}:
            least[atom] = min(dict(factors).get(atom, 0) for (factors, _), _ in poly)
        least = {a: p for a, p in least.items() if p < 0}
        if not least or any(bound for (_, bound), _ in poly):
            return poly
        inverse = algebra.term(1, {a: number(-p) for a, p in least.items()}, ())
        (body,), letters = algebra.closed_over((algebra.mul(inverse, poly),))
        for scale in (1, -1):
            known = algebra.find(("name", algebra.scaled(body, scale)))
            if known is not None:
                return algebra.term(scale, {**least, (known.id, letters): 1}, ())
        return poly

    # Application.

    def fold_once(self, poly: Poly, table: dict[int, Fold]) -> tuple[Poly, tuple[int, ...]] | None:
        """Every folded head in the poly exchanged for what stands for it; the sources of the folds used."""
        if not any(atom[0] in table for (factors, _), _ in poly for atom, _ in factors):
            return None
        used: dict[int, None] = {}
        parts: list[Poly] = []
        for (factors, bound), coefficient in poly:
            folded = next(self._foldable(factors, table), None)
            if folded is None:
                parts.append((((factors, bound), coefficient),))
                continue
            ((head, letters), power), fold = folded
            used.setdefault(fold.source)
            parts.append(self._exchanged(((factors, bound), coefficient), (head, letters), power, fold))
        return (self.algebra.add(*parts), tuple(used)) if used else None

    def _foldable(
        self, factors: tuple[tuple[Atom, Power], ...], table: dict[int, Fold]
    ) -> Iterator[tuple[tuple[Atom, Power], Fold]]:
        """Factors with the fold that fits; of several, only one whose statistic stands beside: eᶻ/S is p."""
        beside = dict(factors)
        for factor in factors:
            first = table.get(factor[0][0])
            if first is None:
                continue
            rivals = self.rivals.get(factor[0][0], []) if table is self.folds else []
            fitting = [fold for fold in (first, *rivals) if self._fits(factor, fold, beside)]
            best = max(fitting, key=lambda fold: self._cancels(factor, fold, beside), default=None)
            named = best is not None and self._renames(factor[0][0], best)
            if best is not None and (not (rivals or named) or self._cancels(factor, best, beside)):
                yield factor, best

    def _renames(self, head: int, fold: Fold) -> bool:
        """Whether what was found would write a name by more: u as r (1 + v), where r is u/(1 + v); not 1/u as s."""
        heads = self.algebra.heads
        detour = len(fold.body) > 1 or len(fold.body[0][0][0]) > 1
        return detour and heads[head].role == "auto" and fold.source >= 0 and heads[fold.source].role == "found"

    def _cancels(self, factor: tuple[Atom, Power], fold: Fold, beside: Factors) -> int:
        """How many factors beside cancel against what the fold brings."""
        if len(fold.body) != 1:
            return 0
        names = dict(zip(fold.letters, factor[0][1], strict=True))
        brought = self.algebra.renamed(dict(fold.body[0][0][0]), names)
        return sum(p * factor[1] * beside.get(a, 0) < 0 for a, p in brought.items())

    def _fits(self, factor: tuple[Atom, Power], fold: Fold, beside: Factors) -> bool:
        """A sum stands only under whole positive powers, a coefficient only under whole ones; the guard is there."""
        heads = self.algebra.heads
        for atom, ratio in self._guarding(fold, factor[0]).items():
            if atom not in beside or (heads[atom[0]].label == "exp" and beside[atom] != factor[1] * ratio):
                return False
            if heads[atom[0]].kind != "test" and heads[atom[0]].label != "exp":  # a weight: once, as in what it is in
                made = next(p for a, p in fold.body[0][0][0] if a[0] == fold.source)
                if beside[atom] < 1 or made * factor[1] != 1:
                    return False
        exponential = self.algebra.heads[factor[0][0]].label == "exp"
        if exponential and len(fold.body) == 1 and not self._divides(factor, fold, beside):
            return False
        body, power = fold.body, factor[1] * fold.power
        if exponential and any((p * power).denominator != 1 for a, p in body[0][0][0]):
            return False
        whole = isinstance(power, int)
        return (whole and power > 0) if len(body) != 1 else (whole or self._rooted(body[0]))

    def _rooted(self, product: tuple[Term, Power]) -> bool:
        """Whether a root of the product is the product of roots: of its factors one at most may be negative."""
        ((factors, _), coefficient), heads = product, self.algebra.heads
        open_ = [p for a, p in factors if not heads[a[0]].positive and not self._is_root(heads[a[0]])]
        return coefficient == 1 and (not open_ or open_ in ([1], [-1]))

    def _is_root(self, head: Head) -> bool:
        """Whether a definition is a root, which is not negative: (r²)^½ is r."""
        body = head.definition if head.kind == "name" else ()
        even = [Fraction(p).denominator % 2 == 0 for (factors, _), _ in body for _, p in factors]
        return len(body) == 1 and body[0][1] > 0 and bool(even) and all(even)

    def _divides(self, factor: tuple[Atom, Power], fold: Fold, beside: Factors) -> bool:
        """1/eᶻ is 1/(p S) only where the formula divides by p itself, or p stands beside: p may underflow."""
        if fold.source in self.domain:
            return True
        names = dict(zip(fold.letters, factor[0][1], strict=True))
        brought = self.algebra.renamed(dict(fold.body[0][0][0]), names)
        power = factor[1] * fold.power
        return all(p * power + max(beside.get(a, 0), 0) >= 0 for a, p in brought.items() if a[0] == fold.source)

    def _guarding(self, fold: Fold, atom: Atom) -> Factors:
        """The fold's guard at the letters of an atom."""
        names = dict(zip(fold.letters, atom[1], strict=True))
        return self.algebra.renamed(dict(fold.guard), names)

    def _exchanged(self, term: tuple[Term, Power], atom: Atom, power: Power, fold: Fold) -> Poly:
        algebra = self.algebra
        names = {letter: algebra.fresh(letter) for letter in term[0][1]}
        factors, bound = algebra.renamed(dict(term[0][0]), names), frozenset(names.values())
        target = (atom[0], tuple(names.get(a, a) for a in atom[1]))
        del factors[target]
        for guard in self._guarding(fold, target):
            kind = algebra.heads[guard[0]]
            if kind.kind == "test" or kind.label == "exp" or factors[guard] == 1:
                del factors[guard]
            else:
                factors[guard] = number(factors[guard] - 1)
        names = dict(zip(fold.letters, target[1], strict=True))
        rest: Raw = (term[1], factors, bound)
        power = power * fold.power
        if len(fold.body) == 1:
            (inner, _), scale = fold.body[0]
            inside = algebra.renamed(dict(inner), names)
            raised = {a: number(p * power) for a, p in inside.items()}
            value = number(Fraction(scale) ** int(power)) if scale != 1 else 1
            return algebra.poly([algebra.product(rest, (value, raised, frozenset()))])
        body = algebra.relabelled(fold.body, names)
        terms = [rest]
        for _ in range(int(power)):
            terms = [algebra.product(t, raw) for t in terms for raw in algebra.raws(body)]
        return algebra.poly(terms)

    def knows(self, fact: Fact) -> bool:
        """Whether a fact with the same pattern is known."""
        peers = self.by_head.get(max(atom[0] for atom, _ in fact.pattern), ())
        return any(fact.pattern == known.pattern for known in peers)

    def learn(self, fact: Fact) -> None:
        """Enter a fact."""
        self.facts.append(fact)
        self.by_head.setdefault(max(atom[0] for atom, _ in fact.pattern), []).append(fact)

    def fact_once(self, poly: Poly) -> tuple[Poly, tuple[Fact, ...]] | None:
        """One fact applied to one term."""
        for place, (term, coefficient) in enumerate(poly):
            if not term[1]:
                continue
            for fact in [f for atom, _ in term[0] for f in self.by_head.get(atom[0], ())]:
                changed = self._reduced(term, coefficient, fact)
                if changed is not None:
                    return self.algebra.add(poly[:place] + poly[place + 1 :], changed), (fact,)
        return None

    def _reduced(self, term: Term, coefficient: Power, fact: Fact) -> Poly | None:
        if len(fact.bound) > len(term[1]):
            return None
        heads = {atom[0] for atom, _ in term[0]}
        if any(atom[0] not in heads for atom, _ in fact.pattern):
            return None
        factors, bound = self.algebra.opened(term)
        for match in self._matches(factors, bound, fact):
            matched, names = match
            rest = {a: p for a, p in factors.items() if a not in matched}
            gone = {names[a] for a in fact.bound}
            value = self.algebra.relabelled(fact.value, {a: b for a, b in names.items() if a not in fact.bound})
            context: Raw = (coefficient, rest, frozenset(bound - gone))
            return self.algebra.poly(self.algebra.product(context, raw) for raw in self.algebra.raws(value))
        return None

    def _matches(
        self, factors: Factors, bound: Iterable[Letter], fact: Fact
    ) -> Iterable[tuple[set[Atom], dict[Letter, Letter]]]:
        """Ways in which the factors that contain some bound letters are exactly the fact's pattern."""
        pattern, turns = list(fact.pattern), self.algebra.turns

        def extend(
            k: int, used: frozenset[Atom], names: dict[Letter, Letter]
        ) -> Iterable[tuple[frozenset[Atom], dict[Letter, Letter]]]:
            if k == len(pattern):
                yield used, names
                return
            (head, letters), power = pattern[k]
            for atom, p in factors.items():
                if atom[0] != head or p != power or atom in used:
                    continue
                for turn in turns.get(head, (range(len(letters)),)):
                    new = dict(names)
                    if all(new.setdefault(a, atom[1][place]) == atom[1][place]
                           for a, place in zip(letters, turn, strict=True)):  # fmt: skip
                        yield from extend(k + 1, used | {atom}, new)

        inside = set(bound)
        for used, names in extend(0, frozenset(), {}):
            gone = [names[a] for a in fact.bound]
            if len(set(gone)) < len(gone) or not set(gone) <= inside:
                continue
            if any(names[a] in gone for a in names if a not in fact.bound):
                continue
            touching = {a for a in factors if set(a[1]) & set(gone)}
            if touching == used:
                yield touching, names


__all__ = ["Fact", "Fold", "Rules"]
