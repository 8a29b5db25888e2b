"""Operands: brackets, norms, fractions, roots, sums and maxima, cases, matrices, derivatives; and what follows them."""

from __future__ import annotations

from collections.abc import Callable

from .binders import Binders
from .errors import LatexError, LatexUnsupported
from .gate import scalar_calculus
from .grammar import CONNECTING, OPENING
from .names import ALIASES as FUNCTION_ALIASES
from .names import KNOWN, inside
from .tokens import Token
from .tree import (
    At,
    Binary,
    Call,
    Cases,
    Constant,
    Exact,
    Indicator,
    Letter,
    Logic,
    Marked,
    Name,
    Node,
    Norm,
    Number,
    Partial,
    Power,
    Relation,
    Table,
)

ORDERS = {"": "", "1": "1", "2": "2", "F": "F", "infty": "inf", "max": "inf"}
TRANSPOSE = ("top", "T")
LATER = ("int", "lim", "binom")
DEEPEST = 60


class Operands(Binders):
    """The grammar of formulas, complete."""

    def operand(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise LatexError(f"the formula is nested more than {DEEPEST} deep", self.now.column)
        found = self.attached_to(self.primary())
        self.depth -= 1
        return found

    def convolved(self) -> Node | None:
        """(f * g)(i, j): a convolution by its name only."""
        ahead = self.tokens[self.place : self.place + 6]
        if [t.text for t in ahead if t.kind == "symbol"] != ["(", "*", ")", "("] or len(ahead) < 6:
            return None
        if ahead[1].kind != "letter" or ahead[3].kind != "letter":
            return None
        self.place += 5
        return Call(ahead[0].column, f"{ahead[1].text}*{ahead[3].text}", tuple(self.arguments()))

    def primary(self) -> Node:
        token = self.now
        if self.sees("(") and (both := self.convolved()) is not None:
            return both
        if token.kind == "number":
            return Number(self.next().column, token.text)
        if token.kind == "symbol" and token.text in PRIMARY:
            return PRIMARY[token.text](self)
        if token.kind == "begin":
            return self.environment()
        if token.kind == "command" and token.text in PRIMARY_COMMANDS:
            return PRIMARY_COMMANDS[token.text](self)
        if token.kind == "command" and token.text in LATER:
            return self.gated(token)
        if token.kind == "command" and FUNCTION_ALIASES.get(token.text, token.text) in KNOWN:
            self.next()
            return self.function(FUNCTION_ALIASES.get(token.text, token.text), token)
        if (special := self.special_word(token)) is not None:
            return special
        if (found := self.name()) is not None:
            return found
        if token.kind == "stop":
            raise LatexError("the formula ends where a number or a name is expected", token.column)
        raise LatexError(f"{token.shown} stands where a number or a name is expected", token.column)

    def gated(self, start: Token) -> Node:
        """An integral up to its dx, a limit of one factor, a binomial: their value as a number."""
        first = self.place
        self.next()
        if start.text == "binom":
            self.group("the upper number")
            self.group("the lower number")
        elif start.text == "lim":
            if self.accepts("_"):
                self.group("where the limit is taken")
            self.operand()
        else:
            while self.now.kind != "stop" and not (
                self.now.text == "d" and self.tokens[self.place + 1].kind == "letter"
            ):
                self.place += 1
            if self.now.kind == "stop":
                raise LatexError("an integral without its dx", start.column)
            self.place += 2
        return Exact(start.column, scalar_calculus(self.tokens[first : self.place], start.column))

    def function(self, name: str, start: Token) -> Node:
        if name == "log" and self.sees("_"):
            self.next()
            base = self.sub(self.group("the base of the logarithm")).whole()
            found = self.applied(name, start, self.attached())
            return Binary(start.column, "/", found, Call(start.column, "log", (base,)))
        return self.applied(name, start, self.attached())

    def special_word(self, token: Token) -> Node | None:
        """Words and letters that bind: argmax in any spelling, E[…], 1[…]."""
        word = token.text.lower().replace(" ", "").replace("_", "") if token.kind == "word" else ""
        declared = any(key == word or key.startswith(f"{word}_") for key in self.scope.names)
        if (
            not declared
            and word in ("argmax", "argmin", "mean", "max", "min", "sum")
            and self.tokens[self.place + 1].text == "_"
        ):
            self.next()
            return self.big(word, token)
        if token.text in ("mathbb", "mathbbm", "mathbf", "bm", "boldsymbol") and (one := self.styled("1")):
            self.place += one
            if self.sees("[", "\\{") or (self.sees("(")):
                return self.indicator(token)
            if self.sees("_"):
                self.next()
                return Indicator(token.column, self.sub(self.group("a condition")).whole())
            return Constant(token.column, "ones")
        if token.text == "mathbb" and (count := self.styled("E")):
            self.place += count
            return self.expectation(token)
        return None

    def styled(self, letter: str) -> int:
        """How many tokens \\mathbb{E} takes here, or 0."""
        ahead = [t.text for t in self.tokens[self.place + 1 : self.place + 4]]
        if ahead[:1] == [letter]:
            return 2
        return 4 if ahead == ["{", letter, "}"] else 0

    def indicator(self, start: Token) -> Node:
        opening = self.next()
        condition = self.expression()
        self.expect(OPENING[opening.text], "after the condition")
        if not isinstance(condition, (Relation, Logic, Name, At)):
            raise LatexError("expected a condition, as in \\mathbf{1}[x > 0]", start.column)
        return Indicator(start.column, condition)

    def expectation(self, start: Token) -> Node:
        """E_i[…] is the mean over i; E[X] stays abstract."""
        if self.sees("_"):
            return self.big("mean", start)
        if not self.sees("[", "(", "\\{"):
            raise LatexError("\\mathbb{E}: expected brackets around what is averaged", start.column)
        return Call(start.column, "E", tuple(self.arguments()))

    # Fences.

    def fenced(self, text: str) -> Node:
        """What stands between two equal bars."""
        start = self.next()
        self.bars.append(text)
        inner = self.expression()
        if not self.sees(text):
            raise LatexError(f"{'|' if text == '|' else chr(92) + '|'} is not closed", start.column)
        self.next()
        self.bars.pop()
        return inner

    def absolute(self) -> Node:
        return Call(self.now.column, "abs", (self.fenced("|"),))

    def norm(self) -> Node:
        column = self.now.column
        inner = self.fenced("norm")
        order = ""
        if self.accepts("_"):
            group = self.group("the order of the norm")
            order = "".join(t.text for t in group)
            if order not in ORDERS:
                raise LatexUnsupported(f"the norm of order {order} is not known: expected 1, 2, F or \\infty", column)
        return Norm(column, ORDERS[order], inner)

    def inner_product(self) -> Node:
        start = self.next()
        bars, self.bars = self.bars, []
        left = self.expression()
        if not self.accepts(",", "|"):
            raise LatexError("expected a comma in ⟨x, y⟩", self.now.column)
        right = self.expression()
        self.expect("rangle", "after ⟨x, y")
        self.bars = bars
        return Call(start.column, "inner", (left, right))

    def rounded(self) -> Node:
        start = self.next()
        inner = self.expression()
        self.expect(OPENING[start.text], "to close it")
        return Call(start.column, {"lfloor": "floor", "lceil": "ceil"}[start.text], (inner,))

    # Commands with arguments.

    def fraction(self) -> Node:
        start = self.next()
        above = self.group("the numerator")
        below = self.group("the denominator")
        if any(t.text == "partial" for t in below) or (
            below and below[0].text == "d" and len(below) > 1 and above[0].text == "d"
        ):
            return self.partial(start, above, below)
        return Binary(start.column, "/", self.sub(above).whole(), self.sub(below).whole())

    def root(self) -> Node:
        start = self.next()
        order: Node | None = None
        if self.accepts("["):
            order = self.expression()
            self.expect("]", "after the order of the root")
        inner = self.sub(self.group("what the root is of")).whole()
        if order is None:
            return Call(start.column, "sqrt", (inner,))
        return Power(start.column, inner, Binary(start.column, "/", Number(start.column, "1"), order))

    def nabla(self) -> Node:
        start = self.next()
        if not self.accepts("_"):
            raise LatexError("\\nabla needs its variable: write \\nabla_w", start.column)
        variable = self.sub(self.group("the variable of \\nabla")).whole()
        if self.sees("^"):
            raise LatexUnsupported("\\nabla^2: second derivatives are asked for with derive.hessian", start.column)
        return Partial(start.column, self.operand(), (variable,))

    def partial(self, start: Token, above: list[Token], below: list[Token]) -> Node:
        """∂f/∂x, ∂²f/∂x∂y, ∂/∂x (…)."""
        sign = below[0]
        variables: list[Node] = []
        inner = self.sub(below)
        while inner.now.kind != "stop":
            token = inner.next()
            if token.text != sign.text:
                raise LatexError(f"expected {sign.shown} before each variable, given {token.shown}", token.column)
            variable = inner.name()
            if variable is None:
                raise LatexError(f"expected a variable after {sign.shown}", inner.now.column)
            times = 1
            if inner.accepts("^"):
                times = _count(inner.group("how often"))
            variables += [variable] * times
        upper = self.sub(above)
        if upper.next().text != sign.text:
            raise LatexError(f"expected {sign.shown} above the line as below it", above[0].column)
        order = _count(upper.group("how often")) if upper.accepts("^") else 1
        if order != len(variables):
            raise LatexError(f"{order} {sign.shown} above the line, {len(variables)} below", start.column)
        body = self.operand() if upper.now.kind == "stop" else upper.whole()
        return Partial(start.column, body, tuple(variables))

    # Environments.

    def environment(self) -> Node:
        start = self.next()
        kind = start.text
        rows: list[list[list[Token]]] = [[[]]]
        depth, braces = 0, 0
        while not (self.now.kind == "end" and depth == 0):
            token = self.next()
            depth += (token.kind == "begin") - (token.kind == "end")
            braces += (token.text == "{") - (token.text == "}") if token.kind == "symbol" else 0
            if token.kind == "stop":
                raise LatexError(f"\\begin{{{kind}}} has no \\end", start.column)
            if depth == 0 and braces == 0 and token.kind == "newline":
                rows.append([[]])
            elif depth == 0 and braces == 0 and token.kind == "symbol" and token.text == "&":
                rows[-1].append([])
            else:
                rows[-1][-1].append(token)
        if self.next().text != kind:
            raise LatexError(f"\\begin{{{kind}}} is closed by another \\end", start.column)
        rows = [row for row in rows if any(row)]
        if kind in ("cases", "dcases"):
            return self.cases(start, rows)
        if "matrix" in kind or kind == "array":
            return self.table(start, rows)
        raise LatexError(f"\\begin{{{kind}}} may stand only around a whole formula", start.column)

    def cases(self, start: Token, rows: list[list[list[Token]]]) -> Node:
        found: list[tuple[Node, Node | None]] = []
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
        words = [t for t in group if t.kind == "word" and _connects(t.text)]
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

    # What follows an operand.

    def attached_to(self, found: Node) -> Node:
        while self.sees("^", "_", "'"):
            token = self.next()
            if token.text == "'":
                raise LatexError("a prime stands where it has no meaning; write ^\\top for a transpose", token.column)
            found = self.entry_of(found, token) if token.text == "_" else self.raised(found, token)
        if self.sees("!"):
            raise LatexUnsupported("the factorial is no part of this grammar", self.now.column)
        return found

    def entry_of(self, found: Node, token: Token) -> Node:
        if isinstance(found, (Name, At, Number, Constant, Letter)):
            raise LatexError("a second subscript; put the indices in one pair of braces", token.column)
        return At(token.column, found, tuple(self.indices(self.group("an index"), 2)))  # type: ignore[arg-type]

    def raised(self, found: Node, token: Token) -> Node:
        group = self.group("a power")
        texts = [t.text for t in group]
        if isinstance(found, (Power, Marked)) and not isinstance(found, Marked):
            raise LatexError("a second superscript; put the powers in one pair of braces", token.column)
        if texts == ["T"] and "T" in self.scope.names:
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


def _trimmed(group: list[Token]) -> list[Token]:
    """Without the punctuation at its ends."""
    while group and group[-1].kind == "symbol" and group[-1].text in (",", ".", ";"):
        group = group[:-1]
    return group


def _connects(word: str) -> bool:
    """Whether a word in a condition says nothing: if, for, otherwise."""
    return all(part in CONNECTING for part in word.lower().strip(".,").split())


def _count(group: list[Token]) -> int:
    if len(group) == 1 and group[0].kind == "number" and group[0].text in "1234":
        return int(group[0].text)
    raise LatexError("expected how often it is differentiated: 1 to 4", group[0].column)


PRIMARY: dict[str, Callable[[Operands], Node]] = {
    **dict.fromkeys(("(", "[", "{", "\\{"), Operands.bracketed),
    "|": Operands.absolute, "norm": Operands.norm, "langle": Operands.inner_product, "lfloor": Operands.rounded,
    "lceil": Operands.rounded, "infty": lambda self: Constant(self.next().column, "infinity"),
}  # fmt: skip
PRIMARY_COMMANDS: dict[str, Callable[[Operands], Node]] = {
    **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac"), Operands.fraction),
    "sqrt": Operands.root, "nabla": Operands.nabla, "sum": Operands.summed, "prod": Operands.summed,
    "max": Operands.extremum, "min": Operands.extremum, "arg": Operands.argument, "argmax": Operands.summed,
    "argmin": Operands.summed,
}  # fmt: skip
__all__ = ["Operands"]
