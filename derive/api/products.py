"""Products with second derivatives, as formulas: H v, Jᵀ(∇²ℓ)J v and diag H, and no matrix is formed.

Each is composed of derivations, so that its code, gradient and checks come as for any other formula.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from derive.axes import Axis, DeriveError, ShapeError, Tensor, rename, tensors_of
from derive.engine import gradient_of, hessian_of, tangent_of
from derive.formula import Formula, Traced, as_formula, instantiate

from .derivative import Wrt, _formula, _variables


def hvp(f: Formula, wrt: Wrt = None, **static: Any) -> Formula:
    """H v = ∂/∂t ∇L(x + t v) at t = 0: the tangent of the gradient, for a scalar formula L.

    The formula takes f's inputs and for each variable x its direction `x_dot`; it gives `x_bar_dot` for each.
    Raises DeriveError where L is no scalar. Pearlmutter (1994).
    """
    traced = _scalar(f, "hvp", static)
    names = _variables(f, traced, wrt)
    slope = _gradient(traced, names)
    tangent = tangent_of(slope.trace(), names)
    doc = f"The Hessian of {f.name} times a direction, H v."
    return as_formula(f"{f.name}_hvp", doc, slope.trace(), tangent.upstreams, tangent.results.values())


def gauss_newton(model: Formula, loss: Formula, wrt: Wrt = None, **static: Any) -> Formula:
    """Jᵀ (∇²ℓ) J v for the loss ℓ(y, …) of a model's output y: H v without the model's own curvature.

    The formula takes the model's inputs, the loss's inputs but its first, and for each variable x its direction
    `x_dot`; it gives one product for each. Raises DeriveError where ℓ is no scalar. Schraudolph (2002).
    """
    traced = _formula(model, "gauss_newton").trace(**static)
    names = _variables(model, traced, wrt)
    if len(traced.outputs) != 1:
        raise DeriveError(f"gauss_newton of {model.name}: expected one output, given {len(traced.outputs)}")
    (output,) = traced.outputs
    first, *others = _over(_scalar(loss, "gauss_newton", {}).inputs, output)
    tangent, back = tangent_of(traced, names), gradient_of(traced, names, always=True)
    (pushed,) = tangent.results.values()
    curved = hvp(loss, first.name).trace()
    through = {t.name: t for t in others} | {first.name: output.with_(role="let"), f"{first.name}_dot": pushed}
    kept = {s.name: s for s in (*traced.sizes, *curved.sizes)}
    weighted = instantiate(curved, through, {}, kept)
    pull = as_formula("pullback", "", traced, back.upstreams, back.results.values()).trace()
    given = {t.name: t for t in traced.inputs} | {back.upstreams[0].name: weighted.outputs[0]}
    results = instantiate(pull, given, {}, kept).outputs
    whole = replace(
        traced,
        scalars=tuple(dict.fromkeys((*traced.scalars, *curved.scalars))),
        sizes=tuple(dict.fromkeys((*traced.sizes, *curved.sizes))),
        assumptions=(*traced.assumptions, *weighted.assumptions),
    )
    doc = f"The Gauss-Newton matrix of {loss.name} of {model.name} times a direction, Jᵀ(∇²ℓ)J v."
    return as_formula(f"{model.name}_{loss.name}_gauss_newton", doc, whole, (*others, *tangent.upstreams), results)


def hessian_diagonal(f: Formula, wrt: str, **static: Any) -> Formula:
    """∂²L/∂x_a² for every entry of x: the diagonal of the Hessian of a scalar formula L, of the shape of x.

    Raises DeriveError where L is no scalar.
    """
    traced = _scalar(f, "hessian_diagonal", static)
    (name,) = _variables(f, traced, wrt)
    result = hessian_of(traced, name).results[name]
    letters = traced.input(name).axes
    first, second = result.axes[: len(letters)], result.axes[len(letters) :]
    body = rename(result.body, {**dict(zip(first, letters, strict=True)), **dict(zip(second, letters, strict=True))})
    made = Tensor(f"{name}_diagonal", letters, body=body, role="let")
    return as_formula(f"{f.name}_diagonal", f"The diagonal of the Hessian of {f.name}.", traced, (), (made,))


def _over(inputs: tuple[Tensor, ...], output: Tensor) -> list[Tensor]:
    """The inputs of a loss over the letters of the output that it is given first."""
    if len(inputs[0].axes) != len(output.axes):
        raise ShapeError(f"gauss_newton: expected a loss of {output.declared()}, given one of {inputs[0].declared()}")
    letters = dict(zip(inputs[0].axes, output.axes, strict=True))
    lengths = {old.size: new.size for old, new in letters.items()}
    return [
        t.with_(axes=[letters.get(a) or Axis(a.name, a.size.xreplace(lengths)) for a in t.axes],
                bound=t.bound.xreplace(lengths) if t.bound is not None else None)
        for t in inputs
    ]  # fmt: skip


def _scalar(f: Formula, what: str, static: dict[str, Any]) -> Traced:
    traced = _formula(f, what).trace(**static)
    if len(traced.outputs) != 1 or traced.outputs[0].axes or traced.elementwise:
        raise DeriveError(f"{what} of {f.name}: expected a scalar output, given {traced.outputs[0].declared()}")
    return traced


def _gradient(traced: Traced, names: tuple[str, ...]) -> Formula:
    """The gradient as a formula, of definitions in the form whose derivative is safe: it is differentiated again.

    What is assumed of a variable holds at a point, not around it: it is not used.
    """
    variables = {traced.input(name) for name in names}
    fixed = tuple(a for a in traced.assumptions if not variables & set(tensors_of(a.statement)))
    derived = gradient_of(replace(traced, assumptions=fixed), names, safe=True)
    return as_formula(f"{traced.name}_gradient", "", traced, (), derived.results.values())
