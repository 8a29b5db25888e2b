"""What a formula says, before shapes: a small tree, each node with its column."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

WHOLE_AXIS = "whole axis"  # the constant that stands as an index for all of its axis: x_{i,:}


@dataclass(frozen=True, slots=True)
class Node:
    """Where it stands in the text."""

    column: int


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A decimal number, as it was written."""

    text: str


@dataclass(frozen=True, slots=True)
class Exact(Node):
    """A number that scalar calculus gave."""

    value: Any


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """π, e, ∞, the ones 𝟏, the identity 𝐈."""

    name: str


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A declared tensor, scalar, size or definition."""

    key: str
    shown: str


@dataclass(frozen=True, slots=True)
class Letter(Node):
    """An undeclared letter: an index if something binds it, or the length of an axis."""

    name: str


@dataclass(frozen=True, slots=True)
class At(Node):
    """Some or all of the indices of a tensor: x_{ij}, x[n-k], x^{(i)}."""

    base: Name
    indices: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function of its arguments."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """operator: + - * (side by side) cdot times / odot otimes oslash."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Reach(Node):
    """x ⊙ W y: whether ⊙ reaches over all factors is told by their shapes."""

    operator: str
    left: Node
    factors: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Minus(Node):
    """−x."""

    body: Node


@dataclass(frozen=True, slots=True)
class Power(Node):
    """base^exponent; entry by entry where it was written ^{\\odot 2}."""

    base: Node
    exponent: Node
    entrywise: bool = False


@dataclass(frozen=True, slots=True)
class Marked(Node):
    """Xᵀ ("T"), X⁻¹ ("inverse"), X⁻ᵀ ("inverse T")."""

    mark: str
    body: Node


@dataclass(frozen=True, slots=True)
class Norm(Node):
    """‖x‖ with its order: "", "1", "2", "F", "inf"."""

    order: str
    body: Node


@dataclass(frozen=True, slots=True)
class Relation(Node):
    """a < b ≤ c: items and what stands between them."""

    items: tuple[Node, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """ "and" or "or" of conditions."""

    word: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Range(Node):
    """low ≤ letter ≤ high, where they were written."""

    letter: str
    low: Node | None = None
    high: Node | None = None


@dataclass(frozen=True, slots=True)
class Big(Node):
    """Σ, Π, max, min, argmax, argmin, mean over letters, where conditions hold."""

    kind: str
    ranges: tuple[Range, ...]
    conditions: tuple[Node, ...]
    body: Node


@dataclass(frozen=True, slots=True)
class Cases(Node):
    """The first row whose condition holds; None is otherwise."""

    rows: tuple[tuple[Node, Node | None], ...]


@dataclass(frozen=True, slots=True)
class Indicator(Node):
    """1 where the condition holds, else 0."""

    condition: Node


@dataclass(frozen=True, slots=True)
class Table(Node):
    """A matrix by its entries."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Partial(Node):
    """∂/∂x ∂/∂y of the body; `order` says how often each."""

    body: Node
    variables: tuple[Node, ...]


# The fields of a node that hold nodes, or tuples of them.
HOLDING = {
    kind: tuple(
        f.name for f in fields(kind) if "Node" in str(f.type) or "Range" in str(f.type) or "Name" in str(f.type)
    )
    for kind in Node.__subclasses__()
}


def children(node: Node) -> list[Node]:
    """The nodes within a node, in the order written."""
    found: list[Node] = []
    for name in HOLDING[type(node)]:
        part = getattr(node, name)
        if isinstance(part, tuple):
            _enter(part, found)
        elif part is not None:
            found.append(part)
    return found


def _enter(parts: tuple[Any, ...], found: list[Node]) -> None:
    for part in parts:
        if isinstance(part, tuple):
            _enter(part, found)
        elif part is not None:
            found.append(part)
