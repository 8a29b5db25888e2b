"""Sections 8 and 9: the comparison of speed and of peak memory, as tables with goals."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from statistics import geometric_mean
from typing import Any

from benchmarks.columns import COLUMNS
from benchmarks.report import Table, met, progress
from benchmarks.rows import ROWS, SIZES, Row
from benchmarks.speed import OURS, Machine, Measured, available, bounds, measure, peaks
from benchmarks.timing import Ratio

FUSED = "fused"  # ours, too: the same formulas with backend="numba"
PEERS = tuple(name for name in COLUMNS if name not in (OURS, FUSED))
JUDGED = ("M", "L")  # at S a call is mostly Python's own time; it is shown, without a goal
EACH = {"by hand": 1.05}
MEAN = {"by hand": 1.0, "autograd": 0.3}
MEMORY_GOAL = 1.0
COMPARED = (OURS, "by hand", "PyTorch")  # in memory

TIMES = "8. Speed: forward + backward in milliseconds, float32"
RATIOS = "8b. Speed: time of the generated code over the time of others"
GOALS = "8c. Speed: goals"
FUSION = "8d. Speed: the fused backend over NumPy code, and over PyTorch"
MEMORY = "9. Peak memory of forward + backward, at L"


def goal(row: Row, size: str, peer: str) -> float | None:
    """The largest ratio that is aimed at, if any."""
    if size not in JUDGED:
        return None
    own = {"textbook": row.goals.textbook, "PyTorch": row.goals.torch, "autograd": row.goals.autograd}
    return own.get(peer, EACH.get(peer))


def speed(
    threads: int, rounds: int, placements: int, budget: float, rows: Collection[str] = tuple(ROWS)
) -> Iterator[Table]:
    """The rows at every size, all columns in turn; after each of them the tables so far, then all."""
    machine, measured = bounds(threads), []
    with progress("8. Speed", len(rows) * len(SIZES)) as tick:
        for one in measure(machine, threads, rounds, placements, budget, rows=rows):
            measured.append(one)
            tick()
            yield from (replace(table, partial=True) for table in _tables(machine, threads, measured))
    yield from _tables(machine, threads, measured)


def _tables(machine: Machine, threads: int, measured: Collection[Measured]) -> Iterator[Table]:
    missing = [name for name in COLUMNS if name not in available()]
    reason = f"not installed: {', '.join(missing)}" if missing else ""
    note = (
        f"Each column in a process of its own, in turn, on {threads} cores; medians over rounds of the least of a "
        f"burst. floor: the larger of bytes over {machine.copy / 1e9:.1f} GB/s (copying) and of matrix products' "
        f"operations over {machine.products / 1e9:.0f} GFLOP/s, both measured in the same run; the bytes are those of "
        "inputs, outputs and gradients, each touched once by the pass that needs it. passes: the same of all calls "
        "that the generated code makes (`to_numpy(f).cost`), had the machine no cache." + _problems(measured)
    )
    yield Table(TIMES, ("row", "size", "floor", "passes", *COLUMNS), tuple(map(_times, measured)), note, reason)
    ratios = tuple((one.row.name, _size(one), *(_judged(one, peer) for peer in PEERS)) for one in measured)
    note = "Below 1 the generated code is faster. Goals hold for M and L, and are met by the interval's lower end."
    yield Table(RATIOS, ("row", "size", *PEERS), ratios, note)
    fused = tuple(_fused(one) for one in measured if FUSED in one.times.seconds)
    note = "Kernels are compiled before they are timed: some seconds for each formula and dtype."
    reason = "" if FUSED in available() else "not installed: numba"
    yield Table(FUSION, ("row", "size", OURS, "PyTorch"), fused, note, reason)
    summary = tuple(row for peer in PEERS for row in _summary(peer, measured))
    yield Table(GOALS, ("generated /", "over M and L", "reached", "goal", "met"), summary)


def _size(one: Measured) -> str:
    return f"{one.size} {'×'.join(map(str, one.row.sizes[one.size]))}"


def _times(one: Measured) -> tuple[str, ...]:
    medians = (one.median(name) for name in COLUMNS)
    shown = ("–" if median is None else f"{1e3 * median:.3g}" for median in medians)
    return (
        one.row.name,
        _size(one),
        f"{1e3 * one.floor:.3g}",
        "–" if one.passes is None else f"{1e3 * one.passes:.3g}",
        *shown,
    )


def _ratio(one: Measured, peer: str, ours: str = OURS) -> Ratio | None:
    both = ours in one.times.seconds and peer in one.times.seconds
    return one.times.ratio(ours, peer) if both else None


def _fused(one: Measured) -> tuple[str, ...]:
    """The fused backend against the NumPy code and PyTorch; only rows that it is meant for have a goal."""
    aim = one.row.goals.fused if one.size in JUDGED else None
    ratios = [(_ratio(one, OURS, FUSED), None), (_ratio(one, "PyTorch", FUSED), aim)]
    return (one.row.name, _size(one), *(_shown(ratio, aim) for ratio, aim in ratios))


def _shown(ratio: Ratio | None, aim: float | None) -> str:
    if ratio is None:
        return "–"
    shown = f"{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
    return shown if aim is None else f"{shown} ≤ {aim:g} {met(ratio.low, aim)}"


def _judged(one: Measured, peer: str) -> str:
    ratio, aim = _ratio(one, peer), goal(one.row, one.size, peer)
    if ratio is None:  # a goal is missed if it is the generated code that has no time
        return "–" if aim is None or peer not in one.times.seconds else f"– ≤ {aim:g} no"
    return _shown(ratio, aim)


def _summary(peer: str, measured: Iterable[Measured]) -> Iterator[tuple[str, ...]]:
    """How many goals are met, and the geometric mean, which no code without a time can meet."""
    judged = [one for one in measured if one.size in JUDGED and peer in one.times.seconds]
    ratios = [ratio for one in judged if (ratio := _ratio(one, peer))]
    aims = [(_ratio(one, peer), aim) for one in judged if (aim := goal(one.row, one.size, peer))]
    if aims:
        count = sum(ratio is not None and ratio.low <= aim for ratio, aim in aims)
        yield (peer, "goals met", f"{count} of {len(aims)}", "all", met(-count, -len(aims)))
    if ratios:
        mean, low = geometric_mean(r.value for r in ratios), geometric_mean(r.low for r in ratios)
        reached = f"{mean:.2f}" + (f", {len(judged) - len(ratios)} without a time" if len(ratios) < len(judged) else "")
        aim = MEAN.get(peer)
        complete = len(ratios) == len(judged)
        verdict = ("", "") if aim is None else (f"≤ {aim:g}", met(low, aim) if complete else "no")
        yield (peer, "geometric mean", reached, *verdict)


def _problems(measured: Iterable[Measured]) -> str:
    """Why a cell is empty, where a library has something to compare."""
    told = [f"{one.row.name} {one.size}, {name}: {why}" for one in measured for name, why in one.problems.items()]
    told = [one for one in told if not one.endswith("nothing to compare")]
    return f" Not measured: {'; '.join(told)}." if told else ""


def memory(size: str = "L", rows: Collection[str] = tuple(ROWS)) -> Iterator[Table]:
    """Generated against by hand and PyTorch: what a call adds to what is resident, in fresh processes."""
    columns = [name for name in COMPARED if name in available()]
    found: dict[str, dict[str, Any]] = {}
    with progress(MEMORY, len(rows)) as tick:
        for row, answers in peaks(columns, size, rows):
            found[row] = answers
            tick()
            yield replace(_memory(columns, found), partial=True)
    yield _memory(columns, found)


def _memory(columns: Collection[str], found: dict[str, dict[str, Any]]) -> Table:
    told = [
        f"{row}, {name}: {answer['problem']}"
        for row, answers in found.items()
        for name, answer in answers.items()
        if "problem" in answer
    ]
    note = (
        "MB that are resident at the peak, above what is before the call: libraries, inputs and the upstream gradient "
        "are not counted, results are. MALLOC_MMAP_THRESHOLD_=65536, so that arrays go back to the system as they die."
        + (f" Not measured: {'; '.join(told)}." if told else "")
    )
    header = ("row", *COMPARED, f"{OURS} / PyTorch", "goal", "met")
    reason = "" if "PyTorch" in columns else "not installed: torch"
    return Table(MEMORY, header, tuple(_peak(row, answers) for row, answers in found.items()), note, reason)


def _peak(row: str, answers: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """A row of the table; what could not be measured does not meet the goal."""
    bytes_of = {name: answer["bytes"] for name, answer in answers.items() if "bytes" in answer}
    shown = (f"{bytes_of[name] / 2**20:.1f}" if name in bytes_of else "–" for name in COMPARED)
    if OURS not in bytes_of or "PyTorch" not in bytes_of:
        return (row, *shown, "–", f"≤ {MEMORY_GOAL:g}", "no")
    ratio = bytes_of[OURS] / bytes_of["PyTorch"]
    return (row, *shown, f"{ratio:.3f}", f"≤ {MEMORY_GOAL:g}", met(ratio, MEMORY_GOAL))
