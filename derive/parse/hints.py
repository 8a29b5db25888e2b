"""What to write instead of commands, characters and habits that are not read: tables for messages."""

from __future__ import annotations

import unicodedata

_SET = "is about sets, which are not read"
_FONT = "is an old switch of fonts: write \\mathbf{…} or \\mathrm{…}"
_SIZE = "sets the size of letters: leave it out"
_COLOUR = "is about colours: leave it out"
_MACRO = "is a macro of its own text"
_ARROW = "stands between statements: put each on a line of its own"
COMMANDS = {
    "pm": "has two values: write + or -", "mp": "has two values: write + or -",
    "inf": "is not read: write \\min", "sup": "is not read: write \\max",
    **dict.fromkeys("subset subseteq supset cup cap setminus emptyset notin exists".split(), _SET),
    **dict.fromkeys("bf rm it sf tt cal".split(), _FONT),
    **dict.fromkeys("tiny small large Large LARGE huge Huge normalsize".split(), _SIZE),
    **dict.fromkeys("color textcolor colorbox".split(), _COLOUR),
    **dict.fromkeys("implies iff Rightarrow Leftrightarrow Longrightarrow therefore".split(), _ARROW),
    "norm": f"{_MACRO}: write \\|x\\| in its place", "abs": f"{_MACRO}: write |x| in its place",
    "R": f"{_MACRO}: write \\mathbb{{R}}",
    "E": f"{_MACRO}: write \\mathbb{{E}}", "T": f"{_MACRO}: write ^\\top",
    "Tr": f"{_MACRO}: write \\operatorname{{tr}}",
    "inner": f"{_MACRO}: write \\langle x, y \\rangle", "ip": f"{_MACRO}: write \\langle x, y \\rangle",
    "dd": f"{_MACRO}: write d", "pdv": f"{_MACRO}: write \\frac{{\\partial f}}{{\\partial x}}",
    "ll": "is a comparison that is not read", "gg": "is a comparison that is not read",
    "oplus": "is not read: write +, or a sum of two products for vectors put together",
    "%": "is not read: write 0.01", "&": "is not read", "#": "is not read", "_": "stands in words only: \\text{a\\_b}",
    "Re": "is about complex numbers, which are not read", "Im": "is about complex numbers, which are not read",
    "underline": "is no mark of a name that is read: write \\bar{x}, or leave it out",
}  # fmt: skip
CHARACTERS = {
    "$": "give the formula without $", "%": "comments are not read", "@": "write nothing for the matrix product",
    "√": "write \\sqrt{…}", "∑": "write \\sum", "∏": "write \\prod", "∂": "write \\partial", "∇": "write \\nabla",
    "∫": "write \\int", "½": "write \\frac{1}{2}", "¼": "write \\frac{1}{4}", "²": "write ^{2}", "³": "write ^{3}",
    "¹": "write ^{1}", "⁻": "write ^{-1}", "ᵀ": "write ^\\top", "→": "write \\to", "←": "write \\leftarrow",
    "≈": "write =", "±": "write + or -", "’": "write '", "–": "write -", "—": "write -", "…": "write a sum",
    "⟨": "write \\langle", "⟩": "write \\rangle", "∘": "write \\odot", "≔": "write :=", "ℝ": "write \\mathbb{R}",
    "∥": "write \\|", "∣": "write |", "∗": "write *", "⋅": "write \\cdot", "“": "quotes are not read",
    "”": "quotes are not read", '"': "quotes are not read", "\\": "",
}  # fmt: skip
_MARKS = {"\u0302": "hat", "\u0304": "bar", "\u0303": "tilde", "\u0307": "dot"}


def instead_of_command(name: str) -> str:
    """What is said of a command that is not read; "" for one that nobody knows."""
    return COMMANDS.get(name, "")


def instead_of_character(char: str) -> str:
    """`; write \\sqrt{…}`, or nothing."""
    if found := CHARACTERS.get(char, ""):
        return f"; {found}"
    plain, *marks = list(unicodedata.normalize("NFD", char))
    mark = _MARKS.get(marks[0] if len(marks) == 1 else plain)
    if mark is None:
        return ""
    return f"; write \\{mark}{{{plain if marks else 'x'}}}"
