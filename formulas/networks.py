"""Networks: layers composed."""

from derive import (
    Scalar,
    Size,
    T,
    assume,
    axes,
    axis,
    chain,
    equals,
    exp,
    formula,
    let,
    one_hot,
    oo,
    sqrt,
    sum_over,
    where,
)

from . import activations
from .activations import gelu, relu
from .attention import e, f, multi_head_attention
from .convolution import conv2d, conv_transpose2d
from .linear import dense
from .losses import mse_loss, softmax_cross_entropy
from .noise import reparametrised_gaussian
from .normalisation import layer_norm
from .objectives import contrastive_loss, vae_elbo
from .pooling import max_pool2d

b, c, d, h, i, k, n, o, s, t = axes("b c d h i k n o s t")
m, j = n.alias("m"), k.alias("j")

__all__ = """
    mlp residual_block autoencoder variational_autoencoder siamese
    lenet unet_block
    transformer_block
    mixture_of_experts top_k_mixture_of_experts graph_convolution
""".split()

mlp = chain(dense, activations.tanh, dense, softmax_cross_entropy, name="mlp")


@formula
def residual_block(x: T[b, d], w_1: T[d, h], beta_1: T[h], w_2: T[h, d], beta_2: T[d]) -> T[b, d]:
    """Two dense layers with a relu between, added to their own input.

    Source: He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition (2016), eq. 1.
    """
    hidden = relu(dense(x, w_1, beta_1))
    back = dense(hidden, w_2, beta_2)
    return x[b, d] + back[b, d]


# Codes: what is left of an input where it passes a few numbers.


@formula
def autoencoder(x: T[b, d], w_1: T[d, h], beta_1: T[h], w_2: T[h, d], beta_2: T[d]) -> T[()]:
    """Mean squared error of x rebuilt from its code: dense, tanh, dense.

    Source: Hinton, Salakhutdinov, Reducing the Dimensionality of Data with Neural Networks (2006).
    """
    code = activations.tanh(dense(x, w_1, beta_1))
    return mse_loss(dense(code, w_2, beta_2), x)[()]


@formula
def variational_autoencoder(
    x: T[b, d],
    noise: T[b, k],
    w: T[d, h],
    beta: T[h],
    w_mu: T[h, k],
    beta_mu: T[k],
    w_var: T[h, k],
    beta_var: T[k],
    w_out: T[k, d],
    beta_out: T[d],
) -> T[()]:
    """Negative evidence bound of x, which is decoded from a draw μ + σ ε of its code.

    Source: Kingma, Welling, Auto-Encoding Variational Bayes (2014), eq. 10 and appendix C, its noise an input.
    """
    hidden = activations.tanh(dense(x, w, beta))
    mu, logvar = dense(hidden, w_mu, beta_mu), dense(hidden, w_var, beta_var)
    code = reparametrised_gaussian(mu, logvar, noise)
    return vae_elbo(x, dense(code, w_out, beta_out), mu, logvar)[()]


@formula
def siamese(x1: T[b, d], x2: T[b, d], unlike: T[b], w: T[d, h], beta: T[h], *, margin: Scalar = 1.0) -> T[()]:
    """Contrastive loss of two inputs that pass the same layer.

    Source: Bromley, Guyon, LeCun, Säckinger, Shah, Signature Verification using a Siamese Network (1994).
    """
    one, two = activations.tanh(dense(x1, w, beta)), activations.tanh(dense(x2, w, beta))
    distance = let("distance", sqrt(sum_over(h, (one[b, h] - two[b, h]) ** 2)))
    return contrastive_loss(distance, unlike, margin=margin)[()]


# Images.

y, z, r, q, u, v = axes("y z r q u v")
half_y, half_z = axis("y", 2 * y.size), axis("z", 2 * z.size)  # pairs of places
three, three_2 = axis("r", 3), axis("q", 3)
two, two_2 = axis("r", 2), axis("q", 2)


def _before(image, kernel, name):
    """An axis that a convolution and a pooling of pairs leave as `image`."""
    return axis(name, 2 * image.size + kernel.size - 1)


s_1, t_1 = _before(y, u, "s"), _before(z, v, "t")
s_0, t_0 = _before(s_1, r, "s"), _before(t_1, q, "t")


@formula
def lenet(
    x: T[n, c, s_0, t_0],
    w_1: T[o, c, r, q],
    bias_1: T[o],
    w_2: T[k, o, u, v],
    bias_2: T[k],
    w_3: T[h, k, y, z],
    bias_3: T[h],
    w_4: T[i, h],
    bias_4: T[i],
) -> T[n, i]:
    """Convolve, tanh, pool, twice; then dense, tanh, dense.

    Source: LeCun, Bottou, Bengio, Haffner, Gradient-Based Learning Applied to Document Recognition (1998), section
    II.B, with the largest entry of every window.
    """
    one = max_pool2d(activations.tanh(conv2d(x, w_1, bias_1)), kernel_size=2)
    two = max_pool2d(activations.tanh(conv2d(one, w_2, bias_2)), kernel_size=2)
    flat = let("flat", sum_over((k, y, z), w_3[h, k, y, z] * two[n, k, y, z]) + bias_3[h])
    return sum_over(h, w_4[i, h] * activations.tanh(flat)[n, h]) + bias_4[i]


@formula
def unet_block(
    x: T[n, c, half_y, half_z],
    w_in: T[o, c, three, three_2],
    w_low: T[k, o, three, three_2],
    w_up: T[k, o, two, two_2],
    w_skip: T[i, o, three, three_2],
    w_out: T[i, o, three, three_2],
) -> T[n, i, half_y, half_z]:
    """One level of a U: convolve, go down, convolve, go up, and convolve beside what did not go down.

    Source: Ronneberger, Fischer, Brox, U-Net (2015), figure 1, with padding; a convolution of two concatenated images
    is the sum of a convolution of each.
    """
    across = relu(conv2d(x, w_in, padding=1))
    low = relu(conv2d(max_pool2d(across, kernel_size=2), w_low, padding=1))
    up = conv_transpose2d(low, w_up, stride=2)
    kept, raised = conv2d(across, w_skip, padding=1), conv2d(up, w_out, padding=1)
    return relu(kept[n, i, half_y, half_z] + raised[n, i, half_y, half_z])


# Sequences.

layer_norm_of_sequence = layer_norm.batched(n)


@formula
def transformer_block(
    x: T[b, t, e],
    gamma_1: T[e],
    beta_1: T[e],
    q_proj_weight: T[e, f],
    k_proj_weight: T[e, f],
    v_proj_weight: T[e, f],
    out_proj_weight: T[e, f],
    gamma_2: T[e],
    beta_2: T[e],
    w_1: T[h, e],
    bias_1: T[h],
    w_2: T[e, h],
    bias_2: T[e],
    *,
    num_heads: Size,
    norm_first: bool = True,
    eps: Scalar = 1e-5,
) -> T[b, t, e]:
    """x + Attention(Norm(x)), then u + MLP(Norm(u)); or Norm(x + Attention(x)), then Norm(u + MLP(u)).

    Source: Vaswani et al., Attention Is All You Need (2017), section 3.1; Xiong et al., On Layer Normalization in the
    Transformer Architecture (2020), figure 1; torch.nn.TransformerEncoderLayer with gelu, without dropout.
    """

    def attended(x):
        weights = q_proj_weight, k_proj_weight, v_proj_weight, out_proj_weight
        return multi_head_attention(x, x, x, *weights, num_heads=num_heads)[b, t, e]

    def widened(x):
        hidden = let("hidden", sum_over(e, w_1[h, e] * x[b, t, e]) + bias_1[h])
        return sum_over(h, w_2[e, h] * gelu(hidden)[b, t, h]) + bias_2[e]

    def normed(x, gamma, beta):
        return layer_norm_of_sequence(x, gamma, beta, eps=eps)

    if norm_first:
        u = let("u", x[b, t, e] + attended(normed(x, gamma_1, beta_1)))
        return u[b, t, e] + widened(normed(u, gamma_2, beta_2))
    u = normed(let("u", x[b, t, e] + attended(x)), gamma_1, beta_1)
    return normed(let("v", u[b, t, e] + widened(u)), gamma_2, beta_2)[b, t, e]


# Experts and graphs.


@formula
def mixture_of_experts(x: T[b, d], gate: T[d, k], w: T[k, d, o]) -> T[b, o]:
    """Σ p_k(x) W_k x with p = softmax(x G): every expert answers, and a gate weighs the answers.

    Source: Jacobs, Jordan, Nowlan, Hinton, Adaptive Mixtures of Local Experts (1991).
    """
    z = let("z", sum_over(d, x[b, d] * gate[d, k]))
    p = let("p", exp(z[b, k]) / sum_over(k, exp(z[b, k])))
    answer = let("answer", sum_over(d, x[b, d] * w[k, d, o]))
    return sum_over(k, p[b, k] * answer[b, k, o])


@formula
def top_k_mixture_of_experts(x: T[b, d], gate: T[d, k], w: T[k, d, o], *, top_k: Size = 2) -> T[b, o]:
    """Σ p_k(x) W_k x, where the gate's softmax is over its largest few scores, and all other experts are silent.

    Source: Shazeer et al., Outrageously Large Neural Networks (2017), eq. 1, 3 and 5, without noise.
    """
    z = let("z", sum_over(d, x[b, d] * gate[d, k]))
    ahead = (z[b, j] > z[b, k]) | (equals(z[b, j], z[b, k]) & (j < k))
    rank = let("rank", sum_over(j, where(ahead, 1, 0)))
    chosen = let("chosen", where(rank[b, k] < top_k, z[b, k], -oo))
    p = let("p", exp(chosen[b, k]) / sum_over(k, exp(chosen[b, k])))
    answer = let("answer", sum_over(d, x[b, d] * w[k, d, o]))
    return sum_over(k, p[b, k] * answer[b, k, o])


@formula
def graph_convolution(adjacency: T[n, m], x: T[n, d], w: T[d, o]) -> T[n, o]:
    """relu(D^(−1/2) (A + I) D^(−1/2) X W), where D holds the degrees, of every node and itself.

    Source: Kipf, Welling, Semi-Supervised Classification with Graph Convolutional Networks (2017), eq. 2.
    """
    assume(adjacency[n, m] > 0)
    near = let("near", adjacency[n, m] + one_hot(n, m))
    degree = let("degree", sum_over(m, near[n, m]))
    a = let("a", near[n, m] / (sqrt(degree[n]) * sqrt(degree[m])))
    h = let("h", sum_over(d, x[n, d] * w[d, o]))
    return relu(sum_over(m, a[n, m] * h[m, o]))
