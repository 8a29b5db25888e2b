"""Code of the nodes that pad, view, gather and scatter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sympy import Expr

from .node import Labels, Node
from .program import Code, Num, Op

Operand = Callable[[Node, Labels], Code]


def turned(code: Code, labels: Labels, wanted: Any) -> Code:
    """The array with its axes in the order `wanted`, a permutation of its labels."""
    permutation = tuple(labels.index(label) for label in wanted)
    if permutation == tuple(range(len(labels))):
        return code
    if permutation == (1, 0):
        return Op("T", (code,))
    if permutation[-2:] == (len(labels) - 1, len(labels) - 2) and permutation[:-2] == tuple(range(len(labels) - 2)):
        return Op("mT", (code,))
    return Op("transpose", (code,), permutation)


def broadcast(code: Code, labels: Labels, rank: int) -> Code:
    """The array such that its axes meet those of a result of that rank from the right."""
    if not labels:
        return code
    wanted = sorted(labels)
    code = turned(code, labels, wanted)
    axes = tuple(k in labels for k in range(wanted[0], rank))
    return code if all(axes) else Op("expand", (code,), axes)


class WindowCoder:
    """Expressions of nodes that read at places and add to them."""

    operand: Operand
    size: Callable[[Expr], Code]

    def _number_of(self, value: Any) -> Code:
        return self.size(value) if isinstance(value, Expr) else Num(value)

    def _pad(self, node: Node) -> Code:
        specs, fill, order, steps = node.attr
        amounts = tuple(
            Op("none") if spec is None else Op("tuple", tuple(map(self._number_of, spec))) for spec in specs
        )
        stepped = [self._tuple(steps)] if order else []
        return Op("padded", (self.operand(*node.args[0]), *amounts, *stepped), (fill, order))

    def _stretch(self, node: Node) -> Code:
        """A view that repeats an array along further axes, the last ones."""
        arg, labels = node.args[0]
        value = Op("expand", (self.operand(arg, labels),), tuple(k in labels for k in range(node.rank)))
        return Op(
            "broadcast_to",
            (value if labels else self.operand(arg, labels), Op("tuple", tuple(map(self.size, node.dims)))),
        )

    def _window(self, node: Node) -> Code:
        """Plain slices where every axis is one, else the general strided view."""
        array, labels = node.args[0]
        lengths = iter(node.dims)
        axes = [
            None if s is None and [next(lengths)] else (s[0], [(next(lengths), c) for c in s[1:]]) for s in node.attr
        ]
        slices = [self._slice(axis, array.dims[k]) for k, axis in enumerate(axes)]
        if all(s is not None for s in slices):
            return Op("sliced", (self.operand(array, labels), *(s for s in slices if s is not None)))
        found: list[Code] = []
        for axis in axes:
            if axis is None:
                found.append(Op("none"))
                continue
            parts = [Op("tuple", (self.size(n), self._number_of(step))) for n, step in axis[1]]
            found.append(Op("tuple", (self._number_of(axis[0]), *parts)))
        return Op("windows", (self.operand(array, labels), *found))

    def _split(self, node: Node) -> Code:
        return self._reshaped(self.operand(*node.args[0]), node)

    def _merge(self, node: Node) -> Code:
        """A view, where the axes lie in this order; `own`: an array of its own."""
        ((u, labels),), (order, own) = node.args, node.attr
        code = turned(self.operand(u, labels), labels, order)
        return self._reshaped(Op("copied", (code,)) if own else code, node)

    def _reshaped(self, code: Code, node: Node) -> Code:
        return Op("reshape", (code, Op("tuple", tuple(map(self.size, node.dims)))))

    def _slice(self, axis: Any, length: Expr) -> Code | None:
        """`start:stop:step` for an axis read at start + step*l; `start` where it is read at one place."""
        if axis is None:
            return Op("slice")
        start, parts = axis
        if not parts:
            return self._number_of(start)
        if len(parts) > 1:
            return None
        ((count, step),) = parts
        if step == -1 and start == count - 1 and count == length:
            return Op("slice", (Op("empty_"), Op("empty_"), Num(step)))
        if not (step.is_positive or step == 1):
            return None
        if step == 1 and start == 0 and count == length:
            return Op("slice")
        stop = start + step * (count - 1) + 1
        first = Op("empty_") if start == 0 else self._number_of(start)
        return Op("slice", (first, self._number_of(stop), *([] if step == 1 else [self._number_of(step)])))

    def _gather(self, node: Node) -> Code:
        advanced, start, rank = node.attr
        (array, labels), *indices = node.args
        moved = [(arg, tuple(label - start for label in axes)) for arg, axes in indices]
        found = iter(broadcast(self.operand(arg, axes), axes, rank) for arg, axes in moved)
        parts = (next(found) if k else Op("slice") for k in advanced)
        return Op("sliced", (self.operand(array, labels), *parts), "gathered")

    def _one_hot(self, node: Node) -> Code:
        ((index, labels),) = node.args
        (letter,) = set(range(node.rank)) - set(labels)
        places = broadcast(Op("arange", (self.size(node.dims[letter]),)), (letter,), node.rank)
        return Op("equal", (places, broadcast(self.operand(index, labels), labels, node.rank)))

    def spike(self, node: Node, target: Code, block: bool) -> tuple[Code, Code]:
        """The entries of the target that are changed, and by how much; of a block, whose rows are counted."""
        (_, own), (index, labels), (amount, others) = node.args
        (letter,) = set(own) - set(labels)
        kept = [k for k in range(node.rank) if k != letter]

        def along(code: Code, axes: Labels) -> Code:
            return broadcast(code, tuple(kept.index(k) for k in axes), len(kept))

        places = []
        for k in range(node.rank):
            count = Op("len", (target,)) if block and k == 0 else self.size(node.dims[k])
            some = self.operand(index, labels) if k == letter else Op("arange", (count,))
            places.append(along(some, labels if k == letter else (k,)))
        return Op("sliced", (target, *places)), along(self.operand(amount, others), others)

    def _scatter(self, node: Node) -> Code:
        order, count = node.attr
        (u, labels), *indices = node.args
        position = {label: place for place, label in enumerate(order[:count])}
        places = []
        for arg, axes in indices:
            moved = tuple(position[label] for label in axes)
            places.append(broadcast(self.operand(arg, axes), moved, count))
        lengths = Op("tuple", tuple(self.size(n) for n in node.dims[: len(indices)]))
        return Op("scattered", (turned(self.operand(u, labels), labels, order), lengths, *places))

    def _overlap(self, node: Node) -> Code:
        specs, order = node.attr
        axes: list[Code] = []
        for spec in specs:
            if spec is None:
                axes.append(Op("none"))
                continue
            length, start, *parts = spec
            steps = [Op("tuple", tuple(map(self._number_of, part))) for part in parts]
            axes.append(Op("tuple", (self._number_of(length), self._number_of(start), *steps)))
        if len(node.args) == 1 and (spread := _spread(self._along(*node.args[0], order), axes)):
            return spread
        return Op(
            "overlapped", (*(self._along(arg, labels, order) for arg, labels in node.args), *axes), len(node.args)
        )

    def _along(self, array: Node, labels: Labels, order: Sequence[int]) -> Code:
        """The array along all of these axes; those that it has not are of length 1."""
        code = turned(self.operand(array, labels), labels, [label for label in order if label in labels])
        kept = tuple(label in labels for label in order)
        return code if all(kept) else Op("expand", (code,), kept)

    def _gemm(self, node: Node) -> Code:
        (loop, rows, inner, columns), total = node.attr
        args = []
        for (arg, labels), groups in zip(node.args, ((rows, inner), (inner, columns)), strict=True):
            wanted = [label for group in (loop, *groups) for label in group]
            code = turned(self.operand(arg, labels), labels, [label for label in wanted if label in labels])
            kept = tuple(label in labels for label in wanted)
            args.append(code if all(kept) else Op("expand", (code,), kept))
        return Op("products", tuple(args), (len(loop), len(inner), total))

    def _fold(self, node: Node) -> Code:
        ((a, labels),) = node.args
        over = [label for label in labels if label >= node.rank]
        order = (*over, *range(node.rank))
        return Op("folded", (turned(self.operand(a, labels), labels, order),), (node.attr, len(over)))

    def _weighted(self, node: Node) -> Code:
        (x, labels), (w, others) = node.args
        over = [label for label in labels if label >= node.rank]
        array = turned(self.operand(x, labels), labels, (*over, *range(node.rank)))
        kept = [label for label in others if label < node.rank]
        weights = turned(self.operand(w, others), others, (*(k for k in over if k in others), *sorted(kept)))
        axes = (*(k in others for k in over), *(k in kept for k in range(node.rank)))
        weights = weights if all(axes) else Op("expand", (weights,), axes)
        return Op("weighted", (array, weights), len(over))

    def _correlated(self, node: Node) -> Code:
        (x, labels), (u, others) = node.args
        count = node.attr
        inner = [label for label in labels if label >= count]
        letters = {label: "abcdefghijklmnopqrstuvwxyz"[k] for k, label in enumerate(inner)}
        spelled = ["".join(letters[k] for k in axes) for axes in (inner, others, range(count, node.rank))]
        array = turned(self.operand(x, labels), labels, (*range(count), *inner))
        return Op("correlated", (array, self.operand(u, others)), (f"{spelled[0]},{spelled[1]}->{spelled[2]}", count))

    def _first(self, node: Node) -> Code:
        (a, labels), (best, _) = node.args
        own = tuple(range(node.rank))
        return Op("firsts", (turned(self.operand(a, labels), labels, node.attr), self.operand(best, own)))

    def _widened(self, node: Node) -> Code:
        return Op("widened", (self.operand(*node.args[0]),))

    def _selected(self, node: Node) -> Code:
        specs, order = node.attr
        (u, labels), (first, _) = node.args
        own = tuple(range(first.rank))
        kept = tuple(place >= 0 for place in order)
        code = turned(self.operand(first, own), own, [k for k in order if k >= 0])
        axes = [Op("none") if spec is None else self._tuple(spec) for spec in specs]
        return Op("selected", (self.operand(u, labels), code if all(kept) else Op("expand", (code,), kept), *axes))

    def _tuple(self, spec: Any) -> Code:
        return Op("tuple", tuple(map(self._tuple, spec))) if isinstance(spec, tuple) else self._number_of(spec)

    def _place(self, node: Node) -> Code:
        """The place of the first extremum, its axes one: in the order in which they are listed."""
        ((a, labels),) = node.args
        code = turned(self.operand(a, labels), labels, node.attr[1])
        count = len(labels) - node.rank
        if count > 1:
            shape = (*(self.size(n) for n in node.dims), Op("number", (), -1))
            code = Op("reshape", (code, Op("tuple", shape)))
        return Op("place", (code,), node.attr[0])

    def _infinity(self, node: Node) -> Code:
        return Op("infinity", (), node.attr)


def _spread(u: Code, axes: Sequence[Code]) -> Code | None:
    """The sum into windows of products that are made here, for blocks of the first axis."""
    order = u.attr if isinstance(u, Op) and u.name == "transpose" else None
    made = u.args[0] if isinstance(u, Op) and order else None
    if not (isinstance(made, Op) and made.name == "products"):
        return None
    loop, inner, _ = made.attr
    return Op("spread", (*made.args, *axes), (loop, inner, order))
