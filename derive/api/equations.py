"""`Equation.check`: do both sides agree? Proved where canonical forms coincide, else measured at separating points."""

from __future__ import annotations

from dataclasses import dataclass, replace

from derive import parse
from derive.axes import Entry, Tensor, Unsupported
from derive.formula import Formula, Traced
from derive.formula.trace import hyper
from derive.parse.nodes import Slope, Unknown

from .claims import Ground, Verdict, compared
from .derivative import gradient


@dataclass(frozen=True, repr=False)
class Equation(parse.Equation):
    """left = right, each a Formula over the same letters; further members stand between them."""

    def check(self, *, trials: int = 12, seed: int = 0) -> Verdict:
        """Whether every member has the value of the first: true, or false with a counterexample.

        Derivatives on either side are carried out. Raises Unsupported for abstract functions, which have no values.
        """
        first, *others = [carried_out(member) for member in self.members]
        ground = Ground(_both(self.members), "the left side", first, trials, seed)
        verdict: Verdict | None = None
        for line, other in enumerate(others, 1):
            found = compared(ground, other)
            reason = found.reason.replace("the gradient", "the left side").replace("the claim", "the right side")
            example = found.counterexample
            if example is not None:
                example = replace(example, place=example.place.replace("d/dthe left side", "") or "of both sides")
            verdict = replace(found, reason=reason, line=line, counterexample=example)
            if not verdict:
                return verdict
        assert verdict is not None
        return verdict


def _both(members: tuple[Formula, ...]) -> Traced:
    """All members as the outputs of one formula."""
    traced = [member.trace() for member in members]
    inputs = tuple(dict.fromkeys(t for one in traced for t in one.inputs))
    scalars = tuple(dict.fromkeys(s for one in traced for s in one.scalars))
    outputs = tuple(map(carried_out, members))
    assumed = tuple({str(a.statement): a for one in traced for a in one.assumptions}.values())
    return Traced("equation", inputs, scalars, hyper(inputs, outputs, ()), outputs, assumed)


def carried_out(member: Formula) -> Tensor:
    """The output of a member; a derivative ∂f/∂x that is a whole member is derived."""
    traced = member.trace()
    (output,) = traced.outputs
    body = output.body
    assert body is not None
    if isinstance(body, Slope) and len(body.args) == 2 and isinstance(body.args[1], Entry):
        inner, entry = body.args
        if entry.tensor in traced.inputs and set(entry.indices) == set(output.axes):
            value = output.with_(axes=(), body=inner)
            scalar = replace(traced, outputs=(value,))
            f = Formula(member.name, member.doc, member.parameters, "latex", member.name, lambda static: scalar)
            found = gradient(f, entry.tensor.name).tensors[entry.tensor.name]
            order = [entry.indices.index(a) for a in output.axes]
            return found.with_(axes=[found.axes[k] for k in order])
    if body.atoms(Slope, Unknown):
        raise Unsupported(
            "an equation with abstract functions, or with derivatives within it, has no values to compare"
        )
    return output
