"""Sizes and their defaults: what is fixed, and what is declared again, counts."""

import numpy as np
import pytest

from derive import Size, T, axes, axis, catalogue, sum_over, to_numpy, verify
from derive.formula import build

y, k = axes("y k")


@pytest.mark.parametrize(("default", "length"), [(1, 10), (3, 4), (2, 5), (1, 10)])
def test_a_default_declared_again_counts(default, length):
    """The default of a Size is no part of what SymPy compares: its caches may not bring back the old one."""
    stride = Size("hop", default=default)
    h = axis("h", (y.size - k.size) // stride + 1)

    def strided(x: T[y], w: T[k]) -> T[h]:
        return sum_over(k, x[stride * h + k] * w[k])

    found, _ = to_numpy(build(strided, "strided", {})).forward(x=np.ones(12), w=np.ones(3))
    assert found.shape == (length,)


def test_a_default_made_of_a_size_that_is_fixed():
    """stride = kernel_size by default, also where kernel_size is fixed."""
    pool = catalogue["max_pool2d"].fixed(kernel_size=2)
    found, _ = to_numpy(pool).forward(input=np.arange(16.0).reshape(1, 1, 4, 4))
    assert found.tolist() == [[[[5.0, 7.0], [13.0, 15.0]]]]
    assert verify(pool, trials=3)
    found, _ = to_numpy(pool).forward(input=np.arange(16.0).reshape(1, 1, 4, 4), stride=1)
    assert found.shape == (1, 1, 3, 3)
