"""Functions of matrices as atoms: the letters of what the matrix depends on, then the indices of the result's entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .algebra import Algebra
from .data import Head, Letter, Poly

# How many indices an entry of the result has.
INDICES: dict[str, int] = {"inv": 2, "det": 0, "logdet": 0, "cholesky": 2, "eigenvalue": 1, "eigenvector": 2,
                           "singular_value": 1, "left_vector": 2, "right_vector": 2, "orthonormal_factor": 2,
                           "triangular_factor": 2, "general_eigenvalue": 1, "general_eigenvector": 2,
                           "exponential": 2, "exponential_slope": 4, "exponential_curvature": 6, "square_root": 2,
                           "square_root_slope": 4, "logarithm": 2, "logarithm_slope": 4}  # fmt: skip
TALL = frozenset({"left_vector", "orthonormal_factor"})  # whose first index is a row of the matrix
EVEN = frozenset({"square_root_slope", "logarithm_slope"})  # at i, j, r, c: as at j, i, r, c and at r, c, i, j
SYMMETRIC = EVEN | frozenset(
    {"inv", "exponential", "square_root", "logarithm"}
)  # of a symmetric matrix it is symmetric, too

EIGHT = tuple(
    order for pair in ((0, 1, 2, 3), (2, 3, 0, 1)) for one in (pair, (pair[1], pair[0], *pair[2:]))
    for order in (one, (*one[:2], one[3], one[2]))
)  # fmt: skip


def matrix_function(
    algebra: Algebra, label: str, body: Poly, over: tuple[Letter, ...], at: Iterable[Letter] = ()
) -> Poly:
    """The entry `at` of the function `label` of the matrix `body` over two letters, as an atom."""
    at = tuple(at)
    names = {a: algebra.canonical("over", algebra.letter_space[a], k) for k, a in enumerate(over)}
    over = tuple(names.values())
    bodies, letters = algebra.closed_over((algebra.relabelled(body, names),), over)
    slots = tuple(sorted(set(algebra.free(bodies[0])) - set(over)))
    taken = Counter(algebra.letter_space[a] for a in slots)
    outer = []
    for letter in at:
        space = algebra.letter_space[letter]
        outer.append(algebra.canonical("slot", space, taken[space]))
        taken[space] += 1
    every = (*slots, *outer)
    spaces = tuple(algebra.letter_space[a] for a in every)
    known = len(algebra.heads)
    head = algebra.head((label, bodies, over, spaces), "op", label, spaces, slots=every, args=bodies, over=over)
    if head.id == known and (turns := _turns(algebra, label, bodies[0], over)):
        same = tuple(range(len(slots)))
        algebra.turns[head.id] = tuple((*same, *(len(slots) + place for place in turn)) for turn in turns)
    return algebra.atom(head, (*letters, *at))


def _turns(algebra: Algebra, label: str, body: Poly, over: tuple[Letter, ...]) -> tuple[tuple[int, ...], ...]:
    """The orders of the indices in which an entry is the same; none where there is but one."""
    if label == "exponential_curvature":
        return ((0, 1, 2, 3, 4, 5), (0, 1, 4, 5, 2, 3))
    if label not in SYMMETRIC or turned(algebra, body, over) != body:
        return ()
    return EIGHT if label in EVEN else ((0, 1), (1, 0))


def turned(algebra: Algebra, body: Poly, over: tuple[Letter, ...]) -> Poly:
    """The transpose of a matrix."""
    rows, columns = over
    return algebra.relabelled(body, {rows: columns, columns: rows})


def entries(head: Head, letters: tuple[Letter, ...]) -> tuple[tuple[Letter, ...], tuple[Letter, ...]]:
    """(letters of what the matrix depends on, indices of the result's entry)."""
    split = len(letters) - INDICES[head.label]
    return letters[:split], letters[split:]


def matrix_of(algebra: Algebra, poly: Poly) -> Head | None:
    """The head of a poly that is one entry of a matrix function, else None."""
    if len(poly) != 1 or poly[0][1] != 1 or poly[0][0][1] or len(poly[0][0][0]) != 1:
        return None
    ((atom, power),) = poly[0][0][0]
    head = algebra.heads[atom[0]]
    return head if power == 1 and head.kind == "op" and head.label in INDICES else None
