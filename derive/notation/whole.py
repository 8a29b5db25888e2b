"""Integers as a reader reads them, in indices, lengths and conditions: s h + d r − p, Y − 1 − y, ⌊f/K⌋, f mod K.

A sum begins with what is added, letters first, and ends with what is taken away, letters last. Where a length is
longer than a name, its name stands for it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import sympy
from sympy import Add, Dummy, Expr, Integer, Mul, Symbol, ceiling, floor
from sympy.core.basic import Basic

from derive.axes import Axis, Entry, Reduction, Size, whole

from .factors import Factors, flattened
from .names import Names
from .style import Piece, Style, sum_of
from .table import MUL, POW

Show = Callable[[Basic], Piece]
Key = tuple[Any, ...]


def counts(node: Basic) -> bool:
    """Whether an expression is an integer that is made of letters, lengths or places."""
    return _is_whole(node) and bool(node.atoms(Axis, Size, Entry, Reduction))


def _is_whole(node: Basic) -> bool:
    """Within a floor there may be halves: SymPy keeps ⌊(H − Q)/2⌋ as ⌊H/2 − Q/2⌋."""
    if isinstance(node, (floor, ceiling)):
        return _of_rationals(node.args[0])
    if isinstance(node, (Add, Mul, sympy.Pow, sympy.Min, sympy.Max, sympy.Mod)):
        return all(_is_whole(part) for part in node.args)
    return whole(node)


def _of_rationals(node: Basic) -> bool:
    if isinstance(node, (Add, Mul)):
        return all(_of_rationals(part) for part in node.args)
    return bool(node.is_Rational) or _is_whole(node)


class Integers:
    """Prints integer expressions; letters, entries and functions are printed by `show`."""

    def __init__(self, names: Names, style: Style, show: Show) -> None:
        self.names, self.style, self.of = names, style, show

    def show(self, node: Basic) -> Piece:
        """The printed integer."""
        if node in self.names.lengths and (isinstance(node, Add) or sympy.fraction(node)[1] != 1):
            return self.of(self.names.lengths[node])  # a product such as G K is as short as its name
        if isinstance(node, Add):
            return self._sum(node)
        if isinstance(node, (Mul, sympy.Pow, sympy.Rational)):
            negative, piece = self._term(node)
            return sum_of([(True, piece)], self.style) if negative else piece
        return self.of(node)

    def _sum(self, node: Basic) -> Piece:
        short = shortened(self.names, node)
        if not isinstance(short, Add):
            return self.show(short)
        terms = [term for term in flattened(short, Add) if 0 not in Factors(term).above] or [Integer(0)]
        placed = sorted(enumerate(terms), key=lambda item: (self._place(item[1]), item[0]))
        return sum_of([self._term(term) for _, term in placed], self.style)

    def _place(self, term: Basic) -> Key:
        """Letters, lengths, numbers; then in turn what is taken away, letters last."""
        factors = Factors(term)
        letters = term.atoms(Axis)
        if letters or term.atoms(Entry, Reduction):
            alone = next(iter(letters)) if len(letters) == 1 else None
            window = alone is not None and bool(alone.size.atoms(floor, ceiling))
            return (5 if factors.negative else 0, not window, len(factors.above) == 1, self.names.rank(alone))
        if isinstance(term, Integer):
            return (4 if factors.negative else 2,)
        lengths = [
            place for place, s in enumerate(self.names.symbols) if s.name[:1].isupper() and s in term.atoms(Symbol)
        ]
        return (3 if factors.negative else 1, not lengths, min(lengths, default=0))

    def _term(self, node: Basic) -> tuple[bool, Piece]:
        factors = folded(self.names, Factors(node))
        above, below = self._product(factors.above), self._product(factors.below)
        if above is None or below is None:
            return factors.negative, above or self._over(Piece("1"), below)
        return factors.negative, self._over(above, below)

    def _over(self, above: Piece, below: Piece | None) -> Piece:
        if below is None:
            return above
        over = above if above.level >= MUL else self.style.paren(above)
        under = below if below.level >= POW else self.style.paren(below)
        return Piece(f"{over.source}/{under.source}", MUL)

    def _product(self, factors: list[Basic]) -> Piece | None:
        """The product of the numbers, then sizes, then letters; None where nothing but 1 is left."""
        number = sympy.prod(f for f in factors if isinstance(f, Integer))
        rest = sorted((f for f in factors if not isinstance(f, Integer)), key=_kind)
        pieces = [self._factor(f) for f in rest]
        if number != 1:
            pieces = [Piece(str(number)), *pieces]
        if len(pieces) < 2:
            return pieces[0] if pieces else None
        pieces = [p if p.level >= POW else self.style.paren(p) for p in pieces]
        source = pieces[0].source
        for before, after in pairwise(pieces):
            worded = self.style.is_latex and any(r"\mathrm{" in p.source for p in (before, after))
            source += (r"\, " if worded else " ") + after.source
        return Piece(source, MUL)

    def _factor(self, node: Basic) -> Piece:
        if isinstance(node, sympy.Pow):
            return self.style.power(self.show(node.args[0]), self.show(node.args[1]))
        return self.show(node)


def _kind(factor: Basic) -> int:
    """Parameters, lengths, sums of them, letters, then what is computed."""
    if isinstance(factor, Axis):
        return 3
    if isinstance(factor, Symbol):
        return 1 if factor.name[:1].isupper() else 0
    return 4 if factor.atoms(Axis, Entry, Reduction) else 2


def shortened(names: Names, node: Basic) -> Basic:
    """A sum, or a floor, with the name of a length in place of its terms, where that makes it shorter."""
    inner: dict[Basic, Expr] = {}
    plain = _expanded(node, inner)
    best, least = plain, _long(plain)
    for size, name in names.lengths.items():
        if not isinstance(size, Add) or not size.free_symbols <= node.free_symbols:
            continue
        whole_size = _expanded(size, inner)
        for sign in (1, -1):
            rest = sympy.expand(plain - sign * whole_size) + sign * name
            if _long(rest) < least:
                best, least = rest, _long(rest)
    return node if best is plain else best.xreplace({dummy: part for part, dummy in inner.items()})


def _long(node: Basic) -> int:
    """The number of terms; what has to be written out counts twice."""
    return len(Add.make_args(node)) + 2 * len(node.atoms(Dummy))


def _expanded(node: Basic, inner: dict[Basic, Expr]) -> Expr:
    """The sum multiplied out; floors, entries and reductions become symbols, which `inner` remembers."""
    return sympy.expand(node.xreplace({part: _symbol(part, inner) for part in _computed(node)}))


def _symbol(part: Basic, inner: dict[Basic, Expr]) -> Expr:
    key = part.func(sympy.together(sympy.expand(part.args[0]))) if isinstance(part, (floor, ceiling)) else part
    return inner.setdefault(key, Dummy(integer=True))


def _computed(node: Basic) -> set[Basic]:
    if isinstance(node, (Add, Mul, sympy.Pow)):
        return {part for child in node.args for part in _computed(child)}
    return {node} if node.args else set()


def folded(names: Names, factors: Factors) -> Factors:
    """A product with the names of lengths that are quotients: 1/K for heads/E, √K for √E/√heads."""
    for size, name in names.lengths.items():
        if isinstance(size, Add):
            continue
        parts = tuple([f for f in Mul.make_args(side) if f != 1] for side in sympy.fraction(size))
        for power in (Integer(1), sympy.Rational(1, 2)):
            above, below = ([f**power for f in side] for side in parts)
            for over, under in ((factors.above, factors.below), (factors.below, factors.above)):
                if _holds(over, above) and _holds(under, below) and below:
                    for side, gone in ((over, above), (under, below)):
                        for factor in gone:
                            side.remove(factor)
                    over.append(name**power)
    factors.above = factors.above or [Integer(1)]
    return factors


def _holds(factors: list[Basic], wanted: list[Basic]) -> bool:
    return all(factors.count(factor) >= wanted.count(factor) for factor in wanted)
