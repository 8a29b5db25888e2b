"""The axes of a loop: which is shared among blocks, in which order they are nested, and which of them are one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sympy import Expr

from .fused_groups import Group
from .node import Node


@dataclass(frozen=True)
class Axes:
    """`order` from the outermost; `parts` of an axis are those that it merges; letters and lengths are names."""

    order: tuple[int, ...]
    parts: dict[int, tuple[int, ...]]
    shared: int
    dims: dict[int, Expr]
    letter: dict[int, str]
    length: dict[int, str]

    def merged(self, axes: Iterable[int]) -> tuple[int, ...]:
        """An array's axes, those that are merged as one."""
        return tuple(axis for axis in axes if axis in self.parts)


def arranged(group: Group, stored: Iterable[Node], fresh: Callable[[str], str]) -> Axes:
    """The axes of a group whose members `stored` have arrays."""
    spaces = [tuple(labels.values()) for labels in group.members.values()]
    arrays = [
        tuple(group.members[n][k] for k in own) for n in group.members for a, own in n.args if a not in group.members
    ]
    arrays += [group.own(node) for node in stored]
    order = _order(group, arrays)
    shared = next((a for a in order[:-1] if a in group.shared), None)
    if shared is None:
        shared = next(a for a in order if a in group.shared)
    elif shared != order[0]:
        order = (shared, *(a for a in order if a != shared))
    dims = group.dims
    parts = _merged(order, group, arrays, spaces, shared)
    letter, length = {}, {}
    for axis in parts:
        name = str(dims[axis]).partition(":")[0]
        base = name.lower() if name.isidentifier() and len(parts[axis]) == 1 else "k"
        letter[axis] = fresh(base)
        length[axis] = fresh(name if name.isidentifier() and len(parts[axis]) == 1 else "K")
    return Axes(tuple(parts), parts, shared, dims, letter, length)


def _order(group: Group, arrays: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The axes as they lie in memory: those of the largest arrays first."""
    everything = [
        *sorted(arrays, key=len, reverse=True),
        *(tuple(labels.values()) for labels in group.members.values()),
    ]
    order: list[int] = []
    for axes in everything:
        for place, axis in enumerate(axes):
            if axis not in order:
                behind = [order.index(a) for a in axes[place + 1 :] if a in order]
                order.insert(min(behind), axis) if behind else order.append(axis)
    return tuple(order)


def _merged(
    order: Sequence[int],
    group: Group,
    arrays: Sequence[tuple[int, ...]],
    spaces: Sequence[tuple[int, ...]],
    shared: int,
) -> dict[int, tuple[int, ...]]:
    """Neighbours that no array and no member tells apart are one axis: it is named by its first."""
    told = _places(group)
    parts: dict[int, tuple[int, ...]] = {}
    last = -1
    for axis in order:
        before = parts[last][-1] if last >= 0 else -1
        alike = before >= 0 and not {before, axis} & told
        alike = alike and (before != shared or axis in group.shared)
        alike = alike and all(_together(axes, before, axis) for axes in arrays)
        alike = alike and all((before in axes) == (axis in axes) for axes in spaces)
        alike = alike and all((before in group.own(node)) == (axis in group.own(node)) for node in group.members)
        if alike:
            parts[last] = (*parts[last], axis)
        else:
            parts[axis] = (axis,)
            last = axis
    return parts


def _together(axes: tuple[int, ...], first: int, second: int) -> bool:
    """Whether an array has neither of two axes, or both as neighbours in this order."""
    if first not in axes or second not in axes:
        return first not in axes and second not in axes
    return axes.count(first) == axes.count(second) == 1 and axes.index(second) == axes.index(first) + 1


def _places(group: Group) -> set[int]:
    """Axes whose place is a value."""
    found: set[int] = set()
    for node, labels in group.members.items():
        for arg, own in node.args:
            if arg in group.free and arg.op not in ("full", "constant"):
                found |= {labels[label] for label in own}
    return found
