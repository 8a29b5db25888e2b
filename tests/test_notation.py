"""Expressions and derivations as a reader reads them: tables of expected print, letters that never clash."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import (
    Add,
    Eq,
    Float,
    Function,
    Mul,
    Or,
    Rational,
    S,
    Symbol,
    erf,
    evaluate,
    exp,
    floor,
    log,
    sqrt,
    tanh,
)

from derive.axes import (
    AdjointOf,
    Axis,
    Delta,
    Entry,
    MeanOver,
    ProdOver,
    Scalar,
    Sigmoid,
    Size,
    Softplus,
    SumOver,
    TangentOf,
    Tensor,
    Unsupported,
    Where,
    absolute,
    axes,
    clip,
    free_axes,
    maximum,
)
from derive.formula import Traced
from derive.formula.trace import Assumption
from derive.notation import Names, explain_latex, explain_markdown, explain_text, latex, text
from derive.notation.glyphs import glyph
from derive.notation.prose import escaped
from derive.steps import Derivation, Equation, Step

b, c, d, i, o, n, k = axes("b c d i o n k")
b1, c1, c2, d1, i1, o1 = (a.alias(f"{a.name}_{j}") for a, j in [(b, 1), (c, 1), (c, 2), (d, 1), (i, 1), (o, 1)])
m = n.alias("m")
eps, tau = Scalar("eps"), Scalar("tau")

x, w, g = Tensor("x", (b, i)), Tensor("w", (i, o)), Tensor("g", (b, o), role="upstream", of="y")
beta = Tensor("beta", (o,))
z, p, t, G = Tensor("z", (b, c)), Tensor("p", (b, c)), Tensor("t", (b, c)), Tensor("g", (b, c), role="upstream")
xhat, ghat, gamma = Tensor("xhat", (b, d)), Tensor("ghat", (b, d)), Tensor("gamma", (d,))
mu, v, r = Tensor("mu", (b,)), Tensor("v", (b,)), Tensor("r", (b,))
mu_adj = Tensor("mu_adj", (b,), role="adjoint", of="mu")
scores_adj = Tensor("scores_adj", (b,), role="adjoint", of="scores")
w_1, X, q, y, u = Tensor("w_1", (i, o)), Tensor("x", (n, d)), Tensor("p", (n,)), Tensor("y", (n,)), Tensor("w", (d,))
A, a = Tensor("a", (n, m)), Tensor("a", (n,))
s, alpha, f = Tensor("sigma", (b,)), Tensor("delta", (b,)), Tensor("running_mean", (d,))
idx, head = Tensor("idx", (b,), dtype="int"), Axis("head", Size("H"))
mask, att = Tensor("m", (b, c), dtype="bool"), Tensor("att", (b, head))

with evaluate(False):
    SOFTMAX = p[b, c] * (G[b, c] - SumOver(G[b, c1] * p[b, c1], c1))
    LAYER_NORM = r[b] * (ghat[b, d] - MeanOver(ghat[b, d1], d1) - xhat[b, d] * MeanOver(ghat[b, d1] * xhat[b, d1], d1))
    NLL = -MeanOver(SumOver(t[b, c] * (z[b, c] - log(SumOver(exp(z[b, c]), c))), c), b)
    PRINTED = [  # expression, text, LaTeX
        (SumOver(x[b, i] * g[b, o], b), "Σ_b x_bi g_bo", r"\sum_{b} x_{b i}\, g_{b o}"),
        (SumOver(x[b, i] * w[i, o], i) + beta[o], "Σ_i x_bi w_io + β_o", r"\sum_{i} x_{b i}\, w_{i o} + \beta_o"),
        (beta[o] - x[b, i], "β_o − x_bi", r"\beta_o - x_{b i}"),
        (-(p[b, c] - t[b, c]), "−(p_bc − t_bc)", "-(p_{b c} - t_{b c})"),
        ((p[b, c] - t[b, c]) / b.size, "(p_bc − t_bc) / B", r"\frac{p_{b c} - t_{b c}}{B}"),
        (SOFTMAX, "p_bc (g_bc − Σ_c′ g_bc′ p_bc′)",
         r"p_{b c} \Bigl(g_{b c} - \sum_{c'} g_{b c'}\, p_{b c'}\Bigr)"),
        (LAYER_NORM, "r_b (ĝ_bd − mean_d′ ĝ_bd′ − x̂_bd mean_d′ ĝ_bd′ x̂_bd′)",
         r"r_b \Bigl(\hat{g}_{b d} - \frac{1}{D} \sum_{d'} \hat{g}_{b d'} - \hat{x}_{b d}\, \frac{1}{D} \sum_{d'} "
         r"\hat{g}_{b d'}\, \hat{x}_{b d'}\Bigr)"),
        (NLL, "−mean_b Σ_c t_bc (z_bc − log Σ_c′ exp(z_bc′))",
         r"-\frac{1}{B} \sum_{b} \sum_{c} t_{b c} \Bigl(z_{b c} - \log \sum_{c'} e^{z_{b c'}}\Bigr)"),
        (exp(z[b, c]) / SumOver(exp(z[b, c]), c), "exp(z_bc) / Σ_c′ exp(z_bc′)",
         r"\frac{e^{z_{b c}}}{\sum_{c'} e^{z_{b c'}}}"),
        (gamma[d] / sqrt(v[b] + eps) * (x[b, i] - mu[b]), "γ_d (x_bi − μ_b) / √(v_b + ε)",
         r"\frac{\gamma_d}{\sqrt{v_b + \varepsilon}} (x_{b i} - \mu_b)"),
        (1 / b.size * SumOver(mu[b], b), "(1/B) Σ_b μ_b", r"\frac{1}{B} \sum_{b} \mu_b"),
        (SumOver(x[b, i] + mu[b], b), "Σ_b (x_bi + μ_b)", r"\sum_{b} (x_{b i} + \mu_b)"),
        (SumOver(x[b, i], b) + beta[o], "Σ_b x_bi + β_o", r"\sum_{b} x_{b i} + \beta_o"),
        (SumOver(-x[b, i], b), "Σ_b (−x_bi)", r"\sum_{b} (-x_{b i})"),
        (SumOver(x[b, i], b) * beta[o], "(Σ_b x_bi) β_o", r"\Bigl(\sum_{b} x_{b i}\Bigr)\, \beta_o"),
        (MeanOver(x[b, i], b, i), "mean_bi x_bi", r"\frac{1}{B\, I} \sum_{b,i} x_{b i}"),
        (ProdOver(x[b, i], b), "Π_b x_bi", r"\prod_{b} x_{b i}"),
        (x[b, i] ** 2, "x_bi²", "x_{b i}^2"),
        (w_1[i, o] ** 2, "w₁_io²", r"\bigl(w^{(1)}_{i o}\bigr)^2"),
        (x[b, i] ** -2, "1 / x_bi²", r"\frac{1}{x_{b i}^2}"),
        (x[b, i] ** Rational(-1, 2), "1 / √x_bi", r"\frac{1}{\sqrt{x_{b i}}}"),
        (x[b, i] ** Rational(3, 2), "x_bi^(3/2)", "x_{b i}^{3/2}"),
        ((x[b, i] + 1) ** 2, "(x_bi + 1)²", "(x_{b i} + 1)^2"),
        (1 - tanh(x[b, i]) ** 2, "1 − tanh²(x_bi)", r"1 - \tanh^2(x_{b i})"),
        (Sigmoid(x[b, i]) * (1 - Sigmoid(x[b, i])), "σ(x_bi) (1 − σ(x_bi))",
         r"\sigma(x_{b i}) \bigl(1 - \sigma(x_{b i})\bigr)"),
        (Softplus(x[b, i]), "softplus(x_bi)", r"\operatorname{softplus}(x_{b i})"),
        (Rational(1, 2) * x[b, i] * (1 + erf(x[b, i] / sqrt(2))), "x_bi (1 + erf(x_bi / √2)) / 2",
         r"\frac{1}{2}\, x_{b i} \Bigl(1 + \operatorname{erf}\Bigl(\frac{x_{b i}}{\sqrt{2}}\Bigr)\Bigr)"),
        (-2 * x[b, i] / 3, "−2 x_bi / 3", r"-\tfrac{2}{3}\, x_{b i}"),
        (Mul(2, 3, x[b, i]), "2 · 3 x_bi", r"2 \cdot 3\, x_{b i}"),
        (Float("1e-5") + x[b, i], "10⁻⁵ + x_bi", "10^{-5} + x_{b i}"),
        (Float("0.5") * x[b, i], "0.5 x_bi", r"0.5\, x_{b i}"),
        (2 ** x[b, i], "2^x_bi", "2^{x_{b i}}"),
        (absolute(x[b, i]), "|x_bi|", r"\lvert x_{b i}\rvert"),
        (floor(tau / 2), "⌊τ / 2⌋", r"\bigl\lfloor \tfrac{1}{2}\, \tau\bigr\rfloor"),
        (sqrt(2 * S.Pi), "√(2 π)", r"\sqrt{2\, \pi}"),
        (maximum(x[b, i], S.Zero), "max(x_bi, 0)", r"\max(x_{b i}, 0)"),
        (Where(z[b, c] < t[b, c], S.Zero, z[b, c] - t[b, c]), "max(0, z_bc − t_bc)", r"\max(0, z_{b c} - t_{b c})"),
        (Where(x[b, i] > 0, S.One, S.Zero) * x[b, i] ** 2, "max(x_bi, 0)²", r"\max(x_{b i}, 0)^2"),
        (Where(x[b, i] > 0, g[b, o], S.Zero), "[x_bi > 0] g_bo", r"\mathbf{1}[x_{b i} > 0]\, g_{b o}"),
        (Where(x[b, i] > 0, S.Zero, g[b, o]), "[x_bi ≤ 0] g_bo", r"\mathbf{1}[x_{b i} \le 0]\, g_{b o}"),
        (Where(mask[b, c], z[b, c], S.Zero), "[m_bc] z_bc", r"\mathbf{1}[m_{b c}]\, z_{b c}"),
        (Where(mask[b, c], z[b, c], S.NegativeInfinity), "where(m_bc, z_bc, −∞)",
         r"\begin{cases} z_{b c} & \text{if } m_{b c} \\ -\infty & \text{otherwise} \end{cases}"),
        (clip(v[b], -S.One, S.One), "where(v_b < −1, −1, where(v_b > 1, 1, v_b))",
         r"\begin{cases} -1 & \text{if } v_b < -1 \\ 1 & \text{if } v_b > 1 \\ v_b & \text{otherwise} \end{cases}"),
        (Where(Or(v[b] > 1, r[b] < 0), v[b], r[b]) + mu[b], "where(v_b > 1 ∨ r_b < 0, v_b, r_b) + μ_b",
         r"\biggl(\begin{cases} v_b & \text{if } v_b > 1 \lor r_b < 0 \\ r_b & \text{otherwise} \end{cases}\biggr)"
         r" + \mu_b"),
        (Delta(b, b1) * x[b1, i], "δ_bb′ x_b′i", r"\delta_{b b'}\, x_{b' i}"),
        (Delta(idx[b], c), "[idx_b = c]", r"\mathbf{1}[\mathrm{idx}_b = c]"),
        (AdjointOf(x[b, i]), "∂L/∂x_bi", r"\frac{\partial L}{\partial x_{b i}}"),
        (2 * AdjointOf(w_1[i, o]), "2 (∂L/∂w₁_io)", r"2\, \frac{\partial L}{\partial w^{(1)}_{i o}}"),
        (TangentOf(x[b, i]), "ẋ_bi", r"\dot{x}_{b i}"),
        (mu_adj[b] * xhat[b, d], "μ̄_b x̂_bd", r"\bar{\mu}_b\, \hat{x}_{b d}"),
        (scores_adj[b], "scores̄_b", r"\overline{\mathrm{scores}}_b"),
        (f[d] + att[b, head], "running_mean_d + att_{b, head}",
         r"\mathrm{running\_mean}_d + \mathrm{att}_{b,\, \mathrm{head}}"),
        (Entry(x, 2 * b + 1, i), "x[2 b + 1, i]", r"x_{2 b + 1,\, i}"),
        (Eq(SumOver(t[b, c], c), 1), "Σ_c t_bc = 1", r"\sum_{c} t_{b c} = 1"),
    ]  # fmt: skip

    MATRICES = [  # expression, letters of the result, text, LaTeX
        (SumOver(x[b, i] * g[b, o], b), (i, o), "Xᵀ G", r"X^\top G"),
        (SumOver(g[b, o] * w[i, o], o), (b, i), "G Wᵀ", r"G W^\top"),
        (SumOver(g[b, o], b), (o,), "𝟏ᵀ G", r"\mathbf{1}^\top G"),
        (SumOver(x[b, i] * w[i, o], i) + beta[o], (b, o), "X W + 𝟏 βᵀ", r"X W + \mathbf{1} \beta^\top"),
        (SOFTMAX, (b, c), "P ⊙ (G − (G ⊙ P) 𝟏 𝟏ᵀ)",
         r"P \odot \bigl(G - (G \odot P) \mathbf{1} \mathbf{1}^\top\bigr)"),
        ((p[b, c] - t[b, c]) / b.size, (b, c), "(P − T) / B", r"\frac{1}{B} (P - T)"),
        (exp(z[b, c]) / SumOver(exp(z[b, c]), c), (b, c), "diag(exp(Z) 𝟏)⁻¹ exp(Z)",
         r"\operatorname{diag}\bigl(\exp(Z) \mathbf{1}\bigr)^{-1} \exp(Z)"),
        (SumOver(X[n, d] * (q[n] - y[n]), n), (d,), "Xᵀ (p − y)", r"X^\top (p - y)"),
        (2 * SumOver(X[n, d] * (SumOver(X[n, d1] * u[d1], d1) - y[n]), n), (d,), "2 Xᵀ (X w − y)",
         r"2 X^\top (X w - y)"),
        (SumOver(X[n, d] * q[n] * (1 - q[n]) * X[n, d1], n), (d, d1), "Xᵀ diag(p ⊙ (𝟏 − p)) X",
         r"X^\top \operatorname{diag}\bigl(p \odot (\mathbf{1} - p)\bigr) X"),
        (Delta(n, m) * a[n], (n, m), "diag(a)", r"\operatorname{diag}(a)"),
        (a[n], (n, m), "a 𝟏ᵀ", r"a \mathbf{1}^\top"),
        (a[n] * q[m], (n, m), "a pᵀ", r"a p^\top"),
        (SumOver(y[n] * A[n, m] * y[m], n, m), (), "yᵀ A y", r"y^\top A y"),
        (SumOver(A[n, n], n), (), "tr(A)", r"\operatorname{tr}(A)"),
        (SumOver(z[b, c] * p[b, c], b, c), (), "tr(Zᵀ P)", r"\operatorname{tr}(Z^\top P)"),
        (SumOver(x[b, i] ** 2, b, i), (), "‖X‖_F²", r"\lVert X\rVert_F^2"),
        (SumOver(y[n] ** 2, n), (), "‖y‖²", r"\lVert y\rVert^2"),
        (Where(x[b, i] > 0, x[b, i], S.Zero), (b, i), "max(X, 0)", r"\max(X, 0)"),
        (AdjointOf(w_1[i, o]), (i, o), "∂L/∂W₁", r"\frac{\partial L}{\partial W_1}"),
        (Eq(SumOver(t[b, c], c), 1), (b,), "T 𝟏 = 𝟏", r"T \mathbf{1} = \mathbf{1}"),
    ]  # fmt: skip

    ALIKE = [  # what would look the same: a function and a tensor, a length and a tensor, two tensors, …
        (s[b] * Sigmoid(v[b]), "σ_b sigmoid(v_b)"),
        (alpha[b] * Delta(b, b1), "δ_b [b = b′]"),
        (Tensor("K", (k, d))[k, d] / k.size, "K_kd / N_k"),
        (Tensor("L", (b,))[b] * AdjointOf(x[b, i]), "L_b (∂ℒ/∂x_bi)"),
        (Tensor("w1", (i,))[i] * Tensor("w_1", (i,))[i], "w₁_i w_1_i"),
        (Tensor("mu_bar", (b,))[b] * mu_adj[b], "μ̄_b mu_adj_b"),
        (Tensor("v", (Axis("h", Size("H")),))[Axis("h", Size("H"))] * r[b] * SumOver(att[b, head], head),
         "v_h r_b Σ_{head} att_{b, head}"),
    ]  # fmt: skip


def nfc(source: str) -> str:
    return unicodedata.normalize("NFC", source)


@pytest.mark.parametrize("expression, in_text, in_latex", PRINTED, ids=[row[1] for row in PRINTED])
def test_expression(expression, in_text, in_latex):
    assert text(expression) == nfc(in_text)
    assert latex(expression) == in_latex


@pytest.mark.parametrize("expression, letters, in_text, in_latex", MATRICES, ids=[row[2] for row in MATRICES])
def test_matrix(expression, letters, in_text, in_latex):
    printed = text(expression, "matrix", letters=letters)
    assert (printed, printed.notation) == (in_text, "matrix")
    assert latex(expression, "matrix", letters=letters) == in_latex


def test_without_a_matrix_form_the_answer_says_so():
    cube = Tensor("k", (b, c, d))
    printed = text(SumOver(cube[b, c, d], b), "matrix")
    assert (printed, printed.notation) == ("Σ_b k_bcd", "index")
    crossing = SumOver(x[b, i] * z[b, c] * g[b, o], b)
    assert text(crossing, "matrix").notation == "index"


@pytest.mark.parametrize(
    "name, in_text, in_latex",
    [
        ("beta", "β", r"\beta"),
        ("eps", "ε", r"\varepsilon"),
        ("phi", "φ", r"\varphi"),
        ("gamma_1", "γ₁", r"\gamma^{(1)}"),
        ("xhat", "x̂", r"\hat{x}"),
        ("x_hat", "x̂", r"\hat{x}"),
        ("x_bar", "x̄", r"\bar{x}"),
        ("mubar_2", "μ̄₂", r"\bar{\mu}^{(2)}"),
        ("w_12", "w₁₂", r"w^{(12)}"),
        ("h0", "h₀", r"h^{(0)}"),
        ("g_y", "g_y", r"g^{(y)}"),
        ("logits", "logits", r"\mathrm{logits}"),
        ("bias_1", "bias₁", r"\mathrm{bias}^{(1)}"),
        ("running_mean", "running_mean", r"\mathrm{running\_mean}"),
        ("lambda_", "λ", r"\lambda"),
        ("Sigma", "Sigma", r"\Sigma"),
        ("phi_q_hat", "φ̂_q", r"\hat{\varphi}^{(q)}"),
        ("weight_hat", "weight̂", r"\widehat{\mathrm{weight}}"),
    ],
)
def test_name(name, in_text, in_latex):
    assert glyph(name).in_text() == nfc(in_text)
    assert glyph(name).as_tensor() == in_latex


@pytest.mark.parametrize("expression, in_text", ALIKE, ids=[row[1] for row in ALIKE])
def test_what_differs_is_told_apart(expression, in_text):
    assert text(expression) == nfc(in_text)


def test_letters():
    same = SumOver(z[b, c] * SumOver(p[b, c] * SumOver(t[b, c2], c2), c), c)
    assert text(same) == "Σ_c z_bc Σ_c′ p_bc′ Σ_c″ t_bc″"
    assert text(same, letters=[b, c]) == "Σ_c′ z_bc′ Σ_c″ p_bc″ Σ_c‴ t_bc‴"
    short, long = Axis("h", Size("H")), Axis("h", Size("K"))
    both = Tensor("e", (short, long))
    assert text(both[short, long]) == "e_hh′"
    assert text(SumOver(both[short, long], long)) == "Σ_h′ e_hh′"
    o_1, o_2 = axes("o_1 o_2")
    w_2 = Tensor("w_2", (o_1, o_2))
    assert text(SumOver(w_2[o_1, o_2], o_1)) == "Σ_o₁ w₂_o₁o₂"
    assert latex(SumOver(w_2[o_1, o_2], o_1)) == r"\sum_{o_1} w^{(2)}_{o_1 o_2}"
    again = SumOver(w_2[o_1.alias("o_1_1"), o_2], o_1.alias("o_1_1"))
    assert text(again, letters=[o_1, o_2]) == "Σ_o₁′ w₂_o₁′o₂"


LETTERS = [b, c, b1, c1, c2, Axis("b", Size("Q")), Axis("c", Size("Q"))]
pair = st.tuples(st.sampled_from(LETTERS), st.sampled_from(LETTERS))
entries = st.builds(lambda at: Tensor("x", at)[at], pair)
nested = st.recursive(
    entries,
    lambda inner: st.one_of(
        st.builds(lambda body, over: SumOver(body, *over), inner,
                  st.lists(st.sampled_from(LETTERS), min_size=1, max_size=2, unique=True)),
        st.builds(lambda *parts: Mul(*parts, evaluate=False), inner, inner),
        st.builds(lambda *parts: Add(*parts, evaluate=False), inner, inner),
    ),
    max_leaves=6,
)  # fmt: skip


def structure(node, bound):
    """An expression without its letters' names: a bound letter is its binder's number, a free one itself."""
    if isinstance(node, Entry):
        return tuple(bound.get(a, a) for a in node.indices)
    if isinstance(node, SumOver):
        inner = {**bound, **{a: len(bound) + place for place, a in enumerate(node.axes)}}
        inner = {**inner, **{a: (depth(bound), place) for place, a in enumerate(node.axes)}}
        return ("Σ", len(node.axes), structure(node.body, inner))
    parts = [structure(p, bound) for p in flat(node, type(node))]
    return (type(node).__name__, *parts)


def depth(bound):
    return 1 + max((mark[0] for mark in bound.values() if isinstance(mark, tuple)), default=0)


def flat(node, kind):
    return [q for part in node.args for q in (flat(part, kind) if isinstance(part, kind) else [part])]


UNIT = re.compile("[a-z][₀-₉]*[′″‴]*")


class Read:
    """Reads back what `text` printed of nested sums."""

    def __init__(self, source, free):
        self.rest, self.free = source, free

    def sum(self, bound):
        terms = [self.product(bound)]
        while self.rest.startswith(" + "):
            self.rest = self.rest[3:]
            terms.append(self.product(bound))
        return terms[0] if len(terms) == 1 else ("Add", *terms)

    def product(self, bound):
        factors = [self.factor(bound)]
        while self.rest.startswith(" ") and not self.rest.startswith(" + "):
            self.rest = self.rest[1:]
            factors.append(self.factor(bound))
        return factors[0] if len(factors) == 1 else ("Mul", *factors)

    def units(self):
        found = []
        while match := UNIT.match(self.rest):
            found.append(match[0])
            self.rest = self.rest[match.end() :]
        return found

    def factor(self, bound):
        if self.rest.startswith("("):
            self.rest = self.rest[1:]
            inside = self.sum(bound)
            assert self.rest.startswith(")")
            self.rest = self.rest[1:]
            return inside
        head, self.rest = self.rest[:2], self.rest[2:]
        units = self.units()
        if head == "Σ_":
            assert len(set(units)) == len(units)
            assert not set(units) & {*bound, *self.free}, "a bound letter is printed like one in scope"
            self.rest = self.rest[1:]
            inner = {**bound, **{a: (depth(bound), place) for place, a in enumerate(units)}}
            return ("Σ", len(units), self.product(inner))
        return tuple(bound.get(a) or self.free[a] for a in units)


@given(nested)
def test_printed_letters_mean_what_they_meant(expression):
    free = free_axes(expression)
    names = Names.of([expression], free)
    written = {g.in_text(): letter for letter, g in names.scope(free).items()}
    assert len(written) == len(free)
    names = Names(
        names.declared, {key: glyph("x") for key in names.tensors}, names.symbols, names.loss, names.ranks, names.met
    )
    printed = text(expression, letters=free, names=names, width=10_000)
    reader = Read(printed, written)
    assert reader.sum({}) == structure(expression, {}), printed
    assert not reader.rest


class Unknown(Function):
    nargs = 1


@pytest.mark.parametrize("show, printer", [(text, "text"), (latex, "latex")])
def test_an_unknown_node_raises(show, printer):
    with pytest.raises(Unsupported, match=f"{printer} printer: no row for Unknown: "):
        show(1 + Unknown(x[b, i]))
    with pytest.raises(Unsupported, match=f"{printer} printer: no row"):
        show(x[b, i] * S.ComplexInfinity)
    with pytest.raises(Unsupported, match="symbol k has no name"):
        show(Symbol("k") * x[b, i], names=Names.of([x[b, i]], [b, i]))


@pytest.mark.parametrize("notation", ["words", "matrx", ""])
def test_an_unknown_notation_raises(notation):
    with pytest.raises(Unsupported, match=f"notation '{notation}'"):
        latex(x[b, i], notation)


def test_long_lines_break_at_sums():
    with evaluate(False):
        long = Add(*[SumOver(x[b, i] * w[i, o] * (beta[o] + mu[b]), i) for _ in range(6)])
        nested = beta[o] * (long + mu[b])
    for expression in (long, nested):
        lines = text(expression).splitlines()
        assert len(lines) > 1
        assert max(map(len, lines)) <= 80
        assert all(line.startswith(("+ ", "− ")) for line in lines[1:])
    product = Mul(*[Tensor(f"t_{j}", (b, i))[b, i] for j in range(20)], evaluate=False)
    assert text(product).splitlines()[1].startswith("× ")


def step(law, before, after, why="", *cites):
    return Step(law, before, after, why, cites)


def dense():
    yy = Tensor("y", (b, o), body=PRINTED[1][0], role="output")
    with evaluate(False):
        raw = SumOver(Delta(i, i1) * Delta(o, o1) * x[b, i1] * g[b, o1], b, i1, o1)
        end = SumOver(x[b, i] * g[b, o], b)
    steps = (
        step("chain rule", AdjointOf(w[i, o]), raw, "each use times the adjoint of what uses it"),
        step("contract δ", raw, end, "a δ picks one term of the sum"),
    )
    back = SumOver(g[b, o], b)
    results = (
        Equation("result", AdjointOf(w[i, o]), Tensor("w_bar", (i, o), body=end, role="adjoint", of="w"), steps),
        Equation("result", AdjointOf(beta[o]), None, (step("chain rule", AdjointOf(beta[o]), back),)),
    )
    return Derivation("dense", results), Traced("dense", (x, w, beta), (), (), (yy,))


def cross_entropy():
    total = Tensor("S", (b,), body=SumOver(exp(z[b, c]), c), role="found")
    found = Tensor("p", (b, c), body=exp(z[b, c]) / total[b], role="found")
    loss = Tensor("L", (), body=NLL, role="output")
    one = Eq(SumOver(t[b, c], c), 1, evaluate=False)
    with evaluate(False):
        bar = Tensor("S_bar", (b,), body=1 / (b.size * total[b]), role="adjoint", of="S")
        first = exp(z[b, c]) * bar[b] - t[b, c] / b.size
        second = found[b, c] * SumOver(t[b, c1], c1) / b.size - t[b, c] / b.size
        third = found[b, c] / b.size - t[b, c] / b.size
        last = (found[b, c] - t[b, c]) / b.size
    target = AdjointOf(z[b, c])
    equations = (
        Equation("found", total[b], total, (step("name", total[b], total.body, "it occurs twice"),)),
        Equation("found", found[b, c], found, (step("name", found[b, c], found.body, "it occurs twice"),)),
        Equation("fact", SumOver(t[b, c], c), None, (step("assumption", SumOver(t[b, c], c), S.One, "it is assumed"),)),
        Equation("adjoint", AdjointOf(total[b]), bar, (step("chain rule", AdjointOf(total[b]), bar.body),)),
        Equation("result", target, None, (
            step("chain rule", target, first, "each use times the adjoint of what uses it"),
            step("fold a definition", first, second, "it is defined so", Eq(found[b, c], found.body, evaluate=False)),
            step("use a fact", second, third, "a known sum", one),
            step("factor", third, last, ""),
        )),
    )  # fmt: skip
    traced = Traced("softmax_cross_entropy", (z, t), (), (), (loss,), (Assumption(one),))
    return Derivation("softmax_cross_entropy", equations), traced


def layer_norm():
    mean = Tensor("mu", (b,), body=MeanOver(xhat[b, d], d), role="let")
    out = Tensor("y", (b, d), body=gamma[d] * (xhat[b, d] - mean[b]) / sqrt(v[b] + eps), role="output")
    bar = Tensor("xhat_bar", (b, d), body=gamma[d] * ghat[b, d], role="adjoint", of="xhat")
    target = AdjointOf(xhat[b, d])
    with evaluate(False):
        terms = LAYER_NORM.args[1].args
        long = Add(*[r[b] * term * (v[b] + eps) ** Rational(-1, 2) * ghat[b, d] for term in terms * 3])
    equations = (
        Equation("adjoint", target, bar, (step("chain rule", target, bar.body),)),
        Equation(
            "result", AdjointOf(v[b]), None, (step("expand", AdjointOf(v[b]), long, "every product written out"),)
        ),
    )
    return Derivation("layer_norm", equations), Traced("layer_norm", (xhat, v), (eps,), (), (out,))


def mlp():
    o_1, o_2 = axes("o_1 o_2")
    w1, w2 = Tensor("w_1", (i, o_1)), Tensor("w_2", (o_1, o_2))
    up = Tensor("g", (b, o_2), role="upstream", of="y_3")
    y1 = Tensor("y_1", (b, o_1), body=SumOver(x[b, i] * w1[i, o_1], i), role="let")
    y2 = Tensor("y_2", (b, o_1), body=tanh(y1[b, o_1]), role="let")
    y3 = Tensor("y_3", (b, o_2), body=SumOver(y2[b, o_1] * w2[o_1, o_2], o_1), role="output")
    bar2 = Tensor("y_2_bar", (b, o_1), role="adjoint", of="y_2", body=SumOver(up[b, o_2] * w2[o_1, o_2], o_2))
    with evaluate(False):
        down = bar2[b, o_1] * (1 - y2[b, o_1] ** 2)
    bar1 = Tensor("y_1_bar", (b, o_1), body=down, role="adjoint", of="y_1")
    alias = o_1.alias("o_1_1")
    with evaluate(False):
        raw = SumOver(x[b, i] * bar1[b, alias] * Delta(o_1, alias), b, alias)
        end = SumOver(x[b, i] * bar1[b, o_1], b)
    first, second, third = (AdjointOf(e) for e in (y2[b, o_1], y1[b, o_1], w1[i, o_1]))
    equations = (
        Equation("adjoint", first, bar2, (step("chain rule", first, bar2.body, "through the second map"),)),
        Equation("adjoint", second, bar1, (step("chain rule", second, down, "tanh′ = 1 − tanh²"),)),
        Equation("result", third, None, (step("chain rule", third, raw), step("contract δ", raw, end, "a δ picks"))),
    )
    return Derivation("dense >> tanh >> dense", equations), Traced("mlp", (x, w1, w2), (), (), (y3,))


def relu():
    one = Tensor("x")
    out = Tensor("y", body=maximum(one[()], S.Zero), role="output")
    target, up = AdjointOf(one[()]), Tensor("g", role="upstream", of="y")
    end = Where(one[()] > 0, up[()], S.Zero)
    equation = Equation("result", target, None, (step("derivative of where", target, end, "branch by branch"),))
    return Derivation("relu", (equation,)), Traced("relu", (one,), (), (), (out,), (), True)


DOCUMENTS = {made.__name__: made for made in (dense, cross_entropy, layer_norm, mlp, relu)}

DENSE = """\
dense
=====

Affine map.

Definition
----------

  x_bi: B × I
  w_io: I × O
  β_o: O

  y_bo = Σ_i x_bi w_io + β_o

The scalar that is differentiated is L = Σ_bo g_bo y_bo, where g_bo is the given
upstream gradient ∂L/∂y_bo.

Gradient with respect to w: I × O
---------------------------------

  ∂L/∂w_io = Σ_b x_bi g_bo
        [chain rule: each use times the adjoint of what uses it; contract δ]

Gradient with respect to β: O
-----------------------------

  ∂L/∂β_o = Σ_b g_bo
        [chain rule]

Results
-------

  ∂L/∂w_io = Σ_b x_bi g_bo
  ∂L/∂β_o = Σ_b g_bo
"""


def test_document_in_text():
    assert explain_text(*dense(), summary="Affine map.") == DENSE


def told(made, *args, **kwargs):
    return explain_text(*made(), *args, **kwargs)


@pytest.mark.parametrize("detail", ["brief", "normal", "full"])
@pytest.mark.parametrize("notation", ["index", "matrix"])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_text_stays_within_the_margin(name, notation, detail):
    lines = told(DOCUMENTS[name], detail, notation=notation).splitlines()
    assert max(sum(not unicodedata.combining(char) for char in line) for line in lines) <= 80


@pytest.mark.parametrize(
    "made, detail, notation, contains",
    [
        (cross_entropy, "normal", "index", "It is assumed that Σ_c t_bc = 1."),
        (cross_entropy, "normal", "index", "The scalar that is differentiated is L.\n"),
        (cross_entropy, "normal", "index", "  S̄_b = ∂L/∂S_b = 1 / (B S_b)"),
        (cross_entropy, "normal", "index", "[use a fact: a known sum (Σ_c t_bc = 1); factor]"),
        (cross_entropy, "normal", "index", "[fold a definition: it is defined so (p_bc = exp(z_bc) / S_b)]"),
        (cross_entropy, "normal", "index", "  S_b = Σ_c exp(z_bc)\n  p_bc = exp(z_bc) / S_b"),
        (cross_entropy, "normal", "matrix", "∂L/∂Z = (P − T) / B"),
        (cross_entropy, "brief", "index", "Laws used: name, assumption, chain rule,"),
        (cross_entropy, "brief", "index", "Here\n\n  S_b = Σ_c exp(z_bc)\n  p_bc"),
        (cross_entropy, "full", "index", "    = (p_bc − t_bc) / B\n        [factor]"),
        (dense, "full", "matrix", "  ∂L/∂W = Xᵀ G\n"),
        (dense, "normal", "matrix", "  X = (x_bi): B × I\n"),
        (dense, "normal", "matrix", "  ∂L/∂β = 𝟏ᵀ G\n"),
        (layer_norm, "normal", "index", "  x̂̄_bd = ∂L/∂x̂_bd = γ_d ĝ_bd"),
        (mlp, "normal", "index", "  ȳ₁_bo₁ = ∂L/∂y₁_bo₁ = ȳ₂_bo₁ (1 − y₂_bo₁²)"),
        (mlp, "normal", "index", "[chain rule; contract δ]"),
        (mlp, "full", "index", "Σ_bo₁′ x_bi ȳ₁_bo₁′ δ_o₁o₁′"),
        (mlp, "normal", "matrix", "∂L/∂W₁ = Xᵀ Ȳ₁"),
        (relu, "normal", "index", "∂L/∂x = [x > 0] g"),
        (relu, "normal", "index", "The formula holds entry by entry"),
    ],
)
def test_document_says(made, detail, notation, contains):
    assert nfc(contains) in told(made, detail, notation=notation)


def test_normal_merges_and_tells_a_law_once():
    derivation, traced = mlp()
    assert "δ_o₁o₁′" not in explain_text(derivation, traced, "normal")
    twice = Derivation(
        "twice", tuple(Equation("result", e.target, None, e.steps) for e in dense()[0].equations[:1] * 2)
    )
    assert explain_text(twice, dense()[1]).count("each use times") == 1
    assert explain_text(twice, dense()[1], "full").count("each use times") == 2


def test_jacobian_and_hessian():
    target, entry = AdjointOf(p[b1, c1]), z[b, c]
    derivation = Derivation("f", (Equation("result", target, None, (step("law", target, Delta(b, b1)),)),), entry)
    traced = Traced("f", (p,), (), (), (Tensor("z", (b, c), body=p[b, c], role="output"),))
    assert "∂z_bc/∂p_b′c′ = δ_bb′" in explain_text(derivation, traced)
    first = Tensor("w_bar", (d,), body=u[d], role="adjoint", of="w")
    twice = AdjointOf(u[d1])
    derivation = Derivation("f", (Equation("result", twice, None, (step("law", twice, Delta(d, d1)),)),), first[d])
    traced = Traced("f", (u,), (), (), (Tensor("L", (), body=SumOver(u[d] ** 2, d) / 2, role="output"),))
    assert "∂²L/∂w_d∂w_d′ = δ_dd′" in explain_text(derivation, traced)
    assert "∂²L/∂w∂wᵀ = 𝐈" in explain_text(derivation, traced, notation="matrix")


def test_markdown():
    page = explain_markdown(*cross_entropy(), summary="Mean *negative* log-likelihood.")
    assert page.startswith("# softmax\\_cross\\_entropy\n\nMean \\*negative\\*")
    assert page.count("$$") % 2 == 0
    assert "$$\n\\begin{aligned}" in page
    assert "\\,  " not in page and "\\," not in page and "tag" not in page
    assert "<" not in explain_markdown(*relu()) and r"[x \gt 0]" in explain_markdown(*relu())


def test_unknown_detail_or_notation_raises():
    with pytest.raises(Unsupported, match="unknown detail 'much'"):
        told(dense, "much")
    with pytest.raises(Unsupported, match="did you mean 'named'"):
        explain_latex(*dense(), notation="nammed")


def test_words_for_latex():
    assert escaped("a_b & 5% of x̂ − δ′, é") == r"a\_b \& 5\% of $\hat{x}$ $-$ $\delta$$'$, é"
    with pytest.raises(Unsupported, match="no row for the character"):
        escaped("漢")
