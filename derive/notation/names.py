"""Who is written how, in one document: no two things that differ are written alike.

A bound letter that clashes with a letter in scope gets primes; so does an alias of a declared letter. A length that
clashes with a tensor becomes N_k; what is left falls back to the name as it was typed. A length that is an expression
is written by its axis's capital too; a tensor read beyond its edges carries a tilde.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sympy import Expr, S, Symbol
from sympy.core.basic import Basic

from derive.axes import Axis, Carried, NameProblem, PaddedBoolEntry, PaddedEntry, Size, Tensor, did_you_mean

from .choice import PLAIN, Notation
from .glyphs import Glyph, glyph, raw

Key = tuple[str, str]
Written = tuple[str, str]
Scope = Mapping[Axis, Glyph]

UPSTREAM = "upstream"
OVER = {"adjoint": "bar", "tangent": "dot"}
# How the literature writes the parameters of windows, where no axis of the formula has that letter.
USUAL: Mapping[str, tuple[str, ...]] = {
    "stride": ("s",), "padding": ("p",), "dilation": ("d", "ell"), "output_padding": ("a",), "kernel_size": ("K",),
    "output_size": ("S",), "upscale_factor": ("R",), "num_heads": ("H",), "groups": ("G",), "num_groups": ("G",),
    "norm_type": ("p",), "kernel": ("K",),
}  # fmt: skip
LONG_NAME = 6
LOSSES = (Glyph("L", "L"), Glyph("ℒ", r"\mathcal{L}"), raw("loss"))


class Length(Size):
    """The name of a length that is an expression: H of ⌊(Y − R)/s⌋ + 1."""

    __slots__ = ("of",)
    of: Expr

    def __new__(cls, name: str, of: Expr) -> Length:
        length = super().__new__(cls, name)
        assert isinstance(length, Length)
        length.of = of
        return length

    def __getnewargs_ex__(self) -> Any:
        return (self.name, self.of), {}

    def _hashable_content(self) -> tuple[Any, ...]:
        return (self.name, self.of)


def key_of(tensor: Tensor) -> Key:
    """What makes two tensors the same to a reader: the name, whose adjoint or tangent it is, whether it is given."""
    tensor = tensor.target or tensor if isinstance(tensor, Carried) else tensor
    return tensor.name, tensor.of if tensor.role in OVER else UPSTREAM if tensor.role == UPSTREAM else ""


def _free_of(candidates: Iterable[Glyph], used: set[Written]) -> Glyph:
    """The first candidate not yet written, else the last one with primes; it is then taken."""
    written = list(candidates)
    choices = [*written, *(written[-1].primed(n) for n in range(1, len(used) + 2))]
    chosen = next(g for g in choices if not _forms(g) & used)
    used |= _forms(chosen)
    return chosen


def _forms(written: Glyph) -> frozenset[Written]:
    return frozenset({("text", written.in_text()), ("latex", written.as_index())})


def _of_tensor(tensor: Tensor, choice: Notation) -> tuple[Glyph, Glyph]:
    if tensor.role in OVER and tensor.of:
        base = choice.own.get(tensor.of) or glyph(tensor.of)
        moved = choice.kind == "differential" and tensor.role == "tangent"
        return base.moved() if moved else base.accented(OVER[tensor.role]), raw(tensor.name)
    if tensor.role == UPSTREAM:  # also where a part of the formula is called g
        return glyph(tensor.name), glyph(f"{tensor.name}_{tensor.of or 'y'}")
    return glyph(tensor.name), raw(tensor.name)


def _usual(symbol: Symbol, lengths_of: Mapping[Basic, str]) -> tuple[str, ...]:
    """How the literature writes a parameter; a size with a long name by a letter, for it may stand in an index."""
    stem, _, along = symbol.name.rpartition("_")
    if stem in USUAL and len(along) == 1:  # stride_w is s along w
        return tuple(f"{letter}_{along}" for letter in USUAL[stem])
    if symbol.name in USUAL or not isinstance(symbol, Size) or len(symbol.name) <= LONG_NAME:
        return USUAL.get(symbol.name, ())
    return tuple(filter(None, [lengths_of.get(symbol, "").upper(), symbol.name[0], symbol.name[0].upper()]))


def _stem(letter: Axis) -> str:
    """d of d_1."""
    return re.sub(r"_\d+$", "", letter.name)


def _of_length(name: str) -> list[Glyph]:
    """H, or N_h where that is taken; a window's stride s stays s."""
    if name.islower():
        return [glyph(name), raw(name)]
    written = glyph(name.removeprefix("N_").lower())
    counted = Glyph("N", "N", f"_{written.in_text()}", written.as_index())
    return [counted] if name.startswith("N_") else [glyph(name), counted]


def _capital(plain: Glyph) -> Glyph:
    """X of x, X̂ of x̂ and dX of dx; a name without a Latin stem stays."""
    if plain.of is not None:
        return _capital(plain.of).moved()
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
    lengths: Mapping[Expr, Length] = field(default_factory=dict)  # lengths that are expressions, and their names
    padded: Mapping[Key, Glyph] = field(default_factory=dict)
    order: tuple[Axis, ...] = ()  # which letters stand first in an index: those of the output, as in s h + r
    choice: Notation = PLAIN
    outer: frozenset[Expr] = frozenset()  # lengths of letters below matrices: t of X_t, samples of a batch
    recurs: bool = False  # whether something is read one step before: s_{t−1}
    samples: Axis | None = None  # what counts samples: the first axis of the first input that has two
    mirrors: Mapping[Key, tuple[int, int, int]] = field(default_factory=dict)  # axes that may change places, and a sign

    @staticmethod
    def of(
        expressions: Iterable[Basic],
        letters: Iterable[Axis] = (),
        tensors: Iterable[Tensor] = (),
        choice: Notation = PLAIN,
    ) -> Names:
        """Names for all that occurs; `letters` are those the reader knows, `tensors` those mentioned besides.

        Raises NameProblem where a symbol of the reader's is for nothing that occurs, or is taken.
        """
        met: dict[Basic, None] = dict.fromkeys([*tensors, *letters])
        beyond: dict[Key, None] = {}
        for expression in expressions:
            _collect(expression, met, beyond)
        entered: dict[Key, Tensor] = {}
        for tensor in (t for t in met if isinstance(t, Tensor)):
            entered.setdefault(key_of(tensor), tensor)
        used = _own_forms(choice, met)
        used |= _forms(Glyph("π", r"\pi")) if S.Pi in met else set()
        is_loss = any(t.name == "L" and t.role == "output" and not t.axes for t in entered.values())
        loss = LOSSES[0] if is_loss or not any(t.name == "L" for t in entered.values()) else LOSSES[1]
        if not is_loss:
            loss = _free_of([loss, *LOSSES[1:]], used)
        plain = sorted(entered.items(), key=lambda item: item[1].role in OVER)
        own = {name: form for name, form in choice.own.items() if name != "L" or not is_loss}
        loss = own.get("L", loss) if all(t.name != "L" for t in entered.values()) else loss
        written = {
            key: own[key[0]]
            if key[0] in own and (not key[1] or (key[0], "") not in entered)
            else _free_of(_of_tensor(tensor, choice), used)
            for key, tensor in plain
        }
        symbols: dict[Basic, Glyph] = {}
        lengths = {size: Length(letter.upper(), size) for size, letter in _derived(met).items()}
        owners = {letter.size: _stem(letter) for node in met for letter in _axes(node)}
        scalars = [s for s in met if isinstance(s, Symbol) and not isinstance(s, (Axis, Size))]
        taken = {form for node in met for letter in _axes(node) for form in _forms(glyph(_stem(letter)))}
        for symbol in dict.fromkeys([*scalars, *_sizes(met), *lengths.values()]):
            usual = [g for g in map(glyph, _usual(symbol, owners)) if not _forms(g) & taken]
            plain_names = [glyph(symbol.name), raw(symbol.name)] if symbol in scalars else _of_length(symbol.name)
            symbols[symbol] = choice.own.get(symbol.name) or _free_of([*usual, *plain_names], used)
        padded = {key: _free_of([written[key].accented("tilde"), raw(f"padded_{key[0]}")], used) for key in beyond}
        return Names(tuple(dict.fromkeys(letters)), written, symbols, loss, {k: t.ndim for k, t in entered.items()},
                     frozenset(a for a in met if isinstance(a, Axis)), lengths, padded, choice=choice)  # fmt: skip

    @cached_property
    def known(self) -> Scope:
        """The declared letters; of two with one name and different lengths the second gets a prime."""
        used: set[Written] = {form for symbol in self.symbols.values() for form in _forms(symbol)}
        own = self.choice.own
        return {letter: own.get(letter.name) or _free_of([glyph(letter.name)], used) for letter in self.declared}

    @cached_property
    def matrices(self) -> Mapping[Key, Glyph]:
        """Capitals for the tensors of two axes, where the capital is not taken."""
        used = {g.in_text() for key, g in self.tensors.items() if self.ranks[key] != 2}
        used |= {g.in_text() for g in self.symbols.values()} | {self.loss.in_text()}
        own = {g.in_text() for g in self.tensors.values()}
        found: dict[Key, Glyph] = {}
        for key, plain in self.tensors.items():
            capital = _capital(plain) if key[0] not in self.choice.own and key[1] not in self.choice.own else plain
            clash = capital.in_text() in used or (capital != plain and capital.in_text() in own)
            found[key] = plain if self.ranks[key] != 2 or clash else capital
            if self.choice.bold and self.ranks[key] and key[0] not in self.choice.own:
                found[key] = found[key].bold()
        return found

    @cached_property
    def written(self) -> frozenset[str]:
        """Every stem in use: a function written by a letter, such as σ(x), gives way to a tensor of that name."""
        return frozenset(g.text for g in [*self.tensors.values(), *self.symbols.values()])

    def below(self, tensor: Tensor) -> tuple[int, ...]:
        """The places of a tensor's axes that stand below its matrix, as t does in X_t."""
        return tuple(place for place, axis in enumerate(tensor.axes) if axis.size in self.outer)

    def abbreviates(self, symbol: Symbol) -> bool:
        """Whether a parameter is written by a letter that stands for its name."""
        return symbol.name.islower() and self.symbols[symbol] not in (glyph(symbol.name), raw(symbol.name))

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
        taken = {g.in_text() for g in [*in_scope, *self.symbols.values()]}
        if letter.name in {a.name for a in self.declared if a != letter} and letter not in self.known:
            taken.add(base.in_text())
        primes = base.primes
        while base.primed(primes).in_text() in taken:
            primes += 1
        return base.primed(primes)

    def _base(self, letter: Axis) -> Glyph:
        original = self._original(letter)
        return self.known.get(original) or self.choice.own.get(original.name) or glyph(original.name)

    def _original(self, letter: Axis) -> Axis:
        """The letter of which this one is an alias, if the document has it."""
        stem = re.fullmatch(r"(.+?)_\d+", letter.name)
        if letter in self.known or stem is None:
            return letter
        original = letter.alias(stem[1])
        return original if original in self.known or original in self.met else letter

    def rank(self, letter: Axis | None) -> int:
        """The place of a letter, or of the one whose alias it is, in the order of letters within an index."""
        order = self.order or self.declared
        if letter is None or (original := self._original(letter)) not in order:
            return len(order)
        return order.index(original)


def _collect(expression: Basic, met: dict[Basic, None], beyond: dict[Key, None]) -> None:
    """Every tensor and symbol of an expression, and what is read beyond its edges; no tensor's body is entered."""
    stack, seen = [expression], set()
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, (Symbol, Tensor)) or node is S.Pi:
            met.setdefault(node)
        if isinstance(node, (PaddedEntry, PaddedBoolEntry)):
            beyond.setdefault(key_of(node.tensor))
        stack.extend(reversed(node.args))


def _own_forms(choice: Notation, met: Iterable[Basic]) -> set[Written]:
    """What the reader's symbols are written like; each is for something that occurs, no two are alike."""
    nodes = list(met)
    letters = {_stem(letter) for node in nodes for letter in _axes(node)}
    tensors = {node.name for node in nodes if isinstance(node, Tensor) and node.role not in OVER}
    named = tensors | {node.name for node in nodes if isinstance(node, Symbol) and not isinstance(node, Axis)}
    named |= {size.name for size in _sizes(nodes)} | {letter.upper() for letter in _derived(nodes).values()}
    used: dict[Written, str] = {}
    for name, form in choice.own.items():
        if name not in named | letters | {"L"}:
            known = ", ".join(sorted(named | letters))
            raise NameProblem(f"symbols: no {name!r} here{did_you_mean(name, named | letters)} (there are {known})")
        for written in _forms(form):
            if written in used:
                raise NameProblem(f"symbols: {used[written]} and {name} would both be written {written[1]}")
        if name not in letters:  # an index stands below: it may look like a tensor
            used |= dict.fromkeys(_forms(form), name)
    return set(used)


def _axes(node: Basic) -> tuple[Axis, ...]:
    return node.axes if isinstance(node, Tensor) else (node,) if isinstance(node, Axis) else ()


def _sizes(met: Iterable[Basic]) -> Iterable[Size]:
    for node in met:
        if isinstance(node, Size):
            yield node
        for letter in _axes(node):
            yield from sorted((s for s in letter.size.free_symbols if isinstance(s, Size)), key=lambda s: s.name)


def _derived(met: Iterable[Basic]) -> dict[Expr, str]:
    """Lengths that are expressions, each with a letter of that length."""
    found: dict[Expr, str] = {}
    for letter in (letter for node in met for letter in _axes(node)):
        if not letter.size.is_Symbol and not letter.size.is_number:
            found.setdefault(letter.size, letter.name)
    return found
