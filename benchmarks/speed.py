"""Emitted code against code by hand, textbook code, autograd, PyTorch and jax.jit: each in a process of its own."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.columns import COLUMNS, reference
from benchmarks.rows import ROWS, SIZES, Row
from benchmarks.timing import ALLOCATOR, ROOT, THREADS, Times

REST = 0.04  # seconds after which threads that spin for work have gone to sleep
EXACT = {"MALLOC_MMAP_THRESHOLD_": "65536"}  # arrays go back to the system as they die: resident is what is alive
OURS = "generated"
LEAST = 2  # rounds for each place in memory, however slow


class Worker:
    """A process that runs one column, and answers one line for each it is sent."""

    def __init__(self, column: str, threads: int, allocator: dict[str, str]) -> None:
        others = {name: value for name, value in os.environ.items() if name not in ALLOCATOR}
        self.start = partial(
            subprocess.Popen,
            [sys.executable, "-m", "benchmarks.worker", column, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            text=True,
            env=others | allocator | {name: str(threads) for name in THREADS},
        )
        self.process = self.start()

    def ask(self, what: str, **more: Any) -> dict[str, Any]:
        """The answer; {"problem": …} where there is none, also if the process has ended."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            print(json.dumps({"do": what, **more}), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if line:
            return json.loads(line)
        problem = f"its process ended with {self.process.wait()}"
        self.process = self.start()  # for the next row
        return {"problem": problem}

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()


@contextmanager
def worker(column: str, threads: int, allocator: dict[str, str] = ALLOCATOR) -> Iterator[Worker]:
    """A worker for as long as it is needed."""
    started = Worker(column, threads, allocator)
    try:
        yield started
    finally:
        started.close()


def available() -> list[str]:
    """The columns whose libraries are here."""
    return [name for name, (_, needs) in COLUMNS.items() if all(importlib.util.find_spec(need) for need in needs)]


@dataclass(frozen=True)
class Measured:
    """One row at one size: times of the columns that agree, and why others have none.

    `floor` is what this machine needs at least, `passes` what it needs at least for the calls that the generated code
    makes; both in seconds.
    """

    row: Row
    size: str
    times: Times
    problems: dict[str, str]
    floor: float
    passes: float | None

    def median(self, column: str) -> float | None:
        """Seconds, where there are any."""
        return self.times.median(column) if column in self.times.seconds else None


@dataclass(frozen=True)
class Machine:
    """What this machine does at best, measured in the same run: bytes a second copied, flops a second multiplied."""

    copy: float
    products: float

    def seconds(self, moved: float, flops: float) -> float:
        """The roofline: whichever takes longer."""
        return max(moved / self.copy, flops / self.products)


def bounds(threads: int) -> Machine:
    """What this machine does at best on so many threads."""
    with worker(OURS, threads) as alone:
        return Machine(**alone.ask("machine"))


def measure(
    machine: Machine, threads: int, rounds: int, placements: int, budget: float, *, rows: Iterable[str] = ROWS,
    sizes: Iterable[str] = SIZES,
) -> Iterator[Measured]:  # fmt: skip
    """All rows at all sizes, one by one; `budget` bounds the seconds spent on one of them, if calls are slow."""
    with ExitStack() as stack:
        workers = {name: stack.enter_context(worker(name, threads)) for name in available()}
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for row in map(ROWS.__getitem__, rows):
            for size in sizes:
                problems, floor = _prepared(workers, row, size, folder / "expected.npz", machine)
                work = workers[OURS].ask("work", row=row.name, size=size)
                passes = None if "problem" in work else machine.seconds(work["moved"], work["flops"])
                ready = {name: worker for name, worker in workers.items() if name not in problems}
                times = _rounds(ready, rounds, placements, budget, problems)
                yield Measured(row, size, times, problems, floor, passes)


def _prepared(
    workers: dict[str, Worker], row: Row, size: str, file: Path, machine: Machine
) -> tuple[dict[str, str], float]:
    """What keeps each column from being timed, and the seconds that this machine needs at least."""
    g, expected = reference(row, size)
    upstream = {} if g is None else {"g": g}
    np.savez(file, **upstream, **{f"expected_{name}": array for name, array in expected.items()})
    asked = {"row": row.name, "size": size, "expected": str(file)}
    answers = {name: worker.ask("prepare", **asked) for name, worker in workers.items()}
    problems = {name: answer["problem"] for name, answer in answers.items() if answer["problem"]}
    given = sum(array.nbytes for array in row.drawn(size).values())
    made = sum(array.size * 4 for array in expected.values())
    back = 0 if g is None else given + g.nbytes  # what forward has read is read again
    return problems, machine.seconds(given + made + back, row.flops(*row.sizes[size]))


def _rounds(workers: dict[str, Worker], rounds: int, placements: int, budget: float, problems: dict[str, str]) -> Times:
    """Bursts of all columns in random order, round by round; a column that fails becomes a problem."""
    rng, start = np.random.default_rng(0), time.perf_counter()
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    for placement in range(placements):
        for name in seconds:
            workers[name].ask("place", seed=placement)
        for turn in range(max(1, rounds // placements)):
            for name in rng.permutation(list(seconds)).tolist():
                answer = workers[name].ask("burst")
                if "problem" in answer:
                    problems[name] = answer["problem"]
                    del seconds[name]
                else:
                    seconds[name].append(answer["seconds"])
                time.sleep(REST)
            late = time.perf_counter() - start > budget * (placement + 1) / placements
            if late and turn + 1 >= LEAST:
                break
    return Times({name: np.array(values) for name, values in seconds.items()})


def peaks(
    columns: Iterable[str], size: str, rows: Iterable[str] = ROWS
) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """What forward and backward add to the resident memory, each in a fresh process: a row, column → answer."""
    for row in rows:
        found = {}
        for column in columns:
            with worker(column, 1, EXACT) as fresh:
                found[column] = fresh.ask("memory", row=row, size=size)
        yield row, found
