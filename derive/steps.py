"""A derivation as a value: equations, each reached by steps that name their law. No presentation lives here.

The scalar under discussion is L = Σ g·y (y the formula's outputs, g their upstream gradients; L = y for a scalar
output). `before` and `after` of a step are index expressions with the same free letters; they are equal wherever
the formula is differentiable, and that is what verification tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Step:
    """One law applied once: law, before, after, why it may be applied, and the equations it cites (Eq or None)."""

    law: str
    before: Any
    after: Any
    why: str = ""
    cites: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Equation:
    """One quantity and how it was found. `target` is what is derived (AdjointOf(x[b, i]), or an entry of a defined
    tensor); `tensor` is the defined tensor that holds the result. The steps chain: each before is the last after.

    kind: "definition" (a name of the formula), "found" (a name the simplifier introduced), "adjoint" (∂L/∂ an
    intermediate), "result" (∂L/∂ an input, a Jacobian, …), "fact" (an identity that later steps cite).
    """

    kind: str
    target: Any
    tensor: Any
    steps: tuple[Step, ...] = ()

    @property
    def result(self) -> Any:
        return self.steps[-1].after if self.steps else self.target


@dataclass(frozen=True, repr=False)
class Derivation:
    """The equations in the order in which a reader meets them; the last ones are the results.

    `of` is the entry that is differentiated (y[b, c] for a Jacobian); None means L = Σ g·y. `differentials` are those
    of the definitions, one by one, for a reader who asks for them: TangentOf(y[…]) in terms of TangentOf(x[…]).
    """

    title: str
    equations: tuple[Equation, ...]
    of: Any = None
    differentials: tuple[Equation, ...] = ()

    def __repr__(self) -> str:
        count = sum(1 for _ in self.steps())
        return f"<derivation of {self.title}: {len(self.equations)} equations, {count} steps>"

    def steps(self) -> Iterator[tuple[Equation, Step]]:
        for equation in self.equations:
            for step in equation.steps:
                yield equation, step

    @property
    def laws(self) -> tuple[str, ...]:
        """The laws used, each once, in order of first use."""
        return tuple(dict.fromkeys(step.law for _, step in self.steps()))

    def replay(self) -> tuple[Any, ...]:
        """The results, recomputed by following every step; ValueError where one does not continue the last."""
        for equation in self.equations:
            reached = equation.steps[0].before if equation.steps else None
            for step in equation.steps:
                if step.before != reached:
                    raise ValueError(f"{equation.target}: step {step.law!r} starts at {step.before}, not {reached}")
                reached = step.after
        return tuple(equation.result for equation in self.equations if equation.kind == "result")


class Assumed(Protocol):
    """A statement about inputs, and a way to sample inputs that satisfy it where its kind is not built in."""

    @property
    def statement(self) -> Any: ...
    @property
    def sample(self) -> Callable[..., Any] | None: ...


class Subject(Protocol):
    """A traced formula: inputs, parameters, outputs with bodies, assumptions. No room but `formula` makes them."""

    @property
    def name(self) -> str: ...
    @property
    def inputs(self) -> tuple[Any, ...]: ...
    @property
    def scalars(self) -> tuple[Any, ...]: ...
    @property
    def sizes(self) -> tuple[Any, ...]: ...
    @property
    def outputs(self) -> tuple[Any, ...]: ...
    @property
    def assumptions(self) -> Sequence[Assumed]: ...
    @property
    def elementwise(self) -> bool: ...
