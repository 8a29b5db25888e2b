"""`optimiser`: the formula of a step, with decay, clipping and ascent before it, as NumPy code: `init` and `update`."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from derive.axes import DeriveError, NameProblem, Scalar, T, Tensor, Unsupported, did_you_mean
from derive.backends import Module, emit
from derive.formula import Formula, build, let
from derive.lower import Task, lower

from . import stepping
from .ranges import OPTIMISERS, number

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = Mapping[str, Array]
State = dict[str, Any]

NAMES = (
    "sgd momentum nesterov adagrad adadelta rmsprop rprop adam adamw amsgrad adamax nadam radam signsgd lion lamb "
    "adafactor muon shampoo adabelief yogi adan padam adabound quasi_hyperbolic_momentum signum lars novograd"
).split()
CLIPS = {"value": "clip_by_value", "norm": "clip_by_global_norm", "global": "clip_by_global_norm"}
TOGETHER = ("adafactor", "adafactor_of_vector", "muon", "shampoo")
DECAYS = ("coupled", "decoupled")
DECAYING = ("adamw", "lion", "lamb", "adan", "lars", "novograd", "adafactor", "adafactor_of_vector", "muon")


@dataclass(frozen=True)
class Before:
    """What is done to θ and g before a step: decay of weights, clipping, ascent."""

    decay: str | None = None
    clip: str | None = None
    maximize: bool = False

    def __call__(self, theta: Any, g: Any, given: dict[str, Any], lr: Any) -> tuple[Any, Any]:
        """θ and g for the step; the options of what is done are taken out of `given`. Clipping comes first."""

        def named(name: str, value: Any) -> Any:  # an entry of any shape stays an expression
            return value if not isinstance(value, Tensor) else let(name, value[value.axes])

        if self.clip is not None:
            norm = {} if self.clip == "value" else {"norm": given.pop("norm")}
            g = named("clipped", _catalogued(CLIPS[self.clip])(g, **norm, most=given.pop("most")))
        if self.maximize:
            g = named("ascent", _catalogued("ascent")(g))
        if self.decay == "coupled":
            g = named("decayed", _catalogued("coupled_weight_decay")(theta, g, weight_decay=given.pop("weight_decay")))
        elif self.decay == "decoupled":
            decay = _catalogued("decoupled_weight_decay")
            theta = named("decayed", decay(theta, lr=lr, weight_decay=given.pop("weight_decay")))
        return theta, g

    @property
    def options(self) -> dict[str, Any]:
        """Further options, and their defaults."""
        needed = inspect.Parameter.empty
        clips = {None: {}, "value": {"most": 1.0}}.get(self.clip, {"norm": needed, "most": 1.0})
        return clips if self.decay is None else {**clips, "weight_decay": 0.01}


def _catalogued(name: str) -> Any:
    return getattr(importlib.import_module("formulas"), name)


def _written(name: str) -> Formula:
    """The formula of a step: of the catalogue, or put together from formulas of it."""
    layers = importlib.import_module("formulas.layer_optimisers")
    if name in TOGETHER:
        return build(getattr(layers, name), name, vars(layers))
    found: Formula = _catalogued(name)
    return found


def _starts(name: str) -> dict[str, Any]:
    """What the state of an optimiser of the catalogue begins with."""
    chapters = [importlib.import_module(f"formulas.{chapter}") for chapter in ("optimisers", "recent_optimisers")]
    return next((dict(chapter.START[name]) for chapter in chapters if name in chapter.START), {})


def composed(formula: Formula, before: Before) -> Formula:
    """`formula` with what comes before a step, as one formula."""
    if before == Before():
        return formula

    def step(**given: Any) -> Any:
        theta, g = before(given.pop("theta"), given.pop("g"), given, given.get("lr"))
        found = formula(theta=theta, g=g, **given)
        outputs = found if isinstance(found, tuple) else (found,)
        return tuple(o[o.axes] if isinstance(o, Tensor) else o for o in outputs)

    tensors = {p.name: (p.type, p.default) for p in formula.tensors}
    scalars = {p.name: (Scalar, p.default) for p in formula.parameters if p.kind == "scalar"}
    more = {name: (Scalar, default) for name, default in before.options.items()}
    kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    spec = [inspect.Parameter(n, kinds[0], default=d, annotation=h) for n, (h, d) in tensors.items()]
    spec += [inspect.Parameter(n, kinds[1], default=d, annotation=h) for n, (h, d) in {**scalars, **more}.items()]
    traced = formula.trace()
    outputs = tuple(T[...] if traced.elementwise else T[o.axes] for o in traced.outputs)
    step.__name__, step.__doc__ = formula.name, formula.doc
    step.__annotations__ = {p.name: p.annotation for p in spec} | {"return": tuple[outputs]}  # type: ignore[valid-type]
    step.__signature__ = inspect.Signature(spec)  # type: ignore[attr-defined]
    return build(step, formula.name, {})


def _plan(traced: Any, starts: Mapping[str, Any], norms: str | None) -> tuple[Any, ...]:
    """The plan of `stepping`, from the inputs of a step."""
    theta, states = traced.inputs[0], [t for t in traced.inputs[1:] if t.name != "g"]
    begins = {name: start[1] if isinstance(start, tuple) else start for name, start in starts.items()}
    whole = traced.elementwise
    sizes = [a.size for a in theta.axes]  # an alias has the length of its axis
    places = {
        s.name: None if whole or s.axes == theta.axes else tuple(sizes.index(a.size) for a in s.axes) for s in states
    }
    return (
        None if whole else theta.ndim,
        any(s.name == "t" for s in traced.scalars),
        norms,
        tuple((s.name, places[s.name], begins.get(s.name, 0.0)) for s in states),
    )


class Optimiser:
    """One step of descent as NumPy code: `init(params)` is the state, `update(params, grads, state)` both anew.

    Parameters and gradients are dictionaries of arrays; nothing that is given is written to. Options by keyword, also
    in `update` (lr=…, from a schedule). `source` is a standalone module with the same two functions.
    """

    def __init__(
        self, name: str | Formula, before: Before, options: Mapping[str, Any], starts: Mapping[str, Any] | None = None
    ) -> None:
        written = name if isinstance(name, Formula) else _written(name)
        name = written.name
        self.name, self.before = name, before
        starts = starts or _starts(name)
        named = {start[0]: (state, start[1]) for state, start in starts.items() if isinstance(start, tuple)}
        static = {p.name for p in written.parameters if p.kind == "static"}
        self.formula = composed(written.fixed(**{k: v for k, v in options.items() if k in static}), before)
        traced = self.formula.trace()
        self.defaults = {p.name: p.default for p in self.formula.parameters if p.kind == "scalar" and not p.required}
        known = {**self.defaults, **dict.fromkeys(static), **named}
        for option in options:
            if option not in known:
                raise NameProblem(
                    f"{name}: no option {option!r}; it has {', '.join(known)}{did_you_mean(option, known)}"
                )
        ranges = OPTIMISERS if name in NAMES else {}
        self.options = {k: number(name, k, v, ranges) for k, v in options.items() if k in self.defaults}
        self.starts = {named[k][0]: number(name, k, v, ranges) for k, v in options.items() if k in named}
        self.plan = _plan(traced, starts, {"norm": "own", "global": "all"}.get(before.clip or ""))
        self._module = Module(lower(Task(
            name=traced.name, doc=self.formula.doc, inputs=traced.inputs, scalars=traced.scalars,
            outputs=traced.outputs, sizes=traced.sizes, elementwise=traced.elementwise,
            assumptions=tuple(a.statement for a in traced.assumptions),
        )))  # fmt: skip

    def init(self, params: Arrays) -> State:
        """The state before the first step."""
        self._refuse(params)
        return stepping.begun(self.plan, params, self.starts)

    def update(self, params: Arrays, grads: Arrays, state: State, **changed: Any) -> tuple[dict[str, Array], State]:
        """One step for every parameter: new parameters, new state."""
        if unknown := [name for name in changed if name not in self.defaults and name not in self.starts]:
            raise NameProblem(f"{self.name}: no option {unknown[0]!r}{did_you_mean(unknown[0], self.defaults)}")
        options = self.options
        if changed:
            options = {**options, **{k: float(v) for k, v in changed.items() if k in self.defaults}}
        return stepping.stepped(self.call, self.plan, params, grads, state, options)

    @cached_property
    def call(self) -> Any:
        """The step on arrays in order, without tests of what is given: those are made once, before."""
        forward = self._module.compiled("forward")
        defaults = {p.name: p.default for p in self.formula.parameters if p.kind == "scalar"}
        known = [(name, defaults[name]) for name, _ in self._module.program.parameters]

        def call(arrays: Any, given: Mapping[str, Any]) -> Any:
            return forward(*arrays, *[given.get(name, default) for name, default in known])[0]

        return call

    def _refuse(self, params: Arrays) -> None:
        for name, theta in params.items():
            if not isinstance(theta, np.ndarray) or theta.dtype.kind != "f":
                raise DeriveError(f"{self.name}: parameter {name}: expected an array of floats, given {type(theta)}")
            if self.name in ("muon", "shampoo") and theta.ndim != 2:
                raise DeriveError(f"{self.name}: parameter {name} has shape {theta.shape}: expected a matrix")

    @cached_property
    def source(self) -> str:
        """A standalone module: NumPy only."""
        parts = [
            emit(self._module.program).rstrip(),
            EMITTED.format(plan=self.plan, options=self.options, starts=self.starts),
        ]
        return "\n\n\n".join([*parts, *(inspect.getsource(helper).rstrip() for helper in stepping.HELPERS)]) + "\n"


EMITTED = '''PLAN = {plan!r}
OPTIONS: dict[str, Any] = {options!r}
STARTS: dict[str, Any] = {starts!r}


def init(params: Any, **starts: Any) -> dict[str, Any]:
    """The state before the first step."""
    return begun(PLAN, params, {{**STARTS, **starts}})


def update(params: Any, grads: Any, state: Any, **options: Any) -> tuple[Any, Any]:
    """One step for every parameter: new parameters and a new state; what is given is not written to."""
    return stepped(lambda a, o: forward(*a, **o)[0], PLAN, params, grads, state, {{**OPTIONS, **options}})'''


class ByShape:
    """Two optimisers: one for matrices (and what has more axes), one for the rest. The same two functions."""

    def __init__(self, many: Optimiser, few: Optimiser, most: int | None) -> None:
        self.name, self.many, self.few, self.most = many.name, many, few, most
        self.options = many.options

    def _parts(self, params: Arrays) -> list[tuple[Optimiser, dict[str, Array]]]:
        chosen = {n: 2 <= a.ndim <= (self.most or a.ndim) for n, a in params.items()}
        of = {True: self.many, False: self.few}
        return [(of[kind], {n: a for n, a in params.items() if chosen[n] is kind}) for kind in (True, False)]

    def init(self, params: Arrays) -> State:
        """The state before the first step."""
        begun = [one.init(part)["states"] for one, part in self._parts(params)]
        return {"t": 0, "states": begun[0] | begun[1]}

    def update(self, params: Arrays, grads: Arrays, state: State, **changed: Any) -> tuple[dict[str, Array], State]:
        """One step for every parameter: new parameters, new state."""
        made = [one.update(part, grads, state, **changed) for one, part in self._parts(params)]
        new = {**made[0][0], **made[1][0]}
        states = made[0][1]["states"] | made[1][1]["states"]
        return {n: new[n] for n in params}, {"t": state["t"] + 1, "states": states}

    @property
    def source(self) -> str:
        """Raises Unsupported: the two have a source each."""
        raise Unsupported(f"{self.name}: made of two, {self.many.formula.name} and {self.few.formula.name}: "
                          "many.source and few.source")  # fmt: skip


def _step_of(formula: Formula) -> Formula:
    """A formula that is a step: θ and g come first, and all inputs but g come out."""
    traced = formula.trace()
    names = [tensor.name for tensor in traced.inputs]
    if names[:2] != ["theta", "g"] or len(traced.outputs) != len(names) - 1:
        raise DeriveError(
            f"{formula.name}: expected inputs theta, g and the state, and outputs theta and the state anew: it has "
            f"inputs {', '.join(names)} and {len(traced.outputs)} outputs"
        )
    return formula


def optimiser(
    name: str | Formula,
    *,
    decay: str | None = None,
    clip: str | None = None,
    maximize: bool = False,
    starts: Mapping[str, float] | None = None,
    **options: Any,
) -> Optimiser | ByShape:
    """The optimiser of that name, with `init(params)` and `update(params, grads, state)`.

    Or one of your own: a formula of theta, g and the state, to all but g anew; `starts` says what of the state does not
    begin with zeros.

    decay: "coupled" (λθ is added to g) or "decoupled" (θ shrinks beside the step), for weight_decay; clip: "value",
    "norm" (of each parameter) or "global" (of all gradients), at `most`; maximize: climb. Options are those of the
    formula. Raises NameProblem for a name or an option that there is not.
    """
    if name == "lbfgs":
        raise DeriveError("lbfgs: it looks at the loss more than once a step: derive.train.LBFGS")
    if isinstance(name, Formula):
        return Optimiser(_step_of(name), Before(decay, clip, maximize), options, starts)
    if name not in NAMES:
        every = [*NAMES, "lbfgs"]
        raise NameProblem(f"no optimiser {name!r}; there are {', '.join(every)}{did_you_mean(name, every)}")
    for word, value, known in (("decay", decay, DECAYS), ("clip", clip, CLIPS)):
        if value is not None and value not in known:
            raise DeriveError(f"{word}: expected {' or '.join(known)}, given {value!r}{did_you_mean(value, known)}")
    before = Before(decay, clip, maximize)
    if decay and name in DECAYING:
        raise DeriveError(f"{name} has a weight_decay of its own: leave decay out")
    first = Optimiser(name, before, options)
    if name == "adafactor":
        return ByShape(first, Optimiser("adafactor_of_vector", before, options), None)
    return first
