"""L-BFGS: the two loops are formulas of the catalogue; here is what keeps the pairs and stops."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from derive.api import to_numpy

Array = np.ndarray[Any, np.dtype[Any]]
Loss = Callable[[dict[str, Array]], tuple[Any, Mapping[str, Array]]]
LEAST_CURVATURE = 1e-10  # a pair (s, y) with less s·y is not kept


@dataclass
class LBFGS:
    """Limited-memory BFGS with steps of a fixed length `lr` along its direction, on a dictionary of arrays.

    Options and stopping as torch.optim.LBFGS without line search. Source: Nocedal, Wright, Numerical Optimization
    (2006), algorithms 7.4 and 7.5.
    """

    lr: float = 1.0
    max_iter: int = 20
    max_eval: int | None = None
    tolerance_grad: float = 1e-7
    tolerance_change: float = 1e-9
    history_size: int = 100
    iterations: int = field(default=0, init=False)
    _pairs: list[tuple[Array, Array]] = field(default_factory=list, init=False)
    _last: tuple[Array, Array] | None = field(default=None, init=False)  # step taken, and gradient before it
    _loops: tuple[Any, Any] | None = field(default=None, init=False)

    def direction(self, g: Array) -> Array:
        """−H g, for the inverse Hessian H that the kept pairs tell."""
        if self._loops is None:
            package = importlib.import_module("formulas")
            self._loops = (
                to_numpy(package.lbfgs_first_loop).forward,
                to_numpy(package.lbfgs_second_loop).forward,
            )
        first, second = self._loops
        q, alphas = -g, []
        for s, y in reversed(self._pairs):
            (q, alpha), _ = first(q=q, s=s, y=y)
            alphas.append(alpha)
        if self._pairs:
            s, y = self._pairs[-1]
            q = q * (np.vdot(s, y) / np.vdot(y, y))
        for (s, y), alpha in zip(self._pairs, reversed(alphas), strict=True):
            q, _ = second(r=q, s=s, y=y, alpha=alpha)
        return q

    def _keep(self, g: Array) -> None:
        """The newest pair, in place of the oldest where there are too many."""
        if self._last is None:
            return
        s, before = self._last
        y = g - before
        if float(np.vdot(s, y)) > LEAST_CURVATURE:
            self._pairs = [*self._pairs, (s, y)][-self.history_size :]

    def step(self, loss: Loss, params: Mapping[str, Array]) -> tuple[float, dict[str, Array]]:
        """Up to `max_iter` iterations: the loss at the start, and the new parameters."""
        shapes = {name: a.shape for name, a in params.items()}
        x = np.concatenate([a.reshape(-1) for a in params.values()])
        value, g = self._at(loss, x, shapes)
        start, evaluations = value, 1
        most = self.max_eval if self.max_eval is not None else self.max_iter * 5 // 4
        if np.abs(g).max() <= self.tolerance_grad:
            return start, dict(params)
        for iteration in range(1, self.max_iter + 1):
            self.iterations += 1
            self._keep(g)
            d = self.direction(g)
            length = self.lr if self.iterations > 1 else min(1.0, 1.0 / float(np.abs(g).sum())) * self.lr
            slope = float(np.vdot(g, d))
            if slope > -self.tolerance_change:
                self._last = (length * d, g)
                break
            x, before, moved = x + length * d, value, length * d
            self._last = (moved, g)
            if iteration == self.max_iter:
                break
            value, g = self._at(loss, x, shapes)
            evaluations += 1
            small = np.abs(moved).max() <= self.tolerance_change or abs(value - before) < self.tolerance_change
            if evaluations >= most or np.abs(g).max() <= self.tolerance_grad or small:
                break
        return start, _parts(x, shapes)

    @staticmethod
    def _at(loss: Loss, x: Array, shapes: Mapping[str, tuple[int, ...]]) -> tuple[float, Array]:
        value, grads = loss(_parts(x, shapes))
        return float(value), np.concatenate([np.asarray(grads[name]).reshape(-1) for name in shapes])


def _parts(x: Array, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """The arrays that one vector holds."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    return {n: p.reshape(s) for (n, s), p in zip(shapes.items(), np.split(x, ends[:-1]), strict=True)}
