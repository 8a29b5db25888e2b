"""Where a long line may break, and how wide it is.

A printed expression carries invisible marks at its sums and products; a mark says how deep it stands. A line that is
too long breaks first at the outermost sum, then inside parentheses, last between factors.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

_FIRST, _DEPTHS = 0xE000, 40
_MARKS = re.compile(f"[{chr(_FIRST)}-{chr(_FIRST + 3 * _DEPTHS + 8)}]")
_DEEPER = {_FIRST + rank: _FIRST + rank + 3 for rank in range(3 * _DEPTHS)}

AT_SUM = chr(_FIRST)
AT_ENTRYWISE = chr(_FIRST + 2)  # before ⊙, which holds together more than a sum, and less than a product
AT_PRODUCT = chr(_FIRST + 4)  # after the sums one parenthesis further in, before those two further in
OUTERMOST = AT_ENTRYWISE  # no bracket stands around these
AT_CONDITION = chr(_FIRST + 5)  # between the conditions below a Σ


def deeper(source: str) -> str:
    """The marks of what is put into parentheses."""
    return source.translate(_DEEPER)


def linked(sign: str, *parts: str) -> str:
    """Parts with a relation or a connective between them: the line breaks before the sign, and only then inside."""
    return f"{AT_SUM}{sign}".join(deeper(part) for part in parts)


def unmarked(source: str) -> str:
    """The line itself, unbroken."""
    return _MARKS.sub("", source)


def broken(source: str, width: Callable[[str], float], limit: float, times: str) -> list[str]:
    """`source` as lines no wider than `limit`, where its marks allow; `times` opens a line after a broken product."""
    marks = sorted(set(_MARKS.findall(source)))
    if not marks or width(unmarked(source)) <= limit:
        return [unmarked(source).strip()]
    lines = _broken_at(marks[0], source, width, limit, times)
    if marks[0] <= OUTERMOST or len(marks) == 1 or len(lines) == 2:
        return lines
    ways = (lines, _broken_at(marks[1], source, width, limit, times))  # of two, the one with fewer lines
    return min(ways, key=lambda way: (sum(width(line) > limit for line in way), len(way)))


def _broken_at(mark: str, source: str, width: Callable[[str], float], limit: float, times: str) -> list[str]:
    """Broken at one mark where it must be, and then at those further in."""
    opening = times if (ord(mark) - _FIRST) % 3 == 1 else ""
    first, *parts = source.split(mark)
    lines: list[str] = []
    current = first
    for part in parts:
        if width(unmarked(current + part)) <= limit:
            current += part
        else:
            lines += broken(current, width, limit, times)
            part = part.lstrip().removeprefix(r"\,").lstrip()
            current = part if part.startswith("/") else opening + part  # a quotient opens its line itself
    return lines + broken(current, width, limit, times)


def text_width(source: str) -> int:
    """Columns on a terminal: combining accents take none."""
    return sum(not unicodedata.combining(char) for char in source)


_CLOSING = ("}", ")", "]")
IN_SENTENCE = 20.0  # em: a wider formula may break between its factors, too, as any may at its signs


def in_sentence(source: str, whole: float = IN_SENTENCE) -> str:
    """LaTeX mathematics within a paragraph; up to `whole` em it stays whole."""
    if latex_width(source) <= whole:
        return f"${source}$"
    depth, shown = 0, [""]
    for token in _TOKEN.findall(source):
        depth += (token == "{") - (token == "}")
        between = token == r"\," or (token == " " and shown[-1] in _CLOSING)  # factors
        shown.append(token if depth or not between else rf"{token}\allowbreak ")
    return f"${''.join(shown)}$"


_TOKEN = re.compile(r"\\\\\[\w+\]|\\(?:begin|end)\{[a-z]+\}|\\[a-zA-Z]+|\\.|.", re.DOTALL)
GAP = 1.0  # em: between the columns of a table
_SPACES = {r"\,": 0.17, r"\;": 0.28, r"\quad": 1.0, r"\qquad": 2.0, " ": 0.0, r"\!": -0.17, "&": 0.0}
_RELATIONS = dict.fromkeys(["=", "+", "-", "<", ">", r"\le", r"\ge", r"\ne", r"\odot", r"\oslash", r"\cdot"], 1.25)
_LARGER = dict.fromkeys([r"\Bigl", r"\Bigr"], 0.1) | dict.fromkeys([r"\biggl", r"\biggr"], 0.24)
_NOTHING = dict.fromkeys([r"\bigl", r"\bigr", r"\mathbf", r"\mathrm"], 0.0)
_NOTHING |= dict.fromkeys([r"\bar", r"\hat", r"\tilde", r"\dot", r"\overline", r"\widehat", r"\text", r"\mathcal"], 0.0)
_NOTHING |= dict.fromkeys([r"\substack", r"\widetilde"], 0.0)
_FENCES = dict.fromkeys([r"\lfloor", r"\rfloor", r"\lceil", r"\rceil", r"\lvert", r"\rvert"], 0.45)
_WIDTHS = {**_SPACES, **_FENCES, **_RELATIONS, **_NOTHING, **_LARGER}
_WIDTHS |= {r"\partial": 0.58, "'": 0.28, "(": 0.5, ")": 0.5, ",": 0.45}
_BROAD = frozenset("ABCDEFGHKLMNOPQRSTUVWXYZmw")
_FRACTIONS = {r"\frac": 1.0, r"\tfrac": 0.75}
_OPERATORS = {r"\sum": 1.6, r"\prod": 1.4, r"\max": 2.0, r"\min": 2.0}


@lru_cache(maxsize=20000)
def latex_width(source: str) -> float:
    """The width of LaTeX mathematics in em, estimated from above."""
    return _Measure(source).run("")


class _Measure:
    """One pass over the tokens of a line."""

    def __init__(self, source: str) -> None:
        self.tokens, self.place = _TOKEN.findall(source), 0
        self.script = False  # within an index or exponent, where signs stand close

    def run(self, end: str) -> float:
        """Up to `end`: a table is as wide as the widest cells of its columns."""
        columns, at, total = [0.0], 0, 0.0
        while self.place < len(self.tokens):
            token = self.tokens[self.place]
            self.place += 1
            if token == end or token[:2] == r"\\" or (token == "&" and end[:4] == r"\end"):
                columns[at], total = max(columns[at], total), 0.0
                at = at + 1 if token == "&" else 0
                columns += [0.0] * (at + 1 - len(columns))
                if token == end:
                    break
            else:
                total += self.one(token)
        columns[at] = max(columns[at], total)
        return sum(columns) + GAP * (len(columns) - 1)

    def argument(self) -> float:
        while self.place < len(self.tokens) and self.tokens[self.place] == " ":
            self.place += 1
        if self.place >= len(self.tokens):
            return 0.0
        self.place += 1
        return self.one(self.tokens[self.place - 1])

    def one(self, token: str) -> float:
        if token == "{":
            return self.run("}")
        if token in "_^":
            outer, self.script = self.script, True
            width = 0.75 * self.argument()
            self.script = outer
            return width
        if self.script and token in _RELATIONS:
            return 0.85
        if token in _FRACTIONS:
            return _FRACTIONS[token] * max(self.argument(), self.argument()) + 0.25
        if token in _OPERATORS:
            self.place += self.tokens[self.place : self.place + 1] == [r"\limits"]
            below = self.tokens[self.place : self.place + 1] == ["_"]
            return max(_OPERATORS[token], self.one(self.tokens[self._next()]) if below else 0.0) + 0.17
        if token.startswith(r"\begin"):
            return 2.0 + self.run(token.replace("begin", "end"))
        if token == r"\sqrt":
            return 0.85 + self.argument()
        return _WIDTHS.get(token, 0.19 * len(token) + 0.35 if token[0] == "\\" else 0.75 if token in _BROAD else 0.55)

    def _next(self) -> int:
        self.place += 1
        return self.place - 1
