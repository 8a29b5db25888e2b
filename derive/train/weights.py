"""What is made of weights beside a step, by formulas of the catalogue: their average, and the worst place nearby."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from derive.api import to_numpy

from .stepping import length

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = Mapping[str, Array]


@cache
def _forward(name: str) -> Any:
    return to_numpy(getattr(importlib.import_module("formulas"), name)).forward


def averaged(average: Arrays, params: Arrays, decay: float) -> dict[str, Array]:
    """The exponential mean of weights, one step on."""
    forward = _forward("weight_average")
    return {name: forward(theta=theta, average=average[name], decay=decay)[0] for name, theta in params.items()}


def ascended(params: Arrays, grads: Arrays, rho: float) -> dict[str, Array]:
    """The worst place within ρ, where sharpness-aware minimisation takes its gradient."""
    forward = _forward("sam_ascent")
    norm = length(grads)
    return {name: forward(theta=theta, g=grads[name], norm=norm, rho=rho)[0] for name, theta in params.items()}


def copied(params: Arrays) -> dict[str, Array]:
    """The weights as they are now."""
    return {name: theta.copy() for name, theta in params.items()}
