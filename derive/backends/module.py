"""A program ready to run: source, and forward, backward, value_and_grad as callables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NoReturn

import numpy as np

from derive.lower import DeriveError, NameProblem, Program, ShapeError, did_you_mean

from . import runtime
from .numpy import compiled, emit, printer_for


class Module:
    """NumPy code of a formula. Inputs and parameters are keywords; inputs are never written to."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._inputs = tuple(a.name for a in program.inputs)
        self._declared = tuple((a.name, a.kind, a.shape) for a in program.inputs)
        self._names = frozenset((*self._inputs, *(name for name, _ in program.parameters)))
        self._compiled: dict[str, Callable[..., Any]] = {}
        defaults = [default for _, default in program.parameters]
        self._defaults = None if None in defaults else defaults
        self._accepted: list[Any] = []  # shapes and dtypes of the last call: known to be good

    @cached_property
    def source(self) -> str:
        """A standalone module: the text of what the methods run."""
        return emit(self.program)

    def forward(self, **given: Any) -> tuple[Any, Any]:
        """The output (a tuple of several), and what backward needs."""
        made: tuple[Any, Any] = (self._compiled.get("forward") or self._function("forward"))(*self._arguments(given))
        return made

    def backward(self, g: Any = None, saved: Any = None) -> dict[str, Any]:
        """The gradient of each input, for the upstream gradient g: 1 if left out for a scalar output."""
        if saved is None:
            raise DeriveError(f"{self.program.name}.backward: expected what forward saved, as in backward(g, saved)")
        function = self._compiled.get("backward") or self._function("backward")
        last = saved[-1]
        if type(g) is not np.ndarray or (g.shape, g.dtype) != last or len(self.program.outputs) > 1 or not g.shape:
            try:
                g = runtime.upstream(self.program.name, g, saved[-len(self.program.outputs) :])
            except (TypeError, ValueError) as problem:
                raise ShapeError(str(problem)) from None
        gradients: dict[str, Any] = function(g, saved)
        return gradients

    def value_and_grad(self, **given: Any) -> tuple[Any, dict[str, Any]]:
        """The value and the gradients in one go; for a formula with one scalar output."""
        made: tuple[Any, dict[str, Any]] = self._function("value_and_grad")(*self._arguments(given))
        return made

    def compiled(self, name: str) -> Callable[..., Any]:
        """The function that `sympy.lambdify` made, without checks; arguments by position."""
        return self._function(name)

    def _function(self, name: str) -> Callable[..., Any]:
        if name not in self._compiled:
            found = next((f for f in self.program.functions if f.name == name), None)
            if found is None:
                known = ", ".join(f.name for f in self.program.functions)
                raise DeriveError(f"{self.program.name}: there is no {name}; this module has {known}")
            self._compiled[name] = compiled(found, self.program, printer_for(self.program))
        return self._compiled[name]

    def _arguments(self, given: Mapping[str, Any]) -> list[Any]:
        """Checked arrays, then parameters, in the order of the functions."""
        if not self._names >= given.keys():
            self._refuse(given)
        try:
            arrays = [given[name] for name in self._inputs]
        except KeyError:
            self._refuse(given)
        seen = [(a.shape, a.dtype) if type(a) is np.ndarray else None for a in arrays]
        if seen != self._accepted or None in seen:
            try:
                arrays = runtime.checked(self.program.name, self._declared, arrays)
            except (TypeError, ValueError) as problem:
                raise ShapeError(str(problem)) from None
            self._accepted = seen
        if self.program.parameters:
            arrays += self._parameters(given)
        return arrays

    def _parameters(self, given: Mapping[str, Any]) -> list[Any]:
        if len(given) > len(self._inputs) or self._defaults is None:
            return [self._parameter(name, default, given) for name, default in self.program.parameters]
        return self._defaults

    def _refuse(self, given: Mapping[str, Any]) -> NoReturn:
        """The error for inputs that are unknown or missing."""
        name = self.program.name
        for word in given:
            if word not in self._names:
                raise NameProblem(f"{name}: unknown input {word!r}{did_you_mean(word, sorted(self._names))}")
        missing = next(word for word in self._inputs if word not in given)
        raise DeriveError(f"{name}: input {missing} is missing: expected {', '.join(self._inputs)}")

    def _parameter(self, name: str, default: Any, given: Mapping[str, Any]) -> Any:
        kind = int if name in self.program.sizes else float
        value = given.get(name, default)
        if value is None:
            raise DeriveError(f"{self.program.name}: parameter {name} is missing: it has no default")
        try:
            return kind(value)
        except (TypeError, ValueError):
            raise DeriveError(f"{self.program.name}: parameter {name}: expected a number, given {value!r}") from None
