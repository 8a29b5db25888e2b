"""Sums of products: which product is formed first, and by which array operation.

`product` takes factors with exponents and the letters to sum over. Laws in order: a delta renames; a letter that no
factor has multiplies by its length; a letter of one factor is summed there; numbers gather at the smallest operand;
then factors meet two by two in the order of least cost, and each meeting is decided by the table CONTRACTIONS.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

from sympy import Expr

from derive.axes import Axis

from . import algebra
from .absorbed import opened
from .algebra import HALF, ONE, Hint, Law, decide, divided, host_product, is_one, multiplied, operands, power, real
from .images import matrices, tap_by_tap
from .matrix import applied, solved
from .node import Graph, Node, View, ordered, union
from .selection import not_negative, opposites

TYPICAL = 64  # a symbolic length, when costs are compared
MOST_EXACT = 6  # up to this many factors every pairwise order is tried


@dataclass
class Product:
    """coefficient · Π numbers**exponent · Π arrays**exponent."""

    coefficient: Fraction = ONE
    hosts: dict[Node, Fraction] = field(default_factory=dict)
    arrays: list[tuple[View, Fraction]] = field(default_factory=list)
    deltas: list[tuple[Expr, Expr]] = field(default_factory=list)  # of integer expressions: see `solve`

    def times(self, view: View, exponent: Fraction = ONE) -> None:
        if view.host:
            self.hosts[view.node] = self.hosts.get(view.node, Fraction(0)) + exponent
            return
        for place, (old, power_) in enumerate(self.arrays):
            if old == view and not (power_ == exponent == 1):
                self.arrays[place] = (old, power_ + exponent)
                return
        self.arrays.append((view, exponent))

    def number(self, g: Graph) -> View:
        return host_product(g, self.coefficient, self.hosts)


@lru_cache(maxsize=4096)
def _typical(length: Expr) -> int:
    if length.is_Integer:
        return max(1, int(length))
    return TYPICAL


def _cost(letters: Iterable[Axis]) -> int:
    cost = 1
    for letter in letters:
        cost *= _typical(letter.size)
    return cost


def product(g: Graph, p: Product, reduced: Sequence[Axis], hint: Hint) -> View:
    """Σ over `reduced` of the product."""
    factors = without_exponents(g, p, reduced, hint)
    left = list(reduced)
    factors = _without_deltas(g, factors, left)
    for letter in [a for a in left if not any(a in f.letters for f in factors)]:
        left.remove(letter)
        p.times(g.host("size", attr=letter.size))
    factors, outside = opened(g, factors, left)
    made = _of_factors(g, factors, left, p.number(g), hint) if factors else p.number(g)
    for column in outside:
        made = multiplied(g, made, column, hint)
    return made


def _of_factors(g: Graph, factors: list[View], left: list[Axis], number: View, hint: Hint) -> View:
    """number · Σ over `left` of the factors' product."""
    if len(factors) == 1:
        return _one_factor(g, factors[0], left, number, hint)
    inner = [*hint, *left]
    for place, factor in enumerate(factors):
        own = [a for a in factor.letters if a in left and sum(a in f.letters for f in factors) == 1]
        if own:
            factors[place] = summed(g, factor, own, g.number(ONE), inner)
            left = [a for a in left if a not in own]
    factors = opposites(g, factors, hint)
    if len(factors) == 1:
        return _one_factor(g, factors[0], left, number, hint)
    factors, number = _number_absorbed(g, factors, left, number, hint)
    factors = _gram(g, factors, left, hint)
    return multiplied(g, _pairwise(g, factors, left, inner), number, hint)


def _one_factor(g: Graph, factor: View, left: list[Axis], number: View, hint: Hint) -> View:
    return summed(g, factor, left, number, hint) if left else multiplied(g, factor, number, hint)


def without_exponents(g: Graph, p: Product, reduced: Sequence[Axis], hint: Hint) -> list[View]:
    """Factors with exponent one: x/y by a division where y is as large as x, by a reciprocal where it is smaller."""
    factors = []
    divisors = []
    for view, exponent in p.arrays:
        if exponent < 0 and exponent.denominator == 1:
            divisors.append(power(g, view, -exponent, hint))
        elif exponent.denominator == 1 and exponent > 1 and any(a in view.letters for a in reduced):
            factors += [power(g, view, exponent - 1, hint), view]  # Σ x² is a dot product
        else:
            factors.append(power(g, view, exponent, hint))
    for divisor in divisors:
        same = next((k for k, f in enumerate(factors) if set(f.letters) == set(divisor.letters)), None)
        if same is not None:
            factors[same] = divided(g, factors[same], divisor, hint)
        elif not factors and len(divisors) == 1 and p.coefficient != 1:
            factors.append(divided(g, p.number(g), divisor, hint))
            p.coefficient, p.hosts = ONE, {}
        else:
            factors.append(power(g, divisor, -ONE, hint))
    return factors


def _without_deltas(g: Graph, factors: list[View], left: list[Axis]) -> list[View]:
    """Σ_j δ(i, j) f(j) = f(i): no array is made."""
    while True:
        delta = next((f for f in factors if f.node.op == "eye" and any(a in left for a in f.letters)), None)
        if delta is None or len(factors) == 1:
            return factors
        old, new = delta.letters if delta.letters[0] in left else delta.letters[::-1]
        left.remove(old)
        rest = list(factors)
        rest.remove(delta)
        factors = [g.renamed(f, {old: new}) for f in rest]


def _number_absorbed(
    g: Graph, factors: list[View], left: list[Axis], number: View, hint: Hint
) -> tuple[list[View], View]:
    """A number multiplies the smallest operand, if that is smaller than the result, or a vector: γ/D is made once."""
    if is_one(number):
        return factors, number
    result = [a for a in union(factors) if a not in left]
    small = min(range(len(factors)), key=lambda k: (_cost(factors[k].letters), not algebra.takes_number(factors[k])))
    gain = _cost(result) - _cost(factors[small].letters)
    if gain < 0 or (gain == 0 and len(factors[small].letters) != 1) or factors[small].node.kind == "bool":
        return factors, number
    scaled = list(factors)
    scaled[small] = multiplied(g, factors[small], number, hint)
    return scaled, g.number(ONE)


def _gram(g: Graph, factors: list[View], left: list[Axis], hint: Hint) -> list[View]:
    """Σ_n X[n,i] s[n] X[n,j] = Σ_n A[n,i] A[n,j] with A = √s·X, where s ≥ 0: of AᵀA BLAS makes one triangle."""
    for a, b in itertools.combinations(factors, 2):
        shared = [x for x, y in zip(a.letters, b.letters, strict=False) if x == y]
        same = a.node is b.node and len(a.letters) == len(set(a.letters + b.letters)) - 1 == 2
        weights = [f for f in factors if f is not a and f is not b]
        if same and shared == left and weights and all(_weighs(f, shared) for f in weights):
            s, *others = weights
            for other in others:
                s = multiplied(g, s, other, hint)
            root = multiplied(g, a, power(g, s, HALF, hint), hint)
            return [root, View(root.node, tuple(b.letters[a.letters.index(x)] for x in root.letters))]
    return factors


def _weighs(s: View, letters: Sequence[Axis]) -> bool:
    return list(s.letters) == list(letters) and not_negative(s.node)


# In which order


def _pairwise(g: Graph, factors: list[View], left: list[Axis], hint: Hint) -> View:
    """All factors contracted two by two, by the order of least cost; those of a slope before it is met."""
    slope = applied(g, factors, left, _contracted)
    while slope is None and len(factors) > 2:
        first, second = _best_pair(g, factors, left, hint)
        rest = [f for k, f in enumerate(factors) if k not in (first, second)]
        needed = {a for f in rest for a in f.letters}
        now = [a for a in left if a not in needed and a in (*factors[first].letters, *factors[second].letters)]
        left = [a for a in left if a not in now]
        factors = [_meet(g, factors[first], factors[second], now, hint), *rest]
    return slope or _meet(g, factors[0], factors[1], left, hint)


def _contracted(g: Graph, factors: list[View], left: list[Axis], hint: Hint) -> View:
    """Σ over `left` of the product of one factor or several."""
    one = summed(g, factors[0], left, g.number(ONE), hint) if left and len(factors) == 1 else factors[0]
    return one if len(factors) == 1 else _pairwise(g, factors, left, hint)


def _best_pair(g: Graph, factors: list[View], left: list[Axis], hint: Hint) -> tuple[int, int]:
    """The pair to contract first: by the whole order's cost for few factors, else by its own."""
    sets = [frozenset(f.letters) for f in factors]
    pairs = list(itertools.combinations(range(len(sets)), 2))
    made = {(a, b): _made_already(g, factors[a], factors[b], hint) for a, b in pairs}
    deep = len(factors) <= MOST_EXACT
    return min(pairs, key=lambda p: (_order_cost(sets, p, frozenset(left), made[p] > 0, deep), -made[p]))


def _made_already(g: Graph, a: View, b: View, hint: Hint) -> int:
    """The number of the node of a·b, or 0: of several the last one, which this function is likelier to have."""
    pair = operands(a, b)
    letters = ordered(pair, hint)
    made = g.has("multiply", pair, letters) and g.make("multiply", pair, letters).node
    return made.number if made and made not in g.absorbed else 0


def _order_cost(
    sets: list[frozenset[Axis]], pair: tuple[int, int], left: frozenset[Axis], free: bool, deep: bool
) -> float:
    a, b = (sets[k] for k in pair)
    rest = [s for k, s in enumerate(sets) if k not in pair]
    needed = frozenset(x for s in rest for x in s)
    now = left & (a | b) - needed
    result = (a | b) - now
    # A pass over memory costs about as much as eight multiply-adds of a matrix product.
    cost = float(_cost(a | b)) + 8.0 * _cost(result) if now else 9.0 * _cost(result)
    if not now and free:
        cost = 0.0
    elif len(result) > max(len(a), len(b)) and not now:
        cost *= 1.01  # an outer product only where nothing is as cheap
    if len({x.size for x in result}) < len(result):
        cost *= 1.01  # an array that grows with the square of a length: likewise
    if not rest or not deep:
        return cost
    following = [result, *rest]
    return cost + min(
        _order_cost(following, p, left - now, False, deep) for p in itertools.combinations(range(len(following)), 2)
    )


# By which operation


def summed(g: Graph, x: View, over: Sequence[Axis], number: View, hint: Hint) -> View:
    """number · Σ_over x for a single factor."""
    kept = tuple(a for a in x.letters if a not in over)
    if x.node.op == "eye" and len(over) == 2:
        return multiplied(g, g.host("size", attr=over[0].size), number, hint)
    x = real(g, x)
    if len(over) == 1 and len(kept) == 1:
        weights = g.make("full", [number], over, attr="", kind="real")
        return g.make("matmul", [x, weights] if x.letters[-1] in over else [weights, x], kept)
    last = x.letters[-1]
    if len(over) > 1 and kept and last in over and x.node.op != "window":  # BLAS sums rows, four times as fast
        ones = g.make("full", [g.number(ONE)], (last,), attr="", kind="real")
        x, over = g.make("matmul", [x, ones], x.letters[:-1]), [letter for letter in over if letter != last]
    fold = x.node.op == "window" and kept  # tap by tap
    return multiplied(g, g.make("fold", [x], kept, "sum") if fold else g.make("sum", [x], kept), number, hint)


@dataclass(frozen=True)
class Meeting:
    """Two operands and the letters summed: which are in both and stay, in one only, summed."""

    a: View
    b: View
    over: tuple[Axis, ...]
    hint: Hint

    @property
    def batch(self) -> list[Axis]:
        return [x for x in self.a.letters if x in self.b.letters and x not in self.over]

    @property
    def rows(self) -> list[Axis]:
        return [x for x in self.a.letters if x not in self.b.letters]

    @property
    def columns(self) -> list[Axis]:
        return [x for x in self.b.letters if x not in self.a.letters]


def _meet(g: Graph, a: View, b: View, over: Sequence[Axis], hint: Hint) -> View:
    if not over:
        return multiplied(g, a, b, hint)
    a, b = real(g, a), real(g, b)
    rank = {letter: place for place, letter in enumerate(hint)}
    meeting = Meeting(a, b, tuple(over), hint)
    first = min((rank.get(x, 99) for x in meeting.rows), default=100)
    second = min((rank.get(x, 99) for x in meeting.columns), default=100)
    one_sided = bool(meeting.rows) != bool(meeting.columns)  # then the smaller operand comes second
    if not meeting.rows if one_sided else (first, a.node.number) > (second, b.node.number):
        meeting = Meeting(b, a, tuple(over), hint)
    return decide(CONTRACTIONS, g, meeting)


def _dot(g: Graph, m: Meeting) -> View | None:
    if m.batch or m.rows or m.columns:
        return None
    return g.make("vdot", [m.a, m.b], ())


def _shared_product(g: Graph, m: Meeting) -> View | None:
    """Σ_d a (u w_d) = (a u) @ w, where Σ_b a u is wanted, too: one product serves both."""
    if m.rows or m.columns or len(m.over) != 1 or m.a.letters[-1] != m.over[0]:
        return None
    for other, scaled in ((m.a, m.b), (m.b, m.a)):
        if scaled.node.op != "multiply":
            continue
        u, weights = [View(n, tuple(scaled.letters[k] for k in labels)) for n, labels in scaled.node.args]
        if u.letters == other.letters and weights.letters == m.over:
            pair = frozenset((u.node, other.node))
            g.by_row.add(pair)
            if pair in g.shared:
                return summed_with(g, multiplied(g, u, other, m.hint), weights)
    return None


def summed_with(g: Graph, x: View, weights: View) -> View:
    """Σ x · weights over the last letter."""
    return g.make("matmul", [x, weights], x.letters[:-1])


def _row_dots(g: Graph, m: Meeting) -> View | None:
    if m.rows or m.columns or len(m.over) != 1 or m.a.letters[-1] != m.over[0]:
        return None
    return g.make("vecdot", [m.a, m.b], tuple(x for x in m.a.letters if x != m.over[0]))


def _entry_dots(g: Graph, m: Meeting) -> View | None:
    if m.rows or m.columns:
        return None
    kept = tuple(x for x in m.a.letters if x not in m.over)
    pair = frozenset((m.a.node, m.b.node))
    if m.a.letters == m.b.letters:
        g.by_entry.add(pair)
    if pair in g.shared or _made_already(g, m.a, m.b, m.hint):
        return summed(g, multiplied(g, m.a, m.b, m.hint), m.over, g.number(ONE), m.hint)
    last = m.a.letters[-1]
    if last in m.over and m.a.letters == m.b.letters and kept:
        dots = g.make("vecdot", [m.a, m.b], m.a.letters[:-1])
        return summed(g, dots, [x for x in m.over if x != last], g.number(ONE), m.hint)
    return g.make("einsum", [m.a, m.b], kept)


def _matrix_vector(g: Graph, m: Meeting) -> View | None:
    if m.columns or m.batch or len(m.over) != 1 or len(m.b.letters) != 1:
        return None
    if m.a.letters[-1] in m.over:
        return g.make("matmul", [m.a, m.b], tuple(m.rows))
    if m.a.letters[0] in m.over and len(m.rows) == 1:
        return g.make("matmul", [m.b, m.a], tuple(m.rows))
    return None


def _matrix_product(g: Graph, m: Meeting) -> View | None:
    if len(m.over) != 1 or len(m.rows) != 1 or len(m.columns) > 1:
        return None
    straight, turned = (*m.batch, *m.rows, *m.columns), (*m.batch, *m.columns, *m.rows)
    if m.columns and not g.has("matmul", [m.a, m.b], straight) and g.has("matmul", [m.b, m.a], turned):
        return g.make("matmul", [m.b, m.a], turned)  # its transpose exists
    if m.columns:
        return g.make("matmul", [m.a, m.b], straight)
    return g.make("matvec", [m.a, m.b], (*m.batch, *m.rows)) if m.batch else None


def _tensordot(g: Graph, m: Meeting) -> View | None:
    return None if m.batch else g.make("tensordot", [m.a, m.b], (*m.rows, *m.columns))


def _einsum(g: Graph, m: Meeting) -> View | None:
    return g.make("einsum", [m.a, m.b], (*m.batch, *m.rows, *m.columns))


CONTRACTIONS = (
    Law("solve", "a system is solved: an inverse is not formed to be multiplied with", solved),
    Law("dot", "vdot: one pass, no product array", _dot),
    Law(
        "tap by tap",
        "a weight a tap: products of slices, where einsum over windows takes ten times as long",
        tap_by_tap,
    ),
    Law(
        "shared product",
        "a u for both Σ_b a u and Σ_d a u w: products with vectors are faster than dots",
        _shared_product,
    ),
    Law("row dots", "vecdot takes .12 ns an element where a product and a sum take .34", _row_dots),
    Law(
        "entry dots",
        "einsum of two equal shapes: half of a product and a sum; the product, where it is at hand",
        _entry_dots,
    ),
    Law("matrix-vector", "BLAS gemv", _matrix_vector),
    Law("matrix product", "BLAS gemm, batched over shared letters", _matrix_product),
    Law("matrices", "windows are copied into columns block by block: each is in the cache when it is used", matrices),
    Law("tensordot", "several letters on a side: reshaped into one gemm", _tensordot),
    Law("einsum", "shared letters and several on a side: two operands only", _einsum),
)
