"""A recurrence as statements: what is kept is allocated, what is carried starts, and each turn writes its entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from .node import Node
from .program import Assign, Code, Free, Loop, Num, Op, Statement, Var
from .recur import Step, inside

if TYPE_CHECKING:
    from .write import Body


def written(body: Body, node: Node) -> None:
    """The loop of a `scan` node; the arrays that are kept of it get their names."""
    step, length = node.attr[:2]
    assert isinstance(step, Step)
    kept = {n.attr: n for n in body.plan.place if n.op == "kept" and n.args[0][0] is node}
    ends = {} if body.straight else {k: found for k, own in kept.items() if (found := _at_the_end(body, own, step))}
    kept = {k: own for k, own in kept.items() if k not in ends}
    index = body.names.fresh("step")
    carried = [body.names.fresh(f"{name.attr[1]}_held") for name, _ in step.carries]
    pairs = [] if body.straight else _pairs(body, step, kept)
    _begin(body, node, kept, pairs, carried)
    befores = {pair.before for pair in pairs}
    arrays = [(step.values[k], Var(body._name(own))) for k, own in kept.items() if k not in befores]
    arrays += [(pair.value, pair.name) for pair in pairs if pair.after is None]
    turn = _turn(body, step, index, carried, arrays, [step.values[k] for k in ends])
    body.statements.append(Loop(index, body.sizes(length), step.backwards, tuple(turn.statements)))
    for k, readers in ends.items():
        _left(body, readers, turn._operand(step.values[k], ()))
    for own in kept.values() if body.straight else ():
        every = Op("stacked_back" if step.backwards else "stacked", (Var(body._name(own)),))
        body.statements.append(Assign((Var(body._name(own)),), every))


def _left(body: Body, nodes: Sequence[Node], code: Code) -> None:
    """What a loop has left behind is the value of these."""
    assert isinstance(code, Var)
    body.plan = replace(body.plan, inline=body.plan.inline - set(nodes))
    body.variable |= dict.fromkeys(nodes, code.name)


def _begin(body: Body, node: Node, kept: Mapping[int, Node], pairs: Sequence[Pair], carried: Sequence[str]) -> None:
    """Arrays for what is kept, and what is carried into the first step."""
    paired = {k for pair in pairs for k in (pair.before, pair.after)}
    for own in (own for k, own in kept.items() if k not in paired):
        new = Op("no_entries") if body.straight else Op("empty", tuple(map(body.sizes, own.dims)), own.kind)
        body.statements.append(Assign((Var(body._name(own)),), new))
    for name, (start, labels) in zip(carried, node.args, strict=False):  # first come the starts
        body.statements.append(Assign((Var(name),), body._operand(start, labels)))
    for pair in pairs:
        body.statements += _shifted(body, pair, kept[pair.before], carried, node.attr[0].backwards)


def _turn(
    body: Body, step: Step, index: str, carried: Sequence[str], arrays: Sequence[tuple[Node, Var]], last: Sequence[Node]
) -> Body:
    """One step: values are written where they are kept, and what is carried is passed on."""
    order, around = inside(step)
    known = {name: held for (name, _), held in zip(step.carries, carried, strict=True)}
    known |= {n: _named(body, n) for n in around if n.kind != "host"}
    first: list[Statement] = []
    for own in (n for n in order if n.op == "at_step"):
        whole = known[own.args[0][0]]
        known[own] = body.names.fresh(f"{whole}_now")
        rest = own.args[0][0].rank - own.attr[1] - 1 if body.straight else 0  # not every library lets axes go unsaid
        first.append(Assign((Var(known[own]),), _entry(Var(whole), own.attr[1], index, rest)))
    homes = {value: _entry(array, 0, index) for value, array in arrays}
    turn = replace(
        body, known=known, statements=first, rowless=True, notes={}, homes={} if body.straight else homes,
        labels={value: f"{label}_now" for value, label in zip(step.values, step.labels, strict=True)},
    )  # fmt: skip
    wanted = [*(value for value, _ in arrays), *last, *(value for _, value in step.carries)]
    codes = turn.write(list(dict.fromkeys(wanted)))
    filled = set(turn.home.values())
    stored = [(value, array) for value, array in arrays if _entry(array, 0, index) not in filled]
    turn.statements += [_stored(array, index, codes[value], body.straight) for value, array in stored]
    turn.statements.append(_passed_on(carried, [codes[value] for _, value in step.carries]))
    return turn


def _at_the_end(body: Body, own: Node, step: Step) -> list[Node]:
    """Those who read what is kept, if all of them read the last step's only: then it need not be kept."""
    value = step.values[own.attr]
    if own in body.targets or value.op in ("carry", "at_step") or value.kind == "host":
        return []
    end = 0 if step.backwards else own.dims[0] - 1
    readers = [n for n in body.plan.place if any(arg is own for arg, _ in n.args)]
    alone = all(n.op == "window" and n.attr == ((end,), *[None] * (own.rank - 1)) for n in readers)
    return readers if alone else []


@dataclass(frozen=True)
class Pair:
    """What is carried, before each step and after it: two views of one array, of which both are kept, or the first."""

    carry: int
    value: Node
    before: int
    after: int | None
    name: Var


def _pairs(body: Body, step: Step, kept: Mapping[int, Node]) -> list[Pair]:
    found: list[Pair] = []
    free = dict(kept)
    for carry, (name, value) in enumerate(step.carries):
        before = next((k for k in free if step.values[k] is name), None)
        if before is None or value.op in ("carry", "at_step"):
            continue
        after = next((k for k in free if step.values[k] is value), None)
        known = step.labels[step.values.index(value)] if value in step.values else f"{name.attr[1]}_next"
        named = body._name(kept[after]) if after is not None else body.names.fresh(known)
        found.append(Pair(carry, value, before, after, Var(named)))
        free = {k: own for k, own in free.items() if k not in (before, after)}
    return found


def _shifted(body: Body, pair: Pair, before: Node, carried: Sequence[str], backwards: bool) -> list[Statement]:
    """An array with an entry more, in which the start is at one end, and its two views."""
    length, *others = before.dims
    whole, count = Var(body.names.fresh(f"{pair.name.name}_all")), body.sizes(length)
    early, late = Op("slice", (Op("empty_"), count)), Op("slice", (Num(Fraction(1)), Op("empty_")))
    views = (late, early) if backwards else (early, late)
    names = (Var(body._name(before)), pair.name)
    start = Op("sliced", (whole, count if backwards else Num(Fraction(0))))
    return [
        Assign((whole,), Op("empty", (body.sizes(length + 1), *map(body.sizes, others)), before.kind)),
        Assign((start,), Var(carried[pair.carry])),
        *(Assign((name,), Op("sliced", (whole, view))) for name, view in zip(names, views, strict=True)),
        Free(whole.name),
    ]


def _stored(array: Var, index: str, value: Code, straight: bool) -> Statement:
    """A value becomes an array's entry at this step."""
    return Assign((array,), Op("with_entry", (array, value))) if straight else Assign((_entry(array, 0, index),), value)


def _named(body: Body, node: Node) -> str:
    """The name of an array from around the loop; what would be written where it is used gets one."""
    code = body._operand(node, tuple(range(node.rank)))
    if isinstance(code, Var):
        return code.name
    name = body.names.fresh(body._hint(node))
    body.statements.append(Assign((Var(name),), code))
    return name


def _entry(array: Code, place: int, index: str, rest: int = 0) -> Code:
    """The array at one step; `rest`: how many axes follow, if that is to be said."""
    more = (Op("further"),) if rest else ()
    return Op("sliced", (array, *(Op("slice") for _ in range(place)), Var(index), *more))


def _passed_on(names: Sequence[str], codes: Sequence[Code]) -> Statement:
    """All that is carried, at once: one may be made of the others' old values."""
    if len(names) == 1:
        return Assign((Var(names[0]),), codes[0])
    return Assign((Op("tuple", tuple(map(Var, names))),), Op("results", tuple(codes)))
