"""`plot`: a function with its first and second derivative, a loss along one entry, or a layer's Jacobian in colours.

Every curve comes from emitted code, every derivative from the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from derive.axes import (
    AssumptionError,
    Carried,
    DeriveError,
    MatrixFunction,
    T,
    Unsupported,
    axes,
    sum_over,
)
from derive.formula import Formula, Traced, build
from derive.notation.plot import Curve, Picture, curves, heat_map
from derive.verify import Sampler

from .code import NumpyModule, forward_of, to_numpy
from .derivative import _formula, real_inputs
from .products import hessian_diagonal

REACH, POINTS = 4.0, 201  # curves go from −4 to 4
FAR = 20.0  # a curve that leaves this is cut, so that the others can be read
LARGEST = 40  # rows and columns of a Jacobian
MOST_PARTS = 4  # of a network with more named parts the second derivative is not drawn: it takes seconds

Arrays = dict[str, Any]


def plot(f: Formula, seed: int = 0, **static: Any) -> Picture:
    """A picture of f: of one variable, f, f′ and f″; of a loss, the same along one entry of an input, the other
    entries drawn at random; of a layer, its Jacobian at a random input.

    `seed` draws the inputs. Raises Unsupported for a formula without real inputs, ModuleNotFoundError without
    matplotlib.
    """
    return drawn(to_numpy(_formula(f, "plot").fixed(**static)), seed)


def drawn(module: NumpyModule, seed: int) -> Picture:
    """The same of a formula whose code is known."""
    f, traced = module.formula, module.traced
    names = real_inputs(traced)
    if not names:
        raise Unsupported(f"plot of {f.name}: it has no real input")
    if traced.elementwise and len(traced.inputs) == 1:
        return _function(module)
    if len(traced.outputs) == 1 and not traced.outputs[0].axes and not traced.elementwise:
        for shape, name in product(("ones", "distinct"), names):
            if (found := _Slice.of(module, name, shape, seed).picture()) is not None:
                return found
    return _jacobian(module, seed)


def _function(module: NumpyModule) -> Picture:
    """f, f′, f″ of one variable."""
    if numbers := {s.name: 1.0 for s in module.traced.scalars if s.default is None}:
        module = to_numpy(module.formula.fixed(**numbers))
    f, name = module.formula, module.traced.inputs[0].name
    x = np.linspace(-REACH, REACH, POINTS)
    with np.errstate(all="ignore"):
        y, saved = module.forward(**{name: x})
        slope = module.backward(np.ones_like(x), saved)[name]
        bent, _ = forward_of(hessian_diagonal(_summed(f), "x"))(x=x)
    lines = [Curve(f"{f.name}({name})", x, y), Curve("first derivative", x, slope), Curve("second derivative", x, bent)]
    lines = [Curve(line.name, x, _near(np.broadcast_to(line.y, x.shape))) for line in lines]
    return curves(f.name, name, lines, f"{f.name} from -4 to 4 with its first and second derivative")


def _summed(f: Formula) -> Formula:
    """L = Σ f(x), whose Hessian has f″ on its diagonal."""
    (n,) = axes("n")

    def total(x: Any) -> Any:
        return sum_over(n, f(x)[n])

    total.__annotations__ = {"x": T[n], "return": T[()]}
    return build(total, f"{f.name}_total", {})


def _near(y: Any) -> Any:
    return np.where(np.abs(y) <= FAR, y, np.nan)


@dataclass(frozen=True)
class _Slice:
    """A loss along the first entry of one input."""

    module: NumpyModule
    name: str
    inputs: Arrays
    options: Arrays
    limited: bool

    @staticmethod
    def of(module: NumpyModule, name: str, shape: str, seed: int) -> _Slice:
        sampler = Sampler(module.traced)
        inputs, options = _point(sampler, shape, seed)
        return _Slice(module, name, inputs, options, name in sampler.constrained())

    def at(self, value: float) -> Arrays:
        """The inputs with the entry at `value`."""
        moved = np.array(self.inputs[self.name], dtype=float)
        moved[(0,) * moved.ndim] = value
        return {**self.inputs, self.name: moved}

    def allowed(self, values: Any) -> Any:
        """The values at which everything that is assumed holds."""
        return np.array([value for value in values if not self.limited or self._holds(value)])

    def _holds(self, value: float) -> bool:
        try:
            self.module.check(**self.at(value), **self.options)
        except AssumptionError:
            return False
        return True

    def picture(self) -> Picture | None:
        """None where the loss does not depend on the entry, or nothing but one value is allowed."""
        x = self.allowed(np.linspace(-REACH, REACH, POINTS))
        if len(x) < 2:
            return None
        if len(x) < POINTS:
            x = self.allowed(np.linspace(x[0], x[-1], POINTS))
        value, slope = self._over(x, self._first)
        if len(x) < 2 or not np.max(np.abs(np.nan_to_num(slope))) > 1e-9:
            return None
        f, second = self.module.formula, self._second
        found = {f.name: value, "first derivative": slope}
        if second is not None:
            (found["second derivative"],) = self._over(x, lambda given: [second(**given)[0]])
        places = ", ".join("0" * np.ndim(self.inputs[self.name]))
        entry = f"{self.name}[{places}]" if places else self.name
        told = "first and second derivative" if second else "first derivative"
        words = f"{f.name} along {entry}, the other entries fixed, with its {told}"
        return curves(f"{f.name} along {entry}", entry, [Curve(n, x, _near(y)) for n, y in found.items()], words)

    def _over(self, x: Any, values: Callable[[Arrays], list[Any]]) -> Any:
        """The first entries of values at each place; no numbers at a matrix without an inverse or eigenvectors."""

        def row(place: float) -> list[float]:
            try:
                return [float(np.asarray(value).flat[0]) for value in values({**self.at(place), **self.options})]
            except np.linalg.LinAlgError:
                return []

        with np.errstate(all="ignore"):
            rows = [row(place) for place in x]
        count = max(map(len, rows), default=0) or 1
        return np.array([found or [np.nan] * count for found in rows], dtype=float).T

    def _first(self, given: Arrays) -> list[Any]:
        """The loss and its derivative."""
        y, grads = self.module.value_and_grad(**given)
        return [y, grads[self.name]]

    @property
    def _second(self) -> Callable[..., Any] | None:
        if len(self.module.traced.definitions) > MOST_PARTS or _long_to_derive(self.module.traced):
            return None
        try:
            return forward_of(hessian_diagonal(self.module.formula, self.name))
        except DeriveError:
            return None


def _long_to_derive(traced: Traced) -> bool:
    """Whether the second derivative takes seconds: of recurrences and of functions of matrices."""
    return any(t.body is not None and t.body.has(MatrixFunction, Carried) for t in traced.definitions)


def _point(sampler: Sampler, shape: str, seed: int) -> tuple[Arrays, Arrays]:
    """Arrays for every input, and numbers for what has no default."""
    point, traced = sampler.point(np.random.default_rng(seed), shape), sampler.subject
    inputs = {t.name: point.arrays[t.name] for t in traced.inputs}
    sizes = {s.name: point.sizes[s] for s in traced.sizes}
    return inputs, {**{s.name: point.scalars[s.name] for s in traced.scalars if s.default is None}, **sizes}


def _jacobian(module: NumpyModule, seed: int) -> Picture:
    """∂y/∂x at a random input: a unit vector for each entry of the output, pulled back."""
    from derive.verify import elementwise

    f = module.formula
    traced = elementwise(module.traced) if module.traced.elementwise else module.traced
    inputs, options = _point(Sampler(traced), "distinct", seed)
    name = real_inputs(module.traced)[0]
    outputs = module.forward(**inputs, **options)[0]
    several = isinstance(outputs, tuple)
    first = np.asarray(outputs[0] if several else outputs)
    rows = [_pulled(module, inputs, options, outputs, place)[name].ravel() for place in range(min(first.size, LARGEST))]
    matrix = np.stack(rows)[:, :LARGEST]
    output = module.traced.outputs[0].name
    words = f"Jacobian of {f.name}: entries of {output} downwards, entries of {name} across"
    return heat_map(f"{f.name}: ∂{output}/∂{name} at a random input", matrix, f"entry of {output}",
                    f"entry of {name}", words)  # fmt: skip


def _pulled(module: NumpyModule, inputs: Mapping[str, Any], options: Arrays, outputs: Any, place: int) -> Arrays:
    """The gradients for an upstream gradient that is 1 at one entry of the first output, else 0."""
    several = isinstance(outputs, tuple)
    upstreams = [np.zeros_like(np.asarray(y, dtype=float)) for y in (outputs if several else (outputs,))]
    upstreams[0][np.unravel_index(place, upstreams[0].shape)] = 1.0
    _, saved = module.forward(**inputs, **options)
    found: Arrays = module.backward(tuple(upstreams) if several else upstreams[0], saved)
    return found
