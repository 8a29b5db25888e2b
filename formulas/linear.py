"""Linear maps and the regressions built on them."""

from derive import T, axes, exp, formula, let, log, mean_over, sum_over

b, i, o, n, d = axes("b i o n d")


@formula
def dense(x: T[b, i], w: T[i, o], beta: T[o]) -> T[b, o]:
    """Affine map: every output mixes all inputs, then shifts."""
    return sum_over(i, x[b, i] * w[i, o]) + beta[o]
