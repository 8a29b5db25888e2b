"""What a formula gives to the book, and by what key it is known to be still the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from derive.axes import DeriveError

from .checks import Checked
from .order import Place, content, version


@dataclass(frozen=True)
class Entry:
    """A formula's files by their names, what its checks came to, and what else the other pages say of it."""

    files: Mapping[str, bytes]
    summary: str
    laws: tuple[tuple[str, str], ...]
    checked: Checked


def entry(place: Place, form: str, known: Checked | None = None) -> Entry:
    """Everything derived, checked and written, as html or for pdf; an error names the page.

    `known`: what the checks came to when they were made for the other form.
    """
    try:
        return _entry(place, form, known)
    except DeriveError as problem:
        raise type(problem)(f"book: {place.name}: {problem}") from problem


def _entry(place: Place, form: str, known: Checked | None) -> Entry:
    if not place.chapter:
        from .lessons import lesson

        return lesson(place.name, form)
    from .markup import formula_page
    from .matter import Matter
    from .tex import formula_tex

    matter = Matter(place.name, place.chapter, known)
    if form == "html":
        files = {f"{place.name}.html": formula_page(matter, place).encode("utf-8")}
    else:
        files = formula_tex(matter, place)
    return Entry(files, matter.formula.summary, matter.laws, matter.checked)


def lesson_places() -> dict[str, Place]:
    """What the whole book tells besides formulas; in no chapter of the catalogue."""
    from .lessons import LESSONS

    return {name: Place(name, "") for name in LESSONS}


def pages(places: Mapping[str, Place], entries: Mapping[str, Entry], form: str) -> dict[str, bytes]:
    """The files that are no formula's."""
    if form == "html":
        from .indexes import shared

        return {name: text.encode("utf-8") for name, text in shared(places, entries).items()}
    from .tex import book_tex

    return {"book.tex": book_tex(places, entries).encode("utf-8")}


def key_of(place: Place) -> str:
    """The same for the same content: the engine, the formula and what it mentions, its neighbours, the packages."""
    parts = [_engine(), json.dumps(asdict(place)), json.dumps(version())]
    parts += [content(place)] if place.chapter else []
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()


@cache
def _engine() -> str:
    """Of all that derives, prints and checks; not of the command line."""
    home = Path(__file__).parent.parent
    found = hashlib.sha256()
    for path in sorted(home.rglob("*.py")):
        if "cli" not in path.relative_to(home).parts:
            found.update(path.read_bytes())
    return found.hexdigest()
