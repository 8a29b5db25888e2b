"""Losses."""
from derive import T, assume, axes, equals, exp, formula, let, log, mean_over, sum_over

b, c = axes("b c")

@formula
def softmax_cross_entropy(z: T[b, c], t: T[b, c]) -> T[()]:
    """Mean negative log-likelihood of targets t under softmax(z)."""
    assume(equals(sum_over(c, t[b, c]), 1))
    return -mean_over(b, sum_over(c, t[b, c] * (z[b, c] - log(sum_over(c, exp(z[b, c]))))))
