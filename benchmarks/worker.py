"""A process for one column: `python -m benchmarks.worker COLUMN THREADS` answers one JSON line for each it is sent."""

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

# Threads are counted before any library is loaded: all of them see as many cores as they may use.
if __name__ == "__main__" and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[2])])

import numpy as np

from benchmarks.columns import Run, disagreement, output_shape, prepared
from benchmarks.rows import ROWS, TINY, Array
from benchmarks.timing import placed

BURST = 0.02  # seconds of calls, one after the other, between two turns of the others
MOST_CALLS = 200
SLOW = 1.0  # seconds of a call that needs no second one
MEMORY_SHARE = 0.5  # of the machine's memory: who needs more ends with an error, not the machine


class Column:
    """What a worker knows between two lines: the inputs of the present row, and how to run it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.inputs: dict[str, Array] = {}
        self.g: Array | None = None
        self.run: Run | None = None

    def prepare(self, row: str, size: str, expected: str) -> dict[str, Any]:
        """Build a row, run it once, compare with what is expected: {"problem": what is wrong, or ""}."""
        self.run = None
        self.row, self.inputs = ROWS[row], ROWS[row].drawn(size)
        with np.load(expected) as file:
            wanted = {name.removeprefix("expected_"): file[name] for name in file.files if name != "g"}
            self.g = file["g"] if "g" in file.files else None
        self.run = prepared(self.name, self.row, self.inputs, self.g)
        if self.run is None:
            return {"problem": "nothing to compare"}
        return {"problem": disagreement(self.run.arrays(self.run.call()), wanted)}

    def place(self, seed: int) -> dict[str, Any]:
        """The same inputs elsewhere in memory: where arrays lie within a page is luck."""
        rng = np.random.default_rng(seed)
        self.run = None
        inputs = {name: placed(array, rng) for name, array in self.inputs.items()}
        self.run = prepared(self.name, self.row, inputs, None if self.g is None else placed(self.g, rng))
        return {}

    def burst(self) -> dict[str, Any]:
        """{"seconds": the least of some calls}: what else runs on the machine only adds. The first one warms up."""
        assert self.run is not None
        call = self.run.call
        gc.disable()
        first = _seconds(call)
        count = min(MOST_CALLS, max(1, int(BURST / first)))
        taken = [first] if first > SLOW else [_seconds(call) for _ in range(count)]
        gc.enable()
        return {"seconds": min(taken)}

    def memory(self, row: str, size: str) -> dict[str, Any]:
        """{"bytes": what a call adds to the resident memory, at its peak}; a tiny call loads what is loaded once."""
        chosen = ROWS[row]
        for step in (TINY, size):
            inputs = chosen.drawn(step)
            run = prepared(self.name, chosen, inputs, chosen.upstream(output_shape(chosen, inputs)))
            if run is None:
                return {"problem": "nothing to compare"}
            gc.collect()
            before = resident(peak=True)
            result = run.call()
            grown = resident(peak=False) - before
            del result, run
        return {"bytes": grown}

    def work(self, row: str, size: str) -> dict[str, Any]:
        """{"flops": …, "moved": …}: what the generated code does."""
        from benchmarks.generated import work

        flops, moved = work(ROWS[row], size)
        return {"flops": flops, "moved": moved}

    def machine(self) -> dict[str, Any]:
        """{"copy": bytes a second, read and written, "products": flops a second of a matrix product}."""
        return {"copy": _copying(len(os.sched_getaffinity(0))), "products": _multiplying()}


def resident(*, peak: bool) -> int:
    """Bytes resident now, from where the high-water mark starts again; or that mark. Linux only."""
    if peak:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    found = next(line for line in lines if line.startswith("VmRSS:" if peak else "VmHWM:"))
    return 1024 * int(found.split()[1])


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    result = call()
    elapsed = time.perf_counter() - start
    del result
    return elapsed


def _copying(threads: int, items: int = 1 << 25) -> float:
    from concurrent.futures import ThreadPoolExecutor

    source, target = np.ones(items, np.float32), np.empty(items, np.float32)
    parts = [slice(k * items // threads, (k + 1) * items // threads) for k in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        best = min(_seconds(lambda: list(pool.map(lambda s: np.copyto(target[s], source[s]), parts))) for _ in range(9))
    return 8 * items / best


def _multiplying(side: int = 2048) -> float:
    a = np.ones((side, side), np.float32)
    return 2 * side**3 / min(_seconds(lambda: a @ a) for _ in range(7))


def main() -> None:
    """Answer until stdin ends. What libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with suppress(ImportError):
        import resource

        share = int(MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        resource.setrlimit(resource.RLIMIT_DATA, (share, share))
    column = Column(sys.argv[1])
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = getattr(column, asked.pop("do"))(**asked)
        except Exception as failure:
            answer = {"problem": f"{type(failure).__name__}: {failure}".splitlines()[0]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
