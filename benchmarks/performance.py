"""`python -m benchmarks.performance`: docs/performance.md and its plot, all numbers taken from results.md."""

import os
import re
from dataclasses import dataclass, replace

from benchmarks.profile import PROFILE
from benchmarks.report import RESULTS, Table, parsed
from benchmarks.speed_tables import GOALS, MEMORY, PEERS, RATIOS, TIMES
from benchmarks.steps import TITLE
from benchmarks.timing import ROOT

PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "images" / "bench.svg"
COLOURS = ("#222222", "#0072b2", "#009e73", "#d55e00", "#cc79a7")  # Okabe and Ito: told apart by everyone
MARKS = ("D", "o", "^", "s", "v")

# Why a row misses goals, by timing parts of the emitted code or by reading it. Shown only while a goal is missed.
REASONS = {
    "softmax": "NumPy makes a pass over memory for every operation; PyTorch and XLA make one for all, on vectors.",
    "cross-entropy": "as softmax; the passes are those by hand: maximum, difference, exp, sum, one scaling. "
    "Without AVX-512 exp alone is half of the time.",
    "layer norm": "backward makes x − μ again from x, in one pass, so that no second array is kept (by hand it is, for "
    "half as much memory again); else as softmax. Beside y and the gradient, PyTorch's peak, there are blocks.",
    "batch norm": "backward makes x − μ again from x, in one pass, so that no second array is kept; else as softmax.",
    "GELU tanh": "1 + tanh u is 2σ(2u) = 2q/(1 + q), which keeps the tail's digits: one exp where by hand is one tanh. "
    "Backward has only x, PyTorch's peak of memory, and makes exp again, which without AVX-512 takes as long as ten "
    "passes: forward 9 passes and backward 17, by hand 8 and 9 and an array more. The textbook's x³ takes 10 ns an "
    "entry with this NumPy, not 60: by hand, too, is at a quarter of it.",
    "GELU exact": "erfc is a polynomial of degree 8 and an exp, as by hand; PyTorch's is one pass. Φ is kept, as by "
    "hand: to make it again would take 25 passes more, half as long again as the whole.",
    "conv 3×3, stride 1": "three products with columns of windows, as by hand; but columns are copied three times, of "
    "x for the value and for w̄, of g for x̄, where by hand both gradients read one set.",
    "conv 3×3, stride 2": "columns are copied from images whose channels lie last; copies and sums into windows take "
    "about half of the time, as by hand.",
    "max_pool 2×2": "the passes over floats are those by hand; what is left at M is the time of calls and checks.",
    "attention, causal": "strips of 64 queries with the keys that the condition leaves them, by hand blocks of 128; "
    "but weights are made again in backward, a seventh product and a second exp, so that none are kept, as by hand all "
    "are. At M there are two strips, and three quarters of all products.",
    "embedding": "SciPy's sparse product, as by hand; a call checks its indices, too.",
    "logistic Hessian": "the product is AᵀA, as by hand; what is left is the time of calls.",
    "LSTM": "a step has one product each way, as by hand, and writes where its values are kept; σ keeps the digits of "
    "its tails, in one exp for all gates beside the tanh of one, where by hand one tanh serves all, and loses them.",
    "Gaussian process": "one Cholesky factor serves all, as by hand. Differences of all pairs are an array of "
    "N × D × N, read some times, exact where points are close; by hand products of matrices, which cancel there.",
}

# Why a row's peak of memory is above PyTorch's.
BLOCKS = "the value and the gradient are PyTorch's peak, too; beside them there are blocks of some rows."
MORE_MEMORY = {
    **dict.fromkeys(("softmax", "layer norm", "batch norm", "GELU tanh", "embedding"), BLOCKS),
    "GELU exact": "Φ is kept, as by hand, where PyTorch makes it again in its one pass.",
    "logistic Hessian": "a block of rows with their weights, beside the matrix by its weights, as PyTorch has it.",
    "LSTM": "forward keeps σ(−z) beside σ(z), for the tails' digits; PyTorch keeps the gates alone.",
    "Gaussian process": "differences of all pairs, N × D × N, exact where points are close; the others multiply.",
}

TEXT = """# Performance

Written by `make bench` out of [benchmarks/results.md](../benchmarks/results.md), where the machine and all settings are
listed. Here is how the code that `to_numpy` emits compares with others.

![Time of the generated code over the time of others](images/bench.svg)

## How it is measured

- Each column runs in a process of its own, because threads that wait for work slow others down; all processes have the
  same cores and threads, and the allocator settings that results.md lists.
- Before anything is timed, every column's results are compared with the textbook formula in float64.
- Columns take turns in random order, in short bursts, of which the least time counts, over several places of the
  inputs in memory. A ratio is the median over rounds, with a bootstrap 95 % interval; a goal is met if the interval's
  lower end is within it.
- `by hand` is what an expert hands in (`benchmarks/by_hand*.py`), `textbook` what course notes
  print (`benchmarks/textbook.py`); the others are HIPS autograd, PyTorch in eager mode, and `jax.jit`.
- All columns return the value and the gradients of all real inputs. The Hessian is in closed form everywhere.

## Goals

{goals}

## Goals that are not met

{missed}

## Ratios

{ratios}

## Times

{times}

## Where the time goes

For the rows above that miss a goal of time: the lines of emitted code, and of code by hand, that take most of it.

{profile}

## A training step

A minibatch, its loss and gradient and Adam's step, on one thread: the step of `derive train`, the same by hand in
NumPy (`benchmarks/steps.py`), and PyTorch in eager mode with its own Adam.

{steps}

## Memory

{memory}

{heavy}
"""


@dataclass(frozen=True)
class Cell:
    """One ratio with its goal."""

    row: str
    size: str
    peer: str
    value: str
    goal: str
    met: str


CELL = re.compile(r"(?P<value>[\d.]+|–)(?: \[[\d.]+, [\d.]+\])?(?: ≤ (?P<goal>[\d.]+) (?P<met>yes|no))?")


def cells(results: str) -> list[Cell]:
    """All ratios of results.md."""
    found = []
    table = parsed(results).get(RATIOS)
    for row, size, *ratios in table.rows if table else ():
        for peer, text in zip(PEERS, ratios, strict=True):
            if match := CELL.fullmatch(text):
                found.append(Cell(row, size, peer, match["value"], match["goal"] or "", match["met"] or ""))
    return found


def page(results: str) -> str:
    """The text of docs/performance.md."""
    tables = parsed(results)
    parts = {"goals": GOALS, "ratios": RATIOS, "times": TIMES, "profile": PROFILE, "memory": MEMORY, "steps": TITLE}
    shown = {key: tables[title].markdown() if title in tables else "Not measured." for key, title in parts.items()}
    found = cells(results)
    late = {cell.row for cell in found if cell.met == "no"}
    if PROFILE in tables:
        shown["profile"] = _of(tables[PROFILE], late).markdown()
    heavy = [row for row, *_, met in tables[MEMORY].rows if met == "no"] if MEMORY in tables else []
    told = "\n".join(f"- {row}: {MORE_MEMORY.get(row, 'not known why.')}" for row in heavy)
    return TEXT.format(missed=_missed(found), heavy=told and f"Above PyTorch's, and why:\n\n{told}", **shown)


def _of(table: Table, rows: set[str]) -> Table:
    return replace(table, rows=tuple(cells for cells in table.rows if cells[0] in rows))


def _missed(found: list[Cell]) -> str:
    """A line for each row: what it misses, and why."""
    missed: dict[str, list[str]] = {}
    for cell in found:
        if cell.met == "no":
            told = f"{cell.value} against {cell.peer} at {cell.size.split()[0]} (goal ≤ {cell.goal})"
            missed.setdefault(cell.row, []).append(told)
    lines = [f"- {row}: {', '.join(told)}. Why: {REASONS.get(row, 'not known.')}" for row, told in missed.items()]
    return "\n".join(lines) or "None."


def draw(results: str) -> None:
    """Ratios at L, a line for each row and a mark for each column; the same bytes each time."""
    os.environ["SOURCE_DATE_EPOCH"] = "0"
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams |= {"svg.hashsalt": "derive", "svg.fonttype": "none", "font.size": 9}
    large = [cell for cell in cells(results) if cell.size.startswith("L")]
    rows = list(dict.fromkeys(cell.row for cell in large))
    timed = [cell for cell in large if cell.value != "–"]
    figure, axes = plt.subplots(figsize=(7.5, 0.32 * len(rows) + 1.2), layout="constrained")
    for peer, colour, mark in zip(PEERS, COLOURS, MARKS, strict=True):
        mine = [cell for cell in timed if cell.peer == peer]
        places = [rows.index(cell.row) for cell in mine]
        axes.plot(
            [float(cell.value) for cell in mine], places, mark, color=colour, label=peer, markersize=6, alpha=0.85
        )
    for row in sorted(set(rows) - {cell.row for cell in timed}):
        axes.annotate("generated code has no time", (1, rows.index(row)), ha="center", va="center", fontsize=8)
    axes.set_xscale("log")
    axes.axvline(1, color="#888888", linewidth=1)
    axes.set_yticks(range(len(rows)), rows)
    axes.invert_yaxis()
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)
    axes.set_xlabel("time of the generated code / time of …, size L (left of 1: generated is faster)")
    figure.legend(loc="outside upper center", ncols=len(PEERS), frameon=False)
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PLOT, metadata={"Date": None, "Creator": None})
    plt.close(figure)


def main() -> None:
    """Write both."""
    results = RESULTS.read_text(encoding="utf-8")
    PAGE.write_text(page(results), encoding="utf-8")
    draw(results)


if __name__ == "__main__":
    main()
