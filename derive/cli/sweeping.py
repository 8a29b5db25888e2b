"""`derive stability`: how far the emitted code is from true values, for every variant of every formula asked for.

A formula is named as a TARGET, or stands in LaTeX as it does in a paper.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .latex import formula, read
from .output import emit, emit_json
from .problems import BAD_INPUT, DONE, NO, code_of, complain, words_of
from .target import traced
from .verifying import KILLED, Finding, Outcome, Subject, progress, subjects
from .workers import DIED, processors, results

COMMAND = "stability"
LATEX = frozenset("\\^{}=+*/")  # one of these stands in a formula, and in no target but in FILE.py or in options


@dataclass(frozen=True)
class Sweep:
    """What is asked of every formula."""

    dtypes: tuple[str, ...]
    points: int
    seed: int
    reach: float
    strict: bool
    where: str = ""  # what the letters of formulas in LaTeX mean

    def subjects(self, targets: Sequence[str], everything: bool) -> list[Subject]:
        """What the arguments mean: formulas in LaTeX, or every variant that a target leaves open."""
        written = [self.where != "" or _is_latex(target) for target in targets]
        if not any(written):
            return subjects(targets, everything, COMMAND)
        return [s for target, latex in zip(targets, written, strict=True)
                for s in (self._read(target) if latex else subjects([target], everything, COMMAND))]  # fmt: skip

    def _read(self, text: str) -> list[Subject]:
        f = formula(read(text, self.where, None), COMMAND)
        return [Subject(" ".join(text.split()), f, {}, {})]

    def of(self, subject: Subject) -> Finding:
        """The report on one variant, or what went wrong in words."""
        from derive.api import stability

        try:
            with traced("in its body", subject.formula):
                subject.formula.trace(**subject.choices)
            return Finding(stability(
                subject.formula, dtypes=self.dtypes, points=self.points, seed=self.seed, reach=self.reach,
                strict=True if self.strict else None, **subject.choices,
            ))  # fmt: skip
        except Exception as problem:
            code = code_of(problem)
            if code is None:
                raise
            return Finding(None, words_of(problem), code or BAD_INPUT)


def _is_latex(target: str) -> bool:
    """Whether a text can be no target: a sign of mathematics stands in it, outside of options."""
    return ".py" not in target and not LATEX.isdisjoint(target.split("(")[0])


def run(targets: Sequence[str], everything: bool, sweep: Sweep, jobs: int | None, as_json: bool) -> int:
    """Sweep each, print what came out; the exit code: 1 if a number is out of bounds, else that of the first error."""
    found = sweep.subjects(targets, everything)
    wanted = jobs or (processors() if everything or len(targets) > 1 else 1)
    outcomes = _outcomes(found, (tuple(targets), everything, sweep), min(wanted, len(found)))
    if as_json:
        emit_json({"passed": all(o.finding.report for o in outcomes), "checked": [_row(o) for o in outcomes]})
    else:
        emit("\n".join(_page(outcomes, sweep)))
    for outcome in outcomes:
        if outcome.finding.problem:
            complain(f"{outcome.subject.label}: {outcome.finding.problem}")
    findings = [outcome.finding for outcome in outcomes]
    if any(not finding.problem and not finding.report for finding in findings):
        return NO
    return next((finding.code for finding in findings if finding.problem), DONE)


def _outcomes(found: list[Subject], work: tuple[Any, ...], jobs: int) -> list[Outcome]:
    """What comes out for each subject, in their order; the last ones, which are the largest, are begun first."""
    numbers = range(len(found))
    done: dict[int, Finding] = {}
    with progress(len(found), COMMAND) as show:
        if jobs > 1:
            for number, finding in results(sweeper, work, numbers[::-1], jobs):
                done[number] = finding if finding is not DIED else KILLED
                show(found[number].label, len(done))
        else:
            for number in numbers:
                show(found[number].label, number)
                done[number] = work[-1].of(found[number])
    return [Outcome(found[number], done[number]) for number in numbers]


def sweeper(targets: Sequence[str], everything: bool, sweep: Sweep) -> Callable[[int], Finding]:
    """In a worker process, what sweeps the subject with a number: from the same arguments come the same subjects."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):  # files have been heard once
        found = sweep.subjects(targets, everything)
    return lambda number: sweep.of(found[number])


def _row(outcome: Outcome) -> dict[str, Any]:
    report = outcome.finding.report
    found = report.plain() if report is not None else {"passed": False, "points": 0, "rows": []}
    named = {"name": outcome.subject.name, "variant": outcome.subject.variant}
    return {**named, **found, "problem": outcome.finding.problem or None}


def _page(outcomes: Sequence[Outcome], sweep: Sweep) -> Iterator[str]:
    """The whole report of a single formula; of several, a line each, and what is out of bounds."""
    width = max(len(outcome.subject.label) for outcome in outcomes)
    for outcome in outcomes:
        label, report = f"{outcome.subject.label:<{width}}", outcome.finding.report
        if report is None:
            yield f"----  {label}  not swept: {'it is an error' if outcome.finding.code != NO else KILLED.problem}"
            continue
        yield f"{'ok  ' if report else 'FAIL'}  {label}  {report.verdict}"
        yield from (f"      {line}" for line in report.table(whole=len(outcomes) == 1))
    right = sum(bool(outcome.finding.report) for outcome in outcomes)
    verdict = "all within bounds" if right == len(outcomes) else f"{right} within bounds, {len(outcomes) - right} not"
    yield f"{len(outcomes)} swept from 1e-{sweep.reach:g} to 1e+{sweep.reach:g}, seed {sweep.seed}: {verdict}"
