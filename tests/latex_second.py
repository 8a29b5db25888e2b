"""A second reader of LaTeX, for tests only: characters → NumPy, in 150 lines, sharing nothing with the first.

Vectors are n × 1 matrices, so that transposes and products need no types. It knows a small part of the language;
anything else raises Unread. What both readers read must have one value.
"""

import re

import numpy as np
from scipy import special


class Unread(Exception):
    """Not within this reader's small language."""


TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\d+\.\d+|\d|[A-Za-z]|\S")
SKIPPED = {r"\left", r"\right", r"\,", r"\;", r"\!", r"\big", r"\bigl", r"\bigr", r"\Bigl", r"\Bigr", r"\quad"}
FUNCTIONS = {
    r"\exp": np.exp, r"\log": np.log, r"\ln": np.log, r"\tanh": np.tanh, r"\sin": np.sin, r"\cos": np.cos,
    r"\sigma": special.expit,
}  # fmt: skip
GREEK = {f"\\{n}": n for n in "alpha beta gamma delta epsilon eta theta lambda mu rho tau nu phi".split()}


def run(text, env, sizes):
    """The value of the whole text; env: name → array or number, sizes: letter → length."""
    reader = Second([t for t in TOKEN.findall(text) if t not in SKIPPED], env, sizes)
    with np.errstate(all="ignore"):
        value = reader.sum()
    if reader.tokens:
        raise Unread(reader.tokens[0])
    return value


def column(value):
    value = np.asarray(value, dtype=float)
    return value[:, None] if value.ndim == 1 else value


def number(value):
    value = np.asarray(value)
    if value.size != 1 or (value.ndim and value.shape != (1, 1)):
        raise Unread("a number is expected")
    return float(value.reshape(()))


class Second:
    def __init__(self, tokens, env, sizes):
        self.tokens, self.env, self.sizes, self.index = list(tokens), env, sizes, {}
        self.open = False  # within ‖ … ‖

    def peek(self):
        return self.tokens[0] if self.tokens else ""

    def take(self, wanted=None):
        if not self.tokens or (wanted and self.tokens[0] != wanted):
            raise Unread(f"{wanted} is expected, given {self.peek()}")
        return self.tokens.pop(0)

    def sum(self):
        sign = -1 if self.peek() == "-" and self.take() else 1
        total = sign * np.asarray(self.product())
        while self.peek() in ("+", "-"):
            sign = 1 if self.take() == "+" else -1
            total = self.added(total, sign * np.asarray(self.product()))
        return total

    def added(self, a, b):
        if a.ndim == b.ndim and a.shape != b.shape:
            raise Unread("shapes")
        if a.ndim != b.ndim and max(a.shape or b.shape) != (a.size or 1) * (b.size or 1):
            raise Unread("a number beside a matrix")
        return a + b

    def product(self):
        total = self.factor()
        while self.tokens and (self.peek() == r"\cdot" or self.begins()):
            if self.peek() == r"\cdot":
                self.take()
            total = self.times(total, self.factor())
        if self.peek() in ("/", "*", r"\odot", r"\times"):
            raise Unread(self.peek())
        return total

    def begins(self):
        token = self.peek()
        if token == r"\|":
            return not self.open
        return bool(re.fullmatch(r"[A-Za-z(\[{]|\d.*", token)) or token in GREEK or token in FUNCTIONS or token in (
            r"\frac", r"\sum", r"\sqrt", r"\|", r"\pi",
        )  # fmt: skip

    def times(self, a, b):
        a, b = np.asarray(a), np.asarray(b)
        if a.ndim == 0 or b.ndim == 0:
            return a * b
        if a.shape[1] != b.shape[0]:
            raise Unread("shapes")
        made = a @ b
        return made.reshape(()) if made.shape == (1, 1) else made

    def group(self):
        """The argument of ^, _ and commands: one token, or what stands in braces."""
        if self.peek() != "{":
            return [self.take()]
        depth, found = 0, []
        while True:
            token = self.take()
            depth += (token == "{") - (token == "}")
            if depth == 0:
                return found[1:]
            found.append(token)

    def inner(self, tokens):
        made = Second(tokens, self.env, self.sizes)
        made.index = self.index
        value = made.sum()
        if made.tokens:
            raise Unread(made.tokens[0])
        return value

    def factor(self):
        base = self.primary()
        while self.peek() == "^":
            self.take()
            power = self.group()
            if power in (["T"], [r"\top"]):
                base = np.asarray(base).T
            elif base.ndim == 0:
                base = np.asarray(base) ** number(self.inner(power))
            else:
                raise Unread("a power of an array")
        return base

    def primary(self):
        token = self.take()
        if re.fullmatch(r"\d.*", token):
            while re.fullmatch(r"\d", self.peek()) and "." not in token:
                token += self.take()
            return np.asarray(float(token))
        if token in ("(", "[", "{"):
            value = self.sum()
            self.take({"(": ")", "[": "]", "{": "}"}[token])
            return np.asarray(value)
        handler = {r"\frac": self.fraction, r"\sqrt": self.root, r"\sum": self.summed, r"\|": self.norm}.get(token)
        if handler:
            return np.asarray(handler())
        if token in FUNCTIONS and (token != r"\sigma" or self.peek() == "("):
            return np.asarray(self.function(FUNCTIONS[token]))
        if token == r"\pi":
            return np.asarray(np.pi)
        return np.asarray(self.name(GREEK.get(token, token)))

    def fraction(self):
        above, below = self.inner(self.group()), number(self.inner(self.group()))
        return np.asarray(above) / below

    def root(self):
        return np.sqrt(self.inner(self.group()))

    def function(self, function):
        if self.peek() in ("^", "_"):
            raise Unread("a power of a function")
        if re.fullmatch(r"\d.*", self.peek()):
            raise Unread("log 2π")
        found = function(self.primary())
        if self.peek() == "^":
            raise Unread("a power of a function")
        return found

    def norm(self):
        self.open = True
        value = self.sum()
        self.take(r"\|")
        self.open = False
        if self.peek() == "_":
            self.take()
            if self.group() != ["2"]:
                raise Unread("a norm")
        if np.asarray(value).ndim == 0 or 1 not in np.asarray(value).shape:
            raise Unread("a norm")
        return np.sqrt((np.asarray(value) ** 2).sum())

    def summed(self):
        below, above = [], []
        while self.peek() in ("_", "^"):
            below, above = (self.group(), above) if self.take() == "_" else (below, self.group())
        if len(below) < 3 or below[1] != "=" or below[2:] != ["1"] or len(above) != 1 or above[0] not in self.sizes:
            raise Unread("a range")
        rest, letter, total = list(self.tokens), below[0], None
        if letter in self.index or letter in self.env:
            raise Unread("a letter twice")
        for k in range(self.sizes[above[0]]):
            self.tokens, self.index = list(rest), {**self.index, letter: k}
            value = np.asarray(self.product())
            total = value if total is None else total + value
        self.index = {a: k for a, k in self.index.items() if a != letter}
        return total

    def name(self, name):
        if name == "e" and name not in self.env:
            return np.e
        if name in self.sizes and name not in self.index:
            return float(self.sizes[name])
        if name not in self.env:
            raise Unread(name)
        value = np.asarray(self.env[name], dtype=float)
        if self.peek() != "_":
            return column(value)
        self.take()
        places = self.group()
        if len(places) != value.ndim or any(p not in self.index for p in places):
            raise Unread("an index")
        found = [self.index[p] for p in places]
        if any(k >= n for k, n in zip(found, value.shape, strict=True)):
            raise Unread("out of range")
        return value[tuple(found)]
