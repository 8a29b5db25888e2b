"""Windows, gathers, masks and derived lengths as a textbook prints them."""

import unicodedata

import pytest
from sympy import And, Ge, Integer, Le, Lt, Mod, Mul, Or, Rational, S, evaluate, floor, sqrt

from derive.axes import (
    AdjointOf,
    ArgMaxOver,
    ArgMinOver,
    Axis,
    Delta,
    Entry,
    MaxOver,
    MeanOver,
    MinOver,
    PaddedBoolEntry,
    PaddedEntry,
    Size,
    SumOver,
    Tensor,
    Where,
    axes,
    axis,
    padded,
)
from derive.formula import Traced
from derive.notation import explain_latex, explain_markdown, explain_text, latex, text
from derive.notation.story import Chain, Line
from derive.notation.style import TEXT
from derive.notation.view import view_of
from derive.steps import Derivation, Equation, Step

b, c, d, e, f, g_, n, o, q, r, t, y, z = axes("b c d e f g n o q r t y z")
m = n.alias("m")
s, p, dil = Size("s", default=1), Size("p", min=0, default=0), Size("d", default=1)
h = axis("h", (y.size + 2 * p - r.size) // s + 1)
v = axis("v", (z.size + 2 * p - q.size) // s + 1)
wide = axis("h", (y.size + 2 * p - dil * (r.size - 1) - 1) // s + 1)
back = axis("y", (n.size - 1) * s - 2 * p + r.size)
heads = Size("heads")
k, head = axis("k", e.size / heads), Axis("head", heads)
pooled = axis("o", (h.size - q.size) // 2 + 1)

X, W, G = Tensor("x", (n, c, y, z)), Tensor("w", (o, c, r, q)), Tensor("g", (n, o, h, v), role="upstream")
line, signal, out, u = Tensor("x", (y,)), Tensor("w", (r,)), Tensor("g", (h,)), Tensor("u", (n, m))
merged, part, mask = Tensor("a", (e,)), Tensor("a", (head, k)), Tensor("mask", (n, m), dtype="bool")
idx, labels = Tensor("i", (b,), dtype="int", bound=n.size), Tensor("t", (b,), dtype="int", bound=c.size)
table, logits = Tensor("e", (n, d)), Tensor("z", (b, c))
kept = Tensor("m", (y,), dtype="bool")
NEVER = -S.Infinity

with evaluate(False):
    AT_Y, AT_Z = s * h + r - p, s * v + q - p
    IN_Y, IN_Z = And(Ge(AT_Y, 0), Lt(AT_Y, y.size)), And(Ge(AT_Z, 0), Lt(AT_Z, z.size))
    PRINTED = [  # expression, text, LaTeX
        # Indices: what is added first, letters after their coefficients, numbers last.
        (SumOver(padded(X)[n, c, AT_Y, AT_Z] * W[o, c, r, q], c, r, q),
         "Σ_crq x̃[n, c, s h + r − p, s v + q − p] w_ocrq",
         r"\sum_{c,r,q} \tilde{x}_{n,\, c,\, s h + r - p,\, s v + q - p}\, w_{o c r q}"),
        (PaddedEntry(line, -p + dil * r + s * wide), "x̃[s h + d r − p]", r"\tilde{x}_{s h + d r - p}"),
        (PaddedEntry(out, -r + p + y), "g̃[y + p − r]", r"\tilde{g}_{y + p - r}"),
        (line[y.size - 1 - y], "x[Y − 1 − y]", "x_{Y - 1 - y}"),
        (out[h.size - 1 - h], "g[H − 1 − h]", "g_{H - 1 - h}"),
        (logits[b, 0], "z[b, 0]", r"z_{b,\, 0}"),
        (Entry(merged, k.size * head + k), "a[K head + k]", r"a_{K\, \mathrm{head} + k}"),
        (Entry(Tensor("x", (n,)), c * g_.size + g_), "x[G c + g]", "x_{G c + g}"),
        (Entry(part, floor(e / k.size), Mod(e, k.size)), "a[⌊e/K⌋, e mod K]", r"a_{\lfloor e/K\rfloor,\, e \bmod K}"),
        (Entry(line, 2 * Mod(e + 1, 3) + 1), "x[2 ((e + 1) mod 3) + 1]", r"x_{2 ((e + 1) \bmod 3) + 1}"),
        (PaddedBoolEntry(kept, y + 1), "m̃[y + 1]", r"\tilde{m}_{y + 1}"),
        # Gathers.
        (table[idx[b], d], "e[i_b, d]", r"e_{i_b,\, d}"),
        (logits[b, labels[b]], "z[b, t_b]", r"z_{b,\, t_b}"),
        (logits[b, c] - Delta(labels[b], c), "z_bc − [t_b = c]", r"z_{b c} - \mathbf{1}[t_b = c]"),
        (SumOver(Delta(idx[b], n) * logits[b, c], b), "Σ_{b : i_b = n} z_bc", r"\sum_{b\,:\,i_b = n} z_{b c}"),
        (SumOver(Delta(labels[b], c) * logits[b, c], c), "Σ_c [t_b = c] z_bc",
         r"\sum_{c} \mathbf{1}[t_b = c]\, z_{b c}"),
        # δ of a window: a condition.
        (Delta(AT_Y, y), "[y = s h + r − p]", r"\mathbf{1}[y = s h + r - p]"),
        (Delta(Integer(0), y), "[y = 0]", r"\mathbf{1}[y = 0]"),
        (Delta(n, m), "δ_nm", r"\delta_{n m}"),
        (SumOver(Delta(y, AT_Y) * out[h] * signal[r], h, r), "Σ_{h, r : s h + r − p = y} g_h w_r",
         r"\sum\limits_{\substack{h,r \\ s h + r - p = y}} g_h\, w_r"),
        (SumOver(-G[n, o, h, v] * Delta(y, AT_Y) * Delta(z, AT_Z) / 2, h, v, r, q),
         "Σ_{h, v, r, q : s h + r − p = y, s v + q − p = z} (−g_nohv / 2)",
         r"\sum\limits_{\substack{h,v,r,q \\ s h + r - p = y \\ s v + q - p = z}} "
         r"\bigl(-\tfrac{1}{2}\, g_{n o h v}\bigr)"),
        (out[h] / SumOver(Where(And(IN_Y, Lt(r, 2)), S.One, S.Zero), r), "g_h / Σ_{r : r < 2, 0 ≤ s h + r − p < Y} 1",
         r"\frac{g_h}{\sum\limits_{\substack{r \\ r < 2 \\ 0 \le s h + r - p < Y}} 1}"),
        (SumOver(Delta(y, AT_Y) * line[y], y), "Σ_y [y = s h + r − p] x_y",
         r"\sum_{y} \mathbf{1}[y = s h + r - p]\, x_y"),
        (MeanOver(Delta(y, AT_Y) * out[h], h), "mean_h [y = s h + r − p] g_h",
         r"\frac{1}{H} \sum_{h} \mathbf{1}[y = s h + r - p]\, g_h"),
        # Masks and other conditions on letters.
        (Where(Le(m, n), u[n, m], S.Zero), "[m ≤ n] u_nm", r"\mathbf{1}[m \le n]\, u_{n m}"),
        (SumOver(Where(Le(m, n), u[n, m], S.Zero), m), "Σ_{m ≤ n} u_nm", r"\sum_{m \le n} u_{n m}"),
        (SumOver(Where(Le(m, n), u[n, m], S.Zero), n), "Σ_{n ≥ m} u_nm", r"\sum_{n \ge m} u_{n m}"),
        (SumOver(Where(Le(m, n), u[n, m], S.Zero), n, m), "Σ_{n, m : m ≤ n} u_nm",
         r"\sum\limits_{\substack{n,m \\ m \le n}} u_{n m}"),
        (SumOver(Where(mask[n, m], u[n, m], S.Zero), m), "Σ_m [mask_nm] u_nm",
         r"\sum_{m} \mathbf{1}[\mathrm{mask}_{n m}]\, u_{n m}"),
        (Where(IN_Y, out[h], S.Zero), "[0 ≤ s h + r − p < Y] g_h", r"\mathbf{1}[0 \le s h + r - p < Y]\, g_h"),
        (Where(IN_Y, PaddedEntry(line, AT_Y), S.One), "where(0 ≤ s h + r − p < Y, x[s h + r − p], 1)",
         r"\begin{cases} x_{s h + r - p} & \text{if } 0 \le s h + r - p < Y \\ 1 & \text{otherwise} \end{cases}"),
        (Where(Or(Lt(n, m), Lt(m + 2, n)), S.Zero, u[n, m]), "where(n < m ∨ m + 2 < n, 0, u_nm)",
         r"\begin{cases} 0 & \text{if } n < m \lor m + 2 < n \\ u_{n m} & \text{otherwise} \end{cases}"),
        # Extrema and where they stand.
        (MaxOver(padded(X)[n, c, AT_Y, AT_Z], r, q), "max_rq x̃[n, c, s h + r − p, s v + q − p]",
         r"\max_{r,q} \tilde{x}_{n,\, c,\, s h + r - p,\, s v + q - p}"),
        (MaxOver(Where(And(IN_Z, IN_Y), padded(X)[n, c, AT_Y, AT_Z], NEVER), r, q),
         "max_{r, q : 0 ≤ s h + r − p < Y, 0 ≤ s v + q − p < Z} x[n, c, s h + r − p, s v + q − p]",
         r"\max\limits_{\substack{r,q \\ 0 \le s h + r - p < Y \\ 0 \le s v + q - p < Z}} "
         r"x_{n,\, c,\, s h + r - p,\, s v + q - p}"),
        (MaxOver(Where(mask[n, m], u[n, m], NEVER), m), "max_{m : mask_nm} u_nm",
         r"\max_{m\,:\,\mathrm{mask}_{n m}} u_{n m}"),
        (MaxOver(Where(Le(m, n), u[n, m], NEVER), m), "max_{m ≤ n} u_nm", r"\max_{m \le n} u_{n m}"),
        (MaxOver(Where(Le(m, n), u[n, m], S.Zero), m), "max_m [m ≤ n] u_nm", r"\max_{m} \mathbf{1}[m \le n]\, u_{n m}"),
        (MinOver(Where(Le(m, n), u[n, m], S.Infinity), m), "min_{m ≤ n} u_nm", r"\min_{m \le n} u_{n m}"),
        (MinOver(u[n, m] + u[m, n], m), "min_m (u_nm + u_mn)", r"\min_{m} (u_{n m} + u_{m n})"),
        (ArgMaxOver(logits[b, c], c, Integer(0)), "argmax_c z_bc", r"\operatorname*{arg\,max}_{c} z_{b c}"),
        (ArgMinOver(X[n, c, y, z], y, z, Integer(1)), "(argmin_yz x_ncyz)_z",
         r"\Bigl(\operatorname*{arg\,min}_{y,z} x_{n c y z}\Bigr)_{z}"),
        (SumOver(Delta(r, ArgMaxOver(padded(line)[AT_Y], r, Integer(0))) * out[h], h),
         "Σ_h [r = argmax_r′ x̃[s h + r′ − p]] g_h",
         r"\sum_{h} \mathbf{1}[r = \operatorname*{arg\,max}_{r'} \tilde{x}_{s h + r' - p}]\, g_h"),
        (Entry(table, ArgMaxOver(table[n, d], n, Integer(0)), d), "e[argmax_n e_nd, d]",
         r"e_{\operatorname*{arg\,max}_{n} e_{n d},\, d}"),
        # Lengths.
        (MeanOver(G[n, o, h, v], h, v), "mean_hv g_nohv", r"\frac{1}{H\, V} \sum_{h,v} g_{n o h v}"),
        (SumOver(out[h], h) / h.size, "(1/H) Σ_h g_h", r"\frac{1}{H} \sum_{h} g_h"),
        ((h.size - 1) * out[h], "(H − 1) g_h", r"(H - 1)\, g_h"),
        (Tensor("a", (k,))[k] / sqrt(k.size), "a_k / √K", r"\frac{a_k}{\sqrt{K}}"),
    ]  # fmt: skip
PRINTED += [  # SymPy's own order
    (Tensor("a", (k,))[k] / sqrt(k.size), "a_k / √K", r"\frac{a_k}{\sqrt{K}}"),
    (SumOver(Tensor("a", (k,))[k], k) / k.size, "(1/K) Σ_k a_k", r"\frac{1}{K} \sum_{k} a_k"),
    (h.size * out[h], "H g_h", r"H\, g_h"),
    (PaddedEntry(out, h.size - 1 - h + p), "g̃[H + p − 1 − h]", r"\tilde{g}_{H + p - 1 - h}"),
    (Entry(Tensor("a", (pooled,)), pooled.size - 1 - pooled), "a[O − 1 − o]", "a_{O - 1 - o}"),
    (Tensor("a", (back,))[back.size - 1 - back], "a[Y − 1 − y]", "a_{Y - 1 - y}"),
    (Rational(1, 2) * PaddedEntry(line, h * s + r * dil - p), "x̃[s h + d r − p] / 2",
     r"\tfrac{1}{2}\, \tilde{x}_{s h + d r - p}"),
]  # fmt: skip


def nfc(source):
    return unicodedata.normalize("NFC", source)


@pytest.mark.parametrize("expression, in_text, in_latex", PRINTED, ids=[row[1] for row in PRINTED])
def test_expression(expression, in_text, in_latex):
    assert text(expression, width=200) == nfc(in_text)
    assert latex(expression) == in_latex


def step(law, before, after, why=""):
    return Step(law, before, after, why, ())


def convolution():
    """Along one axis: two documents in one, the kernel's gradient and the input's."""
    x, w, up = Tensor("x", (y,)), Tensor("w", (r,)), Tensor("g", (h,), role="upstream", of="u")
    made = Tensor("u", (h,), body=SumOver(Mul(padded(x)[AT_Y], w[r], evaluate=False), r), role="output")
    data, kernel = AdjointOf(x[y]), AdjointOf(w[r])
    unsolved = SumOver(Mul(up[h], w[r], Delta(y, AT_Y), evaluate=False), h, r)
    solved = SumOver(Mul(PaddedEntry(up, y + p - r), w[r], evaluate=False), r)
    results = (
        Equation("result", data, None, (step("chain rule", data, unsolved), step("stride 1", unsolved, solved))),
        Equation("result", kernel, None, (step("chain rule", kernel, SumOver(up[h] * padded(x)[AT_Y], h)),)),
    )
    return Derivation("convolution", results), Traced("convolution", (x, w), (), (s, p), (made,))


def pooled_heads():
    """Derived lengths that rest on one another, quotients among them; a gather."""
    x = Tensor("x", (b, e))
    mean = Tensor("mu", (b, head), body=MeanOver(Entry(x, b, head * k.size + k), k), role="let")
    made = Tensor("u", (pooled,), body=SumOver(mean[b, head], b, head) * pooled.size / h.size, role="output")
    target = AdjointOf(x[b, e])
    end = Where(Le(e, 2), table[idx[b], d], S.Zero)
    equation = Equation("result", target, None, (step("chain rule", target, end),))
    return Derivation("pooled heads", (equation,)), Traced("heads", (x, table, idx, out), (), (heads, s, p), (made,))


DOCUMENTS = {made.__name__: made for made in (convolution, pooled_heads)}

CONVOLUTION = """\
convolution
===========

Definition
----------

  x_y: Y
  w_r: R
  s: a whole number, 1 by default
  p: a whole number of at least 0, 0 by default
  H = ⌊(Y + 2 p − R)/s⌋ + 1
  x̃, g̃: x, g, and 0 outside

  u_h = Σ_r x̃[s h + r − p] w_r

The scalar that is differentiated is L = Σ_h g_h u_h, where g_h is the given
upstream gradient ∂L/∂u_h.

Gradient with respect to x: Y
-----------------------------

  ∂L/∂x_y
    = Σ_{h, r : s h + r − p = y} g_h w_r
        [chain rule]
    = Σ_r g̃[y + p − r] w_r
        [stride 1]
"""


def test_a_document_lists_parameters_lengths_and_padding():
    assert explain_text(*convolution(), "full").startswith(nfc(CONVOLUTION))


def test_lengths_rest_on_one_another():
    page = explain_text(*pooled_heads())
    for said in ("K = E/heads", "H = ⌊(Y + 2 p − R)/s⌋ + 1", "O = ⌊(H − Q)/2⌋ + 1", "heads: a whole number\n"):
        assert f"  {said}" in page
    assert "μ_{b, head} = mean_k x[b, K head + k]" in page
    assert "u_o = (O/H) Σ_{b, head} μ_{b, head}" in page
    assert page.index("  H = ") < page.index("  O = ")


def test_a_result_explains_the_names_it_uses():
    """What stands below a result where no document does: only the lengths and tildes that were printed."""
    view = view_of(*pooled_heads(), TEXT, "index")
    assert view.legend() == []
    view.chains(Chain((out[h],), (Line(pooled.size * out[h]),), (h,)))
    assert view.legend() == ["H = ⌊(Y + 2 p − R)/s⌋ + 1", "O = ⌊(H − Q)/2⌋ + 1"]
    view = view_of(*convolution(), TEXT, "index")
    given = Tensor("g", (h,), role="upstream", of="u")
    view.chains(Chain((given[h],), (Line(padded(line)[AT_Y]),), (h,)))
    assert view.legend() == ["x̃ is x, and 0 outside"]


def test_without_a_matrix_form_windows_and_gathers_stay_in_indices():
    for made in DOCUMENTS.values():
        assert "no matrix form; in indices" in explain_text(*made(), notation="matrix")
    for expression in (table[idx[b], d], padded(line)[y + 1], Delta(labels[b], c), MaxOver(u[n, m], m), logits[b, 0]):
        assert text(expression, "matrix").notation == "index"
    assert text(Delta(n, m), "matrix") == "𝐈"


def test_parameters_are_written_as_in_the_literature():
    stride, dilation, factor = Size("stride"), Size("dilation"), Size("squeeze_factor")
    row = Axis("h", Size("H"))
    at = Entry(line, stride * row + dilation * r)
    assert text(at) == "x[s h + d r]"
    deep = Axis("d", Size("D"))
    assert text(at + Tensor("a", (deep,))[deep]) == "a_d + x[s h + ℓ r]"
    assert text(Entry(line, factor * y)) == "x[s y]"
    assert text(Entry(line, heads * y)) == "x[heads y]"
    assert text(Entry(line, stride * h)) == "x[stride h]"  # the length of h has an s of its own
    traced = Traced("f", (line,), (), (stride, heads), (Tensor("u", (y,), body=line[y], role="output"),))
    page = explain_text(Derivation("f", ()), traced)
    assert "  s = stride: a whole number\n  heads: a whole number\n" in page


def test_a_parameter_and_a_letter_are_told_apart():
    step_ = Axis("s", Size("S"))
    expression = SumOver(PaddedEntry(line, s * h + step_), step_)
    assert text(expression) == "Σ_s′ x̃[s h + s′]"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_markdown(name):
    page = explain_markdown(*DOCUMENTS[name]())
    assert page.count("$$") % 2 == 0 and r"\," not in page


@pytest.mark.parametrize("name", DOCUMENTS)
def test_latex_has_the_same_list(name):
    page = explain_latex(*DOCUMENTS[name]())
    assert r"\item $H = \lfloor (Y + 2 p - R)/s\rfloor + 1$" in page
