"""Functions of matrices of many digits, by mpmath; NaN where a matrix has none."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from derive.axes import (
    Cholesky,
    Determinant,
    Eigenvalue,
    Eigenvector,
    Exponential,
    ExponentialCurvature,
    ExponentialSlope,
    GeneralEigenvalue,
    GeneralEigenvector,
    Inverse,
    LeftVector,
    Logarithm,
    LogarithmSlope,
    LogDeterminant,
    OrthonormalFactor,
    RightVector,
    SingularValue,
    SquareRoot,
    SquareRootSlope,
    TriangularFactor,
)
from derive.oracle import Array

OfMatrices = Callable[[Array], Array]


def _eigenvectors(mp: Any, a: Any) -> Any:
    """In columns; of each, the entry of largest magnitude is positive. Equal eigenvalues have none."""
    values, vectors = mp.eigsy(a)
    if any(values[k + 1] - values[k] <= mp.eps * abs(values[k]) for k in range(a.cols - 1)):
        raise ValueError("equal eigenvalues")
    for k in range(a.cols):
        largest = max((vectors[i, k] for i in range(a.rows)), key=abs)
        for i in range(a.rows if largest < 0 else 0):
            vectors[i, k] = -vectors[i, k]
    return vectors


def _singular(which: int) -> Callable[[Any, Any], Any]:
    """U, σ or V of A = U Σ Vᵀ."""

    def part(mp: Any, a: Any) -> Any:
        if a.rows < a.cols:
            raise ValueError("more columns than rows")
        left, values, turned = mp.svd_r(a)
        right = turned.T
        for k in range(a.cols):
            if values[k] - (values[k + 1] if k + 1 < a.cols else 0) <= mp.eps * values[0] and which != 1:
                raise ValueError("equal singular values")
            largest = max((right[i, k] for i in range(a.cols)), key=abs)
            for matrix in (left, right) if largest < 0 else ():
                for i in range(matrix.rows):
                    matrix[i, k] = -matrix[i, k]
        return (left, values, right)[which]

    return part


def _triangular(which: int) -> Callable[[Any, Any], Any]:
    """Q or R of A = Q R, the diagonal of R positive: Q by Gram and Schmidt, R = QᵀA."""

    def part(mp: Any, a: Any) -> Any:
        if a.rows < a.cols:
            raise ValueError("more columns than rows")
        left, right = mp.matrix(a.rows, a.cols), mp.matrix(a.cols, a.cols)
        for j in range(a.cols):
            column = a[:, j]
            for k in range(j):
                right[k, j] = mp.fdot((left[i, k], column[i]) for i in range(a.rows))
                column -= right[k, j] * left[:, k]
            right[j, j] = mp.norm(column)
            if right[j, j] <= mp.eps * mp.norm(a[:, j]) * 100:
                raise ValueError("columns that depend on each other")
            left[:, j] = column / right[j, j]
        return (left, right)[which]

    return part


def _general(which: int) -> Callable[[Any, Any], Any]:
    """λ, ascending, or X of A X = X Λ, real; of each column of X the length is 1 and the largest entry positive."""

    def part(mp: Any, a: Any) -> Any:
        values, vectors = mp.eig(a)
        small = mp.sqrt(mp.eps) * mp.mnorm(a)
        if any(abs(mp.im(value)) > small for value in values):
            raise ValueError("complex eigenvalues")
        order = sorted(range(a.rows), key=lambda k: mp.re(values[k]))
        if any(abs(values[one] - values[two]) <= small for one, two in itertools.pairwise(order)):
            raise ValueError("equal eigenvalues")
        found = mp.matrix(a.rows, a.cols)
        for place, k in enumerate(order):
            largest = max((vectors[i, k] for i in range(a.rows)), key=abs)
            column = [mp.re(vectors[i, k] / largest) for i in range(a.rows)]
            found[:, place] = mp.matrix(column) / mp.norm(column)
        return ([mp.re(values[k]) for k in order], found)[which]

    return part


def _symmetric(name: str) -> Callable[[Any, Any], Any]:
    """V f(Λ) Vᵀ of a positive definite matrix."""

    def applied(mp: Any, a: Any) -> Any:
        values, vectors = mp.eigsy(a)
        if values[0] <= 0:
            raise ValueError("not positive definite")
        return vectors * mp.diag([getattr(mp, name)(value) for value in values]) * vectors.T

    return applied


def _exponential(mp: Any, a: Any) -> Any:
    return mp.expm(a, method="taylor")


def _of_units(made: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Where an entry ij goes as A moves along the entry rc: at i, j, r, c."""

    def slopes(mp: Any, a: Any) -> Any:
        n = a.rows
        found = [[[[mp.zero] * n for _ in range(n)] for _ in range(n)] for _ in range(n)]
        for r, c in itertools.product(range(n), repeat=2):
            unit = mp.matrix(n, n)
            unit[r, c] = 1
            moved = made(mp, a, unit)
            for i, j in itertools.product(range(n), repeat=2):
                found[i][j][r][c] = moved[i, j]
        return [entry for one in found for two in one for three in two for entry in three]

    return slopes


def _corner(mp: Any, a: Any, unit: Any) -> Any:
    """The corner of e^[[A, E], [0, A]]."""
    n = a.rows
    blocks = mp.matrix(2 * n, 2 * n)
    blocks[:n, :n] = blocks[n:, n:] = a
    blocks[:n, n:] = unit
    return _exponential(mp, blocks)[:n, n:]


def _corners(mp: Any, a: Any) -> Any:
    """The corner of e^[[A, E, 0], [0, A, F], [0, 0, A]] for units E and F, and with both exchanged."""
    n = a.rows
    places = list(itertools.product(range(n), repeat=2))
    corner = {}
    for one, two in itertools.product(places, repeat=2):
        blocks = mp.matrix(3 * n, 3 * n)
        blocks[:n, :n] = blocks[n : 2 * n, n : 2 * n] = blocks[2 * n :, 2 * n :] = a
        blocks[one[0], n + one[1]] = blocks[n + two[0], 2 * n + two[1]] = 1
        corner[one, two] = _exponential(mp, blocks)[:n, 2 * n :]
    return [corner[e, f][at] + corner[f, e][at] for at in places for e in places for f in places]


def _quotients(name: str) -> Callable[[Any, Any, Any], Any]:
    """V ((f(λ_k) − f(λ_l))/(λ_k − λ_l) ∘ VᵀEV) Vᵀ, E even, by quotients that do not cancel: Daleckii and Krein."""

    def quotient(mp: Any, one: Any, two: Any) -> Any:
        if name == "sqrt":
            return 1 / (mp.sqrt(one) + mp.sqrt(two))
        ratio = (one - two) / two
        return mp.log1p(ratio) / (one - two) if ratio else 1 / two

    def moved(mp: Any, a: Any, unit: Any) -> Any:
        values, vectors = mp.eigsy(a)
        if values[0] <= 0:
            raise ValueError("not positive definite")
        inner = vectors.T * (unit + unit.T) / 2 * vectors
        for k, l in itertools.product(range(a.rows), repeat=2):
            inner[k, l] *= quotient(mp, values[k], values[l])
        return vectors * inner * vectors.T

    return moved


# Of one matrix of mpmath's; the lengths of the result are those of its rows (n) and columns (m).
FUNCTIONS: dict[type, tuple[str, Callable[[Any, Any], Any]]] = {
    Inverse: ("mn", lambda mp, a: mp.inverse(a)),
    Determinant: ("", lambda mp, a: mp.det(a)),
    LogDeterminant: ("", lambda mp, a: mp.log(abs(mp.det(a)))),
    Cholesky: ("nm", lambda mp, a: mp.cholesky(a)),
    Eigenvalue: ("n", lambda mp, a: mp.eigsy(a, eigvals_only=True)),
    Eigenvector: ("nm", _eigenvectors),
    SingularValue: ("m", _singular(1)),
    LeftVector: ("nm", _singular(0)),
    RightVector: ("mm", _singular(2)),
    OrthonormalFactor: ("nm", _triangular(0)),
    TriangularFactor: ("mm", _triangular(1)),
    GeneralEigenvalue: ("n", _general(0)),
    GeneralEigenvector: ("nn", _general(1)),
    Exponential: ("nn", _exponential),
    ExponentialSlope: ("nnnn", _of_units(_corner)),
    ExponentialCurvature: ("nnnnnn", _corners),
    SquareRoot: ("nn", _symmetric("sqrt")),
    SquareRootSlope: ("nnnn", _of_units(_quotients("sqrt"))),
    Logarithm: ("nn", _symmetric("log")),
    LogarithmSlope: ("nnnn", _of_units(_quotients("log"))),
}


def _each(mp: Any, sides: str, function: Callable[[Any, Any], Any]) -> OfMatrices:
    def of_matrices(matrices: Array) -> Array:
        lengths = dict(zip("nm", matrices.shape[-2:], strict=True))
        shape = tuple(lengths[side] for side in sides)
        found = np.empty((*matrices.shape[:-2], *shape), dtype=object)
        for place in np.ndindex(matrices.shape[:-2]):
            entries = [[mp.convert(entry) for entry in row] for row in matrices[place]]
            try:
                if not all(mp.isfinite(entry) for row in entries for entry in row):
                    raise ValueError("no finite matrix")
                one = function(mp, mp.matrix(entries))
            except (ValueError, ZeroDivisionError):  # singular, or not positive definite
                found[place] = mp.nan
                continue
            found[place] = np.array(list(one), dtype=object).reshape(shape) if sides else one
        return found

    return of_matrices


def of_matrices(context: Any) -> Mapping[type, OfMatrices]:
    """The table of functions in the context's precision."""
    return {kind: _each(context, sides, function) for kind, (sides, function) in FUNCTIONS.items()}
