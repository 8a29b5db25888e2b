"""Maxima and minima over axes: of windows tap by tap, and where the first one stands.

A maximum that looks only within the tensor, max_r where(0 ≤ s·h + r − p < Y, x[s·h + r − p], −∞), reads an array padded
with −∞. Its adjoint adds u, where a tap is the first maximiser, tap by tap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any

from sympy import And, Expr, Integer, Mul, Number, expand, oo
from sympy.core.relational import Relational

from derive.axes import ArgMaxOver, ArgMinOver, Axis, Delta, Entry, PaddedEntry, SumOver, Where, nonnegative, rename

from .algebra import Hint, elementwise, real
from .form import Form, sign
from .integer import integer
from .node import View
from .window import at

if TYPE_CHECKING:
    from .read import Reader

FOLDS = frozenset({"max", "min", "sum"})  # what is taken tap by tap
TILE = 16  # entries of a tile


def looked(r: Reader, body: Any, fill: Any, hint: Hint) -> View:
    """The body of an extremum; where it looks only within a tensor, as a window of an array padded with `fill`."""
    if isinstance(body, Where) and body.args[2] == fill and (found := _window_of(body.args[1])):
        entry, given = found
        needed = [e for a, e in given.items() for e in (e, a.size - 1 - e)]
        tests = _tests(body.args[0])
        open_ = [expand(e) for e in needed if not nonnegative(e)]
        if tests is not None and set(open_) <= tests <= {expand(e) for e in needed}:
            view = r.graph.renamed(r.define(entry.tensor), dict(zip(entry.tensor.axes, entry.indices, strict=True)))
            return at(r, view, given, hint, fill=float(fill))
    return real(r.graph, r.read(body, hint))


def _window_of(value: Any) -> tuple[Any, dict[Axis, Expr]] | None:
    """The entry with plain letters and where each is read, for Σ_y [y = e] x[y], or a name of that."""
    while type(value) is Entry and isinstance(value.tensor.body, (Entry, SumOver)):
        value = rename(value.tensor.body, dict(zip(value.tensor.axes, value.indices, strict=True)))
    if isinstance(value, PaddedEntry):
        apart = [Axis(f"{a.name}_data", a.size) for a in value.tensor.axes]
        return Entry(value.tensor, *apart), dict(zip(apart, value.indices, strict=True))
    if not isinstance(value, SumOver):
        return None
    factors = value.body.args if isinstance(value.body, Mul) else (value.body,)
    entries = [f for f in factors if type(f) is Entry]
    deltas = [f for f in factors if isinstance(f, Delta)]
    if len(entries) != 1 or len(deltas) != len(factors) - 1 or len(deltas) != len(value.axes):
        return None
    given = {}
    for delta in deltas:
        form = Form.of(delta.args[0] - delta.args[1])
        letter = next((a for a in value.axes if form.solvable(a)), None)
        if letter is None or letter in given or len(form.letters & set(value.axes)) != 1:
            return None
        given[letter] = form.solved(letter)
    plain = all(isinstance(i, Axis) for i in entries[0].indices) and all(a in entries[0].indices for a in given)
    return (entries[0], given) if plain and len(given) == len(value.axes) else None


def _tests(condition: Any) -> set[Expr] | None:
    """A condition as expressions that are all at least 0."""
    found = set()
    for part in condition.args if isinstance(condition, And) else (condition,):
        if not isinstance(part, Relational) or part.rel_op not in SLACK:
            return None
        found.add(expand(SLACK[part.rel_op](part.lhs, part.rhs)))
    return found


SLACK: dict[str, Callable[[Any, Any], Any]] = {
    ">=": lambda a, b: a - b,
    ">": lambda a, b: a - b - 1,
    "<=": lambda a, b: b - a,
    "<": lambda a, b: b - a - 1,
}


def folded(r: Reader, op: str, body: View, over: Sequence[Axis]) -> View:
    """max, min or Σ over letters of a view of windows: tap by tap, which copies nothing; of others at once."""
    kept = tuple(a for a in body.letters if a not in over)
    tapped = op in FOLDS and _tapped(body, over, op)
    return r.graph.make("fold" if tapped else op, [body], kept, op if tapped else ())


def _tapped(body: View, over: Sequence[Axis], op: str = "max") -> bool:
    """Whether letters are taps: of a view of windows, or an extremum's of small tiles, which NumPy takes one by one."""
    if len(over) == len(body.letters):
        return False
    tile = prod((a.size for a in over), start=Integer(1))
    return bool(body.node.op == "window" or (op != "sum" and len(over) > 1 and tile.is_Integer and tile <= TILE))


def extremum(op: str) -> Callable[[Reader, Any, Hint], View]:
    """The reader of MaxOver and MinOver."""

    def read(r: Reader, term: Any, hint: Hint) -> View:
        term = r.opened(term)
        fill = -oo if op == "max" else oo
        body = looked(r, term.body, fill, [*(a for a in hint if a not in term.axes), *term.axes])
        here = [a for a in term.axes if a in body.letters]
        return folded(r, op, body, here) if here else body

    return read


def place(op: str) -> Callable[[Reader, Any, Hint], View]:
    """The place of the first extremum along one of the axes; along those that the body has not, it is the first."""

    def read(r: Reader, term: Any, hint: Hint) -> View:
        g, opened = r.graph, r.opened(term)
        wanted = opened.axes[term.component]
        body, here = _body(r, opened, hint)
        if wanted not in here:
            return g.number(Fraction(0))
        kept = tuple(a for a in body.letters if a not in here)
        beyond = [a for a in body.letters if a in here]
        order = (*range(len(kept)), *(len(kept) + beyond.index(a) for a in here))
        if _tapped(body, here):
            found = g.make("widened", [_first(r, opened, body, here)], kept, kind="int")
        else:
            found = g.make("place", [body], kept, (op, order), "int")
        if later := here[here.index(wanted) + 1 :]:
            count = integer(r, Mul(*(a.size for a in later)), hint)
            found = elementwise(g, "floor_divide", [found, count], hint, kind="int")
        if wanted is not here[0]:
            found = elementwise(g, "mod", [found, integer(r, wanted.size, hint)], hint, kind="int")
        return found

    return read


def _body(r: Reader, term: Any, hint: Hint) -> tuple[View, list[Axis]]:
    fill = oo if isinstance(term, ArgMinOver) else -oo
    body = looked(r, term.body, fill, [*(a for a in hint if a not in term.axes), *term.axes])
    return body, [a for a in term.axes if a in body.letters]


def _first(r: Reader, term: Any, body: View, here: Sequence[Axis]) -> View:
    """How many taps stand before the first that is the extremum, in integers as small as will do."""
    best = folded(r, "min" if isinstance(term, ArgMinOver) else "max", body, here)
    kept = best.letters
    beyond = [a for a in body.letters if a in here]
    order = (*(len(kept) + beyond.index(a) for a in here), *range(len(kept)))
    return r.graph.make("first", [body, best], kept, order, "small")


# The adjoint


def selected(r: Reader, u: View, given: Mapping[Axis, Expr], summed: Sequence[Axis], hint: Hint) -> View | None:
    """u added where each index is s·h + d·argmax − p: for each tap, u where this tap is the first extremum."""
    g = r.graph
    found = {y: _run_and_tap(Form.of(e), summed) for y, e in given.items()}
    parts = [part for part in found.values() if part is not None]
    if len(parts) < len(found) or len({part[0] for part in parts}) != len(parts):
        return None
    terms = [part[2] for part in parts]
    term = terms[0]
    same = all(type(t) is type(term) and _renamed(t, term.axes) == term.body for t in terms)
    if not same or {t.component for t in terms} != set(range(len(term.axes))) or len(terms) != len(term.axes):
        return None
    opened = r.opened(term)
    body, here = _body(r, opened, hint)
    if body.node.op != "window" or len(here) != len(opened.axes):
        return None
    first = _first(r, opened, body, here)
    if any(a not in u.letters for a in first.letters) or any(a in u.letters for a in given):
        return None
    runs = {part[0]: y for y, part in zip(found, parts, strict=True)}
    letters = [runs.get(a, a) for a in u.letters]
    if any(a in summed and a not in runs for a in u.letters):
        return None
    specs: list[Any] = []
    for letter in letters:
        if letter not in found:
            specs.append(None)
            continue
        form, (run, tap, argument) = Form.of(given[letter]), found[letter]  # type: ignore[misc]
        steps = (g.length(run), dict(form.parts)[run].xreplace(g.derived))
        count = g.length(opened.axes[argument.component])
        start = form.constant.xreplace(g.derived)
        specs.append((g.length(letter), start, steps, (count, tap.xreplace(g.derived)), Fraction(argument.component)))
    order = tuple(first.letters.index(a) if a in first.letters else -1 for a in u.letters)
    return g.make("selected", [u, first], letters, (tuple(specs), order), u.node.kind)


def _named(value: Any) -> Any:
    """What a name of a maximiser, k[n, h], stands for."""
    if type(value) is Entry and isinstance(value.tensor.body, ArgMaxOver):
        return rename(value.tensor.body, dict(zip(value.tensor.axes, value.indices, strict=True)))
    return value


def _renamed(term: Any, axes: Sequence[Axis]) -> Any:
    """The body of an extremum over these letters."""
    return rename(term.body, dict(zip(term.axes, axes, strict=True))) if len(axes) == len(term.axes) else None


def _run_and_tap(form: Form, summed: Sequence[Axis]) -> tuple[Axis, Any, Any] | None:
    """(h, d, argmax) of s·h + d·argmax − p."""
    if len(form.parts) != 1 or len(form.opaque) != 1 or sign(form.parts[0][1]) < 1 or form.parts[0][0] not in summed:
        return None
    factors = [_named(a) for a in Mul.make_args(form.opaque[0])]
    coefficients = [a for a in factors if not isinstance(a, ArgMaxOver)]
    arguments = [a for a in factors if isinstance(a, ArgMaxOver)]
    step = Mul(*coefficients)
    if len(arguments) != 1 or step.has(Axis, Entry) or not (isinstance(step, Number) or sign(step)) or sign(step) < 1:
        return None
    return form.parts[0][0], step, arguments[0]
