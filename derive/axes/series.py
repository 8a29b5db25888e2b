"""Power series, and those at 0 of the functions whose differences cancel there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import factorial
from typing import Any

from sympy import Function

Coefficients = tuple[Any, ...]  # fractions, or floats
MOST = 40  # coefficients of a series
ZERO, ONE = Fraction(0), Fraction(1)


class Series(Function):
    """c₀ + c₁x + c₂x² + …: arguments x and the coefficients."""

    is_real = True

    def _sympystr(self, printer: Any) -> str:
        return f"series({printer._print(self.args[0])}; {printer._print(self.args[1])}, …)"


@dataclass(frozen=True)
class Laurent:
    """xᵛ (c₀ + c₁x + …), c₀ ≠ 0, as far as it is known; 0 has no coefficients. `radius`: how far from 0 it serves."""

    order: int
    coefficients: Coefficients
    radius: Fraction

    @classmethod
    def of(cls, coefficients: Sequence[Fraction], radius: Fraction, order: int = 0) -> Laurent:
        """From any coefficients."""
        first = next((k for k, c in enumerate(coefficients) if c), None)
        return cls(0, (), radius) if first is None else cls(order + first, tuple(coefficients[first:]), radius)

    @classmethod
    def power(cls, order: int, most: int) -> Laurent:
        """xᵛ."""
        return cls(order, (1, *[0] * (most - 1)), ONE)

    def rounded(self) -> Laurent:
        """With floats for coefficients."""
        return Laurent(self.order, tuple(map(float, self.coefficients)), self.radius)

    def cut(self, most: int) -> Laurent:
        return Laurent(self.order, self.coefficients[:most], self.radius)

    def at(self, order: int) -> Fraction:
        """The coefficient of x to that order."""
        k = order - self.order
        return self.coefficients[k] if 0 <= k < len(self.coefficients) else ZERO

    def __add__(self, other: Laurent) -> Laurent:
        radius = min(self.radius, other.radius)
        if not self.coefficients or not other.coefficients:
            one = self if self.coefficients else other
            return Laurent(one.order, one.coefficients, radius)
        least = min(self.order, other.order)
        end = min(one.order + len(one.coefficients) for one in (self, other))
        return Laurent.of([self.at(k) + other.at(k) for k in range(least, end)], radius, least)

    def __mul__(self, other: Laurent) -> Laurent:
        a, b = self.coefficients, other.coefficients
        known = min(len(a), len(b))
        made: list[Any] = [0] * known
        for i, one in enumerate(a[:known]):
            for k, two in enumerate(b[: known - i] if one else ()):
                if two:
                    made[i + k] += one * two
        return Laurent.of(made, min(self.radius, other.radius), self.order + other.order)

    def scaled(self, by: Fraction) -> Laurent:
        return Laurent.of([by * c for c in self.coefficients], self.radius, self.order)

    def raised(self, power: Fraction) -> Laurent | None:
        """To a power, by Miller's recurrence; None where that has no such series."""
        if power == 1:
            return self
        whole = power.denominator == 1
        if not self.coefficients or (not whole and (self.order or self.coefficients[0] != 1)):
            return None
        a0 = self.coefficients[0]
        made: list[Any] = [a0 / a0]
        steps = {i: c / a0 for i, c in enumerate(self.coefficients) if c and i}
        for k in range(1, len(self.coefficients)):
            made.append(sum(((i * (power + 1) - k) * c * made[k - i] for i, c in steps.items() if i <= k), 0) / k)
        scale = a0 ** int(power) if whole else 1
        return Laurent.of([scale * c for c in made], self.radius, int(self.order * power))

    def inside(self, scale: Fraction, power: int) -> Laurent:
        """Of scale·xᵖ in place of x."""
        made: list[Any] = [0] * len(self.coefficients)
        for k, c in enumerate(self.coefficients):
            if (place := k * power) < len(made):
                made[place] = c * scale ** (k + self.order)
        reach = self.radius / abs(scale)
        return Laurent.of(made, reach if power == 1 else min(reach, ONE), self.order * power)


def _every(signs: tuple[int, ...], below: Callable[[int], int]) -> Coefficients:
    """signs[k mod 4]/below(k)."""
    return tuple(Fraction(signs[k % 4], below(k)) for k in range(MOST))


def _solved(slope: Callable[[list[Fraction]], Fraction]) -> Coefficients:
    """y with y(0) = 0, from what gives the next coefficient of y′ out of those of y."""
    made = [ZERO]
    while len(made) < MOST:
        made.append(slope(made) / len(made))
    return tuple(made)


def _of_tanh(y: list[Fraction]) -> Fraction:
    """y′ = 1 − y²."""
    k = len(y) - 1
    return Fraction(k == 0) - sum((y[i] * y[k - i] for i in range(k + 1)), ZERO)


def _of_asinh(y: list[Fraction]) -> Fraction:
    """(1 + x²) y″ = −x y′."""
    k = len(y)
    return ONE if k == 1 else -y[k - 2] * Fraction((k - 2) ** 2, k - 1)


TANH = _solved(_of_tanh)
SERIES: dict[str, Laurent] = {
    "exp": Laurent.of(_every((1, 1, 1, 1), factorial), ONE),
    "sin": Laurent.of(_every((0, 1, 0, -1), factorial), ONE),
    "cos": Laurent.of(_every((1, 0, -1, 0), factorial), ONE),
    "cosh": Laurent.of(_every((1, 0, 1, 0), factorial), ONE),
    "tanh": Laurent.of(TANH, Fraction(3, 5)),
    "logcosh": Laurent.of((ZERO, *(c / k for k, c in enumerate(TANH, 1))), Fraction(1, 2)),
    "sigmoid": Laurent.of((ONE / 2, *(c / 2 ** (k + 1) for k, c in enumerate(TANH) if k)), ONE),
    "log1p": Laurent.of((ZERO, *(Fraction((-1) ** (k + 1), k) for k in range(1, MOST))), Fraction(1, 4)),
    "atan": Laurent.of(_every((0, 1, 0, -1), lambda k: max(k, 1)), Fraction(2, 5)),
    "asinh": Laurent.of(_solved(_of_asinh), Fraction(2, 5)),
}
