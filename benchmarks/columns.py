"""The columns: whose code runs. Each is a module with `prepared(row, inputs, g)`; a process imports only its own."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.rows import Array, Inputs, Row

COLUMNS = {  # module, and the packages without which the column is left out
    "generated": ("benchmarks.generated", ()),
    "fused": ("benchmarks.generated_fused", ("numba",)),
    "by hand": ("benchmarks.by_hand_rows", ()),
    "textbook": ("benchmarks.textbook", ()),
    "autograd": ("benchmarks.by_autograd", ("autograd",)),
    "PyTorch": ("benchmarks.by_torch", ("torch",)),
    "jax.jit": ("benchmarks.by_jax", ("jax",)),
}
TOLERANCE = 1e-4
VALUE = "output"  # the key of y, beside those of the gradients: an input may be named y


@dataclass(frozen=True)
class Run:
    """`call()` computes y and all gradients, and waits for them; `arrays` turns its result into NumPy arrays."""

    call: Callable[[], Any]
    arrays: Callable[[Any], dict[str, Array]]


@dataclass(frozen=True)
class Layer:
    """NumPy code of a row: two functions, or for a scalar loss one that fuses them, or a function without gradient."""

    forward: Callable[..., Any] | None = None
    backward: Callable[..., Any] | None = None
    value_and_grad: Callable[..., Any] | None = None

    def prepared(self, inputs: Inputs, g: Array | None, options: Mapping[str, int]) -> Run:
        """Forward and backward at these inputs."""
        forward, backward, fused = self.forward, self.backward, self.value_and_grad

        def both() -> tuple[Any, dict[str, Array]]:
            y, saved = forward(**inputs, **options)
            return y, backward(g, saved)

        def value() -> tuple[Any, dict[str, Array]]:
            return forward(**inputs, **options)[0], {}

        call = partial(fused, **inputs, **options) if fused else both if backward else value
        return Run(call, lambda result: {VALUE: np.asarray(result[0]), **result[1]})


def prepared(column: str, row: Row, inputs: Inputs, g: Array | None) -> Run | None:
    """A row in a column; None where the library has nothing to compare."""
    return importlib.import_module(COLUMNS[column][0]).prepared(row, inputs, g)


def reference(row: Row, size: str) -> tuple[Array | None, dict[str, Array]]:
    """The upstream gradient, and the textbook's results in float64, which every column is compared with."""
    inputs = {name: _wide(array) for name, array in row.drawn(size).items()}
    g = row.upstream(output_shape(row, inputs))
    run = prepared("textbook", row, inputs, None if g is None else _wide(g))
    assert run is not None
    return g, run.arrays(run.call())


def output_shape(row: Row, inputs: Inputs) -> tuple[int, ...]:
    """The shape of y, from a look at the textbook's."""
    forward = importlib.import_module(COLUMNS["textbook"][0]).LAYERS[row.name].forward
    return np.shape(forward(**inputs, **row.options)[0]) if forward else ()


def _wide(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def disagreement(found: Mapping[str, Array], expected: Mapping[str, Array]) -> str:
    """What differs from what is expected, by more than 1e-4 of an entry and of the array's root mean square; or ""."""
    if set(found) != set(expected):
        return f"returns {', '.join(sorted(found))}, expected {', '.join(sorted(expected))}"
    for name, right in expected.items():
        given = found[name]
        if given.shape != right.shape or given.dtype != np.float32:
            return f"{name} is {given.dtype} of shape {given.shape}, expected float32 of shape {right.shape}"
        scale = float(np.sqrt(np.mean(np.square(right))))
        error = np.abs(given - right) / (np.abs(right) + scale)
        if not error.max() <= TOLERANCE:
            return f"{name} differs by {error.max():.1e} of its size, expected {TOLERANCE:g}"
    return ""
