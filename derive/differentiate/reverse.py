"""Reverse accumulation, which is backpropagation: one named adjoint for each intermediate, from the output inwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from derive.terms import Algebra, Head, Letter, Poly, Raw, Reader

from .partial import partials


@dataclass(eq=False)
class Backward:
    """The backward pass through named definitions. `extra` are letters that every adjoint carries besides its own
    (those of the output, when a Jacobian is asked for)."""

    reader: Reader
    order: tuple[Head, ...]
    extra: tuple[Letter, ...] = ()
    label: str = "_bar"
    token: object = field(default_factory=object)  # of this pass: its names are no other pass's
    adjoints: dict[int, Head] = field(default_factory=dict)
    pending: dict[int, list[tuple[Head, tuple[Letter, ...], Raw]]] = field(default_factory=dict)

    def slots(self, head: Head) -> tuple[Letter, ...]:
        """Free letters of the adjoint of `head`: its own slots, then the extra ones."""
        return (*head.slots, *self.extra)

    def adjoint(self, head: Head, value: Poly) -> Head:
        """The name of ∂L/∂head, defined by `value` over its slots."""
        algebra = self.reader.algebra
        made = algebra.head(
            ("adjoint", self.token, head.id), "name", head.label + self.label,
            tuple(algebra.letter_space[a] for a in self.slots(head)), slots=self.slots(head), args=(value,),
            role="adjoint", of=head.label,
        )  # fmt: skip
        made.args = (value,)
        self.adjoints[head.id] = made
        return made

    def push(self, head: Head, adjoint: list[Raw]) -> None:
        """Hand the adjoint of a definition (over its slots) on to everything its body mentions."""
        algebra = self.reader.algebra
        fresh = {slot: algebra.fresh(slot) for slot in head.slots}
        body = [(c, algebra.renamed(f, fresh), b) for c, f, b in algebra.raws(head.definition)]
        for target, letters, (coefficient, factors, bound) in partials(self.reader, body):
            own = frozenset(fresh.values())
            for c, bar, over in adjoint:
                part = algebra.product((coefficient, factors, bound | own), (c, algebra.renamed(bar, fresh), over))
                self.pending.setdefault(target.id, []).append((target, letters, part))

    def pulled(self, head: Head, slots: tuple[Letter, ...]) -> list[Raw]:
        """∂L/∂head at `slots` as raw terms: each occurrence with a δ for every index, nothing contracted yet."""
        algebra = self.reader.algebra
        result = []
        for _, letters, (coefficient, factors, bound) in self.pending.get(head.id, []):
            terms = dict(factors)
            for slot, letter in zip(slots, letters, strict=True):
                atom = (algebra.delta.id, (slot, letter))
                terms[atom] = terms.get(atom, 0) + 1
            result.append((coefficient, terms, bound))
        return result


def reachable(algebra: Algebra, polys: Iterable[Poly]) -> tuple[Head, ...]:
    """The names that polys rest on, each after what its definition mentions; iterative, for deep networks."""
    order: dict[int, Head] = {}
    entered: set[int] = set()
    stack: list[tuple[Head | None, list[int]]] = [(None, _mentioned(algebra, polys))]
    while stack:
        head, rest = stack[-1]
        if rest:
            following = algebra.heads[rest.pop()]
            if following.id not in entered:
                entered.add(following.id)
                stack.append((following, _mentioned(algebra, following.args)))
            continue
        stack.pop()
        if head is not None and head.kind == "name":
            order[head.id] = head
    return tuple(order.values())


def _mentioned(algebra: Algebra, polys: Iterable[Poly]) -> list[int]:
    """Ids of the names, functions and tests in polys, last first."""
    found = dict.fromkeys(
        head for poly in polys for (factors, _), _ in poly for (head, _), _ in factors
        if algebra.heads[head].kind in ("name", "op", "test")
    )  # fmt: skip
    return list(reversed(found))
