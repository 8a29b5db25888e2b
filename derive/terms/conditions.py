"""Conditions in: a comparison or a mask becomes a product of tests, 1 where it holds and else 0."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from typing import Any

import sympy
from sympy import Expr
from sympy.core.basic import Basic
from sympy.core.relational import Relational

from derive.axes import (
    Axis,
    BoolEntry,
    Delta,
    Entry,
    PaddedBoolEntry,
    Tensor,
    Unsupported,
    Where,
    free_axes,
    proved,
    rename,
    whole,
)

from .apart import unequal
from .data import ZERO, Head, Poly
from .indices import Env, Indices, Ties


class Conditions(Indices, ABC):
    """Reads conditions, for a reader that knows expressions."""

    @abstractmethod
    def read(self, node: Basic, env: Env) -> Poly:
        """An expression as a poly."""

    @abstractmethod
    def spaces(self, tensor: Tensor) -> tuple[int, ...]:
        """The spaces of a tensor's axes."""

    def delta(self, node: Expr, env: Env) -> Poly:
        """δ(i, j) of two letters; of other integers, a window."""
        left, right = node.args
        if isinstance(left, Axis) and isinstance(right, Axis) and left.size == right.size:
            return self.algebra.atom(self.algebra.delta, (self.letter_of(left, env), self.letter_of(right, env)))
        return self.tied(left, right, env)

    def where(self, node: Expr, env: Env) -> Poly:
        """where(c, a, b) = [c] a + [¬c] b."""
        condition, then, otherwise = node.args
        if otherwise in (sympy.oo, -sympy.oo):
            raise Unsupported(f"{otherwise} as a value: it may stand only where max_over, min_over or exp leave it out")
        return self.algebra.add(
            self.algebra.mul(self.test(condition, env, True), self.read(then, env)),
            self.algebra.mul(self.test(condition, env, False), self.read(otherwise, env)),
        )

    def test(self, condition: Basic, env: Env, holds: bool) -> Poly:
        """[c] (or [¬c]) as a poly of disjoint products of tests."""
        algebra = self.algebra
        if condition in (sympy.true, sympy.false):
            return algebra.constant(int((condition == sympy.true) == holds))
        if isinstance(condition, sympy.Not):
            return self.test(condition.args[0], env, not holds)
        if isinstance(condition, (sympy.And, sympy.Or)):
            conjunction = isinstance(condition, sympy.And) == holds
            parts = [(self.test(a, env, holds), self.test(a, env, not holds)) for a in condition.args]
            if conjunction:
                return algebra.mul(*(yes for yes, _ in parts))
            total, none_before = ZERO, algebra.constant(1)
            for yes, no in parts:  # the first that holds: disjoint
                total = algebra.add(total, algebra.mul(none_before, yes))
                none_before = algebra.mul(none_before, no)
            return total
        if isinstance(condition, BoolEntry):
            return self._mask(condition, env, holds)
        if isinstance(condition, Relational):
            return self._relation(condition, env, holds)
        raise Unsupported(f"no law for the condition {condition}")

    def _mask(self, node: Any, env: Env, holds: bool) -> Poly:
        """[mask]; beyond the edge a padded mask is false."""
        pair, ties = self.tests(("mask", node.tensor), self.spaces(node.tensor), node.tensor), Ties()
        letters = self.indexed(node.tensor.axes, node.indices, env, ties)
        within = holds or isinstance(node, PaddedBoolEntry)
        found = self.algebra.poly([ties.raw({(pair[0 if within else 1].id, letters): 1})])
        return found if holds or not within else self._less_from_one(found)

    def _less_from_one(self, poly: Poly) -> Poly:
        return self.algebra.add(self.algebra.constant(1), self.algebra.scaled(poly, -1))

    def _unequal(self, poly: Poly) -> Poly:
        """[i ≠ j] of [i = j]: a condition of its own, for what it leaves out of a sum is not to be added first."""
        if len(poly) == 1 and poly[0][1] == 1 and not poly[0][0][1] and len(poly[0][0][0]) == 1:
            ((atom, _),) = poly[0][0][0]
            return self.algebra.poly([(1, {unequal(self.algebra, atom): 1}, frozenset())])
        return self._less_from_one(poly)

    def tests(self, key: Any, spaces: tuple[int, ...], payload: Any, **more: Any) -> tuple[Head, Head]:
        """The head of a condition and of its complement."""
        yes = self.algebra.head((key, True), "test", "yes", spaces, payload=payload, **more)
        no = self.algebra.head((key, False), "test", "no", spaces, payload=payload, **more)
        yes.opposite, no.opposite = no.id, yes.id
        return yes, no

    def _relation(self, node: Any, env: Env, holds: bool) -> Poly:
        algebra = self.algebra
        label, flip, negate = _RELATIONS[node.func]
        left, right = node.args[::-1] if flip else node.args
        known = proved(left, right) if label == "gt" else None
        if known is not None:  # from the ranges of letters
            return algebra.constant(int(known == (holds != negate)))
        if whole(left) and whole(right) and label == "eq" and (free_axes(left) or free_axes(right)):
            same = self.tied(left, right, env)
            return same if holds != negate else self._unequal(same)
        if label == "eq" and isinstance(left, Axis) and isinstance(right, Axis) and left.size == right.size:
            same = self.delta(Delta(left, right), env)
            return same if holds != negate else self._unequal(same)
        sides = tuple(self.flat(self.read(side, env)) for side in (left, right))
        if label == "gt":
            sides = self._balanced(*sides)
            if not any(sides):
                return algebra.constant(int(holds == negate))
        bodies, letters = algebra.closed_over(sides)
        slots = tuple(sorted({a for p in bodies for a in algebra.free(p)}))
        spaces = tuple(algebra.letter_space[s] for s in slots)
        seen = "flipped" if flip else ""
        yes, no = self.tests((label, bodies), spaces, label, args=bodies, slots=slots, of=seen)
        return algebra.atom(yes if holds != negate else no, letters)

    def _balanced(self, left: Poly, right: Poly) -> tuple[Poly, Poly]:
        """0.9 u > −0.1 u as u > 0: what stands on both sides on one, where that is shorter."""
        algebra = self.algebra
        difference = algebra.add(left, algebra.scaled(right, -1))
        if len(difference) == len(left) + len(right):
            return left, right
        content = abs(algebra.content(difference)) if difference else Fraction(1)
        difference = algebra.scaled(difference, 1 / content)
        less = algebra.scaled(tuple(term for term in difference if term[1] < 0), -1)
        return tuple(term for term in difference if term[1] > 0), less


def masked(node: Basic, low: bool) -> tuple[Basic | None, Basic]:
    """(condition, value) of where(condition, value, −∞), also within a sum or a named mask; else (None, the node)."""
    hidden = -sympy.oo if low else sympy.oo
    if isinstance(node, Entry) and node.tensor.body is not None and hides(node.tensor.body):
        return masked(rename(node.tensor.body, dict(zip(node.tensor.axes, node.indices, strict=True))), low)
    if isinstance(node, Where) and node.args[2] == hidden:
        return node.args[0], node.args[1]
    if isinstance(node, sympy.Add):
        found = [masked(term, low) for term in node.args]
        conditions = [c for c, _ in found if c is not None]
        if conditions:
            rest = sympy.Add(*(v for _, v in found), evaluate=False)
            return (conditions[0] if len(conditions) == 1 else sympy.And(*conditions, evaluate=False)), rest
    return None, node


def hides(node: Basic) -> bool:
    """Whether an expression is −∞ or ∞ somewhere: a mask, to be read where it is used."""
    return (
        (isinstance(node, Where) and node.args[2] in (sympy.oo, -sympy.oo))
        or (isinstance(node, sympy.Add) and any(hides(a) for a in node.args))
        or (isinstance(node, Entry) and node.tensor.body is not None and hides(node.tensor.body))
    )


# Relations as gt or eq: (label, sides exchanged, negated). a < b is b > a; a ≥ b is not b > a.
_RELATIONS: dict[Any, tuple[str, bool, bool]] = {
    sympy.StrictGreaterThan: ("gt", False, False),
    sympy.StrictLessThan: ("gt", True, False),
    sympy.GreaterThan: ("gt", True, True),
    sympy.LessThan: ("gt", False, True),
    sympy.Eq: ("eq", False, False),
    sympy.Ne: ("eq", False, True),
}
