"""L-BFGS: the two loops are formulas of the catalogue; here is what keeps the pairs, goes along a line, and stops."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from derive.api import to_numpy
from derive.axes import DeriveError, did_you_mean

from .line_search import Point, strong_wolfe

Array = np.ndarray[Any, np.dtype[Any]]
Loss = Callable[[dict[str, Array]], tuple[Any, Mapping[str, Array]]]
State = dict[str, Any]
LEAST_CURVATURE = 1e-10  # a pair (s, y) with less s·y is not kept
SEARCHES = ("strong_wolfe",)


@dataclass(frozen=True)
class Memory:
    """The newest pairs s, y (the last rows, `kept` of them), the last step and the gradient before it, iterations."""

    s: Array
    y: Array
    moved: Array
    before: Array
    kept: int = 0
    iterations: int = 0

    def with_pair(self, g: Array) -> Memory:
        """The pair that the last step left, in place of the oldest where there are too many."""
        y = g - self.before
        if not self.iterations or not float(np.vdot(self.moved, y)) > LEAST_CURVATURE:
            return self
        kept = min(self.kept + 1, len(self.s))
        return replace(self, s=np.vstack([self.s[1:], self.moved]), y=np.vstack([self.y[1:], y]), kept=kept)

    def direction(self, g: Array) -> Array:
        """−H g, for the inverse Hessian H that the kept pairs tell."""
        first, second = _loops()
        q, alphas = -g, []
        pairs = [(self.s[-k], self.y[-k]) for k in range(1, self.kept + 1)]  # the newest first
        for s, y in pairs:
            (q, alpha), _ = first(q=q, s=s, y=y)
            alphas.append(alpha)
        if pairs:
            s, y = pairs[0]
            q = q * (np.vdot(s, y) / np.vdot(y, y))
        for (s, y), alpha in zip(reversed(pairs), reversed(alphas), strict=True):
            q, _ = second(r=q, s=s, y=y, alpha=alpha)
        return q


@cache
def _loops() -> tuple[Any, Any]:
    package = importlib.import_module("formulas")
    return to_numpy(package.lbfgs_first_loop).forward, to_numpy(package.lbfgs_second_loop).forward


@dataclass(frozen=True)
class LBFGS:
    """Limited-memory BFGS on a dictionary of arrays: with steps of length `lr`, or as long as a line search says.

    Options and stopping as torch.optim.LBFGS. Source: Nocedal, Wright, Numerical Optimization (2006), algorithms 7.4
    and 7.5.
    """

    lr: float = 1.0
    max_iter: int = 20
    max_eval: int | None = None
    tolerance_grad: float = 1e-7
    tolerance_change: float = 1e-9
    history_size: int = 100
    line_search_fn: str | None = None

    def __post_init__(self) -> None:
        if self.line_search_fn not in (None, *SEARCHES):
            meant = did_you_mean(str(self.line_search_fn), SEARCHES)
            raise DeriveError(f"lbfgs: line_search_fn: expected strong_wolfe, given {self.line_search_fn!r}{meant}")
        for name, value in self.options.items():
            whole = name in ("max_iter", "max_eval", "history_size")
            if value is None or name == "line_search_fn":
                continue
            if isinstance(value, (str, bool)) or not value >= whole or (whole and value != int(value)):
                expected = "a whole number of at least 1" if whole else "a number of at least 0"
                raise DeriveError(f"lbfgs: {name}: expected {expected}, given {value!r}")

    name = "lbfgs"

    @property
    def options(self) -> dict[str, Any]:
        """All options by name."""
        return asdict(self)

    def init(self, params: Mapping[str, Array]) -> State:
        """The state before the first step."""
        zero = np.zeros_like(_joined(params))
        rows = np.zeros((self.history_size, zero.size), zero.dtype)
        return {"t": 0, "states": {"lbfgs": (rows, rows, zero, zero, np.asarray(0), np.asarray(0))}}

    def step(
        self, loss: Loss, params: Mapping[str, Array], state: State, lr: float | None = None
    ) -> tuple[float, dict[str, Array], State]:
        """Up to `max_iter` iterations: the loss at the start, new parameters, a new state. `loss(params)` gives a value
        and gradients."""
        shapes = {name: a.shape for name, a in params.items()}
        s, y, moved, before, kept, iterations = state["states"]["lbfgs"]
        memory = Memory(s, y, moved, before, int(kept), int(iterations))

        def at(x: Array) -> tuple[float, Array]:
            value, grads = loss(_parts(x, shapes))
            return float(value), _joined({name: np.asarray(grads[name]) for name in shapes})

        start, x, memory = self._descended(at, _joined(params), memory, self.lr if lr is None else lr)
        held = (memory.s, memory.y, memory.moved, memory.before)
        after = (*held, np.asarray(memory.kept), np.asarray(memory.iterations))
        return start, _parts(x, shapes), {"t": state["t"] + 1, "states": {"lbfgs": after}}

    def _descended(
        self, at: Callable[[Array], tuple[float, Array]], x: Array, memory: Memory, lr: float
    ) -> tuple[float, Array, Memory]:
        """The loss at the start, where it ends, and what is remembered."""
        value, g = at(x)
        start, evaluations = value, 1
        most = self.max_eval if self.max_eval is not None else self.max_iter * 5 // 4
        if np.abs(g).max() <= self.tolerance_grad:
            return start, x, memory
        for iteration in range(1, self.max_iter + 1):
            memory = memory.with_pair(g)
            d = memory.direction(g)
            length = lr if memory.iterations else min(1.0, 1.0 / float(np.abs(g).sum())) * lr
            slope, before = float(np.vdot(g, d)), value
            far = slope > -self.tolerance_change
            point, count = Point(length, value, slope, g), 0
            if not far and self.line_search_fn:
                point, count = self._searched(at, x, d, point)
            moved = (point.t * d).astype(x.dtype)
            memory = replace(memory, moved=moved, before=g, iterations=memory.iterations + 1)
            if far:
                break
            x, value, g = x + moved, point.value, point.g
            if not self.line_search_fn and iteration < self.max_iter:
                (value, g), count = at(x), 1
            evaluations += count
            small = np.abs(moved).max() <= self.tolerance_change or abs(value - before) < self.tolerance_change
            if evaluations >= most or np.abs(g).max() <= self.tolerance_grad or small:
                break
        return start, x, memory

    def _searched(
        self, at: Callable[[Array], tuple[float, Array]], x: Array, d: Array, start: Point
    ) -> tuple[Point, int]:
        """A point along d that meets the strong Wolfe conditions; start.t is the first guess."""

        def along(t: float) -> Point:
            value, g = at((x + t * d).astype(x.dtype))
            return Point(t, value, float(np.vdot(g, d)), g)

        here = Point(0.0, start.value, start.slope, start.g)
        return strong_wolfe(along, here, start.t, self.tolerance_change / float(np.abs(d).max()))


def _joined(params: Mapping[str, Array]) -> Array:
    """The arrays as one vector."""
    return np.concatenate([a.reshape(-1) for a in params.values()])


def _parts(x: Array, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """The arrays that one vector holds."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    return {n: p.reshape(s) for (n, s), p in zip(shapes.items(), np.split(x, ends[:-1]), strict=True)}
