"""Names for a reader: which definitions are printed by name, what they are called, and the tensors that carry them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from sympy import Expr

from derive.axes import Axis, Carried, Tensor
from derive.simplify import cost
from derive.terms import Algebra, Head, Letter, Poly, Writer, only

from .search import Outcome, Sheet
from .windows import solved

CHEAP = 3.0  # a reduction of at most this cost is written out where it occurs once in an expression


class Presentation:
    """Tensors for the names of an outcome. `full` names every intermediate; else only what is worth a name."""

    def __init__(self, outcome: Outcome, taken: Iterable[str], *, full: bool) -> None:
        self.outcome = outcome
        self.algebra: Algebra = outcome.reader.algebra
        self.writer = Writer(self.algebra, self.tensor)
        self.tensors: dict[int, Tensor | None] = {}
        self.taken = set(taken)
        self.labels: dict[int, str] = {}
        self.full = full
        self._label()
        self._build()

    # Which names.

    def _label(self) -> None:
        """A label for every name without a tensor, the same in both views; then which of them are printed."""
        for head in self._always():
            label = head.label if head.role == "adjoint" else _found_label(self.algebra, head)
            self.labels[head.id] = self._unique(label)
        autos = [h for h in self.outcome.forward if h.payload is None and h.role == "auto"]
        sheets = {s.head.id for s in self.outcome.sheets}
        for head in sorted(autos, key=lambda h: h.id not in sheets):  # what is told of has the first letters
            self.labels[head.id] = self._unique(_auto_label(self.algebra, head))
        shown = [h for h in autos if h.id in sheets] if self.full else self._worth_naming(self._mentioned())
        self.places = tuple(places_in(self.algebra, self._displayed()))
        for head in self.places:
            along = self._over(head)[head.over[head.payload]].name
            self.labels[head.id] = self._unique(f"k_{along}" if len(head.over) > 1 else "k")
        self.shown = {h.id for h in (*self._always(), *shown, *self.places)}

    def _over(self, head: Head) -> dict[Letter, Axis]:
        """What the letters of a maximum are called."""
        return self.writer.letters_for(sorted(head.over), self.names(head, head.slots), only(head.args[0]))

    def _always(self) -> list[Head]:
        """Names found, and those of an earlier pass that this one rests on."""
        earlier = [h for h in self.outcome.forward if h.payload is None and h.role in ("found", "adjoint")]
        return list(dict.fromkeys((*earlier, *self.outcome.found)))

    def _unique(self, label: str) -> str:
        name, number = label, 0
        while name in self.taken:
            number += 1
            name = f"{label}_{number}"
        self.taken.add(name)
        return name

    def _displayed(self) -> list[Poly]:
        values = [s.value for s in (*self.outcome.results.values(), *self.outcome.kept())]
        return values + [h.definition for h in self.outcome.found]

    def _mentioned(self) -> list[Head]:
        """Names without a tensor that displayed polys rest on, earlier definitions first."""
        seen: dict[int, Head] = {}
        stack = list(self._displayed())
        while stack:
            for head in names_in(self.algebra, stack.pop()):
                if head.payload is None and head.role == "auto" and head.id not in seen:
                    seen[head.id] = head
                    stack.append(head.definition)
        return sorted(seen.values(), key=lambda h: h.id)

    def _worth_naming(self, autos: list[Head]) -> list[Head]:
        """Reductions that would otherwise be written out more than once, and are not cheap."""
        reductions = {
            h.id for h in autos
            if any(term[1] for term, _ in h.definition) and not is_reading(self.algebra, h.definition)
        }  # fmt: skip
        expressions = [self._uses(poly, reductions) for poly in self._displayed()]
        named: list[Head] = []
        for head in reversed(autos):
            if head.id not in reductions:
                continue
            counts = [e[head.id] for e in expressions]
            price = cost(self.algebra, head.definition)
            if max(counts, default=0) > 1 or (sum(counts) > 1 and price > CHEAP):
                named.append(head)
                expressions.append(self._uses(head.definition, reductions))
            elif sum(counts):
                inner = self._uses(head.definition, reductions)
                for counter, times in zip(expressions, counts, strict=True):
                    for key, uses in inner.items():
                        counter[key] += uses * times
        return list(reversed(named))

    def _uses(self, poly: Poly, reductions: set[int]) -> Counter[int]:
        """How often each reduction is written when names that are no reductions are written out."""
        counts: Counter[int] = Counter()
        stack = [poly]
        while stack:
            for head in names_in(self.algebra, stack.pop()):
                if head.id in reductions:
                    counts[head.id] += 1
                elif head.payload is None and head.role == "auto":
                    stack.append(head.definition)
        return counts

    # Tensors.

    def _build(self) -> None:
        """Tensors in the order of definition, so that no body is written before what it rests on."""
        bars = {s.bar.id: s for s in self.outcome.sheets if s.bar is not None}
        shown = self.outcome.sheets if self.full else self.outcome.kept()
        suffix = "_dot" if any(s.bar and s.bar.role == "tangent" for s in shown) else "_bar"
        self.labels.update({s.bar.id: self._unique(self.label(s.head) + suffix) for s in shown if s.bar is not None})
        carried = {n: (s.bar, s.head, s.slots) for n, s in self.outcome.carried.items() if s in shown}
        carried |= {name.id: (bar, bar, bar.slots) for name, bar in self.outcome.earlier}
        cut = {name: self._carried(*given) for name, given in carried.items()}
        self.tensors.update(cut)
        for head in (h for h in self.algebra.heads if h.id in self.shown and h.id not in bars):
            if head.kind == "op":
                self.tensors[head.id] = self._placed(head)
                continue
            self.tensors[head.id] = self._defined(head, head.definition, head.slots, head.role)
        for sheet in shown:
            assert sheet.bar is not None
            self.tensors[sheet.bar.id] = self._defined(sheet.bar, sheet.value, sheet.slots, sheet.bar.role, sheet)
        for name, made in cut.items():
            bar = carried[name][0]
            made.target = self.tensors[bar.id] if bar is not None else None

    def label(self, head: Head) -> str:
        if head.payload is not None:
            return str(head.payload.name)
        return self.labels.get(head.id) or "u"

    def label_for(self, head: Head) -> str:
        """A label for a head of a later stage (a peak, a shifted sum), unique like the others."""
        if head.id not in self.labels:
            self.labels[head.id] = self._unique(head.label or "u")
        return self.labels[head.id]

    def _carried(self, bar: Head | None, head: Head, slots: tuple[Letter, ...]) -> Carried:
        """An adjoint that its own definition refers to."""
        assert bar is not None
        names = self.names(head, slots)
        return Carried(self.labels[bar.id], [names[a] for a in slots])

    def _defined(
        self, head: Head, poly: Poly, slots: tuple[Letter, ...], role: str, sheet: Sheet | None = None
    ) -> Tensor:
        names = self.names(sheet.head if sheet else head, slots)
        body = self.write(poly, names)
        role = "found" if role == "auto" else role
        of = self.label(sheet.head) if sheet else ""
        return Tensor(self.labels[head.id], [names[a] for a in slots], body=body, role=role, of=of)

    def write(self, poly: Poly, names: Mapping[Letter, Axis], *, factor: bool = True) -> Expr:
        """The expression of a poly, its windows solved."""
        return solved(self.writer.write(poly, names, factor=factor))

    def _placed(self, head: Head) -> Tensor:
        """Where a maximum stands, as a tensor of integers."""
        names = self.names(head, head.slots)
        body = solved(self.writer.call(head, head.slots, names))
        return Tensor(self.labels[head.id], [names[a] for a in head.slots], dtype="int", body=body, role="found")

    def names(self, head: Head, slots: tuple[Letter, ...]) -> dict[Letter, Axis]:
        """Letters for the slots of a head: its declared axes where it has them; extra letters are the user's own."""
        extra = {
            a: axis for a in self.outcome.extra if a in slots and (axis := self.algebra.letter_axis[a]) is not None
        }
        taken = {axis.name for axis in extra.values()}
        declared = head.payload.axes if isinstance(head.payload, Tensor) else ()
        own = dict(zip(head.slots, declared, strict=bool(declared)))
        names = {**{a: axis for a, axis in own.items() if axis.name not in taken}, **extra}
        rest = [a for a in slots if a not in names]
        factors = only(head.definition) if head.kind == "name" else ()
        return {**names, **self.writer.letters_for(rest, names, factors)}

    def tensor(self, head: Head) -> Tensor | None:
        """The tensor by which a name is printed, or None where it is written out."""
        if head.id in self.tensors:
            return self.tensors[head.id]
        return head.payload if isinstance(head.payload, Tensor) else None

    def entry(self, head: Head, slots: tuple[Letter, ...]) -> Expr:
        """`head` at its own slots, as an entry of its tensor."""
        tensor = self.tensor(head)
        assert tensor is not None
        names = self.names(head, slots)
        return tensor[tuple(names[a] for a in head.slots)]


def names_in(algebra: Algebra, poly: Poly) -> list[Head]:
    """Each occurrence of a name in a poly, through functions but not through names."""
    found, stack = [], [poly]
    while stack:
        for (factors, _), _ in stack.pop():
            for (head, _), _ in factors:
                kind = algebra.heads[head]
                if kind.kind == "name":
                    found.append(kind)
                elif kind.kind in ("op", "test"):
                    stack.extend(kind.args)
    return found


def is_reading(algebra: Algebra, poly: Poly) -> bool:
    """Whether a definition is one entry seen through windows, x[s·h + r − p]: as short as a name."""
    if len(poly) != 1:
        return False
    (factors, _), coefficient = poly[0]
    read = [a for a, _ in factors if algebra.heads[a[0]].label != "window"]
    return coefficient == 1 and len(read) == 1 < len(factors) and algebra.heads[read[0][0]].kind in ("tensor", "name")


def places_in(algebra: Algebra, polys: Iterable[Poly]) -> list[Head]:
    """The places of maxima that windows mention, in order."""
    found: dict[int, Head] = {}
    stack, seen = list(polys), set[int]()
    while stack:
        for (factors, _), _ in stack.pop():
            for (head, _), _ in factors:
                kind = algebra.heads[head]
                if head not in seen and kind.kind in ("op", "test", "name"):
                    seen.add(head)
                    stack.extend(kind.args)
                if kind.label in ("argmax", "argmin"):
                    found.setdefault(head, kind)
    return sorted(found.values(), key=lambda h: h.id)


def _found_label(algebra: Algebra, head: Head) -> str:
    """p for a normalised exponential, x̂ for a centred or scaled x, else r (a ratio)."""
    whole = [(algebra.heads[a[0]], p) for a, p in head.definition[0][0][0] if set(a[1]) == set(head.slots)]
    if any(h.label == "exp" and p.denominator == 1 for h, p in whole):
        return "p"
    lead = max(
        (h for h, p in whole if abs(p) == 1 and h.kind not in ("test", "delta")),
        key=lambda h: (h.kind == "op", h.kind == "tensor"), default=None,
    )  # fmt: skip
    if lead is None:
        return "r"
    if lead.role == "auto" and len(head.definition[0][0][0]) == 1:
        return "s"  # the reciprocal of a bracket: a sigmoid
    if lead.payload is not None:
        return f"{lead.payload.name}hat"
    inner = [h for h in (algebra.heads[a[0]] for (f, _), _ in lead.args[0] for a, _ in f) if h.kind == "tensor"]
    return f"{inner[0].payload.name}hat" if inner else "r"


def _auto_label(algebra: Algebra, head: Head) -> str:
    """μ for a mean, v for a mean of squares, S for a sum of exponentials, else u."""
    (factors, bound), _ = head.definition[0]
    heads = [algebra.heads[a[0]] for a, _ in factors]
    if not bound or len(head.definition) > 1:
        return "u"
    if any(h.label == "exp" for h in heads):
        return "S"
    is_mean = any(h.kind == "symbol" and p == -1 for h, (_, p) in zip(heads, factors, strict=True))
    body = [p for h, (_, p) in zip(heads, factors, strict=True) if h.kind != "symbol"]
    return "mu" if is_mean and body == [1] else "v" if is_mean and body == [2] else "u"
