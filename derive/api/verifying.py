"""`verify`: everything derive says of a formula, held against the oracle and against measured derivatives."""

from __future__ import annotations

from typing import Any

from derive.formula import Formula
from derive.verify import Report

from .code import NumpyModule
from .derivative import Derivative, _formula, gradient


def verify(f: Formula | Derivative | NumpyModule, trials: int = 20, seed: int = 0, **static: Any) -> Report:
    """Forward = oracle, backward = derivative of the oracle, before = after for every step; a Report.

    For a formula: its gradients, their derivation, and the code; the code alone where no input is real. A Derivative
    or a module of code checks itself.
    """
    if isinstance(f, (Derivative, NumpyModule)):
        return f.verify(trials=trials, seed=seed)
    checked = _formula(f, "verify")
    code = NumpyModule(checked, **static)
    report = code.verify(trials=trials, seed=seed)
    return gradient(checked, **static).verify(trials=trials, seed=seed) + report if code.gradients else report
