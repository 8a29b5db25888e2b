"""A derivation is a certificate: before = after for every step, evaluated at random points."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial

import numpy as np
from sympy.core.basic import Basic

from derive.axes import AdjointOf, Axis, Entry, TangentOf, Tensor, definitions, free_axes
from derive.oracle import Array, Point, evaluate
from derive.steps import Derivation, Equation, Subject

from .dual import MOVED, tangents_at
from .gradient import dual_slopes
from .measure import EXACT, Move, entries, value_of
from .report import Ledger, Report, scaled_error
from .sample import Sampler, shape_of
from .subject import checked_upstreams, derivatives_in, place_of, roots_of, whole


@dataclass(frozen=True)
class Claim:
    """left = right over some letters; `what` is its row in the report, `where` says which step it is."""

    what: str
    where: str
    left: Basic
    right: Basic

    @property
    def letters(self) -> tuple[Axis, ...]:
        return tuple(dict.fromkeys((*free_axes(self.left), *free_axes(self.right))))

    @cached_property
    def derivatives(self) -> tuple[AdjointOf, ...]:
        """The derivatives that either side speaks of."""
        return derivatives_in((self.left, self.right))


def claims_of(derivation: Derivation) -> Iterator[Claim]:
    """Each step's before = after; each equation's target = result, and the tensor that holds it = result."""
    for number, equation in enumerate(derivation.equations, start=1):
        name = f"equation {number} ({equation.target})"
        for place, step in enumerate(equation.steps, start=1):
            yield Claim(f"step: {step.law}", f"{name}, step {place}", step.before, step.after)
        yield Claim("each target = its result", name, equation.target, equation.result)
        if _holds(equation):
            yield Claim("each named result = its equation", name, whole(equation.tensor), equation.result)


def _holds(equation: Equation) -> bool:
    """Whether the equation's tensor states its result over the same letters."""
    tensor = equation.tensor
    return (
        isinstance(tensor, Tensor) and tensor.body is not None and set(free_axes(equation.result)) <= set(tensor.axes)
    )


Value = Callable[[Basic, tuple[Axis, ...]], Array]
Named = tuple[str, tuple[Axis, ...]]  # by what a tensor of the derivation is known as one of the formula's own


def named(tensor: Tensor) -> Named:
    """The tensor's name and letters."""
    return tensor.name, tensor.axes


def readings_of(derivation: Derivation, own: Mapping[Named, Tensor]) -> dict[Tensor, Basic]:
    """How the derivation reads the formula's definitions: y[b, c] = exp(z[b, c])/S[b], for a name S that it gave."""
    stated = ((e.target, e.result) for e in derivation.equations if e.kind == "definition")
    return {
        own[named(target.tensor)]: result
        for target, result in stated
        if isinstance(target, Entry) and named(target.tensor) in own and target == whole(target.tensor)
    }


def check_steps(
    subject: Subject, derivation: Derivation, upstreams: Sequence[Tensor] = (), trials: int = 3, seed: int = 0
) -> Report:
    """before = after for every step, to 1e-9, derivatives by dual numbers.

    AdjointOf(X[…]) is ∂L/∂X for L = Σ g·y, or for the entry `derivation.of`; X is an input, a named intermediate of
    the formula, or a name of the derivation that an equation of kind "definition" puts into the formula
    (y[b, c] = exp(z[b, c])/S[b]); it is varied in place of its definition. TangentOf(X[…]) is Ẋ along ẋ.
    """
    ledger, claims = Ledger(), tuple(claims_of(derivation))
    _replayed(derivation, ledger)
    roots = roots_of(subject) if derivation.of is None else (derivation.of,)
    own = {named(tensor): tensor for tensor in (*subject.inputs, *definitions(roots))}
    readings = readings_of(derivation, own)
    own |= {named(tensor): tensor for tensor in definitions(readings.values())}
    meter = Meter(subject, derivation.of, tuple(g for g in upstreams if g.role != "tangent"))
    sides = (side for claim in claims for side in (claim.left, claim.right))
    sampler = Sampler(subject, (*sides, *roots, *(whole(tensor) for tensor in upstreams)))
    wanted = dict.fromkeys(node for claim in claims for node in claim.derivatives)
    measured = {node: own[named(node.entry.tensor)] for node in wanted if named(node.entry.tensor) in own}
    for trial in range(trials):
        point = sampler.point(np.random.default_rng([seed, trial]), shape_of(trial))
        read = point.with_(readings=readings)
        values = meter.values(measured, read)
        point = replace(point, derivatives=values, of=meter.letters)
        value = cache(partial(_value, point))  # what is after one step is before the next
        for claim in claims:
            _compare(claim, point, value, ledger, trial, seed)
    return ledger.report()


@dataclass(frozen=True)
class Meter:
    """The derivatives that a derivation speaks of, of L = Σ g·y or of the entry `of`: by dual numbers.

    An intermediate moves on top of its definition, all of them at once, each entry by itself. Dual numbers take no
    step, so that a sum of exponentials near e⁻⁵⁰ is no harder than one near 1, and on a kink they follow the stated
    conventions: min(r, c) has one in r alone at every point where c = clip(r) is r.
    """

    subject: Subject
    of: Entry | None
    upstreams: tuple[Tensor, ...]

    @property
    def letters(self) -> tuple[Axis, ...]:
        return free_axes(self.of) if self.of is not None else ()

    def values(self, measured: Mapping[AdjointOf, Tensor], point: Point) -> dict[Basic, Array]:
        """∂L/∂x, ∂of/∂x or ẋ, as each node asks."""
        slopes = self.adjoints([x for node, x in measured.items() if not isinstance(node, TangentOf)], point)
        return {n: self.tangent(x, point) if isinstance(n, TangentOf) else slopes[x] for n, x in measured.items()}

    def adjoints(self, tensors: Sequence[Tensor], point: Point) -> dict[Tensor, Array]:
        """∂L/∂x or ∂of/∂x, entry by entry: the letters of x come last."""
        shapes = {x: value_of(x, point).shape for x in dict.fromkeys(tensors)}
        if not shapes:
            return {}
        more = {x: Tensor(f"{x.name}{MOVED}{k}", x.axes) for k, x in enumerate(shapes) if x.body is not None}
        moving = {x: point.readings.get(x, x.body) + added[added.axes] for x, added in more.items()}
        at = point.with_(arrays={added.name: np.zeros(shapes[x]) for x, added in more.items()}, readings=moving)
        moves = [move for x, shape in shapes.items() for move in entries(more.get(x, x), shape)]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
        parts = np.split(self.slopes(at, moves), ends[:-1])
        return {
            x: self.of_moving(x, np.moveaxis(part, 0, -1).reshape((*part.shape[1:], *shape)), point)
            for (x, shape), part in zip(shapes.items(), parts, strict=True)
        }

    def of_moving(self, x: Tensor, slopes: Array, point: Point) -> Array:
        """The slopes; 0 where one is infinite and nothing moves: ‖x_i − x_i‖² is 0 whatever x is."""
        if x.body is None or np.isfinite(slopes).all():
            return slopes
        reals = {name: np.asarray(a) for name, a in point.arrays.items() if np.asarray(a).dtype.kind == "f"}
        away = point.with_(
            arrays={name: a + 0.1 + 0.3 * np.cos(np.arange(a.size)).reshape(a.shape) for name, a in reals.items()}
        )
        return np.where(np.isfinite(slopes) | (value_of(x, away) != value_of(x, point)), slopes, 0.0)

    def slopes(self, point: Point, moves: Sequence[Move]) -> Array:
        """L′ or of′ along each move, moves first."""
        if self.of is None:
            return dual_slopes(self.subject, checked_upstreams(self.subject, self.upstreams), point, moves)
        return tangents_at(self.of, [point] * len(moves), [{x.name: d} for x, d in moves], self.letters)[1]

    def tangent(self, x: Tensor, point: Point) -> Array:
        """Ẋ: how X changes when each input x moves along x_dot; an input without one stays."""
        dots = {t.name: point.arrays.get(f"{t.name}_dot") for t in self.subject.inputs}
        moving = {name: dot for name, dot in dots.items() if dot is not None}
        if x.body is None:
            return moving.get(x.name, np.zeros_like(point.arrays[x.name]))
        return tangents_at(whole(x), [point], [moving], x.axes)[1][0]


def _replayed(derivation: Derivation, ledger: Ledger) -> None:
    try:
        derivation.replay()
        ledger.enter("replay", True, 0.0, "", sum(1 for _ in derivation.steps()))
    except ValueError as problem:
        ledger.enter("replay", False, np.inf, str(problem))


def _value(point: Point, side: Basic, letters: tuple[Axis, ...]) -> Array:
    return evaluate(side, point, letters)


def _compare(claim: Claim, point: Point, value: Value, ledger: Ledger, trial: int, seed: int) -> None:
    unknown = [node.entry.tensor.name for node in claim.derivatives if node not in point.derivatives]
    if unknown:
        names = ", ".join(unknown)
        what = f"{claim.where}: {names} is no input and no intermediate of the formula, nor defined as part of it"
        return ledger.enter(claim.what, False, np.inf, what)
    letters = tuple(dict.fromkeys((*point.of, *claim.letters))) if claim.derivatives else claim.letters
    left, right = (value(side, letters) for side in (claim.left, claim.right))
    error = scaled_error(left, right)
    place = place_of("", point, trial, seed)

    def words(index: tuple[int, ...]) -> str:
        entry = ", ".join(f"{letter.name}={i}" for letter, i in zip(letters, index, strict=False))
        return f"{claim.where}{f' [{entry}]' if entry else ''}{place(())}"

    ledger.compare(claim.what, left, right, EXACT, words, error=error)
