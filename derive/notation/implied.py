"""Conditions without those that others imply, or the lengths of their letters: [d ≥ 2] [d ≥ 1] is [d ≥ 2]."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sympy import Add, And, Eq, Expr, Mod, Mul, S, expand, fraction
from sympy.core.basic import Basic

from derive.axes import Axis, Entry, PaddedEntry, Reduction, SumOver, Where, free_axes, in_range, mapped, rename

from .conditions import bounds, conjuncts, held, met
from .whole import counts


def tidied(node: Basic, chain: bool = True) -> Basic:
    """The expression with as few conditions as say the same; `chain`: those about one value as one, 0 < x < 6."""
    if node.has(PaddedEntry):
        node = mapped(node, _inside)
    return _tidied(node, (), chain) if node.has(Where, PaddedEntry) else node


def _inside(node: Basic) -> Basic | None:
    """What is read where a maximum stands lies within its tensor."""
    if not isinstance(node, PaddedEntry) or not any(isinstance(index, Entry) for index in node.indices):
        return None
    inside = all(held(index, axis.size) for index, axis in zip(node.indices, node.tensor.axes, strict=True))
    return Entry(*node.args) if inside else None


def _tidied(node: Basic, known: tuple[Basic, ...], chain: bool) -> Basic:
    """`node` where the `known` conditions hold."""

    def inner(part: Basic) -> Basic | None:
        if part is node or not isinstance(part, (Where, Mul, Reduction)):
            return None
        return _tidied(part, known, chain)

    if isinstance(node, Reduction):
        bound = set(node.axes)
        known = tuple(c for c in known if not bound & set(free_axes(c)))
    if isinstance(node, SumOver):
        return _summed(node, _tidied(node.body, known, chain))
    if not isinstance(node, (Mul, Where)):
        return mapped(node, inner) if node.has(Where, PaddedEntry) else node
    masks = _masks(node)
    if not masks:
        return mapped(node, inner) if node.has(Where, PaddedEntry) else node
    kept = fewest([part for mask in masks for part in conjuncts(mask.args[0])], known, chain)
    beyond = (*known, *dict.fromkeys(part for parts in kept.values() for part in parts))
    return _rebuilt(node, kept, lambda part: _tidied(part, beyond, chain))


def _summed(node: SumOver, body: Basic) -> Basic:
    """The sum, without letters that a condition says: Σ_{d = 1} x_d is x_1."""
    fixed: dict[Basic, Basic] = {}
    for mask in _masks(body):
        for part in conjuncts(mask.args[0]):
            if isinstance(part, Eq) and part.args[0] in node.axes and part.args[1].is_Integer:
                fixed.setdefault(part.args[0], part)
    if not fixed:
        return _wrapped(node, body) or node.rebound(body, node.axes)
    body = _rebuilt(body, _kept(body, set(fixed.values())), lambda part: part)
    body = rename(body, {letter: part.args[1] for letter, part in fixed.items()})
    axes = [letter for letter in node.axes if letter not in fixed]
    return node.rebound(body, axes) if axes else body


def _wrapped(node: SumOver, body: Basic) -> Basic | None:
    """Σ_k g̃[N k + e] as g[e mod N], where one k finds every place; None where that is not proved."""
    factors = list(body.args) if isinstance(body, Mul) else [body]
    for place, factor in enumerate(factors):
        rest = [f for k, f in enumerate(factors) if k != place]
        for letter in node.axes if isinstance(factor, PaddedEntry) else ():
            if any(f.has(letter) for f in rest) or (read := _remainder(factor, letter)) is None:
                continue
            whole = Mul(*rest[:place], read, *rest[place:], evaluate=False) if rest else read
            axes = [a for a in node.axes if a != letter]
            return node.rebound(whole, axes) if axes else whole
    return None


def _remainder(entry: PaddedEntry, letter: Axis) -> Basic | None:
    """The entry at the remainder of its index, for an index of N times the letter and more."""
    indices = list(entry.indices)
    found = [k for k, index in enumerate(indices) if index.has(letter)]
    if len(found) != 1:
        return None
    (place,) = found
    size = entry.tensor.axes[place].size
    rest = expand(indices[place] - size * letter)
    least, most = expand(rest + size * (letter.size - 1)), expand(size - 1 - rest)
    if rest.has(letter) or not all(in_range(gap, gap + 1) for gap in (least, most)):
        return None
    indices[place] = Mod(expand(Add(*(t for t in Add.make_args(rest) if not _multiple(t, size)))), size, evaluate=False)
    others = zip(indices, entry.tensor.axes, strict=True)
    inside = all(k == place or held(index, axis.size) for k, (index, axis) in enumerate(others))
    return (Entry if inside else PaddedEntry)(entry.tensor, *indices)


def _multiple(term: Expr, size: Expr) -> bool:
    """Whether a term of an index is a whole number of lengths."""
    quotient = term / size
    return bool(fraction(quotient)[1] == 1)


def _kept(node: Basic, gone: set[Basic]) -> dict[Basic, list[Basic]]:
    parts = [part for mask in _masks(node) for part in conjuncts(mask.args[0])]
    return {part: [] if part in gone else [part] for part in parts}


def _masks(node: Basic) -> list[Where]:
    """The choices of a product that are 0 elsewhere, also within one another."""
    if isinstance(node, Mul):
        return [mask for factor in node.args for mask in _masks(factor)]
    if isinstance(node, Where) and node.args[2] == 0:
        return [node, *_masks(node.args[1])]
    return []


def _rebuilt(node: Basic, kept: dict[Basic, list[Basic]], within: Callable[[Basic], Basic]) -> Basic:
    """The product with the conditions that are kept: each stands once."""
    if isinstance(node, Mul):
        return Mul(*(_rebuilt(factor, kept, within) for factor in node.args), evaluate=False)
    if not isinstance(node, Where) or node.args[2] != 0:
        return within(node)
    parts = [part for given in conjuncts(node.args[0]) for part in kept.pop(given, [])]
    value = _rebuilt(node.args[1], kept, within)
    if not parts:
        return value
    return Where(parts[0] if len(parts) == 1 else And(*parts, evaluate=False), value, S.Zero)


def fewest(parts: Sequence[Basic], known: Sequence[Basic] = (), chain: bool = True) -> dict[Basic, list[Basic]]:
    """Each condition with what stands for it: itself, an equation, a chain of two, or nothing."""
    left = [*dict.fromkeys(parts)]
    for part in tuple(left):
        others = [*known, *(other for other in left if other != part)]
        if _by_lengths(part) or any(_implies(other, part) for other in others):
            left.remove(part)
    kept: dict[Basic, list[Basic]] = {part: [] for part in parts}
    while left:
        part = left.pop(0)
        equal = next(((other, found) for other in left for found in _equation(part, other)), None)
        pair = next(((other, found) for other in left if chain and (found := met(part, other))), None)
        if equal is not None or pair is not None:
            other, stated = equal or pair or (part, ())
            left.remove(other)
            kept[part] = [stated] if isinstance(stated, Basic) else list(stated)
        else:
            kept[part] = [_at_an_end(part)]
    return kept


def _at_an_end(part: Basic) -> Basic:
    """d = 0 for d < 1, d = D − 1 for d ≥ D − 1; any other condition as it is."""
    gap = _gap(part) if _of_integers(part) else None
    for letter in free_axes(part) if gap is not None else ():
        for end in (S.Zero, letter.size - 1):
            if expand(gap + letter - end) == 0 or expand(gap - letter + end) == 0:
                return Eq(letter, end, evaluate=False) if _ends(part, letter, end) else part
    return part


def _ends(part: Basic, letter: Axis, end: Expr) -> bool:
    """Whether the letter is held to this end, and not kept away from it."""
    found = bounds(part)
    above = found is not None and letter in found.smaller.free_symbols
    return above == (end == 0)


def _gap(part: Basic) -> Expr | None:
    """larger − smaller, which is ≥ 0; one less for integers that differ."""
    found = bounds(part)
    if found is None:
        return None
    gap = found.larger - found.smaller
    return gap - 1 if found.strict and _of_integers(part) else gap


def _of_integers(part: Basic) -> bool:
    return all(counts(side) or side.is_Integer for side in part.args)


def _by_lengths(part: Basic) -> bool:
    """Whether a comparison of integers always holds."""
    gap = _gap(part)
    return gap is not None and _of_integers(part) and in_range(gap, gap + 1)


def _implies(first: Basic, second: Basic) -> bool:
    """Whether one comparison follows from another."""
    one, two = _gap(first), _gap(second)
    if first == second:
        return True
    if one is None or two is None:
        return False
    if _of_integers(first) and _of_integers(second):
        return in_range(two - one, two - one + 1)
    if not _alike(first, second):
        return False
    margin = expand(two - one)
    return bool(margin.is_positive or (margin == 0 and (_strict(first) or not _strict(second))))


def _alike(first: Basic, second: Basic) -> bool:
    """Whether two comparisons are of the same value with numbers."""
    sides = [[side for side in part.args if not side.is_number] for part in (first, second)]
    return len(sides[0]) == 1 and sides[0] == sides[1]


def _strict(part: Basic) -> bool:
    found = bounds(part)
    return found is not None and found.strict


def _equation(first: Basic, second: Basic) -> list[Basic]:
    """d = 1, where d ≥ 1 and d < 2; nothing where they do not meet."""
    one, two = _gap(first), _gap(second)
    if one is None or two is None or not (_of_integers(first) and _of_integers(second)) or expand(one + two) != 0:
        return []
    return [Eq(*part.args, evaluate=False) for part in (first, second) if not _strict(part)][:1]


__all__ = ["fewest", "tidied"]
