"""Reductions: a body, and the letters it is summed, multiplied, … over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from sympy import Expr, exp, log
from sympy.core.basic import Basic
from sympy.printing.pretty.stringpict import prettyForm

from .errors import ShapeError, Unsupported
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
    def free_symbols(self) -> set[Basic]:
        return self.body.free_symbols - set(self.axes)

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


def _not_yet(name: str) -> Any:
    def refuse(axes: Any, body: Any) -> Expr:
        raise Unsupported(f"{name}: extrema over axes are not supported yet")

    refuse.__name__, refuse.__doc__ = name, f"{name} over axes: raises Unsupported for now."
    return refuse


max_over, min_over, argmax_over = (_not_yet(f"{kind}_over") for kind in ("max", "min", "argmax"))
