"""The definitions that code is made of: folded through the names found, made safe, in the order they are needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from sympy import Add, Expr, Mul, exp, log

from derive.axes import Carried, MeanOver, SumOver, Tensor, free_axes
from derive.rewrite import Record
from derive.simplify import Rules
from derive.stabilise import drawn_out, stabiliser
from derive.steps import Derivation, Equation, Step
from derive.terms import Head, Letter, Poly, Raw, Writer, number

from .build import Derived, taken_names
from .present import Presentation, names_in
from .recurrence import mentions
from .windows import solved


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


def _factors(poly: Poly) -> int:
    """How many factors a poly has."""
    return sum(len(factors) for (factors, _), _ in poly)


@dataclass(eq=False)
class CodeView:
    """Outputs and gradients as tensors whose bodies are ready to be lowered; `steps` certifies the changes."""

    derived: Derived
    outputs: tuple[Tensor, ...] = ()
    gradients: tuple[Tensor, ...] = ()
    _safe: dict[int, Safe] = field(default_factory=dict)
    _tensors: dict[int, Tensor] = field(default_factory=dict)
    _products: dict[int, Safe] = field(default_factory=dict)  # names of sums that have become products

    def __post_init__(self) -> None:
        outcome = self.derived.outcome
        self._algebra = outcome.reader.algebra
        self._stabiliser = stabiliser(
            outcome.reader, (a.statement for a in self.derived.traced.assumptions), exact=not self._summed(),
            divided=frozenset(a[0] for h in outcome.forward for (f, _), _ in h.definition for a, p in f if p < 0),
        )  # fmt: skip
        self._view = Presentation(outcome, taken_names(self.derived.traced, self.derived.upstreams), full=True)
        self._writer = Writer(self._algebra, lambda head: self._tensors.get(head.id))
        self._early = self._beneath_found()
        self._cuts = self._cut()
        outputs = [outcome.reader.tensor(output) for output in self.derived.traced.outputs]
        results = list(outcome.results.values())
        for head in outputs:
            self._need(head)
        polys = []
        for sheet in results:
            record = Record()
            poly = self._stabiliser.stable(sheet.value, record)
            self._need_all(poly)
            polys.append((self._written_out(poly, record), record))
        self._results = [Safe(s.head, s.slots, poly, record) for s, (poly, record) in zip(results, polys, strict=True)]
        self._tied()
        self.outputs = tuple(self._tensors[head.id] for head in outputs)
        self.gradients = tuple(
            self._tensor(safe, f"{safe.head.label}_bar", "adjoint", safe.head.label) for safe in self._results
        )

    # What recurrences carry: each is the definition made here, or the adjoint.

    def _cut(self) -> dict[int, Head]:
        """What is carried → the definition that it is."""
        outcome = self.derived.outcome
        reader = outcome.reader
        cuts = {reader.tensor(c).id: reader.tensor(c.target) for c in reader.carried if c.target is not None}
        cuts |= {name: sheet.bar for name, sheet in outcome.carried.items() if sheet.bar is not None}
        for name, head in cuts.items():
            slots = next((s.slots for s in outcome.sheets if s.bar is head), head.slots)
            names = self._view.names(next((s.head for s in outcome.sheets if s.bar is head), head), slots)
            self._tensors[name] = Carried(self._label(head), [names[a] for a in slots])
        return cuts

    def _tied(self) -> None:
        """Close the cycles that are used, with all that they need."""
        waiting = dict(self._cuts)
        while used := [n for n in waiting if any(mentions(s.poly, n) for s in (*self._safe.values(), *self._results))]:
            for name in used:
                target = waiting.pop(name)
                self._need(target)
                carried = self._tensors[name]
                assert isinstance(carried, Carried)
                carried.target = self._tensors[target.id]

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
            self._finish(self._safe[top.id])
            stack.pop()

    def _finish(self, safe: Safe) -> None:
        """The tensor of a definition. What has become a product with a number, 1 + tanh as 2σ, needs no name."""
        safe.poly = self._written_out(safe.poly, safe.record)
        head, poly = safe.head, safe.poly
        single = len(poly) == 1 and poly[0][1] != 1 and not poly[0][0][1]
        if single and head.role == "auto" and head.payload is None and len(head.definition) > 1:
            self._products[head.id] = safe
        self._tensors[head.id] = self._tensor(safe, self._label(head), self._role(head), head.of)

    def _written_out(self, poly: Poly, record: Record) -> Poly:
        """The poly with names of such products written out: numbers meet numbers."""
        if not any(atom[0] in self._products for (factors, _), _ in poly for atom, _ in factors):
            return poly
        parts: list[Raw] = []
        for coefficient, factors, bound in self._algebra.raws(poly):
            made: Raw = (coefficient, {}, bound)
            for atom, power in factors.items():
                known = self._products.get(atom[0]) if isinstance(power, int) else None
                part: Raw = (1, {atom: power}, frozenset())
                if known is not None:
                    (((inner, _), by),) = known.poly
                    at = self._algebra.renamed(dict(inner), dict(zip(known.slots, atom[1], strict=True)))
                    raised = {a: number(p * power) for a, p in at.items()}
                    part = (number(Fraction(by) ** int(power)), raised, frozenset())
                made = self._algebra.product(made, part)
            parts.append(made)
        after = self._algebra.poly(parts)
        record.add("write out a product", poly, after, "a sum that has become a product needs no name")
        return after

    def _made_safe(self, head: Head) -> Safe:
        record = Record()
        poly = head.definition
        if head in self.derived.outcome.forward and head.id not in self._early:
            poly = self._folded(head, poly, record)
        return Safe(head, head.slots, self._stabiliser.stable(poly, record), record)

    def _summed(self) -> bool:
        """Whether the formula has a reduction."""
        return any(h.over or any(bound for p in h.args for (_, bound), _ in p) for h in self._algebra.heads)

    def _folded(self, head: Head, poly: Poly, record: Record) -> Poly:
        """Written through the names that were found: y = γx̂ + β."""
        rules: Rules = self.derived.outcome.rules
        found = {h.id for h in self.derived.outcome.found if not self._hides_divisor(h)}
        table = {key: fold for key, fold in rules.folds.items() if fold.source in found and fold.source != head.id}
        changed = rules.fold_once(poly, table)
        if changed is None or _factors(changed[0]) > _factors(poly):
            return poly  # x = x̂ σ, where no σ is divided by, would grow
        record.add("fold a definition", poly, changed[0], "a product that defines a name is written by that name")
        return changed[0]

    def _hides_divisor(self, head: Head) -> bool:
        """Whether a name is 1/Σeᶻ alone: what is divided stands beside it, so that both lose eᵐ."""
        body = head.definition
        alone = len(body) == 1 and len(body[0][0][0]) == 1 and body[0][0][0][0][1] < 0
        return alone and "exp" in self._stabiliser.traits_of(head.id)

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
        factor = drawn_out(self._stabiliser, safe.head, safe.poly)
        body = joined(self._writer.write(safe.poly, names, factor=factor))
        if any(mentions(safe.poly, name) for name in self._cuts):
            body = solved(body)  # what is carried stands at t − 1: a loop needs no window
        return Tensor(label, [names[a] for a in safe.slots], body=body, role=role, of=of)

    # The certificate.

    def derivation(self) -> Derivation:
        """What stabilisation changed: every law with before and after."""
        prepared = [Safe(head, head.slots, head.definition, record) for head, record in self.derived.prepared]
        every = (*prepared, *self._safe.values(), *self._results)
        equations = [self._equation(safe) for safe in every if safe.record.entries]
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
