"""What is wrong with a claim: an ordered table of explanations, each tried on all points at once."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
import sympy
from sympy import Add, Expr

from derive.axes import Entry, Tensor, definitions, free_axes, rename
from derive.formula import Traced
from derive.oracle import Array, Point, evaluate

from .pieces import MOST, Explanation, changes, pieces, plain, written_out

DEEP = 3  # levels of names that are written out
CLOSE = 1e-8  # relative to the largest entry


def near(claimed: Array, true: Array, close: float = CLOSE, floor: float = 0.0) -> bool:
    """Whether two arrays agree, relative to their largest entries (of at least `floor`); never across shapes."""
    if claimed.shape != true.shape:
        return False
    if not (np.all(np.isfinite(claimed)) and np.all(np.isfinite(true))):
        return bool(np.array_equal(claimed, true, equal_nan=True))
    scale = max(np.abs(claimed).max(initial=0), np.abs(true).max(initial=0), floor)
    return bool(np.abs(claimed - true).max(initial=0) <= close * scale)


@dataclass(frozen=True)
class Evidence:
    """A claim and the truth, at points with different lengths."""

    traced: Traced
    name: str
    truth: Tensor
    claim: Tensor | None
    values: Callable[[Point], Array]
    points: list[Point] = field(repr=False)
    true: list[Array] = field(repr=False)

    @cached_property
    def pairs(self) -> list[tuple[Array, Array]]:
        """(true, claimed) at each point."""
        return [(true, self.values(point)) for true, point in zip(self.true, self.points, strict=True)]

    def at_points(self, chosen: list[int]) -> Evidence:
        """The evidence at some of the points."""
        return replace(self, points=[self.points[k] for k in chosen], true=[self.true[k] for k in chosen])

    def at(self, tensor: Tensor, point: Point) -> Array:
        return np.asarray(evaluate(tensor.body, point, tensor.axes), dtype=float)

    @cached_property
    def body(self) -> Expr:
        """The entry of the truth; what is only a name is written out."""
        body = self.truth.body
        while isinstance(body, Entry) and body.tensor.body is not None:
            body = rename(body.tensor.body, dict(zip(body.tensor.axes, body.indices, strict=True)))
        return body

    @property
    def same_shape(self) -> bool:
        return all(t.shape == c.shape for t, c in self.pairs)

    def like(self, others: Iterable[Array]) -> bool:
        """Whether the claim is these arrays, at every point."""
        return all(near(c, o, 1e-7) for (_, c), o in zip(self.pairs, others, strict=True))


def named(found: Evidence) -> Explanation:
    """The first explanation that fits all points."""
    for explain in EXPLANATIONS:
        made = explain(found)
        if made is not None:
            return made
    if not found.same_shape:
        true, claimed = found.pairs[0]
        return "wrong axis", f"the claim has the shape {claimed.shape}, the gradient {true.shape}: another axis is left"
    return "different", "the claim differs from the gradient"


def ratio(pairs: list[tuple[Array, Array]]) -> list[float] | None:
    """claimed / true at each point, where it is one number at each."""
    found = []
    for true, claimed in pairs:
        square = float((true * true).sum())
        if square == 0 or true.shape != claimed.shape:
            return None
        factor = float((true * claimed).sum()) / square
        if not np.isfinite(factor) or not near(claimed, factor * true, 1e-7):
            return None
        found.append(factor)
    return found


def _nice(number: float) -> str:
    plain = Fraction(number).limit_denominator(1000)
    return str(plain) if abs(float(plain) - number) < 1e-9 * max(1, abs(number)) else f"{number:.6g}"


def _sized(factors: list[float], points: list[Point]) -> str | None:
    """N, 1/N, 2/(N D): a factor made of lengths and parameters, the same way at every point."""
    symbols: dict[str, list[float]] = {}
    for point in points:
        for symbol, n in (*point.sizes.items(), *point.scalars.items()):
            symbols.setdefault(str(symbol), []).append(float(n))
    symbols |= {
        name: [float(p.arrays[name]) for p in points] for name in points[0].arrays if not points[0].arrays[name].shape
    }
    names = [name for name, values in symbols.items() if len(values) == len(points) and len(set(values)) > 1]
    for count in (1, 2):
        for chosen in itertools.combinations(names, count):
            for powers in itertools.product((1, -1, 2, -2), repeat=count):
                with np.errstate(all="ignore"):  # a stride or a padding of 0
                    made = np.prod([np.array(symbols[n]) ** p for n, p in zip(chosen, powers, strict=True)], axis=0)
                    quotient = np.array(factors) / made
                if np.all(np.isfinite(quotient)) and np.allclose(quotient, quotient[0], rtol=1e-7, atol=0):
                    words = " ".join(n if p == 1 else f"{n}^{p}" for n, p in zip(chosen, powers, strict=True))
                    return words if np.isclose(quotient[0], 1) else f"{_nice(quotient[0])} {words}"
    return None


def _rounded(found: Evidence) -> Explanation | None:
    """The claim has the digits of float32, and they are right."""
    few = any(c.dtype in (np.float32, np.float16) for _, c in found.pairs)
    if few and all(near(c, t, 1e-3) for t, c in found.pairs):
        return "precision", "it agrees to the digits of float32 only: compute in float64"
    return None


def _factor(found: Evidence) -> Explanation | None:
    """The claim is the same number times the truth everywhere, or one made of lengths and parameters."""
    made = _factor_of(found.pairs, found.points, "the gradient")
    return None if made is None or made[0] == "factor" else made


def _varying(found: Evidence) -> Explanation | None:
    """The claim is a number times the truth, another at each point: a part of the truth if one fits."""
    factors = ratio(found.pairs)
    if factors is None:
        return None
    for part in _numbers_in(found.body):
        values = np.array([float(evaluate(part, p, ())) for p in found.points])
        for power in (-1, 1, -2, 2):
            with np.errstate(all="ignore"):
                rest = np.array(factors) * values**power
            if np.all(np.isfinite(rest)) and np.allclose(rest, rest[0], rtol=1e-7, atol=0):
                number = "" if np.isclose(rest[0], 1) else f"{_nice(rest[0])} times "
                shown = str(part) if power == -1 else f"({part})^{-power}"
                return "factor", f"a factor: the claim has {number}{shown} times the gradient"
    return "factor", "a factor that depends on the data: the claim has a number times the gradient at each point"


def _numbers_in(body: Expr) -> list[Expr]:
    """Parts of an expression that are numbers: without free letters."""
    bodies = [body, *(t.body for t in definitions([body]) if t.body is not None)]
    nodes = {node for one in bodies for node in sympy.preorder_traversal(one)}
    parts = {p for p in nodes if isinstance(p, Expr) and p.args and not p.is_number}
    parts = {p for p in parts if not isinstance(p, Tensor) and not free_axes(p)}
    return sorted(parts, key=lambda p: (len(str(p)), str(p)))[:MOST]


def _on_simplex(found: Evidence) -> Explanation | None:
    """The claim holds where the entries of an input sum to one."""
    for given in found.traced.inputs:
        if given.ndim == 0 or given.dtype != "real":
            continue
        if _holds_where_sums_are(1, given, found) and not _holds_where_sums_are(0.1, given, found):
            letter = given.axes[-1].name
            return "simplex only", f"it holds only where {given.name} is ≥ 0 and sums to 1 over {letter}"
    return None


def _holds_where_sums_are(total: float, given: Tensor, found: Evidence) -> bool:
    """Whether the claim is the truth where an input is positive, and sums to `total` over its last axis."""
    for point in found.points:
        positive = np.abs(point.arrays[given.name]) + 0.1
        made = point.with_(arrays={given.name: total * positive / positive.sum(axis=-1, keepdims=True)})
        if not near(found.values(made), found.at(found.truth, made), 1e-7):
            return False
    return True


def _factor_of(pairs: list[tuple[Array, Array]], points: list[Point], of: str) -> Explanation | None:
    factors = ratio(pairs)
    if factors is None:
        return None
    if all(abs(f) < 1e-12 for f in factors):
        return "missing term", "the claim is 0, the gradient is not"
    if np.allclose(factors, factors[0], rtol=1e-7):
        if np.isclose(factors[0], -1):
            return "sign", f"the sign is wrong: the claim has −1 times {of}"
        if np.isclose(factors[0], 1):
            return None
        return "constant factor", f"a constant factor: the claim has {_nice(factors[0])} times {of}"
    words = _sized(factors, points)
    if words is not None:
        return "constant factor", f"a factor: the claim has {words} times {of}"
    return "factor", f"a factor that depends on the data: the claim has a number times {of} at each point"


def _transposed(found: Evidence) -> Explanation | None:
    """The claim with its axes exchanged is the truth, or a multiple of it."""
    true, claimed = found.pairs[0]
    if true.ndim < 2 or true.ndim != claimed.ndim:
        return None
    for order in itertools.permutations(range(true.ndim)):
        if order == tuple(range(true.ndim)) or not all(
            c.ndim == t.ndim and np.transpose(c, order).shape == t.shape for t, c in found.pairs
        ):
            continue
        turned = [(t, np.transpose(c, order)) for t, c in found.pairs]
        if all(near(c, t, 1e-7) for t, c in turned):
            other = not found.same_shape
            if other:
                return (
                    "other layout",
                    "the other layout: the claim is the transpose of the gradient, which has the shape of its variable",
                )
            return "transpose", "a transpose is missing: the claim is the transpose of the gradient"
        factor = _factor_of(turned, found.points, "the transposed gradient")
        if factor is not None and factor[0] != "factor":
            return "transpose", f"a transpose, and {factor[1]}"
    return None


def _summed(found: Evidence) -> Explanation | None:
    """The claim still runs over an axis that should be summed, or a sum runs over too many."""
    true, claimed = found.pairs[0]
    if claimed.ndim > true.ndim:
        for axes in itertools.combinations(range(claimed.ndim), claimed.ndim - true.ndim):
            if all(c.ndim == claimed.ndim and near(c.sum(axis=axes), t, 1e-7) for t, c in found.pairs):
                if all(c.shape[k] == 1 for _, c in found.pairs for k in axes):
                    return "shape", f"an axis of length 1 too many: the claim has the shape {claimed.shape}"
                return "missing sum", f"a sum is missing: over {_axes(found, axes)}"
        return None
    if claimed.ndim < true.ndim:
        for axes in itertools.combinations(range(true.ndim), true.ndim - claimed.ndim):
            if all(near(c, t.sum(axis=axes), 1e-7) for t, c in found.pairs):
                letters = ", ".join(found.truth.axes[k].name for k in axes)
                return "wrong axis", f"a sum too many: over {letters}, an axis of {found.name}"
    return None


def _axes(found: Evidence, axes: tuple[int, ...]) -> str:
    if found.claim is None:
        return f"axis {', '.join(map(str, axes))} of the claim"
    return ", ".join(found.claim.axes[k].name for k in axes)


def _terms(found: Evidence) -> Explanation | None:
    """The claim is the truth with one term left out, or taken with another sign or factor."""
    if not found.same_shape:
        return None
    body = found.body
    written = list(body.args) if isinstance(body, Add) else []
    made = _of_terms(found, written) or _of_terms(found, pieces(body))
    for _ in range(DEEP if made is None else 0):
        body = written_out(body)
        made = made or _of_terms(found, pieces(body))
    return made


def _of_terms(found: Evidence, terms: list[Expr]) -> Explanation | None:
    if not 1 < len(terms) <= 12:
        return None
    values = [[np.asarray(evaluate(term, p, found.truth.axes), dtype=float) for p in found.points] for term in terms]
    for number, term in enumerate(terms):  # one term at a time, first: what was most likely meant
        others = [sum(v[k] for m, v in enumerate(values) if m != number) for k in range(len(found.points))]
        rests = [(values[number][k], c - others[k]) for k, (_, c) in enumerate(found.pairs)]
        made = _factor_of(rests, found.points, f"the term {plain(term)}")
        if made is not None and made[0] != "factor":
            return ("missing term", f"a term is missing: {plain(term)}") if made[0] == "missing term" else made
    return _weights(found, terms, values)


def _weights(found: Evidence, terms: list[Expr], values: list[list[Array]]) -> Explanation | None:
    """Several terms with wrong numbers before them."""
    matrix = np.stack([_stacked(parts) for parts in values], axis=1)
    claimed = _stacked([c for _, c in found.pairs])
    if not (np.all(np.isfinite(matrix)) and np.all(np.isfinite(claimed))):
        return None
    weights, *_ = np.linalg.lstsq(matrix, claimed, rcond=None)
    if not near(matrix @ weights, claimed, 1e-7):
        return None
    shown = [_weighed(w, t) for w, t in zip(weights, terms, strict=True) if not np.isclose(w, 1, rtol=1e-6)]
    return (shown[0][0], "; ".join(reason for _, reason in shown)) if shown else None


def _weighed(weight: float, term: Expr) -> Explanation:
    if abs(weight) < 1e-7:
        return "missing term", f"a term is missing: {plain(term)}"
    if np.isclose(weight, -1, rtol=1e-6):
        return "sign", f"the sign of a term is wrong: {plain(term)}"
    return "constant factor", f"a constant factor: the term {plain(term)} stands {_nice(weight)} times"


def _stacked(parts: list[Array]) -> Array:
    return np.concatenate([np.asarray(part, dtype=float).reshape(-1) for part in parts])


def _symmetric(found: Evidence) -> Explanation | None:
    """The claim holds once a square matrix is made symmetric."""
    squares = [
        t for t in found.traced.inputs
        if t.ndim == 2 and t.axes[0].size == t.axes[1].size and t.dtype == "real"
    ]  # fmt: skip
    for square in squares:
        made = [
            p.with_(arrays={square.name: (p.arrays[square.name] + p.arrays[square.name].T) / 2}) for p in found.points
        ]
        if all(near(found.values(p), found.at(found.truth, p), 1e-7) for p in made):
            return "symmetric only", f"it holds only for symmetric {square.name}"
    return None


def _exchanged(found: Evidence) -> Explanation | None:
    """A factor of the truth is transposed, or a sum runs along another axis: letters of one length are exchanged."""
    if not found.same_shape:
        return None
    for body, words in changes(found.body):
        with contextlib.suppress(Exception):  # an exchange that makes no sense is no explanation
            if found.like(evaluate(body, p, found.truth.axes) for p in found.points):
                return words
    return None


EXPLANATIONS: tuple[Callable[[Evidence], Explanation | None], ...] = (
    _rounded, _factor, _transposed, _summed, _symmetric, _on_simplex, _terms, _exchanged, _varying,
)  # fmt: skip
