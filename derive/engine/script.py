"""The record of a derivation as Steps: every entry written out, each equation one chain from target to result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sympy import Eq, Expr, Integer

from derive.axes import AdjointOf, Axis, TangentOf, Tensor, tensors_of
from derive.simplify import ASSUMED, Fact
from derive.steps import Derivation, Equation, Step
from derive.terms import Head, Letter, Node, Raw

from .present import Presentation
from .search import Outcome, Sheet
from .windows import solved

CHAIN_RULE = "chain rule"
CHAINED = {
    AdjointOf: "the sum over its uses: the derivative of each use, times the adjoint of what uses it",
    TangentOf: "the sum over what it rests on: the derivative with respect to each part, times how that part moves",
}
CONTRACT = "contract δ"
FACTOR = "factor"
WRITE_OUT = "write out names"


class Script:
    """Writes the derivation of one outcome; `results` gives the tensors that hold the final forms."""

    def __init__(
        self, outcome: Outcome, view: Presentation, results: Mapping[str, Any], title: str, of: Any = None
    ) -> None:
        self.outcome, self.view, self.results, self.title, self.of = outcome, view, results, title, of
        self.target_of = TangentOf if any(t.role == "tangent" for t in results.values()) else AdjointOf
        self.algebra = outcome.reader.algebra
        self.facts: dict[tuple[Any, ...], Fact] = {}

    def derivation(self) -> Derivation:
        """Names, facts, adjoints from the output inwards, then the results."""
        adjoints = [self._equation(sheet, "adjoint") for sheet in self.outcome.sheets]
        results = [self._equation(sheet, "result", name) for name, sheet in self.outcome.results.items()]
        names = [self._name(h) for h in (*self.outcome.forward, *self.view.places, *self.outcome.found)]
        facts = [self._fact(fact) for fact in self.facts.values()]
        return Derivation(self.title, (*(n for n in names if n), *facts, *adjoints, *results), self.of)

    def _name(self, head: Head) -> Equation | None:
        """A name that the formula did not give: what it stands for."""
        tensor = self.view.tensor(head)
        if tensor is None:
            return None
        if head.kind == "name" and head.payload is not None:
            return self._reading(head, tensor)
        target = tensor[tensor.axes]
        found = head in self.outcome.found or head in self.view.places
        step = Step("name", target, tensor.body, "a name for what occurs again")
        return Equation("found" if found else "definition", target, tensor, (step,))

    def _reading(self, head: Head, tensor: Tensor) -> Equation | None:
        """A definition of the formula written with the names that were introduced, where that changes it."""
        names = self.view.names(head, head.slots)
        body = self._write(head.definition, names)
        if str(body) == str(tensor.body) or all(t.role != "found" for t in tensors_of(body)):
            return None
        target = tensor[tensor.axes]
        return Equation("definition", target, tensor, (Step("name", target, body, "the definition, with these names"),))

    def _fact(self, fact: Fact) -> Equation:
        before, after = self._sides(fact)
        if fact.source == ASSUMED:
            return Equation("fact", before, None, (Step("assumption", before, after, "as it is assumed"),))
        cite = self._cite(fact.source)
        words = "this follows from a definition" if cite is not None else "as its argument tells"
        step = Step("reduce a definition", before, after, words, () if cite is None else (cite,))
        return Equation("fact", before, None, (step,))

    def _sides(self, fact: Fact) -> tuple[Expr, Expr]:
        letters = dict.fromkeys(a for (_, ls), _ in fact.pattern for a in ls if a not in fact.bound)
        names = self.view.writer.letters_for(letters)
        left = self.algebra.poly([(1, dict(fact.pattern), frozenset(fact.bound))])
        return self._write(left, names), self._write(fact.value, names)

    def _write(self, poly: Any, names: Mapping[Letter, Axis], factor: bool = True) -> Expr:
        return self.view.write(poly, names, factor=factor)

    def _equation(self, sheet: Sheet, kind: str, name: str = "") -> Equation:
        """AdjointOf(head) → raw terms → contracted → each recorded law → factored → names written out."""
        names = self.view.names(sheet.head, sheet.slots)
        target = self._target(sheet)
        raw = self._raw(sheet.raws, names)
        flat = self.algebra.poly(sheet.raws)
        steps = [Step(CHAIN_RULE, target, raw, CHAINED[self.target_of])]
        reached = raw
        record: list[tuple[str, str, Any, tuple[Any, ...]]] = [
            (CONTRACT, "an index that is summed against δ takes the other's place", flat, ())
        ]
        record += [(e.law, e.words, e.after, e.cites) for e in sheet.record.entries]
        for law, words, poly, cites in record:
            after = self._write(poly, names, factor=False)
            if after != reached:
                steps.append(Step(law, reached, after, words, tuple(self._cite(c) for c in cites)))
                reached = after
                steps = _straight(steps)
        final = [(FACTOR, "common factors stand outside", self._write(sheet.value, names))]
        if kind == "result":
            final.append((WRITE_OUT, "names that are used once are written out", self.results[name].body))
        for law, words, after in final:
            if str(after) != str(reached):  # names are unique in a document, so equal print is equal meaning
                steps.append(Step(law, reached, after, words))
                reached = after
        tensor = self.results[name] if kind == "result" else self.view.tensor(sheet.bar) if sheet.bar else None
        return Equation(kind, target, tensor, tuple(steps))

    def _target(self, sheet: Sheet) -> Expr:
        return self.target_of(self.view.entry(sheet.head, sheet.slots))

    def _raw(self, raws: Iterable[Raw], names: Mapping[Letter, Axis]) -> Expr:
        nodes = tuple(Node(c, tuple(sorted(f.items())), b) for c, f, b in raws)
        return solved(self.view.writer.nodes(nodes, names), letters=False) if nodes else Integer(0)

    def _cite(self, cited: Any) -> Any:
        """The equation that a law appeals to."""
        if isinstance(cited, Fact):
            self.facts.setdefault((cited.pattern, cited.bound), cited)
            return Eq(*self._sides(cited), evaluate=False)
        head = cited.bar if isinstance(cited, Sheet) else self.algebra.heads[cited]
        tensor = self.view.tensor(head) if head is not None else None
        if tensor is None or tensor.body is None:
            return None
        return Eq(tensor[tensor.axes], tensor.body, evaluate=False)


def _straight(steps: list[Step]) -> list[Step]:
    """Steps without those that lead back to where an earlier one had led."""
    first = next(k for k, step in enumerate(steps) if step.after == steps[-1].after)
    return steps[: first + 1]
