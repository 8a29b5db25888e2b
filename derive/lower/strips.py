"""A loop over strips of rows, as statements: which columns the conditions leave a strip, and how arrays are indexed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from sympy import Expr

from .node import Labels, Node
from .plan import Band, Bands, Bound
from .program import Assign, Code, Num, Op, Var

Sizes = Callable[[Expr], Code]


@dataclass(frozen=True)
class Strip:
    """The names of slices: of the axes before, of the rows, of the columns within their reach."""

    outer: tuple[str, ...]
    rows: str
    columns: str

    @staticmethod
    def named(band: Band, first: str, fresh: Callable[[str], str]) -> Strip:
        outer = (first, *(fresh("columns") for _ in band.outer[1:])) if band.outer else ()
        return Strip(outer, fresh("strip"), fresh("reach"))

    @property
    def index(self) -> str:
        return ", ".join((*self.outer, self.rows))

    def cut(self, node: Node, bands: Bands) -> dict[int, str]:
        """The labels of a statement that are indexed, and by what."""
        found = dict(enumerate(self.outer)) | {bands.rows[node]: self.rows}
        return found | ({bands.columns[node]: self.columns} if node in bands.columns else {})

    def beside(self, wide: Node, bands: Bands, band: Band) -> list[Expr]:
        """The lengths of an array in a strip, but for the axes before and the rows."""
        first = len(band.outer)
        return [length for k, length in enumerate(wide.dims) if k >= first and k != bands.rows.get(wide)]

    def reached(self, band: Band, sizes: Sizes) -> Assign:
        """The columns that a strip needs."""
        ends = {sign: [self._end(b, sizes) for b in band.bounds if (b.column > 0) == (sign > 0)] for sign in (1, -1)}
        low = _joined(ends[1], "maximum", Num(Fraction(0)))
        high = _joined(ends[-1], "minimum", sizes(band.columns))
        return Assign((Var(self.columns),), Op("limited", (sizes(band.columns), low, high)))

    def _end(self, bound: Bound, sizes: Sizes) -> Code:
        """row · r + column · c + constant ≥ 0, where row · r is largest: −that // column is the least c, and so on."""
        up = bound.row > 0
        place = Op("stop" if up else "start", (Var(self.rows),))
        constant = bound.constant - (bound.row if up else 0)
        step = abs(bound.column)
        if step == 1 and bound.column < 0:
            return _linear(bound.row, place, constant + 1, sizes)
        if step == 1:
            return _linear(-bound.row, place, -constant, sizes)
        value = Op("floor_divide", (_linear(bound.row, place, constant, sizes), Num(Fraction(step))))
        return Op("negative", (value,)) if bound.column > 0 else Op("add", (value, Num(Fraction(1))))


def _linear(factor: int, place: Code, constant: Expr, sizes: Sizes) -> Code:
    term = place if abs(factor) == 1 else Op("multiply", (Num(Fraction(abs(factor))), place))
    if constant == 0:
        return term if factor > 0 else Op("negative", (term,))
    if factor < 0:
        return Op("subtract", (_whole(constant, sizes), term))
    less = bool(constant.could_extract_minus_sign())
    return Op("subtract" if less else "add", (term, _whole(-constant if less else constant, sizes)))


def _whole(value: Expr, sizes: Sizes) -> Code:
    return Num(Fraction(int(value))) if value.is_Integer else sizes(value)


def _joined(ends: Sequence[Code], op: str, otherwise: Code) -> Code:
    if not ends:
        return otherwise
    return ends[0] if len(ends) == 1 else Op("host", tuple(ends), op)


def index(cut: Mapping[int, str], labels: Labels) -> str:
    """How an array with these labels is indexed; "" for all of it."""
    texts = [cut.get(label, ":") for label in labels]
    while texts and texts[-1] == ":":
        texts.pop()
    return ", ".join(texts)


def within(cut: Mapping[int, str], labels: Labels) -> dict[int, str]:
    """The same for the axes of an array, as its own labels."""
    return {k: cut[label] for k, label in enumerate(labels) if label in cut}
