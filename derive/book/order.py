"""The order of the book: its chapters, what opens each of them, and which formula leads to which."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from derive.axes import NameProblem, did_you_mean

TITLE = "The Mathematics behind Deep Learning"


@dataclass(frozen=True)
class Chapter:
    """How a chapter opens, and what its formulas do to the space that they act on."""

    title: str
    opening: str
    geometry: str


# In the order of the book; a chapter that is not named here follows, opened by its own first line.
CHAPTERS: Mapping[str, Chapter] = {
    "linear": Chapter(
        "Linear maps",
        "Almost every layer begins with a weighted sum. A linear map takes each output as a mixture of all inputs, and "
        "its gradient runs the same weights backwards: what the forward pass multiplies by W, the backward pass "
        "multiplies by the transpose of W.",
        "A linear map turns, stretches and shears space and keeps the origin; with a shift it moves it. Its "
        "derivative is the map itself, the same at every point.",
    ),
    "activations": Chapter(
        "Activations",
        "Without something that is not linear between them, two linear maps are one. An activation acts on each entry "
        "alone, so its Jacobian is diagonal and its gradient is a product, entry by entry.",
        "An activation bends every axis by one and the same curve. Where the curve is steep the gradient passes, "
        "where it is flat it is lost.",
    ),
    "losses": Chapter(
        "Losses",
        "A loss says in one number how far a prediction is from its target. Its gradient is where everything else "
        "starts: the arrow that backpropagation carries back through the network.",
        "A loss is a landscape over the predictions, lowest where they are right. The gradient points uphill; its "
        "length says how steep it is.",
    ),
    "classification": Chapter(
        "Classification",
        "When the target is one of C classes, predictions are C scores, and the loss compares the score of the right "
        "class with the others. Gathers (a row by its index) and deltas meet here.",
        "Scores are points in a space with one axis for every class; the regions where one class wins meet at kinks.",
    ),
    "objectives": Chapter(
        "Objectives",
        "Losses that a paper made for its task: overlap of segments, contrast of pairs, preferences, policies. All of "
        "them are sums of the few functions of the chapters before.",
        "An objective trades several wishes against each other; its gradient is the sum of the pulls.",
    ),
    "penalties": Chapter(
        "Similarities and penalties",
        "How alike two vectors are, and how large or how rough a set of weights is. Most of these are quotients or "
        "norms: their gradients project out the direction in which nothing changes.",
        "A distance has the unit vector as its gradient; a cosine does not change along its own vector, so its "
        "gradient stands at a right angle to it.",
    ),
    "normalisation": Chapter(
        "Normalisation",
        "Centre, scale to unit variance, stretch and shift. Every output depends on every input of its group through "
        "mean and variance, which is why the gradient has three terms.",
        "Normalisation projects a vector to a sphere in the plane where its entries sum to zero. Its gradient lies in "
        "the tangent of that sphere: it has neither a constant part nor one along the vector itself.",
    ),
    "noise": Chapter(
        "Noise",
        "Dropout and its relatives draw at random. What is drawn is an input here, so that a layer is a function and "
        "has a derivative; the expectation is taken by whoever draws.",
        "Noise moves a point within a cloud; with the draw held fixed, the layer is as smooth as any other.",
    ),
    "embedding": Chapter(
        "Embeddings",
        "A row of a table for every index. Looking up is linear in the table, and its gradient adds each upstream row "
        "to the row that it came from.",
        "An embedding puts words, nodes or users as points into a space in which distances mean something.",
    ),
    "convolution": Chapter(
        "Convolutions",
        "Every window of an image against every kernel. In indices a convolution is a linear map whose weights depend "
        "on differences of places alone; its gradient is a convolution again.",
        "A convolution looks everywhere for one pattern. Shifting the image shifts the answer.",
    ),
    "pooling": Chapter(
        "Pooling",
        "The largest entry, the mean or a norm of every window. A maximum sends the gradient to the entry that won, "
        "a mean shares it out equally.",
        "Pooling forgets where within a window something was, and keeps that it was there.",
    ),
    "directions": Chapter(
        "Rectangular windows",
        "The same windows, with a stride, a padding and a dilation for each direction.",
        "An image may be looked at more coarsely along one direction than along another.",
    ),
    "shapes": Chapter(
        "Shapes",
        "Entries that move, repeat or leave. These layers compute nothing; their gradients move everything back, and "
        "add up where an entry was used more than once.",
        "A change of shape is a map between places, and its transpose is the way back.",
    ),
    "resampling": Chapter(
        "Resampling",
        "What an image holds between its places. Interpolation is a weighted sum of neighbours, linear in the image, "
        "and differentiable in the place that is asked for, between the kinks.",
        "An image is thought of as a surface over its grid, and is read where there is no grid point.",
    ),
    "attention": Chapter(
        "Attention",
        "Every query takes a mean of the values, weighted by how well their keys fit it. Two linear maps with a "
        "softmax between them: its gradient combines the chapters on linear maps and on softmax.",
        "The weights of a query are a point of a simplex; the output is a point in the convex hull of the values.",
    ),
    "networks": Chapter(
        "Networks",
        "Layers composed. Nothing new is differentiated here: the chain rule puts together what the chapters before "
        "have derived, one adjoint for every intermediate.",
        "A network bends space in many small steps; the gradient follows them back one at a time.",
    ),
}


@dataclass(frozen=True)
class Place:
    """One formula's place in the book: its chapter, its neighbours, what it uses and what uses it."""

    name: str
    chapter: str
    before: str = ""
    after: str = ""
    uses: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()


def places(only: Iterable[str] = ()) -> dict[str, Place]:
    """Every formula of the book, or those of `only`, in order. Raises NameProblem for an unknown name."""
    home = _package().HOME
    wanted = list(dict.fromkeys(only))
    for name in wanted:
        if name not in home:
            raise NameProblem(f"book: no formula {name!r} in the catalogue{did_you_mean(name, home)}")
    order = [
        *(c for c in CHAPTERS if c in home.values()),
        *dict.fromkeys(c for c in home.values() if c not in CHAPTERS),
    ]
    names = [name for chapter in order for name, its in home.items() if its == chapter and name in (wanted or home)]
    calls = {name: tuple(u for u in _calls(home[name]).get(name, ()) if u in names and u != name) for name in names}
    return {
        name: Place(
            name,
            home[name],
            names[at - 1] if at else "",
            names[at + 1] if at + 1 < len(names) else "",
            calls[name],
            tuple(user for user in names if name in calls[user]),
        )
        for at, name in enumerate(names)
    }


def chapter_of(name: str) -> Chapter:
    """The opening of a chapter; the first line of its file where the table has none."""
    if name in CHAPTERS:
        return CHAPTERS[name]
    first = (ast.get_docstring(ast.parse(_source(name))) or name).strip().split("\n\n")[0]
    return Chapter(name.replace("_", " ").capitalize(), " ".join(first.split()), "")


def _package() -> Any:
    from derive.api import catalogue

    return catalogue._package()


def _source(chapter: str) -> str:
    return _path(chapter).read_text(encoding="utf-8")


def _path(chapter: str) -> Path:
    return Path(_package().__file__).with_name(f"{chapter}.py")


@cache
def _calls(chapter: str) -> dict[str, tuple[str, ...]]:
    """The formulas that each function of a chapter calls, directly or through helpers of the chapter."""
    home = _package().HOME
    named: dict[str, list[str]] = {}
    body = ast.parse(_source(chapter)).body
    language = {
        a.asname or a.name for n in body if isinstance(n, ast.ImportFrom) and n.module == "derive" for a in n.names
    }
    for node in body:
        if isinstance(node, ast.FunctionDef):
            named[node.name] = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named[node.targets[0].id] = [n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)]
    found: dict[str, tuple[str, ...]] = {}
    for name in named:
        seen: dict[str, None] = {}
        stack = list(named[name])
        while stack:
            used = stack.pop(0)
            if used in home:
                seen.setdefault(used)
            elif used in named and used not in seen:
                seen.setdefault(used)
                stack += named[used]
        found[name] = tuple(used for used in seen if used in home and used not in language)
    return found


def needs(chapter: str) -> tuple[Path, ...]:
    """The files that a chapter's formulas are made of: its own, and those of the package that it imports."""
    found: dict[Path, None] = {}
    stack = [chapter]
    while stack:
        path = _path(stack.pop())
        if path in found or not path.exists():
            continue
        found.setdefault(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("formulas")):
                stack.append((node.module or "").removeprefix("formulas").removeprefix("."))
    return tuple(sorted(found))


def version() -> Mapping[str, str]:
    """What pages are made with besides the project: a new version of it may change a number or a glyph."""
    return {package: installed(package) for package in ("sympy", "numpy", "matplotlib", "latex2mathml")}
