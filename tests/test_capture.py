"""Indices never capture: random formulas with nested, shadowed and exchanged sums, aliases, diagonals, equal lengths.

A recipe is plain data (nested tuples), so that Hypothesis can shrink it; `Builder` turns it into an index expression.
The expected value is always the oracle's on the expression as written; derivatives are those of dual numbers and
finite differences. DERIVE_EXAMPLES=5000 runs this file for long.
"""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import assume as suppose
from hypothesis import given, note, settings
from hypothesis import strategies as st
from sympy import Add, Integer, Mul, Rational, cos, exp, log, sqrt, tanh

from derive.api import equivalent, gradient, hessian, jacobian, jvp, to_numpy
from derive.axes import (
    DeriveError,
    MeanOver,
    Reduction,
    SumOver,
    T,
    axes,
    definitions,
    free_axes,
    maximum,
    mean_over,
    prod_over,
    rebuilt,
    rename,
    sigmoid,
    softplus,
    sum_over,
    where,
)
from derive.formula import build, let
from derive.oracle import evaluate
from derive.terms import Algebra, Reader, Writer
from derive.verify import check_gradient, check_steps, sample_point

c, d = axes("c d")
k, j, e = c.alias("k"), c.alias("j"), d.alias("e")
SPACES = {"c": (c, k, j), "d": (d, e)}
TENSORS = {"s": "", "x": "c", "y": "d", "W": "cd", "A": "cc"}  # name → the kinds of its axes
OUTPUTS = ((), (c,), (d,), (c, k), (k, d))
FAST = settings(settings.get_profile("default"), max_examples=25)
EXAMPLES = settings() if settings().max_examples > 200 else FAST  # DERIVE_EXAMPLES counts; else a quick look

# Functions that are safe for any argument u; `exp` gets only arguments that are bounded or linear in the inputs.
UNARY = {
    "tanh": tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "cos": cos,
    "exp tanh": lambda u: exp(tanh(u)),
    "log": lambda u: log(1 + u**2),
    "root": lambda u: sqrt(u**2 + 1),
    "inverse": lambda u: 1 / (2 + u**2),
    "square": lambda u: u**2,
    "cube": lambda u: u**3,
    "minus": lambda u: -u,
    "half": lambda u: u / 2,
    "power": lambda u: (1 + u**2) ** tanh(u),
}
BINARY = {
    "+": lambda u, v: u + v,
    "-": lambda u, v: u - v,
    "*": lambda u, v: u * v,
    "/": lambda u, v: u / (1 + v**2),
    # 1/8 apart: u may be v under another name, and a step that moves one of the two would stand on the kink
    "where": lambda u, v: where(u > v + Rational(1, 8), u, 2 * v),
    "max": lambda u, v: maximum(u, v + Rational(1, 8)),
    "log exp": lambda u, v: log(exp(tanh(u)) + exp(tanh(v))),
}
REDUCE = {
    "sum": sum_over,
    "mean": mean_over,
    "softmax": lambda over, u: exp(tanh(u)) / sum_over(over, exp(tanh(u))),
    "log-softmax": lambda over, u: u - log(sum_over(over, exp(tanh(u)))),
    "centred": lambda over, u: u - mean_over(over, u),
    "normed": lambda over, u: u / sqrt(sum_over(over, u**2) + 1),
    "product": lambda over, u: prod_over(over, 1 + tanh(u) / 2),
}

places = st.integers(0, 2)
leaves = st.one_of(
    st.tuples(st.just("entry"), st.sampled_from(list(TENSORS)), places, places),
    st.tuples(st.just("number"), st.sampled_from([1, 2, 3, -1])),
    st.tuples(st.just("exp"), st.sampled_from(list(TENSORS)), places, places),
)


def _grown(inner):
    return st.one_of(
        st.tuples(st.just("unary"), st.sampled_from(list(UNARY)), inner),
        st.tuples(st.just("binary"), st.sampled_from(list(BINARY)), inner, inner),
        st.tuples(st.just("binary"), st.just("*"), inner, inner),
        st.tuples(st.just("reduce"), st.sampled_from(list(REDUCE)), st.integers(0, 4), inner),
        st.tuples(st.just("reduce"), st.just("sum"), st.integers(0, 4), inner),
        st.tuples(st.just("both"), st.sampled_from(["sum", "mean"]), st.integers(0, 4), st.integers(0, 4), inner),
        st.tuples(st.just("let"), places, places, inner),
        st.tuples(st.just("twice"), places, st.sampled_from(["+", "*"]), inner),
    )


recipes = st.recursive(leaves, _grown, max_leaves=6)
formulas = st.tuples(recipes, st.sampled_from(range(len(OUTPUTS))))


@dataclass
class Builder:
    """A recipe as an expression over the given tensors."""

    tensors: dict
    lets: list = field(default_factory=list)

    def expression(self, recipe):
        return getattr(self, f"_{recipe[0]}")(*recipe[1:])

    def _entry(self, name, *at):
        return self.tensors[name][tuple(SPACES[s][n % len(SPACES[s])] for s, n in zip(TENSORS[name], at, strict=False))]

    def _exp(self, name, *at):
        return exp(self._entry(name, *at))

    def _number(self, value):
        return Integer(value)

    def _unary(self, name, inner):
        return UNARY[name](self.expression(inner))

    def _binary(self, name, one, two):
        return BINARY[name](*(self.expression(part) for part in (one, two)))

    def _over(self, place):
        return (*SPACES["c"], *SPACES["d"])[place]

    def _reduce(self, name, place, inner):
        return REDUCE[name](self._over(place), self.expression(inner))

    def _both(self, name, one, two, inner):
        over = (self._over(one), self._over(two)) if one != two else self._over(one)
        return REDUCE[name](over, self.expression(inner))

    def _named(self, inner):
        value = self.expression(inner)
        tensor = let(f"u{len(self.lets)}", value)
        self.lets.append(tensor)
        return tensor

    def _at(self, tensor, turn):
        """The named tensor at other letters of the same lengths."""
        kinds = ["c" if a in SPACES["c"] else "d" for a in tensor.axes]
        return tensor[tuple(SPACES[s][(SPACES[s].index(a) + turn) % len(SPACES[s])]
                            for s, a in zip(kinds, tensor.axes, strict=True))]  # fmt: skip

    def _let(self, turn, other, inner):
        return self._at(self._named(inner), turn) if other else self._at(self._named(inner), 0)

    def _twice(self, turn, sign, inner):
        tensor = self._named(inner)
        return BINARY[sign](self._at(tensor, 0), self._at(tensor, turn))


def made(recipe, output):
    """The formula of a recipe: letters that the output does not have are summed over."""
    letters = OUTPUTS[output]

    def random_formula(s: T[()], x: T[c], y: T[d], W: T[c, d], A: T[c, k]) -> T[letters]:
        value = Builder({"s": s, "x": x, "y": y, "W": W, "A": A}).expression(recipe) + 0 * s[()]
        rest = tuple(a for a in free_axes(value) if a not in letters)
        return sum_over(rest, value) if rest else value

    random_formula.__annotations__ = {"s": T[()], "x": T[c], "y": T[d], "W": T[c, d], "A": T[c, k],
                                      "return": T[letters] if letters else T[()]}  # fmt: skip
    return build(random_formula, "random_formula", {})


def drawn(draw):
    """A formula whose values are finite and moderate, and points of it: one of distinct and one of equal lengths."""
    f = made(*draw)
    traced = f.trace()
    note(f"formula: {[t.body for t in traced.definitions]}")
    points = []
    for seed, shape in ((0, "distinct"), (1, "equal")):
        try:
            points.append(sample_point(traced, np.random.default_rng(seed), shape=shape))
        except DeriveError:
            suppose(False)
    values = [evaluate(o[o.axes], p, o.axes) for p in points for o in traced.outputs]
    suppose(all(np.abs(v).max(initial=0) < 1e4 for v in values))
    return f, traced, points


def near(one, two):
    one, two = np.asarray(one, float), np.asarray(two, float)
    return one.shape == two.shape and np.all(np.abs(one - two) <= 1e-9 * (1 + np.abs(two).max(initial=0)))


def read(reader, traced):
    """The output's poly over letters of the user; definitions are entered first."""
    for tensor in traced.inputs:
        reader.tensor(tensor)
    for tensor in traced.definitions:
        reader.define(tensor)
    return reader.read(traced.outputs[0].body, {})


# (a) Into the algebra and out again.


@pytest.mark.parametrize("expand", [False, True], ids=["as written", "multiplied out"])
@pytest.mark.parametrize("named", [True, False], ids=["names kept", "names written out"])
@EXAMPLES
@given(formulas)
def test_the_algebra_keeps_the_value(named, expand, draw):
    _, traced, points = drawn(draw)
    algebra = Algebra()
    poly = read(Reader(algebra, expand=expand), traced)
    writer = Writer(algebra, lambda head: head.payload if named else None)
    output = traced.outputs[0]
    names = {algebra.letter(a): a for a in output.axes}
    for factor in (True, False):
        after = writer.write(poly, names, factor=factor)
        assert set(free_axes(after)) <= set(output.axes)
        for point in points:
            assert near(evaluate(after, point, output.axes), evaluate(output.body, point, output.axes)), after


# (b) The canonical form.


def disguised(node, rng, count=None):
    """The same expression with bound letters renamed, sums exchanged, and operands in another order."""
    count = count if count is not None else [0]
    if isinstance(node, Reduction):
        body, over = node.body, list(node.axes)
        fresh = {}
        for a in over:
            count[0] += 1
            fresh[a] = a.alias(f"z{count[0]}")
        body, over = rename(body, fresh), [fresh[a] for a in over]
        rng.shuffle(over)
        if isinstance(node, (SumOver, MeanOver)) and type(body) is type(node):
            return type(node)(type(node)(disguised(body.body, rng, count), *over), *body.axes)  # Σ_a Σ_b = Σ_b Σ_a
        return type(node)(disguised(body, rng, count), *over)
    args = [disguised(a, rng, count) for a in node.args]
    if isinstance(node, (Add, Mul)):
        rng.shuffle(args)
    return rebuilt(node, args) if node.args else node


@EXAMPLES
@given(formulas, st.integers(0, 99))
def test_the_canonical_form_sees_through_bound_letters_and_exchanged_sums(draw, seed):
    traced = made(*draw).trace()
    suppose(len(traced.definitions) == 1)
    body = traced.outputs[0].body
    other = disguised(body, np.random.default_rng(seed))
    reader = Reader(Algebra())
    one, two = (reader.read(part, {}) for part in (body, other))
    assert one == two, f"{body}\n{other}"
    assert equivalent(body, other), f"{body}\n{other}"


def _turned(recipe, path):
    """The recipe with one entry's letter exchanged for another of the same length; the path picks which entry."""
    if recipe[0] in ("entry", "exp"):
        return (*recipe[:2], (recipe[2] + 1) % 3, recipe[3])
    inner = [n for n, part in enumerate(recipe) if isinstance(part, tuple)]
    if not inner:
        return recipe
    at = inner[path[0] % len(inner)] if path else inner[0]
    return (*recipe[:at], _turned(recipe[at], path[1:]), *recipe[at + 1 :])


@EXAMPLES
@given(formulas, st.lists(st.integers(0, 1), max_size=6))
def test_different_values_never_have_one_canonical_form(draw, path):
    recipe, output = draw
    one, two = (made(r, output).trace() for r in (recipe, _turned(recipe, path)))
    reader = Reader(Algebra())
    same = read(reader, one) == read(reader, two)
    expressions = one.outputs[0].body, two.outputs[0].body
    if not (same or equivalent(*expressions)):
        return
    for seed in range(3):
        try:
            point = sample_point(one, np.random.default_rng(seed), also=expressions)
        except DeriveError:
            suppose(False)
        values = [evaluate(body, point, OUTPUTS[output]) for body in expressions]
        assert near(*values), expressions


# (c) Derivatives and their steps.


@EXAMPLES
@given(formulas)
def test_gradients_and_their_steps(draw):
    f, traced, _ = drawn(draw)
    g = gradient(f)
    results, upstreams = g.derived.results, g.derived.upstreams
    report = check_gradient(traced, results, upstreams, trials=3)
    assert report, f"{g.results}\n{g.where}\n{report}"
    report = check_steps(traced, g.derivation, upstreams, trials=3)
    assert report, report


@EXAMPLES
@given(recipes, st.sampled_from("xWA"))
def test_jacobians_tangents_and_hessians(recipe, wrt):
    f, _, _ = drawn((recipe, 1))
    for made_ in (jacobian(f, wrt), jvp(f, wrt)):
        report = made_.verify(trials=2)
        assert report, f"{made_.results}\n{made_.where}\n{report}"
    scalar, _, _ = drawn((recipe, 0))
    second = hessian(scalar, "x")
    report = second.verify(trials=2)
    assert report, f"{second.results}\n{second.where}\n{report}"


# (d) Code.


@EXAMPLES
@given(formulas)
def test_code_is_what_the_oracle_says(draw):
    f, traced, points = drawn(draw)
    m = to_numpy(f)
    closed = gradient(f)
    output = traced.outputs[0]
    rng = np.random.default_rng(5)
    for point in points:
        y, saved = m.forward(**{t.name: point.arrays[t.name] for t in traced.inputs})
        assert near(y, evaluate(output.body, point, output.axes)), m.source
        g = rng.normal(size=np.shape(y))
        grads = m.backward(g, saved)
        given_ = {t.name: point.arrays[t.name] for t in traced.inputs} | ({"g": g} if output.axes else {})
        expected = closed(**given_)
        for name, value in expected.items():
            assert near(grads[name], value * (1 if output.axes else g)), (name, m.source)


def test_what_the_recipes_cover():
    """Shadowing, aliases, diagonals and names all occur: a look at the generator itself."""
    shadowed = made(
        ("reduce", "sum", 0, ("binary", "*", ("entry", "x", 0, 0), ("reduce", "sum", 0, ("entry", "x", 0, 0)))), 0
    )
    body = shadowed.trace().outputs[0].body
    assert str(body).count("sum_over(c") == 2
    diagonal = made(("reduce", "sum", 0, ("entry", "A", 0, 0)), 0)
    assert "A[c, c]" in str(diagonal.trace().outputs[0].body)
    named = made(("twice", 1, "*", ("entry", "x", 0, 0)), 3)
    assert [t.name for t in definitions([named.trace().outputs[0].body])] == ["u0"]
