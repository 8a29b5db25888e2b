"""Operands: brackets, norms, fractions, roots, sums and maxima, cases, matrices, derivatives; and what follows them."""

from __future__ import annotations

from collections.abc import Callable

from .environments import Environments
from .errors import LatexError, LatexUnsupported
from .functions import ALIASES as FUNCTION_ALIASES
from .functions import KNOWN
from .gate import scalar_calculus
from .grammar import OPENING
from .suffixes import bare
from .tokens import ACCENTS, STYLES, Token
from .tree import (
    At,
    Binary,
    Call,
    Constant,
    Exact,
    Indicator,
    Letter,
    Logic,
    Name,
    Node,
    Norm,
    Number,
    Partial,
    Power,
    Relation,
)

ORDERS = {
    "": "", "1": "1", "2": "2", "F": "F", "infty": "inf", "max": "inf",
    **dict.fromkeys(("*", "star", "nuc"), "nuclear"), **dict.fromkeys(("op", "spec", "2to2"), "spectral"),
}  # fmt: skip
LATER = ("int", "lim", "binom")
DEEPEST = 60
NO_VALUE = {  # relations that define no number
    "propto": "tells no value: write = with the constant", "sim": "names a distribution, which has no value",
    "approx": "is no definition: write =", "mapsto": "is not read: write f(x) = …",
}  # fmt: skip


NAMED = "expected one name in the braces, and what is attached to it behind them"
HABITS = {"*": "; a power is written ^{2}", "<": "; an inner product is written \\langle x, y \\rangle"}


class Operands(Environments):
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
            self.next()
            return self.one_where(token) if token.text == "1" and self.sees("_") else Number(token.column, token.text)
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
        if token.text in NO_VALUE and token.kind == "command":
            raise LatexError(f"\\{token.text} {NO_VALUE[token.text]}", token.column)
        if token.kind == "command" and (token.text in STYLES or token.text in ACCENTS):
            opened = self.tokens[self.place + 1].text == "{"
            closed = not opened or self.closing(self.place + 1) is not None
            raise LatexError(f"\\{token.text}: {NAMED if closed else 'the { is not closed'}", token.column)
        if token.text == "dots":
            raise LatexError("dots are not read: write a sum, or name what they leave out", token.column)
        instead = HABITS.get(token.text, "") if token.kind == "symbol" else ""
        if token.text == "*" and self.tokens[self.place - 1].text != "*":
            instead = ""
        raise LatexError(f"{token.shown} stands where a number or a name is expected{instead}", token.column)

    def gated(self, start: Token) -> Node:
        """An integral up to its dx, a limit of one factor, a binomial: their value as a number."""
        first = self.place
        self.next()
        if start.text == "binom":
            upper, lower = self.group("the upper number"), self.group("the lower number")
            if any(t.kind != "number" for t in (*upper, *lower)):
                return Call(start.column, "binom", (self.sub(upper).whole(), self.sub(lower).whole()))
        elif start.text == "lim":
            taken = self.group("where the limit is taken") if self.accepts("_") else []
            self.operand()
            rest = {t.text for t in self.tokens[self.place :] if t.kind == "letter"}
            if self.sees("+", "-") and rest & {t.text for t in taken[:1]}:
                raise LatexError("two readings: does the limit reach over what follows? Write brackets", start.column)
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
            found = self.applied(name, start, self.attached().primes)
            return Binary(start.column, "/", found, Call(start.column, "log", (base,)))
        return self.applied(name, start, self.attached().primes)

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
        if word == "e" and not declared and self.tokens[self.place + 1].text == "[":
            self.next()
            return self.expectation(token)
        if token.text in ("mathbf", "bm", "boldsymbol") and (zero := self.styled("0")):
            self.place += zero
            return (self.sees("_") and self.sized("zeros", token)) or Constant(token.column, "zeros")
        if token.text in ("mathbb", "mathbbm", "mathds", "mathbf", "bm", "boldsymbol") and (one := self.styled("1")):
            self.place += one
            if self.sees("[", "\\{") or (self.sees("(")):
                return self.indicator(token)
            if self.sees("_"):
                return self.sized("ones", token) or self.one_where(token)
            return Constant(token.column, "ones")
        if token.text == "mathbb" and (count := self.styled("I")):
            follows = self.tokens[self.place + count]
            if follows.kind == "symbol" and follows.text in ("[", "\\{", "(", "_"):
                self.place += count
                return self.one_where(token) if follows.text == "_" else self.indicator(token)
        hat = self.mean_hat(token)  # \hat{\mathbb E}_t, the mean of a sample
        if hat or (token.text == "mathbb" and self.styled("E")):
            self.place += hat or self.styled("E")
            return self.expectation(token)
        return None

    def mean_hat(self, token: Token) -> int:
        """How many tokens \\hat{\\mathbb{E}} takes here, or 0."""
        ahead = [t.text for t in self.tokens[self.place + 1 : self.place + 7] if t.text not in ("{", "}")]
        if token.text not in ("hat", "widehat") or ahead[:2] != ["mathbb", "E"]:
            return 0
        first = next(k for k in range(self.place, len(self.tokens)) if self.tokens[k].text == "E") + 1
        while first - self.place < 7 and self.tokens[first].text == "}":
            first += 1
        return first - self.place

    def styled(self, letter: str) -> int:
        """How many tokens \\mathbb{E} takes here, or 0."""
        ahead = [t.text for t in self.tokens[self.place + 1 : self.place + 4]]
        if ahead[:1] == [letter]:
            return 2
        return 4 if ahead == ["{", letter, "}"] else 0

    def one_where(self, start: Token) -> Node:
        """1_{x > 0}, with or without brackets within the braces."""
        self.next()
        group = self.group("a condition")
        while len(group) > 2 and OPENING.get(group[0].text) == group[-1].text:
            group = group[1:-1]
        return self.where(self.sub(group).whole(), start)

    def indicator(self, start: Token) -> Node:
        opening = self.next()
        condition = self.expression()
        self.expect(OPENING[opening.text], "after the condition")
        return self.where(condition, start)

    def where(self, condition: Node, start: Token) -> Node:
        if not isinstance(condition, (Relation, Logic, Name, At)):
            raise LatexError("expected a condition, as in \\mathbf{1}[x > 0]", start.column)
        return Indicator(start.column, condition)

    def expectation(self, start: Token) -> Node:
        """E_i[…] is the mean over i; E[X] stays abstract."""
        if self.sees("_"):
            self.no_distribution(start)
            return self.big("mean", start)
        if not self.sees("[", "(", "\\{"):
            raise LatexError("\\mathbb{E}: expected brackets around what is averaged", start.column)
        return Call(start.column, "E", tuple(self.arguments()))

    def no_distribution(self, start: Token) -> None:
        place = self.place
        self.next()
        drawn = any(t.text == "sim" for t in self.group("the letters of \\mathbb{E}"))
        self.place = place
        if drawn:
            raise LatexError("an expectation over a distribution has no value: write a mean over samples, as in "
                             "\\frac{1}{n}\\sum_i, or \\mathbb{E}_i", start.column)  # fmt: skip

    # Fences.

    def fenced(self, text: str) -> Node:
        """What stands between two equal bars."""
        start = self.next()
        self.bars.append(text)
        inner = self.expression()
        if not self.sees(text):
            joined = "; for vectors put together, [x; y], write the sum of two products" if text == "norm" else ""
            raise LatexError(f"{'|' if text == '|' else chr(92) + '|'} is not closed{joined}", start.column)
        self.next()
        self.bars.pop()
        return inner

    def absolute(self) -> Node:
        ahead = self.tokens[self.place : self.place + 6]
        inner = bare(ahead[1:])
        if ahead[1].text == "mathcal" and inner[1:2] == ["|"] and inner[0].lower() in self.scope.axes:
            self.place += 4 + 2 * (ahead[2].text == "{")
            return Letter(ahead[0].column, inner[0].upper())  # |𝒜|: how many actions a there are
        return Call(self.now.column, "abs", (self.fenced("|"),))

    def norm(self) -> Node:
        column = self.now.column
        inner = self.fenced("norm")
        if self.sees("^") and (below := self.below_power()):  # \|x\|^2_2 as \|x\|_2^2
            self.tokens[self.place : below[1]] = [
                *self.tokens[below[0] : below[1]],
                *self.tokens[self.place : below[0]],
            ]
        if not self.accepts("_"):
            return Norm(column, "", inner)
        group = self.group("the order of the norm")
        order = "".join(bare(group))
        if order not in ORDERS and order != "0":
            return Call(column, "pnorm", (inner, self.sub(group).whole()))
        if order not in ORDERS:
            raise LatexUnsupported(f"the norm of order {order} is not known: expected 1, 2, F, \\infty, *, "
                                   f"\\text{{op}}, or a positive number", column)  # fmt: skip
        return Norm(column, ORDERS[order], inner)

    def below_power(self) -> tuple[int, int] | None:
        """Where a subscript behind the power here begins and ends; None if there is none."""
        place = self.place
        self.next()
        self.group("a power")
        first = self.place
        if self.accepts("_"):
            self.group("the order of the norm")
        last, self.place = self.place, place
        return (first, last) if last > first else None

    def inner_product(self) -> Node:
        start = self.next()
        bars, self.bars = self.bars, []
        left = self.expression()
        if not self.accepts(",", "|"):
            raise LatexError("expected a comma in ⟨x, y⟩", self.now.column)
        right = self.expression()
        self.expect("rangle", "after ⟨x, y")
        self.bars = bars
        if self.sees("_") and bare(self.tokens[self.place + 1 : self.place + 4])[:1] == ["F"]:  # ⟨A, B⟩_F
            self.next()
            self.group("F")
        return Call(start.column, "inner", (left, right))

    def braced(self) -> Node:
        """\\underbrace{x}_{\\text{fit}}: x."""
        start = self.next()
        inner = self.sub(self.group("what stands in the brace")).whole()
        if start.text != "boxed" and self.accepts("_", "^"):
            self.group("what the brace says")
        return inner

    def negated(self) -> Node:
        """¬ of a condition."""
        return Logic(self.next().column, "not", (self.operand(),))

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
        if any(t.text == "partial" and t.kind == "command" for t in below) or (
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


def _count(group: list[Token]) -> int:
    if len(group) == 1 and group[0].kind == "number" and group[0].text in "1234":
        return int(group[0].text)
    raise LatexError("expected how often it is differentiated: 1 to 4", group[0].column)


PRIMARY: dict[str, Callable[[Operands], Node]] = {
    **dict.fromkeys(("(", "[", "{", "\\{"), Operands.bracketed),
    "|": Operands.absolute, "norm": Operands.norm, "langle": Operands.inner_product, "lfloor": Operands.rounded,
    "lceil": Operands.rounded, "not": Operands.negated, "infty": lambda self: Constant(self.next().column, "infinity"),
}  # fmt: skip
PRIMARY_COMMANDS: dict[str, Callable[[Operands], Node]] = {
    **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac"), Operands.fraction),
    "sqrt": Operands.root, "nabla": Operands.nabla, "sum": Operands.summed, "prod": Operands.summed,
    "max": Operands.extremum, "min": Operands.extremum, "arg": Operands.argument, "argmax": Operands.summed,
    "argmin": Operands.summed, **dict.fromkeys(("underbrace", "overbrace", "boxed"), Operands.braced),
}  # fmt: skip
__all__ = ["Operands"]
