"""Array programs as code of a library: readable source, and callables."""

from .array_api import StandardModule
from .module import Module
from .numpy import emit

__all__ = ["Module", "StandardModule", "emit"]
