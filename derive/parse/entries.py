"""Entries of arrays, and whole numbers: x_{ij}, x_{i,:}, softmax(z)_i; which of them depend on where indices start."""

from __future__ import annotations

from typing import Any

from sympy import Expr, Integer, preorder_traversal

from derive.axes import Axis, DeriveError, Tensor, entry, free_axes, rename

from .conditions import Conditions
from .errors import LatexError
from .letters import plain
from .scope import Scope
from .tree import WHOLE_AXIS, At, Big, Constant, Name, Node, Number
from .values import COLUMN, ROW, Value, add


class Entries(Conditions):
    """The part of a meaning that counts."""

    scope: Scope

    def number(self, node: Node, what: str) -> Expr:
        """The value of what must be a number."""
        found = self.value(node)
        if found.rank:
            raise LatexError(f"{what}: expected a number, given {found.shape}", node.column)
        return self.real(found, node)

    def whole(self, node: Node, what: str) -> Expr:
        """A whole number in letters and sizes."""
        found = self.value(node)
        if found.rank or not found.whole:
            raise LatexError(f"{what}: expected a whole number or a letter", node.column)
        return plain(found.body)

    def real(self, value: Value, node: Node) -> Expr:
        """A value as a number; the number of a letter is certain only if somebody says where indices start."""
        unsure = self.unsure(value.body) if value.whole else []
        if unsure:
            raise LatexError(f"two readings: {', '.join(unsure)} as a number depends on where indices start; give "
                             f"start=0 or start=1", node.column)  # fmt: skip
        return value.body

    def of_at(self, node: At) -> Value:
        if isinstance(node.base, Big) and len(node.base.ranges) > 1:
            from .reductions import place_of

            return place_of(self, node.base, node)
        if not isinstance(node.base, Name):
            return self.of_part(node)
        declared = self.scope.names[node.base.key]
        assert declared.tensor is not None
        tensor, start = declared.tensor, Integer(self.letters.start)
        given, kept = self.places(node, tensor, f"index of {declared.name}")
        self.leaves_no_index(tensor.axes[len(given) :], declared.name, node)
        rest = (*kept, *self.letters.slots(tensor, len(given)))
        padded = "padded" in declared.flags or self.letters.guarded(given, tensor)
        try:
            body = entry(tensor, *given, *rest[len(kept) :], padded=padded)
        except DeriveError as problem:
            raise self.beyond(str(problem), declared.name, node) from None
        if tensor.dtype == "int":
            return Value(add(body, start), rest, whole=True)
        row = len(given) == len(rest) + 1 and kept and kept[-1] is given[-1]  # A_{i,:} is a row
        return Value(body, rest, ROW if row and len(rest) == 1 else COLUMN)

    def beyond(self, problem: str, name: str, node: At) -> LatexError:
        """The error for x_{i+1} where i may be the last, and for x_3 where nobody knows that there are three."""
        if "provably" not in problem:
            return LatexError(self.letters.shown(problem), node.column)
        if any(isinstance(one, Number) and one.text == "0" for one in node.indices) and self.letters.start == 1:
            return LatexError(f"the entry 0 of {name}, where indices start at 1; give start=0", node.column)
        if all(isinstance(one, Number) for one in node.indices):
            return LatexError(f"that {name} has this entry is not known: its length is a letter; declare {name} with "
                              f"'padded' (0 beyond its ends)", node.column)  # fmt: skip
        return LatexError(f"this entry of {name} is not known to exist: write the range of its letters, as in "
                          f"\\sum_{{i=1}}^{{n-1}}, or declare {name} with 'padded' (0 beyond its ends)",
                          node.column)  # fmt: skip

    def places(self, node: At, tensor: Tensor, what: str) -> tuple[list[Expr], tuple[Axis, ...]]:
        """Where the indices point, counted from 0; and the letters of their own that whole axes get: x_{i,:}."""
        given: list[Expr] = []
        kept: list[Axis] = []
        name = what.removeprefix("index of ")
        for one, letter in zip(node.indices, tensor.axes, strict=False):
            if isinstance(one, Constant) and one.name == WHOLE_AXIS:
                kept.append(self.letters.slot(letter.size, letter.name))
                given.append(kept[-1])
                continue
            found = self.whole(one, what)
            if self.unsure(found, moved=1):
                raise LatexError(f"two readings: which entry of {name} is meant depends on where indices start; give "
                                 f"start=0 or start=1", one.column)  # fmt: skip
            given.append(plain(found - self.letters.start))
        return given, tuple(kept)

    def unsure(self, body: Expr, moved: int = 0) -> list[str]:
        """The letters whose start matters: with another start the number does not move by `moved`."""
        if self.letters.certain or (moved and isinstance(body, Axis)):
            return []
        if moved and body.is_Add and len(body.args) == 2 and body.args[0].is_Integer and isinstance(body.args[1], Axis):
            return []  # letter + number, as nearly all are
        names = {a: a + 1 for a in free_axes(body) if a.name not in self.letters.sure}
        labels = {part: part + 1 for part in preorder_traversal(body) if _is_label(part)}
        if plain(body.xreplace(names | labels) - body) == (moved if names or labels else 0):
            return []
        return [self.letters.preferred.get(a.name, a.name) for a in names] or [str(part) for part in labels]

    def leaves_no_index(self, left: tuple[Axis, ...], name: str, node: At) -> None:
        """p_x within Σ_y, of p: x y, may be meant as a marginal."""
        for letter in left:
            if letter.name in self.letters.inner and not self.letters.indexed:
                raise LatexError(f"two readings: {name} has the axis {letter.name} too, which is an index here: write "
                                 f"all its indices, or give it another name", node.column)  # fmt: skip

    def of_part(self, node: At) -> Value:
        """An entry of an expression: (W x)_i, softmax(z)_i."""
        self.letters.indexed += 1  # what p_x leaves out is told outside: (A_b^{-1})_{ij}
        base = self.value(node.base)
        self.letters.indexed -= 1
        if base.rank < len(node.indices):
            raise LatexError(f"{len(node.indices)} indices on {base.shape}", node.column)
        given = [plain(self.whole(one, "index") - self.letters.start) for one in node.indices]
        for index, letter in zip(given, base.axes, strict=False):
            if not (isinstance(index, Axis) and index.size == letter.size):
                raise LatexError("an expression is indexed by plain letters of its axes; name it first", node.column)
        body = rename(base.body, dict(zip(base.axes, given, strict=False)))
        return Value(body, base.axes[len(given) :])


def _is_label(part: Any) -> bool:
    """An entry that counts from where indices start: a class, the place of a maximum."""
    return hasattr(part, "integer_bound") and part.integer_bound() is not None
