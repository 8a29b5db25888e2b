"""Running sums: Σ_t where(t ≤ y, f(t), 0) takes each f(t) once, where a mask of all t and y takes it for every y."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sympy import Function, Pow
from sympy.core.relational import Relational

from derive.axes import Axis, SumOver, Tensor, Where, free_axes, nonnegative, whole

from .algebra import Hint, real
from .extrema import SLACK
from .form import Form
from .node import View
from .selection import can_fail
from .window import at

if TYPE_CHECKING:
    from .read import Reader


def total(r: Reader, body: Any, letters: Sequence[Axis], hint: Hint) -> View | None:
    """Σ over letters of where(t ≤ y + c, f, 0), or t ≥ y + c, f without y: summed up to, or from, each t; read there.

    Where y + c is outside of the axis, nothing is summed: what is read there is 0.
    """
    found = _bound(body, letters)
    if found is None or r.guards:
        return None
    t, index, backwards = found
    value = body.args[1]
    every = isinstance(index, Axis) and index.size == t.size  # f is selected everywhere
    named = (tensor for tensor in value.atoms(Tensor) if tensor.body is not None)
    if not every and (any(map(can_fail, value.atoms(Function, Pow))) or any(map(r.fallible, named))):
        return None
    others = [a for a in letters if a is not t]
    inner = [*(a for a in hint if a not in letters and a not in free_axes(index)), t]
    view = real(r.graph, r.read(SumOver(value, *others) if others else value, inner))
    if t not in view.letters:
        return None
    made = r.graph.make("running", [view], view.letters, (view.letters.index(t), backwards))
    return at(r, made, {t: index}, hint)


def _bound(body: Any, letters: Sequence[Axis]) -> tuple[Axis, Any, bool] | None:
    """(t, y + c, whether t ≥ y + c), where the condition says so of one summed letter."""
    if not isinstance(body, Where) or body.args[2] != 0:
        return None
    condition = body.args[0]
    if not isinstance(condition, Relational) or condition.rel_op not in SLACK or not all(map(whole, condition.args)):
        return None
    form = Form.of(SLACK[condition.rel_op](*condition.args))  # at least 0
    signs = {a: c for a, c in form.parts if a in letters}
    if form.opaque or len(form.parts) != 2 or len(signs) != 1:
        return None
    ((t, coefficient),) = signs.items()
    if abs(coefficient) != 1 or dict(form.parts)[next(a for a, _ in form.parts if a != t)] != -coefficient:
        return None
    index = form.solved(t)
    inside = nonnegative(index) if coefficient == 1 else nonnegative(t.size - 1 - index)
    return (t, index, coefficient == 1) if inside and not set(free_axes(index)) & set(free_axes(body.args[1])) else None
