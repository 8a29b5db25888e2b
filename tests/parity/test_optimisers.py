"""Optimisers against torch.optim over 200 steps in float64, with every option that changes numbers."""

import numpy as np
import pytest

from derive.train import optimiser
from tests.parity.harness import torch

STEPS = 200
TOLERANCE = 1e-10  # of an error, over 1 + the largest reference

# ours, its options; PyTorch's, its options
BETAS = {"beta1": 0.8, "beta2": 0.95}
BESIDE = {"decay": "decoupled", "weight_decay": 0.1}
ROUGH = {"alpha": 0.9, "eps": 1e-4}
DECAYED = {"decay": "coupled", "weight_decay": 0.1}
PAIRS = [
    ("sgd", {}, "SGD", {}),
    ("sgd", {"lr": 0.1, "maximize": True}, "SGD", {"lr": 0.1, "maximize": True}),
    ("sgd", {"lr": 0.1, **DECAYED}, "SGD", {"lr": 0.1, "weight_decay": 0.1}),
    ("momentum", {"lr": 0.01}, "SGD", {"lr": 0.01, "momentum": 0.9}),
    ("momentum", {"momentum": 0.7, "dampening": 0.4}, "SGD", {"momentum": 0.7, "dampening": 0.4}),
    ("momentum", DECAYED, "SGD", {"momentum": 0.9, "weight_decay": 0.1}),
    ("nesterov", {"lr": 0.01, "momentum": 0.8}, "SGD", {"lr": 0.01, "momentum": 0.8, "nesterov": True}),
    ("nesterov", DECAYED, "SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("adagrad", {}, "Adagrad", {}),
    ("adagrad", {"lr": 0.1, "lr_decay": 0.05, "eps": 1e-3}, "Adagrad", {"lr": 0.1, "lr_decay": 0.05, "eps": 1e-3}),
    ("adagrad", {"initial_accumulator_value": 0.5}, "Adagrad", {"initial_accumulator_value": 0.5}),
    ("adagrad", {**DECAYED, "maximize": True}, "Adagrad", {"weight_decay": 0.1, "maximize": True}),
    ("adadelta", {}, "Adadelta", {}),
    ("adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-4}, "Adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-4}),
    ("adadelta", {**DECAYED, "maximize": True}, "Adadelta", {"weight_decay": 0.1, "maximize": True}),
    ("rmsprop", {}, "RMSprop", {}),
    ("rmsprop", {"centered": True, **ROUGH}, "RMSprop", {"centered": True, **ROUGH}),
    ("rmsprop", {"momentum": 0.8, "lr": 1e-3}, "RMSprop", {"momentum": 0.8, "lr": 1e-3}),
    ("rmsprop", {"centered": True, "momentum": 0.5}, "RMSprop", {"centered": True, "momentum": 0.5}),
    ("rmsprop", {**DECAYED, "maximize": True}, "RMSprop", {"weight_decay": 0.1, "maximize": True}),
    ("rprop", {}, "Rprop", {}),
    ("rprop", {"lr": 0.1, "etaminus": 0.4, "etaplus": 1.5}, "Rprop", {"lr": 0.1, "etas": (0.4, 1.5)}),
    ("rprop", {"step_min": 1e-3, "step_max": 0.1}, "Rprop", {"step_sizes": (1e-3, 0.1)}),
    ("rprop", {"maximize": True}, "Rprop", {"maximize": True}),
    *(
        (ours, given, theirs, {**also, **kept})
        for ours, theirs, also in [
            ("adam", "Adam", {}),
            ("amsgrad", "Adam", {"amsgrad": True}),
            ("adamax", "Adamax", {}),
            ("nadam", "NAdam", {}),
            ("radam", "RAdam", {}),
        ]
        for given, kept in [
            ({}, {}),
            ({"lr": 0.05, **BETAS, "eps": 1e-4}, {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-4}),
            ({**DECAYED, "maximize": True}, {"weight_decay": 0.1, "maximize": True}),
        ]
    ),
    ("nadam", {"momentum_decay": 0.05}, "NAdam", {"momentum_decay": 0.05}),
    *(
        (ours, BESIDE, theirs, {"weight_decay": 0.1, "decoupled_weight_decay": True})
        for ours, theirs in [("adam", "Adam"), ("nadam", "NAdam"), ("radam", "RAdam")]
    ),
    ("adamw", {}, "AdamW", {}),
    ("adamw", {**BETAS, "weight_decay": 0.3}, "AdamW", {"betas": (0.8, 0.95), "weight_decay": 0.3}),
    ("adamw", {"eps": 1e-3}, "AdamW", {"eps": 1e-3}),
    ("adamw", {"maximize": True}, "AdamW", {"maximize": True}),
    ("amsgrad", BESIDE, "AdamW", {"amsgrad": True, "weight_decay": 0.1}),
    ("adafactor", {}, "Adafactor", {}),
    ("adafactor", {"lr": 0.5, "beta2_decay": -0.5}, "Adafactor", {"lr": 0.5, "beta2_decay": -0.5}),
    ("adafactor", {"eps": 1e-3, "eps2": 1e-2, "d": 1.2}, "Adafactor", {"eps": (1e-3, 1e-2), "d": 1.2}),
    ("adafactor", {"weight_decay": 0.1, "maximize": True}, "Adafactor", {"weight_decay": 0.1, "maximize": True}),
    ("muon", {}, "Muon", {}),
    ("muon", {"nesterov": False, "momentum": 0.5}, "Muon", {"nesterov": False, "momentum": 0.5}),
    ("muon", {"adjust": "match_rms_adamw", "lr": 0.02}, "Muon", {"adjust_lr_fn": "match_rms_adamw", "lr": 0.02}),
    (
        "muon",
        {"ns_steps": 3, "a": 2.0, "b": -1.5, "c_": 0.5, "weight_decay": 0.0, "eps": 1e-2},
        "Muon",
        {"ns_steps": 3, "ns_coefficients": (2.0, -1.5, 0.5), "weight_decay": 0.0, "eps": 1e-2},
    ),
]  # fmt: skip
SHAPES = {"w": (4, 3), "tall": (2, 5), "bias": (3,), "kernel": (2, 3, 2, 2), "one": ()}


def name_of(pair):
    ours, options, _, _ = pair
    return "-".join([ours, *(f"{k}={v}" for k, v in options.items())])


@pytest.fixture(autouse=True)
def _in_float64(monkeypatch):
    """PyTorch keeps NAdam's product in its default dtype, and rounds Muon's direction to bfloat16; not here."""
    old = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda self: self.clone())
    yield
    torch.set_default_dtype(old)


def started(name, seed=0):
    rng = np.random.default_rng(seed)
    shapes = {k: s for k, s in SHAPES.items() if name != "muon" or len(s) == 2}
    return rng, {k: np.asarray(rng.normal(size=s)) for k, s in shapes.items()}


def slopes(params, rng):
    """A bowl's gradients with noise, and now and then a zero."""
    found = {k: np.asarray(a - 0.5 + rng.normal(size=a.shape)) for k, a in params.items()}
    return {k: np.asarray(g * (rng.random(g.shape) > 0.1)) for k, g in found.items()}


@pytest.mark.needs("torch")
@pytest.mark.parametrize("pair", PAIRS, ids=name_of)
def test_two_hundred_steps(pair):
    ours, options, theirs, given = pair
    rng, params = started(ours)
    held = {k: torch.nn.Parameter(torch.tensor(a)) for k, a in params.items()}
    reference = getattr(torch.optim, theirs)(held.values(), **given)
    step = optimiser(ours, **options)
    state = step.init(params)
    worst = 0.0
    for _ in range(STEPS):
        grads = slopes(params, rng)
        for k, p in held.items():
            p.grad = torch.tensor(grads[k])
        reference.step()
        params, state = step.update(params, grads, state)
        for k, p in held.items():
            expected = p.detach().numpy()
            worst = max(worst, np.abs(params[k] - expected).max() / (1 + np.abs(expected).max()))
    assert worst <= TOLERANCE
    assert state["t"] == STEPS


@pytest.mark.needs("torch")
@pytest.mark.parametrize("kind", ["global", "value"])
@pytest.mark.parametrize("most", [0.3, 1e6])
def test_clipped_gradients(kind, most):
    rng, params = started("sgd")
    held = {k: torch.nn.Parameter(torch.tensor(a)) for k, a in params.items()}
    reference = torch.optim.SGD(held.values(), lr=0.1, weight_decay=0.1)
    step = optimiser("sgd", lr=0.1, clip=kind, most=most, decay="coupled", weight_decay=0.1)
    clip = {"global": torch.nn.utils.clip_grad_norm_, "value": torch.nn.utils.clip_grad_value_}[kind]
    state = step.init(params)
    for _ in range(50):
        grads = slopes(params, rng)
        for k, p in held.items():
            p.grad = torch.tensor(grads[k])
        clip(held.values(), most)
        reference.step()
        params, state = step.update(params, grads, state)
    for k, p in held.items():
        np.testing.assert_allclose(params[k], p.detach().numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.needs("torch")
def test_an_average_of_weights():
    from derive import catalogue, to_numpy

    rng = np.random.default_rng(0)
    average, expected = rng.normal(size=5), None
    mean = torch.optim.swa_utils.get_ema_avg_fn(0.9)
    forward = to_numpy(catalogue["weight_average"]).forward
    expected = torch.tensor(average)
    for _ in range(50):
        theta = rng.normal(size=5)
        average, _ = forward(theta=theta, average=average, decay=0.9)
        expected = mean(expected, torch.tensor(theta), None)
    np.testing.assert_allclose(average, expected.numpy(), rtol=1e-12)


TURN = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
BOWL = TURN @ np.diag(np.linspace(0.5, 4, 6)) @ TURN.T
SEARCH = {"line_search_fn": "strong_wolfe"}


def quartic(x):
    """A convex bowl with quartic walls."""
    return x @ torch.tensor(BOWL) @ x / 2 + (x**4).sum() / 8


def valley(x):
    """Rosenbrock's, along which no step of a fixed length is right."""
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def wave(x):
    """Hills and dales: slopes that change their sign within a step."""
    return (x**2).sum() / 20 + torch.sin(3 * x).sum()


@pytest.mark.needs("torch")
@pytest.mark.parametrize("of", [quartic, valley, wave], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "options",
    [{}, {"lr": 0.3, "history_size": 3}, {"max_iter": 7}, {"max_iter": 10, "max_eval": 4}, {"tolerance_change": 1e-2}],
    ids=str,
)
@pytest.mark.parametrize("search", [{}, SEARCH], ids=["fixed", "wolfe"])
def test_limited_memory_bfgs(of, options, search):
    """Six steps of up to twenty iterations: values, parameters, and how many evaluations and iterations."""
    from derive.train.lbfgs import LBFGS

    options = {**options, **search, **({} if search or of is quartic else {"lr": 1e-3})}
    rng = np.random.default_rng(0)
    start = {"w": rng.normal(size=(2, 2)), "b": rng.normal(size=2)}
    held = {k: torch.nn.Parameter(torch.tensor(v)) for k, v in start.items()}
    reference = torch.optim.LBFGS(held.values(), **options)
    calls = {"ours": 0, "theirs": 0}

    def closure():
        calls["theirs"] += 1
        reference.zero_grad()
        value = of(torch.cat([held["w"].reshape(-1), held["b"]]))
        value.backward()
        return value

    def loss(params):
        calls["ours"] += 1
        x = torch.tensor(np.concatenate([params["w"].reshape(-1), params["b"]]), requires_grad=True)
        value = of(x)
        value.backward()
        g = x.grad.numpy()
        return float(value.detach()), {"w": g[:4].reshape(2, 2), "b": g[4:]}

    ours, params = LBFGS(**options), start
    state = ours.init(params)
    for _ in range(6):
        expected = reference.step(closure)
        value, params, state = ours.step(loss, params, state)
        assert abs(value - float(expected.detach())) <= TOLERANCE * (1 + abs(value))
        assert calls["ours"] == calls["theirs"]
        for k, p in held.items():
            np.testing.assert_allclose(params[k], p.detach().numpy(), rtol=TOLERANCE, atol=TOLERANCE)
    assert int(state["states"]["lbfgs"][-1]) == reference.state[held["w"]]["n_iter"]
