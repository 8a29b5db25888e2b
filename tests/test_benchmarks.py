"""Every row of the comparison of speed, in every column, at a tiny size: the same numbers. Nothing is timed."""

import numpy as np
import pytest

from benchmarks.columns import COLUMNS, VALUE, disagreement, prepared, reference
from benchmarks.performance import PAGE, page
from benchmarks.report import RESULTS, markdown, merged, parsed
from benchmarks.rows import ROWS, TINY
from benchmarks.speed import EXACT, worker

WITH_PARITY = ("torch",)  # `make parity` installs it, and runs this file, too
NOTHING = {("autograd", "logistic Hessian"), ("fused", "logistic Hessian"), ("fused", "LSTM")}


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_computes_the_same(column, row, needs):
    for package in COLUMNS[column][1]:
        if package in WITH_PARITY:
            pytest.importorskip(package, reason=f"needs {package}, as `make parity` has it")
        needs(package)
    g, expected = reference(ROWS[row], TINY)
    run = prepared(column, ROWS[row], ROWS[row].drawn(TINY), g)
    if (column, row) in NOTHING:
        assert run is None
    else:
        assert run is not None
        assert disagreement(run.arrays(run.call()), expected) == ""
        assert disagreement(run.arrays(run.call()), expected) == "", "the second call differs"


def test_the_textbook_agrees_with_finite_differences():
    """The witness of all columns is witnessed, in float64, along a random direction of all real inputs."""
    rng = np.random.default_rng(2)
    for row in ROWS.values():
        if not row.gradients:
            continue
        inputs = {n: a.astype(float) if a.dtype.kind == "f" else a for n, a in row.drawn(TINY).items()}
        way = {n: rng.standard_normal(a.shape) if a.dtype.kind == "f" else 0 for n, a in inputs.items()}
        if "t" in way:  # rows of t add up to one
            way["t"] -= way["t"].mean(axis=1, keepdims=True)
        g, expected = reference(row, TINY)

        def value(step, row=row, inputs=inputs, way=way, g=g):
            moved = {n: a + step * way[n] if a.dtype.kind == "f" else a for n, a in inputs.items()}
            run = prepared("textbook", row, moved, None if g is None else g.astype(float))
            return run.arrays(run.call())[VALUE] * (1 if g is None else g)

        slope = (value(1e-6) - value(-1e-6)).sum() / 2e-6
        derived = sum((expected[name] * way[name]).sum() for name in expected if name != VALUE)
        assert slope == pytest.approx(derived, rel=1e-6), row.name


@pytest.mark.parametrize(("name", "wrong"), [
    ("y", lambda y: y * np.float32(1.001)), ("y", lambda y: y.astype(float)), ("y", lambda y: y[:1]),
    ("y", lambda y: y * np.float32(np.nan)), ("x", lambda x: np.zeros_like(x)),
])  # fmt: skip
def test_what_differs_is_found(name, wrong):
    expected = {"y": np.ones((2, 3)), "x": np.ones(4)}
    found = {key: array.astype(np.float32) for key, array in expected.items()}
    assert disagreement(found, expected) == ""
    assert disagreement(found | {name: wrong(found[name])}, expected)
    assert "expected x, y" in disagreement({"y": found["y"]}, expected)


def test_a_worker_answers_errors_and_ends(tmp_path):
    """A failing row is an answer, and the process goes on."""
    g, expected = reference(ROWS["dense"], TINY)
    files = {error: str(tmp_path / f"{error}.npz") for error in (0, 1)}
    for error, file in files.items():
        np.savez(file, g=g, **{f"expected_{name}": array + error for name, array in expected.items()})
    with worker("by hand", 1, EXACT) as process:
        assert "KeyError" in process.ask("prepare", row="dens", size=TINY, expected="")["problem"]
        assert "differs by" in process.ask("prepare", row="dense", size=TINY, expected=files[1])["problem"]
        assert process.ask("prepare", row="dense", size=TINY, expected=files[0]) == {"problem": ""}
        assert process.ask("place", seed=1) == {}
        assert process.ask("burst")["seconds"] > 0


def test_a_worker_that_dies_is_started_again():
    with worker("by hand", 1, EXACT) as process:
        process.process.kill()
        assert "process ended" in process.ask("burst")["problem"]
        assert "AssertionError" in process.ask("burst")["problem"], "nothing is prepared"


def test_results_are_read_as_they_are_written():
    tables = list(parsed(RESULTS.read_text(encoding="utf-8")).values())
    assert [table.title for table in merged(markdown(tables), tables[:1])] == [table.title for table in tables]
    assert list(parsed(markdown(tables)).values()) == tables


def test_the_page_on_performance_follows_from_the_results():
    """`python -m benchmarks.performance` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page(RESULTS.read_text(encoding="utf-8"))
