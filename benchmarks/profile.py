"""Section 8e: where the time of a row goes, line by line, in the generated code and by hand.

A trace counts the time from one line to the next for the line, so that what a call of NumPy takes is its own; tracing
adds below a microsecond to each line, which is why small sizes are left out.
"""

import gc
import linecache
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.columns import prepared, reference
from benchmarks.report import Table, progress
from benchmarks.rows import ROWS

PROFILE = "8e. Where the time goes: the lines that take most of it, on one thread"
COLUMNS = ("generated", "by hand")
SHOWN, LONGEST, CALLS = 4, 68, 5
HERE = str(Path(__file__).parent)
Line = tuple[str, int]


class Clock:
    """Seconds for each line of files that `mine` accepts."""

    def __init__(self, mine: Callable[[str], bool]) -> None:
        self.mine = mine
        self.seconds: Counter[Line] = Counter()
        self.lines: list[Line] = [("", 0)]  # of the callers, the one that runs last
        self.last = time.perf_counter()

    def __enter__(self) -> "Clock":
        self.last = time.perf_counter()
        sys.settrace(self.called)
        return self

    def __exit__(self, *problem: object) -> None:
        sys.settrace(None)

    def called(self, frame: FrameType, event: str, what: Any) -> Any:
        if not self.mine(frame.f_code.co_filename):
            return None
        self.count()
        self.lines.append(("", 0))
        return self.within

    def within(self, frame: FrameType, event: str, what: Any) -> Any:
        self.count()
        if event == "return":
            self.lines.pop()
        else:
            self.lines[-1] = (frame.f_code.co_filename, frame.f_lineno)
        self.last = time.perf_counter()
        return self.within

    def count(self) -> None:
        """What passed belongs to the line that ran."""
        now = time.perf_counter()
        self.seconds[self.lines[-1]] += now - self.last
        self.last = now


def _own(name: str) -> bool:
    return name.startswith((HERE, "<"))  # emitted code has a name in such brackets


def profiled(column: str, row: str, size: str) -> tuple[float, list[tuple[float, str]]]:
    """Milliseconds of a call, and the share of each statement, the largest first; equal statements are one."""
    chosen = ROWS[row]
    g, _ = reference(chosen, size)
    run = prepared(column, chosen, chosen.drawn(size), None if g is None else g.astype("f4"))
    assert run is not None
    run.call()
    gc.disable()
    with Clock(_own) as clock:
        for _ in range(CALLS):
            run.call()
    gc.enable()
    total, shares = sum(clock.seconds.values()), Counter[str]()
    for (file, line), seconds in clock.seconds.items():
        shares[linecache.getline(file, line).strip() or "calls"] += seconds / total
    return 1e3 * total / CALLS, [(share, text) for text, share in shares.most_common()]


def _line(share: float, text: str) -> str:
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return f"{100 * share:.0f} % `{short.replace('|', '¦')}`"


def profiles(rows: Collection[str] = tuple(ROWS), sizes: Collection[str] = ("M", "L")) -> Iterator[Table]:
    """For every row the lines that take most of the time, generated and by hand."""
    header = ("row", "size", "column", "ms", "lines", "others")
    note = f"The lines of {CALLS} calls, traced; `others`: how many further lines share the rest. ¦ is |."
    found: list[tuple[str, ...]] = []
    with progress(PROFILE, len(rows)) as tick:
        for row in rows:
            for size in sizes:
                for column in COLUMNS:
                    took, lines = profiled(column, row, size)
                    shown = "; ".join(_line(*line) for line in lines[:SHOWN])
                    found.append((row, size, column, f"{took:.3g}", shown, str(max(0, len(lines) - SHOWN))))
            tick()
    yield Table(PROFILE, header, tuple(found), note)
