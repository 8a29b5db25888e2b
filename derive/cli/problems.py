"""What goes wrong, as one clear line and an exit code."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from typing import Any

import derive

PUBLIC: Any = derive  # its names load SymPy when first used, which a type checker cannot follow

DONE, NO, BAD_INPUT, UNSUPPORTED, FAULT, INTERRUPTED = 0, 1, 2, 3, 70, 130


class BadInput(Exception):
    """Input that cannot be used: what, and where."""

    code = BAD_INPUT


class NotSupported(BadInput):
    """Input that means something which derive cannot do, here or yet."""

    code = UNSUPPORTED


def near(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'softmax'?`, or nothing when no known word is near."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{found[0]}'?" if found else ""


def one_of(option: str, value: str, known: Iterable[str], later: Iterable[str] = ()) -> str:
    """`value` itself if it is known; NotSupported if it is meant for later, else BadInput."""
    known, later = list(known), list(later)
    if value in known:
        return value
    expected = f"expected {', '.join(known[:-1])} or {known[-1]}"
    if value in later:
        raise NotSupported(f"{option} {value}: not supported yet: {expected}")
    raise BadInput(f"{option}: {expected}, given {value!r}{near(value, known)}")


def complain(message: object) -> None:
    """One line on stderr, whatever the message was."""
    print("derive:", " ".join(str(message).split()), file=sys.stderr)


def code_of(problem: BaseException) -> int | None:
    """The exit code for a problem that is the user's or the environment's; None for a fault of ours."""
    if isinstance(problem, BadInput):
        return problem.code
    if "derive.axes" in sys.modules:
        if isinstance(problem, PUBLIC.Unsupported):
            return UNSUPPORTED
        if isinstance(problem, PUBLIC.DeriveError):
            return BAD_INPUT
    if isinstance(problem, ModuleNotFoundError) and not (problem.name or "").startswith("derive"):
        return UNSUPPORTED
    return BAD_INPUT if isinstance(problem, OSError) else None


def words_of(problem: BaseException) -> str:
    """The line to print for a problem that has a code."""
    if isinstance(problem, ModuleNotFoundError):
        return f"the package {problem.name} is missing: install it with `pip install {problem.name}`"
    if isinstance(problem, OSError):
        return f"{problem.filename or 'the output'}: {problem.strerror or problem}"
    return str(problem)
