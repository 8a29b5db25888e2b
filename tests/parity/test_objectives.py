"""Objectives, which PyTorch does not have: against expressions written by hand in torch, and worked values."""

import numpy as np
import pytest

from derive import catalogue, to_numpy
from tests.parity.harness import F, compared_with_torch, row, torch
from tests.parity.samplers import flag, normal, one_hot, positive, scaled, unit


def focal(inputs, targets, alpha, gamma, reduction):
    """torchvision.ops.sigmoid_focal_loss, line by line."""
    p = torch.sigmoid(inputs)
    ce = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    entries = (alpha * targets + (1 - alpha) * (1 - targets)) * ce * (1 - p_t) ** gamma
    return {"mean": entries.mean, "sum": entries.sum, "none": lambda: entries}[reduction]()


def focal_of_classes(inputs, targets, alpha, gamma, reduction):
    """The same, where a target is only asked whether it is positive."""
    return focal(inputs, (targets > 0).to(inputs.dtype), alpha, gamma, reduction) + 0 * targets.sum()


def dice(p, t):
    return 1 - (2 * (p * t).sum(1) / (p**2 + t**2).sum(1)).mean()


def tversky(p, t, alpha, beta):
    hits, false_alarms, misses = (p * t).sum(1), (p * (1 - t)).sum(1), ((1 - p) * t).sum(1)
    return 1 - (hits / (hits + alpha * false_alarms + beta * misses)).mean()


def contrastive(distance, unlike, margin):
    return ((1 - unlike) * distance**2 / 2 + unlike * torch.relu(margin - distance) ** 2 / 2).mean()


def info_nce(x, y, tau):
    return F.cross_entropy(x @ y.T / tau, torch.arange(len(x)))


def kl_gaussian(mu_1, sigma_1, mu_2, sigma_2):
    normal = torch.distributions.Normal
    return torch.distributions.kl_divergence(normal(mu_1, sigma_1), normal(mu_2, sigma_2)).sum(1)


def kl_standard(mu, logvar):
    return kl_gaussian(mu, torch.exp(logvar / 2), torch.zeros_like(mu), torch.ones_like(mu))


def negative_elbo(x, logits, mu, logvar):
    decoded = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    return (decoded + kl_standard(mu, logvar)).mean()


def distillation(z, v, tau):
    return tau**2 * F.cross_entropy(z / tau, F.softmax(v / tau, dim=1))


def reinforce(z, action, advantage):
    return -((action * F.log_softmax(z, dim=1)).sum(1) * advantage).mean()


def ppo(logp, logp_old, advantage, eps):
    r = torch.exp(logp - logp_old)
    return -torch.minimum(r * advantage, torch.clamp(r, 1 - eps, 1 + eps) * advantage).mean()


def dpo(chosen, rejected, chosen_ref, rejected_ref, beta):
    return -F.logsigmoid(beta * ((chosen - rejected) - (chosen_ref - rejected_ref))).mean()


ROWS = [
    row("sigmoid_focal_loss", focal_of_classes, targets=flag, alpha=(0.25, 0.6), gamma=(2.0, 0.5)),
    row("dice_loss", dice, p=unit, t=flag, smooth=True),
    row("tversky_loss", tversky, p=unit, t=unit, alpha=(0.3, 0.5), beta=(0.7, 0.5), smooth=True),
    row("contrastive_loss", contrastive, distance=positive, unlike=flag, margin=(1.0, 0.5), smooth=True),
    row("info_nce", info_nce, tau=(1.0, 0.2), smooth=True),
    row("kl_gaussian", kl_gaussian, sigma_1=positive, sigma_2=positive, smooth=True),
    row("kl_standard_gaussian", kl_standard, smooth=True),
    row("vae_elbo", negative_elbo, x=flag, smooth=True),
    row("distillation_loss", distillation, tau=(1.0, 4.0), smooth=True),
    row("reinforce", reinforce, action=one_hot, smooth=True),
    row("ppo_clip", ppo, eps=(0.2, 0.5)),
    row("dpo", dpo, chosen=scaled(normal, 5), rejected=scaled(normal, 5), beta=(0.1, 1.0), smooth=True),
]


test_values_and_gradients, test_second_derivatives = compared_with_torch(ROWS)


def at(*numbers):
    return np.array(numbers, dtype=float)


# Values worked by hand from the formulas of the papers.
WORKED = [
    # One overlap of 2·1, over 1 + 1 + 1 and 1 + 1: 1 − 2·1/(2 + 1).
    ("dice_loss", {"p": at([1, 1, 0]), "t": at([1, 0, 0])}, {}, 1 - 2 / 3),
    # One hit, one false alarm, one miss: 1 − 1/(1 + 0.3 + 0.7).
    ("tversky_loss", {"p": at([1, 1, 0]), "t": at([1, 0, 1])}, {}, 1 / 2),
    # A like pair at 2: 4/2; an unlike pair at ½ within a margin of 1: ¼/2; an unlike pair beyond it: 0.
    ("contrastive_loss", {"distance": at(2, 0.5, 3), "unlike": at(0, 1, 1)}, {}, (2 + 1 / 8) / 3),
    # Scores all equal: no better than drawing one of three.
    ("info_nce", {"x": np.zeros((3, 2)), "y": np.ones((3, 2))}, {}, np.log(3)),
    # The paper's example: at p_t = 0.9 and γ = 2 the loss is 100 times lower than cross-entropy.
    ("sigmoid_focal_loss", {"inputs": at([np.log(9)]), "targets": at([1])}, {"alpha": 1.0}, at([-np.log(0.9) / 100])),
    # log(2/1) + (1 + 4)/(2·4) − 1/2.
    ("kl_gaussian", {"mu_1": at([2]), "sigma_1": at([1]), "mu_2": at([0]), "sigma_2": at([2])}, {},
     at(np.log(2) + 1 / 8)),
    # (e − 1 − 1 + 9)/2.
    ("kl_standard_gaussian", {"mu": at([3]), "logvar": at([1])}, {}, at((np.e + 7) / 2)),
    # Figure 1: a ratio of 2 counts as 1.2 where the action was good, and as 2 where it was bad.
    ("ppo_clip", {"logp": np.log(at(2, 2)), "logp_old": at(0, 0), "advantage": at(1, -1)}, {}, (-1.2 + 2) / 2),
    # No lead over the reference: log 2.
    ("dpo", {"chosen": at(-1), "rejected": at(-2), "chosen_ref": at(-3), "rejected_ref": at(-4)}, {}, np.log(2)),
]  # fmt: skip


@pytest.mark.parametrize("name, inputs, options, expected", WORKED, ids=[worked[0] for worked in WORKED])
def test_worked_values(name, inputs, options, expected):
    y, _ = to_numpy(catalogue[name]).forward(**inputs, **options)
    assert np.allclose(y, expected, rtol=1e-12, atol=0)
