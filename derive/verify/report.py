"""What was checked, how far off the worst number was, and where: frozen values that print as a short table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from derive.oracle import Array

Place = Callable[[tuple[int, ...]], str]  # an index of the compared arrays → words that say where it lies


@dataclass(frozen=True)
class Check:
    """One statement, held against `points` numbers; `worst` is its largest error, found at `where`."""

    what: str
    passed: bool
    worst: float = 0.0
    where: str = ""
    points: int = 1


@dataclass(frozen=True, repr=False)
class Report:
    """Passed if every check passed. `worst` and `where` are those of the first failure, else of the largest error."""

    passed: bool
    worst: float
    where: str
    checked: tuple[Check, ...] = ()

    @classmethod
    def of(cls, checked: Iterable[Check]) -> Report:
        """The report on these checks; a report on no check at all does not pass."""
        checks = tuple(checked)
        failed = [check for check in checks if not check.passed]
        worst = failed[0] if failed else max(checks, key=lambda check: check.worst, default=None)
        if worst is None:
            return cls(False, 0.0, "nothing was checked")
        return cls(not failed, worst.worst, worst.where, checks)

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"<report: {str(self).splitlines()[0]}>"

    def __add__(self, other: Report) -> Report:
        return Report.of((*self.checked, *other.checked))

    def __str__(self) -> str:
        failed = sum(not check.passed for check in self.checked)
        head = f"{failed} of {len(self.checked)} checks failed" if failed else f"passed: {len(self.checked)} checks"
        if not self.checked:
            return f"failed: {self.where}"
        width = max(len(check.what) for check in self.checked)
        lines = [f"{head}, worst error {self.worst:.1e}"]
        for check in self.checked:
            mark = "ok  " if check.passed else "FAIL"
            lines.append(f"  {mark} {check.what:<{width}}  {check.points:>6} points  {check.worst:.1e}")
            if not check.passed:
                lines.append(f"       {check.where}")
        return "\n".join(lines)


def relative_error(found: Any, expected: Any, scale: Any = None) -> Array:
    """|found − expected| / (1 + scale), entry by entry, scale = |expected|; inf where only one of them is finite."""
    found, expected = np.asarray(found) * 1.0, np.asarray(expected) * 1.0  # conditions count as 0 and 1
    with np.errstate(all="ignore"):
        error = np.abs(found - expected) / (1 + (np.abs(expected) if scale is None else scale))
        same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    return np.where(same, 0.0, np.where(np.isfinite(error), error, np.inf))


def scaled_error(found: Any, expected: Any) -> Array:
    """|found − expected| / (1 + the largest |expected|): for exact values of one shape, where terms may cancel."""
    size = np.abs(np.asarray(expected) * 1.0)
    return relative_error(found, expected, np.max(size, initial=0, where=np.isfinite(size)))


@dataclass
class Ledger:
    """Comparisons while they are made: one row for each statement, which keeps its worst number."""

    rows: dict[str, Check] = field(default_factory=dict)

    def enter(self, what: str, passed: bool, worst: float, where: str, points: int = 1) -> None:
        """Add a finding to the row of `what`: a failure outranks, then the larger error."""
        old = self.rows.get(what, Check(what, True, -1.0, "", 0))
        keep = (old.passed, -old.worst) <= (passed, -worst)
        kept = (old.worst, old.where) if keep else (worst, where)
        self.rows[what] = Check(what, old.passed and passed, *kept, old.points + points)

    def compare(
        self, what: str, found: Any, expected: Any, tolerance: float, place: Place, *, error: Array | None = None
    ) -> bool:
        """found = expected, each entry within tolerance·(1 + |expected|), or by the given errors."""
        found, expected = np.asarray(found), np.asarray(expected)
        if found.shape != expected.shape:
            self.enter(what, False, np.inf, f"{place(())}: shape {found.shape}, expected {expected.shape}")
            return False
        errors = np.nan_to_num(relative_error(found, expected) if error is None else error, nan=np.inf, posinf=np.inf)
        index = tuple(int(i) for i in np.unravel_index(np.argmax(errors), errors.shape)) if errors.size else ()
        worst = float(errors[index]) if errors.size else 0.0
        pair = f"{found[index]:.12g}, expected {expected[index]:.12g}" if errors.size else "no entries"
        passed = worst <= tolerance
        self.enter(what, passed, worst, f"{place(index)}: {pair}", errors.size)
        return passed

    def report(self) -> Report:
        return Report.of(self.rows.values())
