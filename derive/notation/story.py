"""A derivation as a lecturer tells it: blocks of words, inputs and chains of equalities, before any format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from sympy import S, preorder_traversal
from sympy.core.basic import Basic

from derive.axes import AdjointOf, Axis, Entry, SumOver, TangentOf, Tensor, Unsupported, free_axes
from derive.steps import Derivation, Equation, Step

from . import unrolled
from .blocks import (
    LOSS,
    MOVED_LOSS,
    Block,
    Chain,
    Display,
    Heading,
    Inputs,
    Line,
    Loss,
    Part,
    Reason,
    Shape,
    Told,
    Words,
)
from .completed import NAMED, completed
from .parts import parted
from .recurrence import Subject, retold

DETAILS = ("brief", "normal", "full")
NAMING = {"definition", "found"}
# Laws that a textbook does not print by themselves: each shares the line of the law before it.
TRIVIAL = {"contract δ", "factor", "write out names", "add exponents", "fold within brackets"}
# What tells most of how a result came about, first things first; brief explanations say MOST of them.
IDEAS = ("chain rule", "assumption", "use a fact", "fold a definition", "use symmetry", "collect a named sum",
         "insert an adjoint", "contract δ")  # fmt: skip
CITING = {"assumption", "use a fact", "use symmetry"}
MOST = 3


def story(derivation: Derivation, subject: Told, detail: str, summary: str = "") -> list[Block]:
    """The blocks of a document; Unsupported for a detail that is none of brief, normal, full."""
    if detail not in DETAILS:
        raise Unsupported(f"unknown detail {detail!r}: expected one of {', '.join(DETAILS)}")
    derivation, subject = retold(derivation, subject)
    derivation = completed(derivation)
    blocks: list[Block] = [Heading((derivation.title,), level=1)]
    if summary:
        blocks.append(Words((summary,)))
    blocks += _definition(derivation, subject, detail)
    given = {t.name: t.body for t in subject.definitions}
    equations = [e for e in derivation.equations if not _restated(e, given, detail)]
    blocks += _brief(derivation, equations) if detail == "brief" else _told(derivation, equations, detail)
    return blocks


def _restated(equation: Equation, given: Mapping[str, Basic | None], detail: str) -> bool:
    """Whether a definition is given already, and with the new names no shorter; one telling is enough in brief."""
    if equation.kind != "definition" or equation.tensor.name not in given:
        return False
    body = given[equation.tensor.name]
    longer = detail == "normal" and body is not None and _nodes(equation.result) > _nodes(body)
    return detail == "brief" or not equation.steps or longer


def _nodes(node: Basic) -> int:
    return sum(1 for _ in preorder_traversal(node))


def _definition(derivation: Derivation, subject: Told, detail: str) -> Iterator[Block]:
    yield Heading(("Definition",))
    yield Inputs(subject.inputs, subject.scalars)
    yield Display(defined(subject))
    for number, statement in enumerate(stated(subject)):
        yield Words(("It is assumed that " if number == 0 else "… and that ", statement, "."))
    yield from _differentiated(derivation, subject)
    yield from _mirrored(derivation, subject)
    shown = derivation.equations if detail != "brief" else _used(derivation.equations)
    if any(e.tensor is not None and e.kind == "adjoint" for e in shown):
        yield Words(("A bar marks an adjoint: the derivative with respect to what stands under it.",))
        if isinstance(subject, Subject):
            yield Words(("Adjoints run against the recurrence, and beyond its last step they are 0.",))
    if detail != "brief":
        yield from _differentials(derivation, subject)


def stated(subject: Told) -> tuple[Basic, ...]:
    """What is assumed, each once; of given numbers, as 0 ≤ 2, nothing is."""
    every = dict.fromkeys(a.statement for a in subject.assumptions)
    return tuple(s for s in every if s.free_symbols or s.atoms(Entry, Axis) or s.doit() is not S.true)


def defined(subject: Told) -> tuple[Chain, ...]:
    """Every named part and the output, and how recurrences begin."""
    named = [_named(tensor) for tensor in subject.definitions if tensor.body is not None]
    begins = subject.begins if isinstance(subject, Subject) else ()
    return (*named, *(Chain((entry,), (Line(start),), free_axes(entry)) for entry, start in begins))


def _named(tensor: Tensor) -> Chain:
    return Chain((tensor[tensor.axes],), (Line(tensor.body),), tensor.axes)


def _differentiated(derivation: Derivation, subject: Told) -> Iterator[Block]:
    """What is differentiated: L, one output entry, or the outputs along a direction."""
    if derivation.of is not None:
        again = derivation.of.tensor.role == "adjoint"
        yield Words(("Differentiated once more is the gradient " if again else "Differentiated is every entry of ",
                     derivation.of.tensor, "."))  # fmt: skip
        return
    if any(isinstance(e.target, TangentOf) for e in derivation.equations):
        yield Words(("A dot marks the derivative along a direction in which the inputs move.",))
        return
    outputs, upstream = subject.outputs, upstreams(derivation, subject)
    if not upstream:
        name = outputs[0].name
        yield Words(
            (
                "The scalar that is differentiated is ",
                outputs[0][outputs[0].axes],
                *(["."] if name == "L" else [", written ", LOSS, " below."]),
            )
        )
        return
    terms = [g[g.axes] * y[y.axes] for g, y in upstream]
    sums = [SumOver(term, *y.axes) if y.axes else term for term, (_, y) in zip(terms, upstream, strict=True)]
    given = " is the given upstream gradient " if len(upstream) == 1 else " are the given upstream gradients "
    yield Words(("The scalar that is differentiated is ", LOSS, " = ", *_joined(sums, " + "), ", where ",
                 *_joined([g[g.axes] for g, _ in upstream], " and "), given,
                 *_joined([AdjointOf(y[y.axes]) for _, y in upstream], " and "), "."))  # fmt: skip
    if subject.elementwise:
        yield Words(("The formula holds entry by entry: arrays of any shape, the indices left out.",))


def _mirrored(derivation: Derivation, subject: Told) -> Iterator[Block]:
    """The convention of a derivative with respect to a matrix that is assumed to be symmetric or definite."""
    results = [e.target for e in derivation.equations if e.kind == "result"]
    varied = {target.entry.tensor for target in results if isinstance(target, AdjointOf)}
    symmetric = {tensor for assumption in subject.assumptions for tensor in _turned(assumption.statement)}
    matrices = [tensor for tensor in subject.inputs if tensor in varied & symmetric]
    if matrices:
        several = [*_joined(matrices[:-1], ", "), " or "] if len(matrices) > 1 else []
        yield Words(("An entry of ", *several, matrices[-1], " and its mirror image count as two variables, equal or "
                     "not; where they are one, their derivatives add."))  # fmt: skip


def _turned(statement: Basic) -> set[Tensor]:
    """The tensors that a statement mentions with their letters in two orders, A_nm and A_mn."""
    entries = [e for e in statement.atoms(Entry) if isinstance(e, Entry)]
    pairs = [(a, b) for a in entries for b in entries if a.tensor == b.tensor and a.indices != b.indices]
    return {a.tensor for a, b in pairs if set(a.indices) == set(b.indices)}


def _differentials(derivation: Derivation, subject: Told) -> Iterator[Block]:
    """The differential of the scalar, then those of the definitions that it rests on."""
    if not derivation.differentials:
        return
    yield Heading(("Differentials",))
    terms = [g[g.axes] * TangentOf(y[y.axes]) for g, y in upstreams(derivation, subject)]
    axes = [y.axes for _, y in upstreams(derivation, subject)]
    sums = [SumOver(term, *over) if over else term for term, over in zip(terms, axes, strict=True)]
    if sums:
        yield Words((MOVED_LOSS, " = ", *_joined(sums, " + "), ", where"))
    yield Display(tuple(Chain((e.target,), (Line(e.result),), e.tensor.axes) for e in derivation.differentials))


def _joined(parts: Sequence[Basic], between: str) -> list[Part]:
    found: list[Part] = []
    for part in parts:
        found += [between, part] if found else [part]
    return found


def upstreams(derivation: Derivation, subject: Told) -> list[tuple[Tensor, Tensor]]:
    """Each upstream gradient with its output; none where the only output is a scalar."""
    found: dict[str, Tensor] = {}
    for tensor in tensors_in(derivation):
        if tensor.role == "upstream":
            found.setdefault(tensor.of or (subject.outputs[0].name if len(subject.outputs) == 1 else ""), tensor)
    if not found and len(subject.outputs) == 1 and not subject.outputs[0].axes and not subject.elementwise:
        return []
    stem = "g" if all(t.name != "g" for t in subject.inputs) else f"g_{subject.outputs[0].name}"
    labels = [stem] if len(subject.outputs) == 1 else [f"g_{y.name}" for y in subject.outputs]
    return [
        (found.get(y.name) or Tensor(label, y.axes, role="upstream", of=y.name), y)
        for label, y in zip(labels, subject.outputs, strict=True)
    ]


def expressions_in(derivation: Derivation) -> Iterator[Basic]:
    """Everything that a document about the derivation may print."""
    if derivation.of is not None:
        yield derivation.of
    for equation in (*derivation.equations, *derivation.differentials):
        yield equation.target
        if equation.tensor is not None:
            yield equation.tensor
            if equation.tensor.body is not None:
                yield equation.tensor.body
        for step in equation.steps:
            yield step.before
            yield step.after
            yield from (cited for cited in step.cites if cited is not None)


def tensors_in(derivation: Derivation) -> Iterator[Tensor]:
    """Every tensor that a document about the derivation may print."""
    seen: set[int] = set()
    stack = list(expressions_in(derivation))
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            if isinstance(node, Tensor):
                yield node
            stack.extend(node.args)


def _brief(derivation: Derivation, equations: Iterable[Equation]) -> Iterator[Block]:
    """Results, the names they use, the laws."""
    equations = list(equations)
    yield Heading(("Result",))
    yield Display(_parts(_result(e, derivation) for e in equations if e.kind == "result"))
    used = _used(equations)
    if used:
        yield Words(("Here",))
        yield Display(_parts(_result(e, derivation) for e in used))
    yield from _ideas(derivation)
    if derivation.laws:
        yield Words(("Laws used: ", ", ".join(derivation.laws), "."))


def _parts(chains: Iterable[Chain]) -> tuple[Chain, ...]:
    return tuple(part for chain in chains for part in parted(chain))


def _ideas(derivation: Derivation) -> Iterator[Block]:
    """The laws that matter most, each in its own words, with what it rests on."""
    steps = [step for equation in derivation.equations for step in equation.steps]
    told: list[Step] = []
    for law in IDEAS:
        used = next((step for step in steps if step.law == law and step.why), None)
        if used is not None and len(told) < MOST:
            told.append(used)
    words: list[Part] = []
    for step in told:
        cites = [c for c in _reason(step).cites if step.law in CITING]
        shown = [" (", *_joined(cites, "; "), ")"] if cites else []
        words += ["; " if words else "The ideas: ", f"{step.law} – {step.why}", *shown]
    if words:
        yield Words((*words, "."))


def _used(equations: Sequence[Equation]) -> list[Equation]:
    """The equations of the names that the results mention, directly or through others.

    A name is the same in every equation, also where one reader of it knows more names than another: what has no
    equation is told by its own body.
    """
    named = {e.tensor.name: e for e in equations if e.kind != "result" and e.tensor is not None}
    used: dict[str, Equation] = {}
    stack: list[Basic] = [e.result for e in equations if e.kind == "result"]
    while stack:
        for tensor in sorted(stack.pop().atoms(Tensor), key=lambda t: t.name):
            if tensor.name in used or (tensor.name not in named and tensor.role not in NAMED):
                continue
            if tensor.name not in named and tensor.body is not None:
                target = tensor[tensor.axes]
                named[tensor.name] = Equation("found", target, tensor, (Step("name", target, tensor.body),))
            if tensor.name in named:
                used[tensor.name] = named[tensor.name]
                stack += [used[tensor.name].result, used[tensor.name].target]
    return [e for name, e in named.items() if name in used]


def _result(equation: Equation, derivation: Derivation) -> Chain:
    return Chain(_target(equation), (Line(equation.result),), _letters(equation, derivation))


def _target(equation: Equation) -> tuple[Basic, ...]:
    """What an equation is about; the adjoint of an intermediate also by its own name: μ̄ = ∂L/∂μ."""
    tensor = equation.tensor
    if equation.kind == "adjoint" and isinstance(equation.target, AdjointOf) and tensor is not None:
        return (tensor[tensor.axes], equation.target)
    return (equation.target,)


def _letters(equation: Equation, derivation: Derivation) -> tuple[Axis, ...]:
    target = equation.target
    if equation.kind == "adjoint" and equation.tensor is not None:
        return tuple(equation.tensor.axes)
    entry = target.entry if isinstance(target, AdjointOf) else target
    before = derivation.of.indices if derivation.of is not None and isinstance(target, AdjointOf) else ()
    return tuple(dict.fromkeys([*before, *free_axes(entry)]))


def _told(derivation: Derivation, equations: Iterable[Equation], detail: str) -> Iterator[Block]:
    """Names and facts together, then a section for each adjoint and each result."""
    told: set[tuple[str, str]] = set()
    shorten = detail == "normal"
    equations = list(equations)
    for kind, group in groupby(equations, key=lambda e: "names" if e.kind in NAMING else e.kind):
        members = list(group)
        if kind in {"names", "fact"}:
            yield Heading(("Names" if kind == "names" else "Facts",))
            yield Display(tuple(_chain(e, derivation, told, detail) for e in members))
            continue
        for equation in members:
            yield Heading(_title(equation, derivation))
            yield Display(parted(_chain(equation, derivation, told, detail)))
            yield from unrolled.told(equation)
    results = [e for e in equations if e.kind == "result"]
    if len(results) > 1 or (shorten and results and len(equations) > 1):
        yield Heading(("Results" if len(results) > 1 else "Result",))
        yield Display(_parts(replace(_result(e, derivation), again=True) for e in results))


def _title(equation: Equation, derivation: Derivation) -> tuple[Part, ...]:
    target = equation.target
    if isinstance(target, TangentOf):
        return ("Derivative along the direction of ", *_with_shape(target.entry.tensor))
    if equation.kind == "adjoint" and isinstance(target, AdjointOf):
        return ("Adjoint of ", *_with_shape(target.entry.tensor))
    if isinstance(target, AdjointOf) and derivation.of is None:
        return ("Gradient with respect to ", *_with_shape(target.entry.tensor))
    if isinstance(target, AdjointOf):
        return ("Derivative with respect to ", target.entry.tensor)
    return ("Result: ", target)


def _with_shape(tensor: Tensor) -> tuple[Part, ...]:
    return (tensor, ": ", Shape(tensor)) if tensor.axes else (tensor,)


def _chain(equation: Equation, derivation: Derivation, told: set[tuple[str, str]], detail: str) -> Chain:
    target = _target(equation)
    lines: list[Line] = []
    if not equation.steps:
        body = equation.tensor.body if equation.tensor is not None else None
        lines = [Line(body)] if body is not None else []
    elif equation.steps[0].before != equation.target:
        lines = [Line(equation.steps[0].before)]
    quiet = detail == "normal" and equation.kind in NAMING and len(equation.steps) == 1
    for step, reasons in (
        _merged(equation.steps) if detail == "normal" else ((s, (_reason(s),)) for s in equation.steps)
    ):
        lines.append(Line(step.after, () if quiet else _shortened(reasons, told) if detail == "normal" else reasons))
    return Chain(target, tuple(lines), _letters(equation, derivation))


def _reason(step: Step) -> Reason:
    return Reason(step.law, step.why, tuple(dict.fromkeys(c for c in step.cites if c is not None)))


def _merged(steps: Sequence[Step]) -> Iterator[tuple[Step, tuple[Reason, ...]]]:
    """Steps as a textbook prints them: a law applied again and again is one step, and a trivial one shares the line of
    the law before it, its name alone."""
    waiting: list[Reason] = []
    runs = [list(run) for _, run in groupby(steps, key=lambda s: s.law)]
    for place, run in enumerate(runs):
        cites = tuple(dict.fromkeys(c for s in run for c in _reason(s).cites))
        why = next((s.why for s in run if s.why), "")
        waiting.append(Reason(run[0].law, "" if waiting and run[0].law in TRIVIAL else why, cites))
        if place + 1 == len(runs) or runs[place + 1][0].law not in TRIVIAL:
            yield run[-1], tuple(waiting)
            waiting = []


def _shortened(reasons: Iterable[Reason], told: set[tuple[str, str]]) -> tuple[Reason, ...]:
    """A law's clause is told once in a document."""
    found = []
    for reason in reasons:
        known = (reason.law, reason.why) in told
        told.add((reason.law, reason.why))
        found.append(replace(reason, why="") if known else reason)
    return tuple(found)


__all__ = [
    "DETAILS", "LOSS", "MOVED_LOSS", "Block", "Chain", "Display", "Heading", "Inputs", "Line", "Loss", "Part", "Reason",
    "Shape", "Told", "Words", "defined", "expressions_in", "story", "tensors_in", "upstreams",
]  # fmt: skip
