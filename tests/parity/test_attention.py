"""Attention against torch.nn.functional."""

import math

import numpy as np
import pytest

from derive import DeriveError, catalogue, to_numpy
from tests.parity.harness import F, compared_with_torch, row, torch
from tests.parity.samplers import positive


def attention(query, key, value, **named):
    return F.scaled_dot_product_attention(query, key, value, **named)


def scaled(query, key, value, attn_mask=None, scale=None, *, is_causal):
    """F.scaled_dot_product_attention, which takes a number as scale, and a mask only where nothing is causal."""
    query = query if scale is None else query * scale * math.sqrt(query.shape[-1])
    if is_causal:
        later = torch.ones(query.shape[-2], key.shape[-2]).tril() == 0
        attn_mask = torch.zeros(later.shape) if attn_mask is None else attn_mask
        attn_mask = attn_mask.masked_fill(later, -math.inf).to(query.dtype)
    return attention(query, key, value, attn_mask=attn_mask)


def masked(query, key, value, attn_mask):
    return attention(query, key, value, attn_mask=attn_mask)


def with_dropout(query, key, value, keep, dropout_p):
    weights = torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), -1)
    return (weights * keep / (1 - dropout_p)) @ value


def soft_capped(query, key, value, cap, is_causal):
    scores = cap * torch.tanh(query @ key.mT / math.sqrt(query.shape[-1]) / cap)
    if is_causal:
        scores = scores.masked_fill(torch.ones_like(scores).tril() == 0, -math.inf)
    return torch.softmax(scores, -1) @ value


def grouped(query, key, value, is_causal):
    return attention(query, key, value, is_causal=is_causal, enable_gqa=True)


def multi_head(query, key, value, w_q, w_k, w_v, w_o, in_proj_bias=None, out_proj_bias=None, attn_mask=None, *,
               num_heads, key_padding_mask=None):  # fmt: skip
    """F.multi_head_attention_forward, by the kernel that has second derivatives."""
    flow = (x.transpose(0, 1) for x in (query, key, value))
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        y, _ = F.multi_head_attention_forward(
            *flow, query.shape[2], num_heads, None, in_proj_bias, None, None, False, 0.0, w_o, out_proj_bias,
            key_padding_mask=key_padding_mask, need_weights=False, attn_mask=attn_mask, use_separate_proj_weight=True,
            q_proj_weight=w_q, k_proj_weight=w_k, v_proj_weight=w_v,
        )  # fmt: skip
    return y.transpose(0, 1)


def masked_multi_head(query, key, value, w_q, w_k, w_v, w_o, key_padding_mask, attn_mask, in_proj_bias=None,
                      out_proj_bias=None, *, num_heads):  # fmt: skip
    masks = {"attn_mask": attn_mask, "key_padding_mask": key_padding_mask}
    return multi_head(query, key, value, w_q, w_k, w_v, w_o, in_proj_bias, out_proj_bias, num_heads=num_heads, **masks)


def cross(x, memory, w_q, w_k, w_v):
    return attention(x @ w_q, memory @ w_k, memory @ w_v)


def sliding(query, key, value, window):
    t, s = torch.arange(query.shape[-2])[:, None], torch.arange(key.shape[-2])
    return masked(query, key, value, (s <= t) & (t - s < window))


def alibi(query, key, value):
    heads = query.shape[1]
    slopes = 2.0 ** (-8 * torch.arange(1, heads + 1, dtype=query.dtype) / heads)
    distance = torch.arange(query.shape[-2])[:, None] - torch.arange(key.shape[-2])
    bias = (-slopes[:, None, None] * distance).masked_fill(distance < 0, -math.inf)
    return attention(query, key, value, attn_mask=bias)


def linear(query, key, value):
    phi_q, phi_k = F.elu(query) + 1, F.elu(key) + 1
    weights = phi_q @ phi_k.T
    return weights / weights.sum(1, keepdim=True) @ value


def additive(query, key, value, w_q, w_k, u):
    scores = torch.tanh((query @ w_q.T)[:, None] + key @ w_k.T) @ u
    return torch.softmax(scores, 1) @ value


def angles(x, base):
    features = torch.arange(0, x.shape[-1], 2, dtype=x.dtype)
    return torch.arange(x.shape[-2], dtype=x.dtype)[:, None] * base ** (-features / x.shape[-1])


def rotary(x, base):
    """Pairs of features as complex numbers, turned by multiplication."""
    turned = torch.view_as_complex(x.unflatten(-1, (-1, 2))) * torch.polar(torch.ones_like(a := angles(x, base)), a)
    return torch.view_as_real(turned).flatten(-2)


def sinusoidal(x, base):
    return x + torch.stack([angles(x, base).sin(), angles(x, base).cos()], -1).flatten(-2)


def one_allowed(rng, shape):
    """A mask that leaves every query at least its first key or its last."""
    mask = rng.random(shape) < 0.5
    mask[..., 0] |= ~mask.any(-1)
    return mask


def none_at_first(rng, shape):
    """A mask that forbids no first key."""
    mask = rng.random(shape) < 0.4
    mask[:, 0] = False
    return mask


BASES = (10000.0, 10.0)

ROWS = [
    row("attention", attention, smooth=True),
    row("scaled_dot_product_attention", scaled, scale=positive, smooth=True, note="Boolean masks: `masked_attention`"),
    row("masked_attention", masked, attn_mask=one_allowed, smooth=True),
    row("attention_with_dropout", with_dropout, dropout_p=(0.0, 0.3), smooth=True),
    row("soft_capped_attention", soft_capped, cap=(50.0, 1.0), smooth=True),
    row("grouped_query_attention", grouped, smooth=True),
    row("multi_head_attention", multi_head, num_heads=(1, 3), smooth=True,
        note="Boolean masks: `masked_multi_head_attention`"),
    row("masked_multi_head_attention", masked_multi_head, key_padding_mask=none_at_first, attn_mask=none_at_first,
        num_heads=(1, 3)),
    row("cross_attention", cross, smooth=True),
    row("sliding_window_attention", sliding, window=(1, 2, 3)),
    row("alibi_attention", alibi),
    row("linear_attention", linear),
    row("additive_attention", additive, smooth=True),
    row("rotary_embedding", rotary, base=BASES, smooth=True),
    row("sinusoidal_positions", sinusoidal, base=BASES, smooth=True),
]  # fmt: skip


test_values_and_gradients, test_second_derivatives = compared_with_torch(ROWS)


# What does not fit is said in one line.


def shapes(**given):
    return {name: np.ones(shape) for name, shape in given.items()}


HEADS = shapes(query=(2, 3, 4, 5), key=(2, 3, 6, 5), value=(2, 3, 6, 2))
MULTI = shapes(query=(2, 3, 6), key=(2, 4, 6), value=(2, 4, 6)) | {
    f"{name}_proj_weight": np.ones((6, 6)) for name in ("q", "k", "v", "out")
}
MASKED = MULTI | {"key_padding_mask": np.zeros((2, 4), bool), "attn_mask": np.zeros((3, 4), bool), "num_heads": 2}
BAD = [
    ("scaled_dot_product_attention", HEADS | shapes(key=(2, 3, 6, 4)), "key|4|5"),
    ("scaled_dot_product_attention", HEADS | shapes(value=(2, 3, 5, 2)), "value|5|6"),
    ("scaled_dot_product_attention", HEADS | shapes(attn_mask=(6, 4)), "attn_mask|(6, 4)"),
    ("scaled_dot_product_attention", HEADS | shapes(query=(2, 3, 5)), "query|(2, 3, 5)"),
    ("masked_attention", HEADS | shapes(attn_mask=(2, 3, 4, 6)), "attn_mask|bool"),
    ("masked_attention", HEADS | {"attn_mask": np.ones((4, 6), bool)}, "attn_mask|(4, 6)"),
    ("grouped_query_attention", HEADS | shapes(query=(2, 7, 4, 5)), "query|7|3"),
    ("multi_head_attention", MULTI | {"num_heads": 4}, "6|4"),
    ("multi_head_attention", MULTI | {"num_heads": 0}, "num_heads|0"),
    ("multi_head_attention", MULTI, "num_heads"),
    ("multi_head_attention", MULTI | {"num_heads": 2, "in_proj_bias": np.ones(6)}, "in_proj_bias|6|18"),
    ("masked_multi_head_attention", MASKED | {"attn_mask": np.zeros((2, 3), bool)}, "attn_mask|(2, 3)|T=3"),
    ("masked_multi_head_attention", MASKED | {"key_padding_mask": np.zeros((2, 4))}, "key_padding_mask|bool"),
    ("sliding_window_attention", HEADS | {"window": 0}, "window|0"),
    ("sliding_window_attention", HEADS | {"window": 1.5}, "window|1.5"),
    ("rotary_embedding", shapes(x=(2, 3, 4, 5)), "x|5|2"),
]


@pytest.mark.parametrize(("name", "given", "words"), BAD)
def test_what_does_not_fit(name, given, words):
    optional = {p.name: True for p in catalogue[name].tensors if p.type.optional and p.name in given}
    with pytest.raises(DeriveError) as caught:
        to_numpy(catalogue[name], **optional).forward(**given)
    message = str(caught.value)
    assert [word for word in [name, *words.split("|")] if word not in message] == [], message
    assert len(message.splitlines()) == 1


def test_a_temperature_that_is_not_positive():
    given = shapes(query=(1, 1, 2, 2), key=(1, 1, 2, 2), value=(1, 1, 2, 2))
    for cap in (0.0, -1.0):
        with pytest.raises(DeriveError, match=r"soft_capped_attention.*cap"):
            to_numpy(catalogue["soft_capped_attention"]).check(**given, cap=cap)


@pytest.mark.needs("torch")
def test_a_query_with_no_key_to_look_at():
    """A mask that allows a query nothing: it takes nothing, and moves nothing, as in PyTorch."""
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=array.shape) for name, array in HEADS.items()}
    mask = np.ones((2, 3, 4, 6), bool)
    mask[0, 0, 1] = False
    y, saved = to_numpy(catalogue["masked_attention"]).forward(**arrays, attn_mask=mask)
    assert np.array_equal(y[0, 0, 1], np.zeros(2))
    given = {name: torch.tensor(array, requires_grad=True) for name, array in arrays.items()}
    expected = masked(**given, attn_mask=torch.tensor(mask))
    assert np.allclose(y, expected.detach().numpy())
    gradients = to_numpy(catalogue["masked_attention"]).backward(np.ones_like(y), saved)
    expected.sum().backward()
    for name, tensor in given.items():
        assert np.allclose(gradients[name], tensor.grad.numpy()), name
