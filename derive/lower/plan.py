"""When each node is computed: straight, or in a loop over blocks of rows.

Passes over a large array are bound by memory; taken block by block, each finds in the cache what the last one left. A
node can take part when row r of it needs row r of its arguments alone (a map), or when it is a sum over rows (an
accumulator). Nodes are fused by levels: a loop reads what was complete before it, and its own rows. What a condition
bounds is computed in a loop over strips of rows, each with the columns that are left to it: see `bands`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sympy import Expr

from .node import Labels, Node

OF_SEVERAL = tuple(
    f"special.{name}" for name in ("erfc", "bounded_exp", "opposed", "log_above")
)  # functions that emitted modules bring along
FEWEST_PASSES = 3  # below this many passes over large arrays a loop gains nothing

SOURCES = frozenset("input number size scalar full eye arange constant infinity".split())
VIEWS = frozenset("diagonal permute window split stretch".split())
REDUCTIONS = frozenset(
    "max min place gemm fold first weighted correlated prod sum vecdot vdot matmul einsum matvec tensordot".split()
)
BARRIERS = (
    frozenset("scan kept at_step carry".split())
    | frozenset(
        "inverse named_inverse determinant logdet cholesky eigenvalues eigenvectors solve "
        "singular_values singular_vectors qr_factors eigenpairs part "
        "exponential square_root logarithm exponential_slope square_root_slope logarithm_slope "
        "exponential_slopes square_root_slopes logarithm_slopes exponential_curvature exponential_curvatures "
        "definite_factor symmetric_factor definite_solve definite_logdet definite_inverse "
        "lu_factors lu_solve lu_logdet lu_inverse triangular_solve".split()
    )
    | frozenset("tensordot matvec copy broadcast stretch pad window split merge running gather scatter".split())
    | frozenset("place gemm fold first selected widened weighted correlated overlap concatenate".split())
)


class Bound(NamedTuple):
    """A condition: row · r + column · c + constant ≥ 0."""

    row: int
    column: int
    constant: Expr


class Band(NamedTuple):
    """How many rows and columns there are, the conditions on them, and the lengths of the axes before them."""

    rows: Expr
    columns: Expr
    bounds: tuple[Bound, ...]
    outer: tuple[Expr, ...]


@dataclass(frozen=True)
class Bands:
    """The nodes within a band; which of their labels are its rows and its columns; which sum over rows.

    `zeros` are read outside as well, where they are 0.
    """

    member: Mapping[Node, Band] = field(default_factory=dict)
    rows: Mapping[Node, int] = field(default_factory=dict)
    columns: Mapping[Node, int] = field(default_factory=dict)
    sums: frozenset[Node] = frozenset()
    zeros: frozenset[Node] = frozenset()

    def shape(self, node: Node) -> tuple[object, ...]:
        """What tells the shape of an array, or of its part in a strip."""
        return node.dims, self.rows.get(node), self.columns.get(node)


NO_BANDS = Bands()
Segment = tuple[int, Expr | Band | None]  # level, and the number of rows in a loop


def is_host(node: Node) -> bool:
    """Whether a node is a Python number."""
    return node.kind == "host"


@dataclass(frozen=True)
class Plan:
    """Nodes in their order of computation, in segments; which are inlined where they are used."""

    segments: tuple[tuple[Segment, tuple[Node, ...]], ...]
    place: Mapping[Node, Segment]
    accumulators: frozenset[Node]
    inline: frozenset[Node]
    large: int  # rank from which arrays are large
    pairs: Mapping[Segment, Expr]  # loops over the first two axes: the length of the second
    bands: Bands = NO_BANDS


def mode(node: Node) -> str:
    """How a node depends on rows: "map", "sum", or "" for neither."""
    if node.op == "window":  # slices of rows
        return "map" if node.rank and node.attr[0] is None and _only_first(node, 0) else ""
    if node.op in SOURCES or node.op in BARRIERS or is_host(node):
        return ""
    if node.kind == "int" or (
        node.kind == "bool" and node.args and all(a.kind in ("int", "host") for a, _ in node.args)
    ):
        return ""  # indices: small, beside the arrays that they index
    if node.op == "matmul" and node.rank > 1:
        # A matrix product is fastest whole; many of them, one a row, are as fast row by row.
        return "map" if all(len(labels) > 2 and labels[0] == 0 for _, labels in node.args) else ""
    if node.op == "spike" and 0 not in node.args[1][1]:
        return ""  # its entries are one a column
    if node.rank and _only_first(node, 0):
        return "map"
    reduced = {label for _, labels in node.args for label in labels if label >= node.rank}
    rows = [label for label in reduced if any(labels and labels[0] == label for _, labels in node.args)]
    summing = node.op in {"vdot", "einsum", "matmul", "sum"} and node.rank < 2
    if summing and len(rows) == 1 and _only_first(node, rows[0]) and rows_of(node, "sum") is not None:
        return "sum"
    return ""


def _only_first(node: Node, label: int) -> bool:
    """Whether every argument that has the label has it as its first axis, and one has it."""
    having = [labels for _, labels in node.args if label in labels]
    return bool(having) and all(labels[0] == label and label not in labels[1:] for labels in having)


def rows_of(node: Node, how: str) -> Expr | None:
    """The number of rows that a map or a sum runs over."""
    if how == "map":
        return node.dims[0]
    for arg, labels in node.args:
        if labels and labels[0] >= node.rank:
            return arg.dims[0]
    return None


def _sliced(labels: Labels, node: Node, how: str) -> bool:
    """Whether this argument is read row by row."""
    if not labels:
        return False
    return labels[0] == 0 if how == "map" else labels[0] >= node.rank


def row_of(node: Node, accumulators: frozenset[Node]) -> int:
    """The label of the rows in a statement of a loop: its first axis, or the one that it sums."""
    if node not in accumulators:
        return 0
    return next(labels[0] for _, labels in node.args if labels and labels[0] >= node.rank)


def reads(node: Node, row: int | None, inline: frozenset[Node]) -> Iterator[tuple[Node, bool]]:
    """The named values that a statement reads, also through what is inlined in it, and whether row by row."""
    for arg, labels in node.args:
        sliced = row is not None and labels[:1] == (row,)
        if arg in inline:
            yield from reads(arg, 0 if sliced else None, inline)
        else:
            yield arg, sliced


@dataclass
class _Levels:
    """The level of each node, given which loops are worth it."""

    nodes: Sequence[Node]
    targets: Sequence[Node]
    users: Mapping[Node, Sequence[Node]]
    bands: Bands
    refused: set[Node] = field(default_factory=set)
    place: dict[Node, Segment] = field(default_factory=dict)
    modes: dict[Node, str] = field(default_factory=dict)

    def assign(self) -> None:
        self.place = {}
        for node in self.nodes:
            band = self.bands.member.get(node)
            if band is not None:
                self.modes[node] = "sum" if node in self.bands.sums else "map"
            how = self.modes.setdefault(node, mode(node)) if node not in self.refused else ""
            rows = band if band is not None else rows_of(node, how) if how else None
            level = 0
            for arg, labels in node.args:
                if arg not in self.place:
                    continue  # a parameter
                before, loop = self.place[arg]
                together = loop is not None and loop == rows and self.modes[arg] == "map"
                together = together and (band is not None or _sliced(labels, node, how))
                level = max(level, before if loop is None or together else before + 1)
            self.place[node] = (level, rows)
        self._sink()

    def _sink(self) -> None:
        """What is read by a later loop alone is computed there: its operand is kept instead, and nothing is written."""
        for node in reversed(self.nodes):
            level, rows = self.place[node]
            using = self.users.get(node)
            if rows is None or not using or node in self.targets or self.modes[node] != "map":
                continue
            latest = min(self.place[user][0] - (not self._together(node, user)) for user in using)
            large = {arg for arg, _ in node.args if arg.rank == node.rank}
            if latest > level and (len(large) == 1 or node in self.bands.member):
                self.place[node] = (latest, rows)

    def _together(self, node: Node, user: Node) -> bool:
        """Whether `user`, in a loop, reads `node` row by row, so that both can stand in one loop."""
        rows = self.place[user][1]
        if rows is None or rows != self.place[node][1]:
            return False
        sliced = (_sliced(labels, user, self.modes[user]) for arg, labels in user.args if arg is node)
        return user in self.bands.member or all(sliced)

    def loops(self) -> dict[Segment, list[Node]]:
        found: dict[Segment, list[Node]] = {}
        for node in self.nodes:
            if self.place[node][1] is not None:
                found.setdefault(self.place[node], []).append(node)
        return found


def passes(nodes: Sequence[Node], large: int) -> int:
    """How often the nodes go over large arrays."""
    count = 0
    for node in nodes:
        if node.op in VIEWS or node.op == "spike":
            continue
        if node.rank >= large:
            several = len(node.args) - 1 if node.op == "terms" else FEWEST_PASSES
            count += several if node.op in ("terms", *OF_SEVERAL) else 1
        elif node.op in REDUCTIONS and any(arg.rank >= large for arg, _ in node.args):
            count += 1
    return count


def plan(
    nodes: Sequence[Node],
    targets: Sequence[Node],
    named: Mapping[Node, str],
    straight: bool = False,
    bands: Bands = NO_BANDS,
) -> Plan:
    """The plan for `nodes`, each listed after its arguments; `straight`: without loops."""
    every = [*nodes, *(arg for node in nodes for arg, _ in node.args)]
    large = min(2, max((node.rank for node in every), default=0)) or 1
    users: dict[Node, list[Node]] = {}
    for node in nodes:
        for arg, _ in node.args:
            users.setdefault(arg, []).append(node)
    levels = _Levels(nodes, targets, users, bands, set(nodes) if straight else set())
    while True:
        levels.assign()
        loops = [group for (_, rows), group in levels.loops().items() if not isinstance(rows, Band)]
        found = [(passes(group, large), group) for group in loops]
        fewest = FEWEST_PASSES - any(count >= FEWEST_PASSES for count, _ in found)  # beside another loop, one less
        weak = [group for count, group in found if count < fewest]
        if not weak:
            break
        levels.refused.update(node for group in weak for node in group)
    order: dict[Segment, list[Node]] = {}
    for node in sorted(nodes, key=lambda n: (levels.place[n][0], levels.place[n][1] is not None)):
        order.setdefault(levels.place[node], []).append(node)
    for segment, group in order.items():
        if segment[1] is not None:
            order[segment] = _reduced_early(group)
    sums = frozenset(n for n in nodes if levels.place[n][1] is not None and levels.modes[n] == "sum")
    inline = _inlined(nodes, set(targets), named, levels.place, sums, users, large, straight)
    plain = {s: g for s, g in order.items() if s[1] is not None and not isinstance(s[1], Band)}
    pairs = {s: second for s, g in plain.items() if (second := _second(g, inline)) is not None}
    return Plan(tuple((s, tuple(g)) for s, g in order.items()), levels.place, sums, inline, large, pairs, bands)


def _second(group: Sequence[Node], inline: frozenset[Node]) -> Expr | None:
    """The length of the second axis, where a loop with matrix products can go over it, too: all have it as they have
    the first."""
    lengths: set[Expr | None] = set()
    for node in group:
        lengths.add(node.dims[1] if node.rank > 1 and node.op != "spike" and mode(node) == "map" else None)
        lengths.update(None for _, labels in node.args if labels[:2] != (0, 1) and {0, 1} & {*labels})
    several = any(node.op == "matmul" and node.rank > 3 for node in group)
    return lengths.pop() if several and len(lengths) == 1 else None


def _reduced_early(group: Sequence[Node]) -> list[Node]:
    """The nodes of a loop, sums over rows moved up to what they read while that is in the cache."""
    members = set(group)
    waiting = {node: sum(arg in members for arg, _ in node.args) for node in group}
    users: dict[Node, list[Node]] = {}
    for node in group:
        for arg, _ in node.args:
            users.setdefault(arg, []).append(node)
    done: dict[Node, None] = {}
    for node in group:
        if node in done:
            continue
        done[node] = None
        for user in users.get(node, []):
            waiting[user] -= 1
            if not waiting[user] and mode(user) == "sum":
                done[user] = None
    return list(done)


MOST_INLINED = 7  # operations in one expression


def _inlined(
    nodes: Sequence[Node],
    targets: set[Node],
    named: Mapping[Node, str],
    place: Mapping[Node, Segment],
    sums: frozenset[Node],
    users: Mapping[Node, Sequence[Node]],
    large: int,
    straight: bool,
) -> frozenset[Node]:
    """Nodes written where they are used: numbers, views, and small values that one statement of their segment needs."""
    inline: set[Node] = set()
    size: dict[Node, int] = {}
    blockwise = set() if straight else {n for n in nodes if n.op == "gemm" and _summed_in_blocks(n, users.get(n, []))}
    for node in nodes:
        size[node] = 1 + sum(size.get(arg, 0) for arg, _ in node.args if arg in inline and not is_host(arg))
        loops = [rows for user in users.get(node, []) if (rows := place[user][1]) is not None]
        banded = any(isinstance(rows, Band) for rows in loops)
        in_loop = any(not isinstance(rows, Band) for rows in loops)
        turned = not (in_loop and mode(node) != "map") and not (banded and node.op != "permute")
        view = node.op in VIEWS and node not in targets and turned
        use = users.get(node, [])
        if is_host(node) or view or (node in blockwise and node not in targets):
            inline.add(node)
            continue
        if node.op in ("scan", "kept"):
            continue
        small = node.rank < large or node.kind in ("bool", "int") or node.op == "cast"
        alone = len(use) == 1 and node not in targets and node not in named and node not in sums
        source = node.op in SOURCES and place[use[0]][1] is not None if alone else False
        if alone and small and place[use[0]] == place[node] and size[node] <= MOST_INLINED and not source:
            inline.add(node)
    return frozenset(inline)


def _summed_in_blocks(gemm: Node, use: Sequence[Node]) -> bool:
    """Whether matrix products, one an image, are only summed into windows: that is done image by image, too."""
    if len(use) != 1 or use[0].op != "overlap" or len(use[0].args) != 1:
        return False
    (_, labels), (loop, *_), (specs, order) = use[0].args[0], gemm.attr[0], use[0].attr
    return bool(loop) and labels[0] == order[0] == 0 and specs[0] is None and order != labels
