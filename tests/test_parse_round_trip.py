"""What derive prints it can read: definitions and gradients of the catalogue, in index and in matrix notation."""

import numpy as np
import pytest
import sympy

from derive.api import catalogue, gradient
from derive.axes import (
    DeriveError,
    Determinant,
    Inverse,
    LogDeterminant,
    Reduction,
    Scalar,
    Size,
    definitions,
    mapped,
    tensors_of,
)
from derive.axes.matrix import MatrixFunction
from derive.formula import Traced
from derive.formula.trace import hyper
from derive.notation import Names, latex
from derive.notation.names import key_of
from derive.oracle import evaluate
from derive.parse.operands import Operands
from derive.parse.reading import evaluated
from derive.parse.scope import Declared, Scope, key_of_latex
from derive.parse.scope import key_of as spelled
from derive.parse.statements import Line
from derive.parse.tokens import tokens
from derive.verify import Sampler


def leaf(tensor):
    return tensor.with_(body=None, role="input", of=None)


def with_leaves(tensor):
    """The tensor's body over inputs: what it refers to has no definition of its own."""
    found = {t: leaf(t) for t in tensors_of(tensor.body)}
    return mapped(tensor.body, lambda node: found.get(node))


def scope_for(body, letters, names):
    """The names as they are printed, each with what it stands for."""
    found = {}
    for tensor in tensors_of(body):
        plain, capital = names.tensors[key_of(tensor)], names.matrices[key_of(tensor)]
        for written in {plain.as_tensor(), plain.as_index(), capital.as_tensor(), capital.as_index()}:
            key = key_of_latex(written)
            found[key] = Declared(key, tensor.name, "tensor", tensor)
        if key_of(tensor) in names.padded:
            key = key_of_latex(names.padded[key_of(tensor)].as_tensor())
            found[key] = Declared(key, tensor.name, "tensor", tensor, flags=("padded",))
    for symbol, glyph in names.symbols.items():
        key = key_of_latex(glyph.as_index())
        kind = "size" if isinstance(symbol, Size) else "parameter"
        found.setdefault(key, Declared(key, str(symbol), kind, symbol=getattr(symbol, "of", symbol)))
    bound = {a.name: a for node in body.atoms(Reduction) for a in node.axes}
    twice = {a.name for node in body.atoms(Reduction) for a in node.axes if bound[a.name].size != a.size}
    axes = {**{name: a for name, a in bound.items() if name not in twice}, **{a.name: a for a in letters}}
    made = Scope(axes=axes, start=0, entrywise=True, catalogue=catalogue)
    return made.with_(*found.values())


def read_back(text, scope, letters):
    """The tensor that a text means, its axes in the order of the letters."""
    part = list(tokens(text)[:-1])
    inner = Operands(part, scope, {a.name for a in letters})
    tree = inner.expression()
    inner.end()
    with sympy.evaluate(False):
        made = evaluated(Line((tree,), 0, letters=tuple(a.name for a in letters)), scope, letters)
    (tensor,) = made.tensors
    found = {a.name: a for a in tensor.axes}
    names = [spelled(a.name) for a in letters]
    if made.free == tensor.ndim and found.keys() <= set(names):  # what lacks a letter is constant
        return tensor.with_(axes=[found.get(name, a) for name, a in zip(names, letters, strict=True)])
    return tensor


def agree(tensor, notation):
    """ "equal", or why not: the printed text cannot be read (an error), or is read as something else."""
    body, letters = with_leaves(tensor), tensor.axes
    names = Names.of([body], letters)
    return outcome_of(tensor, str(latex(body, notation, letters=letters, names=names)), body, names)


def outcome_of(tensor, text, body, names):
    letters = tensor.axes
    try:
        again = read_back(text, scope_for(body, letters, names), letters)
    except DeriveError as problem:
        return "refused", text, str(problem)
    output = tensor.with_(body=body, role="output")
    inputs = tensors_of(body)
    scalars = tuple(sorted((s for s in body.free_symbols if isinstance(s, Scalar)), key=str))
    subject = Traced("printed", inputs, scalars, hyper(inputs, (output,), ()), (output,))
    sampler = Sampler(subject, (again[again.axes],))
    rng = np.random.default_rng(0)
    for shape in ("distinct", "random"):
        point = sampler.draw(rng, sampler.sizes(rng, shape))
        positive = {name: np.abs(a) + 0.1 if a.dtype.kind == "f" else a for name, a in point.arrays.items()}
        point = point.with_(arrays=positive, scalars={name: 0.5 + 0.1 * k for k, name in enumerate(point.scalars)})
        left, right = evaluate(body, point, letters), evaluate(again.body, point, again.axes)
        right = np.broadcast_to(right, left.shape) if not right.shape else right  # a derivative that is 0
        if left.shape != right.shape and left.shape == right.shape[::-1]:
            right = right.T
        if left.shape != right.shape:
            return "wrong", text, str(again.body)
        finite = np.isfinite(left) & np.isfinite(right)  # where(c, √x, 0) is printed as [c] √x: no value at x < 0
        if not np.allclose(left[finite], right[finite], rtol=1e-9):
            return "wrong", text, str(again.body)
    return "equal", text, ""


def printed(name):
    """Every definition and every gradient of a formula."""
    traced = catalogue[name].trace()
    found = list(traced.definitions)
    if any(t.dtype == "real" for t in traced.inputs):
        d = gradient(catalogue[name])
        found += [*definitions([t[t.axes] for t in d.tensors.values()])]
    return list(dict.fromkeys(found))


def outcomes(name):
    """Of each text that is printed: in index notation, and in matrix notation where that is another."""
    for tensor in printed(name):
        body = with_leaves(tensor)
        if any(not isinstance(node, READ) for node in body.atoms(MatrixFunction)):
            continue
        names = Names.of([body], tensor.axes)
        for text in dict.fromkeys(str(latex(body, n, letters=tensor.axes, names=names)) for n in ("index", "matrix")):
            yield outcome_of(tensor, text, body, names)


# Other functions of a whole matrix print as σ(A), U(A), chol(A) or exp(A), which mean more than one thing.
READ = (Inverse, Determinant, LogDeterminant)
PARTS = 8


@pytest.mark.parametrize(
    "part", [*range(PARTS // 2), *(pytest.param(k, marks=pytest.mark.thorough) for k in range(PARTS // 2, PARTS))]
)
def test_what_is_printed_reads_back_equal(part):
    for name in sorted(catalogue)[part::PARTS]:
        bad = [(text, why) for outcome, text, why in outcomes(name) if outcome != "equal"]
        assert not bad, (name, bad[0])
