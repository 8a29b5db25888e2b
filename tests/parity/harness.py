"""Compares a formula with a function of PyTorch, in float64: values, every gradient, second derivatives, kinks.

A row names a formula and the function to compare with: that of torch.nn.functional with the same name unless it is
given. Shapes, optional inputs and static choices come from the formula's own signature; a row adds what a signature
cannot say: which numbers an input takes (`samplers`), and which values a scalar. `F` and `torch` are imported when they
are first used, so that a file of rows can be read where PyTorch is not installed.
"""

import importlib
import inspect
import itertools
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest

from derive import Scalar, T, axes, catalogue, hessian, sum_over, to_numpy
from derive.axes import Size, TensorType
from derive.formula import Formula, build

from .samplers import Sampler, normal

TOLERANCE = 1e-9  # of an error, over 1 + the largest reference
CASES = 12  # at least so many for every row
ANY_SHAPE = ((2, 3), (1,), (), (4, 1, 2), (5,), (1, 1))
TENSOR_ROW, TENSOR_COLUMN = axes("row column")  # what a formula over any shape is contracted over


class _Later:
    """A module that is imported when something of it is first asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what pytest asks of everything that it meets in a file
            raise AttributeError(name)
        return getattr(importlib.import_module(self._name), name)


torch: Any = _Later("torch")
F: Any = _Later("torch.nn.functional")


@dataclass(frozen=True)
class Kink:
    """A point where a derivative is a convention: a number for each input, or its entries, and choices."""

    inputs: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return ", ".join(f"{name} = {value}" for name, value in {**self.inputs, **self.options}.items())


@dataclass(frozen=True)
class Row:
    """One formula against one function of PyTorch.

    samplers: inputs that are not just any numbers; options: values for scalars and sizes; kinks: points to measure;
    smooth: whether second derivatives are compared; constants: inputs for which PyTorch's own function has no
    derivative, so that `by_hand`, the same function in elementary operations, stands in for it; tolerance and note:
    where PyTorch is less exact, and why.
    """

    name: str
    function: Callable[..., Any] | None = None
    samplers: Mapping[str, Sampler] = field(default_factory=dict)
    options: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    kinks: tuple[Kink, ...] = ()
    smooth: bool = False
    constants: tuple[str, ...] = ()
    by_hand: Callable[..., Any] | None = None
    tolerance: float = TOLERANCE
    note: str = ""

    def __str__(self) -> str:
        return self.name

    @property
    def formula(self) -> Formula:
        return catalogue[self.name]

    def call(self, *given: Any, **options: Any) -> Any:
        """PyTorch's function, without its advice."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return (self.function or getattr(F, self.name))(*given, **options)


OWN = {"kinks", "smooth", "constants", "by_hand", "tolerance", "note"}


def row(name: str, function: Callable[..., Any] | None = None, **given: Any) -> Row:
    """`row("elu", alpha=(1.0, 0.5), smooth=True)`: keywords of Row, and samplers and options by their own names."""
    own = {key: given.pop(key) for key in OWN & set(given)}
    samplers = {key: value for key, value in given.items() if callable(value)}
    options = {key: value for key, value in given.items() if not callable(value)}
    return Row(name, function, samplers, options, **own)


@dataclass(frozen=True)
class Case:
    """Static choices, parameters and arrays of one comparison."""

    static: Mapping[str, Any]
    options: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]

    def __str__(self) -> str:
        shapes = {name: array.shape for name, array in self.arrays.items()}
        return f"{dict(self.static)} {dict(self.options)} {shapes}"


# Cases: every variant with every value of the parameters, over several shapes.


def _generator(words: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(words.encode()))


def _inputs(formula: Formula, static: Mapping[str, Any]) -> Iterator[tuple[str, TensorType]]:
    for p in formula.tensors:
        if not p.type.optional or static[p.name]:
            yield p.name, p.type


def _lengths(formula: Formula, pattern: int, rng: np.random.Generator, options: Mapping[str, Any]) -> dict[Any, int]:
    """Lengths for the symbols of all axes: distinct ones, all one, the first one, the last one, then random ones."""
    given = {Size(name): value for name, value in options.items() if isinstance(value, int)}
    found = {s for p in formula.tensors for a in p.type.axes for s in a.size.free_symbols} - set(given)
    symbols = sorted(found, key=str)
    count = len(symbols)
    chosen = [2 + (k + 1) % 3 for k in range(count)]
    if pattern > 3:
        chosen = [int(n) for n in rng.integers(1, 6, count)]
    ones = {1: range(count), 2: range(count)[:1], 3: range(count)[-1:]}.get(pattern, ())
    chosen = [1 if k in ones else n for k, n in enumerate(chosen)]
    return {**given, **dict(zip(symbols, chosen, strict=True))}


def _entries(row: Row, name: str, declared: TensorType, shape: tuple[int, ...], rng: Any, lengths: Any) -> np.ndarray:
    if name in row.samplers:
        return np.asarray(row.samplers[name](rng, shape))
    if declared.dtype == "bool":
        return rng.random(shape) < 0.6
    if declared.dtype == "int":
        return rng.integers(0, int(declared.bound.xreplace(lengths)), shape)
    return normal(rng, shape)


def case_of(row: Row, static: Mapping[str, Any], options: Mapping[str, Any], pattern: int) -> Case:
    """The case of a pattern of lengths; the same for the same words."""
    rng = _generator(f"{row.name} {sorted(static.items())} {sorted(options.items())} {pattern}")
    lengths = _lengths(row.formula, pattern, rng, options)
    arrays = {}
    for name, declared in _inputs(row.formula, static):
        shape = tuple(int(a.size.xreplace(lengths)) for a in declared.axes)
        if declared.any_shape:
            shape = ANY_SHAPE[pattern % len(ANY_SHAPE)]
        arrays[name] = _entries(row, name, declared, shape, rng, lengths)
    return Case(static, options, arrays)


def settings(row: Row) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every variant of the formula with every value of its parameters."""
    grid = [dict(zip(row.options, values, strict=True)) for values in itertools.product(*row.options.values())]
    statics = {p.name for p in row.formula.parameters if p.kind == "static"}
    fixed = statics & set(row.options)
    found = []
    for options in grid:
        for static in row.formula.variants():
            if all(static[name] == options[name] for name in fixed):
                found.append((static, {k: v for k, v in options.items() if k not in statics}))
    return found


def cases(row: Row) -> Iterator[Case]:
    """All cases of a row, at least CASES."""
    found = settings(row)
    for pattern in range(max(2, -(-CASES // len(found)))):
        for static, options in found:
            yield case_of(row, static, options, pattern)


# The two sides.


@cache
def _module(name: str, static: tuple[tuple[str, Any], ...]) -> Any:
    return to_numpy(catalogue[name], **dict(static))


def ours(name: str, case: Case) -> tuple[Any, Callable[[Any], dict[str, np.ndarray]]]:
    """The value by the emitted NumPy code, and its gradients for an upstream gradient."""
    module = _module(name, tuple(sorted(case.static.items())))
    y, saved = module.forward(**case.arrays, **case.options)
    real = any(array.dtype.kind == "f" for array in case.arrays.values())
    return y, lambda upstream: module.backward(upstream, saved) if real else {}


def _tensors(row: Row, case: Case, differentiate: bool) -> dict[str, Any]:
    def tensor(name: str, array: np.ndarray) -> Any:
        made = torch.tensor(array)
        wanted = differentiate and array.dtype.kind == "f" and name not in row.constants
        return made.requires_grad_() if wanted else made

    return {name: tensor(name, array) for name, array in case.arrays.items()}


def _reference(row: Row, case: Case, tensors: Mapping[str, Any], function: Callable[..., Any] | None = None) -> Any:
    optional = {p.name for p in row.formula.tensors if p.type.optional}
    required = [value for name, value in tensors.items() if name not in optional]
    choices = {name: value for name, value in case.static.items() if name not in optional}
    named = {name: value for name, value in tensors.items() if name in optional}
    return (function or row.call)(*required, **named, **choices, **case.options)


def theirs(row: Row, case: Case, upstream: np.ndarray) -> dict[str, np.ndarray]:
    """Gradients by PyTorch's autograd; of constants, by that of the function in elementary operations."""
    found: dict[str, np.ndarray] = {}
    for part, function in ((row, None), (Row(row.name), row.by_hand))[: 2 if row.by_hand else 1]:
        tensors = _tensors(part, case, differentiate=True)
        wanted = {name: t for name, t in tensors.items() if t.requires_grad}
        if not wanted:
            continue
        y = _reference(row, case, tensors, function)
        grads = torch.autograd.grad(y, list(wanted.values()), torch.tensor(upstream), materialize_grads=True)
        found = {**{name: g.numpy() for name, g in zip(wanted, grads, strict=True)}, **found}
    return found


def value(row: Row, case: Case) -> np.ndarray:
    """PyTorch's value."""
    return _reference(row, case, _tensors(row, case, differentiate=False)).numpy()


def differs(got: Any, expected: np.ndarray, what: str, tolerance: float = TOLERANCE) -> list[str]:
    """Words for a shape or a number that differs; none if there is none."""
    got = np.asarray(got)
    if got.shape != expected.shape:
        return [f"{what}: shape {got.shape}, expected {expected.shape}"]
    error = np.max(np.abs(got - expected), initial=0.0)
    bound = tolerance * (1 + np.max(np.abs(expected), initial=0.0))
    return [] if error <= bound else [f"{what}: error {error:.2g} over {bound:.2g}: {got} instead of {expected}"]


def problems(row: Row, case: Case) -> list[str]:
    """Where our value or a gradient is not PyTorch's."""
    expected = value(row, case)
    y, backward = ours(row.name, case)
    found = differs(y, expected, f"{row.name} {case}: value", row.tolerance)
    if np.shape(y) != expected.shape:
        return found
    upstream = _generator(str(case)).normal(size=expected.shape)
    gradients, references = backward(upstream), theirs(row, case, upstream)
    if set(references) != set(gradients):
        found.append(f"{row.name}: gradients of {sorted(gradients)}, expected {sorted(references)}")
    for name in set(gradients) & set(references):
        found += differs(gradients[name], references[name], f"{row.name} {case}: gradient of {name}", row.tolerance)
    return found


# Second derivatives, of Σ g·y for every real input.


@cache
def contracted(name: str, static: tuple[tuple[str, Any], ...]) -> Formula:
    """Σ g·y as a formula of the same inputs and of g, which is called upstream."""
    formula, chosen = catalogue[name], dict(static)
    traced = formula.trace(**chosen)
    letters = (TENSOR_ROW, TENSOR_COLUMN) if traced.elementwise else traced.outputs[0].axes
    inputs = dict(_inputs(formula, chosen))
    shapes = {n: T[letters] if t.any_shape else TensorType(t.axes, t.dtype, bound=t.bound) for n, t in inputs.items()}
    shapes["upstream"] = TensorType(letters)
    static_choices = {p.name: chosen[p.name] for p in formula.parameters if p.kind == "static"}
    numbers = {p.name: p for p in formula.parameters if p.kind in ("scalar", "size")}

    def total(*, upstream: Any, **given: Any) -> Any:
        y = formula(**given, **static_choices)
        return sum_over(letters, upstream[letters] * y[letters]) if letters else upstream[()] * y[()]

    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter(n, kind) for n in shapes]
    parameters += [inspect.Parameter(n, kind, default=p.default) for n, p in numbers.items()]
    total.__signature__ = inspect.Signature(parameters)
    kinds = {n: Scalar if p.kind == "scalar" else Size for n, p in numbers.items()}
    total.__annotations__ = {**shapes, **kinds, "return": T[()]}
    return build(total, f"{name}_contracted", {})


@cache
def _hessian(name: str, static: tuple[tuple[str, Any], ...], wrt: str) -> Any:
    return hessian(contracted(name, static), wrt)


def second_problems(row: Row) -> Iterator[str]:
    """Where a Hessian of Σ g·y is not PyTorch's, one case for every variant that is no other reduction."""
    for static, options in settings(row):
        if static.get("reduction", "mean") != "mean":
            continue
        case = case_of(row, static, options, 0)
        upstream = _generator(str(case)).normal(size=value(row, case).shape)
        weights = torch.tensor(upstream)
        for name, array in case.arrays.items():
            if array.dtype.kind != "f":
                continue
            rest = _tensors(row, case, differentiate=False)
            function = row.by_hand if name in row.constants else None

            def total(x, name=name, rest=rest, function=function, case=case, weights=weights):
                return (weights * _reference(row, case, {**rest, name: x}, function)).sum()

            expected = torch.autograd.functional.hessian(total, torch.tensor(array)).numpy()
            got = _hessian(row.name, tuple(sorted(static.items())), name)(
                **case.arrays, **case.options, upstream=upstream
            )
            yield from differs(got, expected, f"{row.name} {case}: second derivative for {name}", row.tolerance)


# Kinks.


@dataclass(frozen=True)
class Measured:
    """What both say at a kink: the derivative for one input."""

    name: str
    point: str
    wrt: str
    ours: np.ndarray
    theirs: np.ndarray

    @property
    def agrees(self) -> bool:
        return bool(np.allclose(self.ours, self.theirs, rtol=1e-12, atol=0, equal_nan=True))


def _at(value: Any, declared: TensorType) -> np.ndarray:
    """The entries of an input at a kink; a number is all of them, every axis of length 1."""
    array = np.array(value, dtype={"real": float, "int": int, "bool": bool}[declared.dtype])
    return array if array.ndim else np.full((1,) * (1 if declared.any_shape else len(declared.axes)), array)


def measured(row: Row) -> Iterator[Measured]:
    """Both derivatives of Σ y at every kink of the row."""
    for kink in row.kinks:
        static = {**row.formula.static(), **{k: v for k, v in kink.options.items() if k in row.formula.static()}}
        options = {k: v for k, v in kink.options.items() if k not in static}
        arrays = {name: _at(kink.inputs[name], declared) for name, declared in _inputs(row.formula, static)}
        case = Case(static, options, arrays)
        upstream = np.ones(value(row, case).shape)
        with np.errstate(all="ignore"):
            gradients = ours(row.name, case)[1](upstream)
        for name, reference in theirs(row, case, upstream).items():
            yield Measured(row.name, str(kink), name, gradients[name], reference)


# Tests.


def compared_with_torch(rows: list[Row]) -> tuple[Callable[..., None], Callable[..., None]]:
    """Two tests of a chapter: values and gradients of every row, second derivatives of the smooth ones."""

    @pytest.mark.needs("torch")
    @pytest.mark.parametrize("row", rows, ids=str)
    def values_and_gradients(row: Row) -> None:
        found = list(cases(row))
        assert len(found) >= CASES
        wrong = [problem for case in found for problem in problems(row, case)]
        assert not wrong, "\n".join(wrong)

    @pytest.mark.needs("torch")
    @pytest.mark.parametrize("row", [row for row in rows if row.smooth], ids=str)
    def second_derivatives(row: Row) -> None:
        wrong = list(second_problems(row))
        assert not wrong, "\n".join(wrong)

    return values_and_gradients, second_derivatives
