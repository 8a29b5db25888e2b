"""A program ready to run: source, and forward, backward, value_and_grad as callables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from traceback import extract_tb
from typing import Any, NoReturn

import numpy as np

from derive.lower import DeriveError, Function, NameProblem, Program, ShapeError, did_you_mean

from . import matrices, runtime
from .numpy import compiled, emit, printer_for
from .selfcheck import Example

GENERATED = "<lambdifygenerated"  # how SymPy calls the files of its functions


class Module:
    """NumPy code of a formula. Inputs and parameters are keywords; inputs are never written to."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._inputs = tuple(a.name for a in program.inputs)
        self._declared = tuple(a.declared for a in program.inputs)
        self._names = frozenset((*self._inputs, *(name for name, _ in program.parameters)))
        self._compiled: dict[str, Callable[..., Any]] = {}
        self._least = dict(zip(program.sizes, program.least, strict=True))
        defaults = [default for _, default in program.parameters]
        self._defaults = None if None in defaults else defaults
        self._accepted: list[Any] = []  # classes, shapes and dtypes of the last call: known to be good
        self._outputs = len(program.outputs)

    @cached_property
    def source(self) -> str:
        """A standalone module: the text of what the methods run."""
        return self.text()

    def text(self, example: Example | None = None) -> str:
        """The source; with an example, running it compares the gradients with differences there."""
        return emit(self.program, example)

    def forward(self, **given: Any) -> tuple[Any, Any]:
        """The output (a tuple of several), and what backward needs."""
        arguments = self._arguments(given)
        try:
            made: tuple[Any, Any] = (self._compiled.get("forward") or self._function("forward"))(*arguments)
        except ValueError as problem:  # a length, an index or a matrix that does not fit
            raise self._refused(problem) from None
        return made

    def backward(self, g: Any = None, saved: Any = None) -> dict[str, Any]:
        """The gradient of each input, for the upstream gradient g: 1 if left out for a scalar output."""
        if saved is None:
            raise DeriveError(f"{self.program.name}.backward: expected what forward saved, as in backward(g, saved)")
        function = self._compiled.get("backward") or self._function("backward")
        last = saved[-1]
        if type(g) is not np.ndarray or (g.shape, g.dtype) != last or not last[0] or self._outputs > 1:
            try:
                g = runtime.upstream(self.program.name, g, saved[-self._outputs :])
            except (TypeError, ValueError) as problem:
                raise ShapeError(str(problem)) from None
        try:
            gradients: dict[str, Any] = function(g, saved)
        except np.linalg.LinAlgError as problem:
            raise self._refused(problem) from None
        return gradients

    def value_and_grad(self, **given: Any) -> tuple[Any, dict[str, Any]]:
        """The value and the gradients in one go; for a formula with one scalar output."""
        function, arguments = self._function("value_and_grad"), self._arguments(given)
        try:
            made: tuple[Any, dict[str, Any]] = function(*arguments)
        except ValueError as problem:
            raise self._refused(problem) from None
        return made

    def _refused(self, problem: ValueError) -> Exception:
        """What to raise for it: of a matrix that LAPACK refuses, the statement where it was refused."""
        if not isinstance(problem, np.linalg.LinAlgError):
            return ShapeError(str(problem))
        said = matrices.REFUSED.get(str(problem), str(problem))
        lines = [str(frame.line) for frame in extract_tb(problem.__traceback__) if frame.filename.startswith(GENERATED)]
        return np.linalg.LinAlgError(": ".join((self.program.name, *lines[:1], said)))

    def compiled(self, name: str) -> Callable[..., Any]:
        """The function that `sympy.lambdify` made, without checks; arguments by position."""
        return self._function(name)

    def _function(self, name: str) -> Callable[..., Any]:
        found = self._compiled.get(name) or next((f for f in self.program.functions if f.name == name), None)
        if found is None:
            known = ", ".join(f.name for f in self.program.functions)
            raise DeriveError(f"{self.program.name}: there is no {name}; this module has {known}")
        return self._made(found) if isinstance(found, Function) else found

    def _made(self, function: Function) -> Callable[..., Any]:
        if function.name not in self._compiled:
            self._compiled[function.name] = compiled(function, self.program, printer_for(self.program, noted=False))
        return self._compiled[function.name]

    def _arguments(self, given: Mapping[str, Any]) -> list[Any]:
        """Checked arrays, then parameters, in the order of the functions.

        Arrays like those of the last call pass in one plain loop: between passes over large arrays the processor's
        caches hold little of Python, and whatever else runs here costs several times what it costs alone.
        """
        arrays: list[Any] = []
        kinds: list[Any] = []
        try:
            for name in self._inputs:
                array = given[name]
                arrays.append(array)
                kinds += type(array), array.shape, array.dtype
        except (KeyError, AttributeError):  # missing, or a number
            return self._checked(given)
        if kinds != self._accepted or len(given) > len(arrays) or self._defaults is None:
            return self._checked(given, kinds == self._accepted)
        arrays += self._defaults
        return arrays

    def _checked(self, given: Mapping[str, Any], known: bool = False) -> list[Any]:
        """The same for any arguments; raises what is wrong with them. `known`: the arrays are good."""
        if not self._names >= given.keys() or any(name not in given for name in self._inputs):
            self._refuse(given)
        arrays = [given[name] for name in self._inputs]
        if not known:
            try:
                found = runtime.checked(self.program.name, self._declared, arrays)
            except (TypeError, ValueError) as problem:
                raise ShapeError(str(problem)) from None
            if all(type(array) is np.ndarray for array in arrays):
                self._accepted = [kind for array in arrays for kind in (type(array), array.shape, array.dtype)]
            arrays = found
        return arrays + self._parameters(given)

    def _refuse(self, given: Mapping[str, Any]) -> NoReturn:
        """The error for inputs that are unknown or missing."""
        name = self.program.name
        for word in given:
            if word not in self._names:
                raise NameProblem(f"{name}: unknown input {word!r}{did_you_mean(word, sorted(self._names))}")
        missing = next(word for word in self._inputs if word not in given)
        raise DeriveError(f"{name}: input {missing} is missing: expected {', '.join(self._inputs)}")

    def _parameters(self, given: Mapping[str, Any]) -> list[Any]:
        """Scalars and sizes, in order; those made of others where they are not given."""
        derived = dict(self.program.derived)
        found = {n: self._parameter(n, d, given) for n, d in self.program.parameters if n not in derived}
        for name, code in derived.items():
            value = given.get(name)
            if value is None:
                function = Function(f"{name} by default", self.program.sizes, (), code)
                value = self._made(function)(*(found.get(size) for size in self.program.sizes))
            found[name] = self._parameter(name, None, {name: value})
        return [found[name] for name, _ in self.program.parameters]

    def _parameter(self, name: str, default: Any, given: Mapping[str, Any]) -> Any:
        value = given.get(name, default)
        if value is None:
            raise DeriveError(f"{self.program.name}: parameter {name} is missing: it has no default")
        if name in self.program.sizes:
            try:
                return runtime.whole(self.program.name, name, value, self._least[name])
            except ValueError as problem:
                raise DeriveError(str(problem)) from None
        try:
            return float(value)
        except (TypeError, ValueError):
            raise DeriveError(f"{self.program.name}: parameter {name}: expected a number, given {value!r}") from None
