"""What a reader reads: expressions and derivations as text, LaTeX and Markdown."""

from .choice import Notation
from .documents import explain_latex, explain_markdown, explain_text
from .expression import Printed, latex, text
from .names import Names

__all__ = ["Notation", "text", "latex", "Printed", "explain_text", "explain_latex", "explain_markdown", "Names"]
