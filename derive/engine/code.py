"""The definitions that code is made of: folded through the names found, made safe, in the order they are needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sympy import Add, Expr, Mul, exp, log

from derive.axes import MeanOver, SumOver, Tensor, free_axes
from derive.rewrite import Record
from derive.simplify import Rules
from derive.stabilise import Stabiliser
from derive.steps import Derivation, Equation, Step
from derive.terms import Head, Letter, Poly, Writer

from .build import Derived, taken_names
from .present import Presentation, names_in


@dataclass(eq=False)
class Safe:
    """One definition or result in its safe form, and how it got there."""

    head: Head
    slots: tuple[Letter, ...]
    poly: Poly
    record: Record


def joined(body: Expr) -> Expr:
    """Σ_b f + Σ_b g of a number as Σ_b (f + g), functions last: large terms cancel before small ones join."""
    groups: dict[Any, list[Expr]] = {}
    for term in body.args if isinstance(body, Add) and not free_axes(body) else ():
        reduced, factor = (term.args[1], term.args[:1]) if _is_multiple(term) else (term, ())
        if not isinstance(reduced, (SumOver, MeanOver)):
            return body
        inner = Mul(*factor, reduced.body, evaluate=False) if factor else reduced.body
        groups.setdefault((reduced.func, reduced.axes), []).append(inner)
    if len(groups) != 1:
        return body
    (((kind, axes), terms),) = groups.items()
    return kind(Add(*sorted(terms, key=lambda t: bool(t.has(log, exp))), evaluate=False), *axes)


def _is_multiple(term: Expr) -> bool:
    """A number times one reduction."""
    return isinstance(term, Mul) and len(term.args) == 2 and term.args[0].is_Number


@dataclass(eq=False)
class CodeView:
    """Outputs and gradients as tensors whose bodies are ready to be lowered; `steps` certifies the changes."""

    derived: Derived
    outputs: tuple[Tensor, ...] = ()
    gradients: tuple[Tensor, ...] = ()
    _safe: dict[int, Safe] = field(default_factory=dict)
    _tensors: dict[int, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        outcome = self.derived.outcome
        self._algebra = outcome.reader.algebra
        self._stabiliser = Stabiliser(outcome.reader)
        self._view = Presentation(outcome, taken_names(self.derived.traced, self.derived.upstreams), full=True)
        self._writer = Writer(self._algebra, lambda head: self._tensors.get(head.id))
        self._early = self._beneath_found()
        outputs = [outcome.reader.tensor(output) for output in self.derived.traced.outputs]
        results = list(outcome.results.values())
        for head in outputs:
            self._need(head)
        polys = []
        for sheet in results:
            record = Record()
            polys.append((self._stabiliser.stable(sheet.value, record), record))
            self._need_all(polys[-1][0])
        self._results = [Safe(s.head, s.slots, poly, record) for s, (poly, record) in zip(results, polys, strict=True)]
        self.outputs = tuple(self._tensors[head.id] for head in outputs)
        self.gradients = tuple(
            self._tensor(safe, f"{safe.head.label}_bar", "adjoint", safe.head.label) for safe in self._results
        )

    # Definitions, each after what it needs; iterative, for deep networks.

    def _need_all(self, poly: Poly) -> None:
        for head in names_in(self._algebra, poly):
            self._need(head)

    def _need(self, head: Head) -> None:
        stack = [head]
        while stack:
            top = stack[-1]
            if top.id in self._tensors:
                stack.pop()
                continue
            if top.id not in self._safe:
                self._safe[top.id] = self._made_safe(top)
            missing = [h for h in names_in(self._algebra, self._safe[top.id].poly) if h.id not in self._tensors]
            if missing:
                stack.extend(missing)
                continue
            self._tensors[top.id] = self._tensor(self._safe[top.id], self._label(top), self._role(top), top.of)
            stack.pop()

    def _made_safe(self, head: Head) -> Safe:
        record = Record()
        poly = head.definition
        if head in self.derived.outcome.forward and head.id not in self._early:
            poly = self._folded(head, poly, record)
        return Safe(head, head.slots, self._stabiliser.stable(poly, record), record)

    def _folded(self, head: Head, poly: Poly, record: Record) -> Poly:
        """Written through the names that were found: y = γx̂ + β."""
        rules: Rules = self.derived.outcome.rules
        found = {h.id for h in self.derived.outcome.found}
        table = {key: fold for key, fold in rules.folds.items() if fold.source in found and fold.source != head.id}
        changed = rules.fold_once(poly, table)
        if changed is None:
            return poly
        record.add("fold a definition", poly, changed[0], "a product that defines a name is written by that name")
        return changed[0]

    def _beneath_found(self) -> set[int]:
        """Names that the found ones rest on: they cannot be written through them."""
        beneath: set[int] = set()
        stack = [h.definition for h in self.derived.outcome.found]
        while stack:
            for head in names_in(self._algebra, stack.pop()):
                if head.id not in beneath:
                    beneath.add(head.id)
                    stack.append(head.definition)
        return beneath

    # Tensors.

    def _label(self, head: Head) -> str:
        return head.payload.name if head.payload is not None else self._view.label_for(head)

    @staticmethod
    def _role(head: Head) -> str:
        return {"auto": "let", "found": "let"}.get(head.role, head.role)

    def _tensor(self, safe: Safe, label: str, role: str, of: str) -> Tensor:
        names = self._view.names(safe.head, safe.slots)
        body = joined(self._writer.write(safe.poly, names))
        return Tensor(label, [names[a] for a in safe.slots], body=body, role=role, of=of)

    # The certificate.

    def derivation(self) -> Derivation:
        """What stabilisation changed: every law with before and after."""
        equations = [self._equation(safe) for safe in (*self._safe.values(), *self._results) if safe.record.entries]
        return Derivation(f"{self.derived.traced.name}: stable form", tuple(equations))

    def _equation(self, safe: Safe) -> Equation:
        names = self._view.names(safe.head, safe.slots)
        writer = Writer(self._algebra, self._original)
        steps = []
        for entry in safe.record.entries:
            before = writer.write(entry.before, names, factor=False)
            after = writer.write(entry.after, names, factor=False)
            steps.append(Step(entry.law, before, after, entry.words))
        return Equation("stabilised", steps[0].before, None, tuple(steps))

    def _original(self, head: Head) -> Tensor | None:
        return self._view.tensor(head) or self._tensors.get(head.id)
