"""Writes docs/parity.md: `python -m tests.parity.table > docs/parity.md`.

Every public function of torch.nn.functional is listed, with the formula that covers it or the reason why none does;
then every kink where our derivative is not PyTorch's, measured. What is covered is read from the catalogue and from
the rows of the test files beside this one, so a chapter that is added appears by itself.
"""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from derive import catalogue

from .harness import Measured, Row, cases, measured

# Functions whose formula has another name, when the catalogue has it.
OTHER_NAME = {
    "cross_entropy": "softmax_cross_entropy",
    "interpolate": "interpolate_bilinear",
    "scaled_dot_product_attention": "attention",
    "multi_head_attention_forward": "multi_head_attention",
    "upsample": "interpolate_nearest",  # upsample and its two sisters are deprecated for interpolate
    "upsample_nearest": "interpolate_nearest",
    "upsample_bilinear": "interpolate_bilinear",
}

RANDOM = "random: what it pools is drawn anew at every call"
WITH_INDICES = "its value is that of the function without _with_indices, which also gives the indices"
LOW_PRECISION = "a matrix product in a low precision, with scales for it"

# Functions that no formula is meant to cover, and why.
REASONS = {
    "fractional_max_pool2d": RANDOM,
    "fractional_max_pool3d": RANDOM,
    **{f"adaptive_max_pool{n}d_with_indices": WITH_INDICES for n in (1, 2, 3)},
    **{f"fractional_max_pool{n}d_with_indices": WITH_INDICES for n in (2, 3)},
    **{f"max_pool{n}d_with_indices": WITH_INDICES for n in (1, 2, 3)},
    "grouped_mm": "a batch of matrix products of different lengths: its groups are no axis",
    "scaled_mm": LOW_PRECISION,
    "scaled_grouped_mm": LOW_PRECISION,
    "pdist": "the entries of cdist(x, x) above its diagonal, as a list",
}
NOT_YET = "not written yet"

# What the module holds besides its functions: helpers that dispatch calls, an internal kernel.
HELPERS = {
    "assert_int_or_pair",
    "boolean_dispatch",
    "handle_torch_function",
    "has_torch_function",
    "has_torch_function_unary",
    "has_torch_function_variadic",
    "native_channel_shuffle",
}

HEAD = """\
# Parity with PyTorch

Compared with PyTorch {version} in float64, to 10⁻⁹ of 1 + the largest reference: the value and every gradient of the
emitted NumPy code, over every reduction and option, over shapes with axes of length 1; and second derivatives of what
is smooth. `make parity` runs the comparison. This page is generated: `python -m tests.parity.table > docs/parity.md`.
"""


def rows() -> dict[str, Row]:
    """The rows of every chapter, by formula."""
    files = sorted(Path(__file__).parent.glob("test_*.py"))
    modules = [importlib.import_module(f"{__package__}.{file.stem}") for file in files]
    found = [row for module in modules for row in getattr(module, "ROWS", ())]
    return {row.name: row for row in sorted(found, key=str)}


def functions() -> list[str]:
    """The public functions of torch.nn.functional; those that work in place are their namesakes."""
    module = importlib.import_module("torch.nn.functional")
    public = [name for name in sorted(vars(module)) if not name.startswith("_") and not name.endswith("_")]
    return [name for name in public if name not in HELPERS and _is_function(getattr(module, name))]


def _is_function(thing: object) -> bool:
    of_torch = str(getattr(thing, "__module__", "")).split(".")[0] == "torch"
    return callable(thing) and not inspect.isclass(thing) and of_torch


def formula_of(function: str) -> str | None:
    """The name of the formula that covers a function."""
    candidates = (function, OTHER_NAME.get(function, function))
    return next((name for name in candidates if name in catalogue), None)


def table(head: str, body: list[tuple[str, ...]]) -> Iterator[str]:
    columns = head.split(" | ")
    yield f"| {head} |"
    yield "|" + "|".join("---" for _ in columns) + "|"
    for cells in body:
        yield "| " + " | ".join(cells) + " |"


def code(text: str) -> str:
    return f"`{text}`"


def number(entries: np.ndarray) -> str:
    """One number, or all of them."""
    words = ["0" if value == 0 else f"{value:.6g}".replace("-", "−") for value in entries.flat]
    return words[0] if len(words) == 1 else f"[{', '.join(words)}]"


def compared(row: Row | None) -> tuple[str, str, str]:
    """How many cases, whether second derivatives, what else is to be said."""
    if row is None:
        return "none yet", "", ""
    return str(sum(1 for _ in cases(row))), "yes" if row.smooth else "", row.note


def covered(known: dict[str, Row]) -> Iterator[str]:
    listed = [(function, formula) for function in functions() if (formula := formula_of(function))]
    yield f"## Functions covered: {len(listed)} of {len(functions())}\n"
    body = [(code(function), code(formula), *compared(known.get(formula))) for function, formula in listed]
    yield from table("torch.nn.functional | formula | cases | second derivatives | remark", body)


def others() -> Iterator[str]:
    listed = [function for function in functions() if not formula_of(function)]
    yield "## Functions not covered\n"
    yield from table("torch.nn.functional | why", [(code(name), REASONS.get(name, NOT_YET)) for name in listed])


def beyond(known: dict[str, Row]) -> Iterator[str]:
    own = {formula_of(function) for function in functions()}
    yield "## Formulas that torch.nn.functional does not have\n"
    yield "Compared in the same way with another function of torch, or with the same mathematics written in torch.\n"
    body = [(code(name), *compared(row)) for name, row in known.items() if name not in own]
    yield from table("formula | cases | second derivatives | remark", body)


def kinks(known: dict[str, Row]) -> Iterator[str]:
    found = [m for row in known.values() for m in measured(row)]
    differing = [(*_place(m), code(m.wrt), number(m.ours), number(m.theirs)) for m in found if not m.agrees]
    yield "## Where derivatives differ: at kinks and at the edge of a domain\n"
    yield f"Measured for an upstream gradient of 1, at {len({_place(m) for m in found})} points.\n"
    yield from table("formula | at | derivative for | derive | PyTorch", differing)
    same: dict[tuple[str, ...], list[str]] = {}
    for m in found:
        if m.agrees:
            same.setdefault(_place(m), []).append(f"{code(m.wrt)} {number(m.ours)}")
    yield "\nWhere both say the same:\n"
    yield from table("formula | at | derivatives", [(*place, ", ".join(words)) for place, words in same.items()])


def _place(m: Measured) -> tuple[str, str]:
    return code(m.name), m.point.replace("-", "−")


def page() -> str:
    """The text of docs/parity.md."""
    known = rows()
    parts = (
        [HEAD.format(version=importlib.import_module("torch").__version__.split("+")[0])],
        covered(known),
        others(),
        beyond(known),
        kinks(known),
    )
    return "\n\n".join("\n".join(part).rstrip() for part in parts) + "\n"


if __name__ == "__main__":
    print(page(), end="")
