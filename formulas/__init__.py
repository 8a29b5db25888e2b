"""The mathematics of deep learning as definitions; every derivative is derived from them.

A chapter is loaded when one of its formulas is first used: which names it holds is read from its `__all__`.
"""

import ast
import importlib
import sys
from pathlib import Path
from types import ModuleType

from derive import DeriveError, NameProblem

DERIVE_CATALOGUE = True  # tells this package from others of the same name on the registry
CHAPTERS = (
    "linear activations losses classification objectives penalties normalisation noise embedding convolution pooling "
    "directions shapes resampling attention networks targets recurrence sequences stacks paths "
    "optimisers recent_optimisers layer_optimisers gradient_transforms schedules matrices linear_models"
).split()


def _names(chapter: str) -> list[str]:
    """The `__all__` of a chapter: a list of strings, or words to be split."""
    source = Path(__file__).with_name(f"{chapter}.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            split = isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute)
            return ast.literal_eval(node.value.func.value).split() if split else ast.literal_eval(node.value)
    raise DeriveError(f"formulas.{chapter} has no __all__")


HOME = {name: chapter for chapter in CHAPTERS for name in _names(chapter)}
__all__ = list(HOME)


class _Package(ModuleType):
    """The package itself: a chapter named like one of its formulas (attention) does not hide it."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> object:
    if name in HOME:
        globals()[name] = found = getattr(importlib.import_module(f"formulas.{HOME[name]}"), name)
        return found
    if name in CHAPTERS:
        return importlib.import_module(f"formulas.{name}")
    if name.startswith("_"):
        raise AttributeError(f"module 'formulas' has no attribute {name!r}")
    try:
        from derive import catalogue

        return catalogue[name]
    except NameProblem as problem:  # an ImportError, because `from formulas import …` hides other messages
        raise ImportError(str(problem)) from None
