"""Indices below and behind a name: x_{ij}, x_{i,:}, y[n], P(s' | s, a)."""

from __future__ import annotations

from .errors import LatexError
from .functions import Functions
from .tokens import Token
from .tree import WHOLE_AXIS, At, Binary, Constant, Letter, Name, Node, Number

BETWEEN = (",", ";", "|")  # what separates indices in brackets


def inside(group: list[Token]) -> list[Token] | None:
    """What stands in the brackets of a superscript (i) or [l]; None if there are none around all of it."""
    if len(group) < 3 or (group[0].text, group[-1].text) not in (("(", ")"), ("[", "]")):
        return None
    return group[1:-1]


class Subscripts(Functions):
    """The part of the grammar that reads indices."""

    def indices(self, group: list[Token], most: int, between: tuple[str, ...] = (",",)) -> list[Node]:
        """The indices in a subscript: between commas, or side by side where as many are wanted."""
        if group and inside(group) is not None and any(t.text == "," for t in group):
            group = group[1:-1]
        parts = _parts(group, between)
        if len(parts) > 1:
            if not all(parts):
                raise LatexError("an index is missing beside the comma", group[0].column)
            listed = [self.index(part) for part in parts]
            spread = [factor for one in listed for factor in _factors(one)]
            return spread if len(listed) < most == len(spread) else listed
        found = self.index(group)
        factors = _factors(found)
        if len(factors) > 1 and most > 1:
            if len(factors) != most and any(not isinstance(f, Letter) for f in factors):
                raise LatexError("several readings of these indices: put commas between them", group[0].column)
            return factors
        return factors if len(factors) > 1 and all(isinstance(f, Letter) for f in factors) else [found]

    def index(self, group: list[Token]) -> Node:
        """One index: e is a letter here; a colon stands for all of an axis."""
        if [t.text for t in group] == [":"]:
            return Constant(group[0].column, WHOLE_AXIS)
        self.no_statistic(group)
        if any(t.text == ":" for t in group):
            raise LatexError("a part i:j of an axis is not read: give the part a name of its own", group[0].column)
        inner = self.sub(group)
        inner.letters, inner.indexing = self.letters | {"e"}, True
        return inner.whole()

    def no_statistic(self, group: list[Token]) -> None:
        """x_{(i)} may be the i-th smallest, and x_{i\\cdot} a row or its sum."""
        bracketed = inside(group)
        if bracketed is not None and group[0].text == "(" and self.closing_in(group) == len(group) - 1:
            raise LatexError("two readings: x_{(i)} may be the entry i, or the i-th smallest; write x_i",
                             group[0].column)  # fmt: skip
        if group and "cdot" in (group[0].text, group[-1].text):
            raise LatexError("two readings: x_{i\\cdot} may be a row, or its sum; write x_{i,:} or \\sum_j x_{ij}",
                             group[0].column)  # fmt: skip

    def closing_in(self, group: list[Token]) -> int | None:
        """Where the bracket that begins a group is closed."""
        return self.sub(group).closing(0)

    def called(self, rank: int, *, fewer: bool = False) -> list[Node] | None:
        """y[n], S(i, j): indices in brackets directly after a name, if all of them are whole numbers."""
        if not (self.sees("[") or (self.sees("(") and self.now.tight)):
            return None
        end = self.closing(self.place)
        if end is None:
            return None
        inner = self.tokens[self.place + 1 : end]
        try:
            found = self.indices(inner, 1, BETWEEN) if inner else []
        except LatexError:
            return None
        if not (len(found) == rank or (fewer and len(found) < rank)) or not all(self.index_like(one) for one in found):
            return None
        self.place = end + 1
        return found

    def index_like(self, node: Node) -> bool:
        if isinstance(node, Letter):
            declared = self.scope.names.get(node.name)
            return self.scope.length(node.name) is None or node.name in self.letters or declared is not None
        if isinstance(node, Name):
            return self.scope.names[node.key].kind == "size"
        if isinstance(node, Binary):
            return node.operator in "+-*" and self.index_like(node.left) and self.index_like(node.right)
        if isinstance(node, At) and isinstance(node.base, Name):  # b_j(o_t), o a label
            tensor = self.scope.names[node.base.key].tensor
            return tensor is not None and tensor.dtype == "int"
        return isinstance(node, Number) and "." not in node.text


def _parts(group: list[Token], between: tuple[str, ...]) -> list[list[Token]]:
    """What stands between commas outside brackets."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in group:
        depth += (token.text in ("{", "(", "[")) - (token.text in ("}", ")", "]"))
        if token.text in between and token.kind == "symbol" and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _factors(node: Node) -> list[Node]:
    if isinstance(node, Binary) and node.operator == "*":
        return [*_factors(node.left), node.right]
    return [node]
