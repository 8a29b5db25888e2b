"""A statement about training: its conditions, and the recorded steps that lead to it, each of which is checked.

Steps are equations between expressions: `before` equals `after` wherever the conditions hold. Where a solver of SymPy
takes a step (rsolve, dsolve, solve), its answer is put into what was to be solved, and that must come out as zero.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy
from sympy import Expr, Function, Symbol

from derive.axes import DeriveError
from derive.steps import Step

from . import writing

SIGNS = {True: ("⇔", r"&\Leftrightarrow"), False: ("=", "&=")}  # between what a step joins: conditions, expressions
POINTS = 10  # random points at which every step is evaluated
CLOSE = 1e-9
Ranges = Mapping[Any, tuple[float, float]]


class Unproved(DeriveError):
    """A step of a statement does not hold."""


@dataclass(frozen=True)
class Statement:
    """`claim` is an equation, a bound, or two conditions that are one; it holds under `conditions`.

    `results` are what it says by name, as expressions.

    A claim that is a choice (`chosen`), Var w = 2/n, says what to take, and is no fact about every w.
    `ranges` says where the symbols may lie when the steps are checked: from, to; whole numbers where the symbol is one.
    `letters` are short names, and what each stands for; a later one may use the earlier. `about` says in words what it
    is about, and what is taken for granted.
    """

    name: str
    claim: Any
    conditions: tuple[Any, ...]
    steps: tuple[Step, ...]
    results: Mapping[str, Any]
    ranges: Ranges
    source: str = ""
    chosen: bool = False
    letters: Mapping[Symbol, Expr] = field(default_factory=dict)
    about: str = ""

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def latex(self) -> str:
        """The claim and its conditions, what letters stand for, and the steps."""
        named = [rf"{writing.latex(e.lhs)} &= {writing.latex(e.rhs)} && \text{{letter}}" for e in self.named]
        body = "\\\\\n".join([*named, *(rf"{_joined(step)} && \text{{{step.law}}}" for step in self.steps)])
        return f"{self._whole(letters=False)}\n\\begin{{align*}}\n{body}\n\\end{{align*}}"

    def said(self) -> str:
        """The claim in LaTeX."""
        return r" \Leftrightarrow ".join(map(writing.latex, self.parts))

    def _whole(self, letters: bool = True) -> str:
        """The claim, letters and conditions in LaTeX."""
        named = self.named if letters else []
        given = ", ".join([*map(writing.latex, named), *writing.conditions(self.conditions, self.signs, True)])
        return rf"{self.said()} \qquad \left({given}\right)" if given else self.said()

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self._whole()}$"

    @property
    def named(self) -> list[Any]:
        """What the letters stand for, as equations."""
        return [is_(letter, whole) for letter, whole in self.letters.items()]

    @property
    def signs(self) -> list[Symbol]:
        """What is positive in the claim and in what its letters stand for; lengths and counts are so without a word."""
        held = set().union(*(part.free_symbols for part in [*self.parts, *self.letters.values()]))
        free = [s for s in held if s.is_positive and not s.is_integer and s not in self.letters]
        return sorted((s for s in free if s.name not in writing.WORDS), key=str)

    @property
    def parts(self) -> tuple[Any, ...]:
        """The claim, or both sides of one that is an equivalence."""
        return self.claim if isinstance(self.claim, tuple) else (self.claim,)

    def verify(self, points: int = POINTS, seed: int = 0) -> None:
        """Evaluates every step at random points where the conditions hold; raises Unproved at the first that fails."""
        rng = random.Random(seed)
        for _ in range(points):
            point = self._point(rng)
            for step in self.steps:
                self._check(step, point)
            found = [_holds(part, point) for part in self.parts if not self.chosen]
            if found and not (len(set(found)) == 1 if len(found) > 1 else found[0]):
                said = " ⇔ ".join(map(writing.text, self.parts))
                raise Unproved(f"{self.name}: {said} is false at {point}")

    def _check(self, step: Step, point: Mapping[Any, Any]) -> None:
        if _related(step):
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
            for letter, whole in self.letters.items():
                point[letter] = whole.subs(point).evalf(30)
            if all(_holds(c, point) for c in self.conditions):
                return point
        raise Unproved(f"{self.name}: found no point where {self.conditions} hold")


def _related(step: Step) -> bool:
    """Whether a step leads from a condition to a condition."""
    return isinstance(step.before, sympy.core.relational.Relational)


def _joined(step: Step) -> str:
    """Both sides in LaTeX; one where they read the same."""
    before, after = writing.latex(step.before), writing.latex(step.after)
    return f"{before} &" if before == after else f"{before} {SIGNS[_related(step)][1]} {after}"


def _lines(statement: Statement) -> Iterator[str]:
    yield f"{statement.name}: {' ⇔ '.join(map(writing.text, statement.parts))}"
    if statement.about:
        yield f"  for {statement.about}"
    if statement.named:
        yield f"  with {', '.join(map(writing.text, statement.named))}"
    if given := writing.conditions(statement.conditions, statement.signs):
        yield f"  where {', '.join(given)}"
    for step in statement.steps:
        before, after = writing.text(step.before), writing.text(step.after)
        because = f"[{step.law}{': ' if step.why else ''}{step.why}]"
        if before == after:  # SymPy has worked it out while it was written down
            yield f"  {before}    {because}"
        else:
            yield f"  {before}"
            yield f"    {SIGNS[_related(step)][0]} {after}    {because}"


def _drawn(rng: random.Random, symbol: Any, ends: tuple[float, float]) -> Any:
    if isinstance(symbol, sympy.core.function.UndefinedFunction):  # a wave: it has any values
        place, parts = Symbol("x"), [sympy.Float(rng.uniform(*ends), 30) for _ in range(3)]
        return sympy.Lambda(place, parts[0] + parts[1] * sympy.cos(3 * place + parts[2]))
    if isinstance(symbol, sympy.MatrixSymbol):
        return sympy.ImmutableMatrix(*symbol.shape, lambda i, k: sympy.Float(rng.uniform(*ends), 30))
    if getattr(symbol, "is_integer", False):
        return sympy.Integer(rng.randint(int(ends[0]), int(ends[1])))
    return sympy.Float(rng.uniform(*ends), 30)


def _number(expression: Any, point: Mapping[Any, Any]) -> complex:
    whole = sympy.sympify(expression, strict=True)
    for name, function in point.items():
        if isinstance(function, sympy.Lambda):
            whole = whole.replace(name, function)
    numbers = {name: number for name, number in point.items() if not isinstance(number, sympy.Lambda)}
    return complex(whole.subs(numbers).doit().evalf(30))


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


def written(make: Callable[..., Any], *parts: Any) -> Any:
    """What is made of the parts, kept as it is written: 1 − η L/2 at η = 1/L is 1 − (1/L) L/2."""
    with sympy.evaluate(False):
        return make(*parts)


def positive(names: str) -> Any:
    """Symbols for positive numbers."""
    return sympy.symbols(names, positive=True)


def sequence(name: str) -> Any:
    """A sequence: a function of the step."""
    return Function(name)
