"""NumPy: an array program as a standalone module, and as callables made by `sympy.lambdify` from the same text."""

from __future__ import annotations

import inspect
import json
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Symbol, lambdify

from derive.lower import Array, Assign, Function, NameProblem, Program, Statement

from . import matrices, runtime, selfcheck, windows
from .layout import INDENT, WIDTH, listed, wrapped
from .printer import IN_BODY, LONGEST_TARGET, NumpyPrinter

HELPERS: dict[str, Callable[..., Any]] = {
    helper.__name__: helper
    for helper in (
        runtime.whole, runtime.refused, runtime.length, runtime.quotient, runtime.indices, runtime.erfc,
        runtime.bounded_exp, runtime.opposed, runtime.log_above,
        runtime.pair_blocks, runtime.strips, runtime.limited, runtime.masked,
        windows.padded, windows.laid, windows.windows, windows.scattered, windows.overlapped,
        windows.matrices, windows.products, windows.spread, windows.mirrored, windows.weighted, windows.correlated,
        windows.folded, windows.firsts, windows.selected, *matrices.HELPERS,
    )
}  # fmt: skip
NEEDS = {  # helpers that helpers call
    "laid": "padded",
    "overlapped": "windows",
    "selected": "windows",
    "products": "matrices",
    "spread": "matrices overlapped mirrored padded windows products",
}


@dataclass(frozen=True)
class Printed:
    """A side of an assignment as lambdify prints it; the left one with the statements that stand before it."""

    text: str


def printer_for(program: Program, noted: bool = True, kind: type[NumpyPrinter] = NumpyPrinter) -> NumpyPrinter:
    """A printer whose modules do not clash with names of the program."""
    if "special" in program.taken:
        raise NameProblem(f"{program.name}: the name special is that of a module in emitted code; rename it")
    names = {"special": "special"}
    given = {a.name for a in program.inputs} | {name for name, _ in program.parameters} | set(program.upstreams)
    names |= {name: f"{name}_" for name in HELPERS if name in given}
    for module in ("np", "math"):
        name = module
        while name in program.taken:
            name += "_"
        names[module] = name
    return kind(names, noted)


def paragraphs(body: Sequence[Statement], printer: NumpyPrinter) -> list[tuple[Printed, Printed]]:
    """Statements as the pairs (target, value) that lambdify assigns, in order.

    A statement without a value of its own, an update in place or a loop, is printed before the target of the next
    assignment; the last ones before an assignment to the name `_`.
    """
    pairs: list[tuple[Printed, Printed]] = []
    before: list[str] = []
    for statement in body:
        lines = printer.lines(statement)
        if isinstance(statement, Assign):
            notes = [line for line in lines if line.startswith("#")]
            text = _joined(lines[len(notes) :])
            target, _, value = text.partition(" = ") if len(statement.targets) == 1 else text.rpartition(" = ")
            pairs.append((Printed(_joined([*before, *notes, target])), Printed(value)))
            before = []
        else:
            before += lines
    if before:
        pairs.append((Printed(_joined([*before, "_"])), Printed("...")))
    return pairs


def _joined(lines: Sequence[str]) -> str:
    return f"\n{INDENT}".join(lines)


def compiled(
    function: Function, program: Program, printer: NumpyPrinter, scope: Mapping[str, Any] | None = None
) -> Callable[..., Any]:
    """The function, by `sympy.lambdify` with our printer: its `cse` hands over the program's own statements.

    `scope` has what the statements call besides the helpers.
    """
    namespace: dict[str, Any] = {
        **(scope or {}),
        printer.modules["np"]: np,
        printer.modules["math"]: math,
        "NAME": program.name,
    }
    namespace |= {printer.modules.get(name, name): helper for name, helper in HELPERS.items()}
    namespace |= {"row_blocks": runtime.row_blocks}
    pairs = paragraphs(function.body, printer)
    made: Callable[..., Any] = lambdify(
        [Symbol(name) for name in function.parameters],
        function.result,
        modules=[namespace],
        printer=printer,
        use_imps=False,
        cse=lambda result: (pairs, result),
        docstring_limit=0,
    )
    return made


# The standalone module


def emit(program: Program, example: selfcheck.Example | None = None) -> str:
    """The program as a module that needs NumPy alone (and SciPy, where its header says so).

    With an example, running the module compares its gradients with differences there.
    """
    return emitted(program, example, printer_for(program))


def emitted(
    program: Program,
    example: selfcheck.Example | None,
    printer: NumpyPrinter,
    imports: Sequence[str] = (),
    settings: str = "",
    definitions: Sequence[str] = (),
) -> str:
    """The module's text. `imports`, `settings` and `definitions` are what the functions need besides the helpers."""
    functions = "\n\n\n".join([*(_function(f, program, printer) for f in program.functions), *definitions])
    helpers: list[Callable[..., Any]] = [runtime.checked, *([runtime.upstream] if program.gradients else [])]
    constants = f'{settings}NAME = "{program.name}"\n{declared(program)}'
    needed = printer.helpers.union(*(NEEDS.get(name, "").split() for name in printer.helpers))
    if "row_blocks(" in functions or needed & {"laid", "products", "spread", "erfc", "pair_blocks"}:
        helpers.append(runtime.row_blocks)
    if runtime.row_blocks in helpers or "strips" in needed:
        constants = f"{_block()}\n{constants}"
    helpers += [helper for name, helper in HELPERS.items() if name in needed]
    sources = "\n\n\n".join(source_of(helper, printer) for helper in helpers)
    parts = [header(program), _imports(printer, imports), constants, f"\n{functions}", f"\n{sources}"]
    if example is not None and program.gradients:
        parts += [f"\n{source_of(selfcheck.compared, printer)}"]
        parts += [f"\n{selfcheck.block(example, program.gradients, printer.modules['np'])}"]
    return "\n\n".join(parts) + "\n"


def source_of(helper: Callable[..., Any], printer: NumpyPrinter) -> str:
    """The text of a helper, under the names that this module gives to NumPy and to it."""
    text = inspect.getsource(helper).rstrip().replace("np.", f"{printer.modules['np']}.")
    for known in HELPERS:
        if known in printer.modules:
            text = text.replace(f" {known}(", f" {printer.modules[known]}(")
    return text


def _block() -> str:
    line = next(text for text in inspect.getsource(runtime).splitlines() if text.startswith("BLOCK"))
    return line


def declared(program: Program) -> str:
    """The inputs as data: (name, kind, lengths)."""
    rows = [literal(array.declared) for array in program.inputs]
    if len(rows) == 1:
        return "\n".join(wrapped(f"INPUTS = ({rows[0]},)"))
    return "\n".join(["INPUTS = (", *(f"{INDENT}{line}," for line in rows), ")"])


def literal(value: Any) -> str:
    """A literal as the formatters write it."""
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, tuple):
        return listed("(", [literal(part) for part in value], ")")
    if isinstance(value, dict):
        return listed("{", [f"{literal(k)}: {literal(v)}" for k, v in value.items()], "}")
    return repr(value)


def _shape(array: Array) -> str:
    if array.shape is None:
        return f"{array.name}: any shape"
    lengths = ["?" if s is None else str(s) for s in array.shape]
    return f"{array.name}: ({', '.join(lengths)}{',' if len(lengths) == 1 else ''})"


def header(program: Program, *notes: str) -> str:
    """The docstring of a module: what it computes, by definitions, and the shapes."""
    title = program.doc.strip().splitlines()[0] if program.doc.strip() else "array code."
    lines = [*textwrap.wrap(f"{program.name}: {title}", WIDTH - 3), ""]
    lines += [
        f"{INDENT}{part}" for f in program.formulas for part in textwrap.wrap(str(f), 110, subsequent_indent=INDENT)
    ]
    lines += ["", "Inputs: " + "; ".join(map(_shape, program.inputs)) + "."]
    lines += ["Outputs: " + "; ".join(map(_shape, program.outputs)) + "."]
    if program.gradients:
        lines += ["A gradient has the shape of its input; all floats have one dtype, which the results keep."]
    lines += notes
    text = "\n".join(lines).replace("\\", "\\\\").replace('"""', "'''")
    return f'"""{text}\n"""'


def _imports(printer: NumpyPrinter, also: Sequence[str] = ()) -> str:
    lines = ["from __future__ import annotations", ""]
    if "math" in printer.used:
        lines.append("import math" + ("" if printer.modules["math"] == "math" else f" as {printer.modules['math']}"))
    plain, named = (
        [line for line in also if line.startswith("import ")],
        [line for line in also if line.startswith("from ")],
    )
    lines += ["from typing import Any", "", *plain, f"import numpy as {printer.modules['np']}", *named]
    if "special" in printer.used:
        lines.append("from scipy import special")
    return "\n".join(lines)


def _function(function: Function, program: Program, printer: NumpyPrinter) -> str:
    body = body_lines(function, printer)
    checks = _checks(function, program, printer)
    return "\n".join([signature(function, program), *(INDENT + line for line in [*checks, *body])])


def body_lines(function: Function, printer: NumpyPrinter) -> list[str]:
    """The statements of a function, as lambdify compiles them too."""
    lines = []
    for target, value in paragraphs(function.body, printer):
        text = f"{target.text} = {value.text}"
        lines += text.split(f"\n{INDENT}")
    return [*lines, f"return {printer.doprint(function.result)}"]


def signature(function: Function, program: Program) -> str:
    """The head of a function, and its docstring."""
    if function.name == "backward":
        doc = f"The gradients of {', '.join(program.gradients)} for the upstream gradient, with what forward saved."
        given = ", ".join(f"{p}: Any = None" for p in function.parameters)
        shown = doc if len(doc) <= WIDTH - 10 else "The gradients for the upstream gradient, with what forward saved."
        return f'def backward({given}) -> dict[str, Any]:\n{INDENT}"""{shown}"""'
    names = [f"{a.name}: Any" for a in program.inputs] + (["*"] if program.parameters else [])
    for name, default in program.parameters:
        kind = "int" if name in program.sizes else "float"
        shown = " | None = None" if name in dict(program.derived) else "" if default is None else f" = {default!r}"
        names.append(f"{name}: {kind}{shown}")
    what = {"forward": "The value, and what backward needs.", "value_and_grad": "The value and its gradients."}
    head = wrapped(listed(f"def {function.name}(", names, ") -> tuple[Any, Any]:"))
    return "\n".join([*head, f'{INDENT}"""{what[function.name]}"""'])


def _checks(function: Function, program: Program, printer: NumpyPrinter) -> list[str]:
    if function.name == "backward":
        g = function.parameters[0]
        return [f"{g} = upstream(NAME, {g}, saved[{-len(program.outputs)}:])"]
    names = [a.name for a in program.inputs]
    given = listed("(", names, ")")
    target = given if len(names) == 1 or len(given) > LONGEST_TARGET else given[1:-1]
    lines = wrapped(f"{target} = checked(NAME, INPUTS, {given})", width=IN_BODY) if names else []
    return [*lines, *parameters(program, printer)]


def parameters(program: Program, printer: NumpyPrinter) -> list[str]:
    """Lines that check the keywords of a function: scalars, and sizes with those made of others."""
    lines: list[str] = []
    least = dict(zip(program.sizes, program.least, strict=True))
    derived = dict(program.derived)
    for name in (*(name for name, _ in program.parameters if name not in derived), *derived):
        if name in derived:
            lines += [f"if {name} is None:", f"{INDENT}{name} = {printer.doprint(derived[name])}"]
        kept = (
            printer.helper("whole", ["NAME", f'"{name}"', name, str(least[name])])
            if name in least
            else f"float({name})"
        )
        lines.append(f"{name} = {kept}")
    return lines
