"""The derivative of a term by occurrence: every factor gives one term, every function brings its own derivative."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import sympy

from derive.axes import Unsupported
from derive.terms import ZERO, Algebra, Atom, Head, Letter, Poly, Raw, Reader, number, tied, unequal

from .matrix import KERNELS, kernel

Partial = tuple[Head, tuple[Letter, ...], Raw]
Rule = Callable[[Reader, Poly, Poly], Poly]


def _sum(*polys: Poly) -> Poly:
    return Algebra.add(*polys)


def _less(one: int, poly: Poly, algebra: Algebra) -> Poly:
    return _sum(algebra.constant(one), Algebra.scaled(poly, -1))


# f → f′(u), given y = f(u) and u. The primitives of scalar calculus; everything else is derived from them.
DERIVATIVES: dict[str, Rule] = {
    "exp": lambda r, y, u: y,
    "log": lambda r, y, u: r.raised(u, -1),
    "tanh": lambda r, y, u: r.grouped(_less(1, r.raised(y, 2), r.algebra)),
    "sigmoid": lambda r, y, u: r.algebra.mul(y, r.grouped(_less(1, y, r.algebra))),
    "softplus": lambda r, y, u: r.apply("sigmoid", u),
    "logcosh": lambda r, y, u: r.apply("tanh", u),
    "cosh": lambda r, y, u: r.algebra.mul(r.apply("tanh", u), y),
    "sin": lambda r, y, u: r.apply("cos", u),
    "cos": lambda r, y, u: Algebra.scaled(r.apply("sin", u), -1),
    "erf": lambda r, y, u: Algebra.scaled(
        r.algebra.mul(
            r.read(sympy.Pow(sympy.pi, sympy.Rational(-1, 2)), {}), r.exp_of(Algebra.scaled(r.raised(u, 2), -1))
        ),
        2,
    ),
    "gamma": lambda r, y, u: r.algebra.mul(y, r.apply("digamma", u)),
    "loggamma": lambda r, y, u: r.apply("digamma", u),
    "digamma": lambda r, y, u: r.apply("trigamma", u),
    "trigamma": lambda r, y, u: r.apply("tetragamma", u),
    "abs": lambda r, y, u: r.apply("sign", u),
    "sign": lambda r, y, u: (),
    "stop_gradient": lambda r, y, u: (),  # sg′ = 0 by definition: what it holds is a constant
    "atan": lambda r, y, u: r.raised(_sum(r.algebra.constant(1), r.raised(u, 2)), -1),
    "asin": lambda r, y, u: r.raised(_less(1, r.raised(u, 2), r.algebra), Fraction(-1, 2)),
    "acos": lambda r, y, u: Algebra.scaled(DERIVATIVES["asin"](r, y, u), -1),
    "asinh": lambda r, y, u: r.raised(_sum(r.algebra.constant(1), r.raised(u, 2)), Fraction(-1, 2)),
    "atanh": lambda r, y, u: r.raised(_less(1, r.raised(u, 2), r.algebra), -1),
}


def partials(reader: Reader, raws: list[Raw]) -> Iterator[Partial]:
    """(tensor or name, its letters, cofactor) for every occurrence in a sum of raw terms: Σ cofactor · d(tensor)."""
    algebra = reader.algebra
    for coefficient, factors, bound in raws:
        for atom, power in factors.items():
            head, letters = algebra.heads[atom[0]], atom[1]
            if head.kind not in ("tensor", "name", "op") or not _varies(head):
                continue
            less = dict(factors)
            if 0 < power < 1:
                less |= dict.fromkeys(apart(algebra, head, letters), 1)
            less[atom] = number(power - 1)
            if not less[atom]:
                del less[atom]
            cofactor: Raw = (number(coefficient * power), less, bound)
            if head.kind == "op":
                yield from _through(reader, head, letters, cofactor)
            else:
                yield head, letters, cofactor


def apart(algebra: Algebra, head: Head, letters: tuple[Letter, ...]) -> list[Atom]:
    """[i ≠ j] for letters at which something is 0 whatever its entries are: a root of it is constant there.

    ‖x_i − x_j‖ has no derivative where points meet, but for i = j it is 0, and so is its derivative.
    """
    pairs = [(one, two) for k, two in enumerate(letters) for one in letters[:k] if one != two]
    alike = [pair for pair in pairs if algebra.letter_space[pair[0]] == algebra.letter_space[pair[1]]]
    at = {(one, two): tuple(one if a == two else a for a in letters) for one, two in alike}
    return [(unequal(algebra, (algebra.delta.id, p))[0], p) for p in alike if _vanishes(algebra, head, at[p])]


def _vanishes(algebra: Algebra, head: Head, letters: tuple[Letter, ...]) -> bool:
    """Whether a definition is 0 at letters some of which are the same, by what it is made of."""
    if head.kind != "name" or len(set(letters)) == len(letters):
        return False
    here = algebra.relabelled(head.definition, dict(zip(head.slots, letters, strict=True)))
    left = [
        raw for raw in algebra.raws(here)
        if not any(power > 0 and _vanishes(algebra, algebra.heads[k], at) for (k, at), power in raw[1].items())
    ]  # fmt: skip
    return not algebra.poly(left)


def _varies(head: Head) -> bool:
    """Integers and masks are constants."""
    return not (head.kind == "tensor" and head.payload.dtype != "real")


def _through(reader: Reader, head: Head, letters: tuple[Letter, ...], cofactor: Raw) -> Iterator[Partial]:
    """The chain rule for one function: f(u) gives f′(u) du."""
    algebra = reader.algebra
    if head.over:
        yield from REDUCED[head.label](reader, head, letters, cofactor)
        return
    arguments = algebra.arguments(head, letters)
    value = algebra.atom(head, letters)
    if head.label == "pow":
        outer = _power_rule(reader, value, *arguments)
    elif head.label in DERIVATIVES:
        outer = [DERIVATIVES[head.label](reader, value, arguments[0])]
    else:
        raise Unsupported(f"no law for the derivative of {head.label}")
    for factor, argument in zip(outer, arguments, strict=True):
        for target, at, inner in partials(reader, algebra.raws(argument)):
            for part in algebra.raws(factor):
                yield target, at, algebra.product(cofactor, part, inner)


def _power_rule(reader: Reader, value: Poly, base: Poly, exponent: Poly) -> list[Poly]:
    """d(uᵛ) = v uᵛ⁻¹ du + uᵛ log u dv."""
    algebra = reader.algebra
    lower = algebra.op("pow", base, reader.flat(_sum(exponent, algebra.constant(-1))))
    return [algebra.mul(exponent, lower), algebra.mul(value, reader.log_of(base))]


def _through_product(reader: Reader, head: Head, letters: tuple[Letter, ...], cofactor: Raw) -> Iterator[Partial]:
    """d Π_c u_c = Σ_k (Π_{c ≠ k} u_c) du_k: right also where entries are zero."""
    algebra = reader.algebra
    (argument,), over = algebra.unbound(head, letters)
    one = {a: algebra.fresh(a) for a in over}
    here = algebra.relabelled(argument, one)
    same, others = algebra.constant(1), ZERO
    for pair in one.items():  # c ≠ k: the first letter that differs
        here_too = algebra.atom(algebra.delta, pair)
        apart = algebra.atom(algebra.heads[unequal(algebra, (algebra.delta.id, pair))[0]], pair)
        same, others = algebra.mul(same, here_too), _sum(others, algebra.mul(same, apart, argument))
    others = _sum(same, others)
    rest = algebra.op("prod", reader.flat(others), over=over)
    for target, at, inner in partials(reader, algebra.raws(here)):
        for part in algebra.raws(rest):
            coefficient, factors, bound = algebra.product(cofactor, part, inner)
            yield target, at, (coefficient, factors, bound | frozenset(one.values()))


def _through_extremum(reader: Reader, head: Head, letters: tuple[Letter, ...], cofactor: Raw) -> Iterator[Partial]:
    """d max_c u_c = Σ_c [c = k] du_c, k the first place where u is largest."""
    algebra = reader.algebra
    arguments, over = algebra.unbound(head, letters)
    chosen = [
        tied(algebra, letter, algebra.op(f"arg{head.label}", *arguments, over=over, payload=place))
        for place, letter in enumerate(over)
    ]
    for target, at, inner in partials(reader, algebra.raws(arguments[0])):
        ties: Raw = (1, dict.fromkeys(chosen, 1), frozenset())
        coefficient, factors, bound = algebra.product(cofactor, ties, inner)
        yield target, at, (coefficient, factors, bound | frozenset(over))


def _constant(reader: Reader, head: Head, letters: tuple[Letter, ...], cofactor: Raw) -> Iterator[Partial]:
    """Where a maximum stands is an integer: it does not move with the entries, but where it jumps."""
    yield from ()


def _through_matrix(reader: Reader, head: Head, letters: tuple[Letter, ...], cofactor: Raw) -> Iterator[Partial]:
    """df = Σ_rc K[r, c] dA[r, c]."""
    algebra = reader.algebra
    outer, body, over = kernel(reader, head, letters)
    for target, at, inner in partials(reader, algebra.raws(body)):
        for part in algebra.raws(outer):
            coefficient, factors, bound = algebra.product(cofactor, part, inner)
            yield target, at, (coefficient, factors, bound | over)


REDUCED: dict[str, Callable[[Reader, Head, tuple[Letter, ...], Raw], Iterator[Partial]]] = {
    "prod": _through_product,
    "max": _through_extremum,
    "min": _through_extremum,
    "argmax": _constant,
    "argmin": _constant,
    **dict.fromkeys(KERNELS, _through_matrix),
}


def tangent(reader: Reader, raws: list[Raw], tangents: dict[int, Any]) -> Poly:
    """Forward mode: Σ cofactor · ẋ over the occurrences; `tangents` maps a head to the head of its tangent."""
    algebra = reader.algebra
    parts = []
    for head, letters, (coefficient, factors, bound) in partials(reader, raws):
        dot = tangents.get(head.id)
        if dot is not None:
            parts.append(algebra.product((coefficient, factors, bound), (1, {(dot.id, letters): 1}, frozenset())))
    return algebra.poly(parts)
