"""Which matrices are symmetric and positive semidefinite, by what is assumed and by how they are made.

The entry e[n, m] is read as a matrix in two letters. Where such a matrix has an inverse it is positive definite, so one
Cholesky factor serves for all that is asked of it. A matrix no law knows is none: it is then factored as any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sympy import Add, Mul, Pow, StrictGreaterThan, exp
from sympy.core.basic import Basic

from derive.axes import (
    Axis,
    Delta,
    Eigenvalue,
    Entry,
    Inverse,
    MeanOver,
    Scalar,
    Size,
    SumOver,
    Tensor,
    fresh_letter,
    rename,
)

from .symmetric import Letters, Symmetric, body_of, everywhere, letters_of, shadows, turned, unpaired


class Definite(Symmetric):
    """What is known of matrices from the assumptions of a formula."""

    def __init__(self, statements: Iterable[Basic]) -> None:
        self._positive: set[str] = set()
        self._declared: set[str] = set()
        self._known: dict[tuple[Any, tuple[Axis, ...]], bool] = {}
        super().__init__(statements)

    def _note(self, statement: Basic) -> None:
        super()._note(statement)
        if isinstance(statement, StrictGreaterThan) and statement.args[1] == 0:
            what = statement.args[0]
            if isinstance(what, Eigenvalue):
                self._declared |= {t.name for t in what.body.atoms(Tensor)} if _symmetrised(what) else set()
            elif isinstance(what, Scalar) or everywhere(what):
                self._positive.add(what.name if isinstance(what, Scalar) else what.tensor.name)

    def proved(self, e: Any, letters: tuple[Axis, ...]) -> bool:
        """Whether e is symmetric and positive semidefinite in two letters."""
        key = (e, letters)
        if key not in self._known:
            self._known[key] = False  # what rests on itself is not proved
            self._known[key] = self._semidefinite(e, letters[0], letters[1])
        return self._known[key]

    def _semidefinite(self, e: Any, n: Axis, m: Axis) -> bool:
        both = (n, m)
        if not letters_of(e) & {n, m}:
            return self.nonnegative(e)  # c 1 1ᵀ
        if isinstance(e, Entry):
            if e.tensor.name in self._declared and self.parity(e, both) == 1:
                return True
            return e.tensor.body is not None and self.proved(body_of(e), both)
        if isinstance(e, Delta):
            return set(e.args) == {n, m}
        if isinstance(e, Add):
            return all(self.proved(term, both) for term in e.args)
        if isinstance(e, Mul):
            return self._product(e.args, both)
        if isinstance(e, Pow):
            whole = e.exp.is_Integer and e.exp > 0  # powers of the entries (Schur); else 1/(c + D)^p, as ∫ e^−(c + D)t
            return self.proved(e.base, both) if whole else bool(e.exp.is_negative) and self._far(e.base, both, 1)
        if isinstance(e, exp):
            return self._exponent(e.args[0], both)
        if isinstance(e, (SumOver, MeanOver)):
            return not shadows(e, both) and (self.proved(e.body, both) or self._congruent(e, both))
        return isinstance(e, Inverse) and set(e.at) == {n, m} and self.proved(e.body, e.axes)

    def _product(self, factors: Iterable[Any], both: Letters) -> bool:
        """f(n) f(m) · Π of such matrices, entry by entry (Schur); of a diagonal matrix only the diagonal counts."""
        factors = list(factors)
        if any(isinstance(f, Delta) and set(f.args) == set(both) for f in factors):
            rest = [rename(f, {both[1]: both[0]}) for f in factors if not isinstance(f, Delta)]
            return all(map(self.nonnegative, rest)) and sum(isinstance(f, Delta) for f in factors) == 1
        left = unpaired(factors, both)
        return left is not None and all(self.proved(f, both) for f in left)

    def _exponent(self, u: Any, both: Letters) -> bool:
        """e^u: of a semidefinite u (its powers are), of u = −D for what counts as a squared distance D (Schoenberg)."""
        terms = Add.make_args(u)
        return all(self.proved(t, both) or self._far(-t, both, 0) or not self._mixed(t, both) for t in terms)

    def _mixed(self, e: Any, both: Letters) -> bool:
        return bool(letters_of(e) & set(both))

    def _far(self, e: Any, both: Letters, least: int) -> bool:
        """Whether e is like a squared distance: −e is semidefinite on what adds to zero. With `least`, e > 0, too."""
        if isinstance(e, Entry) and e.tensor.body is not None:
            return self._far(body_of(e), both, least)
        if isinstance(e, Add):
            if least and not any(t.is_positive and not self._mixed(t, both) for t in e.args):
                return False
            return all(self._far(t, both, 0) if self._mixed(t, both) else self.nonnegative(t) for t in e.args)
        if least:
            return False
        if isinstance(e, (SumOver, MeanOver)):
            return not shadows(e, both) and self._far(e.body, both, 0)
        if isinstance(e, Mul):
            mixed = [f for f in e.args if self._mixed(f, both)]
            rest = [f for f in e.args if not self._mixed(f, both)]
            return len(mixed) == 1 and all(map(self.nonnegative, rest)) and self._far(mixed[0], both, 0)
        if isinstance(e, Pow):
            if e.exp == 2:
                return self._difference(e.base, both)
            return bool(0 < e.exp <= 1) and self._far(e.base, both, 0)
        return False

    def _difference(self, e: Any, both: Letters) -> bool:
        """f(n) − f(m)."""
        if isinstance(e, Entry) and e.tensor.body is not None and set(both) <= letters_of(e):
            return self._difference(body_of(e), both)
        terms = Add.make_args(e)
        apart = all(len(letters_of(t) & set(both)) == 1 for t in terms)
        return len(terms) == 2 and apart and self.parity(e, both) == -1

    def _congruent(self, e: Any, both: Letters) -> bool:
        """Σ_st F[n, s] P[s, t] F[m, t], for a semidefinite P."""
        letters, factors = _flattened(e, both)
        for s in letters:
            for t in letters:
                if s == t or s.size != t.size:
                    continue
                left = [f for f in factors if letters_of(f) & {both[0], s} and not letters_of(f) & {both[1], t}]
                right = [f for f in factors if letters_of(f) & {both[1], t} and not letters_of(f) & {both[0], s}]
                exchange = {both[0]: both[1], s: t}
                inner = Mul(*(f for f in factors if f not in left and f not in right))
                halves = sorted((rename(f, exchange) for f in left), key=str) == sorted(right, key=str)
                if left and halves and not self._mixed(inner, both) and self.proved(inner, (s, t)):
                    return True
        return False

    def nonnegative(self, e: Any) -> bool:
        """Whether a number, or every entry, is at least 0."""
        if isinstance(e, (Entry, Scalar)) and (e.tensor if isinstance(e, Entry) else e).name in self._positive:
            return True
        if isinstance(e, Entry):
            return e.tensor.body is not None and self.nonnegative(body_of(e))
        if isinstance(e, (exp, Size)) or e.is_nonnegative:
            return True
        if isinstance(e, Pow):
            return bool(e.exp.is_even) or self.nonnegative(e.base)
        inside = (e.body,) if isinstance(e, (SumOver, MeanOver)) else e.args
        return isinstance(e, (Add, Mul, SumOver, MeanOver)) and all(map(self.nonnegative, inside))


def _symmetrised(function: Any) -> bool:
    """Whether a function is one of (A + Aᵀ)/2, for a tensor A."""
    return unsymmetrised(function.body, function.axes) is not None


def unsymmetrised(e: Any, letters: Any) -> Any:
    """A[n, m] of (A[n, m] + A[m, n])/2; None of anything else."""
    total = 2 * e
    terms: tuple[Any, ...] = total.args if isinstance(total, Add) else ()
    if len(terms) != 2 or not all(isinstance(t, Entry) for t in terms) or terms[0].tensor != terms[1].tensor:
        return None
    return next((t for t in terms if t.indices[-2:] == tuple(letters)), None) if turned(*terms) else None


def _flattened(e: Any, both: Letters) -> tuple[list[Axis], list[Any]]:
    """(letters, factors) of a sum of a product, with the sums that are named or stand within it opened."""
    letters, waiting = list(e.axes), list(Mul.make_args(e.body))
    factors: list[Any] = []
    while waiting:
        f = waiting.pop()
        if isinstance(f, Entry) and f.tensor.body is not None and len(letters_of(f) & set(both)) == 1:
            f = body_of(f)
        if isinstance(f, SumOver):
            taken = {a.name for g in (*waiting, *factors, f) for a in letters_of(g)} | {a.name for a in letters}
            fresh = {a: fresh_letter(a, taken) for a in f.axes if a.name in taken}
            letters += [fresh.get(a, a) for a in f.axes]
            f = rename(f.body, fresh)
        if isinstance(f, Mul):
            waiting += f.args
        else:
            factors.append(f)
    return letters, factors


__all__ = ["Definite", "unsymmetrised"]
