"""Activations: scalar functions of each entry, gates that multiply two of them, and softmax along an axis."""

from typing import Literal

import derive
from derive import (
    Abs,
    Scalar,
    T,
    assume,
    axes,
    axis,
    erf,
    exp,
    formula,
    let,
    log,
    max_over,
    maximum,
    minimum,
    pi,
    sqrt,
    sum_over,
    where,
)

b, c, k = axes("b c k")
pair = axis("p", 2 * k.size)  # two halves of length K

__all__ = """
    relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish softplus sigmoid logsigmoid logit tanh softsign
    tanhshrink hardtanh hardsigmoid hardswish hardshrink softshrink threshold glu swiglu geglu
    maxout softmax log_softmax softmin gumbel_softmax
""".split()

# Rectifiers: the positive part stays, the negative part goes or shrinks.


@formula
def relu(x: T[...]) -> T[...]:
    """Positive part max(x, 0); its derivative at 0 is 0.

    Source: torch.nn.functional.relu.
    """
    return maximum(x, 0)


@formula
def relu6(input: T[...]) -> T[...]:
    """min(max(x, 0), 6).

    Source: torch.nn.functional.relu6.
    """
    return where(input > 0, minimum(input, 6), 0)


@formula
def leaky_relu(input: T[...], *, negative_slope: Scalar = 0.01) -> T[...]:
    """x where x > 0, else s x with a small slope s.

    Source: torch.nn.functional.leaky_relu.
    """
    return where(input > 0, input, negative_slope * input)


@formula
def prelu(input: T[b, c], weight: T[c]) -> T[b, c]:
    """x where x > 0, else w x with a learned slope w for every channel.

    Source: He, Zhang, Ren, Sun, Delving Deep into Rectifiers (2015), eq. 1; torch.nn.functional.prelu.
    """
    return where(input[b, c] > 0, input[b, c], weight[c] * input[b, c])


@formula
def rrelu(input: T[...], *, lower: Scalar = 1 / 8, upper: Scalar = 1 / 3) -> T[...]:
    """x where x > 0, else (l + u)/2 x: the mean of the slopes that training draws from [l, u].

    Source: torch.nn.functional.rrelu with training=False.
    """
    return where(input > 0, input, (lower + upper) / 2 * input)


# Exponential units: the negative part saturates.


@formula
def elu(input: T[...], *, alpha: Scalar = 1.0) -> T[...]:
    """x where x > 0, else α (exp(x) − 1).

    Source: Clevert, Unterthiner, Hochreiter, Fast and Accurate Deep Network Learning by ELUs (2016), eq. 15;
    torch.nn.functional.elu.
    """
    return where(input > 0, input, alpha * (exp(input) - 1))


@formula
def selu(input: T[...]) -> T[...]:
    """λ x where x > 0, else λ α (exp(x) − 1), with the λ and α that keep mean 0 and variance 1.

    Source: Klambauer, Unterthiner, Mayr, Hochreiter, Self-Normalizing Neural Networks (2017), eq. 2;
    torch.nn.functional.selu.
    """
    return 1.0507009873554804934193349852946 * elu(input, alpha=1.6732632423543772848170429916717)


@formula
def celu(input: T[...], *, alpha: Scalar = 1.0) -> T[...]:
    """x where x > 0, else α (exp(x/α) − 1): an elu whose slope is continuous for every α.

    Source: Barron, Continuously Differentiable Exponential Linear Units (2017), eq. 2; torch.nn.functional.celu.
    """
    return where(input > 0, input, alpha * (exp(input / alpha) - 1))


# Smooth rectifiers.


@formula
def gelu(input: T[...], *, approximate: Literal["none", "tanh"] = "none") -> T[...]:
    """x Φ(x) with the normal distribution function Φ, or with its approximation by tanh.

    Source: Hendrycks, Gimpel, Gaussian Error Linear Units (2016), section 2; torch.nn.functional.gelu.
    """
    if approximate == "tanh":
        t = let("t", derive.tanh(sqrt(2 / pi) * (input + 0.044715 * input**3)))
        return input * (1 + t[()]) / 2
    Phi = let("Phi", (1 + erf(input / sqrt(2))) / 2)
    return input * Phi[()]


@formula
def silu(input: T[...]) -> T[...]:
    """x σ(x), also called swish.

    Source: Ramachandran, Zoph, Le, Searching for Activation Functions (2017); torch.nn.functional.silu.
    """
    return input * derive.sigmoid(input)


@formula
def mish(input: T[...]) -> T[...]:
    """x tanh(log(1 + exp(x))).

    Source: Misra, Mish: A Self Regularized Non-Monotonic Activation Function (2019), eq. 1;
    torch.nn.functional.mish.
    """
    return input * derive.tanh(derive.softplus(input))


@formula
def softplus(input: T[...], *, beta: Scalar = 1.0, threshold: Scalar = 20.0) -> T[...]:
    """log(1 + exp(β x))/β, and x itself where β x is above the threshold.

    Source: torch.nn.functional.softplus.
    """
    return where(beta * input > threshold, input, log(1 + exp(beta * input)) / beta)


# Sigmoids, and what is left when one is taken away.


@formula
def sigmoid(x: T[...]) -> T[...]:
    """Logistic function 1/(1 + exp(−x)): any number to a probability.

    Source: torch.nn.functional.sigmoid.
    """
    return 1 / (1 + exp(-x))


@formula
def logsigmoid(input: T[...]) -> T[...]:
    """log σ(x) = −log(1 + exp(−x)).

    Source: torch.nn.functional.logsigmoid.
    """
    return log(1 / (1 + exp(-input)))


@formula
def logit(input: T[...]) -> T[...]:
    """log(p/(1 − p)): a probability to any number, the inverse of sigmoid.

    Source: torch.logit.
    """
    assume(input > 0)
    assume(input < 1)
    return log(input / (1 - input))


@formula
def tanh(x: T[...]) -> T[...]:
    """Hyperbolic tangent: any number into (−1, 1).

    Source: torch.nn.functional.tanh.
    """
    return derive.tanh(x)


@formula
def softsign(input: T[...]) -> T[...]:
    """x/(1 + |x|).

    Source: torch.nn.functional.softsign.
    """
    return input / (1 + Abs(input))


@formula
def tanhshrink(input: T[...]) -> T[...]:
    """x − tanh(x).

    Source: torch.nn.functional.tanhshrink.
    """
    return input - derive.tanh(input)


# Pieces of straight lines.


@formula
def hardtanh(input: T[...], *, min_val: Scalar = -1.0, max_val: Scalar = 1.0) -> T[...]:
    """x held between two bounds; its derivative at a bound is 0.

    Source: torch.nn.functional.hardtanh.
    """
    return where(input > min_val, minimum(input, max_val), min_val)


@formula
def hardsigmoid(input: T[...]) -> T[...]:
    """min(max(x + 3, 0), 6)/6.

    Source: torch.nn.functional.hardsigmoid.
    """
    return relu6(input + 3) / 6


@formula
def hardswish(input: T[...]) -> T[...]:
    """x min(max(x + 3, 0), 6)/6.

    Source: Howard et al., Searching for MobileNetV3 (2019), section 5.2; torch.nn.functional.hardswish.
    """
    return input * relu6(input + 3) / 6


@formula
def hardshrink(input: T[...], *, lambd: Scalar = 0.5) -> T[...]:
    """x where |x| > λ, else 0.

    Source: torch.nn.functional.hardshrink.
    """
    return where(Abs(input) > lambd, input, 0)


@formula
def softshrink(input: T[...], *, lambd: Scalar = 0.5) -> T[...]:
    """x moved towards 0 by λ, and no further than 0.

    Source: torch.nn.functional.softshrink.
    """
    return where(input > lambd, input - lambd, where(input < -lambd, input + lambd, 0))


@formula
def threshold(input: T[...], *, threshold: Scalar, value: Scalar) -> T[...]:
    """x where x is above the threshold, else a fixed value.

    Source: torch.nn.functional.threshold.
    """
    return where(input > threshold, input, value)


# Gates: one half of a layer decides how much of the other half passes.


@formula
def glu(input: T[b, pair]) -> T[b, k]:
    """a σ(b), where a is the first half of each row and b the second.

    Source: Dauphin, Fan, Auli, Grangier, Language Modeling with Gated Convolutional Networks (2017), eq. 1;
    torch.nn.functional.glu.
    """
    return input[b, k] * derive.sigmoid(input[b, k + k.size])


@formula
def swiglu(a: T[...], b: T[...]) -> T[...]:
    """silu(a) b.

    Source: Shazeer, GLU Variants Improve Transformer (2020), eq. 5, with a = x W and b = x V.
    """
    return silu(a) * b


@formula
def geglu(a: T[...], b: T[...]) -> T[...]:
    """gelu(a) b.

    Source: Shazeer, GLU Variants Improve Transformer (2020), eq. 5, with a = x W and b = x V.
    """
    return gelu(a) * b


# Along an axis.


@formula
def maxout(z: T[b, k, c]) -> T[b, k]:
    """The largest of the c numbers that each unit k has to choose from.

    Source: Goodfellow, Warde-Farley, Mirza, Courville, Bengio, Maxout Networks (2013), section 2.
    """
    return max_over(c, z[b, k, c])


@formula
def softmax(z: T[b, c]) -> T[b, c]:
    """Each row's exponentials over their sum: positive entries that add up to one.

    Source: torch.nn.functional.softmax.
    """
    return exp(z[b, c]) / sum_over(c, exp(z[b, c]))


@formula
def log_softmax(z: T[b, c]) -> T[b, c]:
    """Logarithm of softmax: z less the log-sum-exp of its row.

    Source: torch.nn.functional.log_softmax.
    """
    return z[b, c] - log(sum_over(c, exp(z[b, c])))


@formula
def softmin(input: T[b, c]) -> T[b, c]:
    """Softmax of −x: the smallest entry of a row gets the largest share.

    Source: torch.nn.functional.softmin.
    """
    return exp(-input[b, c]) / sum_over(c, exp(-input[b, c]))


@formula
def gumbel_softmax(logits: T[b, c], noise: T[b, c], *, tau: Scalar = 1.0) -> T[b, c]:
    """Softmax of (z + noise)/τ: with Gumbel noise, a differentiable draw of one class.

    Source: Jang, Gu, Poole, Categorical Reparameterization with Gumbel-Softmax (2017), eq. 2;
    torch.nn.functional.gumbel_softmax with hard=False, its noise made an input.
    """
    assume(tau > 0)
    e = lambda: exp((logits[b, c] + noise[b, c]) / tau)  # noqa: E731
    return e() / sum_over(c, e())
