"""What an emitted module checks of itself when it is run: gradients against differences, at inputs that it brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .layout import INDENT, WIDTH, ended, listed, wrapped

FEW = 24  # entries that are written out; more are drawn


@dataclass(frozen=True)
class Example:
    """Arrays and keywords at which a module is tried; `free`: inputs about which nothing is assumed."""

    arrays: Mapping[str, Any]
    keywords: Mapping[str, float | int]
    free: Sequence[str]


def block(example: Example, gradients: Sequence[str], np_: str) -> str:
    """The source of `example` and of what runs when the module does."""
    entries = [f'"{name}": {_written(array, name in example.free, np_)}' for name, array in example.arrays.items()]
    drawn = any("rng." in entry for entry in entries)
    lines = [
        "def example() -> dict[str, Any]:",
        f'{INDENT}"""Inputs for which everything holds that is assumed of them."""',
        *([f"{INDENT}rng = {np_}.random.default_rng(0)"] if drawn else []),
        f"{INDENT}return {{",
        *(line for entry in entries for line in ended(wrapped(entry, 2 * INDENT, WIDTH - 1))),
        f"{INDENT}}}",
    ]
    names = [name for name in gradients if name in example.free]
    given = ["forward", "backward", "example()", listed("[", [f'"{name}"' for name in names], "]")]
    given += [f"{name}={value!r}" for name, value in example.keywords.items()]
    run = wrapped(f"raise SystemExit(compared({', '.join(given)}))", INDENT)
    return "\n".join([*lines, "", "", 'if __name__ == "__main__":', *run])


def _written(array: Any, free: bool, np_: str) -> str:
    """Few entries, or entries that something is assumed of, as they are; others are drawn."""
    if array.dtype.kind == "f" and free and array.size > FEW:
        return f"rng.normal(size={tuple(array.shape)!r})"
    values = np.round(array, 3) if array.dtype.kind == "f" and free else array
    return f"{np_}.array({values.tolist()!r})"


def compared(forward: Any, backward: Any, given: Any, names: Any, **keywords: Any) -> int:
    """Prints how far each gradient is from central differences along random directions; 0 if all agree, else 1."""
    rng = np.random.default_rng(1)
    y, saved = forward(**given, **keywords)
    outputs = y if isinstance(y, tuple) else (y,)
    g = tuple(rng.normal(size=np.shape(out)) for out in outputs)
    gradients = backward(g if len(g) > 1 else g[0], saved)
    agree = True
    for name in names:
        worst = 0.0
        for _ in range(3):
            v = rng.normal(size=np.shape(given[name]))
            sides = []
            for step in (1e-5, -1e-5):
                moved, _ = forward(**given | {name: given[name] + step * v}, **keywords)
                sides.append(
                    sum(float(np.vdot(a, b)) for a, b in zip(g, moved if len(g) > 1 else (moved,), strict=True))
                )
            slope, found = (sides[0] - sides[1]) / 2e-5, float(np.vdot(gradients[name], v))
            worst = max(worst, abs(slope - found) / (1 + abs(slope)))
        agree = agree and worst <= 1e-6
        print(f"{name}: gradient and differences are {worst:.1e} apart{'' if worst <= 1e-6 else ': too far'}")
    return 0 if agree else 1
