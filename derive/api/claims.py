"""`check_claim`: is this the derivative? Proved where canonical forms coincide, else measured at separating points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from derive.axes import DeriveError, Tensor, rename
from derive.formula import Formula
from derive.oracle import Array, Point, evaluate
from derive.parse import Scope, declared, read
from derive.parse.claims import Claimed, claims_of, scope_of
from derive.verify import Sampler

from .catalogue import catalogue
from .compare import equivalent
from .derivative import Derivative, gradient
from .diagnosis import CLOSE, Evidence, named, near
from .functions import called

PATTERNS = ("distinct", "distinct", "distinct", "random")  # lengths that coincide hide a transpose
KINK_TRIALS = 8
ROUNDING = 1e-13  # of the largest entry at any point


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
    d = gradient(of, wrt)
    if len(d.tensors) != 1:
        raise DeriveError(f"wrt: {of.name} has several inputs ({', '.join(d.tensors)}): say which")
    name, truth = next(iter(d.tensors.items()))
    if not isinstance(claim, str):
        return judge_function(d, name, truth, claim, trials, seed)
    base = (
        declared(where, Scope(catalogue=catalogue, start=start)) if where else Scope(catalogue=catalogue, start=start)
    )
    scope = scope_of(d.traced, d.derived.upstreams, base)
    verdict: Verdict | None = None
    for one in claims_of(claim, scope, name):
        verdict = replace(judge(d, name, truth, one, trials, seed), line=one.line, text=one.text)
        if not verdict:
            return verdict
    assert verdict is not None
    return verdict


def judge(d: Derivative, name: str, truth: Tensor, claim: Claimed, trials: int, seed: int) -> Verdict:
    """The verdict about one expression."""
    tensor = _ordered(claim, d.traced.input(name))
    x = d.traced.input(name)
    proved = [a.size for a in tensor.axes] == [a.size for a in x.axes] and _proved(truth, tensor)
    sampler = Sampler(d.traced, (truth[truth.axes], tensor[tensor.axes]))

    def values(point: Point) -> Array:
        return evaluate(tensor.body, point, tensor.axes)

    return _verdict(d, name, truth, sampler, values, tensor, trials, seed, proved)


def _ordered(claim: Claimed, x: Tensor) -> Tensor:
    """Index letters that are those of the variable stand in its order: in index notation there is no transpose."""
    tensor, names = claim.tensor, [a.name for a in x.axes]
    if len(claim.letters) == tensor.ndim and sorted(claim.letters) == sorted(names):
        return tensor.with_(axes=sorted(tensor.axes, key=lambda a: names.index(a.name)))
    return tensor


def _proved(truth: Tensor, claim: Tensor) -> bool:
    try:
        mapping = dict(zip(claim.axes, truth.axes, strict=True))
        return equivalent(rename(claim.body, mapping), truth.body)
    except DeriveError:  # a node that the algebra cannot read: no proof, and no verdict
        return False


def judge_function(
    d: Derivative, name: str, truth: Tensor, function: Callable[..., Any], trials: int, seed: int
) -> Verdict:
    """The verdict about a NumPy function of the inputs, the upstream gradient g, or the output y."""
    values = called(d, name, function)
    return _verdict(d, name, truth, Sampler(d.traced, (truth[truth.axes],)), values, None, trials, seed, False)


def _verdict(
    d: Derivative, name: str, truth: Tensor, sampler: Sampler, values: Callable[[Point], Array], tensor: Tensor | None,
    trials: int, seed: int, proved: bool,
) -> Verdict:  # fmt: skip
    points = [
        sampler.point(np.random.default_rng([seed, k]), PATTERNS[k % len(PATTERNS)]) for k in range(max(2, trials))
    ]
    found = Evidence(d, name, truth, tensor, values, points)
    # Where a gradient vanishes (a softmax over one class) both are rounding errors: no point tells about those.
    floor = ROUNDING / CLOSE * max((np.abs(t[np.isfinite(t)]).max(initial=0) for t, _ in found.pairs), default=0.0)
    wrong = next((k for k, (t, c) in enumerate(found.pairs) if not near(c, t, floor=floor)), None)
    sizes = tuple(dict.fromkeys(str(point) for point in points if str(point)))
    if wrong is not None:
        kind, reason = named(replace(found, points=_telling(found, floor)))
        example = _example(d, name, points[wrong], *found.pairs[wrong][::-1])
        return Verdict(False, kind, reason, len(points), sizes, counterexample=example)
    kinked = _on_kinks(d, name, truth, sampler, values, seed)
    if isinstance(kinked, Verdict):
        return kinked
    return Verdict(True, "", "", len(points) + kinked, sizes, proved)


def _telling(found: Evidence, floor: float) -> list[Point]:
    """The points at which the gradient or the claim is more than a rounding error."""
    sizes = [max(np.abs(t).max(initial=0), np.abs(c).max(initial=0)) for t, c in found.pairs]
    return [p for p, size in zip(found.points, sizes, strict=True) if not size <= floor * CLOSE] or found.points


def _on_kinks(
    d: Derivative, name: str, truth: Tensor, sampler: Sampler, values: Callable[[Point], Array], seed: int
) -> Verdict | int:
    """How many points on kinks agree, or the verdict at the first that does not."""
    tried = 0
    for k in range(KINK_TRIALS if sampler.kinks else 0):
        point = sampler.on_kinks(np.random.default_rng([seed, 1000 + k]))
        if point is None:
            continue
        expected, claimed = evaluate(truth.body, point, truth.axes), values(point)
        if np.all(np.isfinite(expected)) and not near(claimed, expected):
            reason = (
                "wrong subgradient: it agrees away from kinks, but not on them (conventions: abs'(0) = 0, relu'(0) = 0)"
            )
            return Verdict(
                False, "subgradient", reason, tried + 1, counterexample=_example(d, name, point, claimed, expected)
            )
        tried += 1
    return tried


def _example(d: Derivative, name: str, point: Point, claimed: Array, true: Array) -> Counterexample:
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


__all__ = ["Counterexample", "Verdict", "check_claim", "judge", "judge_function"]
