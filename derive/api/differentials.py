"""The differentials of a formula's definitions, one by one: dY = dX W + X dW + 𝟏 dβᵀ. Each is derived."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, count

from sympy import S
from sympy.core.basic import Basic

from derive.axes import Entry, TangentOf, Tensor, definitions, mapped, rename, tensors_of
from derive.engine import tangent_of
from derive.formula import Traced
from derive.notation import Notation
from derive.notation.choice import chosen
from derive.notation.recurrence import carry_of
from derive.steps import Derivation, Equation, Step

from .derivative import Derivative

DIFFERENTIAL = "differential"


def told(d: Derivative, notation: str | Notation) -> Derivation:
    """The derivation, with the differentials of its definitions where the notation is by differentials."""
    if chosen(notation).kind != DIFFERENTIAL or d.kind not in ("gradient", "vjp"):
        return d.derivation
    given = {t.name: t for e in d.derivation.equations for t in (e.tensor, *definitions([e.result])) if t is not None}
    taken = given | {t.name: t for t in (*d.traced.inputs, *d.traced.definitions)}
    found = [part for e in _differentials(d.traced, set(d.results)) for part in _apart(e, taken)]
    return replace(d.derivation, differentials=tuple(found))


def _apart(equation: Equation, taken: dict[str, Tensor]) -> Iterator[Equation]:
    """A differential after the names that it uses: one that the derivation has for something else is exchanged."""
    for tensor in definitions([equation.result]):
        if tensor.role not in ("found", "tangent") or _is(tensor, taken.get(tensor.name)):
            continue
        stem = tensor.name.partition("_")[0]
        name = next(n for n in chain([tensor.name], (f"{stem}_{k}" for k in count(1))) if n not in taken)
        made = taken[name] = tensor.with_(name=name)
        equation = _with(equation, tensor, made)
        target = made[made.axes]
        yield Equation("found", target, made, (Step("name", target, made.body, "a name for what stands below"),))
    yield equation


def _is(tensor: Tensor, known: Tensor | None) -> bool:
    """Whether a name stands for the same already."""
    if known is None or known.body is None or [a.size for a in known.axes] != [a.size for a in tensor.axes]:
        return False
    return bool(rename(known.body, dict(zip(known.axes, tensor.axes, strict=True))) == tensor.body)


def _with(equation: Equation, old: Tensor, new: Tensor) -> Equation:
    """The equation with one tensor for another."""
    (step,) = equation.steps
    after = mapped(step.after, lambda node: new if node == old else None)
    return replace(equation, steps=(replace(step, after=after),))


def _differentials(traced: Traced, moving: set[str]) -> Iterator[Equation]:
    """Of each definition that rests on what moves, in terms of the tensors that it names."""
    moving = _moving(traced, moving)
    opened: dict[
        str, Basic
    ] = {}  # what masks with −∞ has no differential of its own: it is written out where it is used
    for tensor in traced.definitions:
        body = mapped(tensor.body, lambda node: _written_out(node, opened)) if tensor.body is not None else S.Zero
        if body.has(S.NegativeInfinity, S.Infinity) and "max" not in str(body):
            opened[tensor.name] = body
            continue
        named = tensors_of(body)
        moved = tuple(t.name for t in named if t.name in moving)
        if moved and tensor.dtype == "real" and carry_of(tensor) is None:  # ds_{t−1} is what ds_t was
            yield _differential(traced, tensor, body, named, moved)


def _moving(traced: Traced, moving: set[str]) -> set[str]:
    """The names of all that moves with the variables; a recurrence moves with its own step before."""
    found, number = set(moving), -1
    while number < len(found):
        number = len(found)
        found |= {
            tensor.name
            for tensor in traced.definitions
            if tensor.dtype == "real" and found & {t.name for t in tensors_of(tensor.body)}
        }
    return found


def _written_out(node: Basic, opened: dict[str, Basic]) -> Basic | None:
    if isinstance(node, Entry) and node.tensor.name in opened:
        return rename(opened[node.tensor.name], dict(zip(node.tensor.axes, node.indices, strict=True)))
    return None


def _differential(
    traced: Traced, tensor: Tensor, body: Basic, named: tuple[Tensor, ...], moved: tuple[str, ...]
) -> Equation:
    inputs = {t.name: t.with_(body=None, role="input") for t in named}
    body = body.xreplace({t: inputs[t.name] for t in named if t.body is not None})
    output = tensor.with_(body=body, role="output")
    alone = replace(traced, inputs=tuple(inputs.values()), outputs=(output,), assumptions=())
    (result,) = tangent_of(alone, moved).results.values()
    target = TangentOf(tensor[tensor.axes])
    step = Step(DIFFERENTIAL, target, result.body, "sums and products term by term, functions by their derivatives")
    return Equation(DIFFERENTIAL, target, tensor, (step,))
