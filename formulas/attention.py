"""Attention: every query takes a mean of the values, weighted by how well their keys fit it."""

from derive import (
    Bool,
    Scalar,
    Size,
    T,
    assume,
    axes,
    axis,
    cos,
    exp,
    formula,
    let,
    one_hot,
    oo,
    sin,
    sqrt,
    sum_over,
    tanh,
    where,
)

b, h, t, s, d, v, m, o = axes("b h t s d v m o")  # t: place of a query, s: of a key; d, v: their features and a value's

__all__ = """
    attention scaled_dot_product_attention masked_attention attention_with_dropout soft_capped_attention
    grouped_query_attention multi_head_attention masked_multi_head_attention cross_attention
    sliding_window_attention alibi_attention linear_attention additive_attention
    rotary_embedding sinusoidal_positions
""".split()


def _softmax(z, over=s):
    """Exponentials over their sum."""
    return exp(z) / sum_over(over, exp(z))


def _scores(query, key, scale=None):
    """Products of queries and keys, over √D unless a scale is given."""
    product = sum_over(d, query[b, h, t, d] * key[b, h, s, d])
    return product / sqrt(d.size) if scale is None else scale[()] * product


# One head.


@formula
def attention(query: T[t, d], key: T[s, d], value: T[s, v]) -> T[t, v]:
    """softmax(Q Kᵀ/√D) V.

    Source: Vaswani et al., Attention Is All You Need (2017), eq. 1.
    """
    S = let("S", sum_over(d, query[t, d] * key[s, d]) / sqrt(d.size))
    P = let("P", _softmax(S[t, s]))
    return sum_over(s, P[t, s] * value[s, v])


@formula
def additive_attention(query: T[t, d], key: T[s, m], value: T[s, v], w_q: T[h, d], w_k: T[h, m], u: T[h]) -> T[t, v]:
    """softmax(uᵀ tanh(W q + W′ k)) V: keys are scored by a layer of tanh.

    Source: Bahdanau, Cho, Bengio, Neural Machine Translation by Jointly Learning to Align and Translate (2015),
    appendix A.1.2.
    """
    a = let("a", tanh(sum_over(d, w_q[h, d] * query[t, d]) + sum_over(m, w_k[h, m] * key[s, m])))
    P = let("P", _softmax(sum_over(h, u[h] * a[t, s, h])))
    return sum_over(s, P[t, s] * value[s, v])


@formula
def linear_attention(query: T[t, d], key: T[s, d], value: T[s, v]) -> T[t, v]:
    """φ(Q) (φ(K)ᵀ V) over φ(Q) Σ φ(K), with φ = elu + 1: cost linear in the length of the sequence.

    Source: Katharopoulos, Vyas, Pappas, Fleuret, Transformers are RNNs (2020), eq. 5 and 7.
    """
    phi_q = let("phi_q", where(query[t, d] > 0, query[t, d] + 1, exp(query[t, d])))
    phi_k = let("phi_k", where(key[s, d] > 0, key[s, d] + 1, exp(key[s, d])))
    M = let("M", sum_over(s, phi_k[d, s] * value[s, v]))
    z = let("z", sum_over(s, phi_k[d, s]))
    return sum_over(d, phi_q[t, d] * M[d, v]) / sum_over(d, phi_q[t, d] * z[d])


# Heads side by side, in a batch.


@formula
def scaled_dot_product_attention(
    query: T[b, h, t, d],
    key: T[b, h, s, d],
    value: T[b, h, s, v],
    attn_mask: T[t, s] | None = None,
    scale: T[()] | None = None,
    *,
    is_causal: bool = False,
) -> T[b, h, t, v]:
    """softmax(Q Kᵀ/√D + mask) V for every head; where causal, a query looks at keys no later than itself.

    Source: Vaswani et al., Attention Is All You Need (2017), eq. 1; torch.nn.functional.scaled_dot_product_attention.
    Of its other options, masked_attention has a Boolean mask, attention_with_dropout dropout_p, and
    grouped_query_attention enable_gqa.
    """
    z = _scores(query, key, scale)
    z = z if attn_mask is None else z + attn_mask[t, s]
    S = let("S", where(s <= t, z, -oo) if is_causal else z)
    P = let("P", _softmax(S[b, h, t, s]))
    return sum_over(s, P[b, h, t, s] * value[b, h, s, v])


@formula
def masked_attention(
    query: T[b, h, t, d], key: T[b, h, s, d], value: T[b, h, s, v], attn_mask: Bool[b, h, t, s]
) -> T[b, h, t, v]:
    """softmax(Q Kᵀ/√D) V over the keys that a mask allows, of which every query has one.

    Source: torch.nn.functional.scaled_dot_product_attention with a Boolean mask.
    """
    S = let("S", where(attn_mask[b, h, t, s], _scores(query, key), -oo))
    P = let("P", _softmax(S[b, h, t, s]))
    return sum_over(s, P[b, h, t, s] * value[b, h, s, v])


@formula
def attention_with_dropout(
    query: T[b, h, t, d],
    key: T[b, h, s, d],
    value: T[b, h, s, v],
    keep: Bool[b, h, t, s],
    *,
    dropout_p: Scalar = 0.0,
) -> T[b, h, t, v]:
    """Dropout(softmax(Q Kᵀ/√D)) V: what is kept of the weights is an input, and divided by 1 − p.

    Source: torch.nn.functional.scaled_dot_product_attention with dropout_p, its draw made an input.
    """
    assume(dropout_p < 1)
    S = let("S", _scores(query, key))
    P = let("P", _softmax(S[b, h, t, s]))
    return sum_over(s, where(keep[b, h, t, s], P[b, h, t, s] / (1 - dropout_p), 0) * value[b, h, s, v])


@formula
def soft_capped_attention(
    query: T[b, h, t, d], key: T[b, h, s, d], value: T[b, h, s, v], *, cap: Scalar = 50.0, is_causal: bool = False
) -> T[b, h, t, v]:
    """softmax(c tanh(Q Kᵀ/(c √D))) V: no score is beyond ±c.

    Source: Gemma Team, Gemma 2: Improving Open Language Models at a Practical Size (2024), section 2.
    """
    assume(cap > 0)
    r = let("r", tanh(_scores(query, key) / cap))
    S = let("S", where(s <= t, cap * r[b, h, t, s], -oo) if is_causal else cap * r[b, h, t, s])
    P = let("P", _softmax(S[b, h, t, s]))
    return sum_over(s, P[b, h, t, s] * value[b, h, s, v])


group = axis("r")
queries = axis("q", h.size * group.size)  # query head R·h + r looks at the keys of head h


@formula
def grouped_query_attention(
    query: T[b, queries, t, d], key: T[b, h, s, d], value: T[b, h, s, v], *, is_causal: bool = False
) -> T[b, queries, t, v]:
    """softmax(Q Kᵀ/√D) V, where R heads of queries in a row share one head of keys and values.

    Source: Ainslie et al., GQA: Training Generalized Multi-Query Transformer Models (2023), section 2.2;
    torch.nn.functional.scaled_dot_product_attention with enable_gqa.
    """
    q = queries
    z = sum_over(d, query[b, q, t, d] * key[b, q // group.size, s, d]) / sqrt(d.size)
    S = let("S", where(s <= t, z, -oo) if is_causal else z)
    P = let("P", _softmax(S[b, q, t, s]))
    return sum_over(s, P[b, q, t, s] * value[b, q // group.size, s, v])


# Heads that are slices of the model's features.

heads, k = axis("h", Size("num_heads")), axis("k")
e = axis("e", heads.size * k.size)  # feature K·h + k is the k-th of head h
f = e.alias("f")
three = axis("p", 3 * e.size)


def _multi_head(flow, weights, in_proj_bias, out_proj_bias, masked):
    """Attention in every head, between linear maps of what flows in and of what flows out; `masked` is for scores."""
    (query, key, value), place = flow, k.size * heads + k

    def projected(name, part, x, at):
        y = sum_over(f, weights[part][place, f] * x[b, at, f])
        return let(name, y if in_proj_bias is None else y + in_proj_bias[part * e.size + place])

    Q, K, V = projected("Q", 0, query, t), projected("K", 1, key, s), projected("V", 2, value, s)
    S = let("S", masked(sum_over(k, Q[b, t, heads, k] * K[b, s, heads, k]) / sqrt(k.size)))
    P = let("P", _softmax(S[b, t, s, heads]))
    O = let("O", sum_over(s, P[b, t, s, heads] * V[b, s, heads, k]))
    y = sum_over((heads, k), weights[3][e, place] * O[b, t, heads, k])
    return y if out_proj_bias is None else y + out_proj_bias[e]


@formula
def multi_head_attention(
    query: T[b, t, e],
    key: T[b, s, e],
    value: T[b, s, e],
    q_proj_weight: T[e, f],
    k_proj_weight: T[e, f],
    v_proj_weight: T[e, f],
    out_proj_weight: T[e, f],
    in_proj_bias: T[three] | None = None,
    out_proj_bias: T[e] | None = None,
    attn_mask: T[t, s] | None = None,
    *,
    num_heads: Size,
) -> T[b, t, e]:
    """W [head₁ … head_H] with head_h = softmax(Q Kᵀ/√K) V, where Q, K and V are linear maps of query, key and value.

    Source: Vaswani et al., Attention Is All You Need (2017), section 3.2.2;
    torch.nn.functional.multi_head_attention_forward with use_separate_proj_weight, batch first.
    masked_multi_head_attention has its Boolean masks.
    """
    weights = (q_proj_weight, k_proj_weight, v_proj_weight, out_proj_weight)
    masked = lambda z: z if attn_mask is None else z + attn_mask[t, s]  # noqa: E731
    return _multi_head((query, key, value), weights, in_proj_bias, out_proj_bias, masked)


@formula
def masked_multi_head_attention(
    query: T[b, t, e],
    key: T[b, s, e],
    value: T[b, s, e],
    q_proj_weight: T[e, f],
    k_proj_weight: T[e, f],
    v_proj_weight: T[e, f],
    out_proj_weight: T[e, f],
    key_padding_mask: Bool[b, s],
    attn_mask: Bool[t, s],
    in_proj_bias: T[three] | None = None,
    out_proj_bias: T[e] | None = None,
    *,
    num_heads: Size,
) -> T[b, t, e]:
    """The same over the keys that neither mask forbids: one for each sequence, one for each place of a query.

    Source: torch.nn.functional.multi_head_attention_forward with Boolean masks, where, too, True forbids.
    """
    weights = (q_proj_weight, k_proj_weight, v_proj_weight, out_proj_weight)
    masked = lambda z: where(~(key_padding_mask[b, s] | attn_mask[t, s]), z, -oo)  # noqa: E731
    return _multi_head((query, key, value), weights, in_proj_bias, out_proj_bias, masked)


@formula
def cross_attention(x: T[b, t, m], memory: T[b, s, o], w_q: T[m, d], w_k: T[o, d], w_v: T[o, v]) -> T[b, t, v]:
    """softmax(X W (M W′)ᵀ/√D) M W″: a sequence X looks at another, M.

    Source: Vaswani et al., Attention Is All You Need (2017), section 3.2.3.
    """
    Q = let("Q", sum_over(m, x[b, t, m] * w_q[m, d]))
    K = let("K", sum_over(o, memory[b, s, o] * w_k[o, d]))
    V = let("V", sum_over(o, memory[b, s, o] * w_v[o, v]))
    S = let("S", sum_over(d, Q[b, t, d] * K[b, s, d]) / sqrt(d.size))
    P = let("P", _softmax(S[b, t, s]))
    return sum_over(s, P[b, t, s] * V[b, s, v])


# Where a key stands.


@formula
def sliding_window_attention(
    query: T[b, h, t, d], key: T[b, h, s, d], value: T[b, h, s, v], *, window: Size
) -> T[b, h, t, v]:
    """softmax(Q Kᵀ/√D) V over the query's own place and the window − 1 before it.

    Source: Beltagy, Peters, Cohan, Longformer (2020), section 3.1, looking back only.
    """
    S = let("S", where((s <= t) & (t - s < window), _scores(query, key), -oo))
    P = let("P", _softmax(S[b, h, t, s]))
    return sum_over(s, P[b, h, t, s] * value[b, h, s, v])


@formula
def alibi_attention(query: T[b, h, t, d], key: T[b, h, s, d], value: T[b, h, s, v]) -> T[b, h, t, v]:
    """softmax(Q Kᵀ/√D − m (t − s)) V over keys no later than the query, with slopes m = 2^(−8 h/H), h = 1 … H.

    Source: Press, Smith, Lewis, Train Short, Test Long (2022), section 3.
    """
    slope = 2 ** (-8 * (h + 1) / h.size)
    S = let("S", where(s <= t, _scores(query, key) - slope * (t - s), -oo))
    P = let("P", _softmax(S[b, h, t, s]))
    return sum_over(s, P[b, h, t, s] * value[b, h, s, v])


pair = axis("j")
both = axis("d", 2 * pair.size)


def _interleaved(even, odd):
    """What stands in features 2j, and in features 2j + 1."""
    return sum_over(pair, one_hot(2 * pair, both) * even + one_hot(2 * pair + 1, both) * odd)


@formula
def rotary_embedding(x: T[b, h, t, both], *, base: Scalar = 10000.0) -> T[b, h, t, both]:
    """Each pair of features turned by the angle t base^(−2j/D) at place t: products then depend on distances.

    Source: Su et al., RoFormer: Enhanced Transformer with Rotary Position Embedding (2021), eq. 34.
    """
    assume(base > 0)
    angle = let("angle", t * base ** (-pair / pair.size))
    even, odd = let("even", x[b, h, t, 2 * pair]), let("odd", x[b, h, t, 2 * pair + 1])
    x_1, x_2, c, s = even[b, h, t, pair], odd[b, h, t, pair], cos(angle[t, pair]), sin(angle[t, pair])
    return _interleaved(x_1 * c - x_2 * s, x_1 * s + x_2 * c)


@formula
def sinusoidal_positions(x: T[b, t, both], *, base: Scalar = 10000.0) -> T[b, t, both]:
    """x plus sin(t base^(−2j/D)) in features 2j, and plus the cosine of it in features 2j + 1.

    Source: Vaswani et al., Attention Is All You Need (2017), section 3.5.
    """
    assume(base > 0)
    angle = t * base ** (-pair / pair.size)
    return x[b, t, both] + _interleaved(sin(angle), cos(angle))
