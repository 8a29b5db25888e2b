"""`python -m benchmarks.bench`: how long derivations, code generation, imports and emitted code take. Never asserts."""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks import performance
from benchmarks.by_hand import BLOCK, BLOCKED, STRAIGHT, Array
from benchmarks.jax_networks import COMPILED
from benchmarks.profile import profiles
from benchmarks.report import RESULTS, Table, markdown, merged, met, progress, show
from benchmarks.rows import ROWS
from benchmarks.speed_tables import memory, speed
from benchmarks.steps import training_steps
from benchmarks.timing import (
    ROOT,
    ProcessFailed,
    Times,
    compare,
    fresh_times,
    placed,
    repeats_within,
    run_fresh,
    settle_environment,
)


@dataclass(frozen=True)
class Effort:
    """How often things are measured."""

    processes: int = 7
    imports: int = 15
    seconds: float = 8.0  # for one comparison of emitted code
    placements: int = 8  # of the inputs in memory
    rounds: int = 24  # of all columns in turn
    budget: float = 20.0  # seconds for one row at one size, if its calls are slow
    threads: int = 2  # of each column of `speed`
    rows: tuple[str, ...] = tuple(ROWS)  # of `speed`, `profile` and `memory`


QUICK = Effort(processes=3, imports=5, seconds=1.0, placements=2, rounds=4, budget=2.0)


# Derivation and code generation: the first call in a fresh process, imports not counted

FORMULAS = {
    "dense": 10.0,  # milliseconds allowed for the gradient of all inputs, in closed form
    "softmax": 10.0,
    "layer_norm": 40.0,
    "softmax_cross_entropy": 15.0,
    "chain(dense, tanh, dense, softmax_cross_entropy)": 60.0,
}
CALLABLE_GOAL = 300.0
CHAIN_GOAL = 1.2 * 16

FIRST_CALL = """
import time
from derive import chain, gradient, to_numpy
from formulas import dense, layer_norm, softmax, softmax_cross_entropy, tanh
start = time.perf_counter()
{statement}
print(time.perf_counter() - start)
"""
GRADIENT = "list(gradient({}).results.values())"
CALLABLE = "code = to_numpy({}); code.forward, code.backward"


def derivation(effort: Effort) -> Iterator[Table]:
    """The first derivation in a process."""
    header = ("all inputs, closed form", "ms", "goal", "met")
    title = "1. First derivation, in a fresh process"
    yield from _first_calls(title, header, GRADIENT, FORMULAS, effort)


def callables(effort: Effort) -> Iterator[Table]:
    """From a formula to NumPy functions."""
    header = ("to_numpy(f)", "ms", "goal", "met")
    goals = dict.fromkeys(FORMULAS, CALLABLE_GOAL)
    yield from _first_calls("2. From formula to callable, in a fresh process", header, CALLABLE, goals, effort)


def _first_calls(
    title: str, header: tuple[str, ...], template: str, goals: dict[str, float], effort: Effort
) -> Iterator[Table]:
    rows: list[tuple[str, ...]] = []
    reasons: list[str] = []
    with progress(title, len(goals) * (effort.processes + 1)) as tick:
        for formula, goal in goals.items():
            code = FIRST_CALL.format(statement=template.format(formula))
            try:
                ms = 1e3 * fresh_times({formula: code}, effort.processes, tick=tick).median(formula)
            except ProcessFailed as failure:
                reasons.append(f"{formula}: {failure}")
            else:
                rows.append((formula, f"{ms:.1f}", f"≤ {goal:g}", met(ms, goal)))
    note = f"Median of {effort.processes} processes. Building the chain is included."
    yield Table(title, header, tuple(rows), note, _joined(reasons))


def chains(effort: Effort) -> Iterator[Table]:
    """Is derivation linear in the number of layers?"""
    title = "3. A chain of 64 dense + tanh layers against one of 4"
    codes = {str(n): FIRST_CALL.format(statement=GRADIENT.format(f"chain(*[dense, tanh] * {n})")) for n in (4, 64)}
    with progress(title, len(codes) * (effort.processes + 1)) as tick:
        times = fresh_times(codes, effort.processes, tick=tick)
    ratio = times.ratio("64", "4")
    short, long = (f"{1e3 * times.median(n):.1f}" for n in ("4", "64"))
    row = (short, long, str(ratio), f"≤ {CHAIN_GOAL:g}", met(ratio.low, CHAIN_GOAL))
    yield Table(title, ("4 layers, ms", "64 layers, ms", "ratio", "goal", "met"), (row,))


# Networks and single layers: ours until all gradients are there, against JAX until they are compiled

LAYERS = (
    "conv2d", "max_pool2d", "batch_norm", "scaled_dot_product_attention", "multi_head_attention", "cross_entropy",
    "embedding",
)  # fmt: skip
LAYER_GOAL = 150.0
ATTENTION_GOAL = 50.0
NETWORKS = ("lenet", "transformer_block")
NETWORK = """
import time
import derive.backends, derive.lower, numpy  # loaded when first used, else
from derive import gradient, to_numpy
from formulas import {name}
start = time.perf_counter()
{statement}
print(time.perf_counter() - start)
"""


def layers(effort: Effort) -> Iterator[Table]:
    """Single layers, from the formula to the callable; attention's three gradients."""
    title = "6. Single layers, in a fresh process"
    header = ("layer", "gradients, ms", "goal", "met", "to callable, ms", "goal", "met")
    note = f"Median of {effort.processes} processes; imports and tracing not counted."
    rows: list[tuple[str, ...]] = []
    with progress(title, 2 * len(LAYERS) * (effort.processes + 1)) as tick:
        for name in LAYERS:
            codes = {
                kind: NETWORK.format(name=name, statement=statement.format(name))
                for kind, statement in (("gradient", GRADIENT), ("callable", CALLABLE))
            }
            times = fresh_times(codes, effort.processes, tick=tick)
            derived, made = (1e3 * times.median(kind) for kind in ("gradient", "callable"))
            goal = ATTENTION_GOAL if name == "scaled_dot_product_attention" else LAYER_GOAL
            judged = (f"≤ {goal:g}", met(derived, goal), f"{made:.0f}", f"≤ {LAYER_GOAL:g}", met(made, LAYER_GOAL))
            rows.append((name, f"{derived:.0f}", *judged))
            table = Table(title, header, tuple(rows), note)
            yield replace(table, partial=True)
    yield table


def networks(effort: Effort) -> Iterator[Table]:
    """All gradients of LeNet and of a transformer block, against `jax.jit(jax.grad(f)).lower(…).compile()`."""
    title = "7. Networks against JAX, in a fresh process"
    header = ("network", "compared", "s", "ratio", "goal", "met")
    note = "All gradients in closed form; then forward and backward as NumPy functions."
    rows: list[tuple[str, ...]] = []
    with progress(title, 3 * len(NETWORKS) * (effort.processes + 1)) as tick:
        for name in NETWORKS:
            codes = {
                "gradients": NETWORK.format(name=name, statement=GRADIENT.format(name)),
                "callables": NETWORK.format(name=name, statement=CALLABLE.format(name)),
                "JAX": COMPILED.replace("NETWORK", name),
            }
            times = fresh_times(codes, effort.processes, tick=tick)
            for kind in ("gradients", "callables"):
                ratio = times.ratio(kind, "JAX")
                seconds = f"{times.median(kind):.2f} / {times.median('JAX'):.2f}"
                rows.append((name, f"{kind} / JAX compiled", seconds, str(ratio), "≤ 1", met(ratio.low, 1.0)))
            table = Table(title, header, tuple(rows), note)
            yield replace(table, partial=True)
    yield table


# Imports

IMPORT = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
IMPORTS = ("import sympy", "import derive", "from derive import gradient, to_numpy")
IMPORT_GOAL = 1.15
HELP = """
import contextlib, io, sys
sys.argv = ["derive", "--help"]
from derive.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
print(", ".join(name for name in ("sympy", "numpy") if name in sys.modules) or "neither")
"""


def imports(effort: Effort) -> Iterator[Table]:
    """What `import derive` costs beside `import sympy`, and what `derive --help` imports."""
    title = "4. Import"
    codes = {statement: IMPORT.format(statement) for statement in IMPORTS}
    with progress(title, len(codes) * (effort.imports + 1)) as tick:
        times = fresh_times(codes, effort.imports, tick=tick)
    rows: list[tuple[str, ...]] = []
    for statement in IMPORTS:
        ms, ratio = f"{1e3 * times.median(statement):.0f}", times.ratio(statement, IMPORTS[0])
        judged = statement != IMPORTS[0]
        rows.append(
            (statement, ms, *((str(ratio), f"≤ {IMPORT_GOAL}", met(ratio.low, IMPORT_GOAL)) if judged else [""] * 3))
        )
    yield Table(title, ("fresh process", "ms", "/ import sympy", "goal", "met"), tuple(rows))
    imported = run_fresh(HELP)
    row = (imported, "neither", "yes" if imported == "neither" else "no")
    yield Table("4b. `derive --help`", ("imports of SymPy and NumPy", "goal", "met"), (row,))


# Emitted code against code written by hand

SIZES = {"256×512×512": 256, "4096×512": 4096}
WIDTH = 512
CODE_GOAL = 1.05
Layer = Any  # a ByHand, or what `to_numpy` returns: the same three functions


def emitted(effort: Effort) -> Iterator[Table]:
    """float32, forward and backward, or both fused for a scalar loss."""
    rows: list[tuple[str, ...]] = []
    reasons: list[str] = []
    with progress("5. Emitted code", len(STRAIGHT) * len(SIZES)) as tick:
        for name in STRAIGHT:
            try:
                code = _emit(name)
            except Exception as failure:  # the engine may be in pieces: the code by hand is measured all the same
                code = None
                reasons.append(f"{name}: {type(failure).__name__}: {failure}")
            for size, batch in SIZES.items():
                try:
                    rows += _measure(name, size, batch, code, effort)
                except Exception as failure:
                    reasons.append(f"{name} {size}: {type(failure).__name__}: {failure}")
                tick()
    header = ("layer", "size", "compared", "ms", "ratio", "goal", "met")
    note = (
        "In one process, in random order, over several placements of the inputs; the ratio is the median over rounds. "
        "`blocks`: by hand, over blocks of rows, where arrays exceed a block. Met: by the interval's lower end."
    )
    yield Table(
        "5. Emitted code against code by hand, forward + backward, float32", header, tuple(rows), note, _joined(reasons)
    )


def _emit(name: str) -> Layer:
    import formulas
    from derive import to_numpy

    return to_numpy(getattr(formulas, name))


def _measure(name: str, size: str, batch: int, code: Layer | None, effort: Effort) -> list[tuple[str, ...]]:
    layers: dict[str, Layer] = {"emitted": code} if code is not None else {}
    layers["by hand"] = STRAIGHT[name]
    if name in BLOCKED and batch * WIDTH > BLOCK:
        layers["blocks"] = BLOCKED[name]
    rng = np.random.default_rng(0)
    inputs, g = _inputs(name, batch, rng)
    runs = {label: partial(_run, layer, name, inputs, g) for label, layer in layers.items()}
    _agree({label: run() for label, run in runs.items()})
    repeats = repeats_within(effort.seconds / effort.placements, runs, least=5, most=200)
    times = Times({label: np.empty(0) for label in runs})
    for seed in range(effort.placements):
        here = {key: placed(value, rng) for key, value in inputs.items()}
        runs = {label: partial(_run, layer, name, here, placed(g, rng)) for label, layer in layers.items()}
        times += compare(runs, repeats, seed=seed)
    return [_row(name, size, times, *pair) for pair in _pairs(list(layers))]


def _pairs(labels: list[str]) -> list[tuple[str, str]]:
    bases = [label for label in ("by hand", "blocks") if label in labels]
    if "emitted" in labels:
        return [("emitted", base) for base in bases]
    return [("by hand", base) for base in bases[1:]]


def _row(name: str, size: str, times: Times, label: str, base: str) -> tuple[str, ...]:
    ratio = times.ratio(label, base)
    ms = f"{1e3 * times.median(label):.3g} / {1e3 * times.median(base):.3g}"
    judged = (f"≤ {CODE_GOAL}", met(ratio.low, CODE_GOAL)) if label == "emitted" else ("", "")
    return (name, size, f"{label} / {base}", ms, str(ratio), *judged)


def _inputs(name: str, batch: int, rng: np.random.Generator) -> tuple[dict[str, Array], Array]:
    """float32 inputs of a layer, and the gradient that comes from above."""

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape, dtype=np.float32)

    x, g = normal(batch, WIDTH), normal(batch, WIDTH)
    t = np.square(normal(batch, WIDTH))
    t /= t.sum(-1, keepdims=True)
    by_name = {
        "dense": {"x": x, "w": normal(WIDTH, WIDTH), "beta": normal(WIDTH)},
        "softmax": {"z": x},
        "layer_norm": {"x": x, "gamma": normal(WIDTH), "beta": normal(WIDTH)},
        "softmax_cross_entropy": {"z": x, "t": t},
    }
    return by_name[name], g


def _run(layer: Layer, name: str, inputs: dict[str, Array], g: Array) -> tuple[Array, dict[str, Array]]:
    if STRAIGHT[name].value_and_grad is not None:
        y, gradients = layer.value_and_grad(**inputs)
        return y, gradients
    y, saved = layer.forward(**inputs)
    return y, layer.backward(g, saved)


def _agree(results: dict[str, tuple[Array, dict[str, Array]]]) -> None:
    """Different numbers are not worth a comparison of times."""
    y, gradients = results["by hand"]
    for label, (other_y, others) in results.items():
        if set(others) != set(gradients):
            raise ValueError(f"{label} returns gradients of {sorted(others)}, expected {sorted(gradients)}")
        for key, other, mine in [("y", other_y, y), *((key, others[key], gradients[key]) for key in gradients)]:
            if other.dtype != np.float32:
                raise ValueError(f"{label}: {key} is {other.dtype}, expected float32")
            if not np.allclose(other, mine, rtol=1e-3, atol=1e-5 * float(np.abs(mine).max())):
                raise ValueError(f"{label}: {key} differs from the code by hand")


# The command

SECTIONS: dict[str, Callable[[Effort], Iterator[Table]]] = {
    "derivation": derivation,
    "callable": callables,
    "chain": chains,
    "layers": layers,
    "networks": networks,
    "import": imports,
    "code": emitted,
    "speed": lambda effort: speed(effort.threads, effort.rounds, 4, effort.budget, effort.rows),
    "profile": lambda effort: profiles(effort.rows),
    "memory": lambda effort: memory(rows=effort.rows),
    "steps": lambda effort: training_steps(effort.seconds),
}


def _joined(reasons: list[str]) -> str:
    """The reasons, each cause once if all have the same."""
    causes = {reason.split(": ", 1)[1] for reason in reasons}
    return causes.pop() if len(causes) == 1 and len(reasons) > 1 else "; ".join(reasons)


def _tables(section: str, effort: Effort) -> Iterator[Table]:
    try:
        yield from SECTIONS[section](effort)
    except ProcessFailed as failure:
        yield Table(section, (), reason=str(failure))


def main() -> None:
    """Measure, print, and write the results of a full run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__)
    parser.add_argument("--section", action="append", choices=SECTIONS, help="measure this only; may be repeated")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: a look, not a measurement")
    parser.add_argument(
        "--threads", type=int, help="threads of BLAS (default: 1, which is steadiest, but 2 for each column of `speed`)"
    )
    parser.add_argument(
        "--row", action="append", choices=ROWS, help="of `speed`, `profile` and `memory` these only: a look, too"
    )
    arguments = parser.parse_args()
    settle_environment(arguments.threads or 1)
    effort = QUICK if arguments.quick else Effort()
    rows = tuple(arguments.row or effort.rows)
    effort = replace(effort, threads=arguments.threads or effort.threads, rows=rows)
    console = Console() if sys.stdout.isatty() else Console(width=140)
    tables: list[Table] = []
    look = arguments.quick or arguments.row
    try:
        for section in arguments.section or SECTIONS:
            for table in _tables(section, effort):
                if not table.partial:
                    show(table, console)
                    tables.append(table)
                if not look and not table.reason:  # after each row, so that a run that is cut short leaves what it has
                    RESULTS.write_text(markdown(merged(RESULTS.read_text(encoding="utf-8"), [table])), encoding="utf-8")
    finally:
        if not look:
            performance.main()
    if look or any(table.reason for table in tables):
        console.print(f"{RESULTS.name} is written by a full run, where all is measured.", style="dim")
    else:
        console.print(f"wrote {RESULTS.relative_to(ROOT)} and {performance.PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
