"""`chain`: the first positional input of each formula is what the one before gave."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sympy import Expr, Symbol
from sympy.core.basic import Basic

from derive.axes import Axis, DeriveError, Scalar, ShapeError, Size, T, Tensor, TensorType, cut_anew, mapped, tied
from derive.formula import (
    Assumption,
    Formula,
    Parameter,
    Traced,
    build,
    elementwise,
    instantiate,
    kind_of,
    register,
    told_apart,
)


def chain(*steps: Formula | Callable[[Any], Any], name: str | None = None) -> Formula:
    """Formulas and scalar functions composed: axes unify by position, all other names are told apart (w_1, w_2).

    With a `name` the network enters the catalogue. Raises ShapeError when a step's first input does not fit what
    flows into it.
    """
    if not steps:
        raise DeriveError("chain: expected at least one formula")
    links = tuple(step if isinstance(step, Formula) else _lifted(step) for step in steps)
    label = name or " >> ".join(link.name for link in links)
    traced = _compose(label, tuple(link.trace() for link in links))
    parameters = (
        *(Parameter(t.name, "tensor", TensorType(t.axes, t.dtype, traced.elementwise)) for t in traced.inputs),
        *(Parameter(s.name, "scalar", default=s.default) for s in traced.scalars),
        *(Parameter(s.name, "size", default=s.default) for s in traced.sizes),
    )
    doc = "Composition: " + ", then ".join(link.name for link in links) + "."
    kind = kind_of(sys._getframe(1).f_globals.get("__name__", ""))
    made = Formula(label, doc, parameters, kind, label, lambda _: traced)
    return register(made) if name else made


def _lifted(function: Callable[[Any], Any]) -> Formula:
    """A scalar function such as derive.exp as an elementwise formula."""
    if not callable(function):
        raise DeriveError(f"chain: expected formulas or scalar functions, given {function!r}")
    name = getattr(function, "__name__", "function")

    def body(x: Any) -> Any:
        return function(x)

    body.__name__ = name
    body.__annotations__ = {"x": T[...], "return": T[...]}
    return build(body, name, {})


def _apart(names: list[str]) -> dict[int, str]:
    """Place → name: names that occur more than once get _1, _2, … in order, skipping names already there."""
    counts, seen, used = Counter(names), Counter[str](), set(names)
    found: dict[int, str] = {}
    for place, name in enumerate(names):
        if counts[name] == 1:
            found[place] = name
            continue
        seen[name] += 1
        while f"{name}_{seen[name]}" in used:
            seen[name] += 1
        found[place] = f"{name}_{seen[name]}"
    return found


def _renamed(traced: Traced, symbols: Mapping[Basic, Basic]) -> Traced:
    """The trace with letters, lengths, inputs and scalars exchanged; the mapping is injective."""

    def change(node: Basic) -> Basic | None:
        if isinstance(node, Axis):
            return symbols.get(node, Axis(node.name, node.size.xreplace(sizes)))
        return made.get(node) if isinstance(node, Tensor) else symbols.get(node)

    sizes = {old: new for old, new in symbols.items() if isinstance(old, Size)}
    made: dict[Basic, Tensor] = {}
    for t in traced.inputs:
        made[t] = t.with_(name=str(symbols.get(Symbol(t.name), t.name)), axes=[change(a) for a in t.axes])
    cuts = cut_anew(traced.definitions, lambda c: [a for a in map(change, c.axes) if isinstance(a, Axis)])
    made.update(cuts)
    for t in traced.definitions:
        made[t] = t.with_(axes=[change(a) for a in t.axes], body=mapped(t.body, change))
    tied(cuts, made)
    return replace(
        traced,
        inputs=tuple(made[t] for t in traced.inputs),
        scalars=tuple(symbols.get(s, s) for s in traced.scalars),
        sizes=tuple(symbols.get(s, s) for s in traced.sizes),
        outputs=tuple(made[t] for t in traced.outputs),
        assumptions=tuple(Assumption(mapped(a.statement, change), a.sample) for a in traced.assumptions),
    )


def _own_axes(traced: Traced, flow: Tensor) -> list[Axis]:
    """The letters a link brings itself: those its flow input does not bind."""
    brought = dict.fromkeys(a for t in (*traced.inputs[1:], *traced.outputs) for a in t.axes)
    return [a for a in brought if a not in flow.axes and a.size not in {f.size for f in flow.axes}]


def _compose(name: str, links: tuple[Traced, ...]) -> Traced:
    for link in links:
        if not link.inputs:
            raise DeriveError(f"chain: {link.name} has no tensor input for the flow to enter")
    renamed = tuple(_renamed(link, table) for link, table in zip(links, _tables(links), strict=True))
    first = _shaped(renamed)
    flow, inputs, assumptions = first.outputs, list(first.inputs), list(first.assumptions)
    for link in renamed[1:]:
        if len(flow) != 1:
            raise ShapeError(f"chain: {len(flow)} outputs flow into {link.name}, which takes one")
        link, brought = _joined(link, flow[0].with_(role="let"))
        flow, inputs = link.outputs, [*inputs, *brought]
        assumptions += link.assumptions
    taken = {t.name for t in inputs}
    outputs = told_apart(tuple(o.with_(role="output") for o in flow), taken)
    scalars = tuple(s for link in renamed for s in link.scalars)
    sizes = tuple(s for link in renamed for s in link.sizes)
    return Traced(name, tuple(inputs), scalars, sizes, outputs, tuple(assumptions), all(k.elementwise for k in links))


def _shaped(links: tuple[Traced, ...]) -> Traced:
    """The first link; an elementwise one takes the shape that the first link with a shape expects."""
    first, shaped = links[0], next((link for link in links if not link.elementwise), None)
    if not first.elementwise or shaped is None:
        return first
    inputs = tuple(t.with_(axes=shaped.inputs[0].axes) for t in first.inputs)
    result = elementwise(first, {t.name: t for t in inputs}, {})
    return replace(first, inputs=inputs, outputs=(result,) if isinstance(result, Tensor) else result)


def _joined(link: Traced, flow: Tensor) -> tuple[Traced, list[Tensor]]:
    """`link` with its first input bound to the flow; its other inputs become inputs of the chain."""
    entry, rest = link.inputs[0], link.inputs[1:]
    if link.elementwise:
        brought = [t.with_(axes=flow.axes) for t in rest]
        result = elementwise(link, {entry.name: flow, **{t.name: t for t in brought}}, {})
        return replace(link, outputs=(result,) if isinstance(result, Tensor) else result), brought
    pairs = zip((a.size for a in entry.axes), (a.size for a in flow.axes), strict=False)
    sizes: dict[Basic, Expr] = {formal: actual for formal, actual in pairs if isinstance(formal, Size)}
    letters = dict(zip(entry.axes, flow.axes, strict=False))
    used = {a.name for a in flow.axes}

    def actual(letter: Axis) -> Axis:
        same = letters.get(letter)
        if same is not None:
            return same
        new = Axis(letter.name, letter.size.xreplace(sizes))
        return new.alias(f"{new.name}_p") if new.name in used else new

    brought = [t.with_(axes=[actual(a) for a in t.axes]) for t in rest]
    made = instantiate(link, {entry.name: flow, **{t.name: t for t in brought}}, {}, {s.name: s for s in link.sizes})
    return replace(link, outputs=made.outputs, assumptions=made.assumptions), brought


def _tables(links: tuple[Traced, ...]) -> list[dict[Basic, Basic]]:
    """For each link, the renaming that tells its inputs, scalars and own axes apart from the other links'."""
    slots: list[tuple[int, str, Any]] = []
    for number, link in enumerate(links):
        own = link.inputs if number == 0 else link.inputs[1:]
        slots += [(number, t.name, Symbol(t.name)) for t in own]
        slots += [(number, s.name, s) for s in link.scalars]
        slots += [(number, s.name, s) for s in link.sizes]
        letters = list(dict.fromkeys(a for t in link.inputs for a in t.axes)) if number == 0 else []
        slots += [(number, a.name, a) for a in letters or []]
        slots += [(number, a.name, a) for a in _own_axes(link, link.inputs[0]) if a not in letters]
    tables: list[dict[Basic, Basic]] = [{} for _ in links]
    for place, new in _apart([name for _, name, _ in slots]).items():
        number, name, symbol = slots[place]
        if new == name:
            continue
        if isinstance(symbol, Axis):
            size = Size(f"{symbol.size}{new.removeprefix(name)}") if isinstance(symbol.size, Size) else symbol.size
            tables[number][symbol.size] = size
            tables[number][symbol] = Axis(new, size)
        elif isinstance(symbol, Scalar):
            tables[number][symbol] = Scalar(new, symbol.default)
        elif isinstance(symbol, Size):
            tables[number][symbol] = Size(new, min=symbol.min).with_default(symbol.default)
        else:
            tables[number][symbol] = Symbol(new)
    return tables
