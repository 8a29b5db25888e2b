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
    """One step: new parameters and a new state; what is given is not written to. `call(arrays, options)` steps one.

    Where each entry is stepped by itself, small parameters are joined: one call costs as much as each of theirs would.
    """
    rank, counted, normed, _ = plan
    given = {**options, "t": float(state["t"] + 1)} if counted else dict(options)
    if normed == "all":
        given["norm"] = sum(float(np.vdot(g, g)) for g in grads.values()) ** 0.5
    rows: Any = {}
    small: Any = {}
    entrywise = rank is None and normed != "own"
    for name, theta in params.items():
        g = grads[name]
        if g.shape != theta.shape or g.dtype != theta.dtype:
            raise ValueError(f"gradient of {name}: expected {theta.dtype} {theta.shape}, given {g.dtype} {g.shape}")
        where = small.setdefault(theta.dtype, {}) if entrywise and theta.size <= 1 << 14 else rows
        where[name] = (theta, g, *state["states"][name])
    found: Any = {}
    for together in small.values():
        found.update(joined(call, together, given))
    for name, row in rows.items():
        if normed == "own":
            given["norm"] = float(np.linalg.norm(row[1]))
        shape = seen(row[0].shape, rank)
        made = call((row[0].reshape(shape), row[1].reshape(shape), *row[2:]), given)
        first, *rest = made if isinstance(made, tuple) else (made,)
        found[name] = (first.reshape(row[0].shape), *rest)
    kept = {name: found[name][1:] for name in params}
    return {name: found[name][0] for name in params}, {"t": state["t"] + 1, "states": kept}


def joined(call: Any, rows: Any, given: Any) -> dict[str, Any]:
    """Parameters, gradients and states by name, stepped as one vector of all entries, and parted again."""
    if len(rows) == 1:
        flat = next(iter(rows.values()))
    else:
        flat = [np.concatenate(column, axis=None) for column in zip(*rows.values(), strict=True)]
    made = call(tuple(flat), given)
    made = made if isinstance(made, tuple) else (made,)
    if len(rows) == 1:
        return dict.fromkeys(rows, made)
    found: Any = {}
    start = 0
    for name, (theta, *_) in rows.items():
        stop = start + theta.size
        found[name] = tuple([part[start:stop].reshape(theta.shape) for part in made])
        start = stop
    return found
