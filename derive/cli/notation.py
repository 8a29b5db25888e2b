"""The options of a notation: how mathematics is written. They are one value for everything that is printed."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .problems import BadInput, one_of

KINDS = ("index", "matrix", "differential", "named")
LAYOUTS = ("mixed", "numerator", "denominator")
SAMPLES = ("rows", "columns")

Kind = Annotated[
    str,
    typer.Option(
        "--notation", metavar="|".join(KINDS), help="where a formula has no such form, it is in indices and says so"
    ),
]
Layout = Annotated[
    str,
    typer.Option(metavar="|".join(LAYOUTS), help="of matrices; mixed: a gradient has the shape of its variable"),
]
Samples = Annotated[str, typer.Option(metavar="|".join(SAMPLES), help="whether samples are rows of a matrix")]
Bold = Annotated[bool, typer.Option("--bold", help="vectors and matrices in bold")]
FromOne = Annotated[bool, typer.Option("--from-one", help="indices start at 1")]
Ranges = Annotated[bool, typer.Option("--ranges", help="sums carry their ranges")]
Symbols = Annotated[
    list[str] | None,
    typer.Option(
        "--symbol", metavar="NAME=LATEX", help="your own symbol, as x=\\mathbf{x}; may be repeated", show_default=False
    ),
]


def notation_of(
    kind: str, layout: str, samples: str, bold: bool, from_one: bool, ranges: bool, symbols: list[str] | None
) -> Any:
    """The notation that the options ask for; BadInput names the option that is wrong."""
    one_of("--notation", kind, KINDS)
    one_of("--layout", layout, LAYOUTS)
    one_of("--samples", samples, SAMPLES)
    own: dict[str, str] = {}
    for given in symbols or ():
        name, equals, source = given.partition("=")
        if not equals or not name.strip():
            raise BadInput(f"--symbol {given}: expected NAME=LATEX, as x=\\mathbf{{x}}")
        if name.strip() in own:
            raise BadInput(f"--symbol {given}: {name.strip()} is given twice")
        own[name.strip()] = source
    from derive import Notation

    return Notation(kind, layout=layout, samples=samples, bold=bold, from_one=from_one, ranges=ranges, symbols=own)
