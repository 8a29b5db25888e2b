"""`gradient, vjp, jvp, jacobian, hessian`: what a user derives, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from sympy import Expr

from derive import notation, oracle
from derive import verify as checks
from derive.axes import Axis, DeriveError, NameProblem, Tensor, Unsupported, definitions, did_you_mean
from derive.engine import CodeView, Derived, gradient_of, hessian_of, jacobian_of, tangent_of
from derive.formula import Formula, Traced
from derive.simplify import number_of_terms
from derive.steps import Derivation
from derive.verify import Report

from .explicit import explicit

Wrt = str | tuple[str, ...] | list[str] | None


@dataclass(frozen=True)
class Derivative:
    """A derivative in closed form, with the derivation that leads to it.

    `result` is a SymPy expression whose free letters are `axes`; for several variables `results` is a dictionary.
    """

    formula: Formula
    kind: str
    derived: Derived = field(repr=False)

    # The result.

    @property
    def traced(self) -> Traced:
        return self.derived.traced

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Each result as a tensor: its axes, and its body in closed form."""
        return dict(self.derived.results)

    @property
    def results(self) -> dict[str, Expr]:
        """The closed form for each variable."""
        return {name: tensor.body for name, tensor in self.derived.results.items()}

    @property
    def _only(self) -> Tensor:
        if len(self.derived.results) != 1:
            names = ", ".join(self.derived.results)
            raise DeriveError(f"{self.kind} of {self.formula.name}: several variables ({names}): use .results[name]")
        return next(iter(self.derived.results.values()))

    @property
    def result(self) -> Expr:
        """The closed form, where there is one variable."""
        return self._only.body

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The free letters of `result`, in the order of its array."""
        return self._only.axes

    @property
    def where(self) -> dict[str, Expr]:
        """The definitions that the results mention by name, in order."""
        found = definitions([tensor.body for tensor in self.derived.results.values()])
        return {tensor.name: tensor.body for tensor in found}

    @property
    def terms(self) -> dict[str, int]:
        """How many terms each result has, as a reader counts them."""
        outcome = self.derived.outcome
        return {n: number_of_terms(outcome.reader.algebra, s.value) for n, s in outcome.results.items()}

    # The derivation.

    @cached_property
    def derivation(self) -> Derivation:
        return self.derived.derivation

    @property
    def steps(self) -> Derivation:
        """The tree of steps."""
        return self.derivation

    def explain(self, detail: str = "normal", notation: str = "index") -> str:
        """The derivation as text."""
        return _notation.explain_text(
            self.derivation, self.traced, detail, notation=notation, summary=self.formula.summary
        )

    def __str__(self) -> str:
        return self.explain()

    def latex(self, notation: str = "index", detail: str = "normal", *, document: bool = False) -> str:
        """The derivation in LaTeX: a fragment, or an article that compiles."""
        return _notation.explain_latex(
            self.derivation, self.traced, detail, notation=notation, document=document, summary=self.formula.summary
        )

    def markdown(self, notation: str = "index", detail: str = "normal") -> str:
        """The derivation in Markdown with $…$."""
        return _notation.explain_markdown(
            self.derivation, self.traced, detail, notation=notation, summary=self.formula.summary
        )

    def html(self) -> str:
        """Raises Unsupported: HTML pages are not made yet."""
        raise Unsupported("html: not supported yet; use .markdown() or .latex()")

    def _repr_latex_(self) -> str:
        return "$\\displaystyle " + _results_latex(self) + "$"

    # Numbers.

    def at(self, **sizes: int) -> Any:
        """The result written out for given lengths: a SymPy Matrix, or an Array for other ranks."""
        return explicit(self._only, sizes)

    def __call__(self, **arrays: Any) -> Any:
        """The results on arrays: inputs, upstream gradients (g) and scalars by keyword."""
        inputs = dict(arrays)
        values = self._evaluate(inputs)
        return values if len(self.derived.results) != 1 else next(iter(values.values()))

    def _evaluate(self, given: Mapping[str, Any]) -> dict[str, Any]:
        traced = self.traced
        upstreams = self.derived.upstreams
        if traced.elementwise:
            return self._elementwise(given)
        scalars = {s.name: s.default for s in traced.scalars if s.default is not None}
        arrays = {name: value for name, value in given.items() if name not in {s.name for s in traced.scalars}}
        scalars.update({s.name: given[s.name] for s in traced.scalars if s.name in given})
        point = oracle.point_from_arrays(
            (*traced.inputs, *upstreams), {**arrays, **scalars}, scalars=traced.scalars, sizes=traced.sizes,
            what=f"{self.kind} of {self.formula.name}",
        )  # fmt: skip
        dtypes = {np.asarray(v).dtype for n, v in arrays.items() if np.asarray(v).dtype.kind == "f"}
        dtype = dtypes.pop() if len(dtypes) == 1 else np.dtype(float)
        return {
            name: oracle.evaluate(tensor.body, point, tensor.axes).astype(dtype)
            for name, tensor in self.derived.results.items()
        }

    def _elementwise(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """An elementwise formula on arrays of any one shape: along one axis, then in shape again."""
        from derive.axes import axis

        scalars = {s.name for s in self.traced.scalars}
        shapes = {n: np.asarray(v).shape for n, v in given.items() if n not in scalars}
        if len(set(shapes.values())) > 1:
            raise DeriveError(f"{self.kind} of {self.formula.name}: expected arrays of one shape, given {shapes}")
        shape = next(iter(shapes.values()), ())
        wide = _DERIVE[self.kind](self.formula.batched(axis("n")), tuple(self.derived.results))
        flat = {n: v if n in scalars else np.asarray(v).reshape(-1) for n, v in given.items()}
        return {name: value.reshape(shape) for name, value in wide._evaluate(flat).items()}

    # Checks.

    def verify(self, trials: int = 20, seed: int = 0) -> Report:
        """Results against the oracle's own derivatives, and before = after for every step."""
        derived, traced = self.derived, self.traced
        results, upstreams = derived.results, derived.upstreams
        if self.kind == "jvp":
            outputs = [results[o.name] for o in traced.outputs]
            report = checks.check_jvp(traced, outputs, trials=trials, seed=seed)
        elif self.kind in ("jacobian", "hessian"):
            check = checks.check_jacobian if self.kind == "jacobian" else checks.check_hessian
            parts = [check(traced, tensor, wrt=name, trials=trials, seed=seed) for name, tensor in results.items()]
            report = sum(parts[1:], parts[0])
        else:
            report = checks.check_gradient(traced, results, upstreams, trials=trials, seed=seed)
        return report + checks.check_steps(traced, self.derivation, upstreams, trials=min(3, trials), seed=seed)

    def code_view(self) -> CodeView:
        """The definitions in their stable form, ready to be lowered."""
        return CodeView(self.derived)


_notation = notation


def _results_latex(d: Derivative) -> str:
    """The results alone, one below the other."""
    lines = [notation.latex(e.target) + " &= " + notation.latex(e.result, letters=e.tensor.axes)
             for e in d.derivation.equations if e.kind == "result"]  # fmt: skip
    return "\\begin{aligned}" + r" \\ ".join(lines) + "\\end{aligned}"


def real_inputs(traced: Traced) -> tuple[str, ...]:
    """Names of the inputs that have a gradient."""
    return tuple(t.name for t in traced.inputs if t.dtype == "real")


def _variables(formula: Formula, traced: Traced, wrt: Wrt) -> tuple[str, ...]:
    """The names to differentiate for, checked."""
    known = {t.name: t.dtype for t in traced.inputs}
    if wrt is None:
        names = real_inputs(traced)
        if not names:
            raise DeriveError(f"{formula.name} has no real tensor input to differentiate for")
        return names
    names = (wrt,) if isinstance(wrt, str) else tuple(wrt)
    for name in names:
        if name in traced.parameters:
            raise DeriveError(f"wrt={name!r}: {name} is a parameter of {formula.name}; declare it {name}: T[()] to "
                              f"differentiate for it")  # fmt: skip
        if name not in known:
            raise NameProblem(f"wrt={name!r}: {formula.name} has no such input; it has {', '.join(known)}"
                              f"{did_you_mean(str(name), known)}")  # fmt: skip
        if known[name] != "real":
            raise DeriveError(f"wrt={name!r}: {name} is {known[name]}-valued and has no gradient; "
                              f"real inputs are {', '.join(real_inputs(traced))}")  # fmt: skip
    return names


def _formula(value: Any, what: str) -> Formula:
    if not isinstance(value, Formula):
        raise DeriveError(f"{what}: expected a formula (a function decorated with @formula), given {value!r}")
    return value


def gradient(f: Formula, wrt: Wrt = None, *, form: str = "closed", **static: Any) -> Derivative:
    """∂L/∂x for L = Σ g·y, in closed form; for a scalar output g = 1.

    `wrt`: a name, names, or None for every real tensor input. form "staged" keeps every adjoint as a name:
    backpropagation as it runs. Raises NameProblem or DeriveError for a variable that cannot be differentiated for.
    """
    traced = _formula(f, "gradient").trace(**static)
    if form not in ("closed", "staged"):
        raise DeriveError(f"form={form!r}: expected 'closed' or 'staged'")
    return Derivative(f, "gradient", gradient_of(traced, _variables(f, traced, wrt), staged=form == "staged"))


def vjp(f: Formula, wrt: Wrt = None, **static: Any) -> Derivative:
    """Σ g ∂y/∂x, with the upstream gradient g also where the output is a scalar."""
    traced = _formula(f, "vjp").trace(**static)
    return Derivative(f, "vjp", gradient_of(traced, _variables(f, traced, wrt), always=True))


def jvp(f: Formula, wrt: Wrt = None, **static: Any) -> Derivative:
    """ẏ = Σ ∂y/∂x ẋ for tangents ẋ, which are inputs named x_dot."""
    traced = _formula(f, "jvp").trace(**static)
    return Derivative(f, "jvp", tangent_of(traced, _variables(f, traced, wrt)))


def jacobian(f: Formula, wrt: Wrt = None, **static: Any) -> Derivative:
    """∂y/∂x: the output's axes, then the input's (aliased where they clash)."""
    traced = _formula(f, "jacobian").trace(**static)
    return Derivative(f, "jacobian", jacobian_of(traced, _variables(f, traced, wrt)))


def hessian(f: Formula, wrt: Wrt = None, **static: Any) -> Derivative:
    """∂²L/∂x∂x of a scalar formula, for one variable: its axes, then its axes again (aliased)."""
    traced = _formula(f, "hessian").trace(**static)
    names = _variables(f, traced, wrt)
    if len(names) != 1:
        raise DeriveError(f"hessian of {f.name}: expected one variable, given {', '.join(names)}: name it with wrt")
    return Derivative(f, "hessian", hessian_of(traced, names[0]))


_DERIVE: dict[str, Any] = {"gradient": gradient, "vjp": vjp, "jvp": jvp, "jacobian": jacobian, "hessian": hessian}
