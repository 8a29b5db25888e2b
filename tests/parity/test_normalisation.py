"""Normalisation against torch.nn.functional."""

import numpy as np
import pytest

from derive import DeriveError, catalogue, to_numpy
from tests.parity.harness import Case, F, compared_with_torch, differs, problems, row, torch
from tests.parity.samplers import positive


def batch_norm(x, weight=None, bias=None, *, eps):
    """As F.batch_norm with training=True, also for a channel of one entry."""
    return torch.batch_norm(x, weight, bias, None, None, True, 0.1, eps, False)


def affine(x, running_mean, running_var, weight=None, bias=None, *, eps):
    """F.batch_norm in elementary operations: its own has no derivative for what it knows of earlier batches."""
    channel = lambda v: v.reshape(-1, *(1,) * (x.ndim - 2))  # noqa: E731
    y = (x - channel(running_mean)) / torch.sqrt(channel(running_var) + eps)
    y = y if weight is None else channel(weight) * y
    return y if bias is None else y + channel(bias)


def instance_norm(x, weight=None, bias=None, *, eps):
    """As F.instance_norm, also for a channel of one entry."""
    return torch.instance_norm(x, weight, bias, None, None, True, 0.1, eps, False)


def group_norm(x, weight=None, bias=None, *, num_groups, eps):
    """As F.group_norm, also for a group of one entry; its derivative needs that of a weight and a bias."""
    weight = x.new_ones(x.shape[1]) if weight is None else weight
    bias = torch.zeros_like(weight) if bias is None else bias
    if any(t.requires_grad for t in (x, weight, bias)):
        weight, bias = (t if t.requires_grad else t.clone().requires_grad_() for t in (weight, bias))
    return torch.group_norm(x, num_groups, weight, bias, eps, False)


def rms_norm(x, weight=None, *, eps):
    return F.rms_norm(x, x.shape[1:], weight, eps)


def weight_norm(v, g):
    return v * (g[:, None] / torch.norm_except_dim(v, 2, 0))


def spectral_norm(weight, u, v):
    return weight / (u @ weight @ v)


EPS = (1e-5, 0.1)
EVALUATED = {"running_var": positive, "constants": ("running_mean", "running_var"), "by_hand": affine}

ROWS = [
    row(
        "layer_norm",
        lambda x, gamma, beta, eps: F.layer_norm(x, x.shape[1:], gamma, beta, eps),
        eps=EPS,
        smooth=True,
    ),
    row("rms_norm", rms_norm, eps=(1e-6, 0.1), smooth=True),
    row("batch_norm", batch_norm, note="images: `batch_norm2d`", eps=EPS, smooth=True),
    row("batch_norm2d", batch_norm, eps=EPS, smooth=True),
    row("batch_norm_evaluation", F.batch_norm, eps=EPS, smooth=True, **EVALUATED),
    row("batch_norm_evaluation2d", F.batch_norm, eps=EPS, **EVALUATED),
    row("instance_norm", instance_norm, note="images: `instance_norm2d`", eps=EPS, smooth=True),
    row("instance_norm2d", instance_norm, eps=EPS),
    row("group_norm2d", group_norm, num_groups=(1, 2, 3), eps=EPS),
    row("group_norm", group_norm, note="images: `group_norm2d`", num_groups=(1, 2, 3), eps=EPS, smooth=True),
    row("local_response_norm", size=(1, 2, 3, 5), alpha=(1e-4, 0.5), beta=(0.75, 2.0), k=(1.0, 2.0), smooth=True),
    row("weight_norm", weight_norm, smooth=True),
    row("spectral_norm", spectral_norm, smooth=True),
]


test_values_and_gradients, test_second_derivatives = compared_with_torch(ROWS)


# Samples of no place, and volumes: their places as one axis.


def merged(function, shape):
    """The function on tensors of another shape than the formula's."""
    return lambda x, *given, **named: function(x.reshape(shape), *given, **named).reshape(x.shape)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("shape", [(5, 4), (2, 4, 3, 2, 3)], ids=str)
@pytest.mark.parametrize(
    "name, function",
    [("batch_norm", batch_norm), ("batch_norm_evaluation", F.batch_norm), ("instance_norm", instance_norm),
     ("group_norm", group_norm)],
)  # fmt: skip
@pytest.mark.parametrize("affine", [False, True])
def test_other_shapes(name, function, shape, affine):
    rng = np.random.default_rng(0)
    arrays = {"input": rng.normal(size=(*shape[:2], int(np.prod(shape[2:]))))}
    if name == "batch_norm_evaluation":
        arrays |= {"running_mean": rng.normal(size=4), "running_var": 0.1 + rng.random(4)}
    if affine:
        arrays |= {"weight": rng.normal(size=4), "bias": rng.normal(size=4)}
    options = {"eps": 1e-5, **({"num_groups": 2} if name == "group_norm" else {})}
    known = {key: EVALUATED[key] for key in ("constants", "by_hand")} if name == "batch_norm_evaluation" else {}
    case = Case({"weight": affine, "bias": affine}, options, arrays)
    assert not problems(row(name, merged(function, shape), **known), case)


# Formulas of two outputs: their gradients for both upstream gradients at once.


def statistics(x, running_mean, running_var, momentum):
    """What F.batch_norm leaves in its running statistics, by the moments that it takes."""
    mean, var = x.mean((0, 2)), x.var((0, 2))
    return (1 - momentum) * running_mean + momentum * mean, (1 - momentum) * running_var + momentum * var


def power_iteration(weight, u):
    v = F.normalize(weight.T @ u, dim=0)
    return F.normalize(weight @ v, dim=0), v


@pytest.mark.needs("torch")
@pytest.mark.parametrize(("n", "c", "y"), [(2, 3, 4), (2, 1, 1), (5, 2, 1), (3, 1, 2), (4, 4, 3)])
@pytest.mark.parametrize("momentum", [0.1, 0.5, 1.0])
def test_running_statistics(n, c, y, momentum):
    rng = np.random.default_rng(n + 10 * c + 100 * y)
    arrays = {"input": rng.normal(size=(n, c, y)), "running_mean": rng.normal(size=c), "running_var": rng.random(c)}
    compare("batch_norm_statistics", statistics, arrays, rng, momentum=momentum)
    mean, var = torch.tensor(arrays["running_mean"]), torch.tensor(arrays["running_var"])
    F.batch_norm(torch.tensor(arrays["input"]), mean, var, training=True, momentum=momentum)
    (got_mean, got_var), _ = to_numpy(catalogue["batch_norm_statistics"]).forward(**arrays, momentum=momentum)
    assert np.allclose(got_mean, mean.numpy(), rtol=0, atol=1e-12)
    assert np.allclose(got_var, var.numpy(), rtol=0, atol=1e-12)


@pytest.mark.needs("torch")
@pytest.mark.parametrize(("o", "i"), [(1, 1), (1, 3), (3, 1), (2, 3), (4, 4), (5, 2), (2, 5), (3, 3), (6, 1), (1, 6)])
def test_power_iteration(o, i):
    rng = np.random.default_rng(10 * o + i)
    compare("power_iteration", power_iteration, {"weight": rng.normal(size=(o, i)), "u": rng.normal(size=o)}, rng)


def compare(name, function, arrays, rng, **options):
    """Values and gradients of a formula of several outputs."""
    module = to_numpy(catalogue[name])
    outputs, saved = module.forward(**arrays, **options)
    tensors = {key: torch.tensor(array, requires_grad=True) for key, array in arrays.items()}
    expected = function(*tensors.values(), **options)
    upstreams = [rng.normal(size=output.shape) for output in outputs]
    gradients = module.backward(tuple(upstreams), saved)
    reference = torch.autograd.grad(expected, list(tensors.values()), [torch.tensor(g) for g in upstreams])
    for output, target in zip(outputs, expected, strict=True):
        assert not differs(output, target.detach().numpy(), name, 1e-9)
    for key, target in zip(tensors, reference, strict=True):
        assert not differs(gradients[key], target.numpy(), f"{name}: gradient of {key}", 1e-9)


# What does not fit is said in one line.

ONES = np.ones((2, 6, 3))


@pytest.mark.parametrize(("given", "words"), [
    ({"num_groups": 4}, "4|6"),
    ({"num_groups": 0}, "num_groups|0"),
    ({"num_groups": 2.5}, "num_groups|2.5"),
    ({}, "num_groups"),
    ({"num_groups": 2, "weight": np.ones(5)}, "weight|5|6"),
    ({"num_groups": 2, "weight": np.ones((6, 1))}, "weight|(6, 1)"),
    ({"num_groups": 2, "input": np.ones((2, 6))}, "input|(2, 6)"),
    ({"num_groups": 2, "input": np.ones((2, 6, 3), int)}, "input|int"),
])  # fmt: skip
def test_what_does_not_fit_group_norm(given, words):
    module = to_numpy(catalogue["group_norm"], weight="weight" in given)
    with pytest.raises(DeriveError) as caught:
        module.forward(**{"input": ONES, **given})
    message = str(caught.value)
    assert [word for word in words.split("|") if word not in message] == [], message
    assert len(message.splitlines()) == 1


def test_a_batch_of_one_has_no_variance_of_a_sample():
    one = {"input": np.ones((1, 3, 4)), "running_mean": np.ones(3), "running_var": np.ones(3)}
    with pytest.raises(DeriveError, match="input"):
        to_numpy(catalogue["batch_norm_statistics"]).check(**one)
