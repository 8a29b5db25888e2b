"""Laws that make numerics safe: identities between index expressions, so that the oracle can check each of them.

They are applied to definitions and results before code is written. The exact value never changes; what changes is
that no exponential can overflow and no logarithm is taken of what has underflowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from derive.rewrite import Law, Record, exhaust
from derive.terms import UNIT, ZERO, Algebra, Atom, Head, Letter, Poly, Power, Reader, absolute


@dataclass
class Stabiliser:
    """Applies the laws within one algebra; `shifted[S]` is (m, S′) with S = exp(m)·S′."""

    reader: Reader
    shifted: dict[int, tuple[Poly, Head] | None] = field(default_factory=dict)

    @property
    def algebra(self) -> Algebra:
        return self.reader.algebra

    def stable(self, poly: Poly, record: Record | None = None) -> Poly:
        """The poly in its safe form."""
        result: Poly = exhaust(LAWS, self, poly, record)
        return result

    # Traversal: a law changes one atom (to a power) into a poly; the rest of the term stays beside it.

    def each(self, poly: Poly, change: Callable[[Atom, Power, dict[Atom, Power]], Poly | None]) -> Poly:
        algebra = self.algebra
        parts = []
        for coefficient, factors, bound in algebra.raws(poly):
            for atom, power in factors.items():
                rest = dict(factors)
                value = change(atom, power, rest)  # may take further factors out of `rest`
                if value is not None:
                    rest.pop(atom, None)
                    parts += [algebra.product((coefficient, rest, bound), raw) for raw in algebra.raws(value)]
                    break
            else:
                parts.append((coefficient, factors, bound))
        return algebra.poly(parts)

    def inside(self, poly: Poly) -> Poly:
        """The laws within the arguments of functions."""

        def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
            head = self.algebra.heads[atom[0]]
            if head.kind != "op" or head.over:
                return None
            arguments = self.algebra.arguments(head, atom[1])
            safe = tuple(self.stable(a) for a in arguments)
            if safe == arguments:
                return None
            made = self.reader.exp_of(safe[0]) if head.label == "exp" else self.algebra.op(
                head.label, *(self.reader.flat(a) for a in safe), positive=head.positive)  # fmt: skip
            return self.reader.raised(made, power)

        return self.each(poly, change)

    # What a definition looks like.

    def definition(self, atom: Atom) -> Poly | None:
        """The definition of a name at its letters."""
        head = self.algebra.heads[atom[0]]
        return self.algebra.arguments(head, atom[1])[0] if head.kind == "name" else None

    def one_plus_exp(self, atom: Atom) -> Poly | None:
        """u where the name stands for 1 + exp(u)."""
        body = self.definition(atom)
        if body is None or len(body) != 2 or dict(body).get(UNIT) != 1:
            return None
        (term, coefficient) = next(tc for tc in body if tc[0] != UNIT)
        exponent = self.exponent(term[0])
        if coefficient != 1 or term[1] or exponent is None or not self.all_exp(term[0]):
            return None
        return exponent

    def all_exp(self, factors: tuple[tuple[Atom, Power], ...]) -> bool:
        return all(self._is(atom, "exp") for atom, _ in factors)

    def _is(self, atom: Atom, label: str) -> bool:
        head = self.algebra.heads[atom[0]]
        return head.kind == "op" and head.label == label

    def exponent(self, factors: tuple[tuple[Atom, Power], ...]) -> Poly | None:
        """The sum of the exponents of the exponentials among the factors; None where there are none."""
        polys = [
            self.algebra.scaled(self.algebra.arguments(self.algebra.heads[a[0]], a[1])[0], p)
            for a, p in factors
            if self._is(a, "exp")
        ]
        return self.algebra.add(*polys) if polys else None

    def shift(self, head: Head) -> tuple[Poly, Head] | None:
        """(m, S′) for a sum of exponentials: m its largest exponent where the conditions hold, S′ = S·exp(−m)."""
        if head.id not in self.shifted:
            self.shifted[head.id] = None
            self.shifted[head.id] = self._shift(head)
        return self.shifted[head.id]

    def _shift(self, head: Head) -> tuple[Poly, Head] | None:
        algebra = self.algebra
        body = _open_exponential(self, head.definition)[0] if head.kind == "name" else ZERO
        exponents = [self.exponent(factors) for (factors, _), _ in body]
        reduced = any(bound for (_, bound), _ in body)
        if not any(e is not None for e in exponents) or not (reduced or len(body) > 1):
            return None
        if not algebra.is_nonnegative(body):
            return None
        largest: Poly | None = None
        for ((factors, bound), _), exponent in zip(body, exponents, strict=True):
            over = tuple(a for a in bound if exponent is not None and a in algebra.free(exponent))
            this = self.reader.flat(exponent or ZERO)
            if over:
                this = algebra.op("max", this, *self._mask(factors, bound, over), over=over)
            largest = this if largest is None else self._larger(largest, this)
        assert largest is not None
        peak = algebra.head(("peak", head.id), "name", "m", head.spaces, slots=head.slots, args=(largest,),
                            role="auto")  # fmt: skip
        m = algebra.atom(peak, head.slots)
        scaled = algebra.mul(body, self.reader.exp_of(algebra.scaled(m, -1)))
        rest = algebra.head(("scaled", head.id), "name", "S", head.spaces, slots=head.slots, args=(scaled,),
                            role="auto", positive=True)  # fmt: skip
        self.shifted[rest.id] = self.shifted[peak.id] = None
        return m, rest

    def _mask(
        self, factors: tuple[tuple[Atom, Power], ...], bound: tuple[Letter, ...], over: tuple[Letter, ...]
    ) -> tuple[Poly, ...]:
        """The conditions of a term as one product, for a maximum that looks only where they hold."""
        tests = {a: p for a, p in factors if self.algebra.heads[a[0]].kind == "test"}
        inside = {a: p for a, p in tests.items() if not (set(a[1]) & set(bound)) - set(over)}
        return (self.algebra.term(1, inside, ()),) if inside else ()

    def _larger(self, one: Poly, two: Poly) -> Poly:
        return self.algebra.op("max2", one, two) if one != two else one

    def at(self, head: Head, letters: tuple[Letter, ...], poly: Poly) -> Poly:
        """A poly over a head's slots, at these letters."""
        return self.algebra.relabelled(poly, dict(zip(head.slots, letters, strict=True)))


Found = tuple[Poly, tuple[object, ...]]


def _found(poly: Poly) -> Found:
    return poly, ()


def _open_exponential(s: Stabiliser, poly: Poly) -> Found:
    """A name e = exp(z) is written out, so that the laws below see the exponential."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        body = s.definition(atom)
        if body is None or len(body) != 1 or body[0][0][1] or not body[0][0][0] or not s.all_exp(body[0][0][0]):
            return None
        return s.reader.raised(body, power)

    return _found(s.each(poly, change))


def _sigmoid(s: Stabiliser, poly: Poly) -> Found:
    """e^u/(1 + e^u) = σ(u); 1/(1 + e^u) = σ(−u)."""

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        if not isinstance(power, int) or power >= 0:
            return None
        exponent = s.one_plus_exp(atom)
        if exponent is None:
            return None
        grown = s.reader.exp_of(exponent)
        ((factors, _), _), count = grown[0], 0
        while count < -power and all(_covers(rest.get(a, 0), p) for a, p in factors):
            for a, p in factors:
                rest[a] = rest[a] - p
            count += 1
        for a in [a for a, p in rest.items() if not p]:
            del rest[a]
        up = s.reader.apply("sigmoid", exponent)
        down = s.reader.apply("sigmoid", s.algebra.scaled(exponent, -1))
        return s.algebra.mul(s.reader.raised(up, count), s.reader.raised(down, -power - count))

    return _found(s.each(poly, change))


def _covers(have: Power, need: Power) -> bool:
    return have * need > 0 and absolute(have) >= absolute(need)


def _softplus(s: Stabiliser, poly: Poly) -> Found:
    """log(1 + e^u) = softplus(u); log σ(u) = −softplus(−u); log(1 − σ(u)) = −softplus(u)."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = _logged(s, atom)
        if inner is None:
            return None
        exponent = s.one_plus_exp(inner)
        sign = 1
        if exponent is None:
            exponent, sign = _log_of_sigmoid(s, inner), -1
        if exponent is None:
            return None
        soft = s.algebra.scaled(s.reader.apply("softplus", exponent), sign)
        return s.reader.raised(soft, power)

    return _found(s.each(poly, change))


def _logged(s: Stabiliser, atom: Atom) -> Atom | None:
    """a where the atom is log(a) for a single atom a."""
    if not s._is(atom, "log"):
        return None
    (argument,) = s.algebra.arguments(s.algebra.heads[atom[0]], atom[1])
    if len(argument) != 1 or argument[0][1] != 1 or argument[0][0][1] or len(argument[0][0][0]) != 1:
        return None
    inner, power = argument[0][0][0][0]
    return inner if power == 1 else None


def _log_of_sigmoid(s: Stabiliser, inner: Atom) -> Poly | None:
    """The v with log(inner) = −softplus(v)."""
    head = s.algebra.heads[inner[0]]
    if s._is(inner, "sigmoid"):
        return s.algebra.scaled(s.algebra.arguments(head, inner[1])[0], -1)
    body = s.definition(inner)
    if body is None:
        return None
    body = s.stable(body)
    terms = dict(body)
    if len(body) == 1:
        (factors, bound), coefficient = body[0]
        if coefficient == 1 and not bound and len(factors) == 1 and factors[0][1] == 1:
            return _log_of_sigmoid(s, factors[0][0])
    if len(body) == 2 and terms.get(UNIT) == 1:
        (factors, bound), coefficient = next(tc for tc in body if tc[0] != UNIT)
        only = factors[0] if len(factors) == 1 else None
        if coefficient == -1 and not bound and only and only[1] == 1:
            deeper = _log_of_sigmoid(s, only[0])
            return None if deeper is None else s.algebra.scaled(deeper, -1)
    return None


def _log_of_product(s: Stabiliser, poly: Poly) -> Found:
    """log n = Σ p log f for a name n = Π fᵖ of positive factors: log of softmax never sees an underflow."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = _logged(s, atom)
        body = s.definition(inner) if inner is not None else None
        if body is None or len(body) != 1 or body[0][0][1] or body[0][1] <= 0:
            return None
        if not all(s.algebra.heads[a[0]].positive for a, _ in body[0][0][0]):
            return None
        return s.reader.raised(s.reader.log_of(body), power)

    return _found(s.each(poly, change))


def _log1p(s: Stabiliser, poly: Poly) -> Found:
    """log(1 + u) = log1p(u); log(1 − e^u) = log1mexp(u)."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = _logged(s, atom)
        body = s.definition(inner) if inner is not None else None
        if body is None or len(body) < 2 or dict(body).get(UNIT) != 1:
            return None
        rest = tuple(term for term in body if term[0] != UNIT)
        ((factors, bound), coefficient) = rest[0]
        if len(rest) == 1 and coefficient == -1 and not bound and s.all_exp(factors):
            exponent = s.exponent(factors)
            assert exponent is not None
            return s.reader.raised(s.reader.apply("log1mexp", exponent), power)
        return s.reader.raised(s.reader.apply("log1p", rest), power)

    return _found(s.each(poly, change))


def _expm1(s: Stabiliser, poly: Poly) -> Found:
    """k e^u − k = k expm1(u)."""
    terms = dict(poly)
    for (factors, bound), coefficient in poly:
        grown = tuple(f for f in factors if s._is(f[0], "exp"))
        rest = (tuple(f for f in factors if f not in grown), bound)
        exponent = None if bound else s.exponent(grown)
        if exponent is None or terms.get(rest) != -coefficient:
            continue
        others = tuple(term for term in poly if term[0] not in ((factors, bound), rest))
        beside = s.algebra.term(coefficient, dict(rest[0]), ())
        return _found(s.algebra.add(others, s.algebra.mul(beside, s.reader.apply("expm1", exponent))))
    return _found(poly)


def _shift_log(s: Stabiliser, poly: Poly) -> Found:
    """log Σ exp(z) = m + log Σ exp(z − m), m the largest z."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = _logged(s, atom)
        found = s.shift(s.algebra.heads[inner[0]]) if inner is not None else None
        if inner is None or found is None:
            return None
        peak, rest = found
        logged = s.reader.log_of(s.algebra.atom(rest, inner[1]))
        total = s.algebra.add(s.at(s.algebra.heads[inner[0]], inner[1], peak), logged)
        return s.reader.raised(total, power) if len(total) == 1 or power != 1 else total

    return _found(s.each(poly, change))


def _shift_power(s: Stabiliser, poly: Poly) -> Found:
    """(Σ exp(z))ᵖ = exp(p m) (Σ exp(z − m))ᵖ: beside it, exp(z) becomes exp(z − m)."""

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        head = s.algebra.heads[atom[0]]
        found = s.shift(head) if power < 0 else None
        if found is None:
            return None
        peak, rest = found
        grown = s.reader.exp_of(s.algebra.scaled(s.at(head, atom[1], peak), power))
        return s.algebra.mul(grown, s.algebra.atom(rest, atom[1], power))

    return _found(s.each(poly, change))


def _within(s: Stabiliser, poly: Poly) -> Found:
    return _found(s.inside(poly))


LAWS: tuple[Law, ...] = (
    Law("open an exponential", "a name that stands for an exponential is written out", _open_exponential),
    Law("softplus", "log(1 + eᵘ) as one function, which never overflows", _softplus),
    Law("sigmoid", "eᵘ/(1 + eᵘ) as one function, which never overflows", _sigmoid),
    Law("log of a product", "the logarithm of a product is the sum of the logarithms", _log_of_product),
    Law("shift log-sum-exp", "log Σ exp(z) = m + log Σ exp(z − m) for any m; m is the largest z", _shift_log),
    Law(
        "shift sum of exponentials",
        "both sides of a ratio lose the factor exp(m), m the largest exponent",
        _shift_power,
    ),
    Law("log1p", "log(1 + u) where 1 + u would round u away", _log1p),
    Law("expm1", "eᵘ − 1 where it would cancel", _expm1),
    Law("within functions", "the same laws inside an argument", _within),
)
