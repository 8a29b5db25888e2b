"""Code of a loss and its gradient with respect to the parameters only: what a training step runs."""

from __future__ import annotations

from typing import Any

from derive.backends import Module
from derive.engine import CodeView, gradient_of
from derive.formula import Formula, Traced
from derive.lower import Task, lower


def loss_code(loss: Formula, names: tuple[str, ...]) -> Module:
    """`value_and_grad` of a scalar formula for the inputs `names`."""
    traced = loss.trace()
    view = CodeView(gradient_of(traced, names, staged=True))
    return Module(lower(_task(traced, loss.doc, view.outputs, view.gradients)))


def forward_code(formula: Formula) -> Module:
    """The forward function alone."""
    traced = formula.trace()
    return Module(lower(_task(traced, formula.doc, traced.outputs, ())))


def _task(traced: Traced, doc: str, outputs: Any, gradients: Any) -> Task:
    return Task(
        name=traced.name, doc=doc, inputs=traced.inputs, scalars=traced.scalars, outputs=outputs, gradients=gradients,
        sizes=traced.sizes, elementwise=traced.elementwise,
        assumptions=tuple(a.statement for a in traced.assumptions),
    )  # fmt: skip
