"""What a sweep found: for each quantity its worst number and where, as frozen values that print as a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

SHOWN = 6  # entries of an input that text shows; JSON has them all


@dataclass(frozen=True)
class Case:
    """One number that the code gave, and what it should have been; errors are in ulp of that."""

    fault: str
    found: float
    expected: str
    error: float
    allowed: float
    condition: float
    place: str  # which entry, by which function
    made: str  # how the inputs were made
    inputs: Mapping[str, Any] = field(repr=False)

    @property
    def words(self) -> str:
        """The case in a line, without its inputs."""
        if not self.expected:
            return f"{self.place}: {self.fault}"
        error = "" if math.isinf(self.error) else f"off by {_count(self.error)} ulp, "
        return (f"{self.place} = {self.found:.9g}, expected {self.expected}: {error}allowed {_count(self.allowed)} ulp "
                f"at condition {_count(self.condition)}")  # fmt: skip

    @property
    def given(self) -> str:
        """The inputs in a line."""
        return f"{self.made}: " + ", ".join(f"{name} = {_shown(value)}" for name, value in self.inputs.items())

    def plain(self) -> dict[str, Any]:
        """The case as JSON has it."""
        return {
            "fault": self.fault, "found": self.found, "expected": self.expected, "error_ulp": self.error,
            "allowed_ulp": self.allowed, "condition": self.condition, "where": self.place, "magnitudes": self.made,
            "inputs": dict(self.inputs),
        }  # fmt: skip


def _count(number: float) -> str:
    return f"{number:.1f}" if number < 1000 else f"{number:.0e}"


def _shown(value: Any) -> str:
    flat = list(_flat(value))
    text = ", ".join(f"{x:.9g}" if isinstance(x, float) else str(x) for x in flat[:SHOWN])
    return f"[{text}{', …' if len(flat) > SHOWN else ''}]" if isinstance(value, list) else text


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for part in value:
            yield from _flat(part)
    else:
        yield value


@dataclass(frozen=True)
class Row:
    """One quantity in one float type: how many numbers were compared, the worst of them, and the worst of each fault.

    Not compared: numbers `beyond` the float type's range, entries where the formula is `undefined`, and points at which
    the true value stayed `unsettled` at the highest precision.
    """

    what: str
    dtype: str
    counts: Mapping[str, int]
    worst: Case | None = None
    faults: tuple[Case, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.faults

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as it stands in the table."""
        worst = self.worst
        numbers = (_count(worst.error), _count(worst.allowed)) if worst and worst.expected else ("", "")
        verdict = "ok" if self.passed else f"FAIL {self.counts['failed']}"
        return self.what, self.dtype, str(self.counts["compared"]), *numbers, verdict

    def plain(self) -> dict[str, Any]:
        """The row as JSON has it."""
        return {"what": self.what, "dtype": self.dtype, "passed": self.passed, **self.counts,
                "worst": self.worst and self.worst.plain(), "faults": [c.plain() for c in self.faults]}  # fmt: skip


HEAD = ("quantity", "dtype", "numbers", "error/ulp", "allowed", "")


@dataclass(frozen=True, repr=False)
class Accuracy:
    """Passed if every number is as near the true one as its condition allows; a sweep of nothing does not pass."""

    name: str
    rows: tuple[Row, ...]
    points: int

    @property
    def passed(self) -> bool:
        return any(row.counts["compared"] for row in self.rows) and all(row.passed for row in self.rows)

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"<accuracy of {self.name}: {self.verdict}>"

    @property
    def verdict(self) -> str:
        """How many quantities hold, in words."""
        failed = sum(not row.passed for row in self.rows)
        held = f"{failed} of {len(self.rows)} quantities are out of bounds" if failed else "all within bounds"
        return f"{held} ({self.points} points)"

    def __str__(self) -> str:
        return "\n".join([f"{self.name}: {self.verdict}", *(f"  {line}" for line in self.table())])

    def table(self, whole: bool = True) -> Iterator[str]:
        """A line for each quantity, or for each that is out of bounds; below it its worst numbers and their inputs."""
        rows = [row for row in self.rows if whole or not row.passed]
        if not rows:
            return
        table = [HEAD, *(row.cells for row in rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for row, cells in zip((None, *rows), table, strict=True):
            aligned = (
                f"{c:<{w}}" if k < 2 else f"{c:>{w}}" for k, (c, w) in enumerate(zip(cells, widths, strict=True))
            )
            yield "  ".join(aligned).rstrip()
            for case in row.faults if row else ():
                yield f"  {case.words}"
                yield f"    {case.given}"

    def plain(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {"passed": self.passed, "points": self.points, "rows": [row.plain() for row in self.rows]}
