"""A derivative on arrays, and the check of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from derive.axes import DeriveError, axis
from derive.oracle import evaluate, point_from_arrays
from derive.verify import Report, check_gradient, check_hessian, check_jacobian, check_jvp, check_steps

from .derivative import DERIVE, Derivative


def evaluated(d: Derivative, given: Mapping[str, Any]) -> dict[str, Any]:
    """Each result at the given inputs, upstream gradients and scalars; the dtype of the inputs is kept."""
    traced = d.traced
    if traced.elementwise:
        return _elementwise(d, given)
    defaults = {s.name: s.default for s in traced.scalars if s.default is not None}
    point = point_from_arrays(
        (*traced.inputs, *d.derived.upstreams), {**defaults, **given}, scalars=traced.scalars, sizes=traced.sizes,
        what=f"{d.kind} of {d.formula.name}",
    )  # fmt: skip
    dtype = np.result_type(*_floats(traced.parameters, given)) if _floats(traced.parameters, given) else float
    return {name: evaluate(tensor.body, point, tensor.axes).astype(dtype) for name, tensor in d.derived.results.items()}


def _floats(parameters: tuple[str, ...], given: Mapping[str, Any]) -> list[Any]:
    """The dtypes of the real arrays among what is given."""
    dtypes = [np.asarray(value).dtype for name, value in given.items() if name not in parameters]
    return [dtype for dtype in dtypes if dtype.kind == "f"]


def _elementwise(d: Derivative, given: Mapping[str, Any]) -> dict[str, Any]:
    """An elementwise formula on arrays of any one shape: along one axis, then in shape again."""
    parameters = d.traced.parameters
    shapes = {name: np.asarray(value).shape for name, value in given.items() if name not in parameters}
    if len(set(shapes.values())) > 1:
        raise DeriveError(f"{d.kind} of {d.formula.name}: expected arrays of one shape, given {shapes}")
    shape = next(iter(shapes.values()), ())
    wide: Derivative = DERIVE[d.kind](d.formula.batched(axis("n")), tuple(d.derived.results))
    flat = {name: v if name in parameters else np.asarray(v).reshape(-1) for name, v in given.items()}
    return {name: value.reshape(shape) for name, value in evaluated(wide, flat).items()}


def verified(d: Derivative, trials: int, seed: int) -> Report:
    """Results against the oracle's own derivatives, and before = after for every step."""
    if not isinstance(trials, int) or trials < 1 or not isinstance(seed, int) or seed < 0:
        raise DeriveError(f"verify: expected trials >= 1 and seed >= 0 as whole numbers, given {trials!r} and {seed!r}")
    traced, results, upstreams = d.traced, d.derived.results, d.derived.upstreams
    if d.kind == "jvp":
        report = check_jvp(traced, [results[o.name] for o in traced.outputs], trials=trials, seed=seed)
    elif d.kind in ("jacobian", "hessian"):
        check = check_jacobian if d.kind == "jacobian" else check_hessian
        parts = [check(traced, tensor, wrt=name, trials=trials, seed=seed) for name, tensor in results.items()]
        report = sum(parts[1:], parts[0])
    else:
        report = check_gradient(traced, results, upstreams, trials=trials, seed=seed)
    return report + check_steps(traced, d.derivation, upstreams, trials=min(3, trials), seed=seed)
