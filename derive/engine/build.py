"""From a traced formula to a finished derivation: gradient, Jacobian, Hessian, tangent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from derive.axes import Axis, DeriveError, Entry, Tensor
from derive.differentiate import reachable
from derive.formula import Traced
from derive.rewrite import Record
from derive.stabilise import stabiliser
from derive.steps import Derivation
from derive.terms import Algebra, Head, Poly, Reader, hides

from .forward import pushed
from .present import Presentation
from .script import Script
from .search import Outcome, Task, derived


@dataclass(frozen=True)
class Derived:
    """A finished derivation: `results[name]` is a tensor whose body is the closed form; steps are written on demand."""

    traced: Traced
    kind: str
    upstreams: tuple[Tensor, ...]
    results: dict[str, Tensor]
    outcome: Outcome = field(repr=False)
    of: Entry | None = None
    prepared: tuple[tuple[Head, Record], ...] = ()

    @cached_property
    def derivation(self) -> Derivation:
        """Every equation with its steps."""
        view = Presentation(self.outcome, taken_names(self.traced, self.upstreams), full=True)
        return Script(self.outcome, view, self.results, self.traced.name, self.of).derivation()


class Setting:
    """A traced formula read into an algebra of its own."""

    def __init__(self, traced: Traced) -> None:
        self.traced = traced
        self.algebra = Algebra()
        self.reader = Reader(self.algebra)
        for tensor in traced.inputs:
            self.reader.tensor(tensor)
        try:
            heads = {t: self.reader.define(t) for t in traced.definitions if t in traced.outputs or not hides(t.body)}
        except DeriveError as problem:
            raise type(problem)(f"formula {traced.name}: {problem}") from None
        self.outputs = tuple(heads[output] for output in traced.outputs)
        self.forward = self._forward()
        self.assumptions = tuple(self._equation(a.statement) for a in traced.assumptions if _is_equation(a.statement))

    def _forward(self) -> tuple[Head, ...]:
        carried = [self.reader.tensor(c.target) for c in self.reader.carried if c.target is not None]
        inner = reachable(self.algebra, [h.definition for h in self.outputs])
        beside = reachable(self.algebra, [c.definition for c in carried])
        every = dict.fromkeys((*inner, *beside, *carried))
        return (*(h for h in every if h not in self.outputs), *self.outputs)

    def prepared(self) -> tuple[tuple[Head, Record], ...]:
        """Definitions in the form whose derivative is safe, from here on; those that changed, and how."""
        early, changed = stabiliser(self.reader, (a.statement for a in self.traced.assumptions), early=True), []
        for head in self.forward:
            record = Record()
            if head.role != "auto" and (safe := early.stable(head.definition, record)) != head.definition:
                head.args, head.positive = (safe,), head.positive or self.algebra.is_positive(safe)
                changed.append((head, record))
        if changed:
            self.forward = self._forward()
        return tuple(changed)

    def _equation(self, statement: object) -> Poly:
        left, right = statement.args  # type: ignore[attr-defined]
        return self.algebra.add(self.reader.read(left, {}), self.algebra.scaled(self.reader.read(right, {}), -1))

    def inputs(self, names: Iterable[str]) -> tuple[Head, ...]:
        return tuple(self.reader.tensor(self.traced.input(name)) for name in names)


def _is_equation(statement: object) -> bool:
    return type(statement).__name__ == "Equality"


def taken_names(traced: Traced, upstreams: Iterable[Tensor]) -> set[str]:
    """Names that a discovered intermediate may not have: every tensor's, parameter's, letter's and length's."""
    tensors = [*traced.inputs, *traced.definitions, *upstreams]
    letters = {a for t in tensors for a in t.axes}
    names = {t.name for t in tensors} | set(traced.parameters)
    return names | {a.name for a in letters} | {a.size.name for a in letters if a.size.is_Symbol}


def upstreams_of(traced: Traced, always: bool = False) -> tuple[Tensor, ...]:
    """g for each output (none for a single scalar output, where it is 1); named g_y where g is an input."""
    outputs = traced.outputs
    if len(outputs) == 1 and not outputs[0].axes and not traced.elementwise and not always:
        return ()
    names = {t.name for t in traced.inputs}
    stem = "g" if "g" not in names else f"g_{outputs[0].name}"
    labels = [stem] if len(outputs) == 1 else [f"g_{o.name}" for o in outputs]
    return tuple(
        Tensor(label, output.axes, role="upstream", of=output.name)
        for label, output in zip(labels, outputs, strict=True)
    )


def gradient_of(
    traced: Traced, wrt: tuple[str, ...], *, staged: bool = False, always: bool = False, safe: bool = False
) -> Derived:
    """∂(Σ g·y)/∂x for each named input, by reverse accumulation; `safe`: of definitions made safe before, for code."""
    setting, upstreams = Setting(traced), upstreams_of(traced, always)
    prepared, algebra = setting.prepared() if safe else (), setting.algebra
    seeds: dict[int, Poly] = {}
    for head, g in zip(setting.outputs, upstreams, strict=bool(upstreams)):
        seeds[head.id] = algebra.atom(setting.reader.tensor(g), head.slots)
    if not upstreams:
        seeds[setting.outputs[0].id] = algebra.constant(1)
    task = Task(setting.reader, setting.forward, setting.inputs(wrt), seeds, (), setting.assumptions, staged)
    return replace(_presented(setting, derived(task), "gradient", upstreams), prepared=prepared)


def _presented(
    setting: Setting,
    outcome: Outcome,
    kind: str,
    upstreams: tuple[Tensor, ...] = (),
    of: Entry | None = None,
) -> Derived:
    """The results as tensors; the letters of the entry that is differentiated stand before the variable's own."""
    view = Presentation(outcome, taken_names(setting.traced, upstreams), full=False)
    results = {}
    for name, sheet in outcome.results.items():
        names = view.names(sheet.head, sheet.slots)
        letters = (*(of.indices if of else ()), *(names[a] for a in sheet.head.slots))
        body = view.write(sheet.value, names)
        label, role = (f"{name}_dot", "tangent") if kind == "jvp" else (f"{name}_bar", "adjoint")
        results[name] = Tensor(label, letters, body=body, role=role, of=name)
    return Derived(setting.traced, kind, upstreams, results, outcome, of)


def jacobian_of(traced: Traced, wrt: tuple[str, ...]) -> Derived:
    """∂y/∂x: the output's axes, then the input's. It is the gradient for g = δ at one output entry."""
    if len(traced.outputs) != 1:
        raise DeriveError(f"jacobian of {traced.name}: expected one output, given {len(traced.outputs)}")
    setting = Setting(traced)
    outcome = derived(_task_of_entries(setting, setting.outputs[0], traced.outputs[0].axes, setting.forward, wrt))
    return _presented(setting, outcome, "jacobian", (), traced.outputs[0][traced.outputs[0].axes])


def _task_of_entries(
    setting: Setting, head: Head, axes: tuple[Axis, ...], forward: tuple[Head, ...], wrt: tuple[str, ...]
) -> Task:
    """The task whose scalar is one entry of `head`, at the letters `axes`."""
    algebra = setting.algebra
    at = tuple(algebra.letter(a) for a in axes)
    pairs = [algebra.atom(algebra.delta, pair) for pair in zip(head.slots, at, strict=True)]
    seed = algebra.mul(algebra.constant(1), *pairs)
    return Task(setting.reader, forward, setting.inputs(wrt), {head.id: seed}, at, setting.assumptions)


def hessian_of(traced: Traced, wrt: str) -> Derived:
    """∂²L/∂x∂x of a scalar formula: the Jacobian of its gradient."""
    if len(traced.outputs) != 1 or traced.outputs[0].axes:
        raise DeriveError(f"hessian of {traced.name}: expected a scalar output, given {traced.outputs[0].declared()}")
    setting = Setting(traced)
    algebra = setting.algebra
    seeds = {setting.outputs[0].id: algebra.constant(1)}
    variable = setting.inputs((wrt,))
    # What is assumed of the variable itself holds at a point, not around it: it waits for the second pass.
    fixed = tuple(p for p in setting.assumptions if all(a[0] != variable[0].id for (f, _), _ in p for a, _ in f))
    first = derived(Task(setting.reader, setting.forward, variable, seeds, (), fixed))
    sheet = first.results[wrt]
    head = algebra.head(("first", wrt), "name", f"{wrt}_bar", sheet.head.spaces, slots=sheet.slots,
                        args=(sheet.value,), role="adjoint", of=wrt)  # fmt: skip
    axes = traced.input(wrt).axes
    earlier = tuple((algebra.heads[name], sheet.bar) for name, sheet in first.carried.items() if sheet.bar is not None)
    inner = reachable(algebra, [head.definition, *(bar.definition for _, bar in earlier)])
    known = setting.forward if earlier else ()
    forward = (*dict.fromkeys((*known, *inner, *(bar for _, bar in earlier))), head)
    task = replace(_task_of_entries(setting, head, axes, forward, (wrt,)), earlier=earlier)
    outcome = derived(task)
    named = Presentation(outcome, taken_names(traced, ()), full=False).tensor(head)
    assert named is not None
    gradient = named[axes]
    return _presented(setting, outcome, "hessian", (), gradient)


def tangent_of(traced: Traced, wrt: tuple[str, ...]) -> Derived:
    """ẏ = Σ (∂y/∂x) ẋ, by forward accumulation; ẋ is the tensor x_dot."""
    setting = Setting(traced)
    dots = {
        head.id: setting.reader.tensor(Tensor(f"{head.label}_dot", head.payload.axes, role="tangent", of=head.label))
        for head in setting.inputs(wrt)
    }
    outcome = pushed(setting.reader, setting.forward, setting.outputs, dots, setting.assumptions)
    made = _presented(setting, outcome, "jvp", tuple(h.payload for h in dots.values()))
    return made


__all__ = ["Derived", "gradient_of", "hessian_of", "jacobian_of", "tangent_of", "upstreams_of"]
