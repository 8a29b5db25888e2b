"""*The Mathematics behind Deep Learning*: a page for every formula of the catalogue, made by the engine."""

from derive.notation.pdf import pdf, program

from .making import Entry, entry, key_of, lessons, pages
from .order import TITLE, Place, places

__all__ = ["TITLE", "Entry", "Place", "entry", "key_of", "lessons", "pages", "pdf", "places", "program"]
