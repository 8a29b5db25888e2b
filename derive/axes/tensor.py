"""Tensors, written by their entries."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sympy import Expr, Integer, sympify
from sympy.core.basic import Basic
from sympy.core.expr import AtomicExpr
from sympy.logic.boolalg import Boolean
from sympy.printing.pretty.stringpict import prettyForm

from .errors import DeriveError, NotIterable, ShapeError, checked_identifier
from .index import Axis
from .ranges import in_range, settled, whole


@dataclass(frozen=True)
class TensorType:
    """The declared shape of a tensor: `T[b, i]`, `T[()]`, `T[...]`; Int and Bool likewise."""

    axes: tuple[Axis, ...]
    dtype: str = "real"  # "real" | "int" | "bool"
    any_shape: bool = False
    bound: Expr | None = None  # Int[...].below(v): entries are 0 … bound-1
    optional: bool = False

    def __or__(self, other: None) -> TensorType:
        return replace(self, optional=True)

    __ror__ = __or__

    def below(self, bound: Axis | Expr | int) -> TensorType:
        """Entries lie in 0 … bound-1 and may index an axis of that length."""
        if self.dtype != "int":
            raise DeriveError("below(...) bounds integers: use Int[...].below(v)")
        return replace(self, bound=bound.size if isinstance(bound, Axis) else scalar(bound, "Int.below"))

    def __str__(self) -> str:
        head = {"real": "T", "int": "Int", "bool": "Bool"}[self.dtype]
        inner = "..." if self.any_shape else ", ".join(a.name for a in self.axes) or "()"
        return f"{head}[{inner}]"


class _Declares:
    """`T[b, i]` in an annotation."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def __getitem__(self, shape: Any) -> TensorType:
        if shape is Ellipsis:
            return TensorType((), self.dtype, any_shape=True)
        letters = shape if isinstance(shape, tuple) else (shape,)
        for letter in letters:
            if not isinstance(letter, Axis):
                raise ShapeError(f"{self.dtype} tensor: expected axes in its declaration, given {letter!r}")
        if len(set(letters)) < len(letters):
            names = ", ".join(a.name for a in letters)
            raise ShapeError(f"a letter is repeated in the declaration [{names}]: declare n and n.alias('m')")
        return TensorType(letters, self.dtype)


T = _Declares("real")
Int = _Declares("int")
Bool = _Declares("bool")


class Tensor(AtomicExpr):
    """A named array over `axes`; with a `body` it is defined by an expression over those letters.

    role: "input", "let" (a named intermediate), "output", "upstream" (g), "adjoint" (∂L/∂of), "tangent" (of's),
    "found" (an intermediate that the simplifier discovered and named).
    """

    __slots__ = ("axes", "body", "bound", "dtype", "name", "of", "role")
    name: str
    axes: tuple[Axis, ...]
    dtype: str
    body: Expr | None
    role: str
    bound: Expr | None
    of: str
    is_commutative = True

    def __new__(
        cls,
        name: str,
        axes: Iterable[Axis] = (),
        *,
        dtype: str = "real",
        body: Expr | None = None,
        role: str = "input",
        bound: Expr | None = None,
        of: str = "",
    ) -> Tensor:
        tensor: Tensor = Expr.__new__(cls)
        tensor.name, tensor.axes = checked_identifier(name, "tensor"), tuple(axes)
        tensor.dtype, tensor.body, tensor.role, tensor.bound = dtype, body, role, bound
        tensor.of = of
        hash(tensor)  # now, bottom-up: a deep network must not recurse when it is first hashed
        return tensor

    def __getnewargs_ex__(self) -> Any:
        named = {"dtype": self.dtype, "body": self.body, "role": self.role, "bound": self.bound}
        named["of"] = self.of
        return (self.name, self.axes), named

    def _hashable_content(self) -> tuple[Any, ...]:
        return (self.name, self.axes, self.dtype, self.role, self.body, self.bound, self.of)

    def compare(self, other: Basic) -> int:
        mine, theirs = (self.name, str(self.axes)), (getattr(other, "name", ""), str(getattr(other, "axes", "")))
        return (mine > theirs) - (mine < theirs)

    def sort_key(self, order: Any = None) -> Any:
        return self.class_key(), (1, (self.name,)), (), 1

    @property
    def ndim(self) -> int:
        return len(self.axes)

    @property
    def free_symbols(self) -> set[Basic]:
        return set()

    def __getitem__(self, indices: Any) -> Any:
        letters = indices if isinstance(indices, tuple) else (indices,)
        return entry(self, *letters)

    def __iter__(self) -> Any:
        raise NotIterable(f"tensor {self.name} is written by its entries: {self.declared()}")

    def declared(self) -> str:
        """The tensor with its letters, as it is written: x[b, i], and L[()] where there are none."""
        return f"{self.name}[{', '.join(a.name for a in self.axes) or '()'}]"

    def _sympystr(self, printer: Any) -> str:
        return self.name

    def _latex(self, printer: Any) -> str:
        return rf"\mathrm{{{self.name}}}".replace("_", r"\_")

    def _pretty(self, printer: Any) -> Any:
        return prettyForm(self.name)

    def with_(self, **changes: Any) -> Tensor:
        args = {"name": self.name, "axes": self.axes, **self.__getnewargs_ex__()[1], **changes}
        return Tensor(args.pop("name"), args.pop("axes"), **args)


class Carried(Tensor):
    """A tensor that its own definition refers to, by an earlier or later entry: `target`, once that is made.

    Recurrences are cycles; this is where each is cut, so that everything else stays a tree. A serial number, not the
    target, makes its identity.
    """

    __slots__ = ("serial", "target")
    serial: int
    target: Tensor | None

    def __new__(cls, name: str, axes: Iterable[Axis] = (), *, serial: int | None = None) -> Carried:
        made: Any = Expr.__new__(cls)
        made.name, made.axes = checked_identifier(name, "tensor"), tuple(axes)
        made.dtype, made.body, made.role, made.bound, made.of = "real", None, "carried", None, ""
        made.serial = next(_SERIAL) if serial is None else serial
        made.target = None
        hash(made)
        return made

    def __getnewargs_ex__(self) -> Any:
        return (self.name, self.axes), {"serial": self.serial}

    def with_(self, **changes: Any) -> Carried:
        return Carried(changes.get("name", self.name), changes.get("axes", self.axes))

    def __getstate__(self) -> Any:
        return None, {"target": self.target}

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self.serial)


_SERIAL = itertools.count()


def _operand_of_tensor(name: str) -> Any:
    def refuse(self: Tensor, *_: Any) -> Any:
        raise ShapeError(f"tensor {self.name} is used without its indices: write {self.declared()}")

    refuse.__name__ = name
    return refuse


for _name in "add radd sub rsub mul rmul truediv rtruediv pow rpow neg pos abs lt le gt ge".split():
    setattr(Tensor, f"__{_name}__", _operand_of_tensor(f"__{_name}__"))


class Entry(Expr):
    """`x[b, i]`: one entry of a tensor; its arguments are the tensor and its indices."""

    is_commutative = True
    is_real = True

    @property
    def tensor(self) -> Tensor:
        return self.args[0]

    @property
    def indices(self) -> tuple[Expr, ...]:
        return self.args[1:]

    def _eval_is_integer(self) -> bool | None:
        return True if self.tensor.dtype == "int" else None

    def integer_bound(self) -> Expr | None:
        """Entries of an Int tensor lie in 0 … bound − 1."""
        return self.tensor.bound

    def _sympystr(self, printer: Any) -> str:
        inside = ", ".join(printer._print(i) for i in self.indices)
        return f"{self.tensor.name}[{inside}]" if inside else self.tensor.name

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        inside = ", ".join(printer._print(i) for i in self.indices)
        written = printer._print(self.tensor) + (f"_{{{inside}}}" if inside else "")
        return f"{{{written}}}^{{{exp}}}" if exp else written

    def _pretty(self, printer: Any) -> Any:
        return prettyForm(str(self))


class AdjointOf(Expr):
    """∂L/∂x[b, i]: the derivative of the scalar under discussion, for an entry of an input or intermediate x."""

    is_commutative = True
    is_real = True

    @property
    def entry(self) -> Entry:
        return self.args[0]

    def _sympystr(self, printer: Any) -> str:
        return f"d/d{printer._print(self.args[0])}"


class TangentOf(AdjointOf):
    """ẏ[b, o]: how an entry of y moves when the inputs move along their tangents ẋ."""

    def _sympystr(self, printer: Any) -> str:
        return f"dot({printer._print(self.args[0])})"


class BoolEntry(Boolean):
    """An entry of a mask: a condition, to be used in `where`."""

    tensor = Entry.tensor
    indices = Entry.indices
    _sympystr = Entry._sympystr
    _latex = Entry._latex
    _pretty = Entry._pretty

    def _no_arithmetic(self, *_: Any) -> Any:
        raise DeriveError(f"mask {self.tensor.name} is a condition, not a number: use where({self}, a, b)")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _no_arithmetic
    __neg__ = __pow__ = _no_arithmetic


class PaddedEntry(Entry):
    """`padded(x)[b, s*h + r − p]`: the entry where the indices lie within the tensor, else 0."""

    def _sympystr(self, printer: Any) -> str:
        return f"padded({self.tensor.name})[{', '.join(printer._print(i) for i in self.indices)}]"


class PaddedBoolEntry(BoolEntry):
    """The entry of a mask where the indices lie within it, else false."""

    _sympystr = PaddedEntry._sympystr


def entry(tensor: Tensor, *indices: Any, padded: bool = False) -> Expr | BoolEntry:
    """`tensor[indices]` after checking rank and range; ShapeError names tensor, expected and given.

    An index is a letter, or an integer expression of letters, sizes and integer entries that is provably in range;
    `padded` entries are 0 outside, and need no proof.
    """
    if indices == ((),) or indices == ():
        indices = ()
    if len(indices) != tensor.ndim:
        raise ShapeError(f"tensor {tensor.name}: expected {tensor.ndim} indices {tensor.declared()}, "
                         f"given [{_written(indices)}]")  # fmt: skip
    found = [_index(tensor, declared, index, indices) for declared, index in zip(tensor.axes, indices, strict=True)]
    outside = [
        (declared, index) for declared, index in zip(tensor.axes, found, strict=True)
        if index is not declared and not in_range(index, declared.size)
    ]  # fmt: skip
    if outside and not padded:
        (declared, index), given = outside[0], _written(indices)
        if isinstance(index, Axis):
            named = tensor.role == "let" and set(found) == set(tensor.axes)
            hint = " (the letters of a let stand as the inputs declare them)" if named else ""
            raise ShapeError(
                f"tensor {tensor.name}: expected {tensor.declared()}, given [{given}]: axis {index.name} has length "
                f"{index.size}, not {declared.size}{hint}"
            )
        raise ShapeError(
            f"tensor {tensor.name}: index {index} is not provably within 0 … {declared.size - 1} in "
            f"{tensor.name}[{given}]; padded({tensor.name})[…] reads 0 outside"
        )
    kinds = (PaddedBoolEntry, BoolEntry) if tensor.dtype == "bool" else (PaddedEntry, Entry)
    return kinds[0 if outside else 1](tensor, *found)


def _written(indices: tuple[Any, ...]) -> str:
    return ", ".join(str(i) for i in indices)


def _index(tensor: Tensor, declared: Axis, index: Any, given: tuple[Any, ...]) -> Expr:
    """An index as an integer expression."""
    if isinstance(index, int) and not isinstance(index, bool):
        return Integer(index)
    if not isinstance(index, Expr) or isinstance(index, Tensor):
        shown = index.declared() if isinstance(index, Tensor) else repr(index)
        raise ShapeError(f"tensor {tensor.name}: expected an axis such as {declared.name}, given {shown}")
    index = settled(index)
    if not whole(index):
        raise ShapeError(
            f"tensor {tensor.name}: index {index} in [{_written(given)}] is not an integer: expected letters, sizes "
            f"and integers"
        )
    return index


def scalar(value: Any, where_: str) -> Expr:
    """`value` as a scalar expression; a bare tensor, a condition or a Python object raises ShapeError."""
    if isinstance(value, Tensor):
        raise ShapeError(f"{where_}: tensor {value.name} is used without its indices: write {value.declared()}")
    try:
        expression = sympify(value, strict=True)
    except (TypeError, ValueError, AttributeError) as problem:
        raise DeriveError(f"{where_}: expected a scalar expression, given {value!r}") from problem
    if not isinstance(expression, Expr):
        raise DeriveError(f"{where_}: expected a scalar expression, given {value}")
    return expression
