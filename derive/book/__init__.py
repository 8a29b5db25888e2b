"""*The Mathematics behind Deep Learning*: a page for every formula of the catalogue, made by the engine."""

from derive.notation.pdf import compiled, faults, program

from .checks import Checked
from .making import Entry, entry, key_of, lesson_places, pages
from .order import TITLE, Place, places

__all__ = [
    "TITLE",
    "Checked",
    "Entry",
    "Place",
    "compiled",
    "entry",
    "faults",
    "key_of",
    "lesson_places",
    "pages",
    "places",
    "program",
]
