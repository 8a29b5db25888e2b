"""Networks against the same layers of torch.nn.functional."""

import numpy as np
import pytest

from derive import DeriveError, catalogue, to_numpy
from tests.parity.harness import F, compared_with_torch, row, torch
from tests.parity.samplers import flag, positive, simplex


def mlp(x, w_1, beta_1, w_2, beta_2, t):
    return F.cross_entropy(torch.tanh(x @ w_1 + beta_1) @ w_2 + beta_2, t)


def residual_block(x, w_1, beta_1, w_2, beta_2):
    return x + F.relu(x @ w_1 + beta_1) @ w_2 + beta_2


def autoencoder(x, w_1, beta_1, w_2, beta_2):
    return F.mse_loss(torch.tanh(x @ w_1 + beta_1) @ w_2 + beta_2, x)


def variational_autoencoder(x, noise, w, beta, w_mu, beta_mu, w_var, beta_var, w_out, beta_out):
    hidden = torch.tanh(x @ w + beta)
    mu, logvar = hidden @ w_mu + beta_mu, hidden @ w_var + beta_var
    logits = (mu + torch.exp(logvar / 2) * noise) @ w_out + beta_out
    decoded = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    return (decoded - (1 + logvar - mu**2 - logvar.exp()).sum(1) / 2).mean()


def siamese(x1, x2, unlike, w, beta, margin):
    distance = torch.linalg.vector_norm(torch.tanh(x1 @ w + beta) - torch.tanh(x2 @ w + beta), dim=1)
    return ((1 - unlike) * distance**2 / 2 + unlike * F.relu(margin - distance) ** 2 / 2).mean()


def lenet(x, w_1, bias_1, w_2, bias_2, w_3, bias_3, w_4, bias_4):
    one = F.max_pool2d(torch.tanh(F.conv2d(x, w_1, bias_1)), 2)
    two = F.max_pool2d(torch.tanh(F.conv2d(one, w_2, bias_2)), 2)
    return torch.tanh(F.linear(two.flatten(1), w_3.flatten(1), bias_3)) @ w_4.T + bias_4


def unet_block(x, w_in, w_low, w_up, w_skip, w_out):
    across = F.relu(F.conv2d(x, w_in, padding=1))
    low = F.relu(F.conv2d(F.max_pool2d(across, 2), w_low, padding=1))
    up = F.conv_transpose2d(low, w_up, stride=2)
    return F.relu(F.conv2d(torch.cat([across, up], 1), torch.cat([w_skip, w_out], 1), padding=1))


def transformer_block(x, gamma_1, beta_1, w_q, w_k, w_v, w_o, gamma_2, beta_2, w_1, bias_1, w_2, bias_2, *,
                      num_heads, norm_first, eps):  # fmt: skip
    def heads(y):
        return y.unflatten(-1, (num_heads, -1)).transpose(1, 2)

    def attended(y):
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            O = F.scaled_dot_product_attention(*(heads(y @ w.T) for w in (w_q, w_k, w_v)))
        return O.transpose(1, 2).flatten(2) @ w_o.T

    def widened(y):
        return F.linear(F.gelu(F.linear(y, w_1, bias_1)), w_2, bias_2)

    def normed(y, gamma, beta):
        return F.layer_norm(y, y.shape[2:], gamma, beta, eps)

    if norm_first:
        u = x + attended(normed(x, gamma_1, beta_1))
        return u + widened(normed(u, gamma_2, beta_2))
    u = normed(x + attended(x), gamma_1, beta_1)
    return normed(u + widened(u), gamma_2, beta_2)


def mixture_of_experts(x, gate, w, top_k=None):
    z = x @ gate
    if top_k is not None and top_k < z.shape[1]:
        z = z.masked_fill(z < z.topk(top_k).values[:, -1:], -torch.inf)
    return torch.einsum("bk,bko->bo", torch.softmax(z, 1), torch.einsum("bd,kdo->bko", x, w))


def graph_convolution(adjacency, x, w):
    near = adjacency + torch.eye(len(adjacency), dtype=x.dtype)
    root = near.sum(1) ** -0.5
    return F.relu(root[:, None] * near * root @ x @ w)


ROWS = [
    row("mlp", mlp, t=simplex, smooth=True),
    row("residual_block", residual_block),
    row("autoencoder", autoencoder, smooth=True),
    row("variational_autoencoder", variational_autoencoder, x=flag, smooth=True),
    row("siamese", siamese, unlike=flag, margin=(1.0, 2.0)),
    row("lenet", lenet),
    row("unet_block", unet_block),
    row("transformer_block", transformer_block, num_heads=(1, 2), eps=(1e-5, 0.1)),
    row("mixture_of_experts", mixture_of_experts, smooth=True),
    row("top_k_mixture_of_experts", mixture_of_experts, top_k=(1, 2, 3)),
    row("graph_convolution", graph_convolution, adjacency=positive),
]


test_values_and_gradients, test_second_derivatives = compared_with_torch(ROWS)


# What does not fit is said in one line.


@pytest.mark.parametrize(
    ("shape", "num_heads", "words"),
    [((2, 3, 6), 4, "6|4"), ((2, 3, 6), 0, "num_heads|0"), ((2, 3, 6), -1, "num_heads|-1"), ((2, 6), 2, "x|(2, 6)")],
)
def test_heads_that_do_not_divide(shape, num_heads, words):
    block = catalogue["transformer_block"]
    given = {p.name: np.ones([6 for _ in p.type.axes]) for p in block.tensors}
    with pytest.raises(DeriveError) as caught:
        to_numpy(block).forward(**{**given, "x": np.ones(shape)}, num_heads=num_heads)
    message = str(caught.value)
    assert [word for word in ["transformer_block", *words.split("|")] if word not in message] == [], message
    assert len(message.splitlines()) == 1


def test_an_image_that_does_not_halve():
    block = catalogue["unet_block"]
    given = {p.name: np.ones((2, 2, 3, 3)) for p in block.tensors}
    with pytest.raises(DeriveError, match=r"unet_block.*x.*5"):
        to_numpy(block).forward(**{**given, "w_up": np.ones((2, 2, 2, 2)), "x": np.ones((1, 2, 5, 4))})


@pytest.mark.parametrize("top_k", [0, 1.5])
def test_no_expert(top_k):
    given = {"x": np.ones((2, 3)), "gate": np.ones((3, 4)), "w": np.ones((4, 3, 2))}
    with pytest.raises(DeriveError, match=r"top_k_mixture_of_experts.*top_k"):
        to_numpy(catalogue["top_k_mixture_of_experts"]).forward(**given, top_k=top_k)
