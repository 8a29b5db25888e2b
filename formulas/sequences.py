"""Recurrent networks over sequences: of several lengths, in both directions, with attention; a language model."""

from __future__ import annotations

from derive import (
    Int,
    T,
    axes,
    axis,
    exp,
    formula,
    let,
    logsumexp_over,
    mean_over,
    scan,
    sigmoid,
    sum_over,
    tanh,
    where,
)

__all__ = """
    packed_rnn packed_lstm packed_gru
    batch_first_rnn batch_first_lstm batch_first_gru
    bidirectional_lstm bidirectional_gru projected_lstm
    bahdanau_attention luong_attention attention_decoder_step
    character_language_model
""".split()

t, b, i, h, s, d, a, v = axes("t b i h s d a v")
k = h.alias("k")
four, three = axis("four", 4 * h.size), axis("three", 3 * h.size)
r = axis("r", 2)  # directions: onwards and back


def lstm_step(place, sums, memory):
    """(h, c) of one step, at `place`: the letters of what is carried, behind time; `sums` are the gates'."""
    z = let("z", sums)
    I, F, G, O = (z[(*place[:-1], number * h.size + h)] for number in range(4))
    I, F = let("I", sigmoid(I)), let("F", sigmoid(F))
    G, O = let("G", tanh(G)), let("O", sigmoid(O))
    c = let("c", F[place] * memory + I[place] * G[place])
    return O[place] * tanh(c[place]), c[place]


# Of several lengths: after its last step a sequence keeps its state, and puts out 0


@formula
def packed_rnn(
    x: T[t, b, i], lengths: Int[b].below(t.size + 1), h0: T[b, h], w_ih: T[h, i], w_hh: T[h, k], b_ih: T[h], b_hh: T[h]
) -> tuple[T[t, b, h], T[b, h]]:
    """rnn up to the length of each sequence; outputs h_t, 0 after that, and the last state.

    Source: Elman, Finding Structure in Time (1990); torch.nn.RNN of a packed sequence.
    """

    def step(s):
        taken = sum_over(i, x[t, b, i] * w_ih[h, i]) + b_ih[h]
        return where(t < lengths[b], tanh(taken + sum_over(k, s[b, k] * w_hh[h, k]) + b_hh[h]), s[b, h])

    s = scan(t, step, h0)
    return where(t < lengths[b], s[t, b, h], 0), s[t.size - 1, b, h]


@formula
def packed_lstm(
    x: T[t, b, i], lengths: Int[b].below(t.size + 1), h0: T[b, h], c0: T[b, h],
    w_ih: T[four, i], w_hh: T[four, k], b_ih: T[four], b_hh: T[four],
) -> tuple[T[t, b, h], T[b, h], T[b, h]]:  # fmt: skip
    """lstm up to the length of each sequence; outputs h_t, 0 after that, and the last state and memory.

    Source: Hochreiter and Schmidhuber, Long Short-Term Memory (1997); torch.nn.LSTM of a packed sequence.
    """

    def step(s, m):
        taken = sum_over(i, x[t, b, i] * w_ih[four, i]) + b_ih[four]
        sums = taken + sum_over(k, s[b, k] * w_hh[four, k]) + b_hh[four]
        new, c = lstm_step((t, b, h), sums, m[b, h])
        runs = t < lengths[b]
        return where(runs, new, s[b, h]), where(runs, c, m[b, h])

    s, m = scan(t, step, h0, c0)
    return where(t < lengths[b], s[t, b, h], 0), s[t.size - 1, b, h], m[t.size - 1, b, h]


@formula
def packed_gru(
    x: T[t, b, i], lengths: Int[b].below(t.size + 1), h0: T[b, h],
    w_ih: T[three, i], w_hh: T[three, k], b_ih: T[three], b_hh: T[three],
) -> tuple[T[t, b, h], T[b, h]]:  # fmt: skip
    """gru up to the length of each sequence; outputs h_t, 0 after that, and the last state.

    Source: Cho et al., Learning Phrase Representations (2014); torch.nn.GRU of a packed sequence.
    """

    def step(s):
        a = let("a", sum_over(i, x[t, b, i] * w_ih[three, i]) + b_ih[three])
        q = let("q", sum_over(k, s[b, k] * w_hh[three, k]) + b_hh[three])
        reset = let("reset", sigmoid(a[t, b, h] + q[t, b, h]))
        z = let("z", sigmoid(a[t, b, h.size + h] + q[t, b, h.size + h]))
        new = let("new", tanh(a[t, b, 2 * h.size + h] + reset[t, b, h] * q[t, b, 2 * h.size + h]))
        moved = (1 - z[t, b, h]) * new[t, b, h] + z[t, b, h] * s[b, h]
        return where(t < lengths[b], moved, s[b, h])

    s = scan(t, step, h0)
    return where(t < lengths[b], s[t, b, h], 0), s[t.size - 1, b, h]


# With the batch as the first axis of what goes in and comes out


@formula
def batch_first_rnn(
    x: T[b, t, i], h0: T[b, h], w_ih: T[h, i], w_hh: T[h, k], b_ih: T[h], b_hh: T[h]
) -> T[b, t, h]:  # fmt: skip
    """rnn of x_bt: the same recurrence, the axes of its input and output in another order.

    Source: Elman, Finding Structure in Time (1990); torch.nn.RNN with batch_first=True.
    """

    def step(s):
        taken = sum_over(i, x[b, t, i] * w_ih[h, i]) + b_ih[h]
        return tanh(taken + sum_over(k, s[b, k] * w_hh[h, k]) + b_hh[h])

    s = scan(t, step, h0)
    return s[t, b, h]


@formula
def batch_first_lstm(
    x: T[b, t, i], h0: T[b, h], c0: T[b, h], w_ih: T[four, i], w_hh: T[four, k], b_ih: T[four], b_hh: T[four]
) -> T[b, t, h]:
    """lstm of x_bt: the same recurrence, the axes of its input and output in another order.

    Source: Hochreiter and Schmidhuber, Long Short-Term Memory (1997); torch.nn.LSTM with batch_first=True.
    """

    def step(s, m):
        taken = sum_over(i, x[b, t, i] * w_ih[four, i]) + b_ih[four]
        return lstm_step((b, t, h), taken + sum_over(k, s[b, k] * w_hh[four, k]) + b_hh[four], m[b, h])

    s, _ = scan(t, step, h0, c0)
    return s[t, b, h]


@formula
def batch_first_gru(
    x: T[b, t, i], h0: T[b, h], w_ih: T[three, i], w_hh: T[three, k], b_ih: T[three], b_hh: T[three]
) -> T[b, t, h]:
    """gru of x_bt: the same recurrence, the axes of its input and output in another order.

    Source: Cho et al., Learning Phrase Representations (2014); torch.nn.GRU with batch_first=True.
    """

    def step(s):
        a = let("a", sum_over(i, x[b, t, i] * w_ih[three, i]) + b_ih[three])
        q = let("q", sum_over(k, s[b, k] * w_hh[three, k]) + b_hh[three])
        reset = let("reset", sigmoid(a[b, t, h] + q[b, t, h]))
        z = let("z", sigmoid(a[b, t, h.size + h] + q[b, t, h.size + h]))
        new = let("new", tanh(a[b, t, 2 * h.size + h] + reset[b, t, h] * q[b, t, 2 * h.size + h]))
        return (1 - z[b, t, h]) * new[b, t, h] + z[b, t, h] * s[b, h]

    s = scan(t, step, h0)
    return s[t, b, h]


# In both directions: one recurrence, in which a second axis of weights reads the sequence from its end


def _read_both_ways(x):
    return let("read", where(r < 1, x[t, b, i], x[t.size - 1 - t, b, i]))


@formula
def bidirectional_lstm(
    x: T[t, b, i], h0: T[r, b, h], c0: T[r, b, h],
    w_ih: T[r, four, i], w_hh: T[r, four, k], b_ih: T[r, four], b_hh: T[r, four],
) -> T[t, r, b, h]:  # fmt: skip
    """lstm onwards, and from the last step back: y_t0 = h_t of the first, y_t1 = h_t of the second.

    Source: Graves and Schmidhuber, Framewise Phoneme Classification with Bidirectional LSTM (2005); torch.nn.LSTM with
    bidirectional=True, whose outputs stand side by side.
    """
    read = _read_both_ways(x)

    def step(s, m):
        taken = sum_over(i, read[t, b, i, r] * w_ih[r, four, i]) + b_ih[r, four]
        sums = taken + sum_over(k, s[r, b, k] * w_hh[r, four, k]) + b_hh[r, four]
        return lstm_step((t, b, r, h), sums, m[r, b, h])

    s, _ = scan(t, step, h0, c0)
    return where(r < 1, s[t, r, b, h], s[t.size - 1 - t, r, b, h])


@formula
def bidirectional_gru(
    x: T[t, b, i], h0: T[r, b, h], w_ih: T[r, three, i], w_hh: T[r, three, k], b_ih: T[r, three], b_hh: T[r, three]
) -> T[t, r, b, h]:
    """gru onwards, and from the last step back.

    Source: Schuster and Paliwal, Bidirectional Recurrent Neural Networks (1997); torch.nn.GRU with bidirectional=True.
    """
    read = _read_both_ways(x)

    def step(s):
        a = let("a", sum_over(i, read[t, b, i, r] * w_ih[r, three, i]) + b_ih[r, three])
        q = let("q", sum_over(k, s[r, b, k] * w_hh[r, three, k]) + b_hh[r, three])
        reset = let("reset", sigmoid(a[t, b, r, h] + q[t, b, r, h]))
        z = let("z", sigmoid(a[t, b, r, h.size + h] + q[t, b, r, h.size + h]))
        new = let("new", tanh(a[t, b, r, 2 * h.size + h] + reset[t, b, r, h] * q[t, b, r, 2 * h.size + h]))
        return (1 - z[t, b, r, h]) * new[t, b, r, h] + z[t, b, r, h] * s[r, b, h]

    s = scan(t, step, h0)
    return where(r < 1, s[t, r, b, h], s[t.size - 1 - t, r, b, h])


@formula
def projected_lstm(
    x: T[t, b, i], h0: T[b, a], c0: T[b, h], w_ih: T[four, i], w_hh: T[four, a], b_ih: T[four], b_hh: T[four],
    w_hr: T[a, h],
) -> T[t, b, a]:  # fmt: skip
    """The LSTM that carries P h_t, a projection of what its gates put out.

    Source: Sak, Senior and Beaufays, Long Short-Term Memory Recurrent Neural Network Architectures (2014);
    torch.nn.LSTM with proj_size.
    """

    def step(s, m):
        taken = sum_over(i, x[t, b, i] * w_ih[four, i]) + b_ih[four]
        sums = taken + sum_over(a, s[b, a] * w_hh[four, a]) + b_hh[four]
        new, c = lstm_step((t, b, h), sums, m[b, h])
        shown = let("shown", new)
        return sum_over(h, shown[t, b, h] * w_hr[a, h]), c

    s, _ = scan(t, step, h0, c0)
    return s[t, b, a]


# A decoder looks back at what was encoded


@formula
def bahdanau_attention(query: T[b, h], memory: T[s, b, d], w: T[a, h], u: T[a, d], score: T[a]) -> T[b, d]:
    """Σ_s α_s m_s with α = softmax(v · tanh(W q + U m_s)).

    Source: Bahdanau, Cho and Bengio, Neural Machine Translation by Jointly Learning to Align and Translate (2015),
    section 3.1.
    """
    asked = let("asked", sum_over(h, query[b, h] * w[a, h]))
    known = let("known", sum_over(d, memory[s, b, d] * u[a, d]))
    e = let("e", sum_over(a, score[a] * tanh(asked[b, a] + known[b, s, a])))
    alpha = let("alpha", exp(e[b, s]) / sum_over(s, exp(e[b, s])))
    return sum_over(s, alpha[b, s] * memory[s, b, d])


@formula
def luong_attention(query: T[b, h], memory: T[s, b, d], w: T[h, d], out: T[a, d], w_query: T[a, h]) -> T[b, a]:
    """tanh(C Σ_s α_s m_s + W q) with α = softmax(q · W′ m_s).

    Source: Luong, Pham and Manning, Effective Approaches to Attention-based Neural Machine Translation (2015),
    equations 5, 7 and 8 ("general").
    """
    e = let("e", sum_over((h, d), query[b, h] * w[h, d] * memory[s, b, d]))
    alpha = let("alpha", exp(e[b, s]) / sum_over(s, exp(e[b, s])))
    context = let("context", sum_over(s, alpha[b, s] * memory[s, b, d]))
    return tanh(sum_over(d, out[a, d] * context[b, d]) + sum_over(h, w_query[a, h] * query[b, h]))


@formula
def attention_decoder_step(
    x: T[b, i], hx: T[b, h], memory: T[s, b, d], w: T[a, h], u: T[a, d], score: T[a],
    w_in: T[h, i], w_context: T[h, d], w_hh: T[h, k], bias: T[h],
) -> T[b, h]:  # fmt: skip
    """h′ = tanh(W x + C bahdanau_attention(h) + U h + b): a step that reads a word, and looks back by its state.

    Source: Bahdanau, Cho and Bengio (2015), appendix A.2, with a simple cell.
    """
    context = bahdanau_attention(hx, memory, w, u, score)
    taken = sum_over(i, x[b, i] * w_in[h, i]) + sum_over(d, context[b, d] * w_context[h, d])
    return tanh(taken + sum_over(k, hx[b, k] * w_hh[h, k]) + bias[h])


# A model of text


@formula
def character_language_model(
    text: Int[t, b].below(v), following: Int[t, b].below(v), embedding: T[v, i], h0: T[b, h], c0: T[b, h],
    w_ih: T[four, i], w_hh: T[four, k], b_ih: T[four], b_hh: T[four], w_out: T[v, h], b_out: T[v],
) -> T[()]:  # fmt: skip
    """Mean cross-entropy of each character given those before it: embedding, lstm, a linear map, softmax.

    Source: Graves, Generating Sequences with Recurrent Neural Networks (2013), section 3.
    """
    x = let("x", embedding[text[t, b], i])

    def step(s, m):
        taken = sum_over(i, x[t, b, i] * w_ih[four, i]) + b_ih[four]
        sums = taken + sum_over(k, s[b, k] * w_hh[four, k]) + b_hh[four]
        return lstm_step((t, b, h), sums, m[b, h])

    s, _ = scan(t, step, h0, c0)
    logits = let("logits", sum_over(h, s[t, b, h] * w_out[v, h]) + b_out[v])
    return mean_over((t, b), logsumexp_over(v, logits[t, b, v]) - logits[t, b, following[t, b]])
