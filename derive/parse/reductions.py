"""Σ, Π, max, min, arg max and means: letters run along axes, ranges and conditions narrow them."""

from __future__ import annotations

from typing import Any

from sympy import Expr, Integer, oo
from sympy.core.basic import Basic
from sympy.core.relational import Ge, Le
from sympy.logic.boolalg import And

from derive.axes import ArgMaxOver, ArgMinOver, Axis, MaxOver, MeanOver, MinOver, ProdOver, SumOver, Where, free_axes

from .errors import LatexError
from .letters import Index, axis_of, parts_of, plain, uses
from .tree import At, Big, Letter, Name, Node, Range
from .values import Value, add

KINDS: dict[str, Any] = {
    "sum": SumOver, "prod": ProdOver, "max": MaxOver, "min": MinOver, "mean": MeanOver, "argmax": ArgMaxOver,
    "argmin": ArgMinOver,
}  # fmt: skip
NEUTRAL: dict[str, Expr] = {"sum": Integer(0), "prod": Integer(1), "max": -oo, "min": oo, "argmax": -oo, "argmin": oo}
LONGEST = 10**6


def reduced(meaning: Any, node: Big, which: int | None = None) -> Value:
    """The reduction of the body over the letters, where the conditions hold."""
    letters = meaning.letters
    outer = dict(letters.inner)
    slots: list[Axis] = []
    offsets: list[Expr] = []
    conditions: list[Basic] = []
    for one in node.ranges:
        index, tests = _index(meaning, node, one)
        offsets.append(index.offset)
        slots.append(index.axis)
        if index.known:
            letters.sure.add(index.axis.name)
        conditions += tests
        letters.inner[one.letter] = index
    conditions += [meaning.condition(test)[0] for test in node.conditions]
    guards = len(letters.guards)
    letters.guards += [part for one in conditions for part in parts_of(one)]
    body = meaning.value(node.body)
    del letters.guards[guards:]
    own = {one.letter for one in node.ranges}
    for letter in body.axes:
        if letters.preferred.get(letter.name) in own:
            shown = letters.preferred[letter.name]
            raise LatexError(f"two readings: {shown} is bound here, and what stands after is a vector over {shown}: "
                             f"write its index", node.column)  # fmt: skip
    entry = meaning.real(body, node.body) if not _bare(node) else body.body
    letters.inner = outer
    if node.kind == "mean" and conditions:
        raise LatexError("a mean under conditions: write it as a sum over a number", node.column)
    if conditions:
        test = And(*conditions, evaluate=False) if len(conditions) > 1 else conditions[0]
        entry = Where(test, entry, NEUTRAL[node.kind])
    if node.kind.startswith("arg"):
        if body.rank or (which is None and len(slots) > 1):
            raise LatexError(
                "arg max over one letter, of a number for each; over several, (\\arg\\max_{i,j} …)_i", node.column
            )
        place = which or 0
        return Value(add(KINDS[node.kind](entry, *slots, Integer(place)), offsets[place]), whole=True)
    return Value(KINDS[node.kind](entry, *slots), body.axes, body.turn)


def place_of(meaning: Any, node: Big, at: At) -> Value:
    """(arg max_{i,j} x_ij)_i: one of the letters at the place of the maximum."""
    names = [one.letter for one in node.ranges]
    wanted = [index.name for index in at.indices if isinstance(index, Letter)]
    if not node.kind.startswith("arg") or len(wanted) != 1 or wanted[0] not in names:
        raise LatexError("a subscript here must be one of the letters of \\arg\\max", at.column)
    return reduced(meaning, node, names.index(wanted[0]))


def _bare(node: Big) -> bool:
    return isinstance(node.body, (Letter, Name))


def _index(meaning: Any, node: Big, one: Range) -> tuple[Index, list[Basic]]:
    """The axis along which a letter runs, and what of its range is left as conditions."""
    letters = meaning.letters
    name = one.letter
    if one.low is None and one.high is None:
        found = _axis(meaning, node, one)
        return Index(letters.slot(found.size, name), Integer(letters.start), letters.certain), []
    low = _limit(meaning, one.low, "lower")
    high = _limit(meaning, one.high, "upper")
    if low is not None and high is not None and not free_axes(low) and not free_axes(high):
        size = plain(high - low + 1)
        if size.is_Integer and not 1 <= size <= LONGEST:
            raise LatexError(f"the range of {name} has {size} values", one.column)
        if not size.is_Integer and size.could_extract_minus_sign():
            raise LatexError(f"the range of {name} is empty: {size} values", one.column)
        return Index(letters.slot(size, name), low, True), []
    among = _found(meaning, node)
    if low is not None and high is not None and not any(u.letter == name and u.shift is not None for u in among):
        return _between(meaning, one, low, high)
    found = axis_of(name, among, meaning.scope, one.column)
    index = Index(letters.slot(found.size, name), Integer(letters.start), letters.certain)
    value = plain(index.axis)
    tests: list[Basic] = []
    if low is not None and plain(low - letters.start) != 0:
        tests.append(Ge(value, plain(low - letters.start), evaluate=False))
    if high is not None and plain(high - letters.start - found.size + 1) != 0:
        tests.append(Le(value, plain(high - letters.start), evaluate=False))
    return index, tests


def _between(meaning: Any, one: Range, low: Expr, high: Expr) -> tuple[Index, list[Basic]]:
    """A letter that only its limits tell of, where they move with other letters: from the least to the greatest."""
    least, most = _extreme(low, greatest=False), _extreme(high, greatest=True)
    if least is None or most is None:
        raise LatexError(f"the limits of {one.letter} are not linear in other letters: write its range", one.column)
    index = Index(meaning.letters.slot(plain(most - least + 1), one.letter), least, True)
    value = plain(index.axis + index.offset)
    return index, [Ge(value, low, evaluate=False)] * (low != least) + [Le(value, high, evaluate=False)] * (high != most)


def _extreme(limit: Expr, *, greatest: bool) -> Expr | None:
    """The least or the greatest value over all letters; None where it is not linear in them."""
    for letter in free_axes(limit):
        slope = plain(limit - limit.xreplace({letter: letter - 1}))
        if not slope.is_Integer:
            return None
        limit = plain(limit.xreplace({letter: letter.size - 1 if bool(slope > 0) is greatest else Integer(0)}))
    return limit


def _axis(meaning: Any, node: Big, one: Range) -> Axis:
    """The axis of a letter without limits; i′ that indexes nothing runs over what i does."""
    found = _found(meaning, node)
    bare = one.letter.rstrip("'")
    if bare != one.letter and not any(use.letter == one.letter and use.shift is not None for use in found):
        if bare in meaning.letters.inner:
            inner: Index = meaning.letters.inner[bare]
            return inner.axis
        if any(use.letter == bare and use.shift is not None for use in found):
            return axis_of(bare, found, meaning.scope, one.column)
    return axis_of(one.letter, found, meaning.scope, one.column)


def _limit(meaning: Any, node: Node | None, what: str) -> Expr | None:
    return None if node is None else meaning.whole(node, f"{what} limit")


def _found(meaning: Any, node: Big) -> list[Any]:
    """Where the letters of this sign are indices."""
    return [use for part in (*node.conditions, node.body) for use in uses(part, meaning.scope)]
