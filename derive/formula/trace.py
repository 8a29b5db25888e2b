"""Running a formula's body once, on symbols: what it names (`let`) and what it assumes (`assume`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from sympy import Expr
from sympy.core.basic import Basic
from sympy.core.relational import Relational

from derive.axes import (
    Axis,
    DeriveError,
    NameProblem,
    Scalar,
    Size,
    Tensor,
    checked_identifier,
    cut_anew,
    definitions,
    free_axes,
    mapped,
    scalar,
    tied,
)


@dataclass(frozen=True)
class Assumption:
    """A statement about inputs; `sample(rng, shapes)` makes arrays that satisfy it, where the kind is not built in."""

    statement: Basic
    sample: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Traced:
    """A formula's body as data: inputs, parameters, outputs (tensors with bodies) and assumptions."""

    name: str
    inputs: tuple[Tensor, ...]
    scalars: tuple[Scalar, ...]
    sizes: tuple[Size, ...]
    outputs: tuple[Tensor, ...]
    assumptions: tuple[Assumption, ...] = ()
    elementwise: bool = False

    @property
    def definitions(self) -> tuple[Tensor, ...]:
        """Named intermediates, then outputs, each after what it refers to."""
        return definitions(output.with_(role="output")[output.axes] for output in self.outputs)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the scalars and sizes."""
        return tuple(s.name for s in self.scalars) + tuple(s.name for s in self.sizes)

    def input(self, name: str) -> Tensor:
        return next(t for t in self.inputs if t.name == name)


@dataclass
class Tracing:
    """The running trace: which letters were declared, which names are taken."""

    formula: str
    letters: tuple[Axis, ...] = ()
    names: dict[str, Basic | None] = field(default_factory=dict)
    assumptions: list[Assumption] = field(default_factory=list)

    def in_order(self, letters: Iterable[Axis]) -> tuple[Axis, ...]:
        """Letters in declared order; those the signature does not declare follow, in order of appearance."""
        rank = {letter: place for place, letter in enumerate(self.letters)}
        return tuple(sorted(letters, key=lambda letter: rank.get(letter, len(rank))))


CURRENT: ContextVar[Tracing | None] = ContextVar("CURRENT", default=None)


def let(name: str, value: Any) -> Tensor:
    """Name an intermediate: a tensor over the free letters of `value`, in declared axis order, used indexed.

    Raises NameProblem when the name is taken or is no identifier.
    """
    checked_identifier(name, "let")
    body = scalar(value, f"let {name!r}")
    tracing = CURRENT.get()
    letters = free_axes(body)
    if tracing is None:
        return Tensor(name, sorted(letters, key=str), body=body, role="let")
    tensor = Tensor(name, tracing.in_order(letters), body=body, role="let")
    if tracing.names.setdefault(name, tensor) != tensor:
        raise NameProblem(f"let {name!r}: the name is already taken in this formula")
    return tensor


def assume(statement: Any, *, sample: Callable[..., Any] | None = None) -> None:
    """State what holds of the inputs, as in `assume(equals(sum_over(c, t[b, c]), 1))`; steps that use it cite it.

    `definite(A)` is two statements.
    """
    tracing = CURRENT.get()
    if tracing is None:
        raise DeriveError("assume: only inside the body of a formula")
    for one in statement if isinstance(statement, tuple) else (statement,):
        if not isinstance(one, Relational):
            raise DeriveError(f"assume: expected equals(a, b) or a comparison, given {one!r}")
        tracing.assumptions.append(Assumption(one, sample))


def hyper(inputs: Iterable[Tensor], outputs: Iterable[Tensor], declared: tuple[Size, ...]) -> tuple[Size, ...]:
    """The sizes that shapes do not tell, in order: strides, paddings, numbers of heads. They are keywords."""
    inputs = tuple(inputs)
    defined = definitions(output[output.axes] for output in outputs)
    lengths = [a.size for t in (*inputs, *defined) for a in t.axes]
    found: dict[Size, None] = dict.fromkeys(declared)
    for tensor in defined:
        lengths += _lengths_in(tensor.body)
    bounds = [t.bound for t in inputs if t.bound is not None]
    for size in (*lengths, *bounds):
        found.update(dict.fromkeys([size] if isinstance(size, Size) else sorted(size.atoms(Size), key=str)))
    told = {a.size for t in inputs for a in t.axes if isinstance(a.size, Size)}
    for length in [a.size for t in inputs for a in t.axes if not isinstance(a.size, Size)]:
        unknown = [s for s in length.atoms(Size) if s not in told and s not in declared and s.default is None]
        told.update(unknown if len(unknown) == 1 else ())
    return tuple(s for s in found if s not in told or s in declared)


def _lengths_in(body: Basic | None) -> list[Basic]:
    """The lengths of the letters of a body, and lengths used as numbers, in the order written."""
    found: dict[Basic, None] = {}
    stack = [] if body is None else [body]
    while stack:
        part = stack.pop()
        if isinstance(part, (Axis, Size)):
            found.setdefault(part.size if isinstance(part, Axis) else part)
        stack.extend(reversed(part.args))
    return list(found)


def told_apart(outputs: tuple[Tensor, ...], taken: Iterable[str]) -> tuple[Tensor, ...]:
    """The outputs with every definition under a name of its own: clashing ones get _1, _2, …"""
    order = definitions(output[output.axes] for output in outputs)
    reserved = set(taken)
    counts = Counter(tensor.name for tensor in order)
    used = reserved | {name for name, count in counts.items() if count == 1}
    names: dict[Tensor, str] = {}
    for tensor in order:
        name = tensor.name
        if counts[name] > 1 or name in reserved:
            number = 1
            while f"{tensor.name}_{number}" in used:
                number += 1
            name = f"{tensor.name}_{number}"
        used.add(name)
        names[tensor] = name
    if all(tensor.name == name for tensor, name in names.items()):
        return outputs
    cuts = cut_anew(order, names=names)
    renamed = dict(cuts)
    for tensor in order:
        renamed[tensor] = tensor.with_(name=names[tensor], body=with_tensors(tensor.body, renamed))
    tied(cuts, renamed)
    return tuple(renamed[output] for output in outputs)


def with_tensors(body: Expr | None, replacement: dict[Tensor, Tensor]) -> Any:
    """`body` with tensors exchanged for others of the same shape."""
    if body is None or not replacement:
        return body
    return mapped(body, lambda node: replacement.get(node, node) if isinstance(node, Tensor) else None)
