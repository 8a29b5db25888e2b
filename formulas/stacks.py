"""Recurrent networks of several layers: a recurrence over layers, each of which is a recurrence over time.

`l` counts the layers, of which there are two or more. The first reads x; the others, `m` of them, read what the layer
below puts out. Outputs are the last layer's at every step, and every layer's last state.
"""

from __future__ import annotations

from derive import T, axes, axis, formula, let, padded, scan, sigmoid, sum_over, tanh, where

__all__ = "stacked_rnn stacked_lstm stacked_gru stacked_bidirectional_lstm".split()

t, b, i, h = axes("t b i h")
k = h.alias("k")
(l,) = axes("l", min=2)
m = axis("m", l.size - 1)
r = axis("r", 2)  # directions: onwards and back
q = r.alias("q")
both = axis("both", 2 * h.size)  # what both directions put out, side by side
four, three = axis("four", 4 * h.size), axis("three", 3 * h.size)


def _lasts(first, others):
    """The last state of every layer."""
    return where(l < 1, first[t.size - 1, b, h], padded(others)[l - 1, t.size - 1, b, h])


@formula
def stacked_rnn(
    x: T[t, b, i], h0: T[l, b, h], w_ih_first: T[h, i], w_ih: T[m, h, k], w_hh: T[l, h, k], b_ih: T[l, h], b_hh: T[l, h]
) -> tuple[T[t, b, h], T[l, b, h]]:
    """rnn, layer upon layer: h^l_t = tanh(W h^{l−1}_t + b + U h^l_{t−1} + b′), where h⁻¹_t is x_t.

    Source: El Hihi and Bengio, Hierarchical Recurrent Neural Networks (1996); torch.nn.RNN with num_layers.
    """

    def moved(taken, state, layer):
        return tanh(taken + b_ih[layer, h] + sum_over(k, state[b, k] * w_hh[layer, h, k]) + b_hh[layer, h])

    bottom = let("bottom", h0[0, b, h])
    first = scan(t, lambda r: moved(sum_over(i, x[t, b, i] * w_ih_first[h, i]), r, 0), bottom)

    def layer(below):
        start = let("start", h0[m + 1, b, h])
        s = scan(t, lambda s: moved(sum_over(k, below[t, b, k] * w_ih[m, h, k]), s, m + 1), start)
        return s[t, b, h]

    y = scan(m, lambda y: layer(y), first)
    return y[m.size - 1, t, b, h], _lasts(first, y)


@formula
def stacked_lstm(
    x: T[t, b, i], h0: T[l, b, h], c0: T[l, b, h], w_ih_first: T[four, i], w_ih: T[m, four, k], w_hh: T[l, four, k],
    b_ih: T[l, four], b_hh: T[l, four],
) -> tuple[T[t, b, h], T[l, b, h], T[l, b, h]]:  # fmt: skip
    """lstm, layer upon layer; outputs, last states and last memories.

    Source: Graves, Mohamed and Hinton, Speech Recognition with Deep Recurrent Neural Networks (2013), equation 11;
    torch.nn.LSTM with num_layers.
    """

    def moved(taken, state, memory, layer, place, names):
        held = sum_over(k, state[b, k] * w_hh[layer, four, k])
        gates = let(names[0], taken + b_ih[layer, four] + held + b_hh[layer, four])
        I, F, G, O = (gates[(*place[:2], number * h.size + h, *place[3:])] for number in range(4))
        c = let(names[1], sigmoid(F) * memory[b, h] + sigmoid(I) * tanh(G))
        return sigmoid(O) * tanh(c[place]), c[place]

    def lowest(r, q):
        taken = sum_over(i, x[t, b, i] * w_ih_first[four, i])
        return moved(taken, r, q, 0, (t, b, h), ("gates_first", "c_first"))

    first, memory = scan(t, lowest, let("bottom", h0[0, b, h]), let("bottom_memory", c0[0, b, h]))

    def layer(y, z):
        def step(s, u):
            taken = sum_over(k, y[t, b, k] * w_ih[m, four, k])
            return moved(taken, s, u, m + 1, (t, b, h, m), ("gates", "c"))

        s, u = scan(t, step, let("start", h0[m + 1, b, h]), let("start_memory", c0[m + 1, b, h]))
        return s[t, b, h], u[t, b, h]

    y, z = scan(m, layer, first, memory)
    return y[m.size - 1, t, b, h], _lasts(first, y), _lasts(memory, z)


@formula
def stacked_gru(
    x: T[t, b, i], h0: T[l, b, h], w_ih_first: T[three, i], w_ih: T[m, three, k], w_hh: T[l, three, k],
    b_ih: T[l, three], b_hh: T[l, three],
) -> tuple[T[t, b, h], T[l, b, h]]:  # fmt: skip
    """gru, layer upon layer; outputs and last states.

    Source: Cho et al., Learning Phrase Representations (2014); torch.nn.GRU with num_layers.
    """

    def moved(taken, state, layer, place, names):
        read = let(names[0], taken + b_ih[layer, three])
        held = let(names[1], sum_over(k, state[b, k] * w_hh[layer, three, k]) + b_hh[layer, three])

        def of(gates, number):
            return gates[(*place[:2], number * h.size + h, *place[3:])]

        r, z = (let(name, sigmoid(of(read, n) + of(held, n))) for n, name in enumerate(names[2:]))
        return (1 - z[place]) * tanh(of(read, 2) + r[place] * of(held, 2)) + z[place] * state[b, h]

    def lowest(p):
        taken = sum_over(i, x[t, b, i] * w_ih_first[three, i])
        return moved(taken, p, 0, (t, b, h), ("read_first", "held_first", "r_first", "z_first"))

    first = scan(t, lowest, let("bottom", h0[0, b, h]))

    def layer(y):
        def step(s):
            taken = sum_over(k, y[t, b, k] * w_ih[m, three, k])
            return moved(taken, s, m + 1, (t, b, h, m), ("read", "held", "r", "z"))

        return scan(t, step, let("start", h0[m + 1, b, h]))[t, b, h]

    y = scan(m, layer, first)
    return y[m.size - 1, t, b, h], _lasts(first, y)


@formula
def stacked_bidirectional_lstm(
    x: T[t, b, i], h0: T[l, r, b, h], c0: T[l, r, b, h], w_ih_first: T[r, four, i], w_ih: T[m, r, four, both],
    w_hh: T[l, r, four, k], b_ih: T[l, r, four], b_hh: T[l, r, four],
) -> T[t, b, r, h]:  # fmt: skip
    """bidirectional_lstm, layer upon layer, each of which reads what both directions below it put out.

    Source: Graves, Jaitly and Mohamed, Hybrid Speech Recognition with Deep Bidirectional LSTM (2013), section 2;
    torch.nn.LSTM with num_layers and bidirectional=True, whose outputs stand side by side.
    """

    def moved(taken, state, memory, layer, place, names):
        held = sum_over(k, state[b, r, k] * w_hh[layer, r, four, k])
        gates = let(names[0], taken + b_ih[layer, r, four] + held + b_hh[layer, r, four])
        I, F, G, O = (gates[(*place[:2], place[2], number * h.size + h, *place[4:])] for number in range(4))
        c = let(names[1], sigmoid(F) * memory[b, r, h] + sigmoid(I) * tanh(G))
        return sigmoid(O) * tanh(c[place]), c[place]

    def turned(s):
        return where(r < 1, s[t, b, r, h], s[t.size - 1 - t, b, r, h])

    onto = let("onto", where(r < 1, x[t, b, i], x[t.size - 1 - t, b, i]))

    def lowest(s_first, u_first):
        taken = sum_over(i, onto[t, b, i, r] * w_ih_first[r, four, i])
        return moved(taken, s_first, u_first, 0, (t, b, r, h), ("gates_first", "c_first"))

    first, _ = scan(t, lowest, let("bottom", h0[0, r, b, h]), let("bottom_memory", c0[0, r, b, h]))

    def layer(y):
        read = let("read", where(r < 1, y[t, b, q, k], y[t.size - 1 - t, b, q, k]))

        def step(s, u):
            taken = sum_over((q, k), read[t, b, r, m, k, q] * w_ih[m, r, four, q * h.size + k])
            return moved(taken, s, u, m + 1, (t, b, r, h, m), ("gates", "c"))

        s, _ = scan(t, step, let("start", h0[m + 1, r, b, h]), let("start_memory", c0[m + 1, r, b, h]))
        return turned(s)

    y = scan(m, layer, let("bottom_out", turned(first)))
    return y[m.size - 1, t, b, r, h]
