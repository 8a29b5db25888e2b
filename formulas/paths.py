"""Sums over all paths, and scaling to given margins: recursions in the log domain."""

from __future__ import annotations

from derive import (
    Int,
    Scalar,
    Size,
    T,
    axes,
    axis,
    exp,
    formula,
    let,
    logsumexp_over,
    mean_over,
    scan,
    sum_over,
    zeros,
)

__all__ = ["crf_nll", "hmm_forward", "sinkhorn_cost"]

t, h, n, m = axes("t h n m")
k = h.alias("k")
b = axis("b")
(steps,) = axes("s", min=2)
r = axis("r", steps.size - 1)  # from one step to the next


@formula
def hmm_forward(start: T[h], transition: T[h, k], emission: T[t, h]) -> T[()]:
    """log p(observations) of a hidden Markov model, over all paths: α_t(j) = e_t(j) + log Σ_i exp(α_{t−1}(i) + A_ij).

    `start` holds the logs of the state before the first step. Source: Rabiner, A Tutorial on Hidden Markov Models
    (1989), equations 19 to 21.
    """
    a = scan(t, lambda a: emission[t, h] + logsumexp_over(k, a[k] + transition[k, h.alias("h")]), start)
    return logsumexp_over(h, a[t.size - 1, h])


@formula
def crf_nll(emission: T[steps, b, h], tags: Int[steps, b].below(h), start: T[h], transition: T[h, k]) -> T[()]:
    """log Z − score(tags) of a linear-chain conditional random field, mean over sequences of at least two steps.

    Source: Lafferty, McCallum and Pereira, Conditional Random Fields (2001); Sutton and McCallum (2012), equation 4.
    """
    first = let("first", start[h] + emission[0, b, h])
    a = scan(r, lambda a: emission[r + 1, b, h] + logsumexp_over(k, a[b, k] + transition[k, h.alias("h")]), first)
    total = logsumexp_over(h, a[r.size - 1, b, h])
    score = start[tags[0, b]] + sum_over(steps, emission[steps, b, tags[steps, b]])
    return mean_over(b, total - score - sum_over(r, transition[tags[r, b], tags[r + 1, b]]))


rounds = axis("rounds", Size("iterations", default=20))


@formula
def sinkhorn_cost(cost: T[n, m], a: T[n], c: T[m], epsilon: Scalar = 0.5) -> T[()]:
    """Σ P C with P = exp((f ⊕ g − C)/ε), rows and columns scaled in turn to the logs a and c of two margins.

    Source: Cuturi, Sinkhorn Distances (2013); Peyré and Cuturi, Computational Optimal Transport (2019), section 4.4.
    """

    def step(f: object, g: object) -> tuple[object, object]:
        rows = let("rows", epsilon * (a[n] - logsumexp_over(m, (g[m] - cost[n, m]) / epsilon)))
        columns = epsilon * (c[m] - logsumexp_over(n, (rows[n, rounds] - cost[n, m]) / epsilon))
        return rows[n, rounds], columns

    f, g = scan(rounds, step, zeros(n), zeros(m))
    last = rounds.size - 1
    return sum_over((n, m), cost[n, m] * exp((f[last, n] + g[last, m] - cost[n, m]) / epsilon))
