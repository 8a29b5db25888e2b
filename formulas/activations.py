"""Activations."""
import derive
from derive import T, axes, exp, formula, let, log, mean_over, sum_over

b, c = axes("b c")

@formula
def tanh(x: T[...]) -> T[...]:
    """Hyperbolic tangent."""
    return derive.tanh(x)

@formula
def softmax(z: T[b, c]) -> T[b, c]:
    """exp(z) over its sum along each row: positive entries that sum to one."""
    return exp(z[b, c]) / sum_over(c, exp(z[b, c]))
