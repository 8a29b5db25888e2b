"""Recurrences: cells, sequences of them, state spaces, returns, and sums over paths. Time is the first axis."""

from __future__ import annotations

from derive import (
    Scalar,
    Size,
    T,
    axes,
    axis,
    exp,
    formula,
    let,
    scan,
    sigmoid,
    softplus,
    stop_gradient,
    sum_over,
    tanh,
    where,
    zeros,
)

__all__ = [
    "rnn_cell",
    "lstm_cell",
    "gru_cell",
    "highway",
    "rnn",
    "lstm",
    "gru",
    "minimal_gated_unit",
    "peephole_lstm",
    "bidirectional_rnn",
    "truncated_rnn",
    "truncated_lstm",
    "linear_recurrence",
    "diagonal_state_space",
    "selective_scan",
    "discounted_return",
    "generalized_advantage",
    "td_lambda_return",
    "v_trace",
]

t, b, i, h, n, d = axes("t b i h n d")
k = h.alias("k")
four = axis("four", 4 * h.size)  # PyTorch's layout: the rows of four gates, one after the other
three = axis("three", 3 * h.size)


# Cells: one step


@formula
def rnn_cell(x: T[b, i], hx: T[b, h], w_ih: T[h, i], w_hh: T[h, k], b_ih: T[h], b_hh: T[h]) -> T[b, h]:
    """h′ = tanh(W x + b + U h + b′): the simple recurrent network.

    Source: Elman, Finding Structure in Time (1990); torch.nn.RNNCell.
    """
    return tanh(sum_over(i, x[b, i] * w_ih[h, i]) + b_ih[h] + sum_over(k, hx[b, k] * w_hh[h, k]) + b_hh[h])


@formula
def lstm_cell(
    x: T[b, i], hx: T[b, h], cx: T[b, h], w_ih: T[four, i], w_hh: T[four, k], b_ih: T[four], b_hh: T[four]
) -> tuple[T[b, h], T[b, h]]:
    """c′ = f ⊙ c + i ⊙ g, h′ = o ⊙ tanh c′: gates decide what a memory keeps, takes in and shows.

    The rows of the weights are those of i, f, g and o. Source: Hochreiter and Schmidhuber, Long Short-Term Memory
    (1997); Gers et al. (2000); torch.nn.LSTMCell.
    """

    taken = sum_over(i, x[b, i] * w_ih[four, i]) + b_ih[four]
    z = let("z", taken + sum_over(k, hx[b, k] * w_hh[four, k]) + b_hh[four])
    I, F = let("I", sigmoid(z[b, h])), let("F", sigmoid(z[b, h.size + h]))
    G, O = let("G", tanh(z[b, 2 * h.size + h])), let("O", sigmoid(z[b, 3 * h.size + h]))
    c = let("c", F[b, h] * cx[b, h] + I[b, h] * G[b, h])
    return O[b, h] * tanh(c[b, h]), c[b, h]


@formula
def gru_cell(x: T[b, i], hx: T[b, h], w_ih: T[three, i], w_hh: T[three, k], b_ih: T[three], b_hh: T[three]) -> T[b, h]:
    """h′ = (1 − z) ⊙ n + z ⊙ h with n = tanh(W x + b + r ⊙ (U h + b′)): a gate moves between old and new.

    The rows of the weights are those of r, z and n. Source: Cho et al., Learning Phrase Representations (2014);
    torch.nn.GRUCell.
    """

    a = let("a", sum_over(i, x[b, i] * w_ih[three, i]) + b_ih[three])
    q = let("q", sum_over(k, hx[b, k] * w_hh[three, k]) + b_hh[three])
    r = let("r", sigmoid(a[b, h] + q[b, h]))
    z = let("z", sigmoid(a[b, h.size + h] + q[b, h.size + h]))
    new = let("new", tanh(a[b, 2 * h.size + h] + r[b, h] * q[b, 2 * h.size + h]))
    return (1 - z[b, h]) * new[b, h] + z[b, h] * hx[b, h]


@formula
def highway(x: T[b, h], w: T[h, k], bias: T[h], w_gate: T[h, k], bias_gate: T[h]) -> T[b, h]:
    """y = τ ⊙ tanh(W x + b) + (1 − τ) ⊙ x with τ = σ(W′ x + b′).

    Source: Srivastava, Greff and Schmidhuber, Highway Networks (2015), equation 3.
    """
    gate = let("tau", sigmoid(sum_over(k, x[b, k] * w_gate[h, k]) + bias_gate[h]))
    return gate[b, h] * tanh(sum_over(k, x[b, k] * w[h, k]) + bias[h]) + (1 - gate[b, h]) * x[b, h]


# Sequences


@formula
def rnn(x: T[t, b, i], h0: T[b, h], w_ih: T[h, i], w_hh: T[h, k], b_ih: T[h], b_hh: T[h]) -> T[t, b, h]:
    """h_t = tanh(W x_t + b + U h_{t−1} + b′), from h0 on.

    Source: Elman, Finding Structure in Time (1990); torch.nn.RNN, one layer.
    """

    def step(s: object) -> object:
        taken = sum_over(i, x[t, b, i] * w_ih[h, i]) + b_ih[h]
        return tanh(taken + sum_over(k, s[b, k] * w_hh[h, k]) + b_hh[h])

    s = scan(t, step, h0)
    return s[t, b, h]


@formula
def lstm(
    x: T[t, b, i], h0: T[b, h], c0: T[b, h], w_ih: T[four, i], w_hh: T[four, k], b_ih: T[four], b_hh: T[four]
) -> T[t, b, h]:
    """lstm_cell at each step, from h0 and c0 on: the outputs h_t.

    Source: Hochreiter and Schmidhuber, Long Short-Term Memory (1997); torch.nn.LSTM, one layer.
    """

    def step(s: object, m: object) -> tuple[object, object]:
        taken = sum_over(i, x[t, b, i] * w_ih[four, i]) + b_ih[four]
        z = let("z", taken + sum_over(k, s[b, k] * w_hh[four, k]) + b_hh[four])
        I, F = let("I", sigmoid(z[t, b, h])), let("F", sigmoid(z[t, b, h.size + h]))
        G, O = let("G", tanh(z[t, b, 2 * h.size + h])), let("O", sigmoid(z[t, b, 3 * h.size + h]))
        c = let("c", F[t, b, h] * m[b, h] + I[t, b, h] * G[t, b, h])
        return O[t, b, h] * tanh(c[t, b, h]), c[t, b, h]

    s, _ = scan(t, step, h0, c0)
    return s[t, b, h]


@formula
def gru(x: T[t, b, i], h0: T[b, h], w_ih: T[three, i], w_hh: T[three, k], b_ih: T[three], b_hh: T[three]) -> T[t, b, h]:
    """gru_cell at each step, from h0 on.

    Source: Cho et al., Learning Phrase Representations (2014); torch.nn.GRU, one layer.
    """

    def step(s: object) -> object:
        a = let("a", sum_over(i, x[t, b, i] * w_ih[three, i]) + b_ih[three])
        q = let("q", sum_over(k, s[b, k] * w_hh[three, k]) + b_hh[three])
        r = let("r", sigmoid(a[t, b, h] + q[t, b, h]))
        z = let("z", sigmoid(a[t, b, h.size + h] + q[t, b, h.size + h]))
        new = let("new", tanh(a[t, b, 2 * h.size + h] + r[t, b, h] * q[t, b, 2 * h.size + h]))
        return (1 - z[t, b, h]) * new[t, b, h] + z[t, b, h] * s[b, h]

    s = scan(t, step, h0)
    return s[t, b, h]


@formula
def minimal_gated_unit(x: T[t, b, i], h0: T[b, h], w_f: T[h, i], u_f: T[h, k], w: T[h, i], u: T[h, k]) -> T[t, b, h]:
    """h_t = (1 − f) ⊙ h_{t−1} + f ⊙ tanh(W x_t + U (f ⊙ h_{t−1})) with one gate f = σ(W′ x_t + U′ h_{t−1}).

    Source: Zhou et al., Minimal Gated Unit for Recurrent Neural Networks (2016), equations 4 and 5.
    """

    def step(s: object) -> object:
        f = let("f", sigmoid(sum_over(i, x[t, b, i] * w_f[h, i]) + sum_over(k, s[b, k] * u_f[h, k])))
        new = tanh(sum_over(i, x[t, b, i] * w[h, i]) + sum_over(k, f[t, b, k] * s[b, k] * u[h, k]))
        return (1 - f[t, b, h]) * s[b, h] + f[t, b, h] * new

    s = scan(t, step, h0)
    return s[t, b, h]


@formula
def peephole_lstm(
    x: T[t, b, i], h0: T[b, h], c0: T[b, h], w_ih: T[four, i], w_hh: T[four, k], bias: T[four],
    p_i: T[h], p_f: T[h], p_o: T[h],
) -> T[t, b, h]:  # fmt: skip
    """The LSTM whose gates also see the memory: i and f the old one, o the new.

    Source: Gers, Schraudolph and Schmidhuber, Learning Precise Timing with LSTM Recurrent Networks (2002).
    """

    def step(s: object, m: object) -> tuple[object, object]:
        taken = sum_over(i, x[t, b, i] * w_ih[four, i]) + bias[four]
        z = let("z", taken + sum_over(k, s[b, k] * w_hh[four, k]))
        I = let("I", sigmoid(z[t, b, h] + p_i[h] * m[b, h]))
        F = let("F", sigmoid(z[t, b, h.size + h] + p_f[h] * m[b, h]))
        G = let("G", tanh(z[t, b, 2 * h.size + h]))
        c = let("c", F[t, b, h] * m[b, h] + I[t, b, h] * G[t, b, h])
        O = let("O", sigmoid(z[t, b, 3 * h.size + h] + p_o[h] * c[t, b, h]))
        return O[t, b, h] * tanh(c[t, b, h]), c[t, b, h]

    s, _ = scan(t, step, h0, c0)
    return s[t, b, h]


@formula
def bidirectional_rnn(
    x: T[t, b, i], w: T[h, i], u: T[h, k], w_back: T[h, i], u_back: T[h, k], out: T[h], out_back: T[h]
) -> T[t, b]:
    """y_t = v·h_t + v′·h′_t, where h runs forwards from zero and h′ backwards.

    Source: Schuster and Paliwal, Bidirectional Recurrent Neural Networks (1997).
    """

    def step(weights: object, carried: object) -> object:
        def of(s: object) -> object:
            return tanh(sum_over(i, x[t, b, i] * weights[h, i]) + sum_over(k, s[b, k] * carried[h, k]))

        return of

    onward = step(w, u)
    back = step(w_back, u_back)
    s = scan(t, lambda s: onward(s), zeros(b, h))
    r = scan(t, lambda r: back(r), zeros(b, h), reverse=True)
    return sum_over(h, out[h] * s[t, b, h] + out_back[h] * r[t, b, h])


# Truncated backpropagation: every k steps the state goes on, and the gradient does not come back

every = Size("every", min=1, default=20)


def cut(entry: object) -> object:
    """The entry, held constant after every k-th step."""
    return where((t + 1) % every < 1, stop_gradient(entry), entry)


@formula
def truncated_rnn(x: T[t, b, i], h0: T[b, h], w_ih: T[h, i], w_hh: T[h, k], b_ih: T[h], b_hh: T[h]) -> T[t, b, h]:
    """rnn, whose state is held constant for what follows after every k-th step.

    Source: Williams and Peng, An Efficient Gradient-Based Algorithm for On-Line Training (1990); `detach` between
    pieces of k steps in PyTorch.
    """

    def step(y: object, s: object) -> tuple[object, object]:
        taken = sum_over(i, x[t, b, i] * w_ih[h, i]) + b_ih[h]
        new = let("new", tanh(taken + sum_over(k, s[b, k] * w_hh[h, k]) + b_hh[h]))
        return new[t, b, h], cut(new[t, b, h])

    y, _ = scan(t, step, zeros(b, h), h0)
    return y[t, b, h]


@formula
def truncated_lstm(
    x: T[t, b, i], h0: T[b, h], c0: T[b, h], w_ih: T[four, i], w_hh: T[four, k], b_ih: T[four], b_hh: T[four]
) -> T[t, b, h]:
    """lstm, whose state and memory are held constant for what follows after every k-th step.

    Source: Williams and Peng (1990); Sutskever, Training Recurrent Neural Networks (2013), section 2.8.6.
    """

    def step(y: object, s: object, m: object) -> tuple[object, object, object]:
        def gate(number: int) -> object:
            row = number * h.size + h
            taken = sum_over(i, x[t, b, i] * w_ih[row, i]) + b_ih[row]
            return taken + sum_over(k, s[b, k] * w_hh[row, k]) + b_hh[row]

        I, F = let("I", sigmoid(gate(0))), let("F", sigmoid(gate(1)))
        G, O = let("G", tanh(gate(2))), let("O", sigmoid(gate(3)))
        c = let("c", F[t, b, h] * m[b, h] + I[t, b, h] * G[t, b, h])
        new = let("new", O[t, b, h] * tanh(c[t, b, h]))
        return new[t, b, h], cut(new[t, b, h]), cut(c[t, b, h])

    y, _, _ = scan(t, step, zeros(b, h), h0, c0)
    return y[t, b, h]


# Linear recurrences and state spaces


@formula
def linear_recurrence(a: T[t, b, h], x: T[t, b, h], h0: T[b, h]) -> T[t, b, h]:
    """h_t = a_t ⊙ h_{t−1} + x_t.

    Source: Martin and Cundy, Parallelizing Linear Recurrent Neural Nets Over Sequence Length (2018).
    """
    s = scan(t, lambda s: a[t, b, h] * s[b, h] + x[t, b, h], h0)
    return s[t, b, h]


@formula
def diagonal_state_space(u: T[t, b], a: T[n], b_in: T[n], c: T[n], skip: Scalar = 0.0) -> T[t, b]:
    """y_t = Σ_n c_n s_tn + D u_t with s_t = a ⊙ s_{t−1} + b u_t: a diagonal linear state space.

    Source: Gupta, Gu and Berant, Diagonal State Spaces are as Effective as Structured State Spaces (2022).
    """
    s = scan(t, lambda s: a[n] * s[b, n] + b_in[n] * u[t, b], zeros(b, n))
    return sum_over(n, c[n] * s[t, b, n]) + skip * u[t, b]


@formula
def selective_scan(
    u: T[t, b, d], delta: T[t, b, d], a: T[d, n], b_in: T[t, b, n], c: T[t, b, n], skip: T[d]
) -> T[t, b, d]:
    """y = C s + D u with s_t = exp(Δ A) ⊙ s_{t−1} + Δ B u_t, Δ = softplus(δ): a state space whose input chooses.

    Source: Gu and Dao, Mamba: Linear-Time Sequence Modeling with Selective State Spaces (2023), algorithm 2.
    """
    step = let("Delta", softplus(delta[t, b, d]))
    s = scan(
        t, lambda s: exp(step[t, b, d] * a[d, n]) * s[b, d, n] + step[t, b, d] * b_in[t, b, n] * u[t, b, d],
        zeros(b, d, n),
    )  # fmt: skip
    return sum_over(n, c[t, b, n] * s[t, b, d, n]) + skip[d] * u[t, b, d]


# Returns, from the last step back


@formula
def discounted_return(reward: T[t, b], gamma: Scalar = 0.99) -> T[t, b]:
    """G_t = r_t + γ G_{t+1}.

    Source: Sutton and Barto, Reinforcement Learning (2018), equation 3.9.
    """
    s = scan(t, lambda s: reward[t, b] + gamma * s[b], zeros(b), reverse=True)
    return s[t, b]


@formula
def generalized_advantage(
    reward: T[t, b], value: T[t, b], following: T[t, b], gamma: Scalar = 0.99, lam: Scalar = 0.95
) -> T[t, b]:
    """A_t = δ_t + γλ A_{t+1} with δ_t = r_t + γ V(s_{t+1}) − V(s_t); `following` holds V(s_{t+1}).

    Source: Schulman et al., High-Dimensional Continuous Control Using Generalized Advantage Estimation (2016), eq. 16.
    """
    delta = let("delta", reward[t, b] + gamma * following[t, b] - value[t, b])
    s = scan(t, lambda s: delta[t, b] + gamma * lam * s[b], zeros(b), reverse=True)
    return s[t, b]


@formula
def td_lambda_return(
    reward: T[t, b], following: T[t, b], last: T[b], gamma: Scalar = 0.99, lam: Scalar = 0.95
) -> T[t, b]:
    """G_t = r_t + γ((1 − λ) V(s_{t+1}) + λ G_{t+1}), and `last` after the end.

    Source: Sutton and Barto, Reinforcement Learning (2018), equation 12.20.
    """
    s = scan(
        t, lambda s: reward[t, b] + gamma * ((1 - lam) * following[t, b] + lam * s[b]), last, reverse=True
    )  # fmt: skip
    return s[t, b]


@formula
def v_trace(
    reward: T[t, b], value: T[t, b], following: T[t, b], log_ratio: T[t, b],
    gamma: Scalar = 0.99, clip_rho: Scalar = 1.0, clip_c: Scalar = 1.0,
) -> T[t, b]:  # fmt: skip
    """v_t = V(s_t) + ρ_t δ_t + γ c_t (v_{t+1} − V(s_{t+1})), ratios of policies clipped: ρ = min(ρ̄, π/μ).

    Source: Espeholt et al., IMPALA (2018), remark 1.
    """
    ratio = let("ratio", exp(log_ratio[t, b]))
    rho = let("rho", where(ratio[t, b] < clip_rho, ratio[t, b], clip_rho))
    c = let("c", where(ratio[t, b] < clip_c, ratio[t, b], clip_c))
    delta = let("delta", rho[t, b] * (reward[t, b] + gamma * following[t, b] - value[t, b]))
    s = scan(t, lambda s: delta[t, b] + gamma * c[t, b] * s[b], zeros(b), reverse=True)
    return value[t, b] + s[t, b]
