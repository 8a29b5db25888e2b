"""Index expressions → array nodes: a reader for each kind of expression, in the table READERS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from sympy import Add, And, Function, Mod, Mul, Not, Or, Pow, ceiling, floor
from sympy.core.function import Application
from sympy.core.numbers import Float, Infinity, NegativeInfinity, NumberSymbol, Rational
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanAtom

from derive.axes import (
    ArgMaxOver,
    ArgMinOver,
    Axis,
    BoolEntry,
    Carried,
    Delta,
    Entry,
    Log1mexp,
    Logcosh,
    MatrixFunction,
    MaxOver,
    MeanOver,
    MinOver,
    PaddedBoolEntry,
    PaddedEntry,
    ProdOver,
    Scalar,
    Series,
    Sigmoid,
    Size,
    Softplus,
    StopGradient,
    SumOver,
    Tensor,
    Unsupported,
    Where,
    free_axes,
    fresh_letter,
    in_range,
    letters_of,
    rename,
    whole,
)

from . import extrema, functions, matrix, running, selection
from .algebra import ONE, Hint, Term, added, elementwise, multiplied, real
from .contract import Product
from .definite import Definite
from .integer import integer
from .node import Graph, View
from .solve import contracted
from .symmetric import opened_sums
from .window import at, constant


class Reader:
    """Reads index expressions into one graph. `sources` gives the view of each tensor that has no body."""

    def __init__(
        self,
        graph: Graph,
        sources: Mapping[Tensor, View],
        where: str,
        cycles: Mapping[Tensor, Callable[[Reader], None]] | None = None,
        definite: Definite | None = None,
        once: frozenset[Tensor] = frozenset(),
    ) -> None:
        self.definite = definite or Definite(())
        self.once = once
        self.cycles = cycles or {}  # definitions of a recurrence, and what lowers all of it
        self.graph = graph
        self.where = where
        self.defined: dict[Tensor, View] = dict(sources)
        self.flat = {letter for t, view in sources.items() for letter in view.letters if letter not in t.axes}
        self.letters: list[Axis] = []  # those of a loop around the expression at hand: one value at a time
        self.guards: tuple[View, ...] = ()  # conditions under which the expression at hand is selected
        self._readers: dict[type, Callable[[Reader, Any, Hint], View]] = {}
        self._fallible: dict[Tensor, bool] = {}

    def read(self, expression: Any, hint: Hint) -> View:
        """The view of an expression; `hint` is the order its letters would like to have."""
        kind = type(expression)
        if kind not in self._readers:
            found = next((reader for known, reader in READERS if issubclass(kind, known)), None)
            if found is None:
                raise Unsupported(f"{self.where}: no array operation for {kind.__name__}, in {expression}")
            self._readers[kind] = found
        return self._readers[kind](self, expression, hint)

    def define(self, tensor: Tensor) -> View:
        """The view of a definition, over the tensor's own letters."""
        if isinstance(tensor, Carried) and tensor.target is not None:
            return self.define(tensor.target)
        if tensor in self.cycles and tensor not in self.defined:
            self.cycles[tensor](self)
        if tensor not in self.defined:
            if tensor.body is None:
                raise Unsupported(f"{self.where}: tensor {tensor.name} is neither an input nor defined")
            integers = tensor.dtype == "int" and whole(tensor.body)
            named = matrix.named if isinstance(tensor.body, MatrixFunction) else Reader.read
            read: Any = integer if integers else named
            self.defined[tensor] = read(self, self._prepared(tensor), tensor.axes)
        return self.defined[tensor]

    def _prepared(self, tensor: Tensor) -> Any:
        """The body with symmetric entries in one order, and sums opened that alone read a large product."""
        body = self.definite.ordered(tensor.body, tensor.axes)
        return opened_sums(body, self.once) if self.once else body

    def opened(self, term: Any) -> Any:
        """A reduction whose letters are not those of a guard around it."""
        taken = {letter for guard in self.guards for letter in guard.letters}
        clash = {a: fresh_letter(a, {t.name for t in taken | letters_of(term)}) for a in term.axes if a in taken}
        return term.rebound(rename(term.body, clash), [clash.get(a, a) for a in term.axes]) if clash else term

    def steady(self, parts: list[Any]) -> tuple[list[Any], list[Any]]:
        """The summands or factors to be taken by themselves, and those to be taken together: see `StepReader`."""
        return parts, []

    def fallible(self, tensor: Tensor) -> bool:
        """Whether a definition divides, or calls a function that is not finite everywhere."""
        if tensor not in self._fallible:
            body: Any = tensor.body
            self._fallible[tensor] = any(map(selection.can_fail, body.atoms(Function, Pow)))
        return self._fallible[tensor]


# Leaves


def _entry(r: Reader, entry: Any, hint: Hint) -> View:
    tensor = entry.tensor
    given = dict(zip(tensor.axes, entry.indices, strict=True))
    padded = isinstance(entry, (PaddedEntry, PaddedBoolEntry))
    if r.guards and tensor.body is not None and not padded and r.fallible(tensor):
        inside = {letter for index in entry.indices for letter in free_axes(index)} | r.flat
        guards, outer = tuple(g for g in r.guards if inside >= set(g.letters)), r.guards
        if guards:  # evaluated again, under the guards on its own letters
            r.guards = guards
            made = r.read(rename(tensor.body, given), hint)
            r.guards = outer
            return made
    # of an integer tensor that indexes, a window may have moved the index out, where a condition around it is 0
    proved = not padded and (tensor.dtype != "int" or all(in_range(i, a.size) for a, i in given.items()))
    return at(r, r.define(tensor), given, hint, proved=proved)


def _rational(r: Reader, number: Any, hint: Hint) -> View:
    return r.graph.number(Fraction(int(number.p), int(number.q)))


def _float(r: Reader, number: Any, hint: Hint) -> View:
    return r.graph.number(Fraction(float(number)))


def _size(r: Reader, size: Any, hint: Hint) -> View:
    return r.graph.host("size", attr=size)


def _infinite(r: Reader, number: Any, hint: Hint) -> View:
    return constant(r.graph, float(number))


def _scalar(r: Reader, scalar: Any, hint: Hint) -> View:
    return r.graph.host("scalar", attr=scalar.name)


def _letter(r: Reader, letter: Any, hint: Hint) -> View:
    return r.graph.make("arange", (), (letter,), kind="int")


def _delta(r: Reader, delta: Any, hint: Hint) -> View:
    return contracted(r, Product(deltas=[delta.args]), (), hint)


def _integer(r: Reader, term: Any, hint: Hint) -> View:
    return integer(r, term, hint) if whole(term) else functions.function(r, term, hint)


# Arithmetic


def _reduces(term: Any) -> bool:
    return bool(term.has(SumOver, MeanOver))


def _add(r: Reader, total: Any, hint: Hint) -> View:
    sign, view = added(r.graph, _terms(r, total, hint), hint)
    return view if sign > 0 else multiplied(r.graph, r.graph.number(-ONE), view, hint)


def _terms(r: Reader, total: Any, hint: Hint) -> list[Term]:
    """The summands with their signs. What reduces is read last, after short products before long ones: each finds the
    products that others have made."""
    args, steady = r.steady(list(total.args))
    order = sorted(range(len(args)), key=lambda k: (_reduces(args[k]), len(Mul.make_args(args[k]))))
    signed = {k: _signed(r, args[k], hint) for k in order}
    terms = [term for k in range(len(args)) for term in signed[k]]
    return terms if not steady else [*terms, (1, r.read(Add(*steady, evaluate=False), hint))]


def _signed(r: Reader, term: Any, hint: Hint) -> list[Term]:
    if isinstance(term, Add):
        return [added(r.graph, _terms(r, term, hint), hint)]
    if isinstance(term, Mul):
        parts = _factors(r, term, hint)
        sign = -1 if parts.coefficient < 0 else 1
        parts.coefficient *= sign
        return [(sign, contracted(r, parts, (), hint))]
    if type(term) is SumOver:
        term = r.opened(term)
        if len(addends := selection.distributed(selection.parted(term.body))) > 1:
            return [part for addend in addends for part in _signed(r, SumOver(addend, *term.axes), hint)]
    view = r.read(term, hint)
    if view.node.op == "number" and view.node.attr < 0:
        return [(-1, r.graph.number(-view.node.attr))]
    return [(1, view)]


def _mul(r: Reader, term: Any, hint: Hint) -> View:
    return contracted(r, _factors(r, term, hint), (), hint)


def _pow(r: Reader, term: Any, hint: Hint) -> View:
    exponent = r.read(term.exp, hint)
    if exponent.node.op == "number":
        return contracted(r, _factors(r, term, hint), (), hint)
    base = real(r.graph, r.read(term.base, hint))
    if base.host and exponent.host:
        return r.graph.host("host_power", base, exponent)
    return elementwise(r.graph, "power", [base, real(r.graph, exponent)], hint)


def _factors(r: Reader, term: Any, hint: Hint) -> Product:
    """A term as coefficient, numbers and arrays with exponents. Numbers before one reduction go into it."""
    parts = Product()
    numbers, rest = _split(term)
    for number in numbers:
        _factor(r, parts, number, ONE, hint)
    if len(rest) == 1 and isinstance(rest[0], (SumOver, MeanOver)):
        whole = Product()
        sign = -1 if parts.coefficient < 0 else 1
        parts.coefficient *= sign
        _times(whole, _sum_of(r, rest[0], parts, hint))
        whole.coefficient *= sign
        return whole
    rest, steady = r.steady(rest)
    for factor in sorted(rest, key=_reduces):
        _factor(r, parts, factor, ONE, hint)
    if steady:
        _times(parts, r.read(Mul(*steady, evaluate=False), hint))
    return parts


def _split(term: Any) -> tuple[list[Any], list[Any]]:
    """Factors that are numbers of the host, and the others; nested products are one."""
    if not isinstance(term, Mul):
        return ([], [term]) if term.has(Tensor, Axis) else ([term], [])
    numbers, rest = [], []
    for arg in term.args:
        more_numbers, more = _split(arg)
        numbers += more_numbers
        rest += more
    return numbers, rest


def _times(parts: Product, view: View, exponent: Fraction = ONE) -> None:
    if view.node.op == "number" and exponent.denominator == 1 and view.node.attr:
        parts.coefficient *= view.node.attr ** int(exponent)
    elif view.node.op == "number" and not view.node.attr and exponent > 0:
        parts.coefficient = Fraction(0)
    else:
        parts.times(view, exponent)


def _factor(r: Reader, parts: Product, factor: Any, exponent: Fraction, hint: Hint) -> None:
    """parts · factor**exponent."""
    if isinstance(factor, Delta) and exponent > 0:
        parts.deltas.append(factor.args)
        return
    if isinstance(factor, Mul) and exponent.denominator == 1:
        for arg in factor.args:
            _factor(r, parts, arg, exponent, hint)
        return
    if isinstance(factor, Pow):
        inner = r.read(factor.exp, hint).node
        if inner.op == "number" and (exponent == 1 or inner.attr.denominator == 1 == exponent.denominator):
            return _factor(r, parts, factor.base, inner.attr * exponent, hint)
    if isinstance(factor, Add) and exponent.denominator == 1:
        sign, view = added(r.graph, _terms(r, factor, hint), hint)
        parts.coefficient *= sign if exponent.numerator % 2 else 1
    else:
        view = r.read(factor, hint)
    if exponent < 0 or exponent.denominator != 1:
        view = selection.guarded(r, real(r.graph, view), "power", hint)
    _times(parts, view if exponent == 1 else real(r.graph, view), exponent)


# Reductions


def _sum(r: Reader, term: Any, hint: Hint) -> View:
    return _sum_of(r, term, Product(), hint)


def _sum_of(r: Reader, term: Any, parts: Product, hint: Hint) -> View:
    """parts · Σ term: nested sums are one, a mean is a sum times the reciprocal of the lengths."""
    letters: list[Axis] = []
    while True:
        term = r.opened(term)
        inside = selection.parted(term.body)
        for letter in term.axes:
            if isinstance(term, MeanOver):
                parts.times(r.graph.host("size", attr=letter.size), -ONE)
        for letter in [a for a in letters if a in term.axes]:  # bound anew inside: the outer one is never read
            letters.remove(letter)
            parts.times(r.graph.host("size", attr=letter.size))
        letters += term.axes
        numbers, rest = _split(inside)
        if len(rest) != 1 or not isinstance(rest[0], (SumOver, MeanOver)):
            break
        for number in numbers:
            _factor(r, parts, number, ONE, hint)
        term = rest[0]
    if len(rest) == 1 and (made := running.total(r, rest[0], letters, hint)):
        for number in numbers:
            _factor(r, parts, number, ONE, hint)
        parts.times(made)
        return contracted(r, parts, (), hint)
    if len(addends := selection.distributed(inside)) > 1:
        sign, total = added(r.graph, [(1, _sum_of(r, SumOver(a, *letters), Product(), hint)) for a in addends], hint)
        parts.coefficient *= sign
        parts.times(total)
        return contracted(r, parts, (), hint)
    inner = [*(a for a in hint if a not in letters), *letters]
    body = _factors(r, inside, inner)
    body.coefficient *= parts.coefficient
    for view, exponent in [*((View(node, ()), exponent) for node, exponent in parts.hosts.items()), *parts.arrays]:
        body.times(view, exponent)
    return contracted(r, body, letters, inner[: len(inner) - len(letters)])


def _product(r: Reader, term: Any, hint: Hint) -> View:
    term = r.opened(term)
    body = real(r.graph, r.read(term.body, [*(a for a in hint if a not in term.axes), *term.axes]))
    here = [a for a in term.axes if a in body.letters]
    for letter in [a for a in term.axes if a not in here]:
        size = r.graph.host("size", attr=letter.size)
        both = r.graph.host("host_power", body, size) if body.host else None
        body = both or elementwise(r.graph, "power", [body, size], hint)
    kept = tuple(a for a in body.letters if a not in here)
    return r.graph.make("prod", [body], kept) if here else body


READERS: tuple[tuple[type, Callable[[Reader, Any, Hint], View]], ...] = (
    (Entry, _entry),
    (BoolEntry, _entry),
    (Infinity, _infinite),
    (NegativeInfinity, _infinite),
    (Rational, _rational),
    (Float, _float),
    (NumberSymbol, _float),
    (Size, _size),
    (Scalar, _scalar),
    (Axis, _letter),
    (Add, _add),
    (Mul, _mul),
    (Pow, _pow),
    (SumOver, _sum),
    (MeanOver, _sum),
    (MaxOver, extrema.extremum("max")),
    (MinOver, extrema.extremum("min")),
    (ArgMinOver, extrema.place("argmin")),
    (ArgMaxOver, extrema.place("argmax")),
    (ProdOver, _product),
    (MatrixFunction, matrix.matrix),
    (Delta, _delta),
    (Where, selection.where),
    (Relational, selection.relation),
    (And, selection.connective("logical_and")),
    (Or, selection.connective("logical_or")),
    (Not, selection.connective("logical_not")),
    (BooleanAtom, selection.truth),
    (Sigmoid, functions.sigmoid),
    (Softplus, functions.softplus),
    (Log1mexp, functions.log1mexp),
    (Logcosh, functions.logcosh),
    (Series, functions.series),
    (StopGradient, lambda reader, held, hint: reader.read(held.args[0], hint)),  # its value: nothing to do
    (floor, _integer),
    (ceiling, _integer),
    (Mod, _integer),
    (Application, functions.function),
)
