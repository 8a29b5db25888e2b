"""A Pratt parser: one table of operators and precedences; operands stand in `operands`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .errors import LatexError
from .scope import Scope
from .tokens import ACCENTS, STYLES, Token
from .tree import Binary, Indicator, Logic, Minus, Node, Reach, Relation

OVER, OR, AND, RELATION, SUM, BODY, KRONECKER, PRODUCT, FACTOR = 2, 4, 5, 10, 20, 25, 27, 30, 40

# Operator → (binding power, name); all are left-associative.
INFIX: dict[str, tuple[int, str]] = {
    "+": (SUM, "+"), "-": (SUM, "-"), "cdot": (PRODUCT, "cdot"), "times": (PRODUCT, "times"), "*": (PRODUCT, "star"),
    "/": (PRODUCT, "/"), "mod": (PRODUCT, "mod"),
    "odot": (PRODUCT, "odot"), "otimes": (KRONECKER, "otimes"), "oslash": (PRODUCT, "oslash"), "over": (OVER, "over"),
}  # fmt: skip
RELATIONS = {"=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!=": "!=", "in": "in"}
OPENING = {"(": ")", "[": "]", "\\{": "\\}", "{": "}", "langle": "rangle", "lfloor": "rfloor", "lceil": "rceil"}
CONNECTING = {"for", "if", "when", "otherwise", "else", "and", "or", "where", "with", "so", "that", "let", "then"}
CLOSING = frozenset(OPENING.values()) | {",", "&", ";", ":", "."}


class Cursor:
    """Tokens and a place among them."""

    def __init__(self, given: Sequence[Token], scope: Scope, letters: Iterable[str] = ()) -> None:
        self.tokens = list(given)
        if not self.tokens or self.tokens[-1].kind != "stop":
            last = self.tokens[-1].column + 1 if self.tokens else 0
            self.tokens.append(Token("stop", "", last))
        self.place, self.scope = 0, scope
        self.letters = set(letters)  # index letters that are bound here, or free by the left-hand side
        self.running: set[str] = set()  # those of them that a sign binds
        self.bars: list[str] = []
        self.binding = False  # whether these are the letters below a sign
        self.indexing = False  # whether this is an index
        self.limiting = False  # whether this is an upper limit, where no array stands
        self.closed = False  # whether a left-hand side names all letters that are free
        self.trying = False  # whether an error only says that this is no index: nobody reads its suggestion
        self.depth = 0

    @property
    def now(self) -> Token:
        return self.tokens[self.place]

    def next(self) -> Token:
        token = self.tokens[self.place]
        self.place += token.kind != "stop"
        return token

    def sees(self, *texts: str) -> bool:
        return self.now.kind == "symbol" and self.now.text in texts

    def accepts(self, *texts: str) -> bool:
        found = self.sees(*texts)
        self.place += found
        return found

    def expect(self, text: str, what: str) -> Token:
        if not self.sees(text):
            raise LatexError(f"expected {text.removeprefix(chr(92))} {what}, given {self.now.shown}", self.now.column)
        return self.next()

    def closing(self, place: int) -> int | None:
        """Where the bracket at `place` is closed."""
        depth = 0
        for at in range(place, len(self.tokens)):
            text = self.tokens[at].text if self.tokens[at].kind == "symbol" else ""
            depth += (text in ("(", "[", "{", "\\{")) - (text in (")", "]", "}", "\\}"))
            if depth == 0:
                return at
        return None

    def group(self, what: str) -> list[Token]:
        """What stands in braces, or one symbol: the argument of ^, _ and of commands."""
        start = self.now
        if self.accepts("{"):
            depth, first = 1, self.place
            while depth and self.now.kind != "stop":
                depth += (self.now.text == "{") - (self.now.text == "}") if self.now.kind == "symbol" else 0
                self.place += 1
            if depth:
                raise LatexError("{ is not closed", start.column)
            inner = self.tokens[first : self.place - 1]
            if not inner:
                raise LatexError(f"empty braces; expected {what}", start.column)
            return inner
        if start.kind in ("stop", "newline") or (start.kind == "symbol" and start.text in ("}", ")", "]", "^", "_")):
            raise LatexError(f"expected {what}, given {start.shown}", start.column)
        following = self.tokens[min(self.place + 1, len(self.tokens) - 1)]
        if start.text == "-" and following.kind == "number" and following.tight:
            raise LatexError(f"without braces only the sign is meant; write {{-{following.text}}}", start.column)
        if start.kind == "number" and len(start.text) > 1:
            return [self._digit(start)]
        if start.kind == "command" and (start.text in STYLES or start.text in ACCENTS):
            return [self.next(), *self.group(what)]  # X^\mathsf{T}, x_\mathbf{i}
        if start.kind == "command" and start.text == "substack":
            return [self.next(), *self._in_braces(what)]
        return [self.next()]

    def _in_braces(self, what: str) -> list[Token]:
        opening = self.now
        return [opening, *self.group(what), Token("symbol", "}", self.now.column)]

    def _digit(self, number: Token) -> Token:
        """TeX takes one digit where braces are missing: \\frac12 is ½, and x^10 prints as x¹0."""
        before = self.tokens[self.place - 1] if self.place else number
        if before.text in ("^", "_") or not number.text.isdigit():
            raise LatexError(
                f"without braces only the first digit of {number.text} is meant; write {{{number.text}}}", number.column
            )
        self.tokens[self.place] = Token("number", number.text[1:], number.column + 1, True)
        return Token("number", number.text[0], number.column)


class Grammar(Cursor):
    """Expressions: operands joined by operators of the table."""

    def operand(self) -> Node:
        """A number, a name, or what stands in brackets: the grammars that inherit know."""
        raise NotImplementedError

    def name(self) -> Node | None:
        """A name, if one stands here."""
        raise NotImplementedError

    def sub(self, inner: Sequence[Token]) -> Grammar:
        """The same grammar over other tokens, in the same scope."""
        end = inner[-1].column + 1 if inner else self.now.column
        made = type(self)([*inner, Token("stop", "", end)], self.scope, self.letters)
        made.depth, made.trying, made.closed = self.depth + 1, self.trying, self.closed
        made.running = self.running
        return made

    def whole(self, power: int = 0) -> Node:
        """An expression, and nothing after it."""
        found = self.expression(power)
        self.end()
        return found

    def end(self) -> None:
        if self.now.kind != "stop":
            raise LatexError(f"{self.now.shown} is not read: expected an operator or the end", self.now.column)

    def expression(self, power: int = 0) -> Node:
        left = self.signed(power)
        while True:
            token = self.now
            if token.kind == "symbol" and token.text in INFIX:
                if INFIX[token.text][0] <= power:
                    return left
                left = self.infix(left, self.next())
            elif token.kind == "symbol" and token.text in RELATIONS:
                if power >= RELATION:
                    return left
                left = self.relation(left)
            elif (word := self.logic()) is not None:
                if power >= AND:
                    return left
                self.next()
                left = Logic(left.column, word, (left, self.expression(AND if word == "and" else OR)))
            elif self.begins_operand():
                if power >= PRODUCT:
                    return left
                left = self.juxtaposed(left, token)
            else:
                return left

    def logic(self) -> str | None:
        token = self.now
        if (token.kind == "symbol" or token.kind == "word") and token.text in ("and", "or"):
            return token.text
        return None

    def signed(self, power: int) -> Node:
        token = self.now
        if self.accepts("-"):
            return Minus(token.column, self.expression(max(power, BODY)))
        if token.text == "+" and self.place and self.tokens[self.place - 1].text in ("+", "-"):
            raise LatexError("two signs side by side: a term is missing between them", token.column)
        if self.accepts("+"):
            return self.expression(max(power, BODY))
        return self.operand()

    def infix(self, left: Node, operator: Token) -> Node:
        power, name = INFIX[operator.text]
        right = self.signed_factor() if name == "/" else self.expression(power)
        if power == SUM:
            self.check_reach(left, right, operator)
        if name in ("odot", "oslash") and self.begins_operand():
            factors = [right]
            while self.begins_operand():
                joined = self.juxtaposed(right, self.now)
                factors.append(joined.right)
            return Reach(operator.column, name, left, tuple(factors))
        if name == "/" and self.begins_operand():
            raise LatexError(
                f"two readings: a/b {self.now.shown} may divide by b, or by all that follows; write \\frac{{a}}{{b}}",
                operator.column,
            )
        return Binary(operator.column, name, left, right)

    def check_reach(self, left: Node, right: Node, operator: Token) -> None:
        """Nothing to check here: grammars that bind letters do."""

    def signed_factor(self) -> Node:
        return self.expression(FACTOR)

    def juxtaposed(self, left: Node, token: Token) -> Binary:
        if token.kind == "number":
            raise LatexError(f"a number after a factor: write \\cdot {token.text}, or ^{{{token.text}}}", token.column)
        return Binary(token.column, "*", left, self.expression(PRODUCT))

    def relation(self, left: Node) -> Node:
        items, signs = [left], []
        while self.now.kind == "symbol" and self.now.text in RELATIONS:
            sign = self.next()
            if sign.text == "=" and self.sees("=") and self.now.tight:
                raise LatexError("== is no sign of a formula: write =", sign.column)
            signs.append(RELATIONS[sign.text])
            items.append(self.expression(RELATION))
        return Relation(left.column, tuple(items), tuple(signs))

    def begins_operand(self) -> bool:
        token = self.now
        if token.kind == "symbol":
            if token.text in ("|", "norm"):
                return token.text not in self.bars
            return token.text in OPENING or token.text in ("infty", "not")
        if token.kind == "word":
            return token.text.lower().split(" ")[0] not in CONNECTING
        return token.kind in ("letter", "number", "command", "begin")

    def bracketed(self) -> Node:
        """( … ), [ … ], { … }: what stands within; [a < b] is 1 where it holds, else 0."""
        opening = self.next()
        bars, self.bars = self.bars, []
        inner = self.expression()
        if opening.text == "[" and self.sees(",", ";") and not isinstance(inner, (Relation, Logic)):
            raise LatexError("vectors put together, [x, y], are not read: write the sum of two products, U x + V y",
                             opening.column)  # fmt: skip
        self.expect(
            OPENING[opening.text], f"for the {opening.shown.removeprefix(chr(92))} at column {opening.column + 1}"
        )
        self.bars = bars
        if isinstance(inner, (Relation, Logic)):
            if opening.text != "[" and opening.text != "(":
                raise LatexError("a condition stands where a number is expected", opening.column)
            return Indicator(opening.column, inner) if opening.text == "[" else inner
        return inner
