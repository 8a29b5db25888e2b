"""Assumptions as data: which inputs satisfy a statement, and whether given ones do.

The kinds that can be sampled, each written either way round:

simplex       equals(sum_over(c, t[b, c]), 1)
unit length   equals(sum_over(d, x[b, d] ** 2), 1)
symmetric     equals(A[n, m], A[m, n])
orthogonal    equals(sum_over(k, Q[n, k] * Q[m, k]), one_hot(n, m))
triangular    equals(where(m > n, A[n, m], 0), 0), or equals(A[n, m], where(m <= n, A[n, m], 0)): any pattern of zeros
spectrum      real_spectrum(A): eigenvalues that are real and differ
definite      definite(A), or sum_over((n, m), v[n] * A[n, m] * v[m]) > 0 for some input v; sampled symmetric as well
bounds        x[b, d] > 0, p < 1, 1 - p > 0, 0 <= p: affine in one input or Scalar; two bounds make an interval
sizes         p <= y.size, 2 * p <= r.size, equals(...): restrict which lengths and parameters are drawn

Any other kind brings `sample(rng, shapes)`, which maps names to shapes into names to arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sympy
from sympy import Expr
from sympy.core.basic import Basic
from sympy.core.relational import Relational

from derive.axes import (
    Axis,
    BoolEntry,
    Delta,
    Eigenvalue,
    Entry,
    GeneralEigenvalue,
    Scalar,
    SumOver,
    Unsupported,
    Where,
    free_axes,
    rename,
    tensors_of,
)
from derive.oracle import Array, Point, evaluate
from derive.steps import Assumed, Subject

Random = np.random.Generator
Repair = Callable[[Array], Array]  # entries ~ N(0, 1) → entries that satisfy a statement


def sides(statement: Basic) -> tuple[tuple[Basic, Basic], ...]:
    """Both ways to read an equation."""
    left, right = statement.args
    return (left, right), (right, left)


def _summed_places(total: Basic, entry: Basic) -> tuple[int, ...] | None:
    """The places of the summed letters in the entry, when each occurs there."""
    if not (isinstance(total, SumOver) and isinstance(entry, Entry)) or any(a not in entry.indices for a in total.axes):
        return None
    return tuple(entry.indices.index(letter) for letter in total.axes)


def _square_root(body: Basic) -> Basic | None:
    """x of x² or of x·x."""
    if isinstance(body, sympy.Pow) and body.args[1] == 2:
        return body.args[0]
    if isinstance(body, sympy.Mul) and len(body.args) == 2 and body.args[0] == body.args[1]:
        return body.args[0]
    return None


def _factors(body: Basic) -> list[Basic]:
    """The factors of a product, also of one that was written as products of products."""
    return [f for part in body.args for f in _factors(part)] if isinstance(body, sympy.Mul) else [body]


def simplex(left: Basic, right: Basic) -> tuple[Entry, Repair] | None:
    """Σ_c t[…, c] = 1: positive shares that sum to one."""
    places = _summed_places(left, left.args[0]) if isinstance(left, SumOver) and right == 1 else None
    if places is None:
        return None
    return left.args[0], lambda array: np.exp(array) / np.exp(array).sum(axis=places, keepdims=True)


def unit(left: Basic, right: Basic) -> tuple[Entry, Repair] | None:
    """Σ_d x[…, d]² = 1: vectors of unit length."""
    root = _square_root(left.args[0]) if isinstance(left, SumOver) and right == 1 else None
    places = _summed_places(left, root) if root is not None else None
    if root is None or places is None:
        return None
    return root, lambda array: array / np.sqrt((array**2).sum(axis=places, keepdims=True))


def symmetric(left: Basic, right: Basic) -> tuple[Entry, Repair] | None:
    """A[n, m] = A[m, n]: the mean of an array and its transpose."""
    if not (isinstance(left, Entry) and isinstance(right, Entry) and left.tensor == right.tensor):
        return None
    moved = [k for k, (a, b) in enumerate(zip(left.indices, right.indices, strict=True)) if a != b]
    if len(moved) != 2 or left.indices[moved[0]] != right.indices[moved[1]]:
        return None
    return left, lambda array: (array + array.swapaxes(*moved)) / 2


def orthogonal(left: Basic, right: Basic) -> tuple[Entry, Repair] | None:
    """Σ_k Q[n, k] Q[m, k] = δ(n, m): rows of an orthogonal factor; needs no more rows than columns."""
    if not (isinstance(left, SumOver) and isinstance(right, Delta)):
        return None
    factors = _factors(left.body)
    if len(factors) != 2 or not all(isinstance(f, Entry) and f.tensor == factors[0].tensor for f in factors):
        return None
    rows = [k for k, (a, b) in enumerate(zip(factors[0].indices, factors[1].indices, strict=True)) if a != b]
    columns = _summed_places(left, factors[0])
    if len(rows) != 1 or columns is None or len(columns) != 1:
        return None

    def repair(array: Array) -> Array:
        matrices = np.moveaxis(array, (columns[0], rows[0]), (-2, -1))
        factor = np.linalg.qr(matrices)[0]
        return np.moveaxis(factor, (-2, -1), (columns[0], rows[0]))

    return factors[0], repair


def zeroed(left: Basic, right: Basic) -> tuple[Entry, Repair] | None:
    """where(m > n, A[n, m], 0) = 0, or A[n, m] = where(m ≤ n, A[n, m], 0): zeros where letters and sizes say so."""
    if not isinstance(left, Where) or not isinstance(left.args[1], Entry) or left.args[2] != 0:
        return None
    condition, entry = left.args[0], left.args[1]
    letters = entry.indices
    if condition.atoms(Entry, BoolEntry) or len(set(letters)) < len(letters) or right not in (0, entry):
        return None
    if any(not isinstance(letter, Axis) for letter in letters) or not set(free_axes(condition)) <= set(letters):
        return None

    def repair(array: Array) -> Array:
        sizes = {letter.size: length for letter, length in zip(letters, array.shape, strict=True)}
        holds = evaluate(condition, Point({}, sizes), letters)
        return np.where(holds, 0.0, array) if right == 0 else np.where(holds, array, 0.0)

    return entry, repair


KINDS: tuple[Callable[[Basic, Basic], tuple[Entry, Repair] | None], ...] = (
    *(simplex, unit, symmetric, orthogonal),
    zeroed,
)


def definite(statement: Basic) -> tuple[Entry, Repair] | None:
    """λ_k(A) > 0, or Σ v[n] A[n, m] v[m] > 0: a symmetric matrix with eigenvalues of at least 1/10."""
    form, zero = statement.args if isinstance(statement, (sympy.Gt, sympy.Ge)) else reversed(statement.args)
    if zero == 0 and isinstance(form, Eigenvalue):
        entries = [e for e in form.body.atoms(Entry) if e.tensor.body is None and set(form.axes) <= set(e.indices)]
        if len({e.tensor for e in entries}) != 1:
            return None
        entry = min(entries, key=str)  # A, not Aᵀ: a set has no order
        return entry, _definite(entry, form.axes)
    if zero != 0 or not isinstance(form, SumOver) or len(form.axes) != 2:
        return None
    factors = _factors(form.body)
    pairs = [f for f in factors if isinstance(f, Entry) and set(form.axes) <= set(f.indices)]
    others = [f for f in factors if f not in pairs]
    if len(pairs) != 1 or len(others) != 2 or not all(isinstance(f, Entry) for f in others):
        return None
    if rename(others[0], dict(zip(form.axes, reversed(form.axes), strict=True))) != others[1]:
        return None
    return pairs[0], _definite(pairs[0], form.axes)


def real_spectrum(statement: Basic) -> tuple[Entry, Repair] | None:
    """|λ_k − λ_l| + δ_kl > 0 of a matrix: real eigenvalues, at least 1/2 apart."""
    values = statement.atoms(GeneralEigenvalue)
    entries = {e for value in values for e in value.body.atoms(Entry) if set(value.axes) <= set(e.indices)}
    if not values or len({e.tensor for e in entries}) != 1 or any(e.tensor.body is not None for e in entries):
        return None
    entry = min(entries, key=str)
    letters = next(v.axes for v in sorted(values, key=str) if set(v.axes) <= set(entry.indices))
    places = tuple(entry.indices.index(letter) for letter in letters)

    def repair(array: Array) -> Array:
        matrices = np.moveaxis(array, places, (-2, -1))
        vectors = np.linalg.qr(matrices)[0] @ (np.eye(matrices.shape[-1]) + np.triu(np.tanh(matrices), 1) / 2)
        values = np.cumsum(0.5 + np.abs(matrices[..., 0]), axis=-1) - 2
        return np.moveaxis(vectors * values[..., None, :] @ np.linalg.inv(vectors), (-2, -1), places)

    return entry, repair


def _definite(entry: Entry, letters: tuple[Axis, ...]) -> Repair:
    """A Aᵀ + 1/10, for these two letters of the entry."""
    places = tuple(entry.indices.index(letter) for letter in letters)

    def repair(array: Array) -> Array:
        matrices = np.moveaxis(array, places, (-2, -1))
        made = matrices @ np.swapaxes(matrices, -2, -1) + np.eye(matrices.shape[-1]) / 10
        return np.moveaxis(made, (-2, -1), places)

    return repair


@dataclass(frozen=True)
class Bound:
    """A limit on an input's entries or on a scalar: name > limit, or name < limit."""

    name: str
    lower: bool
    limit: Expr


def bound(statement: Basic) -> Bound | None:
    """x[…] > a, a < x[…], 1 − p > 0, 2·x[…] ≤ a: affine in an input or a scalar; a mentions no tensor and no letter."""
    left, right = statement.args if isinstance(statement, (sympy.Gt, sympy.Ge)) else reversed(statement.args)
    difference = sympy.expand(_evaluated(left) - _evaluated(right))  # is positive
    inputs = [e for e in difference.atoms(Entry) if e.tensor.body is None]
    for named in sorted(inputs or difference.atoms(Scalar), key=str):
        slope, rest = difference.coeff(named, 1), difference.coeff(named, 0)
        if not slope.is_Number or sympy.expand(difference - slope * named - rest) != 0:
            continue
        if not rest.atoms(Entry) and not free_axes(rest):
            name = named.tensor.name if isinstance(named, Entry) else named.name
            return Bound(name, bool(slope > 0), -rest / slope)
    return None


def _evaluated(side: Basic) -> Expr:
    """The sum or product with its numbers put together: it was written unevaluated."""
    return side.func(*map(_evaluated, side.args)) if isinstance(side, (sympy.Add, sympy.Mul)) else side


def about_sizes(statement: Basic) -> bool:
    """Whether a statement is about sizes and numbers alone."""
    return not statement.atoms(Entry, BoolEntry, Axis, Scalar)


def within(array: Array, low: float, high: float) -> Array:
    """Entries ~ N(0, 1) moved well inside an interval, which may be open on a side."""
    if np.isinf(low) and np.isinf(high):
        return array
    if np.isinf(high):
        return low + 0.1 + np.abs(array)
    if np.isinf(low):
        return high - 0.1 - np.abs(array)
    return low + (high - low) * (0.05 + 0.9 / (1 + np.exp(-array)))


def repairs(subject: Subject) -> tuple[tuple[Bound, ...], tuple[tuple[str, Repair], ...], tuple[Assumed, ...]]:
    """What makes inputs satisfy the assumptions: bounds first, then repairs in order, then samplers of their own.

    Raises Unsupported for a statement of another kind that brings no sampler.
    """
    bounds: list[Bound] = []
    kinds: list[tuple[str, Repair]] = []
    own: list[Assumed] = []
    for assumption in subject.assumptions:
        statement = assumption.statement
        given = [t for t in tensors_of(statement) if t.body is None] or list(statement.atoms(Scalar))
        ordered = isinstance(statement, (sympy.Gt, sympy.Ge, sympy.Lt, sympy.Le))
        if assumption.sample is not None:
            own.append(assumption)
        elif about_sizes(statement):
            continue  # the lengths are drawn so
        elif (found := _of_matrix(statement) if ordered else _kind(statement)) is not None:
            kinds.append((found[0].tensor.name, found[1]))
        elif ordered and (limit := bound(statement)) is not None:
            bounds.append(limit)
        elif given:  # a statement about intermediates only is not arranged, but it is checked
            raise Unsupported(f"{subject.name}: no sampler for the assumption {statement}: use assume(..., sample=...)")
    return tuple(bounds), tuple(kinds), tuple(own)


def _of_matrix(statement: Basic) -> tuple[Entry, Repair] | None:
    return real_spectrum(statement) or definite(statement)


def _kind(statement: Basic) -> tuple[Entry, Repair] | None:
    found = (kind(*reading) for kind in KINDS for reading in sides(statement) if isinstance(statement, sympy.Eq))
    return next((answer for answer in found if answer is not None and answer[0].tensor.body is None), None)


def broken(statement: Basic, point: Point, tolerance: float = 1e-6) -> str:
    """Where the statement fails at the point, in words; empty when it holds (equations to the given tolerance)."""
    letters = free_axes(statement)
    left, right = (evaluate(side, point, letters) for side in statement.args)
    if isinstance(statement, sympy.Eq):
        holds = np.abs(left - right) <= tolerance * (1 + np.abs(right))
    else:
        holds = evaluate(statement, point, letters)
    if np.all(holds):
        return ""
    index = tuple(int(i) for i in np.argwhere(~holds)[0])
    place = ", ".join(f"{letter.name}={i}" for letter, i in zip(letters, index, strict=True))
    sign = statement.rel_op.replace("==", "=") if isinstance(statement, Relational) else "="
    shown = str(statement) if sign != "=" else f"{statement.args[0]} = {statement.args[1]}"
    return f"{shown} is broken{f' at {place}' if place else ''}: {left[index]:.6g} {sign} {right[index]:.6g} is false"
