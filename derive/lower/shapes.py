"""Arrays of symbolic shape: what a value of the array program is before it has numbers. The cost model walks these.

A value is an `Array`, a number of the host (`Host`, with its value where that is an integer of sizes), or a tuple.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from itertools import pairwise
from typing import Any

from sympy import Expr, Integer, Mul, Symbol, cancel, expand, floor

from derive.axes import Size, Unsupported

ITEMSIZE = Symbol("itemsize", integer=True, positive=True)  # bytes of a real: 8 for float64, 4 for float32
BYTES: dict[str, Expr] = {"real": ITEMSIZE, "int": Integer(8), "small": Integer(1), "bool": Integer(1)}
ONE, ZERO = Integer(1), Integer(0)

Shape = tuple[Expr, ...]


class Length(Size):
    """A length that follows from others: its name is for readers, its value is what it is."""

    __slots__ = ("value",)
    value: Expr

    def __new__(cls, name: str, value: Expr) -> Length:
        length: Length = Size.__new__(cls, name)
        length.value = value
        return length

    def __getnewargs_ex__(self) -> Any:
        return (self.name, self.value), {}

    @classmethod
    def class_key(cls) -> Any:
        """Among sizes it is sorted as one."""
        return Size.class_key()

    def _hashable_content(self) -> tuple[Any, ...]:
        return (self.name, self.value)


@lru_cache(maxsize=8192)
def opened(length: Expr) -> Expr:
    """The length by what it follows from."""
    follows = {symbol: opened(symbol.value) for symbol in length.atoms(Length)}
    return expand(length.xreplace(follows)) if follows else length


@dataclass(frozen=True)
class Array:
    """An array or a view of one; strides in entries, in the order of the axes."""

    shape: Shape
    kind: str
    strides: Shape

    @property
    def size(self) -> Expr:
        return Mul(*self.shape)

    @property
    def bytes(self) -> Expr:
        """What it shows, in bytes: a view of windows shows more than its memory holds."""
        return self.size * BYTES[self.kind]

    def axes(self, which: Iterable[int]) -> Array:
        """The view with these axes, in this order."""
        order = tuple(which)
        return replace(self, shape=tuple(self.shape[k] for k in order), strides=tuple(self.strides[k] for k in order))

    def expanded(self, kept: Sequence[bool]) -> Array:
        """The view with axes of length 1 where `kept` says no; further axes follow as they are."""
        shape, strides = list(self.shape), list(self.strides)
        for place, own in enumerate(kept):
            if not own:
                shape.insert(place, ONE)
                strides.insert(place, ZERO)
        return replace(self, shape=tuple(shape), strides=tuple(strides))

    def stretched(self, shape: Shape) -> Array:
        """The view that repeats it to a shape; its axes meet those from the right."""
        beyond = len(shape) - len(self.shape)
        own = [ZERO if n == 1 else s for n, s in zip(self.shape, self.strides, strict=True)]
        return replace(self, shape=shape, strides=(*[ZERO] * beyond, *own))


@dataclass(frozen=True)
class Host:
    """A Python number; `value` where it is an integer made of sizes. `empty`: nothing stands there, as in `a[:3]`."""

    value: Expr | None = None
    empty: bool = False


Value = Array | Host | tuple  # type: ignore[type-arg]  # of values, nested


@lru_cache(maxsize=8192)
def tidy(length: Expr) -> Expr:
    """A length multiplied out."""
    return length if length.is_Atom else expand(length)


def same(a: Expr, b: Expr) -> bool:
    """Whether two lengths are one polynomial."""
    return a == b or tidy(opened(a) - opened(b)) == 0


def contiguous(shape: Sequence[Expr]) -> Shape:
    """Strides of an array in C order."""
    strides = [ONE]
    for length in reversed(shape[1:]):
        strides.append(strides[-1] * length)
    return tuple(reversed(strides)) if shape else ()


def made(shape: Sequence[Expr], kind: str = "real") -> Array:
    """A new array, in C order."""
    return Array(tuple(shape), kind, contiguous(shape))


def meet(a: Expr, b: Expr) -> Expr:
    """The length of an axis on which two operands meet. Raises Unsupported where the lengths differ."""
    if same(a, b) or b == 1:
        return a
    if a == 1:
        return b
    raise Unsupported(f"cost: axes of lengths {a} and {b} meet")


def broadcast(shapes: Iterable[Shape]) -> Shape:
    """The shape of an elementwise result."""
    return reduce(_pair, shapes, ())


def _pair(a: Shape, b: Shape) -> Shape:
    rank = max(len(a), len(b))
    a, b = (*[ONE] * (rank - len(a)), *a), (*[ONE] * (rank - len(b)), *b)
    return tuple(meet(m, n) for m, n in zip(a, b, strict=True))


def entrywise(operands: Sequence[Array], kind: str) -> Array:
    """A new array for an elementwise result: its axes lie in memory as those of the operands, if these agree."""
    shape = broadcast(a.shape for a in operands)
    orders = {_order(a) for a in operands if len(a.shape) == len(shape) and ZERO not in a.strides}
    return _laid(shape, kind, orders.pop()) if len(orders) == 1 else made(shape, kind)


def reduced(array: Array, over: Sequence[int], kind: str = "real") -> Array:
    """A new array without some axes; the others lie in memory as before."""
    kept = array.axes(k for k in range(len(array.shape)) if k not in over)
    return made(kept.shape, kind) if ZERO in kept.strides else _laid(kept.shape, kind, _order(kept))


def _laid(shape: Shape, kind: str, order: Sequence[int]) -> Array:
    strides = dict(zip(order, contiguous([shape[k] for k in order]), strict=True))
    return Array(shape, kind, tuple(strides[k] for k in range(len(shape))))


def _order(array: Array) -> tuple[int, ...]:
    """The axes from the slowest in memory to the finest."""
    return tuple(sorted(range(len(array.shape)), key=lambda k: -coarseness(array.strides[k])))


@lru_cache(maxsize=8192)
def coarseness(stride: Expr) -> float:
    """How far apart neighbours lie: strides of one array are products of lengths, so that any lengths > 1 compare them.

    With lengths of 3 no product of padded lengths and steps comes out equal to another by accident of a length 1.
    """
    return abs(float(stride.xreplace(dict.fromkeys(stride.free_symbols, Integer(3)))))


def mergeable(array: Array, axes: Sequence[int]) -> bool:
    """Whether these neighbouring axes are one axis without copying: each steps over the whole of the next."""
    own = [k for k in axes if array.shape[k] != 1]
    return all(same(array.strides[a], array.shape[b] * array.strides[b]) for a, b in pairwise(own))


def groups(old: Shape, new: Shape) -> list[tuple[list[int], list[int]]]:
    """Which axes become which when a shape is read as another: the finest groups of equal products."""
    found: list[tuple[list[int], list[int]]] = []
    old, new = tuple(map(opened, old)), tuple(map(opened, new))
    i = j = 0
    while i < len(old) or j < len(new):
        a, b = [i] if i < len(old) else [], [j] if j < len(new) else []
        i, j = i + len(a), j + len(b)
        while not same(Mul(*(old[k] for k in a)), Mul(*(new[k] for k in b))):
            above, below = Mul(*(old[k] for k in a)), Mul(*(new[k] for k in b))
            if j < len(new) and (i == len(old) or _divides(above, below * new[j])):
                b.append(j)
                j += 1
            elif i < len(old):
                a.append(i)
                i += 1
            else:
                raise Unsupported(f"cost: an array of shape {old} read as {new}")
        found.append((a, b))
    return found


def _divides(above: Expr, below: Expr) -> bool:
    return bool(cancel(above / below).as_numer_denom()[1] == 1)


def split(array: Array, shape: Shape) -> Array | None:
    """The view of an array in another shape; None where it needs a copy."""
    strides: list[Expr] = []
    for old, new in groups(array.shape, shape):
        if not mergeable(array, old):
            return None
        step = next((array.strides[k] for k in reversed(old) if array.shape[k] != 1), ONE)
        strides += [step * s for s in contiguous([shape[k] for k in new])]
    return Array(shape, array.kind, tuple(strides))


def steps(start: Expr, stop: Expr, step: Expr) -> Expr:
    """How many places start, start + step, … there are before `stop`."""
    count = tidy((stop - start - 1) / step) + 1
    return count if count.is_polynomial() else floor((stop - start - 1) / step) + 1
