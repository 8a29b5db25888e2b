"""Sums of exponentials beside their largest: log Σ eᶻ = m + log Σ eᶻ⁻ᵐ, and ratios without eᵐ on either side."""

from __future__ import annotations

from derive.terms import ZERO, Atom, Head, Letter, Poly, Power

from .form import Factors, Stabiliser


def raised(s: Stabiliser, poly: Poly, power: Power) -> Poly:
    """A sum to a power; itself, term by term, to the power 1."""
    return poly if power == 1 else s.reader.raised(poly, power)


def is_log(head: Head, power: Power) -> bool:
    """log(…)."""
    return head.kind == "op" and head.label == "log"


def is_divisor(head: Head, power: Power) -> bool:
    """A name that is divided by."""
    return head.kind == "name" and power < 0


def larger(s: Stabiliser, one: Poly, two: Poly) -> Poly:
    """max(u, v)."""
    return s.algebra.op("max2", one, two) if one != two else one


def shift_log(s: Stabiliser, poly: Poly) -> Poly:
    """log Σ exp(z) = m + log Σ exp(z − m), m the largest z."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        found = shifted(s, s.algebra.heads[inner[0]]) if inner is not None else None
        if inner is None or found is None:
            return None
        peak, rest = found
        logged = s.reader.log_of(s.algebra.atom(rest, inner[1]))
        total = s.algebra.add(s.at(s.algebra.heads[inner[0]], inner[1], peak), logged)
        return raised(s, total, power)

    return s.each(poly, is_log, change)


def shift_power(s: Stabiliser, poly: Poly) -> Poly:
    """(Σ exp(z))ᵖ = exp(p m) (Σ exp(z − m))ᵖ: beside it, exp(z) becomes exp(z − m)."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        head = s.algebra.heads[atom[0]]
        found = shifted(s, head)
        if found is None:
            return None
        peak, rest = found
        grown = s.reader.exp_of(s.algebra.scaled(s.at(head, atom[1], peak), power))
        return s.algebra.mul(grown, s.algebra.atom(rest, atom[1], power))

    return s.each(poly, is_divisor, change)


def shift_factor(s: Stabiliser, poly: Poly) -> Poly:
    """eʷ Sᵖ = exp(w + p m) (S·exp(−m))ᵖ for a sum S of exponentials that is no divisor, m its largest exponent."""

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        head, grown = s.algebra.heads[atom[0]], [a for a in rest if s.is_call(a, "exp")]
        beyond = any(not set(a[1]) <= set(atom[1]) for a in grown)
        if not grown or head.id in s.scaled or (power == 1 and not beyond and _is_sum(s, head)):
            return None  # Σ eᶻ alone is written out beside e⁻ᵐ
        found = shifted(s, head)
        if found is None or not found[1].positive:
            return None
        peak, less = found
        more = s.reader.exp_of(s.algebra.scaled(s.at(head, atom[1], peak), power))
        return s.algebra.mul(more, s.algebra.atom(less, atom[1], power))

    def wanted(head: Head, power: Power) -> bool:
        return head.kind == "name" and isinstance(power, int) and power > 0 and "exp" in s.traits_of(head.id)

    return s.each(poly, wanted, change)


def divisor_beside_itself(s: Stabiliser, poly: Poly) -> Poly:
    """S p = eᶻ, where p is a name for eᶻ/S: the sum may overflow."""

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        body = s.definition(atom) or ZERO
        if len(body) != 1 or body[0][0][1] or not any(p < 0 < rest.get(a, 0) for a, p in body[0][0][0]):
            return None
        return s.reader.raised(body, power)

    def wanted(head: Head, power: Power) -> bool:
        return head.kind == "name" and power == 1 and "exp" in s.traits_of(head.id)

    return s.each(poly, wanted, change)


def _is_sum(s: Stabiliser, head: Head) -> bool:
    """Whether a name is a sum of exponentials, and of nothing else."""
    return all(s.exponent(factors) is not None for (factors, _), _ in head.definition)


def shifted(s: Stabiliser, head: Head) -> tuple[Poly, Head] | None:
    """(m, S′) for a sum of exponentials: m its largest exponent where the conditions hold, S′ = S·exp(−m)."""
    if head.id not in s.shifted:
        s.shifted[head.id] = None
        s.shifted[head.id] = _shifted(s, head)
    return s.shifted[head.id]


def _shifted(s: Stabiliser, head: Head) -> tuple[Poly, Head] | None:
    algebra = s.algebra
    body = exponent_beside_largest(s, shift_power(s, _spread(s, head.definition))) if head.kind == "name" else ZERO
    body = _grown_sigmoids(s, _grown_powers(s, body))
    exponents = [s.exponent(factors) for (factors, _), _ in body]
    reduced = any(bound for (_, bound), _ in body)
    if not any(e is not None for e in exponents) or not (reduced or len(body) > 1):
        return None
    sure = all(c > 0 and all(_is_weight(s, f) for f in factors) for (factors, _), c in body)
    if not (reduced or sure):
        return None
    largest: Poly | None = None
    for ((factors, bound), _), exponent in zip(body, exponents, strict=True):
        over = tuple(a for a in bound if exponent is not None and a in algebra.free(exponent))
        this = s.reader.flat(exponent or ZERO)
        if over:
            this = algebra.op("max", this, *_mask(s, factors, bound, over), over=over)
        largest = this if largest is None else larger(s, largest, this)
    assert largest is not None
    peak = algebra.head(("peak", head.id), "name", "m", head.spaces, slots=head.slots, args=(largest,),
                        role="auto")  # fmt: skip
    m = algebra.atom(peak, head.slots)
    scaled = algebra.mul(body, s.reader.exp_of(algebra.scaled(m, -1)))
    rest = algebra.head(("scaled", head.id), "name", "S", head.spaces, slots=head.slots, args=(scaled,),
                        role="auto", positive=sure)  # fmt: skip
    s.shifted[rest.id] = s.shifted[peak.id] = None
    s.scaled.add(rest.id)
    return m, rest


def _grown_powers(s: Stabiliser, body: Poly) -> Poly:
    """(1 + eʷ)ᵖ, p < 0, as exp(p softplus(w)) beside an exponential: it may underflow, or all others may."""

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        found = s.two_exponentials(atom)
        if found is None or found[0] != 1 or found[2] != ZERO or not any(s.is_call(a, "exp") for a in rest):
            return None
        return s.reader.exp_of(s.algebra.scaled(s.reader.apply("softplus", found[1]), power))

    if len(body) == 1 and not body[0][0][1]:
        return body
    while (grown := s.each(body, is_divisor, change)) != body:
        body = grown
    return body


def _grown_sigmoids(s: Stabiliser, body: Poly) -> Poly:
    """σ(u) as exp(−softplus(−u)), where all terms have one or an exponential: else all may underflow."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        u = s.call(atom, "sigmoid")
        return None if u is None else s.reader.exp_of(
            s.algebra.scaled(s.reader.apply("softplus", s.algebra.scaled(u, -1)), -power))  # fmt: skip

    def grows(factors: Factors) -> bool:
        return s.exponent(factors) is not None or any(p > 0 and s.call(a, "sigmoid") is not None for a, p in factors)

    if "sigmoid" not in s.traits(body) or not all(grows(factors) for (factors, _), _ in body):
        return body
    wanted = s.each(body, lambda head, power: power > 0 and (head.kind == "name" or head.label == "sigmoid"), change)
    return body if wanted == body else _grown_sigmoids(s, wanted)


def beside_largest(s: Stabiliser, poly: Poly) -> Poly:
    """z − m as one, m the largest z, where a sum has several such: else small differences drown in the others."""
    algebra, heads, terms = s.algebra, s.algebra.heads, dict(poly)
    peaks = [(t[0][0][0], c) for t, c in poly if not t[1] and len(t[0]) == 1 and t[0][0][1] == 1
             and heads[t[0][0][0][0]].label == "m" and heads[t[0][0][0][0]].id in s.shifted]  # fmt: skip
    for peak, coefficient in peaks if len(peaks) > 1 else ():
        only = s.lone(s.argument(peak))
        if only is None or not s.is_call(only, "max"):
            continue
        (exponent, *_), over = algebra.unbound(heads[only[0]], only[1])
        spaces = [algebra.letter_space[k] for k in over]
        for own in [a for a in algebra.free(poly) if [algebra.letter_space[a]] == spaces]:
            here = algebra.scaled(algebra.relabelled(exponent, {over[0]: own}), -coefficient)
            if all(terms.get(t) == c for t, c in here):
                group = algebra.add(here, algebra.term(coefficient, {peak: 1}, ()))
                rest = algebra.add(poly, algebra.scaled(group, -1))
                return algebra.add(rest, s.reader.grouped(group))
    return poly


def exponent_beside_largest(s: Stabiliser, poly: Poly) -> Poly:
    """eᶻ e⁻ᵐ as exp((z − m)), m the largest z, where other exponentials stand beside."""
    for term, coefficient in poly:
        grown = {a: p for a, p in term[0] if s.is_call(a, "exp")}
        peaks = [a for a in grown if len(grown) > 2 and (at := s.lone(s.argument(a))) and _is_peak(s, at)]
        for atom in peaks:
            below = next(iter(_beside(s, s.argument(atom), tuple(grown), grown[atom])), None)
            if below is None:
                continue
            group = s.reader.grouped(s.algebra.add(below, s.algebra.scaled(s.argument(atom), -1)))
            made = s.algebra.mul(
                ((term, coefficient),), s.reader.exp_of(s.algebra.scaled(s.argument(atom), -grown[atom])),
                s.reader.exp_of(s.algebra.scaled(below, grown[atom])), s.algebra.op("exp", group, positive=True),
            )  # fmt: skip
            if grown[atom] == -1:
                return s.algebra.add(tuple(t for t in poly if t[0] != term), made)
    return poly


def _is_peak(s: Stabiliser, atom: Atom) -> bool:
    return s.algebra.heads[atom[0]].label == "m" and atom[0] in s.shifted


def _beside(s: Stabiliser, peak: Poly, grown: tuple[Atom, ...], power: Power) -> list[Poly]:
    """Exponents z at some letter, of which the peak is the largest, that stand among the exponentials."""
    only = s.lone(peak)
    largest = s.lone(s.argument(only)) if only is not None else None
    if largest is None or not s.is_call(largest, "max"):
        return []
    (exponent, *_), over = s.algebra.unbound(s.algebra.heads[largest[0]], largest[1])
    spaces, letters = [s.algebra.letter_space[k] for k in over], {k for a in grown for k in a[1]}
    here = [s.algebra.relabelled(exponent, {over[0]: k}) for k in letters if [s.algebra.letter_space[k]] == spaces]
    return [z for z in here if all(a in grown for a, _ in s.reader.exp_of(z)[0][0][0])]


def _is_weight(s: Stabiliser, factor: tuple[Atom, Power]) -> bool:
    """A factor that cannot be negative."""
    atom, power = factor
    return s.algebra.heads[atom[0]].kind in ("test", "delta") or s.is_positive_atom(atom) or power % 2 == 0


def _spread(s: Stabiliser, poly: Poly) -> Poly:
    """A sum with the names in it that are sums of exponentials, or contain one as a factor, written out."""

    def wanted(head: Head, power: Power) -> bool:
        return head.kind == "name" and power == 1

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        if len(rest) > 1:
            return None
        body = _spread(s, s.argument(atom))
        grown = all(s.exponent(f) is not None or not f for (f, _), _ in body)
        return body if grown and any(f for (f, _), _ in body) else None

    return s.each(s.opened(poly), wanted, change)


def _mask(s: Stabiliser, factors: Factors, bound: tuple[Letter, ...], over: tuple[Letter, ...]) -> tuple[Poly, ...]:
    """The conditions of a term as one product, for a maximum that looks only where they hold."""
    tests = {a: p for a, p in factors if s.algebra.heads[a[0]].kind == "test"}
    inside = {a: p for a, p in tests.items() if not (set(a[1]) & set(bound)) - set(over)}
    return (s.algebra.term(1, inside, ()),) if inside else ()
