"""The Python array API standard (2024.12): an array program as a module for any library that follows it.

The program is lowered `straight`: each statement names the value of pure operations, so the module also runs lazily and
under jax.jit. What the standard lacks comes as helpers (`standard`), which the module brings along as text.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from sympy import Symbol, lambdify

from derive.lower import Code, DeriveError, Function, Num, Op, Program, ShapeError, Unsupported, Var

from . import runtime, standard, standard_matrices
from .layout import INDENT, listed, wrapped
from .matrices import OF_MATRICES
from .module import Module
from .numpy import Printed, body_lines, declared, header, paragraphs, parameters, signature
from .operations import ATOM, OPERATIONS, POWER, SIGN, SUM, Row
from .printer import IN_BODY, NumpyPrinter

ARRAYS = {  # helpers on arrays: the library is their first argument
    helper.__name__: helper
    for helper in (
        standard.padded, standard.windows, standard.gathered, standard.scattered, standard.overlapped,
        standard.firsts, standard.selected, standard.products, standard.contracted, standard.erf, standard.erfc,
        *standard_matrices.HELPERS,
    )
}  # fmt: skip
PLAIN = {
    helper.__name__: helper
    for helper in (
        standard.namespace, standard.device_of, standard.checked, standard.upstream, standard.indices,
        runtime.whole, runtime.refused, runtime.length, runtime.quotient,
        standard.number, standard.places, standard.ratio, standard.erf_near, standard.erfc_far,
    )
}  # fmt: skip
HELPERS: dict[str, Callable[..., Any]] = PLAIN | ARRAYS
NAMES = {"every": "all", "absolute": "abs", "power": "pow", "arctan2": "atan2"} | {
    f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")
}
ROWS: dict[str, Row] = {
    **OPERATIONS,
    "len": Row("{0}.shape[0]", ATOM, (ATOM,)),
    "mT": Row("np.matrix_transpose({0})"),
    "vdot": Row("np.sum({0} * {1})", ATOM, (SIGN,)),
    "exp2": Row("2.0**{0}", POWER, (SIGN,)),
    "cast": Row("np.astype({0}, dtype)"),
    "copy": Row("np.asarray({0}, copy=True)"),
    "copied": Row("np.asarray({0}, copy=True)"),
    "template": Row("{0}", ATOM, (ATOM,)),
    "widened": Row("{0}", ATOM, (ATOM,)),
    "flag": Row("np.asarray({0}, device=device)"),
}
LIBRARY = """\
try:
    import array_api_compat
except ImportError:  # then arrays must name their library themselves
    array_api_compat = None"""
NOTE = "Arrays of any library of the Python array API standard (2024.12): PyTorch, JAX, Dask, CuPy, NumPy, …"


class StandardPrinter(NumpyPrinter):
    """Prints a straight array program. `modules` are the names of the library and of what a module brings along."""

    library = "array API standard"
    by_bits = False
    rows: Mapping[str, Row] = ROWS

    def text(self, code: Code) -> tuple[str, int]:
        """An expression and how tightly it binds."""
        if not (isinstance(code, Op) and code.name == "full"):
            return super().text(code)
        *lengths, value = code.args  # a number, or an array that is repeated
        shape = self._shape([self.bound(n, 0) for n in lengths])
        if isinstance(value, Num):
            return self._made("full", [shape, self.bound(value, 0), "dtype=dtype"]), ATOM
        return f"{self.bound(value, SUM)} + {self._made('zeros', [shape, 'dtype=dtype'])}", SUM

    def _call(self, op: str, args: Sequence[str]) -> str:
        module, _, name = op.rpartition(".")
        if module == "special":
            if name not in ARRAYS:
                raise Unsupported(f"{self.library}: the function {name} is not part of it")
            return self.helper(name, args)
        return super()._call(op if module else NAMES.get(op, op), args)

    def _made(self, name: str, args: Sequence[str]) -> str:
        """The call of a function that makes an array out of nothing."""
        return self._call(name, [*args, f"device={self.modules['device']}"])

    def helper(self, name: str, args: Sequence[str]) -> str:
        """A call of a function that the emitted module brings along; those on arrays are told the library."""
        if name in OF_MATRICES and name not in ARRAYS:
            raise Unsupported(f"{self.library}: it has no {name.replace('_', ' ')} of a matrix")
        return super().helper(name, [self.modules["np"], *args] if name in ARRAYS else args)

    # Arrays made from nothing

    def _op_ones(self, op: Op) -> str:
        return self._made("ones", [self._shape(self._all(op)), "dtype=dtype"])

    def _op_eye(self, op: Op) -> str:
        return self._made("eye", [*self._all(op), "dtype=dtype"])

    def _op_arange(self, op: Op) -> str:
        return self._made("arange", self._all(op))

    def _op_typed(self, op: Op) -> str:
        return self._made("asarray", [*self._all(op), "dtype=dtype"])

    def _op_float64(self, op: Op) -> str:
        return f"{self._made('asarray', ['0.0'])}.dtype"

    def _op_infinity(self, op: Op) -> str:
        self.used.add("math")
        return f"{'-' if op.attr < 0 else ''}{self.modules['math']}.inf"

    def _shape(self, lengths: Sequence[str]) -> str:
        return listed("(", lengths, ")")

    # Reductions and contractions

    def _op_sum(self, op: Op) -> str:
        axis = [f"axis={op.attr[0] if len(op.attr) == 1 else op.attr}"] if op.attr else []
        return self._call(op.name, [*self._all(op), *axis])

    _op_max = _op_min = _op_prod = _op_any = _op_every = _op_sum

    def _op_cumsum(self, op: Op) -> str:
        axis, backwards = op.attr
        (array,) = self._all(op)
        turned = self._call("flip", [array, f"axis={axis}"]) if backwards else array
        made = self._call("cumulative_sum", [turned, f"axis={axis}"])
        return self._call("flip", [made, f"axis={axis}"]) if backwards else made

    def _op_concatenate(self, op: Op) -> str:
        return self._call("concat", [listed("(", self._all(op), ")"), f"axis={op.attr}"])

    def _op_tensordot(self, op: Op) -> str:
        return self._call("tensordot", [*self._all(op), f"axes={op.attr}"])

    def _op_einsum(self, op: Op) -> str:
        return self.helper("contracted", [f'"{op.attr}"', *self._all(op)])

    def _op_diagonal(self, op: Op) -> str:
        return self.helper("contracted", ['"aa->a"', *self._all(op)])

    def _op_place(self, op: Op) -> str:
        return self._call(op.attr, [*self._all(op), "axis=-1"])

    def _op_folded(self, op: Op) -> str:
        name, count = op.attr
        return self._op_sum(Op(name, op.args, tuple(range(count))))

    def _op_weighted(self, op: Op) -> str:
        return self._op_sum(Op("sum", (Op("multiply", op.args),), tuple(range(op.attr))))

    def _op_correlated(self, op: Op) -> str:
        (spec, count), taps = op.attr, "ABCDEFGH"
        words, result = spec.split("->")
        return self.helper("contracted", [f'"{taps[:count]}{words}->{taps[:count]}{result}"', *self._all(op)])

    def _op_products(self, op: Op) -> str:
        loop, inner, total = op.attr
        named = [f"loop={loop}", f"inner={inner}", *(["total=True"] if total else [])]
        return self.helper("products", [*self._all(op), *named])

    # Views, windows and gathers

    def _op_item(self, op: Op) -> str:
        if op.args[0] == Var("template"):
            return f"template.{('shape', 'dtype')[op.attr]}"
        return super()._op_item(op)

    def _op_transpose(self, op: Op) -> str:
        return self._call("permute_dims", [*self._all(op), str(op.attr)])

    def _op_reshape(self, op: Op) -> str:
        array, shape = self._all(op)
        return self._call("reshape", [array, "(-1,)" if shape == "-1" else shape])

    def _op_sliced(self, op: Op) -> str:
        """Slices of each axis; of negative steps the standard knows flip, which every library has."""
        array, *slices = op.args
        if op.attr == "gathered":
            places = ["None" if part == Op("slice") else self.bound(part, 0) for part in slices]
            return self.helper("gathered", [self.bound(array, 0), *places])
        text, texts = self.bound(array, ATOM), []
        for axis, part in enumerate(slices):
            texts.append(self.bound(part, 0))
            if texts[-1] == "::-1":
                text, texts[-1] = self._call("flip", [text, f"axis={axis}"]), ":"
        return text if set(texts) == {":"} else f"{text}[{', '.join(texts)}]"

    def _op_padded(self, op: Op) -> str:
        fill, _ = op.attr
        named = [] if fill == 0 else [f"fill={self._op_infinity(Op('infinity', (), fill))}"]
        return self.helper("padded", [*self._all(op), *named])


def printer_for(program: Program, noted: bool = True) -> StandardPrinter:
    """A printer whose names do not clash with those of the program's inputs and parameters."""
    given = {a.name for a in program.inputs} | {name for name, _ in program.parameters} | set(program.upstreams)
    names = {"np": "xp", "math": "math", "device": "device"} | {name: name for name in HELPERS}
    for word, name in names.items():
        while names[word] in given:
            names[word] = f"{name}_"
            name = names[word]
    return StandardPrinter(names, noted)


def _opening(function: Function, program: Program, printer: StandardPrinter, body: str) -> list[str]:
    """The lines before the body: checks, and what it needs of the library and of the place of the arrays."""
    name = printer.modules
    if function.name == "backward":
        g, outputs = function.parameters[0], f"saved[{-len(program.outputs)}:]"
        found, first = [f"{g} = {name['upstream']}(NAME, {g}, {outputs})"], "saved[-1]"
    else:
        given, first = listed("(", [a.name for a in program.inputs], ")"), program.inputs[0].name
        target = given if len(program.inputs) == 1 else given[1:-1]
        found = wrapped(f"{target} = {name['checked']}(NAME, INPUTS, {given})", width=IN_BODY)
        found += parameters(program, printer)
    if re.search(rf"\b{name['np']}\b", body):
        found.append(f"{name['np']} = {name['namespace']}({first})")
    if f"device={name['device']}" in body:
        found.append(f"{name['device']} = {name['device_of']}({first})")
    return found


def _refuse(program: Program) -> None:
    if not program.inputs:
        raise Unsupported(f"{program.name}: it has no input, whose library the code could be for")


def compiled(function: Function, program: Program, printer: StandardPrinter) -> Callable[..., Any]:
    """The function as it is printed, by `sympy.lambdify`; arguments by position."""
    _refuse(program)
    inputs = tuple(array.declared for array in program.inputs)
    scope: dict[str, Any] = {"NAME": program.name, "INPUTS": inputs, printer.modules["math"]: math}
    scope |= {printer.modules[name]: helper for name, helper in HELPERS.items()}
    opening = _opening(function, program, printer, "\n".join(body_lines(function, printer)))
    (first, value), *rest = paragraphs(function.body, printer)
    pairs = [(Printed(f"\n{INDENT}".join([*opening, first.text])), value), *rest]
    made: Callable[..., Any] = lambdify(
        [Symbol(name) for name in function.parameters],
        function.result,
        modules=[scope],
        printer=printer,
        use_imps=False,
        cse=lambda result: (pairs, result),
        docstring_limit=0,
    )
    return made


# The standalone module


def emit(program: Program) -> str:
    """The program as a module that needs no library but that of its arrays."""
    _refuse(program)
    printer = printer_for(program)
    functions = "\n\n\n".join(_function(f, program, printer) for f in program.functions)
    helpers = "\n\n\n".join(_source(HELPERS[name], printer) for name in _needed(functions, printer))
    constants = f'NAME = "{program.name}"\n{declared(program)}'
    imports = _imports(f"{functions}\n{helpers}", printer)
    return "\n\n".join([header(program, NOTE), imports, constants, f"\n{functions}", f"\n{helpers}"]) + "\n"


def _needed(functions: str, printer: StandardPrinter) -> list[str]:
    """The helpers that the functions call, and those that these call, in the order of the table."""
    used = [name for name in HELPERS if re.search(rf"\b{printer.modules[name]}\(", functions)]
    for caller in used:
        text = inspect.getsource(HELPERS[caller])
        used += [name for name in HELPERS if name not in used and re.search(rf"\b{name}\(", text)]
    return [name for name in HELPERS if name in used]


def _source(helper: Callable[..., Any], printer: StandardPrinter) -> str:
    """The text of a helper, with the names that helpers have in this module."""
    text = inspect.getsource(helper).rstrip()
    for name in HELPERS:
        text = re.sub(rf"\b{name}\(", f"{printer.modules[name]}(", text)
    return text


def _function(function: Function, program: Program, printer: StandardPrinter) -> str:
    body = body_lines(function, printer)
    opening = _opening(function, program, printer, "\n".join(body))
    return "\n".join([signature(function, program), *(INDENT + line for line in [*opening, *body])])


def _imports(text: str, printer: StandardPrinter) -> str:
    lines, name = ["from __future__ import annotations", ""], printer.modules["math"]
    if name != "math":
        lines.append(f"import math as {name}")
    if re.search(r"\bmath\.", text):
        lines.append("import math")
    return "\n".join([*lines, "from typing import Any", "", LIBRARY])


class StandardModule(Module):
    """Code of a formula for any library of the array API standard; what the methods give is of the inputs' library.

    Inputs and parameters are keywords; inputs are never written to. `saved` holds arrays, sizes and the outputs.
    """

    @cached_property
    def source(self) -> str:
        """A standalone module: the text of what the methods run."""
        return emit(self.program)

    def backward(self, g: Any = None, saved: Any = None) -> dict[str, Any]:
        """The gradient of each input, for the upstream gradient g: 1 if left out for a scalar output."""
        if saved is None:
            raise DeriveError(f"{self.program.name}.backward: expected what forward saved, as in backward(g, saved)")
        gradients: dict[str, Any] = self._called("backward", g, saved)
        return gradients

    def forward(self, **given: Any) -> tuple[Any, Any]:
        """The output (a tuple of several), and what backward needs."""
        made: tuple[Any, Any] = self._called("forward", *self._arguments(given))
        return made

    def value_and_grad(self, **given: Any) -> tuple[Any, dict[str, Any]]:
        """The value and the gradients in one go; for a formula with one scalar output."""
        made: tuple[Any, dict[str, Any]] = self._called("value_and_grad", *self._arguments(given))
        return made

    def _called(self, name: str, *arguments: Any) -> Any:
        function = self._function(name)
        try:
            return function(*arguments)
        except (TypeError, ValueError) as problem:
            if str(problem).startswith(f"{self.program.name}: "):  # what the checks say
                raise ShapeError(str(problem)) from None
            raise

    def _made(self, function: Function) -> Callable[..., Any]:
        if function.name not in self._compiled:
            self._compiled[function.name] = compiled(function, self.program, printer_for(self.program, noted=False))
        return self._compiled[function.name]

    def _arguments(self, given: Mapping[str, Any]) -> list[Any]:
        """Arrays, then parameters, in the order of the functions, which check them."""
        if not self._names >= given.keys() or any(name not in given for name in self._inputs):
            self._refuse(given)
        derived = dict(self.program.derived)
        found = [given[name] for name in self._inputs]
        for name, default in self.program.parameters:
            value = given.get(name)
            found.append(value if value is None and name in derived else self._parameter(name, default, given))
        return found
