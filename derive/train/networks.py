"""A network to train: which inputs of a formula are data, targets, masks and parameters, and how long its axes are."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from sympy.core.basic import Basic

from derive.axes import DeriveError, Entry, NameProblem, ShapeError, Size, SumOver, Tensor, did_you_mean
from derive.backends import Module
from derive.formula import Formula
from derive.graph import chain

from .aims import Aim, aim_of, far_costs
from .code import forward_code, loss_code
from .data import Data

Array = np.ndarray[Any, np.dtype[Any]]
ONE_LEFT = 32  # the length of an axis that neither the data nor the user tell


@dataclass(frozen=True)
class Network:
    """A model and its loss. `lengths` holds every length; inputs that are masks are drawn anew at each step.

    `model` gives scores or numbers; None where the formula is a loss from the start: then only the loss is measured.
    A loss that learns from samples alone, as that of an autoencoder, has no targets: `t` is None.
    """

    model: Formula | None
    loss: Formula
    x: str
    t: str | None
    masks: tuple[str, ...]
    parameters: tuple[str, ...]
    lengths: Mapping[Basic, int]
    chosen: tuple[str, ...] = field(default=())  # lengths that are ONE_LEFT because nobody told them
    aim: Aim = field(default_factory=Aim)

    @cached_property
    def code(self) -> Module:
        """The emitted loss, with its gradient for the parameters."""
        return loss_code(self.loss, self.parameters)

    @cached_property
    def _accepted(self) -> list[Any]:
        """Shapes and dtypes of data that the code has been given."""
        return []

    @cached_property
    def _arguments(self) -> tuple[Callable[..., Any], tuple[str, ...], dict[str, Any]]:
        """The code without checks, what it takes by position, and the defaults of its parameters."""
        program = self.code.program
        names = (*(a.name for a in program.inputs), *(name for name, _ in program.parameters))
        return self.code.compiled("value_and_grad"), names, dict(program.parameters)

    def valued(self, given: Mapping[str, Any]) -> Callable[[Mapping[str, Array]], tuple[Any, dict[str, Array]]]:
        """The loss and its gradients as a function of the parameters, on these data.

        Arguments are checked at the first minibatch of a shape: the weights keep theirs.
        """
        kinds = [(a.shape, a.dtype) for a in given.values() if type(a) is np.ndarray]

        def checked(params: Mapping[str, Array]) -> tuple[Any, dict[str, Array]]:
            made = self.code.value_and_grad(**given, **params)
            if not self.code.program.derived:
                self._accepted.append(kinds)
            return made

        if kinds not in self._accepted:
            return checked
        call, names, defaults = self._arguments

        def plain(params: Mapping[str, Array]) -> tuple[Any, dict[str, Array]]:
            held = {**defaults, **given, **params}
            try:
                made: tuple[Any, dict[str, Array]] = call(*map(held.__getitem__, names))
            except ValueError:
                made = checked(params)  # it says what is wrong
            return made

        return plain

    @cached_property
    def forwards(self) -> tuple[Callable[..., Any], Callable[..., Any] | None]:
        """The emitted loss and model, forward only, for checks."""
        return forward_code(self.loss).forward, forward_code(self.model).forward if self.model else None

    @cached_property
    def inputs(self) -> dict[str, Tensor]:
        """The inputs of the loss by name."""
        return {tensor.name: tensor for tensor in self.loss.trace().inputs}

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every input."""
        known = dict(self.lengths)
        return {name: tuple(int(a.size.xreplace(known)) for a in t.axes) for name, t in self.inputs.items()}

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an input."""
        return self.shapes[name]

    def given(self, data: Data) -> dict[str, Array]:
        """Samples and targets as the loss takes them."""
        held = {self.x: self.samples(data.x)}
        return held if self.t is None else {**held, self.t: self.targets(data)}

    def samples(self, x: Array) -> Array:
        """Samples in the shape that the formula takes: with a channel, without it, or flat."""
        return x.reshape(len(x), *self.shape(self.x)[1:])

    def targets(self, data: Data) -> Array:
        """Targets as the loss takes them: classes one-hot, or as numbers."""
        assert self.t is not None
        tensor = self.inputs[self.t]
        if not data.classes:
            return data.t.reshape(len(data.t), *self.shape(self.t)[1:])
        if tensor.dtype == "int":
            return np.asarray(data.t)
        if tensor.ndim == 1 or self.shape(self.t)[1:] == (1,):
            marks = data.t.astype(data.x.dtype).reshape(len(data.t), *self.shape(self.t)[1:])
        else:
            marks = np.asarray(np.eye(self.shape(self.t)[1], dtype=data.x.dtype)[data.t])
        return 2 * marks - 1 if self.aim.signs else marks


def suited(model: Formula, loss: Formula | None, data: Data) -> Data:
    """Whole numbers of a file are numbers and no classes where the loss has another best output for each."""
    if is_loss(model):
        t = _target(model, None)
        numbers = t is not None and t.dtype == "real" and t.ndim < 2 and len(data.classes) > 2
    else:
        numbers = loss is not None and aim_of(loss).numbers
    return data.numbers() if data.counted and numbers else data


def is_loss(model: Formula) -> bool:
    """Whether it ends in a number."""
    traced = model.trace()
    return not traced.outputs[0].axes and not traced.elementwise


def _usual(data: Data) -> str:
    """The loss where none is named."""
    if data.marked:
        return "binary_cross_entropy_with_logits"
    return "softmax_cross_entropy" if data.classes else "mse_loss"


def network(model: Formula, loss: Formula | None, data: Data, sizes: Mapping[str, int]) -> Network:
    """The network that `model` (and a loss after it) is on these data; raises ShapeError where they do not fit.

    The first input takes the samples. Where the model is a loss already, the target is its input t, target or y.
    """
    first = model.trace().inputs[0]
    shape = _fitted(first, data.x.shape)
    if len(shape) != first.ndim and not model.trace().elementwise:
        had = f"samples of {data.name} have shape {data.x.shape[1:]}"
        raise ShapeError(f"{model.name}: input {first.name} is {first.declared()}: {had}")
    if (first.dtype == "int") is not data.running:
        had = "places of characters" if data.running else "numbers"
        raise ShapeError(f"{model.name}: input {first.name} is {first.declared()}: samples of {data.name} are {had}")
    scalar = is_loss(model)
    if scalar and loss is not None:
        raise DeriveError(f"{model.name} is a loss already: leave --loss out")
    catalogued = importlib.import_module("formulas")
    after = loss or getattr(catalogued, _usual(data))
    if after.trace().outputs[0].axes or after.trace().elementwise or len(after.trace().inputs) < 2:
        raise DeriveError(f"--loss {after.name}: expected a formula of scores and targets that is a number")
    whole = model if scalar else chain(model, after)
    inputs = whole.trace().inputs
    x = inputs[0]
    t = _target(whole, None if scalar else len(model.trace().inputs))
    known = (x.name, t.name if t is not None else "")
    masks = tuple(i.name for i in inputs if i.dtype == "bool" and i.name not in known)
    rest = tuple(i.name for i in inputs if i.dtype == "real" and i.name not in known)
    if not rest:
        raise DeriveError(f"{whole.name}: it has no parameters: nothing to learn")
    lengths, chosen = _lengths(whole, x, t, data, sizes, shape)
    aim = Aim() if scalar else aim_of(after)
    net = Network(None if scalar else model, whole, x.name, t and t.name, masks, rest, lengths, chosen, aim)
    if scalar and t is not None and t.dtype == "real" and not data.classes:
        return replace(net, aim=Aim(distance=far_costs(whole, t.name, net.shapes)))
    return net


def _fitted(first: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of samples with as many axes as the input has: a channel more, axes of length 1 less, or flat."""
    without = (shape[0], *(n for n in shape[1:] if n != 1))
    with_channel = (shape[0], 1, *shape[1:])
    for found in (shape, without, *([with_channel] if len(shape) == 3 else [])):
        if len(found) == first.ndim:
            return found
    return (shape[0], math.prod(shape[1:])) if first.ndim == 2 else shape


def _target(whole: Formula, place: int | None) -> Tensor | None:
    """The input that holds targets: the first that the loss brings, or one with such a name; None if there is none."""
    inputs = whole.trace().inputs
    if place is not None and place < len(inputs):
        return inputs[place]
    found = [i for i in inputs[1:] if i.name in ("t", "target", "targets", "y", "label", "labels")]
    if len(found) > 1:
        had = ", ".join(i.name for i in inputs)
        raise DeriveError(f"{whole.name}: expected one input named t or target for the targets; it has {had}")
    return found[0] if found else None


def _lengths(
    whole: Formula, x: Tensor, t: Tensor | None, data: Data, sizes: Mapping[str, int], shape: tuple[int, ...]
) -> Any:
    """Every length: told by the samples (of this shape), the targets, the user, or ONE_LEFT."""
    found: dict[Basic, int] = {}
    _told(found, whole, x, shape)
    count = len(data.classes)
    if data.running:
        found |= {i.bound: count for i in (x, t) if i is not None and isinstance(i.bound, Size)}
    if data.running and t is not None:
        _told(found, whole, t, data.t.shape)
    elif t is not None and t.ndim == 2:
        own = t.axes[1].size
        single = own == 1 or (isinstance(own, Size) and sizes.get(own.name) == 1)
        width = 1 if count == 2 and single else count or data.t.reshape(len(data), -1).shape[1]
        _told(found, whole, t, (len(data), width))
    symbols = {s.name: s for i in whole.trace().inputs for a in i.axes for s in a.size.atoms(Size)}
    symbols |= {s.name: s for i in whole.trace().inputs if i.bound is not None for s in i.bound.atoms(Size)}
    if t is not None and t.dtype == "int" and isinstance(t.bound, Size):
        found[t.bound] = count
    for name, value in sizes.items():
        if name not in symbols:
            raise NameProblem(f"--size {name}={value}: {whole.name} has the lengths {', '.join(symbols)}"
                              f"{did_you_mean(name, symbols)}")  # fmt: skip
        if found.setdefault(symbols[name], value) != value:
            raise ShapeError(f"--size {name}={value}: the data say {found[symbols[name]]}")
    chosen = tuple(name for name, s in symbols.items() if s not in found and s.default is None)
    return {**found, **{symbols[name]: ONE_LEFT for name in chosen}}, chosen


def _told(found: dict[Basic, int], whole: Formula, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """The lengths that a shape tells; raises where one is already another."""
    for axis, length in zip(tensor.axes, shape, strict=True):
        if isinstance(axis.size, Size):
            known = found.setdefault(axis.size, length)
        else:
            known = int(axis.size) if axis.size.is_Integer else length
        if known != length:
            raise ShapeError(
                f"{whole.name}: input {tensor.name}: expected {axis.name} of length {known}, given {length}"
            )


# Where weights begin: the variance that neither grows nor shrinks what passes.


def fans(loss: Formula, name: str, lengths: Mapping[Basic, int]) -> tuple[int, int]:
    """(fan-in, fan-out) of a parameter: entries that are summed over to make one output, and those that are not.

    Read from the sums in which the parameter stands.
    """
    tensor = loss.trace().input(name)
    summed: set[int] = set()
    for node, bound in _entries([o.body for o in loss.trace().definitions], name):
        summed |= {k for k, index in enumerate(node.indices) if index.free_symbols & bound}
    sizes = [int(a.size.xreplace(dict(lengths))) for a in tensor.axes]
    inside = math.prod(size for k, size in enumerate(sizes) if k in summed)
    return inside, math.prod(size for k, size in enumerate(sizes) if k not in summed)


def _entries(roots: list[Any], name: str) -> Iterator[tuple[Entry, set[Any]]]:
    """Every entry of a tensor, and the letters that are summed over around it."""
    todo: list[tuple[Any, set[Any]]] = [(root, set()) for root in roots]
    while todo:
        node, bound = todo.pop()
        if isinstance(node, Entry) and node.tensor.name == name and node.tensor.body is None:
            yield node, bound
        inner = bound | set(node.axes) if isinstance(node, SumOver) else bound
        todo += [(arg, inner) for arg in node.args if isinstance(arg, Basic)]


SCHEMES = {  # variance of a weight, from fan-in and fan-out
    "lecun": lambda inside, outside: 1 / inside,
    "glorot": lambda inside, outside: 2 / (inside + outside),
    "he": lambda inside, outside: 2 / inside,
}


def initial(net: Network, scheme: str, rng: np.random.Generator, dtype: Any) -> dict[str, Array]:
    """Weights from a normal distribution of the scheme's variance; vectors are 0, and 1 where they scale (gamma)."""
    found: dict[str, Array] = {}
    for name in net.parameters:
        shape = net.shape(name)
        if len(shape) < 2:
            found[name] = np.full(shape, 1.0 if name.startswith(("gamma", "scale")) else 0.0, dtype)
        else:
            variance = SCHEMES[scheme](*fans(net.loss, name, net.lengths))
            found[name] = (variance**0.5 * rng.standard_normal(shape)).astype(dtype)
    return found
