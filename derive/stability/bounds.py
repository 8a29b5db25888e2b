"""How near a float must be to the true number: mixed forward–backward stability, entry by entry.

A computed ŷ is stable where ŷ = f(x̃) + δ for data x̃ within a few units of x, relatively, and |δ| of a few units of f
(Higham, Accuracy and Stability of Numerical Algorithms, §1.5). So what is allowed is

    |ŷ − y|  ≤  c · (ulp(y) + |change of f when its data moves by one unit|)  ≈  c · ulp(y) · (1 + condition).

The change is measured on numbers of many digits, never on the code under test. Below the smallest normal float a number
may be taken for 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

SPARE = 64


@dataclass(frozen=True)
class Verdict:
    """One number of the code: `status` names a count of the report, `fault` is nan, inf, zero, digits, or empty."""

    status: str
    fault: str = ""
    error: float = 0.0  # in ulp
    allowed: float = 1.0
    condition: float = 0.0


@dataclass(frozen=True)
class Bound:
    """What is allowed in one float type."""

    kind: type[np.floating[Any]]
    constant: float

    @cached_property
    def _info(self) -> Any:
        return np.finfo(self.kind)

    @cached_property
    def unit(self) -> float:
        """The relative distance of neighbouring floats."""
        return float(self._info.eps)

    @cached_property
    def smallest(self) -> float:
        """The smallest float above 0."""
        return float(self._info.smallest_subnormal)

    @cached_property
    def most(self) -> float:
        """The largest number that is asked for: a sum of a few such numbers, before it becomes a mean, is a float."""
        return float(self._info.max) / SPARE

    def ulp(self, y: Any) -> Any:
        """The distance of floats at y, a number of many digits; below the normal floats it is the smallest one."""
        _, mantissa, exponent, bits = y._mpf_
        least = self._info.minexp
        top = max(exponent + bits - 1, least) if mantissa else least
        return y.context.ldexp(1, int(top - self._info.nmant))

    def written(self, y: Any) -> str:
        """The number for a reader; what no float comes near is 0."""
        return str(y.context.nstr(y, 9)) if abs(y) > self.smallest**2 else "0"

    def holds(self, values: Any) -> bool:
        """Whether all are numbers within the range of the floats."""
        return all(y == y and abs(y) <= self.most for y in np.asarray(values, dtype=object).flat)

    def exceeded(self, values: Any) -> bool:
        """Whether one is beyond the range of the floats."""
        return any(abs(y) > self.most for y in np.asarray(values, dtype=object).flat)

    def judge(self, found: float, y: Any, change: Any, needed: bool) -> Verdict:
        """ŷ against y; where the formula has no value, it must still be a number if one is `needed`."""
        finite = bool(np.isfinite(found))
        if y != y:
            return Verdict("compared", _wrong(found), np.inf) if needed and not finite else Verdict("undefined")
        if abs(y) > self.most:
            return Verdict("beyond")
        ulp = self.ulp(y)
        reach = self.constant * (ulp + change) + (self._info.tiny if abs(y) < self._info.tiny else 0)
        allowed, condition = float(reach / ulp), float(change / (abs(y) * self.unit)) if y else 0.0
        if finite:
            error = float(abs(found - y) / ulp)
            fault = "" if error <= allowed else "zero" if found == 0 else "digits"
            return Verdict("compared", fault, error, allowed, condition)
        if np.isinf(found) and abs(y) + reach > self._info.max:
            return Verdict("compared", "", 0.0, allowed, condition)
        return Verdict("compared", _wrong(found), np.inf, allowed, condition)


def _wrong(found: float) -> str:
    return "nan" if np.isnan(found) else "inf"
