"""Sums over all paths, and scaling to given margins: recursions in the log domain."""

from __future__ import annotations

from derive import (
    Int,
    Scalar,
    Size,
    T,
    assume,
    axes,
    axis,
    equals,
    exp,
    formula,
    let,
    logsumexp_over,
    max_over,
    maximum,
    mean_over,
    oo,
    padded,
    scan,
    sum_over,
    where,
    zeros,
)

from ._common import Reduction, reducible

__all__ = """
    hmm_forward viterbi_score crf_nll ctc_loss
    soft_dtw soft_edit_distance soft_needleman_wunsch soft_smith_waterman
    sinkhorn_cost
""".split()

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
def viterbi_score(start: T[h], transition: T[h, k], emission: T[t, h]) -> T[()]:
    """The score of the likeliest path: v_t(j) = e_t(j) + max_i (v_{t−1}(i) + A_ij). Its gradient is that path.

    Source: Viterbi (1967); Rabiner, A Tutorial on Hidden Markov Models (1989), equations 32 to 34.
    """
    v = scan(t, lambda v: emission[t, h] + max_over(k, v[k] + transition[k, h.alias("h")]), start)
    return max_over(h, v[t.size - 1, h])


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


# All alignments of a label with a longer input

c, s = axes("c s")
q = s.alias("q")
e = axis("e", 2 * s.size + 1)  # a blank before each letter of the label, and one at its end
d = axis("d", 3)  # how far one step leads: nowhere, to the next place, past a blank
last = axis("last", 2)


def _fitting(rng, shapes):
    """Labels that, with a blank between two equal letters, are no longer than their inputs."""
    (steps, batch, classes), longest = shapes["log_probs"], shapes["targets"][1]
    targets = rng.integers(min(1, classes - 1), classes, (batch, longest))
    lengths = rng.integers(1, steps + 1, batch)
    needed = 0 * targets + 1
    needed[:, 1:] += targets[:, 1:] == targets[:, :-1]
    letters = (needed.cumsum(axis=1) <= lengths[:, None]).sum(axis=1)
    return {"targets": targets, "input_lengths": lengths, "target_lengths": rng.integers(0, letters + 1)}


@formula
def ctc_loss(
    log_probs: T[t, b, c], targets: Int[b, s].below(c),
    input_lengths: Int[b].below(t.size + 1), target_lengths: Int[b].below(s.size + 1),
    *, reduction: Reduction = "mean",
) -> reducible(T[b]):  # fmt: skip
    """−log of the probability that an input spells its label, summed over all alignments; class 0 is the blank.

    α_t(e) = log p_t(e) + log(exp α_{t−1}(e) + exp α_{t−1}(e − 1) + exp α_{t−1}(e − 2)), where e counts the letters of
    the label and the blanks around them; only a blank between different letters may be left out. A place counts from
    the step on at which it can be reached. With "mean", each loss is divided by the length of its label. Source: Graves
    et al., Connectionist Temporal Classification (2006), equations 6 to 8; torch.nn.functional.ctc_loss with blank 0.
    """
    assume(s.size <= t.size)
    again = where(equals(targets[b, q], padded(targets, -1)[b, q - 1]), 1, 0)
    needed = let("needed", target_lengths[b] + sum_over(q, where(q < target_lengths[b], again, 0)))
    assume(needed[b] <= input_lengths[b], sample=_fitting)
    letter = (e + 1) // 2 - 1
    spelt = equals(e, 2 * letter + 1)
    reached = let("reached", s + sum_over(q, where(q <= s, again, 0)))
    first = let("first", where(e < 1, -1, padded(reached)[b, letter] + where(spelt, 0, 1)))
    apart = spelt & (e > 2) & ~equals(padded(targets)[b, letter], padded(targets)[b, letter - 1])
    onward = where((d <= e) & (t > padded(first)[b, e - d]), where((d < 2) | apart, 1, 0), 0)
    may = let("may", where(d < 1, where(equals(t, first[b, e]), 0, 1), onward))
    emission = let("emission", where(spelt, log_probs[t, b, padded(targets)[b, letter]], log_probs[t, b, 0]))

    def step(alpha):
        return emission[t, b, e] + logsumexp_over(d, where(may[t, b, d, e] > 0, padded(alpha)[b, e - d], -oo))

    alpha = scan(t, step, zeros(b, e))
    ends = padded(alpha)[input_lengths[b] - 1, b, 2 * target_lengths[b] - last]
    reaches = (last <= target_lengths[b]) & (needed[b] <= input_lengths[b])
    loss = -logsumexp_over(last, where(reaches, ends, -oo))
    if reduction == "none":
        return loss
    return sum_over(b, loss) if reduction == "sum" else mean_over(b, loss / maximum(target_lengths[b], 1))


# All ways through a table, diagonal by diagonal: an entry rests on the two before its own

u = axis("u", n.size + m.size - 1)  # row + column
v = axis("v", n.size + m.size + 1)  # ... in a table with a row and a column before the first letters
i = axis("i", n.size + 1)
w = axis("w", 4)  # the way on: along the diagonal, down, to the right; or none, where ways begin anywhere


def _ways(way, row, column):
    """1 where a way leads to an entry of the table; that along the diagonal to the first entry is its beginning."""
    begun = equals(row, 0) & equals(column, 0)
    aslant, down = where(((row > 0) & (column > 0)) | begun, 1, 0), where((row > 0) & (column >= 0), 1, 0)
    return where(way < 1, aslant, where(way < 2, down, where(equals(column, 0), 0, 1)))


def _before(way, row, near, far):
    """The value that a way comes from: of the last diagonal, and of the one before it."""
    return where(way < 1, padded(far)[row - 1], where(way < 2, padded(near)[row - 1], near[row]))


@formula
def soft_dtw(cost: T[n, m], gamma: Scalar = 1.0) -> T[()]:
    """r_ij = c_ij + min^γ(r_{i−1,j−1}, r_{i−1,j}, r_{i,j−1}), of which the last is the soft cost of aligning series.

    min^γ(a) = −γ log Σ exp(−a/γ). Source: Cuturi and Blondel, Soft-DTW (2017), algorithm 1.
    """
    assume(gamma > 0)
    may = let("may", _ways(d, n, u - n))

    def step(r, past):
        total = logsumexp_over(d, where(may[n, d, u] > 0, -_before(d, n, r, past) / gamma, -oo))
        return padded(cost)[n, u - n] - gamma * total, r[n]

    r, _ = scan(u, step, zeros(n), zeros(n))
    return r[u.size - 1, n.size - 1]


@formula
def soft_edit_distance(substitution: T[n, m], deletion: T[n], insertion: T[m], gamma: Scalar = 1.0) -> T[()]:
    """The soft least cost of editing one word into another; γ → 0 gives Levenshtein's distance, weighted.

    r_ij = min^γ(r_{i−1,j−1} + s_ij, r_{i−1,j} + d_i, r_{i,j−1} + a_j). Source: Wagner and Fischer, The String-to-String
    Correction Problem (1974); the soft minimum as in Cuturi and Blondel (2017).
    """
    assume(gamma > 0)
    j = v - i
    may = let("may", _ways(d, i, j))
    aside = where(d < 2, padded(deletion)[i - 1], padded(insertion)[j - 1])
    move = let("move", where(d < 1, padded(substitution)[i - 1, j - 1], aside))

    def step(r, past):
        ways = where(may[d, i, v] > 0, -(_before(d, i, r, past) + move[d, i, v]) / gamma, -oo)
        return -gamma * logsumexp_over(d, ways), r[i]

    r, _ = scan(v, step, zeros(i), zeros(i))
    return r[v.size - 1, i.size - 1]


@formula
def soft_needleman_wunsch(similarity: T[n, m], gap: Scalar = 1.0, gamma: Scalar = 1.0) -> T[()]:
    """The soft best score of aligning sequences: a_ij = max^γ(a_{i−1,j−1} + s_ij, a_{i−1,j} − δ, a_{i,j−1} − δ).

    max^γ(a) = γ log Σ exp(a/γ), and δ is the cost of a gap. Source: Needleman and Wunsch (1970); Petti et al.,
    End-to-end Learning of Multiple Sequence Alignments (2022).
    """
    assume(gamma > 0)
    j = v - i
    may = let("may", _ways(d, i, j))
    move = let("move", where(d < 1, padded(similarity)[i - 1, j - 1], -gap))

    def step(a, past):
        return gamma * logsumexp_over(
            d, where(may[d, i, v] > 0, (_before(d, i, a, past) + move[d, i, v]) / gamma, -oo)
        ), a[i]  # fmt: skip

    a, _ = scan(v, step, zeros(i), zeros(i))
    return a[v.size - 1, i.size - 1]


@formula
def soft_smith_waterman(similarity: T[n, m], gap: Scalar = 1.0, gamma: Scalar = 1.0) -> T[()]:
    """The soft best score of aligning parts of two sequences: as soft_needleman_wunsch, from any place to any place.

    Source: Smith and Waterman (1981); Petti et al., End-to-end Learning of Multiple Sequence Alignments (2022).
    """
    assume(gamma > 0)
    j = v - i
    inner = where((w < 1) & ((i < 1) | (j < 1)), 0, _ways(w, i, j))
    may = let("may", where(w < 3, inner, 1))
    move = let("move", where(w < 1, padded(similarity)[i - 1, j - 1], -gap))

    def step(a, past):
        on = where(w < 3, _before(w, i, a, past) + move[w, i, v], 0)
        return gamma * logsumexp_over(w, where(may[w, i, v] > 0, on / gamma, -oo)), a[i]

    a, _ = scan(v, step, zeros(i), zeros(i))
    within = where((j >= 0) & (j <= m.size), a[v, i] / gamma, -oo)
    return gamma * logsumexp_over((v, i), within)


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
