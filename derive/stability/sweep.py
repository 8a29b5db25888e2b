"""The sweep: emitted code at inputs of every magnitude, held against true values and their condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from derive.axes import Reduction, Tensor, axis
from derive.steps import Subject
from derive.verify import Sampler
from derive.verify.subject import bodies, whole, widened

from .bounds import Bound, Verdict
from .calls import Answers, Code, answers
from .points import REACH, Draw, Drawn, recipes
from .precise import digits, evaluated
from .report import Accuracy, Case, Row
from .truth import DIGITS, Question, Truth

KINDS: dict[str, type[np.floating[Any]]] = {"float32": np.float32, "float64": np.float64}
CONSTANT = 8.0  # times ulp·(1 + condition) is allowed
LEAST = 2  # points, however dear
EVERY = axis("entry")  # along which an elementwise formula is applied
QUIET = "no warning"
COUNTS = ("compared", "failed", "beyond", "undefined", "unsettled")


@dataclass
class _Tally:
    """The counts of a row, and the worst case of each fault; a case is made when all are known."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    worst: dict[str, tuple[tuple[float, float], tuple[Any, ...]]] = field(default_factory=dict)

    def enter(self, verdict: Verdict, size: float, *where: Any) -> None:
        self.counts[verdict.status] += 1
        self.counts["failed"] += bool(verdict.fault)
        if verdict.status == "compared":
            excess = verdict.error / verdict.allowed if np.isfinite(verdict.error) else np.inf
            rank = (excess, -size)  # of equals, the one with the smallest inputs
            if verdict.fault not in self.worst or rank > self.worst[verdict.fault][0]:
                self.worst[verdict.fault] = rank, (verdict, *where)


@dataclass(frozen=True)
class _Sweep:
    """One formula, its code, and the tensors whose true values are asked for: outputs, then gradients."""

    subject: Subject
    code: Code
    results: Mapping[str, Tensor]
    upstreams: tuple[Tensor, ...]
    seed: int
    strict: bool

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (*self.subject.outputs, *self.results.values())

    @property
    def labels(self) -> tuple[str, ...]:
        return (*(output.name for output in self.subject.outputs), *(f"d/d{name}" for name in self.results))

    def points(self, kind: str, most: int, effort: float, reach: float) -> list[Drawn]:
        """As many points as asked for, or as the effort allows: numbers that are computed once over."""
        sampler = Sampler(self.subject, tuple(map(whole, (*self.upstreams, *self.results.values()))))
        draw = Draw.of(sampler, self.names, KINDS[kind], self.seed, (EVERY.size,))
        made: list[Drawn] = []
        for number, recipe in enumerate(recipes(reach, KINDS[kind])):
            if len(made) == most:
                break
            made.append(draw.point(recipe, np.random.default_rng([self.seed, number, KINDS[kind]().itemsize])))
            if len(made) == 1:
                _, work = evaluated(self.tensors, [made[0].point], digits(DIGITS[0]))
                most = min(most, max(LEAST, int(effort / max(1, work))))
        return made

    @property
    def names(self) -> frozenset[str]:
        return frozenset(tensor.name for tensor in self.upstreams)

    def rows(self, kind: str, most: int, effort: float, reach: float) -> tuple[list[Row], int]:
        """Every quantity at every point, in one float type."""
        bound, points = Bound(KINDS[kind], CONSTANT), self.points(kind, most, effort, reach)
        asked = Question(self.tensors, self.names, bound.unit, bound.smallest, not self.strict, self.seed)
        true = asked.truths([d.point for d in points])
        given = [answers(self.subject, self.code, self.upstreams, d.point, KINDS[kind]) for d in points]
        rows = [self._row(number, bound, points, true, given) for number in range(len(self.tensors))]
        return [*rows, self._quiet(bound, points, true, given)], len(points)

    def _row(
        self, number: int, bound: Bound, points: Sequence[Drawn], true: Sequence[Truth], given: Sequence[Answers]
    ) -> Row:
        """One quantity; a gradient only where the outputs are numbers within the range of the floats."""
        tally, label, outputs = _Tally(), self.labels[number], true[: len(self.subject.outputs)]
        gradient = number >= len(outputs)
        for at, (drawn, answer) in enumerate(zip(points, given, strict=True)):
            values, changes = (np.asarray(part[at]) for part in (true[number].value, true[number].change))
            if not true[number].settled[at]:
                tally.counts["unsettled"] += 1
                continue
            if gradient and not all(bound.holds(part.value[at]) for part in outputs):
                lost = any(bound.exceeded(part.value[at]) for part in outputs)
                tally.counts["beyond" if lost else "undefined"] += values.size
                continue
            for (what, function), found in answer.found.items():
                for index in np.ndindex(values.shape if what == label else (0,)):
                    y = float(found[index])
                    verdict = bound.judge(y, values[index], changes[index], needed=gradient)
                    tally.enter(verdict, drawn.size, drawn, function, index, y, values[index])
        return self._summary(label, bound, tally)

    def _summary(self, label: str, bound: Bound, tally: _Tally) -> Row:
        cases = {}
        for fault, (_, (verdict, drawn, function, index, found, y)) in tally.worst.items():
            place = f"{function}: {label}{list(index) if index else ''}"
            expected = "a number" if y != y else bound.written(y)
            cases[fault] = Case(fault, found, expected, verdict.error, verdict.allowed, verdict.condition, place,
                                drawn.recipe.words, _given(drawn))  # fmt: skip
        faults = tuple(case for fault, case in sorted(cases.items()) if fault)
        ranked = sorted(tally.worst, key=lambda fault: (bool(fault), tally.worst[fault][0]))
        worst = cases[ranked[-1]] if ranked else None
        return Row(label, bound.kind.__name__, tally.counts, worst, faults)

    def _quiet(
        self, bound: Bound, points: Sequence[Drawn], true: Sequence[Truth], given: Sequence[Answers]
    ) -> Row:  # fmt: skip
        """Nothing is raised, but of a matrix that has no finite answer; where every true number is a float, NumPy has
        nothing to warn of."""
        counts = dict.fromkeys(COUNTS, 0)
        worst: dict[str, tuple[float, Case]] = {}
        for at, (drawn, answer) in enumerate(zip(points, given, strict=True)):
            plain = all(part.settled[at] and bound.holds(part.value[at]) for part in true)
            counts["compared" if plain else "beyond"] += 1
            refused = answer.raised.startswith("LinAlgError") and not plain
            raised = [answer.raised] if answer.raised and not refused else []
            for fault in (*raised, *(answer.warned if plain else ())):
                counts["failed"] += 1
                case = Case(fault, np.nan, "", np.inf, 0.0, 0.0, "the code", drawn.recipe.words, _given(drawn))
                if fault not in worst or drawn.size < worst[fault][0]:
                    worst[fault] = drawn.size, case
        faults = tuple(case for _, case in worst.values())
        return Row(QUIET, bound.kind.__name__, counts, faults[0] if faults else None, faults)


def _given(drawn: Drawn) -> dict[str, Any]:
    """The inputs, without the length that an elementwise formula was given."""
    return {name: value for name, value in drawn.inputs.items() if name != str(EVERY.size)}


def sweep(
    subject: Subject,
    code: Code,
    results: Mapping[str, Tensor] | None = None,
    upstreams: Sequence[Tensor] = (),
    *,
    dtypes: Sequence[str] = tuple(KINDS),
    points: int = 200,
    effort: float = 1e6,
    reach: float = REACH,
    seed: int = 0,
    strict: bool | None = None,
) -> Accuracy:
    """The code of a formula at `points` inputs in each float type, or at fewer where `effort` is used up.

    Strict, which is the rule for formulas without reductions: only the data moves when the condition is measured. Else
    every operation of the formula and of its derivative, as they are written, moves as well.
    """
    if strict is None:
        strict = not any(body.has(Reduction) for body in bodies(map(whole, subject.outputs)))
    results, upstreams = dict(results or {}), tuple(upstreams)
    if subject.elementwise:
        wide = widened(subject, (*upstreams, *results.values()), (EVERY,))
        upstreams = wide.others[: len(upstreams)]
        results = dict(zip(results, wide.others[len(upstreams) :], strict=True))
        subject = wide
    swept = _Sweep(subject, code, results, upstreams, seed, strict)
    found = [swept.rows(kind, points, effort, reach) for kind in dtypes]
    return Accuracy(subject.name, tuple(row for rows, _ in found for row in rows), max(n for _, n in found))
