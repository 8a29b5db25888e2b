"""Elementwise arithmetic on views: numbers of the host, powers, sums of terms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations
from typing import Any

from derive.axes import Axis, Unsupported

from .joined import side_by_side
from .node import Graph, Node, View, ordered, union

Hint = Sequence[Axis]
Term = tuple[int, View]  # sign, summand

ONE = Fraction(1)
HALF = Fraction(1, 2)
MOST_PRODUCTS = 16  # x**p by repeated products up to this exponent


@dataclass(frozen=True)
class Law:
    """A row of a lowering table: the first law that applies decides; `why` says what it gains."""

    name: str
    why: str
    apply: Callable[..., View | None]


def decide(laws: Sequence[Law], *case: Any) -> View:
    """What the first applicable law makes of the case."""
    for law in laws:
        if (made := law.apply(*case)) is not None:
            return made
    raise Unsupported(f"lower: no law of {[law.name for law in laws]} applies to {case[1:]}")


# Numbers of the host


def host_product(g: Graph, coefficient: Fraction, powers: dict[Node, Fraction]) -> View:
    """coefficient · Π base**exponent, as one Python number."""
    flat: dict[Node, Fraction] = {}
    for base, exponent in powers.items():
        if base.op == "number" and exponent.denominator == 1 and isinstance(base.attr, Fraction):
            coefficient *= base.attr ** int(exponent)
        elif base.op == "number" and base.attr > 0:
            coefficient *= Fraction(float(base.attr) ** float(exponent))
        elif base.op == "host_product" and exponent.denominator == 1:
            coefficient *= base.attr[0] ** int(exponent)
            for (inner, _), power in zip(base.args, base.attr[1], strict=True):
                flat[inner] = flat.get(inner, Fraction(0)) + power * exponent
        else:
            flat[base] = flat.get(base, Fraction(0)) + exponent
    flat = {base: exponent for base, exponent in flat.items() if exponent}
    if not flat:
        return g.number(coefficient)
    if coefficient == 1 and len(flat) == 1 and next(iter(flat.values())) == 1:
        return View(next(iter(flat)), ())
    bases = sorted(flat, key=lambda node: node.number)
    return g.host("host_product", *(View(n, ()) for n in bases), attr=(coefficient, tuple(flat[n] for n in bases)))


def host_sum(g: Graph, terms: Sequence[Term]) -> View:
    """Σ ± number, as one Python number."""
    if all(view.node.op == "number" for _, view in terms):
        return g.number(sum((sign * view.node.attr for sign, view in terms), Fraction(0)))
    if len(terms) == 1 and terms[0][0] == 1:
        return terms[0][1]
    return g.host("host_sum", *(view for _, view in terms), attr=tuple(sign for sign, _ in terms))


def is_one(view: View) -> bool:
    """Whether the view is the number 1."""
    return view.node.op == "number" and view.node.attr == 1


# Elementwise operations


def elementwise(g: Graph, op: str, args: Sequence[View], hint: Hint, attr: Any = (), kind: str = "real") -> View:
    """op(args), entry by entry."""
    return g.make(op, args, ordered(args, hint), attr, kind)


def real(g: Graph, view: View) -> View:
    """A value in arithmetic with floats: integers and conditions are cast first, or float32 would become float64."""
    return g.make("cast", [view], view.letters) if view.node.kind in ("int", "bool") else view


def operands(a: View, b: View) -> list[View]:
    """The order of commuting operands: numbers last, arrays with more axes first, x * r[:, None], x * 0.5."""
    return sorted((a, b), key=lambda v: (v.host, -len(v.letters), v.node.number, str(v.letters)))


def factors(view: View) -> list[View]:
    """The operands of an elementwise operation, with the letters of its result."""
    return [View(arg, tuple(view.letters[k] for k in labels)) for arg, labels in view.node.args]


def multiplied(g: Graph, a: View, b: View, hint: Hint) -> View:
    """a · b, the same node as b · a. The product of a condition and an array is the array where the condition holds."""
    if a.host and b.host:
        return host_product(g, ONE, {a.node: ONE} | {b.node: ONE + (a.node is b.node)})
    for one, other in ((a, b), (b, a)):
        if one.node.op == "number" and abs(one.node.attr) == 1:
            return other if one.node.attr == 1 else elementwise(g, "negative", [real(g, other)], hint)
        if one.node.op in SCALED and (made := SCALED[one.node.op](g, one, other, hint)):
            return made
    if a.node.kind == "int" or b.node.kind != "real":
        a = real(g, a)
    if b.node.kind == "int" or a.node.kind != "real":
        b = real(g, b)
    return elementwise(g, "multiply", operands(a, b), hint)


# One entry a row: p − [c = t] changes p at t, and no array of zeros and ones is made


def one_hot(g: Graph, letter: Axis, index: View, hint: Hint) -> View:
    """[letter = index], for an index that is within the letter's axis wherever it is."""
    every = {letter, *index.letters}
    rank = {a: place for place, a in enumerate(hint)}
    letters = sorted((letter, *index.letters), key=lambda a: rank.get(a, len(rank)))
    assert len(every) == len(letters)
    return g.make("one_hot", [index], letters, kind="bool")


def _one_hot_factor(g: Graph, view: View) -> tuple[View, View] | None:
    """(index, a) for [c = index]·a, where a has letters of the index alone."""
    if view.node.op not in ("one_hot", "cast", "multiply"):
        return None
    args = factors(view)
    if view.node.op != "multiply":
        return (args[0], g.number(ONE)) if view.node.op == "one_hot" else _one_hot_factor(g, args[0])
    for hot, amount in (args, args[::-1]):
        found = _one_hot_factor(g, hot) if hot.node.op in ("one_hot", "cast") else None
        if found is not None and set(amount.letters) <= set(found[0].letters):
            return found[0], amount
    return None


def _spiked(g: Graph, terms: Sequence[Term], hint: Hint) -> tuple[int, View] | None:
    """x ± [c = index]·a as x, changed at one entry a row."""
    for place, (sign, view) in enumerate(terms):
        found = _one_hot_factor(g, view)
        if found is None or len(terms) == 1 or not found[0].letters:
            continue
        whole, x = added(g, [t for k, t in enumerate(terms) if k != place], hint)
        if set(x.letters) == set(view.letters):
            return whole, g.make("spike", [x, *found], x.letters, whole * sign)
    return None


def _scaled_spike(g: Graph, spike: View, by: View, hint: Hint) -> View | None:
    """(e·r ± [c = index]·a)·s = e·(r·s) ± [c = index]·(a·s), for s with one entry a row: a pass less."""
    x, index, amount = factors(spike)
    if not set(by.letters) <= set(index.letters):
        return None
    if x.node.op == "multiply":
        e, r = factors(x)
        scaled = multiplied(g, e, multiplied(g, r, by, hint), hint) if len(r.letters) < len(x.letters) else None
    else:
        scaled = None
    scaled = scaled or multiplied(g, x, by, hint)
    return g.make("spike", [scaled, index, multiplied(g, amount, by, hint)], scaled.letters, spike.node.attr)


def _scaled_tail(g: Graph, tail: View, by: View, hint: Hint) -> View | None:
    """(a·erfc(c·x))·s = (a·s)·erfc(c·x), for a number s above zero."""
    x, *numbers = factors(tail)
    if len(numbers) < 2 or by.node.op != "number" or by.node.attr < 0:
        return None
    return elementwise(g, "special.erfc", [x, numbers[0], multiplied(g, numbers[1], by, hint)], hint)


def takes_number(view: View) -> bool:
    """Whether a number multiplies it without a pass: a·x + b, and a product with it."""
    if view.node.op == "multiply":
        return any(part.host or takes_number(part) for part in factors(view))
    parts = factors(view) if view.node.op == "terms" else []
    held = [part.host or (part.node.op == "multiply" and any(f.host for f in factors(part))) for part in parts]
    return bool(parts) and all(held)


def _scaled_sum(g: Graph, total: View, by: View, hint: Hint) -> View | None:
    """(a·x + b)·s = (a s)·x + b s, for numbers a, b, s: a pass less."""
    if not (by.host and takes_number(total)):
        return None
    parts = [(way, multiplied(g, t, by, hint)) for way, t in zip(total.node.attr, factors(total), strict=True)]
    sign, made = added(g, parts, hint)
    return made if sign > 0 else None


def _scaled_product(g: Graph, product: View, by: View, hint: Hint) -> View | None:
    """(x·y)·s = (x s)·y, for a number s that x takes without a pass."""
    for one, other in permutations(factors(product)):
        if by.host and (one.host or takes_number(one)):
            return multiplied(g, multiplied(g, one, by, hint), other, hint)
    return None


SCALED = {
    "spike": _scaled_spike, "special.erfc": _scaled_tail, "terms": _scaled_sum, "multiply": _scaled_product,
}  # fmt: skip


def divided(g: Graph, a: View, b: View, hint: Hint) -> View:
    """a / b."""
    return elementwise(g, "divide", [a, b], hint)


def _by_products(g: Graph, x: View, p: Fraction, hint: Hint) -> View | None:
    if p.denominator != 1 or not 0 < p <= MOST_PRODUCTS:
        return None
    if p == 1:
        return x
    half = _by_products(g, x, Fraction(int(p) // 2), hint)
    assert half is not None
    square = multiplied(g, half, half, hint)
    return multiplied(g, square, x, hint) if int(p) % 2 else square


def _root(g: Graph, x: View, p: Fraction, hint: Hint) -> View | None:
    return elementwise(g, "sqrt", [x], hint) if p == HALF else None


def _by_roots(g: Graph, x: View, p: Fraction, hint: Hint) -> View | None:
    if p.denominator != 2 or abs(p.numerator) > MOST_PRODUCTS:
        return None
    root = elementwise(g, "sqrt", [x], hint)
    base = root if p > 0 else divided(g, g.number(ONE), root, hint)
    return _by_products(g, base, Fraction(abs(p.numerator)), hint)


def _inverse(g: Graph, x: View, p: Fraction, hint: Hint) -> View | None:
    return divided(g, g.number(ONE), power(g, x, -p, hint), hint) if p < 0 else None


def _general(g: Graph, x: View, p: Fraction, hint: Hint) -> View | None:
    return elementwise(g, "power", [x, g.number(p)], hint)


POWERS = (
    Law("products", "x**3 costs 60 ns an element on negative bases, two products 0.2", _by_products),
    Law("root", "sqrt is one fast instruction", _root),
    Law("half powers", "x**(-3/2) by products of 1/sqrt(x), which other terms have at hand", _by_roots),
    Law("inverse", "one division; what is multiplied by it costs a product", _inverse),
    Law("power", "no better form is known", _general),
)


def power(g: Graph, x: View, p: Fraction, hint: Hint) -> View:
    """x**p by the cheapest law; of a Python number it is a Python number."""
    if x.host:
        return host_product(g, ONE, {x.node: p})
    return decide(POWERS, g, x, p, hint)


# Sums of terms


def _is_shift(positive: View, negative: View) -> bool:
    """Whether `negative` is the maximum of `positive` over some of its letters."""
    top = negative.node
    if top.op != "max" or top.args[0][0] is not positive.node:
        return False
    labels = top.args[0][1]
    kept = [positive.letters[place] for place, label in enumerate(labels) if label < top.rank]
    order = [label for label in labels if label < top.rank]
    return all(negative.letters[label] == letter for label, letter in zip(order, kept, strict=True))


def _shifted(g: Graph, terms: list[Term], hint: Hint) -> list[Term]:
    """x − max x is one term: subtracted first, it leaves small numbers, and exp(x − max x) shares it."""
    for sign, top in terms:
        for other_sign, x in terms:
            if sign == -other_sign and _is_shift(x, top) and len(terms) > 2:
                pair = elementwise(g, "terms", [x, top], hint, (1, -1))
                return [(other_sign, pair), *(t for t in terms if t[1] not in (x, top))]
    return terms


def _small_first(g: Graph, terms: list[Term], hint: Hint) -> list[Term]:
    """Terms over the same few letters are added among themselves before they meet the large ones."""
    whole = set(union([view for _, view in terms]))
    groups: dict[Any, list[Term]] = {}
    for term in terms:
        letters = frozenset(term[1].letters)
        groups.setdefault(letters if letters != whole else (len(groups),), []).append(term)
    return [t for group in groups.values() for t in _joined(g, group, hint)]


def _joined(g: Graph, group: list[Term], hint: Hint) -> list[Term]:
    if len(group) == 1:
        return group
    if all(view.host for _, view in group):
        return [(1, host_sum(g, group))]
    sign = 1 if any(s > 0 for s, _ in group) else -1
    return [(sign, _in_order(g, [(s * sign, v) for s, v in group], hint))]


def _in_order(g: Graph, terms: list[Term], hint: Hint) -> View:
    """One node for the sum; it is written as one chain in place."""
    views, signs = _sorted_terms(terms)
    whole = set(union(views))
    while len(views) > 2 and set(union(views[:2])) != whole:  # the first step must be as large as the result
        pair = elementwise(g, "terms", views[:2], hint, signs[:2])
        views, signs = [pair, *views[2:]], (1, *signs[2:])
    return elementwise(g, "terms", views, hint, signs)


def _placed_once(g: Graph, terms: list[Term], hint: Hint) -> list[Term]:
    """Sums by the same places are one: Σ_b [y_b = c] u_b − Σ_b [y_b = c] v_b cancels before it is added up."""
    groups: dict[Any, list[Term]] = {}
    for sign, view in terms:
        if view.node.op == "scatter":
            (source, labels), *places = view.node.args
            alike = view.letters, labels, source.dims, source.kind, tuple(places), view.node.attr
            groups.setdefault(alike, []).append((sign, view))
    left = list(terms)
    for (letters, labels, dims, *_), group in groups.items():
        if len(group) < 2:
            continue
        axes = {label: Axis(f"placed_{label}", n) for label, n in zip(labels, dims, strict=True)}
        axes |= dict(enumerate(letters))
        own = tuple(axes[label] for label in labels)
        used = {label for _, taken in group[0][1].node.args for label in taken}
        sign, total = added(g, [(s, View(v.node.args[0][0], own)) for s, v in group], own)
        if set(total.letters) != set(own) or not used <= axes.keys():
            continue
        total = total if total.letters == own else g.make("permute", [total], own)
        around = [View(node, tuple(axes[label] for label in taken)) for node, taken in group[0][1].node.args[1:]]
        left = [term for term in left if term not in group]
        left.append((sign, g.make("scatter", [total, *around], letters, group[0][1].node.attr, total.node.kind)))
    return left


def added(g: Graph, terms: Sequence[Term], hint: Hint) -> tuple[int, View]:
    """Σ ± term as (sign, view): the sign is −1 where all terms are negative, for the consumer to absorb."""
    live = [(s, real(g, v)) for s, v in terms if not (v.node.op == "number" and v.node.attr == 0)]
    if (spike := _spiked(g, live, hint)) is not None:
        return spike
    live = side_by_side(g, _placed_once(g, live, hint))
    hosts = [(s, v) for s, v in live if v.host]
    arrays = [(s, v) for s, v in live if not v.host]
    if not arrays:
        return 1, host_sum(g, live) if live else g.number(Fraction(0))
    if hosts:
        constant = host_sum(g, hosts)
        arrays = [*arrays, *_signed(constant)]
    arrays = _small_first(g, _shifted(g, arrays, hint), hint)
    if len(arrays) == 1:
        return arrays[0]
    sign = 1 if any(s > 0 for s, _ in arrays) else -1
    if any(s < 0 for s, _ in arrays) and _exists(g, [(-s, v) for s, v in arrays], hint):
        sign = -1  # b − a, where a − b is at hand
    return sign, _in_order(g, [(s * sign, v) for s, v in arrays], hint)


def _exists(g: Graph, terms: list[Term], hint: Hint) -> bool:
    views, signs = _sorted_terms(terms)
    return g.has("terms", views, ordered(views, hint), signs)


def _sorted_terms(terms: list[Term]) -> tuple[list[View], tuple[int, ...]]:
    """Positive before negative; the largest first, then small ones: what updates it may be computed from it."""
    largest = max(len(v.letters) for _, v in terms)
    lead, *rest = sorted(terms, key=lambda t: (t[0] < 0, -len(t[1].letters)))
    rest.sort(key=lambda t: (len(t[1].letters) == largest, t[0] < 0))
    return [lead[1], *(v for _, v in rest)], (lead[0], *(s for s, _ in rest))


def _signed(constant: View) -> list[Term]:
    value = constant.node.attr if constant.node.op == "number" else None
    if value == 0:
        return []
    return [(1, constant)]
