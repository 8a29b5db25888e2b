"""Models of text, character by character, as in `derive train examples/text.py:lstm --data docs/decisions.md`.

Each takes places x[b, t] of characters in an alphabet, and those that follow, target[b, t]; each is its own loss: the
mean of −log p of the next character, in nats. A loss of log V is blind guessing among V characters.
"""

from derive import Int, T, axes, axis, exp, formula, let, log, oo, scan, sigmoid, sqrt, sum_over, tanh, where, zeros
from formulas import gelu, layer_norm

b, t, v, d, h = axes("b t v d h")  # b: sequence, t: place in it, v: character, d: feature of a character, h: hidden
k, c, s = h.alias("k"), v.alias("c"), t.alias("s")
gate = axis("gate", 4)  # what an LSTM lets in, keeps, takes up, and shows


def surprise(z, target):
    """Mean of −log p of the target under softmax(z)."""
    z = let("z", z)
    nats = let("nats", log(sum_over(v, exp(z[b, t, v]))) - z[b, t, target[b, t]])
    return sum_over((b, t), nats[b, t]) / (b.size * t.size)


@formula
def lstm(
    x: Int[b, t].below(v),
    target: Int[b, t].below(v),
    table: T[v, d],
    w: T[gate, h, d],
    u: T[gate, h, k],
    bias: T[gate, h],
    w_out: T[h, v],
    b_out: T[v],
) -> T[()]:
    """Surprise at the next character, foretold by an LSTM from those before it."""
    seen = let("seen", sum_over(d, table[x[b, t], d] * w[gate, h, d]) + bias[gate, h])

    def step(y: object, m: object) -> tuple[object, object]:
        q = let("q", seen[b, t, gate, h] + sum_over(k, u[gate, h, k] * y[b, k]))
        I, F, O = (sigmoid(q[b, t, number, h]) for number in (0, 1, 3))
        memory = let("memory", F * m[b, h] + I * tanh(q[b, t, 2, h]))
        return O * tanh(memory[b, t, h]), memory[b, t, h]

    y, _ = scan(t, step, zeros(b, h), zeros(b, h))
    return surprise(sum_over(h, y[t, b, h] * w_out[h, v]) + b_out[v], target)


e, m = axes("e m")  # of a transformer: e: feature of a head, h: head, m: hidden feature of the layer after it
normed = layer_norm.batched(axis("n"))


def block(x, gains, w_q, w_k, w_v, w_o, w_up, b_up, w_down, b_down):
    """x + Attention(Norm x), which looks at places no later than its own; then u + W′ gelu(W Norm u)."""
    seen = normed(x, *gains[:2])
    Q, K, V = (let(name, sum_over(d, seen[b, t, d] * a[d, h, e])) for name, a in (("Q", w_q), ("K", w_k), ("V", w_v)))
    S = let("S", where(s <= t, sum_over(e, Q[b, t, h, e] * K[b, s, h, e]) / sqrt(e.size), -oo))
    P = let("P", exp(S[b, t, h, s]) / sum_over(s, exp(S[b, t, h, s])))
    O = let("O", sum_over(s, P[b, t, h, s] * V[b, s, h, e]))
    u = let("u", x[b, t, d] + sum_over((h, e), O[b, t, h, e] * w_o[h, e, d]))
    hidden = let("hidden", sum_over(d, normed(u, *gains[2:])[b, t, d] * w_up[d, m]) + b_up[m])
    return let("y", u[b, t, d] + sum_over(m, gelu(hidden)[b, t, m] * w_down[m, d]) + b_down[d])


@formula
def transformer(
    x: Int[b, t].below(v),
    target: Int[b, t].below(v),
    table: T[v, d],
    places: T[t, d],
    gamma_1: T[d],
    beta_1: T[d],
    gamma_2: T[d],
    beta_2: T[d],
    w_q: T[d, h, e],
    w_k: T[d, h, e],
    w_v: T[d, h, e],
    w_o: T[h, e, d],
    w_up: T[d, m],
    b_up: T[m],
    w_down: T[m, d],
    b_down: T[d],
    gamma_3: T[d],
    beta_3: T[d],
    w_out: T[d, v],
) -> T[()]:
    """Surprise at the next character, foretold by a block of a transformer from those before it."""
    first = let("first", table[x[b, t], d] + places[t, d])
    gains = gamma_1, beta_1, gamma_2, beta_2
    last = normed(block(first, gains, w_q, w_k, w_v, w_o, w_up, b_up, w_down, b_down), gamma_3, beta_3)
    return surprise(sum_over(d, last[b, t, d] * w_out[d, v]), target)
