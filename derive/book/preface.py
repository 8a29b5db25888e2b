"""The preface: from school mathematics to the derivations of this book, with examples that the engine derives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from sympy import exp, sin

from derive.api import Derivative, gradient
from derive.axes import T, axes, maximum, sum_over
from derive.formula import Formula, build, let

i, o, b = axes("i o b")


@dataclass(frozen=True)
class Title:
    """A section."""

    words: str


@dataclass(frozen=True)
class Text:
    """A paragraph; mathematics between dollars."""

    words: str


@dataclass(frozen=True)
class Worked:
    """A derivation by the engine, every step."""

    name: str


Part = Title | Text | Worked

PARTS: tuple[Part, ...] = (
    Text("This book derives the gradients of deep learning. Nothing beyond school is needed to read it: functions, "
         "fractions, and the patience to follow one line after another. The preface says the rest. Its examples, like "
         "every derivation of the book, are made by the engine and checked step by step with numbers."),
    Title("What a derivative is"),
    Text("Move the input of a function by a small amount $h$. The output moves too, and for small $h$ by nearly a "
         "fixed multiple of $h$. That multiple is the derivative: $f(x + h) \\approx f(x) + f'(x) h$. It is written "
         "$f'(x)$ or $\\frac{\\partial f}{\\partial x}$, and it is the slope of the curve at $x$. For $f(x) = x^2$ "
         "the output moves by $(x + h)^2 - x^2 = 2 x h + h^2$, and since $h^2$ is small beside $h$, the derivative "
         "is $2 x$."),
    Worked("square"),
    Title("The chain rule"),
    Text("Let $u$ depend on $x$, and $L$ on $u$. Moving $x$ by $h$ moves $u$ by $\\frac{\\partial u}{\\partial x} "
         "h$, and that moves $L$ by $\\frac{\\partial L}{\\partial u}$ times as much. So $\\frac{\\partial "
         "L}{\\partial x} = \\frac{\\partial L}{\\partial u} \\cdot \\frac{\\partial u}{\\partial x}$. The factor "
         "$\\frac{\\partial L}{\\partial u}$ is the adjoint of $u$; this book writes it as u with a bar."),
    Worked("chained"),
    Text("Where $x$ reaches $L$ along several ways, each way moves $L$ on its own, and the contributions add up."),
    Worked("two_ways"),
    Title("Indices and sums"),
    Text("A vector is a list of numbers, and $x_i$ is its entry number $i$. A matrix is a table, and $w_{io}$ is the "
         "entry in row $i$ and column $o$. $\\sum_i$ adds over all values of $i$; the letter under the sign may be "
         "exchanged for any other that is not in use: $\\sum_i x_i = \\sum_j x_j$. A letter that is not summed is "
         "free, and an equation holds for each of its values. The length of an axis is its letter as a capital: $i$ "
         "runs over $I$ values."),
    Title("Deltas"),
    Text("What is the derivative of $x_j$ for $x_i$? If $i$ and $j$ are the same place, 1; if not, 0, since the "
         "entries of an input move independently. That number has a name, $\\delta_{ij}$. Within a sum it picks one "
         "entry: $\\sum_j \\delta_{ij} a_j = a_i$, because every other summand is 0. Almost every derivation here "
         "is: apply the chain rule, which brings deltas, then contract them."),
    Worked("weighted_sum"),
    Title("A layer"),
    Text("A linear layer takes every row of $x$ to a mixture of its entries. What comes after it in a network is not "
         "known, and need not be: let $g$ be the derivative of the loss for each entry of the output. Then the chain "
         "rule gives the derivative for each entry of the inputs. In matrices the two results are $G W^\\top$ and "
         "$X^\\top G$."),
    Worked("layer"),
    Title("Kinks"),
    Text("Some functions have a corner, where no slope is right. There a convention chooses one of the slopes on "
         "either side: the derivative of $\\max(x, 0)$ at 0 is 0 in this book. A condition in brackets is 1 where it "
         "holds and 0 where it does not."),
    Worked("ramp"),
    Title("How to read a page"),
    Text("Definition: what goes in, with its shape, and what comes out. Derivation: every name, every adjoint, every "
         "result, line by line; at the right of a line stands the law that leads to it, with a clause that says why. "
         "Closed form: what a textbook prints. Code: what a numerical engineer would write. Checks: what was held "
         "against what, at how many random points, and the largest error that was found."),
)  # fmt: skip


def _square(x: Any) -> Any:
    """The square of a number."""
    return x[()] ** 2


def _chained(x: Any) -> Any:
    """A function of a function: u = x², L = exp(−u)."""
    u = let("u", x[()] ** 2)
    return exp(-u[()])


def _two_ways(x: Any) -> Any:
    """x reaches the output through u and through v."""
    u = let("u", exp(x[()]))
    v = let("v", sin(x[()]))
    return u[()] * v[()]


def _weighted_sum(w: Any, x: Any) -> Any:
    """Entries times weights, added."""
    return sum_over(i, w[i] * x[i])


def _layer(x: Any, w: Any) -> Any:
    """Every output mixes all inputs."""
    return sum_over(i, x[b, i] * w[i, o])


def _ramp(x: Any) -> Any:
    """x where it is positive, else 0."""
    return maximum(x[()], 0)


EXAMPLES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "square": (_square, {"x": T[()], "return": T[()]}),
    "chained": (_chained, {"x": T[()], "return": T[()]}),
    "two_ways": (_two_ways, {"x": T[()], "return": T[()]}),
    "weighted_sum": (_weighted_sum, {"w": T[i], "x": T[i], "return": T[()]}),
    "layer": (_layer, {"x": T[b, i], "w": T[i, o], "return": T[b, o]}),
    "ramp": (_ramp, {"x": T[()], "return": T[()]}),
}


@cache
def worked(name: str) -> Derivative:
    """The gradient of one example."""
    function, types = EXAMPLES[name]
    function.__annotations__ = types
    made: Formula = build(function, name, {})
    return gradient(made)


def examples() -> Iterator[Derivative]:
    """Every example, in order."""
    yield from (worked(part.name) for part in PARTS if isinstance(part, Worked))
