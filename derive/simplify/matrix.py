"""What defines a matrix function, as polys that are zero: A A⁻¹ = 1, L Lᵀ = A, Vᵀ V = 1, V Vᵀ = 1, Uᵀ U = 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from derive.terms import Algebra, Head, Letter, Poly, entries, matrix_function, matrix_of

from .rules import Fact, Rules
from .symmetry import ASSUMED, defined


@dataclass(frozen=True)
class Named:
    """A definition X = f(A) at letters of one's choice."""

    rules: Rules
    head: Head

    @property
    def at(self) -> tuple[Letter, ...]:
        return entries(self._function, self._letters)[1]

    @property
    def _function(self) -> Head:
        found = matrix_of(self.rules.algebra, self.head.definition)
        assert found is not None
        return found

    @property
    def _letters(self) -> tuple[Letter, ...]:
        letters: tuple[Letter, ...] = self.head.definition[0][0][0][0][0][1]
        return letters

    def value(self, *at: Letter) -> Poly:
        """X_at."""
        algebra = self.rules.algebra
        return algebra.relabelled(algebra.atom(self.head, self.head.slots), dict(zip(self.at, at, strict=True)))

    def matrix(self, row: Letter, column: Letter) -> Poly:
        """A at (row, column)."""
        (body,), over = self.rules.algebra.unbound(self._function, self._letters)
        return self.rules.algebra.relabelled(body, dict(zip(over, (row, column), strict=True)))

    def traced(self, slope: str) -> Poly:
        """Σ_k ∂X_kk/∂A_at."""
        algebra, k = self.rules.algebra, self.rules.algebra.fresh(self.at[0])
        (body,), over = algebra.unbound(self._function, self._letters)
        return algebra.summed(matrix_function(algebra, slope, body, over, (k, k, *self.at)), (k,))

    def inverse(self, of: Callable[[Letter, Letter], Poly], *at: Letter) -> Poly:
        """The entry `at` of the inverse of a matrix."""
        algebra = self.rules.algebra
        one, two = (algebra.fresh(letter) for letter in self.at)
        return matrix_function(algebra, "inv", of(one, two), (one, two), at)

    def contracted(self, one: Poly, two: Poly, over: Letter) -> Poly:
        """Σ_over one · two."""
        return self.rules.algebra.summed(self.rules.algebra.mul(one, two), (over,))

    def less(self, left: Poly, right: Poly) -> Poly:
        """left − right."""
        return self.rules.algebra.add(left, self.rules.algebra.scaled(right, -1))

    def unit(self, i: Letter, j: Letter) -> Poly:
        return self.rules.algebra.atom(self.rules.algebra.delta, (i, j))


def _inverse(x: Named) -> Iterator[Poly]:
    i, j = x.at
    k = x.rules.algebra.fresh(i)
    yield x.less(x.contracted(x.value(i, k), x.matrix(k, j), k), x.unit(i, j))
    yield x.less(x.contracted(x.matrix(i, k), x.value(k, j), k), x.unit(i, j))


def _cholesky(x: Named) -> Iterator[Poly]:
    i, j = x.at
    k = x.rules.algebra.fresh(i)
    yield x.less(x.contracted(x.value(i, k), x.value(j, k), k), x.matrix(i, j))
    turned = x.contracted(x.inverse(x.value, k, i), x.inverse(x.value, k, j), k)
    yield x.less(turned, x.inverse(x.matrix, i, j))  # L⁻ᵀ L⁻¹ = A⁻¹
    yield x.less(x.contracted(x.inverse(x.value, i, k), x.value(k, j), k), x.unit(i, j))


def _eigenvector(x: Named) -> Iterator[Poly]:
    i, j = x.at
    k = x.rules.algebra.fresh(i)
    yield x.less(x.contracted(x.value(k, i), x.value(k, j), k), x.unit(i, j))
    yield x.less(x.contracted(x.value(i, k), x.value(j, k), k), x.unit(i, j))


def _left_vector(x: Named) -> Iterator[Poly]:
    i, k = x.at
    row, other = x.rules.algebra.fresh(i), x.rules.algebra.fresh(k)
    yield x.less(x.contracted(x.value(row, k), x.value(row, other), row), x.unit(k, other))


def _root(x: Named) -> Iterator[Poly]:
    i, j = x.at
    k = x.rules.algebra.fresh(i)
    yield x.less(x.contracted(x.value(i, k), x.value(k, j), k), x.matrix(i, j))


def _exponential(x: Named) -> Iterator[Poly]:
    """tr e^A moves by tr(e^A A′): the trace of the slope."""
    i, j = x.at
    yield x.less(x.traced("exponential_slope"), x.value(j, i))


def _square_root(x: Named) -> Iterator[Poly]:
    """S S = A; and tr S moves by tr(S⁻¹ A′)/2."""
    yield from _root(x)
    half = x.rules.algebra.scaled(x.inverse(x.value, *x.at), Fraction(1, 2))
    yield x.less(x.traced("square_root_slope"), half)


def _logarithm(x: Named) -> Iterator[Poly]:
    """tr log A moves by tr(A⁻¹ A′)."""
    yield x.less(x.traced("logarithm_slope"), x.inverse(x.matrix, *x.at))


@dataclass(frozen=True)
class Inline(Named):
    """A function f(A) without a name, at the letters of its head."""

    @property
    def _function(self) -> Head:
        return self.head

    @property
    def _letters(self) -> tuple[Letter, ...]:
        return self.head.slots


DEFINING: dict[str, Callable[[Named], Iterator[Poly]]] = {
    "inv": _inverse,
    "cholesky": _cholesky,
    "eigenvector": _eigenvector,
    "right_vector": _eigenvector,
    "left_vector": _left_vector,
    "orthonormal_factor": _left_vector,
    "square_root": _square_root,
    "exponential": _exponential,
    "logarithm": _logarithm,
}


def defining(rules: Rules, heads: Iterable[Head]) -> Iterator[tuple[int, Poly]]:
    """(the definition, a poly that is zero) for each definition that is a function of a matrix."""
    for head in heads:
        function = matrix_of(rules.algebra, head.definition)
        for equation in DEFINING[function.label](Named(rules, head)) if function and function.label in DEFINING else ():
            yield head.id, equation


def mirrored(rules: Rules, heads: Iterable[Head], normal: Callable[[Poly], Poly]) -> None:
    """Enter what is symmetric, by its definition or as the inverse of such a matrix."""
    algebra = rules.algebra
    _asked_for(algebra)
    for head in heads:
        if _is_inverse(matrix_of(algebra, head.definition)):
            _inherited(Named(rules, head), head.id, normal)
        else:
            defined(rules, head)
    for head in [h for h in algebra.heads if _is_inverse(h)]:
        _inherited(Inline(rules, head), None, normal)


def _inherited(x: Named, source: int | None, normal: Callable[[Poly], Poly]) -> None:
    """The inverse of a matrix that is symmetric is symmetric, too."""
    i, j = x.at
    if x.head.id in x.rules.algebra.turns or not _symmetric(x, i, j, normal):
        return
    places = [x.head.slots.index(i), x.head.slots.index(j)]
    order = list(range(len(x.head.slots)))
    order[places[0]], order[places[1]] = places[1], places[0]
    known = x.rules.symmetric
    sources = [known[a[0]][1].source for (f, _), _ in x.matrix(i, j) for a, _ in f if a[0] in known]
    made = max(sources, default=ASSUMED) if source is None else source
    known[x.head.id] = (tuple(order), Fact((((x.head.id, x.head.slots), 1),), (), x.value(j, i), made))


def _symmetric(x: Named, i: Letter, j: Letter, normal: Callable[[Poly], Poly]) -> bool:
    """Whether the matrix of x is its own transpose."""
    return not normal(x.less(x.matrix(i, j), x.matrix(j, i)))


def _asked_for(algebra: Algebra) -> None:
    """The inverses that derivatives of determinants will have."""
    for head in [h for h in algebra.heads if h.kind == "op" and h.label in ("det", "logdet")]:
        (body,), over = algebra.unbound(head, head.slots)
        matrix_function(algebra, "inv", body, over, map(algebra.fresh, over))


def _is_inverse(head: Head | None) -> bool:
    return head is not None and head.kind == "op" and head.label == "inv"
