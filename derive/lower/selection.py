"""Conditions and selections: `where(c, a, b)` evaluates a only where c holds, as far as numbers can tell.

NumPy evaluates both branches everywhere. So a function that is not finite everywhere gets, inside a branch, an argument
that is harmless where the branch is not selected: `np.log(np.where(c, x, 1.0))` neither warns nor gives NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING, Any

from sympy import Add, And, Mul, Pow, exp, oo, true
from sympy.core.relational import GreaterThan, LessThan, StrictGreaterThan, StrictLessThan

from derive.axes import Delta, Entry, Where, free_axes, whole

from .algebra import ONE, Hint, Law, decide, elementwise, multiplied, real
from .integer import compared
from .node import Graph, Node, View

if TYPE_CHECKING:
    from .read import Reader

RELATIONS = {
    ">": "greater",
    ">=": "greater_equal",
    "<": "less",
    "<=": "less_equal",
    "==": "equal",
    "!=": "not_equal",
}
NEGATED = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "==": "!=", "!=": "=="}

# An argument at which each function that can fail is harmless: it overflows, has a pole, or is undefined elsewhere.
HARMLESS = {
    "power": 1,
    "log": 1,
    "log2": 1,
    "log10": 1,
    "special.gamma": 1,
    "series": 0,
    "special.gammaln": 1,
    "special.digamma": 1,
    "special.zeta": 1,
    "arccosh": 1,
    **dict.fromkeys("exp exp2 expm1 sinh cosh tan log1p arcsin arccos arctanh special.erfinv".split(), 0),
}
CAN_FAIL = set(
    "exp log log2 log10 exp2 Expm1 sinh cosh tan Log1p Log1mexp Series".split()
    + "gamma loggamma Digamma Trigamma Tetragamma".split()
) | set("asin acos acosh atanh erfinv".split())


def can_fail(part: Any) -> bool:
    """Whether a function or power is not finite for every finite argument."""
    if isinstance(part, Pow):
        return not (part.exp.is_Integer and part.exp > 0)
    return type(part).__name__ in CAN_FAIL


def distributed(body: Any) -> tuple[Any, ...]:
    """(a b + a′ b′) c as a b c, a′ b′ c, where no array has all letters of the bracket: summed one by one, each is a
    product, a gather or windows; as one, an array of all these letters."""
    factors = _flat(body)
    for place, factor in enumerate(factors):
        if isinstance(factor, Add) and not any(_whole(term, set(free_axes(factor))) for term in factor.args):
            rest = factors[:place] + factors[place + 1 :]
            terms = (Mul(*rest, term, evaluate=False) if rest else term for term in factor.args)
            return tuple(part for term in terms for part in distributed(term))
    return (body,)


def _flat(body: Any) -> list[Any]:
    """The factors, of products among them, too."""
    return [f for factor in body.args for f in _flat(factor)] if isinstance(body, Mul) else [body]


def _whole(term: Any, letters: set[Any]) -> bool:
    """Whether a factor of the term, other than δ, has all of the letters; of a bracket, in any of its terms."""
    having = [f for f in Mul.make_args(term) if letters <= set(free_axes(f)) and not isinstance(f, Delta)]
    return any(not isinstance(f, Add) or any(_whole(part, letters) for part in f.args) for f in having)


def parted(body: Any) -> Any:
    """[c]·(a·b) as b·[c]a, where entries b have not all of c's letters: what remains is a product, or windows."""
    if isinstance(body, Mul):
        factors = [parted(factor) for factor in body.args]
        return body if all(a is b for a, b in zip(factors, body.args, strict=True)) else Mul(*factors, evaluate=False)
    if not isinstance(body, Where) or body.args[2] != 0:
        return body
    condition, value = body.args[0], parted(body.args[1])
    letters = set(free_axes(condition))
    factors = list(value.args) if isinstance(value, Mul) else [value]
    apart = [f for f in factors if isinstance(f, Delta) or (isinstance(f, Entry) and not letters <= set(free_axes(f)))]
    under = [f for f in factors if f not in apart]
    if not apart or not any(letters <= set(free_axes(f)) for f in under):
        return body
    kept = under[0] if len(under) == 1 else Mul(*under, evaluate=False)
    return Mul(*apart, Where(condition, kept, body.args[2]), evaluate=False)


def guarded(r: Reader, x: View, op: str, hint: Hint) -> View:
    """x as an argument of `op`: harmless wherever a condition around it does not hold."""
    if not r.guards or x.host or op not in HARMLESS:
        return x
    if (op in ("power", "log") and positive(x.node)) or (op in ("exp", "expm1", "exp2") and not_positive(x.node)):
        return x
    condition, *others = [_for_letters(r, guard, x) for guard in r.guards]
    for other in others:
        condition = elementwise(r.graph, "logical_and", [condition, other], hint, kind="bool")
    return elementwise(r.graph, "where", [condition, x, r.graph.number(Fraction(HARMLESS[op]))], hint)


def _for_letters(r: Reader, guard: View, x: View) -> View:
    """Whether a guard holds anywhere, for letters that x has not: one value of x serves all of them."""
    kept = tuple(letter for letter in guard.letters if letter in x.letters)
    return guard if guard.host or kept == guard.letters else r.graph.make("max", [guard], kept, kind="bool")


def positive(node: Node) -> bool:
    """Whether a node is above zero by its form."""
    args = [arg for arg, _ in node.args]
    match node.op:
        case "size":
            return True
        case "exp":  # of −∞, where nothing is selected, it is 0
            return not any(arg.op == "where" for arg in args)
        case "number":
            return bool(node.attr > 0)
        case "terms":
            plus = all(sign > 0 for sign in node.attr)
            return plus and any(map(positive, args)) and all(not_negative(a) for a in args)
        case "multiply" | "divide" | "sqrt" | "sum":
            return all(map(positive, args))
    return False


def not_negative(node: Node) -> bool:
    """Whether a node is at least zero by its form."""
    args = [arg for arg, _ in node.args]
    match node.op:
        case "absolute" | "special.bounded_exp" | "special.opposed" | "special.log_above":
            return True
        case "multiply" if node.args[0] == node.args[1]:
            return True
        case "multiply" | "divide" | "sum" | "sqrt":
            return all(map(not_negative, args))
        case "where":
            return all(map(not_negative, args[1:]))
        case "maximum":
            return any(map(not_negative, args))
        case "cast":
            return args[0].kind == "bool"
        case "terms" if node.attr == (1, -1) and _aligned(node):  # p(1 − p) for p = a/(a + b)
            return not_above(args[1], args[0])
    return positive(node)


def _aligned(node: Node) -> bool:
    """Whether each entry is made of the same entry of every operand, or of numbers."""
    return all(labels in ((), tuple(range(node.rank))) for _, labels in node.args)


def not_above(node: Node, other: Node) -> bool:
    """Whether a node is nowhere above another, both read entry by entry, by its form: a/(a + b) ≤ 1."""
    args = [arg for arg, _ in node.args]
    if not (_aligned(node) and _aligned(other)):
        return False
    if node.op == "where":
        return all(not_above(arg, other) for arg in args[1:])
    if node.op == "divide" and other.op == "number" and other.attr == 1:
        return positive(args[1]) and not_above(*args)
    parts = [arg for arg, _ in other.args] if other.op == "terms" and all(sign > 0 for sign in other.attr) else []
    return node in parts and all(map(not_negative, parts))


def not_positive(node: Node) -> bool:
    """Whether a node is at most zero by its form: −|x|, or x − max x."""
    args = [arg for arg, _ in node.args]
    if node.op == "negative":
        return not_negative(args[0])
    return node.op == "terms" and node.attr == (1, -1) and args[1].op == "max" and args[1].args[0][0] is args[0]


def finite(node: Node) -> bool:
    """Whether finite inputs give finite values by its form: then 0 · value is 0."""
    if node.op in {"input", "number", "scalar", "size", "tanh", "full"} or node.kind == "bool":
        return True
    if node.op == "multiply" and sum(not _bounded(arg) for arg, _ in node.args) > 1:
        return False  # a square may overflow where it is not selected
    tame = {"multiply", "terms", "negative", "maximum", "minimum", "absolute", "cast", "matmul", "host_product"}
    return node.op in tame and len(node.args) < 4 and all(finite(arg) for arg, _ in node.args)


def _bounded(node: Node) -> bool:
    """Numbers, conditions, and what lies between −1 and 1."""
    return node.kind in ("host", "bool") or node.op in ("tanh", "full", "cast")


def opposites(g: Graph, factors: list[View], hint: Hint) -> list[View]:
    """max(e, [c])/s · max(e, [¬c])/s = e/s² for 0 ≤ e ≤ 1: σ(x) σ(−x) = e/(1 + e)² with e = exp(−|x|), no selection."""
    for one, other in combinations(factors, 2):
        if one.node.op == other.node.op == "divide" and one.letters == other.letters and _aligned(one.node):
            (top, below), (second, same) = one.node.args, other.node.args
            if below == same and top[1] == second[1] and (decay := _either(top[0], second[0])) is not None:
                under = View(below[0], one.letters[: len(below[1])])
                above = View(decay, one.letters[: len(top[1])])
                made = elementwise(g, "divide", [above, multiplied(g, under, under, hint)], hint)
                return [made, *(f for f in factors if f is not one and f is not other)]
    return factors


def _either(one: Node, other: Node) -> Node | None:
    """e, where the two are max(e, [x ≥ 0]) and max(e, [x < 0]) with e = exp(−|x|): one of them is 1, the other e."""
    if not (one.op == other.op == "maximum" and one.args[0] == other.args[0] and _aligned(one) and _aligned(other)):
        return None
    decay, held = one.args[0][0], [node.args[1][0] for node in (one, other)]
    if [node.op for node in held] != ["cast", "cast"] or decay.op != "exp" or decay.args[0][0].op != "negative":
        return None
    conditions = [node.args[0][0] for node in held]
    opposite = {node.op for node in conditions} == {"greater_equal", "less"} and conditions[0].args == conditions[
        1
    ].args
    return decay if opposite and decay.args[0][0].args[0][0].op == "absolute" else None


# Conditions


def relation(r: Reader, term: Any, hint: Hint) -> View:
    """A comparison."""
    if whole(term.lhs) and whole(term.rhs):
        return compared(r, RELATIONS[term.rel_op], term.lhs, term.rhs, hint)
    args = [r.read(term.lhs, hint), r.read(term.rhs, hint)]
    kind = "host" if all(a.host for a in args) else "bool"
    return elementwise(r.graph, RELATIONS[term.rel_op], args, hint, kind=kind)


def connective(op: str) -> Callable[[Reader, Any, Hint], View]:
    """And, Or, Not."""

    def read(r: Reader, term: Any, hint: Hint) -> View:
        made, *rest = [r.read(arg, hint) for arg in term.args]
        if op == "logical_not":
            return elementwise(r.graph, op, [made], hint, kind=made.node.kind)
        for other in rest:
            made = elementwise(r.graph, op, [made, other], hint, kind="bool")
        return made

    return read


def truth(r: Reader, term: Any, hint: Hint) -> View:
    """A settled condition, as the number 1 or 0."""
    return r.graph.number(ONE if term is true else Fraction(0))


# Selections


def where(r: Reader, term: Any, hint: Hint) -> View:
    """The view of `where(condition, then, otherwise)`, by the first law that applies."""
    return decide(SELECTIONS, r, term, hint)


def _known(r: Reader, term: Any, hint: Hint) -> View | None:
    condition = r.read(term.args[0], hint)
    if condition.node.op != "number":
        return None
    return r.read(term.args[1] if condition.node.attr else term.args[2], hint)


def _extremum(r: Reader, term: Any, hint: Hint) -> View | None:
    condition, then, otherwise = term.args
    if isinstance(condition, (StrictGreaterThan, GreaterThan)):
        larger, smaller = condition.lhs, condition.rhs
    elif isinstance(condition, (StrictLessThan, LessThan)):
        larger, smaller = condition.rhs, condition.lhs
    else:
        return None
    for op, first, second in (("maximum", larger, smaller), ("minimum", smaller, larger)):
        if (then, otherwise) == (first, second):
            parts = [real(r.graph, r.read(part, hint)) for part in (then, otherwise)]
            if all(part.host for part in parts):
                return r.graph.host("host_function", *parts, attr=op)
            return elementwise(r.graph, op, parts, hint)
    return None


def _branch(r: Reader, branch: Any, condition: View, hint: Hint) -> View:
    before, r.guards = r.guards, (*r.guards, condition)
    try:
        return real(r.graph, r.read(branch, hint))
    finally:
        r.guards = before


def _negation(r: Reader, term: Any, condition: View, hint: Hint) -> View:
    if condition.node.op in RELATIONS.values():
        op = RELATIONS[NEGATED[next(k for k, v in RELATIONS.items() if v == condition.node.op)]]
        return relation_of(r, op, condition)
    return r.graph.make("logical_not", [condition], condition.letters, kind=condition.node.kind)


def relation_of(r: Reader, op: str, condition: View) -> View:
    """The same operands under another comparison."""
    letters = condition.letters
    args = [View(arg, tuple(letters[k] for k in labels)) for arg, labels in condition.node.args]
    return r.graph.make(op, args, letters, kind=condition.node.kind)


def _exponential(r: Reader, term: Any, hint: Hint) -> View | None:
    condition, then, otherwise = term.args
    while isinstance(then, Where) and then.args[2] == otherwise:  # one condition within another: both hide
        condition, then = And(condition, then.args[0], evaluate=False), then.args[1]
    factors = then.args if isinstance(then, Mul) else (then,)
    exponents = [f.args[0] for f in factors if isinstance(f, exp)]
    others = [f for f in factors if not isinstance(f, exp)]
    simple = all(f.is_number or isinstance(f, Entry) or (isinstance(f, Pow) and f.exp.is_number) for f in others)
    mask = r.read(condition, hint)
    if otherwise != 0 or len(exponents) != 1 or not simple or mask.node.kind != "bool":
        return None
    hidden = elementwise(r.graph, "where", [mask, _branch(r, exponents[0], mask, hint), r.read(-oo, hint)], hint)
    made = elementwise(r.graph, "exp", [hidden], hint)
    return multiplied(r.graph, made, _branch(r, Mul(*others, evaluate=False), mask, hint), hint) if others else made


def _masked(r: Reader, term: Any, hint: Hint) -> View | None:
    condition = r.read(term.args[0], hint)
    for branch, other, holds in ((term.args[1], term.args[2], True), (term.args[2], term.args[1], False)):
        if other == 0 and condition.node.kind == "bool":
            mask = condition if holds else _negation(r, term, condition, hint)
            value = _branch(r, branch, mask, hint)
            if not value.host and finite(value.node):
                return multiplied(r.graph, value, mask, hint)
    return None


def _selected(r: Reader, term: Any, hint: Hint) -> View:
    condition = r.read(term.args[0], hint)
    then = _branch(r, term.args[1], condition, hint)
    otherwise = _branch(r, term.args[2], _negation(r, term, condition, hint), hint)
    if then == otherwise:  # of values, sg(x) and x are one
        return then
    if condition.host and then.host and otherwise.host:
        return r.graph.host("host_where", condition, then, otherwise)
    if then.host and otherwise.host:  # two Python numbers would give float64
        then = r.graph.make("constant", [then], ())
    return elementwise(r.graph, "where", [condition, then, otherwise], hint)


SELECTIONS = (
    Law("known", "a condition that is settled selects now", _known),
    Law("extremum", "where(a > b, a, b) is one pass of maximum", _extremum),
    Law("masked exponential", "exp(−∞) = 0: one selection, where argument and value need one each", _exponential),
    Law("masked", "a product with the condition takes .3 ns an element, where 1.0; for finite values only", _masked),
    Law("selected", "np.where, each branch guarded against what it does not select", _selected),
)
