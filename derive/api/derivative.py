"""`gradient, vjp, jvp, jacobian, hessian`: what a user derives, and what can be done with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sympy import Expr

from derive.axes import Axis, DeriveError, NameProblem, Tensor, definitions, did_you_mean
from derive.engine import Derived, gradient_of, hessian_of, jacobian_of, tangent_of
from derive.formula import Formula, Traced
from derive.simplify import number_of_terms
from derive.steps import Derivation

if TYPE_CHECKING:
    from derive.notation import Notation
    from derive.verify import Report

Wrt = str | tuple[str, ...] | list[str] | None


@dataclass(frozen=True, repr=False)
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
        own = frozenset(outcome.rules.own)
        return {n: number_of_terms(outcome.reader.algebra, s.value, own) for n, s in outcome.results.items()}

    # The derivation.

    @cached_property
    def derivation(self) -> Derivation:
        return self.derived.derivation

    @property
    def steps(self) -> Derivation:
        """The tree of steps."""
        return self.derivation

    def explain(self, detail: str = "normal", notation: str | Notation = "index") -> str:
        """The derivation as text."""
        from .presenting import explained

        return explained(self, "text", detail, notation)

    def __str__(self) -> str:
        return self.explain()

    def __repr__(self) -> str:
        from .shown import result_lines

        return "\n".join(result_lines(self))

    def latex(self, notation: str | Notation = "index", detail: str = "normal", *, document: bool = False) -> str:
        """The derivation in LaTeX: a fragment, or an article that compiles."""
        from .presenting import explained

        return explained(self, "article" if document else "latex", detail, notation)

    def markdown(self, notation: str | Notation = "index", detail: str = "normal") -> str:
        """The derivation in Markdown with $…$."""
        from .presenting import explained

        return explained(self, "markdown", detail, notation)

    def html(self, notation: str | Notation = "index", detail: str = "normal") -> str:
        """The derivation as one self-contained HTML page, mathematics in MathML; needs latex2mathml."""
        from .pages import html

        return html(self, detail, notation)

    def _repr_latex_(self) -> str:
        from .presenting import results_latex

        return results_latex(self)

    def _repr_html_(self) -> str | None:
        from .presenting import results_html

        return results_html(self)

    # Numbers.

    def at(self, **sizes: int) -> Any:
        """The result written out for given lengths: a SymPy Matrix, or an Array for other ranks."""
        from .explicit import explicit

        return explicit(self._only, sizes)

    def __call__(self, **arrays: Any) -> Any:
        """The results on arrays: inputs, upstream gradients (g) and scalars by keyword."""
        from .numbers import evaluated

        values = evaluated(self, arrays)
        return values if len(values) != 1 else next(iter(values.values()))

    def verify(self, trials: int = 20, seed: int = 0) -> Report:
        """Results against the oracle's own derivatives, and before = after for every step."""
        from .numbers import verified

        return verified(self, trials, seed)


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
    if not isinstance(wrt, (str, tuple, list)) or not all(isinstance(name, str) for name in wrt) or not wrt:
        raise DeriveError(f"wrt={wrt!r}: expected the name of an input of {formula.name}, or several names")
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


DERIVE: dict[str, Any] = {"gradient": gradient, "vjp": vjp, "jvp": jvp, "jacobian": jacobian, "hessian": hessian}
