"""What follows an operand: powers, transposes, inverses, entries, the positive part, factorials."""

from __future__ import annotations

from collections.abc import Iterable

from .binders import Binders
from .errors import LatexError
from .subscripts import inside
from .tokens import STYLES, Token
from .tree import At, Call, Constant, Letter, Marked, Name, Node, Number, Power

TRANSPOSE = ("top", "T")


class Suffixes(Binders):
    """Operands with what is attached to them."""

    def attached_to(self, found: Node) -> Node:
        raised = False
        while self.sees("^", "_", "'", "!"):
            token = self.next()
            if token.text == "!" and self.sees("!"):
                raise LatexError("two readings: !! may be the double factorial, or two of them; write brackets",
                                 token.column)  # fmt: skip
            if token.text == "!":
                found = Call(token.column, "factorial", (found,))
            elif token.text == "'":
                raise LatexError("a prime stands where it has no meaning; write ^\\top for a transpose", token.column)
            elif token.text == "_":
                found = self.entry_of(found, token)
            else:
                found = self.raised(found, token, raised)
                raised = not isinstance(found, Marked)
        return found

    def entry_of(self, found: Node, token: Token) -> Node:
        """(W x)_i, and the positive part (x)_+."""
        if self.sees("+"):
            self.next()
            return Call(token.column, "relu", (found,))
        if isinstance(found, (Name, At, Number, Constant, Letter)):
            raise LatexError("a second subscript; put the indices in one pair of braces", token.column)
        group = self.group("an index")
        if [t.text for t in group] == ["+"]:
            return Call(token.column, "relu", (found,))
        return At(token.column, found, tuple(self.indices(group, 2)))  # type: ignore[arg-type]

    def raised(self, found: Node, token: Token, already: bool) -> Node:
        group = self.group("a power")
        texts = bare(group)
        if not texts:
            raise LatexError("expected a power in the braces", token.column)
        if already:
            raise LatexError("a second superscript; put the powers in one pair of braces", token.column)
        if texts == ["T"] and group[0].kind == "letter" and "T" in self.scope.names:
            raise LatexError("two readings: the transpose, or the power T, which is declared; write ^\\top or ^{(T)}",
                             token.column)  # fmt: skip
        if len(texts) == 1 and texts[0] in TRANSPOSE:
            return Marked(token.column, "T", found)
        if texts == ["-", "1"]:
            return Marked(token.column, "inverse", found)
        if texts[:1] == ["-"] and len(texts) == 2 and texts[1] in TRANSPOSE:
            return Marked(token.column, "inverse T", found)
        if texts[0] in ("dagger", "*", "star", "+"):
            raise LatexError(f"^{texts[0]} has no meaning here: declare the name with its mark", token.column)
        if texts[0] in ("odot",):
            return Power(token.column, found, self.sub(group[1:]).whole(), True)
        if inside(group) is not None:
            group = group[1:-1] if len(group) > 3 or isinstance(found, (Number, Constant)) else group
        return Power(token.column, found, self.sub(group).whole())


def bare(group: Iterable[Token]) -> list[str]:
    """The symbols of a group without styles and braces: T of \\mathsf{T}."""
    return [t.text for t in group if t.text not in STYLES and t.text not in ("{", "}")]
