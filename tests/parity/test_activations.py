"""Activations against torch.nn.functional."""

from tests.parity.harness import F, Kink, compared_with_torch, row, torch
from tests.parity.samplers import unit


def at(*values, **options):
    """Kinks at these values of the one input."""
    return tuple(Kink({"input": value}, options) for value in values)


ROWS = [
    row("relu", kinks=(Kink({"x": 0}),)),
    row("relu6", kinks=at(0, 6)),
    row("leaky_relu", negative_slope=(0.01, 0.3, 0.0), kinks=at(0)),
    row("prelu", kinks=(Kink({"input": 0, "weight": 0.25}),)),
    row("rrelu", lower=(1 / 8, 0.2), upper=(1 / 3, 0.9), kinks=at(0)),
    row("elu", alpha=(1.0, 0.5, 2.0), smooth=True, kinks=at(0, alpha=2.0)),
    row("selu", smooth=True, kinks=at(0)),
    row("celu", alpha=(1.0, 0.5, 2.0), smooth=True, kinks=at(0, alpha=2.0)),
    row("gelu", smooth=True),
    row("silu", smooth=True),
    row("mish", smooth=True),
    row("softplus", beta=(1.0, 0.5, 3.0), threshold=(20.0, 1.0), smooth=True, kinks=at(20)),
    row("sigmoid", smooth=True),
    row("logsigmoid", smooth=True),
    row("logit", lambda p: torch.logit(p), input=unit, smooth=True),
    row("tanh", smooth=True),
    row("softsign", smooth=True, kinks=at(0)),
    row("tanhshrink", smooth=True),
    row("hardtanh", min_val=(-1.0, -0.5), max_val=(1.0, 2.0), kinks=at(-1, 1)),
    row("hardsigmoid", kinks=at(-3, 3), tolerance=1e-7, note="PyTorch holds the slope 1/6 in float32."),
    row("hardswish", kinks=at(-3, 3)),
    row("hardshrink", lambd=(0.5, 0.0, 1.0), kinks=at(-0.5, 0.5)),
    row("softshrink", lambd=(0.5, 0.0, 1.0), kinks=at(-0.5, 0.5)),
    row("threshold", threshold=(0.5, -1.0), value=(0.0, 7.0), kinks=at(0.5, threshold=0.5, value=0.0)),
    row("glu", lambda input: F.glu(input, dim=1), smooth=True),
    row("swiglu", lambda a, b: F.silu(a) * b, smooth=True),
    row("geglu", lambda a, b: F.gelu(a) * b, smooth=True),
    row("maxout", lambda z: z.max(dim=2).values, kinks=(Kink({"z": [[[1, 2, 2]]]}),)),
    row("softmax", lambda z: F.softmax(z, dim=1), smooth=True),
    row("log_softmax", lambda z: F.log_softmax(z, dim=1), smooth=True),
    row("softmin", lambda input: F.softmin(input, dim=1), smooth=True),
    row(
        "gumbel_softmax",
        lambda z, e, tau: F.softmax((z + e) / tau, dim=1),
        tau=(1.0, 0.5, 2.0),
        smooth=True,
        note="hard=True has the value of argmax and the derivative of the soft value: it is no derivative of a value.",
    ),
]


test_values_and_gradients, test_second_derivatives = compared_with_torch(ROWS)
