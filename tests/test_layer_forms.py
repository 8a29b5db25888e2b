"""Closed forms of layers are the textbook's: normalisation, attention, embeddings, divergences, gates.

Rows as in test_closed_forms: the expected expressions are written by hand and compared in canonical form.
"""

from functools import partial

from sympy import erf, exp, log, pi, sqrt

from derive.axes import Delta, Scalar, T, axes, mean_over, sigmoid, sum_over, where
from derive.formula import let
from formulas import (
    attention,
    batch_norm,
    batch_norm_evaluation,
    bilinear,
    cross_entropy,
    cross_entropy_smoothed,
    distillation_loss,
    dropout,
    embedding,
    embedding_bag,
    factorization_machine,
    gelu,
    group_norm,
    info_nce,
    instance_norm,
    kl_gaussian,
    kl_standard_gaussian,
    lora,
    masked_attention,
    multi_head_attention,
    nll_loss,
    reinforce,
    reparametrised_gaussian,
    rms_norm,
    scaled_dot_product_attention,
    silu,
    spectral_norm,
    weight_norm,
)
from formulas.attention import e, f, heads, k
from formulas.normalisation import e as channel
from formulas.normalisation import h as group
from formulas.normalisation import k as member
from tests.test_closed_forms import softmaxed
from tests.textbook import Row, checks, unregistered

b, c, d, h, i, j, n, o, r, s, t, v, y = axes("b c d h i j n o r s t v y")
ROWS: list[Row] = []


def row(*columns):
    ROWS.append(Row(*columns))


def other(letter, count=2):
    """Another letter of the same length."""
    return letter.alias(f"{letter.name}{count}")


b2, c2, d2, d3, i2, j2, n2, o2, r2, s2, t2, v2, y2 = (other(a) for a in (b, c, d, other(d), i, j, n, o, r, s, t, v, y))
d3, y3, n3, c3, s3, b3 = (other(a, 3) for a in (d, y, n, c, s, b))
eps = Scalar("eps", 1e-5)
small = Scalar("eps", 1e-6)


# Normalisation: (γ/σ)(ĝ − mean ĝ − x̂ mean(ĝ x̂)), over what is normalised.


def centred(x, g, over, places, again, eps):
    """The gradient for x, entry by entry: x and g are functions of the letters in `places`, `over` and `again`."""
    mu = mean_over(over, x(*over))
    sigma = sqrt(mean_over(again, (x(*again) - mu) ** 2) + eps)
    xhat = lambda at: (x(*at) - mu) / sigma  # noqa: E731
    return (g(*places) - mean_over(over, g(*over)) - xhat(places) * mean_over(over, g(*over) * xhat(over))) / sigma


affine_batch_norm = batch_norm.fixed(weight=True, bias=True)
affine_instance_norm = instance_norm.fixed(weight=True, bias=True)
affine_group_norm = group_norm.fixed(weight=True, bias=True)
scaled_rms_norm = rms_norm.fixed(weight=True)


def _batch_norm(g, input, weight=None):
    ghat = lambda a, at: g[a, c, at] * (1 if weight is None else weight[c])  # noqa: E731
    return centred(lambda a, at: input[a, c, at], ghat, (n2, y2), (n, y), (n3, y3), eps)


def _instance_norm(g, input):
    return centred(lambda at: input[n, c, at], lambda at: g[n, c, at], (y2,), (y,), (y3,), eps)


row(
    batch_norm,
    "input",
    lambda g, input: _batch_norm(g, input),
    3,
)
row(affine_batch_norm, "input", lambda g, input, weight: _batch_norm(g, input, weight), 3)
row(affine_batch_norm, "bias", lambda g: sum_over((n, y), g[n, c, y]), 1)
row(instance_norm, "input", lambda g, input: _instance_norm(g, input), 3)
row(batch_norm_evaluation, "input", lambda g, running_var: g[n, c, y] / sqrt(running_var[c] + eps), 1)
row(batch_norm_evaluation, "running_mean",
    lambda g, running_var: -sum_over((n, y), g[n, c, y]) / sqrt(running_var[c] + eps), 1)  # fmt: skip

K = member.size
m2, m3 = member.alias("k2"), member.alias("k3")


def _group_norm(g, input, weight=None):
    """Channel K·h + k is member k of group h; the letters of a name stand in order."""
    x = let("x", input[n, K * group + member, y])
    ghat = let("ghat", g[n, K * group + member, y] * (1 if weight is None else weight[K * group + member]))
    at = lambda u: lambda m, p: u[group, m, n, p]  # noqa: E731
    inside = let("inside", centred(at(x), at(ghat), (m2, y2), (member, y), (m3, y3), eps))
    return inside[channel // K, channel % K, n, y]


row(group_norm, "input", lambda g, input: _group_norm(g, input), 1)
row(affine_group_norm, "input", lambda g, input, weight: _group_norm(g, input, weight), 1)
row(affine_group_norm, "bias", lambda g: sum_over((n, y), g[n, channel, y]), 1)


def _rms_norm(g, input, weight=None):
    r = sqrt(mean_over(d2, input[b, d2] ** 2) + small)
    ghat = lambda at: g[b, at] * (1 if weight is None else weight[at])  # noqa: E731
    return (ghat(d) - input[b, d] / r * mean_over(d3, ghat(d3) * input[b, d3] / r)) / r


row(rms_norm, "input", lambda g, input: _rms_norm(g, input), 2)
row(scaled_rms_norm, "input", lambda g, input, weight: _rms_norm(g, input, weight), 2)
row(scaled_rms_norm, "weight", lambda g, input: sum_over(
    b, g[b, d] * input[b, d] / sqrt(mean_over(d2, input[b, d2] ** 2) + small)), 1)  # fmt: skip


@unregistered
def layer_norm_of_layer_norm(x: T[b, d], *, eps: Scalar = 1e-5) -> T[b, d]:
    mu = let("mu", mean_over(d, x[b, d]))
    v = let("v", mean_over(d, (x[b, d] - mu[b]) ** 2))
    u = let("u", (x[b, d] - mu[b]) / sqrt(v[b] + eps))
    mu_2 = let("mu_2", mean_over(d, u[b, d]))
    v_2 = let("v_2", mean_over(d, (u[b, d] - mu_2[b]) ** 2))
    return (u[b, d] - mu_2[b]) / sqrt(v_2[b] + eps)


def _twice(g, x):
    mu = mean_over(d2, x[b, d2])
    v = mean_over(d2, (x[b, d2] - mu) ** 2)
    u = lambda at: (x[b, at] - mu) / sqrt(v + eps)  # noqa: E731
    w = mean_over(d2, u(d2) ** 2)
    y = lambda at: u(at) / sqrt(w + eps)  # noqa: E731
    ubar = lambda at: (g[b, at] - mean_over(d3, g[b, d3]) - y(at) * mean_over(d3, g[b, d3] * y(d3))) / sqrt(w + eps)  # noqa: E731
    d4 = other(d, 4)
    return (ubar(d) - u(d) * mean_over(d4, ubar(d4) * u(d4))) / sqrt(v + eps)


row(layer_norm_of_layer_norm, "x", _twice, 3)


def _weight_norm(g_y, v, g):
    r = sqrt(sum_over(i2, v[o, i2] ** 2))
    return g[o] / r * (g_y[o, i] - v[o, i] / r * sum_over(i2, g_y[o, i2] * v[o, i2] / r))


row(weight_norm, "v", _weight_norm, 2)
row(weight_norm, "g", lambda g_y, v: sum_over(i, g_y[o, i] * v[o, i]) / sqrt(sum_over(i2, v[o, i2] ** 2)), 1)


def _sigma(weight, u, v):
    o3, i3 = other(o, 3), other(i, 3)
    return sum_over((o3, i3), u[o3] * weight[o3, i3] * v[i3])


row(spectral_norm, "weight", lambda g, weight, u, v: (g[o, i] - u[o] * v[i] * sum_over(
    (o2, i2), g[o2, i2] * weight[o2, i2]) / _sigma(weight, u, v)) / _sigma(weight, u, v), 2)  # fmt: skip
row(spectral_norm, "u", lambda g, weight, u, v: -sum_over((o2, i2), g[o2, i2] * weight[o2, i2]) * sum_over(
    i, weight[o, i] * v[i]) / _sigma(weight, u, v) ** 2, 1)  # fmt: skip


# Attention: S̄ = P (P̄ − Σ P P̄), then products.


def attended(query, key, value, g, lead=(), scale=None, mask=None):
    """P, and S̄ at (t, s), for heads that `lead` leads."""
    D = query.axes[-1].size
    over_d, over_v = query.axes[-1], value.axes[-1]
    scale = 1 / sqrt(D) if scale is None else scale

    def P(at, to):
        e = lambda s: exp(scale * sum_over(over_d, query[*lead, at, over_d] * key[*lead, s, over_d]))  # noqa: E731
        e = e if mask is None else (lambda s, e=e: where(mask[*lead, at, s], e(s), 0))
        return e(to) / sum_over(s3, e(s3))

    def S_bar(at, to):
        P_bar = lambda s: sum_over(over_v, g[*lead, at, over_v] * value[*lead, s, over_v])  # noqa: E731
        return P(at, to) * (P_bar(to) - sum_over(s2, P(at, s2) * P_bar(s2)))

    return P, S_bar, scale


def _query(g, query, key, value, attn_mask=None, lead=()):
    _, S_bar, scale = attended(query, key, value, g, lead, mask=attn_mask)
    return scale * sum_over(s, S_bar(t, s) * key[*lead, s, d])


def _key(g, query, key, value, attn_mask=None, lead=()):
    _, S_bar, scale = attended(query, key, value, g, lead, mask=attn_mask)
    return scale * sum_over(t, S_bar(t, s) * query[*lead, t, d])


def _value(g, query, key, value, attn_mask=None, lead=()):
    P, _, _ = attended(query, key, value, g, lead, mask=attn_mask)
    return sum_over(t, P(t, s) * g[*lead, t, v])


def _rows_of_attention(part, of):
    row(attention, part, lambda g, query, key, value: of(g, query, key, value), 1)
    row(scaled_dot_product_attention, part, lambda g, query, key, value: of(g, query, key, value, lead=(b, h)), 1)
    row(masked_attention, part,
        lambda g, query, key, value, attn_mask: of(g, query, key, value, attn_mask, (b, h)), 1)  # fmt: skip


_rows_of_attention("query", _query)
_rows_of_attention("key", _key)
_rows_of_attention("value", _value)


# Heads on slices of the features: what flows back through one head, and through its linear maps.

place = k.size * heads + k
f2, f3, e2 = f.alias("f2"), f.alias("f3"), e.alias("e2")


def _back(flow, weight):
    """Σ W[K·h + k, e] x̄ for one head's x̄, in features of the model."""
    return sum_over((heads, k), weight[place, e] * flow)


def _head(g, query, key, value, q_proj_weight, k_proj_weight, v_proj_weight, out_proj_weight):
    """Q̄, K̄ and V̄ of a head; the letters of a name stand in order."""
    k2 = k.alias("k2")
    Q = let("Q", sum_over(f2, q_proj_weight[place, f2] * query[b, t, f2]))
    K_ = let("K", sum_over(f2, k_proj_weight[place, f2] * key[b, s, f2]))
    V = let("V", sum_over(f2, v_proj_weight[place, f2] * value[b, s, f2]))
    O_bar = let("O_bar", sum_over(f3, out_proj_weight[f3, place] * g[b, t, f3]))
    S = let("S", sum_over(k, Q[b, heads, k, t] * K_[b, heads, k, s]) / sqrt(k.size))
    P = let("P", exp(S[b, heads, s, t]) / sum_over(s3, exp(S[b, heads, s3, t])))
    P_bar = let("P_bar", sum_over(k2, O_bar[b, heads, k2, t] * V[b, heads, k2, s]))
    S_bar = P[b, heads, s, t] * (P_bar[b, heads, s, t] - sum_over(s2, P[b, heads, s2, t] * P_bar[b, heads, s2, t]))
    Q_bar = sum_over(s, S_bar * K_[b, heads, k, s]) / sqrt(k.size)
    K_bar = sum_over(t, S_bar * Q[b, heads, k, t]) / sqrt(k.size)
    return Q_bar, K_bar, sum_over(t, P[b, heads, s, t] * O_bar[b, heads, k, t])


row(multi_head_attention, "query",
    lambda g, query, key, value, q_proj_weight, k_proj_weight, v_proj_weight, out_proj_weight: _back(_head(
        g, query, key, value, q_proj_weight, k_proj_weight, v_proj_weight, out_proj_weight)[0], q_proj_weight),
    1)  # fmt: skip
row(multi_head_attention, "key",
    lambda g, query, key, value, q_proj_weight, k_proj_weight, v_proj_weight, out_proj_weight: _back(_head(
        g, query, key, value, q_proj_weight, k_proj_weight, v_proj_weight, out_proj_weight)[1], k_proj_weight),
    1)  # fmt: skip
row(multi_head_attention, "value",
    lambda g, query, key, value, q_proj_weight, k_proj_weight, v_proj_weight, out_proj_weight: _back(_head(
        g, query, key, value, q_proj_weight, k_proj_weight, v_proj_weight, out_proj_weight)[2], v_proj_weight),
    1)  # fmt: skip


@unregistered
def two_softmaxes(x: T[b, c], w: T[c, d]) -> T[b, d]:
    """A layer with two softmaxes: of its input, and of what it makes of it."""
    p = let("p", exp(x[b, c]) / sum_over(c, exp(x[b, c])))
    z = let("z", sum_over(c, p[b, c] * w[c, d]))
    return exp(z[b, d]) / sum_over(d, exp(z[b, d]))


def _two_softmaxes(g, x, w):
    p = partial(softmaxed, x)
    z = lambda at: sum_over(c3, p(c3, c2) * w[c3, at])  # noqa: E731
    q = lambda at: exp(z(at)) / sum_over(d3, exp(z(d3)))  # noqa: E731
    zbar = lambda at: q(at) * (g[b, at] - sum_over(d2, g[b, d2] * q(d2)))  # noqa: E731
    return p, zbar


def _two_softmaxes_x(g, x, w):
    p, zbar = _two_softmaxes(g, x, w)
    d5, c5 = other(d, 5), other(c, 5)
    pbar = lambda at: sum_over(d5, zbar(d5) * w[at, d5])  # noqa: E731
    return p(c, c2) * (pbar(c) - sum_over(c5, p(c5, c2) * pbar(c5)))


def _two_softmaxes_w(g, x, w):
    p, zbar = _two_softmaxes(g, x, w)
    return sum_over(b, p(c, c2) * zbar(d))


row(two_softmaxes, "x", _two_softmaxes_x, 2)
row(two_softmaxes, "w", _two_softmaxes_w, 1)

# Tables and classes.

row(embedding, "weight", lambda g, input: sum_over((b, t), Delta(input[b, t], v) * g[b, t, d]), 1)
row(embedding_bag, "weight", lambda g, input: sum_over((b, t), Delta(input[b, t], v) * g[b, d]) / t.size, 1)
row(nll_loss, "input", lambda target: -Delta(target[b], c) / b.size, 1)
row(cross_entropy, "input", lambda input, target: (softmaxed(input) - Delta(target[b], c)) / b.size, 2)
row(cross_entropy_smoothed, "input", lambda input, target: (softmaxed(input) - (1 - Scalar("label_smoothing")) * Delta(
    target[b], c) - Scalar("label_smoothing") / c.size) / b.size, 4)  # fmt: skip
row(cross_entropy.fixed(weight=True), "input", lambda input, target, weight: weight[target[b]] * (
    softmaxed(input) - Delta(target[b], c)) / sum_over(b2, weight[target[b2]]), 2)  # fmt: skip

# Divergences.

code = kl_standard_gaussian.trace().input("mu").axes[1]
row(kl_standard_gaussian, "mu", lambda g, mu: g[b] * mu[b, code], 1)
row(kl_standard_gaussian, "logvar", lambda g, logvar: g[b] * (exp(logvar[b, code]) - 1) / 2, 2)
row(kl_gaussian, "mu_1", lambda g, mu_1, mu_2, sigma_2: g[b] * (mu_1[b, code] - mu_2[b, code]) / sigma_2[b, code] ** 2,
    1)  # fmt: skip
row(kl_gaussian, "sigma_1", lambda g, sigma_1, sigma_2: g[b] * (
    sigma_1[b, code] / sigma_2[b, code] ** 2 - 1 / sigma_1[b, code]), 2)  # fmt: skip
row(kl_gaussian, "mu_2", lambda g, mu_1, mu_2, sigma_2: g[b] * (mu_2[b, code] - mu_1[b, code]) / sigma_2[b, code] ** 2,
    1)  # fmt: skip
row(kl_gaussian, "sigma_2", lambda g, mu_1, mu_2, sigma_1, sigma_2: g[b] * (1 / sigma_2[b, code] - (
    sigma_1[b, code] ** 2 + (mu_1[b, code] - mu_2[b, code]) ** 2) / sigma_2[b, code] ** 3), 2)  # fmt: skip


@unregistered
def kl_of_two_softmaxes(z: T[b, c], w: T[b, c]) -> T[b]:
    p = let("p", exp(z[b, c]) / sum_over(c, exp(z[b, c])))
    q = let("q", exp(w[b, c]) / sum_over(c, exp(w[b, c])))
    return sum_over(c, p[b, c] * log(p[b, c] / q[b, c]))


def _kl_z(g, z, w):
    p, q = partial(softmaxed, z), partial(softmaxed, w)
    kl = sum_over(c2, p(c2, c3) * log(p(c2, c3) / q(c2, c3)))
    return g[b] * p(c, c3) * (log(p(c, c3) / q(c, c3)) - kl)


row(kl_of_two_softmaxes, "z", _kl_z, 2)
row(kl_of_two_softmaxes, "w", lambda g, z, w: g[b] * (softmaxed(w) - softmaxed(z)), 2)


def _tempered(z, tau):
    return exp(z[b, c] / tau) / sum_over(c2, exp(z[b, c2] / tau))


tau = Scalar("tau", 1.0)
row(distillation_loss, "z", lambda z, v: tau * (_tempered(z, tau) - _tempered(v, tau)) / b.size, 2)


def _info_nce(x, y, at, to):
    s = lambda one, two: sum_over(d2, x[one, d2] * y[two, d2]) / tau  # noqa: E731
    p = exp(s(at, to)) / sum_over(b3, exp(s(at, b3)))
    return (p - Delta(at, to)) / b.size


row(info_nce, "x", lambda x, y: sum_over(b2, _info_nce(x, y, b, b2) * y[b2, d]) / tau, 1)
row(info_nce, "y", lambda x, y: sum_over(b2, _info_nce(x, y, b2, b) * x[b2, d]) / tau, 1)
row(reinforce, "z", lambda z, action, advantage: advantage[b] * (softmaxed(z) - action[b, c]) / b.size, 2)


@unregistered
def focal(z: T[n], *, gamma: Scalar = 2.0) -> T[n]:
    """Focal loss of the right class."""
    p = let("p", sigmoid(z[n]))
    return -((1 - p[n]) ** gamma) * log(p[n])


def _focal(g, z):
    gamma, p = Scalar("gamma"), sigmoid(z[n])
    return g[n] * (1 - p) ** gamma * (gamma * p * log(p) - (1 - p))


row(focal, "z", _focal, None)

# Gates.


def _gelu(g, input):
    x = input[()]
    return g[()] * ((1 + erf(x / sqrt(2))) / 2 + x * exp(-(x**2) / 2) / sqrt(2 * pi))


def _silu_slope(x):
    return sigmoid(x) + x * sigmoid(x) * (1 - sigmoid(x))


row(gelu, "input", _gelu, None)
row(silu, "input", lambda g, input: g[()] * _silu_slope(input[()]), 3)


@unregistered
def swiglu_layer(x: T[b, d], w: T[d, h], u: T[d, h]) -> T[b, h]:
    a = let("a", sum_over(d, x[b, d] * w[d, h]))
    v = let("v", sum_over(d, x[b, d] * u[d, h]))
    return a[b, h] * sigmoid(a[b, h]) * v[b, h]


def _swiglu(g, x, w, u):
    a = lambda at: sum_over(d2, x[b, d2] * w[d2, at])  # noqa: E731
    v = lambda at: sum_over(d2, x[b, d2] * u[d2, at])  # noqa: E731
    abar = lambda at: g[b, at] * v(at) * _silu_slope(a(at))  # noqa: E731
    vbar = lambda at: g[b, at] * a(at) * sigmoid(a(at))  # noqa: E731
    return abar, vbar


row(swiglu_layer, "x", lambda g, x, w, u: sum_over(
    h, _swiglu(g, x, w, u)[0](h) * w[d, h] + _swiglu(g, x, w, u)[1](h) * u[d, h]), 2)  # fmt: skip
row(swiglu_layer, "w", lambda g, x, w, u: sum_over(b, x[b, d] * _swiglu(g, x, w, u)[0](h)), 1)
row(swiglu_layer, "u", lambda g, x, w, u: sum_over(b, x[b, d] * _swiglu(g, x, w, u)[1](h)), 1)

# Linear maps and noise.

row(bilinear, "weight", lambda g, input1, input2: sum_over(b, g[b, o] * input1[b, i] * input2[b, j]), 1)
row(lora, "up", lambda g, down, input: Scalar("alpha") / r.size * sum_over(
    b, g[b, o] * sum_over(i, down[r, i] * input[b, i])), 1)  # fmt: skip
row(lora, "down", lambda g, up, input: Scalar("alpha") / r.size * sum_over(
    (b, o), g[b, o] * up[o, r] * input[b, i]), 1)  # fmt: skip
factor = factorization_machine.trace().input("v").axes[1]
row(factorization_machine, "x", lambda g, x, w, v: g[b] * (w[i] + sum_over(
    factor, v[i, factor] * (sum_over(i2, v[i2, factor] * x[b, i2]) - v[i, factor] * x[b, i]))), 3)  # fmt: skip
row(dropout, "input", lambda g, keep: where(keep[b, d], g[b, d] / (1 - Scalar("p")), 0), 1)
row(reparametrised_gaussian, "logvar", lambda g, logvar, noise: g[b, d] * noise[b, d] * exp(logvar[b, d] / 2) / 2, 1)


# The tests.

(
    test_the_result_is_the_textbooks,
    test_it_has_as_many_terms_as_the_textbooks,
    test_the_result_has_the_textbooks_value,
) = checks(ROWS)
