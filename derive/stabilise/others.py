"""1 − p of a share p, near 1, by the sum of the others: it neither cancels nor underflows."""

from __future__ import annotations

from fractions import Fraction

from derive.terms import UNIT, ZERO, Atom, Head, Letter, Poly, Power, is_window, solutions, unequal

from .form import Stabiliser
from .shifts import is_log

HALF = Fraction(1, 2)
Parts = tuple[Poly, Poly, Poly]  # [p > ½], [p ≤ ½], what else Σ is made of


def others_of_softmax(s: Stabiliser, poly: Poly) -> Poly:
    """1 − pᶜ = Σ of the others where pᶜ > ½, for pᶜ = eᶜ/Σe under a power below 0 or a logarithm."""

    def wanted(head: Head, power: Power) -> bool:
        return (head.kind == "name" and power < 0) or (head.kind == "op" and head.label == "log")

    def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
        inner = atom if s.algebra.heads[atom[0]].kind == "name" else s.logged(atom)
        other = _others(s, inner) if inner is not None else None
        if other is None:
            return None
        return s.reader.raised(other if inner == atom else s.reader.log_of(other), power)

    return s.each(poly, wanted, change)


def log_of_others(s: Stabiliser, poly: Poly) -> Poly:
    """log(1 − a/Σ) = log(Σ − a) − log Σ, where a is one of the terms, and more than half of Σ."""

    def change(atom: Atom, power: Power, rest: dict[Atom, Power]) -> Poly | None:
        inner = s.logged(atom)
        share = _share(s, inner) if inner is not None else ZERO
        total = _divisor(s, share)
        if total is None:
            return None
        logged = _minus_log(s, total)
        yes, no, others = _left_over(s, share, total) or _chosen(s, share, total) or _each(s, share, total)
        if power != 1 or not others or any(a in rest for (f, _), _ in (*yes, *no) for a, _ in f):
            return None
        whole = s.algebra.mul(yes, s.algebra.add(s.reader.log_of(others), logged))
        return s.algebra.add(whole, s.algebra.mul(no, s.algebra.term(1, {atom: 1}, ())))

    return s.each(poly, is_log, change)


def _minus_log(s: Stabiliser, total: Atom) -> Poly:
    return s.algebra.scaled(s.algebra.op("log", s.algebra.term(1, {total: 1}, ())), -1)


def _share(s: Stabiliser, atom: Atom) -> Poly:
    """p of a name for 1 − p, where p is one product, written out."""
    body = s.definition(atom) or ZERO
    share = s.algebra.scaled(tuple(t for t in body if t[0] != UNIT), -1)
    return written_out(s, share) if dict(body).get(UNIT) == 1 and len(share) == 1 and share[0][1] > 0 else ZERO


def _divisor(s: Stabiliser, share: Poly) -> Atom | None:
    """The sum of exponentials that a product is divided by."""
    below = [a for a, p in share[0][0][0] if p == -1] if len(share) == 1 else []
    return next((a for a in below if s.definition(a) and "exp" in s.traits_of(a[0])), None)


def _left_over(s: Stabiliser, share: Poly, total: Atom) -> Parts | None:
    """([a > Σ − a], its complement, Σ − a), where a is a term of Σ as it stands."""
    whole, one = s.definition(total) or ZERO, _times(s, share, total)
    left = s.algebra.add(whole, s.algebra.scaled(one, -1))
    if len(left) >= len(whole) or share[0][0][1]:
        return None
    return (*_halves(s, share), left)


def _halves(s: Stabiliser, share: Poly) -> tuple[Poly, Poly]:
    """[p > ½] and its complement."""
    scale, p = s.algebra.named(share)
    return s.exceeds(s.algebra.term(scale, {p: 1}, ()), s.algebra.constant(HALF))


def _times(s: Stabiliser, share: Poly, total: Atom) -> Poly:
    return s.algebra.mul(share, s.algebra.term(1, {total: 1}, ()))


def _chosen(s: Stabiliser, share: Poly, total: Atom) -> Parts | None:
    """([p > ½], its complement, Σ_c [c ≠ y] eᶜ) of p = Σ_c [c = y] eᶜ/Σ_c eᶜ."""
    ((coefficient, factors, bound),) = s.algebra.raws(share)
    windows = [a for a in factors if is_window(s.algebra.heads[a[0]])]
    if len(windows) != 1 or len(bound) != 1 or not any(k in bound for k, _, _ in solutions(s.algebra, windows[0])):
        return None
    (letter,) = bound
    rest = {a: p for a, p in factors.items() if a != windows[0]}
    one = _times(s, s.algebra.term(coefficient, rest, ()), total)
    if not is_summand(s, one, total, letter):
        return None
    others = s.algebra.mul(s.algebra.term(1, {unequal(s.algebra, windows[0]): 1}, ()), one)
    return (*_halves(s, share), s.algebra.summed(others, (letter,)))


def is_summand(s: Stabiliser, one: Poly, total: Atom, own: Letter) -> bool:
    """Whether Σ is the sum of this product over a letter of its own."""
    whole = s.definition(total) or ZERO
    if len(whole) != 1 or len(whole[0][0][1]) != 1:
        return False
    ((coefficient, factors, (letter,)),) = s.algebra.raws(whole)
    if s.algebra.letter_space[own] != s.algebra.letter_space[letter]:
        return False
    return s.algebra.relabelled(s.algebra.term(coefficient, factors, ()), {letter: own}) == one


def _each(s: Stabiliser, share: Poly, total: Atom) -> Parts:
    """([p > ½], [p ≤ ½], Σ [p ≤ ½] e) for p = e/Σe at a letter of its own; the last is 0 for anything else."""
    one = _times(s, share, total)
    for own in s.algebra.free(one) if not share[0][0][1] else ():
        if is_summand(s, one, total, own):
            yes, no = _halves(s, share)
            letter = s.algebra.fresh(own)
            others = s.algebra.relabelled(s.algebra.mul(no, one), {own: letter})
            return yes, no, s.algebra.summed(others, (letter,))
    return ZERO, ZERO, ZERO


def _others(s: Stabiliser, atom: Atom) -> Poly | None:
    """1 − p as a name for: where(p > ½, Σ [p ≤ ½] p, 1 − p)."""
    algebra, share = s.algebra, _share(s, atom)
    total = _divisor(s, share)
    yes, no, others = _each(s, share, total) if total is not None else (ZERO,) * 3
    if total is None or not others:
        return None
    scale, p = algebra.named(share)
    value = algebra.term(scale, {p: 1}, ())
    s.shifted[p[0]] = None
    rest = algebra.mul(others, algebra.term(1, {total: -1}, ()))
    less = algebra.add(algebra.constant(1), algebra.scaled(value, -1))
    scale, name = algebra.named(algebra.add(algebra.mul(yes, rest), algebra.mul(no, less)))
    s.shifted[name[0]] = None
    return algebra.term(scale, {name: 1}, ())


def written_out(s: Stabiliser, poly: Poly) -> Poly:
    """Names for single products, written out: of a share, of a chosen entry, of a share that is chosen."""
    ((coefficient, factors, bound),) = s.algebra.raws(poly)
    names = [a for a, p in factors.items() if p == 1 and s.algebra.heads[a[0]].kind == "name"]
    body = s.definition(names[0]) or ZERO if len(names) == 1 else ZERO
    beside = [a for a in factors if a not in names]
    if len(body) != 1 or (bound and body[0][0][1]) or not all(is_window(s.algebra.heads[a[0]]) for a in beside):
        return poly
    rest = s.algebra.term(coefficient, {a: p for a, p in factors.items() if a != names[0]}, ())
    shown = s.algebra.mul(rest, body)
    return written_out(s, s.algebra.summed(shown, tuple(bound)) if bound else shown)
