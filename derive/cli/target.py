"""TARGET: `ITEM (' >> ' ITEM)*`, an ITEM being NAME or FILE.py:NAME, with options in parentheses. Nothing is evaluated.

A formula file that the user names is executed, as Python runs any script; what it prints goes to stderr.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .problems import PUBLIC, BadInput, near

Value = bool | int | float | str

_OPTION = re.compile(
    r"""\s*(?P<name>\w+)\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s,='"()]+))\s*(?P<end>,|$)"""
)
_INTEGER = re.compile(r"[+-]?\d+$", re.ASCII)
_REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$", re.ASCII)
_WORD = re.compile(r"[^\W\d][\w.-]*$")
_LONGEST_NUMBER = 40


@dataclass(frozen=True)
class Item:
    """One formula of a target: its name, the file that defines it ("" for the catalogue), and its options."""

    name: str
    file: str
    options: tuple[tuple[str, Value], ...]

    @property
    def label(self) -> str:
        return f"{self.file}:{self.name}" if self.file else self.name


def parse(target: str) -> list[Item]:
    """The items of a target; BadInput says what is wrong with it."""
    return [_item(text.strip(), target) for text in _links(target)]


def _links(target: str) -> Iterator[str]:
    """The parts between `>>`; within parentheses and quotes it does not separate."""
    depth, quote, start, place = 0, "", 0, 0
    while place < len(target):
        char = target[place]
        if quote:
            quote = "" if char == quote else quote
        elif depth and char in "\"'":
            quote = char
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif not depth and target.startswith(">>", place):
            yield target[start:place]
            place, start = place + 1, place + 2
        place += 1
    if depth or quote:
        missing = quote or (")" if depth > 0 else "(")
        raise BadInput(f"target {target!r}: expected another {missing}")
    yield target[start:]


def _item(text: str, target: str) -> Item:
    if not text:
        raise BadInput(f"target {target!r}: expected NAME or FILE.py:NAME{' around >>' if '>>' in target else ''}")
    cut = text.find(".py:")
    file, rest = (text[: cut + 3], text[cut + 4 :]) if cut >= 0 else ("", text)
    name, opening, options = rest.partition("(")
    name = name.strip()
    if opening and not options.endswith(")"):
        raise BadInput(f"target {target!r}: expected nothing after the options of {name}")
    if not file and (name.endswith(".py") or "/" in name or "\\" in name):
        raise BadInput(f"target {text!r}: name the formula in the file, as in {name}:NAME")
    if not name.isidentifier():
        given = repr(name) if name else "none"
        raise BadInput(f"target {target!r}: expected the name of a formula, given {given}")
    return Item(name, file, tuple(_options(options[:-1], name)) if opening else ())


def _options(text: str, name: str) -> Iterator[tuple[str, Value]]:
    place, seen = 0, set()
    while place < len(text) and text[place:].strip():
        found = _OPTION.match(text, place)
        if found is None:
            raise BadInput(f"options of {name}: expected option=value, given {text[place:].strip()!r}")
        if found["name"] in seen:
            raise BadInput(f"options of {name}: {found['name']} is given twice")
        seen.add(found["name"])
        quoted = found["double"] if found["double"] is not None else found["single"]
        yield found["name"], quoted if quoted is not None else _value(found["bare"], f"{name}: {found['name']}")
        place = found.end()


def _value(word: str, where: str) -> Value:
    """A number, true, false, or a bare word."""
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    if _REAL.match(word):
        if len(word) > _LONGEST_NUMBER:
            raise BadInput(f"{where}: the number is too long")
        return int(word) if _INTEGER.match(word) else float(word)
    if _WORD.match(word):
        return word
    raise BadInput(f"{where}: expected a number, true, false, a word or a quoted string, given {word!r}")


class Library:
    """Formulas by name: those of the catalogue, and those of files, each of which is executed once."""

    def __init__(self) -> None:
        self._files: dict[str, dict[str, Any]] = {}

    def file(self, path: str) -> dict[str, Any]:
        """Every formula that a file defines."""
        from derive.api.files import formulas_in

        if path not in self._files:
            with contextlib.redirect_stdout(sys.stderr):
                self._files[path] = formulas_in(path)
        return self._files[path]

    def formula(self, target: str) -> Any:
        """The formula that a target means: one item with its options fixed, or a chain of several."""
        items = parse(target)
        links = [self._fixed(item, alone=len(items) == 1) for item in items]
        if len(links) == 1:
            return links[0]
        return PUBLIC.chain(*links)

    def _fixed(self, item: Item, *, alone: bool) -> Any:
        from derive.api import catalogue

        if not item.file:
            found = catalogue[item.name]
        else:
            known = self.file(item.file)
            if item.name not in known:
                defined = f"it defines {', '.join(known)}" if known else "it defines none"
                raise BadInput(f"{item.file}: no formula {item.name!r}; {defined}{near(item.name, known)}")
            found = known[item.name]
        if not alone:
            parameters = {p.name for p in found.parameters}
            for name, value in item.options:
                if name not in parameters and isinstance(value, int):
                    raise BadInput(f"{item.label}: {name}={value}: within a chain, lengths cannot be fixed")
        with traced(item.label, found):
            return found.fixed(**dict(item.options))


@contextlib.contextmanager
def traced(label: str, formula: Any) -> Iterator[None]:
    """Around the run of a formula's body: its prints go to stderr; if it is the user's, its errors are bad input."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except Exception as problem:
        if formula.kind != "user" or isinstance(problem, PUBLIC.DeriveError):
            raise
        raise BadInput(f"{label}: {type(problem).__name__}: {problem}") from problem
