"""Recurrent networks against torch.nn: values and gradients of every input, over several lengths."""

import numpy as np
import pytest

import formulas
from derive import chain, to_numpy
from tests.parity.harness import Row, torch

CELLS = {"rnn_cell": "RNNCell", "lstm_cell": "LSTMCell", "gru_cell": "GRUCell"}
RNG = np.random.default_rng
ENDS = ("", "_reverse")
LAYERS = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}


def drawn(shape, rng):
    return torch.tensor(rng.normal(size=shape), requires_grad=True)


def weights(module, cell):
    suffix = "" if cell else "_l0"
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return dict(zip(("w_ih", "w_hh", "b_ih", "b_hh"), (getattr(module, n + suffix) for n in names), strict=True))


def compared(name, inputs, outputs, seed, **fixed):
    """The formula's values and gradients with PyTorch's, for one upstream each; `fixed` are integers."""
    rng = np.random.default_rng(seed)
    upstreams = [torch.tensor(rng.normal(size=tuple(o.shape))) for o in outputs]
    torch.autograd.backward(outputs, upstreams)
    module = to_numpy(getattr(formulas, name))
    value, saved = module.forward(**{n: a.detach().numpy() for n, a in inputs.items()}, **fixed)
    given = [g.numpy() for g in upstreams]
    values = value if isinstance(value, tuple) else (value,)
    for found, expected in zip(values, outputs, strict=True):
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-11, atol=1e-12)
    gradients = module.backward(given[0] if len(given) == 1 else tuple(given), saved)
    for each, tensor in inputs.items():
        np.testing.assert_allclose(gradients[each], tensor.grad.numpy(), rtol=1e-10, atol=1e-12, err_msg=each)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 2, 4)])
def test_cell(name, sizes):
    batch, features, hidden = sizes
    rng = np.random.default_rng(0)
    cell = getattr(torch.nn, CELLS[name])(features, hidden, dtype=torch.float64)
    state = {"x": drawn((batch, features), rng), "hx": drawn((batch, hidden), rng)}
    if name == "lstm_cell":
        state["cx"] = drawn((batch, hidden), rng)
        outputs = cell(state["x"], (state["hx"], state["cx"]))
    else:
        outputs = (cell(state["x"], state["hx"]),)
    compared(name, state | weights(cell, cell=True), outputs, 1)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("sizes", [(1, 1, 2, 3), (5, 3, 2, 4), (4, 1, 1, 1)])
def test_sequence(name, sizes):
    steps, batch, features, hidden = sizes
    rng = np.random.default_rng(0)
    layer = getattr(torch.nn, LAYERS[name])(features, hidden, dtype=torch.float64)
    state = {"x": drawn((steps, batch, features), rng), "h0": drawn((batch, hidden), rng)}
    if name == "lstm":
        state["c0"] = drawn((batch, hidden), rng)
        outputs, _ = layer(state["x"], (state["h0"][None], state["c0"][None]))
    else:
        outputs, _ = layer(state["x"], state["h0"][None])
    compared(name, state | weights(layer, cell=False), (outputs,), 1)


@pytest.mark.parametrize("name", ["rnn", "lstm"])
@pytest.mark.parametrize("every", [1, 3, 20])
def test_truncated_backpropagation_is_detach_between_pieces(name, every):
    layer, state = getattr(torch.nn, LAYERS[name])(2, 3, dtype=torch.float64), state_of(name, RNG(17), (7, 2, 2, 3))
    carried, pieces = started(state), []
    for piece in state["x"].split(every):
        flow, carried = layer(piece, carried)
        carried = tuple(part.detach() for part in carried) if name == "lstm" else carried.detach()
        pieces.append(flow)
    compared(f"truncated_{name}", state | weights(layer, cell=False), (torch.cat(pieces),), 18, every=every)


SLOTS = {"w_ih": "weight_ih", "w_hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh"}


def started(state):
    """The initial state as torch.nn takes it, of one layer or of several directions."""
    parts = [state[n] if state[n].ndim == 3 else state[n][None] for n in ("h0", "c0") if n in state]
    return tuple(parts) if len(parts) > 1 else parts[0]


def state_of(name, rng, sizes, *leading):
    steps, batch, features, hidden = sizes
    made = {"x": drawn((steps, batch, features), rng), "h0": drawn((*leading, batch, hidden), rng)}
    return made | ({"c0": drawn((*leading, batch, hidden), rng)} if name == "lstm" else {})


@pytest.mark.parametrize("name", LAYERS)
def test_several_lengths_are_a_packed_sequence(name):
    layer, state = getattr(torch.nn, LAYERS[name])(2, 3, dtype=torch.float64), state_of(name, RNG(2), (5, 4, 2, 3))
    lengths = np.array([3, 5, 1, 4])
    packed = torch.nn.utils.rnn.pack_padded_sequence(state["x"], torch.tensor(lengths), enforce_sorted=False)
    found, last = layer(packed, started(state))
    padded, _ = torch.nn.utils.rnn.pad_packed_sequence(found, total_length=5)
    states = tuple(part[0] for part in (last if name == "lstm" else (last,)))
    compared(f"packed_{name}", state | weights(layer, cell=False), (padded, *states), 3, lengths=lengths)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_both_directions(name):
    layer = getattr(torch.nn, LAYERS[name])(2, 3, dtype=torch.float64, bidirectional=True)
    state = state_of(name, RNG(4), (4, 5, 2, 3), 2)
    ours = {n: torch.stack([getattr(layer, s + "_l0"), getattr(layer, s + "_l0_reverse")]) for n, s in SLOTS.items()}
    ours = {n: stacked.detach().requires_grad_() for n, stacked in ours.items()}
    slices = {SLOTS[n] + end: ours[n][k] for n in SLOTS for k, end in enumerate(("_l0", "_l0_reverse"))}
    flow, _ = torch.func.functional_call(layer, slices, (state["x"], started(state)))
    compared(f"bidirectional_{name}", state | ours, (flow.reshape(4, 5, 2, 3).permute(0, 2, 1, 3),), 5)


def test_several_layers_are_a_chain():
    layer, state = torch.nn.GRU(2, 2, num_layers=2, dtype=torch.float64), state_of("gru", RNG(6), (4, 3, 2, 2), 2)
    flow, _ = layer(state["x"], state["h0"])
    upstream = RNG(7).normal(size=(4, 3, 2))
    flow.backward(torch.tensor(upstream))
    module = to_numpy(chain(formulas.gru, formulas.gru))
    given = {"x": state["x"]} | {f"h0_{k + 1}": state["h0"][k] for k in range(2)}
    given |= {f"{n}_{k + 1}": getattr(layer, f"{s}_l{k}") for n, s in SLOTS.items() for k in range(2)}
    value, saved = module.forward(**{name: a.detach().numpy() for name, a in given.items()})
    np.testing.assert_allclose(value, flow.detach().numpy(), rtol=1e-12)
    gradients = module.backward(upstream, saved)
    for k in range(2):
        np.testing.assert_allclose(gradients[f"h0_{k + 1}"], state["h0"].grad[k].numpy(), rtol=1e-9, atol=1e-12)
        for n, s in SLOTS.items():
            expected = getattr(layer, f"{s}_l{k}").grad.numpy()
            np.testing.assert_allclose(gradients[f"{n}_{k + 1}"], expected, rtol=1e-9, atol=1e-12, err_msg=n)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("layers", [2, 4])
def test_any_number_of_layers_is_a_recurrence_over_layers(name, layers):
    net = getattr(torch.nn, LAYERS[name])(2, 3, num_layers=layers, dtype=torch.float64)
    state = state_of(name, RNG(20), (5, 3, 2, 3), layers)
    ours = {n: [getattr(net, f"{s}_l{k}") for k in range(layers)] for n, s in SLOTS.items()}
    given = {"w_ih_first": ours["w_ih"].pop(0)} | {n: torch.stack(parts) for n, parts in ours.items()}
    given = {n: a.detach().clone().requires_grad_() for n, a in given.items()}
    slices = {
        f"{SLOTS[n]}_l{k + (n == 'w_ih')}": a[k]
        for n in SLOTS
        for k, a in [(k, given[n]) for k in range(len(given[n]))]
    }
    slices["weight_ih_l0"] = given["w_ih_first"]
    flow, last = torch.func.functional_call(net, slices, (state["x"], started(state)))
    compared(f"stacked_{name}", state | given, (flow, *(last if name == "lstm" else (last,))), 21)


@pytest.mark.parametrize("layers", [2, 3])
def test_several_layers_in_both_directions(layers):
    net = torch.nn.LSTM(2, 3, num_layers=layers, bidirectional=True, dtype=torch.float64)
    state = state_of("lstm", RNG(22), (5, 3, 2, 3), 2 * layers)
    at = [(k, n, s) for k in range(layers) for n, s in SLOTS.items()]
    pairs = {(k, n): torch.stack([getattr(net, f"{s}_l{k}{end}") for end in ENDS]) for k, n, s in at}
    given = {"w_ih_first": pairs.pop((0, "w_ih"))}
    given |= {n: torch.stack([pair for (_, name), pair in pairs.items() if name == n]) for n in SLOTS}
    given |= {n: state[n].reshape(layers, 2, 3, 3) for n in ("h0", "c0")}
    given = {n: a.detach().clone().requires_grad_() for n, a in ({"x": state["x"]} | given).items()}
    slices = {f"weight_ih_l0{end}": given["w_ih_first"][r] for r, end in enumerate(ENDS)}
    for k, n, s in at[1:]:
        slices |= {f"{s}_l{k}{end}": given[n][k - (n == "w_ih"), r] for r, end in enumerate(ENDS)}
    begun = tuple(given[n].reshape(2 * layers, 3, 3) for n in ("h0", "c0"))
    flow, _ = torch.func.functional_call(net, slices, (given["x"], begun))
    compared("stacked_bidirectional_lstm", given, (flow.reshape(5, 3, 2, 3),), 23)


@pytest.mark.parametrize("name", LAYERS)
def test_the_batch_first(name):
    layer = getattr(torch.nn, LAYERS[name])(2, 4, batch_first=True, dtype=torch.float64)
    rng = RNG(24)
    state = {"x": drawn((3, 5, 2), rng), "h0": drawn((3, 4), rng)}
    if name == "lstm":
        state["c0"] = drawn((3, 4), rng)
    flow, _ = layer(state["x"], started(state))
    compared(f"batch_first_{name}", state | weights(layer, cell=False), (flow,), 25)


def test_a_projected_state():
    layer = torch.nn.LSTM(2, 4, proj_size=3, dtype=torch.float64)
    rng = RNG(8)
    state = {"x": drawn((4, 2, 2), rng), "h0": drawn((2, 3), rng), "c0": drawn((2, 4), rng)}
    flow, _ = layer(state["x"], started(state))
    compared("projected_lstm", state | weights(layer, cell=False) | {"w_hr": layer.weight_hr_l0}, (flow,), 9)


def test_attention_of_a_decoder():
    rng = RNG(10)
    sizes = {"query": (2, 3), "memory": (5, 2, 4), "w": (6, 3), "u": (6, 4), "score": (6,)}
    a = {name: drawn(shape, rng) for name, shape in sizes.items()}
    e = torch.tanh(a["query"] @ a["w"].T + a["memory"] @ a["u"].T) @ a["score"]
    compared("bahdanau_attention", a, ((torch.softmax(e, 0)[..., None] * a["memory"]).sum(0),), 11)
    sizes = {"query": (2, 3), "memory": (5, 2, 4), "w": (3, 4), "out": (6, 4), "w_query": (6, 3)}
    a = {name: drawn(shape, rng) for name, shape in sizes.items()}
    alpha = torch.softmax(torch.einsum("bh,hd,sbd->sb", a["query"], a["w"], a["memory"]), 0)
    context = (alpha[..., None] * a["memory"]).sum(0)
    compared("luong_attention", a, (torch.tanh(context @ a["out"].T + a["query"] @ a["w_query"].T),), 12)


def test_a_model_of_text():
    rng = RNG(13)
    layer, text = torch.nn.LSTM(3, 4, dtype=torch.float64), rng.integers(0, 7, (6, 2))
    a = {"embedding": drawn((7, 3), rng), "w_out": drawn((7, 4), rng), "b_out": drawn((7,), rng)}
    a |= {"h0": drawn((2, 4), rng), "c0": drawn((2, 4), rng)}
    flow, _ = layer(a["embedding"][torch.tensor(text[:-1])], started(a))
    z = (flow @ a["w_out"].T + a["b_out"]).reshape(-1, 7)
    loss = torch.nn.functional.cross_entropy(z, torch.tensor(text[1:]).reshape(-1))
    compared(
        "character_language_model", a | weights(layer, cell=False), (loss,), 14, text=text[:-1], following=text[1:]
    )


# Compared below, and not as other functions are: PyTorch's gradient is that of ours and e^{log p} besides.
ROWS = (Row("ctc_loss", note="gradients equal through `log_softmax`; blank 0"),)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_ctc_of_normalised_input(reduction):
    rng = RNG(15)
    z, targets = drawn((7, 4, 5), rng), np.array([[1, 1, 2], [3, 2, 1], [4, 4, 4], [2, 3, 3]])
    lengths = {"input_lengths": np.array([7, 4, 6, 5]), "target_lengths": np.array([3, 2, 3, 0])}
    normal = torch.log_softmax(z, -1)
    theirs = (torch.tensor(a) for a in (targets, *lengths.values()))
    loss = torch.nn.functional.ctc_loss(normal, *theirs, reduction=reduction)
    upstream = rng.normal(size=tuple(loss.shape))
    loss.backward(torch.tensor(upstream))
    module = to_numpy(formulas.ctc_loss, reduction=reduction)
    value, saved = module.forward(log_probs=normal.detach().numpy(), targets=targets, **lengths)
    np.testing.assert_allclose(value, loss.detach().numpy(), rtol=1e-12)
    found = module.backward(upstream[()], saved)["log_probs"]
    through = found - np.exp(normal.detach().numpy()) * found.sum(axis=-1, keepdims=True)  # through log-softmax
    np.testing.assert_allclose(through, z.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_ctc_gradient_is_pytorchs_without_the_part_that_log_softmax_takes_away():
    """PyTorch's is e^{log p} − the occupation, for log p that is normalised; −occupation is the partial derivative."""
    normal = torch.log_softmax(drawn((6, 1, 4), RNG(16)), -1).detach().requires_grad_()
    labels, lengths = np.array([[1, 3]]), {"input_lengths": np.array([6]), "target_lengths": np.array([2])}
    torch.nn.functional.ctc_loss(normal, *map(torch.tensor, (labels, *lengths.values())), reduction="sum").backward()
    module = to_numpy(formulas.ctc_loss, reduction="sum")
    given = normal.detach().numpy()
    _, saved = module.forward(log_probs=given, targets=labels, **lengths)
    np.testing.assert_allclose(
        module.backward(1.0, saved)["log_probs"] + np.exp(given), normal.grad.numpy(), atol=1e-12
    )


def held(name, inputs, loss, **fixed):
    """The formula's value and gradients with PyTorch's; what is detached there has gradient 0 here."""
    loss.backward()
    module = to_numpy(getattr(formulas, name))
    value, saved = module.forward(**{n: a.detach().numpy() for n, a in inputs.items()}, **fixed)
    value, g = (value[1], (None, 1.0)) if isinstance(value, tuple) else (value, 1.0)
    np.testing.assert_allclose(value, loss.detach().numpy(), rtol=1e-12)
    for each, found in module.backward(g, saved).items():
        expected = torch.zeros_like(inputs[each]) if inputs[each].grad is None else inputs[each].grad
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-10, atol=1e-13, err_msg=each)


def test_targets_that_are_detached():
    rng, cosine = RNG(19), torch.nn.functional.cosine_similarity
    a = {name: drawn((4, 3), rng) for name in ("p_1", "p_2", "z_1", "z_2")}
    loss = -(cosine(a["p_1"], a["z_2"].detach()).mean() + cosine(a["p_2"], a["z_1"].detach()).mean()) / 2
    held("simsiam_loss", a, loss)
    a = {name: drawn((4, 3), rng) for name in "pz"}
    held("byol_loss", a, (2 - 2 * cosine(a["p"], a["z"].detach())).mean())
    a = {"z": drawn((6, 3), rng), "codebook": drawn((4, 3), rng)}
    nearest = a["codebook"][torch.cdist(a["z"], a["codebook"]).argmin(-1)]
    mse = torch.nn.functional.mse_loss
    held("vq_vae_loss", a, mse(nearest, a["z"].detach()) + 0.25 * mse(a["z"], nearest.detach()))
    a = {name: drawn(shape, rng) for name, shape in {"q": (5, 3), "following": (5, 3), "reward": (5,)}.items()}
    done, action = torch.tensor([0.0, 1, 0, 0, 1], dtype=torch.float64), np.array([0, 2, 1, 1, 0])
    target = (a["reward"] + 0.99 * (1 - done) * a["following"].max(-1).values).detach()
    loss = mse(a["q"][range(5), action], target) / 2
    held("deep_q_loss", a | {"done": done.requires_grad_()}, loss, action=action)
