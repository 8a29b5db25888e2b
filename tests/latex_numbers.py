"""What a formula read from LaTeX is worth in numbers, by the oracle, beside a meaning that is written in NumPy.

Abstract functions get one made-up law, here and in the meaning: f(a, b, …) = ½ + ⅖ sin(n + a + 2b + …), n the length
of its name: between 0 and 1.
"""

import itertools

import numpy as np
import sympy
from scipy import special

from derive.axes import Entry, mapped
from derive.oracle import evaluate
from derive.parse.nodes import Slope, Unknown
from derive.verify import Sampler


def made_up(name, *arguments, sin=np.sin):
    return 0.5 + 0.4 * sin(sum((k + 1) * a for k, a in enumerate(arguments)) + len(name))


def known(body):
    """The expression with the made-up law for abstract functions, and slopes of such carried out."""

    def change(node):
        if isinstance(node, Unknown):
            return made_up(node.function, *[known(a) for a in node.args[1:]], sin=sympy.sin)
        if isinstance(node, Slope):
            entries = sorted(node.atoms(Entry), key=str)
            symbols = dict(zip(entries, sympy.symbols(f"s:{len(entries)}", real=True), strict=True))
            inner = known(node.args[0]).subs(symbols)
            found = sympy.diff(inner, *[a.subs(symbols) for a in node.args[1:]])
            return found.subs({new: old for old, new in symbols.items()})
        return None

    return mapped(body, change)


def points(formula, positive=(), definite=(), unit=(), seeds=(0, 1, 2)):
    """Points with all lengths different, then small and random ones; what is in `unit` lies between 0 and 1."""
    traced = formula.trace()
    body = traced.outputs[0]
    for seed, shape in zip(seeds, itertools.cycle(("distinct", "random")), strict=False):
        rng = np.random.default_rng(seed)
        sampler = Sampler(traced)
        point = sampler.draw(rng, sampler.sizes(rng, shape))
        arrays = {name: np.abs(a) + 0.1 if name in positive else a for name, a in point.arrays.items()}
        arrays |= {
            name: arrays[name] @ arrays[name].T + np.eye(len(arrays[name])) for name in definite if name in arrays
        }
        scalars = {name: abs(a) + 0.1 if name in positive else a for name, a in point.scalars.items()}
        arrays |= {name: 0.1 + 0.8 * arrays[name] ** 2 / (1 + arrays[name] ** 2) for name in unit if name in arrays}
        scalars |= {name: 0.1 + 0.8 * scalars[name] ** 2 / (1 + scalars[name] ** 2) for name in unit if name in scalars}
        yield point.with_(arrays=arrays, scalars=scalars), body


def value(tensor, point):
    """The oracle's value; a slope along an array by central differences."""
    if isinstance(tensor.body, Slope) and not tensor.body.atoms(Unknown):
        return differences(tensor.body, point)
    return evaluate(known(tensor.body), point, tensor.axes)


def differences(slope, point, step=1e-5):
    """∂f/∂X for every entry of X."""
    body, entry = slope.args
    start = point.arrays[entry.tensor.name]
    found = np.zeros(start.shape)
    for place in np.ndindex(start.shape):
        move = np.zeros(start.shape)
        move[place] = step
        above, below = (point.with_(arrays={entry.tensor.name: start + sign * move}) for sign in (1, -1))
        found[place] = (evaluate(body, above) - evaluate(body, below)) / (2 * step)
    return found


def names(point):
    """What a meaning may use."""
    sizes = {str(symbol).upper(): number for symbol, number in point.sizes.items()}
    numpy = {name: getattr(np, name) for name in (
        "exp log sin cos tanh sqrt abs where array arange mean eye outer diag trace ones zeros maximum minimum prod "
        "argmax cumsum einsum sign".split())}  # fmt: skip
    linear = {"det": np.linalg.det, "inv": np.linalg.inv, "norm": np.linalg.norm, "erf": special.erf, "pi": np.pi,
              "Gamma": special.gamma, "lgamma": special.gammaln, "kron": np.kron,
              "vec": lambda x: x.T.reshape(-1)}  # fmt: skip
    more = {
        "max": max,
        "min": min,
        "range": range,
        "sum": sum,
        "len": len,
        "np": np,
        "size": lambda axis: sizes[axis.upper()],
    }
    functions = {f: (lambda *a, f=f: made_up(f, *a)) for f in ("sigma", "ReLU", "h", "f", "S", "E", "phi", "g")}
    slopes = {"slope": lambda f, x: 0.4 * np.cos(x + 5), "second": lambda f, a, b: -0.8 * np.sin(a + 2 * b + 1)}
    more["made"] = lambda length, *a: made_up("f" * length, *a)
    more["P"] = lambda x, *at: x[at] if all(0 <= k < n for k, n in zip(at, x.shape, strict=True)) else 0.0
    return {**numpy, **linear, **more, **functions, **slopes, **sizes, **point.scalars, **point.arrays}
