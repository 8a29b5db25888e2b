"""A sum of flat terms as a reader wants it: common factors outside, brackets within. Only for display."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

from .algebra import MOST_COMMON, Algebra
from .data import Atom, Factors, Head, Letter, Poly, Power, Raw, absolute, number, only


@dataclass(frozen=True)
class Node:
    """coefficient · Σ_bound Π factors · (sum of inner), inner empty meaning 1."""

    coefficient: Power
    factors: tuple[tuple[Atom, Power], ...]
    bound: frozenset[Letter]
    inner: tuple[Node, ...] = ()


MEAN = -1  # a head of its own for display: (MEAN, (d,)) beside Σ_d is the 1/D that makes it a mean


def factored(algebra: Algebra, poly: Poly) -> tuple[Node, ...]:
    """The poly as a sum of nodes, with common factors pulled out under the best alignment of bound letters."""
    return _tree(algebra, [_with_means(algebra, raw) for raw in algebra.raws(poly)])


def flat(algebra: Algebra, poly: Poly) -> tuple[Node, ...]:
    """The poly as it is, term by term."""
    return tuple(_leaf(_with_means(algebra, raw)) for raw in algebra.raws(poly))


def _with_means(algebra: Algebra, raw: Raw) -> Raw:
    """1/D beside Σ_d is tied to d, so that it is never pulled away from its sum."""
    coefficient, factors, bound = raw
    factors = dict(factors)
    for letter in sorted(bound):
        length = algebra.size_of.get(algebra.letter_space[letter], ())
        product = dict(length[0][0][0]) if len(length) == 1 and length[0][1] == 1 else {}
        if product and all(p > 0 and factors.get(a, 0) <= -p for a, p in product.items()):
            for atom, p in product.items():
                factors[atom] = number(factors[atom] + p)
                if not factors[atom]:
                    del factors[atom]
            factors[(MEAN, (letter,))] = 1
    return coefficient, factors, bound


def _leaf(raw: Raw) -> Node:
    coefficient, factors, bound = raw
    return Node(coefficient, tuple(factors.items()), bound)


def _tree(algebra: Algebra, raws: list[Raw]) -> tuple[Node, ...]:
    if len(raws) <= 1:
        return tuple(_leaf(raw) for raw in raws)
    best: tuple[float, list[int], Factors, list[Raw]] | None = None
    for first in range(len(raws) - 1):
        for shared, aligned in _candidates(algebra, raws, first):
            members = [k for k, raw in enumerate(aligned) if raw is not None]
            gain = (len(members) - 1) * _weight(algebra, shared) + (len(members) == len(raws)) * 0.5
            if len(members) > 1 and (best is None or gain > best[0]):
                best = gain, members, shared, [raw for raw in aligned if raw is not None]
    if best is None:
        return _with_content(algebra, raws)
    _, members, shared, aligned_raws = best
    group = _group(algebra, shared, aligned_raws)
    rest = [raw for k, raw in enumerate(raws) if k not in members]
    if not rest:
        return (group,)
    return (group, *_tree(algebra, rest)) if members[0] == 0 else (*_tree(algebra, rest), group)


def _with_content(algebra: Algebra, raws: list[Raw]) -> tuple[Node, ...]:
    """A number common to all terms stands before the bracket."""
    content = _content(algebra, raws)
    if content == 1:
        return tuple(_leaf(raw) for raw in raws)
    inner = tuple(_leaf((number(Fraction(c) / content), f, b)) for c, f, b in raws)
    return (Node(number(content), (), frozenset(), inner),)


def _content(algebra: Algebra, raws: list[Raw]) -> Fraction:
    """The number that all terms share; of cases, each keeps its own: where(z > 0, 1, 0.2)."""
    fractions = [Fraction(raw[0]) for raw in raws]
    if len({abs(f) for f in fractions}) > 1 and _are_cases(algebra, raws):
        return Fraction(1)
    top = gcd(*(v.numerator for v in fractions))
    bottom = lcm(*(v.denominator for v in fractions))
    if bottom > MOST_COMMON or (algebra.decimal and bottom % 5 == 0):  # decimals stay where their author wrote them
        top = bottom = 1
    return Fraction(-top if all(v < 0 for v in fractions) else top, bottom)


def _are_cases(algebra: Algebra, raws: list[Raw]) -> bool:
    """Whether one term carries a condition and another its opposite."""
    present = {atom for _, factors, _ in raws for atom in factors if atom[0] != MEAN}
    return any((algebra.heads[head].opposite, letters) in present for head, letters in present)


def _weight(algebra: Algebra, factors: Factors) -> float:
    """How much a reader is spared by not seeing these factors twice."""
    return sum(0.3 if head == MEAN else _reading(algebra.heads[head]) + 0.2 * len(letters) for head, letters in factors)


def _reading(head: Head) -> float:
    """Functions weigh most; the upstream gradient a little less than a name, so that p(g − Σ g p) keeps its p."""
    if head.kind == "tensor" and head.payload.role == "upstream":
        return 0.95
    return 2.0 if head.kind == "op" else 1.0


def _candidates(algebra: Algebra, raws: list[Raw], first: int) -> Iterator[tuple[Factors, list[Raw | None]]]:
    """Factors that term `first` shares with each later term, and the terms (aligned) that have all of them."""
    base = raws[first]
    for second in range(first + 1, len(raws)):
        for names in _alignments(algebra, base, raws[second]):
            other = _aligned(algebra, raws[second], names)
            shared = _safe(algebra, _common(base[1], other[1]), [base, other])
            shared = _admissible(algebra, shared, [base, other])
            if not shared:
                continue
            aligned: list[Raw | None] = [None] * len(raws)
            aligned[first], aligned[second] = base, other
            for k in set(range(len(raws))) - {first, second}:
                aligned[k] = _joining(algebra, base, raws[k], shared)
            yield shared, aligned


def _joining(algebra: Algebra, base: Raw, raw: Raw, shared: Factors) -> Raw | None:
    for names in _alignments(algebra, base, raw):
        other = _aligned(algebra, raw, names)
        common = _common(shared, other[1])
        if common == shared and _admissible(algebra, shared, [base, other]) == shared:
            return other
    return None


def _alignments(algebra: Algebra, base: Raw, raw: Raw) -> Iterator[dict[Letter, Letter]]:
    """Injections of a term's bound letters into another's, within their spaces; the fullest first."""
    theirs, mine = sorted(raw[2]), sorted(base[2])
    options = [[None, *(m for m in mine if algebra.letter_space[m] == algebra.letter_space[t])] for t in theirs]
    for choice in itertools.islice(itertools.product(*(reversed(o) for o in options)), 64):
        taken = [c for c in choice if c is not None]
        if len(set(taken)) == len(taken):
            yield {t: c for t, c in zip(theirs, choice, strict=True) if c is not None}


def _aligned(algebra: Algebra, raw: Raw, names: dict[Letter, Letter]) -> Raw:
    coefficient, factors, bound = raw
    return coefficient, algebra.renamed(factors, names), frozenset(names.get(a, a) for a in bound)


def _common(one: Factors, two: Factors) -> Factors:
    """Shared factors, each to the power nearer zero; powers of opposite sign share nothing, nor do x and √x: one is
    defined where the other is not."""
    found: Factors = {}
    for atom, power in one.items():
        other = two.get(atom, 0)
        if power * other > 0 and (power.denominator == 1) == (other.denominator == 1):
            found[atom] = min(power, other, key=absolute)
    return found


def _admissible(algebra: Algebra, shared: Factors, terms: list[Raw]) -> Factors:
    """Drop shared factors with bound letters where a summand's scope would grow (mean ĝ(1 + x̂x̂′) costs D²), or where
    each term reads at a place of its own (z[h] + z[h + H])."""
    while shared:
        bound = {a for _, letters in shared for a in letters if all(a in t[2] for t in terms)}
        if all(head == MEAN for head, _ in shared):
            return {}
        loose = {a for _, letters in shared for a in letters if any(a in t[2] for t in terms)} - bound
        inside = {a for _, letters in shared if set(letters) & bound for a in letters}
        rests = [_without(t[1], shared) for t in terms]
        inner = [{a for _, ls in rest if set(ls) & bound for a in ls} for rest in rests]
        merged = inside.union(*(set(ls) for rest in rests for _, ls in rest))
        grows = any(inner) and any(inside | own != merged for own in inner)
        grows = grows or any(bound & set(ls) and _places(algebra, head) for rest in rests for head, ls in rest)
        grows = grows or any(head == MEAN and letters[0] in bound for rest in rests for head, letters in rest)
        if not loose and not grows:
            return shared
        kept = {atom: p for atom, p in shared.items() if not set(atom[1]) & (loose or bound)}
        if kept == shared:
            return {}
        shared = kept
    return {}


def _places(algebra: Algebra, head: int) -> bool:
    """Whether a factor says where a letter is: [i = j], [y = h + r]."""
    return head != MEAN and (algebra.heads[head].kind == "delta" or algebra.heads[head].label == "window")


def _safe(algebra: Algebra, shared: Factors, terms: list[Raw]) -> Factors:
    """The shared factors but for those that each term has under a condition of its own, and may be infinite beside it.

    [i < j]/r_ij + [j < i]/r_ij is 0 where i is j: outside of the bracket, 1/r_ij is not under any condition.
    """
    rests = [_without(t[1], shared) for t in terms]
    tests = [
        [set(letters) for head, letters in rest if head != MEAN and algebra.heads[head].kind == "test"]
        for rest in rests
    ]
    return {
        (head, letters): power
        for (head, letters), power in shared.items()
        if _finite(algebra, head, power) or not all(any(own <= set(letters) for own in each) for each in tests)
    }


def _finite(algebra: Algebra, head: int, power: Power) -> bool:
    """Whether a power of a head is a number wherever its arguments are."""
    if head == MEAN:
        return True
    found = algebra.heads[head]
    if (power < 0 or power.denominator != 1) and not found.positive:
        return False
    inner = found.args if found.kind in ("name", "op") else ()
    defined = all(_finite(algebra, a[0], p) for poly in inner for (factors, _), _ in poly for a, p in factors)
    return defined and (found.kind != "op" or found.label not in ("log", "pow"))


def _without(factors: Factors, shared: Factors) -> Factors:
    left = {atom: number(power - shared.get(atom, 0)) for atom, power in factors.items()}
    return {atom: power for atom, power in left.items() if power}


def _fresh(algebra: Algebra, raw: Raw) -> Raw:
    """A term whose bound letters no other term has: alignment gave them those of its neighbour."""
    coefficient, factors, bound = raw
    names = {letter: algebra.fresh(letter) for letter in bound}
    return coefficient, algebra.renamed(factors, names), frozenset(names.values())


def _group(algebra: Algebra, shared: Factors, raws: list[Raw]) -> Node:
    """shared · (the rests), summed over the bound letters that stand in the shared factors."""
    bound = frozenset(a for _, letters in shared for a in letters if a in raws[0][2])
    content = _content(algebra, raws)
    rests = [_fresh(algebra, (number(Fraction(c) / content), _without(f, shared), b - bound)) for c, f, b in raws]
    inner = _tree(algebra, rests)
    if len(inner) == 1 and not inner[0].factors and not inner[0].bound:
        content, inner = content * Fraction(inner[0].coefficient), inner[0].inner
    return Node(number(content), tuple(shared.items()), bound, inner)


def together(algebra: Algebra, factors: Iterable[tuple[Atom, Power]]) -> Iterator[tuple[Letter, ...]]:
    """The letters of each index that is no plain letter, s·h + r − p, also within what factors are names of."""
    for (own, letters), _ in (f for f in factors if f[0][0] != MEAN):
        head = algebra.heads[own]
        if head.label == "window":
            yield letters
        elif head.kind == "name":
            at = dict(zip(head.slots, letters, strict=True))
            yield from (tuple(at.get(a, a) for a in index) for index in together(algebra, only(head.definition)))
