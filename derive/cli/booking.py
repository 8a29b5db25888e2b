"""`derive book`: every page made by several processes, written only where it changed."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .output import emit, write
from .problems import BadInput, one_of
from .verifying import progress
from .workers import DIED, processors, results

FORMATS = ("html", "pdf")
MANIFEST = ".derive-book.json"


def run(folder: str, form: str, only: Sequence[str], jobs: int | None) -> None:
    """The book in `folder`; what was made from the same content before is kept."""
    one_of("--format", form, FORMATS)
    from derive import book

    if form == "pdf":
        book.program()  # says at once what is missing
    places = book.places(only)
    home = _folder(folder)
    known = _manifest(home)
    every = {**places, **({} if only else book.lessons())}
    keys = {name: book.key_of(place, form) for name, place in every.items()}
    stale = [name for name in every if not _kept(home, known, name, keys[name])]
    entries: dict[str, Any] = {name: _remembered(known[name]) for name in every if name not in stale}
    entries |= _made(every, stale, form, jobs or processors())
    entries = {name: entries[name] for name in every}
    written = sum(_write(home / name, data) for entry in entries.values() for name, data in entry.files.items())
    shared = book.pages(places, entries, form)
    written += sum(_write(home / name, data) for name, data in shared.items())
    _remember(home, known, entries, keys)
    if form == "pdf" and (written or not (home / "book.pdf").exists()):
        print("derive: book: compiling", file=sys.stderr)
        written += _write(home / "book.pdf", book.pdf(shared["book.tex"].decode("utf-8"), beside=home))
    made = sum(name in places for name in stale)
    emit(f"{len(places)} formulas in {home / ('index.html' if form == 'html' else 'book.pdf')}: {made} made, "
         f"{len(places) - made} kept, {written} files written")  # fmt: skip


def _folder(folder: str) -> Path:
    home = Path(folder)
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise BadInput(f"-o {folder}: cannot be made: {problem.strerror or problem}") from problem
    return home


def _manifest(home: Path) -> dict[str, Any]:
    """What an earlier run remembered; nothing if it cannot be read."""
    try:
        found = json.loads((home / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _kept(home: Path, known: Mapping[str, Any], name: str, key: str) -> bool:
    """Whether a formula's files are there, as they were made from the same content."""
    if known.get(name, {}).get("key") != key:
        return False
    files = known[name]["files"]
    return all((home / file).is_file() and _digest((home / file).read_bytes()) == was for file, was in files.items())


def _remembered(was: Mapping[str, Any]) -> Any:
    """What the other pages say of a formula, without its files."""
    from derive.book import Entry

    laws = tuple((law, why) for law, why in was["laws"])
    return Entry({}, was["summary"], laws, was["passed"], was["worst"])


def _remember(home: Path, known: Mapping[str, Any], entries: Mapping[str, Any], keys: Mapping[str, str]) -> None:
    found = {
        name: {
            "key": keys[name],
            "files": {f: _digest(data) for f, data in entry.files.items()} or known[name]["files"],
            "summary": entry.summary,
            "laws": [list(law) for law in entry.laws],
            "passed": entry.passed,
            "worst": entry.worst,
        }
        for name, entry in entries.items()
    }
    _write(home / MANIFEST, (json.dumps({**known, **found}, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write(path: Path, data: bytes) -> bool:
    """Whether the file had to be written."""
    if path.is_file() and path.read_bytes() == data:
        return False
    try:
        write(path, data)
    except OSError as problem:
        raise BadInput(f"{path}: cannot be written: {problem.strerror or problem}") from problem
    return True


def _made(places: Mapping[str, Any], stale: Sequence[str], form: str, jobs: int) -> dict[str, Any]:
    """The entries of what changed; the last ones, which are the largest, are begun first."""
    found: dict[str, Any] = {}
    work = (tuple(places[name] for name in stale), form)
    with progress(len(stale), "book") as show:
        if jobs > 1 and len(stale) > 1:
            for number, entry in results(maker, work, range(len(stale))[::-1], min(jobs, len(stale))):
                if entry is DIED:
                    raise BadInput(f"book: the process that made the page of {stale[number]} died")
                found[stale[number]] = entry
                show(stale[number], len(found))
        else:
            make = maker(*work)
            for number, name in enumerate(stale):
                show(name, number)
                found[name] = make(number)
    return found


def maker(places: Sequence[Any], form: str) -> Callable[[int], Any]:
    """In a worker process, what makes the pages of the formula with a number."""
    from derive.book import entry

    return lambda number: entry(places[number], form)


__all__ = ["FORMATS", "run"]
