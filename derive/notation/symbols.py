"""The reader's own symbols: a small part of LaTeX mathematics, read by a grammar of its own.

A symbol is nuclei with scripts: letters, digits, accents, alphabets and Greek letters, of a table. Whatever has no row
is refused, so that no text of a reader can do more in a document than be a symbol.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from derive.axes import DeriveError, did_you_mean

from .glyphs import ACCENTS, COMMAND, GREEK, LOWERED, Glyph

LONGEST = 60
DEEPEST = 6

_TOKEN = re.compile(r"\\[A-Za-z]+|\\,|.", re.DOTALL)
_BOLD = {"A": 0x1D400, "a": 0x1D41A, "0": 0x1D7CE}
_LETTERS = {COMMAND.get(name, rf"\{name}"): letter for name, letter in GREEK.items()}
_LETTERS |= {rf"\{name}": GREEK[name] for name in COMMAND}
_PLAIN = {
    **_LETTERS, r"\ell": "ℓ", r"\imath": "ı", r"\jmath": "ȷ", r"\hbar": "ℏ", r"\star": "⋆", r"\ast": "∗",
    r"\prime": "′", r"\dagger": "†", r"\top": "ᵀ", r"\infty": "∞", r"\partial": "∂", r"\nabla": "∇", r"\circ": "∘",
    r"\bullet": "•", r"\parallel": "∥", r"\perp": "⊥", r"\pm": "±", r"\varnothing": "∅", r"\aleph": "ℵ",
    r"\vartheta": "ϑ", r"\varrho": "ϱ", r"\varsigma": "ς", r"\epsilon": "ϵ", r"\phi": "ϕ", r"\,": " ",
}  # fmt: skip
_OVER = {command: above for above, command in ACCENTS.values()}
_OVER |= {r"\widehat": _OVER[r"\hat"], r"\widetilde": _OVER[r"\tilde"], r"\overline": _OVER[r"\bar"],
          r"\vec": "\u20d7", r"\ddot": "\u0308", r"\check": "\u030c", r"\breve": "\u0306",
          r"\underline": "\u0332"}  # fmt: skip
_ALPHABETS = (
    r"\mathbf", r"\boldsymbol", r"\mathrm", r"\mathit", r"\mathsf", r"\mathtt", r"\mathcal", r"\mathbb", r"\mathfrak",
    r"\operatorname",
)  # fmt: skip
_OF_LETTERS = {r"\mathcal", r"\mathbb", r"\mathfrak"}  # alphabets without digits and accents
_KNOWN = (*_PLAIN, *_OVER, *_ALPHABETS)


def bold(text: str) -> str:
    """Latin letters and digits in their bold form."""
    found = []
    for char in text:
        first = "A" if "A" <= char <= "Z" else "a" if "a" <= char <= "z" else "0" if "0" <= char <= "9" else ""
        found.append(chr(_BOLD[first] + ord(char) - ord(first)) if first else char)
    return "".join(found)


def symbol(name: str, source: str) -> Glyph:
    """The symbol that a reader gives for `name`; DeriveError for anything that is no symbol."""
    if not isinstance(name, str) or not isinstance(source, str):
        raise DeriveError(f"symbols: expected names and LaTeX, given {name!r}: {source!r}")
    if not source.strip() or len(source) > LONGEST:
        raise DeriveError(f"symbol of {name}: expected 1 to {LONGEST} characters of LaTeX, given {len(source)}")
    read = _Reader(name, source)
    text, scripted = read.sequence(0, "")
    latex = source.strip()
    return Glyph(text.strip(), f"{{{latex}}}" if scripted else latex)


@dataclass
class _Reader:
    """One pass over the tokens of a symbol; each part gives its form in text."""

    name: str
    source: str

    def __post_init__(self) -> None:
        self.tokens, self.place = _TOKEN.findall(self.source.strip()), 0

    def refuse(self, why: str) -> DeriveError:
        return DeriveError(f"symbol of {self.name}: {self.source!r}: {why}")

    def take(self) -> str:
        if self.place == len(self.tokens):
            raise self.refuse("something is missing at its end")
        self.place += 1
        return self.tokens[self.place - 1]

    def sequence(self, depth: int, end: str) -> tuple[str, bool]:
        """Nuclei with scripts up to `end`; its text, and whether anything is raised, lowered or primed."""
        text, scripted, count = "", False, 0
        while self.place < len(self.tokens) and self.tokens[self.place] != end:
            if self.tokens[self.place] == " ":
                self.place += 1
                continue
            text += self.nucleus(depth)
            seen: set[str] = set()
            while self.place < len(self.tokens) and self.tokens[self.place] in ("_", "^", "'"):
                mark = self.take()
                if mark in seen or (mark == "'" and "^" in seen) or (mark == "^" and "'" in seen):
                    raise self.refuse(f"{mark} twice on one letter")
                text, scripted = text + self.script(mark, depth), True
                seen.add(mark)
            count += 1
        if not count:
            raise self.refuse("an empty group")
        if end and self.take() != end:
            raise self.refuse("a brace is not closed")
        return text, scripted

    def script(self, mark: str, depth: int) -> str:
        if mark == "'":
            count = 1
            while self.place < len(self.tokens) and self.tokens[self.place] == "'":
                self.place, count = self.place + 1, count + 1
            return "′" * count
        shown = self.nucleus(depth)
        if mark == "_":
            return shown.translate(LOWERED) if shown.isdigit() else f"_{shown}"
        return f"^{shown}" if len(shown) == 1 else f"^({shown})"

    def nucleus(self, depth: int) -> str:
        token = self.take()
        if depth > DEEPEST:
            raise self.refuse("too many braces")
        if token == "{":
            return self.sequence(depth + 1, "}")[0]
        if token in _PLAIN:
            return _PLAIN[token]
        if token in _OVER or token in _ALPHABETS:
            return self.applied(token, depth)
        if len(token) == 1 and token.isascii() and (token.isalnum() or token in "+-*()"):
            return {"-": "−", "*": "∗"}.get(token, token)
        if token.startswith("\\"):
            raise self.refuse(f"the command {token} is not allowed in a symbol{did_you_mean(token, _KNOWN)}")
        shown = token if token.isprintable() else f"U+{ord(token):04X}"
        raise self.refuse("a brace is not opened" if token == "}" else f"the character {shown} is not allowed")

    def applied(self, command: str, depth: int) -> str:
        """An accent or an alphabet and its argument in braces (or one letter)."""
        while self.place < len(self.tokens) and self.tokens[self.place] == " ":
            self.place += 1
        if self.tokens[self.place : self.place + 1] != ["{"]:
            raise self.refuse(f"{command} needs its argument in braces")
        inside = self.nucleus(depth)
        if command in _OVER:
            return inside[0] + _OVER[command] + inside[1:] if len(inside) > 1 else inside + _OVER[command]
        if command in _OF_LETTERS and not (inside.isascii() and inside.isalpha()):
            raise self.refuse(f"{command} has letters only")
        if command == r"\mathcal" and not inside.isupper():
            raise self.refuse(f"{command} has capitals only")
        if command == r"\mathbb" and not inside.isupper():
            raise self.refuse(f"{command} has capitals only")
        return bold(inside) if command in (r"\mathbf", r"\boldsymbol") else inside
