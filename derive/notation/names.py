"""Who is written how, in one document: no two things that differ are written alike.

A bound letter that clashes with a letter in scope gets primes; so does an alias of a declared letter. A length that
clashes with a tensor becomes N_k; what is left falls back to the name as it was typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sympy import Symbol
from sympy.core.basic import Basic

from derive.axes import Axis, Size, Tensor

from .glyphs import Glyph, glyph, raw

Key = tuple[str, str]
Written = tuple[str, str]
Scope = Mapping[Axis, Glyph]

OVER = {"adjoint": "bar", "tangent": "dot"}
LOSSES = (Glyph("L", "L"), Glyph("ℒ", r"\mathcal{L}"), raw("loss"))


def key_of(tensor: Tensor) -> Key:
    """What makes two tensors the same to a reader: the name, and whose adjoint or tangent it is."""
    return tensor.name, tensor.of if tensor.role in OVER else ""


def _free_of(candidates: Iterable[Glyph], used: set[Written]) -> Glyph:
    """The first candidate not yet written, else the last one with primes; it is then taken."""
    written = list(candidates)
    choices = [*written, *(written[-1].primed(n) for n in range(1, len(used) + 2))]
    chosen = next(g for g in choices if not _forms(g) & used)
    used |= _forms(chosen)
    return chosen


def _forms(written: Glyph) -> set[Written]:
    return {("text", written.in_text()), ("latex", written.as_index())}


def _of_tensor(tensor: Tensor) -> tuple[Glyph, Glyph]:
    if tensor.role in OVER and tensor.of:
        return glyph(tensor.of).accented(OVER[tensor.role]), raw(tensor.name)
    return glyph(tensor.name), raw(tensor.name)


def _capital(plain: Glyph) -> Glyph:
    """X of x and X̂ of x̂; a name without a Latin stem stays."""
    text, latex = re.sub(r"^[a-z]", lambda m: m[0].upper(), plain.text), plain.latex
    inner = re.fullmatch(r"((?:\\[a-z]+\{)*)([a-z])(\}*)", latex)
    if inner is None:
        return plain
    return Glyph(text, f"{inner[1]}{inner[2].upper()}{inner[3]}", plain.mark_text, plain.mark)


@dataclass(frozen=True)
class Names:
    """The written forms of everything in a document; letters bound in an expression are written when they are met."""

    declared: tuple[Axis, ...]
    tensors: Mapping[Key, Glyph]
    symbols: Mapping[Basic, Glyph]
    loss: Glyph
    ranks: Mapping[Key, int] = field(default_factory=dict)
    met: frozenset[Axis] = frozenset()  # every letter of the document, declared or bound

    @staticmethod
    def of(expressions: Iterable[Basic], letters: Iterable[Axis] = (), tensors: Iterable[Tensor] = ()) -> Names:
        """Names for all that occurs; `letters` are those the reader knows, `tensors` those mentioned besides."""
        met: dict[Basic, None] = dict.fromkeys([*tensors, *letters])
        for expression in expressions:
            _collect(expression, met)
        entered: dict[Key, Tensor] = {}
        for tensor in (t for t in met if isinstance(t, Tensor)):
            entered.setdefault(key_of(tensor), tensor)
        used: set[Written] = set()
        is_loss = any(t.name == "L" and t.role == "output" and not t.axes for t in entered.values())
        loss = LOSSES[0] if is_loss or not any(t.name == "L" for t in entered.values()) else LOSSES[1]
        if not is_loss:
            loss = _free_of([loss, *LOSSES[1:]], used)
        plain = sorted(entered.items(), key=lambda item: item[1].role in OVER)
        written = {key: _free_of(_of_tensor(tensor), used) for key, tensor in plain}
        symbols: dict[Basic, Glyph] = {}
        for symbol in [s for s in met if isinstance(s, Symbol) and not isinstance(s, (Axis, Size))]:
            symbols[symbol] = _free_of([glyph(symbol.name), raw(symbol.name)], used)
        for size in dict.fromkeys(_sizes(met)):
            letter = glyph(size.name.removeprefix("N_").lower())
            counted = Glyph("N", "N", f"_{letter.in_text()}", letter.as_index())
            symbols[size] = _free_of([counted] if size.name.startswith("N_") else [glyph(size.name), counted], used)
        return Names(tuple(dict.fromkeys(letters)), written, symbols, loss, {k: t.ndim for k, t in entered.items()},
                     frozenset(a for a in met if isinstance(a, Axis)))  # fmt: skip

    @cached_property
    def known(self) -> Scope:
        """The declared letters; of two with one name and different lengths the second gets a prime."""
        used: set[Written] = set()
        return {letter: _free_of([glyph(letter.name)], used) for letter in self.declared}

    @cached_property
    def matrices(self) -> Mapping[Key, Glyph]:
        """Capitals for the tensors of two axes, where the capital is not taken."""
        used = {g.in_text() for key, g in self.tensors.items() if self.ranks[key] != 2}
        used |= {g.in_text() for g in self.symbols.values()} | {self.loss.in_text()}
        own = {g.in_text() for g in self.tensors.values()}
        found: dict[Key, Glyph] = {}
        for key, plain in self.tensors.items():
            capital = _capital(plain)
            clash = capital.in_text() in used or (capital != plain and capital.in_text() in own)
            found[key] = plain if self.ranks[key] != 2 or clash else capital
        return found

    @cached_property
    def written(self) -> frozenset[str]:
        """Every stem in use: a function written by a letter, such as σ(x), gives way to a tensor of that name."""
        return frozenset(g.text for g in [*self.tensors.values(), *self.symbols.values()])

    def scope(self, free: Iterable[Axis]) -> dict[Axis, Glyph]:
        """The free letters of an equation; those declared keep their own form."""
        letters = sorted(dict.fromkeys(free), key=lambda letter: letter not in self.known)
        found: dict[Axis, Glyph] = {}
        for letter in letters:
            found[letter] = self.letter(letter, found.values())
        return found

    def letter(self, letter: Axis, in_scope: Iterable[Glyph]) -> Glyph:
        """How a letter is written where those of `in_scope` are visible: with as few primes as tell it apart."""
        base = self._base(letter)
        taken = {g.in_text() for g in in_scope}
        if letter.name in {a.name for a in self.declared if a != letter} and letter not in self.known:
            taken.add(base.in_text())
        primes = base.primes
        while base.primed(primes).in_text() in taken:
            primes += 1
        return base.primed(primes)

    def _base(self, letter: Axis) -> Glyph:
        if letter in self.known:
            return self.known[letter]
        stem = re.fullmatch(r"(.+?)_\d+", letter.name)
        if stem:
            original = letter.alias(stem[1])
            if original in self.known or original in self.met:
                return self.known.get(original) or glyph(stem[1])
        return glyph(letter.name)


def _collect(expression: Basic, met: dict[Basic, None]) -> None:
    """Every tensor and symbol of an expression; the bodies of tensors are not entered."""
    stack, seen = [expression], set()
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, (Symbol, Tensor)):
            met.setdefault(node)
        stack.extend(reversed(node.args))


def _sizes(met: Iterable[Basic]) -> Iterable[Size]:
    for node in met:
        axes = [node] if isinstance(node, Axis) else node.axes if isinstance(node, Tensor) else []
        if isinstance(node, Size):
            yield node
        for letter in axes:
            yield from sorted((s for s in letter.size.free_symbols if isinstance(s, Size)), key=lambda s: s.name)
