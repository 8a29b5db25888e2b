"""A result for given lengths, every entry written out: sums expanded, entries as symbols x_00."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import sympy
from sympy import Array, Integer, Matrix, S, Symbol
from sympy.core.basic import Basic

from derive.axes import (
    ArgMaxOver,
    ArgMinOver,
    Axis,
    BoolEntry,
    Cholesky,
    Delta,
    DeriveError,
    Determinant,
    Entry,
    Expm1,
    Inverse,
    Log1mexp,
    Log1p,
    Logcosh,
    LogDeterminant,
    MatrixFunction,
    MaxOver,
    MeanOver,
    MinOver,
    ProdOver,
    Reduction,
    Sigmoid,
    Size,
    Softplus,
    StopGradient,
    SumOver,
    Tensor,
    Unsupported,
    Where,
    did_you_mean,
    free_axes,
)
from derive.oracle import extent

MOST_ENTRIES = 4096
MOST_ROWS = 5  # of a matrix whose determinant is written out


def explicit(tensor: Tensor, sizes: Mapping[str, int]) -> Any:
    """The entries of a defined tensor for explicit lengths (`B=2, C=3`): a Matrix for rank 2, else an Array."""
    writer = _Explicit(_given(_sizes(tensor), sizes))
    lengths = [writer.length(a) for a in tensor.axes]
    if sympy.prod(lengths) > MOST_ENTRIES:
        raise DeriveError(f"at: {sympy.prod(lengths)} entries are too many to write out (at most {MOST_ENTRIES})")
    grid = itertools.product(*(range(n) for n in lengths))
    entries = [writer.value(tensor.body, dict(zip(tensor.axes, at, strict=True))) for at in grid]
    if len(lengths) == 2:
        return Matrix(lengths[0], lengths[1], entries)
    return Array(entries, tuple(lengths)) if lengths else entries[0]


def _given(sizes: set[Size], given: Mapping[str, int]) -> dict[Basic, int]:
    """A number for every size: the one given, or its default."""
    known = {str(s): s for s in sizes}
    numbers = {name: size.default for name, size in known.items() if size.default is not None} | dict(given)
    for name, value in given.items():
        if name not in known:
            raise DeriveError(f"at({name}=…): expected lengths {', '.join(sorted(known))}{did_you_mean(name, known)}")
        if not isinstance(value, int) or isinstance(value, bool) or value < known[name].min:
            raise DeriveError(f"at({name}={value!r}): expected a whole number of at least {known[name].min}")
    missing = [name for name in sorted(known) if name not in numbers]
    if missing:
        raise DeriveError(f"at: the lengths {', '.join(missing)} are missing, as in at({missing[0]}=2)")
    return {size: numbers[name] for name, size in known.items()}


def _sizes(tensor: Tensor) -> set[Any]:
    """Length symbols of a tensor's axes and of everything its body rests on."""
    found: set[Any] = set()
    stack: list[Basic] = [tensor]
    seen: set[Basic] = set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, Tensor):
            stack += [*node.axes, *([node.body] if node.body is not None else [])]
        elif isinstance(node, Axis):
            found |= node.size.atoms(Size)
        elif isinstance(node, Size):
            found.add(node)
        stack += node.args
    return found


class _Explicit:
    def __init__(self, sizes: Mapping[Basic, int]) -> None:
        self.sizes = sizes
        self.numbers = {size: Integer(value) for size, value in sizes.items()}
        self.memo: dict[tuple[Tensor, tuple[int, ...]], Any] = {}
        self.functions: dict[Any, Any] = {}

    def length(self, axis: Axis) -> int:
        return extent(axis, self.sizes)

    def value(self, node: Basic, at: Mapping[Axis, int]) -> Any:
        """The node at one place of its free letters, as plain SymPy."""
        for kind, write in _WRITTEN:
            if isinstance(node, kind):
                return write(self, node, at)
        if not node.args:
            return self.numbers.get(node, node)
        return node.func(*(self.value(a, at) for a in node.args))

    def letter(self, node: Axis, at: Mapping[Axis, int]) -> Any:
        return Integer(at[node])

    def delta(self, node: Basic, at: Mapping[Axis, int]) -> Any:
        return sympy.KroneckerDelta(*(self.value(a, at) for a in node.args))

    def where(self, node: Basic, at: Mapping[Axis, int]) -> Any:
        condition = self.value(node.args[0], at)
        if condition in (S.true, S.false):
            return self.value(node.args[1 if condition == S.true else 2], at)
        then, otherwise = (self.value(a, at) for a in node.args[1:])
        return sympy.Piecewise((then, condition), (otherwise, True))

    def sigmoid(self, node: Basic, at: Mapping[Axis, int]) -> Any:
        return 1 / (1 + sympy.exp(-self.value(node.args[0], at)))

    def softplus(self, node: Basic, at: Mapping[Axis, int]) -> Any:
        return sympy.log(1 + sympy.exp(self.value(node.args[0], at)))

    def stop_gradient(self, node: Basic, at: Mapping[Axis, int]) -> Any:
        return self.value(node.args[0], at)

    def log1p(self, node: Basic, at: Mapping[Axis, int]) -> Any:
        return sympy.log(1 + self.value(node.args[0], at))

    def expm1(self, node: Basic, at: Mapping[Axis, int]) -> Any:
        return sympy.exp(self.value(node.args[0], at)) - 1

    def log1mexp(self, node: Basic, at: Mapping[Axis, int]) -> Any:
        return sympy.log(1 - sympy.exp(self.value(node.args[0], at)))

    def logcosh(self, node: Basic, at: Mapping[Axis, int]) -> Any:
        return sympy.log(sympy.cosh(self.value(node.args[0], at)))

    def entry(self, node: Any, at: Mapping[Axis, int]) -> Any:
        """An entry; at an index that is itself unknown, the sum over all places it may be, each with its δ."""
        tensor: Tensor = node.tensor
        indices = [self.value(i, at) for i in node.indices]
        choices = [
            [(int(i), S.One)] if i.is_number else [(k, sympy.KroneckerDelta(i, k)) for k in range(self.length(axis))]
            for i, axis in zip(indices, tensor.axes, strict=True)
        ]
        found = [
            (sympy.prod(weight for _, weight in chosen), self._at(tensor, tuple(place for place, _ in chosen)))
            for chosen in itertools.product(*choices)
        ]
        if tensor.dtype == "bool":
            return sympy.Or(*(sympy.And(sympy.Ne(weight, 0), value) for weight, value in found))
        return sympy.Add(*(weight * value for weight, value in found))

    def _at(self, tensor: Tensor, place: tuple[int, ...]) -> Any:
        """The entry at a place; 0 outside the tensor."""
        if not all(0 <= k < self.length(axis) for k, axis in zip(place, tensor.axes, strict=True)):
            return S.false if tensor.dtype == "bool" else S.Zero
        if tensor.body is None:
            digits = "".join(map(str, place)) if all(k < 10 for k in place) else "_".join(map(str, place))
            return Symbol(f"{tensor.name}_{digits}" if place else tensor.name, **_KINDS[tensor.dtype])
        if (tensor, place) not in self.memo:
            self.memo[tensor, place] = self.value(tensor.body, dict(zip(tensor.axes, place, strict=True)))
        return self.memo[tensor, place]

    def matrix(self, node: MatrixFunction, at: Mapping[Axis, int]) -> Any:
        """The entry of a function of the matrix that is written out."""
        if type(node) not in _OF_MATRICES:
            raise Unsupported(f"at: no explicit form for {node.name}, whose entries are roots of a polynomial")
        rows, columns = node.axes
        count = self.length(rows)
        if count > MOST_ROWS:
            raise DeriveError(f"at: {node.name} of {count} rows is too much to write out (at most {MOST_ROWS})")
        grid = itertools.product(range(count), repeat=2)
        key = (type(node), *node.args[:3], *(at.get(letter) for letter in free_axes(node.body)))
        if key not in self.functions:
            whole = Matrix(count, count, [self.value(node.body, {**at, rows: i, columns: j}) for i, j in grid])
            self.functions[key] = _OF_MATRICES[type(node)](whole)
        found = self.functions[key]
        return found[tuple(int(self.value(index, at)) for index in node.at)] if node.at else found

    def reduced(self, node: Reduction, at: Mapping[Axis, int]) -> Any:
        grid = list(itertools.product(*(range(self.length(a)) for a in node.axes)))
        parts = [self.value(node.body, {**at, **dict(zip(node.axes, place, strict=True))}) for place in grid]
        if isinstance(node, ArgMaxOver):
            return _first(node, parts, [place[node.component] for place in grid])
        if type(node) not in _REDUCED:
            raise Unsupported(f"at: no explicit form for {node.name}_over")
        return _REDUCED[type(node)](*parts) / (len(parts) if isinstance(node, MeanOver) else 1)


def _first(node: ArgMaxOver, parts: list[Any], places: list[int]) -> Any:
    """Where the first largest (smallest) part stands; Unsupported where SymPy cannot compare them."""
    best = 0
    for k in range(1, len(parts)):
        better = parts[k] < parts[best] if isinstance(node, ArgMinOver) else parts[k] > parts[best]
        if better not in (S.true, S.false):
            raise Unsupported(f"at: where {node} stands depends on the numbers: {better} is not known")
        best = k if better == S.true else best
    return Integer(places[best])


_KINDS: dict[str, dict[str, bool]] = {"real": {"real": True}, "int": {"integer": True}, "bool": {}}
_REDUCED: dict[type, Any] = {
    SumOver: sympy.Add, MeanOver: sympy.Add, ProdOver: sympy.Mul, MaxOver: sympy.Max, MinOver: sympy.Min,
}  # fmt: skip
_OF_MATRICES: dict[type, Any] = {
    Inverse: lambda a: a.adjugate() / a.det(),
    Determinant: lambda a: a.det(),
    LogDeterminant: lambda a: sympy.log(sympy.Abs(a.det())),
    Cholesky: lambda a: a.cholesky(hermitian=False),
}
_WRITTEN: tuple[tuple[Any, Any], ...] = (
    ((Entry, BoolEntry), _Explicit.entry),
    (Axis, _Explicit.letter),
    (MatrixFunction, _Explicit.matrix),
    (Reduction, _Explicit.reduced),
    (Delta, _Explicit.delta),
    (Where, _Explicit.where),
    (Sigmoid, _Explicit.sigmoid),
    (Softplus, _Explicit.softplus),
    (StopGradient, _Explicit.stop_gradient),
    (Log1p, _Explicit.log1p),
    (Expm1, _Explicit.expm1),
    (Log1mexp, _Explicit.log1mexp),
    (Logcosh, _Explicit.logcosh),
)
