"""From values to a Formula: letters get the names that a reader expects, outputs their axes, inputs their order."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from sympy import Expr, LessThan, StrictGreaterThan
from sympy.core.basic import Basic

from derive.axes import (
    Axis,
    NameProblem,
    Reduction,
    Scalar,
    SingularValue,
    Size,
    Tensor,
    TensorType,
    definite,
    definitions,
    equals,
    free_axes,
    rebuilt,
)
from derive.axes.ranges import nonnegative
from derive.formula import Assumption, Formula, Parameter, Traced, told_apart
from derive.formula.trace import hyper

from .errors import LatexError
from .letters import Letters
from .scope import Scope
from .values import Value, inside, is_open, leaves


def named_axes(axes: Iterable[Axis], letters: Letters, taken: Iterable[str] = ()) -> dict[Axis, Axis]:
    """For each slot the letter a reader expects: its own, or with a number where that is taken."""
    used, found = set(taken), {}
    for slot in axes:
        base = letters.preferred.get(slot.name, slot.name).replace("'", "").replace("lambda", "lam")
        declared = letters.scope.axes.get(base)
        if declared is not None and declared.size != slot.size and (other := letters.scope.sized(slot.size)):
            base = other.name  # 𝐈 x runs along the axis of x, whatever letter the length had before
        found[slot] = Axis(_free(base, used), slot.size)
        used.add(found[slot].name)
    return found


def _free(base: str, used: set[str]) -> str:
    name, number = base, 1
    while name in used:
        name, number = f"{base}_{number}", number + 1
    return name


def pretty(body: Expr, final: Mapping[Axis, Axis], letters: Letters) -> Expr:
    """The body with its free slots as `final` says, and bound slots renamed to letters, apart from those in use."""
    names: dict[Basic, dict[Axis, Axis]] = {}
    _choose(body, final, letters, {a.name for a in final.values()}, names)
    return _lettered(body, final, names)


def _choose(
    node: Basic, final: Mapping[Axis, Axis], letters: Letters, avoid: set[str], names: dict[Basic, dict[Axis, Axis]]
) -> set[Axis]:
    """Enter, for each reduction, the letters that its slots become; all letters of the node, as they will be."""
    if isinstance(node, Axis):
        return {final.get(node, node)}
    found: set[Axis] = set()
    for child in node.args:
        if child.args or isinstance(child, Axis):
            found |= _choose(child, final, letters, avoid, names)
    if not isinstance(node, Reduction):
        return found
    others = {a.name for a in found if a not in node.axes} | avoid
    own = named_axes((a for a in node.axes if a.name in letters.preferred or a.name in others), letters, others)
    names[node] = own
    return {own.get(a, a) for a in found}


def _lettered(node: Basic, mapping: Mapping[Axis, Axis], names: Mapping[Basic, Mapping[Axis, Axis]]) -> Any:
    if isinstance(node, Axis):
        return mapping.get(node, node)
    if not node.args:
        return node
    if isinstance(node, Reduction):
        own = names[node]
        inner = {**mapping, **own}
        at = [_lettered(index, mapping, names) for index in node.at]
        return node.rebound(_lettered(node.body, inner, names), [own.get(a, a) for a in node.axes], at)
    return rebuilt(node, [_lettered(child, mapping, names) for child in node.args])


def defined(name: str, value: Value, free: tuple[Axis, ...], letters: Letters, role: str, column: int) -> Tensor:
    """The tensor of a definition: the free letters first, then the axes of the value."""
    if is_open(value):
        raise LatexError("the length of \\mathbf{1} or \\mathbf{I} is fixed by nothing", column)
    axes = (*free, *value.axes)
    final = named_axes(axes, letters)
    body = pretty(value.body, final, letters)
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
        found = leaves(tensor.body)
        taken |= {t for t in found if isinstance(t, Tensor) and t.body is None}
        scalars.update(dict.fromkeys(sorted((s for s in found if isinstance(s, Scalar)), key=str)))
    inputs = tuple(d.tensor for d in scope.names.values() if d.tensor is not None and d.tensor in taken)
    _told_apart(inputs, scalars)
    names = {t.name for t in inputs} | {str(s) for s in scalars}
    renamed = told_apart(outputs, names)
    sizes = hyper(inputs, renamed, ())
    assumed = (*dict.fromkeys(_assumed(scope, {*inputs, *scalars})), *_tall(renamed))
    traced = Traced(name, inputs, tuple(scalars), sizes, renamed, assumed)
    parameters = (
        *(Parameter(t.name, "tensor", TensorType(t.axes, t.dtype, bound=t.bound)) for t in inputs),
        *(_parameter(s) for s in (*scalars, *sizes)),
    )
    return Formula(name, doc, parameters, "latex", name, lambda static: traced)


def reached(body: Expr) -> set[Any]:
    """The tensors and scalars that a body depends on, through definitions too."""
    bodies = [body, *(t.body for t in definitions([body]) if t.body is not None)]
    return {part for one in bodies for part in leaves(one) if isinstance(part, (Tensor, Scalar))}


def _assumed(scope: Scope, used: set[Any]) -> Iterator[Assumption]:
    """What `where` says of the inputs: positive, symmetric, definite."""
    for one in scope.names.values():
        tensor = one.tensor
        if not one.flags:
            continue
        if tensor not in used and one.symbol not in used:
            continue
        entry = one.symbol if tensor is None else tensor[tensor.axes]
        if "positive" in one.flags:
            yield Assumption(StrictGreaterThan(entry, 0, evaluate=False))
        if tensor is not None and "symmetric" in one.flags and one.rank == 2:
            yield Assumption(equals(entry, tensor[tensor.axes[::-1]]))
        if tensor is not None and "definite" in one.flags and one.rank == 2:
            yield from map(Assumption, _definite(tensor))


def _tall(outputs: tuple[Tensor, ...]) -> Iterator[Assumption]:
    """That what has singular values has no more columns than rows, where the lengths do not tell."""
    for tensor in definitions(output[output.axes] for output in outputs):
        for node in inside(tensor.body, SingularValue):
            rows, columns = node.axes
            if not nonnegative(rows.size - columns.size):
                yield Assumption(LessThan(columns.size, rows.size, evaluate=False))


_definite = lru_cache(maxsize=256)(definite)


def _parameter(symbol: Scalar | Size) -> Parameter:
    default = inspect.Parameter.empty if symbol.default is None else symbol.default
    return Parameter(symbol.name, "size" if isinstance(symbol, Size) else "scalar", default=default)


def _told_apart(inputs: Iterable[Tensor], scalars: Mapping[Basic, None]) -> None:
    letters = {a.name: t.name for t in inputs for a in t.axes}
    for name in [*(t.name for t in inputs), *map(str, scalars)]:
        if name in letters:
            raise NameProblem(f"where: {name} is declared, and is an axis of {letters[name]} too: rename one")
