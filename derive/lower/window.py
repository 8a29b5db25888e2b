"""Reading arrays at integer expressions, and adding into them: padding, views, gathers, scatters.

`at` reads: along an axis whose index is affine, x[s·h + d·r − p], it pads and makes a strided view, which copies
nothing; along others it gathers. `overlapped` and `scattered` are the adjoint: they add to
affine places slice by slice, to others by their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import inf
from typing import TYPE_CHECKING, Any

from sympy import Add, Expr

from derive.axes import Axis, free_axes, in_range
from derive.axes.index import size_name

from .algebra import Hint, elementwise
from .form import Form, positive_part, radix, sign
from .integer import integer, within
from .node import Graph, View, union

if TYPE_CHECKING:
    from .read import Reader

Given = Mapping[Axis, Expr]


def at(r: Reader, view: View, given: Given, hint: Hint, fill: Any = 0, proved: bool = False) -> View:
    """The view with each letter of `given` replaced by an index; `fill` where that is outside the axis.

    `proved`: every index is known to lie within its axis.
    """
    g = r.graph
    given = {a: given[a] for a in view.letters if a in given and given[a] != a}
    if any(a in given for e in given.values() for a in free_axes(e)):  # x[j, i + 1]: no letter stands for two things
        apart = {a: Axis(f"{a.name}_data", a.size) for a in given}
        view, given = g.renamed(view, apart), {apart[a]: e for a, e in given.items()}
    same = {a: e for a, e in given.items() if isinstance(e, Axis) and g.length(e) == g.length(a)}
    forms = {a: Form.of(e) for a, e in given.items() if a not in same}
    affine = {a: form for a, form in forms.items() if form.affine}
    others = {a: form.expression for a, form in forms.items() if a not in affine}
    indexed = {letter for a in others for letter in forms[a].letters}
    others |= {a: same.pop(a) for a in list(same) if same[a] in indexed}  # z[b, t[b]]: one index, no diagonal after it
    fresh = _apart(view, affine)
    if affine:
        view = _windows(g, view, affine, fresh, fill, proved)
    if others:
        view = _gathered(r, view, others, hint, fill, proved)
    return g.renamed(view, {**same, **{new: old for new, old in fresh.values() if new != old}})


def _apart(view: View, affine: Mapping[Axis, Form]) -> dict[tuple[Axis, Axis], tuple[Axis, Axis]]:
    """(data letter, letter of its form) → a letter of its own for the axis of the view, and what it stands for."""
    used = {a for a in view.letters if a not in affine}
    found = {}
    for data, form in affine.items():
        for letter, _ in form.parts:
            own, number = letter, 0
            while own in used:
                number += 1
                own = Axis(f"{letter.name}_{number}", letter.size)
            used.add(own)
            found[data, letter] = own, letter
    return found


def _windows(
    g: Graph, view: View, affine: Mapping[Axis, Form], fresh: Mapping[Any, tuple[Axis, Axis]], fill: Any, proved: bool
) -> View:
    """The strided view of the padded array; where letters count through all of an axis, the axis is split."""
    orders = {a: order for a, form in affine.items() if (order := radix(form, a.size))}
    amounts = {a: (0, 0) if proved or a in orders else margins(g, form, a) for a, form in affine.items()}
    padded = pad(g, view, amounts, fill)
    split: list[Axis] = []
    letters: list[Axis] = []
    specs: list[Any] = []
    for axis, old in zip(padded.letters, view.letters, strict=True):
        own = [fresh[old, letter][0] for letter in orders.get(old, ())]
        split += own or [axis]
        if own:
            letters += own
            specs += [None] * len(own)
            continue
        if old not in affine:
            letters.append(axis)
            specs.append(None)
            continue
        form = affine[old]
        letters += [fresh[old, letter][0] for letter, _ in form.parts]
        start = form.constant.xreplace(g.derived) + amounts[old][0]
        specs.append((start, *(c.xreplace(g.derived) for _, c in form.parts)))
    if orders:
        padded = g.make("split", [padded], split, (), view.node.kind)
    windowed = any(spec is not None for spec in specs)
    return g.make("window", [padded], letters, tuple(specs), view.node.kind) if windowed else padded


def margins(g: Graph, form: Form, axis: Axis) -> tuple[Any, Any]:
    """How far an affine index goes beyond both ends of its axis."""
    if in_range(form.expression, axis.size):
        return 0, 0
    down = [(c, a) for a, c in form.parts if sign(c) < 0]
    up = [(c, a) for a, c in form.parts if sign(c) > 0]
    low = -form.constant - Add(*(c * (a.size - 1) for c, a in down))
    high = form.constant + Add(*(c * (a.size - 1) for c, a in up)) - (axis.size - 1)
    short_low = -form.constant - Add(*(c * (g.length(a) - 1) for c, a in down))
    short_high = form.constant + Add(*(c * (g.length(a) - 1) for c, a in up)) - (g.length(axis) - 1)
    return _amount(g, low, short_low), _amount(g, high, short_high)


def _amount(g: Graph, amount: Expr, short: Expr) -> Expr:
    """max(0, amount), written with the symbols of derived lengths."""
    proved = positive_part(amount)
    if proved == 0:
        return proved
    return short.xreplace(g.derived) if proved == amount else type(proved)(0, short.xreplace(g.derived), evaluate=False)


def pad(g: Graph, view: View, amounts: Mapping[Axis, tuple[Any, Any]], fill: Any) -> View:
    """The array between entries of `fill`, over letters of its own where it is longer."""
    if not any(amount != (0, 0) for amount in amounts.values()):
        return view
    letters = [_longer(g, a, amounts.get(a, (0, 0))) for a in view.letters]
    specs = tuple(None if amounts.get(a, (0, 0)) == (0, 0) else amounts[a] for a in view.letters)
    inner = View(view.node, view.letters)
    return g.make("pad", [inner], letters, (specs, fill, (), ()), view.node.kind)


def _longer(g: Graph, axis: Axis, amount: tuple[Any, Any]) -> Axis:
    if amount == (0, 0):
        return axis
    name = axis.name.removesuffix("_data")
    return Axis(f"{size_name(name) if len(name) == 1 else name}_padded", g.length(axis) + amount[0] + amount[1])


def _gathered(r: Reader, view: View, others: Given, hint: Hint, fill: Any, proved: bool) -> View:
    """Fancy indexing; the result's letters stand where NumPy puts them."""
    g = r.graph
    indices = {a: integer(r, e, hint) for a, e in others.items()}
    shared = {b for index in indices.values() for b in index.letters}
    shared |= {e for e in others.values() if isinstance(e, Axis)}
    places: dict[Axis, View] = {}
    for a in view.letters:
        if a in indices:
            places[a] = indices[a]
        elif a in shared:
            places[a] = g.make("arange", (), (a,), kind="int")
    block = union(list(places.values()))
    rank = {letter: place for place, letter in enumerate(hint)}
    block = tuple(sorted(block, key=lambda a: rank.get(a, len(rank))))
    where = [k for k, a in enumerate(view.letters) if a in places]
    adjacent = where == list(range(where[0], where[0] + len(where)))
    plain = [a for a in view.letters if a not in places]
    start = where[0] if adjacent else 0
    letters = (*plain[:start], *block, *plain[start:])
    source = View(view.node, tuple(a if a not in others else Axis(f"{a.name}_data", a.size) for a in view.letters))
    guard = None
    for a, e in others.items():
        if not proved and not in_range(e, a.size):
            inside = within(r, e, a.size, hint)
            guard = inside if guard is None else elementwise(g, "logical_and", [guard, inside], hint, kind="bool")
            places[a] = _held(r, places[a], a, hint)
    attr = (tuple(a in places for a in view.letters), start, len(block))
    made = g.make("gather", [source, *places.values()], letters, attr, view.node.kind)
    if guard is None:
        return made
    if view.node.kind == "bool":
        return elementwise(g, "logical_and", [made, guard], hint, kind="bool")
    return elementwise(g, "where", [guard, made, constant(g, fill)], letters, kind=view.node.kind)


def _held(r: Reader, index: View, axis: Axis, hint: Hint) -> View:
    """The index held within its axis."""
    low = elementwise(r.graph, "maximum", [index, r.graph.number(Fraction(0))], hint, kind="int")
    top = integer(r, axis.size - 1, hint)
    return elementwise(r.graph, "minimum", [low, top], hint, kind="int")


def constant(g: Graph, value: Any) -> View:
    """A number of the host, or an infinity."""
    return g.host("infinity", attr=value) if value in (-inf, inf) else g.number(Fraction(value))


# The adjoint


def overlapped(r: Reader, u: View, given: Given, summed: Sequence[Axis], hint: Hint) -> View | None:
    """Slices added, one for each tap; the letters of u in the order of the result, each window's together."""
    g = r.graph
    forms = {y: Form.of(e) for y, e in given.items()}
    every = [a for form in forms.values() for a in form.letters]
    alone = all(a in summed for a in every) and len(set(every)) == len(every)
    if not (alone and all(form.affine for form in forms.values())):
        return None
    if merged := {y: parts for y, form in forms.items() if (parts := radix(form, y.size))}:
        u = _merged(g, u, merged, hint)
        rest = {y: e for y, e in given.items() if y not in merged}
        return overlapped(r, u, rest, summed, hint) if rest else u
    owner = {a: y for y, form in forms.items() for a, _ in form.parts}
    letters = _summed_letters(u, owner, hint)
    factors = _outer_factors(u)
    bound = [a for a in union(factors) if a in owner]
    specs: list[Any] = []
    order: list[int] = []
    for place, letter in enumerate(letters):
        if letter not in forms:
            specs.append(None)
            order.append(place)
            continue
        form = forms[letter]
        steps = tuple((g.length(a), c.xreplace(g.derived)) for a, c in form.parts)
        specs.append((g.length(letter), form.constant.xreplace(g.derived), *steps))
        order += [len(letters) + bound.index(a) for a, _ in form.parts]
    return g.make("overlap", factors, letters, (tuple(specs), tuple(order)), u.node.kind)


def _outer_factors(u: View) -> list[View]:
    """The factors of g·w, where both have fewer letters: multiplied tap by tap, no array of all taps is made."""
    if u.node.op != "multiply":
        return [u]
    factors = [View(arg, tuple(u.letters[k] for k in labels)) for arg, labels in u.node.args]
    outer = all(f.node.kind == "real" and len(f.letters) < len(u.letters) for f in factors)
    return factors if outer else [u]


def _summed_letters(u: View, owner: Mapping[Axis, Axis], hint: Hint) -> list[Axis]:
    """The letters of u, those that say a place exchanged for it, in the order of the hint."""
    letters = list(dict.fromkeys([*(owner.get(a, a) for a in u.letters), *owner.values()]))
    rank = {letter: place for place, letter in enumerate(hint)}
    return sorted(letters, key=lambda a: rank.get(a, len(rank)))


def _merged(g: Graph, u: View, orders: Mapping[Axis, tuple[Axis, ...]], hint: Hint) -> View:
    """Letters that count through all places of an axis as that axis: nothing is added, the array is reshaped."""
    letters = _summed_letters(u, {a: y for y, order in orders.items() for a in order}, hint)
    bound = [a for a in u.letters if a not in letters]
    parts = [a for letter in letters for a in orders.get(letter, (letter,))]
    order = tuple(letters.index(a) if a in letters else len(letters) + bound.index(a) for a in parts)
    return g.make("merge", [u], letters, (order, False), u.node.kind)


def scattered(r: Reader, u: View, given: Given, summed: Sequence[Axis], hint: Hint) -> View:
    """Σ over `summed` of u at the places where each letter of `given` equals its index: out[…, y, …] += u[…].

    Free letters on which the places depend are places of their own."""
    g = r.graph
    indices = {y: integer(r, e, hint) for y, e in given.items()}
    used = union(list(indices.values()))
    block = [a for a in u.letters if a in summed or a in used]
    own = [a for a in block if a not in summed]
    plain = [a for a in u.letters if a not in block]
    rank = {letter: place for place, letter in enumerate(hint)}
    first = sorted([*own, *given], key=lambda a: rank.get(a, len(rank)))
    apart = {a: Axis(f"{a.name}_place", a.size) for a in own}
    read = {a: g.make("arange", (), (apart[a],), kind="int") for a in own}
    places = [read[y] if y in read else g.renamed(indices[y], apart) for y in first]
    source = g.renamed(u, apart)
    bound = [apart.get(a, a) for a in block]
    letters = (*first, *plain)
    beyond = [a for a in source.letters if a not in letters]
    order = tuple(len(letters) + beyond.index(a) for a in bound) + tuple(letters.index(a) for a in plain)
    return g.make("scatter", [source, *places], letters, (order, len(bound)), u.node.kind)
