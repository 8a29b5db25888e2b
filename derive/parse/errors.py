"""What a reader of LaTeX cannot read, and where it stands."""

from __future__ import annotations

from derive.axes import DeriveError, Unsupported


class LatexError(DeriveError):
    """Text that cannot be read, or has two readings: the column, what stands there, and what would resolve it."""

    def __init__(self, problem: str, column: int | None = None) -> None:
        self.problem, self.column = problem, column
        super().__init__(problem if column is None else f"column {column + 1}: {problem}")


class LatexUnsupported(Unsupported):
    """Text that means something for which derive has no law; the column, and the name of what is missing."""

    def __init__(self, problem: str, column: int | None = None) -> None:
        self.problem, self.column = problem, column
        super().__init__(problem if column is None else f"column {column + 1}: {problem}")


for _error in (LatexError, LatexUnsupported):
    _error.__module__ = "derive"
