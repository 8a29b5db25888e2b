"""What stays as it is, or changes its sign, where two letters are exchanged: it is read in one order of them alone.

x[n] − x[m] is the negative of x[m] − x[n], a distance and the inverse of a covariance are symmetric. So of two sums
that differ by such an exchange only one is made, and no array is transposed that need not be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import combinations
from typing import Any

from sympy import Add, Equality, Expr, Function, Mul, Pow
from sympy.core.basic import Basic

from derive.axes import Axis, Delta, Entry, Inverse, MeanOver, SumOver, Tensor, free_axes, rename

Letters = tuple[Axis, Axis]


class Symmetric:
    """Which tensors are symmetric, by what is assumed and by how they are made."""

    def __init__(self, statements: Iterable[Basic]) -> None:
        self._symmetric: set[str] = set()
        self._pairs: dict[Tensor, tuple[tuple[int, int, int], ...]] = {}
        for statement in statements:
            self._note(statement)

    def _note(self, statement: Basic) -> None:
        if isinstance(statement, Equality):
            one, two = statement.args
            if all(map(everywhere, (one, two))) and one.tensor == two.tensor and turned(one, two):
                self._symmetric.add(one.tensor.name)

    def parity(self, e: Any, both: tuple[Axis, ...]) -> int:
        """1 where e is the same with its letters exchanged, −1 where the negative of that; 0 if neither is known."""
        swap = {both[0]: both[1], both[1]: both[0]}
        other = rename(e, swap)
        if other == e or not isinstance(e, Expr):
            return int(other == e)
        terms, others = ({*Add.make_args(side)} for side in (e, other))
        if others == terms or others == {-t for t in terms}:
            return 1 if others == terms else -1
        if isinstance(e, Entry):
            if e.tensor.name in self._symmetric and e.indices[:-2] == other.indices[:-2]:
                return int(set(both) == set(e.indices[-2:]))
            return 0 if e.tensor.body is None else self.parity(body_of(e), both)
        if isinstance(e, (SumOver, MeanOver)):
            return 0 if shadows(e, both) else self.parity(e.body, both)
        if isinstance(e, Inverse) and set(e.at) == set(both):
            return int(self.parity(e.body, e.axes) == 1)
        if isinstance(e, Delta):
            return int(set(e.args) == set(both))
        if isinstance(e, Add):
            found = {self.parity(term, both) for term in e.args}
            return found.pop() if len(found) == 1 else 0
        if isinstance(e, Mul):
            rest = unpaired(e.args, both)
            sign = int(rest is not None)
            for factor in rest or ():
                sign *= self.parity(factor, both)
            return sign
        if isinstance(e, Pow) and e.exp.is_Integer:
            return int(self.parity(e.base, both) ** int(abs(e.exp)))
        return int(bool(e.args) and isinstance(e, Expr) and all(self.parity(a, both) == 1 for a in e.args))

    def pairs(self, tensor: Tensor) -> tuple[tuple[int, int, int], ...]:
        """(a place, another one, the sign) where exchanging two indices changes the sign alone, or nothing."""
        if tensor not in self._pairs:
            self._pairs[tensor] = ()  # what rests on itself is not known
            found = []
            for p, q in combinations(range(len(tensor.axes)), 2):
                one, two = tensor.axes[p], tensor.axes[q]
                if one.size == two.size and (sign := self.parity(tensor[tensor.axes], (one, two))):
                    found.append((p, q, sign))
            self._pairs[tensor] = tuple(found)
        return self._pairs[tensor]

    def ordered(self, e: Any, letters: tuple[Axis, ...]) -> Any:
        """The same, each such entry with its letters in the order of `letters`; signs stand before sums."""
        if isinstance(e, Entry) and type(e) is Entry:
            return self._entry(e, letters)
        if not e.args or not e.has(Entry):
            return e
        if isinstance(e, (SumOver, MeanOver)):
            body = self.ordered(e.body, (*letters, *e.axes))
            sign, rest = body.as_coeff_Mul() if isinstance(body, Mul) else (1, body)
            negative = sign == -1 and body != e.body
            return -e.rebound(rest, e.axes) if negative else e if body == e.body else e.rebound(body, e.axes)
        if not isinstance(e, (Add, Mul, Pow, Function)):
            return e
        args = [self.ordered(a, letters) for a in e.args]
        return e if all(a == b for a, b in zip(args, e.args, strict=True)) else e.func(*args)

    def _entry(self, e: Any, letters: tuple[Axis, ...]) -> Any:
        sign, indices = 1, list(e.indices)
        for p, q, change in self.pairs(e.tensor) if e.tensor.body is not None else ():
            one, two = (indices[k] for k in (p, q))
            if one in letters and two in letters and letters.index(one) > letters.index(two):
                indices[p], indices[q], sign = two, one, sign * change
        return e if tuple(indices) == e.indices else sign * e.tensor[tuple(indices)]


def summed_once(tensors: Iterable[Tensor], ends: Iterable[Tensor]) -> frozenset[Tensor]:
    """Products with more axes than all that goes in or out, which one other definition alone reads."""
    users: Counter[Tensor] = Counter()
    for tensor in tensors:
        users.update({entry.tensor for entry in tensor.body.atoms(Entry)} if tensor.body is not None else ())
    largest = max((len(t.axes) for t in ends), default=0)
    return frozenset(t for t, n in users.items() if n == 1 and isinstance(t.body, Mul) and len(t.axes) > largest)


def opened_sums(e: Any, once: frozenset[Tensor]) -> Any:
    """The same with Σ of such a product written out: it is a contraction, and the product needs no array."""
    if isinstance(e, SumOver) and isinstance(e.body, Entry) and e.body.tensor in once:
        return e.rebound(body_of(e.body), e.axes)
    if not isinstance(e, (Add, Mul)) or not e.has(SumOver):
        return e
    args = [opened_sums(a, once) for a in e.args]
    return e if all(a == b for a, b in zip(args, e.args, strict=True)) else e.func(*args)


def letters_of(e: Any) -> set[Axis]:
    """The free letters."""
    return set(free_axes(e))


def body_of(e: Any) -> Any:
    """What defines an entry."""
    return rename(e.tensor.body, dict(zip(e.tensor.axes, e.indices, strict=True)))


def everywhere(e: Any) -> bool:
    """Whether a statement about an entry is one about all of them: its indices are different letters."""
    return isinstance(e, Entry) and all(isinstance(i, Axis) for i in e.indices) and len({*e.indices}) == len(e.indices)


def shadows(e: Any, both: tuple[Axis, ...]) -> bool:
    """Whether a reduction binds one of the letters."""
    return bool({*e.axes} & {*both})


def turned(one: Any, two: Any) -> bool:
    """Whether two entries have their last two indices exchanged."""
    return bool(len(one.indices) > 1 and two.indices == (*one.indices[:-2], one.indices[-1], one.indices[-2]))


def unpaired(factors: Iterable[Any], both: tuple[Axis, ...]) -> list[Any] | None:
    """The factors without pairs f(n) f(m); None where an f has no other half."""
    own: list[list[Any]] = [[], []]
    rest: list[Any] = []
    for f in factors:
        here = [k for k, letter in enumerate(both) if letter in letters_of(f)]
        (own[here[0]] if len(here) == 1 else rest).append(f)
    halves = sorted((rename(f, {both[0]: both[1]}) for f in own[0]), key=str)
    return rest if halves == sorted(own[1], key=str) else None
