"""`check_claim`: is this the derivative? Proved where canonical forms coincide, else measured at separating points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from sympy import Expr

from derive.axes import DeriveError, Scalar, Tensor, rename, tensors_of
from derive.formula import Formula, Traced
from derive.oracle import Array, Point, evaluate
from derive.parse import LatexError, Scope, declared, read
from derive.parse.claims import Claimed, claims_of, scope_of
from derive.parse.scope import name_of
from derive.verify import Sampler

from .catalogue import catalogue
from .compare import equivalent
from .derivative import gradient
from .diagnosis import CLOSE, Evidence, named, near
from .functions import called

PATTERNS = ("distinct", "distinct", "distinct", "random")  # lengths that coincide hide a transpose
KINK_TRIALS = 8
MORE = 12  # points at most, until every length was more than 1 somewhere
ROUNDING = 1e-13  # of the largest entry at any point
SUBGRADIENT = "wrong subgradient: it agrees away from kinks, but not on them (conventions: abs'(0) = 0, relu'(0) = 0)"


@dataclass(frozen=True)
class Counterexample:
    """Where a claim fails: lengths, inputs, the entry, and both numbers."""

    sizes: dict[str, int]
    inputs: dict[str, Array] = field(repr=False)
    place: str
    claimed: float
    true: float

    def __str__(self) -> str:
        sizes = ", ".join(f"{name}={n}" for name, n in self.sizes.items())
        at = f"at {sizes}, " if sizes else ""
        values = "; ".join(f"{name} = {np.array2string(np.asarray(a), precision=4)}" for name, a in self.inputs.items())
        lines = " ".join(values.split())
        shown = lines if len(lines) < 400 else f"{lines[:400]}…"
        return f"{at}entry {self.place}: claimed {self.claimed:.8g}, is {self.true:.8g}\n  with {shown}"


@dataclass(frozen=True)
class Verdict:
    """Whether a claim holds, and why; false claims come with the kind of mistake and a counterexample."""

    holds: bool
    kind: str  # "", or "constant factor", "sign", "transpose", "missing term", …
    reason: str
    points: int = 0
    sizes: tuple[str, ...] = ()
    proved: bool = False
    counterexample: Counterexample | None = None
    line: int = 1
    text: str = ""

    def __bool__(self) -> bool:
        return self.holds

    def __str__(self) -> str:
        if self.holds:
            proof = "proved: both have one canonical form; " if self.proved else "no proof by canonical forms; "
            return f"true: {proof}{self.points} points tried, lengths {'; '.join(self.sizes[:4]) or 'none'}"
        where = f"line {self.line}, {self.text}: " if self.line > 1 else ""
        shown = f"\n  {self.counterexample}" if self.counterexample is not None else ""
        return f"false: {where}{self.reason}{shown}"


def check_claim(
    claim: str | Callable[..., Any], *, of: str | Formula, wrt: str | None = None, where: str = "",
    start: int | None = None, trials: int = 12, seed: int = 0,
) -> Verdict:  # fmt: skip
    """Is `claim` the gradient of `of` for `wrt`? LaTeX (also several lines), or a NumPy function.

    A formula that is no scalar has the upstream gradient g. The gradient has the shape of its variable. Raises
    LatexError for text that cannot be read, DeriveError for a function that fails or a variable that is missing.
    """
    if isinstance(of, str):
        found = read(of, where, catalogue=catalogue, start=start)
        if not isinstance(found, Formula):
            raise DeriveError("of: expected an expression or a definition, not an equation or a declaration")
        of = found
    d = gradient(of, wrt and name_of(wrt))
    if len(d.tensors) != 1:
        raise DeriveError(f"wrt: {of.name} has several inputs ({', '.join(d.tensors)}): say which")
    name, truth = next(iter(d.tensors.items()))
    ground = Ground(d.traced, name, truth, trials, seed)
    if not isinstance(claim, str):
        return judge_function(ground, called(d, name, claim))
    base = (
        declared(where, Scope(catalogue=catalogue, start=start)) if where else Scope(catalogue=catalogue, start=start)
    )
    scope = scope_of(d.traced, d.derived.upstreams, base)
    verdict: Verdict | None = None
    for one in claims_of(claim, scope, name):
        verdict = replace(judge(ground, one), line=one.line, text=one.text)
        if not verdict:
            return verdict
    assert verdict is not None
    return verdict


@dataclass(frozen=True)
class Ground:
    """A gradient, and the points at which claims about it are tried: all claims share them."""

    traced: Traced
    name: str
    truth: Tensor
    trials: int = 12
    seed: int = 0
    also: Tensor | None = None  # a claim with names of its own, which need values, too

    @cached_property
    def sampler(self) -> Sampler:
        also = () if self.also is None else (self.also[self.also.axes],)
        return Sampler(self.traced, (self.truth[self.truth.axes], *also))

    @cached_property
    def drawn(self) -> list[tuple[Point, Array]]:
        """Points with the gradient there, and more of them while a length is 1 wherever the gradient is not 0."""
        found: list[tuple[Point, Array]] = []
        for k in range(max(2, self.trials) + MORE):
            if k >= max(2, self.trials) and not self.alone(found):
                break
            pattern = PATTERNS[k % len(PATTERNS)] if k < self.trials else "random"
            point = self.sampler.point(np.random.default_rng([self.seed, k]), pattern)
            found.append((point, np.asarray(evaluate(self.truth.body, point, self.truth.axes), dtype=float)))
        return found

    def alone(self, found: list[tuple[Point, Array]]) -> bool:
        """Whether some length is 1 at every point that tells: there a sum over it, or a factor of it, is nothing."""
        telling = [point for point, true in found if np.any(true != 0)]
        return any(all(p.sizes.get(size, 2) == 1 for p in telling) for size in self.sampler.lengths.plain)

    @property
    def points(self) -> list[Point]:
        return [point for point, _ in self.drawn]

    @property
    def true(self) -> list[Array]:
        return [true for _, true in self.drawn]

    @cached_property
    def kinked(self) -> list[tuple[Point, Array]]:
        """Points on kinks where the gradient, by convention, is finite; and the gradient there."""
        tried = range(KINK_TRIALS if self.sampler.kinks else 0)
        points = (self.sampler.on_kinks(np.random.default_rng([self.seed, 1000 + k])) for k in tried)
        found = [(p, evaluate(self.truth.body, p, self.truth.axes)) for p in points if p is not None]
        return [(p, t) for p, t in found if np.all(np.isfinite(t))]

    def for_claim(self, claim: Tensor) -> Ground:
        """Itself, or with values for names and lengths that only the claim has."""
        entry = claim[claim.axes]
        other = Sampler(self.traced, (entry,))
        known = {t.name for t in self.sampler.tensors} >= {t.name for t in other.tensors}
        sizes = set(self.sampler.lengths.sizes) >= set(other.lengths.sizes)
        return self if known and sizes else replace(self, also=claim)


def judge(ground: Ground, claim: Claimed) -> Verdict:
    """The verdict about one expression."""
    x = ground.traced.input(ground.name)
    tensor = _ordered(claim, x)
    known = {t.name for t in ground.traced.inputs}
    stray = sorted(str(s) for s in body_of(tensor).atoms(Scalar) - set(ground.traced.scalars))
    stray += sorted(t.name for t in tensors_of(body_of(tensor)) if t.role == "input" and t.body is None
                    and t.name not in known)  # fmt: skip
    if stray:
        raise LatexError(f"the claim has {', '.join(stray)}, which the formula has not", claim.column)
    return compared(ground, tensor)


def compared(ground: Ground, tensor: Tensor) -> Verdict:
    """Whether a tensor has the values of another, by measurement and then by proof."""
    body = body_of(tensor)

    def values(point: Point) -> Array:
        return evaluate(body, point, tensor.axes)

    verdict = _verdict(ground.for_claim(tensor), values, tensor)
    if verdict.holds and [a.size for a in tensor.axes] == [a.size for a in ground.truth.axes]:
        return replace(verdict, proved=_proved(ground.truth, tensor))
    return verdict


def body_of(tensor: Tensor) -> Expr:
    """The body of a tensor that has one."""
    assert tensor.body is not None
    return tensor.body


def _ordered(claim: Claimed, x: Tensor) -> Tensor:
    """Index letters that are those of the variable stand in its order: in index notation there is no transpose."""
    tensor, names = claim.tensor, [a.name for a in x.axes]
    sizes = [a.size for a in x.axes]
    if (
        len(claim.letters) == tensor.ndim
        and len(set(sizes)) == len(sizes)
        and {a.size for a in tensor.axes} == set(sizes)
    ):
        return tensor.with_(axes=sorted(tensor.axes, key=lambda a: sizes.index(a.size)))
    if len(claim.letters) == tensor.ndim and sorted(claim.letters) == sorted(names):
        return tensor.with_(axes=sorted(tensor.axes, key=lambda a: names.index(a.name)))
    return tensor


def _proved(truth: Tensor, claim: Tensor) -> bool:
    try:
        mapping = dict(zip(claim.axes, truth.axes, strict=True))
        return equivalent(rename(claim.body, mapping), truth.body)
    except DeriveError:  # a node that the algebra cannot read: no proof, and no verdict
        return False


def judge_function(ground: Ground, values: Callable[[Point], Array]) -> Verdict:
    """The verdict about values that a function gives at each point."""
    return _verdict(ground, values, None)


def _verdict(ground: Ground, values: Callable[[Point], Array], tensor: Tensor | None) -> Verdict:
    points = ground.points
    found = Evidence(ground.traced, ground.name, ground.truth, tensor, values, points, ground.true)
    # Where a gradient vanishes (a softmax over one class) both are rounding errors: no point tells about those.
    floor = ROUNDING / CLOSE * max((np.abs(t[np.isfinite(t)]).max(initial=0) for t, _ in found.pairs), default=0.0)
    wrong = next((k for k, (t, c) in enumerate(found.pairs) if not near(c, t, floor=floor)), None)
    sizes = tuple(dict.fromkeys(str(point) for point in points if str(point)))
    if wrong is not None:
        kind, reason = named(found.at_points(_telling(found, floor)))
        example = _example(ground.name, points[wrong], *found.pairs[wrong][::-1])
        return Verdict(False, kind, reason, len(points), sizes, counterexample=example)
    for tried, (point, expected) in enumerate(ground.kinked, 1):
        claimed = values(point)
        if not near(claimed, expected):
            example = _example(ground.name, point, claimed, expected)
            return Verdict(False, "subgradient", SUBGRADIENT, tried, counterexample=example)
    return Verdict(True, "", "", len(points) + len(ground.kinked), sizes)


def _telling(found: Evidence, floor: float) -> list[int]:
    """The points at which the gradient or the claim is more than a rounding error."""
    sizes = [max(np.abs(t).max(initial=0), np.abs(c).max(initial=0)) for t, c in found.pairs]
    return [k for k, size in enumerate(sizes) if not size <= floor * CLOSE] or list(range(len(sizes)))


def _example(name: str, point: Point, claimed: Array, true: Array) -> Counterexample:
    """The entry with the largest difference; where the shapes differ there is none."""
    sizes = {str(symbol): int(n) for symbol, n in sorted(point.sizes.items(), key=str)}
    inputs = dict(point.arrays) | {n: np.asarray(v) for n, v in point.scalars.items()}
    if claimed.shape != true.shape:
        place = f"shape {claimed.shape}, expected {true.shape}"
        return Counterexample(sizes, inputs, place, float(claimed.flat[0]), float(true.flat[0]))
    difference = np.nan_to_num(np.abs(claimed - true), nan=np.inf)
    at = np.unravel_index(int(np.argmax(difference)), true.shape) if true.shape else ()
    place = f"d/d{name}[{', '.join(str(int(k)) for k in at)}]" if at else f"d/d{name}"
    return Counterexample(sizes, inputs, place, float(claimed[at]), float(true[at]))


__all__ = ["Counterexample", "Ground", "Verdict", "check_claim", "compared", "judge", "judge_function"]
