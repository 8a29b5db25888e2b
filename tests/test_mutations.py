"""The check can fail: each law, broken, is caught by `verify`; as it stands, it passes.

A row names a law, where it lives, how it is broken and the formula whose verification must fail. Laws are broken by
wrapping them: what they give is spoiled by a sign, a factor, a missing term or a wrong index, only where they give
something at all. A mutation that never acts fails its test too.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import sympy
from sympy import cos as cosine_of
from sympy import cosh, exp, log, sqrt, tanh

import derive.differentiate.partial as partial
import derive.differentiate.reverse as reverse
import derive.engine.forward as forward
import derive.engine.search as search
import derive.engine.windows as solving
import derive.simplify.facts as facts
import derive.stabilise as stabilise
import derive.terms.algebra as terms
import derive.terms.read as read
import derive.terms.windows as windows
import derive.terms.write as write
from derive.api import gradient, hessian, jacobian, jvp, to_numpy
from derive.axes import (
    Bool,
    DeriveError,
    Digamma,
    Int,
    Logcosh,
    Scalar,
    StopGradient,
    T,
    Trigamma,
    absolute,
    axes,
    axis,
    cholesky,
    definite,
    equals,
    logdet,
    max_over,
    maximum,
    mean_over,
    min_over,
    one_hot,
    padded,
    prod_over,
    solve,
    sum_over,
    where,
)
from derive.axes import sigmoid as sigmoid_of
from derive.axes import softplus as softplus_of
from derive.formula import assume, build, let
from derive.lower import factors
from derive.lower.definite import Definite
from derive.lower.symmetric import Symmetric
from derive.simplify import ASSUMED, Rules
from derive.terms import Algebra, Reader
from formulas import (
    binary_cross_entropy_with_logits,
    dense,
    layer_norm,
    log_softmax,
    logistic_regression,
    sigmoid,
    softmax,
    softmax_cross_entropy,
    softsign,
)
from tests.test_matrix_functions import form_by_factor, log_determinant_by_factor
from tests.test_removable import NEEDED as ALSO_NEEDED
from tests.test_removable import WRITINGS as REMOVABLE
from tests.test_unseen import NEEDED as NEEDED_LATER
from tests.test_unseen import WRITINGS as UNSEEN
from tests.test_writings import NEEDED, WRITINGS
from tests.test_written_forms import (
    catenary,
    label_smoothing,
    others,
    pinball,
    slope_of_the_catenary,
    uniformity,
)
from tests.test_written_forms import mixture as mixture_of_densities

b, c, n = axes("b c n")
(d,) = axes("d", min=2)
k, m = c.alias("k"), n.alias("m")

Spoil = Callable[[Any], Any]


def unregistered(function):
    return build(function, function.__name__, {})


# How a poly is spoiled.


def minus(poly):
    return Algebra.scaled(poly, -1)


def double(poly):
    return Algebra.scaled(poly, 2)


def missing(poly):
    return poly[1:]


SPOILS = (minus, double, missing)


@dataclass
class Acts:
    """Counts how often a mutation changed something."""

    times: int = 0

    def on(self, poly: Any, spoil: Spoil) -> Any:
        spoiled = spoil(poly)
        self.times += spoiled != poly
        return spoiled


# Formulas: the smallest that use a law.

FUNCTIONS: dict[str, Any] = {
    "exp": exp,
    "log": log,
    "tanh": tanh,
    "sigmoid": sigmoid_of,
    "softplus": softplus_of,
    "cosh": cosh,
    "logcosh": Logcosh,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "erf": sympy.erf,
    "abs": sympy.Abs,
    "sign": sympy.sign,
    "atan": sympy.atan,
    "asin": sympy.asin,
    "acos": sympy.acos,
    "asinh": sympy.asinh,
    "atanh": sympy.atanh,
    "gamma": sympy.gamma,
    "loggamma": sympy.loggamma,
    "digamma": Digamma,
    "trigamma": Trigamma,
    "stop_gradient": StopGradient,
}


def applied(name):
    """Σ x f(x), inside the domain of f."""

    def of_one_function(x: T[n]) -> T[()]:
        if name in ("log", "gamma", "loggamma", "digamma", "trigamma"):
            assume(x[n] > 0)
        if name in ("asin", "acos", "atanh"):
            assume(x[n] > -1)
            assume(x[n] < 1)
        return sum_over(n, FUNCTIONS[name](x[n]) * x[n])

    return unregistered(of_one_function)


@unregistered
def cube(x: T[n]) -> T[n]:
    return x[n] ** 3


@unregistered
def product(x: T[n], y: T[n]) -> T[n]:
    return x[n] * y[n]


@unregistered
def general_power(x: T[n], y: T[n]) -> T[n]:
    assume(x[n] > 0)
    return x[n] ** y[n]


@unregistered
def power_of_a_symbol(x: T[n], *, gamma: Scalar = 2.0) -> T[()]:
    p = let("p", sigmoid_of(x[n]))
    return sum_over(n, (1 - p[n]) ** gamma * log(p[n]))


@unregistered
def product_over(x: T[b, n]) -> T[b]:
    return prod_over(n, x[b, n])


@unregistered
def row_maximum(x: T[b, n]) -> T[b]:
    return max_over(n, x[b, n] * x[b, n])


@unregistered
def row_minimum(x: T[b, n]) -> T[b]:
    return min_over(n, x[b, n] * x[b, n])


taps = axes("r")[0]
reach = axis("t", n.size + 2 - taps.size)


@unregistered
def convolution(x: T[b, n], w: T[taps]) -> T[b, reach]:
    return sum_over(taps, padded(x)[b, reach + taps - 1] * w[taps])


@unregistered
def class_scores(z: T[b, c], t: Int[b].below(c)) -> T[()]:
    return sum_over(b, z[b, t[b]] ** 2)


@unregistered
def picked_weights(x: T[b], t: Int[b].below(c)) -> T[()]:
    return sum_over((b, c), x[b] ** 2 * one_hot(t[b], c))


heads, width = axes("a d")
merged = axis("f", heads.size * width.size)


@unregistered
def split_again(x: T[heads, width]) -> T[heads, width]:
    u = let("u", x[merged // width.size, merged % width.size] ** 2)
    return u[width.size * heads + width] * x[heads, width]


@unregistered
def masked_in_part(x: T[b, c], keep: Bool[b, c]) -> T[b]:
    p = let("p", where(keep[b, c], exp(x[b, c]), 0) / (1 + sum_over(c, where(keep[b, c], exp(x[b, c]), 0))))
    return sum_over(c, p[b, c] ** 2) + sum_over(c, exp(x[b, c]))


@unregistered
def diagonal(A: T[n, m]) -> T[n]:
    return A[n, n] ** 2


@unregistered
def squared_relu(x: T[n]) -> T[n]:
    return maximum(x[n], 0) ** 2


@unregistered
def two_masks(x: T[n], one: Bool[n], two: Bool[n]) -> T[n]:
    return where(one[n], x[n] ** 2, x[n]) * where(two[n], 3, 4)


@unregistered
def pick(z: T[b, c], label: Int[b].below(c)) -> T[b]:
    return sum_over(c, one_hot(label[b], c) * z[b, c] ** 2)


@unregistered
def pick_by_equality(x: T[n], A: T[n, m]) -> T[n]:
    return sum_over(m, where(equals(n, m), x[m] ** 2 * A[n, m], 0))


@unregistered
def idle_letter(x: T[n]) -> T[()]:
    return sum_over((n, b), x[n] ** 2)


@unregistered
def power_of_exp(x: T[n], y: T[n]) -> T[()]:
    return sum_over(n, y[n] * exp(2 * x[n] + log(1 + y[n] ** 2) - 3 * tanh(y[n])))


@unregistered
def log_of_a_product(x: T[n], y: T[n]) -> T[n]:
    assume(x[n] > 0)
    return log(3 * exp(x[n]) * (1 + y[n] ** 2) ** 2) * y[n]


@unregistered
def roots(x: T[n]) -> T[()]:
    return sum_over(n, x[n] * sqrt(2 * exp(x[n]) * (3 + x[n] ** 2)))


@unregistered
def entropy(z: T[b, c]) -> T[b]:
    p = let("p", exp(z[b, c]) / sum_over(c, exp(z[b, c])))
    return -sum_over(c, p[b, c] * log(p[b, c]))


@unregistered
def difference_of_squares(x: T[n], y: T[n]) -> T[()]:
    return sum_over(n, (x[n] + y[n]) * (x[n] - y[n]))


@unregistered
def quadratic_form(x: T[n], A: T[n, m]) -> T[()]:
    assume(equals(A[n, m], A[m, n]))
    return sum_over((n, m), x[n] * A[n, m] * x[m])


@unregistered
def gram(x: T[b, n]) -> T[()]:
    G = let("G", sum_over(b, x[b, n] * x[b, m]))
    return sum_over((n, m), G[n, m] ** 3)


@unregistered
def distances(x: T[n]) -> T[()]:
    return sum_over((n, m), sympy.Abs(x[n] - x[m]))


@unregistered
def lengths_of_differences(x: T[n, d], w: T[n, m]) -> T[()]:
    r = let("r", sqrt(sum_over(d, (x[n, d] - x[m, d]) ** 2)))
    return sum_over((n, m), w[n, m] * r[n, m])


@unregistered
def packed_scores(q: T[n, axis("triple", 3 * d.size)]) -> T[n, m]:
    return sum_over(d, q[n, d] * q[m, d + d.size])


@unregistered
def pairs(x: T[n], w: T[n]) -> T[()]:
    return sum_over((n, m), where(n < m, x[n] * x[m] * (w[n] - w[m]) ** 2, 0))


@unregistered
def mean_of_squares(x: T[b, n]) -> T[b]:
    return mean_over(n, x[b, n] ** 2)


@unregistered
def through_a_statistic(x: T[n]) -> T[n]:
    mu = let("mu", mean_over(n, x[n] ** 2))
    return x[n] * mu[()]


@unregistered
def log_sigmoid(x: T[n]) -> T[n]:
    return log(1 / (1 + exp(-x[n])))


@unregistered
def cross_entropy_by_softmax(z: T[b, c], t: T[b, c]) -> T[()]:
    p = let("p", exp(z[b, c]) / sum_over(c, exp(z[b, c])))
    return -mean_over(b, sum_over(c, t[b, c] * log(p[b, c])))


@unregistered
def softmax_with_lets(z: T[b, c]) -> T[b, c]:
    e = let("e", exp(z[b, c]))
    total = let("total", sum_over(c, e[b, c]))
    return e[b, c] / total[b]


@unregistered
def layered_tanh(x: T[c]) -> T[c]:
    h = let("h", tanh(x[c]))
    return h[c] * x[c]


@unregistered
def variance_by_squares(x: T[b, n]) -> T[b, n]:
    mu = let("mu", mean_over(n, x[b, n]))
    v = let("v", mean_over(n, x[b, n] ** 2) - mu[b] ** 2)
    return (x[b, n] - mu[b]) / sqrt(v[b] + 1)


# Ways to break a law: each wraps it and returns the counter of its actions.


def giving_polys(owner: Any, name: str, only_changes: bool = True):
    """A method that gives a poly: spoiled where it differs from the poly it was given, if it was given one."""

    def install(patch, spoil):
        acts, original = Acts(), getattr(owner, name)

        def broken(*args, **kwargs):
            result = original(*args, **kwargs)
            return result if only_changes and any(result is a or result == a for a in args) else acts.on(result, spoil)

        patch.setattr(owner, name, broken)
        return acts

    return install


def giving_pairs(owner: Any, name: str, fits: Any = lambda found: True):
    """A law that gives (poly, what it cites) or None."""

    def install(patch, spoil):
        acts, original = Acts(), getattr(owner, name)

        def broken(*args):
            found = original(*args)
            return found if found is None or not fits(found) else (acts.on(found[0], spoil), found[1])

        patch.setattr(owner, name, broken)
        return acts

    return install


def product_of_exponentials(patch, spoil):
    """What is drawn out of a product."""
    acts, original = Acts(), Reader._drawn_out

    def broken(self, body, over):
        outside, rest = original(self, body, over)
        return (outside if rest == body else acts.on(outside, spoil)), rest

    patch.setattr(Reader, "_drawn_out", broken)
    return acts


def sides_exchanged(patch, spoil):
    """A comparison whose sides were brought together, and exchanged: what is spoiled of it does not matter."""
    acts, original = Acts(), Reader._balanced

    def broken(self, left, right):
        found = original(self, left, right)
        if found != (left, right):
            acts.times += 1
            return found[::-1]
        return found

    patch.setattr(Reader, "_balanced", broken)
    return acts


def derivative_of(name):
    def install(patch, spoil):
        acts, original = Acts(), partial.DERIVATIVES[name]
        patch.setitem(partial.DERIVATIVES, name, lambda r, y, u: acts.on(original(r, y, u), spoil))
        return acts

    return install


def no_longer_flat(name):
    """sign′ = 0, and sg′ = 0: broken it is a number."""

    def install(patch, spoil):
        acts = Acts()
        patch.setitem(partial.DERIVATIVES, name, lambda r, y, u: acts.on(y, lambda poly: r.algebra.constant(1)))
        return acts

    return install


def occurrences(change):
    """The derivative by occurrence: `change(head, letters, raw)` gives the raw terms that stand for one."""

    def install(patch, spoil):
        acts, original = Acts(), partial.partials

        def broken(reader, raws):
            for head, letters, raw in original(reader, raws):
                for changed in change(head, letters, raw, spoil):
                    acts.times += changed != raw
                    yield head, letters, changed
                acts.times += not change(head, letters, raw, spoil)

        for module in (partial, reverse, forward):
            patch.setattr(module, "partials", broken)
        return acts

    return install


def scaled_raw(raw, spoil):
    return {minus: [(-raw[0], *raw[1:])], double: [(2 * raw[0], *raw[1:])], missing: []}[spoil]


def where_the_factor_stays(head, letters, raw, spoil):
    return scaled_raw(raw, spoil) if (head.id, letters) in raw[1] else [raw]


def beside_another(head, letters, raw, spoil):
    return scaled_raw(raw, spoil) if head.label == "y" else [raw]


def one_of(owner, name, place):
    """A rule that gives one poly for each argument."""

    def install(patch, spoil):
        acts, original = Acts(), getattr(owner, name)

        def broken(*args):
            found = list(original(*args))
            found[place] = acts.on(found[place], spoil)
            return found

        patch.setattr(owner, name, broken)
        return acts

    return install


def through(label):
    """The derivative of a reduction: a generator of (head, letters, raw)."""

    def install(patch, spoil):
        acts, original = Acts(), partial.REDUCED[label]

        def broken(*args):
            for head, letters, raw in original(*args):
                changed = scaled_raw(raw, spoil)
                acts.times += 1
                yield from ((head, letters, one) for one in changed)

        patch.setitem(partial.REDUCED, label, broken)
        return acts

    return install


def contraction(change):
    """δ and tests: `change(algebra, factors, bound, original)` stands for the contraction."""

    def install(patch, spoil):
        acts, original = Acts(), Algebra._contract

        def broken(self, factors, bound):
            expected_bound, given_bound = set(bound), set(bound)
            expected = original(self, dict(factors), expected_bound)
            found = change(self, dict(factors), given_bound, lambda f, b_: original(self, f, b_))
            acts.times += found != expected
            bound.clear()
            bound.update(given_bound)
            return found

        patch.setattr(Algebra, "_contract", broken)
        return acts

    return install


def delta_dropped(algebra, factors, bound, original):
    """Σ_j δ(i, j) f(j) = f(j): the wrong index."""
    return original({a: p for a, p in factors.items() if a[0] != algebra.delta.id}, bound)


def square_of_a_test_is_zero(algebra, factors, bound, original):
    tests = [p for (head, _), p in factors.items() if algebra.heads[head].kind == "test"]
    return None if any(p > 1 for p in tests) else original(factors, bound)


def any_two_tests_exclude_each_other(algebra, factors, bound, original):
    tests = [head for head, _ in factors if algebra.heads[head].kind == "test"]
    return None if len(tests) > 1 else original(factors, bound)


def windows_dropped(algebra, factors, bound, original):
    """Σ_y W(y = e) x_y = Σ_y x_y: the tie is lost."""
    return original({a: p for a, p in factors.items() if algebra.heads[a[0]].label != "window"}, bound)


def window_law(name):
    """What the law makes of the factors is lost: the term is zero."""

    def install(patch, spoil):
        acts, original = Acts(), getattr(windows, name)

        def broken(owner, factors, *rest):
            found = original(owner, factors, *rest)
            acts.times += found is not None
            return found if found is None else dict.fromkeys(factors, 0)

        patch.setattr(windows, name, broken)
        return acts

    return install


def unguarded(patch, spoil):
    """[c] e = p S folded where [c] does not stand."""
    acts = Acts()

    def broken(self, fold, atom):
        acts.times += bool(fold.guard)
        return {}

    patch.setattr(Rules, "_guarding", broken)
    return acts


def everything_in_range(patch, spoil):
    """A solved window is read without padding."""
    acts, original = Acts(), solving.in_range

    def broken(index, size):
        acts.times += not original(index, size)
        return True

    patch.setattr(solving, "in_range", broken)
    return acts


def nothing_apart(monkeypatch, spoil):
    """‖x_n − x_m‖ is differentiated for n = m, too."""
    acts, law = Acts(), partial.apart
    monkeypatch.setattr(partial, "apart", lambda *given: acts.on(law(*given), lambda found: []))
    return acts


def slices_without_end(monkeypatch, spoil):
    """An entry is taken to be 0 beyond a letter's end, though its axis goes on."""
    acts, law = Acts(), solving._reads

    def wrong(factors, letter):
        return acts.on(
            law(factors, letter),
            lambda found: found or any(letter in getattr(f, "indices", ()) for f in factors),
        )

    monkeypatch.setattr(solving, "_reads", wrong)
    return acts


def given_otherwise(owner, name, change):
    """A law of array code whose answer is another: `change(found, *given)`."""

    def install(patch, spoil):
        acts, original = Acts(), getattr(owner, name)
        patch.setattr(owner, name, lambda *given: acts.on(original(*given), lambda found: change(found, *given)))
        return acts

    return install


def other_side(patch, spoil):
    """Aᵀ x = b is solved in place of A x = b."""
    acts, original = Acts(), factors.solution

    def broken(g, inverse, turned, right, letters):
        acts.times += 1
        return original(g, inverse, not turned, right, letters)

    patch.setattr(factors, "solution", broken)
    return acts


def no_lengths(patch, spoil):
    """Σ over a letter that does not occur gives its length: here it gives 1."""
    acts = Acts()

    def broken(self, coefficient, factors, left, idle):
        acts.times += 1
        return ((self._canonical_term(factors, left), coefficient),)

    patch.setattr(Algebra, "_with_lengths", broken)
    return acts


def summed_letter_exchanged(patch, spoil):
    """A fact Σ_k … = value put in for another letter: here the sum stays although its factors are gone."""
    acts, original = Acts(), Rules._reduced

    def broken(self, term, coefficient, fact):
        found = original(self, term, coefficient, fact)
        if not found:
            return found
        acts.times += 1
        return self.algebra.mul(found, self.algebra.size_of[self.algebra.letter_space[term[1][0]]])

    patch.setattr(Rules, "_reduced", broken)
    return acts


def oriented_wrongly(role):
    """A definition solved for its leading factor, from a body that is not the definition's."""

    def install(patch, spoil):
        acts, original = Acts(), Rules.orient

        def broken(self, head, body):
            return original(self, head, acts.on(body, spoil) if head.role in role else body)

        patch.setattr(Rules, "orient", broken)
        return acts

    return install


def affine_folds(patch, spoil):
    """n = c a + rest solved for a: the rest is spoiled."""
    acts, original = Acts(), Rules._sum

    def broken(self, head, body):
        before = set(self.affine)
        original(self, head, body)
        for lead in set(self.affine) - before:
            fold = self.affine[lead]
            self.affine[lead] = replace(fold, body=acts.on(fold.body, spoil))

    patch.setattr(Rules, "_sum", broken)
    return acts


def nodes_of(patch, spoil):
    """Common factors outside: the coefficient of the first summand in a bracket is spoiled."""
    acts, original = Acts(), write.factored

    def broken(algebra, poly):
        nodes = original(algebra, poly)
        if len(nodes) != 1 or len(nodes[0].inner) < 2:
            return nodes
        acts.times += 1
        first, *rest = nodes[0].inner
        changed = {minus: (replace(first, coefficient=-first.coefficient),), missing: (),
                   double: (replace(first, coefficient=2 * first.coefficient),)}[spoil]  # fmt: skip
        return (replace(nodes[0], inner=(*changed, *rest)),)

    patch.setattr(write, "factored", broken)
    return acts


def reading_of_reductions(patch, spoil):
    acts = Acts()
    kinds, original = next((kinds, reader) for kinds, reader in read._READERS.items() if reader is Reader.reduction)
    patch.setitem(read._READERS, kinds, lambda *args: acts.on(original(*args), spoil))
    return acts


def law_of(module, name):
    """A law of a table, spoiled where it changes something."""

    def install(patch, spoil):
        acts = Acts()

        def breaking(law):
            def apply(context, poly):
                found = law.apply(context, poly)
                return found if found is None or found[0] == poly else (acts.on(found[0], spoil), found[1])

            return replace(law, apply=apply)

        patch.setattr(module, "LAWS", tuple(breaking(law) if law.name == name else law for law in module.LAWS))
        return acts

    return install


# The checks.


def by_gradient(f):
    return gradient(f).verify(trials=4)


def by_code(f):
    return to_numpy(f).verify(trials=4)


def by_stability(f):
    """The steps that made the code safe, as `to_numpy(f).verify()` runs them."""
    return to_numpy(f).verify(trials=2)


def by(kind, wrt=None):
    return lambda f: kind(f, wrt).verify(trials=3)


@dataclass(frozen=True)
class Row:
    law: str
    install: Any
    formula: Any
    spoils: tuple[Spoil, ...] = SPOILS
    check: Any = by_gradient
    words: str = field(default="", compare=False)


@unregistered
def form_and_volume(A: T[n, m], x: T[n], y: T[n]) -> T[()]:
    """yᵀA⁻¹x + log |det A|."""
    z = solve(A, x)
    return sum_over(n, y[n] * z[n]) + logdet(A)


@unregistered
def whitened_form(A: T[n, m], x: T[n]) -> T[()]:
    """Σ (L⁻¹x)⁴, A = L Lᵀ."""
    assume(definite(A))
    z = solve(cholesky(A), x)
    return sum_over(n, z[n] ** 4)


@unregistered
def quantile_levels(u: T[b], q: T[b]) -> T[()]:
    """Σ max(q u, (q − 1) u)."""
    return sum_over(b, maximum(q[b] * u[b], (q[b] - 1) * u[b]))


@unregistered
def log_of_sizes(x: T[b]) -> T[()]:
    """Σ log |x|."""
    return sum_over(b, log(absolute(x[b])))


@unregistered
def twice_by_a_root(x: T[b]) -> T[()]:
    """Σ (x/√2)² exp(x/√2)."""
    return sum_over(b, (x[b] / sqrt(2)) ** 2 * exp(x[b] / sqrt(2)))


@unregistered
def kernel_form(x: T[n, d], y: T[n]) -> T[()]:
    """yᵀK⁻¹y, K = e^−|x − x′|²/2 + 1."""
    K = let("K", exp(-sum_over(d, (x[n, d] - x[m, d]) ** 2) / 2) + one_hot(n, m))
    z = solve(K, y)
    return sum_over(n, y[n] * z[n]) + logdet(K)


FLAT = ("sign", "stop_gradient")
SMOOTH = [name for name in partial.DERIVATIVES if name not in FLAT]


@unregistered
def log_of_more_than_one(x: T[b]) -> T[b]:
    return log(1 + x[b] ** 2)


@unregistered
def exp_minus_one(x: T[b]) -> T[b]:
    return exp(x[b]) - 1


def written(body):
    """A formula of one vector, by its entry."""

    def f(x: T[b]) -> T[b]:
        return body(x[b])

    return build(f, "written", {})


def rows(body):
    """A formula of a matrix, by a function of its tensor."""

    def f(x: T[b, c]) -> T[b]:
        assume(x[b, c] > 0)
        assume(x[b, c] < 1)
        return body(x)

    return build(f, "rows", {})


@unregistered
def two_divergences(z: T[b, c], v: T[b, c]) -> T[b]:
    p = let("p", exp(z[b, c]) / sum_over(c, exp(z[b, c])))
    q = let("q", exp(v[b, c]) / sum_over(c, exp(v[b, c])))
    return sum_over(c, p[b, c] * log(p[b, c] / q[b, c]))


@unregistered
def mixture(x: T[b], a: T[c], mu: T[c]) -> T[b]:
    share = let("share", exp(a[c]) / sum_over(c, exp(a[c])))
    return log(sum_over(c, share[c] * exp(-((x[b] - mu[c]) ** 2) / 2)))


@unregistered
def other_shares(z: T[b, d]) -> T[b, d]:
    return log(1 - exp(z[b, d]) / sum_over(d, exp(z[b, d])))


@unregistered
def odds_of_shares(z: T[b, d]) -> T[b, d]:
    p = let("p", exp(z[b, d]) / sum_over(d, exp(z[b, d])))
    return p[b, d] / (1 - p[b, d])


@unregistered
def chosen_to_a_power(z: T[b, d], y: Int[b].below(d), q: Scalar = 0.7) -> T[()]:
    p = let("p", exp(z[b, d]) / sum_over(d, exp(z[b, d])))
    return mean_over(b, p[b, y[b]] ** q)


@unregistered
def any_shape(x: T[...]) -> T[...]:
    return tanh(x)


@unregistered
def gate_of_tanh(x: T[...]) -> T[...]:
    return x * (1 + tanh(3 * x))


WRITTEN = """
log of an entry, log of a power, power by an exponential, root of a power, log of a difference, log of tanh
log between sigmoids, log of a root, softplus and its argument, softplus and more, over cosh, compare exponents
complement of a share, complement of a power
"""
WRITTEN = [law.strip() for law in WRITTEN.replace("\n", ",").split(",") if law.strip()]
STABILISING = {
    **{law: (UNSEEN[name],) for law, name in NEEDED_LATER.items()},
    "tanh of a quotient": (written(lambda x: (exp(2 * x) - 1) / (exp(2 * x) + 1)),),
    "log cosh": (written(lambda x: log(exp(x) + exp(-x))),),
    "tanh of a sigmoid": (written(lambda x: 2 / (1 + exp(-x)) - 1),),
    "two sigmoids": (written(lambda x: sigmoid_of(x) - sigmoid_of(-x)),),
    "the other sigmoid": (written(lambda x: 1 - sigmoid_of(x)),),
    "softplus, both ways": (written(lambda x: softplus_of(x) - softplus_of(-x)),),
    "log of cases": (rows(lambda x: log(prod_over(c, where(x[b, c] > 1 / 2, x[b, c], 1 - x[b, c])))),),
    "power of a product": (rows(lambda x: sqrt(prod_over(c, x[b, c]))),),
    "centre": (rows(lambda x: mean_over(c, x[b, c] ** 2) - mean_over(c, x[b, c]) ** 2),),
    "the other shares": (odds_of_shares,),
    "log of the others": (other_shares,),
    "power of an entry": (chosen_to_a_power,),
    "norm at zero": (rows(lambda x: sqrt(sum_over(c, x[b, c] ** 2))),),
    "beside an exponential": (mixture,),
    "beside a sigmoid": (written(lambda x: sympy.atan(exp(x))),),
    "product with its logarithm": (rows(lambda x: sum_over(c, x[b, c] * log(x[b, c]))),),
    "logarithm of two exponentials": (written(lambda x: log(exp(x**2) + exp(x))),),
    "beside its largest": (two_divergences,),
    "exponent beside its largest": (mixture,),
    "within a definition": (exp_minus_one,),
    "slope of tanh": (any_shape,),
    "one and tanh": (gate_of_tanh,),
    "erfc": (written(lambda x: 1 + sympy.erf(x)),),
    "versine": (written(lambda x: 1 - cosine_of(x)),),
    "difference of roots": (written(lambda x: sqrt(1 + x**2) - 1),),
    "complement of a quotient": (softsign,),
    "complement of a product": (rows(lambda x: 1 - prod_over(c, 1 - x[b, c])),),
    "softplus": (binary_cross_entropy_with_logits, log_sigmoid),
    "sigmoid": (written(lambda x: 1 / (1 + exp(-x))),),
    "log of a product": (cross_entropy_by_softmax,),
    "shift log-sum-exp": (log_softmax, softmax_cross_entropy),
    "shift sum of exponentials": (softmax, log_softmax),
    "value of what is held": (written(lambda x: x * StopGradient(x**2)),),
    "open an exponential": (softmax_with_lets,),
    "log1p": (log_of_more_than_one,),
    "expm1": (exp_minus_one,),
    "within functions": (),  # the other laws, inside arguments: broken with them
    "root and more": (written(lambda x: x + sqrt(x**2 + 1)),),
    **{law: (WRITINGS[NEEDED[law]],) for law in WRITTEN},
    "log through a definition": (REMOVABLE["cloglog_loss"],),
    **{law: (REMOVABLE[name],) for law, name in ALSO_NEEDED.items()},
}
ROWS = [
    *(Row(f"derivative of {name}", derivative_of(name), applied(name), (minus, double, missing)) for name in SMOOTH),
    *(Row(f"derivative of {name}", no_longer_flat(name), applied(name), (minus,)) for name in FLAT),
    Row("power rule", occurrences(where_the_factor_stays), cube),
    Row("product rule", occurrences(beside_another), product),
    Row("u to the v, for u", one_of(partial, "_power_rule", 0), general_power),
    Row("u to the v, for v", one_of(partial, "_power_rule", 1), general_power),
    Row("derivative of prod over an axis", through("prod"), product_over),
    Row("derivative of max over an axis", through("max"), row_maximum),
    Row("derivative of min over an axis", through("min"), row_minimum),
    Row("windows tie", contraction(windows_dropped), convolution, (minus,)),
    Row("windows tie a gather", contraction(windows_dropped), class_scores, (minus,)),
    Row("Σ_y W(y = e) = 1", window_law("_summed"), picked_weights, (minus,)),
    Row("e = m and e = m′", window_law("_paired"), split_again, (minus,)),
    Row("a fold keeps its mask", unguarded, masked_in_part, (minus,)),
    Row("a window is solved within its range", everything_in_range, convolution, (minus,)),
    Row("tangents", giving_polys(forward, "normalised", only_changes=False), dense, check=by(jvp)),
    Row("δ contracts", contraction(delta_dropped), diagonal, (minus,)),
    Row("δ contracts in a Jacobian", contraction(delta_dropped), softmax, (minus,), by(jacobian)),
    Row("δ from a condition", contraction(delta_dropped), pick_by_equality, (minus,)),
    Row("[c]² = [c]", contraction(square_of_a_test_is_zero), squared_relu, (minus,)),
    Row("[c][¬c] = 0", contraction(any_two_tests_exclude_each_other), two_masks, (minus,)),
    Row("Σ of a constant is its length", no_lengths, idle_letter, (minus,)),
    Row("fold a definition", giving_pairs(Rules, "fold_once"), softmax),
    Row("fold a definition, in layer norm", giving_pairs(Rules, "fold_once"), layer_norm),
    Row("use a fact", giving_pairs(Rules, "fact_once"), layer_norm, (minus, double)),
    Row("use a fact of softmax", giving_pairs(Rules, "fact_once"), entropy),
    Row("collect a named sum", law_of(facts, "collect a named sum"), variance_by_squares, (minus, double)),
    Row("triangular", law_of(facts, "triangular"), log_determinant_by_factor, (minus, double)),
    Row("sum a bracket", law_of(facts, "sum a bracket"), label_smoothing, (minus, double)),
    Row("[i ≠ j]", giving_polys(Reader, "_unequal"), uniformity, (minus, double)),
    Row("Σ_j [i ≠ j] = J − 1", giving_polys(Algebra, "_but_one"), others, (minus, double)),
    Row("Π eᵘ = exp Σ u", product_of_exponentials, mixture_of_densities, (minus, double)),
    Row("eᵘ + e⁻ᵘ = 2 cosh u", giving_polys(Reader, "_hyperbolic"), catenary, (minus, double)),
    Row("eᵘ − e⁻ᵘ = 2 sinh u", giving_polys(Reader, "_hyperbolic"), slope_of_the_catenary, (minus, double)),
    Row("a u > b u", sides_exchanged, pinball, (minus,)),
    Row("fold within brackets", law_of(facts, "fold within brackets"), layered_tanh, (minus, double)),
    Row("add exponents", law_of(facts, "add exponents"), power_of_a_symbol, (minus, double)),
    Row("use symmetry", law_of(facts, "use symmetry"), quadratic_form),
    Row("a definition that is symmetric", law_of(facts, "use symmetry"), gram),
    Row("an odd function of what changes its sign", law_of(facts, "use symmetry"), distances),
    Row("√0 of what is always 0 is constant", nothing_apart, lengths_of_differences, (minus,)),
    Row("a slice ends where its letter does", slices_without_end, packed_scores, (minus,)),
    Row("factors: which side is solved", other_side, form_and_volume, (minus,), by_code),
    Row("factors: which triangle", given_otherwise(factors, "triangle", lambda found, node: {"lower": "upper"}.get(
        found, found)), whitened_form, (minus,), by_code),
    Row("definite: what is known to be", given_otherwise(Definite, "proved", lambda found, *given: True),
        form_and_volume, (minus,), by_code),
    Row("symmetric: the sign of an exchange", given_otherwise(Symmetric, "parity", lambda found, *given: -found),
        kernel_form, (minus,), by_code),
    Row("either case", law_of(facts, "either case"), quantile_levels, (minus, double)),
    Row("take the sign", law_of(facts, "take the sign"), log_of_sizes, (minus, double)),
    Row("2/√2 is √2", given_otherwise(terms, "told_apart", lambda found, roots, c, factors: (-found[0], found[1])
        if found[0] != c else found), twice_by_a_root, (minus,)),
    Row("either order", law_of(facts, "either order"), pairs),
    Row("equal or not", law_of(facts, "equal or not"), form_by_factor, (minus, double)),
    Row("use what is assumed", giving_pairs(Rules, "fact_once", lambda found: found[1][0].source == ASSUMED),
        softmax_cross_entropy, (minus, double, missing)),
    Row("a fact ends its sum", summed_letter_exchanged, softmax_cross_entropy, (minus,)),
    Row("solve a product", oriented_wrongly(("let", "output", "auto")), softmax, (minus, double)),
    Row("solve a name that was found", oriented_wrongly(("found",)), softmax_cross_entropy, (minus, double)),
    Row("solve a sum", affine_folds, sigmoid),
    Row("insert an adjoint", giving_polys(search, "_inserted"), softmax),
    Row("insert an adjoint of a statistic", giving_polys(search, "_inserted"), through_a_statistic),
    Row("factor", nodes_of, softmax),
    Row("factor in layer norm", nodes_of, layer_norm),
    Row("multiply out", giving_polys(search, "expanded"), difference_of_squares, (minus, double)),
    Row("solve a definition", giving_polys(search, "affinely"), sigmoid, (minus, double)),
    Row("exp(a + b) = exp(a) exp(b)", giving_polys(Reader, "exp_of"), power_of_exp, (minus, double)),
    Row("log(ab) = log a + log b", giving_polys(Reader, "log_of"), log_of_a_product),
    Row("(ab)ᵖ = aᵖbᵖ", giving_polys(Reader, "_fractional"), roots, (minus, double)),
    Row("a number to a power", giving_polys(Reader, "_number_power"), roots, (minus, double)),
    Row("a power", giving_polys(Reader, "raised"), softmax, (minus, double)),
    Row("a mean is a sum over a length", reading_of_reductions, mean_of_squares, (minus, double)),
    Row("second derivatives", giving_pairs(Rules, "fold_once"), logistic_regression, (minus, double), by(hessian, "w")),
    *(Row(f"stable: {law}", law_of(stabilise, law), f, (minus, double), by_stability)
      for law, used in STABILISING.items() for f in used),
]  # fmt: skip
CASES = [(r, spoil) for r in ROWS for spoil in r.spoils]


@pytest.mark.parametrize(("r", "spoil"), CASES, ids=[f"{r.law}-{r.formula.name}-{s.__name__}" for r, s in CASES])
def test_a_broken_law_is_caught(r, spoil, monkeypatch):
    acts = r.install(monkeypatch, spoil)
    try:
        report = r.check(r.formula)
    except (DeriveError, ArithmeticError, AssertionError, LookupError, TypeError, ValueError):
        report = None  # what cannot even be written down is caught too
    assert acts.times, "the law was never used: the row shows nothing"
    assert not report, f"{r.law}, spoiled by {spoil.__name__}, passes verification"


CHECKS = list({(id(r.formula), r.check.__qualname__, getattr(r.check, "kind", "")): r for r in ROWS}.values())


@pytest.mark.parametrize("r", CHECKS, ids=lambda r: f"{r.formula.name}-{r.law}")
def test_the_laws_as_they_stand_pass(r):
    report = r.check(r.formula)
    assert report, report


def test_every_law_of_the_tables_has_a_row():
    laws = {r.law for r in ROWS}
    assert {f"derivative of {name}" for name in partial.DERIVATIVES} <= laws
    assert {law.name for law in stabilise.LAWS} == set(STABILISING)
    assert {law.name for law in facts.LAWS} <= laws
