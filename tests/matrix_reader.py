"""Reads printed matrix LaTeX back and evaluates it with NumPy; it shares no code with the printers.

A vector is a column. 𝟏 and what comes of it may be of any length: such an axis has one entry and stays open until
something beside it says how long it is.
"""

import re
from dataclasses import dataclass
from itertools import product

import numpy as np
from latex_reader import ACCENTS, FUNCTIONS, GREEK, MATRIX_FUNCTIONS, NAMED_FUNCTIONS, RELATIONS, Unread, tokens

ENDS = {
    r"\bmod",
    "",
    "@if!",
    "@otherwise!",
    r"\end{cases}",
    r"\rvert",
    "+",
    "-",
    ")",
    "]",
    "}",
    ",",
    r"\odot",
    r"\oslash",
    r"\rVert",
    "&",
    r"\\",
    *RELATIONS,
}
WORD = re.compile(r"\\mathrm\{[^{}]*\}|\\[a-zA-Z]+|[a-zA-Z]")
LETTER = r"(?:\\mathrm\{[^{}]*\}|[a-z])'*"


@dataclass
class Block:
    """A matrix; an open axis has one entry, which is repeated as often as wanted."""

    array: np.ndarray
    rows_open: bool = False
    columns_open: bool = False

    @property
    def T(self):
        return Block(self.array.T, self.columns_open, self.rows_open)


ONES = Block(np.ones((1, 1)), rows_open=True)


@dataclass
class Identity:
    """c 𝐈 of any length."""

    scale: float = 1.0

    T = property(lambda self: self)


IDENTITY = Identity()


def entrywise(function, *blocks):
    """A function of arrays, entry by entry; numbers stand beside anything."""
    shaped = [b for b in blocks if isinstance(b, Block)]
    if any(isinstance(b, Identity) for b in blocks):
        other = next((b for b in shaped if not b.rows_open or not b.columns_open), None)
        if other is None:
            raise Unread("an identity of no length")
        size = other.array.shape[1] if other.rows_open else other.array.shape[0]
        blocks = [Block(b.scale * np.eye(size)) if isinstance(b, Identity) else b for b in blocks]
        shaped = [b for b in blocks if isinstance(b, Block)]
    if not shaped:
        return float(function(*blocks))
    for axis, is_open in ((0, "rows_open"), (1, "columns_open")):
        lengths = {b.array.shape[axis] for b in shaped if not getattr(b, is_open)}
        if len(lengths) > 1:
            raise Unread(f"lengths {lengths} do not agree")
    value = function(*(b.array if isinstance(b, Block) else b for b in blocks))
    return Block(value, all(b.rows_open for b in shaped), all(b.columns_open for b in shaped))


def times(left, right):
    """A matrix product, or a number times anything; a product of one entry is a number."""
    if isinstance(left, Identity) or isinstance(right, Identity):
        one, other = (left, right) if isinstance(left, Identity) else (right, left)
        if isinstance(other, Block):
            return times(one.scale, other) if one.scale != 1 else other
        return Identity(one.scale * (other if isinstance(other, float) else other.scale))
    if not isinstance(left, Block) or not isinstance(right, Block):
        return entrywise(np.multiply, left, right)
    if left.columns_open and right.rows_open:
        raise Unread("a sum over an axis of no length")
    one = np.repeat(left.array, right.array.shape[0], axis=1) if left.columns_open else left.array
    two = np.repeat(right.array, left.array.shape[1], axis=0) if right.rows_open else right.array
    if one.shape[1] != two.shape[0]:
        raise Unread(f"no product of {one.shape} and {two.shape}")
    found = one @ two
    if found.shape == (1, 1) and not left.rows_open and not right.columns_open:
        return float(found[0, 0])
    return Block(found, left.rows_open, right.columns_open)


class MatrixReader:
    """Recursive descent; `lookup(name, places)` gives a Block or a number.

    `steps` are the letters that stand below matrices, X_t, each with how many values it takes; `at` is what they are.
    """

    def __init__(self, source, lookup, steps=None, at=None):
        self.tokens, self.place, self.source = tokens(source), 0, source
        self.lookup, self.steps, self.at = lookup, steps or {}, dict(at or {})

    @property
    def next(self):
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self, *wanted):
        if self.next and (not wanted or self.next in wanted):
            self.place += 1
            return self.tokens[self.place - 1]
        return ""

    def expect(self, *wanted):
        if not (found := self.take(*wanted)):
            raise Unread(f"expected {wanted} before {self.tokens[self.place :][:8]} in {self.source}")
        return found

    def whole(self):
        found = [self.sum()]
        while self.take("="):
            found.append(self.sum())
        if self.next:
            raise Unread(f"left over {self.tokens[self.place :][:8]} in {self.source}")
        return found

    def sum(self):
        sign = -1 if self.take("-") else 1
        total = self.entrywise()
        total = times(-1.0, total) if sign < 0 else total
        while mark := self.take("+", "-"):
            total = entrywise(np.add if mark == "+" else np.subtract, total, self.entrywise())
        return total

    def entrywise(self):
        value = self.product()
        while mark := self.take(r"\odot", r"\oslash"):
            value = entrywise(np.multiply if mark == r"\odot" else np.divide, value, self.product())
        return value

    def product(self):
        value = None
        while True:
            while self.tokens[self.place : self.place + 2] == ["{", "}"]:
                self.place += 2
            if self.take(r"\cdot", r"\times"):
                continue
            if self.take("/"):
                value = entrywise(np.divide, value, self.power())
                continue
            if self.next in ENDS:
                break
            factor = self.power()
            value = factor if value is None else times(value, factor)
        if value is None:
            raise Unread(f"nothing before {self.tokens[self.place :][:8]} in {self.source}")
        return value

    def power(self):
        value = self.atom()
        while self.take("^"):
            exponent = self.group_tokens()
            if exponent == [r"\top"]:
                value = value.T if not isinstance(value, float) else value
            elif exponent in (["-", "1"], ["-", r"\top"]) and isinstance(value, Block):
                value = Block(np.linalg.inv(value.array))
                value = value.T if exponent[1] == r"\top" else value
            elif exponent[:1] == [r"\odot"]:
                plain = all(part in "0123456789./" for part in exponent[1:])
                number = self.number(exponent[1:]) if plain else self.within(exponent[1:])
                value = entrywise(lambda a, n=number: np.power(a, n), value)
            elif isinstance(value, float):
                value = float(np.power(value, self.within(exponent)))
            else:
                raise Unread(f"no power {exponent} of a matrix in {self.source}")
        return value

    def within(self, inside):
        return MatrixReader(" ".join(inside), self.lookup, self.steps, self.at).sum()

    def number(self, exponent):
        above, _, below = "".join(exponent).partition("/")
        return float(above) / float(below or 1)

    def group_tokens(self):
        if not self.take("{"):
            return [self.take()]
        depth, found = 1, []
        while depth:
            token = self.take()
            if not token:
                raise Unread(f"a group without end in {self.source}")
            depth += (token == "{") - (token == "}")
            found.append(token)
        return found[:-1]

    def group(self):
        self.expect("{")
        value = self.sum()
        self.expect("}")
        return value

    def called(self):
        self.expect("(")
        value = self.sum()
        self.expect(")")
        return value

    def atom(self):
        token = self.next
        if re.fullmatch(r"\d.*", token):
            return float(self.take())
        if token == "(":
            return self.called()
        if self.take(r"\sum"):
            return self.summed()
        if token == r"\mathbf" and self.tokens[self.place + 1] == "{" and self.tokens[self.place + 2] in "1I":
            kind = self.tokens[self.place + 2]
            self.place += 4
            if kind == "1" and self.take("["):
                return self.bracket()
            return ONES if kind == "1" else IDENTITY
        if self.take("@diag!"):
            inside = self.called()
            if 1 in inside.array.shape and (inside.array.shape[0] == 1) != (inside.array.shape[1] == 1):
                return Block(np.diag(inside.array.ravel()))
            return Block(np.diag(inside.array)[:, None])
        if self.take("@tr!"):
            return float(np.trace(self.called().array))
        if self.take(r"\lVert"):
            inside = self.sum()
            self.expect(r"\rVert")
            self.take("_") and self.take("F")
            return float(np.linalg.norm(inside.array))
        if self.take(r"\frac", r"\tfrac"):
            return entrywise(np.divide, self.group(), self.group())
        if self.take(r"\sqrt"):
            return entrywise(np.sqrt, self.group())
        if self.take(r"\lvert"):
            inside = self.sum()
            self.expect(r"\rvert")
            return entrywise(np.abs, inside)
        if self.take(r"\begin{cases}"):
            return self.cases()
        if self.take("@chol!"):
            return Block(np.linalg.cholesky(self.called().array))
        for opening, name in NAMED_FUNCTIONS.items():
            if self.tokens[self.place : self.place + 2] == [opening, "("]:
                self.take()
                return Block(MATRIX_FUNCTIONS[name](self.called().array))
        if self.take("@sym!"):
            inner = self.power()
            return Block((inner.array + inner.array.T) / 2)
        if self.take(r"\det"):
            return float(np.linalg.det(self.power().array))
        if self.tokens[self.place : self.place + 2] == [r"\log", r"\lvert"]:
            self.take()
            return float(np.log(self.atom()))
        return self.other()

    def summed(self):
        """Σ over letters that stand below matrices."""
        self.expect("_")
        letters = "".join(self.group_tokens()).split("=")[0].split(",")
        while self.take("^"):
            self.group_tokens()
        if any(letter.rstrip("'") not in self.steps for letter in letters):
            raise Unread(f"a sum over {letters} in {self.source}")
        start, outer, total = self.place, dict(self.at), None
        for values in product(*(range(self.steps[a.rstrip("'")]) for a in letters)):
            self.place, self.at = start, outer | dict(zip(letters, values, strict=True))
            term = self.product()
            total = term if total is None else entrywise(np.add, total, term)
        self.at = outer
        return total

    def cases(self):
        """A number by cases."""
        chosen = None
        while True:
            value = self.sum()
            self.expect("&")
            if self.take("@otherwise!"):
                self.expect(r"\end{cases}")
                return value if chosen is None else chosen
            self.expect("@if!")
            left, sign, right = self.sum(), self.expect(*RELATIONS), self.sum()
            chosen = value if chosen is None and RELATIONS[sign](left, right) else chosen
            self.expect(r"\\")

    def other(self):
        token = self.next
        if token in FUNCTIONS and self.tokens[self.place + 1 : self.place + 2] != ["_"]:
            after = self.tokens[self.place + 1 : self.place + 2]
            if after == ["("] or after == ["^"]:
                return self.function()
        name, places = self.placed()
        if name == "e" and self.next == "^" and self.lookup("e", ()) is None:
            self.take()
            return float(np.exp(self.within(self.group_tokens())))
        found = self.lookup(name, places)
        if found is None and name in self.at and not places:
            return float(self.at[name])
        if found is None and name == r"\pi":
            return float(np.pi)
        if found is None:
            raise Unread(f"the name {name} means nothing here: {self.source}")
        return found

    def function(self):
        function = FUNCTIONS[self.take()]
        exponent = self.number(self.group_tokens()) if self.take("^") else None
        self.expect("(")
        values = [self.sum()]
        while self.take(","):
            values.append(self.sum())
        self.expect(")")
        found = entrywise(function, *values)
        return found if exponent is None else entrywise(lambda a: np.power(a, exponent), found)

    def bracket(self):
        left = self.sum()
        if self.take(r"\bmod"):
            left = entrywise(np.mod, left, self.product())
        sign = self.expect(*RELATIONS)
        right = self.sum()
        self.expect("]")
        return entrywise(lambda a, b: RELATIONS[sign](a, b).astype(float), left, right)

    def nucleus(self):
        token = self.take()
        if token in ACCENTS:
            self.expect("{")
            inner = self.nucleus()
            self.expect("}")
            return f"{token}{{{inner}}}"
        if token in (r"\mathrm", r"\mathcal"):
            return token + "{" + "".join(self.group_tokens()) + "}"
        if not (re.fullmatch("[a-zA-Z]", token) or token in GREEK):
            raise Unread(f"no name: {token!r} before {self.tokens[self.place :][:8]} in {self.source}")
        return token

    def placed(self):
        """A name, and the values of what stands below it besides its mark."""
        name, places = self.name(), ()
        head, _, below = name.rstrip("'").removesuffix(")").partition("^(")
        parts = below.split(",") if below else []
        if parts and not self.steps.keys().isdisjoint(WORD.findall(parts[-1])):
            while parts and (values := self.below(parts[-1])) is not None:
                parts.pop()
                places = (*values, *places)
            name = head + (f"^({','.join(parts)})" if parts else "") + "'" * (len(name) - len(name.rstrip("'")))
        return name, places

    def below(self, part):
        """The values of `t`, `n h`, `t-1` or `t=0` below a matrix; None for a mark."""
        if stated := re.fullmatch(rf"{LETTER}=(.+)", part):
            terms = re.findall(r"([+-]?)(\d+|\\mathrm\{\w+\}|\w+)", stated[1])
            return [sum((-1 if sign == "-" else 1) * self.count(name) for sign, name in terms)]
        letters, one = re.findall(LETTER, part), re.fullmatch(rf"({LETTER})([+-]\d+)?", part)
        if not letters or not {a.rstrip("'") for a in letters} <= self.steps.keys():
            return None
        if one:
            return [self.at[one[1]] + int(one[2] or 0)]
        return [self.at[a] for a in letters] if "".join(letters) == part else None

    def count(self, name):
        """A number, or the length that is called so."""
        return int(name) if name.isdigit() else int(self.lookup(name, ()))

    def name(self):
        """A name with its mark below, S_1, or above; primes belong to it."""
        name = self.nucleus()
        if self.tokens[self.place : self.place + 3] == ["^", "{", "("]:
            self.take()
            name += f"^{''.join(self.group_tokens())}"
        elif self.take("_"):
            name += f"^({''.join(self.group_tokens())})"
        while self.take("'"):
            name += "'"
        return name


def small(name):
    """x of X, x̂ of X̂: how the tensor is written with its indices."""
    found = re.fullmatch(r"((?:\\[a-z]+\{)*)([A-Z])([}^(].*|'*|)", name)
    return f"{found[1]}{found[2].lower()}{found[3]}" if found else name
