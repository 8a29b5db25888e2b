"""`derive book`: every page made by several processes, written only where it changed."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .output import emit, write
from .problems import DONE, NO, BadInput, complain, one_of
from .verifying import progress
from .workers import DIED, processors, results

FORMATS = ("html", "pdf")
MANIFEST = ".derive-book.json"


def run(folder: str, form: str, only: Sequence[str], jobs: int | None) -> int:
    """The book in `folder`; what was made from the same content before is kept.

    The exit code is 1 if a check did not pass, or LaTeX complained of more than it can mend.
    """
    one_of("--format", form, FORMATS)
    from derive import book

    if form == "pdf":
        book.program()  # says at once what is missing
    places = book.places(only)
    every = {**places, **({} if only else book.lesson_places())}
    shelf = Shelf(_folder(folder), form, {name: book.key_of(place) for name, place in every.items()})
    document = shelf.home / "book.pdf"
    if form == "pdf" and shelf.stale:
        document.unlink(missing_ok=True)  # whatever happens now, what is there is not the book
    try:
        entries = _made(shelf, every, jobs or processors())
    finally:
        shelf.remember()  # what is made is kept, whatever stops the rest
    shared = book.pages(places, entries, form)
    shelf.put(shared)
    wrong = [f"not every check passed of {name}" for name, entry in entries.items() if not entry.checked.passed]
    if form == "pdf" and (shelf.written or not document.exists()):
        print("derive: book: compiling", file=sys.stderr)
        data, log = book.compiled(shared["book.tex"].decode("utf-8"), beside=shelf.home)
        shelf.put({document.name: data})
        wrong += book.faults(log)
    made = sum(name in shelf.stale for name in places)
    emit(f"{len(places)} formulas in {document if form == 'pdf' else shelf.home / 'index.html'}: {made} made, "
         f"{len(places) - made} kept, {len(shelf.written)} files written")  # fmt: skip
    for words in wrong:
        complain(f"book: {words}")
    return NO if wrong else DONE


@dataclass(frozen=True)
class Shelf:
    """The folder of a book in one form, and what the manifest there remembers of earlier runs.

    `keys` are those of what is to be made now: a page whose key and files are the same as before is kept.
    """

    home: Path
    form: str
    keys: Mapping[str, str]

    @cached_property
    def manifest(self) -> dict[str, dict[str, Any]]:
        """Form → name → what is remembered; under "checks" what holds for every form. Empty if it cannot be read."""
        try:
            found = json.loads((self.home / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    @cached_property
    def pages(self) -> dict[str, Any]:
        return dict(self.manifest.get(self.form, {}))

    @cached_property
    def checks(self) -> dict[str, Any]:
        return dict(self.manifest.get("checks", {}))

    @cached_property
    def written(self) -> list[str]:
        """The files that had to be written, so far."""
        return []

    @cached_property
    def stale(self) -> tuple[str, ...]:
        """What has to be made."""
        return tuple(name for name in self.keys if not self._kept(name))

    def _kept(self, name: str) -> bool:
        """Whether the files are there, as they were made from the same content."""
        if self.pages.get(name, {}).get("key") != self.keys[name] or self.checked(name) is None:
            return False
        files = self.pages[name]["files"]
        return all(_digest_of(self.home / file) == was for file, was in files.items())

    def checked(self, name: str) -> Any:
        """What the checks came to, if they were made of the same content; for this form or another."""
        from derive.book import Checked

        was = self.checks.get(name, {})
        if was.get("key") != self.keys[name]:
            return None
        return Checked(was["passed"], was["worst"], tuple((what, worst) for what, worst in was["statements"]))

    def remembered(self, name: str) -> Any:
        """What the other pages say of a formula, without its files."""
        from derive.book import Entry

        was = self.pages[name]
        return Entry({}, was["summary"], tuple((law, why) for law, why in was["laws"]), self.checked(name))

    def add(self, name: str, entry: Any) -> None:
        """A page that has been made."""
        self.put(entry.files)
        self.pages[name] = {
            "key": self.keys[name],
            "files": {file: _digest(data) for file, data in entry.files.items()},
            "summary": entry.summary,
            "laws": [list(law) for law in entry.laws],
        }
        self.checks[name] = {"key": self.keys[name], **asdict(entry.checked)}

    def put(self, files: Mapping[str, bytes]) -> None:
        """Files, written where they are not the same already."""
        self.written.extend(name for name, data in files.items() if _write(self.home / name, data))

    def remember(self) -> None:
        """For the next run."""
        manifest = {**self.manifest, self.form: self.pages, "checks": self.checks}
        text = json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True)
        _write(self.home / MANIFEST, f"{text}\n".encode())


def _folder(folder: str) -> Path:
    home = Path(folder)
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise BadInput(f"-o {folder}: cannot be made: {problem.strerror or problem}") from problem
    return home


def _digest_of(path: Path) -> str:
    return _digest(path.read_bytes()) if path.is_file() else ""


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


def _made(shelf: Shelf, every: Mapping[str, Any], jobs: int) -> dict[str, Any]:
    """All entries, in order; the last pages, which are the largest, are begun first."""
    stale = shelf.stale
    found: dict[str, Any] = {name: shelf.remembered(name) for name in every if name not in stale}
    work = (tuple(every[name] for name in stale), shelf.form, tuple(map(shelf.checked, stale)))
    with progress(len(stale), "book") as show:
        for done, (number, entry) in enumerate(_each(work, range(len(stale))[::-1], jobs), start=1):
            name = stale[number]
            if entry is DIED:
                raise BadInput(f"book: the process that made the page of {name} died")
            shelf.add(name, entry)
            found[name] = entry
            show(name, done)
    return {name: found[name] for name in every}


def _each(work: tuple[Any, ...], numbers: Sequence[int], jobs: int) -> Iterator[tuple[int, Any]]:
    """(number, entry) for each page, as they are made."""
    if jobs > 1 and len(numbers) > 1:
        yield from results(maker, work, numbers, min(jobs, len(numbers)))
    else:
        make = maker(*work)
        yield from ((number, make(number)) for number in numbers)


def maker(places: Sequence[Any], form: str, known: Sequence[Any]) -> Callable[[int], Any]:
    """In a worker process, what makes the pages of the formula with a number."""
    from derive.book import entry

    return lambda number: entry(places[number], form, known[number])


__all__ = ["FORMATS", "run"]
