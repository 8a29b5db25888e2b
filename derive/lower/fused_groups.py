"""Which nodes one loop computes: those that agree on an axis along which every block can be computed by itself.

A node can stand in a loop when each of its entries is made of entries of its arguments: elementwise operations, and
reductions of one product whose largest factor has all axes. Matrix products, windows and gathers cannot. Axes of nodes
meet through arguments; the shared axis of a group is one that each member has, or that a sum, which no other member
reads, adds up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sympy import Expr

from .memory import ENTRYWISE
from .node import Labels, Node
from .plan import SOURCES, VIEWS, is_host

RELATIONS = frozenset("greater greater_equal less less_equal equal not_equal".split())
LOGICAL = frozenset("logical_and logical_or logical_not".split())
WHOLE = frozenset("plus minus times mod floor_divide maximum minimum negative".split())  # of integers made from places
REFUSED = frozenset({"special.erfinv", "special.digamma", "special.zeta"})  # of no library that loops could call
SAME = frozenset("cast copy broadcast permute stretch diagonal".split())  # the entry itself
PLAIN = (ENTRYWISE - REFUSED) | RELATIONS | LOGICAL | SAME | {"where"}
SUMS = frozenset("sum vecdot vdot matmul matvec einsum tensordot".split())
FOLDS = {"max": "max", "min": "min", "prod": "prod"} | dict.fromkeys(SUMS, "sum")
COSTLY = frozenset(
    "exp log sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh arctanh log1p expm1 log2 log10 exp2 power "
    "arctan2 hypot special.erf special.erfc special.gamma special.gammaln".split()
)
FEWEST = 3  # passes over large arrays below which a loop gains nothing; a costly function counts as two


def generated(nodes: Iterable[Node]) -> frozenset[Node]:
    """Those of the nodes whose entries follow from their place and from numbers alone: no array of them is needed."""
    found: set[Node] = set()
    for node in nodes:
        named = node.op in WHOLE if node.kind == "int" else node.op in PLAIN and node.op not in COSTLY
        source = node.op in SOURCES and node.op != "input"
        if source or (named and all(arg in found for arg, _ in node.args)) or is_host(node):
            found.add(node)
    return frozenset(found)


def factors(node: Node) -> list[tuple[Node, Labels]]:
    """What a reduction multiplies: ones are no factors."""
    ones = [pair for pair in node.args if pair[0].op == "full" and pair[0].args[0][0].attr == 1]
    return [pair for pair in node.args if pair not in ones] or list(node.args)


def fusible(node: Node, free: frozenset[Node]) -> bool:
    """Whether a loop over entries can compute a node; `free` are those that need no array."""
    if node.kind not in ("real", "bool") or node in free:
        return False
    if node.op in PLAIN:
        return True
    if node.op not in FOLDS or any(arg.kind != "real" for arg, _ in node.args):
        return False
    every = {label for _, labels in node.args for label in labels}
    largest = max(node.args, key=lambda pair: len(pair[1]))
    return set(largest[1]) == every and largest[0] not in free and all(len(set(k)) == len(k) for _, k in node.args)


def lengths_of(node: Node) -> dict[int, Expr]:
    """The length of each label of a node."""
    inner = {label: arg.dims[place] for arg, labels in node.args for place, label in enumerate(labels)}
    return inner | dict(enumerate(node.dims))


def reduced(node: Node) -> list[int]:
    """The labels that a node reduces."""
    return sorted({label for _, labels in node.args for label in labels if label >= node.rank})


@dataclass(eq=False)
class Group:
    """Nodes of one loop, each with the loop's axis of each of its labels; `read`: those of each axis of what is read.

    `free` are nodes that need no array, `shared` the axes that blocks could share, `dims` the
    lengths of all axes.
    """

    free: frozenset[Node]
    members: dict[Node, dict[int, int]] = field(default_factory=dict)
    read: dict[Node, tuple[int, ...]] = field(default_factory=dict)
    shared: set[int] = field(default_factory=set)
    dims: dict[int, Expr] = field(default_factory=dict)

    def own(self, node: Node) -> tuple[int, ...]:
        """The loop's axes of a member's result."""
        return tuple(self.members[node][label] for label in range(node.rank))

    def join(self, node: Node) -> bool:
        """Take the node in, if its axes meet those of the members and an axis can still be shared."""
        labels: dict[int, int] = {}
        fresh: dict[Node, Labels] = {}
        for arg, own in node.args:
            if arg in self.free or not own:
                continue
            known = self.own(arg) if arg in self.members else self.read.get(arg)
            if known is None:
                fresh[arg] = own
            elif not self._meet(labels, own, known) and arg in self.members:
                return False
        dims = dict(self.dims)
        lengths = lengths_of(node)
        for label in (*range(node.rank), *reduced(node)):
            if label not in labels:  # nothing says which axis it is: one of its length that is not taken, or a new one
                alike = (a for a, dim in dims.items() if dim == lengths[label] and a not in labels.values())
                labels[label] = next(alike, len(dims))
                dims[labels[label]] = lengths[label]
        if len(set(labels.values())) < len(labels):
            return False
        shared = self._shared(node, labels)
        if not shared:
            return False
        self.members[node], self.shared, self.dims = labels, shared, dims
        for arg, own in fresh.items():
            if len(set(own)) == len(own):
                self.read.setdefault(arg, tuple(labels[label] for label in own))
        return True

    @staticmethod
    def _meet(labels: dict[int, int], own: Labels, known: tuple[int, ...]) -> bool:
        """Note which axes the labels are; whether that agrees with what is noted."""
        wanted = dict(zip(own, known, strict=True))
        if any(labels.get(label, axis) != axis for label, axis in wanted.items()) or len(wanted) < len(own):
            return False
        taken = {axis for label, axis in labels.items() if label not in wanted}
        if taken & set(wanted.values()):
            return False
        labels.update(wanted)
        return True

    def _shared(self, node: Node, labels: Mapping[int, int]) -> set[int]:
        """Axes that could still be shared, with this node among the members."""
        kept = {labels[label] for label in range(node.rank)}
        added = {labels[label] for label in reduced(node)} if FOLDS.get(node.op) == "sum" else set()
        candidates = self.shared & (kept | added) if self.members else kept | added
        inner = [arg for arg, _ in node.args if arg in self.members]
        return {axis for axis in candidates if all(axis in self.own(arg) for arg in inner)}


Item = Node | Group


def grouped(nodes: Sequence[Node], large: int) -> list[Item]:
    """Loops and single nodes, in an order in which each has what it needs. What is generated is not listed."""
    items: list[Item] = []
    place: dict[Node, int] = {}
    free = generated(nodes)
    for node in nodes:
        if node in free:
            continue
        ready = max((place[arg] for arg, _ in node.args if arg in place), default=0)
        found = _loop(node, items, ready, place, free) if fusible(node, free) else None
        if found is None:
            items.append(node)
            found = len(items) - 1
        place[node] = found
    return [part for item in items for part in _worthwhile(item, large)]


def _loop(node: Node, items: list[Item], ready: int, place: Mapping[Node, int], free: frozenset[Node]) -> int | None:
    """The place of the first loop that takes the node in, all else that it needs being before; or of a new one."""
    for k in range(ready, len(items)):
        item = items[k]
        if not isinstance(item, Group) or any(
            place.get(arg, -1) == k and arg not in item.members for arg, _ in node.args
        ):
            continue
        if item.join(node):
            return k
    new = Group(free)
    if not new.join(node):
        return None
    items.append(new)
    return len(items) - 1


def _worthwhile(item: Item, large: int) -> Iterable[Item]:
    """The loop, or its nodes one by one where it would save nothing."""
    if isinstance(item, Group) and passes(item.members, large) < FEWEST:
        return list(item.members)
    return [item]


def passes(nodes: Iterable[Node], large: int) -> int:
    """How often array code would go over large arrays."""
    count = 0
    for node in nodes:
        if node.op in VIEWS or max([node.rank, *(arg.rank for arg, _ in node.args)]) < large:
            continue
        count += len(node.args) - 1 if node.op == "terms" else 2 if node.op in COSTLY else 1
    return count
