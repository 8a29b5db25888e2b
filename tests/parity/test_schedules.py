"""Schedules against torch.optim.lr_scheduler, over hundreds of steps."""

import numpy as np
import pytest

from derive.train.schedules import Plateau, Scaled, Sequential, schedule
from tests.parity.harness import torch

pytestmark = pytest.mark.needs("torch")
STEPS = 250
LR = 0.1

CYCLE = {"step_size_up": 7, "step_size_down": 12}
WAVE = {"base_lr": 0.01, "gamma": 0.99, **CYCLE}
LINE = {"start_factor": 0.1, "end_factor": 0.7, "total_iters": 50}
ONE = {"total_steps": STEPS}
# ours, its options; PyTorch's, its options
PAIRS = [
    ("constant", {"factor": 0.3, "total_iters": 9}, "ConstantLR", {"factor": 0.3, "total_iters": 9}),
    ("step", {"step_size": 30, "gamma": 0.5}, "StepLR", {"step_size": 30, "gamma": 0.5}),
    ("multistep", {"milestones": [3, 30, 31]}, "MultiStepLR", {"milestones": [3, 30, 31]}),
    ("exponential", {"gamma": 0.97}, "ExponentialLR", {"gamma": 0.97}),
    ("polynomial", {"total_iters": 40, "power": 2.5}, "PolynomialLR", {"total_iters": 40, "power": 2.5}),
    ("polynomial", {}, "PolynomialLR", {}),
    ("linear", {}, "LinearLR", {}),
    ("linear", LINE, "LinearLR", LINE),
    ("cosine", {"T_max": 60, "eta_min": 0.01}, "CosineAnnealingLR", {"T_max": 60, "eta_min": 0.01}),
    ("cosine_restarts", {"T_0": 17, "eta_min": 0.01}, "CosineAnnealingWarmRestarts", {"T_0": 17, "eta_min": 0.01}),
    ("cosine_growing_restarts", {"T_0": 5}, "CosineAnnealingWarmRestarts", {"T_0": 5, "T_mult": 2}),
    ("cosine_growing_restarts", {"T_0": 4, "T_mult": 3}, "CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 3}),
    *(
        ("one_cycle", {**ONE, "anneal": anneal, "three_phase": three, **more},
         "OneCycleLR", {**ONE, "anneal_strategy": anneal, "three_phase": three, **more})
        for anneal in ("cos", "linear") for three in (False, True)
        for more in ({}, {"pct_start": 0.4, "div_factor": 5.0, "final_div_factor": 10.0})
    ),
    *(("cyclic", {**WAVE, "mode": mode}, "CyclicLR", {**WAVE, "mode": mode})
      for mode in ("triangular", "triangular2", "exp_range")),
]  # fmt: skip


def reference(theirs, given, momentum=False, steps=STEPS):
    """The rates, or the momenta, that PyTorch's scheduler sets."""
    parameter = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    step = torch.optim.SGD([parameter], lr=LR, momentum=0.9)
    named = {"OneCycleLR": {"max_lr": LR}, "CyclicLR": {"max_lr": LR}}.get(theirs, {})
    scheduler = getattr(torch.optim.lr_scheduler, theirs)(step, **named, **given)
    found = []
    for _ in range(steps):
        found.append(step.param_groups[0]["momentum" if momentum else "lr"])
        step.step()
        if len(found) < steps:
            scheduler.step()
    return np.array(found)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("pair", PAIRS, ids=lambda p: f"{p[0]}-{'-'.join(f'{k}={v}' for k, v in p[1].items())}")
def test_rates(pair):
    ours, options, theirs, given = pair
    found = schedule(ours, lr=LR, **options)
    expected = reference(theirs, given)
    np.testing.assert_allclose(found.over(STEPS), expected, rtol=1e-9, atol=1e-13)
    assert found(17) == found.over(STEPS)[17]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("three", [False, True])
@pytest.mark.parametrize("steps", range(1, 7))
def test_one_cycle_of_few_steps(steps, three):
    found = schedule("one_cycle", lr=LR, total_steps=steps, three_phase=three).over(steps)
    expected = reference("OneCycleLR", {"total_steps": steps, "three_phase": three}, steps=steps)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("three", [False, True])
@pytest.mark.parametrize("anneal", ["cos", "linear"])
def test_momentum_of_one_cycle(anneal, three):
    found = schedule("one_cycle_momentum", anneal=anneal, three_phase=three, total_steps=STEPS)
    expected = reference("OneCycleLR", {**ONE, "anneal_strategy": anneal, "three_phase": three}, momentum=True)
    np.testing.assert_allclose(found.over(STEPS), expected, rtol=1e-9)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
def test_momentum_of_cycles(mode):
    found = schedule("cyclic_momentum", mode=mode, gamma=0.98, **CYCLE)
    given = {"base_lr": 0.01, "mode": mode, "gamma": 0.98, **CYCLE}
    np.testing.assert_allclose(found.over(STEPS), reference("CyclicLR", given, momentum=True), rtol=1e-9)


def test_any_function_of_the_step():
    expected = reference("LambdaLR", {"lr_lambda": lambda t: 1 / (1 + t)})
    np.testing.assert_allclose(Scaled(LR, lambda t: 1 / (1 + t)).over(STEPS), expected, rtol=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_one_after_another():
    kinds = torch.optim.lr_scheduler
    parameter = torch.nn.Parameter(torch.zeros(1))
    step = torch.optim.SGD([parameter], lr=LR)
    parts = [
        kinds.LinearLR(step, start_factor=0.1, total_iters=20),
        kinds.CosineAnnealingLR(step, T_max=100),
        kinds.ExponentialLR(step, gamma=0.9),
    ]
    scheduler = kinds.SequentialLR(step, parts, milestones=[20, 90])
    expected = []
    for _ in range(STEPS):
        expected.append(step.param_groups[0]["lr"])
        step.step()
        scheduler.step()
    ours = Sequential(
        [
            schedule("linear", lr=LR, start_factor=0.1, total_iters=20),
            schedule("cosine", lr=LR, T_max=100),
            schedule("exponential", lr=LR, gamma=0.9),
        ],
        [20, 90],
    )
    np.testing.assert_allclose(ours.over(STEPS), expected, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize(
    "options",
    [{"patience": 3}, {"patience": 0, "cooldown": 4, "factor": 0.5}, {"min_lr": 0.02, "threshold": 0.05}],
    ids=str,
)
def test_plateaus(mode, threshold_mode, options):
    parameter = torch.nn.Parameter(torch.zeros(1))
    step = torch.optim.SGD([parameter], lr=LR)
    given = {"mode": mode, "threshold_mode": threshold_mode, **options}
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(step, **given)
    ours, rng = Plateau(LR, given), np.random.default_rng(0)
    level = 1.0
    for _ in range(STEPS):
        level *= 0.99 if rng.random() < 0.3 else 1.002
        metric = level if mode == "min" else 1 / level
        scheduler.step(metric)
        assert ours.tell(metric) == pytest.approx(step.param_groups[0]["lr"], rel=1e-12)
    assert step.param_groups[0]["lr"] < LR
