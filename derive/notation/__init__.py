"""What a reader reads: expressions and derivations as text, LaTeX and Markdown."""

from .expression import Printed, latex, text
from .names import Names

__all__ = ["Names", "Printed", "latex", "text"]
