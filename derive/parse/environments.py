"""Environments within a formula: cases and matrices, by rows and cells."""

from __future__ import annotations

from .errors import LatexError
from .grammar import CONNECTING
from .suffixes import Suffixes
from .tokens import Token
from .tree import At, Call, Cases, Logic, Name, Node, Relation, Table


class Environments(Suffixes):
    """Operands that begin with \\begin."""

    def environment(self) -> Node:
        start = self.next()
        kind = start.text
        rows: list[list[list[Token]]] = [[[]]]
        breaks: list[Token] = []
        depth, braces, spaced = 0, 0, False
        while not (self.now.kind == "end" and depth == 0):
            token = self.next()
            depth += (token.kind == "begin") - (token.kind == "end")
            braces += (token.text == "{") - (token.text == "}") if token.kind == "symbol" else 0
            if token.kind == "stop":
                raise LatexError(f"\\begin{{{kind}}} has no \\end", start.column)
            if depth == 0 and braces == 0 and token.kind == "newline":
                spaced = spaced or token.text != "\\"
                rows.append([[]])
                breaks.append(token)
            elif depth == 0 and braces == 0 and token.kind == "symbol" and token.text == "&":
                rows[-1].append([])
            else:
                rows[-1][-1].append(token)
        if self.next().text != kind:
            raise LatexError(f"\\begin{{{kind}}} is closed by another \\end", start.column)
        if spaced and all(len(row) == 1 for row in rows):  # \\[3pt] between rows, \\ within them
            rows = _rejoined(rows, breaks)
        rows = [row for row in rows if any(row)]
        if kind in ("cases", "dcases"):
            return self.cases(start, rows)
        if "matrix" in kind or kind == "array":
            table = self.table(start, rows)
            return Call(start.column, "det", (table,)) if kind == "vmatrix" else table
        raise LatexError(f"\\begin{{{kind}}} may stand only around a whole formula", start.column)

    def cases(self, start: Token, rows: list[list[list[Token]]]) -> Node:
        found: list[tuple[Node, Node | None]] = []
        rows = _stacked(rows)
        for number, row in enumerate(rows):
            if len(row) != 2 or not row[0] or not row[1]:
                raise LatexError(f"cases: row {number + 1} needs a value & a condition", start.column)
            value = self.sub(_trimmed(row[0])).whole()
            found.append((value, self.condition(row[1])))
            if found[-1][1] is None and number < len(rows) - 1:
                raise LatexError("cases: otherwise must stand last", row[1][0].column)
        if not found:
            raise LatexError("cases without a row", start.column)
        return Cases(start.column, tuple(found))

    def condition(self, group: list[Token]) -> Node | None:
        """The condition of a row; None for otherwise."""
        words = [t for t in _outside(group) if t.kind == "word" and _connects(t.text)]
        rest = _trimmed([t for t in group if t not in words or t.text in ("and", "or")])
        if not rest:
            if words and words[-1].text.lower().strip(".,") in ("otherwise", "else"):
                return None
            raise LatexError("cases: expected a condition or \\text{otherwise}", group[0].column)
        inner = self.sub(rest)
        found = inner.expression()
        while inner.accepts(","):
            found = Logic(found.column, "and", (found, inner.expression()))
        inner.end()
        if not isinstance(found, (Relation, Logic, Name, At)):
            raise LatexError("expected a condition, as in x > 0", rest[0].column)
        return found

    def table(self, start: Token, rows: list[list[list[Token]]]) -> Node:
        if len({len(row) for row in rows}) != 1 or not all(all(row) for row in rows):
            raise LatexError("the rows of the matrix differ in length", start.column)
        return Table(start.column, tuple(tuple(self.sub(cell).whole() for cell in row) for row in rows))


def _trimmed(group: list[Token]) -> list[Token]:
    """Without the punctuation at its ends."""
    while group and group[-1].kind == "symbol" and group[-1].text in (",", ".", ";"):
        group = group[:-1]
    return group


def _connects(word: str) -> bool:
    """Whether a word in a condition says nothing: if, for, otherwise."""
    return all(part in CONNECTING for part in word.lower().strip(".,").split())


def _stacked(rows: list[list[list[Token]]]) -> list[list[list[Token]]]:
    """Rows without &: the condition begins at the word if or otherwise, on the same line or on the next one."""
    if any(len(row) > 1 for row in rows):
        return rows
    made: list[list[list[Token]]] = []
    for (row,) in rows:
        words = [t for t in _outside(row) if t.kind == "word" and _connects(t.text) and t.text not in ("and", "or")]
        first = row.index(words[0]) if words else len(row)
        if made and len(made[-1]) == 1:
            made[-1][0] += row[:first]
        elif first or not made:
            made.append([row[:first]])
        if words:
            made[-1].append(row[first:])
    return made


def _rejoined(rows: list[list[list[Token]]], breaks: list[Token]) -> list[list[list[Token]]]:
    """Rows of one cell that only a break without a space divides are one row."""
    made = [rows[0]]
    for row, before in zip(rows[1:], breaks, strict=True):
        if before.text == "\\":
            made[-1] = [made[-1][0] + row[0]]
        else:
            made.append(row)
    return made


def _outside(group: list[Token]) -> list[Token]:
    """The symbols outside environments."""
    found, depth = [], 0
    for token in group:
        depth += token.kind == "begin"
        found += [token] if depth == 0 else []
        depth -= token.kind == "end"
    return found
