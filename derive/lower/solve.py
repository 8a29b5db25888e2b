"""Products with deltas of integer expressions: each delta is read, added to, or made a mask.

Σ_y [y = s·h + r − p] x[y] … reads x at s·h + r − p. Where y is free, Σ_{h,r} [y = s·h + r − p] u[h, r] adds u at these
places. What no law takes is a dense mask of zeros and ones: always right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sympy import Expr

from derive.axes import Axis, Tensor, free_axes, in_range, rename

from .algebra import Hint, Law, decide, one_hot, real
from .contract import Product, product, without_exponents
from .extrema import selected
from .form import Form
from .integer import compared, integer, within
from .node import View
from .window import at, overlapped, scattered

if TYPE_CHECKING:
    from .read import Reader


def contracted(r: Reader, p: Product, reduced: Sequence[Axis], hint: Hint) -> View:
    """Σ over `reduced` of the product, its deltas eliminated."""
    if not p.deltas:
        return product(r.graph, p, reduced, hint)
    factors = without_exponents(r.graph, p, reduced, hint)
    return _Elimination(r, p, factors, list(reduced), hint).view()


@dataclass
class _Elimination:
    reader: Reader
    rest: Product
    factors: list[View]
    left: list[Axis]  # summed letters that are still there
    hint: Hint
    deltas: list[tuple[Expr, Expr]] = field(default_factory=list)
    read: dict[Axis, Expr] = field(default_factory=dict)  # summed letters that are read at an index
    added: dict[Axis, Expr] = field(default_factory=dict)  # free letters that are added to

    def view(self) -> View:
        """The contraction."""
        self.deltas = list(dict.fromkeys(self.rest.deltas))
        self.rest.deltas = []
        while any(self._reads(delta) for delta in list(self.deltas)):
            pass  # each changes the others
        while any(self._adds(delta) for delta in list(self.deltas)):
            pass
        self._apply()
        return self._outer()

    # Reading

    def _reads(self, delta: tuple[Expr, Expr]) -> bool:
        """Whether the delta says what a summed letter is; then it is read there."""
        form = Form.of(delta[0] - delta[1])
        if form.expression == 0:
            self.deltas.remove(delta)
            return True
        letter = self._readable(form)
        if letter is None:
            return False
        self.deltas.remove(delta)
        self._replace(letter, form.solved(letter))
        self.left.remove(letter)
        return True

    def _readable(self, form: Form) -> Axis | None:
        lone = [a for a in form.lone if form.solvable(a)]
        if self._places(form, lone):
            return None
        if here := [a for a in lone if a in self.left]:
            return min(here, key=lambda a: self._carried(a, form))
        summed = [a for a in form.letters if a in self.left]
        if lone and len(summed) > 1:
            return None  # several places add to one: see _adds
        return min((a for a in summed if form.solvable(a)), key=str, default=None)

    def _places(self, form: Form, lone: Sequence[Axis]) -> bool:
        """Whether a summed letter runs along a part of a free one's axis: what is summed is placed there, once.

        Read at the free letter's places, each of its factors would be an array of them all, zeros but for this part.
        """
        if len(lone) != 2 or set(lone) != form.letters or sum(a in self.left for a in lone) != 1:
            return False
        summed, free = sorted(lone, key=lambda a: a not in self.left)
        alone = sum(bool({summed, free} & {*free_axes(a), *free_axes(b)}) for a, b in self.deltas) == 1
        placed = in_range(form.solved(free), free.size) and not in_range(form.solved(summed), summed.size)
        return placed and alone and free not in self.reader.letters and summed not in self.read

    def _carried(self, letter: Axis, form: Form) -> tuple[bool, int, int]:
        """What is read at an index: first slices, which need no zeros around them; then letters of few factors, of
        the least axes. The others stay as they are."""
        having = [f for f in self.factors if letter in f.letters]
        beyond = not in_range(form.solved(letter), letter.size)
        return beyond, len(having), sum(len(f.letters) for f in having)

    def _replace(self, letter: Axis, index: Expr) -> None:
        """The letter is the index, everywhere; where no factor has the letter, a mask says that it is in range."""
        r = self.reader
        exchange = {letter: index}
        self.deltas = [(rename(a, exchange), rename(b, exchange)) for a, b in self.deltas]
        self.read = {a: rename(e, exchange) for a, e in self.read.items()}
        if any(letter in f.letters for f in self.factors):
            self.read[letter] = index
        elif not in_range(index, letter.size):
            self.factors.append(within(r, index, letter.size, self._inner_hint()))

    def _inner_hint(self) -> list[Axis]:
        return [*(a for a in self.hint if a not in self.left), *self.left]

    # Adding

    def _adds(self, delta: tuple[Expr, Expr]) -> bool:
        """A free letter whose place summed letters say is added to; every other use of it is read there."""
        form = Form.of(delta[0] - delta[1])
        letters = [a for a in (*form.lone, *sorted(form.letters, key=str)) if form.solvable(a) and a not in self.left]
        letters = [a for a in letters if not any(a in Form.of(e).letters for e in self.added.values())]
        letters = [a for a in letters if a not in self.reader.letters]  # one step of a loop adds to no other
        if not letters or not any(a in self.left for a in form.letters) or form.letters & set(self.added):
            return False
        letter, index = letters[0], form.solved(letters[0])
        self.deltas.remove(delta)
        exchange = {letter: index}
        self.deltas = [(rename(a, exchange), rename(b, exchange)) for a, b in self.deltas]
        self.read = {a: rename(e, exchange) for a, e in self.read.items()}
        self.added[letter] = index
        return True

    # The contraction that is left

    def _apply(self) -> None:
        """Factors read at their indices; what only free letters have stays outside of what is added."""
        r, hint = self.reader, self._inner_hint()
        self.outside: list[View] = []
        inside: list[View] = []
        for factor in self.factors:
            factor = at(r, factor, self.read, hint)
            if self.added and not any(a in self.left for a in factor.letters):
                self.outside.append(factor)
                continue
            inside.append(at(r, factor, self.added, hint))
        for a, b in self.deltas:
            made = self._mask(a, b, hint)
            inside.append(made)
        self.factors = inside

    def _mask(self, a: Expr, b: Expr, hint: Hint) -> View:
        r = self.reader
        if isinstance(a, Axis) and isinstance(b, Axis) and r.graph.length(a) == r.graph.length(b):
            rank = {letter: place for place, letter in enumerate(hint)}
            return r.graph.make("eye", (), sorted((a, b), key=lambda x: rank.get(x, len(rank))))
        for letter, index in ((a, b), (b, a)) if r.graph.in_place else ():
            if not isinstance(letter, Axis) or letter in free_axes(index):  # [e = k[e]] is not one entry a row
                continue
            if index.has(Tensor) and in_range(index, letter.size):
                return one_hot(r.graph, letter, integer(r, index, hint), hint)
        return compared(r, "equal", a, b, hint)

    def _outer(self) -> View:
        r, g = self.reader, self.reader.graph
        inner = Product(self.rest.coefficient, dict(self.rest.hosts), [])
        for factor in self.factors:
            _add_factor(inner, factor)
        if not self.added:
            return product(g, inner, self.left, self.hint)
        places = {a for e in self.added.values() for a in Form.of(e).letters} - set(self.reader.letters)
        summed = [a for a in self.left if a in places]
        kept = [a for a in self.hint if a not in self.added]
        view = real(g, product(g, inner, [a for a in self.left if a not in places], [*kept, *summed]))
        missing = [a for a in (*sorted(places - set(summed), key=str), *summed) if a not in view.letters]
        if missing:
            view = g.make("broadcast" if view.host else "stretch", [view], (*view.letters, *missing))
        outer = Product()
        _add_factor(outer, decide(SCATTERS, r, view, self.added, summed, self.hint))
        for factor in self.outside:
            _add_factor(outer, factor)
        return product(g, outer, (), self.hint)


SCATTERS = (
    Law("selected", "pooling: a pass of boolean products a tap, where sums by place take four times as long", selected),
    Law("overlapped", "windows: slices are added, one for each tap", overlapped),
    Law("scattered", "any places: sorted by place, or one flat add.at", scattered),
)


def _add_factor(p: Product, factor: View) -> None:
    if factor.host:
        p.times(factor)
    else:
        p.arrays.append((factor, type(p.coefficient)(1)))
