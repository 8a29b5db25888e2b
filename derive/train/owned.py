"""Weights that a training owns: a step writes into them, where `Optimiser.update` leaves what it is given as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import stepping
from .optimisers import Optimiser

Array = np.ndarray[Any, np.dtype[Any]]


class Owned:
    """Parameters, those that are stepped together as views of one vector. `step` gives what `update` gives.

    What a step of a small network costs beside its arithmetic is to put vectors together and to part them again: here
    only gradients are joined. A large parameter is a new array after each step: to copy it would cost more.
    """

    def __init__(self, optimiser: Optimiser, params: Mapping[str, Array]) -> None:
        self.optimiser, self.rank = optimiser, optimiser.plan[0]
        groups = stepping.grouped(optimiser.plan, params)
        self.alone = {group: names[0] for group, names in groups.items() if len(names) == 1}
        self.vectors: list[tuple[str, list[str], Array]] = []
        self.views: list[tuple[str, Array]] = []
        for group, names in groups.items():
            if len(names) > 1:
                arrays = [params[name] for name in names]
                vector = stepping.joined(arrays, self.rank)
                self.vectors.append((group, names, vector))
                self.views += zip(names, stepping.parted(vector, arrays), strict=True)
        self.params = {**params, **dict(self.views)}

    def holds(self, params: Mapping[str, Array]) -> bool:
        """Whether these are its parameters still, and nobody has put others in their place."""
        return params is self.params and not [name for name, view in self.views if params[name] is not view]

    def step(self, grads: Mapping[str, Array], state: Mapping[str, Any], changed: Mapping[str, float]) -> Any:
        """One step, written into the parameters; the state anew. `changed` are options for this step."""
        call, rank, (_, counted, normed, _) = self.optimiser.call, self.rank, self.optimiser.plan
        given, states, now = {**self.optimiser.options, **changed}, state["states"], state["t"] + 1
        if counted:
            given["t"] = float(now)
        if normed == "all":
            given["norm"] = stepping.length(grads)
        new = {}
        for group, names, vector in self.vectors:
            g = np.concatenate([grads[name] for name in names], axis=None)
            whole, new[group] = _made(call((vector, g, *states[group]), given))
            vector[...] = whole
        for group, name in self.alone.items():
            theta, g = self.params[name], grads[name]
            if normed == "own":
                given["norm"] = float(np.linalg.norm(g))
            both = stepping.joined([theta], rank), stepping.joined([g], rank)
            whole, new[group] = _made(call((*both, *states[group]), given))
            self.params[name] = whole.reshape(theta.shape)
        return {"t": now, "states": new}


def _made(outputs: Any) -> tuple[Array, tuple[Array, ...]]:
    """Parameters and state, of which there may be none."""
    return (outputs[0], outputs[1:]) if isinstance(outputs, tuple) else (outputs, ())
