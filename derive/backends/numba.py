"""numba: elementwise operations and reductions as parallel loops over entries; matrix products and windows are NumPy's.

A kernel takes a block of its shared axis at a time, and passes over each row while it is in the cache. How the work is
divided does not depend on the number of cores, so neither does the result.
"""

from __future__ import annotations

import ast
import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import Any

import numba
import numpy as np
from sympy import Symbol, lambdify

from derive.lower import Function, Program, Statement, Var
from derive.lower.kernel import Each, Gather, Kernel, Let, Store
from derive.lower.program import Code, Op

from . import fused_math, selfcheck
from .layout import INDENT, listed, wrapped
from .module import Module
from .numpy import Printed, compiled, emitted, literal, printer_for
from .operations import CHOICE, COMPARE, OPERATIONS, OR, Row
from .printer import IN_BODY, LONGEST_NOTE, NumpyPrinter

BLOCKS = 32
FAST = {"reassoc", "contract", "arcp", "afn"}
OPTIONS: dict[str, Any] = {"parallel": True, "error_model": "numpy", "fastmath": FAST}

BLOCKS_NOTE = "Blocks of a kernel: enough to share among cores; their sums are added up in one order."
FAST_NOTE = "Within a row sums may be taken in any order, so that they vectorise; NaN and infinities are what they are."
STRICT_NOTE = "What exp, tanh, erf and erfc are made of keeps its order."

CALLS = {"exp": "fused_exp", "tanh": "fused_tanh", "special.erf": "fused_erf"} | {
    "absolute": "abs", "special.erfc": "fused_erfc", "special.gamma": "math.gamma", "special.gammaln": "math.lgamma",
}  # fmt: skip
UPDATES = {
    "sum": "{0} += {1}", "prod": "{0} *= {1}", "max": "{0} = np.maximum({0}, {1})", "min": "{0} = np.minimum({0}, {1})",
    "larger": "{0} = max({0}, {1})", "smaller": "{0} = min({0}, {1})", "nan": "{0} |= {1} != {1}",
}  # fmt: skip
ROWS: dict[str, Row] = {
    **OPERATIONS,
    "where": Row("{1} if {0} else {2}", CHOICE, (OR,)),
    "logical_not": Row("not {0}", COMPARE, (COMPARE,)),
    "not a number": Row("np.nan"),
    "false": Row("False"),
    "counted": Row("np.intp({0})"),
    "contiguous": Row("np.ascontiguousarray({0})"),
}


class NumbaPrinter(NumpyPrinter):
    """Prints the array code, and calls of kernels."""

    library = "numba"
    rows: Mapping[str, Row] = {**OPERATIONS, "contiguous": ROWS["contiguous"]}

    def into(self, value: Op, out: Code) -> str:
        """A call that fills arrays."""
        if value.name != "kernel":
            return super().into(value, out)
        return f"{value.attr.name}({', '.join(self._all(value))})"


class KernelPrinter(NumpyPrinter):
    """Prints what stands in a kernel: numbers, and entries of arrays."""

    library = "numba"
    by_bits = False
    rows: Mapping[str, Row] = ROWS

    def _call(self, op: str, args: Sequence[str]) -> str:
        name = CALLS.get(op)
        if name is None:
            return super()._call(op, args)
        module, _, short = name.rpartition(".")
        self.helpers.add(short)
        return f"{self.modules[module]}.{short}({', '.join(args)})" if module else f"{name}({', '.join(args)})"

    def _op_at(self, op: Op) -> str:
        array, *places = self._all(op)
        return f"{array}[{', '.join(places)}]" if places else f"{array}[()]"

    def _op_real(self, op: Op) -> str:
        return f"real({self.bound(op.args[0], 0)})"

    def lines(self, statement: Any, indent: str = "") -> list[str]:
        """The lines of a statement."""
        match statement:
            case Let(name, value):
                line = f"{name} = {self.bound(value, 0)}"
            case Store(target, value):
                line = f"{self.bound(target, 0)} = {self.bound(value, 0)}"
            case Gather(op, target, value):
                line = self._template(UPDATES[op]).format(self.bound(target, 0), self.bound(value, 0))
            case Each(letter, length, body, shared):
                head = f"{indent}for {letter} in range({'start, stop' if shared else length}):"
                return [head, *(line for inner in body for line in self.lines(inner, indent + INDENT))]
        text = str(statement.note) if self.noted else ""
        note = [f"{indent}# {text}"] if 0 < len(text) <= LONGEST_NOTE else []
        return [*note, *wrapped(line, indent, IN_BODY)]


def kernel_lines(kernel: Kernel, printer: KernelPrinter) -> list[str]:
    """The body of a kernel."""
    np_, n = printer.modules["np"], kernel.shared
    lines = [f"real = {kernel.like}.dtype.type"] if kernel.like else []
    lines += [f"{length} = {array}.shape[{place}]" for length, array, place in kernel.lengths]
    lines += [f"blocks = min({n}, BLOCKS)", "for block in prange(blocks):"]
    # places without a sign: numba then need not ask whether an index counts from the end, and loops vectorise
    inner = [f"start, stop = {np_}.uint64(block * {n} // blocks), {np_}.uint64((block + 1) * {n} // blocks)"]
    for scratch in kernel.scratch:
        shape = ", ".join(scratch.lengths)
        kind = f"{kernel.like}.dtype" if scratch.kind == "real" else f"{np_}.bool_"
        made = "zeros" if scratch.summed else "empty"
        inner.append(f"{scratch.name} = {np_}.{made}({shape if len(scratch.lengths) == 1 else f'({shape})'}, {kind})")
    inner += [line for part in kernel.body for line in printer.lines(part)]
    return [*lines, *(INDENT + line for line in inner)]


def kernels(program: Program) -> list[Kernel]:
    """The kernels of a program, in order."""
    return [kernel for function in program.functions for kernel in _called(function.body)]


def _called(body: Sequence[Statement]) -> Iterator[Kernel]:
    for statement in body:
        value = getattr(statement, "value", None)
        if isinstance(value, Op) and value.name == "kernel":
            yield value.attr
        yield from _called(getattr(statement, "body", ()))


def kernel_printer(program: Program, noted: bool = True) -> KernelPrinter:
    """A printer for kernels: modules are called as in the functions that call them."""
    return KernelPrinter(printer_for(program).modules, noted)


def made(kernel: Kernel, program: Program) -> Callable[..., Any]:
    """The kernel as it is printed, by `sympy.lambdify`; numba compiles it when it is first called."""
    printer = kernel_printer(program, noted=False)
    first, *rest = kernel_lines(kernel, printer)
    target, _, value = first.partition(" = ")
    pairs = [(Printed(target), Printed(f"\n{INDENT}".join([value, *rest])))]
    scope = {printer.modules["np"]: np, printer.modules["math"]: math, "prange": numba.prange, "BLOCKS": BLOCKS}
    scope |= {name: getattr(fused_math, name) for name in ("fused_exp", "fused_tanh", "fused_erf", "fused_erfc")}
    plain = lambdify(
        [Symbol(name) for name in kernel.parameters],
        Var("None"),
        modules=[scope],
        printer=printer,
        use_imps=False,
        cse=lambda result: (pairs, result),
        docstring_limit=0,
    )
    return numba.njit(**OPTIONS)(plain)


# The standalone module


@cache
def _definitions() -> dict[str, tuple[str, frozenset[str]]]:
    """The functions of `fused_math` as text, and the names that each mentions."""
    source = inspect.getsource(fused_math)
    lines = source.splitlines()
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            start = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
            names = frozenset(part.id for part in ast.walk(node) if isinstance(part, ast.Name))
            found[node.name] = ("\n".join(lines[start : node.end_lineno]), names)
    return found


def _brought(used: set[str]) -> list[str]:
    """The functions that kernels call, with what these need, in the order of `fused_math`."""
    every, needed = _definitions(), set[str]()
    waiting = [name for name in used if name in every]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            called = [other for other, (_, names) in every.items() if name in names and other.endswith("_of")]
            waiting += [*(every[name][1] & every.keys()), *called]
    return [text for name, (text, _) in every.items() if name in needed]


def emit(program: Program, example: selfcheck.Example | None = None) -> str:
    """The program as a module that needs NumPy and numba (and SciPy, where its header says so)."""
    inner = kernel_printer(program)
    texts = []
    for kernel in kernels(program):
        head = wrapped(f"def {kernel.name}({', '.join(kernel.parameters)}):")
        body = [f"{INDENT}{line}" for line in kernel_lines(kernel, inner)]
        texts.append("\n".join(["@njit(**OPTIONS)", *head, *body]))
    brought = _brought(inner.helpers)
    imports = ["from numba import njit, prange"]
    settings = [(BLOCKS_NOTE, "BLOCKS", str(BLOCKS)), (FAST_NOTE, "OPTIONS", _options(OPTIONS))]
    if brought:
        imports = ["import numba", *imports, "from numba.extending import overload"]
        settings.append((STRICT_NOTE, "STRICT", _options(fused_math.STRICT)))
    constants = "".join(f"# {note}\n{name} = {value}\n" for note, name, value in settings)
    printer = printer_for(program, kind=NumbaPrinter)
    for short in ("np", "math"):
        brought = [re.sub(rf"\b{short}\.", f"{printer.modules[short]}.", text) for text in brought]
    if any(f"{printer.modules['math']}." in text for text in (*texts, *brought)):
        printer.used.add("math")
    if not texts:
        return emitted(program, example, printer)
    return emitted(program, example, printer, imports, constants, [*texts, *brought])


def _options(options: Mapping[str, Any]) -> str:
    """The options of a compiler, as a literal whose sets are in order."""
    return listed("{", [f'"{name}": {_option(value)}' for name, value in options.items()], "}")


def _option(value: Any) -> str:
    return listed("{", [f'"{one}"' for one in sorted(value)], "}") if isinstance(value, set) else literal(value)


class NumbaModule(Module):
    """Code of a formula with fused kernels; the same methods as any module."""

    def text(self, example: selfcheck.Example | None = None) -> str:
        """The source; with an example, running it compares the gradients with differences there."""
        return emit(self.program, example)

    @cached_property
    def _kernels(self) -> dict[str, Any]:
        return {kernel.name: made(kernel, self.program) for kernel in kernels(self.program)}

    def _made(self, function: Function) -> Callable[..., Any]:
        if function.name not in self._compiled:
            printer = printer_for(self.program, noted=False, kind=NumbaPrinter)
            scope = {"BLOCKS": BLOCKS, **self._kernels}
            self._compiled[function.name] = compiled(function, self.program, printer, scope)
        return self._compiled[function.name]
