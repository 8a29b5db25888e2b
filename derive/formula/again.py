"""What was derived, as a formula again: its gradient, tangent and code come by the same laws."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable

from derive.axes import NameProblem, Scalar, Size, Tensor, TensorType, cut_anew, definitions, tied

from .core import Formula
from .signature import Parameter
from .trace import Traced, told_apart, with_tensors


def as_formula(name: str, doc: str, traced: Traced, also: Iterable[Tensor], results: Iterable[Tensor]) -> Formula:
    """The formula whose inputs are those of `traced` and the tensors `also` (g, or tangents), its outputs `results`.

    Assumptions stay. Raises NameProblem where two inputs share a name.
    """
    made: dict[Tensor, Tensor] = {t: t.with_(role="input", of=None) for t in also}
    inputs = (*traced.inputs, *made.values())
    names = Counter(t.name for t in inputs)
    for clash in (given for given, count in names.items() if count > 1):
        raise NameProblem(f"{name}: two inputs are named {clash}; rename one")
    results = tuple(results)
    order = definitions(result[result.axes] for result in results)
    cuts = cut_anew(order)
    made.update(cuts)
    for tensor in order:
        made[tensor] = tensor.with_(role="let", of=None, body=with_tensors(tensor.body, made))
    tied(cuts, made)
    outputs = told_apart(tuple(made[result] for result in results), {*names, *traced.parameters})
    outputs = tuple(output.with_(role="output") for output in outputs)
    again = Traced(name, inputs, traced.scalars, traced.sizes, outputs, traced.assumptions)
    parameters = (*map(_tensor, inputs), *map(_number, traced.scalars), *map(_number, traced.sizes))
    return Formula(name, doc, parameters, "derived", name, lambda static: again)


def _tensor(tensor: Tensor) -> Parameter:
    return Parameter(tensor.name, "tensor", TensorType(tensor.axes, tensor.dtype, bound=tensor.bound))


def _number(symbol: Scalar | Size) -> Parameter:
    default = inspect.Parameter.empty if symbol.default is None else symbol.default
    return Parameter(symbol.name, "size" if isinstance(symbol, Size) else "scalar", default=default)
