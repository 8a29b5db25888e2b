"""Which values share memory: a value takes over the array of an operand that nobody reads any more.

A chain is a sequence of values in one array, each written in place of the one before. An array is ours when an
operation of this function made it: inputs, saved values and views of them are never written. A chain that is closed
lends its array to a later one of the same shape.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .node import Node
from .plan import VIEWS, Band, Bands, Plan, Segment, reads, row_of
from .program import Code

# Operations that can write into memory they are given, entry by entry.
ENTRYWISE = frozenset(
    "multiply divide terms negative exp log sqrt sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh "
    "arctanh absolute sign floor ceil log1p expm1 log2 log10 exp2 power maximum minimum arctan2 hypot "
    "special.bounded_exp special.opposed special.log_above "
    "special.erf special.erfc special.erfinv special.gamma special.gammaln special.digamma special.zeta".split()
)
IN_PLACE = ENTRYWISE | {"spike"}
HOUSED = ENTRYWISE | {"matmul", "concatenate"}  # ... or as they please
NOT_OURS = VIEWS | {"pad", "merge"}  # padding by nothing is the operand itself
FOREVER = 1 << 60


@dataclass(eq=False)
class Chain:
    """Values that live in one array under one name, in order; `whole`: of all rows, though in a loop.

    `lender` is the closed chain whose array and name it takes; `before` the one whose array it goes on in, renamed.
    """

    members: list[Node]
    segment: Segment
    whole: bool = False
    lent_to: list[Chain] = field(default_factory=list)
    lender: Chain | None = None
    before: Chain | None = None


@dataclass(frozen=True)
class Memory:
    """The chain of each value that has an array of its own; what statements read; what outlives its segment."""

    chain: Mapping[Node, Chain] = field(default_factory=dict)
    leaves: Mapping[Node, tuple[Node, ...]] = field(default_factory=dict)
    outside: set[Node] = field(default_factory=set)

    def housed(self, homes: Mapping[Node, Code]) -> dict[Chain, Code]:
        """The chains that are written to memory at hand: those that end in a value for which there is some."""
        found: dict[Chain, Code] = {}
        for node, code in homes.items():
            own = self.chain.get(node)
            if own is None or own.members[-1] is not node or own.members[0].op not in HOUSED or own in found:
                continue
            if own.lender is not None:
                own.lender.lent_to.remove(own)
            own.lender = own.before = None
            found[own] = code
        return found


def leaves_of(node: Node, inline: frozenset[Node]) -> tuple[Node, ...]:
    """The named values that a statement reads, also through what is inlined in it."""
    found: list[Node] = []
    stack = [arg for arg, _ in reversed(node.args)]
    while stack:
        part = stack.pop()
        if part in inline:
            stack.extend(arg for arg, _ in reversed(part.args))
        else:
            found.append(part)
    return tuple(found)


def memory(plan: Plan, targets: Sequence[Node], notes: Mapping[Node, str]) -> Memory:
    """Chains for the statements of a plan."""
    items = [node for _, group in plan.segments for node in group if node not in plan.inline]
    leaves = {node: leaves_of(node, plan.inline) for node in items}
    last: dict[Node, int] = {}
    outside: set[Node] = set(targets)
    for place, node in enumerate(items):
        for leaf in leaves[node]:
            last[leaf] = place
            if plan.place.get(leaf) != plan.place[node]:
                outside.add(leaf)
    last |= dict.fromkeys(targets, FOREVER)
    _outlast_views(last, items, leaves)
    whole = {(s, leaf) for s, group in plan.segments if s[1] is not None for leaf in _read_whole(group, plan)}
    chain: dict[Node, Chain] = {}
    open_: list[Chain] = []
    for place, node in enumerate(items):
        if node.rank < plan.large or node.kind == "bool" or node in plan.accumulators or node.op in NOT_OURS:
            continue
        given = (a for a in _candidates(node, plan) if a in chain and not _shared(a))
        taken = next((a for a in given if last[a] == place), None)
        banded = isinstance(plan.place[node][1], Band) and taken and plan.place[taken] != plan.place[node]
        if banded or (plan.place[node], taken) in whole:
            taken = None  # other blocks of the loop read all of it, other strips its columns
        if taken is not None and node.op in IN_PLACE:
            chain[node] = chain[taken]
            chain[node].members.append(node)
            continue
        chain[node] = Chain([node], plan.place[node])
        if node.op in IN_PLACE:
            _borrow(chain[node], open_, last, place, notes, plan.bands)
        open_.append(chain[node])
    for node, own in chain.items():
        if node in outside or last.get(node) == FOREVER or plan.place[own.members[0]] != plan.place[node]:
            own.whole = True
    readers = Counter(leaf for node in items for leaf in leaves[node])
    for own in open_:
        _unlend_whole(own)
        for part in _named_parts(own, notes, readers, plan):
            chain.update(dict.fromkeys(part.members, part))
    return Memory(chain, leaves, outside)


def _shared(node: Node) -> bool:
    """Whether a value that a loop keeps may be a view of an array that another one is a view of, too."""
    return node.op == "kept" and node.args[0][0].attr[0].shared(node.attr)


def _outlast_views(last: dict[Node, int], items: Sequence[Node], leaves: Mapping[Node, tuple[Node, ...]]) -> None:
    """Whoever reads what may be a view reads what it is a view of."""
    for node in reversed(items):
        if node.op in NOT_OURS:
            last.update((leaf, max(last[leaf], last.get(node, 0))) for leaf in leaves[node])


def dying(
    groups: Sequence[Sequence[Node]], plan: Plan, memory: Memory, targets: Sequence[Node]
) -> dict[Node, list[Node]]:
    """Arrays to give back, by the last node of the statement or loop that reads them last, if others are made later."""
    last: dict[Chain, int] = {}
    final: dict[Chain, Node] = {}
    for place, items in enumerate(groups):
        for node in items:
            for member in (node, *memory.leaves[node]):
                if member in memory.chain:
                    last[memory.chain[member]], final[memory.chain[member]] = place, member
    linked = {c for own in last for c in (own.lender, own.before, *own.lent_to) if c} | {
        own for own in last if own.lender or own.before or own.lent_to
    }
    kept = {memory.chain[t] for t in targets if t in memory.chain}
    large = [place for place, items in enumerate(groups) for n in items if _makes_array(n, plan, memory)]
    found: dict[Node, list[Node]] = {}
    for own, place in last.items():
        straight = own.whole or own.segment[1] is None
        if straight and own not in linked and own not in kept and any(later > place for later in large):
            found.setdefault(groups[place][-1], []).append(final[own])
    return found


def _makes_array(node: Node, plan: Plan, memory: Memory) -> bool:
    """Whether a statement asks for memory of the order of the largest arrays."""
    own = memory.chain.get(node)
    return node.rank >= plan.large and own is not None and own.members[0] is node and (own.lender or own.before) is None


def _read_whole(group: Sequence[Node], plan: Plan) -> set[Node]:
    """What the statements of a loop read otherwise than row by row."""
    found: set[Node] = set()
    for node in group:
        if node not in plan.inline and node not in plan.bands.member:
            found |= {leaf for leaf, sliced in reads(node, row_of(node, plan.accumulators), plan.inline) if not sliced}
    return found


def _named_parts(own: Chain, names: Mapping[Node, str], readers: Mapping[Node, int], plan: Plan) -> list[Chain]:
    """The chain, divided after each value that others read by its name before a later one is named."""
    parts, members = [own], own.members
    own.members = []
    for place, node in enumerate(members):
        parts[-1].members.append(node)
        if node in names and readers[node] > 1 and any(later in names for later in members[place + 1 :]):
            parts.append(Chain([], plan.place[members[place + 1]], own.whole, before=parts[-1]))
    return parts


def steps(node: Node, place: int | None) -> list[int]:
    """The order in which a sum takes its summands, if it is written in the place of that one."""
    every = list(range(len(node.args)))
    if place is None:
        return every
    plus = place if node.attr[place] > 0 else next(k for k in every if node.attr[k] > 0)
    first = [plus] if plus == place else [plus, place]
    return [*first, *(k for k in every if k not in first)]


def _candidates(node: Node, plan: Plan) -> list[Node]:
    """Operands in whose place the result can be written: same axes, same kind, not read after the first step."""
    found, inline = [], plan.inline
    for place, (arg, labels) in enumerate(node.args):
        same = labels == tuple(range(node.rank)) and plan.bands.shape(arg) == plan.bands.shape(node)
        same = same and arg.kind == node.kind
        same = same and (arg, labels) not in node.args[:place]
        later = [node.args[k][0] for k in steps(node, place)[2:]] if node.op == "terms" else []
        if same and not any(arg is other or (other in inline and arg in leaves_of(other, inline)) for other in later):
            found.append(arg)
    return found


def _borrow(
    new: Chain, chains: list[Chain], last: Mapping[Node, int], place: int, notes: Mapping[Node, str], bands: Bands
) -> None:
    for old in chains:
        final = old.members[-1]
        # An operand of the first step is read before its memory is written.
        closed = last.get(final, -1) < place + (new.members[0].op != "terms") and not any(
            member in notes for member in old.members
        )
        busy = _shared(final) or any(last.get(other.members[-1], -1) >= place for other in old.lent_to)
        same = bands.shape(final) == bands.shape(new.members[0]) and final.kind == new.members[0].kind
        if closed and same and not busy and old.segment == new.segment and old.lender is None:
            old.lent_to.append(new)
            new.lender = old
            return


def _unlend_whole(own: Chain) -> None:
    """An array that outlives its loop is its own; so is one whose lender is kept in whole."""
    lender = own.lender
    if lender is not None and (own.whole or lender.whole):
        lender.lent_to.remove(own)
        own.lender = None
