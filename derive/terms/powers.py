"""Powers, exponentials and logarithms of polys: the laws of exponents, each where it is licensed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy
from sympy import Rational

from derive.axes import Unsupported

from .algebra import Algebra
from .data import ZERO, Poly, Power, absolute, number

POSITIVE = frozenset({"cosh", "sigmoid", "softplus", "exp"})


class Powers:
    """The laws of exponents in one algebra."""

    def __init__(self, algebra: Algebra, expand: bool = False) -> None:
        self.algebra = algebra
        self.expand = expand  # multiply sums out instead of naming them: for comparing, not for reading

    def grouped(self, poly: Poly) -> Poly:
        """A sum as one named factor; its own reductions are named first."""
        if len(poly) <= 1:
            return poly
        scale, atom = self.algebra.named(self.flat(poly))
        return self.algebra.term(scale, {atom: 1}, ())

    def flat(self, poly: Poly) -> Poly:
        """A sum without bound letters: each reduction in it becomes a name (μ in x − μ)."""
        if len(poly) <= 1 and not (poly and poly[0][0][1]):
            return poly
        return self.algebra.add(*(self._unbound(term, c) for term, c in poly))

    def _unbound(self, term: Any, coefficient: Power) -> Poly:
        if not term[1]:
            return ((term, coefficient),)
        scale, atom = self.algebra.named(((term, 1),))
        return self.algebra.term(number(scale * coefficient), {atom: 1}, ())

    def raised(self, poly: Poly, power: Power) -> Poly:
        """poly ** power. A fractional power enters a product only over factors known to be positive."""
        algebra = self.algebra
        if not poly:
            if power < 0:
                raise Unsupported("division by zero in a formula")
            return ZERO
        if self.expand and isinstance(power, int) and power > 0:
            return algebra.mul(*[poly] * power)
        if len(poly) == 1 and poly[0][0][1]:
            outside, summed = self._apart(poly, power)
            if outside != algebra.constant(1):
                return algebra.mul(self.raised(outside, power), self.raised(summed, power))
            if parts := self._independent(summed, power):
                return algebra.mul(*(self.raised(part, power) for part in parts))
        if len(poly) > 1 or poly[0][0][1]:
            body = self.flat(poly) if len(poly) > 1 else poly
            scale, atom = algebra.named(body, signed=not isinstance(power, int))
            return algebra.mul(self._number_power(scale, power), algebra.term(1, {atom: power}, ()))
        (factors, _), coefficient = poly[0]
        if isinstance(power, int):
            inner = {atom: number(p * power) for atom, p in factors}
            return algebra.mul(self._number_power(coefficient, power), algebra.term(1, inner, ()))
        return self._fractional(dict(factors), coefficient, power)

    def _apart(self, poly: Poly, power: Power) -> tuple[Poly, Poly]:
        """a·Σ b as (a, Σ b), a what does not depend on the summed letters and may stand under the power."""
        ((factors, bound), coefficient) = poly[0]
        heads = self.algebra.heads
        outer = {
            a: p for a, p in factors
            if not set(a[1]) & set(bound) and (isinstance(power, int) or heads[a[0]].positive)
        }  # fmt: skip
        rest = {a: p for a, p in factors if a not in outer}
        return self.algebra.term(1, outer, ()), self.algebra.term(coefficient, rest, bound)

    def _independent(self, poly: Poly, power: Power) -> list[Poly]:
        """Σ_{c,d} a_c b_d as [Σ a, Σ b], where no factor ties c to d and each sum may stand under the power."""
        (((factors, bound), coefficient),) = poly
        groups: list[tuple[set[int], dict[Any, Power]]] = []
        for atom, p in factors:
            letters, held = set(atom[1]) & set(bound), {atom: p}
            for group in [g for g in groups if g[0] & letters]:
                groups.remove(group)
                letters, held = letters | group[0], {**group[1], **held}
            groups.append((letters, held))
        if len(groups) < 2:
            return []
        parts = [self.algebra.term(1, held, letters) for letters, held in groups]
        if not isinstance(power, int) and not all(self.algebra.is_nonnegative(part) for part in parts):
            return []
        return [self.algebra.constant(coefficient), *parts] if coefficient != 1 else parts

    def _fractional(self, factors: dict[Any, Power], coefficient: Power, power: Power) -> Poly:
        algebra = self.algebra
        heads = algebra.heads
        sure = {a: p for a, p in factors.items() if heads[a[0]].positive}
        rest = {a: p for a, p in factors.items() if a not in sure}
        lone = len(rest) == 1 and next(iter(rest.values())) == 1 and coefficient > 0
        result = algebra.term(1, {a: number(p * power) for a, p in sure.items()}, ())
        if rest and lone:
            result = algebra.mul(result, algebra.term(1, {next(iter(rest)): power}, ()))
        elif rest:
            _, atom = algebra.named(algebra.term(-1 if coefficient < 0 else 1, rest, ()), signed=True)
            result = algebra.mul(result, algebra.term(1, {atom: power}, ()))
        value = absolute(coefficient) if rest and not lone else coefficient
        return algebra.mul(self._number_power(value, power), result)

    def _number_power(self, value: Power, power: Power) -> Poly:
        """A rational to a power: exact, or as powers of whole numbers, 2**(1/2)."""
        if isinstance(power, int):
            return self.algebra.constant(number(Fraction(value) ** power))
        if value < 0:
            raise Unsupported(f"a negative number under the power {power}")
        exact = sympy.Pow(Rational(Fraction(value).numerator, Fraction(value).denominator), Rational(str(power)))
        result = self.algebra.constant(1)
        for part in sympy.Mul.make_args(exact):
            if isinstance(part, Rational):
                result = self.algebra.scaled(result, number(Fraction(int(part.p), int(part.q))))
                continue
            base, exponent = part.as_base_exp()
            head = self.algebra.head(("symbol", base), "symbol", str(base), payload=base, positive=True)
            self.algebra.roots[head.id] = int(base)
            raised = self.algebra.atom(head, (), number(Fraction(int(exponent.p), int(exponent.q))))
            result = self.algebra.mul(result, raised)
        return result

    def exp_of(self, poly: Poly) -> Poly:
        """exp(a + b) = exp(a) exp(b); exp(2a) = exp(a)²; exp(log a) = a."""
        algebra = self.algebra
        result = algebra.constant(1)
        for term, coefficient in self.flat(poly):
            only = term[0][0] if len(term[0]) == 1 else None
            head = algebra.heads[only[0][0]] if only else None
            if only and head is not None and head.label == "log" and only[1] == 1:
                part = self.raised(algebra.arguments(head, only[0][1])[0], coefficient)
            else:
                atom = algebra.op("exp", ((term, 1),), positive=True)
                part = self.raised(atom, coefficient)
            result = algebra.mul(result, part)
        return result

    def log_of(self, poly: Poly) -> Poly:
        """log(ab) = log a + log b for positive a, b; log(exp a) = a."""
        algebra = self.algebra
        if len(poly) == 1 and poly[0][0][1]:
            outside, summed = self._apart(poly, Fraction(1, 2))  # positive factors leave the sum and the logarithm
            if outside != algebra.constant(1):
                return algebra.add(self.log_of(outside), self.log_of(summed))
        if len(poly) != 1 or poly[0][0][1]:
            if len(poly) > 1 or (poly and poly[0][0][1]):
                scale, atom = algebra.named(self.flat(poly) if len(poly) > 1 else poly)
                poly = algebra.term(scale, {atom: 1}, ())
            else:
                raise Unsupported("log of zero in a formula")
        (factors, _), coefficient = poly[0]
        sure = [(a, p) for a, p in factors if algebra.heads[a[0]].positive]
        rest = {a: p for a, p in factors if not algebra.heads[a[0]].positive}
        total = [self._log_atom(atom, power) for atom, power in sure]
        if coefficient < 0 and not rest:
            raise Unsupported("log of a negative number in a formula: it has no real value")
        if coefficient < 0 or rest:
            sign = -1 if coefficient < 0 else 1
            total.append(algebra.op("log", algebra.term(sign, rest, ())))
        if absolute(coefficient) != 1:
            total.append(algebra.op("log", algebra.constant(absolute(coefficient))))
        return algebra.add(*total) if total else ZERO

    def _log_atom(self, atom: Any, power: Power) -> Poly:
        head = self.algebra.heads[atom[0]]
        if head.label == "exp" and head.kind == "op":
            return self.algebra.scaled(self.algebra.arguments(head, atom[1])[0], power)
        return self.algebra.scaled(self.algebra.op("log", self.algebra.term(1, {atom: 1}, ())), power)

    def apply(self, label: str, argument: Poly) -> Poly:
        return self.algebra.op(label, self.flat(argument), positive=label in POSITIVE)
