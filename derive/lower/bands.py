"""Conditions that bound one letter by another: where(k ≤ q, …), |q − k| < w, any that is affine in both letters.

Beyond them nothing is summed, so a strip of rows needs only the columns that the conditions leave it. Around each mask,
a band is what reads it and is made of it, entry by entry, up to where its columns or its rows are summed; each of these
sums must find 0 beyond the conditions, a maximum −∞. What is made in a band is never read beyond them, or is 0 there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sympy import Expr, Integer

from .node import Labels, Node
from .plan import BARRIERS, SOURCES, VIEWS, Band, Bands, Bound, is_host

ROW, COLUMN = "row", "column"
SUMS = frozenset("sum vecdot vdot matmul einsum matvec tensordot".split())
REDUCED = SUMS | {"max", "min", "prod"}
OUTSIDE = (SOURCES | BARRIERS | VIEWS | {"spike", "prod"}) - {"matvec", "tensordot"}
RELATIONS = {"less": (1, 1), "less_equal": (1, 0), "greater": (-1, 1), "greater_equal": (-1, 0)}  # b − a, less 1
ODD = frozenset("absolute sign sqrt sin tan tanh sinh arcsin arctan arcsinh arctanh expm1 log1p special.erf".split())
ZERO, LOW, HIGH = "0", "-oo", "oo"
OPPOSITE = {ZERO: ZERO, LOW: HIGH, HIGH: LOW}
Beyond = dict[Bound, str]  # what entries are where a condition does not hold, if that is known


class Affine(NamedTuple):
    """Σ coefficient · place along a label, and a whole number."""

    places: Mapping[int, int]
    constant: Expr

    def __add__(self, other: Affine) -> Affine:  # type: ignore[override]
        every = {*self.places, *other.places}
        places = {k: self.places.get(k, 0) + other.places.get(k, 0) for k in every}
        return Affine({k: c for k, c in places.items() if c}, self.constant + other.constant)

    def times(self, factor: int) -> Affine:
        return Affine({k: factor * c for k, c in self.places.items()}, factor * self.constant)

    def read(self, labels: Labels) -> Affine:
        """The same in the labels of whoever reads it."""
        return sum((Affine({labels[k]: c}, Integer(0)) for k, c in self.places.items()), Affine({}, self.constant))


def affine(node: Node) -> Affine | None:
    """A node of integers that is affine in its places."""
    if node.op == "arange":
        return Affine({0: 1}, Integer(0))
    if node.op == "size" or (node.op == "number" and node.attr.denominator == 1):
        return Affine({}, Integer(node.attr.numerator) if node.op == "number" else node.attr)
    if node.op not in ("plus", "minus", "times", "cast", "terms"):
        return None
    parts = [found.read(labels) for arg, labels in node.args if (found := affine(arg)) is not None]
    if len(parts) < len(node.args):
        return None
    if node.op == "times":
        number = next((p.constant for p in parts if not p.places and p.constant.is_Integer), None)
        other = next((p for p in parts if p.places), None)
        return None if number is None or other is None or len(parts) > 2 else other.times(int(number))
    signs = node.attr if node.op == "terms" else (1, -1 if node.op == "minus" else 1)
    return sum((p.times(s) for p, s in zip(parts, signs, strict=False)), Affine({}, Integer(0)))


def conditions(node: Node) -> list[Affine]:
    """What is at least 0 wherever a condition holds, affine in its places."""
    if node.op == "logical_and":
        return [found.read(labels) for arg, labels in node.args for found in conditions(arg)]
    if node.op not in RELATIONS and node.op != "equal":
        return []
    (a, of_a), (b, of_b) = node.args
    sign, less = RELATIONS.get(node.op, (1, 0))
    both = node.op == "equal"
    if a.op == "absolute" and sign > 0 and not both:  # |x| ≤ b is x ≤ b and −x ≤ b
        a, of_a, both = a.args[0][0], tuple(of_a[label] for label in a.args[0][1]), True
        left, right = affine(a), affine(b)
        if left is None or right is None:
            return []
        left, right = left.read(of_a), right.read(of_b) + Affine({}, Integer(-less))
        return [right + left.times(-1), right + left]
    left, right = affine(a), affine(b)
    if left is None or right is None:
        return []
    difference = (right.read(of_b) + left.read(of_a).times(-1)).times(sign) + Affine({}, Integer(-less))
    return [difference, difference.times(-1)] if both else [difference]


def bands(nodes: Sequence[Node], targets: Collection[Node]) -> Bands:
    """The bands among `nodes`, which are listed after their arguments; what is not among them is given."""
    seeds = [(node, arg, labels) for node in nodes for arg, labels in node.args if _seed(node, arg)]
    if not seeds:
        return Bands()
    users: dict[Node, list[Node]] = {}
    for node in nodes:
        for arg, _ in node.args:
            users.setdefault(arg, []).append(node)
    found = Bands()
    for node, mask, labels in seeds:
        for bound in conditions(mask):
            letters = sorted(bound.read(labels).places)
            if len(letters) == 2 and node not in found.member:
                search = _Search(list(nodes), set(targets), users, set(found.member))
                found = search.found(node, {letters[0]: ROW, letters[1]: COLUMN}, found)
    return found


def _seed(node: Node, arg: Node) -> bool:
    return _inner(node) and node.kind == "real" and arg.kind == "bool" and bool(conditions(arg))


def _inner(node: Node) -> bool:
    """Whether each entry of a node is made of entries, or sums of entries, of its arguments."""
    whole = node.kind == "bool" and all(a.kind in ("int", "host") or a.op == "cast" for a, _ in node.args)
    return node.op not in OUTSIDE and node.kind in ("real", "bool") and not whole and not affine(node)


@dataclass
class _Search:
    nodes: list[Node]
    targets: set[Node]
    users: Mapping[Node, Sequence[Node]]
    taken: set[Node]
    letters: dict[Node, dict[int, str]] = field(default_factory=dict)
    refused: set[Node] = field(default_factory=set)
    beyond: dict[Node, Beyond] = field(default_factory=dict)

    def found(self, seed: Node, letters: dict[int, str], before: Bands) -> Bands:
        """The bands before and the one around a seed, if there is one; its outer axes are as many as all share."""
        self._spread(seed, letters)
        every = self._settled(0)
        if every is None:
            return before
        summed = {n for n in every[0] if n.op in REDUCED}
        for outer in (2, 1, 0):
            settled = self._settled(outer)
            if settled is not None and summed <= settled[0]:
                members, bounds = settled
                break
        wide = next(n for n in self.nodes if n in members and len(self._free(n)) == 2)
        length = {letter: wide.dims[k] for k, letter in self._free(wide).items()}
        band = Band(length[ROW], length[COLUMN], tuple(sorted(bounds, key=str)), wide.dims[:outer])
        whole = {n for n in members if len(self._free(n)) == 2 and self._leaves(n, members)}
        sums = {n for n in members if ROW not in self._free(n).values()}
        return Bands(
            {**before.member, **dict.fromkeys(members, band)},
            {**before.rows, **{n: next(k for k, a in self.letters[n].items() if a == ROW) for n in members}},
            {**before.columns, **{n: k for n in members for k, a in self.letters[n].items() if a == COLUMN}},
            before.sums | sums, before.zeros | whole,
        )  # fmt: skip

    # What reads the mask, and is made of it

    def _spread(self, seed: Node, letters: dict[int, str]) -> None:
        inner = {n for n in self.nodes if _inner(n) and n not in self.taken}
        waiting = [seed]
        self.letters[seed] = letters
        while waiting:
            node = waiting.pop()
            own, free = self.letters[node], self._free(node)
            if len(own) == 2:
                for arg, labels in node.args:
                    use = {k: own[label] for k, label in enumerate(labels) if label in own}
                    if len(use) == 2 and arg in inner and self._learns(arg, use):
                        waiting.append(arg)
            if ROW not in free.values():
                continue
            for user in self.users.get(node, ()):
                for arg, labels in user.args if user in inner else ():
                    if arg is node and self._learns(user, {labels[k]: a for k, a in free.items()}):
                        waiting.append(user)

    def _learns(self, node: Node, use: dict[int, str]) -> bool:
        """Whether a use tells letters that were not known; of two that differ, neither is taken."""
        own = self.letters.get(node, {})
        joined = {**own, **use}
        clash = any(own[k] != a for k, a in use.items() if k in own) or len(set(joined.values())) < len(joined)
        if node in self.refused or clash:
            self.refused.add(node)
            return False
        self.letters[node] = joined
        return joined != own

    def _free(self, node: Node) -> dict[int, str]:
        return {k: a for k, a in self.letters[node].items() if k < node.rank}

    # What remains, since each sum finds nothing beyond

    def _settled(self, outer: int) -> tuple[set[Node], set[Bound]] | None:
        """The members, and the conditions that all of their sums obey."""
        members = {n for n in self.letters if n not in self.refused and self._fits(n, outer)}
        while True:
            self._look(members)
            neutral = {n: self._neutral(n, members) for n in members if n.op in REDUCED and self._reduces(n)}
            pairs = [n for n in members if len(self._free(n)) == 2 and self._leaves(n, members)]
            zero = {n: {bound for bound, value in self.beyond[n].items() if value == ZERO} for n in pairs}
            held = [bounds for bounds in (*neutral.values(), *zero.values()) if bounds]
            bounds = set.intersection(*held) if held else set()
            if not bounds or not any(n.op in SUMS for n in members):
                return None
            kept = {n for n in members if self._keeps(n, members, neutral.get(n), zero.get(n), bounds)}
            kept -= {arg for n in kept for arg, labels in n.args if labels[:outer] != tuple(range(outer))}
            if kept == members:
                return members, bounds
            members = kept

    def _reduces(self, node: Node) -> bool:
        return any(k >= node.rank for k in self.letters[node])

    def _fits(self, node: Node, outer: int) -> bool:
        """Whether the first axes of a node are those of what it reads."""
        first = tuple(range(outer))
        beyond = all(label >= outer for label in self.letters[node]) and node.rank >= outer
        return beyond and all(labels[:outer] == first or not {*first} & {*labels} for _, labels in node.args)

    def _leaves(self, node: Node, members: Collection[Node]) -> bool:
        return node in self.targets or any(user not in members for user in self.users.get(node, ()))

    def _keeps(
        self,
        node: Node,
        members: Collection[Node],
        neutral: Collection[Bound] | None,
        zero: Collection[Bound] | None,
        bounds: set[Bound],
    ) -> bool:
        """Whether what a node is beyond the conditions is what its readers expect."""
        if any(held is not None and not bounds <= set(held) for held in (neutral, zero)):
            return False
        free = self._free(node)
        if len(free) == 2:
            return node.kind == "real" or zero is None
        if ROW not in free.values():
            return neutral is not None and node.op in SUMS
        return neutral is not None or self._serves(node, members)

    def _serves(self, node: Node, members: Collection[Node]) -> bool:
        """Whether something with rows and columns is made of a node that has rows alone, or it costs nothing more."""
        made = any(arg in members for arg, _ in node.args)
        if made and all(arg in members or is_host(arg) for arg, _ in node.args):
            return True  # the rows are at hand
        using = [user for user in self.users.get(node, ()) if user in members]
        return made and any(
            len(self._free(user)) == 2 or (not self._reduces(user) and self._serves(user, members)) for user in using
        )

    def _neutral(self, node: Node, members: Collection[Node]) -> set[Bound]:
        """The conditions beyond which a reduction finds nothing."""
        wanted = {"max": LOW, "min": HIGH}.get(node.op, ZERO if node.op in SUMS else "")
        every = (self._seen(node, arg, labels, members) for arg, labels in node.args)
        return {bound for seen in every for bound, value in seen.items() if value == wanted}

    def _seen(self, node: Node, arg: Node, labels: Labels, members: Collection[Node]) -> Beyond:
        """What an argument is beyond conditions: a mask is 0."""
        own = self.letters[node]
        found = dict(self.beyond.get(arg, {})) if arg in members else {}
        place = {a: k for k, a in own.items()}
        for bound in conditions(arg) if arg.kind == "bool" else ():
            places = bound.read(labels).places
            if {*places} == {*place.values()} and len(places) == 2:
                found[Bound(places[place[ROW]], places[place[COLUMN]], bound.constant)] = ZERO
        return found

    def _look(self, members: Collection[Node]) -> None:
        self.beyond = {}
        for node in self.nodes:
            if node in members:
                seen = [self._seen(node, arg, labels, members) for arg, labels in node.args]
                every = {bound for found in seen for bound in found}
                values = {bound: _value(node, [found.get(bound, "") for found in seen]) for bound in every}
                self.beyond[node] = {bound: value for bound, value in values.items() if value}


def _number(node: Node) -> str:
    """A number of the host, as far as sums and maxima are concerned."""
    if node.op == "infinity":
        return HIGH if node.attr > 0 else LOW
    return ZERO if node.op == "number" and node.attr == 0 else ""


def _value(node: Node, args: Sequence[str]) -> str:
    """What an operation gives, for arguments of which some are known to be 0 or infinite; "" is anything."""
    op = node.op
    if op == "where":
        other = args[2] or _number(node.args[2][0])
        if args[0] == ZERO:
            return other
        return other if args[1] == other else ""
    if op in ("multiply", "logical_and", *SUMS):
        return ZERO if ZERO in args else ""
    if op == "divide":
        return ZERO if args[0] == ZERO else ""
    if op in ("exp", "exp2"):
        return ZERO if args[0] == LOW else ""
    if op in ODD or op == "cast":
        return ZERO if args[0] == ZERO else ""
    if op == "negative":
        return OPPOSITE.get(args[0], "")
    if op == "terms":
        signed = {value if sign > 0 else OPPOSITE.get(value, "") for sign, value in zip(node.attr, args, strict=True)}
        infinite = signed & {LOW, HIGH}
        return infinite.pop() if len(infinite) == 1 else ZERO if signed == {ZERO} else ""
    return ""
