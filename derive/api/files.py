"""Formulas that a user's file defines: the file is executed, as Python runs any script."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from derive.axes import DeriveError, did_you_mean
from derive.formula import REGISTRY, Formula

from .catalogue import catalogue

RUN_NAME = "__formulas__"  # `if __name__ == "__main__":` in a formula file does not run


def formulas_in(path: str) -> dict[str, Any]:
    """The formulas that a file defines, in order, by variable name; named chains by their name.

    The file may redefine names of the catalogue. Raises DeriveError, naming the file and the line, for a file that is
    missing, has a syntax error or raises.
    """
    file = _existing(path)
    home = str(file.parent)
    with _registry_of_its_own() as known:
        sys.path.insert(0, home)
        try:
            namespace = runpy.run_path(str(file), run_name=RUN_NAME)
        except (Exception, SystemExit) as problem:
            raise _named(problem, path, str(file)) from problem
        finally:
            sys.path.remove(home)
        registered = {n: f for n, f in REGISTRY.items() if known.get(n) is not f}
    borrowed = {id(f) for f in known.values()} | {id(catalogue[name]) for name in catalogue}
    own = {n: f for n, f in namespace.items() if isinstance(f, Formula) and id(f) not in borrowed}
    found = {n: f for n, f in own.items() if f.source in (str(file), f.name)}
    seen = {id(f) for f in own.values()}
    return found | {n: f for n, f in registered.items() if id(f) not in seen and f.source in (str(file), n)}


def _existing(path: str) -> Path:
    file = Path(path)
    if file.is_dir():
        raise DeriveError(f"{path}: is a directory, not a formula file")
    if not file.exists():
        beside = sorted(f.name for f in file.parent.glob("*.py")) if file.parent.is_dir() else []
        raise DeriveError(f"{path}: no such file{did_you_mean(file.name, beside)}")
    return Path(os.path.abspath(file))


@contextmanager
def _registry_of_its_own() -> Iterator[dict[str, Formula]]:
    """The registry, every name of which may be defined anew; afterwards it is as before."""
    before = dict(REGISTRY)
    known = {name: replace(f, source="__main__") for name, f in before.items()}
    REGISTRY.update(known)
    try:
        yield known
    finally:
        REGISTRY.clear()
        REGISTRY.update(before)


def _named(problem: BaseException, path: str, file: str) -> DeriveError:
    """The problem as one of ours, with the file and the line where it arose."""
    if isinstance(problem, SyntaxError) and problem.filename == file:
        return DeriveError(f"{path}, line {problem.lineno}: {problem.msg}")
    place, line, trace = path, 0, problem.__traceback__
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == file else line
        trace = trace.tb_next
    if line:
        place += f", line {line}"
    if isinstance(problem, DeriveError):
        return type(problem)(f"{place}: {problem}")
    if isinstance(problem, SystemExit):
        return DeriveError(f"{place}: the file ended Python (sys.exit)")
    return DeriveError(f"{place}: {type(problem).__name__}: {problem}")
