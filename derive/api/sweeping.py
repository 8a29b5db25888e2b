"""`stability`: the numerical report on the code of a formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from derive.axes import DeriveError, Tensor, did_you_mean
from derive.formula import Formula
from derive.stability import KINDS, REACH, Accuracy, Code, sweep

from .code import NumpyModule
from .derivative import _formula

EFFORT = 250.0  # operations on numbers of many digits for each point that is asked for


def stability(
    f: Formula, *, dtypes: Sequence[str] = tuple(KINDS), points: int = 200, effort: float | None = None,
    reach: float = REACH,
    seed: int = 0,
    strict: bool | None = None, **static: Any,
) -> Accuracy:  # fmt: skip
    """|ŷ − y| ≤ 8·(ulp(y) + change of y when the data moves by one unit), for outputs and gradients; an Accuracy.

    Inputs of all magnitudes from 10⁻ʳ to 10ʳ for r = `reach`, in each float type: `points` of them, or as many as cost
    `effort` operations on numbers of 50 digits (250 a point). `strict`: only the data moves; without it, and where the
    formula has reductions, every operation does, as rounding would move it. Raises DeriveError for another dtype.
    """
    formula = _formula(f, "stability")
    for dtype in dtypes:
        if dtype not in KINDS:
            raise DeriveError(f"dtype {dtype!r}: expected {' or '.join(KINDS)}{did_you_mean(dtype, KINDS)}")
    module = NumpyModule(formula, **static)
    traced, code = module.traced, Code(module.forward)
    results: Mapping[str, Tensor] = {}
    upstreams: tuple[Tensor, ...] = ()
    if module._derived is not None:
        results, upstreams = module.gradients, module._derived.upstreams
        scalar = len(traced.outputs) == 1 and not traced.outputs[0].axes and not traced.elementwise
        code = Code(module.forward, module.backward, module.value_and_grad if scalar else None)
    return sweep(
        traced, code, results, upstreams, dtypes=dtypes, points=points, reach=reach, seed=seed, strict=strict,
        effort=EFFORT * points if effort is None else effort,
    )  # fmt: skip
