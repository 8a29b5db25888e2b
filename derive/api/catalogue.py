"""The catalogue: every formula that is registered, by name; `formulas` is loaded when first asked for."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator, Mapping
from typing import Any

from derive.axes import DeriveError, NameProblem, did_you_mean
from derive.formula import CATALOGUE, Formula


class Catalogue(Mapping[str, Formula]):
    """Formulas by name: `catalogue["softmax"]`, `list(catalogue)`."""

    def _loaded(self) -> dict[str, Formula]:
        try:
            module: Any = importlib.import_module("formulas")
        except ImportError as problem:
            raise DeriveError(f"the package 'formulas' cannot be imported: {problem}") from problem
        if not getattr(module, "DERIVE_CATALOGUE", False):
            raise DeriveError(
                f"the package 'formulas' found at {getattr(module, '__file__', '?')} is not derive's: another "
                "distribution uses the name; uninstall it or install derive-math into an environment of its own"
            )
        return CATALOGUE

    def __getitem__(self, name: str) -> Formula:
        known = self._loaded()
        if name not in known:
            raise NameProblem(f"no formula {name!r} in the catalogue{did_you_mean(name, known)}")
        return known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded())

    def __len__(self) -> int:
        return len(self._loaded())

    def __contains__(self, name: object) -> bool:
        return name in self._loaded()

    def __repr__(self) -> str:
        return f"catalogue of {len(self)} formulas: {', '.join(self)}"


catalogue = Catalogue()
