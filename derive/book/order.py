"""The order of the book: its chapters, what opens each of them, and which formula leads to which."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from derive.axes import NameProblem, did_you_mean

from .chapters import CHAPTERS, Chapter

TITLE = "The Mathematics behind Deep Learning"


@dataclass(frozen=True)
class Place:
    """One formula's place in the book: its chapter, its neighbours, what it uses and what uses it."""

    name: str
    chapter: str
    before: str = ""
    after: str = ""
    uses: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()


def places(only: Iterable[str] = ()) -> dict[str, Place]:
    """Every formula of the book, or those of `only`, in order. Raises NameProblem for an unknown name."""
    home = _package().HOME
    wanted = list(dict.fromkeys(only))
    for name in wanted:
        if name not in home:
            raise NameProblem(f"book: no formula {name!r} in the catalogue{did_you_mean(name, home)}")
    order = [
        *(c for c in CHAPTERS if c in home.values()),
        *dict.fromkeys(c for c in home.values() if c not in CHAPTERS),
    ]
    names = [name for chapter in order for name, its in home.items() if its == chapter and name in (wanted or home)]
    calls = {name: tuple(u for u in _calls(home[name]).get(name, ()) if u in names and u != name) for name in names}
    return {
        name: Place(
            name,
            home[name],
            names[at - 1] if at else "",
            names[at + 1] if at + 1 < len(names) else "",
            calls[name],
            tuple(user for user in names if name in calls[user]),
        )
        for at, name in enumerate(names)
    }


def chapter_of(name: str) -> Chapter:
    """The opening of a chapter; the first line of its file where the table has none."""
    if name in CHAPTERS:
        return CHAPTERS[name]
    first = (ast.get_docstring(ast.parse(_source(name))) or name).strip().split("\n\n")[0]
    return Chapter(name.replace("_", " ").capitalize(), " ".join(first.split()), "")


def _package() -> Any:
    from derive.api import catalogue

    return catalogue._package()


def _source(chapter: str) -> str:
    return _path(chapter).read_text(encoding="utf-8")


def _path(chapter: str) -> Path:
    return Path(_package().__file__).with_name(f"{chapter}.py")


@cache
def _calls(chapter: str) -> dict[str, tuple[str, ...]]:
    """The formulas that each function of a chapter calls, directly or through helpers of the chapter."""
    home = _package().HOME
    named: dict[str, list[str]] = {}
    body = ast.parse(_source(chapter)).body
    language = {
        a.asname or a.name for n in body if isinstance(n, ast.ImportFrom) and n.module == "derive" for a in n.names
    }
    for node in body:
        if isinstance(node, ast.FunctionDef):
            named[node.name] = list(_mentioned(node))
        elif isinstance(node, ast.Assign):
            mentioned = list(_mentioned(node))
            named |= {n.id: mentioned for n in ast.walk(node.targets[0]) if isinstance(n, ast.Name)}
    found: dict[str, tuple[str, ...]] = {}
    for name in named:
        seen: dict[str, None] = {}
        stack = list(named[name])
        while stack:
            used = stack.pop(0)
            if home.get(used) == chapter or (used in home and used not in named):
                seen.setdefault(used)
            elif used in named and used not in seen:
                seen.setdefault(used)
                stack += named[used]
        formulas = (used for used in seen if home.get(used) == chapter or (used in home and used not in named))
        found[name] = tuple(used for used in formulas if used not in language)
    return found


@cache
def needs(chapter: str) -> tuple[Path, ...]:
    """The files that a chapter's formulas are made of: its own, and those of the package that it imports."""
    found: dict[Path, None] = {}
    stack = [chapter]
    while stack:
        path = _path(stack.pop())
        if path in found or not path.exists():
            continue
        found.setdefault(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("formulas")):
                stack.append((node.module or "").removeprefix("formulas").removeprefix("."))
    return tuple(sorted(found))


def content(place: Place) -> str:
    """The source that a formula is made from: its own, what it mentions, and what stands outside of functions."""
    files = [_pieces(path) for path in needs(place.chapter)]
    kept: dict[str, None] = {}
    stack = [place.name, *(name for rest, _ in files for _, names in rest for name in names)]
    while stack:
        name = stack.pop()
        for source, names in (pieces[name] for _, pieces in files if name in pieces):
            if source not in kept:
                kept[source] = None
                stack += names
    return "\n".join([*(source for rest, _ in files for source, _ in rest), *sorted(kept)])


def _mentioned(node: ast.AST) -> tuple[str, ...]:
    """The names that a statement takes from outside: not its parameters, nor what it gives a value itself."""
    names = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
    own = {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}
    own |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
    return tuple(name.id for name in names if name.id not in own)


Piece = tuple[str, tuple[str, ...]]  # source, and the names that it mentions


@cache
def _pieces(path: Path) -> tuple[tuple[Piece, ...], Mapping[str, Piece]]:
    """The statements of a file, and its functions by name."""
    text = path.read_text(encoding="utf-8")
    rest: list[Piece] = []
    functions: dict[str, Piece] = {}
    for node in ast.parse(text).body:
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(d.lineno for d in decorators)])
        source = "\n".join(text.splitlines()[first - 1 : node.end_lineno])
        piece = source, _mentioned(node)
        if isinstance(node, ast.FunctionDef):
            functions[node.name] = piece
        elif "__all__" not in source:
            rest.append(piece)
    return tuple(rest), functions


@cache
def version() -> Mapping[str, str]:
    """What pages are made with besides the project: a new version of it may change a number or a glyph."""
    return {package: installed(package) for package in ("sympy", "numpy", "matplotlib", "latex2mathml")}
