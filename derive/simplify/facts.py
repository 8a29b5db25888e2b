"""Facts: the reductions that definitions contain, seen through the folds (Σp = 1, Σx̂ = 0, Σx̂² = D v/(v + ε))."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from derive.rewrite import Law, Record, exhaust
from derive.terms import Factors, Head, Poly, Power, Term, number

from .cases import either_case, signed
from .collect import collected, summed_up
from .exponents import merged
from .matrix import defining, mirrored
from .orders import either_order, equal_or_not
from .rules import Fact, Rules
from .symmetry import ASSUMED, symmetrised, symmetry
from .triangular import triangular
from .within import within_once


def _fold(rules: Rules, poly: Poly) -> tuple[Poly, tuple[object, ...]] | None:
    return rules.fold_once(poly, rules.folds)


def _within(rules: Rules, poly: Poly) -> tuple[Poly, tuple[object, ...]] | None:
    found = within_once(rules, poly)
    return None if found is None else (found[0], ())


def _fact(rules: Rules, poly: Poly) -> tuple[Poly, tuple[object, ...]] | None:
    return rules.fact_once(poly)


LAWS: tuple[Law, ...] = (
    Law("fold a definition", "a product that defines a name is written by that name", _fold),
    Law("fold within brackets", "the same, inside a bracket", _within),
    Law("collect a named sum", "two terms are a multiple of a sum that has a name", collected),
    Law("sum a bracket", "the sum of what stands in a bracket is known", summed_up),
    Law("triangular", "beyond the diagonal of a triangular factor, and of its inverse, there are zeros", triangular),
    Law("use symmetry", "a symmetry, assumed or found, lets two indices change places", symmetrised),
    Law("either order", "one index is less than the other, or more: they differ", either_order),
    Law("equal or not", "two indices differ, or they are equal: these are all", equal_or_not),
    Law("either case", "the same under a condition and without it", either_case),
    Law("take the sign", "sgn(u) |u|ᵖ is uᵖ for odd p", signed),
    Law("add exponents", "powers of one base are one power", merged),
    Law("use a fact", "a reduction known from a definition or an assumption", _fact),
)


def normalised(rules: Rules, poly: Poly, record: Record | None = None) -> Poly:
    """The poly with every definition folded and every known reduction used."""
    result: Poly = exhaust(LAWS, rules, poly, record)
    return result


def affinely(rules: Rules, poly: Poly) -> Poly:
    """The poly with inputs written through the names that centre them (x = u + μ), then normalised."""
    for _ in range(20):
        found = rules.fold_once(poly, rules.affine)
        if found is None:
            break
        poly = normalised(rules, found[0])
    return poly


def oriented(rules: Rules, definitions: Iterable[Head], assumptions: Iterable[Poly] = ()) -> Rules:
    """All rules that the definitions (in order) and the assumptions (polys equal to zero) give."""
    heads = list(definitions)
    rules.own = {head.id for head in heads}
    for head in heads:
        folded = _folded(rules, head.definition)
        if not rules.rival(head, folded):
            rules.orient(head, folded)
    _promote(rules)
    equations = [(ASSUMED, poly) for poly in assumptions if not symmetry(rules, poly)]
    equations += [(head.id, _equation(rules, head)) for head in heads if _reduces(head.definition)]
    mirrored(rules, heads, lambda poly: normalised(rules, poly))
    equations += defining(rules, heads)
    for source, equation in equations:
        direct = normalised(rules, equation)
        _enter(rules, source, direct)
        through = affinely(rules, direct)
        if through != direct:
            _enter(rules, source, through)
    return rules


def noticed(rules: Rules, polys: Iterable[Poly]) -> None:
    """Enter the brackets that a derivation has met on its way: beside 1/(1 − p), e^−z is (1 − p)/p."""
    heads = rules.algebra.heads
    met = {atom[0] for poly in polys for (factors, _), _ in poly for atom, _ in factors}
    for head in (heads[k] for k in sorted(met) if heads[k].kind == "name" and heads[k].role == "auto"):
        if len(head.definition) == 2 and head not in rules.brackets and not any(b for (_, b), _ in head.definition):
            rules.brackets.append(head)
    _promote(rules)


def _promote(rules: Rules) -> None:
    """An affine fold that the product folds turn into one product is a product fold: e^−z = (1 − p)/p."""
    for lead, fold in list(rules.affine.items()):
        body = rules.divided(_folded(rules, fold.body))
        rules.affine[lead] = replace(fold, body=body)
        if len(body) == 1 and lead not in rules.folds:
            rules.folds[lead] = rules.affine.pop(lead)


def _folded(rules: Rules, poly: Poly) -> Poly:
    while (found := rules.fold_once(poly, rules.folds)) is not None:
        poly = found[0]
    return poly


def _equation(rules: Rules, head: Head) -> Poly:
    """body − name = 0."""
    algebra = rules.algebra
    return algebra.add(head.definition, algebra.term(-1, {(head.id, head.slots): 1}, ()))


def _reduces(poly: Poly) -> bool:
    return any(bound for (_, bound), _ in poly)


def _enter(rules: Rules, source: int, equation: Poly) -> None:
    """Solve equation = 0 for its leading reduction."""
    reductions = [(term, c) for term, c in equation if term[1]]
    candidates = sorted(reductions, key=lambda tc: (len(tc[0][0]), tc[0]), reverse=True)
    for term, coefficient in candidates:
        made = _solved(rules, source, equation, term, coefficient)
        if made is not None and not rules.knows(made):
            rules.learn(made)
            return


def _solved(rules: Rules, source: int, equation: Poly, term: Term, coefficient: Power) -> Fact | None:
    algebra = rules.algebra
    factors, bound = algebra.opened(term)
    inner = {a: p for a, p in factors.items() if set(a[1]) & bound}
    outer = {a: p for a, p in factors.items() if a not in inner}
    letters = {a for _, ls in inner for a in ls}
    if not inner or not rules.nonzero(outer) or _connected(inner, bound) > 1 or _only_reads(rules, inner, bound):
        return None
    rest = tuple((t, c) for t, c in equation if t != term)
    inverse = algebra.term(number(Fraction(-1) / Fraction(coefficient)), {a: -p for a, p in outer.items()}, ())
    value = algebra.mul(inverse, rest) if rest else ()
    if set(algebra.free(value)) - letters:
        return None
    if sum(bool(t[1]) for t, _ in value) > 1:  # two reductions for one are no gain
        return None
    if any({h for (h, _), _ in t[0]} >= {h for h, _ in inner} and t[1] for t, _ in value):
        return None
    return Fact(tuple(sorted(inner.items())), tuple(sorted(bound)), value, source)


def _only_reads(rules: Rules, inner: Factors, bound: frozenset[int]) -> bool:
    """Whether every summed letter has its place: Σ_k [k = h + H] z_k is an entry, no reduction."""
    heads = rules.algebra.heads
    places = [ls for head, ls in inner if heads[head].kind == "delta" or heads[head].label == "window"]
    return sum(bool(bound & {*ls}) for ls in places) >= len(bound)


def _connected(inner: Factors, bound: frozenset[int]) -> int:
    """How many independent groups the summed factors fall into."""
    groups: list[set[int]] = []
    for _, letters in inner:
        touched = set(letters) & bound
        joined = [g for g in groups if g & touched]
        groups = [g for g in groups if g not in joined] + [touched.union(*joined)]
    return len(groups)
