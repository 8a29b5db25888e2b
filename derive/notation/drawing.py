"""A formula's graph drawn: what depends on what, from the inputs down to the output; as SVG and as TikZ.

Every node stands below what it is made of. An edge that passes a layer bends there, so that it crosses no node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from derive.axes import Tensor, tensors_of

from .lines import latex_width
from .story import LOSS, Told
from .view import View

FEWEST = 3  # named parts, the output among them, from which on a formula is worth drawing
SWEEPS = 4
HEIGHT, BOX, GAP = 92, 44, 22  # pixels: from layer to layer, of a node's box, between two boxes
NARROWEST = 64
LINE, UNIT = 1.7, 0.34  # cm in TikZ: from layer to layer, and an em
MOST = (15.0, 21.0)  # cm: the largest drawing on a page of LaTeX

Place = tuple[float, int]  # slot within the layer, layer
Edge = tuple[str, str]


@dataclass(frozen=True)
class Graph:
    """Nodes by name, in topological order, and the edges along which values flow."""

    nodes: tuple[Tensor, ...]
    edges: tuple[Edge, ...]
    outputs: frozenset[str]

    @property
    def inputs(self) -> frozenset[str]:
        return frozenset(t.name for t in self.nodes if t.body is None)

    def users(self, name: str) -> tuple[str, ...]:
        """What a node flows into, in order."""
        return tuple(end for start, end in self.edges if start == name)

    def paths(self, name: str, most: int) -> list[tuple[str, ...]] | None:
        """Every way from a node to an output, the node first; None if there are more than `most`."""
        found: list[tuple[str, ...]] = []
        stack: list[tuple[str, ...]] = [(name,)]
        while stack:
            path = stack.pop()
            if path[-1] in self.outputs:
                found.append(path)
            stack += [(*path, user) for user in reversed(self.users(path[-1]))]
            if len(found) + len(stack) > 8 * most or len(found) > most:
                return None
        return found


def graph_of(subject: Told) -> Graph:
    """The graph of a traced formula; inputs that nothing uses are left out."""
    defined = subject.definitions
    bodies = {t.name: t.body for t in defined}
    edges = tuple((used.name, t.name) for t in defined for used in tensors_of(t.body))
    used = {start for start, _ in edges}
    inputs = tuple(t for t in subject.inputs if t.name in used and t.name not in bodies)
    return Graph((*inputs, *defined), edges, frozenset(t.name for t in subject.outputs))


def worth_drawing(subject: Told) -> bool:
    """Whether a formula is a network: a chain, or several named parts.

    A recurrence is none: its state is made of itself, and a product of Jacobians would need one factor for each step.
    """
    known = {t.name for t in subject.inputs}
    for tensor in subject.definitions:
        if not {used.name for used in tensors_of(tensor.body)} <= known:
            return False
        known.add(tensor.name)
    return len(subject.definitions) >= FEWEST


@dataclass(frozen=True)
class Drawing:
    """Places of the nodes, and the corners of every edge."""

    graph: Graph
    places: Mapping[str, Place]
    corners: Mapping[Edge, tuple[Place, ...]]

    @property
    def extent(self) -> tuple[float, int]:
        """The largest slot and the last layer."""
        found = [*self.places.values(), *(place for way in self.corners.values() for place in way)]
        return max(slot for slot, _ in found), max(layer for _, layer in found)


def drawn(graph: Graph) -> Drawing:
    """The graph in layers, its nodes ordered so that few edges cross."""
    layers = _layers(graph)
    chains = {edge: _bends(edge, layers) for edge in graph.edges}
    rows: dict[int, list[str]] = {}
    for name, layer in [*layers.items(), *((n, at) for way in chains.values() for n, at in way)]:
        rows.setdefault(layer, []).append(name)
    steps = [
        (one, two)
        for edge, way in chains.items()
        for one, two in zip(
            [edge[0], *(n for n, _ in way)], [*(n for n, _ in way), edge[1]], strict=True
        )
    ]  # fmt: skip
    slots = _ordered(rows, steps)
    places = {name: (slots[name], layers[name]) for name in layers}
    return Drawing(graph, places, {e: tuple((slots[n], at) for n, at in way) for e, way in chains.items()})


def _layers(graph: Graph) -> dict[str, int]:
    """The layer of each node: one below the lowest that it is made of; an input right above its first user."""
    found: dict[str, int] = {}
    inputs = graph.inputs
    above: dict[str, list[str]] = {}
    for start, end in graph.edges:
        above.setdefault(end, []).append(start)
    for tensor in graph.nodes:
        if tensor.name not in inputs:
            found[tensor.name] = 1 + max((found[n] for n in above.get(tensor.name, ()) if n not in inputs), default=0)
    for name in (t.name for t in graph.nodes if t.name in inputs):
        found[name] = min(found[user] for user in graph.users(name)) - 1
    return found


def _bends(edge: Edge, layers: Mapping[str, int]) -> list[tuple[str, int]]:
    """A corner in each layer that an edge passes."""
    return [(f"{edge[0]}>{edge[1]}@{at}", at) for at in range(layers[edge[0]] + 1, layers[edge[1]])]


def _ordered(rows: dict[int, list[str]], steps: Sequence[tuple[str, str]]) -> dict[str, float]:
    """A slot for each node: every layer sorted by where its neighbours stand, then centred."""
    slot = {name: float(place) for names in rows.values() for place, name in enumerate(names)}
    near: dict[str, list[str]] = {}
    for one, two in steps:
        near.setdefault(one, []).append(two)
        near.setdefault(two, []).append(one)
    for sweep in range(SWEEPS):
        for layer in sorted(rows, reverse=bool(sweep % 2)):
            middle = {n: sum(slot[m] for m in near.get(n, [n])) / len(near.get(n, [n])) for n in rows[layer]}
            rows[layer].sort(key=lambda name: (middle[name], slot[name], name))
            slot.update({name: float(place) for place, name in enumerate(rows[layer])})
    widest = max(map(len, rows.values()))
    for names in rows.values():
        shift = (widest - len(names)) / 2
        slot.update({name: place + shift for place, name in enumerate(names)})
    return slot


# As SVG.


def svg(drawing: Drawing, view: View) -> str:
    """The drawing for an HTML page, whose style sheet names the colours; `view` prints Unicode."""
    slots, layers = drawing.extent
    across = max(NARROWEST, *(_box(view, t) for t in drawing.graph.nodes)) + GAP
    width, height = round((slots + 1) * across), (layers + 1) * HEIGHT
    label = f"Graph: {', '.join(f'{a} flows into {b}' for a, b in drawing.graph.edges[:40])}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(label)}" font-family="Georgia, \'DejaVu Serif\', serif" font-size="16">',
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="var(--soft)"/></marker></defs>',
    ]
    parts += [_path(drawing, edge, across) for edge in drawing.graph.edges]
    for tensor in drawing.graph.nodes:
        x, y = _pixel(drawing.places[tensor.name], across)
        wide, leaf = _box(view, tensor), tensor.body is None
        parts.append(
            f'<rect x="{x - wide / 2:.0f}" y="{y - BOX / 2:.0f}" width="{wide:.0f}" height="{BOX}" '
            f'rx="{3 if leaf else 14}" fill="var(--{"leaf" if leaf else "node"})" stroke="var(--soft)"/>'
            f'<text x="{x:.0f}" y="{y - 3:.0f}" text-anchor="middle" fill="var(--ink)">'
            f"{escape(view.tensor(tensor))}</text>"
            f'<text x="{x:.0f}" y="{y + 15:.0f}" text-anchor="middle" font-size="12.5" fill="var(--adjoint)">'
            f"{escape(adjoint(view, tensor))}</text>"
        )
    return "\n".join([*parts, "</svg>"])


def adjoint(view: View, tensor: Tensor) -> str:
    """∂L/∂x, as it stands in the node of x."""
    if tensor.dtype != "real":
        return "" if view.style.is_latex else "no gradient"
    partial = r"\partial " if view.style.is_latex else "∂"
    written = f"{partial}{view.source(LOSS)}/{partial}{view.tensor(tensor)}"
    return f"{written} = 1" if view.tensor(tensor) == view.source(LOSS) else written


def _box(view: View, tensor: Tensor) -> float:
    """The width of a node's box in pixels."""
    return max(NARROWEST, 9.6 * len(view.tensor(tensor)) + 12, 7.4 * len(adjoint(view, tensor)) + 14)


def _pixel(place: Place, across: float) -> tuple[float, float]:
    return (place[0] + 0.5) * across, (place[1] + 0.5) * HEIGHT


def _path(drawing: Drawing, edge: Edge, across: float) -> str:
    """From the foot of one box over the corners to the head of the next."""
    x, y = _pixel(drawing.places[edge[0]], across)
    found = f"M{x:.0f} {y + BOX / 2:.0f}"
    last = (x, y + BOX / 2)
    ends = [*(_pixel(corner, across) for corner in drawing.corners[edge])]
    foot = _pixel(drawing.places[edge[1]], across)
    for x, y in [*ends, (foot[0], foot[1] - BOX / 2 - 2)]:
        bend = (last[1] + y) / 2
        found += f"C{last[0]:.0f} {bend:.0f} {x:.0f} {bend:.0f} {x:.0f} {y:.0f}"
        last = (x, y)
    return f'<path d="{found}" fill="none" stroke="var(--soft)" stroke-width="1.3" marker-end="url(#arrow)"/>'


# As TikZ.


def tikz(drawing: Drawing, view: View, most: tuple[float, float] = MOST) -> str:
    """The drawing for LaTeX, no larger than `most` (cm); `view` prints LaTeX."""
    slots, layers = drawing.extent
    across = 0.7 + UNIT * max(latex_width(adjoint(view, t)) for t in drawing.graph.nodes)
    scale = min(1.0, most[0] / (across * (slots + 1)), most[1] / (LINE * (layers + 1)))
    number = {tensor.name: place for place, tensor in enumerate(drawing.graph.nodes)}
    lines = [
        r"\begin{center}",
        rf"\begin{{tikzpicture}}[x={across * scale:.3f}cm,y={-LINE * scale:.3f}cm,"
        rf"every node/.style={{scale={scale:.3f},align=center,inner sep=3pt}},",
        r"  part/.style={draw,rounded corners=6pt,fill=black!5},leaf/.style={draw}]",
    ]
    for tensor in drawing.graph.nodes:
        slot, layer = drawing.places[tensor.name]
        style = "leaf" if tensor.body is None else "part"
        below = f"\\\\\\scriptsize${adjoint(view, tensor)}$" if adjoint(view, tensor) else ""
        name = f"\\strut${view.tensor(tensor)}${below}"  # above the capital letters, too, there is room
        lines.append(rf"\node[{style}] (n{number[tensor.name]}) at ({slot:.2f},{layer}) {{{name}}};")
    for edge in drawing.graph.edges:
        one, two = (number[name] for name in edge)
        way = "".join(f" to[out=-90,in=90] ({slot:.2f},{layer})" for slot, layer in drawing.corners[edge])
        lines.append(rf"\draw[->] (n{one}.south){way} to[out=-90,in=90] (n{two}.north);")
    return "\n".join([*lines, r"\end{tikzpicture}", r"\end{center}"])


# The chain rule along it.

MOST_PATHS = 3
LONGEST = 7  # factors of one product


def products(graph: Graph, view: View) -> list[tuple[str, list[str]]]:
    """(∂L/∂x, the summands of its chain rule) in LaTeX, the inputs first.

    An input's derivative is the product of the local Jacobians along its way to the output, summed over the ways;
    where these are many or long, it stops at the adjoint of the next node, which then has a line of its own.
    """
    by_name = {t.name: t for t in graph.nodes}
    lines: dict[str, list[str]] = {}
    todo = [t.name for t in graph.nodes if t.name in graph.inputs and t.dtype == "real"]
    while todo:
        name = todo.pop(0)
        if name in lines or name in graph.outputs:
            continue
        ways = graph.paths(name, MOST_PATHS)
        short = ways is not None and all(len(way) <= LONGEST for way in ways)
        taken = ways if short and ways else [(name, user) for user in graph.users(name)]
        lines[name] = [_product([by_name[n] for n in way], view) for way in taken]
        todo += [] if short else [way[1] for way in taken]
    told = ((_ratio(view.source(LOSS), by_name[n], view), terms) for n, terms in lines.items())
    return [(target, terms) for target, terms in told if terms not in ([], [target])]


def _product(way: Sequence[Tensor], view: View) -> str:
    """∂L/∂z · ∂z/∂h · … · ∂a/∂x for the way x → a → … → z."""
    back = list(reversed(way))
    first = [] if view.tensor(back[0]) == view.source(LOSS) else [_ratio(view.source(LOSS), back[0], view)]
    local = [_ratio(view.tensor(one), two, view) for one, two in pairwise(back)]
    return r" \cdot ".join([*first, *local])


def _ratio(above: str, below: Tensor, view: View) -> str:
    return rf"\frac{{\partial {above}}}{{\partial {view.tensor(below)}}}"


__all__ = ["Drawing", "Graph", "adjoint", "drawn", "graph_of", "products", "svg", "tikz", "worth_drawing"]
