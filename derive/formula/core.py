"""`@formula`: a Python body becomes a frozen Formula, and the registry knows it by name."""

from __future__ import annotations

import inspect
import itertools
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import sympy
from sympy import Expr

from derive.axes import (
    Axis,
    BoolEntry,
    DeriveError,
    Entry,
    NameProblem,
    Scalar,
    ShapeError,
    Size,
    Tensor,
    TensorType,
    Where,
    did_you_mean,
    free_axes,
    scalar,
)

from .instance import elementwise, instantiate
from .signature import Outputs, Parameter, annotations_of, outputs_of, parameters_of
from .trace import CURRENT, Traced, Tracing, hyper, told_apart

MOST_VARIANTS = 12


@dataclass(frozen=True, repr=False)
class Formula:
    """A layer, loss or function as mathematics. `trace(**static)` gives its body as data."""

    name: str
    doc: str
    parameters: tuple[Parameter, ...]
    kind: str
    source: str
    tracer: Callable[[Mapping[str, Any]], Traced] = field(repr=False)
    _traces: dict[Any, Traced] = field(default_factory=dict, repr=False, compare=False)
    # What Jupyter shows, as "latex" or "html": the package puts its printers here, of which this room knows nothing.
    display: ClassVar[Callable[[Formula, str], str | None]] = lambda f, form: None

    def __repr__(self) -> str:
        inputs = ", ".join(f"{p.name}: {p.type or p.kind}" for p in self.parameters)
        return f"<formula {self.name}({inputs})>"

    def _repr_latex_(self) -> str | None:
        return type(self).display(self, "latex")

    def _repr_html_(self) -> str | None:
        return type(self).display(self, "html")

    @property
    def summary(self) -> str:
        return self.doc.strip().splitlines()[0] if self.doc.strip() else ""

    @property
    def tensors(self) -> tuple[Parameter, ...]:
        return tuple(p for p in self.parameters if p.kind == "tensor")

    def static(self, **given: Any) -> dict[str, Any]:
        """Static choices with defaults filled in: static parameters, and which optional inputs are present."""
        allowed = {p.name: p for p in self.parameters if p.kind == "static" or (p.type and p.type.optional)}
        chosen = {name: (p.default if p.kind == "static" else False) for name, p in allowed.items()}
        for name, value in given.items():
            if name not in allowed:
                raise NameProblem(f"{self.name}: unknown static parameter {name!r}{did_you_mean(name, allowed)}")
            choices = allowed[name].choices or (True, False)
            if value not in choices:
                raise DeriveError(f"{self.name}: {name} is one of {choices}, given {value!r}")
            chosen[name] = value
        for name, value in chosen.items():
            if value is inspect.Parameter.empty:
                chosen[name] = allowed[name].choices[0]
        return chosen

    def variants(self) -> tuple[dict[str, Any], ...]:
        """Every combination of static choices, at most twelve."""
        chosen = self.static()
        options = [p.choices or (False, True) for p in self.parameters if p.name in chosen]
        names = [p.name for p in self.parameters if p.name in chosen]
        return tuple(
            dict(zip(names, c, strict=True)) for c in itertools.islice(itertools.product(*options), MOST_VARIANTS)
        )

    def trace(self, **static: Any) -> Traced:
        """The body, traced once for each value of the static parameters."""
        chosen = self.static(**static)
        key = tuple(sorted(chosen.items(), key=repr))
        if key not in self._traces:
            self._traces[key] = self.tracer(chosen)
        return self._traces[key]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Inside another formula: tensors in, a tensor over the output's letters out, to be used indexed."""
        given = self._bound(args, kwargs)
        optional = {p.name: p.name in given for p in self.tensors if p.type and p.type.optional}
        static = {p.name: given[p.name] for p in self.parameters if p.kind == "static" and p.name in given}
        traced = self.trace(**static, **optional)
        tensors = {t.name: given[t.name] for t in traced.inputs}
        for name, value in tensors.items():
            if not isinstance(value, (Tensor, Expr, int, float)):
                raise DeriveError(
                    f"call of {self.name}: input {name}: expected a tensor or an expression inside a formula, given "
                    f"{type(value).__name__}; for arrays use derive.to_numpy({self.name}).forward(...)"
                )
        scalars = {p.name: given.get(p.name, p.default) for p in self.parameters if p.kind == "scalar"}
        scalars = {name: value for name, value in scalars.items() if value is not inspect.Parameter.empty}
        if traced.elementwise:
            return elementwise(traced, tensors, scalars)
        sizes = {p.name: given[p.name] for p in self.parameters if p.kind == "size" and p.name in given}
        made = instantiate(traced, tensors, scalars, sizes)
        if (tracing := CURRENT.get()) is not None:
            tracing.assumptions.extend(made.assumptions)
        return made.outputs[0] if len(made.outputs) == 1 else made.outputs

    def batched(self, letter: Axis, *, parameters: tuple[str, ...] | None = None) -> Formula:
        """The formula with a leading axis on each input but its parameters (w, b, beta, …), and on each output."""
        from .batch import batched

        return batched(self, letter, parameters=parameters)

    def fixed(self, **given: Any) -> Formula:
        """The formula with static parameters, optional inputs, scalars, sizes or lengths fixed: `f.fixed(B=4)`."""
        from .fixed import fixed

        return fixed(self, given)

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        names = [p.name for p in self.parameters]
        if len(args) > len(names):
            raise DeriveError(f"call of {self.name}: expected at most {len(names)} arguments, given {len(args)}")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        for name in kwargs:
            if name not in names:
                raise NameProblem(f"call of {self.name}: unknown input {name!r}{did_you_mean(name, names)}")
        for parameter in self.tensors:
            if parameter.required and parameter.name not in given:
                raise DeriveError(f"call of {self.name}: input {parameter.name}: expected {parameter.type}, given none")
        return {name: value for name, value in given.items() if value is not None}


CATALOGUE: dict[str, Formula] = {}  # what `formulas` defines
REGISTRY: dict[str, Formula] = {}  # what users define; a name of the catalogue may be used again


def register(new: Formula) -> Formula:
    """Enter a formula under its name; the same name from the same file (a notebook cell) replaces."""
    table = REGISTRY if new.kind == "user" else CATALOGUE
    old = table.get(new.name)
    if old is not None and old.source != new.source and "__main__" not in (new.source, old.source):
        raise NameProblem(f"formula {new.name} is already defined in {old.source}; given again in {new.source}")
    table[new.name] = new
    return new


def kind_of(module: str) -> str:
    """The chapter of a formula: the module of `formulas` that defines it, else "user"."""
    return module.rsplit(".", 1)[-1] if module.split(".")[0] == "formulas" else "user"


def formula(function: Any = None, *, name: str | None = None) -> Any:
    """`@formula` turns an annotated Python function into a Formula.

    The body returns one scalar expression over the output's letters (a tuple for several outputs). Raises ShapeError,
    NameProblem or DeriveError, naming the formula, at definition.
    """
    if function is None:
        frame = sys._getframe(1).f_locals
        return lambda body: register(build(body, name or body.__name__, frame))
    return register(build(function, name or function.__name__, sys._getframe(1).f_locals))


def build(function: Callable[..., Any], name: str, frame_locals: Mapping[str, Any]) -> Formula:
    """The Formula of an annotated function, traced once, not yet registered."""
    hints = annotations_of(function, frame_locals)
    parameters = parameters_of(function, hints)
    declared = outputs_of(hints.get("return"), f"formula {name}")
    module = function.__module__
    made = Formula(
        name,
        inspect.getdoc(function) or "",
        parameters,
        kind_of(module),
        "__main__" if module == "__main__" else inspect.getsourcefile(function) or module,
        lambda static: _trace(function, name, parameters, declared, static),
    )
    traced = made.trace()  # a wrong index is an error here, where it was written
    known = {p.name for p in parameters}
    more = tuple(
        Parameter(s.name, "size", default=inspect.Parameter.empty if s.default is None else s.default)
        for s in traced.sizes if s.name not in known
    )  # fmt: skip
    return replace(made, parameters=(*parameters, *more)) if more else made


def _trace(
    function: Callable[..., Any],
    name: str,
    parameters: tuple[Parameter, ...],
    declared: Outputs | dict[Any, Any],
    static: Mapping[str, Any],
) -> Traced:
    shapes = _shapes(name, declared, static)
    arguments = _arguments(parameters, static, shapes)
    any_shape = any(t.any_shape for t in shapes)
    inputs = tuple(a for a in arguments.values() if isinstance(a, Tensor))
    letters = dict.fromkeys([a for t in inputs for a in t.axes] + [a for shape in shapes for a in shape.axes])
    tracing = Tracing(name, tuple(letters), dict.fromkeys(arguments))
    given = {n: a[()] if any_shape and isinstance(a, Tensor) else a for n, a in arguments.items()}
    token = CURRENT.set(tracing)
    try:
        with sympy.evaluate(False):
            values = function(**given)
            bodies = [_body(value, name) for value in (values if isinstance(values, tuple) else (values,))]
    except DeriveError as problem:
        prefix = f"formula {name}: "
        raise type(problem)(str(problem) if str(problem).startswith(prefix) else prefix + str(problem)) from None
    except (TypeError, ValueError, ArithmeticError, AttributeError, LookupError) as problem:
        raise DeriveError(f"formula {name}: {type(problem).__name__}: {problem}{_hint(str(problem))}") from problem
    finally:
        CURRENT.reset(token)
    outputs = _outputs(name, shapes, bodies, tracing.names)
    return Traced(
        name,
        inputs,
        tuple(a for a in arguments.values() if isinstance(a, Scalar)),
        hyper(inputs, outputs, tuple(a for a in arguments.values() if isinstance(a, Size))),
        told_apart(outputs, set(arguments)),
        tuple(dict.fromkeys(tracing.assumptions)),
        any_shape,
    )


# What Python says when its own operations meet symbols, and what to write instead.
HINTS = {
    "truth value": "; write where(condition, a, b), maximum or minimum instead of if, max, min, and, or",
    "ufunc": "; write derive's own functions (derive.exp, derive.sqrt, …) instead of NumPy's or math's",
    "Cannot convert expression to float": "; write derive's own functions instead of math's",
    "not iterable": "; write entries x[b, i] and reduce over axes with sum_over",
}


def _hint(problem: str) -> str:
    return next((hint for words, hint in HINTS.items() if words in problem), "")


def _shapes(name: str, declared: Outputs | dict[Any, Any], static: Mapping[str, Any]) -> Outputs:
    """The output's shapes for these static choices."""
    while isinstance(declared, dict):
        choice = next((v for v in static.values() if v in declared), None)
        if choice is None:
            raise DeriveError(f"formula {name}: no return shape for {dict(static)}, declared for {list(declared)}")
        declared = declared[choice]
    return declared


def _arguments(parameters: tuple[Parameter, ...], static: Mapping[str, Any], declared: Outputs) -> dict[str, Any]:
    """What the body is called with: tensors, symbols, static values, None for an absent input."""
    arguments: dict[str, Any] = {}
    for p in parameters:
        default = None if p.required else p.default
        if p.type is not None:
            absent = p.type.optional and not static[p.name]
            arguments[p.name] = None if absent else _input(p.name, p.type)
        elif p.kind == "static":
            arguments[p.name] = static[p.name]
        else:
            known = _sizes_by_name(parameters, declared).get(p.name)
            least = known.min if known is not None else 0 if default == 0 else 1
            made = Scalar(p.name, default) if p.kind == "scalar" else Size(p.name, min=least).with_default(default)
            arguments[p.name] = made
    return arguments


def _sizes_by_name(parameters: Iterable[Parameter], declared: Outputs) -> dict[str, Size]:
    """The sizes in the declared lengths."""
    types = [*(p.type for p in parameters if p.type is not None), *declared]
    return {s.name: s for t in types for a in t.axes for s in a.size.atoms(Size)}


def _input(name: str, declared: TensorType) -> Tensor:
    return Tensor(name, declared.axes, dtype=declared.dtype, bound=declared.bound)


def _body(value: Any, name: str) -> Expr:
    if value is None:
        raise DeriveError("the body returns nothing: expected a scalar expression over the output's letters")
    body = scalar(value, "return")
    stack: list[Any] = [body]
    while stack:  # SymPy's functions take any object: exp(x) of an unindexed tensor comes this far
        node = stack.pop()
        if isinstance(node, Tensor):
            raise ShapeError(f"tensor {node.name} is used without its indices: write {node.declared()}")
        if isinstance(node, Where) and node.args[2] in (sympy.oo, -sympy.oo):  # no entry: what a masked maximum skips
            stack.extend(node.args[:2])
            continue
        if node in (sympy.nan, sympy.zoo, sympy.oo, -sympy.oo, sympy.I):
            raise DeriveError(f"{node} is no real number: expected a finite real expression")
        if isinstance(node, sympy.Symbol) and not isinstance(node, (Axis, Size, Scalar)):
            raise DeriveError(f"unbound symbol {node}: expected inputs, axes, and parameters declared Scalar or Size")
        stack.extend(node.args[1:] if isinstance(node, (Entry, BoolEntry)) else node.args)
    return body


def _outputs(name: str, declared: Outputs, bodies: list[Expr], names: Mapping[str, Any]) -> tuple[Tensor, ...]:
    where = f"formula {name}"
    if len(bodies) != len(declared):
        raise ShapeError(f"{where}: expected {len(declared)} outputs as declared, given {len(bodies)}")
    single = "L" if not declared[0].axes and not declared[0].any_shape and "L" not in names else "y"
    stem = single if single not in names else "out"
    labels = [stem] if len(declared) == 1 else [f"{stem}_{k + 1}" for k in range(len(declared))]
    for shape, body in zip(declared, bodies, strict=True):
        unbound = [a for a in free_axes(body) if a not in shape.axes]
        if unbound:
            letters = ", ".join(a.name for a in unbound)
            raise ShapeError(f"{where}: unbound letter {letters}: expected only the output's letters {shape}; "
                             f"reduce over it (sum_over) or declare it")  # fmt: skip
    return tuple(
        Tensor(label, shape.axes, body=body, role="output")
        for label, shape, body in zip(labels, declared, bodies, strict=True)
    )
