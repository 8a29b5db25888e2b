"""The array API emission on PyTorch's tensors, against the NumPy code."""

import numpy as np
import pytest

from tests.libraries import FEW, Library, compare
from tests.parity.harness import torch


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FEW)
def test_pytorch(name, dtype):
    compare(name, Library(lambda array: torch.asarray(np.asarray(array)), lambda tensor: tensor.numpy()), dtype)
