"""What is left where the first terms of power series cancel: x − tanh x, eˣ − 1 − x, and all derivatives of quotients
such as sin(x)/x. Near 0 it is a series of its own, whose coefficients are fractions; elsewhere it is as written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from operator import add

from derive.axes.series import MOST, SERIES, Laurent
from derive.terms import UNIT, ZERO, Atom, Letter, Poly, Power, Term

from .form import Factors, Stabiliser

EPSILON = Fraction(1, 2**56)  # of the first coefficient: what is smaller is left out
FEW = 9  # coefficients that tell what cancels
MOST_TERMS = 4  # of a name that is written out
MOST_IN_ALL = 8  # terms that are looked at together
MOST_NAMES = 12  # that are written out
RADII = tuple(Fraction(1, 2**k) for k in range(5))
ELEMENTARY = frozenset(SERIES) - {"log1p"}  # of log(1 + w)
LEFT = ("exp", "cos", "cosh", "pow")
HALF = Fraction(1, 2)
TRAITS = ELEMENTARY | {"log", "pow", "root"}


@dataclass(frozen=True)
class Group:
    """Terms that cancel: b uᴺ (C₀ + C₁ u + …) where |u| is not above the radius."""

    terms: Poly
    beside: Poly
    variable: Poly
    series: Laurent


def remainder(s: Stabiliser, poly: Poly) -> Poly:
    """The terms of a group as where(|u| > radius, what they are, b uᴺ (C₀ + C₁ u + …))."""
    if s.early or s.traits(poly).isdisjoint(TRAITS):
        return poly
    joined = _joined_sums(s, poly)
    if joined is not None:
        return joined
    shown = [poly, _written_out(s, poly)]
    for here in [each for each in shown[: 1 + (shown[0] != shown[1])] if len(each) <= MOST_IN_ALL]:
        for group in (*_of_products(s, here), *_of_sums(s, here)):
            rest = s.algebra.add(here, s.algebra.scaled(group.terms, -1))
            return s.algebra.add(rest, _selected(s, group))
    return poly


def _joined_sums(s: Stabiliser, poly: Poly) -> Poly | None:
    """Σ f + Σ g + c as Σ (f + g + c/N), where the terms of the one sum cancel: E eᵘ − E u − 1 is E (eᵘ − u − 1)."""
    by_space: dict[int, list[tuple[Term, Power]]] = {}
    for term, coefficient in poly:
        if len(term[1]) == 1:
            by_space.setdefault(s.algebra.letter_space[term[1][0]], []).append((term, coefficient))
    for space, terms in by_space.items():
        if not 1 < len(terms) < MOST_IN_ALL:
            continue
        outside, inner, own = _gathered(s, terms)
        constant = tuple(t for t in poly if t[0] == UNIT)
        each = s.algebra.mul(constant, s.reader.raised(s.algebra.mul(outside, s.algebra.size_of[space]), -1))
        for more, taken in ((each, (*terms, *constant)), (ZERO, tuple(terms)))[not constant :]:
            whole = s.algebra.add(inner, more)
            safe = remainder(s, whole)
            if safe != whole:
                made = s.algebra.mul(outside, s.algebra.summed(s.reader.grouped(safe), (own,)))
                return s.algebra.add(poly, s.algebra.scaled(s.algebra.add(*((t,) for t in taken)), -1), made)
    return None


def _gathered(s: Stabiliser, terms: list[tuple[Term, Power]]) -> tuple[Poly, Poly, Letter]:
    """(w, f + g, k) of w Σ_k f + w Σ_k g: w is what stands before the first of the sums."""
    parts = [(coefficient, *s.algebra.opened(term)) for term, coefficient in terms]
    own = next(iter(parts[0][2]))
    outside = {a: p for a, p in parts[0][1].items() if own not in a[1]}
    inner = [s.algebra.relabelled(s.algebra.term(c, factors, ()), {next(iter(bound)): own})
             for c, factors, bound in parts]  # fmt: skip
    less = s.algebra.term(1, {a: -p for a, p in outside.items()}, ())
    return s.algebra.term(1, outside, ()), s.algebra.mul(s.algebra.add(*inner), less), own


def _selected(s: Stabiliser, group: Group) -> Poly:
    """What the group is, by cases."""
    algebra, u, radius = s.algebra, s.reader.grouped(group.variable), _radius(group.series)
    beside = algebra.mul(group.beside, s.reader.raised(u, group.series.order))
    inner = _contained(u, beside)  # of a large u, no power is taken
    if inner:
        beside = algebra.mul(beside, s.reader.raised(u, -inner))
    rest = group.series.coefficients
    counted = max(k for k, c in enumerate(rest) if abs(c) * radius**k > abs(rest[0]) * EPSILON)
    constants = map(algebra.constant, (*[0] * inner, *rest[: counted + 1]))
    yes, no = s.exceeds(s.reader.apply("abs", group.variable), algebra.constant(radius))
    s.near.update(atom[0] for side in (yes, no) for (factors, _), _ in side for atom, _ in factors)
    series = algebra.op("series", s.reader.flat(u), *constants)
    return algebra.add(algebra.mul(yes, group.terms), algebra.mul(no, beside, series))


def _radius(series: Laurent) -> Fraction:
    """Where the coefficients that are not known do not matter, either."""
    last = list(enumerate(series.coefficients))[-4:]
    return next((r for r in (series.radius, *RADII) if r <= series.radius and all(
        abs(c) * r**k <= abs(series.coefficients[0]) * EPSILON for k, c in last)), RADII[-1])  # fmt: skip


def _contained(u: Poly, product: Poly) -> int:
    """How often u is a factor of a product."""
    present = dict(product[0][0][0])
    return max(0, int(min(Fraction(present.get(atom, 0)) / Fraction(p) for atom, p in u[0][0][0])))


def _plain(s: Stabiliser, poly: Poly) -> list[tuple[Term, Power]]:
    """Terms that are not summed, nor by cases already."""
    return [(t, c) for t, c in poly if not t[1] and not any(atom[0] in s.near for atom, _ in t[0])]


# One variable m, a product: terms are multiples of functions of m.


def _of_products(s: Stabiliser, poly: Poly) -> Iterator[Group]:
    terms = _plain(s, poly)
    found = dict.fromkeys(m for (factors, _), _ in terms for a, power in factors for m in _variables(s, a, power))
    for m in found:
        groups: dict[Factors, list[Summand]] = {}
        few = Expansion(s, dict(m), FEW)
        for term, coefficient in terms:
            key, summand = _summand(few, term, coefficient)
            groups.setdefault(key, []).append(summand)
        for key, group in groups.items():
            if _is_wanted(few, m, group):
                kept = tuple((each.term, each.coefficient) for each in group)
                more = Expansion(s, dict(m), MOST, exact=False)
                total = _joined(_sum(each.series for each in group),
                                _sum(_summand(more, *each)[1].series for each in kept))  # fmt: skip
                beside, variable = (s.algebra.term(1, dict(f), ()) for f in (key, m))
                yield Group(s.algebra.add(*((t,) for t in kept)), beside, variable, total)


def _joined(exact: Laurent, rounded: Laurent) -> Laurent:
    """The coefficients that are known exactly, and beyond them those in floats."""
    start = exact.order + len(exact.coefficients)
    rest = [Fraction(rounded.at(k)) for k in range(start, rounded.order + len(rounded.coefficients))]
    return Laurent(exact.order, (*exact.coefficients, *rest), rounded.radius)


def _sum(parts: Iterable[Laurent]) -> Laurent:
    return reduce(add, parts)


@dataclass(frozen=True)
class Summand:
    """A term, the series of what in it depends on m, and whether a function is among that."""

    term: Term
    coefficient: Power
    series: Laurent
    called: bool


def _summand(expansion: Expansion, term: Term, coefficient: Power) -> tuple[Factors, Summand]:
    """(what does not depend on m, the term)."""
    key, series, called = expansion.parted(term[0])
    return key, Summand(term, coefficient, series.scaled(Fraction(coefficient)), called)


def _is_wanted(few: Expansion, m: Factors, group: list[Summand]) -> bool:
    """Whether first terms cancel; or where a single term is left of a quotient of two that may underflow."""
    called = [each for each in group if each.called]
    grown = any(few.s.is_call(a, "exp") for a, _ in m)
    if not called or grown or len(group) == 1:
        return grown and bool(called) and len(group) == 1 and _underflows(few, group[0])
    least = min(each.series.order for each in group)
    total = _sum(each.series for each in group)
    return total.coefficients != () and total.order > least and not _is_left(few.s, group, called, total.order - least)


def _variables(s: Stabiliser, atom: Atom, power: Power) -> Iterator[Factors]:
    """The m that an atom, to its power, may be a function of."""
    argument = _argument(s, atom)
    if argument is None and not isinstance(power, int):
        argument = tuple(t for t in s.definition(atom) or ZERO if t[0][0])
    if argument is None and power < 0:
        body = s.definition(atom) or ZERO
        for (factors, bound), _ in body if len(body) <= MOST_TERMS else ():
            for inner, order in () if bound else factors:
                yield from _variables(s, inner, order)
    if argument is not None and len(argument) == 1 and argument[0][0][0] and not argument[0][0][1]:
        factors = argument[0][0][0]
        yield ((factors[0][0], 1),) if len(factors) == 1 else factors


def _argument(s: Stabiliser, atom: Atom) -> Poly | None:
    """u of an elementary function of u, w of log(1 + w), v log a of aᵛ."""
    if s.is_call(atom, *ELEMENTARY):
        return s.argument(atom)
    if s.is_call(atom, "log"):
        inner = s.logged(atom)
        return s.algebra.add((s.definition(inner) if inner else None) or s.argument(atom), s.algebra.constant(-1))
    if s.is_call(atom, "pow"):
        base, exponent = s.algebra.arguments(s.algebra.heads[atom[0]], atom[1])
        return s.algebra.mul(exponent, s.reader.log_of(base)) if s.is_positive(base) else None
    return None


@dataclass(frozen=True)
class Expansion:
    """Series in m, to so many coefficients."""

    s: Stabiliser
    m: dict[Atom, Power]
    most: int
    exact: bool = True
    known: dict[tuple[Atom, Power], tuple[Laurent, bool] | None] = field(default_factory=dict)

    def parted(self, factors: Factors) -> tuple[Factors, Laurent, bool]:
        """(what does not depend on m, the series of what does, whether a function is among it)."""
        rest, series, called = dict(factors), Laurent.power(0, self.most), False
        for atom, power in factors:
            found = self.of(atom, power)
            if found is not None:
                del rest[atom]
                series, called = series * found[0], called or found[1] or not isinstance(power, int)
        first = next(iter(self.m))
        k = Fraction(rest.get(first, 0)) / Fraction(self.m[first])
        if k.denominator == 1 and k:
            rest = {a: rest.get(a, 0) - int(k) * self.m.get(a, 0) for a in {*rest, *self.m}}
            series = Laurent(series.order + int(k), series.coefficients, series.radius)
        return tuple(sorted((a, p) for a, p in rest.items() if p)), series, called

    def of(self, atom: Atom, power: Power) -> tuple[Laurent, bool] | None:
        """(the series of an atom, to a power, that depends on m alone, whether it is a function)."""
        if (atom, power) not in self.known:
            found = self._made(atom) if power == 1 else self.of(atom, 1)
            made = found[0].raised(Fraction(power)) if found is not None else None
            self.known[atom, power] = (made, found[1]) if found is not None and made is not None else None
        return self.known[atom, power]

    def _made(self, atom: Atom) -> tuple[Laurent, bool] | None:
        s, argument = self.s, _argument(self.s, atom)
        if argument is not None:
            power = self.power(argument)
            label = s.algebra.heads[atom[0]].label
            series = SERIES[{"log": "log1p", "pow": "exp"}.get(label, label)].cut(self.most)
            series = series if self.exact else series.rounded()
            return (series.inside(Fraction(argument[0][1]), power), True) if power else None
        body = s.definition(atom) or ZERO
        if not body or len(body) > MOST_TERMS or any(bound for (_, bound), _ in body):
            return None
        parts = [(*self.parted(term[0]), Fraction(c)) for term, c in body]
        if any(key for key, *_ in parts):
            return None
        total = _sum(series.scaled(c) for _, series, _, c in parts)
        return (total, any(called for _, _, called, _ in parts)) if total.coefficients else None

    def power(self, argument: Poly) -> int:
        """p where the argument is a number times mᵖ, p > 0; else 0."""
        if len(argument) != 1 or argument[0][0][1]:
            return 0
        factors = dict(argument[0][0][0])
        atom, power = next(iter(self.m.items()))
        p = Fraction(factors.get(atom, 0)) / Fraction(power)
        whole = p.denominator == 1 and factors == {a: q * int(p) for a, q in self.m.items()}
        return max(0, int(p)) if whole else 0


def _underflows(few: Expansion, only: Summand) -> bool:
    """Whether one term divides what vanishes with eᵘ by what does, too."""
    s, divisors = few.s, [a for a, p in only.term[0] if p < 0 and few.s.definition(a) and few.of(a, p) is not None]
    over = any(not s.traits_of(a[0]).isdisjoint(TRAITS) for a in divisors)
    return over and only.series.order >= 0


def _is_left(s: Stabiliser, group: list[Summand], called: list[Summand], order: int) -> bool:
    """eᵘ − 1, cosh u − 1 and the like: a function less what it is at 0 has a law of its own."""
    plain = [each.series for each in group if not each.called]
    if len(group) != 2 or len(called) != 1 or sum(map(bool, plain[0].coefficients)) != 1:
        return False
    known = [a for a, p in called[0].term[0] if s.is_call(a, *LEFT) or (p == HALF and s.definition(a))]
    second = next((k for k, c in enumerate(called[0].series.coefficients) if c and k), 0)
    return len(known) == 1 and order == second


# One function of a sum u, less its Taylor polynomial.


def _of_sums(s: Stabiliser, poly: Poly) -> Iterator[Group]:
    present = dict(poly)
    for term, coefficient in _plain(s, poly):
        for name, rest, u, sign in _functions(s, term[0]):
            if "exp" in s.traits(u):  # which may overflow
                continue
            beside = s.algebra.term(sign * coefficient, rest, ())
            taken, order, series = ZERO, 0, SERIES[name]
            for order in range(FEW):
                c = -series.at(order)
                more = s.algebra.scaled(s.algebra.mul(beside, *[u] * order), c) if c else ZERO
                if not all(present.get(t) == value for t, value in more):
                    break
                taken = s.algebra.add(taken, more)
            if order > 1 and len(taken) > 1:
                left = Laurent.of([series.at(k) for k in range(order, order + len(series.coefficients))],
                                  series.radius, order)  # fmt: skip
                yield Group(s.algebra.add(taken, ((term, coefficient),)), beside, u, left)


def _functions(s: Stabiliser, factors: Factors) -> Iterator[tuple[str, dict[Atom, Power], Poly, int]]:
    """(f, the other factors, u, ±1) of each ±f(u) among the factors, u a sum."""
    exponent, minus = s.exponent(factors), s.algebra.constant(-1)
    if exponent is not None and len(exponent) > 1:
        yield "exp", {a: p for a, p in factors if not s.is_call(a, "exp")}, exponent, 1
    for atom in [a for a, p in factors if p == 1 and not s.is_call(a, "exp", "pow")]:
        rest = {a: p for a, p in factors if a != atom}
        u = _argument(s, atom)
        label = s.algebra.heads[atom[0]].label
        if u is not None and len(u) > 1:
            yield "log1p" if label == "log" else label, rest, u, 1
        if u is not None and label == "log" and len(body := s.algebra.add(u, s.algebra.scaled(minus, -1))) == 1:
            yield "log1p", rest, s.algebra.add(s.reader.raised(body, -1), minus), -1


def _written_out(s: Stabiliser, poly: Poly, most: int = MOST_NAMES) -> Poly:
    """Names of a few terms with such functions, written out."""
    algebra = s.algebra
    for term, coefficient in poly if most else ():
        factors, letters = algebra.opened(term)
        for atom, power in factors.items():
            body = s.definition(atom) or ZERO
            if power != 1 or not body or len(body) > MOST_TERMS or any(bound for (_, bound), _ in body):
                continue
            if not s.traits(body).isdisjoint(TRAITS) or not s.traits(poly).isdisjoint(TRAITS):
                rest = algebra.term(coefficient, {a: p for a, p in factors.items() if a != atom}, ())
                shown = algebra.summed(algebra.mul(rest, body), tuple(letters))
                shown = algebra.add(poly, ((term, -coefficient),), shown)
                return _written_out(s, shown, most - 1)
    return poly
