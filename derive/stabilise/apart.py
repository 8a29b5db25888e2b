"""Differences of the same function at two places, where nothing is summed: each entry keeps its digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from derive.terms import Poly, Power, Term

from .differences import HALF
from .differences import scaled_call as scaled
from .form import Factors, Stabiliser


def apart(s: Stabiliser, poly: Poly) -> Poly:
    """σ(u) − σ(v) = tanh((u − v)/2)(σ(u)σ(−v) + σ(v)σ(−u)); tanh by σ; eᵘ − eᵛ = ∓exp(max(u, v)) expm1(−|u − v|)."""
    parts = [(t, c, beside, name, u) for t, c in poly if s.exact and not t[1] for beside, name, u in _lone_call(s, t)]
    for k, (one, c, beside, name, u) in enumerate(parts):
        for two, other, same, label, v in parts[:k]:
            less = s.algebra.add(u, s.algebra.scaled(v, -1))
            if (beside, name, c) == (same, label, -other) and not s.is_number(less):
                rest = s.algebra.add(poly, ((one, -c),), ((two, -other),))
                return s.algebra.add(rest, s.algebra.mul(s.algebra.term(c, dict(beside), ()), APART[name](s, u, v)))
    return poly


def _lone_call(s: Stabiliser, term: Term) -> Iterator[tuple[Factors, str, Poly]]:
    """(the rest, f, u) of a product with one f(u)."""
    factors, exponent = term[0], s.exponent(term[0])
    if exponent is not None:
        yield tuple(f for f in factors if not s.is_call(f[0], "exp")), "exp", exponent
    for atom, power in factors:
        if power == 1 and s.is_call(atom, "sigmoid", "tanh"):
            yield tuple(f for f in factors if f[0] != atom), s.algebra.heads[atom[0]].label, s.argument(atom)


def _sigmoids_apart(s: Stabiliser, u: Poly, v: Poly, by: Power = 1) -> Poly:
    """σ(u) − σ(v); for by = 2 of 2u and 2v, doubled: tanh(u) − tanh(v)."""
    shares = [[scaled(s, "sigmoid", w, sign * by) for sign in (1, -1)] for w in (u, v)]
    both = s.reader.grouped(s.algebra.add(s.algebra.mul(shares[0][0], shares[1][1]),
                                          s.algebra.mul(shares[1][0], shares[0][1])))  # fmt: skip
    half = scaled(s, "tanh", s.algebra.add(u, s.algebra.scaled(v, -1)), HALF * by)
    return s.algebra.scaled(s.algebra.mul(half, both), by)


def _exponentials_apart(s: Stabiliser, u: Poly, v: Poly) -> Poly:
    """eᵘ − eᵛ = −sign(u − v) exp(max(u, v)) expm1(−|u − v|)."""
    apart = s.algebra.add(u, s.algebra.scaled(v, -1))
    less = s.reader.apply("expm1", s.algebra.scaled(s.reader.apply("abs", apart), -1))
    top = s.reader.exp_of(s.algebra.op("max2", s.reader.flat(u), s.reader.flat(v)))
    return s.algebra.scaled(s.algebra.mul(s.reader.apply("sign", apart), top, less), -1)


APART: dict[str, Callable[[Stabiliser, Poly, Poly], Poly]] = {
    "sigmoid": _sigmoids_apart,
    "tanh": lambda s, u, v: _sigmoids_apart(s, u, v, 2),
    "exp": _exponentials_apart,
}
