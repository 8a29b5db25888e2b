"""Windows as a reader writes them: Σ_y δ(y, s·h + r − p) x[y] is padded(x)[s·h + r − p].

Only for display: a summed letter that a δ gives is replaced by what it is equal to. Where that lies provably within the
letter's range nothing else changes; else every tensor that is read there is padded, so that the product is 0 outside.
What is not solved stays a δ beside its sum, the condition {h, r : s·h + r − p = y}.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy
from sympy import (
    Expr,
    GreaterThan,
    Integer,
    Mod,
    Mul,
    S,
    StrictLessThan,
    expand,
    floor,
)
from sympy.core.basic import Basic

from derive.axes import (
    Axis,
    BoolEntry,
    Delta,
    Entry,
    MeanOver,
    PaddedBoolEntry,
    PaddedEntry,
    Reduction,
    Size,
    SumOver,
    Where,
    free_axes,
    holds_at,
    in_range,
    rebuilt,
    rename,
)

PADDED = {Entry: PaddedEntry, BoolEntry: PaddedBoolEntry}


def solved(node: Basic, *, letters: bool = True) -> Basic:
    """The expression with its windows solved, from the innermost sum outwards; δ of two `letters`, too, or not."""
    if not node.args or isinstance(node, (Entry, BoolEntry)):
        return node
    if isinstance(node, Reduction):
        body = solved(node.body, letters=letters)
        node = node if body is node.body else node.rebound(body, node.axes)
        return _summed(node, letters) if isinstance(node, SumOver) else _unmeant(node)
    if isinstance(node, Where) and holds_at(node.args[0]) is not None:
        return solved(node.args[1 if holds_at(node.args[0]) else 2], letters=letters)
    return rebuilt(node, [solved(child, letters=letters) for child in node.args])


def _summed(node: SumOver, plain: bool) -> Basic:
    conditions, factors = _opened(node.body)
    kept = [] if plain else [f for f in factors if isinstance(f, Delta) and _of_letters(f)]
    factors = [f for f in factors if f not in kept]
    letters = list(node.axes)
    while (found := _best(letters, factors, conditions) or _digits(letters, factors)) is not None:
        window, values, inside = found
        if not inside and not any(_reads(factors, letter) for letter in values):  # no entry is 0 there: say where it is
            conditions += [c for letter, value in values.items() for c in _within(value, letter.size)]
        letters = [a for a in letters if a not in values]
        factors = [_read(f, values, inside) for f in factors if f is not window]
        kept = [_read(f, values, inside) for f in kept]
        conditions = [c for c in (rename(c, values) for c in conditions) if holds_at(c) is not True]
    if len(letters) == len(node.axes):
        return node
    if any(holds_at(c) is False for c in conditions):
        return Integer(0)
    factors += kept
    bound = set(letters)
    outside = [f for f in factors if bound and not conditions and not bound & set(free_axes(f))]  # no longer summed
    body = _product([f for f in factors if f not in outside])
    for condition in reversed(conditions):
        body = Where(condition, body, Integer(0))
    return _product([*outside, SumOver(body, *letters)] if letters else [body])


def _unmeant(node: Reduction) -> Basic:
    """A mean of sums whose conditions choose among its letters is no mean: (1/T) Σ_{b, t : y_bt = v}."""
    if not isinstance(node, MeanOver) or not isinstance(node.body, SumOver):
        return node
    chosen = {a for f in _opened(node.body.body)[1] if isinstance(f, Delta) for a in free_axes(f)}
    if not chosen & set(node.axes):
        return node
    count = Mul(*(a.size for a in node.axes))
    return Mul(1 / count, SumOver(node.body.body, *node.body.axes, *node.axes), evaluate=False)


def _product(factors: list[Any]) -> Any:
    return factors[0] if len(factors) == 1 else Mul(*factors, evaluate=False) if factors else S.One


def _of_letters(delta: Delta) -> bool:
    one, two = delta.args
    return isinstance(one, Axis) and isinstance(two, Axis) and one.size == two.size


def _opened(body: Expr) -> tuple[list[Basic], list[Expr]]:
    """The conditions around a product, and its factors."""
    conditions = []
    while isinstance(body, Where) and body.args[2] == 0:
        conditions.append(body.args[0])
        body = body.args[1]
    return conditions, list(_factors(body))


def _factors(body: Expr) -> Iterator[Expr]:
    for part in body.args if isinstance(body, Mul) else (body,):
        if isinstance(part, Mul):
            yield from _factors(part)
        else:
            yield part


Solution = tuple[Expr, dict[Axis, Expr], bool]  # a δ, what it says letters are, whether that is always in range


def _best(letters: list[Axis], factors: list[Expr], conditions: list[Basic]) -> Solution | None:
    """A letter that a δ gives: in range first, then fewest readers, then derived lengths."""
    found = []
    for window in factors:
        if not isinstance(window, Delta):
            continue
        form = expand(window.args[0] - window.args[1])
        for letter in letters:
            coefficient = form.coeff(letter, 1)
            value = expand(letter - coefficient * form) if coefficient in (1, -1) else None
            if value is None or letter in free_axes(value):
                continue
            rest = [f for f in factors if f is not window]
            inside = in_range(value, letter.size)
            barred = _barred(rest, letter) and bool(set(letters) & set(free_axes(value)))
            if not inside and (not _plainly(value) or _picks(conditions, letter) or barred):
                continue
            zero = inside or _reads(rest, letter)
            if not zero and (value.atoms(floor, Mod, Entry) or letter.size.has(floor)):
                continue
            users = sum(letter in free_axes(f) for f in rest)
            alike = any(
                a.size == letter.size for a in free_axes(value) if a not in letters
            )  # image and image, not taps
            rank = (not inside, not zero, users, not alike, isinstance(letter.size, Size), letter.name)
            found.append((rank, window, letter, value, inside))
    if not found:
        return None
    _, window, letter, value, inside = min(found, key=lambda f: f[0])
    return window, {letter: value}, inside


def _digits(letters: list[Axis], factors: list[Expr]) -> Solution | None:
    """δ(f, K·h + k + a) with k < K gives both: h = ⌊(f − a)/K⌋ and k = (f − a) mod K, the digits of a merged index."""
    for window in (f for f in factors if isinstance(f, Delta)):
        form = expand(window.args[0] - window.args[1])
        own = [a for a in letters if a in free_axes(form)]
        whole = [a for a in free_axes(form) if a not in letters and form.coeff(a, 1) in (1, -1)]
        if len(own) != 2 or len(whole) != 1 or len(free_axes(form)) != 3:
            continue
        merged = expand(whole[0] - form.coeff(whole[0], 1) * form)
        for small, large in (own, own[::-1]):
            width = small.size
            index = whole[0] - expand(merged - width * large - small)
            if free_axes(index) == (whole[0],) and in_range(floor(index / width), large.size):
                return window, {large: floor(index / width), small: Mod(index, width)}, True
    return None


def _reads(factors: list[Expr], letter: Axis) -> bool:
    """Whether some factor is itself an entry at the letter, of an axis as long as it: padded, it makes the product 0
    outside. A slice of a longer axis goes on beyond the letter's end.
    """
    entries = (zip(f.indices, f.tensor.axes, strict=True) for f in factors if isinstance(f, Entry))
    return any(index is letter and axis.size == letter.size for pairs in entries for index, axis in pairs)


def _barred(factors: list[Expr], letter: Axis) -> bool:
    """Whether an adjoint is read at the letter: what has a bar above it is not to have a tilde, too."""
    return any(isinstance(f, Entry) and f.tensor.role == "adjoint" and letter in free_axes(f) for f in factors)


def _plainly(value: Expr) -> bool:
    """A window s·h + r − p, or letters with coefficients ±1: anything else reads better as a condition."""
    coefficients = [value.coeff(a, 1) for a in free_axes(value)]
    return not any(c.could_extract_minus_sign() for c in coefficients) or all(c in (1, -1) for c in coefficients)


def _within(value: Expr, size: Expr) -> tuple[Basic, Basic]:
    """0 ≤ value < size, the letters on the left: h ≥ 1 for the place h − 1."""
    letters = sympy.Add(*(t for t in sympy.Add.make_args(value) if free_axes(t)))
    rest = value - letters
    return GreaterThan(letters, -rest, evaluate=False), StrictLessThan(letters, size - rest, evaluate=False)


def _picks(conditions: list[Basic], letter: Axis) -> bool:
    """Whether a condition reads a tensor at the letter: it has no value beyond the edge."""
    return any(letter in free_axes(e) for c in conditions for e in c.atoms(Entry, BoolEntry))


def _read(node: Basic, values: dict[Axis, Expr], inside: bool) -> Basic:
    """The letters replaced; tensors read beyond their edge are padded."""
    for letter in () if inside else values:
        node = _padded(node, letter)
    return rename(node, values)


def _padded(node: Basic, letter: Axis) -> Basic:
    if type(node) in PADDED and letter in free_axes(node):
        return PADDED[type(node)](*node.args)
    if not node.args or letter not in free_axes(node):
        return node
    if isinstance(node, Reduction):
        return node.rebound(_padded(node.body, letter), node.axes)
    return rebuilt(node, [_padded(child, letter) for child in node.args])


__all__ = ["solved"]
