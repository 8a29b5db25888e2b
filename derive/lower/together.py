"""One function of several slices of an array is a slice of the function of the array: σ of three gates is one σ.

A call for each slice costs more than some entries that nobody asks for, where the slices are most of the array. The
function must be finite everywhere: what stands beside the slices is any number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sympy import Mul, atan, erf, expand, tanh
from sympy.core.basic import Basic

from derive.axes import (
    Axis,
    Delta,
    Entry,
    Sigmoid,
    Softplus,
    SumOver,
    Tensor,
    cut_anew,
    definitions,
    in_range,
    mapped,
    rename,
    tied,
)

from .form import Form
from .task import Task

FINITE = (Sigmoid, Softplus, tanh, erf, atan)
Key = tuple[type, bool, Tensor]  # the function, whether of −z, and z


@dataclass(frozen=True)
class _Slice:
    """s[…, h] = z[…, h + c], as Σ_k [k = h + c] z[…, k]."""

    base: Tensor
    body: Any

    def of(self, whole: Tensor, letters: dict[Axis, Any]) -> Any:
        """The same places of another array."""
        read = mapped(self.body, lambda n: whole[n.indices] if isinstance(n, Entry) and n.tensor is self.base else None)
        return rename(read, letters)


def together(task: Task) -> Task:
    """The task with functions of slices as slices of functions, where these are most of the array."""
    roots = [t.body for t in (*task.outputs, *task.gradients) if t.body is not None]
    order = definitions(roots)
    slices = {t: found for t in order if (found := _slice(t))}
    asked: dict[Key, dict[Tensor, None]] = {}
    for body in (*roots, *(t.body for t in order)) if len(slices) > 1 else ():
        for call in body.atoms(*FINITE):
            if (key := _key(call, slices)) is not None:
                asked.setdefault(key[0], {})[key[1].tensor] = None
    wanted = {key for key, parts in asked.items() if len(parts) > 1 and _most(parts, slices)}
    return _rewritten(task, order, slices, wanted) if wanted else task


def _slice(tensor: Tensor) -> _Slice | None:
    body: Any = tensor.body
    if not isinstance(body, SumOver) or len(body.axes) != 1 or not isinstance(body.body, Mul):
        return None
    (letter,), factors = body.axes, body.body.args
    deltas, entries = ([f for f in factors if type(f) is kind] for kind in (Delta, Entry))
    if len(deltas) != 1 or len(entries) != 1 or len(factors) != 2 or entries[0].tensor.body is None:
        return None
    form, read = Form.of(deltas[0].args[0] - deltas[0].args[1]), entries[0].indices
    if letter not in read or len(set(read)) < len(read) or not all(isinstance(i, Axis) for i in read):
        return None
    own = [a for a in form.letters if a is not letter]
    rest = {a for a in read if a is not letter}
    if len(own) != 1 or {*rest, *own} != {*tensor.axes} or own[0] in rest or not form.solvable(letter):
        return None
    return _Slice(entries[0].tensor, body) if in_range(form.solved(letter), letter.size) else None


def _key(call: Any, slices: dict[Tensor, _Slice]) -> tuple[Key, Any] | None:
    """Which function of which array, and the entry of its slice that a call is asked of."""
    (argument,) = call.args
    minus = isinstance(argument, Mul) and len(argument.args) == 2 and argument.args[0] == -1
    entry = argument.args[1] if minus else argument
    if type(entry) is not Entry or entry.tensor not in slices:
        return None
    return (type(call), minus, slices[entry.tensor].base), entry


def _most(parts: Iterable[Tensor], slices: dict[Tensor, _Slice]) -> bool:
    """Whether the slices have at least half of the entries."""
    taken = sum(t.axes[k].size for t in parts for k in (_place(t, slices[t]),))
    (whole,) = {slices[t].body.axes[0].size for t in parts}
    left = expand(2 * taken - whole)
    return bool(left.is_nonnegative)


def _place(tensor: Tensor, found: _Slice) -> int:
    """Which axis of a slice runs along a part of the array's."""
    others = {i for e in found.body.atoms(Entry) for i in e.indices}
    return next(k for k, a in enumerate(tensor.axes) if a not in others)


def _rewritten(task: Task, order: Iterable[Tensor], slices: dict[Tensor, _Slice], wanted: set[Key]) -> Task:
    taken = {t.name for t in (*task.inputs, *order)} | {s.name for s in task.parameters}
    made: dict[Any, Tensor] = {}
    cuts = cut_anew(order)
    made.update(cuts)

    def whole(key: Key) -> Tensor:
        if key not in made:
            function, minus, base = key
            base = made.get(base, base)
            name = f"{function.__name__.lower()}_{'minus_' if minus else ''}{base.name}"
            while name in taken:
                name += "_"
            taken.add(name)
            entry = base[base.axes]
            body = function(Mul(-1, entry, evaluate=False) if minus else entry, evaluate=False)
            made[key] = Tensor(name, base.axes, body=body, role="found")
        return made[key]

    def changed(node: Basic) -> Basic | None:
        if isinstance(node, Tensor):
            return made.get(node)
        if isinstance(node, FINITE) and (found := _key(node, slices)) and found[0] in wanted:
            part = found[1].tensor
            body = slices[part].of(whole(found[0]), dict(zip(part.axes, found[1].indices, strict=True)))
            return mapped(body, lambda n: made.get(n) if isinstance(n, Tensor) else None)
        return None

    def again(tensor: Tensor) -> Tensor:
        body: Any = tensor.body
        return tensor.with_(body=mapped(body, changed))

    for tensor in order:
        made[tensor] = again(tensor)
    tied(cuts, made)
    return replace(
        task,
        outputs=tuple(t if t.body is None else again(t) for t in task.outputs),
        gradients=tuple(t if t.body is None else again(t) for t in task.gradients),
    )
