"""The laws of matrix functions: each line of their derivations holds, and the last line is the kernel of the table."""

from dataclasses import replace
from pathlib import Path

import pytest

from derive.api.laws import page
from derive.axes import AdjointOf, Entry, MatrixFunction, TangentOf, definitions, rebuilt, rename
from derive.differentiate.matrix import KERNELS, Matrix
from derive.engine import implicit, implicit_factors
from derive.notation import explain_latex, explain_text
from derive.simplify.expand import multiplied_out
from derive.terms import Algebra, Reader
from derive.verify.steps import check_steps

LAWS = implicit_factors.ALL
LABELS = list(LAWS)
SLOPES = {"exponential_slope", "exponential_curvature"}  # what they are, and none
DIRECTIONS = (implicit.A_DOT, implicit.R_DOT, implicit_factors.B_DOT)


def checked(law, derivation=None):
    return check_steps(law.traced, derivation or law.derivation, DIRECTIONS, trials=4)


def test_every_kernel_has_its_derivation():
    assert set(LAWS) | SLOPES == set(KERNELS)


@pytest.mark.parametrize("label", LABELS)
def test_every_line_holds(label):
    """Tangents are measured: dual numbers solve the linearised definition."""
    report = checked(LAWS[label]())
    assert report.passed, report


@pytest.mark.parametrize("label", LABELS)
def test_a_wrong_line_is_caught(label):
    law = LAWS[label]()
    for number, equation in enumerate(law.derivation.equations):
        first, *rest = equation.steps
        spoiled = replace(equation, steps=(replace(first, after=2 * first.after), *rest))
        equations = list(law.derivation.equations)
        equations[number] = spoiled
        assert not checked(law, replace(law.derivation, equations=tuple(equations))).passed, equation.target


# The last line is the kernel, symbol by symbol


def written_out(node):
    """The expression without names: every definition put in, Ṡ by Ȧ."""
    if isinstance(node, TangentOf):
        r, c = node.entry.indices
        return (implicit.A_DOT[r, c] + implicit.A_DOT[c, r]) / 2
    if isinstance(node, Entry) and node.tensor.body is not None:
        body = rename(node.tensor.body, dict(zip(node.tensor.axes, node.indices, strict=True)))
        return written_out(body)
    if isinstance(node, MatrixFunction):
        return node.rebound(written_out(node.body), node.axes)
    return rebuilt(node, [written_out(child) for child in node.args]) if node.args else node


@pytest.mark.parametrize("label", LABELS)
def test_the_last_line_is_the_kernel(label):
    """Ẋ = Σ_rc K Ȧ_rc, with K from the table that differentiation uses."""
    law = LAWS[label]()
    result = law.derivation.equations[-1]
    assert isinstance(result.target, AdjointOf)
    tensor = result.target.entry.tensor
    (node,) = written_out(tensor.body).atoms(MatrixFunction) - {
        inner for one in written_out(tensor.body).atoms(MatrixFunction) for inner in one.body.atoms(MatrixFunction)
    }
    algebra = Algebra()
    reader = Reader(algebra)
    letters = {letter: algebra.letter(letter) for letter in tensor.axes}
    over = {letter: algebra.letter(letter) for letter in node.axes}
    matrix = Matrix(reader, reader.read(node.body, {**letters, **over}), tuple(over.values()))
    r, c = over.values()
    given = (implicit.A, implicit.R, implicit_factors.B)
    moved = node.body.xreplace(dict(zip(given, DIRECTIONS, strict=True)))
    kernel = KERNELS[label](matrix, tuple(letters[i] for i in node.at), r, c)
    by_table = algebra.summed(algebra.mul(kernel, reader.read(moved, {**letters, **over})), (r, c))
    derived = reader.read(written_out(result.result), letters)
    assert multiplied_out(algebra, algebra.add(derived, algebra.scaled(by_table, -1))) == ()


# What a reader sees


@pytest.mark.parametrize("label", LABELS)
def test_it_prints(label):
    law = LAWS[label]()
    text = explain_text(law.derivation, law.traced, "full", notation="index", summary=law.summary)
    assert law.title in text and law.summary.split(",")[0] in text.replace("\n", " ")
    tex = explain_latex(law.derivation, law.traced, "full", notation="index", summary=law.summary)
    assert r"\begin{align*}" in tex
    assert all(tensor.body is not None for tensor in definitions([law.derivation.equations[-1].result]))


def test_the_page_is_fresh():
    committed = (Path(__file__).parent.parent / "docs" / "matrix_laws.md").read_text(encoding="utf-8")
    assert committed == page(), "docs/matrix_laws.md is stale: run `python -m derive.api.laws > docs/matrix_laws.md`"
