"""Fair timing: candidates in turn within one process, code in fresh processes; medians with intervals, no verdicts."""

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent

# glibc gives large arrays back to the kernel as soon as they die, so that large temporaries would measure page faults.
# 32 MB is as much as every glibc accepts. Both are read once, when a process starts.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(4 << 30)}
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

PAGE = 4096
HEAP_SHIFT = 2 * PAGE  # how far the heap is shifted, at most, between rounds


def settle_environment(threads: int) -> None:
    """Start this process again if its allocator or thread settings are not the ones that are published."""
    wanted = ALLOCATOR | {name: str(threads) for name in THREADS}
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | wanted)


@dataclass(frozen=True)
class Ratio:
    """A ratio of times with the ends of its bootstrap 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Times:
    """Seconds of each candidate, round by round."""

    seconds: Mapping[str, NDArray[np.float64]]

    def __add__(self, other: "Times") -> "Times":
        return Times({name: np.concatenate((mine, other.seconds[name])) for name, mine in self.seconds.items()})

    def median(self, name: str) -> float:
        """Median seconds of a candidate."""
        return float(np.median(self.seconds[name]))

    def ratio(self, name: str, base: str, *, resamples: int = 2000) -> Ratio:
        """Median over rounds of time(name)/time(base): what slows a whole round cancels."""
        pairs = self.seconds[name] / self.seconds[base]
        draws = np.random.default_rng(0).integers(0, len(pairs), (resamples, len(pairs)))
        low, high = np.percentile(np.median(pairs[draws], axis=1), (2.5, 97.5))
        return Ratio(float(np.median(pairs)), float(low), float(high))


def compare(candidates: Mapping[str, Callable[[], object]], repeats: int, *, warmup: int = 2, seed: int = 0) -> Times:
    """Time each candidate once a round, in random order, garbage collection off.

    Between rounds the heap is shifted by a random distance: where an array lies relative to another within a page
    changes a pass by up to a quarter, and is luck.
    """
    rng = np.random.default_rng(seed)
    names = list(candidates)
    for name in names * warmup:
        candidates[name]()
    seconds = {name: np.empty(repeats) for name in names}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for k in range(repeats):
            distance = int(rng.integers(64, HEAP_SHIFT))
            for j in rng.permutation(len(names)):
                shift = bytearray(distance)
                seconds[names[j]][k] = _seconds(candidates[names[j]])
                del shift
    finally:
        if collecting:
            gc.enable()
    return Times(seconds)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    result = call()
    elapsed = time.perf_counter() - start
    del result  # freeing it is not timed, for anyone
    return elapsed


def repeats_within(budget: float, candidates: Mapping[str, Callable[[], object]], *, least: int, most: int) -> int:
    """How many rounds of all candidates fit into `budget` seconds."""
    for call in candidates.values():
        call()
    once = sum(_seconds(call) for call in candidates.values())
    return max(least, min(most, int(budget / once)))


def placed(array: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """A contiguous copy that begins at a random multiple of the item size within a page."""
    items = PAGE // array.itemsize
    start = int(rng.integers(0, items))
    copy = np.empty(array.size + items, array.dtype)[start : start + array.size].reshape(array.shape)
    copy[...] = array
    return copy


class ProcessFailed(RuntimeError):
    """A fresh process ended with an error; the text is the last line it wrote."""


def run_fresh(code: str) -> str:
    """What `python -c code` prints, run from the root of the checkout."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ProcessFailed((done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1])
    return done.stdout.strip()


def fresh_times(codes: Mapping[str, str], processes: int, *, tick: Callable[[], None] = lambda: None) -> Times:
    """Seconds that each code prints, in a fresh process each, in turn; the first of each only warms up files."""
    seconds: dict[str, list[float]] = {name: [] for name in codes}
    for k in range(processes + 1):
        for name, code in codes.items():
            printed = run_fresh(code)
            if k:
                seconds[name].append(float(printed.splitlines()[-1]))
            tick()
    return Times({name: np.array(values) for name, values in seconds.items()})
