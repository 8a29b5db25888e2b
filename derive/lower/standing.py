"""Sums whose letter a loop gives: Σ_l δ(l, t + 1) w[l] f = w[t + 1] f at the step t, and no sum is left."""

from __future__ import annotations

from collections.abc import Collection

from sympy import Expr, Mul, expand
from sympy.core.basic import Basic

from derive.axes import Axis, Delta, Entry, PaddedEntry, SumOver, free_axes, in_range, mapped, rename


def standing(body: Basic, letters: Collection[Axis]) -> Basic:
    """The body, its sums over what is tied to the loops' letters written at their place."""

    def change(node: Basic) -> Basic | None:
        found = _placed(node, letters) if isinstance(node, SumOver) else None
        return None if found is None else standing(found, letters)

    return mapped(body, change)


def _placed(node: SumOver, letters: Collection[Axis]) -> Basic | None:
    """The sum without the first letter that a δ gives."""
    factors = _factors(node.body)
    for delta in (f for f in factors if isinstance(f, Delta)):
        form = expand(delta.args[0] - delta.args[1])
        for letter in node.axes:
            sign = form.coeff(letter, 1)
            value = expand(letter - sign * form) if sign in (1, -1) else letter
            if not free_axes(value) or not set(free_axes(value)) <= set(letters) - set(node.axes):
                continue
            rest = [f for f in factors if f is not delta]
            if not in_range(value, letter.size):
                padded = [_padded(f, letter) for f in rest]
                if padded == rest:
                    continue  # nothing is 0 where the place lies outside
                rest = padded
            whole = rename(Mul(*rest, evaluate=False) if len(rest) > 1 else rest[0], {letter: value})
            left = tuple(a for a in node.axes if a != letter)
            return SumOver(whole, *left) if left else whole
    return None


def _padded(factor: Expr, letter: Axis) -> Expr:
    """An entry at the letter, 0 beyond its tensor."""
    return PaddedEntry(*factor.args) if type(factor) is Entry and letter in factor.indices else factor


def _factors(body: Expr) -> list[Expr]:
    return [f for part in body.args for f in _factors(part)] if isinstance(body, Mul) else [body]


__all__ = ["standing"]
