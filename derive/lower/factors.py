"""One factorisation for all that is asked of one matrix: Cholesky's where it is definite, else by elimination.

A determinant, a solution and an inverse alone are NumPy's. Where several are wanted of a matrix, in forward or in
backward, its factors are made once and kept: solutions and determinants of these cost n², not n³.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from derive.axes import Axis, Cholesky, Inverse, LogDeterminant

from .definite import Definite, unsymmetrised
from .node import Graph, Labels, Node, View
from .program import Code, Op

NAMED = "named_inverse"  # one that the formula names is made once, and multiplied with
ASKED = frozenset({"inverse", NAMED, "logdet", "solve", "cholesky"})


def known(definite: Definite, function: Any) -> tuple[Any, bool]:
    """(the matrix of a function, whether it is known to be definite); of (A + Aᵀ)/2, for a symmetric A, that is A."""
    if not isinstance(function, (Inverse, LogDeterminant, Cholesky)):
        return function.body, False
    plain = unsymmetrised(function.body, function.axes) if isinstance(function, Cholesky) else None
    for body in (function.body, plain):
        if body is not None and definite.proved(body, function.axes):
            return body, True
    return function.body, False


def unturned(node: Node) -> tuple[Node, bool]:
    """(A, whether it was transposed) of A or Aᵀ."""
    if node.op == "permute" and node.args[0][1] == (1, 0):
        return node.args[0][0], True
    return node, False


def triangle(node: Node) -> str:
    """Which triangle a matrix is, of Cholesky's factors and of R; "" of any other."""
    if node.op == "part" and node.args[0][0].op == "qr_factors":
        return "upper" if node.attr == 1 else ""
    return "lower" if node.op in ("cholesky", "definite_factor", "symmetric_factor") else ""


def several(nodes: Iterable[Node]) -> frozenset[Node]:
    """The matrices of which several things are asked; a triangle has its factors."""
    uses = Counter(unturned(n.args[0][0])[0] for n in nodes if n.op in ASKED and n.args[0][0].rank == 2)
    uses = Counter({node: count for node, count in uses.items() if not triangle(node)})
    return frozenset(node for node, count in uses.items() if count > 1)


def _sides(node: Node) -> tuple[Axis, ...]:
    """Letters for the axes of a factor."""
    return tuple(Axis(f"side_{k}_of_factor", length) for k, length in enumerate(node.dims))


def _factors(g: Graph, node: Node) -> list[View]:
    """L of A = L Lᵀ, or what elimination makes of A: both factors in one array, and the order of the rows."""
    rows, columns = _sides(node)
    if node in g.definite:
        kind = "symmetric_factor" if node.op == "input" else "definite_factor"
        return [g.make(kind, [View(node, (rows, columns))], (rows, columns))]
    whole = g.make("lu_factors", [View(node, (rows, columns))], ())
    return [g.make("part", [whole], (rows, columns), attr=0), g.make("part", [whole], (rows,), attr=1, kind="int")]


def factored(g: Graph, operation: str, view: View, places: tuple[Axis, ...]) -> View | None:
    """What is asked of a matrix that is factorised once; None of any other."""
    node, turned = unturned(view.node)
    if node not in g.factored or operation not in ASKED or (operation == "cholesky" and node not in g.definite):
        return None
    made = _factors(g, node)
    kind = "lu" if len(made) > 1 else "definite"
    if operation == "cholesky":
        return View(made[0].node, places)
    if operation == "logdet":
        return g.make(f"{kind}_logdet", made, ())
    order = places[::-1] if turned and kind == "lu" else places
    return g.make(f"{kind}_inverse", made, order, attr=operation)


def may_solve(node: Node) -> bool:
    """Whether a node is an inverse that systems are solved in place of."""
    return "inverse" in (node.op, node.attr)


def solution(g: Graph, inverse: Node, turned: bool, right: View, letters: tuple[Axis, ...]) -> View:
    """A⁻¹ b, or A⁻ᵀ b, from the factors of A."""
    made = [View(arg, (right.letters[0], *_sides(arg)[1:])) for arg, _ in inverse.args]
    if len(made) == 1:
        return g.make("definite_solve", [*made, right], letters)
    return g.make("lu_solve", [*made, right], letters, attr=turned)


def solved(g: Graph, system: View, right: View, letters: tuple[Axis, ...]) -> View:
    """The x of A x = b, for an A of which nothing else is asked; a triangular one is solved from one side."""
    node, turned = unturned(system.node)
    if node.rank == 2 and triangle(node):
        order = system.letters[::-1] if turned else system.letters
        return g.make("triangular_solve", [View(node, order), right], letters, attr=(triangle(node), turned))
    return g.make("solve", [system, right], letters)


class FactorCoder:
    """Expressions of factors, and of what is made of them."""

    operand: Callable[[Node, Labels], Code]

    def _asked_of_factors(self, node: Node) -> Op:
        return Op(node.op, tuple(self.operand(arg, labels) for arg, labels in node.args))

    _definite_factor = _symmetric_factor = _definite_solve = _definite_logdet = _definite_inverse = _asked_of_factors
    _lu_factors = _lu_logdet = _lu_inverse = _asked_of_factors

    def _triangular_solve(self, node: Node) -> Code:
        """Told whether it is a lower triangle, and whether Aᵀ x = b."""
        code = self._asked_of_factors(node)
        lower, turned = node.attr[0] == "lower", node.attr[1]
        return Op(node.op, (*code.args, Op("number", (), int(lower)), Op("number", (), int(turned))))

    def _lu_solve(self, node: Node) -> Code:
        """Told whether it is Aᵀ x = b."""
        code = self._asked_of_factors(node)
        return Op(node.op, (*code.args, Op("number", (), int(node.attr))))
