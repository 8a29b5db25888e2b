"""What an emitted optimiser brings along as text, and ours runs as it stands: states begin, parameters take a step.

A plan is plain data: (rank, counted, normed, states). `rank` is the number of axes over which the step is written: None
for any; a parameter is seen with so many, its first ones merged. `counted`: whether t is given. `normed`: whether a
norm is given, that of "all" gradients or of their "own". A state is (name, places, start): the places of the
parameter's axes that it has (None: all), and the number that it begins with.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def seen(shape: Any, rank: Any) -> Any:
    """The shape over `rank` axes: the first ones merged, or ones put before them."""
    if rank is None or len(shape) == rank:
        return tuple(shape)
    if len(shape) < rank:
        return (1,) * (rank - len(shape)) + tuple(shape)
    merged = 1
    for length in shape[: len(shape) - rank + 1]:
        merged *= length
    return (merged, *shape[len(shape) - rank + 1 :])


def begun(plan: Any, params: Any, starts: Any) -> dict[str, Any]:
    """The state before the first step: {"t": 0, "states": name → arrays}."""
    rank, _, _, states = plan
    begins: dict[str, Any] = {}
    for name, theta in params.items():
        shape = seen(theta.shape, rank)
        begins[name] = tuple(
            np.full(shape if places is None else [shape[k] for k in places], starts.get(state, start), theta.dtype)
            for state, places, start in states
        )
    return {"t": 0, "states": begins}


def stepped(call: Any, plan: Any, params: Any, grads: Any, state: Any, options: Any) -> tuple[Any, Any]:
    """One step: new parameters and a new state; what is given is not written to. `call(arrays, options)` steps one."""
    rank, counted, normed, _ = plan
    given = {**options, "t": float(state["t"] + 1)} if counted else dict(options)
    if normed == "all":
        given["norm"] = sum(float(np.vdot(g, g)) for g in grads.values()) ** 0.5
    new: dict[str, Any] = {}
    kept: dict[str, Any] = {}
    for name, theta in params.items():
        g, shape = grads[name], theta.shape
        if g.shape != shape or g.dtype != theta.dtype:
            raise ValueError(f"gradient of {name}: expected {theta.dtype} {shape}, given {g.dtype} {g.shape}")
        if normed == "own":
            given["norm"] = float(np.linalg.norm(g))
        if rank is not None and len(shape) != rank:
            theta, g = theta.reshape(seen(shape, rank)), g.reshape(seen(shape, rank))
        found = call((theta, g, *state["states"][name]), given)
        first, *rest = found if isinstance(found, tuple) else (found,)
        new[name], kept[name] = first if first.shape == shape else first.reshape(shape), tuple(rest)
    return new, {"t": state["t"] + 1, "states": kept}
