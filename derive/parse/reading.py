"""`read`: a text and its declarations become a Formula, an Equation or a Declaration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sympy import Expr, Integer

from derive.axes import Axis, Delta, DeriveError, Tensor
from derive.axes.ranges import in_range, nonnegative
from derive.formula import Formula

from .binders import unbound
from .build import defined, formula_of
from .checks import no_definition, no_idle
from .errors import LatexError
from .lengths import tell
from .letters import Index, Letters, Use, axis_of, find_start, plain, uses, walk
from .meaning import Meaning
from .operands import Operands
from .products import together
from .scope import Declared, Scope, declared, identifier_of, label_of
from .statements import Line, Target, in_order, lines_of, read_line
from .subscripts import inside
from .tokens import Token
from .tree import Big, Cases, Letter, Name, Node, Number, children
from .values import Value, fitted, is_open, mul


@dataclass(frozen=True)
class Equation:
    """left = right, each a Formula over the same letters; further members stand between them."""

    members: tuple[Formula, ...]
    text: str

    @property
    def left(self) -> Formula:
        return self.members[0]

    @property
    def right(self) -> Formula:
        return self.members[-1]

    def __repr__(self) -> str:
        return f"<equation {' = '.join(str(m.trace().outputs[0].body) for m in self.members)}>"


@dataclass(frozen=True)
class Declaration:
    """x ∈ ℝⁿ: names with the lengths of their axes."""

    tensors: tuple[Tensor, ...]
    text: str

    @property
    def where(self) -> str:
        """As `where` writes it."""
        return ", ".join(f"{t.name}: {' '.join(a.name for a in t.axes) or 'scalar'}" for t in self.tensors)

    def __repr__(self) -> str:
        return f"<declaration {self.where}>"


Read = Formula | Equation | Declaration
DOC = "Read from LaTeX."


@dataclass
class Document:
    """Lines read so far: the scope grows with each definition."""

    scope: Scope
    defined: dict[str, Tensor]
    used: set[str]


def read(
    text: str, where: str = "", *, catalogue: Mapping[str, Any] | None = None, start: int | None = None,
    entrywise: bool = False, name: str = "",
) -> Read:  # fmt: skip
    """LaTeX → Formula, Equation or Declaration. Raises LatexError at the column, or LatexUnsupported."""
    scope = declared(where, Scope(catalogue=catalogue or {}, start=start, entrywise=entrywise))
    try:
        return _read(text, scope, name)
    except RecursionError:
        raise LatexError("the formula is nested too deep") from None


def _read(text: str, scope: Scope, name: str) -> Read:
    parts = in_order(lines_of(text), scope)
    if not parts:
        raise LatexError("no formula is given")
    found: list[Tensor] = []
    document = Document(scope, {}, set())
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        if (tensors := _declaration(part, document.scope)) is not None:
            found += tensors
            document.scope = document.scope.with_(*(_declared(t) for t in tensors))
            if last:
                return Declaration(tuple(found), text)
            continue
        made = statement(part, document, name, last, text)
        if last:
            assert made is not None
            return made
    raise AssertionError("a text has a last line")


def _declared(tensor: Tensor) -> Declared:
    from .scope import key_of

    return Declared(key_of(tensor.name), tensor.name, "tensor", tensor)


def statement(part: list[Token], document: Document, name: str, last: bool, text: str) -> Read | None:
    """One line: a definition that enters the scope, or, if it is the last, what is returned."""
    line = read_line(part, document.scope)
    made = evaluated(line, document.scope)
    document.used |= {node.key for node in line.nodes if isinstance(node, Name)}
    if not last and line.replaced and len(made.tensors) == 1:
        old, tensor = document.scope.names[line.replaced], made.tensors[0]
        new = Declared(old.key, f"{old.name}_new", "tensor", tensor.with_(name=f"{old.name}_new"), flags=old.flags)
        document.scope = document.scope.with_(new)
        return None
    if line.target is not None and len(made.tensors) == 1:
        tensor = made.tensors[0]
        if not last:
            if made.key in document.scope.names:
                raise LatexError(f"{tensor.name} is defined twice", line.column)
            flags = (*made.flags, *(("lettered",) if made.free else ()))
            document.scope = document.scope.with_(Declared(made.key, tensor.name, "tensor", tensor, flags=flags))
            document.defined[made.key] = tensor
            return None
        _all_used(document)
        output = tensor.with_(role="output")
        return formula_of(name or tensor.name, (output,), document.scope, DOC)
    if not last:
        raise LatexError(no_definition(line), line.column)
    _all_used(document)
    formulas = tuple(formula_of(name or t.name, (t.with_(role="output"),), document.scope, DOC)
                     for t in made.tensors)  # fmt: skip
    return formulas[0] if len(formulas) == 1 else Equation(formulas, text)


def _all_used(document: Document) -> None:
    for key, tensor in document.defined.items():
        if key not in document.used:
            raise LatexError(f"{tensor.name} is defined, and then not used")


@dataclass(frozen=True)
class Made:
    """The sides of a line as tensors over the same axes; the key of what is defined."""

    tensors: tuple[Tensor, ...]
    key: str = ""
    flags: tuple[str, ...] = ()
    free: int = 0  # how many of the axes are index letters


def evaluated(line: Line, scope: Scope, like: Sequence[Axis] = ()) -> Made:
    """The values of all sides, over the free letters of the line; `like` are axes that fix the length of a lone 𝐈."""
    start, certain = find_start(line.nodes, scope)
    letters = Letters(scope, start=start, certain=certain)
    found = [use for side in line.sides for use in uses(side, scope)]
    key, own, indices = _named(line, scope, found)
    free = _free_letters(line, scope, indices, found)
    meaning = Meaning(letters)
    tell(line, letters)
    slots = []
    for letter in free:
        letters.inner[letter] = _free_index(letter, line, letters, found)
        slots.append(letters.inner[letter].axis)
    values = [_checked(meaning, side) for side in line.sides]
    no_idle(line, free)
    values = [_sized(value, like) for value in _aligned(values, line)]
    if _doubled(line) and len(slots) == 1:  # D_{ii} = … is a diagonal matrix
        slots.append(letters.slot(slots[0].size, free[0]))
        values = [replace(value, body=mul(value.body, Delta(*slots))) for value in values]
    name = own or _fresh_name(scope, bool(slots or values[0].axes))
    tensors = tuple(defined(name, value, tuple(slots), letters, "let", line.column) for value in values)
    flags = (
        ("called", label_of(line.target.arguments) or "")
        if line.target and line.target.arguments and not indices
        else ()
    )
    return Made(tensors, key, flags, len(slots))


def _doubled(line: Line) -> bool:
    """Whether the left-hand side is D_{ii}."""
    below = [t.text for t in line.target.sub if t.kind == "letter"] if line.target is not None else []
    return len(below) == 2 and below[0] == below[1]


def _checked(meaning: Meaning, side: Node) -> Value:
    found = meaning.value(side)
    if found.whole and not isinstance(side, Number):
        if any(hasattr(part, "integer_bound") for part in (found.body, *found.body.args)):
            return replace(found, body=plain(found.body - meaning.letters.start))  # a place counts from 0, as in arrays
        meaning.real(found, side)
    return found


def _aligned(values: list[Value], line: Line) -> list[Value]:
    """All sides over the axes of the first; a row equals no column."""
    made = values[:1]
    for value in values[1:]:
        first, other = together(made[0], value, "=", line.column)
        if first.rank != made[0].rank:
            raise LatexError(f"{made[0].shape} = {value.shape}", line.column)
        made[0] = first
        made.append(replace(other, body=other.over(first.axes), axes=first.axes))
    return made


def _sized(value: Value, like: Sequence[Axis]) -> Value:
    """The value with lengths that nothing fixed as those of these axes; a lone 0 is 0 everywhere."""
    if like and not value.rank and value.literal and value.body == 0:
        return replace(value, axes=tuple(like))
    both = None
    if is_open(value) and value.rank == len(like):
        both = fitted(value, Value(Integer(1), tuple(like)), list(zip(value.axes, like, strict=True)))
    return value if both is None else both[0]


def _fresh_name(scope: Scope, array: bool) -> str:
    names = {one.name for one in scope.names.values()} | set(scope.axes)
    return next(n for n in (("y", "out", "result") if array else ("L", "out", "result")) if n not in names)


def _named(line: Line, scope: Scope, found: list[Use]) -> tuple[str, str, list[str]]:
    """The key and name of the target, and which letters below it are indices: those free on the right."""
    target = line.target
    if target is None:
        return "", "", []
    right = {use.letter for use in found} | _declared_indices(line, scope)
    right |= set(_left_letters(line, scope))
    below = [*_letters_of(target.sup, scope), *_letters_of(target.sub, scope)]
    called = _letters_of(target.arguments, scope) or [t.text for t in target.arguments if t.kind == "letter"]
    label: list[str] = []
    if below and set(below) <= right:
        indices = below
    elif set(_letters_of(target.sub, scope)) & right and _is_sibling(target, scope):
        indices = _letters_of(target.sub, scope)  # h_i^{(l+1)} beside a declared h^{(l)}
        label = [label_of(_bare(target.sup)) or ""]
    elif below and set(below) & right:
        missing = next(letter for letter in below if letter not in right)
        raise LatexError(f"the index {missing} stands on the left, but not on the right", target.column)
    else:
        indices = []
        label = [part for part in (label_of(target.sub), label_of(_bare(target.sup))) if part]
    if called and set(called) & right:
        if not set(called) <= right:
            raise LatexError("indices and other arguments are mixed on the left", target.column)
        indices = [*indices, *called]
    else:
        _known_arguments(target.arguments, scope)
    key = "_".join([target.stem, *label])
    return key, identifier_of(key), list(dict.fromkeys(indices))


def _bare(group: tuple[Token, ...]) -> list[Token]:
    """A superscript without its brackets."""
    return [t for t in group if t.text not in ("(", ")", "[", "]")]


def _is_sibling(target: Target, scope: Scope) -> bool:
    """Whether the superscript labels the next of a name that is declared with the label before: h^{(l)}."""
    first = _bare(target.sup)[:1]
    return bool(first) and f"{target.stem}_{first[0].text}" in scope.names


def _letters_of(group: tuple[Token, ...], scope: Scope) -> list[str]:
    """The letters that stand as indices in a subscript; none where it can only be a label."""
    group = tuple(t for t in group if t.text != "cdot")  # \bar x_{\cdot j}: the dot only says what is summed over
    if not group:
        return []
    trial = Operands(group, scope)
    trial.trying = True
    try:
        found = trial.indices(list(inside(list(group)) or group), len(group))
    except DeriveError:
        return []
    return [node.name for one in found for node in walk(one) if isinstance(node, Letter)]


def _known_arguments(arguments: tuple[Token, ...], scope: Scope) -> None:
    """The arguments of f(x) = … must be declared: they are inputs."""
    parts: list[list[Token]] = [[]]
    for token in arguments:
        if token.text in (",", ";", "|", "norm"):
            parts.append([])
        else:
            parts[-1].append(token)
    for part in parts if not any(t.text == "norm" for t in arguments) else []:  # D(p ‖ q): p and q are words
        if part:
            Operands(part, scope).whole()


def _declared_indices(line: Line, scope: Scope) -> set[str]:
    declared = {one.name for one in scope.names.values() if one.kind == "index"}
    if not declared:
        return set()
    return {name for side in line.sides for name in unbound(side)} & declared


def _left_letters(line: Line, scope: Scope) -> list[str]:
    """Letters of the left-hand side that stand alone on the right: there they are indices, and no lengths."""
    known = [name for name in line.letters if name in scope.axes]
    written = set().union(*(unbound(side) for side in line.sides)) if known else set()
    return [name for name in known if name in written]


def _free_letters(line: Line, scope: Scope, indices: list[str], used: list[Use]) -> list[str]:
    """The free letters of a line, in the order of its left-hand side, else in order of appearance."""
    found = [use.letter for use in used]
    found = [name for name in found if name not in scope.names or scope.names[name].kind == "index"]
    found += sorted(_declared_indices(line, scope)) + _left_letters(line, scope)
    free = list(dict.fromkeys(found))
    if line.target is not None:
        stray = [name for name in free if name not in indices]
        if stray:
            raise LatexError(f"the index {stray[0]} stands on the right, but not on the left, and no sum binds it",
                             line.column)  # fmt: skip
        return indices
    return free


def _free_index(name: str, line: Line, letters: Letters, found: list[Use]) -> Index:
    """A free letter runs over all values for which every entry exists: x_{t−1} leaves out the first t."""
    axis = axis_of(name, found, letters.scope, line.column)
    own = [use for use in found if use.letter == name and use.shift is not None and not use.padded]
    cases = [node for node in line.nodes if isinstance(node, Cases)]
    free = [use for side in line.sides for use in _unguarded(side, letters.scope) if use in own] if cases else own
    own = free or own  # what stands in cases is proved to exist by their conditions, or is an error
    if axis == letters.scope.axes.get(name) and all(in_range(axis + (u.shift or 0), u.axis.size) for u in own):
        return Index(letters.slot(axis.size, name), Integer(letters.start), letters.certain)
    shifts = [use.shift or 0 for use in own] or [0]
    least, most = min(shifts), max(shifts)
    guarded = [node for node in cases if name in unbound(node)]
    if least != most and guarded and not free:
        raise LatexError(f"{name} is moved within cases: say what lies beyond the ends, with 'padded' in where",
                         guarded[0].column)  # fmt: skip
    size = axis.size if least == most else plain(_end(axis, own, line) + least)
    if size.is_Integer and size < 1:
        raise LatexError(f"no value of {name} is left for which every entry exists", line.column)
    return Index(letters.slot(size, name), Integer(letters.start - least), letters.certain)


def _unguarded(node: Node, scope: Scope) -> list[Use]:
    """Where letters stand as indices outside the values of cases."""
    if isinstance(node, Cases):
        return []
    if not any(isinstance(part, Cases) for part in walk(node)):
        return list(uses(node, scope))
    inner = [use for part in children(node) for use in _unguarded(part, scope)]
    bound = {one.letter for one in node.ranges} if isinstance(node, Big) else set()
    return [use for use in inner if use.letter not in bound]


def _end(axis: Axis, own: list[Use], line: Line) -> Expr:
    """The least of the ends that entries leave: one for which every other is provably no smaller."""
    ends = list(dict.fromkeys(plain(use.axis.size - (use.shift or 0)) for use in own))
    for end in ends:
        if all(nonnegative(other - end) for other in ends):
            return end
    raise LatexError(f"the range of {axis.name} depends on which length is greater: write it", line.column)


def _declaration(part: list[Token], scope: Scope) -> list[Tensor] | None:
    """x ∈ ℝⁿ, X ∈ ℝ^{n × d}, x, y ∈ ℝ; None for anything else."""
    from .declaration import declaration

    return declaration(part, scope)
