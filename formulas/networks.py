"""Networks: layers composed."""

from derive import T, axes, chain, formula

from .activations import relu, tanh
from .linear import dense
from .losses import softmax_cross_entropy

b, d, h = axes("b d h")

__all__ = ["mlp", "residual_block"]

mlp = chain(dense, tanh, dense, softmax_cross_entropy, name="mlp")


@formula
def residual_block(x: T[b, d], w_1: T[d, h], beta_1: T[h], w_2: T[h, d], beta_2: T[d]) -> T[b, d]:
    """Two dense layers with a relu between, added to their own input.

    Source: He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition (2016), eq. 1.
    """
    hidden = relu(dense(x, w_1, beta_1))
    back = dense(hidden, w_2, beta_2)
    return x[b, d] + back[b, d]
