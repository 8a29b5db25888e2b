"""A claim about a derivative, or a derivation of several lines: each line as a tensor over the letters it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from derive.axes import Axis, Tensor
from derive.formula import Traced

from .errors import LatexError
from .operands import Operands
from .reading import Document, evaluated
from .scope import Declared, Scope, key_of, label_of, stem_of
from .statements import Line, in_order, lines_of, read_line, top_level
from .tokens import Token
from .tree import At, Name

DERIVATIVE = ("nabla", "frac", "dfrac", "tfrac")


@dataclass(frozen=True)
class Claimed:
    """What one line says the derivative is. `letters`: how many of its axes are index letters, which have names."""

    tensor: Tensor
    letters: tuple[str, ...]
    line: int
    text: str
    column: int


def scope_of(traced: Traced, more: Iterable[Tensor] = (), base: Scope | None = None) -> Scope:
    """The names that a formula has: its inputs, parameters, intermediates, and `more`."""
    scope = base or Scope()
    found = {key_of(t.name): Declared(key_of(t.name), t.name, "tensor", t) for t in (*traced.inputs, *more)}
    defined = [t for t in traced.definitions if t not in traced.outputs or t.axes]
    found |= {key_of(t.name): Declared(key_of(t.name), t.name, "tensor", t.with_(role="let")) for t in defined}
    found |= {key_of(s.name): Declared(key_of(s.name), s.name, "parameter", symbol=s) for s in traced.scalars}
    return scope.with_(*(one for key, one in found.items() if key not in scope.names))


def claims_of(text: str, scope: Scope, variable: str) -> list[Claimed]:
    """Every line that claims a value of the derivative for `variable`; definitions before it may be used in it."""
    document = Document(scope, {}, set())
    found: list[Claimed] = []
    try:
        parts = lines_of(text)
        numbers = {id(part): number for number, part in enumerate(parts, 1)}
        for part in in_order(parts, scope):
            found += _line(part, document, variable, numbers[id(part)], text)
    except RecursionError:
        raise LatexError("the claim is nested too deep") from None
    if not found:
        raise LatexError("no claim is given: expected an expression, or lines that begin with \\nabla or =")
    return found


def _line(part: list[Token], document: Document, variable: str, number: int, text: str) -> Iterator[Claimed]:
    part, letters, claims = _left(part, variable)
    if not claims:
        line = _again(read_line(part, document.scope), part, document)
        if line.target is not None:
            _define(line, document)
            return
        if len(line.sides) > 1:
            raise LatexError("an equation between known sides is no claim about the derivative", line.column)
    for piece in _pieces(part):
        yield _claimed(piece, document, letters, number, text, _shape(document.scope, variable))


def _again(line: Line, part: list[Token], document: Document) -> Line:
    """A definition of a name that the formula defines, too: the claim says itself what it means by it."""
    left = line.sides[0].base if isinstance(line.sides[0], At) else line.sides[0]
    if line.target is not None or len(line.sides) != 2 or not isinstance(left, Name) or left.key in document.defined:
        return line
    tensor = document.scope.names[left.key].tensor
    if tensor is None or tensor.body is None:
        return line
    names = {key: one for key, one in document.scope.names.items() if key != left.key}
    again = read_line(part, replace(document.scope, names=names))
    if again.target is not None:
        document.scope = replace(document.scope, names=names)
    return again


def _shape(scope: Scope, variable: str) -> tuple[Axis, ...]:
    """The axes of the variable, which its gradient has."""
    declared = scope.names.get(key_of(variable))
    return () if declared is None or declared.tensor is None else declared.tensor.axes


def _left(part: list[Token], variable: str) -> tuple[list[Token], tuple[str, ...], bool]:
    """The part without its left-hand side ∂L/∂w_{ij} or ∇_w L, the letters there, and whether one was there."""
    signs = top_level(part)
    if not signs:
        return part, (), False
    if signs[0] == 0:
        return part[1:], (), True
    left = part[: signs[0]]
    if left[0].text not in DERIVATIVE or not any(t.text in ("partial", "nabla", "d") for t in left):
        return part, (), False
    below = _below(left)
    name = stem_of(below)
    label = label_of(below[name[1] + 1 :]) if name is not None and below[name[1] : name[1] + 1] else None
    stems = {name[0], f"{name[0]}_{label}"} if name is not None else set()
    if key_of(variable) not in stems:
        raise LatexError(f"the left-hand side is no derivative for {variable}", left[0].column)
    letters = () if name is None or key_of(variable) != name[0] else _named_letters(below[name[1] :])
    return part[signs[0] + 1 :], letters, True


def _below(left: list[Token]) -> list[Token]:
    """The variable of a derivative."""
    cursor = Operands(left, Scope())
    sign = cursor.next()
    if sign.text == "nabla":
        return cursor.group("the variable of \\nabla") if cursor.accepts("_") else []
    cursor.group("the numerator")
    return cursor.group("the denominator")[1:]


def _named_letters(sub: list[Token]) -> tuple[str, ...]:
    return tuple(t.text + "" for t in sub if t.kind == "letter")


def _pieces(part: list[Token]) -> Iterator[list[Token]]:
    """What stands between signs of equality."""
    start = 0
    for place in [*top_level(part), len(part)]:
        yield part[start:place]
        start = place + 1


def _define(line: Line, document: Document) -> None:
    made = evaluated(line, document.scope)
    tensor = made.tensors[-1]
    if made.key in document.scope.names:
        raise LatexError(f"{tensor.name} is defined twice", line.column)
    document.defined[made.key] = tensor
    document.scope = document.scope.with_(Declared(made.key, tensor.name, "tensor", tensor, flags=made.flags))


def _claimed(
    part: list[Token], document: Document, letters: tuple[str, ...], number: int, text: str, like: tuple[Axis, ...]
) -> Claimed:
    if not part:
        raise LatexError("nothing stands beside =")
    inner = Operands(part, document.scope, letters)
    found = inner.expression()
    inner.end()
    line = Line((found,), part[0].column, letters=letters, tokens=tuple(part))
    made = evaluated(line, document.scope, like)
    (tensor,) = made.tensors
    free = tuple(a.name for a in tensor.axes[: made.free])
    if letters and set(letters) == set(free):
        order = [*sorted(tensor.axes[: made.free], key=lambda a: letters.index(a.name)), *tensor.axes[made.free :]]
        tensor, free = tensor.with_(axes=order), tuple(letters)
    last = part[-1].column
    command = re.compile(r"\\[A-Za-z]+|\\.|").match(text, last)
    written = text[part[0].column : max(last + len(part[-1].shown), command.end() if command else 0)]
    return Claimed(tensor, free, number, written.strip(), part[0].column)
