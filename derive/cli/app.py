"""The commands, their options and their help."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated, Any

import typer

from derive import __version__

from .claiming import claim
from .explaining import FORMATS, explained, format_of, run_plot
from .latex import DECLARES, Signed, Where, latex
from .learning import USES, compare, train
from .notation import Bold, FromOne, Kind, Layout, Ranges, Samples, Symbols, notation_of
from .output import deliver, emit, emit_json, forget_stdout
from .problems import DONE, FAULT, INTERRUPTED, BadInput, code_of, complain, one_of, words_of
from .stating import statement

FORMS = ("closed", "staged")
BACKENDS = ("numpy", "numba")
DETAILS = ("brief", "normal", "full")
DTYPES = {"float64": 8, "float32": 4}  # and the bytes of a number

TARGETS = """A TARGET is a name of the catalogue, or FILE.py:NAME for a formula of your own; NAME(option=value, …) fixes
options, as in layer_norm(eps=1e-6), mse_loss(reduction=sum), linear(bias=true). Several, joined by >>, are a chain:
'dense >> tanh >> dense >> softmax_cross_entropy'. A formula file that you name is executed, as Python runs any script.
"""
CODES = """Exit codes: 0 done and true; 1 a check failed; 2 bad input; 3 not supported, or a package is missing;
130 interrupted."""

app = typer.Typer(
    name="derive",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)

Target = Annotated[
    str, typer.Argument(metavar="TARGET", help="a name, FILE.py:NAME, or a chain A >> B", show_default=False)
]
Wrt = Annotated[
    list[str] | None,
    typer.Option(
        "--wrt", metavar="W", help="the input to differentiate for; several by commas [default: every real input]"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, for machines")]
Out = Annotated[str | None, typer.Option("-o", "--output", metavar="FILE", help="write there, whole or not at all")]


def _version(asked: bool) -> None:
    if asked:
        emit(f"derive {__version__}")
        raise typer.Exit(DONE)


@app.callback(invoke_without_command=True, epilog=TARGETS + "\n\n" + CODES)
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Gradients of layers written as mathematics: derived, explained, checked, and emitted as NumPy code."""
    if context.invoked_subcommand is None:
        emit(context.get_help())


@app.command("list")
def list_(
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="only formulas of this kind, e.g. losses")] = None,
    as_json: Json = False,
) -> None:
    """List the formulas of the catalogue.

    --json gives an array of {"name", "kind", "inputs", "summary"}.
    """
    from .listing import run_list

    run_list(kind, as_json)


@app.command(epilog=TARGETS)
def show(target: Target) -> None:
    """Show a formula: definition, shapes, options, variants."""
    from .listing import run_show

    run_show(target)


@app.command(epilog=TARGETS)
def gradient(
    target: Target,
    wrt: Wrt = None,
    form: Annotated[
        str, typer.Option(metavar="|".join(FORMS), help="closed, or staged as backpropagation runs")
    ] = "closed",
    notation: Kind = "index",
    layout: Layout = "mixed",
    samples: Samples = "rows",
    bold: Bold = False,
    from_one: FromOne = False,
    ranges: Ranges = False,
    symbol: Symbols = None,
    as_json: Json = False,
) -> None:
    """Derive the gradient, in closed form, and print it.

    --json gives {"name", "wrt", "axes", "result", "latex", "terms", "laws"}; for several variables an array of such
    objects. "result" is in the language of formulas, with the letters of "axes" free.
    """
    one_of("--form", form, FORMS)
    written = notation_of(notation, layout, samples, bold, from_one, ranges, symbol)
    d = _derived(target, wrt, form)
    from derive.api.shown import result_latex, result_lines

    if not as_json:
        emit("\n".join(result_lines(d, written)))
        return
    latex, laws = result_latex(d, written), list(d.derivation.laws)
    found = [
        {
            "name": d.formula.name, "wrt": name, "axes": [a.name for a in tensor.axes], "result": str(tensor.body),
            "latex": latex[name], "terms": d.terms[name], "laws": laws,
        }
        for name, tensor in d.tensors.items()
    ]  # fmt: skip
    emit_json(found if len(found) != 1 else found[0])


def _derived(target: str, wrt: list[str] | None, form: str = "closed") -> Any:
    """The gradient of a target; every text from the user is looked up, never evaluated."""
    names = [name.strip() for given in wrt or () for name in given.split(",")]
    if wrt is not None and len(set(names)) < len(names):
        raise BadInput(f"--wrt {','.join(names)}: a name is given twice")
    from derive.api import gradient as derive_gradient

    from .target import Library

    return derive_gradient(Library().formula(target), tuple(names) or None, form=form)


@app.command(epilog=TARGETS)
def explain(
    target: Target,
    wrt: Wrt = None,
    detail: Annotated[str, typer.Option(metavar="|".join(DETAILS), help="how many of the steps")] = "normal",
    notation: Kind = "index",
    layout: Layout = "mixed",
    samples: Samples = "rows",
    bold: Bold = False,
    from_one: FromOne = False,
    ranges: Ranges = False,
    symbol: Symbols = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="|".join(FORMATS),
            help="latex is a fragment, article a document [default: by FILE, or text]",
        ),
    ] = None,
    output: Out = None,
) -> None:
    """Explain the gradient: every step, and the law it uses."""
    chosen = format_of(format_, output)
    one_of("--detail", detail, DETAILS)
    written = notation_of(notation, layout, samples, bold, from_one, ranges, symbol)
    d = _derived(target, wrt)
    deliver(explained(d, chosen, detail, written), output)


@app.command(epilog=TARGETS)
def plot(
    target: Target,
    output: Out = None,
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="of the random inputs")] = 0,
) -> None:
    """Plot a function or a loss with its derivatives, or a layer's Jacobian.

    SVG, or by the name of FILE PDF or PNG. A function of one variable is drawn from -4 to 4, a loss along one entry
    of an input, both with their first and second derivative; of a layer the Jacobian at a random input is drawn.
    """
    run_plot(target, output, seed)


@app.command()
def book(
    output: Annotated[str, typer.Option("-o", "--output", metavar="DIR", help="the folder of the book")],
    format_: Annotated[str, typer.Option("--format", metavar="html|pdf", help="pages, or one document")] = "html",
    only: Annotated[list[str] | None, typer.Option("--only", metavar="NAME", help="these formulas alone")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, metavar="N", help="processes [default: one for each CPU]")] = None,
) -> None:
    """Make the book: a page for every formula of the catalogue.

    Definition, derivation, closed form, code, cost, picture and checks, with chapters, a preface and an index of laws.
    Pages whose content has not changed since the last run are kept as they are.
    """
    from .booking import run

    names = [name for given in only or () for name in given.split(",")]
    raise typer.Exit(run(output, format_, names, jobs))


@app.command(epilog=TARGETS)
def code(
    target: Target,
    output: Out = None,
    array_api: Annotated[
        bool,
        typer.Option("--array-api", help="for any library of the Python array API standard: PyTorch, JAX, Dask, …"),
    ] = False,
    backend: Annotated[
        str, typer.Option(metavar="|".join(BACKENDS), help="numba: fused parallel loops, compiled at the first call")
    ] = "numpy",
) -> None:
    """Emit NumPy code for the formula and its gradients.

    It is a module of its own, which needs NumPy and nothing of derive; with --array-api, the library of its arrays.
    """
    one_of("--backend", backend, BACKENDS)
    if array_api and backend != "numpy":
        raise BadInput(f"--array-api and --backend {backend} are two backends: give one")
    from derive.api import to_numpy

    from .target import Library

    module = to_numpy(Library().formula(target), backend=backend)
    deliver(module.array_api.source if array_api else module.source, output)


@app.command(epilog=TARGETS)
def cost(
    target: Target,
    at: Annotated[
        str | None, typer.Option("--at", metavar="SIZES", help="numbers, at these sizes: B=64,C=10", show_default=False)
    ] = None,
    dtype: Annotated[str, typer.Option(metavar="|".join(DTYPES), help="of the numbers at SIZES")] = "float64",
    as_json: Json = False,
) -> None:
    """Count what the code does: operations, bytes moved, bytes saved.

    Polynomials in the sizes, for forward, backward and, for a loss, value_and_grad. --json gives {"name", "at",
    "sizes", "where", "saved", "inputs", "forward", "backward", "value_and_grad"}, the last three null or {"flops",
    "transcendental", "moved"}: texts, or with --at numbers.
    """
    one_of("--dtype", dtype, DTYPES)
    from .costing import run

    run(target, at, DTYPES[dtype], as_json)


@app.command(epilog=TARGETS)
def verify(
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="TARGET… | FILE.py", help="formulas, or every formula of a file")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="the whole catalogue")] = False,
    trials: Annotated[int, typer.Option(min=1, metavar="N", help="random points for each check")] = 20,
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="of the random points")] = 0,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="processes [default: one for each CPU; 1 for a single TARGET]"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check gradients, every step, and code against numbers.

    Every variant that a target leaves open is checked: mse_loss in all its reductions, mse_loss(reduction=sum) in one.

    A failure prints its counterexample (lengths, seed, numbers) and exits with 1. --json gives {"passed", "checked":
    [{"name", "variant", "passed", "worst", "where"}]}, where null stands for a number that is not finite. The report
    does not depend on --jobs.
    """
    from .verifying import run

    raise typer.Exit(run(targets or [], everything, trials, seed, jobs, as_json))


@app.command(cls=Signed, epilog=f"{TARGETS}\n{DECLARES}")
def stability(
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="TARGET… | FILE.py | LATEX", help="formulas, every formula of a file, or LaTeX"),
    ] = None,
    where: Where = "",
    everything: Annotated[bool, typer.Option("--all", help="the whole catalogue")] = False,
    dtype: Annotated[str, typer.Option(metavar="float32|float64|both", help="of the inputs")] = "both",
    points: Annotated[int, typer.Option(min=1, metavar="N", help="inputs for each formula, at most")] = 200,
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="of the inputs")] = 0,
    reach: Annotated[float, typer.Option(min=0, max=30, metavar="E", help="magnitudes go from 1e-E to 1e+E")] = 30,
    strict: Annotated[
        bool, typer.Option("--strict", help="hold sums to their own condition, not to that of their terms")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="processes [default: one for each CPU; 1 for a single TARGET]"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the error of the code at inputs of every magnitude.

    With --where, a formula is given in LaTeX: derive stability '\\log(1 + e^{x_i})' --where 'x: n'.

    Outputs and gradients are held against values of 50 digits or more: a number passes if it is within
    8·(ulp + what it changes when its data moves by one unit in the last place). For a formula with sums or other
    reductions, every operation of the formula as written may move as well, unless --strict. Reported is the worst
    number of each kind, with its input; the exit code is 1 if one is out of bounds. Fewer points are used where a
    formula is dear. --json gives {"passed", "checked": [{"name", "variant", "passed", "points", "rows", "problem"}]}.
    """
    one_of("--dtype", dtype, (*DTYPES, "both"))
    from .sweeping import Sweep, run

    dtypes = tuple(DTYPES) if dtype == "both" else (dtype,)
    raise typer.Exit(run(targets or [], everything, Sweep(dtypes, points, seed, reach, strict, where), jobs, as_json))


app.command(cls=Signed, epilog=DECLARES)(latex)
app.command(cls=Signed, epilog=DECLARES)(claim)
app.command(epilog=USES)(train)
app.command(epilog=USES)(compare)
app.command()(statement)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code. Whatever is wrong with the input is one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without Greek letters still gets the rest
    try:
        result = int(typer.main.get_command(app).main(arguments, prog_name="derive", standalone_mode=False) or DONE)
    except (KeyboardInterrupt, typer.Abort):
        result = INTERRUPTED
    except (BrokenPipeError, SystemExit):  # typer ends Python when nobody reads its help
        forget_stdout()
        result = DONE
    except Exception as problem:
        result = _told(problem)
    if result == INTERRUPTED:
        complain("interrupted")
    return result


def _told(problem: Exception) -> int:
    """One line for a problem of the input or the environment; for a fault of ours all there is to know."""
    if hasattr(problem, "format_message"):  # typer's usage errors
        complain(problem.format_message())
        return int(getattr(problem, "exit_code", 2))
    if isinstance(problem, OSError):  # a full disk, while typer prints help
        forget_stdout()
    found = code_of(problem)
    if found is not None:
        complain(words_of(problem))
        return found
    traceback.print_exception(problem)
    complain("this is a fault in derive, not in what you typed: please report the lines above")
    return FAULT
