"""What a terminal shows of a formula and of its gradient: definitions and results, a line each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sympy.core.basic import Basic

from derive.axes import AdjointOf, Tensor, definitions, free_axes, tensors_of
from derive.formula import Formula
from derive.notation import Notation
from derive.notation.lines import unmarked
from derive.notation.pages import TextPage
from derive.notation.parts import parted
from derive.notation.recurrence import Retelling, retelling, retold
from derive.notation.story import Block, Chain, Display, Inputs, Line, Words, defined, upstreams
from derive.notation.style import LATEX, TEXT
from derive.notation.view import View, view_of
from derive.steps import Derivation

from .derivative import Derivative

WHERE = "where "


def definition_text(f: Formula, *, notation: str | Notation = "index", width: int = 80) -> str:
    """Inputs with their shapes, every named part and the output, and what is assumed."""
    traced = f.trace()
    blocks: list[Block] = [Inputs(traced.inputs, traced.scalars)]
    derivation, told = retold(Derivation(f.name, ()), traced)
    blocks.append(Display(defined(told)))
    if traced.elementwise:
        blocks.append(Words(("It holds entry by entry, for arrays of any one shape.",)))
    for number, assumption in enumerate(traced.assumptions):
        blocks.append(Words(("It is assumed that " if number == 0 else "… and that ", assumption.statement, ".")))
    return TextPage(view_of(derivation, told, TEXT, notation), width).page(blocks)


def result_lines(d: Derivative, notation: str | Notation = "index", width: int = 80) -> Iterator[str]:
    """`∂L/∂w_io = Σ_b x_bi g_bo` for each variable, then the names that these use, each defined on its own line."""
    view = view_of(d.derivation, d.traced, TEXT, notation)
    yield from _lines(view, (part for _, chain in _results(d) for part in parted(chain)), width)
    used = _used(d)
    defined = [part for tensor in used for part in parted(_defined(tensor))]
    named = [*_lines(view, defined, width - len(WHERE)), *_given(d, view, used), *view.legend()]
    for number, line in enumerate(named):
        yield (WHERE if number == 0 else " " * len(WHERE)) + line


def result_latex(d: Derivative, notation: str | Notation = "index") -> dict[str, str]:
    """The closed form for each variable in LaTeX: `\\frac{\\partial L}{\\partial w_{io}} = …` on one line."""
    view = view_of(d.derivation, d.traced, LATEX, notation)
    found = {}
    for name, chain in _results(d):
        shown = view.chains(chain)[-1]
        found[name] = f"{shown.target} = {unmarked(shown.rows[-1].source)}"
    return found


def _defined(tensor: Tensor) -> Chain:
    return Chain((tensor[tensor.axes],), (Line(tensor.body),), tensor.axes)


def _used(d: Derivative) -> tuple[Tensor, ...]:
    """What the results rest on, by name; what a recurrence hides stands where it is used."""
    tell = retelling(d.derivation, d.traced)
    if tell is None:
        return definitions(d.results.values())
    met = definitions([tell(body) for body in d.results.values()])
    whole = definitions(d.results.values())
    return tuple(
        tell.tensor(t) for t in whole if not tell.hides(t) and t.name in {m.name for m in met} | _inner(tell, whole)
    )


def _inner(tell: Retelling, tensors: Iterable[Tensor]) -> set[str]:
    """Names that stand in the bodies of others, retold."""
    return {part.name for t in tensors if t.body is not None for part in tensors_of(tell(t.body))}


def _results(d: Derivative) -> Iterator[tuple[str, Chain]]:
    tell = retelling(d.derivation, d.traced) or _as_it_is
    equations = [e for e in d.derivation.equations if e.kind == "result"]
    for (name, tensor), equation in zip(d.tensors.items(), equations, strict=True):
        entry = equation.target.entry if isinstance(equation.target, AdjointOf) else equation.target
        yield name, Chain((equation.target,), (Line(tell(tensor.body)),), free_axes(entry))


def _as_it_is(body: Basic) -> Basic:
    return body


def _lines(view: View, chains: Iterable[Chain], width: int) -> Iterator[str]:
    """The page's lines, without the indentation that it gives to mathematics."""
    page = TextPage(view, width + 2)
    for chain in chains:
        for shown in view.chains(chain):
            yield from (line.removeprefix("  ") for line in page.chain(shown))


def _given(d: Derivative, view: View, used: Iterable[Tensor]) -> Iterator[str]:
    """What the upstream gradients are, where a result mentions them."""
    bodies = [*d.results.values(), *(tensor.body for tensor in used if tensor.body is not None)]
    mentioned = {tensor.name for body in bodies for tensor in tensors_of(body)}
    for g, y in upstreams(d.derivation, d.traced):
        if g.name in mentioned:
            yield f"{view.source(g[g.axes])} = {view.source(AdjointOf(y[y.axes]))}, the upstream gradient"
