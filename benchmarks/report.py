"""Tables of measurements: on the terminal, and as Markdown that changes only where a measurement does."""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table as RichTable

from benchmarks.timing import ALLOCATOR, ROOT, THREADS

RESULTS = ROOT / "benchmarks" / "results.md"


@dataclass(frozen=True)
class Table:
    """A section's measurements; `reason` says why there are none. `partial`: more rows follow."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = ()
    note: str = ""
    reason: str = ""
    partial: bool = False

    def markdown(self) -> str:
        """The table and its note, as Markdown."""
        lines = [f"| {' | '.join(cells)} |" for cells in (self.header, ["---"] * len(self.header), *self.rows)]
        note = f"Interrupted: not all rows are measured. {self.note}".strip() if self.partial else self.note
        return "\n".join([*lines, *(["", note] if note else [])])


def met(measured: float, goal: float) -> str:
    """The last column: is the goal met?"""
    return "yes" if measured <= goal else "no"


def show(table: Table, console: Console) -> None:
    """Print a table, and why it is empty or ends early."""
    if table.rows:
        drawn = RichTable(*table.header, title=table.title, title_justify="left")
        for row in table.rows:
            drawn.add_row(*row)
        console.print(drawn)
    if table.reason:
        console.print(f"{table.title}: not measured: {table.reason}", markup=False, style="red")
    if table.rows and table.note:
        console.print(table.note, markup=False, style="dim")


def markdown(tables: list[Table]) -> str:
    """The tables, below the machine and the settings they were measured with."""
    lines = ["# Measurements", "", "Written by `make bench`. Times are medians; intervals are bootstrap 95 %.", ""]
    lines += [f"- {name}: {value}" for name, value in machine().items()]
    return "\n".join([*lines, *(line for t in tables for line in ("", f"## {t.title}", "", t.markdown()))]) + "\n"


def parsed(text: str) -> dict[str, Table]:
    """The tables of such a text, by title."""
    found = {}
    for part in text.split("\n## ")[1:]:
        title, *lines = part.strip().splitlines()
        header, _, *rows = [tuple(line[2:-2].split(" | ")) for line in lines if line.startswith("|")]
        note = "\n".join(line for line in lines if line and not line.startswith("|"))
        found[title] = Table(title, header, tuple(rows), note)
    return found


def merged(text: str, tables: list[Table]) -> list[Table]:
    """The tables of an earlier text, those measured again replaced, in the order of their numbers."""
    every = parsed(text) | {table.title: table for table in tables}
    return [every[title] for title in sorted(every)]


def machine() -> dict[str, str]:
    """What the numbers depend on."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    packages = ", ".join(f"{name} {_version(name)}" for name in ("numpy", "sympy", "derive-math"))
    return {
        "CPU": f"{_cpu_model()}, {_cores()} cores",
        "system": f"{platform.system()} {platform.machine()}",
        "versions": f"Python {platform.python_version()}, {packages}, BLAS {blas['name']} {blas['version']}",
        "allocator": ", ".join(f"{name}={os.environ.get(name, 'unset')}" for name in ALLOCATOR),
        "threads": ", ".join(f"{name}={os.environ.get(name, 'unset')}" for name in THREADS),
    }


def _cores() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "from the checkout"


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


@contextmanager
def progress(title: str, total: int) -> "Iterator[_Tick]":
    """A bar on stderr that is drawn only when a step ends: no thread draws while something is timed."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        console=Console(stderr=True),
        transient=True,
        auto_refresh=False,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        yield _Tick(bar, bar.add_task(title, total=total))


class _Tick:
    def __init__(self, bar: Progress, task: object) -> None:
        self.bar, self.task = bar, task

    def __call__(self) -> None:
        self.bar.advance(self.task)  # type: ignore[arg-type]
        self.bar.refresh()
