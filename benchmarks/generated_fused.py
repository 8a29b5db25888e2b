"""The column `fused`: the same formulas with numba's kernels for what is elementwise or reduces."""

from functools import cache
from typing import Any

import formulas
from benchmarks.columns import Layer, Run
from benchmarks.rows import ROWS, Array, Inputs, Row
from derive import to_numpy

LEFT_OUT = {"LSTM"}  # the arrays of a step are small, and its kernels take some 20 seconds to compile


@cache
def code(name: str) -> Any:
    """The module that `to_numpy` returns for a row."""
    row = ROWS[name]
    return to_numpy(getattr(formulas, row.formula), backend="numba", **row.static)


def prepared(row: Row, inputs: Inputs, g: Array | None) -> Run | None:
    """Fused where the output is a scalar, else forward and backward; rows without gradients are products alone."""
    if not row.gradients or row.name in LEFT_OUT:
        return None
    made = code(row.name)
    layer = Layer(value_and_grad=made.value_and_grad) if g is None else Layer(made.forward, made.backward)
    return layer.prepared(inputs, g, row.options)
