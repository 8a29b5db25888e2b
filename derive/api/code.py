"""`to_numpy`: a formula as NumPy code, forward and backward, with its checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from derive.axes import AssumptionError, NameProblem, Tensor, Unsupported
from derive.axes.errors import HighestOrder, did_you_mean
from derive.engine import CodeView, Derived, gradient_of
from derive.formula import Formula
from derive.steps import Derivation

from .derivative import _formula, real_inputs

if TYPE_CHECKING:
    from derive.backends import Module, StandardModule
    from derive.lower import Task
    from derive.lower.cost import Cost
    from derive.verify import Report


class NumpyModule:
    """NumPy code of one formula: `source` is a standalone module, the methods are that same code.

    forward(**inputs) → (y, saved); backward(g, saved) → a dictionary of gradients; value_and_grad(**inputs) for a
    scalar output. Sizes and scalars by keyword. Inputs are never modified; the dtype of the inputs is kept.
    """

    def __init__(self, formula: Formula, backend: str = "numpy", **static: Any) -> None:
        if backend not in BACKENDS:
            expected = " or ".join(map(repr, BACKENDS))
            near = did_you_mean(backend, list(BACKENDS))
            raise NameProblem(f"to_numpy: backend: expected {expected}, given {backend!r}{near}")
        self.formula = formula
        self.backend = backend
        self.traced = formula.trace(**static)
        names = real_inputs(self.traced)  # none: a forward function only
        self._derived = self._gradients(names) if names else None
        self._view = CodeView(self._derived or gradient_of(self.traced, (), safe=True)) if names else None
        self._module = module = BACKENDS[backend](self._task())
        self.forward = module.forward
        self.backward = module.backward
        self.value_and_grad = module.value_and_grad

    def _gradients(self, names: tuple[str, ...]) -> Derived | None:
        """Of a product that rests on derivatives of the highest order there is, none: a forward function only."""
        try:
            return gradient_of(self.traced, names, safe=True)
        except HighestOrder:
            return None

    def _task(self) -> Task:
        from derive.lower import Task

        traced, view, derived = self.traced, self._view, self._derived
        return Task(
            name=traced.name, doc=self.formula.doc, inputs=traced.inputs, scalars=traced.scalars,
            outputs=view.outputs if view else traced.outputs, upstreams=derived.upstreams if derived else (),
            gradients=view.gradients if view else (), sizes=traced.sizes, elementwise=traced.elementwise,
            assumptions=tuple(a.statement for a in traced.assumptions),
        )  # fmt: skip

    @cached_property
    def source(self) -> str:
        """The module's text: NumPy, and numba with that backend. Run as a program, it compares its gradients with
        differences."""
        from .example import example_of

        return self._module.text(example_of(self.traced) if self._derived else None)

    @property
    def functions(self) -> str:
        """The module's text without what makes it a program; no point at which to try itself is looked for."""
        return self._module.text()

    @cached_property
    def cost(self) -> Cost:
        """Operations, bytes moved and bytes saved, in the sizes; `cost.at(B=64, …)` gives numbers."""
        from derive.backends.runtime import BLOCK
        from derive.lower.cost import cost

        if self.backend != "numpy":
            raise Unsupported(f"cost: loops of {self.backend} are not counted, only array code: to_numpy(f).cost")

        return cost(self._module.program, BLOCK)

    @cached_property
    def array_api(self) -> StandardModule:
        """The same program for any library of the Python array API standard: PyTorch, JAX, Dask, CuPy, …

        It has the same methods and `source`. Every operation is pure, so they run under jax.jit and lazily; the values
        of indices are then not checked. Raises Unsupported for functions that the standard lacks.
        """
        from derive.backends import StandardModule
        from derive.lower import lower

        return StandardModule(lower(replace(self._task(), straight=True)))

    @cached_property
    def stability(self) -> Derivation:
        """The steps that made the code safe, each with before and after."""
        return self._view.derivation() if self._view else Derivation(self.traced.name, ())

    @cached_property
    def gradients(self) -> Mapping[str, Tensor]:
        """The derived gradients of the formula as it was written, before anything made them safe."""
        if self._derived is None or not self._derived.prepared:
            return self._derived.results if self._derived else {}
        return gradient_of(self.traced, real_inputs(self.traced)).results

    def verify(self, trials: int = 20, seed: int = 0, gradients: Mapping[str, Tensor] | None = None) -> Report:
        """The code against the oracle, and every step that made it safe.

        `gradients`: those of the formula as it was written, from whoever has derived them already.
        """
        from derive.verify import check_code, check_steps

        if self._derived is None:
            return check_code(self.traced, self.forward, trials=trials, seed=seed)
        scalar = self.traced.outputs[0].axes == () and len(self.traced.outputs) == 1 and not self.traced.elementwise
        report = check_code(
            self.traced, self.forward, self.backward, self.value_and_grad if scalar else None,
            results=self.gradients if gradients is None else gradients, upstreams=self._derived.upstreams,
            trials=trials, seed=seed,
        )  # fmt: skip
        if self.stability.equations:
            report += check_steps(self.traced, self.stability, self._derived.upstreams, trials=3, seed=seed)
        return report

    def check(self, **given: Any) -> None:
        """Test arrays against the declared shapes and the stated assumptions; raises ShapeError or AssumptionError."""
        from derive.oracle import point_from_arrays
        from derive.verify import broken

        traced = self.traced
        defaults = {s.name: s.default for s in traced.scalars if s.default is not None}
        point = point_from_arrays(traced.inputs, {**defaults, **given}, scalars=traced.scalars,
                                         sizes=traced.sizes, what=traced.name)  # fmt: skip
        for assumption in traced.assumptions:
            problem = broken(assumption.statement, point)
            if problem:
                raise AssumptionError(f"{traced.name}: {problem}")


def _numpy(task: Task) -> Module:
    from derive.backends import Module
    from derive.lower import lower

    return Module(lower(task))


def forward_of(formula: Formula) -> Callable[..., Any]:
    """The emitted forward function alone, made safe like any other: no gradient is derived for it."""
    from derive.backends import Module
    from derive.lower import Task, lower

    traced = formula.trace()
    view = CodeView(gradient_of(traced, (), safe=True))
    task = Task(traced.name, formula.doc, traced.inputs, traced.scalars, view.outputs,
                sizes=traced.sizes, elementwise=traced.elementwise)  # fmt: skip
    return Module(lower(task)).forward


def _numba(task: Task) -> Module:
    from derive.lower.fused import fused

    try:
        from derive.backends.numba import NumbaModule
    except ModuleNotFoundError as missing:
        text = 'to_numpy: backend="numba" needs the package numba: install it with `pip install numba`'
        raise ModuleNotFoundError(text, name=missing.name) from None

    return NumbaModule(fused(task))


BACKENDS: dict[str, Callable[[Task], Module]] = {"numpy": _numpy, "numba": _numba}


def to_numpy(f: Formula, *, backend: str = "numpy", **static: Any) -> NumpyModule:
    """NumPy code for a formula and all its gradients, through `sympy.lambdify`.

    `backend="numba"`: elementwise operations and reductions are fused into parallel loops, which numba compiles when
    they are first called, for some seconds. Raises ModuleNotFoundError where numba is not installed.
    """
    return NumpyModule(_formula(f, "to_numpy"), backend, **static)
