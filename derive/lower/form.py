"""Affine forms: an integer expression as a sum of letters with coefficients of known sign, and a rest.

`s*h + d*r - p` has the parts (h, s), (r, d) and the constant −p. What is no letter but depends on letters or data, an
entry of integers, a maximiser, a floor, is opaque: it stands as it is, and its letters are inner ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from sympy import Add, Expr, Integer, Max, Mul, expand

from derive.axes import Axis, Tensor, free_axes, nonnegative


@dataclass(frozen=True)
class Form:
    """Σ coefficient · letter + constant + Σ opaque."""

    expression: Expr
    parts: tuple[tuple[Axis, Expr], ...]
    constant: Expr
    opaque: tuple[Expr, ...]

    @staticmethod
    def of(expression: Any) -> Form:
        """The form of an integer expression."""
        return _form(expression if _flat(expression) else expand(expression))

    @staticmethod
    def _made(expression: Any) -> Form:
        parts: dict[Axis, Expr] = {}
        constant: list[Expr] = []
        opaque: list[Expr] = []
        for term in Add.make_args(expression):
            letters = [a for a in term.args if isinstance(a, Axis)] if term.is_Mul else [term]
            if not term.has(Axis, Tensor):
                constant.append(term)
                continue
            letter = letters[0] if len(letters) == 1 else None
            factor = Integer(1) if term is letter or letter is None else term / letter
            if isinstance(letter, Axis) and not factor.has(Axis, Tensor):
                parts[letter] = parts.get(letter, Integer(0)) + factor
            else:
                opaque.append(term)
        return Form(expression, tuple(parts.items()), Add(*constant), tuple(opaque))

    @cached_property
    def inner(self) -> frozenset[Axis]:
        """The letters on which opaque terms depend."""
        return frozenset(a for term in self.opaque for a in free_axes(term))

    @cached_property
    def letters(self) -> frozenset[Axis]:
        return self.inner | {letter for letter, _ in self.parts}

    @property
    def affine(self) -> bool:
        """Whether it is affine, each coefficient of known sign."""
        return not self.opaque and all(sign(c) for _, c in self.parts)

    def solvable(self, letter: Axis) -> bool:
        """Whether `form = 0` says what the letter is: it has coefficient ±1, and opaque terms do not depend on it."""
        return letter not in self.inner and any(a == letter and abs(c) == 1 for a, c in self.parts)

    def solved(self, letter: Axis) -> Expr:
        """What the letter is where the form is 0."""
        coefficient = dict(self.parts)[letter]  # 1 or −1
        term = coefficient * letter
        return Add(*(-coefficient * other for other in Add.make_args(self.expression) if other != term))

    @cached_property
    def lone(self) -> tuple[Axis, ...]:
        """Letters whose sign no other term has: y in y − s·h − d·r + p, the place that a window is read at."""
        signs = [(letter, sign(c)) for letter, c in self.parts]
        others = [sign(term.as_coeff_Mul()[0]) for term in self.opaque]
        every = [s for _, s in signs] + others
        if 0 in every:
            return ()
        return tuple(letter for letter, s in signs if every.count(s) == 1)


@lru_cache(maxsize=4096)
def _form(expression: Expr) -> Form:
    return Form._made(expression)


def _flat(expression: Any) -> bool:
    """Whether an expression is multiplied out, as integer expressions are where they are written; SymPy takes long."""
    factors = (f for term in Add.make_args(expression) for f in Mul.make_args(term))
    return not any(f.is_Add or (f.is_Pow and not f.base.is_Symbol) for f in factors)


@lru_cache(maxsize=4096)
def sign(coefficient: Expr) -> int:
    """1 or −1 where the coefficient is provably above or below zero, else 0."""
    if coefficient.is_positive or nonnegative(coefficient - 1):
        return 1
    if coefficient.is_negative or nonnegative(-coefficient - 1):
        return -1
    return 0


def radix(form: Form, size: Expr) -> tuple[Axis, ...]:
    """The letters of J·i + j, the slowest first, if it counts through all places of an axis of length I·J; else ()."""
    rest, step = dict(form.parts), Integer(1)
    order: list[Axis] = []
    if form.opaque or form.constant != 0 or len(rest) < 2:
        return ()
    while rest:
        letter = next((a for a, c in rest.items() if c == step), None)
        if letter is None:
            return ()
        del rest[letter]
        order.insert(0, letter)
        step = expand(step * letter.size)
    return tuple(order) if step == size or expand(step - size) == 0 else ()


def positive_part(amount: Expr) -> Expr:
    """max(0, amount), without the maximum where the sign is known."""
    if nonnegative(-amount):
        return Integer(0)
    return amount if nonnegative(amount) else Max(Integer(0), amount, evaluate=False)
