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


def grouped(plan: Any, params: Any) -> dict[str, list[str]]:
    """Names of parameters that take a step together, and a name for each group.

    Where each entry is stepped by itself, small parameters are joined: one call costs as much as each of theirs would.
    """
    rank, _, normed, _ = plan
    entrywise = rank is None and normed != "own"
    found: dict[Any, list[str]] = {}
    for name, theta in params.items():
        found.setdefault(theta.dtype if entrywise and theta.size <= 1 << 14 else name, []).append(name)
    return {", ".join(names): names for names in found.values()}


def joined(arrays: Any, rank: Any) -> Any:
    """Several arrays as one vector of all entries; one alone over `rank` axes."""
    return np.concatenate(arrays, axis=None) if len(arrays) > 1 else arrays[0].reshape(seen(arrays[0].shape, rank))


def begun(plan: Any, params: Any, starts: Any) -> dict[str, Any]:
    """The state before the first step: {"t": 0, "states": group → arrays}."""
    rank, _, _, states = plan
    begins: dict[str, Any] = {}
    for group, names in grouped(plan, params).items():
        theta = joined([params[name] for name in names], rank)
        begins[group] = tuple(
            np.full(
                theta.shape if places is None else [theta.shape[k] for k in places],
                starts.get(state, start),
                theta.dtype,
            )
            for state, places, start in states
        )
    return {"t": 0, "states": begins}


def length(grads: Any) -> float:
    """The norm of all gradients together."""
    return float(sum(float(np.vdot(g, g)) for g in grads.values()) ** 0.5)


def parted(whole: Any, thetas: Any) -> list[Any]:
    """One vector of all entries as arrays of these shapes, which are views of it."""
    if len(thetas) == 1:
        return [whole.reshape(thetas[0].shape)]
    parts, start = [], 0
    for theta in thetas:
        end = start + theta.size
        parts.append(whole[start:end].reshape(theta.shape))
        start = end
    return parts


def stepped(call: Any, plan: Any, params: Any, grads: Any, state: Any, options: Any) -> tuple[Any, Any]:
    """One step: new parameters, a new state; what is given is not written to. `call(arrays, options)` steps a group."""
    rank, counted, normed, _ = plan
    given = {**options, "t": float(state["t"] + 1)} if counted else dict(options)
    if normed == "all":
        given["norm"] = length(grads)
    new: dict[str, Any] = dict(params)
    states: dict[str, Any] = {}
    for group, names in grouped(plan, params).items():
        thetas, slopes = [params[name] for name in names], [grads[name] for name in names]
        for name, theta, g in zip(names, thetas, slopes, strict=True):
            if g.shape != theta.shape or g.dtype != theta.dtype:
                raise ValueError(f"gradient of {name}: expected {theta.dtype} {theta.shape}, given {g.dtype} {g.shape}")
        if normed == "own":
            given["norm"] = float(np.linalg.norm(slopes[0]))
        made = call((joined(thetas, rank), joined(slopes, rank), *state["states"][group]), given)
        whole, *kept = made if isinstance(made, tuple) else (made,)
        states[group] = tuple(kept)
        new.update(zip(names, parted(whole, thetas), strict=True))
    return new, {"t": state["t"] + 1, "states": states}


HELPERS = (seen, grouped, joined, begun, length, parted, stepped)  # in the order in which they are emitted
