"""The column `generated`: what `to_numpy` makes of the catalogue's formulas."""

from functools import cache
from typing import Any

import scipy.sparse  # noqa: F401  emitted code loads it when it is first of use, which is not what is measured

import formulas
from benchmarks.columns import Layer, Run
from benchmarks.rows import ROWS, Array, Inputs, Row
from derive import T, formula, hessian, to_numpy
from formulas.linear import d, n


@cache
def _hessian() -> Any:
    """The Hessian of the logistic loss as a formula of its own: nothing but the derived expression."""
    derived = hessian(formulas.logistic_regression, wrt="w")
    k = derived.axes[1]

    @formula
    def logistic_hessian(X: T[n, d], w: T[d], y: T[n]) -> T[d, k]:
        """∂²L/∂w∂w."""
        return derived.result

    return logistic_hessian


@cache
def code(name: str) -> Any:
    """The module that `to_numpy` returns for a row."""
    row = ROWS[name]
    return to_numpy(getattr(formulas, row.formula) if row.gradients else _hessian(), **row.static)


def work(row: Row, size: str) -> tuple[int, int]:
    """Operations, and bytes that the calls of NumPy read and write, forward and backward or fused, in float32."""
    made = code(row.name)
    module: dict[str, Any] = {}
    exec(made.source, module)  # its INPUTS name the lengths
    lengths: dict[str, int] = {}
    for (_, _, letters, *_), array in zip(module["INPUTS"], row.drawn(size).values(), strict=True):
        lengths |= {"N": array.size} if letters is None else dict(zip(letters, array.shape, strict=True))
    sizes = {symbol.name for symbol in made.cost.symbols}  # the others follow from these, or are options of the values
    cost = made.cost.at(itemsize=4, **{name: n for name, n in (lengths | row.options).items() if name in sizes})
    if not row.gradients:
        works = [cost.forward]
    else:
        works = [cost.value_and_grad] if cost.value_and_grad else [cost.forward, cost.backward]
    return sum(int(w.flops) for w in works), sum(int(w.moved) for w in works)


def prepared(row: Row, inputs: Inputs, g: Array | None) -> Run:
    """Fused where the output is a scalar, else forward and backward."""
    made = code(row.name)
    if not row.gradients:
        layer = Layer(made.forward)
    elif g is None:
        layer = Layer(value_and_grad=made.value_and_grad)
    else:
        layer = Layer(made.forward, made.backward)
    return layer.prepared(inputs, g, row.options)
