"""The notation a reader asks for: one value, any combination, one document; own symbols, and nothing but symbols."""

import itertools
import pickle
import re
from dataclasses import replace

import pytest
from sympy import Matrix, S, evaluate, expand, symbols
from test_latex import compile_tex
from test_notation import X, b, beta, c, exp, i, nfc, o, p, t, w, x, z

from derive import (
    DeriveError,
    NameProblem,
    Notation,
    T,
    Unsupported,
    assume,
    axes,
    catalogue,
    equals,
    formula,
    gradient,
    hessian,
    jacobian,
    let,
    sum_over,
)
from derive.axes import AdjointOf, SumOver, Where
from derive.notation import latex, text

DENSE, SOFTMAX = gradient(catalogue["dense"]), gradient(catalogue["softmax"])


@pytest.mark.parametrize(
    "options, says",
    [
        ({}, ["∂L/∂X = G Wᵀ", "∂L/∂W = Xᵀ G", "∂L/∂β = 𝟏ᵀ G"]),
        ({"layout": "denominator"}, ["∂L/∂X = G Wᵀ", "∂L/∂W = Xᵀ G", "∂L/∂β = Gᵀ 𝟏"]),
        ({"layout": "numerator"}, ["∂L/∂X = W Gᵀ", "∂L/∂W = Gᵀ X", "∂L/∂β = 𝟏ᵀ G", "upstream\ngradient (∂L/∂Y)ᵀ"]),
        ({"samples": "columns"}, ["X = (x_bi)ᵀ: I × B", "Y = Wᵀ X + β 𝟏ᵀ", "∂L/∂X = W G", "∂L/∂W = X Gᵀ", "= G 𝟏"]),
        ({"samples": "columns", "layout": "numerator"}, ["∂L/∂X = Gᵀ Wᵀ", "∂L/∂W = G Xᵀ", "∂L/∂β = 𝟏ᵀ Gᵀ"]),
        ({"bold": True}, ["∂L/∂𝐖 = 𝐗ᵀ 𝐆", "∂L/∂𝛃 = 𝟏ᵀ 𝐆"]),
        ({"bold": True, "symbols": {"x": r"\hat{U}_1"}}, [nfc("∂L/∂𝐖 = Û₁ᵀ 𝐆")]),
        ({"symbols": {"beta": "b", "B": "M"}}, ["Y = X W + 𝟏 bᵀ", "∂L/∂b = 𝟏ᵀ G", "X = (x_bi): M × I"]),
    ],
)
def test_matrices(options, says):
    page = DENSE.explain("normal", Notation("matrix", **options))
    assert not [said for said in says if said not in page], page


@pytest.mark.parametrize(
    "kind, says",
    [
        ("differential", ["dY = X dW + dX W + 𝟏 dβᵀ", "dL = tr(Gᵀ dY), where", "dL\n    = tr(Gᵀ dX W)\n",
                          "= tr(W Gᵀ dX)", "dL = tr(Gᵀ X dW)", "dL = 𝟏ᵀ G dβ", "∂L/∂W = Xᵀ G"]),
        ("named", ["X = (x_bi): b[B] × i[I]", "Y = X ⊙_i W + β", "∂L/∂X = W ⊙_o G",
                   "∂L/∂W = X ⊙_b G", "∂L/∂β = Σ_b G"]),
    ],
)  # fmt: skip
def test_other_kinds(kind, says):
    page = DENSE.explain("normal", kind)
    assert not [said for said in says if said not in page], page


def test_softmax_by_names():
    page = SOFTMAX.explain("brief", "named")
    assert "Y = softmax_c(Z)" in page and "∂L/∂Z = Y ⊙ (G − Y ⊙_c G)" in page
    assert r"\operatorname*{softmax}_{\mathsf{c}}(Z)" in SOFTMAX.latex("named")
    assert r"Y \underset{\mathsf{c}}{\odot} G" in SOFTMAX.latex("named")


with evaluate(False):
    NAMED = [
        (SumOver(x[b, i] * w[i, o], i) + beta[o], (b, o), "X ⊙_i W + β"),
        (SumOver(z[b, c] * p[b, c] * t[b, c], c), (b,), "Σ_c (Z ⊙ P ⊙ T)"),
        (exp(z[b, c]) / SumOver(exp(z[b, c]), c), (b, c), "softmax_c(Z)"),
        (Where(x[b, i] > 0, x[b, i], S.Zero), (b, i), "max(X, 0)"),
        (SumOver(X[X.axes], X.axes[0]), (X.axes[1],), "Σ_n X"),
        (z[b, c.alias("k")], (b, c.alias("k")), "Z_{c→k}"),
        (AdjointOf(x[b, i]), (b, i), "∂L/∂X"),
    ]


@pytest.mark.parametrize("expression, letters, shown", NAMED, ids=[row[2] for row in NAMED])
def test_named(expression, letters, shown):
    printed = text(expression, "named", letters=letters)
    assert (printed, printed.notation) == (shown, "named")


def test_without_a_named_form():
    assert text(SumOver(x[b, i], b) * i, "named", letters=[i]).notation == "index"
    assert "no form by axes' names" in gradient(catalogue["conv2d"]).explain(notation="named")
    assert "no matrix form" in gradient(catalogue["conv2d"]).explain(notation="differential")


def test_a_note_is_made_once():
    page = gradient(catalogue["conv2d"]).explain("full", "matrix")
    assert page.count("no matrix form") == 1


def test_jacobians_and_layout():
    quadratic = jacobian(catalogue["linear"], "weight")
    for layout in ("mixed", "numerator", "denominator"):
        assert "∂" in quadratic.explain("brief", Notation("matrix", layout=layout))
    twice = hessian(catalogue["logistic_regression"], "w")
    assert "∂²L/∂w∂wᵀ" in twice.explain("brief", "matrix")


def test_ranges_and_counting():
    page = gradient(catalogue["conv1d"]).explain("brief", Notation(from_one=True, ranges=True))
    assert "indices start at 1" in page and "Σ_{n=1…N, h=1…H}" in page and "s (h − 1) + d (r − 1) + 1 − p" in page
    assert "integers from 1 to C" in gradient(catalogue["cross_entropy"]).explain("brief", Notation(from_one=True))
    assert latex(SumOver(x[b, i], b), Notation(ranges=True)) == r"\sum_{b=0}^{B - 1} x_{b i}"
    assert latex(SumOver(x[b, i], b, i), Notation(ranges=True, from_one=True)) == (
        r"\sum_{b=1}^{B}\, \sum_{i=1}^{I} x_{b i}"
    )


REFUSED = [
    r"\input{/etc/passwd}", r"\write18{ls}", r"\def\x{y}", r"\catcode`\^=7", "^^5c", "x}", "{x", "x$y$", "%", "x\ny",
    "\x00", "x_", "x^", "x__y", "x^a^b", "", " ", r"\begin{x}", r"\csname x\endcsname", "#1", "&", r"\\", "~",
    r"\mathbf x", r"\hat", "é", r"\text{x}", r"\newcommand", "x" * 61, "{" * 8 + "x" + "}" * 8, r"\mathcal{x}",
    r"\includegraphics{a}",
]  # fmt: skip


@pytest.mark.parametrize("source", REFUSED)
def test_what_is_no_symbol_is_refused(source):
    with pytest.raises(DeriveError, match="symbol of x"):
        Notation(symbols={"x": source})


TAKEN = [
    "u", "U", r"\mathbf{x}", r"\boldsymbol{\beta}", r"\hat{\mathbf{x}}", "x_1", "x'", r"\mathcal{L}", r"\mathbb{R}^n",
    r"\overline{xy}", r"x_{\mathrm{in}}^{\ast}", r"\ell", r"\operatorname{in}", "{x}", r"\vec{x}", "x_{i_1}",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["index", "matrix"])
@pytest.mark.needs("pdflatex")
def test_symbols_compile(kind, tmp_path):
    pages = [DENSE.latex(Notation(kind, symbols={"x": source})) for source in TAKEN]
    compile_tex("\n\\newpage\n".join(pages), tmp_path)


def test_symbols_are_for_what_there_is():
    with pytest.raises(NameProblem, match="no 'bta' here; did you mean 'beta'"):
        DENSE.latex(Notation(symbols={"bta": "b"}))
    with pytest.raises(NameProblem, match="both be written"):
        DENSE.latex(Notation(symbols={"beta": "b", "w": "b"}))
    page = DENSE.explain("brief", Notation(symbols={"x": "w"}))  # what has no symbol gives way
    assert "w_bi: B × I" in page and "w_io" not in page


def test_a_notation_is_a_value():
    one = Notation("matrix", symbols={"x": "u", "beta": "b"})
    assert one == Notation("matrix", symbols={"beta": "b", "x": "u"}) and len({one, Notation("matrix")}) == 2
    assert pickle.loads(pickle.dumps(one)) == one
    assert DENSE.latex("matrix") == DENSE.latex(Notation("matrix"))
    for wrong in ({"layout": "rows"}, {"samples": "numerator"}, {"bold": 1}, {"ranges": "yes"}):
        with pytest.raises(DeriveError, match=next(iter(wrong))):
            Notation(**wrong)
    with pytest.raises(Unsupported, match="did you mean 'matrix'"):
        Notation("matrx")
    with pytest.raises(DeriveError, match="expected a Notation or one of"):
        DENSE.latex(3)


KINDS = ("index", "matrix", "differential", "named")
COMBINED = [
    Notation(kind, layout=layout, samples=samples, bold=bold, from_one=one, ranges=one)
    for kind, (layout, samples), (bold, one) in itertools.product(
        KINDS, (("numerator", "columns"), ("denominator", "rows")), ((True, False), (False, True))
    )
]


@pytest.mark.needs("pdflatex")
@pytest.mark.parametrize("name", ["dense", "layer_norm", "attention", "conv2d", "cross_entropy"])
def test_every_combination_compiles(name, tmp_path):
    d = gradient(catalogue[name])
    first = d.traced.inputs[0].name
    pages = []
    for notation in COMBINED:
        own = replace(notation, symbols={first: r"\mathbf{u}_1"})
        pages.append(d.latex(own))
        lines = d.explain("normal", own).splitlines()
        assert max(len(re.sub("[\u0300-\u036f\u20d7]", "", line)) for line in lines) <= 80
    compile_tex("\n\\newpage\n".join(pages), tmp_path)


def test_g_stands_for_one_thing():
    """A part of a formula called g is not printed like the upstream gradient."""

    @formula
    def scaled(u: T[b, i], v: T[i]) -> T[b]:
        g = let("g", sum_over(i, u[b, i] * v[i]))
        return g[b] * g[b]

    assert "∂L/∂v_i = 2 Σ_b u_bi g_b g_y[b]" in gradient(scaled).explain("brief")


(n,) = axes("n")
m = n.alias("m")


@formula
def bilinear_form(u: T[n], A: T[n, m], v: T[n]) -> T[()]:
    """uᵀ A v, of a symmetric A."""
    assume(equals(A[n, m], A[m, n]))
    return sum_over((n, m), u[n] * A[n, m] * v[m])


MIRRORED = "An entry of A and its mirror image count as two variables, equal or not; where they are one, their"


@pytest.mark.parametrize("kind", ["index", "matrix", "differential", "named"])
@pytest.mark.parametrize("detail", ["brief", "normal", "full"])
def test_a_gradient_by_a_symmetric_matrix_tells_its_convention(kind, detail):
    d = gradient(bilinear_form)
    assert " ".join(d.explain(detail, kind).split()).count(MIRRORED) == 1
    assert [page.count("mirror image") for page in (d.latex(kind, detail), d.markdown(kind, detail))] == [1, 1]


@pytest.mark.needs("latex2mathml")
def test_a_page_tells_the_convention():
    assert "and its mirror image count as two variables" in gradient(bilinear_form).html()


def test_the_convention_is_told_of_what_is_differentiated_only():
    assert "mirror image" not in gradient(bilinear_form, "u").explain()
    assert "mirror image" not in gradient(catalogue["matrix_inverse"]).explain()
    assert "mirror image" in gradient(catalogue["cholesky_factor"]).explain()
    assert "An entry of P, Q or R and its" in gradient(catalogue["kalman_step"]).explain("brief")


def test_the_convention_is_the_one_that_is_told():
    small = gradient(bilinear_form, "A").at(N=2)
    u_0, u_1, v_0, v_1, one = symbols("u_0 u_1 v_0 v_1 one", real=True)
    tied = Matrix([[u_0, u_1]]) * Matrix([[0, one], [one, 0]]) * Matrix([v_0, v_1])
    assert str(small) == str(Matrix([[u_0 * v_0, u_0 * v_1], [u_1 * v_0, u_1 * v_1]]))
    assert str(expand(tied[0].diff(one))) == str(small[0, 1] + small[1, 0])


def test_a_differential_explains_its_names():
    """What it is written with has an equation, and stands for nothing else in the document."""
    shown = gradient(catalogue["gaussian_process"]).explain(notation="differential")
    assert shown.count("u₁_nm = (1 / length²) Σ_d u_ndm²") == 1 and "exp(−u₁_nm / 2)" in shown
    assert "dL = −(yᵀ dα + αᵀ dy + tr(dK K⁻¹)) / 2" in shown
    entropy = gradient(catalogue["softmax_cross_entropy"]).explain(notation="differential")
    assert "  dS = (dZ ⊙ exp(Z)) 𝟏" in entropy or "  dS = (exp(Z) ⊙ dZ) 𝟏" in entropy
