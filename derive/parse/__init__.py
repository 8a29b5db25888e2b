"""LaTeX → Formula: a typed grammar of our own; no text is ever evaluated."""

from .errors import LatexError, LatexUnsupported
from .reading import Declaration, Equation, Read, read
from .scope import Scope, declared

__all__ = ["Declaration", "Equation", "LatexError", "LatexUnsupported", "Read", "Scope", "declared", "read"]
