"""`derive verify`: every variant of every formula asked for, checked one after the other."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .output import emit, emit_json
from .problems import BAD_INPUT, DONE, NO, BadInput, code_of, complain, words_of
from .target import Library, parse, traced

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
class Outcome:
    """A report, or the error that came instead of one."""

    subject: Subject
    report: Any = None
    problem: Exception | None = None

    @property
    def row(self) -> dict[str, Any]:
        found, problem = self.report, self.problem
        return {
            "name": self.subject.name,
            "variant": self.subject.variant,
            "passed": bool(found) if problem is None else False,
            "worst": float(found.worst) if problem is None else None,
            "where": found.where if problem is None else words_of(problem),
        }


def labelled(name: str, variant: dict[str, Any]) -> str:
    """`mse_loss(reduction=sum)`: a variant as a target is written."""
    options = ", ".join(f"{n}={str(v).lower() if isinstance(v, bool) else v}" for n, v in variant.items())
    return f"{name}({options})" if options else name


def subjects(targets: Sequence[str], everything: bool) -> list[Subject]:
    """What the arguments mean, every variant that they leave open."""
    if everything == bool(targets):
        raise BadInput("verify: expected a TARGET, a FILE.py or --all" + (", not both" if targets else ""))
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


def run(found: Sequence[Subject], trials: int, seed: int, as_json: bool) -> int:
    """Check each, print what came out; the exit code: 1 if a check failed, else that of the first error."""
    outcomes = [_checked(subject, trials, seed) for subject in _with_progress(found)]
    passed = all(outcome.row["passed"] for outcome in outcomes)
    if as_json:
        emit_json({"passed": passed, "checked": [outcome.row for outcome in outcomes]})
    else:
        emit("\n".join(_page(outcomes, trials, seed)))
    for outcome in outcomes:
        if outcome.problem is not None:
            complain(f"{outcome.subject.label}: {words_of(outcome.problem)}")
    if any(outcome.problem is None and not outcome.report for outcome in outcomes):
        return NO
    return next((code_of(o.problem) or BAD_INPUT for o in outcomes if o.problem is not None), DONE)


def _checked(subject: Subject, trials: int, seed: int) -> Outcome:
    from derive.api import verify

    try:
        with traced("in its body", subject.formula):
            subject.formula.trace(**subject.choices)
        return Outcome(subject, verify(subject.formula, trials=trials, seed=seed, **subject.choices))
    except Exception as problem:
        if code_of(problem) is None:
            raise
        return Outcome(subject, problem=problem)


def _page(outcomes: Sequence[Outcome], trials: int, seed: int) -> Iterator[str]:
    width = max(len(outcome.subject.label) for outcome in outcomes)
    for outcome in outcomes:
        label = f"{outcome.subject.label:<{width}}"
        if outcome.problem is not None:
            yield f"----  {label}  not checked: it is an error"
            continue
        report = outcome.report
        failed = [check for check in report.checked if not check.passed]
        if report:
            yield f"ok    {label}  {len(report.checked)} checks, worst error {report.worst:.1e}"
            continue
        count = f"{len(failed)} of {len(report.checked)} checks failed" if failed else report.where
        yield f"FAIL  {label}  {count}"
        for check in failed:
            yield f"      {check.what}:"
            yield f"        {check.where}"
    right = sum(bool(outcome.report) for outcome in outcomes)
    verdict = "all passed" if right == len(outcomes) else f"{right} passed, {len(outcomes) - right} did not"
    yield f"{len(outcomes)} checked with {trials} trials, seed {seed}: {verdict}"


def _with_progress(found: Sequence[Subject]) -> Iterator[Subject]:
    """The subjects one by one, under a bar on stderr if that is a terminal and the work lasts."""
    if not sys.stderr.isatty():
        yield from found
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("verify"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("", total=len(found))
    later = threading.Timer(PATIENCE, bar.start)
    later.daemon = True
    later.start()
    with contextlib.ExitStack() as stack:
        stack.callback(bar.stop)
        stack.callback(later.join)
        stack.callback(later.cancel)
        for subject in found:
            bar.update(task, description=subject.label)
            yield subject
            bar.advance(task)
