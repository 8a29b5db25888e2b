"""What the options of optimisers and schedules may be: as `torch.optim` asks, and for others as their papers do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, SupportsFloat

from derive.axes import DeriveError

Range = tuple[Callable[[float], bool], str]

ANY: Range = (lambda x: True, "a number")
FROM_ZERO: Range = (lambda x: x >= 0, "a number of at least 0")
POSITIVE: Range = (lambda x: x > 0, "a positive number")
SHARE: Range = (lambda x: 0 <= x <= 1, "a number from 0 to 1")
BELOW_ONE: Range = (lambda x: 0 <= x < 1, "a number of at least 0 and below 1")

OPTIMISERS: Mapping[str, Range] = {
    **dict.fromkeys(("beta1", "beta2", "beta3", "beta"), BELOW_ONE),
    **dict.fromkeys(("rho", "nu"), SHARE),
    **dict.fromkeys(("most", "final_lr", "gamma", "trust", "d"), POSITIVE),
    **dict.fromkeys(
        "lr eps eps2 weight_decay momentum alpha lr_decay initial_accumulator_value momentum_decay step_min step_max "
        "partial".split(),
        FROM_ZERO,
    ),
    "etaminus": (lambda x: 0 < x < 1, "a number between 0 and 1"),
    "etaplus": (lambda x: x > 1, "a number above 1"),
    "beta2_decay": (lambda x: x <= 0, "a number of at most 0"),
}
SCHEDULES: Mapping[str, Range] = {
    **dict.fromkeys(("lr", "eta_min", "base_lr", "max_lr", "power"), FROM_ZERO),
    **dict.fromkeys(("factor", "end_factor", "pct_start"), SHARE),
    **dict.fromkeys(("gamma", "least", "div_factor", "final_div_factor"), POSITIVE),
    "T_mult": (lambda x: x > 1, "a number above 1 (cosine_restarts has equal ones)"),
    "start_factor": (lambda x: 0 < x <= 1, "a number above 0 and at most 1"),
}
PLATEAU: Mapping[str, Range] = {
    "factor": (lambda x: 0 <= x < 1, "a number of at least 0 and below 1"),
    **dict.fromkeys(("lr", "patience", "cooldown", "min_lr", "eps"), FROM_ZERO),
}


def number(where: str, option: str, value: Any, ranges: Mapping[str, Range]) -> float:
    """An option as a number within its range; raises DeriveError for anything else."""
    holds, words = ranges.get(option, ANY)
    wrong = isinstance(value, (bool, str)) or not isinstance(value, SupportsFloat) or not math.isfinite(value)
    if wrong or not holds(float(value)):
        raise DeriveError(f"{where}: {option}: expected {words}, given {value!r}")
    return float(value)
