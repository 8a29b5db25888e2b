"""Recurrences as textbooks write them: s_{t−1} for what is carried, and adjoints that come back from t + 1.

The calculus cuts a recurrence at a tensor of its own, `s_before[t] = s[t − 1] + [t = 0] h0`, and names that tensor's
adjoint. A reader knows both by other names: the first is s_{t−1} with s_{−1} = h0, the second stands in the adjoint of
s_t, one step later. Nothing else is changed, and code and checks keep what they have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sympy import Add, Eq, Expr, Integer, Mul, Symbol
from sympy.core.basic import Basic

from derive.axes import (
    AdjointOf,
    Axis,
    Carried,
    Delta,
    Entry,
    PaddedEntry,
    TangentOf,
    Tensor,
    in_range,
    mapped,
    rename,
)
from derive.steps import Derivation, Equation, Step

from .factors import Factors, flattened
from .states import heirs, states_kept

NAMED = ("let", "output", "input")  # roles of the formula's own tensors; a definition by itself has them as inputs


@dataclass(frozen=True)
class Carry:
    """`before[…, t, …]` is `state[…, shifted, …]`, and `start` where that is before the first step."""

    before: Tensor
    state: Tensor
    place: int  # of t among the letters: not the first in a recurrence within another
    shifted: Expr  # t − 1, or t + 1 where the recurrence runs from the last step to the first
    first: Expr  # the place before the first step: −1, or T
    start: Expr

    @property
    def over(self) -> Axis:
        return self.before.axes[self.place]

    def moved(self, indices: Sequence[Basic]) -> tuple[Basic, ...]:
        """The indices one step before."""
        before = self.shifted.xreplace({self.over: indices[self.place]})
        return (*indices[: self.place], before, *indices[self.place + 1 :])

    def at(self, indices: Sequence[Basic], kind: type[Entry] = Entry) -> Entry:
        """The state one step before the place that `indices` say; it may lie before the first step."""
        return kind(self.state, *self.moved(indices))

    def kind(self, node: Entry) -> type[Entry]:
        """How a state is read: a tilde is for what lies beside it, not for what is before its first step."""
        along = enumerate(zip(self.before.axes, node.indices, strict=True))
        return Entry if all(k == self.place or in_range(i, a.size) for k, (a, i) in along) else node.func

    @property
    def begins(self) -> tuple[Entry, Expr]:
        """s_{−1} = h0."""
        axes = [self.first if k == self.place else axis for k, axis in enumerate(self.before.axes)]
        return Entry(self.state, *axes), self.start


def carry_of(tensor: Tensor) -> Carry | None:
    """What a definition reads of the step before; None for one that reads nothing so."""
    if tensor.body is None or tensor.role != "let":
        return None
    terms = flattened(tensor.body, Add) if isinstance(tensor.body, Add) else [tensor.body]
    read = next((t for t in terms if isinstance(t, PaddedEntry) and isinstance(t.tensor, Carried)), None)
    if read is None or len(terms) > 2 or read.tensor.target is None or read.tensor.ndim != tensor.ndim:
        return None
    shifted = [k for k, (index, axis) in enumerate(zip(read.indices, tensor.axes, strict=True)) if index != axis]
    if len(shifted) != 1:
        return None
    over, before = tensor.axes[shifted[0]], read.indices[shifted[0]]
    first = Integer(-1) if before == over - 1 else over.size
    starts = [f for t in terms if t is not read for f in Factors(t).above if not isinstance(f, Delta)]
    start = starts[0] if len(starts) == 1 else Mul(*starts, evaluate=False) if starts else Integer(0)
    return Carry(tensor, read.tensor.target, shifted[0], before, first, start)


@dataclass(frozen=True)
class Subject:
    """A traced formula, retold: `begins` says how each recurrence begins."""

    whole: Any
    definitions: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    begins: tuple[tuple[Entry, Expr], ...]
    steps: tuple[Expr, ...]  # how many there are, of each recurrence

    name = property(lambda self: self.whole.name)
    inputs = property(lambda self: self.whole.inputs)
    scalars = property(lambda self: self.whole.scalars)
    sizes = property(lambda self: self.whole.sizes)
    assumptions = property(lambda self: self.whole.assumptions)
    elementwise = property(lambda self: self.whole.elementwise)


@dataclass(frozen=True)
class Retelling:
    """Expressions in which a reader meets the states of recurrences only."""

    carries: Mapping[str, Carry]
    same: Mapping[str, Tensor]  # what is another tensor, entry by entry: m of m[t, h] = c[t, h]
    given: Derivation  # in which the adjoints of states keep their names
    bodies: Mapping[str, Expr]  # of adjoints, where that makes them other ones
    heirs: Mapping[str, Tensor] = field(default_factory=dict)  # see `heirs`
    made: dict[Tensor, Tensor] = field(default_factory=dict)

    def __call__(self, node: Any) -> Any:
        """The expression retold."""
        return mapped(node, self._change)

    def hides(self, tensor: Tensor | None) -> bool:
        """Whether a reader does not meet this tensor, nor its adjoint or tangent: their uses say what they are."""
        if tensor is None:
            return False
        name = tensor.of if tensor.role in ("adjoint", "tangent") else tensor.name
        return name in self.carries or (name in self.same and tensor.role != "output")

    def _change(self, node: Basic) -> Basic | None:
        if isinstance(node, Tensor):
            return self.tensor(node)
        if isinstance(node, AdjointOf) and self._inherits(node):
            return node.func(self(node.entry))
        if isinstance(node, AdjointOf) and self._stays(node):
            return node
        if isinstance(node, Add) and any(map(self._comes_back, terms := self._opened(node))):
            return Add(*map(self, sorted(terms, key=self._comes_back)), evaluate=False)
        if isinstance(node, Mul) and (bare := _without_tilde(node, self.carries)) is not None:
            return self(bare)
        if not isinstance(node, Entry):
            return None
        tensor = self._defined(node.tensor)
        tensor = self.heirs.get(tensor.name, tensor)
        indices = [self(index) for index in node.indices]
        if tensor.role == "adjoint" and self.hides(tensor) and tensor.body is not None:
            return self._plain(rename(self(tensor.body), dict(zip(tensor.axes, indices, strict=True))))
        if tensor.role == "tangent" and tensor.of in self.carries:
            carry = self.carries[tensor.of]
            return carry.kind(node)(self._tangent(tensor, carry), *carry.moved(indices))
        if tensor.name in self.carries and tensor.role in NAMED:
            carry = self.carries[tensor.name]
            return self(carry.at(indices, carry.kind(node)))
        if tensor.name in self.same and tensor.role in NAMED:
            return self(node.func(self.same[tensor.name], *indices))  # it may be one that is carried: s_{t−2}
        return node.func(self.tensor(tensor), *indices)

    def _inherits(self, node: AdjointOf) -> bool:
        """Whether what is derived is told by its first name."""
        first = self.same.get(node.entry.tensor.name)
        return first is not None and any(heir.of == first.name for heir in self.heirs.values())

    def _stays(self, node: AdjointOf) -> bool:
        """Whether what is derived keeps its name: ∂L/∂y and dy, where y is a state called another name."""
        tensor = node.entry.tensor
        return tensor.role == "output" or (self.hides(tensor) and not isinstance(node, TangentOf))

    def _defined(self, tensor: Tensor) -> Tensor:
        """The tensor that was carried, with the definition that a reader meets."""
        tensor = _defined(tensor)
        body = self.bodies.get(tensor.name)
        return tensor if body is None else tensor.with_(body=body)

    def _opened(self, node: Basic) -> list[Expr]:
        """The terms of a sum, those of a hidden adjoint among them: each has a place of its own."""
        found: list[Expr] = []
        for term in flattened(node, Add) if isinstance(node, Add) else [node]:
            inner = self._hidden_sum(term)
            found += [term] if inner is None else self._opened(inner)
        return found

    def _hidden_sum(self, term: Any) -> Expr | None:
        tensor = term.tensor if type(term) is Entry else None
        if tensor is None or tensor.of not in self.same or tensor.name in self.heirs or not self.hides(tensor):
            return None
        body = self._defined(tensor).body
        places = dict(zip(tensor.axes, term.indices, strict=True))
        return rename(body, places) if isinstance(body, Add) else None

    def _comes_back(self, term: Basic) -> bool:
        """Whether a term is what the next step hands back: it stands after what this step gives."""
        return any(
            e.tensor.role in ("adjoint", "carried") and self.hides(_defined(e.tensor)) for e in term.atoms(Entry)
        )

    def _tangent(self, tensor: Tensor, carry: Carry) -> Tensor:
        """ṡ of the tangent of what was before."""
        read = next(iter(tensor.body.atoms(PaddedEntry)), None) if tensor.body is not None else None
        found = read.tensor if read is not None else tensor.with_(name=f"{carry.state.name}_dot", of=carry.state.name)
        return self.tensor(_defined(found)) if isinstance(found, Tensor) else tensor

    def tensor(self, tensor: Tensor) -> Tensor:
        """The tensor with a body that is retold."""
        tensor = self._defined(tensor)
        if tensor.body is None:
            return tensor
        if tensor not in self.made:
            self.made[tensor] = tensor.with_(body=None)  # met again within its own body
            self.made[tensor] = tensor.with_(body=self(tensor.body))
        return self.made[tensor]

    def subject(self, whole: Any) -> Subject:
        """The formula's definitions; a state is called as it is before its step."""
        kept = tuple(self.tensor(t) for t in whole.definitions if not self.hides(t))
        begins = tuple((self(entry), self(start)) for entry, start in (c.begins for c in self.carries.values()))
        steps = tuple(dict.fromkeys(c.over.size for c in self.carries.values()))
        return Subject(whole, kept, tuple(self.tensor(t) for t in whole.outputs), begins, steps)

    def derivation(self) -> Derivation:
        """Every equation retold, but for those of tensors that are not met."""
        derivation = self.given
        kept = [self._equation(e) for e in self._inherited(derivation) if not self.hides(_about(e))]
        moved = [self._equation(e) for e in derivation.differentials if not self.hides(_about(e))]
        of = None if derivation.of is None else self(derivation.of)
        return replace(derivation, equations=tuple(kept), differentials=tuple(moved), of=of)

    def _inherited(self, derivation: Derivation) -> Iterator[Equation]:
        """The equations; what is told of an adjoint that has an heir is told of that."""
        told = {heir.name: e for e in derivation.equations for heir in self.heirs.values() if e.tensor is not None
                and e.kind == "adjoint" and e.tensor.name == heir.name}  # fmt: skip
        for equation in derivation.equations:
            name = equation.tensor.name if equation.tensor is not None and equation.kind == "adjoint" else ""
            if name in self.heirs:
                heir = self.heirs[name]
                yield replace(equation, target=told[heir.name].target, tensor=heir)
            elif name not in told:
                yield equation

    def _equation(self, equation: Equation) -> Equation:
        steps = [
            Step(s.law, self(s.before), self(s.after), s.why, tuple(self._cited(s.cites)))
            for s in equation.steps
        ]  # fmt: skip
        told = [s for s in steps if not _alike(s.before, s.after) or len(steps) == 1]
        tensor = self.tensor(equation.tensor) if equation.tensor is not None else None
        if equation.kind == "adjoint" and told and tensor is not None:
            told += self._closed(told[-1].after, tensor)
        return Equation(equation.kind, self(equation.target), tensor, tuple(told))

    def _closed(self, reached: Any, adjoint: Tensor) -> list[Step]:
        """δ_t by δ_{t+1} alone, where one name stands between: s̄_t = … ū_{t+1} …, ū_t = s̄_t (1 − s_t²)."""
        between = {e for e in reached.atoms(Entry) if e.tensor.role == "adjoint" and e.tensor.of != adjoint.of}
        if len(between) != 1 or not isinstance(reached, Add):
            return []
        (entry,) = between
        name, body = entry.tensor, entry.tensor.body
        if body is None or isinstance(body, Add) or entry.indices == name.axes:
            return []
        bars = {e.tensor.name for e in body.atoms(Entry) if e.tensor.role == "adjoint"}
        if bars != {adjoint.name}:
            return []
        inserted = self._plain(rename(body, dict(zip(name.axes, entry.indices, strict=True))))
        after = mapped(reached, lambda node: inserted if node == entry else None)
        cited = Eq(name[name.axes], body, evaluate=False)
        return [Step("insert an adjoint", reached, after, "the adjoint found above, put in", (cited,))]

    def _plain(self, node: Any) -> Any:
        """Entries one step further on, written as such: 0 by itself is what lies beyond the steps, not beside them."""
        backs = {carry.over: carry.first == -1 for carry in self.carries.values()}

        def known(axis: Axis, index: Expr) -> bool:
            return in_range(index, axis.size) or (axis in backs and is_beyond(index, axis, backs[axis]))

        def bare(entry: Basic) -> Entry | None:
            if not isinstance(entry, PaddedEntry):
                return None
            along = zip(entry.tensor.axes, entry.indices, strict=True)
            return Entry(*entry.args) if all(known(axis, index) for axis, index in along) else None

        return mapped(node, bare)

    def _cited(self, cites: Sequence[Any]) -> list[Any]:
        """What is cited, but for what says that a thing is itself."""
        found = [self(cited) if isinstance(cited, Basic) else cited for cited in cites]
        return [c for c in found if not (isinstance(c, Eq) and _same_entry(*c.args))]


def _same_entry(one: Basic, two: Basic) -> bool:
    """Whether both sides print alike: a tensor may be met with its definition and without."""
    if not isinstance(one, Entry) or not isinstance(two, Entry):
        return bool(one == two)
    return one.tensor.name == two.tensor.name and one.indices == two.indices


def _without_tilde(product: Mul, carries: Mapping[str, Carry]) -> Expr | None:
    """x̃_{l−1} s̃_{l−1,t−1} is x̃_{l−1} s_{l−1,t−1}: 0 is there already, and s_{l−1,−1} is what it starts from."""
    factors = list(product.args)
    padded = [f for f in factors if isinstance(f, PaddedEntry)]
    for state in (f for f in padded if _defined(f.tensor).name in carries):
        others = [pair for f in padded if f is not state for pair in _outside(f)]
        if all(pair in others for pair in _outside(state)):
            return Mul(*(Entry(*f.args) if f is state else f for f in factors), evaluate=False)
    return None


def _outside(entry: PaddedEntry) -> list[tuple[Basic, Expr]]:
    """The indices that may lie outside, each with the length of its axis."""
    pairs = zip(entry.indices, entry.tensor.axes, strict=True)
    return [(index, axis.size) for index, axis in pairs if not in_range(index, axis.size)]


def _alike(before: Any, after: Any) -> bool:
    """Whether two expressions are the same sum, in whatever order."""
    one, two = (flattened(side, Add) if isinstance(side, Add) else [side] for side in (before, after))
    return before == after or (len(one) == len(two) and set(one) == set(two))


def _about(equation: Equation) -> Tensor | None:
    """The tensor of whose value, adjoint or tangent an equation tells."""
    target = equation.target
    entry = target.entry if isinstance(target, AdjointOf) else target
    return entry.tensor if isinstance(entry, Entry) and equation.kind != "result" else None


def _defined(tensor: Tensor) -> Tensor:
    """What is carried is what it was made."""
    return tensor.target if isinstance(tensor, Carried) and tensor.target is not None else tensor


def _same(tensor: Tensor) -> Tensor | None:
    """The tensor of which another is only a second name."""
    body = tensor.body
    if isinstance(body, Entry) and type(body) is Entry and tuple(body.indices) == tensor.axes == body.tensor.axes:
        return body.tensor if body.tensor.role == "let" else None
    return None


def retelling(derivation: Derivation, subject: Any) -> Retelling | None:
    """How recurrences are retold; None for a formula without any, or whose carried adjoint refers to itself."""
    defined = {t.name: t for t in subject.definitions}
    carries = {name: carry for name, tensor in defined.items() if (carry := carry_of(tensor)) is not None}
    adjoints = {e.tensor.of: e.tensor for e in derivation.equations if e.kind == "adjoint" and e.tensor is not None}
    around = frozenset(name for name in carries if name in adjoints and _rests_on(adjoints[name].body, name))
    _, bodies = states_kept(derivation, around)
    still = {name for name in around if _rests_on(bodies.get(adjoints[name].name, adjoints[name].body), name)}
    carries = {name: c for name, c in carries.items() if name not in still}
    reads = {e for tensor in defined.values() for e in tensor.body.atoms(PaddedEntry)}
    carries = {name: c for name, c in carries.items() if c.start == 0 or not _beside(c, reads)}
    if not carries:
        return None
    states = {c.state.name for c in carries.values()}
    named = {t.name: t for t in (*subject.definitions, *subject.outputs)}
    same = {n: other for n, t in named.items() if (other := _same(t)) and (n in states or other.name in states)}
    same = {n: same.get(other.name, other) for n, other in same.items()}
    given, bodies = states_kept(derivation, around - still)
    return Retelling(carries, same, given, bodies, heirs(adjoints, same, bodies))


def _rests_on(body: Basic | None, of: str) -> bool:
    """Whether an adjoint stands in its own definition, without another name between."""
    return body is not None and any(_defined(e.tensor).of == of for e in body.atoms(Entry))


def _beside(carry: Carry, reads: Iterable[Entry]) -> bool:
    """Whether what was before is read beside its edges: with a tilde s_{−1} would be 0, and not what it starts from."""
    return any(read.tensor == carry.before and carry.kind(read) is PaddedEntry for read in reads)


def is_step(index: Basic) -> bool:
    """Whether an index is a letter or a number, or one of them a step on: t, t − 1, 0, T."""
    parts = flattened(index, Add) if isinstance(index, Add) else [index]
    plain = [p for p in parts if not isinstance(p, Integer)]
    return len(plain) <= 1 and all(isinstance(p, Symbol) for p in plain)


def is_beyond(index: Expr, axis: Axis, forwards: bool) -> bool:
    """Whether an index is a step, or lies beyond the last: T − 1, t + 1, where adjoints are 0; not before the first."""
    number = sum(p for p in (flattened(index, Add) if isinstance(index, Add) else [index]) if isinstance(p, Integer))
    away = number if forwards else -number
    moved = index if forwards else index + away
    return is_step(index) and in_range(moved, axis.size + max(away, 0))


def retold(derivation: Derivation, subject: Any) -> tuple[Derivation, Any]:
    """A derivation and its formula, recurrences as textbooks write them."""
    tell = None if isinstance(subject, Subject) else retelling(derivation, subject)
    return (derivation, subject) if tell is None else (tell.derivation(), tell.subject(subject))


__all__ = ["Carry", "Retelling", "Subject", "carry_of", "is_step", "retelling", "retold"]
