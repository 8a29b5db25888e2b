"""What derive says when it cannot, or must not, answer."""

from __future__ import annotations

import difflib
import keyword
from collections.abc import Iterable


class DeriveError(Exception):
    """An input that cannot be used: what was given, what was expected, where."""


class ShapeError(DeriveError):
    """An index, a rank or a length that does not fit its declaration."""


class NotIterable(DeriveError, TypeError):
    """A tensor unpacked or looped over; a TypeError too, because that is what SymPy probes for."""


class NameProblem(DeriveError):
    """A name that is unknown, taken, or no identifier."""


class AssumptionError(DeriveError):
    """Data that break a stated assumption."""


class Unsupported(DeriveError):
    """A node or pattern for which derive knows no law; it is named, never guessed at."""


class HighestOrder(Unsupported):
    """A derivative of one order more than there are laws for."""


for _error in (DeriveError, ShapeError, NotIterable, NameProblem, AssumptionError, Unsupported, HighestOrder):
    _error.__module__ = "derive"  # what a user sees, and imports, is derive.ShapeError


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'softmax'?`, or nothing when no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def checked_identifier(name: object, what: str) -> str:
    """`name` itself when it can be a Python identifier, else NameProblem: names are printed into code."""
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name) or name.startswith("__"):
        raise NameProblem(f"{what} {name!r} is not a usable name: expected a Python identifier that is no keyword")
    return name
