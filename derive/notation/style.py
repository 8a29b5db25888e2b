"""How the parts of an expression are put together: on a terminal, and in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

from . import wide
from .glyphs import RAISED, Glyph, braced
from .lines import AT_CONDITION, AT_PRODUCT, AT_SUM, deeper, latex_width, text_width, unmarked
from .table import ADD, ATOM, MUL, POW, FenceRow, Row

NO_FACTOR, NO_TERM = 1, 2  # what may not follow: Σ reaches over every factor, a brace of cases over every term
SMALL, SHORT_SUM, SHORT_EXPONENT = 9.0, 14.0, 4.5  # em: what goes into a fraction, and into an exponent
SHORT_CONDITION = 5.0  # em: what stands beside a letter below Σ, not under it
WORD = re.compile(r"(?:\\(?:bar|overline|dot|hat|tilde)\{)*\\math(?:rm|bf)\{\w{2,}")  # a name of several letters


@dataclass(frozen=True, slots=True)
class Piece:
    """A printed expression: its precedence, what may not follow it, and how tall it stands (LaTeX)."""

    source: str
    level: int = ATOM
    open: int = 0
    tall: int = 0

    @property
    def reaches(self) -> bool:
        """Whether it is a product that swallows what follows; a sum is enclosed before anything can."""
        return self.open > 0 and self.level >= MUL


class Style(Protocol):
    """What a way of writing must know; the printer does the rest."""

    @property
    def is_latex(self) -> bool: ...
    def form(self, row: Row) -> str: ...
    def paren(self, piece: Piece) -> Piece: ...
    def fence(self, row: FenceRow, piece: Piece) -> Piece: ...
    def product(self, above: Sequence[Piece], below: Sequence[Piece]) -> Piece: ...
    def power(self, base: Piece, exponent: Piece) -> Piece: ...
    def root(self, piece: Piece) -> Piece: ...
    def symbol(self, glyph: Glyph) -> str: ...
    def entry(self, glyph: Glyph, indices: Sequence[str], units: bool, computed: bool = False) -> Piece: ...
    def lowered(self, glyph: Glyph, indices: Sequence[str], units: bool) -> str: ...
    def cases(self, rows: Sequence[tuple[Piece, Piece]], last: Piece) -> Piece: ...
    def derivative(self, above: str, below: Sequence[str]) -> Piece: ...
    def letters(self, written: Sequence[Glyph], conditions: Sequence[str] = ()) -> str: ...
    def conditions(self, stated: Sequence[str]) -> str: ...
    def ranged(self, head: str, ranges: Sequence[tuple[str, str, str]], stated: Sequence[str]) -> str: ...
    def float(self, digits: str, exponent: str) -> Piece: ...


def indexed(glyphs: Sequence[str], *, latex: bool, units: bool) -> str:
    """Indices side by side where each is one letter, else with commas between."""
    if units:
        return (" " if latex else "").join(glyphs)
    return (r",\, " if latex else ", ").join(glyphs)


def sum_of(terms: Sequence[tuple[bool, Piece]], style: Style) -> Piece:
    """Terms with their signs: a − b + c; a term that nothing may follow is enclosed unless it is the last."""
    minus, source = ("-" if style.is_latex else "−"), ""
    for place, (negative, term) in enumerate(terms):
        last = place == len(terms) - 1
        shown = style.paren(term) if term.level <= ADD or (term.open == NO_TERM and not last) else term
        sign = minus if negative else "+"
        if place:
            source += f"{AT_SUM} {sign} {shown.source}"
        else:
            source = (minus if negative else "") + shown.source
    tall = max(term.tall for _, term in terms)
    return Piece(source, ADD, terms[-1][1].open, tall)


def juxtaposed(pieces: Sequence[Piece], style: Style, *, tight: bool = False) -> Piece:
    """A product without a fraction: factors side by side (`tight`: as matrices stand), numbers told apart by a dot."""
    if not pieces:
        return Piece("1")
    if len(pieces) == 1:
        return pieces[0]
    shown = []
    for place, piece in enumerate(pieces):
        last = place == len(pieces) - 1
        loose = piece.level < MUL or (piece.level == MUL and not (piece.open and last)) or (piece.open and not last)
        shown.append(style.paren(piece) if loose else piece)
    source = shown[0].source
    for before, piece in pairwise(shown):
        apart = tight and not (WORD.search(before.source) or WORD.match(piece.source))
        source += AT_PRODUCT + _between(piece.source, style, apart) + piece.source
    return Piece(source, MUL, shown[-1].open, max(piece.tall for piece in shown))


def _between(following: str, style: Style, tight: bool) -> str:
    if following[0] in "0123456789":
        return r" \cdot " if style.is_latex else " · "
    if not style.is_latex:
        return " "
    tight = tight or following.startswith(
        ("(", r"\bigl", r"\Bigl", r"\biggl", r"\sum", r"\prod", r"\log", r"\exp", r"\tanh")
    )
    return " " if tight else r"\, "


@dataclass(frozen=True)
class TextStyle:
    """Unicode for a terminal."""

    is_latex: bool = False

    def form(self, row: Row) -> str:
        return row.text

    def symbol(self, glyph: Glyph) -> str:
        return glyph.in_text()

    def paren(self, piece: Piece) -> Piece:
        return Piece(f"({deeper(piece.source)})")

    def fence(self, row: FenceRow, piece: Piece) -> Piece:
        left, right = row.text.split(" ")
        return Piece(f"{left}{deeper(piece.source)}{right}")

    def product(self, above: Sequence[Piece], below: Sequence[Piece]) -> Piece:
        if not below:
            return juxtaposed(above, self)
        reaching = [piece for piece in above if piece.reaches]
        near = [piece for piece in above if not piece.reaches]
        divisor = juxtaposed(below, self)
        bare = divisor.level >= POW or (len(below) == 1 and divisor.level == MUL and divisor.open == NO_FACTOR)
        divisor = divisor if bare else self.paren(divisor)
        dividend = juxtaposed(near, self)
        dividend = self.paren(dividend) if dividend.level < MUL else dividend
        if not reaching:
            return Piece(f"{dividend.source}{AT_PRODUCT} / {divisor.source}", MUL, divisor.open)
        tight = dividend.level == divisor.level == ATOM
        fraction = Piece(
            f"({dividend.source}/{divisor.source})" if tight else f"({dividend.source} / {divisor.source})"
        )
        return juxtaposed([fraction, *reaching], self)

    def power(self, base: Piece, exponent: Piece) -> Piece:
        base = base if base.level == ATOM and not base.open else self.paren(base)
        if exponent.source.replace("−", "-").lstrip("-").isdigit():
            return Piece(base.source + exponent.source.replace("−", "-").translate(RAISED), POW)
        shown = exponent if exponent.level == ATOM else self.paren(exponent)
        return Piece(f"{base.source}^{unmarked(shown.source)}", POW)

    def root(self, piece: Piece) -> Piece:
        return Piece("√" + (piece if piece.level == ATOM else self.paren(piece)).source, POW)

    def entry(self, glyph: Glyph, indices: Sequence[str], units: bool, computed: bool = False) -> Piece:
        if not indices:
            return Piece(glyph.in_text())
        if computed or "_" in glyph.mark_text:
            inside = f",{deeper(AT_CONDITION)} ".join(indices)
            return Piece(f"{glyph.in_text()}[{inside}]")
        inside = indexed(indices, latex=False, units=units)
        return Piece(f"{glyph.in_text()}_{inside}" if units else f"{glyph.in_text()}_{{{inside}}}")

    def lowered(self, glyph: Glyph, indices: Sequence[str], units: bool) -> str:
        """A matrix's name and what stands below it: X_t, H_{t−1}."""
        inside = ("" if units else ",").join(indices)
        bare = (units and indices) or len(inside) == 1
        return glyph.in_text() + (f"_{inside}" if bare else f"_{{{inside}}}" if indices else "")

    def cases(self, rows: Sequence[tuple[Piece, Piece]], last: Piece) -> Piece:
        source = last.source
        for condition, value in reversed(rows):
            inside = (deeper(deeper(part)) for part in (condition.source, value.source, source))
            source = deeper(f"where({f',{AT_CONDITION} '.join(inside)})")
        return Piece(source)

    def derivative(self, above: str, below: Sequence[str]) -> Piece:
        order = "" if len(below) == 1 else str(len(below)).translate(RAISED)
        return Piece(f"∂{order}{above}/{''.join(f'∂{of}' for of in below)}", MUL)

    def letters(self, written: Sequence[Glyph], conditions: Sequence[str] = ()) -> str:
        units = all(g.single for g in written) and not conditions
        inside = indexed([g.in_text() for g in written], latex=False, units=units)
        inside += f" : {self._listed(conditions)}" if conditions else ""
        return f"_{inside}" if units else f"_{{{inside}}}"

    def conditions(self, stated: Sequence[str]) -> str:
        return f"_{{{self._listed(stated)}}}"

    def ranged(self, head: str, ranges: Sequence[tuple[str, str, str]], stated: Sequence[str]) -> str:
        inside = self._listed([f"{letter}={first}…{last.replace(' ', '')}" for letter, first, last in ranges])
        inside += f" : {self._listed(stated)}" if stated else ""
        return f"{head}_{{{inside}}}"

    def _listed(self, stated: Sequence[str]) -> str:
        return f",{AT_CONDITION} ".join(stated)

    def float(self, digits: str, exponent: str) -> Piece:
        if not exponent:
            return Piece(digits)
        power = "10" + exponent.translate(RAISED)
        return Piece(power, POW) if digits == "1" else Piece(f"{digits} · {power}", MUL)


@dataclass(frozen=True)
class LatexStyle:
    """LaTeX with amsmath. Delimiters have fixed sizes, so that a line may break between them."""

    is_latex: bool = True

    def form(self, row: Row) -> str:
        return row.latex

    def symbol(self, glyph: Glyph) -> str:
        return glyph.as_index()

    def paren(self, piece: Piece) -> Piece:
        return self._enclosed("(", ")", piece)

    def fence(self, row: FenceRow, piece: Piece) -> Piece:
        left, right = row.latex.split(" ")
        return replace(self._enclosed(left, right, piece), tall=max(piece.tall, 1))

    def _enclosed(self, left: str, right: str, piece: Piece) -> Piece:
        size = ("", r"\big", r"\Big", r"\bigg")[min(piece.tall, 3)]
        gap = " " if left[0] == "\\" else ""
        opening, closing = (f"{size}l{left}{gap}", f"{size}r{right}") if size else (left + gap, right)
        return Piece(f"{opening}{deeper(piece.source)}{closing}", tall=max(1, piece.tall))

    def product(self, above: Sequence[Piece], below: Sequence[Piece]) -> Piece:
        if not below:
            return juxtaposed(above, self)
        if all(piece.source.isdigit() for piece in below):
            return self._over_number(above, below)
        under = juxtaposed(below, self)
        if wide.too_wide(under.source):
            return self._times_inverse(above, under)
        divisor = unmarked(under.source)
        if len(above) == 1 and above[0].level == ADD and above[0].tall < 2 and _width(above[0]) < SHORT_SUM:
            return self._fraction(above[0].source, divisor)
        small = [p for p in above if not p.reaches and p.level > ADD and p.tall < 2 and _width(p) < SMALL]
        while wide.too_wide(juxtaposed(small, self).source):
            small.pop()
        rest = [p for p in above if p not in small]
        fraction = self._fraction(juxtaposed(small, self).source, divisor)
        return juxtaposed([fraction, *rest], self)

    def _times_inverse(self, above: Sequence[Piece], divisor: Piece) -> Piece:
        """What divides is too wide for a fraction: a power, before what reaches to the end."""
        inverse = self.power(self.paren(divisor), Piece("-1"))
        near = [piece for piece in above if not piece.reaches and piece.source != "1"]
        return juxtaposed([*near, inverse, *(piece for piece in above if piece.reaches)], self)

    def _over_number(self, above: Sequence[Piece], below: Sequence[Piece]) -> Piece:
        number = [piece for piece in above if piece.source.isdigit()]
        rest = [piece for piece in above if piece not in number]
        over = juxtaposed(number, self).source, juxtaposed(below, self).source
        if not rest:
            return self._fraction(*over)
        if max(piece.tall for piece in rest) > 1:
            return juxtaposed([self._fraction(*over), *rest], self)
        return juxtaposed([Piece(rf"\tfrac{{{unmarked(over[0])}}}{{{unmarked(over[1])}}}", tall=1), *rest], self)

    def _fraction(self, above: str, below: str) -> Piece:
        return Piece(rf"\frac{{{unmarked(above)}}}{{{unmarked(below)}}}", tall=2)

    def power(self, base: Piece, exponent: Piece) -> Piece:
        base = base if base.level == ATOM and not base.open else self.paren(base)
        return Piece(f"{base.source}^{braced(unmarked(exponent.source))}", POW, tall=base.tall)

    def root(self, piece: Piece) -> Piece:
        if wide.too_wide(piece.source):
            return self.power(self.paren(piece), Piece("1/2"))
        return Piece(rf"\sqrt{{{unmarked(piece.source)}}}", tall=max(1, piece.tall))

    def entry(self, glyph: Glyph, indices: Sequence[str], units: bool, computed: bool = False) -> Piece:
        below = f"_{braced(indexed(indices, latex=True, units=units))}" if indices else ""
        return Piece(glyph.as_tensor() + below, POW if glyph.mark else ATOM, tall=1 if glyph.mark else 0)

    def lowered(self, glyph: Glyph, indices: Sequence[str], units: bool) -> str:
        if not indices:
            return glyph.as_index()
        told = [f"{index} " if units and index.startswith("\\") else index for index in indices]
        inside = ",".join(filter(None, [glyph.mark, ("" if units else ",").join(told).strip()]))
        return f"{glyph.latex}_{braced(inside)}" + "'" * glyph.primes

    def cases(self, rows: Sequence[tuple[Piece, Piece]], last: Piece) -> Piece:
        written = wide.cases([(value.source, condition.source) for condition, value in rows], last.source)
        return Piece(written, MUL, NO_TERM, tall=3)

    def derivative(self, above: str, below: Sequence[str]) -> Piece:
        order = "" if len(below) == 1 else f"^{len(below)}"
        under = r"\, ".join(rf"\partial {of}" for of in below)
        return Piece(rf"\frac{{\partial{order} {above}}}{{{under}}}", tall=2)

    def letters(self, written: Sequence[Glyph], conditions: Sequence[str] = ()) -> str:
        listed = ",".join(g.as_index() for g in written)
        if len(written) == len(conditions) == 1 and latex_width(conditions[0]) < SHORT_CONDITION:
            return rf"_{{{listed}\,:\,{conditions[0]}}}"
        return self.conditions([listed, *conditions])

    def conditions(self, stated: Sequence[str]) -> str:
        rows = r" \\ ".join(stated)
        return f"_{{{rows}}}" if len(stated) == 1 else rf"\limits_{{\substack{{{rows}}}}}"  # also within fractions

    def ranged(self, head: str, ranges: Sequence[tuple[str, str, str]], stated: Sequence[str]) -> str:
        """A Σ for each letter; with conditions, or for a function such as max, everything below one."""
        if stated or not head.startswith((r"\sum", r"\prod")):
            rows = [rf"{first} \le {letter} \le {last}" for letter, first, last in ranges]
            return head + self.conditions([*rows, *stated])
        return r"\, ".join(rf"{head}_{{{letter}={first}}}^{{{last}}}" for letter, first, last in ranges)

    def float(self, digits: str, exponent: str) -> Piece:
        if not exponent:
            return Piece(digits)
        power = f"10^{braced(exponent)}"
        return Piece(power, POW) if digits == "1" else Piece(rf"{digits} \cdot {power}", MUL)


def _width(piece: Piece) -> float:
    return latex_width(unmarked(piece.source))


TEXT: Style = TextStyle()
LATEX: Style = LatexStyle()


def width_of(source: str, style: Style) -> float:
    """Columns in text, em in LaTeX."""
    return latex_width(source) if style.is_latex else text_width(source)
