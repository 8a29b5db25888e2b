"""Conditions, indicators and cases: comparisons of numbers, and of whole numbers whatever the start of indices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sympy import Eq, Expr, Integer, Ne, oo
from sympy.core.basic import Basic
from sympy.core.relational import Ge, Gt, Le, Lt
from sympy.logic.boolalg import And, Not, Or

from derive.axes import BoolEntry, Where, free_axes

from . import products
from .errors import LatexError
from .letters import Letters, parts_of, plain
from .tree import At, Cases, Constant, Indicator, Logic, Minus, Name, Node, Relation
from .values import Value, add, negative

RELATIONS: dict[str, Any] = {"=": Eq, "!=": Ne, "<": Lt, ">": Gt, "<=": Le, ">=": Ge}


class Conditions:
    """The part of a meaning that decides."""

    letters: Letters

    def value(self, node: Node) -> Value:
        """What a tree is worth."""
        raise NotImplementedError

    def real(self, value: Value, node: Node) -> Expr:
        """A value as a number."""
        raise NotImplementedError

    def condition(self, node: Node) -> tuple[Basic, Value]:
        """A condition, and a value with its axes."""
        if isinstance(node, Logic) and node.word == "not":
            inner, shape = self.condition(node.items[0])
            return Not(inner, evaluate=False), shape
        if isinstance(node, Logic):
            parts = [self.condition(one) for one in node.items]
            if any(value.rank for _, value in parts):
                raise LatexError("conditions joined by 'and' or 'or' must be about numbers", node.column)
            return (And if node.word == "and" else Or)(*[part for part, _ in parts], evaluate=False), parts[0][1]
        if isinstance(node, (Name, At)):
            mask = self.value(node)
            if isinstance(mask.body, BoolEntry):
                return mask.body, mask
        if not isinstance(node, Relation):
            raise LatexError("expected a condition, as in x > 0", node.column)
        found: list[Basic] = []
        shape = Value(Integer(0))
        for left, sign, right in zip(node.items, node.signs, node.items[1:], strict=False):
            if sign == "in":
                raise LatexError("the set behind \\in is not declared: declare it as a mask, as in where='S: n mask', "
                                 "or write the range of the letter", node.column)  # fmt: skip
            if sign not in RELATIONS:
                raise LatexError(f"{sign} is no condition that is read here", node.column)
            one, two = products.together(self.value(left), self.value(right), sign, node.column, entrywise=True)
            shape = one
            found.append(RELATIONS[sign](*self.compared(one, two, left), evaluate=False))
        if len(found) > 1 and shape.rank:
            raise LatexError("a chain of comparisons must be about numbers", node.column)
        return (And(*found, evaluate=False) if len(found) > 1 else found[0]), shape

    def compared(self, left: Value, right: Value, node: Node) -> tuple[Expr, Expr]:
        """Both sides; whole numbers are counted from the first index, so that the start of indices cancels."""
        other = right.over(left.axes)
        if left.whole and right.whole:
            lettered = [
                bool(free_axes(v.body)) or (v.body.atoms(type(v.body)) and _is_label(v.body)) for v in (left, right)
            ]
            if any(lettered) and not all(lettered):
                self.real(replace(left, body=add(left.body, negative(other))), node)
            start = self.letters.start
            return plain(left.body - start), plain(other - start)
        return self.real(left, node), self.real(replace(right, body=other), node)

    def of_indicator(self, node: Indicator) -> Value:
        condition, shape = self.condition(node.condition)
        return Value(Where(condition, Integer(1), Integer(0)), shape.axes, shape.turn)

    def of_cases(self, node: Cases) -> Value:
        otherwise: Value | None = None
        for value, condition in reversed(node.rows):
            here = self.row(value, condition)
            if condition is None:
                otherwise = here
                continue
            test, shape = self.condition(condition)
            if shape.rank:
                raise LatexError("the conditions of cases must be about numbers: write entries", condition.column)
            if otherwise is None:
                self.covers(node)
                otherwise = here
                continue
            here, otherwise = products.together(here, otherwise, "in cases beside", value.column, entrywise=True)
            body = Where(
                test, self.real(here, value), self.real(replace(otherwise, body=otherwise.over(here.axes)), value)
            )
            otherwise = Value(body, here.axes, here.turn)
        assert otherwise is not None
        return otherwise

    def row(self, node: Node, condition: Node | None) -> Value:
        """A value in cases, which alone may be infinite: a mask before softmax is 0 or −∞."""
        body = node.body if isinstance(node, Minus) else node
        if isinstance(body, Constant) and body.name == "infinity":
            return Value(-oo if isinstance(node, Minus) else oo, literal=True)
        guards = len(self.letters.guards)
        self.letters.guards += parts_of(self.condition(condition)[0]) if condition is not None else []
        found = self.value(node)
        del self.letters.guards[guards:]
        return found

    def covers(self, node: Cases) -> None:
        """The last two conditions are each other's opposite: x ≥ 0 and x < 0."""
        if len(node.rows) == 1:
            raise LatexError("cases with one row: say what holds \\text{otherwise}", node.column)
        last = [row[1] for row in node.rows[-2:]]
        if all(isinstance(one, Relation) and len(one.signs) == 1 for one in last):
            (first, _), (second, _) = (self.condition(one) for one in last if one is not None)
            if second == first.negated or second == first.negated.reversed:
                return
        raise LatexError("cases must cover everything: let the last row be \\text{otherwise}", node.column)


def _is_label(body: Expr) -> bool:
    return any(hasattr(part, "integer_bound") for part in (body, *body.args))
