"""Words for LaTeX: special characters escaped, mathematical characters set as mathematics."""

from __future__ import annotations

import re
import unicodedata

from derive.axes import Unsupported

from .glyphs import ACCENTS, COMMAND, GREEK

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "_": r"\_", "^": r"\^{}", "~": r"\textasciitilde{}",
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "<": "$<$", ">": "$>$", "|": "$|$", '"': "''",
}  # fmt: skip
_MATHS = {
    "Σ": r"\textstyle\sum", "Π": r"\textstyle\prod", "∂": r"\partial", "∞": r"\infty", "≤": r"\le", "≥": r"\ge",
    "≠": r"\ne", "→": r"\to", "←": r"\leftarrow", "⇒": r"\Rightarrow", "∈": r"\in", "·": r"\cdot", "×": r"\times",
    "⊙": r"\odot", "−": "-", "√": r"\surd", "²": "^2", "³": "^3", "¹": "^1", "ᵀ": r"^\top", "⁻": "^-", "′": "'",
    "″": "''", "‖": r"\Vert", "≈": r"\approx", "±": r"\pm", "½": r"\tfrac12", "ℝ": r"\mathbb{R}", "∇": r"\nabla",
    "∧": r"\land", "∨": r"\lor", "¬": r"\lnot", "≡": r"\equiv", "∘": r"\circ", "⊗": r"\otimes",
    "⌊": r"\lfloor", "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil", "ℓ": r"\ell", "⋆": r"\star", "∗": "*",
    "⟨": r"\langle", "⟩": r"\rangle", "∏": r"\textstyle\prod", "∑": r"\textstyle\sum", "∫": r"\textstyle\int",
    "∉": r"\notin", "∀": r"\forall", "∃": r"\exists", "⊂": r"\subset", "⊆": r"\subseteq", "∪": r"\cup",
    "∩": r"\cap", "∅": r"\emptyset", "↦": r"\mapsto", "↔": r"\leftrightarrow", "⇔": r"\Leftrightarrow", "∼": r"\sim",
    "∝": r"\propto", "≪": r"\ll", "≫": r"\gg", "ℒ": r"\mathcal{L}", "ℕ": r"\mathbb{N}", "ℤ": r"\mathbb{Z}",
    "⊘": r"\oslash", "⊕": r"\oplus", "⅓": r"\tfrac13", "¼": r"\tfrac14", "⁺": "^+", "₊": "_+",
    "⋯": r"\cdots", "ᴸ": "^L",
    **{low: f"_{letter}" for letter, low in zip("aehijklmnoprstuvx", "ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True)},
    **{digit: f"_{place}" for place, digit in enumerate("₀₁₂₃₄₅₆₇₈₉")},
    **{up: f"^{place}" for place, up in zip("0456789", "⁰⁴⁵⁶⁷⁸⁹", strict=True)},
    **{up: f"^{letter}" for letter, up in zip("abcdehijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ", strict=True)},
}  # fmt: skip
_TYPED = {"—": "---", "–": "--", "…": r"\ldots{}", "“": "``", "”": "''", "‘": "`", "’": "'", "\u00a0": "~"}
_LETTERS = {letter: COMMAND.get(name, rf"\{name}") for name, letter in GREEK.items()}
_ABOVE = dict(ACCENTS.values())
_ACCENTED = re.compile(f"(.)([{''.join(_ABOVE)}])")


def escaped(words: str) -> str:
    """The words as LaTeX text; Unsupported for a character that pdflatex does not know."""
    words = _ACCENTED.sub(lambda m: f"\ue200{m[1]}{m[2]}", unicodedata.normalize("NFD", words))
    parts = re.split("\ue200(..)", words)
    shown = []
    for place, part in enumerate(parts):
        if place % 2:
            shown.append(f"${_ABOVE[part[1]]}{{{_LETTERS.get(part[0], part[0])}}}$")
        else:
            shown.extend(_character(char) for char in unicodedata.normalize("NFC", part))
    return "".join(shown)


def _character(char: str) -> str:
    if char in _SPECIAL:
        return _SPECIAL[char]
    if char in _MATHS or char in _LETTERS:
        return f"${_MATHS.get(char) or _LETTERS[char]}$"
    if char in _TYPED:
        return _TYPED[char]
    if ord(char) < 0x180:
        return char
    raise Unsupported(f"latex printer: no row for the character {char!r} (U+{ord(char):04X}) in words")
