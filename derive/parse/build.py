"""From values to a Formula: letters get the names that a reader expects, outputs their axes, inputs their order."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sympy import Expr, StrictGreaterThan
from sympy.core.basic import Basic

from derive.axes import (
    Axis,
    NameProblem,
    Reduction,
    Scalar,
    Size,
    Tensor,
    TensorType,
    definite,
    definitions,
    equals,
    free_axes,
    letters_of,
    rebuilt,
    rename,
    tensors_of,
)
from derive.formula import Assumption, Formula, Parameter, Traced, told_apart
from derive.formula.trace import hyper

from .errors import LatexError
from .letters import Letters
from .scope import Scope
from .values import Value, is_open


def named_axes(axes: Iterable[Axis], letters: Letters, taken: Iterable[str] = ()) -> dict[Axis, Axis]:
    """For each slot the letter a reader expects: its own, or with a number where that is taken."""
    used, found = set(taken), {}
    for slot in axes:
        base = letters.preferred.get(slot.name, slot.name).replace("'", "")
        found[slot] = Axis(_free(base, used), slot.size)
        used.add(found[slot].name)
    return found


def _free(base: str, used: set[str]) -> str:
    name, number = base, 1
    while name in used:
        name, number = f"{base}_{number}", number + 1
    return name


def pretty(body: Expr, letters: Letters, avoid: Iterable[str] = ()) -> Expr:
    """The body with bound slots renamed to letters, apart from those in use."""
    avoid = set(avoid)

    def visit(node: Basic) -> Basic:
        if not node.args:
            return node
        if not isinstance(node, Reduction):
            return rebuilt(node, [visit(child) for child in node.args])
        inner = visit(node.body)
        others = {a.name for a in letters_of(inner) if a not in node.axes} | avoid
        names = named_axes((a for a in node.axes if a.name in letters.preferred), letters, others)
        return node.rebound(rename(inner, names), [names.get(a, a) for a in node.axes], [visit(i) for i in node.at])

    found: Expr = visit(body)
    return found


def defined(name: str, value: Value, free: tuple[Axis, ...], letters: Letters, role: str, column: int) -> Tensor:
    """The tensor of a definition: the free letters first, then the axes of the value."""
    if is_open(value):
        raise LatexError("the length of \\mathbf{1} or \\mathbf{I} is fixed by nothing", column)
    axes = (*free, *value.axes)
    final = named_axes(axes, letters)
    body = pretty(rename(value.body, final), letters, (a.name for a in final.values()))
    stray = [a.name for a in free_axes(body) if a not in final.values()]
    if stray:
        shown = ", ".join(letters.preferred.get(name, name) for name in stray)
        raise LatexError(f"the letter {shown} is bound by nothing", column)
    return Tensor(name, tuple(final.values()), body=body, role=role)


def formula_of(name: str, outputs: tuple[Tensor, ...], scope: Scope, doc: str) -> Formula:
    """The Formula with these outputs; its inputs are the declared tensors that occur, in declared order."""
    taken: set[Tensor] = set()
    scalars: dict[Basic, None] = {}
    for tensor in definitions(output[output.axes] for output in outputs):
        assert tensor.body is not None
        taken |= {t for t in tensors_of(tensor.body) if t.body is None}
        scalars.update(dict.fromkeys(sorted(tensor.body.atoms(Scalar), key=str)))
    inputs = tuple(d.tensor for d in scope.names.values() if d.tensor is not None and d.tensor in taken)
    _told_apart(inputs, scalars)
    names = {t.name for t in inputs} | {str(s) for s in scalars}
    renamed = told_apart(outputs, names)
    sizes = hyper(inputs, renamed, ())
    traced = Traced(name, inputs, tuple(scalars), sizes, renamed, tuple(_assumed(scope, {*inputs, *scalars})))
    parameters = (
        *(Parameter(t.name, "tensor", TensorType(t.axes, t.dtype, bound=t.bound)) for t in inputs),
        *(_parameter(s) for s in (*scalars, *sizes)),
    )
    return Formula(name, doc, parameters, "latex", name, lambda static: traced)


def reached(body: Expr) -> set[Any]:
    """The tensors and scalars that a body depends on, through definitions too."""
    bodies = [body, *(t.body for t in definitions([body]) if t.body is not None)]
    return {t for one in bodies for t in tensors_of(one)} | {s for one in bodies for s in one.atoms(Scalar)}


def _assumed(scope: Scope, used: set[Any]) -> Iterator[Assumption]:
    """What `where` says of the inputs: positive, symmetric, definite."""
    for one in scope.names.values():
        tensor = one.tensor
        if tensor not in used and one.symbol not in used:
            continue
        entry = one.symbol if tensor is None else tensor[tensor.axes]
        if "positive" in one.flags:
            yield Assumption(StrictGreaterThan(entry, 0, evaluate=False))
        if tensor is not None and "symmetric" in one.flags and one.rank == 2:
            yield Assumption(equals(entry, tensor[tensor.axes[::-1]]))
        if tensor is not None and "definite" in one.flags and one.rank == 2:
            yield Assumption(definite(tensor))


def _parameter(symbol: Scalar | Size) -> Parameter:
    default = inspect.Parameter.empty if symbol.default is None else symbol.default
    return Parameter(symbol.name, "size" if isinstance(symbol, Size) else "scalar", default=default)


def _told_apart(inputs: Iterable[Tensor], scalars: Mapping[Basic, None]) -> None:
    letters = {a.name: t.name for t in inputs for a in t.axes}
    for name in [*(t.name for t in inputs), *map(str, scalars)]:
        if name in letters:
            raise NameProblem(f"where: {name} is declared, and is an axis of {letters[name]} too: rename one")
