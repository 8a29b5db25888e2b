"""Functions of matrices: LAPACK's, on the last two axes; a sum against an inverse solves a system instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from derive.axes import (
    Axis,
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

from . import factors
from .algebra import Hint, real
from .node import Graph, Node, View
from .program import Code, Op
from .window import at
from .window_code import turned

if TYPE_CHECKING:
    from .read import Reader

OPERATIONS: dict[type, str] = {
    Inverse: "inverse",
    Determinant: "determinant",
    LogDeterminant: "logdet",
    Cholesky: "cholesky",
    Eigenvalue: "eigenvalues",
    Eigenvector: "eigenvectors",
    SingularValue: "singular_values",
    Exponential: "exponential",
    ExponentialSlope: "exponential_slopes",
    ExponentialCurvature: "exponential_curvatures",
    SquareRoot: "square_root",
    SquareRootSlope: "square_root_slopes",
    Logarithm: "logarithm",
    LogarithmSlope: "logarithm_slopes",
}
# What comes out of one factorisation: the operation, and which of its results.
PARTS: dict[type, tuple[str, int]] = {
    LeftVector: ("singular_vectors", 0),
    RightVector: ("singular_vectors", 1),
    OrthonormalFactor: ("qr_factors", 0),
    TriangularFactor: ("qr_factors", 1),
    GeneralEigenvalue: ("eigenpairs", 0),
    GeneralEigenvector: ("eigenpairs", 1),
}
# Arrays of four indices and of six: pairs of the result, and of each matrix that they are taken along.
SLOPES = {"exponential_slopes": 2, "square_root_slopes": 2, "logarithm_slopes": 2, "exponential_curvatures": 3}
Pair = tuple[Axis, Axis]
# The sides of the result: of the rows (0) and of the columns (1); else both in order.
SIDES = {Inverse: (1, 0), SingularValue: (1,), RightVector: (1, 1), TriangularFactor: (1, 1)} | dict.fromkeys(
    (ExponentialSlope, SquareRootSlope, LogarithmSlope), (0, 1, 0, 1)
)
SIDES[ExponentialCurvature] = (0, 1, 0, 1, 0, 1)
HELPERS = frozenset(  # which emitted modules bring along
    "logdet eigenvectors singular_vectors qr_factors eigenpairs exponential square_root logarithm "
    "exponential_slope square_root_slope logarithm_slope exponential_curvature".split()
)


def matrix(r: Reader, node: Any, hint: Hint) -> View:
    """An entry of a function of a matrix."""
    return _function(r, node, hint, OPERATIONS.get(type(node), "part"))


def named(r: Reader, node: Any, hint: Hint) -> View:
    """The same, as the body of a definition."""
    operation = OPERATIONS.get(type(node), "part")
    return _function(r, node, hint, factors.NAMED if operation == "inverse" else operation)


def _function(r: Reader, node: Any, hint: Hint, operation: str) -> View:
    g = r.graph
    opened = r.opened(node)
    rows, columns = opened.axes
    body, definite = factors.known(r.definite, opened)
    view = real(g, r.read(body, [*(a for a in hint if a not in opened.axes), rows, columns]))
    batch = tuple(a for a in view.letters if a not in (rows, columns))
    if set(view.letters) != {*batch, rows, columns}:
        view = g.make("broadcast", [view], (*batch, rows, columns))
    elif view.letters != (*batch, rows, columns):
        view = g.make("permute", [view], (*batch, rows, columns))
    sides = [(rows, columns)[side] for side in SIDES.get(type(node), (0, 1))]
    places = tuple(Axis(f"{side.name}_{number}_of_{operation}", side.size) for number, side in enumerate(sides))
    places = places[: len(node.at)]
    if definite and not batch:
        g.definite.add(factors.unturned(view.node)[0])
    if (made_of := factors.factored(g, operation, view, places)) is not None:
        made = made_of
    elif operation == "part":
        whole, which = PARTS[type(node)]
        made = g.make("part", [g.make(whole, [view], ())], (*batch, *places), attr=which)
    else:
        made = g.make(operation, [view], (*batch, *places))
    return at(r, made, dict(zip(places, node.at, strict=True)), hint, proved=True)


class Contracted(Protocol):
    """How a product of several factors is summed over letters."""

    def __call__(self, g: Graph, factors: list[View], left: list[Axis], hint: Hint, /) -> View: ...


class Meets(Protocol):
    """What `contract` knows of two operands: a, b, and the letters that are summed."""

    a: View
    b: View
    over: tuple[Axis, ...]


def solved(g: Graph, m: Meets) -> View | None:
    """Σ_j (A⁻¹)_ij b_j solves A x = b, Σ_i b_i (A⁻¹)_ij solves Aᵀ x = b."""
    for inverse, right in ((m.a, m.b), (m.b, m.a)):
        if not factors.may_solve(inverse.node) or len(m.over) != 1:
            continue
        *batch, row, column = inverse.letters
        (over,) = m.over
        rest = [a for a in right.letters if a != over and a not in batch]
        if over not in (row, column) or len(rest) > 1 or not set(batch) <= set(right.letters):
            continue
        new = row if over == column else column
        if new in rest:
            continue
        side = (*batch, over, *rest)
        if right.letters != side:
            right = g.make("permute", [right], side)
        if inverse.node.op != "inverse":
            return factors.solution(g, inverse.node, over == row, right, (*batch, new, *rest))
        ((arg, labels),) = inverse.node.args  # batch, rows, columns: the inverse has columns, rows
        place = dict(zip(range(len(batch)), batch, strict=True))
        system = View(arg, tuple(place.get(k) or (column if k == labels[-2] else row) for k in labels))
        order = (*batch, over, new)
        if system.letters != order:
            system = g.make("permute", [system], order)
        return factors.solved(g, system, right, (*batch, new, *rest))
    return None


class Use(NamedTuple):
    """A slope along what it is summed with: for each pair of indices but the kept one, the factors that reach it."""

    slope: View
    kept: Pair
    along: tuple[tuple[Pair, list[View]], ...]
    far: list[View]
    extra: tuple[Axis, ...]  # letters of the factors along that the result has, too: of many matrices


def _uses(factors: list[View], left: list[Axis]) -> Iterator[Use]:
    for slope in factors:
        if slope.node.op not in SLOPES or len(set(slope.letters)) < len(slope.letters):
            continue
        others = [f for f in factors if f is not slope]
        pairs = _pairs(slope)[1]
        for kept in pairs:
            along = tuple((pair, _near(pair, others, set(left) - {*slope.letters})) for pair in pairs if pair != kept)
            near = [f for _, group in along for f in group]
            letters = {a for f in near for a in f.letters}
            groups = [{id(f) for f in group} for _, group in along]
            apart = all(groups) and len(set().union(*groups)) == sum(map(len, groups))
            if not apart or letters & set(kept) or not all(set(pair) <= set(left) for pair, _ in along):
                continue
            far = [f for f in others if not any(f is one for one in near)]
            gone = {a for a in left if a not in (*slope.letters, *(b for f in far for b in f.letters))}
            extra = tuple(a for a in dict.fromkeys(a for f in near for a in f.letters)
                          if a not in gone and a not in slope.letters)  # fmt: skip
            yield Use(slope, kept, along, far, extra)


def _pairs(slope: View) -> tuple[tuple[Axis, ...], list[Pair]]:
    """The letters of a batch, and those of the result and of each matrix that the slope is taken along."""
    count = SLOPES[slope.node.op]
    ends = slope.letters[-2 * count :]
    return slope.letters[: -2 * count], [(ends[k], ends[k + 1]) for k in range(0, 2 * count, 2)]


def _near(pair: Pair, others: list[View], summed: set[Axis]) -> list[View]:
    """The factors that a pair of letters reaches, through whatever summed letters they share."""
    reached = set(pair)
    for _ in others:
        reached |= {a for f in others if set(f.letters) & reached for a in f.letters if a in summed}
    return [f for f in others if set(f.letters) & reached]


def applied(g: Graph, factors: list[View], left: list[Axis], contracted: Contracted) -> View | None:
    """Σ_rc (∂f_ij/∂A_rc) E_rc is the derivative of f along E, and Σ_ij G_ij (∂f_ij/∂A_rc) that of f at Aᵀ along G.

    So the slope, an array of four indices, is not made: all that it is summed with is brought together first. Of
    ∂²f_ij/∂A_rc∂A_pq in the same way: Σ G_ij F_pq (…) is the second derivative at Aᵀ along G and Fᵀ.
    """
    use = min(_uses(factors, left), key=lambda use: len(use.extra), default=None)
    if use is None:
        return None
    slope, kept, far = use.slope, use.kept, use.far
    batch, pairs = _pairs(slope)
    turned, given = kept != pairs[0], []
    for k, (pair, near) in enumerate(use.along):
        own = [a for a in left if a not in (*slope.letters, *use.extra, *(b for f in far for b in f.letters))]
        summed = [a for a in own if any(a in f.letters for f in near)]
        along = real(g, contracted(g, near, summed, (*batch, *pair)))
        order = (*batch, *use.extra, *(pair[::-1] if turned and k else pair))
        if along.letters != order:
            along = g.make("permute" if set(along.letters) == set(order) else "broadcast", [along], order)
        given.append(View(along.node, (*batch, *use.extra, *kept)))
    ((arg, _),) = slope.node.args
    mirrored = turned and slope.node.op.startswith("exponential")  # roots and logarithms are of symmetric matrices
    system = View(arg, (*batch, *(kept[::-1] if mirrored else kept)))
    if mirrored:
        system = g.make("permute", [system], (*batch, *kept))
    made = g.make(slope.node.op.removesuffix("s"), [system, *given], (*batch, *use.extra, *kept))
    done = {a for pair, _ in use.along for a in pair}
    rest = [a for a in left if a not in done and (a in made.letters or any(a in f.letters for f in far))]
    return contracted(g, [made, *far], rest, (*batch, *kept)) if far or rest else made


class MatrixCoder(factors.FactorCoder):
    """Expressions of matrix functions: each argument has its axes in order, the matrix last."""

    def _linear_algebra(self, node: Node) -> Code:
        ((arg, labels),) = node.args
        code = turned(self.operand(arg, labels), labels, sorted(labels))
        name = node.op.removeprefix("named_")
        return Op(name if name in HELPERS else f"linalg.{name}", (code,))

    _inverse = _named_inverse = _determinant = _logdet = _cholesky = _linear_algebra
    _eigenvalues = _eigenvectors = _singular_values = _linear_algebra
    _singular_vectors = _qr_factors = _eigenpairs = _linear_algebra
    _exponential = _square_root = _logarithm = _linear_algebra

    def _part(self, node: Node) -> Code:
        ((pair, labels),) = node.args
        return Op("item", (self.operand(pair, labels),), node.attr)

    def _slopes(self, node: Node) -> Code:
        """Every entry of a slope."""
        ((arg, labels),) = node.args
        code = turned(self.operand(arg, labels), labels, sorted(labels))
        return Op("slopes", (code,), node.op.removesuffix("s"))

    def _exponential_curvatures(self, node: Node) -> Code:
        ((arg, labels),) = node.args
        return Op("curvatures", (turned(self.operand(arg, labels), labels, sorted(labels)),))

    _exponential_slopes = _square_root_slopes = _logarithm_slopes = _slopes

    def _slope(self, node: Node) -> Code:
        """A slope along a matrix, or along each of a batch, for which the function's own matrix is one."""
        (_, first), (_, second), *_ = node.args
        matrix, *along = (self.operand(arg, labels) for arg, labels in node.args)
        if 2 < len(first) < len(second):
            matrix = Op("expand", (matrix,), (*(k in first for k in second[:-2]), True, True))
        return Op(node.op, (matrix, *along))

    _exponential_curvature = _exponential_slope = _square_root_slope = _logarithm_slope = _slope

    def _solve(self, node: Node) -> Code:
        (a, first), (b, second) = node.args
        system, right = self.operand(a, first), self.operand(b, second)
        if len(second) < len(first) and len(second) > 1:  # vectors in a batch: as matrices of one column
            column = Op("expand", (right,), (*(True for _ in second), False))
            return Op("first", (Op("linalg.solve", (system, column)),), node.rank)
        return Op("linalg.solve", (system, right))
