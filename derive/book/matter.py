"""All that a page says of a formula, computed: its derivation, network, code, cost, picture and checks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from derive.api import Derivative, NumpyModule, catalogue, gradient, to_numpy
from derive.api.network import network_of
from derive.api.plotting import drawn
from derive.api.shown import result_latex
from derive.api.verifying import verified
from derive.axes import definitions
from derive.formula import Formula
from derive.notation import latex
from derive.notation.article import halves
from derive.notation.chainrule import Network
from derive.notation.plot import Picture
from derive.notation.story import Block, story
from derive.notation.style import LATEX
from derive.notation.view import View, view_of

from .checks import SEED, TRIALS, Checked

MOST_PARTS = 6  # named parts of what is drawn
DRAWN_LAYERS = frozenset({"activations", "normalisation"})  # whose Jacobians show something
_SOURCE = re.compile(r"^\s*Sources?:\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Matter:
    """One formula of the catalogue; `known` is what its checks came to, where they have been made before."""

    name: str
    chapter: str
    known: Checked | None = None

    @cached_property
    def formula(self) -> Formula:
        return catalogue[self.name]

    @cached_property
    def derivative(self) -> Derivative | None:
        """The gradient; None where no input has one."""
        real = any(t.dtype == "real" for t in self.formula.trace().inputs)
        return gradient(self.formula) if real else None

    @cached_property
    def words(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The paragraphs of the docstring after its first line, and those of them that name sources."""
        parts = [" ".join(part.split()) for part in self.formula.doc.strip().split("\n\n")]
        rest = [" ".join(self.formula.doc.strip().split("\n\n")[0].splitlines()[1:]).strip(), *parts[1:]]
        sources = tuple(found[1] for part in rest if (found := _SOURCE.match(part)))
        return tuple(part for part in rest if part and not _SOURCE.match(part)), sources

    @cached_property
    def view(self) -> View:
        """Names told apart over the whole page; only where there is a gradient."""
        assert self.derivative is not None
        return view_of(self.derivative.derivation, self.derivative.traced, LATEX, "index")

    @cached_property
    def told(self) -> tuple[list[Block], list[Block]]:
        """Title and definition, and the steps after them."""
        assert self.derivative is not None
        return halves(story(self.derivative.derivation, self.derivative.traced, "normal"))

    @cached_property
    def network(self) -> Network | None:
        return network_of(self.derivative) if self.derivative else None

    @cached_property
    def results(self) -> list[str]:
        """The closed forms and the names in them, in LaTeX."""
        d = self.derivative
        if d is None:
            return []
        lines = list(result_latex(d).values())
        for tensor in definitions(d.results.values()):
            entry = latex(tensor[tensor.axes], letters=tensor.axes)
            lines.append(f"{entry} = {latex(tensor.body, letters=tensor.axes)}")
        return lines

    @cached_property
    def laws(self) -> tuple[tuple[str, str], ...]:
        """The laws of the derivation, each with why it holds."""
        if self.derivative is None:
            return ()
        found: dict[str, str] = {}
        for _, step in self.derivative.derivation.steps():
            found[step.law] = found.get(step.law) or step.why
        return tuple(found.items())

    @cached_property
    def module(self) -> NumpyModule:
        return to_numpy(self.formula)

    @property
    def code(self) -> str:
        """The functions of the emitted module, without what every module has."""
        source = self.module.functions
        start = re.search(r"^def forward", source, re.MULTILINE)
        stop = re.search(
            r"^def (?!forward|backward|value_and_grad)", source[start.start() if start else 0 :], re.MULTILINE
        )
        begin = start.start() if start else 0
        return source[begin : begin + stop.start() if stop else len(source)].rstrip() + "\n"

    @property
    def cost(self) -> str:
        """Operations and bytes, without the title."""
        return str(self.module.cost).split("\n\n", 1)[-1].rstrip()

    @cached_property
    def picture(self) -> Picture | None:
        """Of functions and losses; of layers where the Jacobian is small and says something."""
        if self.derivative is None:
            return None
        traced = self.formula.trace()
        curve = traced.elementwise or (len(traced.outputs) == 1 and not traced.outputs[0].axes)
        if len(traced.definitions) > MOST_PARTS:
            return None
        return drawn(self.module, SEED) if curve or self.chapter in DRAWN_LAYERS else None

    @cached_property
    def checked(self) -> Checked:
        if self.known is not None:
            return self.known
        report = verified(self.module, self.derivative, TRIALS, SEED)
        return Checked(bool(report), float(report.worst), tuple((c.what, float(c.worst)) for c in report.checked))
