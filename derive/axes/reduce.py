"""Reductions: a body, and the letters it is summed, multiplied, … over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from sympy import Expr, Integer, exp, log
from sympy.core.basic import Basic
from sympy.printing.pretty.stringpict import prettyForm

from .errors import ShapeError
from .index import Axis
from .tensor import scalar


class Reduction(Expr):
    """Arguments: the body, then the bound axes. The letters are bound: renaming them changes nothing."""

    is_commutative = True
    is_real = True
    name: ClassVar[str] = ""
    sign: ClassVar[str] = ""

    @property
    def body(self) -> Expr:
        return self.args[0]

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self.args[1:]

    @property
    def at(self) -> tuple[Basic, ...]:
        """Indices that stand outside of what is bound: those of a matrix function's entry."""
        return ()

    @property
    def free_symbols(self) -> set[Basic]:
        return self.body.free_symbols - set(self.axes)

    def rebound(self, body: Basic, axes: Iterable[Axis], at: Iterable[Basic] | None = None) -> Reduction:
        """The same reduction of another body over other letters, at other indices."""
        return self.func(body, *axes)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        letters = ", ".join(printer._print(a) for a in self.axes)
        written = rf"{self.sign}_{{{letters}}} \left({printer._print(self.body)}\right)"
        return rf"\left({written}\right)^{{{exp}}}" if exp else written

    def _pretty(self, printer: Any) -> Any:
        return prettyForm(str(self))

    def _sympystr(self, printer: Any) -> str:
        letters = ", ".join(a.name for a in self.axes)
        return f"{self.name}_over({letters if len(self.axes) == 1 else f'({letters})'}, {printer._print(self.body)})"


class SumOver(Reduction):
    """Σ over the axes."""

    name, sign = "sum", r"\sum"


class MeanOver(Reduction):
    """Σ over the axes, divided by their lengths."""

    name, sign = "mean", r"\operatorname{mean}"


class ProdOver(Reduction):
    """Π over the axes."""

    name, sign = "prod", r"\prod"


class MaxOver(Reduction):
    """The largest entry over the axes."""

    name, sign = "max", r"\max"


class MinOver(Reduction):
    """The smallest entry over the axes."""

    name, sign = "min", r"\min"


class ArgMaxOver(Reduction):
    """Where the first largest entry stands: its place along one of the axes, the last argument says which."""

    name, sign = "argmax", r"\operatorname{argmax}"
    is_integer = True
    is_nonnegative = True

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self.args[1:-1]

    @property
    def component(self) -> int:
        return int(self.args[-1])

    def rebound(self, body: Basic, axes: Iterable[Axis], at: Iterable[Basic] | None = None) -> Reduction:
        return self.func(body, *axes, self.args[-1])

    def integer_bound(self) -> Expr:
        return self.axes[self.component].size

    def _sympystr(self, printer: Any) -> str:
        written = super()._sympystr(printer)
        return written if len(self.axes) == 1 else f"{written}[{self.component}]"


class ArgMinOver(ArgMaxOver):
    """Where the first smallest entry stands."""

    name, sign = "argmin", r"\operatorname{argmin}"


def _reduction(kind: type[Reduction], over: Any, body: Any) -> Expr:
    letters: Iterable[Any] = over if isinstance(over, (tuple, list)) else (over,)
    letters = tuple(letters)
    for letter in letters:
        if not isinstance(letter, Axis):
            raise ShapeError(f"{kind.name}_over: expected an axis or a tuple of axes first, given {letter!r}")
    if not letters or len(set(letters)) < len(letters):
        raise ShapeError(f"{kind.name}_over: expected distinct axes, given {tuple(a.name for a in letters)}")
    return kind(scalar(body, f"{kind.name}_over"), *letters)


def sum_over(axes: Axis | Iterable[Axis], body: Any) -> Expr:
    """Σ_axes body."""
    return _reduction(SumOver, axes, body)


def mean_over(axes: Axis | Iterable[Axis], body: Any) -> Expr:
    """(1/N) Σ_axes body, N the product of the axes' lengths."""
    return _reduction(MeanOver, axes, body)


def prod_over(axes: Axis | Iterable[Axis], body: Any) -> Expr:
    """Π_axes body."""
    return _reduction(ProdOver, axes, body)


def logsumexp_over(axes: Axis | Iterable[Axis], body: Any) -> Expr:
    """log Σ_axes exp(body); code evaluates it shifted by the largest entry, so that it never overflows."""
    return log(_reduction(SumOver, axes, exp(scalar(body, "logsumexp_over"))))


def max_over(axes: Axis | Iterable[Axis], body: Any) -> Expr:
    """The largest body over the axes; its gradient goes to the first that is largest.

    `max_over(c, where(mask[b, c], x[b, c], -oo))` looks only where the mask holds.
    """
    return _reduction(MaxOver, axes, body)


def min_over(axes: Axis | Iterable[Axis], body: Any) -> Expr:
    """The smallest body over the axes; its gradient goes to the first that is smallest."""
    return _reduction(MinOver, axes, body)


def argmax_over(axes: Axis | Iterable[Axis], body: Any) -> Any:
    """Where the first largest body stands: an integer for one axis, a tuple of integers for several."""
    return _places(ArgMaxOver, axes, body)


def argmin_over(axes: Axis | Iterable[Axis], body: Any) -> Any:
    """Where the first smallest body stands: an integer for one axis, a tuple of integers for several."""
    return _places(ArgMinOver, axes, body)


def _places(kind: type[Reduction], over: Any, body: Any) -> Any:
    letters = _reduction(MaxOver, over, body).axes
    found = tuple(kind(scalar(body, f"{kind.name}_over"), *letters, Integer(k)) for k in range(len(letters)))
    return found if isinstance(over, (tuple, list)) else found[0]
