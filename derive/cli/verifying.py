"""`derive verify`: every variant of every formula asked for, checked one after the other or by several processes."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .output import emit, emit_json
from .problems import BAD_INPUT, DONE, NO, BadInput, code_of, complain, words_of
from .target import Library, parse, traced
from .workers import DIED, processors, results

PATIENCE = 1.0  # seconds before a progress bar appears


@dataclass(frozen=True)
class Subject:
    """One variant of one formula: `formula.trace(**choices)`; `variant` is all that was chosen."""

    name: str
    formula: Any
    choices: dict[str, Any]
    variant: dict[str, Any]

    @property
    def label(self) -> str:
        return labelled(self.name, self.variant)


@dataclass(frozen=True)
class Finding:
    """A report, or in words the error that came instead of one, and its exit code."""

    report: Any = None
    problem: str = ""
    code: int = DONE


@dataclass(frozen=True)
class Outcome:
    """What was found of a subject."""

    subject: Subject
    finding: Finding

    @property
    def row(self) -> dict[str, Any]:
        found, problem = self.finding.report, self.finding.problem
        return {
            "name": self.subject.name,
            "variant": self.subject.variant,
            "passed": bool(found),
            "worst": None if problem else float(found.worst),
            "where": problem or found.where,
        }


KILLED = Finding(None, "the process that checked it died", NO)


def labelled(name: str, variant: dict[str, Any]) -> str:
    """`mse_loss(reduction=sum)`: a variant as a target is written."""
    options = ", ".join(f"{n}={str(v).lower() if isinstance(v, bool) else v}" for n, v in variant.items())
    return f"{name}({options})" if options else name


def subjects(targets: Sequence[str], everything: bool, command: str = "verify") -> list[Subject]:
    """What the arguments mean, every variant that they leave open."""
    if everything == bool(targets):
        raise BadInput(f"{command}: expected a TARGET, a FILE.py or --all" + (", not both" if targets else ""))
    library = Library()
    if everything:
        from derive.api import catalogue

        return [s for name in catalogue for s in _variants(name, catalogue[name], {})]
    found: list[Subject] = []
    for target in targets:
        if target.endswith(".py") and ">>" not in target:
            formulas = library.file(target)
            if not formulas:
                raise BadInput(f"{target}: it defines no formula (a function decorated with @formula)")
            found += [s for name, f in formulas.items() for s in _variants(name, f, {})]
        else:
            items, formula = parse(target), library.formula(target)
            name, given = (items[0].name, items[0].options) if len(items) == 1 else (" ".join(target.split()), ())
            found += _variants(name, formula, dict(given))
    return found


def _variants(name: str, formula: Any, given: dict[str, Any]) -> list[Subject]:
    return [Subject(name, formula, choices, {**given, **choices}) for choices in formula.variants()]


def run(targets: Sequence[str], everything: bool, trials: int, seed: int, jobs: int | None, as_json: bool) -> int:
    """Check each, print what came out; the exit code: 1 if a check failed, else that of the first error."""
    found = subjects(targets, everything)
    wanted = jobs or (processors() if everything or len(targets) > 1 else 1)
    outcomes = _outcomes(found, (tuple(targets), everything, trials, seed), min(wanted, len(found)))
    if as_json:
        passed = all(outcome.row["passed"] for outcome in outcomes)
        emit_json({"passed": passed, "checked": [outcome.row for outcome in outcomes]})
    else:
        emit("\n".join(_page(outcomes, trials, seed)))
    for outcome in outcomes:
        if outcome.finding.problem:
            complain(f"{outcome.subject.label}: {outcome.finding.problem}")
    findings = [outcome.finding for outcome in outcomes]
    if any(not found.problem and not found.report for found in findings):
        return NO
    return next((found.code for found in findings if found.problem), DONE)


def _outcomes(found: list[Subject], work: tuple[Any, ...], jobs: int) -> list[Outcome]:
    """What comes out for each subject, in their order; the last ones, which are the largest, are begun first."""
    numbers = range(len(found))
    done: dict[int, Finding] = {}
    with progress(len(found)) as show:
        if jobs > 1:
            for number, finding in results(checker, work, numbers[::-1], jobs):
                done[number] = finding if finding is not DIED else KILLED
                show(found[number].label, len(done))
        else:
            for number in numbers:
                show(found[number].label, number)
                done[number] = _checked(found[number], *work[2:])
    return [Outcome(found[number], done[number]) for number in numbers]


def checker(targets: Sequence[str], everything: bool, trials: int, seed: int) -> Callable[[int], Finding]:
    """In a worker process, what checks the subject with a number: from the same arguments come the same subjects."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):  # files have been heard once
        found = subjects(targets, everything)
    return lambda number: _checked(found[number], trials, seed)


def _checked(subject: Subject, trials: int, seed: int) -> Finding:
    from derive.api import verify

    try:
        with traced("in its body", subject.formula):
            subject.formula.trace(**subject.choices)
        return Finding(verify(subject.formula, trials=trials, seed=seed, **subject.choices))
    except Exception as problem:
        code = code_of(problem)
        if code is None:
            raise
        return Finding(None, words_of(problem), code or BAD_INPUT)


def _page(outcomes: Sequence[Outcome], trials: int, seed: int) -> Iterator[str]:
    width = max(len(outcome.subject.label) for outcome in outcomes)
    for outcome in outcomes:
        label = f"{outcome.subject.label:<{width}}"
        if outcome.finding.problem:
            died = outcome.finding is KILLED
            yield f"FAIL  {label}  {KILLED.problem}" if died else f"----  {label}  not checked: it is an error"
            continue
        report = outcome.finding.report
        failed = [check for check in report.checked if not check.passed]
        if report:
            yield f"ok    {label}  {len(report.checked)} checks, worst error {report.worst:.1e}"
            continue
        count = f"{len(failed)} of {len(report.checked)} checks failed" if failed else report.where
        yield f"FAIL  {label}  {count}"
        for check in failed:
            yield f"      {check.what}:"
            yield f"        {check.where}"
    right = sum(bool(outcome.finding.report) for outcome in outcomes)
    verdict = "all passed" if right == len(outcomes) else f"{right} passed, {len(outcomes) - right} did not"
    yield f"{len(outcomes)} checked with {trials} trials, seed {seed}: {verdict}"


@contextlib.contextmanager
def progress(total: int, command: str = "verify") -> Iterator[Callable[[str, int], None]]:
    """Shows a label and how many are done: in a bar on stderr if that is a terminal and the work lasts."""
    if not sys.stderr.isatty():
        yield lambda label, done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn(command), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("", total=total)
    later = threading.Timer(PATIENCE, bar.start)
    later.daemon = True
    later.start()
    with contextlib.ExitStack() as stack:
        stack.callback(bar.stop)
        stack.callback(later.join)
        stack.callback(later.cancel)
        yield lambda label, done: bar.update(task, description=label, completed=done)
