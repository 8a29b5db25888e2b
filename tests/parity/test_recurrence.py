"""Recurrent networks against torch.nn: values and gradients of every input, over several lengths."""

import numpy as np
import pytest

import formulas
from derive import to_numpy
from tests.parity.harness import torch

CELLS = {"rnn_cell": "RNNCell", "lstm_cell": "LSTMCell", "gru_cell": "GRUCell"}
LAYERS = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}


def drawn(shape, rng):
    return torch.tensor(rng.normal(size=shape), requires_grad=True)


def weights(module, cell):
    suffix = "" if cell else "_l0"
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return dict(zip(("w_ih", "w_hh", "b_ih", "b_hh"), (getattr(module, n + suffix) for n in names), strict=True))


def compared(name, inputs, outputs, seed):
    """The formula's values and gradients with PyTorch's, for one upstream each."""
    rng = np.random.default_rng(seed)
    upstreams = [torch.tensor(rng.normal(size=tuple(o.shape))) for o in outputs]
    torch.autograd.backward(outputs, upstreams)
    module = to_numpy(getattr(formulas, name))
    value, saved = module.forward(**{n: a.detach().numpy() for n, a in inputs.items()})
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
