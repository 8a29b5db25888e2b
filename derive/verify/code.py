"""Generated code does what the mathematics says: forward = oracle, backward = oracle of the derived results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from derive.axes import Tensor, axis
from derive.oracle import Array, Point
from derive.steps import Subject

from .gradient import checked_results
from .measure import EXACT, value_of
from .report import Ledger, Report, scaled_error
from .sample import sampler_of
from .subject import checked_upstreams, place_of, real_inputs, whole, widened

FLOAT_TYPES: dict[type[np.floating[Any]], float] = {
    np.float64: EXACT,
    np.float32: 1e-3,
}  # float type → tolerance, relative to the largest entry
SHAPE_OF_ELEMENTWISE = (axis("row"), axis("column"))


@dataclass(frozen=True)
class _Code:
    """Callables and what they should give."""

    subject: Subject
    forward: Callable[..., Any]
    backward: Callable[..., Any] | None
    value_and_grad: Callable[..., Any] | None
    results: Mapping[str, Tensor]
    upstreams: Sequence[Tensor]
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def given_floats(self) -> bool:
        """Whether an input says which float type is meant: integers and masks alone do not."""
        return bool(real_inputs(self.subject))

    def run(self, point: Point, kind: type[np.floating[Any]], trial: int, seed: int) -> None:
        """One point in one float type: the oracle sees the same rounded numbers."""
        arrays = {n: a.astype(kind) if a.dtype.kind == "f" else a for n, a in point.arrays.items()}
        rounded = {n: a.astype(float) if a.dtype.kind == "f" else a for n, a in arrays.items()}
        at = _Place(point.with_(arrays=rounded), kind, trial, seed)
        given: dict[str, Any] = {t.name: arrays[t.name] for t in self.subject.inputs}
        before = {name: np.copy(array) for name, array in given.items()}
        given |= {symbol.name: point.scalars[symbol.name] for symbol in self.subject.scalars}
        given |= {size.name: point.sizes[size] for size in self.subject.sizes}
        made = self._called("forward", "(y, saved)", at, self.forward, **given)
        if made is not None:
            self._outputs("forward", made[0], at)
            self._backward(arrays, made[1], at)
        if self.value_and_grad is not None:
            made = self._called("value_and_grad", "(y, gradients)", at, self.value_and_grad, **given)
            if made is not None:
                self._outputs("value_and_grad", made[0], at)
                self._gradients("value_and_grad", made[1], 1.0, at)
        for name, array in before.items():
            same = np.array_equal(array, given[name])
            self.ledger.enter("inputs are left as they were", same, 0.0, f"{name} was changed{at.words()}")

    def _called(
        self, what: str, expected: str, at: _Place, function: Callable[..., Any], *args: Any, **given: Any
    ) -> Any:
        """What the function returns, or None when it raises or returns something else than expected: a failure."""
        try:
            made = function(*args, **given)
        except Exception as problem:  # whatever generated code raises is a finding
            self.ledger.enter(what, False, np.inf, f"raised {type(problem).__name__}: {problem}{at.words()}")
            return None
        pair = isinstance(made, tuple) and len(made) == 2
        if pair if expected.startswith("(") else isinstance(made, Mapping):
            return made
        self.ledger.enter(what, False, np.inf, f"returned {type(made).__name__}, expected {expected}{at.words()}")
        return None

    def _backward(self, arrays: Mapping[str, Array], saved: Any, at: _Place) -> None:
        if self.backward is None:
            return
        scale = 1.0 if self.upstreams else 0.75  # a scalar output's g is a number: every result is proportional to it
        upstreams: tuple[Any, ...] = tuple(arrays[g.name] for g in self.upstreams) or (at.kind(scale),)
        copies = [np.copy(g) for g in upstreams]
        g: Any = upstreams[0] if len(upstreams) == 1 else upstreams
        grads = self._called("backward", "a dictionary of gradients", at, self.backward, g, saved)
        if grads is not None:
            self._gradients("backward", grads, scale, at)
        same = all(np.array_equal(a, b) for a, b in zip(copies, upstreams, strict=True))
        self.ledger.enter("inputs are left as they were", same, 0.0, f"an upstream was changed{at.words()}")

    def _outputs(self, what: str, made: Any, at: _Place) -> None:
        outputs = made if isinstance(made, tuple) else (made,)
        if len(outputs) != len(self.subject.outputs):
            expected = f"{len(outputs)} outputs, expected {len(self.subject.outputs)}{at.words()}"
            self.ledger.enter(what, False, np.inf, expected)
            return
        for tensor, found in zip(self.subject.outputs, outputs, strict=True):
            self._number(f"{what}: {tensor.name}", found, value_of(tensor, at.point), at)

    def _gradients(self, what: str, grads: Mapping[str, Any], scale: float, at: _Place) -> None:
        for name, result in self.results.items():
            if name in grads:
                self._number(f"{what}: d/d{name}", grads[name], scale * value_of(result, at.point), at)
            else:
                self.ledger.enter(f"{what}: d/d{name}", False, np.inf, f"missing among {sorted(grads)}")

    def _number(self, what: str, found: Any, expected: Array, at: _Place) -> None:
        array = np.asarray(found)
        if self.given_floats:
            typed = array.dtype == at.kind
            wrong = f"{what}: {array.dtype}, expected {np.dtype(at.kind)}{at.words()}"
            row = f"{np.dtype(at.kind)} in, {np.dtype(at.kind)} out"
            self.ledger.enter(row, typed, 0.0 if typed else np.inf, wrong)
        error = scaled_error(array, expected) if array.shape == expected.shape else None
        place = place_of(what.split(": ")[1], at.point, at.trial, at.seed)
        self.ledger.compare(f"{what}, {np.dtype(at.kind)}", array, expected, FLOAT_TYPES[at.kind], place, error=error)


@dataclass(frozen=True)
class _Place:
    point: Point
    kind: type[np.floating[Any]]
    trial: int
    seed: int

    def words(self) -> str:
        return place_of("", self.point, self.trial, self.seed)(())


def elementwise(subject: Subject) -> Subject:
    """An elementwise formula of matrices."""
    return widened(subject, (), SHAPE_OF_ELEMENTWISE)


def check_code(
    subject: Subject,
    forward: Callable[..., Any],
    backward: Callable[..., Any] | None = None,
    value_and_grad: Callable[..., Any] | None = None,
    *,
    results: Mapping[str, Tensor] | None = None,
    upstreams: Sequence[Tensor] = (),
    trials: int = 20,
    seed: int = 0,
) -> Report:
    """forward(**inputs, **scalars, **sizes) → (y, saved) and backward(g, saved) → {x: ∂L/∂x}, in float64 and float32.

    Several outputs come as a tuple, and so do their upstreams. Without upstreams g is a number. An elementwise formula
    is given matrices. value_and_grad(…) → (y, {x: ∂y/∂x}).
    """
    results, upstreams = results or {}, checked_upstreams(subject, upstreams) if backward else ()
    checked_results(subject, results)
    if subject.elementwise:
        wide = widened(subject, (*upstreams, *results.values()), SHAPE_OF_ELEMENTWISE)
        if upstreams:
            upstreams = wide.others[: len(upstreams)]
        results = dict(zip(results, wide.others[len(upstreams) :], strict=True))
        subject = wide
    code = _Code(subject, forward, backward, value_and_grad, results, upstreams)
    sampler = sampler_of(subject, tuple(whole(tensor) for tensor in (*upstreams, *results.values())))
    for trial in range(trials):
        point, _ = sampler.trial(seed, trial)
        for kind in FLOAT_TYPES if code.given_floats else (np.float64,):
            code.run(point, kind, trial, seed)
    return code.ledger.report()
