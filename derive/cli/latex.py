"""`derive latex`: a formula as it stands in a paper, and its gradient, derivation, code or check."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from .output import deliver, emit, emit_json
from .problems import BAD_INPUT, DONE, NO, BadInput, complain, one_of

SHOW = ("formula", "gradient", "explain", "code", "verify")
DECLARES = """Declarations are NAME: AXES, as in 'X: n d, w: d', or NAME: scalar, parameter, function, elementwise,
size, index, or label K. Names may be written in LaTeX. docs/latex.md lists what is read, and what errors mean."""

Text = Annotated[str, typer.Argument(metavar="FORMULA", help="LaTeX, without $", show_default=False)]
Where = Annotated[str, typer.Option("--where", metavar="DECLARATIONS", help="what the letters mean: 'X: n d, w: d'")]
Start = Annotated[
    int | None,
    typer.Option("--start", min=0, max=1, metavar="0|1", help="the number of the first index, if it matters"),
]


class Signed(TyperCommand):
    """A command whose formula may begin with a minus: `derive latex '-\\log x'`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        valued = {name for p in self.params for name in p.opts if not getattr(p, "is_flag", False)}
        values = {at + 1 for at, arg in enumerate(args) if arg in valued and arg.startswith("-")}
        formulas = [at for at, arg in enumerate(args) if at not in values and begins_with_minus(arg)]
        if "--" not in args and formulas:
            rest = [arg for at, arg in enumerate(args) if at not in formulas]
            args = [*rest, "--", *(args[at] for at in formulas)]
        return super().parse_args(ctx, args)


def begins_with_minus(argument: str) -> bool:
    """Whether an argument is a formula rather than an option."""
    if not argument.startswith("-") or argument.startswith("--") or len(argument) < 2:
        return False
    return argument[1] not in "oh" or any(c in argument for c in "\\^_{}()+* =")


def latex(
    text: Text,
    where: Where = "",
    wrt: Annotated[
        list[str] | None, typer.Option("--wrt", metavar="W", help="differentiate for this; several by commas")
    ] = None,
    show: Annotated[
        str | None, typer.Option("--show", metavar="|".join(SHOW), help="[default: formula; with --wrt gradient]")
    ] = None,
    start: Start = None,
    notation: Annotated[
        str, typer.Option(metavar="index|matrix", help="indices, or matrices where they reach")
    ] = "index",
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout, for machines")] = False,
    output: Annotated[str | None, typer.Option("-o", "--output", metavar="FILE", help="write there")] = None,
) -> None:
    """Read a formula in LaTeX: show it, or derive, explain, emit or check its gradient.

    An equation between declared names is shown with both sides; --show verify says whether they agree. --json gives
    {"kind", "name", "inputs", "body"}, and with --wrt {"wrt", "axes", "result", "latex"} for each variable.
    """
    what = one_of("--show", show or ("gradient" if wrt else "formula"), SHOW)
    one_of("--notation", notation, ("index", "matrix"))
    found = read(text, where, start)
    if what == "formula":
        emit_json(_described(found)) if as_json else deliver(shown(found, notation), output)
        return
    names = _names(wrt or [])
    if what == "verify":
        raise typer.Exit(_verified(found, names))
    f = formula(found, f"--show {what}")
    if what == "code":
        from derive.api import to_numpy

        deliver(to_numpy(f).source, output)
        return
    d = _gradient(f, names)
    if as_json:
        emit_json(_results(d, notation))
        return
    from derive.api.shown import result_lines

    deliver(d.explain(notation=notation) if what == "explain" else "\n".join(result_lines(d, notation)), output)


def read(text: str, where: str, start: int | None) -> Any:
    """What a text says. The line of a problem is followed on stderr by the place it is about."""
    from derive.api.latex import from_latex

    try:
        return from_latex(text, where, start=start)
    except Exception as problem:
        column = getattr(problem, "column", None)
        if column is not None and 0 <= column <= len(text):
            for line in pointed(text, column):
                complain_plainly(line)
        raise


def pointed(text: str, column: int, width: int = 72) -> tuple[str, str]:
    """The part of the text around a column, and a mark below it."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    first = max(0, column - width // 2)
    return plain[first : first + width], " " * (column - first) + "^"


def complain_plainly(line: str) -> None:
    """A line on stderr as it is."""
    typer.echo(f"    {line}", err=True)


def formula(found: Any, option: str) -> Any:
    """A Formula; equations and declarations have no gradient. `option` is what a formula was given to."""
    if hasattr(found, "trace"):
        return found
    kind = "an equation" if hasattr(found, "members") else "a declaration"
    raise BadInput(f"{option}: this is {kind}; give an expression, or a definition with a new name on its left")


def shown(found: Any, notation: str) -> str:
    """A formula with its inputs, both sides of an equation, or the declaration."""
    if not hasattr(found, "trace") and not hasattr(found, "members"):
        return repr(found).strip("<>")
    from derive.api.shown import definition_text

    try:
        members = getattr(found, "members", (found,))
        return "\n=\n".join(definition_text(member, notation=notation).rstrip() for member in members)
    except Exception as problem:
        if type(problem).__name__ != "Unsupported":
            raise
        return repr(found).strip("<>")  # an abstract function has no typeset form


def _names(given: list[str]) -> tuple[str, ...] | None:
    """The variables, as Python names: w, b and \\Sigma."""
    from derive.api.latex import name_of

    return tuple(name_of(name.strip()) for one in given for name in one.split(",")) or None


def _gradient(f: Any, names: tuple[str, ...] | None) -> Any:
    from derive.api import gradient
    from derive.api.latex import differentiable

    return gradient(differentiable(f), names)


def _described(found: Any) -> dict[str, Any]:
    members = getattr(found, "members", (found,) if hasattr(found, "trace") else ())
    if not members:
        return {"kind": "declaration", "where": found.where}
    bodies = [str(member.trace().outputs[0].body) for member in members]
    one = members[0].trace()
    inputs = [{"name": t.name, "axes": [a.name for a in t.axes], "dtype": t.dtype} for t in one.inputs]
    axes = [a.name for a in one.outputs[0].axes]
    kind = "formula" if len(bodies) == 1 else "equation"
    return {"kind": kind, "name": one.name, "inputs": inputs, "axes": axes, "bodies": bodies}


def _results(d: Any, notation: str) -> list[dict[str, Any]]:
    from derive.api.shown import result_latex

    written = result_latex(d, notation)
    return [
        {"wrt": name, "axes": [a.name for a in t.axes], "result": str(t.body), "latex": written[name]}
        for name, t in d.tensors.items()
    ]


def _verified(found: Any, names: tuple[str, ...] | None) -> int:
    """Whether both sides of an equation agree; whether the gradients and the code of a formula are right."""
    from derive.api import gradient, verify

    if hasattr(found, "members"):
        verdict = found.check()
        emit(str(verdict))
        return DONE if verdict.holds else NO
    f = formula(found, "--show verify")
    report = gradient(f, names).verify() if names else verify(f)
    emit(str(report))
    return DONE if report.passed else NO


__all__ = ["BAD_INPUT", "DECLARES", "Signed", "Start", "Text", "Where", "complain", "latex", "pointed", "read"]
