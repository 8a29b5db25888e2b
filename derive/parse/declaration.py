"""x ∈ ℝⁿ as a declaration."""

from __future__ import annotations

from derive.axes import Axis, Tensor, axis, fresh_letter

from .errors import LatexError
from .scope import Scope, identifier_of, label_of, stem_of
from .statements import top_level
from .tokens import Token


def declaration(part: list[Token], scope: Scope) -> list[Tensor] | None:
    """The tensors that a line declares; None if it is no declaration."""
    signs = top_level(part, "in")
    if len(signs) != 1:
        return None
    left, right = part[: signs[0]], part[signs[0] + 1 :]
    if [t.text for t in right[:1]] != ["mathbb"]:
        raise LatexError("expected \\mathbb{R} after \\in", part[signs[0]].column)
    found, rest = stem_of(right[:4]), right
    if found is None or found[0] != "R":
        raise LatexError("expected \\mathbb{R}: only real arrays are declared", right[0].column)
    rest = right[found[1] :]
    words = _lengths(rest)
    stem = stem_of(left)
    if stem is None:
        raise LatexError("expected a name before \\in", part[0].column)
    key = stem[0]
    tail = left[stem[1] :]
    if tail:
        label = label_of([t for t in tail if t.text not in ("_", "^", "{", "}")])
        if label is None or tail[0].text not in ("_", "^"):
            raise LatexError("expected one name before \\in", tail[0].column)
        key = f"{key}_{label}"
    axes: list[Axis] = []
    for word in words:
        letter = scope.axes.get(word) or next((a for a in axes if a.name == word), None) or axis(word)
        axes.append(fresh_letter(letter, {a.name for a in axes}) if letter in axes else letter)
    return [Tensor(identifier_of(key), axes)]


def _lengths(rest: list[Token]) -> list[str]:
    """n and d of ^{n × d}; a capital N is the length of an axis n."""
    if not rest:
        return []
    if rest[0].text != "^" or len(rest) < 2:
        raise LatexError("expected ^{n} or ^{n \\times d} after \\mathbb{R}", rest[0].column)
    inner = rest[2:-1] if rest[1].text == "{" else rest[1:]
    words: list[str] = []
    current: list[Token] = []
    for token in [*inner, Token("symbol", "times", 0)]:
        if token.text != "times":
            current.append(token)
            continue
        word = label_of(current)
        if word is None or not word.replace("_", "").isalnum() or word[0].isdigit():
            raise LatexError("expected one letter for each length, as in \\mathbb{R}^{n \\times d}", rest[0].column)
        words.append(identifier_of(word.lower() if len(word) == 1 else word))
        current = []
    return words
