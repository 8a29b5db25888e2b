"""Symmetries, A[i, j] = ±A[j, i], assumed, defined or seen: of all the ways to write a term, the least is kept."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from derive.terms import Head, Letter, Poly, Power, Term

from .expand import multiplied_out
from .rules import Fact, Rules

MOST_WAYS = 64
ASSUMED = -1  # the source of a fact that was assumed
EVEN = frozenset({"abs", "cos", "cosh", "logcosh"})
ODD = frozenset({"sign", "sin", "tanh", "erf", "atan", "asin", "asinh", "atanh"})


def symmetry(rules: Rules, assumption: Poly) -> bool:
    """Enter an assumption of the form A[i, j] − A[j, i] = 0; False where it is none."""
    if len(assumption) != 2 or sum(c for _, c in assumption) != 0 or any(term[1] for term, _ in assumption):
        return False
    atoms = [term[0] for term, _ in assumption]
    if any(len(factors) != 1 or factors[0][1] != 1 for factors in atoms) or atoms[0][0][0][0] != atoms[1][0][0][0]:
        return False
    (head, first), (_, second) = atoms[0][0][0], atoms[1][0][0]
    if sorted(first) != sorted(second) or len(set(first)) < len(first):
        return False
    order = tuple(first.index(letter) for letter in second)
    value = rules.algebra.term(1, {(head, second): 1}, ())
    rules.symmetric[head] = (order, Fact((((head, first), 1),), (), value, ASSUMED))
    return True


def defined(rules: Rules, head: Head) -> None:
    """Enter a definition that two of its letters may change places in, as in G[i, j] = Σ_k x[i, k] x[j, k].

    Of a matrix also where it can be seen only once brackets are multiplied out: (X + 1)ᵀ(X + 1).
    """
    spaces = [rules.algebra.letter_space[letter] for letter in head.slots]
    few = len(spaces) <= 3 and len(spaces) - len(set(spaces)) == 1
    if not _enter(rules, head, head.definition, (1, -1)) and few:
        _enter(rules, head, multiplied_out(rules.algebra, head.definition), (1,))


def _seen(rules: Rules, head: Head) -> None:
    """Enter a function of what is symmetric, and an odd or even one of what changes its sign: |x[i] − x[j]|."""
    if head.kind != "op" or head.over or len(head.args) != 1:
        return
    if not _enter(rules, head, head.args[0], (1,)) and head.label in EVEN | ODD:
        _enter(rules, head, head.args[0], (-1,), 1 if head.label in EVEN else -1)


def _enter(rules: Rules, head: Head, poly: Poly, signs: Iterable[int], gives: int = 0) -> bool:
    """A head whose poly two letters may change places in, up to a sign, which the head takes on, unless told else."""
    algebra = rules.algebra
    if head.id in algebra.turns or head.id in rules.symmetric:
        return False
    for i, j in itertools.combinations(head.slots, 2):
        exchange = {i: j, j: i}
        if algebra.letter_space[i] != algebra.letter_space[j]:
            continue
        if sign := next((s for s in signs if _same(rules, poly, exchange, s)), 0):
            turned = tuple(exchange.get(letter, letter) for letter in head.slots)
            value = algebra.term(gives or sign, {(head.id, turned): 1}, ())
            order = tuple(head.slots.index(letter) for letter in turned)
            rules.symmetric[head.id] = (order, Fact((((head.id, head.slots), 1),), (), value, head.id))
            return True
    return False


def _same(rules: Rules, poly: Poly, exchange: dict[Letter, Letter], sign: int) -> bool:
    """Whether letters may change places in a poly, up to a sign, given the symmetries of what it is made of."""
    algebra = rules.algebra
    apart = algebra.add(algebra.relabelled(poly, exchange), algebra.scaled(poly, -sign))
    least = symmetrised(rules, apart) if apart else None
    return not (apart if least is None else least[0])


def symmetrised(rules: Rules, poly: Poly) -> tuple[Poly, tuple[object, ...]] | None:
    """Each term in its least form under the known symmetries."""
    heads = {a[0] for (factors, _), _ in poly for a, _ in factors}
    for head in heads - rules.looked_at:
        rules.looked_at.add(head)
        _seen(rules, rules.algebra.heads[head])
    found = heads & rules.symmetric.keys()
    if not found:
        return None
    return rules.algebra.add(*(_least(rules, term, c) for term, c in poly)), tuple(
        rules.symmetric[head][1] for head in sorted(found)
    )


def _least(rules: Rules, term: Term, coefficient: Power) -> Poly:
    algebra = rules.algebra
    factors, bound = algebra.opened(term)
    ways: list[dict[tuple[Letter, ...], int]] = []
    for (head, letters), power in factors.items():
        order, fact = rules.symmetric.get(head, (range(len(letters)), None))
        sign = fact.value[0][1] if fact is not None else 1
        if sign < 0 and not isinstance(power, int):
            order, sign = range(len(letters)), 1  # the root of a negative number is none
        turned = tuple(letters[k] for k in order)
        changes = sign < 0 and int(power) % 2
        ways.append({letters: 1} | ({turned: -1 if changes else 1} if turned != letters else {}))
    found: dict[Term, Power] = {}
    for choice in itertools.islice(itertools.product(*(way.items() for way in ways)), MOST_WAYS):
        renamed: dict[tuple[int, tuple[int, ...]], Power] = {}
        scale = coefficient
        for ((head, _), power), (letters, sign) in zip(factors.items(), choice, strict=True):
            renamed[head, letters] = renamed.get((head, letters), 0) + power
            scale *= sign
        for way, scaled in algebra.term(scale, renamed, bound):
            if found.setdefault(way, scaled) != scaled:
                return ()  # it is its own opposite: Σ_ij sgn(x_i − x_j)
    return (min(found.items()),) if found else ()
