"""`derive statement`: what is said about training, derived: its conditions, its steps, each checked as it is shown."""

from __future__ import annotations

from typing import Annotated

import typer

from .output import emit

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="one of those that are listed", show_default=False)]
Latex = Annotated[bool, typer.Option("--latex", help="in LaTeX")]


def statement(name: Name = None, latex: Latex = False) -> None:
    """Show a statement about training with the steps that lead to it; without NAME, list them.

    Every step is evaluated at random points before anything is shown.
    """
    from derive.statements import STATEMENTS, statement_of

    if name is None:
        known = {made.__name__: (made.__doc__ or "").splitlines()[0] for made in STATEMENTS}
        width = max(map(len, known))
        emit("\n".join(f"{key:{width}}  {said}" for key, said in known.items()))
        return
    made = statement_of(name)
    made.verify()
    emit(made.latex() if latex else str(made))
