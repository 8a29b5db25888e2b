"""The chain rule along a network: what every node's adjoint is, before and after the local Jacobians are contracted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from derive.axes import AdjointOf, DeriveError, Tensor, free_axes, mapped, tensors_of
from derive.engine import gradient_of, jacobian_of
from derive.formula import Traced
from derive.notation.chainrule import Network
from derive.notation.drawing import drawn, graph_of, worth_drawing
from derive.notation.parts import parted
from derive.notation.story import Chain, Line, tensors_in
from derive.notation.style import LATEX, TEXT
from derive.notation.view import View, view_of
from derive.steps import Derivation, Equation

from .derivative import Derivative, real_inputs

MOST_EDGES = 24  # a larger network's Jacobians fill pages


def network_of(d: Derivative) -> Network | None:
    """The network of a gradient in indices; None for another derivative, and for a formula with few named parts."""
    traced = d.traced
    if d.kind not in ("gradient", "vjp") or not worth_drawing(traced) or traced.elementwise:
        return None
    staged = gradient_of(traced, real_inputs(traced), staged=True).derivation
    view, text = view_of(staged, traced, LATEX, "index"), view_of(staged, traced, TEXT, "index")
    graph = graph_of(traced)
    local = tuple(_local(traced, tuple(tensors_in(staged)))) if len(graph.edges) <= MOST_EDGES else ()
    return Network(drawn(graph), text, view, local, tuple(_contracted(staged)))


def _local(traced: Traced, beside: tuple[Tensor, ...]) -> Iterator[tuple[View, Chain]]:
    """∂u/∂v for every definition u and every real v that it is made of, each derived from the definition alone; no
    length is called as a tensor is that stands `beside` it.
    """
    for tensor in traced.definitions:
        alone = _alone(traced, tensor)
        for name in real_inputs(alone):
            try:
                derived = jacobian_of(alone, (name,))
            except DeriveError:
                continue  # what cannot be written entry by entry is left to the contracted form
            (result,) = derived.results.values()
            equation = next(e for e in derived.derivation.equations if e.kind == "result")
            view = view_of(derived.derivation, alone, LATEX, "index", beside)
            yield view, Chain((equation.target,), (Line(result.body),), tuple(result.axes))


def _alone(traced: Traced, tensor: Tensor) -> Traced:
    """One definition as a formula, of which the tensors that it mentions are inputs."""
    bare = {t: t.with_(body=None, role="input") for t in tensors_of(tensor.body)}
    body = mapped(tensor.body, lambda node: bare.get(node) if isinstance(node, Tensor) else None)
    output = tensor.with_(body=body, role="output")
    return replace(traced, name=tensor.name, inputs=tuple(bare.values()), outputs=(output,), assumptions=())


def _contracted(staged: Derivation) -> Iterator[Chain]:
    """`ḣ = ∂L/∂h = …` for every intermediate from the output backwards, then every input."""
    for equation in staged.equations:
        if equation.kind in ("adjoint", "result") and isinstance(equation.target, AdjointOf):
            target = _target(equation)
            letters = equation.tensor.axes if equation.kind == "adjoint" else free_axes(equation.target.entry)
            yield from parted(Chain(target, (Line(equation.result),), tuple(letters)))


def _target(equation: Equation) -> tuple[object, ...]:
    tensor = equation.tensor
    if equation.kind == "adjoint" and tensor is not None:
        return (tensor[tensor.axes], equation.target)
    return (equation.target,)
