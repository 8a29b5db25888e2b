"""A cost as text: polynomials, each function's below the other, or numbers side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sympy import Add, Expr, Mul, Pow
from sympy.printing.str import StrPrinter

from .shapes import ITEMSIZE
from .walk import Blocks, Height, Pads, Strips

if TYPE_CHECKING:
    from .cost import Cost, Work

WIDTH = 100
COLUMN = 18  # where the polynomials begin
ROWS = ("flops", "transcendental", "bytes moved", "bytes saved", "… of inputs")
LEGEND = {
    Blocks: "blocks(n, k): how many blocks a loop over n rows of k entries takes; 1 where n·k ≤ {block}",
    Strips: "strips(n): of 64 rows or fewer; reach(n, k), pairs(n, k): the columns, the places that they take",
    Height: "height(n, k): how many rows a strip has, of n rows of k entries",
    Pads: "pads(k): 1, but 0 for k = 0, where there is nothing to pad, or to add",
    ITEMSIZE: "itemsize: the bytes of a real, 8 for float64, 4 for float32",
}


def table(cost: Cost) -> str:
    """The text of a cost; `transcendental` are those of the flops that are exp, log, tanh, a power and the like."""
    parts = _numbers(cost) if cost.known else _polynomials(cost)
    return "\n".join((cost.name, "=" * len(cost.name), "", *parts))


def _lines(cost: Cost, name: str, work: Work) -> Mapping[str, Expr]:
    """The rows of one function; only forward saves."""
    found = {"flops": work.flops, "transcendental": work.transcendental, "bytes moved": work.moved}
    if name == "forward" and cost.backward is not None:
        found |= {"bytes saved": cost.saved, "… of inputs": cost.inputs}
    return found


def _polynomials(cost: Cost) -> Iterator[str]:
    for name, work in cost.works.items():
        yield name
        for label, expression in _lines(cost, name, work).items():
            if expression != 0 or label == "flops":
                yield from _wrapped(f"  {label}".ljust(COLUMN) + polynomial(expression))
        yield ""
    yield from _legend(cost)


def _legend(cost: Cost) -> Iterator[str]:
    """What the symbols are that are no sizes of the formula."""
    every = [e for name, work in cost.works.items() for e in _lines(cost, name, work).values()]
    for symbol, value in cost.where.items():
        yield from _wrapped(f"{symbol} = {Printer().doprint(value)}")
    for what, text in LEGEND.items():
        if any(e.has(what) for e in every):
            yield text.format(block=cost.block)


def _numbers(cost: Cost) -> Iterator[str]:
    columns = {name: _lines(cost, name, work) for name, work in cost.works.items()}
    width = max(16, *(len(f"{int(e):,}") + 2 for column in columns.values() for e in column.values()))
    yield " " * COLUMN + "".join(name.rjust(width) for name in columns)
    for label in ROWS:
        cells = [f"{int(column[label]):,}" if label in column else "" for column in columns.values()]
        if set(cells) - {"", "0"} or label == "flops":
            yield (label.ljust(COLUMN) + "".join(cell.rjust(width) for cell in cells)).rstrip()


def _wrapped(line: str) -> list[str]:
    """Lines that break between terms, never within an argument."""
    whole = line.replace(", ", ",\u00a0")
    lines = textwrap.wrap(whole, WIDTH, subsequent_indent=" " * COLUMN, break_long_words=False, break_on_hyphens=False)
    return [part.replace("\u00a0", " ") for part in lines]


def polynomial(expression: Expr) -> str:
    """The terms by falling degree; what is in reals, with `itemsize` before it."""
    reals = expression.coeff(ITEMSIZE)
    rest = expression - ITEMSIZE * reals
    parts = [_sum(rest.expand())] if rest.expand() != 0 else []
    if reals != 0:
        text = _sum(reals)
        parts.insert(0, f"itemsize·({text})" if reals.is_Add else f"{_sum(ITEMSIZE * reals)}")
    return " + ".join(parts).replace("+ −", "− ") or "0"


def _sum(expression: Expr) -> str:
    terms = sorted(
        Add.make_args(expression), key=lambda term: (-_degree(term), term.is_Number, Printer().doprint(_bare(term)))
    )
    texts = [Printer().doprint(term) for term in terms]
    return texts[0] + "".join(f" − {text[1:]}" if text.startswith("−") else f" + {text}" for text in texts[1:])


def _bare(term: Expr) -> Expr:
    """The term without its coefficient."""
    return term.as_coeff_Mul()[1]


def _degree(term: Expr) -> int:
    powers = [factor.as_base_exp() for factor in Mul.make_args(_bare(term))]
    return sum(int(exponent) for base, exponent in powers if base.is_Symbol and exponent.is_Integer)


class Printer(StrPrinter):
    """Products with dots, floors and quotients as they are written on paper."""

    def __init__(self) -> None:
        super().__init__({"order": "none"})

    def _print_Mul(self, term: Any) -> str:
        number, rest = term.as_coeff_Mul()
        factors = sorted(
            Mul.make_args(rest), key=lambda f: (isinstance(f, (Blocks, Height, Pads, Strips)), self._print(f))
        )
        above = [f for f in factors if not (f.is_Pow and f.exp.is_negative)]
        below = [Pow(f.base, -f.exp) for f in factors if f not in above]
        sign = "−" if number < 0 else ""
        count = [str(abs(number.p))] if abs(number.p) != 1 or not above else []
        top = "·".join([*count, *(self._factor(f) for f in above)])
        bottom = [*([str(number.q)] if number.q != 1 else []), *(self._factor(f) for f in below)]
        if len(bottom) > 1:
            return f"{sign}{top}/({'·'.join(bottom)})"
        return f"{sign}{top}/{bottom[0]}" if bottom else f"{sign}{top}"

    def _factor(self, factor: Any) -> str:
        text: str = self._print(factor)
        return f"({text})" if factor.is_Add else text

    def _print_Add(self, total: Any, order: Any = None) -> str:
        return _sum(total)

    def _print_Pow(self, power: Any, rational: bool = False) -> str:
        if power.exp.is_negative:
            return f"1/{self._factor(Pow(power.base, -power.exp))}"
        return f"{self._factor(power.base)}^{self._factor(power.exp)}"

    def _print_floor(self, node: Any) -> str:
        return f"⌊{self._print(node.args[0])}⌋"

    def _print_Max(self, node: Any) -> str:
        return f"max({', '.join(map(self._print, node.args))})"

    def _print_Min(self, node: Any) -> str:
        return f"min({', '.join(map(self._print, node.args))})"

    def _print_Blocks(self, node: Any) -> str:
        return f"blocks({', '.join(map(self._print, node.args))})"

    def _print_Strips(self, node: Any) -> str:
        return str(node._sympystr(self))

    def _print_Height(self, node: Any) -> str:
        return f"height({', '.join(map(self._print, node.args))})"

    def _print_Pads(self, node: Any) -> str:
        return f"pads({self._print(node.args[0])})"

    def _print_Integer(self, number: Any) -> str:
        return str(int(number)).replace("-", "−")
