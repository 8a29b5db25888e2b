"""Parts of a gradient, and small changes of it, with which a claim is compared."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import sympy
from sympy import Add, Expr, Mul
from sympy.core.basic import Basic

from derive.axes import Entry, MeanOver, SumOver, Where, free_axes, mapped, rename

MOST = 16  # parts of an expression that are tried, of each kind
Explanation = tuple[str, str]  # kind, reason


def pieces(body: Expr) -> list[Expr]:
    """The terms of an expression, sums written apart as far as products and reductions let them."""
    if isinstance(body, Add):
        return [piece for term in body.args for piece in pieces(term)]
    if isinstance(body, (SumOver, MeanOver)):
        return [body.rebound(piece, body.axes) for piece in pieces(body.body)]
    if isinstance(body, Mul):
        for place, factor in enumerate(body.args):
            inner = pieces(factor)
            if len(inner) > 1:
                rest = (*body.args[:place], *body.args[place + 1 :])
                return [p for one in inner for p in pieces(Mul(*rest, one, evaluate=False))]
    if isinstance(body, Where):
        condition, then, otherwise = body.args
        if otherwise == 0:
            return [Where(condition, piece, otherwise) for piece in pieces(then)]
    return [body]


def written_out(body: Expr) -> Expr:
    """The expression with what it refers to in the place of names, one level deep."""

    def change(node: Basic) -> Basic | None:
        if isinstance(node, Entry) and node.tensor.body is not None:
            return rename(node.tensor.body, dict(zip(node.tensor.axes, node.indices, strict=True)))
        return None

    return mapped(body, change)


def plain(term: Expr) -> Expr:
    """A term as it is shown, without factors of 1 and signs within."""
    return Mul(*term.args) if isinstance(term, Mul) else term


def changes(body: Expr) -> Iterator[tuple[Expr, Explanation]]:
    """Small changes of an expression: one entry transposed, a sum that became a mean, one square that was dropped."""
    for node in sorted(body.atoms(Entry), key=str):
        places = [k for k, a in enumerate(node.tensor.axes) if node.tensor.axes.count(a) == 1]
        for i, j in itertools.combinations(places, 2):
            if node.tensor.axes[i].size == node.tensor.axes[j].size:
                indices = list(node.indices)
                indices[i], indices[j] = indices[j], indices[i]
                turned = node.func(node.tensor, *indices)
                yield (
                    body.xreplace({node: turned}),
                    ("transpose", f"a transpose: {node} stands where {turned} was meant"),
                )
    for node in sorted(body.atoms(SumOver, MeanOver), key=str):
        if isinstance(node, SumOver):
            yield (
                body.xreplace({node: MeanOver(node.body, *node.axes)}),
                ("constant factor", f"a mean for the sum {node}"),
            )
        else:
            yield (
                body.xreplace({node: SumOver(node.body, *node.axes)}),
                ("constant factor", f"a sum for the mean {node}"),
            )
    for node in sorted(body.atoms(Where), key=str)[:MOST]:
        if node.args[2] == 0:
            yield body.xreplace({node: node.args[1]}), ("missing condition", f"a condition is missing: {node.args[0]}")
    for node in sorted(body.atoms(Mul), key=str)[:MOST]:
        for place, factor in enumerate(node.args):
            if not factor.is_number:
                rest = Mul(*node.args[:place], *node.args[place + 1 :], evaluate=False)
                yield body.xreplace({node: rest}), ("missing factor", f"a factor is missing: {factor}")
    for node in sorted(body.atoms(sympy.Pow), key=str):
        yield body.xreplace({node: node.base}), ("power", f"the power of {node} is dropped")
    for node in sorted(body.atoms(SumOver), key=str):
        if len(node.axes) == 1:
            for axis in [a for a in free_axes(body) if a.size == node.axes[0].size]:
                unsummed = rename(node.body, {node.axes[0]: axis})
                yield body.xreplace({node: unsummed}), ("missing sum", f"a sum is missing: {node}")
