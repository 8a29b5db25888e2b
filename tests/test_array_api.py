"""The array API emission: NumPy's numbers on other libraries, in text that stands alone; a gradient on a cluster."""

import inspect
import os
import re
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pytest

from derive import DeriveError, ShapeError, T, Unsupported, axes, catalogue, erf, exp, formula, let, sum_over, to_numpy
from derive.backends import array_api, standard, windows
from derive.cli import main
from derive.lower import Assign, Require
from derive.verify import check_code
from tests.libraries import FEW, Library, compare, equal, standalone

b, i = axes("b i")
DENSE = {"x": np.ones((2, 3)), "w": np.ones((3, 4)), "beta": np.ones(4)}


def strict():
    """array-api-strict at the version of the standard that is meant, with arrays that are not on the default device."""
    import array_api_strict as xp

    xp.set_array_api_strict_flags(api_version="2024.12")
    device = xp.Device("device1")

    def back(array):
        assert array.device == device
        return np.asarray(array.to_device(xp.Device("CPU_DEVICE")))

    return Library(lambda array: xp.asarray(np.asarray(array)).to_device(device), back)


def jax(jit=False):
    import jax

    jax.config.update("jax_enable_x64", True)
    return Library(jax.numpy.asarray, np.asarray, *([jax.jit] if jit else []))


def dask():
    """Lazy arrays in up to two chunks along each axis; everything is computed at the end."""
    import dask.array

    def array(given):
        given = np.asarray(given)
        return dask.array.from_array(given, chunks=tuple((n + 1) // 2 for n in given.shape))

    return Library(array, lambda lazy: np.asarray(lazy.compute(scheduler="synchronous")))


# What the standard of 2024 has not: the eigenvalues of a general matrix, and the exponential.
LACKED = {
    "real_eigenvalues": "eigenpairs",
    "real_eigenvectors": "eigenpairs",
    "matrix_exponential": "exponential",
    "acyclicity": "exponential",
}


# The same numbers


@pytest.mark.needs("array_api_strict", "array_api_compat")
@pytest.mark.parametrize("name", catalogue)
def test_every_formula_on_strict_arrays(name):
    if name in LACKED:
        with pytest.raises(Unsupported, match=f"array API standard: it has no {LACKED[name]} of a matrix"):
            compare(name, strict())
    else:
        compare(name, strict())


@pytest.mark.needs("array_api_strict", "array_api_compat")
@pytest.mark.parametrize("name", ["dense", "layer_norm", "gelu", "max_pool2d", "cross_entropy", "huber_loss"])
def test_float32_stays(name):
    compare(name, strict(), "float32")


@pytest.mark.needs("jax", "array_api_compat")
@pytest.mark.parametrize("name", FEW)
def test_jax_compiled_whole(name):
    compare(name, jax(jit=True))


@pytest.mark.needs("jax", "array_api_compat")
@pytest.mark.parametrize("name", ["dense", "softmax", "embedding"])
def test_jax_call_by_call(name):
    compare(name, jax(), "float32")


@pytest.mark.needs("dask", "array_api_compat")
@pytest.mark.parametrize("name", FEW)
def test_dask_arrays_in_chunks(name):
    compare(name, dask())


@pytest.mark.parametrize("name", ["layer_norm", "max_pool2d", "cross_entropy"])
def test_the_callables_give_what_the_oracle_gives(name):
    """On NumPy's own arrays, where verify can judge: in float64 and float32, inputs left as they were."""
    made = to_numpy(catalogue[name])
    derived, module = made._derived, made.array_api
    report = check_code(
        made.traced, module.forward, module.backward, results=derived.results, upstreams=derived.upstreams, trials=4
    )
    assert report.passed, report


# Helpers: what the standard lacks

X = np.random.default_rng(0).normal(size=(3, 12, 5))
READ = [
    (None, (1, (4, 2), (3, 1)), None),
    ((2,), (0, (12, 1)), (3, (2, -3), (2, 1))),
    ((0, (3, 1)), (11, (5, -1), (2, -2), (2, -1)), None),
]
ADDED = [  # the axes of u, where it is added: padding falls away, places may meet
    ((3, 4, 3, 5), (None, (12, -1, (4, 3), (3, 1)), None)),
    ((3, 4, 3, 5), (None, (6, 0, (4, 2), (3, 2)), None)),
    ((4, 2, 2), ((5, 4, (4, -1)), (3, 2, (2, -2), (2, 1)))),
    ((4, 2), ((9, 3), None, (4, 0, (2, 2)))),
]


@pytest.mark.parametrize("axes", READ)
def test_windows_are_views_of_the_same_entries(axes):
    np.testing.assert_array_equal(standard.windows(np, X, *axes), windows.windows(X, *axes))


@pytest.mark.parametrize("shape, axes", ADDED)
def test_overlapped_is_the_sum_into_windows(shape, axes):
    u = np.random.default_rng(1).normal(size=shape)
    np.testing.assert_allclose(standard.overlapped(np, u, *axes), windows.overlapped(u, *axes), atol=1e-14)
    times = np.random.default_rng(2).normal(size=shape)
    found = standard.overlapped(np, u, *axes, times=times)
    np.testing.assert_allclose(found, windows.overlapped(u, *axes, times=times), atol=1e-14)


def test_scattered_drops_what_is_outside():
    u, rows, columns = X[:2, :3], np.array([[0, 4, -1], [2, 2, 0]]), np.array([[1, 0, 0], [1, 1, 3]])
    found = standard.scattered(np, u, (4, 3), rows, columns)
    np.testing.assert_allclose(found, windows.scattered(u, (4, 3), rows, columns), atol=1e-14)
    assert np.abs(found).sum() > 0 and not found[0, 0].any()


def test_gathered_is_advanced_indexing():
    rows, columns = np.array([[0, 2], [1, 1]]), np.array([3, 4])
    np.testing.assert_array_equal(standard.gathered(np, X, rows, None, None), X[rows])
    np.testing.assert_array_equal(standard.gathered(np, X, None, columns, columns), X[:, columns, columns])
    np.testing.assert_array_equal(standard.gathered(np, X, rows, None, columns), X[rows, :, columns])
    np.testing.assert_array_equal(standard.gathered(np, X, rows, 3, None), X[rows, 3])


@pytest.mark.parametrize("spec", ["abc,abc->b", "aab->b", "aabb->ab", "ab,cb,c->ca", "abab->", "ab,ba->a"])
def test_contracted_is_einsum(spec):
    arrays = [np.random.default_rng(len(word)).normal(size=(3,) * len(word)) for word in spec.split("->")[0].split(",")]
    np.testing.assert_allclose(standard.contracted(np, spec, *arrays), np.einsum(spec, *arrays), atol=1e-13)


def test_selected_takes_the_first_tap_that_is_best():
    x = np.random.default_rng(3).integers(0, 3, size=(4, 3, 2, 5))  # two axes of taps, then those of the result
    best = x.max((0, 1))
    first = standard.firsts(np, x, best)
    np.testing.assert_array_equal(first, windows.firsts(x, best))
    axes = ((4, -1, (2, 2), (3, 1), 1), (11, 0, (5, 2), (4, 1), 0))
    u = np.random.default_rng(4).normal(size=(2, 5))
    np.testing.assert_allclose(standard.selected(np, u, first, *axes), windows.selected(u, first, *axes), atol=1e-14)


@pytest.mark.filterwarnings("error")
def test_the_error_function_is_exact_to_double_precision():
    mpmath = pytest.importorskip("mpmath")
    mpmath.mp.dps = 30
    x = np.array([*np.linspace(-6, 6, 241), 15 / 32, 4, 4.001, 10, 26, -30, 1e-300, 0.0])
    for ours, exact in ((standard.erf, mpmath.erf), (standard.erfc, mpmath.erfc)):
        np.testing.assert_allclose(ours(np, x), [float(exact(v)) for v in x], rtol=2e-15, atol=0)
    np.testing.assert_array_equal(standard.erf(np, np.array([-np.inf, np.inf, np.nan])), [-1, 1, np.nan])


# The text


def test_every_statement_is_pure():
    for name in FEW:
        program = to_numpy(catalogue[name]).array_api.program
        assert {type(s) for function in program.functions for s in function.body} <= {Assign, Require}, name


def test_the_text_needs_nothing_but_the_library_of_its_arrays():
    for name in ("dense", "gelu", "max_pool2d"):
        source = to_numpy(catalogue[name]).array_api.source
        lines = [line for line in source.splitlines() if re.match(r"\s*(import|from) ", line)]
        known = {"from __future__ import annotations", "import math", "from typing import Any"}
        assert set(lines) - known == {"    import array_api_compat"}
    assert array_api.LIBRARY in inspect.getsource(standard)


@pytest.mark.needs("array_api_strict")
def test_without_array_api_compat_arrays_name_their_library(monkeypatch):
    import array_api_strict as xp

    monkeypatch.setitem(sys.modules, "array_api_compat", None)  # as if it were not installed
    emitted = standalone(to_numpy(catalogue["gelu"]).array_api.source)
    x = xp.asarray([0.0, 1.0])
    y, saved = emitted.forward(x)
    np.testing.assert_allclose(np.asarray(y), [0, 0.8413447460685429], rtol=1e-15)  # x Φ(x)
    np.testing.assert_allclose(np.asarray(emitted.backward(y, saved)["input"])[0], 0.0)
    with pytest.raises(TypeError, match="SimpleNamespace names no library: install the package array-api-compat"):
        emitted.namespace(types.SimpleNamespace(dtype=float))


def test_the_text_is_deterministic():
    code = "from derive import catalogue, to_numpy\n"
    code += "print(*(to_numpy(catalogue[name]).array_api.source for name in ('max_pool2d', 'gelu')))"
    texts = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in "01"
    }
    assert len(texts) == 1


def test_the_printed_text_is_what_the_callables_run():
    made = to_numpy(catalogue["layer_norm"]).array_api
    emitted = standalone(made.source)
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=(2, 3)), "gamma": np.ones(3), "beta": np.ones(3)}
    (y, saved), (expected, kept) = emitted.forward(**given), made.forward(**given)
    equal(expected, y, 0)
    equal(made.backward(y, kept), emitted.backward(y, saved), 0)


@formula
def clash(xp: T[b, i], device: T[b], math: T[i], checked: T[b, i]) -> T[b, i]:
    """Inputs, and definitions, called like what the module brings along."""
    namespace = let("namespace", sum_over(i, exp(xp[b, i] * math[i])))
    upstream = let("upstream", erf(checked[b, i] * device[b]))
    return exp(namespace[b] / 9) * upstream[b, i] + 3 * upstream[b, i] ** 2


def test_names_that_clash():
    rng = np.random.default_rng(0)
    given = {"xp": rng.normal(size=(2, 3)), "device": np.ones(2), "math": np.ones(3), "checked": np.ones((2, 3))}
    made = to_numpy(clash)
    (expected, saved), g = made.forward(**given), np.ones((2, 3))
    for run in (made.array_api, standalone(made.array_api.source)):
        y, kept = run.forward(**given)
        equal(expected, y, 1e-12)
        equal(made.backward(g, saved), run.backward(g, kept), 1e-12)


# What is wrong is named

WRONG = [
    ({"x": [[1.0]]}, "dense: input x: expected an array, given list"),
    ({"x": np.ones((2, 3), int)}, "dense: input x: expected real values, given int64"),
    ({"w": np.ones((3, 4), "float32")}, "dense: input w: expected float64 as the inputs before it, given float32"),
    ({"w": np.ones((4, 4))}, r"dense: input w: expected shape \(I=3, O=4\), given \(4, 4\)"),
    ({"beta": np.ones((4, 1))}, r"dense: input beta: expected shape \(O=4\), given \(4, 1\)"),
    ({"x": np.ones((0, 3))}, r"dense: input x: expected shape \(B=0, I=3\), given \(0, 3\)"),
]


@pytest.mark.parametrize("given, text", WRONG)
def test_wrong_arrays_are_named(given, text):
    made = to_numpy(catalogue["dense"]).array_api
    with pytest.raises(ShapeError, match=text):
        made.forward(**{**DENSE, **given})
    with pytest.raises((TypeError, ValueError), match=text):
        standalone(made.source).forward(**{**DENSE, **given})


def test_missing_and_unknown_inputs_are_named():
    made = to_numpy(catalogue["dense"]).array_api
    with pytest.raises(DeriveError, match="dense: input beta is missing"):
        made.forward(x=DENSE["x"], w=DENSE["w"])
    with pytest.raises(DeriveError, match="dense: unknown input 'bet'; did you mean 'beta'"):
        made.forward(**DENSE, bet=1)
    with pytest.raises(DeriveError, match="expected what forward saved"):
        made.backward(np.ones((2, 4)))


@pytest.mark.parametrize("g", [np.ones((2, 5)), np.ones((2, 4), "float32"), 1.0])
def test_wrong_upstream_gradients_are_named(g):
    made = to_numpy(catalogue["dense"]).array_api
    _, saved = made.forward(**DENSE)
    with pytest.raises(ShapeError, match=r"dense: upstream gradient: expected float64 of shape \(2, 4\), given"):
        made.backward(g, saved)


@pytest.mark.parametrize("wrong", [4, -1])
def test_indices_out_of_range_are_named(wrong):
    made = to_numpy(catalogue["embedding"]).array_api
    given = {"input": np.array([[0, wrong]]), "weight": np.ones((4, 2))}
    with pytest.raises(ShapeError, match=f"embedding: input input: index {wrong} is out of range: expected 0 to 3"):
        made.forward(**given)


@pytest.mark.needs("dask", "array_api_compat")
def test_lazy_indices_are_not_looked_at_and_unknown_lengths_are_refused():
    import dask.array

    made, asked = to_numpy(catalogue["embedding"]).array_api, []
    index = dask.array.from_array(np.array([[0, 1]])).map_blocks(lambda block: asked.append(1) or block, dtype=int)
    asked.clear()
    made.forward(input=index, weight=dask.array.ones((4, 2)))
    assert not asked
    unknown = dask.array.from_array(np.ones((4, 3)))[dask.array.from_array(np.arange(4)) > 1]
    lazy, dense = {name: dask.array.from_array(array) for name, array in DENSE.items()}, to_numpy(catalogue["dense"])
    with pytest.raises(ShapeError, match=r"dense: input x: expected shape .* given \(nan, 3\)"):
        dense.array_api.forward(**{**lazy, "x": unknown})
    with pytest.raises(ShapeError, match="dense: Multiple namespaces"):
        dense.array_api.forward(**{**DENSE, "x": lazy["x"]})


def test_functions_that_the_standard_lacks_are_named(tmp_path, capsys):
    path = tmp_path / "mine.py"
    text = "from sympy import erfinv\nfrom derive import T, formula\n\n@formula\n"
    path.write_text(f'{text}def probit(x: T[...]) -> T[...]:\n    """A quantile."""\n    return erfinv(x)\n')
    assert main(["code", f"{path}:probit", "--array-api"]) == 3
    assert "the function erfinv" in capsys.readouterr().err


def test_the_command_writes_the_module(tmp_path, capsys):
    assert main(["code", "dense", "--array-api", "-o", str(tmp_path / "dense.py")]) == 0
    assert (tmp_path / "dense.py").read_text("utf-8") == to_numpy(catalogue["dense"]).array_api.source
    assert main(["code", "dense >> tanh", "--array-api"]) == 0
    assert "xp = namespace(" in capsys.readouterr().out


# A cluster


@pytest.mark.needs("dask", "distributed")
def test_a_full_batch_over_a_cluster_survives_the_death_of_a_worker(tmp_path, monkeypatch):
    """Each worker process has chunks of the rows; one is killed while it computes: the gradient is that in memory."""
    from distributed import Client, LocalCluster

    from examples import dask_full_batch as example

    module, weights = example.emitted(tmp_path), example.drawn(tmp_path, rows=1200)
    quick, killed = example.chunk, []

    def slow(rows, directory, weights):
        time.sleep(0.2)  # so that every worker is at work when one dies
        return quick(rows, directory, weights)

    monkeypatch.setattr(example, "chunk", slow)
    with (
        LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=None, local_directory=tmp_path) as cluster,
        Client(cluster) as client,
    ):
        workers = client.run(os.getpid)

        def kill(number):
            if number == 2:
                busy = next(worker for worker, tasks in client.processing().items() if tasks)
                killed.append(workers[busy])
                os.kill(killed[0], signal.SIGKILL)

        loss, gradients = example.full_batch(client, module, tmp_path, weights, chunks=11, after=kill)
        assert len(killed) == 1 and killed[0] not in client.run(os.getpid).values()
    x, t = np.load(tmp_path / "x.npy"), np.load(tmp_path / "t.npy")
    expected, whole = standalone(module.read_text("utf-8")).value_and_grad(x=x, t=t, **weights)
    equal((expected, {name: whole[name] for name in weights}), (np.asarray(loss), gradients), 1e-13)
