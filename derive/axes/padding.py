"""Reading a tensor beyond its edges: zeros, a constant, or the tensor itself mirrored, repeated or wrapped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sympy import Add, Expr, GreaterThan, Integer, Mul, StrictLessThan, sympify
from sympy.core.relational import Relational
from sympy.logic.boolalg import And

from .errors import DeriveError, ShapeError
from .functions import Delta, Where
from .index import Axis, fresh_letter
from .ranges import in_range
from .reduce import SumOver
from .scope import free_axes
from .tensor import Entry, Tensor, entry

MODES = ("constant", "reflect", "replicate", "circular")


@dataclass(frozen=True)
class At:
    """A tensor at its first letters, indexed by the others."""

    tensor: Tensor
    leading: tuple[Expr, ...]

    def __getitem__(self, indices: Any) -> Any:
        return entry(self.tensor, *self.leading, *_several(indices))


def _several(indices: Any) -> tuple[Any, ...]:
    given = indices if isinstance(indices, tuple) else (indices,)
    return () if given == ((),) else given


@dataclass(frozen=True)
class Padded:
    """`padded(x)[…]`: the entry where every index lies within the tensor; `value` or what `mode` says outside."""

    tensor: Tensor
    value: Expr
    mode: str
    leading: tuple[Expr, ...] = ()

    def __getitem__(self, indices: Any) -> Any:
        given = (*self.leading, *_several(indices))
        if self.mode != "constant":
            return self._mapped(given)
        inside = entry(self.tensor, *given, padded=True)
        if self.value == 0 or type(inside) in (Entry,):
            return inside
        tests: list[Relational] = []
        for axis, index in zip(self.tensor.axes, inside.indices, strict=True):
            if index is not axis and not in_range(index, axis.size):
                tests += [GreaterThan(index, 0, evaluate=False), StrictLessThan(index, axis.size, evaluate=False)]
        return Where(And(*tests, evaluate=False), inside, self.value)

    def _mapped(self, given: tuple[Any, ...]) -> Expr:
        """Σ_y [y is where index i falls] x[y], for every index that may fall outside."""
        inside = entry(self.tensor, *given, padded=True)
        taken = {a.name for a in free_axes(inside)}
        places, letters, factors = [], [], []
        for axis, index in zip(self.tensor.axes, inside.indices, strict=True):
            if isinstance(index, Axis) or in_range(index, axis.size):
                places.append(index)
                continue
            letter = axis if axis.name not in taken else fresh_letter(axis, taken)
            taken.add(letter.name)
            letters.append(letter)
            places.append(letter)
            factors.append(_FOLDED[self.mode](letter, index))
        if not letters:
            return entry(self.tensor, *places)
        return SumOver(Mul(*factors, entry(self.tensor, *places), evaluate=False), *letters)


def _outside(index: Expr, letter: Axis, before: Expr, after: Expr) -> Expr:
    """[letter = before] left of the tensor, [letter = after] right of it, [letter = index] within."""
    within = Where(StrictLessThan(letter.size - 1, index, evaluate=False), Delta(letter, after), Delta(letter, index))
    return Where(StrictLessThan(index, 0, evaluate=False), Delta(letter, before), within)


_FOLDED: dict[str, Any] = {
    "reflect": lambda y, i: _outside(i, y, -i, 2 * (y.size - 1) - i),
    "replicate": lambda y, i: _outside(i, y, Integer(0), y.size - 1),
    "circular": lambda y, i: Add(Delta(y, i), Delta(y, i + y.size), Delta(y, i - y.size), evaluate=False),
}


def padded(x: Tensor | At, value: Any = 0, *, mode: str = "constant") -> Padded:
    """`padded(x)[n, c, s*h + r - p]` reads x where the index lies within it, else `value` (0).

    mode: "constant", or "reflect" (mirrored without the edge), "replicate" (the edge repeated), "circular" (wrapped):
    these reach one tensor length beyond the edge. In `max_over`, `padded(x, -oo)` looks only within the tensor.
    """
    x, leading = (x.tensor, x.leading) if isinstance(x, At) else (x, ())
    if not isinstance(x, Tensor):
        raise ShapeError(f"padded: expected a tensor, as in padded(x)[…], given {x}")
    if mode not in MODES:
        raise DeriveError(f"padded: mode is one of {', '.join(MODES)}, given {mode!r}")
    try:
        return Padded(x, sympify(value, strict=True), mode, leading)
    except (TypeError, ValueError) as problem:
        raise DeriveError(f"padded: expected a scalar outside {x.name}, given {value!r}") from problem
