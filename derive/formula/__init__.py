"""A layer as data: the decorator, its parameters, named intermediates, assumptions and the registry."""

from .core import REGISTRY, Formula, build, formula, register
from .instance import Instance, elementwise, instantiate
from .signature import Parameter
from .trace import CURRENT, Assumption, Traced, Tracing, assume, let, told_apart, with_tensors

__all__ = [
    "Assumption",
    "CURRENT",
    "Formula",
    "Instance",
    "Parameter",
    "REGISTRY",
    "Traced",
    "Tracing",
    "assume",
    "build",
    "elementwise",
    "formula",
    "instantiate",
    "let",
    "register",
    "told_apart",
    "with_tensors",
]
