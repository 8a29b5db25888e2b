"""`plot`: a function with its first and second derivative, a loss along one entry, or a layer's Jacobian in colours.

Every curve comes from emitted code, every derivative from the engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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

from .code import NumpyModule, to_numpy
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
    f = _formula(f, "plot").fixed(**static)
    traced = f.trace()
    if not real_inputs(traced):
        raise Unsupported(f"plot of {f.name}: it has no real input")
    if traced.elementwise and len(traced.inputs) == 1:
        return _function(f)
    if len(traced.outputs) == 1 and not traced.outputs[0].axes and not traced.elementwise:
        for shape in ("ones", "distinct"):
            for name in real_inputs(traced):
                if (found := _Slice.of(f, name, shape, seed).picture()) is not None:
                    return found
    return _jacobian(f, seed)


def _function(f: Formula) -> Picture:
    """f, f′, f″ of one variable."""
    f = f.fixed(**_scalars(f))
    name = f.trace().inputs[0].name
    x = np.linspace(-REACH, REACH, POINTS)
    module, second = to_numpy(f), to_numpy(hessian_diagonal(_summed(f), "x"))
    with np.errstate(all="ignore"):
        y, saved = module.forward(**{name: x})
        slope = module.backward(np.ones_like(x), saved)[name]
        bent, _ = second.forward(x=x)
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


def _scalars(f: Formula) -> Arrays:
    """A number for every scalar that has no default."""
    return {s.name: 1.0 for s in f.trace().scalars if s.default is None}


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
    shape: str

    @staticmethod
    def of(f: Formula, name: str, shape: str, seed: int) -> _Slice:
        module = to_numpy(f)
        sampler = Sampler(module.traced)
        inputs, options = _point(sampler, shape, seed)
        return _Slice(module, name, inputs, options, name in sampler.constrained(), shape)

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
        rows = np.array([self._row(value) for value in x], dtype=float)
        if len(x) < 2 or not np.max(np.abs(np.nan_to_num(rows[:, 1]))) > 1e-9:
            return None
        f = self.module.formula
        places = ", ".join("0" * np.ndim(self.inputs[self.name]))
        entry = f"{self.name}[{places}]" if places else self.name
        names = (f.name, "first derivative", "second derivative")[: rows.shape[1]]
        lines = [Curve(name, x, _near(rows[:, place])) for place, name in enumerate(names)]
        told = "first and second derivative" if len(names) == 3 else "first derivative"
        words = f"{f.name} along {entry}, the other entries fixed, with its {told}"
        return curves(f"{f.name} along {entry}", entry, lines, words)

    def _row(self, value: float) -> list[float]:
        """The loss and its derivatives; no numbers at a matrix that has no inverse, or no vectors of its own."""
        try:
            return list(self._values(value))
        except np.linalg.LinAlgError:
            return [np.nan] * (2 if self._second is None else 3)

    def _values(self, value: float) -> Iterator[float]:
        given = {**self.at(value), **self.options}
        with np.errstate(all="ignore"):
            y, grads = self.module.value_and_grad(**given)
            yield float(y)
            yield float(grads[self.name].flat[0])
            if (second := self._second) is not None:
                yield float(np.asarray(second.forward(**given)[0]).flat[0])

    @property
    def _second(self) -> NumpyModule | None:
        key = (self.module.formula, self.name)
        if len(self.module.traced.definitions) > MOST_PARTS or _long_to_derive(self.module.traced):
            return None
        if key not in _SECOND:
            try:
                _SECOND[key] = to_numpy(hessian_diagonal(self.module.formula, self.name))
            except DeriveError:
                _SECOND[key] = None
        return _SECOND[key]


def _long_to_derive(traced: Traced) -> bool:
    """Whether the second derivative takes seconds: of recurrences and of functions of matrices."""
    return any(t.body is not None and t.body.has(MatrixFunction, Carried) for t in traced.definitions)


_SECOND: dict[Any, NumpyModule | None] = {}


def _point(sampler: Sampler, shape: str, seed: int) -> tuple[Arrays, Arrays]:
    """Arrays for every input, and numbers for what has no default."""
    point, traced = sampler.point(np.random.default_rng(seed), shape), sampler.subject
    inputs = {t.name: point.arrays[t.name] for t in traced.inputs}
    sizes = {s.name: point.sizes[s] for s in traced.sizes}
    return inputs, {**{s.name: point.scalars[s.name] for s in traced.scalars if s.default is None}, **sizes}


def _jacobian(f: Formula, seed: int) -> Picture:
    """∂y/∂x at a random input: a unit vector for each entry of the output, pulled back."""
    from derive.verify import elementwise

    module = to_numpy(f)
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
