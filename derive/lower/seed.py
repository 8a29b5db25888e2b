"""The upstream gradient of a scalar output, put where derivations leave it out (g = 1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sympy import Add, Integer, Mul

from derive.axes import Carried, Entry, MeanOver, SumOver, Tensor, Where, cut_anew, definitions, tied

from .task import Task


def seeded(task: Task) -> Task:
    """The task with an upstream of its own: each gradient, linear in the adjoints that it reads, is scaled by it once.

    Adjoints are scaled where they start; what reads them is left as it is, so that the factor costs nothing.
    """
    if task.upstreams or not task.gradients:
        return task
    taken = {t.name for t in task.inputs}
    upstream = Tensor("g" if "g" not in taken else f"g_{task.outputs[0].name}", (), role="upstream")
    scaled: dict[Tensor, Tensor] = {}
    roots = [gradient.body for gradient in task.gradients if gradient.body is not None]
    order = definitions(roots)
    cuts = {c: new for c, new in cut_anew(order).items() if isinstance(c, Carried) and _is_adjoint(c.target)}
    scaled.update(cuts)
    for tensor in order:
        if tensor.role == "adjoint":
            scaled[tensor] = tensor.with_(body=_times(tensor.body, upstream, scaled))
    tied(cuts, scaled)
    gradients = tuple(t.with_(body=_times(t.body, upstream, scaled)) for t in task.gradients)
    return replace(task, upstreams=(upstream,), gradients=gradients)


def _is_adjoint(target: Tensor | None) -> bool:
    return target is not None and target.role == "adjoint"


def _times(body: Any, g: Tensor, scaled: dict[Tensor, Tensor]) -> Any:
    """g · body: through sums and into the one factor that is scaled already, else a new factor."""
    again: Callable[[Any], Any] = lambda part: _times(part, g, scaled)  # noqa: E731
    if isinstance(body, Entry) and body.tensor in scaled:
        return body.func(scaled[body.tensor], *body.indices)
    if not any(t in scaled for t in _tensors(body)):
        return Mul(g[()], body, evaluate=False)
    if isinstance(body, Add):
        return Add(*map(again, body.args), evaluate=False)
    if isinstance(body, Mul):
        carrier = next(k for k, arg in enumerate(body.args) if any(t in scaled for t in _tensors(arg)))
        args = [again(arg) if k == carrier else arg for k, arg in enumerate(body.args)]
        return Mul(*args, evaluate=False)
    if isinstance(body, (SumOver, MeanOver)):
        return body.func(again(body.body), *body.axes)
    if isinstance(body, Where):
        condition, then, otherwise = body.args
        return Where(condition, again(then), otherwise if otherwise == Integer(0) else again(otherwise))
    return Mul(g[()], body, evaluate=False)


def _tensors(body: Any) -> set[Any]:
    return set(body.atoms(Tensor))
