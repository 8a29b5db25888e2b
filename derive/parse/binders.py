"""What binds letters: Σ, Π, max, min, arg max over ranges and under conditions."""

from __future__ import annotations

from .errors import LatexError
from .grammar import BODY
from .names import Names
from .scope import stem_of
from .tokens import Token
from .tree import At, Big, Binary, Call, Letter, Logic, Name, Node, Number, Range, Relation, children

FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
EXTREMA = ("max", "min", "prod", "argmax", "argmin")


class Binders(Names):
    """Operands that bind letters."""

    def summed(self) -> Node:
        start = self.next()
        return self.big(start.text, start)

    def argument(self) -> Node:
        start = self.next()
        if self.now.text not in ("max", "min"):
            raise LatexError("\\arg stands without \\max or \\min", start.column)
        return self.big("arg" + self.next().text, start)

    def extremum(self) -> Node:
        """\\max_i z_i over letters; \\max(a, b) and \\max\\{0, x\\} of numbers."""
        start = self.next()
        if self.sees("_"):
            return self.big(start.text, start)
        if not self.sees("(", "\\{", "["):
            raise LatexError(f"\\{start.text}: expected a subscript or arguments in brackets", start.column)
        return Call(start.column, start.text, tuple(self.arguments()))

    def big(self, kind: str, start: Token) -> Node:
        sub: list[Token] = []
        sup: list[Token] = []
        while self.sees("_", "^"):
            if self.next().text == "_":
                sub = self.group("the letters below")
            else:
                sup = self.group("the upper limit")
        if not sub:
            raise LatexError(f"\\{kind} needs its letter: write \\{kind}_i", start.column)
        relations = self.bound(sub, start)
        letters = self.binds(relations, start)
        ranges, conditions = self.ranged(relations, letters, bool(sup))
        if sup:
            ranges = self.upper(ranges, sup, start)
        before, outer = set(self.letters), self.running
        self.letters |= letters
        self.running = outer | letters
        body = self.body(kind)
        self.letters, self.running = before, outer
        self.reach(kind, body, letters, start)
        return Big(start.column, kind, ranges, conditions, body)

    def check_reach(self, left: Node, right: Node, operator: Token) -> None:
        """Σ_k x_k + y_k has two readings, unless k is bound in y again."""
        last = left
        while isinstance(last, Binary):
            last = last.right
        both = {one.letter for one in last.ranges} & unbound(right) if isinstance(last, Big) else set()
        if both:
            raise LatexError(f"two readings: does the sum over {min(both)} reach over what follows "
                             f"{operator.text}? Write brackets", operator.column)  # fmt: skip

    def body(self, kind: str) -> Node:
        """What stands after the sign, up to + or −."""
        if kind == "mean" and self.sees("[", "\\{", "("):
            (found,) = self.arguments()
            return found
        return self.expression(BODY)

    def reach(self, kind: str, body: Node, letters: set[str], start: Token) -> None:
        """max_i x_i y and Π_i x_i y have two readings; Σ_i x_i y has one value in both."""
        if kind not in EXTREMA:
            return
        factors = _flat(body)
        if len(factors) > 1 and not all(used(factor) & letters for factor in factors[1:]):
            raise LatexError(f"two readings: does \\{kind} reach over all factors? Put brackets around what it is of",
                             start.column)  # fmt: skip

    def bound(self, group: list[Token], start: Token) -> list[Node]:
        """Letters and relations in a subscript; lines of \\substack are joined."""
        if group[0].text == "substack":
            group = group[2:-1]
            if not group:
                raise LatexError("\\substack needs letters or conditions in braces", start.column)
        group = _dotted(group)
        parts: list[list[Token]] = [[]]
        depth = 0
        for token in group:
            depth += (token.text in ("(", "[", "{", "\\{")) - (token.text in (")", "]", "}", "\\}"))
            if depth == 0 and (token.kind == "newline" or token.text in (",", ":", "|", "and")):
                parts.append([])
            else:
                parts[-1].append(token)
        if not all(parts):
            raise LatexError("a letter is missing beside the comma", group[0].column)
        found: list[Node] = []
        for part in parts:
            for one in self.of_set(part) or _listed(self.below(part)):
                if not isinstance(one, (Letter, Relation, Name, At, Logic)):
                    raise LatexError("expected letters or conditions below the sign", part[0].column)
                found.append(one)
        return _shared(found)

    def below(self, part: list[Token]) -> Node:
        """What stands below a sign: e and primed names are letters there."""
        inner = self.sub(part)
        inner.binding = True
        return inner.whole()

    def of_set(self, part: list[Token]) -> list[Node] | None:
        """i ∈ {1, …, n} and i ∈ [n] as 1 ≤ i ≤ n; x ∈ 𝒳 as x; None for anything else."""
        if part[0].text == "(" and (pair := self.pair_of_set(part)) is not None:
            return pair
        if len(part) < 3 or part[1].text != "in" or part[0].kind != "letter":
            return None
        found = stem_of(part[2:])
        if (
            found is not None
            and part[2].text == "mathcal"
            and found[1] < len(part) - 2
            and found[0] not in self.scope.names
        ):
            raise LatexError(f"{found[0]} is not declared: declare who is a neighbour of whom, as in "
                             f"where='{found[0]}: n n mask'", part[2].column)  # fmt: skip
        letter, rest, column = Letter(part[0].column, part[0].text), part[2:], part[0].column
        texts = [t.text for t in rest]
        if texts[0] == "mathcal" and [t for t in texts[1:] if t not in "{}"] == [letter.name.upper()]:
            return None if letter.name.upper() in self.scope.names else [letter]
        if texts[0] == "[" and texts[-1] == "]":
            low: list[Token] = [Token("number", "1", column)]
            high = rest[1:-1]
        elif texts[:1] + texts[2:5] + texts[-1:] == ["\\{", ",", "dots", ",", "\\}"]:
            low, high = rest[1:2], rest[5:-1]
        else:
            return None
        ends = (self.sub(low).whole(), letter, self.sub(high).whole())
        return [Relation(column, ends, ("<=", "<="))]

    def pair_of_set(self, part: list[Token]) -> list[Node] | None:
        """(i, j) ∈ Ω, Ω a mask of two axes: both letters, where Ω_ij holds."""
        texts = [t.text for t in part[:6]]
        if texts[2:3] != [","] or texts[4:6] != [")", "in"] or part[1].kind != "letter" or part[3].kind != "letter":
            return None
        found = self.below(part[6:]) if len(part) > 6 else None
        if not isinstance(found, Name) or "mask" not in self.scope.names[found.key].flags:
            raise LatexError("a set of pairs is declared as a mask, as in where='Omega: n m mask'", part[0].column)
        letters = tuple(Letter(part[k].column, part[k].text) for k in (1, 3))
        return [*letters, At(part[0].column, found, letters)]

    def binds(self, found: list[Node], start: Token) -> set[str]:
        """The letters that the sign binds: those written alone, before =, or new in a relation."""
        alone = {_letter(one) for one in found if not isinstance(one, Relation)}
        letters = {name for name in alone if name}
        for one in found:
            if not isinstance(one, Relation):
                continue
            if one.signs[0] in ("=", "in") and (name := _letter(one.items[0])) and name not in letters:
                letters.add(name)
                continue
            new = [n for n in map(_letter, one.items) if n and n not in self.letters and n not in letters]
            new = [n for n in new if self.scope.length(n) is None or n in map(_letter, one.items[:-1])]
            if len(new) > 1 and "!=" in one.signs and not self.closed:
                raise LatexError(f"two readings: is {new[1]} bound here too? Write \\sum_{{{new[1]}}} before it, "
                                 f"or give "
                                 f"the formula a left-hand side with {new[1]}", start.column)  # fmt: skip
            letters |= set(new)
        if not letters and any(used(one) & self.scope.names.keys() for one in found):
            what = "an expectation" if start.text in ("mathbb", "hat", "E") else "a minimum, a maximum or a sum"
            raise LatexError(f"{what} over a variable that is declared is not read: give what stands after it, or "
                             f"letters of its axes", start.column)  # fmt: skip
        if not letters:
            raise LatexError("no letter is bound below the sign", start.column)
        return letters

    def ranged(self, found: list[Node], letters: set[str], limited: bool) -> tuple[tuple[Range, ...], tuple[Node, ...]]:
        """Ranges c ≤ i ≤ d of the letters, and the conditions that are left."""
        low: dict[str, Node] = {}
        high: dict[str, Node] = {}
        conditions: list[Node] = []
        alone = {_letter(one) for one in found}
        for one in found:
            if isinstance(one, (At, Logic)):
                conditions.append(one)
            if not isinstance(one, Relation):
                continue
            name = _letter(one.items[0])
            if one.signs == ("=",) and name in letters - alone:
                if not limited and not isinstance(one.items[1], Number):
                    raise LatexError(f"two readings: {name} from there on, or only there; write {name} \\ge …, or "
                                     f"\\sum_{{{name} : {name} = …}}", one.column)  # fmt: skip
                low[name] = one.items[1]
                continue
            if one.signs == ("in",) and isinstance(one.items[1], At):  # j ∈ N(i), N a mask
                neighbours = one.items[1]
                conditions.append(At(one.column, neighbours.base, (*neighbours.indices, one.items[0])))
                continue
            if one.signs == ("in",) and isinstance(one.items[1], Name):  # i ∈ D, D a mask
                conditions.append(At(one.column, one.items[1], one.items[:1]))
                continue
            for left, sign, right in zip(one.items, one.signs, one.items[1:], strict=False):
                if not _limit(left, sign, right, letters, low, high):
                    conditions.append(Relation(one.column, (left, right), (sign,)))
        order = [name for one in found for name in _letters_in(one) if name in letters]
        ranges = tuple(Range(found[0].column, name, low.get(name), high.get(name)) for name in dict.fromkeys(order))
        return ranges, tuple(conditions)

    def upper(self, ranges: tuple[Range, ...], sup: list[Token], start: Token) -> tuple[Range, ...]:
        one = ranges[-1]
        if any(r.high is not None for r in ranges) or any(r.low is not None for r in ranges[:-1]):
            raise LatexError("an upper limit needs one letter below the sign, as in \\sum_{i=1}^{n}", start.column)
        if one.low is None:
            raise LatexError(f"an upper limit without a lower one: write \\sum_{{{one.letter}=1}}", start.column)
        limit = self.sub(sup)
        limit.limiting = True
        high = limit.whole()
        return tuple(Range(r.column, r.letter, one.low, high) for r in ranges)  # i, j = 1 … n limits both


def _dotted(group: list[Token]) -> list[Token]:
    """i = 1, \\dots, n as 1 ≤ i ≤ n."""
    texts = [t.text for t in group]
    if texts[1:2] != ["="] or "dots" not in texts or group[2].kind not in ("number", "letter"):
        return group
    place = texts.index("dots")
    if any(t not in (",", texts[2], "2") for t in texts[2:place]) or place == len(texts) - 1:
        return group
    high = group[place + 2 :] if texts[place + 1] == "," else group[place + 1 :]
    below = Token("symbol", "<=", group[1].column)
    return [group[2], below, group[0], below, *high]


def _letter(node: Node) -> str:
    return node.name if isinstance(node, Letter) else ""


def _letters_in(node: Node) -> list[str]:
    return [_letter(part) for part in (node.items if isinstance(node, Relation) else (node,))]


def _flat(node: Node) -> list[Node]:
    if isinstance(node, Binary) and node.operator in ("*", "cdot", "/"):
        return [*_flat(node.left), node.right]
    return [node]


def _listed(node: Node) -> list[Node]:
    """b c side by side below a sign are two letters."""
    if isinstance(node, Binary) and node.operator == "*":
        return [*_listed(node.left), node.right]
    return [node]


def used(node: Node) -> set[str]:
    """Every letter in a tree."""
    found: set[str] = set()
    stack = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, (Letter, Name)):
            found.add(part.name if isinstance(part, Letter) else part.key)
        stack.extend(children(part))
    return found


def unbound(tree: Node, bound: frozenset[str] = frozenset()) -> set[str]:
    """Letters that no sign within the tree binds."""
    found: set[str] = set()
    stack = [(tree, bound)]
    while stack:
        part, inner = stack.pop()
        if isinstance(part, Letter):
            found |= {part.name} - inner
            continue
        if isinstance(part, Big):
            inner = inner | {one.letter for one in part.ranges}
        stack += [(one, inner) for one in children(part)]
    return found


def _limit(left: Node, sign: str, right: Node, letters: set[str], low: dict[str, Node], high: dict[str, Node]) -> bool:
    """Whether `left sign right` limits one of the letters by what is no such letter; it is then entered."""
    if sign in ("!=", "=", "in"):
        return False
    name, limit, upper = _letter(left), right, sign in ("<", "<=")
    if name not in letters or used(right) & letters:
        name, limit, upper = _letter(right), left, sign in (">", ">=")
        if name not in letters or used(left) & letters:
            return False
    table = high if upper else low
    if name in table:
        return False
    strict = len(sign) == 1
    one = Number(limit.column, "1")
    table[name] = Binary(limit.column, "-" if upper else "+", limit, one) if strict else limit
    return True


def _shared(found: list[Node]) -> list[Node]:
    """0 ≤ m, n < k limits both letters on both sides."""
    if len(found) != 2 or not all(isinstance(one, Relation) and len(one.signs) == 1 for one in found):
        return found
    first, second = found
    assert isinstance(first, Relation) and isinstance(second, Relation)
    m, n = _letter(first.items[1]), _letter(second.items[0])
    if not m or not n or _letter(first.items[0]) or first.signs[0] not in FLIPPED or second.signs[0] not in FLIPPED:
        return found
    both = [Relation(one.column, (first.items[0], one, second.items[1]), (first.signs[0], second.signs[0]))
            for one in (first.items[1], second.items[0])]  # fmt: skip
    return list(both)
