"""What a recurrence does to gradients: each step back multiplies by a Jacobian; a product of small ones vanishes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mpmath
import sympy
from sympy import DiagMatrix, Float, Function, MatrixSymbol, Symbol, tanh

from derive.axes import Delta, Entry, Tensor, mapped, tensors_of
from derive.engine import jacobian_of
from derive.steps import Step
from formulas.recurrence import rnn

from .core import Statement, Unproved, is_, positive, solved

UNITS, STEPS = 3, 3  # of the network on which the bound itself is evaluated; the steps hold for any number


class norm(Function):  # noqa: N801  # a function, as sympy.sin
    """‖A‖, the largest singular value: by how much A stretches a vector at most."""

    is_extended_real = is_extended_nonnegative = True

    def doit(self, **hints: Any) -> Any:
        """The number, where the matrix is one of numbers."""
        matrix = self.args[0].doit()
        matrix = matrix.as_explicit() if hasattr(matrix, "as_explicit") else matrix
        if isinstance(matrix, sympy.MatrixBase) and not matrix.free_symbols:
            return Float(max(mpmath.svd_r(mpmath.matrix(matrix.tolist()), compute_uv=False)))
        return self

    def _sympystr(self, printer: Any) -> str:
        return f"‖{printer._print(self.args[0])}‖"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        written = rf"\left\lVert {printer._print(self.args[0])}\right\rVert"
        return f"{written}^{{{exp}}}" if exp else written


def one_step(recurrence: Any, state: str) -> Any:
    """∂h_t/∂h_{t−1} of a recurrence, by the engine: an expression of h_t and the weight from one unit to another.

    `recurrence` is a formula, `state` the name of what its scan carries.
    """
    traced = recurrence.trace()
    named = {t.name: t for t in traced.definitions}
    step, before = named[state], f"{state}_before"
    bare = {t: t.with_(body=None, role="input") for t in tensors_of(step.body)}
    if before not in {t.name for t in bare}:
        raise Unproved(f"vanishing recurrence: {state} of {traced.name} does not read {before} itself")
    body = mapped(step.body, lambda node: bare.get(node) if isinstance(node, Tensor) else None)
    output = step.with_(body=body, role="output")
    alone = replace(traced, inputs=tuple(bare.values()), outputs=(output,), assumptions=())
    return jacobian_of(alone, (before,)).results[before].body


def _by_symbols(jacobian: Any, state: str, names: dict[str, Symbol]) -> Any:
    """Its entry from unit k to unit i at one step and sample, as a plain expression."""

    def symbol(node: Any) -> Any:
        if isinstance(node, Delta):
            return sympy.Integer(1)
        if isinstance(node, Entry) and node.tensor.name in names:
            return names[node.tensor.name]
        return None

    found = mapped(jacobian, symbol)
    if found.atoms(Entry):
        raise Unproved(f"vanishing recurrence: the Jacobian of {state} has other parts: {found}")
    return sympy.simplify(found)


def vanishing_recurrence() -> Statement:
    """‖∂h_t/∂h_k‖ ≤ (‖U‖ max φ′)^{t−k} for h_t = φ(W x_t + U h_{t−1} + b): with ‖U‖ < 1/max φ′ gradients vanish.

    The Jacobian of one step is derived from the formula `rnn`, φ = tanh: diag(1 − h²) U.
    Source: Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural networks (2013), section 2.1;
    Bengio, Simard, Frasconi (1994).
    """
    h, w, a, before = sympy.symbols("h_i U_ik a_i h_k", real=True)
    entry = _by_symbols(one_step(rnn, "s"), "s", {"s": h, "y": h, "w_hh": w})
    slope = sympy.simplify(entry / w)
    top = solved(sympy.diff(slope, h), h)
    most = slope.subs(h, top)
    inner = tanh(w * before + a)
    d, v = sympy.symbols("d_1 d_2", real=True), sympy.symbols("v_1 v_2", real=True)
    stretched = sum((di * vi) ** 2 for di, vi in zip(d, v, strict=True))
    whole = most**2 * sum(vi**2 for vi in v)
    missing = sum((most**2 - di**2) * vi**2 for di, vi in zip(d, v, strict=True))
    n, size, j = Symbol("n", integer=True, positive=True), positive("u"), Symbol("j", integer=True)
    steps = (
        Step("one step", sympy.diff(inner, before), entry.subs(h, inner), "derived from rnn: J_t = diag(1 − h_t²) U"),
        Step("solve", is_(sympy.diff(slope, h), 0), is_(h, top), "1 − h² is greatest where its derivative is 0"),
        Step("complete the square", slope, most - (h - top) ** 2, "so that φ′ is never above its value there"),
        Step("bound a diagonal", stretched, whole - missing, "‖diag(d) v‖ ≤ max |d| ‖v‖: nothing missing is negative"),
        Step("chain rule", sympy.Product(size * most, (j, 1, n)), (size * most) ** n,
             "∂h_t/∂h_k = J_t ⋯ J_{k+1} has n = t − k factors, ‖A B‖ ≤ ‖A‖ ‖B‖"),
        Step("solve", (size * most) ** n < 1, size < 1 / most, "it shrinks where ‖U‖ max φ′ < 1"),
    )  # fmt: skip
    weights = MatrixSymbol("U", UNITS, UNITS)
    slopes = [MatrixSymbol(f"d_{k}", UNITS, 1) for k in range(STEPS, 0, -1)]
    product = sympy.MatMul(*(part for vector in slopes for part in (DiagMatrix(vector), weights)))
    ranges = {h: (-0.99, 0.99), w: (-2, 2), a: (-1, 1), before: (-1, 1), n: (1, 12), size: (0.1, 3),
              **dict.fromkeys(d, (0, 1)), **dict.fromkeys(v, (-2, 2)),
              weights: (-1.5, 1.5), **dict.fromkeys(slopes, (0, 1))}  # fmt: skip
    results = {"jacobian": entry, "slope": slope, "most": most, "factor": size * most, "bound": (size * most) ** n}
    return Statement(
        "vanishing recurrence", norm(product) <= (norm(weights) * most) ** STEPS, (), steps, results, ranges,
        "Pascanu, Mikolov, Bengio (2013), section 2.1",
        about="h_t = tanh(W x_t + U h_{t−1} + b), over three steps here: J_t = diag(d_t) U with 0 ≤ d_t = 1 − h_t² ≤ 1",
    )  # fmt: skip
