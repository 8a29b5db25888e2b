"""A recurrence over many steps: ∂s_t/∂s_τ is the product of the Jacobians of the steps between.

The Jacobian of one step is what the adjoint of the next state is multiplied with: it is read off s̄_t = … s̄_{t+1} ….
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sympy import Add, Expr, Mul, S, expand
from sympy.core.basic import Basic

from derive.axes import Axis, Delta, Entry, SumOver, Tensor, free_axes, mapped, rename, tensors_of
from derive.steps import Equation

from .blocks import Words
from .factors import flattened
from .lines import unmarked
from .matrix import Matrices
from .names import key_of
from .printer import Printer
from .style import Piece, Style
from .table import ADD

if TYPE_CHECKING:
    from .view import View

START, BETWEEN = ("tau", "k", "r"), ("j", "m", "nu")  # letters for the earlier step, and for those between


@dataclass(frozen=True)
class OneStep:
    """∂s[t, …]/∂s[t − 1, …] as an expression; `state` and `before` are the two entries."""

    state: Entry
    before: Entry
    jacobian: Expr

    @property
    def over(self) -> Axis:
        return self.state.tensor.axes[0]

    @property
    def forwards(self) -> bool:
        return bool(self.before.indices[0] == self.over - 1)

    @property
    def inner(self) -> tuple[Axis, ...]:
        """The letters in which the two differ, row and column of the Jacobian; none where it is diagonal."""
        pairs = zip(self.state.indices[1:], self.before.indices[1:], strict=True)
        return tuple(a for pair in pairs if pair[0] != pair[1] for a in pair)


@dataclass(frozen=True)
class Slope:
    """The Jacobian of one step, as a part of a sentence."""

    step: OneStep

    def source(self, view: View) -> str:
        """∂s_th/∂s_{t−1,k} = (1 − s_th²) w_hk."""
        printer = Printer(view.names, view.style, (*free_axes(self.step.state), *free_axes(self.step.before)))
        above, below = (printer.whole(entry).source for entry in (self.step.state, self.step.before))
        whole = printer.whole(self.step.jacobian)
        return f"{view.style.derivative(above, [below]).source} = {unmarked(whole.source)}"


@dataclass(frozen=True)
class Unrolled:
    """The product of the Jacobians from one step to another, as a part of a sentence."""

    step: OneStep

    def source(self, view: View) -> str:
        """∂s_t/∂s_τ = Π_{j=τ+1…t} diag(1 − s_j²) W; where all factors are one, its power."""
        step, style = self.step, view.style
        start, between = (step.over.alias(name) for name in _letters(step))
        printer = Printer(view.names, style, (*free_axes(step.state), start, between))
        of, by = self._entry(view, printer, step.over), self._entry(view, printer, start)
        factor = self._factor(view, printer, between)
        first, last, number = (printer.show(letter).source for letter in (start, step.over, between))
        ends = (f"{first}+1", last) if step.forwards else (last, f"{first}−1")
        steps = f"{last} − {first}" if step.forwards else f"{first} − {last}"
        if not step.jacobian.has(step.over):
            product = style.power(factor, Piece(steps, ADD)).source
        elif style.is_latex:
            product = rf"\prod_{{{number}={ends[0]}}}^{{{ends[1]}}} {_enclosed(factor, style).source}"
        else:
            product = f"Π_{{{number}={ends[0]}…{ends[1]}}} {_enclosed(factor, style).source}"
        product = product.replace("−", "-") if style.is_latex else product
        return f"{style.derivative(of, [by]).source} = {unmarked(product)}"

    def _entry(self, view: View, printer: Printer, at: Axis) -> str:
        entry = self.step.state.func(self.step.state.tensor, at, *self.step.state.indices[1:])
        return _matrices(view, self.step).lowered(entry) if self.step.inner else printer.whole(entry).source

    def _factor(self, view: View, printer: Printer, at: Axis) -> Piece:
        """One factor: as a matrix, or as ∂s_j/∂s_{j−1} where that has no form."""
        factor = rename(self.step.jacobian, {self.step.over: at})
        if not self.step.inner:
            return printer.whole(factor)
        matrices = _matrices(view, self.step)
        piece = matrices.show(factor, self.step.inner)
        if piece is not None:
            return piece
        earlier = rename(self.step.before.indices[0], {self.step.over: at})
        before = self.step.state.func(self.step.state.tensor, earlier, *self.step.state.indices[1:])
        return view.style.derivative(self._entry(view, printer, at), [matrices.lowered(before)])


def _enclosed(piece: Piece, style: Style) -> Piece:
    return piece if piece.level > ADD else style.paren(piece)


def _letters(step: OneStep) -> tuple[str, str]:
    """Letters that nothing else in the step has."""
    taken = {a.name for a in (*free_axes(step.state), *free_axes(step.before), *free_axes(step.jacobian))}
    taken |= {a.name for a in step.jacobian.atoms(Axis)}
    start, between = (next(name for name in names if name not in taken) for names in (START, BETWEEN))
    return start, between


def _matrices(view: View, step: OneStep) -> Matrices:
    """A printer by which all letters but those of the Jacobian stand below: one sample, one step."""
    outer = view.names.outer | {a.size for a in step.state.indices if a not in step.inner}
    met = {key_of(t): t for t in (step.state.tensor, *tensors_of(step.jacobian))}
    ranks = {**view.names.ranks, **{key: sum(a.size not in outer for a in t.axes) for key, t in met.items()}}
    return Matrices(replace(view.names, outer=frozenset(outer), ranks=ranks), view.style)


def one_step(equation: Equation) -> OneStep | None:
    """The Jacobian of one step, read off the equation of a state's adjoint; None where it says less."""
    adjoint = equation.tensor
    if equation.kind != "adjoint" or adjoint is None or not equation.steps or not adjoint.axes:
        return None
    terms = flattened(equation.result, Add) if isinstance(equation.result, Add) else [equation.result]
    back = [term for term in terms if _bars(term)]
    if not back or any(e.tensor.name != adjoint.name for term in back for e in _bars(term)):
        return None
    found = [_term(term, adjoint) for term in back]
    if any(part is None for part in found):
        return None
    return _joined([part for part in found if part is not None], equation, adjoint)


def _bars(term: Basic) -> set[Entry]:
    return {e for e in term.atoms(Entry) if e.tensor.role in ("adjoint", "carried")}


def _term(term: Basic, adjoint: Tensor) -> tuple[Expr, Entry] | None:
    """What s̄_{t+1} is multiplied with in one term, and that entry."""
    factors = _factors(term)
    bars = [f for f in factors if isinstance(f, Entry) and f in _bars(term)]
    over = adjoint.axes[0]
    if len(bars) != 1 or len(_bars(term)) != 1 or bars[0].indices[0] not in (over + 1, over - 1):
        return None
    bound = {a for node in term.atoms(SumOver) for a in node.axes}
    if any(not isinstance(i, Axis) for i in bars[0].indices[1:]):
        return None
    inner = [i for i, a in zip(bars[0].indices[1:], adjoint.axes[1:], strict=True) if i != a]
    if bound and set(inner) != bound:
        return None
    rest = [f for f in factors if f is not bars[0]]
    return (Mul(*rest, evaluate=False) if len(rest) != 1 else rest[0]) if rest else S.One, bars[0]


def _factors(body: Basic) -> list[Basic]:
    """The factors of a product, those within sums of it too."""
    if not isinstance(body, Mul):
        return _factors(body.body) if isinstance(body, SumOver) else [body]
    return [part for factor in flattened(body, Mul) for part in _factors(factor)]


def _joined(parts: list[tuple[Expr, Entry]], equation: Equation, adjoint: Tensor) -> OneStep | None:
    """All terms over the same two letters; what is diagonal has a δ."""
    tensor = next((e.tensor for e in equation.target.atoms(Entry)), None)
    if tensor is None:
        return None
    over, rest = adjoint.axes[0], adjoint.axes[1:]
    moved = {k: i for _, e in parts for k, (i, a) in enumerate(zip(e.indices[1:], rest, strict=True)) if i != a}
    if len(moved) > 1:
        return None
    later = parts[0][1].indices[0]
    pairs = {over: over - (later - over)}
    rows, columns = list(rest), list(rest)
    for place, letter in moved.items():
        columns[place] = letter
        pairs |= {letter: rest[place], rest[place]: letter}
    terms = []
    for coefficient, entry in parts:
        own = [(i, a) for i, a in zip(entry.indices[1:], rest, strict=True) if i != a]
        terms.append(_at_one_step(coefficient, entry, own, moved, rest, pairs))
    jacobian = Add(*terms, evaluate=False) if len(terms) > 1 else terms[0]
    before = Entry(tensor, over - (later - over), *columns)
    return OneStep(Entry(tensor, over, *rows), before, jacobian)


def _at_one_step(coefficient: Expr, entry: Entry, own: object, moved: dict[int, Axis], rest: tuple[Axis, ...],
                 pairs: dict[Axis, Expr]) -> Expr:  # fmt: skip
    shifted = mapped(rename(coefficient, pairs), _plain)
    if moved and not own:
        ((place, letter),) = moved.items()
        return Mul(shifted, Delta(rest[place], letter), evaluate=False)
    return shifted


def _plain(node: Basic) -> Basic | None:
    """Indices added up: (t − 1) + 1 is t."""
    if isinstance(node, Entry):
        return node.func(node.tensor, *(expand(i) if isinstance(i, Add) else i for i in node.indices))
    return None


def told(equation: Equation) -> Iterator[Words]:
    """What an adjoint's equation says of many steps, in words."""
    step = one_step(equation)
    if step is None:
        return
    several = ", the later step to the left" if step.inner else ""
    sizes = "norms of the factors" if step.inner else "factors"
    yield Words(("One step has the Jacobian ", Slope(step), ", by which the adjoint of the next state comes back."))
    vanish = f". Where the {sizes} are below 1 gradients vanish with the number of steps, above 1 they may explode."
    yield Words((f"Over many steps the chain rule multiplies these{several}: ", Unrolled(step), vanish))


__all__ = ["OneStep", "Slope", "Unrolled", "one_step", "told"]
