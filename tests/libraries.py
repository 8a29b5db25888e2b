"""The emitted array API module on arrays of a library, against the NumPy module on the same numbers."""

import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from derive import catalogue, to_numpy
from derive.axes import axis
from derive.verify.sample import Sampler
from derive.verify.subject import widened

# What is tried on every library: products, sums, softmax, statistics, special functions, windows, gathers, networks.
FEW = (
    "dense softmax cross_entropy layer_norm batch_norm gelu conv2d max_pool2d avg_pool1d attention embedding glu "
    "cumsum local_response_norm huber_loss mlp"
).split()
TOLERANCE = {"float64": 1e-12, "float32": 1e-4}  # of an error, over 1 + the largest number


@dataclass(frozen=True)
class Library:
    """How numbers become a library's arrays, and come back; `compiled` makes a function run as the library likes."""

    array: Callable[[Any], Any]
    numpy: Callable[[Any], np.ndarray]
    compiled: Callable[[Any], Any] = lambda function: function


def standalone(source: str) -> Any:
    """The text as a module."""
    module = types.ModuleType("emitted")
    exec(source, module.__dict__)
    return module


def each(function: Callable[[Any], Any], value: Any) -> Any:
    """The function of every array in tuples and dictionaries; None stays None."""
    if isinstance(value, tuple):
        return tuple(each(function, part) for part in value)
    if isinstance(value, dict):
        return {name: each(function, part) for name, part in value.items()}
    return None if value is None else function(value)


def drawn(traced: Any, dtype: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Random inputs and parameters, as `verify` draws them; inputs of any shape are matrices."""
    subject = widened(traced, (), (axis("row"), axis("column"))) if traced.elementwise else traced
    point = Sampler(subject, ()).point(np.random.default_rng(0))
    arrays = {t.name: point.arrays[t.name].astype(dtype if t.dtype == "real" else t.dtype) for t in subject.inputs}
    scalars = {s.name: point.scalars[s.name] for s in subject.scalars}
    return arrays, scalars | {s.name: point.sizes[s] for s in subject.sizes}


def numbers(module: Any, given: dict[str, Any], g: Any, parameters: dict[str, Any], loss: bool) -> tuple[Any, ...]:
    """The value; its gradients for the upstream g, unless that is None; for a loss both in one go."""
    y, saved = module.forward(**given, **parameters)
    gradients = () if g is None else (module.backward(g, saved),)
    return (y, *gradients, *((module.value_and_grad(**given, **parameters),) if loss else ()))


def compare(name: str, library: Library, dtype: str = "float64") -> None:
    """Assert that the emitted module gives NumPy's numbers on the library's arrays, with their shapes and dtypes."""
    made = to_numpy(catalogue[name])
    emitted, arrays, parameters = standalone(made.array_api.source), *drawn(made.traced, dtype)
    loss, y = hasattr(emitted, "value_and_grad"), made.forward(**arrays, **parameters)[0]
    rng = np.random.default_rng(1)
    g = each(lambda v: rng.normal(size=np.shape(v)).astype(v.dtype), y) if made.gradients else None
    expected = numbers(made, arrays, each(lambda v: v[()], g), parameters, loss)
    run = library.compiled(lambda given, g: numbers(emitted, given, g, parameters, loss))
    found = each(library.numpy, run(*each(library.array, (arrays, g))))
    equal(expected, found, TOLERANCE[dtype], typed=bool(made.gradients))


def equal(expected: Any, found: Any, tolerance: float, typed: bool = True, where: str = "") -> None:
    """Assert that two trees of arrays are equal; `typed`: dtypes, too."""
    if isinstance(expected, (tuple, dict)):
        keys = list(expected) if isinstance(expected, dict) else range(len(expected))
        assert type(found) is type(expected) and len(found) == len(keys)
        for key in keys:
            equal(expected[key], found[key], tolerance, typed, f"{where}[{key!r}]")
        return
    expected = np.asarray(expected)
    assert found.shape == expected.shape and (found.dtype == expected.dtype or not typed), where
    size = 1 + np.abs(expected).max()
    np.testing.assert_allclose(found / size, expected / size, rtol=0, atol=tolerance, err_msg=where)
