"""Polys out: SymPy index expressions, unevaluated, in an order a reader expects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import sympy
from sympy import Add, Expr, Float, Integer, Mul, Pow, Rational
from sympy.core.basic import Basic

from derive.axes import (
    MATRIX_FUNCTIONS,
    ArgMaxOver,
    ArgMinOver,
    Axis,
    BoolEntry,
    Delta,
    Digamma,
    Entry,
    Expm1,
    Log1mexp,
    Log1p,
    Logcosh,
    MaxOver,
    MeanOver,
    MinOver,
    ProdOver,
    Series,
    Sigmoid,
    Softplus,
    StopGradient,
    SumOver,
    Tensor,
    Tetragamma,
    Trigamma,
    Where,
    fresh_letter,
)

from .algebra import MOST_COMMON, Algebra
from .data import Atom, Head, Letter, Poly, Power, only
from .factor import MEAN, Node, factored, flat, together
from .matrix import entries
from .windows import PLAIN, Form

CALLS: dict[str, Any] = {
    "tanh": sympy.tanh,
    "cosh": sympy.cosh,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "erf": sympy.erf,
    "abs": sympy.Abs,
    "sign": sympy.sign,
    "sigmoid": Sigmoid,
    "softplus": Softplus,
    "log1p": Log1p,
    "expm1": Expm1,
    "log1mexp": Log1mexp,
    "logcosh": Logcosh,
    "erfc": sympy.erfc,
    "series": Series,
    "exp": sympy.exp,
    "log": sympy.log,
    "atan": sympy.atan,
    "asin": sympy.asin,
    "acos": sympy.acos,
    "asinh": sympy.asinh,
    "atanh": sympy.atanh,
    "gamma": sympy.gamma,
    "loggamma": sympy.loggamma,
    "digamma": Digamma,
    "trigamma": Trigamma,
    "tetragamma": Tetragamma,
    "stop_gradient": StopGradient,
}
RELATIONS: dict[str, tuple[Any, Any]] = {
    "gt": (sympy.StrictGreaterThan, sympy.LessThan),
    "eq": (sympy.Eq, sympy.Ne),
}
FLIPPED: dict[Any, Any] = {
    sympy.StrictGreaterThan: sympy.StrictLessThan,
    sympy.StrictLessThan: sympy.StrictGreaterThan,
    sympy.GreaterThan: sympy.LessThan,
    sympy.LessThan: sympy.GreaterThan,
}
REDUCTIONS: dict[str, Any] = {
    "prod": ProdOver,
    "max": MaxOver,
    "min": MinOver,
    "argmax": ArgMaxOver,
    "argmin": ArgMinOver,
}
MATRICES: dict[str, Any] = {kind.name: kind for kind in MATRIX_FUNCTIONS}
Names = Mapping[Letter, Axis]
EMPTY: Names = MappingProxyType({})


def rational(value: Power, decimal: bool = False) -> Expr:
    """The SymPy number; a decimal (0.044715, and 0.2 where decimals stand in the formula) as its author wrote it."""
    fraction = Fraction(value)
    rest = fraction.denominator
    while rest % 2 == 0 or rest % 5 == 0:
        rest //= 2 if rest % 2 == 0 else 5
    if rest == 1 and (decimal or fraction.denominator > MOST_COMMON) and fraction.denominator % 5 == 0:
        return Float(repr(fraction.numerator / fraction.denominator))
    return Rational(fraction.numerator, fraction.denominator)


def times(*factors: Expr) -> Expr:
    """A product in the given order, ones left out, unevaluated."""
    kept = [f for f in factors if f is not sympy.S.One]
    if not kept:
        return Integer(1)
    return kept[0] if len(kept) == 1 else Mul(*kept, evaluate=False)


def plus(*terms: Expr) -> Expr:
    """A sum in the given order, unevaluated."""
    if not terms:
        return Integer(0)
    return terms[0] if len(terms) == 1 else Add(*terms, evaluate=False)


def raised(base: Expr, power: Power) -> Expr:
    return base if power == 1 else Pow(base, rational(power), evaluate=False)


class Writer:
    """Writes polys of one Algebra. `tensor_of(head)` gives the tensor of a name, or None to write its definition."""

    def __init__(self, algebra: Algebra, tensor_of: Callable[[Head], Tensor | None]) -> None:
        self.algebra = algebra
        self.tensor_of = tensor_of

    def write(self, poly: Poly, names: Names, *, factor: bool = True) -> Expr:
        """The expression of a poly whose free letters are named by `names`."""
        nodes = factored(self.algebra, poly) if factor else flat(self.algebra, poly)
        return self.nodes(nodes, names)

    def nodes(self, nodes: tuple[Node, ...], names: Names) -> Expr:
        """A sum of nodes: what is added first, then what is subtracted."""
        nodes = tuple(sorted(nodes, key=lambda n: (n.coefficient < 0, n.coefficient < 0 and _length(n))))
        paired = self._cases(nodes, names)
        return plus(*(paired if paired is not None else [self._node(node, names) for node in nodes]))

    def _cases(self, nodes: tuple[Node, ...], names: Names) -> list[Expr] | None:
        """[c] a + [¬c] b = where(c, a, b): the terms that carry c or its opposite as one, then the others."""
        heads = self.algebra.heads
        for node in nodes if len(nodes) > 1 else ():
            for atom, _ in node.factors:
                head = heads[atom[0]] if atom[0] != MEAN else None
                if head is None or head.opposite < 0 or head.label == "no" or set(atom[1]) & node.bound:
                    continue
                other = (head.opposite, atom[1])
                yes = tuple(_dropped(n, atom) for n in nodes if (atom, 1) in n.factors)
                no = tuple(_dropped(n, other) for n in nodes if (other, 1) in n.factors)
                if not no:
                    continue
                rest = tuple(n for n in nodes if (atom, 1) not in n.factors and (other, 1) not in n.factors)
                others = [self.nodes(rest, names)] if rest else []
                if all(n.coefficient < 0 for n in (*yes, *no)) and rest:  # p − where(c, a, b)
                    yes, no = (tuple(replace(n, coefficient=-n.coefficient) for n in some) for some in (yes, no))
                    case = Where(self.condition(atom, names), self.nodes(yes, names), self.nodes(no, names))
                    return [*others, times(Integer(-1), case)]
                return [Where(self.condition(atom, names), self.nodes(yes, names), self.nodes(no, names)), *others]
        return None

    def _node(self, node: Node, names: Names) -> Expr:
        scope = dict(names)
        self._bind(node, scope)
        means = {a[1][0] for a, _ in node.factors if a[0] == MEAN}
        factors = [f for f in node.factors if f[0][0] != MEAN]
        outer = [f for f in factors if not set(f[0][1]) & node.bound]
        inner = [f for f in factors if f not in outer]
        if any(self._is_exp(f) for f in inner):  # Σ exp(z) exp(−m) stays one exponential, exp(z − m)
            inner += [f for f in outer if self._is_exp(f)]
            outer = [f for f in outer if not self._is_exp(f)]
        bracket = self.nodes(node.inner, scope) if node.inner else Integer(1)
        bracket_inside = any(self._mentions(n, node.bound) for n in node.inner)
        parts = [] if node.coefficient == 1 else [rational(node.coefficient, self.algebra.decimal)]
        tests = [f for f in outer if self._is_guard(f)]
        parts += self._product([f for f in outer if f not in tests], scope)
        for letters, own in self._independent(inner, node.bound, whole=bracket_inside) if node.bound else ():
            guards = [f for f in own if self._is_guard(f)]
            body = times(*self._product([f for f in own if f not in guards], scope),
                         *([bracket] if bracket_inside else []))  # fmt: skip
            order = {a: self._declared(a, scope) for a in letters}
            plain, mean = (sorted(some, key=order.__getitem__) for some in (letters - means, letters & means))
            parts.append(self._summed(self._guarded(body, guards, scope), plain, mean, scope))
        if not bracket_inside:
            parts.append(bracket)
        return self._guarded(times(*parts), tests, scope)

    def _declared(self, letter: Letter, names: Names) -> tuple[int, int, Letter]:
        """Letters in the order in which their axes were first met."""
        own = self._own(letter)
        return self.algebra.letter_space[letter], own.index(names[letter]) if names[letter] in own else len(own), letter

    def _independent(
        self, factors: list[tuple[Atom, Power]], bound: frozenset[Letter], *, whole: bool
    ) -> list[tuple[frozenset[Letter], list[tuple[Atom, Power]]]]:
        """Σ_{c,d} a_c b_d as (Σ_c a_c)(Σ_d b_d): the letters and factors of each sum."""
        groups: list[tuple[frozenset[Letter], list[tuple[Atom, Power]]]] = []
        for factor in factors:
            letters, own = frozenset(factor[0][1]) & bound, [factor]
            joined = [g for g in groups if g[0] & letters]
            groups = [g for g in groups if g not in joined]
            groups.append((letters.union(*(g[0] for g in joined)), [*(f for g in joined for f in g[1]), *own]))
        covered = frozenset[Letter]().union(*(g[0] for g in groups))
        apart = len(groups) > 1 and covered == bound and all(letters for letters, _ in groups)
        return groups if apart and not whole else [(bound, factors)]

    def _is_exp(self, factor: tuple[Atom, Power]) -> bool:
        head = self.algebra.heads[factor[0][0]]
        return head.kind == "op" and head.label == "exp"

    def _is_guard(self, factor: tuple[Atom, Power]) -> bool:
        head = self.algebra.heads[factor[0][0]]
        return head.kind == "test" and head.label != "window"

    def _guarded(self, value: Expr, tests: list[tuple[Atom, Power]], names: Names) -> Expr:
        for atom, _ in tests:
            value = Where(self.condition(atom, names), value, Integer(0))
        return value

    @staticmethod
    def _mentions(node: Node, letters: frozenset[Letter]) -> bool:
        return any(set(a[1]) & letters for a, _ in node.factors) or any(
            Writer._mentions(n, letters) for n in node.inner
        )

    def _summed(self, body: Expr, plain: list[Letter], means: list[Letter], names: Names) -> Expr:
        if plain:
            body = SumOver(body, *(names[a] for a in plain))
        return MeanOver(body, *(names[a] for a in means)) if means else body

    def _bind(self, node: Node, scope: dict[Letter, Axis]) -> None:
        """Name the bound letters apart from everything in scope."""
        scope.update(self.letters_for(sorted(node.bound), scope, node.factors))

    def letters_for(
        self, letters: Iterable[Letter], scope: Names = EMPTY, factors: Iterable[tuple[Atom, Power]] = ()
    ) -> dict[Letter, Axis]:
        """A user's letter of the right length for each, none twice and none that is in scope; else an alias of one.

        Of several, the one that the user writes beside the same letters: r with h, q with w.
        """
        indices = list(together(self.algebra, factors)) if self.algebra.beside else []
        used, found = {a.name for a in scope.values()}, dict[Letter, Axis]()
        for letter in sorted(letters, key=lambda a: len(self._own(a))) if indices else letters:
            own = self._own(letter)
            free = [a for a in own if a.name not in used]
            near = {**scope, **found}
            mates = [near[a] for index in indices if letter in index for a in index if a in near]
            beside = {a: sum(frozenset((a, mate)) in self.algebra.beside for mate in mates) for a in free}
            chosen = max(free, key=beside.__getitem__, default=None) or fresh_letter(own[0], used)
            used.add(chosen.name)
            found[letter] = chosen
        return found

    def _own(self, letter: Letter) -> list[Axis]:
        return self.algebra.axes_of[self.algebra.letter_space[letter]]

    def _product(self, factors: list[tuple[Atom, Power]], names: Names) -> list[Expr]:
        """Factors in order: symbols, then tensors and functions; the exponentials of a product as one."""
        heads = self.algebra.heads
        order = sorted(factors, key=lambda f: (heads[f[0][0]].kind != "symbol", f[1] < 0, f[0]))
        exps = [f for f in order if self._is_exp(f)]
        parts = [self._atom(atom, power, names) for atom, power in order if (atom, power) not in exps]
        if exps:
            exponent = self.algebra.add(
                *(self.algebra.scaled(self.algebra.arguments(heads[a[0]], a[1])[0], p) for a, p in exps)
            )
            parts.append(sympy.exp(self.write(exponent, names), evaluate=False))
        return parts

    def _atom(self, atom: Atom, power: Power, names: Names) -> Expr:
        head, letters = self.algebra.heads[atom[0]], atom[1]
        at = tuple(names[a] for a in letters)
        if head.kind == "tensor":
            return raised(Entry(self.tensor_of(head) or head.payload, *at), power)
        if head.kind == "symbol":
            return raised(head.payload, power)
        if head.kind == "index":
            return raised(at[0], power)
        if head.kind == "delta":
            return Delta(*at)
        if head.kind == "test":
            return self._test(head, atom, names)
        if head.kind == "name":
            tensor = self.tensor_of(head)
            if tensor is not None:
                return raised(Entry(tensor, *at), power)
            return raised(self.write(self.algebra.arguments(head, letters)[0], names), power)
        return raised(self.call(head, letters, names), power)

    def _test(self, head: Head, atom: Atom, names: Names) -> Expr:
        if head.label == "window":
            return self._window(head.payload, atom[1], names)
        return Where(self.condition(atom, names), Integer(1), Integer(0))

    def _window(self, form: Form, letters: tuple[Letter, ...], names: Names) -> Expr:
        """δ(y, s·h + r − p): solved for a letter whose sign the other terms do not have, where there is one."""
        parts = [(c, head, self._integer(head, at, names)) for c, head, at in form.parts(letters)]
        alone = [k for k, (c, head, _) in enumerate(parts) if head == PLAIN and c in (1, -1)]
        alone.sort(key=lambda k: sum(c.could_extract_minus_sign() == parts[k][0].could_extract_minus_sign()
                                     for c, _, _ in parts))  # fmt: skip
        if not alone:
            value = sum((c * a for c, _, a in parts), form.constant)
            return Delta(value, Integer(0))
        lead = parts.pop(alone[0])
        turn = -lead[0]
        terms = [t * a for c, _, a in parts for t in sympy.Add.make_args(sympy.expand(turn * c))]
        rest = sympy.Add(*terms, sympy.expand(turn * form.constant))  # never into what stands in an integer entry
        return Delta(lead[2], rest)

    def _integer(self, head: int, letters: tuple[Letter, ...], names: Names) -> Expr:
        """A letter, an integer entry, or where a maximum stands."""
        if head == PLAIN:
            return names[letters[0]]
        tensor = self.tensor_of(self.algebra.heads[head]) if self.algebra.heads[head].kind == "op" else None
        if tensor is not None:
            return Entry(tensor, *(names[a] for a in letters))
        return self._atom((head, letters), 1, names)

    def call(self, head: Head, letters: tuple[Letter, ...], names: Names) -> Expr:
        polys, over = self.algebra.unbound(head, letters)
        if head.label in MATRICES:
            scope = dict(names)
            self._bind(Node(1, (), frozenset(over)), scope)
            at = (names[a] for a in entries(head, letters)[1])
            return MATRICES[head.label](self.write(polys[0], scope), *(scope[a] for a in over), *at)
        if head.label in REDUCTIONS:
            scope = dict(names)
            self._bind(Node(1, only(polys[0]), frozenset(over)), scope)
            body = self.write(polys[0], scope)
            for guard in polys[1:]:
                hidden = -sympy.oo if head.label.endswith("max") else sympy.oo
                body = Where(self._guard(guard, scope), body, hidden)
            place = () if head.payload is None else (Integer(head.payload),)
            return REDUCTIONS[head.label](body, *(scope[a] for a in over), *place)
        arguments = [self.write(p, names) for p in polys]
        if head.label == "max2":
            return Where(sympy.StrictGreaterThan(*arguments, evaluate=False), *arguments)
        if head.label == "case":
            return Where(sympy.Ne(arguments[0], 0, evaluate=False), *arguments[1:])
        if head.label == "pow":
            return Pow(*arguments, evaluate=False)
        return CALLS[head.label](*arguments, evaluate=False)

    def _guard(self, poly: Poly, names: Names) -> Basic:
        """The condition whose [c] is this poly: one product of tests; else a comparison of the whole."""
        if len(poly) == 1 and poly[0][1] == 1 and not poly[0][0][1]:
            factors = poly[0][0][0]
            if all(self._is_guard(f) for f in factors):
                conditions = [self.condition(atom, names) for atom, _ in factors]
                return conditions[0] if len(conditions) == 1 else sympy.And(*conditions, evaluate=False)
        return sympy.StrictGreaterThan(self.write(poly, names), 0, evaluate=False)

    def condition(self, atom: Atom, names: Names) -> Basic:
        """The condition of a test."""
        head, letters = self.algebra.heads[atom[0]], atom[1]
        holds = head.label != "no"
        of = head if holds else self.algebra.heads[head.opposite]
        if of.kind == "delta" or of.label == "window":
            same = (
                Delta(*(names[a] for a in letters)) if of.kind == "delta" else self._window(of.payload, letters, names)
            )
            return (sympy.Eq if holds else sympy.Ne)(*same.args, evaluate=False)
        if isinstance(head.payload, Tensor):
            entry = BoolEntry(head.payload, *(names[a] for a in letters))
            return entry if holds else sympy.Not(entry, evaluate=False)
        relation = RELATIONS[head.payload][0 if holds else 1]
        sides = [self.write(p, names) for p in self.algebra.arguments(head, letters)]
        if head.of == "flipped":  # written a < b, held as b > a
            return FLIPPED[relation](*sides[::-1], evaluate=False)
        return relation(*sides, evaluate=False)


def _length(node: Node) -> int:
    """How much stands in a node: among subtracted terms the shorter come first (ĝ − mean ĝ − x̂ mean ĝx̂)."""
    return len(node.factors) + sum(_length(n) for n in node.inner)


def _dropped(node: Node, atom: Atom) -> Node:
    """The node without a test."""
    return Node(node.coefficient, tuple(f for f in node.factors if f[0] != atom), node.bound, node.inner)


__all__ = ["Writer", "plus", "rational", "times"]
