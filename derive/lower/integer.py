"""Integer expressions → arrays of integers: letters count, entries of integer tensors index, sizes are numbers.

They are never computed as floats: an index must be exact, whatever the dtype of the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sympy import Add, Expr, Integer, Max, Min, Mod, Mul, Pow, ceiling, floor

from derive.axes import Axis, Tensor, Unsupported
from derive.axes.ranges import quotient

from .algebra import ONE, Hint, elementwise
from .node import Graph, View

if TYPE_CHECKING:
    from .read import Reader


def integer(r: Reader, expression: Any, hint: Hint) -> View:
    """The view of an integer expression: of kind "int", or a number of the host where it has sizes alone."""
    if not expression.has(Axis, Tensor):
        return r.graph.number(ONE * int(expression)) if expression.is_Integer else r.graph.host("size", attr=expression)
    reader = next((read for kinds, read in INTEGERS if isinstance(expression, kinds)), None)
    return reader(r, expression, hint) if reader else r.read(expression, hint)


def _made(g: Graph, op: str, args: Sequence[View], hint: Hint) -> View:
    return elementwise(g, op, args, hint, kind="int")


def _add(r: Reader, total: Any, hint: Hint) -> View:
    """Arrays first, sizes last: np.arange(H) * s + np.arange(R)[:, None] - p."""
    fixed = Add(*(term for term in total.args if not term.has(Axis, Tensor)))
    terms = [(term, _negative(term)) for term in total.args if term.has(Axis, Tensor)]
    terms.sort(key=lambda t: t[1])
    made = integer(r, terms[0][0], hint)
    for term, negative in terms[1:]:
        made = _made(
            r.graph, "minus" if negative else "plus", [made, integer(r, -term if negative else term, hint)], hint
        )
    if fixed != 0:
        negative = _negative(fixed)
        made = _made(
            r.graph, "minus" if negative else "plus", [made, integer(r, -fixed if negative else fixed, hint)], hint
        )
    return made


def _negative(term: Any) -> bool:
    return all(bool(part.as_coeff_Mul()[0] < 0) for part in Add.make_args(term))


def _mul(r: Reader, term: Any, hint: Hint) -> View:
    fixed = Mul(*(arg for arg in term.args if not arg.has(Axis, Tensor)))
    first, *rest = [integer(r, arg, hint) for arg in term.args if arg.has(Axis, Tensor)]
    for other in rest:
        first = _made(r.graph, "times", [first, other], hint)
    return first if fixed == 1 else _made(r.graph, "times", [first, integer(r, fixed, hint)], hint)


def _power(r: Reader, term: Any, hint: Hint) -> View:
    if not (term.exp.is_Integer and term.exp > 0):
        raise Unsupported(f"{r.where}: {term} is no integer")
    return _mul(r, Mul(*[term.base] * int(term.exp), evaluate=False), hint)


def _floor(r: Reader, term: Any, hint: Hint) -> View:
    above, below = quotient(term.args[0])
    return _made(r.graph, "floor_divide", [integer(r, above, hint), integer(r, below, hint)], hint)


def _ceiling(r: Reader, term: Any, hint: Hint) -> View:
    return integer(r, -floor(-term.args[0]), hint)


def _mod(r: Reader, term: Any, hint: Hint) -> View:
    return _made(r.graph, "mod", [integer(r, arg, hint) for arg in term.args], hint)


def _extremum(op: str) -> Any:
    def read(r: Reader, term: Any, hint: Hint) -> View:
        made, *rest = [integer(r, arg, hint) for arg in sorted(term.args, key=lambda a: not a.has(Axis, Tensor))]
        for other in rest:
            made = _made(r.graph, op, [made, other], hint)
        return made

    return read


INTEGERS: tuple[tuple[Any, Any], ...] = (
    (Add, _add),
    (Mul, _mul),
    (Pow, _power),
    (floor, _floor),
    (ceiling, _ceiling),
    (Mod, _mod),
    (Max, _extremum("maximum")),
    (Min, _extremum("minimum")),
)


def compared(r: Reader, op: str, left: Expr, right: Expr, hint: Hint) -> View:
    """The condition `left op right` between integer expressions."""
    args = [integer(r, left, hint), integer(r, right, hint)]
    return elementwise(r.graph, op, args, hint, kind="host" if all(a.host for a in args) else "bool")


def within(r: Reader, index: Expr, size: Expr, hint: Hint) -> View:
    """The condition 0 ≤ index < size."""
    low = compared(r, "greater_equal", index, Integer(0), hint)
    return elementwise(r.graph, "logical_and", [low, compared(r, "less", index, size, hint)], hint, kind="bool")
