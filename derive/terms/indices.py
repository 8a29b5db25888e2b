"""Indices in: a letter stays, any other integer expression becomes a fresh letter and a window that ties it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from sympy import Add, Expr, Integer, Mod, cancel, expand, floor, fraction, together

from derive.axes import ArgMaxOver, Axis, Entry, Tensor, Unsupported, free_axes, nonnegative, settled

from .data import Factors, Head, Letter, Poly, Raw
from .powers import Powers
from .windows import PLAIN, Part, window

Env = Mapping[Axis, Letter]


@dataclass
class Ties:
    """The windows that the indices of one entry bring, and the letters that are summed with them."""

    windows: list[Any] = field(default_factory=list)
    bound: set[Letter] = field(default_factory=set)
    quotients: dict[tuple[Expr, Expr], tuple[Letter, Letter]] = field(default_factory=dict)

    def raw(self, factors: Factors) -> Raw:
        """Σ over the letters of windows · factors; a window that cannot hold makes it zero."""
        if False in self.windows:
            return 0, {}, frozenset()
        return 1, {**factors, **{w: 1 for w in self.windows if w is not True}}, frozenset(self.bound)


class Indices(Powers, ABC):
    """Reads integer expressions, for a reader that knows tensors, lengths and reductions."""

    @abstractmethod
    def tensor(self, tensor: Tensor) -> Head:
        """The head of a tensor."""

    @abstractmethod
    def measure(self, axis: Axis) -> int:
        """Make the length of an axis known."""

    @abstractmethod
    def extremum(self, node: Any, env: Env) -> Poly:
        """A maximum or minimum, or where it stands."""

    def indexed(self, axes: Iterable[Axis], indices: Iterable[Expr], env: Env, ties: Ties) -> tuple[Letter, ...]:
        """A letter for each index; the ties say which windows they satisfy."""
        return tuple(self._at(axis, index, env, ties) for axis, index in zip(axes, indices, strict=True))

    def _at(self, axis: Axis, index: Expr, env: Env, ties: Ties) -> Letter:
        if isinstance(index, Axis) and index.size == axis.size:
            return self.letter_of(index, env)
        self.measure(axis)
        letter = self.algebra.fresh(self.algebra.letter(axis))
        self.algebra.beside |= {frozenset(pair) for pair in combinations(free_axes(index), 2)}
        parts, constant = self.form(index, env, ties)
        ties.windows.append(window(self.algebra, [(Integer(1), PLAIN, (letter,)), *_negated(parts)], -constant))
        ties.bound.add(letter)
        return letter

    def letter_of(self, index: Axis, env: Env) -> Letter:
        """The letter of an axis in scope."""
        self.measure(index)
        return env[index] if index in env else self.algebra.letter(index)

    def tied(self, left: Expr, right: Expr, env: Env) -> Poly:
        """W(left = right)."""
        ties = Ties()
        (one, first), (two, second) = self.form(left, env, ties), self.form(right, env, ties)
        ties.windows.append(window(self.algebra, [*one, *_negated(two)], expand(first - second)))
        return self.algebra.poly([ties.raw({})])

    def form(self, index: Expr, env: Env, ties: Ties) -> tuple[list[Part], Expr]:
        """Σ coefficient · integer + constant."""
        index = settled(index)
        parts: list[Part] = []
        constant: Expr = Integer(0)
        for term in Add.make_args(index):
            inner = [f for f in term.as_ordered_factors() if _is_integer_atom(f)]
            if not inner:
                constant += term
                continue
            coefficient = term / inner[0]
            if len(inner) > 1 or free_axes(coefficient):
                raise Unsupported(f"index {index}: {term} is not a letter or an integer times sizes")
            parts.append((coefficient, *self._integer(inner[0], env, ties)))
        return parts, expand(constant)

    def _integer(self, atom: Expr, env: Env, ties: Ties) -> tuple[int, tuple[Letter, ...]]:
        if isinstance(atom, Axis):
            return PLAIN, (self.letter_of(atom, env),)
        if isinstance(atom, Entry):
            return self.tensor(atom.tensor).id, self.indexed(atom.tensor.axes, atom.indices, env, ties)
        if isinstance(atom, ArgMaxOver):
            (((factors, _), _),) = self.extremum(atom, env)
            ((found, _),) = factors
            return found[0], found[1]
        numerator, divisor = fraction(together(atom.args[0])) if isinstance(atom, floor) else atom.args
        if isinstance(atom, floor) and not nonnegative(numerator):
            raise Unsupported(f"{atom}: {numerator} may be negative; add a multiple of {divisor} first")
        quotient, rest = self._divided(numerator, divisor, env, ties)
        return PLAIN, (quotient if isinstance(atom, floor) else rest,)

    def _divided(self, dividend: Expr, divisor: Expr, env: Env, ties: Ties) -> tuple[Letter, Letter]:
        """e = m·q + r with 0 ≤ r < m: the letters q and r."""
        if (dividend, divisor) in ties.quotients:
            return ties.quotients[dividend, divisor]
        if not nonnegative(divisor - 1):
            raise Unsupported(f"division of {dividend} by {divisor}, which is not provably positive")
        shift = Integer(0)
        if not nonnegative(dividend):
            least = end_of(dividend, least=True)
            shift = expand(-least)  # e + m·shift ≥ 0, since m ≥ 1
        largest = expand(end_of(dividend, least=False) + divisor * shift)
        whole = cancel((largest + 1) / divisor)
        count = expand(whole) if fraction(whole)[1] == 1 else floor(largest / divisor) + 1
        quotient, rest = (self._made(name, size) for name, size in (("q", count), ("r", divisor)))
        parts, constant = self.form(dividend, env, ties)
        equation = [*parts, (-divisor, PLAIN, (quotient,)), (Integer(-1), PLAIN, (rest,))]
        ties.windows.append(window(self.algebra, equation, expand(constant + divisor * shift)))
        ties.bound |= {quotient, rest}
        ties.quotients[dividend, divisor] = quotient, rest
        return quotient, rest

    def _made(self, name: str, size: Expr) -> Letter:
        """A fresh letter of a length."""
        axis = next(iter(self.algebra.axes_of.get(self.algebra.space(size), ())), None) or Axis(name, size)
        self.measure(axis)
        return self.algebra.fresh(self.algebra.letter(axis))


def _is_integer_atom(node: Expr) -> bool:
    """A letter, an integer entry, the place of a maximum; a quotient or remainder of letters."""
    if isinstance(node, (Axis, Entry, ArgMaxOver)):
        return True
    return isinstance(node, (floor, Mod)) and bool(node.atoms(Axis, Entry))


def _negated(parts: Iterable[Part]) -> list[Part]:
    return [(-c, head, letters) for c, head, letters in parts]


def end_of(index: Expr, *, least: bool) -> Expr:
    """The least or largest value of an affine form in letters, by the signs of their coefficients."""
    index = expand(index)
    for letter in index.atoms(Axis):
        coefficient = index.coeff(letter, 1)
        rising = nonnegative(coefficient)
        if index.has(floor, Mod) or not (rising or nonnegative(-coefficient)):
            raise Unsupported(f"floor and mod of {index}: the sign of {coefficient} is not known")
        index = expand(index.xreplace({letter: Integer(0) if rising == least else letter.size - 1}))
    return index


__all__ = ["Env", "Indices", "Ties", "end_of"]
