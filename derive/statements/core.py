"""A statement about training: its conditions, and the recorded steps that lead to it, each of which is checked.

Steps are equations between expressions: `before` equals `after` wherever the conditions hold. Where a solver of SymPy
takes a step (rsolve, dsolve, solve), its answer is put into what was to be solved, and that must come out as zero.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy
from sympy import Expr, Function, Symbol

from derive.axes import DeriveError
from derive.steps import Step

POINTS = 10  # random points at which every step is evaluated
CLOSE = 1e-9
Ranges = Mapping[Any, tuple[float, float]]


class Unproved(DeriveError):
    """A step of a statement does not hold."""


@dataclass(frozen=True)
class Statement:
    """`claim` is an equation or a bound; it holds under `conditions`. `results` are its parts by name, as expressions.

    A claim that is a choice (`chosen`), Var w = 2/n, says what to take, and is no fact about every w.
    `ranges` says where the symbols may lie when the steps are checked: from, to; whole numbers where the symbol is one.
    """

    name: str
    claim: Any
    conditions: tuple[Any, ...]
    steps: tuple[Step, ...]
    results: Mapping[str, Any]
    ranges: Ranges
    source: str = ""
    chosen: bool = False

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def latex(self) -> str:
        """The claim, its conditions and the steps."""
        signs = {True: r"&\Leftrightarrow", False: "&="}
        rows = [
            f"{sympy.latex(s.before)} {signs[isinstance(s.before, sympy.core.relational.Relational)]} "
            rf"{sympy.latex(s.after)} && \text{{{s.law}}}"
            for s in self.steps
        ]
        given = ", ".join(sympy.latex(c) for c in self.conditions)
        body = "\\\\\n".join(rows)
        return f"{sympy.latex(self.claim)} \\qquad ({given})\n\\begin{{align*}}\n{body}\n\\end{{align*}}"

    def _repr_latex_(self) -> str:
        given = ", ".join(sympy.latex(c) for c in self.conditions)
        return rf"$\displaystyle {sympy.latex(self.claim)} \qquad \left({given}\right)$"

    def verify(self, points: int = POINTS, seed: int = 0) -> None:
        """Evaluates every step at random points where the conditions hold; raises Unproved at the first that fails."""
        rng = random.Random(seed)
        for _ in range(points):
            point = self._point(rng)
            for step in self.steps:
                self._check(step, point)
            fact = isinstance(self.claim, sympy.core.relational.Relational) and not self.chosen
            if fact and not _holds(self.claim, point):
                raise Unproved(f"{self.name}: {self.claim} is false at {point}")

    def _check(self, step: Step, point: Mapping[Any, Any]) -> None:
        if isinstance(step.before, sympy.core.relational.Relational):
            if _holds(step.before, point) != _holds(step.after, point):
                raise Unproved(f"{self.name}: {step.law}: {step.before} and {step.after} differ at {point}")
            return
        one, two = (_number(side, point) for side in (step.before, step.after))
        if abs(one - two) > CLOSE * (1 + abs(one)):
            raise Unproved(f"{self.name}: {step.law}: {step.before} is {one} and {step.after} is {two} at {point}")

    def _point(self, rng: random.Random) -> dict[Any, Any]:
        """Numbers for all symbols that meet the conditions."""
        for _ in range(10_000):
            point = {s: _drawn(rng, s, ends) for s, ends in self.ranges.items()}
            if all(_holds(c, point) for c in self.conditions):
                return point
        raise Unproved(f"{self.name}: found no point where {self.conditions} hold")


def _lines(statement: Statement) -> Iterator[str]:
    yield f"{statement.name}: {statement.claim}"
    if statement.conditions:
        yield f"  where {', '.join(map(str, statement.conditions))}"
    for step in statement.steps:
        yield f"  {step.before}"
        sign = "⇔" if isinstance(step.before, sympy.core.relational.Relational) else "="
        yield f"    {sign} {step.after}    [{step.law}{': ' if step.why else ''}{step.why}]"


def _drawn(rng: random.Random, symbol: Any, ends: tuple[float, float]) -> Any:
    if isinstance(symbol, sympy.MatrixSymbol):
        return sympy.ImmutableMatrix(*symbol.shape, lambda i, k: sympy.Float(rng.uniform(*ends), 30))
    if getattr(symbol, "is_integer", False):
        return sympy.Integer(rng.randint(int(ends[0]), int(ends[1])))
    return sympy.Float(rng.uniform(*ends), 30)


def _number(expression: Any, point: Mapping[Any, Any]) -> complex:
    return complex(sympy.sympify(expression, strict=True).subs(point).doit().evalf(30))


def _holds(relation: Any, point: Mapping[Any, Any]) -> bool:
    if relation in (sympy.true, sympy.false):
        return bool(relation)
    one, two = _number(relation.lhs, point), _number(relation.rhs, point)
    if isinstance(relation, sympy.Eq):
        return abs(one - two) <= CLOSE * (1 + abs(one))
    slack = CLOSE * (1 + abs(one)) if isinstance(relation, (sympy.Le, sympy.Ge)) else 0.0
    less = isinstance(relation, (sympy.Lt, sympy.Le))
    return one.real <= two.real + slack if less else one.real >= two.real - slack


# Laws that solve, and check what they found.


def solved_recurrence(equation: Expr, unknown: Any, start: Mapping[Any, Any], t: Symbol) -> Expr:
    """The sequence for which the equation is zero, by rsolve; put in again, it must give zero and the start."""
    found = sympy.rsolve(equation, unknown, dict(start))
    if found is None:
        raise Unproved(f"rsolve found nothing for {equation}")
    name = unknown.func
    inserted = equation.replace(lambda e: e.func == name, lambda e: found.subs(t, e.args[0]))
    begins = [found.subs(t, at.args[0]) - value for at, value in start.items()]
    if any(not _zero(part) for part in [inserted, *begins]):
        raise Unproved(f"rsolve: {found} does not solve {equation}")
    return sympy.simplify(found)


def solved_differential(equation: Any, unknown: Any, start: Mapping[Any, Any]) -> Expr:
    """The function that meets the differential equation, by dsolve; put in again, both sides must agree."""
    found = sympy.dsolve(equation, unknown, ics=dict(start))
    passed, _ = sympy.checkodesol(equation, found)
    begins = [found.rhs.subs(unknown.args[0], at.args[0]) - value for at, value in start.items()]
    if not passed or any(not _zero(part) for part in begins):
        raise Unproved(f"dsolve: {found} does not solve {equation}")
    return found.rhs


def solved(equations: Expr | Sequence[Expr], unknowns: Any, keep: Callable[[Any], bool] = lambda found: True) -> Any:
    """The solution that `keep` accepts, by solve; put in again, every equation must give zero."""
    every: list[Any] = list(equations) if isinstance(equations, (list, tuple)) else [equations]
    names = list(unknowns) if isinstance(unknowns, (list, tuple)) else [unknowns]
    for found in sympy.solve(every, names, dict=True):
        if keep(found):
            if any(not _zero(equation.subs(found)) for equation in every):
                raise Unproved(f"solve: {found} does not solve {every}")
            return found if len(names) > 1 else found[names[0]]
    raise Unproved(f"solve found nothing for {every}")


def _zero(expression: Expr) -> bool:
    """Whether it is zero: by simplification, or at random points to thirty digits where that does not decide."""
    simple = sympy.simplify(expression)
    if simple == 0:
        return True
    rng = random.Random(0)
    for _ in range(5):
        point = {s: _drawn(rng, s, (1, 4)) for s in simple.free_symbols}
        if abs(complex(simple.subs(point).evalf(30))) > 1e-15:
            return False
    return True


def is_(left: Any, right: Any) -> Any:
    """The equation left = right, kept as it is."""
    return sympy.Eq(left, right, evaluate=False)


def positive(names: str) -> Any:
    """Symbols for positive numbers."""
    return sympy.symbols(names, positive=True)


def sequence(name: str) -> Any:
    """A sequence: a function of the step."""
    return Function(name)
