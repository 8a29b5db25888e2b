"""`verify`: everything derive says of a formula, held against the oracle and against measured derivatives."""

from __future__ import annotations

from typing import Any

from derive.formula import Formula
from derive.verify import Report

from .code import NumpyModule
from .derivative import Derivative, _formula, gradient, real_inputs


def verify(f: Formula | Derivative | NumpyModule, trials: int = 20, seed: int = 0, **static: Any) -> Report:
    """Forward = oracle, backward = derivative of the oracle, before = after for every step; a Report.

    For a formula: its gradients, their derivation, and the code; the code alone where no input is real. A Derivative
    or a module of code checks itself.
    """
    if isinstance(f, (Derivative, NumpyModule)):
        return f.verify(trials=trials, seed=seed)
    checked = _formula(f, "verify")
    code = NumpyModule(checked, **static)
    derived = gradient(checked, **static) if real_inputs(code.traced) else None
    return verified(code, derived, trials, seed)


def verified(code: NumpyModule, derived: Derivative | None, trials: int, seed: int) -> Report:
    """The report on the code of a formula and on its gradients, which are None where no input is real."""
    if derived is None:
        return code.verify(trials=trials, seed=seed)
    report = code.verify(trials=trials, seed=seed, gradients=derived.tensors)
    return derived.verify(trials=trials, seed=seed) + report
