"""Stacked arrays part by part: z̄ of 4 H rows as z̄[h], z̄[h + H], … where each part has a form of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sympy import Add, Expr, Integer, Mul, Pow, S, Symbol, expand, preorder_traversal
from sympy.core.basic import Basic

from derive.axes import Axis, Delta, Entry, MeanOver, PaddedEntry, SumOver, Where, holds_at, in_range, rename
from derive.axes import rebuilt as remade

from .blocks import Chain, Line

MOST = 8  # parts


def parted(chain: Chain) -> tuple[Chain, ...]:
    """A chain over a stack of equal parts, one for each; any other chain as it is."""
    for letter in chain.letters:
        inner = _part(chain, letter)
        if inner is not None:
            found = [_at(chain, letter, inner, k) for k in range(int(letter.size / inner.size))]
            return tuple(part for part in found if part is not None) if all(found) else (chain,)
    return (chain,)


def _part(chain: Chain, letter: Axis) -> Axis | None:
    """The letter along one part, where something is read at `letter` less whole parts; None for no stack."""
    entries = [e for line in chain.lines for e in preorder_traversal(line.expression) if isinstance(e, PaddedEntry)]
    reads = [(e, place) for e in entries for place, index in enumerate(e.indices) if letter in index.free_symbols]
    for entry, place in reads:
        axis = entry.tensor.axes[place]
        count = letter.size / axis.size
        if isinstance(count, Integer) and 2 <= count <= MOST and isinstance(axis.size, Symbol):
            whole = all((expand(letter - e.indices[k]) / axis.size).is_Integer for e, k in reads)
            taken = {a.name for a in chain.free}
            return _apart(axis, taken) if whole else None
    return None


def _apart(axis: Axis, taken: set[str]) -> Axis:
    names = [axis.name, *(f"{axis.name}_{number}" for number in range(1, len(taken) + 2))]
    return axis.alias(next(name for name in names if name not in taken))


def _at(chain: Chain, letter: Axis, inner: Axis, number: int) -> Chain | None:
    """The chain of one part; its reasons are those of the first."""
    place = inner + number * inner.size if number else inner
    lines: list[Line] = []
    for line in chain.lines:
        expression = _cleaned(rename(line.expression, {letter: place}))
        if expression.has(S.ComplexInfinity, S.NaN):
            return None
        reasons = line.reasons if number == 0 else ()
        if lines and lines[-1].expression == expression:
            lines[-1] = Line(expression, (*lines[-1].reasons, *reasons))
        else:
            lines.append(Line(expression, reasons))
    target = tuple(rename(part, {letter: place}) for part in chain.target)
    letters = tuple(inner if a == letter else a for a in chain.letters)
    return replace(chain, target=target, lines=tuple(lines), letters=letters)


def _cleaned(node: Basic) -> Basic:
    """The expression with 0 for what lies beside a part, and without what that makes 0."""
    if not node.args:
        return node
    parts = [_cleaned(part) for part in node.args]
    if isinstance(node, PaddedEntry):
        return _read(node)
    if isinstance(node, Delta):
        return _same(node)
    if isinstance(node, Mul):
        return S.Zero if 0 in parts else _product(Mul, parts, S.One)
    if isinstance(node, Add):
        return _product(Add, parts, S.Zero)
    if isinstance(node, Pow) and parts[0] == 0:
        return Pow(S.Zero, parts[1])
    if isinstance(node, Where):
        return _chosen(node, parts)
    if isinstance(node, (SumOver, MeanOver)) and parts[0] == 0:
        return S.Zero
    if isinstance(node, SumOver):
        return _contracted(node.rebound(parts[0], node.axes))
    return remade(node, parts)


def _chosen(node: Basic, parts: list[Basic]) -> Basic:
    """The case of a place that is known: at h + H it is not below H."""
    condition, then, otherwise = parts
    holds = holds_at(condition)
    if holds is None:
        return then if then == otherwise else remade(node, parts)
    return then if holds else otherwise


def _product(kind: type, parts: list[Basic], neutral: Basic) -> Basic:
    kept = [part for part in parts if part != neutral]
    return kind(*kept, evaluate=False) if len(kept) > 1 else kept[0] if kept else neutral


def _read(node: PaddedEntry) -> Basic:
    """An entry within its tensor, or 0 beside it."""
    indices = [expand(index) if isinstance(index, Add) else index for index in node.indices]
    pairs = list(zip(indices, node.tensor.axes, strict=True))
    if any(_outside(index, axis.size) for index, axis in pairs):
        return S.Zero
    inside = all(in_range(index, axis.size) for index, axis in pairs)
    return (Entry if inside else PaddedEntry)(node.tensor, *indices)


def _outside(index: Expr, size: Expr) -> bool:
    """Whether an index is below 0, or not below the length, provably."""
    below, above = expand(-1 - index), expand(index - size)
    return in_range(below, below + 1) or in_range(above, above + 1)


def _same(node: Delta) -> Basic:
    """δ of places in two parts is 0."""
    left, right = (expand(index) if isinstance(index, Add) else index for index in node.args)
    gap = expand(left - right)
    size = next((a.size for a in (left, right) if isinstance(a, Axis)), None)
    apart = size is not None and any(not isinstance(a, Axis) for a in (left, right))
    if apart and size is not None and any(_outside(index, size) for index in (left, right)):
        return S.Zero
    return S.One if gap == 0 else Delta(left, right)


def _contracted(node: SumOver) -> Basic:
    """Σ_k δ_kh f_k is f_h."""
    factors = node.body.args if isinstance(node.body, Mul) else (node.body,)
    for delta, letter, other in _pairs(factors, node.axes):
        rest = _product(Mul, [f for f in factors if f is not delta], S.One)
        axes = [a for a in node.axes if a != letter]
        body = rename(rest, {letter: other})
        return _contracted(node.rebound(body, axes)) if axes else body
    return node


def _pairs(factors: tuple[Basic, ...], axes: tuple[Axis, ...]) -> Iterator[tuple[Delta, Axis, Axis]]:
    for factor in factors:
        if isinstance(factor, Delta) and all(isinstance(index, Axis) for index in factor.args):
            for letter, other in (factor.args, factor.args[::-1]):
                if letter in axes and other not in axes and letter.size == other.size:
                    yield factor, letter, other


__all__ = ["parted"]
