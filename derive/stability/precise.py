"""True values: an index expression over numbers of many digits, by the oracle's evaluator with another table.

Nothing is taken from the code under test. What is evaluated is the formula as it was written, and its derived gradients
before anything makes them safe. Exponents have no bound here: exp(10³⁰) is a number like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, reduce
from typing import Any

import mpmath
import numpy as np
import sympy
from sympy.core.basic import Basic

from derive.axes import (
    Delta,
    Digamma,
    Entry,
    Expm1,
    Log1p,
    MaxOver,
    MinOver,
    Sigmoid,
    Softplus,
    Tensor,
    Tetragamma,
    Trigamma,
    Where,
)
from derive.oracle import FUNCTIONS, Array, Evaluator, Point, Scope
from derive.verify.subject import whole

from .matrices import of_matrices

FARTHEST = 4096  # bits before the point: exp of more is 0 or ∞ as far as any float can tell, sin of it has no digits
SINGLE = np.float32
Number = Any  # mpmath's, which are untyped
Function = Callable[[Number], Number]


@dataclass(frozen=True, eq=False)
class Digits:
    """Numbers of one precision, and what functions are worth on them."""

    context: Any
    functions: Mapping[type, Callable[..., Any]] = field(repr=False)
    matrices: Mapping[type, Callable[[Array], Array]] = field(repr=False)

    def array(self, values: Array) -> Array:
        """The same numbers, exactly; integers and truth values stay what they are."""
        return self.converted(values.astype(float)) if values.dtype.kind == "f" else values

    def converted(self, values: Array) -> Array:
        """Numbers of any kind, integers and truth values too, as such numbers."""
        return np.asarray(np.frompyfunc(self.context.convert, 1, 1)(values), dtype=object)


def _sum(*values: Any) -> Any:
    return reduce(np.add, values)


def _product(*values: Any) -> Any:
    """Integers and conditions first: where they are 0, as most entries of Kronecker deltas are, nothing is done."""
    plain = [value for value in values if np.asarray(value).dtype != object]
    rest = [value for value in values if np.asarray(value).dtype == object]
    count = reduce(np.multiply, plain, 1)
    if not rest or not np.ndim(count):
        return reduce(np.multiply, rest, count)
    shape = np.broadcast_shapes(*map(np.shape, values))
    found, counts = np.zeros(shape, dtype=object), np.broadcast_to(count, shape)
    chosen = counts != 0
    parts = (np.broadcast_to(part, shape)[chosen] for part in rest)
    found[chosen] = reduce(np.multiply, parts, 1 if np.all(counts[chosen] == 1) else counts[chosen])
    return found


FOLDED: dict[type, Callable[..., Any]] = {sympy.Add: _sum, sympy.Mul: _product}


@cache
def digits(count: int) -> Digits:
    """Numbers of so many decimal digits."""
    context = mpmath.MPContext()
    context.dps = count
    rows = {kind: _lifted(function, context) for kind, function in _table(context).items()}
    return Digits(context, {**FUNCTIONS, **rows, **FOLDED}, of_matrices(context))


def _lifted(function: Callable[..., Number], context: Any) -> Callable[..., Any]:
    """The function, entry by entry, of arrays of numbers; plain integers become such numbers first."""

    def on_numbers(*values: Any) -> Number:
        return function(*(value if type(value) is context.mpf else context.convert(value) for value in values))

    return np.frompyfunc(on_numbers, function.__code__.co_argcount, 1)


def far(x: Number) -> bool:
    """Whether |x| ≥ 2 to the FARTHEST."""
    _, mantissa, exponent, bits = x._mpf_
    return bool(mantissa) and exponent + bits > FARTHEST


def _exp(mp: Any) -> Function:
    return lambda x: (mp.inf if x > 0 else mp.zero) if far(x) else mp.exp(x)


def _power(mp: Any) -> Callable[[Number, Number], Number]:
    exp = _exp(mp)

    def power(base: Number, exponent: Number) -> Number:
        if not base:
            return mp.one if not exponent else mp.zero if exponent > 0 else mp.inf
        if mp.isint(exponent) and abs(exponent) < 2**31:
            return base ** int(exponent)
        return mp.nan if base < 0 else mp.sqrt(base) if exponent == 0.5 else exp(exponent * mp.log(base))

    return power


def _within(mp: Any, low: float, high: float, function: Function) -> Function:
    """The function on an interval, NaN outside."""
    return lambda x: function(x) if low <= x <= high else mp.nan


def _near(function: Function, limit: Function) -> Function:
    """The function, or for far arguments its limit."""
    return lambda x: limit(x) if far(x) else function(x)


def _table(mp: Any) -> dict[type, Callable[..., Number]]:
    """Real functions on finite and infinite numbers: ∞ at poles, NaN outside the domain."""
    exp, nowhere = _exp(mp), lambda x: mp.nan
    return {
        sympy.Pow: _power(mp),
        sympy.exp: exp,
        sympy.log: _within(mp, 0, mp.inf, mp.log),
        sympy.sin: _near(mp.sin, nowhere),
        sympy.cos: _near(mp.cos, nowhere),
        sympy.tan: _near(mp.tan, nowhere),
        sympy.asin: _within(mp, -1, 1, mp.asin),
        sympy.acos: _within(mp, -1, 1, mp.acos),
        sympy.atan: lambda x: mp.atan(x),
        sympy.sinh: _near(mp.sinh, lambda x: mp.sign(x) * mp.inf),
        sympy.cosh: _near(mp.cosh, lambda x: mp.inf),
        sympy.tanh: _near(mp.tanh, lambda x: mp.sign(x)),
        sympy.asinh: lambda x: mp.asinh(x),
        sympy.acosh: _within(mp, 1, mp.inf, mp.acosh),
        sympy.atanh: _within(mp, -1, 1, lambda x: mp.sign(x) * mp.inf if abs(x) == 1 else mp.atanh(x)),
        sympy.erf: _near(mp.erf, lambda x: mp.sign(x)),
        sympy.erfc: _near(mp.erfc, lambda x: 1 - mp.sign(x)),
        sympy.gamma: mp.gamma,
        sympy.loggamma: _within(mp, 0, mp.inf, lambda x: mp.loggamma(x) if x else mp.inf),
        Digamma: lambda x: mp.psi(0, x),
        Trigamma: lambda x: mp.psi(1, x),
        Tetragamma: lambda x: mp.psi(2, x),
        Sigmoid: lambda x: 1 / (1 + exp(-x)),
        Softplus: lambda x: mp.log1p(exp(x)),
        Log1p: lambda x: mp.log1p(x) if x > -1 else mp.log(1 + x),
        Expm1: lambda x: exp(x) - 1,
    }


SELECTS = (Where, MaxOver, MinOver, Entry, Tensor)  # what picks a number that is there, and rounds nothing
POOL = 512


@dataclass(frozen=True, eq=False)
class Noise:
    """Relative moves by one to two units, either way, of the data; of the result of every operation if so wanted.

    Data are inputs, parameters, and the constants that floats must round. With `names`, only these inputs are moved.
    """

    factors: Array = field(repr=False)
    rng: np.random.Generator
    operations: bool
    names: frozenset[str] | None = None

    @classmethod
    def of(
        cls, numbers: Digits, unit: float, seed: Sequence[int], operations: bool, names: frozenset[str] | None = None
    ) -> Noise:
        """Noise from a seed."""
        rng = np.random.default_rng(list(seed))
        moves = rng.choice((-1.0, 1.0), POOL) * rng.uniform(1, 2, POOL) * unit
        return cls(1 + numbers.array(moves), rng, operations, names)

    def on(self, value: Any) -> Any:
        """The value, each entry moved by itself."""
        chosen = np.asarray(value != 0)
        moved = np.array(value, dtype=object)
        moved[chosen] = moved[chosen] * self.factors[self.rng.integers(POOL, size=np.count_nonzero(chosen))]
        return moved


class Precise(Evaluator):
    """Values in numbers of many digits; `work` counts the numbers that were computed."""

    def __init__(self, points: Sequence[Point], numbers: Digits, noise: Noise | None = None) -> None:
        super().__init__(points)
        self.numbers, self.functions, self.noise = numbers, numbers.functions, noise
        self.of_matrices = numbers.matrices
        self.constants: dict[Basic, Any] = {}
        self.work = 0

    def value(self, node: Basic, scope: Scope) -> Any:
        """With noise: a Kronecker delta stands for one-hot data; an operation is moved if operations are."""
        found = super().value(node, scope)
        self.work += int(np.count_nonzero(found))
        return found if self.noise is None or not self._is_moved(node, found, self.noise) else self.noise.on(found)

    @staticmethod
    def _is_moved(node: Basic, found: Any, noise: Noise) -> bool:
        if isinstance(node, Delta):
            return noise.names is None
        rounded = isinstance(found, np.ndarray) and found.dtype == object
        return noise.operations and rounded and bool(node.args) and not isinstance(node, SELECTS)

    def number(self, node: Basic) -> Any:
        """A constant is the same number wherever it stands."""
        if node.is_Integer:
            return int(node)
        if node not in self.constants:
            exact = self.numbers.context.make_mpf(node._as_mpf_val(self.numbers.context.prec))
            noise = None if float(SINGLE(float(exact))) == exact else self.noise
            self.constants[node] = exact if noise is None or noise.names is not None else noise.on(exact)
        return self.constants[node]


def evaluated(
    tensors: Sequence[Tensor], points: Sequence[Point], numbers: Digits, noise: Noise | None = None
) -> tuple[list[Array], int]:
    """Each tensor's entries at each point (points first), and how many numbers were computed for one point."""
    evaluator = Precise([_exactly(point, numbers, noise) for point in points], numbers, noise)
    roots = [whole(tensor) for tensor in tensors]
    with np.errstate(all="ignore"):
        evaluator.define_all(*roots)
        found = [evaluator.over(root, tensor.axes) for root, tensor in zip(roots, tensors, strict=True)]
    full = [np.broadcast_to(numbers.converted(value), (len(points), *value.shape[1:])) for value in found]
    return full, evaluator.work // len(points)


def _exactly(point: Point, numbers: Digits, noise: Noise | None) -> Point:
    """The point in numbers of many digits, moved if there is noise."""
    arrays = {name: numbers.array(array) for name, array in point.arrays.items()}
    scalars = {name: numbers.context.mpf(value) for name, value in point.scalars.items()}
    if noise is not None:
        names = frozenset(point.arrays) | frozenset(point.scalars) if noise.names is None else noise.names
        arrays = {n: noise.on(a) if a.dtype == object and n in names else a for n, a in arrays.items()}
        scalars = {n: noise.on(value) if n in names else value for n, value in scalars.items()}
    return Point(arrays, point.sizes, scalars)
