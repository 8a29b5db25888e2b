"""The catalogue: every formula of `formulas`, by name; a chapter is loaded when one of its formulas is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from derive.axes import DeriveError, NameProblem, did_you_mean
from derive.formula import Formula


class Catalogue(Mapping[str, Formula]):
    """Formulas by name: `catalogue["softmax"]`, `list(catalogue)`."""

    def _chapters(self) -> dict[str, str]:
        """The chapter of each formula; no chapter is loaded for it."""
        home: dict[str, str] = self._package().HOME
        return home

    def _package(self) -> Any:
        try:
            module: Any = importlib.import_module("formulas")
        except ImportError as problem:
            raise DeriveError(f"the package 'formulas' cannot be imported: {problem}") from problem
        if not getattr(module, "DERIVE_CATALOGUE", False):
            raise DeriveError(
                f"the package 'formulas' found at {getattr(module, '__file__', '?')} is not derive's: another "
                "distribution uses the name; uninstall it or install derive-math into an environment of its own"
            )
        return module

    def __getitem__(self, name: str) -> Formula:
        known = self._chapters()
        if name not in known:
            raise NameProblem(f"no formula {name!r} in the catalogue{did_you_mean(name, known)}")
        found: Formula = getattr(self._package(), name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._chapters())

    def __len__(self) -> int:
        return len(self._chapters())

    def __contains__(self, name: object) -> bool:
        return name in self._chapters()

    def __repr__(self) -> str:
        return f"catalogue of {len(self)} formulas: {', '.join(self)}"


catalogue = Catalogue()
