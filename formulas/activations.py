"""Activations: scalar functions of each entry, and softmax along an axis."""

import derive
from derive import T, axes, exp, formula, log, maximum, sum_over

b, c = axes("b c")

__all__ = ["log_softmax", "relu", "sigmoid", "softmax", "tanh"]


@formula
def sigmoid(x: T[...]) -> T[...]:
    """Logistic function 1/(1 + exp(−x)): any number to a probability."""
    return 1 / (1 + exp(-x))


@formula
def tanh(x: T[...]) -> T[...]:
    """Hyperbolic tangent: any number into (−1, 1)."""
    return derive.tanh(x)


@formula
def relu(x: T[...]) -> T[...]:
    """Positive part max(x, 0); its derivative at 0 is 0."""
    return maximum(x, 0)


@formula
def softmax(z: T[b, c]) -> T[b, c]:
    """Each row's exponentials over their sum: positive entries that add up to one."""
    return exp(z[b, c]) / sum_over(c, exp(z[b, c]))


@formula
def log_softmax(z: T[b, c]) -> T[b, c]:
    """Logarithm of softmax: z less the log-sum-exp of its row."""
    return z[b, c] - log(sum_over(c, exp(z[b, c])))
