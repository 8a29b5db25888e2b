"""Losses against torch.nn.functional."""

from tests.parity.harness import F, Kink, compared_with_torch, row, torch
from tests.parity.samplers import flag, normal, positive, scaled, sign, simplex, unit


def at(inputs, **options):
    return (Kink(inputs, options),)


# The same functions in elementary operations, where PyTorch's own has no derivative for an input.


def reduced(entries, reduction):
    return {"mean": entries.mean, "sum": entries.sum, "none": lambda: entries}[reduction]()


def cross_entropy(p, t, weight=None, reduction="mean"):
    entries = -t * torch.log(p) - (1 - t) * torch.log(1 - p)
    return reduced(entries if weight is None else weight * entries, reduction)


def cross_entropy_with_logits(z, t, weight=None, pos_weight=None, reduction="mean"):
    entries = -t * F.logsigmoid(z) * (1 if pos_weight is None else pos_weight) - (1 - t) * F.logsigmoid(-z)
    return reduced(entries if weight is None else weight * entries, reduction)


def soft_margin(x, t, reduction):
    return reduced(torch.log1p(torch.exp(-t * x)), reduction)


def hinge(x, t, reduction):
    return reduced(torch.clamp_min(1 - t * x, 0), reduction)


def given_distances(near, far, **options):
    """PyTorch's function takes what measures a distance; here numbers whose sum is the distance given."""
    return F.triplet_margin_with_distance_loss(
        torch.zeros_like(near), near, far, distance_function=torch.add, **options
    )


ROWS = [
    row("mse_loss", smooth=True),
    row("l1_loss", kinks=at({"input": 1, "target": 1})),
    row("smooth_l1_loss", beta=(1.0, 0.3, 2.0), kinks=at({"input": 2, "target": 1})),
    row("huber_loss", delta=(1.0, 0.3, 2.0), kinks=at({"input": 2, "target": 1})),
    row("softmax_cross_entropy", lambda z, t: F.cross_entropy(z, t), t=simplex, smooth=True),
    row(
        "binary_cross_entropy",
        input=unit,
        target=unit,
        smooth=True,
        constants=("weight",),
        by_hand=cross_entropy,
        kinks=(Kink({"input": 0, "target": 1}), Kink({"input": 1, "target": 1})),
        note="PyTorch holds logarithms above −100, and so is finite at p = 0 and p = 1.",
    ),
    row(
        "binary_cross_entropy_with_logits",
        input=scaled(normal, 3),
        target=unit,
        smooth=True,
        constants=("weight", "pos_weight"),
        by_hand=cross_entropy_with_logits,
    ),
    row("kl_div", target=unit, smooth=True, kinks=at({"input": -1, "target": 0})),
    row(
        "poisson_nll_loss",
        input=positive,
        target=scaled(positive, 3),
        eps=(1e-8, 0.1),
        kinks=at({"input": 1, "target": 1}, full=True),
    ),
    row(
        "gaussian_nll_loss",
        var=positive,
        eps=(1e-6, 0.01),
        smooth=True,
        kinks=(*at({"input": 2, "target": 0, "var": 1}, eps=1.0), *at({"input": 2, "target": 0, "var": 0.5}, eps=1.0)),
        note="Below ε PyTorch holds the variance, and differentiates as if it did not.",
    ),
    row("hinge_loss", hinge, target=sign),
    row("hinge_embedding_loss", target=sign, margin=(1.0, 0.3, 2.0), kinks=at({"input": 1, "target": -1})),
    row("soft_margin_loss", target=sign, smooth=True, constants=("target",), by_hand=soft_margin),
    row("multilabel_soft_margin_loss", target=flag, smooth=True),
    row(
        "margin_ranking_loss",
        target=sign,
        margin=(0.0, 0.5),
        kinks=at({"input1": 1, "input2": 1, "target": 1}),
    ),
    row("cosine_embedding_loss", target=sign, margin=(0.0, 0.4)),
    row(
        "triplet_margin_loss",
        margin=(1.0, 3.0),
        kinks=at({"anchor": 0, "positive": 1, "negative": 2}, eps=0.0),
    ),
    row(
        "triplet_margin_with_distance_loss",
        given_distances,
        near=positive,
        far=positive,
        margin=(1.0, 0.2),
        kinks=at({"near": 1, "far": 2}),
    ),
]


test_values_and_gradients, test_second_derivatives = compared_with_torch(ROWS)
