"""A formula called inside another: its letters, lengths and inputs exchanged for the caller's, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sympy import Expr, Integer, evaluate
from sympy.core.basic import Basic

from derive.axes import (
    Axis,
    BoolEntry,
    DeriveError,
    Entry,
    PaddedBoolEntry,
    PaddedEntry,
    Reduction,
    ShapeError,
    Size,
    Tensor,
    cut_anew,
    definitions,
    free_axes,
    fresh_letter,
    mapped,
    rename,
    scalar,
    settled,
    tied,
    whole,
)

from .trace import CURRENT, Assumption, Traced


@dataclass(frozen=True)
class Instance:
    """The outputs of a called formula over the caller's letters, and the assumptions it brought."""

    outputs: tuple[Tensor, ...]
    assumptions: tuple[Assumption, ...]


class _Unifier:
    """Formal letters to actual ones: injective, so that no letter can be captured."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.letters: dict[Axis, Axis] = {}
        self.sizes: dict[Basic, Expr] = {}

    def bind(self, tensor: Tensor, actual: tuple[Axis, ...], what: str) -> None:
        if len(actual) != tensor.ndim:
            raise ShapeError(f"{self.where}: input {tensor.name}: expected {tensor.declared()}, given {what}")
        for formal, letter in zip(tensor.axes, actual, strict=True):
            known = self.known(formal.size, letter.size)
            if known != letter.size:
                raise ShapeError(f"{self.where}: input {tensor.name}: expected {tensor.declared()} with "
                                 f"{formal.name} of length {known}, given {what}: length {letter.size}")  # fmt: skip
            if formal not in self.letters:
                taken = set(self.letters.values())
                names = {a.name for a in taken}
                self.letters[formal] = fresh_letter(letter, names) if letter in taken else letter

    def known(self, length: Expr, given: Expr) -> Expr:
        """The caller's length for one of the formula's; what is not yet known of it follows from the length given."""
        if isinstance(length, Size):
            return self.sizes.setdefault(length, given)
        left = [s for s in length.atoms(Size) if s not in self.sizes]
        if len(left) == 1 and (times := length.coeff(left[0], 1)) and length == times * left[0]:
            with evaluate(True):
                self.sizes[left[0]] = given / times.xreplace(self.sizes)
        return self.measured(length)

    def measured(self, length: Expr) -> Expr:
        with evaluate(True):
            return length.xreplace(self.sizes).doit()

    def letter(self, formal: Axis) -> Axis:
        """The caller's letter; one of the formula's own is renamed if the caller's letters have its name."""
        if formal not in self.letters:
            size = self.measured(formal.size)
            names = {a.name for a in self.letters.values()}
            mine = Axis(formal.name, size)
            self.letters[formal] = fresh_letter(mine, names) if formal.name in names else mine
        return self.letters[formal]


def _unified(traced: Traced, tensors: Mapping[str, Tensor | Expr], sizes: Mapping[str, Any]) -> _Unifier:
    """Letters and lengths of the formula bound to the caller's: sizes first, then shapes, derived lengths last."""
    unify = _Unifier(f"call of {traced.name}")
    for size in traced.sizes:
        value = sizes.get(size.name, size.default)
        if value is not None:
            given = length_of(value, size, unify.where)
            own = size.name not in sizes  # a default may be another size of the formula: stride = kernel_size
            unify.sizes[size] = unify.measured(given) if own else given
    for formal in sorted(traced.inputs, key=lambda t: any(not isinstance(a.size, Size) for a in t.axes)):
        actual = tensors[formal.name]
        if isinstance(actual, Tensor):
            if actual.dtype != formal.dtype:
                raise ShapeError(f"call of {traced.name}: input {formal.name}: expected {formal.dtype} entries, "
                                 f"given {actual.declared()} of {actual.dtype}")  # fmt: skip
            unify.bind(formal, actual.axes, actual.declared())
        elif formal.ndim:
            raise ShapeError(f"call of {traced.name}: input {formal.name}: expected a tensor {formal.declared()}, "
                             f"given the expression {actual}; name it with let first")  # fmt: skip
    return unify


def instantiate(
    traced: Traced, tensors: Mapping[str, Tensor | Expr], scalars: Mapping[str, Any], sizes: Mapping[str, Any]
) -> Instance:
    """The traced formula with inputs bound to the caller's tensors (or, for scalar inputs, expressions)."""
    unify = _unified(traced, tensors, sizes)
    values = {s: scalar(scalars[s.name], s.name) for s in traced.scalars if s.name in scalars}
    inputs = {t.name: t for t in traced.inputs}
    made: dict[Tensor, Tensor] = {}

    def change(node: Basic) -> Basic | None:
        if isinstance(node, Axis):
            return unify.letter(node)
        if isinstance(node, (Entry, BoolEntry)):
            indices = [settled(mapped(index, change)) for index in node.indices]
            if inputs.get(node.tensor.name) == node.tensor:
                return _read(tensors[node.tensor.name], indices, isinstance(node, (PaddedEntry, PaddedBoolEntry)))
            return node.func(made[node.tensor], *indices)
        if isinstance(node, Reduction):
            letters, at = [unify.letter(a) for a in node.axes], [mapped(index, change) for index in node.at]
            return node.rebound(mapped(node.body, change), letters, at)
        return values.get(node, unify.sizes.get(node))

    defined = definitions((*(y.with_(role="output")[y.axes] for y in traced.outputs),
                           *(a.statement for a in traced.assumptions)))  # fmt: skip
    cuts = cut_anew(defined, lambda c: [unify.letter(a) for a in c.axes])
    made.update(cuts)
    for tensor in defined:
        letters = tuple(unify.letter(a) for a in tensor.axes)
        body = mapped(tensor.body, change)
        free = [a for a in free_axes(body) if a not in letters]  # scalar inputs given as expressions bring letters
        made[tensor] = tensor.with_(axes=(*free, *letters), body=body, role="let")
        if free and made[tensor].axes != letters and tensor not in traced.outputs:
            raise DeriveError(f"call of {traced.name}: name the argument with let first")
    tied(cuts, made)
    assumptions = tuple(Assumption(mapped(a.statement, change), a.sample) for a in traced.assumptions)
    return Instance(tuple(made[output] for output in traced.outputs), assumptions)


def length_of(value: Any, size: Size, where: str) -> Expr:
    """A whole number of at least the size's least value, or an expression in sizes."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= size.min:
        return Integer(value)
    if isinstance(value, Expr) and value.atoms(Size) and whole(value):
        return value
    raise DeriveError(f"{where}: {size.name}: expected a whole number of at least {size.min}, given {value}")


def _read(actual: Tensor | Expr, indices: list[Basic], padded: bool = False) -> Basic:
    if not isinstance(actual, Tensor):
        return actual
    kinds = (BoolEntry, PaddedBoolEntry) if actual.dtype == "bool" else (Entry, PaddedEntry)
    return kinds[padded](actual, *indices)


def elementwise(traced: Traced, tensors: Mapping[str, Tensor | Expr], scalars: Mapping[str, Any]) -> Any:
    """An elementwise formula over any shape: tensors give a tensor over their letters, expressions an expression."""
    given = {name: value for name, value in tensors.items() if isinstance(value, Tensor)}
    letters = next((value.axes for value in given.values() if value.axes), ())
    for name, value in given.items():
        if [a.size for a in value.axes] != [a.size for a in letters]:
            raise ShapeError(f"call of {traced.name}: input {name}: expected the shape of the others "
                             f"({', '.join(a.name for a in letters)}), given {value.declared()}")  # fmt: skip
    entries = {
        name: _read(value, list(letters)) if isinstance(value, Tensor) else scalar(value, f"call of {traced.name}")
        for name, value in tensors.items()
    }
    outputs = instantiate_scalar(traced, entries, scalars)
    if given:
        named = tuple(Tensor(o.name, letters, body=body, role="let") for o, body in outputs)
        return named[0] if len(named) == 1 else named
    tracing = CURRENT.get()
    order = tracing.in_order if tracing else tuple
    named = tuple(Tensor(o.name, order(free_axes(b)), body=b, role="let") for o, b in outputs)
    values = tuple(tensor[tensor.axes] for tensor in named)
    return values[0] if len(values) == 1 else values


def instantiate_scalar(traced: Traced, entries: Mapping[str, Basic], scalars: Mapping[str, Any]) -> list[Any]:
    """Bodies of an elementwise formula with its inputs replaced by scalar expressions; its lets are inlined."""
    values: dict[Basic, Basic] = {s: scalar(scalars[s.name], s.name) for s in traced.scalars if s.name in scalars}
    bodies: dict[Tensor, Basic] = {}

    def change(node: Basic) -> Basic | None:
        if isinstance(node, (Entry, BoolEntry)):
            return bodies[node.tensor] if node.tensor in bodies else entries[node.tensor.name]
        if isinstance(node, Reduction):
            taken = {a for e in entries.values() for a in free_axes(e)}
            clash = {a: fresh_letter(a, {t.name for t in taken}) for a in node.axes if a in taken}
            letters, at = [clash.get(a, a) for a in node.axes], [mapped(index, change) for index in node.at]
            return node.rebound(mapped(rename(node.body, clash), change), letters, at)
        return values.get(node)

    for tensor in traced.definitions:
        bodies[tensor] = mapped(tensor.body, change)
    return [(output, bodies[output]) for output in traced.outputs]
