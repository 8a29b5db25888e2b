"""`derive claim`: is this the gradient? True with what was tried, or false with a counterexample."""

from __future__ import annotations

import contextlib
import re
import runpy
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .latex import DECLARES, Start, Where, complain_plainly, pointed
from .output import emit, emit_json
from .problems import DONE, NO, PUBLIC, BadInput, near

_NAMED = re.compile(r"[A-Za-z_][\w]*(\s*\(.*\))?$|.*\.py:.*", re.DOTALL)
_FUNCTION = re.compile(r"(?P<file>.+\.py):(?P<name>[A-Za-z_]\w*)$")


def claim(
    claimed: Annotated[
        str, typer.Argument(metavar="CLAIM", help="LaTeX, several lines too, or FILE.py:FUNCTION", show_default=False)
    ],
    of: Annotated[str, typer.Option("--of", metavar="FORMULA", help="LaTeX, a name of the catalogue, or FILE.py:NAME")],
    wrt: Annotated[str | None, typer.Option("--wrt", metavar="W", help="the variable, if there are several")] = None,
    where: Where = "",
    start: Start = None,
    points: Annotated[int, typer.Option(min=2, metavar="N", help="random points")] = 12,
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="of the points")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout, for machines")] = False,
) -> None:
    """Say whether a gradient is right; if not, what is wrong with it, and where.

    A claim is proved where both have one canonical form, and tried at random points, of different lengths and on
    kinks. A formula that is no scalar has the upstream gradient g. Exit code 1 means the claim is false. --json gives
    {"holds", "kind", "reason", "points", "sizes", "proved", "line", "counterexample"}.
    """
    from derive.api.claims import check_claim

    target, function = _formula(of, where, start), _function(claimed)
    try:
        found = check_claim(function or claimed, of=target, wrt=wrt, where=where, start=start, trials=points, seed=seed)
    except Exception as problem:
        column = getattr(problem, "column", None)
        if function is None and column is not None and 0 <= column <= len(claimed):
            for line in pointed(claimed, column):
                complain_plainly(line)
        raise
    emit_json(_plain(found)) if as_json else emit(str(found))
    raise typer.Exit(DONE if found.holds else NO)


def _formula(of: str, where: str, start: int | None) -> Any:
    """A formula of the catalogue or of a file, or one in LaTeX."""
    from derive.api import catalogue

    if ".py:" in of or (_NAMED.match(of) and of.split("(")[0].strip() in catalogue):
        from .target import Library

        return Library().formula(of)
    from .latex import formula, read

    return formula(read(of, where, start), "--of")


def _function(claimed: str) -> Any:
    """The function that FILE.py:NAME means; the file is executed, as Python runs any script."""
    found = _FUNCTION.match(claimed.strip())
    if found is None:
        return None
    path = Path(found["file"])
    if not path.is_file():
        raise BadInput(f"{found['file']}: there is no such file")
    with contextlib.redirect_stdout(sys.stderr):
        sys.path.insert(0, str(path.parent))
        try:
            names = runpy.run_path(str(path), run_name="__claims__")
        except (Exception, SystemExit) as problem:
            raise BadInput(f"{found['file']}: {type(problem).__name__}: {problem}") from problem
        finally:
            sys.path.remove(str(path.parent))
    known = [name for name, value in names.items() if callable(value) and not name.startswith("_")]
    if found["name"] not in known:
        raise BadInput(f"{found['file']}: no function {found['name']!r}{near(found['name'], known)}")
    return names[found["name"]]


def _plain(found: Any) -> dict[str, Any]:
    example = found.counterexample
    shown = None
    if example is not None:
        inputs = {name: array.tolist() for name, array in example.inputs.items()}
        shown = {"sizes": example.sizes, "inputs": inputs, "place": example.place, "claimed": example.claimed,
                 "true": example.true}  # fmt: skip
    return {"holds": found.holds, "kind": found.kind, "reason": found.reason, "points": found.points,
            "sizes": list(found.sizes), "proved": found.proved, "line": found.line,
            "counterexample": shown}  # fmt: skip


__all__ = ["DECLARES", "PUBLIC", "claim"]
