"""What the letters of a formula mean: declared names, axes, lengths, and how names are spelled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from sympy import Expr

from derive.axes import Axis, DeriveError, Scalar, Size, Tensor, axis, checked_identifier, fresh_letter

from .errors import LatexError
from .tokens import ACCENTS, GREEK, STYLES, VARIANTS, Token, tokens

SHORT = {**VARIANTS, "eps": "epsilon", "lam": "lambda", "lamda": "lambda", **{f"{g}_": g for g in ("lambda", "gamma")}}
SQUARE = "sq"  # σ² as a name of its own
MARKS = ("hat", "bar", "tilde", "dot", "vec")
KINDS = ("scalar", "parameter", "function", "elementwise", "size", "index", "label")
FLAGS = ("padded", "mask", "positive", "symmetric", "definite")
HELP = "expected NAME: AXES, as in 'X: n d', or NAME: scalar, parameter, function, elementwise, size, index, or label K"


@dataclass(frozen=True)
class Declared:
    """One declared name. kind: "tensor" (a scalar has no axes), "parameter", "function", "size", "index"."""

    key: str
    name: str
    kind: str
    tensor: Tensor | None = None
    symbol: Any = None
    flags: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        return self.tensor.ndim if self.tensor is not None else 0


@dataclass(frozen=True)
class Scope:
    """Declarations by key, axes by letter; `catalogue` finds a formula by its name in lower case."""

    names: Mapping[str, Declared] = field(default_factory=dict)
    axes: Mapping[str, Axis] = field(default_factory=dict)
    catalogue: Mapping[str, Any] = field(default_factory=dict)
    start: int | None = None  # the index of a first entry, where the text does not tell: 1 in print, 0 in code
    entrywise: bool = False  # whether exp and log of a square matrix act on its entries

    def with_(self, *more: Declared) -> Scope:
        axes = dict(self.axes)
        for one in more:
            for letter in one.tensor.axes if one.tensor is not None else ():
                axes.setdefault(letter.name, letter)
        return replace(self, names={**self.names, **{one.key: one for one in more}}, axes=axes)

    def sized(self, size: Expr) -> Axis | None:
        """The first declared axis of this length."""
        return next((letter for letter in self.axes.values() if letter.size == size), None)

    def length(self, name: str) -> Expr | None:
        """The length that a letter means: N or n for an axis n."""
        name = name.removeprefix("N_") if name.removeprefix("N_") in self.axes else name  # N_s beside a tensor S
        if name in self.axes:
            return self.axes[name].size
        return next((a.size for a in self.axes.values() if isinstance(a.size, Size) and a.size.name == name), None)

    def formula(self, name: str) -> Any:
        """The formula of the catalogue of this name, in any case: ReLU, LayerNorm; None if there is none."""
        plain = name.replace("_", "").replace(" ", "").replace("-", "").lower()
        found = next((n for n in self.catalogue if n.replace("_", "").lower() == plain), None)
        return None if found is None else self.catalogue[found]


def key_of(identifier: str) -> str:
    """One key for all spellings of a name: yhat, y_hat and hat(y); eps and epsilon; w1 and w_1."""
    head, *labels = [part for part in identifier.split("_") if part] or [identifier]
    stem = _stem(head)
    while labels and labels[0] in MARKS:
        stem = f"{labels.pop(0)}({stem})"
    return "_".join([stem, *(SHORT.get(label, label) for label in labels)])


def _stem(head: str) -> str:
    head = SHORT.get(head, head)
    if head in GREEK:
        return head
    for mark in MARKS:
        bare = head.removesuffix(mark)
        if bare != head and (len(bare) == 1 or SHORT.get(bare, bare) in GREEK):
            return f"{mark}({SHORT.get(bare, bare)})"
    numbered = re.fullmatch(r"([A-Za-z]|" + "|".join(GREEK) + r")(\d+)", head)
    return f"{numbered[1]}_{numbered[2]}" if numbered else head


def identifier_of(key: str) -> str:
    """A Python name for a key: xhat of hat(x), h_tm1 of h_t-1, lam of lambda."""
    marked = re.sub(r"(\w+)\((\w+)\)", r"\2\1", key)
    plain = marked.replace("-", "m").replace("+", "p").replace(",", "_").replace("'", "prime").replace("*", "star")
    name = re.sub(r"\W", "_", plain)
    parts = name.split("_")
    parts[0] = "lam" if parts[0] == "lambda" else parts[0]
    return checked_identifier("_".join(parts), "name")


def label_of(group: Iterable[Token]) -> str | None:
    """The text of a group of symbols as a label: model, t-1, 1; None where it is no label."""
    found = ""
    for token in group:
        if token.kind in ("letter", "number", "word") or token.text in GREEK:
            found += token.text.replace(" ", "_")
        elif token.kind == "command" and token.text in ("max", "min", *ACCENTS):
            found += token.text
        elif token.text in ("-", "+", ",", "'", "*", "star", "|"):
            found += {"star": "*"}.get(token.text, token.text)
        elif token.text not in ("{", "}") and token.text not in STYLES:
            return None
    return found or None


def stem_of(group: list[Token]) -> tuple[str, int] | None:
    """The key of a name that begins a list of tokens, and how many it takes."""
    if not group:
        return None
    token = group[0]
    if token.kind in ("letter", "word"):
        return (key_of(token.text.replace(" ", "_")) if token.kind == "word" else token.text), 1
    if token.kind != "command":
        return None
    if token.text in ACCENTS or token.text in STYLES:
        inner = _argument(group)
        if inner is None:
            return None
        held, count = inner
        spelled = "".join(t.text for t in held) if all(t.kind == "letter" for t in held) else None
        found = (spelled, len(held)) if spelled else stem_of(held)
        if found is None or found[1] != len(held):
            return None
        return (f"{ACCENTS[token.text]}({found[0]})" if token.text in ACCENTS else found[0]), count
    name = {"ell": "ell"}.get(token.text) or (_greek(token.text))
    return (name, 1) if name else None


def difference_of(group: list[Token]) -> tuple[str, int] | None:
    """The key of a name that begins with Δ: Δw, Δθ."""
    if len(group) < 2 or group[0].text != "Delta" or group[0].kind != "command":
        return None
    found = stem_of(group[1:])
    return None if found is None else (f"Delta{found[0]}", found[1] + 1)


def _greek(name: str) -> str | None:
    name = VARIANTS.get(name, name)
    return name if name in GREEK else None


def _argument(group: list[Token]) -> tuple[list[Token], int] | None:
    """The argument of an accent or a style: what stands in braces, or one symbol; and how many tokens all take."""
    if len(group) < 2:
        return None
    if group[1].text != "{" or group[1].kind != "symbol":
        nested = stem_of(group[1:])
        return None if nested is None else (group[1 : 1 + nested[1]], 1 + nested[1])
    depth = 0
    for place, token in enumerate(group[1:], 1):
        depth += (token.text == "{") - (token.text == "}") if token.kind == "symbol" else 0
        if depth == 0:
            return group[2:place], place + 1
    return None


def declared(where: str, scope: Scope | None = None) -> Scope:
    """The scope of `X: n d, w: d, f: function`. Raises LatexError naming the item that cannot be read."""
    found = _declared(where)
    return found if scope is None else replace(scope, names=found.names, axes=found.axes)


@lru_cache(maxsize=256)
def _declared(where: str) -> Scope:
    found = Scope()
    for names, text in _items(where):
        for name in names:
            found = found.with_(*_declare(name.strip(), text.split(), found))
    return found


def _items(where: str) -> Iterator[tuple[list[str], str]]:
    """(names, type) of each declaration; names before one colon share it: W, U: n d."""
    waiting: list[str] = []
    for part in _parts(where):
        name, colon, text = part.partition(":")
        if not part.strip():
            continue
        waiting.append(name)
        if colon:
            yield waiting, text
            waiting = []
    if waiting:
        raise LatexError(f"where: {waiting[0].strip()!r} has no type: {HELP}")


def _parts(where: str) -> Iterator[str]:
    depth, start = 0, 0
    for place, char in enumerate(where):
        depth += (char in "{(") - (char in "})")
        if char in ",;\n" and depth <= 0:
            yield where[start:place]
            start = place + 1
    yield where[start:]


def key_of_latex(name: str) -> str:
    """The key of a declared name: an identifier, or LaTeX."""
    if name.isidentifier() and name.isascii():
        return key_of(name)
    group = list(tokens(name)[:-1])
    found = difference_of(group) or stem_of(group)
    if found is None:
        raise LatexError(f"where: {name!r} is no name: {HELP}")
    key, rest = found[0], group[found[1] :]
    while rest:
        if rest[0].text == "'" and rest[0].kind == "symbol":
            key = f"{key}'" if key.endswith("'") else f"{key}_'"
            rest = rest[1:]
            continue
        if rest[0].text not in ("_", "^") or len(rest) < 2:
            raise LatexError(f"where: {name!r} is no name: {HELP}")
        taken = _argument(rest) or (rest[1:2], 2)
        label = label_of(t for t in taken[0] if t.text not in ("(", ")", "[", "]"))
        if label is None:
            raise LatexError(f"where: {name!r} is no name: {HELP}")
        label = SQUARE if rest[0].text == "^" and [t.text for t in taken[0]] == ["2"] else label
        key, rest = f"{key}_{label}", rest[taken[1] :]
    return key


def name_of(text: str) -> str:
    """The name in Python of a declared name, which may be written in LaTeX: \\Sigma is Sigma."""
    return text if text.isidentifier() else identifier_of(key_of_latex(text))


def _declare(name: str, words: list[str], scope: Scope) -> tuple[Declared, ...]:
    key = key_of_latex(name)
    if key in scope.names:
        raise LatexError(f"where: {name} is declared twice")
    try:
        own = identifier_of(key_of(name)) if not name.isidentifier() else checked_identifier(_safe(name), "name")
        own = identifier_of(key) if not name.isidentifier() else own
        flags = tuple(word for word in words if word in FLAGS)
        words = [word for word in words if word not in FLAGS]
        return _typed(key, own, words, flags, scope)
    except LatexError:
        raise
    except DeriveError as problem:
        raise LatexError(f"where: {name}: {problem}") from None


def _safe(name: str) -> str:
    return "lam" if name == "lambda" else name


def _typed(key: str, own: str, words: list[str], flags: tuple[str, ...], scope: Scope) -> tuple[Declared, ...]:
    if words in (["scalar"], ["()"], []):
        return (Declared(key, own, "tensor", Tensor(own), flags=flags),)
    if words == ["parameter"]:
        return (Declared(key, own, "parameter", symbol=Scalar(own), flags=flags),)
    if words in (["function"], ["elementwise"]):
        return (Declared(key, own, "function", flags=(*flags, *words)),)
    if words == ["index"]:
        return (Declared(key, own, "index"), Declared(f" {own}", "", "axis", Tensor("q", _axes([own], scope))))
    if words == ["size"]:
        return (Declared(key, own, "size", symbol=Size(own)),)
    if "label" in words:
        place = words.index("label")
        if len(words) != place + 2:
            raise LatexError(f"where: {own}: expected 'label K', K the axis whose entries the label counts")
        (bound,) = _axes(words[place + 1 :], scope)
        letters = _axes(words[:place], scope.with_(Declared("", "", "", Tensor("q", [bound]))))
        return (Declared(key, own, "tensor", Tensor(own, letters, dtype="int", bound=bound.size), flags=flags),
                Declared(f" {bound.name}", "", "axis", Tensor("q", [bound])))  # fmt: skip
    dtype = "bool" if "mask" in flags else "real"
    return (Declared(key, own, "tensor", Tensor(own, _axes(words, scope), dtype=dtype), flags=flags),)


def _axes(words: list[str], scope: Scope) -> list[Axis]:
    found: list[Axis] = []
    for word in words:
        if word in KINDS or not word.isidentifier() or not word.isascii():
            raise LatexError(f"where: {word!r} is no axis: {HELP}")
        letter = scope.axes.get(word) or next((a for a in found if a.name == word), None) or axis(word)
        found.append(fresh_letter(letter, {a.name for a in found}) if letter in found else letter)
    return found
