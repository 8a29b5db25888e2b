"""The table of operations: what each gives, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sympy import Add, Expr, Max, Min, Mod, Mul, cancel, floor

from .program import Op
from .shapes import ONE, ZERO, Array, Host, Shape, broadcast, made, reduced, split, steps, tidy
from .walk import START, STOP, Row, Walk

# Numbers of the host


def _floor_divide(w: Walk, op: Op, args: Any) -> Any:
    return _exact(w, op, args, lambda a, b: floor(a / b))


def _mod(w: Walk, op: Op, args: Any) -> Any:
    return _exact(w, op, args, Mod)


def _exact(w: Walk, op: Op, args: Any, function: Any) -> Any:
    if any(isinstance(a, Array) for a in args) or any(a.value is None for a in args):
        return w.entrywise(op.name, args)
    return Host(function(*(a.value for a in args)))


def _host(w: Walk, op: Op, args: Any) -> Host:
    function = {"maximum": Max, "minimum": Min}.get(op.attr)
    known = function is not None and all(a.value is not None for a in args)
    return Host(function(*(a.value for a in args), evaluate=False)) if function and known else Host()


def _number(w: Walk, op: Op, args: Any) -> Host:
    return Host()


def _static(w: Walk, op: Op, args: Any) -> Host:
    return Host(ONE * op.attr)


def _nothing(w: Walk, op: Op, args: Any) -> Host:
    return Host(empty=True)


# Tuples and shapes


def _tuple(w: Walk, op: Op, args: Any) -> Any:
    return tuple(args)


def _shape(w: Walk, op: Op, args: Any) -> Any:
    return tuple(map(Host, args[0].shape))


def _template(w: Walk, op: Op, args: Any) -> Any:
    return _shape(w, op, args), Host()


def _item(w: Walk, op: Op, args: Any) -> Any:
    return args[0][op.attr]


def _len(w: Walk, op: Op, args: Any) -> Host:
    return Host(args[0].shape[0])


# Arrays made from nothing, and copies


def _filled(w: Walk, op: Op, args: Any) -> Array:
    return w.fresh([w.length(a) for a in args])


def _full(w: Walk, op: Op, args: Any) -> Array:
    w.tally.move(args[-1])
    return w.fresh([w.length(a) for a in args[:-1]])


def _empty(w: Walk, op: Op, args: Any) -> Array:
    return made([w.length(a) for a in args], op.attr)


def _eye(w: Walk, op: Op, args: Any) -> Array:
    return w.fresh([w.length(args[0])] * 2)


def _arange(w: Walk, op: Op, args: Any) -> Array:
    return w.fresh([w.length(args[0])], "int")


def _typed(w: Walk, op: Op, args: Any) -> Array:
    return made(())


def _indices(w: Walk, op: Op, args: Any) -> Array:
    return args[0]  # the check of a bound is not counted


def _copy(w: Walk, op: Op, args: Any) -> Array:
    (array,) = args
    kind = {"cast": "real", "widened": "int"}.get(op.name, array.kind)
    w.tally.move(array)
    return w.fresh(array.shape, kind) if op.name == "copied" else _moved(w, reduced(array, (), kind))


def _moved(w: Walk, array: Array) -> Array:
    w.tally.move(array)
    return array


# Views


def _turned(w: Walk, op: Op, args: Any) -> Array:
    rank = len(args[0].shape)
    order = {"T": tuple(reversed(range(rank))), "mT": (*range(rank - 2), rank - 1, rank - 2)}.get(op.name, op.attr)
    return args[0].axes(order)


def _expand(w: Walk, op: Op, args: Any) -> Array:
    return args[0].expanded(op.attr)


def _first(w: Walk, op: Op, args: Any) -> Array:
    return args[0].axes(range(len(args[0].shape) - 1))


def _all(w: Walk, op: Op, args: Any) -> Array:
    return args[0]


def _rows(w: Walk, op: Op, args: Any) -> Array:
    (array,) = args
    shape = list(array.shape)
    for k, name in enumerate(op.attr.split(", ")):
        rows = w.values[name] if name != ":" else ()
        assert isinstance(rows, tuple)
        shape[k] = rows[0].value if rows else shape[k]
    return replace(array, shape=tuple(shape))


def _start(w: Walk, op: Op, args: Any) -> Host:
    return Host(START if op.name == "start" else STOP)


def _limited(w: Walk, op: Op, args: Any) -> Any:
    return w.limited(*(a.value for a in args))


def _diagonal(w: Walk, op: Op, args: Any) -> Array:
    (array,) = args
    return Array(array.shape[:1], array.kind, (array.strides[0] + array.strides[1],))


def _broadcast_to(w: Walk, op: Op, args: Any) -> Array:
    shape = tuple(w.length(n) for n in args[1])
    if isinstance(args[0], Array):
        return args[0].stretched(shape)
    return Array(shape, "real", (ZERO,) * len(shape))


def _reshape(w: Walk, op: Op, args: Any) -> Array:
    array, wanted = args
    lengths = [w.length(n) for n in (wanted if isinstance(wanted, tuple) else (wanted,))]
    rest = Mul(*(n for n in lengths if n != -1))
    return reshaped(w, array, tuple(tidy(cancel(array.size / rest)) if n == -1 else n for n in lengths))


def reshaped(w: Walk, array: Array, shape: Shape) -> Array:
    """The array in another shape: a view where its memory allows, else a copy."""
    view = split(array, shape)
    if view is not None:
        return view
    w.tally.move(array)
    return w.fresh(shape, array.kind)


def _sliced(w: Walk, op: Op, args: Any) -> Array:
    """Basic slices are views; with integer arrays it is a gather: as many entries are read as are written."""
    array, *places = args
    if any(isinstance(p, Array) for p in places):
        return _gathered(w, array, places)
    places += [()] * (len(array.shape) - len(places))  # the axes that are not spoken of stay as they are
    shape: list[Expr] = []
    strides: list[Expr] = []
    for place, n, stride in zip(places, array.shape, array.strides, strict=True):
        if isinstance(place, tuple):
            length, step = _slice(w, place, n)
            shape.append(w.named(length, "length"))
            strides.append(stride * step)
    return Array(tuple(shape), array.kind, tuple(strides))


def _slice(w: Walk, parts: Sequence[Host], n: Expr) -> tuple[Expr, Expr]:
    start, stop, step = (*parts, *[Host(empty=True)] * (3 - len(parts)))
    by = ONE if step.empty else w.length(step)
    if start.empty and stop.empty:
        return n, by
    return steps(ZERO if start.empty else w.length(start), n if stop.empty else w.length(stop), by), by


def _gathered(w: Walk, array: Array, places: Sequence[Any]) -> Array:
    indices = [p for p in places if isinstance(p, Array)]
    block = broadcast(p.shape for p in indices)
    where = [k for k, p in enumerate(places) if isinstance(p, Array)]
    start = where[0] if where == list(range(where[0], where[0] + len(where))) else 0
    plain = [n for n, p in zip(array.shape, places, strict=True) if not isinstance(p, Array)]
    taken = made((*plain[:start], *block, *plain[start:]), array.kind)
    w.tally.move(*indices, taken, taken)
    return taken


# Contractions: a multiplication and an addition for each product of entries


def contraction(w: Walk, entries: Expr, operands: Sequence[Array], shape: Sequence[Expr]) -> Array:
    """A new array; `entries` products are formed and added."""
    w.tally.add(2 * entries)
    w.tally.move(*operands)
    return w.fresh(shape)


def matmul(w: Walk, op: Op | None, args: Any) -> Array:
    """a @ b: batches broadcast, the last axis of a against the last but one of b."""
    a, b = args
    rows, columns = a.shape[-2:-1], b.shape[-1:] if len(b.shape) > 1 else ()
    shape = (*broadcast((a.shape[:-2], b.shape[:-2])), *rows, *columns)
    return contraction(w, Mul(*shape, a.shape[-1]), args, shape)


def _vecdot(w: Walk, op: Op, args: Any) -> Array:
    every = broadcast(a.shape for a in args)
    return contraction(w, Mul(*every), args, every[:-1])


def _vdot(w: Walk, op: Op, args: Any) -> Array:
    return contraction(w, args[0].size, args, ())


def _tensordot(w: Walk, op: Op, args: Any) -> Array:
    kept = [[n for k, n in enumerate(a.shape) if k not in over] for a, over in zip(args, op.attr, strict=True)]
    shape = [*kept[0], *kept[1]]
    return contraction(w, Mul(*shape, *(args[0].shape[k] for k in op.attr[0])), args, shape)


def _einsum(w: Walk, op: Op, args: Any) -> Array:
    return einsum(w, op.attr, args)


def einsum(w: Walk, spec: str, args: Sequence[Array]) -> Array:
    """A sum over letters of products; of one array without a sum it is a view of a diagonal."""
    letters, result = spec.split("->")
    length = {
        a: n
        for axes, array in zip(letters.split(","), args, strict=True)
        for a, n in zip(axes, array.shape, strict=True)
    }
    shape = tuple(length[a] for a in result)
    summed = len(length) > len(result)
    if len(args) == 1 and not summed:
        strides = [sum((s for b, s in zip(letters, args[0].strides, strict=True) if b == a), ZERO) for a in result]
        return Array(shape, args[0].kind, tuple(strides))
    w.tally.add((len(args) - 1 + summed) * Mul(*length.values()))
    w.tally.move(*args)
    return w.fresh(shape)


# Reductions: an operation for each entry that is reduced


def _reduction(w: Walk, op: Op, args: Any) -> Array:
    (array,) = args
    return reduction(w, array, op.attr or range(len(array.shape)))


def reduction(w: Walk, array: Array, over: Sequence[int]) -> Array:
    """A new array without the axes `over`."""
    w.tally.add(array.size if array.kind == "real" else ZERO)
    w.tally.move(array)
    return _moved(w, reduced(array, tuple(over), array.kind))


def _place(w: Walk, op: Op, args: Any) -> Array:
    w.tally.add(args[0].size)
    w.tally.move(args[0])
    return w.fresh(args[0].shape[:-1], "int")


def _cumsum(w: Walk, op: Op, args: Any) -> Array:
    w.tally.add(args[0].size)
    w.tally.move(args[0])
    return w.fresh(args[0].shape)


def _concatenate(w: Walk, op: Op, args: Any) -> Array:
    """Each part is read and written once."""
    w.tally.move(*args)
    shape = [n if k != op.attr else Add(*(a.shape[k] for a in args)) for k, n in enumerate(args[0].shape)]
    return w.fresh(shape, args[0].kind)


def _where(w: Walk, op: Op, args: Any) -> Array:
    """Selecting is no arithmetic."""
    arrays = [a for a in args if isinstance(a, Array)]
    kinds = {a.kind for a in args[1:] if isinstance(a, Array)}
    w.tally.move(*arrays)
    return w.fresh(broadcast(a.shape for a in arrays), kinds.pop() if len(kinds) == 1 else "real")


ROWS: dict[str, Row] = {
    "floor_divide": _floor_divide,
    "mod": _mod,
    "host": _host,
    "float": _number, "choice": _number, "infinity": _number, "dtype": _number, "float64": _number,
    "number": _static,
    "none": _nothing, "empty_": _nothing,
    "tuple": _tuple, "results": _tuple, "dict": _tuple, "slice": _tuple,
    "shape": _shape,
    "template": _template,
    "item": _item,
    "len": _len,
    "ones": _filled, "zeros": _filled,
    "full": _full,
    "empty": _empty,
    "eye": _eye,
    "arange": _arange,
    "typed": _typed,
    "indices": _indices,
    "copy": _copy, "cast": _copy, "widened": _copy, "copied": _copy,
    "T": _turned, "mT": _turned, "transpose": _turned,
    "expand": _expand,
    "first": _first,
    "all": _all,
    "rows": _rows,
    "start": _start, "stop": _start, "limited": _limited,
    "diagonal": _diagonal,
    "broadcast_to": _broadcast_to,
    "reshape": _reshape,
    "sliced": _sliced,
    "matmul": matmul,
    "vecdot": _vecdot,
    "vdot": _vdot,
    "tensordot": _tensordot,
    "einsum": _einsum,
    "sum": _reduction, "prod": _reduction, "max": _reduction, "min": _reduction,
    "place": _place,
    "cumsum": _cumsum,
    "concatenate": _concatenate,
    "where": _where,
}  # fmt: skip
