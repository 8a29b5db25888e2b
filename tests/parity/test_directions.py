"""Windows that differ from one direction to the other, against torch.nn.functional with pairs."""

import numpy as np
import pytest

from derive import DeriveError, catalogue, to_numpy
from tests.parity.harness import F, compared_with_torch, row
from tests.parity.test_pooling import wider


def paired(function):
    """Options of two directions as pairs, of three as triples: stride_h=2, stride_w=1 is stride=(2, 1)."""

    def call(*tensors, **options):
        directions = "dhw" if "stride_d" in options else "hw"
        names = dict.fromkeys(name[:-2] for name in options if name[-2:] in ("_d", "_h", "_w"))
        pairs = {name: tuple(options.pop(f"{name}_{at}") for at in directions) for name in names}
        pairs = {("kernel_size" if name == "kernel" else name): pair for name, pair in pairs.items()}
        return function(*tensors, **options, **{name: pair for name, pair in pairs.items() if None not in pair})

    return call


WINDOWS = {"stride_h": (1, 3), "stride_w": (2,), "padding_h": (0, 2), "padding_w": (1,), "dilation_h": (1,),
           "dilation_w": (1, 2)}  # fmt: skip
SPREAD = {**WINDOWS, "stride_h": (2, 3), "padding_h": (0, 1), "output_padding_h": (0, 1), "output_padding_w": (1,)}
KERNELS = {"kernel_h": (2, 3), "kernel_w": (2,), "padding_h": (0, 1), "padding_w": (1,)}

DEEP = {"stride_d": (1, 2), "padding_d": (1,), "dilation_d": (1, 2)}

ROWS = [
    row("rectangular_conv2d", paired(F.conv2d), input=wider, **WINDOWS),
    row("rectangular_conv_transpose2d", paired(F.conv_transpose2d), input=wider, **SPREAD),
    row("rectangular_max_pool2d", paired(F.max_pool2d), input=wider, **KERNELS, stride_h=(1, 3), stride_w=(2,),
        dilation_h=(1,), dilation_w=(1, 2)),
    row("rectangular_avg_pool2d", paired(F.avg_pool2d), input=wider, **KERNELS, stride_h=(1, 3), stride_w=(2,)),
    row("rectangular_max_pool2d", paired(F.max_pool2d), input=wider, kernel_h=(2, 3), kernel_w=(1, 4),
        stride_h=(None,), stride_w=(None,), padding_h=(0, 1), padding_w=(0,), dilation_h=(1, 2), dilation_w=(1,)),
    row("rectangular_avg_pool2d", paired(F.avg_pool2d), input=wider, kernel_h=(2, 3), kernel_w=(1, 4),
        stride_h=(None,), stride_w=(None,), padding_h=(0, 1), padding_w=(0,)),
    row("rectangular_conv3d", paired(F.conv3d), input=wider, **{**WINDOWS, **DEEP, "padding_h": (2,)}),
    row("rectangular_conv_transpose3d", paired(F.conv_transpose3d), input=wider, output_padding_d=(0, 1),
        **{**SPREAD, **DEEP, "stride_d": (2,), "dilation_w": (1,), "output_padding_h": (1,)}),
    row("rectangular_max_pool3d", paired(F.max_pool3d), input=wider, **KERNELS, kernel_d=(3,), stride_h=(3,),
        stride_w=(2,), dilation_h=(1,), dilation_w=(1, 2), **DEEP),
    row("rectangular_avg_pool3d", paired(F.avg_pool3d), input=wider, **KERNELS, kernel_d=(2,), stride_h=(1,),
        stride_w=(2,), padding_d=(0, 1), stride_d=(1, 3)),
]  # fmt: skip

test_values_and_gradients, _ = compared_with_torch(ROWS)


# What cannot be: one error, that names what it is.

WRONG = {
    "stride 0 across": ("rectangular_max_pool2d", {"stride_w": 0}, "stride_w: .*at least 1, given 0"),
    "too high a kernel": ("rectangular_avg_pool2d", {"kernel_h": 5}, "h has length 0, .*Y=4"),
    "too wide a kernel": ("rectangular_max_pool2d", {"kernel_w": 8}, "w has length 0, .*Z=5"),
    "more padding than half": ("rectangular_max_pool2d", {"padding_w": 2}, r"2\*padding_w <= .*padding_w=2"),
}


@pytest.mark.parametrize("name, options, message", WRONG.values(), ids=WRONG)
def test_what_cannot_be(name, options, message):
    with pytest.raises(DeriveError, match=f"^{name}: .*{message}"):
        to_numpy(catalogue[name]).forward(input=np.ones((1, 2, 4, 5)), **{"kernel_h": 2, "kernel_w": 2, **options})
